"""Wrong input to the vector environment is refused with a message that says what was wrong, and changes nothing."""

import dataclasses
import re
from collections.abc import Callable
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.error import ResetNeeded
from gymnasium.vector import AutoresetMode

import cliffgym
from cliffgym import CliffVectorEnv, Scenario
from cliffgym.envs.vector_env import AUTORESET_MODES

IDS = list(cliffgym.SCENARIOS)
SLACKER = cliffgym.scenario("Cliff-Slacker-v0")
COUNT = 4

every_id = pytest.mark.parametrize("id", IDS)
every_kernel = pytest.mark.parametrize("kernel", ["numpy", "numba"])
every_mode = pytest.mark.parametrize("mode", AUTORESET_MODES)


def make(**kwargs: Any) -> CliffVectorEnv:
    return CliffVectorEnv(SLACKER, COUNT, **kwargs)


def all_of(*names: str) -> str:
    """A pattern for a message that lists names in this order."""
    return ".*".join(re.escape(f'"{name}"') for name in names)


def pair(**kwargs: Any) -> tuple[CliffVectorEnv, CliffVectorEnv]:
    """Two alike: in the first three copies a trace goes on, in the last one it has ended."""
    envs, twin = make(**kwargs), make(**kwargs)
    for each in (envs, twin):
        each.reset(seed=3)
        each.reset(options={"prompt": [0, 1, 2, 3]})
        each.step([0, 1, 2, 0])  # the right answers
        assert each.step([3, 3, 3, 0])[2].tolist() == [False, False, False, True]
    return envs, twin


def both(envs: CliffVectorEnv, twin: CliffVectorEnv, call: Callable[[CliffVectorEnv], Any]) -> None:
    """Fails unless a call returns the same from both."""
    np.testing.assert_equal(call(envs), call(twin))


def check_alike(envs: CliffVectorEnv, twin: CliffVectorEnv) -> None:
    """Fails unless both go on alike, in all that they show."""
    assert envs.reward_name == twin.reward_name
    assert np.array_equal(envs.reward, twin.reward)
    assert np.array_equal(envs.states, twin.states)
    disabled = envs.autoreset_mode == AutoresetMode.DISABLED
    both(envs, twin, lambda each: disabled and each.reset(options={"reset_mask": SLACKER.mdp.terminal[each.states]}))
    both(envs, twin, lambda each: each.step([3, 0, 4, 1]))
    both(envs, twin, lambda each: disabled or each.step([1, 2, 1, 1]))
    both(envs, twin, lambda each: each.reset())
    both(envs, twin, lambda each: vars(each.rollout(cliffgym.uniform_policy(SLACKER.mdp), 10)))
    assert envs.np_random_seed == twin.np_random_seed


# Making one


@pytest.mark.parametrize("bad", ["Cliff-Slacker-v1", "Slacker", "", None, 3, ["Cliff-Slacker-v0"]])
def test_unknown_id_lists_the_known_ones(bad: Any) -> None:
    with pytest.raises(ValueError, match=all_of(*IDS)):
        CliffVectorEnv(bad, 2)


@every_id
def test_unknown_keyword_lists_the_known_ones(id: str) -> None:
    own = ("num_envs", "reward", "oracle", "observation", "autoreset_mode", "kernel")
    known = all_of(*own, *cliffgym.scenario(id).parameters)
    for word in ("lenght", "max_episode_steps"):
        given: dict[str, Any] = {word: 3}
        with pytest.raises(TypeError, match=f"keyword argument of {id} must be one of {known}, got '{word}'"):
            gym.make_vec(id, num_envs=2, **given)


def test_pictures_are_referred_to_gymnasiums_own_vector_environment() -> None:
    with pytest.raises(ValueError, match=r"render_mode must be None in a native vector environment.*'ansi'.*sync"):
        gym.make_vec("Cliff-Slacker-v0", num_envs=2, render_mode="ansi")


def test_scenario_object_takes_no_further_keywords() -> None:
    with pytest.raises(TypeError, match='"problems"'):
        make(problems=3)


@pytest.mark.parametrize("bad", [True, False, 1.5, 2.0, "2", None, [2], np.array([2]), float("nan")], ids=repr)
def test_their_number_is_a_whole_number(bad: Any) -> None:
    with pytest.raises(TypeError, match="num_envs must be an integer, got"):
        CliffVectorEnv(SLACKER, bad)


