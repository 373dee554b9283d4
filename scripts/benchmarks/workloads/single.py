"""One environment through `gym.make`: `step` and `reset` as Gymnasium has them.

Counted: true transitions. Tokens are uniformly random, so many are illegal and traces are short; the resets between
them happen within the time and are not counted.
"""

import gymnasium as gym

import cliffgym  # noqa: F401  (registers)
from benchmarks.episodes import player
from benchmarks.workload import Workload


def make(id: str, oracle: bool) -> Workload:
    """A scenario, whose info carries what the agent must not be trained on (`oracle`) or only the action mask."""
    env = gym.make(id, oracle=oracle)
    return Workload(player(env), {"states": env.unwrapped.mdp.num_states, "actions": env.unwrapped.mdp.num_actions})  # type: ignore[attr-defined]
