"""Claims: where prompts do not show their class, reward models, mixtures and curation decide over what is answered.

The safety/general prompt has a safety posterior of exactly 3/4 at the defaults, and `refuse` and `safe_complete` are
tied there. What GRPO does is reported without a predicate. The traces of its groups share their hidden class, and each
group is divided by its own standard deviation: of two answers a class wants the one that its model prefers, with a
weight that is how often it asks and not how much its model minds. By that count safety has its way with 3/4 until its
model is itself indifferent, at a perturbation of -0.1.
"""

from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from cliffgym import Scenario, optimal, scenario, soft, total_variation
from cliffgym.analysis import regret_interval
from cliffgym.plots import sweep_figure
from cliffgym.scenarios.multi_reward import ANSWERS, CLASSES, PAIRS, SCORES
from cliffgym_agents.claims.claim import Claim, Found, Judgement, Setting, verdict
from cliffgym_agents.claims.tables import OF_SEEDS, of_seeds, values
from cliffgym_agents.claims.tie_breaker import DR_GRPO, GRPO, KINDS, PLAIN
from cliffgym_agents.runs import Run

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

_ID, _REWARD = "Cliff-MultiReward-v0", "incomplete"
_PROMPTS = (*CLASSES, *("/".join(pair) for pair in PAIRS))
_CLEAR, _TIED = range(len(CLASSES)), _PROMPTS.index("safety/general")
_REFUSE = ANSWERS.index("refuse")


def _answers(found: Found, setting: Setting, prompt: int) -> "NDArray[np.float64]":
    """(n, A) by seed the probabilities of the answers to a prompt."""
    state = scenario(_ID).prompt_states[prompt]
    return np.array([result.policy[state] for result in found[setting]])  # type: ignore[index]  # policies are kept


def _best(made: Scenario, prompt: int) -> "NDArray[np.bool_]":
    """(A,) which answers to a prompt are optimal."""
    return optimal(made.mdp, made.reward(_REWARD)).optimal_actions[made.prompt_states[prompt]]


# Reward models

_TOKENS = 30_000  # half the default: traces of one token are soon learned
_EPSILONS = (-0.1, -0.01, -0.001, 0.0, 0.001, 0.01, 0.1)
_TEMPERATURE = 0.1
_AGENTS = ((PLAIN, 0.0), (PLAIN, _TEMPERATURE), (GRPO, 0.0), (DR_GRPO, 0.0))
_ALLOWED = 0.05


def _perturbed(epsilon: float) -> dict[str, dict[str, tuple[float, ...]]]:
    """Arguments of the scenario whose safety model pays more for `refuse` and less for `safe_complete`."""
    refuse, safe_complete, comply = SCORES["safety"]
    return {"scores": {"safety": (refuse + epsilon, safe_complete - epsilon, comply)}}


def _perturbation_settings(quick: bool) -> dict[Setting, Run]:
    return {
        (kind, ent_coef, epsilon): Run(
            _ID, _REWARD, ent_coef, 0, _perturbed(epsilon), *KINDS[kind], total_timesteps=_TOKENS
        )
        for kind, ent_coef in _AGENTS
        for epsilon in ((-0.1, -0.01, 0.0, 0.1) if quick else _EPSILONS)
    }


def _soft_refusal(epsilon: float) -> float:
    """P(refuse) at the safety/general prompt under the exact soft policy."""
    made = scenario(_ID, **_perturbed(epsilon))
    return float(soft(made.mdp, made.reward(_REWARD), _TEMPERATURE).policy[made.prompt_states[_TIED], _REFUSE])


def _exact_refusal(ent_coef: float, epsilon: float) -> object:
    """The same, without entropy under optimal policies."""
    if ent_coef:
        return _soft_refusal(epsilon)
    best = _best(scenario(_ID, **_perturbed(epsilon)), _TIED)
    return "0 to 1" if best[_REFUSE] and best.sum() > 1 else float(best[_REFUSE])


