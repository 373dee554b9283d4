"""`cliffgym.optimal_batch`: many rewards on one MDP, by one call.

Counted: rewards solved. Making the MDP is not counted.
"""

from benchmarks.problems import random_problem, random_rewards
from benchmarks.workload import Workload
from benchmarks.workloads.solver import tabular_mdp
from cliffgym import optimal_batch

_CHECKED = 20


def make(kind: str, num_states: int, num_rewards: int, kernel: str) -> Workload:
    """Solves all rewards over and over with the "numpy" or "numba" kernel."""
    problem = random_problem(kind, num_states)
    rewards = random_rewards(problem, num_rewards)
    mdp = tabular_mdp(problem)

    def chunk() -> int:
        optimal_batch(mdp, rewards, kernel=kernel)
        return num_rewards

    checked = optimal_batch(mdp, rewards[:_CHECKED], kernel=kernel).state_values
    return Workload(chunk, {"values": checked.tolist()})
