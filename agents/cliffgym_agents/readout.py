"""Reads the whole policy out of a trained model, as a table over all states.

Shapes: S states, A actions.
"""

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from sb3_contrib import MaskablePPO, RecurrentPPO
from stable_baselines3 import DQN
from stable_baselines3.common.on_policy_algorithm import OnPolicyAlgorithm

from cliffgym import CliffEnv
from cliffgym_agents.soft_dqn import SoftDQN

if TYPE_CHECKING:
    from stable_baselines3.common.base_class import BaseAlgorithm

_BATCH = 8192


def policy_table(model: "BaseAlgorithm", env: CliffEnv) -> NDArray[np.float64]:
    """The probabilities with which a model picks each action in each state.

    Args:
        model: A model of SB3's on-policy kind (PPO, A2C, KLPPO, GRPO), sb3-contrib's MaskablePPO, SoftDQN, whose policy
            is its Boltzmann one, or DQN, whose policy is greedy.
        env: An unwrapped environment of the scenario and with the observation that the model was trained on.

    Returns:
        (S, A) float64 probabilities; rows of terminal states are what the network says there.

    Raises:
        TypeError: The model is of another kind.
        ValueError: Its spaces are not those of the environment.

    >>> from cliffgym.envs import CliffEnv
    >>> from stable_baselines3 import PPO
    >>> env = CliffEnv("Cliff-LengthPenalty-v0", observation="onehot")
    >>> table = policy_table(PPO("MlpPolicy", env, device="cpu"), env)
    >>> table.shape, set(table.sum(axis=1).round(9).tolist())
    ((76, 2), {1.0})
    """
    if model.observation_space != env.observation_space or model.action_space != env.action_space:
        raise ValueError(
            f"model must have the spaces of env, {env.observation_space} and {env.action_space}, "
            f"got {model.observation_space} and {model.action_space}"
        )
    observations, masks = env.observations(), env.mdp.action_mask.copy()  # torch warns of read-only arrays
    rows = []
    with torch.no_grad():
        for low in range(0, len(observations), _BATCH):
            part = slice(low, low + _BATCH)
            tensor, _ = model.policy.obs_to_tensor(observations[part])
            rows.append(_probabilities(model, tensor, masks[part]))
    table = np.concatenate(rows)
    return table / table.sum(axis=1, keepdims=True)  # single precision made double


def _probabilities(model: "BaseAlgorithm", observations: Any, masks: NDArray[np.bool_]) -> NDArray[np.float64]:
    """(N, A) probabilities for a batch of N observations."""
    policy: Any = model.policy
    if isinstance(model, MaskablePPO):
        probabilities = policy.get_distribution(observations, action_masks=masks).distribution.probs
    elif isinstance(model, OnPolicyAlgorithm) and not isinstance(model, RecurrentPPO):
        probabilities = policy.get_distribution(observations).distribution.probs
    elif isinstance(model, SoftDQN):
        probabilities = model.log_policy(observations).exp()
    elif isinstance(model, DQN):
        greedy = policy.q_net(observations).argmax(dim=1)
        probabilities = torch.nn.functional.one_hot(greedy, policy.action_space.n)
    else:
        raise TypeError(f"model must be PPO, A2C, MaskablePPO, KLPPO, GRPO, DQN or SoftDQN, got {type(model).__name__}")
    return probabilities.cpu().numpy().astype(np.float64)
