"""SoftDQN backs up the log-sum-exp, acts by the Boltzmann policy, and learns the exact soft one."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from cliffgym_agents import CliffVecEnv, SoftDQN, policy_table, train
from numpy.typing import NDArray
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.logger import Logger
from stable_baselines3.common.type_aliases import ReplayBufferSamples

import cliffgym
from cliffgym import CliffEnv

SLACKER = cliffgym.scenario("Cliff-Slacker-v0", problems=2)
S, A, MASKS = SLACKER.mdp.num_states, SLACKER.mdp.num_actions, SLACKER.mdp.action_mask


def make(observation: str = "state", n_envs: int = 4, **arguments: Any) -> SoftDQN:
    """A model whose network is a table with a bias for each action."""
    env = CliffVecEnv(SLACKER, n_envs, "true", observation=observation, kernel="numpy")
    given: dict[str, Any] = {"policy_kwargs": {"net_arch": []}, "learning_starts": 0, "buffer_size": 4096}
    if observation == "state":
        given["action_masks"] = MASKS
    return SoftDQN("MlpPolicy", env, seed=0, device="cpu", **given | arguments)


def set_q_values(network: Any, table: NDArray[np.float64]) -> None:
    """Makes a network say what the table (S, A) does."""
    layer = network.q_net[-1]
    with torch.no_grad():
        layer.weight.copy_(torch.as_tensor(table.T))
        layer.bias.zero_()


def boltzmann(q_values: NDArray[np.float64], legal: NDArray[np.bool_], temperature: float) -> NDArray[np.float64]:
    weights = np.where(legal, np.exp(q_values / temperature), 0)
    return weights / weights.sum(axis=-1, keepdims=True)


class Watch(BaseCallback):
    """Notes the temperature before each rollout, and the one that was logged last."""

    def __init__(self, steps: int = 10**9) -> None:
        super().__init__()
        self.steps = steps
        self.temperatures: list[float] = []
        self.logged: list[float] = []

    def _on_rollout_start(self) -> None:
        assert isinstance(self.model, SoftDQN)
        self.temperatures.append(self.model.temperature)
        if "train/temperature" in self.logger.name_to_value:
            self.logged.append(self.logger.name_to_value["train/temperature"])

    def _on_step(self) -> bool:
        return self.n_calls < self.steps


# Targets


@pytest.mark.parametrize("discounts", [None, [0.5, 0.25, 1.0, 0.9]])
@pytest.mark.parametrize("masked", [True, False])
def test_one_step_goes_towards_the_soft_target(masked: bool, discounts: list[float] | None) -> None:
    rate, alpha, gamma = 0.1, 0.3, 0.9
    model = make(
        temperature=alpha,
        gamma=gamma,
        action_masks=MASKS if masked else None,
        max_grad_norm=1e9,
        learning_rate=rate,
        policy_kwargs={"net_arch": [], "optimizer_class": torch.optim.SGD},
    )
    model.set_logger(Logger(None, []))
    rng = np.random.default_rng(0)
    online, target = rng.normal(size=(2, S, A))
    target[~MASKS] += 5  # which would show if it were backed up
    set_q_values(model.q_net, online)
    set_q_values(model.q_net_target, target)
    partly = [state for state in range(S) if not MASKS[state].all() and not SLACKER.mdp.terminal[state]]
    states, actions, nexts = [0, 1, 0, 2], [1, 2, 1, 0], [partly[0], partly[1], partly[-1], 3]
    rewards, dones = [0.5, -1.0, 2.0, 7.0], [0, 0, 0, 1]

    def column(values: Any, dtype: torch.dtype = torch.float32) -> torch.Tensor:
        return torch.tensor(values, dtype=dtype)[:, None]

    batch = ReplayBufferSamples(
        column(states, torch.int64),
        column(actions, torch.int64),
        column(nexts, torch.int64),
        column(dones),
        column(rewards),
        None if discounts is None else column(discounts),
    )
    assert model.replay_buffer is not None
    model.replay_buffer.sample = lambda *_, **__: batch  # type: ignore[method-assign,assignment]
    model.train(1, 4)

    weights, bias = online.copy(), np.zeros(A)
    losses = []
    for i in range(4):
        legal = MASKS[nexts[i]] if masked else np.ones(A, dtype=bool)
        value = alpha * np.log(np.exp(target[nexts[i]][legal] / alpha).sum())
        wanted = rewards[i] + (1 - dones[i]) * (gamma if discounts is None else discounts[i]) * value
        error = online[states[i], actions[i]] - wanted
        losses.append(error**2)
        weights[states[i], actions[i]] -= rate * 2 / 4 * error
        bias[actions[i]] -= rate * 2 / 4 * error
    layer: Any = model.q_net.q_net[-1]
    np.testing.assert_allclose(layer.weight.detach().numpy().T, weights, atol=1e-5)
    np.testing.assert_allclose(layer.bias.detach().numpy(), bias, atol=1e-5)
    assert model.logger.name_to_value["train/loss"] == pytest.approx(np.mean(losses), rel=1e-5)
    assert model.logger.name_to_value["train/temperature"] == alpha
    assert model.logger.name_to_value["train/n_updates"] == 1


def test_the_log_sum_exp_does_not_overflow() -> None:
    model = make(temperature=1e-3)
    model.set_logger(Logger(None, []))
    set_q_values(model.q_net_target, np.full((S, A), 1e4))
    model.learn(64)
    assert all(torch.isfinite(parameter).all() for parameter in model.policy.parameters())


# What it takes


def legal_share(model: SoftDQN) -> float:
    """Of the actions in the replay buffer."""
    buffer: Any = model.replay_buffer
    states, actions = buffer.observations[: buffer.pos].ravel(), buffer.actions[: buffer.pos].ravel()
    assert len(actions) >= 1000
    return float(MASKS[states, actions].mean())


def test_illegal_actions_are_never_taken() -> None:
    assert legal_share(make().learn(1024)) == 1
    assert legal_share(make(action_masks=None).learn(1024)) < 1


def test_illegal_actions_are_not_taken_before_learning_starts_either() -> None:
    assert legal_share(make(learning_starts=1024).learn(1024)) == 1


def test_the_policy_is_the_boltzmann_one() -> None:
    model = make(temperature=0.4)
    q_values = np.random.default_rng(1).normal(size=(S, A))
    set_q_values(model.q_net, q_values)
    expected = boltzmann(q_values, MASKS, 0.4)
    with torch.no_grad():
        np.testing.assert_allclose(model.log_policy(torch.arange(S)).exp().numpy(), expected, atol=1e-6)
    env = CliffEnv(SLACKER)
    np.testing.assert_allclose(policy_table(model, env), expected, atol=1e-6)
    assert (policy_table(model, env)[~MASKS] == 0).all()


@pytest.mark.parametrize("exploration", [0.0, 0.3, 1.0])
def test_sampled_actions_are_as_frequent_as_they_should_be(exploration: float) -> None:
    model = make(temperature=0.5)
    q_values = np.random.default_rng(2).normal(size=(S, A))
    set_q_values(model.q_net, q_values)
    model.exploration_rate = exploration
    torch.manual_seed(0)
    number = 40_000
    for state in (0, int(np.flatnonzero(~MASKS.all(axis=1))[0])):
        legal = MASKS[state]
        expected = (1 - exploration) * boltzmann(q_values[state], legal, 0.5) + exploration * legal / legal.sum()
        actions, _ = model.predict(np.full(number, state))
        found = np.bincount(actions, minlength=A) / number
        assert (found[~legal] == 0).all()
        assert (np.abs(found - expected) <= 5 * np.sqrt(expected * (1 - expected) / number)).all()


def test_each_copy_explores_by_itself() -> None:
    model = make(temperature=1e-3)
    q_values = np.zeros((S, A))
    best = int(np.flatnonzero(MASKS[0])[0])
    q_values[0, best] = 1
    set_q_values(model.q_net, q_values)
    model.exploration_rate = 0.5
    actions, _ = model.predict(np.zeros(1000, dtype=np.int64))
    assert 0.4 < (actions == best).mean() < 0.9


def test_deterministic_actions_are_the_likeliest_legal_ones() -> None:
    model = make()
    q_values = np.random.default_rng(3).normal(size=(S, A))
    q_values[~MASKS] = 9
    set_q_values(model.q_net, q_values)
    model.exploration_rate = 1.0
    actions, state = model.predict(np.arange(S), deterministic=True)
    assert np.array_equal(actions, np.where(MASKS, q_values, -np.inf).argmax(axis=1))
    assert state is None


@pytest.mark.parametrize("deterministic", [True, False])
def test_one_observation_gives_one_action_and_many_give_many(deterministic: bool) -> None:
    model = make()
    single, _ = model.predict(np.array(3), deterministic=deterministic)
    many, _ = model.predict(np.array([3, 4]), deterministic=deterministic)
    assert np.shape(single) == ()
    assert many.shape == (2,)
    env = CliffEnv(SLACKER)
    observation, _ = env.reset(seed=0)
    env.step(int(model.predict(observation, deterministic=deterministic)[0]))


@pytest.mark.parametrize("observation", ["onehot", "tokens"])
def test_without_masks_other_observations_are_learned_from(observation: str) -> None:
    model = make(observation, policy_kwargs=None)
    model.learn(64)
    table = policy_table(model, CliffEnv(SLACKER, observation=observation))
    assert (table > 0).all()
    single, _ = model.predict(model.env.reset()[0])  # type: ignore[union-attr]
    assert np.shape(single) == ()


# Temperatures


def test_a_schedule_of_temperatures_ends_at_the_lowest() -> None:
    model = make(temperature="lin_0.5", lowest_temperature=0.02)
    found = []
    for model._current_progress_remaining in (1.0, 0.5, 0.1, 0.03, 0.0):
        found.append(model.temperature)
    assert found == pytest.approx([0.5, 0.25, 0.05, 0.02, 0.02])
    assert make(temperature=lambda remaining: 1 + remaining).temperature == 2
    assert make(temperature=0.01, lowest_temperature=0.02).temperature == 0.02


def test_training_goes_through_the_schedule_and_logs_it() -> None:
    watch = Watch()
    make(temperature="lin_0.5", train_freq=16).learn(256, callback=watch)
    assert watch.temperatures == pytest.approx([0.5, 0.375, 0.25, 0.125])
    assert watch.logged == pytest.approx([0.375, 0.25, 0.125])


def test_a_callback_stops_it() -> None:
    assert make().learn(1024, callback=Watch(steps=3)).num_timesteps == 12


# Files


@pytest.mark.parametrize("with_env", [True, False])
def test_what_is_saved_can_be_read_back(with_env: bool, tmp_path: Path) -> None:
    model = make(temperature="lin_0.5", lowest_temperature=0.05).learn(256)
    model.save(tmp_path / "model.zip")
    env = CliffVecEnv(SLACKER, 2, "true", kernel="numpy") if with_env else None
    loaded = SoftDQN.load(tmp_path / "model.zip", env=env, device="cpu")
    states = torch.arange(S)
    assert torch.equal(loaded.log_policy(states), model.log_policy(states))
    assert loaded.temperature == model.temperature == 0.05
    for deterministic in (True, False):
        drawn = []
        for each in (model, loaded):
            torch.manual_seed(0)
            drawn.append(each.predict(np.arange(S), deterministic=deterministic)[0])
        assert np.array_equal(*drawn)
    if with_env:
        assert loaded.learn(32, reset_num_timesteps=False).num_timesteps == 256 + 32


# What is refused


def without_legal_action() -> NDArray[np.bool_]:
    masks = MASKS.copy()
    masks[3] = False
    return masks


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"temperature": 0}, ValueError, "temperature must be > 0, got 0"),
        ({"temperature": -1}, ValueError, "temperature must be >= 0, got -1"),
        ({"temperature": "x_1"}, ValueError, "temperature must be a number, .*, got 'x_1'"),
        ({"temperature": [1]}, TypeError, "temperature must be a number"),
        ({"lowest_temperature": 0}, ValueError, "lowest_temperature must be"),
        ({"action_masks": MASKS[:, :-1]}, ValueError, r"action_masks must have shape \(S, A\) = .*, got shape"),
        ({"action_masks": MASKS[0]}, ValueError, r"action_masks must have shape"),
        ({"action_masks": without_legal_action()}, ValueError, "a legal action in each state"),
        ({"observation": "onehot", "action_masks": MASKS}, TypeError, "action_masks must go with Discrete obs.*Box"),
    ],
)
def test_what_makes_no_sense_is_refused(arguments: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        make(**arguments)


# In `train`


@pytest.mark.parametrize("temperature", [0.1, 0.5])
def test_it_learns_the_exact_soft_policy(temperature: float) -> None:
    settings = {"temperature": temperature}
    result = train("Cliff-TieBreaker-v0", "soft_dqn", reward="true", total_timesteps=8000, hyperparameters=settings)
    assert result.measures["total_variation"] < 0.03


@pytest.mark.slow
@pytest.mark.parametrize("temperature", [0.02, 0.1, 0.5])
@pytest.mark.parametrize("id", ["Cliff-TieBreaker-v0", "Cliff-Slacker-v0", "Cliff-Obedience-v0"])
def test_it_learns_every_exact_soft_policy(id: str, temperature: float) -> None:
    distances = []
    for seed in range(5):
        result = train(id, "soft_dqn", reward="true", seed=seed, hyperparameters={"temperature": temperature})
        distances.append(result.measures["total_variation"])
    print(f"{id}, temperature {temperature}: mean {np.mean(distances):.4f}, each {np.round(distances, 4).tolist()}")
    assert np.mean(distances) < 0.03


def test_a_schedule_of_temperatures_reaches_the_model_and_the_measures() -> None:
    watch = Watch()
    settings = {"temperature": "lin_0.5", "lowest_temperature": 0.05}
    result = train("Cliff-Slacker-v0", "soft_dqn", total_timesteps=1024, hyperparameters=settings, callbacks=[watch])
    assert watch.temperatures[0] == 0.5
    expected = cliffgym.soft(result.scenario.mdp, result.scenario.reward("incomplete"), 0.05).policy
    distance = cliffgym.total_variation(result.policy_table, expected)
    visits = cliffgym.occupancy(result.scenario.mdp, expected).sum(axis=1)
    assert result.measures["total_variation"] == pytest.approx(distance @ visits / visits.sum())


def test_train_says_which_actions_are_legal_unless_told_otherwise() -> None:
    told = train("Cliff-Slacker-v0", "soft_dqn", total_timesteps=64).model
    untold = train("Cliff-Slacker-v0", "soft_dqn", total_timesteps=64, hyperparameters={"action_masks": None}).model
    assert isinstance(told, SoftDQN)
    assert isinstance(untold, SoftDQN)
    assert told.action_masks is not None
    assert np.array_equal(told.action_masks, cliffgym.scenario("Cliff-Slacker-v0").mdp.action_mask)
    assert untold.action_masks is None


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"ent_coef": 0.1}, ValueError, "ent_coef must be left out for soft_dqn"),
        ({"hyperparameters": {"ent_coef": 0.1}}, ValueError, "ent_coef must be left out for soft_dqn"),
        ({"hyperparameters": {"temperature": 0}}, ValueError, "temperature must be > 0, got 0"),
        (
            {"hyperparameters": {"policy": "TabularPolicy", "policy_kwargs": {"net_arch": []}}},
            ValueError,
            "SB3's SoftDQN, .*argument of a TabularQPolicy must be one of .*, got 'net_arch'",
        ),
        ({"env_kwargs": {"observation": "onehot"}}, ValueError, "observation must be 'state' for soft_dqn, got 'oneh"),
    ],
)
def test_train_refuses_what_makes_no_sense(arguments: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        train("Cliff-Slacker-v0", "soft_dqn", total_timesteps=64, **arguments)


def test_unknown_hyperparameters_are_refused_with_all_that_there_are() -> None:
    with pytest.raises(TypeError, match="hyperparameter of soft_dqn must be one of") as caught:
        train("Cliff-Slacker-v0", "soft_dqn", hyperparameters={"temprature": 0.1})
    text = str(caught.value)
    for name in (
        "temperature",
        "lowest_temperature",
        "action_masks",
        "policy",
        "learning_rate",
        "exploration_fraction",
    ):
        assert f'"{name}"' in text
    for name in ("gamma", "seed", "env", "_init_setup_model", "arguments"):
        assert f'"{name}"' not in text
