"""Tuples of reward models that act as one: Lemma 4.2, and what it carries over to them, 4.3 to 4.6.

K reward models are combined to R_eff(s, a) = Σ_k w_k(s) R_k(s, a) with fixed weights that are >= 0 and sum to 1 in each
state but terminal ones, where nothing is paid. Tuples are as far apart as their most different members: max_k ‖R_k -
R'_k‖. Weights that are no such weights are a hypothesis not met, not an error, so that one can see what it does to the
conclusion.

Shapes: S states, A actions, K reward models.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cliffgym.analysis.bounds.check import StatementCheck, at_most, sup_norm
from cliffgym.analysis.bounds.continuity import constancy_check, inclusion_check
from cliffgym.analysis.bounds.jump import RESOLVED, TIE, make_jump, nothing_tied
from cliffgym.analysis.bounds.lipschitz import values_check
from cliffgym.checks import array as as_array
from cliffgym.checks import listing
from cliffgym.mdp import TabularMDP
from cliffgym.rewards import RewardComponents, check_reward
from cliffgym.solvers import TIE_TOLERANCE

_SUM_TOLERANCE = 1e-9


def effective_reward_lipschitz(
    mdp: TabularMDP,
    components: RewardComponents,
    other: RewardComponents,
    weights: Mapping[str, float] | ArrayLike,
) -> StatementCheck:
    """Lemma 4.2: the effective reward moves by no more than the reward model that moves most.

    Args:
        mdp: Says which states are terminal and which actions legal.
        components: (K, S, A) R.
        other: (K, S, A) R'.
        weights: (K,), (K, S) or a mapping of names to numbers: w.

    Returns:
        hypotheses: that weights are >= 0 and sum to 1. measured: ‖R_eff - R'_eff‖; bound: max_k ‖R_k - R'_k‖, both in
        units of reward.

    Raises:
        TypeError: The components are not `RewardComponents`.
        ValueError: Shapes disagree, an entry is not finite, or a terminal state pays.

    Source: arXiv:2507.20150, Lemma 4.2.

    >>> import cliffgym
    >>> slacker = cliffgym.scenario("Cliff-Slacker-v0")
    >>> parts = slacker.components
    >>> louder = cliffgym.RewardComponents(parts.names, 1.5 * parts.table)
    >>> effective_reward_lipschitz(slacker.mdp, parts, louder, {"correct": 0.5, "instructions": 0.5}).ratio
    0.5
    """
    pair = _pair(mdp, components, other, weights)
    measured = sup_norm(mdp, pair.reward - pair.other)
    largest = max(sup_norm(mdp, table) for table in (*components.table, *other.table))
    return StatementCheck(
        "Lemma 4.2",
        pair.hypotheses,
        measured,
        pair.distance,
        conclusion=at_most(measured, pair.distance, 4 * len(components) * float(np.finfo(float).eps) * largest),
        details={"distance": pair.distance},
    )


def effective_values_lipschitz(
    mdp: TabularMDP,
    components: RewardComponents,
    other: RewardComponents,
    weights: Mapping[str, float] | ArrayLike,
) -> StatementCheck:
    """Proposition 4.3: Proposition 2.4 for effective rewards, with the distance max_k ‖R_k - R'_k‖.

    Args:
        mdp: The dynamics.
        components: (K, S, A) R.
        other: (K, S, A) R'.
        weights: As in `effective_reward_lipschitz`.

    Returns:
        hypotheses as in `effective_reward_lipschitz`, all else as in `values_lipschitz`.

    Raises:
        TypeError, ValueError: As either.

    Source: arXiv:2507.20150, Proposition 4.3.

    >>> import cliffgym
    >>> scores = {"safety": (1, 0.5, 0)}, {"safety": (1.25, 0.5, 0)}  # what the model of one class pays
    >>> first, second = (cliffgym.scenario("Cliff-MultiReward-v0", scores=given).hidden for given in scores)
    >>> models = [hidden.class_rewards(hidden.components["class_score"]) for hidden in (first, second)]
    >>> check = effective_values_lipschitz(first.seen.mdp, *models, first.class_weights)
    >>> check.verdict, round(check.measured, 12), round(check.bound, 12)
    ('holds', 0.25, 0.25)
    """
    pair = _pair(mdp, components, other, weights)
    return values_check("Proposition 4.3", pair.hypotheses, mdp, pair.reward, pair.other, pair.distance)


def effective_actions_inclusion(
    mdp: TabularMDP,
    components: RewardComponents,
    other: RewardComponents,
    weights: Mapping[str, float] | ArrayLike,
    *,
    tie_tolerance: float = TIE_TOLERANCE,
) -> StatementCheck:
    """Lemma 4.4: Lemma 2.5 for effective rewards, with the distance max_k ‖R_k - R'_k‖.

    Args:
        mdp: The dynamics.
        components: (K, S, A) R0.
        other: (K, S, A) R.
        weights: As in `effective_reward_lipschitz`.
        tie_tolerance: As in `optimal`.

    Returns:
        hypotheses also as in `effective_reward_lipschitz`, all else as in `optimal_actions_inclusion`.

    Raises:
        TypeError, ValueError: As either.

    Source: arXiv:2507.20150, Lemma 4.4.

    >>> import cliffgym
    >>> breaker = cliffgym.scenario("Cliff-TieBreaker-v0")
    >>> parts, weights = breaker.components, {"correct": 0.75, "target_format": 0.25}
    >>> for factor in (1.05, 1.1):
    ...     louder = cliffgym.RewardComponents(parts.names, factor * parts.table)
    ...     check = effective_actions_inclusion(breaker.mdp, parts, louder, weights)
    ...     print(check.verdict, round(check.details["distance"], 12), round(check.details["radius"], 12))
    holds 0.05 0.0625
    not applicable 0.1 0.0625
    """
    pair = _pair(mdp, components, other, weights)
    return inclusion_check("Lemma 4.4", pair.hypotheses, mdp, pair.reward, pair.other, pair.distance, tie_tolerance)


def effective_policy_constancy(
    mdp: TabularMDP,
    components: RewardComponents,
    other: RewardComponents,
    weights: Mapping[str, float] | ArrayLike,
    *,
    tie_tolerance: float = TIE_TOLERANCE,
) -> StatementCheck:
    """Proposition 4.5: Theorem 2.7 for effective rewards, with the distance max_k ‖R_k - R'_k‖.

    Args:
        mdp: The dynamics.
        components: (K, S, A) R0.
        other: (K, S, A) R.
        weights: As in `effective_reward_lipschitz`.
        tie_tolerance: As in `optimal`.

    Returns:
        hypotheses also as in `effective_reward_lipschitz`, all else as in `policy_constancy`.

    Raises:
        TypeError, ValueError: As either.

    Source: arXiv:2507.20150, Proposition 4.5.

    >>> import cliffgym
    >>> breaker = cliffgym.scenario("Cliff-TieBreaker-v0")
    >>> parts, weights = breaker.components, {"correct": 0.75, "target_format": 0.25}
    >>> for factor in (1.1, 1.2):
    ...     louder = cliffgym.RewardComponents(parts.names, factor * parts.table)
    ...     check = effective_policy_constancy(breaker.mdp, parts, louder, weights)
    ...     print(check.verdict, round(check.details["distance"], 12), round(check.details["radius"], 12))
    holds 0.1 0.125
    not applicable 0.2 0.125
    """
    pair = _pair(mdp, components, other, weights)
    return constancy_check(
        "Proposition 4.5", pair.hypotheses, mdp, pair.reward, pair.other, pair.distance, tie_tolerance
    )


def effective_jump(
    mdp: TabularMDP,
    components: RewardComponents,
    weights: Mapping[str, float] | ArrayLike,
    epsilon: float,
    state: int | None = None,
    action: int | None = None,
    *,
    tie_tolerance: float = TIE_TOLERANCE,
) -> StatementCheck:
    """Proposition 4.6: Propositions 2.9 and 2.10 for effective rewards.

    The same change is added to every reward model. As weights sum to 1, it arrives in the effective reward as it is.

    Args:
        mdp: The dynamics.
        components: (K, S, A) R0.
        weights: As in `effective_reward_lipschitz`.
        epsilon: Size of the change, in units of reward, > 0.
        state: As in `deterministic_jump`.
        action: As there.
        tie_tolerance: As there.

    Returns:
        measured: max_k ‖R_k,eps - R_k‖; bound: epsilon. The conclusion is that the bound is kept, that the action alone
        is optimal at the state under the effective reward of the new tuple, and that the uniform selection jumps by
        (m - 1)/m there. witness: (K, S, A) the new tuple. details: as in `deterministic_jump`.

    Raises:
        TypeError, ValueError: As `effective_reward_lipschitz` and `deterministic_jump`.

    Source: arXiv:2507.20150, Proposition 4.6.

    >>> import cliffgym
    >>> slacker = cliffgym.scenario("Cliff-Slacker-v0")
    >>> check = effective_jump(slacker.mdp, slacker.components, {"correct": 1}, epsilon=1e-6)
    >>> check.verdict, check.witness.shape[1:], round(check.ratio, 6)
    ('holds', (41, 5), 1.0)
    """
    base, hypotheses = _effective(mdp, components, weights)
    array = _weights(components, weights)

    def add(change: NDArray[np.float64]) -> NDArray[np.float64]:
        return RewardComponents(components.names, components.table + change).combine(array)

    jump = make_jump(mdp, base, epsilon, state, action, tie_tolerance, parts=tuple(components.table), add=add)
    if jump is None:
        return nothing_tied("Proposition 4.6", epsilon, hypotheses)
    table = components.table + jump.change
    measured = max(sup_norm(mdp, step) for step in table - components.table)
    return StatementCheck(
        "Proposition 4.6",
        hypotheses | {TIE: True, RESOLVED: jump.resolved},
        measured,
        bound=epsilon,
        conclusion=jump.alone and jump.is_full and at_most(measured, epsilon, jump.step_rounding),
        witness=table,
        details=jump.details,
    )


@dataclass(frozen=True, eq=False)
class _Pair:
    """Two effective rewards (S, A), how far apart their tuples are, and whether the weights are weights."""

    reward: NDArray[np.float64]
    other: NDArray[np.float64]
    distance: float
    hypotheses: dict[str, bool]


def _pair(
    mdp: TabularMDP,
    components: RewardComponents,
    other: RewardComponents,
    weights: Mapping[str, float] | ArrayLike,
) -> _Pair:
    reward, hypotheses = _effective(mdp, components, weights)
    if isinstance(other, RewardComponents) and other.names != components.names:
        raise ValueError(f"other must have components {listing(components.names)}, got {listing(other.names)}")
    moved, _ = _effective(mdp, other, weights, "other")
    distance = max(sup_norm(mdp, step) for step in components.table - other.table)
    return _Pair(reward, moved, distance, hypotheses)


def _effective(
    mdp: TabularMDP,
    components: RewardComponents,
    weights: Mapping[str, float] | ArrayLike,
    name: str = "components",
) -> tuple[NDArray[np.float64], dict[str, bool]]:
    """(S, A) the effective reward, and what weights have to be."""
    if not isinstance(components, RewardComponents):
        raise TypeError(f"{name} must be RewardComponents, got {type(components).__name__}")
    if not len(components):
        raise ValueError(f"{name} must have at least one member, got none")
    for part, table in zip(components.names, components.table, strict=True):
        check_reward(mdp, table, f"{name} {part!r}")
    array = _weights(components, weights)
    reward = components.combine(array)
    used = array[:, ~mdp.terminal] if array.ndim > 1 else array
    return reward, {
        "weights are >= 0": bool((used >= 0).all()),
        "weights sum to 1": bool((np.abs(used.sum(axis=0) - 1) <= _SUM_TOLERANCE).all()),
    }


def _weights(components: RewardComponents, weights: Mapping[str, float] | ArrayLike) -> NDArray[np.float64]:
    """(K,) or (K, S) the weights as an array; `RewardComponents.combine` checks the rest."""
    return components.weights(weights) if isinstance(weights, Mapping) else as_array("weights", weights)
