"""Soft values of MDPs with cycles, by Newton's method on the soft Bellman equation.

Shapes: S states, A actions.

Source: Puterman & Brumelle (1979), On the convergence of policy iteration in stationary dynamic programming,
Mathematics of Operations Research 4(1) (policy iteration as Newton's method).
"""

import numpy as np
from numpy.typing import NDArray

from cliffgym.mdp import TabularMDP
from cliffgym.solvers.bellman import backup
from cliffgym.solvers.linear import policy_values
from cliffgym.solvers.softmax import soft_maximum

_MAX_ITERATIONS = 10_000


def soft_values(
    mdp: TabularMDP,
    reward: NDArray[np.float64],
    weights: NDArray[np.float64],
    temperature: float,
    kernel: str,
) -> NDArray[np.float64]:
    """(S,) soft values of a reward (S, A), for log-weights (S, A) of actions.

    Each step evaluates the current soft policy, regulariser included, so values rise to the fixed point and close to it
    the error is squared from step to step. While far from it, a step by iteration need only be a thousand times closer.
    It stops when the equation holds up to rounding, or nearly so and no better than a step before.

    Raises:
        ArithmeticError: Values do not settle.
    """
    values, residual, tolerance = np.zeros(mdp.num_states), np.inf, np.inf
    scale = np.abs(reward[mdp.action_mask]).max()  # whatever illegal actions pay
    for _ in range(_MAX_ITERATIONS):
        maxima, policy = soft_maximum(backup(mdp, reward, values, kernel), weights, temperature)
        magnitude = max(np.abs(values).max(), scale, temperature)
        previous, residual = residual, float(np.abs(maxima - values)[~mdp.terminal].max())
        if not np.isfinite(residual):
            return np.full(mdp.num_states, np.nan)  # overflow, which the caller refuses
        settled = residual <= 16 * np.finfo(float).eps * magnitude or previous <= residual <= 1e-10 * magnitude
        if settled and tolerance == 0:
            return values
        surprise = np.zeros(policy.shape)
        taken = policy > 0
        surprise[taken] = np.log(policy[taken]) - weights[taken]
        pay = (policy * (reward - temperature * surprise)).sum(axis=1)
        tolerance = 1e-3 * residual if residual > 1e-10 * magnitude else 0.0
        values = policy_values(mdp, policy, pay, values, tolerance, kernel)
    raise ArithmeticError(
        f"soft values must settle within {_MAX_ITERATIONS:,} iterations, last residual {residual:.3g}"
    )
