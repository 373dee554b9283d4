"""The Pareto front of expected components, against every deterministic policy and by hand."""

import itertools
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

import cliffgym
from cliffgym import RewardComponents, TabularMDP, evaluate, expected_components, optimal, pareto_front, uniform_policy
from cliffgym.analysis import coverage_set
from cliffgym.analysis.ties import reachable_under
from cliffgym.solvers import ParetoFront, pareto
from cliffgym.solvers.pareto import objective_factors, undominated
from cliffgym.testing import dense_kernel, deterministic_policies, random_mdp, random_reward

Table = NDArray[Any]
GRAMMARS = [id for id in cliffgym.SCENARIOS if cliffgym.scenario(id).state_tokens.size]  # whose traces form a tree
every_grammar = pytest.mark.parametrize("id", GRAMMARS)


# Trees


def random_tree(seed: int, *, roots: int, living: int, branching: int, gamma: float, actions: int = 3) -> TabularMDP:
    """A random MDP whose traces form a tree, its states numbered in any order.

    It has illegal actions, with states of their own after them; states that no trace comes to; slots of probability 0
    that point anywhere; and starts that are ends.
    """
    rng = np.random.default_rng(seed)
    S, ends = living + 3, living  # two ends and one more start that is one
    successors = rng.integers(ends, ends + 2, size=(S, actions, branching))
    weights = rng.integers(1, 5, size=(S, actions, branching)) * (rng.random((S, actions, branching)) < 0.8)
    weights[:, :, 0] = np.maximum(weights[:, :, 0], 1)
    free = [(state, place) for state in range(living) for place in np.ndindex(actions, branching)]
    for state in range(roots, living):
        # Each state is come to in one way, from one before it. Some are not come to: the way is never taken.
        ways = [way for way in free if way[0] < state]
        state_before, place = way = ways[rng.integers(len(ways))]
        successors[state_before, *place] = state
        free.remove(way)
    empty = weights == 0
    successors[empty] = rng.integers(S, size=int(empty.sum()))
    successors[living:] = np.arange(living, S)[:, None, None]
    legal = rng.random((S, actions)) < 0.8
    legal[np.arange(S), rng.integers(actions, size=S)] = True
    initial = np.zeros(S)
    initial[:roots] = rng.integers(1, 4, size=roots)
    initial[S - 1] = rng.integers(2)
    number_of = rng.permutation(S)
    order = np.argsort(number_of)
    return TabularMDP(
        successors=number_of[successors][order],
        probabilities=(weights / weights.sum(axis=2, keepdims=True))[order],
        initial=(initial / initial.sum())[order],
        terminal=(np.arange(S) >= living)[order],
        gamma=gamma,
        action_mask=legal[order],
    )


def whole_numbers(mdp: TabularMDP, seed: int, count: int, top: int = 2) -> RewardComponents:
    """Components of small whole numbers, so that vectors tie and are equal."""
    table = np.random.default_rng([seed, 1]).integers(-top, top + 1, size=(count, mdp.num_states, mdp.num_actions))
    return RewardComponents(tuple("abcde"[:count]), np.where(mdp.terminal[:, None], 0.0, table))


trees = st.builds(
    random_tree,
    st.integers(0, 2**32 - 1),
    roots=st.integers(1, 3),
    living=st.integers(3, 6),
    branching=st.sampled_from([1, 2, 3]),
    gamma=st.sampled_from([1.0, 0.9, 0.0]),
)
factors = st.sampled_from([1.0, -1.0, 0.5, 3.0])


@st.composite
def cases(draw: st.DrawFn, least: int = 1, most: int = 4) -> tuple[TabularMDP, RewardComponents, dict[str, float]]:
    mdp, count = draw(trees), draw(st.integers(least, most))
    parts = whole_numbers(mdp, draw(st.integers(0, 1000)), count)
    return mdp, parts, {name: draw(factors) for name in parts.names}


