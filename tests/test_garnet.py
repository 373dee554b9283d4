"""Garnet: what its page says of random MDPs, recomputed in fractions on small ones and counted on large ones."""

import re
import tracemalloc
from collections import Counter
from fractions import Fraction
from itertools import product
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from numpy.typing import NDArray

import cliffgym
from cliffgym import CliffEnv, Scenario, TabularMDP, evaluate, optimal, uniform_policy
from cliffgym.analysis.ties import ties
from cliffgym.cli import main
from cliffgym.plots import tree_figure

ID = "Cliff-Garnet-v0"
SIZES: list[dict[str, Any]] = [
    {},
    {"seed": 1, "states": 41, "actions": 2, "ties": 0.25},
    {"seed": 2, "states": 30, "actions": 6, "branching": 5, "ties": 0.5, "ending": 0.02},
    {"seed": 3, "states": 60, "branching": 1, "ties": 0.3},
    {"seed": 4, "states": 12, "actions": 3, "branching": 11, "ties": 1.0, "ending": 0.5},
    {"seed": 5, "states": 20, "actions": 3, "ties": 0.0, "components": 1},
    {"seed": 6, "states": 20, "actions": 1, "ties": 0, "branching": 1},
    {"seed": 7, "states": 2, "actions": 2, "branching": 1, "ties": 1.0},
    {"seed": 8, "states": 40, "gamma": 127 / 128},
    {"seed": 9, "states": 40, "gamma": 1.0},
    {"seed": 10, "states": 40, "gamma": 0},
]
every_size = pytest.mark.parametrize("sizes", SIZES, ids=str)


def garnet(**sizes: Any) -> Scenario:
    return cliffgym.scenario(ID, **sizes)


def wanted_ties(made: Scenario) -> int:
    """How many states the page says are tied."""
    share = made.parameters["ties"]
    assert isinstance(share, float | int)
    return round(share * (made.mdp.num_states - 1))


# What was planted


def exact_gaps(made: Scenario) -> list[list[Fraction]]:
    """What each action loses under the incomplete reward, in fractions, at the states other than the end.

    A solver's values, rounded to multiples of 1/16, are shown to be the optimal ones: they solve the optimality
    equation, which has one solution only.
    """
    mdp, reward = made.mdp, made.reward("incomplete")
    values = [Fraction(round(16 * value), 16) for value in optimal(mdp, reward).state_values]
    assert values[-1] == 0
    gaps = []
    for state in range(mdp.num_states - 1):
        q_values = []
        for action in range(mdp.num_actions):
            row = zip(mdp.successors[state, action], mdp.probabilities[state, action], strict=True)
            later = sum(Fraction(float(chance)) * values[following] for following, chance in row)
            q_values.append(Fraction(float(reward[state, action])) + Fraction(mdp.gamma) * later)
        assert max(q_values) == values[state]
        gaps.append([values[state] - q_value for q_value in q_values])
    return gaps


@every_size
def test_optimal_values_and_ties_are_exact_in_fractions(sizes: dict[str, Any]) -> None:
    made = garnet(**sizes)
    gaps = exact_gaps(made)
    assert sum(row.count(Fraction(0)) > 1 for row in gaps) == wanted_ties(made)
    others = {gap for row in gaps for gap in row if gap}
    assert others <= {Fraction(sixteenths, 16) for sixteenths in range(2, 17)}
    optimum = optimal(made.mdp, made.reward("incomplete"))
    assert optimum.optimal_actions[:-1].tolist() == [[gap == 0 for gap in row] for row in gaps]
    assert np.abs(optimum.state_values) == pytest.approx(np.abs(optimum.state_values).clip(0, 1))


@pytest.mark.parametrize("reward", ["incomplete", "true"])
@pytest.mark.parametrize("sizes", [{"states": 30}, {"states": 40, "gamma": 127 / 128}, {"states": 40, "branching": 1}])
def test_rational_arithmetic_confirms_the_ties(sizes: dict[str, Any], reward: str) -> None:
    made = garnet(**sizes)
    found = ties(made.mdp, made.reward(reward), exact=True)
    assert found.certified
    assert len(found.states) == (wanted_ties(made) if reward == "incomplete" else 0)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(("states", "share"), [(11, 0.3), (100, 0.1), (301, 0.155), (300, 1.0), (300, 0.0)])
