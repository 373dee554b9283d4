"""A scenario: a finite MDP of traces, the components of its outcome, and the rewards that weigh them.

Where prompts have hidden classes, a scenario is what the agent sees: its MDP is that of the observations and its
components are expected ones, so that every solver speaks about agents that cannot see the class. What an environment
steps and pays is the world behind it.

Shapes: S states, A actions (tokens), K components, N prompts, T the longest trace in tokens, W states of the world,
C classes.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cliffgym.checks import choice
from cliffgym.mdp import TabularMDP
from cliffgym.observed import ObservedMDP
from cliffgym.rewards import RewardComponents, Weighting, check_reward

_SUM_TOLERANCE = 1e-6  # as for any policy


@dataclass(frozen=True, eq=False)
class HiddenClasses:
    """The world behind a scenario whose prompts have classes that the agent cannot see.

    Attributes:
        names: C class names.
        seen: The dynamics of the world, what the agent observes of its states, and what it may believe.
        components: What a trace is credited with, (K, W, A): by the class that was drawn.
        outcomes: W texts that say how a trace ended there; empty at states where none has.
        state_classes: (W,) the class of each state of the world; -1 at "malformed".
        start_chances: (W,) the chance of starting in each state, given its prompt; 0 where no trace starts.

    >>> import cliffgym
    >>> made = cliffgym.scenario("Cliff-MultiReward-v0")
    >>> hidden, prompt = made.hidden, made.prompt_states[4]
    >>> made.prompts[4]
    'A prompt that may be about safety or about nothing special.'
    >>> dict(zip(hidden.names, hidden.class_weights[:, prompt].round(12).tolist()))
    {'safety': 0.75, 'values': 0.0, 'general': 0.25}
    >>> models = hidden.class_rewards(hidden.components["class_score"])
    >>> models["safety"][prompt].round(12).tolist(), models["general"][prompt].round(12).tolist()
    ([1.0, 0.8, 0.0], [0.0, 0.6, 1.0])
    """

    names: tuple[str, ...]
    seen: ObservedMDP
    components: RewardComponents
    outcomes: tuple[str, ...]
    state_classes: NDArray[np.intp]
    start_chances: NDArray[np.float64]

    def __post_init__(self) -> None:
        for name, kind in (("state_classes", np.intp), ("start_chances", np.float64)):
            values = np.array(getattr(self, name), dtype=kind)
            values.setflags(write=False)
            object.__setattr__(self, name, values)

    @cached_property
    def class_weights(self) -> NDArray[np.float64]:
        """(C, S) the posterior of each class in each state that the agent sees.

        0 where no trace ever comes, and where one has ended.
        """
        weights = np.zeros((len(self.names), self.seen.mdp.num_states))
        known = self.state_classes >= 0
        np.add.at(weights, (self.state_classes[known], self.seen.observations[known]), self.seen.beliefs[known])
        weights.setflags(write=False)
        return weights

    def class_rewards(self, table: ArrayLike) -> RewardComponents:
        """The reward models of the classes, (C, S, A): what a table (W, A) of the world pays if the class is known.

        Weighted by `class_weights` they are the effective reward. Where a class never leads, its model is 0.

        Raises:
            ValueError, TypeError: As `check_reward`.
        """
        paid = check_reward(self.seen.world, table)
        known = self.state_classes >= 0
        places = self.state_classes[known], self.seen.observations[known]
        joint = np.zeros((len(self.names), self.seen.mdp.num_states, paid.shape[1]))
        np.add.at(joint, places, self.seen.beliefs[known, None] * paid[known])
        weights = self.class_weights[:, :, None]
        return RewardComponents(self.names, np.divide(joint, weights, out=joint, where=weights > 0))

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), tuple(getattr(self, f.name) for f in fields(self))


@dataclass(frozen=True, eq=False)
class Scenario:
    """A tiny grammar of traces as arrays. Made by `cliffgym.scenario`, or from a grammar by `build_scenario`.

    A state is a prompt and the tokens emitted so far; an action is the next token. One more terminal state,
    "malformed", follows every token that the grammar does not allow (where there is such a token). A scenario whose
    states are something else, such as a random MDP, has no `state_tokens`: their T is 0.

    Attributes:
        id: The environment's id.
        mdp: The dynamics; `mdp.action_names` are the tokens.
        components: Named measures of a trace, (K, S, A); a grammar pays on its last token.
        rewards: Weights of components by reward name; `incomplete` (what training pays) and `true` (what was meant)
            are always among them.
        prompts: N texts.
        prompt_states: (N,) the state in which each prompt's trace starts.
        state_prompts: (S,) the prompt of each state; -1 at "malformed".
        state_tokens: (S, T) the tokens emitted so far as action numbers, padded with -1.
        outcomes: S texts that say how a trace ended there; empty at states where none has.
        token_texts: What a token reads as in a transcript.
        parameters: The keyword arguments it was made with.
        reference: (S, A) the policy before training, which KL penalties refer to and "before and after" compares with.
            Default: every legal token is equally likely.
        objectives: Components as a multi-objective environment pays them, by name the factor that makes more of it
            better: +1 or -1. Default: all that the rewards weigh, with the sign that the first reward gives them that
            gives them any, `true` before others.
        hidden: What the agent does not see, if its prompts have hidden classes: then `mdp` and `components` are what it
            sees and may expect.
        evaluation: The same scenario over all prompts, if training leaves some out; states are the same.
    """

    id: str
    mdp: TabularMDP
    components: RewardComponents
    rewards: Mapping[str, Mapping[str, float]]
    prompts: tuple[str, ...]
    prompt_states: NDArray[np.intp]
    state_prompts: NDArray[np.intp]
    state_tokens: NDArray[np.intp]
    outcomes: tuple[str, ...]
    token_texts: Mapping[str, str]
    parameters: Mapping[str, object] = field(default_factory=dict)
    reference: NDArray[np.float64] = field(default=None)  # type: ignore[assignment]  # None: uniform
    objectives: Mapping[str, float] = field(default=None)  # type: ignore[assignment]  # None: what rewards weigh
    hidden: HiddenClasses | None = None
    evaluation: "Scenario | None" = None

    def __post_init__(self) -> None:
        legal = self.mdp.action_mask
        reference = legal / legal.sum(axis=1, keepdims=True) if self.reference is None else self.reference
        object.__setattr__(self, "reference", reference)
        for name in ("prompt_states", "state_prompts", "state_tokens", "reference"):
            kind = np.float64 if name == "reference" else np.intp
            values = np.array(getattr(self, name), dtype=kind)
            values.setflags(write=False)
            object.__setattr__(self, name, values)
        if self.reference.shape != legal.shape:
            raise ValueError(f"reference must have shape (S, A) = {legal.shape}, got {self.reference.shape}")
        wrong = ~(np.abs(self.reference.sum(axis=1) - 1) < _SUM_TOLERANCE) | ~(self.reference >= 0).all(axis=1)
        if wrong.any():
            state = int(wrong.argmax())
            raise ValueError(
                f"reference must be probabilities that sum to 1, got {self.reference[state].tolist()} at "
                f"{self.mdp.describe_state(state)}"
            )
        objectives = self._weighed() if self.objectives is None else dict(self.objectives)
        for name in objectives:
            self.components.index(name)
        object.__setattr__(self, "objectives", objectives)

    def _weighed(self) -> dict[str, float]:
        """What the rewards weigh, in the order of the components."""
        signs: dict[str, float] = {}
        for reward in ("true", *self.rewards):
            for name, weight in self.rewards.get(reward, {}).items():
                if weight and name not in signs:
                    signs[name] = float(np.sign(weight))
        return {name: signs[name] for name in self.components.names if name in signs}

    @property
    def world(self) -> TabularMDP:
        """The dynamics that an environment steps, (W, A, B): those of `mdp` unless there are hidden classes."""
        return self.mdp if self.hidden is None else self.hidden.seen.world

    @property
    def realised_components(self) -> RewardComponents:
        """What a step of the world is credited with, (K, W, A); `components` are what an agent may expect of it."""
        return self.components if self.hidden is None else self.hidden.components

    @property
    def realised_outcomes(self) -> tuple[str, ...]:
        """W texts that say how a trace of the world ended; `outcomes` are what an agent can tell of it."""
        return self.outcomes if self.hidden is None else self.hidden.outcomes

    def realised_reward(self, reward: str | Weighting | ArrayLike) -> NDArray[np.float64]:
        """(W, A) what a step of the world pays: by the class that was drawn. Else as `reward`, a table being (S, A)."""
        if self.hidden is None:
            return self.reward(reward)
        seen = self.hidden.seen
        if isinstance(reward, str):
            reward = self.rewards[choice("reward", reward, self.rewards, place=self.id)]
        if not isinstance(reward, Mapping):
            return seen.lift(self.reward(reward))
        weights = self.components.weights(reward)
        return self.hidden.components.combine(weights if weights.ndim == 1 else weights[:, seen.observations])

    @cached_property
    def undetermined(self) -> NDArray[np.intp]:
        """(n,) the states that evaluation can come to and training cannot: no reward of training says what to do."""
        full = self if self.evaluation is None else self.evaluation
        states = np.flatnonzero(full.mdp.reachable & ~self.mdp.reachable & ~self.mdp.terminal)
        states.setflags(write=False)
        return states

    @property
    def tokens(self) -> tuple[str, ...]:
        """The A tokens, by action number."""
        return self.mdp.action_names or ()

    def reward(self, reward: str | Weighting | ArrayLike) -> NDArray[np.float64]:
        """The table (S, A) of a reward.

        Args:
            reward: The name of one of `rewards`, a mapping of component names to weights (numbers, or arrays (S,) of
                weights that depend on the state), or a table (S, A).

        Raises:
            ValueError: The name or a component is unknown, a weight or entry is not finite, the table has another
                shape, or it pays in a terminal state.
            TypeError: It is none of the three.

        >>> import cliffgym
        >>> slacker = cliffgym.scenario("Cliff-Slacker-v0")
        >>> bool((slacker.reward("true") == slacker.reward({"correct": 1, "instructions": 1})).all())
        True
        """
        if isinstance(reward, str):
            choice("reward", reward, self.rewards, place=self.id)
            return self.components.combine(self.rewards[reward])
        if isinstance(reward, Mapping):
            return self.components.combine(reward)
        return check_reward(self.mdp, reward)

    def transcript(self, state: int) -> str:
        """The trace that leads to `state` as text: the prompt, its `state_tokens`, and how it ended if it has.

        >>> import cliffgym
        >>> breaker = cliffgym.scenario("Cliff-TieBreaker-v0")
        >>> print(breaker.transcript(breaker.outcomes.index("right answer in json")))
        > Problem 0: answer it, in any format.
          answer_0
          json: writes the answer as json
        = right answer in json
        """
        prompt = self.state_prompts[state]
        if prompt < 0:
            return "malformed trace"
        lines = [f"> {self.prompts[prompt]}"]
        lines += [f"  {self.token_text(token)}" for token in self.state_tokens[state] if token >= 0]
        if self.outcomes[state]:
            lines.append(f"= {self.outcomes[state]}")
        return "\n".join(lines)

    def token_text(self, token: int | np.integer) -> str:
        """What a token reads as in a transcript: its name, and its meaning where the scenario gives one."""
        name = self.tokens[token]
        meaning = self.token_texts.get(name)
        return f"{name}: {meaning}" if meaning else name

    def __reduce__(self) -> tuple[Any, ...]:
        # Through the constructor, because unpickled and deep-copied arrays would be writable.
        return type(self), tuple(getattr(self, f.name) for f in fields(self))

    def __repr__(self) -> str:
        return f"Scenario({self.id!r}, {self.mdp.num_states} states, rewards: {', '.join(self.rewards)})"
