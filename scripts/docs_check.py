"""Checks a built site of documentation: its links, what it loads, and its inventory. Run by scripts/docs.

Every link to a page, file or anchor within the site must lead there. Nothing may be loaded from elsewhere: scripts,
styles, pictures, fonts and frames come from the site itself, so that it can be read offline and tells nobody that it is
read. Links that a reader may follow to other places are welcome.
"""

import argparse
import re
import sys
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

ROOT = Path(__file__).resolve().parents[1]
LOADED = {
    ("audio", "src"),
    ("embed", "src"),
    ("iframe", "src"),
    ("image", "href"),
    ("image", "xlink:href"),
    ("img", "src"),
    ("input", "src"),
    ("object", "data"),
    ("script", "src"),
    ("source", "src"),
    ("track", "src"),
    ("use", "href"),
    ("use", "xlink:href"),
    ("video", "poster"),
    ("video", "src"),
}
"""Attributes whose address a browser loads by itself, by tag."""
LOADING_LINKS = re.compile(r"stylesheet|icon|preload|prefetch|preconnect|manifest")
"""What `<link rel=...>` says if the browser loads its address or connects to it."""
STYLE_ADDRESS = re.compile(r"""url\(\s*["']?([^"')]+)["']?\s*\)|@import\s+["']([^"']+)["']""")
SCRIPT_ADDRESS = re.compile(
    r"""(?:\bimport|\bfrom|\bfetch|\bimportScripts|\bWorker|\bsrc\s*=)\s*\(?\s*["'`]((?:https?:)?//[^"'`]+)"""
)


@dataclass
class Page(HTMLParser):
    """What a page of HTML has: anchors, addresses that it links to and addresses that it loads."""

    anchors: set[str] = field(default_factory=set)
    links: list[str] = field(default_factory=list)
    loaded: list[str] = field(default_factory=list)
    within: str = ""

    def __post_init__(self) -> None:
        super().__init__()

    def has(self, fragment: str) -> bool:
        """Whether the part of an address after # leads to something. With a = it is no anchor but settings."""
        return fragment in ("", "top") or "=" in fragment or fragment in self.anchors

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.within = tag
        given = {name: value or "" for name, value in attrs}
        self.anchors |= {given[name] for name in ("id", "name") if given.get(name)}
        loading = tag == "link" and bool(LOADING_LINKS.search(given.get("rel", "")))
        for name, value in given.items():
            if (tag, name) in LOADED or (loading and name == "href"):
                self.loaded.append(value)
            elif name == "href" and tag in ("a", "area", "link"):
                self.links.append(value)
            elif name in ("srcset", "imagesrcset"):
                self.loaded += [part.split()[0] for part in value.split(", ") if part.split()]
            elif name == "style":
                self.loaded += style_addresses(value)
        if tag == "meta" and given.get("http-equiv", "").lower() == "refresh":
            self.loaded += re.findall(r"url=(\S+)", given.get("content", ""), re.IGNORECASE)

    def handle_endtag(self, tag: str) -> None:
        self.within = ""

    def handle_data(self, data: str) -> None:
        if self.within == "style":
            self.loaded += style_addresses(data)
        elif self.within == "script":
            self.loaded += SCRIPT_ADDRESS.findall(data)


def style_addresses(text: str) -> list[str]:
    """What a style sheet loads."""
    return [first or second for first, second in STYLE_ADDRESS.findall(text)]


def read_page(path: Path) -> Page:
    """A page, read."""
    page = Page()
    page.feed(path.read_text(encoding="utf-8"))
    page.close()
    return page


class Site:
    """A built site: a folder, and its pages as they are needed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder.resolve()
        self.pages = {path: read_page(path) for path in sorted(self.folder.rglob("*.html"))}

    def problems(self) -> Iterator[str]:
        """What is wrong with links and with what is loaded, one line each."""
        for path, page in self.pages.items():
            for address in page.links:
                if not _outside(address):
                    yield from self.unresolved(path, address)
            yield from self.bad_loads(path, page.loaded)
        for path in sorted(self.folder.rglob("*.css")):
            yield from self.bad_loads(path, style_addresses(path.read_text(encoding="utf-8")))

    def bad_loads(self, path: Path, addresses: Iterable[str]) -> Iterator[str]:
        """What a file loads from elsewhere, or from within the site although it is not there."""
        for address in addresses:
            if address.startswith(("data:", "about:", "blob:")):
                continue
            if _outside(address):
                yield f"{path.relative_to(self.folder)}: loads from outside: {address}"
            else:
                yield from self.unresolved(path, address)

    def unresolved(self, path: Path, address: str) -> Iterator[str]:
        """What is wrong with an address within the site."""
        parts, place = urlsplit(address), path.relative_to(self.folder)
        target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
        if parts.path.startswith("/") or not target.is_relative_to(self.folder):
            yield f"{place}: leads out of the site: {address}"
        elif not target.is_file():
            yield f"{place}: no such file: {address}"
        elif target in self.pages and not self.pages[target].has(unquote(parts.fragment)):
            yield f"{place}: no such anchor: {address}"


def _outside(address: str) -> bool:
    """Whether an address is one of another host, or of no file at all, such as `mailto:`."""
    parts = urlsplit(address)
    return bool(parts.scheme or parts.netloc)


def inventory(file: Path) -> set[str]:
    """The Python names that a Sphinx inventory lists."""
    version, *_, text = file.read_bytes().split(b"\n", 4)
    if version.strip() != b"# Sphinx inventory version 2":
        raise ValueError(f"inventory must be of version 2, got {version.decode(errors='replace')!r} in {file}")
    lines = zlib.decompress(text).decode().splitlines()
    return {line.split(" ", 1)[0] for line in lines if re.match(r"\S+ py:", line)}


def undocumented(file: Path, names: Iterable[str]) -> Iterator[str]:
    """The names that an inventory lacks, one line each."""
    known = inventory(file) if file.is_file() else set()
    for name in names:
        if name not in known:
            yield f"{file.name}: no entry for {name}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Checks a site; returns the exit status."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path, help="the built site, such as build/docs")
    folder: Path = parser.parse_args(arguments).folder
    if not (folder / "index.html").is_file():
        print(f"folder must be a built site, got {folder}, which has no index.html", file=sys.stderr)
        return 2
    sys.path.insert(0, str(ROOT / "docs" / "_extensions"))
    from public_api import every_name

    site = Site(folder)
    lines = sorted({*site.problems(), *undocumented(folder / "objects.inv", (name for name, _ in every_name()))})
    print(
        "\n".join(lines)
        or f"{len(site.pages)} pages: links resolve, nothing is loaded from outside, no name is missing"
    )
    return 1 if lines else 0


if __name__ == "__main__":
    sys.exit(main())
