"""The environment with a vector for a reward: MO-Gymnasium's convention, without needing it.

Shapes: K objectives, W states of the world, A actions.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

import numpy as np
from gymnasium import spaces
from numpy.typing import ArrayLike, NDArray

from cliffgym.checks import listing
from cliffgym.envs.env import CliffEnv
from cliffgym.rewards import Weighting
from cliffgym.solvers.pareto import objective_factors, pareto_front
from cliffgym.trace_scenario import Scenario


class CliffMOEnv(CliffEnv):
    """A scenario whose steps pay a vector, one entry for each objective; more is better in all of them.

    `gym.make("mo-Cliff-Slacker-v0")` and `mo_gymnasium.make("cliffgym:mo-Cliff-Slacker-v0")` make one. MO-Gymnasium's
    wrappers go around it: `LinearReward(env, weight)` weighs the vector into a number. `reward`, `reward_name` and `P`
    are about the incomplete reward, which is not what `step` pays here.

    Args:
        scenario: A registered id, or a Scenario of your own.
        objectives: Components by name with the factors that they are paid with, such as `{"correct": 1, "length": -1}`,
            or names alone, which stand for factors of 1. Default: `scenario.objectives`.
        oracle: As for `CliffEnv`.
        observation: As for `CliffEnv`.
        render_mode: As for `CliffEnv`; what it shows as paid is the incomplete reward.
        parameters: The scenario's own keyword arguments.

    Attributes:
        objectives: The factor of each objective by its name, in the order of the vector.
        reward_space: `Box` (K,) float64: the least and the most that one step pays, 0 among them.

    Raises:
        ValueError: As `CliffEnv`, or an objective is no component, or there is none.
        TypeError: As `CliffEnv`, or a `reward` is given.

    >>> env = CliffMOEnv("Cliff-LengthPenalty-v0")
    >>> _ = env.reset(seed=0, options={"prompt": 0})
    >>> _ = env.step(0)
    >>> list(env.objectives), env.step(1)[1]  # one thought was enough
    (['correct', 'length'], array([ 1., -1.]))
    """

    def __init__(
        self,
        scenario: str | Scenario,
        objectives: Mapping[str, float] | Sequence[str] | None = None,
        *,
        oracle: bool = True,
        observation: str = "state",
        render_mode: str | None = None,
        **parameters: Any,
    ) -> None:
        if "reward" in parameters:
            raise TypeError(
                f"reward must not be given where a vector is paid: choose objectives, got {parameters['reward']!r}"
            )
        super().__init__(scenario, oracle=oracle, observation=observation, render_mode=render_mode, **parameters)
        parts = self.scenario.realised_components
        self.objectives = objective_factors(parts, self.scenario.objectives if objectives is None else objectives)
        table = np.stack([factor * parts[name] for name, factor in self.objectives.items()], axis=-1)
        table += 0.0  # -1 · 0 is 0
        paying = table[~self._world.terminal]
        self._vectors: NDArray[np.float64] = table
        # 0 is paid where a vector environment only begins anew.
        low, high = paying.min(axis=(0, 1), initial=0.0), paying.max(axis=(0, 1), initial=0.0)
        self.reward_space = spaces.Box(low, high, dtype=np.float64)

    def set_reward(self, reward: str | Weighting | ArrayLike) -> None:
        """Refused, also as an option of `reset`: what is paid is the vector.

        Raises:
            ValueError: Always, once the environment is made.
        """
        if hasattr(self, "reward_space"):
            raise ValueError(
                f"reward must not be set where a vector is paid ({listing(self.objectives)}), got {reward!r}"
            )
        super().set_reward(reward)

    def step(self, action: int | np.integer[Any]) -> tuple[Any, Any, bool, bool, dict[str, Any]]:
        """As that of `CliffEnv`, but the reward is a new array (K,)."""
        place = self._place
        observation, _, terminated, truncated, info = super().step(action)
        state = place.state  # type: ignore[union-attr]  # there was a place, or the step would have been refused
        return observation, self._vectors[state, int(action)].copy(), terminated, truncated, info

    def pareto_front(self, gamma: float | None = None) -> list[NDArray[np.float64]]:
        """The undominated expected returns (K,) of deterministic policies, as MO-Gymnasium's environments give them.

        Args:
            gamma: Discount; default the scenario's.

        Raises:
            ValueError: As `cliffgym.pareto_front`.
        """
        mdp = self.mdp if gamma is None else dataclasses.replace(self.mdp, gamma=gamma)
        return list(pareto_front(mdp, self.scenario.components, self.objectives).values)


def refuse_vector_env(**_: Any) -> NoReturn:
    """Says how several copies are made, to whoever asks `gym.make_vec` for them.

    Raises:
        ValueError: Always.
    """
    raise ValueError(
        "gym.make_vec must not be asked for environments that pay vectors, got a mo- id: use "
        "mo_gymnasium.wrappers.vector.MOSyncVectorEnv, or CliffVectorEnv, whose rollouts give all components"
    )
