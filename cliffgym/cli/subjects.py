"""What `cliffgym analyze` and `explore` are asked about: a scenario, a user's own files, or a toy-text environment.

Shapes: S states, A actions.
"""

import argparse
import json
import warnings
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cliffgym.mdp import TabularMDP
from cliffgym.rewards import RewardComponents, check_reward
from cliffgym.scenarios import scenario
from cliffgym.trace_scenario import Scenario


@dataclass(frozen=True, eq=False)
class Subject:
    """An MDP and its rewards.

    Attributes:
        name: What it is called in the output.
        mdp: The dynamics.
        reward: (S, A) what training pays.
        reward_name: What that reward is called.
        true: (S, A) what was meant, or None if nobody said.
        components: The components behind the reward, or None.
        scenario: The scenario it is, or None.
    """

    name: str
    mdp: TabularMDP
    reward: NDArray[np.float64]
    reward_name: str
    true: NDArray[np.float64] | None
    components: RewardComponents | None
    scenario: Scenario | None = None


def add_own_mdp(parser: argparse.ArgumentParser) -> None:
    """Adds --mdp, --gym, --true and --gamma, which `read_subject` reads."""
    parser.add_argument("--mdp", metavar="FILE.npz", help="an MDP of your own, as TabularMDP.save writes it")
    parser.add_argument("--gym", metavar="GYM_ID", help="a Gymnasium environment with a table P, such as FrozenLake-v1")
    parser.add_argument("--true", metavar="FILE.npy", help="with --mdp or --gym: what was meant, a table (S, A)")
    parser.add_argument("--gamma", type=float, help="discount, with --mdp (default: the file's) or --gym (0.99)")


def read_subject(options: argparse.Namespace) -> Subject:
    """Reads what the options id, mdp, gym, reward, true, gamma and set name.

    Raises:
        ValueError: Options contradict each other, a file is damaged or of the wrong shape, or a name is unknown.
        OSError: A file cannot be read.
        TypeError: A file holds something else than numbers, or an environment has no table.
    """
    given = [name for name, value in (("ID", options.id), ("--mdp", options.mdp), ("--gym", options.gym)) if value]
    if len(given) != 1:
        raise ValueError(f"exactly one of ID, --mdp and --gym must be given, got {' and '.join(given) or 'none'}")
    if options.id:
        return _scenario_subject(options)
    if options.mdp:
        if not isinstance(options.reward, str):
            got = "none" if options.reward is None else repr(options.reward)
            raise ValueError(f"--mdp needs --reward FILE.npy, a table (S, A), got {got}")
        if options.set:
            raise ValueError(f"--set goes with ID or --gym, got --mdp and {dict(options.set)}")
        mdp = TabularMDP.load(options.mdp)
        if options.gamma is not None:
            mdp = replace(mdp, gamma=options.gamma)
        name, reward, reward_name = options.mdp, load_table(mdp, options.reward, "--reward"), options.reward
    else:
        if options.reward is not None:
            raise ValueError(
                f"--reward must not be given with --gym, whose table says what is paid, got {options.reward}"
            )
        mdp, reward = _read_gym(options.gym, dict(options.set), 0.99 if options.gamma is None else options.gamma)
        name, reward_name = options.gym, "as its table says"
    true = None if options.true is None else load_table(mdp, options.true, "--true")
    return Subject(name, mdp, reward, reward_name, true, None)


def load_table(mdp: TabularMDP, path: str, option: str) -> NDArray[np.float64]:
    """Reads a reward table (S, A) from an .npy file. Nothing in the file is ever executed.

    Raises:
        ValueError: The file is no .npy file of numbers, or the table does not suit the MDP.
        OSError: It cannot be read.
    """
    with open(path, "rb") as file:
        try:
            table = np.load(file, allow_pickle=False)
        except Exception as error:  # there is no end to the ways in which foreign bytes fail to be read
            raise ValueError(f"{option} must be an .npy file of numbers, got {path}: {error}") from error
        if not isinstance(table, np.ndarray):
            raise ValueError(f"{option} must be an .npy file, one array, got an archive of several in {path}")
    if table.dtype.kind not in "biuf":  # complex numbers would lose their imaginary part
        raise ValueError(f"{option} must be an .npy file of real numbers, got dtype {table.dtype} in {path}")
    return check_reward(mdp, table, f"{option} {path}")


def reward_name(reward: Any) -> str:
    """A reward as the command line takes it: its name, or JSON."""
    return reward if isinstance(reward, str) else json.dumps(reward)


def _scenario_subject(options: argparse.Namespace) -> Subject:
    """A registered scenario under one of its rewards."""
    for name in ("gamma", "true"):
        if getattr(options, name) is not None:
            hint = "; write --set gamma=..." if name == "gamma" else ", which has its own true reward"
            raise ValueError(f"--{name} must not be given with an ID{hint}")
    made = scenario(options.id, **dict(options.set))
    reward = "incomplete" if options.reward is None else options.reward
    tables = made.reward(reward), reward_name(reward), made.reward("true"), made.components
    return Subject(made.id, made.mdp, *tables, made)


def _read_gym(id: str, arguments: dict[str, Any], gamma: float) -> tuple[TabularMDP, NDArray[np.float64]]:
    """The table of a registered environment."""
    import gymnasium as gym

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what Gymnasium has to say about an id's age is not about the analysis
        try:
            env = gym.make(id, **arguments)
        except Exception as error:  # an environment's constructor may raise anything
            raise ValueError(f"--gym must be an environment that can be made, got {id}: {error}") from error
    try:
        return TabularMDP.from_gym(env, gamma)
    finally:
        env.close()
