"""Rewards as weightings of named components.

One mechanism serves rewards and measures: a component is a table (S, A) that says what a trace is credited with for
one step; a reward weighs components, and a component that no reward weighs is a pure measure.

Shapes: S states, A actions, K components.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cliffgym.checks import array, listing, number
from cliffgym.mdp import TabularMDP

_SUM_TOLERANCE = 1e-6  # as for any policy

Weighting = Mapping[str, float | Sequence[float] | NDArray[np.float64]]
"""Weights of components by name: numbers, or arrays (S,) of weights that depend on the state."""


@dataclass(frozen=True, eq=False)
class RewardComponents:
    """K named reward tables over the same states and actions.

    Attributes:
        names: K distinct names.
        table: (K, S, A) what each component credits for taking an action in a state.

    Raises:
        ValueError: Names are not distinct, shapes disagree, or an entry is NaN or infinite.
        TypeError: Names are not strings in a sequence, or entries are not numbers.

    >>> parts = RewardComponents(("correct", "length"), [[[1.0, 0.0]], [[0.0, 1.0]]])
    >>> parts.combine({"correct": 1.0, "length": -0.25})
    array([[ 1.  , -0.25]])
    """

    names: tuple[str, ...]
    table: NDArray[np.float64]

    def __post_init__(self) -> None:
        if isinstance(self.names, str) or not isinstance(self.names, Iterable):
            raise TypeError(f"component names must be a sequence of strings, got {self.names!r}")
        names = tuple(self.names)
        table = array("table", self.table)
        if len(set(names)) < len(names) or not all(isinstance(name, str) and name for name in names):
            raise ValueError(f"component names must be distinct, non-empty strings, got {names}")
        if table.ndim != 3 or len(table) != len(names):
            raise ValueError(f"table must have shape (K, S, A) with K = {len(names)} names, got {table.shape}")
        if not np.isfinite(table).all():
            k, state, action = np.argwhere(~np.isfinite(table))[0]
            raise ValueError(
                f"components must be finite, got {table[k, state, action]} in {names[k]!r} at state {state}, "
                f"action {action}"
            )
        table.setflags(write=False)
        object.__setattr__(self, "names", names)
        object.__setattr__(self, "table", table)

    def __len__(self) -> int:
        return len(self.names)

    def __iter__(self) -> Iterator[str]:
        return iter(self.names)

    def __contains__(self, name: object) -> bool:
        return name in self.names

    def __getitem__(self, name: str) -> NDArray[np.float64]:
        """The table (S, A) of one component.

        Raises:
            ValueError: There is no component of that name; the message lists those there are.
        """
        return self.table[self.index(name)]

    def index(self, name: str) -> int:
        """The place of a component among the names."""
        if name not in self.names:
            raise ValueError(f"component must be one of {listing(self.names)}, got {name!r}")
        return self.names.index(name)

    def weights(self, weighting: Weighting) -> NDArray[np.float64]:
        """A mapping of component names to weights as an array (K,); components it does not name weigh 0.

        Args:
            weighting: By name a number, or an array (S,) of weights that depend on the state. With one of these, the
                result is (K, S).

        Raises:
            ValueError: A name is unknown, a weight is NaN or infinite, or an array has another shape.
            TypeError: A weight is not a number.
        """
        shape, by_state = (self.table.shape[1],), {}
        weights = np.zeros(len(self))
        for name, weight in weighting.items():
            k = self.index(name)
            if np.ndim(weight) == 0:
                weights[k] = number(f"weight of {name!r}", weight)
                continue
            by_state[k] = array(f"weight of {name!r}", weight)
            if by_state[k].shape != shape:
                raise ValueError(
                    f"weight of {name!r} must be a number or have shape (S,) = {shape}, got shape {by_state[k].shape}"
                )
            if not np.isfinite(by_state[k]).all():
                state = int((~np.isfinite(by_state[k])).argmax())
                raise ValueError(f"weight of {name!r} must be finite, got {by_state[k][state]} at state {state}")
        if not by_state:
            return weights
        table = np.repeat(weights[:, None], shape[0], axis=1)
        for k, row in by_state.items():
            table[k] = row
        return table

    def combine(self, weights: Weighting | ArrayLike) -> NDArray[np.float64]:
        """The reward Σ_k w_k R_k.

        Args:
            weights: A mapping of names to numbers or arrays (S,), an array (K,), or an array (K, S) of weights that
                depend on the state: the paper's effective reward R_eff(s, a) = Σ_k w_k(s) R_k(s, a).

        Returns:
            (S, A) reward.

        Raises:
            ValueError: The shape is neither, a weight is not finite, or a name is unknown.
            TypeError: Weights are not numbers.

        Source: arXiv:2507.20150, section 4 (effective reward).
        """
        if isinstance(weights, Mapping):
            weights = self.weights(weights)
        weights = array("weights", weights)
        K, S, _ = self.table.shape
        if weights.shape not in ((K,), (K, S)):
            raise ValueError(f"weights must have shape ({K},) or ({K}, {S}), got {weights.shape}")
        if not np.isfinite(weights).all():
            raise ValueError(f"weights must be finite, got {weights[~np.isfinite(weights)][0]}")
        if weights.ndim == 1:
            return np.tensordot(weights, self.table, axes=1)
        return np.einsum("ks,ksa->sa", weights, self.table)

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.names, self.table)

    def __repr__(self) -> str:
        return f"RewardComponents({', '.join(self.names)})"


def posterior_weights(mixture: ArrayLike, rates: ArrayLike) -> NDArray[np.float64]:
    """The weights of an effective reward: how likely each class is, given what the agent sees.

    By Bayes' rule w_k(s) = p_k e_k(s) / Σ_j p_j e_j(s). Where no class leads to a state, all its weights are 0.

    Args:
        mixture: (K,) the share p_k of each class among prompts, >= 0, summing to 1.
        rates: (K, S) the probability e_k(s) that a prompt of class k looks like s (for states after it, like the prompt
            before them), in [0, 1].

    Returns:
        (K, S) weights, as `RewardComponents.combine` takes them.

    Raises:
        ValueError: A share is negative, they do not sum to 1, a rate is outside [0, 1], or the shapes disagree.
        TypeError: The entries are not numbers.

    Source: arXiv:2507.20150, section 4 (the weights of the effective reward, which the paper takes as given).

    >>> posterior_weights([0.5, 0.25, 0.25], [[0.75, 0], [0, 0], [0.5, 0]])
    array([[0.75, 0.  ],
           [0.  , 0.  ],
           [0.25, 0.  ]])
    """
    shares, table = check_mixture("mixture", mixture), array("rates", rates)
    if table.ndim != 2 or len(table) != shares.size:
        raise ValueError(f"rates must have shape (K, S) with K = {shares.size} shares, got {table.shape}")
    wrong = ~((table >= 0) & (table <= 1))
    if wrong.any():
        k, state = np.argwhere(wrong)[0]
        raise ValueError(f"rates must be in [0, 1], got {table[k, state]} of class {k} at state {state}")
    joint = shares[:, None] * table
    totals = joint.sum(axis=0)
    return np.divide(joint, totals, out=np.zeros_like(joint), where=totals > 0)


def check_mixture(name: str, shares: ArrayLike) -> NDArray[np.float64]:
    """Returns shares (K,) of a mixture as floats.

    They may be off by 1e-6, as those in single precision are; they are made to sum to 1.

    Raises:
        ValueError: They are not a non-empty list of numbers >= 0 that sum to 1.
        TypeError: They are not numbers.
    """
    if array(name, shares, None).dtype.kind not in "iuf":
        raise TypeError(f"{name} must be an array of numbers, got {shares!r}")
    mixture = array(name, shares)
    if mixture.ndim != 1 or not mixture.size:
        raise ValueError(f"{name} must be a list of shares, one for each class, got {shares!r}")
    negative = ~(mixture >= 0)
    if negative.any():
        raise ValueError(f"{name} must be >= 0, got {mixture[negative][0]} at place {int(negative.argmax())}")
    if not abs(mixture.sum() - 1) <= _SUM_TOLERANCE:
        raise ValueError(f"{name} must sum to 1, got {mixture.tolist()} with sum {mixture.sum()}")
    return mixture / mixture.sum()


def check_reward(mdp: TabularMDP, reward: ArrayLike, name: str = "reward") -> NDArray[np.float64]:
    """Returns `reward` as a float array (S, A) that suits `mdp`.

    Raises:
        ValueError: The shape is not (S, A), an entry is NaN or infinite, or a terminal state pays.
        TypeError: The entries are not numbers.
    """
    table = array(name, reward)
    shape = (mdp.num_states, mdp.num_actions)
    if table.shape != shape:
        raise ValueError(f"{name} must have shape (S, A) = {shape}, got {table.shape}")
    for rule, wrong in (
        ("must be finite", ~np.isfinite(table)),
        ("must be 0 at terminal states", (table != 0) & mdp.terminal[:, None]),
    ):
        if wrong.any():
            state, action = np.argwhere(wrong)[0]
            raise ValueError(
                f"{name} {rule}, got {table[state, action]} at {mdp.describe_state(state)}, "
                f"{mdp.describe_action(action)}"
            )
    return table


def random_perturbation(
    mdp: TabularMDP, size: float, seed: int | Sequence[int] | np.random.Generator
) -> NDArray[np.float64]:
    """A random reward change of sup norm exactly `size`.

    Entries are drawn uniformly and rescaled so that the largest reaches `size`; terminal states and illegal
    actions, whose pay moves no policy, stay as they are.

    Args:
        mdp: Says the shape, and where changes are not allowed.
        size: Sup norm of the change, in units of reward, >= 0.
        seed: Seed of NumPy's generator, or a generator to draw from; equal seeds give equal changes.

    Returns:
        (S, A) change, to be added to a reward.

    Raises:
        ValueError: `size` is negative or not finite, or every state is terminal.

    >>> import cliffgym
    >>> slacker = cliffgym.scenario("Cliff-Slacker-v0")
    >>> change = random_perturbation(slacker.mdp, 1e-3, seed=0)
    >>> float(abs(change).max()), float(abs(change[slacker.mdp.terminal]).max())
    (0.001, 0.0)
    >>> reward = slacker.reward("incomplete")
    >>> [len(cliffgym.optimal(slacker.mdp, table).tied_states) for table in (reward, reward + change)]
    [12, 0]
    """
    size = number("size", size, minimum=0)
    if mdp.terminal.all():
        raise ValueError("mdp must have a non-terminal state, got none")
    noise = np.random.default_rng(seed).uniform(-1, 1, size=(mdp.num_states, mdp.num_actions))
    noise[mdp.terminal[:, None] | ~mdp.action_mask] = 0
    noise /= np.abs(noise).max()
    return size * noise
