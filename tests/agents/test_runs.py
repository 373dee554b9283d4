"""Many trainings: each is kept as soon as it is done, and none is done twice."""

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cliffgym_agents import runs as runs_module
from cliffgym_agents import train
from cliffgym_agents.runs import Run, train_all

RUN = Run("Cliff-Slacker-v0", "incomplete", 0.0, 0, {"problems": 1})
OTHERS = [replace(RUN, seed=seed) for seed in (1, 2, 3)]


def made_up(number: float) -> dict[str, float]:
    return {"true_return": number}


def read(ledger: Path) -> dict[str, Any]:
    return json.loads(ledger.read_text(encoding="utf-8"))


def write(ledger: Path, done: dict[str, Any]) -> None:
    ledger.write_text(json.dumps(done), encoding="utf-8")


@pytest.fixture
def nothing_is_trained(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: Any) -> None:
        raise AssertionError("a process was about to be started")

    monkeypatch.setattr(runs_module, "ProcessPoolExecutor", refuse)


@pytest.fixture
def one_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs are then trained in their order."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0}, raising=False)


def test_a_repeated_call_trains_only_what_is_missing(tmp_path: Path) -> None:
    ledger = tmp_path / "runs.json"
    known = {run.key: made_up(run.seed) for run in OTHERS}
    write(ledger, known)
    measures = train_all([OTHERS[0], RUN, OTHERS[1], OTHERS[2]], ledger, "test")
    assert [measures[i] for i in (0, 2, 3)] == [made_up(1), made_up(2), made_up(3)]
    # A process of its own learns the same as this one.
    expected = train(RUN.env_id, reward=RUN.reward, ent_coef=RUN.ent_coef, seed=RUN.seed, env_kwargs=RUN.env_kwargs)
    assert measures[1] == pytest.approx(expected.measures)
    assert read(ledger) == known | {RUN.key: measures[1]}


@pytest.mark.usefixtures("nothing_is_trained")
def test_results_come_in_the_order_of_the_runs(tmp_path: Path) -> None:
    ledger = tmp_path / "runs.json"
    write(ledger, {run.key: made_up(run.seed) for run in (RUN, *OTHERS)})
    order = [OTHERS[2], RUN, OTHERS[0], OTHERS[2]]
    assert train_all(order, ledger, "test") == [made_up(3), made_up(0), made_up(1), made_up(3)]


@pytest.mark.usefixtures("nothing_is_trained")
def test_no_runs_are_done_at_once(tmp_path: Path) -> None:
    assert train_all([], tmp_path / "runs.json", "test") == []


@pytest.mark.usefixtures("one_process")
def test_what_was_done_before_an_error_is_kept(tmp_path: Path) -> None:
    ledger = tmp_path / "deep" / "runs.json"
    with pytest.raises(ValueError, match="reward must be one of"):
        train_all([RUN, replace(RUN, reward="no such reward")], ledger, "test")
    assert list(read(ledger)) == [RUN.key]
    assert set(read(ledger)[RUN.key]) >= {"true_return", "paid_return", "correct"}
    assert [path.name for path in ledger.parent.iterdir()] == ["runs.json"]


@pytest.mark.usefixtures("nothing_is_trained")
@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "ledger must be a JSON file of finished runs, got .*runs.json"),
        (b'{"a": {', "ledger must be a JSON file of finished runs, got .*runs.json"),
        (b"\xff\xfe", "ledger must be a JSON file of finished runs, got .*runs.json"),
        (b"[1, 2]", "ledger must be a JSON object of finished runs, got list in .*runs.json"),
    ],
    ids=["empty", "cut off", "no text", "list"],
)
def test_a_damaged_ledger_is_refused_and_left_alone(content: bytes, message: str, tmp_path: Path) -> None:
    ledger = tmp_path / "runs.json"
    ledger.write_bytes(content)
    with pytest.raises(ValueError, match=message):
        train_all([RUN], ledger, "test")
    assert ledger.read_bytes() == content


def test_keys_are_equal_only_for_equal_runs() -> None:
    different = [
        RUN,
        replace(RUN, env_id="Cliff-TieBreaker-v0"),
        replace(RUN, reward="true"),
        replace(RUN, ent_coef=0.1),
        replace(RUN, seed=1),
        replace(RUN, env_kwargs={}),
        replace(RUN, env_kwargs={"problems": 2}),
    ]
    assert len({run.key for run in different}) == len(different)
    both = {"problems": 1, "answers": 2}, {"answers": 2, "problems": 1}
    assert len({replace(RUN, env_kwargs=kwargs).key for kwargs in both}) == 1