def returns_of_all_policies(mdp: TabularMDP, parts: RewardComponents, factors: dict[str, float]) -> Table:
    """(N, K) what each deterministic policy earns, from one dense linear system for each."""
    policies = np.array(list(deterministic_policies(mdp)))
    kernel = np.where(mdp.terminal[:, None, None], 0, dense_kernel(mdp))
    matrices = np.einsum("nsa,sat->nst", policies, kernel)
    rewards = np.stack([factor * parts[name] for name, factor in factors.items()], axis=-1)
    paid = np.einsum("nsa,sak->nsk", policies, rewards)
    values = np.linalg.solve(np.eye(mdp.num_states) - mdp.gamma * matrices, paid)
    return np.einsum("s,nsk->nk", mdp.initial, values)


def falling(points: Table) -> Table:
    """Different points, the first coordinate falling, then the second, and so on."""
    return np.unique(points.round(9) + 0.0, axis=0)[::-1]


def front_of(points: Table) -> Table:
    """Of different points those that no other is as good as in all, by definition."""
    different = falling(points)
    return np.array([p for p in different if not ((different >= p).all(axis=1) & (different > p).any(axis=1)).any()])


def earned(mdp: TabularMDP, parts: RewardComponents, factors: dict[str, float], policy: Table) -> list[float]:
    sums = expected_components(mdp, parts, policy)
    return [factor * sums[name] for name, factor in factors.items()]


# Against every policy


@settings(max_examples=200)
@given(case=cases())
def test_the_front_is_what_no_policy_beats(case: tuple[TabularMDP, RewardComponents, dict[str, float]]) -> None:
    mdp, parts, factors = case
    front = pareto_front(mdp, parts, factors)
    expected = front_of(returns_of_all_policies(mdp, parts, factors))
    # Where the first objective of two points differs by rounding alone, either may come first.
    np.testing.assert_allclose(falling(front.values), expected, rtol=0, atol=2e-9)
    assert (np.diff(front.values[:, 0]) <= 0).all()
    assert front.names == tuple(factors)
    assert len(front) == len(front.values) == len(expected)


@settings(max_examples=100)
@given(case=cases())
def test_a_policy_earns_its_point(case: tuple[TabularMDP, RewardComponents, dict[str, float]]) -> None:
    mdp, parts, factors = case
    front = pareto_front(mdp, parts, factors)
    for i, point in enumerate(front.values):
        check_policy(mdp, front.policy(i))
        np.testing.assert_allclose(earned(mdp, parts, factors, front.policy(i)), point, rtol=0, atol=1e-12)


def check_policy(mdp: TabularMDP, policy: Table) -> None:
    """It is deterministic where it comes, and uniform over legal actions where it does not."""
    comes = reachable_under(mdp, policy > 0) & ~mdp.terminal
    assert (policy[comes].max(axis=1) == 1).all()
    assert (policy.sum(axis=1).round(12) == 1).all()
    assert (policy[comes][~mdp.action_mask[comes]] == 0).all()
    np.testing.assert_array_equal(policy[~comes], uniform_policy(mdp)[~comes])


@settings(max_examples=50)
@given(mdp=trees)
def test_one_objective_has_one_best(mdp: TabularMDP) -> None:
    parts = whole_numbers(mdp, 0, 2)
    front = pareto_front(mdp, parts, {"b": -1})
    assert front.values.shape == (1, 1)
    assert front.values[0, 0] == pytest.approx(optimal(mdp, -parts["b"]).expected_return, rel=1e-12, abs=1e-12)


