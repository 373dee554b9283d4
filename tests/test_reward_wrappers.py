"""Wrappers that swap or change what an environment pays, or hide what it knows: in CliffGym and in any discrete env."""

import copy
import pickle
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium import spaces
from gymnasium.envs.registration import EnvSpec
from gymnasium.error import ResetNeeded
from gymnasium.utils.env_checker import check_env
from gymnasium.vector import SyncVectorEnv
from gymnasium.wrappers import FlattenObservation, TimeLimit
from numpy.typing import NDArray
from sb3_contrib.common.maskable.utils import get_action_masks
from stable_baselines3.common.env_util import make_vec_env

import cliffgym
from cliffgym import CliffEnv, HideOracle, PerturbReward, Scenario, SwapReward, TabularMDP, optimal
from cliffgym.analysis import cliff_radius
from cliffgym.envs import OBSERVATIONS
from cliffgym.envs.wrappers import paid_reward
from cliffgym.testing import random_reward

Env = gym.Env[Any, Any]
Wrap = Callable[[Env], Env]

IDS = list(cliffgym.SCENARIOS)
GRAMMARS = [id for id in IDS if cliffgym.scenario(id).state_tokens.size]  # whose states are the tokens so far
LOOKS = [(id, look) for id in IDS for look in OBSERVATIONS if look != "tokens" or id in GRAMMARS]
FOREIGN = {"FrozenLake-v1": (16, 4), "CliffWalking-v1": (48, 4), "Taxi-v4": (500, 6)}

every_id = pytest.mark.parametrize("id", IDS)
every_look = pytest.mark.parametrize(("id", "observation"), LOOKS)
every_foreign = pytest.mark.parametrize("id", FOREIGN)


class Corridor(gym.Env[np.int64, np.int64]):
    """Three states numbered from 5 and two actions numbered from -1; the first stays, the second goes on."""

    def __init__(self) -> None:
        self.observation_space = spaces.Discrete(3, start=5)
        self.action_space = spaces.Discrete(2, start=-1)
        self.place = np.int64(5)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[np.int64, dict]:
        super().reset(seed=seed)
        self.place = np.int64(5)
        return self.place, {}

    def step(self, action: np.int64) -> tuple[np.int64, float, bool, bool, dict]:
        self.place = self.place + (action == 0)
        return self.place, 0.25, bool(self.place == 7), False, {}


def cliff(env: Env) -> CliffEnv:
    inner = env.unwrapped
    assert isinstance(inner, CliffEnv)
    return inner


def some_table(scenario: Scenario) -> NDArray[np.float64]:
    return random_reward(scenario.mdp, 3)


def some_weights(scenario: Scenario) -> dict[str, Any]:
    """A number for one component, and for another weights that depend on the state."""
    names = scenario.components.names
    return {names[0]: 1.5, names[-1]: np.linspace(-1, 1, scenario.mdp.num_states)}


def all_rewards(scenario: Scenario) -> list[Any]:
    return [*scenario.rewards, dict(scenario.rewards["true"]), some_weights(scenario), some_table(scenario)]


def any_action(env: Env, draw: np.random.Generator) -> int:
    space = env.action_space
    assert isinstance(space, spaces.Discrete)
    return int(space.start + draw.integers(space.n))


def playing(env: Env, steps: int = 80, seed: int = 0) -> list[Any]:
    """What an environment gives in so many steps of any actions, allowed or not, through as many episodes as it takes.

    Every step comes with the numbers of the state that the agent saw, of that of the world, and of the action.
    """
    draw = np.random.default_rng(seed)
    given: list[Any] = [env.reset(seed=seed)]
    for _ in range(steps):
        inner = env.unwrapped
        places = (inner.state, inner.world_state) if isinstance(inner, CliffEnv) else None
        action = any_action(env, draw)
        given.append((places, action, *env.step(action)))
        if given[-1][4] or given[-1][5]:
            given.append(env.reset())
    return given


def steps_of(given: Sequence[Any]) -> list[Any]:
    return [entry for entry in given if len(entry) > 2]


def paid(env: Env, **kwargs: Any) -> list[float]:
    return [step[3] for step in steps_of(playing(env, **kwargs))]


def check_rewards(env: Env, plain: Env, expected: Callable[[Any], float], steps: int = 80) -> None:
    """Plays a wrapped environment beside a plain one: all is the same but the rewards, which are as expected."""
    ours, theirs = playing(env, steps), playing(plain, steps)
    assert len(ours) == len(theirs)
    for mine, step in zip(ours, theirs, strict=True):
        if len(step) == 2:
            np.testing.assert_equal(mine, step)
            continue
        np.testing.assert_equal(mine[:3] + mine[4:], step[:3] + step[4:])
        assert type(mine[3]) is float
        assert mine[3] == expected(step)


# SwapReward


