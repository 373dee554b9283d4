"""The table as plain data: what is measured against what, and how far ahead it is meant to be."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

SHORT, LONG = "Cliff-Slacker-v0", "Cliff-LengthPenalty-v0"
TOYS = ("DiscountingChain", "DeepSea")
WORLD = "Cliff-Garnet-v0"
SIZE = {"states": 200, "actions": 8, "components": 3, "branching": 1, "ending": 0.125}
FEW, MANY = 1024, 16_384
STEPS = 128


@dataclass(frozen=True)
class Side:
    """One measured side of a comparison.

    Attributes:
        label: What it is called in tables.
        workload: The module of `benchmarks` that makes it.
        settings: Its arguments, JSON values.
        environment: "ours" or "peers".
    """

    label: str
    workload: str
    settings: Mapping[str, Any]

    @property
    def environment(self) -> str:
        return "peers" if self.workload.startswith("peers.") else "ours"


@dataclass(frozen=True)
class Comparison:
    """One row of the table. Of several sides of ours the slowest counts, of several peers the fastest.

    Attributes:
        name: A short word for it.
        what: What of ours is measured.
        against: What it is measured against.
        counted: What is counted on either side, and what else a reader should know.
        unit: Of what is counted.
        target: What the ratio of rates is meant to be at least, or None for a row that is for information.
        ours: Our sides.
        peers: The others.
    """

    name: str
    what: str
    against: str
    counted: str
    unit: str
    target: float | None
    ours: tuple[Side, ...]
    peers: tuple[Side, ...]


def single(oracle: bool) -> tuple[Side, ...]:
    """One environment of each of two scenarios."""
    return tuple(Side(id, "workloads.single", {"id": id, "oracle": oracle}) for id in (SHORT, LONG))


def vector(num_envs: int, kernel: str, oracle: bool, autoreset_mode: str = "same_step") -> tuple[Side, ...]:
    """`step` of many environments, of each of two scenarios."""
    settings = {"num_envs": num_envs, "kernel": kernel, "oracle": oracle, "autoreset_mode": autoreset_mode}
    return tuple(Side(id, "workloads.vector", {"id": id} | settings) for id in (SHORT, LONG))


def garnet(num_envs: int, kernel: str, oracle: bool, autoreset_mode: str = "same_step") -> tuple[Side, ...]:
    """`step` of many environments of a random MDP whose traces are as long as FrozenLake's."""
    settings = {"num_envs": num_envs, "kernel": kernel, "oracle": oracle, "autoreset_mode": autoreset_mode}
    return (Side(f"{WORLD}, {autoreset_mode}", "workloads.vector", {"id": WORLD, "parameters": SIZE} | settings),)


def rollout(num_envs: int, kernel: str) -> tuple[Side, ...]:
    """`rollout` of many environments, of each of two scenarios, without the oracle."""
    settings = {"num_envs": num_envs, "steps": STEPS, "kernel": kernel, "oracle": False}
    return tuple(Side(id, "workloads.rollout", {"id": id} | settings) for id in (SHORT, LONG))


def gymnax(*modes: str) -> tuple[Side, ...]:
    """gymnax's toys, with actions drawn or given in these ways."""
    return tuple(
        Side(
            f"{toy}, {mode}",
            "peers.gymnax_toys",
            {"toy": f"{toy}-bsuite", "num_envs": FEW, "steps": STEPS, "actions": mode},
        )
        for toy in TOYS
        for mode in modes
    )


def floor(arrays: str) -> tuple[Side, ...]:
    """The barest gather over the arrays of the random MDP."""
    settings = {"id": WORLD, "parameters": SIZE, "num_envs": MANY, "arrays": arrays}
    return (Side(f"gather, {arrays}", "workloads.floor", settings),)


def ppo(envs: str, policy: str = "MlpPolicy") -> tuple[Side, ...]:
    """PPO on our larger scenario."""
    return (Side(f"{policy}, {envs}", "workloads.ppo", {"id": LONG, "envs": envs, "policy": policy}),)


def solver(num_states: int, kernel: str = "numba") -> tuple[Side, ...]:
    """Our exact solver on a deterministic MDP."""
    settings = {"kind": "deterministic", "num_states": num_states, "kernel": kernel}
    return (Side(f"optimal, {kernel}", "workloads.solver", settings),)