@settings(max_examples=60)
@given(case=cases(2, 3), seed=st.integers(0, 1000))
def test_any_weights_have_an_optimum_on_the_front_and_in_the_coverage_set(
    case: tuple[TabularMDP, RewardComponents, dict[str, float]], seed: int
) -> None:
    mdp, parts, factors = case
    tables = [factor * parts[name] for name, factor in factors.items()]
    if len(tables) == 2 and (tables[0] == tables[1]).all():
        return
    front, coverage = pareto_front(mdp, parts, factors).values, coverage_set(mdp, parts, factors).values
    for weights in np.random.default_rng(seed).dirichlet(np.ones(len(tables)), size=10):
        best = optimal(mdp, np.tensordot(weights, tables, axes=1)).expected_return
        assert (front @ weights).max() == pytest.approx(best, abs=1e-9)
        assert (coverage @ weights).max() == pytest.approx(best, abs=1e-9)


@pytest.mark.parametrize("seed", range(10))
def test_numbers_of_any_kind_have_a_front(seed: int) -> None:
    mdp = random_tree(seed, roots=2, living=6, branching=2, gamma=0.9)
    parts = RewardComponents(("a", "b"), np.stack([random_reward(mdp, [seed, i]) for i in range(2)]))
    front = pareto_front(mdp, parts)
    expected = front_of(returns_of_all_policies(mdp, parts, {"a": 1, "b": 1}))
    np.testing.assert_allclose(front.values, expected, rtol=0, atol=2e-9)


def test_trees_are_of_every_kind() -> None:
    """What the tests above say is about trees with ties, ends at the start, and more than a point or two."""
    sizes, policies, started, illegal, unreached = [], [], 0, 0, 0
    for seed in range(60):
        mdp = random_tree(seed, roots=1 + seed % 3, living=6, branching=1 + seed % 2, gamma=1.0)
        parts = whole_numbers(mdp, seed, 2)
        returns = returns_of_all_policies(mdp, parts, {"a": 1, "b": 1})
        sizes.append(len(front_of(returns)))
        policies.append(len(returns) / len(falling(returns)))
        started += bool(mdp.initial[mdp.terminal].any())
        illegal += not mdp.action_mask.all()
        unreached += not reachable_under(mdp, mdp.action_mask)[~mdp.terminal].all()
    assert max(sizes) >= 6
    assert np.mean(policies) > 2
    assert min(started, illegal, unreached) > 10


# Scenarios


