"""The environments inside Gymnasium's and SB3's own wrappers and vector environments."""

from itertools import pairwise
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium import spaces, wrappers
from gymnasium.vector import AutoresetMode, SyncVectorEnv, VectorEnv
from moviepy import VideoFileClip
from sb3_contrib.common.maskable.utils import get_action_masks
from stable_baselines3.common.vec_env import DummyVecEnv

import cliffgym
from cliffgym import CliffVectorEnv
from cliffgym.envs.rendering import FRAME_SIZE

IDS = list(cliffgym.SCENARIOS)
ONE_ID = IDS[0]
GRAMMARS = [id for id in IDS if cliffgym.scenario(id).state_tokens.size]  # whose states are the tokens so far
every_id = pytest.mark.parametrize("id", IDS)
every_look = pytest.mark.parametrize(
    ("id", "observation"),
    [(id, look) for id in IDS for look in ("state", "onehot", "tokens") if look != "tokens" or id in GRAMMARS],
)


def legal(env: gym.Env[Any, Any], info: dict[str, Any]) -> int:
    return int(env.action_space.sample(info["action_mask"]))  # type: ignore[call-arg]


def play(env: gym.Env[Any, Any], seed: int) -> tuple[list[float], dict[str, Any], Any]:
    """A trace of legal tokens: what each was paid, the last info, the last observation."""
    env.action_space.seed(seed)
    observation, info = env.reset(seed=seed)
    paid, over = [], False
    while not over:
        observation, reward, terminated, truncated, info = env.step(legal(env, info))
        paid.append(float(reward))
        over = terminated or truncated
    return paid, info, observation


# Vector environments


def check_against_single_environments(vector: VectorEnv[Any, Any, Any], id: str, **kwargs: Any) -> None:
    """Steps a vector environment beside as many single ones, through many episodes."""
    count = vector.num_envs
    singles = [gym.make(id, **kwargs) for _ in range(count)]
    same_step = vector.metadata["autoreset_mode"] == AutoresetMode.SAME_STEP
    draw = np.random.default_rng(0)
    seen, infos = vector.reset(seed=40)
    expected = [single.reset(seed=40 + i) for i, single in enumerate(singles)]
    over, episodes = [False] * count, 0
    assert vector.single_observation_space == singles[0].observation_space
    for i in range(count):
        assert np.array_equal(seen[i], expected[i][0])
    for _ in range(60):
        actions = np.array([draw.choice(np.flatnonzero(mask)) for mask in infos["action_mask"]])
        seen, rewards, terminated, truncated, infos = vector.step(actions)
        assert not truncated.any()
        for i, single in enumerate(singles):
            if over[i]:  # NEXT_STEP: this call only resets, and pays nothing
                look, info = single.reset()
                reward, over[i] = 0.0, False
            else:
                look, reward, over[i], _, info = single.step(actions[i])
            assert (rewards[i], terminated[i]) == (reward, over[i])
            if over[i]:
                episodes += 1
                check_terminal(infos["final_info"] if same_step else infos, i, info)
                if same_step:
                    assert np.array_equal(infos["final_obs"][i], look)
                    look, info = single.reset()
                    over[i] = False
            assert np.array_equal(seen[i], look)
            assert np.array_equal(infos["action_mask"][i], info["action_mask"])
    assert episodes > 3 * count


def check_terminal(infos: dict[str, Any], place: int, info: dict[str, Any]) -> None:
    """The last info of an episode is at its place, down to the components."""
    for name in ("true_reward", "incomplete_reward", "outcome"):
        assert infos[name][place] == info[name]
        assert infos[f"_{name}"][place]
    for name, value in info["components"].items():
        assert infos["components"][name][place] == value


every_autoreset = pytest.mark.parametrize("autoreset", ["SameStep", "NextStep"])


