"""Sweeps in processes of their own, which a test may kill: jobs, a driver and a Dask cluster."""

import contextlib
import json
import os
import queue
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest

LIMIT = 120.0  # seconds after which something hangs, also on a slow machine

JOBS = '''
"""What workers do. Each execution first writes its number, its session and its process to a log."""

import json, os, signal, sys, time
from cliffgym.sweeps import execution


class Unspeakable(Exception):
    def __str__(self):
        raise RuntimeError("an error that cannot say what it is")


def work(content, session):
    append(content["log"], content["number"], session, os.getpid())
    while content["gate"] and not os.path.exists(content["gate"]):
        time.sleep(0.01)
    time.sleep(content["seconds"])
    end = content["end"]
    if end == "ValueError":
        raise ValueError("no luck")
    if end == "KeyboardInterrupt":
        raise KeyboardInterrupt
    if end == "Unspeakable":
        raise Unspeakable
    if end == "surrogate":
        raise OSError("caf\\udce9")
    if end == "set":
        return {1, 2}
    if end == "sys.exit":
        sys.exit(7)
    if end == "os._exit":
        os._exit(7)
    if end == "SIGKILL":
        os.kill(os.getpid(), signal.SIGKILL)
    if end == "unlucky" and not os.path.exists(content["luck"]):
        raise ValueError("no luck yet")
    return {"square": content["number"] ** 2, "third": content["number"] / 3, "filler": "x" * content["size"]}


def execute(work, jobs, versions, seconds):
    """Like the function that the driver sends, and writes to a log how many jobs a task has done, and in what time."""
    began = time.perf_counter()
    rows = execution.execute(work, jobs, versions, seconds)
    append(json.loads(jobs[0][1])["log"] + ".tasks", len(rows), time.perf_counter() - began)
    return rows


def append(path, *words):
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.write(descriptor, (" ".join(map(str, words)) + "\\n").encode())
    os.close(descriptor)
'''

DRIVER = '''
"""Runs a sweep, and says on standard output which jobs are stored as soon as `run_jobs` says so."""

import dataclasses, functools, json, os, signal, sys
import distributed, sweep_jobs
from cliffgym.sweeps import Job, cluster, driver, jobs, ledger, run_jobs


def simulate(faults):
    """Makes the machine a worse one."""
    if "pages" in faults:
        opened = ledger._open

        def open_full(path):
            connection = opened(path)
            connection.execute(f"PRAGMA max_page_count = {faults['pages']}")
            return connection

        ledger._open = open_full
    if "file_size" in faults:
        import resource

        resource.setrlimit(resource.RLIMIT_FSIZE, (faults["file_size"], resource.RLIM_INFINITY))
    if "kill_while_fetching" in faults:
        result = distributed.Future.result

        def lose(future):
            os.kill(faults["kill_while_fetching"], signal.SIGKILL)
            return result(future)

        distributed.Future.result = lose
    if "version" in faults:
        jobs.public_version = lambda name: faults["version"]
    if "seconds_to_connect" in faults:
        cluster._SECONDS_TO_CONNECT = faults["seconds_to_connect"]
    if "closed_stderr" in faults:
        reading, writing = os.pipe()
        os.close(reading)
        driver._SECONDS_IN_LOGS = 0
        bar = driver._bar

        def bar_of_a_terminal_that_goes_away(*arguments):
            made = bar(*arguments)
            os.dup2(writing, 2)
            return made

        driver._bar = bar_of_a_terminal_that_goes_away


def say(rows):
    print("stored", *(json.loads(row.job)["number"] for row in rows), flush=True)


if __name__ == "__main__":
    with open(sys.argv[1]) as file:
        plan = json.load(file)
    simulate(plan["faults"])
    if plan["record_tasks"]:
        driver.execute = sweep_jobs.execute
    try:
        report = run_jobs(
            [Job(content, {}, plan["batch"]) for content in plan["jobs"]],
            functools.partial(sweep_jobs.work, session=plan["session"]),
            plan["ledger"],
            scheduler=plan["scheduler"],
            workers=plan["workers"],
            retry_failed=plan["retry_failed"],
            progress=plan["progress"],
            on_rows=say,
        )
    except (ValueError, TypeError, OSError, RuntimeError) as error:  # as the command line has it
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit(130)
    print("report", json.dumps(dataclasses.asdict(report)), flush=True)
    sys.exit(report.exit_status)
'''


