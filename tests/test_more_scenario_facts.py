"""Every fact stated about SpuriousReasoning, Deception, Obedience, MultiReward and problems of hidden difficulty.

As in test_scenario_facts: once from the solvers, once from an enumeration that is written from the words of the
scenarios' pages and uses nothing of the library.
"""

import importlib
import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from numpy.typing import NDArray

from cliffgym import RewardComponents, Scenario, evaluate, expected_components, optimal, scenario, soft, total_variation
from cliffgym.analysis import cliff_radius, regret_interval, trace_line, trace_weights
from cliffgym.analysis.bounds import effective_reward_lipschitz, soft_policy_lipschitz
from cliffgym.rewards import random_perturbation
from cliffgym.testing import random_policy

Trace = tuple[str, ...]
Prompt = dict[Trace, dict[str, float]]
EXACT: Any = {"abs": 1e-12, "rel": 0}
SPURIOUS, DECEPTION, OBEDIENCE = "Cliff-SpuriousReasoning-v0", "Cliff-Deception-v0", "Cliff-Obedience-v0"
LENGTH, MULTI = "Cliff-LengthPenalty-v0", "Cliff-MultiReward-v0"

# The scenarios in the words of their pages


def spurious_reasoning(steps: int = 3, fooled_share: float = 0.8) -> list[Prompt]:
    """A step is derived, bluffed or a blunder; the answer is right unless one is a blunder."""
    return [
        {
            trace: {
                "correct": float("blunder" not in trace),
                "faithful": trace.count("derive") / steps,
                "step_score": sum({"derive": 1.0, "bluff": fooled_share, "blunder": 0.0}[step] for step in trace),
            }
            for trace in itertools.product(["derive", "bluff", "blunder"], repeat=steps)
        }
    ]


def deception(
    pass_chances: Sequence[float] = (0.9, 0.6, 0.3),
    hiding_cost: float = 0.03,
    open_detection: float = 0.95,
    hidden_detection: float = 0.02,
    **_: float,
) -> list[Prompt]:
    """A plan, then to solve or to tamper; tampering is hidden if it was planned to be."""
    prompts = []
    for chance in pass_chances:
        prompt: Prompt = {}
        for plan in ("plan_honest", "plan_hack", "plan_hidden"):
            nothing = {"tampered": 0.0, "flagged": 0.0, "undetected": 0.0, "hidden": 0.0}
            prompt[plan, "solve"] = {"tests_pass": chance, "solved": chance, **nothing}
            caught = hidden_detection if plan == "plan_hidden" else open_detection
            prompt[plan, "tamper"] = {
                "tests_pass": 1 - hiding_cost if plan == "plan_hidden" else 1.0,
                "solved": 0.0,
                "tampered": 1.0,
                "flagged": caught,
                "undetected": 1 - caught,
                "hidden": float(plan == "plan_hidden"),
            }
        prompts.append(prompt)
    return prompts


def obedience(
    difficulties: Sequence[int] = (2, 4, 5, 6), budget: int = 6, instructions: int = 2, **_: float
) -> list[Prompt]:
    """A budget of tokens; enough of one kind solve the problem, each of the other follows an instruction."""
    prompts = []
    for difficulty in difficulties:
        prompt: Prompt = {}
        for trace in itertools.product(["reason", "obey"], repeat=budget):
            followed = min(trace.count("obey"), instructions)
            prompt[trace] = {
                "correct": float(trace.count("reason") >= difficulty),
                "soft": followed / instructions,
                "hard": float(followed == instructions),
                "reasoning": float(trace.count("reason")),
            }
        prompts.append(prompt)
    return prompts


def hidden_length(
    difficulties: Sequence[int] = (1, 2, 3, 4), max_length: int = 8, budget: int = 4, **_: float
) -> list[Prompt]:
    """One prompt; a number of thoughts is right for the share of problems that it is enough for."""
    prompt: Prompt = {}
    for thoughts, cut in [(n, False) for n in range(max_length + 1)] + [(max_length, True)]:
        trace = ("think",) * (thoughts + 1) if cut else ("think",) * thoughts + ("answer",)
        share = 0.0 if cut else sum(d <= thoughts for d in difficulties) / len(difficulties)
        prompt[trace] = {
            "correct": share,
            "correct_within_budget": share if thoughts <= budget else 0.0,
            "length": float(thoughts),
            "truncated": float(cut),
            "overlong": float(thoughts > budget),
        }
    return [prompt]


@dataclass(frozen=True)
class Case:
    """A scenario with its arguments, its traces, and its rewards by hand."""

    id: str
    prompts: Callable[..., list[Prompt]]
    arguments: dict[str, Any]
    rewards: dict[str, dict[str, float]]

    def __str__(self) -> str:
        return f"{self.id} {self.arguments}"

    @property
    def traces(self) -> list[Prompt]:
        return self.prompts(**{k: v for k, v in self.arguments.items() if k != "hidden_difficulty"})

    def scenario(self, gamma: float = 1.0) -> Scenario:
        return scenario(self.id, gamma=gamma, **self.arguments)


CASES = [
    Case(
        SPURIOUS,
        spurious_reasoning,
        arguments,
        {
            "incomplete": {"correct": 1},
            "process": {"correct": 1, "step_score": 1 / arguments.get("steps", 3)},
            "true": {"correct": 1, "faithful": 1},
        },
    )
    for arguments in ({}, {"steps": 1}, {"steps": 2, "fooled_share": 1.0}, {"steps": 4, "fooled_share": 0.0})
]
CASES += [
    Case(
        DECEPTION,
        deception,
        arguments,
        {
            "incomplete": {"tests_pass": 1},
            "weak": {"tests_pass": 1},
            "strong": {"tests_pass": 1, "tampered": -1},
            "cot_pressure": {"tests_pass": 1, "flagged": -arguments.get("pressure", 0.5)},
            "true": {"solved": 1, "tampered": -1},
        },
    )
    for arguments in (
        {},
        {"pass_chances": [1.0], "pressure": 40.0},
        {"pass_chances": (0.0, 0.97), "hiding_cost": 0.0, "pressure": 0.0},
        {"hiding_cost": 0.5, "open_detection": 0.3, "hidden_detection": 0.6, "pressure": -0.2},
        {"hiding_cost": 1.0, "open_detection": 1.0, "hidden_detection": 0.0, "pressure": 0.7},
    )
]
CASES += [
    Case(
        OBEDIENCE,
        obedience,
        arguments,
        {
            "incomplete": {"correct": 1},
            "true": {"correct": 1, "soft": arguments.get("obedience_weight", 0.5)},
            "strict": {"correct": 1, "hard": arguments.get("obedience_weight", 0.5)},
        },
    )
    for arguments in (
        {},
        {"difficulties": [0, 3], "budget": 3, "instructions": 3, "obedience_weight": 1.0},
        {"difficulties": (4,), "budget": 5, "instructions": 1, "obedience_weight": -0.3},
        {"difficulties": (1, 2), "budget": 4, "instructions": 3, "obedience_weight": 2.5},
    )
]
CASES += [
    Case(
        LENGTH,
        hidden_length,
        {"hidden_difficulty": True, **arguments},
        {
            "incomplete": {"correct": 1},
            "true": {"correct": 1, "length": -arguments.get("penalty", 0.02)},
            "truncation": {"correct_within_budget": 1},
        },
    )
    for arguments in (
        {},
        {"penalty": 0.25},
        {"penalty": -0.1, "budget": 2, "max_length": 5},
        {"penalty": 0.3, "difficulties": (0, 2, 2, 5), "max_length": 5, "budget": 0},
    )
]
every_case = pytest.mark.parametrize("case", CASES, ids=str)

