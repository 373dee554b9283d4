"""What the page shows first of each scenario, and which of its sizes it carries.

A scenario that is not named here has its default size alone, and a view made from its rewards.
"""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from cliffgym.trace_scenario import Scenario

RETURNS = ("incomplete_return", "true_return")
"""The measures that every scenario has beside its components."""


@dataclass(frozen=True)
class View:
    """How a scenario is first shown.

    Attributes:
        reward: The named reward whose weights are set.
        component: The weight on the line's axis.
        line: First and last weight of the line.
        measure: What is drawn over it: a component, `incomplete_return` or `true_return`.
        plane: The two weights of the phase plane, x and y.
        x: First and last weight of x.
        y: First and last weight of y.
        sizes: Values of arguments of which the page carries every combination, the default's among them.

    >>> view = View(
    ...     reward="process",
    ...     component="step_score",
    ...     line=(0, 1),
    ...     measure="faithful",
    ...     plane=("step_score", "faithful"),
    ...     x=(0, 1),
    ...     y=(0, 1),
    ...     sizes={"steps": (3, 2), "fooled_share": (0.8, 1.0)},
    ... )
    >>> view.variants()[1]  # of SpuriousReasoning
    {'steps': 3, 'fooled_share': 1.0}
    """

    reward: str
    component: str
    line: tuple[float, float]
    measure: str
    plane: tuple[str, str]
    x: tuple[float, float]
    y: tuple[float, float]
    sizes: Mapping[str, Sequence[Any]] = field(default_factory=dict)

    def variants(self) -> list[dict[str, Any]]:
        """The arguments of every combination of sizes, the first of each argument first."""
        return [dict(zip(self.sizes, values, strict=True)) for values in itertools.product(*self.sizes.values())]


VIEWS: Mapping[str, View] = {
    "Cliff-Slacker-v0": View(
        reward="incomplete",
        component="instructions",
        line=(-0.5, 0.5),
        measure="instructions",
        plane=("instructions", "effort"),
        x=(-1, 1),
        y=(-1, 1),
        sizes={"problems": (4, 1, 8), "instructions": (2, 1, 3)},
    ),
    "Cliff-TieBreaker-v0": View(
        reward="true",
        component="target_format",
        line=(-0.2, 0.2),
        measure="target_format",
        plane=("correct", "target_format"),
        x=(-1, 1),
        y=(-1, 1),
        sizes={
            "answers": (3, 2),
            "formats": (
                ("plain", "markdown", "json", "latex"),
                ("plain", "json"),
                ("plain", "markdown", "json", "latex", "html", "yaml", "csv", "xml"),
            ),
        },
    ),
    "Cliff-LengthPenalty-v0": View(
        reward="true",
        component="length",
        line=(-1.2, 0.2),
        measure="correct",
        plane=("length", "correct"),
        x=(-1, 0.5),
        y=(-0.5, 1.5),
        sizes={"max_length": (8, 4, 16), "hidden_difficulty": (False, True)},
    ),
    "Cliff-LengthControl-v0": View(
        reward="true",
        component="deviation",
        line=(-1.2, 0.2),
        measure="deviation",
        plane=("deviation", "length"),
        x=(-1, 0.5),
        y=(-1, 1),
        sizes={"targets": ((2, 4, 8), (4,)), "max_length": (8, 12)},
    ),
    "Cliff-Sophistry-v0": View(
        reward="incomplete",
        component="fooled",
        line=(0, 1),
        measure="correct",
        plane=("fooled", "correct"),
        x=(-0.5, 1.5),
        y=(-0.5, 1.5),
        sizes={"length": (4, 1, 2, 6)},
    ),
    "Cliff-SpuriousReasoning-v0": View(
        reward="process",
        component="step_score",
        line=(-0.2, 0.4),
        measure="faithful",
        plane=("step_score", "faithful"),
        x=(-0.5, 0.5),
        y=(-0.5, 0.5),
        sizes={"steps": (3, 2, 4), "fooled_share": (0.8, 0.0, 1.0)},
    ),
    "Cliff-Deception-v0": View(
        reward="weak",
        component="flagged",
        line=(-0.1, 0),
        measure="hidden",
        plane=("tampered", "flagged"),
        x=(-1, 0.2),
        y=(-0.1, 0.02),
        sizes={"hiding_cost": (0.03, 0.0, 0.2), "hidden_detection": (0.02, 0.5)},
    ),
    "Cliff-Obedience-v0": View(
        reward="true",
        component="soft",
        line=(-0.5, 2.5),
        measure="correct",
        plane=("soft", "hard"),
        x=(-0.5, 2.5),
        y=(-0.5, 2.5),
        sizes={"budget": (6, 7, 8), "instructions": (2, 1)},
    ),
    "Cliff-MultiReward-v0": View(
        reward="incomplete",
        component="safety_score",
        line=(-1, 1),
        measure="safety_score",
        plane=("safety_score", "general_score"),
        x=(-1, 1),
        y=(-1, 1),
        sizes={
            "mixture": ((0.5, 0.25, 0.25), (0.49, 0.26, 0.25), (0.51, 0.24, 0.25), (0.2, 0.2, 0.6)),
            "curated": (False, True),
        },
    ),
    "Cliff-Garnet-v0": View(
        reward="incomplete",
        component="component_1",
        line=(-1, 1),
        measure="component_1",
        plane=("component_0", "component_1"),
        x=(-1, 1),
        y=(-1, 1),
        sizes={"states": (100, 20), "ties": (0.1, 0.0, 0.5), "seed": (0, 1)},
    ),
}
"""By id. Budgets and lengths are those that keep the page small."""


def view_of(scenario: Scenario) -> View:
    """The view of a scenario as it is, without sizes: its id's, or one made from its rewards."""
    named = VIEWS.get(scenario.id)
    if named is None or named.reward not in scenario.rewards:
        return _view_of_rewards(scenario)
    suits = {named.component, named.measure, *named.plane} <= {*scenario.components.names, *RETURNS}
    return replace(named, sizes={}) if suits else _view_of_rewards(scenario)


def _view_of_rewards(scenario: Scenario) -> View:
    """The first components that the true reward weighs, or any."""
    names = scenario.components.names
    weighed = [name for name, weight in scenario.rewards["true"].items() if weight]
    first = [*weighed, *(name for name in names if name not in weighed)]
    moving = first[1] if len(weighed) > 1 else first[0]
    other = next((name for name in first if name != moving), moving)
    span = (-1.0, 1.0)
    return View("incomplete", moving, span, moving, (moving, other), span, span)
