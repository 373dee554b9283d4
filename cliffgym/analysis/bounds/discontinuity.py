"""Where optimal policies jump: Propositions 2.9, 2.10 and 3.2.

At every tie they do, however small the change: `cliffgym.analysis.bounds.jump` has the construction.

Shapes: S states, A actions.
"""

import numpy as np
from numpy.typing import ArrayLike

from cliffgym.analysis.bounds.check import StatementCheck, at_most, sup_norm
from cliffgym.analysis.bounds.jump import RESOLVED, TIE, check_optimal, make_jump, nothing_tied
from cliffgym.mdp import TabularMDP
from cliffgym.solvers import TIE_TOLERANCE


def deterministic_jump(
    mdp: TabularMDP,
    reward: ArrayLike,
    epsilon: float,
    state: int | None = None,
    action: int | None = None,
    *,
    tie_tolerance: float = TIE_TOLERANCE,
) -> StatementCheck:
    """Proposition 2.9: at a tie, a change of any size makes any of the tied actions the only optimal one.

    So whichever of them a deterministic selection takes at R0, it jumps: let `action` be another.

    Args:
        mdp: The dynamics.
        reward: (S, A) R0.
        epsilon: Size of the change, in units of reward, > 0.
        state: The tied state s0; None for the first.
        action: The action a2 to be raised; None for the second of those that are optimal there.
        tie_tolerance: As in `optimal`, but never more than a quarter of epsilon: a tie that is not one at that
            resolution does not count.

    Returns:
        measured: ‖R_eps - R0‖; bound: epsilon, both in units of reward. The conclusion is that a2 alone is optimal at
        s0 under R_eps, and that the bound is kept. witness: (S, A) R_eps. details: `state`, `action`, `num_optimal` m,
        `gap` from a2 to the next best at s0 under R_eps (epsilon up to rounding), `total_variation` of the uniform
        selections at s0, `paper_bound` (1 + gamma) epsilon. Not applicable if nothing ties.

    Raises:
        ValueError: epsilon is not > 0, the given state is terminal or not tied, the given action is not optimal there
            or comes without a state, or a table is malformed.

    Source: arXiv:2507.20150, Proposition 2.9.

    >>> import cliffgym
    >>> slacker = cliffgym.scenario("Cliff-Slacker-v0")
    >>> check = deterministic_jump(slacker.mdp, slacker.reward("incomplete"), epsilon=1e-6)
    >>> check.verdict, round(check.ratio, 6)
    ('holds', 1.0)
    """
    jump = make_jump(mdp, reward, epsilon, state, action, tie_tolerance)
    if jump is None:
        return nothing_tied("Proposition 2.9", bound=epsilon)
    measured = sup_norm(mdp, jump.reward - jump.base)
    return StatementCheck(
        "Proposition 2.9",
        {TIE: True, RESOLVED: jump.resolved},
        measured,
        bound=epsilon,
        conclusion=jump.alone and at_most(measured, epsilon, jump.step_rounding),
        witness=jump.reward,
        details=jump.details | {"paper_bound": (1 + mdp.gamma) * epsilon},
    )


def uniform_jump(
    mdp: TabularMDP,
    reward: ArrayLike,
    epsilon: float,
    state: int | None = None,
    action: int | None = None,
    *,
    tie_tolerance: float = TIE_TOLERANCE,
) -> StatementCheck:
    """Proposition 2.10: drawing uniformly among m tied actions jumps by (m - 1)/m in total variation.

    Args:
        mdp: The dynamics.
        reward: (S, A) R0.
        epsilon: As in `deterministic_jump`.
        state: As there.
        action: As there.
        tie_tolerance: As there.

    Returns:
        measured: d_TV at s0 between the uniform selections at R0 and R_eps; bound: (m - 1)/m. The conclusion is that
        they are equal. witness and details as in `deterministic_jump`.

    Raises:
        ValueError: As `deterministic_jump`.

    Source: arXiv:2507.20150, Proposition 2.10.

    >>> import cliffgym
    >>> breaker = cliffgym.scenario("Cliff-TieBreaker-v0")  # four formats
    >>> uniform_jump(breaker.mdp, breaker.reward("incomplete"), epsilon=1e-9).measured
    0.75
    """
    jump = make_jump(mdp, reward, epsilon, state, action, tie_tolerance)
    if jump is None:
        return nothing_tied("Proposition 2.10", bound=0.0)
    return StatementCheck(
        "Proposition 2.10",
        {TIE: True, RESOLVED: jump.resolved},
        jump.details["total_variation"],
        bound=jump.share,
        conclusion=jump.is_full,
        witness=jump.reward,
        details=jump.details,
    )


def tie_breaking(
    mdp: TabularMDP,
    reward: ArrayLike,
    epsilon: float,
    state: int | None = None,
    action: int | None = None,
    over: int | None = None,
    *,
    tie_tolerance: float = TIE_TOLERANCE,
) -> StatementCheck:
    """Proposition 3.2: of two tied actions, a change of at most epsilon makes the one strictly better than the other.

    Args:
        mdp: The dynamics.
        reward: (S, A) R0.
        epsilon: As in `deterministic_jump`.
        state: As there.
        action: The action a2 that is to win, as there.
        over: The action a1 that is to lose; None for the first of the others that are optimal at the state.
        tie_tolerance: As there.

    Returns:
        measured: ‖R' - R0‖; bound: epsilon, both in units of reward. The conclusion is that Q*(s0, a2) > Q*(s0, a1)
        under R', and that the bound is kept. witness: (S, A) R'. details: as in `deterministic_jump`, `over`, and
        `margin` Q*(s0, a2) - Q*(s0, a1).

    Raises:
        ValueError: As `deterministic_jump`; or `over` is not optimal, the same action, or given without a state.

    Source: arXiv:2507.20150, Proposition 3.2. The paper raises a2 by epsilon/(1 + gamma); epsilon will do.

    >>> import cliffgym
    >>> spurious = cliffgym.scenario("Cliff-SpuriousReasoning-v0")
    >>> derive, bluff = (spurious.mdp.action_names.index(name) for name in ("derive", "bluff"))
    >>> check = tie_breaking(spurious.mdp, spurious.reward("incomplete"), 1e-6, state=0, action=bluff, over=derive)
    >>> check.verdict, f"{check.details['margin']:.2e}"
    ('holds', '1.00e-06')
    """
    if over is not None and state is None:
        raise ValueError(f"state must be given if over is, got None and over {over!r}")
    jump = make_jump(mdp, reward, epsilon, state, action, tie_tolerance)
    if jump is None:
        return nothing_tied("Proposition 3.2", bound=epsilon)
    rivals = np.flatnonzero(jump.tied)
    if over is None:
        loser = int(rivals[rivals != jump.action][0])
    else:
        loser = check_optimal(mdp, jump.tied, jump.state, "over", over)
        if loser == jump.action:
            raise ValueError(f"over must be another action than the one that wins, got {over} at state {state}")
    margin = float(jump.gaps[loser] - jump.gaps[jump.action])
    measured = sup_norm(mdp, jump.reward - jump.base)
    return StatementCheck(
        "Proposition 3.2",
        {TIE: True, RESOLVED: jump.resolved},
        measured,
        bound=epsilon,
        conclusion=margin > jump.tolerance and at_most(measured, epsilon, jump.step_rounding),
        witness=jump.reward,
        details=jump.details | {"over": float(loser), "margin": margin},
    )
