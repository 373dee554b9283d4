"""Both kernels of the solvers: each against answers from elsewhere, and against each other."""

import itertools
import subprocess
import sys
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from quantecon.markov import DiscreteDP

from cliffgym import TabularMDP, evaluate, occupancy, optimal, soft
from cliffgym.graph import heights
from cliffgym.solvers import deterministic, linear, structure
from cliffgym.testing import (
    CYCLES,
    dense_kernel,
    deterministic_policies,
    known_optimum,
    random_mdp,
    random_policy,
    random_reward,
)

Table = NDArray[Any]
KERNELS = ("numpy", "numba")
every_kernel = pytest.mark.parametrize("kernel", KERNELS)
seeds = st.integers(0, 2**32 - 1)


def mdps(
    *, gammas: tuple[float, ...] = (0.0, 0.5, 0.9, 0.999, 1.0), max_states: int = 9
) -> st.SearchStrategy[TabularMDP]:
    """Random MDPs of every kind of cycles, with one to three successors."""
    return st.one_of(
        [
            st.builds(
                random_mdp,
                seeds,
                num_states=st.sampled_from(range(max_states, 2, -1)),
                num_actions=st.sampled_from([3, 1, 2]),
                branching=st.sampled_from([2, 3] if kind == "ending" else [1, 2, 3]),
                cycles=st.just(kind),
                gamma=st.sampled_from([gamma for gamma in gammas if gamma < 1 or kind != "free"]),
                num_terminal=st.sampled_from([1, 2, 0] if kind == "free" else [1, 2]),
            )
            for kind in CYCLES
        ]
    )


def close(actual: Any, expected: Any, tolerance: float = 1e-11) -> None:
    np.testing.assert_allclose(actual, expected, rtol=tolerance, atol=tolerance)


def functional_mdp(following: list[int], ends: set[int], gamma: float) -> TabularMDP:
    """An MDP with one action, which leads from each state to the one named."""
    S = len(following)
    terminal = np.isin(np.arange(S), list(ends))
    return TabularMDP(np.reshape(following, (S, 1, 1)), np.ones((S, 1, 1)), np.eye(1, S)[0], terminal, gamma)


def functional_values(following: list[int], ends: set[int], pay: list[float], gamma: float) -> list[Fraction]:
    """The value of each state in exact fractions: along the walk until it ends or closes a cycle."""
    discount, values = Fraction(gamma), []
    for start in range(len(following)):
        path, at = [], start
        while at not in ends and at not in path:
            path.append(at)
            at = following[at]
        loop = path[path.index(at) :] if at in path else []
        ahead = Fraction(0)
        if loop:
            once = sum((discount**k * Fraction(pay[state]) for k, state in enumerate(loop)), Fraction(0))
            ahead = once / (1 - discount ** len(loop))
        for state in reversed(path[: len(path) - len(loop)]):
            ahead = Fraction(pay[state]) + discount * ahead
        values.append(ahead)
    return values


# Against answers from elsewhere


@every_kernel
@given(mdps(gammas=(0.0, 0.5, 0.9, 0.99)), seeds)
def test_optimal_values_are_those_of_quantecon(kernel: str, mdp: TabularMDP, seed: int) -> None:
    reward = random_reward(mdp, seed)
    legal = np.where(mdp.action_mask, reward, -np.inf)
    expected = DiscreteDP(legal, dense_kernel(mdp), mdp.gamma).solve(method="policy_iteration").v
    close(optimal(mdp, reward, kernel=kernel).state_values, expected, 1e-10)


@every_kernel
@given(mdps(max_states=5), seeds)
@settings(max_examples=50)
def test_optimum_is_the_best_of_all_deterministic_policies(kernel: str, mdp: TabularMDP, seed: int) -> None:
    reward = random_reward(mdp, seed, levels=3)  # few levels: many exact ties
    policies = list(deterministic_policies(mdp))
    values = np.array([evaluate(mdp, reward, policy, kernel="numpy").state_values for policy in policies])
    optimum = optimal(mdp, reward, kernel=kernel)
    close(optimum.state_values, values.max(axis=0), 1e-10)
    attained = np.abs(values - values.max(axis=0)) < 1e-9
    best = (attained[:, :, None] & (np.array(policies) > 0)).any(axis=0)
    alive = ~mdp.terminal
    np.testing.assert_array_equal(optimum.optimal_actions[alive], best[alive])


@every_kernel
@given(mdps(max_states=30), seeds, st.sampled_from([0.0, 0.5, 1.0]))
def test_planted_values_gaps_and_ties_are_found(kernel: str, mdp: TabularMDP, seed: int, ties: float) -> None:
    known = known_optimum(mdp, seed, ties)
    optimum = optimal(mdp, known.reward, kernel=kernel)
    close(optimum.state_values, known.state_values)
    close(optimum.action_gaps, known.action_gaps)
    np.testing.assert_array_equal(optimum.optimal_actions, known.optimal_actions | mdp.terminal[:, None])


