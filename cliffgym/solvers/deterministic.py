"""Optimal values of deterministic MDPs with cycles, by policy iteration.

A deterministic policy is a functional graph there: every state leads to one state. With numba it is evaluated in one
walk over the states (`compiled.walks`); with NumPy by pointer doubling: if v holds the pay of the next k steps and
`ahead` where they lead, then v + gamma^k v[ahead] holds that of 2k steps, so that about log2(1/(1 - gamma)) + 6
doublings reach the end of all that counts.

Shapes: N rewards, S states, A actions.

Source: Puterman (1994), Markov Decision Processes, section 6.4 (policy iteration); Wyllie (1979), The Complexity of
Parallel Computations (pointer doubling).
"""

import numpy as np
from numpy.typing import NDArray

from cliffgym.mdp import TabularMDP
from cliffgym.solvers.structure import next_states, transitions

REFINED_GAMMA = 0.995
"""Above it, residuals in extended precision refine values: rounding would be magnified by up to 1/(1 - gamma)."""
REFINEMENTS = 2
MARGIN = 64 * float(np.finfo(float).eps)
"""How much better another action must be, relative to the largest value or reward, for policy iteration to move."""
MAX_STALLS = 4
"""Policies that are no better in total than one before them: only rounding can make them, and it ends the search."""
_NEGLIGIBLE = 2.0**-60


def deterministic_values(mdp: TabularMDP, rewards: NDArray[np.float64], kernel: str) -> NDArray[np.float64]:
    """(N, S) optimal values of each reward (N, S, A).

    An action is only left for one that is better by more than rounding, so that ties cannot make the search cycle.
    Where rounding exceeds that margin all the same, values, which must rise from step to step, do not, and after a few
    such steps the search ends.
    """
    if kernel == "numba":
        from cliffgym.solvers.compiled.functional import policy_iteration

        values, refine = np.empty((len(rewards), mdp.num_states)), mdp.gamma > REFINED_GAMMA
        to, rewards = transitions(mdp).successors, np.ascontiguousarray(rewards)
        integers, floats = np.empty((3, mdp.num_states), to.dtype), np.zeros((2, mdp.num_states))
        policy_iteration(
            *(to, mdp.action_mask, mdp.terminal, mdp.gamma, refine, MARGIN, MAX_STALLS),
            *(rewards, values, integers, floats),
        )
        return values
    return _policy_iteration(mdp, rewards)


def _policy_iteration(mdp: TabularMDP, rewards: NDArray[np.float64]) -> NDArray[np.float64]:
    """(N, S) optimal values of each reward (N, S, A); rewards that are solved drop out."""
    to, rows = next_states(mdp), np.arange(mdp.num_states)
    payable = np.where(mdp.action_mask, rewards, -np.inf)
    scale = np.abs(rewards, where=mdp.action_mask, out=np.zeros(rewards.shape)).max(axis=(1, 2))
    actions = payable.argmax(axis=2)
    solved = np.empty(rewards.shape[:2])
    at = np.arange(len(rewards))  # which rewards the rows of all other arrays belong to
    before = np.full(solved.shape, -np.inf)
    lead, stalls = np.zeros(at.size), np.zeros(at.size, dtype=int)
    while True:
        values = functional_values(mdp, to[rows, actions], _taken(payable, actions))
        q_values = np.take(values, to, axis=1)
        q_values *= mdp.gamma
        q_values += payable
        rounding = MARGIN * np.maximum(np.abs(values).max(axis=1), scale)
        better = q_values.max(axis=2) > _taken(q_values, actions) + rounding[:, None]
        # How far totals are above their records; within the totals it would be lost in rounding.
        lead += (values - before).sum(axis=1)
        stalls += ~(lead > 0)
        lead[lead > 0] = 0
        done = ~better.any(axis=1) | (stalls > MAX_STALLS)
        solved[at[done]] = values[done]
        if done.all():
            return solved
        actions = np.where(better, q_values.argmax(axis=2), actions)
        before = values
        if done.any():
            left = ~done
            at, payable, scale, actions = at[left], payable[left], scale[left], actions[left]
            before, lead, stalls = before[left], lead[left], stalls[left]


def functional_values(
    mdp: TabularMDP, following: NDArray[np.intp], pay: NDArray[np.float64], kernel: str = "numpy"
) -> NDArray[np.float64]:
    """(N, S) values of N policies of an MDP with gamma < 1, each a functional graph.

    Args:
        mdp: Says gamma, and which states are terminal.
        following: (N, S) where each state leads; terminal states lead to themselves.
        pay: (N, S) what each state pays, 0 at terminal states.
        kernel: "numpy" or "numba".
    """
    if kernel == "numba":
        return np.array([_walked(mdp, *graph) for graph in zip(following, pay, strict=True)])
    ahead = (following + np.arange(len(pay))[:, None] * pay.shape[1]).ravel()
    values = _doubled(ahead, pay.ravel(), mdp.gamma)
    if mdp.gamma > REFINED_GAMMA:
        for _ in range(REFINEMENTS):
            lacks = pay.ravel() + np.longdouble(mdp.gamma) * values[ahead] - values
            values += _doubled(ahead, lacks.astype(float), mdp.gamma)
    return values.reshape(pay.shape)


def _walked(mdp: TabularMDP, following: NDArray[np.intp], pay: NDArray[np.float64]) -> NDArray[np.float64]:
    """(S,) values of one functional graph, by a walk over it."""
    from cliffgym.solvers.compiled.refined import walk_refined
    from cliffgym.solvers.compiled.walks import DONE, walk

    dtype = transitions(mdp).successors.dtype
    following = np.where(mdp.terminal, DONE, following).astype(dtype)
    values, path = pay.copy(), np.empty(pay.size, dtype)
    if mdp.gamma > REFINED_GAMMA:
        walk_refined(following, values, np.zeros(pay.size), path, mdp.gamma)
    else:
        walk(following, values, path, mdp.gamma)
    return values


def _doubled(ahead: NDArray[np.intp], pay: NDArray[np.float64], gamma: float) -> NDArray[np.float64]:
    """The sum of the discounted pay of all steps from each state, each of which leads to the state `ahead`."""
    values, factor, steps = pay, gamma, 1.0
    while True:
        values = values + factor * values[ahead]
        steps *= 2
        factor = gamma**steps
        if factor <= _NEGLIGIBLE:
            return values
        ahead = ahead[ahead]


def _taken(table: NDArray[np.float64], actions: NDArray[np.intp]) -> NDArray[np.float64]:
    """(N, S) the entries of a table (N, S, A) at each state's action (N, S)."""
    return np.take_along_axis(table, actions[:, :, None], axis=2)[:, :, 0]
