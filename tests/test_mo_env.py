"""Environments whose reward is a vector, alone and inside MO-Gymnasium's wrappers."""

import copy
import pickle
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import gymnasium as gym
import mo_gymnasium
import numpy as np
import pytest
from gymnasium import spaces
from gymnasium.envs.registration import EnvSpec
from gymnasium.error import ResetNeeded
from mo_gymnasium.wrappers import wrappers as mo
from mo_gymnasium.wrappers.vector.wrappers import MOSyncVectorEnv
from numpy.typing import NDArray

import cliffgym
from cliffgym import CliffEnv, CliffMOEnv
from cliffgym.envs import OBSERVATIONS
from cliffgym.testing import random_reward

Env = gym.Env[Any, Any]

IDS = list(cliffgym.SCENARIOS)
GRAMMARS = [id for id in IDS if cliffgym.scenario(id).state_tokens.size]  # whose states are the tokens so far
LOOKS = [(id, look) for id in IDS for look in OBSERVATIONS if look != "tokens" or id in GRAMMARS]
# Rewards that weigh what are objectives.
WEIGHTINGS = [
    (id, name)
    for id in IDS
    for name, weights in cliffgym.scenario(id).rewards.items()
    if set(weights) <= set(cliffgym.scenario(id).objectives)
]

every_id = pytest.mark.parametrize("id", IDS)
every_look = pytest.mark.parametrize(("id", "observation"), LOOKS)


def make(id: str, **kwargs: Any) -> CliffMOEnv:
    env = gym.make(f"mo-{id}", **kwargs)
    assert isinstance(env, CliffMOEnv)  # nothing is wrapped around
    return env


def playing(env: Env, steps: int = 80, seed: int = 0) -> list[Any]:
    """What an environment gives in so many steps of any tokens, allowed or not, with the state of the world before."""
    draw, inner = np.random.default_rng(seed), env.unwrapped
    assert isinstance(inner, CliffEnv)
    given: list[Any] = [env.reset(seed=seed)]
    for _ in range(steps):
        world, token = inner.world_state, int(draw.integers(inner.mdp.num_actions))
        given.append((world, token, *env.step(token)))
        if given[-1][4]:
            given.append(env.reset())
    return given


def steps_of(given: list[Any]) -> list[Any]:
    return [entry for entry in given if len(entry) > 2]


def weights_of(env: CliffMOEnv, reward: Mapping[str, float]) -> NDArray[np.float64]:
    """The weights of the objectives that make up a reward."""
    return np.array([reward.get(name, 0.0) / factor for name, factor in env.objectives.items()])


# What is paid


@every_look
def test_the_vector_is_the_credits_with_their_signs(id: str, observation: str) -> None:
    env = make(id, observation=observation)
    parts = env.scenario.realised_components
    assert env.objectives == env.scenario.objectives
    assert env.reward_space.shape == (len(env.objectives),)
    for world, token, _, reward, *_, info in steps_of(playing(env)):
        expected = [factor * parts[name][world, token] for name, factor in env.objectives.items()]
        np.testing.assert_array_equal(reward, expected)
        assert reward.dtype == np.float64
        assert reward.shape == (len(expected),)
        assert reward in env.reward_space
        credits = [factor * info["components"][name] for name, factor in env.objectives.items()]
        np.testing.assert_array_equal(reward, credits)
        assert not np.signbit(reward[reward == 0]).any()  # no cost is 0, not -0


@every_look
def test_all_else_is_as_without_a_vector(id: str, observation: str) -> None:
    ours, plain = playing(make(id, observation=observation)), playing(gym.make(id, observation=observation))
    for mine, theirs in zip(ours, plain, strict=True):
        np.testing.assert_equal(mine[:3] + mine[4:], theirs[:3] + theirs[4:])


@every_id
def test_the_reward_space_is_no_wider_than_it_must_be(id: str) -> None:
    env = make(id)
    space, world = env.reward_space, env.scenario.world
    assert isinstance(space, spaces.Box)
    assert space.dtype == np.float64
    tables = [factor * env.scenario.realised_components[name] for name, factor in env.objectives.items()]
    np.testing.assert_array_equal(space.low, [min(table[~world.terminal].min(), 0) for table in tables])
    np.testing.assert_array_equal(space.high, [max(table[~world.terminal].max(), 0) for table in tables])


