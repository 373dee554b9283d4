"""Many rewards on one MDP, solved together: hard and soft.

Each reward is solved on its own terms, as `optimal` and `soft` solve it: nothing is handed on from one to the next, so
that the order of a batch changes nothing. What is saved is the work that rewards share, and Python's.

Shapes: N rewards, S states, A actions.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from numbers import Real

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cliffgym.checks import array, integer, number
from cliffgym.frozen import ReadOnlyArrays
from cliffgym.mdp import TabularMDP
from cliffgym.rewards import check_reward
from cliffgym.solvers.linear import require_finite
from cliffgym.solvers.optimal import TIE_TOLERANCE, Optimum, gap_tolerance, require_finite_gaps, solve_rewards
from cliffgym.solvers.policies import uniform_over
from cliffgym.solvers.soft import SoftOptimum, check_temperature, log_weights, solve_softly
from cliffgym.solvers.structure import chosen_kernel


@dataclass(frozen=True, eq=False)
class OptimumBatch(ReadOnlyArrays):
    """The solutions of an MDP under N rewards. Indexing by a number gives one `Optimum`; iteration gives all.

    Attributes:
        state_values: (N, S) as `Optimum.state_values`.
        q_values: (N, S, A).
        action_gaps: (N, S, A).
        optimal_actions: (N, S, A).
        expected_return: (N,).
        tolerance: (N,).
        terminal: (S,) the MDP's terminal states.

    >>> import cliffgym
    >>> made = cliffgym.scenario("Cliff-LengthPenalty-v0")  # difficulties 1 to 4
    >>> rewards = [made.reward({"correct": 1, "length": -price}) for price in (0.2, 0.3, 0.4, 0.6)]
    >>> optima = optimal_batch(made.mdp, rewards)
    >>> optima.q_values.shape, optima.expected_return.round(12).tolist()
    ((4, 76, 2), [0.5, 0.3, 0.2, 0.1])
    >>> [cliffgym.expected_components(made.mdp, made.components, one.policy)["correct"] for one in optima]
    [1.0, 0.75, 0.5, 0.25]
    """

    state_values: NDArray[np.float64]
    q_values: NDArray[np.float64]
    action_gaps: NDArray[np.float64]
    optimal_actions: NDArray[np.bool_]
    expected_return: NDArray[np.float64]
    tolerance: NDArray[np.float64]
    terminal: NDArray[np.bool_]

    @property
    def policy(self) -> NDArray[np.float64]:
        """(N, S, A) the optimal policies that break ties uniformly."""
        return uniform_over(self.optimal_actions)

    def __len__(self) -> int:
        return len(self.state_values)

    def __getitem__(self, index: int) -> Optimum:
        index = _position(index, len(self))
        return Optimum(
            state_values=self.state_values[index],
            q_values=self.q_values[index],
            action_gaps=self.action_gaps[index],
            optimal_actions=self.optimal_actions[index],
            expected_return=float(self.expected_return[index]),
            tolerance=float(self.tolerance[index]),
            terminal=self.terminal,
        )

    def __iter__(self) -> Iterator[Optimum]:
        return (self[index] for index in range(len(self)))


@dataclass(frozen=True, eq=False)
class SoftOptimumBatch(ReadOnlyArrays):
    """The regularised solutions of an MDP under N rewards. Indexing by a number gives one `SoftOptimum`.

    Attributes:
        policy: (N, S, A) as `SoftOptimum.policy`.
        state_values: (N, S).
        q_values: (N, S, A).
        expected_return: (N,).
        soft_return: (N,).
        temperature: (N,).

    >>> import cliffgym
    >>> classes = cliffgym.scenario("Cliff-MultiReward-v0")
    >>> solutions = soft_batch(classes.mdp, [classes.reward("incomplete")] * 2, temperature=[1e6, 1e-3])
    >>> solutions.policy[0, 0].round(3).tolist(), solutions.policy[1, 0].round(3).tolist()  # a prompt about safety
    ([0.333, 0.333, 0.333], [1.0, 0.0, 0.0])
    >>> [round(solution.expected_return, 3) for solution in solutions]  # of the uniform policy, and of an optimal one
    [0.583, 0.875]
    """

    policy: NDArray[np.float64]
    state_values: NDArray[np.float64]
    q_values: NDArray[np.float64]
    expected_return: NDArray[np.float64]
    soft_return: NDArray[np.float64]
    temperature: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.state_values)

    def __getitem__(self, index: int) -> SoftOptimum:
        index = _position(index, len(self))
        return SoftOptimum(
            policy=self.policy[index],
            state_values=self.state_values[index],
            q_values=self.q_values[index],
            expected_return=float(self.expected_return[index]),
            soft_return=float(self.soft_return[index]),
            temperature=float(self.temperature[index]),
        )

    def __iter__(self) -> Iterator[SoftOptimum]:
        return (self[index] for index in range(len(self)))


def optimal_batch(
    mdp: TabularMDP, rewards: ArrayLike, tie_tolerance: float = TIE_TOLERANCE, *, kernel: str = "auto"
) -> OptimumBatch:
    """Solves an MDP under many rewards, each as `optimal` does.

    Args:
        mdp: The dynamics.
        rewards: (N, S, A), 0 at terminal states.
        tie_tolerance: As in `optimal`, relative to the scale of each reward.
        kernel: As in `optimal`; "auto" counts N · S · A · B.

    Raises:
        ValueError: As `optimal`; the message names the reward.
        ArithmeticError, ImportError: As `optimal`.

    >>> import cliffgym
    >>> slacker = cliffgym.scenario("Cliff-Slacker-v0")
    >>> optima = optimal_batch(slacker.mdp, [slacker.reward("incomplete"), slacker.reward("true")])
    >>> [len(optimum.tied_states) for optimum in optima]
    [12, 0]
    """
    tables = _check_rewards(mdp, rewards)
    tie_tolerance = number("tie_tolerance", tie_tolerance, minimum=0)
    values, q_values, gaps, scales = solve_rewards(mdp, tables, chosen_kernel(kernel, mdp, len(tables)))
    _require_finite(values)
    for n, scale in enumerate(scales):
        require_finite_gaps(mdp, values[n], gaps[n], scale, f"rewards[{n}]")
    each = zip(values, scales, strict=True)
    tolerance = np.array([gap_tolerance(mdp, row, scale, tie_tolerance) for row, scale in each])
    ties = gaps <= tolerance[:, None, None]
    return OptimumBatch(values, q_values, gaps, ties, _returns(mdp, values), tolerance, mdp.terminal)


def soft_batch(
    mdp: TabularMDP,
    rewards: ArrayLike,
    temperature: ArrayLike,
    reference: ArrayLike | None = None,
    *,
    kernel: str = "auto",
) -> SoftOptimumBatch:
    """Solves a regularised MDP under many rewards, each as `soft` does.

    Args:
        mdp: The dynamics.
        rewards: (N, S, A), 0 at terminal states.
        temperature: As in `soft`: one number for all, or (N,) numbers.
        reference: (S, A) reference policy for all, or None for entropy.
        kernel: As in `optimal`; "auto" counts N · S · A · B.

    Raises:
        ValueError: As `soft`; the message names the reward.
        ArithmeticError, ImportError: As `optimal`.

    >>> import cliffgym
    >>> breaker = cliffgym.scenario("Cliff-TieBreaker-v0", bonus=0.1)
    >>> solutions = soft_batch(breaker.mdp, [breaker.reward("true")] * 2, temperature=[0.1, 1.0])
    >>> [round(solution.expected_return, 4) for solution in solutions]
    [1.0474, 0.603]
    """
    tables = _check_rewards(mdp, rewards)
    temperatures = _check_temperatures(temperature, len(tables))
    weights = log_weights(mdp, reference)
    solved = solve_softly(mdp, tables, temperatures, weights, chosen_kernel(kernel, mdp, len(tables)))
    policy, values, q_values, plain = solved
    _require_finite(values)
    return SoftOptimumBatch(policy, values, q_values, _returns(mdp, plain), _returns(mdp, values), temperatures)


def _position(index: object, length: int) -> int:
    """A position in a batch, counted from its end if negative; past its ends there is none, which ends iteration."""
    if not -length <= integer("index", index, -(2**63)) < length:
        raise IndexError(f"index must be in [{-length}, {length - 1}], got {index}")
    return int(index)  # type: ignore[call-overload]


def _check_rewards(mdp: TabularMDP, rewards: ArrayLike) -> NDArray[np.float64]:
    """Returns `rewards` as a float array (N, S, A) of which each suits `mdp`."""
    tables = array("rewards", rewards)
    shape = (mdp.num_states, mdp.num_actions)
    if tables.ndim != 3 or tables.shape[1:] != shape:
        raise ValueError(f"rewards must have shape (N, S, A) with (S, A) = {shape}, got {tables.shape}")
    wrong = ~np.isfinite(tables).all(axis=(1, 2)) | tables[:, mdp.terminal].any(axis=(1, 2))
    for n in np.flatnonzero(wrong):
        check_reward(mdp, tables[n], f"rewards[{n}]")
    return tables


def _check_temperatures(temperature: ArrayLike, num_rewards: int) -> NDArray[np.float64]:
    """Returns (N,) temperatures > 0, from one or from as many as there are rewards."""
    if isinstance(temperature, Real):
        return np.full(num_rewards, check_temperature(temperature))
    temperatures = array("temperature", temperature)
    if temperatures.shape not in ((), (num_rewards,)):
        raise ValueError(
            f"temperature must be a number or have shape (N,) = ({num_rewards},), got {temperatures.shape}"
        )
    if temperatures.ndim == 0:
        return np.full(num_rewards, check_temperature(float(temperatures)))
    for n, value in enumerate(temperatures.tolist()):
        check_temperature(value, f"temperature[{n}]")
    return temperatures


def _returns(mdp: TabularMDP, values: NDArray[np.float64]) -> NDArray[np.float64]:
    """(N,) values (N, S) averaged over the initial states, row by row: a matrix product may round rows differently."""
    return np.array([mdp.initial @ row for row in values], dtype=float)


def _require_finite(values: NDArray[np.float64]) -> None:
    """Refuses rewards whose values (N, S) overflow."""
    for n in np.flatnonzero(~np.isfinite(values).all(axis=1)):
        require_finite(values[n], f"rewards[{n}]")
