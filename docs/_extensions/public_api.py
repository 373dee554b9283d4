"""What is public, and where the API reference describes it. Knows no Sphinx: `scripts/docs_check.py` reads it too.

A name that several modules offer is described once, under the first of `MODULES` that has it; the others link there.
"""

import ast
import inspect
from collections.abc import Iterator
from functools import cache
from importlib import import_module
from itertools import pairwise

MODULES = (
    "cliffgym.solvers",
    "cliffgym.analysis",
    "cliffgym.analysis.bounds",
    "cliffgym.envs",
    "cliffgym.scenarios",
    "cliffgym.plots",
    "cliffgym.sweeps",
    "cliffgym.explorer",
    "cliffgym.testing",
    "cliffgym_agents",
    "cliffgym_agents.sweeps",
    "cliffgym_agents.claims",
    "cliffgym",
)


@cache
def public_names(module: str) -> tuple[str, ...]:
    """The names that a module offers, in its own order: its `__all__`, or what it defines itself."""
    found = import_module(module)
    if hasattr(found, "__all__"):
        return tuple(found.__all__)
    return tuple(name for name in _defined(module) if not name.startswith("_"))


@cache
def home(module: str, name: str) -> str:
    """The full name under which the reference describes what a module offers as `name`."""
    thing = getattr(import_module(module), name)
    for other in MODULES:
        if name in public_names(other) and getattr(import_module(other), name) is thing:
            return f"{other}.{name}"
    return f"{module}.{name}"


@cache
def origin(module: str, name: str) -> str:
    """The module in which a name is defined that another one offers."""
    for node in ast.parse(inspect.getsource(import_module(module))).body:
        if isinstance(node, ast.ImportFrom) and node.module and any(name == alias.name for alias in node.names):
            return origin(node.module, name)
    return module


def is_data(thing: object) -> bool:
    """Whether a thing is neither class nor function, so that its own docstring would be that of its type."""
    return not (inspect.isclass(thing) or inspect.isroutine(thing))


def description(module: str, name: str) -> str:
    """What is written about a name: its docstring, or of a constant the string under it, where it is defined."""
    thing = getattr(import_module(module), name)
    if not is_data(thing):
        return inspect.getdoc(thing) or ""
    body = ast.parse(inspect.getsource(import_module(origin(module, name)))).body
    for node, following in pairwise(body):
        if name in _assigned(node) and isinstance(following, ast.Expr) and isinstance(following.value, ast.Constant):
            return inspect.cleandoc(str(following.value.value))
    return ""


def every_name() -> Iterator[tuple[str, str]]:
    """Each full public name, and the one under which it is described."""
    for module in MODULES:
        for name in public_names(module):
            yield f"{module}.{name}", home(module, name)


def _defined(module: str) -> Iterator[str]:
    """The functions, classes and constants that the text of a module defines."""
    for node in ast.parse(inspect.getsource(import_module(module))).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            yield node.name
        yield from _assigned(node)


def _assigned(node: ast.stmt) -> list[str]:
    """The names that a statement assigns."""
    targets = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
    return [target.id for target in targets if isinstance(target, ast.Name)]