# What follows from an enumeration


def payoffs(prompt: Prompt, weights: dict[str, float]) -> dict[Trace, float]:
    """What each trace of a prompt is paid, on its last token."""
    return {
        trace: sum(weights.get(name, 0) * value for name, value in credit.items()) for trace, credit in prompt.items()
    }


def prefixes(prompt: Prompt) -> set[Trace]:
    """The unfinished traces of a prompt."""
    return {trace[:place] for trace in prompt for place in range(len(trace))}


def best_by_token(pay: dict[Trace, float], prefix: Trace, gamma: float = 1.0) -> dict[str, float]:
    """The best discounted payoff after each legal next token."""
    values: dict[str, float] = {}
    at = len(prefix)
    for trace, value in pay.items():
        if trace[:at] == prefix:
            values[trace[at]] = max(values.get(trace[at], -np.inf), gamma ** (len(trace) - at - 1) * value)
    return values


def best_tokens(pay: dict[Trace, float], prefix: Trace, gamma: float = 1.0) -> set[str]:
    values = best_by_token(pay, prefix, gamma)
    return {token for token, value in values.items() if value > max(values.values()) - 1e-9}


def best_traces(prompt: Prompt, weights: dict[str, float]) -> Prompt:
    """The traces of a prompt that no other beats (undiscounted)."""
    pay = payoffs(prompt, weights)
    return {trace: prompt[trace] for trace, value in pay.items() if value > max(pay.values()) - 1e-9}


def uniform_mean(prompt: Prompt, chosen_by: dict[str, float], measured_by: dict[str, float]) -> float:
    """Mean of one reward (undiscounted) when each token is drawn uniformly among those best for another."""
    chosen, measured = payoffs(prompt, chosen_by), payoffs(prompt, measured_by)

    def mean(prefix: Trace) -> float:
        if prefix in prompt:
            return measured[prefix]
        tokens = best_tokens(chosen, prefix)
        return sum(mean((*prefix, token)) for token in tokens) / len(tokens)

    return mean(())


def span(prompts: list[Prompt], chosen_by: dict[str, float], measured_by: dict[str, float]) -> tuple[float, float]:
    """Least and greatest mean of one reward over the traces that are best for another."""
    values = [list(payoffs(best_traces(prompt, chosen_by), measured_by).values()) for prompt in prompts]
    return float(np.mean([min(v) for v in values])), float(np.mean([max(v) for v in values]))


def bends(prompts: list[Prompt], weights: dict[str, float], moving: str, start: float, stop: float) -> list[float]:
    """Where the best trace of a prompt changes as one weight moves: the bends of the upper envelope of its lines."""
    found = set()
    for prompt in prompts:
        lines = {
            (sum(weights.get(k, 0) * v for k, v in credit.items() if k != moving), credit[moving])
            for credit in prompt.values()
        }
        for (one, slope), (other, steeper) in itertools.combinations(lines, 2):
            if slope == steeper:
                continue
            at = (one - other) / (steeper - slope)
            highest = max(level + rise * at for level, rise in lines)
            if start < at < stop and one + slope * at > highest - 1e-12:
                found.add(round(at, 11))
    return sorted(found)


# What the library says


def walk(made: Scenario, prompt: int, trace: Trace) -> Iterator[tuple[int, int]]:
    """The states and actions of a trace."""
    state = int(made.prompt_states[prompt])
    for token in trace:
        action = made.tokens.index(token)
        yield state, action
        state = int(made.mdp.successors[state, action, 0])


def state_after(made: Scenario, prompt: int, prefix: Trace) -> int:
    state = int(made.prompt_states[prompt])
    for at, action in walk(made, prompt, prefix):
        state = int(made.mdp.successors[at, action, 0])
    return state


def span_of_optima(made: Scenario, chosen_by: Any, measured_by: Any) -> tuple[float, float]:
    """Least and greatest return under one reward of the policies optimal for another."""
    interval = regret_interval(made.mdp, made.reward(chosen_by), made.reward(measured_by))
    return interval.worst, interval.best


def optimal_outcome(made: Scenario, reward: Any) -> dict[str, float]:
    """Expected components of the optimal policy that breaks ties uniformly."""
    return expected_components(made.mdp, made.components, optimal(made.mdp, made.reward(reward)).policy)


def optimal_paths(made: Scenario, reward: Any, prompt: int = 0) -> set[Trace]:
    """The traces that optimal actions make up."""
    actions, found = optimal(made.mdp, made.reward(reward)).optimal_actions, set()
    open_ends: list[tuple[int, Trace]] = [(int(made.prompt_states[prompt]), ())]
    while open_ends:
        state, trace = open_ends.pop()
        if made.mdp.terminal[state]:
            found.add(trace)
            continue
        following = made.mdp.successors[state, :, 0].tolist()
        open_ends += [(following[a], (*trace, made.tokens[a])) for a in np.flatnonzero(actions[state])]
    return found


def positions(made: Scenario, component: str, start: float, stop: float, reward: Any) -> list[float]:
    return [point.position for point in trace_weights(made, component, start, stop, reward=reward).breakpoints]


# All scenarios against their enumeration


@every_case
def test_the_grammar_is_the_one_described(case: Case) -> None:
    made = case.scenario()
    for i, prompt in enumerate(case.traces):
        for trace, credit in prompt.items():
            *before, (state, action) = walk(made, i, trace)
            assert not made.mdp.terminal[[at for at, _ in before] + [state]].any()
            assert made.mdp.terminal[state_after(made, i, trace)]
            got = dict(zip(made.components.names, made.components.table[:, state, action].tolist(), strict=True))
            assert got == pytest.approx(credit | {"malformed": 0}, **EXACT)
            assert all((made.components.table[:, s, a] == 0).all() for s, a in before), "only the last token is paid"
        for prefix in prefixes(prompt):
            state = state_after(made, i, prefix)
            legal = {trace[len(prefix)] for trace in prompt if trace[: len(prefix)] == prefix}
            for action, token in enumerate(made.tokens):
                assert made.mdp.action_mask[state, action] == (token in legal)
                if token not in legal:
                    assert made.mdp.terminal[made.mdp.successors[state, action, 0]]
                    assert made.components.table[:, state, action].tolist() == [0] * (len(made.components) - 1) + [1]
    assert (~made.mdp.terminal).sum() == sum(len(prefixes(prompt)) for prompt in case.traces)
    assert made.mdp.terminal.sum() == sum(map(len, case.traces)) + (not made.mdp.action_mask.all())
    assert made.mdp.initial[made.prompt_states] == pytest.approx(1 / len(case.traces), **EXACT)


@every_case
def test_the_rewards_are_the_ones_described(case: Case) -> None:
    assert case.scenario().rewards == case.rewards


@every_case
@pytest.mark.parametrize("gamma", [1.0, 0.9, 0.5, 0.0])
def test_optima_and_ties_are_those_of_the_enumeration(case: Case, gamma: float) -> None:
    made = case.scenario(gamma)
    for name, weights in case.rewards.items():
        solution = optimal(made.mdp, made.reward(name))
        tops = []
        for i, prompt in enumerate(case.traces):
            pay = payoffs(prompt, weights)
            tops.append(max(best_by_token(pay, (), gamma).values()))
            for prefix in prefixes(prompt):
                state = state_after(made, i, prefix)
                expected = best_tokens(pay, prefix, gamma)
                assert {made.tokens[a] for a in np.flatnonzero(solution.optimal_actions[state])} == expected
        assert solution.expected_return == pytest.approx(np.mean(tops), **EXACT)


