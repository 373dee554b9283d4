"""The convex coverage set, against every deterministic policy and linear programs; lines of several weights."""

import itertools
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.optimize import linprog
from scipy.spatial import HalfspaceIntersection

import cliffgym
from cliffgym import RewardComponents, TabularMDP, evaluate, expected_components, optimal, pareto_front
from cliffgym.analysis import CoverageSet, coverage_set, trace_line, trace_weights
from cliffgym.testing import CYCLES, dense_kernel, deterministic_policies, random_mdp, random_reward

Table = NDArray[Any]
Case = tuple[TabularMDP, RewardComponents, dict[str, float]]

# Objectives of scenarios whose traces form a tree, two and three at a time
CHOICES = [
    (id, chosen)
    for id in cliffgym.SCENARIOS
    for count in (2, 3)
    for chosen in itertools.combinations(cliffgym.scenario(id).objectives, count)
    if cliffgym.scenario(id).state_tokens.size
]


# Random cases


@st.composite
def cases(draw: st.DrawFn, count: int) -> Case:
    """A small MDP, cyclic or not, with components of few levels, so that vectors tie, or of any numbers."""
    kind = draw(st.sampled_from(CYCLES))
    mdp = random_mdp(
        draw(st.integers(0, 2**32 - 1)),
        num_states=draw(st.integers(3, 6)),
        num_actions=draw(st.integers(2, 3)),
        branching=draw(st.sampled_from([2, 1] if kind != "ending" else [2, 3])),
        cycles=kind,
        gamma=draw(st.sampled_from([0.9, 0.5] if kind == "free" else [1.0, 0.9])),
        num_terminal=draw(st.integers(1, 2)),
    )
    seed, levels = draw(st.integers(0, 1000)), draw(st.sampled_from([3, 5, None]))
    names = tuple("abc"[:count])
    parts = RewardComponents(names, np.stack([random_reward(mdp, [seed, i], levels) for i in range(count)]))
    return mdp, parts, {name: draw(st.sampled_from([1.0, -1.0, 2.0])) for name in names}


def tables_of(parts: RewardComponents, factors: dict[str, float]) -> Table:
    return np.stack([factor * parts[name] for name, factor in factors.items()])


def returns_of_all_policies(mdp: TabularMDP, tables: Table) -> Table:
    """(N, K) what each deterministic policy earns, from one dense linear system for each."""
    policies = np.array(list(deterministic_policies(mdp)))
    kernel = np.where(mdp.terminal[:, None, None], 0, dense_kernel(mdp))
    matrices = np.einsum("nsa,sat->nst", policies, kernel)
    paid = np.einsum("nsa,ksa->nsk", policies, tables)
    values = np.linalg.solve(np.eye(mdp.num_states) - mdp.gamma * matrices, paid)
    return np.einsum("s,nsk->nk", mdp.initial, values)


def undominated(points: Table) -> Table:
    """Different points that none is as good as in all; only those can be the one best for some weights >= 0."""
    different = np.unique(points.round(10) + 0.0, axis=0)[::-1]
    return np.array([p for p in different if not ((different >= p).all(axis=1) & (different > p).any(axis=1)).any()])


def leads(points: Table) -> Table:
    """(n,) by how much each point can be ahead of all others, at weights that are all as large as that at least.

    One linear program for each; more than 0 if the point is the only best for some weights and those beside them.
    """
    found, (n, count) = [], points.shape
    for i in range(n):
        others = np.delete(points, i, axis=0)
        ahead = np.hstack([others - points[i], np.ones((n - 1, 1))])
        positive = np.hstack([-np.eye(count), np.ones((count, 1))])
        result = linprog(
            [*np.zeros(count), -1],
            A_ub=np.vstack([ahead, positive]),
            b_ub=np.zeros(n - 1 + count),
            A_eq=[[*np.ones(count), 0]],
            b_eq=[1],
            bounds=[(0, 1)] * count + [(None, 1)],
        )
        assert result.success
        found.append(result.x[-1])
    return np.array(found)


