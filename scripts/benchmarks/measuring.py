"""Measures a comparison: its sides take turns, round after round, on the one core."""

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any

from benchmarks.comparisons import Comparison, Side
from benchmarks.processes import Worker, WorkerError
from benchmarks.quantities import Spread, fastest, largest_difference, paired_ratios, slowest

_WARM_UP = 0.1  # seconds
_SAME_VALUES = 1e-6


@dataclass(frozen=True)
class Plan:
    """How long to measure.

    Attributes:
        repeats: Rounds in which every side of a comparison is measured once.
        seconds: Least time of one measurement.
        quick: Whether fewer sizes of the growth curves are measured.
    """

    repeats: int
    seconds: float
    quick: bool


def measure(comparison: Comparison, plan: Plan, told: Callable[[str], None]) -> dict[str, Any]:
    """A row of the table, as JSON values; one with a "reason" if there is nothing to compare.

    Args:
        comparison: What to measure.
        plan: How long.
        told: Called with what is being done.
    """
    row: dict[str, Any] = {"name": comparison.name, "at_most": False}
    row |= {key: getattr(comparison, key) for key in ("what", "against", "counted", "unit", "target")}
    with ExitStack() as stack:
        workers: dict[str, Worker] = {}
        facts: dict[str, dict[str, Any]] = {}
        failures: dict[str, str] = {}
        for side in (*comparison.ours, *comparison.peers):
            told(f"{comparison.name}: starting {side.label}")
            try:
                worker = stack.enter_context(Worker(side.environment))
                facts[side.label] = worker.make(side.workload, dict(side.settings))
                worker.rate(_WARM_UP)
                workers[side.label] = worker
            except WorkerError as error:
                failures[side.label] = str(error)
        problem = what_is_missing(comparison, failures) or what_differs(comparison, facts)
        if problem:
            return row | {"reason": problem}
        row |= {"facts": facts, "failures": failures}
        try:
            return row | compared(comparison, rates(workers, plan, lambda text: told(f"{comparison.name}: {text}")))
        except WorkerError as error:
            return row | {"reason": str(error)}


def rates(workers: dict[str, Worker], plan: Plan, told: Callable[[str], None]) -> dict[str, list[float]]:
    """Count a second of every side in every round; only one works at a time."""
    measured: dict[str, list[float]] = {label: [] for label in workers}
    for turn in range(plan.repeats):
        told(f"round {turn + 1} of {plan.repeats}")
        # Backwards every other time, so that a machine that slowly changes its pace favours neither end.
        for label, worker in list(workers.items())[:: -1 if turn % 2 else 1]:
            measured[label].append(worker.rate(plan.seconds))
    return measured


def compared(comparison: Comparison, measured: dict[str, list[float]]) -> dict[str, Any]:
    """The ratio of our slowest side to the peers' fastest, and everything that was measured."""
    ours = slowest({side.label: measured[side.label] for side in comparison.ours})
    peer = fastest({side.label: measured[side.label] for side in comparison.peers if side.label in measured})
    rounds = Spread.of(paired_ratios(measured[ours], measured[peer]))
    ratio = Spread(median(measured[ours]) / median(measured[peer]), rounds.lowest, rounds.highest)
    return {"ours": ours, "peer": peer, "ratio": asdict(ratio), "rates": measured}


def what_is_missing(comparison: Comparison, failures: dict[str, str]) -> str | None:
    """Why there is nothing to compare: a side of ours failed, or all peers did. None if there is."""

    def failed(sides: tuple[Side, ...]) -> list[str]:
        return [f"{side.label}: {failures[side.label]}" for side in sides if side.label in failures]

    ours, peers = failed(comparison.ours), failed(comparison.peers)
    if ours:
        return ours[0]
    return peers[0] if len(peers) == len(comparison.peers) else None


def what_differs(comparison: Comparison, facts: dict[str, dict[str, Any]]) -> str | None:
    """Whether two solvers disagree. Takes the values out of `facts` and puts their largest difference there."""
    values = {label: found.pop("values") for label, found in facts.items() if "values" in found}
    ours = [side.label for side in comparison.ours if side.label in values]
    for label in values.keys() - set(ours):
        difference = largest_difference(values[ours[0]], values[label])
        facts[label]["largest_difference"] = difference
        if not difference <= _SAME_VALUES:
            return f"{label} gives other optimal values than ours, by up to {difference:g}"
    return None
