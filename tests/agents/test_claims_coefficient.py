"""The claim that PPO's entropy coefficient is no temperature: judged right on policies that the theory gives."""

from collections.abc import Callable

import numpy as np
import pytest
from cliffgym_agents.claims.claim import Judgement, Setting
from cliffgym_agents.claims.coefficient import COEFFICIENT
from cliffgym_agents.runs import Result

from cliffgym import quantal_response, scenario, soft

Kind = Callable[[Setting], str]


def judged(kind: Kind, quick: bool) -> Judgement:
    """The judgement of agents that have learned the "response" or the "soft" optimum exactly, as `kind` says."""
    found = {}
    for setting, runs in COEFFICIENT.runs(quick).items():
        label, id, coefficient = setting
        made = scenario(str(id))
        reward, alpha = made.reward("true"), float(coefficient)  # type: ignore[arg-type]
        response = quantal_response(made.mdp, reward, alpha, masked=label != "PPO").policy
        policy = response if kind(setting) == "response" else soft(made.mdp, reward, alpha).policy
        found[setting] = [Result({}, policy=policy) for _ in runs]
    return COEFFICIENT.judge(found)


def as_told(setting: Setting) -> str:
    return "soft" if setting[0] == "SoftDQN" else "response"


@pytest.mark.parametrize("quick", [True, False])
def test_what_the_theory_describes_passes(quick: bool) -> None:
    found = judged(as_told, quick)
    assert found.verdict == "pass"
    assert all(len(row) == len(found.header) for row in found.rows)
    by_setting = {tuple(row[:3]): row for row in found.rows}
    row = by_setting["PPO", "Cliff-LengthPenalty-v0", 0.3]
    assert row[4] == pytest.approx(0, abs=1e-12)
    assert row[3] == pytest.approx(row[5])  # an agent at the quantal response is as far from the optimum as it is
    one_token = by_setting["PPO", "Cliff-MultiReward-v0", 0.3]
    np.testing.assert_allclose([one_token[3], one_token[4], one_token[5]], 0, atol=1e-12)  # type: ignore[arg-type]


@pytest.mark.parametrize("quick", [True, False])
def test_agents_at_the_soft_optimum_refute_it(quick: bool) -> None:
    assert judged(lambda setting: "soft", quick).verdict == "fail"


def test_a_soft_agent_that_is_not_is_no_verdict() -> None:
    assert judged(lambda setting: "response", False).verdict == "not measurable"