def hull_of(points: Table) -> Table:
    """Of all points those that are the only best for weights with an inside, the first coordinate falling."""
    front = undominated(points)
    return front[leads(front) > 1e-9] if len(front) > 1 else front


def share_of(points: Table, i: int, weights: Table) -> float:
    """The share of all weights at which a point is best, from the corners of that region, of which one point is known.

    Weights are taken as the first K - 1, the last being what is left of 1.
    """
    ahead = np.delete(points, i, axis=0) - points[i]
    slopes, offsets = ahead[:, :-1] - ahead[:, -1:], ahead[:, -1]
    count = points.shape[1] - 1
    slopes = np.vstack([slopes, -np.eye(count), np.ones(count)])
    offsets = np.concatenate([offsets, np.zeros(count), [-1]])
    if count == 1:
        ends = -offsets / np.where(slopes[:, 0], slopes[:, 0], np.nan)
        return float(
            np.nanmin(np.where(slopes[:, 0] > 0, ends, np.nan)) - np.nanmax(np.where(slopes[:, 0] < 0, ends, 0))
        )
    corners = HalfspaceIntersection(np.hstack([slopes, offsets[:, None]]), weights[:-1]).intersections
    middle = corners.mean(axis=0)
    x, y = corners[np.argsort(np.arctan2(*(corners - middle).T))].T
    return float(abs(x @ np.roll(y, -1) - y @ np.roll(x, -1)))  # twice the area: the triangle's is 1/2


def check_set(found: CoverageSet, points: Table, mdp: TabularMDP, parts: RewardComponents, factors: Any) -> None:
    """Everything that the attributes promise, by brute force over the points that policies can earn."""
    expected = hull_of(points)
    assert found.names == tuple(factors)
    assert len(found) == len(expected)
    order = np.lexsort(-found.values.round(9).T[::-1])
    np.testing.assert_allclose(found.values[order], expected, rtol=1e-9, atol=1e-9)
    assert (np.diff(found.values[:, 0]) <= 0).all()
    assert found.shares.sum() == pytest.approx(1, abs=1e-9)
    np.testing.assert_allclose(found.weights.sum(axis=1), 1, rtol=1e-12)
    assert (found.weights > 0).all()
    for i, (value, weights) in enumerate(zip(found.values, found.weights, strict=True)):
        # The one best of all, and nothing else is as good.
        others = points[np.abs(points - value).max(axis=1) > 1e-8]
        assert (points @ weights).max() == pytest.approx(value @ weights, abs=1e-9)
        assert not others.size or (others @ weights).max() < value @ weights
        if len(found) > 1:
            assert found.shares[i] == pytest.approx(share_of(found.values, i, weights), rel=1e-6, abs=1e-9)
        sums = expected_components(mdp, parts, found.policies[i])
        earned = [factor * sums[name] for name, factor in factors.items()]
        np.testing.assert_allclose(earned, value, rtol=1e-10, atol=1e-10)
        assert (found.policies[i][~mdp.action_mask] == 0).all()


@pytest.mark.parametrize("count", [2, 3])
def test_the_set_is_the_hull_of_all_policies(count: int) -> None:
    sizes = []

    @settings(max_examples=120)
    @given(case=cases(count))
    def check(case: Case) -> None:
        mdp, parts, factors = case
        tables = tables_of(parts, factors)
        assume(count == 3 or (tables[0] != tables[1]).any())
        found = coverage_set(mdp, parts, factors)
        points = returns_of_all_policies(mdp, tables)
        check_set(found, points, mdp, parts, factors)
        sizes.append(len(found))
        for weights in np.random.default_rng(0).dirichlet(np.ones(count), size=5):
            best = optimal(mdp, np.tensordot(weights, tables, axes=1)).expected_return
            assert (found.values @ weights).max() == pytest.approx(best, rel=1e-9, abs=1e-9)
            assert (points @ weights).max() == pytest.approx(best, rel=1e-9, abs=1e-9)

    check()
    assert max(sizes) >= 4  # or the test would say little


