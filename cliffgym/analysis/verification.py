"""Runs every statement of the paper on an MDP and its rewards, with seeded random changes of them.

Shapes: S states, A actions, K rewards.
"""

import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cliffgym.analysis.bounds import (
    STATEMENTS,
    StatementCheck,
    deterministic_jump,
    effective_actions_inclusion,
    effective_jump,
    effective_policy_constancy,
    effective_reward_lipschitz,
    effective_values_lipschitz,
    incomplete_reward,
    optimal_actions_inclusion,
    policy_constancy,
    soft_policy_lipschitz,
    softmax_lipschitz,
    tie_breaking,
    uniform_jump,
    values_lipschitz,
)
from cliffgym.analysis.bounds.check import Verdict, positive
from cliffgym.analysis.radius import cliff_radius
from cliffgym.checks import array, integer
from cliffgym.mdp import TabularMDP
from cliffgym.rewards import RewardComponents, check_reward, random_perturbation
from cliffgym.solvers import optimal
from cliffgym.testing import known_optimum, random_mdp, random_policy, random_reward

EPSILONS = tuple(10.0**-i for i in range(1, 10))
"""Sizes of the changes that break ties: however small, they must."""
TEMPERATURES = (1.0, 0.1, 0.01)
SIZES = (1.0, 1e-2, 1e-5)
"""Sizes of random changes for the Lipschitz bounds, relative to the largest reward."""
_INSIDE = 0.999
"""Share of a radius that changes go to: nearly all the way."""
_MOST_TIES = 4


@dataclass(frozen=True, eq=False)
class StatementSummary:
    """What checking one statement on many cases has found.

    Attributes:
        statement: Its number in the PDF.
        cases: How often it was checked.
        applicable: In how many of these cases its hypotheses were met.
        worst_ratio: The largest ratio of what was measured to the bound among those; 0 if there are none. Where a
            statement holds its ratio counts as 1 at most: what lies above is rounding.
        violations: In how many of them the conclusion was false.
        counterexample: The first of these, or None.

    >>> import cliffgym
    >>> breaker = cliffgym.scenario("Cliff-TieBreaker-v0", problems=1)
    >>> parts = cliffgym.RewardComponents(("incomplete",), [breaker.reward("incomplete")])
    >>> rows = {row.statement: row for row in verify(breaker.mdp, parts, epsilons=(1e-3, 1e-6))}
    >>> row = rows["Proposition 2.10"]  # a tie after each of three answers, broken by two changes
    >>> row.verdict, row.cases, row.applicable, row.worst_ratio, row.violations
    ('holds', 6, 6, 1.0, 0)
    """

    statement: str
    cases: int = 0
    applicable: int = 0
    worst_ratio: float = 0.0
    violations: int = 0
    counterexample: StatementCheck | None = None

    @property
    def verdict(self) -> Verdict:
        """Whether it "holds" in every applicable case or is "violated"; "not applicable" if there is none."""
        if self.violations:
            return "violated"
        return "holds" if self.applicable else "not applicable"


def summarize(checks: Iterable[StatementCheck]) -> tuple[StatementSummary, ...]:
    """Counts checks by statement: one summary for each in `STATEMENTS`, in that order."""
    by_statement: dict[str, list[StatementCheck]] = {statement: [] for statement in STATEMENTS}
    for check in checks:
        by_statement[check.statement].append(check)
    summaries = []
    for statement, all_checks in by_statement.items():
        applicable = [check for check in all_checks if not check.unmet]
        violated = [check for check in applicable if check.verdict == "violated"]
        worst = max((min(check.ratio, 1.0) if check.conclusion else check.ratio for check in applicable), default=0.0)
        summaries.append(
            StatementSummary(
                statement, len(all_checks), len(applicable), worst, len(violated), violated[0] if violated else None
            )
        )
    return tuple(summaries)


def merge(runs: Iterable[Sequence[StatementSummary]]) -> tuple[StatementSummary, ...]:
    """Adds up the summaries of several MDPs, statement by statement."""
    total = summarize(())
    for run in runs:
        total = tuple(
            StatementSummary(
                old.statement,
                old.cases + new.cases,
                old.applicable + new.applicable,
                max(old.worst_ratio, new.worst_ratio),
                old.violations + new.violations,
                old.counterexample or new.counterexample,
            )
            for old, new in zip(total, run, strict=True)
        )
    return total


