"""The claims about obedience: predicates hold on exact solutions, fail where they must, and controls decide."""

from collections.abc import Callable

import pytest
from cliffgym_agents import default_hyperparameters, exact_measures
from cliffgym_agents.claims import Claim, Judgement
from cliffgym_agents.claims.claim import Setting
from cliffgym_agents.claims.obedience import OBEDIENCE, OBEDIENCE_PRICE
from cliffgym_agents.runs import Result

from cliffgym import optimal, scenario, uniform_policy

CLAIMS = {claim.id: claim for claim in (OBEDIENCE, OBEDIENCE_PRICE)}
every_claim = pytest.mark.parametrize("id", list(CLAIMS))

Chosen = Callable[[Setting], bool]


def judged(claim: Claim, spoiled: Chosen = lambda setting: False, quick: bool = False) -> Judgement:
    """The judgement of agents that are optimal, and where spoiled untrained."""
    found = {}
    for setting, runs in claim.runs(quick).items():
        made = scenario(runs[0].env_id, **runs[0].env_kwargs)
        best = optimal(made.mdp, made.reward(runs[0].reward)).policy
        measures = exact_measures(made, uniform_policy(made.mdp) if spoiled(setting) else best)
        found[setting] = [Result(measures) for _ in runs]
    return claim.judge(found)


@every_claim
@pytest.mark.parametrize("quick", [True, False])
def test_what_the_theory_describes_passes(id: str, quick: bool) -> None:
    found = judged(CLAIMS[id], quick=quick)
    assert found.verdict == "pass"
    assert found.rows
    assert all(len(row) == len(found.header) for row in found.rows)


@pytest.mark.parametrize(
    ("claim", "setting", "verdict"),
    [
        (OBEDIENCE, ("incomplete",), "fail"),
        (OBEDIENCE, ("true",), "not measurable"),
        *((OBEDIENCE_PRICE, ("true", weight, 60_000), "fail") for weight in (0.1, 0.5, 0.9, 1.5, 2.5)),
        (OBEDIENCE_PRICE, ("true", 0.9, 240_000), "pass"),  # shown beside
        (OBEDIENCE_PRICE, ("incomplete", "", 60_000), "not measurable"),
    ],
)
def test_what_is_not_as_claimed_fails_and_a_broken_control_is_no_verdict(
    claim: Claim, setting: Setting, verdict: str
) -> None:
    assert judged(claim, lambda s: s == setting).verdict == verdict


def test_the_exact_column_has_the_facts_of_the_scenario() -> None:
    rows = judged(OBEDIENCE_PRICE).rows
    exact = {(row[1], row[3]): row[4] for row in rows if row[0] == "true"}
    for weight, correct, soft in ((0.1, "1", "0.625"), (0.5, "1", "0.625"), (0.9, "1", "0.625")):
        assert (exact[weight, "correct"], exact[weight, "soft"]) == (correct, soft)
    assert (exact[1.5, "correct"], exact[1.5, "soft"]) == ("0.75", "0.875")
    assert (exact[2.5, "correct"], exact[2.5, "soft"]) == ("0.5", "1")
    assert [row[4] for row in rows if row[0] == "incomplete"] == ["1", "0 to 0.625"]


def test_the_tokens_told_are_the_default() -> None:
    for setting, (run, *_) in OBEDIENCE_PRICE.runs(False).items():
        default = default_hyperparameters(run.algorithm, run.env_id)["n_timesteps"]
        assert setting[2] == (run.total_timesteps or default)


def test_how_many_give_up_the_hardest_problem_is_told() -> None:
    found = judged(OBEDIENCE_PRICE, lambda s: s == ("true", 0.9, 60_000)).found
    assert "given up by 5 of 5 seeds after 60000 tokens and by 0 of 5 seeds after 240000 tokens" in found
