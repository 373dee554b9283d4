"""Where several actions are optimal, and how sure that is.

Shapes: S states, A actions.
"""

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cliffgym.analysis.rational import rational_optimal_actions
from cliffgym.frozen import ReadOnlyArrays
from cliffgym.graph import reachable
from cliffgym.mdp import TabularMDP
from cliffgym.solvers import TIE_TOLERANCE, optimal


@dataclass(frozen=True, eq=False)
class Ties(ReadOnlyArrays):
    """The ties of one reward.

    Attributes:
        states: The tied states: non-terminal, with more than one optimal action.
        reachable_states: Those of them that some optimal policy reaches from the start.
        optimal_actions: (S, A) True where the action is optimal.
        smallest_gap: The smallest gap that is not a tie, in units of reward; infinite if there is none.
        smallest_gap_at: Its (state, action), or None.
        ambiguous: Pairs (state, action) whose gap is within a factor 10 of the tie tolerance. Whether they are ties is
            not decided: another tolerance would say otherwise.
        certified: In exact mode, whether exact arithmetic finds the same optimal actions; None otherwise.
        terminal: (S,) the MDP's terminal states.

    >>> import cliffgym
    >>> spurious = cliffgym.scenario("Cliff-SpuriousReasoning-v0")  # three steps: derive, bluff or blunder
    >>> found = ties(spurious.mdp, spurious.reward("incomplete"))
    >>> len(found.states), len(found.reachable_states)  # those without a blunder are reached: 1 + 2 + 4
    (13, 7)
    >>> found.num_optimal_policies, found.smallest_gap  # two actions in each of those 7, all three in the other 6
    (93312, 1.0)
    """

    states: NDArray[np.intp]
    reachable_states: NDArray[np.intp]
    optimal_actions: NDArray[np.bool_]
    smallest_gap: float
    smallest_gap_at: tuple[int, int] | None
    ambiguous: tuple[tuple[int, int], ...]
    certified: bool | None
    terminal: NDArray[np.bool_]

    @cached_property
    def num_optimal_policies(self) -> int:
        """The number of deterministic optimal policies, exactly: the product of optimal actions over states."""
        return math.prod(self.optimal_actions[~self.terminal].sum(axis=1).tolist())

    @property
    def log10_optimal_policies(self) -> float:
        """Its logarithm to base 10."""
        return float(np.log10(self.optimal_actions[~self.terminal].sum(axis=1)).sum())

    @property
    def warning(self) -> str | None:
        """What is not certain about the ties, in words, or None."""
        if self.certified is False:
            return "exact arithmetic finds other optimal actions than floating point"
        if self.ambiguous and self.certified is None:
            state, action = self.ambiguous[0]
            return (
                f"{len(self.ambiguous)} action gap(s) lie within a factor 10 of the tie tolerance, the first at state "
                f"{state}, action {action}: whether they are ties depends on the tolerance"
            )
        return None


def ties(mdp: TabularMDP, reward: ArrayLike, tie_tolerance: float = TIE_TOLERANCE, exact: bool = False) -> Ties:
    """Finds every tie of a reward.

    Args:
        mdp: The dynamics.
        reward: (S, A).
        tie_tolerance: As in `optimal`.
        exact: Whether to solve the MDP in rational numbers as well, and to say whether that confirms the result. For
            small MDPs: see `rational_optimal_actions`.

    Raises:
        ValueError: As `optimal`; in exact mode, also if the MDP is too large.

    >>> import cliffgym
    >>> slacker = cliffgym.scenario("Cliff-Slacker-v0")
    >>> found = ties(slacker.mdp, slacker.reward("incomplete"), exact=True)
    >>> len(found.states), found.num_optimal_policies, found.certified
    (12, 4096, True)
    """
    optimum = optimal(mdp, reward, tie_tolerance)
    reached = reachable_under(mdp, optimum.optimal_actions)
    alive = ~mdp.terminal[:, None] & np.isfinite(optimum.action_gaps)
    gaps = np.where(alive & ~optimum.optimal_actions, optimum.action_gaps, np.inf)
    smallest = float(gaps.min())
    at = None if smallest == np.inf else tuple(int(i) for i in np.unravel_index(gaps.argmin(), gaps.shape))
    tolerance = optimum.tolerance
    near = alive & (optimum.action_gaps >= tolerance / 10) & (optimum.action_gaps <= tolerance * 10) & (tolerance > 0)
    certified = None
    if exact:
        certified = bool((rational_optimal_actions(mdp, reward) == optimum.optimal_actions).all())
    return Ties(
        states=optimum.tied_states,
        reachable_states=optimum.tied_states[reached[optimum.tied_states]],
        optimal_actions=optimum.optimal_actions,
        smallest_gap=smallest,
        smallest_gap_at=at,  # type: ignore[arg-type]  # a pair
        ambiguous=tuple((int(s), int(a)) for s, a in np.argwhere(near)),
        certified=certified,
        terminal=mdp.terminal,
    )


def reachable_under(mdp: TabularMDP, actions: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """(S,) True for states that can be reached from the start by the actions marked True in (S, A)."""
    return reachable(mdp.successors, mdp.probabilities, mdp.initial, actions)
