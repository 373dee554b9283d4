"""Runs that are solved and not trained, so that a sweep can set what agents learn beside what is optimal.

Shapes: S states, A actions.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cliffgym import optimal, soft
from cliffgym.checks import choice, listing
from cliffgym.rewards import Weighting
from cliffgym_agents.measures import exact_measures
from cliffgym_agents.training import cliff_env, make_env

EXACT = ("optimal", "soft")
ARGUMENTS: Mapping[str, tuple[str, ...]] = {"optimal": (), "soft": ("temperature", "reference")}
"""The hyperparameters of each."""


def solve_exactly(
    env_id: str,
    reward: str | Weighting,
    algorithm: str,
    env_kwargs: Mapping[str, Any],
    hyperparameters: Mapping[str, Any],
) -> tuple[dict[str, float], NDArray[np.float64]]:
    """The exact measures and the policy (S, A) of an exact solution.

    Args:
        env_id: An environment's id.
        reward: A reward's name, or weights of components.
        algorithm: "optimal", uniform among optimal actions; or "soft".
        env_kwargs: Arguments of the environment.
        hyperparameters: None for the former; `temperature`, and `reference` (S, A) if there is one, for the latter.

    Raises:
        ValueError: Something unknown, or a value that does not suit.
        TypeError: A hyperparameter that the algorithm does not have, or a value of the wrong type.
    """
    for name in hyperparameters:
        choice(f"hyperparameter of {algorithm}", name, ARGUMENTS[algorithm])
    made = cliff_env(make_env(env_id, **env_kwargs), env_id).scenario
    table = made.reward(reward)
    if algorithm == "optimal":
        policy = optimal(made.mdp, table).policy
        return exact_measures(made, policy, reward), policy
    if "temperature" not in hyperparameters:
        raise ValueError(f"hyperparameters of soft must have a temperature, got {listing(hyperparameters) or 'none'}")
    temperature, reference = hyperparameters["temperature"], hyperparameters.get("reference")
    policy = soft(made.mdp, table, temperature, reference).policy
    return exact_measures(made, policy, reward, temperature, reference), policy
