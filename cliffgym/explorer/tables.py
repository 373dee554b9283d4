"""A user's own MDP and reward tables as a scenario, which the page takes."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cliffgym.explorer.encoding import state_names
from cliffgym.mdp import TabularMDP
from cliffgym.rewards import RewardComponents, check_reward
from cliffgym.trace_scenario import Scenario

_LARGEST = 1e150  # far from where differences of sums overflow


def scenario_of_tables(
    id: str,
    mdp: TabularMDP,
    reward: ArrayLike,
    true: ArrayLike | None = None,
    components: Mapping[str, ArrayLike] | None = None,
) -> Scenario:
    """A scenario made of tables: each start is a prompt, and each table a component that a reward may weigh.

    Args:
        id: What to call it.
        mdp: The dynamics.
        reward: (S, A) what training pays: the component `reward`, which the reward `incomplete` weighs with 1.
        true: (S, A) what was meant: the component `true`, which the reward `true` weighs with 1. Default: `reward`.
        components: Further tables (S, A) by name, which can be given a weight.

    Raises:
        ValueError: A table does not suit the MDP or has an entry beyond 1e150, or a name is taken.
        TypeError: A table does not hold numbers.

    >>> from cliffgym import TabularMDP
    >>> mdp = TabularMDP.from_dense([[[0, 1], [0, 1]], [[0, 1], [0, 1]]], [1, 0], [False, True], gamma=1.0)
    >>> scenario_of_tables("Coin", mdp, [[1, 1], [0, 0]], components={"heads": [[1, 0], [0, 0]]})
    Scenario('Coin', 2 states, rewards: incomplete, true)
    """
    tables = {"reward": _check_table(mdp, reward, "reward")}
    if true is not None:
        tables["true"] = _check_table(mdp, true, "true")
    for name, table in (components or {}).items():
        if name in ("reward", "true"):
            raise ValueError(f"name of a component must be new, got {name!r}; `reward` and `true` are arguments")
        tables[name] = _check_table(mdp, table, name)
    starts = np.flatnonzero(mdp.initial)
    names = state_names(mdp)
    return Scenario(
        id=id,
        mdp=mdp,
        components=RewardComponents(tuple(tables), np.stack(list(tables.values()))),
        rewards={"incomplete": {"reward": 1.0}, "true": {"reward" if true is None else "true": 1.0}},
        prompts=tuple(f"Start in {names[state]}" for state in starts.tolist()),
        prompt_states=starts,
        state_prompts=np.zeros(mdp.num_states, dtype=np.intp),
        state_tokens=np.zeros((mdp.num_states, 0), dtype=np.intp),
        outcomes=tuple(f"ended in {names[s]}" if mdp.terminal[s] else "" for s in range(mdp.num_states)),
        token_texts={},
    )


def _check_table(mdp: TabularMDP, table: ArrayLike, name: str) -> NDArray[np.float64]:
    """Returns a table (S, A) of which the page can draw sums and differences."""
    checked = check_reward(mdp, table, name)
    worst = np.unravel_index(np.abs(checked).argmax(), checked.shape)
    if abs(checked[worst]) > _LARGEST:
        raise ValueError(
            f"{name} must be at most {_LARGEST:g} in absolute value, got {checked[worst]:g} at state {worst[0]}, "
            f"action {worst[1]}"
        )
    return checked
