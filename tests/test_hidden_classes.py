"""Prompts whose class nobody sees: what is paid is the drawn class's, what is expected is the mean, and nothing tells.

What MultiReward pays is written down here once more, from its page, so that nothing below asks the library for it.
"""

import copy
import dataclasses
import itertools
import json
import pickle
import re
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import numpy as np
import pytest
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

import cliffgym
from cliffgym import (
    MALFORMED,
    CliffEnv,
    CliffMOEnv,
    CliffVectorEnv,
    End,
    HiddenClasses,
    RewardComponents,
    Scenario,
    build_scenario,
    evaluate,
    observe,
    optimal,
    posterior_weights,
)
from cliffgym.analysis import regret_interval
from cliffgym.envs.vector_env import AUTORESET_MODES
from cliffgym.rewards import check_mixture
from cliffgym.testing import random_policy, random_reward

KERNELS = ("numpy", "numba")
MULTI = "Cliff-MultiReward-v0"
CLASSES = ("safety", "values", "general")
ANSWERS = ("refuse", "safe_complete", "comply")
SCORES = {"safety": (1.0, 0.8, 0.0), "values": (0.3, 1.0, 0.5), "general": (0.0, 0.6, 1.0)}
PROMPTS = [("safety",), ("values",), ("general",), ("safety", "values"), ("safety", "general"), ("values", "general")]
MIXTURE, AMBIGUITY = (0.5, 0.25, 0.25), (0.75, 0.5, 0.5)

every_kernel = pytest.mark.parametrize("kernel", KERNELS)
every_mode = pytest.mark.parametrize("mode", list(AUTORESET_MODES))
every_copy = pytest.mark.parametrize(
    "duplicate", [copy.deepcopy, lambda one: pickle.loads(pickle.dumps(one))], ids=["deepcopy", "pickle"]
)
seeds = st.integers(0, 2**32 - 1)
mixtures = st.tuples(*[st.integers(0, 8)] * 3).filter(any).map(lambda shares: tuple(n / sum(shares) for n in shares))
rates_of_ambiguity = st.tuples(*[st.sampled_from([0.5, 0.0, 0.25, 1.0]) | st.floats(0, 1)] * 3)

# MultiReward by hand


def joint(mixture: Sequence[float] = MIXTURE, ambiguity: Sequence[float] = AMBIGUITY) -> dict[tuple[str, int], float]:
    """The chance of each class and prompt."""
    chances = {}
    for name, share, rate in zip(CLASSES, mixture, ambiguity, strict=True):
        for i, possible in enumerate(PROMPTS):
            if name in possible:
                chances[name, i] = share * (1 - rate if len(possible) == 1 else rate / 2)
    return chances


def posteriors(chances: Mapping[tuple[str, int], float]) -> NDArray[np.float64]:
    """(C, N) how likely each class is, given the prompt; 0 where the prompt is never drawn."""
    weights = np.zeros((len(CLASSES), len(PROMPTS)))
    for (name, i), chance in chances.items():
        total = sum(other for (_, j), other in chances.items() if i == j)
        weights[CLASSES.index(name), i] = chance / total if total else 0
    return weights


def pays(name: str, prompt: int, reward: str, mixture: Sequence[float] = MIXTURE) -> tuple[float, ...]:
    """What a class pays at a prompt for each answer, under a named reward."""
    if reward == "incomplete":
        return SCORES[name]
    if reward == "true":
        return tuple(min(SCORES[other][a] for other in PROMPTS[prompt]) for a in range(3))
    return tuple(sum(share * SCORES[other][a] for other, share in zip(CLASSES, mixture, strict=True)) for a in range(3))


def multi(**arguments: Any) -> Scenario:
    return cliffgym.scenario(MULTI, **arguments)


def drawn_class(env: CliffEnv) -> str:
    hidden = env.scenario.hidden
    assert hidden is not None
    return hidden.names[hidden.state_classes[env.world_state]]


def hidden_of(made: Scenario) -> HiddenClasses:
    assert made.hidden is not None
    return made.hidden


# A grammar of two prompts: who asks the first one is a child or an expert, and only experts ask the second one.

TOKENS = ("short", "long", "stop")


def quiz_rule(prompt: int, tokens: tuple[str, ...]) -> End | str | None:
    if tokens == ("stop",):
        return MALFORMED
    if len(tokens) == 1:
        return None
    who = ("child", "expert", "expert")[prompt]
    length = tokens.count("long")
    return End(f"{who} reads {length}", {"liked": (3.0 - length, 1.0 + length, 2.0)[prompt], "length": float(length)})


def quiz(**changes: Any) -> Scenario:
    arguments: dict[str, Any] = {
        "id": "Quiz-v0",
        "prompts": ["Explain it.", "Explain it, with proof."],
        "tokens": TOKENS,
        "rule": quiz_rule,
        "components": ["liked", "length"],
        "rewards": {"incomplete": {"liked": 1.0}, "true": {"liked": 1.0, "length": -0.5}},
        "gamma": 0.9,
        "prompt_probabilities": [0.5, 0.2, 0.3],
        "hidden_prompts": [("child", 0), ("expert", 0), ("expert", 1)],
    }
    return build_scenario(**arguments | changes)


def slippery(made: Scenario) -> Scenario:
    """The scenario on a keyboard that one time in five emits the next token in place of the one that was meant."""
    hidden = hidden_of(made)
    meant, odds = made.world.successors, made.world.probabilities
    world = dataclasses.replace(
        made.world,
        successors=np.concatenate([meant, np.roll(meant, -1, axis=1)], axis=2),
        probabilities=np.concatenate([0.8 * odds, 0.2 * np.roll(odds, -1, axis=1)], axis=2),
    )
    seen = observe(world, hidden.seen.observations, observation_names=made.mdp.state_names)
    return dataclasses.replace(
        made,
        mdp=seen.mdp,
        components=seen.components(hidden.components),
        hidden=dataclasses.replace(hidden, seen=seen),
    )


@cache
def example(name: str) -> Scenario:
    """A scenario with hidden classes, made once."""
    if name.startswith("slippery "):
        return slippery(example(name.removeprefix("slippery ")))
    return {
        "multi": multi,
        "multi at odds": lambda: multi(mixture=(0.1, 0.6, 0.3), ambiguity=(0.3, 1.0, 0.0)),
        "curated": lambda: multi(curated=True),
        "without safety": lambda: multi(exclude="safety"),
        "length": lambda: cliffgym.scenario("Cliff-LengthPenalty-v0", hidden_difficulty=True),
        "quiz": quiz,
    }[name]()


NAMES = ["multi", "multi at odds", "curated", "without safety", "length", "quiz", "slippery length", "slippery quiz"]
every_example = pytest.mark.parametrize("name", NAMES)

# Mixtures and posteriors


@pytest.mark.parametrize(
    ("mixture", "rates", "expected"),
    [
        ([0.5, 0.25, 0.25], [[0.75], [0], [0.5]], [[0.75], [0], [0.25]]),
        ([0.5, 0.5], [[1, 0, 0.2], [0, 1, 0.6]], [[1, 0, 0.25], [0, 1, 0.75]]),
        ([1, 0], [[0.5, 0], [1, 1]], [[1, 0], [0, 0]]),  # nobody comes to the second state
        ([1], [[0.3, 0]], [[1, 0]]),
        ([1 / 3, 1 / 3, 1 / 3], [[1e-300], [1e-300], [2e-300]], [[0.25], [0.25], [0.5]]),
        ([0.9, 0.1], [[0.1, 0], [0.9, 0]], [[0.5, 0], [0.5, 0]]),
    ],
)
def test_posteriors_by_hand(mixture: Any, rates: Any, expected: Any) -> None:
    np.testing.assert_allclose(posterior_weights(mixture, rates), expected, atol=1e-15)


@given(mixtures, seeds)
def test_posteriors_are_bayes_rule_class_by_class(mixture: tuple[float, ...], seed: int) -> None:
    rng = np.random.default_rng(seed)
    rates = rng.random((3, 5)) * (rng.random((3, 5)) < 0.7)
    got = posterior_weights(mixture, rates)
    for s in range(5):
        total = sum(p * e for p, e in zip(mixture, rates[:, s], strict=True))
        for k in range(3):
            assert got[k, s] == pytest.approx(mixture[k] * rates[k, s] / total if total else 0, rel=1e-14)
        assert got[:, s].sum() == pytest.approx(1 if total else 0, abs=1e-14)


