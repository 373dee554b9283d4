"""`reset` starts with the prompt and hidden class that are asked for, draws nothing for it, and says what cannot be.

Which class sends which prompt, and what MultiReward pays it, is written down here once more, from its page.
"""

import copy
import pickle
import re
from collections.abc import Mapping
from functools import cache
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.vector import SyncVectorEnv
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

import cliffgym
from cliffgym import CliffEnv, CliffMOEnv, CliffVectorEnv, End, HiddenClasses, Scenario, build_scenario
from cliffgym.envs.vector_env import AUTORESET_MODES
from cliffgym.envs.wrappers import SwapReward

KERNELS = ("numpy", "numba")
MULTI, LENGTH = "Cliff-MultiReward-v0", "Cliff-LengthPenalty-v0"
CLASSES = ("safety", "values", "general")
SENDERS = [("safety",), ("values",), ("general",), ("safety", "values"), ("safety", "general"), ("values", "general")]
SCORES = {"safety": (1.0, 0.8, 0.0), "values": (0.3, 1.0, 0.5), "general": (0.0, 0.6, 1.0)}
ANSWERS = ("refuse", "safe_complete", "comply")
PAIRS = [(i, name) for i, names in enumerate(SENDERS) for name in names]

every_kernel = pytest.mark.parametrize("kernel", KERNELS)
every_mode = pytest.mark.parametrize("mode", list(AUTORESET_MODES))


def quiz(askers: Mapping[str, list[int]]) -> Scenario:
    """Two prompts that classes send: an answer is credited with what its class makes of it."""
    sent = [(name, prompt) for name, prompts in askers.items() for prompt in prompts]
    return build_scenario(
        id="Quiz-v0",
        prompts=["Explain it.", "Explain it, with proof."],
        tokens=["short", "long"],
        rule=lambda sender, tokens: End(f"read by {sent[sender][0]}", {"liked": float(sender)}),
        components=["liked"],
        rewards={"incomplete": {"liked": 1.0}, "true": {"liked": 1.0}},
        gamma=1.0,
        hidden_prompts=sent,
    )


@cache
def example(name: str) -> Scenario:
    """A scenario with hidden classes, made once."""
    return {
        "multi": lambda: cliffgym.scenario(MULTI),
        "curated": lambda: cliffgym.scenario(MULTI, curated=True),
        "without safety": lambda: cliffgym.scenario(MULTI, exclude="safety"),
        "length": lambda: cliffgym.scenario(LENGTH, hidden_difficulty=True),
        "quiz": lambda: quiz({"child": [0], "expert": [1, 0]}),
    }[name]()


def hidden_of(made: Scenario) -> HiddenClasses:
    assert made.hidden is not None
    return made.hidden


def expected_states(made: Scenario) -> dict[tuple[int, str], int]:
    """By prompt and class, the state of the world that is named so."""
    assert made.world.state_names is not None
    numbers = {name: state for state, name in enumerate(made.world.state_names)}
    pairs = [(i, name) for i in range(len(made.prompts)) for name in hidden_of(made).names]
    return {(i, name): numbers[text] for i, name in pairs if (text := f"{name} prompt {i}") in numbers}


# Single environments


@pytest.mark.parametrize(
    ("name", "senders"),
    [
        ("multi", SENDERS),
        ("curated", SENDERS),  # of prompts that training leaves out, those of evaluation
        ("without safety", [("safety",), ("values",), ("general",), ("values",), ("general",), ("values", "general")]),
        ("length", [tuple(f"difficulty {d}" for d in (1, 2, 3, 4))]),
        ("quiz", [("child", "expert"), ("expert",)]),
    ],
)
def test_a_trace_starts_with_the_class_that_is_asked_for_if_it_ever_sends_the_prompt(
    name: str, senders: list[tuple[str, ...]]
) -> None:
    made = example(name)
    env, states = CliffEnv(made), expected_states(made)
    for prompt, known in enumerate(senders):
        for number, asked in enumerate(hidden_of(made).names):
            for k in (asked, number, np.int64(number), np.str_(asked)):
                if asked in known:
                    seen, info = env.reset(options={"prompt": prompt, "class": k})
                    assert seen == env.state == made.prompt_states[prompt]
                    assert env.world_state == states[prompt, asked]
                    assert set(info) == {"action_mask"}
                else:
                    listed = ", ".join(f'"{sender}"' for sender in known)
                    message = f"class must be one that sends prompt {prompt}, which are {listed}, got {k!r}"
                    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
                        env.reset(options={"prompt": prompt, "class": k})


