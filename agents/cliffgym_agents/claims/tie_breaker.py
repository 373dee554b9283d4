"""What the claims about TieBreaker share: its runs, and where a format is chosen."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cliffgym import scenario
from cliffgym_agents.runs import Run

ID, SHARE = "Cliff-TieBreaker-v0", "target_format"
TEMPERATURE = 0.1
FORMATS = ("plain", "markdown", "json", "latex")

STANDARDISED, PLAIN, GRPO, DR_GRPO = "PPO, standardised", "PPO, not standardised", "GRPO", "Dr.GRPO"
KINDS: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    STANDARDISED: ("ppo", {"normalize_advantage": True}),
    GRPO: ("grpo", {"scale": "group", "per_trace": True}),
    PLAIN: ("ppo", {"normalize_advantage": False}),
    DR_GRPO: ("grpo", {"scale": "none", "per_trace": False}),
}
"""By label the algorithm and its hyperparameters."""


def run_of(label: str, bonus: float, ent_coef: float | None, **hyperparameters: Any) -> Run:
    """A training on the true reward."""
    algorithm, own = KINDS[label]
    return Run(ID, "true", ent_coef, 0, {"bonus": bonus}, algorithm, {**own, **hyperparameters})


def format_states() -> NDArray[np.intp]:
    """The states after a right answer, where a format is chosen. They do not depend on the bonus."""
    made = scenario(ID)
    ends_well = (made.components.table[made.components.index("correct")] > 0).any(axis=1)
    return np.flatnonzero(ends_well)
