"""NumPy and numba: which is chosen, what importing the package loads, and that both give the same, bit for bit."""

import copy
import dataclasses
import itertools
import json
import pickle
import subprocess
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import gymnasium as gym
import numba
import numpy as np
import pytest
from gymnasium.vector import AutoresetMode
from hypothesis import example, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

import cliffgym
from cliffgym import CliffVectorEnv, Scenario, kernels
from cliffgym.envs.vector_env import AUTORESET_MODES, WORTH_COMPILING
from cliffgym.kernels import choose_kernel, compiled

KERNELS = ("numpy", "numba")

every_kernel = pytest.mark.parametrize("kernel", KERNELS)
every_mode = pytest.mark.parametrize("mode", AUTORESET_MODES)
every_copy = pytest.mark.parametrize(
    "duplicate", [copy.deepcopy, lambda envs: pickle.loads(pickle.dumps(envs))], ids=["deepcopy", "pickle"]
)


# The choice


@pytest.mark.parametrize(
    ("kernel", "worthwhile", "installed", "chosen"),
    [
        ("auto", True, True, "numba"),
        ("auto", False, True, "numpy"),
        ("auto", True, False, "numpy"),
        ("auto", False, False, "numpy"),
        ("numpy", True, True, "numpy"),
        ("numpy", False, False, "numpy"),
        ("numba", True, True, "numba"),
        ("numba", False, True, "numba"),
    ],
)
def test_numba_is_chosen_where_it_is_asked_for_or_there_and_worth_it(
    monkeypatch: pytest.MonkeyPatch, kernel: str, worthwhile: bool, installed: bool, chosen: str
) -> None:
    monkeypatch.setattr(kernels, "has_numba", lambda: installed)
    assert choose_kernel(kernel, worthwhile) == chosen
    if worthwhile:
        assert choose_kernel(kernel) == chosen
        assert CliffVectorEnv("Cliff-Slacker-v0", WORTH_COMPILING, kernel=kernel).kernel == chosen
    else:
        assert CliffVectorEnv("Cliff-Slacker-v0", WORTH_COMPILING - 1, kernel=kernel).kernel == chosen


def test_numba_that_is_not_installed_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernels, "has_numba", lambda: False)
    for ask in (choose_kernel, lambda kernel: CliffVectorEnv("Cliff-Slacker-v0", 2, kernel=kernel)):
        with pytest.raises(ImportError, match=r"needs numba, which is not installed: pip install 'cliffgym\[fast\]'"):
            ask("numba")


@pytest.mark.parametrize("bad", ["Numba", "jax", "", None, 0, True, ["numpy"], np.array(["numpy", "numba"])], ids=repr)
def test_unknown_kernel_lists_the_known_ones(bad: Any) -> None:
    for ask in (choose_kernel, lambda kernel: gym.make_vec("Cliff-Slacker-v0", num_envs=2, kernel=kernel)):
        with pytest.raises(ValueError, match='kernel must be one of "auto", "numpy", "numba", got'):
            ask(bad)


def test_numba_is_seen_where_it_is() -> None:
    assert kernels.has_numba()


# Compiling


def left_over(value: float, large: float) -> float:
    return (value + large) - large  # which is not the value, but for arithmetic that takes no heed of rounding


def inverse(value: float) -> float:
    return 1.0 / value