@pytest.mark.parametrize(("branching", "gamma"), [(2, 0.9375), (2, 1.0), (1, 0.9), (4, 0.99)])
def test_the_share_of_tied_states_is_exact(seed: int, states: int, share: float, branching: int, gamma: float) -> None:
    made = garnet(seed=seed, states=states, ties=share, branching=branching, gamma=gamma)
    optimum = optimal(made.mdp, made.reward("incomplete"))
    assert len(optimum.tied_states) == round(share * (states - 1))
    others = optimum.action_gaps[~optimum.optimal_actions]
    assert others.min() >= 1 / 8 - 1e-9


def test_at_the_defaults_ten_states_are_tied_and_none_is_under_the_true_reward() -> None:
    made = garnet()
    incomplete, true = (ties(made.mdp, made.reward(name)) for name in ("incomplete", "true"))
    assert (len(incomplete.states), incomplete.ambiguous) == (10, ())
    assert (len(true.states), true.ambiguous) == (0, ())


def test_one_backup_gives_planted_values_back_bit_for_bit_in_a_large_mdp() -> None:
    made = garnet(states=20_000)
    mdp, reward = made.mdp, made.reward("incomplete")
    values = np.round(16 * optimal(mdp, reward).state_values) / 16
    q_values = reward + mdp.gamma * (mdp.probabilities * values[mdp.successors]).sum(axis=2)
    assert np.array_equal(q_values.max(axis=1), values)
    best = (q_values == values[:, None])[:-1].sum(axis=1)
    assert (best > 1).sum() == wanted_ties(made) == 2000
    assert set(best.tolist()) == {1, 2, 3, 4}


def test_rewards_weigh_the_components_the_page_names() -> None:
    made = garnet(components=3)
    assert made.components.names == ("component_0", "component_1", "component_2")
    assert np.array_equal(made.reward("incomplete"), made.components["component_0"])
    assert np.array_equal(made.reward("true"), made.components.table.sum(axis=0))
    others = 1024 * made.components.table[1:, :-1]
    assert np.array_equal(others, np.round(others))
    assert 900 < np.abs(others).max() <= 1024
    assert not made.components.table[:, -1].any()


# Transitions


@pytest.mark.parametrize("branching", [2, 3, 20, 99])
@pytest.mark.parametrize(("ending", "units"), [(0.1, 26), (1 / 256, 1), (0.5, 128), (0.0058, 1), (0.0059, 2)])
def test_every_action_leads_to_different_states_and_may_end(branching: int, ending: float, units: int) -> None:
    mdp = garnet(branching=branching, ending=ending, gamma=1.0).mdp  # at 1, it is refused unless every policy ends
    living, chances = mdp.successors[:-1, :, :-1], 256 * mdp.probabilities[:-1]
    assert mdp.successors.shape == (100, 4, branching + 1)
    assert (np.diff(np.sort(living, axis=2), axis=2) > 0).all()
    assert living.min() >= 0
    assert living.max() < 99
    assert (mdp.successors[:-1, :, -1] == 99).all()
    assert np.array_equal(chances, np.round(chances))
    assert (chances >= 1).all()
    assert (chances[:, :, -1] == units).all()
    assert (chances.sum(axis=2) == 256).all()
    steps = np.where(mdp.terminal[:, None], 0.0, np.ones((100, 4)))
    assert evaluate(mdp, steps, uniform_policy(mdp)).expected_return == pytest.approx(256 / units)


def test_successors_and_probabilities_are_drawn_uniformly() -> None:
    mdp = garnet(states=6, actions=1000, ending=1 / 256).mdp
    pairs = Counter(tuple(sorted(row)) for row in mdp.successors[:-1, :, :2].reshape(-1, 2).tolist())
    assert len(pairs) == 10  # of 5 states
    assert all(abs(count - 500) < 4 * np.sqrt(5000 * 0.1 * 0.9) for count in pairs.values())
    first = 256 * mdp.probabilities[:-1, :, 0].ravel()  # 1, ..., 254
    assert (first.min(), first.max()) == (1, 254)
    assert abs(first.mean() - 127.5) < 4 * np.sqrt(254**2 / 12 / first.size)
    assert abs(first.std() - 254 / np.sqrt(12)) < 3


