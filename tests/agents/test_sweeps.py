"""Sweeps of trainings and exact solutions: from a plan in YAML to a ledger and tables, here and on a cluster."""

import contextlib
import csv
import io
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from cliffgym_agents import exact_measures, train
from cliffgym_agents import runs as runs_module
from cliffgym_agents.runs import Run
from cliffgym_agents.sweep_plan import KEYS
from cliffgym_agents.sweeps import plan_runs, read_plan, sweep

import cliffgym
from cliffgym import optimal, scenario, soft
from cliffgym.cli import main
from cliffgym.sweeps import Ledger, Row, driver, export
from cliffgym.sweeps import jobs as jobs_module

LIMIT = 180.0  # seconds after which something hangs, also on a slow machine
TIE_BREAKER = "Cliff-TieBreaker-v0"


# Plans


def test_a_grid_holds_each_combination_in_the_order_of_its_axes() -> None:
    grid = {
        "seeds": [5, 1],
        "steps": [1024, 2048],
        "ent_coef": [0.1, "lin_0.2"],
        "hyper": {"learning_rate": [0.001, 0.01], "n_steps": 32, "gae_lambda": [1, 0.9]},
        "algorithm": ["ppo", "a2c"],
        "reward": ["true", {"correct": 1, "target_format": 0.5}],
        "set": {"bonus": [0, 0.1], "formats": [["plain", "json"], ["plain", "markdown", "json"]]},
        "scenario": [TIE_BREAKER, f"cliffgym:{TIE_BREAKER}"],
        "evaluate_every": 512,
        "keep_policy": True,
    }
    expected = [
        Run(id, reward, ent, seed, {"bonus": bonus, "formats": formats}, algorithm, hyper, steps, 512, True)
        for id in (TIE_BREAKER, f"cliffgym:{TIE_BREAKER}")
        for bonus in (0, 0.1)
        for formats in (["plain", "json"], ["plain", "markdown", "json"])
        for reward in ("true", {"correct": 1, "target_format": 0.5})
        for algorithm in ("ppo", "a2c")
        for rate in (0.001, 0.01)
        for trace in (1, 0.9)
        for hyper in ({"learning_rate": rate, "n_steps": 32, "gae_lambda": trace},)
        for ent in (0.1, "lin_0.2")
        for steps in (1024, 2048)
        for seed in (5, 1)
    ]
    assert plan_runs(grid) == expected
    assert set(grid) | {"weights"} == set(KEYS)


def test_defaults_are_those_of_train() -> None:
    assert plan_runs({"scenario": TIE_BREAKER}) == [Run(TIE_BREAKER, "incomplete", None, 0)]


def test_weights_are_axes() -> None:
    grid = {"scenario": TIE_BREAKER, "weights": {"correct": [1, 2], "target_format": [0, 0.1], "malformed": -1}}
    assert [run.reward for run in plan_runs(grid)] == [
        {"correct": correct, "target_format": target, "malformed": -1} for correct in (1, 2) for target in (0, 0.1)
    ]


def test_a_list_in_a_list_is_one_value() -> None:
    grid = {"scenario": TIE_BREAKER, "set": {"formats": [["plain", "json"]]}}
    assert [run.env_kwargs for run in plan_runs(grid)] == [{"formats": ["plain", "json"]}]
    nested = {"scenario": TIE_BREAKER, "hyper": {"policy_kwargs": {"net_arch": [8, 8]}}}
    assert [run.hyperparameters for run in plan_runs(nested)] == [{"policy_kwargs": {"net_arch": [8, 8]}}]


def test_a_truth_value_is_the_reward_of_that_name() -> None:
    grid = {"scenario": TIE_BREAKER, "reward": [True, "incomplete"]}
    assert [run.reward for run in plan_runs(grid)] == ["true", "incomplete"]


def test_equal_runs_are_planned_once() -> None:
    grid = {"scenario": TIE_BREAKER, "set": {"bonus": [0.1, 0.2, 0.1]}, "seeds": [0, 1, 0]}
    other = {"scenario": TIE_BREAKER, "set": {"bonus": [0.3, 0.1]}, "seeds": 3}
    runs = plan_runs({"grids": [grid, other]})
    assert [(run.env_kwargs["bonus"], run.seed) for run in runs] == [
        *[(0.1, 0), (0.1, 1), (0.2, 0), (0.2, 1)],
        *[(0.3, 0), (0.3, 1), (0.3, 2), (0.1, 2)],
    ]
    assert len({run.job.id for run in runs}) == len(runs)


