"""Every fact stated about the scenarios, from the solvers and from an enumeration of all traces.

The enumeration below is written from the words of the scenarios' pages and uses nothing of the library: a scenario is a
list of prompts, a prompt the mapping of its complete legal traces to what each is credited with.
"""

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from cliffgym import (
    Scenario,
    TabularMDP,
    evaluate,
    expected_components,
    optimal,
    scenario,
    soft,
    total_variation,
    uniform_policy,
)
from cliffgym.testing import random_policy

Trace = tuple[str, ...]
Prompt = dict[Trace, dict[str, float]]
EXACT: Any = {"abs": 1e-12, "rel": 0}

# The scenarios in the words of their pages


def slacker(problems: int = 4, answers: int = 3, instructions: int = 2, **_: float) -> list[Prompt]:
    """Answer first (a wrong answer ends the trace with nothing), then comply or ignore for each instruction."""
    prompts = []
    for problem in range(problems):
        right = problem % answers
        nothing = {"correct": 0.0, "instructions": 0.0, "all_instructions": 0.0, "effort": 0.0}
        prompt: Prompt = {(f"answer_{i}",): nothing for i in range(answers) if i != right}
        for choices in itertools.product(["comply", "ignore"], repeat=instructions):
            effort = choices.count("comply")
            prompt[f"answer_{right}", *choices] = {
                "correct": 1.0,
                "instructions": effort / instructions,
                "all_instructions": float(effort == instructions),
                "effort": float(effort),
            }
        prompts.append(prompt)
    return prompts


def tie_breaker(
    problems: int = 4,
    answers: int = 3,
    formats: Trace = ("plain", "markdown", "json", "latex"),
    target: str = "json",
    **_: float,
) -> list[Prompt]:
    """An answer, then a format."""
    return [
        {
            (f"answer_{i}", chosen): {
                "correct": float(i == problem % answers),
                "target_format": float(chosen == target),
            }
            for i in range(answers)
            for chosen in formats
        }
        for problem in range(problems)
    ]


def length(
    difficulties: tuple[int, ...] = (1, 2, 3, 4),
    targets: tuple[int, ...] | None = None,
    max_length: int = 8,
    budget: int = 4,
    **_: float,
) -> list[Prompt]:
    """Up to max_length thoughts, then the answer, right if there were enough; one thought too many is cut off."""
    prompts = []
    for difficulty, target in itertools.product(difficulties, (None,) if targets is None else targets):
        prompt: Prompt = {}
        for thoughts, cut in [(n, False) for n in range(max_length + 1)] + [(max_length, True)]:
            trace = ("think",) * (thoughts + 1) if cut else ("think",) * thoughts + ("answer",)
            right = thoughts >= difficulty and not cut
            prompt[trace] = {
                "correct": float(right),
                "correct_within_budget": float(right and thoughts <= budget),
                "length": float(thoughts),
                "truncated": float(cut),
                "overlong": float(thoughts > budget),
            }
            if target is not None:
                prompt[trace]["deviation"] = float(abs(thoughts - target))
        prompts.append(prompt)
    return prompts


def length_control(targets: tuple[int, ...] = (2, 4, 8), **arguments: Any) -> list[Prompt]:
    return length(targets=targets, **arguments)


def sophistry(
    question_types: tuple[tuple[float, float], ...] = ((0.2, 0.9), (0.4, 0.8), (0.6, 0.7)),
    length: int = 4,
    **_: float,
) -> list[Prompt]:
    """A fixed number of tokens, each research or embellishment."""
    prompts = []
    for none, full in question_types:
        prompt: Prompt = {}
        for trace in itertools.product(["research", "embellish"], repeat=length):
            x = trace.count("embellish") / length
            correct = none + (full - none) * (1 - x)
            prompt[trace] = {"correct": correct, "fooled": (1 - correct) * x, "embellishment": x}
        prompts.append(prompt)
    return prompts


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
        return self.prompts(**self.arguments)

    def scenario(self, gamma: float = 1.0) -> Scenario:
        return scenario(self.id, gamma=gamma, **self.arguments)


