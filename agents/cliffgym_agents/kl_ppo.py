"""PPO that is held to a reference policy: a KL penalty in the place of the entropy bonus, or beside it.

The penalty is that of the present decision, exactly, from both distributions. On decisions that end a trace the
stationary point is the exact one, the reference times exp(Q/kl_coef), normalised; before them it differs, as PPO's
entropy bonus does from the soft optimum.

Shapes: N samples, S states, A actions.

Source: Jaques et al. (2017), Sequence tutor, arXiv:1611.02796; Ouyang et al. (2022), arXiv:2203.02155 (KL penalty to
the policy before training).
"""

from typing import Any, ClassVar

import numpy as np
import torch
from gymnasium import spaces
from numpy.typing import ArrayLike
from stable_baselines3 import PPO
from stable_baselines3.common.policies import BasePolicy

from cliffgym.checks import array, number
from cliffgym_agents.references import check_reference, divergences, log_reference
from cliffgym_agents.tabular_policy import TabularPolicy


class KLPPO(PPO):
    """PPO with the penalty kl_coef · KL(policy || reference).

    Args:
        policy: As for PPO, or "TabularPolicy".
        env: As for PPO; its observation is a state's number.
        kl_coef: Coefficient of the penalty, in units of reward per nat, >= 0.
        reference: (S, A) the reference policy; default uniform over all actions.
        floor: What probabilities of the reference count as at least: where it is 0 the penalty would be infinite.
        arguments: Those of PPO. Unlike there, advantages are not standardised by default, so that `kl_coef` keeps its
            unit.

    Raises:
        ValueError: The coefficient is negative, or the reference is not probabilities (S, A).
        TypeError: The observations are no numbers of states.

    Formats end the trace, so what training tends to is the exact soft policy around the reference. With a bonus of 0.1
    on one of four formats and a coefficient of 0.1 its probability there is e/(e + 3):

    >>> from cliffgym_agents import train
    >>> settings = {"policy": "TabularPolicy", "learning_rate": 0.1, "kl_coef": 0.1}
    >>> result = train("Cliff-TieBreaker-v0", "kl_ppo", reward="true", total_timesteps=32768, hyperparameters=settings)
    >>> round(result.measures["target_format"], 1)  # of 0.475
    0.5
    """

    policy_aliases: ClassVar[dict[str, type[BasePolicy]]] = {**PPO.policy_aliases, "TabularPolicy": TabularPolicy}

    def __init__(
        self,
        policy: Any,
        env: Any,
        *,
        kl_coef: float = 0.1,
        reference: ArrayLike | None = None,
        floor: float = 1e-8,
        normalize_advantage: bool = False,
        **arguments: Any,
    ) -> None:
        self.kl_coef = number("kl_coef", kl_coef, 0)
        self.floor = number("floor", floor, np.nextafter(0, 1), 1)
        self.reference = None if reference is None else array("reference", reference)
        super().__init__(policy, env, normalize_advantage=normalize_advantage, **arguments)
        if self.env is not None:  # there is none where a model is loaded to be looked at
            self._check_reference()

    def _check_reference(self) -> None:
        if not isinstance(self.observation_space, spaces.Discrete):
            raise TypeError(f"env must have Discrete observations, numbers of states, got {self.observation_space}")
        shape = int(self.observation_space.n), int(self.action_space.n)  # type: ignore[attr-defined]
        if self.reference is None:
            self.reference = np.full(shape, 1 / shape[1])
        check_reference(self.reference, shape)

    def learn(self, *arguments: Any, tb_log_name: str = "KLPPO", **named: Any) -> "KLPPO":  # type: ignore[override]
        """As PPO's."""
        return super().learn(*arguments, tb_log_name=tb_log_name, **named)

    def train(self) -> None:
        """PPO's update, in which the bonus of a state is that of entropy less the penalty."""
        evaluate, ent_coef = self.policy.evaluate_actions, self.ent_coef
        reference = log_reference(self.reference, self.floor, self.device)  # type: ignore[arg-type]
        means = []

        def bonus(obs: torch.Tensor, actions: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
            values, log_probabilities, entropies = evaluate(obs, actions)
            logs = self.policy.get_distribution(obs).distribution.logits  # type: ignore[union-attr]
            divergence = divergences(logs, reference[obs.long().flatten()])
            means.append(divergence.mean().item())
            return values, log_probabilities, ent_coef * entropies - self.kl_coef * divergence  # type: ignore[operator]

        # PPO adds ent_coef times the mean of what `evaluate_actions` calls entropy to its objective.
        self.policy.evaluate_actions, self.ent_coef = bonus, 1.0  # type: ignore[method-assign]
        try:
            super().train()
        finally:
            del self.policy.evaluate_actions
            self.ent_coef = ent_coef
        self.logger.record("train/reference_kl", float(np.mean(means)))