@every_id
def test_what_a_caller_does_to_a_reward_harms_nothing(id: str) -> None:
    env, untouched = make(id), playing(make(id))
    draw = np.random.default_rng(0)
    env.reset(seed=0)
    for step in steps_of(untouched):
        _, reward, over, _, _ = env.step(int(draw.integers(env.mdp.num_actions)))
        np.testing.assert_array_equal(reward, step[3])
        reward[:] = 99
        if over:
            env.reset()


@every_id
def test_equal_seeds_play_alike(id: str) -> None:
    np.testing.assert_equal(playing(make(id), 80, 1), playing(make(id), 80, 1))
    env = make(id)
    playing(env, 30, 7)
    np.testing.assert_equal(playing(env, 80, 1), playing(make(id), 80, 1))  # a seed starts anew
    assert [step[2:4] for step in playing(make(id), 80, 1)] != [step[2:4] for step in playing(make(id), 80, 2)]


def test_hidden_classes_are_credited_as_drawn() -> None:
    env = make("Cliff-MultiReward-v0", objectives=["class_score"])
    by_look: dict[tuple[int, int], set[float]] = {}
    observation = env.reset(seed=0)[0]
    for token in np.random.default_rng(0).integers(3, size=300):
        reward = env.step(token)[1]
        by_look.setdefault((observation, int(token)), set()).add(float(reward[0]))
        observation = env.reset()[0]
    assert max(map(len, by_look.values())) == 2  # prompts of two classes look the same


def test_the_tokens_of_numpy_are_taken() -> None:
    env = make("Cliff-Slacker-v0")
    tokens: list[Any] = [np.int64(1), np.int8(1), np.array(1)]
    for token in tokens:
        env.reset(seed=0)
        assert env.step(token)[1].shape == (3,)


# Objectives


def test_objectives_by_name_with_factors() -> None:
    env = make("Cliff-LengthPenalty-v0", objectives={"length": -0.5, "correct": 3})
    assert env.objectives == {"length": -0.5, "correct": 3.0}
    assert list(env.objectives) == ["length", "correct"]
    env.reset(options={"prompt": 0})
    np.testing.assert_array_equal(env.step(0)[1], [0, 0])
    np.testing.assert_array_equal(env.step(1)[1], [-0.5, 3])
    np.testing.assert_array_equal(env.reward_space.low[:1], [-4])  # type: ignore[attr-defined]


@pytest.mark.parametrize("objectives", [["length"], ("length",)])
def test_names_alone_are_paid_as_they_are(objectives: Any) -> None:
    env = make("Cliff-LengthPenalty-v0", objectives=objectives)
    assert env.objectives == {"length": 1.0}
    env.reset(options={"prompt": 0})
    env.step(0)
    np.testing.assert_array_equal(env.step(1)[1], [1])


def test_a_scenario_of_ones_own_and_its_parameters() -> None:
    scenario = cliffgym.scenario("Cliff-Slacker-v0", problems=2)
    assert CliffMOEnv(scenario).scenario is scenario
    assert make("Cliff-Slacker-v0", problems=2).mdp.num_states == scenario.mdp.num_states
    assert set(playing(make("Cliff-Slacker-v0", oracle=False))[1][-1]) == {"action_mask"}


@pytest.mark.parametrize(
    ("objectives", "kind", "message"),
    [
        ("correct", TypeError, "objectives must be a mapping or sequence of component names, got 'correct'"),
        (3, TypeError, "objectives must be a mapping or sequence of component names, got 3"),
        ({"correct"}, TypeError, "objectives must be a mapping or sequence of component names, got {'correct'}"),
        ([], ValueError, "objectives must be different components, at least one, got "),
        ({}, ValueError, "objectives must be different components, at least one, got "),
        (["correct", "correct"], ValueError, r"different components, at least one, got \['correct', 'correct'\]"),
        (["style"], ValueError, r'component must be one of "correct", .*, got \'style\''),
        ({"correct": 0}, ValueError, "factor of 'correct' must not be 0, got 0"),
        ({"correct": np.nan}, ValueError, "factor of 'correct' must be finite, got nan"),
        ({"correct": "1"}, TypeError, "factor of 'correct' must be a number, got '1'"),
        ({"correct": True}, TypeError, "factor of 'correct' must be a number, got True"),
    ],
)
def test_bad_objectives_are_refused(objectives: Any, kind: type[Exception], message: str) -> None:
    with pytest.raises(kind, match=message):
        CliffMOEnv("Cliff-Slacker-v0", objectives)


