"""Memory bandwidth: a large array is copied by NumPy.

Counted: bytes, once for reading and once for writing.
"""

import numpy as np

from benchmarks.workload import Workload

SIZE = 1 << 28  # bytes; several times any cache


def make() -> Workload:
    """Copies a quarter of a gibibyte over and over."""
    source, target = np.ones(SIZE // 8), np.zeros(SIZE // 8)

    def chunk() -> int:
        np.copyto(target, source)
        return 2 * SIZE

    return Workload(chunk, {})
