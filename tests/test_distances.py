"""Distances between rewards: against their definitions written out, their invariances, and dual programmes."""

import sys
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.optimize import linprog

import cliffgym
from cliffgym import TabularMDP, evaluate, optimal, random_perturbation, uniform_policy
from cliffgym.analysis import cliff_radius, distances, epic_distance, shaping_distance, starc_distance
from cliffgym.testing import CYCLES, dense_kernel, deterministic_policies, random_mdp, random_reward

Table = NDArray[Any]
SEEDS = range(45)


def case(seed: int) -> tuple[TabularMDP, Table, Table]:
    kind = CYCLES[seed % 3]
    mdp = random_mdp(seed, num_states=6, cycles=kind, gamma=0.9 if kind == "free" else (1.0, 0.9)[seed // 3 % 2])
    return mdp, random_reward(mdp, seed), random_reward(mdp, [seed, 1])


def shaped(mdp: TabularMDP, seed: int) -> Table:
    """(S, A) gamma P Φ - Φ for a random potential that is 0 at terminal states."""
    potential = np.where(mdp.terminal, 0, np.random.default_rng([seed, 9]).normal(size=mdp.num_states))
    table = mdp.gamma * dense_kernel(mdp) @ potential - potential[:, None]
    return np.where(mdp.terminal[:, None], 0, table)


def everywhere_paid(mdp: TabularMDP, amount: float) -> Table:
    return np.where(mdp.terminal[:, None], 0.0, np.full((mdp.num_states, mdp.num_actions), amount))


def illegally_paid(mdp: TabularMDP, reward: Table) -> Table:
    return np.where(mdp.action_mask, reward, 1e6)


# EPIC


def epic_written_out(mdp: TabularMDP, *rewards: Table) -> float:
    """The definition, on all triples (s, a, s') and with weights."""
    alive = np.flatnonzero(~mdp.terminal)
    n, gamma = alive.size, mdp.gamma
    policy = uniform_policy(mdp)[alive]
    triples, weights = [[], []], []
    for s in range(n):
        for a in range(mdp.num_actions):
            for t in range(n):
                weights.append(policy[s, a] / n**2)
                for k, reward in enumerate(rewards):
                    table = reward[alive]
                    mean = (policy * table).sum(axis=1)
                    triples[k].append(table[s, a] + gamma * mean[t] - mean[s] - gamma * mean.mean())
    covariance = np.cov(np.array(triples), aweights=weights, ddof=0)
    correlation = covariance[0, 1] / np.sqrt(covariance[0, 0] * covariance[1, 1])
    return float(np.sqrt((1 - correlation) / 2))


@pytest.mark.parametrize("seed", SEEDS)
def test_epic_is_its_definition(seed: int) -> None:
    mdp, r1, r2 = case(seed)
    assert epic_distance(mdp, r1, r2) == pytest.approx(epic_written_out(mdp, r1, r2), abs=1e-12)
    near = r1 + 0.1 * r2
    assert epic_distance(mdp, r1, near) == pytest.approx(epic_written_out(mdp, r1, near), abs=1e-9)


@pytest.mark.parametrize("seed", SEEDS)
def test_what_epic_does_not_see(seed: int) -> None:
    mdp, r1, r2 = case(seed)
    between = epic_distance(mdp, r1, r2)
    assert 0 < between < 1
    assert epic_distance(mdp, r2, r1) == pytest.approx(between, abs=1e-14)
    assert epic_distance(mdp, 7 * r1 + everywhere_paid(mdp, 3), r2) == pytest.approx(between, abs=1e-12)
    assert epic_distance(mdp, illegally_paid(mdp, r1), r2) == pytest.approx(between, abs=1e-12)
    assert epic_distance(mdp, r1, 3 * r1 - everywhere_paid(mdp, 1)) == pytest.approx(0, abs=1e-12)
    assert epic_distance(mdp, r1, -r1) == pytest.approx(1, abs=1e-12)
    # Potentials averaged into the table by the dynamics are seen, as documented.
    assert epic_distance(mdp, r1 + shaped(mdp, seed), r1) > 1e-3


def test_epic_of_constants() -> None:
    mdp, reward, _ = case(0)
    flat, other = everywhere_paid(mdp, 0.1), everywhere_paid(mdp, -2 / 3)
    assert epic_distance(mdp, flat, other) == epic_distance(mdp, 0 * flat, flat) == 0
    assert epic_distance(mdp, flat, reward) == epic_distance(mdp, reward, 0 * flat) == pytest.approx(np.sqrt(0.5))


# STARC


@pytest.mark.parametrize("seed", SEEDS)
def test_starc_is_its_definition(seed: int) -> None:
    mdp, r1, r2 = case(seed)
    kernel, policy = dense_kernel(mdp), uniform_policy(mdp)
    kernel[mdp.terminal] = 0
    matrix = np.eye(mdp.num_states) - mdp.gamma * np.einsum("sa,sat->st", policy, kernel)
    parts = []
    for reward in (r1, r2):
        values = np.linalg.solve(matrix, (policy * reward).sum(axis=1))
        part = (reward + mdp.gamma * kernel @ values - values[:, None])[mdp.action_mask & ~mdp.terminal[:, None]]
        parts.append(part / np.sqrt((part**2).sum()))
    assert starc_distance(mdp, r1, r2) == pytest.approx(np.sqrt(((parts[0] - parts[1]) ** 2).sum()) / 2, abs=1e-12)


@pytest.mark.parametrize("seed", SEEDS)
def test_what_starc_does_not_see(seed: int) -> None:
    mdp, r1, r2 = case(seed)
    r3 = random_reward(mdp, [seed, 2])
    between = starc_distance(mdp, r1, r2)
    assert 0 < between < 1
    assert starc_distance(mdp, r2, r1) == between
    assert starc_distance(mdp, 0.01 * r1 + shaped(mdp, seed), r2) == pytest.approx(between, abs=1e-10)
    assert starc_distance(mdp, illegally_paid(mdp, r1), r2) == pytest.approx(between, abs=1e-12)
    assert starc_distance(mdp, r1, 5 * r1 + shaped(mdp, seed)) == pytest.approx(0, abs=1e-12)
    assert starc_distance(mdp, r1, shaped(mdp, seed) - r1) == pytest.approx(1, abs=1e-12)
    assert between <= starc_distance(mdp, r1, r3) + starc_distance(mdp, r3, r2) + 1e-15


def test_starc_of_shaping_alone() -> None:
    for seed in range(30):
        mdp, reward, _ = case(seed)
        nothing, shaping = 0 * reward, shaped(mdp, seed)
        assert starc_distance(mdp, nothing, shaping) == starc_distance(mdp, shaping, 3 * shaping) == 0
        assert starc_distance(mdp, shaping, reward) == starc_distance(mdp, reward, nothing) == pytest.approx(0.5)


def test_starc_is_zero_exactly_when_policies_are_ordered_alike() -> None:
    """Ordered by their returns from any start: all pairs of all deterministic policies."""
    for seed in range(12):
        mdp, r1, r2 = case(seed)
        r3 = 2 * r1 + shaped(mdp, seed)
        returns = [[evaluate(mdp, r, p).state_values.sum() for p in deterministic_policies(mdp)] for r in (r1, r2, r3)]
        ranks = [np.argsort(values) for values in np.array(returns).round(12)]
        # Shaping moves every return from a state by the same amount.
        assert np.ptp(np.array(returns[2]) - 2 * np.array(returns[0])) < 1e-9
        assert starc_distance(mdp, r1, r3) < 1e-12
        if len(ranks[0]) > 2 and (ranks[0] != ranks[1]).any():
            assert starc_distance(mdp, r1, r2) > 1e-3


# Shaping


def dual_bound(mdp: TabularMDP, change: Table) -> float:
    """The largest Σ y · change over signed flows y of total size 1 that no potential can tell from nothing."""
    pairs = np.argwhere(mdp.action_mask & ~mdp.terminal[:, None])
    kernel = dense_kernel(mdp)
    flow = np.array([mdp.gamma * kernel[s, a] - np.eye(mdp.num_states)[s] for s, a in pairs]).T[~mdp.terminal]
    pay = change[tuple(pairs.T)]
    solution = linprog(
        -np.concatenate([pay, -pay]),
        A_eq=np.vstack([np.hstack([flow, -flow]), np.ones((1, 2 * len(pairs)))]),
        b_eq=np.append(np.zeros(len(flow)), 1.0),
        bounds=(0, None),
    )
    return 0.0 if solution.status == 2 else -float(solution.fun)  # no flow at all: potentials take everything


@pytest.mark.parametrize("seed", SEEDS)
def test_shaping_distance_is_that_of_the_dual_programme(seed: int) -> None:
    mdp, r1, r2 = case(seed)
    found = shaping_distance(mdp, r1, r2)
    assert found == pytest.approx(max(dual_bound(mdp, r1 - r2), 0), abs=1e-7)
    largest = np.abs(r1 - r2)[mdp.action_mask].max()
    assert 0 <= found <= largest
    for trial in range(50):
        scale = np.random.default_rng(trial).exponential()
        rival = (r1 - r2 + scale * shaped(mdp, trial))[mdp.action_mask & ~mdp.terminal[:, None]]
        assert np.abs(rival).max() >= found - 1e-9


@pytest.mark.parametrize("seed", SEEDS)
def test_what_shaping_distance_does_not_see(seed: int) -> None:
    mdp, r1, r2 = case(seed)
    between = shaping_distance(mdp, r1, r2)
    assert shaping_distance(mdp, r1, r1 + 100 * shaped(mdp, seed)) == pytest.approx(0, abs=1e-5)
    assert shaping_distance(mdp, r1 + shaped(mdp, seed), r2) == pytest.approx(between, abs=1e-7)
    assert shaping_distance(mdp, r2, r1) == pytest.approx(between, abs=1e-7)
    assert shaping_distance(mdp, 1e-9 * r1, 1e-9 * r2) == pytest.approx(1e-9 * between, rel=1e-6, abs=1e-16)
    assert shaping_distance(mdp, illegally_paid(mdp, r1), r2) == pytest.approx(between, abs=1e-7)
    assert shaping_distance(mdp, r1, r1) == 0


def test_shaping_distance_of_one_choice() -> None:
    """A potential shifts all actions alike: half the spread is left."""
    mdp = TabularMDP(
        np.ones((2, 3, 1), dtype=int), np.ones((2, 3, 1)), np.array([1.0, 0]), np.array([False, True]), 1.0
    )
    found = shaping_distance(mdp, [[5, 3, 2.5], [0, 0, 0]], np.zeros((2, 3)))
    assert found == pytest.approx(1.25, abs=1e-9)


@pytest.mark.parametrize("seed", SEEDS)
def test_rewards_nearer_than_the_cliff_have_the_same_policy(seed: int) -> None:
    """Shaping moves no advantage, so only the distance up to shaping counts against the radius."""
    mdp, reward, _ = case(seed)
    radius = cliff_radius(mdp, reward).radius
    if radius == np.inf:
        return
    near = reward + random_perturbation(mdp, 0.9 * radius, seed) + 10 * shaped(mdp, seed)
    found = distances(mdp, reward, near)
    assert found.shaping < radius
    assert found.policy == 0


# All together


def test_close_rewards_with_opposite_policies() -> None:
    """No distance between rewards sees the cliff of the tie-breaker, however small the bonus."""
    breaker = cliffgym.scenario("Cliff-TieBreaker-v0")
    for bonus in (1e-3, 1e-6):
        more, less = (breaker.reward({"correct": 1, "target_format": b}) for b in (bonus, -bonus))
        found = distances(breaker.mdp, more, less)
        assert 0 < found.epic < 3 * bonus
        assert 0 < found.starc < 3 * bonus
        assert found.shaping == pytest.approx(bonus, rel=1e-6)
        assert found.policy == pytest.approx(1, abs=1e-12)


def test_far_rewards_with_the_same_policy() -> None:
    length = cliffgym.scenario("Cliff-LengthPenalty-v0")
    low, high = (length.reward({"correct": 1, "length": -price}) for price in (0.01, 0.24))
    found = distances(length.mdp, low, high)
    assert found.policy == 0
    assert min(found.epic, found.starc, found.shaping) > 0.1


@pytest.mark.parametrize("seed", range(12))
def test_distances_are_those_functions(seed: int) -> None:
    mdp, r1, r2 = case(seed)
    found = distances(mdp, r1, r2)
    assert found.epic == epic_distance(mdp, r1, r2)
    assert found.starc == starc_distance(mdp, r1, r2)
    assert found.shaping == shaping_distance(mdp, r1, r2)
    policies = [optimal(mdp, reward).policy[~mdp.terminal] for reward in (r1, r2)]
    assert found.policy == np.abs(policies[0] - policies[1]).sum(axis=1).max() / 2
    same = distances(mdp, r1, r1)
    assert (same.epic, same.starc, same.shaping, same.policy) == (0, 0, 0, 0)


def test_without_scipy_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    mdp, r1, r2 = case(0)
    monkeypatch.setitem(sys.modules, "scipy.optimize", None)
    for function in (shaping_distance, distances):
        with pytest.raises(ImportError, match=r"needs scipy.*pip install 'cliffgym\[lp\]'"):
            function(mdp, r1, r2)
    assert epic_distance(mdp, r1, r2) > 0
    assert starc_distance(mdp, r1, r2) > 0


@pytest.mark.parametrize("function", [distances, epic_distance, starc_distance, shaping_distance])
def test_bad_input(function: Any) -> None:
    mdp, r1, r2 = case(0)
    with pytest.raises(ValueError, match=r"r2 must have shape \(S, A\) = \(6, 3\), got \(3, 6\)"):
        function(mdp, r1, r2.T)
    with pytest.raises(ValueError, match="r1 must be finite"):
        function(mdp, r1 * np.nan, r2)
    with pytest.raises(ValueError, match="r1 must be 0 at terminal states"):
        function(mdp, r1 + 1, r2)
