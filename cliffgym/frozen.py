"""Results whose arrays cannot be changed by accident."""

import numpy as np


class ReadOnlyArrays:
    """A base for frozen dataclasses: makes their array attributes read-only once they are set."""

    def __post_init__(self) -> None:
        for value in vars(self).values():
            if isinstance(value, np.ndarray):
                value.setflags(write=False)
