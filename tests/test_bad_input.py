"""Bad input to the core is refused with a message that says which parameter, what rule, what it got and where."""

import math
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from cliffgym import (
    RewardComponents,
    TabularMDP,
    checks,
    evaluate,
    expected_components,
    occupancy,
    optimal,
    random_perturbation,
    scenario,
    soft,
    total_variation,
    uniform_policy,
)
from cliffgym.testing import random_mdp

NAN, INF = math.nan, math.inf
STATES, ACTIONS = ("start", "prompt 2 · answered", "end"), ("think", "answer")


def arguments() -> dict[str, Any]:
    """A fine MDP: "think" goes on, "answer" ends or, in state 1, may go back."""
    return {
        "successors": [[[1, 0], [2, 0]], [[2, 0], [0, 2]], [[2, 2], [2, 2]]],
        "probabilities": [[[1, 0], [1, 0]], [[1, 0], [0.25, 0.75]], [[1, 0], [0.5, 0.5]]],
        "initial": [0.5, 0.5, 0],
        "terminal": [False, False, True],
        "gamma": 0.9,
        "state_names": STATES,
        "action_names": ACTIONS,
    }


def fine() -> TabularMDP:
    return TabularMDP(**arguments())


def altered(values: Any, place: tuple[int, ...], value: Any) -> Any:
    array = np.array(values, dtype=type(value) if isinstance(value, float) else None)
    array[place] = value
    return array


def refused(error: type[Exception], message: str, call: Callable[..., Any], *args: Any, **kwargs: Any) -> None:
    with pytest.raises(error, match=message):
        call(*args, **kwargs)


AT_1_ANSWER = r'at state 1 \("prompt 2 · answered"\), action "answer"'


# TabularMDP


def test_the_input_of_these_tests_is_fine_before_it_is_made_bad() -> None:
    assert fine().num_states == 3


@pytest.mark.parametrize(
    ("place", "value", "message"),
    [
        ((1, 1, 0), 0.15, rf"transition probabilities must sum to 1, got 0\.9 {AT_1_ANSWER}"),
        ((1, 1, 0), 0.25 + 1e-8, rf"transition probabilities must sum to 1, got 1\.00000001 {AT_1_ANSWER}"),
        ((1, 1, 0), -0.25, rf"transition probabilities must be >= 0, got -0\.25 {AT_1_ANSWER}"),
        ((1, 1, 1), NAN, rf"transition probabilities must be >= 0, got nan {AT_1_ANSWER}"),
        ((1, 1, 1), INF, rf"transition probabilities must sum to 1, got inf {AT_1_ANSWER}"),
        ((2, 0, 0), 0.5, r'must sum to 1, got 0\.5 at state 2 \("end"\), action "think"'),
    ],
)
def test_wrong_probabilities_are_named_with_their_state_and_action(
    place: tuple[int, ...], value: float, message: str
) -> None:
    given = arguments()
    refused(ValueError, message, TabularMDP, **given | {"probabilities": altered(given["probabilities"], place, value)})


def test_places_are_numbers_where_there_are_no_names() -> None:
    given = arguments() | {"state_names": None, "action_names": None}
    given["probabilities"] = altered(given["probabilities"], (1, 1, 0), 0.15)
    refused(ValueError, r"got 0\.9 at state 1, action 1$", TabularMDP, **given)


def test_rounding_of_probabilities_is_forgiven() -> None:
    given = arguments()
    given["probabilities"] = altered(given["probabilities"], (1, 1, 0), 0.25 + 1e-12)
    TabularMDP(**given)


@pytest.mark.parametrize("value", [3, -1, 2**62])
def test_successors_are_states(value: int) -> None:
    given = arguments()
    given["successors"] = altered(given["successors"], (1, 1, 0), value)
    refused(ValueError, rf"successors must be states 0\.\.2, got {value} {AT_1_ANSWER}", TabularMDP, **given)


def test_an_empty_slot_names_a_state_too() -> None:
    given = arguments()
    given["successors"] = altered(given["successors"], (0, 0, 1), 9)
    refused(ValueError, r"successors must be states 0\.\.2, got 9", TabularMDP, **given)


