"""The Pareto front of expected components, exactly, in MDPs whose traces form a tree.

From the ends backwards, each state keeps the undominated vectors that deterministic choices from there on can earn;
what chance leads to is combined by all sums. In a tree every state is come to from one other, so a choice for each
state is all that a policy is. The same sets in a graph would let a policy choose by how it came, which is why only
trees are taken.

Shapes: K objectives, n points, S states, A actions, B successor slots.

Source: White (1982), Multi-objective infinite-horizon discounted Markov decision processes, J. Math. Anal. Appl. 89.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cliffgym.checks import integer, number
from cliffgym.frozen import ReadOnlyArrays
from cliffgym.graph import reachable
from cliffgym.mdp import TabularMDP
from cliffgym.rewards import RewardComponents
from cliffgym.solvers.optimal import TIE_TOLERANCE
from cliffgym.solvers.policies import uniform_policy

_MOST_SUMS = 4_000_000
"""Sums of points that one step may have to look at."""


class _Origin(NamedTuple):
    """How a point comes about: the action, and for each state that may follow which of its points."""

    action: int
    parts: tuple[tuple[int, int], ...]


class _Points(NamedTuple):
    """Undominated vectors (n, K) and how each comes about."""

    values: NDArray[np.float64]
    origins: list[_Origin]


@dataclass(frozen=True, eq=False)
class ParetoFront(ReadOnlyArrays):
    """The undominated expected returns of deterministic policies. Made by `pareto_front`.

    Attributes:
        names: K objectives.
        values: (n, K) their expected discounted sums, the first objective falling.

    >>> import cliffgym
    >>> made = cliffgym.scenario("Cliff-LengthPenalty-v0", difficulties=(1, 4))
    >>> front = pareto_front(made.mdp, made.components, {"correct": 1, "length": -1})
    >>> front.names, front.values.tolist()
    (('correct', 'length'), [[1.0, -2.5], [0.5, -0.5], [0.0, 0.0]])
    >>> cliffgym.expected_components(made.mdp, made.components, front.policy(1))["length"]  # thinks once, or not at all
    0.5
    """

    names: tuple[str, ...]
    values: NDArray[np.float64]
    _mdp: TabularMDP = field(repr=False)
    _sets: dict[int, _Points] = field(repr=False)
    _origins: list[_Origin] = field(repr=False)

    def policy(self, point: int) -> NDArray[np.float64]:
        """(S, A) a deterministic policy that earns `values[point]`; uniform over legal actions where it never comes.

        Raises:
            ValueError: There is no such point.
            TypeError: The point is not an integer.
        """
        table = uniform_policy(self._mdp)
        pending = list(self._origins[integer("point", point, 0, len(self.values) - 1)].parts)
        while pending:
            state, place = pending.pop()
            origin = self._sets[state].origins[place]
            table[state] = np.arange(self._mdp.num_actions) == origin.action
            pending += origin.parts
        return table

    def __len__(self) -> int:
        return len(self.values)


def pareto_front(
    mdp: TabularMDP,
    components: RewardComponents,
    objectives: Mapping[str, float] | Sequence[str] | None = None,
    *,
    max_points: int = 10_000,
    tolerance: float = TIE_TOLERANCE,
) -> ParetoFront:
    """Finds every undominated vector of expected returns that a deterministic policy can earn.

    Args:
        mdp: The dynamics: traces of legal actions form a tree, as those of a grammar do.
        components: (K, S, A) named tables.
        objectives: Components by name with the factors to maximise them with, such as -1 for a cost; names alone stand
            for factors of 1. Default: all components.
        max_points: The most points that the front or a state may have.
        tolerance: Values that differ by less, relative to the largest entry of the objective, count as equal.

    Raises:
        ValueError: An unknown component, or none; a state that legal actions lead to from two others; components of
            another shape; or more than `max_points`.
        TypeError: A factor is not a number.

    >>> import cliffgym
    >>> obedience = cliffgym.scenario("Cliff-Obedience-v0", difficulties=(5,))
    >>> pareto_front(obedience.mdp, obedience.components, ["correct", "soft"]).values
    array([[1. , 0.5],
           [0. , 1. ]])
    """
    factors = objective_factors(components, components.names if objectives is None else objectives)
    if components.table.shape[1:] != (mdp.num_states, mdp.num_actions):
        raise ValueError(
            f"components must have shape (K, S, A) with (S, A) = {(mdp.num_states, mdp.num_actions)}, got "
            f"{components.table.shape}"
        )
    met = _require_tree(mdp)
    max_points = integer("max_points", max_points, 1)
    rewards = np.stack([factor * components[name] for name, factor in factors.items()], axis=-1)
    slack = number("tolerance", tolerance, 0) * np.abs(rewards).max(axis=(0, 1))
    sets = _Sets(mdp, rewards, slack, max_points, met)
    starts = [(int(state), float(mdp.initial[state])) for state in np.flatnonzero(mdp.initial)]
    values, origins = sets.combined(np.zeros(len(factors)), starts, -1)
    order = np.lexsort(-values.T[::-1])
    return ParetoFront(tuple(factors), values[order] + 0.0, mdp, sets.by_state, [origins[i] for i in order])


def objective_factors(
    components: RewardComponents, objectives: Mapping[str, float] | Sequence[str]
) -> dict[str, float]:
    """Objectives as a mapping of component names to factors.

    Raises:
        ValueError: A component is unknown, named twice, or there is none; or a factor is 0 or not finite.
        TypeError: A factor is not a number, or names are not a sequence of strings.
    """
    if isinstance(objectives, str) or not isinstance(objectives, Mapping | Sequence):
        raise TypeError(f"objectives must be a mapping or sequence of component names, got {objectives!r}")
    given = objectives if isinstance(objectives, Mapping) else dict.fromkeys(objectives, 1.0)
    if not given or len(given) < len(objectives):
        raise ValueError(f"objectives must be different components, at least one, got {objectives!r}")
    factors = {}
    for name, factor in given.items():
        components.index(name)
        factors[name] = number(f"factor of {name!r}", factor)
        if not factors[name]:
            raise ValueError(f"factor of {name!r} must not be 0, got {factor!r}")
    return factors


def _require_tree(mdp: TabularMDP) -> NDArray[np.bool_]:
    """(S,) True for the states that legal actions lead to; these must have one parent each.

    Several actions of one state may lead to the same: a policy takes one of them.
    """
    met = reachable(mdp.successors, mdp.probabilities, mdp.initial, mdp.action_mask)
    parents = np.flatnonzero(met & ~mdp.terminal)
    ways = mdp.action_mask[parents][:, :, None] & (mdp.probabilities[parents] > 0)
    pairs = np.unique(
        np.stack([np.broadcast_to(parents[:, None, None], ways.shape)[ways], mdp.successors[parents][ways]]), axis=1
    )
    entries = np.bincount(pairs[1], minlength=mdp.num_states) + (mdp.initial > 0)
    twice = np.flatnonzero((entries > 1) & ~mdp.terminal)
    if twice.size:
        raise ValueError(
            "mdp must be a tree of traces, whose states are come to in one way, got "
            f"{entries[twice[0]]} ways to {mdp.describe_state(twice[0])}"
        )
    if not mdp.is_acyclic:
        raise ValueError("mdp must be a tree of traces, got one with a cycle")
    return met


class _Sets:
    """The undominated points of each state that traces come to.

    Args:
        mdp: The dynamics.
        rewards: (S, A, K) what each objective pays.
        slack: (K,) differences up to this are none.
        max_points: The most points that a state may have.
        met: (S,) True for the states that legal actions lead to.

    Attributes:
        by_state: The points of each state.
    """

    def __init__(
        self,
        mdp: TabularMDP,
        rewards: NDArray[np.float64],
        slack: NDArray[np.float64],
        max_points: int,
        met: NDArray[np.bool_],
    ) -> None:
        self._mdp, self._slack, self._max_points = mdp, slack, max_points
        self.by_state: dict[int, _Points] = {}
        for level in mdp.levels:
            for state in level.tolist():
                if met[state]:
                    self.by_state[state] = self._of_state(state, rewards[state])

    def _of_state(self, state: int, rewards: NDArray[np.float64]) -> _Points:
        mdp = self._mdp
        values, origins = [], []
        for action in np.flatnonzero(mdp.action_mask[state]).tolist():
            following, slots = np.unique(mdp.successors[state, action], return_inverse=True)
            chances = np.bincount(slots, weights=mdp.probabilities[state, action])
            follow = [
                (int(to), mdp.gamma * float(chance))
                for to, chance in zip(following, chances, strict=True)
                if chance > 0 and not mdp.terminal[to]
            ]
            points = self.combined(rewards[action], follow, action)
            values.append(points.values)
            origins += points.origins
        sums = np.concatenate(values)
        kept = self._kept(sums)
        return _Points(sums[kept], [origins[i] for i in kept])

    def combined(self, base: NDArray[np.float64], follow: Sequence[tuple[int, float]], action: int) -> _Points:
        """Points of a reward and all sums of points of the states that follow, each with its weight."""
        points = _Points(base[None], [_Origin(action, ())])
        for state, weight in follow:
            if self._mdp.terminal[state]:
                continue
            others = self.by_state[state].values
            if len(points.values) * len(others) > _MOST_SUMS:
                raise ValueError(
                    f"mdp must have at most {_MOST_SUMS:,} sums of points to compare at a time, got "
                    f"{len(points.values) * len(others):,} where {self._mdp.describe_state(state)} joins: choose a "
                    "smaller one, fewer objectives or coverage_set"
                )
            sums = (points.values[:, None] + weight * others).reshape(-1, base.size)
            kept = self._kept(sums)
            pairs = zip(*np.divmod(kept, len(others)), strict=True)
            origins = [_Origin(action, (*points.origins[i].parts, (state, int(j)))) for i, j in pairs]
            points = _Points(sums[kept], origins)
        return points

    def _kept(self, values: NDArray[np.float64]) -> NDArray[np.intp]:
        kept = undominated(values, self._slack, self._max_points)
        if kept.size > self._max_points:
            raise ValueError(f"max_points must be at least the number of points, got {self._max_points} and more")
        return kept


def undominated(
    values: NDArray[np.float64], slack: float | NDArray[np.float64] = 0.0, limit: int | None = None
) -> NDArray[np.intp]:
    """The places of points that no other is better than in one objective and as good as in all; of equals, one.

    Args:
        values: (n, K) points; more is better.
        slack: Differences up to this are none: a number, or (K,) one for each objective.
        limit: Gives up, with one point more, when this many are found.
    """
    # In order of falling sums, only an earlier point can be as good in every objective. Each that is dropped is within
    # the slack of one that is kept.
    order = np.lexsort((*-values.T[::-1], -values.sum(axis=1)))
    points, kept = values[order], list[int]()
    while order.size and (limit is None or len(kept) <= limit):
        kept.append(int(order[0]))
        left = (points > points[0] + slack).any(axis=1)
        points, order = points[left], order[left]
    return np.sort(np.array(kept, dtype=np.intp))
