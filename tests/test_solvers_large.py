"""The solvers on MDPs too large for dense matrices: planted answers, closed forms, QuantEcon, memory."""

import tracemalloc
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from quantecon.markov import DiscreteDP
from scipy.sparse import csr_matrix

from cliffgym import TabularMDP, evaluate, occupancy, optimal, soft, uniform_policy
from cliffgym.graph import heights
from cliffgym.solvers import chains, linear, optimal_batch, policy_iteration
from cliffgym.testing import KnownOptimum, known_optimum, random_mdp, random_policy, random_reward

Table = NDArray[Any]
every_kernel = pytest.mark.parametrize("kernel", ["numpy", "numba"])


def planted(mdp: TabularMDP, seed: int, ties: float = 0.5) -> KnownOptimum:
    """As `known_optimum`, whose dense kernel would not fit: values and gaps first, then the reward that has them."""
    rng = np.random.default_rng(seed)
    shape = (mdp.num_states, mdp.num_actions)
    values = np.where(mdp.terminal, 0.0, rng.uniform(-1, 1, size=shape[0]))
    gaps = rng.uniform(0.1, 1, size=shape) * (rng.random(shape) >= ties)
    best = np.where(mdp.action_mask, rng.random(shape), -1).argmax(axis=1)
    gaps[np.arange(shape[0]), best] = 0
    gaps[mdp.terminal] = 0
    loss = np.where(mdp.action_mask, gaps, rng.uniform(-3, 1, size=shape))
    reward = values[:, None] - loss - mdp.gamma * (mdp.probabilities * values[mdp.successors]).sum(axis=2)
    reward[mdp.terminal] = 0
    return KnownOptimum(reward, values, np.where(mdp.action_mask, gaps, np.inf))


def grid(size: int, gamma: float, ends: int = 0, slip: float = 0.2) -> TabularMDP:
    """A walk on a square grid, whose states take long to mix; each move slips into any of the four with `slip`."""
    S = size * size
    i, j = np.divmod(np.arange(S), size)
    rows = np.clip([i + 1, i - 1, i, i], 0, size - 1)
    columns = np.clip([j, j, j + 1, j - 1], 0, size - 1)
    successors = np.repeat((size * rows + columns).T[:, None, :], 4, axis=1)
    terminal = np.zeros(S, bool)
    terminal[np.random.default_rng(0).choice(S, size=ends, replace=False)] = True
    successors[terminal] = np.flatnonzero(terminal)[:, None, None]
    probabilities = np.tile(slip / 4 + (1 - slip) * np.eye(4), (S, 1, 1))
    return TabularMDP(successors, probabilities, np.full(S, 1 / S), terminal, gamma)


def chain(length: int, gamma: float) -> TabularMDP:
    """A trace of so many steps; each state has two actions, one of which ends it."""
    successors = np.full((length + 1, 2, 1), length)
    successors[:-1, 0, 0] = np.arange(1, length + 1)
    start, end = np.arange(length + 1) == 0, np.arange(length + 1) == length
    return TabularMDP(successors, np.ones(successors.shape), start.astype(float), end, gamma)


def assert_found(mdp: TabularMDP, known: KnownOptimum, kernel: str) -> None:
    optimum = optimal(mdp, known.reward, kernel=kernel)
    np.testing.assert_array_equal(optimum.optimal_actions, known.optimal_actions | mdp.terminal[:, None])
    np.testing.assert_allclose(optimum.state_values, known.state_values, rtol=0, atol=5e-14 / (1 - mdp.gamma))


def test_planting_is_that_of_known_optimum() -> None:
    mdp = random_mdp(0, cycles="free")
    ours, theirs = planted(mdp, 3), known_optimum(mdp, 3)
    np.testing.assert_allclose(ours.reward, theirs.reward, atol=1e-15)
    np.testing.assert_array_equal(ours.optimal_actions, theirs.optimal_actions)


# Planted ties


