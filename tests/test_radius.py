"""The cliff radius: against linear programmes, unit changes one by one, and changes of every kind of the reward."""

import itertools
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.optimize import linprog

import cliffgym
from cliffgym import RewardComponents, TabularMDP, evaluate, optimal, random_perturbation
from cliffgym.analysis import CliffRadius, cliff_radius, ties
from cliffgym.testing import CYCLES, dense_kernel, known_optimum, random_mdp, random_reward

Table = NDArray[Any]
NUM_MDPS = 300
LP_TOLERANCE = 1e-9
"""Measured: 2e-13. The solver's own tolerances are 1e-7, but a corner of the polytope is found exactly."""


def case(seed: int, **settings: Any) -> tuple[TabularMDP, Table]:
    """A random MDP, cyclic or not, discounted or not, with a reward of one optimal policy."""
    kind = CYCLES[seed % 3]
    gamma = (0.5, 0.9, 0.99)[seed // 3 % 3] if kind == "free" else (0.9, 1.0)[seed // 3 % 2]
    mdp = random_mdp(seed, **{"num_states": 5, "cycles": kind, "gamma": gamma, **settings})
    return mdp, random_reward(mdp, seed)


def best_actions(mdp: TabularMDP, reward: Table) -> NDArray[np.intp]:
    """(S,) the one best action of each state; at terminal states 0."""
    return np.where(mdp.terminal, 0, optimal(mdp, reward).action_gaps.argmin(axis=1))


def advantages(mdp: TabularMDP, reward: Table, actions: NDArray[np.intp]) -> Table:
    """(S, A) advantages under a deterministic policy, from one dense linear system."""
    rows, kernel = np.arange(mdp.num_states), mdp.gamma * dense_kernel(mdp)
    kernel[mdp.terminal] = 0
    values = np.linalg.solve(
        np.eye(rows.size) - kernel[rows, actions], np.where(mdp.terminal, 0, reward[rows, actions])
    )
    return reward + kernel @ values - values[:, None]


def other_pairs(mdp: TabularMDP, actions: NDArray[np.intp]) -> list[tuple[int, int]]:
    """The legal pairs that a policy does not take."""
    free = mdp.action_mask & ~mdp.terminal[:, None]
    return [(int(s), int(a)) for s, a in np.argwhere(free) if actions[s] != a]


def radius_by_linear_programme(mdp: TabularMDP, reward: Table, actions: NDArray[np.intp], s: int, a: int) -> float:
    """Smallest r such that some |D| <= r brings the advantage of (s, a) to 0.

    Variables: D, V and r. The policy's evaluation V = (R + D)_pi + gamma P_pi V is a constraint.
    """
    S, A = reward.shape
    rows, kernel = np.arange(S), mdp.gamma * dense_kernel(mdp)
    alive = np.flatnonzero(~mdp.terminal)
    size = S * A
    evaluation = np.zeros((alive.size, size + S + 1))
    for i, t in enumerate(alive):
        evaluation[i, t * A + actions[t]] = -1
        evaluation[i, size : size + S] = (t == rows) - kernel[t, actions[t]]
    advantage = np.zeros(size + S + 1)
    advantage[s * A + a] = 1
    advantage[size : size + S] = kernel[s, a] - (s == rows)
    within = np.hstack([np.vstack([np.eye(size), -np.eye(size)]), np.zeros((2 * size, S)), -np.ones((2 * size, 1))])
    bounds = [(0, 0) if mdp.terminal[i // A] else (None, None) for i in range(size)]
    bounds += [(0, 0) if ended else (None, None) for ended in mdp.terminal]
    solution = linprog(
        np.eye(size + S + 1)[-1],
        A_ub=np.vstack([within, -advantage]),
        b_ub=np.append(np.zeros(2 * size), reward[s, a]),
        A_eq=evaluation,
        b_eq=reward[alive, actions[alive]],
        bounds=[*bounds, (0, None)],
        method="highs",
    )
    assert solution.success
    return float(solution.fun)


def test_radius_is_that_of_a_linear_programme() -> None:
    for seed in range(NUM_MDPS):
        mdp, reward = case(seed)
        actions = best_actions(mdp, reward)
        pairs = other_pairs(mdp, actions)
        found = cliff_radius(mdp, reward)
        if not pairs:
            assert found.radius == np.inf
            continue
        expected = {pair: radius_by_linear_programme(mdp, reward, actions, *pair) for pair in pairs}
        assert found.radius == pytest.approx(min(expected.values()), rel=LP_TOLERANCE), seed
        assert found.state is not None
        assert found.action is not None
        assert expected[found.state, found.action] == pytest.approx(found.radius, rel=LP_TOLERANCE)


def test_radius_is_that_of_unit_changes_one_by_one() -> None:
    """The sup norm's dual: the sum of what a unit change of each entry does to the advantage."""
    for seed in range(NUM_MDPS):
        mdp, reward = case(seed, num_states=8)
        actions = best_actions(mdp, reward)
        pairs = other_pairs(mdp, actions)
        norms = np.zeros(reward.shape)
        for entry in np.argwhere(~mdp.terminal[:, None] & np.ones(reward.shape, bool)):
            unit = np.zeros(reward.shape)
            unit[tuple(entry)] = 1
            norms += np.abs(advantages(mdp, unit, actions))
        gaps = -advantages(mdp, reward, actions)
        expected = min((gaps[pair] / norms[pair] for pair in pairs), default=np.inf)
        assert cliff_radius(mdp, reward).radius == pytest.approx(expected, rel=1e-11)


def test_no_change_within_the_radius_moves_the_policy() -> None:
    for seed in range(NUM_MDPS):
        mdp, reward = case(seed)
        actions, found = best_actions(mdp, reward), cliff_radius(mdp, reward)
        if found.witness is None:
            continue
        rng = np.random.default_rng(seed)
        size = found.radius * (1 - 1e-9)
        changes = [random_perturbation(mdp, size, [seed, i]) for i in range(25)]
        # Corners of the cube lie farther out than its inside; the witness is one of them.
        corners = rng.choice([-size, size], size=(24, *reward.shape)) * ~mdp.terminal[:, None]
        for change in (*changes, *corners, found.witness * (1 - 1e-9)):
            changed = advantages(mdp, reward + change, actions)
            assert all(changed[pair] < 0 for pair in other_pairs(mdp, actions))
            np.testing.assert_array_equal(best_actions(mdp, reward + change), actions)


def test_the_witness_moves_the_policy_as_soon_as_it_is_exceeded() -> None:
    for seed in range(NUM_MDPS):
        mdp, reward = case(seed)
        actions, found = best_actions(mdp, reward), cliff_radius(mdp, reward)
        if found.witness is None:
            continue
        assert found.state is not None
        assert found.action is not None
        assert found.tied_with is None
        assert np.abs(found.witness).max() == found.radius
        assert (found.witness[mdp.terminal] == 0).all()
        pair = found.state, found.action
        assert advantages(mdp, reward + found.witness, actions)[pair] == pytest.approx(0, abs=1e-12)
        assert advantages(mdp, reward - found.witness, actions)[pair] < 0, "the sign matters"
        beyond = reward + (1 + 1e-6) * found.witness
        assert advantages(mdp, beyond, actions)[pair] > 0
        assert (best_actions(mdp, beyond) != actions).any()
        assert not optimal(mdp, beyond, tie_tolerance=1e-13).optimal_actions[range(mdp.num_states), actions].all()


# How the radius relates to the smallest gap


def longest_expected_trace(mdp: TabularMDP) -> float:
    """What stands for 1/(1 - gamma): the largest discounted number of steps of any policy."""
    every_step = np.where(mdp.terminal[:, None], 0.0, np.ones((mdp.num_states, mdp.num_actions)))
    return optimal(mdp, every_step).q_values.max()


@pytest.mark.parametrize("ends", [True, False])
def test_radius_is_bounded_by_the_smallest_gap(ends: bool) -> None:
    for seed in range(NUM_MDPS):
        mdp, reward = case(seed)
        if not ends:
            mdp = random_mdp(
                seed, num_states=5, cycles="free", gamma=mdp.gamma if mdp.gamma < 1 else 0.8, num_terminal=0
            )
            reward = random_reward(mdp, seed)
        radius, gap = cliff_radius(mdp, reward).radius, ties(mdp, reward).smallest_gap
        if radius == np.inf:
            assert gap == np.inf
            continue
        horizon = mdp.effective_horizon if mdp.gamma < 1 or mdp.is_acyclic else np.inf
        assert radius >= gap / (2 * horizon) * (1 - 1e-12)
        assert radius >= gap / (2 * longest_expected_trace(mdp)) * (1 - 1e-12)
        smallest_norm = 2 - mdp.gamma if ends and not mdp.is_acyclic else 2
        assert radius <= gap / smallest_norm * (1 + 1e-12)


@pytest.mark.parametrize("gamma", [0.0, 0.5, 0.9, 0.999])
def test_staying_beside_ending_is_wider_than_half_the_gap(gamma: float) -> None:
    """Ending at once pays 0, staying costs 1: V stays what the end pays, so a change of it nearly cancels."""
    mdp = TabularMDP([[[1], [0]], [[1], [1]]], np.ones((2, 2, 1)), [1, 0], [False, True], gamma)  # type: ignore[arg-type]
    found = cliff_radius(mdp, [[0, -1], [0, 0]])
    assert found.radius == pytest.approx(1 / (2 - gamma), rel=1e-12)


@pytest.mark.parametrize("gamma", [0.0, 0.5, 0.9, 0.999])
def test_radius_may_be_the_smallest_gap_over_twice_the_horizon(gamma: float) -> None:
    """Two absorbing states: a change in each counts 1/(1 - gamma) times."""
    fork = TabularMDP([[[1], [2]], [[1], [1]], [[2], [2]]], np.ones((3, 2, 1)), [1, 0, 0], [False] * 3, gamma)  # type: ignore[arg-type]
    reward = [[0.1, 0], [0, -9], [0, -9]]
    assert cliff_radius(fork, reward).radius == pytest.approx(0.1 * (1 - gamma) / 2, rel=1e-9)


# Over weights


def weighted_case(seed: int) -> tuple[TabularMDP, RewardComponents, Table]:
    mdp, _ = case(seed)
    components = RewardComponents(("a", "b", "c"), np.stack([random_reward(mdp, [seed, k]) for k in range(3)]))
    return mdp, components, random_reward(mdp, [seed, 3])


def exit_along(mdp: TabularMDP, reward: Table, step: Table, actions: NDArray[np.intp]) -> float:
    """How far one can go in a direction before some advantage is positive, by bisection."""

    def stays(t: float) -> bool:
        changed = advantages(mdp, reward + t * step, actions)
        return all(changed[pair] <= 0 for pair in other_pairs(mdp, actions))

    low, high = 0.0, 1.0
    while stays(high):
        if high > 1e6:
            return np.inf
        high *= 2
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if stays(middle) else (low, middle)
    return high


@pytest.mark.parametrize("seed", range(45))
def test_radius_over_weights_is_the_nearest_exit_in_any_direction(seed: int) -> None:
    mdp, components, reward = weighted_case(seed)
    actions, found = best_actions(mdp, reward), cliff_radius(mdp, reward, components)
    # The distance is in sup norm and a gap is linear in the weights, so some corner of the cube is among the nearest.
    corners = [
        exit_along(mdp, reward, components.combine(signs), actions)
        for signs in itertools.product([-1.0, 1.0], repeat=3)
    ]
    assert found.radius == pytest.approx(min(corners), rel=1e-9)
    rng = np.random.default_rng(seed)
    for weights in rng.uniform(-1, 1, size=(20, 3)):
        weights /= np.abs(weights).max()
        assert exit_along(mdp, reward, components.combine(weights), actions) >= found.radius * (1 - 1e-9)
    if found.witness is not None:
        assert found.witness.shape == (3,)
        assert np.abs(found.witness).max() == found.radius
        for factor, same in ((1 - 1e-9, True), (1 + 1e-6, False)):
            changed = reward + components.combine(factor * found.witness)
            assert np.array_equal(best_actions(mdp, changed), actions) is same


def test_weights_are_never_nearer_than_tables() -> None:
    for seed in range(60):
        mdp, components, reward = weighted_case(seed)
        largest = np.abs(components.table).sum(axis=0).max()
        assert cliff_radius(mdp, reward, components).radius * largest >= cliff_radius(mdp, reward).radius * (1 - 1e-9)


def test_radius_of_the_scenarios() -> None:
    breaker = cliffgym.scenario("Cliff-TieBreaker-v0", bonus=0.1)
    found = cliff_radius(breaker.mdp, breaker.reward("true"), breaker.components)
    assert found.radius == pytest.approx(0.1, rel=1e-12)
    assert found.witness is not None
    assert dict(zip(breaker.components.names, found.witness.tolist(), strict=True)) == {
        "correct": 0,
        "target_format": pytest.approx(-0.1),
        "malformed": 0,
    }
    length = cliffgym.scenario("Cliff-LengthPenalty-v0", penalty=0.02)
    only = RewardComponents(("length",), length.components["length"][None])
    assert cliff_radius(length.mdp, length.reward("true"), only).radius == pytest.approx(0.02, rel=1e-12)
    almost = length.components.combine({"correct": 1, "length": -0.24})
    assert cliff_radius(length.mdp, almost, only).radius == pytest.approx(0.01, rel=1e-12)


# Ties


def test_a_tie_has_radius_zero_and_is_named() -> None:
    for seed in range(90):
        mdp, _ = case(seed)
        known = known_optimum(mdp, seed, ties=0.4)
        several = (known.optimal_actions.sum(axis=1) > 1) & ~mdp.terminal
        found = cliff_radius(mdp, known.reward)
        if not several.any():
            assert found.radius > 0
            continue
        assert found.radius == 0
        assert found.state is not None
        assert found.witness is not None
        assert several[found.state]
        assert found.action is not None
        assert found.tied_with is not None
        assert found.action != found.tied_with
        assert known.optimal_actions[found.state, [found.action, found.tied_with]].all()
        assert np.abs(found.witness).max() == 1
        for step in (1e-6, 1e-3):
            moved = optimal(mdp, known.reward + step * found.witness).q_values[found.state]
            assert moved[found.action] > moved[found.tied_with]


def test_reachable_only_leaves_out_what_no_policy_meets() -> None:
    successors = np.array([[[2], [2]], [[2], [2]], [[2], [2]]])
    mdp = TabularMDP(successors, np.ones((3, 2, 1)), np.array([1.0, 0, 0]), np.array([False, False, True]), 1.0)
    reward = [[1, 0], [0.5, 0.5], [0, 0]]
    everywhere = cliff_radius(mdp, reward)
    assert (everywhere.radius, everywhere.state) == (0, 1)
    here = cliff_radius(mdp, reward, reachable_only=True)
    assert (here.radius, here.state, here.action) == (0.5, 0, 1)
    near = [[1, 0], [0.5, 0.4], [0, 0]]
    assert cliff_radius(mdp, near).radius == pytest.approx(0.05)
    assert cliff_radius(mdp, near, reachable_only=True).radius == 0.5


# Nothing to move


def nowhere(found: CliffRadius) -> bool:
    return (found.radius, found.state, found.action, found.tied_with, found.witness) == (np.inf, None, None, None, None)


def test_radius_is_infinite_where_there_is_no_choice() -> None:
    for seed in range(12):
        mdp, reward = case(seed, num_actions=1)
        assert nowhere(cliff_radius(mdp, reward))
        mdp, reward = case(seed, illegal=1.0)
        assert nowhere(cliff_radius(mdp, reward))
        components = RewardComponents(("a",), random_reward(mdp, seed)[None])
        assert nowhere(cliff_radius(mdp, reward, components))


@pytest.mark.parametrize("gamma", [0.5, 0.9999])
def test_weights_of_what_moves_no_policy_have_no_cliff(gamma: float) -> None:
    """Shaping moves no advantage. With gamma near 1 rounding must not be taken for a slope."""
    for seed in range(60):
        kind = CYCLES[seed % 3]
        mdp = random_mdp(seed, num_states=12, cycles=kind, gamma=gamma)
        potential = np.where(mdp.terminal, 0, np.random.default_rng(seed).normal(size=12))
        shaping = mdp.gamma * dense_kernel(mdp) @ potential - potential[:, None]
        shaping[mdp.terminal] = 0
        components = RewardComponents(("shaping", "zero"), np.stack([shaping, 0 * shaping]))
        assert nowhere(cliff_radius(mdp, random_reward(mdp, seed), components))
        assert nowhere(cliff_radius(mdp, known_optimum(mdp, seed).reward, components)), "a tie that no weight moves"


# Size and bad input


def test_two_thousand_states_of_ten_actions() -> None:
    mdp = random_mdp(1, num_states=2000, num_actions=10, branching=3, cycles="none", gamma=0.95)
    reward = random_reward(mdp, 1)
    found = cliff_radius(mdp, reward)
    assert 0 < found.radius < np.inf
    assert found.witness is not None
    assert found.state is not None
    beyond = optimal(mdp, reward + (1 + 1e-5) * found.witness, tie_tolerance=1e-13)
    assert beyond.optimal_actions[found.state, found.action]


def test_bad_input() -> None:
    mdp, reward = case(1)
    with pytest.raises(ValueError, match=r'over must be "table" or RewardComponents, got \'tables\''):
        cliff_radius(mdp, reward, "tables")
    with pytest.raises(ValueError, match=r'over must be "table" or RewardComponents'):
        cliff_radius(mdp, reward, np.zeros((1, 5, 3)))  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"over must have shape \(K, S, A\) with \(S, A\) = \(5, 3\), got \(1, 4, 3\)"):
        cliff_radius(mdp, reward, RewardComponents(("a",), np.zeros((1, 4, 3))))
    with pytest.raises(ValueError, match=r"over must have shape \(K, S, A\)"):
        cliff_radius(mdp, reward, RewardComponents((), np.zeros((0, 5, 3))))
    with pytest.raises(ValueError, match="reward must have shape"):
        cliff_radius(mdp, reward[:, :2])
    with pytest.raises(ValueError, match="reward must be finite"):
        cliff_radius(mdp, reward * np.nan)


def test_a_tie_that_only_illegal_actions_lead_to_is_out_of_reach() -> None:
    """From state 0 the legal action ends the trace; the illegal one leads to state 1, where both actions tie."""
    successors = np.array([[[2], [1]], [[2], [2]], [[2], [2]]])
    mask = np.array([[True, False], [True, True], [True, True]])
    mdp = TabularMDP(successors, np.ones((3, 2, 1)), np.eye(3)[0], np.array([False, False, True]), 1.0, mask)
    reward = np.zeros((3, 2))
    assert cliff_radius(mdp, reward).radius == 0
    assert cliff_radius(mdp, reward, reachable_only=True).radius == np.inf


def test_many_successor_slots_take_the_matrix_product() -> None:
    """More than 32 slots: the same radius as from unit changes, one entry of the table at a time."""
    rng = np.random.default_rng(3)
    size = 40
    kernel = rng.dirichlet(np.ones(size), size=(size, 2))
    mdp = TabularMDP.from_dense(kernel, np.eye(size)[0], np.zeros(size, bool), 0.9)
    reward = rng.normal(size=(size, 2))
    best = optimal(mdp, reward)
    policy = best.policy
    slopes = np.zeros((size, 2))  # L1 norm of each pair's advantage as a function of the table
    for state, action in np.ndindex(size, 2):
        unit = np.zeros((size, 2))
        unit[state, action] = 1.0
        values = evaluate(mdp, unit, policy)
        slopes += np.abs(values.q_values - values.state_values[:, None])
    expected = np.where(policy == 1, np.inf, best.action_gaps / np.where(policy == 1, 1.0, slopes)).min()
    assert cliff_radius(mdp, reward).radius == pytest.approx(expected, rel=1e-9)
