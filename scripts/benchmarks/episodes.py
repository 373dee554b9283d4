"""The loop around a single Gymnasium environment. Ours and theirs are played by this very code."""

from collections.abc import Callable
from typing import Any

import numpy as np

_STEPS = 1024


def player(env: Any) -> Callable[[], int]:
    """A function that takes 1,024 random actions, resetting where an episode ends, and returns their number.

    Actions are Python ints, drawn uniformly in advance. A reset is not counted, but its time is.
    """
    actions = np.random.default_rng(0).integers(env.action_space.n, size=_STEPS).tolist()
    env.reset(seed=0)

    def play() -> int:
        step, reset = env.step, env.reset
        for action in actions:
            _, _, terminated, truncated, _ = step(action)
            if terminated or truncated:
                reset()
        return _STEPS

    return play
