"""SB3 meets in `CliffVecEnv` the environments that it makes itself from a list of single ones, and cheap infos."""

import copy
import pickle
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch
from cliffgym_agents import CliffVecEnv, policy_table
from numpy.typing import NDArray
from sb3_contrib import MaskablePPO
from sb3_contrib.common.maskable.evaluation import evaluate_policy as evaluate_masked_policy
from sb3_contrib.common.maskable.utils import get_action_masks, is_masking_supported
from stable_baselines3 import A2C, DQN, PPO
from stable_baselines3.common.callbacks import BaseCallback, EvalCallback
from stable_baselines3.common.evaluation import evaluate_policy
from stable_baselines3.common.monitor import Monitor
from stable_baselines3.common.vec_env import (
    DummyVecEnv,
    VecCheckNan,
    VecEnv,
    VecFrameStack,
    VecMonitor,
    VecNormalize,
    is_vecenv_wrapped,
)

import cliffgym
from cliffgym import CliffEnv, End, Scenario, build_scenario, evaluate

IDS = list(cliffgym.SCENARIOS)
KERNELS = ("numpy", "numba")
SLACKER = "Cliff-Slacker-v0"
LOOKS = [  # a scenario whose states are not the tokens so far has no observation "tokens"
    (id, observation)
    for id in IDS
    for observation in ("state", "onehot", "tokens")
    if observation != "tokens" or cliffgym.scenario(id).state_tokens.size
]
SMALL: dict[Any, dict[str, Any]] = {  # so that every kind of model has been updated after a few hundred tokens
    PPO: {"n_steps": 32, "batch_size": 32, "learning_rate": 0.01},
    A2C: {"learning_rate": 0.01},
    DQN: {"learning_starts": 50, "learning_rate": 0.01, "train_freq": 2},
}

every_kernel = pytest.mark.parametrize("kernel", KERNELS)
every_model = pytest.mark.parametrize("kind", list(SMALL))
every_copy = pytest.mark.parametrize(
    "duplicate", [copy.deepcopy, lambda one: pickle.loads(pickle.dumps(one))], ids=["deepcopy", "pickle"]
)


def listed(id: str, n_envs: int = 5, **options: Any) -> DummyVecEnv:
    """What SB3 makes of single environments, each under its Monitor."""
    return DummyVecEnv([lambda: Monitor(gym.make(id, **options)) for _ in range(n_envs)])


def pair(id: str = SLACKER, n_envs: int = 5, kernel: str = "numpy", **options: Any) -> tuple[Any, Any]:
    """The same environments as a list and as a batch."""
    return listed(id, n_envs, **options), CliffVecEnv(id, n_envs, kernel=kernel, **options)


def seed_all(seed: int, *envs: VecEnv) -> None:
    for env in envs:
        env.seed(seed)


def drawn_actions(env: CliffVecEnv, generator: np.random.Generator) -> NDArray[np.int64]:
    """(N,) tokens, mostly legal ones: malformed traces end at once, and the others take their time."""
    masks = env.envs.action_masks() & (generator.random(env.num_envs) < 0.9)[:, None]
    return (generator.random(masks.shape) + masks).argmax(axis=1)


def same(first: Any, second: Any) -> bool:
    """Whether two arrays are equal in type, shape and entries."""
    return first.dtype == second.dtype and first.shape == second.shape and np.array_equal(first, second)


def assert_same_resets(dummy: Any, native: Any) -> None:
    assert same(dummy.reset(), native.reset())
    for single, own in zip(dummy.reset_infos, native.reset_infos, strict=True):
        assert single.keys() == own.keys() == {"action_mask"}
        assert same(single["action_mask"], own["action_mask"])


