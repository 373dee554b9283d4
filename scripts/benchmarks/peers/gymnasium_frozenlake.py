"""Gymnasium's FrozenLake-v1, 4x4 and slippery, through `gym.make` and through SyncVectorEnv.

Counted: true transitions. Alone, resets happen within the time and are not counted. As a vector, resets come by
themselves in the call after an episode's last; such calls are not transitions and are subtracted.
"""

import gymnasium as gym
import numpy as np

from benchmarks.draws import drawn_actions
from benchmarks.episodes import player
from benchmarks.workload import Workload


def make(num_envs: int | None, bare: bool = False) -> Workload:
    """One environment (None), if `bare` without the wrappers of `gym.make`, or a SyncVectorEnv of so many."""
    facts = {"version": f"gymnasium {gym.__version__}"}
    if num_envs is None:
        env = gym.make("FrozenLake-v1")
        return Workload(player(env.unwrapped if bare else env), facts)
    env = gym.make_vec("FrozenLake-v1", num_envs=num_envs, vectorization_mode="sync")
    env.reset(seed=0)
    actions = drawn_actions(4, num_envs)
    ended = 0

    def chunk() -> int:
        nonlocal ended
        steps = 0
        for block in actions:
            _, _, terminated, truncated, _ = env.step(block)
            steps += num_envs - ended
            ended = int(np.count_nonzero(terminated | truncated))
        return steps

    return Workload(chunk, facts)
