"""RewardComponents and random perturbations."""

import copy
import pickle
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cliffgym import RewardComponents, TabularMDP, random_perturbation
from cliffgym.rewards import check_reward
from cliffgym.testing import random_mdp, random_reward

seeds = st.integers(0, 2**32 - 1)
sizes = st.sampled_from([3, 2, 1])


def components(seed: int, K: int, S: int, A: int) -> RewardComponents:
    table = np.random.default_rng(seed).normal(size=(K, S, A))
    return RewardComponents(tuple(f"part {k}" for k in range(K)), table)


@given(seeds, sizes, sizes, sizes)
def test_a_reward_is_the_weighted_sum_of_components(seed: int, K: int, S: int, A: int) -> None:
    parts = components(seed, K, S, A)
    weights = np.random.default_rng([seed, 1]).normal(size=K)
    expected = [[sum(weights[k] * parts.table[k, s, a] for k in range(K)) for a in range(A)] for s in range(S)]
    np.testing.assert_allclose(parts.combine(weights), expected, atol=1e-14)
    np.testing.assert_allclose(parts.combine(dict(zip(parts.names, weights, strict=True))), expected, atol=1e-14)


@given(seeds, sizes, sizes, sizes)
def test_weights_may_depend_on_the_state(seed: int, K: int, S: int, A: int) -> None:
    parts = components(seed, K, S, A)
    weights = np.random.default_rng([seed, 1]).normal(size=(K, S))
    expected = [[sum(weights[k, s] * parts.table[k, s, a] for k in range(K)) for a in range(A)] for s in range(S)]
    np.testing.assert_allclose(parts.combine(weights), expected, atol=1e-14)


@given(seeds, sizes, sizes, sizes)
def test_lemma_4_2_the_effective_reward_is_lipschitz_in_its_components(seed: int, K: int, S: int, A: int) -> None:
    one, other = components(seed, K, S, A), components(seed + 1, K, S, A)
    posterior = np.random.default_rng(seed).dirichlet(np.ones(K), size=S).T
    moved = np.abs(one.combine(posterior) - other.combine(posterior)).max()
    assert moved <= np.abs(one.table - other.table).max() + 1e-14


def test_components_not_named_weigh_nothing() -> None:
    parts = components(0, 3, 2, 2)
    assert parts.weights({"part 1": 2}).tolist() == [0, 2, 0]
    np.testing.assert_array_equal(parts.combine({"part 1": 2}), 2 * parts["part 1"])
    assert (parts.combine({}) == 0).all()


def test_components_by_name() -> None:
    parts = components(0, 3, 2, 2)
    assert len(parts) == 3
    assert parts.index("part 2") == 2
    np.testing.assert_array_equal(parts["part 2"], parts.table[2])
    assert repr(parts) == "RewardComponents(part 0, part 1, part 2)"


@pytest.mark.parametrize(
    "make", [lambda parts: parts, copy.copy, copy.deepcopy, lambda parts: pickle.loads(pickle.dumps(parts))]
)
def test_tables_are_private_and_stay_read_only(make: Any) -> None:
    table = np.ones((1, 2, 2))
    made = make(RewardComponents(("one",), table))
    table[...] = 5
    assert (made.table == 1).all()
    assert made.names == ("one",)
    for array in (made.table, made["one"]):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 0


def test_a_combined_reward_is_the_callers_own() -> None:
    parts = RewardComponents(("one",), np.ones((1, 2, 2)))
    parts.combine([1.0])[...] = 7
    assert (parts.table == 1).all()


@given(seeds, st.sampled_from(["none", "ending", "free"]), st.floats(0, 1e6))
def test_a_perturbation_has_exactly_its_size(seed: int, cycles: str, size: float) -> None:
    mdp = random_mdp(seed, cycles=cycles)
    change = random_perturbation(mdp, size, seed)
    assert np.abs(change).max() == size
    assert (change[mdp.terminal] == 0).all()
    assert (change[~mdp.action_mask] == 0).all()
    np.testing.assert_array_equal(change, random_perturbation(mdp, size, seed))
    check_reward(mdp, random_reward(mdp, seed) + change)


def test_perturbations_differ_from_seed_to_seed() -> None:
    mdp = random_mdp(0)
    tables = [random_perturbation(mdp, 1.0, seed) for seed in (0, 1, [0, 1], [0, 2])]
    assert len({table.tobytes() for table in tables}) == len(tables)


def test_an_mdp_without_decisions_cannot_be_perturbed() -> None:
    with pytest.raises(ValueError, match="mdp must have a non-terminal state, got none"):
        random_perturbation(TabularMDP.from_dense([[[1]]], [1], [True], 1.0), 1.0, 0)


def test_checking_a_reward_copies_it() -> None:
    mdp = random_mdp(0)
    reward = random_reward(mdp, 0)
    checked = check_reward(mdp, reward)
    np.testing.assert_array_equal(checked, reward)
    assert not np.shares_memory(checked, reward)
