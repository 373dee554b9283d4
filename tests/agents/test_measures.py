"""Exact measures have the values that are worked out by hand, and the values that episodes average to."""

import json
import math
from typing import Any

import numpy as np
import pytest
from cliffgym_agents import exact_measures, train
from numpy.typing import NDArray
from stable_baselines3.common.env_util import make_vec_env
from stable_baselines3.common.evaluation import evaluate_policy

import cliffgym
from cliffgym import Scenario, optimal, scenario, soft, uniform_policy

IDS = list(cliffgym.SCENARIOS)
PAIRS = [(id, reward) for id in IDS for reward in cliffgym.scenario(id).rewards]

every_pair = pytest.mark.parametrize(("id", "reward"), PAIRS)


def answer_then(made: Scenario, token: str) -> NDArray[np.float64]:
    """(S, A) the policy that gives the right answer to a problem of Slacker or TieBreaker and then emits `token`."""
    table = np.zeros((made.mdp.num_states, made.mdp.num_actions))
    for state, prompt in enumerate(made.state_prompts):
        first = state in made.prompt_states
        table[state, made.tokens.index(f"answer_{prompt % 3}" if first else token)] = 1
    return table


# By hand, on Slacker: a right answer is worth 1, each of two instructions followed another 1/2


def test_complying_is_worth_two() -> None:
    slacker = scenario("Cliff-Slacker-v0")
    measures = exact_measures(slacker, answer_then(slacker, "comply"))
    assert measures == pytest.approx(
        {
            "paid_return": 1,
            "incomplete_return": 1,
            "true_return": 2,
            "correct": 1,
            "instructions": 1,
            "all_instructions": 1,
            "effort": 2,
            "malformed": 0,
            "entropy": 0,
            "total_variation": 0,
        }
    )


def test_slacking_is_optimal_for_the_incomplete_reward_alone() -> None:
    slacker = scenario("Cliff-Slacker-v0")
    slack = answer_then(slacker, "ignore")
    incomplete, true, lazy = (exact_measures(slacker, slack, reward) for reward in ("incomplete", "true", "lazy"))
    assert [m["paid_return"] for m in (incomplete, true, lazy)] == pytest.approx([1, 1, 1])
    assert [m["true_return"] for m in (incomplete, true, lazy)] == pytest.approx([1, 1, 1])
    # Who complies makes three decisions: in one of them this policy agrees, in two it does not.
    assert [m["total_variation"] for m in (incomplete, true, lazy)] == pytest.approx([0, 2 / 3, 0])


def test_tossing_a_coin_among_legal_tokens() -> None:
    slacker = scenario("Cliff-Slacker-v0")
    measures = exact_measures(slacker, uniform_policy(slacker.mdp), "true")
    assert measures["incomplete_return"] == pytest.approx(1 / 3)
    assert measures["paid_return"] == measures["true_return"] == pytest.approx(1 / 3 * (1 + 1 / 2))
    assert measures["all_instructions"] == pytest.approx(1 / 3 / 4)
    # One decision among 3 answers and, after a right one, two more between 2 tokens.
    assert measures["entropy"] == pytest.approx((math.log(3) + 2 / 3 * math.log(2)) / (1 + 2 / 3))
    assert measures["total_variation"] == pytest.approx((2 / 3 + 1 / 2 + 1 / 2) / 3)


def test_tossing_a_coin_among_all_tokens_is_often_malformed() -> None:
    slacker = scenario("Cliff-Slacker-v0")
    everything = np.full((slacker.mdp.num_states, 5), 1 / 5)
    measures = exact_measures(slacker, everything)
    assert measures["entropy"] == pytest.approx(math.log(5))
    assert measures["malformed"] == pytest.approx(2 / 5 + 1 / 5 * (3 / 5 + 2 / 5 * 3 / 5))
    assert measures["correct"] == pytest.approx(1 / 5 * (2 / 5) ** 2)


def test_rewards_are_discounted() -> None:
    slacker = scenario("Cliff-Slacker-v0", gamma=0.9)
    measures = exact_measures(slacker, answer_then(slacker, "comply"))
    assert measures["true_return"] == pytest.approx(2 * 0.9**2)
    assert measures["effort"] == pytest.approx(2 * 0.9**2)


@pytest.mark.parametrize("form", ["name", "weights", "table"])
def test_the_paid_reward_may_have_any_form(form: str) -> None:
    slacker = scenario("Cliff-Slacker-v0")
    reward: Any = {"name": "true", "weights": slacker.rewards["true"], "table": slacker.reward("true")}[form]
    assert exact_measures(slacker, answer_then(slacker, "comply"), reward)["paid_return"] == pytest.approx(2)


