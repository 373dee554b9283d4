"""Rollouts: every entry is a true step, chance is what the tables say, and either kernel does the same."""

import dataclasses
from functools import cache
from typing import Any

import numpy as np
import pytest
from gymnasium.vector import AutoresetMode
from numpy.typing import NDArray
from scipy import stats

import cliffgym
from cliffgym import CliffVectorEnv, Scenario, TabularMDP
from cliffgym.envs.streams import FIRST_FACTOR, GOLDEN, SECOND_FACTOR, STREAMS
from cliffgym.envs.vector_env import AUTORESET_MODES, Rollout

IDS = list(cliffgym.SCENARIOS)
KERNELS = ("numpy", "numba")

every_id = pytest.mark.parametrize("id", IDS)
every_kernel = pytest.mark.parametrize("kernel", KERNELS)
every_mode = pytest.mark.parametrize("mode", AUTORESET_MODES)


@cache
def scenario(id: str) -> Scenario:
    """A registered scenario, made once; the one of random transitions is small here, and branches."""
    return cliffgym.scenario(id, **({"states": 12, "branching": 3} if id == "Cliff-Garnet-v0" else {}))


def some_policy(mdp: TabularMDP) -> NDArray[np.float64]:
    """(S, A) different probabilities everywhere, of which some are 0; legal actions are preferred."""
    draw = np.random.default_rng(3)
    policy = np.where(mdp.action_mask, 1.0, 0.1) * draw.dirichlet(np.ones(mdp.num_actions), size=mdp.num_states)
    policy[np.arange(0, mdp.num_states, 3), policy[::3].argmin(axis=1)] = 0.0
    return policy / policy.sum(axis=1, keepdims=True)


def same(one: Rollout, other: Rollout) -> bool:
    """Whether two rollouts are equal bit for bit."""
    return all(getattr(one, f.name).tobytes() == getattr(other, f.name).tobytes() for f in dataclasses.fields(one))


def joined(first: Rollout, second: Rollout) -> Rollout:
    """Two rollouts, one after the other, as one."""
    parts: dict[str, Any] = {}
    for name, array in vars(second).items():
        time = {"last_states": None, "components": 1}.get(name, 0)
        parts[name] = array if time is None else np.concatenate([getattr(first, name), array], axis=time)
    return Rollout(**parts)


# What is in it


@every_kernel
@pytest.mark.parametrize("oracle", [True, False])
@pytest.mark.parametrize(("count", "steps"), [(1, 1), (1, 30), (5, 1), (4, 30), (3000, 3)])
def test_shapes_and_types(count: int, steps: int, oracle: bool, kernel: str) -> None:
    made = scenario("Cliff-Slacker-v0")
    envs = CliffVectorEnv(made, count, kernel=kernel, oracle=oracle)
    envs.reset(seed=0)
    traces = envs.rollout(some_policy(made.mdp), steps)
    shape, shown = (steps, count), (steps if oracle else 0, count)
    expected = {
        "states": (shape, np.int64),
        "actions": (shape, np.int64),
        "rewards": (shape, np.float64),
        "terminations": (shape, np.bool_),
        "last_states": ((count,), np.int64),
        "true_rewards": (shown, np.float64),
        "incomplete_rewards": (shown, np.float64),
        "components": ((len(made.components.names) if oracle else 0, *shape), np.float64),
    }
    assert {name: (array.shape, array.dtype) for name, array in vars(traces).items()} == expected
    for array in vars(traces).values():
        assert not array.flags.writeable


@every_mode
@every_kernel
@pytest.mark.parametrize("id", [id for id in IDS if not scenario(id).hidden])  # else see test_hidden_classes
def test_every_entry_is_a_true_step(id: str, kernel: str, mode: str) -> None:
    made = scenario(id)
    mdp, parts, policy = made.mdp, made.components, some_policy(made.mdp)
    weights = {parts.names[0]: 2.0, parts.names[-1]: -0.3}
    envs = CliffVectorEnv(made, 20, weights, kernel=kernel, autoreset_mode=mode)
    first, _ = envs.reset(seed=1)
    traces = envs.rollout(policy, 60)
    pairs = traces.states, traces.actions
    following = np.concatenate([traces.states[1:], traces.last_states[None]])
    assert np.array_equal(traces.states[0], first)
    assert np.array_equal(traces.last_states, envs.states)
    assert not mdp.terminal[traces.states].any()
    assert (policy[pairs] > 0).all()
    assert np.array_equal(traces.rewards, made.reward(weights)[pairs])
    assert np.array_equal(traces.true_rewards, made.reward("true")[pairs])
    assert np.array_equal(traces.incomplete_rewards, made.reward("incomplete")[pairs])
    assert np.array_equal(traces.components, parts.table[:, *pairs])

    chances, ends = mdp.probabilities[pairs], mdp.terminal[mdp.successors[pairs]]
    assert (chances * ends).sum(axis=-1)[traces.terminations].all()
    assert (mdp.initial[following[traces.terminations]] > 0).all()
    goes_on = ~traces.terminations
    may_follow = (mdp.successors[pairs] == following[..., None]) & (chances > 0) & ~ends
    assert may_follow.any(axis=-1)[goes_on].all()
    assert traces.terminations.sum() > 60
    assert goes_on.sum() > 60


