"""Trains Stable-Baselines3 agents on a scenario and says exactly what they learned.

Shapes: S states, A actions.
"""

import inspect
import json
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium.wrappers import OrderEnforcing, PassiveEnvChecker
from numpy.typing import NDArray
from sb3_contrib import MaskablePPO
from stable_baselines3 import A2C, DQN, PPO
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.env_util import make_vec_env
from stable_baselines3.common.logger import Logger
from stable_baselines3.common.policies import BasePolicy
from stable_baselines3.common.vec_env import VecEnv

from cliffgym import CliffEnv, Scenario
from cliffgym.checks import choice, integer, listing, number
from cliffgym.envs.wrappers import paid_reward
from cliffgym.explorer import LearnedPolicy, save_policies
from cliffgym.files import atomic_write
from cliffgym.rewards import Weighting
from cliffgym.tables import write_csv
from cliffgym_agents.callbacks import ExactEvaluation
from cliffgym_agents.defaults import ALGORITHMS, default_hyperparameters
from cliffgym_agents.grpo import GRPO
from cliffgym_agents.kl_ppo import KLPPO
from cliffgym_agents.maskable_tabular_policy import MaskableTabularPolicy
from cliffgym_agents.measures import exact_measures
from cliffgym_agents.readout import policy_table
from cliffgym_agents.schedules import EntropySchedule, Schedule, parse_schedule
from cliffgym_agents.soft_dqn import SoftDQN
from cliffgym_agents.tabular_policy import TabularPolicy
from cliffgym_agents.tabular_q_policy import TabularQPolicy
from cliffgym_agents.vec_env import CliffVecEnv

_CLASSES: dict[str, type[BaseAlgorithm]] = {
    "ppo": PPO,
    "a2c": A2C,
    "dqn": DQN,
    "maskable_ppo": MaskablePPO,
    "soft_dqn": SoftDQN,
    "kl_ppo": KLPPO,
    "grpo": GRPO,
}
_OF_Q_VALUES = ("dqn", "soft_dqn")
_TABLES: dict[str, type[BasePolicy]] = {
    "dqn": TabularQPolicy,
    "soft_dqn": TabularQPolicy,
    "maskable_ppo": MaskableTabularPolicy,
}
"""What "TabularPolicy" means for algorithms that cannot take the class of that name."""


@dataclass(frozen=True, eq=False)
class TrainingResult:
    """A trained agent and what it is exactly worth.

    Attributes:
        model: The SB3 model.
        scenario: What it was trained on.
        policy_table: (S, A) probabilities, read out of the network over all states.
        measures: Exact numbers by name; see `exact_measures`.
        history: The same during training, one row for each evaluation, with `timesteps`; empty unless asked for.
        settings: What was trained: environment, algorithm, reward, ent_coef, seed, hyperparameters.
        wall_time: Seconds of training.

    >>> import os, tempfile
    >>> result = train("Cliff-Slacker-v0", "a2c", total_timesteps=1024, evaluate_every=512)
    >>> result.policy_table.shape, [row["timesteps"] for row in result.history]
    ((41, 5), [0, 512, 1024])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     result.save(folder)
    ...     sorted(os.listdir(folder))
    ['history.csv', 'measures.json', 'model.zip', 'policy.json', 'policy.npz']
    """

    model: BaseAlgorithm
    scenario: Scenario
    policy_table: NDArray[np.float64]
    measures: dict[str, float]
    history: list[dict[str, float]]
    settings: dict[str, Any]
    wall_time: float

    def save(self, folder: str | os.PathLike[str]) -> None:
        """Writes `model.zip`, `policy.npz`, `policy.json`, `measures.json` and, if there is one, `history.csv`.

        `model.zip` is SB3's own form, read by `PPO.load` and its like. Loading it runs code that the file contains:
        load only models you trust. The others are plain data. The explorer's page draws `policy.json` when it is
        dropped there.
        """
        folder = Path(folder)
        with atomic_write(folder / "model.zip") as file:
            self.model.save(file)
        with atomic_write(folder / "policy.npz") as file:
            np.savez_compressed(file, policy=self.policy_table)
        record = {"settings": self.settings, "measures": self.measures, "wall_time": self.wall_time}
        plain = json.loads(json.dumps(self.settings, default=str))
        label = f"{plain['algorithm']}, seed {plain['seed']}"
        learned = LearnedPolicy(self.scenario, self.policy_table, label, self.settings["reward"], plain)
        save_policies(folder / "policy.json", [learned])
        with atomic_write(folder / "measures.json") as file:
            file.write(json.dumps(record, indent=2, default=str).encode())
        if self.history:
            write_csv(folder / "history.csv", self.history)


