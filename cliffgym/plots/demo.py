"""The demo's figure: trained agents around the cliff of TieBreaker, and what incomplete rewards cost."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from cliffgym.plots.style import BLUE, GREEN, ORANGE, new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


@dataclass(frozen=True, eq=False)
class DemoData:
    """What the demo's figure shows.

    Attributes:
        bonuses: B bonuses on the target format of TieBreaker.
        ent_coefs: The two entropy coefficients, 0 first.
        shares: (2, B, seeds) learned probability of the target format.
        returns: (2, seeds) learned true return on Slacker, trained on the incomplete and on the true reward.
        scenarios: N ids.
        values: (N, 4) true return of the incomplete reward's optimal policies, worst, uniform and best, and the true
            optimum.

    >>> import numpy as np
    >>> data = DemoData(
    ...     bonuses=[-0.1, 0, 0.1],
    ...     ent_coefs=[0, 0.1],
    ...     shares=np.array([[[0], [0.3], [1]], [[0.11], [0.25], [0.48]]]),
    ...     returns=np.array([[1.5], [2]]),
    ...     scenarios=["Cliff-Slacker-v0"],
    ...     values=np.array([[1, 1.5, 2, 2]]),
    ... )
    >>> (data.values[:, 3:] - data.values).tolist()  # the regrets that the figure shows
    [[1.0, 0.5, 0.0, 0.0]]
    """

    bonuses: Sequence[float]
    ent_coefs: Sequence[float]
    shares: NDArray[np.float64]
    returns: NDArray[np.float64]
    scenarios: Sequence[str]
    values: NDArray[np.float64]


def demo_figure(data: DemoData) -> "Figure":
    """Draws the demo: the cliff of TieBreaker, Slacker by reward, and what incomplete rewards cost.

    >>> import numpy as np
    >>> shares = np.array([[[0], [0.3], [1]], [[0.11], [0.25], [0.48]]])
    >>> ids, values = ["Cliff-Slacker-v0"], np.array([[1, 1.5, 2, 2]])
    >>> figure = demo_figure(DemoData([-0.1, 0, 0.1], [0, 0.1], shares, np.array([[1.5], [2]]), ids, values))
    >>> [axes.get_xlabel() for axes in figure.axes]
    ['bonus on json (reward)', 'what training paid', 'true optimum - true return (reward)']
    >>> figure.axes[2].lines[0].get_xdata().tolist()  # the bar, from worst to best
    [1.0, 0.0]
    """
    figure, (cliff, slack, cost) = new_figure(14, 4.4, columns=3)
    _draw_cliff(cliff, data)
    _draw_slack(slack, data)
    _draw_cost(cost, data)
    return figure


def _draw_cliff(axes: "Axes", data: DemoData) -> None:
    """P(json) against the bonus: the exact step and the exact soft curve, and learned agents around them."""
    low, high = min(data.bonuses) - 0.02, max(data.bonuses) + 0.02
    others = 3  # formats besides the target
    axes.plot([low, 0], [0, 0], color=ORANGE, lw=2)
    axes.plot([0, high], [1, 1], color=ORANGE, lw=2, label="exact optimum")
    axes.plot([0, 0], [0, 1], color=ORANGE, lw=1, ls=":")
    temperature = data.ent_coefs[1]
    bonus = np.linspace(low, high, 300)
    weight = np.exp(bonus / temperature)
    axes.plot(bonus, weight / (weight + others), color=BLUE, lw=2, ls="--", label=f"exact, temperature {temperature:g}")
    jitter = np.linspace(-0.003, 0.003, data.shares.shape[2])
    for shares, colour, marker, ent_coef in zip(data.shares, (ORANGE, BLUE), "os", data.ent_coefs, strict=True):
        x = np.add.outer(np.asarray(data.bonuses), jitter)
        axes.plot(
            x.ravel(), shares.ravel(), marker, color=colour, mfc="none", ms=5.5, label=f"PPO, ent_coef {ent_coef:g}"
        )
    axes.set_xlabel("bonus on json (reward)")
    axes.set_ylabel("P(json)")
    axes.set_ylim(-0.04, 1.04)
    axes.set_title("TieBreaker: a cliff at 0, and a slope with entropy", fontsize=11)
    axes.legend(loc="lower right", fontsize=9, frameon=False)


def _draw_slack(axes: "Axes", data: DemoData) -> None:
    """True return on Slacker of agents trained on either reward, against the interval that ties leave open."""
    worst, _, best, _ = data.values[list(data.scenarios).index("Cliff-Slacker-v0")]
    axes.axhspan(worst, best, xmax=0.5, color=ORANGE, alpha=0.15, lw=0)
    axes.text(0, best + 0.03, f"all optimal policies:\n{worst:g} to {best:g}", ha="center", va="bottom", fontsize=9)
    for x, (returns, colour, marker) in enumerate(zip(data.returns, (ORANGE, GREEN), "o^", strict=True)):
        spread = np.linspace(-0.12, 0.12, returns.size)
        axes.plot(x + spread, returns, marker, color=colour, mfc="none", ms=7)
    axes.set_xticks([0, 1], ["incomplete reward", "true reward"])
    axes.set_xlim(-0.5, 1.5)
    axes.set_ylim(0, 2.4)
    axes.set_xlabel("what training paid")
    axes.set_ylabel("true return")
    axes.set_title("Slacker: PPO agents, one mark each", fontsize=11)


def _draw_cost(axes: "Axes", data: DemoData) -> None:
    """For each scenario the true regret of incomplete optima as a bar."""
    rows = np.arange(len(data.scenarios))[::-1]
    regrets = data.values[:, 3:] - data.values
    for row, (worst, uniform, best, _) in zip(rows, regrets, strict=True):
        axes.plot([worst, best], [row, row], color=ORANGE, lw=7, solid_capstyle="butt", alpha=0.35)
        axes.plot([worst, best], [row, row], "|", color=ORANGE, ms=13, mew=2)
        axes.plot(uniform, row, "o", color=ORANGE, ms=6)
    axes.axvline(0, color=GREEN, lw=2)
    names = [id.removeprefix("Cliff-").rsplit("-", 1)[0] for id in data.scenarios]
    axes.set_yticks(rows, names)
    axes.set_ylim(-1.4, len(names) - 0.1)
    span = float(regrets.max()) or 1.0
    axes.set_xlim(-0.04 * span, 1.08 * span)
    axes.set_xlabel("true optimum - true return (reward)")
    axes.set_title("Regret of incomplete optima", fontsize=11)
    axes.text(
        0.99, 0.02, "bar: worst to best, dot: ties broken uniformly", ha="right", fontsize=9, transform=axes.transAxes
    )
    axes.text(0.01 * span, len(names) - 0.5, "true optimum", va="center", fontsize=9, color=GREEN)
