"""Gymnasium environments around the scenarios."""

from cliffgym.envs.env import CliffEnv
from cliffgym.envs.observations import OBSERVATIONS
from cliffgym.envs.registration import register_envs

__all__ = ["OBSERVATIONS", "CliffEnv", "register_envs"]
