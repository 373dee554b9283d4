"""CliffGym: toy reasoning MDPs in which a tiny change of the reward makes the optimal policy jump.

Importing the package registers every environment with Gymnasium:

>>> import gymnasium as gym, cliffgym
>>> env = gym.make("Cliff-Slacker-v0", reward="incomplete")
>>> observation, info = env.reset(seed=0)
>>> observation, reward, terminated, truncated, info = env.step(env.action_space.sample(info["action_mask"]))

The MDPs, rewards and exact solvers behind the environments are here too, and serve any finite MDP. Statements are
cited by their numbers in the PDF of "The Policy Cliff", arXiv:2507.20150.
"""

from cliffgym.builder import MALFORMED, End, build_scenario
from cliffgym.envs import (
    CliffEnv,
    CliffMOEnv,
    CliffVectorEnv,
    HideOracle,
    PerturbReward,
    SwapReward,
    register_envs,
)
from cliffgym.mdp import TabularMDP
from cliffgym.observed import ObservedMDP, observe
from cliffgym.rewards import RewardComponents, posterior_weights, random_perturbation
from cliffgym.scenarios import SCENARIOS, scenario
from cliffgym.solvers import (
    evaluate,
    expected_components,
    occupancy,
    optimal,
    optimal_batch,
    pareto_front,
    quantal_response,
    soft,
    soft_batch,
    total_variation,
    uniform_policy,
)
from cliffgym.trace_scenario import HiddenClasses, Scenario

__version__ = "0.1.0"

__all__ = [
    "MALFORMED",
    "SCENARIOS",
    "CliffEnv",
    "CliffMOEnv",
    "CliffVectorEnv",
    "End",
    "HiddenClasses",
    "HideOracle",
    "ObservedMDP",
    "PerturbReward",
    "RewardComponents",
    "Scenario",
    "SwapReward",
    "TabularMDP",
    "build_scenario",
    "evaluate",
    "expected_components",
    "observe",
    "occupancy",
    "optimal",
    "optimal_batch",
    "pareto_front",
    "posterior_weights",
    "quantal_response",
    "random_perturbation",
    "register_envs",
    "scenario",
    "soft",
    "soft_batch",
    "total_variation",
    "uniform_policy",
]

register_envs()
