"""Random MDPs for the solvers. Ours and theirs make the same arrays from the same seed; equal answers prove it.

Shapes: S states, A actions, B successor slots of a state-action pair.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

KINDS = ("deterministic", "acyclic", "stochastic")
GAMMA = 0.95
NUM_ACTIONS = 4
_BRANCHING = 4


@dataclass(frozen=True, eq=False)
class Problem:
    """Dynamics without an end, or with one.

    Attributes:
        successors: (S, A, B) next states.
        probabilities: (S, A, B) their probabilities.
        terminal: (S,) True where a trace has ended; such states lead to themselves and never pay.
    """

    successors: NDArray[np.int64]
    probabilities: NDArray[np.float64]
    terminal: NDArray[np.bool_]


def random_problem(kind: str, num_states: int) -> Problem:
    """A random MDP of 4 actions.

    Args:
        kind: "deterministic": one uniformly random successor, so there are cycles. "acyclic": one uniformly random
            successor of a higher number; the last state is terminal. "stochastic": four random successors, with cycles
            (a Garnet).
        num_states: S.
    """
    rng = np.random.default_rng(num_states)
    branching = _BRANCHING if kind == "stochastic" else 1
    shape = (num_states, NUM_ACTIONS, branching)
    lowest = np.zeros(num_states, dtype=np.int64)
    terminal = np.zeros(num_states, dtype=bool)
    if kind == "acyclic":
        lowest = np.minimum(np.arange(num_states) + 1, num_states - 1)
        terminal[-1] = True
    successors = rng.integers(lowest[:, None, None], num_states, size=shape)
    weights = rng.exponential(size=shape)
    return Problem(successors, weights / weights.sum(axis=2, keepdims=True), terminal)


def random_rewards(problem: Problem, number: int) -> NDArray[np.float64]:
    """(number, S, A) rewards, uniform in [0, 1), 0 at terminal states."""
    size = (number, len(problem.terminal), NUM_ACTIONS)
    return np.random.default_rng(1).random(size) * ~problem.terminal[:, None]
