"""The walk over a policy's functional graph in twice the precision, for gamma close to 1.

There the value of a cycle divides a sum in which rewards may cancel by 1 - gamma^L, which magnifies rounding by up to
1/(1 - gamma) and would hide exact ties. Numbers are carried as unevaluated sums of two doubles, so that what is stored
in the end is right to its last digit or two.

Source: Dekker (1971), A floating-point technique for extending the available precision, Numerische Mathematik 18;
Knuth (1998), The Art of Computer Programming, volume 2, section 4.2.2, theorem B.
"""

from cliffgym.kernels import compiled
from cliffgym.solvers.compiled.inlining import inlined
from cliffgym.solvers.compiled.walks import DONE, ON_PATH

_SPLITTER = 134217729.0  # 2^27 + 1 cuts a double's 53 bits into two halves whose products are exact


@compiled
def _add(high, low, more):  # type: ignore[no-untyped-def]
    """The pair (high + low) + more."""
    total = high + more
    part = total - high
    low += (high - (total - part)) + (more - part)
    head = total + low
    return head, low - (head - total)


@compiled
def _times(high, low, factor):  # type: ignore[no-untyped-def]
    """The pair (high + low) · factor."""
    product = high * factor
    cut = _SPLITTER * high
    high_head = cut - (cut - high)
    high_rest = high - high_head
    cut = _SPLITTER * factor
    factor_head = cut - (cut - factor)
    factor_rest = factor - factor_head
    error = high_head * factor_head - product
    error += high_head * factor_rest + high_rest * factor_head
    error += high_rest * factor_rest
    error += low * factor
    head = product + error
    return head, error - (head - product)


@compiled
def _ratio(high, low, divisor_high, divisor_low):  # type: ignore[no-untyped-def]
    """The pair (high + low) / (divisor_high + divisor_low)."""
    first = high / divisor_high
    product_high, product_low = _times(divisor_high, divisor_low, first)
    left, rest = _add(high, low - product_low, -product_high)
    second = (left + rest) / divisor_high
    head = first + second
    return head, second - (head - first)


@compiled
def walk_refined(following, values, rest, path, gamma):  # type: ignore[no-untyped-def]
    """As `walks.walk`; `rest` (S,) holds what a double has no room for of each final value, 0 at first."""
    peak = 0.0
    for start in range(following.size):
        length = 0
        state = start
        ahead = following[state]
        while ahead >= 0:
            following[state] = ON_PATH
            path[length] = state
            length += 1
            state = ahead
            ahead = following[state]
        if ahead == ON_PATH:
            first = length
            high, low, weight, weight_rest = 0.0, 0.0, 0.0, 0.0
            while True:
                first -= 1
                high, low = _times(high, low, gamma)
                high, low = _add(high, low, values[path[first]])
                # 1 - gamma^L by the same recurrence, from 1 - gamma, which is exact for gamma >= 1/2.
                weight, weight_rest = _times(weight, weight_rest, gamma)
                weight, weight_rest = _add(weight, weight_rest, 1.0 - gamma)
                if path[first] == state:
                    break
            high, low = _ratio(high, low, weight, weight_rest)
            values[state], rest[state] = high, low
            following[state] = DONE
            peak = max(peak, abs(high))
            peak = max(peak, _retrace_refined(following, values, rest, path, first + 1, length, gamma, high, low))
            length = first
        if length:
            high, low = values[state], rest[state]
            peak = max(peak, _retrace_refined(following, values, rest, path, 0, length, gamma, high, low))
    return peak


@inlined
def _retrace_refined(following, values, rest, path, low_place, high_place, gamma, high, low):  # type: ignore[no-untyped-def]
    """As `walks._retrace`, with the value of the state after them as a pair."""
    peak = 0.0
    for place in range(high_place - 1, low_place - 1, -1):
        state = path[place]
        high, low = _times(high, low, gamma)
        high, low = _add(high, low, values[state])
        values[state], rest[state] = high, low
        following[state] = DONE
        peak = max(peak, abs(high))
    return peak