class Driver:
    """A driver that runs, and what it has said so far."""

    def __init__(self, command: Sequence[str], environment: dict[str, str], errors: Path, terminal: int | None) -> None:
        self._errors = errors
        with errors.open("wb") as file:
            self.process = subprocess.Popen(
                command,
                env=environment,
                cwd=errors.parent,
                stdout=subprocess.PIPE,
                stderr=file if terminal is None else terminal,
                text=True,
                start_new_session=True,
            )
        self.stored: list[int] = []
        self.report: dict[str, Any] = {}
        self._lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        with self.process.stdout as output:
            for line in output:
                self._lines.put(line)
        self._lines.put(None)

    def until(self, count: int) -> None:
        """Waits until that many jobs are said to be stored, or for the end."""
        while len(self.stored) < count:
            line = self._lines.get(timeout=LIMIT)
            if line is None:
                self._lines.put(None)
                return
            word, _, rest = line.partition(" ")
            if word == "stored":
                self.stored += map(int, rest.split())
            elif word == "report":
                self.report = json.loads(rest)

    def end(self) -> int:
        """Waits for the end, and returns the exit status."""
        self.until(sys.maxsize)
        return self.process.wait(LIMIT)

    def kill(self) -> None:
        """Kills the driver alone, and collects what it has said before."""
        self.process.kill()
        self.end()

    @property
    def errors(self) -> str:
        """What is on standard error."""
        return self._errors.read_bytes().decode()

    def family(self) -> list[psutil.Process]:
        """The processes that live of those that the driver has started, and itself."""
        return _group(self.process.pid)

    def gone(self) -> bool:
        """Waits until none of them lives."""
        return wait_until(lambda: not self.family())


class Workshop:
    """A folder for a ledger, a log of executions, and drivers that work on them."""

    def __init__(self, folder: Path, environment: dict[str, str], driver: Path) -> None:
        self.folder, self.ledger, self.log = folder, folder / "sweep.sqlite", folder / "log"
        self.gate = folder / "gate"
        self._environment, self._driver = environment, driver
        self._drivers: list[Driver] = []

    def job(self, number: int, end: str = "return", *, gated: bool = False, seconds: float = 0.0, size: int = 0) -> Any:
        """The content of a job; one that is gated waits until the file `gate` is there."""
        gate = str(self.gate) if gated else None
        content = {"number": number, "end": end, "seconds": seconds, "size": size, "gate": gate}
        return content | {"log": str(self.log), "luck": str(self.folder / "luck")}

    def start(
        self,
        jobs: Sequence[Any],
        scheduler: str | None = None,
        *,
        workers: int = 2,
        batch: str | None = None,
        retry_failed: bool = False,
        progress: bool = False,
        record_tasks: bool = False,
        terminal: int | None = None,
        **faults: Any,
    ) -> Driver:
        """Starts a driver; `faults` are those that its script knows."""
        session = len(self._drivers)
        plan = {"jobs": jobs, "scheduler": scheduler, "workers": None if scheduler else workers, "batch": batch}
        plan["retry_failed"] = retry_failed
        plan |= {"progress": progress, "record_tasks": record_tasks, "faults": faults, "session": session}
        file = self.folder / f"plan-{session}.json"
        file.write_text(json.dumps(plan | {"ledger": str(self.ledger)}), encoding="utf-8")
        errors = self.folder / f"driver-{session}.err"
        command = [sys.executable, str(self._driver), str(file)]
        self._drivers.append(Driver(command, self._environment, errors, terminal))
        return self._drivers[-1]

    def run(self, jobs: Sequence[Any], scheduler: str | None = None, **options: Any) -> tuple[int, Driver]:
        """Runs a driver to its end: its exit status, and what it has said."""
        driver = self.start(jobs, scheduler, **options)
        return driver.end(), driver

    def begun(self, session: int | None = None) -> list[int]:
        """The numbers of the jobs that were begun, in order; only those of one driver, the first being 0."""
        return [number for number, of, _ in self._executions() if session in (None, of)]

    def process_of(self, number: int) -> int:
        """Waits until a job is begun, and returns the process that does it."""
        assert wait_until(lambda: number in self.begun())
        return next(process for begun, _, process in self._executions() if begun == number)

    def _executions(self) -> list[tuple[int, int, int]]:
        if not self.log.exists():
            return []
        lines = self.log.read_text(encoding="utf-8").splitlines()
        return [(int(number), int(session), int(process)) for number, session, process in map(str.split, lines)]

    def rows(self) -> dict[int, dict[str, Any]]:
        """The ledger's rows by number of job, read by nothing but SQLite."""
        if not self.ledger.exists():
            return {}
        with contextlib.closing(sqlite3.connect(self.ledger, timeout=LIMIT)) as connection:
            connection.row_factory = sqlite3.Row
            if not connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
                return {}
            rows = [dict(row) for row in connection.execute("SELECT * FROM rows")]
        return {json.loads(row["job"])["number"]: row for row in rows}

    def statuses(self) -> dict[int, str]:
        """By number of job how it ended. What is done must have the right result, to the last bit."""
        rows = self.rows()
        for number, row in rows.items():
            if row["status"] == "done":
                filler = "x" * json.loads(row["job"])["size"]
                assert row["result"] == json.dumps({"square": number**2, "third": number / 3, "filler": filler})
        return {number: row["status"] for number, row in rows.items()}

    def close(self) -> None:
        """Ends whatever still runs, and lets workers of a shared cluster go on."""
        self.gate.touch()
        for driver in self._drivers:
            _end(driver.process)


