"""N copies of one environment, stepped together by functions that numba compiles.

The results are those of `batch.Batch`, bit for bit: the same tables, the same streams, the same order of operations.
Importing this module imports numba.

Shapes: N copies, S states, A actions, B successor slots, M credits, T steps.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from cliffgym.envs.batch import MOVE, NOBODY, POLICY, START, Batch, Stepped, Traces
from cliffgym.envs.step_tables import StepTables
from cliffgym.envs.streams import FIRST_FACTOR, GOLDEN, SECOND_FACTOR
from cliffgym.kernels import compiled

_GOLDEN, _FIRST, _SECOND = np.uint64(GOLDEN), np.uint64(FIRST_FACTOR), np.uint64(SECOND_FACTOR)
_WHOLE = 10
_S11, _S27, _S30, _S31, _ONE = np.uint64(11), np.uint64(27), np.uint64(30), np.uint64(31), np.uint64(1)


@compiled
def _uniform(key, counter):
    """The number that `streams.uniforms` gives."""
    bits = key + (np.uint64(counter) + _ONE) * _GOLDEN
    bits = (bits ^ (bits >> _S30)) * _FIRST
    bits = (bits ^ (bits >> _S27)) * _SECOND
    bits = bits ^ (bits >> _S31)
    return np.float64(bits >> _S11) * 2.0**-53


@compiled
def _slot(cumulative, row, number):
    """How many cumulative probabilities of a row are at most the number."""
    slot = 0
    for entry in range(cumulative.shape[1]):
        slot += cumulative[row, entry] <= number
    return slot


@compiled
def _restart(which, count, states, done, start_states, start_cumulative, guide, keys, drawn, numbers):
    """Starts new traces of the first `count` copies that `which` names; `numbers` is room for one a copy."""
    if start_states.size == 1:  # nothing is left to chance
        for place in range(count):
            states[which[place]] = start_states[0]
            done[which[place]] = False
        return
    if count * _WHOLE > states.size:  # in order, the machine draws several at a time: faster than those needed alone
        for copy in range(states.size):
            numbers[copy] = _uniform(keys[START, copy], drawn[START, copy])
    else:
        for place in range(count):
            copy = which[place]
            numbers[copy] = _uniform(keys[START, copy], drawn[START, copy])
    for place in range(count):
        copy = which[place]
        drawn[START, copy] += 1
        start = guide[np.int64(numbers[copy] * guide.size)]  # never too high, and seldom too low
        while start_cumulative[start] <= numbers[copy]:
            start += 1
        states[copy] = start_states[start]
        done[copy] = False


@compiled
def _advance(
    states, done, actions, num_actions, successors, cumulative, terminal, reward, credits, keys, drawn, numbers,
    pairs, which, following, rewards, ended, credited,
):  # fmt: skip
    """Steps all copies but for what begins anew; the last line of arguments is what it fills.

    Returns how many traces ended; the first that many entries of `which` say which.
    """
    # Short loops without branches, which the machine runs several copies at a time, beat a single long one.
    for copy in range(states.size):
        pairs[copy] = states[copy] * num_actions + actions[copy]
    if cumulative.shape[0] == 0:
        for copy in range(states.size):
            following[copy] = successors[pairs[copy]]
    else:
        slots = cumulative.shape[1]
        for copy in range(states.size):
            numbers[copy] = _uniform(keys[MOVE, copy], drawn[MOVE, copy])
        for copy in range(states.size):
            drawn[MOVE, copy] += not done[copy]  # the others only begin anew
            following[copy] = successors[pairs[copy] * slots + _slot(cumulative, pairs[copy], numbers[copy])]
    for copy in range(states.size):
        rewards[copy] = reward[pairs[copy]]
    for k in range(credits.shape[0]):
        for copy in range(states.size):
            credited[k, copy] = credits[k, pairs[copy]]
    count = 0
    for copy in range(states.size):
        over = terminal[following[copy]] & (not done[copy])
        ended[copy] = over
        which[count] = copy  # stays only if it counts
        count += over
    states[:] = following
    done[:] = ended
    return count


@compiled
def _step(
    states, done, waiting, actions, restart,
    num_actions, successors, cumulative, terminal, reward, credits,
    start_states, start_cumulative, guide, keys, drawn, numbers,
    pairs, which, following, observed, rewards, ended, credited,
):  # fmt: skip
    """Steps all copies, of which those `waiting` begin anew; the last line of arguments is what it fills."""
    # Terminal states lead to themselves and pay nothing, so copies that begin anew may be stepped with the others.
    count = _advance(
        states, done, actions, num_actions, successors, cumulative, terminal, reward, credits, keys, drawn, numbers,
        pairs, which, following, rewards, ended, credited,
    )  # fmt: skip
    _restart(waiting, waiting.size, states, done, start_states, start_cumulative, guide, keys, drawn, numbers)
    for copy in waiting:
        following[copy] = states[copy]
    if restart:
        _restart(which, count, states, done, start_states, start_cumulative, guide, keys, drawn, numbers)
        observed[:] = states
    return count


@compiled
def _rollout(
    states, done, policy,
    num_actions, successors, cumulative, terminal, reward, credits,
    start_states, start_cumulative, guide, keys, drawn, numbers,
    pairs, which, following, visited, actions, rewards, ended, credited,
):  # fmt: skip
    """Lets all copies follow cumulative probabilities; the last line of arguments is what it fills."""
    for step in range(visited.shape[0]):
        for copy in range(states.size):
            numbers[copy] = _uniform(keys[POLICY, copy], drawn[POLICY, copy])
        for copy in range(states.size):
            drawn[POLICY, copy] += 1
            visited[step, copy] = states[copy]
        for copy in range(states.size):
            actions[step, copy] = _slot(policy, states[copy], numbers[copy])
        count = _advance(
            states, done, actions[step], num_actions, successors, cumulative, terminal, reward, credits,
            keys, drawn, numbers, pairs, which, following, rewards[step], ended[step], credited[:, step],
        )  # fmt: skip
        _restart(which, count, states, done, start_states, start_cumulative, guide, keys, drawn, numbers)


class CompiledBatch(Batch):
    """As `Batch`, by compiled loops."""

    def __init__(self, tables: StepTables, size: int, credited: bool) -> None:
        super().__init__(tables, size, credited)
        starts = tables.starts
        self._starts = starts.states, starts.cumulative, starts.guide, self._keys, self._drawn, np.empty(size)
        # One more place than copies, for the candidate that did not count.
        self._scratch = np.empty(size, np.int64), np.empty(size + 1, np.int64)

    def restart(self, which: NDArray[np.intp]) -> None:
        """As `Batch.restart`."""
        _restart(which, which.size, self.states, self.done, *self._starts)
        self._waiting = self.done.nonzero()[0]

    def step(self, actions: NDArray[np.int64], restart: bool) -> Stepped:
        """As `Batch.step`."""
        tables, size = self.tables, self.size
        following, observed, rewards, credits = self._room(size)
        observed = observed if restart else following
        ended = np.empty(size, np.bool_)
        count = _step(
            self.states, self.done, self._waiting, actions, restart,
            tables.num_actions, tables.successors, tables.cumulative, tables.terminal, self.reward,
            self._credits, *self._starts, *self._scratch, following, observed, rewards, ended, credits,
        )  # fmt: skip
        places = self._scratch[1][:count].copy()
        self._waiting = NOBODY if restart else places.copy()
        return Stepped(following, observed, rewards, ended, places, credits, tables.masks.take(observed, axis=0))

    def rollout(self, policy: NDArray[np.float64], steps: int) -> Traces:
        """As `Batch.rollout`."""
        tables, shape = self.tables, (steps, self.size)
        states, actions, rewards, credits = self._room(*shape)
        ended = np.empty(shape, np.bool_)
        self.restart(self._waiting)
        _rollout(
            self.states, self.done, policy,
            tables.num_actions, tables.successors, tables.cumulative, tables.terminal, self.reward,
            self._credits, *self._starts, *self._scratch, np.empty(self.size, np.int64),
            states, actions, rewards, ended, credits,
        )  # fmt: skip
        return Traces(states, actions, rewards, ended, credits)

    def _room(self, *shape: int) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64], NDArray[Any]]:
        """New arrays to fill: two of integers and one of numbers of a shape, and credits (M, *shape).

        They are parts of one block. As arrays of their own, large ones would be handed back to the system and fetched
        again in each call, which takes longer than to fill them.
        """
        block = np.empty((3 + len(self._credits), *shape))
        return block[0].view(np.int64), block[1].view(np.int64), block[2], block[3:]
