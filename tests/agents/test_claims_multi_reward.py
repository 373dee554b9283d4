"""The claims about reward models, mixtures and curation: predicates and controls on exact and spoiled policies."""

from collections.abc import Callable
from typing import cast

import numpy as np
import pytest
from cliffgym_agents import exact_measures
from cliffgym_agents.claims import Claim, Judgement
from cliffgym_agents.claims.claim import Found, Setting
from cliffgym_agents.claims.multi_reward import CURATION, MIXTURE, PERTURBATION
from cliffgym_agents.claims.tie_breaker import DR_GRPO, GRPO, PLAIN
from cliffgym_agents.runs import Result, Run

from cliffgym import Scenario, optimal, scenario, soft

CLAIMS = {claim.id: claim for claim in (PERTURBATION, MIXTURE, CURATION)}
every_claim = pytest.mark.parametrize("id", list(CLAIMS))

Change = Callable[[Setting, Scenario, np.ndarray], None]
"""Changes a policy of a setting in place."""
CLEAR_SAFETY, SAFETY_VALUES, SAFETY_GENERAL = 0, 3, 4


def unchanged(setting: Setting, made: Scenario, policy: np.ndarray) -> None:
    pass


def result(setting: Setting, run: Run, change: Change) -> Result:
    """An agent that the theory describes exactly, changed."""
    made = scenario(run.env_id, **run.env_kwargs)
    reward = made.reward(run.reward)
    best = soft(made.mdp, reward, float(run.ent_coef)) if run.ent_coef else optimal(made.mdp, reward)
    policy = best.policy.copy()
    change(setting, made, policy)
    return Result(exact_measures(made, policy), policy=policy)


def found_by(claim: Claim, change: Change = unchanged, quick: bool = True) -> Found:
    return {s: [result(s, run, change) for run in runs] for s, runs in claim.runs(quick).items()}


def uniform_at(prompt: int, chosen: Callable[[Setting], bool]) -> Change:
    def change(setting: Setting, made: Scenario, policy: np.ndarray) -> None:
        if chosen(setting):
            policy[made.prompt_states[prompt]] = 1 / 3

    return change


def refusing(chosen: Callable[[Setting], bool]) -> Change:
    """Agents that refuse at the safety/general prompt."""

    def change(setting: Setting, made: Scenario, policy: np.ndarray) -> None:
        if chosen(setting):
            policy[made.prompt_states[SAFETY_GENERAL]] = [1, 0, 0]

    return change


def lucky(setting: Setting, made: Scenario, policy: np.ndarray) -> None:
    """What curation leaves undetermined is answered as if all prompts had been trained on."""
    if made.evaluation is not None:
        full = made.evaluation
        policy[:] = optimal(full.mdp, full.reward("incomplete")).policy


SPOILED: dict[str, tuple[Change, Change]] = {
    # what breaks the predicate, and what breaks the control
    "reward-model-perturbation": (
        uniform_at(SAFETY_GENERAL, lambda s: s == (PLAIN, 0.0, 0.1)),
        uniform_at(CLEAR_SAFETY, lambda s: s == (DR_GRPO, 0.0, 0.0)),
    ),
    "mixture": (
        uniform_at(SAFETY_GENERAL, lambda s: s == (0.5, "values")),
        uniform_at(CLEAR_SAFETY, lambda s: s == (0.5, "values")),
    ),
    "curation": (lucky, uniform_at(SAFETY_GENERAL, lambda s: s == ("all prompts",))),
}


@every_claim
@pytest.mark.parametrize("quick", [True, False])
def test_what_the_theory_describes_passes(id: str, quick: bool) -> None:
    found = CLAIMS[id].judge(found_by(CLAIMS[id], quick=quick))
    assert found.verdict == "pass"
    assert found.rows
    assert all(len(row) == len(found.header) for row in found.rows)


@every_claim
def test_a_predicate_that_does_not_hold_fails(id: str) -> None:
    assert judged(id, SPOILED[id][0]).verdict == "fail"


