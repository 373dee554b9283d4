"""The paper's statements: where they hold, how tight they are, and that each check can fail."""

import dataclasses
import itertools
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import ArrayLike, NDArray

import cliffgym
from cliffgym import RewardComponents, TabularMDP, evaluate, optimal, soft
from cliffgym.analysis import cliff_radius
from cliffgym.analysis.bounds import (
    STATEMENTS,
    StatementCheck,
    boltzmann,
    continuity,
    deterministic_jump,
    effective_actions_inclusion,
    effective_jump,
    effective_policy_constancy,
    effective_reward_lipschitz,
    effective_values_lipschitz,
    incomplete_reward,
    jump,
    optimal_actions_inclusion,
    policy_constancy,
    soft_policy_lipschitz,
    softmax,
    softmax_lipschitz,
    softmax_norm,
    tie_breaking,
    tight_example,
    uniform_jump,
    values_lipschitz,
)
from cliffgym.testing import (
    dense_kernel,
    deterministic_policies,
    known_optimum,
    random_mdp,
    random_policy,
    random_reward,
)

Table = NDArray[np.float64]
seeds = st.integers(0, 2**32 - 1)
EPSILONS = [10.0**-i for i in range(1, 10)]
kinds = st.sampled_from([("none", 1.0), ("none", 0.9), ("free", 0.9), ("free", 0.99), ("ending", 0.5)])


def mdp_of(kind: tuple[str, float], seed: int) -> TabularMDP:
    return random_mdp(seed, num_states=5, cycles=kind[0], gamma=kind[1])


def deterministic(
    successors: ArrayLike, gamma: float = 1.0, initial: ArrayLike | None = None, **options: Any
) -> TabularMDP:
    """An MDP without chance, from its (S, A) table of next states; the last state is terminal, the first the start."""
    table = np.asarray(successors)
    terminal = np.arange(len(table)) == len(table) - 1
    start = np.eye(len(table))[0] if initial is None else np.asarray(initial)
    return TabularMDP(table[:, :, None], np.ones((*table.shape, 1)), start, terminal, gamma, **options)


def as_tuple(*tables: ArrayLike) -> RewardComponents:
    return RewardComponents(tuple(f"model {k}" for k in range(len(tables))), np.array(tables))


def without(check: StatementCheck, *hypotheses: str) -> StatementCheck:
    """The check as it would be if these hypotheses were not demanded."""
    assert check.unmet == hypotheses
    kept = {name: met for name, met in check.hypotheses.items() if name not in hypotheses}
    return dataclasses.replace(check, hypotheses=kept)


# What a check says


def test_ratio_and_verdict() -> None:
    assert StatementCheck("X", {}, 1.0, 2.0, conclusion=True).ratio == 0.5
    assert StatementCheck("X", {}, 0.0, 0.0, conclusion=True).ratio == 0
    assert StatementCheck("X", {}, 1.0, 0.0, conclusion=False).ratio == math.inf
    assert StatementCheck("X", {"a": True}, 0.0, 0.0, conclusion=True).verdict == "holds"
    assert StatementCheck("X", {"a": True}, 0.0, 0.0, conclusion=False).verdict == "violated"
    for conclusion in (True, False):
        check = StatementCheck("X", {"a": True, "b": False}, 0.0, 0.0, conclusion)
        assert check.verdict == "not applicable"
        assert check.unmet == ("b",)


def test_every_statement_is_listed_under_its_number() -> None:
    numbers = ["2.4", "2.5", "2.7", "2.9", "2.10", "3.1", "3.2", "4.2", "4.3", "4.4", "4.5", "4.6", "4.7", "C.2"]
    assert [name.split()[1] for name in STATEMENTS] == numbers
    for name, function in STATEMENTS.items():
        assert f"Source: arXiv:2507.20150, {name}" in (function.__doc__ or "")
        assert (function.__doc__ or "").startswith(f"{name}: ")


def test_checks_cannot_be_changed() -> None:
    check = softmax_lipschitz([0.0, 1.0], [1.0, 0.0], 1.0)
    with pytest.raises(dataclasses.FrozenInstanceError):
        check.measured = 0.0  # type: ignore[misc]


