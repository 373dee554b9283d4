"""Figures of the analysis: what is drawn is what was computed, nothing is cut off, and files are well-formed."""

import itertools
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.text import Text

import cliffgym
from cliffgym import TabularMDP
from cliffgym.analysis.intervals import RegretInterval, regret_interval
from cliffgym.analysis.line import Line
from cliffgym.analysis.plane import PhaseDiagram, phase_diagram
from cliffgym.analysis.weights import split_reward, trace_weights, with_returns
from cliffgym.plots import (
    OPTIMAL_RETURN,
    SoftCurve,
    interval_figure,
    line_figure,
    lipschitz_figure,
    new_figure,
    phase_figure,
    save_figure,
    soft_curves,
    tree_figure,
)
from cliffgym.plots.style import spread
from cliffgym.testing import random_mdp, random_policy

ORANGE, BLUE = "#d55e00", "#0072b2"
SLACKER = cliffgym.scenario("Cliff-Slacker-v0")
BREAKER = cliffgym.scenario("Cliff-TieBreaker-v0")
LENGTH = cliffgym.scenario("Cliff-LengthPenalty-v0")


def length_line(**sizes: Any) -> Line:
    scenario = cliffgym.scenario("Cliff-LengthPenalty-v0", **sizes)
    return trace_weights(scenario, "length", -1.2, 0.2)


def breaker_curves() -> tuple[SoftCurve, ...]:
    base, direction = split_reward(BREAKER, "true", "target_format")
    positions = np.linspace(-0.2, 0.2, 21)
    return soft_curves(BREAKER.mdp, base, direction, positions, (0.01, 0.03, 0.1), with_returns(BREAKER))


def length_diagram(difficulties: tuple[int, ...] = (1, 2, 3, 4), max_length: int = 8) -> PhaseDiagram:
    scenario = cliffgym.scenario("Cliff-LengthPenalty-v0", difficulties=difficulties, max_length=max_length)
    tables = [scenario.components[name] for name in ("correct", "overlong", "length")]
    return phase_diagram(scenario.mdp, tables, (-2, 1), (-1, 0.3), components=scenario.components)


def intervals() -> dict[str, RegretInterval]:
    true = SLACKER.reward("true")
    return {name: regret_interval(SLACKER.mdp, SLACKER.reward(name), true) for name in SLACKER.rewards}


def slacker_tree(**arguments: Any) -> Any:
    optimum = cliffgym.optimal(SLACKER.mdp, SLACKER.reward("incomplete"))
    return tree_figure(SLACKER.mdp, optimum.policy, 1, optimum.optimal_actions, **arguments)


def drawn(figure: Any) -> list[Any]:
    """A figure's axes, whose artists matplotlib's annotations know too little about."""
    return list(figure.axes)


def texts(axes: Any) -> list[str]:
    return [text.get_text() for text in axes.texts]


FIGURES: dict[str, Callable[[], Any]] = {
    "line": lambda: line_figure(length_line(), ("length", "true_return"), title="LengthPenalty"),
    "line with curves": lambda: line_figure(
        trace_weights(BREAKER, "target_format", -0.2, 0.2), "target_format", curves=breaker_curves()
    ),
    "crowded line": lambda: line_figure(length_line(difficulties=tuple(range(1, 19)), max_length=20), "length"),
    "phases": lambda: phase_figure(length_diagram(), "length", title="LengthPenalty"),
    "crowded phases": lambda: phase_figure(
        length_diagram(tuple(range(1, 11)), 12),
        lambda cell: "\n".join(f"{k} {v:g}" for k, v in cell.components.items()),
    ),
    "scatter": lambda: lipschitz_figure({"a": [0.0, 1.0], "b": [2.0, 3.0]}, {"a": [1.0, 2.0], "b": [2.0, 2.9]}),
    "intervals": lambda: interval_figure(intervals(), title="Slacker"),
    "tree": lambda: slacker_tree(leaf_texts=SLACKER.outcomes),
    "deep tree": lambda: tree_figure(LENGTH.mdp, cliffgym.uniform_policy(LENGTH.mdp), 1),
}


