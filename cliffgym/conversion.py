"""Other people's MDPs as padded successor arrays: dense kernels and Gymnasium's toy-text tables.

Shapes: S states, A actions, B successor slots of a state-action pair.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cliffgym.checks import array, number


class Successors(NamedTuple):
    """`successors` (S, A, B) next states and `probabilities` (S, A, B); empty slots have probability 0."""

    successors: NDArray[np.intp]
    probabilities: NDArray[np.float64]


def pack_dense(transition: ArrayLike) -> Successors:
    """Packs a dense kernel into successor slots.

    Args:
        transition: (S, A, S) probabilities of the next state.

    Raises:
        ValueError: The shape is not (S, A, S).
        TypeError: The entries are not numbers.
    """
    dense = array("transition", transition)
    if dense.ndim != 3 or dense.shape[0] != dense.shape[2] or 0 in dense.shape:
        raise ValueError(f"transition must have shape (S, A, S), got {dense.shape}")
    # A NaN or negative entry is kept as a slot, so that validation meets it and names it.
    counts = (dense != 0).sum(axis=2)
    slots = max(int(counts.max()), 1)
    successors = np.argsort(dense == 0, axis=2, kind="stable")[:, :, :slots]
    return Successors(successors, np.take_along_axis(dense, successors, axis=2))


class ToyText(NamedTuple):
    """What a toy-text table says: all that a `TabularMDP` needs but gamma, and the expected `reward` (S, A)."""

    successors: NDArray[np.intp]
    probabilities: NDArray[np.float64]
    initial: NDArray[np.float64]
    terminal: NDArray[np.bool_]
    reward: NDArray[np.float64]


def unpack_toy_text(table: Mapping[int, Mapping[int, list[tuple[Any, ...]]]], initial: NDArray[np.float64]) -> ToyText:
    """Reads a table {state: {action: [(probability, next state, reward, terminated), ...]}}.

    There the end belongs to transitions, here to states. A state that is only ever entered at an end becomes terminal.
    If a state is entered both at an end and in passing (as in Taxi), or is one to start in, every transition that ends
    there leads to one further state instead, the last one. Either way the values of all other states are those of the
    table.

    Args:
        table: The toy-text table `P`.
        initial: (S,) probabilities of the first state.

    Raises:
        ValueError: States or actions are not numbered 0, 1, 2, ..., a transition has no four entries or leads to no
            state, or `initial` has another shape.
        TypeError: The table is not a mapping of mappings.
    """
    if not isinstance(table, Mapping) or not all(isinstance(actions, Mapping) for actions in table.values()):
        raise TypeError(f"P must be a mapping of states to mappings of actions, got {type(table).__name__}")
    num_states = len(table)
    if initial.shape != (num_states,):
        raise ValueError(f"initial_state_distrib must have shape ({num_states},), got {initial.shape}")
    num_actions = len(table[0]) if 0 in table else 0
    for state in range(num_states):
        if state not in table or set(table[state]) != set(range(num_actions)) or num_actions == 0:
            raise ValueError(
                "P must map states 0..S-1 to the same actions 0..A-1, "
                f"got states {list(table)[:5]}... and actions {list(table.get(state, {}))} at state {state}"
            )
    rows: dict[tuple[int, int], list[tuple[float, int, float, bool]]] = {}
    for state, actions in table.items():
        for action, outcomes in actions.items():
            try:
                row = [_transition(outcome, num_states) for outcome in outcomes]
            except (TypeError, ValueError) as error:
                raise ValueError(
                    f"transitions of P must be (probability, next state, reward, terminated): {error}, "
                    f"got {outcomes!r} at state {state}, action {action}"
                ) from error
            rows[state, action] = [transition for transition in row if transition[0] != 0]
    return _split_ends(rows, num_states, num_actions, initial)


def _transition(outcome: Any, num_states: int) -> tuple[float, int, float, bool]:
    """One entry of a toy-text table, checked."""
    probability, to, reward, end = outcome
    if not (0 <= to < num_states and to == int(to)):
        raise ValueError(f"they must lead to states 0..{num_states - 1}, not {to!r}")
    if end not in (True, False):
        raise TypeError(f"terminated must be True or False, not {end!r}")
    return number("probability", probability), int(to), number("reward", reward), bool(end)


def _split_ends(
    rows: Mapping[tuple[int, int], list[tuple[float, int, float, bool]]],
    num_states: int,
    num_actions: int,
    initial: NDArray[np.float64],
) -> ToyText:
    """Arrays of checked transitions, with a further state for ends where one is needed."""
    ended, passed = np.zeros(num_states, dtype=bool), np.zeros(num_states, dtype=bool)
    for (state, _), outcomes in rows.items():
        for _, to, _, end in outcomes:
            if to != state:
                (ended if end else passed)[to] = True
    only_ends = ended & ~passed & (initial == 0)
    extra = any(end and not only_ends[to] for outcomes in rows.values() for _, to, _, end in outcomes)
    terminal = np.append(only_ends, True) if extra else only_ends

    slots = max([1, *(len(outcomes) for outcomes in rows.values())])
    shape = (terminal.size, num_actions, slots)
    successors = np.broadcast_to(np.arange(shape[0])[:, None, None], shape).copy()
    probabilities, reward = np.zeros(shape), np.zeros(shape[:2])
    probabilities[terminal, :, 0] = 1.0
    for (state, action), outcomes in rows.items():
        if terminal[state]:
            continue
        for slot, (p, to, r, end) in enumerate(outcomes):
            successors[state, action, slot] = num_states if end and not terminal[to] else to
            probabilities[state, action, slot] = p
            reward[state, action] += p * r
    return ToyText(successors, probabilities, np.append(initial, 0.0) if extra else initial, terminal, reward)
