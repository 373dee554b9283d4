"""The soft policy along a line: against closed forms, the solver itself, and bounds that are attained."""

import itertools
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import cliffgym
from cliffgym import RewardComponents, TabularMDP, expected_components, optimal, soft, total_variation, uniform_policy
from cliffgym.analysis import SoftPath, soft_path
from cliffgym.testing import CYCLES, known_optimum, random_mdp, random_policy, random_reward

Table = NDArray[Any]
TEMPERATURES = [1e-3, 0.03, 0.3, 3.0]


def case(seed: int) -> tuple[TabularMDP, Table, Table]:
    kind = CYCLES[seed % 3]
    gamma = (0.5, 0.9, 0.99)[seed // 3 % 3] if kind == "free" else (0.9, 1.0)[seed // 3 % 2]
    mdp = random_mdp(seed, num_states=7, cycles=kind, gamma=gamma)
    reward = known_optimum(mdp, seed).reward if seed % 2 else random_reward(mdp, seed)
    return mdp, reward, random_reward(mdp, [seed, 1], levels=None if seed % 4 else 3)


def fork(gamma: float) -> tuple[TabularMDP, Table]:
    """Two absorbing states; one branch is paid 1 at every step, the other costs as much."""
    mdp = TabularMDP([[[1], [2]], [[1], [1]], [[2], [2]]], np.ones((3, 2, 1)), [1, 0, 0], [False] * 3, gamma)  # type: ignore[arg-type]
    return mdp, np.array([[1.0, -1.0], [1, 1], [-1, -1]])


def breaker_path(positions: Any, temperatures: Any, **settings: Any) -> tuple[cliffgym.Scenario, SoftPath]:
    breaker = cliffgym.scenario("Cliff-TieBreaker-v0")
    tables = breaker.reward("incomplete"), breaker.components["target_format"]
    settings = {"components": breaker.components, **settings}
    return breaker, soft_path(breaker.mdp, *tables, positions, temperatures, **settings)


# What is reported


def test_the_tie_breaker_slides_as_its_closed_form_says() -> None:
    positions, temperatures = np.linspace(-0.2, 0.2, 21), np.array(TEMPERATURES)
    _, path = breaker_path(positions, temperatures)
    odds = positions / temperatures[:, None]
    expected = 1 / (1 + 3 * np.exp(-odds))
    np.testing.assert_allclose(path.components["target_format"], expected, rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(path.total_variation, np.diff(expected, axis=1), rtol=1e-8, atol=1e-12)
    np.testing.assert_allclose(path.optimal_return, 1 + np.maximum(positions, 0), rtol=1e-14)
    # A format's probability depends on the bonus of one step: the change of values is that of the reward.
    step = np.tanh(0.02 / (2 * temperatures))[:, None] * np.ones(20)
    format_step = path.total_variation / step
    assert (format_step <= 1).all()
    np.testing.assert_allclose(path.lipschitz_bound, (2 * 0.02 / (2 * temperatures))[:, None] * np.ones(20), rtol=1e-9)


@pytest.mark.parametrize("seed", range(24))
def test_everything_reported_is_what_solving_each_point_says(seed: int) -> None:
    mdp, reward, direction = case(seed)
    reference = random_policy(mdp, seed) if seed % 3 == 1 else None
    components = RewardComponents(("pay", "drift"), np.stack([reward, direction]))
    positions = np.sort(np.random.default_rng(seed).uniform(-1, 1, size=4))
    path = soft_path(mdp, reward, direction, positions, TEMPERATURES, reference=reference, components=components)
    decided = mdp.action_mask & ~mdp.terminal[:, None]
    for i, temperature in enumerate(TEMPERATURES):
        points = [soft(mdp, reward + t * direction, temperature, reference) for t in positions]
        for j, point in enumerate(points):
            assert path.expected_return[i, j] == point.expected_return
            for name, value in expected_components(mdp, components, point.policy).items():
                assert path.components[name][i, j] == value
            total = path.components["pay"][i, j] + positions[j] * path.components["drift"][i, j]
            assert path.expected_return[i, j] == pytest.approx(total, abs=1e-9)
        for j, (before, after) in enumerate(itertools.pairwise(points)):
            moved = total_variation(before.policy, after.policy)[~mdp.terminal].max()
            change = np.abs(before.q_values - after.q_values)[decided].max()
            assert path.total_variation[i, j] == moved
            assert path.sharp_bound[i, j] == np.tanh(change / (2 * temperature))
    best = [optimal(mdp, reward + t * direction).expected_return for t in positions]
    np.testing.assert_array_equal(path.optimal_return, best)
    np.testing.assert_array_equal(path.cost_of_softness, np.array(best) - path.expected_return)
    assert path.lipschitz_bound.shape == path.sharp_bound.shape == path.total_variation.shape == (4, 3)


def test_nothing_but_returns_without_components() -> None:
    _, path = breaker_path([0, 1], [1.0], components=None)
    assert path.components == {}
    _, point = breaker_path([0.1], [1.0])
    assert point.expected_return.shape == (1, 1)
    assert point.total_variation.shape == point.lipschitz_ratio.shape == (1, 0)


# The bounds


@pytest.mark.parametrize("seed", range(48))
def test_no_ratio_exceeds_one(seed: int) -> None:
    mdp, reward, direction = case(seed)
    reference = random_policy(mdp, seed) if seed % 2 else None
    path = soft_path(mdp, reward, direction, np.linspace(-1, 1, 9), TEMPERATURES, reference=reference)
    for ratio in (path.lipschitz_ratio, path.sharp_ratio, path.softness_ratio):
        assert (ratio <= 1 + 1e-9).all()
    assert (path.sharp_ratio >= path.lipschitz_ratio * (1 - 1e-9)).all(), "the sharp law is the sharper one"
    assert (path.cost_of_softness >= -1e-12).all()


@pytest.mark.parametrize("gamma", [0.0, 0.5, 0.9])
@pytest.mark.parametrize("temperature", [0.1, 1.0])
@pytest.mark.parametrize("size", [1e-4, 1e-2])
def test_both_bounds_are_attained(gamma: float, temperature: float, size: float) -> None:
    mdp, direction = fork(gamma)
    path = soft_path(mdp, 0 * direction, direction, [-size / 2, size / 2], [temperature])
    x = size / (2 * temperature * (1 - gamma))
    assert path.horizon == pytest.approx(1 / (1 - gamma))
    assert path.total_variation[0, 0] == pytest.approx(np.tanh(x), abs=1e-13)
    assert path.sharp_ratio[0, 0] == pytest.approx(1, abs=1e-10)
    assert path.lipschitz_bound[0, 0] == pytest.approx(x, rel=1e-12)
    assert path.lipschitz_ratio[0, 0] == pytest.approx(np.tanh(x) / x, abs=1e-10)


def test_a_reference_keeps_both_bounds_and_attains_them() -> None:
    mdp, direction = fork(0.5)
    path = soft_path(mdp, 0 * direction, direction, [-0.1, 0.1], [0.3], reference=uniform_policy(mdp))
    assert path.sharp_ratio[0, 0] == pytest.approx(1, abs=1e-12)
    tilted = np.tile([0.9, 0.1], (3, 1))
    path = soft_path(mdp, 0 * direction, direction, [-0.1, 0.1], [0.3], reference=tilted)
    assert 0.1 < path.sharp_ratio[0, 0] < 0.9, "away from even odds the policy moves less"


def test_softness_costs_its_bound_where_everything_but_one_action_costs_a_little() -> None:
    """One step, A actions, all but one lose alpha · log(A): for many actions half of the bound and more is paid."""
    A, alpha = 10_000, 0.1
    mdp = TabularMDP(
        np.ones((2, A, 1), dtype=int), np.ones((2, A, 1)), np.array([1.0, 0]), np.array([False, True]), 1.0
    )
    reward = np.zeros((2, A))
    reward[0, 1:] = -0.9 * alpha * np.log(A)
    path = soft_path(mdp, reward, reward, [0, 1e-9], [alpha])
    assert path.softness_bound[0] == pytest.approx(alpha * np.log(A), rel=1e-12)
    assert 0.6 < path.softness_ratio[0, 0] <= 1


def test_bounds_at_gamma_one() -> None:
    """The effective horizon of traces of two tokens is 2; where there are cycles, the longest expected trace counts."""
    _, path = breaker_path([0, 0.1], [0.1])
    assert path.horizon == 2
    assert path.softness_bound == pytest.approx(0.1 * np.log(4) * 2)
    # Every action ends with probability 1/2: two steps are expected.
    successors = np.array([[[0, 1]] * 2, [[1, 1]] * 2])
    mdp = TabularMDP(successors, np.full((2, 2, 2), 0.5), np.array([1.0, 0]), np.array([False, True]), 1.0)
    coin = soft_path(mdp, np.zeros((2, 2)), [[1, -1], [0, 0]], [-0.01, 0.01], [0.1])
    assert coin.horizon == pytest.approx(2, rel=1e-14)
    assert coin.lipschitz_ratio[0, 0] <= 1


def test_a_reference_prices_softness_by_its_rarest_action() -> None:
    mdp, direction = fork(0.5)
    reference = np.tile([0.9, 0.1], (3, 1))
    path = soft_path(mdp, direction, direction, [0, 1], [0.2], reference=reference)
    assert path.softness_bound[0] == pytest.approx(0.2 * np.log(10) * 2)
    barred = np.tile([0.0, 1.0], (3, 1))
    path = soft_path(mdp, direction, direction, [0, 1], [0.2], reference=barred)
    assert path.softness_bound[0] == np.inf
    assert (path.softness_ratio == 0).all()
    assert path.cost_of_softness[0, 0] == pytest.approx(4), "the best action is forbidden: -2 for 2"


def test_what_illegal_actions_pay_widens_no_bound() -> None:
    legal = np.array([[True, True, False], [True] * 3])
    mdp = TabularMDP(np.ones((2, 3, 1), dtype=int), np.ones((2, 3, 1)), [1, 0], [False, True], 1.0, legal)  # type: ignore[arg-type]
    path = soft_path(mdp, np.zeros((2, 3)), [[1, -1, 1e6], [0, 0, 0]], [-0.01, 0.01], [1.0])
    assert path.lipschitz_bound[0, 0] == pytest.approx(0.01)
    assert path.sharp_bound[0, 0] == pytest.approx(np.tanh(0.01))
    assert path.softness_bound[0] == pytest.approx(np.log(2))


def test_a_direction_that_moves_nothing_has_ratio_zero() -> None:
    legal = np.array([[True, False], [True, True]])
    mdp = TabularMDP(np.ones((2, 2, 1), dtype=int), np.ones((2, 2, 1)), [1, 0], [False, True], 1.0, legal)  # type: ignore[arg-type]
    path = soft_path(mdp, np.zeros((2, 2)), [[0, 1.0], [0, 0]], [0, 1], [1.0])
    assert path.lipschitz_ratio.tolist() == path.sharp_ratio.tolist() == path.softness_ratio[:, 1:].tolist() == [[0]]


def test_bad_input() -> None:
    mdp, reward, direction = case(0)
    for name, wrong in (("positions", ([], [1.0])), ("temperatures", ([0.0, 1.0], []))):
        with pytest.raises(ValueError, match=rf"{name} must be a 1-D array of one number or more, got shape \(0,\)"):
            soft_path(mdp, reward, direction, *wrong)
    with pytest.raises(ValueError, match=r"positions must be a 1-D array .* got shape \(1, 2\)"):
        soft_path(mdp, reward, direction, [[0, 1]], [1.0])
    with pytest.raises(ValueError, match=r"positions must rise, got \[0.0, 0.0\]"):
        soft_path(mdp, reward, direction, [0, 0], [1.0])
    with pytest.raises(ValueError, match="positions must be finite, got nan"):
        soft_path(mdp, reward, direction, [0, np.nan], [1.0])
    with pytest.raises(ValueError, match=r"temperatures must be > 0, got 0.0"):
        soft_path(mdp, reward, direction, [0, 1], [1.0, 0.0])
    with pytest.raises(TypeError, match="temperatures must be an array of numbers"):
        soft_path(mdp, reward, direction, [0, 1], ["warm"])  # type: ignore[list-item]
    with pytest.raises(ValueError, match="direction must not be all zeros"):
        soft_path(mdp, reward, 0 * direction, [0, 1], [1.0])
    with pytest.raises(ValueError, match=r"direction must have shape"):
        soft_path(mdp, reward, direction[1:], [0, 1], [1.0])
    with pytest.raises(ValueError, match=r"reference must have shape"):
        soft_path(mdp, reward, direction, [0, 1], [1.0], reference=np.ones((1, 1)))
    with pytest.raises(ValueError, match=r"components must have shape"):
        soft_path(mdp, reward, direction, [0], [1.0], components=RewardComponents(("a",), np.zeros((1, 2, 2))))
