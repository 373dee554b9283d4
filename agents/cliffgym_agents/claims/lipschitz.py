"""Claim: policies learned with entropy regularisation are the soft optimum, and move as little as the theory allows.

Where an algorithm is stationary is another question: PPO, which knows no action masks and values the entropy of the
present decision alone, is so at its quantal response.
"""

import math
from functools import cache

import numpy as np

from cliffgym import expected_components, quantal_response, scenario, total_variation
from cliffgym_agents.claims.claim import Claim, Found, Judgement, Setting, verdict
from cliffgym_agents.claims.tables import OF_SEEDS, of_seeds, values
from cliffgym_agents.claims.tie_breaker import ID, PLAIN, SHARE, STANDARDISED, format_states, run_of
from cliffgym_agents.demo import exact_share
from cliffgym_agents.runs import Run

_SOFT_DQN, _MASKED = "SoftDQN", "MaskablePPO, not standardised"
_ALPHAS = (0.05, 0.1, 0.5)
_BONUSES = (0.0, 0.02, 0.05, 0.1)
_ALLOWED = 0.03
_MEAN = 5 + OF_SEEDS.index("mean")  # its column


def _settings(quick: bool) -> dict[Setting, Run]:
    found: dict[Setting, Run] = {}
    for alpha in _ALPHAS[-1:] if quick else _ALPHAS:
        for bonus in (0.0, 0.05) if quick else _BONUSES:
            kwargs = {"bonus": bonus}
            if not quick:  # which takes longer than all others together
                found[_SOFT_DQN, alpha, bonus] = Run(ID, "true", None, 0, kwargs, "soft_dqn", {"temperature": alpha})
            found[PLAIN, alpha, bonus] = run_of(PLAIN, bonus, alpha)
            found[STANDARDISED, alpha, bonus] = run_of(STANDARDISED, bonus, alpha)
            if not quick:
                found[_MASKED, alpha, bonus] = Run(ID, "true", alpha, 0, kwargs, "maskable_ppo")
    return found


def _judge(found: Found) -> Judgement:
    rows, within, broken = [], True, False
    for setting in found:
        label, alpha, bonus = setting
        shares = values(found, setting, SHARE)
        exact = exact_share(bonus, alpha)  # type: ignore[arg-type]  # cells of a setting are numbers or text
        # Both policies are learned on rewards that differ by the bonus in sup norm, on a decision of horizon 1.
        bound, moved = math.tanh(bonus / (2 * alpha)), _moved(found, setting)  # type: ignore[operator]
        own = exact if label == _SOFT_DQN else _stationary(bonus, alpha, label == _MASKED)  # type: ignore[arg-type]
        rows.append([label, alpha, bonus, exact, own, *of_seeds(shares), moved, bound])
        if label == STANDARDISED:
            broken |= moved > bound + 0.1
        elif label != _MASKED:
            within &= abs(float(shares.mean()) - exact) <= _ALLOWED and moved <= bound + _ALLOWED
    labels = [label for label in (_SOFT_DQN, PLAIN, _MASKED) if any(row[0] == label for row in rows)]
    breach = max(row[-2] - row[-1] for row in rows if row[0] == STANDARDISED)
    return Judgement(
        verdict(bool(within), bool(broken)),
        " ".join(
            [
                *(_in_words(label, rows) for label in labels),
                f"With standardised advantages PPO exceeds the bound by up to {breach:.2f}.",
            ]
        ),
        ("algorithm", "temperature", "bonus", "exact soft", "stationary point", *OF_SEEDS, "distance moved", "bound"),
        rows,
    )


def _moved(found: Found, setting: Setting) -> float:
    """Total variation between the format decisions learned with a bonus and without, over seeds and prompts."""
    label, alpha, _ = setting
    states = format_states()
    pairs = zip(found[setting], found[label, alpha, 0.0], strict=True)
    return float(
        np.mean([total_variation(here.policy[states], start.policy[states]) for here, start in pairs])  # type: ignore[index]
    )


def _in_words(label: str, rows: list[list]) -> str:
    """How far an algorithm is from the exact optimum at each temperature, and whether it keeps to the bound."""
    mine = [row for row in rows if row[0] == label]
    parts = [
        f"{max(abs(row[_MEAN] - row[3]) for row in mine if row[1] == alpha):.3f} at {alpha:g}"
        for alpha in dict.fromkeys(row[1] for row in mine)
    ]
    own = max(abs(row[_MEAN] - row[4]) for row in mine)
    over = max(row[-2] - row[-1] for row in mine)
    kept = f"exceeds the bound by {over:.3f} at most" if over > 0 else "never exceeds the bound"
    return (
        f"{label} is off the exact soft P(json) by at most {', '.join(parts)} (temperature), off its own stationary "
        f"point by at most {own:.3f}, and {kept}."
    )


@cache
def _stationary(bonus: float, ent_coef: float, masked: bool) -> float:
    """P(json) where PPO with an entropy bonus is stationary."""
    made = scenario(ID, bonus=bonus)
    policy = quantal_response(made.mdp, made.reward("true"), ent_coef, masked=masked).policy
    return expected_components(made.mdp, made.components, policy)[SHARE]


SMOOTH = Claim(
    id="lipschitz",
    sentence="Policies learned with entropy regularisation are the soft optimum, and move with the reward at most as "
    "the theory allows.",
    source="Proposition 4.7 of arXiv:2507.20150, in its sharp form tanh(eps / (2 alpha)) for one decision",
    published="none",
    predicate="For SoftDQN, and for PPO without standardisation, P(json) is within 0.03 of the exact soft optimum at "
    "every bonus and temperature, and the total variation between the choices of format learned with a bonus and "
    "without (mean over seeds and prompts) is at most the bound + 0.03.",
    control="PPO with standardised advantages exceeds the bound by more than 0.1 somewhere.",
    settings=_settings,
    judge=_judge,
    seeds=(1, 5),
)
