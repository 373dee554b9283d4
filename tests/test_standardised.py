"""Standardised advantages: against closed forms, scans for the first solution, enumerated groups and gradient flows."""

import itertools
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from cliffgym.analysis import group_standardised_policy, standardised_policy

Table = NDArray[Any]
LAPLACE_LIMIT = 0.66274341934918158
THRESHOLD = 1 / LAPLACE_LIMIT

numbers = st.one_of(
    st.integers(-3, 3).map(float),
    st.builds(lambda sign, power: sign * 10**power, st.sampled_from([-1, 1]), st.floats(-12, 6)),
)
q_tables = st.lists(numbers, min_size=1, max_size=6)
coefficients = st.floats(-2, 2).map(lambda power: 10**power)
noises = st.one_of(st.just(0.0), st.floats(-12, 3).map(lambda power: 10**power))


def softmax(logits: Any) -> Table:
    powers = np.exp(np.asarray(logits) - np.max(logits))
    return powers / powers.sum()


def bisected(rising: Callable[[float], float], low: float, high: float) -> float:
    """Where a function that rises from below 0 to above it is 0."""
    for _ in range(200):
        middle = (low + high) / 2
        low, high = (middle, high) if rising(middle) < 0 else (low, middle)
    return (low + high) / 2


def flow(q_values: Any, advantages: Callable[[Table], Table], ent_coef: float, natural: bool, steps: int) -> Table:
    """The policy that gradients come to from the uniform one: the exact expected ones of a table of logits.

    The gradient of Σ_a pi_a A_a + ent_coef · entropy is pi_a (A_a - mean A - ent_coef (log pi_a - mean log pi)), the
    natural one the same without the factor. Runge and Kutta's fourth-order steps.
    """

    def change(logits: Table) -> Table:
        policy = softmax(logits)
        gain = advantages(policy) - ent_coef * np.log(policy)
        gain -= policy @ gain
        return gain if natural else policy * gain

    logits, dt = np.zeros(len(q_values)), 0.2
    for _ in range(steps):
        one = change(logits)
        two = change(logits + dt / 2 * one)
        three = change(logits + dt / 2 * two)
        logits = logits + dt / 6 * (one + 2 * two + 2 * three + change(logits + dt * three))
    return softmax(logits)


def standardised(q_values: Any, noise: float) -> Callable[[Table], Table]:
    q = np.asarray(q_values, float)

    def advantages(policy: Table) -> Table:
        ahead = q - policy @ q
        return ahead / math.sqrt(policy @ ahead**2 + noise**2)

    return advantages


# Two actions


def two_actions(ent_coef: float) -> float:
    """The smaller log-odds y with y = 1/(c sqrt(p(1-p))): on [0, 2.3994] the right side grows more slowly."""
    turn = bisected(lambda u: u * math.tanh(u) - 1, 0, 2)
    return bisected(lambda y: y - 2 * math.cosh(y / 2) / ent_coef, 0, 2 * turn)


@pytest.mark.parametrize("gap", [1e6, 1.0, 1e-1, 1e-2, 1e-3, 1e-6, 1e-12, 1e-200])
@pytest.mark.parametrize("ent_coef", [1.52, 1.6, 2.0, 5.0, 100.0])
def test_log_odds_of_two_actions_do_not_depend_on_their_gap(gap: float, ent_coef: float) -> None:
    worse, better = standardised_policy([0, gap], ent_coef)
    odds = math.log(better / worse)
    assert odds == pytest.approx(1 / (ent_coef * math.sqrt(better * worse)), rel=1e-12)
    assert odds == pytest.approx(two_actions(ent_coef), rel=1e-12)


