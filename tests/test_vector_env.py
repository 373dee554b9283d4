"""The native vector environment is its single environments side by side, whatever their number and the kernel."""

import copy
import dataclasses
import gc
import itertools
import json
import pickle
import tracemalloc
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium import wrappers
from gymnasium.envs.registration import EnvSpec
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from numpy.typing import NDArray

import cliffgym
from cliffgym import CliffEnv, CliffVectorEnv, Scenario
from cliffgym.envs.vector_env import AUTORESET_MODES

IDS = list(cliffgym.SCENARIOS)
KERNELS = ("numpy", "numba")
MODES = list(AUTORESET_MODES)
GRAMMARS = [id for id in IDS if cliffgym.scenario(id).state_tokens.size]  # whose states are the tokens so far

every_id = pytest.mark.parametrize("id", IDS)
every_kernel = pytest.mark.parametrize("kernel", KERNELS)
every_mode = pytest.mark.parametrize("mode", MODES)
every_copy = pytest.mark.parametrize(
    "duplicate", [copy.deepcopy, lambda env: pickle.loads(pickle.dumps(env))], ids=["deepcopy", "pickle"]
)


@cache
def scenario(id: str, slips: bool = False) -> Scenario:
    """A registered scenario, made once; the one of random transitions is small here, and branches."""
    made = cliffgym.scenario(id, **({"states": 12, "branching": 3} if id == "Cliff-Garnet-v0" else {}))
    return slippery(made) if slips else made


def slippery(scenario: Scenario) -> Scenario:
    """The scenario on a keyboard that one time in five emits the next token in place of the one that was meant."""
    meant, odds = scenario.mdp.successors, scenario.mdp.probabilities
    empty = np.zeros_like(meant[:, :, :1])  # a slot of probability 0, which leads to the first state
    slots = [empty, meant, empty, np.roll(meant, -1, axis=1), empty]
    chances = [empty, 0.8 * odds, empty, 0.2 * np.roll(odds, -1, axis=1), empty]
    mdp = dataclasses.replace(
        scenario.mdp, successors=np.concatenate(slots, axis=2), probabilities=np.concatenate(chances, axis=2)
    )
    return dataclasses.replace(scenario, mdp=mdp)


def some_weights(scenario: Scenario) -> dict[str, float]:
    """A reward that has no name."""
    first, *_, last = scenario.components.names
    return {first: 2.0, last: -0.3}


def some_table(scenario: Scenario) -> NDArray[np.float64]:
    """(S, A) another number for every pair."""
    table = np.random.default_rng(0).normal(size=(scenario.mdp.num_states, scenario.mdp.num_actions))
    table[scenario.mdp.terminal] = 0.0
    return table


def mostly_legal(masks: NDArray[np.int8], draw: np.random.Generator) -> NDArray[np.int64]:
    """(N,) actions, of which some may not be allowed, so that traces end soon and late."""
    legal = (masks * draw.random(masks.shape)).argmax(axis=1)
    return np.where(draw.random(len(masks)) < 0.9, legal, draw.integers(masks.shape[1], size=len(masks)))


# Beside Gymnasium's own vector environment


def check_same(native: Any, sync: Any, mask: NDArray[np.bool_] | None = None, place: str = "result") -> None:
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


def beside(scenario: Scenario, count: int, mode: str, **kwargs: Any) -> tuple[list[CliffVectorEnv], SyncVectorEnv]:
    """The native environment with each kernel, and Gymnasium's."""
    natives = [CliffVectorEnv(scenario, count, autoreset_mode=mode, kernel=kernel, **kwargs) for kernel in KERNELS]
    sync = SyncVectorEnv([lambda: CliffEnv(scenario, **kwargs)] * count, autoreset_mode=AUTORESET_MODES[mode])
    return natives, sync


