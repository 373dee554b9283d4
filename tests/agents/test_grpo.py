"""GRPO judges each trace of a group against the others, and takes the gradient steps that one works out by hand."""

import statistics
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch
from cliffgym_agents import GRPO, CliffVecEnv, TabularPolicy, grpo, policy_table, train
from numpy.typing import NDArray
from stable_baselines3.common.callbacks import BaseCallback, StopTrainingOnMaxEpisodes
from stable_baselines3.common.env_util import make_vec_env
from stable_baselines3.common.logger import Logger

import cliffgym
from cliffgym import CliffEnv, Scenario
from cliffgym.testing import random_reward

SLACKER = cliffgym.scenario("Cliff-Slacker-v0", problems=2, gamma=0.9)
S, A = SLACKER.mdp.num_states, SLACKER.mdp.num_actions
GROUP = 4
PAID = random_reward(SLACKER.mdp, 0)  # so that hardly two traces earn the same

every_scale = pytest.mark.parametrize("scale", grpo.SCALES)


def make(
    scenario: str | Scenario = SLACKER,
    n_envs: int = 64,
    reward: Any = "true",
    policy: Any = TabularPolicy,
    env: dict[str, Any] | None = None,
    **arguments: Any,
) -> GRPO:
    options: dict[str, Any] = {"kernel": "numpy"} | (env or {})
    vec_env = CliffVecEnv(scenario, n_envs, reward, **options)
    given: dict[str, Any] = {"group_size": GROUP, "seed": 0, "device": "cpu", "gamma": vec_env.envs.mdp.gamma}
    return GRPO(policy, vec_env, **given | arguments)


class Watch(BaseCallback):
    """Notes what each batch was: the traces that were sampled, and the tokens to be trained on."""

    def __init__(self, batches: int = 10**9) -> None:
        super().__init__()
        self.batches = batches
        self.traces: list[Any] = []
        self.tokens: list[Any] = []
        self.tables: list[NDArray[np.float64]] = []

    def _on_step(self) -> bool:
        assert isinstance(self.model, GRPO)
        self.traces.append(self.locals["traces"])
        self.tokens.append(self.model._tokens)
        return self.n_calls < self.batches


def one_batch(model: GRPO) -> tuple[Any, Any]:
    """The traces and tokens of one batch, on which no step is taken."""
    watch = Watch(batches=1)
    model.learn(1, callback=watch)
    return watch.traces[0], watch.tokens[0]


