"""The native vector environment as Stable-Baselines3 wants it.

SB3 takes no Gymnasium vector environment, and a list of single ones costs it more than learning does. `CliffVecEnv`
steps all copies at once and makes a dictionary only for those whose trace ends.

Shapes: N copies, A actions, K components.
"""

import time
from typing import Any, NoReturn

import gymnasium as gym
import numpy as np
from numpy.typing import ArrayLike, NDArray
from stable_baselines3.common.monitor import Monitor
from stable_baselines3.common.vec_env.base_vec_env import VecEnv, VecEnvIndices

from cliffgym import CliffVectorEnv, Scenario
from cliffgym.checks import choice, integer, listing
from cliffgym.rewards import Weighting

_PER_COPY = ("action_masks",)
"""Methods of the vector environment that return one row for each copy."""
_MOVING = ("reset", "step", "step_states", "rollout")
"""Those that move the copies. Called behind this class's back, they would falsify the sums over traces."""
_SPACES = ("observation_space", "action_space")
"""What the vector environment has for all copies together, and a copy has for itself."""
_OF_EPISODE = ("r", "l", "t", "true_reward", "incomplete_reward")
"""What a trace's `episode` says besides the components."""
_OF_EACH = ("prompt", "class")
"""Options of a reset in which copies may differ."""
_RESET_OPTIONS = (*_OF_EACH, "reward")