def check_reset(natives: list[CliffVectorEnv], sync: SyncVectorEnv, seed: Any = None, **options: Any) -> Any:
    """Resets all; Gymnasium's takes its mask out of the options that it is given. Returns the masks of actions."""
    results = [native.reset(seed=seed, options=dict(options)) for native in natives]
    expected = sync.reset(seed=seed, options=dict(options))
    for result in results:
        check_same(result, expected)
    return results[0][1]["action_mask"]


def check_steps(
    natives: list[CliffVectorEnv], sync: SyncVectorEnv, draw: np.random.Generator, masks: Any, steps: int = 40
) -> int:
    """Takes some steps; where the next trace must be asked for, asks. Returns how many traces ended."""
    ends = 0
    for _ in range(steps):
        actions = mostly_legal(masks, draw)
        results = [native.step(actions) for native in natives]
        expected = sync.step(actions)
        for result in results:
            check_same(result, expected)
        masks, ended = results[0][4]["action_mask"], results[0][2].copy()
        ends += int(ended.sum())
        if sync.autoreset_mode == AutoresetMode.DISABLED and ended.any():
            masks = check_reset(natives, sync, reset_mask=ended | (draw.random(ended.size) < 0.1))
    return ends


@every_mode
@pytest.mark.parametrize("slips", [False, True], ids=["as it is", "slippery"])
@every_id
def test_it_is_the_single_environments_side_by_side(id: str, slips: bool, mode: str) -> None:
    made = scenario(id, slips)
    for count, observation, oracle, reward in (
        (1, "onehot", True, "true"),
        (2, "state", False, some_table(made)),
        (3, "tokens" if id in GRAMMARS else "onehot", False, some_weights(made)),
        (5, "state", True, "incomplete"),
        (4, "tokens" if id in GRAMMARS else "state", True, some_table(made)),
    ):
        natives, sync = beside(made, count, mode, observation=observation, oracle=oracle, reward=reward)
        for native in natives:
            assert native.single_observation_space == sync.single_observation_space
            assert native.observation_space == sync.observation_space
            assert native.single_action_space == sync.single_action_space
            assert native.action_space == sync.action_space
            assert native.metadata["autoreset_mode"] == sync.metadata["autoreset_mode"]
        masks = check_reset(natives, sync, seed=11)
        assert check_steps(natives, sync, np.random.default_rng(count), masks) >= 2 * count


@every_mode
def test_what_tables_say_of_ended_traces_is_never_paid(mode: str) -> None:
    made = scenario("Cliff-Slacker-v0")
    table = made.components.table.copy()
    table[:, made.mdp.terminal] = 7.0
    odd = dataclasses.replace(made, components=cliffgym.RewardComponents(made.components.names, table))
    natives, sync = beside(odd, 5, mode, reward=some_weights(odd))
    assert check_steps(natives, sync, np.random.default_rng(0), check_reset(natives, sync, seed=0)) > 10
    for native in natives:
        native.reset(options={"prompt": 0})
        malformed = np.full(5, made.tokens.index("comply"))
        assert native.step_states(malformed).ended.all()
        if mode == "next_step":
            stepped = native.step_states(malformed)  # in which all only begin anew
            assert not stepped.ended.any()
            assert not stepped.rewards.any()
            assert not stepped.credits.any()


SEEDS = [None, 0, 2**63 - 2, 2**64 - 1, 3**100, [5, None, 2**64, None], [None] * 4, [7, 7, 7, 7], [2**64 - 1, 3, 2, 1]]


@every_mode
@pytest.mark.parametrize("id", ["Cliff-Sophistry-v0", "Cliff-Garnet-v0"])
def test_resets_begin_the_same_traces(id: str, mode: str) -> None:
    made = scenario(id, slips=True)
    natives, sync = beside(made, 4, mode)
    draw = np.random.default_rng(0)
    check_reset(natives, sync, seed=1)
    last = len(made.prompts) - 1
    some, one = np.array([True, False, True, True]), np.array([False, False, True, False])
    for seed, options in itertools.product(
        SEEDS, [{"reward": "true"}, {"prompt": last}, {"reset_mask": some}, {"reset_mask": one, "prompt": 0}]
    ):
        check_reset(natives, sync, seed=[2, None, 4, 5])
        check_steps(natives, sync, draw, check_reset(natives, sync), steps=10)
        masks = check_reset(natives, sync, seed, **options)
        check_steps(natives, sync, draw, masks, steps=15)


