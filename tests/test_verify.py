"""Every statement on every scenario and on random MDPs, and the command that runs them."""

import itertools
import json
import math

import numpy as np
import pytest

import cliffgym
from cliffgym import RewardComponents, TabularMDP, optimal
from cliffgym.analysis import StatementCheck, StatementSummary, verify
from cliffgym.analysis.bounds import STATEMENTS, jump
from cliffgym.analysis.verification import EPSILONS, SIZES, TEMPERATURES, merge, random_cases, summarize
from cliffgym.cli import main

LIGHT = 800


def rewards_of(id: str) -> tuple[TabularMDP, RewardComponents]:
    made = cliffgym.scenario(id)
    return made.mdp, RewardComponents(tuple(made.rewards), np.array([made.reward(name) for name in made.rewards]))


def verdicts(rows: tuple[StatementSummary, ...]) -> dict[str, str]:
    return {row.statement: row.verdict for row in rows}


# Statements hold


@pytest.mark.parametrize("id", list(cliffgym.SCENARIOS))
def test_every_statement_holds_on_every_reward_of_a_scenario(id: str) -> None:
    mdp, rewards = rewards_of(id)
    rows = verify(mdp, rewards)
    assert [row.counterexample for row in rows if row.violations] == []
    assert [row.statement for row in rows] == list(STATEMENTS)
    unlike = {row.statement for row in rows if row.verdict != "holds"}
    ties = any(len(optimal(mdp, table).tied_states) for table in rewards.table)
    unique = any(not len(optimal(mdp, table).tied_states) for table in rewards.table)
    if ties:
        assert not unlike & {"Proposition 2.9", "Proposition 2.10", "Proposition 3.2", "Proposition 4.6"}
    if unique:
        assert not unlike & {"Theorem 2.7", "Proposition 4.5"}
    always = ("Proposition 2.4", "Lemma 2.5", "Lemma 4.2", "Proposition 4.3", "Lemma 4.4", "Proposition 4.7")
    assert not unlike & {*always, "Lemma C.2"}


def test_every_statement_holds_on_random_mdps() -> None:
    rows = merge(verify(mdp, rewards, [0, i]) for i, (_, mdp, rewards) in enumerate(random_cases(24)))
    assert [row.counterexample for row in rows if row.violations] == []
    assert set(verdicts(rows).values()) == {"holds"}
    assert all(row.worst_ratio <= 1 for row in rows)


@pytest.mark.parametrize(("count", "applicable"), [(120, 120), pytest.param(LIGHT, 1000, marks=pytest.mark.slow)])
def test_every_statement_holds_on_many_random_mdps(count: int, applicable: int) -> None:
    cycle = zip(itertools.cycle(EPSILONS), itertools.cycle(TEMPERATURES), itertools.cycle(SIZES), strict=False)
    rows = merge(
        verify(mdp, rewards, [1, i], epsilons=(epsilon,), temperatures=(temperature,), sizes=(size,))
        for i, ((_, mdp, rewards), (epsilon, temperature, size)) in enumerate(
            zip(random_cases(count, seed=1), cycle, strict=False)
        )
    )
    print([(row.statement, row.applicable, row.worst_ratio) for row in rows])
    assert [row.counterexample for row in rows if row.violations] == []
    assert all(row.applicable >= applicable for row in rows)
    tight = ("2.4", "2.9", "2.10", "3.1", "3.2", "4.2", "4.3", "4.6", "C.2")  # some random case attains them
    assert all(row.worst_ratio > 0.99 for row in rows if row.statement.split()[1] in tight)


def test_a_cycle_at_gamma_1_leaves_out_what_needs_a_horizon() -> None:
    mdp, rewards = next(case[1:] for case in random_cases(12) if case[1].gamma == 1 and not case[1].is_acyclic)
    rows = {row.statement: row for row in verify(mdp, rewards)}
    for statement in ("Proposition 2.4", "Lemma 2.5", "Proposition 4.3", "Lemma 4.4", "Proposition 4.7"):
        assert (rows[statement].cases, rows[statement].verdict) == (0, "not applicable")
    assert rows["Proposition 2.9"].verdict == "holds"


def test_random_cases_are_of_every_kind_and_repeatable() -> None:
    cases = list(random_cases(12, seed=5))
    for (name, mdp, rewards), (other_name, other, same) in zip(cases[:4], random_cases(4, seed=5), strict=True):
        assert (name, repr(mdp)) == (other_name, repr(other))
        np.testing.assert_array_equal(rewards.table, same.table)
    assert {(mdp.is_acyclic, mdp.gamma == 1) for _, mdp, _ in cases} == set(itertools.product([True, False], repeat=2))
    planted = [optimal(mdp, rewards["planted"]) for _, mdp, rewards in cases]
    assert sum(len(optimum.tied_states) > 0 for optimum in planted) > 6


def test_equal_seeds_give_equal_checks() -> None:
    _, mdp, rewards = next(random_cases(1))
    first, second, other = (verify(mdp, rewards, seed) for seed in (3, 3, 4))
    ratios = [[row.worst_ratio for row in rows] for rows in (first, second, other)]
    assert ratios[0] == ratios[1] != ratios[2]


# Counting


