"""Optimal policies under entropy regularisation, or under a KL penalty to a reference policy.

With temperature alpha and log-weights b (0 for entropy, log pi_ref for KL) the fixed point is

    V(s) = alpha log Σ_a exp(Q(s, a)/alpha + b(s, a)),    pi(a|s) = exp((Q(s, a) - V(s))/alpha + b(s, a)),

over legal actions. Everything is computed in logarithms with the maximum taken out, so a temperature of 1e-6 is as
safe as 1.

Shapes: S states, A actions.

Source: arXiv:2507.20150, section 4.2 (entropy regularisation); Ziebart (2010) and Haarnoja et al. (2017),
arXiv:1702.08165, for the soft Bellman equation.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cliffgym.checks import number
from cliffgym.frozen import ReadOnlyArrays
from cliffgym.mdp import TabularMDP
from cliffgym.rewards import check_reward
from cliffgym.solvers.linear import backup, backup_states, policy_values, require_finite
from cliffgym.solvers.policies import check_policy

_MAX_ITERATIONS = 10_000


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
    """

    policy: NDArray[np.float64]
    state_values: NDArray[np.float64]
    q_values: NDArray[np.float64]
    expected_return: float
    soft_return: float
    temperature: float


def soft(mdp: TabularMDP, reward: ArrayLike, temperature: float, reference: ArrayLike | None = None) -> SoftOptimum:
    """Solves the entropy-regularised MDP, or the one with a KL penalty to `reference`.

    Args:
        mdp: The dynamics.
        reward: (S, A), 0 at terminal states.
        temperature: Coefficient of the regulariser in units of reward per nat, > 0: the paper's alpha, or beta for KL.
        reference: (S, A) reference policy, or None for entropy. The KL divergence is against the reference as it is:
            mass that it puts on illegal actions is lost, not shared out.

    Raises:
        ValueError: The temperature is not > 0, a table is malformed, or the reference forbids every legal action of
            some state.

    >>> import cliffgym
    >>> breaker = cliffgym.scenario("Cliff-TieBreaker-v0", bonus=0.1)
    >>> solution = soft(breaker.mdp, breaker.reward("true"), temperature=0.1)
    >>> round(cliffgym.expected_components(breaker.mdp, breaker.components, solution.policy)["target_format"], 4)
    0.4754
    """
    reward = check_reward(mdp, reward)
    temperature = number("temperature", temperature)
    if temperature <= 0:
        raise ValueError(f"temperature must be > 0, got {temperature!r}; `optimal` solves the limit 0")
    log_weights = _log_weights(mdp, reference)
    if mdp.is_acyclic:
        values = np.zeros(mdp.num_states)
        for states in mdp.levels:
            q_values = backup_states(mdp, reward, values, states)
            values[states] = _soft_maximum(q_values, log_weights[states], temperature)[0]
    else:
        values = _soft_policy_iteration(mdp, reward, log_weights, temperature)
    q_values = backup(mdp, reward, values)
    values, policy = _soft_maximum(q_values, log_weights, temperature)
    values = np.where(mdp.terminal, 0.0, values)
    require_finite(values)
    plain = policy_values(mdp, policy, (policy * reward).sum(axis=1))
    return SoftOptimum(policy, values, q_values, float(mdp.initial @ plain), float(mdp.initial @ values), temperature)


def _log_weights(mdp: TabularMDP, reference: ArrayLike | None) -> NDArray[np.float64]:
    """(S, A) log-weights of actions: 0 or log pi_ref where legal, -inf where not."""
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


def _soft_maximum(
    q_values: NDArray[np.float64], log_weights: NDArray[np.float64], temperature: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(N,) soft maxima and (N, A) the probabilities that attain them, for q_values and log_weights (N, A)."""
    # The largest value among actions that may be taken is taken out before dividing by the temperature: at 1e-6,
    # q / temperature would leave few digits for the differences that matter.
    allowed = np.isfinite(log_weights)
    peak = np.where(allowed, q_values, -np.inf).max(axis=1)
    q_values = np.where(allowed, q_values, peak[:, None])  # whatever the others are worth, it must not overflow
    logits = (q_values - peak[:, None]) / temperature + log_weights
    top = logits.max(axis=1)
    weights = np.exp(logits - top[:, None])
    totals = weights.sum(axis=1)
    return peak + temperature * (top + np.log(totals)), weights / totals[:, None]


def _soft_policy_iteration(
    mdp: TabularMDP, reward: NDArray[np.float64], log_weights: NDArray[np.float64], temperature: float
) -> NDArray[np.float64]:
    """(S,) soft values of a cyclic MDP: Newton's method on the soft Bellman equation.

    Each step evaluates the current soft policy exactly, regulariser included, so values rise to the fixed point and
    close to it the error is squared from step to step. It stops when the equation holds up to rounding, or nearly so
    and no better than a step before.
    """
    values, residual = np.zeros(mdp.num_states), np.inf
    scale = np.abs(reward[mdp.action_mask]).max()  # whatever illegal actions pay
    for _ in range(_MAX_ITERATIONS):
        maxima, policy = _soft_maximum(backup(mdp, reward, values), log_weights, temperature)
        magnitude = max(np.abs(values).max(), scale, temperature)
        previous, residual = residual, float(np.abs(maxima - values)[~mdp.terminal].max())
        if residual <= 16 * np.finfo(float).eps * magnitude or previous <= residual <= 1e-10 * magnitude:
            return values
        surprise = np.zeros(policy.shape)
        taken = policy > 0
        surprise[taken] = np.log(policy[taken]) - log_weights[taken]
        values = policy_values(mdp, policy, (policy * (reward - temperature * surprise)).sum(axis=1))
    raise ArithmeticError(
        f"soft values must settle within {_MAX_ITERATIONS:,} iterations, last residual {residual:.3g}"
    )
