"""An environment does what its tables say: every step, on average, and under every reward."""

import copy
import dataclasses
import itertools
import pickle
from collections.abc import Callable
from functools import cache
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

import cliffgym
from cliffgym import CliffEnv, End, Scenario, TabularMDP, build_scenario
from cliffgym.envs.streams import FIRST_FACTOR, GOLDEN, SECOND_FACTOR, STREAMS, stream_keys, uniforms

IDS = list(cliffgym.SCENARIOS)
REWARDS = [(id, reward) for id in IDS for reward in cliffgym.scenario(id).rewards]

GRAMMARS = [id for id in IDS if cliffgym.scenario(id).state_tokens.size]  # whose states are the tokens so far

every_id = pytest.mark.parametrize("id", IDS)
every_id_with_prompts = pytest.mark.parametrize("id", [id for id in IDS if len(cliffgym.scenario(id).prompts) > 1])
# What is paid there is the drawn class's; see test_hidden_classes.
every_id_without_classes = pytest.mark.parametrize("id", [id for id in IDS if not cliffgym.scenario(id).hidden])
every_reward = pytest.mark.parametrize(("id", "reward"), REWARDS)


def make(id: str, **kwargs: Any) -> CliffEnv:
    env = gym.make(id, **kwargs).unwrapped
    assert isinstance(env, CliffEnv)
    return env


@cache
def shared(id: str, **kwargs: Any) -> CliffEnv:
    """An environment that many examples step; each resets it, and sets its reward."""
    return make(id, **kwargs)


def play(env: CliffEnv, *tokens: str, prompt: int = 0) -> list[float]:
    """Starts with a prompt, emits tokens by name, and returns what each was paid."""
    env.reset(options={"prompt": prompt})
    return [emit(env, token)[1] for token in tokens]


def emit(env: CliffEnv, token: str) -> tuple[Any, float, bool, bool, dict[str, Any]]:
    return env.step(env.scenario.tokens.index(token))


# Step by step

tokens = st.lists(st.integers(0, 10**6), min_size=12, max_size=12)
simply = settings(derandomize=True, deadline=None, max_examples=60)


@simply
@given(data=st.data(), numbers=tokens)
@every_id_without_classes
def test_every_step_agrees_with_the_tables(id: str, data: st.DataObject, numbers: list[int]) -> None:
    env = shared(id)
    scenario, mdp, parts = env.scenario, env.mdp, env.scenario.components
    weights = st.dictionaries(st.sampled_from(parts.names), st.floats(-2, 2))
    reward = data.draw(st.sampled_from(list(scenario.rewards)) | weights)
    prompt = data.draw(st.integers(0, len(scenario.prompts) - 1))
    weighting = reward if isinstance(reward, dict) else scenario.rewards[reward]
    paid, true, incomplete = (scenario.reward(which) for which in (reward, "true", "incomplete"))
    env.set_reward(reward)

    state, info = env.reset(options={"prompt": prompt})
    assert state == scenario.prompt_states[prompt]
    assert set(info) == {"action_mask"}
    assert np.array_equal(info["action_mask"], mdp.action_mask[state])
    for number in itertools.cycle(numbers):
        action = number % mdp.num_actions
        following, pay, terminated, truncated, info = env.step(action)
        assert following in mdp.successors[state, action, mdp.probabilities[state, action] > 0]
        assert pay == paid[state, action]
        assert terminated == mdp.terminal[following]
        assert truncated is False
        assert info["true_reward"] == true[state, action]
        assert info["incomplete_reward"] == incomplete[state, action]
        assert info["components"] == {name: parts[name][state, action] for name in parts.names}
        assert pay == pytest.approx(sum(weight * info["components"][name] for name, weight in weighting.items()))
        assert np.array_equal(info["action_mask"], mdp.action_mask[following])
        assert ("outcome" in info) == terminated
        if terminated:
            assert info["outcome"] == scenario.outcomes[following] != ""
            break
        assert pay == 0 or id not in GRAMMARS  # outcome rewards: only the last token is paid
        state = following


@simply
@given(numbers=tokens, seed=st.integers(0, 99))
@every_id
def test_without_oracle_info_is_the_mask_alone(id: str, numbers: list[int], seed: int) -> None:
    env, open_env = shared(id, oracle=False), shared(id, oracle=True, reward="incomplete")
    open_env.set_reward("incomplete")
    assert np.array_equal(env.reset(seed=seed)[0], open_env.reset(seed=seed)[0])
    for number in itertools.cycle(numbers):
        result, open_result = (each.step(number % env.mdp.num_actions) for each in (env, open_env))
        assert set(result[4]) == {"action_mask"}
        assert result[:4] == open_result[:4]
        if result[2]:
            break