@pytest.mark.parametrize("count", [2, 3])
@pytest.mark.parametrize("seed", range(6))
def test_larger_mdps_have_the_optimum_of_any_weights_in_their_set(seed: int, count: int) -> None:
    kind = CYCLES[seed % 3]
    mdp = random_mdp(seed, num_states=25 if count == 2 else 12, cycles=kind, gamma=0.9)
    tables = np.stack([random_reward(mdp, [seed, i], levels=None if seed < 3 else 3) for i in range(count)])
    found = coverage_set(mdp, RewardComponents(tuple("abc"[:count]), tables))
    assert len(found) > 1
    assert found.shares.sum() == pytest.approx(1, abs=1e-9)
    for weights in np.random.default_rng(seed).dirichlet(np.ones(count), size=60):
        best = optimal(mdp, np.tensordot(weights, tables, axes=1)).expected_return
        assert (found.values @ weights).max() == pytest.approx(best, rel=1e-9, abs=1e-9)
    for i, weights in enumerate(found.weights):
        worth = found.values @ weights
        assert worth.argmax() == i
        reward = np.tensordot(weights, tables, axes=1)
        assert worth[i] == pytest.approx(optimal(mdp, reward).expected_return, rel=1e-9, abs=1e-9)
        assert worth[i] == pytest.approx(evaluate(mdp, reward, found.policies[i]).expected_return, rel=1e-9, abs=1e-9)


# Scenarios


@pytest.mark.parametrize(("id", "chosen"), CHOICES)
def test_the_set_of_a_scenario_is_the_hull_of_its_front(id: str, chosen: tuple[str, ...]) -> None:
    scenario = cliffgym.scenario(id)
    factors = {name: scenario.objectives[name] for name in chosen}
    front = pareto_front(scenario.mdp, scenario.components, factors).values
    found = coverage_set(scenario.mdp, scenario.components, factors)
    check_set(found, front, scenario.mdp, scenario.components, factors)
    tables = tables_of(scenario.components, factors)
    for weights in np.random.default_rng(0).dirichlet(np.ones(len(chosen)), size=10):
        best = optimal(scenario.mdp, np.tensordot(weights, tables, axes=1)).expected_return
        assert (front @ weights).max() == pytest.approx(best, abs=1e-9)
        assert (found.values @ weights).max() == pytest.approx(best, abs=1e-9)


def test_the_set_of_obedience_is_all_of_its_front() -> None:
    scenario = cliffgym.scenario("Cliff-Obedience-v0")
    found = coverage_set(scenario.mdp, scenario.components, ["correct", "soft"])
    np.testing.assert_allclose(found.values, [(1, 0.625), (0.75, 0.875), (0.5, 1)], atol=1e-12)
    # Weights w and 1 - w: a quarter less of one for a quarter or an eighth more of the other.
    np.testing.assert_allclose(found.shares, [1 / 2, 1 / 2 - 1 / 3, 1 / 3], atol=1e-12)
    np.testing.assert_allclose(found.weights[:, 0], [3 / 4, 5 / 12, 1 / 6], atol=1e-12)


def test_prices_of_length_are_weights() -> None:
    scenario = cliffgym.scenario("Cliff-LengthPenalty-v0")
    found = coverage_set(scenario.mdp, scenario.components, {"correct": 1, "length": -1})
    values = [(1, -2.5), (0.75, -1.5), (0.5, -0.75), (0.25, -0.25), (0, 0)]
    np.testing.assert_allclose(found.values, values, atol=1e-12)
    # A price p of length is a weight of 1/(1 + p) on being right; it breaks at 1/4, 1/3, 1/2 and 1.
    np.testing.assert_allclose(found.shares, -np.diff([1, 4 / 5, 3 / 4, 2 / 3, 1 / 2, 0]), atol=1e-12)
    doubled = coverage_set(scenario.mdp, scenario.components, {"length": -2, "correct": 1})
    np.testing.assert_allclose(doubled.values[::-1], [(2 * b, a) for a, b in values], atol=1e-12)


