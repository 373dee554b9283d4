"""observe: what an agent sees of a world is an MDP, and what is best in it is best for whoever sees no more."""

import copy
import itertools
import pickle
import re
from dataclasses import FrozenInstanceError, dataclass, replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from cliffgym import ObservedMDP, RewardComponents, TabularMDP, evaluate, observe, optimal
from cliffgym.testing import CYCLES, dense_kernel, deterministic_policies, random_mdp, random_policy, random_reward

seeds = st.integers(0, 2**32 - 1)
every_copy = pytest.mark.parametrize(
    "duplicate", [copy.deepcopy, lambda seen: pickle.loads(pickle.dumps(seen))], ids=["deepcopy", "pickle"]
)

# Worlds that keep the class condition


@dataclass(frozen=True)
class Case:
    """A world made of an MDP that the agent sees and classes that it does not, and how it was made.

    Attributes:
        base: What the agent should see, its states numbered otherwise.
        world: The world.
        observations: (W,) what each state looks like.
        base_states: (W,) the state of `base` behind it.
        reward: (W, A) a random reward.
    """

    base: TabularMDP
    world: TabularMDP
    observations: NDArray[np.intp]
    base_states: NDArray[np.intp]
    reward: NDArray[np.float64]

    @property
    def seen(self) -> ObservedMDP:
        return observe(self.world, self.observations)


def product(
    base: TabularMDP, starts: NDArray[np.float64], follow: NDArray[np.float64], rng: np.random.Generator
) -> Case:
    """A state of the world is one of `base` and a class; both worlds and looks are numbered at random.

    Args:
        base: The dynamics of what is seen.
        starts: (S, C) the chance of each class in each first state.
        follow: (S, C, C) the chance of each class after a class, where a state of `base` is come to.
        rng: Draws numbers and rewards.
    """
    (S, A, B), C = base.successors.shape, starts.shape[1]
    pairs = rng.permutation([(s, c) for s in range(S) for c in range(C)])
    number = np.empty((S, C), dtype=np.intp)
    number[tuple(pairs.T)] = np.arange(S * C)
    successors = np.empty((S * C, A, B, C), dtype=np.intp)
    chances = np.empty((S * C, A, B, C))
    for w, (s, c) in enumerate(pairs):
        successors[w] = number[base.successors[s]]
        chances[w] = base.probabilities[s][:, :, None] * follow[base.successors[s], c]
        if base.terminal[s]:
            successors[w], chances[w] = w, 1 / (B * C)
    base_states = pairs[:, 0]
    world = TabularMDP(
        successors=successors.reshape(S * C, A, B * C),
        probabilities=chances.reshape(S * C, A, B * C),
        initial=(base.initial[:, None] * starts)[tuple(pairs.T)],
        terminal=base.terminal[base_states],
        gamma=base.gamma,
        action_mask=base.action_mask[base_states],
    )
    observations = rng.permutation(S)[base_states]
    return Case(base, world, observations, base_states, random_reward(world, int(rng.integers(2**32))))


def mixture(rng: np.random.Generator, C: int, size: int | None = None) -> NDArray[np.float64]:
    """(C,) or (size, C) shares of classes, of which some may be 0."""
    weights = rng.exponential(size=(C,) if size is None else (size, C)) * (rng.random(C) < 0.8)
    weights[..., 0] += 0.1
    return weights / weights.sum(axis=-1, keepdims=True)


def lasting(seed: int, C: int = 3, size: int = 5, **arguments: Any) -> Case:
    """The class is drawn before the first state, alike for all first states, and stays what it is."""
    rng = np.random.default_rng([seed, 1])
    base = random_mdp(seed, num_states=size, num_actions=2, **arguments)
    S = base.num_states
    return product(base, np.tile(mixture(rng, C), (S, 1)), np.tile(np.eye(C), (S, 1, 1)), rng)


