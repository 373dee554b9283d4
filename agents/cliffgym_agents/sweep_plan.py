"""Grids of runs, written down in YAML.

A plan is one grid, or a list of grids under `grids`. In a grid every value may be a list, which is an axis: the plan
holds each combination once. A value that is a list itself is written as a list in a list.
"""

import itertools
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from cliffgym import Scenario
from cliffgym.checks import choice, flag, integer, listing, number
from cliffgym_agents.defaults import ALGORITHMS
from cliffgym_agents.exact_runs import ARGUMENTS, EXACT
from cliffgym_agents.runs import Run
from cliffgym_agents.schedules import parse_schedule
from cliffgym_agents.training import cliff_env, hyperparameter_names, make_env

KEYS = (
    *("scenario", "set", "reward", "weights", "algorithm", "hyper", "ent_coef", "steps", "seeds", "evaluate_every"),
    "keep_policy",
)
_WITHOUT_ENTROPY = (*EXACT, "dqn", "soft_dqn")


_MERGE = "tag:yaml.org,2002:merge"


class _Loader(yaml.SafeLoader):
    """Takes 1e-3 for a number, which for YAML 1.1 is a text: it wants a dot. Refuses keys that stand twice."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """The mapping; YAML's own would drop all but the last value of a key."""
        keys = [self.construct_object(key, deep=True) for key, _ in node.value if key.tag != _MERGE]
        for i, key in enumerate(keys):
            if key in keys[:i]:
                raise yaml.constructor.ConstructorError(
                    None, None, f"key must stand once, got {key!r} twice", node.value[i][0].start_mark
                )
        return super().construct_mapping(node, deep)


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"[-+]?[0-9]+[eE][-+]?[0-9]+$"), list("-+0123456789")
)


def read_plan(path: str | os.PathLike[str]) -> list[Run]:
    """The runs of a YAML file.

    Raises:
        ValueError: It is no YAML, or no plan.
        TypeError: A value has the wrong type.
        OSError: It cannot be read.

    >>> import tempfile
    >>> from pathlib import Path
    >>> plan = "{scenario: Cliff-TieBreaker-v0, set: {bonus: [0, 0.1]}, algorithm: [ppo, grpo], seeds: 5}"
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "plan.yaml"
    ...     _ = path.write_text(plan, encoding="utf-8")
    ...     runs = read_plan(path)
    >>> len(runs), runs[-1].algorithm, runs[-1].env_kwargs, runs[-1].seed
    (20, 'grpo', {'bonus': 0.1}, 4)
    """
    path = Path(path)
    try:
        content = yaml.load(path.read_text(encoding="utf-8"), _Loader)  # noqa: S506  # a safe one
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ValueError(f"plan must be YAML, got {path}: {error}") from error
    return _runs(content, f" of {path}")


def plan_runs(plan: object) -> list[Run]:
    """The runs of a plan, equal ones once.

    Args:
        plan: A grid, or `{"grids": [...]}`. A grid is a mapping of

            - `scenario`: an id, which must be there;
            - `set`: a mapping of its arguments;
            - `reward`: a reward's name or a mapping of weights (default "incomplete"); or `weights`: one such mapping,
              in which each weight may be an axis;
            - `algorithm`: as for `Run` (default "ppo");
            - `hyper`: a mapping of its hyperparameters;
            - `ent_coef`: left out for algorithms that have none;
            - `steps`: tokens to train on;
            - `seeds`: how many (default 1: 0, 1, ...), or a list of them;
            - `evaluate_every`: tokens between exact evaluations during training;
            - `keep_policy`: whether the ledger keeps the policy tables (default false), which an export to JSON needs.

            Steps, seeds and `evaluate_every` mean nothing to what is solved and not trained.

            YAML takes an unquoted `true` for a truth value; as a reward it means the one of that name.

    Raises:
        ValueError: An unknown name or a bad value. Every scenario and reward is made; of the hyperparameters of
            trainings only the names are checked.
        TypeError: A value of the wrong type.

    >>> runs = plan_runs({"scenario": "Cliff-TieBreaker-v0", "set": {"bonus": [0, 0.1]}, "reward": "true", "seeds": 3})
    >>> len(runs), runs[4].env_kwargs, runs[4].seed
    (6, {'bonus': 0.1}, 1)
    """
    return _runs(plan, "")


def _runs(plan: object, file: str) -> list[Run]:
    """The runs of a plan; `file` is for messages."""
    grids = plan["grids"] if isinstance(plan, Mapping) and list(plan) == ["grids"] else [plan]
    if not isinstance(grids, list) or not grids:
        raise TypeError(f"grids must be a list of grids, at least one, got {grids!r}{file}")
    runs: dict[str, Run] = {}
    for i, grid in enumerate(grids):
        try:
            runs |= {run.job.id: run for run in _grid(grid)}
        except (ValueError, TypeError) as error:
            kind = TypeError if isinstance(error, TypeError) else ValueError
            raise kind(f"{error} (in grid {i}{file})") from error
    return list(runs.values())


