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
    num_states = terminal.size
    origin, _, _ = edges = np.nonzero(probabilities > 0)
    target = successors[edges]
    acts = ~terminal[origin]
    origin, target = origin[acts], target[acts]

    # Edges sorted by where they lead, so that the predecessors of a state are one slice.
    by_target = np.argsort(target, kind="stable")
    origin = origin[by_target]
    first = np.searchsorted(target[by_target], np.arange(num_states + 1))
    open_edges = np.bincount(origin, minlength=num_states)

    height = np.where(terminal, 0, -1)
    frontier, level = np.flatnonzero(terminal), 0
    while frontier.size:
        level += 1
        starts, counts = first[frontier], first[frontier + 1] - first[frontier]
        offsets = np.repeat(starts - np.concatenate(([0], np.cumsum(counts)[:-1])), counts)
        predecessors, closed = np.unique(origin[offsets + np.arange(offsets.size)], return_counts=True)
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
    empty = probabilities == 0
    inside = ~terminal
    while True:
        stays = (inside[successors] | empty).all(axis=2).any(axis=1) & inside
        if np.array_equal(stays, inside):
            return np.flatnonzero(inside)
        inside = stays