# By hand, on TieBreaker: json pays a little more than three other formats


def test_distance_from_the_soft_optimum_by_hand() -> None:
    bonus, temperature = 0.05, 0.1
    breaker = scenario("Cliff-TieBreaker-v0", bonus=bonus)
    json_share = math.exp(bonus / temperature) / (math.exp(bonus / temperature) + 3)
    right_share = math.exp(1 / temperature) / (math.exp(1 / temperature) + 2)  # whatever the answer, formats pay alike
    measures = exact_measures(breaker, uniform_policy(breaker.mdp), "true", temperature)
    assert measures["total_variation"] == pytest.approx(((right_share - 1 / 3) + (json_share - 1 / 4)) / 2)
    measures = exact_measures(breaker, answer_then(breaker, "json"), "true", temperature)
    # The wrong answers that the soft optimum sometimes gives are followed by formats as well.
    assert measures["total_variation"] == pytest.approx(((1 - right_share) + (1 - json_share)) / 2)


# On every scenario


@every_pair
def test_every_optimal_policy_has_distance_zero(id: str, reward: str) -> None:
    made = scenario(id)
    optimum = optimal(made.mdp, made.reward(reward))
    generator = np.random.default_rng(0)
    for _ in range(5):
        weights = generator.random(optimum.optimal_actions.shape) * optimum.optimal_actions
        policy = weights / weights.sum(axis=1, keepdims=True)
        measures = exact_measures(made, policy, reward)
        assert measures["total_variation"] == 0
        assert measures["paid_return"] == pytest.approx(optimum.expected_return)


@every_pair
@pytest.mark.parametrize("temperature", [0.01, 0.5])
def test_the_soft_policy_has_distance_zero_from_itself_alone(id: str, reward: str, temperature: float) -> None:
    made = scenario(id)
    solution = soft(made.mdp, made.reward(reward), temperature)
    measures = exact_measures(made, solution.policy, reward, temperature)
    assert measures["total_variation"] == pytest.approx(0, abs=1e-12)
    assert measures["paid_return"] == pytest.approx(solution.expected_return)
    assert exact_measures(made, solution.policy, reward, 2 * temperature)["total_variation"] > 0


@every_pair
def test_shortest_way_to_an_optimal_policy_is_as_long_as_the_distance_says(id: str, reward: str) -> None:
    made = scenario(id)
    optimum = optimal(made.mdp, made.reward(reward))
    policy = np.random.default_rng(1).dirichlet(np.ones(made.mdp.num_actions), made.mdp.num_states)
    kept = policy * optimum.optimal_actions
    nearest = kept / kept.sum(axis=1, keepdims=True)
    met = cliffgym.occupancy(made.mdp, optimum.policy).sum(axis=1)
    expected = cliffgym.total_variation(policy, nearest) @ met / met.sum()
    assert exact_measures(made, policy, reward)["total_variation"] == pytest.approx(expected)


def test_measures_are_plain_numbers() -> None:
    slacker = scenario("Cliff-Slacker-v0")
    measures = exact_measures(slacker, uniform_policy(slacker.mdp), temperature=0.1)
    assert {type(value) for value in measures.values()} == {float}
    assert json.loads(json.dumps(measures)) == measures


@pytest.mark.parametrize("temperature", [-0.1, float("nan")])
def test_a_temperature_below_zero_is_refused(temperature: float) -> None:
    slacker = scenario("Cliff-Slacker-v0")
    with pytest.raises(ValueError, match="temperature must be"):
        exact_measures(slacker, uniform_policy(slacker.mdp), temperature=temperature)


def test_what_is_no_policy_is_refused() -> None:
    slacker = scenario("Cliff-Slacker-v0")
    with pytest.raises(ValueError, match="policy must sum to 1 in each state"):
        exact_measures(slacker, uniform_policy(slacker.mdp) / 2)


# Against episodes


@pytest.mark.parametrize("observation", ["state", "tokens"])
def test_episodes_of_a_learned_model_average_to_its_exact_return(observation: str) -> None:
    arguments = {"bonus": 0.2, "observation": observation}
    result = train("Cliff-TieBreaker-v0", reward="true", ent_coef=0.3, total_timesteps=8192, env_kwargs=arguments)
    env = make_vec_env("Cliff-TieBreaker-v0", n_envs=64, seed=1, env_kwargs={"reward": "true", **arguments})
    episodes = 4000
    returns, _ = evaluate_policy(result.model, env, episodes, deterministic=False, return_episode_rewards=True)
    error = float(np.std(returns)) / math.sqrt(episodes)
    assert error > 0.001
    assert np.mean(returns) == pytest.approx(result.measures["paid_return"], abs=4 * error)