def test_a_terminal_state_leads_to_itself() -> None:
    given = arguments()
    given["successors"] = altered(given["successors"], (2, 1, 1), 0)
    message = r'a terminal state must lead to itself, got 0 at state 2 \("end"\), action "answer"'
    refused(ValueError, message, TabularMDP, **given)


def test_a_terminal_states_empty_slots_may_hold_anything() -> None:
    given = arguments()
    given["successors"] = altered(given["successors"], (2, 0, 1), 0)  # has probability 0
    TabularMDP(**given)


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        # Shapes
        ({"probabilities": np.ones((3, 2))}, ValueError, r"probabilities must have shape \(S, A, B\), got \(3, 2\)"),
        ({"probabilities": np.ones((3, 0, 2))}, ValueError, r"probabilities must have shape .* got \(3, 0, 2\)"),
        ({"probabilities": []}, ValueError, r"probabilities must have shape .* got \(0,\)"),
        (
            {"successors": np.zeros((3, 2, 1), int)},
            ValueError,
            r"successors must have shape \(3, 2, 2\), got \(3, 2, 1\)",
        ),
        ({"initial": [1, 0]}, ValueError, r"initial must have shape \(3,\), got \(2,\)"),
        ({"terminal": [[False, False, True]]}, ValueError, r"terminal must have shape \(3,\), got \(1, 3\)"),
        ({"action_mask": [True, True]}, ValueError, r"action_mask must have shape \(3, 2\), got \(2,\)"),
        ({"state_names": STATES[:2]}, ValueError, "state_names must have 3 entries, got 2"),
        ({"action_names": (*ACTIONS, "skip")}, ValueError, "action_names must have 2 entries, got 3"),
        # Types
        ({"successors": np.zeros((3, 2, 2))}, TypeError, "successors must be integers, got dtype float64"),
        ({"successors": np.zeros((3, 2, 2), bool)}, TypeError, "successors must be integers, got dtype bool"),
        ({"successors": [[0], [1, 2]]}, TypeError, "successors must be an array of numbers, got list"),
        ({"successors": "none"}, TypeError, "successors must be integers, got dtype <U4"),
        ({"probabilities": "certain"}, TypeError, "probabilities must be an array of numbers, got str"),
        ({"probabilities": [[1], [1, 2]]}, TypeError, "probabilities must be an array of numbers, got list"),
        ({"initial": ["a", "b", "c"]}, TypeError, "initial must be an array of numbers, got list"),
        ({"initial": [10**400, 0, 0]}, TypeError, "initial must be an array of numbers"),
        ({"terminal": [0, 1, 2]}, TypeError, "terminal must be booleans, got dtype int"),
        ({"terminal": [0.5, 0, 1]}, TypeError, "terminal must be booleans, got dtype float64"),
        ({"terminal": [NAN, 0, 1]}, TypeError, "terminal must be booleans, got dtype float64"),
        ({"terminal": ["no", "no", "yes"]}, TypeError, "terminal must be booleans, got dtype <U3"),
        ({"action_mask": np.full((3, 2), -1)}, TypeError, "action_mask must be booleans"),
        ({"state_names": "abc"}, TypeError, "state_names must be a sequence of strings, got 'abc'"),
        ({"state_names": 3}, TypeError, "state_names must be a sequence of strings, got 3"),
        ({"action_names": (1, 2)}, TypeError, r"action_names must be a sequence of strings, got \(1, 2\)"),
        # Values
        ({"state_names": ("a", "b\0", "c")}, ValueError, "state_names must not contain the character NUL"),
        ({"initial": [0.5, 0.4, 0]}, ValueError, r"initial must be probabilities that sum to 1, got sum 0\.9"),
        (
            {"initial": [1.5, -0.5, 0]},
            ValueError,
            r'initial must be >= 0, got -0\.5 at state 1 \("prompt 2 · answered"\)',
        ),
        ({"initial": [1, 0, NAN]}, ValueError, r'initial must be >= 0, got nan at state 2 \("end"\)'),
        ({"initial": [INF, 0, 0]}, ValueError, "initial must be probabilities that sum to 1, got sum inf"),
        ({"action_names": ("think", "think")}, ValueError, r"action_names must be distinct, got \('think', 'think'\)"),
        (
            {"action_mask": [[True, True], [False, False], [True, True]]},
            ValueError,
            r"action_mask must leave a legal action in every non-terminal state, got none at state 1 \(\"prompt 2",
        ),
        # The discount
        ({"gamma": 1.1}, ValueError, r"gamma must be in \[0, 1\], got 1\.1"),
        ({"gamma": -0.1}, ValueError, r"gamma must be in \[0, 1\], got -0\.1"),
        ({"gamma": NAN}, ValueError, "gamma must be finite, got nan"),
        ({"gamma": INF}, ValueError, "gamma must be finite, got inf"),
        ({"gamma": "0.9"}, TypeError, "gamma must be a number, got '0.9' of type str"),
        ({"gamma": None}, TypeError, "gamma must be a number, got None of type NoneType"),
        ({"gamma": True}, TypeError, "gamma must be a number, got True of type bool"),
        ({"gamma": np.array([0.9])}, TypeError, "gamma must be a number, got array"),
    ],
)
def test_bad_mdps_are_refused(changes: dict[str, Any], error: type[Exception], message: str) -> None:
    refused(error, message, TabularMDP, **arguments() | changes)


