"""Batches of rewards: each reward gets what it gets alone, whatever stands beside it."""

from collections.abc import Callable
from dataclasses import fields
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from quantecon.markov import DiscreteDP

from cliffgym import TabularMDP, optimal, soft
from cliffgym.solvers import (
    Optimum,
    OptimumBatch,
    SoftOptimum,
    SoftOptimumBatch,
    linear,
    optimal_batch,
    soft_batch,
    structure,
)
from cliffgym.testing import CYCLES, dense_kernel, known_optimum, random_mdp, random_policy, random_reward

Table = NDArray[Any]
seeds = st.integers(0, 2**32 - 1)
kernels = st.sampled_from(["numpy", "numba"])
every_kernel = pytest.mark.parametrize("kernel", ["numpy", "numba"])


def mdps(max_states: int = 9) -> st.SearchStrategy[TabularMDP]:
    """Random MDPs of every kind of cycles, with one to three successors."""
    return st.one_of(
        [
            st.builds(
                random_mdp,
                seeds,
                num_states=st.sampled_from(range(max_states, 2, -1)),
                branching=st.sampled_from([2, 3] if kind == "ending" else [1, 2, 3]),
                cycles=st.just(kind),
                gamma=st.sampled_from([0.0, 0.5, 0.9, 0.999] + ([1.0] if kind != "free" else [])),
                num_terminal=st.sampled_from([1, 2, 0] if kind == "free" else [1, 2]),
            )
            for kind in CYCLES
        ]
    )


def some_rewards(mdp: TabularMDP, seed: int, count: int = 4) -> Table:
    """Rewards of different scales, the first with planted ties and the last of nothing."""
    tables = [10.0**n * random_reward(mdp, [seed, n]) for n in range(count - 2)]
    return np.array([known_optimum(mdp, seed).reward, *tables, np.zeros((mdp.num_states, mdp.num_actions))])


def same(one: Any, other: Any, tolerance: float = 1e-13) -> None:
    """Results are of one type and equal up to rounding; their sets of actions are the same."""
    assert type(one) is type(other)
    for field in fields(one):
        first, second = np.asarray(getattr(one, field.name)), np.asarray(getattr(other, field.name))
        assert (first.shape, first.dtype) == (second.shape, second.dtype)
        scale = max(1.0, float(np.abs(one.state_values).max())) if field.name != "policy" else 1.0
        if first.dtype == bool:
            np.testing.assert_array_equal(first, second)
        else:
            np.testing.assert_allclose(first, second, rtol=tolerance, atol=tolerance * scale)


@given(mdps(), seeds, kernels)
def test_each_optimum_is_that_of_its_reward_alone(mdp: TabularMDP, seed: int, kernel: str) -> None:
    rewards = some_rewards(mdp, seed)
    batch = optimal_batch(mdp, rewards, kernel=kernel)
    assert len(batch) == len(rewards)
    for optimum, reward in zip(batch, rewards, strict=True):
        same(optimum, optimal(mdp, reward, kernel=kernel))
    np.testing.assert_array_equal(batch.policy[1], optimal(mdp, rewards[1], kernel=kernel).policy)


@given(mdps(), seeds, kernels, st.booleans())
def test_each_soft_optimum_is_that_of_its_reward_alone(
    mdp: TabularMDP, seed: int, kernel: str, with_reference: bool
) -> None:
    rewards, temperatures = some_rewards(mdp, seed), [1e-3, 0.1, 1.0, 1e6]
    reference = random_policy(mdp, seed, legal=False) if with_reference else None
    batch = soft_batch(mdp, rewards, temperatures, reference, kernel=kernel)
    assert len(batch) == len(rewards)
    for solution, reward, temperature in zip(batch, rewards, temperatures, strict=True):
        # Small temperatures magnify what rounding does to values.
        same(solution, soft(mdp, reward, temperature, reference, kernel=kernel), 1e-9)


@given(mdps(), seeds, kernels)
@settings(max_examples=60)
def test_the_order_of_a_batch_changes_no_bit(mdp: TabularMDP, seed: int, kernel: str) -> None:
    rewards = some_rewards(mdp, seed, 5)
    order = np.random.default_rng(seed).permutation(5)
    for solve in (
        lambda tables: optimal_batch(mdp, tables, kernel=kernel),
        lambda tables: soft_batch(mdp, tables, 0.5),
    ):
        here, there = solve(rewards), solve(rewards[order])
        for field in fields(here):
            if field.name != "terminal":
                np.testing.assert_array_equal(getattr(here, field.name)[order], getattr(there, field.name))


@every_kernel
@pytest.mark.parametrize("cycles", CYCLES)
def test_blocks_of_a_batch_fit_together(kernel: str, cycles: str, monkeypatch: pytest.MonkeyPatch) -> None:
    mdp = random_mdp(3, num_states=8, cycles=cycles)
    rewards = np.array([random_reward(mdp, n, levels=3) for n in range(7)])
    whole, soft_whole = optimal_batch(mdp, rewards, kernel=kernel), soft_batch(mdp, rewards, 0.1, kernel=kernel)
    monkeypatch.setattr(structure, "BLOCK", 3 * mdp.successors.size)
    assert [part.stop - part.start for part in structure.blocks(mdp, 7)] == [3, 3, 1]
    same(optimal_batch(mdp, rewards, kernel=kernel), whole)
    same(soft_batch(mdp, rewards, 0.1, kernel=kernel), soft_whole)


