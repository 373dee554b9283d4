"""The driver: sends jobs to workers, stores results as they come, and says at the end what is there and what is not."""

import contextlib
import math
import os
import queue
import sys
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import CancelledError
from dataclasses import dataclass, replace

from distributed import Client, Future, KilledWorker
from tqdm import tqdm

from cliffgym.checks import integer
from cliffgym.sweeps.cluster import connect, num_cores
from cliffgym.sweeps.execution import VersionMismatchError, Work, all_versions, execute, machine, now
from cliffgym.sweeps.jobs import Job
from cliffgym.sweeps.ledger import STATUSES, Ledger, Row

TASK_SECONDS = 0.5
"""After which a worker sends back what it has done of a task of short jobs, and what it has not: a task costs
milliseconds to send, and what is under way is lost with the driver."""
LEAST_SECONDS = 0.3
"""What such a task is to take at least, if there is enough to do."""
_FIRST_JOBS = 1000  # of a batch whose speed is not known yet
_MOST_JOBS = 10_000
_PATIENCE = 2.0  # seconds between looks at the cluster while nothing comes
_SECONDS_IN_LOGS = 30.0  # between progress bars where one is not written over the other


@dataclass(frozen=True)
class Report:
    """How a sweep ended.

    Attributes:
        planned: Number of different jobs that were asked for.
        done: How many of them are in the ledger and done, those of earlier calls among them.
        failed: Ids of those that are there and failed.
        missing: Ids of those that are not there.
        stopped: Why the sweep stopped before its end, or None.

    >>> report = Report(planned=10, done=8, failed=("1a",), missing=("2b",), stopped=None)
    >>> report.exit_status, Report(10, 9, ("1a",), (), None).exit_status
    (3, 2)
    """

    planned: int
    done: int
    failed: tuple[str, ...]
    missing: tuple[str, ...]
    stopped: str | None

    @property
    def exit_status(self) -> int:
        """0 if all are done, 3 if some are missing or were not tried again, 2 if all are there but some failed."""
        return 3 if self.missing or self.stopped is not None else 2 if self.failed else 0


def run_jobs(
    jobs: Sequence[Job],
    work: Work,
    ledger: str | os.PathLike[str],
    *,
    scheduler: str | None = None,
    workers: int | None = None,
    retry_failed: bool = False,
    description: str = "sweep",
    progress: bool = True,
    on_rows: Callable[[Sequence[Row]], None] | None = None,
) -> Report:
    """Does the jobs that the ledger does not hold yet.

    What a job raises becomes its row and stops no other. A job whose worker died is tried again; one that ends its
    worker three times, in the end with no other job beside it, fails. A worker that has another version of a package
    that results depend on stops the sweep. Whatever stops the driver, the rows that were stored stay, and the same call
    goes on from there. Workers are spawned: a script calls this under `if __name__ == "__main__":`.

    Args:
        jobs: What to do; equal jobs are done once.
        work: A function that workers can import. It is called with the content of a job and returns what JSON can hold.
        ledger: The SQLite file. No other sweep may be writing it.
        scheduler: Address of a Dask scheduler, such as "tcp://127.0.0.1:8786"; default a cluster of processes made for
            this call.
        workers: Processes of that cluster; default one for each core. Not with `scheduler`, which has its own.
        retry_failed: Whether to try jobs again that failed in an earlier call.
        description: What the progress bar says.
        progress: Whether there is one.
        on_rows: Called with rows once they are stored.

    Raises:
        ValueError: The file is no ledger of this version, another sweep is writing it, the address is none, or it
            goes with a number of workers.
        TypeError: A job is not plain data.
        OSError: The ledger cannot be opened or written, or the scheduler cannot be reached.

    Threads start quickest, and have the function at hand; without `scheduler` there are processes, which import it.

    >>> import cliffgym, os, tempfile
    >>> from distributed import LocalCluster
    >>> def optimum(content):
    ...     made = cliffgym.scenario("Cliff-TieBreaker-v0", bonus=content["bonus"])
    ...     return round(cliffgym.optimal(made.mdp, made.reward("true")).expected_return, 6)
    >>> jobs = [Job({"bonus": 0.1}), Job({"bonus": 0.2}), Job({"malus": 0.1})]  # the last has no bonus to look up
    >>> with tempfile.TemporaryDirectory() as folder, LocalCluster(
    ...     n_workers=1, processes=False, protocol="tcp", host="127.0.0.1", dashboard_address="127.0.0.1:0"
    ... ) as cluster:
    ...     path = os.path.join(folder, "ledger.sqlite")
    ...     report = run_jobs(jobs, optimum, path, scheduler=cluster.scheduler_address, progress=False)
    ...     with Ledger.reading(path) as ledger:
    ...         rows = list(ledger.rows())
    >>> report.done, len(report.failed), report.exit_status
    (2, 1, 2)
    >>> sorted(row.result or row.error for row in rows)
    ['1.1', '1.2', "KeyError: 'bonus'"]
    """
    if scheduler is not None and workers is not None:
        raise ValueError(f"workers must be left out with a scheduler, which has its own, got {workers!r}")
    plan = {job.id: job for job in jobs}
    num_workers = num_cores() if workers is None else integer("workers", workers, 1)
    with Ledger.writing(ledger) as book:
        before = book.statuses()
        settled = ("done",) if retry_failed else STATUSES
        missing = [job for id, job in plan.items() if before.get(id) not in settled]
        stopped = None
        if missing:
            with (
                connect(scheduler, min(num_workers, len(missing))) as client,
                _bar(description, len(plan), len(plan) - len(missing), progress) as bar,
            ):
                stopped = _store(_Driver(client, work, missing), book, bar, on_rows)
        after = book.statuses()
    failed = tuple(id for id in plan if after.get(id) == "failed")
    absent = tuple(id for id in plan if id not in after)
    return Report(len(plan), len(plan) - len(failed) - len(absent), failed, absent, stopped)