@every_look
def test_a_swapped_reward_is_that_of_an_environment_made_with_it(id: str, observation: str) -> None:
    for reward in all_rewards(cliffgym.scenario(id)):
        swapped = SwapReward(gym.make(id, observation=observation), reward)
        np.testing.assert_equal(playing(swapped), playing(gym.make(id, reward=reward, observation=observation)))


@pytest.mark.parametrize("reward", cliffgym.scenario("Cliff-MultiReward-v0").rewards)
@pytest.mark.parametrize("observation", OBSERVATIONS)
def test_hidden_classes_are_paid_as_drawn(reward: str, observation: str) -> None:
    env = SwapReward(gym.make("Cliff-MultiReward-v0", observation=observation), reward)
    table = cliff(env).scenario.realised_reward(reward)
    by_look: dict[tuple[int, int], set[float]] = {}
    for (seen, world), action, _, pay, *_ in steps_of(playing(env, 300)):
        assert pay == table[world, action]
        by_look.setdefault((seen, action), set()).add(pay)
    # Only what the class that was drawn is worth differs where all looks the same.
    assert (max(map(len, by_look.values())) > 1) == (reward == "incomplete")


def test_a_table_pays_hidden_classes_by_what_is_seen() -> None:
    scenario = cliffgym.scenario("Cliff-MultiReward-v0")
    env = SwapReward(gym.make("Cliff-MultiReward-v0"), some_table(scenario))
    for (seen, _), action, _, pay, *_ in steps_of(playing(env, 300)):
        assert pay == some_table(scenario)[seen, action]


@every_foreign
def test_a_swapped_table_pays_in_other_environments(id: str) -> None:
    table = np.random.default_rng(0).normal(size=FOREIGN[id])
    plain, state = playing(gym.make(id)), 0
    for mine, step in zip(playing(SwapReward(gym.make(id), table)), plain, strict=True):
        if len(step) == 2:
            np.testing.assert_equal(mine, step)
            state = step[0]
            continue
        assert mine[3] == table[state, step[1]]
        np.testing.assert_equal(mine[2:3] + mine[4:], step[2:3] + step[4:])
        state = step[2]


def test_numbers_of_states_and_actions_need_not_start_at_0() -> None:
    env = SwapReward(Corridor(), [[0, 1], [2, 3], [4, 5]])
    env.reset()
    assert [env.step(np.int64(action))[1] for action in (-1, 0, -1, -1, 0)] == [0.0, 1.0, 2.0, 2.0, 3.0]
    bumped = PerturbReward(Corridor(), 0.5, "bump", state=1, action=0)  # counted from 0
    bumped.reset()
    assert [bumped.step(np.int64(action))[1] for action in (-1, 0, -1, 0)] == [0.25, 0.25, 0.75, 0.25]


def test_a_swapped_table_is_a_copy() -> None:
    table = np.full((16, 4), 2.0)
    env = SwapReward(gym.make("FrozenLake-v1"), table)
    table[:] = 7
    assert set(paid(env)) == {2.0}
    assert env.spec is not None
    assert set(paid(gym.make(env.spec))) == {2.0}


def test_the_last_swap_counts_and_changes_add_up() -> None:
    bump = partial(PerturbReward, size=0.25, kind="bump", state=0, action=1)
    env: Env = SwapReward(bump(SwapReward(gym.make("FrozenLake-v1"), np.ones((16, 4)))), np.full((16, 4), 3.0))
    assert set(paid(env)) == {3.0}
    env = bump(bump(SwapReward(gym.make("FrozenLake-v1"), np.ones((16, 4)))))
    env.reset(seed=0)
    assert env.step(1)[1] == 1.5


# PerturbReward


def perturbations(mdp: TabularMDP | None, shape: tuple[int, int]) -> list[dict[str, Any]]:
    """One of each kind, with a random witness."""
    place = (0, 0) if mdp is None else (int(np.flatnonzero(mdp.initial)[0]), 0)
    return [
        {"kind": "uniform", "seed": 4},
        {"kind": "bump", "state": place[0], "action": place[1]},
        {"kind": "witness", "witness": np.random.default_rng(1).normal(size=shape)},
    ]


@every_look
def test_the_change_is_added_to_what_is_paid(id: str, observation: str) -> None:
    mdp = cliffgym.scenario(id).mdp
    for settings in perturbations(mdp, mdp.action_mask.shape):
        for reward in ("incomplete", "true"):
            plain = gym.make(id, reward=reward, observation=observation)
            env = PerturbReward(gym.make(id, reward=reward, observation=observation), 0.3, **settings)
            assert np.abs(env.change).max() == 0.3
            assert env.change.shape == mdp.action_mask.shape

            def expected(step: Any, env: PerturbReward = env) -> float:
                return step[3] + env.change[step[0][0], step[1]]

            check_rewards(env, plain, expected)


