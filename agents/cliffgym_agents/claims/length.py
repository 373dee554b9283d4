"""Claims: what a price on thoughts does, and which coefficients are heard at all.

Why accuracy may fall before an exact cliff: the thoughts of a question that is just worth them pay off only to those
who know when to stop. Before training nobody does, the first thought costs more than it brings, and an agent may have
given it up by the time that it would know better. Then an entropy bonus that keeps it trying for a while should help.
"""

from typing import TYPE_CHECKING

from cliffgym import evaluate, scenario
from cliffgym.analysis import trace_line
from cliffgym.plots import steps_of, sweep_figure
from cliffgym_agents.claims.claim import Claim, Found, Judgement, Setting, verdict
from cliffgym_agents.claims.tables import OF_SEEDS, of_seeds, series, values
from cliffgym_agents.claims.tie_breaker import DR_GRPO, GRPO, KINDS, PLAIN, STANDARDISED
from cliffgym_agents.exact_runs import solve_exactly
from cliffgym_agents.runs import Run

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_PENALTY, _CONTROL = "Cliff-LengthPenalty-v0", "Cliff-LengthControl-v0"
_PPO, _ANNEALED = "PPO", "PPO, ent_coef from 0.1 to 0"
_PRICES = (0.0, 0.1, 0.23, 0.27, 0.31, 0.36, 0.45, 0.55, 0.9, 1.1)
_BEFORE = (0.23, 0.31, 0.45, 0.9)
"""The last prices before the four cliffs. That agents were annealed there came after the predicate had been judged."""
_ALLOWED = 0.05


def _settings(quick: bool) -> dict[Setting, Run]:
    tried = [(_PPO, 0.0, price) for price in ((0.0, 0.23, 0.27, 0.9, 1.1) if quick else _PRICES)]
    annealed = [(_ANNEALED, "lin_0.1", price) for price in ((0.23, 0.9) if quick else _BEFORE)]
    return {(k, price): Run(_PENALTY, "true", c, 0, {"penalty": price}) for k, c, price in (*tried, *annealed)}


def _exact(setting: Setting) -> float:
    return solve_exactly(_PENALTY, "true", "optimal", {"penalty": setting[1]}, {})[0]["correct"]


def _off(found: Found, label: str) -> dict[float, float]:
    """By price, but for 0, how far the mean accuracy is from the exact one."""
    tried = {s[1]: s for s in found if s[0] == label and s[1] != 0.0}
    return {price: abs(float(values(found, s, "correct").mean()) - _exact(s)) for price, s in tried.items()}  # type: ignore[misc]


def _first_thought(price: float) -> float:
    """What a first thought is worth before training, on the hardest question that is worth its thoughts."""
    made = scenario(_PENALTY, penalty=price)
    hardest = max(i for i in range(4) if (i + 1) * price < 1)
    think, answer = (made.tokens.index(token) for token in ("think", "answer"))
    q_values = evaluate(made.mdp, made.reward("true"), made.reference).q_values[made.prompt_states[hardest]]
    return float(q_values[think] - q_values[answer])


def _judge(found: Found) -> Judgement:
    off, annealed = _off(found, _PPO), _off(found, _ANNEALED)
    worst, free = max(off, key=off.__getitem__), values(found, (_PPO, 0.0), "correct")
    return Judgement(
        verdict(off[worst] <= _ALLOWED, bool((free >= 0.95).all())),
        f"PPO's mean accuracy is within {_ALLOWED:g} of the exact one at {sum(o <= _ALLOWED for o in off.values())} of "
        f"{len(off)} penalties around the cliffs at 1/4, 1/3, 1/2 and 1, and furthest from it, by {off[worst]:.3f}, at "
        f"{worst:g}. Before training, the advantage of a first thought on the hardest question that is worth its "
        f"thoughts is {', '.join(f'{_first_thought(p):.2f} at {p:g}' for p in annealed)}. With an entropy bonus that "
        f"falls from 0.1 to 0 (tried afterwards) mean accuracy is within {max(annealed.values()):.3f} of the exact one "
        f"at these. At a penalty of 0 no seed of PPO is below {free.min():.3f}.",
        ("algorithm", "penalty", "exact", *OF_SEEDS),
        [[*s, _exact(s), *of_seeds(values(found, s, "correct"))] for s in found],
    )