@pytest.mark.parametrize(
    ("transition", "error", "message"),
    [
        (np.ones((2, 1, 3)), ValueError, r"transition must have shape \(S, A, S\), got \(2, 1, 3\)"),
        (np.ones((2, 2)), ValueError, r"transition must have shape \(S, A, S\), got \(2, 2\)"),
        (np.ones((0, 1, 0)), ValueError, r"transition must have shape \(S, A, S\), got \(0, 1, 0\)"),
        ([[1], [1, 2]], TypeError, "transition must be an array of numbers, got list"),
        ([[[0.5, 0.4]], [[0, 1]]], ValueError, r"must sum to 1, got 0\.9 at state 0, action 0"),
        ([[[1.5, -0.5]], [[0, 1]]], ValueError, r"must be >= 0, got -0\.5 at state 0, action 0"),
        ([[[NAN, 1]], [[0, 1]]], ValueError, "must be >= 0, got nan at state 0, action 0"),
        ([[[0, 0]], [[0, 1]]], ValueError, r"must sum to 1, got 0\.0 at state 0, action 0"),
        ([[[0, 1]], [[1, 0]]], ValueError, "a terminal state must lead to itself, got 0 at state 1, action 0"),
    ],
)
def test_bad_dense_kernels_are_refused(transition: Any, error: type[Exception], message: str) -> None:
    refused(error, message, TabularMDP.from_dense, transition, [1, 0], [False, True], 0.9)


# Rewards

BAD_REWARDS = [
    (np.zeros((3, 3)), ValueError, r"reward must have shape \(S, A\) = \(3, 2\), got \(3, 3\)"),
    (np.zeros(6), ValueError, r"reward must have shape \(S, A\) = \(3, 2\), got \(6,\)"),
    (None, ValueError, r"reward must have shape \(S, A\) = \(3, 2\), got \(\)"),
    ("true", TypeError, "reward must be an array of numbers, got str"),
    (altered(np.zeros((3, 2)), (1, 1), NAN), ValueError, f"reward must be finite, got nan {AT_1_ANSWER}"),
    (altered(np.zeros((3, 2)), (1, 1), -INF), ValueError, f"reward must be finite, got -inf {AT_1_ANSWER}"),
    (
        altered(np.zeros((3, 2)), (2, 0), 0.5),
        ValueError,
        r'reward must be 0 at terminal states, got 0\.5 at state 2 \("end"\), action "think"',
    ),
]


@pytest.mark.parametrize(("reward", "error", "message"), BAD_REWARDS)
def test_every_solver_refuses_a_bad_reward(reward: Any, error: type[Exception], message: str) -> None:
    mdp = fine()
    refused(error, message, optimal, mdp, reward)
    refused(error, message, soft, mdp, reward, 1.0)
    refused(error, message, evaluate, mdp, reward, uniform_policy(mdp))