def _store(
    driver: "_Driver", ledger: Ledger, bar: "_Bar", on_rows: Callable[[Sequence[Row]], None] | None
) -> str | None:
    """Stores rows as they come; says why they ended early, or None."""
    failures = 0
    try:
        for rows in driver.rows():
            if rows:
                try:
                    ledger.add(rows)
                except OSError as error:
                    return str(error)
                failures += sum(row.status == "failed" for row in rows)
                if on_rows is not None:
                    on_rows(rows)
            bar.set_postfix_str(_note(failures, driver.num_workers), refresh=False)
            bar.update(len(rows))
    except (_SchedulerLostError, VersionMismatchError) as error:
        return str(error)
    finally:
        driver.cancel()
    return None


class _Bar(tqdm):
    """A progress bar that stops nothing when the terminal is gone."""

    def update(self, n: float | None = 1) -> bool | None:
        """Adds to what is done, and shows it if it is time."""
        try:
            return super().update(n)
        except OSError:
            self.disable = True

    def close(self) -> None:
        """Shows the end."""
        with contextlib.suppress(OSError):
            super().close()


def _bar(description: str, total: int, initial: int, shown: bool) -> _Bar:
    terminal = sys.stderr is not None and sys.stderr.isatty()
    return _Bar(
        total=total,
        initial=initial,
        desc=description,
        unit="run",
        miniters=0,  # the time and the note go on while no run ends
        mininterval=0.1 if terminal else _SECONDS_IN_LOGS,
        disable=not shown or sys.stderr is None,
    )


def _note(failures: int, workers: int) -> str:
    parts = [f"{failures} failed"] if failures else []
    return ", ".join(parts if workers else [*parts, "waiting for workers"])


class _SchedulerLostError(RuntimeError):
    """The scheduler is gone, and with it whatever was on its way."""


