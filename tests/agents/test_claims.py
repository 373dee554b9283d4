"""The claims ledger: predicates hold where they must, fail where they must, and a failing control is no verdict."""

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cliffgym_agents import exact_measures
from cliffgym_agents.claims import CLAIMS, Claim, Judgement, ledger
from cliffgym_agents.claims.claim import Setting
from cliffgym_agents.claims.tables import series
from cliffgym_agents.runs import Result, Run

from cliffgym import optimal, scenario, soft, uniform_policy
from cliffgym.cli import main

ROOT = Path(__file__).parents[2]
every_claim = pytest.mark.parametrize("id", list(CLAIMS))
OWN = ("ties", "lipschitz", "standardised-advantages", "not-the-network", "entropy-does-not-repair", "kl-tie-breaker")
OWN += ("slacker",)

Change = Callable[[Setting, Run, np.ndarray], np.ndarray]
"""From a setting, its run and the policy of the theory to another policy."""


def is_standardised(run: Run) -> bool:
    return bool(run.hyperparameters.get("normalize_advantage")) or run.hyperparameters.get("scale") == "group"


def ideal(setting: Setting, run: Run) -> np.ndarray:
    """What an agent would have learned that the theory describes exactly; standardised ones fall off the cliff."""
    made = scenario(run.env_id, **run.env_kwargs)
    reward = made.reward(run.reward)
    alpha = run.hyperparameters.get("temperature", run.hyperparameters.get("kl_coef", run.ent_coef)) or 0.0
    bonus = run.env_kwargs.get("bonus")
    if bonus and is_standardised(run):
        return optimal(made.mdp, reward).policy
    if not alpha:
        # At a tie it is chance: a policy of the seed's own among the optimal ones.
        chances = np.random.default_rng(run.seed + 1).dirichlet(0.2 * np.ones(made.mdp.num_actions))
        chosen = optimal(made.mdp, reward).optimal_actions * (chances + 1e-9)
        return chosen / chosen.sum(axis=1, keepdims=True)
    return soft(made.mdp, reward, alpha, run.hyperparameters.get("reference")).policy


def unchanged(setting: Setting, run: Run, policy: np.ndarray) -> np.ndarray:
    return policy


def judged(id: str, change: Change = unchanged) -> Judgement:
    found = {}
    for setting, runs in CLAIMS[id].runs(True).items():
        policies = [change(setting, run, ideal(setting, run)) for run in runs]
        made = scenario(runs[0].env_id, **runs[0].env_kwargs)
        found[setting] = [Result(exact_measures(made, policy), policy=policy) for policy in policies]
    return CLAIMS[id].judge(found)


def replaced(chosen: Callable[[Setting, Run], bool], by: Callable[[Run], np.ndarray]) -> Change:
    return lambda setting, run, policy: by(run) if chosen(setting, run) else policy


def untrained(run: Run) -> np.ndarray:
    return uniform_policy(scenario(run.env_id, **run.env_kwargs).mdp)


def as_meant(run: Run) -> np.ndarray:
    made = scenario(run.env_id, **run.env_kwargs)
    return optimal(made.mdp, made.reward("true")).policy


def softly(run: Run) -> np.ndarray:
    made = scenario(run.env_id, **run.env_kwargs)
    return soft(made.mdp, made.reward("true"), float(run.ent_coef or 0.1)).policy


def by_chance(run: Run) -> np.ndarray:
    made = scenario(run.env_id, **run.env_kwargs)
    chances = np.random.default_rng(run.seed).dirichlet(0.2 * np.ones(made.mdp.num_actions)) * made.mdp.action_mask
    return chances / chances.sum(axis=1, keepdims=True)


def as_the_reference(run: Run) -> np.ndarray:
    made = scenario(run.env_id, **run.env_kwargs)
    return soft(made.mdp, made.reward("true"), 0.01, run.hyperparameters["reference"]).policy


SPOILED: dict[str, tuple[Change, Change]] = {
    # what breaks the predicate, and what breaks the control
    "ties": (
        replaced(lambda s, r: s[1] == 0.05 and r.algorithm == "grpo", untrained),
        replaced(lambda s, r: bool(r.ent_coef), by_chance),
    ),
    "lipschitz": (
        replaced(lambda s, r: not is_standardised(r) and s[2] != 0, as_meant),
        replaced(lambda s, r: is_standardised(r), softly),
    ),
    "standardised-advantages": (
        replaced(lambda s, r: is_standardised(r), softly),
        replaced(lambda s, r: not is_standardised(r) and s[1] != 0, as_meant),
    ),
    "not-the-network": (
        replaced(lambda s, r: is_standardised(r), softly),
        replaced(lambda s, r: not is_standardised(r) and s[1] != 0, as_meant),
    ),
    "entropy-does-not-repair": (
        replaced(lambda s, r: s == ("incomplete", 0.1), as_meant),
        replaced(lambda s, r: s[0] == "true", untrained),
    ),
    "kl-tie-breaker": (
        replaced(lambda s, r: s == (0.01, 0.0), by_chance),
        replaced(lambda s, r: s[0] == 0.0, as_the_reference),
    ),
    "slacker": (
        replaced(lambda s, r: s == ("lazy",), as_meant),
        replaced(lambda s, r: s == ("true",), untrained),
    ),
}


