"""The graph below a finite MDP: which state can follow which, and how soon everything ends.

Shapes: S states, A actions, B successor slots of a state-action pair (a slot of probability 0 is empty).
"""

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cliffgym.kernels import COMPILED_WORK, choose_kernel, compiled


def heights(
    successors: NDArray[np.intp],
    probabilities: NDArray[np.float64],
    terminal: NDArray[np.bool_],
    *,
    kernel: str = "auto",
) -> NDArray[np.intp]:
    """Longest number of steps from each state to the end of its trace.

    Args:
        successors: (S, A, B) next states.
        probabilities: (S, A, B) their probabilities.
        terminal: (S,) True where the trace has ended.
        kernel: "numpy", "numba", or "auto": numba if it is installed and the graph is large.

    Returns:
        (S,) steps: 0 at terminal states, and -1 at states from which a cycle can be reached.
    """
    kernel = choose_kernel(kernel, worthwhile=successors.size >= COMPILED_WORK)
    if not terminal.any():
        return np.full(terminal.size, -1)
    if kernel == "numba":
        height = np.where(terminal, 0, -1)
        # Numbers of edges fit 32 bits too, or there would be no room for the edges.
        small = np.int32 if successors.size <= np.iinfo(np.int32).max else np.intp
        origins, order = np.empty(successors.size, small), np.empty(terminal.size, small)
        _compiled(_raise_heights)(successors, probabilities, terminal, origins, order, height)
        return height
    num_actions = successors.shape[1]
    incoming, first = _incoming(successors, probabilities, terminal)
    origin = incoming // num_actions
    open_edges = np.bincount(origin, minlength=terminal.size)
    height = np.where(terminal, 0, -1)
    frontier, level = np.flatnonzero(terminal), 0
    while frontier.size:
        level += 1
        predecessors, closed = np.unique(origin[_slices(first, frontier)], return_counts=True)
        open_edges[predecessors] -= closed
        frontier = predecessors[open_edges[predecessors] == 0]
        height[frontier] = level
    return height


def _raise_heights(successors, probabilities, terminal, origins, order, height):  # type: ignore[no-untyped-def]
    """Sets `height` (S,), 0 at terminal states and -1 elsewhere, of every state that reaches no cycle.

    Each state is met after all that it leads to: its height is that of the last of them and one more. `origins`
    (S · A · B,) and `order` (S,) are room to work in: where edges come from, sorted by where they lead, and the states
    in the order in which they are met.

    Source: Kahn (1962), Topological sorting of large networks, Communications of the ACM 5(11).
    """
    S, A, B = successors.shape
    first, open_edges = np.zeros(S + 1, np.intp), np.zeros(S, np.intp)
    for state in range(S):
        if not terminal[state]:
            for action in range(A):
                for slot in range(B):
                    if probabilities[state, action, slot] > 0:
                        first[successors[state, action, slot]] += 1
                        open_edges[state] += 1
    for state in range(S):
        first[state + 1] += first[state]
    # Each target's edges are filled in from the last to the first, after which `first` is where they begin.
    for state in range(S):
        if not terminal[state]:
            for action in range(A):
                for slot in range(B):
                    if probabilities[state, action, slot] > 0:
                        target = successors[state, action, slot]
                        first[target] -= 1
                        origins[first[target]] = state
    met = 0
    for state in range(S):
        if terminal[state]:
            order[met] = state
            met += 1
    place = 0
    while place < met:
        target = order[place]
        place += 1
        for edge in range(first[target], first[target + 1]):
            state = origins[edge]
            open_edges[state] -= 1
            if open_edges[state] == 0:
                height[state] = height[target] + 1
                order[met] = state
                met += 1


@cache
def _compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function as numba compiles it."""
    return compiled(function)


def endless_states(
    successors: NDArray[np.intp], probabilities: NDArray[np.float64], terminal: NDArray[np.bool_]
) -> NDArray[np.intp]:
    """States in which some policy can stay away from every terminal state for ever.

    It is the largest set of non-terminal states in each of which some action surely stays within the set. If it is
    empty, every policy ends with probability 1 from every state.

    Args:
        successors: (S, A, B) next states.
        probabilities: (S, A, B) their probabilities.
        terminal: (S,) True where the trace has ended.

    Returns:
        The indices of those states, in increasing order.
    """
    num_actions = successors.shape[1]
    incoming, first = _incoming(successors, probabilities, terminal)
    inside = ~terminal
    stays = np.repeat(inside, num_actions)  # (S·A,) whether the action surely stays among the states left
    frontier = np.flatnonzero(terminal)
    while frontier.size:
        leaving = incoming[_slices(first, frontier)]
        leaving = np.unique(leaving[stays[leaving]])
        stays[leaving] = False
        states = np.unique(leaving // num_actions)
        frontier = states[inside[states] & ~stays.reshape(-1, num_actions)[states].any(axis=1)]
        inside[frontier] = False
    return np.flatnonzero(inside)


def reachable(
    successors: NDArray[np.intp],
    probabilities: NDArray[np.float64],
    initial: NDArray[np.float64],
    actions: NDArray[np.bool_],
) -> NDArray[np.bool_]:
    """States that can be reached from the start.

    Args:
        successors: (S, A, B) next states.
        probabilities: (S, A, B) their probabilities.
        initial: (S,) probabilities of the first state.
        actions: (S, A) True where the action may be taken.

    Returns:
        (S,) True where the state can be reached.
    """
    seen = initial > 0
    frontier = np.flatnonzero(seen)
    while frontier.size:
        taken = actions[frontier][:, :, None] & (probabilities[frontier] > 0)
        nexts = np.unique(successors[frontier][taken])
        frontier = nexts[~seen[nexts]]
        seen[frontier] = True
    return seen


def _incoming(
    successors: NDArray[np.intp], probabilities: NDArray[np.float64], terminal: NDArray[np.bool_]
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """The edges out of non-terminal states, sorted by where they lead.

    Returns:
        The pair s · A + a that each edge belongs to, and (S + 1,) where each target's slice of them begins.
    """
    states, actions, _ = edges = np.nonzero(probabilities > 0)
    target = successors[edges]
    acts = ~terminal[states]
    pairs, target = (states * successors.shape[1] + actions)[acts], target[acts]
    by_target = np.argsort(target, kind="stable")
    return pairs[by_target], np.searchsorted(target[by_target], np.arange(terminal.size + 1))


def _slices(first: NDArray[np.intp], targets: NDArray[np.intp]) -> NDArray[np.intp]:
    """The places of all edges that lead to one of `targets`."""
    starts, counts = first[targets], first[targets + 1] - first[targets]
    offsets = np.repeat(starts - np.concatenate(([0], np.cumsum(counts)[:-1])), counts)
    return offsets + np.arange(offsets.size)
