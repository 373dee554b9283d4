"""The Gymnasium environment: it steps the very arrays that the solvers solve.

Shapes: S states, A actions, B successor slots, W states of the world where prompts have hidden classes (else W is S).
"""

import copy
from functools import cached_property
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium import spaces
from gymnasium.error import ResetNeeded
from numpy.typing import ArrayLike, NDArray

from cliffgym.checks import choice, flag, integer, listing
from cliffgym.envs.arguments import find_scenario
from cliffgym.envs.class_starts import ClassStarts
from cliffgym.envs.draws import Draws, prompt_starts
from cliffgym.envs.observations import StateObservation, make_observation
from cliffgym.envs.rendering import Frame, Step, Trace, draw_frame, transcript_lines
from cliffgym.mdp import TabularMDP
from cliffgym.rewards import Weighting
from cliffgym.trace_scenario import Scenario

RENDER_MODES = ("ansi", "human", "rgb_array")
_KEYWORDS = ("reward", "oracle", "observation", "render_mode")
_RESET_OPTIONS = ("prompt", "class", "reward")

_MOST_KEPT = 100_000
Oracle = tuple[float, float, dict[str, float]]
"""True and incomplete reward of a step, and its credits by component."""


class Place:
    """A state as `step` meets it. Attributes of plain objects are read several times faster than entries of arrays.

    Attributes:
        state: Its number in the world.
        seen: The number of the state that the agent sees.
        ended: Whether the trace has ended there.
        copy_mask: Returns a new (A,) int8, 1 where the token is allowed.
        moves: By token, where it has been looked up: (reward, next place, oracle if it is shown); where transitions
            are random, a list of such by successor slot.
    """

    __slots__ = ("copy_mask", "ended", "moves", "seen", "state")

    def __init__(self, state: int, seen: int, ended: bool, mask: NDArray[np.int8]) -> None:
        self.state, self.seen, self.ended, self.copy_mask = state, seen, ended, mask.copy
        self.moves: list[Any] = [None] * mask.size


