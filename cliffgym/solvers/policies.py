"""Policies as tables: checks, the uniform one, and their distance.

Shapes: S states, A actions. A policy is an (S, A) table of probabilities whose rows sum to 1, terminal rows included.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cliffgym.checks import array
from cliffgym.mdp import TabularMDP

_SUM_TOLERANCE = 1e-6  # single-precision networks; rows are renormalised


def check_policy(mdp: TabularMDP, policy: ArrayLike, name: str = "policy") -> NDArray[np.float64]:
    """Returns `policy` as a float array (S, A) whose rows sum to 1.

    Rows may be off by 1e-6, as those of single-precision networks are; they are renormalised.

    Args:
        mdp: The dynamics.
        policy: (S, A) probabilities.
        name: What error messages call it.

    Raises:
        ValueError: The shape is not (S, A), or a row is not a probability distribution.
        TypeError: The entries are not numbers.

    >>> from cliffgym import TabularMDP
    >>> mdp = TabularMDP.from_dense([[[0, 1], [0, 1]], [[0, 1], [0, 1]]], [1, 0], [False, True], gamma=1.0)
    >>> check_policy(mdp, [[0.25, 0.75], [1, 0]])
    array([[0.25, 0.75],
           [1.  , 0.  ]])
    >>> check_policy(mdp, [[0.25, 0.5], [1, 0]])
    Traceback (most recent call last):
        ...
    ValueError: policy must sum to 1 in each state, got 0.75 at state 0
    """
    table = array(name, policy)
    shape = (mdp.num_states, mdp.num_actions)
    if table.shape != shape:
        raise ValueError(f"{name} must have shape (S, A) = {shape}, got {table.shape}")
    negative = ~(table >= 0)
    if negative.any():
        state, action = np.argwhere(negative)[0]
        raise ValueError(
            f"{name} must hold probabilities >= 0, got {table[state, action]} at {mdp.describe_state(state)}, "
            f"{mdp.describe_action(action)}"
        )
    totals = table.sum(axis=1, keepdims=True)
    wrong = ~(np.abs(totals[:, 0] - 1) <= _SUM_TOLERANCE)
    if wrong.any():
        state = np.flatnonzero(wrong)[0]
        raise ValueError(f"{name} must sum to 1 in each state, got {totals[state, 0]} at {mdp.describe_state(state)}")
    return table / totals


def uniform_policy(mdp: TabularMDP) -> NDArray[np.float64]:
    """(S, A) the policy that draws among legal actions with equal probability.

    >>> import cliffgym
    >>> slacker = cliffgym.scenario("Cliff-Slacker-v0", answers=2)
    >>> slacker.mdp.action_names, uniform_policy(slacker.mdp)[0].tolist()  # a trace begins with an answer
    (('answer_0', 'answer_1', 'comply', 'ignore'), [0.5, 0.5, 0.0, 0.0])
    """
    return uniform_over(mdp.action_mask)


def uniform_over(actions: NDArray[np.bool_]) -> NDArray[np.float64]:
    """(..., S, A) the policy that draws among the actions marked True in each row with equal probability."""
    return actions / actions.sum(axis=-1, keepdims=True)


def total_variation(policy: ArrayLike, other: ArrayLike) -> NDArray[np.float64]:
    """Total variation between two policies in each state: half the L1 distance, in [0, 1].

    Args:
        policy: (S, A) probabilities.
        other: (S, A) probabilities.

    Returns:
        (S,) distances. The paper's d_TV of two policies is their maximum.

    Raises:
        ValueError: The shapes differ or are not (S, A), or an entry is not finite.
        TypeError: The entries are not numbers.

    >>> total_variation([[0.5, 0.5]], [[0.0, 1.0]])
    array([0.5])
    """
    first, second = array("policy", policy), array("other", other)
    if first.shape != second.shape or first.ndim != 2:
        raise ValueError(f"policies must have the same shape (S, A), got {first.shape} and {second.shape}")
    if not (np.isfinite(first).all() and np.isfinite(second).all()):
        raise ValueError("policies must be finite, got NaN or infinite entries")
    return np.abs(first - second).sum(axis=1) / 2
