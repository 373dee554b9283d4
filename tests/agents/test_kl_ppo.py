"""KLPPO is PPO with another bonus: entropy less the divergence from a reference policy."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from cliffgym_agents import KLPPO, CliffVecEnv, TabularPolicy, policy_table, train
from numpy.typing import NDArray
from stable_baselines3 import PPO
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.logger import Logger

import cliffgym
from cliffgym import CliffEnv, TabularMDP, occupancy, soft, total_variation

SLACKER = cliffgym.scenario("Cliff-Slacker-v0", problems=2)
S, A = SLACKER.mdp.num_states, SLACKER.mdp.num_actions
POLICIES = ["MlpPolicy", "TabularPolicy"]

every_policy = pytest.mark.parametrize("policy", POLICIES)


def random_reference(shape: tuple[int, int] = (S, A), seed: int = 0) -> NDArray[np.float64]:
    """Positive everywhere, and no smaller than a hundredth or so."""
    weights = np.random.default_rng(seed).uniform(0.1, 1, size=shape)
    return weights / weights.sum(axis=1, keepdims=True)


def reference_with_zeros() -> NDArray[np.float64]:
    reference = random_reference()
    reference[:, 1] = 0
    return reference / reference.sum(axis=1, keepdims=True)


def make(kind: Any = KLPPO, policy: str = "MlpPolicy", observation: str = "state", **arguments: Any) -> Any:
    env = CliffVecEnv(SLACKER, 8, "true", observation=observation, kernel="numpy")
    given: dict[str, Any] = {"n_steps": 16, "batch_size": 64, "n_epochs": 2, "learning_rate": 0.01, "gamma": 1.0}
    chosen = TabularPolicy if policy == "TabularPolicy" else policy
    return kind(chosen, env, seed=0, device="cpu", **given | arguments)


def disturb(model: Any, seed: int = 0) -> None:
    """Makes the policy another in each state."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in model.policy.parameters():
            parameter.add_(torch.randn(parameter.shape, generator=generator))


def weights_of(model: Any) -> list[torch.Tensor]:
    return [parameter.detach().clone() for parameter in model.policy.parameters()]


# The bonus


