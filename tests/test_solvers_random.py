"""The solvers on random MDPs, against QuantEcon, enumeration, dense linear algebra and the theory's inequalities."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from quantecon.markov import DiscreteDP
from quantecon.markov.ddp import backward_induction

from cliffgym import (
    RewardComponents,
    TabularMDP,
    evaluate,
    expected_components,
    occupancy,
    optimal,
    random_perturbation,
    soft,
    total_variation,
    uniform_policy,
)
from cliffgym.solvers import deterministic, linear
from cliffgym.testing import (
    CYCLES,
    dense_kernel,
    deterministic_policies,
    known_optimum,
    random_mdp,
    random_policy,
    random_reward,
)

Table = NDArray[Any]
seeds = st.integers(0, 2**32 - 1)
temperatures = st.floats(-6, 1).map(lambda exponent: 10.0**exponent)


def mdps(
    *kinds: str,
    gammas: tuple[float, ...] = (0.0, 0.5, 0.9, 0.99, 1.0),
    max_states: int = 9,
    max_actions: int = 4,
    illegal: float = 0.2,
) -> st.SearchStrategy[TabularMDP]:
    """Random MDPs of the kinds of cycles named, or of all; never with gamma = 1 where a policy may not end."""
    return st.one_of(
        [
            st.builds(
                random_mdp,
                seeds,
                num_states=st.sampled_from(range(max_states, 2, -1)),
                num_actions=st.sampled_from(range(max_actions, 0, -1)),
                branching=st.sampled_from([2, 3] if kind == "ending" else [2, 1, 3]),
                cycles=st.just(kind),
                gamma=st.sampled_from([gamma for gamma in gammas if gamma < 1 or kind != "free"]),
                num_terminal=st.sampled_from([1, 2, 0] if kind == "free" else [1, 2]),
                illegal=st.just(illegal),
            )
            for kind in kinds or CYCLES
        ]
    )


def close(actual: Any, expected: Any, tolerance: float = 1e-10) -> None:
    np.testing.assert_allclose(actual, expected, rtol=tolerance, atol=tolerance)


def policy_matrix(mdp: TabularMDP, policy: Table) -> Table:
    """(S, S) the policy's transition matrix, in which terminal states lead nowhere."""
    matrix = np.einsum("sa,sat->st", policy, dense_kernel(mdp))
    matrix[mdp.terminal] = 0
    return matrix


def dense_values(mdp: TabularMDP, reward: Table, policy: Table) -> Table:
    """(S,) values of a policy from one dense linear system."""
    pay = np.where(mdp.terminal, 0, (policy * reward).sum(axis=1))
    return np.linalg.solve(np.eye(mdp.num_states) - mdp.gamma * policy_matrix(mdp, policy), pay)


def regularised_values(
    mdp: TabularMDP, reward: Table, policy: Table, temperature: float, reference: Table | None
) -> Table:
    """(S,) values of a policy with temperature times entropy added, or times KL to the reference taken off."""
    base = np.ones(policy.shape) if reference is None else reference
    ratio = np.divide(policy, base, out=np.ones(policy.shape), where=policy > 0)
    return dense_values(mdp, reward - temperature * np.log(ratio), policy)


def quantecon(mdp: TabularMDP, reward: Table) -> DiscreteDP:
    return DiscreteDP(np.where(mdp.action_mask, reward, -np.inf), dense_kernel(mdp), mdp.gamma)


# The material


@given(seeds, st.sampled_from([3, 6, 9]), st.sampled_from([2, 1, 3]))
def test_cycles_are_there_as_asked(seed: int, num_states: int, num_actions: int) -> None:
    sizes: dict[str, Any] = {"num_states": num_states, "num_actions": num_actions}
    assert random_mdp(seed, cycles="none", **sizes).is_acyclic
    assert not random_mdp(seed, cycles="ending", gamma=1.0, **sizes).is_acyclic
    assert not random_mdp(seed, cycles="free", **sizes).is_acyclic
    with pytest.raises(ValueError, match="a policy can stay for ever"):
        random_mdp(seed, cycles="free", gamma=1.0, **sizes)


@given(mdps(max_states=5, max_actions=3))
def test_deterministic_policies_are_all_there_once(mdp: TabularMDP) -> None:
    policies = list(deterministic_policies(mdp))
    assert len(policies) == np.prod(mdp.action_mask[~mdp.terminal].sum(axis=1))
    assert len({policy.tobytes() for policy in policies}) == len(policies)
    for policy in policies:
        assert policy.sum(axis=1).tolist() == [1] * mdp.num_states
        assert not policy[~mdp.action_mask].any()


