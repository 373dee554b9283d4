"""The demo's figure shows the data it is given, and its files are whole, deterministic and readable."""

import struct
import sys
import xml.etree.ElementTree as ET
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure

from cliffgym.plots import DemoData, demo_figure, new_figure, save_figure, standardisation_figure

BONUSES = (-0.05, 0.0, 0.1)


def made_up_data(seeds: int = 2) -> DemoData:
    generator = np.random.default_rng(0)
    return DemoData(
        bonuses=BONUSES,
        ent_coefs=(0.0, 0.1),
        shares=generator.random((2, len(BONUSES), seeds)),
        returns=generator.uniform(1, 2, size=(2, seeds)),
        scenarios=["Cliff-Slacker-v0", "Cliff-Sophistry-v0"],
        values=np.array([[1.0, 1.5, 2.0, 2.0], [0.4, 0.4, 0.4, 0.8]]),
    )


@pytest.fixture(scope="module")
def figure() -> Figure:
    return demo_figure(made_up_data())


def lines(figure: Figure, axes: int) -> dict[str, np.ndarray]:
    """(2, N) x and y of the labelled lines of one of the axes."""
    return {str(line.get_label()): np.array(line.get_data()) for line in figure.axes[axes].lines}


def words(figure: Figure) -> str:
    parts = [text.get_text() for axes in figure.axes for text in axes.texts]
    for axes in figure.axes:
        parts += [axes.get_title(), axes.get_xlabel(), axes.get_ylabel()]
        parts += [label.get_text() for label in axes.get_yticklabels()]
    return "\n".join(parts)


# The figure


def test_the_agents_are_drawn_where_they_ended(figure: Figure) -> None:
    data, drawn = made_up_data(), lines(figure, 0)
    for ent_coef, shares in zip(("0", "0.1"), data.shares, strict=True):
        x, y = drawn[f"PPO, ent_coef {ent_coef}"]
        np.testing.assert_allclose(x, np.repeat(BONUSES, 2), atol=0.005)  # side by side
        np.testing.assert_array_equal(y, shares.ravel())
    for row, returns in enumerate(data.returns):
        x, y = np.array(figure.axes[1].lines[row].get_data())
        np.testing.assert_allclose(x, row, atol=0.2)
        np.testing.assert_array_equal(y, returns)


def test_the_exact_curves_are_the_cliff_and_the_slope(figure: Figure) -> None:
    drawn = lines(figure, 0)
    x, y = drawn["exact, temperature 0.1"]
    np.testing.assert_allclose(y, np.exp(x / 0.1) / (np.exp(x / 0.1) + 3))
    x, y = drawn["exact optimum"]
    assert x[0] == 0
    assert (y == 1).all()


def test_the_interval_of_slacker_and_the_regrets_of_all_are_drawn(figure: Figure) -> None:
    assert "1 to 2" in words(figure)
    bars = [line.get_xdata() for line in figure.axes[2].lines if len(np.ravel(line.get_xdata())) == 2]
    assert any(np.allclose(bar, [1.0, 0.0]) for bar in bars)
    assert any(np.allclose(bar, [0.4, 0.4]) for bar in bars)


def test_the_figure_explains_itself(figure: Figure) -> None:
    text = words(figure)
    for axes in figure.axes:
        assert axes.get_title()
        assert axes.get_xlabel()
    assert "Slacker" in text
    assert "Sophistry" in text
    assert "bonus on json (reward)" in text
    legend = figure.axes[0].get_legend()
    assert legend is not None
    assert len(legend.get_texts()) == 4


@pytest.mark.parametrize("seeds", [1, 5])
def test_any_number_of_agents_is_drawn(seeds: int, tmp_path: Path) -> None:
    save_figure(demo_figure(made_up_data(seeds)), tmp_path / "demo")


def test_other_bonuses_stay_inside_the_axes() -> None:
    figure = demo_figure(replace(made_up_data(), bonuses=(-1.0, 0.0, 2.0)))
    low, high = figure.axes[0].get_xlim()
    assert low < -1
    assert high > 2


# The files


def test_both_files_are_written_and_named(figure: Figure, tmp_path: Path) -> None:
    stem = tmp_path / "folder" / "figure.v1"
    assert save_figure(figure, stem) == [tmp_path / "folder" / "figure.v1.png", tmp_path / "folder" / "figure.v1.svg"]
    assert sorted(path.name for path in stem.parent.iterdir()) == ["figure.v1.png", "figure.v1.svg"]


def test_the_png_has_the_size_of_the_figure(tmp_path: Path) -> None:
    png, _ = save_figure(new_figure(4, 3)[0], tmp_path / "figure")
    content = png.read_bytes()
    assert content[:8] == b"\x89PNG\r\n\x1a\n"
    assert struct.unpack(">II", content[16:24]) == (4 * 160, 3 * 160)


def test_the_svg_is_xml_with_text_as_text(figure: Figure, tmp_path: Path) -> None:
    _, svg = save_figure(figure, tmp_path / "figure")
    root = ET.parse(svg).getroot()  # noqa: S314  (our own file)
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    texts = ["".join(node.itertext()) for node in root.iter("{http://www.w3.org/2000/svg}text")]
    assert "P(json)" in texts


def test_equal_data_make_equal_files(tmp_path: Path) -> None:
    first, second = (save_figure(demo_figure(made_up_data()), tmp_path / name) for name in ("first", "second"))
    for one, other in zip(first, second, strict=True):
        assert one.read_bytes() == other.read_bytes()


def test_axes_stand_side_by_side() -> None:
    figure, axes = new_figure(6, 2, columns=3)
    assert figure.axes == axes
    assert len(axes) == 3
    assert tuple(figure.get_size_inches()) == (6, 2)


def test_drawing_leaves_the_users_settings_alone() -> None:
    import matplotlib as mpl

    before = dict(mpl.rcParams)
    demo_figure(made_up_data())
    assert dict(mpl.rcParams) == before


def test_a_missing_matplotlib_is_told_with_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ImportError, match=r"figures need matplotlib.*pip install 'cliffgym\[plots\]'"):
        demo_figure(made_up_data())


# What standard deviations do


def test_every_seed_of_every_algorithm_is_drawn() -> None:
    learned = {"PPO": np.full((3, 2), 0.25), "GRPO": np.array([[0.2, 0.3], [0.9, 1.0], [1.0, 1.0]])}
    figure = standardisation_figure([0.0, 0.001, 0.1], [0.25, 0.252, 0.475], learned, title="Title")
    (axes,) = figure.axes
    drawn = {str(line.get_label()): line for line in axes.lines}
    assert list(drawn) == ["exact soft optimum", "PPO", "GRPO"]
    np.testing.assert_array_equal(drawn["GRPO"].get_ydata(), [0.2, 0.3, 0.9, 1.0, 1.0, 1.0])
    assert [tick.get_text() for tick in axes.get_xticklabels()] == ["0", "0.001", "0.1"]
    assert (np.diff(np.asarray(drawn["exact soft optimum"].get_xdata())) > 0).all()
    assert axes.get_title() == "Title"


def test_more_algorithms_than_can_be_told_apart_are_refused() -> None:
    learned = {str(i): np.zeros((2, 1)) for i in range(5)}
    with pytest.raises(ValueError, match="learned must have at most 4 algorithms, got 5"):
        standardisation_figure([0.0, 0.1], [0.25, 0.3], learned)