def _draw(found: Found) -> "Figure":
    prices = [price for label, price in found if label == _PPO]
    made = scenario(_PENALTY)
    paid, price = made.reward("incomplete"), -made.components["length"]
    line = trace_line(made.mdp, paid, price, 0.0, 1.15, components=made.components)
    return sweep_figure(
        prices,  # type: ignore[arg-type]
        *steps_of(line, "correct"),
        {label: series(found, [(label, p) for p in prices], "correct") for label in (_PPO, _ANNEALED)},
        xlabel="penalty (reward per thought)",
        ylabel="accuracy (probability)",
        title="LengthPenalty: where agents fall, and where the cliffs are",
    )


LENGTH_CLIFFS = Claim(
    id="length-cliffs",
    sentence="The dearer a thought, the fewer answers are right: not by and by, but one cliff after another, where the "
    "theory puts them.",
    source='theory of "Efficient reasoning", section 5 of arXiv:2507.20150; Propositions 2.9 and 3.2',
    published="none",
    predicate="PPO on LengthPenalty's `true` at ent_coef 0: mean accuracy is within 0.05 of the exact one at every "
    "penalty but 0.",
    control="At a penalty of 0 accuracy is at least 0.95 for every seed.",
    settings=_settings,
    judge=_judge,
    seeds=(1, 5),
    draw=_draw,
)

# A price on thoughts more or fewer than were asked for

_SMALL, _LARGE = 3e-4, 0.3


def _control_settings(quick: bool) -> dict[Setting, Run]:  # five, either way
    return {
        (label, price): Run(_CONTROL, "true", 0.0, 0, {"deviation_penalty": price}, *KINDS[label])
        for label, price in (*((label, _SMALL) for label in KINDS), (PLAIN, _LARGE))
    }


def _judge_control(found: Found) -> Judgement:
    exact = {s: solve_exactly(_CONTROL, "true", "optimal", {"deviation_penalty": s[1]}, {})[0] for s in found}
    off = {s: float(values(found, s, "deviation").mean()) - exact[s]["deviation"] for s in found}
    unheard = [off[label, _SMALL] for label in (PLAIN, DR_GRPO)]
    return Judgement(
        verdict(abs(off[GRPO, _SMALL]) <= 0.25 and min(unheard) > 1, abs(off[PLAIN, _LARGE]) <= 0.25),
        f"At 3e-4 the mean deviation from the length asked for is above the exact one by {off[GRPO, _SMALL]:.2f} "
        f"tokens under GRPO, by {unheard[1]:.2f} under Dr.GRPO, by {off[STANDARDISED, _SMALL]:.2f} under PPO with "
        f"standardised advantages and by {unheard[0]:.2f} without. At {_LARGE:g} it is {off[PLAIN, _LARGE]:.2f} above "
        "it under PPO without standardisation.",
        ("algorithm", "deviation_penalty", "correct, mean", "exact deviation", *OF_SEEDS),
        [
            [
                *s,
                float(values(found, s, "correct").mean()),
                exact[s]["deviation"],
                *of_seeds(values(found, s, "deviation")),
            ]
            for s in found
        ],
    )


LENGTH_CONTROL = Claim(
    id="length-control",
    sentence="A coefficient of 3e-4 on deviations of a few tokens steers length where the standard deviation of a "
    "group amplifies it; where nothing does, it is below the noise of training.",
    source="section 5 of arXiv:2507.20150, after Aggarwal and Welleck (2025), arXiv:2503.04697; the reason is ours",
    published="LCPO steers length with a coefficient of 3e-4 (on language models, whose lengths of hundreds to "
    "thousands of tokens make that term anything but small: sign and shape only)",
    predicate="LengthControl's `true` (`lcpo`) at ent_coef 0 and a deviation_penalty of 3e-4: GRPO's mean deviation is "
    "within 0.25 tokens of the exact one, those of PPO without standardisation and of Dr.GRPO more than 1 above it.",
    control="At 0.3 the mean deviation of PPO without standardisation is within 0.25 tokens of the exact one.",
    settings=_control_settings,
    judge=_judge_control,
    seeds=(1, 5),
)