def assert_same_end(single: dict[str, Any], own: dict[str, Any], sums: dict[str, float]) -> None:
    """Whether an info says what the single environment and its Monitor say at the end, and the sums of the trace."""
    single, own = dict(single), dict(own)
    assert same(single.pop("action_mask"), own.pop("action_mask"))
    assert same(np.asarray(single.pop("terminal_observation")), np.asarray(own.pop("terminal_observation")))
    expected, episode = single.pop("episode"), own.pop("episode")
    assert episode.keys() == {"r", "l", "t"} | sums.keys()
    assert (type(episode["r"]), type(episode["l"]), type(episode["t"])) == (float, int, float)
    assert episode["l"] == expected["l"]
    assert episode["r"] == pytest.approx(expected["r"], abs=1e-6)
    assert {name: episode[name] for name in sums} == pytest.approx(sums)
    assert own == single  # TimeLimit.truncated, and from the oracle true_reward, components, outcome and so on


# Step by step


@every_kernel
@pytest.mark.parametrize("oracle", [True, False])
@pytest.mark.parametrize(("id", "observation"), LOOKS)
def test_it_steps_as_sb3s_own_list_of_environments(id: str, observation: str, oracle: bool, kernel: str) -> None:
    dummy, native = pair(id, kernel=kernel, oracle=oracle, observation=observation)
    assert (native.observation_space, native.action_space) == (dummy.observation_space, dummy.action_space)
    assert dummy.seed(11) == native.seed(11) == [11, 12, 13, 14, 15]
    assert_same_resets(dummy, native)
    names: list[Any] = ["true_reward", "incomplete_reward", *native.envs.scenario.components.names] if oracle else []
    sums: list[dict[str, float]] = [dict.fromkeys(names, 0.0) for _ in range(5)]
    generator = np.random.default_rng(0)
    num_ended = 0
    for _ in range(80):
        actions = drawn_actions(native, generator)
        *arrays, infos = dummy.step(actions)
        *own_arrays, own_infos = native.step(actions)
        assert all(same(first, second) for first, second in zip(arrays, own_arrays, strict=True))
        for i, ended in enumerate(own_arrays[2]):
            if oracle:
                credits = infos[i]["components"] | {name: infos[i][name] for name in names[:2]}
                sums[i] = {name: sums[i][name] + credits[name] for name in names}
            if ended:
                assert_same_end(infos[i], own_infos[i], sums[i])
                sums[i] = dict.fromkeys(names, 0.0)
                num_ended += 1
            else:
                assert own_infos[i] == {}
    assert num_ended > 10


@pytest.mark.parametrize("reward", ["true", {"correct": 0.1, "effort": -1 / 3}])
def test_it_pays_the_reward_that_it_was_made_with(reward: Any) -> None:
    dummy, native = pair(reward=reward)
    seed_all(0, dummy, native)
    assert_same_resets(dummy, native)
    generator = np.random.default_rng(1)
    for _ in range(50):
        actions = drawn_actions(native, generator)
        assert same(dummy.step(actions)[1], native.step(actions)[1])


def test_the_scenarios_own_arguments_and_objects_are_taken() -> None:
    by_name = CliffVecEnv(SLACKER, problems=2, gamma=0.9)
    assert len(by_name.envs.scenario.prompts) == 2
    assert by_name.envs.mdp.gamma == 0.9
    assert CliffVecEnv(by_name.envs.scenario).envs.scenario is by_name.envs.scenario


@every_kernel
@pytest.mark.parametrize("observation", ["state", "onehot", "tokens"])
def test_what_was_returned_is_the_callers(observation: str, kernel: str) -> None:
    kept: Any = CliffVecEnv(SLACKER, 6, observation=observation, kernel=kernel)
    spoilt: Any = copy.deepcopy(kept)
    seed_all(0, kept, spoilt)
    kept.reset()
    spoilt.reset()[:] = 0
    generator = np.random.default_rng(0)
    returned, copies = [], []
    for _ in range(20):
        actions = drawn_actions(kept, generator)
        returned.append(kept.step(actions))
        copies.append(copy.deepcopy(returned[-1]))
        observations, rewards, dones, infos = spoilt.step(actions)
        assert np.array_equal(observations, returned[-1][0])
        observations[:], rewards[:], dones[:] = 0, 7, True
        for info in infos:
            if info:
                info["terminal_observation"] += 1
                info["action_mask"][:] = 5
                info.clear()
    for (*arrays, infos), (*copied, copied_infos) in zip(returned, copies, strict=True):
        assert all(np.array_equal(first, second) for first, second in zip(arrays, copied, strict=True))
        assert str(infos) == str(copied_infos)


