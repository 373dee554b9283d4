"""Analysis of rewards and the policies they make optimal: `(mdp, reward table)` in, frozen results out."""

from cliffgym.analysis.bounds import STATEMENTS, StatementCheck
from cliffgym.analysis.coverage import CoverageSet, coverage_set
from cliffgym.analysis.distances import Distances, distances, epic_distance, shaping_distance, starc_distance
from cliffgym.analysis.intervals import OutcomeInterval, RegretInterval, outcome_intervals, regret_interval
from cliffgym.analysis.line import Breakpoint, Line, Segment, trace_line
from cliffgym.analysis.plane import Cell, PhaseDiagram, phase_diagram
from cliffgym.analysis.radius import CliffRadius, cliff_radius
from cliffgym.analysis.soft_path import SoftPath, soft_path
from cliffgym.analysis.standardised import group_standardised_policy, standardised_policy
from cliffgym.analysis.ties import Ties, ties
from cliffgym.analysis.verification import StatementSummary, verify
from cliffgym.analysis.weights import trace_weights

__all__ = [
    "STATEMENTS",
    "Breakpoint",
    "Cell",
    "CliffRadius",
    "CoverageSet",
    "Distances",
    "Line",
    "OutcomeInterval",
    "PhaseDiagram",
    "RegretInterval",
    "Segment",
    "SoftPath",
    "StatementCheck",
    "StatementSummary",
    "Ties",
    "cliff_radius",
    "coverage_set",
    "distances",
    "epic_distance",
    "group_standardised_policy",
    "outcome_intervals",
    "phase_diagram",
    "regret_interval",
    "shaping_distance",
    "soft_path",
    "standardised_policy",
    "starc_distance",
    "ties",
    "trace_line",
    "trace_weights",
    "verify",
]
