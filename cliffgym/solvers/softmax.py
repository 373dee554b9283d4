"""The soft maximum of action values, and the policy that attains it.

Shapes: S states, A actions.
"""

import numpy as np
from numpy.typing import NDArray


def soft_maximum(
    q_values: NDArray[np.float64], log_weights: NDArray[np.float64], temperature: float | NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Soft maxima, temperature · log Σ_a exp(q / temperature + log-weight).

    Args:
        q_values: (..., S, A).
        log_weights: (S, A), -inf where an action may not be taken.
        temperature: A number, or an array (..., 1).

    Returns:
        (..., S) the maxima, and (..., S, A) the probabilities that attain them.
    """
    # The largest value among actions that may be taken is taken out before dividing by the temperature: at 1e-6,
    # q / temperature would leave few digits for the differences that matter.
    allowed = np.isfinite(log_weights)
    peak = np.where(allowed, q_values, -np.inf).max(axis=-1)
    q_values = np.where(allowed, q_values, peak[..., None])  # whatever the others are worth, it must not overflow
    logits = (q_values - peak[..., None]) / np.asarray(temperature)[..., None] + log_weights
    top = logits.max(axis=-1)
    weights = np.exp(logits - top[..., None])
    totals = weights.sum(axis=-1)
    return peak + temperature * (top + np.log(totals)), weights / totals[..., None]