def quantecon(num_states: int, num_rewards: int = 1) -> tuple[Side, ...]:
    """QuantEcon's best solver on the same."""
    settings = {"kind": "deterministic", "num_states": num_states, "num_rewards": num_rewards}
    return (Side("DiscreteDP", "peers.quantecon_solver", settings),)


FROZEN_LAKE = (Side("FrozenLake-v1", "peers.gymnasium_frozenlake", {"num_envs": None}),)
BARE_LAKE = (Side("FrozenLake-v1, bare", "peers.gymnasium_frozenlake", {"num_envs": None, "bare": True}),)
SYNC_VECTOR = (Side("SyncVectorEnv", "peers.gymnasium_frozenlake", {"num_envs": FEW}),)
ENVPOOL = tuple(
    Side(f"EnvPool, num_threads={threads}", "peers.envpool_frozenlake", {"num_envs": FEW, "num_threads": threads})
    for threads in (0, 1)
)
BATCH = (
    Side(
        "optimal_batch",
        "workloads.solver_batch",
        {"kind": "deterministic", "num_states": 500, "num_rewards": 1000, "kernel": "numba"},
    ),
)
_SINGLE = (
    "true transitions; our scenarios step surely, FrozenLake by chance; random tokens drawn in advance; resets within "
    "the time; the same loop plays both"
)
_CALLS = (
    "true transitions; random tokens drawn in advance, one call of `step` each; calls in which a copy only begins anew "
    "are subtracted on both sides"
)
_SOLVED = "MDPs solved: A = 4, gamma 0.95, random successors and rewards; ours exact, the peer's within 1e-6"
_FLOOR = (
    "true transitions of a Garnet (200 states, 8 actions, 3 components) under random tokens, calls that only begin "
    "anew subtracted; the floor has states and actions given, no checks, no resets and no new arrays"
)
_LEARNED = "transitions learned from, LengthPenalty, 256 envs, n_steps 128, batch 8192, 4 epochs, one torch thread"

