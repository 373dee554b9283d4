"""Policies that answer their own plain action values softly: closed forms, recursion, and gradients that vanish."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

import cliffgym
from cliffgym import TabularMDP, evaluate, occupancy, optimal, quantal_response, soft, uniform_policy
from cliffgym.testing import known_optimum, random_mdp, random_policy, random_reward

Table = NDArray[Any]
seeds = st.integers(0, 2**32 - 1)
temperatures = st.sampled_from([1e-6, 0.01, 0.3, 1.0, 20.0])
booleans = st.booleans()


@st.composite
def mdps(draw: st.DrawFn) -> TabularMDP:
    return random_mdp(
        draw(seeds),
        num_states=draw(st.integers(2, 9)),
        num_actions=draw(st.integers(1, 4)),
        branching=draw(st.integers(1, 3)),
        gamma=draw(st.sampled_from([0.0, 0.5, 0.9, 1.0])),
        illegal=draw(st.sampled_from([0.0, 0.3])),
    )


def sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x))


def two_steps(gamma: float) -> TabularMDP:
    """Action 0 of state 0 leads to state 1; everything else ends."""
    successors = np.array([[[1], [2]], [[2], [2]], [[2], [2]]])
    return TabularMDP(successors, np.ones((3, 2, 1)), np.eye(3)[0], np.eye(3)[2] > 0, gamma)


# Closed forms


@pytest.mark.parametrize("gamma", [0.0, 0.9, 1.0])
@pytest.mark.parametrize("temperature", [0.05, 0.5, 3.0])
def test_two_steps_by_hand(gamma: float, temperature: float) -> None:
    """Ending at once pays 0.7; going on and then choosing well pays 1, choosing badly 0.2."""
    reward = np.array([[0, 0.7], [1, 0.2], [0, 0]])
    found = quantal_response(two_steps(gamma), reward, temperature)
    well = sigmoid(0.8 / temperature)
    later = well * 1 + (1 - well) * 0.2  # plain: no entropy is added to it
    on = sigmoid((gamma * later - 0.7) / temperature)
    np.testing.assert_allclose(found.policy[:2], [[on, 1 - on], [well, 1 - well]], atol=1e-15)
    np.testing.assert_allclose(found.q_values[:2], [[gamma * later, 0.7], [1, 0.2]], rtol=1e-13)
    value = on * gamma * later + (1 - on) * 0.7
    np.testing.assert_allclose(found.state_values, [value, later, 0], rtol=1e-13)
    assert found.expected_return == pytest.approx(value, rel=1e-13)
    assert found.temperature == temperature


def test_two_steps_with_a_penalty_by_hand() -> None:
    reward, reference = np.array([[0, 0.7], [1, 0.2], [0, 0]]), [[0.9, 0.1], [0.25, 0.75], [1, 0]]
    found = quantal_response(two_steps(1.0), reward, 0.5, reference)
    well = 0.25 * math.exp(1 / 0.5) / (0.25 * math.exp(1 / 0.5) + 0.75 * math.exp(0.2 / 0.5))
    later = well + (1 - well) * 0.2
    on = 0.9 * math.exp(later / 0.5) / (0.9 * math.exp(later / 0.5) + 0.1 * math.exp(0.7 / 0.5))
    np.testing.assert_allclose(found.policy[:2, 0], [on, well], rtol=1e-13)


def fork(gamma: float) -> tuple[TabularMDP, Table]:
    """State 0 leads to state 1 with eight tied actions or to state 2 with one; everything then pays 1."""
    successors = np.full((4, 8, 1), 3)
    successors[0, :2, 0] = 1, 2
    legal = np.ones((4, 8), bool)
    legal[0, 2:] = legal[2, 1:] = False
    reward = np.zeros((4, 8))
    reward[1:3] = 1
    return TabularMDP(successors, np.ones((4, 8, 1)), np.eye(4)[0], np.eye(4)[3] > 0, gamma, legal), reward


@pytest.mark.parametrize("gamma", [0.5, 1.0])
@pytest.mark.parametrize("temperature", [1e-6, 0.1, 1.0])
def test_entropy_to_come_is_worth_nothing(gamma: float, temperature: float) -> None:
    mdp, reward = fork(gamma)
    assert quantal_response(mdp, reward, temperature).policy[0, 0] == pytest.approx(0.5, abs=1e-12)
    assert soft(mdp, reward, temperature).policy[0, 0] == pytest.approx(8**gamma / (1 + 8**gamma), abs=1e-9)


def test_an_agent_that_knows_no_masks_spreads_over_illegal_tokens() -> None:
    """TieBreaker has 3 answers and then 4 formats, of which one is paid the bonus; other tokens end a trace unpaid."""
    bonus, temperature = 0.1, 0.5
    breaker = cliffgym.scenario("Cliff-TieBreaker-v0", bonus=bonus)
    found = quantal_response(breaker.mdp, breaker.reward("true"), temperature, masked=False)

    def formats(paid: float) -> tuple[float, list[float]]:
        """The plain value of choosing a format after an answer that is paid so much, and the chances of all tokens."""
        worth = [0, 0, 0, paid, paid, paid + bonus, paid]
        weights = [math.exp(w / temperature) for w in worth]
        chances = [w / sum(weights) for w in weights]
        return sum(p * w for p, w in zip(chances, worth, strict=True)), chances

    (right, after_right), (wrong, after_wrong) = formats(1.0), formats(0.0)
    weights = [math.exp(v / temperature) for v in (right, wrong, wrong, 0, 0, 0, 0)]
    answers = [w / sum(weights) for w in weights]
    successors = breaker.mdp.successors[:, :, 0]
    assert breaker.prompt_states.size == 4
    for problem, start in enumerate(breaker.prompt_states.tolist()):
        order = [*np.roll(np.arange(3), -(problem % 3)).tolist(), 3, 4, 5, 6]  # the right answer first
        np.testing.assert_allclose(found.policy[start, order], answers, rtol=1e-12)
        for place, expected in ((0, after_right), (1, after_wrong), (2, after_wrong)):
            np.testing.assert_allclose(found.policy[successors[start, order[place]]], expected, rtol=1e-12)
    illegal = occupancy(breaker.mdp, found.policy)[~breaker.mdp.action_mask].sum()
    lost = sum(answers[3:]) + answers[0] * sum(after_right[:3]) + 2 * answers[1] * sum(after_wrong[:3])
    assert illegal == pytest.approx(lost, rel=1e-12)
    assert illegal > 0.3
    assert found.expected_return == pytest.approx(answers[0] * right + 2 * answers[1] * wrong, rel=1e-12)


# Against `soft`


@pytest.mark.parametrize("temperature", [1e-6, 0.05, 1.0])
@pytest.mark.parametrize("with_reference", [False, True])
def test_one_decision_is_answered_as_the_soft_optimum_does(temperature: float, with_reference: bool) -> None:
    models = cliffgym.scenario("Cliff-MultiReward-v0")
    reference = random_policy(models.mdp, 3) if with_reference else None
    for name in models.rewards:
        found = quantal_response(models.mdp, models.reward(name), temperature, reference)
        expected = soft(models.mdp, models.reward(name), temperature, reference)
        np.testing.assert_allclose(found.policy, expected.policy, rtol=1e-13)
        assert found.expected_return == pytest.approx(expected.expected_return, rel=1e-13)


@pytest.mark.parametrize("id", [id for id in cliffgym.SCENARIOS if id != "Cliff-Garnet-v0"])  # which has cycles
def test_earlier_decisions_differ_where_they_change_how_much_choice_is_left(id: str) -> None:
    scenario = cliffgym.scenario(id)
    found = quantal_response(scenario.mdp, scenario.reward("true"), 0.3)
    differ = np.abs(found.policy - soft(scenario.mdp, scenario.reward("true"), 0.3).policy).max(axis=1)
    assert differ[scenario.mdp.heights == 1].max() < 1e-14
    even = {"TieBreaker", "Sophistry", "Deception", "MultiReward"}  # every way leaves as much choice as any other
    if scenario.id.split("-")[1] in even:
        assert differ.max() < 1e-14
    else:
        assert differ.max() > 1e-3


@given(mdps(), seeds, temperatures)
def test_a_penalty_towards_the_uniform_policy_is_a_bonus_for_entropy(
    mdp: TabularMDP, seed: int, temperature: float
) -> None:
    """For `soft` it is not: there the penalty of later steps, a constant for each, depends on how many come."""
    reward = random_reward(mdp, seed)
    everything = np.full(reward.shape, 1 / mdp.num_actions)
    for masked, reference in ((True, uniform_policy(mdp)), (False, everything)):
        plain = quantal_response(mdp, reward, temperature, masked=masked).policy
        penalised = quantal_response(mdp, reward, temperature, reference, masked=masked).policy
        np.testing.assert_allclose(penalised, plain, atol=1e-8)


# Against recursion and gradients


def by_recursion(
    mdp: TabularMDP, reward: Table, temperature: float, reference: Table | None, masked: bool
) -> tuple[dict[int, list[float]], dict[int, float]]:
    """Policy and values by state, from the definition, one number at a time."""
    policy: dict[int, list[float]] = {}
    values: dict[int, float] = {}

    def value(state: int) -> float:
        if mdp.terminal[state]:
            return 0.0
        if state not in values:
            worth, weights = [], []
            for action in range(mdp.num_actions):
                chances, following = mdp.probabilities[state, action].tolist(), mdp.successors[state, action].tolist()
                later = sum(p * value(s) for p, s in zip(chances, following, strict=True) if p > 0)
                worth.append(float(reward[state, action]) + mdp.gamma * later)
                allowed = bool(mdp.action_mask[state, action]) or not masked
                weights.append(allowed * (1.0 if reference is None else float(reference[state, action])))
            best = max(q for q, w in zip(worth, weights, strict=True) if w > 0)
            powers = [w and w * math.exp((q - best) / temperature) for q, w in zip(worth, weights, strict=True)]
            policy[state] = [power / sum(powers) for power in powers]
            values[state] = sum(p * q for p, q in zip(policy[state], worth, strict=True))
        return values[state]

    for state in range(mdp.num_states):
        value(state)
    return policy, values


@given(mdps(), seeds, temperatures, booleans, booleans)
def test_the_policy_is_the_one_that_recursion_finds(
    mdp: TabularMDP, seed: int, temperature: float, with_reference: bool, masked: bool
) -> None:
    reward = random_reward(mdp, seed, levels=None if seed % 2 else 3)
    reference = random_policy(mdp, [seed, 1], legal=masked) if with_reference else None
    found = quantal_response(mdp, reward, temperature, reference, masked=masked)
    policy, values = by_recursion(mdp, reward, temperature, reference, masked)
    for state in range(mdp.num_states):
        if state in policy:
            # Values are exact to 1e-15 or so, which the temperature divides.
            np.testing.assert_allclose(found.policy[state], policy[state], atol=1e-12 + 1e-14 / temperature)
            assert found.state_values[state] == pytest.approx(values[state], abs=1e-12 + 1e-14 / temperature)
        else:
            assert found.state_values[state] == 0
    np.testing.assert_allclose(found.policy.sum(axis=1), 1, rtol=1e-14)
    if masked:
        assert (found.policy[~mdp.action_mask] == 0).all()


@given(mdps(), seeds, temperatures, booleans)
def test_values_are_what_evaluation_says_of_the_policy(
    mdp: TabularMDP, seed: int, temperature: float, masked: bool
) -> None:
    reward = random_reward(mdp, seed)
    found = quantal_response(mdp, reward, temperature, masked=masked)
    told = evaluate(mdp, reward, found.policy)
    np.testing.assert_allclose(found.state_values, told.state_values, atol=1e-13)
    np.testing.assert_allclose(found.q_values, told.q_values, atol=1e-13)
    assert found.expected_return == pytest.approx(told.expected_return, abs=1e-13)


@given(mdps(), seeds, st.sampled_from([0.1, 0.5, 2.0]), booleans, booleans)
def test_the_policy_gradient_with_its_bonus_vanishes(
    mdp: TabularMDP, seed: int, temperature: float, with_reference: bool, masked: bool
) -> None:
    """Central differences in one logit: of the plain return, and of the state's own bonus where it is visited."""
    reward = random_reward(mdp, seed)
    reference = random_policy(mdp, [seed, 1], legal=masked) if with_reference else None
    found = quantal_response(mdp, reward, temperature, reference, masked=masked)
    allowed = mdp.action_mask if masked else np.ones_like(mdp.action_mask)
    visits = occupancy(mdp, found.policy).sum(axis=1)
    prior = np.ones(reward.shape) if reference is None else reference
    small = 1e-5

    def objective(state: int, action: int, change: float) -> float:
        policy = found.policy.copy()
        policy[state, action] *= math.exp(change)
        policy[state] /= policy[state].sum()
        p, b = policy[state][policy[state] > 0], prior[state][policy[state] > 0]
        bonus = float(-(p * np.log(p / b)).sum())  # entropy, or minus the KL divergence
        return evaluate(mdp, reward, policy).expected_return + temperature * visits[state] * bonus

    for state in np.flatnonzero(~mdp.terminal).tolist():
        for action in np.flatnonzero(allowed[state]).tolist():
            slope = (objective(state, action, small) - objective(state, action, -small)) / (2 * small)
            assert abs(slope) < 1e-8


