"""scripts/benchmark: what it makes of measured numbers, its tables, its file of results, and its worker processes."""

import importlib
import io
import json
import re
import sys
import types
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest


def find_root() -> Path:
    """The folder of pyproject.toml above this file."""
    for folder in Path(__file__).resolve().parents:
        if (folder / "pyproject.toml").exists():
            return folder
    raise FileNotFoundError("pyproject.toml")


SCRIPTS = find_root() / "scripts"


def load(name: str) -> Any:
    """A module of scripts/benchmarks, which is not installed."""
    sys.path.insert(0, str(SCRIPTS))
    try:
        return importlib.import_module(f"benchmarks.{name}")
    finally:
        sys.path.remove(str(SCRIPTS))


command, comparisons, growth, measuring, processes, quantities, report, results, worker, workload = map(
    load,
    (
        "command",
        "comparisons",
        "growth",
        "measuring",
        "processes",
        "quantities",
        "report",
        "results",
        "worker",
        "workload",
    ),
)


def row(**changed: Any) -> dict[str, Any]:
    """A measured row: our medians are 30 and 20, the peers' 10 and 5."""
    return {
        "name": "row",
        "what": "ours",
        "against": "theirs",
        "counted": "true steps",
        "unit": "steps",
        "target": 2.0,
        "at_most": False,
        "ours": "slow",
        "peer": "quick",
        "ratio": {"median": 2.0, "lowest": 1.5, "highest": 2.5},
        "rates": {"slow": [2e6, 1.5e6, 2.5e6], "fast": [3e6] * 3, "quick": [1e6] * 3, "other": [5e5] * 3},
        "facts": {},
        "failures": {},
    } | changed


UNMEASURED = {key: value for key, value in row().items() if key not in ("ratio", "rates", "ours", "peer")}
UNMEASURED |= {"reason": "no wheel"}


# Arithmetic


def test_ratios_are_of_the_same_round() -> None:
    # The machine was half as fast in the second round: its ratio is that of the first.
    assert quantities.paired_ratios([8.0, 4.0, 6.0], [2.0, 1.0, 3.0]) == [4.0, 4.0, 2.0]


def test_rounds_must_be_complete() -> None:
    with pytest.raises(ValueError, match="shorter"):
        quantities.paired_ratios([1.0, 2.0], [1.0])


def test_a_spread_is_of_the_numbers_in_any_order() -> None:
    assert quantities.Spread.of([3.0, 1.0, 9.0, 2.0]) == quantities.Spread(2.5, 1.0, 9.0)


def test_sides_are_ranked_by_their_medians_not_by_their_luck() -> None:
    rates = {"steady": [5.0, 5.0, 5.0], "lucky once": [4.0, 4.0, 90.0], "unlucky once": [6.0, 6.0, 0.1]}
    assert quantities.slowest(rates) == "lucky once"
    assert quantities.fastest(rates) == "unlucky once"


def test_the_slowest_of_ours_meets_the_fastest_peer() -> None:
    sides = [comparisons.Side(label, "workloads.single", {}) for label in ("a", "b")]
    peers = [comparisons.Side(label, "peers.envpool_frozenlake", {}) for label in ("c", "d", "failed")]
    comparison = comparisons.Comparison("n", "w", "a", "c", "steps", 1, tuple(sides), tuple(peers))
    measured = {"a": [9.0, 9.0], "b": [6.0, 8.0], "c": [1.0, 1.0], "d": [2.0, 4.0]}
    found = measuring.compared(comparison, measured)
    assert (found["ours"], found["peer"]) == ("b", "d")
    assert found["ratio"] == {"median": 7.0 / 3.0, "lowest": 2.0, "highest": 3.0}
    assert found["rates"] == measured


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({"target": 2.0}, "pass"),
        ({"target": 2.01}, "missed"),
        ({"target": 2.01, "at_most": True}, "pass"),
        ({"target": 1.99, "at_most": True}, "missed"),
        ({"target": None}, "no target"),
        ({"reason": "no wheel"}, "not measured: no wheel"),
    ],
)
def test_a_verdict_goes_by_the_median(changed: dict[str, Any], expected: str) -> None:
    assert quantities.verdict(row(**changed)) == expected


def test_a_growth_factor_leaves_small_sizes_out() -> None:
    assert quantities.growth_factor({10: 50.0, 1000: 2.0, 10_000: 1.0, 100_000: 3.0}, 1000) == 3.0


def test_a_growth_factor_needs_two_sizes() -> None:
    with pytest.raises(ValueError, match="two sizes from 1000 on, got 1"):
        quantities.growth_factor({10: 1.0, 1000: 2.0}, 1000)


