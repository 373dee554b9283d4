"""Finite Markov decision processes as padded successor arrays.

A `TabularMDP` is dynamics alone: it knows no reward. The solvers solve the very object that the environments step, so
where a trace ends is said once, here.

Shapes: S states, A actions, B successor slots of a state-action pair. B is 1 when transitions are deterministic, and
the (S, A, B) arrays are all there is: a dense (S, A, S) kernel is never built.
"""

import itertools
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, fields
from functools import cached_property
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cliffgym.checks import array, listing, number
from cliffgym.conversion import pack_dense, unpack_toy_text
from cliffgym.files import atomic_write
from cliffgym.graph import endless_states, heights, reachable

if TYPE_CHECKING:
    import gymnasium

_FILE_FORMAT = "cliffgym.TabularMDP/1"
_SUM_TOLERANCE = 1e-9


@dataclass(frozen=True, eq=False)
class TabularMDP:
    """A finite MDP without its reward. All arrays are copied in, checked and made read-only.

    Attributes:
        successors: (S, A, B) integers, the states that may follow.
        probabilities: (S, A, B) their probabilities; each row sums to 1, an empty slot has probability 0.
        initial: (S,) probabilities of the first state.
        terminal: (S,) True where the trace has ended. Terminal states lead to themselves and never pay.
        gamma: The discount of one step, in [0, 1]. At 1, every policy must end surely.
        action_mask: (S, A) True where the action is legal. Solvers choose among legal actions only. An illegal action
            still has a row, which says what happens to an agent that takes it all the same. Every non-terminal state
            has a legal action; at terminal states all count as legal. Default: everything is legal.
        state_names: S names for messages and tables, or None.
        action_names: A distinct names, or None.

    Raises:
        ValueError: An array has the wrong shape, probabilities do not sum to 1 or are negative or NaN, a successor is
            out of range, a terminal state leads elsewhere, gamma is outside [0, 1], or gamma is 1 and some policy
            never ends.
        TypeError: Successors are not integers, or masks not booleans.

    >>> mdp = TabularMDP.from_dense([[[0, 1], [0, 1]], [[0, 1], [0, 1]]], [1, 0], [False, True], gamma=1.0)
    >>> mdp.num_states, mdp.num_actions, mdp.is_acyclic, mdp.effective_horizon
    (2, 2, True, 1.0)
    """

    successors: NDArray[np.intp]
    probabilities: NDArray[np.float64]
    initial: NDArray[np.float64]
    terminal: NDArray[np.bool_]
    gamma: float
    action_mask: NDArray[np.bool_] = field(default=None)  # type: ignore[assignment]  # None: all legal
    state_names: tuple[str, ...] | None = None
    action_names: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        probabilities = array("probabilities", self.probabilities)
        if probabilities.ndim != 3 or 0 in probabilities.shape:
            raise ValueError(f"probabilities must have shape (S, A, B), got {probabilities.shape}")
        S, A, _ = probabilities.shape
        successors = array("successors", self.successors, None)
        if not np.issubdtype(successors.dtype, np.integer):
            raise TypeError(f"successors must be integers, got dtype {successors.dtype}")
        terminal = _booleans("terminal", self.terminal, (S,))
        mask = np.ones((S, A), bool) if self.action_mask is None else self.action_mask
        mask = _booleans("action_mask", mask, (S, A)) | terminal[:, None]
        initial = array("initial", self.initial)
        _shape("successors", successors, probabilities.shape)
        _shape("initial", initial, (S,))
        object.__setattr__(self, "state_names", _names("state_names", self.state_names, S))
        object.__setattr__(self, "action_names", _names("action_names", self.action_names, A))
        names = self.action_names or ()
        if len(set(names)) < len(names):
            raise ValueError(f"action_names must be distinct, got {names}")
        object.__setattr__(self, "gamma", number("gamma", self.gamma, 0, 1))
        for name, values in {
            "successors": np.array(successors, dtype=np.intp),
            "probabilities": probabilities,
            "initial": initial,
            "terminal": terminal,
            "action_mask": mask,
        }.items():
            values.setflags(write=False)
            object.__setattr__(self, name, values)
        self._check_values()

    def _check_values(self) -> None:
        """Checks what the arrays say, once their shapes are known to be right."""
        P, to = self.probabilities, self.successors
        self._reject_pairs("transition probabilities must be >= 0", ~(P >= 0), P)
        totals = P.sum(axis=2)
        self._reject_pairs("transition probabilities must sum to 1", ~(np.abs(totals - 1) <= _SUM_TOLERANCE), totals)
        self._reject_pairs(f"successors must be states 0..{self.num_states - 1}", (to < 0) | (to >= len(to)), to)
        negative = np.flatnonzero(~(self.initial >= 0))
        if negative.size:
            raise ValueError(
                f"initial must be >= 0, got {self.initial[negative[0]]} at {self.describe_state(negative[0])}"
            )
        if not abs(self.initial.sum() - 1) <= _SUM_TOLERANCE:
            raise ValueError(f"initial must be probabilities that sum to 1, got sum {self.initial.sum()}")
        leaves = self.terminal[:, None, None] & (P > 0) & (to != np.arange(len(to))[:, None, None])
        self._reject_pairs("a terminal state must lead to itself", leaves, to)
        stuck = np.flatnonzero(~self.action_mask.any(axis=1))
        if stuck.size:
            raise ValueError(
                f"action_mask must leave a legal action in every non-terminal state, got none at "
                f"{self.describe_state(stuck[0])}"
            )
        if self.gamma == 1 and not self.is_acyclic:
            endless = endless_states(to, P, self.terminal)
            if endless.size:
                raise ValueError(
                    "gamma must be < 1 in an MDP with a cycle in which a policy can stay for ever, got 1.0; such a "
                    f"cycle passes {', '.join(self.describe_state(s) for s in endless[:3])}"
                )

    def _reject_pairs(self, rule: str, wrong: NDArray[np.bool_], actual: NDArray[Any]) -> None:
        """Raises a ValueError that names the first place where `wrong` (S, A[, B]) is True, if there is one."""
        if wrong.any():
            place = tuple(np.argwhere(wrong)[0])
            state, action = self.describe_state(place[0]), self.describe_action(place[1])
            raise ValueError(f"{rule}, got {actual[place]} at {state}, {action}")

    @classmethod
    def from_dense(
        cls,
        transition: ArrayLike,
        initial: ArrayLike,
        terminal: ArrayLike,
        gamma: float,
        *,
        action_mask: ArrayLike | None = None,
        state_names: Sequence[str] | None = None,
        action_names: Sequence[str] | None = None,
    ) -> Self:
        """Builds an MDP from a dense kernel.

        Args:
            transition: (S, A, S) probabilities of the next state.
            initial: (S,) probabilities of the first state.
            terminal: (S,) True where the trace has ended; there, the kernel must lead to the same state.
            gamma: Discount of one step, in [0, 1].
            action_mask: (S, A) True where the action is legal; default everywhere.
            state_names: S names, or None.
            action_names: A distinct names, or None.

        Raises:
            ValueError, TypeError: As the class.
        """
        packed = pack_dense(transition)
        return cls(*packed, initial, terminal, gamma, action_mask, state_names, action_names)  # type: ignore[arg-type]

    @classmethod
    def from_gym(cls, env: "gymnasium.Env[Any, Any]", gamma: float = 0.99) -> tuple[Self, NDArray[np.float64]]:
        """Reads the table `P` of a toy-text environment (FrozenLake, Taxi, CliffWalking, or a user's).

        States keep their numbers. Where the table lets an episode end in a state in which one can also start, or that
        can be passed through (as Taxi's does), one more state, the last, stands for "ended". A time limit around the
        environment is not part of the table and is left out; a `SwapReward` or `PerturbReward` around it is not.

        Args:
            env: Any environment, wrapped or not, whose unwrapped one has `P` = {state: {action: [(probability,
                next state, reward, terminated), ...]}} and `initial_state_distrib` (S,).
            gamma: Discount of one step, in [0, 1]. These worlds have cycles, so it usually has to be < 1.

        Returns:
            The MDP and its expected reward (S, A).

        Raises:
            TypeError: The environment has no such table.
            ValueError: As the class.

        >>> import cliffgym
        >>> import gymnasium as gym
        >>> lake, reward = TabularMDP.from_gym(gym.make("FrozenLake-v1", is_slippery=False), gamma=0.9)
        >>> lake
        TabularMDP(16 states, 4 actions, 1 successors, gamma=0.9)
        >>> round(cliffgym.optimal(lake, reward).expected_return, 6)  # the goal, which pays 1, is six steps away: 0.9^5
        0.59049
        """
        inner = env.unwrapped
        for name in ("P", "initial_state_distrib"):
            if not hasattr(inner, name):
                raise TypeError(f"env must have a toy-text table: {inner!r} has no attribute {name!r}")
        start = array("initial_state_distrib", inner.initial_state_distrib)  # type: ignore[attr-defined]
        table = unpack_toy_text(inner.P, start)  # type: ignore[attr-defined]
        mdp = cls(table.successors, table.probabilities, table.initial, table.terminal, gamma)
        reward = table.reward.copy()
        around = [env]
        while around[-1] is not inner:
            around.append(around[-1].env)  # type: ignore[attr-defined]  # wrappers have one
        for wrapper in reversed(around):
            if repaid := getattr(wrapper, "repaid", None):
                reward[: len(start)] = repaid(reward[: len(start)])
        reward[mdp.terminal] = 0
        return mdp, reward

    @property
    def num_states(self) -> int:
        """S."""
        return self.successors.shape[0]

    @property
    def num_actions(self) -> int:
        """A."""
        return self.successors.shape[1]

    @cached_property
    def heights(self) -> NDArray[np.intp]:
        """(S,) longest number of steps to the end; 0 at terminal states, -1 where a cycle can be reached."""
        height = heights(self.successors, self.probabilities, self.terminal)
        height.setflags(write=False)
        return height

    @property
    def is_acyclic(self) -> bool:
        """Whether every trace, under every policy, ends within S steps."""
        return bool((self.heights >= 0).all())

    @cached_property
    def levels(self) -> tuple[NDArray[np.intp], ...]:
        """The non-terminal states of an acyclic MDP by height 1, 2, ...: each level leads to lower ones only.

        Raises:
            ValueError: The MDP has a cycle.
        """
        if not self.is_acyclic:
            raise ValueError(f"levels need an acyclic MDP, got a cycle at {self.describe_state(self.heights.argmin())}")
        order = np.argsort(self.heights, kind="stable")
        bounds = np.searchsorted(self.heights[order], np.arange(1, self.heights.max() + 2))
        return tuple(order[low:high] for low, high in itertools.pairwise(bounds))

    @cached_property
    def effective_horizon(self) -> float:
        """What 1/(1 - gamma) stands for, in discounted steps: the largest weight that a trace gives to rewards.

        The sum of gamma^t over the longest trace, or 1/(1 - gamma) if there is a cycle.

        Raises:
            ValueError: There is a cycle and gamma is 1.
        """
        if self.is_acyclic:
            return float((self.gamma ** np.arange(self.heights.max())).sum())
        if self.gamma == 1:
            raise ValueError(
                "effective_horizon needs gamma < 1 in an MDP with a cycle, got 1.0; "
                f"a cycle can be reached from {self.describe_state(self.heights.argmin())}"
            )
        return 1 / (1 - self.gamma)

    @cached_property
    def reachable(self) -> NDArray[np.bool_]:
        """(S,) True for the states that some policy, illegal actions included, can reach from the start."""
        everything = np.ones((self.num_states, self.num_actions), dtype=bool)
        seen = reachable(self.successors, self.probabilities, self.initial, everything)
        seen.setflags(write=False)
        return seen

    def describe_state(self, state: int | np.integer) -> str:
        """The state as messages name it: `state 3 ("problem 1 · answer_0")`."""
        return f"state {state}" + (f' ("{self.state_names[state]}")' if self.state_names else "")

    def describe_action(self, action: int | np.integer) -> str:
        """The action as messages name it: `action "think"`, or its number."""
        return f'action "{self.action_names[action]}"' if self.action_names else f"action {action}"

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes the MDP to an .npz file, atomically and without pickle."""
        values = {f.name: getattr(self, f.name) for f in fields(self)}
        # No names are an empty array, so that a file that lost some is known to be damaged.
        arrays: dict[str, Any] = {name: np.asarray(() if v is None else v) for name, v in values.items()}
        with atomic_write(path) as file:
            np.savez_compressed(file, format=np.array(_FILE_FORMAT), **arrays)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Self:
        """Reads an MDP that `save` wrote. Nothing in the file is ever executed.

        Raises:
            OSError: The file cannot be read; FileNotFoundError if there is none.
            ValueError: The file is damaged, of another kind, or holds an invalid MDP.

        >>> import tempfile
        >>> from pathlib import Path
        >>> import cliffgym
        >>> made = cliffgym.scenario("Cliff-Slacker-v0").mdp
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = Path(folder, "slacker.npz")
        ...     made.save(path)
        ...     loaded = TabularMDP.load(path)
        >>> loaded
        TabularMDP(41 states, 5 actions, 1 successors, gamma=1)
        >>> loaded.action_names
        ('answer_0', 'answer_1', 'answer_2', 'comply', 'ignore')
        """
        with open(path, "rb") as file:
            try:
                with np.load(file, allow_pickle=False) as archive:
                    arrays = {name: archive[name] for name in archive.files}
            except Exception as error:  # there is no end to the ways in which foreign bytes fail to be read
                raise ValueError(
                    f"path must be an .npz file that TabularMDP.save wrote, got {path}: {type(error).__name__}"
                ) from error
        kind = str(arrays.pop("format", "none"))
        expected = {f.name for f in fields(cls)}
        if kind != _FILE_FORMAT or set(arrays) != expected:
            raise ValueError(
                f'path must be a file of format "{_FILE_FORMAT}" with {listing(sorted(expected))}, got format "{kind}" '
                f"with {listing(sorted(arrays))} in {path}"
            )
        try:
            names = {key: tuple(map(str, arrays.pop(key))) or None for key in ("state_names", "action_names")}
            return cls(**arrays | {"gamma": float(arrays["gamma"])} | names)  # type: ignore[arg-type]
        except (TypeError, ValueError) as error:
            raise ValueError(f"path must hold a valid MDP, got {path}: {error}") from error

    def __reduce__(self) -> tuple[Any, ...]:
        # Through the constructor, because unpickled and deep-copied arrays would be writable.
        return type(self), tuple(getattr(self, f.name) for f in fields(self))

    def __repr__(self) -> str:
        S, A, B = self.successors.shape
        return f"TabularMDP({S} states, {A} actions, {B} successors, gamma={self.gamma:g})"


def _booleans(name: str, values: ArrayLike, shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """A private boolean copy of `values`, which must have `shape` and hold truth values (or 0 and 1)."""
    truths = array(name, values, None)
    _shape(name, truths, shape)
    if truths.dtype != np.bool_ and not np.isin(truths, (0, 1)).all():
        raise TypeError(f"{name} must be booleans, got dtype {truths.dtype}")
    return truths.astype(bool)


def _shape(name: str, values: NDArray[Any], shape: tuple[int, ...]) -> None:
    if values.shape != shape:
        raise ValueError(f"{name} must have shape {shape}, got {values.shape}")


def _names(name: str, names: Sequence[str] | None, count: int) -> tuple[str, ...] | None:
    if names is None:
        return None
    if isinstance(names, str) or not isinstance(names, Iterable) or not all(isinstance(name, str) for name in names):
        raise TypeError(f"{name} must be a sequence of strings, got {names!r}")
    if any("\0" in entry for entry in names):
        raise ValueError(f"{name} must not contain the character NUL, which files do not keep, got {names!r}")
    if len(names) != count:
        raise ValueError(f"{name} must have {count} entries, got {len(names)}")
    return tuple(names)
