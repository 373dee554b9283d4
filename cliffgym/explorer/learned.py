"""Files of learned policies, which the page draws when they are dropped on it.

Plain JSON: nothing in it is ever executed, by the page or by whoever else reads it.

Shapes: S states, A actions.
"""

import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from numpy.typing import ArrayLike

from cliffgym.checks import choice
from cliffgym.explorer.encoding import fingerprint, plain
from cliffgym.files import atomic_write
from cliffgym.rewards import Weighting
from cliffgym.solvers import check_policy
from cliffgym.trace_scenario import Scenario

FORMAT = "cliffgym.policies/1"


@dataclass(frozen=True, eq=False)
class LearnedPolicy:
    """A policy, and what it was trained on.

    Attributes:
        scenario: The scenario that it is a policy of.
        table: (S, A) probabilities.
        label: What to call it, such as "ppo, seed 0".
        reward: What training paid: a reward's name, or weights of components.
        settings: Anything else that was set, plain data.

    >>> import cliffgym
    >>> made = cliffgym.scenario("Cliff-TieBreaker-v0", bonus=0.2)
    >>> learned = LearnedPolicy(made, cliffgym.uniform_policy(made.mdp), "rolls a die", reward="true")
    >>> learned.as_json()["weights"]
    {'correct': 1.0, 'target_format': 0.2, 'malformed': 0.0}
    """

    scenario: Scenario
    table: ArrayLike
    label: str
    reward: str | Weighting
    settings: Mapping[str, Any] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """The policy as plain data.

        Raises:
            ValueError: The table is no policy, or the reward is unknown.
            TypeError: Settings are not plain data.
        """
        made = self.scenario
        reward = self.reward
        if isinstance(reward, str):
            reward = made.rewards[choice("reward", reward, made.rewards, place=made.id)]
        weights = made.components.weights(reward)
        return {
            "id": made.id,
            "parameters": plain(made.parameters),
            "fingerprint": fingerprint(made.mdp, made.components),
            "label": self.label,
            "reward": self.reward if isinstance(self.reward, str) else "",
            # Weights that depend on the state have no place on an axis.
            "weights": dict(zip(made.components.names, weights.tolist(), strict=True)) if weights.ndim == 1 else None,
            "settings": plain(self.settings),
            "policy": check_policy(made.mdp, self.table).tolist(),
        }


def save_policies(path: str | os.PathLike[str], policies: Iterable[LearnedPolicy]) -> None:
    """Writes policies to a JSON file, atomically.

    Raises:
        ValueError, TypeError: As `LearnedPolicy.as_json`.
        OSError: The file cannot be written.

    >>> import cliffgym, json, tempfile
    >>> from pathlib import Path
    >>> made = cliffgym.scenario("Cliff-TieBreaker-v0")
    >>> policies = [
    ...     LearnedPolicy(made, cliffgym.optimal(made.mdp, made.reward(name)).policy, f"optimum, {name}", name)
    ...     for name in ("incomplete", "true")
    ... ]
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "policies.json")
    ...     save_policies(path, policies)
    ...     content = json.loads(path.read_text())
    >>> [(policy["label"], policy["weights"]["target_format"]) for policy in content["policies"]]
    [('optimum, incomplete', 0.0), ('optimum, true', 0.1)]
    """
    content = {"format": FORMAT, "policies": [policy.as_json() for policy in policies]}
    with atomic_write(path) as file:
        file.write(json.dumps(content, allow_nan=False).encode())
