"""When training on an incomplete reward must go wrong: Proposition 3.1 with its certificate, and the exact regret.

Shapes: S states, A actions.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cliffgym.analysis.bounds.check import StatementCheck, at_most, choices, rounding, sup_norm
from cliffgym.analysis.ties import reachable_under
from cliffgym.checks import integer
from cliffgym.mdp import TabularMDP
from cliffgym.rewards import check_reward
from cliffgym.solvers import TIE_TOLERANCE, check_policy, evaluate, occupancy, optimal

TRAINED = "the policy is optimal for train"
OPTIMAL = "the action is optimal for train"
ADVANTAGE = "the action has a positive advantage for what is missing"
VISITED = "the policy visits the state"


def incomplete_reward(
    mdp: TabularMDP,
    train: ArrayLike,
    true: ArrayLike,
    policy: ArrayLike | None = None,
    state: int | None = None,
    action: int | None = None,
    *,
    tie_tolerance: float = TIE_TOLERANCE,
) -> StatementCheck:
    """Proposition 3.1: a policy that is optimal for the training reward, and why it is not for the true one.

    If at a state that the policy visits some action is as good for `train` as the policy's own and better for what is
    missing, R_missing = R_true - R_train, then the policy is strictly suboptimal for `true`. Such a state and action
    are a certificate. The condition is sufficient, not necessary, so the exact regret is always given as well.

    Args:
        mdp: The dynamics.
        train: (S, A) R_train.
        true: (S, A) R_true.
        policy: (S, A) probabilities; None for the policy that is optimal for `train` and breaks ties uniformly.
        state: s0; None to search for a certificate.
        action: a2; None to search, at that state if one is given.
        tie_tolerance: As in `optimal`; an advantage must also be larger than this share of the missing reward's scale.

    Returns:
        hypotheses: the proposition's three, and that the policy is optimal for `train` in every state. With gamma = 0
        only first states count as visited: what comes later is worth nothing. measured: the gain, what the policy's
        true return rises by if it takes a2 at s0 from now on; bound: the regret, in units of reward. The conclusion is
        that the regret is > 0, and no less than the gain. witness: (s0, a2); where the search finds none, a pair that
        meets as many hypotheses as any. details: `regret` J*_true - J_true(policy), `optimum` J*_true, `achieved`
        J_true(policy), `gain`, `advantage` of a2 for what is missing, `visits` of s0 in discounted steps.

    Raises:
        ValueError: A table is malformed, the given state is terminal, the given action is illegal there, or an action
            comes without a state.

    Source: arXiv:2507.20150, Proposition 3.1.

    >>> import cliffgym
    >>> slacker = cliffgym.scenario("Cliff-Slacker-v0")
    >>> check = incomplete_reward(slacker.mdp, slacker.reward("incomplete"), slacker.reward("true"))
    >>> check.verdict, check.details["regret"]
    ('holds', 0.5)
    >>> sophistry = cliffgym.scenario("Cliff-Sophistry-v0", gullibility=0.9)
    >>> check = incomplete_reward(sophistry.mdp, sophistry.reward("incomplete"), sophistry.reward("true"))
    >>> check.verdict, check.details["regret"] > 0  # nothing is tied, and yet it goes wrong
    ('not applicable', True)
    """
    train, true = check_reward(mdp, train, "train"), check_reward(mdp, true, "true")
    trained, best = optimal(mdp, train, tie_tolerance), optimal(mdp, true, tie_tolerance)
    policy = trained.policy if policy is None else check_policy(mdp, policy)
    missing = evaluate(mdp, true - train, policy)
    advantages = missing.q_values - missing.state_values[:, None]
    threshold = tie_tolerance * sup_norm(mdp, true - train) + rounding(mdp, missing.q_values, true, train)
    visited = reachable_under(mdp, policy > 0) if mdp.gamma > 0 else mdp.initial > 0
    met = np.stack([trained.optimal_actions, advantages > threshold, np.broadcast_to(visited[:, None], train.shape)])
    place = _certificate(mdp, met, advantages, state, action)
    ok = [bool(table[place]) for table in met]

    achieved = evaluate(mdp, true, policy)
    visits = occupancy(mdp, policy)
    # The sum over visits of what each action loses keeps its digits where the difference of two returns would not.
    regret = float((visits * (best.state_values[:, None] - best.q_values)).sum())
    switched = policy.copy()
    switched[place[0]] = np.eye(mdp.num_actions)[place[1]]
    gain = float(
        occupancy(mdp, switched)[place[0]].sum() * (achieved.q_values[place] - achieved.state_values[place[0]])
    )
    slack = rounding(mdp, best.q_values, achieved.q_values, true)
    return StatementCheck(
        "Proposition 3.1",
        {
            TRAINED: not ((policy > 0) & ~trained.optimal_actions & ~mdp.terminal[:, None]).any(),
            OPTIMAL: ok[0],
            ADVANTAGE: ok[1],
            VISITED: ok[2],
        },
        measured=gain,
        bound=regret,
        # A certificate in a state that is hardly ever visited may gain less than rounding leaves of a regret of zero.
        conclusion=regret > (min(slack, gain / 2) if gain > 0 else slack) and at_most(gain, regret, slack),
        witness=place,
        details={
            "regret": regret,
            "optimum": best.expected_return,
            "achieved": achieved.expected_return,
            "gain": gain,
            "advantage": float(advantages[place]),
            "visits": float(visits[place[0]].sum()),
        },
    )


def _certificate(
    mdp: TabularMDP,
    met: NDArray[np.bool_],
    advantages: NDArray[np.float64],
    state: int | None,
    action: int | None,
) -> tuple[int, int]:
    """The given pair, or the one that meets most of the hypotheses (3, S, A), and among those has most advantage."""
    if state is None:
        if action is not None:
            raise ValueError(f"state must be given if action is, got None and action {action!r}")
        allowed = choices(mdp)
        if not allowed.any():
            raise ValueError("mdp must have a non-terminal state, got none")
    else:
        place = integer("state", state, 0, mdp.num_states - 1)
        if mdp.terminal[place]:
            raise ValueError(f"state must not be terminal, got {mdp.describe_state(place)}")
        allowed = np.zeros(advantages.shape, dtype=bool)
        if action is None:
            allowed[place] = mdp.action_mask[place]
        else:
            taken = integer("action", action, 0, mdp.num_actions - 1)
            if not mdp.action_mask[place, taken]:
                raise ValueError(
                    f"action must be legal, got {mdp.describe_action(taken)} at {mdp.describe_state(place)}"
                )
            allowed[place, taken] = True
    count = np.where(allowed, met.sum(axis=0), -1)
    best = np.where(count == count.max(), advantages, -np.inf).argmax()
    found = np.unravel_index(best, advantages.shape)
    return int(found[0]), int(found[1])
