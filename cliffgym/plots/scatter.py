"""Measured changes against their bounds: how much of a Lipschitz bound is used.

Shapes: N pairs of rewards.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cliffgym.checks import array
from cliffgym.plots.style import AMBER, BLUE, GREEN, INK, ORANGE, PURPLE, SKY, new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_MARKERS, _COLOURS = "o^sDvP", (BLUE, AMBER, GREEN, PURPLE, SKY, INK)
_ROUNDING = 1e-9  # by which a measured value may exceed its bound, relative to it


def lipschitz_figure(
    measured: ArrayLike | Mapping[str, ArrayLike],
    bound: ArrayLike | Mapping[str, ArrayLike],
    *,
    quantity: str = "total variation between policies",
    unit: str = "probability",
    title: str = "",
) -> "Figure":
    """A scatter of measured against bound on logarithmic axes, with the line measured = bound.

    Nothing may lie above the line; points that do are crossed out and counted. Points on it use the whole bound. Zeros
    have no place on a logarithmic axis: they are drawn as ticks at its lower edge and counted in the legend.

    Args:
        measured: (N,) measured changes, >= 0; or a mapping of names to such arrays, drawn as groups.
        bound: (N,) their bounds, > 0; a mapping with the same names if `measured` is one.
        quantity: What was measured.
        unit: Its unit.
        title: Above the axes.

    Raises:
        ValueError: No pairs, shapes or names differ, a measured value is negative, a bound is not > 0, or one is not
            finite.
        ImportError: matplotlib is not installed.

    >>> figure = lipschitz_figure([0, 0.05, 0.1, 0.2], [0.1, 0.1, 0.1, 0.1])
    >>> [line.get_label() for line in figure.axes[0].lines]
    ['measured = bound', '4 pairs', 'measured 0: 1', 'above the bound: 1']
    """
    groups = _groups(measured, bound)
    bounds = np.concatenate([b for _, b in groups.values()])
    positive = np.concatenate([m[m > 0] for m, _ in groups.values()])
    low, high = bounds.min() / 1.6, bounds.max() * 1.6
    floor = min(positive.min() / 3, low) if positive.size else low
    ceiling = max(high, positive.max() * 1.6) if positive.size else high

    figure, (axes,) = new_figure(6.0, 5.0)
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.plot([low, high], [low, high], color=INK, lw=1.4, label="measured = bound")
    for i, (name, (values, limits)) in enumerate(groups.items()):
        shown = values > 0
        look = {"color": _COLOURS[i % len(_COLOURS)], "mfc": "none", "ms": 5, "alpha": 0.75}
        label = f"{name} ({values.size:,} pairs)" if name else f"{values.size:,} pairs"
        axes.plot(limits[shown], values[shown], _MARKERS[i % len(_MARKERS)], label=label, **look)
        if not shown.all():
            zeros = f"measured 0: {int((~shown).sum()):,}" + (f" of {name}" if name else "")
            axes.plot(limits[~shown], np.full((~shown).sum(), floor), "|", color=look["color"], ms=9, label=zeros)
    above = [(m[m > b * (1 + _ROUNDING)], b[m > b * (1 + _ROUNDING)]) for m, b in groups.values()]
    crossed = sum(m.size for m, _ in above)
    if crossed:
        x, y = np.concatenate([b for _, b in above]), np.concatenate([m for m, _ in above])
        axes.plot(x, y, "x", color=ORANGE, ms=10, mew=2, label=f"above the bound: {crossed:,}")
    axes.set_xlim(low, high)
    axes.set_ylim(floor / 1.3, ceiling)
    axes.set_xlabel(f"bound on {quantity} ({unit})")
    axes.set_ylabel(f"measured {quantity} ({unit})")
    axes.set_title(title, fontsize=11)
    figure.legend(loc="outside lower center", ncols=2, fontsize=9, frameon=False)
    return figure


def _groups(
    measured: ArrayLike | Mapping[str, ArrayLike], bound: ArrayLike | Mapping[str, ArrayLike]
) -> dict[str, tuple[NDArray[np.float64], NDArray[np.float64]]]:
    """Checked pairs of arrays (N,) by name; a single pair has the name ""."""
    many = measured if isinstance(measured, Mapping) else {"": measured}
    limits = bound if isinstance(bound, Mapping) else {"": bound}
    if set(many) != set(limits) or not many:
        raise ValueError(f"measured and bound must have the same names, got {list(many)} and {list(limits)}")
    groups = {}
    for name, given in many.items():
        values, most = array("measured", given), array("bound", limits[name])
        where = f" in {name!r}" if name else ""
        if values.ndim != 1 or values.shape != most.shape or not values.size:
            raise ValueError(f"measured and bound must have shape (N,), got {values.shape} and {most.shape}{where}")
        for label, numbers, rule, wrong in (
            ("measured", values, ">= 0 and finite", ~((values >= 0) & np.isfinite(values))),
            ("bound", most, "> 0 and finite", ~((most > 0) & np.isfinite(most))),
        ):
            if wrong.any():
                raise ValueError(
                    f"{label} must be {rule}, got {numbers[wrong][0]} at {np.flatnonzero(wrong)[0]}{where}"
                )
        groups[name] = (values, most)
    return groups
