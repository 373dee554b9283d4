"""Summaries of few, noisy runs: seeds are the unit of replication.

Shapes: n seeds of a stratum.

Source: Agarwal et al. (2021), Deep reinforcement learning at the edge of the statistical precipice, arXiv:2108.13264.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cliffgym.checks import array, integer, number


def interquartile_mean(values: ArrayLike, axis: int | None = None) -> Any:
    """The mean of the middle half: a quarter of the values, rounded down, is left out at either end.

    Args:
        values: Numbers.
        axis: Along which; default over all.

    Raises:
        ValueError: There are none.

    >>> float(interquartile_mean([0, 1, 2, 100]))
    1.5
    """
    numbers = array("values", values)
    if not numbers.size:
        raise ValueError("values must not be empty, got none")
    ordered = np.sort(numbers.ravel() if axis is None else np.moveaxis(numbers, axis, -1), axis=-1)
    cut = ordered.shape[-1] // 4
    return ordered[..., cut : ordered.shape[-1] - cut].mean(axis=-1)


def bootstrap_interval(
    strata: Sequence[ArrayLike],
    statistic: Callable[..., NDArray[Any]] = interquartile_mean,
    level: float = 0.95,
    resamples: int = 2000,
    seed: int = 0,
) -> tuple[float, float]:
    """A stratified bootstrap interval: seeds are drawn anew within each stratum, and all are summarised together.

    Args:
        strata: For each task or setting the values of its seeds, at least one each.
        statistic: From numbers (resamples, n) and `axis=-1` to their summaries (resamples,).
        level: Probability that the interval is to cover, in (0, 1).
        resamples: How often seeds are drawn anew.
        seed: Seed of NumPy's generator.

    Returns:
        The percentiles that leave (1 - level)/2 at either end.

    Raises:
        ValueError: There is no stratum, one is empty, or a number is out of range.
    """
    rows = [array(f"strata[{i}]", values) for i, values in enumerate(strata)]
    if not rows or not all(row.ndim == 1 and row.size for row in rows):
        raise ValueError(f"strata must be non-empty lists of numbers, at least one, got {strata!r}")
    level = number("level", level, np.nextafter(0, 1), np.nextafter(1, 0))
    resamples = integer("resamples", resamples, 1)
    draw = np.random.default_rng(integer("seed", seed, 0))
    drawn = [row[draw.integers(0, row.size, size=(resamples, row.size))] for row in rows]
    low, high = np.quantile(statistic(np.concatenate(drawn, axis=1), axis=-1), [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)