def test_a_policy_that_is_certain_is_followed() -> None:
    made = scenario("Cliff-LengthPenalty-v0")
    for kernel in KERNELS:
        envs = CliffVectorEnv(made, 6, "true", kernel=kernel)
        envs.reset(seed=2)
        optimum = cliffgym.optimal(made.mdp, made.reward("true"))
        traces = envs.rollout(optimum.policy, 50)
        assert optimum.optimal_actions[traces.states, traces.actions].all()
        for ended, paid, states in zip(traces.terminations.T, traces.rewards.T, traces.states.T, strict=True):
            begins = np.append(0, np.flatnonzero(ended) + 1)[:-1]
            returns = np.add.reduceat(paid[: ended.nonzero()[0][-1] + 1], begins)
            assert returns == pytest.approx(optimum.state_values[states[begins]])


# Going on


@pytest.mark.parametrize("oracle", [True, False])
@every_kernel
@every_id
def test_two_rollouts_are_one_long_one(id: str, kernel: str, oracle: bool) -> None:
    made = scenario(id)
    policy = some_policy(made.mdp)
    twice, once = (CliffVectorEnv(made, 7, kernel=kernel, oracle=oracle) for _ in range(2))
    for envs in (twice, once):
        envs.reset(seed=3)
    for first, second in ((1, 1), (7, 20), (300, 2)):
        parts = joined(twice.rollout(policy, first), twice.rollout(policy, second))
        assert same(parts, once.rollout(policy, first + second))


@every_mode
@every_kernel
@every_id
def test_a_rollout_is_what_steps_with_its_actions_would_have_been(id: str, kernel: str, mode: str) -> None:
    made = scenario(id)
    policy = some_policy(made.mdp)
    envs = CliffVectorEnv(made, 5, "true", kernel=kernel, autoreset_mode=mode)
    stepped = CliffVectorEnv(made, 5, "true", kernel=kernel, autoreset_mode="same_step")
    for each in (envs, stepped):
        each.reset(seed=4)
        each.step(np.zeros(5, dtype=int))  # so that the rollout starts in the middle of traces, or where some ended
    for _ in range(2):
        traces = envs.rollout(policy, 30)
        for time, actions in enumerate(traces.actions):
            assert np.array_equal(traces.states[time], stepped.states)
            _, rewards, ended, _, infos = stepped.step(actions)
            assert np.array_equal(traces.rewards[time], rewards)
            assert np.array_equal(traces.terminations[time], ended)
            for oracle, shown in ((infos, ~ended), (infos.get("final_info"), ended)):
                if shown.any():
                    assert np.array_equal(traces.true_rewards[time][shown], oracle["true_reward"][shown])
                    for name, credit in zip(made.components.names, traces.components[:, time], strict=True):
                        assert np.array_equal(credit[shown], oracle["components"][name][shown])
        assert np.array_equal(traces.last_states, stepped.states)
    # And steps go on from where it ends, in every mode.
    result, expected = (each.step(np.ones(5, dtype=int)) for each in (envs, stepped))
    ended = expected[2]
    assert np.array_equal(result[0][~ended], expected[0][~ended])
    assert np.array_equal(result[1], expected[1])
    assert np.array_equal(result[2], ended)


@every_kernel
def test_a_rollout_begins_traces_where_some_have_ended(kernel: str) -> None:
    made = scenario("Cliff-TieBreaker-v0")
    illegal = int(np.flatnonzero(~made.mdp.action_mask[0])[0])
    for mode in ("next_step", "disabled"):
        envs, same_step = (CliffVectorEnv(made, 4, kernel=kernel, autoreset_mode=each) for each in (mode, "same_step"))
        for each in (envs, same_step):
            each.reset(seed=3, options={"prompt": 1})
            assert each.step([illegal, 0, illegal, 0])[2].tolist() == [True, False, True, False]
        policy = some_policy(made.mdp)
        assert same(envs.rollout(policy, 10), same_step.rollout(policy, 10))
        assert envs.step([0, 0, 0, 0])[2].shape == (4,)  # nobody waits


# Streams


