"""Checks of what a caller passes in: one message form for the whole library.

Every message reads "parameter, rule, actual value, place". A wrong type is a `TypeError`, a wrong value a
`ValueError`.
"""

import math
from collections.abc import Collection, Iterable, Sequence
from numbers import Integral, Real
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray


def integer(name: str, value: object, minimum: int, maximum: int | None = None) -> int:
    """Returns `value` as an int within [minimum, maximum].

    Raises:
        TypeError: `value` is not an integer (a bool is not one).
        ValueError: It lies outside the range.
    """
    if isinstance(value, bool) or not isinstance(value, Integral):
        raise TypeError(f"{name} must be an integer, got {value!r} of type {type(value).__name__}")
    whole = int(value)
    if whole < minimum or (maximum is not None and whole > maximum):
        rule = f">= {minimum}" if maximum is None else f"in [{minimum}, {maximum}]"
        raise ValueError(f"{name} must be {rule}, got {whole}")
    return whole


def number(name: str, value: object, minimum: float = -math.inf, maximum: float = math.inf) -> float:
    """Returns `value` as a finite float within [minimum, maximum].

    Raises:
        TypeError: `value` is not a real number (a bool is not one).
        ValueError: It is NaN, infinite or outside the range.
    """
    if isinstance(value, bool) or not isinstance(value, Real):
        raise TypeError(f"{name} must be a number, got {value!r} of type {type(value).__name__}")
    try:
        value = float(value)
    except OverflowError:
        raise ValueError(f"{name} must be finite, got a number beyond the largest float") from None
    if not math.isfinite(value):
        raise ValueError(f"{name} must be finite, got {value}")
    if not minimum <= value <= maximum:
        rule = f">= {minimum:g}" if maximum == math.inf else f"in [{minimum:g}, {maximum:g}]"
        raise ValueError(f"{name} must be {rule}, got {value!r}")
    return value


def array(name: str, values: ArrayLike, dtype: DTypeLike | None = np.float64) -> NDArray[Any]:
    """Returns a private copy of `values` as an array, of `dtype` unless that is None.

    Raises:
        TypeError: `values` is not a regular array of numbers.
    """
    try:
        return np.array(values, dtype=dtype)
    except (TypeError, ValueError, OverflowError) as error:
        raise TypeError(f"{name} must be an array of numbers, got {type(values).__name__}: {error}") from error


def sequence(name: str, values: object, of: str) -> list[Any]:
    """Returns `values`, a list, tuple or array, as a list.

    Args:
        name: What it is called.
        values: What was passed.
        of: What it should hold, in words, for the message.

    Raises:
        ValueError: It is no such thing, or empty.
    """
    if isinstance(values, np.ndarray) and values.ndim > 0:
        values = values.tolist()
    if isinstance(values, str | bytes) or not isinstance(values, Sequence) or not values:
        raise ValueError(f"{name} must be a non-empty sequence of {of}, got {values!r}")
    return list(values)


def flag(name: str, value: object) -> bool:
    """Returns `value`, which must be True or False."""
    if not isinstance(value, bool):
        raise TypeError(f"{name} must be True or False, got {value!r} of type {type(value).__name__}")
    return value


def choice(name: str, value: Any, options: Collection[Any], place: str = "") -> Any:
    """Returns `value` if it is one of `options`; the error lists them all."""
    try:
        known = value in options
    except (TypeError, ValueError):  # unhashable, or an array
        known = False
    if not known:
        where = f" of {place}" if place else ""
        raise ValueError(f"{name} must be one of {listing(options)}, got {value!r}{where}")
    return value


def listing(names: Iterable[Any]) -> str:
    """Names as they appear in a message: `"a", "b", "c"`."""
    return ", ".join(f'"{name}"' if isinstance(name, str) else repr(name) for name in names)
