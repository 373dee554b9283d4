"""Wrong input is refused with a message that says what was wrong, and what would be right."""

import re
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.error import NameNotFound, ResetNeeded, VersionNotFound

import cliffgym
from cliffgym import CliffEnv

IDS = list(cliffgym.SCENARIOS)
every_id = pytest.mark.parametrize("id", IDS)

# Every other whole number must be at least 1.
MINIMUM = {("Cliff-Garnet-v0", "seed"): 0, ("Cliff-Garnet-v0", "states"): 2}
MINIMUM |= {(id, "budget"): 0 for id in ("Cliff-LengthPenalty-v0", "Cliff-LengthControl-v0")}


def keywords(kind: type) -> list[tuple[str, str]]:
    """Each (id, keyword argument) whose default is of that kind."""
    return [(id, name) for id in IDS for name, value in cliffgym.scenario(id).parameters.items() if type(value) is kind]


def env(**kwargs: Any) -> CliffEnv:
    return CliffEnv("Cliff-Slacker-v0", **kwargs)


def all_of(*names: str) -> str:
    """A pattern for a message that lists names in this order."""
    return ".*".join(re.escape(f'"{name}"') for name in names)


# Ids and keyword arguments


@pytest.mark.parametrize("id", ["Cliff-Slacker-v1", "Slacker", "", None, 3, ["Cliff-Slacker-v0"]])
def test_unknown_id_lists_the_known_ones(id: Any) -> None:
    with pytest.raises(ValueError, match=all_of(*IDS)):
        CliffEnv(id)


def test_gym_make_refuses_unknown_ids() -> None:
    with pytest.raises(NameNotFound):
        gym.make("Cliff-Slackers-v0")
    with pytest.raises(VersionNotFound):
        gym.make("Cliff-Slacker-v9")


@every_id
def test_unknown_keyword_lists_the_known_ones(id: str) -> None:
    known = all_of(*cliffgym.scenario(id).parameters)
    with pytest.raises(TypeError, match=f"{known}.*got 'lenght'"):
        gym.make(id, lenght=3)
    with pytest.raises(TypeError, match=f"{known}.*got 'lenght'"):
        cliffgym.scenario(id, lenght=3)


def test_scenario_object_takes_no_further_keywords() -> None:
    with pytest.raises(TypeError, match='"problems"'):
        CliffEnv(cliffgym.scenario("Cliff-Slacker-v0"), problems=3)


@pytest.mark.parametrize("bad", [1, 0, "yes", None, np.True_])
def test_oracle_must_be_true_or_false(bad: Any) -> None:
    with pytest.raises(TypeError, match="oracle must be True or False"):
        env(oracle=bad)


@pytest.mark.parametrize("bad", ["pixels", "", None, 0, ["state"]])
def test_unknown_observation_lists_the_known_ones(bad: Any) -> None:
    with pytest.raises(ValueError, match=all_of("state", "onehot", "tokens")):
        env(observation=bad)


@pytest.mark.parametrize("bad", ["ascii", "", 0, False, ["ansi"]])
def test_unknown_render_mode_lists_the_known_ones(bad: Any) -> None:
    with pytest.raises(ValueError, match=all_of("ansi", "human", "rgb_array")):
        env(render_mode=bad)


def test_gym_make_refuses_an_unknown_render_mode() -> None:
    with (
        pytest.warns(UserWarning, match="not in the possible render_modes"),
        pytest.raises(ValueError, match=all_of("ansi", "human", "rgb_array")),
    ):
        gym.make("Cliff-Slacker-v0", render_mode="ascii")


# Sizes and numbers


@pytest.mark.parametrize("bad", [True, False, 2.0, 2.5, "2", None, [2], float("nan")])
@pytest.mark.parametrize(("id", "name"), keywords(int))
def test_sizes_are_whole_numbers(id: str, name: str, bad: Any) -> None:
    with pytest.raises(TypeError, match=f"{name} must be an integer"):
        gym.make(id, **{name: bad})


@pytest.mark.parametrize(("id", "name"), keywords(int))
def test_sizes_are_large_enough(id: str, name: str) -> None:
    minimum = MINIMUM.get((id, name), 1)
    bad: Any
    for bad in (minimum - 1, -(10**20)):
        with pytest.raises(ValueError, match=rf"{name} must be (>= {minimum}|in \[{minimum}, .*), got {bad}"):
            gym.make(id, **{name: bad})


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize(("id", "name"), keywords(float))
def test_weights_are_finite(id: str, name: str, bad: Any) -> None:
    with pytest.raises(ValueError, match=f"{name} must be finite"):
        gym.make(id, **{name: bad})