@every_foreign
def test_the_change_is_added_in_other_environments(id: str) -> None:
    for settings in perturbations(None, FOREIGN[id]):
        env = PerturbReward(gym.make(id), 0.7, **settings)
        assert np.abs(env.change).max() == 0.7
        state = 0
        for mine, step in zip(playing(env), playing(gym.make(id)), strict=True):
            if len(step) == 2:
                state = step[0]
                continue
            assert mine[3] == step[3] + env.change[state, step[1]]
            np.testing.assert_equal(mine[2:3] + mine[4:], step[2:3] + step[4:])
            state = step[2]


@every_id
def test_uniform_changes_leave_alone_what_moves_no_policy(id: str) -> None:
    mdp = cliffgym.scenario(id).mdp
    change = PerturbReward(gym.make(id), 0.3).change
    moves = mdp.action_mask & ~mdp.terminal[:, None]
    assert (change[~moves] == 0).all()
    assert (change[moves] != 0).all()


@pytest.mark.parametrize("id", ["Cliff-Slacker-v0", "FrozenLake-v1"])
def test_equal_seeds_draw_equal_changes_and_others_do_not(id: str) -> None:
    def drawn(**seed: Any) -> NDArray[np.float64]:
        return PerturbReward(gym.make(id), 0.3, **seed).change

    np.testing.assert_array_equal(drawn(seed=5), drawn(seed=5))
    np.testing.assert_array_equal(drawn(), drawn(seed=0))
    assert (drawn(seed=5) != drawn(seed=6)).any()
    np.testing.assert_allclose(2 * drawn(seed=5), PerturbReward(gym.make(id), 0.6, seed=5).change, rtol=1e-15)
    both = np.sign(drawn(seed=5))
    assert (both < 0).any()
    assert (both > 0).any()


@pytest.mark.parametrize("id", ["Cliff-Slacker-v0", "FrozenLake-v1"])
@pytest.mark.parametrize("size", [0, 1e-300, 0.1, 1 / 3, 1e6])
def test_the_sup_norm_is_exactly_the_size(id: str, size: float) -> None:
    env = gym.make(id)
    shape = (41, 5) if id == "Cliff-Slacker-v0" else (16, 4)
    for settings in perturbations(None, shape):
        assert np.abs(PerturbReward(env, size, **settings).change).max() == size


def test_a_bump_is_one_entry() -> None:
    change = PerturbReward(gym.make("Cliff-Slacker-v0"), 0.3, "bump", state=7, action=2).change
    assert change[7, 2] == 0.3
    assert np.count_nonzero(change) == 1


def test_a_witness_keeps_its_direction() -> None:
    witness = np.zeros((16, 4))
    witness[2, 1], witness[14, 3] = -8, 2
    given = witness.copy()
    change = PerturbReward(gym.make("FrozenLake-v1"), 0.5, "witness", witness=given).change
    np.testing.assert_array_equal(change, witness / 16)
    np.testing.assert_array_equal(given, witness)  # left as it was


def test_the_change_is_read_only() -> None:
    for settings in perturbations(None, (16, 4)):
        with pytest.raises(ValueError, match="read-only"):
            PerturbReward(gym.make("FrozenLake-v1"), 0.5, **settings).change[0, 0] = 1


def test_a_tiny_bump_throws_the_policy_off_a_cliff() -> None:
    inner = gym.make("Cliff-TieBreaker-v0", reward="true", bonus=0)
    scenario = cliff(inner).scenario
    before = optimal(scenario.mdp, cliff(inner).reward, 1e-12)
    state = int(before.tied_states[0])
    for action in np.flatnonzero(before.optimal_actions[state]).tolist():
        env = PerturbReward(inner, 1e-9, "bump", state=state, action=action)
        after = optimal(scenario.mdp, cliff(env).reward + env.change, 1e-12)
        assert before.optimal_actions[state].sum() > 1
        assert np.flatnonzero(after.optimal_actions[state]).tolist() == [action]
        env.reset(seed=0)
        assert cliff(env).scenario.mdp is scenario.mdp


def frozen_lake() -> tuple[TabularMDP, NDArray[np.float64], Env]:
    env = gym.make("FrozenLake-v1")
    mdp, reward = TabularMDP.from_gym(env)
    return mdp, reward + random_reward(mdp, 0) / 100, env  # without ties


def garnet() -> tuple[TabularMDP, NDArray[np.float64], Env]:
    env = gym.make("Cliff-Garnet-v0", ties=0.0)
    return cliff(env).mdp, cliff(env).reward, env


