"""Optimal values of stochastic MDPs with cycles, by modified policy iteration.

Each policy is evaluated from the values of the one before it: exactly where dense matrices are solved, and where
evaluation iterates, roughly at first: each time to a tenth of what the last improvement gained, and closer than the
time before. The search ends as Howard's does: when a policy is evaluated exactly and no action is better than its own.

Shapes: S states, A actions.

Source: Puterman (1994), Markov Decision Processes, sections 6.4 and 6.5 (policy iteration and modified policy
iteration).
"""

import numpy as np
from numpy.typing import NDArray

from cliffgym.mdp import TabularMDP
from cliffgym.solvers.bellman import backup
from cliffgym.solvers.deterministic import MARGIN, MAX_STALLS
from cliffgym.solvers.linear import action_values, solved_densely
from cliffgym.solvers.structure import transitions

_ROUGH_ROUNDS = 200
"""Policies evaluated roughly at most. After so many, rough values may be what keeps the search from ending."""
_ALONGSIDE = 1 / 16
"""The part of the margin beyond which actions move along with one that is better by the whole of it.

Were only those moved that exceed it, differences just above rounding would be worked off in a hundred rounds.
"""
_NOISE = 1e6
"""What rounding can make an action seem to gain, in units of the margin: beyond it, values mean nothing."""
_ROUGHNESS = 1e-5
"""How roughly at the end, relative to the largest reward: finer than most gaps, and coarse enough to be quick."""


def stochastic_values(mdp: TabularMDP, reward: NDArray[np.float64], kernel: str) -> NDArray[np.float64]:
    """(S,) optimal values of a reward (S, A).

    The search goes on only for an action that is better by more than rounding, so that ties cannot make it cycle.
    Where rounding exceeds that margin all the same, values, which must rise from step to step, do not, and after a few
    such steps the search ends.

    Raises:
        ArithmeticError: The values of a policy do not settle, or rounding leaves nothing of them.
    """
    rows = np.arange(mdp.num_states)
    actions = np.where(mdp.action_mask, reward, -np.inf).argmax(axis=1)
    scale = float(np.abs(reward[mdp.action_mask]).max())  # whatever illegal actions pay
    values, before = np.zeros(mdp.num_states), np.full(mdp.num_states, -np.inf)
    rough = 0 if solved_densely(mdp) else _ROUGH_ROUNDS
    tolerance, lead, stalls = 0.1 * scale if rough else 0.0, 0.0, 0
    while True:
        values = action_values(mdp, actions, reward[rows, actions], values, tolerance, kernel)
        rounding = MARGIN * max(float(np.abs(values).max()), scale)
        margin = max(rounding, 2 * tolerance)
        actions, gain = _improved(mdp, reward, values, margin * _ALONGSIDE, actions, kernel)
        if tolerance == 0:
            lead += (values - before).sum()  # how far the total is above its record
            stalls += not lead > 0
            lead, before = min(lead, 0.0), values
            if gain <= margin or stalls > MAX_STALLS:
                if gain > _NOISE * rounding or (mdp.gamma == 1 and rounding > scale > 0):
                    raise ArithmeticError(
                        f"optimal values must settle, got {np.abs(values).max():.3g} of which rounding leaves nothing: "
                        f"gamma {mdp.gamma!r} is too close to 1, and some policy all but never ends"
                    )
                return values
        rough -= 1
        finest = _ROUGHNESS * scale
        finer = min(0.1 * gain, 0.3 * tolerance if tolerance else finest)
        tolerance = max(finer, finest) if gain > max(margin, finest) and rough > 0 else 0.0


def _improved(
    mdp: TabularMDP,
    reward: NDArray[np.float64],
    values: NDArray[np.float64],
    rounding: float,
    actions: NDArray[np.intp],
    kernel: str,
) -> tuple[NDArray[np.intp], float]:
    """(S,) legal actions, moved to where they are better by more than `rounding`, and the largest gain of these."""
    if kernel == "numba":
        from cliffgym.solvers.compiled.tables import improve

        (to, chances), actions = transitions(mdp), actions.copy()
        gain = improve(to, chances, mdp.action_mask, mdp.gamma, reward, values, rounding, actions)
        return actions, gain
    q_values = np.where(mdp.action_mask, backup(mdp, reward, values), -np.inf)
    best = q_values.max(axis=1)
    gain = best - q_values[np.arange(len(actions)), actions]
    better = gain > rounding
    return np.where(better, q_values.argmax(axis=1), actions), float(gain.max(where=better, initial=0))
