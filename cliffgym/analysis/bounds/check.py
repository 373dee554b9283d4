"""What checking a statement on one MDP says, and the few measures that all checks share.

Norms are taken over the entries that a policy can use: legal actions of non-terminal states. What an illegal action
pays changes no policy, so every statement holds in this norm, which is never larger than the one over the whole table.

Shapes: S states, A actions.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cliffgym.checks import array, number
from cliffgym.mdp import TabularMDP
from cliffgym.solvers import optimal

Verdict = Literal["holds", "violated", "not applicable"]


@dataclass(frozen=True, eq=False)
class StatementCheck:
    """One statement of the paper, checked on one case.

    Attributes:
        statement: Its number in the PDF, as in "Proposition 2.4".
        hypotheses: Each hypothesis that the case may or may not meet, and whether it does.
        measured: The quantity that the statement bounds; each function says which, and in what unit.
        bound: The most that it may be; a statement that says "equal" is held to that.
        conclusion: Whether what the statement claims is true of this case, its hypotheses aside.
        witness: What the claim rests on: a reward that was constructed, or the first (state, action) found; or None.
        details: Further quantities by name, such as a sharper bound.

    >>> import cliffgym
    >>> from cliffgym.analysis.bounds import policy_constancy, values_lipschitz
    >>> near, far = (cliffgym.scenario("Cliff-TieBreaker-v0", bonus=bonus) for bonus in (0.25, 0.75))
    >>> check = values_lipschitz(near.mdp, near.reward("true"), far.reward("true"))
    >>> check.verdict, check.measured, check.bound, check.ratio  # a trace has two tokens; only one of them is paid
    ('holds', 0.5, 1.0, 0.5)
    >>> check = policy_constancy(near.mdp, near.reward("incomplete"), near.reward("true"))
    >>> check.verdict, check.unmet
    ('not applicable', ('the optimum at R0 is unique', 'R is within the cliff radius of R0'))
    """

    statement: str
    hypotheses: Mapping[str, bool]
    measured: float
    bound: float
    conclusion: bool
    witness: NDArray[np.float64] | tuple[int, int] | None = field(default=None, repr=False)
    details: Mapping[str, float | int] = field(default_factory=dict)

    @property
    def ratio(self) -> float:
        """`measured` / `bound`: 0 if both are 0, infinite if only the bound is."""
        return quotient(self.measured, self.bound)

    @property
    def unmet(self) -> tuple[str, ...]:
        """The hypotheses that the case does not meet."""
        return tuple(name for name, met in self.hypotheses.items() if not met)

    @property
    def verdict(self) -> Verdict:
        """Whether the statement "holds" or is "violated"; "not applicable" if a hypothesis is not met."""
        if self.unmet:
            return "not applicable"
        return "holds" if self.conclusion else "violated"


def quotient(measured: float, bound: float) -> float:
    """A measured value over its bound, with 0/0 = 0 and x/0 infinite.

    >>> quotient(1.0, 2.0), quotient(0.0, 0.0), quotient(1.0, 0.0)
    (0.5, 0.0, inf)
    """
    if bound == 0:
        return 0.0 if measured == 0 else math.copysign(math.inf, measured)
    return measured / bound


def at_most(measured: float, bound: float, slack: float) -> bool:
    """Whether measured <= bound, up to rounding: `slack` in their unit, and a relative 1e-12."""
    return bool(measured <= bound + 1e-12 * abs(bound) + slack)


def choices(mdp: TabularMDP) -> NDArray[np.bool_]:
    """(S, A) True for the legal actions of non-terminal states."""
    return mdp.action_mask & ~mdp.terminal[:, None]


def sup_norm(mdp: TabularMDP, table: NDArray[np.float64]) -> float:
    """The largest absolute entry of a table (S, A) over legal actions of non-terminal states; 0 if there are none."""
    return float(np.abs(table[choices(mdp)]).max(initial=0.0))


def rounding(mdp: TabularMDP, *tables: NDArray[np.float64]) -> float:
    """How far apart values that are equal may come out, in units of reward: for values or rewards (S, A)."""
    magnitude = max(sup_norm(mdp, table) for table in tables)
    return 64 * float(np.finfo(float).eps) * max(finite_horizon(mdp), 1.0) * magnitude


def finite_horizon(mdp: TabularMDP) -> float:
    """The effective horizon; at gamma 1 with cycles, where there is none, the longest expected duration of a trace."""
    return longest_duration(mdp) if mdp.gamma == 1 and not mdp.is_acyclic else mdp.effective_horizon


def longest_duration(mdp: TabularMDP) -> float:
    """The largest expected discounted number of steps of a trace under any policy from any state.

    It is never larger than `mdp.effective_horizon`, which asks for the structure only, and it is the exact Lipschitz
    constant of R -> Q*: adding 1 to every reward of a table of zeros adds this.
    """
    ones = np.where(mdp.terminal[:, None], 0.0, np.ones((mdp.num_states, mdp.num_actions)))
    return sup_norm(mdp, optimal(mdp, ones).q_values)


def smallest_gap(mdp: TabularMDP, gaps: NDArray[np.float64], tolerance: float) -> float:
    """The smallest of the action gaps (S, A) that is not a tie; infinite if all are."""
    gaps = gaps[choices(mdp)]
    return float(gaps[gaps > tolerance].min(initial=np.inf))


def positive(name: str, value: object) -> float:
    """Returns `value` as a finite float > 0.

    Raises:
        TypeError: It is not a number.
        ValueError: It is not finite, or not > 0.
    """
    size = number(name, value)
    if size <= 0:
        raise ValueError(f"{name} must be > 0, got {size!r}")
    return size


def check_vector(name: str, values: ArrayLike) -> NDArray[np.float64]:
    """Returns `values` as a finite float array (A,) with at least one entry.

    Raises:
        TypeError: The entries are not numbers.
        ValueError: The shape is another, or an entry is not finite.
    """
    vector = array(name, values)
    if vector.ndim != 1 or not vector.size:
        raise ValueError(f"{name} must have shape (A,) with A >= 1, got {vector.shape}")
    if not np.isfinite(vector).all():
        place = int(np.flatnonzero(~np.isfinite(vector))[0])
        raise ValueError(f"{name} must be finite, got {vector[place]} at entry {place}")
    return vector