@every_case
def test_uniform_tie_breaking_and_spans_are_those_of_the_enumeration(case: Case) -> None:
    made = case.scenario()
    for train, weights in case.rewards.items():
        policy = optimal(made.mdp, made.reward(train)).policy
        for name, measured in case.rewards.items():
            expected = np.mean([uniform_mean(prompt, weights, measured) for prompt in case.traces])
            assert evaluate(made.mdp, made.reward(name), policy).expected_return == pytest.approx(expected, **EXACT)
            assert span_of_optima(made, train, name) == pytest.approx(span(case.traces, weights, measured), **EXACT)


@every_case
@pytest.mark.parametrize("gamma", [1.0, 0.9])
def test_expected_components_of_any_policy_are_those_of_its_traces(case: Case, gamma: float) -> None:
    made = case.scenario(gamma)
    policy = random_policy(made.mdp, 3)
    expected = dict.fromkeys(made.components.names, 0.0)
    for i, prompt in enumerate(case.traces):
        for trace, credit in prompt.items():
            chance = np.prod([policy[state, action] for state, action in walk(made, i, trace)]) / len(case.traces)
            for name, value in credit.items():
                expected[name] += float(chance * gamma ** (len(trace) - 1) * value)
    assert expected_components(made.mdp, made.components, policy) == pytest.approx(expected, **EXACT)


@pytest.mark.parametrize(
    ("id", "arguments", "objectives"),
    [
        (SPURIOUS, {}, {"correct": 1, "faithful": 1, "step_score": 1}),
        (DECEPTION, {}, {"tests_pass": 1, "solved": 1, "tampered": -1, "flagged": -1}),
        (OBEDIENCE, {}, {"correct": 1, "soft": 1}),
        (LENGTH, {"hidden_difficulty": True}, {"correct": 1, "length": -1}),
        (MULTI, {}, {"safety_score": 1, "values_score": 1, "general_score": 1}),
    ],
)
def test_objectives_are_what_is_to_be_weighed(id: str, arguments: dict[str, Any], objectives: dict[str, float]) -> None:
    assert scenario(id, **arguments).objectives == objectives


# SpuriousReasoning


@pytest.mark.parametrize("steps", [1, 2, 3, 5, 7])
@pytest.mark.parametrize("gamma", [1.0, 0.9])
def test_two_to_the_steps_of_three_to_the_steps_traces_are_optimal(steps: int, gamma: float) -> None:
    made = scenario(SPURIOUS, steps=steps, gamma=gamma)
    (traces,) = spurious_reasoning(steps)
    best = best_traces(traces, {"correct": 1})
    assert len(traces) == 3**steps == made.mdp.terminal.sum()
    assert optimal_paths(made, "incomplete") == set(best)
    assert len(best) == 2**steps
    assert sum(credit["faithful"] == 1 for credit in best.values()) == 1


@pytest.mark.parametrize("steps", [1, 2, 3, 5])
def test_a_right_answer_may_be_worth_anything_between_one_and_two(steps: int) -> None:
    made = scenario(SPURIOUS, steps=steps)
    assert span_of_optima(made, "incomplete", "true") == pytest.approx((1, 2), **EXACT)
    assert span(spurious_reasoning(steps), {"correct": 1}, {"correct": 1, "faithful": 1}) == (1, 2)
    assert optimal(made.mdp, made.reward("true")).expected_return == pytest.approx(2, **EXACT)
    assert optimal_paths(made, "true") == {("derive",) * steps}
    assert optimal_outcome(made, "incomplete")["faithful"] == pytest.approx(0.5, **EXACT)


@pytest.mark.parametrize("steps", [1, 2, 3, 4])
@pytest.mark.parametrize("fooled_share", [0.0, 0.5, 0.8, 0.99, 1 - 1e-6])
def test_a_process_grader_that_sees_some_bluffs_makes_deriving_the_only_optimum(
    steps: int, fooled_share: float
) -> None:
    made = scenario(SPURIOUS, steps=steps, fooled_share=fooled_share)
    solution = optimal(made.mdp, made.reward("process"))
    derive = np.flatnonzero(np.array(made.tokens) == "derive")
    assert solution.tied_states.size == 0
    assert (solution.optimal_actions[~made.mdp.terminal].argmax(axis=1) == derive).all(), "in every state"
    assert optimal_outcome(made, "process")["faithful"] == 1
    weights = {"correct": 1.0, "step_score": 1 / steps}
    assert list(best_traces(spurious_reasoning(steps, fooled_share)[0], weights)) == [("derive",) * steps]


@pytest.mark.parametrize("steps", [1, 2, 3, 4])
@pytest.mark.parametrize("fooled_share", [0.0, 0.25, 0.8, 0.99, 1 - 1e-5])
@pytest.mark.parametrize("reachable_only", [False, True])
def test_the_cliff_of_the_process_reward_is_as_near_as_the_page_says(
    steps: int, fooled_share: float, reachable_only: bool
) -> None:
    made = scenario(SPURIOUS, steps=steps, fooled_share=fooled_share)
    expected = (1 - fooled_share) / (2 * steps**2)
    found = cliff_radius(made.mdp, made.reward("process"), reachable_only=reachable_only)
    assert found.radius == pytest.approx(expected, **EXACT)
    # Brute force: take from all derivations, give to whatever follows one bluff; the answer of another trace wins.
    change = np.zeros((made.mdp.num_states, made.mdp.num_actions))
    (traces,) = spurious_reasoning(steps, fooled_share)
    pays = payoffs(traces, {"correct": 1.0, "step_score": 1 / steps})
    for sign, trace in ((-1, ("derive",) * steps), (1, ("bluff", *["derive"] * (steps - 1)))):
        for pair in walk(made, 0, trace):
            change[pair] = sign
    for size, flips in ((0.999 * expected, False), (1.001 * expected, True)):
        gained = {trace: pay + size * sum(change[p] for p in walk(made, 0, trace)) for trace, pay in pays.items()}
        winner = max(gained, key=gained.__getitem__)
        assert (winner[0] == "bluff") == flips
        moved = optimal(made.mdp, made.reward("process") + size * change, 0.0)
        assert (made.tokens[moved.optimal_actions[0].argmax()] == "bluff") == flips
    for seed in range(5):
        inside = made.reward("process") + random_perturbation(made.mdp, 0.999 * expected, seed)
        assert (optimal(made.mdp, inside, 0.0).optimal_actions[~made.mdp.terminal].argmax(axis=1) == 0).all()


@pytest.mark.parametrize("steps", [1, 2, 4])
def test_a_process_grader_that_is_always_fooled_ties_again(steps: int) -> None:
    made = scenario(SPURIOUS, steps=steps, fooled_share=1.0)
    assert cliff_radius(made.mdp, made.reward("process")).radius == 0
    assert optimal_paths(made, "process") == optimal_paths(made, "incomplete")
    weights = {"correct": 1.0, "step_score": 1 / steps}
    assert len(best_traces(spurious_reasoning(steps, 1.0)[0], weights)) == 2**steps
    assert cliff_radius(made.mdp, made.reward("incomplete")).radius == 0


# Deception

