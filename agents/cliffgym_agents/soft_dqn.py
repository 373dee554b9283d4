"""Soft Q-learning: SB3's DQN whose optimum is the soft one, so that its temperature is the paper's alpha itself.

Where PPO's entropy bonus values the randomness of the present decision alone, the soft Bellman equation values that of
all to come. Here the target is r + gamma alpha log Σ_a' exp(Q(s', a')/alpha), and the policy exp(Q/alpha), normalised.

Shapes: N samples, S states, A actions.

Source: Haarnoja, Tang, Abbeel and Levine (2017), Reinforcement learning with deep energy-based policies,
arXiv:1702.08165; Ziebart (2010).
"""

from typing import Any, ClassVar

import numpy as np
import torch
from gymnasium import spaces
from numpy.typing import ArrayLike, NDArray
from stable_baselines3 import DQN
from stable_baselines3.common.policies import BasePolicy
from torch.nn import functional

from cliffgym.checks import array, number
from cliffgym_agents.schedules import Schedule, parse_schedule
from cliffgym_agents.tabular_q_policy import TabularQPolicy


class SoftDQN(DQN):
    """DQN with a log-sum-exp backup and Boltzmann behaviour.

    Args:
        policy: As for DQN, or "TabularPolicy": a `TabularQPolicy`.
        env: As for DQN.
        temperature: alpha, in units of reward per nat: a number > 0, `"lin_0.1"`, or a function of the share of
            training that remains; never below `lowest_temperature`.
        lowest_temperature: What a schedule ends at, > 0.
        action_masks: (S, A) True where an action is legal, for environments whose observation is a state's number:
            others are neither taken nor backed up. Default: all are legal.
        arguments: Those of DQN. Its epsilon-greedy exploration goes on beside the Boltzmann behaviour, each copy of the
            environment by itself.

    Raises:
        ValueError: The temperature is not > 0, or the masks do not suit the spaces.
        TypeError: The masks are given for another kind of observation.

    >>> from cliffgym_agents import train
    >>> settings = {"policy": "TabularPolicy", "learning_starts": 64, "temperature": "lin_0.5"}
    >>> result = train("Cliff-TieBreaker-v0", "soft_dqn", total_timesteps=256, hyperparameters=settings)
    >>> result.model.temperature  # at the end of training
    0.001
    >>> result.policy_table[0, 3:].tolist()  # `train` has told it that a format is no answer
    [0.0, 0.0, 0.0, 0.0]
    """

    policy_aliases: ClassVar[dict[str, type[BasePolicy]]] = {**DQN.policy_aliases, "TabularPolicy": TabularQPolicy}

    def __init__(
        self,
        policy: Any,
        env: Any,
        *,
        temperature: float | str | Schedule = 0.1,
        lowest_temperature: float = 1e-3,
        action_masks: ArrayLike | None = None,
        **arguments: Any,
    ) -> None:
        self.temperature_schedule = parse_schedule("temperature", temperature)
        self.lowest_temperature = number("lowest_temperature", lowest_temperature, np.nextafter(0, 1))
        if not callable(self.temperature_schedule) and not self.temperature_schedule > 0:
            raise ValueError(f"temperature must be > 0, got {temperature!r}")
        self.action_masks = None if action_masks is None else array("action_masks", action_masks, np.bool_)
        super().__init__(policy, env, **arguments)
        if self.action_masks is not None and self.env is not None:
            self._check_masks()

    def _check_masks(self) -> None:
        if not isinstance(self.observation_space, spaces.Discrete):
            raise TypeError(f"action_masks must go with Discrete observations, got {self.observation_space}")
        shape = int(self.observation_space.n), int(self.action_space.n)  # type: ignore[attr-defined]
        if self.action_masks.shape != shape or not self.action_masks.any(axis=1).all():  # type: ignore[union-attr]
            raise ValueError(
                f"action_masks must have shape (S, A) = {shape} and a legal action in each state, got shape "
                f"{self.action_masks.shape}"  # type: ignore[union-attr]
            )

    @property
    def temperature(self) -> float:
        """Alpha at present."""
        schedule = self.temperature_schedule
        value = schedule(self._current_progress_remaining) if callable(schedule) else schedule
        return max(float(value), self.lowest_temperature)

    def log_policy(self, observations: torch.Tensor) -> torch.Tensor:
        """(N, A) logarithms of the Boltzmann policy's probabilities for a batch of observations."""
        return (self._legal(self.q_net(observations), observations) / self.temperature).log_softmax(dim=1)

    def _legal(self, q_values: torch.Tensor, observations: torch.Tensor) -> torch.Tensor:
        """(N, A) Q-values, minus infinity at illegal actions."""
        if self.action_masks is None:
            return q_values
        masks = torch.as_tensor(self.action_masks[observations.long().flatten().cpu().numpy()], device=q_values.device)
        return q_values.masked_fill(~masks, -torch.inf)

    def learn(self, *arguments: Any, tb_log_name: str = "SoftDQN", **named: Any) -> "SoftDQN":  # type: ignore[override]
        """As DQN's."""
        return super().learn(*arguments, tb_log_name=tb_log_name, **named)

    def _sample_action(
        self, learning_starts: int, action_noise: Any = None, n_envs: int = 1
    ) -> tuple[NDArray[Any], NDArray[Any]]:
        """As DQN's, but before learning starts too only legal actions are drawn."""
        if self.action_masks is None or self.num_timesteps >= learning_starts:
            return super()._sample_action(learning_starts, action_noise, n_envs)
        legal = torch.as_tensor(self.action_masks[np.asarray(self._last_obs).ravel()], dtype=torch.float32)
        actions = torch.multinomial(legal, 1).flatten().numpy()
        return actions, actions

    def train(self, gradient_steps: int, batch_size: int = 100) -> None:
        """Takes gradient steps on batches of the replay buffer, towards soft targets."""
        self.policy.set_training_mode(True)
        self._update_learning_rate(self.policy.optimizer)
        alpha, losses = self.temperature, []
        for _ in range(gradient_steps):
            batch = self.replay_buffer.sample(batch_size, env=self._vec_normalize_env)  # type: ignore[union-attr]
            with torch.no_grad():
                following = self._legal(self.q_net_target(batch.next_observations), batch.next_observations)
                values = alpha * torch.logsumexp(following / alpha, dim=1, keepdim=True)
                discounts = self.gamma if batch.discounts is None else batch.discounts
                targets = batch.rewards + (1 - batch.dones) * discounts * values
            taken = self.q_net(batch.observations).gather(1, batch.actions.long())
            # Squared errors, so that rewards left to chance are averaged; DQN's Huber loss would bend large ones.
            loss = functional.mse_loss(taken, targets)
            losses.append(loss.item())
            self.policy.optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(self.policy.parameters(), self.max_grad_norm)
            self.policy.optimizer.step()
        self._n_updates += gradient_steps
        self.logger.record("train/n_updates", self._n_updates, exclude="tensorboard")
        self.logger.record("train/loss", float(np.mean(losses)))
        self.logger.record("train/temperature", alpha)

    def predict(  # type: ignore[override]
        self,
        observation: Any,
        state: Any = None,
        episode_start: Any = None,
        deterministic: bool = False,
    ) -> tuple[NDArray[Any], Any]:
        """The likeliest actions for observations, or such as the Boltzmann policy and exploration draw."""
        tensor, vectorized = self.policy.obs_to_tensor(observation)
        with torch.no_grad():
            logs = self.log_policy(tensor)  # type: ignore[arg-type]
            if deterministic:
                actions = logs.argmax(dim=1)
            else:
                actions = torch.distributions.Categorical(logits=logs).sample()
                explores = torch.rand(len(actions), device=logs.device) < self.exploration_rate
                legal = torch.distributions.Categorical(logits=torch.where(logs.isinf(), logs, 0.0)).sample()
                actions = torch.where(explores, legal, actions)
        chosen = actions.cpu().numpy()
        return (chosen if vectorized else chosen[0]), state
