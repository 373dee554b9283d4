"""Stable-Baselines3's PPO on 256 environments: n_steps 128, batch_size 8192, 4 epochs, one torch thread, on the CPU.

Counted: transitions that were collected and learned from, 32,768 a call of `learn`. The environments are SB3's
DummyVecEnv around `gym.make(id, oracle=False)`, with or without Monitor, or our adapter around the vector environment.
States are one-hot by SB3 itself.
"""

from typing import Any

import gymnasium as gym
import torch
from cliffgym_agents import CliffVecEnv, TabularPolicy
from stable_baselines3 import PPO
from stable_baselines3.common.logger import Logger
from stable_baselines3.common.monitor import Monitor
from stable_baselines3.common.vec_env import DummyVecEnv, VecEnv

import cliffgym  # noqa: F401  (registers)
from benchmarks.workload import Workload

NUM_ENVS, NUM_STEPS = 256, 128


def make(id: str, envs: str, policy: str) -> Workload:
    """PPO with environments "dummy", "dummy_monitor" or "adapter" and policy "MlpPolicy" or "TabularPolicy"."""
    torch.set_num_threads(1)
    policy_class: Any = TabularPolicy if policy == "TabularPolicy" else policy
    model = PPO(
        policy_class,
        vector_env(id, envs),
        n_steps=NUM_STEPS,
        batch_size=8192,
        n_epochs=4,
        seed=0,
        device="cpu",
    )
    model.set_logger(Logger(None, []))  # else every call of `learn` makes a folder

    def chunk() -> int:
        before = model.num_timesteps
        model.learn(NUM_ENVS * NUM_STEPS, reset_num_timesteps=False)
        return model.num_timesteps - before

    return Workload(chunk, {"torch": torch.__version__})


def vector_env(id: str, kind: str) -> VecEnv:
    """The environments in the form that SB3 asks for."""
    if kind == "adapter":
        return CliffVecEnv(id, NUM_ENVS)

    def one() -> gym.Env[Any, Any]:
        env = gym.make(id, oracle=False)
        return Monitor(env) if kind == "dummy_monitor" else env

    return DummyVecEnv([one] * NUM_ENVS)