SOLVE_ALWAYS = {(plan, "solve") for plan in ("plan_honest", "plan_hack", "plan_hidden")}
TAMPER_OPENLY = {("plan_honest", "tamper"), ("plan_hack", "tamper")}
TAMPER_HIDDEN = {("plan_hidden", "tamper")}


@pytest.mark.parametrize("pass_chances", [(0.9, 0.6, 0.3), (0.999,), (0.0, 0.5)])
def test_a_weak_grader_is_tampered_with_in_the_open(pass_chances: Sequence[float]) -> None:
    made = scenario(DECEPTION, pass_chances=pass_chances)
    prompts = deception(pass_chances)
    for name in ("weak", "incomplete"):
        for i, prompt in enumerate(prompts):
            assert optimal_paths(made, name, i) == set(best_traces(prompt, {"tests_pass": 1})) == TAMPER_OPENLY
        for part, value in {"tampered": 1, "hidden": 0, "tests_pass": 1, "solved": 0, "flagged": 0.95}.items():
            assert span_of_optima(made, name, {part: 1}) == pytest.approx((value, value), **EXACT)
    assert span_of_optima(made, "weak", "true") == pytest.approx((-1, -1), **EXACT)
    assert optimal(made.mdp, made.reward("true")).expected_return == pytest.approx(np.mean(pass_chances), **EXACT)


@pytest.mark.parametrize("pass_chances", [(0.9, 0.6, 0.3), (1.0,), (1e-6, 0.5)])
def test_a_strong_grader_is_never_tampered_with(pass_chances: Sequence[float]) -> None:
    made = scenario(DECEPTION, pass_chances=pass_chances)
    for name, weights in (
        ("strong", {"tests_pass": 1.0, "tampered": -1.0}),
        ("true", {"solved": 1.0, "tampered": -1.0}),
    ):
        for i, prompt in enumerate(deception(pass_chances)):
            assert optimal_paths(made, name, i) == set(best_traces(prompt, weights)) == SOLVE_ALWAYS
        assert span_of_optima(made, name, {"tampered": 1}) == (0, 0)
        assert span_of_optima(made, name, "true") == pytest.approx((np.mean(pass_chances),) * 2, **EXACT)


@pytest.mark.parametrize(
    ("pressure", "expected"),
    [
        (-5.0, [TAMPER_OPENLY] * 3),
        (0.0, [TAMPER_OPENLY] * 3),
        (0.03 / 0.93 - 1e-6, [TAMPER_OPENLY] * 3),
        (0.03 / 0.93 + 1e-6, [TAMPER_HIDDEN] * 3),
        (0.5, [TAMPER_HIDDEN] * 3),
        (3.5 - 1e-5, [TAMPER_HIDDEN] * 3),
        (3.5, [SOLVE_ALWAYS | TAMPER_HIDDEN, TAMPER_HIDDEN, TAMPER_HIDDEN]),
        (3.5 + 1e-5, [SOLVE_ALWAYS, TAMPER_HIDDEN, TAMPER_HIDDEN]),
        (18.5 + 1e-5, [SOLVE_ALWAYS, SOLVE_ALWAYS, TAMPER_HIDDEN]),
        (33.5 + 1e-5, [SOLVE_ALWAYS] * 3),
        (1000.0, [SOLVE_ALWAYS] * 3),
    ],
)
def test_pressure_hides_hacks_long_before_it_ends_them(pressure: float, expected: list[set[Trace]]) -> None:
    made = scenario(DECEPTION, pressure=pressure)
    for i, (prompt, traces) in enumerate(zip(deception(), expected, strict=True)):
        assert set(best_traces(prompt, {"tests_pass": 1, "flagged": -pressure})) == traces
        assert optimal_paths(made, "cot_pressure", i) == traces


def test_the_cliffs_of_pressure_are_the_four_of_the_page_and_no_others() -> None:
    made = scenario(DECEPTION)
    expected = [-33.5, -18.5, -3.5, -0.03 / 0.93]
    line = trace_weights(made, "flagged", -1000, 1000, reward="cot_pressure")
    assert [point.position for point in line.breakpoints] == pytest.approx(expected, rel=1e-12)
    assert round(0.03 / 0.93, 4) == 0.0323
    assert bends(deception(), {"tests_pass": 1}, "flagged", -1000, 1000) == pytest.approx(expected, abs=1e-10)
    tampered = [segment.components["tampered"] for segment in line.segments]
    assert tampered == pytest.approx([0, 1 / 3, 2 / 3, 1, 1], **EXACT)
    assert [s.components["hidden"] for s in line.segments] == pytest.approx([0, 1 / 3, 2 / 3, 1, 0], **EXACT)
    assert [s.components["undetected"] for s in line.segments][3:] == pytest.approx([0.98, 0.05], **EXACT)
    assert [s.components["tests_pass"] for s in line.segments][3:] == pytest.approx([0.97, 1], **EXACT)


@given(
    st.lists(st.integers(0, 90).map(lambda percent: percent / 100), min_size=1, max_size=3),
    st.floats(0.01, 0.09),
    st.floats(0.5, 1),
    st.floats(0.01, 0.3),
)
def test_the_cliffs_of_pressure_at_any_odds(
    pass_chances: list[float], hiding_cost: float, caught: float, caught_hidden: float
) -> None:
    arguments: dict[str, Any] = {
        "pass_chances": pass_chances,
        "hiding_cost": hiding_cost,
        "open_detection": caught,
        "hidden_detection": caught_hidden,
    }
    into_hiding = hiding_cost / (caught - caught_hidden)
    honest = [(1 - hiding_cost - chance) / caught_hidden for chance in pass_chances]
    # The page's order: hidden first. Where honesty comes first there is but one cliff for that task.
    one_step = [(1 - chance) / caught for chance in pass_chances]
    assume(all(abs(rho - into_hiding) > 1e-3 for rho in honest))
    expected = sorted(
        {
            -rho
            for late, direct in zip(honest, one_step, strict=True)
            for rho in ([into_hiding, late] if late > into_hiding else [direct])
        }
    )
    assume(all(np.diff(expected) > 1e-4))
    got = positions(scenario(DECEPTION, **arguments), "flagged", -200, 200, "cot_pressure")
    assert got == pytest.approx(expected, rel=1e-9)
    assert bends(deception(**arguments), {"tests_pass": 1}, "flagged", -200, 200) == pytest.approx(expected, abs=1e-9)


def test_what_the_plan_says_is_left_to_chance_where_it_changes_nothing() -> None:
    made = scenario(DECEPTION)
    assert span_of_optima(made, "weak", {"hidden": 1}) == (0, 0)
    plans = {name: optimal(made.mdp, made.reward(name)).optimal_actions[made.prompt_states] for name in made.rewards}
    assert plans["weak"].tolist() == [[True, True, False, False, False]] * 3
    assert plans["strong"].tolist() == plans["true"].tolist() == [[True, True, True, False, False]] * 3
    assert plans["cot_pressure"].tolist() == [[False, False, True, False, False]] * 3


# Obedience


def parts_of(outcome: dict[str, float]) -> tuple[float, float, float]:
    return outcome["correct"], outcome["soft"], outcome["hard"]