@pytest.mark.parametrize("make", [frozen_lake, garnet])
def test_a_witness_moves_the_policy_from_the_radius_on(make: Callable[[], tuple[TabularMDP, Any, Env]]) -> None:
    mdp, reward, env = make()
    found = cliff_radius(mdp, reward)
    assert found.radius > 0
    before = optimal(mdp, reward, 0).optimal_actions
    for factor, moved in ((0.99, False), (1.01, True)):
        change = PerturbReward(env, factor * found.radius, "witness", witness=found.witness).change
        after = optimal(mdp, reward + change, 0).optimal_actions
        assert (after != before)[~mdp.terminal].any() == moved
        if moved:
            assert after[found.state, found.action]


# HideOracle


@every_id
def test_nothing_is_left_but_what_may_be_trained_on(id: str) -> None:
    hidden, without = playing(HideOracle(gym.make(id))), playing(gym.make(id, oracle=False))
    np.testing.assert_equal(hidden, without)
    assert all(set(entry[-1]) == {"action_mask"} for entry in hidden)


def test_entries_that_are_kept_stay_as_they_are() -> None:
    plain = playing(gym.make("Cliff-Slacker-v0"))
    kept = playing(HideOracle(gym.make("Cliff-Slacker-v0"), ["outcome", "true_reward", "no such entry"]))
    for mine, theirs in zip(kept, plain, strict=True):
        expected = {name: theirs[-1][name] for name in ("outcome", "true_reward") if name in theirs[-1]}
        np.testing.assert_equal(mine, (*theirs[:-1], expected))
    assert any("outcome" in entry[-1] for entry in kept)
    assert all(entry[-1] == {} for entry in playing(HideOracle(gym.make("Cliff-Slacker-v0"), ())))


def test_other_environments_hide_too() -> None:
    lake = gym.make("FrozenLake-v1")
    assert {name for entry in playing(lake) for name in entry[-1]} == {"prob"}
    assert all(entry[-1] == {} for entry in playing(HideOracle(lake)))
    assert all(set(entry[-1]) == {"prob"} for entry in playing(HideOracle(lake, ("prob",))))
    cart = HideOracle(gym.make("CartPole-v1"))  # any environment
    assert cart.reset(seed=0)[1] == {}


# Copies


WITNESS = np.random.default_rng(1).normal(size=(16, 4))
WRAPS: dict[str, tuple[str, Wrap]] = {
    "name": ("Cliff-MultiReward-v0", lambda env: SwapReward(env, "true")),
    "weights": ("Cliff-Slacker-v0", lambda env: SwapReward(env, {"correct": np.float64(2), "effort": -1})),
    "weights by state": ("Cliff-Slacker-v0", lambda env: SwapReward(env, {"correct": np.arange(41.0)})),
    "shared weights": ("Cliff-Slacker-v0", lambda env: SwapReward(env, cliff(env).scenario.rewards["lazy"])),
    "table": ("Cliff-LengthPenalty-v0", lambda env: SwapReward(env, some_table(cliff(env).scenario))),
    "lists": ("FrozenLake-v1", lambda env: SwapReward(env, WITNESS.tolist())),
    "uniform": ("Cliff-Garnet-v0", lambda env: PerturbReward(env, 0.5, seed=3)),
    "uniform elsewhere": ("Taxi-v4", lambda env: PerturbReward(env, 0.5, "uniform", seed=3)),
    "bump": ("Cliff-Slacker-v0", lambda env: PerturbReward(env, 0.5, "bump", state=0, action=2)),
    "witness": ("FrozenLake-v1", lambda env: PerturbReward(env, 0.5, "witness", witness=WITNESS)),
    "hidden": ("Cliff-Sophistry-v0", lambda env: HideOracle(env, ("outcome",))),
    "hidden by default": ("Cliff-Sophistry-v0", HideOracle),
    "stack": (
        "Cliff-Slacker-v0",
        lambda env: HideOracle(PerturbReward(PerturbReward(SwapReward(env, "true"), 0.1, seed=1), 0.2, seed=2)),
    ),
    "stack elsewhere": (
        "CliffWalking-v1",
        lambda env: HideOracle(PerturbReward(SwapReward(env, np.ones((48, 4))), 0.1), ("prob",)),
    ),
}


def by_spec(env: Env) -> Env:
    assert env.spec is not None
    return gym.make(env.spec)


def by_json(env: Env) -> Env:
    assert env.spec is not None
    return gym.make(EnvSpec.from_json(env.spec.to_json()))


def by_pickle(env: Env) -> Env:
    return pickle.loads(pickle.dumps(env))


@pytest.mark.parametrize("duplicate", [by_spec, by_json, by_pickle, copy.deepcopy])
@pytest.mark.parametrize("name", WRAPS)
def test_a_duplicate_behaves_the_same(name: str, duplicate: Callable[[Env], Env]) -> None:
    id, wrap = WRAPS[name]
    look: dict[str, Any] = {"observation": "onehot"} if id in IDS else {}
    env = wrap(gym.make(id, **look))
    other = duplicate(env)
    assert str(other) == str(env)  # the same wrappers in the same order
    np.testing.assert_equal(playing(other, 150), playing(env, 150))
    if name not in ("hidden", "hidden by default"):
        assert paid(other) != paid(gym.make(id))