# Proposition 2.4


@given(kinds, seeds)
def test_2_4_measures_what_value_iteration_says(kind: tuple[str, float], seed: int) -> None:
    mdp = mdp_of(kind, seed)
    rewards = [random_reward(mdp, [seed, k]) for k in range(2)]
    kernel, values = dense_kernel(mdp), []
    for reward in rewards:
        q_values, change = np.zeros(reward.shape), np.inf
        while change > 1e-13:
            last = q_values
            q_values = reward + mdp.gamma * kernel @ np.where(mdp.action_mask, last, -np.inf).max(axis=1)
            change = np.abs(q_values - last).max()
        values.append(q_values)
    legal = mdp.action_mask & ~mdp.terminal[:, None]
    check = values_lipschitz(mdp, *rewards)
    assert check.verdict == "holds"
    assert check.measured == pytest.approx(np.abs(values[0] - values[1])[legal].max(), abs=1e-10)
    assert check.bound == pytest.approx(mdp.effective_horizon * np.abs(rewards[0] - rewards[1])[legal].max())
    assert check.measured <= check.details["sharp_bound"] * (1 + 1e-12) <= check.bound * (1 + 2e-12)


@given(kinds, seeds)
def test_2_4_the_sharp_constant_is_attained(kind: tuple[str, float], seed: int) -> None:
    mdp = mdp_of(kind, seed)
    ones = np.where(mdp.terminal[:, None], 0.0, np.ones((5, 3)))
    check = values_lipschitz(mdp, 0 * ones, 0.3 * ones)
    assert check.details["sharp_ratio"] == pytest.approx(1, abs=1e-12)


def test_2_4_is_tight_and_uses_the_effective_horizon() -> None:
    example = tight_example(0.7, 0.95)
    check = values_lipschitz(example.mdp, example.reward, example.other)
    assert (check.ratio, check.bound) == (pytest.approx(1, abs=1e-12), pytest.approx(14))
    chain = deterministic([[1, 4], [2, 4], [3, 4], [4, 4], [4, 4]])  # four steps at gamma 1
    reward = np.array([[1.0, 0]] * 4 + [[0.0, 0]])
    check = values_lipschitz(chain, 0 * reward, reward)
    assert (check.measured, check.bound, check.details["horizon"]) == (4, 4, 4)


def test_2_4_what_illegal_actions_pay_does_not_count() -> None:
    mdp = deterministic([[1, 1], [1, 1]], action_mask=[[True, False], [True, True]])
    check = values_lipschitz(mdp, np.zeros((2, 2)), [[0.5, 9.0], [0.0, 0.0]])
    assert (check.measured, check.bound) == (0.5, 0.5)


# Lemma 2.5 and Theorem 2.7


def test_2_5_fails_just_outside_its_radius() -> None:
    example = tight_example(0.5, 0.9)
    step = example.other - example.reward
    radius = optimal_actions_inclusion(example.mdp, example.reward, example.other).details["radius"]
    assert radius == pytest.approx(0.25)
    inside, outside = (
        optimal_actions_inclusion(example.mdp, example.reward, example.reward + share * radius * step / 0.5)
        for share in (1 - 1e-6, 1 + 1e-6)
    )
    assert inside.verdict == "holds"
    assert (outside.verdict, outside.conclusion, outside.measured) == ("not applicable", False, 1)
    assert outside.witness == (0, 0)
    assert without(outside, "R is within gap / (2 · horizon) of R0").verdict == "violated"


def test_2_5_with_every_action_tied_holds_at_any_distance() -> None:
    mdp = deterministic([[1, 1], [1, 1]])
    check = optimal_actions_inclusion(mdp, np.zeros((2, 2)), [[5.0, -5.0], [0.0, 0.0]])
    assert (check.verdict, check.details["radius"]) == ("holds", math.inf)