@pytest.mark.parametrize(
    ("names", "table", "error", "message"),
    [
        (("a", "a"), np.zeros((2, 3, 2)), ValueError, r"component names must be distinct, .* got \('a', 'a'\)"),
        (("a", ""), np.zeros((2, 3, 2)), ValueError, "component names must be distinct, non-empty strings"),
        ((1, 2), np.zeros((2, 3, 2)), ValueError, "component names must be distinct, non-empty strings"),
        ("ab", np.zeros((2, 3, 2)), TypeError, "component names must be a sequence of strings, got 'ab'"),
        (7, np.zeros((2, 3, 2)), TypeError, "component names must be a sequence of strings, got 7"),
        (
            ("a", "b"),
            np.zeros((1, 3, 2)),
            ValueError,
            r"table must have shape \(K, S, A\) with K = 2 .* got \(1, 3, 2\)",
        ),
        (("a",), np.zeros((3, 2)), ValueError, r"table must have shape \(K, S, A\) with K = 1 names, got \(3, 2\)"),
        (("a",), "zeros", TypeError, "table must be an array of numbers, got str"),
        (
            ("a", "b"),
            altered(np.zeros((2, 3, 2)), (1, 2, 0), NAN),
            ValueError,
            "components must be finite, got nan in 'b' at state 2, action 0",
        ),
    ],
)
def test_bad_components_are_refused(names: Any, table: Any, error: type[Exception], message: str) -> None:
    refused(error, message, RewardComponents, names, table)


@pytest.mark.parametrize(
    ("weights", "error", "message"),
    [
        ({"speed": 1.0}, ValueError, 'component must be one of "correct", "length", got \'speed\''),
        ({"correct": NAN}, ValueError, "weight of 'correct' must be finite, got nan"),
        ({"correct": INF}, ValueError, "weight of 'correct' must be finite, got inf"),
        ({"correct": 10**400}, ValueError, "weight of 'correct' must be finite, got a number beyond"),
        ({"correct": "1"}, TypeError, "weight of 'correct' must be a number, got '1' of type str"),
        ({"correct": None}, TypeError, "weight of 'correct' must be a number, got None"),
        ([1.0], ValueError, r"weights must have shape \(2,\) or \(2, 3\), got \(1,\)"),
        (np.ones((3, 2)), ValueError, r"weights must have shape \(2,\) or \(2, 3\), got \(3, 2\)"),
        (1.0, ValueError, r"weights must have shape \(2,\) or \(2, 3\), got \(\)"),
        ([1.0, NAN], ValueError, "weights must be finite, got nan"),
        ("correct", TypeError, "weights must be an array of numbers, got str"),
    ],
)
def test_bad_weights_are_refused(weights: Any, error: type[Exception], message: str) -> None:
    refused(error, message, RewardComponents(("correct", "length"), np.zeros((2, 3, 2))).combine, weights)


@pytest.mark.parametrize("name", ["speed", "", 0, None])
def test_an_unknown_component_is_answered_with_those_there_are(name: Any) -> None:
    parts = RewardComponents(("correct", "length"), np.zeros((2, 3, 2)))
    message = f'component must be one of "correct", "length", got {name!r}'
    refused(ValueError, message, lambda: parts[name])
    refused(ValueError, message, parts.index, name)


@pytest.mark.parametrize(
    ("size", "error", "message"),
    [
        (-0.1, ValueError, r"size must be >= 0, got -0\.1"),
        (NAN, ValueError, "size must be finite, got nan"),
        ("small", TypeError, "size must be a number, got 'small' of type str"),
    ],
)
def test_bad_perturbations_are_refused(size: Any, error: type[Exception], message: str) -> None:
    refused(error, message, random_perturbation, fine(), size, 0)


# Policies

