"""A scenario as the JSON that the page's solvers read.

Floats keep all their digits (Python writes the shortest decimal form that reads back as the same float). Rows of
terminal states are left out, and components list only the pairs that pay.

Shapes: S states, A actions, B successor slots, K components.
"""

import hashlib
import json
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cliffgym.mdp import TabularMDP
from cliffgym.rewards import RewardComponents
from cliffgym.solvers import uniform_policy
from cliffgym.trace_scenario import Scenario


def encode(scenario: Scenario) -> dict[str, Any]:
    """One size of a scenario as plain data; `source/model.js` unpacks it."""
    mdp = scenario.mdp
    alive = ~mdp.terminal
    deterministic = mdp.successors.shape[2] == 1
    ended = [(state, text) for state, text in enumerate(scenario.outcomes) if text]
    texts = list(dict.fromkeys(text for _, text in ended))
    uniform = bool((scenario.reference == uniform_policy(mdp)).all())
    return {
        "parameters": plain(scenario.parameters),
        "fingerprint": fingerprint(mdp, scenario.components),
        "gamma": mdp.gamma,
        "states": mdp.num_states,
        "actions": list(scenario.tokens) or [f"action {a}" for a in range(mdp.num_actions)],
        "slots": mdp.successors.shape[2],
        "successors": mdp.successors[alive].ravel().tolist(),
        "chances": None if deterministic else mdp.probabilities[alive].ravel().tolist(),
        "initial": _initial(mdp),
        "terminal": np.flatnonzero(mdp.terminal).tolist(),
        "illegal": np.flatnonzero(~mdp.action_mask.ravel()).tolist(),
        "components": _components(scenario.components),
        "rewards": plain(scenario.rewards),
        "reference": None if uniform else scenario.reference.ravel().tolist(),
        "prompts": list(scenario.prompts),
        "prompt_states": scenario.prompt_states.tolist(),
        "undetermined": scenario.undetermined.tolist(),
        "evaluation": None if scenario.evaluation is None else _evaluation(scenario.evaluation),
        "outcomes": {
            "texts": texts,
            "states": [state for state, _ in ended],
            "codes": [texts.index(text) for _, text in ended],
        },
        "state_names": None if scenario.state_tokens.shape[1] else state_names(mdp),
    }


def fingerprint(mdp: TabularMDP, components: RewardComponents) -> str:
    """What tells whether a policy was learned on the very tables of a page: 16 hexadecimal digits.

    Rewards are not part of it: they are weights of components.
    """
    digest = hashlib.sha256()
    names = json.dumps([mdp.action_names, components.names, mdp.gamma])
    digest.update(names.encode())
    # 12 digits: what is left of rounding must not tell machines apart.
    floats = (mdp.probabilities, mdp.initial, components.table)
    for table in (mdp.successors, mdp.terminal, mdp.action_mask, *(_rounded(values) for values in floats)):
        digest.update(np.ascontiguousarray(table, dtype="<i8").tobytes())
    return digest.hexdigest()[:16]


def _rounded(values: NDArray[np.float64]) -> NDArray[np.int64]:
    """Floats as whole multiples of a power of ten that leaves 12 digits of the largest."""
    largest = float(np.abs(values).max(initial=0.0))
    exponent = 0 if largest == 0 else int(np.floor(np.log10(largest)))
    return np.round(values / 10.0**exponent * 1e12).astype(np.int64)


def _initial(mdp: TabularMDP) -> list[tuple[int, float]]:
    """The states in which traces start, with their probabilities."""
    return [(int(state), float(mdp.initial[state])) for state in np.flatnonzero(mdp.initial)]


def _evaluation(full: Scenario) -> dict[str, Any]:
    """What differs where a policy is judged on prompts that training leaves out."""
    return {"initial": _initial(full.mdp), "components": _components(full.components)}


def _components(components: RewardComponents) -> dict[str, Any]:
    """The pairs at which some component pays, the distinct values, and per component which value each pair has."""
    table = components.table.reshape(len(components), -1)
    pairs = np.flatnonzero((table != 0).any(axis=0))
    values, codes = np.unique(table[:, pairs], return_inverse=True)
    codes = codes.reshape(len(components), pairs.size)
    return {
        "names": list(components.names),
        "pairs": pairs.tolist(),
        "values": (values + 0.0).tolist(),
        "codes": codes.tolist(),
    }


def state_names(mdp: TabularMDP) -> list[str]:
    """S names of states: the MDP's own, or their numbers."""
    return list(mdp.state_names or (f"state {state}" for state in range(mdp.num_states)))


def plain(value: Any) -> Any:
    """Arguments and weights as JSON has them: numbers, texts, lists and objects.

    Raises:
        TypeError: There is something else among them.
    """
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, Sequence):
        return [plain(part) for part in value]
    if hasattr(value, "items"):
        return {str(name): plain(part) for name, part in value.items()}
    raise TypeError(f"value must be plain data, got {value!r}")
