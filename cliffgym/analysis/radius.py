"""How far the nearest cliff is: the smallest change of the reward at which the optimal policy changes.

For a unique optimal policy pi and M = (I - gamma P_pi)^-1, the advantage of an action a at s under a reward change D is
a linear functional of D with coefficients

    L_sa = e_(s,a) + Σ_s' [gamma P(·|s,a) M - e_s M](s') e_(s',pi(s')).

At D = 0 the advantage is -gap(s, a), so the smallest sup norm that brings it to zero is gap(s, a) / ‖L_sa‖_1, attained
by D = radius · sign(L_sa). The minimum over all pairs is exact: inside it every advantage stays negative, and a policy
whose advantages are all negative is the only optimal one.

With H the effective horizon, ‖L_sa‖_1 is at most 2 H, and at least 2 if there is no cycle or nothing ends. Where there
are cycles and ends it is only at least 2 - gamma: staying where one is costs little beside ending at once. So the
radius lies between gap / (2 H) and gap / 2, or gap / (2 - gamma), of the smallest gap.

Shapes: S states, A actions, K components.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cliffgym.analysis.ties import reachable_under
from cliffgym.frozen import ReadOnlyArrays
from cliffgym.mdp import TabularMDP
from cliffgym.rewards import RewardComponents, check_reward
from cliffgym.solvers import TIE_TOLERANCE, evaluate, optimal
from cliffgym.solvers.linear import living_states, visits_from

_BLOCK = 2**24
"""Entries of the largest temporary array."""


@dataclass(frozen=True, eq=False)
class CliffRadius(ReadOnlyArrays):
    """The distance to the nearest cliff.

    Attributes:
        radius: The optimal policy is the same for every change smaller than this, in sup norm. 0 if it is not unique;
            infinite if no change of the allowed kind can move it.
        state: The state whose optimal action changes there, or None if the radius is infinite.
        action: The action that becomes optimal there.
        tied_with: At radius 0, the optimal action that `action` is tied with; None otherwise.
        witness: A change of that size at which the action ties: a reward table (S, A), or weights of components (K,).
            Anything more in the same direction, and the policy has changed. None if the radius is infinite. At radius
            0, a direction of sup norm 1 any step in which breaks the tie for `action`.

    >>> import cliffgym
    >>> breaker = cliffgym.scenario("Cliff-TieBreaker-v0", bonus=0.1)
    >>> found = cliff_radius(breaker.mdp, breaker.reward("true"), breaker.components)  # over weights
    >>> round(found.radius, 12), breaker.mdp.action_names[found.action]
    (0.1, 'plain')
    >>> {name: round(weight, 12) for name, weight in zip(breaker.components, found.witness.tolist()) if weight}
    {'target_format': -0.1}
    >>> change = breaker.components.combine(found.witness)
    >>> len(cliffgym.optimal(breaker.mdp, breaker.reward("true") + change).tied_states)  # four problems, three answers
    12
    """

    radius: float
    state: int | None
    action: int | None
    tied_with: int | None
    witness: NDArray[np.float64] | None


def cliff_radius(
    mdp: TabularMDP,
    reward: ArrayLike,
    over: str | RewardComponents = "table",
    *,
    reachable_only: bool = False,
    tie_tolerance: float = TIE_TOLERANCE,
) -> CliffRadius:
    """The exact distance from a reward to the nearest one with another optimal policy.

    Args:
        mdp: The dynamics.
        reward: (S, A).
        over: `"table"` for changes of any entry of the table (terminal states stay at 0), or components for changes of
            their weights only; the distance is then in sup norm over weights.
        reachable_only: Leaves out states that no legal action leads to, step by step from the start. (`ties` and
            `trace_line` count fewer: only what optimal policies reach. A cliff is near also where the optimal policy
            does not go yet.)
        tie_tolerance: As in `optimal`: gaps up to it are ties, and make the radius 0.

    Memory over the table grows with the square of the number of non-terminal states: 0.8 GB at 10,000.

    Raises:
        ValueError: As `optimal`; or `over` is neither, or components have another shape.

    Source: arXiv:2507.20150, Theorem 2.7, which in finite MDPs holds with this radius.

    >>> import cliffgym
    >>> breaker = cliffgym.scenario("Cliff-TieBreaker-v0", bonus=0.1)
    >>> found = cliff_radius(breaker.mdp, breaker.reward("true"))
    >>> round(found.radius, 12)  # half the bonus: json may lose as much as another format gains
    0.05
    """
    reward = check_reward(mdp, reward)
    optimum = optimal(mdp, reward, tie_tolerance)
    actions = optimum.action_gaps.argmin(axis=1)
    counted = ~mdp.terminal & (reachable_under(mdp, mdp.action_mask) if reachable_only else True)
    gaps = np.where(counted[:, None] & mdp.action_mask, optimum.action_gaps, np.inf)
    gaps[np.arange(mdp.num_states), actions] = np.inf
    tied = gaps <= optimum.tolerance

    slopes = None
    if isinstance(over, RewardComponents):
        if over.table.shape[1:] != reward.shape or not len(over):
            raise ValueError(f"over must have shape (K, S, A) with (S, A) = {reward.shape}, got {over.table.shape}")
        slopes, rounding = _weight_slopes(mdp, over, actions)
        norms = np.abs(slopes).sum(axis=0)
        # What no weight moves is no cliff over weights: a tie stays a tie, and a gap is never closed.
        movable = norms > rounding
    elif isinstance(over, str) and over == "table":
        # At a tie the distance is 0, whatever the norms: they are not needed.
        norms = np.ones(gaps.shape) if tied.any() else _table_norms(mdp, actions)
        movable = np.ones(norms.shape, dtype=bool)
    else:
        raise ValueError(f'over must be "table" or RewardComponents, got {over!r}')

    distance = np.full(gaps.shape, np.inf)
    np.divide(gaps, norms, out=distance, where=movable & np.isfinite(gaps))
    distance[tied & movable] = 0.0
    state, action = (int(i) for i in np.unravel_index(distance.argmin(), distance.shape))
    radius = float(distance[state, action])
    if radius == np.inf:
        return CliffRadius(np.inf, None, None, None, None)
    if slopes is None:
        direction = np.sign(_table_functional(mdp, actions, state, action))
    else:
        slope = slopes[:, state, action]
        direction = np.sign(np.where(np.abs(slope) > 1e-12 * np.abs(slope).max(), slope, 0.0))
    tied_with = int(actions[state]) if radius == 0 else None
    return CliffRadius(radius, state, action, tied_with, direction * (radius or 1.0))


def _visits_matrix(mdp: TabularMDP, actions: NDArray[np.intp]) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
    """M over the n non-terminal states, and (S,) the place of each state among them (n for terminal ones).

    M has a last row of zeros, so that a terminal state's row may be asked for: (n + 1, n).
    """
    alive, place = living_states(mdp)
    matrix = np.zeros((alive.size, alive.size + 1))
    weight = mdp.gamma * mdp.probabilities[alive, actions[alive]]
    np.add.at(matrix, (np.arange(alive.size)[:, None], place[mdp.successors[alive, actions[alive]]]), weight)
    visits = np.zeros((alive.size + 1, alive.size))
    visits[:-1] = np.linalg.inv(np.eye(alive.size) - matrix[:, :-1])
    return visits, place


def _table_norms(mdp: TabularMDP, actions: NDArray[np.intp]) -> NDArray[np.float64]:
    """(S, A) the norms ‖L_sa‖_1 = 1 + ‖gamma P(·|s,a) M - e_s M‖_1, in blocks of pairs; 1 at terminal states."""
    visits, place = _visits_matrix(mdp, actions)
    norms = np.ones((mdp.num_states, mdp.num_actions))
    states, moves = np.nonzero(np.broadcast_to(~mdp.terminal[:, None], norms.shape))
    step = max(_BLOCK // visits.shape[0], 1)
    for low in range(0, states.size, step):
        s, a = states[low : low + step], moves[low : low + step]
        norms[s, a] += np.abs(_visit_changes(mdp, visits, place, s, a)).sum(axis=1)
    return norms


def _visit_changes(
    mdp: TabularMDP,
    visits: NDArray[np.float64],
    place: NDArray[np.intp],
    states: NDArray[np.intp],
    actions: NDArray[np.intp],
) -> NDArray[np.float64]:
    """(N, n) rows gamma P(·|s,a) M - e_s M for N pairs."""
    targets = place[mdp.successors[states, actions]]
    weights = mdp.gamma * mdp.probabilities[states, actions]
    changes = -visits[place[states]]
    if targets.shape[1] <= 32:
        for slot in range(targets.shape[1]):
            changes += weights[:, slot, None] * visits[targets[:, slot]]
        return changes
    dense = np.zeros((states.size, visits.shape[0]))
    np.add.at(dense, (np.arange(states.size)[:, None], targets), weights)
    return changes + dense @ visits


def _table_functional(mdp: TabularMDP, actions: NDArray[np.intp], state: int, action: int) -> NDArray[np.float64]:
    """(S, A) the coefficients L of one pair, from one linear system in place of the whole matrix M."""
    policy = np.zeros((mdp.num_states, mdp.num_actions))
    policy[np.arange(mdp.num_states), actions] = 1.0
    start = np.zeros(mdp.num_states)
    np.add.at(start, mdp.successors[state, action], mdp.gamma * mdp.probabilities[state, action])
    start[state] -= 1.0
    coefficients = visits_from(mdp, policy, start)[:, None] * policy
    coefficients[state, action] += 1.0
    # Visits that cancel leave rounding behind, whose sign must not become part of the witness.
    coefficients[np.abs(coefficients) < 1e-12] = 0.0
    return coefficients


def _weight_slopes(
    mdp: TabularMDP, components: RewardComponents, actions: NDArray[np.intp]
) -> tuple[NDArray[np.float64], float]:
    """(K, S, A) advantage of each pair under each component: how its gap moves with that component's weight.

    Also the sum over components below which advantages are rounding: errors of a linear system grow with the horizon.
    """
    policy = np.zeros((mdp.num_states, mdp.num_actions))
    policy[np.arange(mdp.num_states), actions] = 1.0
    evaluations = [evaluate(mdp, table, policy) for table in components.table]
    step = np.where(mdp.terminal[:, None], 0.0, np.ones(policy.shape))
    horizon = 1 + float(evaluate(mdp, step, policy).state_values.max())
    rounding = 64 * np.finfo(float).eps * horizon * float(np.abs(components.table).max(axis=(1, 2)).sum())
    return np.stack([values.q_values - values.state_values[:, None] for values in evaluations]), rounding
