"""Optimal actions in exact rational arithmetic, to certify what floating point says about ties.

Floats are read as the numbers that were meant: the simplest fraction within a relative 1e-12 that has a denominator of
at most a million, else their shortest decimal form. So 0.1 is 1/10 and 0.1 · 3 is 3/10, though neither is in binary.

Shapes: S states, A actions.
"""

from fractions import Fraction

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cliffgym.mdp import TabularMDP
from cliffgym.rewards import check_reward

MAX_CYCLIC_STATES = 100
"""Non-terminal states up to which a cyclic MDP is solved: elimination takes S³ operations on growing fractions."""
MAX_PAIRS = 100_000
"""State-action pairs up to which an acyclic MDP is solved."""


def as_fraction(value: float) -> Fraction:
    """The rational number that a float was meant to be.

    >>> as_fraction(0.1 * 3), as_fraction(1 / 3), as_fraction(1e-20)
    (Fraction(3, 10), Fraction(1, 3), Fraction(1, 100000000000000000000))
    """
    exact = Fraction(value)
    simple = exact.limit_denominator(1_000_000)
    if abs(simple - exact) <= abs(exact) * Fraction(1, 10**12):
        return simple
    return Fraction(repr(float(value)))


def rational_optimal_actions(mdp: TabularMDP, reward: ArrayLike) -> NDArray[np.bool_]:
    """(S, A) True where the action is legal and exactly optimal; terminal rows are all True.

    Args:
        mdp: At most `MAX_PAIRS` state-action pairs; if it has a cycle, at most `MAX_CYCLIC_STATES` states that go on.
        reward: (S, A).

    Raises:
        ValueError: The MDP is too large, or as `optimal`.
    """
    reward = check_reward(mdp, reward)
    going_on = int((~mdp.terminal).sum())
    if reward.size > MAX_PAIRS or (not mdp.is_acyclic and going_on > MAX_CYCLIC_STATES):
        raise ValueError(
            f"exact mode needs at most {MAX_PAIRS:,} state-action pairs, and {MAX_CYCLIC_STATES} non-terminal states "
            f"if there is a cycle, got {reward.size:,} and {going_on:,}"
        )
    model = _RationalMDP(mdp, reward)
    values = model.backward_induction() if mdp.is_acyclic else model.policy_iteration()
    best = np.ones(reward.shape, dtype=bool)
    for state in np.flatnonzero(~mdp.terminal):
        q_values = model.q_values(int(state), values)
        top = max(q_values.values())
        best[state] = [q_values.get(action) == top for action in range(mdp.num_actions)]
    return best


class _RationalMDP:
    """The legal part of an MDP in fractions."""

    def __init__(self, mdp: TabularMDP, reward: NDArray[np.float64]) -> None:
        self.mdp = mdp
        self.gamma = as_fraction(mdp.gamma)
        self.alive = [int(s) for s in np.flatnonzero(~mdp.terminal)]
        self.pay: dict[tuple[int, int], Fraction] = {}
        self.follow: dict[tuple[int, int], list[tuple[int, Fraction]]] = {}
        for s in self.alive:
            for a in np.flatnonzero(mdp.action_mask[s]).tolist():
                self.pay[s, a] = as_fraction(float(reward[s, a]))
                row = [
                    (to, as_fraction(p))
                    for to, p in zip(mdp.successors[s, a].tolist(), mdp.probabilities[s, a].tolist(), strict=True)
                    if p > 0
                ]
                total = sum((p for _, p in row), Fraction(0))
                self.follow[s, a] = [(to, p / total) for to, p in row]

    def q_values(self, state: int, values: dict[int, Fraction]) -> dict[int, Fraction]:
        """Action values of the legal actions of a state; terminal states are worth 0."""
        return {
            a: self.pay[state, a]
            + self.gamma * sum((p * values.get(to, Fraction(0)) for to, p in self.follow[state, a]), Fraction(0))
            for a in np.flatnonzero(self.mdp.action_mask[state]).tolist()
        }

    def backward_induction(self) -> dict[int, Fraction]:
        values: dict[int, Fraction] = {}
        for level in self.mdp.levels:
            for state in level.tolist():
                values[state] = max(self.q_values(state, values).values())
        return values

    def policy_iteration(self) -> dict[int, Fraction]:
        actions = {s: max((self.pay[s, a], -a) for s2, a in self.pay if s2 == s)[1] * -1 for s in self.alive}
        while True:
            values = self._evaluate(actions)
            changed = False
            for state in self.alive:
                q_values = self.q_values(state, values)
                best = max(q_values, key=lambda a: q_values[a])
                if q_values[best] > q_values[actions[state]]:
                    actions[state], changed = best, True
            if not changed:
                return values

    def _evaluate(self, actions: dict[int, int]) -> dict[int, Fraction]:
        """Values of a deterministic policy by Gauss-Jordan elimination."""
        place = {s: i for i, s in enumerate(self.alive)}
        rows = []
        for s in self.alive:
            row = [Fraction(0)] * (len(self.alive) + 1)
            row[place[s]] += 1
            row[-1] = self.pay[s, actions[s]]
            for to, p in self.follow[s, actions[s]]:
                if to in place:
                    row[place[to]] -= self.gamma * p
            rows.append(row)
        for i in range(len(rows)):
            pivot = next(j for j in range(i, len(rows)) if rows[j][i])
            rows[i], rows[pivot] = rows[pivot], rows[i]
            factor = rows[i][i]
            rows[i] = [x / factor for x in rows[i]]
            for j, row in enumerate(rows):
                if j != i and row[i]:
                    scale = row[i]
                    rows[j] = [x - scale * y for x, y in zip(row, rows[i], strict=True)]
        return {s: rows[i][-1] for s, i in place.items()}
