"""A policy that is a table, or a network looked up once for all states, is what SB3 would compute sample by sample."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from cliffgym_agents import (
    ALGORITHMS,
    GRPO,
    KLPPO,
    CliffVecEnv,
    MaskableTabularPolicy,
    SoftDQN,
    TabularPolicy,
    TabularQPolicy,
    policy_table,
    train,
)
from gymnasium import spaces
from numpy.typing import NDArray
from sb3_contrib import MaskablePPO
from stable_baselines3 import A2C, DQN, PPO
from stable_baselines3.common.evaluation import evaluate_policy
from stable_baselines3.common.policies import ActorCriticPolicy
from stable_baselines3.common.torch_layers import BaseFeaturesExtractor
from stable_baselines3.dqn.policies import DQNPolicy
from torch import nn

import cliffgym
from cliffgym import CliffEnv, occupancy, soft, total_variation

S, A, N = 11, 4, 200
SLACKER = "Cliff-Slacker-v0"
NETWORK = {"network": True}
BOTH = [pytest.param({}, id="table"), pytest.param(NETWORK, id="network")]

either = pytest.mark.parametrize("kind", BOTH)


def constant(rate: float) -> Any:
    return lambda remaining: rate


def make(policy: Any = TabularPolicy, num_states: int = S, num_actions: int = A, **arguments: Any) -> Any:
    return policy(spaces.Discrete(num_states), spaces.Discrete(num_actions), constant(0.01), **arguments)


def drawn(seed: int = 0, **arguments: Any) -> Any:
    """A policy whose parameters are drawn: a table is uniform at first, a network nearly so."""
    policy = make(**arguments)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in policy.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator))
    return policy


@pytest.fixture
def samples() -> tuple[torch.Tensor, torch.Tensor]:
    """States (N, 1), as SB3's buffers give them, and actions (N,)."""
    generator = torch.Generator().manual_seed(1)
    return torch.randint(S, (N, 1), generator=generator), torch.randint(A, (N,), generator=generator)


def log_softmax(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    shifted = logits - logits.max(axis=1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))


def loss(evaluated: tuple[torch.Tensor, torch.Tensor, torch.Tensor]) -> torch.Tensor:
    """Something that depends on all that an actor-critic's loss does, on each sample in another way."""
    values, log_probabilities, entropies = evaluated
    weights = torch.linspace(-1, 2, N)
    return (weights * log_probabilities + 0.1 * weights.square() * entropies).mean() + (
        values.flatten() - weights
    ).square().mean()


def gradients(policy: Any, samples: tuple[torch.Tensor, torch.Tensor]) -> dict[str, torch.Tensor]:
    policy.zero_grad()
    loss(policy.evaluate_actions(*samples)).backward()
    return {name: parameter.grad.clone() for name, parameter in policy.named_parameters()}


# What it computes


def test_a_table_is_evaluated_as_in_numpy(samples: tuple[torch.Tensor, torch.Tensor]) -> None:
    policy = drawn()
    states, actions = samples[0].flatten().numpy(), samples[1].numpy()
    logs = log_softmax(policy.logits.detach().double().numpy())
    entropies = -(np.exp(logs) * logs).sum(axis=1)
    values, log_probabilities, found_entropies = (found.detach().numpy() for found in policy.evaluate_actions(*samples))
    assert values.shape == (N, 1)
    assert log_probabilities.shape == found_entropies.shape == (N,)
    np.testing.assert_array_equal(values[:, 0], policy.values.detach().numpy()[states])
    np.testing.assert_allclose(log_probabilities, logs[states, actions], rtol=1e-5)
    np.testing.assert_allclose(found_entropies, entropies[states], rtol=1e-5)
    distribution = policy.get_distribution(samples[0]).distribution
    np.testing.assert_allclose(distribution.probs.detach().numpy(), np.exp(logs)[states], rtol=1e-5)


