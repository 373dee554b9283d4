"""A policy for SB3's DQN and for SoftDQN whose Q-values are a table, looked up by state.

SB3's network without hidden layers is no table: its biases, one for each action, are shared by all states, so that what
is learned in one state moves the Q-values of every other.

Shapes: N samples, S states, A actions.
"""

from collections.abc import Callable
from typing import Any

import torch
from gymnasium import spaces
from stable_baselines3.common.policies import BasePolicy
from stable_baselines3.dqn.policies import DQNPolicy
from torch import nn

from cliffgym_agents.tabular_policy import OF_OPTIMIZER, check_arguments, state_numbers, table_shape


class QTable(BasePolicy):
    """Q-values by state.

    Attributes:
        q_values: (S, A) the parameters, 0 at first.
    """

    def __init__(self, observation_space: spaces.Space[Any], action_space: spaces.Space[Any]) -> None:
        super().__init__(observation_space, action_space)
        self.q_values = nn.Parameter(torch.zeros(table_shape("QTable", observation_space, action_space)))

    def forward(self, obs: torch.Tensor) -> torch.Tensor:
        """Q-values (N, A) of observed states."""
        return self.q_values.index_select(0, state_numbers(obs))

    def _predict(self, observation: torch.Tensor, deterministic: bool = True) -> torch.Tensor:  # type: ignore[override]
        """Greedy actions (N,)."""
        return self(observation).argmax(dim=1)


class TabularQPolicy(DQNPolicy):
    """The policy of DQN or SoftDQN for environments whose observation is a state's number.

    `DQN(TabularQPolicy, env, learning_rate=0.05)`; a table wants a larger learning rate than a network does. A sample
    changes no row but its own state's; the momentum of SB3's default optimiser, Adam, lets rows go on in the steps that
    follow, in which they have no sample.

    Args:
        observation_space: `Discrete(S)`.
        action_space: `Discrete(A)`.
        lr_schedule: Learning rate by the share of training that remains.
        arguments: The optimiser's, as for SB3's `DQNPolicy`.

    Attributes:
        q_net: The table that is learned.
        q_net_target: The one that targets are looked up in.

    Raises:
        TypeError: A space is not Discrete, or an argument is one of networks.
        ValueError: A space does not begin at 0.

    >>> from cliffgym_agents import train
    >>> settings = {"policy": TabularQPolicy, "learning_rate": 0.05, "learning_starts": 64}
    >>> result = train("Cliff-LengthPenalty-v0", "dqn", total_timesteps=256, hyperparameters=settings)
    >>> q_values = result.model.policy.q_net.q_values.detach().numpy()
    >>> q_values.shape
    (76, 2)
    >>> set(q_values[result.scenario.mdp.terminal].ravel().tolist())  # nothing is done there, so nothing is learned
    {0.0}
    """

    q_net: QTable  # type: ignore[assignment]
    q_net_target: QTable  # type: ignore[assignment]

    def __init__(
        self,
        observation_space: spaces.Space[Any],
        action_space: spaces.Space[Any],
        lr_schedule: Callable[[float], float],
        **arguments: Any,
    ) -> None:
        table_shape("TabularQPolicy", observation_space, action_space)
        check_arguments("TabularQPolicy", arguments, OF_OPTIMIZER)
        super().__init__(observation_space, action_space, lr_schedule, **arguments)  # type: ignore[arg-type]

    def make_q_net(self) -> QTable:  # type: ignore[override]
        """A table of zeros."""
        return QTable(self.observation_space, self.action_space).to(self.device)

    def _get_constructor_parameters(self) -> dict[str, Any]:
        """The arguments that a saved policy is made again with."""
        arguments = super()._get_constructor_parameters()
        return {name: arguments[name] for name in ("observation_space", "action_space", "lr_schedule", *OF_OPTIMIZER)}
