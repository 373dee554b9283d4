"""The plane of two reward weights, cut into the cells in which the same behaviour is optimal.

From the start, a policy's return on R(x, y) = R0 + x R1 + y R2 is a plane over (x, y), and the optimal return is the
upper envelope of those planes: convex, and linear on convex cells. The envelope is found by solving the MDP at the
corners of the cells found so far until no corner shows a better policy. So the boundaries are exact lines, not the
edges of pixels, and the cells are the convex coverage set of the two weights.

Shapes: S states, A actions, V vertices of a cell.

Source: Roijers, Whiteson and Oliehoek (2015), "Computing convex coverage sets for faster multi-objective coordination"
(optimistic linear support).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cliffgym.checks import number
from cliffgym.frozen import ReadOnlyArrays
from cliffgym.mdp import TabularMDP
from cliffgym.rewards import RewardComponents, check_reward
from cliffgym.solvers import TIE_TOLERANCE, evaluate, expected_components, optimal
from cliffgym.solvers.policies import uniform_over

_MAX_CELLS = 10_000


@dataclass(frozen=True, eq=False)
class Cell(ReadOnlyArrays):
    """A convex region of the plane in which the same policies are optimal from the start.

    Attributes:
        vertices: (V, 2) its corners (x, y), counter-clockwise.
        plane: (3,) c0, c1, c2: the optimal return in the cell is c0 + c1 x + c2 y.
        policy: (S, A) a policy that is optimal throughout the cell.
        components: Its expected component values: the cell's outcome. Empty without components.

    >>> import cliffgym
    >>> slacker = cliffgym.scenario("Cliff-Slacker-v0")
    >>> tables = [slacker.components[name] for name in ("correct", "instructions", "effort")]
    >>> diagram = phase_diagram(slacker.mdp, tables, (-1, 1), (-1, 1), components=slacker.components)
    >>> cell = diagram.at(0.5, 0.5)  # where both instructions are followed: worth 1 + x + 2 y
    >>> cell.plane.round(9).tolist(), cell.components["effort"]
    ([1.0, 1.0, 2.0], 2.0)
    >>> len(cell.vertices), round(cell.area, 9), cell.centre.round(9).tolist()
    (4, 2.0, [0.0, 0.5])
    """

    vertices: NDArray[np.float64]
    plane: NDArray[np.float64]
    policy: NDArray[np.float64]
    components: dict[str, float]

    @property
    def area(self) -> float:
        """The cell's area, in units of weight times weight."""
        x, y = self.vertices.T
        return float(abs(x @ np.roll(y, -1) - y @ np.roll(x, -1)) / 2)

    @property
    def centre(self) -> NDArray[np.float64]:
        """(2,) the mean of its corners, a point inside it."""
        return self.vertices.mean(axis=0)


@dataclass(frozen=True, eq=False)
class PhaseDiagram:
    """The cells of a rectangle of weights; they cover it and meet only at their borders.

    >>> import cliffgym
    >>> obedience = cliffgym.scenario("Cliff-Obedience-v0")
    >>> tables = [obedience.components[name] for name in ("correct", "soft", "hard")]
    >>> diagram = phase_diagram(obedience.mdp, tables, (0, 3), (0, 3), components=obedience.components)
    >>> len(diagram.cells)  # difficulty 6 is given up where x + y > 1, difficulty 5 also where x / 2 + y > 1
    3
    >>> [round(diagram.at(x, 0.2).components["correct"], 9) for x in (0.5, 1.2, 2.5)]
    [1.0, 0.75, 0.5]
    """

    cells: tuple[Cell, ...]
    x_range: tuple[float, float]
    y_range: tuple[float, float]

    def at(self, x: float, y: float) -> Cell:
        """The cell that contains a point; on a border, one of those that meet there.

        Raises:
            ValueError: The point is outside the rectangle.
        """
        for name, value, (low, high) in (("x", x, self.x_range), ("y", y, self.y_range)):
            if not low <= value <= high:
                raise ValueError(f"{name} must be in [{low}, {high}], got {value}")
        return max(self.cells, key=lambda cell: float(cell.plane @ (1.0, x, y)))


