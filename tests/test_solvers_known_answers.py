"""The solvers on problems whose answers are known from elsewhere.

Source: Sutton & Barto (2018), Reinforcement Learning, example 4.3 (the gambler's problem); Gymnasium's toy-text tables,
solved with QuantEcon's DiscreteDP.
"""

import functools
from fractions import Fraction
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from numpy.typing import NDArray
from quantecon.markov import DiscreteDP

from cliffgym import TabularMDP, evaluate, optimal, soft, uniform_policy
from cliffgym.solvers import linear

# The gambler's problem

GOAL = 100
HEADS = Fraction(2, 5)


def gambler() -> tuple[TabularMDP, NDArray[np.float64]]:
    """States are capital 0..100, then "won"; actions are stakes 0..50. Reaching the goal pays 1 on the way to "won".

    A stake of 0, and one that is more than there is or more than is needed, is illegal and leads to ruin.
    """
    S, A, won = GOAL + 2, GOAL // 2 + 1, GOAL + 1
    successors = np.zeros((S, A, 2), dtype=int)
    probabilities = np.tile([1.0, 0.0], (S, A, 1))
    legal = np.zeros((S, A), dtype=bool)
    for capital in range(1, GOAL):
        for stake in range(1, min(capital, GOAL - capital) + 1):
            successors[capital, stake] = capital + stake, capital - stake
            probabilities[capital, stake] = float(HEADS), float(1 - HEADS)
            legal[capital, stake] = True
    successors[[GOAL, won]] = won
    legal[GOAL, 0] = True
    reward = np.zeros((S, A))
    reward[GOAL, 0] = 1
    start, ends = np.arange(S) == GOAL // 2, np.isin(np.arange(S), [0, won])
    return TabularMDP(successors, probabilities, start.astype(float), ends, 1.0, legal), reward


@functools.cache
def bold_play() -> tuple[Fraction, ...]:
    """The chance of reaching the goal from each capital when always staking all that is of use, in exact fractions.

    With heads less likely than tails no strategy is better (Dubins & Savage, 1965).
    """
    values: dict[int, Fraction] = {0: Fraction(0), GOAL: Fraction(1)}

    def bet(capital: int) -> tuple[Fraction, Fraction, int]:
        """Bold play's chance is constant + factor · the chance at the next capital that is not an end."""
        if 2 * capital <= GOAL:
            return Fraction(0), HEADS, 2 * capital
        return HEADS, 1 - HEADS, 2 * capital - GOAL

    def value(capital: int) -> Fraction:
        if capital not in values:
            constant, factor, at = Fraction(0), Fraction(1), capital
            for _ in range(GOAL):
                more, by, at = bet(at)
                constant, factor = constant + factor * more, factor * by
                if at == capital:  # the sequence of capitals came round
                    values[capital] = constant / (1 - factor)
                    break
            else:
                more, by, after = bet(capital)
                values[capital] = more + by * value(after)
        return values[capital]

    return tuple(value(capital) for capital in range(GOAL + 1))


@functools.cache
def exact_gaps() -> dict[tuple[int, int], Fraction]:
    """What each legal stake loses, in exact fractions."""
    values = bold_play()
    return {
        (capital, stake): values[capital] - HEADS * values[capital + stake] - (1 - HEADS) * values[capital - stake]
        for capital in range(1, GOAL)
        for stake in range(1, min(capital, GOAL - capital) + 1)
    }


def exact_stakes(capital: int) -> set[int]:
    return {stake for (at, stake), gap in exact_gaps().items() if at == capital and gap == 0}


def wrong_states(optimal_actions: NDArray[np.bool_]) -> int:
    return sum(set(np.flatnonzero(optimal_actions[c]).tolist()) != exact_stakes(c) for c in range(1, GOAL))


def test_bold_play_cannot_be_improved() -> None:
    """Its values satisfy the Bellman equation exactly, so they are the gambler's optimal values."""
    gaps = exact_gaps()
    assert min(gaps.values()) == 0
    assert {capital for (capital, _), gap in gaps.items() if gap == 0} == set(range(1, GOAL))