def test_the_clock_of_episodes_runs() -> None:
    env = CliffVecEnv(SLACKER)
    env.reset()
    times = [env.step(np.array([3]))[3][0]["episode"]["t"] for _ in range(3)]  # malformed: each token ends a trace
    assert 0 <= times[0] <= times[1] <= times[2] < 60


@every_copy
@every_kernel
def test_copies_go_on_by_themselves_from_where_it_is(kernel: str, duplicate: Callable[[Any], Any]) -> None:
    env: Any = CliffVecEnv("Cliff-Garnet-v0", 4, kernel=kernel)
    env.seed(0)
    env.reset()
    generator = np.random.default_rng(0)
    for _ in range(5):
        env.step(drawn_actions(env, generator))
    twin = duplicate(env)
    actions = [drawn_actions(env, generator) for _ in range(30)]
    seen, seen_by_twin = ([each.step(a) for a in actions] for each in (env, twin))
    for (*arrays, infos), (*others, other_infos) in zip(seen, seen_by_twin, strict=True):
        assert all(np.array_equal(first, second) for first, second in zip(arrays, others, strict=True))
        for info in (*infos, *other_infos):
            info.get("episode", {}).pop("t", None)
        assert str(infos) == str(other_infos)


# Resets


@every_kernel
def test_a_second_reset_goes_on_with_the_streams(kernel: str) -> None:
    dummy, native = pair("Cliff-LengthControl-v0", 20, kernel)
    seed_all(3, dummy, native)
    generator = np.random.default_rng(0)
    for _ in range(4):
        assert_same_resets(dummy, native)
        for _ in range(7):
            actions = drawn_actions(native, generator)
            assert np.array_equal(dummy.step(actions)[0], native.step(actions)[0])


def test_a_reset_forgets_the_traces_that_it_breaks_off() -> None:
    fresh, used = CliffVecEnv("Cliff-Garnet-v0", 3), CliffVecEnv("Cliff-Garnet-v0", 3)
    generator = np.random.default_rng(0)
    used.reset()
    for _ in range(2):
        used.step(drawn_actions(used, generator))
    first_ends = []
    for env in (fresh, used):
        env.seed(0)
        env.reset()
        infos = [info for _ in range(60) for info in env.step(np.array([0, 1, 2]))[3] if info]
        first_ends.append([{name: info["episode"][name] for name in ("r", "l", "component_0")} for info in infos])
    assert first_ends[0]
    assert first_ends[0] == first_ends[1]


def test_seeds_hold_for_one_reset() -> None:
    env = CliffVecEnv("Cliff-LengthControl-v0", 50)
    assert env.seed(4) == list(range(4, 54))
    first, second = env.reset(), env.reset()
    env.seed(4)
    assert np.array_equal(env.reset(), first)
    assert not np.array_equal(first, second)


def test_without_a_seed_runs_differ() -> None:
    starts = [tuple(CliffVecEnv("Cliff-LengthControl-v0", 50).reset().tolist()) for _ in range(3)]
    assert len(set(starts)) == 3


def test_options_hold_for_one_reset() -> None:
    env = CliffVecEnv("Cliff-LengthControl-v0", 50)
    env.set_options({"prompt": 2})
    assert len(set(env.reset().tolist())) == 1
    assert len(set(env.reset().tolist())) > 1


