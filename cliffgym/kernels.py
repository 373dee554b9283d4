"""Which code does the heavy loops: NumPy, which is always there, or functions compiled by numba (extra `fast`).

Both give the same answers: environments bit for bit, solvers up to rounding. numba takes most of a second to import, so
nothing here imports it before a caller's choice asks for it, and what is small never does unless told to.
"""

import importlib.util
from collections.abc import Callable
from functools import cache
from typing import Any, TypeVar

from cliffgym.checks import choice

KERNELS = ("auto", "numpy", "numba")
"""What a parameter `kernel` may be. "auto" is numba where it is installed and the work is large enough, else NumPy."""

COMPILED_WORK = 100_000
"""Successor slots S · A · B, times rewards where there are several, from which solvers compile if told "auto".

Below it NumPy solves in milliseconds to tenths of a second, and loading numba takes most of a second.
"""

_Function = TypeVar("_Function", bound=Callable[..., Any])


@cache
def has_numba() -> bool:
    """Whether numba is installed."""
    return importlib.util.find_spec("numba") is not None


def choose_kernel(kernel: str, worthwhile: bool = True) -> str:
    """Which kernel to use: "numpy" or "numba".

    Args:
        kernel: One of `KERNELS`.
        worthwhile: Whether "auto" should prefer numba: False where the work is so small that loading it costs more.

    Raises:
        ValueError: There is no such kernel.
        ImportError: "numba" is asked for and not installed.
    """
    choice("kernel", kernel, KERNELS)
    if kernel == "numba" and not has_numba():
        raise ImportError("kernel \"numba\" needs numba, which is not installed: pip install 'cliffgym[fast]'")
    if kernel == "auto":
        return "numba" if worthwhile and has_numba() else "numpy"
    return kernel


def compiled(function: _Function) -> _Function:
    """Compiles a function with numba when it is first called, and keeps the machine code on disk where that can be.

    Floating-point operations stay in the order in which they are written, so results are those of Python.
    """
    import numba

    options: dict[str, Any] = {"nogil": True, "error_model": "numpy"}
    try:
        return numba.njit(cache=True, **options)(function)  # type: ignore[return-value]
    except RuntimeError:  # no folder to cache in is writable
        return numba.njit(**options)(function)  # type: ignore[return-value]