def test_what_is_solved_knows_no_seed_no_steps_and_no_history() -> None:
    exact = {"scenario": TIE_BREAKER, "algorithm": "soft", "hyper": {"temperature": [0.1, 0.5]}}
    runs = plan_runs(exact | {"seeds": 5, "steps": [100, 200], "evaluate_every": 10})
    alphas = ({"temperature": 0.1}, {"temperature": 0.5})
    assert runs == [Run(TIE_BREAKER, "incomplete", None, 0, {}, "soft", alpha) for alpha in alphas]
    assert {run.job.batch for run in runs} == {"exact"}
    assert plan_runs({"scenario": TIE_BREAKER})[0].job.batch is None


GRID = {"scenario": TIE_BREAKER}


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"scenarios": "x"}, ValueError, 'key must be one of "scenario", "set", .*, got \'scenarios\''),
        ({"scenario": "Cliff-Nowhere-v0"}, ValueError, "env_id must be registered with Gymnasium, got 'Cliff-Nowhere"),
        ({"scenario": "CartPole-v1"}, TypeError, "scenario must make a CliffEnv, got CartPoleEnv from"),
        ({"scenario": []}, ValueError, r"scenario must have a value, got \[\]"),
        ({"scenario": None}, TypeError, "scenario must be an id, got None"),
        ({"scenario": {"id": TIE_BREAKER}}, TypeError, "scenario must be an id, got {"),
        ({"set": ["bonus"]}, TypeError, r"set must be a mapping of names to values, got \['bonus'\]"),
        ({"set": None}, TypeError, "set must be a mapping of names to values, got None"),
        ({"set": {"bonuses": 1}}, TypeError, "bonuses"),
        ({"set": {"bonus": [0.1, "much"]}}, TypeError, "bonus must be a number, got 'much'"),
        ({"set": {"bonus": []}}, ValueError, r"set.bonus must have a value, got \[\]"),
        ({"set": {1: 2}}, TypeError, "keywords must be strings"),
        ({"set": {"reward": "true"}}, ValueError, "reward must be a key of its own, got it in set"),
        ({"reward": "kindness"}, ValueError, "reward must be one of .*, got 'kindness'"),
        ({"reward": {"kindness": 1}}, ValueError, "'kindness'"),
        ({"reward": []}, ValueError, r"reward must have a value, got \[\]"),
        ({"reward": False}, TypeError, "reward must be a name or a mapping of weights, got False"),
        ({"reward": [[1, 0, 0]]}, TypeError, r"reward must be a name or a mapping of weights, got \[1, 0, 0\]"),
        ({"weights": "true"}, TypeError, "weights must be a mapping of names to values, got 'true'"),
        ({"weights": {"correct": "one"}}, TypeError, "weight of 'correct' must be a number, got 'one'"),
        (
            {"weights": {"correct": 1}, "reward": "true"},
            ValueError,
            "grid must have either reward or weights, got both",
        ),
        ({"algorithm": ["ppo", "sarsa"]}, ValueError, 'algorithm must be one of "ppo", .*"soft", got \'sarsa\''),
        ({"hyper": {"rate": 1}}, ValueError, "hyperparameter of ppo must be one of .*, got 'rate'"),
        ({"hyper": {"gamma": 1}}, ValueError, "hyperparameter of ppo must be one of .*, got 'gamma'"),
        ({"hyper": {"seed": 1}}, ValueError, "hyperparameter of ppo must be one of .*, got 'seed'"),
        (
            {"hyper": {"n_steps": 8}, "algorithm": "soft"},
            ValueError,
            "hyperparameter of soft must be one of .*'n_steps'",
        ),
        ({"hyper": {"temperature": "hot"}, "algorithm": "soft"}, TypeError, "temperature must be a number, got 'hot'"),
        ({"ent_coef": "high"}, ValueError, "ent_coef must be a number, .*, got 'high'"),
        ({"ent_coef": -0.1}, ValueError, "ent_coef must be >= 0, got -0.1"),
        ({"ent_coef": 0.1, "algorithm": "dqn"}, ValueError, "ent_coef must be left out for dqn, got 0.1"),
        ({"ent_coef": 0.1, "algorithm": "optimal"}, ValueError, "ent_coef must be left out for optimal, got 0.1"),
        ({"steps": 0}, ValueError, "steps must be >= 1, got 0"),
        ({"steps": 1.5}, TypeError, "steps must be an integer, got 1.5"),
        ({"seeds": 0}, ValueError, "seeds must be >= 1, got 0"),
        ({"seeds": True}, TypeError, "seeds must be an integer, got True"),
        ({"seeds": [0, -1]}, ValueError, r"seeds\[1\] must be in \[0, 4294967295\], got -1"),
        ({"seeds": []}, ValueError, r"seeds must have a value, got \[\]"),
        ({"evaluate_every": 0}, ValueError, "evaluate_every must be >= 1, got 0"),
        ({"hyper": {"policy_kwargs": {"of": {1, 2}}}}, TypeError, "job must be plain data that JSON can hold"),
    ],
)
def test_what_is_no_plan_is_refused_with_its_place(
    changes: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=rf"{message}.* \(in grid 1\)$"):
        plan_runs({"grids": [GRID, GRID | changes]})


