"""Analysis of rewards and the policies they make optimal: `(mdp, reward table)` in, frozen results out."""

from cliffgym.analysis.intervals import RegretInterval, regret_interval

__all__ = ["RegretInterval", "regret_interval"]