def reaches_end(mdp: TabularMDP) -> list[bool]:
    """Whether some way leads from each state to the end, by plain search."""
    found = [False] * (mdp.num_states - 1) + [True]
    news = True
    while news:
        news = False
        for state, action in product(range(mdp.num_states), range(mdp.num_actions)):
            if not found[state] and found[mdp.successors[state, action, 0]]:
                found[state] = news = True
    return found


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(("states", "actions"), [(2, 1), (2, 3), (3, 1), (30, 1), (30, 2), (100, 4)])
@pytest.mark.parametrize("ending", [1 / 256, 0.1, 0.5])
def test_with_one_successor_nothing_is_left_to_chance_and_the_end_is_in_reach(
    states: int, actions: int, ending: float, seed: int
) -> None:
    mdp = garnet(states=states, actions=actions, branching=1, ending=ending, ties=0, seed=seed).mdp
    assert mdp.successors.shape == (states, actions, 1)
    assert (mdp.probabilities == 1).all()
    to_end = (mdp.successors[:-1] == states - 1).sum()
    assert to_end == max(round(ending * (states - 1) * actions), 1)
    assert all(reaches_end(mdp))


def test_with_one_successor_every_state_can_follow() -> None:
    mdp = garnet(states=101, branching=1, actions=400, ending=0.1).mdp
    counts = np.bincount(mdp.successors[:-1].ravel(), minlength=101)
    assert counts[-1] == 4000
    assert (np.abs(counts[:-1] - 360) < 100).all()


def test_a_policy_may_circle_for_ever_with_one_successor() -> None:
    with pytest.raises(ValueError, match="gamma must be < 1 in an MDP with a cycle"):
        garnet(branching=1, gamma=1.0)
    assert garnet(branching=1, actions=1, ties=0, gamma=1.0).mdp.is_acyclic


# Seeds


def arrays(made: Scenario) -> list[NDArray[Any]]:
    return [made.mdp.successors, made.mdp.probabilities, made.components.table]


@pytest.mark.parametrize("branching", [1, 3])
def test_a_seed_says_everything(branching: int) -> None:
    first, again, other = (arrays(garnet(branching=branching, seed=seed)) for seed in (3, 3, 4))
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    differ = [not np.array_equal(a, b) for a, b in zip(first, other, strict=True)]
    assert differ == [True, branching > 1, True]
    garnet(seed=2**200)


def test_what_follows_what_depends_on_neither_components_ties_nor_gamma() -> None:
    plain, changed = garnet(), garnet(components=4, ties=0.5, gamma=0.5)
    assert np.array_equal(plain.mdp.successors, changed.mdp.successors)
    assert np.array_equal(plain.mdp.probabilities, changed.mdp.probabilities)
    assert np.array_equal(plain.components["component_1"], changed.components["component_1"])


# The environment


def make(**kwargs: Any) -> CliffEnv:
    env = gym.make(ID, **kwargs).unwrapped
    assert isinstance(env, CliffEnv)
    return env


def test_traces_begin_in_state_0_and_end_in_the_last() -> None:
    made = garnet(states=30)
    assert made.mdp.initial.tolist() == [1.0] + [0.0] * 29
    assert np.flatnonzero(made.mdp.terminal).tolist() == [29]
    assert made.mdp.action_mask.all()
    assert made.state_tokens.shape == (30, 0)
    assert not made.state_prompts.any()
    assert made.prompt_states.tolist() == [0]
    assert made.outcomes == ("",) * 29 + ("reached the end",)
    assert made.mdp.state_names is None


@pytest.mark.parametrize("branching", [1, 2])
def test_random_tokens_reach_the_end(branching: int) -> None:
    env = make(branching=branching, ending=0.02, seed=1)
    check_env(env)
    draw = np.random.default_rng(0)
    env.reset(seed=0)
    lengths = []
    for _ in range(200):
        state, info = env.reset()
        terminated, length = False, 0
        assert state == 0
        while not terminated:
            state, _, terminated, _, info = env.step(int(draw.integers(4)))
            length += 1
        assert (state, info["outcome"]) == (99, "reached the end")
        lengths.append(length)
    assert 20 < np.mean(lengths) < 120  # about 1/ending