@either
@pytest.mark.parametrize("shape", [(N,), (N, 1)])
@pytest.mark.parametrize("dtype", [torch.int64, torch.float32])
def test_its_methods_agree(
    dtype: torch.dtype, shape: tuple[int, ...], kind: dict[str, Any], samples: tuple[torch.Tensor, torch.Tensor]
) -> None:
    policy = drawn(**kind)
    observed = samples[0].reshape(shape).to(dtype)
    for deterministic in (True, False):
        actions, values, log_probabilities = policy(observed, deterministic=deterministic)
        again, log_probabilities_again, entropies = policy.evaluate_actions(observed, actions)
        distribution = policy.get_distribution(observed)
        assert actions.shape == log_probabilities.shape == (N,)
        assert actions.dtype == torch.int64
        assert torch.equal(values, again)
        assert torch.equal(values, policy.predict_values(observed))
        torch.testing.assert_close(log_probabilities, log_probabilities_again)
        torch.testing.assert_close(log_probabilities, distribution.log_prob(actions))
        torch.testing.assert_close(entropies, distribution.entropy())
        if deterministic:
            assert torch.equal(actions, distribution.distribution.probs.argmax(dim=1))


def test_a_fresh_table_is_uniform_and_worth_nothing() -> None:
    policy = make()
    log_probabilities, values = policy.tables()
    torch.testing.assert_close(log_probabilities.exp(), torch.full((S, A), 1 / A))
    assert torch.equal(values, torch.zeros(S))
    assert sorted(name for name, _ in policy.named_parameters()) == ["logits", "values"]


def test_actions_follow_the_probabilities() -> None:
    policy = drawn()
    torch.manual_seed(0)
    states = torch.arange(S).repeat_interleave(20_000)
    actions = policy(states)[0].reshape(S, -1)
    shares = torch.stack([(actions == a).float().mean(dim=1) for a in range(A)], dim=1)
    torch.testing.assert_close(shares, policy.tables()[0].exp(), atol=0.015, rtol=0)  # 4 standard deviations


@either
def test_actions_that_there_are_not_are_refused(kind: dict[str, Any]) -> None:
    with pytest.raises(IndexError):
        make(**kind).evaluate_actions(torch.tensor([0]), torch.tensor([A]))
    with pytest.raises(IndexError):
        make(**kind).get_distribution(torch.tensor([S]))


# Against SB3's own


class Mixing(BaseFeaturesExtractor):
    """Features that are learned too."""

    def __init__(self, observation_space: Any) -> None:
        super().__init__(observation_space, 6)
        self.linear = nn.Linear(int(observation_space.n), 6)

    def forward(self, observations: torch.Tensor) -> torch.Tensor:
        return self.linear(observations.flatten(1)).tanh()


ARCHITECTURES = [
    {},
    {"share_features_extractor": False},
    {"net_arch": {"pi": [5], "vf": [7, 3]}, "activation_fn": nn.ReLU, "ortho_init": False},
    {"net_arch": []},
    {"features_extractor_class": Mixing},
    {"features_extractor_class": Mixing, "share_features_extractor": False},
]
every_architecture = pytest.mark.parametrize(
    "architecture", ARCHITECTURES, ids=lambda one: "-".join(one) if one else "default"
)


@every_architecture
def test_a_network_is_sb3s_own(architecture: dict[str, Any], samples: tuple[torch.Tensor, torch.Tensor]) -> None:
    policy, own = drawn(network=True, **architecture), make(ActorCriticPolicy, **architecture)
    own.load_state_dict(policy.state_dict())  # also says that the names are the same
    for first, second in zip(policy.evaluate_actions(*samples), own.evaluate_actions(*samples), strict=True):
        assert first.shape == second.shape
        torch.testing.assert_close(first, second)
    probabilities = [each.get_distribution(samples[0]).distribution.probs for each in (policy, own)]
    torch.testing.assert_close(*probabilities)
    torch.testing.assert_close(policy.predict_values(samples[0]), own.predict_values(samples[0]))
    found, expected = gradients(policy, samples), gradients(own, samples)
    assert found.keys() == expected.keys()
    for name in found:
        torch.testing.assert_close(found[name], expected[name], msg=lambda text, name=name: f"{name}: {text}")


def test_the_same_seed_makes_the_same_network() -> None:
    states = []
    for policy, arguments in ((TabularPolicy, NETWORK), (ActorCriticPolicy, {})):
        torch.manual_seed(0)
        states.append(make(policy, **arguments).state_dict())
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[1])


