"""How far apart two rewards are: as tables, and in what they make optimal.

Distances between rewards are made so as not to see changes that move no policy. Being blind to those, they still do
not see a cliff: two rewards may be as close as one likes, and their optimal policies as far apart as policies can be.

| distance | range | does not see |
|---|---|---|
| `epic` | [0, 1] | positive scale; one constant added in all states |
| `starc` | [0, 1] | positive scale; shaping R + gamma P Φ - Φ |
| `shaping` | units of reward | shaping |
| `policy` | [0, 1] | positive scale; shaping; whatever leaves the optimal actions as they are |

Potentials Φ are 0 at terminal states. What illegal actions and terminal states pay counts nowhere.

Shapes: S states, A actions.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cliffgym.mdp import TabularMDP
from cliffgym.rewards import check_reward
from cliffgym.solvers import TIE_TOLERANCE, evaluate, optimal, total_variation, uniform_policy

_NOTHING = 1e-12
"""Relative size below which what canonicalisation leaves of a reward is rounding."""


@dataclass(frozen=True, eq=False)
class Distances:
    """Four answers to how far apart two rewards are; see the module's table.

    Attributes:
        epic: `epic_distance`.
        starc: `starc_distance`.
        shaping: `shaping_distance`, in units of reward.
        policy: The largest total variation, over non-terminal states, between the two optimal policies that break ties
            uniformly.

    To all but `shaping`, twice a reward is the same reward. `shaping` spreads the 1 by which a right answer is better
    than a wrong one over four entries, two tokens of either trace:

    >>> import cliffgym
    >>> breaker = cliffgym.scenario("Cliff-TieBreaker-v0")
    >>> reward = breaker.reward("incomplete")
    >>> found = distances(breaker.mdp, reward, 2 * reward)
    >>> [round(value, 3) for value in (found.epic, found.starc, found.shaping, found.policy)]
    [0.0, 0.0, 0.25, 0.0]
    """

    epic: float
    starc: float
    shaping: float
    policy: float


def distances(mdp: TabularMDP, r1: ArrayLike, r2: ArrayLike, tie_tolerance: float = TIE_TOLERANCE) -> Distances:
    """Measures how far apart two rewards are, and how far apart what they make optimal.

    Args:
        mdp: The dynamics.
        r1: (S, A) a reward.
        r2: (S, A) another.
        tie_tolerance: As in `optimal`.

    Raises:
        ValueError: As `optimal`.
        ImportError: scipy is not installed. `epic_distance` and `starc_distance` do without.

    >>> import cliffgym
    >>> breaker = cliffgym.scenario("Cliff-TieBreaker-v0")
    >>> more, less = ({"correct": 1, "target_format": bonus} for bonus in (1e-6, -1e-6))
    >>> found = distances(breaker.mdp, breaker.reward(more), breaker.reward(less))
    >>> max(found.epic, found.starc, found.shaping) < 2e-6, round(found.policy, 12)
    (True, 1.0)
    """
    r1, r2 = check_reward(mdp, r1, "r1"), check_reward(mdp, r2, "r2")
    policies = [optimal(mdp, reward, tie_tolerance).policy for reward in (r1, r2)]
    return Distances(
        epic=epic_distance(mdp, r1, r2),
        starc=starc_distance(mdp, r1, r2),
        shaping=shaping_distance(mdp, r1, r2),
        policy=float(total_variation(*policies)[~mdp.terminal].max(initial=0.0)),
    )


def epic_distance(mdp: TabularMDP, r1: ArrayLike, r2: ArrayLike) -> float:
    """EPIC: the Pearson distance sqrt((1 - rho) / 2) of two canonically shaped rewards.

    State and next state are drawn uniformly and independently from the non-terminal states, the action uniformly from
    the state's legal ones. EPIC knows no transitions: it takes a table R(s, a) for a reward that does not depend on
    the next state, so potentials that are already averaged into a table by the dynamics are not seen through, as
    `starc_distance` does.

    It is 0 for rewards that are positive multiples of each other plus a constant, and 1 for opposite ones. A reward
    that is constant has no correlation: it is at 0 from another constant, and at sqrt(1/2), as if uncorrelated, from
    anything else.

    Args:
        mdp: Its states, legal actions and gamma.
        r1: (S, A) a reward.
        r2: (S, A) another.

    Raises:
        ValueError: As `optimal`.

    Source: Gleave et al. (2021), arXiv:2006.13900, section 4.

    >>> import numpy as np
    >>> import cliffgym
    >>> slacker = cliffgym.scenario("Cliff-Slacker-v0")
    >>> reward = slacker.reward("true")
    >>> same = np.where(slacker.mdp.terminal[:, None], 0, 2 * reward + 3)
    >>> [round(epic_distance(slacker.mdp, reward, other), 6) for other in (same, -reward, 0 * reward)]
    [0.0, 1.0, 0.707107]
    """
    r1, r2 = check_reward(mdp, r1, "r1"), check_reward(mdp, r2, "r2")
    alive = ~mdp.terminal
    if not alive.any():
        return 0.0
    uniform = uniform_policy(mdp)[alive]
    # C(s, a, s') = [R(s, a) - m(s)] + gamma [m(s') - mean m], m(s) the mean over actions. The two brackets are
    # independent with mean 0, so moments add up, and the (S, A, S) table is never built.
    parts = []
    for reward in (r1[alive], r2[alive]):
        means = (uniform * reward).sum(axis=1)
        within = (reward - means[:, None]) * np.sqrt(uniform)
        between = mdp.gamma * (means - means.mean())
        whole = np.concatenate([within.ravel(), between])
        parts.append(_normalised(whole, np.abs(reward[uniform > 0]).max() * np.sqrt(len(means))))
    # For unit vectors 1 - rho = |u - v|² / 2, which does not cancel when they are close.
    if parts[0].any() != parts[1].any():
        return float(np.sqrt(0.5))
    return float(np.linalg.norm(parts[0] - parts[1]) / 2)


def starc_distance(mdp: TabularMDP, r1: ArrayLike, r2: ArrayLike) -> float:
    """A STARC metric: half the Euclidean distance of two rewards, canonicalised and scaled to norm 1.

    A reward is canonicalised by value-adjusted levelling, R(s, a) - V(s) + gamma Σ_s' P(s'|s, a) V(s') with V the
    values of the uniform policy: its advantages. That removes shaping by any potential, whatever the dynamics.

    It is 0 exactly if one reward is the other shaped and multiplied by a positive number: then all policies are ordered
    alike. It is 1 for opposite rewards. A reward that is nothing but shaping (a reward of zeros is) becomes the zero
    vector: it is at 0 from another such, and at 1/2 from anything else.

    Args:
        mdp: The dynamics.
        r1: (S, A) a reward.
        r2: (S, A) another.

    Raises:
        ValueError: As `optimal`.

    Source: Skalse et al. (2023), arXiv:2309.15257, value-adjusted levelling (VAL) with the L2 norm.

    >>> import numpy as np
    >>> import cliffgym
    >>> slacker = cliffgym.scenario("Cliff-Slacker-v0")
    >>> mdp, reward = slacker.mdp, slacker.reward("true")
    >>> potential = np.where(mdp.terminal, 0, np.arange(mdp.num_states))
    >>> shaped = reward + mdp.gamma * potential[mdp.successors[:, :, 0]] - potential[:, None]
    >>> [round(starc_distance(mdp, reward, other), 6) for other in (shaped, -reward, 0 * reward)]
    [0.0, 1.0, 0.5]
    """
    r1, r2 = check_reward(mdp, r1, "r1"), check_reward(mdp, r2, "r2")
    decided = mdp.action_mask & ~mdp.terminal[:, None]
    parts = []
    for reward in (r1, r2):
        values = evaluate(mdp, reward, uniform_policy(mdp))
        advantages = (values.q_values - values.state_values[:, None])[decided]
        size = np.abs(values.q_values[decided]).max(initial=0.0)
        parts.append(_normalised(advantages, size * np.sqrt(advantages.size)))
    return float(np.linalg.norm(parts[0] - parts[1]) / 2)


def shaping_distance(mdp: TabularMDP, r1: ArrayLike, r2: ArrayLike) -> float:
    """The sup norm of r1 - r2 up to shaping: min over potentials Φ of ‖r1 - r2 + gamma P Φ - Φ‖.

    The maximum is over legal actions of non-terminal states. It is a linear programme, solved to about 1e-7 of the
    size of r1 - r2. Unlike the other distances it is in units of reward, so it can be held against a `cliff_radius`:
    rewards nearer than that have the same optimal policy.

    Args:
        mdp: The dynamics.
        r1: (S, A) a reward.
        r2: (S, A) another.

    Raises:
        ValueError: As `optimal`.
        ImportError: scipy is not installed.
        ArithmeticError: The solver of linear programmes fails.

    Source: Ng, Harada and Russell (1999), "Policy invariance under reward transformations" (shaping).

    >>> import cliffgym
    >>> from cliffgym.analysis import cliff_radius
    >>> breaker = cliffgym.scenario("Cliff-TieBreaker-v0", bonus=0.1)
    >>> there, here = breaker.reward("incomplete"), breaker.reward("true")
    >>> round(shaping_distance(breaker.mdp, here, there), 4), round(cliff_radius(breaker.mdp, here).radius, 4)
    (0.05, 0.05)
    """
    linprog, csr_array, vstack = _linear_programming()
    change = check_reward(mdp, r1, "r1") - check_reward(mdp, r2, "r2")
    states, actions = np.nonzero(mdp.action_mask & ~mdp.terminal[:, None])
    change = change[states, actions]
    size = float(np.abs(change).max(initial=0.0))
    if size == 0:
        return 0.0
    # Variables: Φ at the n non-terminal states, then the bound r. Rows: ±(change + gamma P Φ - Φ(s)) <= r. The change
    # is scaled to 1, because the solver's tolerances are absolute.
    alive = np.flatnonzero(~mdp.terminal)
    place = np.full(mdp.num_states, alive.size + 1)  # terminal states go to a column that is dropped
    place[alive] = np.arange(alive.size)
    pairs = np.arange(states.size)
    rows = np.concatenate([pairs, np.repeat(pairs, mdp.successors.shape[2])])
    columns = np.concatenate([place[states], place[mdp.successors[states, actions]].ravel()])
    entries = np.concatenate([-np.ones(states.size), mdp.gamma * mdp.probabilities[states, actions].ravel()])
    shape = (states.size, alive.size + 2)
    flow = csr_array((entries, (rows, columns)), shape=shape)
    bound = csr_array((np.ones(states.size), (pairs, np.full(states.size, alive.size))), shape=shape)
    upper, lower = (flow - bound)[:, :-1], (-flow - bound)[:, :-1]
    solution = linprog(
        np.eye(alive.size + 1)[-1],
        A_ub=vstack([upper, lower]),
        b_ub=np.concatenate([-change, change]) / size,
        bounds=[(None, None)] * alive.size + [(0, None)],
        method="highs",
    )
    if not solution.success:
        raise ArithmeticError(f"the linear programme of shaping must be solved, got: {solution.message}")
    return size * float(solution.fun)


def _linear_programming() -> tuple[Any, Any, Any]:
    """Linear programmes and sparse matrices from scipy, imported late."""
    try:
        from scipy.optimize import linprog
        from scipy.sparse import csr_array, vstack
    except ImportError as error:
        raise ImportError("shaping distance needs scipy, which is not installed: pip install 'cliffgym[lp]'") from error
    return linprog, csr_array, vstack


def _normalised(vector: NDArray[np.float64], size: float) -> NDArray[np.float64]:
    """The vector scaled to norm 1, or zeros if it is rounding beside `size`."""
    length = np.linalg.norm(vector)
    return vector / length if length > _NOTHING * size else np.zeros(vector.shape)