def solved(states: int, seconds: float, kernel: str = "numba") -> dict[str, Any]:
    return {"kind": "acyclic", "kernel": kernel, "states": states, "seconds": seconds}


def test_the_scaling_row_is_of_time_per_state_action_with_numba() -> None:
    points = [solved(size, time * size) for size, time in ((10, 9.0), (1000, 1.0), (10_000, 2.0), (100_000, 4.0))]
    points += [solved(1_000_000, 3e6), solved(1_000_000, 8e9, "numpy")]
    found = growth.factor_row("acyclic", points)
    assert found["ratio"]["median"] == 4.0
    assert quantities.verdict(found) == "missed"


def test_the_scaling_row_tells_which_size_is_missing() -> None:
    left_out = growth.factor_row("acyclic", [solved(1000, 1.0), solved(10_000, 1.0)])
    assert left_out["reason"] == "100,000 states left out"
    late = {"kind": "acyclic", "kernel": "numba", "states": 100_000, "reason": "it took longer than 60 s"}
    points = [solved(1000, 1.0), solved(10_000, 1.0), late]
    assert growth.factor_row("acyclic", points)["reason"] == "100,000 states: it took longer than 60 s"


# What is compared


def test_every_workload_exists_and_stands_with_its_environment() -> None:
    for comparison in comparisons.COMPARISONS:
        for side in (*comparison.ours, *comparison.peers):
            assert (SCRIPTS / "benchmarks" / f"{side.workload.replace('.', '/')}.py").exists()
        assert {side.environment for side in comparison.ours} == {"ours"}
        labels = [side.label for side in (*comparison.ours, *comparison.peers)]
        assert len(set(labels)) == len(labels)


def test_names_are_distinct() -> None:
    assert len(set(command.NAMES)) == len(command.NAMES)


def test_the_targets_are_those_that_were_set() -> None:
    targets = {c.name: c.target for c in comparisons.COMPARISONS if c.target is not None}
    assert targets == {
        "single": 8,
        "single-oracle": 4,
        "vector-numpy": 30,
        "vector-short": 30,
        "rollout-blind": 2,
        "floor-traces": 0.4,
        "rollout-fast": 2,
        "floor": 0.4,
        "floor-oracle": 0.4,
        "ppo": 1.8,
        "ppo-tabular": 2,
        "solver-500": 5,
        "solver-100000": 3,
        "solver-batch": 10,
    }


def test_peers_need_nothing_of_ours() -> None:
    shared = [SCRIPTS / "benchmarks" / f"{name}.py" for name in ("workload", "worker", "draws", "episodes", "problems")]
    for path in [*shared, *(SCRIPTS / "benchmarks" / "peers").glob("*.py")]:
        assert not re.search(r"^\s*(import|from) cliffgym", path.read_text(encoding="utf-8"), re.MULTILINE), path


def comparison_of(ours: list[str], peers: list[str]) -> Any:
    sides = [tuple(comparisons.Side(label, "workloads.single", {}) for label in labels) for labels in (ours, peers)]
    return comparisons.Comparison("n", "w", "a", "c", "steps", 1, *sides)


@pytest.mark.parametrize(
    ("failures", "reason"),
    [
        ({}, None),
        ({"c": "no wheel"}, None),
        ({"c": "no wheel", "d": "no module"}, "c: no wheel"),
        ({"b": "no module"}, "b: no module"),
    ],
)
def test_one_peer_may_fail_but_not_all_and_none_of_ours(failures: dict[str, str], reason: str | None) -> None:
    assert measuring.what_is_missing(comparison_of(["a", "b"], ["c", "d"]), failures) == reason


def test_solvers_that_disagree_are_not_compared() -> None:
    facts: dict[str, Any] = {"a": {"values": [[1.0, 2.0]]}, "c": {"values": [[1.0, 2.5]]}}
    reason = measuring.what_differs(comparison_of(["a"], ["c"]), facts)
    assert reason == "c gives other optimal values than ours, by up to 0.5"


def test_solvers_that_agree_are_told_to() -> None:
    facts: dict[str, Any] = {"a": {"values": [[1.0, 2.0]]}, "c": {"values": [[1.0, 2.0 + 1e-7]]}}
    assert measuring.what_differs(comparison_of(["a"], ["c"]), facts) is None
    assert facts == {"a": {}, "c": {"largest_difference": pytest.approx(1e-7, rel=1e-6)}}


