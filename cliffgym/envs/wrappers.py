"""Wrappers that change what any discrete Gymnasium environment pays, or hide what it knows.

They are recorded in the environment's spec, so that `gym.make(env.spec)` and the spec's JSON make the same again.

Shapes: S states, A actions, W states of the world where prompts have hidden classes (else W is S).
"""

import copy
from collections.abc import Mapping, Sequence
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium import spaces
from gymnasium.error import ResetNeeded
from gymnasium.utils import RecordConstructorArgs
from numpy.typing import ArrayLike, NDArray

from cliffgym.checks import array, choice, integer, number
from cliffgym.envs.env import CliffEnv
from cliffgym.rewards import random_perturbation

PERTURBATIONS = ("uniform", "bump", "witness")


class _Tabular(gym.Wrapper[Any, Any, Any, Any]):
    """Knows the state in which an action is taken: what a reward table is looked up by.

    In a CliffGym environment, however it shows its states, that is the environment's own state; elsewhere the
    observation has to be the state's number. Wrappers that change actions go around this one: inside, what is paid
    would not be for the action that is taken.
    """

    def __init__(self, env: gym.Env[Any, Any]) -> None:
        super().__init__(env)
        inner = env.unwrapped
        if hasattr(inner, "reward_space"):
            raise TypeError(f"env must pay a number, got {env}, which pays a vector: wrap it in LinearReward first")
        between: gym.Env[Any, Any] = env
        while isinstance(between, gym.Wrapper):
            if isinstance(between, gym.ActionWrapper):
                raise TypeError(
                    f"env must not change actions, got {type(between).__name__} in {env}: put it around this wrapper"
                )
            between = between.env
        self._cliff = inner if isinstance(inner, CliffEnv) else None
        self._ended: bool | None = None  # never begun
        if self._cliff is not None:
            self._shape = self._cliff.mdp.num_states, self._cliff.mdp.num_actions
            self._first_state = self._first_action = 0
            return
        for name, space in (("observation", env.observation_space), ("action", env.action_space)):
            if not isinstance(space, spaces.Discrete):
                raise TypeError(f"env must have a Discrete {name} space, got {space} of {env}")
        observations, actions = env.observation_space, env.action_space
        self._shape = int(observations.n), int(actions.n)  # type: ignore[attr-defined]
        self._first_state, self._first_action = int(observations.start), int(actions.start)  # type: ignore[attr-defined]
        self._state = 0

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        """As that of the environment."""
        observation, info = self.env.reset(seed=seed, options=options)
        self._remember(observation)
        self._ended = False
        return observation, info

    def step(self, action: Any) -> tuple[Any, Any, bool, bool, dict[str, Any]]:
        """As that of the environment, but for the reward. A step that only begins anew (`Autoreset`) is left alone."""
        seen, world = self._places()
        begins = self._ended
        observation, reward, terminated, truncated, info = self.env.step(action)
        self._remember(observation)
        self._ended = bool(terminated or truncated)
        if not begins:
            reward = self._pay(seen, world, int(action) - self._first_action, reward)
        return observation, reward, terminated, truncated, info

    def _places(self) -> tuple[int, int]:
        """The present state as the agent sees it, and that of the world."""
        if self._ended is None:
            raise ResetNeeded("step needs a state to start from, got none: call reset first")
        if self._cliff is not None:
            return self._cliff.state, self._cliff.world_state
        return self._state, self._state

    def _remember(self, observation: Any) -> None:
        if self._cliff is None:
            self._state = int(observation) - self._first_state

    def _pay(self, seen: int, world: int, action: int, reward: Any) -> float:
        """What the step pays."""
        raise NotImplementedError

    def _table(self, name: str, values: ArrayLike) -> NDArray[np.float64]:
        """A finite table (S, A)."""
        table = array(name, values)
        if table.shape != self._shape:
            raise ValueError(f"{name} must have shape (S, A) = {self._shape}, got {table.shape}")
        if not np.isfinite(table).all():
            state, action = np.argwhere(~np.isfinite(table))[0]
            raise ValueError(f"{name} must be finite, got {table[state, action]} at state {state}, action {action}")
        return table


