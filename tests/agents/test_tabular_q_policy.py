"""A table of Q-values is learned as worked out by hand, row by row, and comes to the exact values of the MDP."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from cliffgym_agents import CliffVecEnv, SoftDQN, TabularQPolicy, policy_table, train
from gymnasium import spaces
from numpy.typing import NDArray
from stable_baselines3 import DQN
from stable_baselines3.common.evaluation import evaluate_policy
from stable_baselines3.common.logger import Logger
from stable_baselines3.common.type_aliases import ReplayBufferSamples
from torch import nn

import cliffgym
from cliffgym import CliffEnv, Scenario

SLACKER = cliffgym.scenario("Cliff-Slacker-v0", problems=2)
S, A, MASKS = SLACKER.mdp.num_states, SLACKER.mdp.num_actions, SLACKER.mdp.action_mask
TINY = cliffgym.scenario("Cliff-Slacker-v0", problems=1, gamma=0.9)
SGD = {"optimizer_class": torch.optim.SGD}
KINDS = [DQN, SoftDQN]

every_kind = pytest.mark.parametrize("kind", KINDS)


def make(kind: Any = DQN, policy: Any = TabularQPolicy, **arguments: Any) -> Any:
    env = CliffVecEnv(SLACKER, 4, "true", kernel="numpy")
    given: dict[str, Any] = {"learning_starts": 0, "buffer_size": 4096, "target_update_interval": 64}
    return kind(policy, env, seed=0, device="cpu", **given | arguments)


def bare(num_states: int = 7, num_actions: int = 3, **arguments: Any) -> TabularQPolicy:
    return TabularQPolicy(spaces.Discrete(num_states), spaces.Discrete(num_actions), lambda _: 0.01, **arguments)


def drawn(seed: int = 0, **arguments: Any) -> TabularQPolicy:
    """A policy whose two tables are drawn."""
    policy, generator = bare(**arguments), torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in policy.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator))
    return policy


def tables_of(model: Any) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Copies of the table that is learned and of the one that targets are looked up in."""
    nets = model.q_net, model.q_net_target
    return tuple(net.q_values.detach().double().numpy().copy() for net in nets)  # type: ignore[return-value]


def set_tables(model: Any, online: NDArray[np.float64], target: NDArray[np.float64]) -> None:
    with torch.no_grad():
        model.q_net.q_values.copy_(torch.as_tensor(online))
        model.q_net_target.q_values.copy_(torch.as_tensor(target))


STATES, ACTIONS, NEXTS = [0, 3, 0, 2], [1, 2, 1, 0], [2, 1, 4, 3]
REWARDS, DONES = [0.5, -4.0, 2.0, 7.0], [0, 0, 0, 1]


def step_on_samples(model: Any) -> None:
    """Has a model take one gradient step on those four samples."""

    def column(values: Any, dtype: torch.dtype = torch.float32) -> torch.Tensor:
        return torch.tensor(values, dtype=dtype)[:, None]

    batch = ReplayBufferSamples(
        column(STATES, torch.int64),
        column(ACTIONS, torch.int64),
        column(NEXTS, torch.int64),
        column(DONES),
        column(REWARDS),
        None,
    )
    model.replay_buffer.sample = lambda *_, **__: batch
    model.set_logger(Logger(None, []))
    model.train(1, 4)


# What it computes


def test_it_is_zero_at_first_and_its_target_is_a_table_of_its_own() -> None:
    policy = bare()
    assert [name for name, _ in policy.named_parameters()] == ["q_net.q_values", "q_net_target.q_values"]
    assert not policy.q_net.q_values.any()
    assert policy.q_net.q_values.shape == (7, 3)
    assert policy.q_net.q_values is not policy.q_net_target.q_values
    assert [id(p) for group in policy.optimizer.param_groups for p in group["params"]] == [id(policy.q_net.q_values)]