@pytest.mark.parametrize("gap", [1e6, 1e-3, 1e-12])
def test_below_one_over_the_laplace_limit_two_actions_are_driven_to_certainty(gap: float) -> None:
    turn = bisected(lambda u: u * math.tanh(u) - 1, 0, 2)
    assert math.cosh(turn) / turn == pytest.approx(THRESHOLD, rel=1e-15)
    for ent_coef in (0.0, 1e-300, 1e-3, 0.1, 1.0, THRESHOLD * (1 - 1e-12)):
        assert standardised_policy([0, gap], ent_coef).tolist() == [0, 1]
    better = standardised_policy([0, gap], THRESHOLD * (1 + 1e-12))[1]
    assert better == pytest.approx(1 / (1 + math.exp(-2 * turn)), abs=1e-6)  # 0.917: the jump
    assert better < 0.9168


def test_without_standardisation_a_small_gap_does_little() -> None:
    """softmax(Q/c) moves with the gap, the standardised policy jumps at once and then stays where it is."""
    for ent_coef in (0.1, 2.0):
        plain = [softmax([0, gap / ent_coef])[1] for gap in (1e-1, 1e-3, 1e-6)]
        jumped = [standardised_policy([0, gap], ent_coef)[1] for gap in (1e-1, 1e-3, 1e-6)]
        assert plain[2] == pytest.approx(0.5 + 1e-6 / (4 * ent_coef), abs=1e-12)
        assert min(jumped) > 0.76
        assert max(jumped) - min(jumped) < 1e-12
        assert standardised_policy([0, 0], ent_coef).tolist() == [0.5, 0.5]


# Many actions


def first_rate(q_values: Any, ent_coef: float, noise: float) -> tuple[float, float] | None:
    """Between which neighbours of a fine grid c · rate · sigma comes to 1 for the first time, if ever."""
    gaps = np.max(q_values) - np.asarray(q_values, float)
    scale = max(gaps.max(), noise)
    rates = np.exp(np.arange(-8, 55, 1e-3))
    weights = np.exp(-rates[:, None] * gaps / scale)
    policies = weights / weights.sum(axis=1, keepdims=True)
    means = policies @ (gaps / scale)
    variances = (policies * (gaps / scale - means[:, None]) ** 2).sum(axis=1)
    reached = ent_coef * rates * np.sqrt(variances + (noise / scale) ** 2) >= 1
    assert not reached[0]
    first = int(reached.argmax())
    return (rates[first - 1] / scale, rates[first] / scale) if reached[first] else None


@given(q_tables, coefficients, noises)
def test_the_rate_is_the_first_that_a_scan_finds(q_values: list[float], ent_coef: float, noise: float) -> None:
    policy = standardised_policy(q_values, ent_coef, noise)
    q = np.array(q_values)
    best = q == q.max()
    if best.all():
        np.testing.assert_allclose(policy, 1 / q.size, rtol=1e-15)
        return
    found = first_rate(q_values, ent_coef, noise)
    if found is None:
        np.testing.assert_allclose(policy, best / best.sum(), rtol=1e-15)
        return
    low, high = (softmax(rate * q)[best].sum() for rate in found)
    assert low - 1e-12 <= policy[best].sum() <= high + 1e-12
    # Stationary: log-odds are differences of Q over c · sigma, and sigma is that of the policy.
    ahead = q - q.max()
    sigma = math.sqrt(policy @ (ahead - policy @ ahead) ** 2 + noise**2)
    seen = policy > 1e-290
    odds = np.log(policy[seen] / policy[best][0])
    np.testing.assert_allclose(odds, ahead[seen] / (ent_coef * sigma), rtol=1e-11, atol=1e-13)


@pytest.mark.parametrize(("better", "worse"), [(1, 1), (1, 3), (3, 1), (2, 1), (5, 1000), (1000, 5)])
def test_actions_of_two_kinds(better: int, worse: int) -> None:
    """Among k better and n worse ones the log-odds y of the kinds' members solve y = 1/(c sqrt(p(1-p)))."""
    q_values = np.repeat([1.0, 0.0], [better, worse])
    y = np.linspace(1e-6, 20, 2_000_001)
    p = 1 / (1 + worse / better * np.exp(-y))
    height = y * np.sqrt(p * (1 - p))
    threshold = 1 / height.max()
    for factor in (1.0001, 1.1, 3):
        ent_coef = threshold * factor
        policy = standardised_policy(q_values, ent_coef)
        expected = y[np.argmax(ent_coef * height >= 1)]
        assert math.log(policy[0] / policy[-1]) == pytest.approx(expected, abs=2e-5)
    np.testing.assert_allclose(
        standardised_policy(q_values, threshold * 0.9999), np.repeat([1 / better, 0], [better, worse])
    )