@pytest.mark.parametrize("bad", [0, -1, -(10**20)])
def test_there_is_one_at_least(bad: int) -> None:
    with pytest.raises(ValueError, match=f"num_envs must be >= 1, got {bad}"):
        gym.make_vec("Cliff-Slacker-v0", num_envs=bad)


@pytest.mark.parametrize("bad", ["NEXT_STEP", "nextstep", "", None, 0, True, ["same_step"], np.zeros(3)], ids=repr)
def test_unknown_autoreset_mode_lists_the_known_ones(bad: Any) -> None:
    with pytest.raises(ValueError, match="autoreset_mode must be one of " + all_of(*AUTORESET_MODES)):
        make(autoreset_mode=bad)


@pytest.mark.parametrize("bad", [1, 0, "yes", None, np.True_], ids=repr)
def test_oracle_must_be_true_or_false(bad: Any) -> None:
    with pytest.raises(TypeError, match="oracle must be True or False"):
        make(oracle=bad)


@pytest.mark.parametrize("bad", ["pixels", "", None, 0, ["state"]], ids=repr)
def test_unknown_observation_lists_the_known_ones(bad: Any) -> None:
    with pytest.raises(ValueError, match="observation must be one of " + all_of("state", "onehot", "tokens")):
        make(observation=bad)


def test_tokens_are_no_observation_where_they_do_not_tell_states_apart() -> None:
    with pytest.raises(
        ValueError, match='observation must be one of "state", "onehot", got \'tokens\' of Cliff-Garnet'
    ):
        CliffVectorEnv("Cliff-Garnet-v0", 2, observation="tokens")


def starting_at_the_end(share: float) -> Scenario:
    """A scenario whose traces may start where they end."""
    initial = SLACKER.mdp.initial * (1 - share)
    initial[np.flatnonzero(SLACKER.mdp.terminal)[2]] = share
    return dataclasses.replace(SLACKER, mdp=dataclasses.replace(SLACKER.mdp, initial=initial))


@every_kernel
@pytest.mark.parametrize("share", [1e-12, 0.25, 1.0])
def test_traces_must_not_start_where_they_end(share: float, kernel: str) -> None:
    made = starting_at_the_end(share)
    place = re.escape(made.mdp.describe_state(np.flatnonzero(SLACKER.mdp.terminal)[2]))
    with pytest.raises(ValueError, match=f"must start traces in states that are not terminal, got .* at {place}"):
        CliffVectorEnv(made, 2, kernel=kernel)


# Rewards


BAD_REWARDS = {
    "unknown name": ("honest", ValueError, all_of("incomplete", "true", "lazy") + ".*honest"),
    "unknown component": ({"correct": 1, "honesty": 1}, ValueError, all_of("correct", "malformed") + ".*honesty"),
    "weight that is no number": ({"correct": "much"}, TypeError, "weight of 'correct' must be a number"),
    "wrong shape": (np.zeros((3, 3)), ValueError, r"shape \(S, A\)"),
    "NaN": (np.full((41, 5), np.nan), ValueError, "finite, got nan at state 0"),
    "pay after the end": (np.ones((41, 5)), ValueError, "terminal states"),
    "nothing": (None, ValueError, "reward must"),
}


