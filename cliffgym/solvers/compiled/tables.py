"""Tables of action values, and what is read from them.

Shapes: N rewards, S states, A actions, B successor slots.
"""

import numpy as np

from cliffgym.kernels import compiled
from cliffgym.solvers.compiled.inlining import inlined


@inlined
def expected(successors, probabilities, values, state, action):  # type: ignore[no-untyped-def]
    """The expected value after an action."""
    if probabilities.size == 0:  # all are 1
        return values[successors[state, action, 0]]
    total = 0.0
    for slot in range(successors.shape[2]):
        total += probabilities[state, action, slot] * values[successors[state, action, slot]]
    return total


@compiled
def backups(successors, probabilities, gamma, rewards, values, q_values):  # type: ignore[no-untyped-def]
    """Writes q_values (N, S, A) = rewards + gamma · expected values (N, S)."""
    for n in range(len(rewards)):
        reward, now, q_value = rewards[n], values[n], q_values[n]  # views are costly within the loops
        for state in range(successors.shape[0]):
            for action in range(successors.shape[1]):
                ahead = expected(successors, probabilities, now, state, action)
                q_value[state, action] = reward[state, action] + gamma * ahead


@compiled
def conclude(successors, probabilities, mask, gamma, rewards, values, best, q_values, gaps, scales):  # type: ignore[no-untyped-def]
    """Fills in a `bellman.Conclusion` from `values` (N, S); its own values are `best`."""
    for n in range(len(rewards)):
        scales[n] = scale_of(mask, rewards[n])
        _conclude(successors, probabilities, mask, gamma, rewards[n], values[n], best[n], q_values[n], gaps[n])


@compiled
def scale_of(mask, reward):  # type: ignore[no-untyped-def]
    """The largest absolute reward (S, A) of a legal action.

    A loop of its own: within another it takes ten times as long.
    """
    scale = 0.0
    for state in range(mask.shape[0]):
        for action in range(mask.shape[1]):
            if mask[state, action]:
                scale = max(scale, abs(reward[state, action]))
    return scale


@compiled
def _conclude(successors, probabilities, mask, gamma, reward, values, best, q_values, gaps):  # type: ignore[no-untyped-def]
    """The same for one reward (S, A), but for its scale."""
    for state in range(successors.shape[0]):
        highest = -np.inf
        for action in range(successors.shape[1]):
            ahead = expected(successors, probabilities, values, state, action)
            q_value = reward[state, action] + gamma * ahead
            q_values[state, action] = q_value
            if mask[state, action] and not q_value <= highest:  # a NaN is the highest: it must not be lost
                highest = q_value
        best[state] = highest
        for action in range(successors.shape[1]):
            gap = highest - q_values[state, action]
            gaps[state, action] = gap if mask[state, action] else np.inf


@compiled
def improve(successors, probabilities, mask, gamma, reward, values, rounding, actions):  # type: ignore[no-untyped-def]
    """Moves `actions` (S,) to legal ones that are better by more than `rounding`; returns the largest gain."""
    gain = 0.0
    for state in range(successors.shape[0]):
        action = actions[state]
        own = reward[state, action] + gamma * expected(successors, probabilities, values, state, action)
        best = own + rounding
        for a in range(successors.shape[1]):
            if mask[state, a]:
                q_value = reward[state, a] + gamma * expected(successors, probabilities, values, state, a)
                if q_value > best:
                    action, best = a, q_value
        if action != actions[state]:
            actions[state] = action
            gain = max(gain, best - own)
    return gain
