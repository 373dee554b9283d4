"""Callbacks and schedules, on models of one's own and in `train`."""

import csv
import itertools
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cliffgym_agents import ALGORITHMS, ExactEvaluation, TrainingResult, exact_measures, policy_table, train
from cliffgym_agents.schedules import EntropySchedule, parse_schedule
from stable_baselines3 import PPO
from stable_baselines3.common.callbacks import BaseCallback
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from cliffgym import CliffEnv

ROLLOUT = 128
TOKENS = 1024  # of one rollout of PPO, or of two of A2C, at the default hyperparameters

every_algorithm = pytest.mark.parametrize("algorithm", ALGORITHMS)


def make_model(env: CliffEnv, **kwargs: Any) -> PPO:
    return PPO("MlpPolicy", env, n_steps=ROLLOUT, n_epochs=1, gamma=1.0, seed=0, device="cpu", **kwargs)


def read_csv(path: Path) -> list[dict[str, float]]:
    with path.open(newline="") as file:
        return [{name: float(value) for name, value in row.items()} for row in csv.DictReader(file)]


class Probe(BaseCallback):
    """Does something at the start of every rollout, after the callbacks before it."""

    def __init__(self, action: Any) -> None:
        super().__init__()
        self.action = action

    def _on_rollout_start(self) -> None:
        self.action()

    def _on_step(self) -> bool:
        return True


# ExactEvaluation


def test_rows_hold_the_policy_of_that_moment() -> None:
    env = CliffEnv("Cliff-Slacker-v0", reward="true")
    model, evaluation = make_model(env), ExactEvaluation(env, every=ROLLOUT)
    tables = []
    model.learn(3 * ROLLOUT, callback=[evaluation, Probe(lambda: tables.append(policy_table(model, env)))])
    tables.append(policy_table(model, env))
    assert evaluation.history == [
        {"timesteps": i * ROLLOUT, **exact_measures(env.scenario, table, "true")} for i, table in enumerate(tables)
    ]
    assert all(a["true_return"] != b["true_return"] for a, b in itertools.pairwise(evaluation.history))


@pytest.mark.parametrize(
    ("every", "timesteps"),
    [
        (1, [0, 128, 256, 384, 512]),
        (128, [0, 128, 256, 384, 512]),
        (200, [0, 256, 512]),  # due at 200 and 400; 512 is the end
        (256, [0, 256, 512]),
        (10_000, [0, 512]),
    ],
)
def test_rows_come_between_rollouts(every: int, timesteps: list[int]) -> None:
    env = CliffEnv("Cliff-Slacker-v0")
    evaluation = ExactEvaluation(env, every)
    make_model(env).learn(4 * ROLLOUT, callback=evaluation)
    assert [row["timesteps"] for row in evaluation.history] == timesteps


def test_the_file_is_whole_at_any_moment(tmp_path: Path) -> None:
    env = CliffEnv("Cliff-Slacker-v0")
    path = tmp_path / "history.csv"
    evaluation = ExactEvaluation(env, ROLLOUT, path=path)
    lengths = []

    def read() -> None:
        rows = read_csv(path)
        assert rows == evaluation.history
        lengths.append(len(rows))

    make_model(env).learn(3 * ROLLOUT, callback=[evaluation, Probe(read)])
    read()
    assert lengths == [1, 2, 3, 4]
    assert [file.name for file in tmp_path.iterdir()] == ["history.csv"]


def test_the_temperature_is_that_of_the_distance() -> None:
    env = CliffEnv("Cliff-TieBreaker-v0", reward="true")
    model, evaluation = make_model(env), ExactEvaluation(env, ROLLOUT, temperature=0.3)
    model.learn(ROLLOUT, callback=evaluation)
    expected = exact_measures(env.scenario, policy_table(model, env), "true", 0.3)
    assert evaluation.history[-1] == {"timesteps": ROLLOUT, **expected}


@pytest.mark.parametrize(("every", "error"), [(0, ValueError), (-5, ValueError), (2.5, TypeError), (True, TypeError)])
def test_every_must_be_a_positive_integer(every: Any, error: type[Exception]) -> None:
    with pytest.raises(error, match="every must be"):
        ExactEvaluation(CliffEnv("Cliff-Slacker-v0"), every)


# Schedules


def test_the_coefficient_of_a_rollout_is_that_of_its_start() -> None:
    env = CliffEnv("Cliff-Slacker-v0")
    model = make_model(env)
    coefficients = []
    schedule = EntropySchedule(lambda remaining: 10 * remaining)
    model.learn(4 * ROLLOUT, callback=[schedule, Probe(lambda: coefficients.append(model.ent_coef))])
    assert coefficients == pytest.approx([10, 7.5, 5, 2.5])