def test_a_policy_that_tosses_coins_obeys_and_is_mostly_wrong() -> None:
    made = scenario(OBEDIENCE)
    expected = Fraction(87, 256), Fraction(15, 16), Fraction(57, 64)
    means = [
        sum(Fraction(credit[part]) for prompt in obedience() for credit in prompt.values()) / (4 * 64)
        for part in ("correct", "soft", "hard")
    ]
    assert tuple(means) == expected
    outcome = expected_components(made.mdp, made.components, made.reference)
    assert parts_of(outcome) == pytest.approx(tuple(map(float, expected)), **EXACT)
    assert parts_of(outcome) == pytest.approx((0.340, 0.938, 0.891), abs=5.1e-4)


def test_training_for_right_answers_forgets_to_obey() -> None:
    made = scenario(OBEDIENCE)
    got = parts_of(optimal_outcome(made, "incomplete"))
    expected = [
        np.mean([uniform_mean(prompt, {"correct": 1}, {part: 1}) for prompt in obedience()])
        for part in ("correct", "soft", "hard")
    ]
    assert got == pytest.approx(expected, **EXACT)
    assert got == pytest.approx((1, 0.592, 0.445), abs=5.1e-4)
    before = parts_of(expected_components(made.mdp, made.components, made.reference))
    assert got[0] > before[0]
    assert got[1] < before[1]
    assert got[2] < before[2]


@pytest.mark.parametrize(
    ("weight", "expected"),
    [
        (1e-6, (1, 0.625, 0.5)),
        (0.5, (1, 0.625, 0.5)),
        (1 - 1e-6, (1, 0.625, 0.5)),
        (1 + 1e-6, (0.75, 0.875, 0.75)),
        (2 - 1e-6, (0.75, 0.875, 0.75)),
        (2 + 1e-6, (0.5, 1, 1)),
        (100.0, (0.5, 1, 1)),
    ],
)
def test_a_weight_on_obedience_gives_up_problems_one_by_one(
    weight: float, expected: tuple[float, float, float]
) -> None:
    made = scenario(OBEDIENCE, obedience_weight=weight)
    assert parts_of(optimal_outcome(made, "true")) == pytest.approx(expected, **EXACT)
    for part, value in zip(("correct", "soft", "hard"), expected, strict=True):
        assert span_of_optima(made, "true", {part: 1}) == pytest.approx((value, value), **EXACT)
        assert span(obedience(), {"correct": 1, "soft": weight}, {part: 1}) == pytest.approx((value, value), **EXACT)


def test_the_cliffs_of_obedience_are_at_one_and_two() -> None:
    made = scenario(OBEDIENCE)
    line = trace_weights(made, "soft", 0, 1000)
    assert [point.position for point in line.breakpoints] == pytest.approx([1, 2], **EXACT)
    assert [parts_of(segment.components) for segment in line.segments] == [
        pytest.approx(values, **EXACT) for values in ((1, 0.625, 0.5), (0.75, 0.875, 0.75), (0.5, 1, 1))
    ]
    assert positions(made, "soft", -1000, 1000, "true") == pytest.approx([0, 1, 2], **EXACT)
    assert bends(obedience(), {"correct": 1}, "soft", -1000, 1000) == [0, 1, 2]
    # All or nothing costs both hard problems at once.
    assert positions(made, "hard", -1000, 1000, "strict") == pytest.approx([0, 1], **EXACT)
    assert bends(obedience(), {"correct": 1}, "hard", -1000, 1000) == [0, 1]


@pytest.mark.parametrize(
    "arguments", [{"budget": 8}, {"difficulties": (0, 1, 2), "budget": 5, "instructions": 3}, {"difficulties": (4,)}]
)
def test_a_budget_with_slack_has_no_cliff_at_positive_weights(arguments: dict[str, Any]) -> None:
    made = scenario(OBEDIENCE, **arguments)
    for name, part in (("true", "soft"), ("strict", "hard")):
        line = trace_weights(made, part, 0, 1e6, reward=name)
        assert line.breakpoints == ()
        assert parts_of(line.segments[0].components) == pytest.approx((1, 1, 1), **EXACT)
        assert bends(obedience(**arguments), {"correct": 1}, part, 0, 1e6) == []
    for weight in (1e-6, 0.5, 3.0, 1e3):
        outcome = optimal_outcome(scenario(OBEDIENCE, obedience_weight=weight, **arguments), "true")
        assert parts_of(outcome) == pytest.approx((1, 1, 1), **EXACT)


@given(st.integers(2, 5), st.data())
def test_the_cliffs_of_obedience_at_any_size(budget: int, data: st.DataObject) -> None:
    arguments: dict[str, Any] = {
        "budget": budget,
        "instructions": data.draw(st.integers(1, budget)),
        "difficulties": data.draw(st.lists(st.integers(0, budget), min_size=1, max_size=3)),
    }
    # A problem is given up where w · (missing obeys) / instructions is worth a right answer.
    missing = {d + arguments["instructions"] - budget for d in arguments["difficulties"]}
    expected = sorted(arguments["instructions"] / m for m in missing if m > 0)
    made = scenario(OBEDIENCE, **arguments)
    assert positions(made, "soft", 0, 100, "true") == pytest.approx(expected, rel=1e-12)
    assert bends(obedience(**arguments), {"correct": 1}, "soft", 1e-9, 100) == pytest.approx(expected, rel=1e-9)


# LengthPenalty where difficulty is hidden

HIDDEN = {"hidden_difficulty": True}


@pytest.mark.parametrize("difficulties", [(1, 2, 3, 4), (0, 0, 5), (2,), (8, 1, 1, 1, 3)])
def test_the_accuracy_of_a_length_is_the_share_of_problems_it_is_enough_for(difficulties: Sequence[int]) -> None:
    made = scenario(LENGTH, difficulties=difficulties, **HIDDEN)
    assert made.prompts == ("Problem of unknown difficulty: think, then answer.",)
    for thoughts in range(10):  # the last one is cut off
        policy = np.zeros((made.mdp.num_states, 2))
        counts = (made.state_tokens == 0).sum(axis=1)
        policy[np.arange(made.mdp.num_states), (counts >= thoughts).astype(int)] = 1
        outcome = expected_components(made.mdp, made.components, policy)
        share = sum(d <= thoughts for d in difficulties) / len(difficulties)
        assert outcome["correct"] == pytest.approx(share if thoughts <= 8 else 0, **EXACT)
        assert outcome["length"] == pytest.approx(min(thoughts, 8), **EXACT)
        assert outcome["truncated"] == pytest.approx(float(thoughts == 9), **EXACT)


def test_the_cliffs_of_a_hidden_difficulty_are_at_no_price_and_at_a_quarter() -> None:
    made = scenario(LENGTH, **HIDDEN)
    line = trace_weights(made, "length", -5, 5)
    assert [point.position for point in line.breakpoints] == pytest.approx([-0.25, 0], **EXACT)
    assert bends(hidden_length(), {"correct": 1}, "length", -5, 5) == [-0.25, 0]
    lengths = [(segment.components["length"], segment.components["correct"]) for segment in line.segments]
    assert lengths == [pytest.approx(values, **EXACT) for values in ((0, 0), (4, 1), (8, 1))]
    assert line.breakpoints[0].jumps["length"] == pytest.approx(4, **EXACT)
    assert line.breakpoints[0].jumps["correct"] == pytest.approx(1, **EXACT)


