"""QuantEcon's DiscreteDP on the random MDPs of `benchmarks.problems`, by the fastest of its methods.

Counted: MDPs solved. Dynamics are given by state-action pairs with a sparse kernel, its quickest form for these sizes;
making the object is not counted, and another reward is swapped into the same object. The approximate methods stop
within 1e-6 of the optimum by their own promise (epsilon / 2), which is all that is asked of them.
"""

import itertools
import time

import numpy as np
import quantecon
from quantecon.markov import DiscreteDP
from scipy import sparse

from benchmarks.problems import GAMMA, Problem, random_problem, random_rewards
from benchmarks.workload import Workload

EPSILON = 2e-6
_TRIES = 3
_LONG = 0.2  # seconds
_SMALL = 50  # states
_CHECKED = 20
METHODS = {
    "policy_iteration": {},
    "value_iteration": {"epsilon": EPSILON},
    "modified_policy_iteration, k=20": {"epsilon": EPSILON, "k": 20},
    "modified_policy_iteration, k=50": {"epsilon": EPSILON, "k": 50},
    "modified_policy_iteration, k=100": {"epsilon": EPSILON, "k": 100},
}


def make(kind: str, num_states: int, num_rewards: int = 1) -> Workload:
    """Solves one problem over and over, or for `num_rewards` rewards in turn."""
    problem = random_problem(kind, num_states)
    rewards = random_rewards(problem, num_rewards).reshape(num_rewards, -1)
    program = discrete_program(problem, rewards[0])
    compile_methods(kind)
    times = {name: best_time(program, name) for name in METHODS}
    fastest = min(times, key=times.__getitem__)
    turns = itertools.cycle(rewards)

    def chunk() -> int:
        program.R = next(turns)
        solve(program, fastest)
        return 1

    values = []
    for reward in rewards[:_CHECKED]:
        program.R = reward
        values.append(solve(program, fastest).tolist())
    facts = {
        "version": f"quantecon {quantecon.__version__}",
        "method": fastest,
        "milliseconds_by_method": {name: 1e3 * seconds for name, seconds in times.items()},
        "values": values,
    }
    return Workload(chunk, facts)


def discrete_program(problem: Problem, reward: np.ndarray) -> DiscreteDP:
    """The problem in QuantEcon's form of state-action pairs."""
    S, A, B = problem.successors.shape
    rows = np.arange(0, S * A * B + 1, B)
    kernel = sparse.csr_matrix((problem.probabilities.ravel(), problem.successors.ravel(), rows), shape=(S * A, S))
    kernel.sum_duplicates()
    states, actions = np.repeat(np.arange(S), A), np.tile(np.arange(A), S)
    return DiscreteDP(reward, kernel, GAMMA, states, actions)


def compile_methods(kind: str) -> None:
    """Solves a small problem by every method."""
    problem = random_problem(kind, _SMALL)
    program = discrete_program(problem, random_rewards(problem, 1)[0].ravel())
    for name in METHODS:
        solve(program, name)


def solve(program: DiscreteDP, name: str) -> np.ndarray:
    """(S,) optimal values."""
    return program.solve(method=name.split(",")[0], max_iter=10_000, **METHODS[name]).v


def best_time(program: DiscreteDP, name: str) -> float:
    """Seconds of the quickest of some solutions; one that takes long is not tried again."""
    times: list[float] = []
    while not times or (len(times) < _TRIES and times[-1] < _LONG):
        begin = time.perf_counter()
        solve(program, name)
        times.append(time.perf_counter() - begin)
    return min(times)