COMPARISONS = (
    Comparison(
        "single",
        "`gym.make`, one env, random tokens, oracle off",
        "FrozenLake-v1 through `gym.make`",
        _SINGLE,
        "steps",
        8,
        single(oracle=False),
        FROZEN_LAKE,
    ),
    Comparison(
        "single-random",
        "the same on a random MDP whose steps are drawn, as FrozenLake's are",
        "FrozenLake-v1 through `gym.make`",
        _SINGLE,
        "steps",
        None,
        (Side(WORLD, "workloads.single", {"id": WORLD, "oracle": False}),),
        FROZEN_LAKE,
    ),
    Comparison(
        "single-bare",
        "`gym.make`, one env, random tokens, oracle off",
        "FrozenLake-v1 without the wrappers that `gym.make` puts around it, and around ours does not",
        _SINGLE,
        "steps",
        None,
        single(oracle=False),
        BARE_LAKE,
    ),
    Comparison(
        "single-oracle",
        "`gym.make`, one env, random tokens, oracle on",
        "FrozenLake-v1 through `gym.make`",
        _SINGLE,
        "steps",
        4,
        single(oracle=True),
        FROZEN_LAKE,
    ),
    Comparison(
        "vector-numpy",
        "vector, 1,024 envs, NumPy kernel, full infos",
        "EnvPool FrozenLake, 1,024",
        _CALLS,
        "steps",
        30,
        garnet(FEW, "numpy", oracle=True, autoreset_mode="next_step"),
        ENVPOOL,
    ),
    Comparison(
        "vector-same-step",
        "the same, each trace followed by the next within the step and its end told in `final_info`",
        "EnvPool FrozenLake, 1,024",
        _CALLS,
        "steps",
        None,
        garnet(FEW, "numpy", oracle=True),
        ENVPOOL,
    ),
    Comparison(
        "vector-short",
        "the same on scenarios whose traces random tokens end after 1.4 and 2 steps",
        "EnvPool FrozenLake, 1,024",
        _CALLS,
        "steps",
        30,
        vector(FEW, "numpy", oracle=True, autoreset_mode="next_step"),
        ENVPOOL,
    ),
    Comparison(
        "vector-sync",
        "vector, 1,024 envs, NumPy kernel, full infos",
        "SyncVectorEnv of FrozenLake, 1,024",
        _CALLS,
        "steps",
        None,
        vector(FEW, "numpy", oracle=True),
        SYNC_VECTOR,
    ),
    Comparison(
        "rollout-fast",
        "vector, 1,024 envs, `fast`: `rollout` of 128 steps, oracle off",
        "gymnax's faster toy, 1,024, scan of 128 steps",
        "true transitions; actions drawn inside at each step on both sides, ours from a policy table by state; ours "
        "also returns states and actions, the peer rewards and ends alone",
        "steps",
        2,
        rollout(FEW, "numba"),
        gymnax("step"),
    ),
    Comparison(
        "rollout-blind",
        "the same",
        "the same toys, with all actions drawn in one block before the scan",
        "true transitions; only a policy that does not look at the state can draw so, ours draws by state all the same",
        "steps",
        2,
        rollout(FEW, "numba"),
        gymnax("block"),
    ),
    Comparison(
        "step-fast",
        "vector, 1,024 envs, `fast`: `step`, oracle off",
        "gymnax's faster toy, 1,024, scan of 128 steps",
        "true transitions; actions given on both sides; ours called from Python at every step, the peer once in 128",
        "steps",
        None,
        vector(FEW, "numba", oracle=False),
        gymnax("given"),
    ),
    Comparison(
        "floor",
        "vector, 16,384 envs, `fast`, oracle off",
        "barest gather over the same arrays: successors, reward, ends, masks",
        _FLOOR,
        "steps",
        0.4,
        garnet(MANY, "numba", oracle=False, autoreset_mode="next_step"),
        floor("masks"),
    ),
    Comparison(
        "floor-oracle",
        "vector, 16,384 envs, `fast`, full infos",
        "barest gather over the same arrays: these, components and oracle rewards",
        _FLOOR,
        "steps",
        0.4,
        garnet(MANY, "numba", oracle=True, autoreset_mode="next_step"),
        floor("all"),
    ),
    Comparison(
        "floor-traces",
        "vector, 16,384 envs, `fast`, oracle off, scenarios of short traces",
        "barest gather over the arrays of the random MDP: successors, reward, ends, masks",
        _FLOOR.replace("of a Garnet (200 states, 8 actions, 3 components)", "of either scenario"),
        "steps",
        0.4,
        vector(MANY, "numba", oracle=False, autoreset_mode="next_step"),
        floor("masks"),
    ),
    Comparison(
        "floor-bare",
        "vector, 16,384 envs, `fast`, oracle off",
        "barest gather over fewer arrays: successors, reward, ends alone",
        _FLOOR,
        "steps",
        None,
        garnet(MANY, "numba", oracle=False, autoreset_mode="next_step"),
        floor("bare"),
    ),
    Comparison(
        "ppo",
        "PPO through the SB3 adapter",
        "the same with DummyVecEnv of our env",
        _LEARNED,
        "steps",
        1.8,
        ppo("adapter"),
        ppo("dummy"),
    ),
    Comparison(
        "ppo-monitor",
        "PPO through the SB3 adapter",
        "the same with DummyVecEnv and Monitor, as SB3's `make_vec_env` makes them",
        _LEARNED,
        "steps",
        None,
        ppo("adapter"),
        ppo("dummy_monitor"),
    ),
    Comparison(
        "ppo-tabular",
        "PPO through the SB3 adapter, TabularPolicy",
        "MlpPolicy through the adapter",
        _LEARNED,
        "steps",
        2,
        ppo("adapter", "TabularPolicy"),
        ppo("adapter"),
    ),
    Comparison(
        "solver-500",
        "exact optimum, deterministic, 500 states (`fast`)",
        "best QuantEcon method",
        _SOLVED,
        "MDPs",
        5,
        solver(500),
        quantecon(500),
    ),
    Comparison(
        "solver-100000",
        "exact optimum, deterministic, 100,000 states (`fast`)",
        "best QuantEcon method",
        _SOLVED,
        "MDPs",
        3,
        solver(100_000),
        quantecon(100_000),
    ),
    Comparison(
        "solver-batch",
        "1,000 rewards on one 500-state MDP (`fast`)",
        "QuantEcon in a loop",
        _SOLVED.replace("MDPs", "rewards"),
        "rewards",
        10,
        BATCH,
        quantecon(500, 1000),
    ),
)