@pytest.mark.parametrize(
    ("plan", "error", "message"),
    [
        ({"reward": "true"}, ValueError, r'grid must name its scenario, got "reward" \(in grid 0\)'),
        ([GRID], TypeError, r"grid must be a mapping, got \[.*\] \(in grid 0\)"),
        (None, TypeError, r"grid must be a mapping, got None \(in grid 0\)"),
        ({"grids": []}, TypeError, r"grids must be a list of grids, at least one, got \[\]"),
        ({"grids": GRID}, TypeError, "grids must be a list of grids, at least one, got {"),
        ({"grids": [GRID], "seeds": 3}, ValueError, r"key must be one of .*, got 'grids' \(in grid 0\)"),
    ],
)
def test_what_is_no_list_of_grids_is_refused(plan: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        plan_runs(plan)


def test_a_plan_is_read_from_yaml(tmp_path: Path) -> None:
    path = tmp_path / "plan.yaml"
    path.write_text(
        "grids:\n"
        "  - scenario: Cliff-TieBreaker-v0\n"
        "    reward: true\n"
        "    hyper: {learning_rate: [1e-3, 3.0e-4, 1E+0]}\n"
        "    ent_coef: [5e-2, lin_0.1]\n"
        "  - {scenario: Cliff-TieBreaker-v0, set: {formats: [[plain, json]]}, algorithm: optimal}\n",
        encoding="utf-8",
    )
    runs = read_plan(path)
    assert [(run.hyperparameters, run.ent_coef) for run in runs[:-1]] == [
        ({"learning_rate": rate}, ent_coef) for rate in (0.001, 0.0003, 1.0) for ent_coef in (0.05, "lin_0.1")
    ]
    assert [run.reward for run in runs[:-1]] == ["true"] * 6
    assert runs[-1] == Run(TIE_BREAKER, "incomplete", None, 0, {"formats": ["plain", "json"]}, "optimal")


@pytest.mark.parametrize(
    ("content", "error", "message"),
    [
        (b"seeds: [1", ValueError, "plan must be YAML, got {path}: "),
        (b"\xff\xfe\x00", ValueError, "plan must be YAML, got {path}: "),
        (b"!!python/object/apply:os.getpid []", ValueError, "plan must be YAML, got {path}: "),
        (b"seeds: 1\nseeds: 2", ValueError, "plan must be YAML, got {path}: key must stand once, got 'seeds' twice"),
        (b"hyper: {a: 1, a: 2}", ValueError, "plan must be YAML, got {path}: key must stand once, got 'a' twice"),
        (b"", TypeError, r"grid must be a mapping, got None \(in grid 0 of {path}\)"),
        (b"grids: 3", TypeError, "grids must be a list of grids, at least one, got 3 of {path}"),
        (b"scenario: Nowhere-v0", ValueError, r"env_id must be .* \(in grid 0 of {path}\)"),
    ],
)
def test_files_that_hold_no_plan_are_refused(
    tmp_path: Path, content: bytes, error: type[Exception], message: str
) -> None:
    path = tmp_path / "plan.yaml"
    path.write_bytes(content)
    with pytest.raises(error, match=message.format(path=re.escape(str(path)))):
        read_plan(path)
    with pytest.raises(FileNotFoundError):
        read_plan(tmp_path / "none.yaml")


def test_many_runs_are_planned_in_no_time() -> None:
    temperatures = [number / 100 for number in range(1, 5001)]
    began = time.perf_counter()
    runs = plan_runs({"scenario": TIE_BREAKER, "algorithm": "soft", "hyper": {"temperature": temperatures}})
    assert [run.hyperparameters["temperature"] for run in runs] == temperatures
    assert time.perf_counter() - began < 10  # a quarter of a second


# Ids


def test_ids_differ_for_every_field() -> None:
    run = Run(TIE_BREAKER, "incomplete", 0.0, 0, {"bonus": 0.1, "problems": 2}, "ppo", {"n_steps": 32}, 1024, 256)
    changes = {
        "env_id": ["Cliff-Slacker-v0", f"cliffgym:{TIE_BREAKER}"],
        "reward": ["true", {"correct": 1}, {"correct": 2}],
        "ent_coef": [None, 0.1, "lin_0.1"],
        "seed": [1, 2],
        "env_kwargs": [{}, {"bonus": 0.1}, {"bonus": 0.1, "problems": 3}],
        "algorithm": ["a2c", "grpo"],
        "hyperparameters": [{}, {"n_steps": 64}],
        "total_timesteps": [None, 2048],
        "evaluate_every": [None, 512],
        "keep_policy": [True],
    }
    assert set(changes) == {field.name for field in fields(Run)}
    others = [replace(run, **{name: value}) for name, values in changes.items() for value in values]
    assert len({each.job.id for each in [run, *others]}) == 1 + len(others)
    turned = replace(run, env_kwargs={"problems": 2, "bonus": 0.1})
    assert turned.job.id == run.job.id


def test_ids_cover_versions_and_defaults(monkeypatch: pytest.MonkeyPatch) -> None:
    trained, solved = Run(TIE_BREAKER, "true", None, 0), Run(TIE_BREAKER, "true", None, 0, algorithm="optimal")
    ids = {trained.job.id, solved.job.id}
    with monkeypatch.context() as patch:
        patch.setattr(jobs_module, "public_version", lambda name: "99.0.0")
        ids |= {replace(trained).job.id, replace(solved).job.id}
    assert len(ids) == 4
    with monkeypatch.context() as patch:
        known = jobs_module.public_version
        for package in ("stable_baselines3", "sb3_contrib", "torch"):
            patch.setattr(jobs_module, "public_version", lambda name, p=package: "99" if name == p else known(name))
            ids.add(replace(trained).job.id)
            assert replace(solved).job.id == solved.job.id  # which has nothing to do with it
    assert len(ids) == 7
    with monkeypatch.context() as patch:
        patch.setattr(runs_module, "default_hyperparameters", lambda *_: {"n_steps": 7})
        ids.add(replace(trained).job.id)
        assert replace(solved).job.id == solved.job.id
    assert len(ids) == 8
    assert replace(trained).job.id == trained.job.id


# From end to end

PLAN = """
grids:
  - scenario: Cliff-TieBreaker-v0
    set: {bonus: [0, 1e-1]}
    reward: true
    ent_coef: 0.01
    steps: 1024
    evaluate_every: 512
  - {scenario: Cliff-TieBreaker-v0, reward: [true, incomplete], algorithm: optimal, seeds: 7}
  - scenario: Cliff-TieBreaker-v0
    weights: {correct: 1, target_format: [0.0, 0.25]}
    algorithm: soft
    hyper: {temperature: [0.1, 0.5]}
"""
BAD_GRID = """
  - scenario: Cliff-TieBreaker-v0
    reward: true
    steps: 1024
    hyper: {learning_rate: -1}
"""


@dataclass(frozen=True)
class Done:
    """A sweep that has come to its end."""

    folder: Path
    status: int
    output: str
    errors: str

    @property
    def plan(self) -> Path:
        return self.folder / "plan.yaml"

    @property
    def ledger(self) -> Path:
        return self.folder / "plan.sqlite"

    @property
    def rows(self) -> list[Row]:
        with Ledger.reading(self.ledger) as ledger:
            return list(ledger.rows())


def run_command(folder: Path, plan: str, *arguments: str) -> Done:
    """Runs the command in a process and a folder of its own."""
    (folder / "plan.yaml").write_text(plan, encoding="utf-8")
    command = [sys.executable, "-W", "error", "-m", "cliffgym", "sweep", "plan.yaml", *arguments]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=LIMIT)
    return Done(folder, done.returncode, done.stdout, done.stderr)


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory) -> Done:
    """The plan, done by a worker of this machine."""
    tables = ["--export", "table.csv", "--export", "tables/table.parquet"]
    return run_command(tmp_path_factory.mktemp("local"), PLAN, "--workers", "1", *tables)


