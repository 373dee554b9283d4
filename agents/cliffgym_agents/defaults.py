"""Hyperparameters per algorithm and environment, from YAML files in the form of RL Baselines3 Zoo."""

import copy
from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import Any

import yaml

from cliffgym.checks import choice

ALGORITHMS = ("ppo", "a2c", "dqn", "maskable_ppo", "soft_dqn", "kl_ppo", "grpo")
"""The names that `train` takes for `algorithm`."""


def default_hyperparameters(algorithm: str, env_id: str) -> dict[str, Any]:
    """The hyperparameters of `hyperparameters/<algorithm>.yml` for an environment.

    Args:
        algorithm: One of `ALGORITHMS`.
        env_id: An environment's id; one that the file does not list gets the entry `default`.

    Returns:
        `n_envs`, `n_timesteps`, `policy` and the keyword arguments of SB3's class.

    Raises:
        ValueError: The algorithm is unknown.

    >>> default_hyperparameters("ppo", "Cliff-TieBreaker-v0")["normalize_advantage"]
    False
    """
    choice("algorithm", algorithm, ALGORITHMS)
    entries = _entries(algorithm)
    return copy.deepcopy(dict(entries.get(env_id, entries["default"])))


@cache
def _entries(algorithm: str) -> Mapping[str, Any]:
    """A file's entries, read once."""
    file = resources.files("cliffgym_agents") / "hyperparameters" / f"{algorithm}.yml"
    return yaml.safe_load(file.read_text(encoding="utf-8"))
