"""Many environments by `rollout`: T steps of a policy table inside one call.

Counted: N T true transitions. Actions are drawn inside, from the uniform policy over all tokens; states, actions,
rewards and ends of traces come out, (T, N) each, and with the oracle every component and both oracle rewards.
"""

import gymnasium as gym
import numpy as np

from benchmarks.workload import Workload
from cliffgym import CliffVectorEnv


def make(id: str, num_envs: int, steps: int, kernel: str, oracle: bool) -> Workload:
    """So many environments of a scenario, `steps` steps a call, by the "numpy" or "numba" kernel."""
    env = gym.make_vec(id, num_envs=num_envs, kernel=kernel, oracle=oracle).unwrapped
    if not isinstance(env, CliffVectorEnv):
        raise TypeError(f"gym.make_vec must make a CliffVectorEnv, got {type(env).__name__}")
    env.reset(seed=0)
    mdp = env.mdp
    policy = np.full((mdp.num_states, mdp.num_actions), 1 / mdp.num_actions)

    def chunk() -> int:
        env.rollout(policy, steps)
        return num_envs * steps

    return Workload(chunk, {})