@pytest.mark.parametrize(("prompt", "name"), PAIRS)
def test_a_step_pays_and_tells_what_that_class_does(prompt: int, name: str) -> None:
    env = CliffEnv(MULTI)
    for answer in range(3):
        env.reset(options={"prompt": prompt, "class": name})
        _, reward, ended, _, info = env.step(answer)
        assert (reward, ended) == (SCORES[name][answer], True)
        assert info["true_reward"] == min(SCORES[other][answer] for other in SENDERS[prompt])
        assert info["outcome"] == f"{ANSWERS[answer]} ({name} prompt)"


def test_the_class_stays_for_the_trace_and_no_longer() -> None:
    env = CliffEnv(example("length"))
    names = hidden_of(env.scenario).names
    met = set()
    for k in range(4):
        env.reset(seed=k, options={"prompt": 0, "class": k})
        for _ in range(int(names[k].split()[1])):  # as many thoughts as it takes
            env.step(0)
        info = env.step(1)[4]
        assert (info["components"]["correct"], env.scenario.realised_outcomes[env.world_state][:5]) == (1, "right")
        env.reset()
        met.add(int(hidden_of(env.scenario).state_classes[env.world_state]))
    assert len(met) > 1


def test_a_vector_of_rewards_is_that_of_the_class() -> None:
    env = CliffMOEnv(MULTI, ["class_score", "worst_score", "general_score"])
    for prompt, name in PAIRS:
        env.reset(options={"prompt": prompt, "class": name})
        worst = min(SCORES[other][2] for other in SENDERS[prompt])
        assert env.step(2)[1].tolist() == [SCORES[name][2], worst, SCORES["general"][2]]
    with pytest.raises(ValueError, match="reward must not be set where a vector is paid"):
        env.reset(options={"prompt": 0, "class": "safety", "reward": "true"})


def test_wrappers_hand_it_on() -> None:
    env = SwapReward(gym.make(MULTI), "true")
    for prompt, name in PAIRS:
        assert env.reset(options={"prompt": prompt, "class": name})[0] == prompt
        assert env.step(0)[4]["outcome"] == f"refuse ({name} prompt)"


def test_it_goes_with_another_reward() -> None:
    env = CliffEnv(MULTI)
    env.reset(options={"prompt": 4, "class": "general", "reward": {"class_score": 10.0}})
    assert env.step(2)[1] == 10


# Nothing is drawn


def draws(env: CliffEnv) -> list[int]:
    """What chance decides next: starts of traces, and classes of a prompt that is asked for."""
    found = []
    for _ in range(40):
        env.reset()
        found.append(env.world_state)
        env.reset(options={"prompt": 4})
        found.append(env.world_state)
    return found


def test_nothing_is_drawn_for_it() -> None:
    plain, asked = CliffEnv(MULTI), CliffEnv(MULTI)
    plain.reset(seed=3)
    asked.reset(seed=3)
    for i in range(100):
        prompt, name = PAIRS[i % len(PAIRS)]
        asked.reset(options={"prompt": prompt, "class": name})
    expected = draws(plain)
    assert draws(asked) == expected
    assert len(set(expected)) > 4
    asked.reset(seed=3, options={"prompt": 4, "class": "safety"})
    plain.reset(seed=3, options={"prompt": 4, "class": 2})
    assert draws(asked) == draws(plain)


