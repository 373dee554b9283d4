"""Random MDPs, rewards and policies, and answers known in advance: material for tests of solvers and agents.

Nothing here is random beyond its seed: equal arguments give equal results. The makers leave nothing out that a solver
may meet: padded slots, repeated successors, states no trace reaches, illegal actions, states numbered in any order,
traces that start where they end.

Shapes: S states, A actions, B successor slots.
"""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cliffgym.checks import choice, integer, number
from cliffgym.mdp import TabularMDP

CYCLES = ("none", "ending", "free")
"""What `random_mdp` knows about cycles: there are none; there are, but every policy ends; a policy may never end."""


def random_mdp(
    seed: int | Sequence[int],
    *,
    num_states: int = 6,
    num_actions: int = 3,
    branching: int = 2,
    cycles: str = "none",
    gamma: float = 0.9,
    num_terminal: int = 1,
    illegal: float = 0.2,
) -> TabularMDP:
    """A random MDP.

    Args:
        seed: Seed of NumPy's generator.
        num_states: S, terminal states included.
        num_actions: A.
        branching: B, successors of a state-action pair at most.
        cycles: "none": every trace ends within S steps. "ending": some states can be met again, but every action may
            end the trace, so that every policy ends surely. "free": some state has an action that stays there for ever.
        gamma: Discount of one step; must be < 1 with "free" cycles.
        num_terminal: Number of terminal states, 1 at least unless cycles are "free".
        illegal: Probability that an action is illegal; one legal action is left in each state.

    Raises:
        ValueError: A size is out of range, or "ending" cycles are asked of deterministic transitions.
        TypeError: A size is not a number.

    >>> random_mdp(0, num_states=4, branching=1)
    TabularMDP(4 states, 3 actions, 1 successors, gamma=0.9)
    """
    choice("cycles", cycles, CYCLES)
    S = integer("num_states", num_states, 2)
    A = integer("num_actions", num_actions, 1)
    B = integer("branching", branching, 2 if cycles == "ending" else 1)
    living = S - integer("num_terminal", num_terminal, 0 if cycles == "free" else 1, S - 1)
    illegal = number("illegal", illegal, 0, 1)
    rng = np.random.default_rng(seed)

    # States are made in an order in which traces run, terminal ones last, and renumbered at the end.
    lowest = np.zeros(S, dtype=np.intp)
    if cycles == "none":
        lowest[:living] = np.arange(1, living + 1)
    successors = rng.integers(lowest[:, None, None], S, size=(S, A, B))
    filled = rng.random((S, A, B)) < 0.8
    filled[:, :, 0] = True
    if cycles == "ending":
        successors[:, :, 0] = rng.integers(living, S, size=(S, A))
        successors[0, 0, 1], filled[0, 0, 1] = 0, True
    if cycles == "free":
        successors[0, 0, :] = 0
    successors[living:] = np.arange(living, S)[:, None, None]
    # Weights of 1 to 4 keep every chance well away from 0, and repeat often enough for ties.
    probabilities = rng.integers(1, 5, size=(S, A, B)) * filled
    legal = rng.random((S, A)) >= illegal
    legal[np.arange(S), rng.integers(0, A, size=S)] = True
    initial = rng.integers(0, 3, size=S).astype(float)
    initial[rng.integers(0, living)] += 1

    number_of = rng.permutation(S)
    order = np.argsort(number_of)
    return TabularMDP(
        successors=number_of[successors][order],
        probabilities=(probabilities / probabilities.sum(axis=2, keepdims=True))[order],
        initial=(initial / initial.sum())[order],
        terminal=(np.arange(S) >= living)[order],
        gamma=gamma,
        action_mask=legal[order],
    )


def random_reward(mdp: TabularMDP, seed: int | Sequence[int], levels: int | None = None) -> NDArray[np.float64]:
    """(S, A) random rewards in [-1, 1], 0 at terminal states.

    Args:
        mdp: Says the shape, and which states are terminal.
        seed: Seed of NumPy's generator.
        levels: Draw from that many evenly spaced values, so that there are ties; None draws from the whole interval.

    >>> import numpy as np
    >>> mdp = random_mdp(0, num_states=50)
    >>> reward = random_reward(mdp, 1, levels=3)
    >>> reward.shape, np.unique(reward).tolist()
    ((50, 3), [-1.0, 0.0, 1.0])
    """
    rng = np.random.default_rng(seed)
    shape = (mdp.num_states, mdp.num_actions)
    if levels is None:
        reward = rng.uniform(-1, 1, size=shape)
    else:
        reward = rng.choice(np.linspace(-1, 1, integer("levels", levels, 1)), size=shape)
    return np.where(mdp.terminal[:, None], 0.0, reward)