@every_kernel
@given(mdps(), seeds)
def test_what_illegal_actions_pay_changes_no_optimum(kernel: str, mdp: TabularMDP, seed: int) -> None:
    known = known_optimum(mdp, seed)
    tempting = np.where(mdp.action_mask, known.reward, 1e15)
    close(optimal(mdp, tempting, kernel=kernel).state_values, known.state_values)
    hot, cold = (soft(mdp, tempting, temperature, kernel=kernel) for temperature in (1e12, 1e-6))
    assert (hot.policy[~mdp.action_mask] == 0).all()
    assert (cold.policy[~mdp.action_mask] == 0).all()
    close(cold.state_values, known.state_values, 1e-3)


# Functional graphs

GRAPHS = {
    "self loops": ([0, 1, 2], set()),
    "one cycle": ([1, 2, 3, 0], set()),
    "cycles, tails and an end": ([1, 2, 0, 0, 3, 4, 7, 6, 6, 9, 9, 10, 12, 11], {9}),
    "a tail first met from its end": ([4, 0, 1, 2, 4], {4}),
    "a tail into a cycle met before": ([1, 0, 0, 2, 3], set()),
    "a cycle entered in its middle": ([3, 0, 1, 4, 5, 3, 5], set()),
}
every_graph = pytest.mark.parametrize("graph", GRAPHS.values(), ids=GRAPHS.keys())


@every_kernel
@every_graph
@pytest.mark.parametrize("gamma", [0.0, 0.5, 0.95, 0.999, 1 - 1e-6, 1 - 1e-9])
def test_functional_graphs_have_their_closed_form(kernel: str, graph: tuple[list[int], set[int]], gamma: float) -> None:
    following, ends = graph
    mdp = functional_mdp(following, ends, gamma)
    pay = [0.0 if state in ends else value for state, value in enumerate(random_reward(mdp, 0)[:, 0].tolist())]
    expected = [float(value) for value in functional_values(following, ends, pay, gamma)]
    reward = np.reshape(pay, (-1, 1))
    # NumPy refines values in extended precision, whose rounding is magnified; numba has twice the precision.
    tolerance = 1e-14 + (2 * float(np.finfo(np.longdouble).eps) / (1 - gamma) if kernel == "numpy" else 0)
    for result in (optimal(mdp, reward, kernel=kernel), evaluate(mdp, reward, np.ones(reward.shape), kernel=kernel)):
        np.testing.assert_allclose(result.state_values, expected, rtol=tolerance, atol=1e-14)
        if kernel == "numba" and gamma > deterministic.REFINED_GAMMA:
            np.testing.assert_array_max_ulp(result.state_values, np.array(expected), maxulp=1)


@every_kernel
@given(seeds, st.sampled_from([2, 5, 40]), st.sampled_from([0.9, 0.99, 0.999, 1 - 1e-6]))
@settings(max_examples=40)
def test_random_functional_graphs_have_their_closed_form(kernel: str, seed: int, size: int, gamma: float) -> None:
    rng = np.random.default_rng(seed)
    ends = set(np.flatnonzero(rng.random(size) < 0.1).tolist())
    following = [state if state in ends else int(rng.integers(size)) for state in range(size)]
    pay = [0.0 if state in ends else float(rng.integers(-4, 5)) / 4 for state in range(size)]
    expected = [float(value) for value in functional_values(following, ends, pay, gamma)]
    optimum = optimal(functional_mdp(following, ends, gamma), np.reshape(pay, (-1, 1)), kernel=kernel)
    # Rewards that cancel round a cycle leave a value of the size of one reward, right to its last digits.
    scale = max(1.0, *map(abs, expected))
    tolerance = 1e-15 + (1e-16 / (1 - gamma) if gamma <= deterministic.REFINED_GAMMA else 0)
    np.testing.assert_allclose(optimum.state_values / scale, np.divide(expected, scale), rtol=0, atol=tolerance)


@every_kernel
@pytest.mark.parametrize("gamma", [0.999, 1 - 1e-5, 1 - 1e-7])
def test_equal_cycles_in_another_order_are_tied(kernel: str, gamma: float) -> None:
    """A choice between two copies of a long cycle, numbered differently; its rewards nearly cancel."""
    length, rng = 301, np.random.default_rng(3)
    pay = rng.normal(size=length)
    pay -= pay.mean()
    successors = np.zeros((1 + 2 * length, 2, 1), dtype=int)
    reward = np.zeros((1 + 2 * length, 2))
    for copy, places in enumerate((np.arange(length), rng.permutation(length))):
        numbers = 1 + copy * length + places
        successors[numbers] = np.roll(numbers, -1)[:, None, None]
        reward[numbers] = pay[:, None]
        successors[0, copy] = numbers[0]
    nowhere = np.zeros(1 + 2 * length, bool)
    mdp = TabularMDP(successors, np.ones(successors.shape), np.eye(1, 1 + 2 * length)[0], nowhere, gamma)
    optimum = optimal(mdp, reward, kernel=kernel)
    assert optimum.optimal_actions[0].all()
    assert optimum.action_gaps[0].max() <= 1e-13
    reward[0, 1] -= 1e-6
    assert optimal(mdp, reward, kernel=kernel).optimal_actions[0].tolist() == [True, False]


