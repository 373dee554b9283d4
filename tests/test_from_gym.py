"""TabularMDP.from_gym: a toy-text table read as an MDP whose states, not transitions, end the trace."""

from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cliffgym import TabularMDP, evaluate, uniform_policy

Table = dict[int, dict[int, list[tuple[Any, ...]]]]
seeds = st.integers(0, 2**32 - 1)


class TextEnv(gym.Env[Any, Any]):
    """As much of a toy-text environment as from_gym reads."""

    def __init__(self, table: Any, initial: Any) -> None:
        self.P = table
        self.initial_state_distrib = initial


def read(table: Any, initial: Any, gamma: float = 0.9) -> tuple[TabularMDP, Any]:
    return TabularMDP.from_gym(TextEnv(table, initial), gamma)


def literal_values(table: Table, policy: Any, gamma: float) -> Any:
    """(S,) values by the table's own semantics: V(s) = Σ_a π(a|s) Σ p (r + gamma (1 - terminated) V(s'))."""
    size = len(table)
    matrix, pay = np.eye(size), np.zeros(size)
    for state, actions in table.items():
        for action, outcomes in actions.items():
            for p, to, reward, ended in outcomes:
                pay[state] += policy[state, action] * p * reward
                matrix[state, to] -= policy[state, action] * p * gamma * (not ended)
    return np.linalg.solve(matrix, pay)


def random_table(seed: int, num_states: int, num_actions: int) -> Table:
    """A table in which some transitions end, among them ones that stay, and states serve as ends or in passing."""
    rng = np.random.default_rng(seed)
    only_ends = rng.random(num_states) < 0.3
    table: Table = {}
    for state in range(num_states):
        table[state] = {}
        for action in range(num_actions):
            outcomes = []
            for p in rng.dirichlet(np.ones(rng.integers(1, 4))):
                to = int(rng.integers(num_states))
                ended = bool(only_ends[to] or rng.random() < 0.2)
                outcomes.append((float(p), to, float(rng.normal()), ended))
            table[state][action] = [*outcomes, (0.0, 0, 5.0, True)]
    return table


@given(seeds, st.sampled_from([4, 6, 2, 3]), st.sampled_from([2, 3, 1]), st.sampled_from([0.9, 0.5, 0.0]))
def test_values_are_those_of_the_table(seed: int, num_states: int, num_actions: int, gamma: float) -> None:
    table = random_table(seed, num_states, num_actions)
    start = np.random.default_rng(seed).dirichlet(np.ones(num_states))
    start[0] = 0
    start /= start.sum()
    policy = np.random.default_rng(seed).dirichlet(np.ones(num_actions), size=num_states)
    mdp, reward = read(table, start, gamma)
    whole_policy = np.full((mdp.num_states, num_actions), 1 / num_actions)
    whole_policy[:num_states] = policy
    result = evaluate(mdp, reward, whole_policy)
    expected = literal_values(table, policy, gamma)
    alive = ~mdp.terminal[:num_states]
    np.testing.assert_allclose(result.state_values[:num_states][alive], expected[alive], atol=1e-10)
    assert result.expected_return == pytest.approx(start @ expected, abs=1e-10)


def test_a_state_entered_only_at_an_end_is_terminal() -> None:
    table = {0: {0: [(1.0, 1, 2.0, True)]}, 1: {0: [(1.0, 1, 7.0, True)]}}
    mdp, reward = read(table, [1.0, 0.0])
    assert mdp.terminal.tolist() == [False, True]
    assert reward.tolist() == [[2.0], [0.0]]


def test_a_state_entered_at_an_end_and_in_passing_stays_and_one_more_means_ended() -> None:
    table = {
        0: {0: [(0.5, 1, 0.0, False), (0.5, 1, 1.0, True)]},
        1: {0: [(1.0, 0, 2.0, False)]},
    }
    mdp, reward = read(table, [1.0, 0.0])
    assert mdp.terminal.tolist() == [False, False, True]
    assert mdp.successors[0, 0].tolist() == [1, 2]
    assert reward.tolist() == [[0.5], [2.0], [0.0]]
    assert mdp.initial.tolist() == [1, 0, 0]


def test_a_trace_that_ends_where_it_started_still_runs() -> None:
    """Going home ends the episode, and home is where it starts: home must not be terminal."""
    table = {0: {0: [(1.0, 1, 1.0, False)]}, 1: {0: [(1.0, 0, 1.0, True)]}}
    mdp, reward = read(table, [1.0, 0.0], gamma=0.5)
    assert mdp.terminal.tolist() == [False, False, True]
    assert evaluate(mdp, reward, uniform_policy(mdp)).expected_return == 1.5


def test_impossible_outcomes_count_for_nothing() -> None:
    table = {0: {0: [(1.0, 1, 1.0, True), (0.0, 1, 9.0, False)]}, 1: {0: [(1.0, 1, 0.0, True)]}}
    mdp, reward = read(table, [1.0, 0.0])
    assert mdp.terminal.tolist() == [False, True]
    assert reward[0, 0] == 1


