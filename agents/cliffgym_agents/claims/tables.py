"""Rows of what seeds have shown: their interquartile mean, its bootstrap interval, their mean, and all of them.

Shapes: n seeds.
"""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from cliffgym_agents.claims.claim import Found, Setting
from cliffgym_agents.statistics import bootstrap_interval, interquartile_mean

OF_SEEDS = ("interquartile mean", "95 % interval", "mean", "seeds")
"""The columns that `of_seeds` fills."""


def values(found: Found, setting: Setting, name: str) -> NDArray[np.float64]:
    """(n,) a measure of the seeds of a setting."""
    return np.array([result[name] for result in found[setting]])


def middle(found: Found, setting: Setting, name: str) -> float:
    """The interquartile mean of a measure over the seeds of a setting."""
    return float(interquartile_mean(values(found, setting, name)))


def of_seeds(numbers: NDArray[np.float64]) -> list[object]:
    """Interquartile mean, 95 % bootstrap interval, mean, and all values."""
    low, high = bootstrap_interval([numbers])
    seeds = " ".join(_short(number) for number in numbers)
    return [float(interquartile_mean(numbers)), f"{_short(low)} to {_short(high)}", float(numbers.mean()), seeds]


def rows_of(found: Found, names: Iterable[str]) -> list[list[object]]:
    """For each setting and measure the setting's cells, the measure's name, and `of_seeds`."""
    names = list(names)
    return [[*setting, name, *of_seeds(values(found, setting, name))] for setting in found for name in names]


def _short(number: float) -> str:
    return f"{number + 0.0:.3f}"
