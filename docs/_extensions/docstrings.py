"""What autodoc and napoleon make of docstrings, mended where they are at a loss."""

import inspect
import re
from typing import Any

from public_api import description
from sphinx.application import Sphinx
from sphinx.domains.python import PythonDomain

from cliffgym import SCENARIOS

_BUILDERS = {build: id for id, build in SCENARIOS.items()}
_BEFORE_NAPOLEON, _AFTER_NAPOLEON = 400, 600


def protect_colons(_app: Sphinx, what: str, _name: str, _thing: Any, _options: Any, lines: list[str]) -> None:
    """An empty comment first: napoleon takes what is before a colon on a property's first line for a type."""
    if what in ("attribute", "property"):
        lines[:0] = ["..", ""]


def process_docstring(_app: Sphinx, what: str, name: str, thing: Any, _options: Any, lines: list[str]) -> None:
    """A constant has what is written under it; a scenario's Markdown is on its page, so here is its first line."""
    if what == "data":
        lines[:] = description(*name.rsplit(".", 1)).splitlines()
    elif inspect.isfunction(thing) and thing in _BUILDERS:
        lines[1:] = ["", f"Its page is :doc:`/environments/{_BUILDERS[thing]}`."]
    escape_bars(lines)


def escape_bars(lines: list[str]) -> None:
    """A bar is one, as in P(s'|s, a), and begins no substitution; in examples it is left alone anyway."""
    example = False
    for i, line in enumerate(lines):
        example = line.lstrip().startswith(">>>") or (example and bool(line.strip()))
        if not example:
            lines[i] = re.sub(r"(?<!\\)\|", r"\\|", line)


def setup(app: Sphinx) -> dict[str, bool]:
    """Called by Sphinx."""
    for kind in getattr(PythonDomain.directives["class"], "doc_field_types"):  # noqa: B009
        if kind.name == "variable":
            kind.label = "Attributes"
    app.connect("autodoc-process-docstring", protect_colons, _BEFORE_NAPOLEON)
    app.connect("autodoc-process-docstring", process_docstring, _AFTER_NAPOLEON)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