@pytest.mark.parametrize("shape", [(5,), (5, 1)])
@pytest.mark.parametrize("dtype", [torch.int64, torch.float32])
def test_rows_are_looked_up(dtype: torch.dtype, shape: tuple[int, ...]) -> None:
    policy = drawn()
    states = torch.tensor([6, 0, 3, 3, 1])
    observed = states.reshape(shape).to(dtype)
    assert torch.equal(policy.q_net(observed), policy.q_net.q_values[states])
    best = policy.q_net.q_values.argmax(dim=1)[states]
    assert torch.equal(policy(observed), best)
    assert torch.equal(policy.q_net_target(observed), policy.q_net_target.q_values[states])


def test_states_that_there_are_not_are_refused() -> None:
    for state in (7, -1):
        with pytest.raises(IndexError):
            bare().q_net(torch.tensor([state]))


def test_it_predicts_for_one_state_and_for_many() -> None:
    policy = drawn()
    best = policy.q_net.q_values.argmax(dim=1).numpy()
    for state in (3, np.int64(3), np.array(3)):
        action, memory = policy.predict(state)  # type: ignore[arg-type]
        assert memory is None
        assert action.shape == ()
        assert action == best[3]
    assert np.array_equal(policy.predict(np.array([4, 0, 6, 4]))[0], best[[4, 0, 6, 4]])


# Gradient steps


def test_a_step_of_dqn_is_the_one_worked_out_by_hand() -> None:
    rate, gamma = 0.5, 0.9
    model = make(learning_rate=rate, gamma=gamma, max_grad_norm=1e9, policy_kwargs=SGD)
    online, target = np.random.default_rng(0).normal(size=(2, S, A))
    set_tables(model, online, target)
    step_on_samples(model)
    expected = online.copy()
    for state, action, following, reward, done in zip(STATES, ACTIONS, NEXTS, REWARDS, DONES, strict=True):
        error = online[state, action] - (reward + (1 - done) * gamma * target[following].max())
        expected[state, action] -= rate / 4 * np.clip(error, -1, 1)  # Huber's loss
    after, target_after = tables_of(model)
    np.testing.assert_allclose(after, expected, atol=1e-6)
    np.testing.assert_allclose(target_after, target, rtol=1e-6)
    assert np.abs(after - online).max() > 0.1


@pytest.mark.parametrize("masked", [True, False])
def test_a_step_of_soft_dqn_is_the_one_worked_out_by_hand(masked: bool) -> None:
    rate, gamma, alpha = 0.5, 0.9, 0.3
    masks = MASKS if masked else np.ones_like(MASKS)
    model = make(
        SoftDQN,
        learning_rate=rate,
        gamma=gamma,
        temperature=alpha,
        max_grad_norm=1e9,
        policy_kwargs=SGD,
        action_masks=masks,
    )
    online, target = np.random.default_rng(1).normal(size=(2, S, A))
    set_tables(model, online, target)
    step_on_samples(model)
    expected = online.copy()
    for state, action, following, reward, done in zip(STATES, ACTIONS, NEXTS, REWARDS, DONES, strict=True):
        value = alpha * np.log(np.exp(target[following][masks[following]] / alpha).sum())
        error = online[state, action] - (reward + (1 - done) * gamma * value)
        expected[state, action] -= rate / 4 * 2 * error
    np.testing.assert_allclose(tables_of(model)[0], expected, atol=1e-5)


@pytest.mark.parametrize("optimizer", [SGD, {}], ids=["SGD", "Adam"])
@every_kind
def test_an_update_of_some_rows_leaves_the_others_alone(kind: Any, optimizer: dict[str, Any]) -> None:
    model = make(kind, learning_rate=0.1, policy_kwargs=optimizer)
    before = np.random.default_rng(2).normal(size=(S, A))
    set_tables(model, before, before)
    before, _ = tables_of(model)
    step_on_samples(model)
    changed = tables_of(model)[0] != before
    expected = np.zeros((S, A), dtype=bool)
    expected[STATES, ACTIONS] = True
    assert np.array_equal(changed, expected)


