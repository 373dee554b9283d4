"""The soft policy along a line of rewards R(t) = R0 + t D: what temperature makes of a cliff.

Where the optimal policy jumps, the soft one slides, and the theory says how steeply at most. Between neighbouring
positions three things are measured: how far the policy moved, how far Proposition 4.7 lets it move given the change of
the reward, and how far the sharper law tanh(‖ΔQ‖ / (2 alpha)) lets it move given the change of the soft action values.

Shapes: S states, A actions, N positions on the line, T temperatures.

Source: arXiv:2507.20150, Proposition 4.7. The sharp law has the same start: the log-odds of any two actions move by at
most 2 ‖ΔQ‖ / alpha. Distributions whose log-odds differ by 2 x at most are at most tanh(x / 2) apart, which two actions
with probabilities 1/2 ± tanh(x / 2) / 2, exchanged, attain.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cliffgym.analysis.bounds.check import finite_horizon
from cliffgym.checks import array
from cliffgym.frozen import ReadOnlyArrays
from cliffgym.mdp import TabularMDP
from cliffgym.rewards import RewardComponents, check_reward
from cliffgym.solvers import check_policy, expected_components, optimal, soft, total_variation


@dataclass(frozen=True, eq=False)
class SoftPath(ReadOnlyArrays):
    """The soft policy at N positions of a line, at T temperatures.

    Ratios of what was measured to its bound are at most 1, up to rounding: of values, relative 1e-16, divided by the
    temperature. Where a bound is 0 or infinite the ratio is 0.

    Attributes:
        positions: (N,) t, rising.
        temperatures: (T,) alpha, or beta with a reference policy.
        expected_return: (T, N) plain return of the soft policy, without the regulariser.
        optimal_return: (N,) the optimal return: the limit of temperature 0.
        components: (T, N) expected values of each component under the soft policy, by name; empty without components.
        total_variation: (T, N - 1) between neighbouring positions, the largest over non-terminal states.
        lipschitz_bound: (T, N - 1) what Proposition 4.7 allows: ‖ΔR‖ · horizon / (2 alpha), which may exceed 1.
        sharp_bound: (T, N - 1) what the sharp law allows: tanh(‖ΔQ‖ / (2 alpha)).
        softness_bound: (T,) what softness may cost, in units of return.
        horizon: What stands for 1/(1 - gamma) in the bounds: the effective horizon, in discounted steps.

    >>> from cliffgym.analysis.bounds import tight_example
    >>> pair = tight_example(epsilon=0.1, gamma=0.9)  # moves as far as the theory allows: by tanh(1)
    >>> path = soft_path(pair.mdp, pair.reward, pair.other - pair.reward, positions=[0, 1], temperatures=[0.5])
    >>> for name in ("total_variation", "lipschitz_bound", "sharp_bound", "sharp_ratio"):
    ...     print(name, getattr(path, name).round(6).tolist())
    total_variation [[0.761594]]
    lipschitz_bound [[1.0]]
    sharp_bound [[0.761594]]
    sharp_ratio [[1.0]]
    """

    positions: NDArray[np.float64]
    temperatures: NDArray[np.float64]
    expected_return: NDArray[np.float64]
    optimal_return: NDArray[np.float64]
    components: dict[str, NDArray[np.float64]]
    total_variation: NDArray[np.float64]
    lipschitz_bound: NDArray[np.float64]
    sharp_bound: NDArray[np.float64]
    softness_bound: NDArray[np.float64]
    horizon: float

    @property
    def lipschitz_ratio(self) -> NDArray[np.float64]:
        """(T, N - 1) total variation over the bound of Proposition 4.7."""
        return _ratio(self.total_variation, self.lipschitz_bound)

    @property
    def sharp_ratio(self) -> NDArray[np.float64]:
        """(T, N - 1) total variation over the bound of the sharp law."""
        return _ratio(self.total_variation, self.sharp_bound)

    @property
    def cost_of_softness(self) -> NDArray[np.float64]:
        """(T, N) the optimal return less the soft policy's: what it pays for being soft, >= 0."""
        return self.optimal_return - self.expected_return

    @property
    def softness_ratio(self) -> NDArray[np.float64]:
        """(T, N) the cost of softness over its bound."""
        return _ratio(self.cost_of_softness, self.softness_bound[:, None])


