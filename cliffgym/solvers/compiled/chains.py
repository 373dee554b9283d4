"""One step along a Markov chain with K weighted successors of each state.

Shapes: S states, K successors.
"""

from cliffgym.kernels import compiled


@compiled
def forward(gamma, weights, targets, values, result):  # type: ignore[no-untyped-def]
    """Writes to `result` (S,) gamma times the weighted sum of `values` (S,) over each state's successors."""
    for state in range(weights.shape[0]):
        total = 0.0
        for slot in range(weights.shape[1]):
            total += weights[state, slot] * values[targets[state, slot]]
        result[state] = gamma * total


@compiled
def backward(gamma, weights, targets, values, result):  # type: ignore[no-untyped-def]
    """Writes to `result` (S,) what `values` (S,) hand on to each state, gamma times weighted."""
    result[:] = 0.0
    for state in range(weights.shape[0]):
        for slot in range(weights.shape[1]):
            result[targets[state, slot]] += gamma * weights[state, slot] * values[state]
