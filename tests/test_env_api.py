"""What every environment promises to Gymnasium and its users: checkers, seeds, copies, specs, spaces."""

import copy
import pickle
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium import spaces
from gymnasium.envs.registration import EnvSpec
from gymnasium.utils.env_checker import check_env
from sb3_contrib.common.maskable.utils import get_action_masks, is_masking_supported
from stable_baselines3.common.env_checker import check_env as check_env_for_sb3

import cliffgym
from cliffgym.envs import OBSERVATIONS
from cliffgym.envs.env import RENDER_MODES

IDS = list(cliffgym.SCENARIOS)
REWARDS = [(id, reward) for id in IDS for reward in cliffgym.scenario(id).rewards]

GRAMMARS = [id for id in IDS if cliffgym.scenario(id).state_tokens.size]  # whose states are the tokens so far
LOOKS = [(id, observation) for id in IDS for observation in OBSERVATIONS if observation != "tokens" or id in GRAMMARS]

every_id = pytest.mark.parametrize("id", IDS)
every_grammar = pytest.mark.parametrize("id", GRAMMARS)
every_id_with_prompts = pytest.mark.parametrize("id", [id for id in IDS if len(cliffgym.scenario(id).prompts) > 1])
every_look = pytest.mark.parametrize(("id", "observation"), LOOKS)
every_copy = pytest.mark.parametrize(
    "duplicate", [copy.deepcopy, lambda env: pickle.loads(pickle.dumps(env))], ids=["deepcopy", "pickle"]
)


def make(id: str, **kwargs: Any) -> cliffgym.CliffEnv:
    env = gym.make(id, **kwargs).unwrapped
    assert isinstance(env, cliffgym.CliffEnv)
    return env


def some_weights(id: str) -> dict[str, float]:
    """A reward that has no name: the first component, less the last (of a grammar: one for a malformed trace)."""
    first, *_, last = cliffgym.scenario(id).components.names
    return {first: 2.0, last: -1.0}


def episodes(env: gym.Env[Any, Any], count: int, seed: int | None = None) -> list[Any]:
    """All that `count` episodes show: one seed at the start, and tokens drawn by a generator of their own."""
    draw = np.random.default_rng(7)
    shown = []
    for episode in range(count):
        shown.append(env.reset(seed=seed if episode == 0 else None))
        shown += rest_of_episode(env, draw)
    return shown


def rest_of_episode(env: gym.Env[Any, Any], draw: np.random.Generator) -> list[Any]:
    shown, terminated = [], False
    while not terminated:
        shown.append(env.step(draw.integers(env.action_space.n)))  # type: ignore[attr-defined]
        terminated = shown[-1][2]
    return shown


def start_a_long_trace(env: cliffgym.CliffEnv) -> None:
    """Resets, and emits a token after which the trace goes on, if there is one."""
    state, _ = env.reset(seed=3)
    going_on = ~env.mdp.terminal[env.mdp.successors[state, :, 0]]
    if going_on.any():
        env.step(int(np.flatnonzero(going_on)[0]))


# Checkers. Gymnasium reports most of what it dislikes through warnings.warn, and every warning here is an error.


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("render_mode", [None, *RENDER_MODES])
@pytest.mark.parametrize("oracle", [True, False])
@pytest.mark.parametrize(
    ("id", "reward", "observation"), [(*pair, look) for pair in REWARDS for id, look in LOOKS if id == pair[0]]
)
def test_both_checkers_pass(id: str, reward: str, observation: str, oracle: bool, render_mode: str | None) -> None:
    env = gym.make(id, reward=reward, observation=observation, oracle=oracle, render_mode=render_mode)
    check_env(env)
    check_env_for_sb3(env, warn=True, skip_render_check=False)


@every_id
def test_checkers_pass_with_a_reward_of_ones_own(id: str) -> None:
    env = gym.make(id, reward=some_weights(id))
    check_env(env)
    check_env_for_sb3(env)


@every_id
def test_id_with_the_module_in_front_makes_the_same_environment(id: str) -> None:
    env = gym.make(f"cliffgym:{id}")
    check_env(env)
    np.testing.assert_equal(episodes(env, 5, seed=1), episodes(gym.make(id), 5, seed=1))


@every_id
def test_gym_make_wraps_nothing_around(id: str) -> None:
    assert type(gym.make(id)) is cliffgym.CliffEnv


@every_id
def test_types_are_plain_python(id: str) -> None:
    env = make(id)
    observation, _ = env.reset(seed=0)
    assert type(observation) is int
    observation, reward, terminated, truncated, info = env.step(0)
    assert (type(observation), type(reward), type(terminated), type(truncated)) == (int, float, bool, bool)
    assert {type(info["true_reward"]), type(info["incomplete_reward"])} == {float}
    assert {type(value) for value in info["components"].values()} == {float}


