"""What is made of measured rates: ratios of neighbours in time, their median and spread, and a verdict.

Nothing here measures; all of it is arithmetic on lists of numbers.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any, Self


@dataclass(frozen=True)
class Spread:
    """The median of some numbers, the lowest and the highest."""

    median: float
    lowest: float
    highest: float

    @classmethod
    def of(cls, numbers: Sequence[float]) -> Self:
        """The spread of one number or more."""
        return cls(median(numbers), min(numbers), max(numbers))


def paired_ratios(ours: Sequence[float], theirs: Sequence[float]) -> list[float]:
    """Our rate by theirs in every round, within which whatever slowed the machine down slowed down both.

    Raises:
        ValueError: There are not as many of ours as of theirs.
    """
    return [mine / other for mine, other in zip(ours, theirs, strict=True)]


def slowest(rates: Mapping[str, Sequence[float]]) -> str:
    """The side whose median rate is the lowest: what counts of several of ours."""
    return min(rates, key=lambda side: median(rates[side]))


def fastest(rates: Mapping[str, Sequence[float]]) -> str:
    """The side whose median rate is the highest: what counts of several peers."""
    return max(rates, key=lambda side: median(rates[side]))


def largest_difference(ours: Sequence[Sequence[float]], theirs: Sequence[Sequence[float]]) -> float:
    """The largest difference of two tables' numbers.

    Raises:
        ValueError: Their shapes are not the same.
    """
    return max(
        abs(mine - other)
        for row, other_row in zip(ours, theirs, strict=True)
        for mine, other in zip(row, other_row, strict=True)
    )


def growth_factor(times: Mapping[int, float], from_size: int) -> float:
    """The largest time by the smallest, over sizes from `from_size` on.

    Raises:
        ValueError: Fewer than two sizes are left.
    """
    left = [time for size, time in times.items() if size >= from_size]
    if len(left) < 2:
        raise ValueError(f"a growth factor needs two sizes from {from_size} on, got {len(left)}")
    return max(left) / min(left)


def verdict(row: Mapping[str, Any]) -> str:
    """What to say of a row: "pass", "missed", "no target", or "not measured: " and the reason."""
    if "reason" in row:
        return f"not measured: {row['reason']}"
    target = row["target"]
    if target is None:
        return "no target"
    ratio = row["ratio"]["median"]
    met = ratio <= target if row["at_most"] else ratio >= target
    return "pass" if met else "missed"
