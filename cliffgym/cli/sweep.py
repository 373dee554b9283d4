"""`cliffgym sweep FILE.yaml`: a grid of trainings and exact solutions, on this machine or a Dask cluster."""

import argparse
import json
import sys
from pathlib import Path


def add_command(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Adds the command to the parser."""
    parser = commands.add_parser(
        "sweep",
        help="train and solve a grid of settings; goes on where an earlier call stopped",
        description="Exit status: 0 if every run is done, 2 if some failed, 3 if some are missing.",
    )
    parser.add_argument("plan", metavar="FILE.yaml", type=Path, help="the grid, or several")
    parser.add_argument("--ledger", type=Path, metavar="FILE", help="SQLite file of results (default: FILE.sqlite)")
    parser.add_argument(
        "--export",
        type=Path,
        metavar="FILE",
        action="append",
        default=[],
        help="table to write at the end, .csv or .parquet, or policies that the explorer's page takes, .json; may be "
        "repeated (default: FILE.csv beside the ledger)",
    )
    parser.add_argument("--scheduler", metavar="ADDRESS", help="a Dask scheduler, such as tcp://127.0.0.1:8786")
    parser.add_argument(
        "--workers", type=int, metavar="N", help="processes on this machine (default: one for each core)"
    )
    parser.add_argument("--retry-failed", action="store_true", help="try runs again that failed in an earlier call")
    parser.add_argument("--dry-run", action="store_true", help="check the plan and say how many runs it has")
    parser.add_argument("--json", action="store_true", help="print JSON for programs to read, and no progress bar")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Runs the sweep and says how it ended."""
    from cliffgym_agents.sweeps import read_plan, sweep

    runs = read_plan(options.plan)
    ledger = options.ledger or Path(f"{options.plan.stem}.sqlite")
    exports = options.export or [ledger.with_suffix(".csv")]
    if options.dry_run:
        print(json.dumps({"planned": len(runs)}) if options.json else f"{len(runs)} runs in {options.plan}")
        return 0
    report = sweep(
        runs,
        ledger,
        scheduler=options.scheduler,
        workers=options.workers,
        retry_failed=options.retry_failed,
        exports=exports,
        progress=not options.json,
    )
    counts = {"planned": report.planned, "done": report.done}
    if options.json:
        found = {"failed": report.failed, "missing": report.missing, "stopped": report.stopped}
        print(json.dumps({**counts, **found, "ledger": str(ledger), "exports": [str(path) for path in exports]}))
        return report.exit_status
    written = [ledger, *exports] if report.stopped is None else [ledger]
    print(
        f"{report.done} of {report.planned} runs done, {len(report.failed)} failed, {len(report.missing)} missing. "
        f"Written: {', '.join(str(path) for path in written)}"
    )
    if report.failed:
        print("Errors are in the table; --retry-failed tries those runs again.")
    if report.stopped:
        print(f"cliffgym sweep: stopped: {report.stopped}", file=sys.stderr)
    return report.exit_status