def test_with_gaps_of_two_sizes_there_are_two_places_to_rest() -> None:
    """Two good actions, nearly tied, and a bad one: first it is the bad one that makes up the standard deviation."""
    first = 1 / max(y * math.sqrt(2 * math.exp(y)) / (2 * math.exp(y) + 1) for y in np.linspace(1, 4, 100_001).tolist())
    assert first == pytest.approx(2.03794, abs=1e-5)
    for gap in (1e-4, 1e-6, 1e-9):
        bad, worse, better = standardised_policy([0, 1, 1 + gap], first * 1.001)
        assert better - worse < 2 * gap
        assert bad > 0.05
        for ent_coef in (1.6, first * 0.999):  # it is gone, and the two good ones are told apart
            policy = standardised_policy([0, 1, 1 + gap], ent_coef)
            odds = two_actions(ent_coef)
            np.testing.assert_allclose(policy, [0, 1 / (1 + math.exp(odds)), 1 / (1 + math.exp(-odds))], atol=1e-9)
        assert standardised_policy([0, 1, 1 + gap], 1.5).tolist() == [0, 0, 1]


# Noise


@pytest.mark.parametrize("ent_coef", [0.01, 0.1, 1.0])
def test_much_noise_makes_it_the_policy_without_standardisation_in_other_units(ent_coef: float) -> None:
    q_values, noise = np.array([0.0, 0.3, 1.0]) * 1e-3, 2.0
    policy = standardised_policy(q_values, ent_coef, noise)
    np.testing.assert_allclose(policy, softmax(q_values / (ent_coef * noise)), rtol=1e-5)
    np.testing.assert_allclose(standardised_policy(q_values, ent_coef, 1.0), softmax(q_values / ent_coef), rtol=1e-5)


def test_noise_puts_a_floor_under_the_gaps_that_act() -> None:
    shares = [standardised_policy([0, 0, 0, 1e-3], 0.1, noise)[3] for noise in (0, 1e-6, 1e-3, 1e-2, 1e-1, 1.0)]
    assert shares == sorted(shares, reverse=True)
    assert shares[0] == 1
    assert shares[-1] == pytest.approx(0.25, abs=0.01)


# Gradient flows

FLOWS: list[tuple[list[float], float, float]] = [
    ([0, 1], 1.6, 0),
    ([0, 1], 2.0, 0),
    ([0, 1e-5], 2.0, 0),
    ([0, 0, 0, 0.02], 1.2, 0),
    ([0, 0, 0, 0.02], 1.2, 0.01),
    ([0, 0.5, 1], 1.3, 0),
    ([0, 0.5, 1], 0.8, 0.3),
    ([0.1, 0.1, 0.3, 0.9, 1], 1.3, 0),
    ([-3, 1, 1, 1, 4], 1.5, 0),
]


@pytest.mark.parametrize(("q_values", "ent_coef", "noise"), FLOWS)
@pytest.mark.parametrize("natural", [True, False], ids=["natural", "plain"])
def test_gradients_come_to_it(q_values: list[float], ent_coef: float, noise: float, natural: bool) -> None:
    reached = flow(q_values, standardised(q_values, noise), ent_coef, natural, 4000)
    np.testing.assert_allclose(reached, standardised_policy(q_values, ent_coef, noise), atol=1e-7)


