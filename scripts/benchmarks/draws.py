"""Actions drawn in advance, so that no one's sampling is measured. The same draws for everyone."""

import numpy as np
from numpy.typing import DTypeLike, NDArray

BLOCKS = 16  # a step's actions come round again after so many steps


def drawn_actions(num_actions: int, num_envs: int, dtype: DTypeLike = np.int64) -> list[NDArray[np.integer]]:
    """`BLOCKS` arrays (N,) of uniformly random actions."""
    return list(np.random.default_rng(0).integers(num_actions, size=(BLOCKS, num_envs)).astype(dtype))
