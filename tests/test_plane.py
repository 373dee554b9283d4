"""The plane of two weights: its cells cover it, do not overlap, and hold what is optimal in them."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import cliffgym
from cliffgym import RewardComponents, TabularMDP, evaluate, expected_components, optimal
from cliffgym.analysis import Cell, PhaseDiagram, phase_diagram, trace_line
from cliffgym.testing import CYCLES, known_optimum, random_mdp, random_reward

Table = NDArray[Any]
X, Y = (-2.0, 1.5), (-1.0, 3.0)
SEEDS = range(45)


def case(seed: int) -> tuple[TabularMDP, list[Table]]:
    """A random MDP with R0, R1 and R2: of any numbers, of few levels, or with planted ties."""
    kind = CYCLES[seed % 3]
    mdp = random_mdp(seed, num_states=7, cycles=kind, gamma=0.9 if kind == "free" else (1.0, 0.9)[seed // 3 % 2])
    levels = (None, 3, 2)[seed // 6 % 3]
    tables = [random_reward(mdp, [seed, i], levels=levels) for i in range(3)]
    if levels == 2:
        tables[0] = known_optimum(mdp, seed).reward
    return mdp, tables


def at(tables: list[Table], x: float, y: float) -> Table:
    return tables[0] + x * tables[1] + y * tables[2]


def area(polygon: Table) -> float:
    """The shoelace formula: positive if counter-clockwise."""
    x, y = polygon.T
    return float(x @ np.roll(y, -1) - y @ np.roll(x, -1)) / 2


def depth(cell: Cell, point: Table) -> float:
    """Signed distance of a point from a convex counter-clockwise polygon's border; positive inside."""
    edges = np.roll(cell.vertices, -1, axis=0) - cell.vertices
    normals = np.stack([-edges[:, 1], edges[:, 0]], axis=1) / np.linalg.norm(edges, axis=1)[:, None]
    return float(((point - cell.vertices) * normals).sum(axis=1).min())


def check_tiling(diagram: PhaseDiagram, rng: np.random.Generator) -> None:
    """Convex counter-clockwise polygons inside the rectangle, whose areas add up and whose interiors are apart."""
    (x0, x1), (y0, y1) = diagram.x_range, diagram.y_range
    total = 0.0
    for cell in diagram.cells:
        edges = np.roll(cell.vertices, -1, axis=0) - cell.vertices
        following = np.roll(edges, -1, axis=0)
        turns = edges[:, 0] * following[:, 1] - edges[:, 1] * following[:, 0]
        assert (turns > -1e-13 * (x1 - x0) * (y1 - y0)).all(), "convex and counter-clockwise"
        assert (np.linalg.norm(edges, axis=1) > 1e-12).all(), "no corner twice"
        assert cell.area == pytest.approx(area(cell.vertices), rel=1e-9)
        assert depth(cell, cell.centre) > 0
        assert (cell.vertices >= np.array([x0, y0]) - 1e-12).all()
        assert (cell.vertices <= np.array([x1, y1]) + 1e-12).all()
        total += cell.area
    assert total == pytest.approx((x1 - x0) * (y1 - y0), rel=1e-11)
    for point in rng.uniform((x0, y0), (x1, y1), size=(100, 2)):
        depths = [depth(cell, point) for cell in diagram.cells]
        assert sum(d > 1e-10 for d in depths) <= 1, "interiors are apart"
        assert max(depths) > -1e-10, "every point is in a cell"
        if max(depths) > 1e-10:
            assert diagram.at(*point) is diagram.cells[int(np.argmax(depths))]


@pytest.mark.parametrize("seed", SEEDS)
def test_cells_tile_the_rectangle(seed: int) -> None:
    check_tiling(phase_diagram(*case(seed), X, Y), np.random.default_rng(seed))