@given(kinds, seeds)
def test_2_7_holds_up_to_the_witness_and_fails_just_beyond_it(kind: tuple[str, float], seed: int) -> None:
    mdp = mdp_of(kind, seed)
    reward = known_optimum(mdp, seed, ties=0.0).reward
    cliff = cliff_radius(mdp, reward)
    if cliff.witness is None:  # one legal action everywhere
        assert policy_constancy(mdp, reward, reward + random_reward(mdp, seed)).verdict == "holds"
        return
    inside, outside = (policy_constancy(mdp, reward, reward + share * cliff.witness) for share in (0.9999, 1.0001))
    assert (inside.verdict, inside.measured) == ("holds", 0)
    assert (outside.measured, outside.witness) == (1, (cliff.state, cliff.action))
    assert without(outside, "R is within the cliff radius of R0").verdict == "violated"


def test_2_7_says_nothing_where_the_optimum_is_not_unique() -> None:
    mdp = deterministic([[1, 1], [1, 1]])
    check = policy_constancy(mdp, np.zeros((2, 2)), [[1e-9, 0.0], [0.0, 0.0]])
    assert check.unmet == ("the optimum at R0 is unique", "R is within the cliff radius of R0")
    assert (check.measured, check.details["radius"]) == (0.5, 0)


# Propositions 2.9, 2.10 and 3.2


@given(kinds, seeds, st.sampled_from(EPSILONS))
def test_2_9_every_tied_action_can_be_made_the_only_optimal_one(
    kind: tuple[str, float], seed: int, epsilon: float
) -> None:
    mdp = mdp_of(kind, seed)
    known = known_optimum(mdp, seed, ties=0.7)
    kernel, before = dense_kernel(mdp), optimal(mdp, known.reward)
    for state in before.tied_states.tolist():
        tied = np.flatnonzero(known.optimal_actions[state]).tolist()
        for action in tied:
            check = deterministic_jump(mdp, known.reward, epsilon, state, action)
            assert check.verdict == "holds"
            if kernel[state, action, state] == 0:
                assert check.measured == pytest.approx(epsilon, abs=1e-14)
            assert isinstance(check.witness, np.ndarray)
            raised = np.zeros(known.reward.shape)
            raised[state, action] = epsilon
            after = optimal(mdp, check.witness)
            np.testing.assert_allclose(after.q_values, before.q_values + raised, atol=1e-12)
            assert check.details["gap"] == pytest.approx(epsilon, abs=1e-12)
            m = len(tied)
            jump_there = uniform_jump(mdp, known.reward, epsilon, state, action)
            assert (jump_there.verdict, jump_there.bound) == ("holds", (m - 1) / m)
            assert jump_there.measured == pytest.approx((m - 1) / m, abs=1e-15)
        first, second = tied[:2]
        for winner, loser in ((first, second), (second, first)):
            check = tie_breaking(mdp, known.reward, epsilon, state, winner, loser)
            assert check.verdict == "holds"
            assert isinstance(check.witness, np.ndarray)
            values = optimal(mdp, check.witness).q_values[state]
            assert values[winner] - values[loser] == pytest.approx(epsilon, abs=1e-12)


@pytest.mark.parametrize("m", [2, 3, 4, 7])
def test_2_10_for_each_number_of_tied_actions(m: int) -> None:
    mdp = deterministic(np.ones((2, m), dtype=int))
    check = uniform_jump(mdp, np.zeros((2, m)), 1e-9)
    assert (check.verdict, check.details["num_optimal"]) == ("holds", m)
    assert check.measured == pytest.approx((m - 1) / m, abs=1e-15)


def test_2_9_staying_where_the_tie_is_needs_a_smaller_change() -> None:
    mdp = deterministic([[0, 1], [1, 1]], gamma=0.75)
    reward = np.array([[0.25, 1.0], [0.0, 0.0]])  # 0.25 / (1 - 0.75) = 1
    assert deterministic_jump(mdp, reward, 0.01, 0, 0).ratio == pytest.approx(0.25)
    assert deterministic_jump(mdp, reward, 0.01, 0, 1).ratio == pytest.approx(1)


