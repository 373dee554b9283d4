"""The paper's construction of a jump, shared by Propositions 2.9, 2.10, 3.2 and 4.6.

At a tie the value of one of the tied actions is raised by epsilon and the Bellman equation is inverted. The reward
that has these values differs from the old one by epsilon · (1[(s0, a2)] - gamma P(s0|s, a)): by at most epsilon in
sup norm, not (1 + gamma) epsilon as the paper allows for, and by epsilon exactly unless a2 may stay at s0.

Shapes: S states, A actions.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cliffgym.analysis.bounds.check import StatementCheck, positive, rounding, sup_norm
from cliffgym.checks import integer
from cliffgym.mdp import TabularMDP
from cliffgym.rewards import check_reward
from cliffgym.solvers import optimal, total_variation
from cliffgym.solvers.policies import uniform_over

TIE = "some state has two optimal actions"
RESOLVED = "epsilon is above rounding"


@dataclass(frozen=True, eq=False)
class Jump:
    """The construction at one tie, solved.

    Attributes:
        base: (S, A) R0.
        change: (S, A) what was added.
        reward: (S, A) R_eps.
        state: s0.
        action: a2.
        tied: (A,) True for the actions that are optimal at s0 under R0.
        gaps: (A,) action gaps at s0 under R_eps.
        tolerance: The gap up to which actions tie, the same before and after.
        resolved: Whether epsilon is large enough to be told from rounding.
        step_rounding: How far off ‖R_eps - R0‖ may come out.
    """

    base: NDArray[np.float64]
    change: NDArray[np.float64]
    reward: NDArray[np.float64]
    state: int
    action: int
    tied: NDArray[np.bool_]
    gaps: NDArray[np.float64]
    tolerance: float
    resolved: bool
    step_rounding: float

    @property
    def now(self) -> NDArray[np.bool_]:
        """(A,) True for the actions that are optimal at s0 under R_eps."""
        return self.gaps <= self.tolerance

    @property
    def alone(self) -> bool:
        """Whether a2 alone is."""
        return bool(self.now[self.action] and self.now.sum() == 1)

    @property
    def share(self) -> float:
        """(m - 1)/m."""
        m = int(self.tied.sum())
        return (m - 1) / m

    @property
    def is_full(self) -> bool:
        """Whether the uniform selection jumps by (m - 1)/m."""
        return abs(self.details["total_variation"] - self.share) <= 1e-12

    @property
    def details(self) -> dict[str, float | int]:
        """Where the tie is, and what becomes of it."""
        others = np.delete(self.gaps, self.action)
        return {
            "state": self.state,
            "action": self.action,
            "num_optimal": int(self.tied.sum()),
            "gap": float(others.min() - self.gaps[self.action]),
            "total_variation": float(total_variation(uniform_over(self.tied[None]), uniform_over(self.now[None]))[0]),
        }


def nothing_tied(statement: str, bound: float, hypotheses: Mapping[str, bool] | None = None) -> StatementCheck:
    """What is said of a reward without ties, which meets further hypotheses or not."""
    return StatementCheck(statement, {**(hypotheses or {}), TIE: False}, 0.0, bound, conclusion=False)


def make_jump(
    mdp: TabularMDP,
    reward: ArrayLike,
    epsilon: float,
    state: int | None,
    action: int | None,
    tie_tolerance: float,
    parts: Sequence[NDArray[np.float64]] = (),
    add: Callable[[NDArray[np.float64]], NDArray[np.float64]] | None = None,
) -> Jump | None:
    """Finds or checks the tie, and breaks it; None if no place was given and nothing ties.

    A reward that is made of `parts`, each (S, A), says by `add` what it is once each of them is changed.
    """
    base, epsilon = check_reward(mdp, reward), positive("epsilon", epsilon)
    if action is not None and state is None:
        raise ValueError(f"state must be given if action is, got None and action {action!r}")
    before = optimal(mdp, base, tie_tolerance)
    slack = rounding(mdp, before.q_values, base)
    tolerance = min(before.tolerance, max(epsilon / 4, slack))
    tied = before.action_gaps <= tolerance
    if state is None:
        several = np.flatnonzero((tied.sum(axis=1) > 1) & ~mdp.terminal)
        if not several.size:
            return None
        place = int(several[0])
    else:
        place = _tied_state(mdp, tied, state)
    if action is None:
        raised = int(np.flatnonzero(tied[place])[1])
    else:
        raised = check_optimal(mdp, tied[place], place, "action", action)
    change = bump(mdp, place, raised, epsilon)
    changed = base + change if add is None else add(change)
    after = optimal(mdp, changed, tie_tolerance)
    return Jump(
        base,
        change,
        changed,
        place,
        raised,
        tied[place],
        after.action_gaps[place],
        tolerance,
        resolved=rounding(mdp, before.q_values, after.q_values, base, *parts) <= epsilon / 4,
        step_rounding=4 * float(np.finfo(float).eps) * max(sup_norm(mdp, part) for part in (base, *parts)),
    )


def bump(mdp: TabularMDP, state: int, action: int, epsilon: float) -> NDArray[np.float64]:
    """(S, A) the change of the reward that raises Q*(state, action) by epsilon and no other entry.

    It inverts the Bellman equation for an action that is optimal in the state, whose value rises with it.
    """
    change = -mdp.gamma * epsilon * (mdp.probabilities * (mdp.successors == state)).sum(axis=2)
    change[state, action] += epsilon
    change[mdp.terminal] = 0.0
    return change


def _tied_state(mdp: TabularMDP, tied: NDArray[np.bool_], state: int) -> int:
    """Returns `state`, a tied one."""
    place = integer("state", state, 0, mdp.num_states - 1)
    if mdp.terminal[place]:
        raise ValueError(f"state must not be terminal, got {mdp.describe_state(place)}")
    if tied[place].sum() < 2:
        raise ValueError(f"state must have two optimal actions, got {tied[place].sum()} at {mdp.describe_state(place)}")
    return place


def check_optimal(mdp: TabularMDP, tied: NDArray[np.bool_], state: int, name: str, action: int) -> int:
    """Returns `action`, one of those marked True in `tied` (A,).

    Raises:
        TypeError: It is not an integer.
        ValueError: It is out of range or not optimal.
    """
    place = integer(name, action, 0, mdp.num_actions - 1)
    if not tied[place]:
        raise ValueError(
            f"{name} must be optimal, got {mdp.describe_action(place)} at {mdp.describe_state(state)}, where "
            f"{', '.join(mdp.describe_action(a) for a in np.flatnonzero(tied))} are"
        )
    return place