@pytest.mark.parametrize("kind", [PPO, A2C])
def test_training_with_a_network_is_training_with_sb3s_own(kind: Any) -> None:
    tables = []
    for policy, arguments in ((TabularPolicy, NETWORK), ("MlpPolicy", {})):
        env = CliffVecEnv(SLACKER, 8, "true")
        given = dict(arguments)  # A2C writes its optimiser into it
        model = kind(policy, env, n_steps=16, learning_rate=0.003, seed=0, policy_kwargs=given, device="cpu")
        tables.append(policy_table(model.learn(1024), CliffEnv(SLACKER)))
    np.testing.assert_allclose(tables[0], tables[1], atol=1e-4)
    assert np.abs(tables[0] - 0.2).max() > 0.02  # it has learned something


def test_a_table_is_a_linear_map_of_one_hot_states(samples: tuple[torch.Tensor, torch.Tensor]) -> None:
    policy = drawn()
    actor, critic = nn.Linear(S, A, bias=False), nn.Linear(S, 1, bias=False)
    with torch.no_grad():
        actor.weight.copy_(policy.logits.T)
        critic.weight.copy_(policy.values[None])
    one_hot = nn.functional.one_hot(samples[0].flatten(), S).float()
    distribution = torch.distributions.Categorical(logits=actor(one_hot))
    loss((critic(one_hot), distribution.log_prob(samples[1]), distribution.entropy())).backward()
    found = gradients(policy, samples)
    torch.testing.assert_close(found["logits"].T, actor.weight.grad)
    torch.testing.assert_close(found["values"][None], critic.weight.grad)


# Probabilities of 0


@pytest.mark.parametrize("size", [1e3, 1e30, 3e38])
@either
def test_probabilities_of_zero_leave_everything_finite(kind: dict[str, Any], size: float) -> None:
    policy = make(**kind)
    with torch.no_grad():
        if kind:
            policy.action_net.bias[:] = torch.tensor([size, -size, 0, size])
        else:
            policy.logits[:] = torch.tensor([size, -size, 0, size])
    states = torch.arange(S).repeat(3)
    actions, _, log_probabilities = policy(states)
    assert set(actions.tolist()) == {0, 3}
    probabilities = policy.tables()[0].exp()
    assert (probabilities[:, [1, 2]] == 0).all()
    values, again, entropies = policy.evaluate_actions(states, actions)
    assert torch.isfinite(log_probabilities).all()
    torch.testing.assert_close(again, log_probabilities)
    torch.testing.assert_close(entropies, torch.full((3 * S,), np.log(2)), atol=0.02, rtol=0)
    (again.mean() + entropies.mean() + values.square().mean()).backward()
    assert all(torch.isfinite(parameter.grad).all() for parameter in policy.parameters())


def test_learning_on_from_probabilities_of_zero_stays_finite() -> None:
    model = PPO(TabularPolicy, CliffVecEnv(SLACKER, 8), n_steps=32, ent_coef=0.1, seed=0, device="cpu")
    assert isinstance(model.policy, TabularPolicy)
    with torch.no_grad():
        model.policy.logits[:, 1] = -1e30
    model.learn(1024)
    assert all(torch.isfinite(parameter).all() for parameter in model.policy.parameters())
    assert (policy_table(model, CliffEnv(SLACKER))[:, 1] == 0).all()


# As SB3's own, in SB3's hands


@either
def test_it_predicts_for_one_state_and_for_many(kind: dict[str, Any]) -> None:
    policy = drawn(**kind)
    best = policy.tables()[0].argmax(dim=1).numpy()
    for state in (3, np.int64(3), np.array(3)):
        action, memory = policy.predict(state, deterministic=True)
        assert memory is None
        assert action.shape == ()
        assert action == best[3]
    states = np.array([4, 0, 10, 4])
    assert np.array_equal(policy.predict(states, deterministic=True)[0], best[states])
    torch.manual_seed(0)
    drawn_actions, _ = policy.predict(np.repeat(5, 1000))
    assert drawn_actions.shape == (1000,)
    assert len(set(drawn_actions.tolist())) > 1