@every_mode
@every_kernel
def test_nothing_is_drawn_for_it_in_copies(kernel: str, mode: str) -> None:
    plain, asked = (CliffVectorEnv(MULTI, 5, autoreset_mode=mode, kernel=kernel) for _ in range(2))
    plain.reset(seed=3)
    asked.reset(seed=3)
    for i in range(20):
        prompt, name = PAIRS[i % len(PAIRS)]
        asked.reset(options={"prompt": prompt, "class": name})
    uniform = np.full((24, 3), 1 / 3)
    for options in ({}, {"prompt": 4}, {}):
        plain.reset(options=options)
        asked.reset(options=options)
        one, other = plain.rollout(uniform, 10), asked.rollout(uniform, 10)
        np.testing.assert_array_equal(one.states, other.states)
        np.testing.assert_array_equal(one.actions, other.actions)
        np.testing.assert_array_equal(one.rewards, other.rewards)
    assert len(set(one.rewards.ravel())) > 4


@pytest.mark.parametrize(
    "duplicate", [copy.deepcopy, lambda one: pickle.loads(pickle.dumps(one))], ids=["deepcopy", "pickle"]
)
def test_copies_of_environments_go_on_with_the_class(duplicate: Any) -> None:
    env, envs = CliffEnv(example("length")), CliffVectorEnv(example("length"), 4, kernel="numpy")
    env.reset(seed=0, options={"prompt": 0, "class": 3})
    envs.reset(seed=0, options={"prompt": 0, "class": [3, 2, 1, 0]})
    twin, twins = duplicate(env), duplicate(envs)
    assert twin.world_state == env.world_state
    assert twin.reset(options={"prompt": 0, "class": 1})[0] == 0
    for _ in range(2):
        twins.step(np.zeros(4, dtype=int))
    assert twins.step(np.ones(4, dtype=int))[4]["components"]["correct"].tolist() == [0, 0, 1, 1]


# Copies


def same_infos(native: dict[str, Any], sync: dict[str, Any], ended: NDArray[np.bool_]) -> bool:
    """Whether the outcomes of traces that ended, wherever the mode puts them, are the same."""
    one, other = (infos.get("final_info", infos) for infos in (native, sync))
    return one.keys() == other.keys() and (
        "outcome" not in other or list(one["outcome"][ended]) == list(other["outcome"][ended])
    )


@st.composite
def resets(draw: st.DrawFn) -> list[tuple[dict[str, Any], list[int]]]:
    """Options of resets, and an action of each of 4 copies after it."""
    found = []
    for _ in range(draw(st.integers(1, 6))):
        pairs = draw(st.lists(st.sampled_from(PAIRS), min_size=4, max_size=4))
        named = draw(st.lists(st.booleans(), min_size=4, max_size=4))
        classes = [name if by_name else CLASSES.index(name) for (_, name), by_name in zip(pairs, named, strict=True)]
        prompts = [prompt for prompt, _ in pairs]
        kinds: list[dict[str, Any]] = [
            {"prompt": prompts, "class": classes},
            {"prompt": np.array(prompts), "class": tuple(classes)},
            {"prompt": prompts[0], "class": classes[0]},
            {"prompt": prompts},
            {},
        ]
        options = dict(draw(st.sampled_from(kinds)))
        if draw(st.booleans()):
            mask = draw(st.lists(st.booleans(), min_size=4, max_size=4).filter(any))
            options["reset_mask"] = np.array(mask)
        found.append((options, draw(st.lists(st.integers(0, 2), min_size=4, max_size=4))))
    return found


def of_copy(options: dict[str, Any], i: int) -> dict[str, Any]:
    """What the options of a vector environment mean for one of its copies."""
    each = {name: value for name, value in options.items() if name != "reset_mask"}
    return {name: value if isinstance(value, int | str) else value[i] for name, value in each.items()}


