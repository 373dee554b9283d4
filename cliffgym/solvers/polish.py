"""The last steps of policy iteration where gamma is close to 1, in extended precision.

An action that gains d a step, taken for ever, gains d/(1 - gamma). In double precision a gain below the rounding of
the values is not seen, and near gamma = 1 what it comes to can be far above any tie tolerance: policy iteration would
stop early and call a worse action tied. So the search goes on with values and gains in extended precision, where the
machine has it, until rounding of that precision is all that is left.

Shapes: S states, A actions, B successor slots.
"""

import numpy as np
from numpy.typing import NDArray

from cliffgym.mdp import TabularMDP
from cliffgym.solvers.deterministic import REFINED_GAMMA
from cliffgym.solvers.linear import action_values

_MAX_ROUNDS = 1000
_MARGIN = 16 * float(np.finfo(np.longdouble).eps)
_BLOCK = 1 << 16


def polished_values(
    mdp: TabularMDP, reward: NDArray[np.float64], values: NDArray[np.float64], kernel: str
) -> NDArray[np.float64]:
    """(S,) optimal values of a cyclic MDP under a reward (S, A), from values (S,) that are optimal up to rounding.

    Unless gamma is close to 1 they are returned as they are.
    """
    if not REFINED_GAMMA < mdp.gamma < 1 or not np.isfinite(values).all():
        return values
    living = ~mdp.terminal
    wide = values.astype(np.longdouble)
    total = -np.inf
    for _ in range(_MAX_ROUNDS):
        actions, gains = _best_actions(mdp, reward, wide)
        rounding = _MARGIN * float(np.abs(wide).max())
        if not living.any() or gains[living].max() <= rounding or not wide.sum() > total:
            break
        total = wide.sum()
        improved = _evaluated(mdp, reward, actions, wide, kernel)
        if not np.isfinite(improved).all():
            return values
        wide = improved
    polished = wide.astype(np.float64)
    # Values that were as good as these can be are kept: a direct solution may be closer still.
    noise = 8 * float(np.finfo(float).eps + np.finfo(np.longdouble).eps / (1 - mdp.gamma)) * np.abs(polished).max()
    return polished if np.abs(polished - values).max() > noise else values


def _best_actions(
    mdp: TabularMDP, reward: NDArray[np.float64], wide: NDArray[np.longdouble]
) -> tuple[NDArray[np.intp], NDArray[np.longdouble]]:
    """(S,) the legal actions that are best for values (S,), and what they gain on those."""
    actions, gains = np.empty(wide.size, dtype=np.intp), np.empty(wide.size, dtype=np.longdouble)
    for low in range(0, wide.size, _BLOCK):
        rows = slice(low, low + _BLOCK)
        expected = (mdp.probabilities[rows] * wide[mdp.successors[rows]]).sum(axis=2)
        q_values = np.where(mdp.action_mask[rows], reward[rows] + np.longdouble(mdp.gamma) * expected, -np.inf)
        actions[rows] = q_values.argmax(axis=1)
        gains[rows] = q_values.max(axis=1) - wide[rows]
    return actions, gains


def _evaluated(
    mdp: TabularMDP,
    reward: NDArray[np.float64],
    actions: NDArray[np.intp],
    guess: NDArray[np.longdouble],
    kernel: str,
) -> NDArray[np.longdouble]:
    """(S,) the values of the policy that takes `actions`: what the guess lacks is solved for in double precision."""
    rows = np.arange(mdp.num_states)
    pay, chances, to = reward[rows, actions], mdp.probabilities[rows, actions], mdp.successors[rows, actions]
    wide = guess
    for _ in range(3):
        lacks = pay + np.longdouble(mdp.gamma) * (chances * wide[to]).sum(axis=1) - wide
        wide = wide + action_values(mdp, actions, np.where(mdp.terminal, 0.0, lacks).astype(np.float64), kernel=kernel)
    return wide