@every_id
def test_both_kernels_do_the_same(id: str) -> None:
    made = scenario(id)
    policy = some_policy(made.mdp)
    for count, steps, oracle in ((1, 700, True), (6, 80, False), (900, 12, True), (2500, 4, True)):
        rollouts = []
        for kernel in KERNELS:
            envs = CliffVectorEnv(made, count, "true", kernel=kernel, oracle=oracle)
            envs.reset(seed=5)
            envs.rollout(policy, 3)
            rollouts.append(envs.rollout(policy, steps))
        assert same(*rollouts)


@every_kernel
@pytest.mark.parametrize("id", ["Cliff-LengthControl-v0", "Cliff-Garnet-v0"])
def test_a_copys_rollout_does_not_depend_on_how_many_run_beside_it(id: str, kernel: str) -> None:
    made = scenario(id)
    policy, rollouts = some_policy(made.mdp), {}
    for count in (1, 7, 1000, 2049, 5000):
        envs = CliffVectorEnv(made, count, kernel=kernel)
        envs.reset(seed=6)
        rollouts[count] = envs.rollout(policy, 40)
    for count, traces in rollouts.items():
        shared = min(count, 7)
        for name, array in vars(traces).items():
            assert np.array_equal(array[..., :shared], getattr(rollouts[5000], name)[..., :shared])


@every_kernel
def test_a_seed_says_what_the_policy_emits(kernel: str) -> None:
    made = scenario("Cliff-LengthControl-v0")
    policy = some_policy(made.mdp)
    envs = CliffVectorEnv(made, 50, kernel=kernel)
    actions = []
    for seed in (7, 7, 57, None):  # the seeds 57 to 106 are no copy's of the first
        envs.reset(seed=seed, options={"prompt": 0})
        actions.append(envs.rollout(policy, 30).actions)
    assert np.array_equal(actions[0], actions[1])
    assert not np.array_equal(actions[0], actions[2])
    assert not np.array_equal(actions[2], actions[3])  # the stream goes on
    assert len(np.unique(actions[0], axis=1).T) > 45  # and copies differ


@every_kernel
def test_what_the_policy_draws_takes_nothing_from_the_prompts(kernel: str) -> None:
    made = scenario("Cliff-LengthControl-v0")
    rolled, plain = (CliffVectorEnv(made, 5, kernel=kernel) for _ in range(2))
    think = np.tile([0.8, 0.2], (made.mdp.num_states, 1))
    for envs in (rolled, plain):
        envs.reset(seed=8)
    begun = int(rolled.rollout(think, 25).terminations[:, 0].sum())
    assert begun > 0
    starts = [plain.reset()[0][0] for _ in range(begun + 1)]
    assert rolled.reset()[0][0] == starts[-1]


# Chance


def returns_and_visits(mdp: TabularMDP, traces: Rollout) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(N,) the discounted returns of the copies' first traces, and (N, S · A) their discounted visits."""
    steps, count = traces.states.shape
    going_on = np.vstack([np.ones((1, count)), traces.terminations[:-1].cumsum(axis=0) == 0])
    weights = going_on * mdp.gamma ** np.arange(steps)[:, None]
    pairs = traces.states * mdp.num_actions + traces.actions
    visits = np.zeros((count, mdp.num_states * mdp.num_actions))
    np.add.at(visits, (np.arange(count), pairs), weights)
    assert traces.terminations.any(axis=0).all()
    return (weights * traces.rewards).sum(axis=0), visits


@pytest.mark.parametrize("gamma", [0.9, None])
@every_kernel
@every_id
def test_returns_and_visits_are_those_of_exact_evaluation(id: str, kernel: str, gamma: float | None) -> None:
    sizes: dict[str, Any] = {"states": 12, "branching": 3} if id == "Cliff-Garnet-v0" else {}
    made = cliffgym.scenario(id, **sizes, **({} if gamma is None else {"gamma": gamma}))
    mdp, policy, count = made.mdp, some_policy(made.mdp), 4000
    envs = CliffVectorEnv(made, count, "true", kernel=kernel)
    envs.reset(seed=9)
    traces = envs.rollout(policy, int(mdp.heights.max()) if mdp.is_acyclic else 250)
    returns, visits = returns_and_visits(mdp, traces)
    exact = cliffgym.evaluate(mdp, made.reward("true"), policy).expected_return
    assert abs(returns.mean() - exact) <= 4 * returns.std() / np.sqrt(count) + 1e-12
    expected = cliffgym.occupancy(mdp, policy).ravel()
    assert not visits[:, expected == 0].any()
    # Pairs that are hardly ever met are left out: their spread is not known from so few visits.
    often = expected * count > 20
    errors = np.abs(visits.mean(axis=0) - expected)[often]
    assert (errors <= 4.5 * visits[:, often].std(axis=0) / np.sqrt(count) + 1e-12).all()