def test_2_9_without_a_tie_nothing_is_claimed() -> None:
    mdp = deterministic([[1, 1], [1, 1]])
    reward = np.array([[1.0, 0.0], [0.0, 0.0]])
    for function in (deterministic_jump, uniform_jump, tie_breaking):
        check = function(mdp, reward, 0.1)
        assert check.unmet == ("some state has two optimal actions",)
        assert check.witness is None
    assert effective_jump(mdp, as_tuple(reward), [1.0], 0.1).verdict == "not applicable"


def test_2_9_a_change_below_rounding_is_not_judged() -> None:
    mdp = deterministic([[1, 1], [1, 1]])
    reward = np.array([[1e6, 1e6], [0.0, 0.0]])
    assert deterministic_jump(mdp, reward, 1e-3).verdict == "holds"
    assert deterministic_jump(mdp, reward, 1e-12).unmet == ("epsilon is above rounding",)


def test_2_9_a_gap_that_epsilon_resolves_is_no_tie() -> None:
    mdp = deterministic([[1, 1], [1, 1]])
    reward = np.array([[1.0, 1.0 - 5e-10], [0.0, 0.0]])  # a tie at the usual tolerance of 1e-9
    assert deterministic_jump(mdp, reward, 1e-6).verdict == "holds"
    assert deterministic_jump(mdp, reward, 1e-9).verdict == "not applicable"


# Proposition 3.1

TRUE_RANDOM = st.sampled_from(["other", "planted", "shifted"])


@given(kinds, seeds, TRUE_RANDOM)
def test_3_1_regret_is_that_of_enumeration(kind: tuple[str, float], seed: int, true_kind: str) -> None:
    mdp = random_mdp(seed, num_states=4, num_actions=2, cycles=kind[0], gamma=kind[1])
    train = known_optimum(mdp, seed, ties=0.8).reward
    true = {
        "other": random_reward(mdp, [seed, 1]),
        "planted": train + random_reward(mdp, [seed, 2], levels=3),
        "shifted": 2 * train,
    }[true_kind]
    check = incomplete_reward(mdp, train, true)
    policy = optimal(mdp, train).policy
    achieved = evaluate(mdp, true, policy).expected_return
    best = max(evaluate(mdp, true, p).expected_return for p in deterministic_policies(mdp))
    assert check.verdict in ("holds", "not applicable")
    assert check.details["regret"] == pytest.approx(best - achieved, abs=1e-10)
    assert check.details["optimum"] == pytest.approx(best, abs=1e-10)
    assert check.details["achieved"] == pytest.approx(achieved, abs=1e-12)
    assert isinstance(check.witness, tuple)
    state, action = check.witness
    policy[state] = np.eye(2)[action]
    gained = evaluate(mdp, true, policy).expected_return - achieved
    assert check.details["gain"] == pytest.approx(gained, abs=1e-10)
    # The search finds a certificate if there is one.
    pairs = [(s, a) for s, a in np.argwhere(mdp.action_mask).tolist() if not mdp.terminal[s]]
    verdicts = {incomplete_reward(mdp, train, true, state=s, action=a).verdict for s, a in pairs}
    assert (check.verdict == "holds") == ("holds" in verdicts)


def claim(
    mdp: TabularMDP, train: ArrayLike, true: ArrayLike, policy: ArrayLike | None, place: tuple[int, int]
) -> StatementCheck:
    """The check of 3.1 for a certificate, of a policy that is optimal for the true reward."""
    check = incomplete_reward(mdp, train, true, policy, *place)
    assert check.details["regret"] == pytest.approx(0, abs=1e-15)
    assert not check.conclusion
    return check


def test_3_1_an_action_that_is_not_optimal_proves_nothing() -> None:
    mdp = deterministic([[1, 1], [1, 1]])
    check = claim(mdp, [[1, 0], [0, 0]], [[1, 0.5], [0, 0]], None, (0, 1))
    assert without(check, "the action is optimal for train").verdict == "violated"


def test_3_1_an_action_without_advantage_proves_nothing() -> None:
    mdp = deterministic([[1, 1], [1, 1]])
    check = claim(mdp, [[1, 1], [0, 0]], [[1, 1], [0, 0]], None, (0, 1))
    assert without(check, "the action has a positive advantage for what is missing").verdict == "violated"