@every_mode
@every_kernel
def test_each_copy_can_have_a_prompt_of_its_own(kernel: str, mode: str) -> None:
    made = scenario("Cliff-LengthPenalty-v0", slips=True)
    envs = CliffVectorEnv(made, 5, autoreset_mode=mode, kernel=kernel)
    singles = [CliffEnv(made) for _ in range(5)]
    envs.reset(seed=20)
    for place, single in enumerate(singles):
        single.reset(seed=20 + place)
    for prompts in ([3, 1, 1, 0, 2], (0, 0, 0, 0, 0), np.array([1, 2, 3, 0, 1], dtype=np.int8), [np.int64(2)] * 5):
        seen, _ = envs.reset(options={"prompt": prompts})
        expected = [single.reset(options={"prompt": int(p)})[0] for single, p in zip(singles, prompts, strict=True)]
        assert seen.tolist() == made.prompt_states[np.array(prompts)].tolist() == expected
        steps = [single.step(0) for single in singles]
        begun = [
            single.reset()[0] if step[2] and mode == "same_step" else step[0]
            for single, step in zip(singles, steps, strict=True)
        ]
        assert envs.step(np.zeros(5, dtype=int))[0].tolist() == begun
    assert envs.reset()[0].tolist() == [single.reset()[0] for single in singles]  # none was drawn in the meantime


@every_kernel
def test_values_of_the_next_trace_are_not_those_of_the_last_one(kernel: str) -> None:
    # Who clears in place what a mask does not let mean anything must not clear what the last trace was paid.
    made = scenario("Cliff-Slacker-v0")
    envs, plain = (CliffVectorEnv(made, 6, autoreset_mode="same_step", kernel=kernel) for _ in range(2))
    envs.reset(seed=0)
    plain.reset(seed=0)
    for actions in np.random.default_rng(0).integers(made.mdp.num_actions, size=(20, 6)):
        infos, expected = envs.step(actions)[4], plain.step(actions)[4]
        for name in ("true_reward", "incomplete_reward", "action_mask"):
            if name in infos:
                infos[name][~infos[f"_{name}"]] = 0
                infos[name][infos[f"_{name}"]] += 1
        if "final_info" in infos:
            check_same(infos["final_info"], expected["final_info"])


@every_kernel
def test_prompts_of_copies_that_are_not_reset_are_left_alone(kernel: str) -> None:
    envs = CliffVectorEnv(scenario("Cliff-Slacker-v0"), 4, kernel=kernel)
    envs.reset(seed=0, options={"prompt": [0, 1, 2, 3]})
    mask = np.array([False, True, True, False])
    seen, infos = envs.reset(options={"prompt": [3, 2, 0, 0], "reset_mask": mask})
    assert seen.tolist() == [0, 2, 0, 3]
    assert infos["_action_mask"].tolist() == mask.tolist()


@every_id
@every_kernel
def test_masks_and_tables_are_those_of_the_single_environment(kernel: str, id: str) -> None:
    for observation in ("state", "onehot", "tokens") if id in GRAMMARS else ("state", "onehot"):
        envs, single = (make(scenario(id), observation=observation) for make in (CliffVectorEnv, CliffEnv))
        assert np.array_equal(envs.observations(), single.observations())
    envs, draw = CliffVectorEnv(scenario(id), 6, kernel=kernel), np.random.default_rng(0)
    _, infos = envs.reset(seed=0)
    for _ in range(20):
        masks = envs.action_masks()
        assert masks.dtype == np.bool_
        assert np.array_equal(masks, infos["action_mask"])
        assert np.array_equal(masks, envs.mdp.action_mask[envs.states])
        seen, *_, infos = envs.step(mostly_legal(infos["action_mask"], draw))
        assert np.array_equal(seen, envs.states)


