"""What the statements refuse, and in which words."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import ArrayLike

from cliffgym import RewardComponents, TabularMDP
from cliffgym.analysis.bounds import (
    deterministic_jump,
    effective_jump,
    effective_reward_lipschitz,
    effective_values_lipschitz,
    incomplete_reward,
    optimal_actions_inclusion,
    policy_constancy,
    soft_policy_lipschitz,
    softmax_lipschitz,
    softmax_norm,
    tie_breaking,
    tight_example,
    uniform_jump,
    values_lipschitz,
)
from cliffgym.testing import random_mdp


def as_tuple(*tables: ArrayLike) -> RewardComponents:
    return RewardComponents(tuple(f"model {k}" for k in range(len(tables))), np.array(tables))


def choose(actions: int, mask: ArrayLike | None = None) -> TabularMDP:
    """One choice among actions, and the end."""
    transition = np.tile([0.0, 1.0], (2, actions, 1))
    return TabularMDP.from_dense(
        transition,
        [1, 0],
        [False, True],
        1.0,
        action_mask=mask,
        state_names=("prompt", "end"),
        action_names=("yes", "no", "maybe")[:actions],
    )


TWO = choose(2)
ZERO, TIED = np.zeros((2, 2)), np.array([[1.0, 1.0], [0.0, 0.0]])
BEST = np.array([[1.0, 0.0], [0.0, 0.0]])
ENDLESS = random_mdp(0, cycles="ending", gamma=1.0)
NOTHING = np.zeros((6, 3))
TEXT: Any = "a"
TABLE: Any = TIED
ONE = as_tuple(TIED)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (
            lambda: values_lipschitz(TWO, ZERO, np.zeros((2, 3))),
            ValueError,
            r"other must have shape \(S, A\) = \(2, 2\), got \(2, 3\)",
        ),
        (
            lambda: values_lipschitz(TWO, ZERO + 1, ZERO),
            ValueError,
            "reward must be 0 at terminal states, got 1.0 at state 1",
        ),
        (lambda: values_lipschitz(TWO, ZERO * np.nan, ZERO), ValueError, "reward must be finite, got nan"),
        (lambda: values_lipschitz(ENDLESS, NOTHING, NOTHING), ValueError, "effective_horizon needs gamma < 1"),
        (lambda: optimal_actions_inclusion(ENDLESS, NOTHING, NOTHING), ValueError, "effective_horizon needs gamma < 1"),
        (
            lambda: soft_policy_lipschitz(ENDLESS, NOTHING, NOTHING, 1.0),
            ValueError,
            "effective_horizon needs gamma < 1",
        ),
        (lambda: policy_constancy(TWO, ZERO, ZERO, tie_tolerance=-1), ValueError, "tie_tolerance must be >= 0, got -1"),
        (lambda: soft_policy_lipschitz(TWO, ZERO, ZERO, 0), ValueError, "temperature must be > 0, got 0.0"),
        (lambda: soft_policy_lipschitz(TWO, ZERO, ZERO, -1.0), ValueError, "temperature must be > 0, got -1.0"),
        (lambda: soft_policy_lipschitz(TWO, ZERO, ZERO, TEXT), TypeError, "temperature must be a number, got 'a'"),
        (lambda: deterministic_jump(TWO, TIED, 0), ValueError, "epsilon must be > 0, got 0.0"),
        (lambda: uniform_jump(TWO, TIED, -1e-3), ValueError, "epsilon must be > 0, got -0.001"),
        (lambda: tie_breaking(TWO, TIED, math.nan), ValueError, "epsilon must be finite, got nan"),
        (
            lambda: deterministic_jump(TWO, BEST, 0.1, 0),
            ValueError,
            r'state must have two optimal actions, got 1 at state 0 \("prompt"\)',
        ),
        (
            lambda: deterministic_jump(TWO, TIED, 0.1, 1),
            ValueError,
            r'state must not be terminal, got state 1 \("end"\)',
        ),
        (lambda: deterministic_jump(TWO, TIED, 0.1, 2), ValueError, r"state must be in \[0, 1\], got 2"),
        (
            lambda: deterministic_jump(TWO, TIED, 0.1, action=1),
            ValueError,
            "state must be given if action is, got None",
        ),
        (lambda: deterministic_jump(TWO, TIED, 0.1, 0, 5), ValueError, r"action must be in \[0, 1\], got 5"),
        (lambda: tie_breaking(TWO, TIED, 0.1, over=1), ValueError, "state must be given if over is, got None"),
        (
            lambda: tie_breaking(TWO, TIED, 0.1, 0, 1, 1),
            ValueError,
            "over must be another action than the one that wins, got 1",
        ),
        (
            lambda: incomplete_reward(TWO, ZERO, np.zeros(2)),
            ValueError,
            r"true must have shape \(S, A\) = \(2, 2\), got \(2,\)",
        ),
        (lambda: incomplete_reward(TWO, ZERO, TIED, ZERO), ValueError, "policy must sum to 1 in each state, got 0.0"),
        (lambda: incomplete_reward(TWO, ZERO, TIED, state=1), ValueError, "state must not be terminal, got state 1"),
        (
            lambda: incomplete_reward(TWO, ZERO, TIED, action=1),
            ValueError,
            "state must be given if action is, got None",
        ),
        (
            lambda: effective_reward_lipschitz(TWO, TABLE, ONE, [1.0]),
            TypeError,
            "components must be RewardComponents, got ndarray",
        ),
        (
            lambda: effective_reward_lipschitz(TWO, ONE, TABLE, [1.0]),
            TypeError,
            "other must be RewardComponents, got ndarray",
        ),
        (
            lambda: effective_reward_lipschitz(TWO, ONE, ONE, [1.0, 0.0]),
            ValueError,
            r"weights must have shape \(1,\) or \(1, 2\), got \(2,\)",
        ),
        (lambda: effective_reward_lipschitz(TWO, ONE, ONE, [math.nan]), ValueError, "weights must be finite, got nan"),
        (
            lambda: effective_reward_lipschitz(TWO, ONE, ONE, {"model": 1}),
            ValueError,
            "component must be one of \"model 0\", got 'model'",
        ),
        (
            lambda: effective_values_lipschitz(TWO, ONE, as_tuple(TIED, TIED), [1.0]),
            ValueError,
            'other must have components "model 0", got "model 0", "model 1"',
        ),
        (
            lambda: effective_jump(TWO, as_tuple(np.zeros((3, 2))), [1.0], 0.1),
            ValueError,
            "components 'model 0' must have shape",
        ),
        (
            lambda: effective_jump(TWO, RewardComponents((), np.zeros((0, 2, 2))), [], 0.1),
            ValueError,
            "components must have at least one member, got none",
        ),
        (lambda: effective_jump(TWO, ONE, [1.0], -1), ValueError, "epsilon must be > 0, got -1.0"),
        (
            lambda: softmax_lipschitz([0.0], [0.0, 1.0], 1.0),
            ValueError,
            r"must have the same shape \(A,\), got \(1,\) and \(2,\)",
        ),
        (lambda: softmax_lipschitz([], [], 1.0), ValueError, r"values must have shape \(A,\) with A >= 1, got \(0,\)"),
        (
            lambda: softmax_lipschitz([0.0, math.inf], [0.0, 1.0], 1.0),
            ValueError,
            "values must be finite, got inf at entry 1",
        ),
        (lambda: softmax_lipschitz([0.0], [1.0], 0.0), ValueError, "temperature must be > 0, got 0.0"),
        (lambda: softmax_norm([0.5, 0.4], 1.0), ValueError, "probabilities must sum to 1, got 0.9"),
        (lambda: softmax_norm([1.5, -0.5], 1.0), ValueError, "probabilities must be >= 0, got -0.5 at entry 1"),
        (lambda: softmax_norm(np.full(50, 0.02), 1.0), ValueError, "must have at most 40 entries > 0, got 50"),
        (lambda: tight_example(0.0, 0.5), ValueError, "epsilon must be > 0, got 0.0"),
        (lambda: tight_example(0.1, 1.0), ValueError, r"gamma must be in \[0, 1\), got 1.0"),
        (lambda: tight_example(0.1, -0.1), ValueError, "gamma must be >= 0, got -0.1"),
    ],
)
def test_bad_input(call: Callable[[], object], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call()


def test_an_action_that_is_not_optimal_is_refused_with_those_that_are() -> None:
    mdp = choose(3)
    reward = np.array([[1.0, 1.0, 0.0], [0.0, 0.0, 0.0]])
    for name, call in {
        "action": lambda: deterministic_jump(mdp, reward, 0.1, 0, 2),
        "over": lambda: tie_breaking(mdp, reward, 0.1, 0, 0, 2),
    }.items():
        with pytest.raises(
            ValueError,
            match=f'{name} must be optimal, got action "maybe" at state 0 .*, where action "yes", action "no"',
        ):
            call()


def test_an_illegal_action_is_no_certificate() -> None:
    mdp = choose(2, [[True, False], [True, True]])
    with pytest.raises(ValueError, match='action must be legal, got action "no" at state 0'):
        incomplete_reward(mdp, ZERO, ZERO, state=0, action=1)
