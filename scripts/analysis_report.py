"""Writes the tables of docs/analysis.md: well-known worlds, analysed. Run by scripts/analysis_report.

Every number is rounded to six significant digits, so that the page is the same on every machine.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

from cliffgym import TabularMDP, optimal
from cliffgym.analysis.radius import cliff_radius
from cliffgym.analysis.ties import Ties, ties
from cliffgym.files import atomic_write
from cliffgym.tables import markdown_table

PAGE = Path(__file__).parents[1] / "docs" / "analysis.md"
BEGIN, END = (
    "<!-- begin of what scripts/analysis_report writes -->",
    "<!-- end of what scripts/analysis_report writes -->",
)
GOAL, WIN = 100, 0.4  # of the Gambler's problem
CAPITALS = (25, 50, 51, 64, 75)
TOLERANCES = (1e-12, 1e-9, 1e-6, 1e-4, 1e-3, 1e-2)


@dataclass(frozen=True, eq=False)
class World:
    """An MDP, its reward, and whether it is small enough for rational arithmetic."""

    name: str
    mdp: TabularMDP
    reward: NDArray[np.float64]
    exact: bool


def gamblers_problem() -> tuple[TabularMDP, NDArray[np.float64]]:
    """Sutton and Barto's example 4.3: stake part of a capital of 1 to 99 until it is 0 or 100, which pays 1.

    A state is a capital, action a is the stake a + 1. Stakes that exceed the capital, or what is missing, are illegal;
    their rows lose everything. Each of the 99 capitals is equally likely at first.
    """
    capital, stake = np.arange(GOAL + 1)[:, None], np.arange(1, GOAL // 2 + 1)
    legal = (stake <= capital) & (stake <= GOAL - capital)
    ended = (capital == 0) | (capital == GOAL)
    won = np.where(ended, capital, np.where(legal, capital + stake, 0))
    lost = np.where(ended, capital, np.where(legal, capital - stake, 0))
    successors = np.stack([won, lost], axis=2)
    mdp = TabularMDP(
        successors=successors,
        probabilities=np.broadcast_to([WIN, 1 - WIN], successors.shape),
        initial=np.where(ended[:, 0], 0, 1 / (GOAL - 1)),
        terminal=ended[:, 0],
        gamma=1.0,
        action_mask=legal,
    )
    return mdp, np.where(~ended & (won == GOAL), WIN, 0.0)


def worlds() -> Iterator[World]:
    """The worlds of the page."""
    made: tuple[tuple[str, str, dict[str, Any], bool], ...] = (
        ("FrozenLake", "FrozenLake-v1", {}, True),
        ("FrozenLake, not slippery", "FrozenLake-v1", {"is_slippery": False}, True),
        ("CliffWalking", "CliffWalking-v1", {}, True),
        ("Taxi", "Taxi-v4", {}, False),
    )
    for name, id, arguments, exact in made:
        env = gym.make(id, **arguments)
        yield World(name, *TabularMDP.from_gym(env, gamma=0.99), exact)
        env.close()
    yield World("Gambler's problem", *gamblers_problem(), True)


def beyond_ties(world: World, found: Ties) -> float:
    """How far it is to the first action that is not optimal yet, when the first of tied actions is always taken."""
    first = np.arange(world.mdp.num_actions) == found.optimal_actions.argmax(axis=1)[:, None]
    settled = replace(world.mdp, action_mask=world.mdp.action_mask & (first | ~found.optimal_actions))
    return cliff_radius(settled, world.reward).radius


def tied_at_a_price(world: World, found: Ties) -> int:
    """Tied states that are left when every step costs something, however little: among optimal actions, take haste."""
    restricted = replace(world.mdp, action_mask=found.optimal_actions)
    price = np.where(world.mdp.terminal[:, None], 0.0, -np.ones(world.reward.shape))
    return len(optimal(restricted, price).tied_states)


def rows() -> Iterator[list[str]]:
    """One row a world."""
    for world in worlds():
        found = ties(world.mdp, world.reward, exact=world.exact)
        digits = found.log10_optimal_policies
        yield [
            world.name,
            str(int((~world.mdp.terminal).sum())),
            f"{world.mdp.gamma:g}",
            f"{len(found.states)} ({len(found.reachable_states)})",
            {True: "yes", False: "no", None: "too large"}[found.certified],
            f"{found.num_optimal_policies:,}" if digits < 9 else f"10^{digits:.6g}",
            f"{found.smallest_gap:.6g}",
            f"{cliff_radius(world.mdp, world.reward).radius:.6g}",
            f"{beyond_ties(world, found):.6g}",
            str(tied_at_a_price(world, found)),
        ]


def generated() -> str:
    """Everything between the markers."""
    header = ["world", "states", "gamma", "tied (reachable)", "exactly so", "optimal policies", "smallest gap"]
    header += ["cliff radius", "beyond ties", "tied at a price"]
    mdp, reward = gamblers_problem()
    found = optimal(mdp, reward)
    stakes = [
        [str(c), f"{found.state_values[c]:.6g}", ", ".join(map(str, np.flatnonzero(found.optimal_actions[c]) + 1))]
        for c in CAPITALS
    ]
    changed = [
        int((optimal(mdp, reward, tolerance).optimal_actions != found.optimal_actions).any(axis=1).sum())
        for tolerance in TOLERANCES
    ]
    return "\n\n".join(
        [
            markdown_table(header, list(rows())),
            "The Gambler's problem: chances and optimal stakes at some capitals.",
            markdown_table(["capital", "chance of reaching the goal", "optimal stakes"], stakes),
            "The Gambler's problem: states whose set of optimal actions is another one under another tie tolerance, "
            "which\nis relative to the largest reward.",
            markdown_table(["tie tolerance", *(f"{t:g}" for t in TOLERANCES)], [["states", *map(str, changed)]]),
        ]
    )


def updated(page: str) -> str:
    """The page with what is between the markers made anew."""
    before, rest = page.split(BEGIN)
    _, after = rest.split(END)
    return f"{before}{BEGIN}\n\n{generated()}\n\n{END}{after}"


if __name__ == "__main__":
    text = updated(PAGE.read_text(encoding="utf-8"))
    with atomic_write(PAGE) as file:
        file.write(text.encode())