@every_autoreset
@every_look
def test_sync_vector_env_is_the_single_environments_side_by_side(id: str, observation: str, autoreset: str) -> None:
    kwargs: dict[str, Any] = {"reward": "true", "observation": observation}
    vector = gym.make_vec(id, 3, vectorization_mode="sync", vector_kwargs={"autoreset_mode": autoreset}, **kwargs)
    check_against_single_environments(vector, id, **kwargs)
    vector.close()


@every_autoreset
@every_id
def test_async_vector_env_is_the_single_environments_side_by_side(id: str, autoreset: str) -> None:
    weights, look = {cliffgym.scenario(id).components.names[-1]: -1.0}, "tokens" if id in GRAMMARS else "onehot"
    kwargs: dict[str, Any] = {"reward": weights, "observation": look, "gamma": 0.5}
    vector = gym.make_vec(
        f"cliffgym:{id}",
        2,
        vectorization_mode="async",
        vector_kwargs={"autoreset_mode": autoreset, "context": "spawn"},
        **kwargs,
    )
    try:
        check_against_single_environments(vector, id, **kwargs)
    finally:
        vector.close()


@every_id
def test_make_vec_is_native_unless_told_otherwise(id: str) -> None:
    native = gym.make_vec(f"cliffgym:{id}", 2)
    copies = gym.make_vec(f"cliffgym:{id}", 2, vectorization_mode="sync")
    assert isinstance(native, CliffVectorEnv)
    assert isinstance(copies, SyncVectorEnv)
    native.close()
    copies.close()


def test_vector_env_can_be_reset_with_options() -> None:
    vector = gym.make_vec("Cliff-Slacker-v0", 2, vectorization_mode="sync")
    seen, _ = vector.reset(options={"prompt": 2, "reward": "lazy"})
    assert seen.tolist() == [2, 2]
    assert isinstance(vector, SyncVectorEnv)
    assert vector.get_attr("reward_name") == ("lazy", "lazy")
    vector.close()


def test_without_oracle_a_vector_env_shows_masks_alone() -> None:
    vector = gym.make_vec(ONE_ID, 2, autoreset_mode="same_step", oracle=False)
    infos = vector.reset(seed=0)[1]
    for _ in range(20):
        assert set(infos) <= {"action_mask", "_action_mask", "final_info", "_final_info", "final_obs", "_final_obs"}
        assert set(infos.get("final_info", {})) <= {"action_mask", "_action_mask"}
        infos = vector.step(vector.action_space.sample())[4]
    vector.close()


@every_id
def test_returns_recorded_over_a_vector_are_those_of_its_episodes(id: str) -> None:
    vector = wrappers.vector.RecordEpisodeStatistics(gym.make_vec(id, 3, reward="true"))
    infos, totals, ended = vector.reset(seed=0)[1], np.zeros(3), np.zeros(3, dtype=bool)
    draw, episodes = np.random.default_rng(0), 0
    for _ in range(60):
        actions = np.array([draw.choice(np.flatnonzero(mask)) for mask in infos["action_mask"]])
        totals[ended] = 0
        _, rewards, terminated, truncated, infos = vector.step(actions)
        totals += rewards
        ended = terminated | truncated
        for i in np.flatnonzero(ended):
            assert infos["episode"]["r"][i] == pytest.approx(totals[i])
            episodes += 1
    assert episodes > 9
    vector.close()


def test_sb3_vector_env_passes_on_masks_and_terminal_infos() -> None:
    vector = DummyVecEnv([lambda: gym.make("Cliff-Slacker-v0", reward="true")] * 2)
    vector.seed(0)
    seen: Any = vector.reset()
    for _ in range(30):
        masks = get_action_masks(vector)
        scenario = cliffgym.scenario("Cliff-Slacker-v0")
        assert np.array_equal(masks, scenario.mdp.action_mask[seen])
        seen, rewards, dones, infos = vector.step(masks.argmax(axis=1))
        for reward, done, info in zip(rewards, dones, infos, strict=True):
            assert info["true_reward"] == pytest.approx(reward)
            assert ("outcome" in info) == ("terminal_observation" in info) == done
            assert not info.get("TimeLimit.truncated", False)
    vector.close()


