"""From a grammar of traces to arrays.

A grammar is a list of prompts and a rule that says, for a prompt and the tokens emitted so far, whether the trace goes
on, has ended, or is malformed. States are the prefixes that the rule lets happen, found breadth first, so that a trace
of a reasoning model and a path in the MDP are the same thing.

Shapes: S states, A tokens, K components, N prompts, T the longest trace in tokens.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from cliffgym.checks import array, listing, number
from cliffgym.mdp import TabularMDP
from cliffgym.rewards import RewardComponents
from cliffgym.trace_scenario import Scenario

MALFORMED = "malformed"
_MAX_STATES = 2_000_000


@dataclass(frozen=True)
class End:
    """A trace has ended: how, in words, and what it is credited with (components not named get 0)."""

    outcome: str
    components: Mapping[str, float] = field(default_factory=dict)


Rule = Callable[[int, tuple[str, ...]], End | str | None]
"""`rule(prompt, tokens)`, called when the last of `tokens` has just been emitted, returns an `End`, or None if the
trace goes on, or `MALFORMED` if the grammar does not allow that last token there."""


def build_scenario(
    *,
    id: str,
    prompts: Sequence[str],
    tokens: Sequence[str],
    rule: Rule,
    components: Sequence[str],
    rewards: Mapping[str, Mapping[str, float]],
    gamma: float,
    token_texts: Mapping[str, str] | None = None,
    prompt_probabilities: Sequence[float] | None = None,
) -> Scenario:
    """Enumerates a grammar of traces and returns its scenario.

    Args:
        id: The environment's id.
        prompts: N texts, one for each prompt.
        tokens: A token names.
        rule: What follows an emitted token; see `Rule`. Every trace must end.
        components: Component names; `malformed` is added as the last one.
        rewards: Weights of components by reward name; must contain `incomplete` and `true`.
        gamma: Discount of one token.
        token_texts: What tokens read as in a transcript.
        prompt_probabilities: (N,) default uniform.

    Raises:
        ValueError: A rule credits an unknown component or ends a trace without saying how, a reward is missing or
            weighs an unknown component, the grammar has more than two million states, or the arrays are invalid.

    >>> coin = build_scenario(
    ...     id="Coin-v0", prompts=["Call it."], tokens=["heads", "tails"], gamma=1.0, components=["won"],
    ...     rule=lambda prompt, tokens: End("called", {"won": float(tokens == ("heads",))}),
    ...     rewards={"incomplete": {"won": 1}, "true": {"won": 1}},
    ... )
    >>> coin.mdp.state_names
    ('prompt 0', 'prompt 0 · heads', 'prompt 0 · tails')
    """
    if not prompts or not tokens:
        raise ValueError(f"{id} must have prompts and tokens, got {len(prompts)} and {len(tokens)}")
    tree = _grow(id, len(prompts), tokens, rule)
    S, A = len(tree.prefixes), len(tokens)
    mask = np.ones((S, A), dtype=bool)
    mask[tuple(np.array(tree.illegal, dtype=np.intp).reshape(-1, 2).T)] = False
    if prompt_probabilities is None:
        prompt_probabilities = [1 / len(prompts)] * len(prompts)
    chances = array("prompt_probabilities", prompt_probabilities)
    if chances.shape != (len(prompts),):
        raise ValueError(f"prompt_probabilities must have shape ({len(prompts)},), got {chances.shape}")
    initial = np.concatenate([chances, np.zeros(S - len(prompts))])
    mdp = TabularMDP(
        successors=np.array(tree.successors, dtype=np.intp)[:, :, None],
        probabilities=np.ones((S, A, 1)),
        initial=initial,
        terminal=np.array([bool(outcome) for outcome in tree.outcomes]),
        gamma=gamma,
        action_mask=mask,
        state_names=tuple(_state_name(*state) for state in tree.prefixes),
        action_names=tuple(tokens),
    )
    parts = _components(id, (*components, MALFORMED), tree, (S, A))
    for name in ("incomplete", "true"):
        if name not in rewards:
            raise ValueError(f'rewards of {id} must contain "{name}", got {listing(rewards)}')
    for weighting in rewards.values():
        parts.weights(weighting)  # refuses unknown components
    return Scenario(
        id=id,
        mdp=mdp,
        components=parts,
        rewards={name: dict(weighting) for name, weighting in rewards.items()},
        prompts=tuple(prompts),
        prompt_states=np.arange(len(prompts)),
        state_prompts=np.array([prompt for prompt, _ in tree.prefixes]),
        state_tokens=_token_table(tree, tokens),
        outcomes=tuple(tree.outcomes),
        token_texts=dict(token_texts or {}),
    )


@dataclass
class _Tree:
    """What the rule lets happen.

    Each state has a (prompt, prefix), an outcome ("" while the trace goes on) and A successors; pairs that end a trace
    have credits; pairs that are not allowed are listed.
    """

    prefixes: list[tuple[int, tuple[str, ...]]]
    outcomes: list[str]
    successors: list[list[int]] = field(default_factory=list)
    credits: dict[tuple[int, int], Mapping[str, float]] = field(default_factory=dict)
    illegal: list[tuple[int, int]] = field(default_factory=list)


def _grow(id: str, num_prompts: int, tokens: Sequence[str], rule: Rule) -> _Tree:
    """Enumerates prefixes breadth first; the malformed state, if any token is ever not allowed, is the last."""
    tree = _Tree([(prompt, ()) for prompt in range(num_prompts)], [""] * num_prompts)
    for state, (prompt, prefix) in enumerate(tree.prefixes):  # the list grows while it is walked
        if tree.outcomes[state]:
            tree.successors.append([state] * len(tokens))
            continue
        row = []
        for action, token in enumerate(tokens):
            result = rule(prompt, (*prefix, token))
            if not isinstance(result, End) and result not in (None, MALFORMED):
                raise TypeError(
                    f"rule of {id} must return an End, None or MALFORMED, got {result!r} after {(*prefix, token)}"
                )
            if result == MALFORMED:
                tree.illegal.append((state, action))
                row.append(-1)
                continue
            row.append(len(tree.prefixes))
            tree.prefixes.append((prompt, (*prefix, token)))
            if isinstance(result, End):
                if not result.outcome:
                    raise ValueError(f"End of {id} must say its outcome, got '' after {(*prefix, token)}")
                tree.credits[state, action] = result.components
            tree.outcomes.append(result.outcome if isinstance(result, End) else "")
        tree.successors.append(row)
        if len(tree.prefixes) > _MAX_STATES:
            raise ValueError(f"{id} must have at most {_MAX_STATES:,} states, got more: choose smaller sizes")
    if tree.illegal:
        malformed = len(tree.prefixes)
        tree.prefixes.append((-1, ()))
        tree.outcomes.append("malformed: a token that is not allowed here")
        tree.successors.append([malformed] * len(tokens))
        for state, action in tree.illegal:
            tree.successors[state][action] = malformed
    return tree


def _components(id: str, names: tuple[str, ...], tree: _Tree, shape: tuple[int, int]) -> RewardComponents:
    table = np.zeros((len(names), *shape))
    for (state, action), credit in tree.credits.items():
        for name, value in credit.items():
            if name not in names:
                raise ValueError(f"component must be one of {listing(names)}, got {name!r} from the rule of {id}")
            table[names.index(name), state, action] = number(f"component {name!r} of {id}", value)
    for state, action in tree.illegal:
        table[-1, state, action] = 1.0
    return RewardComponents(names, table)


def _token_table(tree: _Tree, tokens: Sequence[str]) -> NDArray[np.intp]:
    """(S, T) the tokens of each prefix as action numbers, padded with -1."""
    number = {token: action for action, token in enumerate(tokens)}
    table = np.full((len(tree.prefixes), max(len(prefix) for _, prefix in tree.prefixes)), -1)
    for state, (_, prefix) in enumerate(tree.prefixes):
        table[state, : len(prefix)] = [number[token] for token in prefix]
    return table


def _state_name(prompt: int, prefix: tuple[str, ...]) -> str:
    if prompt < 0:
        return MALFORMED
    return f"prompt {prompt}" + (f" · {' '.join(prefix)}" if prefix else "")