@pytest.mark.parametrize("seed", SEEDS)
def test_planes_are_the_optimal_return(seed: int) -> None:
    mdp, tables = case(seed)
    diagram = phase_diagram(mdp, tables, X, Y)
    corners = [(x, y) for x in X for y in Y]
    for x, y in (*np.random.default_rng(seed).uniform(*zip(X, Y, strict=True), size=(60, 2)), *corners):
        expected = optimal(mdp, at(tables, x, y)).expected_return
        assert diagram.at(x, y).plane @ (1, x, y) == pytest.approx(expected, rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_cells_policy_is_optimal_all_over_it(seed: int) -> None:
    mdp, tables = case(seed)
    for cell in phase_diagram(mdp, tables, X, Y).cells:
        for x, y in (cell.centre, *cell.vertices):
            own = evaluate(mdp, at(tables, x, y), cell.policy).expected_return
            assert own == pytest.approx(optimal(mdp, at(tables, x, y)).expected_return, rel=1e-9, abs=1e-11)
            assert own == pytest.approx(cell.plane @ (1, x, y), rel=1e-11, abs=1e-11)
        assert (cell.policy[~mdp.action_mask] == 0).all()


@pytest.mark.parametrize("seed", SEEDS)
def test_lines_across_the_plane_bend_on_borders_of_cells(seed: int) -> None:
    mdp, tables = case(seed)
    diagram = phase_diagram(mdp, tables, X, Y)
    rng = np.random.default_rng(seed)
    for _ in range(3):
        a, b = rng.uniform(*zip(X, Y, strict=True), size=(2, 2))
        line = trace_line(mdp, at(tables, *a), at(tables, *b) - at(tables, *a), 0, 1)
        bends = [
            point.position
            for before, after, point in zip(line.segments[:-1], line.segments[1:], line.breakpoints, strict=True)
            if after.slope - before.slope > 1e-8
        ]
        for t in bends:
            depths = sorted(abs(depth(cell, a + t * (b - a))) for cell in diagram.cells)
            assert depths[1] < 1e-9, "on the border of two cells"
        crossed = [diagram.at(*(a + t * (b - a))) for t in np.sort(rng.uniform(size=200))]
        assert len(dict.fromkeys(map(id, crossed))) <= len(bends) + 1


def test_cells_are_labelled_with_their_outcome() -> None:
    mdp, tables = case(3)
    components = RewardComponents(("r0", "r1", "r2"), np.stack(tables))
    for cell in phase_diagram(mdp, tables, X, Y, components=components).cells:
        assert cell.components == pytest.approx(expected_components(mdp, components, cell.policy), abs=1e-12)
        assert list(cell.components.values()) == pytest.approx(cell.plane.tolist(), abs=1e-12)
    assert phase_diagram(mdp, tables, X, Y).cells[0].components == {}


# Known planes


def test_many_cells_of_length_control() -> None:
    scenario = cliffgym.scenario("Cliff-LengthControl-v0")
    tables = [scenario.components[name] for name in ("correct", "length", "deviation")]
    diagram = phase_diagram(scenario.mdp, tables, (-1.2, 1.2), (-1.2, 1.2), components=scenario.components)
    assert len(diagram.cells) == 38
    check_tiling(diagram, np.random.default_rng(0))
    # Just below the axis of no deviation price and with length nearly free, every prompt is answered rightly.
    assert diagram.at(-1e-3, -1e-4).components["correct"] == pytest.approx(1, abs=1e-12)


def test_the_prices_of_length_are_vertical_lines() -> None:
    """Length against a component that never occurs: the cliffs of the line, all the way up."""
    scenario = cliffgym.scenario("Cliff-LengthPenalty-v0")
    tables = [scenario.components[name] for name in ("correct", "length", "malformed")]
    diagram = phase_diagram(scenario.mdp, tables, (-2, 1), (0, 1))
    edges = sorted({round(x, 12) for cell in diagram.cells for x in cell.vertices[:, 0]})
    assert edges == pytest.approx([-2, -1, -1 / 2, -1 / 3, -1 / 4, 0, 1], abs=1e-12)


def choose(*rows: list[float]) -> tuple[TabularMDP, list[Table]]:
    """One choice among actions that pay a row of R0, of R1 and of R2."""
    A = len(rows[0])
    mdp = TabularMDP(
        np.ones((2, A, 1), dtype=int), np.ones((2, A, 1)), np.array([1.0, 0]), np.array([False, True]), 1.0
    )
    return mdp, [np.array([row, [0.0] * A]) for row in rows]


def test_three_actions_meet_in_a_point() -> None:
    """x, y and 1/3 are equal at (1/3, 1/3); their cells in the unit square have areas 4/9, 4/9 and 1/9."""
    diagram = phase_diagram(*choose([0, 0, 1 / 3], [1, 0, 0], [0, 1, 0]), (0, 1), (0, 1))
    areas = sorted(cell.area for cell in diagram.cells)
    assert areas == pytest.approx([1 / 9, 4 / 9, 4 / 9], abs=1e-12)
    check_tiling(diagram, np.random.default_rng(1))


def test_what_touches_a_cell_in_a_point_is_no_cell() -> None:
    """max(x, -x, y, -y) has four cells that meet at 0, where a fifth action is tied, and only there."""
    mdp, tables = choose([0, 0, 0, 0, 0], [1, -1, 0, 0, 0], [0, 0, 1, -1, 0])
    diagram = phase_diagram(mdp, tables, (-1, 1), (-1, 1))
    assert [cell.area for cell in diagram.cells] == pytest.approx([1, 1, 1, 1], abs=1e-12)
    assert (np.array([cell.policy[0, 4] for cell in diagram.cells]) == 0).all()


def test_policies_that_earn_the_same_share_a_cell() -> None:
    mdp, tables = choose([0, 0, 0], [1, 1, -1], [0, 0, 0])
    diagram = phase_diagram(mdp, tables, (-1, 1), (-1, 1))
    assert len(diagram.cells) == 2
    assert sorted(cell.policy[0].tolist() for cell in diagram.cells) == [[0, 0, 1], [0.5, 0.5, 0]]


def test_weights_that_move_nothing_make_one_cell() -> None:
    mdp, tables = case(0)
    for still in ([tables[0], 0 * tables[0], 0 * tables[0]], [0 * tables[0]] * 3):
        (cell,) = phase_diagram(mdp, still, X, Y).cells
        assert cell.area == pytest.approx((X[1] - X[0]) * (Y[1] - Y[0]))
        assert cell.plane @ (1, 0, 0) == pytest.approx(optimal(mdp, still[0]).expected_return)


@pytest.mark.parametrize("seed", range(15))
def test_where_all_tables_cancel_two_cells_meet(seed: int) -> None:
    """R0 (1 - x): the border is x = 1, on which rounding makes no cells of its own."""
    mdp, tables = case(seed)
    diagram = phase_diagram(mdp, [tables[1], -tables[1], tables[1]], (0, 2), (-1, 1))
    check_tiling(diagram, np.random.default_rng(seed))
    assert [cell.area for cell in diagram.cells] == pytest.approx([2, 2], abs=1e-9)


# Bad input


def test_bad_input() -> None:
    mdp, tables = case(0)
    with pytest.raises(ValueError, match="tables must be three, R0, R1 and R2, got 2"):
        phase_diagram(mdp, tables[:2], X, Y)
    with pytest.raises(ValueError, match=r"tables\[1\] must have shape"):
        phase_diagram(mdp, [tables[0], tables[1][:, :1], tables[2]], X, Y)
    with pytest.raises(ValueError, match=r"tables\[2\] must be finite"):
        phase_diagram(mdp, [tables[0], tables[1], tables[2] + np.inf], X, Y)
    for wrong in ((1, 1), (1, 0)):
        with pytest.raises(ValueError, match=r"x_range must rise, got 1.0 and"):
            phase_diagram(mdp, tables, wrong, Y)
    with pytest.raises(ValueError, match=r"y_range must be a pair \(first, last\), got \(1, 2, 3\)"):
        phase_diagram(mdp, tables, X, (1, 2, 3))  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"y_range\[1\] must be finite, got inf"):
        phase_diagram(mdp, tables, X, (0, np.inf))
    with pytest.raises(ValueError, match="tie_tolerance must be >= 0"):
        phase_diagram(mdp, tables, X, Y, tie_tolerance=-1)
    with pytest.raises(ValueError, match=r"components must have shape \(K, S, A\)"):
        phase_diagram(mdp, tables, X, Y, components=RewardComponents(("a",), np.zeros((1, 2, 2))))
    with pytest.raises(ValueError, match=r"x must be in \[-2.0, 1.5\], got 2"):
        phase_diagram(mdp, tables, X, Y).at(2, 0)
