"""The tree of traces that grows from one state, with a policy's probabilities on it.

Shapes: S states, A actions.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cliffgym.checks import array, integer
from cliffgym.mdp import TabularMDP
from cliffgym.plots.style import BLUE, GREY, INK, ORANGE, new_figure
from cliffgym.solvers import check_policy

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_MAX_LEAVES, _MAX_DEPTH = 60, 14
_BEND = 0.2  # of a step: where an edge turns level
_LETTER = 0.078  # inches


@dataclass(eq=False)
class _Node:
    """A state as one trace comes to it; a state that several traces come to is several nodes.

    Attributes:
        state: Its number.
        reach: The probability of coming here from the root.
        depth: Steps from the root.
        row: Its height in the figure, in leaves from the top.
        edges: What leads on: the token's label, its probability here, whether it is tied, and where it leads.
    """

    state: int
    reach: float
    depth: int
    row: float = 0.0
    edges: list[tuple[str, float, bool, "_Node"]] = field(default_factory=list)


def tree_figure(
    mdp: TabularMDP,
    policy: ArrayLike,
    root: int,
    optimal_actions: ArrayLike | None = None,
    *,
    leaf_texts: Sequence[str] | None = None,
    title: str = "",
) -> "Figure":
    """Draws every trace from one state: tokens and their probabilities on the edges, ends at the right.

    The number on an edge, and its width, is the policy's probability of the token in that state (times that of the
    transition, where chance has a part). The number at an end is the probability of the whole trace. Edges that the
    policy never takes are thin and dotted. Illegal actions are left out unless the policy takes them.

    Args:
        mdp: The dynamics; what can follow the root must be without cycles.
        policy: (S, A) probabilities.
        root: The state to start from.
        optimal_actions: (S, A) optimal actions of some reward, as in `Optimum`. Where a state has several, their edges
            are marked as tied, by colour and "=".
        leaf_texts: S texts for the ends of traces; default the states' names.
        title: Above the tree.

    Raises:
        ValueError: A cycle can be reached from the root; the tree has more than 60 ends or is deeper than 14 steps; the
            root is terminal or no state; or a table has another shape.
        ImportError: matplotlib is not installed.

    >>> import cliffgym
    >>> made = cliffgym.scenario("Cliff-Slacker-v0", answers=2, instructions=1)
    >>> optimum = cliffgym.optimal(made.mdp, made.reward("incomplete"))
    >>> figure = tree_figure(made.mdp, optimum.policy, made.prompt_states[0], optimum.optimal_actions)
    >>> [text.get_text() for text in figure.axes[0].texts][:4]  # on the edges
    ['answer_0 1', 'answer_1 0', '= comply 0.5', '= ignore 0.5']
    """
    table = check_policy(mdp, policy)
    root = integer("root", root, 0, mdp.num_states - 1)
    if mdp.terminal[root]:
        raise ValueError(f"root must not be terminal, got {mdp.describe_state(root)}")
    if mdp.heights[root] < 0:
        raise ValueError(f"root must not lead into a cycle, got {mdp.describe_state(root)}")
    if leaf_texts is not None and len(leaf_texts) != mdp.num_states:
        raise ValueError(f"leaf_texts must have {mdp.num_states} entries, got {len(leaf_texts)}")
    tree = _Tree(mdp, table, _ties(mdp, optimal_actions))
    top = tree.grow(root, 1.0, 0)
    ends = [node for node in tree.nodes if not node.edges]
    edges = [(node, *edge) for node in tree.nodes for edge in node.edges]

    texts = leaf_texts or mdp.state_names or [f"state {state}" for state in range(mdp.num_states)]
    labels = [f"{node.reach:.3g}  {texts[node.state]}" for node in ends]
    name = mdp.state_names[root] if mdp.state_names else f"state {root}"
    # Sizes in inches, from an estimate of how wide text is; the data unit is a step.
    step = 0.55 + _LETTER * (7 + max(len(label) for _, label, *_ in edges))
    left = (0.25 + _LETTER * len(name)) / step
    right = max(node.depth + (0.3 + _LETTER * len(label)) / step for node, label in zip(ends, labels, strict=True))
    figure, (axes,) = new_figure(max(step * (left + right), 4.5), 0.34 * len(ends) + 1.0)
    for node, label, probability, tied, child in edges:
        _draw_edge(axes, node, child, label, probability, tied)
    for node in tree.nodes:
        axes.plot(node.depth, node.row, "o", ms=5, color=INK if node.reach > 0 else "white", mec=INK, zorder=4)
    for node, label in zip(ends, labels, strict=True):
        colour = INK if node.reach > 0 else GREY
        _write(axes, (node.depth, node.row), label, (8, 0), va="center", ha="left", fontsize=9, color=colour)
    _write(axes, (0, top.row), name, (-8, 0), va="center", ha="right", fontsize=9, color=INK)
    axes.set_xlim(-left, right)
    axes.set_ylim(len(ends) - 0.2, -0.9)
    axes.set_axis_off()
    axes.set_title(title or f"Traces from {name}", fontsize=11)
    note = "on edges: probability of the token; at ends: of the whole trace"
    if any(tied for *_, tied, _ in edges):
        note += "; = tied"
    figure.text(0.01, 0.01, note, fontsize=8.5, color=GREY, va="bottom")
    return figure


def _ties(mdp: TabularMDP, optimal_actions: ArrayLike | None) -> NDArray[np.bool_]:
    """(S, A) True for optimal actions that are not the only one of their state."""
    shape = (mdp.num_states, mdp.num_actions)
    if optimal_actions is None:
        return np.zeros(shape, dtype=bool)
    best = array("optimal_actions", optimal_actions, bool)
    if best.shape != shape:
        raise ValueError(f"optimal_actions must have shape (S, A) = {shape}, got {best.shape}")
    return best & (best.sum(axis=1, keepdims=True) > 1) & ~mdp.terminal[:, None]


class _Tree:
    """Unfolds the traces from a root, refusing to draw what nobody could read."""

    def __init__(self, mdp: TabularMDP, policy: NDArray[np.float64], tied: NDArray[np.bool_]) -> None:
        self.mdp, self.policy, self.tied = mdp, policy, tied
        self.nodes: list[_Node] = []
        self.ends = 0

    def grow(self, state: int, reach: float, depth: int) -> _Node:
        """The node of a state and all that follows."""
        mdp = self.mdp
        if depth > _MAX_DEPTH or self.ends >= _MAX_LEAVES:
            raise ValueError(
                f"a tree to draw must have at most {_MAX_LEAVES} ends and {_MAX_DEPTH} steps, got more at "
                f"{mdp.describe_state(state)}; choose a later root or a smaller MDP"
            )
        node = _Node(state, reach, depth)
        self.nodes.append(node)
        if mdp.terminal[state]:
            node.row = float(self.ends)
            self.ends += 1
            return node
        for action in np.flatnonzero(mdp.action_mask[state] | (self.policy[state] > 0)):
            name = mdp.action_names[action] if mdp.action_names else f"action {action}"
            follow: dict[int, float] = {}
            for to, p in zip(mdp.successors[state, action].tolist(), mdp.probabilities[state, action], strict=True):
                if p > 0:
                    follow[to] = follow.get(to, 0.0) + float(p)
            for to, p in follow.items():
                chance = float(self.policy[state, action]) * p
                child = self.grow(to, reach * chance, depth + 1)
                label = name if len(follow) == 1 else f"{name} (chance {p:.3g})"
                node.edges.append((label, chance, bool(self.tied[state, action]), child))
        node.row = (node.edges[0][3].row + node.edges[-1][3].row) / 2
        return node


def _draw_edge(axes: "Axes", node: _Node, child: _Node, name: str, probability: float, tied: bool) -> None:
    """An edge that leaves steeply and arrives level, with its text where it is level."""
    bend = node.depth + _BEND
    colour = ORANGE if tied else BLUE
    taken = probability > 0 and node.reach > 0
    axes.plot(
        [node.depth, bend, child.depth],
        [node.row, child.row, child.row],
        color=colour if probability > 0 else GREY if not tied else ORANGE,
        lw=0.8 + 4 * probability,
        ls="-" if taken else ":",
        solid_joinstyle="round",
        alpha=0.85,
        zorder=2,
    )
    text = f"{'= ' if tied else ''}{name} {probability:.3g}"
    colour = INK if probability > 0 or tied else GREY
    _write(axes, (bend, child.row), text, (4, 3 + 2 * probability), va="bottom", ha="left", fontsize=8.5, color=colour)


def _write(axes: "Axes", at: tuple[float, float], text: str, points: tuple[float, float], **look: Any) -> None:
    """Text some points away from a place."""
    axes.annotate(text, at, xytext=points, textcoords="offset points", zorder=5, **look)
