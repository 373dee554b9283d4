"""Arguments that the environments share."""

from collections.abc import Collection, Mapping
from typing import Any

from cliffgym.checks import listing
from cliffgym.scenarios import parameter_names
from cliffgym.scenarios import scenario as make_scenario
from cliffgym.trace_scenario import Scenario


def find_scenario(scenario: str | Scenario, parameters: Mapping[str, Any], keywords: Collection[str]) -> Scenario:
    """The scenario that an environment is made for.

    Args:
        scenario: A registered id, or a Scenario, which is returned.
        parameters: Keyword arguments for the scenario.
        keywords: Those of the environment itself, for the message.

    Raises:
        ValueError: An unknown id, or a bad value.
        TypeError: An unknown keyword argument, one of the wrong type, or any for a Scenario.
    """
    if isinstance(scenario, Scenario):
        if parameters:
            raise TypeError(f"a Scenario object takes no further keyword arguments, got {listing(parameters)}")
        return scenario
    known = parameter_names(scenario)
    for name in parameters:
        if name not in known:
            raise TypeError(
                f"keyword argument of {scenario} must be one of {listing((*keywords, *known))}, got {name!r}"
            )
    return make_scenario(scenario, **parameters)