@every_mode
@every_kernel
def test_bare_steps_are_those_of_step(kernel: str, mode: str) -> None:
    made = scenario("Cliff-TieBreaker-v0", slips=True)
    envs, bare = (CliffVectorEnv(made, 5, "true", autoreset_mode=mode, kernel=kernel) for _ in range(2))
    masks, draw = envs.reset(seed=0)[1]["action_mask"], np.random.default_rng(0)
    bare.reset(seed=0)
    for _ in range(30):
        actions = mostly_legal(masks, draw)
        seen, rewards, ended, _, infos = envs.step(actions)
        stepped = bare.step_states(actions)
        masks = infos["action_mask"]
        check_same([seen, rewards, ended, masks], [stepped.observed, stepped.rewards, stepped.ended, stepped.masks])
        if ended.any():
            final = infos["final_obs"][ended] if mode == "same_step" else seen[ended]
            assert stepped.following[ended].tolist() == final.tolist()
        if mode == "disabled" and ended.any():
            for each in (envs, bare):
                masks = each.reset(options={"reset_mask": ended})[1]["action_mask"]


# Seeds


def test_seeds_of_ones_own_beside_drawn_ones() -> None:
    made = scenario("Cliff-LengthControl-v0")
    envs, same = CliffVectorEnv(made, 40), CliffVectorEnv(made, 40)
    seeds: list[int | None] = [None] * 40
    seeds[3] = 17
    starts = [[each.reset(seed=seeds)[0]] + [each.reset()[0] for _ in range(20)] for each in (envs, same)]
    first, second = np.array(starts[0]), np.array(starts[1])
    assert np.array_equal(first[:, 3], second[:, 3])
    assert not np.array_equal(first, second)  # the others come from the system's entropy
    assert len(np.unique(first, axis=1).T) == 40


def test_a_generator_of_ones_own_gives_the_seeds() -> None:
    made, starts = scenario("Cliff-LengthControl-v0"), []
    for seed in (1, 1, 2):
        envs = CliffVectorEnv(made, 100)
        envs.np_random = np.random.default_rng(seed)
        starts.append(envs.reset()[0].tolist())
    assert starts[0] == starts[1] != starts[2]
    assert len(set(starts[0])) > 6


def test_without_a_seed_two_environments_differ_and_with_one_they_do_not() -> None:
    envs = [CliffVectorEnv(scenario("Cliff-LengthControl-v0"), 200) for _ in range(2)]
    drawn, seeded, going_on = ([each.reset(seed=seed)[0].tolist() for each in envs] for seed in (None, 0, None))
    assert drawn[0] != drawn[1]
    assert seeded[0] == seeded[1]
    assert going_on[0] == going_on[1] != seeded[0]


# Rewards


@every_kernel
def test_a_reward_given_with_a_mask_is_paid_by_all_copies(kernel: str) -> None:
    envs = CliffVectorEnv(scenario("Cliff-Slacker-v0"), 2, kernel=kernel)
    envs.reset(seed=0)
    envs.reset(options={"reward": some_table(envs.scenario), "reset_mask": np.array([True, False])})
    expected = some_table(envs.scenario)[envs.states, [1, 2]]
    assert envs.step([1, 2])[1].tolist() == expected.tolist()


@every_kernel
def test_a_reward_swapped_within_a_trace_pays_from_the_next_token_on(kernel: str) -> None:
    made = scenario("Cliff-Slacker-v0")
    envs = CliffVectorEnv(made, 2, kernel=kernel)
    answer, comply = made.tokens.index("answer_0"), made.tokens.index("comply")
    envs.reset(options={"prompt": 0})
    paid = []
    for reward, token in (("incomplete", answer), ("lazy", comply), ({"effort": -1.0}, comply)):
        envs.set_reward(reward)
        _, rewards, _, _, infos = envs.step([token] * 2)
        paid.append(rewards.tolist())
    assert paid == [[0.0, 0.0], [0.0, 0.0], [-2.0, -2.0]]
    assert infos["true_reward"].tolist() == [2.0, 2.0]
    assert envs.reward_name == "custom"
    assert np.array_equal(envs.reward, made.reward({"effort": -1.0}))


