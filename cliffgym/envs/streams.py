"""Random numbers that can be drawn in any order: SplitMix64 as a function of a key and a counter.

An environment has one key for each thing that chance decides (where a trace starts, where a step leads, what a policy
emits), and the n-th draw for a key is a fixed number. So a copy's trajectory depends on its seed alone: not on how many
run beside it, nor on whether Python, NumPy or compiled code steps it.

Source: Steele, Lea & Flood (2014), Fast splittable pseudorandom number generators, OOPSLA.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

STREAMS = ("start", "move", "policy", "class")
"""What has a stream of its own: the first state of a trace, the successor of a step, the action in a rollout, the
hidden class of a prompt that was asked for."""

GOLDEN = 0x9E3779B97F4A7C15
FIRST_FACTOR, SECOND_FACTOR = 0xBF58476D1CE4E5B9, 0x94D049BB133111EB
_WORD = 64
_LARGEST_WORD = (1 << _WORD) - 1


def stream_keys(seeds: Sequence[int]) -> NDArray[np.uint64]:
    """The keys of environments.

    Args:
        seeds: One seed >= 0 for each of N environments, of any size.

    Returns:
        (len(STREAMS), N) keys.
    """
    key = np.zeros(len(seeds), dtype=np.uint64)
    rest, first = list(seeds), True
    while first or any(rest):
        # Words beyond a seed's own leave its key alone, so that it does not depend on the seeds beside it.
        counts = np.array([first or seed > 0 for seed in rest])
        word = np.array([seed & _LARGEST_WORD for seed in rest], dtype=np.uint64)
        key = np.where(counts, _mix((key ^ word) + np.uint64(GOLDEN)), key)
        rest, first = [seed >> _WORD for seed in rest], False
    return np.stack([_mix(key + np.uint64(stream)) for stream in range(1, len(STREAMS) + 1)])


def uniforms(keys: NDArray[np.uint64], counters: NDArray[np.integer[Any]]) -> NDArray[np.float64]:
    """Numbers in [0, 1), multiples of 2^-53.

    Args:
        keys: Keys of one stream, any shape.
        counters: How many numbers were drawn before, >= 0, of a shape that goes with it.
    """
    bits = counters.astype(np.uint64)  # a new array, worked on in place: at 1,024 numbers, allocation is what costs
    bits += np.uint64(1)
    bits *= np.uint64(GOLDEN)
    bits = _mix_in_place(bits + keys)
    bits >>= np.uint64(11)
    return bits * np.float64(2.0**-53)


def _mix(bits: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """SplitMix64's output function: a bijection that spreads every bit over all."""
    return _mix_in_place(bits.copy())


def _mix_in_place(bits: NDArray[np.uint64]) -> NDArray[np.uint64]:
    shifted = bits >> np.uint64(30)
    bits ^= shifted
    bits *= np.uint64(FIRST_FACTOR)
    np.right_shift(bits, np.uint64(27), out=shifted)
    bits ^= shifted
    bits *= np.uint64(SECOND_FACTOR)
    np.right_shift(bits, np.uint64(31), out=shifted)
    bits ^= shifted
    return bits
