"""Many runs in one call: results in their order, nothing done twice, and exact solutions beside what is trained."""

import json
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from cliffgym_agents import exact_measures, train
from cliffgym_agents import runs as runs_module
from cliffgym_agents.exact_runs import solve_exactly
from cliffgym_agents.runs import Result, Run, execute_run, run_all

from cliffgym import evaluate, optimal, scenario
from cliffgym.sweeps import Ledger, Report, Row, driver

RUN = Run("Cliff-Slacker-v0", "incomplete", 0.0, 0, {"problems": 1}, total_timesteps=512)
OTHERS = [replace(RUN, seed=seed) for seed in (1, 2, 3)]


def made_up(run: Run) -> dict[str, float]:
    return {"true_return": float(run.seed)}


def write(ledger: Path, *runs: Run) -> None:
    """A ledger that says that runs are done."""
    with Ledger.writing(ledger) as book:
        for run in runs:
            result = json.dumps({"measures": made_up(run)})
            book.add([Row(run.job.id, run.job.text, "done", result, None, None, 1.0, "2025-01-01", "{}", "{}")])


@pytest.fixture
def no_cluster(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("a cluster was about to be started")

    monkeypatch.setattr(driver, "connect", refuse)


# Many runs


def test_a_repeated_call_does_only_what_is_missing(tmp_path: Path) -> None:
    ledger = tmp_path / "deep" / "runs.sqlite"
    write(ledger, *OTHERS)
    results = run_all([OTHERS[0], RUN, OTHERS[1], OTHERS[2]], ledger, "test")
    assert [results[i].measures for i in (0, 2, 3)] == [made_up(run) for run in OTHERS]
    # A process of its own learns the same as this one, to the last bit.
    expected = train(
        RUN.env_id, reward=RUN.reward, ent_coef=0.0, seed=0, env_kwargs=RUN.env_kwargs, total_timesteps=512
    )
    assert results[1].measures == expected.measures
    with Ledger.reading(ledger) as book:
        assert set(book.statuses().items()) == {(run.job.id, "done") for run in (RUN, *OTHERS)}


@pytest.mark.usefixtures("no_cluster")
def test_results_come_in_the_order_of_the_runs(tmp_path: Path) -> None:
    ledger = tmp_path / "runs.sqlite"
    write(ledger, RUN, *OTHERS)
    order = [OTHERS[2], RUN, OTHERS[0], OTHERS[2]]
    assert [result["true_return"] for result in run_all(order, ledger, "test")] == [3, 0, 1, 3]
    assert run_all([], ledger, "test") == []


@pytest.mark.usefixtures("no_cluster")
def test_a_ledger_of_another_kind_is_refused_and_left_alone(tmp_path: Path) -> None:
    ledger = tmp_path / "runs.json"
    ledger.write_text('{"what trainings": "were kept in"}', encoding="utf-8")
    with pytest.raises(ValueError, match=r"ledger must be a SQLite file, got .*runs\.json"):
        run_all([RUN], ledger, "test")
    assert ledger.read_text(encoding="utf-8") == '{"what trainings": "were kept in"}'


def test_runs_that_failed_or_are_missing_are_errors(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ledger = tmp_path / "runs.sqlite"
    write(ledger, RUN)
    bad, missing = replace(RUN, seed=7), OTHERS[0]
    with Ledger.writing(ledger) as book:
        failed = Row(bad.job.id, bad.job.text, "failed", None, "ValueError: no", "", 1.0, "2025-01-01", "{}", "{}")
        book.add([failed])
    asked: dict[str, Any] = {}

    def stop(*_: object, **options: Any) -> Report:
        asked.update(options)
        return reports.pop(0)

    reports = [
        Report(2, 1, (), (missing.job.id,), "the disk is full"),
        Report(2, 1, (bad.job.id,), (), None),
    ]
    monkeypatch.setattr(runs_module, "run_jobs", stop)
    with pytest.raises(RuntimeError, match="1 of 2 runs are missing: the disk is full"):
        run_all([RUN, missing], ledger, "test", "tcp://127.0.0.1:1")
    assert asked == {"scheduler": "tcp://127.0.0.1:1", "retry_failed": True, "description": "test"}
    with pytest.raises(RuntimeError, match=r'1 of 2 runs failed, .*ValueError: no.*"seed": 7'):
        run_all([RUN, bad], ledger, "test")


# One run


def test_a_result_holds_what_was_asked_for() -> None:
    run = replace(RUN, evaluate_every=256, keep_policy=True)
    trained = train(
        run.env_id,
        reward=run.reward,
        ent_coef=run.ent_coef,
        seed=run.seed,
        env_kwargs=run.env_kwargs,
        total_timesteps=run.total_timesteps,
        evaluate_every=256,
    )
    result = Result.from_json(json.dumps(execute_run(asdict(run))))
    assert result.measures == trained.measures
    assert result.history == trained.history
    assert len(result.history) > 1
    assert result.policy is not None
    np.testing.assert_array_equal(result.policy, trained.policy_table)
    short = Result.from_json(json.dumps(execute_run(asdict(RUN))))
    assert (short.measures, short.history, short.policy) == (trained.measures, [], None)


def test_a_run_takes_one_thread() -> None:
    torch.set_num_threads(2)
    execute_run(asdict(replace(RUN, algorithm="optimal", ent_coef=None, total_timesteps=None)))
    assert torch.get_num_threads() == 1


# Exact solutions


@pytest.mark.parametrize("reward", ["incomplete", "true", {"correct": 1, "effort": -0.5}])
def test_the_optimal_policy_earns_the_optimal_return(reward: str | Mapping[str, float]) -> None:
    made = scenario("Cliff-Slacker-v0", problems=2)
    measures, policy = solve_exactly("Cliff-Slacker-v0", reward, "optimal", {"problems": 2}, {})
    assert measures["paid_return"] == pytest.approx(optimal(made.mdp, made.reward(reward)).expected_return, abs=1e-12)
    assert measures["total_variation"] == pytest.approx(0, abs=1e-12)
    np.testing.assert_allclose(policy.sum(axis=1), 1)


def test_the_soft_policy_is_what_no_other_beats() -> None:
    """Its return and entropy together, weighed by the temperature, exceed those of others."""
    id, temperature = "Cliff-SpuriousReasoning-v0", 0.3
    made = scenario(id)
    table = made.reward("true")

    def objective(policy: np.ndarray[Any, np.dtype[np.float64]]) -> float:
        logs = np.log(np.where(policy > 0, policy, 1)) * ~made.mdp.terminal[:, None]
        return evaluate(made.mdp, table - temperature * logs, policy).expected_return

    _, policy = solve_exactly(id, "true", "soft", {}, {"temperature": temperature})
    best = objective(policy)
    draw = np.random.default_rng(0)
    mask = made.mdp.action_mask
    for scale in (0.01, 0.1, 1.0) * 5:
        weights = policy * np.exp(scale * draw.normal(size=policy.shape)) * mask
        assert objective(weights / weights.sum(axis=1, keepdims=True)) < best
    measures, policy = solve_exactly(id, "true", "soft", {}, {"temperature": 0.1})
    assert measures == exact_measures(made, policy, "true", 0.1)
    with pytest.raises(ValueError, match="hyperparameters of soft must have a temperature, got none"):
        solve_exactly(id, "true", "soft", {}, {})
    # What only environments take may stand beside what scenarios take.
    assert solve_exactly(id, "true", "optimal", {"oracle": True}, {})[0]["correct"] == 1


@pytest.mark.parametrize("changes", [{"ent_coef": 0.1}, {"seed": 1}, {"total_timesteps": 9}, {"evaluate_every": 9}])
def test_what_an_exact_solution_would_not_look_at_is_refused(changes: dict[str, Any]) -> None:
    (name,) = changes
    exact = Run("Cliff-Slacker-v0", "true", None, 0, algorithm="optimal")
    with pytest.raises(ValueError, match=f"{name} must be left out for optimal, got "):
        replace(exact, **changes)


def test_a_row_that_failed_holds_no_result() -> None:
    with pytest.raises(ValueError, match="row must be of a run that is done, got one that failed"):
        Result.from_json(None)


def test_a_reference_policy_can_be_plain_data() -> None:
    made = scenario("Cliff-SpuriousReasoning-v0")
    reference = made.mdp.action_mask * [1.0, 2.0, 5.0]
    reference /= reference.sum(axis=1, keepdims=True)
    free, _ = solve_exactly(made.id, "true", "soft", {}, {"temperature": 0.3})
    tied, _ = solve_exactly(made.id, "true", "soft", {}, {"temperature": 0.3, "reference": reference.tolist()})
    bound, policy = solve_exactly(made.id, "true", "soft", {}, {"temperature": 1e6, "reference": reference.tolist()})
    assert tied["true_return"] != free["true_return"]
    assert bound["total_variation"] == pytest.approx(0, abs=1e-9)
    np.testing.assert_allclose(policy, reference, atol=1e-5)


@pytest.mark.parametrize(
    ("algorithm", "hyperparameters", "error", "message"),
    [
        ("optimal", {"temperature": 1}, ValueError, "hyperparameter of optimal must be one of , got 'temperature'"),
        ("soft", {"n_envs": 1}, ValueError, 'hyperparameter of soft must be one of "temperature", "reference", got'),
        ("soft", {"temperature": -1}, ValueError, "temperature must be"),
    ],
)
def test_exact_solutions_refuse_what_they_do_not_know(
    algorithm: str, hyperparameters: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        solve_exactly("Cliff-Slacker-v0", "true", algorithm, {}, hyperparameters)