@simply
@given(data=st.data(), seed=st.integers(0, 99))
@every_id
def test_masks_suit_sampling_and_keep_traces_well_formed(id: str, data: st.DataObject, seed: int) -> None:
    env = shared(id)
    state, info = env.reset(seed=seed)
    env.action_space.seed(data.draw(st.integers(0, 10**6)))
    terminated = False
    while not terminated:
        mask = env.action_masks()
        assert mask.dtype == np.bool_
        assert mask.shape == (env.mdp.num_actions,)
        assert np.array_equal(mask, info["action_mask"])
        assert info["action_mask"].dtype == np.int8
        action = env.action_space.sample(mask=info["action_mask"])  # type: ignore[call-arg]
        assert env.mdp.action_mask[state, action]
        state, _, terminated, _, info = env.step(action)
        assert info["components"].get("malformed", 0) == 0


@every_id
def test_a_token_that_is_not_allowed_ends_the_trace(id: str) -> None:
    env = make(id, reward="true")
    for state, action in np.argwhere(~env.mdp.action_mask):
        assert env.mdp.terminal[env.mdp.successors[state, action, 0]]
    for prompt, start in enumerate(env.scenario.prompt_states):
        for action in np.flatnonzero(~env.mdp.action_mask[start]).tolist():
            env.reset(options={"prompt": prompt})
            _, pay, terminated, _, info = env.step(action)
            assert (pay, terminated, info["components"]["malformed"]) == (0, True, 1)
            assert "malformed" in info["outcome"]


# On average


def slippery(scenario: Scenario) -> Scenario:
    """The scenario on a keyboard that one time in five emits the next token in place of the one that was meant.

    What a step is paid still goes by the token that was meant, since rewards are R(s, a).
    """
    meant, odds = scenario.mdp.successors, scenario.mdp.probabilities
    empty = np.zeros_like(meant[:, :, :1])  # a slot of probability 0, which leads to the first state
    slots = [empty, meant, empty, np.roll(meant, -1, axis=1), empty]
    chances = [empty, 0.8 * odds, empty, 0.2 * np.roll(odds, -1, axis=1), empty]
    mdp = dataclasses.replace(
        scenario.mdp, successors=np.concatenate(slots, axis=2), probabilities=np.concatenate(chances, axis=2)
    )
    return dataclasses.replace(scenario, mdp=mdp)


def mean_and_variance(mdp: TabularMDP, reward: NDArray[np.float64], policy: NDArray[np.float64]) -> list[float]:
    """Both exact moments of a trace's return G = r + gamma G'; its square is r² + 2 r gamma G' + gamma² G'²."""
    value = cliffgym.evaluate(mdp, reward, policy)
    squares = reward**2 + 2 * reward * (value.q_values - reward)
    second = cliffgym.evaluate(dataclasses.replace(mdp, gamma=mdp.gamma**2), squares, policy)
    return [value.expected_return, max(second.expected_return - value.expected_return**2, 0.0)]


as_it_is_and_slippery = pytest.mark.parametrize(
    "alter", [lambda scenario: scenario, slippery], ids=["as it is", "slippery"]
)


@as_it_is_and_slippery
@pytest.mark.parametrize("gamma", [1.0, 0.8])
@every_id
def test_mean_returns_are_those_of_exact_evaluation(
    id: str, gamma: float, alter: Callable[[Scenario], Scenario]
) -> None:
    scenario = alter(cliffgym.scenario(id, gamma=gamma))
    env, mdp, draw, count = CliffEnv(scenario, reward="true"), scenario.mdp, np.random.default_rng(5), 4000
    favour_legal = np.where(mdp.action_mask, 1.0, 0.1) * draw.dirichlet(np.ones(mdp.num_actions), size=mdp.num_states)
    policy = favour_legal / favour_legal.sum(axis=1, keepdims=True)
    cumulative = policy.cumsum(axis=1)
    cumulative[:, -1] = 1.0

    parts = scenario.components
    tables = [scenario.reward("true"), scenario.reward("true"), scenario.reward("incomplete"), *parts.table]
    exact = np.array([mean_and_variance(mdp, table, policy) for table in tables])
    totals = np.zeros((count, len(tables)))
    env.reset(seed=8)
    for episode in totals:
        state, _ = env.reset()
        discount, terminated = 1.0, False
        while not terminated:
            action = int(np.searchsorted(cumulative[state], draw.random(), side="right"))
            state, pay, terminated, _, info = env.step(action)
            credit = info["components"].values()
            episode += discount * np.array([pay, info["true_reward"], info["incomplete_reward"], *credit])
            discount *= gamma

    wrong = np.abs(totals.mean(axis=0) - exact[:, 0]) > 4 * np.sqrt(exact[:, 1] / count) + 1e-9
    names = ["paid", "true", "incomplete", *parts.names]
    assert not wrong.any(), [names[i] for i in np.flatnonzero(wrong)]