def test_one_model_or_another_answers_every_prompt() -> None:
    scenario = cliffgym.scenario("Cliff-MultiReward-v0")
    found = coverage_set(scenario.mdp, scenario.components, ["safety_score", "values_score", "general_score"])
    # All prompts are graded alike, so none is answered otherwise than the others, though the front has 17 points.
    np.testing.assert_allclose(found.values, [(1, 0.3, 0), (0.8, 1, 0.6), (0, 0.5, 1)], atol=1e-12)
    # Refusals want 0.2 x > 0.7 y + 0.6 z, a triangle with corners at x = 1, 7/9 (z = 0) and 3/4 (y = 0).
    assert found.shares[0] == pytest.approx(2 / 9 / 4, abs=1e-12)
    # Compliance wants 0.4 z > 0.8 x + 0.5 y: at z = 1, 2/3 (y = 0) and 5/9 (x = 0).
    assert found.shares[2] == pytest.approx(1 / 3 * 4 / 9, abs=1e-12)
    np.testing.assert_allclose(
        found.weights[0], np.mean([(1, 0, 0), (7 / 9, 2 / 9, 0), (3 / 4, 0, 1 / 4)], axis=0), atol=1e-12
    )


def test_the_set_may_have_one_vector() -> None:
    scenario = cliffgym.scenario("Cliff-Slacker-v0")
    for objectives in (["correct", "instructions"], ["correct", "instructions", "all_instructions"]):
        found = coverage_set(scenario.mdp, scenario.components, objectives)
        np.testing.assert_array_equal(found.values, np.ones((1, len(objectives))))
        np.testing.assert_allclose(found.shares, [1], rtol=1e-12)


def test_an_objective_may_be_0_everywhere() -> None:
    scenario = cliffgym.scenario("Cliff-Slacker-v0")
    correct, effort = scenario.components["correct"], scenario.components["effort"]
    parts = RewardComponents(("nothing", "correct", "saved"), np.stack([0 * correct, correct, -effort]))
    worth = {"nothing": 0.0, "correct": 1.0, "saved": 0.0}
    for objectives in (["nothing", "correct"], ["correct", "nothing"], list(worth)):
        found = coverage_set(scenario.mdp, parts, objectives)
        assert found.values.tolist() == [[worth[name] for name in objectives]]


@pytest.mark.parametrize("gamma", [0.0, 1e-13, 1e-3])
@pytest.mark.parametrize("count", [2, 3])
def test_a_choice_that_is_worth_nothing_does_not_count(count: int, gamma: float) -> None:
    """Optimal actions change in a state that is come to, but what that is worth is 0, or rounding."""
    chain = TabularMDP(
        successors=np.array([(1, 1), (2, 2), (2, 2)])[:, :, None],
        probabilities=np.ones((3, 2, 1)),
        initial=np.array([1.0, 0, 0]),
        terminal=np.arange(3) == 2,
        gamma=gamma,
    )
    table = np.zeros((count, 3, 2))
    table[:, 0] = 1
    table[0, 1, 0] = table[1, 1, 1] = 1
    found = coverage_set(chain, RewardComponents(tuple("abc"[:count]), table))
    assert len(found) == (2 if gamma > 1e-9 else 1)
    np.testing.assert_allclose(found.values, np.ones((len(found), count)), atol=2e-3)
    assert found.shares.sum() == pytest.approx(1, abs=1e-12)


def test_objectives_are_all_components_unless_named() -> None:
    garnet = cliffgym.scenario("Cliff-Garnet-v0", states=20)
    found = coverage_set(garnet.mdp, garnet.components)
    assert found.names == garnet.components.names
    named = coverage_set(garnet.mdp, garnet.components, {"component_0": 1, "component_1": 1.0})
    np.testing.assert_array_equal(found.values, named.values)


def test_opposed_objectives_are_best_at_their_ends() -> None:
    mdp = cliffgym.scenario("Cliff-Slacker-v0").mdp
    correct = cliffgym.scenario("Cliff-Slacker-v0").components["correct"]
    found = coverage_set(mdp, RewardComponents(("for", "against"), np.stack([correct, -correct])))
    np.testing.assert_array_equal(found.values, [[1, -1], [0, 0]])
    np.testing.assert_allclose(found.shares, [0.5, 0.5], rtol=1e-12)
    assert not np.signbit(found.values[1]).any()  # 0, not -0


