"""Exact measures while a model learns."""

import os

from numpy.typing import ArrayLike
from stable_baselines3.common.callbacks import BaseCallback

from cliffgym import CliffEnv
from cliffgym.checks import integer
from cliffgym.tables import write_csv
from cliffgym_agents.measures import exact_measures
from cliffgym_agents.readout import policy_table


class ExactEvaluation(BaseCallback):
    """Reads the policy out of the model every so often and evaluates it exactly.

    It does so at the start, between rollouts, when all that was collected has been trained on, and at the end. Each row
    goes to SB3's logger under `exact/` (so to TensorBoard, if the model logs there) and to `history`; with a path, also
    to a CSV file, which is whole at any moment. Nothing is sampled, so it changes nothing in the training.

    Args:
        env: An unwrapped environment with the scenario, observation and reward of the training.
        every: Time steps between evaluations, rounded up to whole rollouts.
        temperature: Coefficient of entropy whose exact solution `total_variation` refers to.
        path: A CSV file to write, or None.
        reward: (S, A) what training pays, if wrappers change it; default what `env` pays.
        reference: (S, A) the policy that a KL penalty refers to, or None.

    Attributes:
        history: Rows of `timesteps` and the names of `exact_measures`.

    >>> from cliffgym.envs import CliffEnv
    >>> from cliffgym_agents import CliffVecEnv, TabularPolicy
    >>> from stable_baselines3 import PPO
    >>> from stable_baselines3.common.logger import Logger
    >>> envs = CliffVecEnv("Cliff-TieBreaker-v0", n_envs=8, kernel="numpy")
    >>> model = PPO(TabularPolicy, envs, n_steps=8, learning_rate=0.05, device="cpu")
    >>> model.set_logger(Logger(None, []))  # which writes nothing
    >>> watch = ExactEvaluation(CliffEnv("Cliff-TieBreaker-v0"), every=64)
    >>> _ = model.learn(128, callback=watch)
    >>> [row["timesteps"] for row in watch.history]
    [0, 64, 128]
    >>> round(watch.history[0]["correct"], 3)  # of a uniform policy: 1 of 7 tokens is right, then 4 of 7 are formats
    0.082
    """

    def __init__(
        self,
        env: CliffEnv,
        every: int,
        temperature: float = 0.0,
        path: str | os.PathLike[str] | None = None,
        reward: ArrayLike | None = None,
        reference: ArrayLike | None = None,
    ) -> None:
        super().__init__()
        self.env, self.every, self.temperature, self.path = env, integer("every", every, 1), temperature, path
        self.reward, self.reference = reward, reference
        self.history: list[dict[str, float]] = []
        self._next = 0

    def _on_rollout_start(self) -> None:
        if self.num_timesteps >= self._next:
            self._record()

    def _on_step(self) -> bool:
        return True

    def _on_training_end(self) -> None:
        self._record()

    def _record(self) -> None:
        self._next = (self.num_timesteps // self.every + 1) * self.every
        table = policy_table(self.model, self.env)
        reward = self.env.reward if self.reward is None else self.reward
        measures = exact_measures(self.env.scenario, table, reward, self.temperature, self.reference)
        self.history.append({"timesteps": self.num_timesteps, **measures})
        for name, value in measures.items():
            self.logger.record(f"exact/{name}", value)
        self.logger.dump(self.num_timesteps)  # SB3's own dumps are rarer, and there is none at the end
        if self.path is not None:
            write_csv(self.path, self.history)
