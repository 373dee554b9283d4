"""Claims about TieBreaker: what is learned at a tie, and how standardised advantages bring the cliff back."""

import math
from collections.abc import Mapping, Sequence
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np

from cliffgym.plots import standardisation_figure
from cliffgym_agents.claims.claim import Claim, Judgement, Measures, verdict
from cliffgym_agents.demo import exact_share
from cliffgym_agents.runs import Run
from cliffgym_agents.statistics import bootstrap_interval, interquartile_mean

if TYPE_CHECKING:
    from matplotlib.figure import Figure

ID, SHARE = "Cliff-TieBreaker-v0", "target_format"
TEMPERATURE = 0.1

Kind = tuple[str, str, Mapping[str, Any]]
STANDARDISED: Kind = ("PPO, standardised", "ppo", {"normalize_advantage": True})
PLAIN: Kind = ("PPO, not standardised", "ppo", {"normalize_advantage": False})
GRPO: Kind = ("GRPO", "grpo", {"scale": "group", "per_trace": True})
DR_GRPO: Kind = ("Dr.GRPO", "grpo", {"scale": "none", "per_trace": False})
KINDS = (STANDARDISED, GRPO, PLAIN, DR_GRPO)
BONUSES = (0.0, 1e-4, 1e-3, 1e-2, 0.02, 0.1)


def runs_of(kind: Kind, bonuses: Sequence[float], ent_coef: float | None, seeds: int) -> list[Run]:
    """Trainings on the true reward at each bonus."""
    _, algorithm, hyperparameters = kind
    return [
        Run(ID, "true", ent_coef, seed, {"bonus": bonus}, algorithm, hyperparameters)
        for bonus, seed in product(bonuses, range(seeds))
    ]


def shares(runs: Sequence[Run], measures: Measures, kind: Kind, bonus: float, ent_coef: float | None) -> np.ndarray:
    """(n,) P(json) of the seeds of one setting."""
    _, algorithm, hyperparameters = kind
    wanted = algorithm, dict(hyperparameters), {"bonus": bonus}, ent_coef
    return np.array(
        [
            measured[SHARE]
            for run, measured in zip(runs, measures, strict=True)
            if (run.algorithm, dict(run.hyperparameters), dict(run.env_kwargs), run.ent_coef) == wanted
        ]
    )


def summary(values: np.ndarray) -> list[object]:
    """Interquartile mean, its bootstrap interval, and all seeds."""
    low, high = bootstrap_interval([values])
    seeds = " ".join(f"{value:.3f}" for value in values)
    return [float(interquartile_mean(values)), f"{low:.3f} to {high:.3f}", seeds]


# Standardised advantages


def _standardisation_runs(quick: bool) -> list[Run]:
    seeds = 3 if quick else 10
    bonuses = (0.0, 1e-3, 0.02) if quick else BONUSES
    return [run for kind in KINDS for run in runs_of(kind, bonuses, TEMPERATURE, seeds)]


def _judge_standardisation(runs: Sequence[Run], measures: Measures) -> Judgement:
    bonuses = sorted({run.env_kwargs["bonus"] for run in runs})
    rows = [
        [kind[0], bonus, exact_share(bonus, TEMPERATURE), *summary(shares(runs, measures, kind, bonus, TEMPERATURE))]
        for kind, bonus in product(KINDS, bonuses)
    ]
    middle = {(row[0], row[1]): float(row[3]) for row in rows}  # type: ignore[arg-type]
    jumps = {kind[0]: middle[kind[0], 0.02] - middle[kind[0], 0.0] for kind in KINDS}
    off = max(abs(middle[PLAIN[0], bonus] - exact_share(bonus, TEMPERATURE)) for bonus in bonuses)
    loose = max(abs(middle[DR_GRPO[0], bonus] - exact_share(bonus, TEMPERATURE)) for bonus in bonuses)
    small = min(bonus for bonus in bonuses if bonus > 0)
    holds = jumps[STANDARDISED[0]] >= 0.6 and jumps[GRPO[0]] >= 0.6
    control = off <= 0.03 and loose <= 0.06
    return Judgement(
        verdict(holds, control),
        f"From a bonus of 0 to 0.02, P(json) jumps by {jumps[STANDARDISED[0]]:.2f} with PPO's standardised "
        f"advantages and by {jumps[GRPO[0]]:.2f} with GRPO's, though the exact soft optimum moves by "
        f"{exact_share(0.02, TEMPERATURE) - exact_share(0.0, TEMPERATURE):.3f}. At {small:g} GRPO is at "
        f"{middle[GRPO[0], small]:.3f}. Without standard deviations PPO is within {off:.3f} of the exact optimum at "
        f"every bonus, Dr.GRPO within {loose:.3f}.",
        ("algorithm", "bonus", "exact soft", "P(json), interquartile mean", "95 % interval", "seeds"),
        rows,
    )


