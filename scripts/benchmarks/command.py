"""The command: what to measure, in what order, and where to write it."""

import argparse
import shlex
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict
from datetime import date
from pathlib import Path
from typing import Any

from tqdm import tqdm

from benchmarks.comparisons import COMPARISONS
from benchmarks.figures import draw_growth
from benchmarks.growth import factor_row, growth_over_envs, growth_over_states, growth_over_worlds
from benchmarks.machine import describe_machine
from benchmarks.measuring import Plan, measure
from benchmarks.problems import KINDS
from benchmarks.processes import Worker, WorkerError
from benchmarks.report import bandwidth_note, page, terminal_table
from benchmarks.results import Results
from cliffgym.files import atomic_write

MEMORY = "memory"
CURVES = {"growth-envs": growth_over_envs, "growth-worlds": growth_over_worlds, "growth-states": growth_over_states}
NAMES = (MEMORY, *(comparison.name for comparison in COMPARISONS), *CURVES)
FULL, QUICK = Plan(7, 0.5, quick=False), Plan(3, 0.15, quick=True)
_Told = Callable[[str], None]


def arguments(given: Sequence[str] | None) -> argparse.Namespace:
    """What was asked for."""
    parser = argparse.ArgumentParser(prog="scripts/benchmark", description="Measures CliffGym beside its peers.")
    parser.add_argument("--quick", action="store_true", help="fewer and shorter rounds, for trying out")
    parser.add_argument("--only", nargs="+", metavar="NAME", choices=NAMES, help=f"some of: {', '.join(NAMES)}")
    parser.add_argument("--repeats", type=int, metavar="N", help=f"rounds (default {FULL.repeats})")
    parser.add_argument("--output", type=Path, default=Path("docs/benchmarks"), help="folder (default %(default)s)")
    parser.add_argument("--resume", action="store_true", help="measure only what results.json there does not have")
    asked = parser.parse_args(given)
    if asked.repeats is not None and asked.repeats < 1:
        parser.error(f"--repeats must be >= 1, got {asked.repeats}")
    return asked


def main(given: Sequence[str] | None = None) -> None:
    """Measures, prints the table and writes results.json, README.md and the figures."""
    given = sys.argv[1:] if given is None else given
    asked = arguments(given)
    base = QUICK if asked.quick else FULL
    plan = Plan(asked.repeats or base.repeats, base.seconds, base.quick)
    path = asked.output / "results.json"
    run = {"machine": describe_machine(), "plan": asdict(plan)}
    try:
        results = Results.resume(path, run) if asked.resume else Results(run, date.today().isoformat())
    except (OSError, ValueError) as error:
        sys.exit(f"scripts/benchmark: {error}")
    wanted = [name for name in NAMES if asked.only is None or name in asked.only]
    interrupted = False
    try:
        measure_all([name for name in wanted if not is_there(results, name)], results, plan, path)
    except KeyboardInterrupt:
        interrupted = True
    write(results, asked.output, shlex.join(["scripts/benchmark", *given]))
    if interrupted:
        sys.exit("interrupted; the same command with --resume goes on")


def is_there(results: Results, name: str) -> bool:
    """Whether something has been measured already."""
    return bool(results.bandwidth) if name == MEMORY else name in (results.curves if name in CURVES else results.rows)


def measure_all(names: Sequence[str], results: Results, plan: Plan, path: Path) -> None:
    """Measures what is named, and saves after each."""
    with tqdm(names, unit="row", disable=None) as progress:

        def told(text: str) -> None:
            progress.set_postfix_str(text)

        for name in progress:
            try:
                measure_one(name, results, plan, told)
            except WorkerError as error:
                results.rows[name] = failed_row(name, str(error))
            results.save(path)


def measure_one(name: str, results: Results, plan: Plan, told: _Told) -> None:
    """Measures a row, a growth curve or the memory."""
    if name == MEMORY:
        with Worker("ours") as worker:
            worker.make("workloads.memory", {})
            told("memory bandwidth")
            results.bandwidth = [worker.rate(plan.seconds) for _ in range(plan.repeats)]
    elif name in CURVES:
        results.curves[name] = CURVES[name](plan, told)
    else:
        comparison = next(known for known in COMPARISONS if known.name == name)
        results.rows[name] = measure(comparison, plan, told)


def failed_row(name: str, reason: str) -> dict[str, Any]:
    """The row of a curve, or of the memory, that could not be measured."""
    unknown = {"against": "-", "counted": "nothing", "unit": "", "target": None, "at_most": False}
    return {"name": name, "what": name, "reason": reason} | unknown


def write(results: Results, folder: Path, command: str) -> None:
    """Prints the table, and writes results.json, README.md and the figures."""
    if solved := results.curves.get("growth-states"):
        results.rows |= {row["name"]: row for row in (factor_row(kind, solved) for kind in KINDS)}
    order = {name: place for place, name in enumerate(NAMES)}
    results.rows = dict(sorted(results.rows.items(), key=lambda item: order.get(item[0], len(order))))
    results.save(folder / "results.json")
    figures = draw_growth(results.curves, folder)
    with atomic_write(folder / "README.md") as file:
        file.write(page(results, command, figures).encode())
    print(terminal_table(list(results.rows.values())))
    print(bandwidth_note(results))
    print(
        f"\nWritten: {folder / 'README.md'}, {folder / 'results.json'}", *(f"{folder / name}.svg" for name in figures)
    )