@pytest.mark.parametrize(
    ("name", "arguments", "terminal"),
    [
        ("FrozenLake", {}, {5, 7, 11, 12, 15}),
        ("FrozenLake", {"is_slippery": False}, {5, 7, 11, 12, 15}),
        ("CliffWalking", {}, {47}),
        ("Taxi", {}, {500}),
    ],
)
def test_gymnasiums_own_tables(name: str, arguments: dict[str, Any], terminal: set[int]) -> None:
    versions = {
        spec.version or 0: spec.id for spec in gym.registry.values() if (spec.namespace, spec.name) == (None, name)
    }
    env = gym.make(versions[max(versions)], **arguments)
    mdp, reward = TabularMDP.from_gym(env)
    assert set(np.flatnonzero(mdp.terminal)) == terminal
    assert mdp.gamma == 0.99
    assert reward.shape == (mdp.num_states, mdp.num_actions)
    inner: Any = env.unwrapped
    start = np.asarray(inner.initial_state_distrib)
    np.testing.assert_allclose(mdp.initial[: start.size], start)


def test_an_environment_without_a_table_is_refused() -> None:
    with pytest.raises(TypeError, match=r"env must have a toy-text table: .* has no attribute 'P'"):
        TabularMDP.from_gym(gym.make("CartPole-v1"))


NAN = float("nan")
FINE = {0: {0: [(1.0, 1, 0.0, True)]}, 1: {0: [(1.0, 1, 0.0, True)]}}


@pytest.mark.parametrize(
    ("table", "initial", "error", "message"),
    [
        ([[1], [2]], [1, 0], TypeError, "P must be a mapping of states to mappings of actions, got list"),
        ({0: [1]}, [1], TypeError, "P must be a mapping of states to mappings of actions"),
        ({1: FINE[0], 2: FINE[1]}, [1, 0], ValueError, r"P must map states 0\.\.S-1 to the same actions 0\.\.A-1"),
        ({0: FINE[0], 1: {1: []}}, [1, 0], ValueError, r"same actions .* actions \[1\] at state 1"),
        ({0: {}, 1: {}}, [1, 0], ValueError, "same actions"),
        (FINE | {1: {0: [(1.0, 1, 0.0)]}}, [1, 0], ValueError, "next state, reward, terminated.* at state 1, action 0"),
        (FINE | {0: {0: [(1.0, 2, 0.0, False)]}}, [1, 0], ValueError, r"states 0\.\.1, not 2, .* state 0"),
        (FINE | {0: {0: [(1.0, -1, 0.0, False)]}}, [1, 0], ValueError, r"states 0\.\.1, not -1, .* state 0"),
        (FINE | {0: {0: [(1.0, 0.5, 0.0, False)]}}, [1, 0], ValueError, r"states 0\.\.1, not 0\.5, .* state 0"),
        (FINE | {0: {0: []}}, [1, 0], ValueError, r"must sum to 1, got 0\.0 at state 0, action 0"),
        ({0: {0: []}, 1: {0: []}}, [1, 0], ValueError, r"must sum to 1, got 0\.0 at state 0, action 0"),
        (FINE | {0: {0: [(0.9, 1, 0.0, True)]}}, [1, 0], ValueError, r"must sum to 1, got 0\.9 at state 0, action 0"),
        (
            FINE | {0: {0: [(NAN, 1, 0.0, True)]}},
            [1, 0],
            ValueError,
            "probability must be finite, got nan",
        ),
        (FINE | {0: {0: [(1.0, 1, NAN, True)]}}, [1, 0], ValueError, "reward must be finite, got nan.* at state 0"),
        (FINE | {0: {0: [(1.0, 1, "x", True)]}}, [1, 0], ValueError, "reward must be a number, got 'x'.* at state 0"),
        (FINE | {0: {0: [(1.0, "1", 0.0, True)]}}, [1, 0], ValueError, "transitions of P must be .* at state 0"),
        (FINE | {0: {0: [(1.0, 1, 0.0, "no")]}}, [1, 0], ValueError, "terminated must be True or False.* at state 0"),
        (FINE | {0: {0: [1]}}, [1, 0], ValueError, "transitions of P must be .* at state 0, action 0"),
        (FINE, [1, 0, 0], ValueError, r"initial_state_distrib must have shape \(2,\), got \(3,\)"),
        (FINE, [1], ValueError, r"initial_state_distrib must have shape \(2,\), got \(1,\)"),
        (FINE, [0.5, 0], ValueError, "initial must be probabilities that sum to 1, got sum 0.5"),
        (FINE, "home", TypeError, "initial_state_distrib must be an array of numbers, got str"),
        ({}, [1], ValueError, r"initial_state_distrib must have shape \(0,\)"),
    ],
)
def test_bad_tables_are_refused(table: Any, initial: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        read(table, initial)
