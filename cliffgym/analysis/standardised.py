"""Where policy gradients end up whose advantages are divided by their standard deviation: one-step choices, exactly.

Under an entropy bonus c the stationary policy is softmax(Q/c), which moves with Q at a rate of 1/c at most. A standard
deviation shrinks with the differences of Q and takes that bound away: what is left, if nothing else makes advantages
differ, depends on the proportions of these differences and not on how small they are.

Exact is what the expected gradient does to a table of logits, given all the time it takes. Batches have standard
deviations of their own, networks share parameters, clipping and optimisers change step sizes: those are experiments.

Both functions look for the first zero, from the uniform policy on, of a sum of a convex and a concave function. A chord
of the one and a tangent of the other bound it from above, so that no zero is jumped over.

Shapes: A actions.

Source: Schulman et al. (2017), arXiv:1707.06347 (PPO, most implementations of which standardise advantages); Shao et
al. (2024), arXiv:2402.03300 (GRPO).
"""

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cliffgym.checks import array, integer, number

_TINY = 1e-100
"""A coefficient, or noise in proportion to gaps, that counts as 0: it leaves no trace in double precision."""


def standardised_policy(q_values: ArrayLike, ent_coef: float, noise: float = 0.0) -> NDArray[np.float64]:
    """The stationary policy of a one-step choice whose advantages are divided by their standard deviation, as in PPO.

    It is softmax(rate · Q) with rate = 1/(ent_coef · sigma), where sigma² = Var(Q) + noise² depends on the rate.
    Natural gradients from the uniform policy raise the rate until this holds, or for ever if it never does: then the
    limit is uniform over the best actions. Plain gradients of the logits have the same stationary points. If Q has two
    distinct values they also take the same way; if more, another, on which they may miss the first of these points
    where `ent_coef` is barely large enough for there to be one (by a thousandth of itself or less, where it was tried).

    Between two actions without noise, the log-odds y solve y = 1/(ent_coef · sqrt(p(1 - p))), or 2 cosh(y/2) =
    ent_coef · y, whatever their gap. There is a solution if `ent_coef` is at least 1.5089 (one over the Laplace limit);
    with any less the policy is driven to certainty. With noise much larger than the gaps it is
    softmax(Q/(ent_coef · noise)).

    Args:
        q_values: (A,) expected return of each action, in units of reward.
        ent_coef: Coefficient of the entropy bonus, in standardised advantages per nat, >= 0.
        noise: Standard deviation, in units of reward, that all else adds to the advantages of a batch: chance, other
            states, errors of the critic.

    Returns:
        (A,) probabilities; uniform if all actions are tied.

    Raises:
        ValueError: The action values are no list of finite numbers, or a coefficient is negative or not finite.
        TypeError: An argument is not made of numbers.

    >>> [standardised_policy([0, gap], ent_coef=2.0).round(4).tolist() for gap in (1, 1e-6)]
    [[0.2353, 0.7647], [0.2353, 0.7647]]
    >>> standardised_policy([0, 1e-6], ent_coef=1.5)
    array([0., 1.])
    """
    gaps = _gaps(q_values)
    ent_coef = max(number("ent_coef", ent_coef, minimum=0), _TINY)
    scale = max(widest := float(gaps.max()), number("noise", noise, minimum=0))
    if widest == 0:
        return _softmax(gaps)
    gaps, noise = gaps / scale, max(noise / scale, _TINY)

    def excess(rate: float) -> tuple[float, float, float]:
        """log(ent_coef · rate · sigma).

        With weights w that add up to W, sigma² W² = Σ_ij w_i w_j ((Q_i - Q_j)²/2 + noise²): log(sigma W) is convex, as
        the logarithm of a sum of exponentials is, and -log W, which is left, is concave.
        """
        weights = np.exp(-rate * gaps)
        total = float(weights.sum())
        p = weights / total
        mean = float(p @ gaps)
        log_sigma = math.log(p @ (gaps - mean) ** 2 + noise**2) / 2
        return log_sigma + math.log(total), math.log(ent_coef * rate) - math.log(total), 1 / rate + mean

    largest_sigma = math.hypot(widest / scale / 2, noise)
    return _softmax(-_first_zero(excess, 1 / ent_coef / largest_sigma) * gaps)