def test_a_network_without_hidden_layers_is_no_table() -> None:
    model = make(policy="MlpPolicy", learning_rate=0.1, policy_kwargs={"net_arch": [], **SGD})
    before = model.q_net(torch.arange(S)).detach()
    step_on_samples(model)
    moved = (model.q_net(torch.arange(S)).detach() != before).numpy()
    assert moved[:, sorted(set(ACTIONS))].all(), "its biases move all states"


@pytest.mark.parametrize("tau", [1.0, 0.3])
@every_kind
def test_the_target_follows_as_sb3_has_it(kind: Any, tau: float) -> None:
    model = make(kind, tau=tau)
    online, target = np.random.default_rng(3).normal(size=(2, S, A))
    set_tables(model, online, target)
    model.set_logger(Logger(None, []))
    for call in range(1, 17):
        model._on_step()
        followed = tau * online + (1 - tau) * target if call == 16 else target  # every 64 steps of 4 copies
        np.testing.assert_allclose(tables_of(model)[1], followed, atol=1e-6)
    np.testing.assert_allclose(tables_of(model)[0], online, atol=1e-6)


# What it comes to


def exact_q_values(made: Scenario, alpha: float | None, masks: NDArray[np.bool_]) -> NDArray[np.float64]:
    """(S, A) by value iteration on a deterministic MDP: soft ones, or where there is no temperature, greatest ones."""
    mdp, reward = made.mdp, made.reward("true")
    q_values = np.zeros(reward.shape)
    for _ in range(100):
        allowed = np.where(masks, q_values, -np.inf)
        top = allowed.max(axis=1)
        soft = top if alpha is None else top + alpha * np.log(np.exp((allowed - top[:, None]) / alpha).sum(axis=1))
        q_values = reward + mdp.gamma * np.where(mdp.terminal, 0, soft)[mdp.successors[:, :, 0]]
    return q_values


@pytest.mark.parametrize("alpha", [0.1, 0.5])
@pytest.mark.parametrize("seed", range(2))
def test_soft_dqn_comes_to_the_exact_soft_q_values(seed: int, alpha: float) -> None:
    settings = {"policy": "TabularPolicy", "temperature": alpha, "learning_rate": "lin_0.05"}
    result = train(TINY, "soft_dqn", reward="true", seed=seed, total_timesteps=6000, hyperparameters=settings)
    assert isinstance(result.model.policy, TabularQPolicy)
    masks = TINY.mdp.action_mask
    expected = exact_q_values(TINY, alpha, masks)
    going = masks & ~TINY.mdp.terminal[:, None]
    np.testing.assert_allclose(tables_of(result.model)[0][going], expected[going], atol=1e-4)
    assert not tables_of(result.model)[0][~going].any(), "what is never taken is never learned"
    weights = np.where(masks, np.exp(expected / alpha), 0)
    policy = weights / weights.sum(axis=1, keepdims=True)
    running = ~TINY.mdp.terminal
    np.testing.assert_allclose(result.policy_table[running], policy[running], atol=1e-3)


def test_dqn_comes_to_the_exact_q_values() -> None:
    settings = {"policy": "TabularPolicy", "learning_rate": "lin_0.05", "target_update_interval": 64}
    result = train(TINY, "dqn", reward="true", total_timesteps=15_000, hyperparameters=settings)
    assert isinstance(result.model.policy, TabularQPolicy)
    expected = exact_q_values(TINY, None, np.ones_like(TINY.mdp.action_mask))
    running = ~TINY.mdp.terminal
    np.testing.assert_allclose(tables_of(result.model)[0][running], expected[running], atol=1e-3)


# In SB3's hands


@every_kind
def test_a_policy_table_is_what_it_says(kind: Any) -> None:
    model = make(kind)
    q_values = np.random.default_rng(4).normal(size=(S, A))
    set_tables(model, q_values, np.zeros((S, A)))
    if kind is DQN:
        expected = np.eye(A)[q_values.argmax(axis=1)]
    else:
        weights = np.exp(q_values / model.temperature)
        expected = weights / weights.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(policy_table(model, CliffEnv(SLACKER)), expected, rtol=1e-5, atol=1e-9)


