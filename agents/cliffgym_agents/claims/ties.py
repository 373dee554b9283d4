"""Claim: among tied optima it is chance which one is learned."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from cliffgym import scenario
from cliffgym.plots import landing_figure
from cliffgym_agents.claims.claim import Claim, Found, Judgement, Setting, verdict
from cliffgym_agents.claims.tables import OF_SEEDS, of_seeds, values
from cliffgym_agents.claims.tie_breaker import FORMATS, ID, SHARE, TEMPERATURE, format_states
from cliffgym_agents.runs import Run

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_ALGORITHMS: Mapping[str, tuple[str, float | None, Mapping[str, Any]]] = {
    "PPO": ("ppo", 0.0, {}),
    "A2C": ("a2c", 0.0, {}),
    "DQN": ("dqn", None, {}),
    "GRPO": ("grpo", 0.0, {}),
}
_QUICK = ("PPO", "GRPO")
_SIDES = (-0.05, 0.0, 0.05)
_SOFT: Setting = (f"PPO, ent_coef {TEMPERATURE:g}", 0.0)


def _settings(quick: bool) -> dict[Setting, Run]:
    found: dict[Setting, Run] = {
        (label, bonus): Run(ID, "true", ent_coef, 0, {"bonus": bonus}, algorithm, hyperparameters)
        for label, (algorithm, ent_coef, hyperparameters) in _ALGORITHMS.items()
        if not quick or label in _QUICK
        for bonus in _SIDES
    }
    found[_SOFT] = Run(ID, "true", TEMPERATURE, 0, {"bonus": 0.0})
    return found


def _judge(found: Found) -> Judgement:
    holds = True
    tied = []
    for label in dict.fromkeys(setting[0] for setting in found if setting != _SOFT):
        low, at, high = (values(found, (label, bonus), SHARE) for bonus in _SIDES)
        holds &= bool(low.max() <= 0.05 and high.min() >= 0.9)
        holds &= bool(at.std() >= max(3 * low.std(), 3 * high.std(), 0.05))
        tied.append(float(at.std()))
    smooth = float(values(found, _SOFT, SHARE).std())
    rows = []
    for setting in found:
        shares = values(found, setting, SHARE)
        landed = ", ".join(f"{name} {count}" for name, count in zip(FORMATS, _landings(found, setting), strict=True))
        rows.append([*setting, float(shares.std()), landed, *of_seeds(shares)])
    return Judgement(
        verdict(holds, smooth <= 0.02),
        f"At a bonus of 0 the seeds' standard deviation of P(json) is {min(tied):.3f} to {max(tied):.3f} by "
        "algorithm; at -0.05 and 0.05 all seeds of all algorithms agree. With an entropy bonus it is "
        f"{smooth:.3f}."
        if holds
        else f"At a bonus of 0 the seeds' standard deviation of P(json) is {min(tied):.3f} to {max(tied):.3f} by "
        f"algorithm, with an entropy bonus {smooth:.3f}; not every seed follows a bonus of -0.05 or 0.05.",
        ("algorithm", "bonus", "standard deviation", "likeliest format, seeds and prompts", *OF_SEEDS),
        rows,
    )


def _landings(found: Found, setting: Setting) -> NDArray[np.intp]:
    """(formats,) how often each format is the likeliest after a right answer, over seeds and prompts."""
    columns = [scenario(ID).tokens.index(name) for name in FORMATS]
    likeliest = [result.policy[format_states()][:, columns].argmax(axis=1) for result in found[setting]]  # type: ignore[index]
    return np.bincount(np.concatenate(likeliest), minlength=len(FORMATS))


def _draw(found: Found) -> "Figure":
    tied = {str(setting[0]): _landings(found, setting) for setting in found if setting[1] == 0.0 and setting != _SOFT}
    return landing_figure(
        tied,
        FORMATS,
        ylabel="agents and prompts",
        title="TieBreaker without a bonus: which of four equal formats is learned",
    )


TIES = Claim(
    id="ties",
    sentence="Among tied optima it is chance which one is learned; a bonus of 0.05 decides.",
    source="Propositions 2.9, 2.10 and 3.2 of arXiv:2507.20150",
    published="none: the paper has no experiment on ties",
    predicate="For every algorithm P(json) is at most 0.05 for all seeds at a bonus of -0.05, at least 0.9 at +0.05, "
    "and its standard deviation over seeds at 0 is at least 0.05 and three times that at either side.",
    control="With ent_coef 0.1 the standard deviation at a bonus of 0 is at most 0.02.",
    settings=_settings,
    judge=_judge,
    seeds=(3, 20),
    draw=_draw,
)