def _refusals(found: Found, agent: Setting) -> dict[float, float]:
    """By perturbation the mean P(refuse) of an agent at the safety/general prompt."""
    return {s[2]: float(_answers(found, s, _TIED)[:, _REFUSE].mean()) for s in found if s[:2] == agent}  # type: ignore[misc]


def _moved(found: Found) -> float:
    """How far, with entropy, choices at -0.1 and 0.1 are from those at 0 at most, in total variation, over seeds."""
    start = _answers(found, (PLAIN, _TEMPERATURE, 0.0), _TIED)
    ends = [_answers(found, (PLAIN, _TEMPERATURE, epsilon), _TIED) for epsilon in (-0.1, 0.1)]
    return max(float(total_variation(end, start).mean()) for end in ends)


def _cliff(refusals: dict[float, float]) -> str:
    """Between which perturbations an agent changes its mind."""
    places = sorted(refusals)
    pairs = [(a, b) for a, b in pairwise(places) if (refusals[a] < 0.5) != (refusals[b] < 0.5)]
    return "changes its mind " + (" and ".join(f"between {a:g} and {b:g}" for a, b in pairs) or "nowhere")


def _decided(found: Found) -> str:
    """The perturbations at which every seed of PPO without entropy answers as is optimal, with at least one half."""
    settings = sorted((s for s in found if s[:2] == (PLAIN, 0.0) and s[2]), key=lambda s: s[2])  # type: ignore[arg-type,return-value]
    wrong = [s for s in settings if ((_answers(found, s, _TIED)[:, _REFUSE] > 0.5) != (s[2] > 0)).any()]  # type: ignore[operator]
    return ", ".join(f"{s[2]:g}" for s in settings if s not in wrong) or "none"


def _least_right(found: Found) -> float:
    """The least probability of an optimal answer at the clear prompts, of all agents without entropy."""
    return min(
        float(_answers(found, s, prompt)[:, _best(scenario(_ID, **_perturbed(s[2])), prompt)].sum(axis=1).min())  # type: ignore[arg-type]  # a number
        for s in found
        if not s[1]
        for prompt in _CLEAR
    )


def _judge_perturbation(found: Found) -> Judgement:
    refusals = {agent: _refusals(found, agent) for agent in _AGENTS}
    sharp, smooth = refusals[PLAIN, 0.0], refusals[PLAIN, _TEMPERATURE]
    off, right = max(abs(smooth[epsilon] - _soft_refusal(epsilon)) for epsilon in smooth), _least_right(found)
    holds = sharp[0.1] >= 0.9 and sharp[-0.1] <= 0.1 and off <= _ALLOWED
    return Judgement(
        verdict(holds, right >= 0.95),
        "Mean P(refuse) of PPO without entropy at the safety/general prompt is "
        + ", ".join(f"{value:.3f} at {epsilon:g}" for epsilon, value in sorted(sharp.items()))
        + f"; all seeds are on the side of the optimum at {_decided(found)}. With an entropy bonus it is within "
        f"{off:.3f} of the exact "
        f"soft policy; from 0 to either side choices move by up to {_moved(found):.3f} in total variation, and "
        f"Proposition 4.7 with Lemma 4.2 allows {0.1 / (2 * _TEMPERATURE):g}. "
        + " ".join(
            f"{kind} {_cliff(refusals[kind, 0.0])}, and refuses with {refusals[kind, 0.0][-0.1]:.3f} at -0.1, "
            f"{refusals[kind, 0.0][-0.01]:.3f} at -0.01 and {refusals[kind, 0.0][0.1]:.3f} at 0.1."
            for kind in (GRPO, DR_GRPO)
        )
        + f" At clear prompts optimal answers have at least {right:.3f}.",
        ("algorithm", "ent_coef", "perturbation", "tokens", "exact P(refuse)", *OF_SEEDS),
        [[*s, _TOKENS, _exact_refusal(*s[1:]), *of_seeds(_answers(found, s, _TIED)[:, _REFUSE])] for s in found],  # type: ignore[arg-type]
    )


