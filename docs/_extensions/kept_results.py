"""Results of pages that are run are kept for the code that gave them, and for no other.

The cache of notebooks knows the text of a page but not the code that it calls. So it lies in a folder named after a
checksum of the packages; when that changes Sphinx reads every page anew, because the folder is part of its settings.
"""

import hashlib
import shutil
from importlib.util import find_spec
from pathlib import Path

from sphinx.application import Sphinx
from sphinx.config import Config

PACKAGES = ("cliffgym", "cliffgym_agents")


def code_checksum() -> str:
    """A checksum of the packages' files, as they are imported."""
    total = hashlib.sha256()
    for package in PACKAGES:
        spec = find_spec(package)
        for folder in (spec and spec.submodule_search_locations) or ():
            for path in sorted(Path(folder).rglob("*")):
                if path.is_file() and "__pycache__" not in path.parts:
                    total.update(f"{package}/{path.relative_to(folder)}\0".encode() + path.read_bytes())
    return total.hexdigest()[:16]


def choose_cache(app: Sphinx, config: Config) -> None:
    """Sets the folder of results, beside that of the built site, and removes those of other code."""
    caches = Path(app.outdir).parent / "docs-results"
    chosen = caches / code_checksum()
    for folder in caches.glob("*"):
        if folder != chosen:
            shutil.rmtree(folder)
    config.nb_execution_cache_path = str(chosen)


def setup(app: Sphinx) -> dict[str, bool]:
    """Called by Sphinx."""
    app.connect("config-inited", choose_cache)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
