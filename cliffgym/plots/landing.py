"""Which of several tied optima agents have landed on: how often each, by algorithm."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from cliffgym.checks import array
from cliffgym.plots.style import AMBER, BLUE, GREEN, ORANGE, new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_COLOURS = (BLUE, ORANGE, GREEN, AMBER)


def landing_figure(
    counts: Mapping[str, ArrayLike], optima: Sequence[str], *, ylabel: str = "times", title: str = ""
) -> "Figure":
    """Draws a histogram for each algorithm, side by side.

    Args:
        counts: By algorithm, four at most, (F,) how often each optimum was landed on.
        optima: F names of optima.
        ylabel: What is counted.
        title: The figure's.

    Raises:
        ValueError: There are no algorithms or more than four, or shapes do not match.
        ImportError: matplotlib is not installed.

    >>> figure = landing_figure({"PPO": [7, 3], "A2C": [5, 5]}, ["comply", "ignore"], ylabel="seeds")
    >>> [(axes.get_title(), [float(bar.get_height()) for bar in axes.patches]) for axes in figure.axes]
    [('PPO', [7.0, 3.0]), ('A2C', [5.0, 5.0])]
    """
    if not 1 <= len(counts) <= len(_COLOURS):
        raise ValueError(f"counts must have 1 to {len(_COLOURS)} algorithms, got {len(counts)}")
    heights = {label: array(f"counts[{label!r}]", values) for label, values in counts.items()}
    for label, values in heights.items():
        if values.shape != (len(optima),):
            raise ValueError(f"counts must have shape (F,) = ({len(optima)},), got {values.shape} in {label!r}")
    figure, panels = new_figure(2.2 * len(heights) + 0.6, 3, columns=len(heights))
    top = max(float(values.max()) for values in heights.values())
    for axes, (label, values), colour in zip(panels, heights.items(), _COLOURS, strict=False):
        axes.bar(np.arange(len(optima)), values, color=colour, width=0.7)
        axes.set_xticks(np.arange(len(optima)), optima, rotation=35, ha="right")
        axes.set_ylim(0, 1.08 * top)
        axes.set_title(label, fontsize=10)
    panels[0].set_ylabel(ylabel)
    figure.suptitle(title, fontsize=11)
    return figure
