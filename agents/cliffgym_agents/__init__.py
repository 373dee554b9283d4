"""Stable-Baselines3 agents for CliffGym, and the exact evaluation of what they learned.

>>> from cliffgym_agents import train
>>> result = train("Cliff-TieBreaker-v0", reward="true", ent_coef=0.1, total_timesteps=1024)
>>> sorted(result.measures)[:4]
['correct', 'entropy', 'incomplete_return', 'malformed']
"""

try:
    import sb3_contrib as _sb3_contrib  # noqa: F401
    import stable_baselines3 as _sb3  # noqa: F401
    import tqdm as _tqdm  # noqa: F401
    import yaml as _yaml  # noqa: F401
except ImportError as error:
    raise ImportError(
        f"cliffgym_agents needs {error.name}, which is not installed: pip install 'cliffgym[agents]'"
    ) from error

from cliffgym_agents.callbacks import ExactEvaluation
from cliffgym_agents.defaults import ALGORITHMS, default_hyperparameters
from cliffgym_agents.grpo import GRPO
from cliffgym_agents.kl_ppo import KLPPO
from cliffgym_agents.maskable_tabular_policy import MaskableTabularPolicy
from cliffgym_agents.measures import exact_measures
from cliffgym_agents.readout import policy_table
from cliffgym_agents.soft_dqn import SoftDQN
from cliffgym_agents.tabular_policy import TabularPolicy
from cliffgym_agents.tabular_q_policy import TabularQPolicy
from cliffgym_agents.training import TrainingResult, train
from cliffgym_agents.vec_env import CliffVecEnv

__all__ = [
    "ALGORITHMS",
    "GRPO",
    "KLPPO",
    "CliffVecEnv",
    "ExactEvaluation",
    "MaskableTabularPolicy",
    "SoftDQN",
    "TabularPolicy",
    "TabularQPolicy",
    "TrainingResult",
    "default_hyperparameters",
    "exact_measures",
    "policy_table",
    "train",
]