def test_3_1_a_state_that_is_not_visited_proves_nothing() -> None:
    # Start: action 0 ends the trace and pays; action 1 leads to a tie that the missing reward would break.
    mdp = deterministic([[2, 1], [2, 2], [2, 2]])
    check = claim(mdp, [[1, 0], [0, 0], [0, 0]], [[1, 0], [0, 0.5], [0, 0]], None, (1, 1))
    assert check.details["advantage"] == 0.25
    assert check.details["visits"] == 0
    assert without(check, "the policy visits the state").verdict == "violated"


def test_3_1_a_policy_that_is_not_optimal_for_train_may_be_truly_optimal() -> None:
    # Start: action 0 ends the trace, action 1 goes on. There, what train likes is truly worst, and the policy knows.
    mdp = deterministic([[2, 1], [2, 2], [2, 2]])
    train, true = [[0, 0], [1, -3], [0, 0]], [[0, 0], [-10, -2], [0, 0]]
    check = claim(mdp, train, true, [[1, 0], [0, 1], [1, 0]], (0, 1))
    assert check.details["advantage"] == 1
    assert without(check, "the policy is optimal for train").verdict == "violated"


def test_3_1_at_gamma_0_only_the_first_state_counts() -> None:
    mdp = deterministic([[1, 1], [2, 2], [2, 2]], gamma=0.0)
    check = claim(mdp, np.zeros((3, 2)), [[0, 0], [0, 1], [0, 0]], None, (1, 1))
    assert without(check, "the policy visits the state").verdict == "violated"


def test_3_1_is_sufficient_but_not_necessary() -> None:
    mdp = deterministic([[1, 1], [1, 1]])
    check = incomplete_reward(mdp, [[1, 0.5], [0, 0]], [[1, 3], [0, 0]])
    assert (check.verdict, check.details["regret"]) == ("not applicable", 2)
    assert check.unmet == ("the action is optimal for train",)  # the advantage of 1.5 is there


def test_3_1_a_given_policy_is_judged() -> None:
    mdp = deterministic([[1, 1], [1, 1]])
    train, true = [[1, 1], [0, 0]], [[1, 2], [0, 0]]
    slacking, good = [[1.0, 0], [1, 0]], [[0, 1.0], [1, 0]]
    check = incomplete_reward(mdp, train, true, slacking)
    assert (check.verdict, check.witness, check.ratio) == ("holds", (0, 1), 1)
    check = incomplete_reward(mdp, train, true, good)
    assert (check.verdict, check.details["regret"]) == ("not applicable", 0)
    assert incomplete_reward(mdp, train, true, slacking, state=0).witness == (0, 1)


def test_3_1_on_scenarios() -> None:
    for id, regret in (("Cliff-Slacker-v0", 0.5), ("Cliff-TieBreaker-v0", 0.075)):
        made = cliffgym.scenario(id)
        check = incomplete_reward(made.mdp, made.reward("incomplete"), made.reward("true"))
        assert (check.verdict, check.details["regret"]) == ("holds", pytest.approx(regret))


# Section 4: effective rewards


@given(kinds, seeds)
def test_4_2_to_4_4_are_the_single_statements_on_the_effective_reward(kind: tuple[str, float], seed: int) -> None:
    mdp = mdp_of(kind, seed)
    parts, others = (as_tuple(*(random_reward(mdp, [seed, i, k]) for k in range(3))) for i in range(2))
    weights = np.random.default_rng(seed).dirichlet(np.ones(3), size=5).T
    reward, other = parts.combine(weights), others.combine(weights)
    legal = mdp.action_mask & ~mdp.terminal[:, None]
    distance = np.abs(parts.table - others.table)[:, legal].max()
    lemma = effective_reward_lipschitz(mdp, parts, others, weights)
    assert (lemma.verdict, lemma.bound) == ("holds", distance)
    assert lemma.measured == pytest.approx(np.abs(reward - other)[legal].max())
    check, single = effective_values_lipschitz(mdp, parts, others, weights), values_lipschitz(mdp, reward, other)
    assert (check.verdict, check.measured, check.bound) == (
        "holds",
        single.measured,
        pytest.approx(mdp.effective_horizon * distance),
    )
    inclusion = effective_actions_inclusion(mdp, parts, others, weights)
    assert inclusion.details["radius"] == optimal_actions_inclusion(mdp, reward, other).details["radius"]
    constancy = effective_policy_constancy(mdp, parts, others, weights)
    assert constancy.details["distance"] == inclusion.details["distance"] == distance
    assert constancy.details["radius"] == cliff_radius(mdp, reward).radius


