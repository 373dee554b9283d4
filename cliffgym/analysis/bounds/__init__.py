"""The paper's statements as functions: each checks one statement on one finite MDP and says by how much it holds.

`STATEMENTS` lists them by their numbers in the PDF of arXiv:2507.20150. Every function takes the MDP first (softmax
aside), then reward tables, and returns a `StatementCheck`. `cliffgym.analysis.verification` runs them all.
"""

from collections.abc import Callable, Mapping

from cliffgym.analysis.bounds.boltzmann import SoftmaxNorm, softmax, softmax_lipschitz, softmax_norm
from cliffgym.analysis.bounds.check import StatementCheck
from cliffgym.analysis.bounds.continuity import optimal_actions_inclusion, policy_constancy
from cliffgym.analysis.bounds.discontinuity import deterministic_jump, tie_breaking, uniform_jump
from cliffgym.analysis.bounds.effective import (
    effective_actions_inclusion,
    effective_jump,
    effective_policy_constancy,
    effective_reward_lipschitz,
    effective_values_lipschitz,
)
from cliffgym.analysis.bounds.lipschitz import TightExample, soft_policy_lipschitz, tight_example, values_lipschitz
from cliffgym.analysis.bounds.misspecification import incomplete_reward

STATEMENTS: Mapping[str, Callable[..., StatementCheck]] = {
    "Proposition 2.4": values_lipschitz,
    "Lemma 2.5": optimal_actions_inclusion,
    "Theorem 2.7": policy_constancy,
    "Proposition 2.9": deterministic_jump,
    "Proposition 2.10": uniform_jump,
    "Proposition 3.1": incomplete_reward,
    "Proposition 3.2": tie_breaking,
    "Lemma 4.2": effective_reward_lipschitz,
    "Proposition 4.3": effective_values_lipschitz,
    "Lemma 4.4": effective_actions_inclusion,
    "Proposition 4.5": effective_policy_constancy,
    "Proposition 4.6": effective_jump,
    "Proposition 4.7": soft_policy_lipschitz,
    "Lemma C.2": softmax_lipschitz,
}
"""The statements by their numbers in the PDF."""

__all__ = [
    "STATEMENTS",
    "SoftmaxNorm",
    "StatementCheck",
    "TightExample",
    "deterministic_jump",
    "effective_actions_inclusion",
    "effective_jump",
    "effective_policy_constancy",
    "effective_reward_lipschitz",
    "effective_values_lipschitz",
    "incomplete_reward",
    "optimal_actions_inclusion",
    "policy_constancy",
    "soft_policy_lipschitz",
    "softmax",
    "softmax_lipschitz",
    "softmax_norm",
    "tie_breaking",
    "tight_example",
    "uniform_jump",
    "values_lipschitz",
]
