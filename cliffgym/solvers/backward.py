"""Acyclic MDPs in one pass: backward, from the ends of the traces to their starts, for values, and forward for visits.

NumPy takes one level of the MDP at a time, for all rewards; numba one state.

Shapes: N rewards, S states, A actions, B successor slots.

Source: Puterman (1994), Markov Decision Processes, section 4.5 (backward induction).
"""

import numpy as np
from numpy.typing import NDArray

from cliffgym.mdp import TabularMDP
from cliffgym.solvers.bellman import expected_values
from cliffgym.solvers.softmax import soft_maximum
from cliffgym.solvers.structure import backward_order, transitions


def backward_values(mdp: TabularMDP, rewards: NDArray[np.float64], kernel: str) -> NDArray[np.float64]:
    """(N, S) optimal values of each reward (N, S, A)."""
    values = np.zeros(rewards.shape[:2])
    if kernel == "numba":
        from cliffgym.solvers.compiled import backward

        order, (to, chances), rewards = backward_order(mdp), transitions(mdp), np.ascontiguousarray(rewards)
        backward.optimal_values(order, to, chances, mdp.action_mask, mdp.terminal, mdp.gamma, rewards, values)
        return values
    for states in mdp.levels:
        q_values = rewards[:, states] + mdp.gamma * expected_values(mdp, values, states)
        values[:, states] = np.where(mdp.action_mask[states], q_values, -np.inf).max(axis=2)
    return values


def backward_soft_values(
    mdp: TabularMDP,
    rewards: NDArray[np.float64],
    log_weights: NDArray[np.float64],
    temperatures: NDArray[np.float64],
    kernel: str,
) -> NDArray[np.float64]:
    """(N, S) regularised values of each reward (N, S, A) at its temperature (N,), for log-weights (S, A) of actions."""
    values = np.zeros(rewards.shape[:2])
    if kernel == "numba":
        from cliffgym.solvers.compiled import backward

        order, (to, chances), rewards = backward_order(mdp), transitions(mdp), np.ascontiguousarray(rewards)
        backward.soft_values(order, to, chances, mdp.terminal, mdp.gamma, rewards, log_weights, temperatures, values)
        return values
    for states in mdp.levels:
        q_values = rewards[:, states] + mdp.gamma * expected_values(mdp, values, states)
        values[:, states] = soft_maximum(q_values, log_weights[states], temperatures[:, None])[0]
    return values


def backward_policy_values(
    mdp: TabularMDP, policies: NDArray[np.float64], pay: NDArray[np.float64], kernel: str
) -> NDArray[np.float64]:
    """(N, S) values of each policy (N, S, A), which collects pay (N, S)."""
    values = np.zeros(pay.shape)
    if kernel == "numba":
        from cliffgym.solvers.compiled import backward

        order, (to, chances) = backward_order(mdp), transitions(mdp)
        policies, pay = np.ascontiguousarray(policies), np.ascontiguousarray(pay)
        backward.policy_values(order, to, chances, mdp.terminal, mdp.gamma, policies, pay, values)
        return values
    for states in mdp.levels:
        expected = (policies[:, states] * expected_values(mdp, values, states)).sum(axis=2)
        values[:, states] = pay[:, states] + mdp.gamma * expected
    return values


def forward_visits(
    mdp: TabularMDP, policy: NDArray[np.float64], start: NDArray[np.float64], kernel: str
) -> NDArray[np.float64]:
    """(S,) discounted visits under a policy (S, A) from weights (S,) of first states; 0 at terminal states."""
    visits = np.array(start)
    if kernel == "numba":
        from cliffgym.solvers.compiled import backward

        order, (to, chances), policy = backward_order(mdp), transitions(mdp), np.ascontiguousarray(policy)
        backward.visits(order, to, chances, mdp.terminal, mdp.gamma, policy, visits)
        return visits
    for states in reversed(mdp.levels):
        flow = mdp.gamma * (visits[states, None] * policy[states])[:, :, None] * mdp.probabilities[states]
        np.add.at(visits, mdp.successors[states], flow)
    visits[mdp.terminal] = 0
    return visits
