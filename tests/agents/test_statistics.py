"""Summaries of runs against SciPy and against what is known in advance."""

import numpy as np
import pytest
import scipy.stats
from cliffgym_agents.statistics import bootstrap_interval, interquartile_mean


@pytest.mark.parametrize("count", range(1, 25))
def test_the_interquartile_mean_is_scipys_trimmed_mean(count: int) -> None:
    values = np.random.default_rng(count).normal(size=(3, count))
    assert interquartile_mean(values[0]) == pytest.approx(scipy.stats.trim_mean(values[0], 0.25))
    assert interquartile_mean(values) == pytest.approx(scipy.stats.trim_mean(values.ravel(), 0.25))
    assert interquartile_mean(values, axis=1) == pytest.approx(scipy.stats.trim_mean(values, 0.25, axis=1))
    assert interquartile_mean(values, axis=0) == pytest.approx(scipy.stats.trim_mean(values, 0.25, axis=0))


def test_an_interval_of_equal_values_is_a_point() -> None:
    assert bootstrap_interval([[2.0, 2.0, 2.0], [2.0]]) == (2, 2)


def test_an_interval_is_that_of_the_sampling_distribution() -> None:
    values = np.random.default_rng(0).normal(size=400)
    low, high = bootstrap_interval([values], np.mean, resamples=4000)
    half = 1.96 * values.std() / 20
    assert (low, high) == pytest.approx((values.mean() - half, values.mean() + half), abs=0.01)
    narrow = bootstrap_interval([values], np.mean, level=0.5, resamples=4000)
    assert low < narrow[0] < narrow[1] < high


def test_seeds_are_drawn_within_their_stratum() -> None:
    # Each stratum is constant: nothing is left to chance, whatever lies between them.
    assert bootstrap_interval([[0.0] * 5, [1.0] * 5], np.mean) == (0.5, 0.5)
    low, high = bootstrap_interval([[0.0] * 5 + [1.0] * 5], np.mean)
    assert low < 0.4
    assert high > 0.6


def test_equal_seeds_give_equal_intervals() -> None:
    values = np.random.default_rng(1).random(10)
    assert bootstrap_interval([values], seed=3) == bootstrap_interval([values], seed=3)
    assert bootstrap_interval([values], seed=3) != bootstrap_interval([values], seed=4)


def test_bad_input_is_refused() -> None:
    with pytest.raises(ValueError, match="values must not be empty"):
        interquartile_mean([])
    for strata in ([], [[]], [[1.0], []]):
        with pytest.raises(ValueError, match="strata must be non-empty lists of numbers"):
            bootstrap_interval(strata)
    with pytest.raises(ValueError, match="level must be in"):
        bootstrap_interval([[1.0]], level=1.0)
    with pytest.raises(ValueError, match="resamples must be >= 1"):
        bootstrap_interval([[1.0]], resamples=0)