BAD_POLICIES = [
    (np.full((3, 3), 1 / 3), ValueError, r"must have shape \(S, A\) = \(3, 2\), got \(3, 3\)"),
    (np.array([0, 1, 0]), ValueError, r"must have shape \(S, A\) = \(3, 2\), got \(3,\)"),
    ("greedy", TypeError, "must be an array of numbers, got str"),
    (
        altered(np.full((3, 2), 0.5), (1, 1), 0.4),
        ValueError,
        r'must sum to 1 in each state, got 0\.9 at state 1 \("pro',
    ),
    (
        altered(np.full((3, 2), 0.5), (1, 1), -0.5),
        ValueError,
        rf"must hold probabilities >= 0, got -0\.5 {AT_1_ANSWER}",
    ),
    (altered(np.full((3, 2), 0.5), (1, 1), NAN), ValueError, f"must hold probabilities >= 0, got nan {AT_1_ANSWER}"),
    (altered(np.full((3, 2), 0.5), (1, 1), INF), ValueError, "must sum to 1 in each state, got inf"),
]


@pytest.mark.parametrize(("policy", "error", "message"), BAD_POLICIES)
def test_every_evaluator_refuses_a_bad_policy(policy: Any, error: type[Exception], message: str) -> None:
    mdp, nothing = fine(), np.zeros((3, 2))
    refused(error, f"policy {message}", evaluate, mdp, nothing, policy)
    refused(error, f"policy {message}", occupancy, mdp, policy)
    refused(error, f"policy {message}", expected_components, mdp, RewardComponents(("a",), nothing[None]), policy)
    refused(error, f"reference {message}", soft, mdp, nothing, 1.0, policy)


def test_components_of_another_mdp_are_refused() -> None:
    mdp = fine()
    parts = RewardComponents(("a",), np.zeros((1, 4, 2)))
    message = r"components must have shape \(K, S, A\) with \(S, A\) = \(3, 2\), got \(1, 4, 2\)"
    refused(ValueError, message, expected_components, mdp, parts, uniform_policy(mdp))


@pytest.mark.parametrize(
    ("first", "second", "error", "message"),
    [
        ([[1.0]], [[0.5, 0.5]], ValueError, r"policies must have the same shape .* got \(1, 1\) and \(1, 2\)"),
        ([1.0], [1.0], ValueError, r"policies must have the same shape \(S, A\), got \(1,\) and \(1,\)"),
        ([[NAN]], [[1.0]], ValueError, "policies must be finite"),
        ([[1.0]], [[INF]], ValueError, "policies must be finite"),
        ("a", [[1.0]], TypeError, "policy must be an array of numbers, got str"),
        ([[1.0]], "b", TypeError, "other must be an array of numbers, got str"),
    ],
)
def test_bad_arguments_of_total_variation_are_refused(
    first: Any, second: Any, error: type[Exception], message: str
) -> None:
    refused(error, message, total_variation, first, second)


# Solver settings


@pytest.mark.parametrize(
    ("temperature", "error", "message"),
    [
        (0, ValueError, r"temperature must be > 0, got 0\.0; `optimal` solves the limit 0"),
        (-1e-9, ValueError, "temperature must be > 0, got -1e-09"),
        (NAN, ValueError, "temperature must be finite, got nan"),
        (INF, ValueError, "temperature must be finite, got inf"),
        ("warm", TypeError, "temperature must be a number, got 'warm' of type str"),
        (None, TypeError, "temperature must be a number, got None of type NoneType"),
        (True, TypeError, "temperature must be a number, got True of type bool"),
    ],
)
def test_bad_temperatures_are_refused(temperature: Any, error: type[Exception], message: str) -> None:
    refused(error, message, soft, fine(), np.zeros((3, 2)), temperature)


@pytest.mark.parametrize(
    ("tolerance", "error", "message"),
    [
        (-1e-9, ValueError, "tie_tolerance must be >= 0, got -1e-09"),
        (NAN, ValueError, "tie_tolerance must be finite, got nan"),
        ("none", TypeError, "tie_tolerance must be a number, got 'none' of type str"),
    ],
)
def test_bad_tie_tolerances_are_refused(tolerance: Any, error: type[Exception], message: str) -> None:
    refused(error, message, optimal, fine(), np.zeros((3, 2)), tolerance)


