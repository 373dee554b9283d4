"""How a state looks to the agent: its number, one-hot, or the prompt and the tokens emitted so far.

Shapes: S states, A tokens, N prompts, T the longest trace in tokens.
"""

from typing import Any, Protocol

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from cliffgym.checks import choice
from cliffgym.trace_scenario import Scenario


class Observation(Protocol):
    """One way of looking at states."""

    space: spaces.Space[Any]

    def observe(self, state: int) -> Any:
        """A new observation of `state`."""
        ...

    def observe_all(self, states: NDArray[np.intp]) -> NDArray[Any]:
        """(N, ...) new observations of states (N,), stacked."""
        ...

    def table(self) -> NDArray[Any]:
        """(S, ...) the observations of all states, stacked."""
        ...


class StateObservation:
    """`Discrete(S)`: the state's number."""

    def __init__(self, scenario: Scenario) -> None:
        self.num_states = scenario.mdp.num_states
        self.space = spaces.Discrete(self.num_states)

    def observe(self, state: int) -> int:
        """The state itself."""
        return state

    def observe_all(self, states: NDArray[np.intp]) -> NDArray[np.intp]:
        """(N,) a copy."""
        return states.copy()

    def table(self) -> NDArray[np.intp]:
        """(S,) the numbers 0..S-1."""
        return np.arange(self.num_states)


class OneHotObservation:
    """`Box(0, 1, (S,), float32)`: 1 at the state's number, 0 elsewhere."""

    def __init__(self, scenario: Scenario) -> None:
        self.num_states = scenario.mdp.num_states
        self.space = spaces.Box(0.0, 1.0, (self.num_states,), np.float32)

    def observe(self, state: int) -> NDArray[np.float32]:
        """(S,) a new one-hot row."""
        row = np.zeros(self.num_states, dtype=np.float32)
        row[state] = 1.0
        return row

    def observe_all(self, states: NDArray[np.intp]) -> NDArray[np.float32]:
        """(N, S) new one-hot rows."""
        rows = np.zeros((states.size, self.num_states), dtype=np.float32)
        rows[np.arange(states.size), states] = 1.0
        return rows

    def table(self) -> NDArray[np.float32]:
        """(S, S) the identity."""
        return np.eye(self.num_states, dtype=np.float32)


class TokensObservation:
    """`MultiDiscrete` of the prompt (N means malformed) and T tokens (0 means none yet, a + 1 means token a)."""

    def __init__(self, scenario: Scenario) -> None:
        malformed = scenario.state_prompts < 0
        num_prompts = len(scenario.prompts)
        prompts = np.where(malformed, num_prompts, scenario.state_prompts)
        self.rows = np.column_stack([prompts, scenario.state_tokens + 1])
        token_values = [len(scenario.tokens) + 1] * scenario.state_tokens.shape[1]
        self.space = spaces.MultiDiscrete([num_prompts + int(malformed.any()), *token_values])

    def observe(self, state: int) -> NDArray[np.int64]:
        """(1 + T,) a new row."""
        return self.rows[state].copy()

    def observe_all(self, states: NDArray[np.intp]) -> NDArray[np.int64]:
        """(N, 1 + T) new rows."""
        return self.rows[states]

    def table(self) -> NDArray[np.int64]:
        """(S, 1 + T) all rows."""
        return self.rows.copy()


OBSERVATIONS = {"state": StateObservation, "onehot": OneHotObservation, "tokens": TokensObservation}
"""How a state can be observed, by the names that `observation` takes."""


def make_observation(scenario: Scenario, kind: str) -> Observation:
    """Builds one of `OBSERVATIONS`.

    Raises:
        ValueError: There is no such kind, or it is "tokens" and tokens do not tell the scenario's states apart.
    """
    told_apart = scenario.state_tokens.shape[1] > 0 or np.unique(scenario.state_prompts).size == scenario.mdp.num_states
    kinds = OBSERVATIONS if told_apart else {name: OBSERVATIONS[name] for name in ("state", "onehot")}
    return kinds[choice("observation", kind, kinds, place=scenario.id)](scenario)
