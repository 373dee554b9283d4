"""A scenario: a finite MDP of traces, the components of its outcome, and the rewards that weigh them.

Shapes: S states, A actions (tokens), K components, N prompts, T the longest trace in tokens.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cliffgym.checks import choice
from cliffgym.mdp import TabularMDP
from cliffgym.rewards import RewardComponents, check_reward


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

    def __post_init__(self) -> None:
        for name in ("prompt_states", "state_prompts", "state_tokens"):
            array = np.array(getattr(self, name), dtype=np.intp)
            array.setflags(write=False)
            object.__setattr__(self, name, array)

    @property
    def tokens(self) -> tuple[str, ...]:
        """The A tokens, by action number."""
        return self.mdp.action_names or ()

    def reward(self, reward: str | Mapping[str, float] | ArrayLike) -> NDArray[np.float64]:
        """The table (S, A) of a reward.

        Args:
            reward: The name of one of `rewards`, a mapping of component names to weights, or a table (S, A).

        Raises:
            ValueError: The name or a component is unknown, a weight or entry is not finite, the table has another
                shape, or it pays in a terminal state.

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
        """The trace that leads to `state` as text: the prompt, its `state_tokens`, and how it ended if it has."""
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
