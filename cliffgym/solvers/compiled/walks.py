"""The value of a policy in a deterministic MDP, where it is a functional graph: every state leads to one state.

A walk along it ends at a terminal state, at a state whose value is known, or on itself: then it has found a cycle,
whose value has a closed form, the sum of gamma^k r_k once round it / (1 - gamma^L). Back along the walk each value
follows from the next. So a policy is evaluated in one visit to each state.

Shapes: S states.
"""

import math

from cliffgym.kernels import compiled
from cliffgym.solvers.compiled.inlining import inlined

# What `following` says of a state once a walk has been there.
DONE = -1
ON_PATH = -2


@compiled
def walk(following, values, path, gamma):  # type: ignore[no-untyped-def]
    """Turns `values` (S,), what each state pays, into what it is worth; returns the largest absolute value.

    Args:
        following: (S,) where each state leads, -1 where the value is final already. Used up.
        values: (S,).
        path: (S,) room to work in.
        gamma: Discount, < 1.
    """
    rate = math.log(gamma) if gamma > 0 else -math.inf
    peak = 0.0
    for start in range(following.size):
        length = 0
        state = start
        ahead = following[state]
        while ahead >= 0:
            following[state] = ON_PATH
            path[length] = state
            length += 1
            state = ahead
            ahead = following[state]
        if ahead == ON_PATH:
            first = length
            total = 0.0
            while True:
                first -= 1
                total = values[path[first]] + gamma * total
                if path[first] == state:
                    break
            value = total / -math.expm1((length - first) * rate)
            values[state] = value
            following[state] = DONE
            peak = max(peak, abs(value))
            peak = max(peak, _retrace(following, values, path, first + 1, length, gamma, value))
            length = first
        if length:
            peak = max(peak, _retrace(following, values, path, 0, length, gamma, values[state]))
    return peak


@inlined
def _retrace(following, values, path, low, high, gamma, value):  # type: ignore[no-untyped-def]
    """Values of path[low:high], last first, from that of the state after them; returns the largest absolute one."""
    peak = 0.0
    for place in range(high - 1, low - 1, -1):
        state = path[place]
        value = values[state] + gamma * value
        values[state] = value
        following[state] = DONE
        peak = max(peak, abs(value))
    return peak