def _draw_perturbation(found: Found) -> "Figure":
    # Marks at 0.001 and 0 could not be told apart.
    places = [place for place in sorted(_refusals(found, _AGENTS[0])) if abs(place) != 0.001]
    fine = np.linspace(-0.1, 0.1, 81)
    return sweep_figure(
        places,
        fine,
        [_soft_refusal(epsilon) for epsilon in fine],
        {
            label: np.array([_answers(found, (*agent, place), _TIED)[:, _REFUSE] for place in places])
            for label, agent in zip(("PPO", f"PPO, ent_coef {_TEMPERATURE:g}", GRPO, DR_GRPO), _AGENTS, strict=True)
        },
        xlabel="perturbation of the safety model alone (reward)",
        ylabel="P(refuse) at the safety/general prompt",
        title="MultiReward: one reward model is perturbed at a tie",
        exact_label=f"exact, temperature {_TEMPERATURE:g}",
    )


PERTURBATION = Claim(
    id="reward-model-perturbation",
    sentence="At a tie of the effective reward a change of one reward model alone turns the policy around; entropy "
    "makes a slope of it.",
    source="Lemma 4.2 and Propositions 4.5 and 4.7 of arXiv:2507.20150",
    published="none",
    predicate="The safety model pays `refuse` more and `safe_complete` less by a perturbation of ±0.1, ±0.01, ±0.001 "
    "and 0. At the safety/general prompt, means over seeds: PPO without entropy refuses with at least 0.9 at 0.1 and "
    "at most 0.1 at -0.1; with ent_coef 0.1, P(refuse) is within 0.05 of the exact soft policy's at every one.",
    control="At the three clear prompts the optimal answer (at -0.1 the two that tie there, on safety's) has "
    "probability at least 0.95 for every agent without entropy.",
    settings=_perturbation_settings,
    judge=_judge_perturbation,
    seeds=(3, 5),
    draw=_draw_perturbation,
)

# Mixtures

_AMBIGUITY = {"safety": 0.75, "general": 0.5}  # the scenario's own
_GAP = 0.05


def _mixture(posterior: float) -> tuple[float, float, float]:
    """The mixture with a quarter of values prompts that gives the safety/general prompt a posterior of safety."""
    safety, general = posterior / _AMBIGUITY["safety"], (1 - posterior) / _AMBIGUITY["general"]
    share = 0.75 * safety / (safety + general)
    return share, 0.25, 0.75 - share


def _kwargs(posterior: float, left_out: str) -> dict[str, Any]:
    """The scenario's arguments in a setting."""
    return {"mixture": _mixture(posterior), "exclude": left_out or None}


def _mixture_settings(quick: bool) -> dict[Setting, Run]:  # six, either way
    tried = [(0.2, ""), (0.5, ""), (0.9, ""), *((0.5, name) for name in CLASSES)]
    return {setting: Run(_ID, _REWARD, 0.0, 0, _kwargs(*setting)) for setting in tried}


def _judge_mixture(found: Found) -> Judgement:
    rows: list[list[object]] = []
    decided, clear, chosen = [], [], []
    for setting in found:
        made = scenario(_ID, **_kwargs(*setting))  # type: ignore[arg-type]
        gaps = optimal(made.mdp, made.reward(_REWARD)).action_gaps[made.prompt_states]
        for prompt in np.flatnonzero(made.mdp.initial[made.prompt_states] > 0).tolist():
            best, gap = int(gaps[prompt].argmin()), float(np.sort(gaps[prompt])[1])
            learned = _answers(found, setting, prompt)[:, best]
            rows.append([*setting, _PROMPTS[prompt], ANSWERS[best], gap, *of_seeds(learned)])
            if gap >= _GAP:
                decided.append(float(learned.mean()))
            if prompt in _CLEAR:
                clear.append(float(learned.min()))
            if prompt == _TIED and not setting[1]:
                chosen.append(ANSWERS[best])
    holds = min(decided) >= 0.9 and chosen == ["comply", "safe_complete", "refuse"]
    return Judgement(
        verdict(holds, min(clear) >= 0.95),
        f"At the safety/general prompt {', '.join(chosen)} are optimal at a posterior of 0.2, 0.5 and 0.9. Of "
        f"{len(decided)} prompts with an action gap of at least {_GAP:g}, in all settings, the optimal answer has a "
        f"mean probability of at least {min(decided):.3f}, and of at least 0.9 at {sum(p >= 0.9 for p in decided)}; at "
        f"clear prompts of classes that are trained on, {min(clear):.3f} or more for every seed.",
        ("posterior of safety", "class left out", "prompt", "optimal answer", "action gap", *OF_SEEDS),
        rows,
    )