@every_kernel
@pytest.mark.parametrize("gamma", [0.5, 0.9, 0.99, 0.999])
@pytest.mark.parametrize(("cycles", "branching"), [("free", 1), ("free", 2), ("ending", 3), ("none", 1), ("none", 2)])
@pytest.mark.parametrize("num_states", [500, 20_000])
def test_planted_ties_are_found(kernel: str, gamma: float, cycles: str, branching: int, num_states: int) -> None:
    mdp = random_mdp(5, num_states=num_states, branching=branching, cycles=cycles, gamma=gamma)
    assert_found(mdp, planted(mdp, 7), kernel)


@every_kernel
@pytest.mark.parametrize(("size", "gamma"), [(20, 0.5), (20, 0.99999), (50, 0.99), (50, 0.999)])
@pytest.mark.parametrize("ends", [0, 3])
def test_planted_ties_are_found_where_states_take_long_to_mix(kernel: str, size: int, gamma: float, ends: int) -> None:
    mdp = grid(size, gamma, ends)
    assert_found(mdp, planted(mdp, 7), kernel)


@every_kernel
def test_undiscounted_ties_are_found(kernel: str) -> None:
    mdp = random_mdp(3, num_states=3_000, branching=3, cycles="ending", gamma=1.0)
    known = planted(mdp, 7)
    optimum = optimal(mdp, known.reward, kernel=kernel)
    np.testing.assert_array_equal(optimum.optimal_actions, known.optimal_actions | mdp.terminal[:, None])
    np.testing.assert_allclose(optimum.state_values, known.state_values, rtol=0, atol=1e-12)


@every_kernel
def test_many_rewards_on_a_large_mdp(kernel: str) -> None:
    mdp = random_mdp(5, num_states=5_000, branching=1, cycles="free", gamma=0.99)
    known = [planted(mdp, seed, ties=0.3 * seed) for seed in range(3)]
    for optimum, one in zip(optimal_batch(mdp, [one.reward for one in known], kernel=kernel), known, strict=True):
        np.testing.assert_array_equal(optimum.optimal_actions, one.optimal_actions | mdp.terminal[:, None])


# Against QuantEcon


def quantecon_values(mdp: TabularMDP, reward: Table) -> Table:
    """Optimal values from a sparse DiscreteDP over the legal pairs of state and action."""
    states, actions = np.nonzero(mdp.action_mask)
    rows = np.repeat(np.arange(states.size), mdp.successors.shape[2])
    entries = mdp.probabilities[states, actions].ravel(), (rows, mdp.successors[states, actions].ravel())
    transitions = csr_matrix(entries, shape=(states.size, mdp.num_states))
    problem = DiscreteDP(reward[states, actions], transitions, mdp.gamma, states, actions)
    return problem.solve(method="policy_iteration").v


@every_kernel
@pytest.mark.parametrize("gamma", [0.9, 0.99])
@pytest.mark.parametrize(("cycles", "branching"), [("free", 1), ("free", 2), ("ending", 2), ("none", 3)])
def test_values_are_those_of_quantecon(kernel: str, gamma: float, cycles: str, branching: int) -> None:
    mdp = random_mdp(2, num_states=1_000, branching=branching, cycles=cycles, gamma=gamma)
    reward = random_reward(mdp, 2)
    expected = quantecon_values(mdp, reward)
    values = optimal(mdp, reward, kernel=kernel).state_values
    np.testing.assert_allclose(values, expected, rtol=0, atol=1e-12 * np.abs(expected).max() / (1 - gamma))


# Iteration against dense matrices


@every_kernel
@pytest.mark.parametrize(
    "mdp",
    [
        random_mdp(1, num_states=600, branching=3, cycles="free", gamma=0.95),
        random_mdp(1, num_states=600, branching=3, cycles="ending", gamma=1.0),
        grid(20, 0.999),
    ],
    ids=["free", "ending", "grid"],
)
def test_iteration_agrees_with_dense_matrices(kernel: str, mdp: TabularMDP, monkeypatch: pytest.MonkeyPatch) -> None:
    reward, policy = random_reward(mdp, 1), random_policy(mdp, 1)

    def everything() -> list[Table]:
        optimum, regularised = optimal(mdp, reward, kernel=kernel), soft(mdp, reward, 0.1, kernel=kernel)
        values = optimum.state_values, regularised.state_values, evaluate(mdp, reward, policy, kernel=kernel).q_values
        return [*values, occupancy(mdp, policy, kernel=kernel)]

    iterated = everything()
    monkeypatch.setattr(linear, "_DENSE_FIRST", linear.DENSE_LIMIT)
    for one, other in zip(iterated, everything(), strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=1e-12 * max(1, np.abs(other).max()))