def test_gamblers_values() -> None:
    values = optimal(*gambler()).state_values
    assert values[[25, 50, 75]] == pytest.approx([0.16, 0.40, 0.64], abs=1e-12)
    np.testing.assert_allclose(values[: GOAL + 1], [float(value) for value in bold_play()], atol=1e-12)


def test_gamblers_stakes() -> None:
    optimum = optimal(*gambler())
    assert {1, 49} <= set(np.flatnonzero(optimum.optimal_actions[51]))
    assert {11, 14, 36} <= set(np.flatnonzero(optimum.optimal_actions[64]))
    assert wrong_states(optimum.optimal_actions) == 0
    assert optimum.tied_states.size == sum(len(exact_stakes(capital)) > 1 for capital in range(1, GOAL)) == 72


def test_gamblers_gaps() -> None:
    optimum = optimal(*gambler())
    for (capital, stake), gap in exact_gaps().items():
        assert optimum.action_gaps[capital, stake] == pytest.approx(float(gap), abs=1e-12)
    smallest = float(min(gap for gap in exact_gaps().values() if gap > 0))
    assert smallest == pytest.approx(2.34e-4, abs=1e-6)
    several = optimum.action_gaps[1:GOAL]
    assert several[several > optimum.tolerance].min() == pytest.approx(smallest, abs=1e-12)


@pytest.mark.parametrize("tolerance", [1e-15, 1e-14, 1e-12, 1e-9, 1e-6, 1e-5, 1e-4])
def test_gamblers_ties_are_found_at_any_tolerance_below_the_smallest_gap(tolerance: float) -> None:
    assert wrong_states(optimal(*gambler(), tie_tolerance=tolerance).optimal_actions) == 0


def test_gamblers_ties_are_wrong_at_tolerances_too_small_or_too_large() -> None:
    """Without any tolerance rounding decides; a tolerance of 1e-3 swallows gaps."""
    mdp, reward = gambler()
    assert wrong_states(optimal(mdp, reward, tie_tolerance=0).optimal_actions) > 0
    swallowed = {capital for (capital, _), gap in exact_gaps().items() if 0 < gap <= 1e-3}
    assert wrong_states(optimal(mdp, reward, tie_tolerance=1e-3).optimal_actions) == len(swallowed) == 50


def test_gamblers_optimal_policies_are_all_worth_the_same() -> None:
    mdp, reward = gambler()
    policy = optimal(mdp, reward).policy
    np.testing.assert_allclose(
        evaluate(mdp, reward, policy).state_values[: GOAL + 1], [float(value) for value in bold_play()], atol=1e-12
    )


def test_gambler_is_solved_by_iterating_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(linear, "DENSE_LIMIT", 10)
    optimum = optimal(*gambler())
    assert wrong_states(optimum.optimal_actions) == 0
    np.testing.assert_allclose(optimum.state_values[: GOAL + 1], [float(value) for value in bold_play()], atol=1e-12)


@pytest.mark.parametrize("temperature", [1e-6, 1e-4])
def test_gamblers_soft_values_come_down_to_the_optimal_ones(temperature: float) -> None:
    mdp, reward = gambler()
    optimum, solution = optimal(mdp, reward), soft(mdp, reward, temperature)
    difference = (solution.state_values - optimum.state_values)[1:GOAL]
    # Entropy adds at most temperature · log(50) for each of the coin tosses, of which few are ever made.
    assert (difference >= 0).all()
    assert difference.max() < temperature * np.log(50) * 20
    if temperature == 1e-6:  # far below the smallest gap
        assert solution.policy[1:GOAL][~optimum.optimal_actions[1:GOAL]].max() < 1e-50


# Gymnasium's toy-text environments