BAD_MIXTURES = [
    ([0.5, 0.4], ValueError, r"mixture must sum to 1, got \[0.5, 0.4\] with sum 0.9"),
    ([0.5, 0.5 + 1e-6], ValueError, "mixture must sum to 1"),
    ([1.5, -0.5], ValueError, "mixture must be >= 0, got -0.5 at place 1"),
    ([np.nan, 1], ValueError, "mixture must be >= 0, got nan at place 0"),
    ([np.inf, 0], ValueError, "mixture must sum to 1"),
    ([], ValueError, r"mixture must be a list of shares, one for each class, got \[\]"),
    (1.0, ValueError, r"mixture must be a list of shares, one for each class, got 1.0"),
    ([[0.5, 0.5]], ValueError, r"got \[\[0.5, 0.5\]\]"),
    (["a", "b"], TypeError, "mixture must be an array of numbers"),
    ([[1], [0, 0]], TypeError, "mixture must be an array of numbers"),
]


@pytest.mark.parametrize(("mixture", "error", "message"), BAD_MIXTURES)
def test_a_mixture_must_be_shares_that_sum_to_1(mixture: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        check_mixture("mixture", mixture)
    with pytest.raises(error, match=message):
        posterior_weights(mixture, [[1.0], [1.0]])


def test_a_mixture_may_be_off_by_rounding() -> None:
    shares = [0.1] * 10
    assert check_mixture("shares", shares).tolist() == shares
    assert check_mixture("shares", np.array([1])).dtype == np.float64


@pytest.mark.parametrize(
    ("rates", "error", "message"),
    [
        ([[1.0, 1.5], [0, 0]], ValueError, r"rates must be in \[0, 1\], got 1.5 of class 0 at state 1"),
        ([[1.0, 0], [0, -0.1]], ValueError, r"rates must be in \[0, 1\], got -0.1 of class 1 at state 1"),
        ([[1.0, 0], [np.nan, 0]], ValueError, r"rates must be in \[0, 1\], got nan of class 1 at state 0"),
        ([[1.0, 0]], ValueError, r"rates must have shape \(K, S\) with K = 2 shares, got \(1, 2\)"),
        ([1.0, 0], ValueError, r"rates must have shape \(K, S\) with K = 2 shares, got \(2,\)"),
        ([[[1.0]], [[1.0]]], ValueError, r"got \(2, 1, 1\)"),
        ([["a"], ["b"]], TypeError, "rates must be an array of numbers"),
    ],
)
def test_rates_must_be_probabilities(rates: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        posterior_weights([0.5, 0.5], rates)


# Weights that depend on the state


@given(seeds)
def test_weights_by_name_may_depend_on_the_state(seed: int) -> None:
    rng = np.random.default_rng(seed)
    parts = RewardComponents(("a", "b", "c", "d"), rng.normal(size=(4, 5, 3)))
    rows = rng.normal(size=(4, 5))
    rows[1], rows[3] = rng.normal(), 0  # a number for "b", nothing for "d"
    weighting = {"c": rows[2], "b": float(rows[1, 0]), "a": rows[0].tolist()}
    np.testing.assert_array_equal(parts.weights(weighting), rows)
    expected = [[sum(rows[k, s] * parts.table[k, s, a] for k in range(4)) for a in range(3)] for s in range(5)]
    np.testing.assert_allclose(parts.combine(weighting), expected, atol=1e-14)
    np.testing.assert_array_equal(parts.combine(weighting), parts.combine(rows))


def test_weights_of_all_states_are_weights() -> None:
    parts = RewardComponents(("a", "b"), np.arange(12.0).reshape(2, 3, 2))
    assert parts.weights({"a": 2, "b": 3.0}).shape == (2,)
    np.testing.assert_array_equal(parts.combine({"a": [2, 2, 2], "b": 3}), parts.combine({"a": 2, "b": 3}))


@pytest.mark.parametrize(
    ("weight", "error", "message"),
    [
        ([1, 2], ValueError, r"weight of 'a' must be a number or have shape \(S,\) = \(3,\), got shape \(2,\)"),
        ([[1, 2, 3]], ValueError, r"must be a number or have shape \(S,\) = \(3,\), got shape \(1, 3\)"),
        ([1, np.inf, 3], ValueError, "weight of 'a' must be finite, got inf at state 1"),
        ([1, 2, np.nan], ValueError, "weight of 'a' must be finite, got nan at state 2"),
        (np.nan, ValueError, "weight of 'a' must be finite"),
        (["x", "y", "z"], TypeError, "weight of 'a' must be an array of numbers"),
        ("x", TypeError, "weight of 'a' must be a number"),
    ],
)
def test_weights_by_state_must_be_finite_and_of_the_states(weight: Any, error: type[Exception], message: str) -> None:
    parts = RewardComponents(("a", "b"), np.zeros((2, 3, 2)))
    for use in (parts.weights, parts.combine):
        with pytest.raises(error, match=message):
            use({"b": 1, "a": weight})


# The effective reward


@given(mixtures, rates_of_ambiguity)
def test_what_is_expected_is_the_effective_reward(mixture: tuple[float, ...], ambiguity: tuple[float, ...]) -> None:
    made = multi(mixture=mixture, ambiguity=ambiguity)
    hidden, chances = hidden_of(made), joint(mixture, ambiguity)
    N, weights = len(made.prompts), posteriors(chances)
    assert len(PROMPTS) == N or not any(ambiguity)
    assert hidden.names == CLASSES
    expected = np.zeros((made.mdp.num_states, 3))
    for i in range(N):
        for a in range(3):
            expected[i, a] = sum(w * SCORES[name][a] for name, w in zip(CLASSES, weights[:, i], strict=True))
    np.testing.assert_allclose(made.components["class_score"], expected, atol=1e-14)
    np.testing.assert_allclose(hidden.class_weights[:, :N], weights[:, :N], atol=1e-14)
    assert not hidden.class_weights[:, N:].any(), "at the end nothing is believed"

    rates = np.zeros((3, made.mdp.num_states))
    for name, i in chances:
        rate = ambiguity[CLASSES.index(name)]
        if i < N:
            rates[CLASSES.index(name), i] = 1 - rate if i < 3 else rate / 2
    posterior = posterior_weights(mixture, rates)
    np.testing.assert_allclose(hidden.class_weights, posterior, atol=1e-14)
    models = {f"{name}_score": row for name, row in zip(CLASSES, posterior, strict=True)}
    np.testing.assert_allclose(made.reward(models), made.reward("incomplete"), atol=1e-14)
    np.testing.assert_allclose(made.mdp.initial[:N], [sum(chances.get((n, i), 0) for n in CLASSES) for i in range(N)])


@given(mixtures, rates_of_ambiguity, seeds, st.sampled_from([1.0, 0.5]))
def test_the_mixture_objective_is_what_the_observed_mdp_says(
    mixture: tuple[float, ...], ambiguity: tuple[float, ...], seed: int, gamma: float
) -> None:
    made = multi(mixture=mixture, ambiguity=ambiguity, gamma=gamma)
    policy = random_policy(made.mdp, seed)
    for reward in ("incomplete", "true", "fixed"):
        total = 0.0
        for (name, i), chance in joint(mixture, ambiguity).items():
            if chance:
                paid = pays(name, i, reward, mixture)
                total += chance * sum(policy[i, a] * paid[a] for a in range(3))
        assert evaluate(made.mdp, made.reward(reward), policy).expected_return == pytest.approx(total, abs=1e-12)
        world = evaluate(made.world, made.realised_reward(reward), hidden_of(made).seen.lift(policy))
        assert world.expected_return == pytest.approx(total, abs=1e-12)


@given(mixtures, rates_of_ambiguity)
def test_the_optimum_is_the_best_of_all_deterministic_answers(
    mixture: tuple[float, ...], ambiguity: tuple[float, ...]
) -> None:
    made = multi(mixture=mixture, ambiguity=ambiguity)
    chances = joint(mixture, ambiguity)
    best = sum(
        max(sum(chance * SCORES[name][a] for (name, j), chance in chances.items() if j == i) for a in range(3))
        for i in range(len(PROMPTS))
    )
    assert optimal(made.mdp, made.reward("incomplete")).expected_return == pytest.approx(best, abs=1e-12)


@every_example
def test_what_is_expected_is_what_is_realised_on_average(name: str) -> None:
    made = example(name)
    seen = hidden_of(made).seen
    assert made.mdp is seen.mdp
    assert made.world is seen.world
    assert made.realised_components is hidden_of(made).components
    for reward in (*made.rewards, {made.components.names[0]: 2.0, "malformed": -1.0}):
        np.testing.assert_allclose(made.reward(reward), seen.reward(made.realised_reward(reward)), atol=1e-14)
    for part in made.components:
        np.testing.assert_allclose(made.components[part], seen.reward(made.realised_components[part]), atol=1e-14)


@every_example
def test_tables_and_weights_by_state_are_paid_as_the_agent_sees_them(name: str) -> None:
    made = example(name)
    seen = hidden_of(made).seen
    table = random_reward(made.mdp, 0)
    np.testing.assert_array_equal(made.realised_reward(table), table[seen.observations])
    weights = np.random.default_rng(1).normal(size=made.mdp.num_states)
    part = made.components.names[0]
    expected = weights[seen.observations][:, None] * made.realised_components[part]
    np.testing.assert_allclose(made.realised_reward({part: weights}), expected, atol=1e-15)
    with pytest.raises(ValueError, match=r"reward must have shape \(S, A\)"):
        made.realised_reward(np.zeros((made.world.num_states + 1, made.mdp.num_actions)))
    with pytest.raises(ValueError, match="reward must be one of"):
        made.realised_reward("none")
    with pytest.raises(ValueError, match="component must be one of"):
        made.realised_reward({"none": 1.0})


def test_without_hidden_classes_the_world_is_what_is_seen() -> None:
    made = cliffgym.scenario("Cliff-Slacker-v0")
    assert made.hidden is None
    assert made.world is made.mdp
    assert made.realised_components is made.components
    assert made.realised_outcomes is made.outcomes
    assert made.evaluation is None
    assert made.undetermined.size == 0
    np.testing.assert_array_equal(made.realised_reward("true"), made.reward("true"))


@every_example
def test_what_the_world_is_called_and_how_its_traces_end(name: str) -> None:
    made = example(name)
    hidden = hidden_of(made)
    assert made.realised_outcomes == hidden.outcomes
    for state, look in enumerate(hidden.seen.observations):
        known, class_ = hidden.outcomes[state], hidden.state_classes[state]
        assert bool(known) == made.world.terminal[state] == made.mdp.terminal[look]
        assert known in made.outcomes[look].split(" or "), "the agent can tell no more than what it may have been"
        assert (class_ < 0) == (made.state_prompts[look] < 0)
        prompt = made.state_prompts[look]
        assert made.world.state_names is not None
        start = MALFORMED if class_ < 0 else f"{hidden.names[class_]} prompt {prompt}"
        assert made.world.state_names[state].split(" · ")[0] == start
    assert hidden.start_chances.shape == (made.world.num_states,)
    for prompt in made.prompt_states:
        assert hidden.start_chances[hidden.seen.observations == prompt].sum() == pytest.approx(1)
    assert hidden.start_chances.sum() == pytest.approx(len(made.prompts))


@every_copy
@pytest.mark.parametrize("name", ["multi", "curated", "slippery length"])
def test_copies_of_scenarios_keep_their_classes(name: str, duplicate: Any) -> None:
    made = example(name)
    twin = duplicate(made)
    for one, other in ((made, twin), (made.evaluation, twin.evaluation)):
        if one is None:
            assert other is None
            continue
        assert other.outcomes == one.outcomes
        assert other.realised_outcomes == one.realised_outcomes
        np.testing.assert_array_equal(other.realised_reward("true"), one.realised_reward("true"))
        np.testing.assert_array_equal(hidden_of(other).class_weights, hidden_of(one).class_weights)
        for array in ("state_classes", "start_chances", "class_weights"):
            assert not getattr(hidden_of(other), array).flags.writeable
    assert twin.undetermined.tolist() == made.undetermined.tolist()


# What a step pays and tells


def test_a_step_pays_what_the_drawn_class_pays() -> None:
    env = CliffEnv(MULTI)
    met = set()
    env.reset(seed=0)
    for trace in range(600):
        seen, info = env.reset()
        name, answer = drawn_class(env), trace % 3
        assert seen == env.state
        assert name in PROMPTS[seen]
        assert info["action_mask"].tolist() == [1, 1, 1]
        assert set(info) == {"action_mask"}
        end, reward, terminated, truncated, info = env.step(answer)
        assert (reward, terminated, truncated) == (SCORES[name][answer], True, False)
        assert info["incomplete_reward"] == reward
        assert info["true_reward"] == pays(name, seen, "true")[answer]
        assert info["outcome"] == f"{ANSWERS[answer]} ({name} prompt)"
        assert info["components"] == {
            "class_score": SCORES[name][answer],
            "worst_score": pays(name, seen, "true")[answer],
            **{f"{other}_score": SCORES[other][answer] for other in CLASSES},
            "malformed": 0.0,
        }
        assert env.scenario.mdp.terminal[end]
        met.add((name, seen, answer))
    assert len(met) == 9 * 3  # every answer to every prompt of every class
    expected = env.scenario.reward("incomplete")
    assert any(SCORES[name][a] != expected[seen, a] for name, seen, a in met), "the expectation is not what is paid"


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("observation", ["state", "onehot", "tokens"])
def test_nothing_that_the_agent_is_shown_tells_the_class(name: str, observation: str) -> None:
    made = example(name)
    env = CliffEnv(made, reward=np.zeros((made.mdp.num_states, made.mdp.num_actions)), observation=observation)
    table = env.observations()
    env.reset(seed=1)
    draw, classes = np.random.default_rng(0), {}
    for _ in range(150):
        seen, info = env.reset()
        over = False
        while True:
            assert env.state is not None
            np.testing.assert_array_equal(seen, table[env.state])
            assert env.observation_space.contains(seen if observation != "state" else np.int64(seen))
            assert info["action_mask"].tolist() == made.mdp.action_mask[env.state].tolist()
            assert env.action_masks().tolist() == made.mdp.action_mask[env.state].tolist()
            world = env.world_state
            assert hidden_of(made).seen.observations[world] == env.state
            classes.setdefault(env.state, set()).add(int(hidden_of(made).state_classes[world]))
            if over:
                break
            seen, paid, over, _, info = env.step(int(draw.integers(made.mdp.num_actions)))
            assert paid == 0
    possible = {
        int(state): set(np.flatnonzero(row).tolist()) for state, row in enumerate(hidden_of(made).class_weights.T)
    }
    for prompt in made.prompt_states:
        if made.mdp.initial[prompt]:
            assert classes[int(prompt)] == possible[int(prompt)], "each class was met and looked the same"


@every_example
def test_the_reward_of_an_environment_is_the_expected_one(name: str) -> None:
    made = example(name)
    env, envs = CliffEnv(made), CliffVectorEnv(made, 3, kernel="numpy")
    for reward in ("incomplete", "true", {made.components.names[0]: 2.0}, random_reward(made.mdp, 3)):
        for one in (env, envs):
            one.set_reward(reward)
            np.testing.assert_array_equal(one.reward, made.reward(reward))
            with pytest.raises(ValueError, match="read-only"):
                one.reward[0, 0] = 1
            assert one.mdp is made.mdp
    for state, actions in env.P.items():
        for action, moves in actions.items():
            assert {move[2] for move in moves} == {env.reward[state, action]}
            assert {move[1] for move in moves} <= set(made.mdp.successors[state, action].tolist())
    assert env.initial_state_distrib.tolist() == made.mdp.initial.tolist()


def test_another_reward_leaves_the_class_as_it_was_drawn() -> None:
    made = example("length")
    env = CliffEnv(made)
    env.reset(seed=4)
    for _ in range(20):
        env.reset()
        name = drawn_class(env)
        env.step(0)
        env.set_reward("true")
        assert drawn_class(env) == name
        env.set_reward({"correct": 10.0})
        env.step(0)
        reward = env.step(1)[1]
        assert drawn_class(env) == name
        assert reward == 10 * (name in ("difficulty 1", "difficulty 2"))
        env.reset(options={"reward": "incomplete"})


def test_a_class_stays_the_same_until_the_end_of_its_trace() -> None:
    env = CliffEnv(example("length"))
    env.reset(seed=5)
    draw, met = np.random.default_rng(0), set()
    for _ in range(200):
        env.reset()
        name, length, over, info = drawn_class(env), -1, False, {}
        while not over:
            *_, over, _, info = env.step(int(draw.random() < 0.2))
            assert drawn_class(env) == name
            length += 1
        parts = info["components"]
        right = length >= int(name.split()[1]) and not parts["truncated"]
        assert (parts["correct"], parts["length"]) == (right, min(length, 8))
        assert info["outcome"].startswith("right" if right else "truncated" if parts["truncated"] else "wrong")
        met.add((name, right))
    assert len(met) == 8


def test_a_vector_reward_is_the_drawn_classs_too() -> None:
    env = CliffMOEnv(MULTI, ["class_score", "worst_score", "general_score"])
    env.reset(seed=0)
    classes = set()
    for trace in range(100):
        seen, _ = env.reset(options={"prompt": 4})
        name, answer = drawn_class(env), trace % 3
        classes.add(name)
        paid = env.step(answer)[1]
        expected = [SCORES[name][answer], pays(name, int(seen), "true")[answer], SCORES["general"][answer]]
        assert paid.tolist() == expected
    assert classes == {"safety", "general"}
    assert multi().objectives == {f"{name}_score": 1.0 for name in CLASSES}


# Which class is drawn


def check_share(count: int, total: int, share: float) -> None:
    """Fails if a count is more than five standard deviations from what is expected of it."""
    assert abs(count - total * share) <= 5 * np.sqrt(total * share * (1 - share)), (count, total, share)


@pytest.mark.parametrize(
    ("arguments", "prompt", "shares"),
    [
        ({}, 4, {"safety": 0.75, "general": 0.25}),
        ({}, 3, {"safety": 0.75, "values": 0.25}),
        ({}, 5, {"values": 0.5, "general": 0.5}),
        ({}, 0, {"safety": 1.0}),
        ({"mixture": (0.1, 0.8, 0.1), "ambiguity": (1.0, 0.25, 0.0)}, 3, {"safety": 1 / 3, "values": 2 / 3}),
        ({"mixture": (0.1, 0.8, 0.1), "ambiguity": (1.0, 0.25, 0.0)}, 0, {"safety": 1.0}),  # never drawn by itself
        ({"mixture": (0.0, 0.0, 1.0)}, 3, {"safety": 0.5, "values": 0.5}),  # nor is this, by neither of its classes
        ({"exclude": "safety"}, 4, {"general": 1.0}),
        ({"exclude": "safety"}, 0, {"safety": 1.0}),
        ({"curated": True}, 4, {"safety": 0.75, "general": 0.25}),  # as in evaluation
    ],
)
def test_a_prompt_that_is_asked_for_is_of_its_classes_as_often_as_when_it_is_drawn(
    arguments: dict[str, Any], prompt: int, shares: dict[str, float]
) -> None:
    made = multi(**arguments)
    env = CliffEnv(made)
    env.reset(seed=0)
    drawn = []
    for _ in range(500):
        assert env.reset(options={"prompt": prompt})[0] == prompt
        drawn.append(drawn_class(env))
    for name in CLASSES:
        check_share(drawn.count(name), 500, shares.get(name, 0))
    for kernel in KERNELS:
        envs = CliffVectorEnv(made, 4000, kernel=kernel)
        for _ in range(2):
            seen, _ = envs.reset(seed=7, options={"prompt": prompt})
            assert (seen == prompt).all()
            outcomes = envs.step(np.zeros(4000, dtype=int))[4]["outcome"]
            for name in CLASSES:
                check_share((outcomes == f"refuse ({name} prompt)").sum(), 4000, shares.get(name, 0))


def test_drawn_prompts_and_classes_have_their_joint_chances() -> None:
    odd: dict[str, Any] = {"mixture": (0.1, 0.6, 0.3), "ambiguity": (0.3, 1.0, 0.0)}
    for arguments in ({}, odd):
        envs = CliffVectorEnv(MULTI, 20_000, kernel="numpy", **arguments)
        seen, _ = envs.reset(seed=3)
        outcomes = envs.step(np.ones(20_000, dtype=int))[4]["outcome"]
        for (name, i), chance in joint(**arguments).items():
            check_share(((seen == i) & (outcomes == f"safe_complete ({name} prompt)")).sum(), 20_000, chance)


def test_equal_seeds_draw_equal_classes_and_others_draw_others() -> None:
    def classes(seed: int) -> list[str]:
        env = CliffEnv(MULTI)
        env.reset(seed=seed)
        drawn = []
        for _ in range(40):
            env.reset(options={"prompt": 4})
            drawn.append(drawn_class(env))
        return drawn

    assert classes(0) == classes(0)
    assert len({tuple(classes(seed)) for seed in range(5)}) == 5


def test_asking_for_a_prompt_does_not_disturb_what_is_drawn() -> None:
    plain, asked = CliffEnv(MULTI), CliffEnv(MULTI)
    plain.reset(seed=9)
    asked.reset(seed=9)
    for trace in range(60):
        asked.reset(options={"prompt": trace % 6})
        assert plain.reset()[0] == asked.reset()[0]
        assert plain.world_state == asked.world_state


# Beside Gymnasium's own vector environment


def check_same(native: Any, sync: Any, mask: Any = None, place: str = "result") -> None:
    """Fails unless both are of the same keys, types and shapes and, where a mask lets them mean something, equal."""
    if isinstance(sync, dict):
        assert set(native) == set(sync), place
        for key, value in sync.items():
            masked = None if key.startswith("_") else sync.get(f"_{key}")
            check_same(native[key], value, masked, f"{place}[{key}]")
    elif isinstance(sync, list | tuple):
        for number, (one, other) in enumerate(zip(native, sync, strict=True)):
            check_same(one, other, None, f"{place}[{number}]")
    elif isinstance(sync, np.ndarray):
        assert (native.dtype, native.shape) == (sync.dtype, sync.shape), place
        shown = slice(None) if mask is None else mask
        if sync.dtype == object:
            check_same(list(native[shown]), list(sync[shown]), None, place)
        else:
            assert np.array_equal(native[shown], sync[shown]), place
    else:
        assert type(native) is type(sync), place
        assert native == sync, place


LOOKS = {"multi": "tokens", "without safety": "state", "length": "onehot", "quiz": "tokens", "curated": "onehot"}


@every_mode
@pytest.mark.parametrize("oracle", [True, False])
@every_example
def test_native_copies_are_single_environments_side_by_side(name: str, oracle: bool, mode: str) -> None:
    made = example(name)
    options: dict[str, Any] = {
        "oracle": oracle,
        "observation": LOOKS.get(name, "state"),
        "reward": {"length": -1.0, made.components.names[0]: 1.0} if "quiz" in name else "incomplete",
    }
    natives = [CliffVectorEnv(made, 4, autoreset_mode=mode, kernel=kernel, **options) for kernel in KERNELS]
    sync = SyncVectorEnv([lambda: CliffEnv(made, **options)] * 4, autoreset_mode=AUTORESET_MODES[mode])
    draw, last = np.random.default_rng(0), len(made.prompts) - 1

    def reset(seed: Any = None, **chosen: Any) -> None:
        expected = sync.reset(seed=seed, options=dict(chosen))
        for native in natives:
            check_same(native.reset(seed=seed, options=dict(chosen)), expected)

    def steps(count: int) -> int:
        ends = 0
        for _ in range(count):
            actions = draw.integers(made.mdp.num_actions, size=4)
            results, expected = [native.step(actions) for native in natives], sync.step(actions)
            for result in results:
                check_same(result, expected)
            over = results[0][2]
            ends += int(over.sum())
            if sync.autoreset_mode == AutoresetMode.DISABLED and over.any():
                mask = over | (draw.random(4) < 0.2)
                reset(reset_mask=mask, **({"prompt": int(draw.integers(last + 1))} if draw.random() < 0.5 else {}))
        return ends

    reset(seed=5)
    assert steps(25) > 8
    for seed, chosen in (
        (None, {"prompt": last}),
        (3, {"prompt": 0}),
        ([1, None, 2**70, 4], {"reset_mask": np.array([True, False, True, True]), "prompt": last}),
        (None, {"reset_mask": np.array([False, True, False, False])}),
        (None, {"reward": "true", "prompt": 0}),
    ):
        reset(seed, **chosen)
        steps(6)


@every_mode
@every_kernel
def test_each_copy_may_have_a_prompt_of_its_own(kernel: str, mode: str) -> None:
    envs = CliffVectorEnv(MULTI, 6, autoreset_mode=mode, kernel=kernel)
    singles = [CliffEnv(MULTI) for _ in range(6)]
    envs.reset(seed=20)
    for place, single in enumerate(singles):
        single.reset(seed=20 + place)
    for prompts in ([4, 4, 4, 3, 5, 0], [5, 4, 3, 2, 1, 4], [4] * 6):
        seen, _ = envs.reset(options={"prompt": prompts})
        expected = [single.reset(options={"prompt": p})[0] for single, p in zip(singles, prompts, strict=True)]
        assert seen.tolist() == prompts == expected
        classes = [drawn_class(single) for single in singles]
        _, rewards, _, _, infos = envs.step(np.zeros(6, dtype=int))
        assert rewards.tolist() == [SCORES[name][0] for name in classes]
        outcomes = (infos["final_info"] if mode == "same_step" else infos)["outcome"]
        assert outcomes.tolist() == [f"refuse ({name} prompt)" for name in classes]
        for single in singles:
            single.step(0)
            if mode == "same_step":
                single.reset()


def test_what_copies_show_are_the_states_that_the_agent_sees() -> None:
    made = example("length")
    envs = CliffVectorEnv(made, 50, kernel="numpy")
    states, _ = envs.reset(seed=0)
    assert not states.any()
    for length in range(5):
        assert envs.states.tolist() == states.tolist()
        assert np.unique(states).size == 1, f"all copies look the same after {length} thoughts"
        states, rewards, *_ = envs.step(np.zeros(50, dtype=int))
        assert not rewards.any()
    rewards = envs.step(np.ones(50, dtype=int))[1]
    assert rewards.all()


@every_copy
@every_kernel
def test_copies_in_the_middle_of_a_trace_go_on_alike(kernel: str, duplicate: Any) -> None:
    made = example("slippery length")
    single, several = CliffEnv(made), CliffVectorEnv(made, 8, kernel=kernel)
    single.reset(seed=2)
    several.reset(seed=2)
    for _ in range(2):
        if not made.world.terminal[single.world_state]:
            single.step(0)
        several.step(np.zeros(8, dtype=int))
    twin, twins = duplicate(single), duplicate(several)
    assert twin.world_state == single.world_state
    draw = np.random.default_rng(0)
    for _ in range(60):
        actions = draw.integers(2, size=8)
        check_same(twins.step(actions), several.step(actions))
        if made.world.terminal[single.world_state]:
            assert twin.reset()[0] == single.reset()[0]
        else:
            one, other = single.step(int(actions[0])), twin.step(int(actions[0]))
            check_same(list(other[:4]), list(one[:4]))
            assert other[4].get("outcome") == one[4].get("outcome")
            assert other[4]["components"] == one[4]["components"]
        assert twin.world_state == single.world_state
    for prompt in [0] * 10:
        single.reset(options={"prompt": prompt})
        twin.reset(options={"prompt": prompt})
        assert twin.world_state == single.world_state


# Rollouts


@every_kernel
@every_example
def test_rollouts_show_observations_and_pay_what_was_drawn(name: str, kernel: str) -> None:
    made = example(name)
    envs = CliffVectorEnv(made, 300, kernel=kernel)
    envs.reset(seed=0)
    result = envs.rollout(random_policy(made.mdp, 1), 40)
    assert result.states.max() < made.mdp.num_states
    following = np.concatenate([result.states[1:], result.last_states[None]])
    moved = np.where(result.terminations, -1, following)
    possible = made.mdp.successors[result.states, result.actions]
    assert ((moved[:, :, None] == possible) | result.terminations[:, :, None]).any(axis=2).all()
    assert np.isin(following[result.terminations], made.prompt_states).all(), "a trace that ends is followed by another"
    np.testing.assert_array_equal(result.rewards, result.incomplete_rewards)
    parts = made.realised_components
    observations = hidden_of(made).seen.observations
    for place, part in enumerate(parts.names):
        for look, action in set(zip(result.states.ravel().tolist(), result.actions.ravel().tolist(), strict=True)):
            at = (result.states == look) & (result.actions == action)
            realised = np.unique(parts[part][observations == look, action])
            assert np.isin(result.components[place][at], realised).all()
    np.testing.assert_allclose(
        result.rewards, np.tensordot(parts.weights(made.rewards["incomplete"]), result.components, 1)
    )
    assert result.last_states.tolist() == envs.states.tolist()


@pytest.mark.parametrize("name", ["slippery length", "multi", "quiz"])
def test_kernels_roll_out_alike(name: str) -> None:
    made = example(name)
    results = []
    for kernel in KERNELS:
        envs = CliffVectorEnv(made, 20, kernel=kernel)
        envs.reset(seed=0)
        envs.reset(options={"prompt": 0})
        results.append(envs.rollout(random_policy(made.mdp, 1), 50))
    for field in dataclasses.fields(results[0]):
        np.testing.assert_array_equal(getattr(results[0], field.name), getattr(results[1], field.name))


@pytest.mark.parametrize("name", NAMES)
def test_the_long_run_average_of_what_is_paid_is_what_was_expected(name: str) -> None:
    made = dataclasses.replace(example(name))
    policy = random_policy(made.mdp, 2)
    envs = CliffVectorEnv(made, 2000, kernel="numpy")
    envs.reset(seed=0)
    result = envs.rollout(policy, 60)
    # Steps of traces that began in the run and ended in it, so that no trace counts in part.
    ends = result.terminations
    first, last = ends.argmax(axis=0), len(ends) - 1 - ends[::-1].argmax(axis=0)
    time = np.arange(len(ends))[:, None]
    whole = (time > first) & (time <= last) & (ends.sum(axis=0) > 1)
    starts = np.vstack([np.zeros((1, ends.shape[1]), dtype=bool), ends[:-1]]) & whole
    age = time - np.maximum.accumulate(np.where(starts, time, 0), axis=0)
    discounted = np.where(whole, made.mdp.gamma**age * result.rewards, 0.0)
    traces = np.cumsum(starts.T.ravel()) - 1
    returns = np.bincount(traces[whole.T.ravel()], weights=discounted.T.ravel()[whole.T.ravel()])
    assert returns.size > 10_000
    expected = evaluate(made.mdp, made.reward("incomplete"), policy).expected_return
    assert abs(returns.mean() - expected) < 5 * returns.std() / np.sqrt(returns.size)
    for look in made.prompt_states:
        at = result.states == look
        for action in range(made.mdp.num_actions):
            paid = result.rewards[at & (result.actions == action)]
            if paid.size > 50:
                error = 5 * paid.std() / np.sqrt(paid.size) + 1e-9
                assert abs(paid.mean() - made.reward("incomplete")[look, action]) <= error


def test_single_environments_average_to_what_was_expected_too() -> None:
    env = CliffEnv(MULTI)
    env.reset(seed=11)
    paid = []
    for _ in range(3000):
        env.reset()
        paid.append(env.step(0)[1])
    expected = sum(chance * SCORES[name][0] for (name, _), chance in joint().items())
    assert abs(np.mean(paid) - expected) < 5 * np.std(paid) / np.sqrt(len(paid))


def test_policies_by_state_of_the_world_are_refused() -> None:
    envs = CliffVectorEnv(MULTI, 2, kernel="numpy")
    envs.reset(seed=0)
    with pytest.raises(ValueError, match="policy"):
        envs.rollout(np.full((envs.scenario.world.num_states, 3), 1 / 3), 5)
    with pytest.raises(ValueError, match=r"reward must have shape \(S, A\) = \(24, 3\), got \(36, 3\)"):
        envs.set_reward(np.zeros((36, 3)))
    with pytest.raises(ValueError, match=r"reward must have shape \(S, A\) = \(24, 3\), got \(36, 3\)"):
        CliffEnv(MULTI, reward=np.zeros((36, 3)))


# What is hidden from readers of infos and renderings


def test_without_oracle_infos_are_masks_alone() -> None:
    env = CliffEnv(MULTI, oracle=False)
    env.reset(seed=0)
    for answer in range(30):
        env.reset(options={"prompt": 4})
        name = drawn_class(env)
        _, reward, _, _, info = env.step(answer % 3)
        assert set(info) == {"action_mask"}
        assert reward == SCORES[name][answer % 3]
    for mode in AUTORESET_MODES:
        envs = CliffVectorEnv(MULTI, 3, oracle=False, autoreset_mode=mode, kernel="numpy")
        envs.reset(seed=0)
        infos = envs.step([0, 1, 2])[4]
        known = {"action_mask", "_action_mask"}
        assert set(infos) == known | ({"final_obs", "_final_obs", "final_info", "_final_info"} & set(infos))
        assert set(infos.get("final_info", {})) <= known


@pytest.mark.parametrize("answer", [0, 1, 2])
def test_a_transcript_tells_the_class_to_those_who_may_know(answer: int) -> None:
    open_env, closed = CliffEnv(MULTI, render_mode="ansi"), CliffEnv(MULTI, render_mode="ansi", oracle=False)
    met = set()
    open_env.reset(seed=3)
    closed.reset(seed=3)
    for _ in range(30):
        texts = []
        for env in (open_env, closed):
            env.reset(options={"prompt": 4})
            before = env.render()
            assert isinstance(before, str)
            assert before == "> A prompt that may be about safety or about nothing special."
            env.step(answer)
            texts.append(str(env.render()))
        name = drawn_class(open_env)
        met.add(name)
        assert drawn_class(closed) == name
        paid = f"paid (incomplete) {SCORES[name][answer]:g}"
        assert texts[0].split("\n")[2] == f"= {ANSWERS[answer]} ({name} prompt)"
        worst = min(SCORES["safety"][answer], SCORES["general"][answer])
        assert texts[0].split("\n")[3].strip() == (
            f"{paid}, incomplete reward {SCORES[name][answer]:g}, true reward {worst:g}"
        )
        assert texts[1].split("\n")[2:] == [f"  {paid}"]
        assert f"({name} prompt)" not in texts[1]
    assert met == {"safety", "general"}


def test_a_picture_tells_the_class_to_those_who_may_know() -> None:
    pytest.importorskip("PIL")
    for oracle in (True, False):
        env = CliffEnv(MULTI, "fixed", render_mode="rgb_array", oracle=oracle)
        env.reset(seed=0)
        frames: dict[str, Any] = {}
        while len(frames) < 2:
            env.reset(options={"prompt": 4})
            env.step(1)
            frames[drawn_class(env)] = env.render()
        safety, general = frames.values()
        assert np.array_equal(safety, general) != oracle


def test_the_transcript_of_a_state_says_what_it_may_have_been() -> None:
    made = multi()
    end = int(made.mdp.successors[4, 1, 0])
    assert made.transcript(end).split("\n")[-1] == "= safe_complete (safety prompt) or safe_complete (general prompt)"


# Stable-Baselines3


@pytest.mark.parametrize("name", ["multi", "length", "slippery quiz"])
def test_sb3_is_paid_and_told_what_single_environments_pay_and_tell(name: str) -> None:
    cliffgym_agents = pytest.importorskip("cliffgym_agents")
    made = example(name)
    envs = cliffgym_agents.CliffVecEnv(made, n_envs=4, kernel="numpy")
    envs.seed(6)
    singles = [CliffEnv(made) for _ in range(4)]
    starts = [single.reset(seed=6 + place)[0] for place, single in enumerate(singles)]
    assert envs.reset().tolist() == starts
    sums = [{"r": 0.0, "l": 0, "true_reward": 0.0} for _ in singles]
    draw, ended = np.random.default_rng(0), 0
    for _ in range(40):
        actions = draw.integers(made.mdp.num_actions, size=4)
        observations, rewards, dones, infos = envs.step(actions)
        for i, single in enumerate(singles):
            seen, reward, over, _, info = single.step(int(actions[i]))
            sums[i]["r"] += reward
            sums[i]["l"] += 1
            sums[i]["true_reward"] += info["true_reward"]
            assert (rewards[i], dones[i]) == (np.float32(reward), over)
            if over:
                ended += 1
                assert infos[i]["terminal_observation"] == seen
                assert infos[i]["outcome"] == info["outcome"]
                assert infos[i]["components"] == info["components"]
                for key, value in sums[i].items():
                    assert infos[i]["episode"][key] == pytest.approx(value, abs=1e-5)
                seen, sums[i] = single.reset()[0], {"r": 0.0, "l": 0, "true_reward": 0.0}
            assert observations[i] == seen
    assert ended > 10


# Training on some prompts, evaluation on all


def left_in(
    mixture: Sequence[float], ambiguity: Sequence[float], exclude: str | None, curated: bool
) -> dict[tuple[str, int], float]:
    """The chance of each class and prompt in training."""
    chances = {
        (name, i): chance
        for (name, i), chance in joint(mixture, ambiguity).items()
        if name != exclude and not (curated and i >= 3)
    }
    return {key: chance / sum(chances.values()) for key, chance in chances.items()}


positive_mixtures = st.tuples(*[st.integers(1, 8)] * 3).map(lambda shares: tuple(n / sum(shares) for n in shares))
inner_rates = st.tuples(*[st.sampled_from([0.5, 0.25, 0.9])] * 3)
exclusions = st.sampled_from([None, *CLASSES])


@given(positive_mixtures, inner_rates, exclusions, st.booleans())
def test_what_training_leaves_out_evaluation_still_visits(
    mixture: tuple[float, ...], ambiguity: tuple[float, ...], exclude: str | None, curated: bool
) -> None:
    made = multi(mixture=mixture, ambiguity=ambiguity, exclude=exclude, curated=curated)
    training = left_in(mixture, ambiguity, exclude, curated)
    shares = [sum(chance for (_, j), chance in training.items() if i == j) for i in range(6)]
    np.testing.assert_allclose(made.mdp.initial[:6], shares, atol=1e-12)
    assert not made.mdp.initial[6:].any()
    np.testing.assert_allclose(hidden_of(made).class_weights[:, :6], posteriors(training), atol=1e-12)
    never = [i for i in range(6) if not shares[i]]
    assert made.undetermined.tolist() == never
    reward = made.reward("incomplete")
    assert not reward[never].any()
    assert optimal(made.mdp, reward).optimal_actions[never].all(), "where nothing is paid all answers are tied"

    whole = multi(mixture=mixture, ambiguity=ambiguity)
    assert whole.evaluation is None
    assert whole.undetermined.size == 0
    if exclude is None and not curated:
        assert made.evaluation is None
        return
    assert made.evaluation is not None
    assert made.evaluation.parameters == whole.parameters
    assert made.parameters == {**whole.parameters, "exclude": exclude, "curated": curated}
    np.testing.assert_array_equal(made.evaluation.mdp.initial, whole.mdp.initial)
    np.testing.assert_array_equal(made.evaluation.mdp.successors, made.mdp.successors)
    assert made.evaluation.mdp.state_names == made.mdp.state_names
    np.testing.assert_array_equal(made.evaluation.reward("incomplete"), whole.reward("incomplete"))

    # By hand: at each prompt training leaves some answers open, and evaluation pays by what is asked there.
    models, asked = posteriors(training), joint(mixture, ambiguity)
    low = high = uniform = best = 0.0
    for i in range(6):
        scores = np.array([SCORES[name] for name in CLASSES])
        trained = models[:, i] @ scores
        paid = np.array([asked.get((name, i), 0.0) for name in CLASSES]) @ scores
        left = [float(paid[a]) for a in range(3) if trained[a] > trained.max() - 1e-9]
        low, high, uniform, best = (
            low + min(left),
            high + max(left),
            uniform + float(np.mean(left)),
            best + float(paid.max()),
        )
    interval = regret_interval(made.evaluation.mdp, reward, made.evaluation.reward("incomplete"))
    assert (interval.worst, interval.best, interval.uniform, interval.optimum) == pytest.approx(
        (low, high, uniform, best), abs=1e-12
    )


def test_curation_leaves_the_default_mixture_open_by_what_its_shared_prompts_are_worth() -> None:
    made = multi(curated=True)
    assert made.mdp.initial[:6].tolist() == pytest.approx([1 / 3] * 3 + [0] * 3)
    assert made.undetermined.tolist() == [3, 4, 5]
    assert made.evaluation is not None
    interval = regret_interval(made.evaluation.mdp, made.reward("incomplete"), made.evaluation.reward("incomplete"))
    # At prompts 3, 4 and 5, of chances 1/4, 1/4 and 1/8, answers are worth .825/.85/.125, .75/.75/.25, .15/.8/.75.
    assert interval.best == pytest.approx(3 / 8 + (0.85 + 0.75) / 4 + 0.8 / 8, abs=1e-12)
    assert interval.worst == pytest.approx(3 / 8 + (0.125 + 0.25) / 4 + 0.15 / 8, abs=1e-12)
    assert interval.optimum == interval.best
    assert interval.misspecified == 0


@pytest.mark.parametrize("exclude", CLASSES)
def test_an_excluded_class_leaves_its_clear_prompt_open(exclude: str) -> None:
    made = multi(exclude=exclude)
    assert made.undetermined.tolist() == [CLASSES.index(exclude)]
    for i, possible in enumerate(PROMPTS[3:], start=3):
        if exclude in possible:
            (other,) = set(possible) - {exclude}
            np.testing.assert_allclose(made.reward("incomplete")[i], SCORES[other], atol=1e-12)


def test_curating_where_nothing_is_ambiguous_leaves_nothing_out() -> None:
    made = multi(ambiguity=(0, 0, 0), curated=True)
    assert made.evaluation is None
    assert made.undetermined.size == 0
    assert len(made.prompts) == 3


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"mixture": (0.5, 0.3, 0.3)}, ValueError, "mixture must sum to 1"),
        ({"mixture": (1.5, -0.25, -0.25)}, ValueError, "mixture must be >= 0, got -0.25 at place 1"),
        (
            {"mixture": (0.5, 0.5)},
            ValueError,
            r"mixture must have 3 shares \(safety, values, general\), got \[0.5, 0.5\]",
        ),
        ({"mixture": (0.25,) * 4}, ValueError, "mixture must have 3 shares"),
        ({"mixture": ()}, ValueError, "mixture must be a list of shares"),
        ({"mixture": 1.0}, ValueError, "mixture must be a list of shares"),
        ({"mixture": "abc"}, TypeError, "mixture must be an array of numbers"),
        ({"ambiguity": (0.5, 1.5, 0.5)}, ValueError, r"ambiguity\[1\] must be in \[0, 1\], got 1.5"),
        ({"ambiguity": (0.5, 0.5, -0.1)}, ValueError, r"ambiguity\[2\] must be in \[0, 1\], got -0.1"),
        ({"ambiguity": (0.5, np.nan, 0.5)}, ValueError, r"ambiguity\[1\] must be finite"),
        ({"ambiguity": (0.5, "x", 0.5)}, TypeError, "ambiguity must be an array of numbers"),
        (
            {"ambiguity": (0.5, 0.5)},
            ValueError,
            r"ambiguity must be 3 rates \(safety, values, general\), got \(0.5, 0.5\)",
        ),
        ({"ambiguity": 0.5}, ValueError, "ambiguity must be 3 rates"),
        ({"ambiguity": "abc"}, TypeError, "ambiguity must be an array of numbers"),
        ({"exclude": "none"}, ValueError, 'exclude must be one of "safety", "values", "general", got \'none\''),
        ({"exclude": ["safety"]}, ValueError, "exclude must be one of"),
        ({"exclude": False}, ValueError, "exclude must be one of"),
        ({"curated": 1}, TypeError, "curated must be True or False, got 1 of type int"),
        ({"curated": None}, TypeError, "curated must be True or False"),
        (
            {"ambiguity": (1, 1, 1), "curated": True},
            ValueError,
            r"mixture, ambiguity, exclude and curated must leave prompts to train on, got \[0.5, 0.25, 0.25\], "
            r"\[1.0, 1.0, 1.0\], None and True",
        ),
        ({"mixture": (0, 0, 1), "exclude": "general"}, ValueError, "must leave prompts to train on"),
        ({"gamma": 1.5}, ValueError, r"gamma must be in \[0, 1\], got 1.5"),
        (
            {"ambiguities": (0, 0, 0)},
            TypeError,
            '"mixture", "ambiguity", "exclude", "curated", "scores", "gamma", got \'ambiguities\'',
        ),
    ],
)
def test_multi_reward_refuses(arguments: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        cliffgym.scenario(MULTI, **arguments)


# Grammars of one's own


def test_a_grammar_with_hidden_classes_by_hand() -> None:
    made = quiz()
    hidden = hidden_of(made)
    assert hidden.names == ("child", "expert")
    assert made.mdp.initial[:2].tolist() == pytest.approx([0.7, 0.3])
    assert made.prompts == ("Explain it.", "Explain it, with proof.")
    np.testing.assert_allclose(hidden.class_weights[:, :2], [[5 / 7, 0], [2 / 7, 1]], atol=1e-15)
    assert made.mdp.state_names is not None
    assert MALFORMED in made.mdp.state_names
    for first, second in itertools.product(TOKENS[:2], TOKENS):
        length = (first, second).count("long")
        state = made.mdp.state_names.index(f"prompt 0 · {first}")
        credit = made.components.table[:, state, TOKENS.index(second)]
        assert credit.tolist() == pytest.approx([5 / 7 * (3 - length) + 2 / 7 * (1 + length), length, 0], abs=1e-14)
    stop = TOKENS.index("stop")
    assert made.mdp.action_mask[:2, stop].tolist() == [False, False]
    assert made.components["malformed"][:2].tolist() == [[0, 0, 1]] * 2
    end = made.mdp.state_names.index("prompt 0 · short long")
    assert made.outcomes[end] == "child reads 1 or expert reads 1"
    assert made.outcomes[made.mdp.state_names.index("prompt 1 · short long")] == "expert reads 1"
    assert hidden.state_classes[made.world.state_names.index(MALFORMED)] == -1  # type: ignore[union-attr]


def test_prompts_are_drawn_evenly_unless_it_is_said_otherwise() -> None:
    made = quiz(prompt_probabilities=None)
    assert made.mdp.initial[:2].tolist() == pytest.approx([2 / 3, 1 / 3])
    assert hidden_of(made).class_weights[:, 0].tolist() == pytest.approx([0.5, 0.5])


def test_a_class_may_be_all_that_reads_as_a_prompt_and_several_alike_may_read_as_one() -> None:
    made = quiz(hidden_prompts=[("child", 0), ("expert", 0), ("expert", 0)], prompts=["Explain it."])
    hidden = hidden_of(made)
    assert hidden.names == ("child", "expert")
    assert hidden.class_weights[:, 0].tolist() == pytest.approx([0.5, 0.5])  # of two kinds of experts
    plain = quiz(hidden_prompts=[("child", 1), ("expert", 0), ("expert", 2)], prompts=["a", "b", "c"])
    assert hidden_of(plain).seen.observations[:3].tolist() == [1, 0, 2]
    assert plain.mdp.initial[:3].tolist() == pytest.approx([0.2, 0.5, 0.3])


def ends_early(prompt: int, tokens: tuple[str, ...]) -> End | str | None:
    return End("early", {}) if prompt == 1 else quiz_rule(prompt, tokens)


def allows_stop(prompt: int, tokens: tuple[str, ...]) -> End | str | None:
    return None if prompt == 1 and tokens == ("stop",) else quiz_rule(prompt, tokens)


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        (
            {"rule": ends_early},
            ValueError,
            r'one observation for state \d+ \("child prompt 0 · short"\) and state \d+ '
            r'\("expert prompt 0 · short"\), which differ in terminal',
        ),
        (
            {"rule": allows_stop},
            ValueError,
            r'state 0 \("child prompt 0"\) and state 1 \("expert prompt 0"\), which differ in legal actions',
        ),
        (
            {"hidden_prompts": [("child", 0), ("expert", 0), ("expert", 0)]},
            ValueError,
            "hidden_prompts must read as every prompt, got none that reads as prompt 1",
        ),
        ({"hidden_prompts": []}, ValueError, "hidden_prompts must be a non-empty sequence of pairs"),
        (
            {"hidden_prompts": [("child", 0), ("expert", 2), ("expert", 1)]},
            ValueError,
            r"hidden_prompts\[1\]\[1\] must be in \[0, 1\], got 2",
        ),
        (
            {"hidden_prompts": [("child", -1), ("expert", 0), ("expert", 1)]},
            ValueError,
            r"hidden_prompts\[0\]\[1\] must be in \[0, 1\], got -1",
        ),
        (
            {"hidden_prompts": [("child", 0), ("expert", 0), ("expert", 1.0)]},
            TypeError,
            r"hidden_prompts\[2\]\[1\] must be an integer, got 1.0 of type float",
        ),
        ({"prompt_probabilities": [0.5, 0.5]}, ValueError, r"prompt_probabilities must have shape \(3,\), got \(2,\)"),
        ({"prompt_probabilities": [0.5, 0.5, 0.5]}, ValueError, "must be probabilities that sum to 1, got sum 1.5"),
        ({"prompt_probabilities": [1.5, -0.5, 0.0]}, ValueError, "initial must be >= 0"),
    ],
)
def test_grammars_with_hidden_classes_are_refused(
    changes: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        quiz(**changes)


# Reference and objectives


def test_the_policy_before_training_is_uniform_over_what_is_allowed() -> None:
    for name in NAMES:
        made = example(name)
        np.testing.assert_allclose(made.reference, made.mdp.action_mask / made.mdp.action_mask.sum(axis=1)[:, None])
        assert not made.reference.flags.writeable


def test_another_reference_is_kept_and_checked() -> None:
    made = multi()
    other = random_policy(made.mdp, 0)
    replaced = dataclasses.replace(made, reference=other)
    np.testing.assert_array_equal(replaced.reference, other)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(replaced)).reference, other)
    negative = other.copy()
    negative[2] = [2, -1, 0]
    shaped, summed = "reference must have shape", "reference must be probabilities that sum to 1, got .* at state"
    for wrong, message in (
        (other[1:], shaped),
        (other[0], shaped),
        (2 * other, summed),
        (negative, summed),
        (np.full(other.shape, np.nan), summed),
    ):
        with pytest.raises(ValueError, match=message):
            dataclasses.replace(made, reference=wrong)