@pytest.mark.parametrize("arguments", [{}, SGD, {"optimizer_kwargs": {"eps": 1e-3}}], ids=["Adam", "SGD", "eps"])
@every_kind
def test_what_is_saved_is_loaded_and_learned_on(kind: Any, arguments: dict[str, Any], tmp_path: Path) -> None:
    model = make(kind, policy_kwargs=arguments, learning_rate=0.01, exploration_fraction=1.0).learn(256)
    assert tables_of(model)[0].any()
    model.save(tmp_path / "model.zip")
    model.policy.save(str(tmp_path / "policy.pt"))
    loaded = kind.load(tmp_path / "model.zip", env=CliffVecEnv(SLACKER, 4, "true"), device="cpu")
    policy = TabularQPolicy.load(str(tmp_path / "policy.pt"), device="cpu")
    for each in (loaded.policy, policy):
        assert type(each) is TabularQPolicy
        assert type(each.optimizer) is type(model.policy.optimizer)
        for name, values in model.policy.state_dict().items():
            assert torch.equal(each.state_dict()[name], values)
    assert loaded.q_net is loaded.policy.q_net
    assert loaded.q_net_target is loaded.policy.q_net_target
    assert policy.optimizer.defaults.get("eps") == model.policy.optimizer.defaults.get("eps")
    assert str(loaded.policy.optimizer.state_dict()) == str(model.policy.optimizer.state_dict())
    states = np.arange(S)
    assert np.array_equal(loaded.predict(states, deterministic=True)[0], model.predict(states, deterministic=True)[0])
    before, _ = tables_of(loaded)
    loaded.learn(256, reset_num_timesteps=False)
    assert loaded.num_timesteps == 512
    assert not np.array_equal(tables_of(loaded)[0], before)


def test_sb3_evaluates_it() -> None:
    model = make(learning_rate=0.05, exploration_fraction=0.5, gamma=1.0).learn(8000)
    mean, _ = evaluate_policy(model, CliffVecEnv(SLACKER, 4, "true"), n_eval_episodes=20)
    assert mean == 2


@pytest.mark.parametrize("policy", ["TabularPolicy", TabularQPolicy], ids=["name", "class"])
def test_soft_dqn_takes_it_by_name(policy: Any) -> None:
    assert type(make(SoftDQN, policy).policy) is TabularQPolicy


# What is refused


@pytest.mark.parametrize(
    ("spaces_", "arguments", "error", "message"),
    [
        (
            (spaces.Box(0, 1, (3,)), spaces.Discrete(2)),
            {},
            TypeError,
            r"^observation_space of a TabularQPolicy must be Discrete, got Box\(",
        ),
        (
            (spaces.Discrete(3), spaces.MultiDiscrete([2, 2])),
            {},
            TypeError,
            r"^action_space of a TabularQPolicy must be Discrete, got MultiDiscrete\(",
        ),
        (
            (spaces.Discrete(3, start=1), spaces.Discrete(2)),
            {},
            ValueError,
            r"^observation_space of a TabularQPolicy must begin at 0, got Discrete\(3, start=1\)",
        ),
        (
            (spaces.Discrete(3), spaces.Discrete(2)),
            {"net_arch": []},
            TypeError,
            '^argument of a TabularQPolicy must be one of "optimizer_class", "optimizer_kwargs", got \'net_arch\'$',
        ),
        ((spaces.Discrete(3), spaces.Discrete(2)), {"network": True}, TypeError, "TabularQPolicy must .* 'network'$"),
        (
            (spaces.Discrete(3), spaces.Discrete(2)),
            {"activation_fn": nn.ReLU},
            TypeError,
            "TabularQPolicy must .* 'activation_fn'$",
        ),
    ],
)
def test_what_makes_no_sense_is_refused(
    spaces_: tuple[Any, Any], arguments: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        TabularQPolicy(*spaces_, lambda _: 0.1, **arguments)
