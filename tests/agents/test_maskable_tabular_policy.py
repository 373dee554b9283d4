"""MaskablePPO's table, or network looked up once, is what sb3-contrib would compute sample by sample, masks and all."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from cliffgym_agents import CliffVecEnv, MaskableTabularPolicy, TabularPolicy, policy_table, train
from gymnasium import spaces
from numpy.typing import NDArray
from sb3_contrib import MaskablePPO
from sb3_contrib.common.maskable.evaluation import evaluate_policy
from sb3_contrib.common.maskable.policies import MaskableActorCriticPolicy
from stable_baselines3 import PPO
from torch import nn

import cliffgym
from cliffgym import CliffEnv

S, A, N = 11, 4, 200
SLACKER = cliffgym.scenario("Cliff-Slacker-v0", problems=2)
NETWORK = {"network": True}
SGD = {"optimizer_class": torch.optim.SGD}

either = pytest.mark.parametrize("kind", [pytest.param({}, id="table"), pytest.param(NETWORK, id="network")])


def make(policy: Any = MaskableTabularPolicy, num_states: int = S, **arguments: Any) -> Any:
    return policy(spaces.Discrete(num_states), spaces.Discrete(A), lambda _: 0.01, **arguments)


def drawn(policy: Any = MaskableTabularPolicy, **arguments: Any) -> Any:
    """A policy whose parameters are drawn."""
    made, generator = make(policy, **arguments), torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator))
    return made


class Samples:
    """States (N, 1) as buffers give them, masks (N, A) that are not a state's own, and legal actions (N,)."""

    def __init__(self, number: int = N) -> None:
        rng = np.random.default_rng(1)
        self.states = rng.integers(S, size=number)
        self.masks = rng.random((number, A)) < 0.6
        self.masks[np.arange(number), rng.integers(A, size=number)] = True
        self.actions = (rng.random((number, A)) * self.masks).argmax(axis=1)

    @property
    def tensors(self) -> tuple[torch.Tensor, torch.Tensor]:
        return torch.as_tensor(self.states)[:, None], torch.as_tensor(self.actions)


def masked_log_softmax(logits: NDArray[np.float64], masks: NDArray[np.bool_]) -> NDArray[np.float64]:
    """(N, A) logarithms of the probabilities; minus infinity where an action is illegal."""
    allowed = np.where(masks, logits, -np.inf)
    top = allowed.max(axis=1, keepdims=True)
    return allowed - top - np.log(np.exp(allowed - top).sum(axis=1, keepdims=True))


def make_model(policy: Any = MaskableTabularPolicy, **arguments: Any) -> Any:
    env = CliffVecEnv(SLACKER, 8, "true", kernel="numpy")
    given: dict[str, Any] = {"n_steps": 16, "batch_size": 64, "n_epochs": 2, "gamma": 1.0, "normalize_advantage": False}
    return MaskablePPO(policy, env, seed=0, device="cpu", **given | arguments)


# What it computes