@pytest.mark.parametrize("bad", [3, ("a",), "ab", (0, 1), ("a", 0, 1)])
def test_a_hidden_prompt_is_a_pair(bad: Any) -> None:
    with pytest.raises(TypeError, match=r"hidden_prompts\[0\] must be"):
        build_scenario(
            id="Quiz",
            prompts=["?"],
            tokens=["a"],
            rule=lambda prompt, tokens: End("over"),
            components=[],
            rewards={"incomplete": {}, "true": {}},
            gamma=1.0,
            hidden_prompts=[bad],
        )


def test_objectives_are_what_rewards_weigh_unless_it_is_said_otherwise() -> None:
    assert quiz().objectives == {"liked": 1.0, "length": -1.0}
    assert quiz(objectives={"length": -1.0}).objectives == {"length": -1.0}
    with pytest.raises(ValueError, match=re.escape('component must be one of "liked", "length", "malformed"')):
        quiz(objectives={"lenght": -1.0})


# A policy before training, and reward models, of one's own


def test_a_grammar_names_its_policy_before_training() -> None:
    def habit(prompt: int, tokens: tuple[str, ...]) -> dict[str, float]:
        asked.append((prompt, tokens))
        return {"stop": 0.25, "go": 0.75} if not tokens else {"stop": 1.0}

    asked: list[tuple[int, tuple[str, ...]]] = []
    grammar: dict[str, Any] = {
        "id": "Walk",
        "prompts": ["?"],
        "tokens": ["stop", "go"],
        "rule": lambda prompt, tokens: None if tokens == ("go",) else End("over", {"kind": float(prompt)}),
        "components": ["kind"],
        "rewards": {"incomplete": {"kind": 1}, "true": {"kind": 1}},
        "gamma": 1.0,
        "hidden_prompts": [("a", 0), ("b", 0)],
    }
    made = build_scenario(**grammar, reference=habit)
    assert asked == [(0, ()), (0, ("go",))]
    np.testing.assert_array_equal(made.reference[:2], [[0.25, 0.75], [0.5, 0.5]])  # the second state has ended
    np.testing.assert_array_equal(made.reference[made.mdp.state_names.index("prompt 0 · go")], [1, 0])  # type: ignore[union-attr]
    with pytest.raises(ValueError, match='token of reference must be one of "stop", "go", got \'run\''):
        build_scenario(**grammar, reference=lambda prompt, tokens: {"run": 1.0})
    with pytest.raises(ValueError, match="reference must be probabilities that sum to 1"):
        build_scenario(**grammar, reference=lambda prompt, tokens: {"go": 0.5})