@pytest.mark.parametrize("q_values", [[0, 1], [0, 1e-5], [0, 1, 1], [0, 0.5, 1, 1]])
def test_where_nothing_stops_them_gradients_make_for_the_best_actions(q_values: list[float]) -> None:
    """Plain ones: natural gradients come to certainty within finite time, where there is nothing left to divide by."""
    reached = flow(q_values, standardised(q_values, 0), 0.5, False, 1000)
    expected = standardised_policy(q_values, 0.5)
    best = np.array(q_values) == max(q_values)
    np.testing.assert_array_equal(expected, best / best.sum())
    np.testing.assert_allclose(reached, expected, atol=0.01)


@pytest.mark.parametrize("ent_coef", [0.5, 1.0])
def test_unstandardised_gradients_come_to_the_softmax(ent_coef: float) -> None:
    q_values = np.array([0, 0.5, 1.0])
    reached = flow(q_values, lambda _: q_values, ent_coef, False, 4000)
    np.testing.assert_allclose(reached, softmax(q_values / ent_coef), atol=1e-7)


# Properties

simple = st.lists(st.integers(-40, 40), min_size=2, max_size=6).map(lambda whole: np.array(whole) / 8)


@given(simple, coefficients, st.integers(-1000, 1000), st.integers(-40, 40))
def test_shifts_and_scales_of_the_reward_change_nothing(q: Table, ent_coef: float, shift: int, power: int) -> None:
    policy = standardised_policy(q, ent_coef)
    np.testing.assert_allclose(standardised_policy(q + shift / 4, ent_coef), policy, rtol=1e-12)
    np.testing.assert_allclose(standardised_policy(q * 2.0**power, ent_coef), policy, rtol=1e-12)
    noisy = standardised_policy(q, ent_coef, 0.25)
    np.testing.assert_allclose(standardised_policy(q * 2.0**power, ent_coef, 0.25 * 2.0**power), noisy, rtol=1e-12)


@given(q_tables, coefficients, noises, st.randoms(use_true_random=False))
def test_policies_are_distributions_that_order_actions_as_their_values_do(
    q_values: list[float], ent_coef: float, noise: float, random: Any
) -> None:
    policy = standardised_policy(q_values, ent_coef, noise)
    assert policy.sum() == pytest.approx(1, abs=1e-14)
    assert (policy >= 0).all()
    for (q, p), (other, chance) in itertools.combinations(zip(q_values, policy.tolist(), strict=True), 2):
        assert (p == chance) if q == other else ((p >= chance) if q > other else (p <= chance))
    order = list(range(len(q_values)))
    random.shuffle(order)
    moved = standardised_policy([q_values[i] for i in order], ent_coef, noise)
    np.testing.assert_allclose(moved, policy[order], rtol=1e-9, atol=1e-300)


def test_extreme_numbers_do_no_harm() -> None:
    assert standardised_policy([3.5], 0.1).tolist() == [1]
    assert standardised_policy([1e308, 1e308], 0.1).tolist() == [0.5, 0.5]
    assert standardised_policy([0, 5e-324], 0.1).tolist() == [0, 1]
    assert standardised_policy([0, 1e-12, 1e6], 0.1).tolist() == [0, 0, 1]
    np.testing.assert_allclose(standardised_policy([0, 1], 1e300), 0.5)
    np.testing.assert_allclose(standardised_policy([0, 1], 0.1, 1e300), 0.5)
    np.testing.assert_allclose(group_standardised_policy([0, 1], 1e300, 8), 0.5)
    assert group_standardised_policy([0, 1], 0.0, 8).tolist() == [0, 1]


# Groups


def advantage_by_enumeration(p: float, size: int) -> float:
    """The expected lead of the better kind over the worse, over every group that one's own trace can be in."""
    means = []
    for own in (1, 0):
        mean = 0.0
        for others in itertools.product((0, 1), repeat=size - 1):
            group = np.array([own, *others], float)
            spread = group.std()
            judged = (own - group.mean()) / spread if spread > 0 else 0.0
            mean += p ** sum(others) * (1 - p) ** (size - 1 - sum(others)) * float(judged)
        means.append(mean)
    return means[0] - means[1]