class _Driver:
    """Keeps workers busy.

    No more tasks are on their way than there are workers, so that few are lost with the driver, and a worker that dies
    takes with it hardly more than the task that killed it.

    Args:
        client: Of the cluster.
        work: What to call with the content of a job.
        jobs: What to do.
    """

    def __init__(self, client: Client, work: Work, jobs: Sequence[Job]) -> None:
        self._client, self._work = client, work
        self._waiting = deque(jobs)
        self._suspects: deque[Job] = deque()  # their worker died twice: to be tried once more, alone
        self._died: set[str] = set()
        self._versions = {name: version for job in jobs for name, version in job.versions.items()}
        self._alone = False
        self._under_way: dict[Future, list[Job]] = {}
        self._ended: queue.SimpleQueue[Future] = queue.SimpleQueue()
        self._seconds: dict[str, float] = {}  # by batch: those of a job, on the average of its last task
        self.num_workers = 0

    def rows(self) -> Iterator[list[Row]]:
        """Rows as jobs end; an empty list now and then if none does.

        Raises:
            _SchedulerLostError: There is no scheduler any more.
            VersionMismatchError: A worker has another version of a package.
        """
        while self._waiting or self._suspects or self._under_way:
            self._send()
            ended = self._next_ended()
            for future in ended:  # each by itself: what has come is stored before the next is looked at
                yield self._outcome(future)
            if not ended:
                yield []

    def cancel(self) -> None:
        """Takes back what has been sent."""
        with contextlib.suppress(Exception):  # there may be no scheduler any more
            self._client.cancel(list(self._under_way))
        self._under_way.clear()

    def _send(self) -> None:
        self.num_workers = self._count_workers()
        while self._waiting and len(self._under_way) < max(self.num_workers, 1):
            self._submit(self._taken())
        if self._suspects and not self._waiting and not self._under_way:
            self._alone = True
            self._submit([self._suspects.popleft()])

    def _count_workers(self) -> int:
        try:
            return len(self._client.nthreads())  # type: ignore[arg-type]  # this client is not asynchronous
        except (OSError, CancelledError) as error:
            raise _SchedulerLostError(_LOST) from error

    def _submit(self, jobs: list[Job]) -> None:
        tasks = [(job.id, job.text) for job in jobs]
        future = self._client.submit(execute, self._work, tasks, self._versions, TASK_SECONDS, pure=False)
        self._under_way[future] = jobs
        future.add_done_callback(self._ended.put)

    def _taken(self) -> list[Job]:
        """The next job, and of short ones more than a worker does in a task's time."""
        first = self._waiting.popleft()
        taken = [first]
        if first.batch is not None:
            most = self._jobs_of(first.batch)
            while len(taken) < most and self._waiting and self._waiting[0].batch == first.batch:
                taken.append(self._waiting.popleft())
        return taken

    def _jobs_of(self, batch: str) -> int:
        """How many jobs a task of the batch is to be sent with: a fair share of those that wait, if that is enough."""
        share = math.ceil((len(self._waiting) + 1) / max(self.num_workers, 1))
        seconds = self._seconds.get(batch)
        if seconds is None:
            return min(share, _FIRST_JOBS)
        speed = 1 / max(seconds, 1e-6)
        return min(max(share, math.ceil(LEAST_SECONDS * speed)), math.ceil(2 * TASK_SECONDS * speed), _MOST_JOBS)

    def _next_ended(self) -> list[Future]:
        """What has ended, after a while also if nothing has."""
        try:
            ended = [self._ended.get(timeout=_PATIENCE)]
        except queue.Empty:
            return []
        while not self._ended.empty():
            ended.append(self._ended.get())
        return ended

    def _outcome(self, future: Future) -> list[Row]:
        """The rows of a task that has ended. Jobs for which a worker had no time left wait again."""
        jobs = self._under_way.pop(future)
        try:
            rows = future.result()
        except Exception as error:
            if future.status != "error":  # it was not the task that failed: its result was on the way
                raise _SchedulerLostError(_LOST) from error
            return self._failures(jobs, error)
        self._waiting.extendleft(reversed(jobs[len(rows) :]))
        if jobs[0].batch is not None:
            self._seconds[jobs[0].batch] = sum(row.wall_time for row in rows) / len(rows)
        return rows

    def _failures(self, jobs: list[Job], error: Exception) -> list[Row]:
        """The rows of a task that had no result."""
        if isinstance(error, VersionMismatchError):
            raise error
        message = f"{type(error).__name__}: {error}"  # if nothing else, the work function could not be had there
        if isinstance(error, KilledWorker):
            if not self._alone:
                # A machine that is gone takes many jobs with it. Only what dies again is suspected of its own end.
                again = [job for job in jobs if job.id in self._died]
                self._suspects.extend(again)
                self._waiting.extend(replace(job, batch=None) for job in jobs if job.id not in self._died)
                self._died.update(job.id for job in jobs)
                return []
            message = f"{type(error).__name__}: the worker's process ended whenever it ran"
        return [_failure(job, message) for job in jobs]


_LOST = "the scheduler cannot be reached any more; what was stored is kept, and the same call goes on from there"


def _failure(job: Job, error: str) -> Row:
    """The row of a job of which no worker could say how it ended."""
    return Row(job.id, job.text, "failed", None, error, None, 0.0, now(), machine(), all_versions())