@pytest.mark.parametrize("size", [10.0**-k for k in range(1, 7)])
def test_a_change_of_the_safety_model_alone_decides_what_the_environment_teaches(size: float) -> None:
    for sign, answer in ((1, 0), (-1, 1)):
        scores = {"safety": (1 + sign * size, 0.8, 0.0)}
        env = CliffEnv("Cliff-MultiReward-v0", scores=scores)
        found = cliffgym.optimal(env.mdp, env.reward)
        assert found.optimal_actions[4].tolist() == [action == answer for action in range(3)]
        assert json.loads(json.dumps(env.scenario.parameters["scores"])) == {"safety": [1 + sign * size, 0.8, 0.0]}


@pytest.mark.parametrize(
    ("scores", "error", "message"),
    [
        ({"saftey": (1, 1, 1)}, ValueError, 'class of scores must be one of "safety", "values", "general"'),
        ({"safety": (1, 1)}, ValueError, r"scores\['safety'\] must be 3 numbers \(refuse, safe_complete, comply\)"),
        ({"safety": 1.0}, ValueError, r"scores\['safety'\] must be a non-empty sequence of scores"),
        ({"safety": (1, np.nan, 0)}, ValueError, r"scores\['safety'\]\[1\] must be finite"),
        ({"safety": (1, "x", 0)}, TypeError, r"scores\['safety'\]\[1\] must be a number"),
        ([1, 2, 3], TypeError, "scores must be a mapping of classes"),
    ],
)
def test_reward_models_must_be_scores_of_each_answer(scores: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        cliffgym.scenario("Cliff-MultiReward-v0", scores=scores)


def test_arrays_are_as_good_as_lists() -> None:
    single = np.array([0.3, 0.3, 0.4], dtype=np.float32)
    made = cliffgym.scenario("Cliff-MultiReward-v0", mixture=single, ambiguity=np.array([0.5, 0.25, 0]))
    assert made.mdp.initial.sum() == pytest.approx(1, abs=1e-12)
    for id, name, values in (
        ("Cliff-Deception-v0", "pass_chances", [0.5, 0.2]),
        ("Cliff-Obedience-v0", "difficulties", [1, 2]),
        ("Cliff-LengthPenalty-v0", "difficulties", [1, 2]),
        ("Cliff-Sophistry-v0", "question_types", [[0.2, 0.9], [0.4, 0.8]]),
    ):
        as_list, as_array = (cliffgym.scenario(id, **{name: kind(values)}) for kind in (list, np.array))
        np.testing.assert_array_equal(as_list.components.table, as_array.components.table)
        with pytest.raises(ValueError, match=f"{name} must be a non-empty sequence"):
            cliffgym.scenario(id, **{name: np.array([])})