@dataclass(frozen=True)
class Cluster:
    """A scheduler and workers, each a process of its own, on the loopback address."""

    address: str
    scheduler: subprocess.Popen[bytes]
    workers: Sequence[subprocess.Popen[bytes]]

    def close(self) -> None:
        """Ends them."""
        for process in [*self.workers, self.scheduler]:
            _end(process)


def _start_cluster(folder: Path, environment: dict[str, str], workers: int, threads: int) -> Cluster:
    file = folder / "scheduler.json"
    at = ["--host", "127.0.0.1", "--no-dashboard", "--scheduler-file", str(file)]
    until = ["--port", "0", "--idle-timeout", "3600"]  # should nobody be left to end it
    scheduler = _start("dask_scheduler", [*at, *until], folder / "scheduler.err", environment)
    of = ["--nthreads", str(threads), "--memory-limit", "0", "--local-directory", str(folder)]
    started = [_start("dask_worker", [*at, *of], folder / f"worker-{i}.err", environment) for i in range(workers)]
    cluster = Cluster("", scheduler, started)
    try:
        assert wait_until(lambda: _address(file) is not None)
    except BaseException:
        cluster.close()
        raise
    return Cluster(_address(file) or "", scheduler, started)


def _start(
    command: str, arguments: Sequence[str], errors: Path, environment: dict[str, str]
) -> subprocess.Popen[bytes]:
    with errors.open("wb") as file:
        return subprocess.Popen(
            [sys.executable, "-m", f"distributed.cli.{command}", *arguments],
            env=environment,
            cwd=errors.parent,  # not the checkout: what is installed is what is tested
            stderr=file,
            start_new_session=True,
        )


def _address(file: Path) -> str | None:
    try:
        return json.loads(file.read_text(encoding="utf-8"))["address"]
    except (FileNotFoundError, json.JSONDecodeError):  # not there yet, or half of it
        return None


def _end(process: "subprocess.Popen[Any]") -> None:
    """Ends a process and those that it has started."""
    for member in _group(process.pid):
        with contextlib.suppress(psutil.NoSuchProcess):
            member.send_signal(signal.SIGKILL)
    process.wait(LIMIT)


def _group(leader: int) -> list[psutil.Process]:
    """The processes that live of a group."""
    found: list[psutil.Process] = []
    for process in psutil.process_iter():
        with contextlib.suppress(OSError, psutil.Error):  # it has just ended, or is none of ours
            if os.getpgid(process.pid) == leader and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
    return found


def wait_until(condition: Callable[[], bool]) -> bool:
    """Waits for a condition; says whether it came true in time."""
    end = time.monotonic() + LIMIT
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.01)
    return False


@pytest.fixture(scope="session")
def _scripts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("scripts")
    (folder / "sweep_jobs.py").write_text(JOBS, encoding="utf-8")
    (folder / "sweep_driver.py").write_text(DRIVER, encoding="utf-8")
    return folder


@pytest.fixture(scope="session")
def _environment(_scripts: Path) -> dict[str, str]:
    """Of drivers and workers. A scheduler's clusters give up on a task whose worker has died once, to save time."""
    failures = "DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES"
    path = os.pathsep.join(filter(None, [str(_scripts), os.environ.get("PYTHONPATH")]))
    return {**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1", failures: "0"}


@pytest.fixture
def workshop(tmp_path: Path, _scripts: Path, _environment: dict[str, str]) -> Iterator[Workshop]:
    """A folder for a ledger, a log of executions, and drivers that work on them."""
    made = Workshop(tmp_path, _environment, _scripts / "sweep_driver.py")
    yield made
    made.close()


@pytest.fixture
def start_cluster(
    tmp_path_factory: pytest.TempPathFactory, _environment: dict[str, str]
) -> Iterator[Callable[..., Cluster]]:
    """Starts a scheduler and workers of the test's own: `start_cluster(workers=2, threads=1)`."""
    with contextlib.ExitStack() as stack:

        def start(workers: int = 2, threads: int = 1) -> Cluster:
            cluster = _start_cluster(tmp_path_factory.mktemp("cluster"), _environment, workers, threads)
            stack.callback(cluster.close)
            return cluster

        yield start


@pytest.fixture(scope="session")
def tcp(tmp_path_factory: pytest.TempPathFactory, _environment: dict[str, str]) -> Iterator[str]:
    """The address of a scheduler with two workers that tests share: a driver starts faster than with a cluster."""
    cluster = _start_cluster(tmp_path_factory.mktemp("cluster"), _environment, workers=2, threads=1)
    yield cluster.address
    cluster.close()
