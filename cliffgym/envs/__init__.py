"""Gymnasium environments around the scenarios."""

from cliffgym.envs.batch import Stepped
from cliffgym.envs.env import CliffEnv
from cliffgym.envs.mo_env import CliffMOEnv
from cliffgym.envs.observations import OBSERVATIONS
from cliffgym.envs.registration import register_envs
from cliffgym.envs.vector_env import AUTORESET_MODES, CliffVectorEnv, Rollout
from cliffgym.envs.wrappers import HideOracle, PerturbReward, SwapReward

__all__ = [
    "AUTORESET_MODES",
    "OBSERVATIONS",
    "CliffEnv",
    "CliffMOEnv",
    "CliffVectorEnv",
    "HideOracle",
    "PerturbReward",
    "Rollout",
    "Stepped",
    "SwapReward",
    "register_envs",
]
