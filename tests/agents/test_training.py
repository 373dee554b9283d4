"""Training works on every scenario, learns what it is paid for, and refuses what makes no sense."""

import csv
import json
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from cliffgym_agents import (
    ALGORITHMS,
    GRPO,
    KLPPO,
    CliffVecEnv,
    SoftDQN,
    TrainingResult,
    default_hyperparameters,
    exact_measures,
    policy_table,
    train,
    training,
)
from numpy.typing import NDArray
from sb3_contrib import MaskablePPO
from stable_baselines3 import A2C, DQN, PPO
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.vec_env import DummyVecEnv, VecEnv

import cliffgym
from cliffgym import CliffEnv, End, Scenario, SwapReward, build_scenario, optimal
from cliffgym.testing import random_policy

IDS = list(cliffgym.SCENARIOS)
CLASSES = {
    "ppo": PPO,
    "a2c": A2C,
    "dqn": DQN,
    "maskable_ppo": MaskablePPO,
    "soft_dqn": SoftDQN,
    "kl_ppo": KLPPO,
    "grpo": GRPO,
}
ROLLOUT = 1024  # tokens of one rollout of PPO, or of two of A2C

# A random MDP's optimum is not learned to within 2 per cent in so few steps.
LEARNABLE = [id for id in IDS if id != "Cliff-Garnet-v0"]

every_id = pytest.mark.parametrize("id", IDS)
every_algorithm = pytest.mark.parametrize("algorithm", ALGORITHMS)

QUICK_PAIRS = [("Cliff-Slacker-v0", "true"), ("Cliff-LengthPenalty-v0", "true"), ("Cliff-Sophistry-v0", "incomplete")]
PAIRS = [
    pytest.param(id, reward, marks=() if (id, reward) in QUICK_PAIRS else pytest.mark.slow)
    for id in LEARNABLE
    for reward in ("incomplete", "true")
]


def short(id: str | Scenario = "Cliff-Slacker-v0", algorithm: str = "ppo", **kwargs: Any) -> TrainingResult:
    arguments: dict[str, Any] = {"total_timesteps": ROLLOUT} | kwargs
    return train(id, algorithm, **arguments)


def assert_learned_what_it_was_paid_for(result: TrainingResult, reward: str) -> None:
    best = optimal(result.scenario.mdp, result.scenario.reward(reward)).expected_return
    assert result.measures["paid_return"] == pytest.approx(best, rel=0.02)


class Watch(BaseCallback):
    """Notes the entropy coefficient that each update is going to use, what `info` says, and every episode."""

    def __init__(self) -> None:
        super().__init__()
        self.coefficients: list[float] = []
        self.info_keys: set[str] = set()
        self.episodes: list[dict[str, Any]] = []

    def _on_step(self) -> bool:
        for info in self.locals["infos"]:
            self.info_keys |= set(info)
            self.episodes += [info["episode"]] if "episode" in info else []
        return True

    def _on_rollout_end(self) -> None:
        assert isinstance(self.model, PPO | A2C)
        self.coefficients.append(self.model.ent_coef)


# What training does


@every_id
@every_algorithm
def test_a_short_run_works(algorithm: str, id: str) -> None:
    result = short(id, algorithm)
    mdp = result.scenario.mdp
    assert type(result.model) is CLASSES[algorithm]
    assert result.policy_table.shape == (mdp.num_states, mdp.num_actions)
    np.testing.assert_allclose(result.policy_table.sum(axis=1), 1)
    assert (result.policy_table >= 0).all()
    reference = result.scenario.reference if algorithm == "kl_ppo" else None
    temperature = 0.1 if algorithm in ("soft_dqn", "kl_ppo") else 0.0
    exact = exact_measures(result.scenario, result.policy_table, "incomplete", temperature, reference)
    assert result.measures == pytest.approx(exact)
    assert result.history == []
    assert result.wall_time > 0


@pytest.mark.parametrize(("id", "reward"), PAIRS)
def test_ppo_learns_what_it_is_paid_for(id: str, reward: str) -> None:
    assert_learned_what_it_was_paid_for(train(id, reward=reward), reward)