def test_rewards_are_not_to_be_set() -> None:
    env = make("Cliff-Slacker-v0")
    message = r'reward must not be set where a vector is paid \("correct", "instructions", "effort"\), got \'true\''
    with pytest.raises(ValueError, match=message):
        env.set_reward("true")
    with pytest.raises(ValueError, match=message):
        env.reset(options={"reward": "true"})
    assert env.reset(options={"prompt": 2})[0] == 2
    assert env.reward_name == "incomplete"


def test_a_reward_is_no_argument() -> None:
    with pytest.raises((TypeError, ValueError), match="reward"):
        gym.make("mo-Cliff-Slacker-v0", reward="true")


def test_unknown_arguments_are_refused() -> None:
    with pytest.raises(TypeError, match="colour"):
        gym.make("mo-Cliff-Slacker-v0", colour="red")
    with pytest.raises(ValueError, match="'Cliff-Nothing-v0'"):
        CliffMOEnv("Cliff-Nothing-v0")


def test_a_step_needs_a_reset() -> None:
    env = make("Cliff-MultiReward-v0")
    with pytest.raises(ResetNeeded, match="call reset first"):
        env.step(0)
    env.reset(seed=0)
    with pytest.raises(ValueError, match=r"action must be in \[0, 2\]"):
        env.step(3)
    with pytest.raises(TypeError, match="action must be an integer"):
        env.step(0.5)  # type: ignore[arg-type]
    env.step(0)
    with pytest.raises(ResetNeeded, match="call reset first"):
        env.step(0)


# Copies


OBJECTIVES: list[Any] = [None, {"correct": 1, "effort": -0.5}, ["instructions", "malformed"], ("effort",)]


def by_spec(env: Env) -> Env:
    assert env.spec is not None
    return gym.make(env.spec)


def by_json(env: Env) -> Env:
    assert env.spec is not None
    return gym.make(EnvSpec.from_json(env.spec.to_json()))


def by_pickle(env: Env) -> Env:
    return pickle.loads(pickle.dumps(env))


@pytest.mark.parametrize("duplicate", [by_spec, by_json, by_pickle, copy.deepcopy])
@pytest.mark.parametrize("objectives", OBJECTIVES)
def test_a_duplicate_pays_the_same(objectives: Any, duplicate: Callable[[Env], Env]) -> None:
    env = make("Cliff-Slacker-v0", objectives=objectives, problems=2, observation="tokens")
    other = duplicate(env)
    assert isinstance(other, CliffMOEnv)
    assert list(other.objectives.items()) == list(env.objectives.items())
    assert other.reward_space == env.reward_space
    np.testing.assert_equal(playing(other), playing(env))
    with pytest.raises(ValueError, match="reward must not be set"):
        other.set_reward("true")


@pytest.mark.parametrize("duplicate", [by_pickle, copy.deepcopy])
@every_id
def test_a_copy_goes_on_where_the_original_is(id: str, duplicate: Callable[[Env], Env]) -> None:
    env = make(id)
    env.reset(seed=0)
    other, draw, over = duplicate(env), np.random.default_rng(0), False
    while not over:
        token = int(draw.integers(env.mdp.num_actions))
        step = env.step(token)
        np.testing.assert_equal(other.step(token), step)
        over = step[2]
    np.testing.assert_equal(other.reset(), env.reset())


# MO-Gymnasium


@every_id
def test_mo_gymnasium_makes_the_same(id: str) -> None:
    env = mo_gymnasium.make(f"cliffgym:mo-{id}")  # type: ignore[attr-defined]
    assert isinstance(env.unwrapped, CliffMOEnv)
    np.testing.assert_equal(playing(env), playing(make(id)))