class CliffVecEnv(VecEnv):
    """N copies of a scenario as an SB3 `VecEnv`.

    The info of a copy whose trace goes on is one empty, read-only dictionary for all. That of a copy whose trace ends
    is what `CliffEnv` says at the end, and more: `terminal_observation`; `episode` with the trace's return `r`, length
    `l` and the seconds `t` since this object was made, as SB3's Monitor gives them; and there, unless `oracle=False`,
    the trace's sums of `true_reward`, `incomplete_reward` and of every component by name. SB3 is told that a Monitor is
    there, so that `evaluate_policy` reads these episodes. `reset_infos` are those of the last call of `reset`.

    Args:
        scenario: A registered id, or a Scenario.
        n_envs: N.
        reward: What `step` pays: a reward's name, a mapping of component names to weights, or a table (S, A).
        oracle: Whether infos say what the agent must not be trained on.
        observation: `"state"`, `"onehot"` or `"tokens"`.
        kernel: `"numpy"`, `"numba"` or `"auto"`; the results are the same.
        parameters: The scenario's own keyword arguments.

    Attributes:
        envs: The `CliffVectorEnv` inside.

    Raises:
        ValueError, TypeError, ImportError: As `CliffVectorEnv`.
        ValueError: A component has the name of another entry of `episode`, unless `oracle=False`.

    >>> import numpy as np
    >>> env = CliffVecEnv("Cliff-Slacker-v0", n_envs=2, kernel="numpy")
    >>> _ = env.seed(0), env.reset()
    >>> observations, rewards, dones, infos = env.step(np.array([3, 3]))  # not allowed before an answer
    >>> infos[0]["outcome"], infos[0]["episode"]["l"]
    ('malformed: a token that is not allowed here', 1)
    """

    def __init__(
        self,
        scenario: str | Scenario,
        n_envs: int = 1,
        reward: str | Weighting | ArrayLike = "incomplete",
        *,
        oracle: bool = True,
        observation: str = "state",
        kernel: str = "auto",
        **parameters: Any,
    ) -> None:
        options: dict[str, Any] = {"oracle": oracle, "observation": observation, "kernel": kernel}
        size = integer("n_envs", n_envs, 1)
        self.envs = CliffVectorEnv(scenario, size, reward, autoreset_mode="same_step", **options, **parameters)
        super().__init__(size, self.envs.single_observation_space, self.envs.single_action_space)
        self._credit_names = _credit_names(self.envs.scenario) if oracle else ()
        self._returns = np.zeros(self.num_envs)
        self._lengths = np.zeros(self.num_envs, dtype=np.int64)
        self._credits = np.zeros((len(self._credit_names), self.num_envs))
        self._actions: Any = None
        self._began = time.perf_counter()

    def reset(self) -> NDArray[Any]:
        """Starts new traces in all copies, with the seeds and options that were set for this reset.

        The options are those of `CliffEnv.reset`. Copies share their reward, but each may have its own prompt and
        hidden class.

        Raises:
            ValueError: An unknown option, options that differ in more than prompt and class or are not one mapping for
                each copy, or as `CliffVectorEnv.reset`.
            TypeError: As `CliffVectorEnv.reset`.
        """
        seeds = None if all(seed is None for seed in self._seeds) else self._seeds
        try:
            observations, infos = self.envs.reset(seed=seeds, options=self._shared_options())
        finally:
            self._reset_seeds()
            self._reset_options()
        self.reset_infos = [{"action_mask": mask} for mask in infos["action_mask"]]
        self._returns[:], self._lengths[:], self._credits[:] = 0, 0, 0
        return observations

    def step_async(self, actions: NDArray[Any]) -> None:
        """Takes the actions (N,) of the step that `step_wait` makes."""
        self._actions = actions

    def step_wait(self) -> tuple[NDArray[Any], NDArray[np.float32], NDArray[np.bool_], list[dict[str, Any]]]:  # type: ignore[override]
        """Steps all copies; where a trace ends, the next one begins.

        Returns:
            Observations (N, ...), rewards (N,), whether traces have ended (N,), and N infos.

        Raises:
            TypeError, ValueError, ResetNeeded: As `CliffVectorEnv.step`.
        """
        stepped = self.envs.step_states(self._actions)
        self._returns += stepped.rewards
        self._lengths += 1
        self._credits += stepped.credits
        infos: list[dict[str, Any]] = [_NOTHING] * self.num_envs
        ended = stepped.ended.nonzero()[0]
        if ended.size:
            self._add_ends(infos, ended, stepped.following.take(ended), stepped.credits[:, ended])
            self._returns[ended], self._lengths[ended], self._credits[:, ended] = 0, 0, 0
        return self.envs.observe(stepped.observed), stepped.rewards.astype(np.float32), stepped.ended, infos

    def _add_ends(
        self, infos: list[dict[str, Any]], ended: NDArray[np.intp], states: NDArray[np.int64], credits: NDArray[Any]
    ) -> None:
        """Says of the copies `ended` how their traces ended, in the states (n,), with the last credits (2 + K, n)."""
        elapsed = round(time.perf_counter() - self._began, 6)
        scenario, names = self.envs.scenario, self._credit_names
        outcomes = scenario.realised_outcomes
        returns, lengths = self._returns[ended].round(6).tolist(), self._lengths[ended].tolist()
        sums, lasts = self._credits[:, ended].T.tolist(), credits.T.tolist()
        observations, masks = self.envs.observe(states), scenario.world.action_mask[states].astype(np.int8)
        for place, copy in enumerate(ended.tolist()):
            episode = {"r": returns[place], "l": lengths[place], "t": elapsed}
            info: dict[str, Any] = {
                "action_mask": masks[place],
                "terminal_observation": observations[place],
                "TimeLimit.truncated": False,
                "episode": episode,
            }
            if names:
                true, incomplete, *components = lasts[place]
                info["true_reward"], info["incomplete_reward"] = true, incomplete
                info["components"] = dict(zip(names[2:], components, strict=True))
                info["outcome"] = outcomes[states[place]]
                episode.update(zip(names, sums[place], strict=True))
            infos[copy] = info

    def close(self) -> None:
        """Nothing has to be released."""
        self.envs.close()

    def get_attr(self, attr_name: str, indices: VecEnvIndices = None) -> list[Any]:
        """An attribute of the vector environment, once for each copy; of its spaces, those of one copy."""
        value = getattr(self if attr_name in _SPACES else self.envs, attr_name)
        return [value for _ in self._copies(indices)]

    def set_attr(self, attr_name: str, value: Any, indices: VecEnvIndices = None) -> None:
        """Sets an attribute of the vector environment, which all copies share.

        Raises:
            ValueError: The indices are not those of all copies.
        """
        self._all_copies(f"attribute {attr_name!r}", indices)
        setattr(self.envs, attr_name, value)

    def env_method(
        self, method_name: str, *method_args: Any, indices: VecEnvIndices = None, **method_kwargs: Any
    ) -> list[Any]:
        """Calls a method of the vector environment once and gives each copy its row of the result, or all of it.

        Raises:
            ValueError: The method moves the copies, or all copies share it and the indices are not those of all.
        """
        if method_name in _MOVING:
            raise ValueError(
                f"method_name must not be one of {listing(_MOVING)}, got {method_name!r}: call this environment's own"
            )
        shared = method_name not in _PER_COPY
        copies = self._all_copies(f"method {method_name!r}", indices) if shared else self._copies(indices)
        result = getattr(self.envs, method_name)(*method_args, **method_kwargs)
        return [result if shared else result[copy] for copy in copies]

    def env_is_wrapped(self, wrapper_class: type[gym.Wrapper], indices: VecEnvIndices = None) -> list[bool]:
        """Nothing is wrapped around the copies, but what SB3's Monitor reports of episodes is in the infos."""
        return [wrapper_class is Monitor for _ in self._copies(indices)]

    def _copies(self, indices: VecEnvIndices) -> list[int]:
        """The numbers of the copies that SB3's `indices` mean; negative ones count from the end.

        Raises:
            IndexError: There is no such copy.
        """
        everyone = range(self.num_envs)
        return [everyone[i] for i in self._get_indices(indices)]

    def _all_copies(self, what: str, indices: VecEnvIndices) -> list[int]:
        """As `_copies`, for what all copies share."""
        copies = self._copies(indices)
        if set(copies) != set(range(self.num_envs)):
            raise ValueError(f"indices must be None for {what}, which all environments share, got {copies}")
        return copies

    def _shared_options(self) -> dict[str, Any]:
        """The options of the copies as one mapping, in which prompts and classes may differ."""
        options = self._options
        if len(options) != self.num_envs:
            raise ValueError(f"options must be one mapping or n_envs = {self.num_envs} of them, got {len(options)}")
        for name in options[0]:
            choice("reset option", name, _RESET_OPTIONS)
        for i, others in enumerate(options):
            if not _alike(options[0], others):
                raise ValueError(
                    "options must be the same for all environments, but for the prompt's number and its class, got "
                    f"{options[0]} for environment 0 and {others} for environment {i}"
                )
        return options[0] | {name: [own[name] for own in options] for name in _OF_EACH if name in options[0]}


