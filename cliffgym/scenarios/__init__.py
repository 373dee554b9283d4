"""The scenarios, and the one registry from which environment ids, documentation and tests are made.

A scenario is one file here: a function with keyword arguments that builds it, whose docstring is its page. Adding it to
`SCENARIOS` is all it takes to register the environment.
"""

import dataclasses
import inspect
from collections.abc import Callable, Mapping
from typing import Any

from cliffgym.checks import choice, listing
from cliffgym.scenarios.deception import deception
from cliffgym.scenarios.garnet import garnet
from cliffgym.scenarios.length_penalty import length_control, length_penalty
from cliffgym.scenarios.multi_reward import multi_reward
from cliffgym.scenarios.obedience import obedience
from cliffgym.scenarios.slacker import slacker
from cliffgym.scenarios.sophistry import sophistry
from cliffgym.scenarios.spurious_reasoning import spurious_reasoning
from cliffgym.scenarios.tie_breaker import tie_breaker
from cliffgym.trace_scenario import Scenario

SCENARIOS: Mapping[str, Callable[..., Scenario]] = {
    "Cliff-Slacker-v0": slacker,
    "Cliff-TieBreaker-v0": tie_breaker,
    "Cliff-LengthPenalty-v0": length_penalty,
    "Cliff-LengthControl-v0": length_control,
    "Cliff-Sophistry-v0": sophistry,
    "Cliff-SpuriousReasoning-v0": spurious_reasoning,
    "Cliff-Deception-v0": deception,
    "Cliff-Obedience-v0": obedience,
    "Cliff-MultiReward-v0": multi_reward,
    "Cliff-Garnet-v0": garnet,
}
"""Every scenario by its id: a function with keyword arguments that builds it, and whose docstring is its page."""


def scenario(id: str, /, **parameters: Any) -> Scenario:
    """Builds a registered scenario, without an environment around it.

    Args:
        id: One of `SCENARIOS`, with or without the prefix "cliffgym:".
        parameters: The scenario's own keyword arguments; `help(cliffgym.SCENARIOS[id])` is its page.

    Raises:
        ValueError: The id is unknown, or an argument has a bad value.
        TypeError: The scenario has no such argument, or one has the wrong type.

    >>> scenario("Cliff-Slacker-v0", problems=2).rewards["true"]
    {'correct': 1.0, 'instructions': 1.0}
    """
    id = id.removeprefix("cliffgym:") if isinstance(id, str) else id
    known = parameter_names(id)
    for name in parameters:
        if name not in known:
            raise TypeError(f"keyword argument of {id} must be one of {listing(known)}, got {name!r}")
    build = SCENARIOS[id]
    bound = inspect.signature(build).bind(**parameters)
    bound.apply_defaults()
    return dataclasses.replace(build(**parameters), parameters=bound.arguments)


def parameter_names(id: str) -> tuple[str, ...]:
    """The keyword arguments of a registered scenario.

    Raises:
        ValueError: The id is unknown.

    >>> parameter_names("Cliff-LengthPenalty-v0")
    ('difficulties', 'max_length', 'budget', 'penalty', 'hidden_difficulty', 'gamma')
    """
    return tuple(inspect.signature(SCENARIOS[choice("id", id, SCENARIOS)]).parameters)


__all__ = [
    "SCENARIOS",
    "deception",
    "garnet",
    "length_control",
    "length_penalty",
    "multi_reward",
    "obedience",
    "parameter_names",
    "scenario",
    "slacker",
    "sophistry",
    "spurious_reasoning",
    "tie_breaker",
]