def random_policy(mdp: TabularMDP, seed: int | Sequence[int], *, legal: bool = True) -> NDArray[np.float64]:
    """(S, A) a random policy, over legal actions alone or over all.

    >>> mdp = random_mdp(0)
    >>> policy = random_policy(mdp, 1)
    >>> policy.sum(axis=1).round(9).tolist(), float(policy[~mdp.action_mask].sum())
    ([1.0, 1.0, 1.0, 1.0, 1.0, 1.0], 0.0)
    """
    rng = np.random.default_rng(seed)
    weights = rng.exponential(size=(mdp.num_states, mdp.num_actions))
    if legal:
        weights *= mdp.action_mask
    return weights / weights.sum(axis=1, keepdims=True)


@dataclass(frozen=True, eq=False)
class KnownOptimum:
    """A reward whose solution was chosen first.

    Attributes:
        reward: (S, A) the reward. Its illegal actions would often be the best.
        state_values: (S,) the optimal values.
        action_gaps: (S, A) what each action loses: 0 for optimal ones, at least 0.1 for others; infinite at illegal
            actions, 0 at terminal states.

    >>> import cliffgym
    >>> mdp = random_mdp(0, cycles="ending")
    >>> known = known_optimum(mdp, 1)
    >>> found = cliffgym.optimal(mdp, known.reward)
    >>> int((found.optimal_actions != known.optimal_actions)[~mdp.terminal].sum())  # states and actions they differ on
    0
    """

    reward: NDArray[np.float64]
    state_values: NDArray[np.float64]
    action_gaps: NDArray[np.float64]

    @property
    def optimal_actions(self) -> NDArray[np.bool_]:
        """(S, A) True where nothing is lost."""
        return self.action_gaps == 0


def known_optimum(mdp: TabularMDP, seed: int | Sequence[int], ties: float = 0.5) -> KnownOptimum:
    """Chooses optimal values and gaps at random, and the reward that has them by inverting the Bellman equation.

    Args:
        mdp: The dynamics, cyclic or not.
        seed: Seed of NumPy's generator.
        ties: Probability that a legal action is tied with the best.

    Source: R(s, a) = V(s) - gap(s, a) - gamma Σ_s' P(s'|s, a) V(s'), as in the proof of Proposition 2.9 of
    arXiv:2507.20150.

    >>> import cliffgym
    >>> mdp = random_mdp(0, num_states=50, cycles="free")
    >>> known = known_optimum(mdp, 1, ties=0)
    >>> found = cliffgym.optimal(mdp, known.reward)
    >>> round(float(abs(found.state_values - known.state_values).max()), 9), len(found.tied_states)
    (0.0, 0)
    """
    rng = np.random.default_rng(seed)
    ties = number("ties", ties, 0, 1)
    shape = (mdp.num_states, mdp.num_actions)
    values = np.where(mdp.terminal, 0.0, rng.uniform(-1, 1, size=shape[0]))
    gaps = rng.uniform(0.1, 1, size=shape) * (rng.random(shape) >= ties)
    best = np.where(mdp.action_mask, rng.random(shape), -1).argmax(axis=1)
    gaps[np.arange(shape[0]), best] = 0
    gaps[mdp.terminal] = 0
    loss = np.where(mdp.action_mask, gaps, rng.uniform(-3, 1, size=shape))
    reward = values[:, None] - loss - mdp.gamma * dense_kernel(mdp) @ values
    reward[mdp.terminal] = 0
    return KnownOptimum(reward, values, np.where(mdp.action_mask, gaps, np.inf))


def dense_kernel(mdp: TabularMDP) -> NDArray[np.float64]:
    """(S, A, S) probabilities of the next state; for small MDPs only.

    >>> from cliffgym import TabularMDP
    >>> coin = [[[0, 0.5, 0.5], [0, 1, 0]], [[0, 1, 0], [0, 1, 0]], [[0, 0, 1], [0, 0, 1]]]
    >>> mdp = TabularMDP.from_dense(coin, [1, 0, 0], [False, True, True], gamma=1.0)
    >>> mdp.successors.shape, dense_kernel(mdp)[0].tolist()
    ((3, 2, 2), [[0.0, 0.5, 0.5], [0.0, 1.0, 0.0]])
    """
    S, A, B = mdp.successors.shape
    kernel = np.zeros((S, A, S))
    for state, action, slot in itertools.product(range(S), range(A), range(B)):
        kernel[state, action, mdp.successors[state, action, slot]] += mdp.probabilities[state, action, slot]
    return kernel


def deterministic_policies(mdp: TabularMDP) -> Iterator[NDArray[np.float64]]:
    """Every deterministic policy over legal actions, as (S, A) tables; terminal rows take action 0.

    >>> mdp = random_mdp(0, num_states=4, num_actions=2, illegal=0)
    >>> policies = list(deterministic_policies(mdp))
    >>> len(policies), policies[0].shape  # two actions in each of three states
    (8, (4, 2))
    """
    choices = [
        [0] if ended else np.flatnonzero(legal) for ended, legal in zip(mdp.terminal, mdp.action_mask, strict=True)
    ]
    for actions in itertools.product(*choices):
        yield np.eye(mdp.num_actions)[np.array(actions, dtype=np.intp)]