def soft_path(
    mdp: TabularMDP,
    reward: ArrayLike,
    direction: ArrayLike,
    positions: ArrayLike,
    temperatures: ArrayLike,
    *,
    reference: ArrayLike | None = None,
    components: RewardComponents | None = None,
) -> SoftPath:
    """Solves the regularised MDP along R0 + t D, and holds how far its policy moves to the theory's bounds.

    Softness costs at most alpha · log(A) · horizon, with A the largest number of legal actions. With a reference policy
    log(A) becomes the largest -log of a legal action's reference probability: infinite if the reference forbids one.

    Args:
        mdp: The dynamics.
        reward: (S, A) R0.
        direction: (S, A) D.
        positions: (N,) t, rising.
        temperatures: (T,) coefficients of entropy, or of the KL divergence with a reference, > 0.
        reference: (S, A) reference policy, or None for entropy: see `soft`.
        components: Named tables whose expected values are to be reported.

    Raises:
        ValueError: Positions or temperatures are empty, not 1-D or not finite; positions do not rise; a temperature is
            not > 0; a direction of zeros; tables as in `soft`.

    Source: arXiv:2507.20150, Proposition 4.7; with a KL penalty the same proof holds with beta for alpha.

    >>> import cliffgym
    >>> breaker = cliffgym.scenario("Cliff-TieBreaker-v0")
    >>> tables = breaker.reward("incomplete"), breaker.components["target_format"]
    >>> path = soft_path(breaker.mdp, *tables, [-0.1, 0, 0.1], [0.1, 0.01], components=breaker.components)
    >>> path.components["target_format"].round(3)
    array([[0.109, 0.25 , 0.475],
           [0.   , 0.25 , 1.   ]])
    >>> bool((path.lipschitz_ratio <= 1).all() and (path.sharp_ratio <= 1).all())
    True
    """
    reward, direction = check_reward(mdp, reward), check_reward(mdp, direction, "direction")
    if not direction.any():
        raise ValueError("direction must not be all zeros, got a table of zeros")
    positions, temperatures = _vector("positions", positions), _vector("temperatures", temperatures)
    if (np.diff(positions) <= 0).any():
        raise ValueError(f"positions must rise, got {positions.tolist()}")
    if (temperatures <= 0).any():
        raise ValueError(f"temperatures must be > 0, got {temperatures[temperatures <= 0][0]}")
    decided = mdp.action_mask & ~mdp.terminal[:, None]
    shape = (temperatures.size, positions.size)
    returns, moved, q_change = np.zeros(shape), np.zeros(shape), np.zeros(shape)
    measures = {name: np.zeros(shape) for name in (components.names if components else ())}
    for i, temperature in enumerate(temperatures.tolist()):
        before = None
        for j, position in enumerate(positions.tolist()):
            here = soft(mdp, reward + position * direction, temperature, reference)
            returns[i, j] = here.expected_return
            if components:
                for name, value in expected_components(mdp, components, here.policy).items():
                    measures[name][i, j] = value
            if before is not None:
                moved[i, j] = total_variation(before.policy, here.policy)[~mdp.terminal].max(initial=0.0)
                q_change[i, j] = np.abs(here.q_values - before.q_values)[decided].max(initial=0.0)
            before = here
    horizon = finite_horizon(mdp)
    # What illegal actions pay moves no policy, so it is left out of ‖ΔR‖.
    steps = np.diff(positions) * np.abs(direction[decided]).max(initial=0.0)
    return SoftPath(
        positions=positions,
        temperatures=temperatures,
        expected_return=returns,
        optimal_return=np.array([optimal(mdp, reward + t * direction).expected_return for t in positions.tolist()]),
        components=measures,
        total_variation=moved[:, 1:],
        lipschitz_bound=steps * horizon / (2 * temperatures[:, None]),
        sharp_bound=np.tanh(q_change[:, 1:] / (2 * temperatures[:, None])),
        softness_bound=temperatures * _largest_surprise(mdp, reference) * horizon,
        horizon=horizon,
    )


def _vector(name: str, values: ArrayLike) -> NDArray[np.float64]:
    """A checked array of numbers, one at least."""
    vector = array(name, values)
    if vector.ndim != 1 or not vector.size:
        raise ValueError(f"{name} must be a 1-D array of one number or more, got shape {vector.shape}")
    if not np.isfinite(vector).all():
        raise ValueError(f"{name} must be finite, got {vector[~np.isfinite(vector)][0]}")
    return vector


def _largest_surprise(mdp: TabularMDP, reference: ArrayLike | None) -> float:
    """log(A) for entropy; the largest -log pi_ref(a|s) over legal pairs for KL."""
    alive = ~mdp.terminal
    if reference is None:
        return float(np.log(mdp.action_mask[alive].sum(axis=1).max(initial=1)))
    least = check_policy(mdp, reference, "reference")[mdp.action_mask & alive[:, None]].min(initial=1.0)
    return float(-np.log(least)) if least > 0 else np.inf


def _ratio(measured: NDArray[np.float64], bound: NDArray[np.float64]) -> NDArray[np.float64]:
    """Measured over bound, and 0 where the bound says nothing: it is 0 (then so is what it bounds) or infinite."""
    bound = np.broadcast_to(bound, measured.shape)
    return np.divide(measured, bound, out=np.zeros(measured.shape), where=(bound > 0) & np.isfinite(bound))