def advantage_by_binomials(p: Any, size: int) -> Any:
    """The same, as a sum over how many of the others are of the better kind."""
    total = 0.0
    for j in range(size):
        chance = math.comb(size - 1, j) * p**j * (1 - p) ** (size - 1 - j)
        total = total + chance * (math.sqrt((size - 1 - j) / (1 + j)) + math.sqrt(j / (size - j)))
    return total


@pytest.mark.parametrize("size", [2, 3, 4, 8])
@pytest.mark.parametrize(("better", "worse"), [(1, 1), (1, 3), (2, 1)])
@pytest.mark.parametrize("ent_coef", [0.3, 1.0, 1.6, 4.0])
def test_log_odds_are_the_expected_lead_in_groups(size: int, better: int, worse: int, ent_coef: float) -> None:
    q_values = np.repeat([1.0, 0.0], [better, worse])
    policy = group_standardised_policy(q_values, ent_coef, size)
    p = float(policy[:better].sum())
    lead = advantage_by_enumeration(p, size)
    assert advantage_by_binomials(p, size) == pytest.approx(lead, rel=1e-12)
    assert math.log(policy[0] / policy[-1]) == pytest.approx(lead / ent_coef, rel=1e-12)
    assert math.log(p * worse / ((1 - p) * better)) == pytest.approx(lead / ent_coef, rel=1e-9)


@pytest.mark.parametrize(("p", "size"), [(0.25, 4), (0.6, 8), (0.95, 8)])
def test_the_lead_is_that_of_sampled_groups(p: float, size: int) -> None:
    rng = np.random.default_rng(0)
    groups = (rng.random((400_000, size)) < p).astype(float) * 0.01  # whatever the gap
    spread = groups.std(axis=1, keepdims=True)
    judged = np.divide(groups - groups.mean(axis=1, keepdims=True), spread, out=np.zeros_like(groups), where=spread > 0)
    good = groups > 0
    sampled = judged[good].mean() - judged[~good].mean()
    assert sampled == pytest.approx(advantage_by_enumeration(p, size), abs=0.01)


@given(
    st.integers(2, 40), st.integers(1, 5), st.integers(1, 5), st.floats(-1.5, 1).map(lambda power: 10**power), numbers
)
def test_no_smaller_share_than_that_of_a_group_would_do(
    size: int, better: int, worse: int, ent_coef: float, level: float
) -> None:
    q_values = np.repeat([level + 1, level], [better, worse])
    policy = group_standardised_policy(q_values, ent_coef, size)
    odds = math.log(policy[0]) - math.log(policy[-1])
    y = np.linspace(0, odds * (1 - 1e-6), 20_001)
    p = 1 / (1 + worse / better * np.exp(-y))
    assert (ent_coef * y < advantage_by_binomials(p, size)).all()
    p = float(policy[:better].sum())
    assert odds == pytest.approx(advantage_by_binomials(p, size) / ent_coef, rel=1e-9)
    assert policy.sum() == pytest.approx(1, abs=1e-14)
    assert set(np.unique(policy[:better]).tolist()) == {policy[0]}
    order = np.random.default_rng(size).permutation(q_values.size)
    np.testing.assert_allclose(group_standardised_policy(q_values[order], ent_coef, size), policy[order], rtol=1e-14)


@pytest.mark.parametrize("ent_coef", [0.05, 0.5, 2.0])
def test_small_groups_have_closed_forms(ent_coef: float) -> None:
    """In groups of 2 the lead is always 1, in groups of 3 the square root of 2."""
    for size, lead in ((2, 1.0), (3, math.sqrt(2))):
        policy = group_standardised_policy([0, 1e-7, 0], ent_coef, size)
        np.testing.assert_allclose(policy, softmax([0, lead / ent_coef, 0]), rtol=1e-12)


