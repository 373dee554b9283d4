"""Optimal values and the *sets* of optimal actions.

A single argmax hides what this library is about. `optimal` returns every action whose gap is within an explicit
tolerance, and the gaps themselves, so that nothing about a tie is decided silently.

Shapes: S states, A actions.

Source: Puterman (1994), Markov Decision Processes, sections 4.5 (backward induction) and 6.4 (policy iteration);
arXiv:2507.20150, section 2 (the correspondence A*(s; R)).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cliffgym.checks import number
from cliffgym.frozen import ReadOnlyArrays
from cliffgym.mdp import TabularMDP
from cliffgym.rewards import check_reward
from cliffgym.solvers.linear import backup, backup_states, policy_values, require_finite
from cliffgym.solvers.policies import uniform_over

TIE_TOLERANCE = 1e-9
_MAX_STALLS = 4


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


def optimal(mdp: TabularMDP, reward: ArrayLike, tie_tolerance: float = TIE_TOLERANCE) -> Optimum:
    """Solves an MDP exactly: backward induction if it is acyclic, policy iteration if not.

    Args:
        mdp: The dynamics.
        reward: (S, A), 0 at terminal states.
        tie_tolerance: Gap up to which actions are tied, relative to the largest absolute reward of a legal action. In
            an MDP with cycles and gamma so close to 1 that rounding is larger, it is rounding that counts. At 0 only
            gaps of exactly 0 are ties.

    Raises:
        ValueError: The reward has the wrong shape, is not finite, is paid at a terminal state, or is so large that
            values overflow; or the tolerance is negative.

    >>> import cliffgym
    >>> slacker = cliffgym.scenario("Cliff-Slacker-v0")
    >>> optimum = optimal(slacker.mdp, slacker.reward("incomplete"))
    >>> optimum.expected_return, len(optimum.tied_states)
    (1.0, 12)
    """
    reward = check_reward(mdp, reward)
    tie_tolerance = number("tie_tolerance", tie_tolerance, minimum=0)
    legal = mdp.action_mask
    scale = float(np.abs(reward[legal]).max())
    values = _backward_induction(mdp, reward) if mdp.is_acyclic else _policy_iteration(mdp, reward)
    q_values = backup(mdp, reward, values)
    values = np.where(legal, q_values, -np.inf).max(axis=1)
    require_finite(values)
    gaps = np.where(legal, values[:, None] - q_values, np.inf)
    tolerance = max(tie_tolerance * scale, rounding_of_gaps(mdp, values) if tie_tolerance > 0 else 0.0)
    return Optimum(values, q_values, gaps, gaps <= tolerance, float(mdp.initial @ values), tolerance, mdp.terminal)


def rounding_of_gaps(mdp: TabularMDP, values: NDArray[np.float64]) -> float:
    """How large rounding of the values (S,) can make the gap of exactly tied actions, in an MDP with cycles.

    Values are stored in double precision, and the residual that refines them (see `linear`) is in extended precision
    where the machine has it; what that leaves is magnified by 1/(1 - gamma).
    """
    if mdp.is_acyclic or mdp.gamma == 1:
        return 0.0
    precision = np.finfo(float).eps + np.finfo(np.longdouble).eps / (1 - mdp.gamma)
    return 8 * float(precision * np.abs(values).max())


def _backward_induction(mdp: TabularMDP, reward: NDArray[np.float64]) -> NDArray[np.float64]:
    """(S,) optimal values of an acyclic MDP, from the ends of the traces back to their starts."""
    values = np.zeros(mdp.num_states)
    for states in mdp.levels:
        q_values = backup_states(mdp, reward, values, states)
        values[states] = np.where(mdp.action_mask[states], q_values, -np.inf).max(axis=1)
    return values


def _policy_iteration(mdp: TabularMDP, reward: NDArray[np.float64]) -> NDArray[np.float64]:
    """(S,) optimal values of a cyclic MDP by Howard's policy iteration.

    An action is only left for one that is better by more than rounding, so that ties cannot make it cycle. With gamma
    close to 1 rounding can exceed that margin; then values, which must rise from step to step, do not, and after a few
    such steps the search ends.
    """
    rows = np.arange(mdp.num_states)
    actions = np.where(mdp.action_mask, reward, -np.inf).argmax(axis=1)
    scale = np.abs(reward[mdp.action_mask]).max()  # whatever illegal actions pay
    highest, stalls = -np.inf, 0
    while True:
        policy = np.zeros(reward.shape)
        policy[rows, actions] = 1.0
        values = policy_values(mdp, policy, reward[rows, actions])
        q_values = np.where(mdp.action_mask, backup(mdp, reward, values), -np.inf)
        rounding = 64 * np.finfo(float).eps * max(np.abs(values).max(), scale)
        better = q_values.max(axis=1) > q_values[rows, actions] + rounding
        total = values.sum()
        stalls += total <= highest
        highest = max(highest, total)
        if not better.any() or stalls > _MAX_STALLS:
            return values
        actions = np.where(better, q_values.argmax(axis=1), actions)