@every_kernel
def test_the_reward_that_is_shown_is_the_one_that_is_paid(kernel: str) -> None:
    made = scenario("Cliff-Slacker-v0")
    envs, table = CliffVectorEnv(made, 2, kernel=kernel), some_table(made)
    assert np.array_equal(envs.reward, made.reward("incomplete"))
    envs.reset(options={"reward": table, "prompt": 0})
    table_before = table.copy()
    table[:] = 5.0
    assert np.array_equal(envs.reward, table_before)
    assert envs.step([1, 2])[1].tolist() == table_before[0, [1, 2]].tolist()
    with pytest.raises(ValueError, match="read-only"):
        envs.reward[0, 0] = 5.0


@every_copy
@every_kernel
def test_copies_show_the_reward_that_they_pay_too(kernel: str, duplicate: Callable[[Any], Any]) -> None:
    twin = duplicate(CliffVectorEnv(scenario("Cliff-Slacker-v0"), 2, kernel=kernel))
    with pytest.raises(ValueError, match="read-only"):
        twin.reward[0, 0] = 5.0


# Made by Gymnasium, and inside its wrappers


@every_id
def test_make_vec_makes_it(id: str) -> None:
    for name in (id, f"cliffgym:{id}"):
        envs = gym.make_vec(name, num_envs=3)
        assert type(envs) is CliffVectorEnv
        assert (envs.num_envs, envs.autoreset_mode, envs.kernel) == (3, AutoresetMode.NEXT_STEP, "numpy")
        assert envs.spec is not None
        assert envs.spec.id == id
        assert repr(envs) == f"CliffVectorEnv({id}, num_envs=3)"
        envs.close()
        assert envs.closed
        envs.close()


@every_id
def test_make_vec_can_still_be_told_to_make_gymnasiums(id: str) -> None:
    sync = gym.make_vec(id, num_envs=2, vectorization_mode="sync", reward="true")
    native = gym.make_vec(id, num_envs=2, vectorization_mode="vector_entry_point", reward="true")
    assert isinstance(sync, SyncVectorEnv)
    check_same(native.reset(seed=1), sync.reset(seed=1))
    check_same(native.step(np.zeros(2, dtype=int)), sync.step(np.zeros(2, dtype=int)))
    sync.close()


@pytest.mark.parametrize(("given", "mode"), [*AUTORESET_MODES.items(), *((m.value, m) for m in AutoresetMode)])
def test_metadata_say_the_autoreset_mode(given: str, mode: AutoresetMode) -> None:
    for kind in (given, mode):
        envs = gym.make_vec("Cliff-Slacker-v0", num_envs=2, autoreset_mode=kind)
        assert envs.metadata["autoreset_mode"] is mode


@every_id
def test_its_spec_survives_json(id: str) -> None:
    sizes = {**cliffgym.scenario(id).parameters, "gamma": 0.5}
    weights = some_weights(scenario(id))
    kwargs = {"reward": weights, "oracle": False, "observation": "onehot", "autoreset_mode": "same_step"}
    envs = gym.make_vec(id, num_envs=3, kernel="numpy", **kwargs, **sizes)
    assert envs.spec is not None
    assert json.loads(envs.spec.to_json())["kwargs"]["autoreset_mode"] == "same_step"
    twin = gym.make_vec(EnvSpec.from_json(envs.spec.to_json()))
    assert isinstance(twin, CliffVectorEnv)
    assert (twin.num_envs, twin.oracle, twin.observation, twin.kernel) == (3, False, "onehot", "numpy")
    assert twin.autoreset_mode == AutoresetMode.SAME_STEP
    assert twin.mdp.gamma == 0.5
    check_same(twin.reset(seed=2), envs.reset(seed=2))
    check_same(twin.step([0, 1, 0]), envs.step([0, 1, 0]))