@pytest.mark.parametrize("size", [2, 4, 8, 64, 1024])
def test_no_action_dies_out_in_groups(size: int) -> None:
    """The lead is at most sqrt(G - 1), which it comes to as one kind becomes rare."""
    shares = np.linspace(0, 1, 1001)
    if size <= 64:
        assert advantage_by_binomials(shares, size).max() == pytest.approx(math.sqrt(size - 1), rel=1e-12)
    ent_coef = math.sqrt(size - 1) / 500
    worse, better = group_standardised_policy([0, 1], ent_coef, size)
    assert math.log(better / worse) == pytest.approx(500, rel=1e-12)


@pytest.mark.parametrize("ent_coef", [1.7, 3.0])
def test_large_groups_are_like_the_population(ent_coef: float) -> None:
    q_values = [0, 0, 1.0]
    expected = standardised_policy(q_values, ent_coef)
    away = [np.abs(group_standardised_policy(q_values, ent_coef, size) - expected).max() for size in (16, 128, 1024)]
    assert away[0] > 4 * away[1] > 16 * away[2]
    assert away[2] < 1e-3


@pytest.mark.parametrize("size", [2, 4, 8])
@pytest.mark.parametrize(("q_values", "ent_coef"), [([0, 1], 1.0), ([0, 0, 0, 1e-4], 0.8), ([0, 1, 1], 1.5)])
def test_gradients_of_groups_come_to_it(size: int, q_values: list[float], ent_coef: float) -> None:
    better = np.array(q_values) > 0

    def advantages(policy: Table) -> Table:
        return advantage_by_binomials(float(policy[better].sum()), size) * better

    reached = flow(q_values, advantages, ent_coef, False, 4000)
    np.testing.assert_allclose(reached, group_standardised_policy(q_values, ent_coef, size), atol=1e-7)


@pytest.mark.parametrize("gap", [1e-6, 1e-3, 1e5])
def test_the_gap_does_not_matter_to_groups(gap: float) -> None:
    expected = group_standardised_policy([0, 1, 0], 0.5, 8)
    np.testing.assert_array_equal(group_standardised_policy([0, gap, 0], 0.5, 8), expected)
    assert group_standardised_policy([gap, gap, gap], 0.5, 8).tolist() == [1 / 3] * 3


# Input


def test_bad_input_is_refused() -> None:
    solvers: list[Callable[..., Table]] = [standardised_policy, lambda q, c: group_standardised_policy(q, c, 4)]
    for solve in solvers:
        for wrong, shape in (([], r"\(0,\)"), ([[0, 1]], r"\(1, 2\)"), (1.0, r"\(\)")):
            with pytest.raises(ValueError, match=rf"q_values must have shape \(A,\) with one .* got {shape}"):
                solve(wrong, 1.0)
        with pytest.raises(ValueError, match="q_values must be finite, got nan at action 1"):
            solve([0, math.nan, math.inf], 1.0)
        with pytest.raises(ValueError, match=r"q_values must differ by finite amounts, got -1e\+308 and 1e\+308"):
            solve([-1e308, 1e308], 1.0)
        with pytest.raises(TypeError, match="q_values must be an array of numbers, got str"):
            solve("good", 1.0)
        with pytest.raises(ValueError, match=r"ent_coef must be >= 0, got -0\.1"):
            solve([0, 1], -0.1)
        with pytest.raises(TypeError, match="ent_coef must be a number, got None"):
            solve([0, 1], None)
    with pytest.raises(ValueError, match=r"noise must be >= 0, got -1\.0"):
        standardised_policy([0, 1], 1.0, -1.0)
    with pytest.raises(ValueError, match="noise must be finite, got inf"):
        standardised_policy([0, 1], 1.0, math.inf)
    with pytest.raises(ValueError, match="q_values must have two distinct values at most, got 3"):
        group_standardised_policy([0, 1, 2, 1], 1.0, 4)
    with pytest.raises(ValueError, match="group_size must be >= 2, got 1"):
        group_standardised_policy([0, 1], 1.0, 1)
    with pytest.raises(TypeError, match=r"group_size must be an integer, got 2\.0"):
        group_standardised_policy([0, 1], 1.0, 2.0)  # type: ignore[arg-type]