def test_a_policy_table_is_what_it_says() -> None:
    env = CliffEnv("Cliff-TieBreaker-v0")
    model = PPO(TabularPolicy, env, n_steps=64, seed=0, device="cpu")
    assert isinstance(model.policy, TabularPolicy)
    logits = np.random.default_rng(0).normal(size=model.policy.logits.shape)
    with torch.no_grad():
        model.policy.logits.copy_(torch.as_tensor(logits))
    np.testing.assert_allclose(policy_table(model, env), np.exp(log_softmax(logits)), rtol=1e-5)


@pytest.mark.parametrize("algorithm", [PPO, A2C])
@pytest.mark.parametrize(
    "arguments",
    [{}, {"optimizer_class": torch.optim.SGD}, NETWORK, *(NETWORK | one for one in ARCHITECTURES[1:])],
    ids=lambda one: "-".join(one) if one else "table",
)
def test_what_is_saved_is_loaded(arguments: dict[str, Any], algorithm: Any, tmp_path: Path) -> None:
    env = CliffVecEnv(SLACKER, 4, "true")
    given = dict(arguments)
    model = algorithm(TabularPolicy, env, n_steps=32, seed=0, policy_kwargs=given, device="cpu").learn(256)
    model.save(tmp_path / "model.zip")
    model.policy.save(str(tmp_path / "policy.pt"))
    expected = model.policy.tables()
    loaded = algorithm.load(tmp_path / "model.zip", env=env, device="cpu")
    policy = TabularPolicy.load(str(tmp_path / "policy.pt"), device="cpu")
    for each in (loaded.policy, policy):
        assert type(each) is TabularPolicy
        assert each.network == model.policy.network
        assert type(each.optimizer) is type(model.policy.optimizer)
        assert all(torch.equal(first, second) for first, second in zip(each.tables(), expected, strict=True))
    loaded.learn(256, reset_num_timesteps=False)
    assert not torch.equal(loaded.policy.tables()[0], expected[0])


def test_sb3_evaluates_it() -> None:
    env = CliffVecEnv(SLACKER, 4, "true")
    model = PPO(TabularPolicy, env, n_steps=32, learning_rate=0.05, ent_coef=0.0, gamma=1.0, seed=0, device="cpu")
    mean, _ = evaluate_policy(model.learn(15_000), env, n_eval_episodes=20)
    assert isinstance(mean, float)
    assert mean > 1.5


# What is refused