class SwapReward(_Tabular, RecordConstructorArgs):
    """Pays another reward. What the environment inside renders is still its own pay.

    Args:
        env: An environment with discrete states and actions.
        reward: A table (S, A) of what an action in a state pays; for a CliffGym environment also a reward's name or
            weights of components, as its own `reward` argument takes them.

    Raises:
        ValueError: An unknown reward or component, or a table of another shape or with entries that are not finite.
        TypeError: The spaces are not discrete, a wrapper inside changes actions, a vector is paid, or the reward of
            another library's environment is not a table.

    >>> import gymnasium as gym
    >>> import numpy as np
    >>> env = SwapReward(gym.make("FrozenLake-v1", is_slippery=False), np.full((16, 4), -0.1))
    >>> _ = env.reset(seed=0)
    >>> env.step(1)[1]
    -0.1
    """

    def __init__(self, env: gym.Env[Any, Any], reward: str | Mapping[str, Any] | ArrayLike) -> None:
        RecordConstructorArgs.__init__(self, reward=plain(reward))
        _Tabular.__init__(self, env)
        if self._cliff is not None:
            self._spec = copy.deepcopy(reward)
            self._pays = self._cliff.scenario.realised_reward(reward)
        elif isinstance(reward, str | Mapping):
            raise TypeError(f"reward must be a table (S, A) unless the environment is CliffGym's own, got {reward!r}")
        else:
            self._pays = self._table("reward", reward)

    def repaid(self, reward: NDArray[np.float64]) -> NDArray[np.float64]:
        """(S, A) what is paid around an environment that pays `reward` (S, A); `TabularMDP.from_gym` asks for it."""
        return self.reward

    @property
    def reward(self) -> NDArray[np.float64]:
        """(S, A) what may be expected to be paid."""
        return self._pays if self._cliff is None else self._cliff.scenario.reward(self._spec)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        """As that of the environment.

        Raises:
            ValueError: The option `reward` of a CliffGym environment, whose reward is not what is paid here.
        """
        if self._cliff is not None and "reward" in (options or {}):
            raise ValueError(f"reset option must not be reward where SwapReward decides what is paid, got {options!r}")
        return super().reset(seed=seed, options=options)

    def _pay(self, seen: int, world: int, action: int, reward: Any) -> float:
        return float(self._pays[world, action])


class PerturbReward(_Tabular, RecordConstructorArgs):
    """Adds a change of a given sup norm to what the environment pays.

    Args:
        env: An environment with discrete states and actions.
        size: The sup norm of the change, in units of reward, >= 0.
        kind: `"uniform"`: entries are drawn uniformly and rescaled so that the largest reaches `size`; terminal states
            (of CliffGym's environments and those with a toy-text table `P`) and illegal actions are left alone.
            `"bump"`: one action in one state pays `size` more. `"witness"`: a table of your own, such as
            `cliff_radius(...).witness`, rescaled to `size`.
        seed: Of the draw, for `"uniform"`; default 0.
        state: Where the bump is.
        action: What the bump is on.
        witness: (S, A) the table, for `"witness"`.

    Raises:
        ValueError: An unknown kind, a negative size, a state or action out of range, a table of another shape or
            without an entry that is not 0, or an argument that does not belong to the kind.
        TypeError: The spaces are not discrete, a wrapper inside changes actions, a vector is paid, or an argument has
            the wrong type.

    >>> import gymnasium as gym
    >>> env = PerturbReward(gym.make("CliffWalking-v1"), 0.5, kind="bump", state=36, action=0)
    >>> _ = env.reset(seed=0)
    >>> env.step(0)[1], env.step(0)[1]
    (-0.5, -1.0)
    """

    def __init__(
        self,
        env: gym.Env[Any, Any],
        size: float,
        kind: str = "uniform",
        *,
        seed: int | None = None,
        state: int | None = None,
        action: int | None = None,
        witness: ArrayLike | None = None,
    ) -> None:
        given = {"seed": seed, "state": state, "action": action, "witness": witness}
        RecordConstructorArgs.__init__(self, size=plain(size), kind=kind, **plain(given))
        _Tabular.__init__(self, env)
        size = number("size", size, 0)
        choice("kind", kind, PERTURBATIONS)
        belongs = {"uniform": ("seed",), "bump": ("state", "action"), "witness": ("witness",)}[kind]
        for name, value in given.items():
            if value is not None and name not in belongs:
                raise ValueError(f"{name} must not be given with kind {kind!r}, got {value!r}")
        if kind == "uniform":
            self._change = self._drawn(size, 0 if seed is None else integer("seed", seed, 0))
        elif kind == "bump":
            self._change = np.zeros(self._shape)
            for name, value in (("state", state), ("action", action)):
                if value is None:
                    raise ValueError(f'{name} must be given with kind "bump", got None')
            place = integer("state", state, 0, self._shape[0] - 1), integer("action", action, 0, self._shape[1] - 1)
            self._change[place] = size
        else:
            if witness is None:
                raise ValueError('witness must be given with kind "witness", got None')
            table = self._table("witness", witness)
            if not table.any():
                raise ValueError("witness must have an entry that is not 0, got none")
            self._change = size * (table / np.abs(table).max())

    @property
    def change(self) -> NDArray[np.float64]:
        """(S, A) what is added; read-only."""
        view = self._change.view()
        view.setflags(write=False)
        return view

    def repaid(self, reward: NDArray[np.float64]) -> NDArray[np.float64]:
        """(S, A) what is paid around an environment that pays `reward` (S, A); `TabularMDP.from_gym` asks for it."""
        return reward + self._change

    @property
    def reward(self) -> NDArray[np.float64]:
        """(S, A) what may be expected to be paid.

        Raises:
            TypeError: What the environment pays is not known as a table.
        """
        return paid_reward(self.env) + self._change

    def _drawn(self, size: float, seed: int) -> NDArray[np.float64]:
        if self._cliff is not None:
            return random_perturbation(self._cliff.mdp, size, seed)
        noise = np.random.default_rng(seed).uniform(-1, 1, size=self._shape)
        noise[_ends(self.env.unwrapped)] = 0
        return size * (noise / np.abs(noise).max())

    def _pay(self, seen: int, world: int, action: int, reward: Any) -> float:
        return float(reward) + float(self._change[seen, action])