@given(kinds, seeds, st.sampled_from(EPSILONS), st.booleans())
def test_4_6_the_new_tuple_breaks_the_tie(kind: tuple[str, float], seed: int, epsilon: float, by_state: bool) -> None:
    mdp, rng = mdp_of(kind, seed), np.random.default_rng(seed)
    known = known_optimum(mdp, seed, ties=0.7)
    weights = rng.dirichlet(np.ones(2), size=5).T if by_state else rng.dirichlet(np.ones(2))
    noise = random_reward(mdp, [seed, 1])
    first, second = (np.broadcast_to(w, 5)[:, None] for w in weights)
    parts = as_tuple(known.reward + second * noise, known.reward - first * noise)
    for state in optimal(mdp, known.reward).tied_states.tolist():
        tied = np.flatnonzero(known.optimal_actions[state])
        check = effective_jump(mdp, parts, weights, epsilon, state, int(tied[-1]))
        assert check.verdict == "holds"
        assert isinstance(check.witness, np.ndarray)
        new = RewardComponents(parts.names, check.witness)
        assert np.abs(new.table - parts.table).max() <= epsilon + 1e-14
        gaps = optimal(mdp, new.combine(weights)).action_gaps[state]
        assert np.flatnonzero(gaps < epsilon / 2).tolist() == [tied[-1]]
        assert check.details["total_variation"] == pytest.approx(1 - 1 / len(tied))


@pytest.mark.parametrize(
    ("weights", "hypothesis"), [([1.0, 1.0], "weights sum to 1"), ([1.5, -0.5], "weights are >= 0")]
)
def test_4_2_and_4_3_need_weights_that_are_weights(weights: list[float], hypothesis: str) -> None:
    mdp = deterministic([[1, 1], [1, 1]])
    step = np.array([[1.0, 1.0], [0.0, 0.0]])
    parts, others = as_tuple(0 * step, 0 * step), as_tuple(step, np.sign(weights[1]) * step)
    for function in (effective_reward_lipschitz, effective_values_lipschitz):
        check = function(mdp, parts, others, weights)
        assert check.ratio == 2
        assert without(check, hypothesis).verdict == "violated"


def test_4_4_to_4_6_need_weights_that_are_weights() -> None:
    mdp = deterministic([[1, 1], [1, 1]])
    reward, step = np.array([[1.0, 0.0], [0.0, 0.0]]), np.array([[-0.4, 0.4], [0.0, 0.0]])
    # The effective reward is the same as with weights of 1/2, but the change counts four times as much.
    parts, others = as_tuple(reward / 4, reward / 4), as_tuple(reward / 4 + step, reward / 4 + step)
    for function in (effective_actions_inclusion, effective_policy_constancy):
        check = function(mdp, parts, others, [2.0, 2.0])
        assert without(check, "weights sum to 1").verdict == "violated"
    tie = as_tuple(0 * step, 0 * step)
    assert effective_jump(mdp, tie, [0.0, 0.0], 0.1).unmet == ("weights sum to 1",)
    assert without(effective_jump(mdp, tie, [0.0, 0.0], 0.1), "weights sum to 1").verdict == "violated"


# Proposition 4.7 and Lemma C.2


