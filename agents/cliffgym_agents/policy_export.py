"""Learned policies of a sweep as one JSON file, which the explorer's page draws when it is dropped there."""

import json
import os
from collections.abc import Iterable, Sequence

from cliffgym import Scenario
from cliffgym.explorer import LearnedPolicy, save_policies
from cliffgym.sweeps.ledger import Row
from cliffgym_agents.runs import Result, Run
from cliffgym_agents.training import cliff_env, make_env

SUFFIX = ".json"


def check_policies_kept(runs: Sequence[Run], path: str | os.PathLike[str]) -> None:
    """Refuses an export of policies that no run keeps.

    Raises:
        ValueError: No run has `keep_policy`.
    """
    if not any(run.keep_policy for run in runs):
        raise ValueError(
            f"export {os.fspath(path)} needs runs that keep their policies, got none: add keep_policy: true to the plan"
        )


def export_policies(rows: Iterable[Row], path: str | os.PathLike[str]) -> None:
    """Writes the policies of those rows that are done and hold one, atomically.

    Args:
        rows: As a `Ledger` gives them, of jobs that are `Run`s.
        path: The JSON file.

    Raises:
        OSError: It cannot be written.
    """
    made: dict[str, Scenario] = {}
    policies = []
    for row in rows:
        result = None if row.result is None else Result.from_json(row.result)
        if result is None or result.policy is None:
            continue
        settings = json.loads(row.job)
        run = Run(**settings)
        key = repr((run.env_id, run.env_kwargs))
        if key not in made:
            made[key] = cliff_env(make_env(run.env_id, **run.env_kwargs), run.env_id).scenario
        policies.append(LearnedPolicy(made[key], result.policy, _label(run), run.reward, settings))
    save_policies(path, policies)


def _label(run: Run) -> str:
    """What tells a run from the others of a sweep: algorithm, coefficients and seed."""
    parts = [run.algorithm]
    if run.ent_coef is not None:
        parts.append(f"ent_coef {run.ent_coef}")
    parts += [f"{name} {value}" for name, value in run.hyperparameters.items() if isinstance(value, int | float | str)]
    return ", ".join([*parts, f"seed {run.seed}"])