@every_grammar
def test_scenarios_have_fronts_that_policies_earn(id: str) -> None:
    scenario = cliffgym.scenario(id)
    mdp, parts, factors = scenario.mdp, scenario.components, dict(scenario.objectives)
    front = pareto_front(mdp, parts, factors)
    assert len(front) >= 1
    for i in range(0, len(front), max(len(front) // 20, 1)):
        check_policy(mdp, front.policy(i))
        np.testing.assert_allclose(
            earned(mdp, parts, factors, front.policy(i)), front.values[i], rtol=1e-12, atol=1e-12
        )
        as_good = (front.values >= front.values[i] - 1e-12).all(axis=1)
        assert as_good.sum() == 1  # nothing on the front dominates or equals it
    assert (np.diff(front.values[:, 0]) <= 0).all()
    draw = np.random.default_rng(0)
    for _ in range(50):
        actions = np.where(mdp.action_mask, draw.random(mdp.action_mask.shape), -1).argmax(axis=1)
        other = earned(mdp, parts, factors, np.eye(mdp.num_actions)[actions])
        assert (front.values >= np.array(other) - 1e-9).all(axis=1).any()  # nothing else beats it


FRONTS: dict[str, tuple[str, dict[str, float], list[tuple[float, ...]]]] = {
    # Each harder problem that follows its instructions to the letter loses an answer.
    "obedience": ("Obedience", {"correct": 1, "soft": 1}, [(1, 0.625), (0.75, 0.875), (0.5, 1)]),
    # Problems 1 to 4, each a quarter of them, take as many thoughts: the dearest are given up first.
    "length": (
        "LengthPenalty",
        {"correct": 1, "length": -1},
        [(1, -2.5), (0.75, -1.5), (0.5, -0.75), (0.25, -0.25), (0, 0)],
    ),
    "length first": (
        "LengthPenalty",
        {"length": -1, "correct": 1},
        [(0, 0), (-0.25, 0.25), (-0.75, 0.5), (-1.5, 0.75), (-2.5, 1)],
    ),
    # The longest traces that still may be right: thoughts are free.
    "long": ("LengthPenalty", {"correct": 1, "length": 1}, [(1, 8)]),
    "slacker": ("Slacker", {"correct": 1, "instructions": 1}, [(1, 1)]),
    # To follow one of two instructions is half of them, and half the effort.
    "effort": (
        "Slacker",
        {"instructions": 1, "effort": -2},
        [(n / 8, -n / 2) for n in range(8, -1, -1)],
    ),
    # Six prompts of 1, 1, 1, 1, 2 and 2 eighths. To refuse one and comply with another as large is worse, for every
    # model, than to complete both safely; so front policies mix safe completion with one of the others only.
    "models": (
        "MultiReward",
        {"safety_score": 1, "values_score": 1, "general_score": 1},
        [
            (0.8 + 0.2 * n / 8, 1 - 0.7 * n / 8, 0.6 - 0.6 * n / 8)  # n eighths are refused
            for n in range(8, 0, -1)
        ]
        + [(0.8 - 0.8 * n / 8, 1 - 0.5 * n / 8, 0.6 + 0.4 * n / 8) for n in range(9)],  # n eighths are complied with
    ),
}


@pytest.mark.parametrize("name", FRONTS)
def test_fronts_by_hand(name: str) -> None:
    id, factors, points = FRONTS[name]
    scenario = cliffgym.scenario(f"Cliff-{id}-v0")
    front = pareto_front(scenario.mdp, scenario.components, factors)
    np.testing.assert_allclose(front.values, points, rtol=0, atol=1e-12)


def test_objectives_are_all_components_unless_named() -> None:
    scenario = cliffgym.scenario("Cliff-Obedience-v0")
    front = pareto_front(scenario.mdp, scenario.components)
    assert front.names == scenario.components.names
    named = pareto_front(scenario.mdp, scenario.components, ("soft", "correct"))
    assert named.names == ("soft", "correct")
    np.testing.assert_array_equal(
        named.values[::-1, ::-1], pareto_front(scenario.mdp, scenario.components, ["correct", "soft"]).values
    )


def prompts(count: int) -> tuple[TabularMDP, RewardComponents]:
    """Equally likely prompts, each of which earns one of the first objective, or one of the second, or nothing."""
    mdp = TabularMDP(
        successors=np.full((count + 1, 3, 1), count),
        probabilities=np.ones((count + 1, 3, 1)),
        initial=np.append(np.full(count, 1 / count), 0),
        terminal=np.arange(count + 1) == count,
        gamma=1.0,
    )
    table = np.zeros((2, count + 1, 3))
    table[0, :count, 0] = table[1, :count, 1] = 1
    return mdp, RewardComponents(("a", "b"), table)


def test_equal_points_are_one() -> None:
    """3^40 policies earn 41 vectors that count; sums of 1/40 in another order are the same number."""
    mdp, parts = prompts(40)
    front = pareto_front(mdp, parts)
    shares = np.arange(40, -1, -1) / 40
    np.testing.assert_allclose(front.values, np.stack([shares, 1 - shares], axis=1), rtol=0, atol=1e-12)


def test_the_tolerance_is_relative_to_what_is_paid() -> None:
    mdp, parts = prompts(1)
    table = parts.table.copy()
    table[:, 0, 2] = 0.9, 1e-6
    for scale in (1.0, 1e6):
        odd = RewardComponents(("a", "b"), scale * table)
        assert pareto_front(mdp, odd).values.tolist() == [[scale, 0], [0.9 * scale, 1e-6 * scale], [0, scale]]
        near = pareto_front(mdp, odd, tolerance=1e-5).values
        assert near.tolist() == [[scale, 0], [0, scale]]  # 1e-6 more is none


def test_results_are_read_only() -> None:
    mdp, parts = prompts(3)
    front = pareto_front(mdp, parts)
    with pytest.raises(ValueError, match="read-only"):
        front.values[0, 0] = 1
    front.policy(0)[:] = 7  # one's own
    np.testing.assert_array_equal(front.policy(0)[:3], [[1, 0, 0]] * 3)
    assert not np.signbit(pareto_front(mdp, parts, {"a": -1, "b": 1}).values).any()  # 0, not -0


# Factors and dominance


def test_factors_keep_their_order() -> None:
    parts = prompts(1)[1]
    assert list(objective_factors(parts, {"b": -1, "a": np.float64(2)}).items()) == [("b", -1.0), ("a", 2.0)]
    assert objective_factors(parts, ("b",)) == {"b": 1.0}


@settings(max_examples=100)
@given(seed=st.integers(0, 2**32 - 1), count=st.integers(1, 40), objectives=st.integers(1, 4))
def test_undominated_points_are_those_of_the_definition(seed: int, count: int, objectives: int) -> None:
    points = np.random.default_rng(seed).integers(-3, 4, size=(count, objectives)).astype(float)
    kept = undominated(points)
    assert (np.diff(kept) > 0).all()
    np.testing.assert_array_equal(falling(points[kept]), front_of(points))
    assert len(kept) == len(front_of(points))  # of equals, one


def test_small_differences_are_none() -> None:
    points = np.array([(1, 0), (1 - 1e-10, 1e-10), (0, 1), (0.5, 0.5), (0.5, 0.5 + 1e-10)])
    assert undominated(points).size == 4
    assert undominated(points, 1e-9).tolist() in ([0, 2, 3], [0, 2, 4], [1, 2, 3], [1, 2, 4])


def test_every_point_that_is_dropped_is_near_one_that_is_kept() -> None:
    chain = np.array([[i * 0.9, -i * 0.9] for i in range(11)])
    kept = chain[undominated(chain, 1.0)]
    assert len(kept) > 4
    assert all((kept >= point - 1.0).all(axis=1).any() for point in chain)
    made = cliffgym.scenario("Cliff-Obedience-v0")
    front = pareto_front(made.mdp, made.components, {"reasoning": 1, "soft": 1}, tolerance=0.1)
    exact = pareto_front(made.mdp, made.components, {"reasoning": 1, "soft": 1}).values
    assert 1 < len(front) <= len(exact) == 9


def test_objectives_of_other_sizes_have_their_own_tolerance() -> None:
    mdp = three_states([(1, 2), (2, 2)], (1, 0, 0))
    table = np.zeros((2, 3, 2))
    table[:, 0], table[:, 1] = [(0, 1), (0, 0)], [(0.5, 0), (1e10, 2e10)]
    assert len(pareto_front(mdp, RewardComponents(("a", "b"), table))) == 3


def test_a_search_is_given_up_at_its_limit() -> None:
    points = np.array([[i, -i] for i in range(10)])
    assert undominated(points, limit=10).size == 10
    assert undominated(points, limit=4).size == 5


def test_a_difference_that_a_sum_loses_counts() -> None:
    assert undominated(np.array([(1.0, 0.0), (1.0, 1e-17)])).tolist() == [1]


# Bad input


def parts_of(mdp: TabularMDP, *names: str) -> RewardComponents:
    return RewardComponents(names, np.zeros((len(names), mdp.num_states, mdp.num_actions)))


def three_states(successors: Sequence[Sequence[int]], initial: Sequence[float]) -> TabularMDP:
    """The last of three states is the end; two actions."""
    return TabularMDP(
        successors=np.array([*successors, (2, 2)])[:, :, None],
        probabilities=np.ones((3, 2, 1)),
        initial=initial,  # type: ignore[arg-type]
        terminal=np.arange(3) == 2,
        gamma=0.9,
        state_names=("start", "middle", "end"),
    )


@pytest.mark.parametrize(
    ("successors", "initial", "message"),
    [
        ([(1, 2), (2, 2)], (0.5, 0.5, 0), r'got 2 ways to state 1 \("middle"\)'),
        ([(1, 2), (0, 2)], (1, 0, 0), r'got 2 ways to state 0 \("start"\)'),
        ([(0, 2), (2, 2)], (1, 0, 0), r'got 2 ways to state 0 \("start"\)'),
        ([(2, 2), (1, 2)], (1, 0, 0), "got one with a cycle"),
        ([(1, 2), (0, 2)], (0, 0, 1), "got one with a cycle"),
    ],
)
def test_graphs_and_cycles_are_refused(successors: Any, initial: Any, message: str) -> None:
    mdp = three_states(successors, initial)
    with pytest.raises(ValueError, match=f"mdp must be a tree of traces.*{message}"):
        pareto_front(mdp, parts_of(mdp, "a", "b"))


def test_actions_of_one_state_may_lead_to_the_same_as_a_policy_takes_one_of_them() -> None:
    mdp = three_states([(1, 1), (2, 2)], (1, 0, 0))
    table = np.zeros((2, 3, 2))
    table[:, 0], table[:, 1] = [(3, 0), (0, 3)], [(1, 0), (0, 1)]
    front = pareto_front(mdp, RewardComponents(("a", "b"), table))
    np.testing.assert_allclose(front.values, [[3.9, 0], [3, 0.9], [0.9, 3], [0, 3.9]])
    for point, values in enumerate(front.values):
        earned = expected_components(mdp, RewardComponents(("a", "b"), table), front.policy(point))
        np.testing.assert_allclose(list(earned.values()), values)


def test_ends_may_be_come_to_in_many_ways() -> None:
    mdp = three_states([(1, 2), (2, 2)], (0.5, 0, 0.5))
    assert pareto_front(mdp, parts_of(mdp, "a", "b")).values.tolist() == [[0, 0]]
    mdp = three_states([(1, 2), (2, 2)], (0, 0, 1))
    assert pareto_front(mdp, parts_of(mdp, "a")).values.tolist() == [[0]]


def test_random_graphs_are_refused() -> None:
    garnet = cliffgym.scenario("Cliff-Garnet-v0")
    with pytest.raises(ValueError, match="mdp must be a tree of traces, whose states are come to in one way, got"):
        pareto_front(garnet.mdp, garnet.components)
    mdp = random_mdp(0, num_states=8)
    with pytest.raises(ValueError, match="mdp must be a tree of traces"):
        pareto_front(mdp, parts_of(mdp, "a"))


@pytest.mark.parametrize(
    ("objectives", "kind", "message"),
    [
        ("a", TypeError, "objectives must be a mapping or sequence of component names, got 'a'"),
        (1, TypeError, "objectives must be a mapping or sequence of component names, got 1"),
        ([], ValueError, "objectives must be different components, at least one, got "),
        ({}, ValueError, "objectives must be different components, at least one, got "),
        (["a", "b", "a"], ValueError, r"objectives must be different components, at least one, got \['a', 'b', 'a'\]"),
        (["c"], ValueError, r'component must be one of "a", "b", got \'c\''),
        ({"c": 1}, ValueError, r'component must be one of "a", "b", got \'c\''),
        ({"a": 0}, ValueError, "factor of 'a' must not be 0, got 0"),
        ({"a": -0.0}, ValueError, "factor of 'a' must not be 0, got -0.0"),
        ({"a": np.nan}, ValueError, "factor of 'a' must be finite, got nan"),
        ({"a": -np.inf}, ValueError, "factor of 'a' must be finite, got -inf"),
        ({"a": "more"}, TypeError, "factor of 'a' must be a number, got 'more'"),
        ({"a": True}, TypeError, "factor of 'a' must be a number, got True"),
    ],
)
def test_bad_objectives_are_refused(objectives: Any, kind: type[Exception], message: str) -> None:
    mdp, parts = prompts(2)
    with pytest.raises(kind, match=message):
        pareto_front(mdp, parts, objectives)
    with pytest.raises(kind, match=message):
        objective_factors(parts, objectives)


def test_more_points_than_allowed_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    mdp, parts = prompts(9)
    assert len(pareto_front(mdp, parts, max_points=10)) == 10
    with pytest.raises(ValueError, match="max_points must be at least the number of points, got 9 and more"):
        pareto_front(mdp, parts, max_points=9)
    with pytest.raises(ValueError, match="max_points must be >= 1, got 0"):
        pareto_front(mdp, parts, max_points=0)
    with pytest.raises(TypeError, match=r"max_points must be an integer, got 2\.5"):
        pareto_front(mdp, parts, max_points=2.5)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="tolerance must be >= 0, got -1"):
        pareto_front(mdp, parts, tolerance=-1)
    monkeypatch.setattr(pareto, "_MOST_SUMS", 17)  # the last prompt has 9 points times 2
    with pytest.raises(
        ValueError, match="must have at most 17 sums of points to compare at a time, got 18 where state"
    ):
        pareto_front(mdp, parts)


@pytest.mark.parametrize(
    ("point", "kind", "message"),
    [
        (3, ValueError, r"point must be in \[0, 2\], got 3"),
        (-1, ValueError, r"point must be in \[0, 2\], got -1"),
        (0.0, TypeError, "point must be an integer, got 0.0"),
    ],
)
def test_points_that_there_are_not_have_no_policy(point: Any, kind: type[Exception], message: str) -> None:
    front = pareto_front(*prompts(2))
    assert isinstance(front, ParetoFront)
    assert len(front) == 3
    with pytest.raises(kind, match=message):
        front.policy(point)


@pytest.mark.parametrize("count", [1, 3])
def test_components_of_another_shape_are_refused(count: int) -> None:
    with pytest.raises(ValueError, match="shape"):
        pareto_front(prompts(2)[0], prompts(count)[1])


@pytest.mark.parametrize("what", ["illegal", "unreachable", "repeated"])
def test_ways_that_a_policy_cannot_choose_between_are_one(what: str) -> None:
    mdp = three_states([(1, 2), (2, 2)], (1, 0, 0))
    if what == "illegal":
        mdp = replace(
            three_states([(1, 1), (2, 2)], (1, 0, 0)), action_mask=np.array([(1, 0), (1, 1), (1, 1)], dtype=bool)
        )
    if what == "unreachable":
        successors = np.concatenate([mdp.successors, np.full((1, 2, 1), 1)])
        mdp = TabularMDP(
            successors=successors,
            probabilities=np.ones((4, 2, 1)),
            initial=np.array([1.0, 0, 0, 0]),
            terminal=np.array([False, False, True, False]),
            gamma=0.9,
        )
    if what == "repeated":
        mdp = replace(mdp, successors=np.repeat(mdp.successors, 2, axis=2), probabilities=np.full((3, 2, 2), 0.5))
    parts = RewardComponents(("a",), np.where(mdp.terminal[:, None], 0, np.ones((1, mdp.num_states, 2))))
    assert pareto_front(mdp, parts).values.tolist() == [[1.9]]


def test_values_are_those_of_evaluate() -> None:
    mdp = random_tree(3, roots=2, living=6, branching=2, gamma=0.9)
    parts = whole_numbers(mdp, 3, 2)
    front = pareto_front(mdp, parts)
    for i, name in itertools.product(range(len(front)), range(2)):
        worth = evaluate(mdp, parts.table[name], front.policy(i)).expected_return
        assert front.values[i, name] == pytest.approx(worth, abs=1e-12)