def drifting(seed: int, C: int = 3, size: int = 5, **arguments: Any) -> Case:
    """The class may change at each step, but its distribution among all traces stays the same."""
    rng = np.random.default_rng([seed, 1])
    base = random_mdp(seed, num_states=size, num_actions=2, **arguments)
    shares, keeps = mixture(rng, C), rng.random(base.num_states)[:, None, None]
    follow = keeps * np.eye(C) + (1 - keeps) * shares
    return product(base, np.tile(shares, (base.num_states, 1)), follow, rng)


def drawn_anew(seed: int, C: int = 3, size: int = 5, **arguments: Any) -> Case:
    """Each state has odds of its own, by which the class is drawn whenever one comes there."""
    rng = np.random.default_rng([seed, 1])
    base = random_mdp(seed, num_states=size, num_actions=2, **arguments)
    odds = mixture(rng, C, base.num_states)
    return product(base, odds, np.repeat(odds[:, None], C, axis=1), rng)


def forest(seed: int, C: int = 3, size: int = 3, **_: Any) -> Case:
    """Prompts, each with a mixture of classes of its own, and all traces of two tokens after them."""
    rng = np.random.default_rng([seed, 1])
    ends = np.repeat(np.arange(3 * size, 7 * size), 2)
    base = TabularMDP(
        successors=np.concatenate([np.arange(size, 7 * size), ends]).reshape(-1, 2, 1),  # numbered level by level
        probabilities=np.ones((7 * size, 2, 1)),
        initial=np.concatenate([rng.dirichlet(np.ones(size)), np.zeros(6 * size)]),
        terminal=np.arange(7 * size) >= 3 * size,
        gamma=float(rng.choice([1.0, 0.8])),
    )
    return product(base, mixture(rng, C, 7 * size), np.tile(np.eye(C), (7 * size, 1, 1)), rng)


makers = st.sampled_from([lasting, drifting, drawn_anew])
shapes = st.fixed_dictionaries(
    {
        "C": st.sampled_from([3, 1, 2, 4]),
        "branching": st.sampled_from([2, 3]),
        "cycles": st.sampled_from(CYCLES),
        "gamma": st.sampled_from([0.9, 0.5, 0.99]),
        "num_terminal": st.sampled_from([1, 2]),
    }
)
undiscounted = st.fixed_dictionaries(
    {
        "C": st.sampled_from([3, 2]),
        "branching": st.sampled_from([1, 2]),
        "cycles": st.just("none"),
        "gamma": st.just(1.0),
    }
)
cases = st.one_of(
    st.builds(lambda make, seed, shape: make(seed, **shape), makers, seeds, shapes | undiscounted),
    st.builds(forest, seeds, C=st.sampled_from([3, 2]), size=st.sampled_from([2, 1, 3])),
)


def trace_return(mdp: TabularMDP, reward: NDArray[np.float64], policy: NDArray[np.float64]) -> float:
    """The expected return, from a dense linear system."""
    alive = ~mdp.terminal
    kernel = np.einsum("sa,sat->st", policy, dense_kernel(mdp))[np.ix_(alive, alive)]
    values = np.linalg.solve(np.eye(alive.sum()) - mdp.gamma * kernel, (policy * reward).sum(axis=1)[alive])
    return float(mdp.initial[alive] @ values)


# What the agent sees


@given(cases)
def test_the_observed_dynamics_are_those_that_every_state_behind_an_observation_has(case: Case) -> None:
    seen = case.seen
    assert seen.mdp.num_states == case.base.num_states
    world, observed = dense_kernel(case.world), dense_kernel(seen.mdp)
    expected = np.zeros((case.world.num_states, case.world.num_actions, seen.mdp.num_states))
    for state in range(case.world.num_states):
        expected[:, :, case.observations[state]] += world[:, :, state]
    for state, look in enumerate(case.observations):
        np.testing.assert_allclose(observed[look], expected[state], atol=1e-12)
        assert seen.mdp.terminal[look] == case.world.terminal[state]
        assert seen.mdp.action_mask[look].tolist() == case.world.action_mask[state].tolist()
    initial = [case.world.initial[case.observations == look].sum() for look in range(seen.mdp.num_states)]
    np.testing.assert_allclose(seen.mdp.initial, initial, atol=1e-15)
    assert seen.mdp.gamma == case.world.gamma