# Seeds


@every_look
def test_equal_seeds_give_equal_traces(id: str, observation: str) -> None:
    first, second = make(id, observation=observation), make(id, observation=observation)
    np.testing.assert_equal(episodes(first, 10, seed=11), episodes(second, 10, seed=11))
    np.testing.assert_equal(episodes(first, 10, seed=11), episodes(second, 10, seed=11))


@every_id_with_prompts
def test_seeds_differ_in_their_prompts(id: str) -> None:
    env = make(id)
    assert len({env.reset(seed=seed)[0] for seed in range(30)}) > 1


@every_id_with_prompts
def test_a_reset_without_seed_goes_on_drawing(id: str) -> None:
    env = make(id)
    env.reset(seed=0)
    assert len({env.reset()[0] for _ in range(30)}) > 1


@every_id
def test_starts_follow_the_initial_distribution(id: str) -> None:
    env, draws = make(id), 4000
    env.reset(seed=0)
    counts = np.bincount([env.reset()[0] for _ in range(draws)], minlength=env.mdp.num_states)
    expected = env.mdp.initial
    error = np.sqrt(expected * (1 - expected) / draws)
    assert (np.abs(counts / draws - expected) <= 4 * error).all()
    assert np.array_equal(expected, env.initial_state_distrib)


# Copies


@every_copy
@every_id
def test_a_copy_made_in_the_middle_of_a_trace_goes_on_identically(id: str, duplicate: Any) -> None:
    env = make(id, reward="true", render_mode="ansi")
    start_a_long_trace(env)
    twin = duplicate(env)
    assert twin.render() == env.render()
    for draw in (np.random.default_rng(0), np.random.default_rng(1)):
        np.testing.assert_equal(rest_of_episode(twin, copy.deepcopy(draw)), rest_of_episode(env, copy.deepcopy(draw)))
        assert twin.render() == env.render()
        np.testing.assert_equal(twin.reset(), env.reset())
    np.testing.assert_equal(episodes(twin, 10), episodes(env, 10))


@every_copy
def test_a_copy_leaves_the_original_alone(duplicate: Any) -> None:
    env = make("Cliff-Slacker-v0", render_mode="ansi")
    env.reset(options={"prompt": 1})
    shown = env.render()
    twin = duplicate(env)
    twin.set_reward("lazy")
    twin.step(1)
    assert env.reward_name == "incomplete"
    assert env.render() == shown
    assert env.step(1)[1] == 0.0  # the trace goes on from where it was


@every_copy
@every_id
def test_an_environment_that_was_never_reset_can_be_copied(id: str, duplicate: Any) -> None:
    env = make(id)
    np.testing.assert_equal(episodes(duplicate(env), 5, seed=4), episodes(env, 5, seed=4))


# Specs


def remade(env: cliffgym.CliffEnv) -> cliffgym.CliffEnv:
    """The environment made from the JSON of another's spec."""
    assert env.spec is not None
    twin = gym.make(EnvSpec.from_json(env.spec.to_json())).unwrapped
    assert isinstance(twin, cliffgym.CliffEnv)
    return twin


@every_id
def test_spec_survives_json_with_all_its_keywords(id: str) -> None:
    sizes = {**cliffgym.scenario(id).parameters, "gamma": 0.5}
    weights, look = some_weights(id), "tokens" if id in GRAMMARS else "onehot"
    env = make(id, reward=weights, oracle=False, observation=look, render_mode="ansi", **sizes)
    twin = remade(env)
    assert twin.mdp.gamma == 0.5
    assert (twin.oracle, twin.observation, twin.render_mode) == (False, look, "ansi")
    assert np.array_equal(twin.reward, env.scenario.reward(weights))
    np.testing.assert_equal(episodes(twin, 10, seed=2), episodes(env, 10, seed=2))


@pytest.mark.parametrize(
    ("id", "sizes"),
    [
        ("Cliff-Slacker-v0", {"problems": 2, "answers": 2, "instructions": 3, "instruction_weight": 0.5}),
        ("Cliff-TieBreaker-v0", {"formats": ("verse", "prose"), "target": "verse", "bonus": -0.5}),
        ("Cliff-LengthPenalty-v0", {"difficulties": (0, 2), "max_length": 3, "penalty": 0.3}),
        ("Cliff-LengthControl-v0", {"targets": (1, 3), "max_length": 5, "deviation_penalty": 0.1}),
        ("Cliff-Sophistry-v0", {"question_types": ((0.1, 0.5),), "length": 2, "gullibility": 0.3}),
        ("Cliff-Garnet-v0", {"states": 20, "branching": 3, "components": 3, "seed": 5, "ties": 0.5, "ending": 0.25}),
    ],
)
def test_spec_survives_json_with_other_sizes(id: str, sizes: dict[str, Any]) -> None:
    env = make(id, reward="true", **sizes)
    twin = remade(env)
    scenario = cliffgym.scenario(id, **sizes)
    assert twin.scenario.prompts == scenario.prompts
    assert np.array_equal(twin.reward, scenario.reward("true"))
    np.testing.assert_equal(episodes(twin, 10, seed=2), episodes(env, 10, seed=2))


