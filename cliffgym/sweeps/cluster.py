"""Where jobs are done: processes of this machine, or a Dask cluster that is already there."""

import contextlib
import logging
import os
from collections.abc import Iterator

from distributed import Client, LocalCluster

from cliffgym.checks import choice

_SECONDS_TO_CONNECT = 10
_SCHEMES = ("tcp", "tls", "ucx", "ws", "wss")
_SILENT = logging.CRITICAL + 1


@contextlib.contextmanager
def connect(scheduler: str | None, num_workers: int) -> Iterator[Client]:
    """A client of the scheduler at an address, or of a cluster of `num_workers` processes made for the purpose.

    A cluster made here listens on the loopback address alone. Its workers are processes of one thread, kept apart so
    that the end of one takes no other job with it.

    Raises:
        OSError: There is no scheduler at that address.
        ValueError: It is not the address of one.
    """
    if scheduler is not None:
        with _quiet(), _reached(scheduler) as client:
            yield client
        return
    with _quiet(), _own_cluster(num_workers) as cluster, Client(cluster, set_as_default=False) as client:
        yield client


@contextlib.contextmanager
def _own_cluster(num_workers: int) -> Iterator[LocalCluster]:
    cluster = LocalCluster(
        n_workers=num_workers,
        threads_per_worker=1,
        processes=True,
        host="127.0.0.1",
        dashboard_address="127.0.0.1:0",
        memory_limit=0,  # Dask would stop workers that hold torch for holding too much; none holds data of Dask's
        scheduler_kwargs={"allowed_failures": 0},  # the driver itself tries again what a worker died of
        silence_logs=_SILENT,
    )
    try:
        yield cluster
    finally:
        # An assertion of Dask's fails now and then where a worker has just died and is about to be started again.
        # Whatever it is, the rows are stored, and the processes end with this one.
        with contextlib.suppress(Exception):
            cluster.close()


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keeps Dask from printing what rows and reports say."""
    names = [name for name in logging.root.manager.loggerDict if name.partition(".")[0] == "distributed"]
    levels = [(logging.getLogger(name), logging.getLogger(name).level) for name in names]
    for logger, _ in levels:
        logger.setLevel(_SILENT)
    try:
        yield
    finally:
        for logger, level in levels:
            logger.setLevel(level)


def _reached(scheduler: str) -> Client:
    scheme, separator, _ = scheduler.partition("://")
    if separator:  # a client that fails over this would take its time to go away
        choice("scheme of the scheduler's address", scheme, _SCHEMES, place=scheduler)
    try:
        return Client(scheduler, timeout=_SECONDS_TO_CONNECT, set_as_default=False)
    except (OSError, ValueError) as error:
        raise OSError(f"scheduler must be the address of a Dask scheduler, got {scheduler!r}: {error}") from error


def num_cores() -> int:
    """The processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
