"""The driver: what is run and what is not, what fails, and how it ends. Drivers run in processes of their own."""

import contextlib
import hashlib
import json
import os
import re
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import cliffgym
from cliffgym.sweeps import Job, Ledger, Report, Row, cluster, driver, run_jobs
from cliffgym.sweeps.execution import VersionMismatchError, execute

if TYPE_CHECKING:
    from tests.sweeps.conftest import Cluster, Workshop

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="sends signals")


# What fails


def test_what_a_job_raises_is_its_row_and_stops_no_other(workshop: "Workshop", tcp: str) -> None:
    ends = {
        "ValueError": "ValueError: no luck",
        "KeyboardInterrupt": "KeyboardInterrupt: ",
        "sys.exit": "SystemExit: 7",
        "set": "TypeError: Object of type set is not JSON serializable",
        "Unspeakable": "Unspeakable: <no message>",
        "surrogate": "OSError: caf\\udce9",
    }
    bad = [workshop.job(i, end) for i, end in enumerate(ends)]
    jobs = [*bad, *(workshop.job(i) for i in range(len(bad), 20))]
    status, driver = workshop.run(jobs, tcp)
    assert (status, driver.errors) == (2, "")
    rows = workshop.rows()
    assert {number: rows[number]["error"] for number in range(len(bad))} == dict(enumerate(ends.values()))
    for number in range(len(bad)):
        assert (rows[number]["status"], rows[number]["result"]) == ("failed", None)
        assert rows[number]["traceback"].startswith("Traceback (most recent call last)")
    assert "in work\n" in rows[0]["traceback"]  # where it was
    assert {rows[number]["status"] for number in range(len(bad), 20)} == {"done"}
    assert driver.report["done"] == 20 - len(bad)
    assert set(driver.report["failed"]) == {rows[number]["id"] for number in range(len(bad))}
    assert (driver.report["missing"], driver.report["stopped"]) == ([], None)


def test_failed_jobs_are_tried_again_when_asked_to_and_only_then(workshop: "Workshop", tcp: str) -> None:
    jobs = [workshop.job(0, "unlucky"), workshop.job(1, "ValueError"), workshop.job(2), workshop.job(3)]
    assert workshop.run(jobs, tcp)[0] == 2
    before = workshop.rows()
    status, again = workshop.run(jobs, tcp)
    assert (status, again.stored, workshop.begun(1)) == (2, [], [])
    assert workshop.rows() == before

    (workshop.folder / "luck").touch()
    status, _ = workshop.run(jobs, tcp, retry_failed=True)
    assert status == 2
    assert sorted(workshop.begun(2)) == [0, 1]
    rows = workshop.rows()
    assert workshop.statuses() == {0: "done", 1: "failed", 2: "done", 3: "done"}
    assert (rows[0]["error"], rows[0]["traceback"]) == (None, None)
    assert rows[1]["finished"] > before[1]["finished"]
    assert (rows[2], rows[3]) == (before[2], before[3])


@pytest.mark.parametrize("batch", [None, "short"])
def test_a_job_that_ends_its_process_fails_alone(workshop: "Workshop", tcp: str, batch: str | None) -> None:
    scheduler = tcp if batch else None
    deadly = 4
    ends = {deadly: "os._exit", 7: "ValueError"}
    jobs = [workshop.job(i, ends.get(i, "return")) for i in range(16)]
    status, driver = workshop.run(jobs, scheduler, batch=batch)
    assert status == 2, driver.errors
    assert workshop.statuses() == {i: "failed" if i in ends else "done" for i in range(16)}
    row = workshop.rows()[deadly]
    assert row["error"] == "KilledWorker: the worker's process ended whenever it ran"
    assert (row["traceback"], row["wall_time"]) == (None, 0)
    assert workshop.begun().count(deadly) == 3  # once more with others, and alone: they might have ended the process


def test_a_job_that_ends_a_process_of_several_threads_fails_alone(
    workshop: "Workshop", start_cluster: "Callable[..., Cluster]"
) -> None:
    cluster = start_cluster(workers=2, threads=4)
    jobs = [workshop.job(i, "SIGKILL" if i == 3 else "return", seconds=0.01) for i in range(12)]
    status, _ = workshop.run(jobs, cluster.address)
    assert status == 2
    assert workshop.statuses() == {i: "failed" if i == 3 else "done" for i in range(12)}