@every_id
def test_gym_make_takes_a_spec_and_further_keywords(id: str) -> None:
    spec = make(id, reward="true").spec
    assert spec is not None
    assert np.array_equal(make(spec, oracle=False).reward, cliffgym.scenario(id).reward("true"))  # type: ignore[arg-type]


# Spaces


@every_look
def test_observations_are_those_of_the_states_stacked(id: str, observation: str) -> None:
    env = make(id, observation=observation)
    table = env.observations()
    assert len(table) == env.mdp.num_states
    assert all(row in env.observation_space for row in table)
    assert len(np.unique(table, axis=0)) == env.mdp.num_states  # no two states look alike
    states = make(id)
    for seed in range(20):
        start = states.reset(seed=seed)[0]
        seen = env.reset(seed=seed)[0]
        assert np.array_equal(seen, table[start])
        assert seen in env.observation_space
        draw, same_draw = np.random.default_rng(seed), np.random.default_rng(seed)
        looks, numbers = rest_of_episode(env, draw), rest_of_episode(states, same_draw)
        for look, number in zip(looks, numbers, strict=True):
            assert np.array_equal(look[0], table[number[0]])
            assert look[0] in env.observation_space


@every_id
def test_spaces_are_as_documented(id: str) -> None:
    mdp = make(id).mdp
    assert make(id).action_space == spaces.Discrete(mdp.num_actions)
    assert make(id).observation_space == spaces.Discrete(mdp.num_states)
    assert make(id, observation="onehot").observation_space == spaces.Box(0, 1, (mdp.num_states,), np.float32)
    if id in GRAMMARS:
        assert isinstance(make(id, observation="tokens").observation_space, spaces.MultiDiscrete)


@every_id
def test_onehot_is_one_at_the_state_alone(id: str) -> None:
    table = make(id, observation="onehot").observations()
    assert table.dtype == np.float32
    assert np.array_equal(table, np.eye(len(table)))


@every_grammar
def test_tokens_read_back_as_the_prompt_and_the_tokens_so_far(id: str) -> None:
    env = make(id, observation="tokens")
    scenario = env.scenario
    for state, (prompt, *tokens) in enumerate(env.observations().tolist()):
        if scenario.state_prompts[state] < 0:
            assert prompt == len(scenario.prompts)
        else:
            assert prompt == scenario.state_prompts[state]
        assert [token - 1 for token in tokens] == scenario.state_tokens[state].tolist()


@every_grammar
def test_tokens_observed_are_the_tokens_emitted(id: str) -> None:
    env = make(id, observation="tokens")
    draw = np.random.default_rng(0)
    for prompt in range(len(env.scenario.prompts)):
        first, info = env.reset(options={"prompt": prompt})
        assert first.tolist() == [prompt] + [0] * (len(first) - 1)
        emitted, terminated = [], False
        while not terminated:
            emitted.append(int(draw.choice(np.flatnonzero(info["action_mask"]))))
            seen, _, terminated, _, info = env.step(emitted[-1])
            assert seen[: len(emitted) + 1].tolist() == [prompt, *(token + 1 for token in emitted)]
            assert not seen[len(emitted) + 1 :].any()


@every_look
def test_what_is_returned_belongs_to_the_caller(id: str, observation: str) -> None:
    env, spoiled = make(id, observation=observation), make(id, observation=observation)
    for seed in range(5):
        for result in (spoiled.reset(seed=seed), spoiled.step(0)):
            if observation != "state":
                result[0][:] = 1
            result[-1]["action_mask"][:] = 0
            result[-1].get("components", {}).clear()
        spoiled.observations()[:] = 0
        spoiled.action_masks()[:] = False
    np.testing.assert_equal(episodes(spoiled, 10, seed=0), episodes(env, 10, seed=0))


# Masks


@every_id
def test_sb3_contrib_finds_the_masks(id: str) -> None:
    env = make(id)
    assert is_masking_supported(env)
    _, info = env.reset(seed=0)
    assert np.array_equal(get_action_masks(env), info["action_mask"])