@given(cases)
def test_what_is_seen_is_the_mdp_that_the_world_was_made_of(case: Case) -> None:
    seen = case.seen
    number = dict(zip(case.base_states, case.observations, strict=True))
    looks = np.array([number[state] for state in range(case.base.num_states)])
    kernel = dense_kernel(seen.mdp)[looks][:, :, looks]
    np.testing.assert_allclose(kernel, dense_kernel(case.base), atol=1e-12)
    np.testing.assert_allclose(seen.mdp.initial[looks], case.base.initial, atol=1e-12)
    assert seen.mdp.reachable[looks].tolist() == case.base.reachable.tolist()


@given(cases, seeds)
def test_beliefs_are_the_same_at_all_times_and_under_all_policies(case: Case, seed: int) -> None:
    # How traces spread over the world, step by step, under some policy: all that a belief can be compared with.
    seen = case.seen
    policy = seen.lift(random_policy(seen.mdp, seed, legal=False))
    kernel = np.einsum("sa,sat->st", policy, dense_kernel(case.world))
    members = case.observations == np.arange(seen.mdp.num_states)[:, None]
    spread, met = case.world.initial, np.zeros(seen.mdp.num_states, dtype=bool)
    for _ in range(case.base.num_states + 2):
        totals = members @ spread
        for look in np.flatnonzero((totals > 1e-12) & ~seen.mdp.terminal):
            met[look] = True
            np.testing.assert_allclose(seen.beliefs[members[look]], spread[members[look]] / totals[look], atol=1e-9)
        spread = spread @ kernel
    sums = members @ seen.beliefs
    np.testing.assert_allclose(sums, met, atol=1e-12)  # 1 where traces come, 0 elsewhere
    assert (seen.beliefs[~met[case.observations]] == 0).all()
    assert (seen.beliefs >= 0).all()


# What the agent may expect


@given(cases, seeds, st.booleans())
def test_a_policy_earns_in_the_world_what_it_earns_in_what_is_seen(case: Case, seed: int, legal: bool) -> None:
    seen = case.seen
    policy = random_policy(seen.mdp, seed, legal=legal)
    expected = trace_return(case.world, case.reward, policy[case.observations])
    tolerance: Any = {"rel": 1e-12, "abs": 1e-12 * np.abs(case.reward).max()}
    assert evaluate(case.world, case.reward, seen.lift(policy)).expected_return == pytest.approx(expected, **tolerance)
    assert evaluate(seen.mdp, seen.reward(case.reward), policy).expected_return == pytest.approx(expected, **tolerance)


@settings(max_examples=60)
@given(st.builds(lambda make, seed, shape: make(seed, size=4, **shape), makers, seeds, shapes | undiscounted), seeds)
def test_the_optimum_of_what_is_seen_is_the_best_that_observations_allow(case: Case, seed: int) -> None:
    seen = case.seen
    reward = random_reward(case.world, seed, levels=3) if seed % 2 else case.reward  # with ties, and without
    solution = optimal(seen.mdp, seen.reward(reward))
    policies = [policy[case.observations] for policy in deterministic_policies(seen.mdp)]
    best = max(trace_return(case.world, reward, policy) for policy in policies)
    assert solution.expected_return == pytest.approx(best, rel=1e-12, abs=1e-12)
    attained = trace_return(case.world, reward, seen.lift(solution.policy))
    assert attained == pytest.approx(best, rel=1e-12, abs=1e-12)


@given(seeds)
def test_the_optimum_of_a_forest_is_found_prompt_by_prompt(seed: int) -> None:
    # Observations are whole traces there, so that nothing an agent could remember is left out.
    case = forest(seed, size=2)
    seen, gamma, kernel = case.seen, case.world.gamma, dense_kernel(case.world)
    total = 0.0
    for prompt in np.flatnonzero(seen.mdp.initial > 0):
        states = np.flatnonzero(case.observations == prompt)
        returns = []
        for first, second in itertools.product(range(2), repeat=2):
            after = kernel[states, first].argmax(axis=1)
            paid = case.reward[states, first] + gamma * case.reward[after, second]
            returns.append(float(case.world.initial[states] @ paid))
        total += max(returns)
    assert optimal(seen.mdp, seen.reward(case.reward)).expected_return == pytest.approx(total, abs=1e-12)


