"""Breakpoints along a line of rewards: against grids, bisection, and what every policy is worth."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from cliffgym import RewardComponents, TabularMDP, evaluate, expected_components, optimal, total_variation
from cliffgym.analysis import Breakpoint, Line, Segment, trace_line
from cliffgym.testing import CYCLES, dense_kernel, known_optimum, random_mdp, random_reward

Table = NDArray[Any]
SEEDS = range(90)
START, STOP = -3.0, 3.0


def case(seed: int) -> tuple[TabularMDP, Table, Table]:
    """A random MDP with R0 and D: of any numbers, of few levels, or with planted ties that D keeps or breaks."""
    kind = CYCLES[seed % 3]
    gamma = 0.9 if kind == "free" else (1.0, 0.9)[seed // 3 % 2]
    mdp = random_mdp(seed, num_states=7, cycles=kind, gamma=gamma)
    style = seed // 6 % 3
    if style == 0:
        return mdp, random_reward(mdp, seed), random_reward(mdp, [seed, 1])
    if style == 1:
        return mdp, random_reward(mdp, seed, levels=3), random_reward(mdp, [seed, 1], levels=3)
    return mdp, known_optimum(mdp, seed).reward, random_reward(mdp, [seed, 1], levels=2)


def same_sets(mdp: TabularMDP, one: Table, other: Table) -> bool:
    return bool((one == other)[~mdp.terminal].all())


def sets_at(mdp: TabularMDP, reward: Table, direction: Table, t: float) -> NDArray[np.bool_]:
    return optimal(mdp, reward + t * direction, tie_tolerance=1e-12).optimal_actions


def positions(line: Line) -> list[float]:
    return [point.position for point in line.breakpoints]


def neighbours(line: Line) -> Iterator[tuple[Segment, Segment, Breakpoint]]:
    return zip(line.segments[:-1], line.segments[1:], line.breakpoints, strict=True)


def check_shape(line: Line, start: float, stop: float) -> None:
    """Segments follow one another from start to stop, with a breakpoint between each two."""
    assert line.segments[0].start == start
    assert line.segments[-1].stop == stop
    assert [s.stop for s in line.segments[:-1]] == [s.start for s in line.segments[1:]] == positions(line)
    assert all(s.start < s.stop for s in line.segments)


# Against the optimum at many points


@pytest.mark.parametrize("seed", SEEDS)
def test_optimal_sets_between_breakpoints_are_the_segments(seed: int) -> None:
    mdp, reward, direction = case(seed)
    line = trace_line(mdp, reward, direction, START, STOP)
    check_shape(line, START, STOP)
    rng = np.random.default_rng(seed)
    for segment in line.segments:
        for share in (1e-3, *rng.uniform(size=4), 1 - 1e-3):
            t = segment.start + share * (segment.stop - segment.start)
            assert same_sets(mdp, sets_at(mdp, reward, direction, t), segment.optimal_actions), t
            assert line.at(t) is segment


@pytest.mark.parametrize("seed", SEEDS)
def test_every_breakpoint_is_one_and_where_it_is(seed: int) -> None:
    """Bisecting between neighbouring segments' middles finds the same point, and both policies are optimal there."""
    mdp, reward, direction = case(seed)
    line = trace_line(mdp, reward, direction, START, STOP)
    for before, after, point in neighbours(line):
        assert not same_sets(mdp, before.optimal_actions, after.optimal_actions)
        low, high = ((s.start + s.stop) / 2 for s in (before, after))
        while high - low > 1e-13:
            middle = (low + high) / 2
            left = same_sets(mdp, sets_at(mdp, reward, direction, middle), before.optimal_actions)
            low, high = (middle, high) if left else (low, middle)
        assert point.position == pytest.approx(high, abs=1e-9)
        table = reward + point.position * direction
        best = optimal(mdp, table).state_values
        for policy in (before.policy, after.policy):
            np.testing.assert_allclose(evaluate(mdp, table, policy).state_values, best, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_fine_grid_sees_no_other_breakpoint(seed: int) -> None:
    mdp, reward, direction = case(seed)
    found = np.array(positions(trace_line(mdp, reward, direction, START, STOP)))
    grid = np.linspace(START + 1e-4, STOP - np.pi * 1e-4, 300)  # round numbers may be breakpoints
    sets = [sets_at(mdp, reward, direction, t) for t in grid]
    for i in range(len(grid) - 1):
        between = ((found > grid[i]) & (found < grid[i + 1])).any()
        assert between or same_sets(mdp, sets[i], sets[i + 1])


@pytest.mark.parametrize("seed", SEEDS)
def test_optimal_return_is_linear_on_segments_and_convex(seed: int) -> None:
    mdp, reward, direction = case(seed)
    line = trace_line(mdp, reward, direction, START, STOP)
    for t in np.random.default_rng(seed).uniform(START, STOP, size=50):
        segment = line.at(t)
        expected = optimal(mdp, reward + t * direction).expected_return
        assert segment.intercept + segment.slope * t == pytest.approx(expected, abs=1e-10)
    slopes = np.array([segment.slope for segment in line.segments])
    assert (np.diff(slopes) >= -1e-12).all()
    for before, after, point in neighbours(line):
        meet = [segment.intercept + segment.slope * point.position for segment in (before, after)]
        assert meet[0] == pytest.approx(meet[1], abs=1e-11)


# What breakpoints report


@pytest.mark.parametrize("seed", range(30))
def test_breakpoints_report_what_changes(seed: int) -> None:
    mdp, reward, direction = case(seed)
    components = RewardComponents(
        ("pay", "drift", "steps"), np.stack([reward, direction, random_reward(mdp, [seed, 2])])
    )
    line = trace_line(mdp, reward, direction, START, STOP, components=components)
    for segment in line.segments:
        values = expected_components(mdp, components, segment.policy)
        assert segment.components == pytest.approx(values, abs=1e-12)
        assert segment.components["pay"] == pytest.approx(segment.intercept, abs=1e-10)
        assert segment.components["drift"] == pytest.approx(segment.slope, abs=1e-10)
        inside = optimal(mdp, reward + (segment.start + segment.stop) / 2 * direction, 1e-12).policy
        assert segment.components == pytest.approx(expected_components(mdp, components, inside), abs=1e-10)
    for before, after, point in neighbours(line):
        flipped = (before.optimal_actions != after.optimal_actions).any(axis=1) & ~mdp.terminal
        np.testing.assert_array_equal(point.states, np.flatnonzero(flipped))
        distance = total_variation(before.policy, after.policy)[~mdp.terminal].max()
        assert point.total_variation == pytest.approx(distance, abs=1e-15)
        jumps = {name: after.components[name] - before.components[name] for name in components.names}
        assert point.jumps == pytest.approx(jumps, abs=1e-15)
    assert trace_line(mdp, reward, direction, START, STOP).segments[0].components == {}


def visited(mdp: TabularMDP, policy: Table) -> NDArray[np.bool_]:
    moves = np.einsum("sa,sat->st", policy, dense_kernel(mdp)) + np.eye(mdp.num_states)
    return mdp.initial @ np.linalg.matrix_power(moves, mdp.num_states) > 0


@pytest.mark.parametrize("seed", SEEDS)
def test_reachable_only_keeps_the_breakpoints_of_behaviour(seed: int) -> None:
    """One state to start in, so that some states are met by some policies only."""
    mdp, reward, direction = case(seed)
    first = int(np.flatnonzero(~mdp.terminal)[np.argmax(mdp.heights[~mdp.terminal])])
    mdp = TabularMDP(
        mdp.successors, mdp.probabilities, np.eye(mdp.num_states)[first], mdp.terminal, mdp.gamma, mdp.action_mask
    )
    every = trace_line(mdp, reward, direction, START, STOP)
    some = trace_line(mdp, reward, direction, START, STOP, reachable_only=True)
    check_shape(some, START, STOP)
    expected = {}
    for before, after, point in neighbours(every):
        met = visited(mdp, before.policy) | visited(mdp, after.policy)
        states = [s for s in point.states.tolist() if met[s]]
        if states:
            expected[point.position] = states
    assert {point.position: point.states.tolist() for point in some.breakpoints} == expected
    for segment in some.segments:
        t = (segment.start + segment.stop) / 2
        best = optimal(mdp, reward + t * direction).expected_return
        assert segment.intercept + segment.slope * t == pytest.approx(best, abs=1e-10)


def test_reachable_only_drops_what_nobody_meets() -> None:
    """State 1 is never met: its flip at 0.5 counts only if every state does; that of state 0 at 0.25 always."""
    successors = np.full((3, 2, 1), 2)
    mdp = TabularMDP(successors, np.ones((3, 2, 1)), np.array([1.0, 0, 0]), np.array([False, False, True]), 1.0)
    reward, direction = [[0, -0.25], [0, -0.5], [0, 0]], [[0, 1], [0, 1], [0, 0]]
    assert positions(trace_line(mdp, reward, direction, 0, 1)) == [0.25, 0.5]
    assert positions(trace_line(mdp, reward, direction, 0, 1, reachable_only=True)) == [0.25]
    assert positions(trace_line(mdp, reward, direction, 0.3, 1, reachable_only=True)) == []


# Ends of the line, ties along it, cancellation


@pytest.mark.parametrize("seed", range(45))
def test_a_breakpoint_at_an_end_is_not_inside(seed: int) -> None:
    """Nor is one within rounding of it."""
    mdp, reward, direction = case(seed)
    every = positions(trace_line(mdp, reward, direction, START, STOP))
    for i, position in enumerate(every):
        for end in (position, np.nextafter(position, np.inf), np.nextafter(position, -np.inf)):
            for low, high, inside in ((START, end, every[:i]), (end, STOP, every[i + 1 :])):
                line = trace_line(mdp, reward, direction, low, high)
                check_shape(line, low, high)
                assert positions(line) == pytest.approx(inside, abs=1e-12)


@pytest.mark.parametrize("seed", SEEDS)
def test_where_reward_and_direction_cancel_there_is_one_breakpoint(seed: int) -> None:
    """R0 (1 - c t) is nothing at 1/c: best turns into worst there, once, and rounding makes no more of it."""
    mdp, _, _ = case(seed)
    reward = random_reward(mdp, seed)
    c = np.random.default_rng(seed).uniform(0.3, 3)
    line = trace_line(mdp, reward, -c * reward, 0, 2 / c)
    assert positions(line) == pytest.approx([1 / c], rel=1e-12)
    before, after = line.segments
    assert same_sets(mdp, before.optimal_actions, optimal(mdp, reward).optimal_actions)
    assert same_sets(mdp, after.optimal_actions, optimal(mdp, -reward).optimal_actions)


def test_ties_along_the_whole_line_stay_ties() -> None:
    for seed in range(30):
        mdp, reward, direction = case(seed)
        twice = TabularMDP(  # every action once more
            np.tile(mdp.successors, (1, 2, 1)),
            np.tile(mdp.probabilities, (1, 2, 1)),
            mdp.initial,
            mdp.terminal,
            mdp.gamma,
            np.tile(mdp.action_mask, (1, 2)),
        )
        line = trace_line(mdp, reward, direction, START, STOP)
        doubled = trace_line(twice, np.tile(reward, 2), np.tile(direction, 2), START, STOP)
        assert positions(doubled) == pytest.approx(positions(line), abs=1e-12)
        for one, two in zip(line.segments, doubled.segments, strict=True):
            np.testing.assert_array_equal(two.optimal_actions, np.tile(one.optimal_actions, (1, 2)))


def test_shaping_along_the_line_moves_nothing() -> None:
    for seed in range(30):
        mdp, reward, _ = case(seed)
        potential = np.where(mdp.terminal, 0, np.random.default_rng(seed).normal(size=mdp.num_states))
        shaping = mdp.gamma * dense_kernel(mdp) @ potential - potential[:, None]
        shaping[mdp.terminal] = 0
        line = trace_line(mdp, reward, shaping, -10, 10)
        assert positions(line) == []
        assert same_sets(mdp, line.segments[0].optimal_actions, optimal(mdp, reward).optimal_actions)


def test_a_breakpoint_of_many_states_is_one() -> None:
    """A hundred pairs tie at 1/3, each computed from other numbers."""
    rng = np.random.default_rng(0)
    successors = np.full((101, 2, 1), 100)
    mdp = TabularMDP(successors, np.ones((101, 2, 1)), np.full(101, 1 / 101), np.arange(101) == 100, 1.0)
    speed = np.append(10 ** rng.uniform(-5, 1, size=100), 0)
    flat = rng.uniform(-1, 1, size=101) * (speed > 0)
    line = trace_line(mdp, np.stack([flat, flat - speed / 3], 1), np.stack([0 * speed, speed], 1), -1, 1)
    assert positions(line) == pytest.approx([1 / 3], abs=1e-12)
    assert len(line.breakpoints[0].states) == 100


def test_what_illegal_actions_pay_makes_no_breakpoint() -> None:
    successors = np.ones((2, 3, 1), dtype=int)
    legal = np.array([[True, True, False], [True] * 3])
    mdp = TabularMDP(successors, np.ones((2, 3, 1)), np.array([1.0, 0]), np.array([False, True]), 1.0, legal)
    line = trace_line(mdp, [[0, 0.5, 0], [0] * 3], [[1, 0, 1e12], [0] * 3], -1, 1)
    assert positions(line) == pytest.approx([0.5], abs=1e-12)
    assert positions(trace_line(mdp, [[0, 0.5, 0], [0] * 3], [[0, 0, 1], [0] * 3], -1, 1)) == []


def test_bad_input() -> None:
    mdp, reward, direction = case(0)
    for start, stop in ((1, 1), (1, 0)):
        with pytest.raises(ValueError, match=f"start must be < stop, got {start:.1f} and {stop:.1f}"):
            trace_line(mdp, reward, direction, start, stop)
    with pytest.raises(ValueError, match="direction must not be all zeros"):
        trace_line(mdp, reward, 0 * direction, 0, 1)
    with pytest.raises(ValueError, match="stop must be finite"):
        trace_line(mdp, reward, direction, 0, np.inf)
    with pytest.raises(TypeError, match="start must be a number"):
        trace_line(mdp, reward, direction, "0", 1)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"direction must have shape \(S, A\) = \(7, 3\), got \(3, 7\)"):
        trace_line(mdp, reward, direction.T, 0, 1)
    with pytest.raises(ValueError, match="direction must be finite"):
        trace_line(mdp, reward, direction * np.nan, 0, 1)
    with pytest.raises(ValueError, match=r"components must have shape \(K, S, A\)"):
        trace_line(mdp, reward, direction, 0, 1, components=RewardComponents(("a",), np.zeros((1, 2, 2))))
    with pytest.raises(ValueError, match="tie_tolerance must be >= 0"):
        trace_line(mdp, reward, direction, 0, 1, tie_tolerance=-1e-9)
    with pytest.raises(ValueError, match=r"position must be in \[0.0, 1.0\], got 2"):
        trace_line(mdp, reward, direction, 0, 1).at(2)


def test_what_r0_tells_apart_is_no_tie_however_far_the_line_starts() -> None:
    mdp = TabularMDP(np.ones((2, 2, 1), int), np.ones((2, 2, 1)), np.eye(2)[0], np.array([False, True]), 1.0)
    reward, direction = np.array([[1e-4, 0.0], [0.0, 0.0]]), np.array([[1.0, 1.0], [0.0, 0.0]])
    line = trace_line(mdp, reward, direction, -1e6, 1e6)
    assert [segment.optimal_actions[0].tolist() for segment in line.segments] == [[True, False]]
