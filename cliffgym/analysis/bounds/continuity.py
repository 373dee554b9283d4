"""Where optimal actions cannot change: Lemma 2.5 and Theorem 2.7, with the radii that finite MDPs give them.

Shapes: S states, A actions.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cliffgym.analysis.bounds.check import StatementCheck, choices, rounding, smallest_gap, sup_norm
from cliffgym.analysis.radius import cliff_radius
from cliffgym.mdp import TabularMDP
from cliffgym.rewards import check_reward
from cliffgym.solvers import TIE_TOLERANCE, optimal, total_variation
from cliffgym.solvers.policies import uniform_over


def optimal_actions_inclusion(
    mdp: TabularMDP, reward: ArrayLike, other: ArrayLike, *, tie_tolerance: float = TIE_TOLERANCE
) -> StatementCheck:
    """Lemma 2.5: near R0 no action becomes optimal that was not, A*(s; R) ⊆ A*(s; R0) in every state.

    On finite sets upper hemi-continuity is this, and its neighbourhood has a size: ‖R - R0‖ < gap / (2 · horizon), gap
    being the smallest positive action gap of R0.

    Args:
        mdp: The dynamics.
        reward: (S, A) R0.
        other: (S, A) R.
        tie_tolerance: As in `optimal`; says which gaps of R0 are ties.

    Returns:
        hypotheses: that R is that close, by more than rounding. measured: the number of pairs that are optimal under R
        and were not under R0; bound: 0. witness: the first of them. details: `distance` ‖R - R0‖, `radius` and `gap`
        in units of reward, `horizon`.

    Raises:
        ValueError: A table is malformed, or the MDP has a cycle at gamma 1.

    Source: arXiv:2507.20150, Lemma 2.5; the radius follows from Proposition 2.4.

    >>> import cliffgym
    >>> mdp = cliffgym.scenario("Cliff-TieBreaker-v0").mdp
    >>> breaker = cliffgym.scenario("Cliff-TieBreaker-v0", bonus=0.1)
    >>> check = optimal_actions_inclusion(mdp, breaker.reward("incomplete"), breaker.reward("true"))
    >>> check.verdict, check.details["radius"]
    ('holds', 0.25)
    """
    reward, other = check_reward(mdp, reward), check_reward(mdp, other, "other")
    return inclusion_check("Lemma 2.5", {}, mdp, reward, other, sup_norm(mdp, reward - other), tie_tolerance)


def inclusion_check(
    statement: str,
    hypotheses: dict[str, bool],
    mdp: TabularMDP,
    reward: NDArray[np.float64],
    other: NDArray[np.float64],
    distance: float,
    tie_tolerance: float,
) -> StatementCheck:
    """Lemma 2.5 for rewards (S, A) that count as `distance` apart."""
    horizon = mdp.effective_horizon
    before, after = optimal(mdp, reward, tie_tolerance), optimal(mdp, other, tie_tolerance)
    slack = rounding(mdp, before.q_values, after.q_values, reward, other)
    gap = smallest_gap(mdp, before.action_gaps, before.tolerance)
    # In the ball, gaps keep at least what is left of `gap`, so whatever counts as optimal must be closer than that.
    new = (after.action_gaps <= slack) & ~before.optimal_actions & choices(mdp)
    places = np.argwhere(new)
    return StatementCheck(
        statement,
        hypotheses | {"R is within gap / (2 · horizon) of R0": bool(gap - 2 * horizon * distance > slack)},
        measured=float(len(places)),
        bound=0.0,
        conclusion=not len(places),
        witness=(int(places[0, 0]), int(places[0, 1])) if len(places) else None,
        details={
            "distance": distance,
            "radius": gap / (2 * horizon) if horizon else np.inf,
            "gap": gap,
            "horizon": horizon,
        },
    )


def policy_constancy(
    mdp: TabularMDP, reward: ArrayLike, other: ArrayLike, *, tie_tolerance: float = TIE_TOLERANCE
) -> StatementCheck:
    """Theorem 2.7: where every optimal action is unique, the optimal policy is continuous in the reward.

    On finite sets it is even constant: the policy is the same for every R with ‖R - R0‖ < cliff radius of R0, and that
    radius cannot be made larger.

    Args:
        mdp: The dynamics.
        reward: (S, A) R0.
        other: (S, A) R.
        tie_tolerance: As in `optimal`; says which gaps of R0 are ties.

    Returns:
        hypotheses: that the optimum at R0 is unique, and that R is within its cliff radius by more than rounding.
        measured: the largest total variation, over non-terminal states, between the two optimal policies (drawing
        uniformly among actions that tie); bound: 0. witness: the first (state, action) that became optimal. details:
        `distance` ‖R - R0‖ and `radius`, in units of reward.

    Raises:
        ValueError: A table is malformed.

    Source: arXiv:2507.20150, Theorem 2.7; see `cliff_radius`.

    >>> import cliffgym
    >>> mdp = cliffgym.scenario("Cliff-TieBreaker-v0").mdp
    >>> near, far = (cliffgym.scenario("Cliff-TieBreaker-v0", bonus=bonus).reward("true") for bonus in (0.06, 0.04))
    >>> here = cliffgym.scenario("Cliff-TieBreaker-v0", bonus=0.1).reward("true")
    >>> policy_constancy(mdp, here, near).verdict, policy_constancy(mdp, here, far).unmet
    ('holds', ('R is within the cliff radius of R0',))
    """
    reward, other = check_reward(mdp, reward), check_reward(mdp, other, "other")
    return constancy_check("Theorem 2.7", {}, mdp, reward, other, sup_norm(mdp, reward - other), tie_tolerance)


def constancy_check(
    statement: str,
    hypotheses: dict[str, bool],
    mdp: TabularMDP,
    reward: NDArray[np.float64],
    other: NDArray[np.float64],
    distance: float,
    tie_tolerance: float,
) -> StatementCheck:
    """Theorem 2.7 for rewards (S, A) that count as `distance` apart."""
    before, after = optimal(mdp, reward, tie_tolerance), optimal(mdp, other, tie_tolerance)
    slack = rounding(mdp, before.q_values, after.q_values, reward, other)
    radius = cliff_radius(mdp, reward, tie_tolerance=tie_tolerance).radius
    # A gap at R is at least ‖L‖_1 (radius - distance) >= radius - distance: see `cliff_radius`.
    now = after.action_gaps <= slack
    moved = total_variation(before.policy, uniform_over(now))
    measured = float(moved[~mdp.terminal].max(initial=0.0))
    places = np.argwhere(now & ~before.optimal_actions & choices(mdp))
    return StatementCheck(
        statement,
        hypotheses
        | {
            "the optimum at R0 is unique": not before.tied_states.size,
            "R is within the cliff radius of R0": bool(radius - distance > slack),
        },
        measured,
        bound=0.0,
        conclusion=measured == 0,
        witness=(int(places[0, 0]), int(places[0, 1])) if len(places) else None,
        details={"distance": distance, "radius": radius},
    )
