"""Renderings: transcripts, what human mode prints, and pictures."""

import sys
from itertools import pairwise
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.error import ResetNeeded
from numpy.typing import NDArray

import cliffgym
from cliffgym import MALFORMED, CliffEnv, End, build_scenario
from cliffgym.envs.env import RENDER_MODES
from cliffgym.envs.rendering import FRAME_SIZE

IDS = list(cliffgym.SCENARIOS)
GRAMMARS = [id for id in IDS if cliffgym.scenario(id).state_tokens.size]  # whose states are the tokens so far
every_id = pytest.mark.parametrize("id", IDS)
every_grammar = pytest.mark.parametrize("id", GRAMMARS)


def make(id: str, **kwargs: Any) -> CliffEnv:
    env = gym.make(id, **kwargs).unwrapped
    assert isinstance(env, CliffEnv)
    return env


def play(env: CliffEnv, seed: int, legal: bool = True) -> list[tuple[int, dict[str, Any]]]:
    """A trace of random tokens: each with the info it gave."""
    draw = np.random.default_rng(seed)
    env.reset(seed=seed)
    steps, terminated = [], False
    while not terminated:
        choices = np.flatnonzero(env.action_masks()) if legal else np.arange(env.mdp.num_actions)
        token = int(draw.choice(choices))
        _, _, terminated, _, info = env.step(token)
        steps.append((token, info))
    return steps


def emit(env: CliffEnv, *tokens: str, prompt: int = 0) -> None:
    env.reset(options={"prompt": prompt})
    for token in tokens:
        env.step(env.scenario.tokens.index(token))


def transcript(env: CliffEnv) -> str:
    text = env.render()
    assert isinstance(text, str)
    return text


def picture(env: CliffEnv) -> NDArray[np.uint8]:
    frame = env.render()
    assert isinstance(frame, np.ndarray)
    assert frame.dtype == np.uint8
    assert frame.shape == (FRAME_SIZE[1], FRAME_SIZE[0], 3)
    return frame


# Transcripts


@pytest.mark.parametrize("legal", [True, False])
@every_id
def test_transcript_tells_the_prompt_every_token_and_the_end(id: str, legal: bool) -> None:
    scenario = cliffgym.scenario(id)
    last_component = scenario.components.names[-1]  # of a grammar, it counts malformed traces
    env = make(id, reward={last_component: -2.0}, render_mode="ansi")
    for seed in range(5):
        steps = play(env, seed, legal)
        prompt, *lines = transcript(env).split("\n")
        tokens, (outcome, pay) = lines[:-2], lines[-2:]
        start = env.reset(seed=seed)[0]
        assert prompt == f"> {scenario.prompts[scenario.state_prompts[start]]}"
        assert len(tokens) == len(steps)
        for line, (token, info) in zip(tokens, steps, strict=True):
            assert scenario.token_text(token) in line
            assert ("not allowed" in line) == (info["components"].get("malformed") == 1)
        assert outcome == f"= {steps[-1][1]['outcome']}"
        paid = sum(-2 * info["components"][last_component] for _, info in steps)
        assert f"paid (custom) {paid:g}," in pay
        assert f"incomplete reward {sum(info['incomplete_reward'] for _, info in steps):g}" in pay
        assert f"true reward {sum(info['true_reward'] for _, info in steps):g}" in pay


@every_id
def test_transcript_before_the_first_token_is_the_prompt(id: str) -> None:
    env = make(id, render_mode="ansi")
    for prompt, text in enumerate(env.scenario.prompts):
        env.reset(options={"prompt": prompt})
        assert env.render() == f"> {text}"


def test_transcript_of_slacker_in_full() -> None:
    env = make("Cliff-Slacker-v0", reward="lazy", render_mode="ansi")
    emit(env, "answer_1", "comply", "ignore", prompt=1)
    assert transcript(env).split("\n") == [
        "> Problem 1: answer it, and follow 2 instruction(s).",
        "  answer_1",
        "  comply: does what the instruction says",
        "  ignore: skips the instruction",
        "= right answer, 1 of 2 instructions followed",
        "  paid (lazy) 0.99, incomplete reward 1, true reward 1.5",
    ]


