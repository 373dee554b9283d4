"""N copies of one environment, stepped together by NumPy.

What a batch does is said here once; `compiled_batch` does the same with numba, bit for bit. Neither knows Gymnasium.

Shapes: N copies, S states, A actions, B successor slots, M credits, T steps.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cliffgym.envs.step_tables import StepTables
from cliffgym.envs.streams import STREAMS, stream_keys, uniforms

START, MOVE, POLICY, CLASS = range(len(STREAMS))
_NUMBERS_AHEAD = 16_384
"""Numbers drawn at once: an array of them is small enough for memory that is at hand already (128 KiB)."""
_DEPTHS = 8, 256
NOBODY = np.empty(0, dtype=np.intp)


class Stepped(NamedTuple):
    """What one step of all copies brought about.

    Attributes:
        following: (N,) the states that were stepped into.
        observed: (N,) the states that the copies are in now: another one where a trace ended and the next has begun.
        rewards: (N,) what was paid.
        ended: (N,) True where a trace ended in this step.
        places: (n,) the copies whose trace did.
        credits: (M, N) true reward, incomplete reward and components; no rows if they are not asked for.
        masks: (N, A) int8, 1 where the action is legal in the state `observed`.

    >>> from cliffgym.envs import CliffVectorEnv
    >>> envs = CliffVectorEnv("Cliff-SpuriousReasoning-v0", num_envs=3, reward="process", steps=1, kernel="numpy")
    >>> _ = envs.reset(seed=0)
    >>> stepped = envs.step_states([0, 1, 2])  # one derives, one bluffs, one blunders
    >>> stepped.rewards.tolist(), stepped.ended.tolist()
    ([2.0, 1.8, 0.0], [True, True, True])
    >>> stepped.credits[:2].tolist()  # true and incomplete reward
    [[2.0, 1.0, 0.0], [1.0, 1.0, 0.0]]
    """

    following: NDArray[np.int64]
    observed: NDArray[np.int64]
    rewards: NDArray[np.float64]
    ended: NDArray[np.bool_]
    places: NDArray[np.intp]
    credits: NDArray[np.float64]
    masks: NDArray[np.int8]


class Traces(NamedTuple):
    """T steps of all copies under a policy.

    Attributes:
        states: (T, N) where the actions were taken.
        actions: (T, N) what was emitted there.
        rewards: (T, N) what was paid for it.
        ended: (T, N) True where that ended the trace.
        credits: (M, T, N) as in `Stepped`.
    """

    states: NDArray[np.int64]
    actions: NDArray[np.int64]
    rewards: NDArray[np.float64]
    ended: NDArray[np.bool_]
    credits: NDArray[np.float64]


class Batch:
    """N copies of an environment.

    Args:
        tables: What they look up.
        size: N.
        credited: Whether steps gather credits.

    Attributes:
        states: (N,) where the copies are.
        done: (N,) True where a trace has ended and none has been started since.
        reward: (S · A,) what a step pays.
    """

    def __init__(self, tables: StepTables, size: int, credited: bool) -> None:
        self.tables, self.size = tables, size
        self.states = np.zeros(size, dtype=np.int64)
        self.done = np.ones(size, dtype=bool)
        self._waiting = np.arange(size)  # the copies that are done
        self.reward = np.zeros(tables.credits.shape[1])
        self._credits = tables.credits if credited else tables.credits[:0]
        self._keys = np.zeros((len(STREAMS), size), dtype=np.uint64)
        self._drawn = np.zeros((len(STREAMS), size), dtype=np.int64)
        self._ahead = _StartsAhead(self)

    @property
    def num_waiting(self) -> int:
        """How many copies are done."""
        return self._waiting.size

    def seed(self, which: NDArray[np.intp], seeds: Sequence[int]) -> None:
        """Begins the streams of some copies anew, one seed for each."""
        self._ahead.forget()
        self._keys[:, which] = stream_keys(seeds)
        self._drawn[:, which] = 0

    def place(self, which: NDArray[np.intp], states: NDArray[np.int64]) -> None:
        """Starts new traces of some copies in given states."""
        self.states[which] = states
        self.done[which] = False
        self._waiting = NOBODY if which is self._waiting else self.done.nonzero()[0]

    def place_at_prompts(self, which: NDArray[np.intp], prompts: NDArray[np.intp]) -> None:
        """Starts new traces of some copies, no copy twice, with given prompts, whose classes are drawn."""
        states = np.empty(which.size, dtype=np.int64)
        for prompt in np.unique(prompts):
            places = np.flatnonzero(prompts == prompt)
            copies = which[places]
            numbers = uniforms(self._keys[CLASS, copies], self._drawn[CLASS, copies])
            states[places] = self.tables.prompt_starts[prompt].at(numbers)
            self._drawn[CLASS, copies] += 1
        self.place(which, states)

    def restart(self, which: NDArray[np.intp]) -> None:
        """Starts new traces of some copies, no copy twice, in states drawn from the initial distribution."""
        self.place(which, self._ahead.take(which))

    def step(self, actions: NDArray[np.int64], restart: bool) -> Stepped:
        """Steps all copies.

        Args:
            actions: (N,) in [0, A).
            restart: Whether a new trace begins at once where one ends. If not, it does so in the next step, in which
                such a copy ignores its action and is paid nothing.
        """
        tables = self.tables
        pairs = self.states * tables.num_actions
        pairs += actions
        following = self._followers(pairs)
        if self._waiting.size:
            waiting = self._waiting
            self.restart(waiting)
            following[waiting] = self.states.take(waiting)
        # Terminal states pay nothing, so what was looked up for copies that only began anew is 0.
        rewards, credits = self.reward.take(pairs), self._credits.take(pairs, axis=1)
        ended = tables.terminal.take(following)
        places = ended.nonzero()[0]
        self.states, self.done, self._waiting = following.copy(), ended.copy(), places.copy()
        if restart and places.size:
            self.restart(self._waiting)
        observed = self.states.copy() if restart else following
        return Stepped(following, observed, rewards, ended, places, credits, tables.masks.take(observed, axis=0))

    def rollout(self, policy: NDArray[np.float64], steps: int) -> Traces:
        """Lets all copies follow a policy; where a trace ends, the next one begins.

        Args:
            policy: (S, A) cumulative probabilities, as `cumulative` makes them.
            steps: T, the number of actions each copy takes.
        """
        shape = (steps, self.size)
        traces = Traces(
            states=np.empty(shape, dtype=np.int64),
            actions=np.empty(shape, dtype=np.int64),
            rewards=np.empty(shape),
            ended=np.empty(shape, dtype=bool),
            credits=np.empty((len(self._credits), *shape)),
        )
        self.restart(self._waiting)
        for step in range(steps):
            numbers = uniforms(self._keys[POLICY], self._drawn[POLICY])
            self._drawn[POLICY] += 1
            actions = (policy.take(self.states, axis=0) <= numbers[:, None]).sum(axis=1)
            traces.states[step], traces.actions[step] = self.states, actions
            stepped = self.step(actions, restart=True)
            traces.rewards[step], traces.ended[step] = stepped.rewards, stepped.ended
            traces.credits[:, step] = stepped.credits
        return traces

    def _followers(self, pairs: NDArray[np.int64]) -> NDArray[np.int64]:
        """(N,) the next states of pairs (N,)."""
        tables = self.tables
        if not tables.is_random:
            return tables.successors.take(pairs)
        numbers = uniforms(self._keys[MOVE], self._drawn[MOVE])
        self._drawn[MOVE] += ~self.done  # the others only begin anew
        cumulative = tables.cumulative.take(pairs, axis=0)
        slots = (cumulative <= numbers[:, None]).sum(axis=1)
        return tables.successors.take(pairs * cumulative.shape[1] + slots)


class _StartsAhead:
    """The first states of the copies' next traces, drawn many at once because NumPy is slow on a few.

    Args:
        batch: Whose traces they are.
    """

    def __init__(self, batch: Batch) -> None:
        self._batch = batch
        self._depth = min(_NUMBERS_AHEAD // batch.size, _DEPTHS[1])
        self._buffered = self._depth >= _DEPTHS[0]
        self._rows = np.arange(batch.size) * self._depth
        self._buffer = np.empty(0, dtype=np.int64)
        self._at = self._rows.copy()  # each copy's place in the buffer, (N, depth) made flat
        self._sure = 0  # calls that no copy can come to the end of its row in
        self._filled = False

    def take(self, which: NDArray[np.intp]) -> NDArray[np.int64]:
        """The next first states of some copies."""
        batch = self._batch
        if batch.tables.starts.states.size == 1:  # nothing is left to chance
            return batch.tables.starts.states.repeat(which.size)
        if not self._buffered:
            counters = batch._drawn[START].take(which)
            batch._drawn[START][which] = counters + 1
            return batch.tables.starts.at(uniforms(batch._keys[START].take(which), counters))
        if self._sure == 0:
            self._refill()
        self._sure -= 1
        at = self._at.take(which)
        self._at[which] = at + 1
        return self._buffer.take(at)

    def forget(self) -> None:
        """Drops what was drawn and not used."""
        if self._filled:
            self._batch._drawn[START] += self._at - self._rows
        self._at[:] = self._rows
        self._filled, self._sure = False, 0

    def _refill(self) -> None:
        """Draws anew, unless the fullest row can still serve some calls."""
        if self._filled:
            self._sure = self._depth - int((self._at - self._rows).max())
        if self._sure == 0:
            self.forget()
            batch = self._batch
            counters = batch._drawn[START][:, None] + np.arange(self._depth)
            self._buffer = batch.tables.starts.at(uniforms(batch._keys[START][:, None], counters)).ravel()
            self._filled, self._sure = True, self._depth