def shifted(look: Any) -> Any:
    look *= 2.0  # in place, as careless functions do
    look -= 1.0
    return look


def shifted_one_by_one(envs: Any) -> Any:
    single = wrappers.TransformObservation
    return wrappers.vector.VectorizeTransformObservation(
        envs, single, func=shifted, observation_space=envs.single_observation_space
    )


def reversed_actions(envs: Any) -> Any:
    def backwards(actions: Any) -> Any:
        return actions[::-1]

    return wrappers.vector.TransformAction(envs, backwards)


LOOKS = ("state", "onehot", "tokens")
WRAPPERS: dict[str, tuple[Callable[[Any], Any], tuple[str, ...], tuple[str, ...]]] = {
    # and the modes for which Gymnasium offers them, around its own vector environments at least
    "RecordEpisodeStatistics": (wrappers.vector.RecordEpisodeStatistics, LOOKS, ("next_step", "same_step")),
    "ClipReward": (lambda envs: wrappers.vector.ClipReward(envs, -0.1, 0.1), LOOKS, (*MODES,)),
    "TransformReward": (lambda envs: wrappers.vector.TransformReward(envs, lambda pay: 10 * pay - 1), LOOKS, (*MODES,)),
    "NormalizeReward": (wrappers.vector.NormalizeReward, LOOKS, (*MODES,)),
    "TransformAction": (reversed_actions, LOOKS, (*MODES,)),
    "DictInfoToList": (wrappers.vector.DictInfoToList, LOOKS, (*MODES,)),
    "two for infos": (
        lambda envs: wrappers.vector.DictInfoToList(wrappers.vector.RecordEpisodeStatistics(envs)),
        LOOKS,
        ("next_step", "same_step"),
    ),
    "FlattenObservation": (wrappers.vector.FlattenObservation, LOOKS, ("next_step", "disabled")),
    "TransformObservation": (
        lambda envs: wrappers.vector.TransformObservation(envs, shifted),
        ("onehot",),
        ("next_step", "disabled"),
    ),
    "TransformObservation one by one": (shifted_one_by_one, ("onehot",), ("next_step", "disabled")),
}


def check_wrapped(ours: Any, theirs: Any) -> int:
    """Steps two wrapped vector environments side by side; returns how many traces ended."""
    count, mode = ours.num_envs, ours.unwrapped.autoreset_mode
    assert ours.observation_space == theirs.observation_space
    check_same(ours.reset(seed=1), theirs.reset(seed=1))
    draw, ends = np.random.default_rng(0), 0
    for _ in range(80):
        actions = (draw.random(count) < 0.3).astype(int)
        result, expected = (without_times(each.step(actions)) for each in (ours, theirs))
        check_same(result, expected)
        ended = expected[2].copy()
        ends += int(ended.sum())
        if mode == AutoresetMode.DISABLED and ended.any():
            check_same(*(each.reset(options={"reset_mask": ended.copy()}) for each in (ours, theirs)))
    return ends


def without_times(result: Any) -> Any:
    """A step's result in which no info says how many seconds an episode took."""
    for infos in result[4] if isinstance(result[4], list) else [result[4]]:
        infos.get("episode", {}).pop("t", None)
    return result


@pytest.mark.parametrize(("name", "mode"), [(name, mode) for name in WRAPPERS for mode in WRAPPERS[name][2]])
@every_kernel
def test_gymnasiums_wrappers_do_around_it_as_around_gymnasiums_own(kernel: str, name: str, mode: str) -> None:
    wrap, looks, _ = WRAPPERS[name]
    for observation in looks:
        made = scenario("Cliff-LengthPenalty-v0", True)
        natives, sync = beside(made, 4, mode, observation=observation, reward=some_weights(made))
        assert check_wrapped(wrap(natives[KERNELS.index(kernel)]), wrap(sync)) > 40


