"""From a grammar of traces to arrays.

A grammar is a list of prompts and a rule that says, for a prompt and the tokens emitted so far, whether the trace goes
on, has ended, or is malformed. States are the prefixes that the rule lets happen, found breadth first, so that a trace
of a reasoning model and a path in the MDP are the same thing.

Shapes: S states, A tokens, K components, N prompts, T the longest trace in tokens, W states of the world where prompts
have hidden classes, H prompts as the rule knows them.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from cliffgym.checks import array, choice, integer, listing, number, sequence
from cliffgym.mdp import TabularMDP
from cliffgym.observed import ObservedMDP, observe
from cliffgym.rewards import RewardComponents
from cliffgym.trace_scenario import HiddenClasses, Scenario

MALFORMED = "malformed"
"""What a rule returns for a token that its grammar does not allow, and the component that counts such traces."""

_MAX_STATES = 2_000_000


@dataclass(frozen=True)
class End:
    """A trace has ended: how, in words, and what it is credited with (components not named get 0).

    >>> def rule(prompt, tokens):
    ...     if tokens[-1] == "stop" or len(tokens) == 2:
    ...         return End(f"length {len(tokens)}", {"length": len(tokens)})
    >>> walk = build_scenario(
    ...     id="Walk-v0", prompts=["Go."], tokens=["go", "stop"], gamma=1.0, components=["length"], rule=rule,
    ...     rewards={"incomplete": {"length": 1}, "true": {"length": -1}},
    ... )
    >>> walk.outcomes  # of no token, go, stop, go go and go stop
    ('', '', 'length 1', 'length 2', 'length 2')
    >>> walk.components["length"][:2].tolist()
    [[0.0, 1.0], [2.0, 2.0]]
    """

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
    hidden_prompts: Sequence[tuple[str, int]] | None = None,
    reference: Callable[[int, tuple[str, ...]], Mapping[str, float]] | None = None,
    objectives: Mapping[str, float] | None = None,
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
        prompt_probabilities: (N,) default uniform; with `hidden_prompts`, (H,).
        hidden_prompts: Where prompts have classes that the agent cannot see: H pairs of a class and the number of the
            prompt as which it reads. The rule is then called with a number 0..H-1 of these; what it credits is what is
            paid, and what the agent may expect is weighted by how likely each class is, given the prompt.
        reference: `reference(prompt, tokens)` gives the probabilities of the tokens that the policy before training
            emits next, by name (others get 0), for a prompt as it reads; default uniform over those that are allowed.
        objectives: As the attribute of `Scenario`.

    Raises:
        ValueError: A rule credits an unknown component or ends a trace without saying how, a reward is missing or
            weighs an unknown component, the grammar has more than two million states, the arrays are invalid, a class
            changes which tokens are allowed or when a trace ends (see `observe`), or no class reads as some prompt.

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
    looks = _check_hidden(hidden_prompts, len(prompts))
    H = len(prompts) if looks is None else len(looks)
    tree = _grow(id, H, tokens, rule)
    S, A = len(tree.prefixes), len(tokens)
    mask = np.ones((S, A), dtype=bool)
    mask[tuple(np.array(tree.illegal, dtype=np.intp).reshape(-1, 2).T)] = False
    if prompt_probabilities is None:
        prompt_probabilities = [1 / H] * H
    chances = array("prompt_probabilities", prompt_probabilities)
    if chances.shape != (H,):
        raise ValueError(f"prompt_probabilities must have shape ({H},), got {chances.shape}")
    initial = np.concatenate([chances, np.zeros(S - H)])
    mdp = TabularMDP(
        successors=np.array(tree.successors, dtype=np.intp)[:, :, None],
        probabilities=np.ones((S, A, 1)),
        initial=initial,
        terminal=np.array([bool(outcome) for outcome in tree.outcomes]),
        gamma=gamma,
        action_mask=mask,
        state_names=tuple(_state_name(*state, looks) for state in tree.prefixes),
        action_names=tuple(tokens),
    )
    parts = _components(id, (*components, MALFORMED), tree, (S, A))
    for name in ("incomplete", "true"):
        if name not in rewards:
            raise ValueError(f'rewards of {id} must contain "{name}", got {listing(rewards)}')
    for weighting in rewards.values():
        parts.weights(weighting)  # refuses unknown components
    hidden, shown = None, tree
    if looks is not None:
        seen, shown = _look(mdp, tree, looks, len(prompts))
        hidden = _hidden_classes(seen, parts, tree, looks, chances)
        mdp, parts = seen.mdp, seen.components(parts)
    return Scenario(
        id=id,
        mdp=mdp,
        components=parts,
        rewards={name: dict(weighting) for name, weighting in rewards.items()},
        prompts=tuple(prompts),
        prompt_states=np.arange(len(prompts)),
        state_prompts=np.array([prompt for prompt, _ in shown.prefixes]),
        state_tokens=_token_table(shown, tokens),
        outcomes=tuple(shown.outcomes),
        token_texts=dict(token_texts or {}),
        reference=None if reference is None else _policy(mdp, shown, tokens, reference),  # type: ignore[arg-type]
        objectives=objectives,  # type: ignore[arg-type]  # None: what rewards weigh
        hidden=hidden,
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


Looks = Sequence[tuple[str, int]]
"""The class of each prompt that the rule knows, and the number of the prompt as which it reads."""


def _check_hidden(hidden: Sequence[tuple[str, int]] | None, num_prompts: int) -> Looks | None:
    if hidden is None:
        return None
    looks = []
    for i, pair in enumerate(sequence("hidden_prompts", hidden, "pairs of a class and a prompt's number")):
        if isinstance(pair, str) or not isinstance(pair, Sequence) or len(pair) != 2 or not isinstance(pair[0], str):
            raise TypeError(f"hidden_prompts[{i}] must be a pair of a class and a prompt's number, got {pair!r}")
        looks.append((pair[0], integer(f"hidden_prompts[{i}][1]", pair[1], 0, num_prompts - 1)))
    missing = sorted(set(range(num_prompts)) - {to for _, to in looks})
    if missing:
        raise ValueError(f"hidden_prompts must read as every prompt, got none that reads as prompt {missing[0]}")
    return looks


def _look(world: TabularMDP, tree: _Tree, looks: Looks, num_prompts: int) -> tuple[ObservedMDP, _Tree]:
    """What the agent sees: the prompt as it reads, and the tokens. Prompts come first, the malformed state last."""
    number: dict[tuple[int, tuple[str, ...]], int] = {(prompt, ()): prompt for prompt in range(num_prompts)}
    outcomes: list[dict[str, None]] = [{} for _ in range(num_prompts)]  # dictionaries: sets that keep their order
    observations = []
    for (prompt, prefix), outcome in zip(tree.prefixes, tree.outcomes, strict=True):
        place = number.setdefault((prompt if prompt < 0 else looks[prompt][1], prefix), len(number))
        outcomes += [{} for _ in range(len(number) - len(outcomes))]
        outcomes[place] |= {outcome: None}
        observations.append(place)
    prefixes = list(number)
    names = tuple(_state_name(*state, None) for state in prefixes)
    seen = observe(world, np.array(observations), observation_names=names)
    return seen, _Tree(prefixes, [" or ".join(filter(None, texts)) for texts in outcomes])


def _hidden_classes(
    seen: ObservedMDP, parts: RewardComponents, tree: _Tree, looks: Looks, chances: NDArray[np.float64]
) -> HiddenClasses:
    """The world behind what the agent sees. A prompt that is never drawn is of each of its classes alike."""
    names = tuple(dict.fromkeys(name for name, _ in looks))
    prompts = np.array([prompt for _, prompt in looks])
    totals = np.bincount(prompts, weights=chances)[prompts]
    start = np.where(totals > 0, chances / np.where(totals > 0, totals, 1), 1 / np.bincount(prompts)[prompts])
    return HiddenClasses(
        names=names,
        seen=seen,
        components=parts,
        outcomes=tuple(tree.outcomes),
        state_classes=np.array([-1 if p < 0 else names.index(looks[p][0]) for p, _ in tree.prefixes]),
        start_chances=np.concatenate([start, np.zeros(len(tree.prefixes) - len(looks))]),
    )


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


def _policy(
    mdp: TabularMDP,
    tree: _Tree,
    tokens: Sequence[str],
    reference: Callable[[int, tuple[str, ...]], Mapping[str, float]],
) -> NDArray[np.float64]:
    """(S, A) a policy that is given as a rule, uniform where a trace has ended; `Scenario` checks its rows."""
    number = {token: action for action, token in enumerate(tokens)}
    table = mdp.action_mask / mdp.action_mask.sum(axis=1, keepdims=True)
    for state in np.flatnonzero(~mdp.terminal).tolist():
        table[state] = 0
        for token, chance in reference(*tree.prefixes[state]).items():
            table[state, number[choice("token of reference", token, tokens)]] = chance
    return table


def _state_name(prompt: int, prefix: tuple[str, ...], looks: Looks | None) -> str:
    if prompt < 0:
        return MALFORMED
    start = f"prompt {prompt}" if looks is None else f"{looks[prompt][0]} prompt {looks[prompt][1]}"
    return start + (f" · {' '.join(prefix)}" if prefix else "")