@pytest.mark.parametrize("name", FIGURES)
def test_files_are_well_formed_and_no_text_is_cut_off(name: str, tmp_path: Path) -> None:
    figure = FIGURES[name]()
    png, svg = save_figure(figure, tmp_path / "figure")
    assert png.read_bytes().startswith(b"\x89PNG\r\n")
    assert ET.fromstring(svg.read_bytes()).tag == "{http://www.w3.org/2000/svg}svg"  # noqa: S314
    figure.draw_without_rendering()
    legends = [text for legend in figure.legends for text in legend.get_texts()]
    width, height = figure.get_size_inches() * figure.dpi
    shown: list[Text] = [*figure.texts, *legends, *(text for axes in figure.axes for text in axes.texts)]
    boxes = [Text.get_window_extent(text) for text in shown if text.get_text()]  # without arrows
    for text, box in zip((text for text in shown if text.get_text()), boxes, strict=True):
        assert box.x0 >= -1, text
        assert box.y0 >= -1, text
        assert box.x1 <= width + 1, text
        assert box.y1 <= height + 1, text
    for one, other in itertools.combinations(boxes, 2):
        assert not one.padded(-2).overlaps(other.padded(-2)), (one, other)


@given(st.lists(st.floats(-5, 5), max_size=12), st.floats(0.01, 2))
def test_labels_are_spread_in_order_and_far_enough_apart(positions: list[float], gap: float) -> None:
    positions.sort()
    places = spread(positions, gap)
    assert (np.diff(places) >= gap - 1e-9).all()
    assert places.sum() == pytest.approx(sum(positions), abs=1e-9)  # pushed to both sides alike
    if len(positions) > 1 and np.diff(positions).min() > gap:
        np.testing.assert_allclose(places, positions, atol=1e-12)


def test_line_draws_exact_steps_and_labels_breakpoints() -> None:
    figure = line_figure(length_line(), "length", position_label="weight of length (reward per token)")
    (axes,) = drawn(figure)
    steps = [line for line in axes.lines if line.get_color() == ORANGE and line.get_linewidth() == 2.4]
    expected = [
        (-1.2, -1, 0),
        (-1, -1 / 2, 0.25),
        (-1 / 2, -1 / 3, 0.75),
        (-1 / 3, -1 / 4, 1.5),
        (-1 / 4, 0, 2.5),
        (0, 0.2, 8),
    ]
    assert len(steps) == len(expected)
    for step, (start, stop, value) in zip(steps, expected, strict=True):
        np.testing.assert_allclose(step.get_xdata(), [start, stop], atol=1e-12)
        np.testing.assert_allclose(step.get_ydata(), value, atol=1e-12)
    assert texts(axes) == ["-1", "-0.5", "-0.3333", "-0.25", "0"]
    assert axes.get_xlim() == (-1.2, 0.2)
    assert axes.get_xlabel() == "weight of length (reward per token)"
    assert axes.get_ylabel() == "expected length (per trace)"


def test_line_draws_the_optimal_return_as_a_broken_line() -> None:
    line = length_line()
    (axes,) = drawn(line_figure(line, OPTIMAL_RETURN))
    steps = [step for step in axes.lines if step.get_linewidth() == 2.4]
    for step, segment in zip(steps, line.segments, strict=True):
        for t, value in zip(step.get_xdata(), step.get_ydata(), strict=True):
            table = LENGTH.reward({"correct": 1, "length": float(t)})
            assert value == pytest.approx(cliffgym.optimal(LENGTH.mdp, table).expected_return, abs=1e-12)
        assert (segment.start, segment.stop) == tuple(step.get_xdata())
    for one, other in itertools.pairwise(steps):  # convex, hence without gaps
        assert one.get_ydata()[1] == pytest.approx(other.get_ydata()[0], abs=1e-12)
    assert axes.get_ylabel() == "optimal_return (reward)"


def test_soft_curves_are_the_closed_form_and_are_drawn_in_different_styles() -> None:
    curves = breaker_curves()
    for curve in curves:
        # A right answer earns 1 more, so at temperature T it has weight e^(1/T); any answer may be followed by json.
        weight = np.exp(curve.positions / curve.temperature)
        np.testing.assert_allclose(curve.values["target_format"], weight / (weight + 3), atol=1e-12)
    line = trace_weights(BREAKER, "target_format", -0.2, 0.2)
    figure = line_figure(line, ("target_format", "true_return"), curves=curves)
    assert len(figure.axes) == 2
    for axes in drawn(figure):
        soft = [curve for curve in axes.lines if str(curve.get_label()).startswith("soft")]
        assert len({curve.get_linestyle() for curve in soft}) == len({curve.get_color() for curve in soft}) == 3
    labels = [text.get_text() for text in figure.legends[0].get_texts()]
    assert labels == ["exact optimum", *(f"soft, temperature {t:g}" for t in (0.01, 0.03, 0.1))]