def test_what_was_stored_counts_however_the_cluster_goes_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Dask asserts when it closes that each worker is closing, which one that is being started again is not."""

    class Asserting(cluster.LocalCluster):
        def close(self, timeout: float | None = None) -> None:
            super().close(timeout)
            raise AssertionError("Status.starting")

    monkeypatch.setattr(cluster, "LocalCluster", Asserting)
    report = run_jobs([Job({"bonus": 0.1})], len, tmp_path / "ledger.sqlite", workers=1, progress=False)
    assert (report.done, report.exit_status) == (1, 0)


# What is run


def test_a_call_runs_only_what_is_missing(workshop: "Workshop", tcp: str) -> None:
    few = [workshop.job(i) for i in range(5)]
    more = [workshop.job(i) for i in range(8)]
    assert workshop.run([*few, *few], tcp)[1].report["planned"] == 5
    assert workshop.run(more, tcp, record_tasks=True)[0] == 0
    tasks = Path(f"{workshop.log}.tasks").read_text(encoding="utf-8").splitlines()
    assert [task.split()[0] for task in tasks] == ["1", "1", "1"]  # no batch
    status, driver = workshop.run([*reversed(more), *few], tcp)
    assert (status, driver.stored, driver.report["planned"], driver.report["done"]) == (0, [], 8, 8)
    assert sorted(workshop.begun(0)) == [0, 1, 2, 3, 4]
    assert sorted(workshop.begun(1)) == [5, 6, 7]
    assert workshop.begun(2) == []


def test_a_second_driver_on_one_ledger_is_refused(workshop: "Workshop", tcp: str) -> None:
    jobs = [workshop.job(0, gated=True), workshop.job(1)]
    first = workshop.start(jobs, tcp)
    first.until(1)
    status, second = workshop.run(jobs, tcp)
    assert status == 2
    message = f"error: ledger must be written by one sweep at a time, got another that writes {workshop.ledger}\n"
    assert second.errors == message
    workshop.gate.touch()
    assert first.end() == 0
    assert workshop.statuses() == {0: "done", 1: "done"}
    assert sorted(workshop.begun()) == [0, 1]


def test_short_jobs_are_sent_in_tasks_of_a_third_of_a_second(workshop: "Workshop", tcp: str) -> None:
    jobs = [workshop.job(i, seconds=0.02) for i in range(120)]
    status, _ = workshop.run(jobs, tcp, batch="short", record_tasks=True)
    assert status == 0
    assert sorted(workshop.begun()) == list(range(120))
    lines = Path(f"{workshop.log}.tasks").read_text(encoding="utf-8").splitlines()
    tasks = [(int(count), float(seconds)) for count, seconds in map(str.split, lines)]
    assert sum(count for count, _ in tasks) == 120
    # Each of the two workers may come to a last task with less to do.
    assert len([seconds for _, seconds in tasks if seconds < 0.3]) <= 2
    # None goes on for long: it ends with the job in which half a second is over.
    assert all(seconds * (count - 1) / count < 0.6 for count, seconds in tasks if count > 1)


def test_rows_say_what_was_done_when_where_and_with_what(workshop: "Workshop", tcp: str) -> None:
    assert workshop.run([workshop.job(3, seconds=0.05)], tcp)[0] == 0
    (row,) = workshop.rows().values()
    assert row["id"] == Job(workshop.job(3, seconds=0.05), {}).id
    assert json.loads(row["job"]) == workshop.job(3, seconds=0.05)
    assert json.loads(row["result"]) == {"square": 9, "third": 1.0, "filler": ""}
    assert (row["status"], row["error"], row["traceback"]) == ("done", None, None)
    assert 0.05 <= row["wall_time"] < 60
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+00:00", row["finished"])
    machine, versions = json.loads(row["machine"]), json.loads(row["versions"])
    assert machine["node"] == os.uname().nodename
    assert machine["cores"] == os.cpu_count()
    assert {"python", "cliffgym", "numpy", "gymnasium", "torch", "stable_baselines3", "distributed"} <= set(versions)
    assert versions["python"] == sys.version.split()[0]


# What stops it


@pytest.mark.parametrize(
    ("faults", "message"),
    [({"pages": 40}, "database or disk is full"), ({"file_size": 150_000}, "disk I/O error")],
    ids=["no page left", "no file may grow"],
)
def test_a_full_disk_stops_the_driver_and_loses_nothing(
    workshop: "Workshop", tcp: str, faults: dict[str, int], message: str
) -> None:
    jobs = [workshop.job(i, size=10_000) for i in range(30)]
    status, driver = workshop.run(jobs, tcp, **faults)
    assert (status, driver.errors) == (3, "")
    assert driver.report["stopped"] == f"ledger {workshop.ledger} cannot be read or written: {message}"
    stored = workshop.statuses()
    assert 0 < len(stored) < 30
    assert set(driver.stored) == set(stored)
    assert driver.report["done"] == len(stored)
    assert len(driver.report["missing"]) == 30 - len(stored)

    status, _ = workshop.run(jobs, tcp)  # there is room again
    assert status == 0
    assert sorted(workshop.begun(1)) == sorted(set(range(30)) - set(stored))
    assert len(workshop.statuses()) == 30


def test_workers_of_another_version_are_refused(workshop: "Workshop", tcp: str) -> None:
    status, driver = workshop.run([workshop.job(0)], tcp, version="99.0.0")
    assert status == 3
    told = r"workers must have cliffgym 99\.0\.0 as the driver has, got \S+ on \S+"
    assert re.fullmatch(told, driver.report["stopped"])
    assert (workshop.rows(), workshop.begun()) == ({}, [])


def test_a_scheduler_that_is_not_there_is_an_error(workshop: "Workshop") -> None:
    status, driver = workshop.run([workshop.job(0)], "tcp://127.0.0.1:1", seconds_to_connect=0.2, progress=True)
    assert status == 2
    start = "error: scheduler must be the address of a Dask scheduler, got 'tcp://127.0.0.1:1': "
    assert driver.errors.startswith(start)
    assert len(driver.errors.splitlines()) == 1


# The progress bar


def test_the_progress_bar_has_rate_and_time_left(workshop: "Workshop", tcp: str) -> None:
    import pty
    import termios

    terminal, other_end = pty.openpty()
    termios.tcsetwinsize(terminal, (24, 100))
    jobs = [workshop.job(0, "ValueError"), *(workshop.job(i, seconds=0.12) for i in range(1, 8))]
    driver = workshop.start(jobs, tcp, progress=True, terminal=other_end)
    os.close(other_end)
    text = "".join(_read(terminal))
    assert driver.end() == 2
    assert re.search(r"sweep:  *\d+%.* [1-7]/8 \[\d\d:\d\d<\d\d:\d\d, .*(run/s|s/run), 1 failed\]", text)
    assert re.search(r"sweep: 100%.* 8/8 \[.*\]", text)


def _read(terminal: int) -> Iterator[str]:
    with contextlib.suppress(OSError):  # what Linux says when the other end is closed
        while chunk := os.read(terminal, 4096):
            yield chunk.decode(errors="replace")
    os.close(terminal)


def test_a_log_gets_the_first_bar_and_the_last(workshop: "Workshop", tcp: str) -> None:
    jobs = [workshop.job(i, seconds=0.05) for i in range(12)]
    _, driver = workshop.run(jobs, tcp, progress=True)
    assert re.findall(r"\d+/\d+ ", driver.errors) == ["0/12 ", "12/12 "]


def test_a_terminal_that_goes_away_stops_nothing(workshop: "Workshop", tcp: str) -> None:
    status, driver = workshop.run([workshop.job(i) for i in range(4)], tcp, progress=True, closed_stderr=True)
    assert (status, len(driver.stored)) == (0, 4)


# In this process


@pytest.fixture
def no_cluster(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("a cluster was about to be started")

    monkeypatch.setattr(driver, "connect", refuse)


def _work(content: Any) -> None:
    raise AssertionError(content)


def _row(job: Job, status: Any = "done") -> Row:
    return Row(job.id, job.text, status, "{}", None, None, 1.0, "2025-01-01T00:00:00.000+00:00", "{}", "{}")


@pytest.mark.usefixtures("no_cluster")
def test_what_is_there_needs_no_cluster(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    jobs = [Job({"number": number}, {}) for number in range(3)]
    assert run_jobs([], _work, tmp_path / "a.sqlite") == Report(0, 0, (), (), None)
    with Ledger.writing(tmp_path / "b.sqlite") as ledger:
        ledger.add([_row(jobs[0]), _row(jobs[1], "failed"), _row(jobs[2])])
    report = run_jobs(jobs, _work, tmp_path / "b.sqlite")
    assert report == Report(3, 2, (jobs[1].id,), (), None)
    assert report.exit_status == 2
    assert "".join(capfd.readouterr()) == ""


@pytest.mark.usefixtures("no_cluster")
def test_a_ledger_of_many_jobs_is_looked_through_in_no_time(tmp_path: Path) -> None:
    jobs = [Job({"number": number}, {}) for number in range(20_000)]
    with Ledger.writing(tmp_path / "ledger.sqlite") as ledger:
        ledger.add(map(_row, jobs))
    began = time.perf_counter()
    assert run_jobs(jobs, _work, tmp_path / "ledger.sqlite").done == 20_000
    assert time.perf_counter() - began < 5  # a tenth of one; ten if each looked through all others


def test_a_process_does_one_job_at_a_time_whatever_its_threads() -> None:
    """Seeds of random numbers and numbers of threads are the process's, not the thread's."""
    at_once: list[int] = []
    under_way: list[int] = []

    def work(content: Any) -> None:
        under_way.append(content)
        at_once.append(len(under_way))
        time.sleep(0.01)
        under_way.remove(content)

    with ThreadPoolExecutor(4) as pool:
        tasks = [[(f"{task} {job}", str(10 * task + job)) for job in range(3)] for task in range(4)]
        futures = [pool.submit(execute, work, task, {"cliffgym": cliffgym.__version__}, 60.0) for task in tasks]
    assert [[row.id for row in future.result()] for future in futures] == [[id for id, _ in task] for task in tasks]
    assert at_once == [1] * 12


def test_what_has_come_is_handed_on_before_the_next_is_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of two tasks that have ended the second one stops the sweep: the rows of the first are not lost."""

    class Ended:
        status = "error"

        def __init__(self, outcome: Any) -> None:
            self.outcome = outcome

        def result(self) -> Any:
            if isinstance(self.outcome, Exception):
                raise self.outcome
            return self.outcome

    jobs = [Job({"number": i}) for i in range(2)]
    row = Row(jobs[0].id, jobs[0].text, "done", "1", None, None, 0.0, "", "{}", "{}")
    ended = [Ended([row]), Ended(VersionMismatchError("another version"))]
    made = driver._Driver(None, _work, [])  # type: ignore[arg-type]
    made._under_way = dict(zip(ended, ([job] for job in jobs), strict=True))  # type: ignore[assignment]
    monkeypatch.setattr(made, "_send", lambda: None)
    monkeypatch.setattr(made, "_next_ended", lambda: ended)
    rows = made.rows()
    assert next(rows) == [row]
    with pytest.raises(VersionMismatchError):
        next(rows)


