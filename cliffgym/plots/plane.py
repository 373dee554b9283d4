"""The plane of two weights as cells of equal optimal behaviour, with exact borders.

Shapes: V vertices of a cell.
"""

import math
import textwrap
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from cliffgym.analysis.plane import Cell, PhaseDiagram
from cliffgym.checks import choice
from cliffgym.plots.style import AMBER, BLUE, GREEN, GREY, INK, ORANGE, PURPLE, SKY, YELLOW, new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_COLOURS = (SKY, AMBER, GREEN, YELLOW, PURPLE, BLUE, ORANGE, "#ffffff")
_HATCHES = (
    "",
    "//",
    "..",
    "\\\\",
    "xx",
    "--",
    "++",
    "||",
    "oo",
)  # 8 colours and 9 hatches: 72 pairs before one repeats
_TINT = 0.45  # of a colour in white: text and hatches stay readable on it
_SIDE, _FONT = 5.2, 9  # inches, points
_LETTERS, _MAX_LISTED = 36, 40  # of a line of the list beside the axes, and its entries


def phase_figure(
    diagram: PhaseDiagram,
    label: str | Callable[[Cell], str],
    *,
    x_label: str = "x, weight of the first table",
    y_label: str = "y, weight of the second table",
    title: str = "",
) -> "Figure":
    """Draws the cells of a phase diagram, each filled and labelled with its outcome.

    Cells of the same label look the same. A label that does not fit into its cell is replaced by a number there, which
    the list beside the axes explains. The list holds the 40 largest of those.

    Args:
        diagram: From `phase_diagram`.
        label: A component that the diagram was made with, or a function of a cell that says its outcome.
        x_label: What x is, with its unit.
        y_label: What y is, with its unit.
        title: Above the axes.

    Raises:
        ValueError: The component is none of the diagram's.
        ImportError: matplotlib is not installed.

    >>> import cliffgym
    >>> from cliffgym.analysis import phase_diagram
    >>> made = cliffgym.scenario("Cliff-Slacker-v0")
    >>> tables = [made.components[name] for name in ("correct", "instructions", "effort")]
    >>> diagram = phase_diagram(made.mdp, tables, (-1, 1), (-1, 1), components=made.components)
    >>> figure = phase_figure(diagram, "instructions", x_label="weight of instructions", y_label="weight of effort")
    >>> sorted(text.get_text() for text in figure.axes[0].texts)
    ['instructions 0', 'instructions 1']
    """
    texts = [_text(cell, label) for cell in diagram.cells]
    areas = dict.fromkeys(texts, 0.0)
    for cell, text in zip(diagram.cells, texts, strict=True):
        areas[text] += cell.area
    looks = {name: _look(i) for i, name in enumerate(areas)}
    size = np.array([diagram.x_range[1] - diagram.x_range[0], diagram.y_range[1] - diagram.y_range[0]])
    crowded = {text for cell, text in zip(diagram.cells, texts, strict=True) if _place(cell, text, size) is None}
    listed = [name for name in areas if name in crowded]
    if len(listed) > _MAX_LISTED:  # the largest, in their order
        listed = [name for name in listed if name in sorted(listed, key=lambda name: -areas[name])[:_MAX_LISTED]]
    numbers = {name: str(i) for i, name in enumerate(listed, 1)}

    entries = {name: textwrap.fill(f"{numbers[name]}: {', '.join(name.splitlines())}", _LETTERS) for name in listed}
    columns, width = _list_size(list(entries.values()))
    figure, (axes,) = new_figure(_SIDE + width, _SIDE)
    for cell, text in zip(diagram.cells, texts, strict=True):
        axes.fill(*cell.vertices.T, fc=looks[text][0], hatch=looks[text][1], ec=GREY, lw=0)
        axes.plot(*np.vstack([cell.vertices, cell.vertices[:1]]).T, color=INK, lw=1.2)
        shown = numbers.get(text, "") if text in crowded else text
        place = _place(cell, shown, size)
        if shown and place is not None:
            _write(axes, place, shown)
    axes.set_xlim(*diagram.x_range)
    axes.set_ylim(*diagram.y_range)
    axes.grid(visible=False)
    axes.set_xlabel(x_label)
    axes.set_ylabel(y_label)
    axes.set_title(title, fontsize=11)
    if listed:
        _list(figure, entries, looks, columns, left_out=len(crowded) - len(listed))
    return figure