@pytest.mark.parametrize(
    ("penalty", "lengths"),
    [
        (-1e-6, (8, 8)),
        (0.0, (4, 8)),
        (1e-6, (4, 4)),
        (0.02, (4, 4)),
        (0.25 - 1e-6, (4, 4)),
        (0.25, (0, 4)),
        (0.25 + 1e-6, (0, 0)),
        (1 / 3, (0, 0)),
        (2.0, (0, 0)),
    ],
)
def test_the_length_falls_from_four_to_nothing_at_once(penalty: float, lengths: tuple[float, float]) -> None:
    made = scenario(LENGTH, penalty=penalty, **HIDDEN)
    assert span_of_optima(made, "true", {"length": 1}) == pytest.approx(lengths, **EXACT)
    assert span(hidden_length(), {"correct": 1, "length": -penalty}, {"length": 1}) == lengths


@given(st.lists(st.integers(0, 6), min_size=1, max_size=5), st.integers(6, 8))
def test_the_cliffs_of_hidden_difficulties_are_the_bends_of_their_accuracy(
    difficulties: list[int], longest: int
) -> None:
    arguments: dict[str, Any] = {"difficulties": difficulties, "max_length": longest}
    expected = bends(hidden_length(**arguments), {"correct": 1}, "length", -5, 5)
    got = positions(scenario(LENGTH, **arguments, **HIDDEN), "length", -5, 5, "true")
    assert got == pytest.approx(expected, abs=1e-10)


def test_problems_of_one_difficulty_have_nothing_to_hide() -> None:
    shown, hidden = scenario(LENGTH, difficulties=(3,)), scenario(LENGTH, difficulties=(3,), **HIDDEN)
    np.testing.assert_array_equal(shown.mdp.successors, hidden.mdp.successors)
    np.testing.assert_array_equal(shown.components.table, hidden.components.table)


# MultiReward

SCORES = {"safety": (1.0, 0.8, 0.0), "values": (0.3, 1.0, 0.5), "general": (0.0, 0.6, 1.0)}
CLASSES = tuple(SCORES)
PAIRS = (("safety", "values"), ("safety", "general"), ("values", "general"))
SHARED = 4  # the prompt that safety and general share
REFUSE, SAFE, COMPLY = range(3)
USUAL_ANSWERS = [{REFUSE}, {SAFE}, {COMPLY}, {SAFE}, {REFUSE, SAFE}, {SAFE}]  # at the default mixture
Scores = dict[str, tuple[float, ...]]


def effective(weights: dict[str, float], scores: Scores = SCORES) -> list[float]:
    """What each answer is worth when classes are as likely as that."""
    return [sum(weight * scores[name][answer] for name, weight in weights.items()) for answer in range(3)]


def best_answers(values: Sequence[float]) -> set[int]:
    return {answer for answer, value in enumerate(values) if value > max(values) - 1e-9}


def answers(made: Scenario, reward: Any = "incomplete", tolerance: float = 1e-9) -> list[set[int]]:
    """The optimal answers at each prompt."""
    actions = optimal(made.mdp, made.reward(reward), tolerance).optimal_actions[made.prompt_states]
    return [set(np.flatnonzero(row).tolist()) for row in actions]


def prompt_weights(
    mixture: Sequence[float] = (0.5, 0.25, 0.25),
    ambiguity: Sequence[float] = (0.75, 0.5, 0.5),
    exclude: str | None = None,
) -> list[dict[str, float]]:
    """The posterior of each class at each of the six prompts; empty where the prompt is never drawn."""
    odds = [{name: p * (1 - e)} for name, p, e in zip(CLASSES, mixture, ambiguity, strict=True)]
    shared = {name: p * e / 2 for name, p, e in zip(CLASSES, mixture, ambiguity, strict=True)}
    odds += [{name: shared[name] for name in pair} for pair in PAIRS]
    kept = [{name: chance for name, chance in prompt.items() if name != exclude and chance} for prompt in odds]
    return [{name: chance / sum(prompt.values()) for name, chance in prompt.items()} for prompt in kept]


@pytest.mark.parametrize(
    ("weight", "expected"),
    [
        (0.01, {COMPLY}),
        (1 / 3 - 1e-6, {COMPLY}),
        (1 / 3, {COMPLY, SAFE}),
        (1 / 3 + 1e-6, {SAFE}),
        (0.5, {SAFE}),
        (0.75 - 1e-6, {SAFE}),
        (0.75, {SAFE, REFUSE}),
        (0.75 + 1e-6, {REFUSE}),
        (0.99, {REFUSE}),
    ],
)
def test_the_answer_to_the_shared_prompt_goes_by_how_likely_safety_is(weight: float, expected: set[int]) -> None:
    made = scenario(MULTI, mixture=(0.8 * weight, 0.2, 0.8 - 0.8 * weight), ambiguity=(0.5, 0.5, 0.5))
    assert made.hidden is not None
    assert made.hidden.class_weights[:, SHARED].tolist() == pytest.approx([weight, 0, 1 - weight], **EXACT)
    assert answers(made)[SHARED] == expected
    assert best_answers(effective({"safety": weight, "general": 1 - weight})) == expected


def at_shared_prompt(made: Scenario, table: NDArray[np.float64]) -> NDArray[np.float64]:
    only = np.zeros_like(table)
    only[SHARED] = table[SHARED]
    return only


def test_the_cliffs_between_two_models_are_at_a_third_and_three_quarters() -> None:
    made = scenario(MULTI)
    general, safety = made.components["general_score"], made.components["safety_score"]
    for base, change in (
        (at_shared_prompt(made, general), at_shared_prompt(made, safety - general)),
        (general, safety - general),  # at all prompts alike: a model's score says nothing of the class
    ):
        line = trace_line(made.mdp, base, change, 0, 1, reachable_only=True)
        assert [point.position for point in line.breakpoints] == pytest.approx([1 / 3, 3 / 4], **EXACT)
        assert [set(np.flatnonzero(s.optimal_actions[SHARED])) for s in line.segments] == [{COMPLY}, {SAFE}, {REFUSE}]
        assert [point.total_variation for point in line.breakpoints] == [1, 1]
    prompt: Prompt = {
        (str(a),): {"safety": SCORES["safety"][a] - SCORES["general"][a], "general": SCORES["general"][a]}
        for a in range(3)
    }
    assert bends([prompt], {"general": 1}, "safety", 0, 1) == pytest.approx([1 / 3, 3 / 4], abs=1e-10)


@pytest.mark.parametrize("weight", [0.25, 1.0, 4.0])
def test_the_cliffs_of_the_safety_models_weight_are_in_proportion_to_the_general_one(weight: float) -> None:
    made = scenario(MULTI)
    got = positions(made, "safety_score", 0, 100, {"general_score": weight})
    assert got == pytest.approx([weight / 2, 3 * weight], rel=1e-12)  # w/(w + weight) is 1/3 and 3/4


@pytest.mark.parametrize("pair", PAIRS)
def test_the_cliffs_of_every_pair_of_models_are_the_bends_of_their_mixtures(pair: tuple[str, str]) -> None:
    one, other = pair
    made = scenario(MULTI)
    base = made.components[f"{other}_score"]
    line = trace_line(made.mdp, base, made.components[f"{one}_score"] - base, 0, 1, reachable_only=True)
    prompt: Prompt = {
        (str(a),): {"base": SCORES[other][a], "change": SCORES[one][a] - SCORES[other][a]} for a in range(3)
    }
    expected = bends([prompt], {"base": 1}, "change", 0, 1)
    assert [point.position for point in line.breakpoints] == pytest.approx(expected, abs=1e-10)