@every_claim
def test_a_control_that_does_not_hold_is_no_verdict(id: str) -> None:
    assert judged(id, SPOILED[id][1]).verdict == "not measurable"


def judged(id: str, change: Change) -> Judgement:
    return CLAIMS[id].judge(found_by(CLAIMS[id], change))


# Reward models


def test_a_policy_that_leaves_the_soft_one_fails() -> None:
    change = refusing(lambda s: s == (PLAIN, 0.1, -0.01))
    assert judged("reward-model-perturbation", change).verdict == "fail"


def test_the_tie_of_the_clear_safety_prompt_is_no_mistake() -> None:
    def change(setting: Setting, made: Scenario, policy: np.ndarray) -> None:
        if setting[1:] == (0.0, -0.1):
            policy[made.prompt_states[CLEAR_SAFETY]] = [0.2, 0.8, 0.0]

    assert judged("reward-model-perturbation", change).verdict == "pass"


def test_group_relative_agents_have_no_predicate_but_their_cliff_is_told() -> None:
    found = judged("reward-model-perturbation", refusing(lambda s: s[0] == GRPO and s[2] != -0.1))
    assert found.verdict == "pass"
    assert "GRPO changes its mind between -0.1 and -0.01, and refuses with 0.000 at -0.1, 1.000 at -0.01" in found.found
    never = judged("reward-model-perturbation", refusing(lambda s: s[0] == GRPO))
    assert " GRPO changes its mind nowhere" in never.found


def test_the_exact_column_steps_at_the_tie_and_slopes_with_entropy() -> None:
    exact = {tuple(row[:3]): row[4] for row in judged("reward-model-perturbation", unchanged).rows}
    assert [exact[GRPO, 0.0, epsilon] for epsilon in (-0.1, -0.01, 0.0, 0.1)] == [0.0, 0.0, "0 to 1", 1.0]
    # At temperature 0.1, by hand: what is expected of each answer at a posterior of 3/4.
    for epsilon in (-0.1, -0.01, 0.0, 0.1):
        scores = np.exp(np.array([0.75 * (1 + epsilon), 0.75 * (0.8 - epsilon) + 0.15, 0.25]) / 0.1)
        assert exact[PLAIN, 0.1, epsilon] == pytest.approx(scores[0] / scores.sum())


def test_the_figure_shows_every_agent() -> None:
    assert PERTURBATION.draw is not None
    (axes,) = PERTURBATION.draw(found_by(PERTURBATION, refusing(lambda s: s[0] == DR_GRPO))).axes
    drawn = {str(line.get_label()): np.asarray(line.get_ydata()) for line in axes.lines}
    np.testing.assert_array_equal(drawn["PPO"].reshape(4, 3), np.outer([0, 0, 0.5, 1], np.ones(3)))
    np.testing.assert_array_equal(drawn["Dr.GRPO"], np.ones(12))


# Mixtures


def test_near_ties_do_not_count() -> None:
    change = uniform_at(SAFETY_VALUES, lambda s: s == (0.9, ""))  # there two answers are 0.015 apart
    assert judged("mixture", change).verdict == "pass"


def test_mixtures_have_the_posteriors_they_are_named_by() -> None:
    for (posterior, left_out), (run, *_) in MIXTURE.runs(True).items():
        if not left_out:
            made = scenario(run.env_id, **run.env_kwargs)
            assert made.hidden is not None
            weights = made.hidden.class_weights[:, made.prompt_states[SAFETY_GENERAL]]
            safety = cast(float, posterior)
            np.testing.assert_allclose(weights, [safety, 0, 1 - safety])


# Curation


def test_an_agent_outside_the_interval_fails() -> None:
    def change(setting: Setting, made: Scenario, policy: np.ndarray) -> None:
        if made.evaluation is not None:  # the worst answer to every ambiguous prompt, and to a clear one
            policy[:] = optimal(made.evaluation.mdp, -made.evaluation.reward("incomplete")).policy

    assert judged("curation", change).verdict == "fail"
