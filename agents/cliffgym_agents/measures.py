"""What a policy table is worth, exactly: no episode is sampled.

Shapes: S states, A actions.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cliffgym import Scenario, expected_components, occupancy, optimal, soft, total_variation
from cliffgym.checks import number
from cliffgym.rewards import Weighting


def exact_measures(
    scenario: Scenario,
    policy: NDArray[np.float64],
    reward: str | Weighting | ArrayLike = "incomplete",
    temperature: float = 0.0,
    reference: ArrayLike | None = None,
) -> dict[str, float]:
    """Evaluates a policy exactly.

    Args:
        scenario: The scenario.
        policy: (S, A) probabilities.
        reward: The reward that training paid: a name, weights of components, or a table (S, A).
        temperature: Coefficient of entropy. The exact solution at that temperature is what `total_variation` measures
            the distance from. An agent's `ent_coef` is this temperature for decisions that end a trace, and only
            nearly so before them: PPO and A2C value the entropy of the present decision, the exact solution that of
            future ones too.
        reference: (S, A) the policy that a KL penalty with that coefficient refers to; None for entropy.

    Returns:
        Numbers by name:

        - `paid_return`, `incomplete_return`, `true_return`: expected discounted reward.
        - each component by its own name: its expected discounted sum.
        - `evaluation_incomplete_return`, `evaluation_true_return`: the same two over all prompts, where training leaves
          some out.
        - `entropy`: expected entropy of a decision, in nats, over the decisions that the policy itself meets.
        - `total_variation`: distance, in [0, 1], to the exact soft optimum; at temperature 0 to the nearest optimal
          policy. An average over the decisions that the exact solution meets.

    Raises:
        ValueError: The policy or reward does not suit the scenario, or the temperature is negative.
        TypeError: One of them is not numbers.

    >>> import cliffgym
    >>> breaker = cliffgym.scenario("Cliff-TieBreaker-v0", bonus=0.1)
    >>> policy = cliffgym.optimal(breaker.mdp, breaker.reward("incomplete")).policy  # uniform among four formats
    >>> measures = exact_measures(breaker, policy, "incomplete")
    >>> [round(measures[name], 3) for name in ("paid_return", "true_return", "target_format", "total_variation")]
    [1.0, 1.025, 0.25, 0.0]
    >>> round(measures["entropy"], 3)  # log(4) in one decision of two
    0.693
    """
    temperature = number("temperature", temperature, minimum=0)
    mdp = scenario.mdp
    visits = occupancy(mdp, policy)
    paid = scenario.reward(reward)
    measures = {
        "paid_return": float((visits * paid).sum()),
        "incomplete_return": float((visits * scenario.reward("incomplete")).sum()),
        "true_return": float((visits * scenario.reward("true")).sum()),
    }
    measures |= expected_components(mdp, scenario.components, policy)
    if (full := scenario.evaluation) is not None:
        everywhere = occupancy(full.mdp, policy)
        for name in ("incomplete", "true"):
            measures[f"evaluation_{name}_return"] = float((everywhere * full.reward(name)).sum())
    measures["entropy"] = _average(_entropy(policy), visits)
    if temperature > 0:
        exact = soft(mdp, paid, temperature, reference).policy
        distance = total_variation(policy, exact)
    else:
        optimum = optimal(mdp, paid)
        exact = optimum.policy
        # Shifting the mass that lies on suboptimal actions to optimal ones is the shortest way to an optimal policy.
        distance = np.where(optimum.optimal_actions, 0.0, policy).sum(axis=1)
    measures["total_variation"] = _average(distance, occupancy(mdp, exact))
    return measures


def _average(values: NDArray[np.float64], visits: NDArray[np.float64]) -> float:
    """The mean of values (S,) over the decisions counted by an occupancy measure (S, A)."""
    weights = visits.sum(axis=1)
    return float(values @ weights / weights.sum())


def _entropy(policy: NDArray[np.float64]) -> NDArray[np.float64]:
    """(S,) entropy of each row, in nats."""
    logs = np.log(policy, where=policy > 0, out=np.zeros_like(policy))
    return -(policy * logs).sum(axis=1)