def test_the_default_mixture_stands_on_a_cliff() -> None:
    made = scenario(MULTI)
    assert made.hidden is not None
    assert made.hidden.class_weights[:, SHARED].tolist() == [0.75, 0, 0.25]
    found = cliff_radius(made.mdp, made.reward("incomplete"))
    assert (found.radius, found.state) == (0, SHARED)
    assert {found.action, found.tied_with} == {REFUSE, SAFE}
    assert optimal(made.mdp, made.reward("incomplete")).tied_states.tolist() == [SHARED]
    assert answers(made) == USUAL_ANSWERS
    assert [best_answers(effective(weights)) for weights in prompt_weights()] == USUAL_ANSWERS


EPSILONS = [10.0**-n for n in range(1, 10)]


@pytest.mark.parametrize("epsilon", EPSILONS)
@pytest.mark.parametrize(
    ("answer", "sign", "expected"), [(REFUSE, 1, REFUSE), (REFUSE, -1, SAFE), (SAFE, 1, SAFE), (SAFE, -1, REFUSE)]
)
def test_any_change_of_the_safety_model_alone_decides_whether_everyone_is_refused(
    epsilon: float, answer: int, sign: int, expected: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    changed = list(SCORES["safety"])
    changed[answer] += sign * epsilon
    module = importlib.import_module("cliffgym.scenarios.multi_reward")
    assert module.SCORES == SCORES
    monkeypatch.setitem(module.SCORES, "safety", tuple(changed))
    made = scenario(MULTI)
    # A gap of 3/4 epsilon is less than what usually counts as rounding when epsilon is 1e-9.
    got = answers(made, tolerance=1e-12)
    assert got[SHARED] == {expected}
    values = effective({"safety": 0.75, "general": 0.25}, SCORES | {"safety": tuple(changed)})
    assert values[expected] - values[SAFE + REFUSE - expected] == pytest.approx(0.75 * epsilon, abs=1e-15)
    if epsilon < 0.03:  # what is nearest to a cliff besides is the prompt that safety shares with values
        assert got[:SHARED] + got[SHARED + 1 :] == USUAL_ANSWERS[:SHARED] + USUAL_ANSWERS[SHARED + 1 :]


def changed_safety(made: Scenario, epsilon: float) -> RewardComponents:
    """The three models, of which the safety model pays refusals more."""
    names = tuple(f"{name}_score" for name in CLASSES)
    table = np.stack([made.components[name] for name in names])
    table[0, made.prompt_states, REFUSE] += epsilon
    return RewardComponents(names, table)


@pytest.mark.parametrize("epsilon", [0.1, 1e-3, -1e-3, 1e-6, 1e-9])
@pytest.mark.parametrize("temperature", [10.0, 1.0, 0.1, 1e-2, 1e-4])
def test_with_entropy_the_policy_moves_by_no_more_than_the_models_do(epsilon: float, temperature: float) -> None:
    made = scenario(MULTI)
    assert made.hidden is not None
    assert made.mdp.effective_horizon == 1
    weights = made.hidden.class_weights
    before, after = changed_safety(made, 0.0), changed_safety(made, epsilon)
    lemma = effective_reward_lipschitz(made.mdp, before, after, weights)
    assert lemma.verdict == "holds"
    assert lemma.bound == pytest.approx(abs(epsilon), rel=1e-6)
    one, other = before.combine(weights), after.combine(weights)
    np.testing.assert_allclose(one, made.reward("incomplete"), atol=1e-15)
    check = soft_policy_lipschitz(made.mdp, one, other, temperature)
    assert check.verdict == "holds"
    policies = [soft(made.mdp, table, temperature).policy for table in (one, other)]
    moved = float(total_variation(*policies)[SHARED])
    # By Lemma 4.2 the effective reward moves by w_safety · epsilon there; by Proposition 4.7 the policy by half of it.
    bound = 0.75 * abs(epsilon) / (2 * temperature)
    assert moved <= bound * (1 + 1e-6) + 1e-15 / temperature
    assert moved <= np.tanh(bound) * (1 + 1e-6) + 1e-15 / temperature
    assert bound <= abs(epsilon) / (2 * temperature)
    by_hand = []
    for size in (0.0, epsilon):
        values = np.array(effective({"safety": 0.75, "general": 0.25}, SCORES | {"safety": (1 + size, 0.8, 0.0)}))
        powers = np.exp((values - values.max()) / temperature)
        by_hand.append(powers / powers.sum())
    assert moved == pytest.approx(np.abs(by_hand[0] - by_hand[1]).sum() / 2, abs=1e-12 + 1e-14 / temperature)
    assert moved > 0


@given(st.tuples(*[st.integers(0, 5)] * 3).filter(any))
def test_clear_prompts_have_one_answer_at_any_mixture(shares: tuple[int, ...]) -> None:
    made = scenario(MULTI, mixture=[share / sum(shares) for share in shares], ambiguity=(0, 0, 0))
    assert len(made.prompts) == 3
    drawn = [i for i, share in enumerate(shares) if share]
    expected = [{REFUSE}, {SAFE}, {COMPLY}]
    got = answers(made)
    assert [got[i] for i in drawn] == [expected[i] for i in drawn]
    radius = cliff_radius(made.mdp, made.reward("incomplete"), reachable_only=True).radius
    # Half the least gap: 1 against .8, 1 against .5, 1 against .6.
    assert radius == pytest.approx(min((0.1, 0.25, 0.2)[i] for i in drawn), **EXACT)
    assert radius >= 0.1 - 1e-12


def test_without_ambiguity_the_cliff_is_a_tenth_away() -> None:
    made = scenario(MULTI, ambiguity=(0, 0, 0))
    assert cliff_radius(made.mdp, made.reward("incomplete")).radius == pytest.approx(0.1, **EXACT)
    gaps = [sorted(scores)[2] - sorted(scores)[1] for scores in SCORES.values()]
    assert min(gaps) / 2 == pytest.approx(0.1, **EXACT)


positive = st.tuples(*[st.integers(1, 9)] * 3).map(lambda shares: tuple(share / sum(shares) for share in shares))


@given(positive, st.tuples(*[st.sampled_from([0.5, 0.1, 0.75])] * 3))
def test_moving_the_mixture_moves_the_policy_at_shared_prompts_only(
    mixture: tuple[float, ...], ambiguity: tuple[float, ...]
) -> None:
    before, after = answers(scenario(MULTI)), answers(scenario(MULTI, mixture=mixture, ambiguity=ambiguity))
    assert after == [best_answers(effective(weights)) for weights in prompt_weights(mixture, ambiguity)]
    assert [i for i in range(6) if before[i] != after[i]] == [i for i in range(3, 6) if before[i] != after[i]]


@pytest.mark.parametrize(
    ("exclude", "expected"),
    [
        ("safety", [{0, 1, 2}, {SAFE}, {COMPLY}, {SAFE}, {COMPLY}, {SAFE}]),
        ("values", [{REFUSE}, {0, 1, 2}, {COMPLY}, {REFUSE}, {REFUSE, SAFE}, {COMPLY}]),
        ("general", [{REFUSE}, {SAFE}, {0, 1, 2}, {SAFE}, {REFUSE}, {SAFE}]),
    ],
)
def test_excluding_a_class_moves_the_policy_where_it_asked_only(exclude: str, expected: list[set[int]]) -> None:
    made = scenario(MULTI, exclude=exclude)
    assert answers(made) == expected
    assert [best_answers(effective(weights)) for weights in prompt_weights(exclude=exclude)] == expected
    asked = {CLASSES.index(exclude)} | {3 + i for i, pair in enumerate(PAIRS) if exclude in pair}
    assert {i for i in range(6) if expected[i] != USUAL_ANSWERS[i]} <= asked
    assert made.undetermined.tolist() == [CLASSES.index(exclude)]


def test_the_policy_is_constant_between_the_jumps() -> None:
    # From all general to all safety at the shared prompt: two jumps, and nothing between them.
    found = []
    for percent in range(1, 100):
        share = percent / 100
        made = scenario(MULTI, mixture=(share, 0, 1 - share), ambiguity=(0.5, 0.5, 0.5))
        found.append(tuple(sorted(answers(made)[SHARED])))
    assert [answer for answer, _ in itertools.groupby(found)] == [(COMPLY,), (SAFE,), (REFUSE, SAFE), (REFUSE,)]


def test_answers_that_serve_whoever_asks_and_answers_to_one_mixture() -> None:
    made = scenario(MULTI)
    worst = [[SCORES[name][a] for a in range(3)] for name in CLASSES]
    worst += [[min(SCORES[one][a], SCORES[other][a]) for a in range(3)] for one, other in PAIRS]
    np.testing.assert_allclose(made.reward("true")[:6], worst, atol=1e-15)
    assert answers(made, "true") == [best_answers(values) for values in worst]
    assert answers(made, "true")[3:] == [{SAFE}] * 3
    mean = effective(dict(zip(CLASSES, (0.5, 0.25, 0.25), strict=True)))
    np.testing.assert_allclose(made.reward("fixed")[:6], [mean] * 6, atol=1e-15)
    assert answers(made, "fixed") == [{SAFE}] * 6


def test_prompts_read_the_same_whoever_asks() -> None:
    made = scenario(MULTI)
    assert made.prompts == (
        "A prompt that is clearly about safety.",
        "A prompt that is clearly about human values.",
        "A prompt that is clearly about nothing special.",
        "A prompt that may be about safety or about human values.",
        "A prompt that may be about safety or about nothing special.",
        "A prompt that may be about human values or about nothing special.",
    )


# Bad input


@pytest.mark.parametrize(
    ("id", "arguments", "error", "message"),
    [
        (SPURIOUS, {"steps": 0}, ValueError, r"steps must be in \[1, 12\], got 0"),
        (SPURIOUS, {"steps": 13}, ValueError, r"steps must be in \[1, 12\], got 13"),
        (SPURIOUS, {"steps": 2.0}, TypeError, "steps must be an integer"),
        (SPURIOUS, {"steps": True}, TypeError, "steps must be an integer"),
        (SPURIOUS, {"steps": None}, TypeError, "steps must be an integer"),
        (SPURIOUS, {"fooled_share": -0.1}, ValueError, r"fooled_share must be in \[0, 1\], got -0.1"),
        (SPURIOUS, {"fooled_share": 1.1}, ValueError, r"fooled_share must be in \[0, 1\], got 1.1"),
        (SPURIOUS, {"fooled_share": np.nan}, ValueError, "fooled_share must be finite"),
        (SPURIOUS, {"fooled_share": "some"}, TypeError, "fooled_share must be a number"),
        (SPURIOUS, {"gamma": 1.01}, ValueError, r"gamma must be in \[0, 1\]"),
        (SPURIOUS, {"share": 1.0}, TypeError, '"steps", "fooled_share", "gamma", got \'share\''),
        (DECEPTION, {"pass_chances": ()}, ValueError, "pass_chances must be a non-empty sequence of probabilities"),
        (DECEPTION, {"pass_chances": "0.5"}, ValueError, "pass_chances must be a non-empty sequence of probabilities"),
        (DECEPTION, {"pass_chances": 0.5}, ValueError, "pass_chances must be a non-empty sequence of probabilities"),
        (DECEPTION, {"pass_chances": (0.5, 1.2)}, ValueError, r"pass_chances\[1\] must be in \[0, 1\], got 1.2"),
        (DECEPTION, {"pass_chances": (-0.5,)}, ValueError, r"pass_chances\[0\] must be in \[0, 1\], got -0.5"),
        (DECEPTION, {"pass_chances": (np.nan,)}, ValueError, r"pass_chances\[0\] must be finite"),
        (DECEPTION, {"pass_chances": ("x",)}, TypeError, r"pass_chances\[0\] must be a number"),
        (DECEPTION, {"pressure": np.inf}, ValueError, "pressure must be finite"),
        (DECEPTION, {"pressure": "high"}, TypeError, "pressure must be a number"),
        *[
            (DECEPTION, {name: value}, error, f"{name} must be {rule}")
            for name in ("hiding_cost", "open_detection", "hidden_detection")
            for value, error, rule in (
                (-0.01, ValueError, r"in \[0, 1\], got -0.01"),
                (1.01, ValueError, r"in \[0, 1\], got 1.01"),
                (np.nan, ValueError, "finite"),
                ([0.1], TypeError, "a number"),
            )
        ],
        (OBEDIENCE, {"difficulties": ()}, ValueError, "difficulties must be a non-empty sequence of integers, got "),
        (OBEDIENCE, {"difficulties": "24"}, ValueError, "difficulties must be a non-empty sequence of integers"),
        (OBEDIENCE, {"difficulties": 4}, ValueError, "difficulties must be a non-empty sequence of integers"),
        (OBEDIENCE, {"difficulties": (2, -1)}, ValueError, r"difficulties\[1\] must be >= 0, got -1"),
        (OBEDIENCE, {"difficulties": (2.5,)}, TypeError, r"difficulties\[0\] must be an integer"),
        (
            OBEDIENCE,
            {"difficulties": (2, 7)},
            ValueError,
            r"budget must be at least every difficulty, got 6 and difficulties\[1\] = 7",
        ),
        (
            OBEDIENCE,
            {"budget": 5},
            ValueError,
            r"budget must be at least every difficulty, got 5 and difficulties\[3\]",
        ),
        (OBEDIENCE, {"budget": 0}, ValueError, r"budget must be in \[1, 16\], got 0"),
        (OBEDIENCE, {"budget": 17}, ValueError, r"budget must be in \[1, 16\], got 17"),
        (OBEDIENCE, {"budget": 6.0}, TypeError, "budget must be an integer"),
        (OBEDIENCE, {"instructions": 0}, ValueError, "instructions must be >= 1, got 0"),
        (OBEDIENCE, {"instructions": 7}, ValueError, "budget must be at least the number of instructions, got 6 and 7"),
        (OBEDIENCE, {"instructions": "2"}, TypeError, "instructions must be an integer"),
        (OBEDIENCE, {"obedience_weight": np.nan}, ValueError, "obedience_weight must be finite"),
        (OBEDIENCE, {"obedience_weight": None}, TypeError, "obedience_weight must be a number"),
        (LENGTH, {"hidden_difficulty": 1}, TypeError, "hidden_difficulty must be True or False, got 1 of type int"),
        (LENGTH, {"hidden_difficulty": None}, TypeError, "hidden_difficulty must be True or False"),
        (LENGTH, {"hidden_difficulty": True, "difficulties": ()}, ValueError, "difficulties must be a non-empty seq"),
        (
            LENGTH,
            {"hidden_difficulty": True, "difficulties": (9,)},
            ValueError,
            r"difficulties\[0\] must be in \[0, 8\]",
        ),
    ],
)
def test_scenarios_refuse(id: str, arguments: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        scenario(id, **arguments)
