"""How much softmax can move: Lemma C.2, and its exact norm at a point.

Shapes: A actions.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cliffgym.analysis.bounds.check import StatementCheck, at_most, check_vector, positive, quotient

MAX_ENTRIES = 40
"""Positive probabilities up to which `softmax_norm` is found: it takes time and memory 2^(A/2)."""


def softmax(values: ArrayLike, temperature: float) -> NDArray[np.float64]:
    """(A,) probabilities in proportion to exp(values / temperature), for values (A,).

    Raises:
        ValueError: The values are malformed, or the temperature is not > 0.

    >>> softmax([0, 0, 0.1, 0], temperature=0.1).round(4).tolist()  # e / (e + 3) for the third
    [0.1749, 0.1749, 0.4754, 0.1749]
    """
    values = check_vector("values", values)
    weights = np.exp((values - values.max()) / positive("temperature", temperature))
    return weights / weights.sum()


def softmax_lipschitz(values: ArrayLike, other: ArrayLike, temperature: float) -> StatementCheck:
    """Lemma C.2: softmax is (1/alpha)-Lipschitz from the sup norm to the L1 norm.

    Args:
        values: (A,) x.
        other: (A,) y.
        temperature: alpha, in units of the values per nat, > 0.

    Returns:
        measured: ‖softmax(x/alpha) - softmax(y/alpha)‖_1; bound: ‖x - y‖/alpha. details: `distance` ‖x - y‖, and
        `sharp_bound` 2 tanh(‖x - y‖/(2 alpha)) with its `sharp_ratio`. The check demands both.

    Raises:
        ValueError: The vectors are malformed or of different lengths, or the temperature is not > 0.

    Source: arXiv:2507.20150, Lemma C.2.

    >>> check = softmax_lipschitz([0.0, 0.0], [0.1, -0.1], temperature=1.0)
    >>> check.verdict, round(check.measured, 6), check.bound
    ('holds', 0.099668, 0.1)
    """
    values, other = check_vector("values", values), check_vector("other", other)
    if values.shape != other.shape:
        raise ValueError(f"values and other must have the same shape (A,), got {values.shape} and {other.shape}")
    temperature = positive("temperature", temperature)
    distance = float(np.abs(values - other).max())
    measured = float(np.abs(softmax(values, temperature) - softmax(other, temperature)).sum())
    bound, sharp = distance / temperature, 2 * math.tanh(distance / (2 * temperature))
    epsilon = float(np.finfo(float).eps)
    slack = 8 * epsilon * (values.size + float(np.abs([values, other]).max()) / temperature)
    return StatementCheck(
        "Lemma C.2",
        {},
        measured,
        bound,
        conclusion=at_most(measured, bound, slack) and at_most(measured, sharp, slack),
        details={"distance": distance, "sharp_bound": sharp, "sharp_ratio": quotient(measured, sharp)},
    )


@dataclass(frozen=True, eq=False)
class SoftmaxNorm:
    """How fast softmax moves at one point.

    Attributes:
        norm: The largest L1 speed per unit of sup norm, at most 1/alpha.
        subset: (A,) True for the actions to raise, all others being lowered: the fastest direction.

    >>> found = softmax_norm([0.75, 0.125, 0.125], temperature=0.5)
    >>> found.norm, found.subset.tolist()  # 4 · 1/4 · 3/4 / 0.5
    (1.5, [False, True, True])
    """

    norm: float
    subset: NDArray[np.bool_]


def softmax_norm(probabilities: ArrayLike, temperature: float) -> SoftmaxNorm:
    """The exact norm of softmax's derivative, sup norm to L1: the largest 4 p (1 - p) / alpha over sets of actions.

    Here p is the probability of the set, so the best set is the one whose probability is nearest to 1/2. All sets are
    covered: each half of the actions is enumerated, and for every set in one half the best in the other is looked up.

    Args:
        probabilities: (A,) the point, as probabilities; at most `MAX_ENTRIES` of them > 0.
        temperature: alpha, > 0.

    Raises:
        ValueError: They are negative or do not sum to 1, too many are > 0, or the temperature is not > 0.

    Source: arXiv:2507.20150, proof of Lemma C.2.

    >>> softmax_norm([0.5, 0.3, 0.2], temperature=0.1).norm
    10.0
    >>> round(softmax_norm([0.9, 0.06, 0.04], temperature=1.0).norm, 12)
    0.36
    """
    chances = check_vector("probabilities", probabilities)
    temperature = positive("temperature", temperature)
    if (chances < 0).any():
        place = int(np.flatnonzero(chances < 0)[0])
        raise ValueError(f"probabilities must be >= 0, got {chances[place]} at entry {place}")
    if abs(chances.sum() - 1) > 1e-9:
        raise ValueError(f"probabilities must sum to 1, got {chances.sum()}")
    places = np.flatnonzero(chances > 0)
    if places.size > MAX_ENTRIES:
        raise ValueError(f"probabilities must have at most {MAX_ENTRIES} entries > 0, got {places.size}")
    half = places.size // 2
    left, right = _subset_sums(chances[places[:half]]), _subset_sums(chances[places[half:]])
    order = right.argsort()
    # For each sum on the left, the first on the right that makes 1/2 or more. A best set with less than 1/2 is not
    # missed: what it leaves out is as good.
    matches = order[np.searchsorted(right[order], 0.5 - left).clip(max=right.size - 1)]
    first = int(np.abs(left + right[matches] - 0.5).argmin())
    second = int(matches[first])
    subset = np.zeros(chances.size, dtype=bool)
    subset[places[:half]] = first >> np.arange(half) & 1 == 1
    subset[places[half:]] = second >> np.arange(places.size - half) & 1 == 1
    share = chances[subset].sum()
    return SoftmaxNorm(float(4 * share * (1 - share) / temperature), subset)


def _subset_sums(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """(2^n,) the sum of each subset of n values: bit i of its place says whether value i is in it."""
    sums = np.zeros(1)
    for value in values:
        sums = np.concatenate([sums, sums + value])
    return sums