def _credit_names(scenario: Scenario) -> tuple[str, ...]:
    """What the rows of a step's credits are called in `episode`."""
    names = scenario.components.names
    if taken := [name for name in names if name in _OF_EPISODE]:
        raise ValueError(
            f'component must not be named as another entry of "episode" ({listing(_OF_EPISODE)}) unless oracle=False, '
            f"got {listing(taken)} of {scenario.id}"
        )
    return ("true_reward", "incomplete_reward", *names)


def _alike(first: dict[str, Any], second: dict[str, Any]) -> bool:
    """Whether two mappings of options have the same names and, but for `_OF_EACH`, equal values, tables among them."""
    return first.keys() == second.keys() and all(
        name in _OF_EACH or np.array_equal(first[name], second[name]) for name in first
    )


class _Nothing(dict[str, Any]):
    """The info of every copy whose trace goes on. It is shared, so it refuses to be written to."""

    __slots__ = ()

    def _refuse(self, *_: Any, **__: Any) -> NoReturn:
        raise TypeError("info of a copy whose trace goes on is shared by all: copy it before you write to it")

    __setitem__ = __delitem__ = update = setdefault = pop = popitem = clear = __ior__ = _refuse  # type: ignore[assignment]

    def __deepcopy__(self, memo: dict[int, Any]) -> dict[str, Any]:
        # In a list of infos it stays what it is, because the list's copy too would hold one dictionary many times.
        return self if memo else {}

    def __reduce__(self) -> tuple[Any, ...]:
        return dict, ()


_NOTHING = _Nothing()