@pytest.mark.parametrize(
    ("spaces_", "arguments", "error", "message"),
    [
        (
            (spaces.Box(0, 1, (3,)), spaces.Discrete(2)),
            {},
            TypeError,
            r"observation_space of a TabularPolicy must be Discrete, got Box\(",
        ),
        (
            (spaces.MultiDiscrete([2, 3]), spaces.Discrete(2)),
            NETWORK,
            TypeError,
            r"observation_space of a TabularPolicy must be Discrete, got MultiDiscrete\(",
        ),
        (
            (spaces.Discrete(3), spaces.Box(0, 1, (3,))),
            {},
            TypeError,
            r"action_space of a TabularPolicy must be Discrete, got Box\(",
        ),
        (
            (spaces.Discrete(3, start=1), spaces.Discrete(2)),
            {},
            ValueError,
            r"observation_space of a TabularPolicy must begin at 0, got Discrete\(3, start=1\)",
        ),
        (
            (spaces.Discrete(3), spaces.Discrete(2, start=-1)),
            NETWORK,
            ValueError,
            "action_space of a TabularPolicy must begin at 0",
        ),
        ((spaces.Discrete(3), spaces.Discrete(2)), {"network": 1}, TypeError, "network must be True or False, got 1"),
        (
            (spaces.Discrete(3), spaces.Discrete(2)),
            {"net_arch": [64]},
            TypeError,
            "argument of a TabularPolicy without network must be one of .*, got 'net_arch'",
        ),
        ((spaces.Discrete(3), spaces.Discrete(2)), NETWORK | {"layers": 2}, TypeError, "layers"),
    ],
)
def test_what_makes_no_sense_is_refused(
    spaces_: tuple[Any, Any], arguments: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        TabularPolicy(*spaces_, constant(0.1), **arguments)


def test_sb3_passes_the_refusal_on() -> None:
    with pytest.raises(TypeError, match="observation_space of a TabularPolicy must be Discrete"):
        PPO(TabularPolicy, CliffVecEnv(SLACKER, 4, observation="onehot"), n_steps=32, device="cpu")
    policy: Any = TabularPolicy
    with pytest.raises(ValueError, match="MaskableActorCriticPolicy"):
        MaskablePPO(policy, CliffVecEnv(SLACKER, 4), n_steps=32, device="cpu")


# `train`


TINY = cliffgym.scenario(SLACKER, problems=1)
CLASSES: dict[str, tuple[Any, Any]] = {
    "ppo": (PPO, TabularPolicy),
    "a2c": (A2C, TabularPolicy),
    "dqn": (DQN, TabularQPolicy),
    "maskable_ppo": (MaskablePPO, MaskableTabularPolicy),
    "soft_dqn": (SoftDQN, TabularQPolicy),
    "kl_ppo": (KLPPO, TabularPolicy),
    "grpo": (GRPO, TabularPolicy),
}
OF_NETWORKS = [name for name, (_, policy) in CLASSES.items() if policy is not TabularQPolicy]


def test_every_algorithm_is_among_them() -> None:
    assert list(CLASSES) == list(ALGORITHMS)


def saved_and_loaded(result: Any, algorithm: str, folder: Path) -> Any:
    """The model that a result's file holds, which acts as the one that was trained."""
    result.save(folder)
    model = CLASSES[algorithm][0].load(folder / "model.zip", device="cpu")
    assert type(model.policy) is type(result.model.policy) is CLASSES[algorithm][1]
    assert np.array_equal(policy_table(model, CliffEnv(TINY)), result.policy_table)
    return model


@pytest.mark.parametrize("policy", ["TabularPolicy", TabularPolicy], ids=["name", "class"])
@pytest.mark.parametrize("algorithm", CLASSES)
def test_every_algorithm_trains_it_and_saves_and_loads(algorithm: str, policy: Any, tmp_path: Path) -> None:
    settings = {"policy": policy, "learning_rate": 0.05}
    result = train(TINY, algorithm, reward="true", total_timesteps=2048, hyperparameters=settings)
    assert result.settings["hyperparameters"]["policy"] == policy
    model = saved_and_loaded(result, algorithm, tmp_path)
    record = json.loads((tmp_path / "measures.json").read_text(encoding="utf-8"))
    assert "TabularPolicy" in record["settings"]["hyperparameters"]["policy"]
    masks = {"action_masks": TINY.mdp.action_mask.copy()} if algorithm == "maskable_ppo" else {}
    actions, _ = model.predict(np.arange(TINY.mdp.num_states), deterministic=True, **masks)
    assert np.array_equal(actions, result.policy_table.argmax(axis=1))
    model.set_env(CliffVecEnv(TINY, model.n_envs, "true"))
    model.learn(1024, reset_num_timesteps=False)
    assert model.num_timesteps >= 3072
    assert all(torch.isfinite(parameter).all() for parameter in model.policy.parameters())


@pytest.mark.parametrize("algorithm", OF_NETWORKS)  # what Q-values come to is in a file of its own
def test_every_algorithm_learns_the_true_reward_with_it(algorithm: str) -> None:
    settings = {"policy": "TabularPolicy", "learning_rate": 0.05}
    if algorithm == "kl_ppo":
        settings["kl_coef"] = 0.01
    result = train(TINY, algorithm, reward="true", total_timesteps=60_000, hyperparameters=settings)
    assert result.measures["true_return"] > 1.95  # of 2


@pytest.mark.parametrize("algorithm", CLASSES)
def test_what_is_passed_is_left_as_it_is(algorithm: str) -> None:
    given = {"policy": "TabularPolicy", "policy_kwargs": {"optimizer_kwargs": {}}}
    result = train(TINY, algorithm, total_timesteps=64, hyperparameters=given)
    assert given == {"policy": "TabularPolicy", "policy_kwargs": {"optimizer_kwargs": {}}}
    assert result.settings["hyperparameters"]["policy_kwargs"] == {"optimizer_kwargs": {}}


@pytest.mark.parametrize("algorithm", OF_NETWORKS)
def test_every_algorithm_of_networks_takes_one_looked_up_once(algorithm: str, tmp_path: Path) -> None:
    tables = []
    for settings in ({"policy": "TabularPolicy", "policy_kwargs": NETWORK}, {"policy": "MlpPolicy"}):
        result = train(TINY, algorithm, reward="true", total_timesteps=2048, hyperparameters=settings)
        tables.append(result.policy_table)
        if settings["policy"] == "TabularPolicy":
            assert saved_and_loaded(result, algorithm, tmp_path).policy.network
    np.testing.assert_allclose(*tables, atol=1e-3)


@pytest.mark.parametrize("algorithm", ["dqn", "soft_dqn"])
def test_q_values_have_no_network_of_that_kind(algorithm: str) -> None:
    settings = {"policy": "TabularPolicy", "policy_kwargs": NETWORK}
    with pytest.raises(ValueError, match=r"(?s)must suit SB3's .*argument of a TabularQPolicy must be .*'network'"):
        train(TINY, algorithm, hyperparameters=settings)


def test_what_is_said_of_the_default_policy_holds_for_no_other() -> None:
    def layers(**hyperparameters: Any) -> int:
        result = train(TINY, "soft_dqn", total_timesteps=64, hyperparameters=hyperparameters)
        return sum(isinstance(module, nn.Linear) for module in result.model.policy.q_net.modules())  # type: ignore[union-attr]

    assert layers() == layers(policy="MlpPolicy") == 1
    assert layers(policy_kwargs={"net_arch": [8]}) == 2
    assert layers(policy=DQNPolicy) == 3  # SB3's own default
    assert layers(policy="TabularPolicy") == 0
    record = train(TINY, "soft_dqn", total_timesteps=64, hyperparameters={"policy": "TabularPolicy"}).settings
    assert "policy_kwargs" not in record["hyperparameters"]


@pytest.mark.parametrize("kind", [KLPPO, GRPO])
def test_this_librarys_own_algorithms_know_its_name(kind: Any) -> None:
    assert type(kind("TabularPolicy", CliffVecEnv(TINY, 8), device="cpu").policy) is TabularPolicy


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"env_kwargs": {"observation": "tokens"}}, "SB3's PPO, .*observation_space of a TabularPolicy must be Disc"),
        ({"hyperparameters": {"policy_kwargs": {"net_arch": [8]}}}, "SB3's PPO, .* without network .* got 'net_arch'"),
    ],
)
def test_train_says_what_does_not_suit_it(arguments: dict[str, Any], message: str) -> None:
    arguments["hyperparameters"] = {"policy": "TabularPolicy"} | arguments.get("hyperparameters", {})
    with pytest.raises(ValueError, match=message):
        train(SLACKER, **arguments)


