"""What all figures share: colours, a new figure, and how one is written.

Colours are Okabe and Ito's, told apart by colour-blind people; markers, line styles and hatches say the same again, in
grey.

Source: Okabe and Ito (2008), "Color universal design".
"""

import io
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from cliffgym.files import atomic_write

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

BLUE, ORANGE, GREEN = "#0072b2", "#d55e00", "#009e73"
SKY, AMBER, YELLOW, PURPLE = "#56b4e9", "#e69f00", "#f0e442", "#cc79a7"
GREY, INK = "#6b7280", "#111827"
LINE_STYLES = ("--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)))

_STYLE = {
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#e5e7eb",
    "svg.fonttype": "none",
    "svg.hashsalt": "cliffgym",
}


def new_figure(width: float, height: float, columns: int = 1) -> tuple["Figure", list["Axes"]]:
    """A figure with `columns` axes side by side; sizes in inches.

    Raises:
        ImportError: matplotlib is not installed; the message names the extra that brings it.

    >>> figure, axes = new_figure(8, 3, columns=2)
    >>> figure.get_size_inches().tolist(), len(axes)
    ([8.0, 3.0], 2)
    """
    try:
        import matplotlib as mpl
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ImportError("figures need matplotlib, which is not installed: pip install 'cliffgym[plots]'") from error
    with mpl.rc_context(_STYLE):  # type: ignore[arg-type]
        figure = Figure(figsize=(width, height), layout="constrained")
        axes = figure.subplots(1, columns, squeeze=False)[0]
    return figure, list(axes)


def save_figure(figure: "Figure", stem: str | os.PathLike[str]) -> list[Path]:
    """Writes `stem`.png and `stem`.svg atomically and returns their paths.

    Raises:
        ValueError: The stem is a folder.

    >>> import tempfile
    >>> from pathlib import Path
    >>> figure, (axes,) = new_figure(3, 2)
    >>> _ = axes.step([-0.1, 0, 0.1], [0, 0, 1])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     [path.name for path in save_figure(figure, Path(folder, "cliff"))]
    ['cliff.png', 'cliff.svg']
    """
    import matplotlib as mpl

    if Path(stem).is_dir():
        raise ValueError(f"stem must be a file's name without its suffix, got the folder {os.fspath(stem)}")

    paths = []
    for suffix, options in (("png", {"dpi": 160}), ("svg", {"metadata": {"Date": None}})):
        buffer = io.BytesIO()
        with mpl.rc_context(_STYLE):  # type: ignore[arg-type]
            figure.savefig(buffer, format=suffix, **options)  # type: ignore[arg-type]
        paths.append(Path(f"{os.fspath(stem)}.{suffix}"))
        with atomic_write(paths[-1]) as file:
            file.write(buffer.getvalue())
    return paths


def spread(positions: Sequence[float], gap: float) -> NDArray[np.float64]:
    """Moves labels apart, as little as it takes, until neighbours are at least `gap` apart.

    Args:
        positions: Where labels would best be, in rising order.
        gap: The least distance, in the same unit.

    Returns:
        As many positions, in the same order.

    >>> spread([0.0, 0.1, 5.0], 1.0)
    array([-0.45,  0.55,  5.  ])
    """
    # With gaps taken out, "far enough apart" is "in order": an isotonic regression, by pooling neighbours.
    blocks: list[tuple[float, int]] = []
    for i, position in enumerate(positions):
        total, count = position - i * gap, 1
        while blocks and blocks[-1][0] * count >= total * blocks[-1][1]:
            before = blocks.pop()
            total, count = total + before[0], count + before[1]
        blocks.append((total, count))
    means = [total / count for total, count in blocks for _ in range(count)]
    return np.array(means, dtype=np.float64) + np.float64(gap) * np.arange(len(means), dtype=np.float64)
