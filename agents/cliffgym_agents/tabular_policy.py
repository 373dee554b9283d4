"""An actor-critic policy for SB3 that knows the states are few: logits and values by state, looked up.

A network that is shown one-hot states computes the same S rows again and again, for each of thousands of samples. Here
the S rows are parameters themselves, or are computed by the network once, and gathered.

Shapes: N samples, S states, A actions.
"""

from collections.abc import Callable
from typing import Any

import torch
from gymnasium import spaces
from stable_baselines3.common.distributions import CategoricalDistribution, Distribution
from stable_baselines3.common.policies import ActorCriticPolicy
from torch import nn

from cliffgym.checks import flag, listing

_OF_TABLES = ("use_sde", "optimizer_class", "optimizer_kwargs")
"""The arguments of SB3's policy that mean something without a network; SB3 passes the first whatever it is."""


class TabularPolicy(ActorCriticPolicy):
    """The policy of PPO or A2C for environments whose observation is a state's number.

    `PPO(TabularPolicy, env, learning_rate=0.05)`; a table wants a larger learning rate than a network does.

    Args:
        observation_space: `Discrete(S)`.
        action_space: `Discrete(A)`.
        lr_schedule: Learning rate by the share of training that remains.
        network: False: S·A logits and S values are the parameters, 0 at first, so that the first policy is uniform.
            True: SB3's network on one-hot states, evaluated once over all S states. It pays where batches are larger
            than S.
        arguments: Those of SB3's `ActorCriticPolicy`; without a network only the optimiser's.

    Raises:
        TypeError: A space is not Discrete, or an argument is one of networks and `network` is False.
        ValueError: A space does not begin at 0.
    """

    def __init__(
        self,
        observation_space: spaces.Space[Any],
        action_space: spaces.Space[Any],
        lr_schedule: Callable[[float], float],
        *,
        network: bool = False,
        **arguments: Any,
    ) -> None:
        for name, space in (("observation_space", observation_space), ("action_space", action_space)):
            if not isinstance(space, spaces.Discrete):
                raise TypeError(f"{name} of a TabularPolicy must be Discrete, got {space}")
            if space.start != 0:
                raise ValueError(f"{name} of a TabularPolicy must begin at 0, got {space}")
        self.num_states, self.num_actions = int(observation_space.n), int(action_space.n)  # type: ignore[attr-defined]
        self.network = flag("network", network)
        for name in arguments:
            if not self.network and name not in _OF_TABLES:
                raise TypeError(
                    f"argument of a TabularPolicy without network must be one of {listing(_OF_TABLES)}, got {name!r}"
                )
        super().__init__(observation_space, action_space, lr_schedule, **arguments)

    def _build(self, lr_schedule: Callable[[float], float]) -> None:
        if self.network:
            super()._build(lr_schedule)
            return
        self.logits = nn.Parameter(torch.zeros(self.num_states, self.num_actions))
        self.values = nn.Parameter(torch.zeros(self.num_states))
        self.optimizer = self.optimizer_class(self.parameters(), lr=lr_schedule(1), **self.optimizer_kwargs)  # type: ignore[call-arg]

    def _get_constructor_parameters(self) -> dict[str, Any]:
        """The arguments that a saved policy is made again with."""
        arguments = super()._get_constructor_parameters() | {"network": self.network}
        if self.network:
            return arguments | {"share_features_extractor": self.share_features_extractor}  # SB3 forgets it
        own = ("observation_space", "action_space", "lr_schedule", "network", *_OF_TABLES)
        return {name: arguments[name] for name in own}

    def tables(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Logarithms of the probabilities (S, A), and the values (S,)."""
        if not self.network:
            return self.logits.log_softmax(dim=1), self.values
        features = self.extract_features(torch.arange(self.num_states, device=self.device))
        if self.share_features_extractor:
            actor, critic = self.mlp_extractor(features)
        else:
            actor = self.mlp_extractor.forward_actor(features[0])
            critic = self.mlp_extractor.forward_critic(features[1])
        return self.action_net(actor).log_softmax(dim=1), self.value_net(critic).flatten()

    def forward(
        self, obs: torch.Tensor, deterministic: bool = False
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Actions (N,), values (N, 1) and log-probabilities (N,) for observed states."""
        log_probabilities, values, states = self._tables_for(_states(obs))
        distribution = self._distribution(log_probabilities, states)
        actions = distribution.get_actions(deterministic=deterministic)
        return actions, values.index_select(0, states)[:, None], distribution.log_prob(actions)

    def evaluate_actions(  # type: ignore[override]
        self, obs: torch.Tensor, actions: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Values (N, 1), log-probabilities (N,) of actions (N,), and entropies (N,) for observed states."""
        log_probabilities, values, states = self._tables_for(_states(obs))
        taken = log_probabilities[states, actions.long().flatten()]
        # A probability that has become 0 may have an infinite logarithm, and adds nothing to the entropy.
        finite = log_probabilities.clamp(min=torch.finfo(log_probabilities.dtype).min)
        entropies = -(log_probabilities.exp() * finite).sum(dim=1)
        return values.index_select(0, states)[:, None], taken, entropies.index_select(0, states)

    def get_distribution(self, obs: torch.Tensor) -> Distribution:  # type: ignore[override]
        """The distribution of actions for observed states."""
        log_probabilities, _, states = self._tables_for(_states(obs))
        return self._distribution(log_probabilities, states)

    def predict_values(self, obs: torch.Tensor) -> torch.Tensor:  # type: ignore[override]
        """Values (N, 1) of observed states."""
        _, values, states = self._tables_for(_states(obs))
        return values.index_select(0, states)[:, None]

    def _tables_for(self, states: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Tables of which the rows of `states` (N,) are asked for, and where those are: only they, if they are few."""
        if self.network or states.numel() >= self.num_states:
            return *self.tables(), states
        rows = self.logits.index_select(0, states).log_softmax(dim=1)
        return rows, self.values.index_select(0, states), torch.arange(states.numel(), device=states.device)

    def _distribution(self, log_probabilities: torch.Tensor, states: torch.Tensor) -> Distribution:
        rows = log_probabilities.index_select(0, states)
        return CategoricalDistribution(self.num_actions).proba_distribution(action_logits=rows)


def _states(obs: torch.Tensor) -> torch.Tensor:
    """(N,) the numbers of observed states, of shape (N,) or (N, 1)."""
    return obs.long().flatten()