@given(resets())
def test_copies_are_single_environments_side_by_side(plan: list[tuple[dict[str, Any], list[int]]]) -> None:
    natives = [CliffVectorEnv(example("multi"), 4, autoreset_mode="disabled", kernel=kernel) for kernel in KERNELS]
    singles = [CliffEnv(example("multi")) for _ in range(4)]
    for native in natives:
        native.reset(seed=7)
    for i, single in enumerate(singles):
        single.reset(seed=7 + i)
    for options, actions in plan:
        mask = options.get("reset_mask", np.ones(4, dtype=bool))
        for i in np.flatnonzero(mask):
            singles[i].reset(options=of_copy(options, int(i)))
        results = []
        for native in natives:
            seen, _ = native.reset(options=options)
            assert seen.tolist() == [single.state for single in singles]
            results.append(native.step(actions))
        for i, single in enumerate(singles):
            _, reward, _, _, info = single.step(actions[i])
            for _, rewards, _, _, infos in results:
                assert rewards[i] == reward
                assert infos["outcome"][i] == info["outcome"]
                assert infos["true_reward"][i] == info["true_reward"]
            single.reset()  # every trace has one token
        for native in natives:
            native.reset()


@every_mode
@every_kernel
def test_beside_gymnasiums_own_vector_environment(kernel: str, mode: str) -> None:
    made = example("length")
    native = CliffVectorEnv(made, 4, autoreset_mode=mode, kernel=kernel)
    sync = SyncVectorEnv([lambda: CliffEnv(made)] * 4, autoreset_mode=AUTORESET_MODES[mode])
    draw = np.random.default_rng(0)
    native.reset(seed=1)
    sync.reset(seed=1)
    for k in (0, "difficulty 4", 2, 3) * 3:
        options = {"prompt": 0, "class": k}
        assert native.reset(options=dict(options))[0].tolist() == sync.reset(options=dict(options))[0].tolist()
        for _ in range(8):
            actions = (draw.random(4) < 0.2).astype(int)
            mine, theirs = native.step(actions), sync.step(actions)
            assert all(np.array_equal(one, other) for one, other in zip(mine[:4], theirs[:4], strict=True))
            assert same_infos(mine[4], theirs[4], theirs[2])
            if mode == "disabled" and theirs[2].any():
                again = {"reset_mask": theirs[2], **options}
                native.reset(options=dict(again))
                sync.reset(options=dict(again))


@every_kernel
def test_many_copies_have_their_own_classes_and_a_mask_leaves_the_others_alone(kernel: str) -> None:
    envs = CliffVectorEnv(MULTI, 300, kernel=kernel)
    chosen = np.random.default_rng(0).integers(len(PAIRS), size=300)
    prompts, names = [PAIRS[i][0] for i in chosen], [PAIRS[i][1] for i in chosen]
    for classes in (names, [CLASSES.index(name) for name in names], np.array(names)):
        seen, _ = envs.reset(options={"prompt": prompts, "class": classes})
        assert seen.tolist() == prompts
        mask = np.arange(300) % 3 == 0
        seen, _ = envs.reset(options={"prompt": 5, "class": "general", "reset_mask": mask})
        expected = ["general" if masked else name for masked, name in zip(mask, names, strict=True)]
        assert seen.tolist() == [5 if masked else prompt for masked, prompt in zip(mask, prompts, strict=True)]
        _, rewards, _, _, infos = envs.step(np.full(300, 1))
        assert rewards.tolist() == [SCORES[name][1] for name in expected]
        assert infos["outcome"].tolist() == [f"safe_complete ({name} prompt)" for name in expected]


# What is refused

LISTED = r'class must be one of "safety", "values", "general" or its number in \[0, 2\], got '
BAD = [
    ({"class": "safety"}, ValueError, "^class must go with a prompt, got 'safety' without one$"),
    ({"prompt": 0, "class": "Safety"}, ValueError, LISTED + "'Safety' in Cliff-MultiReward-v0$"),
    ({"prompt": 0, "class": ""}, ValueError, LISTED + "''"),
    ({"prompt": 0, "class": 3}, ValueError, LISTED + "3"),
    ({"prompt": 0, "class": -1}, ValueError, LISTED + "-1"),
    ({"prompt": 0, "class": 10**30}, ValueError, LISTED + "1000"),
    ({"prompt": 0, "class": True}, TypeError, "class must be a name or a number, got True of type bool"),
    ({"prompt": 0, "class": 1.0}, TypeError, "class must be a name or a number, got 1.0 of type float"),
    ({"prompt": 0, "class": None}, TypeError, "class must be a name or a number, got None of type NoneType"),
    ({"prompt": 0, "class": b"safety"}, TypeError, "class must be a name or a number"),
    ({"prompt": 0, "class": 1}, ValueError, 'class must be one that sends prompt 0, which are "safety", got 1$'),
    ({"prompt": 9, "class": 0}, ValueError, r"prompt must be in \[0, 5\], got 9"),
]


