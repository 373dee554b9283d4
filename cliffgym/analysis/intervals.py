"""What a reward leaves to chance, and what it gets wrong.

Several policies may be optimal for the reward that training pays. For the reward that was meant they need not be worth
the same: the interval of what they are worth is exact, since "optimal for the one" is a set of actions in each state,
and the best and worst for the other are solutions of the MDP restricted to those actions.

Shapes: S states, A actions.

Source: arXiv:2507.20150, Proposition 3.1, which the interval makes quantitative.
"""

from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cliffgym.frozen import ReadOnlyArrays
from cliffgym.mdp import TabularMDP
from cliffgym.rewards import RewardComponents, check_reward
from cliffgym.solvers import TIE_TOLERANCE, evaluate, optimal


@dataclass(frozen=True, eq=False)
class RegretInterval(ReadOnlyArrays):
    """True returns over all policies that are optimal for the training reward.

    Attributes:
        worst: The lowest true return of such a policy.
        best: The highest.
        uniform: The true return of drawing uniformly among optimal actions.
        optimum: The highest true return of any policy, J*_true.
        worst_policy: (S, A) a policy that attains `worst`.
        best_policy: (S, A) a policy that attains `best`.

    >>> import cliffgym
    >>> for id in ("Cliff-Slacker-v0", "Cliff-Sophistry-v0"):
    ...     made = cliffgym.scenario(id)
    ...     interval = regret_interval(made.mdp, made.reward("incomplete"), made.reward("true"))
    ...     print(id, round(interval.left_to_chance, 12), round(interval.misspecified, 12))
    Cliff-Slacker-v0 1.0 0.0
    Cliff-Sophistry-v0 0.0 0.4
    """

    worst: float
    best: float
    uniform: float
    optimum: float
    worst_policy: NDArray[np.float64]
    best_policy: NDArray[np.float64]

    @property
    def left_to_chance(self) -> float:
        """`best` - `worst`: what ties leave open."""
        return max(self.best - self.worst, 0.0)  # rounding can make equals differ

    @property
    def misspecified(self) -> float:
        """`optimum` - `best`: what no way of breaking ties can mend."""
        return max(self.optimum - self.best, 0.0)


def regret_interval(
    mdp: TabularMDP, train: ArrayLike, true: ArrayLike, tie_tolerance: float = TIE_TOLERANCE
) -> RegretInterval:
    """The exact interval of true returns over all policies optimal for `train`.

    Args:
        mdp: The dynamics.
        train: (S, A) the reward that training pays.
        true: (S, A) the reward that was meant.
        tie_tolerance: As in `optimal`.

    Raises:
        ValueError: As `optimal`.

    >>> import cliffgym
    >>> slacker = cliffgym.scenario("Cliff-Slacker-v0")
    >>> interval = regret_interval(slacker.mdp, slacker.reward("incomplete"), slacker.reward("true"))
    >>> interval.worst, interval.best, interval.uniform, interval.optimum
    (1.0, 2.0, 1.5, 2.0)
    """
    true = check_reward(mdp, true, "true")
    trained = optimal(mdp, check_reward(mdp, train, "train"), tie_tolerance)
    restricted = replace(mdp, action_mask=trained.optimal_actions)
    best, worst = optimal(restricted, true, tie_tolerance), optimal(restricted, -true, tie_tolerance)
    return RegretInterval(
        worst=-worst.expected_return,
        best=best.expected_return,
        uniform=evaluate(mdp, true, trained.policy).expected_return,
        optimum=optimal(mdp, true, tie_tolerance).expected_return,
        worst_policy=worst.policy,
        best_policy=best.policy,
    )


class OutcomeInterval(NamedTuple):
    """What one component may come to, in its own units.

    Attributes:
        low: The lowest expected value over all policies that are optimal for a reward.
        high: The highest.
        least: The lowest over all policies over legal actions.
        most: The highest.

    >>> import cliffgym
    >>> made = cliffgym.scenario("Cliff-LengthPenalty-v0")
    >>> length = outcome_intervals(made.mdp, made.reward("incomplete"), made.components)["length"]
    >>> length.low, length.high, length.width
    (2.5, 8.0, 5.5)
    >>> length.least, length.most, length.distance(4), length.distance(1.5)
    (0.0, 8.0, 0.0, 0.125)
    """

    low: float
    high: float
    least: float
    most: float

    @property
    def width(self) -> float:
        """`high` - `low`: what ties leave open."""
        return max(self.high - self.low, 0.0)

    def distance(self, value: float) -> float:
        """How far a value is from [low, high], as a share of all that is possible; 0 inside."""
        outside = max(self.low - value, value - self.high, 0.0)
        span = self.most - self.least
        return outside / span if span > 0 else 0.0


def outcome_intervals(
    mdp: TabularMDP, reward: ArrayLike, components: RewardComponents, tie_tolerance: float = TIE_TOLERANCE
) -> dict[str, OutcomeInterval]:
    """The exact interval of every component over all policies optimal for a reward, and over all policies.

    Where an interval is wider than rounding, ties leave that component to chance.

    Args:
        mdp: The dynamics.
        reward: (S, A) the reward that training pays.
        components: (K, S, A) named tables.
        tie_tolerance: As in `optimal`.

    Returns:
        An interval by component name.

    Raises:
        ValueError: As `optimal`.

    >>> import cliffgym
    >>> slacker = cliffgym.scenario("Cliff-Slacker-v0")
    >>> outcome_intervals(slacker.mdp, slacker.reward("incomplete"), slacker.components)["effort"]
    OutcomeInterval(low=0.0, high=2.0, least=0.0, most=2.0)
    """
    trained = optimal(mdp, check_reward(mdp, reward), tie_tolerance)
    restricted = replace(mdp, action_mask=trained.optimal_actions)
    tables = dict(zip(components.names, components.table, strict=True))
    return {
        name: OutcomeInterval(
            *(sign * optimal(m, sign * table).expected_return + 0.0 for m in (restricted, mdp) for sign in (-1, 1))
        )
        for name, table in tables.items()
    }
