"""Backward induction in acyclic MDPs: one pass over the states, each after all that it leads to.

`order` (S,) is that of `structure.backward_order`.

Shapes: N rewards, S states, A actions.
"""

import math

import numpy as np

from cliffgym.kernels import compiled
from cliffgym.solvers.compiled.tables import expected


@compiled
def optimal_values(order, successors, probabilities, mask, terminal, gamma, rewards, values):  # type: ignore[no-untyped-def]
    """Writes the optimal values of each reward (N, S, A) to `values` (N, S)."""
    for n in range(len(rewards)):
        now = values[n]
        for state in order:
            if terminal[state]:
                now[state] = 0.0
                continue
            best = -np.inf
            for action in range(mask.shape[1]):
                if mask[state, action]:
                    ahead = expected(successors, probabilities, now, state, action)
                    q_value = rewards[n, state, action] + gamma * ahead
                    if not q_value <= best:  # a NaN is the best: it must not be lost
                        best = q_value
            now[state] = best


@compiled
def policy_values(order, successors, probabilities, terminal, gamma, policies, pay, values):  # type: ignore[no-untyped-def]
    """Writes the values (N, S) of each policy (N, S, A), which collects `pay` (N, S)."""
    for n in range(len(policies)):
        now = values[n]
        for state in order:
            if terminal[state]:
                now[state] = 0.0
                continue
            total = 0.0
            for action in range(policies.shape[2]):
                if policies[n, state, action] != 0:
                    total += policies[n, state, action] * expected(successors, probabilities, now, state, action)
            now[state] = pay[n, state] + gamma * total


@compiled
def visits(order, successors, probabilities, terminal, gamma, policy, start):  # type: ignore[no-untyped-def]
    """Turns `start` (S,), the weights of first states, into discounted visits; 0 at terminal states."""
    for place in range(order.size - 1, -1, -1):
        state = order[place]
        if terminal[state]:
            start[state] = 0.0
            continue
        for action in range(policy.shape[1]):
            flow = gamma * start[state] * policy[state, action]
            if probabilities.size == 0:
                start[successors[state, action, 0]] += flow
                continue
            for slot in range(successors.shape[2]):
                start[successors[state, action, slot]] += flow * probabilities[state, action, slot]


@compiled
def soft_values(  # type: ignore[no-untyped-def]
    order, successors, probabilities, terminal, gamma, rewards, log_weights, temperatures, values
):
    """Writes the regularised values (N, S) of each reward (N, S, A) at its temperature (N,).

    `log_weights` (S, A) are -inf at illegal actions.
    """
    A = rewards.shape[2]
    q_values = np.empty(A)
    for n in range(len(rewards)):
        now, temperature = values[n], temperatures[n]
        for state in order:
            if terminal[state]:
                now[state] = 0.0
                continue
            peak = -np.inf
            for action in range(A):
                if log_weights[state, action] > -np.inf:
                    ahead = expected(successors, probabilities, now, state, action)
                    q_values[action] = rewards[n, state, action] + gamma * ahead
                    peak = max(peak, q_values[action])
            top = -np.inf
            for action in range(A):
                if log_weights[state, action] > -np.inf:
                    q_values[action] = (q_values[action] - peak) / temperature + log_weights[state, action]
                    top = max(top, q_values[action])
            total = 0.0
            for action in range(A):
                if log_weights[state, action] > -np.inf:
                    total += math.exp(q_values[action] - top)
            now[state] = peak + temperature * (top + math.log(total))
