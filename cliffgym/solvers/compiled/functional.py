"""Policy iteration in deterministic MDPs.

Shapes: N rewards, S states, A actions.
"""

import numpy as np

from cliffgym.kernels import compiled
from cliffgym.solvers.compiled.refined import walk_refined
from cliffgym.solvers.compiled.tables import scale_of
from cliffgym.solvers.compiled.walks import DONE, walk


@compiled
def policy_iteration(  # type: ignore[no-untyped-def]
    successors, mask, terminal, gamma, refine, margin, max_stalls, rewards, values, integers, floats
):
    """Writes the optimal values of each reward to `values` (N, S), by Howard's policy iteration.

    An action is only left for one that is better by more than `margin` · the largest value or reward. The search ends
    when there is none, or when more than `max_stalls` policies were no better in total than the best before them.

    Args:
        successors: (S, A, 1).
        mask: (S, A) legal actions.
        terminal: (S,).
        gamma: Discount, < 1.
        refine: Whether to carry values in twice the precision.
        margin: Relative rounding.
        max_stalls: See above.
        rewards: (N, S, A).
        values: (N, S).
        integers: (3, S) room to work in. NumPy makes it, because it asks for large pages, which are quicker at random
            access.
        floats: (2, S) the same, 0 at first.
    """
    actions, following, path = integers[0], integers[1], integers[2]
    rest = floats[1]
    for n in range(len(rewards)):
        reward, now, before = rewards[n], values[n], floats[0]
        before[:] = -np.inf
        scale = scale_of(mask, reward)
        _greedy(successors, mask, terminal, reward, actions, following, now)
        lead, stalls = 0.0, 0
        while True:
            peak = walk_refined(following, now, rest, path, gamma) if refine else walk(following, now, path, gamma)
            rounding = margin * max(peak, scale)
            changed, rise = _improve(
                successors, mask, terminal, gamma, reward, now, rounding, actions, following, before
            )
            lead += rise  # how far the total is above its record; within the totals it would be lost in rounding
            if lead > 0:
                lead = 0.0
            else:
                stalls += 1
            if not changed or stalls > max_stalls:
                break
            now, before = before, now
        values[n] = now


@compiled
def _greedy(successors, mask, terminal, reward, actions, following, pay):  # type: ignore[no-untyped-def]
    """Sets each state to its best paid legal action."""
    for state in range(terminal.size):
        action, best = 0, -np.inf
        for a in range(mask.shape[1]):
            if mask[state, a] and reward[state, a] > best:
                action, best = a, reward[state, a]
        actions[state] = action
        pay[state] = reward[state, action]
        following[state] = DONE if terminal[state] else successors[state, action, 0]


@compiled
def _improve(successors, mask, terminal, gamma, reward, values, rounding, actions, following, before):  # type: ignore[no-untyped-def]
    """Moves states to actions that are better by more than `rounding`, and makes ready for the next walk.

    `before` (S,) holds the last policy's values, and then what the new policy pays. Returns how many states changed
    their action, and how much values have risen since `before` in total.
    """
    changed, rise = 0, 0.0
    for state in range(terminal.size):
        if terminal[state]:
            following[state] = DONE
            before[state] = 0.0
            continue
        rise += values[state] - before[state]
        action = actions[state]
        best = reward[state, action] + gamma * values[successors[state, action, 0]] + rounding
        for a in range(mask.shape[1]):
            if mask[state, a]:
                q_value = reward[state, a] + gamma * values[successors[state, a, 0]]
                if q_value > best:
                    action, best = a, q_value
        changed += action != actions[state]
        actions[state] = action
        following[state] = successors[state, action, 0]
        before[state] = reward[state, action]
    return changed, rise
