"""Gives NumPy's names for types of arrays a name at run time, so that signatures have them as the source does.

They are aliases, of which nothing but the long unions and generics that they stand for is left once a module is
imported. Must come before the extensions that import CliffGym.
"""

import sys
from typing import Generic, TypeVar

import numpy.typing as npt
from sphinx.application import Sphinx
from sphinx.errors import ExtensionError

_T = TypeVar("_T")


class ArrayLike:
    """Stands for `numpy.typing.ArrayLike`."""


class NDArray(Generic[_T]):
    """Stands for `numpy.typing.NDArray`."""


def setup(app: Sphinx) -> dict[str, bool]:
    """Called by Sphinx."""
    if "cliffgym" in sys.modules:
        raise ExtensionError("array_types must come before the extensions that import cliffgym")
    for alias in (ArrayLike, NDArray):
        alias.__module__ = "numpy.typing"
        setattr(npt, alias.__name__, alias)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