def _draw_standardisation(runs: Sequence[Run], measures: Measures) -> "Figure":
    bonuses = sorted({run.env_kwargs["bonus"] for run in runs})
    return standardisation_figure(
        bonuses,
        [exact_share(bonus, TEMPERATURE) for bonus in bonuses],
        {kind[0]: np.array([shares(runs, measures, kind, b, TEMPERATURE) for b in bonuses]) for kind in KINDS},
        title=f"TieBreaker, ent_coef {TEMPERATURE:g}: standard deviations bring the cliff back",
    )


STANDARDISATION = Claim(
    id="standardised-advantages",
    sentence="Entropy regularisation makes the policy Lipschitz in the reward; dividing advantages by their standard "
    "deviation, the usual default, takes that away: the smallest bonus acts like a large one.",
    source="Proposition 4.7 of arXiv:2507.20150 guarantees the first half; the second is ours",
    published="none",
    predicate="At ent_coef 0.1, P(json) rises by at least 0.6 between a bonus of 0 and 0.02 with standardised "
    "advantages (PPO) and group standard deviations (GRPO).",
    control="Without them P(json) is within 0.03 of the exact soft optimum at every bonus (PPO), and within 0.06 "
    "(Dr.GRPO).",
    runs=_standardisation_runs,
    judge=_judge_standardisation,
    draw=_draw_standardisation,
)

# Ties

_TIED = (("PPO", "ppo", {}), ("A2C", "a2c", {}), ("DQN", "dqn", {}), ("GRPO", "grpo", {}))
_SIDES = (-0.05, 0.0, 0.05)


def _coefficient(algorithm: str) -> float | None:
    return None if algorithm == "dqn" else 0.0


def _tie_runs(quick: bool) -> list[Run]:
    seeds = 4 if quick else 20
    kinds = [kind for kind in _TIED if not (quick and kind[1] == "dqn")]
    plain = [run for kind in kinds for run in runs_of(kind, _SIDES, _coefficient(kind[1]), seeds)]
    return plain + runs_of(PLAIN, (0.0,), TEMPERATURE, seeds)


def _judge_ties(runs: Sequence[Run], measures: Measures) -> Judgement:
    rows, holds = [], True
    for kind in _TIED:
        if not any(run.algorithm == kind[1] for run in runs):
            continue
        by_side = [shares(runs, measures, kind, bonus, _coefficient(kind[1])) for bonus in _SIDES]
        rows += [[kind[0], bonus, float(v.std()), *summary(v)] for bonus, v in zip(_SIDES, by_side, strict=True)]
        holds &= bool(by_side[0].max() <= 0.05 and by_side[2].min() >= 0.9)
        holds &= bool(by_side[1].std() >= 3 * max(by_side[0].std(), by_side[2].std()))
    smooth = shares(runs, measures, PLAIN, 0.0, TEMPERATURE)
    rows.append(["PPO, ent_coef 0.1", 0.0, float(smooth.std()), *summary(smooth)])
    tied = [float(row[2]) for row in rows[:-1] if row[1] == 0.0]  # type: ignore[arg-type]
    return Judgement(
        verdict(holds, bool(smooth.std() <= 0.02)),
        f"At a bonus of 0 the seeds' standard deviation of P(json) is {min(tied):.3f} to {max(tied):.3f} by "
        "algorithm; at -0.05 and 0.05 all seeds of all algorithms agree. With an entropy bonus it is "
        f"{smooth.std():.3f}.",
        ("algorithm", "bonus", "standard deviation", "P(json), interquartile mean", "95 % interval", "seeds"),
        rows,
    )