def verify(
    mdp: TabularMDP,
    rewards: RewardComponents,
    seed: int | Sequence[int] = 0,
    *,
    epsilons: Sequence[float] = EPSILONS,
    temperatures: Sequence[float] = TEMPERATURES,
    sizes: Sequence[float] = SIZES,
    weights: ArrayLike | None = None,
) -> tuple[StatementSummary, ...]:
    """Checks every statement on one MDP.

    Each reward is checked by itself, against random changes of it, and against every other: each also as the true
    reward that another is an incomplete version of. Together they are the reward models of the effective rewards, under
    random weights in each state and under weights that single one out. Changes for Lemma 2.5 and Theorem 2.7 go nearly
    to the edge of the radius, in random directions, and for 2.7 also in the worst. Statements that need an effective
    horizon are left out if the MDP has none (a cycle at gamma 1).

    Args:
        mdp: The dynamics.
        rewards: (K, S, A) named rewards, at least one.
        seed: Seed of NumPy's generator.
        epsilons: Sizes of tie-breaking changes, in units of reward.
        temperatures: Temperatures of soft policies, in units of reward per nat.
        sizes: Sizes of random changes for the Lipschitz bounds, relative to the largest reward.
        weights: (K, S) weights of an effective reward of these rewards, to be checked too.

    Returns:
        One summary for each statement.

    Raises:
        ValueError: There is no reward, one pays at a terminal state or has another shape, or a size is not > 0.

    >>> import cliffgym
    >>> slacker = cliffgym.scenario("Cliff-Slacker-v0", problems=2)
    >>> tables = [slacker.reward(name) for name in slacker.rewards]
    >>> rows = verify(slacker.mdp, cliffgym.RewardComponents(tuple(slacker.rewards), tables))
    >>> {row.verdict for row in rows}
    {'holds'}
    """
    if not len(rewards):
        raise ValueError("rewards must have at least one table, got none")
    for table in rewards.table:
        check_reward(mdp, table)
    for name, values in (("epsilons", epsilons), ("temperatures", temperatures), ("sizes", sizes)):
        if not len(values):
            raise ValueError(f"{name} must have at least one entry, got none")
        for value in values:
            positive(name, value)
    given = None if weights is None else array("weights", weights)
    verifier = _Verifier(mdp, rewards, np.random.default_rng(seed), epsilons, temperatures, sizes, given)
    return summarize(verifier.checks())


def random_cases(count: int, seed: int = 0) -> Iterator[tuple[str, TabularMDP, RewardComponents]]:
    """Random MDPs of every kind, each with three rewards: one with planted ties, one without, one of few levels.

    Args:
        count: How many.
        seed: Seed of NumPy's generator; the first cases of a longer run are those of a shorter one.

    Yields:
        A name, the MDP and its rewards.

    Raises:
        ValueError: The count is negative.
    """
    kinds = (("none", 1.0), ("free", 0.9), ("ending", 0.5), ("none", 0.9), ("free", 0.99), ("ending", 1.0))
    for index in range(integer("count", count, 0)):
        rng = np.random.default_rng([seed, index])
        cycles, gamma = kinds[index % len(kinds)]
        mdp = random_mdp(
            [seed, index],
            num_states=int(rng.integers(3, 9)),
            num_actions=int(rng.integers(2, 5)),
            branching=int(rng.integers(2, 4)) if cycles == "ending" else int(rng.integers(1, 4)),
            cycles=cycles,
            gamma=gamma,
        )
        tables = [
            known_optimum(mdp, [seed, index, 1]).reward,
            random_reward(mdp, [seed, index, 2]),
            random_reward(mdp, [seed, index, 3], levels=3),
        ]
        name = f"random {index + 1} (cycles {cycles}, gamma {gamma:g})"
        yield name, mdp, RewardComponents(("planted", "plain", "levels"), np.array(tables))


