"""What dividing advantages by their standard deviation does: learned shares against a bonus, beside the exact ones."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from cliffgym.plots.style import AMBER, BLUE, GREEN, INK, ORANGE, new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_LOOKS = ((ORANGE, "o"), (AMBER, "D"), (BLUE, "s"), (GREEN, "^"))
_EDGE = 0.25  # decades
_SPREAD = 0.08  # of neighbouring series, in decades


def standardisation_figure(
    bonuses: Sequence[float],
    exact: Sequence[float],
    learned: Mapping[str, NDArray[np.float64]],
    stationary: Sequence[float] | None = None,
    title: str = "",
) -> "Figure":
    """Draws learned shares of a format against its bonus, one mark for each seed; bonus 0 stands at the left.

    Args:
        bonuses: B bonuses, 0 first, rising.
        exact: (B,) the exact soft share at each.
        learned: By algorithm, four at most, (B, seeds) learned shares.
        stationary: (B,) the share at which training with standardised advantages rests, in theory, or None.
        title: The figure's.

    Raises:
        ImportError: matplotlib is not installed.
        ValueError: There are more than four algorithms.

    >>> import numpy as np
    >>> bonuses = [0, 0.001, 0.1]
    >>> odds = np.exp(np.array(bonuses) / 0.1)  # at temperature 0.1, of one format against each of three others
    >>> shares = np.array([[0.2, 0.3], [0.9, 1], [1, 1]])  # of two seeds
    >>> figure = standardisation_figure(bonuses, odds / (odds + 3), {"PPO": shares})
    >>> figure.axes[0].lines[0].get_ydata().round(4).tolist()
    [0.25, 0.2519, 0.4754]
    """
    if len(learned) > len(_LOOKS):
        raise ValueError(f"learned must have at most {len(_LOOKS)} algorithms, got {len(learned)}")
    figure, (axes,) = new_figure(8, 4.8)
    places = np.log10([bonuses[1] / 10, *bonuses[1:]])
    axes.plot(places, exact, color=INK, lw=2, ls="--", label="exact soft optimum")
    if stationary is not None:
        edge = places[0] + _EDGE  # what lies between 0 and the smallest bonus is on no logarithmic axis
        x, y = [places[0], edge, edge, *places[1:]], [stationary[0], stationary[0], stationary[1], *stationary[1:]]
        axes.plot(x, y, color=INK, lw=2, ls=":", label="stationary if standardised")
    for i, ((label, shares), (colour, marker)) in enumerate(zip(learned.items(), _LOOKS, strict=False)):
        x = np.repeat(places + (i - (len(learned) - 1) / 2) * _SPREAD, shares.shape[1])
        axes.plot(x, shares.ravel(), marker, color=colour, mfc="none", ms=5.5, label=label)
    axes.set_xticks(places, [f"{bonus:g}" for bonus in bonuses])
    axes.set_ylim(-0.04, 1.04)
    axes.set_xlabel("bonus on one of four equal formats (reward)")
    axes.set_ylabel("P(that format)")
    axes.set_title(title, fontsize=11)
    figure.legend(loc="outside lower center", ncols=3, fontsize=9, frameon=False)
    return figure
