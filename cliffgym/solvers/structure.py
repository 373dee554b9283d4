"""What the solvers keep about an MDP from one call to the next, and when they compile.

Each fact is made when it is first needed and lives as long as its MDP does.

Shapes: S states, A actions, B successor slots.
"""

from collections.abc import Callable
from functools import wraps
from typing import NamedTuple, TypeVar
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from cliffgym.kernels import COMPILED_WORK, choose_kernel
from cliffgym.mdp import TabularMDP

BLOCK = 1 << 19
"""Successor slots times rewards that NumPy takes up at once: what temporaries hold, unless one reward is more."""

_Fact = TypeVar("_Fact")


def chosen_kernel(kernel: str, mdp: TabularMDP, num_rewards: int = 1) -> str:
    """Resolves a parameter `kernel` to "numpy" or "numba" for `num_rewards` problems on this MDP.

    Raises:
        ValueError: There is no such kernel.
        ImportError: "numba" is asked for and not installed.
    """
    return choose_kernel(kernel, worthwhile=mdp.successors.size * num_rewards >= COMPILED_WORK)


def blocks(mdp: TabularMDP, num_rewards: int) -> list[slice]:
    """Rewards 0..N-1 in blocks."""
    step = max(1, BLOCK // mdp.successors.size)
    return [slice(low, min(low + step, num_rewards)) for low in range(0, num_rewards, step)]


def _kept(make: Callable[[TabularMDP], _Fact]) -> Callable[[TabularMDP], _Fact]:
    """Makes a fact about an MDP once. It must not refer to the MDP itself, or neither would ever be freed."""
    facts: WeakKeyDictionary[TabularMDP, _Fact] = WeakKeyDictionary()

    @wraps(make)
    def lookup(mdp: TabularMDP) -> _Fact:
        if mdp not in facts:
            facts[mdp] = make(mdp)
        return facts[mdp]

    return lookup


@_kept
def is_deterministic(mdp: TabularMDP) -> bool:
    """Whether every action of every non-terminal state leads to one state with a probability of exactly 1."""
    certain = (mdp.probabilities > 0).sum(axis=2) == 1
    certain &= (mdp.probabilities == 1).any(axis=2)
    return bool((certain | mdp.terminal[:, None]).all())


@_kept
def next_states(mdp: TabularMDP) -> NDArray[np.intp]:
    """(S, A) where each action of a deterministic MDP leads; terminal states lead to themselves."""
    slots = mdp.probabilities.argmax(axis=2)
    return np.ascontiguousarray(np.take_along_axis(mdp.successors, slots[:, :, None], axis=2)[:, :, 0])


class Transitions(NamedTuple):
    """The transitions as compiled functions read them: as few bytes as will do.

    Attributes:
        successors: (S, A, B) states as 32-bit integers where those suffice; (S, A, 1) if the MDP is deterministic.
        probabilities: (S, A, B), or of shape (0, 0, 0) if the MDP is deterministic: all are 1 then.
    """

    successors: NDArray[np.signedinteger]
    probabilities: NDArray[np.float64]


@_kept
def transitions(mdp: TabularMDP) -> Transitions:
    """The transitions for compiled functions."""
    small = np.int32 if mdp.num_states <= np.iinfo(np.int32).max else np.intp
    if not is_deterministic(mdp):
        return Transitions(mdp.successors.astype(small), np.ascontiguousarray(mdp.probabilities))
    probabilities = np.empty((0, 0, 0))
    probabilities.setflags(write=False)  # as those of the MDP are: for numba that is part of a type
    return Transitions(next_states(mdp)[:, :, None].astype(small), probabilities)


@_kept
def backward_order(mdp: TabularMDP) -> NDArray[np.signedinteger]:
    """(S,) the states of an acyclic MDP by height, terminal ones first: each leads to earlier ones only."""
    return np.argsort(mdp.heights, kind="stable").astype(transitions(mdp).successors.dtype)
