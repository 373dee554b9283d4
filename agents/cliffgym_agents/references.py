"""What algorithms with a KL penalty share: the reference policy, and the divergence from it.

Shapes: N samples, S states, A actions.
"""

import numpy as np
import torch
from numpy.typing import NDArray


def check_reference(reference: NDArray[np.float64], shape: tuple[int, int]) -> None:
    """Checks a reference policy.

    Raises:
        ValueError: It is not probabilities (S, A) of that shape.
    """
    sums = reference.sum(axis=-1)
    if reference.shape != shape or not (reference >= 0).all() or not np.allclose(sums, 1, atol=1e-6):
        raise ValueError(
            f"reference must be probabilities (S, A) = {shape} that sum to 1, got shape {reference.shape} and sums "
            f"from {sums.min()} to {sums.max()}"
        )


def log_reference(reference: NDArray[np.float64], floor: float, device: torch.device) -> torch.Tensor:
    """(S, A) logarithms of a reference policy whose probabilities count as `floor` at least."""
    return torch.as_tensor(np.log(np.maximum(reference, floor)), dtype=torch.float32, device=device)


def divergences(logs: torch.Tensor, reference: torch.Tensor) -> torch.Tensor:
    """(N,) KL divergences of policies from references, both (N, A) logarithms, in nats."""
    # A probability that has become 0 may have an infinite logarithm, and adds nothing.
    finite = logs.clamp(min=torch.finfo(logs.dtype).min)
    return (logs.exp() * (finite - reference)).sum(dim=1)