@every_kernel
@pytest.mark.parametrize("branching", [1, 3])
def test_a_large_batch_is_solved_as_quantecon_solves_each(kernel: str, branching: int) -> None:
    mdp = random_mdp(1, num_states=60, num_actions=4, branching=branching, cycles="free", gamma=0.95, illegal=0)
    rewards = np.array([random_reward(mdp, n) for n in range(40)])
    transitions = dense_kernel(mdp)
    batch = optimal_batch(mdp, rewards, kernel=kernel)
    for optimum, reward in zip(batch, rewards, strict=True):
        expected = DiscreteDP(reward, transitions, mdp.gamma).solve(method="policy_iteration")
        np.testing.assert_allclose(optimum.state_values, expected.v, rtol=0, atol=1e-11)
        assert optimum.optimal_actions[np.arange(60), expected.sigma].all()


@every_kernel
def test_batches_of_large_stochastic_mdps_iterate(kernel: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(linear, "DENSE_LIMIT", 0)
    mdp = random_mdp(1, num_states=300, num_actions=3, branching=3, cycles="free", gamma=0.99)
    rewards = np.array([known_optimum(mdp, n).reward for n in range(3)])
    for n, optimum in enumerate(optimal_batch(mdp, rewards, kernel=kernel)):
        known = known_optimum(mdp, n)
        np.testing.assert_array_equal(optimum.optimal_actions, known.optimal_actions | mdp.terminal[:, None])
        np.testing.assert_allclose(optimum.state_values, known.state_values, atol=1e-12)


# As containers


def test_a_batch_is_indexed_like_a_sequence() -> None:
    mdp = random_mdp(0)
    rewards = some_rewards(mdp, 0, 3)
    for batch, kind in ((optimal_batch(mdp, rewards), Optimum), (soft_batch(mdp, rewards, 1.0), SoftOptimum)):
        assert [type(result) for result in batch] == [kind] * 3
        same(batch[-1], batch[2])
        one: Any = np.int64(1)
        assert isinstance(batch[one].expected_return, float)
        with pytest.raises(IndexError):
            batch[3]
        with pytest.raises(TypeError, match="index must be an integer"):
            batch[0:2]  # type: ignore[index]


def test_batches_cannot_be_changed() -> None:
    mdp = random_mdp(0)
    rewards = some_rewards(mdp, 0, 3)
    for batch in (optimal_batch(mdp, rewards), soft_batch(mdp, rewards, 1.0)):
        for value in vars(batch).values():
            assert not value.flags.writeable
        with pytest.raises(ValueError, match="read-only"):
            batch[0].state_values[0] = 1


@every_kernel
@pytest.mark.parametrize("cycles", CYCLES)
def test_an_empty_batch_has_no_results(kernel: str, cycles: str) -> None:
    mdp = random_mdp(0, cycles=cycles)
    nothing = np.zeros((0, mdp.num_states, mdp.num_actions))
    assert list(optimal_batch(mdp, nothing, kernel=kernel)) == []
    assert list(soft_batch(mdp, nothing, [], kernel=kernel)) == []
    assert optimal_batch(mdp, nothing, kernel=kernel).q_values.shape == nothing.shape


def test_rewards_are_not_changed() -> None:
    mdp = random_mdp(0, cycles="free", branching=1)
    rewards = some_rewards(mdp, 0)
    before = rewards.copy()
    for kernel in ("numpy", "numba"):
        optimal_batch(mdp, rewards, kernel=kernel)
        soft_batch(mdp, rewards, 0.1, kernel=kernel)
    np.testing.assert_array_equal(rewards, before)


# Bad input


def broken(change: Callable[[Table], None]) -> tuple[TabularMDP, Table]:
    mdp = random_mdp(0, num_states=4, num_actions=2)
    rewards = np.zeros((3, 4, 2))
    change(rewards)
    return mdp, rewards


def spoil(place: tuple[int, int, int], value: float) -> Callable[[Table], None]:
    def change(rewards: Table) -> None:
        rewards[place] = value

    return change


ENDED = int(np.flatnonzero(random_mdp(0, num_states=4, num_actions=2).terminal)[0])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (spoil((1, 2, 1), np.nan), r"rewards\[1\] must be finite, got nan at state 2, action 1"),
        (spoil((2, 0, 0), -np.inf), r"rewards\[2\] must be finite, got -inf at state 0, action 0"),
        (spoil((1, ENDED, 1), 0.5), rf"rewards\[1\] must be 0 at terminal states, got 0.5 at state {ENDED}, action 1"),
    ],
)
def test_a_bad_reward_is_named(change: Callable[[Table], None], message: str) -> None:
    mdp, rewards = broken(change)
    for solve in (lambda: optimal_batch(mdp, rewards), lambda: soft_batch(mdp, rewards, 1.0)):
        with pytest.raises(ValueError, match=message):
            solve()


