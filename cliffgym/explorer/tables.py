"""A user's own MDP and reward tables as a scenario, which the page takes."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike

from cliffgym.explorer.encoding import state_names
from cliffgym.mdp import TabularMDP
from cliffgym.rewards import RewardComponents, check_reward
from cliffgym.trace_scenario import Scenario


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
        ValueError: A table does not suit the MDP, or a name is taken.
        TypeError: A table does not hold numbers.

    >>> import numpy as np
    >>> mdp = TabularMDP.from_dense([[[0, 1], [0, 1]], [[0, 1], [0, 1]]], [1, 0], [False, True], gamma=1.0)
    >>> scenario_of_tables("Coin", mdp, [[1, 1], [0, 0]], components={"heads": [[1, 0], [0, 0]]})
    Scenario('Coin', 2 states, rewards: incomplete, true)
    """
    tables = {"reward": check_reward(mdp, reward)}
    if true is not None:
        tables["true"] = check_reward(mdp, true, "true")
    for name, table in (components or {}).items():
        if name in tables:
            raise ValueError(f"name of a component must be new, got {name!r} beside {', '.join(tables)}")
        tables[name] = check_reward(mdp, table, name)
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
