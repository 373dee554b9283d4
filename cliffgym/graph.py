"""The graph below a finite MDP: which state can follow which, and how soon everything ends.

Shapes: S states, A actions, B successor slots of a state-action pair (a slot of probability 0 is empty).
"""

import numpy as np
from numpy.typing import NDArray


def heights(
    successors: NDArray[np.intp], probabilities: NDArray[np.float64], terminal: NDArray[np.bool_]
) -> NDArray[np.intp]:
    """Longest number of steps from each state to the end of its trace.

    Args:
        successors: (S, A, B) next states.
        probabilities: (S, A, B) their probabilities.
        terminal: (S,) True where the trace has ended.

    Returns:
        (S,) steps: 0 at terminal states, and -1 at states from which a cycle can be reached.
    """
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