def test_a_line_goes_from_its_start_to_zero() -> None:
    line = parse_schedule("ent_coef", "lin_0.4")
    assert callable(line)
    assert [line(remaining) for remaining in (1.0, 0.25, 0.0)] == pytest.approx([0.4, 0.1, 0.0])


def test_a_line_can_be_pickled() -> None:
    line = pickle.loads(pickle.dumps(parse_schedule("ent_coef", "lin_0.4")))
    assert line(0.5) == pytest.approx(0.2)


def test_numbers_and_functions_are_taken_as_they_are() -> None:
    assert parse_schedule("ent_coef", 0.3) == 0.3
    assert parse_schedule("ent_coef", 0) == 0
    assert parse_schedule("ent_coef", abs) is abs


@pytest.mark.parametrize(
    "text", ["", "0.1", "lin", "lin_", "lin_x", "lin_-0.1", "lin_nan", "lin_inf", "exp_0.1", "lin_1_2x"]
)
def test_other_texts_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match=f'beta must be a number, a function, or a text like "lin_0.1", got {text!r}'):
        parse_schedule("beta", text)


@pytest.mark.parametrize(("value", "error"), [(-1, ValueError), (float("inf"), ValueError), (None, TypeError)])
def test_other_values_are_refused(value: Any, error: type[Exception]) -> None:
    with pytest.raises(error, match="beta must be"):
        parse_schedule("beta", value)


# What `train` makes of them


def short_training(algorithm: str = "ppo", **kwargs: Any) -> TrainingResult:
    arguments: dict[str, Any] = {"total_timesteps": TOKENS} | kwargs
    return train("Cliff-Slacker-v0", algorithm, **arguments)


def tensorboard_scalars(folder: Path, tag: str) -> tuple[list[int], list[float]]:
    (run,) = [path for path in folder.iterdir() if path.is_dir()]
    events = EventAccumulator(str(run))
    events.Reload()
    scalars = events.Scalars(tag)
    return [event.step for event in scalars], [event.value for event in scalars]


@every_algorithm
@pytest.mark.parametrize("every", [TOKENS, 700])
def test_history_goes_from_the_start_to_the_end(algorithm: str, every: int, tmp_path: Path) -> None:
    result = short_training(algorithm, total_timesteps=3 * TOKENS, evaluate_every=every, log_folder=tmp_path)
    steps = [row["timesteps"] for row in result.history]
    assert (steps[0], steps[-1]) == (0, result.model.num_timesteps)
    assert (np.diff(steps) > 0).all()
    if algorithm == "grpo":  # whose batches are as long as their traces
        assert steps[-1] >= 3 * TOKENS
        assert len(steps) >= 3
    else:
        assert steps[-1] == 3 * TOKENS
        assert len(steps) == 4 if every == TOKENS else len(steps) >= 4
    assert {name: value for name, value in result.history[-1].items() if name != "timesteps"} == result.measures
    assert read_csv(tmp_path / "history.csv") == result.history


@every_algorithm
def test_tensorboard_shows_the_history(algorithm: str, tmp_path: Path) -> None:
    result = short_training(algorithm, total_timesteps=3 * TOKENS, evaluate_every=TOKENS, log_folder=tmp_path)
    for name in ("true_return", "total_variation"):
        steps, values = tensorboard_scalars(tmp_path, f"exact/{name}")
        assert steps == [row["timesteps"] for row in result.history]
        assert values == pytest.approx([row[name] for row in result.history], rel=1e-6)


def test_history_refers_to_the_last_value_of_a_schedule() -> None:
    result = short_training(reward="true", ent_coef=lambda remaining: 0.1 + remaining, evaluate_every=TOKENS)
    assert result.history[-1] == {"timesteps": TOKENS, **result.measures}


def test_evaluating_changes_nothing_in_the_training(tmp_path: Path) -> None:
    plain, watched = short_training(), short_training(evaluate_every=64, log_folder=tmp_path)
    assert np.array_equal(plain.policy_table, watched.policy_table)


def test_without_evaluations_there_is_a_log_but_no_history(tmp_path: Path) -> None:
    short_training(log_folder=tmp_path)
    assert not (tmp_path / "history.csv").exists()
    assert tensorboard_scalars(tmp_path, "rollout/ep_rew_mean")[0] == [TOKENS]