@pytest.mark.parametrize("number", [3, N], ids=["fewer than states", "more"])
def test_a_table_is_evaluated_as_in_numpy(number: int) -> None:
    policy, samples = drawn(), Samples(number)
    logits = policy.logits.detach().double().numpy()[samples.states]
    logs = masked_log_softmax(logits, samples.masks)
    chances = np.exp(logs)
    expected = -(chances * np.where(samples.masks, logs, 0)).sum(axis=1)
    values, taken, entropies = (
        found.detach().numpy() for found in policy.evaluate_actions(*samples.tensors, action_masks=samples.masks)
    )
    assert values.shape == (number, 1)
    np.testing.assert_array_equal(values[:, 0], policy.values.detach().numpy()[samples.states])
    np.testing.assert_allclose(taken, logs[np.arange(number), samples.actions], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(entropies, expected, rtol=1e-5, atol=1e-6)
    distribution = policy.get_distribution(samples.tensors[0], action_masks=samples.masks).distribution
    np.testing.assert_allclose(distribution.probs.detach().numpy(), chances, rtol=1e-5)
    assert (distribution.probs.detach().numpy()[~samples.masks] == 0).all()


@either
@pytest.mark.parametrize("masks", ["none", "array", "tensor"])
@pytest.mark.parametrize("shape", [(N,), (N, 1)])
@pytest.mark.parametrize("dtype", [torch.int64, torch.float32])
def test_its_methods_agree(dtype: torch.dtype, shape: tuple[int, ...], masks: str, kind: dict[str, Any]) -> None:
    policy, samples = drawn(**kind), Samples()
    observed = samples.tensors[0].reshape(shape).to(dtype)
    given: Any = {"none": None, "array": samples.masks, "tensor": torch.as_tensor(samples.masks).float()}[masks]
    for deterministic in (True, False):
        actions, values, log_probabilities = policy(observed, deterministic=deterministic, action_masks=given)
        again, log_probabilities_again, entropies = policy.evaluate_actions(observed, actions, action_masks=given)
        distribution = policy.get_distribution(observed, action_masks=given)
        assert actions.shape == log_probabilities.shape == (N,)
        assert actions.dtype == torch.int64
        assert torch.equal(values, again)
        assert torch.equal(values, policy.predict_values(observed))
        torch.testing.assert_close(log_probabilities, log_probabilities_again)
        torch.testing.assert_close(entropies, distribution.entropy())
        if deterministic:
            assert torch.equal(actions, distribution.distribution.probs.argmax(dim=1))
        if given is not None:
            assert samples.masks[np.arange(N), actions.numpy()].all()


@either
def test_without_masks_it_is_the_tabular_policy(kind: dict[str, Any]) -> None:
    policy, plain, samples = drawn(**kind), drawn(TabularPolicy, **kind), Samples()
    plain.load_state_dict(policy.state_dict())
    for one, other in zip(
        policy.evaluate_actions(*samples.tensors), plain.evaluate_actions(*samples.tensors), strict=True
    ):
        torch.testing.assert_close(one, other)
    for one, other in zip(policy.tables(), plain.tables(), strict=True):
        assert torch.equal(one, other)


def test_a_fresh_table_is_uniform_over_what_is_legal_and_worth_nothing() -> None:
    policy, samples = make(), Samples()
    found = policy.get_distribution(samples.tensors[0], action_masks=samples.masks).distribution.probs
    np.testing.assert_allclose(found.detach(), samples.masks / samples.masks.sum(axis=1, keepdims=True), atol=1e-7)
    assert not policy.predict_values(samples.tensors[0]).any()
    assert sorted(name for name, _ in policy.named_parameters()) == ["logits", "values"]


# Gradients


def gradients(policy: Any, samples: Samples) -> dict[str, torch.Tensor]:
    """Of something that depends on all that an actor-critic's loss does, on each sample in another way."""
    policy.zero_grad()
    values, taken, entropies = policy.evaluate_actions(*samples.tensors, action_masks=samples.masks)
    weights = torch.linspace(-1, 2, N)
    loss = (weights * taken + 0.1 * weights.square() * entropies).mean() + (values.flatten() - weights).square().mean()
    loss.backward()
    return {name: parameter.grad.clone() for name, parameter in policy.named_parameters()}


def test_gradients_are_those_worked_out_by_hand() -> None:
    policy, samples = drawn(), Samples()
    found = gradients(policy, samples)
    logits, values = (found_.detach().double().numpy() for found_ in (policy.logits, policy.values))
    logs = masked_log_softmax(logits[samples.states], samples.masks)
    chances, weights = np.exp(logs), np.linspace(-1, 2, N)
    expected, expected_values = np.zeros((S, A)), np.zeros(S)
    for i, state in enumerate(samples.states):
        surprise = np.where(samples.masks[i], logs[i], 0)
        entropy = -chances[i] @ surprise
        expected[state] += weights[i] / N * (np.eye(A)[samples.actions[i]] - chances[i])
        expected[state] -= 0.1 * weights[i] ** 2 / N * chances[i] * (surprise + entropy)
        expected_values[state] += 2 / N * (values[state] - weights[i])
    np.testing.assert_allclose(found["logits"], expected, atol=1e-6)
    np.testing.assert_allclose(found["values"], expected_values, atol=1e-6)


@pytest.mark.parametrize(
    "architecture",
    [
        {},
        {"share_features_extractor": False},
        {"net_arch": {"pi": [5], "vf": [7, 3]}, "activation_fn": nn.ReLU, "ortho_init": False},
        {"net_arch": []},
    ],
    ids=lambda one: "-".join(one) if one else "default",
)
def test_a_network_is_sb3_contribs_own(architecture: dict[str, Any]) -> None:
    samples = Samples()
    policy, own = drawn(network=True, **architecture), make(MaskableActorCriticPolicy, **architecture)
    own.load_state_dict(policy.state_dict())  # also says that the names are the same
    for first, second in zip(
        *(each.evaluate_actions(*samples.tensors, action_masks=samples.masks) for each in (policy, own)), strict=True
    ):
        torch.testing.assert_close(first, second)
    found, expected = gradients(policy, samples), gradients(own, samples)
    assert found.keys() == expected.keys()
    for name in found:
        torch.testing.assert_close(found[name], expected[name], msg=lambda text, name=name: f"{name}: {text}")


def test_training_with_a_network_is_training_with_sb3_contribs_own() -> None:
    tables = []
    for policy, arguments in ((MaskableTabularPolicy, NETWORK), ("MlpPolicy", {})):
        model = make_model(policy, learning_rate=0.003, policy_kwargs=arguments).learn(1024)
        tables.append(policy_table(model, CliffEnv(SLACKER)))
    np.testing.assert_allclose(*tables, atol=1e-4)
    uniform = SLACKER.mdp.action_mask / SLACKER.mdp.action_mask.sum(axis=1, keepdims=True)
    assert np.abs(tables[0] - uniform).max() > 0.02  # it has learned something


def test_training_is_training_a_linear_map_of_one_hot_states() -> None:
    """The biases of sb3-contrib's network without hidden layers are held at 0: what is left is a table."""
    tables = []
    for policy, arguments in ((MaskableTabularPolicy, SGD), ("MlpPolicy", {"net_arch": [], **SGD})):
        model = make_model(policy, learning_rate=0.5, policy_kwargs=arguments)
        if policy == "MlpPolicy":
            with torch.no_grad():
                for layer in (model.policy.action_net, model.policy.value_net):
                    layer.weight.zero_()
                    layer.bias.zero_()
                    layer.bias.requires_grad_(False)
        torch.manual_seed(0)  # a network has drawn its first weights
        tables.append(policy_table(model.learn(1024), CliffEnv(SLACKER)))
    np.testing.assert_allclose(*tables, atol=1e-5)
    assert np.abs(tables[0] - tables[0][0]).max() > 0.1


@pytest.mark.parametrize("optimizer", [SGD, {}], ids=["SGD", "Adam"])
def test_an_update_of_some_rows_leaves_the_others_alone(optimizer: dict[str, Any]) -> None:
    policy = drawn(**optimizer)
    before = [parameter.detach().clone() for parameter in (policy.logits, policy.values)]
    masks = np.array([[True, True, False, True], [True, False, True, True]])
    states, actions = torch.tensor([4, 7]), torch.tensor([1, 0])
    values, taken, entropies = policy.evaluate_actions(states, actions, action_masks=masks)
    (taken.sum() + entropies.sum() + values.sum()).backward()
    policy.optimizer.step()
    moved = [(after != old).numpy() for after, old in zip((policy.logits, policy.values), before, strict=True)]
    others = np.ones(S, dtype=bool)
    others[states] = False
    assert not moved[0][others].any()
    assert moved[0][states].any(axis=1).all()
    assert np.array_equal(moved[1], ~others)


def test_logits_of_illegal_actions_stay_where_they_are() -> None:
    model = make_model(learning_rate=0.5, policy_kwargs=SGD, n_steps=64).learn(2048)
    legal = SLACKER.mdp.action_mask
    logits = model.policy.logits.detach().numpy()
    assert np.abs(logits[~legal]).max() < 1e-5
    assert np.abs(logits[legal]).max() > 1


# In SB3's hands


@either
def test_it_predicts_for_one_state_and_for_many(kind: dict[str, Any]) -> None:
    model = make_model(policy_kwargs=kind, learning_rate=0.05).learn(512)
    legal = SLACKER.mdp.action_mask
    best = policy_table(model, CliffEnv(SLACKER)).argmax(axis=1)
    states = np.arange(len(legal))
    found, memory = model.predict(states, deterministic=True, action_masks=legal.copy())
    assert np.array_equal(found, best)
    assert memory is None
    action, _ = model.predict(np.array(2), deterministic=True, action_masks=legal[2].copy())
    assert action.shape == ()
    assert action == best[2]
    torch.manual_seed(0)
    drawn_actions, _ = model.predict(np.repeat(states, 100), action_masks=np.repeat(legal, 100, axis=0))
    assert legal[np.repeat(states, 100), drawn_actions].all()
    assert not np.array_equal(drawn_actions, best[np.repeat(states, 100)])


@pytest.mark.parametrize(
    "arguments",
    [{}, SGD, NETWORK, {**NETWORK, "share_features_extractor": False, "net_arch": [7]}],
    ids=lambda one: "-".join(one) if one else "table",
)
def test_what_is_saved_is_loaded_and_learned_on(arguments: dict[str, Any], tmp_path: Path) -> None:
    model = make_model(policy_kwargs=arguments).learn(256)
    model.save(tmp_path / "model.zip")
    model.policy.save(str(tmp_path / "policy.pt"))
    loaded = MaskablePPO.load(tmp_path / "model.zip", env=CliffVecEnv(SLACKER, 8, "true"), device="cpu")
    policy = MaskableTabularPolicy.load(str(tmp_path / "policy.pt"), device="cpu")
    for each in (loaded.policy, policy):
        assert type(each) is MaskableTabularPolicy
        assert each.network == model.policy.network
        assert each.share_features_extractor == model.policy.share_features_extractor
        assert type(each.optimizer) is type(model.policy.optimizer)
        for one, other in zip(each.tables(), model.policy.tables(), strict=True):
            assert torch.equal(one, other)
    env = CliffEnv(SLACKER)
    assert np.array_equal(policy_table(loaded, env), policy_table(model, env))
    loaded.learn(256, reset_num_timesteps=False)
    assert not np.array_equal(policy_table(loaded, env), policy_table(model, env))


def test_sb3_contrib_evaluates_it() -> None:
    model = make_model(learning_rate=0.05, n_steps=32, batch_size=256, n_epochs=4).learn(15_000)
    mean, _ = evaluate_policy(model, CliffVecEnv(SLACKER, 4, "true"), n_eval_episodes=20)
    assert isinstance(mean, float)
    assert mean > 1.9


@pytest.mark.parametrize("seed", range(3))
def test_train_learns_what_it_is_paid_for(seed: int) -> None:
    settings = {"policy": "TabularPolicy", "learning_rate": 0.05}
    result = train(SLACKER, "maskable_ppo", reward="true", seed=seed, total_timesteps=30_720, hyperparameters=settings)
    assert isinstance(result.model.policy, MaskableTabularPolicy)
    assert result.measures["true_return"] > 1.95  # of 2
    assert (result.policy_table[~SLACKER.mdp.action_mask] == 0).all()


# What is refused


@pytest.mark.parametrize(
    ("observations", "arguments", "error", "message"),
    [
        (spaces.Box(0, 1, (3,)), {}, TypeError, "observation_space of a MaskableTabularPolicy must be Discrete, got"),
        (
            spaces.Discrete(3, start=1),
            NETWORK,
            ValueError,
            "observation_space of a MaskableTabularPolicy must begin at",
        ),
        (spaces.Discrete(3), {"network": 1}, TypeError, "network must be True or False, got 1"),
        (
            spaces.Discrete(3),
            {"net_arch": [8]},
            TypeError,
            "argument of a MaskableTabularPolicy without network must be one of .*, got 'net_arch'",
        ),
        (spaces.Discrete(3), {"use_sde": False}, TypeError, "without network must be one of .*, got 'use_sde'"),
        (spaces.Discrete(3), {**NETWORK, "layers": 2}, TypeError, "layers"),
    ],
)
def test_what_makes_no_sense_is_refused(
    observations: Any, arguments: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        MaskableTabularPolicy(observations, spaces.Discrete(2), lambda _: 0.1, **arguments)


def test_ppo_cannot_take_it() -> None:
    policy: Any = MaskableTabularPolicy
    with pytest.raises(TypeError, match=r"must be one of .*, got 'use_sde'"):
        PPO(policy, CliffVecEnv(SLACKER, 4), n_steps=32, device="cpu")
