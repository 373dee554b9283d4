"""One training or exact solution as plain data, and many of them on a cluster, each kept as soon as it is done."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from cliffgym.rewards import Weighting
from cliffgym.sweeps import Job, Ledger, run_jobs
from cliffgym_agents.defaults import default_hyperparameters
from cliffgym_agents.exact_runs import EXACT, solve_exactly
from cliffgym_agents.training import train

_PACKAGES = ("stable_baselines3", "sb3_contrib", "torch")


@dataclass(frozen=True)
class Run:
    """One training, as plain data: arguments of `train`.

    Attributes:
        env_id: A registered id, whose module workers can import.
        reward: A reward's name, or weights of components.
        ent_coef: As for `train`; None for algorithms that have none.
        seed: Of everything that is left to chance.
        env_kwargs: Arguments of the environment.
        algorithm: As for `train`; or "optimal" or "soft", which are solved and not trained: their `ent_coef` is None
            and their `seed` 0. The latter has the hyperparameters `temperature` and, if it likes, `reference`.
        hyperparameters: Those that are not the default ones.
        total_timesteps: Tokens to train on; None for the default.
        evaluate_every: Tokens between exact evaluations during training; None for none.
        keep_policy: Whether the result holds the policy table.

    Raises:
        ValueError: An exact solution is given a coefficient, a seed, or tokens.

    >>> from dataclasses import replace
    >>> run = Run("Cliff-TieBreaker-v0", "true", ent_coef=0.1, seed=0, env_kwargs={"bonus": 0.2}, total_timesteps=1024)
    >>> runs = [run, *(replace(run, seed=seed) for seed in range(5))]
    >>> len({run.job.id for run in runs})  # the first two are equal, and so are their ids
    5
    """

    env_id: str
    reward: str | Weighting
    ent_coef: float | str | None
    seed: int
    env_kwargs: Mapping[str, Any] = field(default_factory=dict)
    algorithm: str = "ppo"
    hyperparameters: Mapping[str, Any] = field(default_factory=dict)
    total_timesteps: int | None = None
    evaluate_every: int | None = None
    keep_policy: bool = False

    @cached_property
    def job(self) -> Job:
        """The run as a job, whose id covers default hyperparameters and versions of packages, too."""
        if self.algorithm in EXACT:
            return Job(asdict(self), batch="exact")
        defaults = default_hyperparameters(self.algorithm, self.env_id)
        return Job(asdict(self), {"defaults": defaults}, packages=_PACKAGES)

    def __post_init__(self) -> None:
        """Refuses what an exact solution would not look at."""
        unused = {"ent_coef": None, "seed": 0, "total_timesteps": None, "evaluate_every": None}
        for name, value in unused.items():
            if self.algorithm in EXACT and getattr(self, name) != value:
                raise ValueError(f"{name} must be left out for {self.algorithm}, got {getattr(self, name)!r}")


@dataclass(frozen=True, eq=False)
class Result:
    """What a run has shown.

    Attributes:
        measures: As `exact_measures` has them.
        history: The same during training, with `timesteps`; empty unless asked for.
        policy: (S, A) the policy table, if it was kept.

    >>> text = '{"measures": {"correct": 1.0, "target_format": 0.475}}'  # what a ledger's row has as its `result`
    >>> result = Result.from_json(text)
    >>> result["target_format"], len(result.history), result.policy
    (0.475, 0, None)
    """

    measures: Mapping[str, float]
    history: Sequence[Mapping[str, float]] = ()
    policy: NDArray[np.float64] | None = None

    def __getitem__(self, name: str) -> float:
        """A measure."""
        return self.measures[name]

    @classmethod
    def from_json(cls, text: str | None) -> "Result":
        """The result that a ledger's row holds.

        Raises:
            ValueError: It holds none, because the run failed.
        """
        if text is None:
            raise ValueError("row must be of a run that is done, got one that failed")
        content = json.loads(text)
        policy = content.get("policy")
        return cls(content["measures"], content.get("history", []), None if policy is None else np.array(policy))


def execute_run(content: Mapping[str, Any]) -> dict[str, Any]:
    """What a worker does: trains or solves, and returns plain data.

    Args:
        content: A `Run` as a mapping.
    """
    run = Run(**content)
    torch.set_num_threads(1)  # workers share the cores
    if run.algorithm in EXACT:
        measures, policy = solve_exactly(run.env_id, run.reward, run.algorithm, run.env_kwargs, run.hyperparameters)
        history = []
    else:
        trained = train(
            run.env_id,
            run.algorithm,
            reward=run.reward,
            ent_coef=run.ent_coef,
            seed=run.seed,
            env_kwargs=run.env_kwargs,
            hyperparameters=run.hyperparameters,
            total_timesteps=run.total_timesteps,
            evaluate_every=run.evaluate_every,
        )
        measures, policy, history = trained.measures, trained.policy_table, trained.history
    result: dict[str, Any] = {"measures": measures}
    if run.evaluate_every is not None:
        result["history"] = history
    if run.keep_policy:
        result["policy"] = policy.tolist()
    return result


def run_all(runs: Sequence[Run], ledger: Path, description: str, scheduler: str | None = None) -> list[Result]:
    """Does every run that the ledger does not hold yet, and returns the results of all.

    Args:
        runs: What to do; equal ones are done once. Runs that failed in an earlier call are tried again.
        ledger: The SQLite file, as for `run_jobs`: an interrupted call can be repeated and goes on where it stopped.
        description: What the progress bar says.
        scheduler: Address of a Dask scheduler; default processes of this machine.

    Returns:
        The result of each run, in the order of `runs`.

    Raises:
        RuntimeError: A run failed, or some are missing because the sweep was stopped.
        ValueError, TypeError, OSError: As `run_jobs`.
    """
    jobs = [run.job for run in runs]
    report = run_jobs(jobs, execute_run, ledger, scheduler=scheduler, retry_failed=True, description=description)
    with Ledger.reading(ledger) as book:
        rows = {row.id: row for row in book.rows(job.id for job in jobs)}
    if report.failed:
        first = rows[report.failed[0]]
        raise RuntimeError(
            f"{len(report.failed)} of {report.planned} runs failed, the first with {first.error}: {first.job[:300]}; "
            f"all are in {ledger}"
        )
    if report.missing:
        raise RuntimeError(f"{len(report.missing)} of {report.planned} runs are missing: {report.stopped}")
    return [Result.from_json(rows[job.id].result) for job in jobs]