@pytest.mark.parametrize(
    "twice",
    [
        2,
        3,
    ],
)
def test_objectives_that_pay_the_same_have_one_optimum(twice: int) -> None:
    scenario = cliffgym.scenario("Cliff-Slacker-v0")
    parts = RewardComponents(tuple("abc"[:twice]), np.stack([scenario.components["correct"]] * twice))
    found = coverage_set(scenario.mdp, parts)
    np.testing.assert_array_equal(found.values, np.ones((1, twice)))
    np.testing.assert_allclose(found.shares, [1], rtol=1e-12)


def test_results_are_read_only() -> None:
    scenario = cliffgym.scenario("Cliff-Obedience-v0")
    found = coverage_set(scenario.mdp, scenario.components, ["correct", "soft"])
    for values in (found.values, found.weights, found.shares, found.policies):
        assert len(values) == len(found) == 3
        with pytest.raises(ValueError, match="read-only"):
            values[0] = 0


@pytest.mark.parametrize(
    ("objectives", "kind", "message"),
    [
        (["correct"], ValueError, "objectives must be two or three, got 1: correct"),
        (
            ["correct", "effort", "instructions", "malformed"],
            ValueError,
            "objectives must be two or three, got 4: correct, effort, instructions, malformed",
        ),
        (None, ValueError, "objectives must be two or three, got 5"),
        ([], ValueError, "objectives must be different components, at least one, got "),
        (["correct", "correct"], ValueError, "objectives must be different components"),
        (["correct", "style"], ValueError, r'component must be one of "correct", .*, got \'style\''),
        ({"correct": 1, "effort": 0}, ValueError, "factor of 'effort' must not be 0, got 0"),
        ({"correct": 1, "effort": np.inf}, ValueError, "factor of 'effort' must be finite, got inf"),
        ({"correct": 1, "effort": None}, TypeError, "factor of 'effort' must be a number, got None"),
        ("correct", TypeError, "objectives must be a mapping or sequence of component names, got 'correct'"),
    ],
)
def test_bad_objectives_are_refused(objectives: Any, kind: type[Exception], message: str) -> None:
    scenario = cliffgym.scenario("Cliff-Slacker-v0")
    with pytest.raises(kind, match=message):
        coverage_set(scenario.mdp, scenario.components, objectives)


def test_a_bad_tolerance_and_another_shape_are_refused() -> None:
    scenario = cliffgym.scenario("Cliff-Slacker-v0")
    for objectives in (["correct", "effort"], ["correct", "effort", "instructions"]):
        with pytest.raises(ValueError, match="tie_tolerance must be >= 0, got -1"):
            coverage_set(scenario.mdp, scenario.components, objectives, tie_tolerance=-1)
        with pytest.raises(ValueError, match=r"must have shape \(S, A\)"):
            coverage_set(cliffgym.scenario("Cliff-Obedience-v0").mdp, scenario.components, objectives)


# Lines of several weights


LINES: list[tuple[str, dict[str, float], Any]] = [
    ("Cliff-MultiReward-v0", {"safety_score": 1, "general_score": -1}, {"general_score": 1}),
    ("Cliff-LengthPenalty-v0", {"length": -0.5, "correct": 0.25}, "true"),
    ("Cliff-Slacker-v0", {"effort": -1, "instructions": 3, "correct": -0.5}, "lazy"),
    ("Cliff-Sophistry-v0", {"fooled": 1}, {"correct": 1}),
    ("Cliff-Garnet-v0", {"component_0": -1, "component_1": 1}, "incomplete"),
]


