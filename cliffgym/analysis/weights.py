"""Lines and planes of rewards in a scenario's own words: one component's weight moves, the others stay.

The rest of the analysis knows tables only. This module turns names into tables, for anything that has the parts of a
`Scenario` named in `Weighted`.
"""

from collections.abc import Mapping
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from cliffgym.analysis.line import Line, trace_line
from cliffgym.checks import choice
from cliffgym.mdp import TabularMDP
from cliffgym.rewards import RewardComponents, Weighting
from cliffgym.solvers import TIE_TOLERANCE


class Weighted(Protocol):
    """An MDP whose rewards, `incomplete` and `true` among them, are weightings of components; a `Scenario` is one."""

    @property
    def id(self) -> str:
        """What to call it in messages."""
        ...

    @property
    def mdp(self) -> TabularMDP:
        """The dynamics."""
        ...

    @property
    def components(self) -> RewardComponents:
        """Named tables (K, S, A)."""
        ...

    @property
    def rewards(self) -> Mapping[str, Mapping[str, float]]:
        """Weights of components by reward name."""
        ...


def trace_weights(
    scenario: Weighted,
    component: str | Weighting,
    start: float,
    stop: float,
    reward: str | Weighting = "true",
    *,
    reachable_only: bool = True,
    tie_tolerance: float = TIE_TOLERANCE,
) -> Line:
    """Finds every cliff of a named reward as one component's weight moves from `start` to `stop`.

    Args:
        scenario: The scenario.
        component: The component whose weight moves; or several, each with its rate, such as `{"safety_score": 1,
            "general_score": -1}` to move weight from the second to the first.
        start: Its first weight; of several, the first of the numbers t that their rates are multiplied by.
        stop: Its last weight.
        reward: A reward's name, or weights. One component's own weight in it is ignored; to weights of several, t times
            their rates is added.
        reachable_only: As in `trace_line`; here, by default, only behaviour counts.
        tie_tolerance: As in `optimal`.

    Returns:
        The line; positions are weights of the component (or t). Segments and jumps report every component, and the
        returns `incomplete_return` and `true_return` under the scenario's own two rewards.

    Raises:
        ValueError: An unknown component or reward; start >= stop; or what moves is zero everywhere.

    >>> import cliffgym
    >>> line = trace_weights(cliffgym.scenario("Cliff-Sophistry-v0"), "fooled", 0, 1, reward="incomplete")
    >>> [round(point.position, 12) for point in line.breakpoints]
    [0.25, 0.666666666667, 0.875]
    >>> models = cliffgym.scenario("Cliff-MultiReward-v0")  # from the general model to the safety model
    >>> rates = {"safety_score": 1, "general_score": -1}
    >>> line = trace_weights(models, rates, 0, 1, reward={"general_score": 1})
    >>> [round(point.position, 12) for point in line.breakpoints]
    [0.333333333333, 0.75]
    """
    base, direction = weight_line(scenario, component, reward)
    return trace_line(
        scenario.mdp,
        base,
        direction,
        start,
        stop,
        components=with_returns(scenario),
        reachable_only=reachable_only,
        tie_tolerance=tie_tolerance,
    )


def weight_line(
    scenario: Weighted, component: str | Weighting, reward: str | Weighting
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The tables R0 and D, (S, A), of the line R0 + t D that `trace_weights` follows.

    Raises:
        ValueError: An unknown component or reward.
    """
    if isinstance(component, str):
        base, direction = split_reward(scenario, reward, component)
        return base, direction
    (base,) = split_reward(scenario, reward)
    return base, scenario.components.combine(component)


def split_reward(scenario: Weighted, reward: str | Weighting, *moving: str) -> tuple[NDArray[np.float64], ...]:
    """The table (S, A) of a reward without the moving components, and the table of each of those.

    Raises:
        ValueError: An unknown component or reward.
    """
    weights = reward
    if isinstance(weights, str):
        weights = scenario.rewards[choice("reward", weights, scenario.rewards, place=scenario.id)]
    tables = tuple(scenario.components[component] for component in moving)
    return (scenario.components.combine({k: w for k, w in weights.items() if k not in moving}), *tables)


def with_returns(scenario: Weighted) -> RewardComponents:
    """The scenario's components, and its incomplete and true rewards as two more: measures of every policy."""
    names = (*scenario.components.names, "incomplete_return", "true_return")
    tables = [
        scenario.components.table,
        *(scenario.components.combine(scenario.rewards[name])[None] for name in ("incomplete", "true")),
    ]
    return RewardComponents(names, np.concatenate(tables))
