"""The interval of true returns over all policies optimal for the training reward, against hand and brute force."""

import itertools
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import cliffgym
from cliffgym import RewardComponents, TabularMDP, evaluate, optimal, scenario
from cliffgym.analysis import OutcomeInterval, outcome_intervals, regret_interval

IDS = list(cliffgym.SCENARIOS)
STATES, ACTIONS = 5, 3


def interval_of(id: str, train: str = "incomplete", **parameters: Any) -> Any:
    made = scenario(id, **parameters)
    return regret_interval(made.mdp, made.reward(train), made.reward("true"))


# By hand


def test_slacker_may_do_all_or_nothing_of_what_was_meant() -> None:
    interval = interval_of("Cliff-Slacker-v0")
    assert (interval.worst, interval.uniform, interval.best, interval.optimum) == pytest.approx((1, 1.5, 2, 2))
    assert (interval.left_to_chance, interval.misspecified) == pytest.approx((1, 0))


def test_lazy_slacker_leaves_nothing_to_chance_and_gets_everything_wrong() -> None:
    interval = interval_of("Cliff-Slacker-v0", "lazy")
    assert (interval.worst, interval.uniform, interval.best, interval.optimum) == pytest.approx((1, 1, 1, 2))
    assert (interval.left_to_chance, interval.misspecified) == pytest.approx((0, 1))


def test_a_gullible_evaluator_is_a_point_below_the_optimum() -> None:
    interval = interval_of("Cliff-Sophistry-v0", gullibility=0.9)
    assert (interval.worst, interval.uniform, interval.best, interval.optimum) == pytest.approx((0.4, 0.4, 0.4, 0.8))
    assert (interval.left_to_chance, interval.misspecified) == pytest.approx((0, 0.4))


def test_a_wary_evaluator_is_right() -> None:
    interval = interval_of("Cliff-Sophistry-v0", gullibility=0.2)
    assert (interval.worst, interval.best, interval.optimum) == pytest.approx((0.8, 0.8, 0.8))


def test_thinking_costs_up_to_eight_thoughts() -> None:
    interval = interval_of("Cliff-LengthPenalty-v0", penalty=0.02)
    assert (interval.worst, interval.best) == pytest.approx((1 - 0.02 * 8, 1 - 0.02 * 2.5))
    # From difficulty d on a coin decides whether to go on, up to 8: d + 1/2 + 1/4 + ... = d + 1 - 2^(d - 8) thoughts.
    mean_length = np.mean([d + 1 - 2.0 ** (d - 8) for d in (1, 2, 3, 4)])
    assert interval.uniform == pytest.approx(1 - 0.02 * mean_length)
    assert interval.misspecified == pytest.approx(0)


def test_a_bonus_on_one_format_is_won_or_lost() -> None:
    interval = interval_of("Cliff-TieBreaker-v0", bonus=0.1)
    assert (interval.worst, interval.uniform, interval.best) == pytest.approx((1, 1.025, 1.1))


@pytest.mark.parametrize("id", IDS)
def test_the_right_reward_leaves_nothing_open(id: str) -> None:
    interval = interval_of(id, "true")
    assert (interval.left_to_chance, interval.misspecified) == pytest.approx((0, 0), abs=1e-12)
    assert interval.uniform == pytest.approx(interval.optimum)


@pytest.mark.parametrize(("id", "reward"), [(id, reward) for id in IDS for reward in scenario(id).rewards])
def test_its_policies_attain_its_ends_and_are_optimal_for_the_training_reward(id: str, reward: str) -> None:
    made = scenario(id)
    train, true = made.reward(reward), made.reward("true")
    interval = regret_interval(made.mdp, train, true)
    for policy, value in ((interval.worst_policy, interval.worst), (interval.best_policy, interval.best)):
        assert evaluate(made.mdp, true, policy).expected_return == pytest.approx(value)
        assert evaluate(made.mdp, train, policy).expected_return == pytest.approx(
            optimal(made.mdp, train).expected_return
        )


# Against all deterministic policies of small random MDPs


def random_mdp(seed: int, *, cyclic: bool) -> tuple[TabularMDP, NDArray[np.float64], NDArray[np.float64]]:
    """A small MDP with training and true rewards in {0, 1}, some actions copies of others up to the true reward."""
    generator = np.random.default_rng([seed, cyclic])
    successors = np.empty((STATES, ACTIONS, 2), dtype=np.intp)
    for state in range(STATES):
        successors[state] = generator.integers(0 if cyclic else min(state + 1, STATES - 1), STATES, size=(ACTIONS, 2))
    first = np.ones((STATES, ACTIONS)) if cyclic else generator.choice([0.5, 1.0], size=(STATES, ACTIONS))
    train = generator.integers(0, 2, size=(STATES, ACTIONS)).astype(float)
    true = generator.integers(0, 2, size=(STATES, ACTIONS)).astype(float)
    for state in range(STATES):
        if generator.random() < 0.5:
            a, b = generator.choice(ACTIONS, size=2, replace=False)
            successors[state, a], first[state, a], train[state, a] = (
                successors[state, b],
                first[state, b],
                train[state, b],
            )
    terminal = np.arange(STATES) == STATES - 1
    successors[-1], train[-1], true[-1] = STATES - 1, 0, 0
    mask = np.ones((STATES, ACTIONS), dtype=bool)
    mask[np.arange(STATES), generator.integers(0, ACTIONS, STATES)] = generator.random(STATES) < 0.7
    mdp = TabularMDP(
        successors=successors,
        probabilities=np.stack([first, 1 - first], axis=2),
        initial=generator.dirichlet(np.ones(STATES)),
        terminal=terminal,
        gamma=0.9 if cyclic else 1.0,
        action_mask=mask,
    )
    return mdp, train, true