@pytest.fixture
def cache_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where machine code is kept during a test, with none in it from before."""
    monkeypatch.setattr("numba.core.config.CACHE_DIR", str(tmp_path))
    return tmp_path


def test_compiled_functions_round_as_python_does(cache_folder: Path) -> None:
    assert compiled(left_over)(1.1, 1e15) == left_over(1.1, 1e15) != 1.1
    assert compiled(inverse)(0.0) == np.inf


def test_machine_code_is_kept(cache_folder: Path) -> None:
    assert not list(cache_folder.rglob("*inverse*"))
    compiled(inverse)(4.0)
    assert list(cache_folder.rglob("*inverse*.nbc"))


def test_where_nothing_can_be_kept_functions_are_compiled_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    original = numba.njit

    def without_folder(*args: Any, cache: bool = False, **kwargs: Any) -> Any:
        if cache:
            raise RuntimeError("cannot cache function 'inverse': no locator available")
        return original(*args, **kwargs)

    monkeypatch.setattr(numba, "njit", without_folder)
    assert compiled(inverse)(4.0) == 0.25


# What is imported


def run(program: str, place: Path) -> Any:
    """What a program prints as JSON in a fresh interpreter, away from the source tree."""
    command = [sys.executable, "-W", "error", "-c", "import json, sys\n" + program]
    done = subprocess.run(command, cwd=place, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_numba_is_imported_when_it_is_used_and_not_before(tmp_path: Path) -> None:
    program = "\n".join(
        [
            "there, seen = lambda: 'numba' in sys.modules, {}",
            "import gymnasium, cliffgym",
            "seen['import cliffgym'] = there()",
            "env = gymnasium.make('Cliff-Slacker-v0')",
            "env.reset(seed=0), env.step(0)",
            "seen['single'] = there()",
            "envs = gymnasium.make_vec('Cliff-Slacker-v0', num_envs=3, kernel='numpy')",
            "envs.reset(seed=0), envs.step([0, 1, 2])",
            "envs.rollout(cliffgym.uniform_policy(envs.mdp), 5)",
            "seen['numpy'] = there()",
            "envs = gymnasium.make_vec('Cliff-Slacker-v0', num_envs=3)",
            "seen['few'] = there()",
            "envs = gymnasium.make_vec('Cliff-Slacker-v0', num_envs=64)",
            "seen['many'] = there()",
            "print(json.dumps(seen))",
        ]
    )
    seen = run(program, tmp_path)
    assert seen == {"import cliffgym": False, "single": False, "numpy": False, "few": False, "many": True}


def test_without_numba_all_is_there_but_the_kernel(tmp_path: Path) -> None:
    program = "\n".join(
        [
            "sys.modules['numba'] = None",  # as if it were not installed
            "import gymnasium, cliffgym",
            "envs = gymnasium.make_vec('Cliff-Slacker-v0', num_envs=3)",
            "first = envs.reset(seed=0)[0].tolist()",
            "second = envs.step([0, 1, 2])[0].tolist()",
            "try:",
            "    cliffgym.CliffVectorEnv('Cliff-Slacker-v0', kernel='numba')",
            "except ImportError as error:",
            "    print(json.dumps([envs.kernel, first, second, str(error)]))",
        ]
    )
    kernel, first, second, message = run(program, tmp_path)
    assert kernel == "numpy"
    assert "cliffgym[fast]" in message
    envs = CliffVectorEnv("Cliff-Slacker-v0", 3, kernel="numba")
    assert [envs.reset(seed=0)[0].tolist(), envs.step([0, 1, 2])[0].tolist()] == [first, second]


# However many run beside, and with either kernel


@cache
def scenario(id: str) -> Scenario:
    """A registered scenario, made once; the one of random transitions is small here, and branches."""
    return cliffgym.scenario(id, **({"states": 12, "branching": 3} if id == "Cliff-Garnet-v0" else {}))


every_kind = pytest.mark.parametrize("id", ["Cliff-Slacker-v0", "Cliff-LengthPenalty-v0", "Cliff-Garnet-v0"])


def some_table(scenario: Scenario) -> NDArray[np.float64]:
    """(S, A) another number for every pair."""
    table = np.random.default_rng(0).normal(size=(scenario.mdp.num_states, scenario.mdp.num_actions))
    table[scenario.mdp.terminal] = 0.0
    return table


def mostly_legal(masks: NDArray[np.bool_], draw: np.random.Generator) -> NDArray[np.int64]:
    """(N,) actions, of which some may not be allowed, so that traces end soon and late."""
    legal = (masks * draw.random(masks.shape)).argmax(axis=1)
    return np.where(draw.random(len(masks)) < 0.9, legal, draw.integers(masks.shape[1], size=len(masks)))


def record(envs: CliffVectorEnv, actions: NDArray[np.int64], count: int) -> list[NDArray[Any]]:
    """What the first copies see and are paid over some steps of actions (T, N); no resets are asked for."""
    history = [envs.reset(seed=3)[0][:count]]
    for row in actions:
        seen, rewards, ended, _, infos = envs.step(row[: envs.num_envs])
        history += [seen[:count], rewards[:count], ended[:count], infos["action_mask"][:count]]
    return history


@pytest.mark.parametrize("mode", ["next_step", "same_step"])
@pytest.mark.parametrize("id", ["Cliff-TieBreaker-v0", "Cliff-Garnet-v0"])
def test_a_copy_does_the_same_however_many_run_beside_it(id: str, mode: str) -> None:
    made = scenario(id)
    # Beyond 2,048 copies first states are drawn one by one, below that many at once.
    sizes = (1, 7, 1000, 2048, 2049, 5000)
    actions = np.random.default_rng(0).integers(made.mdp.num_actions, size=(120, max(sizes)))
    histories = {
        (size, kernel): record(CliffVectorEnv(made, size, "true", autoreset_mode=mode, kernel=kernel), actions, 7)
        for size, kernel in itertools.product(sizes, KERNELS)
    }
    most = histories[5000, "numpy"]
    assert sum(np.sum(ended) for ended in most[3::4]) > 50
    for (size, _), history in histories.items():
        for one, other in zip(history, most, strict=True):
            assert np.array_equal(one, other[: min(size, 7)])


# Any calls in any order, on originals and copies


def bits(result: Any) -> Any:
    """A result as plain data, floating-point numbers bit by bit."""
    if isinstance(result, dict):
        return {key: bits(value) for key, value in result.items()}
    if isinstance(result, list | tuple):
        return [bits(value) for value in result]
    if dataclasses.is_dataclass(result):
        return bits(vars(result))
    if isinstance(result, np.ndarray):
        values = [bits(value) for value in result] if result.dtype == object else result.tobytes()
        return result.dtype.str, result.shape, values
    return result


def perform(envs: CliffVectorEnv, call: str, number: int) -> Any:
    """One call, with arguments drawn from the number; traces that have ended are reset first where they have to be."""
    draw, made = np.random.default_rng(number), envs.scenario
    some = draw.random(envs.num_envs) < 0.5
    some[draw.integers(envs.num_envs)] = True
    ended = made.mdp.terminal[envs.states]
    if call in ("step", "step_states") and envs.autoreset_mode == AutoresetMode.DISABLED and ended.any():
        envs.reset(options={"reset_mask": ended})
    match call:
        case "step":
            return envs.step(mostly_legal(envs.action_masks(), draw))
        case "step_states":
            return envs.step_states(mostly_legal(envs.action_masks(), draw))
        case "rollout":
            policy = draw.dirichlet(np.ones(made.mdp.num_actions), size=made.mdp.num_states)
            return envs.rollout(policy, int(draw.integers(1, 40)))
        case "reset":
            seeds = [None if draw.random() < 0.5 else int(draw.integers(2**40)) for _ in range(envs.num_envs)]
            return envs.reset(seed=(None, number, seeds)[number % 3])
        case "reset_mask":
            return envs.reset(seed=(None, number)[number % 2], options={"reset_mask": some})
        case "prompt":
            prompts = draw.integers(len(made.prompts), size=envs.num_envs)
            return envs.reset(options={"prompt": prompts, "reset_mask": some})
        case "set_reward":
            envs.set_reward(
                (some_table(made) * number, "true", {made.components.names[0]: 0.3}, "incomplete")[number % 4]
            )
    return None


CALLS = ("step", "step", "step", "step_states", "rollout", "reset", "reset_mask", "prompt", "set_reward", "copy")
calls = st.lists(st.tuples(st.sampled_from(CALLS), st.integers(0, 2**32)), min_size=1, max_size=30)


@every_mode
@every_kind
@settings(max_examples=40)
@given(calls=calls, count=st.integers(1, 6), oracle=st.booleans())
@example(calls=[("rollout", 3), ("copy", 0), ("step", 1), ("reset_mask", 1), ("rollout", 2)] * 3, count=3, oracle=True)
def test_any_calls_in_any_order_give_the_same(
    id: str, mode: str, calls: list[tuple[str, int]], count: int, oracle: bool
) -> None:
    kernels, kwargs = KERNELS * 2, {"autoreset_mode": mode, "oracle": oracle}
    several = [CliffVectorEnv(scenario(id), count, kernel=kernel, **kwargs) for kernel in kernels]
    results = [bits(envs.reset(seed=5)) for envs in several]
    for call, number in calls:
        assert all(result == results[0] for result in results)
        if call == "copy":  # the second pair goes on as copies of itself
            duplicate = copy.deepcopy if number % 2 else lambda envs: pickle.loads(pickle.dumps(envs))
            several[2:] = [duplicate(envs) for envs in several[2:]]
        results = [bits(perform(envs, call, number)) for envs in several]
        assert all(np.array_equal(envs.states, several[0].states) for envs in several)
    assert all(result == results[0] for result in results)


@every_mode
def test_many_calls_in_some_order_give_the_same(mode: str) -> None:
    # Long enough for what is drawn ahead to be used up again and again, with resets in between.
    draw = np.random.default_rng(1)
    several = [
        CliffVectorEnv(scenario("Cliff-Slacker-v0"), 700, autoreset_mode=mode, kernel=kernel) for kernel in KERNELS
    ]
    assert len({str(bits(envs.reset(seed=3))) for envs in several}) == 1
    for _ in range(300):
        call, number = CALLS[draw.integers(8)], int(draw.integers(2**32))
        assert bits(perform(several[0], call, number)) == bits(perform(several[1], call, number)), call


@every_copy
@every_kernel
def test_a_copy_and_its_original_go_separate_ways(kernel: str, duplicate: Callable[[Any], Any]) -> None:
    envs, untouched = (CliffVectorEnv(scenario("Cliff-Garnet-v0"), 5, kernel=kernel) for _ in range(2))
    for each in (envs, untouched):
        each.reset(seed=1)
        each.step(np.zeros(5, dtype=int))
    twin = duplicate(envs)
    twin.set_reward("true")
    for number in range(20):
        perform(twin, "step", number)
    twin.reset(seed=9)
    assert envs.reward_name == "incomplete"
    for number in range(20):
        assert bits(perform(envs, "step", number)) == bits(perform(untouched, "step", number))


@every_copy
@every_kernel
def test_what_was_never_reset_can_be_copied(kernel: str, duplicate: Callable[[Any], Any]) -> None:
    envs = CliffVectorEnv(scenario("Cliff-Garnet-v0"), 5, kernel=kernel)
    twin = duplicate(envs)
    assert bits(envs.reset(seed=1)) == bits(twin.reset(seed=1))
    assert bits(perform(envs, "rollout", 0)) == bits(perform(twin, "rollout", 0))


# What is returned belongs to the caller, and what is given stays the caller's


def spoil(result: Any) -> None:
    """Overwrites all that can be overwritten."""
    if isinstance(result, dict):
        for value in result.values():
            spoil(value)
        result.clear()
    elif isinstance(result, list | tuple):
        for value in result:
            spoil(value)
    elif isinstance(result, np.ndarray):
        if result.dtype == object:
            spoil(list(result))
        result[...] = None if result.dtype == object else 1


@every_mode
@every_kernel
def test_overwriting_what_was_returned_changes_nothing_that_follows(kernel: str, mode: str) -> None:
    for id, observation, oracle in itertools.product(
        ("Cliff-Slacker-v0", "Cliff-Garnet-v0"), ("state", "onehot", "tokens"), (False, True)
    ):
        if id == "Cliff-Garnet-v0" and observation == "tokens":
            continue
        made = scenario(id)
        kwargs: dict[str, Any] = {"observation": observation, "oracle": oracle, "autoreset_mode": mode}
        envs, spoiled = (CliffVectorEnv(made, 4, "true", kernel=kernel, **kwargs) for _ in range(2))
        envs.reset(seed=2)
        spoil(spoiled.reset(seed=2))
        for number in range(30):
            call = ("step", "step_states", "step", "step", "reset_mask", "rollout", "step", "prompt", "reset")[
                number % 9
            ]
            expected, result = (perform(each, call, number) for each in (envs, spoiled))
            assert bits(result) == bits(expected)
            if call != "rollout":  # which is read-only
                spoil(result)
            for array in (spoiled.states, spoiled.action_masks(), spoiled.observations()):
                spoil(array)


@every_mode
@every_kernel
def test_what_was_returned_stays_as_it_was(kernel: str, mode: str) -> None:
    for id, observation in (
        ("Cliff-Garnet-v0", "state"),
        ("Cliff-Garnet-v0", "onehot"),
        ("Cliff-Slacker-v0", "tokens"),
    ):
        made = scenario(id)
        envs = CliffVectorEnv(made, 4, kernel=kernel, observation=observation, autoreset_mode=mode)
        first = envs.reset(seed=2)
        results = [first, *(perform(envs, call, 7) for call in [*["step"] * 5, "reset", "rollout", "step_states"])]
        before = bits(results)
        for number in range(20):
            perform(envs, ("step", "rollout", "reset", "set_reward")[number % 4], number)
        assert bits(results) == before


@every_kernel
def test_what_was_given_is_neither_changed_nor_kept(kernel: str) -> None:
    made = scenario("Cliff-Slacker-v0")
    envs, same = (CliffVectorEnv(made, 3, autoreset_mode="disabled", kernel=kernel) for _ in range(2))
    table, seeds, prompts = some_table(made), [4, None, 5], np.array([0, 1, 2])
    actions, mask = np.array([0, 1, 2]), np.array([True, False, True])
    options = {"reset_mask": mask, "prompt": prompts, "reward": table}
    given = copy.deepcopy((table, seeds, actions, options))
    for each in (envs, same):
        each.reset(seed=seeds)
        each.reset(options=options)
        each.step(actions)
        np.testing.assert_equal((table, seeds, actions, options), given)
    spoil([table, prompts, actions, mask])
    again = {"reset_mask": np.ones(3, dtype=bool), "prompt": given[3]["prompt"]}
    assert bits(envs.reset(options=again)) == bits(same.reset(options=again))
    assert envs.step(given[2])[1].tolist() == given[0][[0, 1, 2], [0, 1, 2]].tolist()


@every_kernel
@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.int32, np.uint64, ">i8", np.int64, list, tuple])
def test_every_kind_of_integers_are_actions(dtype: Any, kernel: str) -> None:
    envs, plain = (CliffVectorEnv(scenario("Cliff-Slacker-v0"), 3, "true", kernel=kernel) for _ in range(2))
    envs.reset(seed=0)
    plain.reset(seed=0)
    for tokens in ([0, 1, 2], [3, 3, 4], [3, 3, 3]):
        given = dtype(tokens) if dtype in (list, tuple) else np.array(tokens, dtype=dtype)
        assert bits(envs.step(given)) == bits(plain.step(np.array(tokens)))


@every_kernel
def test_actions_may_be_read_only_or_lie_apart(kernel: str) -> None:
    envs, plain = (CliffVectorEnv(scenario("Cliff-Slacker-v0"), 3, "true", kernel=kernel) for _ in range(2))
    envs.reset(seed=0)
    plain.reset(seed=0)
    tokens = np.array([0, 9, 1, 9, 2, 9])[::2]
    assert bits(envs.step(tokens)) == bits(plain.step(tokens.copy()))
    tokens = np.array([3, 3, 4])
    tokens.setflags(write=False)
    assert bits(envs.step(tokens)) == bits(plain.step(tokens.copy()))