@every_grammar
def test_transcript_agrees_with_the_scenarios_own(id: str) -> None:
    env = make(id, render_mode="ansi")
    play(env, 1)
    state = int(np.argmax([text == "" for text in env.scenario.outcomes]))
    env.reset(options={"prompt": env.scenario.state_prompts[state]})
    assert transcript(env) == env.scenario.transcript(state)
    terminated = False
    while not terminated:
        state, _, terminated, _, _ = env.step(int(np.flatnonzero(env.action_masks())[0]))
        assert transcript(env).startswith(env.scenario.transcript(state))


# Human mode


@pytest.mark.parametrize("oracle", [True, False])
@every_id
def test_human_mode_prints_the_same_lines_as_they_come(
    id: str, oracle: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    human, ansi = (make(id, render_mode=mode, oracle=oracle) for mode in ("human", "ansi"))
    for seed in range(4):
        human.reset(seed=seed)
        ansi.reset(seed=seed)
        printed = capsys.readouterr().out
        assert printed == transcript(ansi) + "\n"
        draw, terminated = np.random.default_rng(seed), False
        while not terminated:
            token = int(draw.integers(human.mdp.num_actions))
            human.step(token)
            terminated = ansi.step(token)[2]
            news = capsys.readouterr().out
            assert news.strip()
            printed += news
            assert printed == transcript(ansi) + "\n"
        assert human.render() is None
        assert capsys.readouterr().out == ""


@pytest.mark.parametrize("render_mode", [None, "ansi", "rgb_array"])
def test_other_modes_print_nothing(render_mode: str | None, capsys: pytest.CaptureFixture[str]) -> None:
    play(make("Cliff-Slacker-v0", render_mode=render_mode), 0)
    assert capsys.readouterr().out == ""


# Without oracle


@every_id
def test_transcript_without_oracle_tells_what_was_paid_and_nothing_else(id: str) -> None:
    for seed in range(5):
        env, open_env = (make(id, render_mode="ansi", oracle=oracle) for oracle in (False, True))
        for each in (env, open_env):
            steps = play(each, seed, legal=False)
        hidden, shown = transcript(env), transcript(open_env)
        paid = sum(info["incomplete_reward"] for _, info in steps)
        assert hidden.split("\n")[-1] == f"  paid (incomplete) {paid:g}"
        assert steps[-1][1]["outcome"] in shown
        assert steps[-1][1]["outcome"] not in hidden
        assert hidden.split("\n")[: len(steps) + 1] == shown.split("\n")[: len(steps) + 1]


@pytest.mark.parametrize("render_mode", ["ansi", "rgb_array"])
def test_renderings_without_oracle_do_not_change_with_the_true_reward(render_mode: str) -> None:
    for oracle in (False, True):
        renderings = []
        for weight in (1.0, 3.0):
            env = make("Cliff-Slacker-v0", render_mode=render_mode, oracle=oracle, instruction_weight=weight)
            emit(env, "answer_0", "comply", "ignore")
            renderings.append(env.render())
        assert np.array_equal(*renderings) == (not oracle)


@pytest.mark.parametrize("render_mode", ["ansi", "rgb_array"])
def test_renderings_without_oracle_do_not_tell_the_outcome(render_mode: str) -> None:
    def game(outcome: str) -> CliffEnv:
        scenario = build_scenario(
            id="Hidden-v0",
            prompts=["Go."],
            tokens=["on"],
            rule=lambda prompt, tokens: End(outcome, {"won": float(outcome == "won")}),
            components=["won"],
            rewards={"incomplete": {}, "true": {"won": 1.0}},
            gamma=1.0,
        )
        return CliffEnv(scenario, render_mode=render_mode, oracle=False)

    renderings = []
    for outcome in ("won", "lost"):
        env = game(outcome)
        emit(env, "on")
        renderings.append(env.render())
    assert np.array_equal(*renderings)


# Pictures


@pytest.mark.parametrize("oracle", [True, False])
@every_id
def test_picture_keeps_its_shape_and_changes_with_every_token(id: str, oracle: bool) -> None:
    env = make(id, render_mode="rgb_array", oracle=oracle)
    for legal in (True, False):
        draw = np.random.default_rng(2)
        env.reset(seed=5)
        before, terminated = picture(env), False
        while not terminated:
            choices = np.flatnonzero(env.action_masks()) if legal else np.arange(env.mdp.num_actions)
            terminated = env.step(int(draw.choice(choices)))[2]
            after = picture(env)
            assert not np.array_equal(before, after)
            before = after


@every_id
def test_pictures_differ_from_prompt_to_prompt(id: str) -> None:
    env = make(id, render_mode="rgb_array")
    frames = set()
    for prompt in range(len(env.scenario.prompts)):
        env.reset(options={"prompt": prompt})
        frames.add(picture(env).tobytes())
    assert len(frames) == len(env.scenario.prompts)


def test_picture_belongs_to_the_caller() -> None:
    env = make("Cliff-Slacker-v0", render_mode="rgb_array")
    env.reset(seed=0)
    first = picture(env)
    kept = first.copy()
    first[:] = 0
    assert np.array_equal(picture(env), kept)


def test_a_token_that_is_not_allowed_has_a_colour_of_its_own() -> None:
    env = make("Cliff-Slacker-v0", render_mode="rgb_array", oracle=False)
    colours = []
    for token in ("answer_0", "comply"):  # the second one comes too early
        emit(env, token)
        colours.append({tuple(colour) for colour in picture(env)[60:260].reshape(-1, 3)})
    legal, wrong = (0x56, 0xB4, 0xE9), (0xD5, 0x5E, 0x00)
    assert legal in colours[0] - colours[1]
    assert wrong in colours[1] - colours[0]


def test_a_very_long_trace_is_drawn_to_its_end() -> None:
    env = make("Cliff-LengthPenalty-v0", render_mode="rgb_array", max_length=200)
    env.reset(seed=0)
    frames, terminated = [picture(env)], False
    while not terminated:
        terminated = env.step(0)[2]
        frames.append(picture(env))
    assert len(frames) == 202
    for before, after in pairwise(frames):
        assert not np.array_equal(before, after)


def test_a_very_long_trace_keeps_clear_of_the_outcome() -> None:
    env = make("Cliff-LengthPenalty-v0", render_mode="rgb_array", max_length=200)
    emit(env, *["think"] * 199)
    chip = np.array([0x56, 0xB4, 0xE9])
    rows = np.flatnonzero((picture(env) == chip).all(axis=2).any(axis=1))
    assert rows.max() < FRAME_SIZE[1] - 124
    assert rows.min() > 62 + 26  # below the prompt


@pytest.mark.parametrize("words", [80, 600])
def test_long_texts_are_drawn_without_error(words: int) -> None:
    scenario = build_scenario(
        id="Verbose-v0",
        prompts=["word " * words, "w" * words],
        tokens=["t" * words, "short"],
        rule=lambda prompt, tokens: End("outcome " * words) if tokens[-1] == "short" else MALFORMED,
        components=[],
        rewards={"incomplete": {}, "true": {}},
        gamma=1.0,
    )
    env = CliffEnv(scenario, render_mode="rgb_array")
    for prompt in (0, 1):
        for token in scenario.tokens:
            emit(env, token, prompt=prompt)
            picture(env)


def test_without_pillow_the_error_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "PIL", None)
    env = make("Cliff-Slacker-v0", render_mode="rgb_array")
    env.reset(seed=0)
    with pytest.raises(ImportError, match=r"cliffgym\[plots\]"):
        env.render()
    env.step(0)  # only pictures need Pillow


# Renders out of place


@pytest.mark.parametrize("render_mode", RENDER_MODES)
def test_render_before_the_first_reset_asks_for_one(render_mode: str) -> None:
    with pytest.raises(ResetNeeded, match="reset"):
        make("Cliff-Slacker-v0", render_mode=render_mode).render()


def test_render_without_a_mode_warns_and_returns_nothing() -> None:
    env = make("Cliff-Slacker-v0")
    env.reset(seed=0)
    with pytest.warns(UserWarning, match="render_mode"):
        assert env.render() is None


@pytest.mark.parametrize("render_mode", ["ansi", "rgb_array"])
def test_reset_starts_a_new_rendering(render_mode: str) -> None:
    env = make("Cliff-Slacker-v0", render_mode=render_mode)
    emit(env, prompt=1)
    fresh = env.render()
    emit(env, "answer_0", "comply", prompt=0)
    emit(env, prompt=1)
    assert np.array_equal(env.render(), fresh)  # type: ignore[arg-type]
