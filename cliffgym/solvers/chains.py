"""Linear systems of Markov chains, solved by iteration in time and memory linear in the number of transitions.

With P the transition matrix of a chain, its rows 0 at terminal states, they are x = c + gamma P x, for values, and
x = c + gamma P^T x, for visits. Below, W is gamma P or gamma P^T. Each round computes what x still lacks, solves for a
correction by BiCGStab, and falls back on plain sweeps, which always come closer, wherever that fails. With `refined`
the lack is computed in extended precision, so that x is right to rounding although the system magnifies rounding by up
to 1/(1 - gamma).

Shapes: S states, K weighted successors of each.

Source: van der Vorst (1992), Bi-CGSTAB, SIAM J. Sci. Stat. Comput. 13(2); Higham (2002), Accuracy and Stability of
Numerical Algorithms, chapter 12 (iterative refinement); Bertsekas (2012), Dynamic Programming and Optimal Control,
volume 2, section 2.3 (aggregation of all states in one).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float64]

_EPS = float(np.finfo(float).eps)
_CORRECTION = 1e-9
"""How much of what is lacking one round may leave: far more than rounding, so that BiCGStab does not run in place."""
_NEGLIGIBLE = 0.1
_STRETCH = 2000
"""How often a round may apply the chain at first; later, as often as all rounds before it together."""
_BLOCK = 1 << 17


@dataclass(frozen=True, eq=False)
class Chain:
    """A discounted chain.

    Attributes:
        gamma: Discount.
        weights: (S, K) probabilities; 0 in the rows of terminal states.
        targets: (S, K) the states they lead to.
        transposed: Whether `apply` hands values on along the transitions instead of looking them up.
        kernel: "numpy" or "numba".
    """

    gamma: float
    weights: NDArray[np.float64]
    targets: NDArray[np.signedinteger]
    transposed: bool
    kernel: str

    def apply(self, values: Vector) -> Vector:
        """(S,) W x for `values` x (S,)."""
        if self.kernel == "numba":
            from cliffgym.solvers.compiled import chains

            result = np.empty(values.size)
            step = chains.backward if self.transposed else chains.forward
            step(self.gamma, self.weights, self.targets, values, result)
            return result
        if self.transposed:
            flow = (self.gamma * self.weights * values[:, None]).ravel()
            return np.bincount(self.targets.ravel(), flow, values.size).astype(float, copy=False)
        return self.gamma * np.einsum("sk,sk->s", self.weights, values.take(self.targets))

    def lacks(self, constant: Vector, values: Vector, refined: bool) -> Vector:
        """(S,) c + W x - x, in extended precision if `refined` (and not transposed) and the machine has it."""
        if not refined or self.transposed:
            return constant + self.apply(values) - values
        result = np.empty(values.size)
        for low in range(0, values.size, _BLOCK):
            rows = slice(low, low + _BLOCK)
            ahead = self.weights[rows].astype(np.longdouble) * values[self.targets[rows]]
            result[rows] = constant[rows] + np.longdouble(self.gamma) * ahead.sum(axis=1) - values[rows]
        return result


def settle(
    chain: Chain,
    constant: Vector,
    guess: Vector | None = None,
    *,
    tolerance: float = 0.0,
    refined: bool = False,
    limit: int,
) -> Vector | None:
    """Solves x = c + W x until only rounding moves it.

    Args:
        chain: W, transposed or not.
        constant: (S,) c, 0 at terminal states.
        guess: (S,) where to start, 0 at terminal states. Default: 0.
        tolerance: What x may lack in any state. At 0, what rounding makes of it.
        refined: Whether to compute what is lacking in extended precision.
        limit: How often the chain may be applied.

    Returns:
        (S,) x, or None where the limit came first. It is not finite where the sums overflow.
    """
    values = np.zeros(constant.size) if guess is None else guess
    lacks, spent = constant if guess is None else chain.lacks(constant, values, refined), 1
    size, closer = _size(lacks), True
    while np.isfinite(size):
        scale = _EPS * _size(values)
        at_rounding = size <= 4 * scale or (not closer and size <= (16 + chain.weights.shape[1]) * scale)
        if size <= tolerance or (at_rounding and not refined):
            return values
        if spent >= limit:
            return None
        # What may be left: in the end, what moves values by less than rounding, however the system magnifies it.
        wanted = max(tolerance / 2, _NEGLIGIBLE * max(1 - chain.gamma, _EPS) * scale if refined else scale)
        method, target = (_bicgstab if closer else _sweeps), max(_CORRECTION, wanted / size)
        correction, left, used = method(chain, lacks / size, target, min(limit - spent, max(_STRETCH, spent)))
        moved = values + size * correction
        if refined and (at_rounding or left * size <= wanted):  # what is lacking could not show it
            return moved
        lacking = chain.lacks(constant, moved, refined)
        spent += used + 1
        closer = _size(lacking) <= size / 2  # if not, sweeps come next
        if _size(lacking) < size or (method is _sweeps and not np.isfinite(_size(lacking))):
            values, lacks, size = moved, lacking, _size(lacking)
    return values + lacks


def _size(vector: Vector) -> float:
    return float(max(vector.max(), -vector.min()))


def _bicgstab(chain: Chain, lacks: Vector, target: float, limit: int) -> tuple[Vector, float, int]:
    """A correction (S,) after which no more than `target` is lacking, or the best one met.

    Returns:
        The correction, what is lacking after it, and how often the chain was applied.
    """
    solution, best, least = np.zeros(lacks.size), np.zeros(lacks.size), 1.0
    residual, room = lacks.copy(), np.empty(lacks.size)
    direction, image = np.zeros(lacks.size), np.zeros(lacks.size)
    rho = alpha = omega = np.float64(1)
    used = 0
    with np.errstate(all="ignore"):
        while least > target and used < limit:
            previous, rho = rho, lacks @ residual
            # direction = residual + beta (direction - omega image), and so on: in place, for these are long.
            direction -= np.multiply(image, omega, out=room)
            direction *= rho / previous * (alpha / omega)
            direction += residual
            image = chain.apply(direction)
            np.subtract(direction, image, out=image)
            alpha = rho / (lacks @ image)
            solution += np.multiply(direction, alpha, out=room)
            residual -= np.multiply(image, alpha, out=room)
            turned = chain.apply(residual)
            np.subtract(residual, turned, out=turned)
            used += 2
            length = turned @ turned
            omega = (turned @ residual) / length if length else np.float64(0)
            solution += np.multiply(residual, omega, out=room)
            residual -= np.multiply(turned, omega, out=room)
            size = _size(residual)
            if not size < np.inf:
                break  # it has broken down
            if size < least:
                least = size
                best[:] = solution
    return best, least, used


def _sweeps(chain: Chain, lacks: Vector, target: float, limit: int) -> tuple[Vector, float, int]:
    """The same by plain sweeps x = c + W x, with the constant along living states that takes out the slowest mode."""
    solution, residual, used = np.zeros(lacks.size), lacks, 0
    living = (chain.weights != 0).any(axis=1) & (not chain.transposed)
    drift = living - chain.apply(living.astype(float))
    total = float(drift.sum())
    while _size(residual) > target and used < limit:
        constant = float(residual.sum()) / total if total else 0.0
        if _size(residual - constant * drift) < _size(residual):
            solution = solution + constant * living
            residual = residual - constant * drift
        solution = solution + residual
        residual = chain.apply(residual)
        used += 1
    return solution, _size(residual), used