def cell(value: object) -> object:
    """A number that a CSV file holds, or its text."""
    try:
        return json.loads(str(value))
    except json.JSONDecodeError:
        return value if value != "" else None


def test_the_command_runs_a_plan(local: Done) -> None:
    assert local.status == 0, local.errors
    ended = "8 of 8 runs done, 0 failed, 0 missing. Written: plan.sqlite, table.csv, tables/table.parquet\n"
    assert local.output == ended
    # Ids are the same in that process and in this one, whose hashes of texts differ.
    assert {row.id for row in local.rows} == {run.job.id for run in read_plan(local.plan)}
    assert len(local.rows) == 8
    files = {"plan.yaml", "plan.sqlite", "plan.sqlite.lock", "table.csv", "tables"}
    assert {path.name for path in local.folder.iterdir()} == files


def test_results_are_those_of_train_and_of_the_solvers_to_the_last_bit(local: Done) -> None:
    rows = {row.id: json.loads(row.result or "") for row in local.rows}
    for run in read_plan(local.plan):
        result = rows[run.job.id]
        made = scenario(run.env_id, **run.env_kwargs)
        table = made.reward(run.reward)
        if run.algorithm == "ppo":
            trained = train(
                run.env_id,
                reward=run.reward,
                ent_coef=run.ent_coef,
                seed=run.seed,
                env_kwargs=run.env_kwargs,
                total_timesteps=run.total_timesteps,
                evaluate_every=run.evaluate_every,
            )
            assert result == {"measures": trained.measures, "history": trained.history}
        elif run.algorithm == "optimal":
            assert result == {"measures": exact_measures(made, optimal(made.mdp, table).policy, run.reward)}
        else:
            temperature = run.hyperparameters["temperature"]
            policy = soft(made.mdp, table, temperature).policy
            assert result == {"measures": exact_measures(made, policy, run.reward, temperature)}


