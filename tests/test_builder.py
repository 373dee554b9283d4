"""build_scenario: a grammar of traces becomes exactly the states, transitions and credits that its rule allows."""

import copy
import pickle
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cliffgym import MALFORMED, End, Scenario, build_scenario, builder, optimal

TOKENS = ("x", "y", "z")
Trace = tuple[str, ...]
TEXT: Any = {"won": "1"}  # not a number


class Grammar:
    """A random grammar: what follows each prefix is drawn when it is first asked for, and then kept."""

    def __init__(self, seed: int, num_prompts: int, depth: int, chance_malformed: float) -> None:
        self.rng = np.random.default_rng(seed)
        self.num_prompts, self.depth, self.chance_malformed = num_prompts, depth, chance_malformed
        self.drawn: dict[tuple[int, Trace], Any] = {}

    def __call__(self, prompt: int, tokens: Trace) -> Any:
        if (prompt, tokens) not in self.drawn:
            self.drawn[prompt, tokens] = self.draw(tokens)
        return self.drawn[prompt, tokens]

    def draw(self, tokens: Trace) -> Any:
        # The first token is always allowed, so that every trace can go on.
        if tokens[-1] != "x" and self.rng.random() < self.chance_malformed:
            return MALFORMED
        if len(tokens) == self.depth or self.rng.random() < 0.3:
            return End(f"ended {self.rng.integers(1000)}", {"a": self.rng.normal(), "b": self.rng.normal()})
        return None

    def traces(self, prompt: int, prefix: Trace = ()) -> Iterator[tuple[Trace, End | str]]:
        """Every complete trace, with how it ends."""
        for token in TOKENS:
            result = self(prompt, (*prefix, token))
            if result is None:
                yield from self.traces(prompt, (*prefix, token))
            else:
                yield (*prefix, token), result

    def scenario(self, **changes: Any) -> Scenario:
        arguments: dict[str, Any] = {
            "id": "Random-v0",
            "prompts": [f"Prompt {i}?" for i in range(self.num_prompts)],
            "tokens": TOKENS,
            "rule": self,
            "components": ["a", "b"],
            "rewards": {"incomplete": {"a": 1.0}, "true": {"a": 1.0, "b": -2.0}},
            "gamma": 1.0,
        }
        return build_scenario(**arguments | changes)


grammars = st.builds(
    Grammar,
    st.integers(0, 2**32 - 1),
    num_prompts=st.sampled_from([2, 3, 1]),
    depth=st.sampled_from([3, 4, 1, 2]),
    chance_malformed=st.sampled_from([0.4, 0.0, 1.0]),
)


@given(grammars)
def test_every_trace_of_the_grammar_can_be_walked_and_is_credited_on_its_last_token(grammar: Grammar) -> None:
    made = grammar.scenario()
    visited, credited = set(), np.zeros(made.components.table.shape)
    for prompt in range(grammar.num_prompts):
        for trace, result in grammar.traces(prompt):
            last, action, state = -1, -1, made.prompt_states[prompt]
            for place, token in enumerate(trace):
                action = made.tokens.index(token)
                assert not made.mdp.terminal[state]
                assert made.state_tokens[state].tolist()[:place] == [TOKENS.index(earlier) for earlier in trace[:place]]
                assert (made.state_tokens[state][place:] == -1).all()
                assert made.state_prompts[state] == prompt
                visited.add(int(state))
                allowed = result != MALFORMED or place < len(trace) - 1
                assert made.mdp.action_mask[state, action] == allowed
                last, state = state, made.mdp.successors[state, action, 0]
            assert made.mdp.terminal[state]
            visited.add(int(state))
            if isinstance(result, End):
                credited[:2, last, action] = result.components["a"], result.components["b"]
                assert made.outcomes[state] == result.outcome
            else:
                credited[2, last, action] = 1
                assert made.outcomes[state].startswith("malformed")
                assert made.mdp.state_names is not None
                assert made.mdp.state_names[state] == MALFORMED
    assert visited == set(range(made.mdp.num_states))
    np.testing.assert_array_equal(made.components.table, credited)


@given(grammars)
def test_there_is_one_state_for_each_prefix_and_one_for_malformed_traces(grammar: Grammar) -> None:
    made = grammar.scenario()
    prefixes, malformed = set(), False
    for prompt in range(grammar.num_prompts):
        for trace, result in grammar.traces(prompt):
            malformed |= result == MALFORMED
            whole = len(trace) - (result == MALFORMED)
            prefixes |= {(prompt, trace[:length]) for length in range(whole + 1)}
    assert made.mdp.num_states == len(prefixes) + malformed
    assert made.mdp.is_acyclic
    lengths = [len(tokens[tokens >= 0]) for tokens in made.state_tokens]
    lengths = lengths[:-1] if malformed else lengths
    assert lengths == sorted(lengths), "states are found breadth first"


@given(grammars)
def test_the_optimum_is_the_best_trace_of_each_prompt(grammar: Grammar) -> None:
    made = grammar.scenario()
    best = [
        max(
            result.components["a"] - 2 * result.components["b"]
            for _, result in grammar.traces(prompt)
            if isinstance(result, End)
        )
        for prompt in range(grammar.num_prompts)
    ]
    assert optimal(made.mdp, made.reward("true")).expected_return == pytest.approx(np.mean(best), abs=1e-12)


