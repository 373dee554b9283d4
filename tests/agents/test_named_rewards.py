"""PPO under every named reward lands on an exact optimum, or where ties leave it; and training moves what it should."""

from typing import Any

import numpy as np
import pytest
from cliffgym_agents import CliffVecEnv, TrainingResult, train, training

import cliffgym
from cliffgym import CliffEnv, Scenario, expected_components
from cliffgym.analysis import outcome_intervals

ALLOWED = 0.05  # share of what is possible
QUICK = "Cliff-SpuriousReasoning-v0"  # the quick ledger of claims trains on the others
NOT_HEARD = ("Cliff-LengthControl-v0", "true")  # a price of 3e-4 is below the noise of so short a training


def distinct_rewards(made: Scenario) -> list[str]:
    weightings = list(made.rewards.values())
    return [name for i, name in enumerate(made.rewards) if made.rewards[name] not in weightings[:i]]


PAIRS = [
    pytest.param(id, reward, seed, marks=() if id == QUICK and seed == 0 else pytest.mark.slow)
    for id in cliffgym.SCENARIOS
    for reward in distinct_rewards(cliffgym.scenario(id))
    for seed in range(3)
    if (id, reward) != NOT_HEARD
]


def farthest(result: TrainingResult, reward: str) -> float:
    made = result.scenario
    intervals = outcome_intervals(made.mdp, made.reward(reward), made.components)
    return max(interval.distance(result.measures[name]) for name, interval in intervals.items())


@pytest.mark.parametrize(("id", "reward", "seed"), PAIRS)
def test_ppo_lands_on_an_exact_optimum_or_where_ties_leave_it(id: str, reward: str, seed: int) -> None:
    assert farthest(train(id, reward=reward, seed=seed), reward) <= ALLOWED


def test_a_policy_that_has_learned_nothing_lands_nowhere() -> None:
    for id in ("Cliff-SpuriousReasoning-v0", "Cliff-Deception-v0", "Cliff-Obedience-v0", "Cliff-MultiReward-v0"):
        made = cliffgym.scenario(id)
        values = expected_components(made.mdp, made.components, made.reference)
        for reward in distinct_rewards(made):
            intervals = outcome_intervals(made.mdp, made.reward(reward), made.components)
            assert max(interval.distance(values[name]) for name, interval in intervals.items()) > ALLOWED


# Before and after, with the signs of the paper's section 5


def before_and_after(id: str, reward: str) -> tuple[dict[str, float], dict[str, float]]:
    """Components under the reference policy, and under what PPO learns from a reward."""
    result = train(id, reward=reward)
    made = result.scenario
    return expected_components(made.mdp, made.components, made.reference), result.measures


@pytest.mark.slow
def test_obedience_falls_while_correctness_rises() -> None:
    before, after = before_and_after("Cliff-Obedience-v0", "incomplete")
    assert after["correct"] > before["correct"] + 0.5
    assert after["soft"] < before["soft"] - 0.1
    assert after["hard"] < before["hard"] - 0.1


@pytest.mark.slow
def test_approval_rises_while_correctness_falls() -> None:
    before, after = before_and_after("Cliff-Sophistry-v0", "incomplete")
    approval = before["correct"] + 0.9 * before["fooled"]
    assert after["incomplete_return"] > approval + 0.1
    assert after["correct"] < before["correct"] - 0.15


@pytest.mark.slow
def test_pressure_moves_tampering_from_flagged_to_unflagged() -> None:
    _, weak = before_and_after("Cliff-Deception-v0", "weak")
    _, pressed = before_and_after("Cliff-Deception-v0", "cot_pressure")
    _, strong = before_and_after("Cliff-Deception-v0", "strong")
    assert weak["tampered"] > 0.95
    assert pressed["tampered"] > 0.95
    assert weak["flagged"] > 0.9 > 0.1 > pressed["flagged"]
    assert weak["undetected"] < 0.1 < 0.9 < pressed["undetected"]
    assert strong["tampered"] < 0.05


# Hidden classes


@pytest.mark.parametrize(
    ("id", "arguments"), [("Cliff-MultiReward-v0", {}), ("Cliff-LengthPenalty-v0", {"hidden_difficulty": True})]
)
def test_training_pays_what_the_drawn_class_is_worth(id: str, arguments: dict[str, Any]) -> None:
    made = CliffEnv(id, **arguments)
    envs = training._make_vec_env(made, lambda: CliffEnv(id, **arguments), 64, seed=0)
    assert isinstance(envs, CliffVecEnv)
    envs.seed(0)
    envs.reset()
    draw, hidden = np.random.default_rng(0), made.scenario.hidden
    assert hidden is not None
    realised, off = made.scenario.realised_reward("incomplete"), []
    for _ in range(50):
        states, actions = envs.envs.states, draw.integers(0, made.mdp.num_actions, 64)
        paid = envs.step(actions)[1]
        for state, action, pay in zip(states, actions, paid, strict=True):
            possible = realised[hidden.seen.observations == state, action]
            assert np.abs(possible - pay).min() < 1e-6  # SB3 has single precision
            off.append(abs(made.reward[state, action] - pay))
    assert np.mean(np.array(off) > 0.1) > 0.1  # what may be expected is paid to no one


def test_the_length_that_suits_hidden_difficulties_is_learned() -> None:
    result = train("Cliff-LengthPenalty-v0", reward="true", env_kwargs={"hidden_difficulty": True, "penalty": 0.05})
    assert farthest(result, "true") <= ALLOWED
    assert result.measures["length"] == pytest.approx(4, abs=0.1)  # as long as the hardest problem takes


def test_measures_say_what_curation_leaves_undetermined() -> None:
    plain = train("Cliff-MultiReward-v0", total_timesteps=1024)
    assert not [name for name in plain.measures if name.startswith("evaluation")]
    curated = train("Cliff-MultiReward-v0", env_kwargs={"curated": True})
    full = curated.scenario.evaluation
    assert full is not None
    assert curated.measures["incomplete_return"] == pytest.approx(1, abs=0.02)  # every clear prompt has its best answer
    for name in ("incomplete", "true"):
        exact = cliffgym.evaluate(full.mdp, full.reward(name), curated.policy_table).expected_return
        assert curated.measures[f"evaluation_{name}_return"] == pytest.approx(exact, abs=1e-12)
    assert curated.measures["evaluation_incomplete_return"] < 0.9