def test_rows_record_seed_versions_machine_and_time(local: Done) -> None:
    for row in local.rows:
        job, machine, versions = json.loads(row.job), json.loads(row.machine), json.loads(row.versions)
        assert Run(**job).job.id == row.id
        assert job["seed"] == 0
        assert row.wall_time > 0
        assert re.fullmatch(r"20\d\d-\d\d-\d\dT[\d:.]+\+00:00", row.finished)
        assert set(machine) == {"node", "system", "processor", "cores"}
        assert machine["cores"] == os.cpu_count()
        assert versions["cliffgym"] == cliffgym.__version__
        assert versions["torch"].split("+")[0] == torch.__version__.split("+")[0]
        assert versions["numpy"] == np.__version__
        assert all(
            versions[name] for name in ("python", "gymnasium", "stable_baselines3", "sb3_contrib", "distributed")
        )


def test_tables_hold_what_the_ledger_holds(local: Done) -> None:
    from pyarrow import parquet

    records = parquet.read_table(local.folder / "tables" / "table.parquet").to_pylist()
    with (local.folder / "table.csv").open(encoding="utf-8", newline="") as file:
        texts = list(csv.DictReader(file))
    rows = {row.id: row for row in local.rows}
    ids = [run.job.id for run in read_plan(local.plan)]
    assert [record["id"] for record in records] == [text["id"] for text in texts] == ids  # in the plan's order
    for record, text in zip(records, texts, strict=True):
        row = rows[record["id"]]
        job, result = json.loads(row.job), json.loads(row.result or "")
        expected = {f"measures.{name}": value for name, value in result["measures"].items()}
        expected |= {f"env_kwargs.{name}": value for name, value in job["env_kwargs"].items()}
        expected |= {f"hyperparameters.{name}": value for name, value in job["hyperparameters"].items()}
        reward = job["reward"]
        expected |= {"reward": reward} if isinstance(reward, str) else {f"reward.{n}": v for n, v in reward.items()}
        expected |= {name: job[name] for name in ("env_id", "algorithm", "seed", "ent_coef", "total_timesteps")}
        expected |= {"status": "done", "error": None, "wall_time": row.wall_time, "finished": row.finished}
        expected |= {f"versions.{name}": value for name, value in json.loads(row.versions).items()}
        expected |= {f"machine.{name}": value for name, value in json.loads(row.machine).items()}
        for name, value in expected.items():
            assert record[name] == value, name
            if isinstance(value, str):
                assert text[name] == value
            else:
                assert cell(text[name]) == value, name
        if "history" in result:
            assert json.loads(record["history"]) == json.loads(text["history"]) == result["history"]
        else:
            assert (record["history"], text["history"]) == (None, "")