@given(mdps())
def test_uniform_policy_shares_out_among_legal_actions(mdp: TabularMDP) -> None:
    expected = [[float(legal) / sum(row) for legal in row] for row in mdp.action_mask.tolist()]
    assert uniform_policy(mdp).tolist() == expected


# Optimal values and actions


@given(mdps(gammas=(0.0, 0.5, 0.9, 0.99, 0.9999)), seeds)
def test_optimal_values_are_those_of_quantecon(mdp: TabularMDP, seed: int) -> None:
    reward = random_reward(mdp, seed)
    expected = quantecon(mdp, reward).solve(method="policy_iteration").v
    close(optimal(mdp, reward).state_values, expected, 1e-9)


@pytest.mark.filterwarnings("ignore:infinite horizon solution methods are disabled")
@given(mdps("none", gammas=(1.0,)), seeds)
def test_undiscounted_values_are_those_of_quantecons_backward_induction(mdp: TabularMDP, seed: int) -> None:
    reward = random_reward(mdp, seed)
    values, _ = backward_induction(quantecon(mdp, reward), mdp.num_states)
    close(optimal(mdp, reward).state_values, values[0])


@given(mdps(max_states=5, max_actions=3), seeds)
def test_optimum_is_the_best_of_all_deterministic_policies(mdp: TabularMDP, seed: int) -> None:
    reward = random_reward(mdp, seed, levels=3)  # few levels: many exact ties
    policies = list(deterministic_policies(mdp))
    values = np.array([dense_values(mdp, reward, policy) for policy in policies])
    best = values.max(axis=0)
    attained = np.abs(values - best) < 1e-9
    taken = np.array(policies) > 0
    best_actions = (attained[:, :, None] & taken).any(axis=0)
    optimum = optimal(mdp, reward)
    close(optimum.state_values, best)
    alive = ~mdp.terminal
    np.testing.assert_array_equal(optimum.optimal_actions[alive], best_actions[alive])
    assert optimum.expected_return == pytest.approx(mdp.initial @ best, abs=1e-10)


@given(mdps(max_states=30), seeds, st.sampled_from([0.0, 0.5, 1.0]))
def test_planted_values_gaps_and_ties_are_found(mdp: TabularMDP, seed: int, ties: float) -> None:
    known = known_optimum(mdp, seed, ties)
    optimum = optimal(mdp, known.reward)
    close(optimum.state_values, known.state_values)
    close(optimum.action_gaps, known.action_gaps)
    np.testing.assert_array_equal(optimum.optimal_actions, known.optimal_actions | mdp.terminal[:, None])
    several = (known.optimal_actions.sum(axis=1) > 1) & ~mdp.terminal
    np.testing.assert_array_equal(optimum.tied_states, np.flatnonzero(several))


@given(mdps(), seeds, st.sampled_from([1e-9, 1e9]))
def test_optimal_actions_do_not_depend_on_the_unit_of_reward(mdp: TabularMDP, seed: int, unit: float) -> None:
    known = known_optimum(mdp, seed)
    optimum = optimal(mdp, unit * known.reward)
    np.testing.assert_array_equal(optimum.optimal_actions, known.optimal_actions | mdp.terminal[:, None])
    close(optimum.state_values / unit, known.state_values)


@given(mdps(), seeds)
def test_what_illegal_actions_pay_changes_no_optimum(mdp: TabularMDP, seed: int) -> None:
    known = known_optimum(mdp, seed)
    tempting = np.where(mdp.action_mask, known.reward, 1e15)
    optimum = optimal(mdp, tempting)
    np.testing.assert_array_equal(optimum.optimal_actions, known.optimal_actions | mdp.terminal[:, None])
    close(optimum.state_values, known.state_values)
    close(soft(mdp, tempting, 0.1).state_values, soft(mdp, known.reward, 0.1).state_values)


