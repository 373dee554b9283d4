"""What a sweep consists of: jobs as plain data, known by what they contain."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any


@dataclass(frozen=True)
class Job:
    """One piece of work.

    Attributes:
        content: What the work function is called with: a mapping that JSON can hold.
        made_by: What else the result depends on, such as versions: part of the id, not of the call.
        batch: Jobs that take milliseconds share a name here: as many of one name as take about half a second are sent
            to a worker together. None for work that is worth a task of its own.
    """

    content: Mapping[str, Any]
    made_by: Mapping[str, Any]
    batch: str | None = None

    @cached_property
    def text(self) -> str:
        """The content as JSON, with sorted names: equal for equal jobs.

        Raises:
            TypeError: The content is not plain data.
        """
        return _canonical(self.content)

    @cached_property
    def id(self) -> str:
        """A hash of content and makers, 32 hexadecimal digits."""
        return hashlib.sha256(f"{_canonical(self.made_by)}\n{self.text}".encode()).hexdigest()[:32]


def _canonical(data: Mapping[str, Any]) -> str:
    try:
        return json.dumps(data, sort_keys=True)
    except (TypeError, ValueError) as error:
        raise TypeError(f"job must be plain data that JSON can hold, got {data!r}: {error}") from error