# Limits


@given(mdps(), seeds, booleans)
def test_as_the_temperature_falls_tied_actions_stay_equally_likely(mdp: TabularMDP, seed: int, legal: bool) -> None:
    """Or as likely as the reference has them: unlike `soft`, not by how many optimal continuations they have."""
    known = known_optimum(mdp, seed)
    policy = quantal_response(mdp, known.reward, 1e-6).policy
    alive = ~mdp.terminal
    np.testing.assert_allclose(policy[alive], optimal(mdp, known.reward).policy[alive], atol=1e-8)
    reference = random_policy(mdp, [seed, 1], legal=legal)
    expected = reference * known.optimal_actions
    expected /= expected.sum(axis=1, keepdims=True)
    policy = quantal_response(mdp, known.reward, 1e-6, reference).policy
    np.testing.assert_allclose(policy[alive], expected[alive], atol=1e-8)


@given(mdps(), seeds)
def test_as_the_temperature_rises_nothing_but_the_reference_is_left(mdp: TabularMDP, seed: int) -> None:
    reward, reference = random_reward(mdp, seed), random_policy(mdp, [seed, 1])
    alive = ~mdp.terminal
    np.testing.assert_allclose(quantal_response(mdp, reward, 1e9, reference).policy, reference, atol=1e-7)
    hot = quantal_response(mdp, reward, 1e9).policy
    np.testing.assert_allclose(hot[alive], uniform_policy(mdp)[alive], atol=1e-7)
    everywhere = quantal_response(mdp, reward, 1e9, masked=False).policy
    np.testing.assert_allclose(everywhere, 1 / mdp.num_actions, atol=1e-7)