# Judgements


@pytest.mark.parametrize("id", OWN)
def test_what_the_theory_describes_passes(id: str) -> None:
    found = judged(id)
    assert found.verdict == "pass"
    assert found.rows
    assert all(len(row) == len(found.header) for row in found.rows)


@pytest.mark.parametrize("id", OWN)
def test_a_predicate_that_does_not_hold_fails(id: str) -> None:
    assert judged(id, SPOILED[id][0]).verdict == "fail"


@pytest.mark.parametrize("id", OWN)
def test_a_control_that_does_not_hold_is_no_verdict(id: str) -> None:
    assert judged(id, SPOILED[id][1]).verdict == "not measurable"


@every_claim
def test_a_claim_says_where_it_is_from_and_what_it_wants(id: str) -> None:
    claim = CLAIMS[id]
    assert claim.id == id
    for text in (claim.sentence, claim.source, claim.published, claim.predicate, claim.control):
        assert len(text) > 3


@every_claim
def test_quick_runs_are_some_of_the_full_ones(id: str) -> None:
    quick, full = CLAIMS[id].runs(True), CLAIMS[id].runs(False)
    assert set(quick) <= set(full)
    for setting, runs in quick.items():
        assert [run.job.id for run in runs] == [run.job.id for run in full[setting][: len(runs)]]
    ids = [run.job.id for runs in full.values() for run in runs]
    assert len(set(ids)) == len(ids)
    assert min(len(runs) for runs in full.values()) >= 5  # several seeds of everything
    assert len(ids) > sum(map(len, quick.values())) > 0


def test_seeds_that_do_not_differ_are_no_chance() -> None:
    """A standard deviation of 0 is three times another of 0."""
    everywhere_alike = replaced(lambda s, r: s[1] == 0.0, untrained)
    assert judged("ties", everywhere_alike).verdict == "fail"


def test_a_series_has_gaps_where_nothing_was_tried() -> None:
    found: dict[Setting, list[Result]] = {
        ("PPO", 0.1): [Result({"correct": 0.5}), Result({"correct": 1.0})],
        ("PPO", 0.3): [Result({"correct": 0})] * 2,
    }
    drawn = series(found, [("PPO", 0.1), ("PPO", 0.2), ("PPO", 0.3)], "correct")
    np.testing.assert_array_equal(drawn, [[0.5, 1], [np.nan, np.nan], [0, 0]])


# The ledger


@pytest.fixture
def trained_in_theory(monkeypatch: pytest.MonkeyPatch) -> list[Run]:
    """Nothing is trained; what would have been is noted."""
    asked: list[Run] = []

    def run_all(runs: Sequence[Run], path: Path, description: str, scheduler: str | None) -> list[Result]:
        asked.extend(runs)
        results = []
        for run in runs:
            policy = ideal((), run)
            results.append(Result(exact_measures(scenario(run.env_id, **run.env_kwargs), policy), policy=policy))
        return results

    monkeypatch.setattr(ledger, "run_all", run_all)
    return asked


