"""Ties: counted, reached and certified, against enumeration of every deterministic policy and known answers."""

from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import cliffgym
from cliffgym import TabularMDP
from cliffgym.analysis import Ties, ties
from cliffgym.analysis.rational import MAX_CYCLIC_STATES, MAX_PAIRS, as_fraction, rational_optimal_actions
from cliffgym.testing import CYCLES, dense_kernel, deterministic_policies, known_optimum, random_mdp, random_reward

Table = NDArray[Any]


def one_step(num_actions: int) -> TabularMDP:
    """Choose once, and it is over."""
    successors = np.ones((2, num_actions, 1), dtype=int)
    return TabularMDP(successors, np.ones(successors.shape), np.array([1.0, 0]), np.array([False, True]), 1.0)


def pays(*rewards: float) -> Ties:
    return ties(one_step(len(rewards)), [rewards, [0.0] * len(rewards)])


def small_mdp(seed: int, **settings: Any) -> TabularMDP:
    kind = CYCLES[seed % 3]
    gamma = 0.9 if kind == "free" else (0.9, 1.0)[seed // 3 % 2]
    return random_mdp(seed, num_states=6, num_actions=3, cycles=kind, gamma=gamma, **settings)


def optimal_policies(mdp: TabularMDP, reward: Table) -> list[Table]:
    """Every deterministic policy that is optimal from every state, by one dense linear system each."""
    kernel, policies, values = mdp.gamma * dense_kernel(mdp), list(deterministic_policies(mdp)), []
    kernel[mdp.terminal] = 0
    for policy in policies:
        matrix = np.einsum("sa,sat->st", policy, kernel)
        values.append(np.linalg.solve(np.eye(mdp.num_states) - matrix, (policy * reward).sum(axis=1)))
    best = np.max(values, axis=0)
    return [policy for policy, value in zip(policies, values, strict=True) if (value > best - 1e-9).all()]


def visited(mdp: TabularMDP, policy: Table) -> NDArray[np.bool_]:
    moves = np.einsum("sa,sat->st", policy, dense_kernel(mdp)) + np.eye(mdp.num_states)
    return mdp.initial @ np.linalg.matrix_power(moves, mdp.num_states) > 0


@pytest.mark.parametrize("seed", range(60))
def test_optimal_policies_and_reachable_ties_are_those_of_enumeration(seed: int) -> None:
    mdp = small_mdp(seed)
    reward = known_optimum(mdp, seed).reward if seed % 2 else random_reward(mdp, seed, levels=3)
    found = ties(mdp, reward)
    every = optimal_policies(mdp, reward)
    assert found.num_optimal_policies == len(every)
    assert found.log10_optimal_policies == pytest.approx(np.log10(len(every)), abs=1e-12)
    taken = np.any(every, axis=0)
    tied = (taken.sum(axis=1) > 1) & ~mdp.terminal
    np.testing.assert_array_equal(found.states, np.flatnonzero(tied))
    reached = np.any([visited(mdp, policy) for policy in every], axis=0)
    np.testing.assert_array_equal(found.reachable_states, np.flatnonzero(tied & reached))


@pytest.mark.parametrize("seed", range(60))
def test_smallest_gap_is_the_one_that_was_planted(seed: int) -> None:
    mdp = small_mdp(seed)
    known = known_optimum(mdp, seed)
    found = ties(mdp, known.reward)
    positive = np.where(np.isfinite(known.action_gaps) & (known.action_gaps > 0), known.action_gaps, np.inf)
    if positive.min() == np.inf:
        assert (found.smallest_gap, found.smallest_gap_at) == (np.inf, None)
    else:
        assert found.smallest_gap == pytest.approx(positive.min(), abs=1e-12)
        assert found.smallest_gap_at == np.unravel_index(positive.argmin(), positive.shape)
    assert not found.ambiguous
    assert found.warning is None


def test_counts_beyond_the_largest_float_are_exact() -> None:
    steps = 2000
    successors = np.minimum(np.arange(steps + 1) + 1, steps)[:, None, None] * np.ones((1, 3, 1), dtype=int)
    mdp = TabularMDP(
        successors, np.ones(successors.shape), np.eye(steps + 1)[0], np.arange(steps + 1) == steps, gamma=1.0
    )
    found = ties(mdp, np.zeros((steps + 1, 3)))
    assert found.num_optimal_policies == 3**2000
    assert found.log10_optimal_policies == pytest.approx(2000 * np.log10(3), rel=1e-12)
    assert found.smallest_gap == np.inf


@pytest.mark.parametrize(
    ("id", "tied", "reachable", "policies"),
    [
        ("Cliff-Slacker-v0", 12, 12, 4**3 * 2**6),
        ("Cliff-TieBreaker-v0", 12, 4, 4**12),
        ("Cliff-LengthPenalty-v0", 22, 22, 2**22),
    ],
)
def test_ties_of_the_scenarios(id: str, tied: int, reachable: int, policies: int) -> None:
    scenario = cliffgym.scenario(id)
    found = ties(scenario.mdp, scenario.reward("incomplete"), exact=True)
    assert (len(found.states), len(found.reachable_states)) == (tied, reachable)
    assert found.num_optimal_policies == policies
    assert found.certified is True
    assert found.warning is None


# What is not certain


@pytest.mark.parametrize("gap", [1.01e-10, 5e-10, 2e-9, 9.9e-9])
def test_gaps_within_a_decade_of_the_tolerance_are_ambiguous(gap: float) -> None:
    found = pays(1.0, 1.0 - gap, 0.0)
    assert found.ambiguous == ((0, 1),)
    assert found.warning is not None
    assert found.warning.startswith("1 action gap(s) lie within a factor 10 of the tie tolerance, the first at state 0")


@pytest.mark.parametrize("gap", [0.0, 1e-16, 9e-11, 1.1e-8, 0.5])
def test_gaps_far_from_the_tolerance_are_not(gap: float) -> None:
    found = pays(1.0, 1.0 - gap, 0.0)
    assert found.ambiguous == ()
    assert found.warning is None
    assert len(found.states) == (gap < 1e-9)


def test_ambiguity_follows_the_tolerance_and_the_scale_of_reward() -> None:
    reward = [[1e6, 1e6 - 5e-4], [0, 0]]
    assert ties(one_step(2), reward).ambiguous == ((0, 1),)
    assert ties(one_step(2), reward, tie_tolerance=1e-12).ambiguous == ()
    assert ties(one_step(2), reward, tie_tolerance=0).ambiguous == ()


def test_exact_mode_refutes_a_tie_that_is_none() -> None:
    breaker = cliffgym.scenario("Cliff-TieBreaker-v0", bonus=3e-12)
    found = ties(breaker.mdp, breaker.reward("true"), exact=True)
    assert len(found.states) == 12, "within the tolerance"
    assert found.certified is False
    assert found.warning == "exact arithmetic finds other optimal actions than floating point"
    finer = ties(breaker.mdp, breaker.reward("true"), tie_tolerance=1e-13, exact=True)
    assert finer.certified is True
    assert len(finer.states) == 0


def test_exact_mode_refutes_a_gap_that_is_none() -> None:
    """0.1 and then 0.2 is 0.3, but not in floating point."""
    mdp = TabularMDP(
        [[[1], [2]], [[2], [2]], [[2], [2]]],  # type: ignore[arg-type]
        np.ones((3, 2, 1)),
        np.array([1.0, 0, 0]),
        np.array([False, False, True]),
        gamma=1.0,
    )
    reward = [[0.1, 0.3], [0.2, 0.0], [0, 0]]
    strict = ties(mdp, reward, tie_tolerance=0, exact=True)
    assert (len(strict.states), strict.certified) == (0, False)
    usual = ties(mdp, reward, exact=True)
    assert (usual.states.tolist(), usual.certified) == ([0], True)


def test_exact_mode_decides_what_was_ambiguous() -> None:
    mdp, reward = one_step(2), [[1.0, 1.0 - 2e-9], [0, 0]]
    assert ties(mdp, reward).warning is not None
    decided = ties(mdp, reward, exact=True)
    assert decided.certified is True
    assert decided.warning is None


@pytest.mark.parametrize("seed", range(60))
def test_exact_mode_confirms_rewards_of_few_levels(seed: int) -> None:
    mdp = small_mdp(seed)
    assert ties(mdp, random_reward(mdp, seed, levels=5), exact=True).certified is True


def test_exact_mode_agrees_with_enumeration_in_fractions() -> None:
    """A policy improves nothing exactly if its own values, in fractions, satisfy the Bellman equation."""
    for seed in range(12):
        mdp = random_mdp(seed, num_states=5, cycles="free", gamma=0.5, num_terminal=1)
        reward = random_reward(mdp, seed, levels=3)
        every = optimal_policies(mdp, reward)
        expected = np.any(every, axis=0) | mdp.terminal[:, None]
        np.testing.assert_array_equal(rational_optimal_actions(mdp, reward), expected)


def test_exact_mode_refuses_what_is_too_large() -> None:
    cyclic = random_mdp(0, num_states=MAX_CYCLIC_STATES + 2, cycles="free")
    with pytest.raises(ValueError, match=r"exact mode needs at most .* got 306 and 101"):
        ties(cyclic, random_reward(cyclic, 0), exact=True)
    assert ties(cyclic, random_reward(cyclic, 0)).certified is None
    wide = one_step(MAX_PAIRS // 2 + 1)
    with pytest.raises(ValueError, match=r"exact mode needs at most 100,000 state-action pairs"):
        ties(wide, np.zeros((2, wide.num_actions)), exact=True)


@pytest.mark.parametrize(
    ("value", "meant"),
    [
        (0.1, Fraction(1, 10)),
        (0.1 + 0.2, Fraction(3, 10)),
        (-2 / 3, Fraction(-2, 3)),
        (0.0, Fraction(0)),
        (1e-12, Fraction(1, 10**12)),
        (1 + 3e-12, Fraction("1.000000000003")),
        (3e-4, Fraction(3, 10_000)),
        (1e300, Fraction(1e300)),
    ],
)
def test_floats_are_read_as_the_numbers_that_were_meant(value: float, meant: Fraction) -> None:
    assert as_fraction(value) == meant


# Known answers


def gambler() -> tuple[TabularMDP, Table]:
    """Sutton and Barto, example 4.3: stake on a coin of p = 0.4 until all is lost or 100 is reached."""
    capital, stake = np.arange(101)[:, None], np.arange(51)[None, :]
    legal = (stake >= 1) & (stake <= np.minimum(capital, 100 - capital))
    stake = np.where(legal, stake, 0)
    successors = np.stack([capital + stake, capital - stake], axis=2)
    terminal = (capital[:, 0] == 0) | (capital[:, 0] == 100)
    # An illegal stake loses everything, so that every policy ends.
    successors[~legal] = 0
    successors[terminal] = capital[terminal][:, :, None]
    probabilities = np.broadcast_to([0.4, 0.6], successors.shape)
    reward = np.where(legal & (capital + stake == 100), 0.4, 0.0)
    mdp = TabularMDP(successors, probabilities, np.full(101, 1 / 101), terminal, 1.0, legal)
    return mdp, reward


def test_ties_of_the_gamblers_problem() -> None:
    mdp, reward = gambler()
    for tolerance in (1e-13, 1e-9, 1e-4):
        found = ties(mdp, reward, tie_tolerance=tolerance)
        assert len(found.states) == 72
        assert found.smallest_gap == pytest.approx(2.345e-4, abs=1e-7)
        assert set(np.flatnonzero(found.optimal_actions[51]).tolist()) >= {1, 49}
        assert set(np.flatnonzero(found.optimal_actions[64]).tolist()) >= {11, 14, 36}
    assert ties(mdp, reward, exact=True).certified is True
    values = cliffgym.optimal(mdp, reward).state_values
    np.testing.assert_allclose(values[[25, 50, 75]], [0.16, 0.4, 0.64], atol=1e-12)


def test_bad_input() -> None:
    mdp = one_step(2)
    with pytest.raises(ValueError, match=r"reward must have shape \(S, A\) = \(2, 2\), got \(2, 3\)"):
        ties(mdp, np.zeros((2, 3)))
    with pytest.raises(ValueError, match="tie_tolerance must be >= 0"):
        ties(mdp, np.zeros((2, 2)), tie_tolerance=-1)
    with pytest.raises(ValueError, match="reward must be 0 at terminal states"):
        ties(mdp, np.ones((2, 2)), exact=True)


def test_a_tie_that_only_a_worse_policy_would_meet_is_not_reachable() -> None:
    mdp = TabularMDP(
        [[[1], [2]], [[2], [2]], [[2], [2]]],  # type: ignore[arg-type]
        np.ones((3, 2, 1)),
        np.array([1.0, 0, 0]),
        np.array([False, False, True]),
        gamma=1.0,
    )
    found = ties(mdp, [[0, 1], [0, 0], [0, 0]])
    assert found.states.tolist() == [1]
    assert found.reachable_states.tolist() == []
    started_there = replace(mdp, initial=np.array([0.5, 0.5, 0]))
    assert ties(started_there, [[0, 1], [0, 0], [0, 0]]).reachable_states.tolist() == [1]