def test_solutions_of_other_sizes_are_an_error() -> None:
    with pytest.raises(ValueError, match="shorter"):
        quantities.largest_difference([[1.0, 2.0]], [[1.0]])


# Tables


@pytest.mark.parametrize(
    ("value", "text"),
    [(123_456_789.0, "123 M"), (1_234.0, "1.23 k"), (7.0, "7.00"), (0.5, "0.500"), (2.5e9, "2.50 G")],
)
def test_quantities_have_three_digits_and_a_prefix(value: float, text: str) -> None:
    assert report.quantity(value) == text


@pytest.mark.parametrize(("value", "text"), [(31.26, "31.3"), (0.4321, "0.432"), (192.0, "192")])
def test_factors_have_three_digits(value: float, text: str) -> None:
    assert report.factor(value) == text


def test_the_terminal_table_has_every_row() -> None:
    lines = report.terminal_table([row(), UNMEASURED]).splitlines()
    cells = ["row", "2.00 M steps/s", "1.00 M steps/s", "2.00", "1.50 .. 2.50", ">= 2", "pass"]
    assert re.split(r"  +", lines[2]) == cells
    assert lines[3].endswith("not measured: no wheel")


def test_markdown_cells_may_hold_bars() -> None:
    assert report.markdown_table(["a"], [["x | y"]]) == "| a |\n| --- |\n| x \\| y |"


@pytest.fixture
def measured() -> Any:
    run = {"machine": {"processor": "one"}, "plan": {"repeats": 3, "seconds": 0.5, "quick": False}}
    rows = {"row": row(), "unmeasured": UNMEASURED, "told": row(name="told", target=None)}
    return results.Results(run, "2026-01-01", rows, {"growth-envs": []}, [2e10, 1e10, 3e10])


def test_the_page_says_what_was_measured_and_how(measured: Any) -> None:
    page = report.page(measured, "scripts/benchmark --repeats 3", ["growth-envs"])
    assert "`scripts/benchmark --repeats 3` on 2026-01-01" in page
    cells = "| ours | theirs | >= 2 | 2.00 | 1.50 .. 2.50 | **pass** | 2.00 M steps/s (slow) | 1.00 M steps/s (quick) |"
    assert cells in page
    assert "**not measured: no wheel**" in page
    assert "| no target |" in page
    assert "- `row`: true steps; fast: 3.00 M steps/s; other: 500 k steps/s." in page
    assert "![growth-envs](growth-envs.svg)" in page
    assert "20 GB/s" in page
    assert "| processor | one |" in page


def test_notes_tell_which_peer_is_missing() -> None:
    (note,) = report.notes([row(failures={"d": "no wheel"})])
    assert "d not measured: no wheel" in note


# The file of results


def test_a_resumed_run_keeps_what_was_measured(measured: Any, tmp_path: Path) -> None:
    measured.save(tmp_path / "results.json")
    again = results.Results.resume(tmp_path / "results.json", measured.run)
    assert set(again.rows) == {"row", "told"}  # the other is tried again
    assert (again.rows["row"], again.curves, again.bandwidth) == (row(), {"growth-envs": []}, [2e10, 1e10, 3e10])
    assert command.is_there(again, "row")
    assert command.is_there(again, "growth-envs")
    assert not command.is_there(again, "unmeasured")
    assert not command.is_there(again, "growth-states")


def test_a_run_goes_on_only_under_the_same_conditions(measured: Any, tmp_path: Path) -> None:
    measured.save(tmp_path / "results.json")
    other = measured.run | {"plan": {"repeats": 9}}
    with pytest.raises(
        ValueError, match=r"another plan than in .*results\.json: \{'repeats': 9\}, not \{'repeats': 3,"
    ):
        results.Results.resume(tmp_path / "results.json", other)


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"format": "other"}', '{"format": "cliffgym.benchmarks/1"}'])
def test_a_foreign_file_is_refused(content: str, tmp_path: Path) -> None:
    (tmp_path / "results.json").write_text(content)
    with pytest.raises(ValueError, match="path must be a results file"):
        results.Results.resume(tmp_path / "results.json", {})


# The command