def train(
    env_id: str | Scenario,
    algorithm: str = "ppo",
    *,
    reward: str | Weighting = "incomplete",
    ent_coef: float | str | Schedule | None = None,
    total_timesteps: int | None = None,
    seed: int = 0,
    env_kwargs: Mapping[str, Any] | None = None,
    hyperparameters: Mapping[str, Any] | None = None,
    evaluate_every: int | None = None,
    log_folder: str | os.PathLike[str] | None = None,
    progress: bool = False,
    callbacks: list[BaseCallback] | None = None,
) -> TrainingResult:
    """Trains an SB3 agent, reads its policy out and evaluates it exactly.

    The environment hides its oracle (`oracle=False`): nothing but the paid reward reaches the agent. gamma is the
    scenario's. All copies are stepped together by `CliffVecEnv`, unless yours is wrapped or rendered. Unlike SB3, PPO
    does not standardise advantages unless told to: that would rescale the reward, and a bonus of any size would act
    like a large one.

    Args:
        env_id: A registered id, one of yours among them if it makes a `CliffEnv`; or a Scenario.
        algorithm: `"ppo"`, `"a2c"`, `"dqn"`, `"maskable_ppo"`, `"soft_dqn"`, `"kl_ppo"` or `"grpo"`. SoftDQN knows
            which actions are legal, and takes observations that are numbers of states alone, as KLPPO does.
        reward: What training pays: a reward's name, or weights of components.
        ent_coef: Coefficient of the entropy bonus, in units of reward per nat: a number, `"lin_0.1"` (from 0.1 down to
            0), or a function of the share of training that remains. Not for DQN and SoftDQN, which have none: the
            latter has its `temperature`, a hyperparameter, as KLPPO and GRPO have `kl_coef`.
        total_timesteps: Tokens to train on, over all parallel environments; default the YAML file's `n_timesteps`.
        seed: Seeds the network, the environments and the draws of actions.
        env_kwargs: Keyword arguments of the environment: sizes of the scenario, `observation`, ...
        hyperparameters: Arguments of SB3's class that replace those of `default_hyperparameters`; also `n_envs`. The
            `policy` may be "TabularPolicy" for every algorithm: logits and values by state, or for DQN and SoftDQN
            Q-values by state. It wants a larger `learning_rate` than the defaults of networks, such as 0.05. Another
            policy than the default one does without its default `policy_kwargs`.
        evaluate_every: Time steps between exact evaluations during training; None for none.
        log_folder: Where TensorBoard's files go, and `history.csv` if there are evaluations.
        progress: Whether to show SB3's progress bar.
        callbacks: Further SB3 callbacks.

    Raises:
        ValueError: An unknown id, algorithm or reward, a bad value, or `ent_coef` for DQN or SoftDQN.
        TypeError: An unknown hyperparameter or argument of the environment, a value of the wrong type, or an
            environment of another library.

    A bonus of 0.1 on one format of four decides alone; with an entropy bonus it moves P(json) to 0.475 and no further:

    >>> table = {"policy": "TabularPolicy", "learning_rate": 0.1}
    >>> settings = {"reward": "true", "total_timesteps": 32768, "hyperparameters": table}
    >>> for ent_coef in (0.0, 0.1):
    ...     result = train("Cliff-TieBreaker-v0", "ppo", ent_coef=ent_coef, **settings)
    ...     print(ent_coef, round(result.measures["target_format"], 1), result.policy_table.shape)
    0.0 1.0 (65, 7)
    0.1 0.5 (65, 7)
    """
    name = env_id.id if isinstance(env_id, Scenario) else str(env_id).removeprefix("cliffgym:")
    settings = _merged(default_hyperparameters(choice("algorithm", algorithm, ALGORITHMS), name), hyperparameters or {})
    if "gamma" in settings:
        raise ValueError(f"gamma belongs to the scenario, got {settings['gamma']} as a hyperparameter: use env_kwargs")
    default_steps = settings.pop("n_timesteps")
    steps = integer("total_timesteps", default_steps if total_timesteps is None else total_timesteps, 1)
    seed = integer("seed", seed, 0, 2**32 - 1)
    ent_coef = settings.get("ent_coef") if ent_coef is None else ent_coef
    entropy = _entropy_coefficient(algorithm, ent_coef, settings)
    final = number("ent_coef", entropy(0.0), minimum=0) if callable(entropy) else entropy
    record = {"env_id": name, "env_kwargs": dict(env_kwargs or {}), "algorithm": algorithm, "reward": reward}
    record |= {"ent_coef": ent_coef, "total_timesteps": steps, "seed": seed, "hyperparameters": dict(settings)}

    arguments: dict[str, Any] = {"oracle": False, **(env_kwargs or {})}
    if "reward" in arguments:
        raise ValueError(f"reward must be an argument of its own, got {arguments['reward']!r} in env_kwargs")

    def make() -> gym.Env[Any, Any]:
        return make_env(env_id, **arguments, reward=reward)

    made = make()
    inner = cliff_env(made, env_id)  # read out and evaluated, never stepped
    paid = paid_reward(made)
    n_envs = integer("n_envs", settings.pop("n_envs"), 1)
    vec_env = _make_vec_env(made, make, n_envs, seed)
    log = None if log_folder is None else os.fspath(log_folder)
    settings |= _knowledge(algorithm, inner, settings)
    model = _make_model(algorithm, vec_env, settings, gamma=inner.mdp.gamma, seed=seed, tensorboard_log=log)
    temperature, reference = _regulariser(model, final)
    if log is None and not model.verbose:
        model.set_logger(Logger(None, []))  # SB3's own leaves an empty folder in the system's temporary one
    callbacks = list(callbacks or [])
    if callable(entropy):
        callbacks.append(EntropySchedule(entropy))
    evaluation = None
    if evaluate_every is not None:
        every = integer("evaluate_every", evaluate_every, 1)
        history_file = log and Path(log) / "history.csv"
        evaluation = ExactEvaluation(inner, every, temperature, history_file, paid, reference)
        callbacks.append(evaluation)
    started = time.perf_counter()
    try:
        model.learn(steps, callback=callbacks, progress_bar=progress)
    finally:
        vec_env.close()
    wall_time = time.perf_counter() - started
    table = policy_table(model, inner)
    measures = exact_measures(inner.scenario, table, paid, temperature, reference)
    history = evaluation.history if evaluation else []
    return TrainingResult(model, inner.scenario, table, measures, history, record, wall_time)