@pytest.mark.usefixtures("no_cluster")
@pytest.mark.parametrize("workers", [0, -1, 1.5, True])
def test_workers_must_be_a_positive_number(tmp_path: Path, workers: Any) -> None:
    with pytest.raises((ValueError, TypeError), match="workers must be"):
        run_jobs([Job({}, {})], _work, tmp_path / "ledger.sqlite", workers=workers)
    assert list(tmp_path.iterdir()) == []


def test_a_scheduler_has_its_own_workers(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="workers must be left out with a scheduler, which has its own, got 2"):
        run_jobs([Job({}, {})], _work, tmp_path / "ledger.sqlite", scheduler="tcp://127.0.0.1:8786", workers=2)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("address", ["http://127.0.0.1:8786", "ftp://there"])
def test_an_address_of_another_kind_is_refused(tmp_path: Path, address: str) -> None:
    with pytest.raises(ValueError, match=f"scheme of the scheduler's address must be one of .* of {address}"):
        run_jobs([Job({}, {})], _work, tmp_path / "ledger.sqlite", scheduler=address)


@pytest.mark.parametrize(
    ("failed", "missing", "stopped", "status"),
    [((), (), None, 0), (("a",), (), None, 2), ((), ("b",), None, 3), (("a",), ("b",), None, 3), (("a",), (), "x", 3)],
)
def test_exit_status(failed: tuple[str, ...], missing: tuple[str, ...], stopped: str | None, status: int) -> None:
    assert Report(3, 1, failed, missing, stopped).exit_status == status