@pytest.fixture
def no_cluster(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("a cluster was about to be started")

    monkeypatch.setattr(driver, "connect", refuse)


@pytest.mark.usefixtures("no_cluster")
def test_a_second_call_runs_nothing(
    local: Done, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(local.folder)
    before = local.rows
    assert main(["sweep", "plan.yaml", "--export", "again.csv", "--json"]) == 0
    captured = capsys.readouterr()
    assert captured.err == ""
    counts = {"planned": 8, "done": 8, "failed": [], "missing": [], "stopped": None}
    assert json.loads(captured.out) == {**counts, "ledger": "plan.sqlite", "exports": ["again.csv"]}
    assert local.rows == before
    again = local.folder / "again.csv"
    assert again.read_bytes() == (local.folder / "table.csv").read_bytes()
    again.unlink()


@pytest.mark.usefixtures("no_cluster")
def test_a_table_holds_the_planned_runs_alone_and_each_once(local: Done, tmp_path: Path) -> None:
    runs = read_plan(local.plan)
    report = sweep([runs[3], runs[0], runs[3]], local.ledger, exports=[tmp_path / "few.csv"], progress=False)
    assert (report.planned, report.done, report.exit_status) == (2, 2, 0)
    with (tmp_path / "few.csv").open(encoding="utf-8", newline="") as file:
        assert [record["id"] for record in csv.DictReader(file)] == [runs[3].job.id, runs[0].job.id]


# On a cluster

THREADS = """
def count(content):
    import torch
    from cliffgym_agents.runs import execute_run

    execute_run(content)
    return torch.get_num_threads()
"""
COUNTS_THREADS = """
import json, sys, thread_jobs
from cliffgym.sweeps import Job, run_jobs

report = run_jobs([Job(json.loads(sys.argv[3]), {})], thread_jobs.count, sys.argv[1], scheduler=sys.argv[2])
sys.exit(report.exit_status)
"""


@pytest.fixture(scope="module")
def workers_environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Finds a module of jobs. Dask itself would give torch one thread; it is told to give it two."""
    folder = tmp_path_factory.mktemp("jobs")
    (folder / "thread_jobs.py").write_text(THREADS, encoding="utf-8")
    threads = "DASK_DISTRIBUTED__NANNY__PRE_SPAWN_ENVIRON__OMP_NUM_THREADS"
    path = os.pathsep.join(filter(None, [str(folder), os.environ.get("PYTHONPATH")]))
    return {**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "2", threads: "2"}


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory, workers_environment: dict[str, str]) -> Iterator[str]:
    """A scheduler and two workers on the loopback address, each a process of its own."""
    folder = tmp_path_factory.mktemp("cluster")
    file = folder / "scheduler.json"
    at = ["--host", "127.0.0.1", "--no-dashboard", "--scheduler-file", str(file)]
    of = ["--nthreads", "1", "--memory-limit", "0", "--local-directory", str(folder)]
    until = ["--port", "0", "--idle-timeout", "3600"]  # should nobody be left to end it
    commands = [["dask_scheduler", *at, *until], ["dask_worker", *at, *of], ["dask_worker", *at, *of]]
    with contextlib.ExitStack() as stack:
        for number, command in enumerate(commands):
            errors = stack.enter_context((folder / f"{number}.err").open("wb"))
            process = subprocess.Popen(
                [sys.executable, "-m", f"distributed.cli.{command[0]}", *command[1:]],
                env=workers_environment,
                cwd=folder,
                stderr=errors,
            )
            stack.callback(process.wait, LIMIT)
            stack.callback(process.kill)  # a worker's own process ends with the one that has started it
        end = time.monotonic() + LIMIT
        while time.monotonic() < end:
            with contextlib.suppress(FileNotFoundError, json.JSONDecodeError):
                yield json.loads(file.read_text(encoding="utf-8"))["address"]
                return
            time.sleep(0.02)
        raise TimeoutError((folder / "0.err").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def distant(tmp_path_factory: pytest.TempPathFactory, address: str) -> Done:
    """The plan and a run that fails, done by the cluster; the driver is in this process."""
    folder = tmp_path_factory.mktemp("distant")
    (folder / "plan.yaml").write_text(PLAN + BAD_GRID, encoding="utf-8")
    output, errors = io.StringIO(), io.StringIO()
    with contextlib.chdir(folder), contextlib.redirect_stdout(output), contextlib.redirect_stderr(errors):
        status = main(["sweep", "plan.yaml", "--scheduler", address, "--json"])
    return Done(folder, status, output.getvalue(), errors.getvalue())


def test_a_cluster_gives_the_same_results_to_the_last_bit(local: Done, distant: Done) -> None:
    results = {row.id: row.result for row in distant.rows}
    assert {row.id: row.result for row in local.rows}.items() <= results.items()
    assert len(results) == 9


def test_a_run_that_fails_is_told_and_stops_no_other(distant: Done) -> None:
    assert (distant.status, distant.errors) == (2, "")
    report = json.loads(distant.output)
    failed = {row.id: row for row in distant.rows if row.status == "failed"}
    assert report["failed"] == list(failed)
    assert (report["planned"], report["done"], report["missing"]) == (9, 8, [])
    (row,) = failed.values()
    assert json.loads(row.job)["hyperparameters"] == {"learning_rate": -1}
    assert row.error == "ValueError: learning_rate must be >= 0, got -1.0"
    assert "in train\n" in (row.traceback or "")
    with (distant.folder / "plan.csv").open(encoding="utf-8", newline="") as file:
        records = {record["id"]: record for record in csv.DictReader(file)}
    assert len(records) == 9
    assert (records[row.id]["status"], records[row.id]["error"]) == ("failed", row.error)


@pytest.mark.usefixtures("no_cluster")
def test_the_command_says_what_has_failed(
    distant: Done, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(distant.folder)
    assert main(["sweep", "plan.yaml"]) == 2
    first, second = capsys.readouterr().out.splitlines()
    assert first == "8 of 9 runs done, 1 failed, 0 missing. Written: plan.sqlite, plan.csv"
    assert second == "Errors are in the table; --retry-failed tries those runs again."


def test_workers_take_one_thread_for_each_run(
    address: str, workers_environment: dict[str, str], tmp_path: Path
) -> None:
    ledger = tmp_path / "threads.sqlite"
    content = Run(TIE_BREAKER, "true", None, 0, algorithm="optimal").job.text
    command = [sys.executable, "-c", COUNTS_THREADS, str(ledger), address, content]
    done = subprocess.run(command, env=workers_environment, capture_output=True, text=True, timeout=LIMIT)
    assert done.returncode == 0, done.stderr
    with Ledger.reading(ledger) as book:
        assert [row.result for row in book.rows()] == ["1"]


# What the command refuses


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a plan, where the command is called."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "plan.yaml").write_text(PLAN, encoding="utf-8")
    return tmp_path


@pytest.mark.usefixtures("no_cluster")
def test_a_dry_run_counts_runs_and_writes_nothing(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["sweep", "plan.yaml", "--dry-run"]) == 0
    assert capsys.readouterr().out == "8 runs in plan.yaml\n"
    assert main(["sweep", "plan.yaml", "--dry-run", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"planned": 8}
    assert [path.name for path in here.iterdir()] == ["plan.yaml"]


@pytest.mark.usefixtures("no_cluster")
@pytest.mark.parametrize(
    ("plan", "arguments", "message"),
    [
        ("scenario: Nowhere-v0", [], "env_id must be registered .* (in grid 0 of plan.yaml)"),
        ("scenario: [1", [], "plan must be YAML, got plan.yaml: .*"),
        (PLAN, ["--export", "table.xlsx"], "end of the export's name must be one of .* got '.xlsx' of table.xlsx"),
        (PLAN, ["--ledger", "table.csv"], "export must be another file than the ledger, got table.csv for both"),
        (PLAN, ["--ledger", "plan.yaml"], "ledger must be a SQLite file, got .*plan.yaml: file is not a database"),
        (PLAN, ["--workers", "0"], "workers must be >= 1, got 0"),
    ],
)
def test_errors_are_one_line(
    here: Path, capsys: pytest.CaptureFixture[str], plan: str, arguments: list[str], message: str
) -> None:
    (here / "plan.yaml").write_text(plan, encoding="utf-8")
    assert main(["sweep", "plan.yaml", *arguments]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    pattern = re.escape(f"cliffgym: error: {message}\n").replace(re.escape(".*"), ".*")
    assert re.fullmatch(pattern, captured.err), captured.err
    assert {path.name for path in here.iterdir()} <= {"plan.yaml", "plan.yaml.lock"}


def test_a_second_sweep_on_one_ledger_is_refused(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with Ledger.writing("plan.sqlite"):
        assert main(["sweep", "plan.yaml"]) == 2
    message = (
        f"cliffgym: error: ledger must be written by one sweep at a time, got another that writes {here}/plan.sqlite"
    )
    assert capsys.readouterr().err.splitlines() == [message]


@pytest.mark.usefixtures("no_cluster")
def test_parquet_without_pyarrow_is_an_error_before_the_work(
    here: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    assert main(["sweep", "plan.yaml", "--export", "table.parquet"]) == 2
    message = "cliffgym: error: Parquet needs pyarrow, which is not installed: pip install pyarrow, or use .csv"
    assert capsys.readouterr().err.splitlines() == [message]
    assert [path.name for path in here.iterdir()] == ["plan.yaml"]


def test_a_disk_that_is_full_for_tables_too_is_told_with_the_report(
    here: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(28, "No space left on device")

    import cliffgym_agents.sweeps as sweeps_module

    runs = read_plan("plan.yaml")
    with Ledger.writing("plan.sqlite"):
        pass
    stopped = driver.Report(8, 0, (), tuple(run.job.id for run in runs), "ledger cannot be written")
    monkeypatch.setattr(sweeps_module, "run_jobs", lambda *_, **__: stopped)
    monkeypatch.setattr(sweeps_module, "export", refuse)
    assert main(["sweep", "plan.yaml"]) == 3
    captured = capsys.readouterr()
    assert captured.out == "0 of 8 runs done, 0 failed, 8 missing. Written: plan.sqlite\n"
    reason = "ledger cannot be written; and no table: [Errno 28] No space left on device"
    assert captured.err == f"cliffgym sweep: stopped: {reason}\n"


# Tables


def row(number: int, job: Mapping[str, Any], result: Any, error: str | None = None) -> Row:
    status, text = ("done", json.dumps(result)) if error is None else ("failed", None)
    return Row(str(number), json.dumps(job), status, text, error, None, 0.5, "2025-01-01", "{}", "{}")


MIXED = [
    row(
        0,
        {"reward": "true", "ent_coef": 0.1, "of": 1, "flag": True},
        {"measures": {"a": 1.5}, "history": [1, {"b": 2}]},
    ),
    row(1, {"reward": {"x": 1}, "ent_coef": "lin_0.1", "of": 0.1 + 0.2, "flag": None}, {"measures": {"a": 2}}),
    row(2, {"reward": 'ä, "b"\nc', "ent_coef": None, "of": 2, "flag": 0}, None, error="E"),
]


def test_columns_of_several_kinds_are_kept(tmp_path: Path) -> None:
    from pyarrow import parquet

    for name in ("table.csv", "table.parquet"):
        export(MIXED, tmp_path / name)
    records = parquet.read_table(tmp_path / "table.parquet").to_pylist()
    assert [record["reward"] for record in records] == ["true", None, 'ä, "b"\nc']
    assert [record["reward.x"] for record in records] == [None, 1, None]
    assert [record["ent_coef"] for record in records] == ["0.1", "lin_0.1", None]
    assert [record["of"] for record in records] == [1.0, 0.1 + 0.2, 2.0]
    assert [record["flag"] for record in records] == ["true", None, "0"]
    assert [record["measures.a"] for record in records] == [1.5, 2.0, None]
    assert [record["history"] for record in records] == ['[1, {"b": 2}]', None, None]
    assert [record["error"] for record in records] == [None, None, "E"]
    with (tmp_path / "table.csv").open(encoding="utf-8", newline="") as file:
        texts = list(csv.DictReader(file))
    assert list(texts[0]) == list(records[0])
    assert [text["reward"] for text in texts] == ["true", "", 'ä, "b"\nc']
    assert [text["of"] for text in texts] == ["1", "0.30000000000000004", "2"]


def test_columns_of_one_name_are_kept_apart(tmp_path: Path) -> None:
    job = json.dumps({"id": 7, "status": "x", "finished": "no", "number": 3, "machine": {"node": "mine"}})
    row = Row(
        "abc", job, "done", json.dumps({"number": 4, "error": "none"}), None, None, 1.5, "now", '{"node": "its"}', "{}"
    )
    export([row], tmp_path / "table.csv")
    with (tmp_path / "table.csv").open(encoding="utf-8") as file:
        (record,) = csv.DictReader(file)
    assert (record["id"], record["job.id"], record["status"], record["job.status"]) == ("abc", "7", "done", "x")
    assert (record["finished"], record["job.finished"]) == ("now", "no")
    assert (record["number"], record["result.number"]) == ("3", "4")
    assert (record["error"], record["result.error"]) == ("", "none")
    assert (record["machine.node"], record["job.machine.node"]) == ("its", "mine")


def test_a_whole_number_is_one_however_it_is_written() -> None:
    runs = plan_runs({"scenario": TIE_BREAKER, "set": {"bonus": [0, 0.0]}, "hyper": {"n_epochs": 4.0}})
    assert len(runs) == 1
    assert '"n_epochs": 4,' in runs[0].job.text.replace("}", ",")  # which is what the worker is told


@pytest.mark.parametrize("name", ["table.csv", "table.parquet"])
def test_a_table_of_nothing_can_be_read(tmp_path: Path, name: str) -> None:
    export([], tmp_path / name)
    if name == "table.parquet":
        from pyarrow import parquet

        assert parquet.read_table(tmp_path / name).num_rows == 0
    else:
        assert (tmp_path / name).read_text(encoding="utf-8").strip() == ""


@pytest.mark.parametrize("name", ["table.csv", "table.parquet"])
def test_a_table_that_cannot_be_written_leaves_the_old_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    export(MIXED[:1], tmp_path / name)
    before = (tmp_path / name).read_bytes()

    def refuse(_: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", refuse)
        with pytest.raises(OSError, match="No space left"):
            export(MIXED, tmp_path / name)
    assert (tmp_path / name).read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == [name]
    export(MIXED, tmp_path / name)
    assert (tmp_path / name).read_bytes() != before


def test_all_tables_are_checked_before_the_work(tmp_path: Path) -> None:
    with pytest.raises(
        ValueError, match=r"end of the export's name must be one of \".csv\", \".parquet\", \".json\", got ''"
    ):
        sweep([], tmp_path / "ledger.sqlite", exports=[tmp_path / "a.csv", tmp_path / "b"])
    assert list(tmp_path.iterdir()) == []


# The documents

DOCS = Path(__file__).parents[2] / "docs" / "sweeps"


def test_the_example_is_the_plan_that_it_says_it_is() -> None:
    runs = read_plan(DOCS / "example.yaml")
    said = re.search(r"(\d+) runs", (DOCS / "example.yaml").read_text(encoding="utf-8"))
    assert said
    assert len(runs) == int(said[1])


def test_the_page_names_every_key_and_its_script_runs(tmp_path: Path) -> None:
    page = (DOCS / "README.md").read_text(encoding="utf-8")
    assert [key for key in KEYS if f"| `{key}` |" not in page] == []
    (script,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    (tmp_path / "script.py").write_text(script, encoding="utf-8")
    done = subprocess.run([sys.executable, "script.py"], cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert sorted(float(line.rpartition(" ")[2]) for line in done.stdout.splitlines()) == [1.5, 2.0]