@dataclass(frozen=True, eq=False)
class _Verifier:
    """One MDP with its rewards, and where random numbers come from."""

    mdp: TabularMDP
    rewards: RewardComponents
    rng: np.random.Generator
    epsilons: Sequence[float]
    temperatures: Sequence[float]
    sizes: Sequence[float]
    weights: NDArray[np.float64] | None

    def checks(self) -> Iterator[StatementCheck]:
        """Every check of every statement."""
        has_horizon = self.mdp.is_acyclic or self.mdp.gamma < 1
        for table in self.rewards.table:
            yield from self._radii(table, has_horizon)
            yield from self._jumps(table)
            for size in self.sizes:
                other = table + self._change(self._scale(table) * size)
                yield incomplete_reward(self.mdp, table, other)
                yield from self._lipschitz(table, other, has_horizon)
        for train, true in itertools.permutations(self.rewards.table, 2):
            yield incomplete_reward(self.mdp, train, true)
        for reward, other in itertools.combinations(self.rewards.table, 2):
            yield from self._lipschitz(reward, other, has_horizon)
        yield from self._effective(has_horizon)

    def _scale(self, table: NDArray[np.float64]) -> float:
        return float(np.abs(table).max()) or 1.0

    def _change(self, size: float) -> NDArray[np.float64]:
        """(S, A) a random change of sup norm `size`; about every second one is that large in every entry."""
        change = random_perturbation(self.mdp, size, self.rng)
        return size * np.sign(change) if self.rng.random() < 0.5 else change

    def _lipschitz(
        self, reward: NDArray[np.float64], other: NDArray[np.float64], has_horizon: bool
    ) -> Iterator[StatementCheck]:
        """2.4, 4.7 and C.2 for two rewards."""
        values = [optimal(self.mdp, table).q_values for table in (reward, other)]
        if has_horizon:
            yield values_lipschitz(self.mdp, reward, other)
        for temperature in self.temperatures:
            reference = None if self.rng.random() < 0.5 else random_policy(self.mdp, int(self.rng.integers(2**32)))
            if has_horizon:
                yield soft_policy_lipschitz(self.mdp, reward, other, temperature, reference)
            state = self.rng.integers(self.mdp.num_states)
            yield softmax_lipschitz(values[0][state], values[1][state], temperature)

    def _radii(self, table: NDArray[np.float64], has_horizon: bool) -> Iterator[StatementCheck]:
        """2.5 and 2.7, nearly at the edge of their radii."""
        if has_horizon:
            radius = optimal_actions_inclusion(self.mdp, table, table).details["radius"]
            size = _INSIDE * radius if np.isfinite(radius) else 1.0
            for _ in self.sizes:
                yield optimal_actions_inclusion(self.mdp, table, table + self._change(size))
        cliff = cliff_radius(self.mdp, table)
        size = _INSIDE * cliff.radius if np.isfinite(cliff.radius) else 1.0
        for _ in self.sizes:
            yield policy_constancy(self.mdp, table, table + self._change(size))
        if cliff.witness is not None:
            yield policy_constancy(self.mdp, table, table + _INSIDE * cliff.witness)

    def _jumps(self, table: NDArray[np.float64]) -> Iterator[StatementCheck]:
        """2.9, 2.10 and 3.2 at the first few ties, for two of the tied actions drawn at random."""
        optimum = optimal(self.mdp, table)
        # Only what ties at the resolution of the smallest change as well: gaps between the two are no one's tie.
        sharp = optimum.action_gaps <= min(optimum.tolerance, min(self.epsilons) / 4)
        states = np.flatnonzero((sharp.sum(axis=1) > 1) & ~self.mdp.terminal)[:_MOST_TIES]
        for epsilon, state in itertools.product(self.epsilons, (int(state) for state in states)):
            tied = np.flatnonzero(sharp[state]).tolist()
            action, over = self.rng.choice(tied, 2, replace=False).tolist()
            yield deterministic_jump(self.mdp, table, epsilon, state, action)
            yield uniform_jump(self.mdp, table, epsilon, state, action)
            yield tie_breaking(self.mdp, table, epsilon, state, action, over)

    def _effective(self, has_horizon: bool) -> Iterator[StatementCheck]:
        """4.2 to 4.6, under weights that differ from state to state, under one reward alone, and as given."""
        count = len(self.rewards)
        drawn = self.rng.dirichlet(np.ones(count), size=self.mdp.num_states).T
        for weights in (drawn, *np.eye(count), *([] if self.weights is None else [self.weights])):
            reward = self.rewards.combine(weights)
            for size in self.sizes:
                other = self._moved(self._scale(reward) * size)
                yield effective_reward_lipschitz(self.mdp, self.rewards, other, weights)
                if has_horizon:
                    yield effective_values_lipschitz(self.mdp, self.rewards, other, weights)
            if has_horizon:
                radius = optimal_actions_inclusion(self.mdp, reward, reward).details["radius"]
                near = self._moved(_INSIDE * radius if np.isfinite(radius) else 1.0)
                yield effective_actions_inclusion(self.mdp, self.rewards, near, weights)
            cliff = cliff_radius(self.mdp, reward)
            near = self._moved(_INSIDE * cliff.radius if np.isfinite(cliff.radius) else 1.0)
            yield effective_policy_constancy(self.mdp, self.rewards, near, weights)
            for epsilon in self.epsilons:
                yield effective_jump(self.mdp, self.rewards, weights, epsilon)

    def _moved(self, size: float) -> RewardComponents:
        """The rewards, each with a random change of its own."""
        changes = np.stack([self._change(size) for _ in self.rewards.names])
        return RewardComponents(self.rewards.names, self.rewards.table + changes)
