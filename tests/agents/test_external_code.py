"""Training code that knows nothing of this library runs on its environments as it is, and learns what they pay."""

from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch
from cliffgym_agents import policy_table
from gymnasium.vector import AutoresetMode, VectorEnv
from numpy.typing import NDArray
from sb3_contrib import MaskablePPO
from sb3_contrib.common.maskable.utils import get_action_masks, is_masking_supported
from stable_baselines3.common.env_util import make_vec_env
from torch import nn

from cliffgym import CliffEnv, evaluate

ID = "cliffgym:Cliff-Slacker-v0"
OPTIMUM = 2.0  # of the true reward: a right answer, and all instructions followed


def exact_true_return(policy: NDArray[np.floating]) -> float:
    scenario = CliffEnv("Cliff-Slacker-v0").scenario
    return evaluate(scenario.mdp, scenario.reward("true"), policy).expected_return


# MaskablePPO of sb3-contrib finds the mask by itself: it asks the environment for `action_masks`


def test_maskable_ppo_learns_the_true_reward() -> None:
    env = make_vec_env(ID, n_envs=16, seed=0, env_kwargs={"reward": "true"})
    assert is_masking_supported(env)
    model = MaskablePPO(
        "MlpPolicy", env, n_steps=32, batch_size=256, n_epochs=4, learning_rate=3e-3, gamma=1.0, seed=0, device="cpu"
    ).learn(20_000)
    table = policy_table(model, CliffEnv("Cliff-Slacker-v0"))
    assert exact_true_return(table) == pytest.approx(OPTIMUM, rel=0.02)


def test_maskable_ppo_sees_the_mask_of_each_environment() -> None:
    env = make_vec_env(ID, n_envs=3, seed=0)
    env.set_options({"prompt": 1})
    env.reset()
    answers, instructions = [1, 1, 1, 0, 0], [0, 0, 0, 1, 1]
    assert get_action_masks(env).tolist() == [answers, answers, answers]
    env.step(np.array([1, 0, 1]))  # the one in the middle is wrong: its trace ends and the next one begins
    assert get_action_masks(env).tolist() == [instructions, answers, instructions]


# A training loop of the single-file kind: everything it knows of the environment is its two spaces


class Agent(nn.Module):
    def __init__(self, num_observations: int, num_actions: int) -> None:
        super().__init__()
        self.actor = nn.Sequential(nn.Embedding(num_observations, 64), nn.Tanh(), nn.Linear(64, num_actions))
        self.critic = nn.Sequential(nn.Embedding(num_observations, 64), nn.Tanh(), nn.Linear(64, 1))

    def distribution(self, observations: torch.Tensor) -> torch.distributions.Categorical:
        return torch.distributions.Categorical(logits=self.actor(observations))

    def value(self, observations: torch.Tensor) -> torch.Tensor:
        return self.critic(observations).squeeze(-1)


def ppo(envs: VectorEnv[Any, Any, Any], updates: int, seed: int, num_steps: int = 32) -> Agent:
    """PPO with next-step autoreset: the step after an episode's last one resets, and is no experience."""
    torch.manual_seed(seed)
    agent = Agent(envs.single_observation_space.n, envs.single_action_space.n)  # type: ignore[attr-defined]
    optimizer = torch.optim.Adam(agent.parameters(), lr=3e-3, eps=1e-5)
    shape = (num_steps, envs.num_envs)
    observations, actions = torch.zeros(shape, dtype=torch.long), torch.zeros(shape, dtype=torch.long)
    logprobs, rewards, values = torch.zeros(shape), torch.zeros(shape), torch.zeros(shape)
    resets = torch.zeros((num_steps + 1, envs.num_envs), dtype=torch.bool)  # whether the step does nothing but reset

    seen, _ = envs.reset(seed=seed)
    for _ in range(updates):
        for step in range(num_steps):
            observations[step] = torch.as_tensor(seen)
            with torch.no_grad():
                distribution = agent.distribution(observations[step])
                actions[step] = distribution.sample()
                logprobs[step] = distribution.log_prob(actions[step])
                values[step] = agent.value(observations[step])
            seen, reward, terminated, truncated, _ = envs.step(actions[step].numpy())
            rewards[step] = torch.as_tensor(reward)
            resets[step + 1] = torch.as_tensor(terminated | truncated)
        with torch.no_grad():
            following, advantage = agent.value(torch.as_tensor(seen)), torch.zeros(envs.num_envs)
            advantages = torch.zeros(shape)
            for step in reversed(range(num_steps)):
                goes_on = (~resets[step + 1]).float()
                advantage = rewards[step] + goes_on * (following + 0.95 * advantage) - values[step]
                advantages[step], following = advantage, values[step]
        real = ~resets[:-1]
        batch = [x[real] for x in (observations, actions, logprobs, advantages, advantages + values)]
        for _ in range(4):
            for index in torch.randperm(len(batch[0])).split(256):
                obs, act, old_logprob, adv, target = (x[index] for x in batch)
                distribution = agent.distribution(obs)
                ratio = (distribution.log_prob(act) - old_logprob).exp()
                policy_loss = -torch.minimum(adv * ratio, adv * ratio.clamp(0.8, 1.2)).mean()
                value_loss = (agent.value(obs) - target).square().mean()
                optimizer.zero_grad()
                (policy_loss + 0.5 * value_loss - 0.001 * distribution.entropy().mean()).backward()
                nn.utils.clip_grad_norm_(agent.parameters(), 0.5)
                optimizer.step()
        resets[0] = resets[-1]
    return agent


def test_a_single_file_training_loop_learns_the_true_reward() -> None:
    envs = gym.make_vec(ID, num_envs=32, vectorization_mode="sync", reward="true")
    assert envs.metadata["autoreset_mode"] == AutoresetMode.NEXT_STEP
    agent = ppo(envs, updates=40, seed=0)
    with torch.no_grad():
        table = agent.distribution(torch.arange(envs.single_observation_space.n)).probs.numpy()  # type: ignore[attr-defined]
    envs.close()
    assert exact_true_return(table) == pytest.approx(OPTIMUM, rel=0.02)