def exact_values(mdp: TabularMDP, pay: Table) -> list[Fraction]:
    """Values of an MDP with one action and no end, in exact fractions, by Gauss-Jordan elimination."""
    S = mdp.num_states
    rows = [[Fraction(int(i == j)) for j in range(S)] + [Fraction(value)] for i, value in enumerate(pay.tolist())]
    for state, (targets, chances) in enumerate(zip(mdp.successors[:, 0], mdp.probabilities[:, 0], strict=True)):
        for target, chance in zip(targets.tolist(), chances.tolist(), strict=True):
            rows[state][target] -= Fraction(mdp.gamma) * Fraction(chance)
    for pivot in range(S):
        rows[pivot] = [entry / rows[pivot][pivot] for entry in rows[pivot]]
        for i in range(S):
            if i != pivot:
                rows[i] = [entry - rows[i][pivot] * other for entry, other in zip(rows[i], rows[pivot], strict=True)]
    return [row[S] for row in rows]


@every_kernel
@pytest.mark.parametrize("limit", [0, linear.DENSE_LIMIT])
@pytest.mark.parametrize("halvings", [8, 16, 24])
def test_values_close_to_gamma_1_are_right_to_rounding(
    kernel: str, limit: int, halvings: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(linear, "DENSE_LIMIT", limit)
    rng, size = np.random.default_rng(2), 12
    gamma = 1 - 0.5**halvings
    probabilities = np.tile([0.25, 0.75], (size, 1, 1))  # exact, as gamma and rewards are
    nowhere = np.zeros(size, bool)
    mdp = TabularMDP(rng.integers(size, size=(size, 1, 2)), probabilities, np.eye(1, size)[0], nowhere, gamma)
    reward = rng.integers(-8, 9, size=(size, 1)) / 8
    expected = np.array([float(value) for value in exact_values(mdp, reward[:, 0])])
    values = evaluate(mdp, reward, np.ones((size, 1)), kernel=kernel).state_values
    magnified = float(np.finfo(np.longdouble).eps) / (1 - gamma)
    assert np.abs(values - expected).max() <= (4e-16 + magnified) * np.abs(expected).max()


def test_large_mdps_are_not_solved_densely(monkeypatch: pytest.MonkeyPatch) -> None:
    def densely(*_: Any) -> Table:
        raise AssertionError("a dense matrix was solved")

    monkeypatch.setattr(linear, "_solve_densely", densely)
    mdp = random_mdp(1, num_states=600, branching=3, cycles="free", gamma=0.99)
    soft(mdp, optimal(mdp, random_reward(mdp, 1)).q_values * ~mdp.terminal[:, None], 0.1)
    with pytest.raises(AssertionError, match="a dense matrix was solved"):
        optimal(random_mdp(1, num_states=200, branching=3, cycles="free"), np.zeros((200, 3)))


def test_where_iteration_takes_too_long_a_dense_matrix_is_solved(monkeypatch: pytest.MonkeyPatch) -> None:
    mdp = random_mdp(1, num_states=400, branching=3, cycles="free", gamma=0.99)
    known = planted(mdp, 1)
    monkeypatch.setattr(linear, "settle", lambda *_, **__: None)
    assert_found(mdp, known, "numpy")
    monkeypatch.setattr(linear, "DENSE_LIMIT", 300)
    with pytest.raises(ArithmeticError, match=r"values must settle within 1,000,000 sweeps.*399 non-terminal states"):
        optimal(mdp, known.reward)


# How linear systems are iterated


def some_chain(
    transposed: bool = False, kernel: str = "numpy", gamma: float = 0.9
) -> tuple[chains.Chain, Table, Table]:
    """A chain of 50 states, a constant, and the solution of their system by a dense matrix."""
    rng = np.random.default_rng(0)
    targets, weights = rng.integers(0, 50, size=(50, 3)), rng.dirichlet(np.ones(3), size=50)
    weights[:4] = 0
    constant = np.where(np.arange(50) < 4, 0, rng.normal(size=50))
    matrix = np.zeros((50, 50))
    np.add.at(matrix, (np.arange(50)[:, None], targets), gamma * weights)
    solution = np.linalg.solve(np.eye(50) - (matrix.T if transposed else matrix), constant).astype(np.float64)
    return chains.Chain(gamma, weights, targets, transposed, kernel), constant, solution


@every_kernel
@pytest.mark.parametrize("transposed", [False, True])
@pytest.mark.parametrize("refined", [False, True])
def test_systems_settle(kernel: str, transposed: bool, refined: bool) -> None:
    system, constant, solution = some_chain(transposed, kernel)
    settled = chains.settle(system, constant, refined=refined, limit=1000)
    np.testing.assert_allclose(settled, solution, rtol=0, atol=1e-14 * np.abs(solution).max())  # type: ignore[arg-type]
    assert chains.settle(system, constant, refined=refined, limit=5) is None


def test_a_good_guess_is_all_that_is_needed() -> None:
    system, constant, solution = some_chain()
    assert chains.settle(system, constant, solution, limit=0) is solution
    near: NDArray[np.float64] = np.where(np.arange(50) >= 4, solution + 1e-5, 0.0)
    settled = chains.settle(system, constant, near, tolerance=1e-3, limit=0)
    assert settled is near
    settled = chains.settle(system, constant, near, tolerance=1e-8, limit=100)
    assert 0 < np.abs(system.lacks(constant, settled, False)).max() <= 1e-8  # type: ignore[arg-type]


@pytest.mark.parametrize("failure", [0.0, 1e3, np.nan])
def test_sweeps_take_over_where_bicgstab_fails(failure: float, monkeypatch: pytest.MonkeyPatch) -> None:
    system, constant, solution = some_chain(gamma=0.99)

    def broken(_: Any, lacks: Table, *__: Any) -> tuple[Table, float, int]:
        return failure * lacks, 1.0, 1

    monkeypatch.setattr(chains, "_bicgstab", broken)
    settled = chains.settle(system, constant, limit=10_000)
    np.testing.assert_allclose(settled, solution, rtol=0, atol=1e-12 * np.abs(solution).max())  # type: ignore[arg-type]


def test_sweeps_take_out_the_slowest_mode_at_once() -> None:
    """Without an end, plain sweeps would come closer by the factor gamma only."""
    rng = np.random.default_rng(0)
    targets, weights = rng.integers(0, 50, size=(50, 3)), rng.dirichlet(np.ones(3), size=50)
    system = chains.Chain(0.9999, weights, targets, False, "numpy")
    correction, left, used = chains._sweeps(system, rng.normal(size=50), 1e-9, 10_000)
    assert left <= 1e-9
    assert used < 200
    assert np.isfinite(correction).all()


def test_bicgstab_stops_at_an_exact_solution() -> None:
    """A chain that leads to its end at once: the first step solves it, and then there is nothing to divide by."""
    system = chains.Chain(0.9, np.zeros((4, 1)), np.zeros((4, 1), dtype=int), False, "numpy")
    solution, left, used = chains._bicgstab(system, np.array([0.0, 1.0, -1.0, 0.5]), 1e-9, 100)
    assert (solution.tolist(), left, used) == ([0.0, 1.0, -1.0, 0.5], 0.0, 2)


def test_policies_are_evaluated_roughly_first(monkeypatch: pytest.MonkeyPatch) -> None:
    tolerances = []

    def recorded(*arguments: Any) -> Table:
        tolerances.append(arguments[4])
        return evaluate_actions(*arguments)

    evaluate_actions = policy_iteration.action_values
    monkeypatch.setattr(policy_iteration, "action_values", recorded)
    mdp = random_mdp(1, num_states=2_000, branching=3, cycles="free", gamma=0.99)
    optimal(mdp, random_reward(mdp, 1))
    assert tolerances == sorted(tolerances, reverse=True)
    assert tolerances[0] > 0 == tolerances[-1]
    monkeypatch.setattr(policy_iteration, "_ROUGH_ROUNDS", 2)
    tolerances.clear()
    optimal(mdp, random_reward(mdp, 1))
    assert [tolerance > 0 for tolerance in tolerances[:3]] == [True, True, False]


# Long traces


@every_kernel
def test_a_chain_of_100_000_steps(kernel: str) -> None:
    length, gamma = 100_000, 1 - 1e-5
    mdp = chain(length, gamma)
    assert mdp.heights.tolist() == list(range(length, -1, -1))
    reward = np.zeros((length + 1, 2))
    reward[:-1, 0] = 1.0  # going on pays 1 a step, ending pays 0.5
    reward[:-1, 1] = 0.5
    expected = -np.expm1(np.arange(length, -1, -1) * np.log1p(-1e-5)) / 1e-5
    optimum = optimal(mdp, reward, kernel=kernel)
    np.testing.assert_allclose(optimum.state_values, expected, rtol=1e-9)
    assert optimum.optimal_actions[:-1, 0].all()
    assert not optimum.optimal_actions[:-1, 1].any()


@every_kernel
def test_soft_values_of_a_long_chain(kernel: str) -> None:
    """With nothing to gain, an action of two is worth log 2 of entropy a step until the trace ends."""
    length = 3_000
    mdp = chain(length, 1.0)
    nothing = np.zeros((length + 1, 2))
    solution = soft(mdp, nothing, 1.0, kernel=kernel)
    # exp V(s) = exp V(s + 1) + 1, so that V is the logarithm of the number of traces.
    np.testing.assert_allclose(solution.state_values, np.log(np.arange(length + 1, 0, -1)), rtol=1e-12, atol=1e-12)
    assert solution.soft_return == pytest.approx(np.log(length + 1), rel=1e-12)
    assert solution.expected_return == 0
    visits = occupancy(mdp, uniform_policy(mdp), kernel=kernel)
    np.testing.assert_allclose(visits[:50].sum(axis=1), 0.5 ** np.arange(50), rtol=1e-12)
    assert evaluate(mdp, nothing + [1, 0] * ~mdp.terminal[:, None], uniform_policy(mdp), kernel=kernel).state_values[
        0
    ] == pytest.approx(1, rel=1e-12)


def test_heights_of_a_long_chain_without_numba() -> None:
    mdp = chain(20_000, 1.0)
    graph = mdp.successors, mdp.probabilities, mdp.terminal
    assert heights(*graph, kernel="numpy").tolist() == list(range(20_000, -1, -1))


# Memory and size


def peak_of_optimal(mdp: TabularMDP, reward: Table, kernel: str) -> float:
    """Bytes that `optimal` takes at its peak, result included, as a multiple of the bytes of the MDP and the reward."""
    given = mdp.successors.nbytes + mdp.probabilities.nbytes + reward.nbytes
    optimal(mdp, reward, kernel=kernel)  # what is kept about an MDP is made now
    tracemalloc.start()
    try:
        optimal(mdp, reward, kernel=kernel)
        return tracemalloc.get_traced_memory()[1] / given
    finally:
        tracemalloc.stop()


@every_kernel
@pytest.mark.parametrize(("cycles", "branching"), [("free", 1), ("free", 3), ("none", 1)])
def test_memory_is_a_small_multiple_of_what_is_given(kernel: str, cycles: str, branching: int) -> None:
    mdp = random_mdp(0, num_states=200_000, num_actions=4, branching=branching, cycles=cycles, gamma=0.9)
    assert peak_of_optimal(mdp, random_reward(mdp, 0), kernel) < 2


@pytest.mark.slow
@every_kernel
@pytest.mark.parametrize("branching", [1, 2])
def test_a_million_states(kernel: str, branching: int) -> None:
    mdp = random_mdp(0, num_states=1_000_000, num_actions=4, branching=branching, cycles="free", gamma=0.95)
    assert_found(mdp, planted(mdp, 1), kernel)