@pytest.mark.parametrize(("id", "rates", "reward"), LINES)
@pytest.mark.parametrize("reachable_only", [True, False])
def test_a_line_of_several_weights_is_that_of_its_tables(
    id: str, rates: dict[str, float], reward: Any, reachable_only: bool
) -> None:
    scenario = cliffgym.scenario(id, **({"states": 30} if "Garnet" in id else {}))
    weights = scenario.rewards[reward] if isinstance(reward, str) else reward
    base, direction = np.zeros((2, *scenario.mdp.action_mask.shape))
    for name, weight in weights.items():
        base += weight * scenario.components[name]
    for name, rate in rates.items():
        direction += rate * scenario.components[name]
    expected = trace_line(
        scenario.mdp, base, direction, -1, 2, components=scenario.components, reachable_only=reachable_only
    )
    line = trace_weights(scenario, rates, -1, 2, reward, reachable_only=reachable_only)
    assert [point.position for point in line.breakpoints] == pytest.approx(
        [point.position for point in expected.breakpoints], abs=1e-12
    )
    assert len(line.breakpoints) > 0
    for mine, theirs in zip(line.segments, expected.segments, strict=True):
        np.testing.assert_array_equal(mine.optimal_actions, theirs.optimal_actions)
        assert (mine.intercept, mine.slope) == pytest.approx((theirs.intercept, theirs.slope), rel=1e-12, abs=1e-12)
        for name in scenario.components.names:
            assert mine.components[name] == pytest.approx(theirs.components[name], rel=1e-12, abs=1e-12)
        assert {"incomplete_return", "true_return"} <= set(mine.components)


def test_weight_goes_over_from_the_general_to_the_safety_model() -> None:
    """Compliance at (0, 1), safe completion from 0.6 + 0.2 t >= 1 - t on, refusal from t >= 0.6 + 0.2 t on."""
    scenario = cliffgym.scenario("Cliff-MultiReward-v0")
    rates = {"safety_score": 1, "general_score": -1}
    line = trace_weights(scenario, rates, 0, 1, {"general_score": 1})
    assert [point.position for point in line.breakpoints] == pytest.approx([1 / 3, 3 / 4], abs=1e-12)
    assert [segment.components["safety_score"] for segment in line.segments] == pytest.approx([0, 0.8, 1], abs=1e-12)
    assert [segment.components["general_score"] for segment in line.segments] == pytest.approx([1, 0.6, 0], abs=1e-12)


def test_one_moving_weight_adds_to_its_own_where_it_is_a_mapping() -> None:
    scenario = cliffgym.scenario("Cliff-LengthPenalty-v0", penalty=0.02)
    alone = trace_weights(scenario, "length", -2, 1)  # the weight itself
    added = trace_weights(scenario, {"length": 1.0}, -2, 1)  # and what is added to -0.02
    assert [point.position - 0.02 for point in added.breakpoints] == pytest.approx(
        [point.position for point in alone.breakpoints], abs=1e-12
    )


@pytest.mark.parametrize(
    ("rates", "kind", "message"),
    [
        ({"style": 1.0}, ValueError, r'component must be one of "correct", .*, got \'style\''),
        ({"correct": 1.0, "style": 0.0}, ValueError, r'component must be one of "correct", .*, got \'style\''),
        ({"correct": 0.0, "effort": 0}, ValueError, "direction must not be all zeros, got a table of zeros"),
        ({}, ValueError, "direction must not be all zeros, got a table of zeros"),
        ({"correct": np.nan}, ValueError, "weight of 'correct' must be finite, got nan"),
        ({"correct": "1"}, TypeError, "weight of 'correct' must be"),
    ],
)
def test_bad_rates_are_refused(rates: Any, kind: type[Exception], message: str) -> None:
    scenario = cliffgym.scenario("Cliff-Slacker-v0")
    with pytest.raises(kind, match=message):
        trace_weights(scenario, rates, 0, 1)


def test_bad_rewards_of_such_lines_are_refused() -> None:
    scenario = cliffgym.scenario("Cliff-Slacker-v0")
    with pytest.raises(ValueError, match=r'reward must be one of "incomplete", "true", "lazy", got \'best\''):
        trace_weights(scenario, {"correct": 1}, 0, 1, "best")
    with pytest.raises(ValueError, match=r'component must be one of "correct", .*, got \'style\''):
        trace_weights(scenario, {"correct": 1}, 0, 1, {"style": 1})
    with pytest.raises(ValueError, match=r"start must be < stop, got 1\.0 and 0\.0"):
        trace_weights(scenario, {"correct": 1}, 1, 0)
