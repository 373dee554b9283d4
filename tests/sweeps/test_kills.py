"""What dies in the middle of a sweep takes nothing with it that was stored: workers, drivers, the scheduler."""

import os
import random
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.sweeps.conftest import Cluster, Workshop

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="sends signals")

WORKERS = 2


@pytest.fixture(params=["local", "tcp"])
def scheduler(request: pytest.FixtureRequest) -> str | None:
    """None for workers of the driver's own, or the address of a cluster."""
    return None if request.param == "local" else request.getfixturevalue("tcp")


@pytest.mark.parametrize(("scheduler", "kills"), [("local", 1), ("tcp", 10)], indirect=["scheduler"])
def test_killed_drivers_lose_nothing_and_repeat_only_what_was_in_flight(
    workshop: "Workshop", scheduler: str | None, kills: int
) -> None:
    draw = random.Random(kills)
    # The last job ends only when the gate is open, so that no driver is done before it is killed.
    jobs = [*(workshop.job(i, seconds=0.03) for i in range(120)), workshop.job(120, gated=True)]
    acknowledged: list[int] = []
    stored: dict[int, str] = {}
    for session in range(kills):
        driver = workshop.start(jobs, scheduler, workers=WORKERS)
        # Some die as soon as a row is acknowledged, others at any moment after it, or before there is one.
        driver.until(draw.choice([0, 1, 1, 2, 5]))
        time.sleep(draw.choice([0, draw.uniform(0, 0.06)]) if driver.stored else draw.uniform(0, 1))
        driver.kill()
        assert driver.process.returncode == -signal.SIGKILL
        assert driver.gone()
        # Nothing is begun that was there, nothing twice, and no more is on its way than there are workers.
        begun = workshop.begun(session)
        assert set(begun).isdisjoint(stored)
        assert max(Counter(begun).values(), default=1) == 1
        stored = workshop.statuses()
        assert len(set(begun) - set(stored)) <= WORKERS
        acknowledged += driver.stored
        assert set(acknowledged) <= set(stored)
    workshop.gate.touch()
    status, driver = workshop.run(jobs, scheduler, workers=WORKERS)
    assert (status, driver.errors) == (0, "")
    assert set(workshop.begun(kills)) == set(range(121)) - set(stored)
    assert set(workshop.statuses().items()) == {(i, "done") for i in range(121)}
    assert len(workshop.begun()) <= 121 + kills * WORKERS
    assert len(acknowledged) == len(set(acknowledged)) > 0


def test_a_killed_worker_loses_nothing(workshop: "Workshop", scheduler: str | None) -> None:
    jobs = [workshop.job(0, gated=True), *(workshop.job(i, seconds=0.02) for i in range(1, 30))]
    driver = workshop.start(jobs, scheduler, workers=WORKERS)
    os.kill(workshop.process_of(0), signal.SIGKILL)
    workshop.gate.touch()
    assert driver.end() == 0
    assert set(workshop.statuses().items()) == {(i, "done") for i in range(30)}
    assert sorted(workshop.begun()) == [0, *range(30)]


def test_a_worker_killed_amid_short_jobs_loses_nothing(workshop: "Workshop", tcp: str) -> None:
    jobs = [workshop.job(i, gated=i == 5) for i in range(40)]
    driver = workshop.start(jobs, tcp, batch="short")
    os.kill(workshop.process_of(5), signal.SIGKILL)
    workshop.gate.touch()
    assert driver.end() == 0
    assert set(workshop.statuses().items()) == {(i, "done") for i in range(40)}


@pytest.mark.parametrize("moment", ["jobs run", "a result is fetched"])
def test_a_killed_scheduler_ends_the_driver_and_another_completes(
    workshop: "Workshop", start_cluster: "Callable[..., Cluster]", tcp: str, moment: str
) -> None:
    jobs = [*(workshop.job(i, seconds=0.02) for i in range(20)), workshop.job(20, gated=True)]
    scheduler = start_cluster(workers=2 if moment == "jobs run" else 1)
    if moment == "jobs run":
        driver = workshop.start(jobs, scheduler.address)
        driver.until(5)
        scheduler.scheduler.kill()
    else:
        driver = workshop.start(jobs, scheduler.address, kill_while_fetching=scheduler.scheduler.pid)
    assert driver.end() == 3
    stored = workshop.statuses()
    assert set(driver.stored) == set(stored)
    assert set(stored.values()) <= {"done"}  # the scheduler's end is no job's failure
    missing = driver.report["missing"]
    assert len(missing) == len(set(missing)) == 21 - len(stored) > 0
    assert set(missing).isdisjoint(row["id"] for row in workshop.rows().values())
    assert "the scheduler cannot be reached any more" in driver.report["stopped"]
    assert driver.errors == ""
    scheduler.close()

    workshop.gate.touch()
    status, driver = workshop.run(jobs, tcp)
    assert (status, driver.report["done"], driver.report["missing"]) == (0, 21, [])
    assert set(workshop.begun(1)) == set(range(21)) - set(stored)
    assert set(workshop.statuses().items()) == {(i, "done") for i in range(21)}


@pytest.mark.parametrize("whom", ["driver", "all"])
def test_an_interrupt_leaves_what_was_stored_and_no_process(workshop: "Workshop", tcp: str, whom: str) -> None:
    # "all" is what Ctrl-C does in a terminal, there with a job that does not end.
    jobs = [workshop.job(0, gated=whom == "all"), *(workshop.job(i, seconds=0.02) for i in range(1, 100))]
    driver = workshop.start(jobs, workers=WORKERS)
    driver.until(2)
    assert len(driver.family()) > WORKERS
    if whom == "driver":
        driver.process.send_signal(signal.SIGINT)
    else:
        os.killpg(driver.process.pid, signal.SIGINT)
    assert driver.end() == 130
    assert driver.gone()
    stored = workshop.statuses()
    assert set(driver.stored) <= set(stored) < set(range(100))
    assert set(stored.values()) == {"done"}

    workshop.gate.touch()
    status, _ = workshop.run(jobs, tcp)
    assert status == 0
    assert set(workshop.begun(1)) == set(range(100)) - set(stored)
    assert set(workshop.statuses().items()) == {(i, "done") for i in range(100)}
