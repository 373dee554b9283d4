"""The figure of training shows every seed at every evaluation, and their means."""

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from cliffgym.plots import training_figure

TOKENS = [0, 100, 300]
OPEN, HIDDEN = np.array([[0.1, 0.5, 0.9], [0.1, 0.7, 1.0]]), np.array([[0.0, 0.2, 0.1], [0.0, 0.1, 0.0]])


@pytest.fixture(scope="module")
def figure() -> Figure:
    panels = {"weak": {"open": OPEN, "hidden": HIDDEN}, "pressure": {"hidden": 1 - HIDDEN}}
    return training_figure(TOKENS, panels, ylabel="probability", title="Title")


def curves(axes: Axes, colour: str) -> list[np.ndarray]:
    """(N,) heights of the lines of a colour, in the order in which they were drawn."""
    return [np.asarray(line.get_ydata()) for line in axes.lines if line.get_color() == colour]


def colour_of(axes: Axes, label: str) -> str:
    (line,) = [line for line in axes.lines if line.get_label() == label]
    return str(line.get_color())


def test_every_seed_is_drawn_and_then_their_mean(figure: Figure) -> None:
    weak, pressure = figure.axes
    for axes, label, values in ((weak, "open", OPEN), (weak, "hidden", HIDDEN), (pressure, "hidden", 1 - HIDDEN)):
        drawn = curves(axes, colour_of(axes, label))
        np.testing.assert_allclose(drawn, [*values, (values[0] + values[1]) / 2])
        for line in axes.lines:
            np.testing.assert_array_equal(line.get_xdata(), TOKENS)


def test_a_label_looks_the_same_in_every_panel_and_differs_from_the_others(figure: Figure) -> None:
    weak, pressure = figure.axes
    assert colour_of(weak, "hidden") == colour_of(pressure, "hidden") != colour_of(weak, "open")


def test_the_figure_explains_itself(figure: Figure) -> None:
    weak, pressure = figure.axes
    assert [axes.get_title() for axes in figure.axes] == ["weak", "pressure"]
    assert weak.get_ylabel() == "probability"
    assert "tokens" in pressure.get_xlabel()
    assert weak.get_ylim() == pressure.get_ylim()
    assert figure.get_suptitle() == "Title"
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["open", "hidden"]


@pytest.mark.parametrize(
    ("panels", "message"),
    [
        ({}, "panels must have at least one series each"),
        ({"weak": {}}, "panels must have at least one series each"),
        ({"weak": {"open": OPEN[:, :2]}}, r"panels must have shape \(seeds, 3\), got \(2, 2\) in 'weak', 'open'"),
        ({"weak": {"open": OPEN[0]}}, r"panels must have shape \(seeds, 3\), got \(3,\) in 'weak', 'open'"),
        ({"weak": {str(i): OPEN for i in range(5)}}, "panels must have at most 4 labels, got 5"),
    ],
)
def test_what_cannot_be_drawn_is_refused(panels: dict[str, dict[str, np.ndarray]], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        training_figure(TOKENS, panels, ylabel="probability")