@pytest.mark.parametrize(
    "options",
    [
        {"prompt": 2},
        [{"prompt": i} for i in (3, 0, 1, 1, 2)],
        {"reward": "true"},
        {"reward": {"effort": 2.0}},
        {"reward": cliffgym.scenario(SLACKER).reward("lazy")},
        [{"prompt": i, "reward": cliffgym.scenario(SLACKER).reward("lazy")} for i in (3, 0, 1, 1, 2)],
        [{}, {}, {}, {}, {}],
        None,
    ],
    ids=["prompt", "prompts", "reward", "weights", "table", "prompts and table", "nothing", "none"],
)
def test_options_are_those_of_the_single_environment(options: Any) -> None:
    dummy, native = pair()
    seed_all(0, dummy, native)
    dummy.set_options(options)
    native.set_options(options)
    assert_same_resets(dummy, native)
    generator = np.random.default_rng(2)
    for _ in range(30):
        actions = drawn_actions(native, generator)
        first, second = dummy.step(actions), native.step(actions)
        assert np.array_equal(first[0], second[0])
        assert np.array_equal(first[1], second[1])


@every_kernel
@pytest.mark.parametrize(
    "options",
    [
        {"prompt": 4, "class": "general"},
        {"prompt": 4, "class": 0, "reward": "true"},
        [{"prompt": p, "class": k} for p, k in ((4, 2), (4, "safety"), (5, 1), (0, 0), (3, "values"))],
    ],
    ids=["name", "number", "each"],
)
def test_hidden_classes_are_asked_for_as_in_the_single_environment(options: Any, kernel: str) -> None:
    dummy, native = pair("Cliff-MultiReward-v0", kernel=kernel)
    seed_all(0, dummy, native)
    for actions in np.arange(15).reshape(3, 5) % 3:
        dummy.set_options(options)
        native.set_options(options)
        assert_same_resets(dummy, native)
        first, second = dummy.step(actions), native.step(actions)
        assert np.array_equal(first[1], second[1])
        assert [info["outcome"] for info in first[3]] == [info["outcome"] for info in second[3]]
        classes = [options] * 5 if isinstance(options, dict) else options
        for asked, info in zip(classes, second[3], strict=True):
            name = ("safety", "values", "general")[k] if isinstance(k := asked["class"], int) else k
            assert info["outcome"].endswith(f"({name} prompt)")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"promt": 1}, r"reset option must be one of \"prompt\", \"class\", \"reward\", got 'promt'"),
        ({"prompt": 0, "class": 0}, "class of environment 0 must be left out where prompts have no hidden classes"),
        ({"reset_mask": [True, True, True]}, r"reset option must be one of .*, got 'reset_mask'"),
        ({"prompt": 4}, r"prompt of environment 0 must be in \[0, 3\], got 4"),
        ([{"prompt": 0}, {"prompt": -1}, {"prompt": 0}], r"prompt of environment 1 must be in \[0, 3\], got -1"),
        ({"reward": "tru"}, "reward must be one of .*, got 'tru'"),
        ([{"prompt": 0}, {"prompt": 0}], "options must be one mapping or n_envs = 3 of them, got 2"),
        ([], "options must be one mapping or n_envs = 3 of them, got 0"),
        (
            [{"reward": "true"}, {"reward": "true"}, {"reward": "lazy"}],
            "options must be the same .*, got {'reward': 'true'} for environment 0 and {'reward': 'lazy'} for .* 2",
        ),
        ([{"prompt": 0}, {}, {"prompt": 0}], "options must be the same .* and {} for environment 1"),
        ([{}, {"prompt": 0}, {}], "options must be the same .* and {'prompt': 0} for environment 1"),
        ([{"prompt": 0, "class": 0}, {"prompt": 0}, {"prompt": 0}], "options must be the same .* for environment 1"),
    ],
)
def test_options_that_cannot_be_carried_out_are_refused(options: Any, message: str) -> None:
    env = CliffVecEnv(SLACKER, 3)
    env.reset()
    env.set_options(options)
    with pytest.raises(ValueError, match=message):
        env.reset()


# The info of those that go on


@pytest.fixture
def nothing() -> dict[str, Any]:
    """The info of an environment whose trace goes on."""
    env = CliffVecEnv(SLACKER, 2)
    env.set_options({"prompt": 0})
    env.reset()
    infos = env.step(np.array([0, 0]))[3]
    assert infos[0] is infos[1]
    return infos[0]