@every_kernel
@every_id
def test_actions_come_with_the_probabilities_of_the_policy(id: str, kernel: str) -> None:
    made = scenario(id)
    policy = some_policy(made.mdp)
    envs = CliffVectorEnv(made, 2000, kernel=kernel)
    envs.reset(seed=10)
    traces = envs.rollout(policy, 30)
    counts = np.zeros(policy.shape, dtype=int)
    np.add.at(counts, (traces.states, traces.actions), 1)
    assert not counts[policy == 0].any()
    expected = policy * counts.sum(axis=1, keepdims=True)
    enough = (np.where(policy > 0, expected, np.inf).min(axis=1) > 5) & ~made.mdp.terminal
    assert enough.any()
    statistic = ((counts - expected)[enough] ** 2 / np.where(policy > 0, expected, 1)[enough]).sum()
    freedom = ((policy > 0).sum(axis=1) - 1)[enough].sum()
    assert 1e-4 < stats.chi2.sf(statistic, freedom) < 1 - 1e-4


# Rows whose cumulative probabilities do not get to 1, and rows with zeros at either end or in between.
ROWS = [
    [0.1] * 10,
    [*[0.1] * 10, 0.0, 0.0],
    [0.0, *[0.1] * 10, 0.0],
    [0.0, 0.25, 0.0, 0.75, 0.0],
    [0.0, 0.0, 1.0],
    [1.0, 0.0],
    [1.0],
]


@every_kernel
@pytest.mark.parametrize("row", ROWS, ids=str)
def test_extreme_draws_emit_what_is_possible(row: list[float], kernel: str) -> None:
    made = cliffgym.scenario("Cliff-Garnet-v0", actions=len(row), states=5, ties=0.0)
    envs = CliffVectorEnv(made, 2, kernel=kernel)
    envs.reset(seed=[seed_that_draws(number, "policy") for number in (0.0, 1 - 2.0**-53)])
    emitted = envs.rollout(np.tile(row, (5, 1)), 1).actions[0]
    assert emitted.tolist() == np.flatnonzero(row)[[0, -1]].tolist()


def test_some_row_does_not_get_to_one() -> None:
    assert min(np.cumsum(row)[-1] for row in ROWS) < 1


def seed_that_draws(number: float, stream: str) -> int:
    """A seed whose first number from a stream is the given multiple of 2^-53: SplitMix64 can be undone."""
    key = unmixed(int(number * 2**53) << 11) - GOLDEN
    return (unmixed(unmixed(key) - (1 + STREAMS.index(stream))) - GOLDEN) % 2**64


def unmixed(bits: int) -> int:
    """What SplitMix64's output function makes the bits of."""
    word = 1 << 64
    bits %= word
    bits = (bits ^ (bits >> 31) ^ (bits >> 62)) * pow(SECOND_FACTOR, -1, word) % word
    bits = (bits ^ (bits >> 27) ^ (bits >> 54)) * pow(FIRST_FACTOR, -1, word) % word
    return bits ^ (bits >> 30) ^ (bits >> 60)


# The policy that is given


@every_kernel
def test_policies_of_single_precision_and_lists_are_policies(kernel: str) -> None:
    made = scenario("Cliff-TieBreaker-v0")
    policy = np.random.default_rng(0).dirichlet(np.ones(made.mdp.num_actions), size=made.mdp.num_states)
    rollouts = []
    for given in (policy.astype(np.float32), policy.astype(np.float32).astype(float).tolist()):
        envs = CliffVectorEnv(made, 3, kernel=kernel)
        envs.reset(seed=0)
        rollouts.append(envs.rollout(given, 20))
    assert same(*rollouts)


@every_kernel
def test_the_policy_is_neither_changed_nor_kept(kernel: str) -> None:
    made = scenario("Cliff-Slacker-v0")
    policy = some_policy(made.mdp)
    before = policy.copy()
    envs = CliffVectorEnv(made, 3, kernel=kernel)
    envs.reset(seed=0)
    first = envs.rollout(policy, 5)
    copied = {name: array.copy() for name, array in vars(first).items()}
    assert np.array_equal(policy, before)
    policy[:] = np.eye(made.mdp.num_actions)[0]
    assert (envs.rollout(policy, 5).actions == 0).all()
    assert all(np.array_equal(array, copied[name]) for name, array in vars(first).items())


@every_kernel
def test_the_reward_is_the_one_at_the_time(kernel: str) -> None:
    made = scenario("Cliff-Slacker-v0")
    envs, policy = CliffVectorEnv(made, 3, kernel=kernel), some_policy(made.mdp)
    envs.reset(seed=0)
    assert envs.autoreset_mode == AutoresetMode.NEXT_STEP
    for reward in ("true", "lazy", {"effort": -1.0}):
        envs.set_reward(reward)
        traces = envs.rollout(policy, 20)
        assert np.array_equal(traces.rewards, made.reward(reward)[traces.states, traces.actions])
        assert np.array_equal(traces.incomplete_rewards, made.reward("incomplete")[traces.states, traces.actions])
