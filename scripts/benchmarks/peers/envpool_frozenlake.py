"""EnvPool's FrozenLake-v1, 4x4 and slippery, its synchronous step.

Counted: true transitions. Resets come by themselves in the call after an episode's last; such calls are not transitions
and are subtracted.
"""

import envpool
import numpy as np

from benchmarks.draws import drawn_actions
from benchmarks.workload import Workload


def make(num_envs: int, num_threads: int) -> Workload:
    """So many environments; 0 threads is EnvPool's default, 1 was found to be its fastest on one core."""
    env = envpool.make("FrozenLake-v1", env_type="gymnasium", num_envs=num_envs, num_threads=num_threads)
    env.reset()
    actions = drawn_actions(4, num_envs, np.int32)
    ended = 0

    def chunk() -> int:
        nonlocal ended
        steps = 0
        for block in actions:
            _, _, terminated, truncated, _ = env.step(block)
            steps += num_envs - ended
            ended = int(np.count_nonzero(terminated | truncated))
        return steps

    return Workload(chunk, {"version": f"envpool {envpool.__version__}"})