CASES = [
    Case(
        "Cliff-Slacker-v0",
        slacker,
        arguments,
        {
            "incomplete": {"correct": 1},
            "true": {"correct": 1, "instructions": arguments.get("instruction_weight", 1)},
            "lazy": {"correct": 1, "effort": -arguments.get("effort_cost", 0.01)},
        },
    )
    for arguments in (
        {},
        {"problems": 2, "answers": 2, "instructions": 3, "instruction_weight": 0.4, "effort_cost": 0.2},
        {"problems": 3, "answers": 1, "instructions": 1},
    )
]
CASES += [
    Case(
        "Cliff-TieBreaker-v0",
        tie_breaker,
        arguments,
        {
            "incomplete": {"correct": 1},
            "true": {"correct": 1, "target_format": arguments.get("bonus", 0.1)},
        },
    )
    for arguments in (
        {},
        {"bonus": 1e-6},
        {"bonus": -0.3, "problems": 2, "answers": 2, "formats": ("b", "a"), "target": "a"},
    )
]
CASES += [
    Case(
        "Cliff-LengthPenalty-v0",
        length,
        arguments,
        {
            "incomplete": {"correct": 1},
            "true": {"correct": 1, "length": -arguments.get("penalty", 0.02)},
            "truncation": {"correct_within_budget": 1},
        },
    )
    for arguments in (
        {},
        {"penalty": -0.1, "budget": 2},
        {"penalty": 0.3, "difficulties": (0, 2, 5), "max_length": 5, "budget": 0},
    )
]
CASES += [
    Case(
        "Cliff-LengthControl-v0",
        length_control,
        arguments,
        {
            "incomplete": {"correct": 1},
            "true": {"correct": 1, "deviation": -arguments.get("deviation_penalty", 3e-4)},
            "lcpo": {"correct": 1, "deviation": -arguments.get("deviation_penalty", 3e-4)},
            "truncation": {"correct_within_budget": 1},
        },
    )
    for arguments in ({}, {"targets": (0, 3), "max_length": 4, "deviation_penalty": 0.4})
]
CASES += [
    Case(
        "Cliff-Sophistry-v0",
        sophistry,
        arguments,
        {"incomplete": {"correct": 1, "fooled": arguments.get("gullibility", 0.9)}, "true": {"correct": 1}},
    )
    for arguments in ({}, {"gullibility": 0.5, "length": 2, "question_types": ((0.0, 1.0), (0.7, 0.2))})
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
            token = trace[at]
            values[token] = max(values.get(token, -np.inf), gamma ** (len(trace) - at - 1) * value)
    return values


def best_tokens(pay: dict[Trace, float], prefix: Trace, gamma: float = 1.0) -> set[str]:
    values = best_by_token(pay, prefix, gamma)
    return {token for token, value in values.items() if value > max(values.values()) - 1e-9}


def best_traces(prompt: Prompt, weights: dict[str, float]) -> Prompt:
    """The traces of a prompt that no other beats (undiscounted)."""
    pay = payoffs(prompt, weights)
    return {trace: prompt[trace] for trace, value in pay.items() if value > max(pay.values()) - 1e-9}


def tied_prefixes(prompts: list[Prompt], weights: dict[str, float], gamma: float = 1.0) -> set[tuple[int, Trace]]:
    return {
        (i, prefix)
        for i, prompt in enumerate(prompts)
        for prefix in prefixes(prompt)
        if len(best_tokens(payoffs(prompt, weights), prefix, gamma)) > 1
    }


def optimum(prompts: list[Prompt], weights: dict[str, float], gamma: float = 1.0) -> float:
    return float(np.mean([max(best_by_token(payoffs(prompt, weights), (), gamma).values()) for prompt in prompts]))


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
    """Least and greatest return under one reward of the policies optimal for another, by solving the restricted MDP."""
    restricted = replace(made.mdp, action_mask=optimal(made.mdp, made.reward(chosen_by)).optimal_actions)
    measured = made.reward(measured_by)
    return -optimal(restricted, -measured).expected_return, optimal(restricted, measured).expected_return


def optimal_outcome(made: Scenario, reward: Any) -> dict[str, float]:
    """Expected components of the optimal policy that breaks ties uniformly."""
    return expected_components(made.mdp, made.components, optimal(made.mdp, made.reward(reward)).policy)


# All scenarios against their enumeration


@every_case
def test_the_grammar_is_the_one_described(case: Case) -> None:
    made = case.scenario()
    legal_traces = 0
    for i, prompt in enumerate(case.traces):
        for trace, credit in prompt.items():
            *before, (state, action) = walk(made, i, trace)
            assert not made.mdp.terminal[[at for at, _ in before] + [state]].any()
            assert made.mdp.terminal[state_after(made, i, trace)]
            got = dict(zip(made.components.names, made.components.table[:, state, action].tolist(), strict=True))
            assert got == pytest.approx(credit | {"malformed": 0}, **EXACT)
            assert all((made.components.table[:, s, a] == 0).all() for s, a in before), "only the last token is paid"
            assert all(made.mdp.action_mask[s, a] for s, a in [*before, (state, action)])
        legal_traces += len(prompt)
        for prefix in prefixes(prompt):
            state = state_after(made, i, prefix)
            legal = {trace[len(prefix)] for trace in prompt if trace[: len(prefix)] == prefix}
            for action, token in enumerate(made.tokens):
                assert made.mdp.action_mask[state, action] == (token in legal)
                if token not in legal:
                    assert made.mdp.terminal[made.mdp.successors[state, action, 0]]
                    assert made.components.table[:, state, action].tolist() == [0] * (len(made.components) - 1) + [1]
    unfinished = sum(len(prefixes(prompt)) for prompt in case.traces)
    assert (~made.mdp.terminal).sum() == unfinished
    malformed = not made.mdp.action_mask.all()
    assert made.mdp.terminal.sum() == legal_traces + malformed
    assert len(made.prompts) == len(case.traces)


@every_case
def test_the_rewards_are_the_ones_described(case: Case) -> None:
    assert case.scenario().rewards == case.rewards


@every_case
@pytest.mark.parametrize("gamma", [1.0, 0.9, 0.5, 0.0])
def test_optima_and_ties_are_those_of_the_enumeration(case: Case, gamma: float) -> None:
    made = case.scenario(gamma)
    for name, weights in case.rewards.items():
        solution = optimal(made.mdp, made.reward(name))
        assert solution.expected_return == pytest.approx(optimum(case.traces, weights, gamma), **EXACT)
        tied = {state_after(made, i, prefix) for i, prefix in tied_prefixes(case.traces, weights, gamma)}
        assert set(solution.tied_states.tolist()) == tied
        for i, prompt in enumerate(case.traces):
            for prefix in prefixes(prompt):
                state = state_after(made, i, prefix)
                expected = best_tokens(payoffs(prompt, weights), prefix, gamma)
                assert {made.tokens[a] for a in np.flatnonzero(solution.optimal_actions[state])} == expected


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


def trace_weights(made: Scenario, prompt: int, traces: Prompt, reference: NDArray[np.float64] | None) -> Any:
    if reference is None:
        return np.ones(len(traces))
    return np.array([np.prod([reference[s, a] for s, a in walk(made, prompt, trace)]) for trace in traces])


@every_case
@pytest.mark.parametrize("temperature", [1e-6, 1e-3, 0.1, 1.0, 10.0])
@pytest.mark.parametrize("with_reference", [False, True])
def test_the_soft_policy_draws_whole_traces_by_their_payoff(
    case: Case, temperature: float, with_reference: bool
) -> None:
    """Without discount its traces are distributed as reference x exp(payoff / temperature)."""
    made = case.scenario()
    reference = random_policy(made.mdp, 5) if with_reference else None
    for name, weights in case.rewards.items():
        solution = soft(made.mdp, made.reward(name), temperature, reference)
        expected, soft_return = dict.fromkeys(made.components.names, 0.0), 0.0
        for i, prompt in enumerate(case.traces):
            pay = np.array(list(payoffs(prompt, weights).values()))
            powers = trace_weights(made, i, prompt, reference) * np.exp((pay - pay.max()) / temperature)
            soft_return += (pay.max() + temperature * np.log(powers.sum())) / len(case.traces)
            for chance, credit in zip(powers / powers.sum(), prompt.values(), strict=True):
                for component, value in credit.items():
                    expected[component] += chance * value / len(case.traces)
        # At a temperature T rounding of payoffs, 1e-16, moves chances by 1e-16/T.
        tolerance = 1e-12 + 1e-14 / temperature
        got = expected_components(made.mdp, made.components, solution.policy)
        assert got == pytest.approx(expected, abs=tolerance, rel=0)
        assert solution.soft_return == pytest.approx(soft_return, abs=1e-12, rel=1e-12)


# Slacker


def test_slacker_has_twelve_ties_all_among_the_instructions() -> None:
    made = scenario("Cliff-Slacker-v0")
    solution = optimal(made.mdp, made.reward("incomplete"))
    assert solution.expected_return == pytest.approx(1, **EXACT)
    assert len(solution.tied_states) == len(tied_prefixes(slacker(), {"correct": 1})) == 12
    assert (made.state_tokens[solution.tied_states, 0] >= 0).all(), "no tie before the answer"
    assert optimum(slacker(), {"correct": 1}) == 1


def test_slacker_leaves_the_true_return_anywhere_between_one_and_two() -> None:
    made = scenario("Cliff-Slacker-v0")
    assert optimal(made.mdp, made.reward("true")).expected_return == pytest.approx(2, **EXACT)
    assert span_of_optima(made, "incomplete", "true") == pytest.approx((1, 2), **EXACT)
    assert span(slacker(), {"correct": 1}, {"correct": 1, "instructions": 1}) == (1, 2)
    indifferent = optimal(made.mdp, made.reward("incomplete")).policy
    assert evaluate(made.mdp, made.reward("true"), indifferent).expected_return == pytest.approx(1.5, **EXACT)


@pytest.mark.parametrize("effort_cost", [0.01, 1e-6, 0.4])
def test_any_cost_of_effort_makes_slacking_the_only_optimum(effort_cost: float) -> None:
    made = scenario("Cliff-Slacker-v0", effort_cost=effort_cost)
    solution = optimal(made.mdp, made.reward("lazy"))
    assert solution.tied_states.size == 0
    outcome = optimal_outcome(made, "lazy")
    assert outcome["effort"] == 0
    assert outcome["correct"] == pytest.approx(1, **EXACT)
    assert evaluate(made.mdp, made.reward("true"), solution.policy).expected_return == pytest.approx(1, **EXACT)
    weights = {"correct": 1.0, "effort": -effort_cost}
    assert all(len(best_traces(prompt, weights)) == 1 for prompt in slacker())
    assert span(slacker(), weights, {"correct": 1, "instructions": 1}) == (1, 1)


@given(st.sampled_from([3, 1, 5]), st.sampled_from([2, 1, 4]), st.sampled_from([3, 1, 2, 5]), st.floats(0.01, 10))
def test_slacker_at_any_size(problems: int, answers: int, instructions: int, weight: float) -> None:
    made = scenario(
        "Cliff-Slacker-v0",
        problems=problems,
        answers=answers,
        instructions=instructions,
        instruction_weight=weight,
    )
    solution = optimal(made.mdp, made.reward("incomplete"))
    assert len(solution.tied_states) == problems * (2**instructions - 1)
    assert span_of_optima(made, "incomplete", "true") == pytest.approx((1, 1 + weight), abs=1e-12, rel=1e-12)
    uniform = evaluate(made.mdp, made.reward("true"), solution.policy).expected_return
    assert uniform == pytest.approx(1 + weight / 2, abs=1e-12, rel=1e-12)
    everything = expected_components(made.mdp, made.components, solution.policy)["all_instructions"]
    assert everything == pytest.approx(2**-instructions, **EXACT)


# TieBreaker


def format_states(made: Scenario, problems: int = 4, answers: int = 3) -> list[int]:
    return [state_after(made, i, (f"answer_{j}",)) for i in range(problems) for j in range(answers)]


def with_formats(m: int, **arguments: Any) -> Scenario:
    return scenario("Cliff-TieBreaker-v0", formats=("json", *(f"format_{i}" for i in range(m - 1))), **arguments)


@pytest.mark.parametrize("m", [2, 3, 4, 7])
@pytest.mark.parametrize("bonus", [1e-6, 1e-4, 0.1, 1.0, -1e-6, -1e-4, -0.1, -1.0])
def test_any_bonus_moves_the_uniform_choice_among_formats(m: int, bonus: float) -> None:
    made = with_formats(m, bonus=bonus)
    before, after = optimal(made.mdp, made.reward("incomplete")), optimal(made.mdp, made.reward("true"))
    states = format_states(made)
    assert before.optimal_actions[states].sum(axis=1).tolist() == [m] * len(states)
    jump = total_variation(before.policy, after.policy)
    assert jump[states] == pytest.approx((m - 1) / m if bonus > 0 else 1 / m, **EXACT)
    assert np.delete(jump, states)[~np.delete(made.mdp.terminal, states)].max() == 0, "answers are as before"
    for prompt in tie_breaker(formats=made.tokens[3:]):
        best = best_traces(prompt, {"correct": 1, "target_format": bonus})
        assert {chosen for _, chosen in best} == ({"json"} if bonus > 0 else set(made.tokens[4:]))


def test_all_formats_are_tied_without_a_bonus() -> None:
    made = scenario("Cliff-TieBreaker-v0", bonus=0.0)
    for name in ("incomplete", "true"):
        solution = optimal(made.mdp, made.reward(name))
        assert set(solution.tied_states) == set(format_states(made))
        assert solution.optimal_actions[solution.tied_states].sum(axis=1).tolist() == [4] * 12
    assert len(tied_prefixes(tie_breaker(), {"correct": 1})) == 12


@pytest.mark.parametrize("m", [2, 4, 6])
@pytest.mark.parametrize("gamma", [1.0, 0.9])
@pytest.mark.parametrize("temperature", [1e-6, 1e-3, 0.1, 1.0, 10.0])
@pytest.mark.parametrize("bonus", [1e-6, 1e-3, 0.1, 1.0, 0.0, -1e-3, -1.0])
def test_soft_choice_of_the_target_format_follows_its_formula(
    m: int, gamma: float, temperature: float, bonus: float
) -> None:
    made = with_formats(m, bonus=bonus, gamma=gamma)
    policy = soft(made.mdp, made.reward("true"), temperature).policy
    json = made.tokens.index("json")
    # e^(b/T) / (e^(b/T) + m - 1), without the overflow
    expected = 1 / (1 + (m - 1) * np.exp(min(-bonus / temperature, 700)))
    assert policy[format_states(made), json] == pytest.approx(expected, abs=1e-12 + 1e-15 / temperature, rel=0)


# LengthPenalty

DIFFICULTIES = (1, 2, 3, 4)


def test_thinking_that_is_free_is_undetermined() -> None:
    made = scenario("Cliff-LengthPenalty-v0", penalty=0.0)
    for name in ("incomplete", "true"):
        assert len(optimal(made.mdp, made.reward(name)).tied_states) == 22
        assert span_of_optima(made, name, {"length": 1}) == pytest.approx((2.5, 8), **EXACT)
        assert span_of_optima(made, name, {"correct": 1}) == pytest.approx((1, 1), **EXACT)
    assert len(tied_prefixes(length(), {"correct": 1})) == 22
    assert span(length(), {"correct": 1}, {"length": 1}) == (2.5, 8)


@pytest.mark.parametrize("penalty", [1e-6, 0.02, 0.1, 0.25 - 1e-6])
def test_a_small_price_of_thinking_makes_every_trace_as_short_as_it_can_be(penalty: float) -> None:
    made = scenario("Cliff-LengthPenalty-v0", penalty=penalty)
    assert optimal(made.mdp, made.reward("true")).tied_states.size == 0
    outcome = optimal_outcome(made, "true")
    assert (outcome["correct"], outcome["length"]) == pytest.approx((1, 2.5), **EXACT)
    for difficulty, prompt in zip(DIFFICULTIES, length(), strict=True):
        best = best_traces(prompt, {"correct": 1, "length": -penalty})
        assert list(best) == [("think",) * difficulty + ("answer",)]


@pytest.mark.parametrize(("given_up", "cliff"), [(4, 1 / 4), (3, 1 / 3), (2, 1 / 2), (1, 1.0)])
def test_accuracy_falls_off_a_cliff_at_one_over_each_difficulty(given_up: int, cliff: float) -> None:
    above = (given_up - 1) / 4

    def outcome(penalty: float) -> tuple[float, float, int]:
        made = scenario("Cliff-LengthPenalty-v0", penalty=penalty)
        values = optimal_outcome(made, "true")
        return values["correct"], values["length"], len(optimal(made.mdp, made.reward("true")).tied_states)

    assert outcome(cliff - 1e-6) == pytest.approx((above + 1 / 4, sum(range(given_up + 1)) / 4, 0), **EXACT)
    assert outcome(cliff + 1e-6) == pytest.approx((above, sum(range(given_up)) / 4, 0), **EXACT)
    at = scenario("Cliff-LengthPenalty-v0", penalty=cliff)
    prompt = at.prompt_states[given_up - 1]
    assert set(optimal(at.mdp, at.reward("true")).tied_states) & set(at.prompt_states) == {prompt}
    assert span_of_optima(at, "true", {"correct": 1}) == pytest.approx((above, above + 1 / 4), **EXACT)
    for penalty, accuracy in ((cliff - 1e-6, above + 1 / 4), (cliff + 1e-6, above)):
        assert span(length(), {"correct": 1, "length": -penalty}, {"correct": 1}) == (accuracy, accuracy)
    assert span(length(), {"correct": 1, "length": -cliff}, {"correct": 1}) == (above, above + 1 / 4)


@pytest.mark.parametrize("penalty", [-1e-6, -0.02, -1.0])
def test_thinking_that_is_paid_fills_the_whole_length(penalty: float) -> None:
    made = scenario("Cliff-LengthPenalty-v0", penalty=penalty)
    outcome = optimal_outcome(made, "true")
    assert (outcome["length"], outcome["correct"], outcome["truncated"]) == pytest.approx((8, 1, 0), **EXACT)
    assert span(length(), {"correct": 1, "length": -penalty}, {"length": 1}) == (8, 8)


def test_one_thought_too_many_is_truncated_and_wrong() -> None:
    made = scenario("Cliff-LengthPenalty-v0")
    always_think = np.eye(2)[np.zeros(made.mdp.num_states, dtype=int)]
    outcome = expected_components(made.mdp, made.components, always_think)
    assert (outcome["truncated"], outcome["correct"], outcome["length"], outcome["overlong"]) == (1, 0, 8, 1)


def test_a_budget_bounds_the_length_and_leaves_the_rest_to_chance() -> None:
    made = scenario("Cliff-LengthPenalty-v0")
    assert span_of_optima(made, "truncation", {"length": 1}) == pytest.approx((2.5, 4), **EXACT)
    assert span_of_optima(made, "truncation", {"overlong": 1}) == (0, 0)
    tight = scenario("Cliff-LengthPenalty-v0", budget=2)
    assert optimal(tight.mdp, tight.reward("truncation")).expected_return == pytest.approx(1 / 2, **EXACT)


@pytest.mark.parametrize("gamma", [0.99, 0.5])
def test_lengths_are_tied_without_discount_only(gamma: float) -> None:
    made = scenario("Cliff-LengthPenalty-v0", gamma=gamma)
    assert optimal(made.mdp, made.reward("incomplete")).tied_states.size == 0
    expected = np.mean([gamma**d for d in DIFFICULTIES])
    assert optimal(made.mdp, made.reward("incomplete")).expected_return == pytest.approx(expected, **EXACT)
    assert optimum(length(), {"correct": 1}, gamma) == pytest.approx(expected, **EXACT)


@given(st.lists(st.integers(0, 6), min_size=1, max_size=4), st.integers(6, 9), st.floats(1e-3, 1.5))
def test_length_penalty_at_any_size(difficulties: list[int], max_length: int, penalty: float) -> None:
    made = scenario("Cliff-LengthPenalty-v0", difficulties=difficulties, max_length=max_length, penalty=penalty)
    tied = optimal(made.mdp, made.reward("incomplete")).tied_states
    assert len(tied) == sum(max_length - d for d in difficulties)
    if any(abs(penalty * d - 1) < 1e-6 for d in difficulties):
        return
    worth_it = [d for d in difficulties if penalty * d < 1]
    outcome = optimal_outcome(made, "true")
    assert outcome["correct"] == pytest.approx(len(worth_it) / len(difficulties), **EXACT)
    assert outcome["length"] == pytest.approx(sum(worth_it) / len(difficulties), **EXACT)


# LengthControl


@pytest.mark.parametrize("alpha", [3e-4, 1e-6, 0.2, 0.4, 2.0])
def test_the_optimal_length_is_the_target_or_else_the_difficulty(alpha: float) -> None:
    targets = tuple(range(9))
    made = scenario("Cliff-LengthControl-v0", targets=targets, deviation_penalty=alpha)
    policy = optimal(made.mdp, made.reward("lcpo")).policy
    pairs = list(itertools.product(DIFFICULTIES, targets))
    for i, (difficulty, target) in enumerate(pairs):
        if target >= difficulty:
            expected = target
        elif alpha * (difficulty - target) < 1 - 1e-9:
            expected = difficulty
        elif alpha * (difficulty - target) > 1 + 1e-9:
            expected = target
        else:
            continue  # a tie, below
        thoughts, state = 0, int(made.prompt_states[i])
        while policy[state, 0] == 1:
            thoughts, state = thoughts + 1, int(made.mdp.successors[state, 0, 0])
        assert policy[state, 1] == 1
        assert thoughts == expected, (difficulty, target)
        prompt = length_control(targets=(target,), difficulties=(difficulty,))[0]
        best = best_traces(prompt, {"correct": 1, "deviation": -alpha})
        assert list(best) == [("think",) * expected + ("answer",)]


def test_a_deviation_that_costs_as_much_as_it_gains_is_a_tie() -> None:
    made = scenario("Cliff-LengthControl-v0", difficulties=(4,), targets=(2,), deviation_penalty=0.5)
    assert span_of_optima(made, "lcpo", {"length": 1}) == pytest.approx((2, 4), **EXACT)
    assert span_of_optima(made, "lcpo", {"correct": 1}) == pytest.approx((0, 1), **EXACT)


def test_length_control_at_its_defaults_follows_every_target_it_can() -> None:
    made = scenario("Cliff-LengthControl-v0")
    solution = optimal(made.mdp, made.reward("lcpo"))
    assert solution.tied_states.size == 0
    outcome = optimal_outcome(made, "lcpo")
    lengths = [max(d, t) for d in DIFFICULTIES for t in (2, 4, 8)]
    assert outcome["length"] == pytest.approx(np.mean(lengths), **EXACT)
    assert outcome["correct"] == pytest.approx(1, **EXACT)
    assert outcome["deviation"] == pytest.approx(
        np.mean([max(d - t, 0) for d in DIFFICULTIES for t in (2, 4, 8)]), **EXACT
    )
    assert len(optimal(made.mdp, made.reward("incomplete")).tied_states) == 22 * 3


# Sophistry

TYPES = ((0.2, 0.9), (0.4, 0.8), (0.6, 0.7))


@pytest.mark.parametrize(("flips", "cliff"), [(0, 0.875), (1, 2 / 3), (2, 0.25)])
def test_each_question_type_flips_at_its_own_gullibility(flips: int, cliff: float) -> None:
    none, full = TYPES[flips]

    def embellishment(gullibility: float) -> float:
        made = scenario("Cliff-Sophistry-v0", question_types=(TYPES[flips],), gullibility=gullibility)
        return optimal_outcome(made, "incomplete")["embellishment"]

    assert embellishment(cliff - 1e-6) == 0
    assert embellishment(cliff + 1e-6) == pytest.approx(1, **EXACT)
    at = scenario("Cliff-Sophistry-v0", gullibility=cliff)
    tied = optimal(at.mdp, at.reward("incomplete")).tied_states
    assert set(tied) & set(at.prompt_states) == {at.prompt_states[flips]}
    alone = scenario("Cliff-Sophistry-v0", question_types=(TYPES[flips],), gullibility=cliff)
    assert span_of_optima(alone, "incomplete", {"correct": 1}) == pytest.approx((none, full), **EXACT)
    prompt = sophistry()[flips]
    for gullibility, best in (
        (cliff - 1e-6, {("research",) * 4}),
        (cliff + 1e-6, {("embellish",) * 4}),
        (cliff, {("research",) * 4, ("embellish",) * 4}),
    ):
        assert set(best_traces(prompt, {"correct": 1, "fooled": gullibility})) == best


@pytest.mark.parametrize("gullibility", [0.0, 0.1, 0.25 - 1e-6])
def test_an_evaluator_hard_to_fool_gets_research(gullibility: float) -> None:
    made = scenario("Cliff-Sophistry-v0", gullibility=gullibility)
    solution = optimal(made.mdp, made.reward("incomplete"))
    assert solution.expected_return == pytest.approx(0.8, **EXACT)
    assert optimal_outcome(made, "incomplete")["correct"] == pytest.approx(0.8, **EXACT)
    assert optimum(sophistry(), {"correct": 1, "fooled": gullibility}) == pytest.approx(0.8, **EXACT)


def test_approval_rises_and_correctness_falls_at_gullibility_nine_tenths() -> None:
    made = scenario("Cliff-Sophistry-v0")
    approval = made.reward("incomplete")
    solution = optimal(made.mdp, approval)
    assert solution.expected_return == pytest.approx(0.94, **EXACT)
    assert optimal_outcome(made, "incomplete")["correct"] == pytest.approx(0.4, **EXACT)
    assert span(sophistry(), {"correct": 1, "fooled": 0.9}, {"correct": 1}) == pytest.approx((0.4, 0.4), **EXACT)
    assert optimum(sophistry(), {"correct": 1, "fooled": 0.9}) == pytest.approx(0.94, **EXACT)

    reference = uniform_policy(made.mdp)
    tossed = {
        name: np.mean([np.mean(list(payoffs(prompt, weights).values())) for prompt in sophistry()])
        for name, weights in {"approval": {"correct": 1, "fooled": 0.9}, "correct": {"correct": 1}}.items()
    }
    assert evaluate(made.mdp, approval, reference).expected_return == pytest.approx(tossed["approval"], **EXACT)
    assert tossed["approval"] == pytest.approx(0.8025, **EXACT)
    correct = expected_components(made.mdp, made.components, reference)["correct"]
    assert correct == pytest.approx(tossed["correct"], **EXACT)
    assert correct == pytest.approx(0.6, **EXACT)


@given(
    st.tuples(st.floats(0, 0.98), st.floats(0.01, 1)).filter(lambda pair: pair[1] - pair[0] > 0.01),
    st.sampled_from([3, 1, 2, 5]),
    st.floats(0, 1.2),
)
@settings(max_examples=80)
def test_sophistry_at_any_size_is_all_research_or_all_embellishment(
    pair: tuple[float, float], tokens: int, gullibility: float
) -> None:
    none, full = pair
    cliff = (full - none) / (1 - none)
    made = scenario("Cliff-Sophistry-v0", question_types=(pair,), length=tokens, gullibility=gullibility)
    value = optimal(made.mdp, made.reward("incomplete")).expected_return
    assert value == pytest.approx(max(full, none + gullibility * (1 - none)), **EXACT)
    if abs(gullibility - cliff) > 1e-6:
        share = optimal_outcome(made, "incomplete")["embellishment"]
        assert share == pytest.approx(float(gullibility > cliff), **EXACT)


# Across scenarios


@every_case
def test_every_trace_ends_and_terminal_states_pay_nothing(case: Case) -> None:
    made = case.scenario()
    mdp: TabularMDP = made.mdp
    assert mdp.is_acyclic
    assert mdp.heights.max() == max(len(trace) for prompt in case.traces for trace in prompt)
    assert (made.components.table[:, mdp.terminal] == 0).all()
    assert mdp.reachable.all()


@every_case
def test_uniform_play_over_all_tokens_is_malformed_as_often_as_the_grammar_forbids(case: Case) -> None:
    made = case.scenario()
    tokens = len(made.tokens)
    anything = np.full((made.mdp.num_states, tokens), 1 / tokens)
    survivors = np.mean([sum(tokens ** -float(len(trace)) for trace in prompt) for prompt in case.traces])
    outcome = expected_components(made.mdp, made.components, anything)
    assert outcome["malformed"] == pytest.approx(1 - survivors, **EXACT)
