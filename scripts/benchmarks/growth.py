"""How speed grows or falls with size: environments stepped at once, states of their world, states of a solved MDP."""

from collections.abc import Callable, Iterator
from itertools import product
from statistics import median
from typing import Any

from benchmarks.comparisons import LONG, MANY
from benchmarks.measuring import Plan
from benchmarks.problems import KINDS, NUM_ACTIONS
from benchmarks.processes import Worker, WorkerError
from benchmarks.quantities import growth_factor

KERNELS = ("numpy", "numba")
ENVS = tuple(4**power for power in range(10))  # 1 to 262,144
STATES = (10, 100, 1000, 10_000, 100_000, 1_000_000)
FROM_STATES, FACTOR = 1000, 3
_SHARE = 0.25  # of the plan's seconds, for one point
_REPEATS = 3
_MOST_STEPS = 1 << 20  # copies times steps of one rollout, which bounds its memory
_LONGEST = 30.0  # seconds for one point; a kernel that needs more is not followed further
_SOLUTIONS = 3  # of a point at least


def growth_over_envs(plan: Plan, told: Callable[[str], None]) -> list[dict[str, Any]]:
    """Steps a second of `step` and `rollout` by kernel and number of environments."""
    points = []
    sizes = ENVS[::3] if plan.quick else ENVS
    with Worker("ours") as worker:
        for method, kernel, size in product(("step", "rollout"), KERNELS, sizes):
            told(f"growth: {method}, {kernel}, {size:,} envs")
            settings: dict[str, Any] = {"id": LONG, "num_envs": size, "kernel": kernel, "oracle": True}
            if method == "step":
                worker.make("workloads.vector", settings | {"autoreset_mode": "same_step"})
            else:
                steps = max(8, min(128, _MOST_STEPS // size))
                worker.make("workloads.rollout", settings | {"steps": steps})
            points.append({"method": method, "kernel": kernel, "envs": size, "rate": _rate(worker, plan)})
    return points


def growth_over_worlds(plan: Plan, told: Callable[[str], None]) -> list[dict[str, Any]]:
    """Steps a second of `step` of 16,384 environments by kernel and number of states of a deterministic Garnet."""
    points = []
    settings = {"id": "Cliff-Garnet-v0", "num_envs": MANY, "oracle": True, "autoreset_mode": "same_step"}
    with Worker("ours") as worker:
        for kernel, size in product(KERNELS, STATES):
            told(f"growth: step, {kernel}, {size:,} states")
            parameters = {"states": size, "branching": 1}
            worker.make("workloads.vector", settings | {"kernel": kernel, "parameters": parameters})
            points.append({"method": "step", "kernel": kernel, "states": size, "rate": _rate(worker, plan)})
    return points


def _rate(worker: Worker, plan: Plan) -> float:
    """Steps a second of what a worker has made."""
    return median(worker.rate(_SHARE * plan.seconds) for _ in range(_REPEATS))


def growth_over_states(plan: Plan, told: Callable[[str], None]) -> list[dict[str, Any]]:
    """Seconds of `optimal` by kind of MDP, kernel and number of states; a point left out has a "reason" instead."""
    sizes = STATES[:-1] if plan.quick else STATES
    return [
        point
        for kind, kernel in product(KINDS, KERNELS)
        for point in _solved(kind, kernel, sizes, plan, lambda text: told(f"growth: {text}"))
    ]


def _solved(
    kind: str, kernel: str, sizes: tuple[int, ...], plan: Plan, told: Callable[[str], None]
) -> Iterator[dict[str, Any]]:
    """The points of one curve, up to the first that takes too long."""
    last = 0.0
    with Worker("ours") as worker:
        for size in sizes:
            told(f"{kind}, {kernel}, {size:,} states")
            point: dict[str, Any] = {"kind": kind, "kernel": kernel, "states": size}
            expected = 10 * last  # sizes grow tenfold
            if _SOLUTIONS * expected > _LONGEST:
                yield point | {"reason": f"it would take {expected:.0f} s or more"}
                return
            try:
                settings = {"kind": kind, "num_states": size, "kernel": kernel, "checked": False}
                first = worker.make("workloads.solver", settings, _LONGEST)["first_call_seconds"]
                repeats = _REPEATS if first < plan.seconds else 1
                last = 1 / median(worker.rate(_SHARE * plan.seconds, _LONGEST) for _ in range(repeats))
            except WorkerError as error:
                yield point | {"reason": str(error)}
                return
            yield point | {"seconds": last, "first_call_seconds": first}


def factor_row(kind: str, points: list[dict[str, Any]]) -> dict[str, Any]:
    """The row of the table that says by what factor the time per state-action grows, with the numba kernel."""
    found = {p["states"]: p for p in points if (p["kind"], p["kernel"]) == (kind, "numba")}
    row: dict[str, Any] = {
        "name": f"scaling-{kind}",
        "what": f"exact optimum, {kind}, `fast`: time per state-action from 1e3 to 1e6 states",
        "against": "itself",
        "counted": "largest by smallest time; A = 4, gamma 0.95; the first call of a fresh MDP apart",
        "unit": "ns per state-action",
        "target": FACTOR,
        "at_most": True,
    }
    missing = [f"{size:,} states: {found[size]['reason']}" for size in found if "reason" in found[size]]
    missing += [f"{size:,} states left out" for size in STATES if size >= FROM_STATES and size not in found]
    if missing:
        return row | {"reason": missing[0]}
    times = {size: point["seconds"] / (size * NUM_ACTIONS) for size, point in found.items()}
    factor = growth_factor(times, FROM_STATES)
    return row | {"ratio": {"median": factor, "lowest": factor, "highest": factor}, "times": times}