@pytest.mark.parametrize("given", [["--only", "nothing"], ["--repeats", "0"]])
def test_bad_arguments_are_refused(given: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        command.arguments(given)
    assert stopped.value.code == 2
    assert given[1] in capsys.readouterr().err


def test_resuming_without_results_says_so(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match=r"results\.json"):
        command.main(["--resume", "--output", str(tmp_path)])


def interrupted_after(rows: int, by: type[BaseException] = KeyboardInterrupt) -> Callable[..., dict[str, Any]]:
    """A stand-in for measuring, that is interrupted after some rows."""
    left = iter(range(rows))

    def measure(comparison: Any, *_: object) -> dict[str, Any]:
        if next(left, None) is None:
            raise by
        return row(name=comparison.name)

    return measure


def test_an_interrupt_keeps_finished_rows_and_a_resumed_run_measures_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    given = ["--only", "single", "vector-numpy", "ppo", "--output", str(tmp_path)]
    monkeypatch.setattr(command, "measure", interrupted_after(1))
    with pytest.raises(SystemExit, match="--resume goes on"):
        command.main(given)
    assert set(json.loads((tmp_path / "results.json").read_text())["rows"]) == {"single"}

    monkeypatch.setattr(command, "measure", interrupted_after(2))
    command.main([*given, "--resume"])
    assert list(json.loads((tmp_path / "results.json").read_text())["rows"]) == ["single", "vector-numpy", "ppo"]
    page = (tmp_path / "README.md").read_text()
    assert page.count("**pass**") == 3
    assert "single  " in capsys.readouterr().out


def test_every_finished_row_is_saved_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "measure", interrupted_after(2, by=MemoryError))
    with pytest.raises(MemoryError):
        command.main(["--only", "single", "single-oracle", "ppo", "--output", str(tmp_path)])
    assert set(json.loads((tmp_path / "results.json").read_text())["rows"]) == {"single", "single-oracle"}


# Workers


@pytest.fixture
def counting(monkeypatch: pytest.MonkeyPatch) -> None:
    """A workload that counts 10 a chunk, and one that fails."""
    module: Any = types.ModuleType("benchmarks.counting")
    module.make = lambda start: workload.Workload(lambda: 10, {"start": start})
    monkeypatch.setitem(sys.modules, "benchmarks.counting", module)


def answers(*commands: dict[str, Any]) -> list[dict[str, Any]]:
    written = io.StringIO()
    worker.serve(io.StringIO("\n".join(map(json.dumps, commands))), written)
    return [json.loads(line) for line in written.getvalue().splitlines()]


@pytest.mark.usefixtures("counting")
def test_a_worker_answers_every_command() -> None:
    make = {"make": "counting", "settings": {"start": 3}}
    found = answers({"measure": 0.01}, {"make": "nowhere", "settings": {}}, make, {"measure": 0.01})
    assert found[0] == {"error": "there is no workload to measure"}
    assert found[1] == {"error": "ModuleNotFoundError: No module named 'benchmarks.nowhere'"}
    assert found[2] == {"facts": {"start": 3}}
    assert found[3]["count"] > 10
    assert found[3]["count"] % 10 == 0
    assert 0.01 <= found[3]["seconds"] < 5


def test_a_failed_import_is_told_without_folders() -> None:
    with pytest.raises(ImportError) as raised:
        from json import nothing  # type: ignore[attr-defined]  # noqa: F401
    assert worker.reason(raised.value) == "ImportError: cannot import name 'nothing' from 'json'"


@pytest.fixture(scope="module")
def process() -> Iterator[Any]:
    with processes.Worker("ours") as started:
        yield started


def test_a_process_measures_one_environment(process: Any) -> None:
    assert process.make("workloads.single", {"id": "Cliff-Slacker-v0", "oracle": False})["actions"] == 5
    assert process.rate(0.05) > 1000


def test_a_process_survives_a_failure(process: Any) -> None:
    with pytest.raises(processes.WorkerError, match="No module named"):
        process.make("workloads.nothing", {})
    assert process.make("workloads.floor", {"id": "Cliff-Slacker-v0", "num_envs": 8, "arrays": "all"})["states"] > 10
    assert process.rate(0.01) > 1000


def test_a_process_that_is_late_is_ended() -> None:
    with processes.Worker("ours") as started, pytest.raises(processes.WorkerError, match=r"longer than 0\.01 s"):
        started.make("workloads.single", {"id": "Cliff-Slacker-v0", "oracle": False}, timeout=0.01)


def test_a_missing_environment_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(processes.PYTHONS, "peers", tmp_path / "python")
    with pytest.raises(processes.WorkerError, match="no environment for peers"), processes.Worker("peers"):
        pass


@pytest.mark.parametrize("kind", ["deterministic", "acyclic", "stochastic"])
def test_problems_are_solved_alike_by_both_kernels(kind: str) -> None:
    solver = load("workloads.solver")
    values = [solver.make(kind, 60, kernel).facts["values"] for kernel in ("numpy", "numba")]
    assert quantities.largest_difference(*values) < 1e-9
