"""Cliffs in the scenarios' own words: derived by hand, from every trace in fractions, and on a grid around them."""

import itertools
from collections.abc import Mapping
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

import cliffgym
from cliffgym import Scenario, optimal
from cliffgym.analysis import Line
from cliffgym.analysis.ties import reachable_under
from cliffgym.analysis.weights import split_reward, trace_weights, with_returns

LINES: dict[str, tuple[str, str, float, float, str | dict[str, float], list[Fraction]]] = {
    name: (id, component, start, stop, reward, [Fraction(point) for point in points])
    for name, id, component, start, stop, reward, points in [
        ("price of length", "LengthPenalty", "length", -2, 1, "true", ["-1", "-1/2", "-1/3", "-1/4", "0"]),
        (
            "length, budgeted",
            "LengthPenalty",
            "length",
            -2,
            2,
            "truncation",
            ["-1", "-1/2", "-1/3", "-1/4", "0", "1/4"],
        ),
        ("gullibility", "Sophistry", "fooled", 0, 1, "incomplete", ["1/4", "2/3", "7/8"]),
        ("gullibility, far", "Sophistry", "fooled", -9, 9, {"correct": 1}, ["1/4", "2/3", "7/8"]),
        ("bonus", "TieBreaker", "target_format", -0.2, 0.2, "true", ["0"]),
        ("price of an answer", "TieBreaker", "correct", -1, 1, "true", ["0"]),
        ("instructions", "Slacker", "instructions", -2, 2, "true", ["0"]),
        ("effort", "Slacker", "effort", -2, 2, "incomplete", ["0"]),
        ("laziness", "Slacker", "correct", -1, 1, "lazy", ["0"]),
        ("right, but obedient", "Slacker", "correct", -3, 3, "true", ["-1"]),
        ("all or nothing", "Slacker", "all_instructions", -3, 3, "true", ["-1/2"]),
        # Priced, a target below d is worth missing up to 1/(d - target); paid, a target of 8 is given up at 1/d.
        ("deviation", "LengthControl", "deviation", -2, 2, "lcpo", ["-1", "-1/2", "0", "1/4", "1/3", "1/2", "1"]),
    ]
}
lines = pytest.mark.parametrize("name", LINES)


def traced(name: str, **settings: Any) -> tuple[Scenario, Line, list[Fraction]]:
    id, component, start, stop, reward, points = LINES[name]
    scenario = cliffgym.scenario(f"Cliff-{id}-v0")
    return scenario, trace_weights(scenario, component, start, stop, reward, **settings), points


def totals_of_traces(scenario: Scenario, *tables: Any) -> list[set[tuple[Fraction, ...]]]:
    """For each prompt, what every trace of legal tokens earns under each table, in fractions."""
    mdp = scenario.mdp
    every = []
    for prompt_state in scenario.prompt_states.tolist():
        ends, open_traces = set(), [(prompt_state, (Fraction(0),) * len(tables))]
        while open_traces:
            state, earned = open_traces.pop()
            if mdp.terminal[state]:
                ends.add(earned)
                continue
            for token in np.flatnonzero(mdp.action_mask[state]).tolist():
                pay = (Fraction(float(table[state, token])).limit_denominator(10**6) for table in tables)
                total = tuple(old + new for old, new in zip(earned, pay, strict=True))
                open_traces.append((int(mdp.successors[state, token, 0]), total))
        every.append(ends)
    return every


def kinks(lines: set[tuple[Fraction, ...]], start: float, stop: float) -> set[Fraction]:
    """Where the upper envelope of lines base + slope · t bends, strictly between start and stop."""
    points = set[Fraction]()
    for (base, slope), (other, steeper) in itertools.combinations(sorted(lines, key=lambda line: line[1]), 2):
        if slope == steeper:
            continue
        t = (base - other) / (steeper - slope)
        if start < t < stop and base + slope * t == max(b + s * t for b, s in lines):
            points.add(t)
    return points


@lines
def test_breakpoints_are_exact_and_none_is_spurious(name: str) -> None:
    _, line, points = traced(name)
    assert [point.position for point in line.breakpoints] == pytest.approx([float(p) for p in points], abs=1e-12)


@lines
def test_the_facts_themselves_follow_from_every_trace(name: str) -> None:
    id, component, start, stop, reward, points = LINES[name]
    scenario = cliffgym.scenario(f"Cliff-{id}-v0")
    traces = totals_of_traces(scenario, *split_reward(scenario, reward, component))
    assert sorted(set().union(*(kinks(lines, start, stop) for lines in traces))) == points


@lines
def test_a_grid_around_breakpoints_sees_the_same(name: str) -> None:
    id, component, start, stop, reward, points = LINES[name]
    scenario = cliffgym.scenario(f"Cliff-{id}-v0")
    base, direction = split_reward(scenario, reward, component)

    def behaviour(t: float) -> bytes:
        actions = optimal(scenario.mdp, base + t * direction, tie_tolerance=1e-12).optimal_actions
        return (actions & reachable_under(scenario.mdp, actions)[:, None]).tobytes()

    edges = [start, *(float(p) for p in points), stop]
    stretches = []
    for low, high in itertools.pairwise(edges):
        grid = [low + 1e-6, *np.linspace(low, high, 23)[1:-1], high - 1e-6]
        seen = {behaviour(t) for t in grid}
        assert len(seen) == 1, "constant between breakpoints"
        stretches.append(seen.pop())
    assert all(before != after for before, after in itertools.pairwise(stretches))


