"""Regret intervals as bars: what ties leave to chance, and what the reward gets wrong."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from cliffgym.analysis.intervals import RegretInterval
from cliffgym.plots.style import BLUE, GREEN, INK, ORANGE, new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def interval_figure(rows: Mapping[str, RegretInterval], *, unit: str = "reward", title: str = "") -> "Figure":
    """Draws one bar a row: true returns over all policies that are optimal for what training pays.

    The bar runs from the worst to the best of them and is what ties leave to chance; a dot marks uniform tie-breaking.
    The dashed line from the best to the true optimum, a triangle, is what the reward itself gets wrong.

    Args:
        rows: Intervals by name: of several rewards, or several scenarios.
        unit: The unit of true return.
        title: Above the axes.

    Raises:
        ValueError: There are no rows.
        ImportError: matplotlib is not installed.

    >>> import cliffgym
    >>> from cliffgym.analysis import regret_interval
    >>> made = cliffgym.scenario("Cliff-Slacker-v0")
    >>> true = made.reward("true")
    >>> rows = {name: regret_interval(made.mdp, made.reward(name), true) for name in ("incomplete", "lazy")}
    >>> figure = interval_figure(rows, title="Slacker")
    >>> lines = {line.get_label(): line.get_xdata().tolist() for line in figure.axes[0].lines}
    >>> lines["left to chance: worst to best"], lines["ties broken uniformly"]  # of the first row
    ([1.0, 2.0], [1.5])
    """
    if not rows:
        raise ValueError("rows must hold an interval at least, got none")
    figure, (axes,) = new_figure(7.6, 1.9 + 0.42 * len(rows))
    places = np.arange(len(rows))[::-1]
    for i, (place, interval) in enumerate(zip(places, rows.values(), strict=True)):
        ends, gap = [interval.worst, interval.best], [interval.best, interval.optimum]
        names = ("left to chance: worst to best", "ties broken uniformly", "misspecified", "true optimum")
        labels = names if i == 0 else (None,) * len(names)
        axes.plot(gap, [place, place], color=BLUE, lw=1.8, ls=(0, (2, 1.5)), label=labels[2], zorder=2)
        axes.plot(ends, [place, place], color=ORANGE, lw=9, alpha=0.4, solid_capstyle="butt", label=labels[0])
        axes.plot(ends, [place, place], "|", color=ORANGE, ms=13, mew=2)
        axes.plot(interval.uniform, place, "o", color=ORANGE, mec="white", ms=7, label=labels[1], zorder=3)
        # The triangle points at the row from below: where it coincides with the dot, both are seen.
        axes.plot(interval.optimum, place - 0.3, "^", color=GREEN, mec=INK, mew=0.6, ms=7, label=labels[3], zorder=3)
    axes.set_yticks(places, list(rows))
    axes.set_ylim(-0.7, len(rows) - 0.4)
    axes.margins(x=0.05)
    axes.grid(visible=False, axis="y")
    axes.set_xlabel(f"true return of policies optimal for what training pays ({unit})")
    axes.set_title(title, fontsize=11)
    figure.legend(loc="outside lower center", ncols=4, fontsize=9, frameon=False)
    return figure
