"""The two linear systems behind a fixed policy: its values, and how often it visits what.

With P_pi the policy's transition matrix, values solve v = r + gamma P_pi v, visits solve d = mu + gamma P_pi^T d.
Acyclic MDPs are swept once, level by level; cyclic ones are solved densely, or, where the matrix would not fit,
by fixed-point iteration until only rounding moves it. An MDP is refused at construction if its gamma is 1 and some
policy never ends, so both systems always have exactly one solution.

Shapes: S states, A actions, B successor slots.
"""

import numpy as np
from numpy.typing import NDArray

from cliffgym.mdp import TabularMDP

DENSE_LIMIT = 4096
"""Non-terminal states up to which a dense matrix is solved; above, memory S² would hurt."""
_MAX_SWEEPS = 1_000_000
_REFINED_GAMMA = 0.995
_REFINEMENTS = 2


def backup(mdp: TabularMDP, reward: NDArray[np.float64], values: NDArray[np.float64]) -> NDArray[np.float64]:
    """(S, A) action values r(s, a) + gamma Σ_s' P(s'|s, a) v(s') for reward (S, A) and values (S,)."""
    return reward + mdp.gamma * (mdp.probabilities * values[mdp.successors]).sum(axis=2)


def backup_states(
    mdp: TabularMDP, reward: NDArray[np.float64], values: NDArray[np.float64], states: NDArray[np.intp]
) -> NDArray[np.float64]:
    """The rows `states` (N,) of `backup`: (N, A) action values."""
    expected = (mdp.probabilities[states] * values[mdp.successors[states]]).sum(axis=2)
    return reward[states] + mdp.gamma * expected


def policy_values(mdp: TabularMDP, policy: NDArray[np.float64], pay: NDArray[np.float64]) -> NDArray[np.float64]:
    """(S,) values of a policy (S, A) that collects pay (S,) in each state; terminal states are worth 0."""
    if mdp.is_acyclic:
        values = np.zeros(mdp.num_states)
        for states in mdp.levels:
            expected = (mdp.probabilities[states] * values[mdp.successors[states]]).sum(axis=2)
            values[states] = pay[states] + mdp.gamma * (policy[states] * expected).sum(axis=1)
        return values
    return _solve(mdp, policy, pay, transposed=False)


def require_finite(values: NDArray[np.float64]) -> None:
    """Refuses a reward whose values (S,) overflow.

    Raises:
        ValueError: A value is not finite.
    """
    if not np.isfinite(values).all():
        state = int(np.flatnonzero(~np.isfinite(values))[0])
        raise ValueError(f"reward must be small enough for finite values, got {values[state]} at state {state}")


def state_visits(mdp: TabularMDP, policy: NDArray[np.float64]) -> NDArray[np.float64]:
    """(S,) discounted expected visits Σ_t gamma^t P(s_t = s) of each non-terminal state; 0 at terminal states."""
    return visits_from(mdp, policy, mdp.initial)


def visits_from(mdp: TabularMDP, policy: NDArray[np.float64], start: NDArray[np.float64]) -> NDArray[np.float64]:
    """(S,) the same from any weights (S,) of first states, not only probabilities."""
    start = np.where(mdp.terminal, 0.0, start)
    if mdp.is_acyclic:
        visits = start.copy()
        for states in reversed(mdp.levels):
            flow = mdp.gamma * (visits[states, None] * policy[states])[:, :, None] * mdp.probabilities[states]
            np.add.at(visits, mdp.successors[states], flow)
        visits[mdp.terminal] = 0
        return visits
    return _solve(mdp, policy, start, transposed=True)


def living_states(mdp: TabularMDP) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """The n non-terminal states, and (S,) the place of each state among them.

    Terminal states have place n: that of one more column, which whoever builds a matrix over the others drops.
    """
    alive = np.flatnonzero(~mdp.terminal)
    place = np.full(mdp.num_states, alive.size)
    place[alive] = np.arange(alive.size)
    return alive, place


def _solve(
    mdp: TabularMDP, policy: NDArray[np.float64], constant: NDArray[np.float64], transposed: bool
) -> NDArray[np.float64]:
    """Solves x = constant + gamma P_pi x (or with P_pi transposed) over the non-terminal states."""
    alive, place = living_states(mdp)
    weight = mdp.gamma * policy[alive, :, None] * mdp.probabilities[alive]
    target = mdp.successors[alive]
    solution = np.zeros(mdp.num_states)
    if alive.size <= DENSE_LIMIT:
        matrix = np.zeros((alive.size, alive.size + 1))
        np.add.at(matrix, (np.arange(alive.size)[:, None, None], place[target]), weight)
        matrix = np.eye(alive.size) - matrix[:, :-1]
        solution[alive] = np.linalg.solve(matrix.T if transposed else matrix, constant[alive])
        if mdp.gamma > _REFINED_GAMMA and not transposed:
            # Close to gamma = 1 the system magnifies rounding by up to 1/(1 - gamma), which would hide exact ties. A
            # residual in extended precision (where the machine has it) shows what the solution still lacks.
            wide = weight.astype(np.longdouble)
            for _ in range(_REFINEMENTS):
                lacks = constant[alive] + (wide * solution[target]).sum(axis=(1, 2)) - solution[alive]
                solution[alive] += np.linalg.solve(matrix, lacks.astype(np.float64))
        return solution
    if 0 < mdp.gamma < 1 and np.log(np.finfo(float).eps) / np.log(mdp.gamma) > _MAX_SWEEPS:
        raise ValueError(
            f"gamma must be <= {np.finfo(float).eps ** (1 / _MAX_SWEEPS):.6f} in an MDP with cycles and more than "
            f"{DENSE_LIMIT} non-terminal states, got {mdp.gamma!r}: its values would not settle"
        )
    fixed = np.where(mdp.terminal, 0.0, constant)
    change = np.inf
    for _ in range(_MAX_SWEEPS):
        update = fixed.copy()
        if transposed:
            flow = np.bincount(target.ravel(), (weight * solution[alive, None, None]).ravel(), mdp.num_states)
            update[alive] += flow[alive]
        else:
            update[alive] += (weight * solution[target]).sum(axis=(1, 2))
        change = np.abs(update - solution).max()
        solution = update
        if change <= 4 * np.finfo(float).eps * np.abs(solution).max():
            return solution
    raise ArithmeticError(f"the policy's values must settle within {_MAX_SWEEPS:,} sweeps, last change {change:.3g}")