def test_the_empty_info_is_an_empty_dictionary(nothing: dict[str, Any]) -> None:
    assert isinstance(nothing, dict)
    assert nothing == {}
    assert nothing.get("episode") is None
    assert "episode" not in nothing
    assert {**nothing, "a": 1} == {"a": 1}
    assert nothing | {"a": 1} == {"a": 1}


def write_item(info: dict[str, Any]) -> None:
    info["a"] = 1


def write_merged(info: dict[str, Any]) -> None:
    info |= {"a": 1}


def delete_item(info: dict[str, Any]) -> None:
    del info["a"]


def write_attribute(info: Any) -> None:
    info.a = 1


@pytest.mark.parametrize(
    "write",
    [
        write_item,
        write_merged,
        delete_item,
        lambda info: info.update(a=1),
        lambda info: info.setdefault("a", 1),
        lambda info: info.pop("a", None),
        lambda info: info.popitem(),
        lambda info: info.clear(),
    ],
)
def test_the_empty_info_refuses_to_be_written_to(write: Callable[[Any], Any], nothing: dict[str, Any]) -> None:
    with pytest.raises(TypeError, match="shared by all: copy it before you write to it"):
        write(nothing)
    assert nothing == {}


def test_the_empty_info_takes_no_attributes(nothing: dict[str, Any]) -> None:
    with pytest.raises(AttributeError):
        write_attribute(nothing)


@pytest.mark.parametrize(
    "duplicate",
    [dict, dict.copy, copy.copy, copy.deepcopy, lambda one: pickle.loads(pickle.dumps(one))],
    ids=["dict", "method", "copy", "deepcopy", "pickle"],
)
def test_its_copies_are_plain_dictionaries(duplicate: Callable[[Any], Any], nothing: dict[str, Any]) -> None:
    twin = duplicate(nothing)
    assert type(twin) is dict
    twin["a"] = 1
    assert nothing == {}


def test_in_a_copied_list_of_infos_it_stays_read_only(nothing: dict[str, Any]) -> None:
    # deepcopy makes one copy of what stands in a list many times: were it writable, what is noted of one environment
    # would be noted of all.
    infos = copy.deepcopy([nothing, nothing])
    assert infos == [{}, {}]
    with pytest.raises(TypeError, match="shared by all"):
        infos[0]["a"] = 1


# What is refused


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"n_envs": 0}, ValueError, "n_envs must be >= 1, got 0"),
        ({"n_envs": 2.0}, TypeError, "n_envs must be an integer, got 2.0"),
        ({"scenario": "Cliff-Slack-v0"}, ValueError, "id must be one of .*, got 'Cliff-Slack-v0'"),
        ({"reward": "tru"}, ValueError, "reward must be one of .*, got 'tru'"),
        ({"observation": "pixels"}, ValueError, "observation must be one of .*, got 'pixels'"),
        ({"oracle": 1}, TypeError, "oracle must be True or False, got 1"),
        ({"kernel": "cuda"}, ValueError, "kernel must be one of .*, got 'cuda'"),
        ({"problem": 3}, TypeError, "keyword argument of Cliff-Slacker-v0 must be one of .*, got 'problem'"),
    ],
)
def test_what_makes_no_sense_is_refused(arguments: dict[str, Any], error: type[Exception], message: str) -> None:
    every: dict[str, Any] = {"scenario": SLACKER} | arguments
    with pytest.raises(error, match=message):
        CliffVecEnv(**every)


def scenario_with(component: str) -> Scenario:
    return build_scenario(
        id="Coin",
        prompts=["Call it."],
        tokens=["heads", "tails"],
        rule=lambda prompt, tokens: End("called", {component: float(tokens == ("heads",))}),
        components=[component],
        rewards={"incomplete": {component: 1.0}, "true": {component: 1.0}},
        gamma=1.0,
    )