# Resets


@every_id
def test_reset_starts_with_the_prompt_asked_for(id: str) -> None:
    env = make(id)
    for prompt, start in enumerate(env.scenario.prompt_states):
        state, info = env.reset(options={"prompt": prompt})
        assert state == start
        assert env.scenario.state_prompts[state] == prompt
        assert np.array_equal(info["action_mask"], env.mdp.action_mask[start])
        assert env.reset(options={"prompt": np.int64(prompt)})[0] == start


@every_id_with_prompts
def test_a_prompt_asked_for_once_does_not_stick(id: str) -> None:
    env = make(id)
    env.reset(seed=0, options={"prompt": 0})
    assert len({env.reset()[0] for _ in range(30)}) > 1
    assert len({env.reset(options={})[0] for _ in range(30)}) > 1


@every_reward
def test_reset_takes_a_reward_and_keeps_it(id: str, reward: str) -> None:
    env = make(id)
    env.reset(options={"reward": reward})
    assert env.reward_name == reward
    env.reset()
    assert np.array_equal(env.reward, env.scenario.reward(reward))
    weights = {env.scenario.components.names[0]: 3.0}
    env.reset(options={"prompt": 0, "reward": weights})
    assert env.reward_name == "custom"
    assert np.array_equal(env.reward, env.scenario.reward(weights))


def test_a_trace_can_be_given_up_for_another() -> None:
    env = make("Cliff-Slacker-v0")
    play(env, "answer_0", "comply", prompt=0)
    assert play(env, "answer_1", "comply", "comply", prompt=1) == [0, 0, 1]


# Rewards


def table_of_ones(scenario: Scenario) -> NDArray[np.float64]:
    """(S, A) 1 for each token that is emitted."""
    table = np.zeros((scenario.mdp.num_states, scenario.mdp.num_actions))
    table[~scenario.mdp.terminal] = 1.0
    return table


@every_id
def test_the_incomplete_reward_is_paid_unless_another_is_chosen(id: str) -> None:
    env = make(id)
    assert env.reward_name == "incomplete"
    assert np.array_equal(env.reward, env.scenario.reward("incomplete"))


@every_reward
def test_a_named_reward_and_its_weights_pay_the_same(id: str, reward: str) -> None:
    weights = cliffgym.scenario(id).rewards[reward]
    assert np.array_equal(make(id, reward=reward).reward, make(id, reward=weights).reward)


@every_id
def test_an_array_can_be_the_reward(id: str) -> None:
    for env in (make(id, reward=table_of_ones(cliffgym.scenario(id))), make(id)):
        env.set_reward(table_of_ones(env.scenario).tolist())
        assert env.reward_name == "custom"
        state, _ = env.reset(seed=0)
        _, pay, _, _, info = env.step(0)
        assert pay == 1.0
        assert info["true_reward"] == env.scenario.reward("true")[state, 0]


def test_what_is_paid_does_not_change_with_the_callers_array() -> None:
    env = make("Cliff-Slacker-v0")
    table = table_of_ones(env.scenario)
    env.set_reward(table)
    table[:] = 5.0
    assert np.array_equal(env.reward, table_of_ones(env.scenario))
    assert play(env, "answer_0") == [1.0]


@pytest.mark.parametrize("reward", ["true", {"correct": 2.0}, np.zeros((41, 5))], ids=["name", "weights", "table"])
def test_the_reward_that_is_shown_is_the_one_that_is_paid(reward: Any) -> None:
    env = make("Cliff-Slacker-v0", reward=reward)
    for each in (env, copy.deepcopy(env), pickle.loads(pickle.dumps(env))):
        with pytest.raises(ValueError, match="read-only"):
            each.reward[0, 0] = 5.0


