"""What a worker does with the jobs that it is sent."""

import importlib.metadata
import json
import os
import platform
import threading
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import cache
from typing import Any

from cliffgym.sweeps.jobs import public_version
from cliffgym.sweeps.ledger import Row

Work = Callable[[Mapping[str, Any]], Any]
_PACKAGES = ("cliffgym", "numpy", "gymnasium", "torch", "stable_baselines3", "sb3_contrib", "distributed")
_ONE_AT_A_TIME = threading.Lock()
"""A worker may have several threads, but seeds and thread counts are the process's."""


class VersionMismatchError(RuntimeError):
    """A worker has another version of a package than the driver."""


def execute(
    work: Work, jobs: Sequence[tuple[str, str]], versions: Mapping[str, str | None], seconds: float
) -> list[Row]:
    """Does jobs one after the other; what one of them raises is its row and stops no other.

    Args:
        work: What to call with the content of each.
        jobs: Ids, and contents as JSON.
        versions: The driver's versions of the packages on which results depend.
        seconds: After which no further job is begun.

    Returns:
        The rows of those that were done, at least one: `jobs` from the first on.

    Raises:
        VersionMismatchError: This worker has others.
    """
    for name, wanted in versions.items():
        if (own := public_version(name)) != wanted:
            raise VersionMismatchError(
                f"workers must have {name} {wanted} as the driver has, got {own} on {platform.node()}"
            )
    with _ONE_AT_A_TIME:
        rows: list[Row] = []
        end = time.perf_counter() + seconds
        for id, text in jobs:
            rows.append(_row(work, id, text))
            if time.perf_counter() >= end:
                break
        return rows


def _row(work: Work, id: str, text: str) -> Row:
    result = error = trace = None
    began = time.perf_counter()
    try:
        result = json.dumps(work(json.loads(text)))
    except BaseException as raised:  # sys.exit in a job is that job's failure, too
        error = _storable(f"{type(raised).__name__}: {_message(raised)}")
        trace = _storable("".join(traceback.format_exception(raised)))
    status = "done" if error is None else "failed"
    taken = time.perf_counter() - began
    return Row(id, text, status, result, error, trace, taken, now(), machine(), all_versions())


def _message(raised: BaseException) -> str:
    try:
        return str(raised)
    except Exception:  # a job's own exception, which cannot say what it is
        return "<no message>"


def _storable(text: str) -> str:
    """The text as SQLite takes it: without lone surrogates, which names of files may bring."""
    return text.encode(errors="backslashreplace").decode()


def now() -> str:
    """The present moment, UTC, in ISO 8601."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


@cache
def machine() -> str:
    """What this machine is, JSON."""
    facts = {"node": platform.node(), "system": platform.platform(), "processor": platform.processor()}
    return json.dumps(facts | {"cores": os.cpu_count()})


@cache
def all_versions() -> str:
    """Of Python and the packages that matter, JSON; None for what is not installed."""
    found: dict[str, str | None] = {"python": platform.python_version()}
    for name in _PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            found[name] = None
    return json.dumps(found)
