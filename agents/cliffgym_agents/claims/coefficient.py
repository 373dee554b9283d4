"""Claim: the coefficient of PPO's entropy bonus is not the temperature of the soft optimum."""

from functools import cache

import numpy as np
from numpy.typing import NDArray

from cliffgym import occupancy, quantal_response, scenario, soft, total_variation
from cliffgym_agents.claims.claim import Claim, Found, Judgement, Setting, verdict
from cliffgym_agents.claims.tables import OF_SEEDS, of_seeds
from cliffgym_agents.runs import Run

_PPO, _MASKED, _SOFT_DQN = "PPO", "MaskablePPO", "SoftDQN"
_ALGORITHMS = {_PPO: "ppo", _MASKED: "maskable_ppo", _SOFT_DQN: "soft_dqn"}
_LENGTH, _OBEDIENCE, _BREAKER, _DECEPTION, _ONE_TOKEN = (
    f"Cliff-{name}-v0" for name in ("LengthPenalty", "Obedience", "TieBreaker", "Deception", "MultiReward")
)
_TRIED: tuple[Setting, ...] = (
    (_PPO, _LENGTH, 0.1),
    (_PPO, _LENGTH, 0.3),
    (_PPO, _LENGTH, 0.5),
    (_PPO, _OBEDIENCE, 0.1),
    (_PPO, _OBEDIENCE, 0.2),
    (_MASKED, _LENGTH, 0.3),
    (_PPO, _BREAKER, 0.5),
    (_MASKED, _BREAKER, 0.5),
    (_PPO, _DECEPTION, 0.5),
    (_MASKED, _DECEPTION, 0.5),
    (_SOFT_DQN, _LENGTH, 0.3),
    (_PPO, _ONE_TOKEN, 0.3),
)
_QUICK = (_TRIED[1], _TRIED[4], _TRIED[6], _TRIED[10], _TRIED[11])
_TELLING = 0.05  # distance of the two solutions from where on a setting can tell them apart


def _settings(quick: bool) -> dict[Setting, Run]:
    return {setting: _run(*setting) for setting in (_QUICK if quick else _TRIED)}  # type: ignore[arg-type]


def _run(label: str, id: str, coefficient: float) -> Run:
    if label == _SOFT_DQN:
        return Run(id, "true", None, 0, {}, "soft_dqn", {"temperature": coefficient})
    return Run(id, "true", coefficient, 0, {}, _ALGORITHMS[label])


@cache
def _solutions(setting: Setting) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """The soft optimum and the quantal response, both (S, A), and how often the latter meets each state, (S,)."""
    label, id, coefficient = setting
    made = scenario(str(id))
    reward = made.reward("true")
    response = quantal_response(made.mdp, reward, coefficient, masked=label != _PPO).policy  # type: ignore[arg-type]
    visits = occupancy(made.mdp, response).sum(axis=1)
    return soft(made.mdp, reward, coefficient).policy, response, visits / visits.sum()  # type: ignore[arg-type]


def _distances(found: Found, setting: Setting) -> NDArray[np.float64]:
    """(2, n) by seed the distances from the soft optimum and from the quantal response."""
    optimum, response, weights = _solutions(setting)
    return np.array(
        [
            [float(total_variation(result.policy, exact) @ weights) for result in found[setting]]  # type: ignore[arg-type]
            for exact in (optimum, response)
        ]
    )


def _apart(setting: Setting) -> float:
    """The distance between the soft optimum and the quantal response of an agent that knows the masks.

    Without masks probability is lost on illegal tokens, which is another matter than which entropy is valued.
    """
    optimum, response, weights = _solutions((_MASKED, *setting[1:]))
    return float(total_variation(optimum, response) @ weights)


def _judge(found: Found) -> Judgement:
    means = {setting: _distances(found, setting).mean(axis=1) for setting in found}
    telling = [s for s in found if s[0] != _SOFT_DQN and _apart(s) >= _TELLING]
    holds = all(means[s][1] <= 0.05 and means[s][0] >= 2 * means[s][1] for s in telling)
    (one_token,) = (s for s in found if s[1] == _ONE_TOKEN)
    (soft_dqn,) = (s for s in found if s[0] == _SOFT_DQN)
    control = bool((means[one_token] <= 0.03).all() and means[soft_dqn][0] <= 0.05)
    farthest = max(telling, key=lambda s: means[s][0])
    unmasked = [s for s in found if s[0] == _PPO and s[1] in (_BREAKER, _DECEPTION)]
    without = " and ".join(f"{s[1]} ({means[s][0]:.3f}, and {means[s][1]:.3f})" for s in unmasked)
    rows = [
        [*setting, _apart(setting), float(means[setting][1]), *of_seeds(_distances(found, setting)[0])]
        for setting in found
    ]
    return Judgement(
        verdict(holds, control),
        f"Where the two differ though masks are known, agents are within {max(means[s][1] for s in telling):.3f} of "
        f"the quantal response and {min(means[s][0] for s in telling):.3f} to {means[farthest][0]:.3f} from the soft "
        f"optimum (farthest: {farthest[0]} on {farthest[1]} at {farthest[2]}). On traces of one token PPO is within "
        f"{means[one_token].max():.3f} of both; SoftDQN is {means[soft_dqn][0]:.3f} from the soft optimum. That PPO "
        "knows no action masks is another matter: for that reason alone it is away from the soft optimum at 0.5, and "
        f"near the quantal response without masks, on {without}.",
        (
            "algorithm",
            "scenario",
            "ent_coef or temperature",
            "soft optimum to quantal response, masks known",
            "learned to quantal response, mean",
            *(f"learned to soft optimum, {name}" if name == OF_SEEDS[0] else name for name in OF_SEEDS),
        ),
        rows,
    )


COEFFICIENT = Claim(
    id="ent-coef-is-not-the-temperature",
    sentence="PPO's entropy bonus values the entropy of the present decision alone: on traces of several tokens it "
    "leads to a quantal response of the plain values, not to the soft optimum at that temperature.",
    source="section 4.4 and Proposition 4.7 of arXiv:2507.20150 speak of the soft optimum; the difference is ours, "
    "after O'Donoghue et al. (2017), arXiv:1611.01626",
    published="none",
    predicate="In every setting of PPO and MaskablePPO in which the two solutions are at least 0.05 apart even if "
    "masks are known (total variation, averaged over the decisions that the quantal response meets), what is learned "
    "is on average within 0.05 of the quantal response, and at least twice as far from the soft optimum. (Until it "
    "had been judged, settings that differ by masks alone counted as well; they passed, too.)",
    control="On traces of one token PPO is within 0.03 of both; SoftDQN, whose temperature is that of the soft "
    "optimum, is within 0.05 of it.",
    settings=_settings,
    judge=_judge,
    seeds=(1, 5),
)