# Jobs


def test_ids_are_hashes_of_what_a_job_contains() -> None:
    ids = {
        Job({"a": 1, "b": [1, 2]}, {"version": "1"}).id,
        Job({"a": 1, "b": [2, 1]}, {"version": "1"}).id,
        Job({"a": 1.5, "b": [1, 2]}, {"version": "1"}).id,
        Job({"a": 1, "b": [1, 2]}, {"version": "2"}).id,
        Job({"a": 1, "b": [1, 2]}, {}).id,
        Job({}, {"a": 1, "b": [1, 2]}).id,
    }
    assert len(ids) == 6
    assert all(re.fullmatch("[0-9a-f]{32}", id) for id in ids)
    assert Job({"b": [1, 2], "a": 1}, {"version": "1"}, batch="x").id == Job({"a": 1, "b": (1, 2)}, {"version": "1"}).id
    assert Job({"a": 1.0}).id == Job({"a": 1}).id  # one number, however it is written
    assert Job({"a": 1}, packages=("numpy",)).id != Job({"a": 1}).id
    # The same wherever it is made.
    told = f'{{"cliffgym": "{cliffgym.__version__}"}}\n{{}}\n{{"a": 1}}'
    assert Job({"a": 1}).id == hashlib.sha256(told.encode()).hexdigest()[:32]


@pytest.mark.parametrize("content", [{"a": {1}}, {"a": object()}, {"a": b"x"}])
def test_a_job_that_is_no_plain_data_is_refused(content: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(TypeError, match="job must be plain data that JSON can hold, got "):
        run_jobs([Job(content, {})], _work, tmp_path / "ledger.sqlite")
    assert list(tmp_path.iterdir()) == []