@given(cases, seeds)
def test_the_expected_reward_is_the_mean_by_belief(case: Case, seed: int) -> None:
    seen = case.seen
    expected = np.zeros((seen.mdp.num_states, seen.mdp.num_actions))
    for state, look in enumerate(case.observations):
        expected[look] += seen.beliefs[state] * case.reward[state]
    np.testing.assert_allclose(seen.reward(case.reward), expected, atol=1e-15)
    never = ~seen.mdp.reachable
    assert not seen.reward(case.reward)[never].any(), "nothing is to be expected where no trace comes"
    parts = RewardComponents(("one", "other"), np.stack([case.reward, random_reward(case.world, seed)]))
    got = seen.components(parts)
    assert got.names == parts.names
    for name in parts.names:
        np.testing.assert_array_equal(got[name], seen.reward(parts[name]))


@given(cases, seeds)
def test_expecting_is_linear_and_leaves_alone_what_all_classes_are_paid(case: Case, seed: int) -> None:
    seen = case.seen
    other = random_reward(case.world, seed)
    mixed = seen.reward(0.3 * case.reward - 2 * other)
    np.testing.assert_allclose(mixed, 0.3 * seen.reward(case.reward) - 2 * seen.reward(other), atol=1e-14)
    public = random_reward(seen.mdp, seed)
    counts = seen.mdp.reachable & ~seen.mdp.terminal
    np.testing.assert_allclose(seen.reward(seen.lift(public))[counts], public[counts], atol=1e-12)


@given(seeds, st.sampled_from(CYCLES))
def test_a_world_whose_states_all_look_different_is_what_is_seen(seed: int, cycles: str) -> None:
    mdp = random_mdp(seed, cycles=cycles)
    seen = observe(mdp, np.arange(mdp.num_states))
    np.testing.assert_allclose(dense_kernel(seen.mdp), dense_kernel(mdp), atol=1e-15)
    assert seen.beliefs.tolist() == (mdp.reachable & ~mdp.terminal).tolist()
    reward = random_reward(mdp, seed)
    assert optimal(seen.mdp, seen.reward(reward)).expected_return == pytest.approx(
        optimal(mdp, reward).expected_return, abs=1e-12
    )


def test_states_and_actions_keep_their_names() -> None:
    case = lasting(0, C=2)
    world = replace(case.world, action_names=("stay", "go"))
    assert observe(world, case.observations).mdp.action_names == ("stay", "go")
    assert observe(world, case.observations).mdp.state_names is None
    names = [f"look {i}" for i in range(case.base.num_states)]
    assert observe(world, case.observations, observation_names=names).mdp.state_names == tuple(names)


def test_lifting_says_of_a_state_what_was_said_of_its_observation() -> None:
    case = lasting(3)
    seen = case.seen
    marks = np.arange(case.base.num_states)
    assert seen.lift(marks).tolist() == case.observations.tolist()
    assert seen.lift([[mark, -mark] for mark in marks]).tolist() == [[mark, -mark] for mark in case.observations]


def test_a_prompt_of_two_classes_by_hand() -> None:
    seen = two_prompts([0.6, 0.2, 0.2])
    assert seen.beliefs.tolist() == pytest.approx([0.75, 0.25, 1, 0, 0, 0], abs=1e-15)
    assert seen.mdp.initial.tolist() == pytest.approx([0.8, 0.2, 0], abs=1e-15)
    reward = [[1, 0], [0, 1], [5, 6], [0, 0], [0, 0], [0, 0]]
    np.testing.assert_allclose(seen.reward(reward), [[0.75, 0.25], [5, 6], [0, 0]], atol=1e-15)
    assert optimal(seen.mdp, seen.reward(reward)).expected_return == pytest.approx(0.8 * 0.75 + 0.2 * 6, abs=1e-15)


