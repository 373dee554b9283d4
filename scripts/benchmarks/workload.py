"""What a measured piece of code looks like from outside. It needs nothing but Python: the peers import it too."""

from collections.abc import Callable
from typing import Any, NamedTuple


class Workload(NamedTuple):
    """A piece of work that can be repeated.

    Attributes:
        chunk: Does some work, a few milliseconds where that can be chosen, and returns how much: true transitions,
            MDPs solved, or bytes, as the file of the workload says. Called over and over.
        facts: What a reader of the result should know, as JSON values.
    """

    chunk: Callable[[], int]
    facts: dict[str, Any]
