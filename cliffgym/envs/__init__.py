"""Gymnasium environments around the scenarios."""

from cliffgym.envs.batch import Stepped
from cliffgym.envs.env import CliffEnv
from cliffgym.envs.observations import OBSERVATIONS
from cliffgym.envs.registration import register_envs
from cliffgym.envs.vector_env import AUTORESET_MODES, CliffVectorEnv, Rollout

__all__ = ["AUTORESET_MODES", "OBSERVATIONS", "CliffEnv", "CliffVectorEnv", "Rollout", "Stepped", "register_envs"]
