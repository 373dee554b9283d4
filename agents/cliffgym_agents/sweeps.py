"""Sweeps of trainings and exact solutions, from a plan to a table."""

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from cliffgym.sweeps import Job, Ledger, Report, export, run_jobs
from cliffgym.sweeps.export import check_format
from cliffgym_agents.policy_export import SUFFIX, check_policies_kept, export_policies
from cliffgym_agents.runs import Result, Run, execute_run
from cliffgym_agents.sweep_plan import plan_runs, read_plan

__all__ = ["Result", "Run", "plan_runs", "read_plan", "sweep"]


def sweep(
    runs: Sequence[Run],
    ledger: str | os.PathLike[str],
    *,
    scheduler: str | None = None,
    workers: int | None = None,
    retry_failed: bool = False,
    exports: Sequence[str | os.PathLike[str]] = (),
    progress: bool = True,
) -> Report:
    """Does the runs that the ledger does not hold yet, and writes the table of those that it holds.

    Workers are spawned: a script calls this under `if __name__ == "__main__":`.

    Args:
        runs: What to do, such as `plan_runs` and `read_plan` give.
        ledger: The SQLite file, as for `cliffgym.sweeps.run_jobs`.
        scheduler: Address of a Dask scheduler; default processes of this machine.
        workers: Their number; default one for each core.
        retry_failed: Whether to try runs again that failed in an earlier call.
        exports: Files that end in ".csv" or ".parquet" for the table, or in ".json" for the policies of the runs that
            keep theirs, as the explorer's page takes them.
        progress: Whether there is a progress bar.

    Returns:
        What is there and what is not.

    Raises:
        ValueError, TypeError, OSError, ImportError: As `run_jobs` and `export`.

    The optimum under a malus, without a bonus and under one, on a cluster that is already there, here one of threads:

    >>> import csv, tempfile
    >>> from pathlib import Path
    >>> from distributed import LocalCluster
    >>> grid = {"scenario": "Cliff-TieBreaker-v0", "reward": "true", "algorithm": "optimal"}
    >>> runs = plan_runs({**grid, "set": {"bonus": [-0.1, 0, 0.1]}})
    >>> with tempfile.TemporaryDirectory() as folder, LocalCluster(
    ...     n_workers=1, processes=False, protocol="tcp", host="127.0.0.1", dashboard_address="127.0.0.1:0"
    ... ) as cluster:
    ...     ledger, table = Path(folder) / "breaker.sqlite", Path(folder) / "breaker.csv"
    ...     report = sweep(runs, ledger, scheduler=cluster.scheduler_address, exports=[table], progress=False)
    ...     with table.open(encoding="utf-8") as file:
    ...         rows = list(csv.DictReader(file))
    >>> report.done, [round(float(row["measures.target_format"]), 3) for row in rows]
    (3, [0.0, 0.25, 1.0])
    """
    for path in exports:  # before the work, not after it
        if Path(path).suffix == SUFFIX:
            check_policies_kept(runs, path)
        else:
            check_format(path, SUFFIX)
        if Path(path).resolve() == Path(ledger).resolve():
            raise ValueError(f"export must be another file than the ledger, got {os.fspath(path)} for both")
    jobs = [run.job for run in runs]
    report = run_jobs(
        jobs,
        execute_run,
        ledger,
        scheduler=scheduler,
        workers=workers,
        retry_failed=retry_failed,
        progress=progress,
    )
    try:
        _write(jobs, ledger, exports)
    except OSError as error:
        if report.stopped is None:
            raise
        return replace(report, stopped=f"{report.stopped}; and no table: {error}")  # a full disk has room for neither
    return report


def _write(jobs: Sequence[Job], ledger: str | os.PathLike[str], exports: Sequence[str | os.PathLike[str]]) -> None:
    """The exports, in the plan's order, whoever came first."""
    if not exports:
        return
    with Ledger.reading(ledger) as book:
        rows = {row.id: row for row in book.rows(job.id for job in jobs)}
    planned = [rows[id] for id in dict.fromkeys(job.id for job in jobs) if id in rows]
    for path in exports:
        (export_policies if Path(path).suffix == SUFFIX else export)(planned, path)
