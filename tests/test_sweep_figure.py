"""The figure of a sweep shows every seed near the parameter it was trained at, and the exact curve as it is."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure

from cliffgym import scenario
from cliffgym.analysis import trace_line
from cliffgym.plots import save_figure, steps_of, sweep_figure

X = (0.1, 0.3, 1.0)
CLIFF_X, CLIFF_Y = (0.05, 0.5, 0.5, 1.2), (1.0, 1.0, 0.25, 0.25)
LEARNED = {
    "GRPO": np.array([[1.0, 0.9], [0.8, 0.7], [0.2, 0.3]]),
    "PPO": np.array([[0.6], [np.nan], [0.1]]),
}


def drawn(**options: Any) -> Figure:
    labels = {"xlabel": "penalty (reward)", "ylabel": "accuracy (probability)"}
    return sweep_figure(X, CLIFF_X, CLIFF_Y, LEARNED, **labels, **options)


def marks(figure: Figure) -> dict[str, np.ndarray]:
    """(2, N) x and y by label."""
    return {str(line.get_label()): np.array(line.get_data()) for line in figure.axes[0].lines}


@pytest.mark.parametrize("logarithmic", [False, True])
def test_every_seed_is_drawn_beside_its_place_and_no_two_series_on_each_other(logarithmic: bool) -> None:
    figure = drawn(logarithmic=logarithmic)
    shown = marks(figure)
    for label, values in LEARNED.items():
        x, y = shown[label]
        np.testing.assert_array_equal(y, values.ravel())
        np.testing.assert_allclose(x, np.repeat(X, values.shape[1]), atol=0.02)
    assert (shown["GRPO"][0][::2] < shown["PPO"][0]).all()
    assert figure.axes[0].get_xscale() == ("log" if logarithmic else "linear")
    if logarithmic:
        gaps = np.log10(shown["PPO"][0] / shown["GRPO"][0][::2])
        np.testing.assert_allclose(gaps, gaps[0])


def test_the_exact_curve_is_drawn_as_given_and_is_named() -> None:
    for name in ("exact optimum", "soft optimum"):
        figure = drawn() if name == "exact optimum" else drawn(exact_label=name)
        np.testing.assert_array_equal(marks(figure)[name], [CLIFF_X, CLIFF_Y])


def test_the_figure_explains_itself(tmp_path: Path) -> None:
    figure = drawn(title="Title")
    (axes,) = figure.axes
    assert (axes.get_title(), axes.get_xlabel(), axes.get_ylabel()) == (
        "Title",
        "penalty (reward)",
        "accuracy (probability)",
    )
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["exact optimum", *LEARNED]
    save_figure(figure, tmp_path / "sweep")


def test_a_logarithmic_axis_reads_in_plain_numbers(tmp_path: Path) -> None:
    save_figure(drawn(logarithmic=True), tmp_path / "sweep")
    svg = (tmp_path / "sweep.svg").read_text(encoding="utf-8")
    assert ">0.1<" in svg


def test_one_place_alone_is_drawn(tmp_path: Path) -> None:
    for logarithmic in (False, True):
        learned = {label: [[0.5]] for label in "ab"}
        figure = sweep_figure([0.1], [0.1], [0.5], learned, xlabel="", ylabel="", logarithmic=logarithmic)
        shown = marks(figure)
        assert 0 < float(shown["a"][0, 0]) < 0.1 < float(shown["b"][0, 0])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"x": 0.1}, r"x must have shape \(X,\) with X >= 1, got \(\)"),
        ({"learned": {}}, r"learned must have 1 to 4 series, got 0"),
        ({"learned": {str(i): np.zeros((3, 1)) for i in range(5)}}, r"learned must have 1 to 4 series, got 5"),
        ({"learned": {"PPO": np.zeros((2, 5))}}, r"learned must have shape \(3, seeds\), got \(2, 5\) in 'PPO'"),
        ({"exact_y": (1.0,)}, r"exact_x and exact_y must have the same shape, got \(4,\) and \(1,\)"),
        ({"x": (0.0, 0.3, 1.0), "logarithmic": True}, r"x must be > 0 on a logarithmic axis, got 0"),
        ({"exact_x": (-1.0, 0.5, 0.5, 1.2), "logarithmic": True}, r"x must be > 0 on a logarithmic axis, got -1"),
    ],
)
def test_what_cannot_be_drawn_is_refused(changes: dict[str, Any], message: str) -> None:
    given = {"x": X, "exact_x": CLIFF_X, "exact_y": CLIFF_Y, "learned": LEARNED, "xlabel": "", "ylabel": ""}
    with pytest.raises(ValueError, match=message):
        sweep_figure(**given | changes)


def test_the_steps_of_a_line_are_its_cliffs() -> None:
    made = scenario("Cliff-LengthPenalty-v0")
    price = -made.components["length"]
    line = trace_line(made.mdp, made.reward("incomplete"), price, 0.1, 1.1, components=made.components)
    x, y = steps_of(line, "correct")
    ends = [1 / 4, 1 / 3, 1 / 2, 1]  # difficulty d is given up at a price of 1/d
    np.testing.assert_allclose(x, [0.1, *np.repeat(ends, 2), 1.1])
    np.testing.assert_allclose(y, np.repeat([1, 0.75, 0.5, 0.25, 0], 2), atol=1e-12)
    with pytest.raises(ValueError, match='measure must be one of "correct"'):
        steps_of(line, "price")