# Wrappers


@every_id
def test_record_episode_statistics_sums_what_was_paid(id: str) -> None:
    env = wrappers.RecordEpisodeStatistics(gym.make(id, reward="true"))
    for seed in range(10):
        paid, info, _ = play(env, seed)
        assert info["episode"]["r"] == pytest.approx(sum(paid))
        assert info["episode"]["l"] == len(paid)
        if id in GRAMMARS:
            assert sum(paid) == pytest.approx(info["true_reward"])  # all of it on the last token
    assert len(env.return_queue) == 10


@every_look
def test_flatten_observation_flattens_every_observation(id: str, observation: str) -> None:
    plain = gym.make(id, observation=observation)
    env = wrappers.FlattenObservation(gym.make(id, observation=observation))
    assert isinstance(env.observation_space, spaces.Box)
    for seed in range(5):
        paid, _, seen = play(env, seed)
        same_paid, _, unflattened = play(plain, seed)
        assert paid == same_paid
        assert seen in env.observation_space
        flattened: Any = spaces.flatten(plain.observation_space, unflattened)
        assert np.array_equal(seen, flattened)


def test_time_limit_truncates_and_the_environment_itself_never_does() -> None:
    for limit in (2, 9):
        env = gym.make("Cliff-LengthPenalty-v0", max_episode_steps=limit)
        env.reset(seed=0)
        for _ in range(limit - 1):
            assert env.step(0)[2:4] == (False, False)
        assert env.step(0)[2:4] == (limit == 9, True)  # the ninth thought is the one that does not fit


def test_time_limit_leaves_shorter_traces_alone() -> None:
    env = wrappers.TimeLimit(gym.make("Cliff-Slacker-v0"), 4)
    env.reset(options={"prompt": 0})
    assert [env.step(token)[1:4] for token in (0, 3, 3)] == [(0, False, False), (0, False, False), (1, True, False)]


@every_id
def test_transform_reward_alters_what_is_paid_and_no_info(id: str) -> None:
    env = wrappers.TransformReward(gym.make(id, reward="true"), lambda reward: 10 * float(reward) - 1)
    for seed in range(10):
        paid, info, _ = play(env, seed)
        assert paid[-1] == pytest.approx(10 * info["true_reward"] - 1)
        if id in GRAMMARS:
            assert set(paid[:-1]) <= {-1.0}


@every_id
def test_gymnasiums_own_guards_find_nothing_to_complain_about(id: str) -> None:
    env = wrappers.OrderEnforcing(wrappers.PassiveEnvChecker(gym.make(id, render_mode="ansi")))
    for seed in range(3):
        play(env, seed)
        env.render()
    env.close()


# Video


def test_record_video_films_one_frame_for_each_step_and_the_start(tmp_path: Path) -> None:
    env = wrappers.RecordVideo(
        gym.make("Cliff-Slacker-v0", render_mode="rgb_array"),
        str(tmp_path / "videos"),
        episode_trigger=lambda episode: episode == 1,
        disable_logger=True,
    )
    env.reset(options={"prompt": 0})
    env.step(1)
    env.reset(options={"prompt": 0})
    for token in (0, 3, 3):
        env.step(token)
    env.close()
    (video,) = (tmp_path / "videos").glob("*.mp4")
    with VideoFileClip(str(video)) as clip:
        assert tuple(clip.size) == FRAME_SIZE
        assert clip.fps == gym.make("Cliff-Slacker-v0").metadata["render_fps"]
        assert round(clip.duration * clip.fps) == 4


@every_id
def test_render_collection_keeps_the_transcripts_of_a_trace(id: str) -> None:
    env = gym.make(id, render_mode="ansi_list")
    paid, _, _ = play(env, 0)
    transcripts: Any = env.render()
    assert len(transcripts) == len(paid) + 1
    for shorter, longer in pairwise(transcripts):
        assert longer.startswith(shorter)