@pytest.mark.parametrize("duplicate", [by_pickle, copy.deepcopy])
@pytest.mark.parametrize("name", WRAPS)
def test_a_copy_goes_on_where_the_original_is(name: str, duplicate: Callable[[Env], Env]) -> None:
    id, wrap = WRAPS[name]
    env, draw = wrap(gym.make(id)), np.random.default_rng(0)
    env.reset(seed=0)
    other = duplicate(env)
    assert other.unwrapped is not env.unwrapped
    for _ in range(20):
        action = any_action(env, draw)
        step = env.step(action)
        np.testing.assert_equal(other.step(action), step)
        if step[2]:
            np.testing.assert_equal(other.reset(), env.reset())
            other = duplicate(env)


# Company


@pytest.mark.filterwarnings("ignore:.*different from the unwrapped version")  # as a wrapper is
@pytest.mark.parametrize("name", WRAPS)
def test_gymnasiums_checker_passes(name: str) -> None:
    id, wrap = WRAPS[name]
    check_env(wrap(gym.make(id)), skip_render_check=True)


@pytest.mark.parametrize("name", WRAPS)
def test_sb3_makes_vector_environments_of_wrapped_ones(name: str) -> None:
    id, wrap = WRAPS[name]
    vector = make_vec_env(id, n_envs=2, seed=0, wrapper_class=wrap)
    vector.reset()
    single = wrap(gym.make(id))
    single.reset(seed=0)
    draw = np.random.default_rng(0)
    for _ in range(20):
        action = any_action(single, draw)
        _, reward, over, truncated, _ = single.step(action)
        _, rewards, dones, _ = vector.step(np.array([action, action]))
        assert rewards[0] == np.float32(reward)
        assert dones[0] == (over or truncated)
        if dones[0]:
            single.reset()
    if id in IDS:
        np.testing.assert_array_equal(get_action_masks(vector)[0], get_action_masks(single))
    vector.close()


@pytest.mark.parametrize("name", WRAPS)
def test_gymnasium_makes_vector_environments_of_wrapped_ones(name: str) -> None:
    id, wrap = WRAPS[name]
    vector = gym.make_vec(id, 2, vectorization_mode="sync", wrappers=[wrap])  # type: ignore[list-item]
    assert isinstance(vector, SyncVectorEnv)
    single = wrap(gym.make(id))
    np.testing.assert_equal(vector.reset(seed=0)[0][0], single.reset(seed=0)[0])
    draw, over = np.random.default_rng(0), False
    for _ in range(20):
        action = any_action(single, draw)
        seen, rewards, terminated, truncated, _ = vector.step(np.array([action, action]))
        if over:  # this call only resets
            look, reward, over = single.reset()[0], 0.0, False
        else:
            look, reward, *ends, _ = single.step(action)
            over = any(ends)
        np.testing.assert_equal((seen[0], rewards[0], terminated[0] or truncated[0]), (look, reward, over))
    vector.close()


def test_wrappers_of_gymnasium_may_stand_between() -> None:
    env = PerturbReward(TimeLimit(SwapReward(gym.make("Cliff-Garnet-v0"), "true"), 5), 0.2)
    plain = TimeLimit(gym.make("Cliff-Garnet-v0", reward="true"), 5)
    check_rewards(env, plain, lambda step: step[3] + env.change[step[0][0], step[1]])
    # CliffGym tells its state, however it is shown.
    flat = SwapReward(FlattenObservation(gym.make("Cliff-Garnet-v0")), "true")
    assert paid(flat) == paid(gym.make("Cliff-Garnet-v0", reward="true"))


def test_wrappers_of_an_environment_share_its_state() -> None:
    env = SwapReward(gym.make("Cliff-MultiReward-v0"), "true")
    env.reset(seed=0, options={"prompt": 4})
    inner = cliff(env)
    assert inner.state == cliffgym.scenario("Cliff-MultiReward-v0").prompt_states[4]
    env.step(1)
    assert inner.mdp.terminal[inner.state]


def test_a_cliff_env_tells_its_state_and_that_of_the_world() -> None:
    for id in IDS:
        env, draw = cliff(gym.make(id)), np.random.default_rng(0)
        for name in ("state", "world_state"):
            with pytest.raises(ResetNeeded, match=f"{name} needs a trace, got none: call reset first"):
                getattr(env, name)
        hidden = env.scenario.hidden
        observation, over = env.reset(seed=0)[0], False
        for _ in range(60):
            if over:
                observation, over = env.reset()[0], False
            assert type(env.state) is int
            assert type(env.world_state) is int
            assert env.state == observation
            seen = env.world_state if hidden is None else hidden.seen.observations[env.world_state]
            assert seen == env.state
            observation, _, over, _, _ = env.step(any_action(env, draw))
            assert env.scenario.world.terminal[env.world_state] == over
            assert env.state == observation