@given(mdps(), seeds)
def test_uniform_choice_among_optimal_actions_is_optimal(mdp: TabularMDP, seed: int) -> None:
    known = known_optimum(mdp, seed)
    policy = optimal(mdp, known.reward).policy
    assert set(np.unique(policy[~mdp.terminal].round(12))) <= {0, *(round(1 / m, 12) for m in range(1, 5))}
    np.testing.assert_array_equal(policy[~mdp.terminal] > 0, known.optimal_actions[~mdp.terminal])
    close(evaluate(mdp, known.reward, policy).state_values, known.state_values)


@pytest.mark.parametrize(
    ("seed", "gamma"), [(79, 0.9999), (3242, 0.9999), (3670, 0.9999), (1508, 0.99999), (2330, 0.99999), (2413, 0.99999)]
)
def test_ties_that_rounding_breaks_again_and_again_come_to_an_end(
    seed: int, gamma: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Plain policy iteration swaps tied actions here for ever."""
    rounds = []

    def counted(*arguments: Any) -> Table:
        rounds.append(1)
        assert len(rounds) < 100, "policy iteration does not end"
        return evaluate_policy(*arguments)

    evaluate_policy = deterministic.functional_values
    monkeypatch.setattr(deterministic, "functional_values", counted)
    mdp = random_mdp(seed, num_states=30, branching=1, cycles="free", gamma=gamma, illegal=0, num_terminal=0)
    known = known_optimum(mdp, seed)
    close(optimal(mdp, known.reward).state_values, known.state_values, 1e-14 / (1 - gamma))


def test_a_reward_of_nothing_is_solved_under_every_regulariser() -> None:
    """Values of 0 leave nothing for a relative stopping rule to be relative to."""
    for seed in range(20):
        mdp = random_mdp(seed, num_states=20, cycles="free", gamma=0.9999)
        nothing = np.zeros((20, 3))
        for temperature in (1e-6, 1.0, 10.0):
            reference = random_policy(mdp, seed)
            close(soft(mdp, nothing, temperature, reference).state_values, 0)
            close(soft(mdp, nothing, temperature, reference).policy, reference)


# The paper's statements about the optimum


@given(mdps(), seeds, seeds)
def test_proposition_2_4_optimal_values_are_lipschitz_in_the_reward(mdp: TabularMDP, first: int, second: int) -> None:
    one, other = random_reward(mdp, first), random_reward(mdp, second)
    horizon = mdp.effective_horizon if mdp.gamma < 1 or mdp.is_acyclic else longest_expected_trace(mdp)
    bound = np.abs(one - other).max() * horizon
    moved = np.abs(optimal(mdp, one).q_values - optimal(mdp, other).q_values)[mdp.action_mask].max()
    assert moved <= bound + 1e-12


def longest_expected_trace(mdp: TabularMDP) -> float:
    """The largest expected number of steps of any policy: what stands for 1/(1 - gamma) at gamma = 1."""
    every_step = np.where(mdp.terminal[:, None], 0.0, np.ones((mdp.num_states, mdp.num_actions)))
    return max(1.0, optimal(mdp, every_step).q_values[mdp.action_mask].max())


@given(mdps("none", "free"), seeds)
def test_lemma_2_5_small_changes_of_reward_add_no_optimal_action(mdp: TabularMDP, seed: int) -> None:
    known = known_optimum(mdp, seed)
    gaps = known.action_gaps[np.isfinite(known.action_gaps) & (known.action_gaps > 0)]
    smallest = gaps.min() if gaps.size else 1.0
    change = random_perturbation(mdp, 0.499 * smallest / mdp.effective_horizon, seed)
    changed = optimal(mdp, known.reward + change)
    alive = ~mdp.terminal
    assert not (changed.optimal_actions & ~known.optimal_actions)[alive].any()


@given(mdps("none", illegal=0.0), seeds, st.floats(-6, 0).map(lambda exponent: 10.0**exponent))
def test_propositions_2_9_and_2_10_any_bump_of_a_tie_jumps(mdp: TabularMDP, seed: int, bump: float) -> None:
    before = optimal(mdp, known_optimum(mdp, seed, ties=1).reward)
    state = np.flatnonzero(~mdp.terminal)[0]
    q_values = before.q_values.copy()
    q_values[state, -1] += bump
    reward = q_values - mdp.gamma * dense_kernel(mdp) @ q_values.max(axis=1)
    after = optimal(mdp, reward)
    m = mdp.num_actions
    assert after.optimal_actions[state].tolist() == [False] * (m - 1) + [True]
    assert np.abs(reward - known_optimum(mdp, seed, ties=1).reward).max() == pytest.approx(bump, abs=1e-14)
    assert total_variation(before.policy, after.policy)[state] == pytest.approx((m - 1) / m, abs=1e-15)


# Evaluation, occupancy, components


@given(mdps(), seeds, st.booleans())
def test_evaluation_solves_the_dense_linear_system(mdp: TabularMDP, seed: int, legal: bool) -> None:
    reward, policy = random_reward(mdp, seed), random_policy(mdp, seed, legal=legal)
    values = dense_values(mdp, reward, policy)
    result = evaluate(mdp, reward, policy)
    close(result.state_values, values)
    close(result.q_values, reward + mdp.gamma * dense_kernel(mdp) @ values)
    assert result.expected_return == pytest.approx(mdp.initial @ values, abs=1e-10)


@given(mdps(gammas=(0.0, 0.5, 0.9, 1.0)), seeds, st.booleans())
def test_occupancy_is_the_sum_over_all_steps(mdp: TabularMDP, seed: int, legal: bool) -> None:
    policy = random_policy(mdp, seed, legal=legal)
    matrix = mdp.gamma * policy_matrix(mdp, policy)
    present, visits = np.where(mdp.terminal, 0, mdp.initial), np.zeros(mdp.num_states)
    for _ in range(600):
        visits += np.where(mdp.terminal, 0, present)
        present = present @ matrix
    close(occupancy(mdp, policy), visits[:, None] * policy)


@given(mdps(), seeds, st.booleans())
def test_occupancy_times_reward_is_the_return(mdp: TabularMDP, seed: int, legal: bool) -> None:
    reward, policy = random_reward(mdp, seed), random_policy(mdp, seed, legal=legal)
    total = (occupancy(mdp, policy) * reward).sum()
    assert total == pytest.approx(mdp.initial @ dense_values(mdp, reward, policy), abs=1e-10)


@given(mdps(), seeds)
def test_occupancy_sums_to_the_expected_discounted_number_of_steps(mdp: TabularMDP, seed: int) -> None:
    policy = random_policy(mdp, seed)
    one_a_step = np.where(mdp.terminal[:, None], 0.0, np.ones(policy.shape))
    steps = mdp.initial @ dense_values(mdp, one_a_step, policy)
    visits = occupancy(mdp, policy)
    assert visits.sum() == pytest.approx(steps, abs=1e-10, rel=1e-10)
    assert (visits >= 0).all()
    assert (visits[mdp.terminal] == 0).all()


@given(mdps(), seeds)
def test_expected_components_are_returns_and_linear(mdp: TabularMDP, seed: int) -> None:
    policy = random_policy(mdp, seed)
    tables = [random_reward(mdp, [seed, k]) for k in range(3)]
    components = RewardComponents(("a", "b", "c"), np.array(tables))
    values = expected_components(mdp, components, policy)
    assert list(values) == ["a", "b", "c"]
    for value, table in zip(values.values(), tables, strict=True):
        assert value == pytest.approx(mdp.initial @ dense_values(mdp, table, policy), abs=1e-10)
    weights = np.random.default_rng(seed).normal(size=3)
    whole = evaluate(mdp, components.combine(weights), policy).expected_return
    assert whole == pytest.approx(weights @ list(values.values()), abs=1e-10)


@given(mdps("ending", "free", gammas=(0.0, 0.5, 0.9, 0.99, 1.0)), seeds)
def test_iterating_agrees_with_the_dense_system(mdp: TabularMDP, seed: int) -> None:
    reward, policy = random_reward(mdp, seed), random_policy(mdp, seed)
    values, visits = evaluate(mdp, reward, policy).state_values, occupancy(mdp, policy)
    optimum, regularised = optimal(mdp, reward), soft(mdp, reward, 0.1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(linear, "DENSE_LIMIT", 0)
        close(evaluate(mdp, reward, policy).state_values, values)
        close(occupancy(mdp, policy), visits)
        close(optimal(mdp, reward).state_values, optimum.state_values)
        close(soft(mdp, reward, 0.1).state_values, regularised.state_values)


def test_iterating_that_does_not_settle_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    mdp = random_mdp(0, cycles="ending", gamma=1.0)
    monkeypatch.setattr(linear, "DENSE_LIMIT", 0)
    monkeypatch.setattr(linear, "_MAX_SWEEPS", 3)
    with pytest.raises(ArithmeticError, match="must settle within 3 sweeps"):
        occupancy(mdp, uniform_policy(mdp))


# Regularised optimum


@given(mdps(), seeds, temperatures, st.booleans())
def test_soft_values_satisfy_the_soft_bellman_equation(
    mdp: TabularMDP, seed: int, temperature: float, with_reference: bool
) -> None:
    reward = random_reward(mdp, seed)
    reference = random_policy(mdp, seed, legal=False) if with_reference else None
    solution = soft(mdp, reward, temperature, reference)
    q_values = reward + mdp.gamma * dense_kernel(mdp) @ solution.state_values
    weights = mdp.action_mask if reference is None else reference * mdp.action_mask
    peak = np.where(weights > 0, q_values, -np.inf).max(axis=1)
    powers = weights * np.exp((np.where(weights > 0, q_values, peak[:, None]) - peak[:, None]) / temperature)
    expected = np.where(mdp.terminal, 0, peak + temperature * np.log(powers.sum(axis=1)))
    scale = max(1.0, float(np.abs(expected).max()))
    assert np.abs(solution.state_values - expected).max() < 1e-10 * scale
    close(solution.q_values, q_values)
    alive = ~mdp.terminal
    assert np.abs(solution.policy - powers / powers.sum(axis=1, keepdims=True))[alive].max() < 1e-7
    assert (solution.policy[~mdp.action_mask] == 0).all()
    close(solution.policy.sum(axis=1), 1)


@given(mdps(), seeds, temperatures, st.booleans())
def test_no_policy_beats_the_soft_policy(mdp: TabularMDP, seed: int, temperature: float, with_reference: bool) -> None:
    reward = random_reward(mdp, seed)
    reference = random_policy(mdp, [seed, 0], legal=False) if with_reference else None
    solution = soft(mdp, reward, temperature, reference)
    scale = max(1.0, float(np.abs(solution.state_values).max()))
    own = regularised_values(mdp, reward, solution.policy, temperature, reference)
    close(own / scale, solution.state_values / scale)
    assert solution.soft_return == pytest.approx(mdp.initial @ own, abs=1e-9 * scale)
    for trial in range(5):
        rival = random_policy(mdp, [seed, trial])
        nudged = 0.99 * solution.policy + 0.01 * rival
        for policy in (rival, nudged, optimal(mdp, reward).policy):
            values = regularised_values(mdp, reward, policy, temperature, reference)
            assert (values <= solution.state_values + 1e-10 * scale).all()


@given(mdps(), seeds, temperatures)
def test_soft_reports_the_plain_return_of_its_policy(mdp: TabularMDP, seed: int, temperature: float) -> None:
    reward = random_reward(mdp, seed)
    solution = soft(mdp, reward, temperature)
    plain = mdp.initial @ dense_values(mdp, reward, solution.policy)
    assert solution.expected_return == pytest.approx(plain, abs=1e-9)
    assert solution.temperature == temperature


@given(mdps(gammas=(0.0, 0.5, 0.9, 1.0)), seeds)
def test_soft_tends_to_optimal_as_the_temperature_falls(mdp: TabularMDP, seed: int) -> None:
    known = known_optimum(mdp, seed)
    solution = soft(mdp, known.reward, 1e-6)
    close(solution.state_values, known.state_values, 1e-4)
    assert (solution.policy[~known.optimal_actions] < 1e-100).all()


@pytest.mark.parametrize("level", [0.0, 1024.0, -(2.0**30)])
def test_soft_choices_depend_on_differences_alone_however_large_the_values(level: float) -> None:
    """The rewards and their difference are exact in binary, so no digit of the choice may be lost."""
    once = TabularMDP([[[1], [1]], [[1], [1]]], np.ones((2, 2, 1)), [1, 0], [False, True], 1.0)  # type: ignore[arg-type]
    policy = soft(once, [[level, level + 2**-20], [0, 0]], 1e-6).policy
    assert policy[0, 1] == pytest.approx(1 / (1 + np.exp(-(2**-20) / 1e-6)), abs=1e-15)


@given(mdps(), seeds, temperatures)
def test_kl_to_the_uniform_policy_is_entropy_less_a_constant_for_each_step(
    mdp: TabularMDP, seed: int, temperature: float
) -> None:
    reward = random_reward(mdp, seed)
    each_step = temperature * np.log(mdp.action_mask.sum(axis=1, keepdims=True))
    penalised = soft(mdp, reward, temperature, uniform_policy(mdp))
    shifted = soft(mdp, np.where(mdp.terminal[:, None], 0, reward - each_step), temperature)
    scale = max(1.0, float(np.abs(shifted.state_values).max()))
    close(penalised.state_values / scale, shifted.state_values / scale)
    assert total_variation(penalised.policy, shifted.policy).max() < 1e-7


@given(mdps(), seeds, temperatures)
def test_softness_costs_no_more_than_the_entropy_it_can_buy(mdp: TabularMDP, seed: int, temperature: float) -> None:
    reward = random_reward(mdp, seed)
    horizon = mdp.effective_horizon if mdp.gamma < 1 or mdp.is_acyclic else longest_expected_trace(mdp)
    cost = optimal(mdp, reward).expected_return - soft(mdp, reward, temperature).expected_return
    assert -1e-9 <= cost <= temperature * np.log(mdp.num_actions) * horizon + 1e-9


@given(mdps("none", "free"), seeds, temperatures, st.booleans())
def test_proposition_4_7_and_the_sharp_law_bound_the_soft_policys_move(
    mdp: TabularMDP, seed: int, temperature: float, with_reference: bool
) -> None:
    reward = random_reward(mdp, seed)
    change = random_perturbation(mdp, temperature, [seed, 1])
    reference = random_policy(mdp, seed) if with_reference else None
    before, after = (soft(mdp, table, temperature, reference) for table in (reward, reward + change))
    moved = total_variation(before.policy, after.policy)[~mdp.terminal].max()
    q_change = np.abs(before.q_values - after.q_values)[mdp.action_mask].max()
    # Rounding of q-values is magnified by the temperature.
    rounding = 1e-9 + 1e-14 * float(np.abs(before.q_values[mdp.action_mask]).max()) / temperature
    assert moved <= np.tanh(q_change / (2 * temperature)) + rounding
    assert moved <= temperature * mdp.effective_horizon / (2 * temperature) + rounding
    assert q_change <= temperature * mdp.effective_horizon * (1 + 1e-9) + rounding


@pytest.mark.parametrize("gamma", [0.0, 0.5, 0.9])
@pytest.mark.parametrize("temperature", [0.1, 1.0])
@pytest.mark.parametrize("size", [1e-3, 0.1])
def test_proposition_4_7_is_tight(gamma: float, temperature: float, size: float) -> None:
    """Two absorbing states, one paid half the change more and one as much less, then the other way round."""
    fork = TabularMDP([[[1], [2]], [[1], [1]], [[2], [2]]], np.ones((3, 2, 1)), [1, 0, 0], [False] * 3, gamma)  # type: ignore[arg-type]
    reward = size / 2 * np.array([[1, -1], [1, 1], [-1, -1]])
    one, other = (soft(fork, table, temperature).policy for table in (reward, -reward))
    assert np.abs(reward - -reward).max() == size
    expected = np.tanh(size / (2 * temperature * (1 - gamma)))
    assert total_variation(one, other)[0] == pytest.approx(expected, abs=1e-12)


# The limits of the temperature: theory.md, fact 5


@pytest.mark.parametrize("gamma", [0.0, 0.5, 0.9, 1.0])
@pytest.mark.parametrize("temperature", [1e-6, 1e-2, 1.0])
def test_soft_weighs_tied_actions_by_their_continuations(gamma: float, temperature: float) -> None:
    """State 0 leads to state 1 with eight tied actions or to state 2 with one; everything then pays 1."""
    successors = np.full((4, 8, 1), 3)
    successors[0, :2, 0] = 1, 2
    legal = np.ones((4, 8), bool)
    legal[0, 2:] = legal[2, 1:] = False
    mdp = TabularMDP(successors, np.ones((4, 8, 1)), np.eye(4)[0], np.eye(4)[3] > 0, gamma, legal)
    reward = np.zeros((4, 8))
    reward[1:3] = 1
    policy = soft(mdp, reward, temperature).policy
    assert policy[0, 0] == pytest.approx(8**gamma / (1 + 8**gamma), abs=1e-9)
    assert optimal(mdp, reward).policy[0, 0] == 0.5


@given(mdps("none", gammas=(1.0,), max_states=7), seeds)
@settings(max_examples=30)
def test_kl_tends_to_the_reference_conditioned_on_being_optimal(mdp: TabularMDP, seed: int) -> None:
    deterministic = TabularMDP(
        mdp.successors[:, :, :1], np.ones_like(mdp.probabilities[:, :, :1]), mdp.initial, mdp.terminal, 1.0
    )
    known = known_optimum(deterministic, seed)
    reference = random_policy(deterministic, seed)
    policy = soft(deterministic, known.reward, 1e-6, reference).policy

    def chance_of_optimal(state: int) -> float:
        """Probability that the reference takes none but optimal actions from here on."""
        if deterministic.terminal[state]:
            return 1.0
        return sum(chance_by_action(state).values())

    def chance_by_action(state: int) -> dict[int, float]:
        return {
            action: reference[state, action] * chance_of_optimal(int(deterministic.successors[state, action, 0]))
            for action in np.flatnonzero(known.optimal_actions[state]).tolist()
        }

    for state in np.flatnonzero(~mdp.terminal).tolist():
        for action, chance in chance_by_action(state).items():
            # Values are exact to 1e-16, hence logits at this temperature to 1e-10.
            assert policy[state, action] == pytest.approx(chance / chance_of_optimal(state), abs=1e-8)


# Total variation


@given(st.integers(1, 6), seeds)
def test_total_variation_is_a_distance_between_distributions(num_actions: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    p, q, r = rng.dirichlet(np.ones(num_actions), size=(3, 4))
    distance = total_variation(p, q)
    assert ((distance >= 0) & (distance <= 1 + 1e-15)).all()
    assert (total_variation(p, p) == 0).all()
    np.testing.assert_array_equal(distance, total_variation(q, p))
    assert (distance <= total_variation(p, r) + total_variation(r, q) + 1e-15).all()
    events = np.array(np.meshgrid(*[[0, 1]] * num_actions)).reshape(num_actions, -1)
    close(distance, np.abs((p - q) @ events).max(axis=1), 1e-14)


def test_total_variation_of_disjoint_policies_is_one() -> None:
    assert total_variation([[1, 0, 0]], [[0, 0.5, 0.5]]).tolist() == [1.0]


def test_rows_of_a_single_precision_policy_are_renormalised() -> None:
    mdp = random_mdp(1, num_actions=4)
    reward, policy = random_reward(mdp, 1), random_policy(mdp, 1)
    rough = policy * np.random.default_rng(1).uniform(1 - 9e-7, 1 + 9e-7, size=(mdp.num_states, 1))
    close(evaluate(mdp, reward, rough).state_values, dense_values(mdp, reward, policy), 1e-14)
    close(occupancy(mdp, rough), occupancy(mdp, policy), 1e-14)
    assert occupancy(mdp, policy.astype(np.float32)).sum() == pytest.approx(occupancy(mdp, policy).sum(), rel=1e-6)


@pytest.mark.parametrize("gamma", [0.999, 0.9999, 0.99999, 0.999999])
def test_exact_ties_are_found_however_close_gamma_is_to_1(gamma: float) -> None:
    """A choice between two copies of one MDP whose states are numbered in another order: an exact tie."""
    size, rng = 20, np.random.default_rng(7)
    for _ in range(10):
        kernel, pay = rng.dirichlet(np.ones(size), size=size), rng.normal(size=size)
        order = rng.permutation(size)
        transition = np.zeros((1 + 2 * size, 2, 1 + 2 * size))
        reward = np.zeros((1 + 2 * size, 2))
        for copy, numbers in enumerate((np.arange(size), order)):
            place = 1 + copy * size + numbers  # where this copy keeps each state
            transition[place[:, None, None], np.arange(2)[:, None], place] = kernel[:, None, :]
            reward[place] = pay[:, None]
            transition[0, copy, place[0]] = 1.0
        mdp = TabularMDP.from_dense(transition, np.eye(1 + 2 * size)[0], np.zeros(1 + 2 * size, bool), gamma)
        assert optimal(mdp, reward).optimal_actions[0].all()


def test_values_that_overflow_are_refused() -> None:
    mdp = random_mdp(0, cycles="none", gamma=1.0)
    reward = np.where(mdp.terminal[:, None], 0.0, 1.7e308 * np.ones((mdp.num_states, mdp.num_actions)))
    with np.errstate(over="ignore", invalid="ignore"), pytest.raises(ValueError, match="reward must be small enough"):
        optimal(mdp, reward)