def test_accuracy_falls_off_four_cliffs_of_price() -> None:
    _, line, _ = traced("price of length")
    assert [s.components["correct"] for s in line.segments[:-1]] == pytest.approx([0, 0.25, 0.5, 0.75, 1], abs=1e-12)
    assert line.at(-0.02).components["length"] == pytest.approx(2.5, abs=1e-12)
    assert line.at(0.02).components["length"] == pytest.approx(8, abs=1e-12)
    assert line.breakpoints[0].jumps["correct"] == pytest.approx(0.25, abs=1e-12)
    assert line.breakpoints[-1].jumps["length"] == pytest.approx(5.5, abs=1e-12)
    # The segments after the price of 0 pay for length, and report returns under the scenario's own rewards.
    assert line.at(0.02).components["true_return"] == pytest.approx(1 - 0.02 * 8, abs=1e-12)
    assert line.breakpoints[-1].jumps["true_return"] == pytest.approx(-0.02 * 5.5, abs=1e-12)
    assert line.breakpoints[0].jumps["incomplete_return"] == pytest.approx(0.25, abs=1e-12)
    assert len(line.breakpoints[-1].states) == 22


def test_gullibility_raises_approval_and_lowers_correctness() -> None:
    _, line, _ = traced("gullibility")
    first, last = line.segments[0], line.at(0.9)
    assert first.intercept == pytest.approx(0.8, abs=1e-12)
    assert first.slope == pytest.approx(0, abs=1e-12)
    assert last.intercept + 0.9 * last.slope == pytest.approx(0.94, abs=1e-12)
    assert (first.components["correct"], last.components["correct"]) == pytest.approx((0.8, 0.4), abs=1e-12)
    assert [p.total_variation for p in line.breakpoints] == pytest.approx([1, 1, 1], abs=1e-12)
    jumps = [point.jumps["true_return"] for point in line.breakpoints]
    assert jumps == pytest.approx([-0.1 / 3, -0.4 / 3, -0.7 / 3], abs=1e-12)


def test_a_bonus_moves_every_format_state() -> None:
    scenario, line, _ = traced("bonus")
    below, above = line.segments
    json = scenario.tokens.index("json")
    states = line.breakpoints[0].states
    assert len(states) == 4
    assert (above.policy[states, json] == 1).all()
    np.testing.assert_allclose(below.policy[states].max(axis=1), 1 / 3, rtol=1e-12)
    assert len(traced("bonus", reachable_only=False)[1].breakpoints[0].states) == 12


def test_every_state_has_more_cliffs_than_behaviour_has() -> None:
    """After two embellishments, the question is another one than it was at the start."""
    _, everywhere, points = traced("gullibility", reachable_only=False)
    found = [point.position for point in everywhere.breakpoints]
    assert len(found) > len(points)
    for point in points:
        assert min(abs(position - point) for position in found) < 1e-12


def test_rewards_by_name_and_by_weights_agree() -> None:
    scenario = cliffgym.scenario("Cliff-LengthPenalty-v0", penalty=0.3)
    named = trace_weights(scenario, "length", -2, 1)
    weighted: Mapping[str, float] = {"correct": 1.0, "length": 123.0}  # its own weight does not matter
    given = trace_weights(scenario, "length", -2, 1, weighted)
    assert [p.position for p in named.breakpoints] == [p.position for p in given.breakpoints]
    assert named.segments[0].components == given.segments[0].components


def test_returns_are_measures_of_every_policy() -> None:
    scenario = cliffgym.scenario("Cliff-Slacker-v0")
    measures = with_returns(scenario)
    assert measures.names == (*scenario.components.names, "incomplete_return", "true_return")
    np.testing.assert_array_equal(measures["true_return"], scenario.reward("true"))
    np.testing.assert_array_equal(measures["incomplete_return"], scenario.reward("incomplete"))
    assert len(split_reward(scenario, "true", "correct", "effort")) == 3


def test_bad_input() -> None:
    scenario = cliffgym.scenario("Cliff-Slacker-v0")
    with pytest.raises(ValueError, match=r'component must be one of "correct", .*, got \'style\''):
        trace_weights(scenario, "style", 0, 1)
    with pytest.raises(ValueError, match=r'reward must be one of "incomplete", "true", "lazy", got \'best\''):
        trace_weights(scenario, "effort", 0, 1, "best")
    with pytest.raises(ValueError, match=r'component must be one of "correct", .*, got \'style\''):
        trace_weights(scenario, "effort", 0, 1, {"style": 1.0})
    with pytest.raises(ValueError, match=r"start must be < stop, got 1\.0 and 1\.0"):
        trace_weights(scenario, "effort", 1, 1)
    never = cliffgym.scenario("Cliff-LengthPenalty-v0")
    with pytest.raises(ValueError, match="direction must not be all zeros"):
        trace_weights(never, "malformed", 0, 1)