class CliffEnv(gym.Env[Any, np.int64]):
    """A scenario as a Gymnasium environment: emit one token a step until the trace ends, and be paid for its outcome.

    `gym.make("Cliff-Slacker-v0", reward="true", problems=8)` makes one; the page of each scenario is the docstring of
    its function in `cliffgym.SCENARIOS`. Episodes always terminate; they are never truncated. Where prompts have hidden
    classes, observations tell what the agent sees, `step` pays by the class that was drawn, and `info` carries what
    that class is credited with.

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

    Attributes:
        scenario: The scenario.
        reward_name: The name of the reward that `step` pays, or "custom".
        reward_spec: That reward as it was given: a name, a mapping or a table.

    Raises:
        ValueError: An unknown id, reward, component, observation or render mode, or a bad value.
        TypeError: An unknown keyword argument, or one of the wrong type.

    >>> env = CliffEnv("Cliff-Slacker-v0")
    >>> _ = env.reset(seed=0, options={"prompt": 0})
    >>> for token in ("answer_0", "ignore", "ignore"):
    ...     _, reward, terminated, _, info = env.step(env.scenario.tokens.index(token))
    >>> reward, terminated, info["outcome"]
    (1.0, True, 'right answer, 0 of 2 instructions followed')
    """

    metadata = {  # noqa: RUF012  (Gymnasium's own form)
        "render_modes": list(RENDER_MODES),
        "render_fps": 2,
    }

    def __init__(
        self,
        scenario: str | Scenario,
        reward: str | Weighting | ArrayLike = "incomplete",
        *,
        oracle: bool = True,
        observation: str = "state",
        render_mode: str | None = None,
        **parameters: Any,
    ) -> None:
        self.scenario = find_scenario(scenario, parameters, _KEYWORDS)
        if render_mode is not None:
            choice("render_mode", render_mode, RENDER_MODES)
        self.render_mode = render_mode
        self.oracle = flag("oracle", oracle)
        self.observation = observation
        self._world = world = self.scenario.world
        self._seen = None if self.scenario.hidden is None else self.scenario.hidden.seen.observations
        self._look = make_observation(self.scenario, observation)
        self.observation_space = self._look.space
        self.action_space = spaces.Discrete(world.num_actions)

        self._random = world.successors.shape[2] > 1
        self._draws = Draws(world, prompt_starts(self.scenario))
        self._masks = world.action_mask.astype(np.int8)
        self._true = self.scenario.realised_reward("true")
        self._incomplete = self.scenario.realised_reward("incomplete")
        self._num_actions = world.num_actions
        # Only the state's number is plain data that may be handed out again and again.
        self._observe = None if isinstance(self._look, StateObservation) else self._look.observe
        self._place: Place | None = None
        self._starts: list[Place] = []  # drawn and not used yet, the next one last
        self._plain = (
            not self.oracle and self._observe is None and render_mode is None
        )  # the shortest way through `step`
        self._trace: Trace | None = None  # kept only for rendering
        self.set_reward(reward)

    @property
    def mdp(self) -> TabularMDP:
        """The dynamics as the agent sees them."""
        return self.scenario.mdp

    @property
    def state(self) -> int:
        """The number of the present state as the agent sees it.

        Raises:
            ResetNeeded: There is no trace yet.
        """
        if self._place is None:
            raise ResetNeeded("state needs a trace, got none: call reset first")
        return self._place.seen

    @property
    def world_state(self) -> int:
        """The number of the present state in the scenario's world, which tells hidden classes apart.

        Raises:
            ResetNeeded: There is no trace yet.
        """
        if self._place is None:
            raise ResetNeeded("world_state needs a trace, got none: call reset first")
        return self._place.state

    @property
    def reward(self) -> NDArray[np.float64]:
        """(S, A) the table that `step` pays at present; read-only, `set_reward` swaps it.

        Where prompts have hidden classes, it is what the agent may expect to be paid, and 0 at prompts that are
        never drawn.
        """
        table = self._reward_table.view()
        table.setflags(write=False)
        return table

    def set_reward(self, reward: str | Weighting | ArrayLike) -> None:
        """Swaps the reward that `step` pays, from the next step on.

        Args:
            reward: A reward's name, a mapping of component names to weights, or a table (S, A).

        Raises:
            ValueError: As `Scenario.reward`.
        """
        self._reward_table = self.scenario.reward(reward)
        self._pay = self._reward_table if self._seen is None else self.scenario.realised_reward(reward)
        self.reward_name = reward if isinstance(reward, str) else "custom"
        self.reward_spec = copy.deepcopy(reward)  # what the caller does to it later is not paid
        self._places: dict[int, Place] = {}
        self._kept = 0  # moves that places keep
        self._starts = [self._look_up(place.state) for place in self._starts]
        if self._place is not None:
            self._place = self._look_up(self._place.state)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        """Draws a prompt and starts a trace.

        Args:
            seed: Seed of the environment's generator.
            options: `{"prompt": i}` starts with prompt i instead of a drawn one; where prompts have hidden classes,
                `{"prompt": i, "class": k}` says who sends it, by the class's name or number in `scenario.hidden.names`,
                and nothing is drawn at all; `{"reward": ...}` is `set_reward`.

        Returns:
            The first observation, and an info with the `action_mask`.

        Raises:
            ValueError: An unknown option or prompt number; or a class without a prompt, of a scenario that has none,
                that there is not, or that never sends the prompt.
            TypeError: A prompt that is not an integer, or a class that is neither a name nor a number.
        """
        if seed is not None:
            super().reset(seed=seed)
        if self._draws.source is not self._np_random:
            self._draws.take_key(self.np_random, self.np_random_seed)
            self._starts.clear()
        place = self._chosen_start(options) if options else None
        if place is None:
            place = self._starts.pop() if self._starts else self._drawn_start()
        self._place, state = place, place.seen
        if self._plain:
            return state, {"action_mask": place.copy_mask()}
        if self.render_mode is not None:
            self._trace = Trace(state)
            self._print()
        return state if self._observe is None else self._observe(state), {"action_mask": place.copy_mask()}

    def _drawn_start(self) -> Place:
        """Where the next trace starts; draws many such places at once."""
        states = self._draws.starts()
        places = {state: self._look_up(state) for state in set(states)}
        self._starts = [places[state] for state in states]
        return self._starts.pop()

    def _chosen_start(self, options: dict[str, Any]) -> Place | None:
        """Carries out the options of a reset and returns the place to start from, if they name one."""
        for name in options:
            choice("reset option", name, _RESET_OPTIONS)
        prompt = state = None
        if "prompt" in options:
            prompt = integer("prompt", options["prompt"], 0, len(self.scenario.prompts) - 1)
        if "class" in options:
            state = self._class_starts.state(prompt, options["class"])
        if "reward" in options:
            self.set_reward(options["reward"])
        if prompt is None:
            return None
        if state is None:
            hidden = self._seen is not None
            state = self._draws.prompt_start(prompt) if hidden else int(self.scenario.prompt_states[prompt])
        return self._look_up(state)

    @cached_property
    def _class_starts(self) -> ClassStarts:
        return ClassStarts(self.scenario)

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
        place = self._place
        if place is None or place.ended:
            raise ResetNeeded(
                "step needs a trace that goes on, got one that has ended or never begun: call reset first"
            )
        token = action if type(action) is int else _as_int(action)
        if not 0 <= token < self._num_actions:
            raise ValueError(
                f"action must be in [0, {self._num_actions - 1}] ({listing(self.scenario.tokens)}), got {token} at "
                f"{self.mdp.describe_state(place.seen)}"
            )
        move = place.moves[token] or self._look_up_move(place, token)
        if self._random:
            move = move[self._draws.slot(place.state, token)]
        reward, following, oracle = move
        self._place = following
        if self._plain:
            return following.seen, reward, following.ended, False, {"action_mask": following.copy_mask()}
        if oracle is None:
            info: dict[str, Any] = {"action_mask": following.copy_mask()}
        else:
            true, incomplete, credits = oracle
            info = {
                "action_mask": following.copy_mask(),
                "true_reward": true,
                "incomplete_reward": incomplete,
                "components": credits.copy(),
            }
            if following.ended:
                info["outcome"] = self.scenario.realised_outcomes[following.state]
        if self._trace is not None:
            self._record(place, token, following, reward)
        state = following.seen
        return state if self._observe is None else self._observe(state), reward, following.ended, False, info

    def _look_up(self, state: int) -> Place:
        """The place of a state, made when it is first met."""
        place = self._places.get(state)
        if place is None:
            seen = state if self._seen is None else int(self._seen[state])
            place = Place(state, seen, bool(self._world.terminal[state]), self._masks[state])
            self._places[state] = place
        return place

    def _look_up_move(self, place: Place, token: int) -> Any:
        """What a token leads to from a place, and where that is chance by successor slot; from now on kept there."""
        state, parts = place.state, self.scenario.realised_components
        oracle = None
        if self.oracle:
            credits = dict(zip(parts.names, parts.table[:, state, token].tolist(), strict=True))
            oracle = float(self._true[state, token]), float(self._incomplete[state, token]), credits
        reward = float(self._pay[state, token])
        moves = [(reward, self._look_up(to), oracle) for to in self._world.successors[state, token].tolist()]
        found = place.moves[token] = moves if self._random else moves[0]
        self._kept += 1
        if self._kept > _MOST_KEPT:
            self._forget()
        return found

    def _forget(self) -> None:
        """Lets go of the places met so far, which in a large MDP would fill the memory."""
        self._places, self._kept = {}, 0
        self._starts = [self._look_up(start.state) for start in self._starts]

    def _record(self, place: Place, token: int, following: Place, reward: float) -> None:
        """Adds a step to the trace that is rendered."""
        if self._trace is not None:
            pays = float(self._true[place.state, token]), float(self._incomplete[place.state, token])
            self._trace.state = following.seen
            self._trace.outcome = self.scenario.realised_outcomes[following.state]
            self._trace.steps.append(Step(place.seen, token, reward, *pays))
            self._print()

    def __getstate__(self) -> dict[str, Any]:
        # Places refer to each other in chains as long as a trace; copies make their own.
        place = None if self._place is None else self._place.state
        return self.__dict__ | {
            "_places": {},
            "_kept": 0,
            "_place": place,
            "_starts": [start.state for start in self._starts],
        }

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._place = None if self._place is None else self._look_up(state["_place"])
        self._starts = [self._look_up(start) for start in state["_starts"]]

    def action_masks(self) -> NDArray[np.bool_]:
        """(A,) True where the token is allowed next; what sb3-contrib's MaskablePPO asks for.

        Raises:
            ResetNeeded: There is no trace yet.
        """
        if self._place is None:
            raise ResetNeeded("action_masks needs a trace, got none: call reset first")
        return self.mdp.action_mask[self._place.seen].copy()

    def observations(self) -> NDArray[Any]:
        """(S, ...) the observation of every state, to read a whole policy out of a network."""
        return self._look.table()

    @property
    def P(self) -> dict[int, dict[int, list[tuple[float, int, float, bool]]]]:  # noqa: N802  (toy-text's own name)
        """Dynamics and current reward in toy-text form: {state: {action: [(probability, next, reward, ended)]}}."""
        mdp, reward, ends = self.mdp, self._reward_table.tolist(), self.mdp.terminal.tolist()
        probabilities, successors = mdp.probabilities.tolist(), mdp.successors.tolist()
        return {
            s: {
                a: [
                    (p, to, reward[s][a], ends[to])
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


def _as_int(action: Any) -> int:
    """An integer scalar or zero-dimensional integer array as an int."""
    if isinstance(action, np.integer):
        return int(action)
    array = np.asarray(action)
    if array.shape == () and np.issubdtype(array.dtype, np.integer):
        return int(array)
    raise TypeError(f"action must be an integer, got {action!r} of type {type(action).__name__}")