def phase_diagram(
    mdp: TabularMDP,
    tables: Sequence[ArrayLike],
    x_range: tuple[float, float],
    y_range: tuple[float, float],
    *,
    components: RewardComponents | None = None,
    tie_tolerance: float = TIE_TOLERANCE,
) -> PhaseDiagram:
    """Cuts a rectangle of weights into the cells of equal optimal behaviour.

    Policies that earn the same under all three tables share a cell.

    Args:
        mdp: The dynamics.
        tables: R0, R1, R2, each (S, A): the reward at (x, y) is R0 + x R1 + y R2.
        x_range: First and last x.
        y_range: First and last y.
        components: Named tables whose expected values label the cells.
        tie_tolerance: As in `optimal`; also the height, relative to the tables, below which an edge of the envelope
            counts as flat.

    Raises:
        ValueError: Not three tables, an empty range, or tables as in `optimal`.

    >>> import cliffgym
    >>> slacker = cliffgym.scenario("Cliff-Slacker-v0")
    >>> tables = [slacker.components[name] for name in ("correct", "instructions", "effort")]
    >>> diagram = phase_diagram(slacker.mdp, tables, (-1, 1), (-1, 1))
    >>> [round(cell.area, 12) for cell in diagram.cells]  # instructions are followed where x + 2 y > 0
    [2.0, 2.0]
    """
    if len(tables) != 3:
        raise ValueError(f"tables must be three, R0, R1 and R2, got {len(tables)}")
    rewards = np.stack([check_reward(mdp, table, f"tables[{i}]") for i, table in enumerate(tables)])
    (x0, x1), (y0, y1) = (_range(name, given) for name, given in (("x_range", x_range), ("y_range", y_range)))
    tie_tolerance = number("tie_tolerance", tie_tolerance, minimum=0)
    rectangle = np.array([(x0, y0), (x1, y0), (x1, y1), (x0, y1)])
    # The height, in units of return, that rounding may fake at a corner of the rectangle.
    scale = float(np.abs(rewards).max(axis=(1, 2)) @ (1.0, max(abs(x0), abs(x1)), max(abs(y0), abs(y1))))
    flat = max(tie_tolerance, 1e-12) * max(scale, np.finfo(float).tiny)

    span = np.array([x1 - x0, y1 - y0])
    middle = rectangle.mean(axis=0)
    planes: list[NDArray[np.float64]] = []
    policies: list[NDArray[np.float64]] = []
    polygons: list[NDArray[np.float64]] = []
    pending, known = list(rectangle), set[tuple[float, ...]]()
    while pending:
        corner = pending.pop()
        known.add(_key(corner, span))
        policy = _policy_beside(mdp, rewards, corner, middle - corner, tie_tolerance)
        plane = np.array([evaluate(mdp, table, policy).expected_return for table in rewards])
        here = np.array([1.0, *corner])
        if planes and plane @ here <= max(other @ here for other in planes) + flat:
            continue  # the envelope found so far is right at this corner
        polygons = [_clip(polygon, old - plane, flat, True) for polygon, old in zip(polygons, planes, strict=True)]
        polygon = rectangle
        for old in planes:
            polygon = _clip(polygon, plane - old, flat, False)
        polygons.append(polygon)
        planes.append(plane)
        policies.append(policy)
        if len(planes) > _MAX_CELLS:
            raise ArithmeticError(f"the rectangle must have at most {_MAX_CELLS:,} cells, got more")
        pending = [vertex for polygon in polygons for vertex in polygon if _key(vertex, span) not in known]
    cells = [
        Cell(polygon, plane, policy, expected_components(mdp, components, policy) if components else {})
        for polygon, plane, policy in zip((_corners(p, span) for p in polygons), planes, policies, strict=True)
        if len(polygon) >= 3
    ]
    return PhaseDiagram(tuple(cells), (x0, x1), (y0, y1))


def _range(name: str, given: tuple[float, float]) -> tuple[float, float]:
    """A checked pair (low, high)."""
    if len(given) != 2:
        raise ValueError(f"{name} must be a pair (first, last), got {given!r}")
    low, high = number(f"{name}[0]", given[0]), number(f"{name}[1]", given[1])
    if low >= high:
        raise ValueError(f"{name} must rise, got {low} and {high}")
    return low, high


def _key(point: NDArray[np.float64], span: NDArray[np.float64]) -> tuple[float, ...]:
    """A point as what it is up to rounding, so that no corner is solved twice."""
    return tuple((point / span).round(11).tolist())


def _corners(polygon: NDArray[np.float64], span: NDArray[np.float64]) -> NDArray[np.float64]:
    """(V, 2) the corners of a polygon without those that rounding made of one where several cells meet."""
    apart = np.abs(polygon - np.roll(polygon, 1, axis=0)) > 1e-11 * span
    return polygon[apart.any(axis=1)]


def _policy_beside(
    mdp: TabularMDP,
    rewards: NDArray[np.float64],
    point: NDArray[np.float64],
    inwards: NDArray[np.float64],
    tie_tolerance: float,
) -> NDArray[np.float64]:
    """(S, A) a policy that is optimal at a point and just beside it.

    At a corner several planes meet, and a mixture of their policies would be a plane that belongs to no cell. So ties
    are broken for a step inwards, and what is still tied for a step to the side.
    """
    across = np.array([-inwards[1], inwards[0]]) if inwards.any() else np.array([0.0, 1.0])
    inwards = inwards if inwards.any() else np.array([1.0, 0.0])
    sizes = np.abs(rewards[:, mdp.action_mask]).max(axis=1)
    for weights in np.array([(1.0, *point), (0.0, *inwards), (0.0, *across)]):
        gaps = optimal(mdp, np.tensordot(weights, rewards, axes=1)).action_gaps
        # Relative to the tables, not to their sum: where they cancel, rounding must not break ties.
        mdp = replace(mdp, action_mask=gaps <= tie_tolerance * float(np.abs(weights) @ sizes))
    return uniform_over(mdp.action_mask)


def _clip(polygon: NDArray[np.float64], lead: NDArray[np.float64], flat: float, keep_ties: bool) -> NDArray[np.float64]:
    """(V, 2) the part of a convex polygon in which `lead` (3,), one plane less another, is not negative.

    One step of the clipping of Sutherland and Hodgman (1974). What is negative by less than `flat` is rounding; where
    all of it is, both planes are the same, and only the one that keeps ties has the polygon.
    """
    if not len(polygon):
        return polygon
    heights = lead[0] + polygon @ lead[1:]
    if (heights >= -flat).all() and (heights.max() > flat or keep_ties):
        return polygon
    kept: list[NDArray[np.float64]] = []
    for i in range(len(polygon)):
        j = (i + 1) % len(polygon)
        if heights[i] >= 0:
            kept.append(polygon[i])
        if (heights[i] >= 0) != (heights[j] >= 0):
            share = heights[i] / (heights[i] - heights[j])
            kept.append(polygon[i] + share * (polygon[j] - polygon[i]))
    return np.array(kept).reshape(-1, 2)