def test_the_rewards_of_slacker_part_where_they_should() -> None:
    env = make("Cliff-Slacker-v0")
    slack, work = ("answer_1", "ignore", "ignore"), ("answer_1", "comply", "comply")
    returns = {}
    for reward in ("incomplete", "true", "lazy"):
        env.set_reward(reward)
        returns[reward] = [sum(play(env, *trace, prompt=1)) for trace in (slack, work)]
    assert returns == {"incomplete": [1.0, 1.0], "true": [1.0, 2.0], "lazy": [1.0, pytest.approx(0.98)]}


@every_id_without_classes
def test_incomplete_and_true_reward_part_on_some_trace(id: str) -> None:
    env = make(id, reward="true")
    true, incomplete = env.scenario.reward("true"), env.scenario.reward("incomplete")
    state, action = np.argwhere(true != incomplete)[0]
    env.reset(options={"prompt": env.scenario.state_prompts[state]})
    for token in env.scenario.state_tokens[state]:
        if token >= 0:
            env.step(token)
    _, pay, _, _, info = env.step(action)
    assert pay == info["true_reward"] == true[state, action]
    assert info["incomplete_reward"] == incomplete[state, action] != pay


def test_a_reward_swapped_within_a_trace_pays_from_the_next_token_on() -> None:
    env = make("Cliff-Slacker-v0", reward=table_of_ones(cliffgym.scenario("Cliff-Slacker-v0")))
    assert play(env, "answer_2", prompt=2) == [1.0]
    env.set_reward("lazy")
    assert emit(env, "comply")[1] == 0.0
    env.set_reward({"effort": -1.0})
    _, pay, terminated, _, info = emit(env, "comply")
    assert (pay, terminated) == (-2.0, True)
    assert (info["true_reward"], info["incomplete_reward"]) == (2.0, 1.0)
    assert play(env, "answer_2", "comply", "ignore", prompt=2) == [0, 0, -1.0]


def test_a_reward_that_is_refused_leaves_the_old_one() -> None:
    env = make("Cliff-Slacker-v0", reward="lazy")
    for bad in ("honest", {"honesty": 1.0}, np.zeros((2, 2))):
        with pytest.raises(ValueError, match="must"):
            env.set_reward(bad)
    assert env.reward_name == "lazy"
    assert play(env, "answer_0", "comply", "comply") == [0, 0, pytest.approx(0.98)]


# The toy-text table


def values_of(
    table: dict[int, dict[int, list[tuple[float, int, float, bool]]]], gamma: float = 1.0
) -> NDArray[np.float64]:
    """(S,) optimal values of a toy-text table, by plain value iteration."""
    values = np.zeros(len(table))
    while True:
        updated = np.array(
            [
                max(
                    sum(p * (reward + (0 if ended else gamma * values[to])) for p, to, reward, ended in row)
                    for row in table[state].values()
                )
                for state in range(len(table))
            ]
        )
        if np.abs(updated - values).max() <= 1e-15:
            return updated
        values = updated


@every_reward
def test_solving_the_toy_text_table_gives_the_values_of_the_mdp(id: str, reward: str) -> None:
    env = make(id, reward=reward)
    without_mask = dataclasses.replace(env.mdp, action_mask=None)
    optimum = cliffgym.optimal(without_mask, env.reward)
    assert values_of(env.P, env.mdp.gamma) == pytest.approx(optimum.state_values, abs=1e-12)
    mdp, table = TabularMDP.from_gym(env, gamma=env.mdp.gamma)
    assert (mdp.num_states, mdp.num_actions) == (env.mdp.num_states, env.mdp.num_actions)
    assert np.array_equal(table, env.reward)
    assert cliffgym.optimal(mdp, table).state_values == pytest.approx(optimum.state_values, abs=1e-12)
    masked = cliffgym.optimal(env.mdp, env.reward)
    # A malformed trace is never better than a legal one if there is none, or no legal one is worth less than nothing.
    if env.mdp.action_mask.all() or (masked.state_values >= 0).all():
        assert masked.state_values == pytest.approx(optimum.state_values, abs=1e-12)


@as_it_is_and_slippery
@every_id
def test_a_policy_is_worth_the_same_on_the_toy_text_table(id: str, alter: Callable[[Scenario], Scenario]) -> None:
    env = CliffEnv(alter(cliffgym.scenario(id)), reward="true")
    mdp, table = TabularMDP.from_gym(env, gamma=env.mdp.gamma)
    policy = np.random.default_rng(0).dirichlet(np.ones(mdp.num_actions), size=mdp.num_states)
    there, here = cliffgym.evaluate(mdp, table, policy), cliffgym.evaluate(env.mdp, env.reward, policy)
    assert there.state_values == pytest.approx(here.state_values)
    assert there.expected_return == pytest.approx(here.expected_return)