def test_a_prompt_that_is_never_drawn_promises_nothing() -> None:
    seen = two_prompts([0, 0, 1])
    assert seen.beliefs.tolist() == [0, 0, 1, 0, 0, 0]
    assert not seen.reward(np.vstack([np.ones((3, 2)), np.zeros((3, 2))]))[0].any()


def two_prompts(initial: list[float], chance: float = 0.0) -> ObservedMDP:
    """One prompt of two classes and a clear one, each followed by an end of its own; a class may be sent back."""
    kernel = np.zeros((6, 2, 6))
    kernel[np.arange(6), :, [3, 4, 5, 3, 4, 5]] = 1
    kernel[1, 1, 4] -= chance
    kernel[1, 1, 2] += chance
    world = TabularMDP.from_dense(
        kernel, [*initial, 0, 0, 0], [False] * 3 + [True] * 3, 1.0, state_names=["A", "B", "clear", "x", "y", "z"]
    )
    return observe(world, [0, 0, 1, 2, 2, 2])


# Immutability and copies


@every_copy
def test_copies_are_equal_and_read_only(duplicate: Any) -> None:
    case = drawn_anew(5)
    one = case.seen
    for seen in (one, duplicate(one)):
        assert isinstance(seen, ObservedMDP)
        for name in ("observations", "beliefs"):
            array = getattr(seen, name)
            np.testing.assert_array_equal(array, getattr(one, name))
            with pytest.raises(ValueError, match="read-only"):
                array[0] = 0
        for mdp, expected in ((seen.mdp, one.mdp), (seen.world, one.world)):
            np.testing.assert_array_equal(mdp.probabilities, expected.probabilities)
            assert not mdp.probabilities.flags.writeable
        np.testing.assert_array_equal(seen.reward(case.reward), one.reward(case.reward))
        with pytest.raises(FrozenInstanceError):
            seen.beliefs = one.beliefs  # type: ignore[misc]


def test_what_is_seen_does_not_change_with_the_array_it_was_given() -> None:
    case = lasting(1)
    given_array = case.observations.copy()
    seen = observe(case.world, given_array)
    given_array[:] = 0
    assert seen.observations.tolist() == case.observations.tolist()
    assert given_array.flags.writeable


# Where the class condition is broken


def hints(leak: float = 1.0) -> tuple[TabularMDP, list[int], NDArray[np.float64]]:
    """One prompt of two classes; the first token draws a hint, the second is right if it names the class.

    The hint names the class with probability (1 + leak)/2. Returns the world, what it looks like, and its reward.
    """
    names = ["prompt of A", "prompt of B", "hint a of A", "hint a of B", "hint b of A", "hint b of B", "end"]
    kernel = np.zeros((7, 2, 7))
    for c in range(2):
        kernel[c, :, 2 + c] = (1 + leak * (1 - 2 * c)) / 2
        kernel[c, :, 4 + c] = (1 - leak * (1 - 2 * c)) / 2
    kernel[2:, :, 6] = 1
    reward = np.zeros((7, 2))
    reward[[2, 4], 0] = reward[[3, 5], 1] = 1
    world = TabularMDP.from_dense(
        kernel,
        [0.5, 0.5, 0, 0, 0, 0, 0],
        [False] * 6 + [True],
        1.0,
        state_names=names,
        action_names=["say A", "say B"],
    )
    return world, [0, 0, 1, 1, 2, 2, 3], reward


def averaged_by_prior(
    world: TabularMDP, looks: list[int], reward: NDArray[np.float64]
) -> tuple[TabularMDP, NDArray[np.float64]]:
    """Dynamics and rewards of observations as the plain mean over their states."""
    members = np.array([[look == o for look in looks] for o in range(max(looks) + 1)], dtype=float)
    mean = members / members.sum(axis=1, keepdims=True)
    kernel = np.einsum("ow,wav,pv->oap", mean, dense_kernel(world), members)
    ended = members @ world.terminal > 0
    return TabularMDP.from_dense(kernel, members @ world.initial, ended, world.gamma), mean @ reward