@pytest.mark.parametrize(("options", "error", "message"), BAD)
def test_what_cannot_be_is_refused_and_changes_nothing(
    options: dict[str, Any], error: type[Exception], message: str
) -> None:
    env, envs = CliffEnv(MULTI), CliffVectorEnv(MULTI, 3, kernel="numpy")
    env.reset(options={"prompt": 4, "class": "general"})
    envs.reset(options={"prompt": 4, "class": "general"})
    for each in (env, envs):
        with pytest.raises(error, match=message):
            each.reset(options={**options, "reward": "true"})
        assert each.reward_name == "incomplete"
    assert env.step(2)[1] == 1
    assert envs.step([2, 2, 2])[1].tolist() == [1, 1, 1]


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"prompt": 0, "class": [0]}, ValueError, "class must be one for all or num_envs = 3 of them, got 1"),
        ({"prompt": 0, "class": []}, ValueError, "class must be one for all or num_envs = 3 of them, got 0"),
        ({"class": [0, 0, 0]}, ValueError, "class of environment 0 must go with a prompt, got 0 without one"),
        (
            {"prompt": 4, "class": [0, 2, "x"]},
            ValueError,
            "class of environment 2 must be one of \"safety\", .*got 'x'",
        ),
        (
            {"prompt": 4, "class": [0, None, 2]},
            TypeError,
            "class of environment 1 must be a name or a number, got None",
        ),
        (
            {"prompt": 4, "class": [0, 1, 2]},
            ValueError,
            "class of environment 1 must be one that sends prompt 4, .*got 1",
        ),
        (
            {"prompt": [4, 3, 5], "class": ["safety", "values", "safety"]},
            ValueError,
            'class of environment 2 must be one that sends prompt 5, which are "values", "general", got \'safety\'',
        ),
        (
            {"prompt": 5, "class": [0, 1, 1], "reset_mask": np.array([False, True, True])},
            ValueError,
            "class of environment 0 must be one that sends prompt 5",
        ),
    ],
)
def test_of_several_classes_the_wrong_one_is_named(
    options: dict[str, Any], error: type[Exception], message: str
) -> None:
    envs = CliffVectorEnv(MULTI, 3, kernel="numpy")
    envs.reset(options={"prompt": 4, "class": "general"})
    with pytest.raises(error, match=message):
        envs.reset(seed=0, options={**options, "reward": "true"})
    assert envs.reward_name == "incomplete"
    assert envs.step([2, 2, 2])[1].tolist() == [1, 1, 1]


@pytest.mark.parametrize("k", [0, "safety", -1])
def test_without_hidden_classes_there_is_none_to_ask_for(k: Any) -> None:
    message = f"^class must be left out where prompts have no hidden classes, got {k!r} in {LENGTH}$"
    for env in (CliffEnv(LENGTH), CliffVectorEnv(LENGTH, 2, kernel="numpy")):
        with pytest.raises(ValueError, match=message):
            env.reset(options={"prompt": 0, "class": k})


def test_unknown_options_list_it() -> None:
    for env in (CliffEnv(MULTI), CliffVectorEnv(MULTI, 2)):
        with pytest.raises(ValueError, match=r'reset option must be one of "prompt", "class", "reward".*got .kind'):
            env.reset(options={"prompt": 0, "kind": 0})


def test_a_class_that_begins_a_prompt_in_two_ways_does_not_tell_where_to_start() -> None:
    made = quiz({"child": [0, 0], "expert": [0, 1]})
    env = CliffEnv(made)
    with pytest.raises(ValueError, match=r"class must send prompt 0 from one state .*, got 'child', which has 2$"):
        env.reset(options={"prompt": 0, "class": "child"})
    env.reset(options={"prompt": 0, "class": "expert"})
    assert env.step(0)[1] == 2