MIXTURE = Claim(
    id="mixture",
    sentence="The mixture of classes, and leaving one out, move what is answered at prompts that classes share, in "
    "jumps, and nowhere else.",
    source="section 4 and Propositions 4.3 to 4.6 of arXiv:2507.20150",
    published="none",
    predicate="Mixtures with a safety posterior of 0.2, 0.5 and 0.9 at the safety/general prompt, and the second "
    "without each class: at every prompt that training visits and whose optimal answer is unique by an action gap of "
    "at least 0.05, that answer has a mean probability of at least 0.9; at the safety/general prompt it is comply, "
    "safe_complete and refuse in the three mixtures.",
    control="At the clear prompts of classes that are trained on the answer is the same in all settings: probability "
    "at least 0.95 for every seed.",
    settings=_mixture_settings,
    judge=_judge_mixture,
    seeds=(1, 5),
)

# Curation

_ALL, _CURATED = ("all prompts",), ("clear prompts alone",)
_SLACK = 0.01


def _curation_settings(quick: bool) -> dict[Setting, Run]:  # two, either way
    return {_ALL: Run(_ID, _REWARD, 0.0, 0), _CURATED: Run(_ID, _REWARD, 0.0, 0, {"curated": True})}


def _judge_curation(found: Found) -> Judgement:
    made = scenario(_ID, curated=True)
    full = made.evaluation or made
    interval = regret_interval(full.mdp, made.reward(_REWARD), full.reward(_REWARD))
    every, curated = values(found, _ALL, "incomplete_return"), values(found, _CURATED, "evaluation_incomplete_return")
    inside = bool(((curated >= interval.worst - _SLACK) & (curated <= interval.best + _SLACK)).all())
    exact = f"{interval.worst:.4g} to {interval.best:.4g}"
    return Judgement(
        verdict(
            inside and float(curated.mean()) <= interval.optimum - 0.05,
            bool((np.abs(every - interval.optimum) <= _SLACK).all()),
        ),
        f"Over all prompts, agents trained on clear prompts alone earn {curated.min():.3f} to {curated.max():.3f}, on "
        f"average {curated.mean():.3f}; policies that are optimal on clear prompts earn {exact}. Agents trained on all "
        f"prompts earn {every.min():.3f} to {every.max():.3f} of the {interval.optimum:.3f} that are possible.",
        ("trained on", "exact score over all prompts", *OF_SEEDS),
        [[*_ALL, interval.optimum, *of_seeds(every)], [*_CURATED, exact, *of_seeds(curated)]],
    )


CURATION = Claim(
    id="curation",
    sentence="Leaving ambiguous prompts out of training leaves what is answered there to chance.",
    source="section 4 of arXiv:2507.20150 (the effective reward is that of the prompts that training visits)",
    published="none",
    predicate="Over all prompts, the expected score of every agent trained on clear prompts alone is inside the exact "
    "interval of policies that are optimal in training (with 0.01 of slack), and their mean is at least 0.05 below the "
    "exact optimum over all prompts.",
    control="Every agent trained on all prompts is within 0.01 of that optimum.",
    settings=_curation_settings,
    judge=_judge_curation,
    seeds=(2, 10),
)