FOLLOW_THE_HINT = np.array([[0.5, 0.5], [1, 0], [0, 1], [0.5, 0.5]])


@pytest.mark.parametrize("leak", [1.0, 0.5, -0.2])
def test_averaging_over_classes_is_wrong_where_the_class_leaks(leak: float) -> None:
    world, looks, reward = hints(leak)
    average, mean_reward = averaged_by_prior(world, looks, reward)
    actual = trace_return(world, reward, FOLLOW_THE_HINT[looks])
    assert actual == pytest.approx((1 + leak) / 2, abs=1e-15)
    assert evaluate(world, reward, FOLLOW_THE_HINT[looks]).expected_return == pytest.approx(actual, abs=1e-15)
    assert trace_return(average, mean_reward, FOLLOW_THE_HINT) == pytest.approx(0.5, abs=1e-15)
    with pytest.raises(ValueError, match="must hide classes that do not change which observations follow"):
        observe(world, looks)


def test_averaging_over_classes_is_right_where_nothing_leaks() -> None:
    world, looks, reward = hints(0.0)
    seen = observe(world, looks)
    average, mean_reward = averaged_by_prior(world, looks, reward)
    for policy in deterministic_policies(seen.mdp):
        expected = trace_return(world, reward, policy[looks])
        assert expected == pytest.approx(0.5, abs=1e-15)
        assert trace_return(average, mean_reward, policy) == pytest.approx(expected, abs=1e-15)
        assert evaluate(seen.mdp, seen.reward(reward), policy).expected_return == pytest.approx(expected, abs=1e-15)


def test_a_leak_names_both_states_the_action_and_the_observation() -> None:
    world, looks, _ = hints(0.5)
    message = (
        'got one observation for state 0 ("prompt of A") and state 1 ("prompt of B"), after which action "say A" leads '
        "to observation 1 with probability 0.75 and 0.25"
    )
    with pytest.raises(ValueError, match=re.escape(message)):
        observe(world, looks)


@pytest.mark.parametrize(("chance", "leaks"), [(1e-6, True), (0.5, True), (1.0, True), (0.0, False)])
def test_a_leak_of_any_size_is_found(chance: float, leaks: bool) -> None:
    if not leaks:
        assert two_prompts([0.5, 0.5, 0], chance).mdp.num_states == 3
        return
    with pytest.raises(ValueError, match=r'for state 0 \("A"\) and state 1 \("B"\), after which action 1 leads'):
        two_prompts([0.5, 0.5, 0], chance)


@pytest.mark.parametrize(("size", "leaks"), [(1e-15, False), (1e-11, False), (1e-7, True)])
def test_rounding_is_no_leak(size: float, leaks: bool) -> None:
    world, looks, _ = hints(size)
    if leaks:
        with pytest.raises(ValueError, match="after which action"):
            observe(world, looks)
    else:
        assert observe(world, looks).mdp.num_states == 4


@given(seeds, st.sampled_from(CYCLES))
def test_a_class_that_moves_one_transition_is_refused(seed: int, cycles: str) -> None:
    case = lasting(seed, C=2, size=6, branching=3, cycles=cycles, num_terminal=1)
    kernel = dense_kernel(case.world)
    members = case.observations == np.arange(case.base.num_states)[:, None]
    rng = np.random.default_rng([seed, 2])
    state, action = rng.choice(np.flatnonzero(~case.world.terminal)), rng.integers(2)
    target = members[(members @ kernel[state, action]).argmin()].argmax()
    kernel[state, action] = 0.9 * kernel[state, action]
    kernel[state, action, target] += 0.1
    world = TabularMDP.from_dense(
        kernel, case.world.initial, case.world.terminal, 0.5, action_mask=case.world.action_mask
    )
    with pytest.raises(ValueError, match=f"one observation for .*, after which action {action} leads to observation"):
        observe(world, case.observations)


