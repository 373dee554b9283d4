"""How much values and soft policies can move: Propositions 2.4 and 4.7, and an example in which 4.7 is tight.

Wherever the paper has 1/(1 - gamma), the effective horizon stands: the two are equal in MDPs with a cycle, and at
gamma = 1 traces that end are still covered.

Shapes: S states, A actions.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cliffgym.analysis.bounds.check import (
    StatementCheck,
    at_most,
    longest_duration,
    positive,
    quotient,
    rounding,
    sup_norm,
)
from cliffgym.checks import number
from cliffgym.mdp import TabularMDP
from cliffgym.rewards import check_reward
from cliffgym.solvers import optimal, soft, total_variation


def values_lipschitz(mdp: TabularMDP, reward: ArrayLike, other: ArrayLike) -> StatementCheck:
    """Proposition 2.4: optimal action values move by at most the effective horizon times the change of the reward.

    Args:
        mdp: The dynamics.
        reward: (S, A) R1.
        other: (S, A) R2.

    Returns:
        measured: ‖Q*_1 - Q*_2‖; bound: horizon · ‖R1 - R2‖, both in units of reward. witness: the (state, action) at
        which values differ most. details: `distance` ‖R1 - R2‖, `horizon`, and `sharp_bound` with its `sharp_ratio`:
        the exact Lipschitz constant, the longest expected duration of a trace, in place of the horizon.

    Raises:
        ValueError: A table is malformed, or the MDP has a cycle at gamma 1.

    Source: arXiv:2507.20150, Proposition 2.4.

    >>> example = tight_example(epsilon=0.5, gamma=0.9)
    >>> check = values_lipschitz(example.mdp, example.reward, example.other)
    >>> check.verdict, round(check.measured, 9), round(check.bound, 9)
    ('holds', 5.0, 5.0)
    """
    reward, other = check_reward(mdp, reward), check_reward(mdp, other, "other")
    return values_check("Proposition 2.4", {}, mdp, reward, other, sup_norm(mdp, reward - other))


def values_check(
    statement: str,
    hypotheses: dict[str, bool],
    mdp: TabularMDP,
    reward: NDArray[np.float64],
    other: NDArray[np.float64],
    distance: float,
) -> StatementCheck:
    """Proposition 2.4 for rewards (S, A) that count as `distance` apart."""
    horizon = mdp.effective_horizon
    first, second = optimal(mdp, reward).q_values, optimal(mdp, other).q_values
    change = np.where(mdp.action_mask & ~mdp.terminal[:, None], np.abs(first - second), 0.0)
    measured, bound = float(change.max()), horizon * distance
    sharp = longest_duration(mdp) * distance
    state, action = np.unravel_index(change.argmax(), change.shape)
    return StatementCheck(
        statement,
        hypotheses,
        measured,
        bound,
        conclusion=at_most(measured, bound, rounding(mdp, first, second, reward, other)),
        witness=(int(state), int(action)),
        details={
            "distance": distance,
            "horizon": horizon,
            "sharp_bound": sharp,
            "sharp_ratio": quotient(measured, sharp),
        },
    )


def soft_policy_lipschitz(
    mdp: TabularMDP,
    reward: ArrayLike,
    other: ArrayLike,
    temperature: float,
    reference: ArrayLike | None = None,
) -> StatementCheck:
    """Proposition 4.7: a soft policy moves by at most horizon · ‖R1 - R2‖ / (2 alpha) in total variation.

    For tuples of rewards, pass their effective rewards (`RewardComponents.combine`): by Lemma 4.2 those are no further
    apart. The same holds with a KL penalty, beta in place of alpha.

    Args:
        mdp: The dynamics.
        reward: (S, A) R1.
        other: (S, A) R2.
        temperature: alpha, or beta if there is a reference, in units of reward per nat, > 0.
        reference: (S, A) reference policy of a KL penalty, or None for an entropy bonus.

    Returns:
        measured: the largest d_TV over non-terminal states; bound: the paper's, both as probabilities. witness: the
        (state, action) whose probability moves most there. details: `values_distance` ‖Q_1 - Q_2‖ of the soft values
        in units of reward; `sharp_bound` tanh(‖Q_1 - Q_2‖/(2 alpha)) and `horizon_bound` tanh(horizon · ‖R1 - R2‖/(2
        alpha)), both at most the paper's; and what is measured as a share of them, `sharp_ratio` and `horizon_ratio`.
        The check demands all three.

    Raises:
        ValueError: A table is malformed, the temperature is not > 0, or the MDP has a cycle at gamma 1.

    Source: arXiv:2507.20150, Proposition 4.7. The tanh law: values that move by c at most multiply the odds of any set
    of actions by e^(2c/alpha) at most, and the largest change of a probability whose log-odds move by x is tanh(x/4).

    >>> example = tight_example(epsilon=0.1, gamma=0.9)
    >>> check = soft_policy_lipschitz(example.mdp, example.reward, example.other, temperature=0.5)
    >>> check.verdict, round(check.measured, 6), round(check.bound, 6), round(check.details["horizon_ratio"], 12)
    ('holds', 0.761594, 1.0, 1.0)
    """
    reward, other = check_reward(mdp, reward), check_reward(mdp, other, "other")
    temperature = positive("temperature", temperature)
    horizon, distance = mdp.effective_horizon, sup_norm(mdp, reward - other)
    first, second = soft(mdp, reward, temperature, reference), soft(mdp, other, temperature, reference)
    moved = np.where(mdp.terminal, 0.0, total_variation(first.policy, second.policy))
    state = int(moved.argmax())
    measured, values_distance = float(moved[state]), sup_norm(mdp, first.q_values - second.q_values)
    bound = horizon * distance / (2 * temperature)
    sharp, sharp_horizon = math.tanh(values_distance / (2 * temperature)), math.tanh(bound)
    # Soft values include the regulariser, so their rounding does as well; it reaches policies divided by temperature,
    # and probabilities, which sum to 1, have their own.
    slack = rounding(mdp, first.q_values, second.q_values, reward, other) / temperature
    slack += 4 * mdp.num_actions * float(np.finfo(float).eps)
    return StatementCheck(
        "Proposition 4.7",
        {},
        measured,
        bound,
        conclusion=all(at_most(measured, limit, slack) for limit in (bound, sharp, sharp_horizon)),
        witness=(state, int(np.abs(first.policy[state] - second.policy[state]).argmax())),
        details={
            "distance": distance,
            "horizon": horizon,
            "values_distance": values_distance,
            "sharp_bound": sharp,
            "sharp_ratio": quotient(measured, sharp),
            "horizon_bound": sharp_horizon,
            "horizon_ratio": quotient(measured, sharp_horizon),
        },
    )


@dataclass(frozen=True, eq=False)
class TightExample:
    """Two rewards of an MDP that are as far apart in behaviour as Proposition 4.7 allows.

    Attributes:
        mdp: Three states: a start with two actions, and the two states they lead to, which are never left.
        reward: (3, 2) R1.
        other: (3, 2) R2.

    >>> from cliffgym import optimal
    >>> example = tight_example(epsilon=0.5, gamma=0.9)
    >>> example.mdp.state_names, example.reward.tolist()
    (('start', 'first', 'second'), [[-0.25, 0.25], [-0.25, -0.25], [0.25, 0.25]])
    >>> [optimal(example.mdp, reward).policy[0].tolist() for reward in (example.reward, example.other)]
    [[0.0, 1.0], [1.0, 0.0]]
    """

    mdp: TabularMDP
    reward: NDArray[np.float64]
    other: NDArray[np.float64]


def tight_example(epsilon: float, gamma: float) -> TightExample:
    """Rewards with ‖R1 - R2‖ = epsilon and d_TV = tanh(epsilon / (2 alpha (1 - gamma))) at every temperature alpha.

    The first action and the state it leads to pay -epsilon/2 under R1, the second and its state +epsilon/2; R2 has the
    signs the other way round. So action values differ by epsilon/(1 - gamma) at the start and change places. It attains
    Proposition 2.4 as well, and halfway from R1 to R2 lies the cliff that Lemma 2.5 allows for.

    Args:
        epsilon: The distance of the two rewards, > 0.
        gamma: The discount, in [0, 1).

    Raises:
        ValueError: epsilon is not > 0, or gamma is outside [0, 1).

    >>> import math
    >>> from cliffgym import soft, total_variation
    >>> example = tight_example(epsilon=0.1, gamma=0.9)
    >>> for temperature in (2.0, 0.5, 0.1):
    ...     first, second = (soft(example.mdp, table, temperature) for table in (example.reward, example.other))
    ...     moved = total_variation(first.policy, second.policy).max()
    ...     print(f"{moved:.6f} {math.tanh(0.1 / (2 * temperature * (1 - 0.9))):.6f}")
    0.244919 0.244919
    0.761594 0.761594
    0.999909 0.999909
    """
    epsilon, gamma = positive("epsilon", epsilon), number("gamma", gamma, 0)
    if gamma >= 1:
        raise ValueError(f"gamma must be in [0, 1), got {gamma!r}")
    mdp = TabularMDP(
        successors=np.array([[[1], [2]], [[1], [1]], [[2], [2]]]),
        probabilities=np.ones((3, 2, 1)),
        initial=np.array([1.0, 0.0, 0.0]),
        terminal=np.zeros(3, dtype=bool),
        gamma=gamma,
        # One legal action where nothing is to be decided: entropy would add the same to both branches.
        action_mask=np.array([[True, True], [True, False], [True, False]]),
        state_names=("start", "first", "second"),
        action_names=("to first", "to second"),
    )
    reward = epsilon / 2 * np.array([[-1.0, 1.0], [-1.0, -1.0], [1.0, 1.0]])
    return TightExample(mdp, reward, -reward)
