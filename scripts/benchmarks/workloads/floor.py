"""The barest gather over the environment's own arrays: what stepping costs at the very least.

Counted: N steps a call. States and actions are given; next states, rewards and ends are looked up and written into
arrays that are there already, by a compiled loop. There are no checks, no resets, nothing random and no new arrays.
Which arrays are read: "bare": successors, reward and ends. "masks": the action masks of the next states too, which is
what the environment reads without the oracle. "all": also every component and both oracle rewards, as with it.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

import cliffgym
from benchmarks.draws import BLOCKS, drawn_actions
from benchmarks.workload import Workload
from cliffgym.kernels import compiled


@compiled
def gather(states, actions, num_actions, successors, reward, terminal, pairs, following, rewards, ended):
    """Next states, rewards and ends (N,) of states and actions (N,): a loop for each, which is faster than one."""
    for i in range(states.size):
        pairs[i] = states[i] * num_actions + actions[i]
    for i in range(states.size):
        following[i] = successors[pairs[i]]
    for i in range(states.size):
        rewards[i] = reward[pairs[i]]
    for i in range(states.size):
        ended[i] = terminal[following[i]]


@compiled
def gather_credits(pairs, credits, credited):
    """Credits (M, N) of pairs (N,)."""
    for k in range(credits.shape[0]):
        for i in range(pairs.size):
            credited[k, i] = credits[k, pairs[i]]


def make(id: str, num_envs: int, arrays: str, parameters: Mapping[str, Any] | None = None) -> Workload:
    """Looks up so many steps a call in the arrays of a scenario: "bare", "masks" or "all" of them."""
    scenario = cliffgym.scenario(id, **(parameters or {}))
    mdp = scenario.mdp
    A = mdp.num_actions
    actions = drawn_actions(A, num_envs)
    living = np.flatnonzero(~mdp.terminal)
    states = list(np.random.default_rng(1).choice(living, size=(BLOCKS, num_envs)))
    tables = A, mdp.successors.astype(np.int64).ravel(), scenario.reward("incomplete").ravel(), mdp.terminal.copy()
    following, rewards, ended = np.empty(num_envs, np.int64), np.empty(num_envs), np.empty(num_envs, bool)
    masks, legal = mdp.action_mask.astype(np.int8), np.empty((num_envs, A), np.int8)
    credits = credit_columns(scenario)
    credited, pairs = np.empty((len(credits), num_envs)), np.empty(num_envs, np.int64)

    def chunk() -> int:
        for state, action in zip(states, actions, strict=True):
            gather(state, action, *tables, pairs, following, rewards, ended)
            if arrays != "bare":
                masks.take(following, axis=0, out=legal, mode="clip")  # NumPy's loop is the fastest known for rows
            if arrays == "all":
                gather_credits(pairs, credits, credited)
        return BLOCKS * num_envs

    return Workload(chunk, {"states": mdp.num_states, "actions": A})


def credit_columns(scenario: cliffgym.Scenario) -> NDArray[np.float64]:
    """(M, S A) true reward, incomplete reward and components of each pair of state and action."""
    rewards = np.stack([scenario.reward("true"), scenario.reward("incomplete")])
    table = np.concatenate([rewards, scenario.components.table])
    return table.reshape(len(table), -1)