@every_mode
@every_kernel
def test_recorded_returns_are_those_of_the_traces(kernel: str, mode: str) -> None:
    made = scenario("Cliff-Garnet-v0")
    envs = wrappers.vector.RecordEpisodeStatistics(CliffVectorEnv(made, 3, autoreset_mode=mode, kernel=kernel))
    singles, draw = [CliffEnv(made) for _ in range(3)], np.random.default_rng(0)
    envs.reset(seed=6)
    for place, single in enumerate(singles):
        single.reset(seed=6 + place)
    totals, lengths, over, recorded = np.zeros(3), np.zeros(3, dtype=int), np.zeros(3, dtype=bool), 0
    for _ in range(150):
        actions = draw.integers(made.mdp.num_actions, size=3)
        _, _, ended, _, infos = envs.step(actions)
        for place, single in enumerate(singles):
            if over[place]:  # in the mode "next_step", a call that only begins the next trace
                continue
            totals[place] += single.step(actions[place])[1]
            lengths[place] += 1
        for place in np.flatnonzero(ended):
            assert infos["episode"]["r"][place] == pytest.approx(totals[place])
            assert infos["episode"]["l"][place] == lengths[place]
            singles[place].reset()
            totals[place], lengths[place], recorded = 0.0, 0, recorded + 1
        over = ended.copy() if mode == "next_step" else over
        if mode == "disabled" and ended.any():
            envs.reset(options={"reset_mask": ended.copy()})
    assert recorded > 30
    assert len(envs.return_queue) == min(recorded, 100)


# Memory


def growth(steps: Iterator[None], warm_up: int) -> int:
    """By how many bytes Python's and NumPy's memory grew over the steps after a warm-up."""
    tracemalloc.start()
    try:
        for _ in itertools.islice(steps, warm_up):
            pass
        gc.collect()
        before = tracemalloc.get_traced_memory()[0]
        for _ in steps:
            pass
        gc.collect()
        return tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()


def vector_steps(kernel: str, mode: str, calls: int) -> Iterator[None]:
    """Calls of 1,000 copies."""
    envs, count = CliffVectorEnv(scenario("Cliff-Slacker-v0"), 1000, kernel=kernel, autoreset_mode=mode), 1000
    actions = np.random.default_rng(0).integers(envs.mdp.num_actions, size=(64, count))
    envs.reset(seed=0)
    for call in range(calls):
        envs.step(actions[call % 64])
        yield


def rollouts(kernel: str, calls: int) -> Iterator[None]:
    """Rollouts of 1,000 copies and 50 steps."""
    envs = CliffVectorEnv(scenario("Cliff-Slacker-v0"), 1000, kernel=kernel)
    policy = cliffgym.uniform_policy(envs.mdp)
    envs.reset(seed=0)
    for _ in range(calls):
        envs.rollout(policy, 50)
        yield


def single_steps(calls: int) -> Iterator[None]:
    env = CliffEnv(scenario("Cliff-Slacker-v0", True))
    actions = np.random.default_rng(0).integers(env.mdp.num_actions, size=1000).tolist()
    env.reset(seed=0)
    for call in range(calls):
        if env.step(actions[call % 1000])[2]:
            env.reset()
        yield


@pytest.mark.parametrize(("kernel", "mode"), [("numpy", "next_step"), ("numba", "same_step")])
def test_memory_stays_what_it_is_over_ten_million_steps(kernel: str, mode: str) -> None:
    assert growth(vector_steps(kernel, mode, 10_000), warm_up=200) < 100_000


def test_memory_stays_what_it_is_over_ten_million_steps_of_compiled_rollouts() -> None:
    assert growth(rollouts("numba", 200), warm_up=20) < 100_000


def test_memory_stays_what_it_is_over_many_single_steps() -> None:
    assert growth(single_steps(100_000), warm_up=30_000) < 100_000


@pytest.mark.slow
def test_memory_stays_what_it_is_over_ten_million_single_steps() -> None:
    assert growth(single_steps(10_000_000), warm_up=30_000) < 100_000