@pytest.mark.parametrize("name", ["r", "l", "t", "true_reward", "incomplete_reward"])
def test_a_component_may_not_hide_an_entry_of_the_episode(name: str) -> None:
    with pytest.raises(ValueError, match=f'component must not be named as .*, got "{name}" of Coin'):
        CliffVecEnv(scenario_with(name))
    env = CliffVecEnv(scenario_with(name), oracle=False)
    env.reset()
    episode = env.step(np.array([0]))[3][0]["episode"]
    assert (episode["r"], episode["l"]) == (1.0, 1)


@pytest.mark.parametrize(
    ("actions", "error", "message"),
    [
        ([0, 1, 5], ValueError, r"actions must be in \[0, 4\] .*, got 5 in environment 2"),
        ([0, -1, 0], ValueError, r"actions must be in \[0, 4\] .*, got -1 in environment 1"),
        ([0, 1], ValueError, r"actions must have shape \(num_envs,\) = \(3,\), got \(2,\)"),
        ([[0], [1], [2]], ValueError, r"actions must have shape .*, got \(3, 1\)"),
        ([0.0, 1.0, 2.0], TypeError, "actions must be integers, got dtype float64"),
    ],
)
def test_actions_that_make_no_sense_are_refused(actions: Any, error: type[Exception], message: str) -> None:
    env = CliffVecEnv(SLACKER, 3)
    env.reset()
    with pytest.raises(error, match=message):
        env.step(np.array(actions))


def test_a_step_needs_a_reset() -> None:
    with pytest.raises(gym.error.ResetNeeded, match="call reset first"):
        CliffVecEnv(SLACKER).step(np.array([0]))


# SB3's questions


def test_attributes_are_those_of_the_vector_environment() -> None:
    env = CliffVecEnv(SLACKER, 3)
    assert env.get_attr("scenario") == [env.envs.scenario] * 3
    assert env.get_attr("scenario", indices=[0, -1]) == [env.envs.scenario] * 2
    assert env.get_attr("num_envs", indices=1) == [3]
    assert env.has_attr("action_masks")
    assert not env.has_attr("no_such_thing")
    assert env.render_mode is None
    assert env.unwrapped is env


def test_its_spaces_are_those_of_one_environment() -> None:
    dummy, native = pair(observation="onehot")
    for name in ("observation_space", "action_space"):
        assert native.get_attr(name) == dummy.get_attr(name) == [getattr(native, name)] * 5


def test_set_attr_sets_what_all_share() -> None:
    env = CliffVecEnv(SLACKER, 3)
    env.set_attr("note", "mine")
    env.set_attr("note", "ours", indices=[2, 1, 0])
    assert env.get_attr("note") == ["ours"] * 3
    with pytest.raises(ValueError, match=r"indices must be None for attribute 'note', which all .*, got \[1\]"):
        env.set_attr("note", "yours", indices=1)
    assert env.envs.note == "ours"  # type: ignore[attr-defined]


def test_methods_are_called_once_for_all() -> None:
    env = CliffVecEnv(SLACKER, 3)
    assert env.env_method("set_reward", "true") == [None] * 3
    assert env.envs.reward_name == "true"
    with pytest.raises(ValueError, match=r"indices must be None for method 'set_reward', .*, got \[0\]"):
        env.env_method("set_reward", "lazy", indices=0)
    assert env.envs.reward_name == "true"
    assert env.env_method("observations", indices=(i for i in range(3)))[2].shape == (env.envs.mdp.num_states,)


@pytest.mark.parametrize("method", ["reset", "step", "step_states", "rollout"])
def test_methods_that_would_falsify_the_episodes_are_refused(method: str) -> None:
    env = CliffVecEnv(SLACKER, 3)
    with pytest.raises(ValueError, match=f"method_name must not be one of .*, got '{method}'"):
        env.env_method(method)


def test_action_masks_come_row_by_row() -> None:
    env = CliffVecEnv(SLACKER, 3)
    env.set_options({"prompt": 1})
    env.reset()
    answers, instructions = [1, 1, 1, 0, 0], [0, 0, 0, 1, 1]
    assert is_masking_supported(env)
    assert get_action_masks(env).tolist() == [answers, answers, answers]
    env.step(np.array([1, 0, 1]))  # the one in the middle is wrong: its trace ends and the next one begins
    assert get_action_masks(env).tolist() == [instructions, answers, instructions]
    assert [row.tolist() for row in env.env_method("action_masks", indices=[-1, 1])] == [instructions, answers]


