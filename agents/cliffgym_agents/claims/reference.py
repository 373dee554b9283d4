"""Claim: a small KL penalty breaks ties, and breaks them as the reference policy does."""

from functools import cache

import numpy as np
from numpy.typing import NDArray

from cliffgym import scenario, total_variation
from cliffgym_agents.claims.claim import Claim, Found, Judgement, Setting, verdict
from cliffgym_agents.claims.tables import OF_SEEDS, of_seeds, values
from cliffgym_agents.claims.tie_breaker import ID, SHARE, format_states
from cliffgym_agents.runs import Run

_FORMATS = {"plain": 0.1, "markdown": 0.2, "json": 0.3, "latex": 0.4}
"""What the reference policy makes of a right answer. Among answers it draws alike."""
_COEFFICIENTS = (1.0, 0.1, 0.03, 0.01)
_SMALL = (0.1, 0.03, 0.01)
_BONUS = 0.05


@cache
def reference_policy() -> NDArray[np.float64]:
    """(S, A) the scenario's reference with the formats' own probabilities."""
    made = scenario(ID)
    table = made.reference.copy()
    for state in format_states():
        table[state] = 0
        for name, share in _FORMATS.items():
            table[state, made.tokens.index(name)] = share
    return table


def _run(kl_coef: float, bonus: float) -> Run:
    hyperparameters = {"kl_coef": kl_coef, "reference": reference_policy().tolist()}
    return Run(ID, "true", 0.0, 0, {"bonus": bonus}, "kl_ppo", hyperparameters)


def _settings(quick: bool) -> dict[Setting, Run]:
    found: dict[Setting, Run] = {
        (kl_coef, 0.0): _run(kl_coef, 0.0) for kl_coef in ((0.01, 0.0) if quick else (*_COEFFICIENTS, 0.0))
    }
    found[0.01, _BONUS] = _run(0.01, _BONUS)
    return found


def _distances(found: Found, setting: Setting) -> NDArray[np.float64]:
    """(n,) by seed how far choices of format are from the reference's, in total variation, over the prompts."""
    states, reference = format_states(), reference_policy()
    return np.array(
        [total_variation(result.policy[states], reference[states]).mean() for result in found[setting]]  # type: ignore[index]
    )


def _judge(found: Found) -> Judgement:
    small = [c for c in _SMALL if (c, 0.0) in found]
    apart = {c: float(_distances(found, (c, 0.0)).mean()) for c in small}
    right = min(float(values(found, (c, 0.0), "correct").mean()) for c in small if c <= 0.03)
    decided = float(values(found, (0.01, _BONUS), SHARE).mean())
    free = float(_distances(found, (0.0, 0.0)).mean())
    holds = max(apart.values()) <= 0.05 and right >= 0.95 and decided >= 0.9
    rows = [
        [
            *setting,
            float(values(found, setting, "correct").mean()),
            float(_distances(found, setting).mean()),
            *of_seeds(values(found, setting, SHARE)),
        ]
        for setting in found
    ]
    return Judgement(
        verdict(holds, free >= 0.1),
        "After a right answer, choices of format are within "
        + ", ".join(f"{value:.3f} at {c:g}" for c, value in apart.items())
        + f" (kl_coef) of the reference's in total variation; without a penalty they are {free:.3f} away. A bonus of "
        f"{_BONUS:g} decides against the reference all the same: P(json) is {decided:.3f} at kl_coef 0.01.",
        ("kl_coef", "bonus", "correct, mean", "distance from the reference, mean", *OF_SEEDS),
        rows,
    )


REFERENCE = Claim(
    id="kl-tie-breaker",
    sentence="A small KL penalty breaks ties as the reference policy does: the limit is the reference conditioned on "
    "being optimal. It decides nothing that the reward decides.",
    source="section 4.4 of arXiv:2507.20150 (regularisation selects one optimum); the limit is ours",
    published="none",
    predicate="KLPPO, reference with formats (.1, .2, .3, .4), no bonus: the choice of format after a right answer is "
    "within 0.05 of the reference's in total variation (mean over seeds and prompts) at kl_coef 0.1, 0.03 and 0.01, "
    "and at 0.03 and 0.01 answers are right with 0.95. With a bonus of 0.05 on json, P(json) is at least 0.9 at 0.01.",
    control="Without a penalty the choice of format is at least 0.1 away from the reference's: chance decides.",
    settings=_settings,
    judge=_judge,
    seeds=(2, 10),
)
