"""What a sweep consists of: jobs as plain data, known by what they contain."""

import hashlib
import importlib.metadata
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache, cached_property
from typing import Any


@dataclass(frozen=True)
class Job:
    """One piece of work.

    Attributes:
        content: What the work function is called with: a mapping that JSON can hold. Whole numbers are integers there,
            however they are written: 1 and 1.0 are one job.
        made_by: What else the result depends on, such as default values, or the work function where one ledger serves
            several: part of the id, not of the call.
        packages: Names of installed packages on whose versions it depends, beside CliffGym's own. They are part of the
            id, and workers that have others are refused.
        batch: Jobs that take milliseconds share a name here: as many of one name as take about half a second are sent
            to a worker together. None for work that is worth a task of its own.

    >>> job, same = Job({"seed": 1, "bonus": 0.1}), Job({"bonus": 0.1, "seed": 1.0})
    >>> job.text, job.id == same.id
    ('{"bonus": 0.1, "seed": 1}', True)
    >>> len({Job({"seed": seed}, packages=("numpy",)).id for seed in range(3)}), list(job.versions)
    (3, ['cliffgym'])
    """

    content: Mapping[str, Any]
    made_by: Mapping[str, Any] = field(default_factory=dict)
    batch: str | None = None
    packages: tuple[str, ...] = ()

    @cached_property
    def text(self) -> str:
        """The content as JSON, with sorted names.

        Raises:
            TypeError: The content is not plain data.
        """
        return _canonical(_of_one_kind(self.content))

    @property
    def versions(self) -> dict[str, str | None]:
        """By package the version on which the result depends, None for one that is not installed."""
        return {name: public_version(name) for name in ("cliffgym", *self.packages)}

    @cached_property
    def id(self) -> str:
        """A hash of content, makers and versions, 32 hexadecimal digits."""
        parts = (_canonical(self.versions), _canonical(_of_one_kind(self.made_by)), self.text)
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:32]


@cache
def public_version(name: str) -> str | None:
    """The version of an installed package without what a build adds to it; None if it is not installed."""
    try:
        return importlib.metadata.version(name).partition("+")[0]
    except importlib.metadata.PackageNotFoundError:
        return None


def _of_one_kind(data: Any) -> Any:
    """Plain data whose whole numbers are integers."""
    if isinstance(data, Mapping):
        return {name: _of_one_kind(value) for name, value in data.items()}
    if isinstance(data, list | tuple):
        return [_of_one_kind(value) for value in data]
    return int(data) if isinstance(data, float) and data.is_integer() else data


def _canonical(data: Mapping[str, Any]) -> str:
    try:
        return json.dumps(data, sort_keys=True)
    except (TypeError, ValueError) as error:
        raise TypeError(f"job must be plain data that JSON can hold, got {data!r}: {error}") from error