@pytest.mark.parametrize("gamma", [0.0, 0.5, 0.9, 0.99])
@pytest.mark.parametrize("epsilon", [1e-3, 0.1, 1.0])
@pytest.mark.parametrize("temperature", [0.1, 1.0, 10.0])
def test_4_7_is_tight(gamma: float, epsilon: float, temperature: float) -> None:
    example = tight_example(epsilon, gamma)
    uniform = np.full((3, 2), 0.5)
    for reference in (None, uniform):
        check = soft_policy_lipschitz(example.mdp, example.reward, example.other, temperature, reference)
        law = math.tanh(epsilon / (2 * temperature * (1 - gamma)))
        assert check.verdict == "holds"
        assert check.measured == pytest.approx(law, abs=1e-12)
        assert check.details["horizon_bound"] == pytest.approx(law, abs=1e-12)
        assert check.details["horizon_ratio"] == pytest.approx(1, abs=1e-11)
        assert check.details["sharp_ratio"] == pytest.approx(1, abs=1e-11)
        assert (check.details["distance"], check.witness) == (epsilon, (0, 0))


@given(kinds, seeds, st.sampled_from([1e-4, 0.01, 0.1, 1.0, 100.0]), st.sampled_from([1e-6, 0.1, 1.0]), st.booleans())
def test_4_7_and_the_sharp_law_hold(
    kind: tuple[str, float], seed: int, temperature: float, size: float, kl: bool
) -> None:
    mdp = mdp_of(kind, seed)
    reward = random_reward(mdp, seed)
    other = reward + size * random_reward(mdp, [seed, 1])
    reference = random_policy(mdp, [seed, 2]) if kl else None
    check = soft_policy_lipschitz(mdp, reward, other, temperature, reference)
    policies = [soft(mdp, table, temperature, reference).policy for table in (reward, other)]
    moved = np.abs(policies[0] - policies[1]).sum(axis=1)[~mdp.terminal].max() / 2
    assert check.verdict == "holds"
    assert check.measured == moved
    details = check.details
    assert details["sharp_bound"] <= details["horizon_bound"] * (1 + 1e-6) <= check.bound * (1 + 2e-6)


@given(seeds, st.integers(1, 8), st.sampled_from([0.01, 1.0, 30.0]), st.sampled_from([1e-6, 1.0, 100.0]))
def test_c_2_holds(seed: int, size: int, temperature: float, distance: float) -> None:
    rng = np.random.default_rng(seed)
    values = rng.normal(size=size)
    check = softmax_lipschitz(values, values + distance * rng.choice([-1, 1], size), temperature)
    assert check.verdict == "holds"
    assert check.measured <= check.details["sharp_bound"] + 1e-13


def test_c_2_is_tight() -> None:
    for step in (1e-3, 1.0, 5.0):
        check = softmax_lipschitz([step, -step], [-step, step], temperature=2.0)
        assert check.details["sharp_ratio"] == pytest.approx(1, abs=1e-12)
    assert softmax_lipschitz([1e-4, 0.0], [0.0, 1e-4], 1.0).ratio == pytest.approx(1, abs=1e-8)


@given(seeds, st.integers(1, 9), st.sampled_from([0.1, 2.0]))
def test_c_2_the_norm_at_a_point_is_the_largest_over_all_directions(seed: int, size: int, temperature: float) -> None:
    rng = np.random.default_rng(seed)
    chances = rng.dirichlet(np.full(size, 0.4))
    chances = np.where(chances < 1e-3, 0, chances)
    chances /= chances.sum()
    found = softmax_norm(chances, temperature)
    jacobian = (np.diag(chances) - np.outer(chances, chances)) / temperature
    speeds = [np.abs(jacobian @ signs).sum() for signs in itertools.product([-1, 1], repeat=size)]
    assert found.norm == pytest.approx(max(speeds), abs=1e-12)
    assert np.abs(jacobian @ np.where(found.subset, 1, -1)).sum() == pytest.approx(found.norm, abs=1e-12)


def test_c_2_the_norm_is_attained_by_small_steps() -> None:
    values, step = np.array([0.3, 0.0, -0.2, -1.0]), 1e-5
    found = softmax_norm(softmax(values, 0.5), 0.5)
    direction = np.where(found.subset, step, -step)
    speed = softmax_lipschitz(values - direction, values + direction, 0.5).measured / (2 * step)
    assert speed == pytest.approx(found.norm, rel=1e-8)
    assert found.norm < 2