def _list(
    figure: "Figure",
    entries: dict[str, str],
    looks: dict[str, tuple[tuple[float, float, float], str]],
    columns: int,
    left_out: int,
) -> None:
    """What the numbers stand for, beside the axes."""
    from matplotlib.patches import Patch

    handles = [
        Patch(fc=looks[name][0], hatch=looks[name][1], ec=GREY, lw=0.6, label=entry) for name, entry in entries.items()
    ]
    figure.legend(
        handles=handles,
        loc="outside right upper",
        ncols=columns,
        frameon=False,
        fontsize=_FONT,
        handleheight=1.6,
        handlelength=2.4,
        title=f"and {left_out} small ones more" if left_out else None,
        title_fontsize=_FONT,
    )


def _list_size(entries: list[str]) -> tuple[int, float]:
    """Columns that the list takes beside the axes, and its width in inches, both estimated."""
    if not entries:
        return 0, 0.0
    height = sum(max(1.6, 1.25 * (entry.count("\n") + 1)) + 0.5 for entry in entries) * _FONT / 72
    columns = math.ceil(height / (_SIDE - 0.6))
    letters = max(len(line) for entry in entries for line in entry.splitlines())
    return columns, columns * (0.65 + letters * 0.6 * _FONT / 72)


def _text(cell: Cell, label: str | Callable[[Cell], str]) -> str:
    """The outcome of a cell in words."""
    if callable(label):
        return label(cell)
    choice("component", label, cell.components, place="the diagram")
    return f"{label} {cell.components[label] + 0.0:.4g}"


def _look(index: int) -> tuple[tuple[float, float, float], str]:
    """Face colour and hatch of the label of an index; neighbours in the order differ in both."""
    colour = _COLOURS[index % len(_COLOURS)]
    red, green, blue = (1 - _TINT * (1 - int(colour[i : i + 2], 16) / 255) for i in (1, 3, 5))
    return (red, green, blue), _HATCHES[index % len(_HATCHES)]


def _place(cell: Cell, text: str, size: NDArray[np.float64]) -> NDArray[np.float64] | None:
    """(2,) where in a cell a text fits: at its centre, else where it is roomiest, else nowhere."""
    return next((place for place in (cell.centre, _roomiest(cell, size)) if _fits(cell, place, text, size)), None)


def _roomiest(cell: Cell, size: NDArray[np.float64]) -> NDArray[np.float64]:
    """(2,) of many points of a cell the one farthest from its borders, seen in a rectangle of `size` (2,)."""
    corners = cell.vertices / size
    middles = (corners + np.roll(corners, -1, axis=0)) / 2
    centre = corners.mean(axis=0)
    shares = np.linspace(0, 1, 21)[:, None, None]
    points = (shares * np.vstack([corners, middles]) + (1 - shares) * centre).reshape(-1, 2)
    edges = np.roll(corners, -1, axis=0) - corners
    lengths = np.linalg.norm(edges, axis=1)
    edges, corners, lengths = edges[lengths > 0], corners[lengths > 0], lengths[lengths > 0]
    offsets = points[:, None] - corners
    distances = np.abs(edges[:, 0] * offsets[:, :, 1] - edges[:, 1] * offsets[:, :, 0]) / lengths
    return points[distances.min(axis=1).argmax()] * size


def _fits(cell: Cell, place: NDArray[np.float64], text: str, size: NDArray[np.float64]) -> bool:
    """Whether a text, at its estimated size, lies within the cell; `size` (2,) is the rectangle's, in weights."""
    lines = text.split("\n")
    inches = np.array([0.6 * max(map(len, lines)) + 0.7, 1.2 * len(lines) + 0.3]) * _FONT / 72
    half = inches / 2 / (_SIDE - 0.9) * size  # axes take about 0.9 inches for their own labels
    corners = place + half * np.array([(-1, -1), (1, -1), (1, 1), (-1, 1)])
    edges = np.roll(cell.vertices, -1, axis=0) - cell.vertices
    offsets = corners[:, None] - cell.vertices
    sides = edges[:, 0] * offsets[:, :, 1] - edges[:, 1] * offsets[:, :, 0]
    return bool((sides >= 0).all() or (sides <= 0).all())


def _write(axes: "Axes", place: NDArray[np.float64], text: str) -> None:
    """Text at a place of the plane, on a light ground so that hatches do not run through it."""
    ground = {"boxstyle": "round,pad=0.2", "fc": "white", "ec": "none", "alpha": 0.85}
    axes.text(float(place[0]), float(place[1]), text, ha="center", va="center", fontsize=_FONT, color=INK, bbox=ground)