def _grid(grid: object) -> Iterator[Run]:
    """The runs of one grid, checked."""
    if not isinstance(grid, Mapping):
        raise TypeError(f"grid must be a mapping, got {grid!r}")
    for name in grid:
        choice("key", name, KEYS)
    if "scenario" not in grid:
        raise ValueError(f"grid must name its scenario, got {listing(grid)}")
    if "reward" in grid and "weights" in grid:
        raise ValueError("grid must have either reward or weights, got both")
    axes = [
        _axis("scenario", grid["scenario"]),
        _product("set", grid),
        _product("weights", grid) if "weights" in grid else _axis("reward", grid.get("reward", "incomplete")),
        _axis("algorithm", grid.get("algorithm", "ppo")),
        _product("hyper", grid),
        _axis("ent_coef", grid.get("ent_coef")),
        _axis("steps", grid.get("steps")),
        _seeds(grid.get("seeds", 1)),
    ]
    every = grid.get("evaluate_every")
    every = None if every is None else integer("evaluate_every", every, 1)
    keep = flag("keep_policy", grid.get("keep_policy", False))
    made: dict[str, Scenario] = {}
    for id, kwargs, reward, algorithm, hyper, ent_coef, steps, seed in itertools.product(*axes):
        named = "true" if reward is True else reward
        if algorithm in EXACT:  # nothing is drawn, and nothing takes its time
            run = Run(id, named, ent_coef, 0, kwargs, algorithm, hyper, keep_policy=keep)
        else:
            run = Run(id, named, ent_coef, seed, kwargs, algorithm, hyper, steps, every, keep)
        yield _checked(run, made)


def _axis(name: str, value: Any) -> list[Any]:
    """The values of an axis, or the one value."""
    if value == []:
        raise ValueError(f"{name} must have a value, got []")
    return value if isinstance(value, list) else [value]


def _product(key: str, grid: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Each combination of a mapping's values."""
    mapping = grid.get(key, {})
    if not isinstance(mapping, Mapping):
        raise TypeError(f"{key} must be a mapping of names to values, got {mapping!r}")
    axes = [_axis(f"{key}.{name}", value) for name, value in mapping.items()]
    return [dict(zip(mapping, values, strict=True)) for values in itertools.product(*axes)]


def _seeds(value: Any) -> list[int]:
    if isinstance(value, list):
        return [integer(f"seeds[{i}]", seed, 0, 2**32 - 1) for i, seed in enumerate(_axis("seeds", value))]
    return list(range(integer("seeds", value, 1)))


def _checked(run: Run, made: dict[str, Scenario]) -> Run:
    """The run, if what can be known of it beforehand is right."""
    if not isinstance(run.env_id, str):
        raise TypeError(f"scenario must be an id, got {run.env_id!r}")
    if not isinstance(run.reward, str | Mapping):
        raise TypeError(f"reward must be a name or a mapping of weights, got {run.reward!r}")
    choice("algorithm", run.algorithm, (*ALGORITHMS, *EXACT))
    exact = run.algorithm in EXACT
    known = ARGUMENTS[run.algorithm] if exact else hyperparameter_names(run.algorithm)
    for name in run.hyperparameters:
        choice(f"hyperparameter of {run.algorithm}", name, known)
    if run.algorithm in _WITHOUT_ENTROPY:
        if run.ent_coef is not None:
            raise ValueError(f"ent_coef must be left out for {run.algorithm}, got {run.ent_coef!r}")
    elif run.ent_coef is not None:
        parse_schedule("ent_coef", run.ent_coef)
    if run.total_timesteps is not None:
        integer("steps", run.total_timesteps, 1)
    if "reward" in run.env_kwargs:
        raise ValueError("reward must be a key of its own, got it in set")
    _scenario(run, made).reward(run.reward)
    if run.algorithm == "soft":
        if "temperature" not in run.hyperparameters:
            raise ValueError("hyper of soft must have a temperature, got none")
        number("temperature", run.hyperparameters["temperature"], np.nextafter(0, 1))
    return run


def _scenario(run: Run, made: dict[str, Scenario]) -> Scenario:
    """The scenario of the environment that the worker will make; `made` holds the last one that has been.

    The outer axes of a grid are those of scenarios, so that each is made once.
    """
    key = repr((run.env_id, run.env_kwargs))
    if key not in made:
        made.clear()
        made[key] = cliff_env(make_env(run.env_id, **run.env_kwargs), run.env_id, "scenario").scenario
    return made[key]
