"""Writes the explorer, a page of its own, into the built site: `_static/explorer.html`, which the start page shows."""

from pathlib import Path

from sphinx.application import Sphinx

from cliffgym.explorer import explorer_page


def write_explorer(app: Sphinx, error: Exception | None) -> None:
    """Writes the page once a site of HTML is built."""
    if error is None and app.builder.format == "html":
        Path(app.outdir, "_static", "explorer.html").write_text(explorer_page(), encoding="utf-8")


def setup(app: Sphinx) -> dict[str, bool]:
    """Called by Sphinx."""
    app.connect("build-finished", write_explorer)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