@as_it_is_and_slippery
@every_id
def test_rows_of_the_toy_text_table_are_distributions(id: str, alter: Callable[[Scenario], Scenario]) -> None:
    env = CliffEnv(alter(cliffgym.scenario(id)))
    assert sorted(env.P) == list(range(env.mdp.num_states))
    for state, actions in env.P.items():
        assert sorted(actions) == list(range(env.mdp.num_actions))
        for row in actions.values():
            assert sum(p for p, *_ in row) == pytest.approx(1)
            assert all(p > 0 for p, *_ in row)
            assert all(ended == env.mdp.terminal[to] for _, to, _, ended in row)
            assert not env.mdp.terminal[state] or all(to == state and pay == 0 for _, to, pay, _ in row)


def test_the_toy_text_table_follows_the_reward() -> None:
    env = make("Cliff-Slacker-v0")
    before = values_of(env.P)
    env.set_reward("true")
    assert values_of(env.P)[: len(env.scenario.prompts)] == pytest.approx(before[: len(env.scenario.prompts)] + 1)


# Scenarios of one's own


def dice_game(prompt_probabilities: list[float] | None = None) -> Scenario:
    """Five prompts and six tokens; each token ends the trace."""
    return build_scenario(
        id="Dice-v0",
        prompts=[f"Throw number {i}." for i in range(5)],
        tokens=[f"face_{i}" for i in range(1, 7)],
        rule=lambda prompt, tokens: End(f"threw {tokens[0]}", {"six": float(tokens[0] == "face_6")}),
        components=["six"],
        rewards={"incomplete": {}, "true": {"six": 1.0}},
        gamma=1.0,
        prompt_probabilities=prompt_probabilities,
    )


def loaded(scenario: Scenario, odds: list[float]) -> Scenario:
    """The dice game in which every token draws its face with the given odds."""
    S, A, B = scenario.mdp.num_states, scenario.mdp.num_actions, len(odds)
    going_on = ~scenario.mdp.terminal
    successors = np.broadcast_to(np.arange(S)[:, None, None], (S, A, B)).copy()
    successors[going_on] = scenario.mdp.successors[going_on, :B, 0][:, None, :]
    probabilities = np.broadcast_to(odds, (S, A, B))
    return dataclasses.replace(
        scenario, mdp=dataclasses.replace(scenario.mdp, successors=successors, probabilities=probabilities)
    )


SMALLEST, LARGEST = 0.0, 1 - 2.0**-53
WORD = 1 << 64


def seed_that_draws(number: float, stream: str) -> int:
    """A seed whose first number from a stream is the given multiple of 2^-53.

    Every step from a seed to the number can be undone: see `cliffgym.envs.streams`.
    """
    key = unmixed(int(number * 2**53) << 11) - GOLDEN
    return (unmixed(unmixed(key % WORD) - (1 + STREAMS.index(stream))) - GOLDEN) % WORD


def unmixed(bits: int) -> int:
    """What SplitMix64's output function makes the bits of."""
    bits %= WORD
    bits = (bits ^ (bits >> 31) ^ (bits >> 62)) * pow(SECOND_FACTOR, -1, WORD) % WORD
    bits = (bits ^ (bits >> 27) ^ (bits >> 54)) * pow(FIRST_FACTOR, -1, WORD) % WORD
    return bits ^ (bits >> 30) ^ (bits >> 60)


@pytest.mark.parametrize("number", [SMALLEST, 0.5, LARGEST])
@pytest.mark.parametrize("stream", STREAMS)
def test_seeds_for_extreme_draws_are_what_they_are_taken_for(stream: str, number: float) -> None:
    key = stream_keys([seed_that_draws(number, stream)])[STREAMS.index(stream)]
    assert uniforms(key, np.zeros(1, dtype=np.int64)).tolist() == [number]