@pytest.mark.slow
@pytest.mark.parametrize("id", LEARNABLE)
@pytest.mark.parametrize("algorithm", ["a2c", "dqn"])
def test_a2c_and_dqn_learn_what_they_are_paid_for(algorithm: str, id: str) -> None:
    assert_learned_what_it_was_paid_for(train(id, algorithm, reward="true"), "true")


@pytest.mark.parametrize(("observation", "space"), [("onehot", gym.spaces.Box), ("tokens", gym.spaces.MultiDiscrete)])
def test_other_observations_are_learned_from_as_well(observation: str, space: type) -> None:
    result = train("Cliff-Slacker-v0", reward="true", env_kwargs={"observation": observation})
    assert isinstance(result.model.observation_space, space)
    assert_learned_what_it_was_paid_for(result, "true")


def test_weights_of_components_are_a_reward_to_train_on() -> None:
    # Effort alone is paid, though only after a right answer: the optimum is 2 comply tokens.
    result = train("Cliff-Slacker-v0", reward={"effort": 1.0})
    assert result.measures["effort"] == pytest.approx(2, rel=0.02)
    assert result.measures["paid_return"] == pytest.approx(result.measures["effort"])


def test_a_scenario_of_ones_own_is_learned() -> None:
    coin = build_scenario(
        id="Coin",
        prompts=["Call it."],
        tokens=["heads", "tails"],
        rule=lambda prompt, tokens: End("called", {"won": float(tokens == ("heads",))}),
        components=["won"],
        rewards={"incomplete": {"won": 1.0}, "true": {"won": 1.0}},
        gamma=1.0,
    )
    result = train(coin, total_timesteps=20 * ROLLOUT)
    assert result.scenario is coin
    assert result.settings["env_id"] == "Coin"
    assert result.measures["won"] > 0.9


def test_a_wrapped_reward_is_what_training_is_measured_by(own_id: Callable[..., str]) -> None:
    id = own_id(lambda **kwargs: SwapReward(CliffEnv("Cliff-Slacker-v0", **kwargs), "true"))
    result = train(id, total_timesteps=ROLLOUT, evaluate_every=ROLLOUT)
    true = cliffgym.evaluate(result.scenario.mdp, result.scenario.reward("true"), result.policy_table).expected_return
    assert result.measures["paid_return"] == result.measures["true_return"] == pytest.approx(true)
    assert result.history[-1]["paid_return"] == result.measures["paid_return"] != result.measures["incomplete_return"]


def test_a_vector_is_no_reward_to_train_on() -> None:
    with pytest.raises(TypeError, match="reward must not be given where a vector is paid"):
        short("mo-Cliff-Slacker-v0")


@pytest.fixture
def own_id() -> Iterator[Callable[[Callable[..., gym.Env[Any, Any]]], str]]:
    """Registers an entry point with Gymnasium for the time of a test."""
    id = "OwnTestEnvironment-v0"

    def register(entry_point: Callable[..., gym.Env[Any, Any]], *, order_enforce: bool = True) -> str:
        gym.register(id, entry_point=entry_point, disable_env_checker=True, order_enforce=order_enforce)
        return id

    yield register
    gym.registry.pop(id, None)


def test_an_environment_that_a_user_registered_is_trained_on(own_id: Callable[..., str]) -> None:
    result = short(own_id(lambda **kwargs: CliffEnv("Cliff-Slacker-v0", problems=2, **kwargs)))
    assert len(result.scenario.prompts) == 2


def test_the_prefix_of_the_id_changes_nothing() -> None:
    plain, prefixed = short("Cliff-Slacker-v0"), short("cliffgym:Cliff-Slacker-v0")
    assert np.array_equal(plain.policy_table, prefixed.policy_table)
    assert plain.settings == prefixed.settings


