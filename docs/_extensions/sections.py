"""Hangs pages below others in the tree of contents, where those are plain Markdown that a generator writes.

On a code host these pages are read as they are: a directive would show there, so it is added while Sphinx reads them.
"""

from sphinx.application import Sphinx

from cliffgym import SCENARIOS

BELOW = {
    "environments/README": tuple(SCENARIOS),
    "reproduction": ("training", "demo/README"),
    "benchmarks/README": ("limits", "explorer"),
}
"""Pages by the page that they hang below, as seen from there."""


def add_tree(_app: Sphinx, page: str, source: list[str]) -> None:
    """Adds the tree of contents to the text of a page."""
    if page in BELOW:
        source[0] += "\n".join(["", "```{toctree}", ":hidden:", "", *BELOW[page], "```", ""])


def setup(app: Sphinx) -> dict[str, bool]:
    """Called by Sphinx."""
    app.connect("source-read", add_tree)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
