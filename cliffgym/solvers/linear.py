"""The two linear systems behind a fixed policy: its values, and how often it visits what.

With P_pi the policy's transition matrix, values solve v = r + gamma P_pi v, visits solve d = mu + gamma P_pi^T d.
Acyclic MDPs are swept once, backward or forward. In cyclic ones a deterministic policy in a deterministic MDP is walked
along; small systems are solved densely, larger ones by iteration (`chains`), and densely after all where iteration has
taken longer than that would. An MDP is refused at construction if its gamma is 1 and some policy never ends, so both
systems always have exactly one solution.

Shapes: S states, A actions, B successor slots.
"""

import numpy as np
from numpy.typing import NDArray

from cliffgym.mdp import TabularMDP
from cliffgym.solvers.backward import backward_policy_values, forward_visits
from cliffgym.solvers.chains import Chain, settle
from cliffgym.solvers.deterministic import REFINED_GAMMA, REFINEMENTS, functional_values
from cliffgym.solvers.structure import is_deterministic, next_states, transitions

DENSE_LIMIT = 4096
"""Non-terminal states up to which a dense matrix may be solved; above, memory S² would hurt."""
_DENSE_FIRST = 256
"""Non-terminal states up to which a dense matrix is solved at once: it takes about a millisecond."""
_MAX_SWEEPS = 1_000_000


def policy_values(
    mdp: TabularMDP,
    policy: NDArray[np.float64],
    pay: NDArray[np.float64],
    guess: NDArray[np.float64] | None = None,
    tolerance: float = 0.0,
    kernel: str = "numpy",
) -> NDArray[np.float64]:
    """Values of a policy; terminal states are worth 0.

    Args:
        mdp: The dynamics.
        policy: (S, A) probabilities.
        pay: (S,) what it collects in each state.
        guess: (S,) values to start from where they are found by iteration; 0 at terminal states.
        tolerance: How far iteration may leave the equation from holding; at 0, it holds up to rounding.
        kernel: "numpy" or "numba".

    Returns:
        (S,) values.

    Raises:
        ArithmeticError: They are found by iteration, which does not settle.
    """
    if mdp.is_acyclic:
        return backward_policy_values(mdp, policy[None], pay[None], kernel)[0]
    actions = _actions_of(policy)
    pay = np.where(mdp.terminal, 0.0, pay)
    if actions is None:
        return _solve(mdp, _chain(mdp, policy, False, kernel), pay, guess, tolerance)
    return action_values(mdp, actions, pay, guess, tolerance, kernel)


def action_values(
    mdp: TabularMDP,
    actions: NDArray[np.intp],
    pay: NDArray[np.float64],
    guess: NDArray[np.float64] | None = None,
    tolerance: float = 0.0,
    kernel: str = "numpy",
) -> NDArray[np.float64]:
    """The same for the policy that takes `actions` (S,), in a cyclic MDP, for pay of 0 at terminal states."""
    if is_deterministic(mdp):
        following = next_states(mdp)[np.arange(mdp.num_states), actions]
        return functional_values(mdp, following[None], pay[None], kernel)[0]
    return _solve(mdp, _chain_of_actions(mdp, actions, kernel), pay, guess, tolerance)


def require_finite(values: NDArray[np.float64], name: str = "reward") -> None:
    """Refuses a reward whose values (S,) overflow.

    Raises:
        ValueError: A value is not finite.
    """
    if not np.isfinite(values).all():
        state = int(np.flatnonzero(~np.isfinite(values))[0])
        raise ValueError(f"{name} must be small enough for finite values, got {values[state]} at state {state}")


def state_visits(mdp: TabularMDP, policy: NDArray[np.float64], kernel: str = "numpy") -> NDArray[np.float64]:
    """(S,) discounted expected visits Σ_t gamma^t P(s_t = s) of each non-terminal state; 0 at terminal states."""
    return visits_from(mdp, policy, mdp.initial, kernel)


def visits_from(
    mdp: TabularMDP, policy: NDArray[np.float64], start: NDArray[np.float64], kernel: str = "numpy"
) -> NDArray[np.float64]:
    """(S,) the same from any weights (S,) of first states, not only probabilities."""
    start = np.where(mdp.terminal, 0.0, start)
    if mdp.is_acyclic:
        return forward_visits(mdp, policy, start, kernel)
    visits = _solve(mdp, _chain(mdp, policy, True, kernel), start)
    visits[mdp.terminal] = 0
    return visits