def test_a_reference_that_forbids_every_legal_action_is_refused() -> None:
    masked: dict[str, Any] = arguments() | {"action_mask": [[True, True], [True, False], [True, True]]}
    mdp = TabularMDP(**masked)
    reference = [[0.5, 0.5], [0.0, 1.0], [0.5, 0.5]]
    message = r'reference must give some legal action probability > 0 .* got none at state 1 \("prompt 2 · answered"\)'
    refused(ValueError, message, soft, mdp, np.zeros((3, 2)), 1.0, reference)


# Scenarios


@pytest.mark.parametrize("id", ["Cliff-Slaker-v0", "", None, 3, ("Cliff-Slacker-v0",), np.zeros(2)])
def test_an_unknown_scenario_is_answered_with_those_there_are(id: Any) -> None:
    message = 'id must be one of "Cliff-Slacker-v0", "Cliff-TieBreaker-v0", .*"Cliff-Garnet-v0", got '
    refused(ValueError, message, scenario, id)


def test_an_unknown_keyword_is_answered_with_those_there_are() -> None:
    message = 'keyword argument of Cliff-Slacker-v0 must be one of "problems", "answers", .*"gamma", got \'problem\''
    refused(TypeError, message, scenario, "Cliff-Slacker-v0", problem=3)


@pytest.mark.parametrize(
    ("reward", "error", "message"),
    [
        ("ture", ValueError, 'reward must be one of "incomplete", "true", "lazy", got \'ture\' of Cliff-Slacker-v0'),
        ({"effrot": 1}, ValueError, 'component must be one of "correct", .*"effort", "malformed", got \'effrot\''),
        ({"effort": "much"}, TypeError, "weight of 'effort' must be a number, got 'much'"),
        (None, ValueError, r"reward must have shape \(S, A\) = \(41, 5\), got \(\)"),
        (np.ones((41, 5)), ValueError, r'reward must be 0 at terminal states, got 1\.0 at state \d+ \("prompt'),
    ],
)
def test_bad_rewards_of_a_scenario_are_refused(reward: Any, error: type[Exception], message: str) -> None:
    refused(error, message, scenario("Cliff-Slacker-v0").reward, reward)


@pytest.mark.parametrize(
    ("id", "keywords", "error", "message"),
    [
        ("Cliff-Slacker-v0", {"problems": 0}, ValueError, "problems must be in .1, .*got 0"),
        ("Cliff-Slacker-v0", {"answers": 2.0}, TypeError, "answers must be an integer, got 2.0 of type float"),
        (
            "Cliff-Slacker-v0",
            {"instructions": True},
            TypeError,
            "instructions must be an integer, got True of type bool",
        ),
        ("Cliff-Slacker-v0", {"effort_cost": "1"}, TypeError, "effort_cost must be a number, got '1' of type str"),
        ("Cliff-Slacker-v0", {"instruction_weight": INF}, ValueError, "instruction_weight must be finite, got inf"),
        ("Cliff-Slacker-v0", {"gamma": 1.5}, ValueError, r"gamma must be in \[0, 1\], got 1\.5"),
        ("Cliff-TieBreaker-v0", {"formats": "json"}, ValueError, "formats must be two names or more, got 'json'"),
        (
            "Cliff-TieBreaker-v0",
            {"formats": ["json"]},
            ValueError,
            r"formats must be two names or more, got \['json'\]",
        ),
        ("Cliff-TieBreaker-v0", {"formats": 4}, ValueError, "formats must be two names or more, got 4"),
        ("Cliff-TieBreaker-v0", {"target": "yaml"}, ValueError, "target must be one of \"plain\", .*, got 'yaml'"),
        ("Cliff-TieBreaker-v0", {"target": np.zeros(2)}, ValueError, 'target must be one of "plain", .*, got array'),
        ("Cliff-TieBreaker-v0", {"bonus": NAN}, ValueError, "bonus must be finite, got nan"),
        ("Cliff-LengthPenalty-v0", {"difficulties": ()}, ValueError, r"difficulties must be a non-empty .* got \(\)"),
        (
            "Cliff-LengthPenalty-v0",
            {"difficulties": "12"},
            ValueError,
            "difficulties must be a non-empty sequence .* '12'",
        ),
        (
            "Cliff-LengthPenalty-v0",
            {"difficulties": (1, 9)},
            ValueError,
            r"difficulties\[1\] must be in \[0, 8\], got 9",
        ),
        ("Cliff-LengthPenalty-v0", {"max_length": 0}, ValueError, "max_length must be in .1, .*got 0"),
        ("Cliff-LengthPenalty-v0", {"budget": -1}, ValueError, "budget must be >= 0, got -1"),
        ("Cliff-LengthControl-v0", {"targets": (2, 9)}, ValueError, r"targets\[1\] must be in \[0, 8\], got 9"),
        ("Cliff-LengthControl-v0", {"targets": (2.0,)}, TypeError, r"targets\[0\] must be an integer, got 2\.0"),
        ("Cliff-LengthControl-v0", {"targets": None}, ValueError, "targets must be a non-empty sequence of integers"),
        (
            "Cliff-Sophistry-v0",
            {"question_types": ()},
            ValueError,
            "question_types must be a non-empty sequence of pairs",
        ),
        ("Cliff-Sophistry-v0", {"question_types": [(0.1,)]}, ValueError, r"question_types\[0\] must be a pair"),
        (
            "Cliff-Sophistry-v0",
            {"question_types": [(0.1, 2)]},
            ValueError,
            r"question_types\[0\]\[1\] must be in \[0, 1\]",
        ),
        ("Cliff-Sophistry-v0", {"length": 0}, ValueError, "length must be in .1, .*got 0"),
    ],
)
def test_bad_keywords_of_scenarios_are_refused(
    id: str, keywords: dict[str, Any], error: type[Exception], message: str
) -> None:
    refused(error, message, scenario, id, **keywords)