def test_there_are_no_tokens_to_observe() -> None:
    with pytest.raises(ValueError, match=f'observation must be one of "state", "onehot", got \'tokens\' of {ID}'):
        make(observation="tokens")
    for observation in ("state", "onehot"):
        assert len(make(observation=observation).observations()) == 100


# Large sizes


def peak_of(states: int) -> int:
    """The most memory, in bytes, that building takes."""
    tracemalloc.start()
    try:
        garnet(states=states)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_memory_is_linear_in_the_number_of_states() -> None:
    small, large = peak_of(20_000), peak_of(200_000)
    assert large < 10.5 * small
    assert large < 5 * 200_000 * 4 * (3 + 3 + 2) * 8  # five times what the tables themselves take


# Where a tree of traces is asked for


def test_a_tree_of_traces_is_refused_in_words() -> None:
    made = garnet()
    with pytest.raises(ValueError, match="root must not lead into a cycle, got state 0"):
        tree_figure(made.mdp, uniform_policy(made.mdp), 0)


def test_show_breaks_off_a_sample_that_circles(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["show", ID, "--set", "branching=1"]) == 0
    sample = capsys.readouterr().out.split("\n\n")[2].splitlines()
    assert sample[0] == "> Go on until the end."
    assert sample[-1] == "  ..."
    assert len(sample) == 42
    assert all(re.fullmatch(r"  action_[0-3]", line) for line in sample[1:-1])


def test_show_draws_one_and_the_same_sample(capsys: pytest.CaptureFixture[str]) -> None:
    outputs = []
    for _ in range(2):
        assert main(["show", ID]) == 0
        outputs.append(capsys.readouterr().out)
    assert outputs[0] == outputs[1]
    assert "\n= reached the end\n" in outputs[0]


@pytest.mark.parametrize(
    "command", [["analyze"], ["verify"], ["cliffs", "--component", "component_1", "--from=0", "--to=.1"]]
)
def test_commands_take_it(command: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    name, *options = command
    assert main([name, ID, *options]) == 0
    assert capsys.readouterr().out


# Bad input


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"states": 1}, r"states must be in \[2, 10000000\], got 1"),
        ({"states": 10**12}, r"states must be in \[2, 10000000\], got 1000000000000"),
        ({"actions": 0}, r"actions must be in \[1, 1000\], got 0"),
        ({"branching": 0}, r"branching must be in \[1, 128\], got 0"),
        ({"branching": 129, "states": 1000}, r"branching must be in \[1, 128\], got 129"),
        ({"branching": 10, "states": 10}, "branching must be at most states - 1, got branching 10 and states 10"),
        ({"components": 0}, r"components must be in \[1, 100\], got 0"),
        ({"seed": -1}, "seed must be >= 0, got -1"),
        ({"ties": -0.1}, r"ties must be in \[0, 1\], got -0\.1"),
        ({"ties": 1.5}, r"ties must be in \[0, 1\], got 1\.5"),
        ({"actions": 1}, r"ties must be 0 where there is only one action, got 0\.1"),
        ({"ending": 0.0}, r"ending must be in \[0\.00390625, 0\.5\], got 0\.0"),
        ({"ending": 0.75}, r"ending must be in \[0\.00390625, 0\.5\], got 0\.75"),
        ({"gamma": 1.5}, r"gamma must be in \[0, 1\], got 1\.5"),
        (
            {"states": 10_000_000, "actions": 1000},
            r"components\) must be at most 400,000,000, got 80,000,000,000: choose smaller sizes",
        ),
    ],
    ids=str,
)
def test_bad_values_are_refused(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        garnet(**arguments)


@pytest.mark.parametrize("name", ["states", "actions", "branching", "components", "seed"])
def test_sizes_must_be_integers(name: str) -> None:
    with pytest.raises(TypeError, match=f"{name} must be an integer, got 2.5 of type float"):
        garnet(**{name: 2.5})


@pytest.mark.parametrize("name", ["ties", "ending", "gamma"])
def test_shares_must_be_numbers(name: str) -> None:
    with pytest.raises(TypeError, match=f"{name} must be a number, got 'some' of type str"):
        garnet(**{name: "some"})