@pytest.mark.parametrize(("id", "reward"), WEIGHTINGS)
def test_a_weighted_vector_is_the_reward_that_weighs_the_same(id: str, reward: str) -> None:
    env = make(id)
    weights = weights_of(env, env.scenario.rewards[reward])
    weighted = playing(mo.LinearReward(env, weight=weights), 150)
    scalar = playing(gym.make(id, reward=reward), 150)
    for mine, theirs in zip(weighted, scalar, strict=True):
        if len(mine) == 2:
            np.testing.assert_equal(mine, theirs)
            continue
        assert mine[3] == pytest.approx(theirs[3], rel=1e-13, abs=1e-15)
        np.testing.assert_equal(mine[:3] + mine[4:6], theirs[:3] + theirs[4:6])
        np.testing.assert_array_equal(mine[6]["reward_weights"], weights)


def test_enough_rewards_weigh_objectives() -> None:
    named = {(id.removeprefix("Cliff-").removesuffix("-v0"), name) for id, name in WEIGHTINGS}
    assert named >= {
        ("Slacker", "true"),
        ("Slacker", "lazy"),
        ("LengthPenalty", "true"),
        ("Obedience", "true"),
        ("MultiReward", "fixed"),
        ("Garnet", "true"),
    }


@every_id
def test_objectives_are_what_the_true_reward_weighs_and_more(id: str) -> None:
    scenario = cliffgym.scenario(id)
    assert scenario.objectives
    assert set(scenario.objectives.values()) <= {1.0, -1.0}
    for name, factor in scenario.objectives.items():
        assert scenario.components[name].any()
        assert scenario.rewards["true"].get(name, factor) * factor > 0  # more of it is better


@every_id
def test_mo_statistics_sum_vectors(id: str) -> None:
    env = make(id)
    gamma = env.mdp.gamma
    recorded = mo.MORecordEpisodeStatistics(env, gamma=gamma)
    total, discounted, weight, episodes = np.zeros(2), np.zeros(2), 1.0, 0
    for step in playing(recorded, 150):
        if len(step) == 2:
            total, discounted, weight = np.zeros(len(env.objectives)), np.zeros(len(env.objectives)), 1.0
            continue
        total, discounted, weight = total + step[3], discounted + weight * step[3], weight * gamma
        assert ("episode" in step[6]) == step[4]
        if step[4]:
            episodes += 1
            np.testing.assert_allclose(step[6]["episode"]["r"], total, rtol=1e-5, atol=1e-6)  # float32
            np.testing.assert_allclose(step[6]["episode"]["dr"], discounted, rtol=1e-5, atol=1e-6)
    assert episodes > 3


def test_one_objective_is_normalised_and_the_others_stay() -> None:
    # The wrapper writes into the vector that it gets.
    ours = playing(mo.MONormalizeReward(make("Cliff-Slacker-v0"), idx=1), 600)
    plain = playing(make("Cliff-Slacker-v0"), 600)
    changed = 0
    for mine, theirs in zip(steps_of(ours), steps_of(plain), strict=True):
        np.testing.assert_array_equal(mine[3][[0, 2]], theirs[3][[0, 2]])
        changed += mine[3][1] != theirs[3][1]
    assert changed > 3
    clipped = mo.MOClipReward(make("Cliff-Slacker-v0"), idx=2, min_r=-1, max_r=0)
    assert min(step[3][2] for step in steps_of(playing(clipped, 600))) == -1
    assert min(step[3][2] for step in steps_of(playing(make("Cliff-Slacker-v0"), 600))) == -2


@every_id
def test_mo_vector_env_is_the_single_environments_side_by_side(id: str) -> None:
    vector = MOSyncVectorEnv([lambda: make(id) for _ in range(3)])  # type: ignore[arg-type]
    singles = [make(id) for _ in range(3)]
    seen = vector.reset(seed=40)[0]
    np.testing.assert_array_equal(seen, [single.reset(seed=40 + i)[0] for i, single in enumerate(singles)])
    draw, over = np.random.default_rng(0), [False] * 3
    for _ in range(40):
        actions = draw.integers(singles[0].mdp.num_actions, size=3)
        seen, rewards, terminated, truncated, _ = vector.step(actions)
        assert rewards.shape == (3, len(singles[0].objectives))
        assert not np.any(truncated)
        for i, single in enumerate(singles):
            if over[i]:  # this call only resets
                look, reward, over[i] = single.reset()[0], np.zeros(len(single.objectives)), False
            else:
                look, reward, over[i], _, _ = single.step(actions[i])
            assert (seen[i], terminated[i]) == (look, over[i])
            np.testing.assert_array_equal(rewards[i], reward.astype(np.float32))
    vector.close()


# Fronts


