"""The growth curves as figures."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.problems import NUM_ACTIONS
from cliffgym.plots.style import BLUE, GREEN, ORANGE, new_figure, save_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_Point = Mapping[str, Any]
_KERNEL_STYLES = {"numpy": ("--", "o"), "numba": ("-", "s")}
_COLOURS = {"step": BLUE, "rollout": ORANGE, "deterministic": BLUE, "acyclic": GREEN, "stochastic": ORANGE}


def draw_growth(curves: Mapping[str, Sequence[_Point]], folder: Path) -> list[str]:
    """Draws the curves that there are, each into a file of its name; returns these names."""
    names = []
    for name, draw in (("growth-envs", draw_envs), ("growth-worlds", draw_worlds), ("growth-states", draw_states)):
        points = [point for point in curves.get(name, ()) if "reason" not in point]
        if points:
            figure, (axes,) = new_figure(7, 4.8)
            draw(axes, points)
            # A column for each colour, with both kernels below one another.
            columns = len(axes.get_lines()) // len(_KERNEL_STYLES)
            figure.legend(loc="outside lower center", ncols=max(columns, 1), fontsize=9, frameon=False)
            save_figure(figure, folder / name)
            names.append(name)
    return names


def draw_envs(axes: "Axes", points: Sequence[_Point]) -> None:
    """Steps a second against the number of environments."""
    _curves(axes, points, "method", lambda p: (p["envs"], p["rate"]))
    axes.set_xscale("log", base=4)
    axes.set_yscale("log")
    axes.set_xticks([4**k for k in range(10)], [f"{4**k:,}" for k in range(10)], fontsize=8)
    axes.set_xlabel("environments")
    axes.set_ylabel("steps per second")
    axes.set_title("Stepping LengthPenalty on one core, full infos", fontsize=11)


def draw_worlds(axes: "Axes", points: Sequence[_Point]) -> None:
    """Steps a second against the number of states of the world that is stepped."""
    _curves(axes, points, "method", lambda p: (p["states"], p["rate"] / 1e6))
    axes.set_xscale("log")
    axes.set_ylim(bottom=0)
    axes.set_xlabel("states (4 actions each)")
    axes.set_ylabel("million steps per second")
    axes.set_title("Stepping 16,384 copies of a deterministic Garnet on one core, full infos", fontsize=11)


def draw_states(axes: "Axes", points: Sequence[_Point]) -> None:
    """Time of an exact solution, for each pair of state and action, against the number of states."""
    _curves(axes, points, "kind", lambda p: (p["states"], 1e9 * p["seconds"] / (p["states"] * NUM_ACTIONS)))
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlabel("states (4 actions each)")
    axes.set_ylabel("ns per state-action")
    axes.set_title("Exact optimum on one core, gamma 0.95", fontsize=11)


def _curves(axes: "Axes", points: Sequence[_Point], group: str, place: Callable[[_Point], tuple[float, float]]) -> None:
    """One curve for each group and kernel: colour says the group, line and marker the kernel."""
    for name, kernel in dict.fromkeys((point[group], point["kernel"]) for point in points):
        x, y = zip(*(place(p) for p in points if (p[group], p["kernel"]) == (name, kernel)), strict=True)
        line, marker = _KERNEL_STYLES[kernel]
        axes.plot(x, y, line, marker=marker, mfc="none", color=_COLOURS[name], label=f"{name}, {kernel}")