def test_a_line_of_very_many_breakpoints_counts_them() -> None:
    line = length_line(difficulties=tuple(range(1, 31)), max_length=30)
    assert len(line.breakpoints) > 24
    (axes,) = drawn(line_figure(line, "length"))
    assert not axes.texts
    assert axes.get_title() == f"{len(line.breakpoints)} breakpoints"


def test_line_refuses_what_it_cannot_draw() -> None:
    line = length_line()
    with pytest.raises(
        ValueError, match=r'measure must be one of "correct", .*"optimal_return", got .wit. of the line'
    ):
        line_figure(line, "wit")
    short = SoftCurve(0.1, np.array([0.0, 0.1]), {"length": np.array([1.0])})
    with pytest.raises(ValueError, match=r"values of 'length' must have shape \(2,\) at temperature 0.1, got \(1,\)"):
        line_figure(line, "length", curves=[short])


def test_phases_are_the_cells_with_their_outcomes() -> None:
    tables = [SLACKER.components[name] for name in ("correct", "instructions", "effort")]
    diagram = phase_diagram(SLACKER.mdp, tables, (-1, 1), (-1, 1), components=SLACKER.components)
    (axes,) = drawn(phase_figure(diagram, "effort", x_label="x (reward)", y_label="y (reward)"))
    assert len(axes.patches) == 2
    for patch, cell in zip(axes.patches, diagram.cells, strict=True):
        np.testing.assert_array_equal(patch.get_xy()[:-1], cell.vertices)  # exact borders: no pixels
    assert sorted(texts(axes)) == ["effort 0", "effort 2"]
    assert len({patch.get_facecolor() for patch in axes.patches}) == 2
    assert len({patch.get_hatch() for patch in axes.patches}) == 2
    assert (axes.get_xlim(), axes.get_ylim()) == ((-1, 1), (-1, 1))
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("x (reward)", "y (reward)")


def test_labels_lie_in_their_cells_and_cells_of_one_label_look_alike() -> None:
    diagram = length_diagram()
    figure = phase_figure(diagram, lambda cell: "right" if cell.components["correct"] == 1 else "sometimes wrong")
    (axes,) = drawn(figure)
    assert len({(patch.get_facecolor(), patch.get_hatch()) for patch in axes.patches}) == 2
    words = {"1": "right", "2": "sometimes wrong"} if figure.legends else {}
    for text in axes.texts:
        cell = diagram.at(*text.get_position())
        name = "right" if cell.components["correct"] == 1 else "sometimes wrong"
        assert text.get_text() == name or words.get(text.get_text()) is not None


def test_labels_too_long_for_their_cells_are_numbers_explained_beside() -> None:
    diagram = length_diagram()
    long = [f"an outcome of so many words that no cell has room for them: {i}" for i in range(len(diagram.cells))]
    names = dict(zip(map(id, diagram.cells), long, strict=True))
    figure = phase_figure(diagram, lambda cell: names[id(cell)])
    listed = [text.get_text().replace("\n", " ") for text in figure.legends[0].get_texts()]
    assert listed == [f"{i}: {name}" for i, name in enumerate(long, 1)]
    for text in figure.axes[0].texts:
        assert diagram.at(*text.get_position()) is diagram.cells[int(text.get_text()) - 1]


def test_phases_refuse_an_unknown_component() -> None:
    with pytest.raises(ValueError, match=r"component must be one of .*, got 'wit' of the diagram"):
        phase_figure(length_diagram(), "wit")


def test_scatter_draws_every_pair_the_line_and_what_lies_above_it() -> None:
    figure = lipschitz_figure([0.0, 0.5, 1.0, 3.0], [1.0, 1.0, 1.0, 2.0], quantity="change", unit="reward")
    (axes,) = drawn(figure)
    labels = [str(line.get_label()) for line in axes.lines]
    assert labels == ["measured = bound", "4 pairs", "measured 0: 1", "above the bound: 1"]
    diagonal, points, zeros, above = axes.lines
    np.testing.assert_array_equal(diagonal.get_xdata(), diagonal.get_ydata())
    np.testing.assert_array_equal(points.get_xydata(), [(1, 0.5), (1, 1), (2, 3)])
    np.testing.assert_array_equal(above.get_xydata(), [(2, 3)])
    assert axes.get_ylim()[0] < zeros.get_ydata()[0] < 0.5
    assert (axes.get_xscale(), axes.get_yscale()) == ("log", "log")
    assert axes.get_ylabel() == "measured change (reward)"