def group_standardised_policy(q_values: ArrayLike, ent_coef: float, group_size: int) -> NDArray[np.float64]:
    """The stationary policy of a one-step choice under GRPO, between returns of two kinds.

    Each of the G returns of a group is judged by the mean and standard deviation of that group (the population's; with
    the sample's, D is sqrt((G - 1)/G) times what it is here). Let p be the probability of the better kind, and j ~
    Binomial(G - 1, p) how many others of the group are of it. An action of the better kind is ahead of another by D(p)
    = E[sqrt((G - 1 - j)/(1 + j))] + E[sqrt(j/(G - j))] on average, whatever the gap (as long as it is well above what
    implementations add to standard deviations, from 1e-8 to 1e-4). The policy is stationary where the log-odds of two
    actions of different kinds are D(p)/ent_coef; gradients of the logits from the uniform policy come to the first such
    p. D is at most sqrt(G - 1), so no entropy bonus is too small to be met.

    Args:
        q_values: (A,) return of each action, of two distinct values.
        ent_coef: Coefficient of the entropy bonus, in standardised advantages per nat, >= 0.
        group_size: G, traces in a group, >= 2.

    Returns:
        (A,) probabilities; uniform if all actions are tied.

    Raises:
        ValueError: The action values are no list of finite numbers or have more than two distinct values, or a
            coefficient or the group is too small.
        TypeError: An argument is not made of numbers.

    >>> group_standardised_policy([0, 0, 0, 1e-6], ent_coef=0.5, group_size=8).round(4).tolist()
    [0.0056, 0.0056, 0.0056, 0.9832]
    """
    gaps = _gaps(q_values)
    ent_coef = max(number("ent_coef", ent_coef, minimum=0), _TINY)
    size = integer("group_size", group_size, 2)
    kinds = np.unique(gaps).size
    if kinds > 2:
        raise ValueError(f"q_values must have two distinct values at most, got {kinds}")
    worse = np.count_nonzero(gaps)
    if worse == 0:
        return _softmax(gaps)
    uniform_odds = math.log((gaps.size - worse) / worse)
    j = np.arange(size)
    ahead = np.sqrt((size - 1 - j) / (1 + j)) + np.sqrt(j / (size - j))
    log_binomials = np.append(0, np.cumsum(np.log((size - j[1:]) / j[1:])))

    def excess(odds: float) -> tuple[float, float, float]:
        """log(ent_coef · odds / D(p)), for log-odds of two actions.

        D(p) = Σ_j ahead_j binomial_j exp(-(G - 1 - j) z) / (1 + exp(-z))^(G - 1), for log-odds z of the two kinds.
        """
        z = uniform_odds + odds
        logs = np.log(ahead) + log_binomials - (size - 1 - j) * z
        weights = np.exp(logs - logs.max())
        log_total = float(logs.max()) + math.log(weights.sum())
        slope = 1 / odds + float(weights @ (size - 1 - j) / weights.sum())
        return (size - 1) * float(np.logaddexp(0, -z)), math.log(ent_coef * odds) - log_total, slope

    odds = _first_zero(excess, float(ahead.min()) / ent_coef)
    return _softmax(np.where(gaps > 0, -odds, 0.0))


def _first_zero(parts: Callable[[float], tuple[float, float, float]], start: float) -> float:
    """The first zero of a function that is not positive at `start` > 0, and positive somewhere beyond.

    `parts` splits it into a convex part, and a concave part with its slope.
    """
    x = step = start
    while True:
        _, concave, slope = parts(x)
        # The function is negative at x. If this bound of it at x + step is negative too, so it is in between.
        while parts(x + step)[0] + concave + slope * step >= 0:
            step /= 2
            if step <= 1e-15 * x:
                return x
        x += step
        step *= 2


def _softmax(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    """(A,) probabilities of logits (A,)."""
    weights = np.exp(logits - logits.max())
    return weights / weights.sum()


def _gaps(q_values: ArrayLike) -> NDArray[np.float64]:
    """(A,) by how much each action falls short of the best."""
    values = array("q_values", q_values)
    if values.ndim != 1 or not values.size:
        raise ValueError(f"q_values must have shape (A,) with one action or more, got {values.shape}")
    if not np.isfinite(values).all():
        place = int(np.argmin(np.isfinite(values)))
        raise ValueError(f"q_values must be finite, got {values[place]} at action {place}")
    with np.errstate(over="ignore"):
        gaps = values.max() - values
    if not np.isfinite(gaps).all():
        raise ValueError(f"q_values must differ by finite amounts, got {values.min()} and {values.max()}")
    return gaps
