"""Figures. matplotlib is imported when one is drawn, since it takes longer to import than all the rest.

Colours are Okabe and Ito's, told apart by colour-blind people; markers, line styles and hatches say the same again, in
grey. Every function returns a figure; `save_figure` writes it as PNG and SVG.
"""

from cliffgym.plots.demo import DemoData, demo_figure
from cliffgym.plots.intervals import interval_figure
from cliffgym.plots.landing import landing_figure
from cliffgym.plots.line import OPTIMAL_RETURN, SoftCurve, line_figure, soft_curves
from cliffgym.plots.plane import phase_figure
from cliffgym.plots.scatter import lipschitz_figure
from cliffgym.plots.standardisation import standardisation_figure
from cliffgym.plots.style import new_figure, save_figure
from cliffgym.plots.sweep import steps_of, sweep_figure
from cliffgym.plots.training import training_figure
from cliffgym.plots.tree import tree_figure

__all__ = [
    "OPTIMAL_RETURN",
    "DemoData",
    "SoftCurve",
    "demo_figure",
    "interval_figure",
    "landing_figure",
    "line_figure",
    "lipschitz_figure",
    "new_figure",
    "phase_figure",
    "save_figure",
    "soft_curves",
    "standardisation_figure",
    "steps_of",
    "sweep_figure",
    "training_figure",
    "tree_figure",
]