@every_policy
@pytest.mark.parametrize("reference", [None, random_reference(), reference_with_zeros()], ids=["none", "some", "zeros"])
@pytest.mark.parametrize(("ent_coef", "kl_coef"), [(0.0, 0.3), (0.2, 0.3), (0.2, 0.0)])
def test_the_bonus_is_entropy_less_the_penalty(
    ent_coef: float, kl_coef: float, reference: Any, policy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    floor = 1e-4
    model = make(policy=policy, ent_coef=ent_coef, kl_coef=kl_coef, reference=reference, floor=floor)
    disturb(model)
    model.set_logger(Logger(None, []))
    states = torch.arange(S)[:, None].float()  # as SB3's buffer gives them
    actions = torch.arange(S) % A
    plain = [found.detach() for found in model.policy.evaluate_actions(states, actions)]
    seen: dict[str, Any] = {}

    def update(self: Any) -> None:
        seen["ent_coef"] = self.ent_coef
        seen["evaluated"] = [found.detach() for found in self.policy.evaluate_actions(states, actions)]

    monkeypatch.setattr(PPO, "train", update)
    model.train()

    probabilities = policy_table(model, CliffEnv(SLACKER))
    against = np.full((S, A), 1 / A) if reference is None else np.maximum(reference, floor)
    entropy = -(probabilities * np.log(probabilities)).sum(axis=1)
    divergence = (probabilities * np.log(probabilities / against)).sum(axis=1)
    assert seen["ent_coef"] == 1
    assert torch.equal(seen["evaluated"][0], plain[0])
    assert torch.equal(seen["evaluated"][1], plain[1])
    bonus = ent_coef * entropy - kl_coef * divergence
    np.testing.assert_allclose(seen["evaluated"][2].numpy(), bonus, rtol=1e-4, atol=1e-5)
    assert model.logger.name_to_value["train/reference_kl"] == pytest.approx(divergence.mean(), rel=1e-4)


@pytest.mark.parametrize("fails", [True, False])
def test_what_the_update_replaces_is_put_back(fails: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    model = make(ent_coef=0.2)
    if not fails:
        model.learn(128)
    else:

        def update(self: Any) -> None:
            assert "evaluate_actions" in vars(self.policy)
            raise OSError("disk full")

        monkeypatch.setattr(PPO, "train", update)
        with pytest.raises(OSError, match="disk full"):
            model.learn(128)
    assert model.ent_coef == 0.2
    assert "evaluate_actions" not in vars(model.policy)
    assert "evaluate_actions" not in model.policy.state_dict()


@every_policy
def test_without_a_penalty_it_is_ppo(policy: str) -> None:
    common = {"policy": policy, "normalize_advantage": False}
    cases = [(PPO, {}), (KLPPO, {"kl_coef": 0}), (KLPPO, {"kl_coef": 0.1, "reference": random_reference()})]
    plain, own, other = (weights_of(make(kind, **common, **extra).learn(512)) for kind, extra in cases)
    assert all(torch.equal(a, b) for a, b in zip(plain, own, strict=True))
    assert not all(torch.equal(a, b) for a, b in zip(plain, other, strict=True))


def test_to_a_uniform_reference_it_is_the_entropy_bonus() -> None:
    # KL(policy || uniform) = log A - H.
    plain, own = make(PPO, ent_coef=0.1, normalize_advantage=False).learn(512), make(kl_coef=0.1).learn(512)
    for a, b in zip(weights_of(plain), weights_of(own), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-3, atol=1e-4)


def test_advantages_are_not_standardised_unless_asked_for() -> None:
    assert not make().normalize_advantage
    assert make(normalize_advantage=True).normalize_advantage


def test_where_nothing_is_paid_the_reference_is_learned() -> None:
    reference = random_reference()
    model = make(
        policy="TabularPolicy", kl_coef=1.0, reference=reference, learning_rate=0.05, n_epochs=10, batch_size=128
    )
    model.env.envs.set_reward(np.zeros((S, A)))
    model.learn(8000)
    starts = SLACKER.prompt_states
    table = policy_table(model, CliffEnv(SLACKER))
    assert total_variation(table, reference)[starts].max() < 0.02
    assert total_variation(np.full((S, A), 1 / A), reference)[starts].max() > 0.1


def test_a_reference_of_zeros_forbids_without_breaking() -> None:
    model = make(policy="TabularPolicy", kl_coef=1.0, reference=reference_with_zeros(), learning_rate=0.05, n_epochs=10)
    model.learn(4000)
    table = policy_table(model, CliffEnv(SLACKER))
    assert np.isfinite(table).all()
    assert table[SLACKER.prompt_states, 1].max() < 0.01


# Files


@pytest.mark.parametrize("with_env", [True, False])
def test_what_is_saved_can_be_read_back(with_env: bool, tmp_path: Path) -> None:
    reference = random_reference()
    model = make(kl_coef=0.3, reference=reference, floor=1e-3).learn(256)
    model.save(tmp_path / "model.zip")
    env = CliffVecEnv(SLACKER, 4, "true", kernel="numpy") if with_env else None
    loaded = KLPPO.load(tmp_path / "model.zip", env=env, device="cpu")
    assert (loaded.kl_coef, loaded.floor, loaded.ent_coef) == (0.3, 1e-3, 0.0)
    assert np.array_equal(loaded.reference, reference)  # type: ignore[arg-type]
    cliff = CliffEnv(SLACKER)
    assert np.array_equal(policy_table(loaded, cliff), policy_table(model, cliff))
    observations = np.arange(S)
    assert np.array_equal(
        loaded.predict(observations, deterministic=True)[0], model.predict(observations, deterministic=True)[0]
    )
    if with_env:
        loaded.learn(64, reset_num_timesteps=False)
        assert not np.array_equal(policy_table(loaded, cliff), policy_table(model, cliff))


# What is refused


def negative() -> NDArray[np.float64]:
    reference = np.full((S, A), 1 / A)
    reference[0, :2] = -0.1, 2 / A + 0.1
    return reference


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"kl_coef": -0.1}, ValueError, "kl_coef must be >= 0, got -0.1"),
        ({"kl_coef": "much"}, TypeError, "kl_coef must be a number, got 'much'"),
        ({"kl_coef": float("nan")}, ValueError, "kl_coef must be finite"),
        ({"floor": 0}, ValueError, "floor must be"),
        ({"floor": 2}, ValueError, "floor must be"),
        ({"reference": np.ones((S, A))}, ValueError, r"reference must be probabilities .* sums from 5\.0 to 5\.0"),
        ({"reference": np.full((S - 1, A), 1 / A)}, ValueError, "reference must be probabilities .*, got shape"),
        ({"reference": np.full(A, 1 / A)}, ValueError, "reference must be probabilities .*, got shape"),
        ({"reference": negative()}, ValueError, "reference must be probabilities"),
        ({"reference": np.full((S, A), np.nan)}, ValueError, "reference must be"),
        ({"reference": "uniform"}, TypeError, "reference must be"),
        ({"observation": "onehot"}, TypeError, "env must have Discrete observations, .*got Box"),
        ({"observation": "tokens"}, TypeError, "env must have Discrete observations, .*got MultiDiscrete"),
    ],
)
def test_what_makes_no_sense_is_refused(arguments: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        make(**arguments)


# In `train`


class Coefficients(BaseCallback):
    """Notes the coefficients at the end of each rollout."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[float, float]] = []

    def _on_step(self) -> bool:
        return True

    def _on_rollout_end(self) -> None:
        assert isinstance(self.model, KLPPO)
        self.found.append((self.model.ent_coef, self.model.kl_coef))


def test_train_refers_to_the_scenarios_reference_unless_told_otherwise() -> None:
    scenario = cliffgym.scenario("Cliff-Slacker-v0")
    shape = (scenario.mdp.num_states, scenario.mdp.num_actions)
    own = random_reference(shape)
    for settings, expected in ({"kl_coef": 0.3}, scenario.reference), ({"kl_coef": 0.3, "reference": own}, own):
        result = train("Cliff-Slacker-v0", "kl_ppo", total_timesteps=1024, hyperparameters=settings)
        assert isinstance(result.model, KLPPO)
        assert result.model.kl_coef == 0.3
        assert np.array_equal(result.model.reference, expected)  # type: ignore[arg-type]
        exact = soft(scenario.mdp, scenario.reward("incomplete"), 0.3, expected).policy
        visits = occupancy(scenario.mdp, exact).sum(axis=1)
        distance = total_variation(result.policy_table, exact) @ visits / visits.sum()
        assert result.measures["total_variation"] == pytest.approx(distance)


def test_a_schedule_of_the_entropy_coefficient_goes_on_beside_the_penalty() -> None:
    watch = Coefficients()
    train("Cliff-Slacker-v0", "kl_ppo", ent_coef="lin_0.2", total_timesteps=2048, callbacks=[watch])
    np.testing.assert_allclose(watch.found, [(0.2, 0.1), (0.1, 0.1)])


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"env_kwargs": {"observation": "onehot"}}, ValueError, "observation must be 'state' for kl_ppo, got 'onehot'"),
        ({"hyperparameters": {"kl_coef": -1}}, ValueError, "kl_coef must be >= 0, got -1"),
        ({"hyperparameters": {"reference": [[1.0]]}}, ValueError, "reference must be probabilities"),
    ],
)
def test_train_refuses_what_makes_no_sense(arguments: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        train("Cliff-Slacker-v0", "kl_ppo", total_timesteps=64, **arguments)


def test_unknown_hyperparameters_are_refused_with_all_that_there_are() -> None:
    with pytest.raises(TypeError, match=r"hyperparameter of kl_ppo must be one of .*, got 'kl'") as caught:
        train("Cliff-Slacker-v0", "kl_ppo", hyperparameters={"kl": 0.1})
    text = str(caught.value)
    for name in ("kl_coef", "reference", "floor", "policy", "learning_rate", "clip_range", "normalize_advantage"):
        assert f'"{name}"' in text
    for name in ("gamma", "seed", "env", "_init_setup_model", "arguments"):
        assert f'"{name}"' not in text


def all_legal(mdp: TabularMDP) -> TabularMDP:
    """What a policy meets that nobody tells which actions are legal."""
    return TabularMDP(
        successors=mdp.successors,
        probabilities=mdp.probabilities,
        initial=mdp.initial,
        terminal=mdp.terminal,
        gamma=mdp.gamma,
        action_mask=np.ones((mdp.num_states, mdp.num_actions), dtype=bool),
    )


def last_decision_distance(kl_coef: float, seed: int, **arguments: Any) -> float:
    """Total variation from the exact solution, on average over the last decisions of a trace that it meets."""
    scenario = cliffgym.scenario("Cliff-TieBreaker-v0")
    mdp = all_legal(scenario.mdp)
    reference = random_reference((mdp.num_states, mdp.num_actions), seed)
    settings = {"kl_coef": kl_coef, "reference": reference, "learning_rate": "lin_0.003"}
    result = train(scenario, "kl_ppo", reward="true", seed=seed, hyperparameters=settings, **arguments)
    exact = soft(mdp, scenario.reward("true"), kl_coef, reference).policy
    last = mdp.terminal[mdp.successors].all(axis=(1, 2)) & ~mdp.terminal
    visits = occupancy(mdp, exact).sum(axis=1) * last
    return float(total_variation(result.policy_table, exact) @ visits / visits.sum())


@pytest.mark.slow
@pytest.mark.parametrize("kl_coef", [0.02, 0.1, 0.5])
def test_the_last_decisions_are_those_of_the_exact_solution(kl_coef: float) -> None:
    distances = [last_decision_distance(kl_coef, seed) for seed in range(5)]
    print(f"kl_coef {kl_coef}: mean {np.mean(distances):.4f}, each {np.round(distances, 4).tolist()}")
    assert np.mean(distances) < 0.03
