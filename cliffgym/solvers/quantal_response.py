"""Where policy gradients with an entropy bonus end up, as those of PPO and A2C.

Their loss has a bonus for the entropy of the *present* decision, and their advantages are those of the plain reward. So
a policy stays as it is only where it answers its own plain action values softly,

    pi(a|s) ∝ b(a|s) exp(Q^pi(s, a) / temperature),    b = 1, or pi_ref under a KL penalty of the present decision.

The soft Bellman equation (`soft`) also values entropy to come. The two agree on the last decision of a trace and
differ before it. Nothing is maximised here: each decision takes later ones as they are, as if another agent made them.

If the MDP is acyclic there is one such policy, and one sweep from the ends of the traces finds it. With a cycle there
may be several.

Shapes: S states, A actions.

Source: McKelvey and Palfrey (1998), Quantal response equilibria for extensive form games (this is the logit agent
quantal response equilibrium of one player); O'Donoghue et al. (2017), arXiv:1611.01626 (it is the fixed point of policy
gradients with an entropy bonus); Asadi and Littman (2017), arXiv:1612.05628 (there may be several).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cliffgym.checks import flag
from cliffgym.frozen import ReadOnlyArrays
from cliffgym.mdp import TabularMDP
from cliffgym.rewards import check_reward
from cliffgym.solvers.bellman import expected_values
from cliffgym.solvers.linear import require_finite
from cliffgym.solvers.policies import check_policy
from cliffgym.solvers.soft import check_temperature, log_weights
from cliffgym.solvers.softmax import soft_maximum


@dataclass(frozen=True, eq=False)
class QuantalResponse(ReadOnlyArrays):
    """The policy that answers its own plain action values softly.

    Attributes:
        policy: (S, A) that policy. Terminal rows carry no meaning.
        state_values: (S,) its plain values, without entropy or penalty, in units of reward.
        q_values: (S, A) the same after one action; illegal actions included.
        expected_return: `state_values` averaged over the initial states.
        temperature: The coefficient of entropy, or of the KL divergence.

    `soft` also values that a right answer leaves four ways to go on, and so answers right more often:

    >>> import math
    >>> import cliffgym
    >>> slacker = cliffgym.scenario("Cliff-Slacker-v0")
    >>> reward, temperature = slacker.reward("incomplete"), 1 / math.log(2)  # a gap of 1 makes odds of 2 to 1
    >>> found = quantal_response(slacker.mdp, reward, temperature)
    >>> found.policy[0].round(12).tolist(), round(found.expected_return, 12)
    ([0.5, 0.25, 0.25, 0.0, 0.0], 0.5)
    >>> cliffgym.soft(slacker.mdp, reward, temperature).policy[0].round(12).tolist()
    [0.8, 0.1, 0.1, 0.0, 0.0]
    """

    policy: NDArray[np.float64]
    state_values: NDArray[np.float64]
    q_values: NDArray[np.float64]
    expected_return: float
    temperature: float


def quantal_response(
    mdp: TabularMDP,
    reward: ArrayLike,
    temperature: float,
    reference: ArrayLike | None = None,
    *,
    masked: bool = True,
) -> QuantalResponse:
    """The stationary policy under an entropy bonus or KL penalty: of MaskablePPO, or `masked=False`, of PPO and A2C.

    Exact for a table of logits and exact advantages that are not standardised. Networks, clipping and small batches may
    keep an agent from it, and states that it no longer reaches are not trained.

    Args:
        mdp: The dynamics, without cycles.
        reward: (S, A), 0 at terminal states.
        temperature: `ent_coef`, or `kl_coef` under a penalty, in units of reward per nat, > 0.
        reference: (S, A) reference policy, or None for entropy.
        masked: Whether the agent knows which actions are legal, as MaskablePPO does. If not, it spreads over all A
            actions, and the rows of illegal ones say what they lead to.

    Raises:
        ValueError: The MDP has a cycle, the temperature is not > 0, a table is malformed, the reference forbids every
            action of some state that may be chosen, or the reward is so large that values overflow.
        TypeError: An argument is of the wrong type.

    >>> import cliffgym
    >>> breaker = cliffgym.scenario("Cliff-TieBreaker-v0", bonus=0.1)
    >>> for masked in (True, False):
    ...     found = quantal_response(breaker.mdp, breaker.reward("true"), temperature=0.5, masked=masked)
    ...     share = cliffgym.expected_components(breaker.mdp, breaker.components, found.policy)["target_format"]
    ...     print(round(share, 4))
    0.2893
    0.1646
    """
    reward = check_reward(mdp, reward)
    temperature = check_temperature(temperature)
    weights = log_weights(mdp, reference) if flag("masked", masked) else _unmasked_log_weights(mdp, reference)
    if not mdp.is_acyclic:
        raise ValueError(
            "mdp must be acyclic, for with a cycle there may be several such policies, got a cycle that can be "
            f"reached from {mdp.describe_state(mdp.heights.argmin())}"
        )
    values, q_values = np.zeros(mdp.num_states), np.zeros(reward.shape)
    policy = soft_maximum(q_values, weights, temperature)[1]  # of terminal states; the others' follows
    for states in mdp.levels:
        q_values[states] = reward[states] + mdp.gamma * expected_values(mdp, values, states)
        policy[states] = soft_maximum(q_values[states], weights[states], temperature)[1]
        values[states] = (policy[states] * q_values[states]).sum(axis=1)
    require_finite(values)
    return QuantalResponse(policy, values, q_values, float(mdp.initial @ values), temperature)


def _unmasked_log_weights(mdp: TabularMDP, reference: ArrayLike | None) -> NDArray[np.float64]:
    """(S, A) 0 or log pi_ref, for illegal actions too."""
    if reference is None:
        return np.zeros((mdp.num_states, mdp.num_actions))
    with np.errstate(divide="ignore"):
        return np.log(check_policy(mdp, reference, "reference"))
