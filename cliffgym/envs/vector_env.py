"""The native vector environment: N copies of a scenario, a whole batch at each lookup.

Shapes: N copies, S states, A actions, K components, T steps, W states of the world where prompts have hidden classes
(else W is S).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeGuard

import gymnasium as gym
import numpy as np
from gymnasium import spaces
from gymnasium.error import ResetNeeded
from gymnasium.vector import AutoresetMode
from gymnasium.vector.utils import batch_space
from numpy.typing import ArrayLike, NDArray

from cliffgym.checks import array, choice, flag, integer, listing
from cliffgym.envs.arguments import find_scenario
from cliffgym.envs.batch import Batch, Stepped
from cliffgym.envs.class_starts import ClassStarts
from cliffgym.envs.draws import cumulative
from cliffgym.envs.observations import StateObservation, make_observation
from cliffgym.envs.step_tables import FIRST_COMPONENT, step_tables
from cliffgym.frozen import ReadOnlyArrays
from cliffgym.kernels import choose_kernel
from cliffgym.mdp import TabularMDP
from cliffgym.rewards import Weighting
from cliffgym.solvers import check_policy
from cliffgym.trace_scenario import Scenario

AUTORESET_MODES = {
    "next_step": AutoresetMode.NEXT_STEP,
    "same_step": AutoresetMode.SAME_STEP,
    "disabled": AutoresetMode.DISABLED,
}
"""Gymnasium's modes by the names that `autoreset_mode` takes."""
WORTH_COMPILING = 64
"""Copies from which "auto" compiles: fewer are stepped about as fast by NumPy, without the seconds that compiling takes
once."""
_MANY_ENDS = 0.2
"""Share of copies above which it is quicker to look up all than to pick those whose trace ended."""
_KEYWORDS = ("num_envs", "reward", "oracle", "observation", "autoreset_mode", "kernel")
_RESET_OPTIONS = ("prompt", "class", "reward", "reset_mask")


@dataclass(frozen=True, eq=False)
class Rollout(ReadOnlyArrays):
    """T steps of N copies under one policy. Every entry is a true step: a trace that ends is followed by the next.

    The arrays may be parts of one block of memory: copy those that you keep for long without the others.

    Attributes:
        states: (T, N) where the actions were taken.
        actions: (T, N) what was emitted there.
        rewards: (T, N) what was paid for it.
        terminations: (T, N) True where that ended the trace.
        last_states: (N,) where the copies are now.
        true_rewards: (T, N) the same under the true reward; (0, N) if the environment hides its oracle.
        incomplete_rewards: (T, N) and under the incomplete one; likewise.
        components: (K, T, N) what the components credited, in the order of the scenario's names; likewise (0, T, N).

    >>> import cliffgym
    >>> envs = CliffVectorEnv("Cliff-TieBreaker-v0", num_envs=3, reward="true", kernel="numpy")
    >>> _ = envs.reset(seed=0)
    >>> optimum = cliffgym.optimal(envs.mdp, envs.scenario.reward("true"))
    >>> rollout = envs.rollout(optimum.policy, 4)  # two traces of two tokens each
    >>> rollout.terminations[:, 0].tolist(), rollout.rewards[:, 0].tolist()
    ([False, True, False, True], [0.0, 1.1, 0.0, 1.1])
    """

    states: NDArray[np.int64]
    actions: NDArray[np.int64]
    rewards: NDArray[np.float64]
    terminations: NDArray[np.bool_]
    last_states: NDArray[np.int64]
    true_rewards: NDArray[np.float64]
    incomplete_rewards: NDArray[np.float64]
    components: NDArray[np.float64]