def test_a_class_must_not_change_when_a_trace_ends() -> None:
    world, _, _ = hints(0.0)
    with pytest.raises(ValueError, match=r'"hint a of A".* and state 6 \("end"\), which differ in terminal'):
        observe(world, [0, 0, 1, 1, 2, 2, 1])


def test_a_class_must_not_change_which_actions_are_legal() -> None:
    world, looks, _ = hints(0.0)
    mask = np.ones((7, 2), dtype=bool)
    mask[3, 1] = False
    with pytest.raises(
        ValueError, match=r'state 2 \("hint a of A"\) and state 3 \("hint a of B"\), which differ in legal actions'
    ):
        observe(replace(world, action_mask=mask), looks)
    mask[2, 1] = False
    assert observe(replace(world, action_mask=mask), looks).mdp.action_mask[1].tolist() == [True, False]


def test_a_class_may_not_be_told_by_the_way_there() -> None:
    # Two prompts that the agent tells apart lead to one observation.
    kernel = np.zeros((5, 1, 5))
    kernel[np.arange(5), 0, [2, 3, 4, 4, 4]] = 1
    world = TabularMDP.from_dense(
        kernel, [0.5, 0.5, 0, 0, 0], [False] * 4 + [True], 1.0, state_names=["p", "q", "after p", "after q", "end"]
    )
    with pytest.raises(ValueError, match=r'got probability . or . of state . \("after [pq]"\) given observation 2'):
        observe(world, [0, 1, 2, 2, 3])
    # Only one of them is ever drawn: there is one way.
    seen = observe(replace(world, initial=[0, 1, 0, 0, 0]), [0, 1, 2, 2, 3])
    assert seen.beliefs.tolist() == [0, 1, 0, 1, 0]
    # Nothing is left to do at the end, so that it does not matter what is believed there.
    assert observe(world, [0, 1, 2, 3, 4]).beliefs.tolist() == [1, 1, 1, 1, 0]


@pytest.mark.parametrize("odds", [0.5, 0.9])
def test_a_class_may_not_depend_on_the_action(odds: float) -> None:
    # The token draws the class: by even odds, or by others.
    kernel = np.zeros((4, 2, 4))
    kernel[0, 0, [1, 2]] = 0.5
    kernel[0, 1, [1, 2]] = odds, 1 - odds
    kernel[1:, :, 3] = 1
    world = TabularMDP.from_dense(kernel, [1, 0, 0, 0], [False] * 3 + [True], 1.0)
    if odds == 0.5:
        assert observe(world, [0, 1, 1, 2]).beliefs.tolist() == [1, 0.5, 0.5, 0]
        return
    with pytest.raises(ValueError, match=r"one belief .* got probability 0.5 or 0.9 of state 1 given observation 1"):
        observe(world, [0, 1, 1, 2])


@pytest.mark.parametrize(("first", "steady"), [(0.25, True), (0.5, False), (1.0, False)])
def test_a_class_may_not_be_told_by_time(first: float, steady: bool) -> None:
    # The class drifts while everything looks the same; only from its steady state on it does so unnoticed.
    kernel = np.zeros((2, 1, 2))
    kernel[:, 0] = [[0.7, 0.3], [0.1, 0.9]]
    world = TabularMDP.from_dense(kernel, [first, 1 - first], [False, False], 0.9)
    if steady:
        assert observe(world, [0, 0]).beliefs.tolist() == [0.25, 0.75]
        return
    with pytest.raises(ValueError, match=f"got probability {first:g} or [0-9.]+ of state 0 given observation 0"):
        observe(world, [0, 0])


def test_a_first_state_may_not_be_met_again_with_another_belief() -> None:
    kernel = np.zeros((4, 2, 4))
    kernel[0, :, [1, 2]] = 0.5  # on the way to the prompt the class is drawn evenly
    kernel[[1, 2, 3], :, 3] = 1
    ended = [False] * 3 + [True]
    observe(TabularMDP.from_dense(kernel, [0.5, 0.25, 0.25, 0], ended, 1.0), [0, 1, 1, 2])
    with pytest.raises(ValueError, match="one belief about what they hide"):
        observe(TabularMDP.from_dense(kernel, [0.5, 0.5, 0, 0], ended, 1.0), [0, 1, 1, 2])


