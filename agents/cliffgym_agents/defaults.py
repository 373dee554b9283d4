"""Hyperparameters per algorithm and environment, from YAML files in the form of RL Baselines3 Zoo."""

from collections.abc import Mapping
from importlib import resources
from typing import Any

import yaml

from cliffgym.checks import choice

ALGORITHMS = ("ppo", "a2c", "dqn")


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
    file = resources.files("cliffgym_agents") / "hyperparameters" / f"{algorithm}.yml"
    entries: Mapping[str, Any] = yaml.safe_load(file.read_text(encoding="utf-8"))
    return dict(entries.get(env_id, entries["default"]))