def test_prompts_are_equally_likely_unless_told_otherwise() -> None:
    grammar = Grammar(0, 4, 1, 0.0)
    start = slice(0, 4)
    assert grammar.scenario().mdp.initial[start].tolist() == [0.25] * 4
    told = grammar.scenario(prompt_probabilities=np.array([0.5, 0.5, 0, 0]))
    assert told.mdp.initial[start].tolist() == [0.5, 0.5, 0, 0]
    assert told.mdp.initial[4:].sum() == 0


def coin(**changes: Any) -> Scenario:
    arguments: dict[str, Any] = {
        "id": "Coin-v0",
        "prompts": ["Call it.", "Again."],
        "tokens": ["heads", "tails"],
        "rule": lambda prompt, tokens: End("called", {"won": float(tokens == ("heads",))}),
        "components": ["won"],
        "rewards": {"incomplete": {"won": 1}, "true": {"won": 2}},
        "gamma": 1.0,
    }
    return build_scenario(**arguments | changes)


def test_states_and_traces_read_as_text() -> None:
    made = coin(token_texts={"heads": "the obverse"})
    assert made.mdp.state_names is not None
    assert made.mdp.state_names[0] == "prompt 0"
    assert made.mdp.state_names[2] == "prompt 0 · heads"
    assert made.transcript(0) == "> Call it."
    assert made.transcript(2) == "> Call it.\n  heads: the obverse\n= called"
    assert made.transcript(5) == "> Again.\n  tails\n= called"
    assert made.token_text(1) == "tails"
    assert made.tokens == ("heads", "tails")
    assert repr(made) == "Scenario('Coin-v0', 6 states, rewards: incomplete, true)"


def test_a_malformed_trace_reads_as_one() -> None:
    made = coin(rule=lambda prompt, tokens: MALFORMED if tokens == ("tails",) else End("called"))
    assert made.transcript(made.mdp.num_states - 1) == "malformed trace"
    assert made.mdp.action_mask[0].tolist() == [True, False]


def test_a_reward_is_a_name_a_weighting_or_a_table() -> None:
    made = coin()
    table = np.zeros((6, 2))
    table[:2, 0] = 2
    for reward in ("true", {"won": 2}, table):
        np.testing.assert_array_equal(made.reward(reward), table)


@pytest.mark.parametrize("make", [copy.copy, copy.deepcopy, lambda made: pickle.loads(pickle.dumps(made))])
def test_scenarios_can_be_copied(make: Any) -> None:
    made = make(coin())
    np.testing.assert_array_equal(made.reward("true"), coin().reward("true"))
    assert made.mdp.state_names == coin().mdp.state_names
    assert not made.mdp.successors.flags.writeable


def test_a_grammar_without_end_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(builder, "_MAX_STATES", 100)
    with pytest.raises(ValueError, match="Coin-v0 must have at most 100 states, got more: choose smaller sizes"):
        coin(rule=lambda prompt, tokens: None)


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"prompts": []}, ValueError, "Coin-v0 must have prompts and tokens, got 0 and 2"),
        ({"tokens": []}, ValueError, "Coin-v0 must have prompts and tokens, got 2 and 0"),
        ({"tokens": ["a", "a"]}, ValueError, r"action_names must be distinct, got \('a', 'a'\)"),
        ({"components": ["won", "won"]}, ValueError, "component names must be distinct"),
        ({"components": ["won", "malformed"]}, ValueError, "component names must be distinct"),
        ({"components": ["won", ""]}, ValueError, "component names must be distinct, non-empty strings"),
        ({"rewards": {"incomplete": {}}}, ValueError, 'rewards of Coin-v0 must contain "true", got "incomplete"'),
        ({"rewards": {"true": {}}}, ValueError, 'rewards of Coin-v0 must contain "incomplete", got "true"'),
        (
            {"rewards": {"incomplete": {}, "true": {"fun": 1}}},
            ValueError,
            'component must be one of "won", "malformed", got \'fun\'',
        ),
        ({"rewards": {"incomplete": {}, "true": {"won": "1"}}}, TypeError, "weight of 'won' must be a number, got '1'"),
        ({"gamma": 1.5}, ValueError, r"gamma must be in \[0, 1\], got 1.5"),
        ({"prompt_probabilities": [0.5]}, ValueError, r"prompt_probabilities must have shape \(2,\), got \(1,\)"),
        (
            {"prompt_probabilities": [1.5, -0.5]},
            ValueError,
            r'initial must be >= 0, got -0.5 at state 1 \("prompt 1"\)',
        ),
        ({"prompt_probabilities": [0.5, 0.4]}, ValueError, r"initial must be probabilities that sum to 1, got sum 0.9"),
        ({"rule": lambda p, t: End("")}, ValueError, r"End of Coin-v0 must say its outcome, got '' after \('heads',\)"),
        (
            {"rule": lambda p, t: End("called", {"lost": 1})},
            ValueError,
            'component must be one of "won", "malformed", got \'lost\' from the rule of Coin-v0',
        ),
        (
            {"rule": lambda p, t: End("called", {"won": float("nan")})},
            ValueError,
            "component 'won' of Coin-v0 .* finite",
        ),
        ({"rule": lambda p, t: End("called", TEXT)}, TypeError, "component 'won' of Coin-v0 must be a number"),
        (
            {"rule": lambda p, t: "malformd"},
            TypeError,
            r"rule of Coin-v0 must return an End, None or MALFORMED, got 'malformd' after \('heads',\)",
        ),
        ({"rule": lambda p, t: True}, TypeError, "must return an End, None or MALFORMED, got True"),
        ({"rule": lambda p, t: MALFORMED}, ValueError, r'legal action .* got none at state 0 \("prompt 0"\)'),
    ],
)
def test_bad_grammars_are_refused(changes: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        coin(**changes)
