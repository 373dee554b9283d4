"""Bellman backups, and what is read from the values they end in.

Shapes: N rewards, S states, A actions, B successor slots.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cliffgym.mdp import TabularMDP
from cliffgym.solvers.structure import blocks, is_deterministic, next_states, transitions


def expected_values(
    mdp: TabularMDP, values: NDArray[np.float64], states: NDArray[np.intp] | slice = slice(None)
) -> NDArray[np.float64]:
    """(..., L, A) the expected next value after each action of the L `states`, for values (..., S)."""
    if is_deterministic(mdp):
        return np.take(values, next_states(mdp)[states], axis=-1)
    return np.einsum("lab,...lab->...la", mdp.probabilities[states], np.take(values, mdp.successors[states], axis=-1))


def backup(
    mdp: TabularMDP, reward: NDArray[np.float64], values: NDArray[np.float64], kernel: str = "numpy"
) -> NDArray[np.float64]:
    """(S, A) action values r(s, a) + gamma Σ_s' P(s'|s, a) v(s') for reward (S, A) and values (S,)."""
    return backups(mdp, reward[None], values[None], kernel)[0]


def backups(
    mdp: TabularMDP, rewards: NDArray[np.float64], values: NDArray[np.float64], kernel: str = "numpy"
) -> NDArray[np.float64]:
    """(N, S, A) the same for rewards (N, S, A) and values (N, S)."""
    if kernel == "numba":
        from cliffgym.solvers.compiled import tables

        (to, chances), q_values = transitions(mdp), np.empty(rewards.shape)
        rewards, values = np.ascontiguousarray(rewards), np.ascontiguousarray(values)
        tables.backups(to, chances, mdp.gamma, rewards, values, q_values)
        return q_values
    q_values = expected_values(mdp, values)
    q_values *= mdp.gamma
    q_values += rewards
    return q_values


class Conclusion(NamedTuple):
    """What the optimal values of N rewards come to.

    Attributes:
        values: (N, S) the best action values, so that an optimal action's gap is 0 or within rounding of it.
        q_values: (N, S, A) action values.
        gaps: (N, S, A) state value minus action value, infinite at illegal actions.
        scales: (N,) the largest absolute reward of a legal action.
    """

    values: NDArray[np.float64]
    q_values: NDArray[np.float64]
    gaps: NDArray[np.float64]
    scales: NDArray[np.float64]


def conclude(mdp: TabularMDP, rewards: NDArray[np.float64], values: NDArray[np.float64], kernel: str) -> Conclusion:
    """Action values and gaps of the optimal values (N, S) of rewards (N, S, A)."""
    q_values, gaps, scales = np.empty(rewards.shape), np.empty(rewards.shape), np.empty(len(rewards))
    best = np.empty(values.shape)
    if kernel == "numba":
        from cliffgym.solvers.compiled import tables

        (to, chances), rewards = transitions(mdp), np.ascontiguousarray(rewards)
        tables.conclude(to, chances, mdp.action_mask, mdp.gamma, rewards, values, best, q_values, gaps, scales)
        return Conclusion(best, q_values, gaps, scales)
    for block in blocks(mdp, len(rewards)):
        q_values[block] = backups(mdp, rewards[block], values[block])
        best[block] = np.where(mdp.action_mask, q_values[block], -np.inf).max(axis=2)
        with np.errstate(over="ignore", invalid="ignore"):  # the caller refuses rewards for which gaps overflow
            np.subtract(best[block, :, None], q_values[block], out=gaps[block])
        scales[block] = np.where(mdp.action_mask, np.abs(rewards[block]), 0).max(axis=(1, 2))
    gaps[:, ~mdp.action_mask] = np.inf
    return Conclusion(best, q_values, gaps, scales)
