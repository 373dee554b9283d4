"""The policy table holds the very probabilities with which a model acts, state by state."""

import inspect
from typing import Any

import numpy as np
import pytest
from cliffgym_agents import policy_table, readout
from numpy.typing import NDArray
from sb3_contrib import QRDQN, MaskablePPO, RecurrentPPO
from stable_baselines3 import A2C, DQN, PPO
from stable_baselines3.common.base_class import BaseAlgorithm

from cliffgym import CliffEnv

OBSERVATIONS = ["state", "onehot", "tokens"]
SMALL: dict[Any, dict[str, Any]] = {  # so that every kind of model has been updated after a few hundred tokens
    PPO: {"n_steps": 64, "learning_rate": 0.01},
    A2C: {"learning_rate": 0.01},
    MaskablePPO: {"n_steps": 64, "learning_rate": 0.01},
    DQN: {"learning_starts": 50, "learning_rate": 0.01},
}

every_observation = pytest.mark.parametrize("observation", OBSERVATIONS)


def make_env(observation: str = "state", **kwargs: Any) -> CliffEnv:
    return CliffEnv("Cliff-Slacker-v0", problems=2, observation=observation, reward="true", **kwargs)


def trained(kind: Any, env: CliffEnv) -> Any:
    return kind("MlpPolicy", env, seed=0, device="cpu", **SMALL[kind]).learn(256)


def single_probabilities(model: BaseAlgorithm, observation: Any, **kwargs: Any) -> NDArray[np.float32]:
    """(A,) what the model's own distribution says about one observation."""
    policy: Any = model.policy
    tensor, _ = policy.obs_to_tensor(np.asarray(observation))
    return policy.get_distribution(tensor, **kwargs).distribution.probs[0].detach().numpy()


@every_observation
@pytest.mark.parametrize("kind", [PPO, A2C])
def test_each_row_is_the_models_distribution_in_that_state(kind: Any, observation: str) -> None:
    env = make_env(observation)
    model = trained(kind, env)
    table = policy_table(model, env)
    assert table.shape == (env.mdp.num_states, env.mdp.num_actions)
    assert table.dtype == np.float64
    assert len({tuple(row) for row in table.round(9)}) > len(table) / 2  # the rows do differ
    for row, seen in zip(table, env.observations(), strict=True):
        np.testing.assert_allclose(row, single_probabilities(model, seen), atol=1e-6)
        assert row.argmax() == model.predict(seen, deterministic=True)[0]


@every_observation
def test_the_table_says_what_the_model_does_where_it_goes(observation: str) -> None:
    env = make_env(observation)
    model = trained(PPO, env)
    table = policy_table(model, env)
    for prompt in range(2):
        seen, _ = env.reset(options={"prompt": prompt})
        state = int(env.scenario.prompt_states[prompt])
        for token in (f"answer_{prompt}", "comply", "ignore"):
            np.testing.assert_allclose(table[state], single_probabilities(model, seen), atol=1e-6)
            action = env.scenario.tokens.index(token)
            seen, *_ = env.step(action)
            state = env.mdp.successors[state, action, 0]
        assert env.mdp.terminal[state]


@every_observation
def test_rows_sum_to_one_in_double_precision(observation: str) -> None:
    env = make_env(observation)
    np.testing.assert_allclose(policy_table(trained(PPO, env), env).sum(axis=1), 1, rtol=1e-15)


@every_observation
def test_dqn_is_read_out_as_greedy(observation: str) -> None:
    env = make_env(observation)
    model = trained(DQN, env)
    greedy = [int(model.predict(seen, deterministic=True)[0]) for seen in env.observations()]
    assert np.array_equal(policy_table(model, env), np.eye(env.mdp.num_actions)[greedy])


@every_observation
def test_maskable_ppo_never_picks_an_illegal_token(observation: str) -> None:
    env = make_env(observation)
    model = trained(MaskablePPO, env)
    table, mask = policy_table(model, env), env.mdp.action_mask.copy()
    assert not mask.all()
    assert (table[~mask] == 0).all()
    assert (table[mask] > 0).all()
    for row, seen, legal in zip(table, env.observations(), mask, strict=True):
        np.testing.assert_allclose(row, single_probabilities(model, seen, action_masks=legal), atol=1e-6)


@pytest.mark.parametrize("kind", [PPO, MaskablePPO, DQN])
def test_many_states_are_read_in_parts_that_fit_together(kind: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    env = make_env()
    model = trained(kind, env)
    whole = policy_table(model, env)
    monkeypatch.setattr(readout, "_BATCH", 4)
    assert env.mdp.num_states % 4
    np.testing.assert_allclose(policy_table(model, env), whole, atol=1e-6)


@pytest.mark.parametrize(
    "env",
    [make_env("onehot"), CliffEnv("Cliff-Slacker-v0", problems=3), CliffEnv("Cliff-TieBreaker-v0")],
    ids=["other observation", "other size", "other scenario"],
)
def test_an_environment_with_other_spaces_is_refused(env: CliffEnv) -> None:
    model = PPO("MlpPolicy", make_env(), n_steps=64, device="cpu")
    with pytest.raises(
        ValueError, match=r"model must have the spaces of env, .*, got Discrete\(.*\) and Discrete\(5\)"
    ):
        policy_table(model, env)


@pytest.mark.parametrize(("kind", "policy"), [(QRDQN, "MlpPolicy"), (RecurrentPPO, "MlpLstmPolicy")])
def test_other_kinds_of_models_are_refused(kind: Any, policy: str) -> None:
    env = make_env()
    arguments = {"n_steps": 64} if "n_steps" in inspect.signature(kind).parameters else {}
    model = kind(policy, env, device="cpu", **arguments)
    with pytest.raises(
        TypeError, match=f"model must be PPO, A2C, MaskablePPO, KLPPO, GRPO, DQN or SoftDQN, got {kind.__name__}"
    ):
        policy_table(model, env)
