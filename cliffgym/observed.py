"""What an agent sees of a world in which some states look alike to it.

Prompts of several hidden classes may read the same. If the class does not change what the agent observes next, all that
the agent can ever know of it is a posterior that depends on the observation alone. The world as it looks is then an MDP
of its own, over observations, whose rewards are posterior-weighted; an optimum of it is optimal for an agent that
cannot see the class.

Shapes: W states of the world, S observations (the states of the MDP that the agent sees), A actions, B successor slots,
K components.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cliffgym.checks import array
from cliffgym.frozen import ReadOnlyArrays
from cliffgym.mdp import TabularMDP
from cliffgym.rewards import RewardComponents, check_reward

_TOLERANCE = 1e-9
"""Largest difference of probabilities that counts as rounding."""


@dataclass(frozen=True, eq=False)
class ObservedMDP(ReadOnlyArrays):
    """A world, and the MDP that an agent sees of it. Made by `observe`.

    Attributes:
        world: The dynamics of all W states.
        observations: (W,) the observation that each state gives.
        beliefs: (W,) the probability of each state, given its observation; whatever the agent has done, it is the same.
            All 0 for an observation that no trace comes to, and where the trace has ended.
        mdp: The dynamics of the S observations.

    >>> import cliffgym
    >>> hidden = cliffgym.scenario("Cliff-LengthPenalty-v0", hidden_difficulty=True).hidden
    >>> seen = hidden.seen
    >>> seen.world.num_states, seen.mdp.num_states  # four difficulties that read the same
    (76, 19)
    >>> answer = seen.mdp.action_names.index("answer")
    >>> seen.reward(hidden.components["correct"])[~seen.mdp.terminal, answer].tolist()  # after 0 to 8 thoughts
    [0.0, 0.25, 0.5, 0.75, 1.0, 1.0, 1.0, 1.0, 1.0]
    >>> seen.lift(cliffgym.uniform_policy(seen.mdp)).shape
    (76, 2)
    """

    world: TabularMDP
    observations: NDArray[np.intp]
    beliefs: NDArray[np.float64]
    mdp: TabularMDP

    def reward(self, table: ArrayLike) -> NDArray[np.float64]:
        """The expected reward (S, A) of a table (W, A): what the world pays, weighted by belief.

        Where no trace ever comes there is nothing to expect, and the reward is 0.

        Raises:
            ValueError, TypeError: As `check_reward`.
        """
        return self._expected(check_reward(self.world, table))

    def components(self, parts: RewardComponents) -> RewardComponents:
        """Components (K, W, A) of the world as the agent may expect them, (K, S, A).

        Raises:
            ValueError: The components have another shape.
        """
        shape = (self.world.num_states, self.world.num_actions)
        if parts.table.shape[1:] != shape:
            raise ValueError(f"components must have shape (K, W, A) with (W, A) = {shape}, got {parts.table.shape}")
        return RewardComponents(parts.names, [self._expected(table) for table in parts.table])  # type: ignore[arg-type]

    def lift(self, table: ArrayLike) -> NDArray[Any]:
        """A table by observation, (S, ...), as one by state of the world, (W, ...): a policy, say, as it acts there.

        Raises:
            ValueError: The table has not S rows.
        """
        rows = np.asarray(table)
        if rows.ndim < 1 or len(rows) != self.mdp.num_states:
            raise ValueError(f"table must have a row for each of {self.mdp.num_states} observations, got {rows.shape}")
        return rows[self.observations]

    def _expected(self, table: NDArray[np.float64]) -> NDArray[np.float64]:
        expected = np.zeros((self.mdp.num_states, self.mdp.num_actions))
        np.add.at(expected, self.observations, self.beliefs[:, None] * table)
        return expected

    def __reduce__(self) -> tuple[Any, ...]:
        # Through the constructor, because unpickled and deep-copied arrays would be writable.
        return type(self), (self.world, self.observations, self.beliefs, self.mdp)


def observe(
    world: TabularMDP, observations: ArrayLike, *, observation_names: Sequence[str] | None = None
) -> ObservedMDP:
    """Builds the MDP that an agent sees.

    The class condition has to hold for illegal actions and for states that no trace comes to as well.

    Args:
        world: The dynamics of all W states.
        observations: (W,) integers 0..S-1, each of which occurs: the observation that each state gives.
        observation_names: S names for messages and tables, or None.

    Raises:
        ValueError: The class condition is broken: states of one observation differ in whether they are terminal, in
            which actions are legal, or in which observations follow with which probability; or the belief in the states
            behind an observation depends on how the agent came there. Or the observations are no such numbers.
        TypeError: The observations are not integers, or the world is no MDP.

    Source: theory of the effective reward, arXiv:2507.20150, section 4; beliefs as in Kaelbling, Littman and Cassandra
    (1998), Planning and acting in partially observable stochastic domains.

    >>> steps = [[[0, 0, 1], [0, 0, 1]], [[0, 0, 1], [0, 0, 1]], [[0, 0, 1], [0, 0, 1]]]
    >>> world = TabularMDP.from_dense(steps, [0.75, 0.25, 0], [False, False, True], gamma=1.0)
    >>> seen = observe(world, [0, 0, 1])  # two classes that look alike, and the end
    >>> seen.reward([[1, 0], [0, 1], [0, 0]])
    array([[0.75, 0.25],
           [0.  , 0.  ]])
    >>> observe(world, [0, 1, 1])  # the end would look like the second class
    Traceback (most recent call last):
        ...
    ValueError: observations must not hide whether states are terminal and which actions are legal, got one observation
    for state 1 and state 2, which differ in terminal
    """
    if not isinstance(world, TabularMDP):
        raise TypeError(f"world must be a TabularMDP, got {type(world).__name__}")
    seen = _check_numbers(world, observations)
    first = np.unique(seen, return_index=True)[1]  # (S,) one state of each observation stands for all
    moves = _moves(world, seen)
    _check_condition(world, seen, first, moves)
    successors, probabilities = _kernel(moves, first, world.num_actions)
    mdp = TabularMDP(
        successors=successors,
        probabilities=probabilities,
        initial=np.bincount(seen, weights=world.initial).astype(np.float64),
        terminal=world.terminal[first],
        gamma=world.gamma,
        action_mask=world.action_mask[first],
        state_names=observation_names,  # type: ignore[arg-type]  # made a tuple and checked there
        action_names=world.action_names,
    )
    return ObservedMDP(world, seen, _beliefs(world, seen, mdp), mdp)


class _Moves(NamedTuple):
    """Which observations follow a state and an action: one row for each that may, sorted.

    Attributes:
        states: (n,) states of the world.
        actions: (n,) actions.
        following: (n,) the observation that follows.
        chances: (n,) its probability, > 0.
    """

    states: NDArray[np.intp]
    actions: NDArray[np.intp]
    following: NDArray[np.intp]
    chances: NDArray[np.float64]


def _check_numbers(world: TabularMDP, observations: ArrayLike) -> NDArray[np.intp]:
    seen = array("observations", observations, None)
    if not np.issubdtype(seen.dtype, np.integer):
        raise TypeError(f"observations must be integers, got dtype {seen.dtype}")
    if seen.shape != (world.num_states,):
        raise ValueError(f"observations must have shape (W,) = ({world.num_states},), got {seen.shape}")
    numbers = np.unique(seen)
    if not np.array_equal(numbers, np.arange(numbers.size)):
        raise ValueError(
            f"observations must be 0..S-1, each at least once, got {numbers.size} different ones from {numbers[0]} to "
            f"{numbers[-1]}"
        )
    return seen.astype(np.intp)


def _moves(world: TabularMDP, seen: NDArray[np.intp]) -> _Moves:
    """Adds up the probabilities of successors that look alike."""
    _, A, B = world.probabilities.shape
    S = int(seen.max()) + 1
    pairs = np.repeat(np.arange(world.num_states * A), B)
    chances = world.probabilities.ravel()
    possible = chances > 0
    keys = pairs[possible] * S + seen[world.successors.ravel()[possible]]
    found, places = np.unique(keys, return_inverse=True)
    pair, following = np.divmod(found, S)
    states, actions = np.divmod(pair, A)
    sums = np.bincount(places, weights=chances[possible]).astype(np.float64)
    return _Moves(states, actions, following, sums)


def _check_condition(world: TabularMDP, seen: NDArray[np.intp], first: NDArray[np.intp], moves: _Moves) -> None:
    """Compares every state with the first one that looks like it."""
    like = first[seen]
    for what, of in (("terminal", world.terminal[:, None]), ("legal actions", world.action_mask)):
        different = np.flatnonzero((of != of[like]).any(axis=1))
        if different.size:
            state = int(different[0])
            raise ValueError(
                f"observations must not hide whether states are terminal and which actions are legal, got one "
                f"observation for {world.describe_state(like[state])} and {world.describe_state(state)}, which differ "
                f"in {what}"
            )
    A, S = world.num_actions, first.size
    keys = (moves.states * A + moves.actions) * S + moves.following
    others = (like[moves.states] * A + moves.actions) * S + moves.following
    places = np.minimum(np.searchsorted(keys, others), keys.size - 1)
    expected = np.where(keys[places] == others, moves.chances[places], 0.0)
    # Chances of an action sum to 1: where one state has too little of something, it has too much of something else.
    wrong = moves.chances - expected > _TOLERANCE
    if wrong.any():
        state = int(moves.states[wrong.argmax()])
        raise ValueError(_leak(world, seen, int(like[state]), state))


def _leak(world: TabularMDP, seen: NDArray[np.intp], one: int, other: int) -> str:
    """Says where two states that look alike part most."""
    rows = np.zeros((2, world.num_actions, int(seen.max()) + 1))
    for row, state in zip(rows, (one, other), strict=True):
        np.add.at(
            row, (np.arange(world.num_actions)[:, None], seen[world.successors[state]]), world.probabilities[state]
        )
    action, to = np.unravel_index(np.abs(rows[0] - rows[1]).argmax(), rows[0].shape)
    return (
        "observations must hide classes that do not change which observations follow, got one observation for "
        f"{world.describe_state(one)} and {world.describe_state(other)}, after which {world.describe_action(action)} "
        f"leads to observation {to} with probability {rows[0, action, to]} and {rows[1, action, to]}"
    )


def _kernel(moves: _Moves, first: NDArray[np.intp], A: int) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """Successors and probabilities (S, A, B) among observations; slots that are left over have probability 0."""
    S = first.size
    number = np.full(int(moves.states[-1]) + 1, -1)
    number[first] = np.arange(S)
    rows = np.flatnonzero(number[moves.states] >= 0)
    pairs = number[moves.states[rows]] * A + moves.actions[rows]
    order = np.argsort(pairs, kind="stable")
    rows, pairs = rows[order], pairs[order]
    slots = np.arange(pairs.size) - np.searchsorted(pairs, pairs)
    B = int(slots.max()) + 1
    successors = np.zeros((S * A, B), dtype=np.intp)
    probabilities = np.zeros((S * A, B))
    successors[pairs, slots] = moves.following[rows]
    probabilities[pairs, slots] = moves.chances[rows]
    return successors.reshape(S, A, B), probabilities.reshape(S, A, B)


def _beliefs(world: TabularMDP, seen: NDArray[np.intp], mdp: TabularMDP) -> NDArray[np.float64]:
    """(W,) the belief in each state given its observation, if it is the same however the agent came there."""
    totals = mdp.initial[seen]
    beliefs = np.divide(world.initial, totals, out=np.zeros(world.num_states), where=totals > 0)
    behind = _Behind(seen)
    known = mdp.initial > 0
    fresh = np.flatnonzero(known)
    while fresh.size:
        flow = _Flow(world, seen, beliefs, behind.states(fresh))
        # Of several ways to a new observation the first one says what to believe; the check below compares the others.
        first = np.zeros(flow.following.size, dtype=bool)
        first[np.unique(flow.following, return_index=True)[1]] = True
        chosen = first & ~known[flow.following]
        taken = chosen[flow.way_of_entry]
        beliefs[flow.states[taken]] = flow.beliefs[taken]
        fresh = flow.following[chosen]
        known[fresh] = True
    beliefs[world.terminal] = 0  # what may have happened there is no use to anyone
    flow = _Flow(world, seen, beliefs, np.flatnonzero(known[seen]))
    wrong = (np.abs(flow.beliefs - beliefs[flow.states]) > _TOLERANCE) & ~world.terminal[flow.states]
    if wrong.any():
        place = int(wrong.argmax())
        state = int(flow.states[place])
        raise ValueError(
            "observations must leave the agent with one belief about what they hide, however it came to them, got "
            f"probability {beliefs[state]:g} or {flow.beliefs[place]:g} of {world.describe_state(state)} given "
            f"observation {seen[state]}"
        )
    return beliefs


class _Behind:
    """The states behind each observation.

    Args:
        seen: (W,) observations.
    """

    def __init__(self, seen: NDArray[np.intp]) -> None:
        self._order = np.argsort(seen, kind="stable")
        self._bounds = np.searchsorted(seen[self._order], np.arange(int(seen.max()) + 2))

    def states(self, observations: NDArray[np.intp]) -> NDArray[np.intp]:
        """(n,) the states behind any of some observations."""
        low, counts = self._bounds[observations], self._bounds[observations + 1] - self._bounds[observations]
        skipped = np.repeat(counts.cumsum() - counts, counts)
        return self._order[np.repeat(low, counts) + np.arange(skipped.size) - skipped]


class _Flow:
    """Where belief goes in one step from some states, for every action, and what is believed afterwards.

    A way is an observation, an action and the observation that follows. An entry is a way and a state that it may lead
    to.

    Args:
        world: The dynamics.
        seen: (W,) observations.
        beliefs: (W,) beliefs.
        sources: (n,) the states to go from: all those behind some observations.

    Attributes:
        following: (ways,) the observation at a way's end.
        way_of_entry: (entries,) the way of each entry.
        states: (entries,) its state.
        beliefs: (entries,) the belief in that state at the end of the way.
    """

    def __init__(
        self, world: TabularMDP, seen: NDArray[np.intp], beliefs: NDArray[np.float64], sources: NDArray[np.intp]
    ) -> None:
        W, A, B = world.probabilities.shape
        states = sources[(beliefs[sources] > 0) & ~world.terminal[sources]]
        mass = (beliefs[states, None, None] * world.probabilities[states]).ravel()
        following = world.successors[states].ravel()
        pairs = (seen[states, None, None] * A + np.arange(A)[:, None] + np.zeros(B, dtype=np.intp)).ravel()
        possible = mass > 0
        entries, places = np.unique(pairs[possible] * W + following[possible], return_inverse=True)
        weights = np.bincount(places, weights=mass[possible])
        pairs, self.states = np.divmod(entries, W)
        size = world.num_states  # more than there are observations
        ways, self.way_of_entry = np.unique(pairs * size + seen[self.states], return_inverse=True)
        self.following = ways % size
        self.beliefs = weights / np.bincount(self.way_of_entry, weights=weights)[self.way_of_entry]