def test_c_2_the_norm_of_forty_entries() -> None:
    chances = np.random.default_rng(0).dirichlet(np.ones(40))
    assert softmax_norm(chances, 1.0).norm == pytest.approx(1, abs=1e-12)


# Wrong constants and broken constructions are caught


def halve_horizon(mdp: TabularMDP) -> TabularMDP:
    mdp.__dict__["effective_horizon"] = mdp.effective_horizon / 2  # where the cached property keeps it
    return mdp


def test_half_the_horizon_is_too_little() -> None:
    example = tight_example(0.2, 0.9)
    mdp, reward, other = halve_horizon(example.mdp), example.reward, example.other
    near = reward + 0.75 * (other - reward)  # beyond the radius, and within what half the horizon makes of it
    one, two, three = (as_tuple(table) for table in (reward, other, near))
    assert values_lipschitz(mdp, reward, other).verdict == "violated"
    assert soft_policy_lipschitz(mdp, reward, other, 1.0).verdict == "violated"
    assert optimal_actions_inclusion(mdp, reward, near).verdict == "violated"
    assert effective_values_lipschitz(mdp, one, two, [1.0]).verdict == "violated"
    assert effective_actions_inclusion(mdp, one, three, [1.0]).verdict == "violated"


def test_nine_tenths_of_the_horizon_are_too_little_for_random_mdps() -> None:
    for seed in range(100):
        mdp = random_mdp(
            seed, cycles="free", num_terminal=0
        )  # no trace ends: a reward of 1 more adds the whole horizon
        reward = random_reward(mdp, seed)
        mdp.__dict__["effective_horizon"] = 0.9 * mdp.effective_horizon
        assert values_lipschitz(mdp, reward, reward + 0.1).verdict == "violated"


def test_a_larger_radius_is_too_large(monkeypatch: pytest.MonkeyPatch) -> None:
    made = cliffgym.scenario("Cliff-TieBreaker-v0")
    reward = made.reward("true")
    cliff = cliff_radius(made.mdp, reward)
    assert cliff.witness is not None
    beyond = reward + 1.005 * cliff.witness
    wrong = dataclasses.replace(cliff, radius=1.01 * cliff.radius)
    monkeypatch.setattr(continuity, "cliff_radius", lambda *_, **__: wrong)
    assert policy_constancy(made.mdp, reward, beyond).verdict == "violated"
    assert effective_policy_constancy(made.mdp, as_tuple(reward), as_tuple(beyond), [1.0]).verdict == "violated"


def broken_bumps() -> list[tuple[str, Callable[..., Table]]]:
    right = jump.bump
    return [
        ("none", lambda *given: 0 * right(*given)),
        ("down", lambda *given: -right(*given)),
        ("too large", lambda mdp, *given: (1 + mdp.gamma) * right(mdp, *given)),
    ]


@pytest.mark.parametrize(("name", "bump"), broken_bumps())
def test_a_broken_construction_is_caught(
    name: str, bump: Callable[..., Table], monkeypatch: pytest.MonkeyPatch
) -> None:
    made = cliffgym.scenario("Cliff-Slacker-v0")
    reward = made.reward("incomplete")
    monkeypatch.setattr(jump, "bump", bump)
    assert deterministic_jump(made.mdp, reward, 0.01).verdict == "violated"
    assert tie_breaking(made.mdp, reward, 0.01).verdict == "violated"
    assert effective_jump(made.mdp, as_tuple(reward), [1.0], 0.01).verdict == "violated"
    if name == "none":  # 2.10 asks for the jump, whatever the size and direction
        assert uniform_jump(made.mdp, reward, 0.01).verdict == "violated"


def test_a_colder_softmax_breaks_the_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(boltzmann, "softmax", lambda values, temperature: softmax(values, temperature / 1.01))
    assert softmax_lipschitz([0.01, -0.01], [-0.01, 0.01], 1.0).verdict == "violated"