# Bad numbers

WORLD = hints(0.0)[0]


@pytest.mark.parametrize(
    ("observations", "error", "message"),
    [
        ([0, 0, 1, 1, 2, 2], ValueError, r"observations must have shape \(W,\) = \(7,\), got \(6,\)"),
        ([[0, 0, 1, 1, 2, 2, 3]], ValueError, r"must have shape \(W,\) = \(7,\), got \(1, 7\)"),
        (3, ValueError, r"must have shape \(W,\) = \(7,\), got \(\)"),
        ([0, 0, 1, 1, 2, 2, 3.0], TypeError, "observations must be integers, got dtype float64"),
        ([True, True, False, False, True, True, False], TypeError, "observations must be integers, got dtype bool"),
        (list("aabbccd"), TypeError, "observations must be integers"),
        ([[0], [1, 2]], TypeError, "observations must be an array of numbers"),
        (None, TypeError, "observations must be integers"),
        ([0, 0, 1, 1, 2, 2, 4], ValueError, "must be 0..S-1, each at least once, got 4 different ones from 0 to 4"),
        ([1, 1, 2, 2, 3, 3, 4], ValueError, "must be 0..S-1, each at least once, got 4 different ones from 1 to 4"),
        ([0, 0, 1, 1, 2, 2, -1], ValueError, "must be 0..S-1, each at least once, got 4 different ones from -1 to 2"),
        ([0] * 6 + [2**62], ValueError, "must be 0..S-1, each at least once, got 2 different ones"),
    ],
)
def test_observations_must_be_numbers_that_all_occur(observations: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        observe(WORLD, observations)


@pytest.mark.parametrize("kind", [np.int8, np.uint8, np.int64, np.uint64])
def test_any_integers_will_do(kind: Any) -> None:
    seen = observe(WORLD, np.array([0, 0, 1, 1, 2, 2, 3], dtype=kind))
    assert seen.observations.dtype == np.intp


@pytest.mark.parametrize(
    ("names", "error", "message"),
    [
        (["a", "b"], ValueError, "state_names must have 4 entries, got 2"),
        ([1, 2, 3, 4], TypeError, "state_names must be a sequence of strings"),
    ],
)
def test_names_must_be_as_many_strings_as_observations(names: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        observe(WORLD, [0, 0, 1, 1, 2, 2, 3], observation_names=names)


@pytest.mark.parametrize(
    ("table", "error", "message"),
    [
        (np.zeros((4, 2)), ValueError, r"reward must have shape \(S, A\) = \(7, 2\), got \(4, 2\)"),
        (np.full((7, 2), np.nan), ValueError, r'must be finite, got nan at state 0 \("prompt of A"\)'),
        (np.ones((7, 2)), ValueError, r'must be 0 at terminal states, got 1.0 at state 6 \("end"\)'),
        (np.full((7, 2), "x"), TypeError, "must be an array of numbers"),
    ],
)
def test_the_reward_of_a_world_must_suit_the_world(table: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        observe(WORLD, [0, 0, 1, 1, 2, 2, 3]).reward(table)


def test_tables_of_other_shapes_are_refused() -> None:
    steps = [[[0, 0, 1], [0, 0, 1]]] * 3
    world = TabularMDP.from_dense(steps, [0.75, 0.25, 0], [False, False, True], gamma=1.0)
    seen = observe(world, [0, 0, 1])
    with pytest.raises(
        ValueError, match=r"components must have shape \(K, W, A\) with \(W, A\) = \(3, 2\), got \(1, 1, 2\)"
    ):
        seen.components(RewardComponents(("a",), np.ones((1, 1, 2))))
    for wrong in (np.ones((3, 2)), np.ones((1, 2)), np.float64(1)):
        with pytest.raises(ValueError, match="table must have a row for each of 2 observations"):
            seen.lift(wrong)
