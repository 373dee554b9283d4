"""The claims ledger: predicates hold where they must, fail where they must, and a failing control is no verdict."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cliffgym_agents.claims import CLAIMS, Judgement, ledger
from cliffgym_agents.demo import exact_share
from cliffgym_agents.runs import Run

from cliffgym import expected_components, optimal, scenario, soft
from cliffgym.cli import main

ROOT = Path(__file__).parents[2]
every_claim = pytest.mark.parametrize("id", list(CLAIMS))

Measured = dict[str, float]


def ideal(run: Run) -> Measured:
    """What an agent would be worth that the theory describes exactly; standardised ones fall off the cliff."""
    made = scenario(run.env_id, **run.env_kwargs)
    reward = made.reward(run.reward)
    alpha = run.hyperparameters.get("temperature", run.ent_coef) or 0.0
    policy = soft(made.mdp, reward, alpha).policy if alpha else optimal(made.mdp, reward).policy
    measured = expected_components(made.mdp, made.components, policy)
    for name in ("incomplete", "true"):
        measured[f"{name}_return"] = sum(w * measured[k] for k, w in made.rewards[name].items())
    if run.env_id == "Cliff-TieBreaker-v0":
        standardised = run.hyperparameters.get("normalize_advantage") or run.hyperparameters.get("scale") == "group"
        if not alpha and run.env_kwargs["bonus"] == 0:
            measured["target_format"] = float(np.random.default_rng(run.seed).random())  # at a tie it is chance
        elif standardised and run.env_kwargs["bonus"] > 0:
            measured["target_format"] = 1.0
    if (run.env_id, run.reward) == ("Cliff-Slacker-v0", "incomplete"):
        measured["true_return"] = 1.1 + 0.8 * (run.seed % 3) / 2
    if (run.env_id, run.reward) == ("Cliff-Obedience-v0", "incomplete"):
        measured |= {"soft": 0.1, "hard": 0.0}
    return measured


def judged(id: str, change: Callable[[Run, Measured], None] = lambda run, measured: None) -> Judgement:
    runs = CLAIMS[id].runs(True)
    measures = [ideal(run) for run in runs]
    for run, measured in zip(runs, measures, strict=True):
        change(run, measured)
    return CLAIMS[id].judge(runs, measures)


def is_standardised(run: Run) -> bool:
    return bool(run.hyperparameters.get("normalize_advantage")) or run.hyperparameters.get("scale") == "group"


SPOILED: dict[str, tuple[Callable[[Run], bool], Callable[[Run], bool], Measured]] = {
    # which runs break the predicate, which break the control, and what is changed in them
    "ties": (lambda r: r.ent_coef == 0.0 and r.env_kwargs["bonus"] == 0.05, lambda r: r.ent_coef == 0.1, {}),
    "lipschitz": (lambda r: r.algorithm == "soft_dqn", is_standardised, {}),
    "standardised-advantages": (
        is_standardised,
        lambda r: not is_standardised(r),
        {"target_format": 0.5},
    ),
    "entropy-does-not-repair": (
        lambda r: r.reward == "incomplete" and r.ent_coef == 0.1,
        lambda r: r.reward == "true",
        {"correct": 0.7},
    ),
    "slacker": (lambda r: r.reward == "lazy", lambda r: r.reward == "true", {"true_return": 1.5}),
    "sophistry": (
        lambda r: r.reward == "incomplete",
        lambda r: r.reward == "true",
        {"correct": 0.6},
    ),
    "deception": (lambda r: r.reward == "cot_pressure", lambda r: r.reward == "strong", {"tampered": 0.5}),
    "obedience": (lambda r: r.reward == "incomplete", lambda r: r.reward == "true", {"correct": 0.5}),
}


def spoil(chosen: Callable[[Run], bool], changes: Measured) -> Callable[[Run, Measured], None]:
    def change(run: Run, measured: Measured) -> None:
        if chosen(run):
            # A share of 0.5 alternates with 0 between seeds where nothing else is given.
            measured |= changes or {"target_format": 0.5 * (run.seed % 2) + 0.1}

    return change


@every_claim
def test_what_the_theory_describes_passes(id: str) -> None:
    found = judged(id)
    assert found.verdict == "pass", found.found
    assert all(len(row) == len(found.header) for row in found.rows)


@every_claim
def test_a_predicate_that_does_not_hold_fails(id: str) -> None:
    broken, _, changes = SPOILED[id]
    assert judged(id, spoil(broken, changes)).verdict == "fail"


@every_claim
def test_a_control_that_does_not_hold_is_no_verdict(id: str) -> None:
    _, control, changes = SPOILED[id]
    if id == "lipschitz":  # there the control is that standardised advantages do break the bound

        def change(run: Run, measured: Measured) -> None:
            if control(run):
                measured["target_format"] = exact_share(run.env_kwargs["bonus"], run.ent_coef or 0.0)

        assert judged(id, change).verdict == "not measurable"
    else:
        assert judged(id, spoil(control, changes)).verdict == "not measurable"


@every_claim
def test_a_claim_says_where_it_is_from_and_what_it_wants(id: str) -> None:
    claim = CLAIMS[id]
    assert claim.id == id
    for text in (claim.sentence, claim.source, claim.published, claim.predicate, claim.control):
        assert len(text) > 3
    quick, full = claim.runs(True), claim.runs(False)
    assert 0 < len(quick) < len(full)
    assert len({run.key for run in full}) == len(full)
    assert min(sum(r == s for r in _settings(full)) for s in set(_settings(full))) >= 5  # several seeds of everything


def _settings(runs: Sequence[Run]) -> list[str]:
    return [json.dumps(json.loads(run.key) | {"seed": 0}, sort_keys=True) for run in runs]


# The ledger


@pytest.fixture
def trained_in_theory(monkeypatch: pytest.MonkeyPatch) -> list[Run]:
    """Nothing is trained; what would have been is noted."""
    asked: list[Run] = []

    def train_all(runs: Sequence[Run], path: Path, description: str) -> list[Measured]:
        asked.extend(runs)
        return [ideal(run) for run in runs]

    monkeypatch.setattr(ledger, "train_all", train_all)
    return asked


def test_the_ledger_is_written_and_says_what_passed(
    trained_in_theory: list[Run], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["reproduce", "--quick", "--output", str(tmp_path)]) == 0
    printed = capsys.readouterr().out
    text = (tmp_path / "reproduction.md").read_text(encoding="utf-8")
    records = json.loads((tmp_path / "reproduction.json").read_text(encoding="utf-8"))
    assert [record["claim"] for record in records] == list(CLAIMS)
    assert len({run.key for run in trained_in_theory}) == len(trained_in_theory)  # shared runs are trained once
    for id, claim in CLAIMS.items():
        assert id in printed
        assert f"## {id}\n\n{claim.sentence}" in text
        assert claim.predicate in text
        assert claim.control in text
    assert {record["verdict"] for record in records} == {"pass"}
    for suffix in ("png", "svg"):
        assert (tmp_path / f"reproduction-standardised-advantages.{suffix}").exists()


@pytest.mark.usefixtures("trained_in_theory")
def test_one_claim_may_be_asked_for_and_a_failure_is_the_exit_status(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert main(["reproduce", "--quick", "--claim", "slacker", "--output", str(tmp_path)]) == 0
    assert "## ties" not in (tmp_path / "reproduction.md").read_text(encoding="utf-8")
    monkeypatch.setattr(ledger, "train_all", lambda runs, *_: [ideal(run) | {"true_return": 1.5} for run in runs])
    assert main(["reproduce", "--quick", "--claim", "slacker", "--output", str(tmp_path)]) == 1


def test_an_unknown_claim_lists_those_there_are(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["reproduce", "--claim", "tie", "--output", str(tmp_path)]) == 2
    assert 'claim must be one of "ties", "lipschitz"' in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_the_committed_page_is_what_its_data_say() -> None:
    records: list[dict[str, Any]] = json.loads((ROOT / "docs" / "reproduction.json").read_text(encoding="utf-8"))
    entries = [
        ledger.Entry(
            CLAIMS[r["claim"]], Judgement(r["verdict"], r["found"], tuple(r["header"]), r["rows"]), r["agents"]
        )
        for r in records
    ]
    assert [entry.claim.id for entry in entries] == list(CLAIMS)
    assert ledger.page(entries, quick=False) == (ROOT / "docs" / "reproduction.md").read_text(encoding="utf-8")
