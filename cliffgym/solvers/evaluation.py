"""What a given policy is worth.

Shapes: S states, A actions, K components.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cliffgym.frozen import ReadOnlyArrays
from cliffgym.mdp import TabularMDP
from cliffgym.rewards import RewardComponents, check_reward
from cliffgym.solvers.bellman import backup
from cliffgym.solvers.linear import policy_values, require_finite, state_visits
from cliffgym.solvers.policies import check_policy
from cliffgym.solvers.structure import chosen_kernel


@dataclass(frozen=True, eq=False)
class Evaluation(ReadOnlyArrays):
    """The exact values of a policy.

    Attributes:
        state_values: (S,) expected discounted reward from each state, in units of reward.
        q_values: (S, A) the same after taking an action and then following the policy; illegal actions included.
        expected_return: `state_values` averaged over the initial states.

    >>> import cliffgym
    >>> breaker = cliffgym.scenario("Cliff-TieBreaker-v0", bonus=0.1)
    >>> found = evaluate(breaker.mdp, breaker.reward("true"), cliffgym.uniform_policy(breaker.mdp))
    >>> found.q_values[0].round(3).tolist()  # one of three answers, then json by one chance in four
    [1.025, 0.025, 0.025, 0.0, 0.0, 0.0, 0.0]
    >>> round(float(found.state_values[0]), 4), round(found.expected_return, 4)
    (0.3583, 0.3583)
    """

    state_values: NDArray[np.float64]
    q_values: NDArray[np.float64]
    expected_return: float


def evaluate(mdp: TabularMDP, reward: ArrayLike, policy: ArrayLike, *, kernel: str = "auto") -> Evaluation:
    """Evaluates a policy exactly.

    Args:
        mdp: The dynamics.
        reward: (S, A), 0 at terminal states.
        policy: (S, A) probabilities; mass on illegal actions is evaluated as their rows say.
        kernel: As in `optimal`.

    Raises:
        ValueError: A table has the wrong shape, a reward is not finite or paid at a terminal state, or a row of the
            policy does not sum to 1; or there is no such kernel.
        ArithmeticError, ImportError: As `optimal`.

    >>> import cliffgym
    >>> slacker = cliffgym.scenario("Cliff-Slacker-v0")
    >>> evaluate(slacker.mdp, slacker.reward("true"), cliffgym.uniform_policy(slacker.mdp)).expected_return
    0.5
    """
    reward, policy = check_reward(mdp, reward), check_policy(mdp, policy)
    kernel = chosen_kernel(kernel, mdp)
    values = policy_values(mdp, policy, (policy * reward).sum(axis=1), kernel=kernel)
    require_finite(values)
    return Evaluation(values, backup(mdp, reward, values, kernel), float(mdp.initial @ values))


def occupancy(mdp: TabularMDP, policy: ArrayLike, *, kernel: str = "auto") -> NDArray[np.float64]:
    """Occupancy measure of a policy: discounted expected visits Σ_t gamma^t P(s_t = s, a_t = a).

    Terminal rows are 0. It sums to the expected discounted number of steps of a trace, and its product with any
    reward table sums to the policy's expected return.

    Args:
        mdp: The dynamics.
        policy: (S, A) probabilities.
        kernel: As in `optimal`.

    Returns:
        (S, A) visits, in steps.

    Raises:
        ValueError: The policy has the wrong shape or a row does not sum to 1; or there is no such kernel.
        ArithmeticError, ImportError: As `optimal`.

    >>> import cliffgym
    >>> made = cliffgym.scenario("Cliff-LengthPenalty-v0", difficulties=(2,), penalty=0.02)
    >>> visits = occupancy(made.mdp, cliffgym.optimal(made.mdp, made.reward("true")).policy)
    >>> visits.sum(axis=0).tolist(), made.mdp.action_names
    ([2.0, 1.0], ('think', 'answer'))
    >>> round(float((visits * made.reward("true")).sum()), 12)  # 1 less two thoughts at 0.02
    0.96
    """
    policy = check_policy(mdp, policy)
    return state_visits(mdp, policy, chosen_kernel(kernel, mdp))[:, None] * policy


def expected_components(mdp: TabularMDP, components: RewardComponents, policy: ArrayLike) -> dict[str, float]:
    """The exact expected discounted sum of every component under a policy.

    Args:
        mdp: The dynamics.
        components: (K, S, A) named tables.
        policy: (S, A) probabilities.

    Returns:
        K numbers by component name, each in the component's own unit.

    Raises:
        ValueError: Shapes disagree or a row of the policy does not sum to 1.

    >>> import cliffgym
    >>> obedience = cliffgym.scenario("Cliff-Obedience-v0")
    >>> found = expected_components(obedience.mdp, obedience.components, cliffgym.uniform_policy(obedience.mdp))
    >>> {name: round(found[name], 4) for name in ("correct", "soft", "hard")}
    {'correct': 0.3398, 'soft': 0.9375, 'hard': 0.8906}
    """
    visits = occupancy(mdp, policy)
    if components.table.shape[1:] != visits.shape:
        raise ValueError(
            f"components must have shape (K, S, A) with (S, A) = {visits.shape}, got {components.table.shape}"
        )
    totals = np.tensordot(components.table, visits, axes=2)
    return {name: float(total) for name, total in zip(components.names, totals, strict=True)}