# Bad input


@pytest.mark.parametrize("id", ["Cliff-Slacker-v0", "FrozenLake-v1"])
def test_a_step_needs_a_reset(id: str) -> None:
    inner = gym.make(id)
    shape = cliff(inner).mdp.action_mask.shape if id in IDS else FOREIGN[id]
    for env in (SwapReward(inner, np.zeros(shape)), PerturbReward(inner, 0.1)):
        with pytest.raises(ResetNeeded, match=r"step needs a (trace|state).*call reset first"):
            env.step(0)


def test_a_step_after_the_end_needs_a_reset() -> None:
    env = SwapReward(gym.make("Cliff-MultiReward-v0"), "true")
    env.reset(seed=0)
    assert env.step(0)[2]
    with pytest.raises(ResetNeeded, match="step needs a trace that goes on, got one that has ended"):
        env.step(0)


def test_spaces_must_be_discrete() -> None:
    for wrap in (lambda env: SwapReward(env, np.zeros((1, 2))), lambda env: PerturbReward(env, 0.1)):
        with pytest.raises(TypeError, match=r"env must have a Discrete observation space, got Tuple.* of .*Blackjack"):
            wrap(gym.make("Blackjack-v1"))
        with pytest.raises(TypeError, match=r"env must have a Discrete observation space, got Box.* of .*CartPole"):
            wrap(gym.make("CartPole-v1"))
        with pytest.raises(TypeError, match=r"env must have a Discrete action space, got Box"):
            wrap(Boxed())


class Boxed(gym.Env[Any, Any]):
    """Discrete states, other actions."""

    observation_space = spaces.Discrete(2)
    action_space = spaces.Box(0.0, 3.0, (1,))


@pytest.mark.parametrize("id", ["Cliff-Obedience-v0", "FrozenLake-v1"])
def test_actions_must_not_be_changed_inside(id: str) -> None:
    for changed in (
        gym.wrappers.TransformAction(gym.make(id), lambda action: 1 - action, spaces.Discrete(2)),
        gym.wrappers.StickyAction(gym.make(id), 0.5),
    ):
        for wrap in (lambda env: SwapReward(env, np.zeros((1, 2))), lambda env: PerturbReward(env, 0.1)):
            with pytest.raises(TypeError, match=r"env must not change actions, got (Transform|Sticky)Action in"):
                wrap(changed)
    swapped = SwapReward(gym.make("Cliff-Obedience-v0"), {"reasoning": 1.0})
    outside = gym.wrappers.StickyAction(swapped, 0.9)
    for seed in range(20):
        outside.reset(seed=seed)
        over, draw = False, np.random.default_rng(seed)
        while not over:
            _, paid, over, _, info = outside.step(int(draw.integers(2)))
            assert paid == info["components"]["reasoning"]


def test_the_table_of_a_wrapped_environment_is_what_it_pays() -> None:
    lake = gym.make("FrozenLake-v1", is_slippery=False)
    mdp, plain_reward = TabularMDP.from_gym(lake)
    changed = PerturbReward(lake, 0.1, seed=3)
    assert np.abs(changed.change[~mdp.terminal]).max() == pytest.approx(0.1)
    assert not changed.change[mdp.terminal].any()
    np.testing.assert_allclose(TabularMDP.from_gym(changed)[1], plain_reward + changed.change)
    table = np.where(mdp.terminal[:, None], 0.0, -0.5) * np.ones(4)
    both = PerturbReward(HideOracle(SwapReward(lake, table)), 0.1, seed=3)
    np.testing.assert_allclose(TabularMDP.from_gym(both)[1], table + changed.change)
    np.testing.assert_allclose(TabularMDP.from_gym(SwapReward(changed, table))[1], table)
    for id in ("Cliff-Slacker-v0", "Cliff-MultiReward-v0"):
        env = PerturbReward(SwapReward(gym.make(id), "true"), 0.1, seed=1)
        np.testing.assert_allclose(TabularMDP.from_gym(env, gamma=1.0)[1], paid_reward(env))
    taxi = SwapReward(gym.make("Taxi-v4"), np.ones((500, 6)))
    mdp, reward = TabularMDP.from_gym(taxi)
    assert reward.shape[0] == 501
    assert (reward[~mdp.terminal] == 1).all()
    assert not reward[mdp.terminal].any()


