"""An actor-critic policy for SB3 that knows the states are few: logits and values by state, looked up.

A network that is shown one-hot states computes the same S rows again and again, for each of thousands of samples. Here
the S rows are parameters themselves, or are computed by the network once, and gathered.

Shapes: N samples, S states, A actions.
"""

from collections.abc import Callable
from typing import Any, ClassVar

import torch
from gymnasium import spaces
from stable_baselines3.common.distributions import CategoricalDistribution, Distribution
from stable_baselines3.common.policies import ActorCriticPolicy, BasePolicy
from stable_baselines3.common.torch_layers import MlpExtractor
from torch import nn

from cliffgym.checks import flag, listing

OF_OPTIMIZER = ("optimizer_class", "optimizer_kwargs")
"""The arguments of SB3's policies that mean something without a network."""


class TabularActorCritic(BasePolicy):
    """What tabular policies share; the class of SB3's that they also derive from makes the network, if there is one.

    Args:
        observation_space: `Discrete(S)`.
        action_space: `Discrete(A)`.
        lr_schedule: Learning rate by the share of training that remains.
        network: As for `TabularPolicy`.
        arguments: Those of SB3's policy; without a network only those of `table_arguments`.

    Raises:
        TypeError, ValueError: As `TabularPolicy`.
    """

    table_arguments: ClassVar[tuple[str, ...]] = OF_OPTIMIZER
    share_features_extractor: bool
    mlp_extractor: MlpExtractor
    action_net: nn.Module
    value_net: nn.Module

    def __init__(
        self,
        observation_space: spaces.Space[Any],
        action_space: spaces.Space[Any],
        lr_schedule: Callable[[float], float],
        *,
        network: bool = False,
        **arguments: Any,
    ) -> None:
        kind = type(self).__name__
        self.num_states, self.num_actions = table_shape(kind, observation_space, action_space)
        self.network = flag("network", network)
        if not self.network:
            check_arguments(f"{kind} without network", arguments, self.table_arguments)
        super().__init__(observation_space, action_space, lr_schedule, **arguments)

    def _build(self, lr_schedule: Callable[[float], float]) -> None:
        if self.network:
            super()._build(lr_schedule)  # type: ignore[misc]  # SB3's policies have it, if not their common base
            return
        self.logits = nn.Parameter(torch.zeros(self.num_states, self.num_actions))
        self.values = nn.Parameter(torch.zeros(self.num_states))
        self.optimizer = self.optimizer_class(self.parameters(), lr=lr_schedule(1), **self.optimizer_kwargs)  # type: ignore[call-arg]

    def _get_constructor_parameters(self) -> dict[str, Any]:
        """The arguments that a saved policy is made again with."""
        arguments = super()._get_constructor_parameters() | {"network": self.network}
        if self.network:
            return arguments | {"share_features_extractor": self.share_features_extractor}  # SB3 forgets it
        own = ("observation_space", "action_space", "lr_schedule", "network", *self.table_arguments)
        return {name: arguments[name] for name in own}

    def tables(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Logarithms of the probabilities (S, A), before any masks, and the values (S,)."""
        logits, values = self._all_rows()
        return logits.log_softmax(dim=1), values

    def predict_values(self, obs: Any) -> torch.Tensor:
        """Values (N, 1) of observed states."""
        _, values, places = self._rows_for(state_numbers(obs))
        return values.index_select(0, places)[:, None]

    def _all_rows(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Logits (S, A) and values (S,)."""
        if not self.network:
            return self.logits, self.values
        features: Any = self.extract_features(torch.arange(self.num_states, device=self.device))  # type: ignore[call-arg]
        if self.share_features_extractor:
            actor, critic = self.mlp_extractor(features)
        else:
            actor = self.mlp_extractor.forward_actor(features[0])
            critic = self.mlp_extractor.forward_critic(features[1])
        return self.action_net(actor), self.value_net(critic).flatten()

    def _rows_for(self, states: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Logits and values of which the rows of `states` (N,) are asked for, and where: only they, if they are few."""
        if self.network or states.numel() >= self.num_states:
            return *self._all_rows(), states
        places = torch.arange(states.numel(), device=states.device)
        return self.logits.index_select(0, states), self.values.index_select(0, states), places


class TabularPolicy(TabularActorCritic, ActorCriticPolicy):
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

    >>> from cliffgym import CliffEnv
    >>> from stable_baselines3 import PPO
    >>> model = PPO(TabularPolicy, CliffEnv("Cliff-Slacker-v0"), learning_rate=0.05, device="cpu")
    >>> log_probabilities, values = model.policy.tables()
    >>> tuple(log_probabilities.shape), tuple(values.shape)
    ((41, 5), (41,))
    >>> [round(probability, 3) for probability in log_probabilities[0].exp().tolist()]
    [0.2, 0.2, 0.2, 0.2, 0.2]
    """

    table_arguments = ("use_sde", *OF_OPTIMIZER)  # SB3 passes the first whatever it is

    def forward(
        self, obs: torch.Tensor, deterministic: bool = False
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Actions (N,), values (N, 1) and log-probabilities (N,) for observed states."""
        log_probabilities, values, places = self._tables_for(obs)
        distribution = self._distribution(log_probabilities, places)
        actions = distribution.get_actions(deterministic=deterministic)
        return actions, values.index_select(0, places)[:, None], distribution.log_prob(actions)

    def evaluate_actions(  # type: ignore[override]
        self, obs: torch.Tensor, actions: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Values (N, 1), log-probabilities (N,) of actions (N,), and entropies (N,) for observed states."""
        log_probabilities, values, places = self._tables_for(obs)
        taken = log_probabilities[places, actions.long().flatten()]
        # A probability that has become 0 may have an infinite logarithm, and adds nothing to the entropy.
        finite = log_probabilities.clamp(min=torch.finfo(log_probabilities.dtype).min)
        entropies = -(log_probabilities.exp() * finite).sum(dim=1)
        return values.index_select(0, places)[:, None], taken, entropies.index_select(0, places)

    def get_distribution(self, obs: torch.Tensor) -> Distribution:  # type: ignore[override]
        """The distribution of actions for observed states."""
        log_probabilities, _, places = self._tables_for(obs)
        return self._distribution(log_probabilities, places)

    def _tables_for(self, obs: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Log-probabilities, values, and which rows of both are those of observed states (N,)."""
        logits, values, places = self._rows_for(state_numbers(obs))
        return logits.log_softmax(dim=1), values, places

    def _distribution(self, log_probabilities: torch.Tensor, places: torch.Tensor) -> Distribution:
        rows = log_probabilities.index_select(0, places)
        return CategoricalDistribution(self.num_actions).proba_distribution(action_logits=rows)


def table_shape(kind: str, observation_space: spaces.Space[Any], action_space: spaces.Space[Any]) -> tuple[int, int]:
    """S and A, of spaces that a table can be looked up by.

    Raises:
        TypeError: A space is not Discrete.
        ValueError: It does not begin at 0.
    """
    for name, space in (("observation_space", observation_space), ("action_space", action_space)):
        if not isinstance(space, spaces.Discrete):
            raise TypeError(f"{name} of a {kind} must be Discrete, got {space}")
        if space.start != 0:
            raise ValueError(f"{name} of a {kind} must begin at 0, got {space}")
    return int(observation_space.n), int(action_space.n)  # type: ignore[attr-defined]


def check_arguments(kind: str, arguments: dict[str, Any], known: tuple[str, ...]) -> None:
    """Refuses arguments that mean nothing for a table.

    Raises:
        TypeError: There is one that is not known.
    """
    for name in arguments:
        if name not in known:
            raise TypeError(f"argument of a {kind} must be one of {listing(known)}, got {name!r}")


def state_numbers(obs: torch.Tensor) -> torch.Tensor:
    """(N,) the numbers of observed states, of shape (N,) or (N, 1)."""
    return obs.long().flatten()