def test_the_ledger_is_written_and_says_what_passed(
    trained_in_theory: list[Run], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = [part for id in OWN for part in ("--claim", id)]
    assert main(["reproduce", "--quick", *arguments, "--output", str(tmp_path)]) == 0
    printed = capsys.readouterr().out
    text = (tmp_path / "reproduction.md").read_text(encoding="utf-8")
    records = json.loads((tmp_path / "reproduction.json").read_text(encoding="utf-8"))
    assert [record["claim"] for record in records] == list(OWN)
    assert len({run.job.id for run in trained_in_theory}) == len(trained_in_theory)  # shared runs are trained once
    for id in OWN:
        assert id in printed
        assert f"## {id}\n\n{CLAIMS[id].sentence}" in text
        assert CLAIMS[id].predicate in text
        assert CLAIMS[id].control in text
    assert {record["verdict"] for record in records} == {"pass"}
    for suffix in ("png", "svg"):
        assert (tmp_path / f"reproduction-standardised-advantages.{suffix}").exists()
    table = (tmp_path / "reproduction.csv").read_text(encoding="utf-8").splitlines()
    assert len(table) == 1 + len(trained_in_theory)
    assert {line.split(",")[0] for line in table[1:]} == {run.job.id for run in trained_in_theory}


SLACKER = ["reproduce", "--quick", "--claim", "slacker", "--output"]


@pytest.mark.usefixtures("trained_in_theory")
def test_one_claim_may_be_asked_for_and_a_failure_is_the_exit_status(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert main([*SLACKER, str(tmp_path)]) == 0
    assert "## ties" not in (tmp_path / "reproduction.md").read_text(encoding="utf-8")
    worth_little = {"true_return": 1.5, "effort": 0.0}
    monkeypatch.setattr(ledger, "run_all", lambda runs, *_: [Result(worth_little) for _ in runs])
    assert main([*SLACKER, str(tmp_path)]) == 1


@pytest.mark.usefixtures("trained_in_theory")
def test_verdicts_are_compared_with_a_record(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*SLACKER, str(tmp_path)]) == 0
    record = tmp_path / "reproduction.json"
    against = [*SLACKER, str(tmp_path / "again"), "--against", str(record)]
    assert main(against) == 0
    for key, value, said in (
        ("verdict", "fail", "slacker: found pass, but .* says fail"),
        ("plan", "0", "slacker: .* is of another experiment"),
        ("claim", "other", "slacker: .* does not have it"),
    ):
        content = json.loads((tmp_path / "again" / "reproduction.json").read_text(encoding="utf-8"))
        content[0][key] = value
        record.write_text(json.dumps(content), encoding="utf-8")
        capsys.readouterr()
        assert main(against) == 1
        assert re.search(said, capsys.readouterr().err)
    record.write_text("[{}]", encoding="utf-8")
    assert main(against) == 2


def test_close_verdicts_are_published_and_not_compared(tmp_path: Path) -> None:
    claim = replace(CLAIMS["slacker"], close=True)
    entry = ledger.Entry(claim, Judgement("pass", "", (), []), 1, "0")
    record = tmp_path / "reproduction.json"
    record.write_text(json.dumps([{"claim": "slacker", "verdict": "fail", "plan": "0"}]), encoding="utf-8")
    assert ledger.differences([entry], record) == []
    assert len(ledger.differences([replace(entry, claim=CLAIMS["slacker"])], record)) == 1
    assert len(ledger.differences([replace(entry, plan="1")], record)) == 1
    assert "; close: it hangs on one seed or two" in ledger.page([entry], quick=False)


@pytest.mark.usefixtures("trained_in_theory")
def test_close_claims_are_left_out_of_a_comparison_but_for_their_plans(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(ledger, "CLAIMS", {id: CLAIMS[id] for id in ("slacker", "obedience-price")})
    assert CLAIMS["obedience-price"].close
    record = tmp_path / "record.json"
    plans = {id: ledger.plan_of(CLAIMS[id]) for id in ("slacker", "obedience-price")}

    def compare() -> int:
        content = [{"claim": id, "verdict": "pass", "plan": plan} for id, plan in plans.items()]
        record.write_text(json.dumps(content), encoding="utf-8")
        return main(["reproduce", "--quick", "--output", str(tmp_path), "--against", str(record)])

    assert compare() == 0
    assert "obedience-price" not in capsys.readouterr().out
    plans["obedience-price"] = "0"
    assert compare() == 1
    assert "obedience-price: " in capsys.readouterr().err


def test_an_unknown_claim_lists_those_there_are(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["reproduce", "--claim", "tie", "--output", str(tmp_path)]) == 2
    assert 'claim must be one of "ties", "lipschitz"' in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def committed() -> list[dict[str, Any]]:
    return json.loads((ROOT / "docs" / "reproduction.json").read_text(encoding="utf-8"))


def test_the_committed_page_is_what_its_data_say() -> None:
    entries = [
        ledger.Entry(
            CLAIMS[r["claim"]],
            Judgement(r["verdict"], r["found"], tuple(r["header"]), r["rows"]),
            r["agents"],
            r["plan"],
        )
        for r in committed()
    ]
    assert [entry.claim.id for entry in entries] == list(CLAIMS)
    assert ledger.page(entries, quick=False) == (ROOT / "docs" / "reproduction.md").read_text(encoding="utf-8")


@every_claim
def test_the_committed_record_is_of_the_present_experiment(id: str) -> None:
    (record,) = (record for record in committed() if record["claim"] == id)
    assert record["plan"] == ledger.plan_of(CLAIMS[id])
    assert record["agents"] == sum(map(len, CLAIMS[id].runs(False).values()))


def test_a_plan_changes_with_the_experiment(monkeypatch: pytest.MonkeyPatch) -> None:
    claim: Claim = CLAIMS["slacker"]
    before = ledger.plan_of(claim)
    assert before == ledger.plan_of(claim)
    monkeypatch.setattr(ledger, "default_hyperparameters", lambda *_: {"learning_rate": 1.0})
    assert ledger.plan_of(claim) != before