def _merged(defaults: dict[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """Hyperparameters, of which those `given` come first; what is said of the default policy holds for no other."""
    if given.get("policy", defaults["policy"]) != defaults["policy"]:
        defaults = {name: value for name, value in defaults.items() if name != "policy_kwargs"}
    return defaults | dict(given)


def make_env(env_id: str | Scenario, **arguments: Any) -> gym.Env[Any, Any]:
    """The environment of an id or a scenario; says so in this library's words if there is none."""
    if isinstance(env_id, Scenario):
        return CliffEnv(env_id, **arguments)
    try:
        return gym.make(env_id, **arguments)
    except gym.error.Error as error:
        raise ValueError(f"env_id must be registered with Gymnasium, got {env_id!r}: {error}") from error
    except TypeError as error:
        if "argument 'oracle'" not in str(error):
            raise
        raise TypeError(f"env_id must make a CliffEnv, got {env_id!r}: {error}") from error


def cliff_env(made: gym.Env[Any, Any], env_id: str | Scenario, name: str = "env_id") -> CliffEnv:
    """The `CliffEnv` inside what `make_env` has made of an id, which messages call `name`.

    Raises:
        TypeError: There is none.
    """
    inner = made.unwrapped
    if not isinstance(inner, CliffEnv):
        raise TypeError(f"{name} must make a CliffEnv, got {type(inner).__name__} from {env_id!r}")
    return inner


def _make_vec_env(made: gym.Env[Any, Any], make: Callable[[], gym.Env[Any, Any]], n_envs: int, seed: int) -> VecEnv:
    """The native batch of what `make` has `made`; SB3's list of copies if that is more than a plain `CliffEnv`."""
    while type(made) in (OrderEnforcing, PassiveEnvChecker):  # which Gymnasium puts around the caller's own ids
        made = made.env  # type: ignore[attr-defined]  # wrappers have it
    if type(made) is not CliffEnv or made.render_mode is not None:
        return make_vec_env(make, n_envs=n_envs, seed=seed)
    # From the environment, not from the arguments: an id of the caller's may have brought some of its own. The model
    # seeds it.
    return CliffVecEnv(made.scenario, n_envs, made.reward_spec, oracle=made.oracle, observation=made.observation)


def _entropy_coefficient(
    algorithm: str, ent_coef: float | str | Schedule | None, settings: dict[str, Any]
) -> float | Schedule:
    """The coefficient to train with, 0 for DQN. Puts its first value where SB3's class looks for it."""
    if algorithm in _OF_Q_VALUES:
        if ent_coef is not None:
            raise ValueError(f"ent_coef must be left out for {algorithm}, which has no entropy bonus, got {ent_coef!r}")
        return 0.0
    entropy = parse_schedule("ent_coef", ent_coef)  # type: ignore[arg-type]  # None is refused there
    settings["ent_coef"] = number("ent_coef", entropy(1.0), minimum=0) if callable(entropy) else entropy
    return entropy


def _knowledge(algorithm: str, env: CliffEnv, settings: Mapping[str, Any]) -> dict[str, Any]:
    """What an algorithm is told about the environment, unless `settings` say otherwise."""
    if algorithm not in ("soft_dqn", "kl_ppo"):
        return {}
    if env.observation != "state":
        raise ValueError(f"observation must be 'state' for {algorithm}, got {env.observation!r}")
    told = {"action_masks": env.mdp.action_mask} if algorithm == "soft_dqn" else {"reference": env.scenario.reference}
    return {name: value for name, value in told.items() if name not in settings}


def _regulariser(model: BaseAlgorithm, ent_coef: float) -> tuple[float, NDArray[np.float64] | None]:
    """The temperature and the reference policy of the exact solution that a model is to be compared with.

    With entropy and a KL penalty both, that is the one of decisions that end a trace.
    """
    if isinstance(model, SoftDQN):
        schedule = model.temperature_schedule
        last = schedule(0.0) if callable(schedule) else schedule
        return max(float(last), model.lowest_temperature), None
    if not isinstance(model, KLPPO | GRPO) or not model.kl_coef or model.reference is None:
        return ent_coef, None
    temperature = model.kl_coef + ent_coef
    weights = model.reference ** (model.kl_coef / temperature)
    return temperature, weights / weights.sum(axis=1, keepdims=True)


def _parameters(kind: type[BaseAlgorithm]) -> list[str]:
    """The arguments of a model's class, and where it hands some on, of the class that it is made from."""
    names: dict[str, None] = {}
    for base in inspect.getmro(kind):
        parameters = inspect.signature(base.__init__).parameters
        names |= {name: None for name, p in parameters.items() if name != "self" and p.kind is not p.VAR_KEYWORD}
        if all(p.kind is not p.VAR_KEYWORD for p in parameters.values()):
            break
    return list(names)


def hyperparameter_names(algorithm: str) -> list[str]:
    """The hyperparameters that `train` takes for an algorithm.

    Raises:
        ValueError: The algorithm is unknown.
    """
    kind = _CLASSES[choice("algorithm", algorithm, ALGORITHMS)]
    given = ("env", "gamma", "seed", "tensorboard_log", "_init_setup_model", "ent_coef")
    return ["n_envs", *(name for name in _parameters(kind) if name not in given)]


def _make_model(algorithm: str, vec_env: VecEnv, settings: dict[str, Any], **given: Any) -> BaseAlgorithm:
    """An SB3 model; refuses hyperparameters that its class does not have, or that are `given` by `train` itself."""
    kind = _CLASSES[algorithm]
    known = [name for name in _parameters(kind) if name not in {"env", "_init_setup_model", *given}]
    for name in settings:
        if name not in known:
            raise TypeError(f"hyperparameter of {algorithm} must be one of {listing(known)}, got {name!r}")
    for name in ("n_steps", "batch_size", "n_epochs"):
        if name in settings:
            integer(name, settings[name], 1)
    lines = {n: parse_schedule(n, settings[n]) for n in ("learning_rate", "clip_range") if n in settings}
    arguments: dict[str, Any] = {"device": "cpu", **settings, **lines, **given}
    if arguments["policy"] in (TabularPolicy.__name__, TabularPolicy):
        arguments["policy"] = _TABLES.get(algorithm, TabularPolicy)
    if arguments.get("policy_kwargs") is not None:
        arguments["policy_kwargs"] = dict(arguments["policy_kwargs"])  # A2C writes its optimiser into it
    try:
        return kind(env=vec_env, **arguments)
    except (AssertionError, RuntimeError, TypeError) as error:
        shown = {name: value for name, value in settings.items() if not isinstance(value, np.ndarray)}  # too long
        raise ValueError(f"hyperparameters must suit SB3's {kind.__name__}, got {shown}: {error}") from error
