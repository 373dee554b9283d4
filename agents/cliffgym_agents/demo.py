"""The demo: what incomplete rewards make optimal, a cliff on trained agents, and how entropy smooths it."""

from functools import cache
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from cliffgym import SCENARIOS, Scenario, expected_components, optimal, scenario, soft
from cliffgym.analysis import regret_interval
from cliffgym.checks import integer
from cliffgym.plots import DemoData, demo_figure, new_figure, save_figure
from cliffgym.tables import text_table, write_csv
from cliffgym_agents.runs import Run, run_all

BONUSES = (-0.05, 0.0, 0.02, 0.05, 0.1, 0.2)
ENT_COEFS = (0.0, 0.1)


def run_demo(folder: Path, num_seeds: int = 5) -> None:
    """Trains the agents of the demo, prints its tables and writes its figure.

    Writes `runs.sqlite` (finished runs: a repeated call goes on where an interrupted one stopped), `demo.csv`,
    `demo.png` and `demo.svg`.

    Args:
        folder: Where to write.
        num_seeds: Agents for each setting.

    Raises:
        ValueError: `num_seeds` is less than 1.
        ImportError: matplotlib is not installed.
    """
    seeds = range(integer("num_seeds", num_seeds, 1))
    new_figure(1, 1)  # if matplotlib is missing, this says so now and not after all the training
    print("1. What the incomplete reward makes optimal, and what that is truly worth (exact)\n")
    # A random MDP tells no story: its tokens mean nothing.
    values = [_value_row(made) for made in map(scenario, SCENARIOS) if made.state_tokens.size]
    header = ["scenario", "incomplete optimum", "truly worth: worst", "uniform", "best", "true optimum"]
    print(text_table(header, values), end="\n\n")

    cliff = [
        Run("Cliff-TieBreaker-v0", "true", ent_coef, seed, {"bonus": bonus})
        for ent_coef, bonus, seed in product(ENT_COEFS, BONUSES, seeds)
    ]
    slack = [Run("Cliff-Slacker-v0", reward, 0.0, seed) for reward, seed in product(("incomplete", "true"), seeds)]
    measures = run_all([*cliff, *slack], folder / "runs.sqlite", "training")
    shares = np.array([m["target_format"] for m in measures[: len(cliff)]]).reshape(2, len(BONUSES), -1)
    returns = np.array([m["true_return"] for m in measures[len(cliff) :]]).reshape(2, -1)

    print("\n2. PPO on TieBreaker: P(json) by bonus on json and entropy coefficient\n")
    exact = np.array([[exact_share(bonus, ent_coef) for bonus in BONUSES] for ent_coef in ENT_COEFS])
    rows = [
        [ent_coef, bonus, exact[i, j], shares[i, j].mean(), shares[i, j].min(), shares[i, j].max()]
        for (i, ent_coef), (j, bonus) in product(enumerate(ENT_COEFS), enumerate(BONUSES))
    ]
    header = ["ent_coef", "bonus", "exact", f"learned: mean of {num_seeds}", "lowest", "highest"]
    print(text_table(header, rows))
    print("\n3. PPO on Slacker: true return by the reward that training paid\n")
    rows = [
        [reward, returns[i].mean(), returns[i].min(), returns[i].max()]
        for i, reward in enumerate(("incomplete", "true"))
    ]
    print(text_table(["trained on", f"true return: mean of {num_seeds}", "lowest", "highest"], rows))

    records = [_record(run) | dict(found.measures) for run, found in zip([*cliff, *slack], measures, strict=True)]
    write_csv(folder / "demo.csv", records)
    figure = demo_figure(
        DemoData(BONUSES, ENT_COEFS, shares, returns, [row[0] for row in values], np.array([row[2:] for row in values]))
    )
    paths = save_figure(figure, folder / "demo")
    print("\nWritten: " + ", ".join(str(path) for path in [*paths, folder / "demo.csv"]))


def _value_row(made: Scenario) -> list[Any]:
    """The scenario's id, its incomplete optimum, and what that is truly worth: worst, uniform, best, true optimum."""
    train, true = made.reward("incomplete"), made.reward("true")
    interval = regret_interval(made.mdp, train, true)
    return [
        made.id,
        optimal(made.mdp, train).expected_return,
        interval.worst,
        interval.uniform,
        interval.best,
        interval.optimum,
    ]


@cache
def exact_share(bonus: float, ent_coef: float) -> float:
    """P(json) of the exact solution: uniform among optimal formats, or soft at temperature `ent_coef`."""
    made = scenario("Cliff-TieBreaker-v0", bonus=bonus)
    reward = made.reward("true")
    policy = soft(made.mdp, reward, ent_coef).policy if ent_coef else optimal(made.mdp, reward).policy
    return expected_components(made.mdp, made.components, policy)["target_format"]


def _record(run: Run) -> dict[str, object]:
    """A run's arguments as columns."""
    fixed = {"env_id": run.env_id, "reward": run.reward, "ent_coef": run.ent_coef, "seed": run.seed}
    return fixed | dict(run.env_kwargs)