def test_rewards_of_the_wrong_shape_are_refused() -> None:
    mdp = random_mdp(0, num_states=4, num_actions=2)
    for shape in ((4, 2), (3, 2, 4), (3, 4, 3)):
        for solve in (lambda tables: optimal_batch(mdp, tables), lambda tables: soft_batch(mdp, tables, 1.0)):
            with pytest.raises(ValueError, match=r"rewards must have shape \(N, S, A\) with \(S, A\) = \(4, 2\), got"):
                solve(np.zeros(shape))
    with pytest.raises(TypeError, match="rewards must be an array of numbers"):
        optimal_batch(mdp, [["a"]])


def test_rewards_whose_sum_overflows_are_allowed_where_values_do_not() -> None:
    """Only what a trace can collect must be finite, not the sum over all states."""
    mdp = TabularMDP([[[2]], [[2]], [[2]]], np.ones((3, 1, 1)), [1, 0, 0], [False, False, True], 1.0)  # type: ignore[arg-type]
    rewards = np.array([[[1e308], [1e308], [0.0]]])
    assert optimal_batch(mdp, rewards).expected_return.tolist() == [1e308]


@every_kernel
def test_values_that_overflow_name_the_reward(kernel: str) -> None:
    mdp = TabularMDP([[[1]], [[2]], [[2]]], np.ones((3, 1, 1)), [1, 0, 0], [False, False, True], 1.0)  # type: ignore[arg-type]
    rewards = np.zeros((3, 3, 1))
    rewards[1, :2] = 1.7e308
    with np.errstate(over="ignore", invalid="ignore"):
        for solve in (lambda: optimal_batch(mdp, rewards, kernel=kernel), lambda: soft_batch(mdp, rewards, 1.0)):
            with pytest.raises(
                ValueError, match=r"rewards\[1\] must be small enough for finite values, got (inf|nan) at"
            ):
                solve()


@every_kernel
def test_action_gaps_that_overflow_are_refused(kernel: str) -> None:
    """The values 1e308 and -1e308 are finite, what is between them is not."""
    mdp = TabularMDP([[[1], [1]], [[1], [1]]], np.ones((2, 2, 1)), [1, 0], [False, True], 1.0)  # type: ignore[arg-type]
    near, far = np.array([[1e308, 0.5e308], [0, 0]]), np.array([[1e308, -1e308], [0, 0]])
    assert optimal(mdp, near, kernel=kernel).action_gaps[0].tolist() == [0, 0.5e308]
    message = "must be small enough for finite action gaps, got one of inf at state 0, action 1"
    with pytest.raises(ValueError, match=f"reward {message}"):
        optimal(mdp, far, kernel=kernel)
    with pytest.raises(ValueError, match=rf"rewards\[1\] {message}"):
        optimal_batch(mdp, [near, far], kernel=kernel)


@pytest.mark.parametrize(
    ("temperature", "error", "message"),
    [
        (0.0, ValueError, "temperature must be > 0, got 0.0"),
        (True, TypeError, "temperature must be a number, got True"),
        ([1.0, -1.0, 1.0], ValueError, r"temperature\[1\] must be > 0, got -1.0"),
        ([1.0, np.inf, 1.0], ValueError, r"temperature\[1\] must be finite, got inf"),
        ([1.0, 1.0], ValueError, r"temperature must be a number or have shape \(N,\) = \(3,\), got \(2,\)"),
        ("hot", TypeError, "temperature must be an array of numbers, got str"),
    ],
)
def test_a_bad_temperature_is_refused(temperature: Any, error: type[Exception], message: str) -> None:
    mdp = random_mdp(0)
    with pytest.raises(error, match=message):
        soft_batch(mdp, some_rewards(mdp, 0, 3), temperature)


def test_one_temperature_serves_all() -> None:
    mdp = random_mdp(0)
    rewards = some_rewards(mdp, 0, 3)
    for temperature in (0.5, np.float64(0.5), np.array(0.5), [0.5] * 3):
        same(soft_batch(mdp, rewards, temperature), soft_batch(mdp, rewards, [0.5, 0.5, 0.5]))


def test_a_bad_tolerance_or_kernel_is_refused() -> None:
    mdp = random_mdp(0)
    rewards = some_rewards(mdp, 0, 3)
    with pytest.raises(ValueError, match="tie_tolerance must be >= 0, got -1"):
        optimal_batch(mdp, rewards, -1.0)
    assert optimal_batch(mdp, rewards, 0.0).tolerance.tolist() == [0.0] * 3
    for solve in (lambda: optimal_batch(mdp, rewards, kernel="c"), lambda: soft_batch(mdp, rewards, 1.0, kernel="c")):
        with pytest.raises(ValueError, match="kernel must be one of"):
            solve()


def test_the_types_are_exported() -> None:
    mdp = random_mdp(0)
    assert isinstance(optimal_batch(mdp, some_rewards(mdp, 0)), OptimumBatch)
    assert isinstance(soft_batch(mdp, some_rewards(mdp, 0), 1.0), SoftOptimumBatch)
