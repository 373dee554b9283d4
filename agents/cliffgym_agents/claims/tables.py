"""Rows of what seeds have shown: their interquartile mean, its bootstrap interval, their mean, and all of them.

Shapes: n seeds.
"""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from cliffgym import scenario
from cliffgym_agents.claims.claim import Found, Setting
from cliffgym_agents.measures import exact_measures
from cliffgym_agents.statistics import bootstrap_interval, interquartile_mean

OF_SEEDS = ("interquartile mean", "95 % interval", "mean", "seeds")
"""The columns that `of_seeds` fills."""


def untrained(id: str) -> dict[str, float]:
    """The measures of a scenario's policy before training."""
    made = scenario(id)
    return exact_measures(made, made.reference)


def rows_of_untrained(id: str, names: Iterable[str]) -> list[list[object]]:
    """For each measure "before training", its name and value, in tables that have an exact value before `of_seeds`."""
    before = untrained(id)
    return [["before training", name, before[name], "", "", before[name], ""] for name in names]


def series(found: Found, settings: Iterable[Setting], name: str) -> NDArray[np.float64]:
    """(X, n) a measure of the seeds of X settings; NaN where one was not tried."""
    most = max(map(len, found.values()))
    missing = np.full(most, np.nan)
    return np.array([values(found, setting, name) if setting in found else missing for setting in settings])


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