def disturb(model: GRPO, seed: int = 0, size: float = 1.0) -> None:
    """Makes the policy another in each state."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in model.policy.parameters():
            parameter.add_(size * torch.randn(parameter.shape, generator=generator))


def first_lengths(terminations: NDArray[np.bool_]) -> list[int]:
    """How many tokens the first trace of each copy has, of which some may be cut off."""
    return [next((t + 1 for t, ends in enumerate(copy) if ends), len(copy)) for copy in terminations.T]


def first_returns(traces: Any, gamma: float) -> list[float]:
    lengths = first_lengths(traces.terminations)
    return [sum(gamma**t * traces.rewards[t, i] for t in range(lengths[i])) for i in range(len(lengths))]


def expected_advantages(returns: list[float], baseline: str, scale: str) -> list[float]:
    found = []
    for i, value in enumerate(returns):
        start = i // GROUP * GROUP
        among = {"group": returns[start : start + GROUP], "batch": returns, "none": None}
        mean = 0.0 if among[baseline] is None else statistics.fmean(among[baseline])  # type: ignore[arg-type]
        spread = 1.0 if among[scale] is None else statistics.pstdev(among[scale]) + 1e-8  # type: ignore[arg-type]
        found.append((value - mean) / spread)
    return found


# What is trained on


@pytest.mark.parametrize("per_trace", [True, False])
@every_scale
@pytest.mark.parametrize("baseline", grpo.BASELINES)
def test_tokens_are_those_of_the_first_traces(baseline: str, scale: str, per_trace: bool) -> None:
    model = make(reward=PAID, baseline=baseline, scale=scale, per_trace=per_trace)
    traces, tokens = one_batch(model)
    lengths, returns = first_lengths(traces.terminations), first_returns(traces, 0.9)
    assert len(set(lengths)) == 3
    assert len(set(returns)) > 5
    advantages = expected_advantages(returns, baseline, scale)
    share = [1 / (64 * length) if per_trace else 1 / 64 for length in lengths]
    counted = [(t, i) for t in range(len(traces.states)) for i in range(64) if t < lengths[i]]
    assert np.array_equal(tokens.states, [traces.states[place] for place in counted])
    assert np.array_equal(tokens.actions, [traces.actions[place] for place in counted])
    np.testing.assert_allclose(tokens.advantages, [advantages[i] for _, i in counted], rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(tokens.weights, [share[i] for _, i in counted], rtol=1e-6)
    assert float(tokens.weights.sum()) == pytest.approx(1 if per_trace else statistics.fmean(lengths), rel=1e-5)
    assert model.num_timesteps == sum(lengths)


def test_traces_are_those_of_the_environment() -> None:
    traces, _ = one_batch(make(reward=PAID))
    lengths, returns = first_lengths(traces.terminations), first_returns(traces, 0.9)
    env = CliffEnv(SLACKER, reward=PAID)
    for i, (length, expected) in enumerate(zip(lengths, returns, strict=True)):
        prompt = int(np.flatnonzero(SLACKER.prompt_states == traces.states[0, i])[0])
        state, _ = env.reset(options={"prompt": prompt})
        found = 0.0
        for t in range(length):
            assert state == traces.states[t, i]
            state, reward, ended, _, _ = env.step(int(traces.actions[t, i]))
            found += 0.9**t * float(reward)
            assert ended == (t == length - 1)
        assert found == pytest.approx(expected)


def test_actions_are_drawn_from_the_policy() -> None:
    model = make(n_envs=20_000)
    disturb(model)
    table = policy_table(model, CliffEnv(SLACKER))
    traces, _ = one_batch(model)
    for state in SLACKER.prompt_states:
        drawn = traces.actions[0][traces.states[0] == state]
        share = np.bincount(drawn, minlength=A) / drawn.size
        assert (np.abs(share - table[state]) <= 5 * np.sqrt(table[state] * (1 - table[state]) / drawn.size)).all()


# Prompts


def test_a_group_shares_its_prompt_and_prompts_are_drawn_as_the_environment_draws_them() -> None:
    scenario = cliffgym.scenario("Cliff-MultiReward-v0")
    traces, _ = one_batch(make(scenario, n_envs=20_000))
    groups = traces.states[0].reshape(-1, GROUP)
    assert (groups == groups[:, :1]).all()
    expected = scenario.mdp.initial[scenario.prompt_states]
    share = (groups[:, :1] == scenario.prompt_states).mean(axis=0)
    assert (np.abs(share - expected) <= 5 * np.sqrt(expected * (1 - expected) / len(groups))).all()
    assert len(set(expected)) > 1


def test_without_hidden_classes_prompts_alone_are_drawn() -> None:
    scenario = cliffgym.scenario("Cliff-LengthControl-v0")
    model = make(scenario)
    chances, state = scenario.mdp.initial[scenario.prompt_states], np.random.get_state()  # noqa: NPY002
    traces, _ = one_batch(model)
    after = np.random.random()  # noqa: NPY002
    np.random.set_state(state)  # noqa: NPY002
    expected = np.random.choice(len(chances), size=64 // GROUP, p=chances / chances.sum())  # noqa: NPY002
    assert np.array_equal(traces.states[0], scenario.prompt_states[np.repeat(expected, GROUP)])
    assert np.random.random() == after  # noqa: NPY002


# Hidden classes

MULTI, CLASSES = "Cliff-MultiReward-v0", ("safety", "values", "general")
SENDERS = [("safety",), ("values",), ("general",), ("safety", "values"), ("safety", "general"), ("values", "general")]
SCORES = {"safety": (1.0, 0.8, 0.0), "values": (0.3, 1.0, 0.5), "general": (0.0, 0.6, 1.0)}


def askers(traces: Any) -> list[set[str]]:
    """For each group of traces on MultiReward, which classes it may be of, by what its traces are paid."""
    assert (traces.states[0].reshape(-1, GROUP) == traces.states[0, ::GROUP, None]).all()
    found = []
    for start in range(0, traces.states.shape[1], GROUP):
        possible = set(SENDERS[traces.states[0, start]])
        for i in range(start, start + GROUP):
            possible &= {name for name in CLASSES if SCORES[name][traces.actions[0, i]] == traces.rewards[0, i]}
        found.append(possible)
    return found


@pytest.mark.parametrize(
    ("mixture", "ambiguity"), [((0.5, 0.25, 0.25), (0.75, 0.5, 0.5)), ((0.1, 0.6, 0.3), (0.3, 1.0, 0.0))]
)
@pytest.mark.parametrize("kernel", ["numpy", "numba"])
def test_a_group_shares_its_class_and_both_are_drawn_as_often_as_they_come(
    kernel: str, mixture: tuple[float, ...], ambiguity: tuple[float, ...]
) -> None:
    scenario = cliffgym.scenario(MULTI, mixture=mixture, ambiguity=ambiguity)
    traces, _ = one_batch(make(scenario, n_envs=40_000, reward="incomplete", env={"kernel": kernel}))
    drawn = askers(traces)
    assert {len(possible) for possible in drawn} == {1}, "what a group is paid is what one class pays"
    groups = list(zip(traces.states[0, ::GROUP].tolist(), (possible.pop() for possible in drawn), strict=True))
    for name, share, rate in zip(CLASSES, mixture, ambiguity, strict=True):
        for prompt, senders in enumerate(SENDERS):
            expected = share * (1 - rate if len(senders) == 1 else rate / 2) if name in senders else 0
            deviation = np.sqrt(expected * (1 - expected) / len(groups))
            assert abs(groups.count((prompt, name)) / len(groups) - expected) <= 5 * deviation


def test_the_difficulty_that_nobody_sees_is_that_of_the_whole_group() -> None:
    scenario = cliffgym.scenario("Cliff-LengthPenalty-v0", hidden_difficulty=True)
    traces, _ = one_batch(make(scenario, n_envs=2000, reward="incomplete"))
    last = np.array(first_lengths(traces.terminations)) - 1, np.arange(2000)
    credits = {name: traces.components[k][last] for k, name in enumerate(scenario.components.names)}
    drawn = []
    for start in range(0, 2000, GROUP):
        possible = {
            difficulty
            for difficulty in (1, 2, 3, 4)
            if all(
                credits["correct"][i] == (credits["length"][i] >= difficulty and not credits["truncated"][i])
                for i in range(start, start + GROUP)
            )
        }
        assert possible, "no difficulty explains which traces of the group were right"
        drawn.append(min(possible))
    assert set(drawn) == {1, 2, 3, 4}


def test_training_leaves_out_what_its_scenario_leaves_out() -> None:
    for arguments, prompts, names in (
        ({"curated": True}, {0, 1, 2}, set(CLASSES)),
        ({"exclude": "safety"}, {1, 2, 3, 4, 5}, {"values", "general"}),
    ):
        traces, _ = one_batch(make(cliffgym.scenario(MULTI, **arguments), n_envs=4000, reward="incomplete"))
        assert set(traces.states[0].tolist()) == prompts
        assert set.union(*askers(traces)) == names


def test_equal_seeds_draw_equal_classes() -> None:
    def paid(seed: int, kernel: str = "numpy") -> NDArray[np.float64]:
        return one_batch(make(MULTI, seed=seed, reward="incomplete", env={"kernel": kernel}))[0].rewards

    first = paid(3)
    assert np.array_equal(first, paid(3))
    assert np.array_equal(first, paid(3, "numba"))
    assert not np.array_equal(first, paid(4))


# Gradient steps


def by_hand(model: GRPO, logits: NDArray[np.float64], tokens: Any, rate: float) -> tuple[NDArray[np.float64], float]:
    """The logits after the steps on a batch, and the share of the tokens that the last step left out as clipped."""
    start, left_out = None, 0.0
    states, actions, advantages, weights = (np.asarray(column, dtype=np.float64) for column in tokens)
    for _ in range(model.n_epochs):
        probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
        start = probabilities if start is None else start
        gradient, clipped = np.zeros_like(logits), 0
        for state, action, advantage, weight in zip(
            states.astype(int), actions.astype(int), advantages, weights, strict=True
        ):
            chances, reference = probabilities[state], np.maximum(model.reference[state], 1e-8)  # type: ignore[index]
            ratio = chances[action] / start[state, action]
            assert isinstance(model.clip_range, float)
            low, high = 1 - model.clip_range, 1 + model.clip_range
            clipped += not low <= ratio <= high
            if not (ratio > high and advantage > 0) and not (ratio < low and advantage < 0):
                gradient[state] += weight * advantage * ratio * (np.eye(A)[action] - chances)
            entropy = -(chances * np.log(chances)).sum()
            gradient[state] -= weight * model.ent_coef * chances * (np.log(chances) + entropy)
            surprise = np.log(chances / reference)
            gradient[state] -= weight * model.kl_coef * chances * (surprise - chances @ surprise)
        logits = logits + rate * gradient
        left_out = clipped / len(states)
    return logits, left_out


def zeros_in_it() -> NDArray[np.float64]:
    reference = np.random.default_rng(0).uniform(0.1, 1, size=(S, A))
    reference[:, 2] = 0
    return reference / reference.sum(axis=1, keepdims=True)


@pytest.mark.parametrize(
    "arguments",
    [
        {"n_epochs": 1},
        {"n_epochs": 1, "per_trace": False, "scale": "none"},
        {"n_epochs": 1, "ent_coef": 0.3},
        {"n_epochs": 1, "kl_coef": 0.3},
        {"n_epochs": 1, "kl_coef": 0.3, "reference": zeros_in_it()},
        {"n_epochs": 3, "clip_range": 0.05},
        {"n_epochs": 3, "clip_range": 100.0},
        {"n_epochs": 3, "clip_range": 0.05, "kl_coef": 0.1, "ent_coef": 0.2, "baseline": "batch", "scale": "batch"},
    ],
)
def test_steps_are_those_worked_out_by_hand(arguments: dict[str, Any]) -> None:
    rate = 1.0
    optimizer = {"optimizer_class": torch.optim.SGD}
    model = make(reward=PAID, learning_rate=rate, max_grad_norm=1e9, policy_kwargs=optimizer, **arguments)
    disturb(model)
    _, tokens = one_batch(model)
    before = model.policy.logits.detach().double().numpy()  # type: ignore[union-attr,operator]
    expected, clipped = by_hand(model, before.copy(), tokens, rate)
    model.set_logger(Logger(None, []))
    model.train()
    after = model.policy.logits.detach().numpy()  # type: ignore[union-attr,operator]
    np.testing.assert_allclose(after, expected, atol=2e-5)
    assert np.abs(after - before).max() > 0.01
    logged = model.logger.name_to_value
    assert logged["train/clip_fraction"] == pytest.approx(clipped)
    assert (0 < clipped < 1) == (model.clip_range == 0.05)
    assert logged["train/n_updates"] == model.n_epochs
    assert {"train/loss", "train/entropy", "train/reference_kl", "train/learning_rate"} <= set(logged)


def test_gradients_are_no_longer_than_allowed() -> None:
    optimizer = {"optimizer_class": torch.optim.SGD}
    model = make(learning_rate=1.0, max_grad_norm=1e-3, n_epochs=1, policy_kwargs=optimizer, ent_coef=5.0)
    disturb(model)
    before = model.policy.logits.detach().clone()  # type: ignore[union-attr,operator]
    model.learn(1)
    moved = model.policy.logits.detach() - before  # type: ignore[union-attr,operator]
    assert float(moved.norm()) == pytest.approx(1e-3, rel=1e-2)


def test_where_all_traces_of_a_group_are_alike_nothing_is_learned() -> None:
    model = make(reward={"correct": 0.0}, n_epochs=2)
    before = policy_table(model, CliffEnv(SLACKER))
    model.learn(64)
    np.testing.assert_allclose(policy_table(model, CliffEnv(SLACKER)), before, atol=1e-9)


# Seeds, policies, observations


@pytest.mark.parametrize("policy", [TabularPolicy, "MlpPolicy"])
def test_equal_seeds_learn_equally_and_others_differ(policy: Any) -> None:
    def table(seed: int, kernel: str = "numpy") -> NDArray[np.float64]:
        model = make(policy=policy, seed=seed, env={"kernel": kernel}).learn(400)
        return policy_table(model, CliffEnv(SLACKER))

    first = table(3)
    assert np.array_equal(first, table(3))
    assert np.array_equal(first, table(3, "numba"))
    assert not np.array_equal(first, table(4))


def test_a_state_and_its_onehot_are_learned_from_alike() -> None:
    tables = []
    for observation in ("state", "onehot"):
        model = make(policy="MlpPolicy", env={"observation": observation}).learn(400)
        tables.append(policy_table(model, CliffEnv(SLACKER, observation=observation)))
    np.testing.assert_allclose(*tables, atol=1e-5)


@pytest.mark.parametrize("observation", ["state", "onehot", "tokens"])
def test_every_observation_is_learned_from(observation: str) -> None:
    env_kwargs = {"observation": observation}
    result = train("Cliff-Slacker-v0", "grpo", reward="true", total_timesteps=40_000, env_kwargs=env_kwargs)
    assert result.measures["true_return"] == pytest.approx(2, rel=0.02)


@every_scale
@pytest.mark.parametrize("seed", range(3))
def test_it_learns_what_it_is_paid_for(seed: int, scale: str) -> None:
    settings = {"scale": scale}
    result = train("Cliff-Slacker-v0", "grpo", reward="true", seed=seed, hyperparameters=settings)
    assert result.measures["true_return"] == pytest.approx(2, rel=0.02)


def test_a_table_learns_what_it_is_paid_for() -> None:
    settings = {"policy": "TabularPolicy", "learning_rate": 0.05}
    result = train("Cliff-Slacker-v0", "grpo", reward="true", hyperparameters=settings)
    assert result.measures["true_return"] == pytest.approx(2, rel=0.02)


# Lengths


def test_traces_that_go_on_for_ever_are_cut_off() -> None:
    model = make("Cliff-Garnet-v0", max_length=5)
    traces, tokens = one_batch(model)
    assert len(traces.states) == 5
    lengths = first_lengths(traces.terminations)
    assert not traces.terminations.any(axis=0).all()
    assert len(tokens.states) == sum(lengths) == model.num_timesteps
    assert float(tokens.weights.sum()) == pytest.approx(1, rel=1e-5)
    model.learn(1000)


def test_without_a_limit_every_trace_is_whole() -> None:
    traces, _ = one_batch(make())
    assert len(traces.states) == 3
    assert traces.terminations.any(axis=0).all()
    assert make("Cliff-Garnet-v0", max_length=7).max_length == 7
    assert make().max_length == 3


def test_a_limit_is_asked_for_where_traces_may_go_on_for_ever() -> None:
    with pytest.raises(ValueError, match="max_length must be given where traces may go on for ever, got None"):
        make("Cliff-Garnet-v0")
    with pytest.raises(ValueError, match="max_length must be given"):
        train("Cliff-Garnet-v0", "grpo", hyperparameters={"max_length": None})


# Callbacks and records


def test_a_callback_stops_it_before_the_batch_is_trained_on() -> None:
    model = make()
    before = [parameter.detach().clone() for parameter in model.policy.parameters()]
    watch = Watch(batches=1)
    model.learn(10_000, callback=watch)
    assert watch.n_calls == 1
    assert all(torch.equal(a, b) for a, b in zip(before, model.policy.parameters(), strict=True))
    watch = Watch(batches=3)
    model.learn(10_000, callback=watch)
    assert watch.n_calls == 3
    assert model._n_updates == 2 * model.n_epochs


def test_the_log_says_what_traces_earned() -> None:
    watch = Watch()
    model = make(reward=PAID).learn(400, callback=watch, log_interval=1)
    returns = [statistics.fmean(first_returns(traces, 0.9)) for traces in watch.traces]
    lengths = [statistics.fmean(first_lengths(traces.terminations)) for traces in watch.traces]
    assert len(returns) >= 3
    assert model.ep_info_buffer is not None
    assert [info["r"] for info in model.ep_info_buffer] == pytest.approx(returns)
    assert [info["l"] for info in model.ep_info_buffer] == pytest.approx(lengths)
    assert model.num_timesteps == round(sum(lengths) * 64)


# Files


@pytest.mark.parametrize("policy", [TabularPolicy, "MlpPolicy"])
def test_what_is_saved_can_be_read_back(policy: Any, tmp_path: Path) -> None:
    model = make(policy=policy, scale="none", kl_coef=0.2, per_trace=False, max_length=3).learn(400)
    model.save(tmp_path / "model.zip")
    loaded = GRPO.load(tmp_path / "model.zip", device="cpu")
    env = CliffEnv(SLACKER)
    assert np.array_equal(policy_table(loaded, env), policy_table(model, env))
    for name in ("scale", "baseline", "kl_coef", "per_trace", "max_length", "group_size", "clip_range"):
        assert getattr(loaded, name) == getattr(model, name)
    assert np.array_equal(loaded.reference, model.reference)  # type: ignore[arg-type]
    everything = np.arange(S)
    assert np.array_equal(loaded.predict(everything, deterministic=True)[0], policy_table(model, env).argmax(axis=1))
    assert np.shape(loaded.predict(np.array(0))[0]) == ()
    loaded.set_env(CliffVecEnv(SLACKER, 64, "true"))
    loaded.learn(200, reset_num_timesteps=False)
    assert not np.array_equal(policy_table(loaded, env), policy_table(model, env))


@pytest.mark.parametrize(
    ("scenario", "n_envs", "arguments"),
    [("Cliff-Slacker-v0", 4, {"group_size": 4}), ("Cliff-Garnet-v0", 8, {"group_size": 8, "max_length": 5})],
)
def test_what_is_saved_can_be_read_back_with_an_environment(
    scenario: str, n_envs: int, arguments: dict[str, Any], tmp_path: Path
) -> None:
    make(scenario, n_envs, **arguments).learn(50).save(tmp_path / "model.zip")
    loaded = GRPO.load(tmp_path / "model.zip", env=CliffVecEnv(scenario, n_envs, "true"), device="cpu")
    assert {name: getattr(loaded, name) for name in arguments} == arguments
    loaded.learn(50)


# What is refused


def negative() -> NDArray[np.float64]:
    reference = np.full((S, A), 1 / A)
    reference[0, :2] = -0.1, 2 / A + 0.1
    return reference


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"group_size": 1}, ValueError, "group_size must be >= 2, got 1"),
        ({"group_size": 3}, ValueError, "n_envs must be a multiple of group_size = 3, got 64"),
        ({"group_size": 2.5}, TypeError, "group_size must be an integer, got 2.5"),
        ({"baseline": "mean"}, ValueError, 'baseline must be one of "group", "batch", "none", got \'mean\''),
        ({"scale": "std"}, ValueError, 'scale must be one of "group", "batch", "none", got \'std\''),
        ({"per_trace": 1}, TypeError, "per_trace must be"),
        ({"clip_range": 0}, ValueError, "clip_range must be"),
        ({"n_epochs": 0}, ValueError, "n_epochs must be >= 1, got 0"),
        ({"kl_coef": -1}, ValueError, "kl_coef must be >= 0, got -1"),
        ({"ent_coef": -1}, ValueError, "ent_coef must be >= 0, got -1"),
        ({"max_length": 0}, ValueError, "max_length must be >= 1, got 0"),
        ({"reference": np.ones((S, A))}, ValueError, r"reference must be probabilities .* sums from 5\.0 to 5\.0"),
        ({"reference": np.full((S - 1, A), 1 / A)}, ValueError, "reference must be probabilities .*, got shape"),
        ({"reference": np.full(A, 1 / A)}, ValueError, "reference must be probabilities .*, got shape"),
        ({"reference": negative()}, ValueError, "reference must be probabilities"),
        ({"reference": "uniform"}, TypeError, "reference must be"),
    ],
)
def test_what_makes_no_sense_is_refused(arguments: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        make(**arguments)


def test_another_kind_of_environment_is_refused() -> None:
    env = make_vec_env(lambda: CliffEnv(SLACKER), n_envs=8)
    with pytest.raises(TypeError, match="env must be a CliffVecEnv, got DummyVecEnv"):
        GRPO("MlpPolicy", env, device="cpu")


# In `train`


def test_hyperparameters_reach_the_model() -> None:
    settings = {"scale": "none", "baseline": "batch", "per_trace": False, "group_size": 16, "kl_coef": 0.3}
    result = train("Cliff-Slacker-v0", "grpo", total_timesteps=64, hyperparameters=settings)
    assert {name: getattr(result.model, name) for name in settings} == settings
    assert isinstance(result.model, GRPO)
    assert np.array_equal(result.model.reference, result.scenario.reference)  # type: ignore[arg-type]
    assert train("Cliff-Garnet-v0", "grpo", total_timesteps=64).settings["hyperparameters"]["max_length"] == 100


def test_a_schedule_sets_the_entropy_coefficient_before_each_batch() -> None:
    found = []

    class Coefficients(Watch):
        def _on_rollout_end(self) -> None:
            found.append(vars(self.model)["ent_coef"])

    train("Cliff-Slacker-v0", "grpo", ent_coef="lin_0.2", total_timesteps=2000, callbacks=[Coefficients()])
    assert found[0] == 0.2
    assert (np.diff(found) < 0).all()
    assert len(found) >= 3


def test_unknown_hyperparameters_are_refused_with_all_that_there_are() -> None:
    with pytest.raises(TypeError, match=r"hyperparameter of grpo must be one of .*, got 'groups'") as caught:
        train("Cliff-Slacker-v0", "grpo", hyperparameters={"groups": 4})
    text = str(caught.value)
    own = ("group_size", "baseline", "scale", "per_trace", "clip_range", "n_epochs", "kl_coef", "reference")
    for name in (*own, "ent_coef", "max_length", "max_grad_norm", "learning_rate", "policy", "policy_kwargs"):
        assert f'"{name}"' in text
    for name in ("gamma", "seed", "env", "_init_setup_model", "arguments"):
        assert f'"{name}"' not in text


# What SB3's users expect


def test_callbacks_that_count_episodes_count_traces() -> None:
    model = make(n_envs=8)
    stop = StopTrainingOnMaxEpisodes(20)
    model.learn(10**6, callback=stop)
    assert stop.n_episodes == 20 * 8  # SB3 means 20 for each copy


def test_the_clip_range_may_change_while_training_goes_on() -> None:
    seen = []

    def schedule(remaining: float) -> float:
        seen.append(remaining)
        return 0.2 * remaining

    make(n_envs=8, clip_range=schedule).learn(100)
    assert len(seen) > 2
    assert seen == sorted(seen, reverse=True)
    result = train("Cliff-Slacker-v0", "grpo", total_timesteps=512, hyperparameters={"clip_range": "lin_0.2"})
    assert callable(result.model.clip_range)  # type: ignore[attr-defined]  # GRPO has it


def test_an_id_of_ones_own_is_stepped_in_batches() -> None:
    """Gymnasium puts wrappers around it that change nothing."""
    gym.register("OwnForGrpo-v0", entry_point="cliffgym:CliffEnv", kwargs={"scenario": "Cliff-Slacker-v0"})
    try:
        own = train("OwnForGrpo-v0", "grpo", reward="true", total_timesteps=512)
    finally:
        del gym.registry["OwnForGrpo-v0"]
    ours = train("Cliff-Slacker-v0", "grpo", reward="true", total_timesteps=512)
    np.testing.assert_array_equal(own.policy_table, ours.policy_table)