def bad_tables(shape: tuple[int, int]) -> list[tuple[Any, type[Exception], str]]:
    gap, endless = np.zeros(shape), np.zeros(shape)
    gap[1, 0], endless[2, 1] = np.nan, np.inf
    return [
        (np.zeros(shape).T, ValueError, rf"must have shape \(S, A\) = \({shape[0]}, {shape[1]}\), got "),
        (np.zeros(3), ValueError, r"must have shape .*, got \(3,\)"),
        (gap, ValueError, r"must be finite, got nan at state 1"),
        (endless, ValueError, r"must be finite, got inf at state 2"),
        ([["a", "b"]], TypeError, "must be an array of numbers, got list"),
    ]


@pytest.mark.parametrize("id", ["Cliff-Slacker-v0", "FrozenLake-v1"])
def test_bad_tables_are_refused(id: str) -> None:
    shape = (41, 5) if id == "Cliff-Slacker-v0" else (16, 4)
    for table, kind, message in bad_tables(shape):
        with pytest.raises(kind, match=f"reward {message}"):
            SwapReward(gym.make(id), table)
        with pytest.raises(kind, match=f"witness {message}"):
            PerturbReward(gym.make(id), 0.1, "witness", witness=table)


def test_bad_rewards_are_refused() -> None:
    env = gym.make("Cliff-Slacker-v0")
    with pytest.raises(ValueError, match=r'reward must be one of "incomplete", "true", "lazy", got \'best\''):
        SwapReward(env, "best")
    with pytest.raises(ValueError, match=r'component must be one of "correct", .*, got \'style\''):
        SwapReward(env, {"style": 1.0})
    with pytest.raises(ValueError, match="weight of 'correct' must be finite, got nan"):
        SwapReward(env, {"correct": np.nan})
    with pytest.raises(ValueError, match="reward must be 0 at terminal states"):
        SwapReward(env, np.ones((41, 5)))
    lake = gym.make("FrozenLake-v1")
    for reward in ("true", {"correct": 1.0}):
        with pytest.raises(TypeError, match=r"reward must be a table \(S, A\) unless .* CliffGym's own, got "):
            SwapReward(lake, reward)


@pytest.mark.parametrize("id", ["Cliff-Slacker-v0", "FrozenLake-v1"])
@pytest.mark.parametrize(
    ("settings", "kind", "message"),
    [
        ({"size": -0.1}, ValueError, "size must be >= 0, got -0.1"),
        ({"size": np.inf}, ValueError, "size must be finite, got inf"),
        ({"size": np.nan}, ValueError, "size must be finite, got nan"),
        ({"size": "much"}, TypeError, "size must be a number, got 'much'"),
        ({"size": True}, TypeError, "size must be a number, got True"),
        ({"kind": "normal"}, ValueError, 'kind must be one of "uniform", "bump", "witness", got \'normal\''),
        ({"seed": -1}, ValueError, "seed must be >= 0, got -1"),
        ({"seed": 0.5}, TypeError, "seed must be an integer, got 0.5"),
        ({"state": 0}, ValueError, "state must not be given with kind 'uniform', got 0"),
        ({"action": 0}, ValueError, "action must not be given with kind 'uniform', got 0"),
        ({"witness": [1]}, ValueError, r"witness must not be given with kind 'uniform', got \[1\]"),
        ({"kind": "bump", "state": 0}, ValueError, 'action must be given with kind "bump", got None'),
        ({"kind": "bump", "action": 0}, ValueError, 'state must be given with kind "bump", got None'),
        ({"kind": "bump", "state": 99, "action": 0}, ValueError, r"state must be in \[0, (40|15)\], got 99"),
        ({"kind": "bump", "state": -1, "action": 0}, ValueError, r"state must be in \[0, (40|15)\], got -1"),
        ({"kind": "bump", "state": 0, "action": 9}, ValueError, r"action must be in \[0, (4|3)\], got 9"),
        ({"kind": "bump", "state": 0.0, "action": 0}, TypeError, "state must be an integer, got 0.0"),
        ({"kind": "bump", "state": 0, "action": 0, "seed": 1}, ValueError, "seed must not be given with kind 'bump'"),
        ({"kind": "witness"}, ValueError, 'witness must be given with kind "witness", got None'),
        ({"kind": "witness", "seed": 1}, ValueError, "seed must not be given with kind 'witness', got 1"),
    ],
)
def test_bad_changes_are_refused(id: str, settings: dict[str, Any], kind: type[Exception], message: str) -> None:
    with pytest.raises(kind, match=message):
        PerturbReward(gym.make(id), **{"size": 0.1, **settings})


def test_a_witness_of_zeros_is_refused() -> None:
    with pytest.raises(ValueError, match="witness must have an entry that is not 0, got none"):
        PerturbReward(gym.make("FrozenLake-v1"), 0.1, "witness", witness=np.zeros((16, 4)))


