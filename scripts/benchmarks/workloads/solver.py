"""`cliffgym.optimal` on the random MDPs of `benchmarks.problems`: exact values, gaps and sets of optimal actions.

Counted: MDPs solved. Making the MDP is not counted; neither is what an MDP finds out about itself once and remembers
(whether it has cycles): "first_call_seconds" tells how long the very first solution of a fresh MDP takes.
"""

import time

import numpy as np

from benchmarks.problems import GAMMA, Problem, random_problem, random_rewards
from benchmarks.workload import Workload
from cliffgym import TabularMDP, optimal

_SMALL = 50


def make(kind: str, num_states: int, kernel: str, checked: bool = True) -> Workload:
    """Solves one problem over and over with the "numpy" or "numba" kernel; if `checked`, the facts hold the values."""
    small = random_problem(kind, _SMALL)
    optimal(tabular_mdp(small), random_rewards(small, 1)[0], kernel=kernel)  # loads and compiles
    problem = random_problem(kind, num_states)
    reward = random_rewards(problem, 1)[0]
    mdp = tabular_mdp(problem)
    begin = time.perf_counter()
    optimum = optimal(mdp, reward, kernel=kernel)
    first = time.perf_counter() - begin

    def chunk() -> int:
        optimal(mdp, reward, kernel=kernel)
        return 1

    facts = {"first_call_seconds": first}
    return Workload(chunk, facts | {"values": [optimum.state_values.tolist()]} if checked else facts)


def tabular_mdp(problem: Problem) -> TabularMDP:
    """The problem in our form; all states are equally likely to be the first."""
    S = len(problem.terminal)
    start = np.full(S, 1 / S)
    return TabularMDP(problem.successors, problem.probabilities, start, problem.terminal, GAMMA)
