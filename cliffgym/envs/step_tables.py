"""What a batch of environments looks up at each step, laid out for gathering.

Shapes: S states of the world, A actions, B successor slots, K components, M = 2 + K credits. The pair s · A + a is one
index.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cliffgym.envs.draws import Starts, cumulative, prompt_starts
from cliffgym.trace_scenario import Scenario

FIRST_COMPONENT = 2
"""Where the components begin among the credits, after the true and the incomplete reward."""


@dataclass(frozen=True, eq=False)
class StepTables:
    """The arrays of one scenario, as both kernels read them.

    Attributes:
        num_actions: A.
        successors: (S · A · B,) next states; the slots of a pair stand together.
        cumulative: (S · A, B) cumulative probabilities of the slots; empty (0, 1) where transitions are deterministic.
        terminal: (S,) True where the trace has ended.
        masks: (S, A) int8, 1 where the action is legal.
        credits: (M, S · A) true reward, incomplete reward, components; 0 at terminal states.
        starts: The distribution of first states.
        prompt_starts: The same given each prompt; empty unless prompts have hidden classes.
    """

    num_actions: int
    successors: NDArray[np.int64]
    cumulative: NDArray[np.float64]
    terminal: NDArray[np.bool_]
    masks: NDArray[np.int8]
    credits: NDArray[np.float64]
    starts: Starts
    prompt_starts: list[Starts]

    @property
    def is_random(self) -> bool:
        """Whether a step's outcome is drawn."""
        return len(self.cumulative) > 0


def step_tables(scenario: Scenario) -> StepTables:
    """The tables of a scenario.

    Raises:
        ValueError: A trace may start where it ends, so that an environment would never step.
    """
    mdp = scenario.world
    seen = np.arange(mdp.num_states) if scenario.hidden is None else scenario.hidden.seen.observations
    prompts = np.isin(seen, scenario.prompt_states)
    ended = np.flatnonzero(((mdp.initial > 0) | prompts) & mdp.terminal)
    if ended.size:
        raise ValueError(
            f"initial and prompt_states must start traces in states that are not terminal, got "
            f"{mdp.initial[ended[0]]} at {mdp.describe_state(ended[0])}"
        )
    S, A, B = mdp.successors.shape
    rewards = np.stack([scenario.realised_reward("true"), scenario.realised_reward("incomplete")])
    credits = np.concatenate([rewards, scenario.realised_components.table])
    credits[:, mdp.terminal] = 0  # whatever is stepped there is thrown away
    chances = np.empty((0, 1)) if B == 1 else cumulative(mdp.probabilities).reshape(S * A, B)
    return StepTables(
        num_actions=A,
        successors=mdp.successors.astype(np.int64).ravel(),
        cumulative=chances,
        terminal=mdp.terminal.copy(),
        masks=mdp.action_mask.astype(np.int8),
        credits=credits.reshape(len(credits), S * A),
        starts=Starts(mdp.initial),
        prompt_starts=prompt_starts(scenario),
    )