def trained(id: str, seed: int, **arguments: Any) -> Any:
    hyperparameters = {"policy": "TabularPolicy", **arguments.pop("hyperparameters")}
    return train(id, reward="true", seed=seed, hyperparameters=hyperparameters, **arguments)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(
    "hyperparameters",
    [{"learning_rate": 0.05}, {"policy_kwargs": NETWORK, "learning_rate": 0.003}],
    ids=["table", "network"],
)
def test_it_learns_the_true_reward_of_slacker(hyperparameters: dict[str, Any], seed: int) -> None:
    result = trained(SLACKER, seed, total_timesteps=30_720, hyperparameters=hyperparameters)
    assert result.measures["true_return"] > 1.95  # of 2


@pytest.mark.parametrize("seed", range(3))
def test_it_learns_the_exact_soft_optimum_of_tie_breaker(seed: int) -> None:
    result = trained(
        "Cliff-TieBreaker-v0",
        seed,
        ent_coef=0.1,
        total_timesteps=80 * 2048,
        hyperparameters={"learning_rate": "lin_0.2", "n_envs": 256, "n_steps": 8, "batch_size": 2048},
    )
    scenario = cliffgym.scenario("Cliff-TieBreaker-v0")
    exact = soft(scenario.mdp, scenario.reward("true"), 0.1).policy
    met = occupancy(scenario.mdp, exact).sum(axis=1) > 0.01
    assert result.measures["total_variation"] < 0.01
    assert total_variation(result.policy_table, exact)[met].max() < 0.02
    assert np.abs(exact[met] - 1 / exact.shape[1]).max() > 0.3  # where it began
