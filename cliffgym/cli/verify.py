"""`cliffgym verify`: every statement of the paper, on scenarios and on random MDPs."""

import argparse
import json
import math
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cliffgym.analysis.verification import StatementSummary, merge, random_cases, verify
from cliffgym.checks import integer
from cliffgym.mdp import TabularMDP
from cliffgym.rewards import RewardComponents
from cliffgym.scenarios import SCENARIOS, scenario
from cliffgym.tables import text_table

_QUICK_RANDOM, _ALL_RANDOM = 12, 200


def add_command(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Adds the command to the parser."""
    parser = commands.add_parser("verify", help="check every statement of the paper; exit status 1 if one is violated")
    parser.add_argument("ids", metavar="ID", nargs="*", help="environments to check (default: every one)")
    parser.add_argument(
        "--all",
        action="store_true",
        help=f"every named reward, not only incomplete and true, and {_ALL_RANDOM} random MDPs",
    )
    parser.add_argument(
        "--random",
        type=int,
        metavar="N",
        help=f"number of random MDPs (default {_QUICK_RANDOM}, {_ALL_RANDOM} with --all, 0 with IDs)",
    )
    parser.add_argument("--seed", type=int, default=0, help="seed of random MDPs and changes of rewards (default 0)")
    parser.add_argument("--json", action="store_true", help="print JSON for programs to read")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Prints one row for each statement; returns 1 if any is violated, else 0."""
    integer("--seed", options.seed, 0)
    count = options.random if options.random is None else integer("--random", options.random, 0)
    if count is None:
        count = 0 if options.ids else _ALL_RANDOM if options.all else _QUICK_RANDOM
    runs = []
    for name, mdp, rewards, weights in [*_scenario_cases(options.ids or list(SCENARIOS), options.all)]:
        print(f"{name}: {', '.join(rewards.names)}", file=sys.stderr)
        runs.append((name, verify(mdp, rewards, options.seed, weights=weights)))
    for index, (name, mdp, rewards) in enumerate(random_cases(count, options.seed), start=1):
        runs.append((name, verify(mdp, rewards, options.seed)))
        if index % 10 == 0 or index == count:
            print(f"random MDPs: {index} of {count}", file=sys.stderr)
    for name, summaries in runs:
        for row in summaries:
            if row.violations:
                print(f"{name}: {row.statement} is violated: {row.counterexample}", file=sys.stderr)
    total = merge(summaries for _, summaries in runs)
    if options.json:
        print(
            json.dumps({"cases": [name for name, _ in runs], "statements": [_as_json(row) for row in total]}, indent=2)
        )
    else:
        header = ["statement", "checks", "applicable", "worst measured / bound", "verdict"]
        rows = [[row.statement, row.cases, row.applicable, row.worst_ratio, row.verdict] for row in total]
        print(text_table(header, rows))
    return int(any(row.violations for row in total))


def _scenario_cases(
    ids: list[str], every_reward: bool
) -> Iterator[tuple[str, TabularMDP, RewardComponents, NDArray[np.float64] | None]]:
    """The scenarios by id, with the tables of their rewards; those with hidden classes also with their models.

    Those models come with the posterior weights of the effective reward, which are checked too.
    """
    for id in ids:
        made = scenario(id)
        names = tuple(made.rewards) if every_reward else ("incomplete", "true")
        yield made.id, made.mdp, RewardComponents(names, [made.reward(name) for name in names]), None  # type: ignore[arg-type]
        if made.hidden is not None:
            models = made.hidden.class_rewards(made.realised_reward("incomplete"))
            yield f"{made.id}, classes", made.mdp, models, made.hidden.class_weights


def _as_json(row: StatementSummary) -> dict[str, Any]:
    """A summary for programs; an infinite ratio (something over a bound of 0) is null."""
    return {
        "statement": row.statement,
        "checks": row.cases,
        "applicable": row.applicable,
        "worst_ratio": row.worst_ratio if math.isfinite(row.worst_ratio) else None,
        "violations": row.violations,
        "verdict": row.verdict,
    }