@pytest.mark.parametrize("bad", [True, "1", None, 1j, [1.0]])
@pytest.mark.parametrize(("id", "name"), keywords(float))
def test_weights_are_numbers(id: str, name: str, bad: Any) -> None:
    with pytest.raises(TypeError, match=f"{name} must be a number"):
        gym.make(id, **{name: bad})


@pytest.mark.parametrize("bad", [-0.1, 1.1])
@every_id
def test_gamma_is_a_discount(id: str, bad: float) -> None:
    with pytest.raises(ValueError, match=r"gamma must be in \[0, 1\]"):
        gym.make(id, gamma=bad)


@pytest.mark.parametrize("bad", [(), [], "abc", 3, None, True])
@pytest.mark.parametrize(("id", "name"), keywords(tuple))
def test_sequences_are_sequences_and_not_empty(id: str, name: str, bad: Any) -> None:
    with pytest.raises((ValueError, TypeError), match=f"{name} must be"):
        gym.make(id, **{name: bad})


@pytest.mark.parametrize(
    ("id", "arguments", "message"),
    [
        ("Cliff-TieBreaker-v0", {"target": "yaml"}, '"json".*yaml'),
        ("Cliff-TieBreaker-v0", {"formats": ("json", "json")}, "distinct"),
        ("Cliff-TieBreaker-v0", {"formats": ("json",)}, "formats must be two names or more"),
        ("Cliff-LengthPenalty-v0", {"difficulties": (1, 9)}, r"difficulties\[1\] must be in \[0, 8\], got 9"),
        ("Cliff-LengthControl-v0", {"targets": (9,)}, r"targets\[0\] must be in \[0, 8\], got 9"),
        ("Cliff-Sophistry-v0", {"question_types": ((0.2, 1.9),)}, r"question_types\[0\]\[1\] must be in \[0, 1\]"),
        ("Cliff-Sophistry-v0", {"question_types": ((0.2,),)}, r"question_types\[0\] must be a pair"),
    ],
)
def test_arguments_of_one_scenario(id: str, arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        gym.make(id, **arguments)


# Rewards


def table(value: float = 0.0, state: int = 0) -> np.ndarray:
    mdp = cliffgym.scenario("Cliff-Slacker-v0").mdp
    entries = np.zeros((mdp.num_states, mdp.num_actions))
    entries[state, 0] = value
    return entries


BAD_REWARDS = {
    "unknown name": ("honest", ValueError, all_of("incomplete", "true", "lazy") + ".*honest"),
    "unknown component": ({"correct": 1, "honesty": 1}, ValueError, all_of("correct", "malformed") + ".*honesty"),
    "weight that is no number": ({"correct": "much"}, TypeError, "weight of 'correct' must be a number"),
    "NaN weight": ({"correct": np.nan}, ValueError, "weight of 'correct' must be finite"),
    "wrong shape": (table()[:-1], ValueError, r"shape \(S, A\)"),
    "array of weights": ([1.0, 0.0], ValueError, r"shape \(S, A\)"),
    "number": (1.0, ValueError, r"shape \(S, A\)"),
    "NaN in a table": (table(np.nan), ValueError, r'finite, got nan at state 0 \("prompt 0"\), action "answer_0"'),
    "infinity in a table": (table(np.inf, 2), ValueError, r"finite, got inf at state 2"),
    "pay after the end": (table(1.0, -1), ValueError, r'terminal states, got 1.0 at state 40 \("malformed"\)'),
    "array of words": ([["much"]], TypeError, "array of numbers"),
    "ragged table": ([[1.0], [1.0, 2.0]], TypeError, "array of numbers"),
    "nothing": (None, ValueError, "reward must"),
}


@pytest.mark.parametrize(("reward", "error", "message"), BAD_REWARDS.values(), ids=BAD_REWARDS)
def test_bad_rewards_are_refused_wherever_they_come_in(reward: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        env(reward=reward)
    made = env()
    with pytest.raises(error, match=message):
        made.set_reward(reward)
    with pytest.raises(error, match=message):
        made.reset(options={"reward": reward})
    assert made.reward_name == "incomplete"


@every_id
def test_unknown_reward_lists_those_of_the_scenario(id: str) -> None:
    with pytest.raises(ValueError, match=f"{all_of(*cliffgym.scenario(id).rewards)}.*of {id}"):
        gym.make(id, reward="honest")


@every_id
def test_unknown_component_lists_those_of_the_scenario(id: str) -> None:
    with pytest.raises(ValueError, match=all_of(*cliffgym.scenario(id).components.names)):
        gym.make(id, reward={"honesty": 1.0})


# Actions


@pytest.mark.parametrize("bad", [-1, 5, 10**30, -(10**30), np.int64(5), np.array(-1), np.uint8(255)])
def test_action_out_of_range_names_the_tokens_and_the_state(bad: Any) -> None:
    made = env()
    made.reset(options={"prompt": 1})
    message = r"\[0, 4\].*" + all_of(*made.scenario.tokens) + rf'.*got {int(bad)} at state 1 \("prompt 1"\)'
    with pytest.raises(ValueError, match=message):
        made.step(bad)


BAD_ACTIONS = [1.0, 1.5, True, False, np.True_, "1", "answer_0", None, np.array([1]), [1], (), {}, np.float32(1), 1j]


@pytest.mark.parametrize("bad", BAD_ACTIONS, ids=repr)
def test_action_of_another_type_is_refused(bad: Any) -> None:
    made = env()
    made.reset(seed=0)
    with pytest.raises(TypeError, match="action must be an integer, got"):
        made.step(bad)


@pytest.mark.parametrize("kind", [int, np.int64, np.int32, np.int8, np.uint8, np.array])
def test_every_kind_of_integer_is_an_action(kind: Any) -> None:
    for number in range(5):
        made, plain = env(reward="true"), env(reward="true")
        made.reset(options={"prompt": 1})
        plain.reset(options={"prompt": 1})
        assert made.step(kind(number))[:4] == plain.step(number)[:4]


def test_a_refused_action_leaves_the_trace_where_it_was() -> None:
    made = CliffEnv("Cliff-Slacker-v0", render_mode="ansi")
    made.reset(options={"prompt": 1})
    shown = made.render()
    for bad in (9, -1, 1.0, None):
        with pytest.raises((TypeError, ValueError)):
            made.step(bad)  # type: ignore[arg-type]
    assert made.render() == shown
    assert [made.step(token)[1] for token in (1, 3, 3)] == [0, 0, 1]


# Steps and resets out of place


@every_id
def test_step_before_the_first_reset_asks_for_one(id: str) -> None:
    with pytest.raises(ResetNeeded, match="call reset first"):
        gym.make(id).step(0)


@every_id
def test_step_after_the_end_asks_for_a_reset(id: str) -> None:
    made = gym.make(id)
    made.reset(seed=0)
    while not made.step(0)[2]:
        pass
    for _ in range(2):
        with pytest.raises(ResetNeeded, match="call reset first"):
            made.step(0)
    made.reset()
    made.step(0)


def test_unknown_reset_option_lists_the_known_ones() -> None:
    with pytest.raises(ValueError, match=all_of("prompt", "reward") + ".*promt"):
        env().reset(options={"promt": 1})


@pytest.mark.parametrize("bad", [-1, 4, 10**20])
def test_prompt_out_of_range_is_refused(bad: int) -> None:
    with pytest.raises(ValueError, match=r"prompt must be in \[0, 3\], got"):
        env().reset(options={"prompt": bad})


@pytest.mark.parametrize("bad", [1.0, True, "1", None, [1]])
def test_prompt_of_another_type_is_refused(bad: Any) -> None:
    with pytest.raises(TypeError, match="prompt must be an integer"):
        env().reset(options={"prompt": bad})


def test_a_refused_reset_leaves_reward_and_trace_alone() -> None:
    made = env()
    made.reset(options={"prompt": 1})
    made.step(1)
    for options in ({"prompt": 9, "reward": "lazy"}, {"prompt": 0, "reward": "honest"}, {"reward": "lazy", "x": 0}):
        with pytest.raises(ValueError, match="must be"):
            made.reset(options=options)
    assert made.reward_name == "incomplete"
    made.step(3)
    assert made.step(3)[1:3] == (1.0, True)
