"""Exact solvers for finite MDPs: `(mdp, reward table)` in, frozen results out. They know no scenario and no env."""

from cliffgym.solvers.batches import OptimumBatch, SoftOptimumBatch, optimal_batch, soft_batch
from cliffgym.solvers.evaluation import Evaluation, evaluate, expected_components, occupancy
from cliffgym.solvers.optimal import TIE_TOLERANCE, Optimum, optimal
from cliffgym.solvers.pareto import ParetoFront, pareto_front
from cliffgym.solvers.policies import check_policy, total_variation, uniform_policy
from cliffgym.solvers.quantal_response import QuantalResponse, quantal_response
from cliffgym.solvers.soft import SoftOptimum, soft

__all__ = [
    "TIE_TOLERANCE",
    "Evaluation",
    "Optimum",
    "OptimumBatch",
    "ParetoFront",
    "QuantalResponse",
    "SoftOptimum",
    "SoftOptimumBatch",
    "check_policy",
    "evaluate",
    "expected_components",
    "occupancy",
    "optimal",
    "optimal_batch",
    "pareto_front",
    "quantal_response",
    "soft",
    "soft_batch",
    "total_variation",
    "uniform_policy",
]
