"""What chance decides in one environment: buffered draws from its streams (see `streams`).

Shapes: S states, A actions, B successor slots.
"""

from bisect import bisect_right
from collections.abc import Sequence
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from cliffgym.envs.streams import STREAMS, stream_keys, uniforms
from cliffgym.mdp import TabularMDP
from cliffgym.trace_scenario import Scenario

_SMALLEST_BLOCK, _LARGEST_BLOCK = 32, 4096
_CLASS = STREAMS.index("class")
_PARTS = 4096
_FEW = 64


class Draws:
    """First states of traces and successor slots of steps, drawn in blocks.

    Args:
        mdp: The dynamics of the world.
        prompt_starts: What `prompt_starts` makes, where prompts have hidden classes.

    Attributes:
        source: The NumPy generator from whose seed the present key was made.
    """

    def __init__(self, mdp: TabularMDP, prompt_starts: "Sequence[Starts]" = ()) -> None:
        self._start_states = Starts(mdp.initial)
        self._prompt_starts = prompt_starts
        self._cumulative = cumulative(mdp.probabilities)
        self.source: object = self  # no generator yet
        self._moves: list[float] = []

    def take_key(self, generator: np.random.Generator, seed: int | None) -> None:
        """Begins new streams: those of `seed`, or where a generator without a known seed was given, of a draw of it."""
        if seed is None or seed < 0:
            seed = int(generator.integers(0, 2**63))
        self.source = generator
        self._keys = stream_keys([seed])[:, 0]
        self._drawn = [0] * len(STREAMS)
        self._moves = []

    def starts(self) -> list[int]:
        """The first states of the traces to come, the next one last."""
        return self._start_states.at(self._block(0)).tolist()

    def prompt_start(self, prompt: int) -> int:
        """The first state of a trace that starts with a given prompt, whose class is drawn."""
        starts = self._prompt_starts[prompt]
        self._drawn[_CLASS] += 1
        return int(starts.at(uniforms(self._keys[_CLASS], np.array([self._drawn[_CLASS] - 1])))[0])

    def slot(self, state: int, action: int) -> int:
        """Which successor slot the next step falls into."""
        if not self._moves:
            self._moves = self._block(1).tolist()
        return bisect_right(self._cumulative[state, action], self._moves.pop())

    def _block(self, stream: int) -> NDArray[np.float64]:
        """The next numbers of a stream, the last one first: lists are taken from their end."""
        first = self._drawn[stream]
        # Blocks grow, so that neither a reset with a seed nor a long run pays for the other.
        self._drawn[stream] = end = first + min(max(first, _SMALLEST_BLOCK), _LARGEST_BLOCK)
        return uniforms(self._keys[stream], np.arange(first, end))[::-1]


class Starts:
    """The distribution of a trace's first state.

    A number u stands for the first state whose cumulative probability is above u. Where that search has to begin is
    kept for each of many equal parts of [0, 1), so that it is over almost at once (the guide table of Chen & Asau,
    1974, On generating random variates from an empirical distribution).

    Args:
        initial: (S,) probabilities.
        numbers: (S,) the states that they belong to; default 0..S-1.

    Attributes:
        states: (P,) the states of positive probability.
        cumulative: (P,) their cumulative probabilities, the last one infinite.
    """

    def __init__(self, initial: NDArray[np.float64], numbers: NDArray[np.intp] | None = None) -> None:
        places = np.flatnonzero(initial)
        self.states = places if numbers is None else numbers[places]
        self.cumulative = cumulative(initial[places])
        self._undivided = bool((self.cumulative[:-1] * _PARTS % 1 == 0).all())

    @cached_property
    def guide(self) -> NDArray[np.intp]:
        """Places among the states, by part of [0, 1): never too high, and too low only where a part is divided."""
        return self.cumulative.searchsorted(np.arange(_PARTS) / _PARTS, side="right")

    def at(self, numbers: NDArray[np.float64]) -> NDArray[np.intp]:
        """The states that uniform numbers in [0, 1) stand for, of the same shape."""
        if numbers.size < _FEW:
            return self.states.take(self.cumulative.searchsorted(numbers, side="right"))
        places = self.guide.take((numbers * _PARTS).astype(np.intp))
        if not self._undivided:
            low = self.cumulative.take(places) <= numbers
            while low.any():
                places += low
                low = self.cumulative.take(places) <= numbers
        return self.states.take(places)


def prompt_starts(scenario: Scenario) -> list[Starts]:
    """N distributions of first states, one for each prompt; none at all if prompts have no hidden classes."""
    hidden = scenario.hidden
    if hidden is None:
        return []
    order = np.argsort(hidden.seen.observations, kind="stable")
    bounds = np.searchsorted(hidden.seen.observations[order], [scenario.prompt_states, scenario.prompt_states + 1])
    behind = (order[low:high] for low, high in bounds.T)
    return [Starts(hidden.start_chances[states], states) for states in behind]


def cumulative(probabilities: NDArray[np.float64]) -> NDArray[np.float64]:
    """Cumulative sums along the last axis, ending in infinity from the last positive entry on.

    A draw u in [0, 1) then always lands on an entry of positive probability, whatever rounding made of the sum.
    """
    sums = probabilities.cumsum(axis=-1)
    later = np.flip(np.flip(probabilities > 0, -1).cumsum(axis=-1), -1) - (probabilities > 0)
    sums[later == 0] = np.inf
    return sums