def test_summaries_count_cases() -> None:
    checks = [
        StatementCheck("Lemma 2.5", {}, 0.5, 1.0, conclusion=True),
        StatementCheck("Lemma 2.5", {"a": False}, 9.0, 1.0, conclusion=False),
        StatementCheck("Lemma 2.5", {"a": True}, 3.0, 0.0, conclusion=False),
        StatementCheck("Lemma C.2", {}, 1 + 1e-9, 1.0, conclusion=True),
    ]
    rows = {row.statement: row for row in summarize(checks)}
    row = rows["Lemma 2.5"]
    assert (row.cases, row.applicable, row.violations, row.verdict) == (3, 2, 1, "violated")
    assert (row.worst_ratio, row.counterexample) == (math.inf, checks[2])
    assert (rows["Lemma C.2"].worst_ratio, rows["Lemma C.2"].verdict) == (1, "holds")
    assert rows["Theorem 2.7"].verdict == "not applicable"
    doubled = {row.statement: row for row in merge([summarize(checks), summarize(checks[:1])])}
    assert (doubled["Lemma 2.5"].cases, doubled["Lemma 2.5"].applicable) == (4, 3)
    assert doubled["Lemma 2.5"].counterexample is checks[2]


# The command


def test_verify_prints_a_row_for_each_statement(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", "Cliff-Slacker-v0", "--random", "6"]) == 0
    captured = capsys.readouterr()
    lines = captured.out.splitlines()
    assert lines[0].split()[:3] == ["statement", "checks", "applicable"]
    assert [" ".join(line.split()[:2]) for line in lines[2:]] == list(STATEMENTS)
    assert all(line.endswith("holds") for line in lines[2:])
    assert captured.err.splitlines() == ["Cliff-Slacker-v0: incomplete, true", "random MDPs: 6 of 6"]


def test_verify_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", "Cliff-Slacker-v0", "Cliff-TieBreaker-v0", "--all", "--json"]) == 0
    captured = capsys.readouterr()
    report = json.loads(captured.out)
    assert report["cases"] == ["Cliff-Slacker-v0", "Cliff-TieBreaker-v0"]
    assert [row["statement"] for row in report["statements"]] == list(STATEMENTS)
    assert all(0 <= row["worst_ratio"] <= 1 and row["applicable"] <= row["checks"] for row in report["statements"])
    assert "Cliff-Slacker-v0: incomplete, true, lazy" in captured.err


def test_verify_without_ids_takes_every_scenario(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", "--random", "0", "--json"]) == 0
    cases = json.loads(capsys.readouterr().out)["cases"]
    assert [name for name in cases if ", classes" not in name] == list(cliffgym.SCENARIOS)
    hidden = [id for id in cliffgym.SCENARIOS if cliffgym.scenario(id).hidden]
    assert [name for name in cases if ", classes" in name] == [f"{id}, classes" for id in hidden] != []


def test_the_models_of_hidden_classes_are_checked_under_their_posterior_weights() -> None:
    made = cliffgym.scenario("Cliff-MultiReward-v0")
    assert made.hidden is not None
    models = made.hidden.class_rewards(made.realised_reward("incomplete"))
    given, without = (
        {row.statement: row for row in verify(made.mdp, models, weights=weights)}
        for weights in (made.hidden.class_weights, None)
    )
    assert not [row.counterexample for row in given.values() if row.violations]
    for statement in ("Lemma 4.2", "Proposition 4.3", "Lemma 4.4", "Proposition 4.5", "Proposition 4.6"):
        assert given[statement].cases > without[statement].cases
    assert given["Proposition 4.6"].applicable > without["Proposition 4.6"].applicable  # the tie of the default mixture


def test_verify_exits_1_and_shows_the_case_if_a_statement_is_violated(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(jump, "bump", lambda mdp, *_: np.zeros((mdp.num_states, mdp.num_actions)))
    assert main(["verify", "Cliff-Slacker-v0"]) == 1
    captured = capsys.readouterr()
    assert "Cliff-Slacker-v0: Proposition 2.9 is violated: StatementCheck(" in captured.err
    rows = {" ".join(line.split()[:2]): line.split()[-1] for line in captured.out.splitlines()[2:]}
    failed = {statement for statement, verdict in rows.items() if verdict == "violated"}
    assert failed == {"Proposition 2.9", "Proposition 2.10", "Proposition 3.2", "Proposition 4.6"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["No-v0"], 'id must be one of "Cliff-Slacker-v0"'),
        (["--random", "-1", "Cliff-Slacker-v0"], "--random must be >= 0, got -1"),
    ],
)
def test_verify_refuses_bad_input(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", *arguments]) == 2
    assert message in capsys.readouterr().err


def test_verify_needs_rewards() -> None:
    mdp, _ = rewards_of("Cliff-Slacker-v0")
    with pytest.raises(ValueError, match="rewards must have at least one table, got none"):
        verify(mdp, RewardComponents((), np.zeros((0, mdp.num_states, mdp.num_actions))))
    with pytest.raises(ValueError, match=r"reward must have shape \(S, A\)"):
        verify(mdp, RewardComponents(("one",), np.zeros((1, 2, 2))))
    with pytest.raises(ValueError, match=r"sizes must be > 0, got -1\.0"):
        verify(mdp, RewardComponents(("one",), np.zeros((1, mdp.num_states, mdp.num_actions))), sizes=(-1.0,))