class HideOracle(gym.Wrapper[Any, Any, Any, Any], RecordConstructorArgs):
    """Leaves nothing in `info` but what an agent may be trained on. A rendering still shows what it shows.

    Args:
        env: Any environment.
        keep: The entries that stay.

    Raises:
        TypeError: `keep` is not a sequence of names.

    >>> import gymnasium as gym
    >>> env = HideOracle(gym.make("Cliff-Slacker-v0"))
    >>> _ = env.reset(seed=0)
    >>> sorted(env.step(0)[4])
    ['action_mask']
    """

    def __init__(self, env: gym.Env[Any, Any], keep: Sequence[str] = ("action_mask",)) -> None:
        if isinstance(keep, str) or not isinstance(keep, Sequence) or not all(isinstance(name, str) for name in keep):
            raise TypeError(f"keep must be a sequence of names, got {keep!r}")
        RecordConstructorArgs.__init__(self, keep=list(keep))
        gym.Wrapper.__init__(self, env)
        self.keep = tuple(keep)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        """As that of the environment, with less info."""
        observation, info = self.env.reset(seed=seed, options=options)
        return observation, self._kept(info)

    def step(self, action: Any) -> tuple[Any, Any, bool, bool, dict[str, Any]]:
        """As that of the environment, with less info."""
        observation, reward, terminated, truncated, info = self.env.step(action)
        return observation, reward, terminated, truncated, self._kept(info)

    def _kept(self, info: dict[str, Any]) -> dict[str, Any]:
        return {name: info[name] for name in self.keep if name in info}


def paid_reward(env: gym.Env[Any, Any]) -> NDArray[np.float64]:
    """(S, A) what an environment may be expected to pay, `SwapReward` and `PerturbReward` around it included.

    Raises:
        TypeError: It is neither CliffGym's own nor in a `SwapReward`.
    """
    while True:
        if isinstance(env, SwapReward | PerturbReward | CliffEnv):
            return env.reward
        if not isinstance(env, gym.Wrapper):
            raise TypeError(f"env must be CliffGym's own or in a SwapReward for its reward to be known, got {env}")
        env = env.env


def _ends(env: Any) -> list[int]:
    """The states of a toy-text table that an episode never goes on from."""
    table = getattr(env, "P", None)
    if not isinstance(table, Mapping):
        return []
    return [
        state
        for state, actions in table.items()
        if all(to == state and done for outcomes in actions.values() for _, to, _, done in outcomes)
    ]


def plain(value: Any) -> Any:
    """An argument as JSON can hold it: arrays become lists, and NumPy's numbers Python's."""
    if isinstance(value, Mapping):
        return {name: plain(weight) for name, weight in value.items()}
    if isinstance(value, list | tuple):
        return [plain(entry) for entry in value]
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    return value
