"""Optimal policies under entropy regularisation, or under a KL penalty to a reference policy.

With temperature alpha and log-weights b (0 for entropy, log pi_ref for KL) the fixed point is

    V(s) = alpha log Σ_a exp(Q(s, a)/alpha + b(s, a)),    pi(a|s) = exp((Q(s, a) - V(s))/alpha + b(s, a)),

over legal actions. Everything is computed in logarithms with the maximum taken out, so a temperature of 1e-6 is as
safe as 1.

Shapes: N rewards, S states, A actions.

Source: arXiv:2507.20150, section 4.4 (entropy regularisation); Ziebart (2010) and Haarnoja et al. (2017),
arXiv:1702.08165, for the soft Bellman equation.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cliffgym.checks import number
from cliffgym.frozen import ReadOnlyArrays
from cliffgym.mdp import TabularMDP
from cliffgym.rewards import check_reward
from cliffgym.solvers.backward import backward_policy_values, backward_soft_values
from cliffgym.solvers.bellman import backups
from cliffgym.solvers.linear import policy_values, require_finite
from cliffgym.solvers.policies import check_policy
from cliffgym.solvers.soft_iteration import soft_values
from cliffgym.solvers.softmax import soft_maximum
from cliffgym.solvers.structure import blocks, chosen_kernel


@dataclass(frozen=True, eq=False)
class SoftOptimum(ReadOnlyArrays):
    """The regularised solution of an MDP under one reward.

    Attributes:
        policy: (S, A) the unique optimal policy; 0 at illegal actions. Terminal rows carry no meaning.
        state_values: (S,) regularised values: reward plus temperature times entropy, or minus KL.
        q_values: (S, A) the same after one action.
        expected_return: What the policy earns in plain reward, without the regulariser, from the initial states.
        soft_return: The regularised values averaged over the initial states.
        temperature: The coefficient of entropy, or of the KL divergence.

    >>> import math
    >>> import cliffgym
    >>> coin = cliffgym.TabularMDP.from_dense([[[0, 1], [0, 1]], [[0, 1], [0, 1]]], [1, 0], [False, True], gamma=1.0)
    >>> solution = soft(coin, [[1, 0], [0, 0]], temperature=1 / math.log(3))  # a gap of 1 makes odds of 3 to 1
    >>> solution.policy[0].round(12).tolist(), round(solution.expected_return, 12)
    ([0.75, 0.25], 0.75)
    >>> round(solution.soft_return, 6)  # log 4 / log 3
    1.26186
    """

    policy: NDArray[np.float64]
    state_values: NDArray[np.float64]
    q_values: NDArray[np.float64]
    expected_return: float
    soft_return: float
    temperature: float


def soft(
    mdp: TabularMDP,
    reward: ArrayLike,
    temperature: float,
    reference: ArrayLike | None = None,
    *,
    kernel: str = "auto",
) -> SoftOptimum:
    """Solves the entropy-regularised MDP, or the one with a KL penalty to `reference`.

    Args:
        mdp: The dynamics.
        reward: (S, A), 0 at terminal states.
        temperature: Coefficient of the regulariser in units of reward per nat, > 0: the paper's alpha, or beta for KL.
        reference: (S, A) reference policy, or None for entropy. The KL divergence is against the reference as it is:
            mass that it puts on illegal actions is lost, not shared out.
        kernel: As in `optimal`.

    Raises:
        ValueError: The temperature is not > 0, a table is malformed, the reference forbids every legal action of some
            state, or there is no such kernel.
        ArithmeticError, ImportError: As `optimal`.

    >>> import cliffgym
    >>> breaker = cliffgym.scenario("Cliff-TieBreaker-v0", bonus=0.1)
    >>> solution = soft(breaker.mdp, breaker.reward("true"), temperature=0.1)
    >>> round(cliffgym.expected_components(breaker.mdp, breaker.components, solution.policy)["target_format"], 4)
    0.4754
    """
    reward = check_reward(mdp, reward)
    temperature = check_temperature(temperature)
    weights = log_weights(mdp, reference)
    solved = solve_softly(mdp, reward[None], np.array([temperature]), weights, chosen_kernel(kernel, mdp))
    policy, values, q_values, plain = (table[0] for table in solved)
    require_finite(values)
    return SoftOptimum(policy, values, q_values, float(mdp.initial @ plain), float(mdp.initial @ values), temperature)


def check_temperature(temperature: object, name: str = "temperature") -> float:
    """Returns a temperature, which must be a finite number > 0."""
    value = number(name, temperature)
    if value <= 0:
        raise ValueError(f"{name} must be > 0, got {value!r}; `optimal` solves the limit 0")
    return value


def log_weights(mdp: TabularMDP, reference: ArrayLike | None) -> NDArray[np.float64]:
    """(S, A) log-weights of actions: 0 or log pi_ref where legal, -inf where not.

    Raises:
        ValueError, TypeError: The reference is no policy, or forbids every legal action of some state.
    """
    if reference is None:
        weights = mdp.action_mask.astype(float)
    else:
        weights = check_policy(mdp, reference, "reference") * mdp.action_mask
        barred = np.flatnonzero(weights.sum(axis=1) == 0)
        if barred.size:
            raise ValueError(
                "reference must give some legal action probability > 0 in each state, got none at "
                f"{mdp.describe_state(barred[0])}"
            )
    with np.errstate(divide="ignore"):
        return np.log(weights)


class SoftSolution(NamedTuple):
    """`policy` (N, S, A), regularised `values` (N, S), `q_values` (N, S, A), and the policy's `plain` values (N, S)."""

    policy: NDArray[np.float64]
    values: NDArray[np.float64]
    q_values: NDArray[np.float64]
    plain: NDArray[np.float64]


def solve_softly(
    mdp: TabularMDP,
    rewards: NDArray[np.float64],
    temperatures: NDArray[np.float64],
    weights: NDArray[np.float64],
    kernel: str,
) -> SoftSolution:
    """Regularised solutions of checked rewards (N, S, A) at their temperatures (N,), for log-weights (S, A)."""
    policy, q_values = np.empty(rewards.shape), np.empty(rewards.shape)
    values, plain = np.empty(rewards.shape[:2]), np.empty(rewards.shape[:2])
    for block in blocks(mdp, len(rewards)):
        reward, temperature = rewards[block], temperatures[block]
        if mdp.is_acyclic:
            start = backward_soft_values(mdp, reward, weights, temperature, kernel)
        else:
            each = zip(reward, temperature, strict=True)
            start = np.array([soft_values(mdp, table, weights, float(t), kernel) for table, t in each])
        q_values[block] = backups(mdp, reward, start, kernel)
        values[block], policy[block] = soft_maximum(q_values[block], weights, temperature[:, None])
        pay = (policy[block] * reward).sum(axis=2)
        if mdp.is_acyclic:
            plain[block] = backward_policy_values(mdp, policy[block], pay, kernel)
        else:
            each = zip(policy[block], pay, strict=True)
            plain[block] = [policy_values(mdp, table, row, kernel=kernel) for table, row in each]
    values[:, mdp.terminal] = 0
    return SoftSolution(policy, values, q_values, plain)