@every_kernel
@pytest.mark.parametrize("seed", [109, 256, 271])
def test_policies_that_rounding_swaps_for_ever_come_to_an_end(
    kernel: str, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So close to gamma = 1 rounding exceeds the margin, and without a limit NumPy's search swaps tied actions."""
    rounds = []

    def counted(*arguments: Any) -> Table:
        rounds.append(1)
        assert len(rounds) < 100, "policy iteration does not end"
        return evaluate_policy(*arguments)

    evaluate_policy = deterministic.functional_values
    monkeypatch.setattr(deterministic, "functional_values", counted)
    sizes: dict[str, Any] = {"num_states": 30, "num_terminal": 0, "illegal": 0, "branching": 1}
    mdp = random_mdp(seed, cycles="free", gamma=0.999999999999, **sizes)
    known = known_optimum(mdp, seed)
    close(optimal(mdp, known.reward, kernel=kernel).state_values, known.state_values, 1e-14 / (1 - mdp.gamma))


# Against each other


@given(mdps(), seeds, st.floats(-6, 12).map(lambda exponent: 10.0**exponent), st.booleans())
def test_kernels_agree(mdp: TabularMDP, seed: int, temperature: float, with_reference: bool) -> None:
    reward, policy = random_reward(mdp, seed), random_policy(mdp, seed, legal=False)
    reference = random_policy(mdp, [seed, 1], legal=False) if with_reference else None
    numpy, numba = (
        (
            optimal(mdp, reward, kernel=kernel),
            soft(mdp, reward, temperature, reference, kernel=kernel),
            evaluate(mdp, reward, policy, kernel=kernel),
            occupancy(mdp, policy, kernel=kernel),
        )
        for kernel in KERNELS
    )
    for one, other in zip(numpy[:3], numba[:3], strict=True):
        for name, value in vars(one).items():
            if name != "policy":
                scale = max(1.0, float(np.abs(one.state_values).max()))
                close(np.asarray(value) / scale, np.asarray(getattr(other, name)) / scale)
    np.testing.assert_array_equal(numpy[0].optimal_actions, numba[0].optimal_actions)
    # Rounding of values is magnified by the temperature.
    scale = np.abs(numpy[1].q_values[mdp.action_mask]).max()
    close(numpy[1].policy, numba[1].policy, 1e-10 + 1e-12 * scale / temperature)
    close(numpy[3], numba[3])


@given(mdps(), seeds)
def test_kernels_find_the_same_heights(mdp: TabularMDP, seed: int) -> None:
    graph = mdp.successors, mdp.probabilities, mdp.terminal
    np.testing.assert_array_equal(heights(*graph, kernel="numba"), heights(*graph, kernel="numpy"))


def test_heights_of_a_graph_without_an_end() -> None:
    for kernel in KERNELS:
        graph = np.zeros((2, 1, 1), dtype=int), np.ones((2, 1, 1)), np.zeros(2, bool)
        assert heights(*graph, kernel=kernel).tolist() == [-1, -1]


# Which kernel is taken


def test_small_problems_load_no_numba() -> None:
    program = (
        "import sys; import numpy as np; import cliffgym; from cliffgym.testing import random_mdp, random_reward\n"
        "mdp = random_mdp(0, num_states=200, cycles='free'); reward = random_reward(mdp, 0)\n"
        "cliffgym.optimal(mdp, reward); cliffgym.soft(mdp, reward, 0.1); mdp.levels if mdp.is_acyclic else 0\n"
        "cliffgym.evaluate(mdp, reward, cliffgym.uniform_policy(mdp))\n"
        "assert 'numba' not in sys.modules\n"
        "cliffgym.optimal(mdp, reward, kernel='numba')\n"
        "assert 'numba' in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=100)


def test_auto_compiles_where_the_work_is_large(monkeypatch: pytest.MonkeyPatch) -> None:
    mdp = random_mdp(0, num_states=10, num_actions=2, branching=1)
    monkeypatch.setattr(structure, "COMPILED_WORK", 60)
    chosen = [structure.chosen_kernel("auto", mdp, count) for count in (1, 2, 3)]
    assert chosen == ["numpy", "numpy", "numba"]


def test_without_numba_auto_is_numpy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cliffgym.kernels.has_numba", lambda: False)
    monkeypatch.setattr(structure, "COMPILED_WORK", 0)
    mdp = random_mdp(0, cycles="free")
    reward = random_reward(mdp, 0)
    np.testing.assert_array_equal(optimal(mdp, reward).q_values, optimal(mdp, reward, kernel="numpy").q_values)
    with pytest.raises(ImportError, match="needs numba"):
        optimal(mdp, reward, kernel="numba")
    with pytest.raises(ImportError, match="needs numba"):
        soft(mdp, reward, 0.1, kernel="numba")


def test_an_unknown_kernel_is_refused() -> None:
    mdp = random_mdp(0)
    reward, policy = random_reward(mdp, 0), random_policy(mdp, 0)
    for solve in (
        lambda: optimal(mdp, reward, kernel="fortran"),
        lambda: soft(mdp, reward, 1.0, kernel="fortran"),
        lambda: evaluate(mdp, reward, policy, kernel="fortran"),
        lambda: occupancy(mdp, policy, kernel="fortran"),
    ):
        with pytest.raises(ValueError, match='kernel must be one of "auto", "numpy", "numba", got \'fortran\''):
            solve()


# Limits


@every_kernel
@pytest.mark.parametrize("branching", [1, 2])
@pytest.mark.parametrize("limit", [0, 4096])
def test_values_that_overflow_in_a_cycle_are_refused(
    kernel: str, branching: int, limit: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(linear, "DENSE_LIMIT", limit)
    mdp = random_mdp(0, cycles="free", branching=branching, num_terminal=0, gamma=0.99)
    reward = np.full((mdp.num_states, mdp.num_actions), 1e308)
    policy = random_policy(mdp, 0)
    with np.errstate(all="ignore"):
        for solve in (
            lambda: optimal(mdp, reward, kernel=kernel),
            lambda: soft(mdp, reward, 1.0, kernel=kernel),
            lambda: evaluate(mdp, reward, policy, kernel=kernel),
        ):
            with pytest.raises(ValueError, match="reward must be small enough for finite values"):
                solve()


@every_kernel
@pytest.mark.parametrize(("end", "seed"), [(0, 1), (97, 1), (97, 2)])
def test_values_that_rounding_swallows_are_an_error(kernel: str, end: int, seed: int) -> None:
    """A walk on a grid that ends in one cell, which a policy can all but surely avoid for ever, at gamma = 1."""
    size = 12
    cells = list(itertools.product(range(size), repeat=2))
    moves = [(1, 0), (-1, 0), (0, 1), (0, -1)]
    near = [[size * min(max(i + x, 0), size - 1) + min(max(j + y, 0), size - 1) for x, y in moves] for i, j in cells]
    successors = np.repeat(np.array(near)[:, None, :], 4, axis=1)
    successors[end] = end
    probabilities = np.tile(0.05 + 0.8 * np.eye(4), (size**2, 1, 1))
    terminal = np.arange(size**2) == end
    mdp = TabularMDP(successors, probabilities, np.eye(1, size**2, 5)[0], terminal, 1.0)
    with pytest.raises(ArithmeticError, match=r"optimal values must settle, got .*: gamma 1\.0 is too close to 1"):
        optimal(mdp, random_reward(mdp, seed), kernel=kernel)


# What is kept about an MDP


def test_an_mdp_is_deterministic_if_every_probability_is_1() -> None:
    deterministic_mdp = random_mdp(0, branching=1)
    assert structure.is_deterministic(deterministic_mdp)
    assert structure.transitions(deterministic_mdp).probabilities.size == 0
    assert not structure.is_deterministic(random_mdp(0, branching=3))
    nearly = TabularMDP([[[1]], [[1]]], np.array([[[1 - 5e-10]], [[1.0]]]), [1, 0], [False, True], 0.9)  # type: ignore[arg-type]
    assert not structure.is_deterministic(nearly)
    padded = TabularMDP([[[0, 1]], [[1, 1]]], [[[0.0, 1.0]], [[0.5, 0.5]]], [1, 0], [False, True], 0.9)  # type: ignore[arg-type]
    assert structure.is_deterministic(padded)
    assert structure.next_states(padded).tolist() == [[1], [1]]


def test_what_is_kept_goes_with_the_mdp() -> None:
    import gc
    import weakref

    mdp = random_mdp(0, num_states=20)
    optimal(mdp, random_reward(mdp, 0), kernel="numba")
    kept = weakref.ref(structure.transitions(mdp).successors)
    assert structure.transitions(mdp).successors is kept()
    gone = weakref.ref(mdp)
    del mdp
    gc.collect()
    assert gone() is None
    assert kept() is None