TIES = Claim(
    id="ties",
    sentence="Among tied optima it is chance which one is learned; any bonus decides.",
    source="Propositions 2.9, 2.10 and 3.2 of arXiv:2507.20150",
    published="none: the paper has no experiment on ties",
    predicate="For every algorithm P(json) is at most 0.05 for all seeds at a bonus of -0.05, at least 0.9 at +0.05, "
    "and its standard deviation over seeds at 0 is at least three times that at either side.",
    control="With ent_coef 0.1 the standard deviation at a bonus of 0 is at most 0.02.",
    runs=_tie_runs,
    judge=_judge_ties,
)

# The Lipschitz bound on learned policies

_ALPHAS = (0.05, 0.1, 0.5)


def _smooth_runs(quick: bool) -> list[Run]:
    seeds, alphas = (1, (0.1,)) if quick else (5, _ALPHAS)
    bonuses = (0.0, 0.05) if quick else (0.0, 0.02, 0.05, 0.1)
    soft_q = [run for a in alphas for run in runs_of(("", "soft_dqn", {"temperature": a}), bonuses, None, seeds)]
    return soft_q + [run for a in alphas for kind in (PLAIN, STANDARDISED) for run in runs_of(kind, bonuses, a, seeds)]


def _judge_smooth(runs: Sequence[Run], measures: Measures) -> Judgement:
    alphas = sorted({float(run.ent_coef) for run in runs if run.ent_coef is not None})
    bonuses = sorted({run.env_kwargs["bonus"] for run in runs})
    rows, within, broken = [], True, False
    for alpha, bonus in product(alphas, bonuses):
        kinds: list[tuple[Kind, float | None]] = [(("SoftDQN", "soft_dqn", {"temperature": alpha}), None)]
        kinds += [(PLAIN, alpha), (STANDARDISED, alpha)]
        for kind, ent_coef in kinds:
            here, start = (shares(runs, measures, kind, b, ent_coef) for b in (bonus, bonuses[0]))
            # Both policies are learned on rewards that differ by the bonus in sup norm, on a decision of horizon 1.
            bound, moved = math.tanh(bonus / (2 * alpha)), abs(float(here.mean() - start.mean()))
            off = abs(float(here.mean()) - exact_share(bonus, alpha))
            rows.append([kind[0], alpha, bonus, exact_share(bonus, alpha), float(here.mean()), moved, bound])
            if kind is STANDARDISED:
                broken |= moved > bound + 0.1
            else:
                within &= off <= 0.03 and moved <= bound + 0.03
    return Judgement(
        verdict(within, broken),
        " ".join([_distance_in_words("SoftDQN", rows), _distance_in_words(PLAIN[0], rows), _breach_in_words(rows)]),
        ("algorithm", "temperature", "bonus", "exact soft", "P(json), mean", "moved from bonus 0", "bound"),
        rows,
    )


def _distance_in_words(label: str, rows: Sequence[Sequence[Any]]) -> str:
    """How far an algorithm is from the exact optimum at each temperature, and whether it keeps to the bound."""
    mine = [row for row in rows if row[0] == label]
    parts = [
        f"{max(abs(row[4] - row[3]) for row in mine if row[1] == alpha):.3f} at {alpha:g}"
        for alpha in sorted({row[1] for row in mine})
    ]
    kept = "keeps to" if all(row[5] <= row[6] + 0.03 for row in mine) else "exceeds"
    return f"{label} is off the exact soft P(json) by at most {', '.join(parts)} (temperature), and {kept} the bound."


def _breach_in_words(rows: Sequence[Sequence[Any]]) -> str:
    """How far standardised advantages exceed the bound."""
    breach = max(row[5] - row[6] for row in rows if row[0] == STANDARDISED[0])
    return f"With standardised advantages PPO exceeds the bound by up to {breach:.2f}."


SMOOTH = Claim(
    id="lipschitz",
    sentence="Policies learned with entropy regularisation move with the reward at most as the theory allows.",
    source="Proposition 4.7 of arXiv:2507.20150, in its sharp form tanh(eps / (2 alpha)) for one decision",
    published="none",
    predicate="For SoftDQN, and for PPO without standardisation, P(json) is within 0.03 of the exact soft optimum at "
    "every bonus and temperature, and its distance from that at a bonus of 0 is at most the bound + 0.03.",
    control="PPO with standardised advantages exceeds the bound by more than 0.1 somewhere.",
    runs=_smooth_runs,
    judge=_judge_smooth,
)