# The checks themselves


def test_numbers_of_every_kind_are_numbers() -> None:
    for value in (1, 1.0, np.float32(1), np.float64(1), np.int64(1), Fraction(1)):
        assert type(checks.number("x", value)) is float
    for value in (1, np.int64(1), np.uint8(1)):
        assert type(checks.integer("n", value, 0)) is int
    assert checks.flag("f", True) is True


@pytest.mark.parametrize(
    ("check", "args", "error", "message"),
    [
        (checks.integer, ("n", 5, 0, 4), ValueError, r"n must be in \[0, 4\], got 5"),
        (checks.integer, ("n", "5", 0), TypeError, "n must be an integer, got '5' of type str"),
        (checks.number, ("x", 2.0, 0, 1), ValueError, r"x must be in \[0, 1\], got 2\.0"),
        (checks.number, ("x", 1j), TypeError, "x must be a number, got 1j of type complex"),
        (checks.number, ("x", -(10**400)), ValueError, "x must be finite, got a number beyond the largest float"),
        (checks.flag, ("f", 1), TypeError, "f must be True or False, got 1 of type int"),
        (checks.flag, ("f", None), TypeError, "f must be True or False, got None of type NoneType"),
        (checks.choice, ("c", "z", ("a", 1)), ValueError, "c must be one of \"a\", 1, got 'z'"),
        (checks.choice, ("c", ["a"], {"a": 0}), ValueError, r"c must be one of \"a\", got \['a'\]"),
        (checks.array, ("x", object()), TypeError, "x must be an array of numbers, got object"),
    ],
)
def test_checks_say_what_is_wrong(check: Any, args: tuple[Any, ...], error: type[Exception], message: str) -> None:
    refused(error, message, check, *args)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"cycles": "some"}, ValueError, 'cycles must be one of "none", "ending", "free", got \'some\''),
        ({"num_states": 1}, ValueError, "num_states must be >= 2, got 1"),
        ({"num_terminal": 0}, ValueError, r"num_terminal must be in \[1, 5\], got 0"),
        ({"branching": 1, "cycles": "ending"}, ValueError, "branching must be >= 2, got 1"),
        ({"illegal": 1.5}, ValueError, r"illegal must be in \[0, 1\], got 1\.5"),
        ({"gamma": 1, "cycles": "free"}, ValueError, "gamma must be < 1 in an MDP with a cycle"),
    ],
)
def test_bad_random_mdps_are_refused(arguments: dict[str, Any], error: type[Exception], message: str) -> None:
    refused(error, message, random_mdp, 0, **arguments)