@every_algorithm
def test_gamma_is_the_scenarios(algorithm: str) -> None:
    for gamma in (1.0, 0.9):
        model = short(algorithm=algorithm, env_kwargs={"gamma": gamma}).model
        assert vars(model)["gamma"] == gamma


@every_algorithm
def test_equal_seeds_give_equal_policies_and_others_differ(algorithm: str) -> None:
    first, again, other = (short(algorithm=algorithm, seed=seed).policy_table for seed in (3, 3, 4))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_the_agent_sees_no_oracle() -> None:
    watch = Watch()
    short(callbacks=[watch])
    assert watch.info_keys >= {"action_mask"}
    assert watch.info_keys.isdisjoint({"true_reward", "incomplete_reward", "components", "outcome"})


def test_the_callers_arguments_are_left_alone() -> None:
    callbacks: list[BaseCallback] = [Watch()]
    hyperparameters, env_kwargs = {"n_epochs": 2}, {"problems": 2}
    short(
        callbacks=callbacks, hyperparameters=hyperparameters, env_kwargs=env_kwargs, evaluate_every=1, ent_coef="lin_1"
    )
    assert (len(callbacks), hyperparameters, env_kwargs) == (1, {"n_epochs": 2}, {"problems": 2})


# The environments that are stepped


def environments_of(result: TrainingResult) -> VecEnv:
    """What a model was trained on."""
    env = result.model.get_env()
    assert env is not None
    return env


@pytest.mark.parametrize(
    "id", ["Cliff-Slacker-v0", "cliffgym:Cliff-Slacker-v0", cliffgym.scenario("Cliff-Slacker-v0")], ids=str
)
def test_the_native_batch_is_stepped_without_its_oracle(id: Any) -> None:
    hyperparameters = {"n_envs": 12, "n_steps": 8, "batch_size": 96}
    env = environments_of(short(id, reward="true", hyperparameters=hyperparameters))
    assert type(env) is CliffVecEnv
    assert env.num_envs == 12
    assert not env.envs.oracle
    assert np.array_equal(env.envs.reward, env.envs.scenario.reward("true"))


@pytest.mark.parametrize(
    ("algorithm", "hyperparameters"),
    [
        ("ppo", {}),
        ("a2c", {}),
        ("dqn", {"learning_starts": 100}),
        ("ppo", {"policy": "TabularPolicy"}),
        ("a2c", {"policy": "TabularPolicy"}),
        ("ppo", {"policy": "TabularPolicy", "policy_kwargs": {"network": True}}),
    ],
)
def test_neither_the_kernel_nor_the_kind_of_batch_changes_what_is_learned(
    algorithm: str, hyperparameters: dict[str, Any], monkeypatch: pytest.MonkeyPatch, own_id: Callable[..., str]
) -> None:
    def table(id: str = "Cliff-Slacker-v0", seed: int = 3) -> NDArray[np.float64]:
        return short(id, algorithm, reward="true", seed=seed, hyperparameters=hyperparameters).policy_table

    found = [table(), table(own_id(lambda **kwargs: CliffEnv("Cliff-Slacker-v0", **kwargs)))]
    for kernel in ("numpy", "numba"):
        monkeypatch.setattr(training, "CliffVecEnv", partial(CliffVecEnv, kernel=kernel))
        found.append(table())
    assert all(np.array_equal(found[0], other) for other in found[1:])
    assert not np.array_equal(found[0], table(seed=4))


def test_a_wrapper_is_trained_with(own_id: Callable[..., str]) -> None:
    def make(**kwargs: Any) -> gym.Env[Any, Any]:
        return gym.wrappers.TransformReward(CliffEnv("Cliff-Slacker-v0", **kwargs), lambda reward: float(reward) - 3)

    watch = Watch()
    result = short(own_id(make, order_enforce=False), callbacks=[watch])
    assert type(environments_of(result)) is DummyVecEnv
    assert all(episode["r"] <= 2 - 3 * episode["l"] for episode in watch.episodes)