def test_a_scatter_of_zeros_alone_and_of_groups_can_be_drawn() -> None:
    assert len(lipschitz_figure([0.0], [1.0]).axes[0].lines) == 3
    (axes,) = drawn(lipschitz_figure({"KL": [0.1], "entropy": [0.2]}, {"entropy": [1], "KL": [1]}))
    assert [line.get_label() for line in axes.lines[1:]] == ["KL (1 pairs)", "entropy (1 pairs)"]
    assert len({line.get_marker() for line in axes.lines}) == 3


@pytest.mark.parametrize(
    ("measured", "bound", "message"),
    [
        ([], [], r"must have shape \(N,\), got \(0,\) and \(0,\)"),
        ([1.0], [1.0, 2.0], r"must have shape \(N,\), got \(1,\) and \(2,\)"),
        ([-1.0], [1.0], r"measured must be >= 0 and finite, got -1.0 at 0"),
        ([1.0, 2.0], [1.0, 0.0], r"bound must be > 0 and finite, got 0.0 at 1"),
        ([np.nan], [1.0], r"measured must be >= 0 and finite, got nan"),
        ([1.0], [np.inf], r"bound must be > 0 and finite, got inf"),
        ({"a": [1.0]}, {"b": [1.0]}, r"must have the same names, got \['a'\] and \['b'\]"),
        ({"a": [-1.0]}, {"a": [1.0]}, r"got -1.0 at 0 in 'a'"),
        ({}, {}, r"must have the same names, got \[\] and \[\]"),
    ],
)
def test_scatter_refuses_bad_pairs(measured: Any, bound: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        lipschitz_figure(measured, bound)


def test_interval_bars_are_the_intervals() -> None:
    rows = intervals()
    (axes,) = drawn(interval_figure(rows))
    assert [label.get_text() for label in axes.get_yticklabels()] == list(rows)
    bars = [line for line in axes.lines if line.get_linewidth() == 9]
    dots = [line for line in axes.lines if line.get_marker() == "o"]
    optima = [line for line in axes.lines if line.get_marker() == "^"]
    for interval, bar, dot, optimum in zip(rows.values(), bars, dots, optima, strict=True):
        assert list(bar.get_xdata()) == [interval.worst, interval.best]
        assert list(dot.get_xdata()) == [interval.uniform]
        assert list(optimum.get_xdata()) == [interval.optimum]
        assert bar.get_ydata()[0] == dot.get_ydata()[0]
    with pytest.raises(ValueError, match="rows must hold an interval at least"):
        interval_figure({})


def test_tree_shows_every_trace_with_its_probability_and_marks_ties() -> None:
    figure = slacker_tree(leaf_texts=SLACKER.outcomes)
    (axes,) = drawn(figure)
    edges = [line for line in axes.lines if len(line.get_xdata()) == 3]
    nodes = [line for line in axes.lines if line.get_marker() == "o"]
    assert (len(edges), len(nodes)) == (9, 10)  # 3 answers, and after the right one 2 + 4 instructions
    assert sum(line.get_color() == ORANGE for line in edges) == 6
    assert sorted({line.get_linewidth() for line in edges}) == [0.8, 2.8, 4.8]  # probability 0, 1/2, 1
    assert sum(line.get_linestyle() == ":" for line in edges) == 2
    shown = texts(axes)
    assert shown.count("= comply 0.5") == shown.count("= ignore 0.5") == 3
    assert {"answer_0 0", "answer_1 1", "answer_2 0", "prompt 1"} <= set(shown)
    assert shown.count("0.25  right answer, 1 of 2 instructions followed") == 2
    assert shown.count("0  wrong answer") == 2


def test_tree_follows_chance_and_numbers_what_has_no_names() -> None:
    """One step, two successors: an edge each, and the ends' probabilities sum to 1."""
    mdp = TabularMDP(
        successors=[[[1, 2], [1, 1]], [[1, 1], [1, 1]], [[2, 2], [2, 2]]],  # type: ignore[arg-type]
        probabilities=[[[0.25, 0.75], [0.5, 0.5]]] + [[[1.0, 0.0]] * 2] * 2,  # type: ignore[arg-type]
        initial=[1, 0, 0],  # type: ignore[arg-type]
        terminal=[False, True, True],  # type: ignore[arg-type]
        gamma=1.0,
    )
    (axes,) = drawn(tree_figure(mdp, [[0.4, 0.6], [1, 0], [1, 0]], 0))
    assert {"action 0 (chance 0.25) 0.1", "action 0 (chance 0.75) 0.3", "action 1 0.6"} <= set(texts(axes))
    assert {"0.1  state 1", "0.3  state 2", "0.6  state 1"} <= set(texts(axes))
    assert not any("tied" in text.get_text() for text in axes.figure.texts)


def test_ends_of_random_trees_carry_all_probability() -> None:
    for seed in range(5):
        mdp = random_mdp(seed, num_states=4, illegal=0.0)
        root = int(mdp.heights.argmax())
        (axes,) = drawn(tree_figure(mdp, random_policy(mdp, seed), root))
        ends = [float(text.split()[0]) for text in texts(axes) if "  state" in text]
        assert sum(ends) == pytest.approx(1, abs=0.01 * len(ends))


def test_illegal_tokens_are_drawn_only_if_the_policy_takes_them() -> None:
    assert not any("malformed" in text for text in texts(slacker_tree().axes[0]))
    everything = np.full((SLACKER.mdp.num_states, SLACKER.mdp.num_actions), 0.2)
    (axes,) = drawn(tree_figure(SLACKER.mdp, everything, 1))
    assert "comply 0.2" in texts(axes)
    assert any("malformed" in text for text in texts(axes))


def test_tree_refuses_what_cannot_be_drawn() -> None:
    mdp, policy = SLACKER.mdp, cliffgym.uniform_policy(SLACKER.mdp)
    end = int(np.flatnonzero(mdp.terminal)[0])
    with pytest.raises(ValueError, match=f"root must not be terminal, got state {end}"):
        tree_figure(mdp, policy, end)
    with pytest.raises(ValueError, match=r"root must be in \[0, 40\], got 41"):
        tree_figure(mdp, policy, 41)
    with pytest.raises(ValueError, match=r"policy must have shape \(S, A\) = \(41, 5\), got \(2, 5\)"):
        tree_figure(mdp, policy[:2], 0)
    with pytest.raises(ValueError, match=r"optimal_actions must have shape \(S, A\) = \(41, 5\), got \(41, 2\)"):
        tree_figure(mdp, policy, 0, policy[:, :2] > 0)
    with pytest.raises(ValueError, match="leaf_texts must have 41 entries, got 1"):
        tree_figure(mdp, policy, 0, leaf_texts=["end"])
    cyclic = random_mdp(0, cycles="free")
    root = int(np.flatnonzero(cyclic.heights < 0)[0])
    with pytest.raises(ValueError, match=f"root must not lead into a cycle, got state {root}"):
        tree_figure(cyclic, cliffgym.uniform_policy(cyclic), root)
    for sizes in ({"problems": 1, "instructions": 6}, {"problems": 1, "answers": 80}):
        large = cliffgym.scenario("Cliff-Slacker-v0", **sizes)
        with pytest.raises(ValueError, match="at most 60 ends and 14 steps, got more at state"):
            tree_figure(large.mdp, cliffgym.uniform_policy(large.mdp), 0)
    deep = cliffgym.scenario("Cliff-LengthPenalty-v0", max_length=20)
    with pytest.raises(ValueError, match="at most 60 ends and 14 steps, got more at state"):
        tree_figure(deep.mdp, cliffgym.uniform_policy(deep.mdp), 0)


def test_names_that_others_use_stay_importable() -> None:
    from cliffgym import plots

    assert {"DemoData", "demo_figure", "new_figure", "save_figure"} <= set(plots.__all__)
    assert len(new_figure(3, 2, columns=2)[1]) == 2
    assert all(hasattr(plots, name) for name in plots.__all__)


@pytest.mark.parametrize("name", FIGURES)
def test_every_figure_names_the_extra_that_it_needs(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ImportError, match=r"cliffgym\[plots\]"):
        FIGURES[name]()