@pytest.mark.parametrize(
    "ask",
    [
        lambda env: env.get_attr("scenario", indices=3),
        lambda env: env.env_method("action_masks", indices=[0, 3]),
        lambda env: env.env_is_wrapped(Monitor, indices=-4),
    ],
)
def test_an_environment_that_there_is_not_is_refused(ask: Callable[[CliffVecEnv], Any]) -> None:
    env = CliffVecEnv(SLACKER, 3)
    env.reset()
    with pytest.raises(IndexError):
        ask(env)


def test_a_monitor_is_there_and_nothing_else() -> None:
    env = CliffVecEnv(SLACKER, 3)
    assert env.env_is_wrapped(Monitor) == [True, True, True]
    assert env.env_is_wrapped(gym.wrappers.TimeLimit, indices=[1]) == [False]
    assert not is_vecenv_wrapped(env, VecMonitor)


def test_there_is_nothing_to_render_and_it_can_be_closed_twice() -> None:
    env = CliffVecEnv(SLACKER)
    env.reset()
    with pytest.warns(UserWarning, match="no `render_mode` was passed"):
        assert env.render() is None
    env.close()
    env.close()


# SB3's own wrappers and programs


def wrapped(wrap: Callable[[VecEnv], VecEnv], **options: Any) -> tuple[Any, Any, Any]:
    """As `pair`, each wrapped, and the batch itself."""
    dummy, native = pair(**options)
    seed_all(5, dummy, native)
    return wrap(dummy), wrap(native), native


def test_vec_monitor_counts_the_same_episodes() -> None:
    with pytest.warns(UserWarning, match="already wrapped with a `Monitor`"):  # it writes over our episodes: true
        env = VecMonitor(CliffVecEnv(SLACKER, 5), info_keywords=("outcome", "true_reward"))
    plain = CliffVecEnv(SLACKER, 5)
    seed_all(0, env, plain)
    env.reset()
    plain.reset()
    generator = np.random.default_rng(0)
    for _ in range(50):
        actions = drawn_actions(plain, generator)
        dones, infos = plain.step(actions)[2:]
        for info, watched, done in zip(infos, env.step(actions)[3], dones, strict=True):
            assert ("episode" in watched) == done
            if done:
                assert watched["episode"]["r"] == pytest.approx(info["episode"]["r"])
                assert watched["episode"]["l"] == info["episode"]["l"]
                assert watched["episode"]["outcome"] == info["outcome"]


def test_vec_normalize_scales_the_same_rewards() -> None:
    dummy, env, native = wrapped(lambda venv: VecNormalize(venv, norm_obs=False, gamma=1.0), reward="true")
    assert np.array_equal(dummy.reset(), env.reset())
    generator = np.random.default_rng(0)
    for _ in range(60):
        actions = drawn_actions(native, generator)
        np.testing.assert_array_equal(dummy.step(actions)[1], env.step(actions)[1])


def test_vec_frame_stack_stacks_the_same_frames() -> None:
    dummy, env, native = wrapped(lambda venv: VecFrameStack(venv, 3), observation="onehot")
    assert np.array_equal(dummy.reset(), env.reset())
    generator = np.random.default_rng(0)
    for _ in range(40):
        actions = drawn_actions(native, generator)
        *arrays, infos = dummy.step(actions)
        *own, own_infos = env.step(actions)
        assert all(np.array_equal(first, second) for first, second in zip(arrays, own, strict=True))
        for info, own_info, done in zip(infos, own_infos, own[2], strict=True):
            if done:
                assert np.array_equal(info["terminal_observation"], own_info["terminal_observation"])


def test_vec_check_nan_finds_nothing() -> None:
    env = VecCheckNan(CliffVecEnv("Cliff-Garnet-v0", 4), raise_exception=True)
    env.reset()
    for _ in range(20):
        env.step(np.zeros(4, dtype=np.int64))