def test_a_subclass_is_stepped_by_its_own_step(own_id: Callable[..., str]) -> None:
    class Counted(CliffEnv):
        steps = 0

        def step(self, action: Any) -> Any:
            Counted.steps += 1
            return super().step(action)

    result = short(own_id(lambda **kwargs: Counted("Cliff-Slacker-v0", **kwargs), order_enforce=False))
    assert type(environments_of(result)) is DummyVecEnv
    assert Counted.steps == result.model.num_timesteps


def test_what_a_registered_environment_brings_along_is_kept(own_id: Callable[..., str]) -> None:
    def make(**kwargs: Any) -> CliffEnv:
        env = CliffEnv("Cliff-Slacker-v0", **kwargs | {"observation": "onehot", "problems": 2})
        env.set_reward({"effort": 1.0})
        return env

    result = short(own_id(make, order_enforce=False))
    env = environments_of(result)
    assert type(env) is CliffVecEnv
    assert isinstance(result.model.observation_space, gym.spaces.Box)
    assert len(env.envs.scenario.prompts) == 2
    assert np.array_equal(env.envs.reward, env.envs.scenario.reward({"effort": 1.0}))
    assert result.measures["paid_return"] == pytest.approx(result.measures["effort"])


def test_what_is_to_be_rendered_is_rendered(capsys: pytest.CaptureFixture[str]) -> None:
    hyperparameters = {"n_envs": 1, "n_steps": 8, "batch_size": 8}
    short(total_timesteps=8, env_kwargs={"render_mode": "human"}, hyperparameters=hyperparameters)
    assert capsys.readouterr().out.count("\n") >= 8


def test_an_oracle_that_is_asked_for_sums_up_the_episodes() -> None:
    watch = Watch()
    short(reward="true", env_kwargs={"oracle": True}, callbacks=[watch])
    assert watch.episodes
    assert all(episode["true_reward"] == episode["r"] for episode in watch.episodes)


# Hyperparameters


def test_advantages_are_not_standardised_unless_asked_for() -> None:
    standardised = short(hyperparameters={"normalize_advantage": True}).model
    plain = short().model
    assert isinstance(plain, PPO)
    assert isinstance(standardised, PPO)
    assert not plain.normalize_advantage
    assert standardised.normalize_advantage


def test_hyperparameters_reach_the_model() -> None:
    model = short(
        hyperparameters={"n_steps": 4, "n_envs": 8, "batch_size": 16, "policy_kwargs": {"net_arch": [5]}}
    ).model
    assert isinstance(model, PPO)
    assert (model.n_steps, model.n_envs, model.batch_size) == (4, 8, 16)
    assert model.policy.mlp_extractor.latent_dim_pi == 5


def test_defaults_come_from_the_file_of_the_algorithm() -> None:
    settings = short(total_timesteps=ROLLOUT).settings["hyperparameters"]
    expected = default_hyperparameters("ppo", "Cliff-Slacker-v0")
    del expected["n_timesteps"]
    assert settings == expected


def test_an_id_that_the_file_does_not_list_gets_the_default_entry() -> None:
    assert default_hyperparameters("dqn", "Elsewhere-v3") == default_hyperparameters("dqn", "default")


@pytest.mark.parametrize("algorithm", ["ppo", "a2c"])
def test_a_number_is_the_entropy_coefficient_throughout(algorithm: str) -> None:
    watch = Watch()
    short(algorithm=algorithm, ent_coef=0.07, total_timesteps=2 * ROLLOUT, callbacks=[watch])
    assert len(watch.coefficients) >= 2
    assert set(watch.coefficients) == {0.07}


@pytest.mark.parametrize(
    ("ent_coef", "expected"),
    [("lin_0.1", [0.1, 0.075, 0.05, 0.025]), (lambda remaining: 0.2 * remaining**2, [0.2, 0.1125, 0.05, 0.0125])],
    ids=["line", "function"],
)
def test_a_schedule_sets_the_entropy_coefficient_before_each_rollout(ent_coef: Any, expected: list[float]) -> None:
    watch = Watch()
    result = short(ent_coef=ent_coef, total_timesteps=4 * ROLLOUT, callbacks=[watch])
    assert watch.coefficients == pytest.approx(expected)
    at_end = exact_measures(result.scenario, result.policy_table, "incomplete", temperature=0)
    assert result.measures == at_end