def returns(mdp: TabularMDP, reward: NDArray[np.float64], policies: NDArray[np.intp]) -> NDArray[np.float64]:
    """(N,) expected returns of N deterministic policies (N, S), by a dense linear system for each."""
    dense = np.zeros((STATES, ACTIONS, STATES))
    for slot in range(2):
        s, a = np.indices((STATES, ACTIONS))
        np.add.at(dense, (s, a, mdp.successors[:, :, slot]), mdp.probabilities[:, :, slot])
    dense[mdp.terminal] = 0
    rows = np.arange(STATES)
    system = np.eye(STATES) - mdp.gamma * dense[rows, policies]
    values = np.linalg.solve(system, reward[rows, policies][:, :, None])[:, :, 0]
    return values @ mdp.initial


@pytest.mark.parametrize("cyclic", [False, True], ids=["acyclic", "cyclic"])
def test_no_deterministic_policy_is_left_out(cyclic: bool) -> None:
    everything = np.array(list(itertools.product(range(ACTIONS), repeat=STATES)))
    open_intervals = wrong_rewards = 0
    for seed in range(150):
        mdp, train, true = random_mdp(seed, cyclic=cyclic)
        legal = mdp.action_mask[np.arange(STATES), everything].all(axis=1)
        paid, meant = returns(mdp, train, everything[legal]), returns(mdp, true, everything[legal])
        allowed = meant[paid >= paid.max() - 1e-9]
        interval = regret_interval(mdp, train, true)
        parts = RewardComponents(("train", "true"), np.stack([train, true]))
        outcomes = outcome_intervals(mdp, train, parts)
        assert outcomes["train"].width == pytest.approx(0, abs=1e-9)
        assert outcomes["true"][:2] == pytest.approx((interval.worst, interval.best), abs=1e-9)
        assert outcomes["true"][2:] == pytest.approx((meant.min(), meant.max()), abs=1e-9), seed
        assert interval.worst == pytest.approx(allowed.min(), abs=1e-9), seed
        assert interval.best == pytest.approx(allowed.max(), abs=1e-9), seed
        assert interval.optimum == pytest.approx(meant.max(), abs=1e-9), seed
        assert interval.worst - 1e-9 <= interval.uniform <= interval.best + 1e-9
        assert interval.left_to_chance >= 0
        assert interval.misspecified >= 0
        open_intervals += interval.left_to_chance > 1e-9
        wrong_rewards += interval.misspecified > 1e-9
    assert open_intervals > 30  # both happen often enough to be tested
    assert wrong_rewards > 30


def test_distance_from_an_interval_is_a_share_of_what_is_possible() -> None:
    interval = OutcomeInterval(low=2, high=3, least=0, most=10)
    assert [interval.distance(value) for value in (0, 1, 2, 2.5, 3, 5)] == [0.2, 0.1, 0, 0, 0, 0.2]
    assert interval.width == 1
    assert OutcomeInterval(1, 1, 1, 1).distance(1) == 0  # nothing else is possible


def test_a_wider_tolerance_lets_nearly_optimal_policies_in() -> None:
    slacker = scenario("Cliff-Slacker-v0", effort_cost=1e-6)
    lazy, true = slacker.reward("lazy"), slacker.reward("true")
    assert regret_interval(slacker.mdp, lazy, true).best == pytest.approx(1)
    assert regret_interval(slacker.mdp, lazy, true, tie_tolerance=1e-5).best == pytest.approx(2)


@pytest.mark.parametrize("which", ["train", "true"])
def test_a_reward_that_does_not_suit_the_mdp_is_refused(which: str) -> None:
    made = scenario("Cliff-Slacker-v0")
    rewards: dict[str, Any] = {"train": made.reward("incomplete"), "true": made.reward("true")}
    cut: dict[str, Any] = rewards | {which: rewards[which][:1]}
    with pytest.raises(ValueError, match=rf"{which} must have shape \(S, A\) = \(41, 5\), got \(1, 5\)"):
        regret_interval(made.mdp, **cut)
    unknown: dict[str, Any] = rewards | {which: np.full((41, 5), np.nan)}
    with pytest.raises(ValueError, match=f"{which} must be finite, got nan"):
        regret_interval(made.mdp, **unknown)


def test_the_mdp_is_left_as_it_was() -> None:
    made = scenario("Cliff-Slacker-v0")
    before = replace(made.mdp)
    regret_interval(made.mdp, made.reward("incomplete"), made.reward("true"))
    assert np.array_equal(made.mdp.action_mask, before.action_mask)