class CliffVectorEnv(gym.vector.VectorEnv[Any, Any, Any]):
    """N copies of a scenario as a Gymnasium vector environment; what `gym.make_vec(id, num_envs=N)` makes.

    Copy i, seeded with s, goes through the very trajectory of a `CliffEnv` that was reset with the seed s and is given
    the same actions, whatever the number of copies and the kernel.

    Args:
        scenario: A registered id, or a Scenario of your own.
        num_envs: N.
        reward: What `step` pays: a reward's name, a mapping of component names to weights, or a table (S, A).
        oracle: Whether infos carry `true_reward`, `incomplete_reward`, `components` and the `outcome`.
        observation: `"state"`, `"onehot"` or `"tokens"`, as for `CliffEnv`.
        autoreset_mode: When the next trace begins after one has ended: `"next_step"` (in the next call, whose action
            is ignored), `"same_step"` (at once; what the step ended with is in `final_obs` and `final_info`) or
            `"disabled"` (when `reset` is called with the option `reset_mask`).
        kernel: `"numpy"`, `"numba"` (extra `fast`), or `"auto"`: numba where it is installed and there are 64 copies or
            more. The results are the same. What numba compiles takes seconds once and is kept on disk.
        render_mode: None: for pictures use `vectorization_mode="sync"`.
        parameters: The scenario's own keyword arguments, `gamma` among them.

    Info:
        As that of `CliffEnv`, each entry an array over the copies with its mask `_key`, in Gymnasium's form; entries
        whose mask is False mean nothing. With `"same_step"`, the step's true reward, components and outcome of a copy
        whose trace ended are in `final_info`. Masks that are equal may be one array.

    Raises:
        ValueError: An unknown id, reward, component, observation, mode or kernel, a bad value, or a scenario whose
            traces may start where they end.
        TypeError: An unknown keyword argument, or one of the wrong type.
        ImportError: The kernel "numba" without numba.

    >>> envs = CliffVectorEnv("Cliff-TieBreaker-v0", num_envs=3, kernel="numpy")
    >>> observations, infos = envs.reset(seed=0, options={"prompt": 0})
    >>> _ = envs.step([0, 0, 1])  # the right answer twice, and a wrong one
    >>> observations, rewards, terminations, truncations, infos = envs.step([3, 5, 5])  # formats: plain, json, json
    >>> rewards.tolist(), infos["true_reward"].round(3).tolist()  # the true reward also pays for json
    ([1.0, 1.0, 0.0], [1.0, 1.1, 0.1])
    """

    def __init__(
        self,
        scenario: str | Scenario,
        num_envs: int = 1,
        reward: str | Weighting | ArrayLike = "incomplete",
        *,
        oracle: bool = True,
        observation: str = "state",
        autoreset_mode: str | AutoresetMode = "next_step",
        kernel: str = "auto",
        render_mode: None = None,
        **parameters: Any,
    ) -> None:
        if render_mode is not None:
            raise ValueError(
                f"render_mode must be None in a native vector environment, which draws nothing, got {render_mode!r}: "
                'use vectorization_mode="sync"'
            )
        self.num_envs = integer("num_envs", num_envs, 1)
        self.scenario = find_scenario(scenario, parameters, _KEYWORDS)
        self.oracle = flag("oracle", oracle)
        self.observation = observation
        self.autoreset_mode = _mode(autoreset_mode)
        self.kernel = choose_kernel(kernel, worthwhile=self.num_envs >= WORTH_COMPILING)
        self.metadata = {"render_modes": [], "autoreset_mode": self.autoreset_mode}
        self._look = make_observation(self.scenario, observation)
        self.single_observation_space = self._look.space
        self.single_action_space = spaces.Discrete(self.mdp.num_actions)
        self.observation_space = batch_space(self.single_observation_space, self.num_envs)
        self.action_space = batch_space(self.single_action_space, self.num_envs)
        self._batch = self._make_batch()
        self._seeded = np.zeros(self.num_envs, dtype=bool)
        self._seen = None if self.scenario.hidden is None else self.scenario.hidden.seen.observations
        self._component_keys = [(name, f"_{name}") for name in self.scenario.components.names]
        # By state, None where no trace has ended: objects that are at hand are quicker to take than to make.
        self._outcomes = np.array(self.scenario.realised_outcomes, dtype=object)
        self._outcomes[~self.scenario.world.terminal] = None
        self.set_reward(reward)

    def _make_batch(self) -> Batch:
        tables = step_tables(self.scenario)
        if self.kernel == "numba":
            from cliffgym.envs.compiled_batch import CompiledBatch

            return CompiledBatch(tables, self.num_envs, self.oracle)
        return Batch(tables, self.num_envs, self.oracle)

    @property
    def mdp(self) -> TabularMDP:
        """The dynamics as the agent sees them."""
        return self.scenario.mdp

    @property
    def reward(self) -> NDArray[np.float64]:
        """(S, A) the table that `step` pays at present; read-only, `set_reward` swaps it.

        Where prompts have hidden classes, it is what the agent may expect to be paid, and 0 at prompts that are
        never drawn.
        """
        table = self._reward_table.view()
        table.setflags(write=False)
        return table

    @property
    def states(self) -> NDArray[np.int64]:
        """(N,) the states that the copies are in, as the agent sees them."""
        return self.see(self._batch.states.copy())

    def set_reward(self, reward: str | Weighting | ArrayLike) -> None:
        """Swaps the reward that `step` pays, from the next step on.

        Args:
            reward: A reward's name, a mapping of component names to weights, or a table (S, A).

        Raises:
            ValueError: As `Scenario.reward`.
        """
        self._reward_table = self.scenario.reward(reward)
        self.reward_name = reward if isinstance(reward, str) else "custom"
        pay = self._reward_table if self._seen is None else self.scenario.realised_reward(reward)
        self._batch.reward = np.where(self.scenario.world.terminal[:, None], 0.0, pay).ravel()

    def reset(  # type: ignore[override]  # Gymnasium's own vector environments take lists of seeds too
        self, *, seed: int | Sequence[int | None] | None = None, options: Mapping[str, Any] | None = None
    ) -> tuple[NDArray[Any], dict[str, Any]]:
        """Draws prompts and starts traces.

        Args:
            seed: s gives copy i the seed s + i; a sequence gives each its own, None among them to go on with the
                stream it has.
            options: `{"prompt": i}` starts all copies with prompt i, `{"prompt": [...]}` each with its own, instead of
                drawn ones; where prompts have hidden classes, `{"prompt": ..., "class": k}` says who sends it, as for
                `CliffEnv`, and so does `{"prompt": ..., "class": [...]}` for each copy; `{"reward": ...}` is
                `set_reward`, for all copies; `{"reset_mask": mask}` resets only the copies where the mask (N,) is True.

        Returns:
            The observations of all copies, and infos with the `action_mask`.

        Raises:
            ValueError: An unknown option or prompt number, a class that `CliffEnv.reset` would refuse, a negative seed,
                a wrong number of seeds, prompts or classes, or a mask of another shape or without a True.
            TypeError: A seed or prompt that is not an integer, a class that is neither a name nor a number, or a mask
                that is not of booleans.
            ResetNeeded: A mask before the first reset of all.
        """
        options = options or {}
        for name in options:
            choice("reset option", name, _RESET_OPTIONS)
        chosen = self._chosen_copies(options.get("reset_mask"))
        seeds = self._seeds(seed)
        prompts = self._prompts(options["prompt"]) if "prompt" in options else None
        states = self._class_states(prompts, options["class"]) if "class" in options else None
        if "reward" in options:
            self.set_reward(options["reward"])
        if isinstance(seed, int | np.integer):
            super().reset(seed=int(seed))
        self._begin_streams(chosen, seeds)
        if prompts is None:
            self._batch.restart(chosen)
        elif states is None:
            self._start_at(chosen, prompts[chosen])
        else:
            self._batch.place(chosen, states[chosen])
        present = np.zeros(self.num_envs, dtype=bool)
        present[chosen] = True
        masks = self._batch.tables.masks.take(self._batch.states, axis=0)
        return self.observe(self._batch.states.copy()), {"action_mask": masks, "_action_mask": present}

    def _start_at(self, chosen: NDArray[np.intp], prompts: NDArray[np.intp]) -> None:
        """Starts new traces of some copies with given prompts."""
        if self._seen is None:
            self._batch.place(chosen, self.scenario.prompt_states[prompts])
        else:
            self._batch.place_at_prompts(chosen, prompts)

    def step(self, actions: ArrayLike) -> tuple[NDArray[Any], NDArray[np.float64], NDArray[np.bool_], Any, Any]:
        """Emits a token in every copy.

        Args:
            actions: (N,) integers in [0, A). A copy that only starts anew in this call ignores its own.

        Returns:
            Observations (N, ...), rewards (N,), whether the traces have ended (N,), truncations (N,) all False, infos.

        Raises:
            TypeError: The actions are not integers.
            ValueError: Their shape is not (N,), or one is out of range.
            ResetNeeded: `reset` has never been called, or in the mode "disabled" a trace has ended and not been reset.
        """
        tokens = self._check_actions(actions)
        waiting = self._waiting()
        stepped = self._batch.step(tokens, self.autoreset_mode == AutoresetMode.SAME_STEP)
        infos = self._infos(stepped, waiting)
        truncations = np.zeros(self.num_envs, dtype=bool)
        return self.observe(stepped.observed), stepped.rewards, stepped.ended, truncations, infos

    def step_states(self, actions: ArrayLike) -> Stepped:
        """As `step`, but returns the bare arrays and makes no infos: for adapters to other libraries.

        States are those of the world, which `see` and `observe` turn into what the agent sees.

        Args:
            actions: (N,) integers in [0, A).

        Raises:
            TypeError, ValueError, ResetNeeded: As `step`.
        """
        tokens = self._check_actions(actions)
        self._waiting()
        return self._batch.step(tokens, self.autoreset_mode == AutoresetMode.SAME_STEP)

    def observe(self, states: NDArray[np.intp]) -> NDArray[Any]:
        """(n, ...) how states (n,) of the world look to the agent."""
        seen = self.see(states)
        return seen if isinstance(self._look, StateObservation) else self._look.observe_all(seen)

    def see(self, states: NDArray[np.int64]) -> NDArray[np.int64]:
        """The states of `mdp` that the agent sees in states of the world: the same, unless there are hidden classes."""
        return states if self._seen is None else self._seen.take(states)

    def rollout(self, policy: ArrayLike, steps: int) -> Rollout:
        """Lets all copies follow a policy for some steps, all of it in the kernel.

        Goes on from where the copies are, and `step` can go on from where it ends. Whatever the autoreset mode, a
        trace that ends is followed by the next at once. Actions are drawn from a stream of each copy's own.

        Args:
            policy: (S, A) probabilities.
            steps: T, the number of actions that each copy takes.

        Raises:
            ValueError: The policy is not a table of probabilities, or `steps` is < 1.
            ResetNeeded: `reset` has never been called.

        >>> import numpy as np
        >>> envs = CliffVectorEnv("Cliff-Slacker-v0", num_envs=100, kernel="numpy")
        >>> _ = envs.reset(seed=0)
        >>> uniform = np.full((envs.mdp.num_states, envs.mdp.num_actions), 1 / envs.mdp.num_actions)
        >>> envs.rollout(uniform, 20).rewards.shape
        (20, 100)
        """
        table = cumulative(check_policy(self.mdp, policy))
        if self._seen is not None:
            table = table.take(self._seen, axis=0)
        steps = integer("steps", steps, 1)
        if not self._seeded.all():
            raise ResetNeeded("rollout needs traces, got none: call reset first")
        traces = self._batch.rollout(table, steps)
        true, incomplete = traces.credits[:FIRST_COMPONENT] if self.oracle else np.empty((2, 0, self.num_envs))
        components = traces.credits[FIRST_COMPONENT:]
        return Rollout(
            self.see(traces.states),
            traces.actions,
            traces.rewards,
            traces.ended,
            self.states,
            true,
            incomplete,
            components,
        )

    def action_masks(self) -> NDArray[np.bool_]:
        """(N, A) True where the token is allowed next.

        Raises:
            ResetNeeded: There is no trace yet.
        """
        if not self._seeded.all():
            raise ResetNeeded("action_masks needs traces, got none: call reset first")
        return self.mdp.action_mask[self.states]

    def observations(self) -> NDArray[Any]:
        """(S, ...) the observation of every state, to read a whole policy out of a network."""
        return self._look.table()

    def _infos(self, stepped: Stepped, waiting: NDArray[np.bool_] | None) -> dict[str, Any]:
        """The infos of a step, in which the copies `waiting` only began anew."""
        everyone = np.ones(self.num_envs, dtype=bool)
        infos: dict[str, Any] = {"action_mask": stepped.masks, "_action_mask": everyone}
        places = stepped.places
        if self.autoreset_mode == AutoresetMode.SAME_STEP and places.size:
            ended = stepped.ended.copy()
            if self.oracle and places.size < self.num_envs:
                self._add_oracle(infos, stepped.credits, ~ended)
            self._add_finals(infos, stepped, ended, places)
        elif self.oracle:
            if waiting is None:
                self._add_oracle(infos, stepped.credits, everyone)
            elif not waiting.all():
                self._add_oracle(infos, stepped.credits, ~waiting)
            if places.size:
                infos |= {"outcome": self._of_ended(self._outcomes, stepped, places), "_outcome": stepped.ended.copy()}
        return infos

    def _add_oracle(self, infos: dict[str, Any], credits: NDArray[np.float64], present: NDArray[np.bool_]) -> None:
        """Adds what the oracle knows, credits (M, N), of the copies where `present` is True."""
        components: dict[str, Any] = {}
        for (name, mask_name), values in zip(self._component_keys, credits[FIRST_COMPONENT:], strict=True):
            components[name] = values
            components[mask_name] = present
        infos["true_reward"], infos["_true_reward"] = credits[0], present
        infos["incomplete_reward"], infos["_incomplete_reward"] = credits[1], present
        infos["components"], infos["_components"] = components, present

    def _add_finals(
        self, infos: dict[str, Any], stepped: Stepped, ended: NDArray[np.bool_], places: NDArray[np.intp]
    ) -> None:
        """Adds how traces ended whose copies have gone on to the next."""
        if isinstance(self._look, StateObservation):
            observations = self._of_ended(self._final_states, stepped, places)
        else:
            observations = np.empty(self.num_envs, dtype=object)
            for place, row in zip(places.tolist(), self.observe(stepped.following[places]), strict=True):
                observations[place] = row
        masks = self._batch.tables.masks.take(stepped.following, axis=0)
        final: dict[str, Any] = {"action_mask": masks, "_action_mask": ended}
        if self.oracle:
            self._add_oracle(final, stepped.credits.copy(), ended)
            final |= {"outcome": self._of_ended(self._outcomes, stepped, places), "_outcome": ended}
        infos |= {"final_obs": observations, "_final_obs": ended, "final_info": final, "_final_info": ended}

    @cached_property
    def _final_states(self) -> NDArray[Any]:
        """(W,) numbers of terminal states as objects, None for the others; only "same_step" asks for them."""
        world = self.scenario.world
        numbers = self.see(np.arange(world.num_states)).astype(object)
        numbers[~world.terminal] = None
        return numbers

    def _of_ended(self, by_state: NDArray[Any], stepped: Stepped, places: NDArray[np.intp]) -> NDArray[Any]:
        """(N,) objects by the states that traces ended in, None for the others."""
        if places.size > self.num_envs * _MANY_ENDS:
            return by_state.take(stepped.following)
        objects = np.empty(self.num_envs, dtype=object)  # NumPy fills it with None
        objects[places] = by_state.take(stepped.following.take(places))
        return objects

    def _waiting(self) -> NDArray[np.bool_] | None:
        """The copies that will only begin anew in the next step, or None if there are none."""
        batch = self._batch
        if not batch.num_waiting:
            return None
        if not self._seeded.all():
            raise ResetNeeded("step needs traces that go on, got none: call reset first")
        if self.autoreset_mode == AutoresetMode.DISABLED:
            raise ResetNeeded(
                f"step needs traces that go on, got ended ones in environments {_few(batch.done.nonzero()[0])}: "
                "call reset with the option reset_mask"
            )
        return batch.done.copy()

    def _check_actions(self, actions: ArrayLike) -> NDArray[np.int64]:
        """The actions as (N,) int64."""
        tokens = actions if isinstance(actions, np.ndarray) else array("actions", actions, None)
        if tokens.dtype.kind not in "iu":
            raise TypeError(f"actions must be integers, got dtype {tokens.dtype}")
        if tokens.shape != (self.num_envs,):
            raise ValueError(f"actions must have shape (num_envs,) = ({self.num_envs},), got {tokens.shape}")
        given, tokens = tokens, np.ascontiguousarray(tokens, dtype=np.int64)
        # A negative number is a huge one without its sign, so one comparison finds both.
        if tokens.view(np.uint64).max() >= self.mdp.num_actions:
            env = int(((tokens < 0) | (tokens >= self.mdp.num_actions)).argmax())
            raise ValueError(
                f"actions must be in [0, {self.mdp.num_actions - 1}] ({listing(self.scenario.tokens)}), got "
                f"{given[env]} in environment {env} at {self.mdp.describe_state(self.states[env])}"
            )
        # A read-only array would have numba compile everything once more.
        return tokens if tokens.flags.writeable else tokens.copy()

    def _chosen_copies(self, mask: Any) -> NDArray[np.intp]:
        """The copies that a reset is for."""
        if mask is None:
            return np.arange(self.num_envs)
        if not self._seeded.all():
            raise ResetNeeded("reset_mask needs traces in all environments, got none: call reset without it first")
        truths = array("reset_mask", mask, None)
        if truths.dtype != np.bool_:
            raise TypeError(f"reset_mask must be booleans, got dtype {truths.dtype}")
        if truths.shape != (self.num_envs,):
            raise ValueError(f"reset_mask must have shape (num_envs,) = ({self.num_envs},), got {truths.shape}")
        if not truths.any():
            raise ValueError("reset_mask must be True somewhere, got False everywhere")
        return truths.nonzero()[0]

    def _seeds(self, seed: int | Sequence[int | None] | None) -> list[int | None]:
        """One seed for each copy; None goes on with its stream."""
        if seed is None:
            return [None] * self.num_envs
        if _is_list(seed):
            if len(seed) != self.num_envs:
                raise ValueError(f"seed must be one number or num_envs = {self.num_envs} of them, got {len(seed)}")
            return [None if s is None else integer(f"seed of environment {i}", s, 0) for i, s in enumerate(seed)]
        first = integer("seed", seed, 0)
        return list(range(first, first + self.num_envs))

    def _begin_streams(self, chosen: NDArray[np.intp], seeds: list[int | None]) -> None:
        """Seeds the chosen copies that have a seed, and those that never had one from the system's entropy."""
        given = {int(env): seed for env in chosen if (seed := seeds[env]) is not None}
        fresh = [int(env) for env in (~self._seeded).nonzero()[0] if int(env) not in given]
        if fresh:
            entropy = self.np_random_seed
            first = entropy if entropy is not None and entropy >= 0 else int(self.np_random.integers(0, 2**63))
            given |= {env: first + env for env in fresh}
        if given:
            self._batch.seed(np.array(list(given), dtype=np.intp), list(given.values()))
        self._seeded[:] = True

    def _prompts(self, prompt: Any) -> NDArray[np.intp]:
        """(N,) numbers of prompts."""
        last = len(self.scenario.prompts) - 1
        if _is_list(prompt):
            if len(prompt) != self.num_envs:
                raise ValueError(f"prompt must be one number or num_envs = {self.num_envs} of them, got {len(prompt)}")
            return np.array([integer(f"prompt of environment {i}", p, 0, last) for i, p in enumerate(prompt)])
        return np.full(self.num_envs, integer("prompt", prompt, 0, last))

    @cached_property
    def _class_starts(self) -> ClassStarts:
        return ClassStarts(self.scenario)

    def _class_states(self, prompts: NDArray[np.intp] | None, value: Any) -> NDArray[np.int64]:
        """(N,) the states of the world in which traces start that given classes begin with prompts (N,)."""
        asked = [None] * self.num_envs if prompts is None else prompts.tolist()
        find = self._class_starts.state
        if not _is_list(value):
            return np.array([find(prompt, value) for prompt in asked])
        if len(value) != self.num_envs:
            raise ValueError(f"class must be one for all or num_envs = {self.num_envs} of them, got {len(value)}")
        pairs = enumerate(zip(asked, value, strict=True))
        return np.array([find(prompt, each, f"class of environment {i}") for i, (prompt, each) in pairs])


def _mode(mode: str | AutoresetMode) -> AutoresetMode:
    """An autoreset mode by name, or as Gymnasium's enumeration or its values say it."""
    if isinstance(mode, AutoresetMode):
        return mode
    values = {known.value: known for known in AutoresetMode}
    if isinstance(mode, str) and mode in values:
        return values[mode]
    return AUTORESET_MODES[choice("autoreset_mode", mode, AUTORESET_MODES)]


def _is_list(value: Any) -> TypeGuard[Sequence[Any]]:
    """Whether an argument gives each copy its own value."""
    return (isinstance(value, Sequence) and not isinstance(value, str | bytes)) or (
        isinstance(value, np.ndarray) and value.ndim > 0
    )


def _few(numbers: NDArray[np.intp]) -> str:
    """The first of some numbers, for a message."""
    return ", ".join(map(str, numbers[:5])) + (", ..." if numbers.size > 5 else "")