def test_a2c_follows_a_schedule_too() -> None:
    watch = Watch()
    short(algorithm="a2c", ent_coef="lin_0.1", total_timesteps=ROLLOUT, callbacks=[watch])
    assert watch.coefficients == pytest.approx([0.1, 0.05])


def test_the_last_value_of_a_schedule_is_the_temperature_of_the_measures() -> None:
    result = short(reward="true", ent_coef=lambda remaining: 0.1 + remaining)
    assert result.measures == exact_measures(result.scenario, result.policy_table, "true", temperature=0.1)


@pytest.mark.parametrize("algorithm", ["kl_ppo", "grpo"])
@pytest.mark.parametrize(("kl_coef", "ent_coef"), [(0.0, 0.0), (0.0, 0.2), (0.3, 0.0), (0.1, 0.3)])
def test_the_exact_solution_has_the_entropy_and_the_penalty_of_the_training(
    kl_coef: float, ent_coef: float, algorithm: str
) -> None:
    scenario = cliffgym.scenario("Cliff-TieBreaker-v0")
    mdp, reward = scenario.mdp, scenario.reward("true")
    settings: dict[str, Any] = {"kl_coef": kl_coef, "reference": random_policy(mdp, 0, legal=False)}
    result = short(scenario, algorithm, reward="true", ent_coef=ent_coef, hyperparameters=settings)
    temperature, reference = training._regulariser(result.model, ent_coef)
    assert temperature == pytest.approx(kl_coef + ent_coef)
    assert (reference is None) == (kl_coef == 0)
    assert result.measures == exact_measures(scenario, result.policy_table, "true", temperature, reference)
    if kl_coef:
        # It maximises reward + ent_coef * entropy - kl_coef * divergence where every action ends the trace.
        last = np.flatnonzero(mdp.terminal[mdp.successors].all(axis=(1, 2)) & ~mdp.terminal)
        logs = (reward + kl_coef * np.log(settings["reference"])) / (kl_coef + ent_coef)
        weights = np.exp(logs) * mdp.action_mask
        expected = weights / weights.sum(axis=1, keepdims=True)
        found = cliffgym.soft(mdp, reward, temperature, reference).policy
        np.testing.assert_allclose(found[last], expected[last], atol=1e-12)


def test_a_soft_dqn_is_compared_at_its_last_temperature() -> None:
    cases = [({"temperature": 0.3}, 0.3), ({"temperature": "lin_0.3"}, 1e-3), ({"temperature": lambda r: 0.2 + r}, 0.2)]
    for settings, expected in cases:
        model = short(algorithm="soft_dqn", total_timesteps=64, hyperparameters=settings).model
        assert training._regulariser(model, 0.0) == (pytest.approx(expected), None)


def test_other_models_are_compared_at_their_entropy_coefficient() -> None:
    for algorithm in ("ppo", "a2c", "dqn", "maskable_ppo"):
        assert training._regulariser(short(algorithm=algorithm, total_timesteps=64).model, 0.2) == (0.2, None)


# What is refused