def untrained(env: VecEnv, kind: Any = PPO) -> Any:
    return kind("MlpPolicy", env, seed=0, device="cpu", **SMALL.get(kind, {"n_steps": 32}))


def test_evaluate_policy_reads_the_episodes() -> None:
    dummy, native = pair(reward="true")
    model = untrained(native)
    found = []
    for env in (dummy, native):
        env.seed(9)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            found.append(evaluate_policy(model, env, n_eval_episodes=23, return_episode_rewards=True))
    assert found[0] == found[1]
    assert len(found[1][0]) == 23


def test_an_eval_callback_runs_beside_training(tmp_path: Path) -> None:
    callback = EvalCallback(
        CliffVecEnv(SLACKER, 2, "true"), eval_freq=50, n_eval_episodes=8, log_path=str(tmp_path), verbose=0
    )
    untrained(CliffVecEnv(SLACKER, 4, "true", oracle=False)).learn(512, callback=callback)
    with np.load(tmp_path / "evaluations.npz") as archive:
        assert archive["results"].shape == (2, 8)


class Episodes(BaseCallback):
    """Keeps the episodes that the infos tell of."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[dict[str, Any]] = []

    def _on_step(self) -> bool:
        self.seen += [info["episode"] for info in self.locals["infos"] if "episode" in info]
        return True


@every_kernel
@every_model
def test_models_learn_the_same_as_on_sb3s_own_list(kind: Any, kernel: str) -> None:
    models = [untrained(env, kind).learn(600) for env in pair(n_envs=4, kernel=kernel, reward="true")]
    dummy, native = (model.policy.state_dict() for model in models)
    fresh = untrained(CliffVecEnv(SLACKER, 4), kind).policy.state_dict()
    assert all(torch.equal(dummy[name], native[name]) for name in dummy)
    assert any(not torch.equal(fresh[name], native[name]) for name in fresh)


@every_model
def test_callbacks_and_the_buffer_of_episodes_are_served(kind: Any) -> None:
    env, episodes = CliffVecEnv(SLACKER, 4, "true"), Episodes()
    model = untrained(env, kind).learn(600, callback=episodes)
    assert model.get_env() is env
    assert len(episodes.seen) > 100
    assert list(model.ep_info_buffer) == episodes.seen[-100:]
    for episode in episodes.seen:
        assert episode["r"] == episode["true_reward"] == episode["correct"] + episode["instructions"]


def test_maskable_ppo_learns_on_it() -> None:
    env = CliffVecEnv(SLACKER, 16, "true", oracle=False)
    model = MaskablePPO(
        "MlpPolicy", env, n_steps=32, batch_size=256, n_epochs=4, learning_rate=3e-3, gamma=1.0, seed=0, device="cpu"
    ).learn(20_000)
    single = CliffEnv(SLACKER)
    exact = evaluate(single.mdp, single.scenario.reward("true"), policy_table(model, single)).expected_return
    assert exact > 1.95
    found = evaluate_masked_policy(model, CliffVecEnv(SLACKER, 8, "true"), n_eval_episodes=16)
    assert isinstance(found[0], float)
    assert found[0] > 1.9


@every_model
def test_a_saved_model_is_loaded_onto_it(kind: Any, tmp_path: Path) -> None:
    env = CliffVecEnv(SLACKER, 4, "true")
    model = untrained(env, kind).learn(300)
    model.save(tmp_path / "model.zip")
    other = CliffVecEnv(SLACKER, 4, "true", kernel="numpy")
    loaded = kind.load(tmp_path / "model.zip", env=other, device="cpu")
    assert loaded.get_env() is other
    single = CliffEnv(SLACKER)
    assert np.array_equal(policy_table(loaded, single), policy_table(model, single))
    loaded.learn(300, reset_num_timesteps=False)
    assert loaded.num_timesteps >= 600
    with pytest.raises(ValueError, match="Observation spaces do not match"):
        kind.load(tmp_path / "model.zip", env=CliffVecEnv(SLACKER, 4, problems=2), device="cpu")