@pytest.mark.parametrize("gamma", [None, 0.5])
def test_the_front_is_that_of_the_objectives(gamma: float | None) -> None:
    env = make("Cliff-LengthPenalty-v0")
    scenario = cliffgym.scenario("Cliff-LengthPenalty-v0", **({} if gamma is None else {"gamma": gamma}))
    front = env.pareto_front(gamma)
    assert isinstance(front, list)
    expected = cliffgym.pareto_front(scenario.mdp, scenario.components, {"correct": 1, "length": -1})
    np.testing.assert_array_equal(front, expected.values)
    if gamma is None:
        np.testing.assert_allclose(front, [[1, -2.5], [0.75, -1.5], [0.5, -0.75], [0.25, -0.25], [0, 0]], atol=1e-12)


def test_a_graph_has_no_front() -> None:
    with pytest.raises(ValueError, match="mdp must be a tree of traces"):
        make("Cliff-Garnet-v0").pareto_front()


# The package


def test_every_scenario_is_registered_a_second_time() -> None:
    registered = [id for id in gym.registry if id.startswith("mo-Cliff-")]
    assert registered == [f"mo-{id}" for id in IDS]
    before = {id: gym.registry[id] for id in registered}
    cliffgym.register_envs()
    assert all(gym.registry[id] is before[id] for id in registered)


def test_mo_gymnasium_is_not_needed(tmp_path: Path) -> None:
    program = "\n".join(
        [
            "import sys, gymnasium, cliffgym",
            "env = gymnasium.make('mo-Cliff-Slacker-v0')",
            "env.reset(seed=0)",
            "env.step(0)",
            "env.unwrapped.pareto_front()",
            "print('mo_gymnasium' in sys.modules)",
        ]
    )
    result = subprocess.run(
        [sys.executable, "-W", "error", "-c", program], cwd=tmp_path, check=True, capture_output=True, text=True
    )
    assert result.stdout.strip() == "False"


def test_transcripts_show_the_incomplete_reward() -> None:
    env, plain = make("Cliff-Slacker-v0", render_mode="ansi"), gym.make("Cliff-Slacker-v0", render_mode="ansi")
    for each in (env, plain):
        each.reset(seed=0)
        each.step(0)
    assert env.render() == plain.render()


def test_tables_of_ones_own_make_vectors() -> None:
    """Nothing but the credits of a scenario matters: here they are any numbers."""
    slacker = cliffgym.scenario("Cliff-Slacker-v0")
    parts = cliffgym.RewardComponents(("a", "b"), np.stack([random_reward(slacker.mdp, seed) for seed in (1, 2)]))
    own = cliffgym.Scenario(
        **{name: getattr(slacker, name) for name in ("id", "mdp", "prompts", "prompt_states", "state_prompts")},
        **{name: getattr(slacker, name) for name in ("state_tokens", "outcomes", "token_texts")},
        components=parts,
        rewards={"incomplete": {"a": 1.0}, "true": {"a": 1.0, "b": -0.5}},
    )
    env = CliffMOEnv(own)
    assert env.objectives == {"a": 1.0, "b": -1.0}
    for world, token, _, reward, *_ in steps_of(playing(env)):
        np.testing.assert_array_equal(reward, [parts["a"][world, token], -parts["b"][world, token]])


@pytest.mark.parametrize(
    ("id", "arguments"),
    [
        ("Cliff-TieBreaker-v0", {"bonus": 0.0}),
        ("Cliff-TieBreaker-v0", {"bonus": -0.1}),
        ("Cliff-Sophistry-v0", {"gullibility": 0.0}),
        ("Cliff-Deception-v0", {"pressure": 0.0}),
        ("Cliff-Slacker-v0", {"effort_cost": 0.0}),
        ("Cliff-LengthPenalty-v0", {"penalty": -0.1}),
    ],
)
def test_objectives_do_not_depend_on_what_a_reward_weighs_them_with(id: str, arguments: dict[str, Any]) -> None:
    assert cliffgym.scenario(id, **arguments).objectives == cliffgym.scenario(id).objectives


def test_gym_make_vec_says_what_to_use_instead() -> None:
    with pytest.raises(ValueError, match="MOSyncVectorEnv, or CliffVectorEnv"):
        gym.make_vec("mo-Cliff-Slacker-v0", num_envs=2)