@pytest.mark.parametrize("level", [0.0, 1024.0, -(2.0**30)])
def test_choices_depend_on_differences_alone_however_large_the_values(level: float) -> None:
    reward = np.array([[0, level + 2**-20], [level, level - 2.0], [0, 0]])
    policy = quantal_response(two_steps(1.0), reward, 1e-6).policy
    assert policy[0, 1] == pytest.approx(sigmoid(2**-20 / 1e-6), abs=1e-14)
    assert policy[1].tolist() == [1, 0]


@pytest.mark.parametrize("temperature", [1e-6, 0.1])
@pytest.mark.parametrize("masked", [True, False])
def test_a_hundred_thousand_states(temperature: float, masked: bool) -> None:
    mdp = random_mdp(5, num_states=100_000, num_actions=4, gamma=0.95)
    found = quantal_response(mdp, random_reward(mdp, 7), temperature, masked=masked)
    told = evaluate(mdp, random_reward(mdp, 7), found.policy)
    np.testing.assert_allclose(found.state_values, told.state_values, atol=1e-12)
    allowed = mdp.action_mask if masked else np.ones_like(mdp.action_mask)
    behind = np.where(allowed, found.q_values, -np.inf)
    behind -= behind.max(axis=1, keepdims=True)
    expected = np.exp(behind / temperature)
    np.testing.assert_allclose(found.policy, expected / expected.sum(axis=1, keepdims=True), rtol=1e-9, atol=1e-300)


