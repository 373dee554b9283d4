"""Optimal values and the *sets* of optimal actions.

A single argmax hides what this library is about. `optimal` returns every action whose gap is within an explicit
tolerance, and the gaps themselves, so that nothing about a tie is decided silently.

Shapes: N rewards, S states, A actions.

Source: arXiv:2507.20150, section 2 (the correspondence A*(s; R)).
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cliffgym.checks import number
from cliffgym.frozen import ReadOnlyArrays
from cliffgym.mdp import TabularMDP
from cliffgym.rewards import check_reward
from cliffgym.solvers.backward import backward_values
from cliffgym.solvers.bellman import Conclusion, conclude
from cliffgym.solvers.deterministic import deterministic_values
from cliffgym.solvers.linear import require_finite
from cliffgym.solvers.policies import uniform_over
from cliffgym.solvers.policy_iteration import stochastic_values
from cliffgym.solvers.polish import polished_values
from cliffgym.solvers.structure import chosen_kernel, is_deterministic

TIE_TOLERANCE = 1e-9
"""Actions whose values differ by at most this share of the largest reward are tied, unless told otherwise."""


@dataclass(frozen=True, eq=False)
class Optimum(ReadOnlyArrays):
    """The solution of an MDP under one reward.

    Attributes:
        state_values: (S,) optimal expected discounted reward from each state.
        q_values: (S, A) the same after one action; illegal actions have values too, but are never optimal.
        action_gaps: (S, A) state value minus action value, >= 0; infinite at illegal actions, 0 at terminal states.
        optimal_actions: (S, A) True where the action is legal and its gap is within the tolerance. Terminal rows are
            all True: nothing is decided there.
        expected_return: Optimal values averaged over the initial states.
        tolerance: The gap, in units of reward, up to which actions count as tied.
        terminal: (S,) the MDP's terminal states.

    >>> import cliffgym
    >>> spurious = cliffgym.scenario("Cliff-SpuriousReasoning-v0")  # three steps: derive, bluff or blunder
    >>> optimum = optimal(spurious.mdp, spurious.reward("incomplete"))
    >>> optimum.action_gaps[0].tolist(), optimum.policy[0].tolist()
    ([0.0, 0.0, 1.0], [0.5, 0.5, 0.0])
    >>> len(optimum.tied_states)  # all 1 + 3 + 9 beginnings: after a blunder nothing matters
    13
    """

    state_values: NDArray[np.float64]
    q_values: NDArray[np.float64]
    action_gaps: NDArray[np.float64]
    optimal_actions: NDArray[np.bool_]
    expected_return: float
    tolerance: float
    terminal: NDArray[np.bool_]

    @property
    def policy(self) -> NDArray[np.float64]:
        """(S, A) the optimal policy that breaks ties uniformly."""
        return uniform_over(self.optimal_actions)

    @property
    def tied_states(self) -> NDArray[np.intp]:
        """The states, terminal ones aside, with more than one optimal action."""
        several = self.optimal_actions.sum(axis=1) > 1
        return np.flatnonzero(several & ~self.terminal)


def optimal(
    mdp: TabularMDP, reward: ArrayLike, tie_tolerance: float = TIE_TOLERANCE, *, kernel: str = "auto"
) -> Optimum:
    """Solves an MDP exactly, in memory linear in its transitions.

    By backward induction if it is acyclic, in linear time; by policy iteration if not, modified where it is large and
    stochastic, each round of which takes linear time. Rounds are few as a rule, but a long corridor along which news
    travels one state a round takes as many as it has states.

    Args:
        mdp: The dynamics.
        reward: (S, A), 0 at terminal states.
        tie_tolerance: Gap up to which actions are tied, relative to the largest absolute reward of a legal action. In
            an MDP with cycles and gamma so close to 1 that rounding is larger, it is rounding that counts. At 0 only
            gaps of exactly 0 are ties.
        kernel: "numpy", "numba" (extra `fast`; values are the same up to rounding), or "auto": numba if it is installed
            and the MDP has 100,000 successors S · A · B or more.

    Raises:
        ValueError: The reward has the wrong shape, is not finite, is paid at a terminal state, or is so large that
            values or gaps overflow; the tolerance is negative; or there is no such kernel.
        ArithmeticError: gamma is so close to 1 that the values of more than 4,096 states do not settle.
        ImportError: "numba" is asked for and not installed.

    >>> import cliffgym
    >>> slacker = cliffgym.scenario("Cliff-Slacker-v0")
    >>> optimum = optimal(slacker.mdp, slacker.reward("incomplete"))
    >>> optimum.expected_return, len(optimum.tied_states)
    (1.0, 12)
    """
    reward = check_reward(mdp, reward)
    tie_tolerance = number("tie_tolerance", tie_tolerance, minimum=0)
    solved = solve_rewards(mdp, reward[None], chosen_kernel(kernel, mdp))
    values, q_values, gaps, scale = (part[0] for part in solved)
    require_finite(values)
    require_finite_gaps(mdp, values, gaps, scale)
    tolerance = gap_tolerance(mdp, values, scale, tie_tolerance)
    return Optimum(values, q_values, gaps, gaps <= tolerance, float(mdp.initial @ values), tolerance, mdp.terminal)


def solve_rewards(mdp: TabularMDP, rewards: NDArray[np.float64], kernel: str) -> Conclusion:
    """Optimal values, action values and gaps of each checked reward (N, S, A)."""
    if mdp.is_acyclic:
        values = backward_values(mdp, rewards, kernel)
    else:
        if is_deterministic(mdp):
            values = deterministic_values(mdp, rewards, kernel)
        else:
            values = np.array([stochastic_values(mdp, reward, kernel) for reward in rewards]).reshape(rewards.shape[:2])
        for n, reward in enumerate(rewards):
            values[n] = polished_values(mdp, reward, values[n], kernel)
    return conclude(mdp, rewards, values, kernel)


def require_finite_gaps(
    mdp: TabularMDP, values: NDArray[np.float64], gaps: NDArray[np.float64], scale: float, name: str = "reward"
) -> None:
    """Refuses a reward, of legal entries up to `scale`, whose action gaps (S, A) overflow though its values do not.

    Raises:
        ValueError: The gap of a legal action is not finite.
    """
    if math.isfinite(2 * float(np.abs(values).max(initial=0)) + float(scale)):  # none is larger
        return
    wrong = np.argwhere(mdp.action_mask & ~np.isfinite(gaps))
    if len(wrong):
        state, action = wrong[0].tolist()
        raise ValueError(
            f"{name} must be small enough for finite action gaps, got one of inf at state {state}, action {action}"
        )


def gap_tolerance(mdp: TabularMDP, values: NDArray[np.float64], scale: float, tie_tolerance: float) -> float:
    """The gap up to which actions are tied, for values (S,) of a reward whose legal entries reach `scale`."""
    if tie_tolerance == 0:
        return 0.0
    return max(tie_tolerance * float(scale), rounding_of_gaps(mdp, values))


def rounding_of_gaps(mdp: TabularMDP, values: NDArray[np.float64]) -> float:
    """How large rounding of the values (S,) can make the gap of exactly tied actions, in an MDP with cycles.

    Values are stored in double precision, and the residual that refines them (see `linear`) is in extended precision
    where the machine has it; what that leaves is magnified by 1/(1 - gamma).
    """
    if mdp.is_acyclic or mdp.gamma == 1:
        return 0.0
    precision = np.finfo(float).eps + np.finfo(np.longdouble).eps / (1 - mdp.gamma)
    return 8 * float(precision * np.abs(values).max())
