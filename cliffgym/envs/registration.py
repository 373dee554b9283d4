"""Registers every scenario with Gymnasium."""

import gymnasium as gym

from cliffgym.scenarios import SCENARIOS


def register_envs() -> None:
    """Registers the ids of `SCENARIOS`; those that are registered already are left alone.

    Neither Gymnasium's order enforcer nor its passive checker is wrapped around: `CliffEnv` makes the same checks
    itself, and says more when one fails. Each scenario is there a second time with a vector for a reward, its id
    preceded by "mo-", as MO-Gymnasium has it.

    >>> import gymnasium as gym
    >>> register_envs()  # importing cliffgym has called it once
    >>> gym.make("Cliff-TieBreaker-v0").action_space
    Discrete(7)
    >>> gym.make("mo-Cliff-TieBreaker-v0").reward_space.shape
    (2,)
    """
    for id in SCENARIOS:
        if f"mo-{id}" not in gym.registry:
            gym.register(
                id=f"mo-{id}",
                entry_point="cliffgym.envs:CliffMOEnv",
                vector_entry_point="cliffgym.envs.mo_env:refuse_vector_env",
                kwargs={"scenario": id},
                order_enforce=False,
                disable_env_checker=True,
            )
        if id not in gym.registry:
            gym.register(
                id=id,
                entry_point="cliffgym.envs:CliffEnv",
                vector_entry_point="cliffgym.envs:CliffVectorEnv",
                kwargs={"scenario": id},
                order_enforce=False,
                disable_env_checker=True,
            )
