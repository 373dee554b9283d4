"""The Gymnasium environment: it steps the very arrays that the solvers solve.

Shapes: S states, A actions, B successor slots.
"""

from bisect import bisect_right
from collections.abc import Mapping
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium import spaces
from gymnasium.error import ResetNeeded
from numpy.typing import ArrayLike, NDArray

from cliffgym.checks import choice, flag, integer, listing
from cliffgym.envs.observations import make_observation
from cliffgym.envs.rendering import Frame, Step, Trace, draw_frame, transcript_lines
from cliffgym.mdp import TabularMDP
from cliffgym.scenarios import parameter_names
from cliffgym.scenarios import scenario as make_scenario
from cliffgym.trace_scenario import Scenario

RENDER_MODES = ("ansi", "human", "rgb_array")
_KEYWORDS = ("reward", "oracle", "observation", "render_mode")
_RESET_OPTIONS = ("prompt", "reward")


class CliffEnv(gym.Env[Any, np.int64]):
    """A scenario as a Gymnasium environment: emit one token a step until the trace ends, and be paid for its outcome.

    `gym.make("Cliff-Slacker-v0", reward="true", problems=8)` makes one; the page of each scenario is the docstring of
    its function in `cliffgym.SCENARIOS`. Episodes always terminate; they are never truncated.

    Args:
        scenario: A registered id, or a Scenario of your own.
        reward: What `step` pays: the name of one of the scenario's rewards, a mapping of component names to weights,
            or (through this constructor or `set_reward`) a table (S, A).
        oracle: Whether `info` carries what the agent must not be trained on: `true_reward`, `incomplete_reward`,
            `components` and the `outcome`. If False only `action_mask` is there, and renderings show only what is paid.
        observation: `"state"` (Discrete), `"onehot"` (Box) or `"tokens"` (MultiDiscrete of prompt and tokens so far).
        render_mode: `"ansi"`, `"human"` (prints the transcript as it grows), `"rgb_array"` (needs Pillow), or None.
        parameters: The scenario's own keyword arguments, `gamma` among them.

    Info:
        action_mask: (A,) int8, 1 where the token is allowed next.
        true_reward, incomplete_reward: This step's pay under those two rewards.
        components: This step's credit by component name.
        outcome: At the end of a trace, how it ended, in words.

    Raises:
        ValueError: An unknown id, reward, component, observation or render mode, or a bad value.
        TypeError: An unknown keyword argument, or one of the wrong type.
    """

    metadata = {  # noqa: RUF012  (Gymnasium's own form)
        "render_modes": list(RENDER_MODES),
        "render_fps": 2,
    }

    def __init__(
        self,
        scenario: str | Scenario,
        reward: str | Mapping[str, float] | ArrayLike = "incomplete",
        *,
        oracle: bool = True,
        observation: str = "state",
        render_mode: str | None = None,
        **parameters: Any,
    ) -> None:
        if isinstance(scenario, Scenario):
            if parameters:
                raise TypeError(f"a Scenario object takes no further keyword arguments, got {listing(parameters)}")
            self.scenario = scenario
        else:
            known = parameter_names(scenario)
            for name in parameters:
                if name not in known:
                    raise TypeError(
                        f"keyword argument of {scenario} must be one of {listing((*_KEYWORDS, *known))}, got {name!r}"
                    )
            self.scenario = make_scenario(scenario, **parameters)
        if render_mode is not None:
            choice("render_mode", render_mode, RENDER_MODES)
        self.render_mode = render_mode
        self.oracle = flag("oracle", oracle)
        self.observation = observation
        mdp = self.scenario.mdp
        self._look = make_observation(self.scenario, observation)
        self.observation_space = self._look.space
        self.action_space = spaces.Discrete(mdp.num_actions)

        # Plain lists: indexing them is several times faster than indexing arrays one entry at a time.
        self._deterministic = mdp.successors.shape[2] == 1
        self._successors = mdp.successors[:, :, 0].tolist() if self._deterministic else mdp.successors.tolist()
        self._cumulative = None if self._deterministic else _cumulative(mdp.probabilities).tolist()
        self._starts = np.flatnonzero(mdp.initial).tolist()
        self._start_cumulative = _cumulative(mdp.initial[self._starts]).tolist()
        self._ends = mdp.terminal.tolist()
        self._masks = mdp.action_mask.astype(np.int8)
        self._true = self.scenario.reward("true").tolist()
        self._incomplete = self.scenario.reward("incomplete").tolist()
        self._credits: dict[tuple[int, int], dict[str, float]] = {}
        self._num_actions = mdp.num_actions
        self._state = -1
        self._done = True
        self._trace: Trace | None = None  # kept only for rendering
        self.set_reward(reward)

    @property
    def mdp(self) -> TabularMDP:
        """The dynamics."""
        return self.scenario.mdp

    @property
    def reward(self) -> NDArray[np.float64]:
        """(S, A) the table that `step` pays at present; read-only, `set_reward` swaps it."""
        return self._reward_table

    def set_reward(self, reward: str | Mapping[str, float] | ArrayLike) -> None:
        """Swaps the reward that `step` pays, from the next step on.

        Args:
            reward: A reward's name, a mapping of component names to weights, or a table (S, A).

        Raises:
            ValueError: As `Scenario.reward`.
        """
        self._reward_table = self.scenario.reward(reward)
        self._reward_table.setflags(write=False)
        self.reward_name = reward if isinstance(reward, str) else "custom"
        self._reward = self._reward_table.tolist()

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        """Draws a prompt and starts a trace.

        Args:
            seed: Seed of the environment's generator.
            options: `{"prompt": i}` starts with prompt i instead of a drawn one; `{"reward": ...}` is `set_reward`.

        Returns:
            The first observation, and an info with the `action_mask`.

        Raises:
            ValueError: An unknown option or prompt number.
        """
        super().reset(seed=seed)
        state = None
        if options:
            for name in options:
                choice("reset option", name, _RESET_OPTIONS)
            if "prompt" in options:
                prompt = integer("prompt", options["prompt"], 0, len(self.scenario.prompts) - 1)
                state = int(self.scenario.prompt_states[prompt])
            if "reward" in options:
                self.set_reward(options["reward"])
        if state is None:
            state = self._starts[bisect_right(self._start_cumulative, self.np_random.random())]
        self._state = state
        self._done = self._ends[state]
        if self.render_mode is not None:
            self._trace = Trace(state)
            self._print()
        return self._look.observe(state), {"action_mask": self._masks[state].copy()}

    def step(self, action: int | np.integer[Any]) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        """Emits a token.

        Args:
            action: Its number, an int in [0, A).

        Returns:
            Observation, reward, whether the trace has ended, False (never truncated), info.

        Raises:
            TypeError: The action is not an integer.
            ValueError: It is out of range.
            ResetNeeded: There is no trace, or it has ended.
        """
        token = action if type(action) is int else _as_int(action)
        if self._done:
            raise ResetNeeded(
                "step needs a trace that goes on, got one that has ended or never begun: call reset first"
            )
        state = self._state
        if not 0 <= token < self._num_actions:
            raise ValueError(
                f"action must be in [0, {self._num_actions - 1}] ({listing(self.scenario.tokens)}), got {token} at "
                f"{self.mdp.describe_state(state)}"
            )
        if self._cumulative is None:
            following = self._successors[state][token]
        else:
            slot = bisect_right(self._cumulative[state][token], self.np_random.random())
            following = self._successors[state][token][slot]
        reward = self._reward[state][token]
        done = self._ends[following]
        info: dict[str, Any] = {"action_mask": self._masks[following].copy()}
        true, incomplete = self._true[state][token], self._incomplete[state][token]
        if self.oracle:
            info["true_reward"] = true
            info["incomplete_reward"] = incomplete
            info["components"] = self._credit(state, token).copy()
            if done:
                info["outcome"] = self.scenario.outcomes[following]
        self._state, self._done = following, done
        if self._trace is not None:
            self._trace.state = following
            self._trace.steps.append(Step(state, token, reward, true, incomplete))
            self._print()
        return self._look.observe(following), reward, done, False, info

    def _credit(self, state: int, action: int) -> dict[str, float]:
        """What the components credit for a step; remembered, since few of the S·A pairs are ever taken."""
        credit = self._credits.get((state, action))
        if credit is None:
            parts = self.scenario.components
            credit = dict(zip(parts.names, parts.table[:, state, action].tolist(), strict=True))
            self._credits[state, action] = credit
        return credit

    def action_masks(self) -> NDArray[np.bool_]:
        """(A,) True where the token is allowed next; what sb3-contrib's MaskablePPO asks for.

        Raises:
            ResetNeeded: There is no trace yet.
        """
        if self._state < 0:
            raise ResetNeeded("action_masks needs a trace, got none: call reset first")
        return self.mdp.action_mask[self._state].copy()

    def observations(self) -> NDArray[Any]:
        """(S, ...) the observation of every state, to read a whole policy out of a network."""
        return self._look.table()

    @property
    def P(self) -> dict[int, dict[int, list[tuple[float, int, float, bool]]]]:  # noqa: N802  (toy-text's own name)
        """Dynamics and current reward in toy-text form: {state: {action: [(probability, next, reward, ended)]}}."""
        mdp, reward = self.mdp, self._reward
        probabilities, successors = mdp.probabilities.tolist(), mdp.successors.tolist()
        return {
            s: {
                a: [
                    (p, to, reward[s][a], self._ends[to])
                    for p, to in zip(probabilities[s][a], successors[s][a], strict=True)
                    if p > 0
                ]
                for a in range(mdp.num_actions)
            }
            for s in range(mdp.num_states)
        }

    @property
    def initial_state_distrib(self) -> NDArray[np.float64]:
        """(S,) probabilities of the first state, under the name that toy-text environments use."""
        return self.mdp.initial

    def render(self) -> str | Frame | None:  # type: ignore[override]
        """The trace so far: a transcript (ansi), a picture (rgb_array), or None (human: it is printed as it grows).

        Raises:
            ResetNeeded: There is no trace yet.
            ImportError: `rgb_array` without Pillow.
        """
        if self.render_mode is None:
            gym.logger.warn(
                f"render needs a render_mode, one of {listing(RENDER_MODES)}; choose it in gym.make, got None"
            )
            return None
        if self._trace is None:
            raise ResetNeeded("render needs a trace, got none: call reset first")
        if self.render_mode == "ansi":
            return "\n".join(transcript_lines(self.scenario, self._trace, self.reward_name, self.oracle))
        if self.render_mode == "rgb_array":
            return draw_frame(self.scenario, self._trace, self.reward_name, self.oracle)
        return None

    def _print(self) -> None:
        """In human mode, prints what the last call added to the transcript."""
        if self.render_mode == "human" and self._trace is not None:
            lines = transcript_lines(self.scenario, self._trace, self.reward_name, self.oracle)
            print("\n".join(lines[len(self._trace.steps) :]), flush=True)


def _cumulative(probabilities: NDArray[np.float64]) -> NDArray[np.float64]:
    """Cumulative sums along the last axis, ending in infinity from the last positive entry on.

    A draw u in [0, 1) then always lands on an entry of positive probability, whatever rounding made of the sum.
    """
    sums = probabilities.cumsum(axis=-1)
    later = np.flip(np.flip(probabilities > 0, -1).cumsum(axis=-1), -1) - (probabilities > 0)
    sums[later == 0] = np.inf
    return sums


def _as_int(action: Any) -> int:
    """An integer scalar or zero-dimensional integer array as an int."""
    array = np.asarray(action)
    if array.shape == () and np.issubdtype(array.dtype, np.integer):
        return int(array)
    raise TypeError(f"action must be an integer, got {action!r} of type {type(action).__name__}")
