"""What is measured while agents learn: the mean of the seeds, and every seed.

Shapes: n seeds, N evaluations.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from numpy.typing import ArrayLike

from cliffgym.checks import array
from cliffgym.plots.style import BLUE, GREEN, ORANGE, PURPLE, new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_LOOKS = ((ORANGE, "-"), (BLUE, "--"), (GREEN, "-."), (PURPLE, ":"))


def training_figure(
    tokens: ArrayLike, panels: Mapping[str, Mapping[str, ArrayLike]], *, ylabel: str, title: str = ""
) -> "Figure":
    """Draws measures against the tokens trained on, panels side by side: thick lines are means, thin ones seeds.

    Args:
        tokens: (N,) tokens at each evaluation.
        panels: By title, by label, four at most, (n, N) values of each seed. A label looks the same in every panel.
        ylabel: What is measured, with its unit.
        title: Above all panels.

    Raises:
        ValueError: Shapes do not match, there is no panel, a panel is empty, or there are more than four labels.
        ImportError: matplotlib is not installed.

    >>> seeds = [[0, 1, 2], [0, 0, 1]]
    >>> figure = training_figure([0, 256, 512], {"Slacker": {"PPO": seeds}}, ylabel="true return (reward)")
    >>> figure.axes[0].lines[-1].get_ydata().tolist()  # the mean is drawn last
    [0.0, 0.5, 1.5]
    """
    x = array("tokens", tokens)
    labels = list(dict.fromkeys(label for series in panels.values() for label in series))
    if not panels or not all(panels.values()):
        raise ValueError(f"panels must have at least one series each, got {panels!r}")
    if len(labels) > len(_LOOKS):
        raise ValueError(f"panels must have at most {len(_LOOKS)} labels, got {len(labels)}")
    looks = dict(zip(labels, _LOOKS, strict=False))

    figure, every = new_figure(0.8 + 3.8 * len(panels), 3.8, columns=len(panels))
    drawn = {}
    for axes, (name, series) in zip(every, panels.items(), strict=True):
        for label, given in series.items():
            values, (colour, style) = array(f"panels[{name!r}][{label!r}]", given), looks[label]
            if values.ndim != 2 or values.shape[1:] != x.shape:
                raise ValueError(f"panels must have shape (seeds, {x.size}), got {values.shape} in {name!r}, {label!r}")
            axes.plot(x, values.T, color=colour, ls=style, lw=0.7, alpha=0.5)
            (drawn[label],) = axes.plot(x, values.mean(axis=0), color=colour, ls=style, lw=2.2, label=label)
        axes.set_title(name, fontsize=11)
        axes.set_xlabel("tokens trained on")
        axes.locator_params("x", nbins=4)
        if axes is not every[0]:
            axes.sharey(every[0])
    every[0].set_ylabel(ylabel)
    if title:
        figure.suptitle(title, fontsize=11)
    figure.legend(drawn.values(), drawn.keys(), loc="outside lower center", ncols=len(drawn), fontsize=9, frameon=False)
    return figure