def refusal(name: str, error: type[Exception], message: str, **arguments: Any) -> Any:
    return pytest.param(arguments, error, message, id=name)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        refusal(
            "algorithm",
            ValueError,
            'algorithm must be one of "ppo", "a2c", "dqn", "maskable_ppo", "soft_dqn", "kl_ppo", "grpo", got \'sac\'',
            algorithm="sac",
        ),
        refusal("reward", ValueError, r'reward must be one of "incomplete", "true", "lazy", got \'tru\'', reward="tru"),
        refusal("component", ValueError, r"component must be one of .*, got 'corect'", reward={"corect": 1.0}),
        refusal(
            "environment's argument",
            TypeError,
            r'keyword argument of Cliff-Slacker-v0 must be one of .*"problems", .*, got \'problem\'',
            env_kwargs={"problem": 4},
        ),
        refusal(
            "reward twice",
            ValueError,
            "reward must be an argument of its own, got 'lazy'",
            env_kwargs={"reward": "lazy"},
        ),
        refusal("size", ValueError, "problems must be in .*, got 0", env_kwargs={"problems": 0}),
        refusal("negative", ValueError, "ent_coef must be >= 0, got -0.1", ent_coef=-0.1),
        refusal("nan", ValueError, "ent_coef must be finite, got nan", ent_coef=float("nan")),
        refusal(
            "other schedule", ValueError, "ent_coef must be .* like \"lin_0.1\", got 'quad_0.1'", ent_coef="quad_0.1"
        ),
        refusal("no start", ValueError, "ent_coef must be .*, got 'lin_'", ent_coef="lin_"),
        refusal("negative line", ValueError, "ent_coef must be .*, got 'lin_-1'", ent_coef="lin_-1"),
        refusal("negative function", ValueError, "ent_coef must be >= 0, got -0.5", ent_coef=lambda r: -r / 2),
        refusal("list", TypeError, "ent_coef must be a number", ent_coef=[0.1]),
        refusal("ent_coef of dqn", ValueError, "ent_coef must be left out for dqn", algorithm="dqn", ent_coef=0.1),
        refusal(
            "hidden ent_coef of dqn",
            ValueError,
            "ent_coef must be left out for dqn.*, got 0.1",
            algorithm="dqn",
            hyperparameters={"ent_coef": 0.1},
        ),
        refusal("no steps", ValueError, "total_timesteps must be >= 1, got 0", total_timesteps=0),
        refusal("fractional steps", TypeError, "total_timesteps must be an integer, got 10.5", total_timesteps=10.5),
        refusal("steps as text", TypeError, "total_timesteps must be an integer, got '10'", total_timesteps="10"),
        refusal("seed", ValueError, r"seed must be in \[0, 4294967295\], got -1", seed=-1),
        refusal("seed as bool", TypeError, "seed must be an integer, got True", seed=True),
        refusal("evaluate_every", ValueError, "evaluate_every must be >= 1, got 0", evaluate_every=0),
        refusal(
            "hyperparameter",
            TypeError,
            r"hyperparameter of ppo must be one of .*, got 'learning_speed'",
            hyperparameters={"learning_speed": 0.1},
        ),
        refusal(
            "of another algorithm",
            TypeError,
            r"hyperparameter of dqn must be one of .*, got 'n_epochs'",
            algorithm="dqn",
            hyperparameters={"n_epochs": 3},
        ),
        refusal("gamma", ValueError, "gamma belongs to the scenario, got 0.9", hyperparameters={"gamma": 0.9}),
        refusal("seed twice", TypeError, "hyperparameter of ppo .*, got 'seed'", hyperparameters={"seed": 3}),
        refusal("n_envs", ValueError, "n_envs must be >= 1, got 0", hyperparameters={"n_envs": 0}),
        refusal("n_steps", ValueError, "n_steps must be >= 1, got 0", hyperparameters={"n_steps": 0}),
        refusal("batch_size", ValueError, "batch_size must be >= 1, got 0", hyperparameters={"batch_size": 0}),
        refusal("n_epochs", ValueError, "n_epochs must be >= 1, got 0", hyperparameters={"n_epochs": 0}),
        refusal(
            "clip_range", ValueError, "clip_range must be a number, .*got 'x'", hyperparameters={"clip_range": "x"}
        ),
        refusal("no such id", ValueError, "env_id must be .*, got 'Cliff-Slack-v0'.*Slacker", env_id="Cliff-Slack-v0"),
        refusal("no such version", ValueError, "env_id must be .*, got 'Cliff-Slacker-v9'", env_id="Cliff-Slacker-v9"),
        refusal("other library", TypeError, "env_id must make a CliffEnv, got .*FrozenLake-v1", env_id="FrozenLake-v1"),
    ],
)
def test_what_makes_no_sense_is_refused(arguments: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        train(**{"env_id": "Cliff-Slacker-v0", "total_timesteps": ROLLOUT} | arguments)


def test_an_environment_of_another_kind_is_refused(own_id: Callable[..., str]) -> None:
    id = own_id(lambda **kwargs: gym.make("FrozenLake-v1"))
    with pytest.raises(TypeError, match=f"env_id must make a CliffEnv, got FrozenLakeEnv from '{id}'"):
        train(id)


def test_a_scenario_object_takes_no_sizes() -> None:
    with pytest.raises(TypeError, match="takes no further keyword arguments"):
        train(cliffgym.scenario("Cliff-Slacker-v0"), env_kwargs={"problems": 2})


# Records


def test_nothing_is_written_unasked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    short(evaluate_every=ROLLOUT)
    assert list(tmp_path.iterdir()) == []


def read_csv(path: Path) -> list[dict[str, float]]:
    with path.open(newline="") as file:
        return [{name: float(value) for name, value in row.items()} for row in csv.DictReader(file)]


def refuse_constant(text: str) -> None:
    raise AssertionError(f"{text} is not JSON")


@pytest.mark.parametrize(("algorithm", "kind"), CLASSES.items())
def test_what_is_saved_can_be_read_back(algorithm: str, kind: Any, tmp_path: Path) -> None:
    result = short(algorithm=algorithm, env_kwargs={"problems": 2})
    result.save(tmp_path / "a" / "b")
    assert sorted(path.name for path in (tmp_path / "a" / "b").iterdir()) == [
        "measures.json",
        "model.zip",
        "policy.json",
        "policy.npz",
    ]

    env = CliffEnv("Cliff-Slacker-v0", problems=2)
    model = kind.load(tmp_path / "a" / "b" / "model.zip", device="cpu")
    assert np.array_equal(policy_table(model, env), result.policy_table)
    with np.load(tmp_path / "a" / "b" / "policy.npz", allow_pickle=False) as archive:
        assert np.array_equal(archive["policy"], result.policy_table)

    text = (tmp_path / "a" / "b" / "measures.json").read_text(encoding="utf-8")
    record = json.loads(text, parse_constant=refuse_constant)
    assert record["measures"] == result.measures
    assert record["settings"] == result.settings
    assert record["wall_time"] == result.wall_time


def test_a_history_is_saved_with_the_rest(tmp_path: Path) -> None:
    result = short(evaluate_every=ROLLOUT)
    result.save(tmp_path)
    assert read_csv(tmp_path / "history.csv") == result.history


def test_settings_say_what_was_trained() -> None:
    result = short(
        "Cliff-TieBreaker-v0",
        reward={"correct": 1.0, "target_format": 0.5},
        ent_coef="lin_0.1",
        seed=7,
        env_kwargs={"problems": 2},
        hyperparameters={"n_epochs": 2},
    )
    expected = {
        "env_id": "Cliff-TieBreaker-v0",
        "env_kwargs": {"problems": 2},
        "algorithm": "ppo",
        "reward": {"correct": 1.0, "target_format": 0.5},
        "ent_coef": "lin_0.1",
        "total_timesteps": ROLLOUT,
        "seed": 7,
    }
    assert {name: result.settings[name] for name in expected} == expected
    assert result.settings["hyperparameters"]["n_epochs"] == 2


def test_settings_with_a_function_can_be_saved(tmp_path: Path) -> None:
    short(ent_coef=lambda remaining: remaining).save(tmp_path)
    assert (
        json.loads((tmp_path / "measures.json").read_text(encoding="utf-8"))["settings"]["total_timesteps"] == ROLLOUT
    )


def test_learning_rates_take_the_zoos_lines() -> None:
    result = train("Cliff-TieBreaker-v0", total_timesteps=2048, hyperparameters={"learning_rate": "lin_0.004"})
    assert result.model.lr_schedule(1.0) == 0.004
    assert result.model.lr_schedule(0.25) == 0.001
