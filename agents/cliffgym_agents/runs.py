"""Many trainings, spread over processes, each kept as soon as it is done."""

import json
import multiprocessing
import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import stable_baselines3
import torch
from tqdm import tqdm

import cliffgym
from cliffgym.files import atomic_write
from cliffgym_agents.defaults import default_hyperparameters
from cliffgym_agents.training import train


@dataclass(frozen=True)
class Run:
    """One training, as plain data: arguments of `train`."""

    env_id: str
    reward: str
    ent_coef: float | None
    seed: int
    env_kwargs: Mapping[str, Any] = field(default_factory=dict)
    algorithm: str = "ppo"
    hyperparameters: Mapping[str, Any] = field(default_factory=dict)
    total_timesteps: int | None = None

    @property
    def key(self) -> str:
        """The run, its hyperparameters and the versions that matter, in words: equal for equal runs only."""
        made_by = {
            "cliffgym": cliffgym.__version__,
            "stable_baselines3": stable_baselines3.__version__,
            "defaults": default_hyperparameters(self.algorithm, self.env_id),
        }
        return json.dumps({**made_by, **asdict(self)}, sort_keys=True)


def train_all(runs: Sequence[Run], ledger: Path, description: str) -> list[dict[str, float]]:
    """Trains every run that the ledger does not hold yet and returns the exact measures of all.

    Args:
        runs: What to train.
        ledger: A JSON file of measures by `Run.key`. It is replaced, whole, after each run, so an interrupted call can
            be repeated and goes on where it stopped.
        description: What the progress bar says.

    Returns:
        The measures of each run, in the order of `runs`.

    Raises:
        ValueError: The ledger is not such a file.
    """
    done = _read(ledger)
    missing = [run for run in runs if run.key not in done]
    workers = min(
        len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1, len(missing)
    )
    with tqdm(total=len(runs), initial=len(runs) - len(missing), desc=description, unit="agent") as bar:
        if missing:
            # Processes are spawned, not forked: torch's threads do not survive a fork.
            context = multiprocessing.get_context("spawn")
            with ProcessPoolExecutor(workers, context, torch.set_num_threads, (1,)) as pool:
                futures = {pool.submit(_measures, run): run for run in missing}
                try:
                    for future in as_completed(futures):
                        done[futures[future].key] = future.result()
                        with atomic_write(ledger) as file:
                            file.write(json.dumps(done, indent=1).encode())
                        bar.update()
                except BaseException:
                    pool.shutdown(wait=False, cancel_futures=True)
                    raise
    return [done[run.key] for run in runs]


def _measures(run: Run) -> dict[str, float]:
    result = train(
        run.env_id,
        run.algorithm,
        reward=run.reward,
        ent_coef=run.ent_coef,
        seed=run.seed,
        env_kwargs=run.env_kwargs,
        hyperparameters=run.hyperparameters,
        total_timesteps=run.total_timesteps,
    )
    return result.measures


def _read(ledger: Path) -> dict[str, dict[str, float]]:
    if not ledger.exists():
        return {}
    try:
        content = json.loads(ledger.read_text(encoding="utf-8"))
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise ValueError(f"ledger must be a JSON file of finished runs, got {ledger}: {error}; remove it") from error
    rows = content.values() if isinstance(content, dict) else [content]
    if not all(isinstance(row, dict) and "true_return" in row for row in rows):
        raise ValueError(
            f"ledger must be a JSON object of finished runs, got {type(content).__name__} in {ledger}; remove it"
        )
    return content