def living_states(mdp: TabularMDP) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """The n non-terminal states, and (S,) the place of each state among them.

    Terminal states have place n: that of one more column, which whoever builds a matrix over the others drops.
    """
    alive = np.flatnonzero(~mdp.terminal)
    place = np.full(mdp.num_states, alive.size)
    place[alive] = np.arange(alive.size)
    return alive, place


def solved_densely(mdp: TabularMDP) -> bool:
    """Whether the systems of a cyclic MDP are so small that they are solved densely at once."""
    return _num_living(mdp) <= min(DENSE_LIMIT, _DENSE_FIRST)


def _num_living(mdp: TabularMDP) -> int:
    return mdp.num_states - int(np.count_nonzero(mdp.terminal))


def _actions_of(policy: NDArray[np.float64]) -> NDArray[np.intp] | None:
    """(S,) the actions of a policy (S, A) that is deterministic, else None."""
    certain = (policy == 1).any(axis=1).all() and np.count_nonzero(policy) == len(policy)
    return policy.argmax(axis=1) if certain else None


def _chain(mdp: TabularMDP, policy: NDArray[np.float64], transposed: bool, kernel: str) -> Chain:
    """The chain that a policy (S, A) makes of the MDP."""
    weights = np.where(mdp.terminal[:, None], 0.0, policy)[:, :, None]
    if is_deterministic(mdp):
        targets = next_states(mdp)
    else:
        weights, targets = weights * mdp.probabilities, mdp.successors
    if kernel == "numba":
        targets = transitions(mdp).successors
    shape = (mdp.num_states, targets.size // mdp.num_states)
    return Chain(mdp.gamma, weights.reshape(shape), targets.reshape(shape), transposed, kernel)


def _chain_of_actions(mdp: TabularMDP, actions: NDArray[np.intp], kernel: str) -> Chain:
    """The chain of the policy that takes `actions` (S,)."""
    rows = np.arange(mdp.num_states)
    weights = mdp.probabilities[rows, actions]
    weights[mdp.terminal] = 0
    successors = transitions(mdp).successors if kernel == "numba" else mdp.successors
    return Chain(mdp.gamma, weights, successors[rows, actions], False, kernel)


def _solve(
    mdp: TabularMDP,
    chain: Chain,
    constant: NDArray[np.float64],
    guess: NDArray[np.float64] | None = None,
    tolerance: float = 0.0,
) -> NDArray[np.float64]:
    """Solves x = constant + gamma P x for a chain P over all states; constant and guess are 0 at terminal ones.

    Close to gamma = 1 the system magnifies rounding by up to 1/(1 - gamma), which would hide exact ties. There a
    residual in extended precision (where the machine has it) shows what values still lack.
    """
    refined = mdp.gamma > REFINED_GAMMA and not chain.transposed
    living = _num_living(mdp)
    if not solved_densely(mdp):
        limit = _sweeps_worth_a_matrix(living, chain) if living <= DENSE_LIMIT else _MAX_SWEEPS
        solution = settle(chain, constant, guess, tolerance=tolerance, refined=refined, limit=limit)
        if solution is not None:
            return solution
        if living > DENSE_LIMIT:
            what = "visits" if chain.transposed else "values"
            raise ArithmeticError(
                f"the policy's {what} must settle within {_MAX_SWEEPS:,} sweeps, which took more: gamma {mdp.gamma!r} "
                f"is too close to 1 for {living:,} non-terminal states with cycles"
            )
    return _solve_densely(mdp, chain, constant, refined)


def _sweeps_worth_a_matrix(living: int, chain: Chain) -> int:
    """How often a chain can be applied in the time in which a dense matrix of so many states is solved.

    As measured with NumPy on one core: 40 ps · n³ for the matrix, 8 µs + 3 ns for each transition for a sweep.
    """
    return int(40e-12 * living**3 / (8e-6 + 3e-9 * chain.weights.size))


def _solve_densely(mdp: TabularMDP, chain: Chain, constant: NDArray[np.float64], refined: bool) -> NDArray[np.float64]:
    """Solves x = constant + gamma P x over the non-terminal states as a dense system."""
    alive, place = living_states(mdp)
    matrix = np.zeros((alive.size, alive.size + 1))
    weights = -mdp.gamma * chain.weights[alive]
    np.add.at(matrix, (np.arange(alive.size)[:, None], place[chain.targets[alive]]), weights)
    matrix = matrix[:, :-1]
    matrix[np.diag_indices(alive.size)] += 1
    solution = np.zeros(mdp.num_states)
    solution[alive] = np.linalg.solve(matrix.T if chain.transposed else matrix, constant[alive])
    if refined:
        for _ in range(REFINEMENTS):
            solution[alive] += np.linalg.solve(matrix, chain.lacks(constant, solution, refined)[alive])
    return solution
