"""Cliffs along a line of rewards: exact steps, and the slopes that a temperature makes of them.

Shapes: S states, A actions, N points of a soft curve.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cliffgym.analysis.line import Line
from cliffgym.checks import array, choice
from cliffgym.mdp import TabularMDP
from cliffgym.plots.style import BLUE, GREEN, GREY, INK, LINE_STYLES, ORANGE, PURPLE, new_figure, spread
from cliffgym.rewards import RewardComponents, check_reward
from cliffgym.solvers import expected_components, soft

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

OPTIMAL_RETURN = "optimal_return"
"""The measure that every line has: the optimal return under the moving reward itself, convex and piecewise linear."""

_MAX_LABELS = 24  # breakpoints that are labelled; more would not be read


@dataclass(frozen=True, eq=False)
class SoftCurve:
    """What the soft policy of one temperature is worth along a line.

    Attributes:
        temperature: In units of reward per nat.
        positions: (N,) points of the line, rising.
        values: (N,) expected value there, by measure.

    >>> import numpy as np
    >>> bonuses = np.array([0, 0.1])
    >>> odds = np.exp(bonuses / 0.1)  # of the target format of TieBreaker, against each of three others
    >>> curve = SoftCurve(0.1, bonuses, {"target_format": odds / (odds + 3)})
    >>> curve.values["target_format"].round(4).tolist()
    [0.25, 0.4754]
    """

    temperature: float
    positions: NDArray[np.float64]
    values: Mapping[str, NDArray[np.float64]]


def soft_curves(
    mdp: TabularMDP,
    reward: ArrayLike,
    direction: ArrayLike,
    positions: ArrayLike,
    temperatures: Sequence[float],
    components: RewardComponents,
) -> tuple[SoftCurve, ...]:
    """Solves the soft MDP for R0 + t D at every position and temperature.

    Args:
        mdp: The dynamics.
        reward: (S, A) R0.
        direction: (S, A) D.
        positions: (N,) points t.
        temperatures: Temperatures > 0, in units of reward per nat.
        components: Named tables whose expected values are the curves' values.

    Returns:
        A curve for each temperature.

    Raises:
        ValueError: As `soft` and `expected_components`.

    >>> import cliffgym
    >>> made = cliffgym.scenario("Cliff-TieBreaker-v0")
    >>> reward, bonus = made.reward("incomplete"), made.components["target_format"]
    >>> for curve in soft_curves(made.mdp, reward, bonus, [0, 0.1], [0.01, 0.1], made.components):
    ...     print(curve.temperature, curve.values["target_format"].round(4).tolist())
    0.01 [0.25, 0.9999]
    0.1 [0.25, 0.4754]
    """
    reward, direction = check_reward(mdp, reward), check_reward(mdp, direction, "direction")
    points = array("positions", positions)
    curves = []
    for temperature in temperatures:
        rows = [
            expected_components(mdp, components, soft(mdp, reward + t * direction, temperature).policy) for t in points
        ]
        values = {name: np.array([row[name] for row in rows]) for name in components.names}
        curves.append(SoftCurve(float(temperature), points, values))
    return tuple(curves)


def line_figure(
    line: Line,
    measures: str | Sequence[str] = OPTIMAL_RETURN,
    *,
    position_label: str = "t, position on the line",
    units: Mapping[str, str] | None = None,
    curves: Sequence[SoftCurve] = (),
    title: str = "",
) -> "Figure":
    """Draws what the optimal policy is worth along a line: exact steps, breakpoints marked, soft curves if given.

    Where actions are tied all along a stretch, the step is that of the policy that breaks ties uniformly.

    Args:
        line: From `trace_line` or `trace_weights`.
        measures: Components that the line was traced with, or `OPTIMAL_RETURN`; each gets axes of its own.
        position_label: What the line's position is, with its unit.
        units: Units by measure; default "reward" for returns and "per trace" for others.
        curves: From `soft_curves`, or made from arrays.
        title: Above all axes.

    Raises:
        ValueError: A measure is none of the line's, or a curve has another number of values than positions.
        ImportError: matplotlib is not installed.

    >>> import cliffgym
    >>> from cliffgym.analysis import trace_weights
    >>> line = trace_weights(cliffgym.scenario("Cliff-Sophistry-v0"), "fooled", 0, 1, "incomplete")
    >>> figure = line_figure(line, "correct", position_label="gullibility")
    >>> [text.get_text() for text in figure.axes[0].texts]  # where the cliffs are
    ['0.25', '0.6667', '0.875']
    """
    names = (measures,) if isinstance(measures, str) else tuple(measures)
    known = (*line.segments[0].components, OPTIMAL_RETURN)
    for name in names:
        choice("measure", name, known, place="the line")
    for curve in curves:
        for name in set(names) & set(curve.values):
            if np.shape(curve.values[name]) != np.shape(curve.positions):
                raise ValueError(
                    f"values of {name!r} must have shape {np.shape(curve.positions)} at temperature "
                    f"{curve.temperature:g}, got {np.shape(curve.values[name])}"
                )
    figure, panels = new_figure(6.2 * len(names), 4.4, columns=len(names))
    for axes, name in zip(panels, names, strict=True):
        _draw_steps(axes, line, name)
        styles = zip(curves, np.resize([BLUE, GREEN, PURPLE, INK], len(curves)), strict=True)
        for i, (curve, colour) in enumerate(styles):
            if name in curve.values:
                axes.plot(
                    curve.positions,
                    curve.values[name],
                    color=str(colour),
                    ls=LINE_STYLES[i % len(LINE_STYLES)],
                    lw=1.6,
                    label=f"soft, temperature {curve.temperature:g}",
                )
        unit = (units or {}).get(name, "reward" if name.endswith("return") else "per trace")
        axes.set_xlabel(position_label)
        axes.set_ylabel(f"{name if name == OPTIMAL_RETURN else 'expected ' + name} ({unit})")
        axes.set_xlim(line.segments[0].start, line.segments[-1].stop)
        axes.margins(y=0.06)
        _label_breakpoints(axes, line)
    handles, labels = panels[0].get_legend_handles_labels()
    columns = min(len(labels), 2 * len(names))  # two entries fit under one pair of axes
    figure.legend(handles, labels, loc="outside lower center", ncols=columns, frameon=False, fontsize=9)
    if title:
        figure.suptitle(title, fontsize=11)
    return figure


def _draw_steps(axes: "Axes", line: Line, name: str) -> None:
    """The exact value of one measure, segment by segment, and dotted rises at the breakpoints."""
    ends = []
    for segment in line.segments:
        if name == OPTIMAL_RETURN:
            ends.append([segment.intercept + segment.slope * t for t in (segment.start, segment.stop)])
        else:
            ends.append([segment.components[name]] * 2)
    for i, (segment, values) in enumerate(zip(line.segments, ends, strict=True)):
        label = "exact optimum" if i == 0 else None
        axes.plot([segment.start, segment.stop], values, color=ORANGE, lw=2.4, solid_capstyle="butt", label=label)
    for i, point in enumerate(line.breakpoints):
        axes.plot([point.position] * 2, [ends[i][1], ends[i + 1][0]], color=ORANGE, lw=1.2, ls=":")
        # Open below, as at a cliff nothing between is optimal and both ends are.
        axes.plot([point.position] * 2, [ends[i][1], ends[i + 1][0]], "o", color=ORANGE, ms=4.5, mfc="white")


def _label_breakpoints(axes: "Axes", line: Line) -> None:
    """A thin line at each breakpoint, and its position above the axes, moved aside where labels would touch."""
    low, high = axes.get_xlim()
    positions = [point.position for point in line.breakpoints]
    for position in positions:
        axes.axvline(position, color=GREY, lw=0.8, alpha=0.6, zorder=0)
    if len(positions) > _MAX_LABELS:
        axes.set_title(f"{len(positions)} breakpoints", fontsize=9, color=GREY)
        return
    gap, rank = 0.042, np.arange(len(positions))
    places = spread([(position - low) / (high - low) for position in positions], gap)
    places = np.maximum(np.minimum(places, 1 - gap * rank[::-1]), gap * rank)
    moved = not np.allclose(places, (np.array(positions) - low) / (high - low), atol=1e-3)
    for position, place in zip(positions, places, strict=True):
        axes.annotate(
            f"{position:.4g}",
            xy=(position, 1),
            xycoords=("data", "axes fraction"),
            xytext=(float(place), 1.09 if moved else 1.04),
            textcoords="axes fraction",
            rotation=90,
            ha="center",
            va="bottom",
            fontsize=9,
            color=INK,
            arrowprops={
                "arrowstyle": "-",
                "color": GREY,
                "lw": 0.8,
                "shrinkA": 1,
                "shrinkB": 0,
                "relpos": (0.5, 0),
                "patchA": None,
            },
        )
