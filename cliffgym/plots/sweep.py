"""What agents learn along a parameter, one mark for each seed, beside what is optimal.

Shapes: X places that were tried, N points of the exact curve, S segments of a line.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cliffgym.analysis.line import Line
from cliffgym.checks import array, choice
from cliffgym.plots.style import BLUE, GREEN, INK, ORANGE, PURPLE, new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_LOOKS = ((ORANGE, "o"), (BLUE, "s"), (GREEN, "^"), (PURPLE, "D"))
_FAINT = "70"  # opacity, in hexadecimal: marks on each other add up
_LANE = 0.014  # of the axis: how far neighbouring series are moved apart, so that equal marks are all seen


def steps_of(line: Line, measure: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The exact curve of a component along a line.

    Args:
        line: From `trace_line` or `trace_weights`, with components.
        measure: One of them.

    Returns:
        (2 S,) both ends of each of the line's S segments, and (2 S,) the component there if ties are broken uniformly.

    Raises:
        ValueError: The line has no such component.

    >>> import cliffgym
    >>> from cliffgym.analysis import trace_line
    >>> made = cliffgym.scenario("Cliff-LengthPenalty-v0", difficulties=(2,))
    >>> price = -made.components["length"]
    >>> line = trace_line(made.mdp, made.reward("incomplete"), price, 0.0, 1.0, components=made.components)
    >>> steps_of(line, "correct")
    (array([0. , 0.5, 0.5, 1. ]), array([1., 1., 0., 0.]))
    """
    choice("measure", measure, line.segments[0].components, place="the line")
    places = [end for segment in line.segments for end in (segment.start, segment.stop)]
    heights = [segment.components[measure] for segment in line.segments]
    return np.array(places), np.repeat(heights, 2)


def sweep_figure(
    x: ArrayLike,
    exact_x: ArrayLike,
    exact_y: ArrayLike,
    learned: Mapping[str, ArrayLike],
    *,
    xlabel: str,
    ylabel: str,
    title: str = "",
    exact_label: str = "exact optimum",
    logarithmic: bool = False,
) -> "Figure":
    """Draws learned values against a parameter, and the exact curve as a line.

    Equal seeds lie on each other: the more there are, the fuller the mark.

    Args:
        x: (X,) values of the parameter.
        exact_x: (N,) where the exact curve is known; `steps_of` makes one. A cliff is two points at the same place.
        exact_y: (N,) its values.
        learned: By label, four at most, (X, seeds) learned values; NaN where nothing was tried.
        xlabel: What the parameter is, with its unit.
        ylabel: What is measured, with its unit.
        title: Above the axes.
        exact_label: What the legend calls the line.
        logarithmic: Whether the parameter's axis is; then all of it is > 0.

    Raises:
        ValueError: Shapes do not match, there are more than four series or none, or a logarithm has no value.
        ImportError: matplotlib is not installed.

    >>> prices, answers = [0.25, 0.5, 0.75], [[1, 1], [1, 0], [0, 0]]  # two seeds each, on problems of difficulty 2
    >>> exact = [0, 0.5, 0.5, 1], [1, 1, 0, 0]
    >>> figure = sweep_figure(prices, *exact, {"PPO": answers}, xlabel="price of a thought (reward)", ylabel="accuracy")
    >>> {line.get_label(): line.get_ydata().tolist() for line in figure.axes[0].lines}
    {'exact optimum': [1.0, 1.0, 0.0, 0.0], 'PPO': [1.0, 1.0, 1.0, 0.0, 0.0, 0.0]}
    """
    places, curve = array("x", x), (array("exact_x", exact_x), array("exact_y", exact_y))
    series = {label: array(f"learned[{label!r}]", values) for label, values in learned.items()}
    if places.ndim != 1 or not places.size:
        raise ValueError(f"x must have shape (X,) with X >= 1, got {places.shape}")
    if not 1 <= len(series) <= len(_LOOKS):
        raise ValueError(f"learned must have 1 to {len(_LOOKS)} series, got {len(series)}")
    for label, values in series.items():
        if values.ndim != 2 or len(values) != places.size:
            raise ValueError(f"learned must have shape ({places.size}, seeds), got {values.shape} in {label!r}")
    if curve[0].shape != curve[1].shape:
        raise ValueError(f"exact_x and exact_y must have the same shape, got {curve[0].shape} and {curve[1].shape}")
    if logarithmic and min(places.min(), curve[0].min()) <= 0:
        raise ValueError(f"x must be > 0 on a logarithmic axis, got {min(places.min(), curve[0].min())}")

    figure, (axes,) = new_figure(7.2, 4.4)
    axes.plot(*curve, color=INK, lw=2, label=exact_label)
    if logarithmic:
        axes.set_xscale("log")
        axes.xaxis.set_major_formatter("{x:g}")
    for lane, (label, values), (colour, marker) in zip(
        np.arange(len(series)) - (len(series) - 1) / 2, series.items(), _LOOKS, strict=False
    ):
        moved = np.repeat(_moved(places, lane * _LANE, logarithmic), values.shape[1])
        axes.plot(moved, values.ravel(), marker, color=colour, mfc=colour + _FAINT, ms=6.5, mew=1.2, label=label)
    axes.margins(x=0.03, y=0.06)
    axes.set_xlabel(xlabel)
    axes.set_ylabel(ylabel)
    axes.set_title(title, fontsize=11)
    figure.legend(loc="outside lower center", ncols=len(series) + 1, fontsize=9, frameon=False)
    return figure


def _moved(places: NDArray[np.float64], share: float, logarithmic: bool) -> NDArray[np.float64]:
    """(X,) places moved by a share of their axis."""
    on_axis = np.log10(places) if logarithmic else places
    moved = on_axis + share * (np.ptp(on_axis) or 1.0)
    return 10**moved if logarithmic else moved
