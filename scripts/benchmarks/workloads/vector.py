"""Many environments through `gym.make_vec`: `step` called from Python with a fresh array of actions every time.

Counted: true transitions. With autoreset "same_step" every call has N of them: a trace that ends is followed by the
first state of the next one, and how it ended is in `final_info`. With "next_step", Gymnasium's default, a copy whose
trace has ended spends the next call on beginning anew; such calls are not transitions and are subtracted.
"""

from collections.abc import Mapping
from typing import Any

import gymnasium as gym
import numpy as np

import cliffgym  # noqa: F401  (registers)
from benchmarks.draws import drawn_actions
from benchmarks.workload import Workload


def make(
    id: str, num_envs: int, kernel: str, oracle: bool, autoreset_mode: str, parameters: Mapping[str, Any] | None = None
) -> Workload:
    """So many environments of a scenario with these parameters, stepped by the "numpy" or "numba" kernel."""
    settings = {"kernel": kernel, "oracle": oracle, "autoreset_mode": autoreset_mode}
    env = gym.make_vec(id, num_envs=num_envs, **settings, **(parameters or {}))
    env.reset(seed=0)
    actions = drawn_actions(int(env.single_action_space.n), num_envs)  # type: ignore[attr-defined]
    skips = autoreset_mode == "next_step"
    ended = 0

    def chunk() -> int:
        nonlocal ended
        steps = 0
        for block in actions:
            terminated = env.step(block)[2]
            steps += num_envs - ended
            if skips:
                ended = int(np.count_nonzero(terminated))
        return steps

    returned = env.step(actions[0])
    ended = int(np.count_nonzero(returned[2])) if skips else 0
    # Each array that goes in or comes out is read or written at least once.
    return Workload(chunk, {"bytes_per_call": (actions[0].nbytes + nbytes(returned)) / num_envs})


def nbytes(value: Any) -> int:
    """Bytes of all arrays in nested tuples and dictionaries."""
    if isinstance(value, np.ndarray):
        return value.nbytes
    if isinstance(value, dict):
        value = tuple(value.values())
    return sum(map(nbytes, value)) if isinstance(value, tuple) else 0
