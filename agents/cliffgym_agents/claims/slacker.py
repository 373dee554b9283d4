"""Claim: an incomplete reward leaves what it does not mention to chance."""

import numpy as np

from cliffgym import scenario
from cliffgym.analysis import regret_interval
from cliffgym_agents.claims.claim import Claim, Found, Judgement, Setting, verdict
from cliffgym_agents.claims.tables import OF_SEEDS, rows_of, values
from cliffgym_agents.runs import Run

_ID = "Cliff-Slacker-v0"


def _settings(quick: bool) -> dict[Setting, Run]:  # three, either way
    return {(reward,): Run(_ID, reward, 0.0, 0) for reward in ("incomplete", "true", "lazy")}


def _judge(found: Found) -> Judgement:
    made = scenario(_ID)
    interval = regret_interval(made.mdp, made.reward("incomplete"), made.reward("true"))
    incomplete, true, lazy = (values(found, (reward,), "true_return") for reward in ("incomplete", "true", "lazy"))
    inside = bool((incomplete > interval.worst - 0.05).all() and (incomplete < interval.best).all())
    holds = inside and bool(np.ptp(incomplete) >= 0.3) and bool((lazy < 1.05).all())
    return Judgement(
        verdict(holds, bool((true > 1.95).all())),
        f"Paid for answers alone, agents are truly worth {incomplete.min():.2f} to {incomplete.max():.2f} (exact "
        f"interval {interval.worst:g} to {interval.best:g}); with a price of 0.01 on effort {lazy.mean():.2f}; paid "
        f"for what was meant {true.mean():.2f}.",
        ("trained on", "measure", *OF_SEEDS),
        rows_of(found, ["true_return", "effort"]),
    )


SLACKER = Claim(
    id="slacker",
    sentence="An incomplete reward leaves what it does not mention to chance, and the least effort decides against it.",
    source="Proposition 3.1 of arXiv:2507.20150",
    published="none: an example without figures",
    predicate="Trained on `incomplete`, every agent's true return is within the exact interval [1, 2] (with 0.05 of "
    "slack below) and agents "
    "differ by at least 0.3; trained on `lazy`, none is above 1.05.",
    control="Trained on `true`, every agent is above 1.95.",
    settings=_settings,
    judge=_judge,
)
