"""The figure of the demo on really trained agents: a cliff without entropy, its exact smooth slope with it.

PPO trains on TieBreaker, where one format of four is paid a bonus. With entropy coefficient c, decisions that end a
trace have the exact solution P(json) = e^(bonus/c) / (e^(bonus/c) + 3). The quick ledger of claims, which every run of
the checks ends with, tries fewer bonuses and seeds of the same.
"""

import math

import numpy as np
import pytest
from cliffgym_agents import train

pytestmark = pytest.mark.slow

BONUSES = (-0.05, 0.0, 0.02, 0.05, 0.1, 0.2)


def learned_share(bonus: float, ent_coef: float, seed: int = 0, *, standardise: bool = False) -> float:
    """The exact probability with which an agent trained at the default hyperparameters chooses json."""
    result = train(
        "Cliff-TieBreaker-v0",
        reward="true",
        ent_coef=ent_coef,
        seed=seed,
        env_kwargs={"bonus": bonus},
        hyperparameters={"normalize_advantage": True} if standardise else None,
    )
    return result.measures["target_format"]


def mean_share(bonus: float, ent_coef: float, seeds: int) -> float:
    shares = [learned_share(bonus, ent_coef, seed) for seed in range(seeds)]
    print(f"ent_coef {ent_coef}, bonus {bonus}: mean {np.mean(shares):.4f}, each {np.round(shares, 4).tolist()}")
    return float(np.mean(shares))


def soft_share(bonus: float, temperature: float) -> float:
    weight = math.exp(bonus / temperature)
    return weight / (weight + 3)


@pytest.mark.parametrize("bonus", BONUSES)
def test_with_entropy_every_share_lies_on_the_exact_slope(bonus: float) -> None:
    assert mean_share(bonus, 0.1, seeds=5) == pytest.approx(soft_share(bonus, 0.1), abs=0.03)


@pytest.mark.parametrize("bonus", [bonus for bonus in BONUSES if bonus])
def test_without_entropy_every_share_is_on_its_side_of_the_cliff(bonus: float) -> None:
    share = mean_share(bonus, 0.0, seeds=5)
    assert share < 0.05 if bonus < 0 else share > 0.9


def test_standardised_advantages_bring_the_cliff_back() -> None:
    assert soft_share(0.02, 0.1) < 0.3
    assert learned_share(0.02, 0.1, standardise=True) > 0.9
