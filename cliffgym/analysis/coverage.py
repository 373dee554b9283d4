"""The convex coverage set: what is optimal for some weighing of the objectives.

With two objectives the weights are a line, with three a triangle of the plane of two weights; `trace_line` and
`phase_diagram` cut them into the pieces in which one vector of expected returns is optimal. Each piece with an inside
gives one vector of the set: one corner of the convex hull of the Pareto front.

Shapes: K objectives, n vectors, S states, A actions, V corners of a piece.

Source: Roijers, Vamplew, Whiteson and Dazeley (2013), A survey of multi-objective sequential decision-making, JAIR 48.
"""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cliffgym.analysis.line import Line, Segment, trace_line
from cliffgym.analysis.plane import phase_diagram
from cliffgym.frozen import ReadOnlyArrays
from cliffgym.mdp import TabularMDP
from cliffgym.rewards import RewardComponents
from cliffgym.solvers import TIE_TOLERANCE, expected_components, optimal
from cliffgym.solvers.pareto import objective_factors

_SMALLEST = 1e-12
"""A piece of the weights of less than this share is rounding."""


@dataclass(frozen=True, eq=False)
class CoverageSet(ReadOnlyArrays):
    """The vectors that are optimal for weights >= 0 of the objectives. Made by `coverage_set`.

    Attributes:
        names: K objectives.
        values: (n, K) expected discounted sums, the first objective falling.
        weights: (n, K) weights, summing to 1, for which each is the only optimum: the middle of its piece.
        shares: (n,) the share of all weights for which each is optimal.
        policies: (n, S, A) a policy that earns each.

    >>> import cliffgym
    >>> made = cliffgym.scenario("Cliff-LengthPenalty-v0", difficulties=(4,))
    >>> found = coverage_set(made.mdp, made.components, {"correct": 1, "length": -1})
    >>> found.values.tolist()  # four thoughts are worth it where length weighs less than a quarter of correct
    [[1.0, -4.0], [0.0, 0.0]]
    >>> found.shares.round(12).tolist(), found.weights.round(12).tolist()
    ([0.2, 0.8], [[0.9, 0.1], [0.4, 0.6]])
    """

    names: tuple[str, ...]
    values: NDArray[np.float64]
    weights: NDArray[np.float64]
    shares: NDArray[np.float64]
    policies: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.values)


def coverage_set(
    mdp: TabularMDP,
    components: RewardComponents,
    objectives: Mapping[str, float] | Sequence[str] | None = None,
    *,
    tie_tolerance: float = TIE_TOLERANCE,
) -> CoverageSet:
    """Finds the convex coverage set of two or three objectives.

    Args:
        mdp: The dynamics, cyclic or not.
        components: (K, S, A) named tables.
        objectives: Two or three components by name with the factors to maximise them with, such as -1 for a cost; names
            alone stand for factors of 1. Default: all components.
        tie_tolerance: As in `optimal`.

    Raises:
        ValueError: An unknown component, fewer than two objectives or more than three, or tables as in `optimal`.
        TypeError: A factor is not a number.

    >>> import cliffgym
    >>> obedience = cliffgym.scenario("Cliff-Obedience-v0")
    >>> coverage_set(obedience.mdp, obedience.components, ["correct", "soft"]).values
    array([[1.   , 0.625],
           [0.75 , 0.875],
           [0.5  , 1.   ]])
    """
    factors = objective_factors(components, components.names if objectives is None else objectives)
    if len(factors) not in (2, 3):
        raise ValueError(f"objectives must be two or three, got {len(factors)}: {', '.join(factors)}")
    tables = [factor * components[name] for name, factor in factors.items()]
    named = RewardComponents(tuple(factors), np.stack(tables))
    pieces = _intervals(mdp, named, tie_tolerance) if len(tables) == 2 else _triangles(mdp, named, tie_tolerance)
    values = np.array([piece.values for piece in pieces])
    order = np.lexsort(-values.T[::-1])
    return CoverageSet(
        names=tuple(factors),
        values=values[order] + 0.0,
        weights=np.array([pieces[i].weights for i in order]),
        shares=np.array([pieces[i].share for i in order]),
        policies=np.array([pieces[i].policy for i in order]),
    )


@dataclass(frozen=True, eq=False)
class _Piece:
    """Weights with one optimal vector."""

    values: Sequence[float]
    weights: NDArray[np.float64]
    share: float
    policy: NDArray[np.float64]


def _intervals(mdp: TabularMDP, named: RewardComponents, tie_tolerance: float) -> list[_Piece]:
    """The pieces of the line from all weight on the second objective to all on the first."""
    first, second = named.table
    if not (first - second).any():  # all weights are alike
        policy = optimal(mdp, first, tie_tolerance).policy
        values = list(expected_components(mdp, named, policy).values())
        return [_Piece(values, np.full(2, 0.5), 1.0, policy)]
    options = {"components": named, "reachable_only": True, "tie_tolerance": tie_tolerance}
    line = trace_line(mdp, second, first - second, 0, 1, **options)
    pieces = []
    # Where what changes is worth the same, one vector is optimal on both sides of a breakpoint.
    for vector, group in itertools.groupby(_with_vectors(line, named, tie_tolerance), key=lambda pair: pair[1]):
        segments = [segment for segment, _ in group]
        start, stop = segments[0].start, segments[-1].stop
        weights = np.array([(start + stop) / 2, 1 - (start + stop) / 2])
        pieces.append(_Piece(vector, weights, stop - start, segments[0].policy))
    return pieces


def _with_vectors(
    line: Line, named: RewardComponents, tie_tolerance: float
) -> Iterator[tuple[Segment, tuple[float, ...]]]:
    """Segments with their vectors; those that differ by rounding alone are the first of them."""
    slack = max(tie_tolerance, _SMALLEST) * float(np.abs(named.table).max())
    last: tuple[float, ...] | None = None
    for segment in line.segments:
        vector = tuple(segment.components[name] for name in named.names)
        if last is None or max(abs(a - b) for a, b in zip(vector, last, strict=True)) > slack:
            last = vector
        yield segment, last


def _triangles(mdp: TabularMDP, named: RewardComponents, tie_tolerance: float) -> list[_Piece]:
    """The pieces of the triangle of the first two weights, the third being what is left of 1."""
    first, second, third = named.table
    tables = third, first - third, second - third
    diagram = phase_diagram(mdp, tables, (0, 1), (0, 1), components=named, tie_tolerance=tie_tolerance)
    pieces = []
    for cell in diagram.cells:
        corners = _below(cell.vertices)
        area = _area(corners)
        if area > _SMALLEST:
            x, y = corners.mean(axis=0)
            values = [cell.components[name] for name in named.names]
            pieces.append(_Piece(values, np.array([x, y, 1 - x - y]), 2 * area, cell.policy))
    return pieces


def _below(corners: NDArray[np.float64]) -> NDArray[np.float64]:
    """(V, 2) the corners of what is left of a convex polygon where x + y <= 1."""
    kept = []
    for here, there in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        over, over_there = here.sum() - 1, there.sum() - 1
        if over <= 0:
            kept.append(here)
        if over * over_there < 0:
            kept.append(here + (there - here) * over / (over - over_there))
    return np.array(kept).reshape(-1, 2)


def _area(corners: NDArray[np.float64]) -> float:
    x, y = corners.T
    return float(abs(x @ np.roll(y, -1) - y @ np.roll(x, -1)) / 2)
