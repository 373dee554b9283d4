"""Claim: where difficulty is hidden, the standard deviations of groups turn any price on length against thinking.

Why they should: the traces of a group answer one question. Where that is easy every trace is right, and the standard
deviation that divides the group's advantages is made of length alone: the shorter trace gains as much there, however
little a thought costs, as the right one gains where the question is hard. Each thought decides one question in four, so
that three groups in four ask for one thought less. A standard deviation of the whole batch scales all groups alike.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from cliffgym import scenario
from cliffgym.analysis import trace_line
from cliffgym.plots import steps_of, sweep_figure
from cliffgym_agents.claims.claim import Claim, Found, Judgement, Setting, verdict
from cliffgym_agents.claims.tables import OF_SEEDS, of_seeds, series, values
from cliffgym_agents.claims.tie_breaker import DR_GRPO, GRPO, KINDS
from cliffgym_agents.exact_runs import solve_exactly
from cliffgym_agents.runs import Run

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_ID = "Cliff-LengthPenalty-v0"
_HIDDEN, _SEEN = "hidden", "visible"
_BATCH = "GRPO, deviation of the batch"
_HYPERPARAMETERS: Mapping[str, Mapping[str, Any]] = {
    GRPO: KINDS[GRPO][1],
    DR_GRPO: KINDS[DR_GRPO][1],
    _BATCH: {**KINDS[GRPO][1], "scale": "batch"},
}
_PRICES = (0.001, 0.01, 0.05, 0.2, 0.3)
_SMALL = 0.01


def _settings(quick: bool) -> dict[Setting, Run]:
    prices = (0.01, 0.05) if quick else _PRICES
    tried = [(label, _HIDDEN, price) for label in (GRPO, DR_GRPO) for price in prices]
    # GRPO and Dr.GRPO differ in two things. The batch's deviation, tried after the predicate had been judged, is one.
    tried += [(_BATCH, _HIDDEN, _SMALL), (GRPO, _SEEN, _SMALL)]
    return {
        setting: Run(_ID, "true", 0.0, 0, _kwargs(setting), "grpo", _HYPERPARAMETERS[setting[0]]) for setting in tried
    }


def _kwargs(setting: Setting) -> dict[str, Any]:
    _, difficulty, price = setting
    return {"penalty": price, "hidden_difficulty": difficulty == _HIDDEN}


def _mean(found: Found, setting: Setting, name: str = "correct") -> float:
    return float(values(found, setting, name).mean())


def _judge(found: Found) -> Judgement:
    rows = []
    for setting in found:
        exact, _ = solve_exactly(_ID, "true", "optimal", _kwargs(setting), {})
        lengths = exact["length"], _mean(found, setting, "length")
        rows.append([*setting, *lengths, exact["correct"], *of_seeds(values(found, setting, "correct"))])
    blind, seen = _mean(found, (GRPO, _HIDDEN, _SMALL)), _mean(found, (GRPO, _SEEN, _SMALL))
    tried = [price for label, difficulty, price in found if (label, difficulty) == (GRPO, _HIDDEN)]
    lengths_by_price = ", ".join(f"{_mean(found, (GRPO, _HIDDEN, p), 'length'):.2f} at {p:g}" for p in tried)
    plain = [_mean(found, (DR_GRPO, _HIDDEN, price)) for price in (_SMALL, 0.05)]
    return Judgement(
        verdict(blind <= 0.5, min(*plain, seen) >= 0.95),
        f"With difficulty hidden the exact cliff is at 1/4. At {_SMALL:g} mean accuracy under GRPO is {blind:.3f}, at "
        f"a mean length of {_mean(found, (GRPO, _HIDDEN, _SMALL), 'length'):.2f} thoughts; it is {plain[0]:.3f} under "
        f"Dr.GRPO ({plain[1]:.3f} at 0.05), {_mean(found, (_BATCH, _HIDDEN, _SMALL)):.3f} under GRPO with the standard "
        f"deviation of the batch (tried afterwards), and {seen:.3f} under GRPO with difficulty visible. "
        f"By price, GRPO's mean lengths with difficulty hidden are {lengths_by_price}.",
        ("algorithm", "difficulty", "penalty", "exact length", "length, mean", "exact", *OF_SEEDS),
        rows,
    )


def _draw(found: Found) -> "Figure":
    prices = [price for label, _, price in found if label == DR_GRPO]
    made = scenario(_ID, hidden_difficulty=True)
    paid, price = made.reward("incomplete"), -made.components["length"]
    line = trace_line(made.mdp, paid, price, min(_PRICES) / 2, 2 * max(_PRICES), components=made.components)
    return sweep_figure(
        prices,  # type: ignore[arg-type]
        *steps_of(line, "correct"),
        {k: series(found, [(k, _HIDDEN, p) for p in prices], "correct") for k in (GRPO, DR_GRPO)},
        xlabel="penalty (reward per thought)",
        ylabel="accuracy (probability)",
        title="LengthPenalty with difficulty hidden: what standard deviations of groups do",
        logarithmic=True,
    )


HIDDEN_DIFFICULTY = Claim(
    id="hidden-difficulty",
    sentence="Where nobody sees how hard a question is, standard deviations of groups make GRPO all but blind to the "
    "size of a price on length: thinking is given up at prices far below the exact cliff.",
    source="ours, as standardised-advantages is; GRPO is of Shao et al. (2024), arXiv:2402.03300, Dr.GRPO of Liu et "
    "al. (2025), arXiv:2503.20783",
    published="none",
    predicate="LengthPenalty's `true` with hidden difficulty at ent_coef 0, exact cliff at a penalty of 1/4: at 0.01, "
    "25 times below it, mean accuracy under GRPO is at most 0.5.",
    control="Mean accuracy is at least 0.95 under Dr.GRPO at 0.01 and 0.05, and under GRPO at 0.01 if the agent sees "
    "the difficulty.",
    settings=_settings,
    judge=_judge,
    seeds=(2, 5),
    draw=_draw,
)