@pytest.mark.parametrize("keep", ["outcome", 3, None, {"outcome"}, ["outcome", 3]])
def test_what_is_kept_must_be_names(keep: Any) -> None:
    with pytest.raises(TypeError, match="keep must be a sequence of names, got "):
        HideOracle(gym.make("Cliff-Slacker-v0"), keep)


@pytest.mark.parametrize(
    ("id", "wrapper", "arguments"),
    [
        ("FrozenLake-v1", PerturbReward, {"size": 0.1, "seed": np.int64(3)}),
        ("FrozenLake-v1", PerturbReward, {"size": 0.1, "kind": "bump", "state": np.int64(3), "action": np.intp(1)}),
        ("FrozenLake-v1", PerturbReward, {"size": np.float32(0.1)}),
        ("FrozenLake-v1", PerturbReward, {"size": 0.1, "kind": "witness", "witness": list(WITNESS)}),
        ("FrozenLake-v1", SwapReward, {"reward": list(WITNESS)}),
        ("Cliff-Slacker-v0", SwapReward, {"reward": {"correct": [np.float32(1)] * 41}}),
    ],
)
def test_numbers_of_numpy_are_recorded_as_plain_ones(id: str, wrapper: Any, arguments: dict[str, Any]) -> None:
    env = wrapper(gym.make(id), **arguments)
    np.testing.assert_equal(playing(by_json(env)), playing(env))


@pytest.mark.parametrize(
    "duplicate",
    [
        by_spec,
        by_json,
        *(duplicate for duplicate in (by_pickle, copy.deepcopy)),
    ],
)
def test_the_change_of_a_duplicate_is_read_only(duplicate: Callable[[Env], Env]) -> None:
    other = duplicate(PerturbReward(gym.make("FrozenLake-v1"), 0.1))
    assert isinstance(other, PerturbReward)
    assert not other.change.flags.writeable


# What may be expected to be paid


def test_the_reward_that_is_paid_is_known_through_every_wrapper() -> None:
    made = cliffgym.scenario("Cliff-MultiReward-v0")
    env = gym.wrappers.TimeLimit(SwapReward(gym.make("Cliff-MultiReward-v0"), "fixed"), 5)
    changed = PerturbReward(env, 0.1, seed=1)
    np.testing.assert_array_equal(paid_reward(gym.make(made.id)), made.reward("incomplete"))
    np.testing.assert_array_equal(paid_reward(env), made.reward("fixed"))
    np.testing.assert_array_equal(paid_reward(HideOracle(changed)), made.reward("fixed") + changed.change)
    other = np.full(FOREIGN["FrozenLake-v1"], 2.0)
    lake = SwapReward(gym.make("FrozenLake-v1"), other)
    np.testing.assert_array_equal(paid_reward(PerturbReward(lake, 0)), other)
    with pytest.raises(TypeError, match="env must be CliffGym's own or in a SwapReward"):
        _ = PerturbReward(gym.make("FrozenLake-v1"), 0.1).reward


@pytest.mark.parametrize("id", ["Cliff-Slacker-v0", "FrozenLake-v1"])
def test_a_step_that_only_begins_anew_is_not_paid(id: str) -> None:
    inner = gym.wrappers.Autoreset(gym.make(id))
    shape = cliff(inner).mdp.action_mask.shape if id in IDS else FOREIGN[id]
    table = np.ones(shape)
    if id in IDS:
        table[cliff(inner).mdp.terminal] = 0
    for env in (SwapReward(inner, table), PerturbReward(inner, 1, kind="witness", witness=np.ones(shape))):
        env.reset(seed=0)
        over, begun = False, 0
        for _ in range(60):
            paid = env.step(env.action_space.sample())
            if over:
                assert paid[1] == 0
                begun += 1
            else:
                assert paid[1] >= 1
            over = paid[2] or paid[3]
        assert begun


def test_a_reset_option_does_not_change_a_swapped_reward() -> None:
    env = SwapReward(gym.make("Cliff-Slacker-v0"), "true")
    with pytest.raises(ValueError, match="reset option must not be reward where SwapReward decides"):
        env.reset(options={"reward": "lazy"})
    env.reset(options={"prompt": 1})


def test_a_vector_is_not_changed() -> None:
    for wrap in (lambda env: SwapReward(env, "true"), lambda env: PerturbReward(env, 0.1)):
        with pytest.raises(TypeError, match=r"env must pay a number, got .* LinearReward first"):
            wrap(gym.make("mo-Cliff-Slacker-v0"))


def test_what_is_done_to_weights_later_is_not_paid() -> None:
    weights = {"correct": 1.0}
    env = CliffEnv("Cliff-Slacker-v0", weights)
    swapped = SwapReward(gym.make("Cliff-Slacker-v0"), weights)
    weights["correct"] = 5.0
    assert env.reward_spec == {"correct": 1.0}
    assert env.reward.max() == swapped.reward.max() == 1