TOY_TEXT = [
    ("FrozenLake", {"map_name": "4x4", "is_slippery": True}),
    ("FrozenLake", {"map_name": "4x4", "is_slippery": False}),
    ("FrozenLake", {"map_name": "8x8", "is_slippery": True}),
    ("FrozenLake", {"map_name": "8x8", "is_slippery": False}),
    ("CliffWalking", {}),
    ("CliffWalking", {"is_slippery": True}),
    ("Taxi", {}),
    ("Taxi", {"is_rainy": True}),
]
every_toy_text = pytest.mark.parametrize(
    ("name", "arguments"), TOY_TEXT, ids=lambda value: str(value) if isinstance(value, str) else repr(value)
)


def toy_text(name: str, arguments: dict[str, Any]) -> gym.Env[Any, Any]:
    """The newest version of an environment that the installed Gymnasium has."""
    versions = {
        spec.version or 0: spec.id for spec in gym.registry.values() if (spec.namespace, spec.name) == (None, name)
    }
    try:
        return gym.make(versions[max(versions)], **arguments)
    except TypeError:
        pytest.skip(f"Gymnasium {gym.__version__} has no {name} with {arguments}")


def literal_problem(name: str, arguments: dict[str, Any]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(S + 1, A) rewards and (S + 1, A, S + 1) transitions; every end leads to one absorbing state, the last."""
    inner: Any = toy_text(name, arguments).unwrapped
    table = inner.P
    S, A = len(table), len(table[0])
    reward, kernel = np.zeros((S + 1, A)), np.zeros((S + 1, A, S + 1))
    kernel[S, :, S] = 1
    for state in range(S):
        for action in range(A):
            for p, to, r, ended in table[state][action]:
                reward[state, action] += p * r
                kernel[state, action, S if ended else to] += p
    return reward, kernel


@every_toy_text
@pytest.mark.parametrize("gamma", [0.9, 0.99])
def test_toy_text_values_are_those_of_quantecon(name: str, arguments: dict[str, Any], gamma: float) -> None:
    reward, kernel = literal_problem(name, arguments)
    expected = DiscreteDP(reward, kernel, gamma).solve(method="policy_iteration").v
    expected_q = reward + gamma * kernel @ expected
    mdp, expected_reward = TabularMDP.from_gym(toy_text(name, arguments), gamma)
    optimum = optimal(mdp, expected_reward)
    S = len(expected) - 1
    alive = np.flatnonzero(~mdp.terminal[:S])
    assert alive.size
    np.testing.assert_allclose(optimum.state_values[alive], expected[alive], rtol=0, atol=1e-8)
    np.testing.assert_allclose(optimum.q_values[alive], expected_q[alive], rtol=0, atol=1e-8)
    best = expected_q >= expected[:, None] - 1e-8
    np.testing.assert_array_equal(optimum.optimal_actions[alive], best[alive])
    start = np.append(mdp.initial[:S], 0)
    assert optimum.expected_return == pytest.approx(start @ expected, abs=1e-8)


@every_toy_text
def test_toy_text_evaluation_is_a_linear_system(name: str, arguments: dict[str, Any]) -> None:
    gamma = 0.95
    reward, kernel = literal_problem(name, arguments)
    values = np.linalg.solve(np.eye(len(reward)) - gamma * kernel.mean(axis=1), reward.mean(axis=1))
    mdp, expected_reward = TabularMDP.from_gym(toy_text(name, arguments), gamma)
    alive = np.flatnonzero(~mdp.terminal[: len(values) - 1])
    result = evaluate(mdp, expected_reward, uniform_policy(mdp))
    np.testing.assert_allclose(result.state_values[alive], values[alive], rtol=0, atol=1e-8)


def test_walking_along_the_cliff_takes_thirteen_steps() -> None:
    mdp, reward = TabularMDP.from_gym(toy_text("CliffWalking", {}), 0.999999)
    assert optimal(mdp, reward).expected_return == pytest.approx(-13, abs=1e-3)


def test_the_frozen_lake_that_does_not_slip_is_crossed_in_six_steps() -> None:
    for size, steps in (("4x4", 6), ("8x8", 14)):
        mdp, reward = TabularMDP.from_gym(toy_text("FrozenLake", {"map_name": size, "is_slippery": False}), 0.9)
        assert optimal(mdp, reward).expected_return == pytest.approx(0.9 ** (steps - 1), abs=1e-12)