# Input


def test_with_a_cycle_there_may_be_several_such_policies_so_it_is_refused() -> None:
    """Action 0 stays and pays 0.2 more than action 1, which ends, is worth: values 0 of the state solve V = p D."""
    gamma = 0.98
    mdp = TabularMDP(
        np.array([[[0], [1]], [[1], [1]]]), np.ones((2, 2, 1)), np.array([1.0, 0]), np.array([False, True]), gamma
    )
    reward = np.array([[0.2, 0.0], [0, 0]])

    def unbalanced(ahead: float) -> float:
        """How far staying is ahead of ending under the policy that takes it to be so much ahead, and not so."""
        p = sigmoid(ahead)
        q_values = evaluate(mdp, reward, [[p, 1 - p], [0.5, 0.5]]).q_values[0]
        return float(q_values[0] - q_values[1]) - ahead

    signs = [math.copysign(1, unbalanced(ahead)) for ahead in (0, 1, 4, 20)]
    assert signs == [1, -1, 1, -1], "there are three policies at temperature 1"
    with pytest.raises(ValueError, match=r"mdp must be acyclic, .* got a cycle that can be reached from state 0$"):
        quantal_response(mdp, reward, 1.0)


def test_bad_input_is_refused() -> None:
    mdp, reward = two_steps(1.0), np.zeros((3, 2))
    for temperature in (0, -1.0):
        with pytest.raises(ValueError, match=r"temperature must be > 0, got -?\d"):
            quantal_response(mdp, reward, temperature)
    with pytest.raises(TypeError, match="temperature must be a number, got '1'"):
        quantal_response(mdp, reward, "1")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"reward must have shape \(S, A\) = \(3, 2\), got \(2, 2\)"):
        quantal_response(mdp, reward[:2], 1.0)
    with pytest.raises(ValueError, match="reward must be 0 at terminal states"):
        quantal_response(mdp, reward + 1, 1.0)
    with pytest.raises(TypeError, match="masked must be True or False, got 1 of type int"):
        quantal_response(mdp, reward, 1.0, masked=1)  # type: ignore[arg-type]
    for masked in (True, False):
        with pytest.raises(ValueError, match=r"reference must sum to 1 in each state, got 2.0 at state 0"):
            quantal_response(mdp, reward, 1.0, np.ones((3, 2)), masked=masked)
    huge = np.array([[1.7e308, 1.7e308], [1.7e308, 1.7e308], [0, 0]])
    with np.errstate(over="ignore", invalid="ignore"), pytest.raises(ValueError, match="reward must be small enough"):
        quantal_response(mdp, huge, 1.0)


def test_a_reference_may_leave_legal_actions_out_only_where_illegal_ones_count() -> None:
    legal = np.array([[True, False], [True, True], [True, True]])
    steps = two_steps(1.0)
    mdp = TabularMDP(steps.successors, steps.probabilities, steps.initial, steps.terminal, 1.0, legal)
    reference = np.array([[0.0, 1.0], [0.5, 0.5], [0.5, 0.5]])
    with pytest.raises(ValueError, match=r"reference must give some legal action probability > 0 .* at state 0"):
        quantal_response(mdp, np.zeros((3, 2)), 1.0, reference)
    assert quantal_response(mdp, np.zeros((3, 2)), 1.0, reference, masked=False).policy[0].tolist() == [0, 1]


def test_results_cannot_be_changed_by_accident() -> None:
    found = quantal_response(two_steps(1.0), np.zeros((3, 2)), 1.0)
    for table in (found.policy, found.state_values, found.q_values):
        assert not table.flags.writeable
