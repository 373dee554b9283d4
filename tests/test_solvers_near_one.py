"""Near-ties with gamma close to 1, against exact fractions.

A gain too small for double precision at one step is far above the tie tolerance when it is made for ever.
"""

from fractions import Fraction

import numpy as np
import pytest

from cliffgym import TabularMDP, optimal, optimal_batch

CASES = [(0.999, 1.3e-11), (0.9999, 1.3e-10), (0.9999, 5e-12), (0.99999, 6e-10), (0.999999, 1e-8), (0.999999, 1e-10)]


def two_ways(gamma: float, more: float, stochastic: bool) -> tuple[TabularMDP, np.ndarray, Fraction, Fraction]:
    """From state 0 one can go to and fro between 0 and 1, earning 1 and 1 + more, or to state 2, earning 1 for ever.

    Returns:
        The MDP, the reward, the exact value of state 0, and the exact gap of going to state 2.
    """
    slots = 2 if stochastic else 1
    successors = np.repeat(np.array([[1, 2], [0, 0], [2, 2]])[:, :, None], slots, axis=2)
    mdp = TabularMDP(successors, np.full(successors.shape, 1 / slots), [1.0, 0, 0], np.zeros(3, bool), gamma)  # type: ignore[arg-type]
    reward = np.array([[1.0, 1.0], [1 + more, 1 + more], [1.0, 1.0]])
    g = Fraction(gamma)
    value = (1 + g * Fraction(reward[1, 0])) / (1 - g * g)
    return mdp, reward, value, value - 1 / (1 - g)


@pytest.mark.parametrize("kernel", ["numpy", "numba"])
@pytest.mark.parametrize("stochastic", [False, True])
@pytest.mark.parametrize(("gamma", "more"), CASES)
def test_near_ties_are_told_from_ties(gamma: float, more: float, stochastic: bool, kernel: str) -> None:
    mdp, reward, value, gap = two_ways(gamma, more, stochastic)
    optimum = optimal(mdp, reward, kernel=kernel)
    assert float(gap) > optimum.tolerance
    assert optimum.optimal_actions[0].tolist() == [True, False]
    assert abs(Fraction(optimum.state_values[0]) - value) <= Fraction(optimum.tolerance)
    assert abs(Fraction(optimum.action_gaps[0, 1]) - gap) <= Fraction(optimum.tolerance)
    both = optimal_batch(mdp, [reward, np.ones((3, 2))], kernel=kernel)
    assert both[0].optimal_actions[0].tolist() == [True, False]
    assert both[1].optimal_actions.all()