@pytest.mark.parametrize(("reward", "error", "message"), BAD_REWARDS.values(), ids=BAD_REWARDS)
def test_bad_rewards_are_refused_wherever_they_come_in(reward: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        make(reward=reward)
    envs, twin = pair(kernel="numpy")
    with pytest.raises(error, match=message):
        envs.set_reward(reward)
    with pytest.raises(error, match=message):
        envs.reset(seed=1, options={"reward": reward, "prompt": 1})
    check_alike(envs, twin)


# Actions

TOKENS = all_of(*SLACKER.tokens)

OUT_OF_RANGE = {
    "too large": ([0, 5, 0, 0], 1, 5),
    "negative": ([0, 0, 0, -1], 3, -1),
    "first of several": ([0, 0, 7, -3], 2, 7),
    "small type": (np.array([-128, 0, 0, 0], dtype=np.int8), 0, -128),
    "unsigned": (np.array([0, 255, 0, 0], dtype=np.uint8), 1, 255),
    "smallest": (np.array([0, 0, -(2**63), 0]), 2, -(2**63)),
    "largest": (np.array([0, 0, 2**63 - 1, 0]), 2, 2**63 - 1),
    "largest without a sign": (np.array([0, 0, 2**64 - 1, 0], dtype=np.uint64), 2, 2**64 - 1),
    "beyond those with a sign": (np.array([0, 0, 2**63 + 1, 0], dtype=np.uint64), 2, 2**63 + 1),
}


@every_kernel
@pytest.mark.parametrize(("actions", "place", "value"), OUT_OF_RANGE.values(), ids=OUT_OF_RANGE)
def test_action_out_of_range_names_environment_value_and_tokens(
    actions: Any, place: int, value: int, kernel: str
) -> None:
    for mode in AUTORESET_MODES:
        envs, twin = pair(kernel=kernel, autoreset_mode=mode)
        state = re.escape(SLACKER.mdp.describe_state(envs.states[place]))
        message = rf"actions must be in \[0, 4\] \({TOKENS}\), got {value} in environment {place} at {state}"
        for step in (envs.step, envs.step_states):
            with pytest.raises(ValueError, match=message):
                step(actions)
        check_alike(envs, twin)


BAD_ACTIONS: dict[str, tuple[Any, type[Exception], str]] = {
    "floats": (np.zeros(4), TypeError, "actions must be integers, got dtype float64"),
    "whole floats in a list": ([0.0, 1.0, 2.0, 1.0], TypeError, "actions must be integers, got dtype float64"),
    "one float": ([0, 1.5, 2, 0], TypeError, "actions must be integers"),
    "NaN": ([np.nan] * 4, TypeError, "actions must be integers"),
    "booleans": ([True, False, True, False], TypeError, "actions must be integers, got dtype bool"),
    "objects": (np.array([0, 1, 2, 3], dtype=object), TypeError, "actions must be integers, got dtype object"),
    "words": (["answer_0"] * 4, TypeError, "actions must be integers"),
    "times": (np.zeros(4, dtype="m8[s]"), TypeError, "actions must be integers"),
    "beyond 64 bits": ([0, 10**30, 0, 0], TypeError, "actions must be integers"),
    "nothing": (None, TypeError, "actions must be integers"),
    "ragged": ([0, [1], 0, 0], TypeError, "actions must be an array of numbers, got list"),
    "dictionary": ({0: 1}, TypeError, "actions must be integers"),
    "one for all": (1, ValueError, r"actions must have shape \(num_envs,\) = \(4,\), got \(\)"),
    "too few": ([0, 1, 2], ValueError, r"got \(3,\)"),
    "too many": ([0, 1, 2, 0, 1], ValueError, r"got \(5,\)"),
    "none": (np.zeros(0, dtype=int), ValueError, r"got \(0,\)"),
    "a column": (np.zeros((4, 1), dtype=int), ValueError, r"got \(4, 1\)"),
    "a row": (np.zeros((1, 4), dtype=int), ValueError, r"got \(1, 4\)"),
}


@every_kernel
@pytest.mark.parametrize(("actions", "error", "message"), BAD_ACTIONS.values(), ids=BAD_ACTIONS)
def test_actions_of_another_type_or_shape_are_refused(
    actions: Any, error: type[Exception], message: str, kernel: str
) -> None:
    for mode in AUTORESET_MODES:
        envs, twin = pair(kernel=kernel, autoreset_mode=mode)
        for step in (envs.step, envs.step_states):
            with pytest.raises(error, match=message):
                step(actions)
        check_alike(envs, twin)


# Out of place


@every_kernel
@every_mode
def test_what_needs_traces_asks_for_a_reset(mode: str, kernel: str) -> None:
    envs = make(kernel=kernel, autoreset_mode=mode)
    policy = cliffgym.uniform_policy(SLACKER.mdp)
    mask = {"reset_mask": np.ones(COUNT, dtype=bool)}
    calls: list[tuple[Callable[[], Any], str]] = [
        (lambda: envs.step([0] * COUNT), "step needs traces that go on, got none: call reset first"),
        (lambda: envs.step_states([0] * COUNT), "step needs traces that go on, got none: call reset first"),
        (lambda: envs.rollout(policy, 1), "rollout needs traces, got none: call reset first"),
        (envs.action_masks, "action_masks needs traces, got none: call reset first"),
        (lambda: envs.reset(seed=1, options=mask), "reset_mask needs traces in all environments, got none"),
    ]
    for call, message in calls:
        with pytest.raises(ResetNeeded, match=message):
            call()
    twin = make(kernel=kernel, autoreset_mode=mode)
    np.testing.assert_equal(envs.reset(seed=0), twin.reset(seed=0))
    np.testing.assert_equal(envs.step([0] * COUNT), twin.step([0] * COUNT))


@every_kernel
def test_ended_traces_that_nobody_resets_are_named(kernel: str) -> None:
    envs, twin = pair(kernel=kernel, autoreset_mode="disabled")
    for step in (envs.step, envs.step_states):
        with pytest.raises(
            ResetNeeded, match=r"got ended ones in environments 3: call reset with the option reset_mask"
        ):
            step([0, 0, 0, 0])
    check_alike(envs, twin)


@every_kernel
def test_of_many_ended_traces_the_first_are_named(kernel: str) -> None:
    envs = CliffVectorEnv(SLACKER, 300, kernel=kernel, autoreset_mode="disabled")
    envs.reset(options={"prompt": 0})
    tokens = np.zeros(300, dtype=int)
    tokens[[7, 80, 81, 90, 200, 299]] = 3  # which is not allowed yet
    assert envs.step(tokens)[2].sum() == 6
    with pytest.raises(ResetNeeded, match=r"got ended ones in environments 7, 80, 81, 90, 200, \.\.\.: call"):
        envs.step(tokens)
    envs.reset(options={"reset_mask": np.isin(np.arange(300), [7, 80, 81, 90, 200])})
    with pytest.raises(ResetNeeded, match="in environments 299: call"):
        envs.step(tokens)


# Resets

BAD_RESETS: dict[str, tuple[dict[str, Any], type[Exception], str]] = {
    "negative seed": ({"seed": -1}, ValueError, "seed must be >= 0, got -1"),
    "seed that is no integer": ({"seed": 1.5}, TypeError, "seed must be an integer, got 1.5"),
    "seed that is a truth": ({"seed": True}, TypeError, "seed must be an integer, got True"),
    "seed that is a word": ({"seed": "abcd"}, TypeError, "seed.* must be an integer, got"),
    "seed that is bytes": ({"seed": b"abcd"}, TypeError, "seed.* must be"),
    "seed that is an array without axes": ({"seed": np.array(3.5)}, TypeError, "seed must be an integer, got"),
    "seed that is a set": ({"seed": {1, 2, 3, 4}}, TypeError, "seed must be an integer, got"),
    "too few seeds": ({"seed": [1, 2, 3]}, ValueError, "seed must be one number or num_envs = 4 of them, got 3"),
    "too many seeds": ({"seed": range(5)}, ValueError, "seed must be one number or num_envs = 4 of them, got 5"),
    "no seeds": ({"seed": []}, ValueError, "num_envs = 4 of them, got 0"),
    "negative among seeds": ({"seed": [1, None, -3, 4]}, ValueError, "seed of environment 2 must be >= 0, got -3"),
    "no integer among seeds": (
        {"seed": [1, 2, 3, 4.0]},
        TypeError,
        "seed of environment 3 must be an integer, got 4.0",
    ),
    "truth among seeds": ({"seed": [True, 2, 3, 4]}, TypeError, "seed of environment 0 must be an integer, got True"),
    "array of floats as seeds": ({"seed": np.ones(4)}, TypeError, "seed of environment 0 must be an integer"),
    "unknown option": ({"options": {"promt": 1}}, ValueError, all_of("prompt", "reward", "reset_mask") + ".*promt"),
    "prompt too large": ({"options": {"prompt": 4}}, ValueError, r"prompt must be in \[0, 3\], got 4"),
    "negative prompt": ({"options": {"prompt": -1}}, ValueError, r"prompt must be in \[0, 3\], got -1"),
    "prompt that is no integer": ({"options": {"prompt": 1.0}}, TypeError, "prompt must be an integer, got 1.0"),
    "prompt that is a truth": ({"options": {"prompt": True}}, TypeError, "prompt must be an integer, got True"),
    "prompt that is a word": ({"options": {"prompt": "0123"}}, TypeError, "prompt must be an integer, got '0123'"),
    "prompt that is nothing": ({"options": {"prompt": None}}, TypeError, "prompt must be an integer, got None"),
    "prompt without axes": ({"options": {"prompt": np.array(1.5)}}, TypeError, "prompt must be an integer, got"),
    "too few prompts": ({"options": {"prompt": [1, 2]}}, ValueError, "prompt must be one number or num_envs = 4"),
    "one prompt too large": ({"options": {"prompt": [0, 1, 2, 4]}}, ValueError, "prompt of environment 3 must be in"),
    "no integer among prompts": ({"options": {"prompt": [0, 1.0, 2, 3]}}, TypeError, "prompt of environment 1 must be"),
    "None among prompts": ({"options": {"prompt": [0, None, 2, 3]}}, TypeError, "prompt of environment 1 must be"),
    "table of prompts": ({"options": {"prompt": np.zeros((4, 1), int)}}, TypeError, "prompt of environment 0 must be"),
    "mask of numbers": ({"options": {"reset_mask": [1, 0, 1, 0]}}, TypeError, "reset_mask must be booleans, got dtype"),
    "mask of objects": (
        {"options": {"reset_mask": [True, None, False, True]}},
        TypeError,
        "reset_mask must be booleans",
    ),
    "mask that is a word": ({"options": {"reset_mask": "all"}}, TypeError, "reset_mask must be booleans, got dtype"),
    "ragged mask": ({"options": {"reset_mask": [True, [True]]}}, TypeError, "reset_mask must be an array"),
    "short mask": (
        {"options": {"reset_mask": [True] * 3}},
        ValueError,
        r"reset_mask must have shape .*\(4,\), got \(3,\)",
    ),
    "mask for all": ({"options": {"reset_mask": True}}, ValueError, r"reset_mask must have shape .*, got \(\)"),
    "mask with two axes": ({"options": {"reset_mask": np.ones((4, 1), bool)}}, ValueError, r"got \(4, 1\)"),
    "mask for nobody": ({"options": {"reset_mask": [False] * 4}}, ValueError, "reset_mask must be True somewhere, got"),
}


@every_kernel
@pytest.mark.parametrize(("arguments", "error", "message"), BAD_RESETS.values(), ids=BAD_RESETS)
def test_a_refused_reset_changes_nothing(
    arguments: dict[str, Any], error: type[Exception], message: str, kernel: str
) -> None:
    good = {"reward": "lazy", "prompt": 1, "reset_mask": [True] * 4}
    envs, twin = pair(kernel=kernel)
    for options in ({}, good):
        # What is right beside it must not be carried out either.
        given = {"seed": arguments.get("seed", 9), "options": options | arguments.get("options", {})}
        with pytest.raises(error, match=message):
            envs.reset(**given)
    check_alike(envs, twin)


def test_prompts_of_copies_that_are_not_reset_are_checked_all_the_same() -> None:
    envs, twin = pair()
    with pytest.raises(ValueError, match="prompt of environment 0 must be in"):
        envs.reset(options={"prompt": [9, 0, 0, 0], "reset_mask": np.array([False, True, True, True])})
    check_alike(envs, twin)


# Rollouts


def policy(**rows: Any) -> np.ndarray:
    """The uniform policy with some rows (`row_3=...`) replaced."""
    table = np.full((41, 5), 0.2)
    for name, row in rows.items():
        table[int(name.removeprefix("row_"))] = row
    return table


BAD_ROLLOUTS: dict[str, tuple[Any, Any, type[Exception], str]] = {
    "no steps": (policy(), 0, ValueError, "steps must be >= 1, got 0"),
    "negative steps": (policy(), -2, ValueError, "steps must be >= 1, got -2"),
    "steps that are no integer": (policy(), 2.0, TypeError, "steps must be an integer, got 2.0"),
    "steps that are a truth": (policy(), True, TypeError, "steps must be an integer, got True"),
    "wrong shape": (policy()[:-1], 3, ValueError, r"policy must have shape \(S, A\) = \(41, 5\), got \(40, 5\)"),
    "actions": (np.zeros(41, dtype=int), 3, ValueError, r"policy must have shape \(S, A\)"),
    "too little": (policy(row_3=[0.2, 0.2, 0.2, 0.2, 0.1]), 3, ValueError, "policy must sum to 1 .* at state 3"),
    "negative": (policy(row_5=[1.2, -0.2, 0, 0, 0]), 3, ValueError, 'policy must hold .*-0.2 at state 5.*"answer_1"'),
    "NaN": (policy(row_5=np.nan), 3, ValueError, "policy must hold probabilities >= 0, got nan at state 5"),
    "words": ("uniform", 3, TypeError, "policy must be an array of numbers"),
}


@every_kernel
@pytest.mark.parametrize(("table", "steps", "error", "message"), BAD_ROLLOUTS.values(), ids=BAD_ROLLOUTS)
def test_a_refused_rollout_changes_nothing(
    table: Any, steps: Any, error: type[Exception], message: str, kernel: str
) -> None:
    envs, twin = pair(kernel=kernel)
    with pytest.raises(error, match=message):
        envs.rollout(table, steps)
    check_alike(envs, twin)
