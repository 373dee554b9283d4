"""One self-contained HTML page: sources, styles and data in one file that asks for nothing else.

The sources are ordinary ES modules in the folder `source`. A page opened from disk may not import files, so the modules
are put into one script in the order in which they need each other, without their `import` lines and the word `export`:
no two modules may give one top-level name to different things.
"""

import base64
import hashlib
import json
import re
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any

_ENTRY = "main.js"
_STYLES = ("style.css", "pictures.css")
_IMPORT = re.compile(r'^import\s*\{[^}]*\}\s*from\s*"\./([a-z_]+\.js)";\n', re.MULTILINE)
_EXPORT = re.compile(r"^export (?=(?:async )?(?:function|const|let|class)\b)", re.MULTILINE)
_DEFINED = re.compile(r"^(?:async )?(?:function\*?|const|let|class) ([A-Za-z_$][\w$]*)", re.MULTILINE)

_LEFT_OVER = {
    "import": 'have the form import { name } from "./module.js";',
    "export": "stand before function, const, let or class",
}


def assemble(data: Mapping[str, Any]) -> str:
    """The page as HTML, with `data` in it."""
    script, style = joined_script(), "\n".join(map(_source, _STYLES))
    # All of the page is ASCII: in a frame's `srcdoc` its encoding is that of the page around it.
    text = json.dumps(data, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    # "<" ends a script element wherever it stands in it; in JSON it can only stand in a text, where it may be escaped.
    parts = {
        "policy": _security_policy(script, style),
        "style": style,
        "data": text.replace("<", "\\u003c"),
        "script": script,
    }
    return re.sub(r"\{\{(\w+)\}\}", lambda match: parts[match[1]], _source("page.html"))


@cache
def joined_script() -> str:
    """All modules as one script.

    Raises:
        ValueError: Modules import each other in a circle, two of them define one name, or one imports or exports in
            another form than the one that is known here.
    """
    ordered: list[str] = []
    _visit(_ENTRY, ordered, ())
    seen: dict[str, str] = {}
    parts = []
    for name in ordered:
        text = _EXPORT.sub("", _IMPORT.sub("", _source(name)))
        for word, rule in _LEFT_OVER.items():
            if left := re.search(rf"^{word}\b.*", text, re.MULTILINE):
                raise ValueError(f"{word} of {name} must {rule}, got {left[0]!r}")
        for defined in _DEFINED.findall(text):
            if defined in seen:
                raise ValueError(f"top-level names must differ, got {defined} in {seen[defined]} and in {name}")
            seen[defined] = name
        parts.append(f"// {name}\n{text}")
    joined = "\n".join(parts).replace("</script", "<\\/script")
    return re.sub(r"[^\x00-\x7f]", lambda match: json.dumps(match[0])[1:-1], joined)  # escapes, which mean the same


def _visit(name: str, ordered: list[str], path: tuple[str, ...]) -> None:
    """Adds a module after those that it imports."""
    if name in path:
        raise ValueError(f"modules must not import each other in a circle, got {' -> '.join((*path, name))}")
    if name in ordered:
        return
    for needed in _IMPORT.findall(_source(name)):
        _visit(needed, ordered, (*path, name))
    ordered.append(name)


def _security_policy(script: str, style: str) -> str:
    """A Content-Security-Policy that lets these very sources run and nothing be fetched."""
    hashes = [base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in (script, style)]
    return (
        f"default-src 'none'; script-src 'sha256-{hashes[0]}'; style-src 'sha256-{hashes[1]}'; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )


@cache
def _source(name: str) -> str:
    return (files("cliffgym.explorer") / "source" / name).read_text(encoding="utf-8")
