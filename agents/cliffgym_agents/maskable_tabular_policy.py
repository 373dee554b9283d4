"""The tabular policy for sb3-contrib's MaskablePPO: logits and values by state, of which illegal actions are masked.

Shapes: N samples, S states, A actions.
"""

from typing import Any

import torch
from numpy.typing import NDArray
from sb3_contrib.common.maskable.distributions import MaskableCategoricalDistribution
from sb3_contrib.common.maskable.policies import MaskableActorCriticPolicy

from cliffgym_agents.tabular_policy import TabularActorCritic, state_numbers

Masks = NDArray[Any] | torch.Tensor | None


class MaskableTabularPolicy(TabularActorCritic, MaskableActorCriticPolicy):
    """The policy of MaskablePPO for environments whose observation is a state's number.

    `MaskablePPO(MaskableTabularPolicy, env, learning_rate=0.05)`. Which actions are legal is not part of the table:
    masks (N, A) come with each call, as MaskablePPO has it, and without them every action may be taken.

    Args:
        observation_space: `Discrete(S)`.
        action_space: `Discrete(A)`.
        lr_schedule: Learning rate by the share of training that remains.
        network: As for `TabularPolicy`.
        arguments: Those of sb3-contrib's `MaskableActorCriticPolicy`; without a network only the optimiser's.

    Raises:
        TypeError, ValueError: As `TabularPolicy`.

    >>> from cliffgym import CliffEnv
    >>> from cliffgym_agents import policy_table
    >>> from sb3_contrib import MaskablePPO
    >>> env = CliffEnv("Cliff-TieBreaker-v0")
    >>> model = MaskablePPO(MaskableTabularPolicy, env, learning_rate=0.05, device="cpu")
    >>> policy_table(model, env)[0].round(3).tolist()  # before training: three answers are legal, four formats are not
    [0.333, 0.333, 0.333, 0.0, 0.0, 0.0, 0.0]
    """

    def forward(
        self, obs: torch.Tensor, deterministic: bool = False, action_masks: Masks = None
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Actions (N,), values (N, 1) and log-probabilities (N,) for observed states."""
        distribution, values = self._look_up(obs, action_masks)
        actions = distribution.get_actions(deterministic=deterministic)
        return actions, values, distribution.log_prob(actions)

    def evaluate_actions(  # type: ignore[override]
        self, obs: torch.Tensor, actions: torch.Tensor, action_masks: Masks = None
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Values (N, 1), log-probabilities (N,) of actions (N,), and entropies (N,) for observed states."""
        distribution, values = self._look_up(obs, action_masks)
        return values, distribution.log_prob(actions.long().flatten()), distribution.entropy()

    def get_distribution(  # type: ignore[override]
        self, obs: torch.Tensor, action_masks: Masks = None
    ) -> MaskableCategoricalDistribution:
        """The distribution of actions for observed states."""
        return self._look_up(obs, action_masks)[0]

    def _look_up(self, obs: torch.Tensor, masks: Masks) -> tuple[MaskableCategoricalDistribution, torch.Tensor]:
        """The distribution of actions, and the values (N, 1)."""
        logits, values, places = self._rows_for(state_numbers(obs))
        distribution = MaskableCategoricalDistribution(self.num_actions)
        distribution.proba_distribution(logits.index_select(0, places))
        if masks is not None:
            distribution.apply_masking(masks)
        return distribution, values.index_select(0, places)[:, None]