def test_a_scenario_of_ones_own_is_stepped() -> None:
    env = CliffEnv(dice_game(), reward="true")
    assert env.spec is None
    for observation in ("state", "onehot", "tokens"):
        env = CliffEnv(dice_game(), reward="true", observation=observation)
        assert env.reset(options={"prompt": 4})[0] in env.observation_space
        seen, pay, terminated, truncated, info = emit(env, "face_6")
        assert seen in env.observation_space
        assert (pay, terminated, truncated) == (1.0, True, False)
        assert info["outcome"] == "threw face_6"
        assert (info["true_reward"], info["incomplete_reward"]) == (1.0, 0.0)


def test_a_scenario_of_ones_own_takes_an_array_as_reward() -> None:
    scenario = dice_game()
    table = np.zeros((scenario.mdp.num_states, 6))
    table[:5] = np.arange(1, 7)
    env = CliffEnv(scenario, reward=table)
    assert [play(env, token)[0] for token in scenario.tokens] == [1, 2, 3, 4, 5, 6]
    assert env.reward_name == "custom"


def test_a_scenario_of_ones_own_can_be_registered() -> None:
    gym.register("Dice-v0", entry_point=lambda **kwargs: CliffEnv(dice_game(), **kwargs))
    try:
        env = gym.make("Dice-v0", reward="true")
        env.reset(seed=0)
        assert env.step(5)[1] == 1.0
    finally:
        del gym.registry["Dice-v0"]


def test_prompts_are_drawn_with_their_probabilities_and_those_of_zero_never() -> None:
    odds = [0.0, 0.25, 0.0, 0.75, 0.0]
    env, count = CliffEnv(dice_game(odds)), 4000
    env.reset(seed=1)
    shares = np.bincount([env.reset()[0] for _ in range(count)], minlength=5) / count
    assert (np.abs(shares - odds) <= 4 * np.sqrt(np.multiply(odds, np.subtract(1, odds)) / count)).all()


@pytest.mark.parametrize("odds", [[0.0, 0.25, 0.0, 0.75, 0.0], [0.1] * 3 + [0.7, 0.0], [0.0, 0.0, 1.0, 0.0, 0.0]])
def test_extreme_draws_start_with_prompts_that_are_possible(odds: list[float]) -> None:
    env = CliffEnv(dice_game(odds))
    for draw, expected in ((SMALLEST, np.flatnonzero(odds)[0]), (LARGEST, np.flatnonzero(odds)[-1])):
        assert env.reset(seed=seed_that_draws(draw, "start"))[0] == expected


@pytest.mark.parametrize(
    "odds", [[0.5, 0.5], [0.0, 0.75, 0.0, 0.25, 0.0, 0.0], [0.3, 0.1, 0.0, 0.6], [0.0, 1.0, 0.0]], ids=str
)
def test_successors_are_drawn_with_their_probabilities_and_those_of_zero_never(odds: list[float]) -> None:
    scenario, count = loaded(dice_game(), odds), 4000
    env = CliffEnv(scenario)
    env.reset(seed=2)
    drawn = []
    for _ in range(count):
        env.reset(options={"prompt": 0})
        drawn.append(env.step(3)[0])
    faces = dice_game().mdp.successors[0, :, 0]
    shares = np.array([drawn.count(face) for face in faces]) / count
    expected = np.array(odds + [0.0] * (6 - len(odds)))
    assert shares.sum() == 1
    assert (np.abs(shares - expected) <= 4 * np.sqrt(expected * (1 - expected) / count)).all()


def test_extreme_draws_lead_to_successors_that_are_possible() -> None:
    tenths = [0.1, 0.1, 0.2, 0.3, 0.2, 0.1]  # rounding makes them sum to a little less than 1
    for odds in (tenths, [0.0, 0.75, 0.0, 0.25, 0.0, 0.0], [0.0, 0.0, 0.0, 1.0, 0.0, 0.0]):
        env = CliffEnv(loaded(dice_game(), odds))
        possible = env.mdp.successors[0, 0][np.array(odds) > 0]
        for draw, expected in ((SMALLEST, possible[0]), (LARGEST, possible[-1])):
            env.reset(seed=seed_that_draws(draw, "move"), options={"prompt": 0})
            assert env.step(0)[0] == expected
    assert np.cumsum(tenths)[-1] <= LARGEST


def test_a_stochastic_trace_repeats_with_its_seed() -> None:
    env = CliffEnv(slippery(cliffgym.scenario("Cliff-Slacker-v0")))
    histories = []
    for seed in (6, 6, 7):
        env.reset(seed=seed)
        history = []
        for _ in range(30):
            env.reset()
            history.append([env.step(0)[0], env.reset()[0]])
        histories.append(history)
    assert histories[0] == histories[1] != histories[2]
