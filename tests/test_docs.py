"""The documentation: what scripts/docs_check.py finds wrong with a built site, and that no public name is left out."""

import ast
import builtins
import doctest
import importlib
import inspect
import re
import sys
import tomllib
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest


def find_root() -> Path:
    """The folder of pyproject.toml above this file."""
    for folder in Path(__file__).resolve().parents:
        if (folder / "pyproject.toml").exists():
            return folder
    raise FileNotFoundError("pyproject.toml")


ROOT = find_root()
DOCS = ROOT / "docs"


def load(name: str, folder: Path) -> Any:
    """A module that is in no package."""
    sys.path.insert(0, str(folder))
    try:
        return importlib.import_module(name)
    finally:
        sys.path.remove(str(folder))


@pytest.fixture(scope="module")
def check() -> Any:
    return load("docs_check", ROOT / "scripts")


@pytest.fixture(scope="module")
def public() -> Any:
    return load("public_api", DOCS / "_extensions")


# A site made up


def site(folder: Path, **pages: str) -> Path:
    """Writes pages of HTML, with a style sheet and a picture beside them."""
    for name, body in {"index": "", **pages}.items():
        path = folder / f"{name.replace('__', '/')}.html"
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"<!doctype html><html><body>{body}</body></html>", encoding="utf-8")
    (folder / "style.css").write_text("p { color: black }", encoding="utf-8")
    (folder / "picture.png").write_bytes(b"\x89PNG")
    return folder


def problems(check: Any, folder: Path) -> list[str]:
    return list(check.Site(folder).problems())


def test_a_sound_site_passes(check: Any, tmp_path: Path) -> None:
    index = """
        <link rel="stylesheet" href="style.css"> <img src="picture.png" alt="">
        <img src="data:image/png;base64,AA==" alt="">
        <a href="guide.html#first-step">inside</a> <a href="#">top</a> <a href="below/page.html">below</a>
        <a href="https://arxiv.org/abs/2507.20150">outside</a> <a href="mailto:someone@example.org">mail</a>
        <a href="guide.html#id=Cliff-Slacker-v0&weight=1">settings</a> <svg><use href="#mark"></use><g id="mark"/></svg>
    """
    guide = "<h2 id='first-step'>First</h2> <a href='index.html'>back</a> <a href='#%C3%BCber'>on</a> <p id='über'></p>"
    site(tmp_path, index=index, guide=guide, below__page="<a href='../index.html'>up</a>")
    assert problems(check, tmp_path) == []


@pytest.mark.parametrize(
    ("body", "found"),
    [
        ("<a href='gone.html'>x</a>", "no such file: gone.html"),
        ("<a href='below/'>x</a>", "no such file: below/"),
        ("<img src='gone.png' alt=''>", "no such file: gone.png"),
        ("<iframe src='_static/explorer.html'></iframe>", "no such file: _static/explorer.html"),
        ("<a href='#gone'>x</a>", "no such anchor: #gone"),
        ("<a href='guide.html#gone'>x</a>", "no such anchor: guide.html#gone"),
        ("<a href='../outside.html'>x</a>", "leads out of the site: ../outside.html"),
        ("<a href='/guide.html'>x</a>", "leads out of the site: /guide.html"),
    ],
)
def test_a_link_that_leads_nowhere_is_found(check: Any, tmp_path: Path, body: str, found: str) -> None:
    site(tmp_path, index=body, guide="<p id='there'></p>", below__page="")
    assert problems(check, tmp_path) == [f"index.html: {found}"]


@pytest.mark.parametrize(
    "body",
    [
        "<script src='ADDRESS'></script>",
        "<link rel='stylesheet' href='ADDRESS'>",
        "<link rel='preconnect' href='ADDRESS'>",
        "<link rel='shortcut icon' href='ADDRESS'>",
        "<img src='ADDRESS' alt=''>",
        "<img srcset='picture.png 1x, ADDRESS 2x' alt=''>",
        "<iframe src='ADDRESS'></iframe>",
        "<svg><image href='ADDRESS'/></svg>",
        "<p style='background: url(ADDRESS)'></p>",
        '<style>@import "ADDRESS";</style>',
        "<style>@font-face { src: url('ADDRESS') format('woff2') }</style>",
        "<script type='module'>import { draw } from 'ADDRESS';</script>",
        "<script>fetch('ADDRESS').then(draw)</script>",
        "<meta http-equiv='refresh' content='0; url=ADDRESS'>",
    ],
)
@pytest.mark.parametrize("address", ["https://cdn.example.org/x.js", "//cdn.example.org/x.js"])
def test_whatever_is_loaded_from_outside_is_found(check: Any, tmp_path: Path, body: str, address: str) -> None:
    site(tmp_path, index=body.replace("ADDRESS", address))
    assert problems(check, tmp_path) == [f"index.html: loads from outside: {address}"]


def test_style_sheets_are_read_too(check: Any, tmp_path: Path) -> None:
    site(tmp_path)
    style = (
        "@import 'https://fonts.example.org/a.css'; p { background: url(gone.png) } q { background: url(picture.png) }"
    )
    (tmp_path / "style.css").write_text(style, encoding="utf-8")
    assert problems(check, tmp_path) == [
        "style.css: loads from outside: https://fonts.example.org/a.css",
        "style.css: no such file: gone.png",
    ]


# Its inventory


def write_inventory(file: Path, names: Iterator[str] | list[str]) -> None:
    lines = "".join(f"{name} py:function 1 api.html#$ -\n" for name in names) + "page std:doc -1 page.html A page\n"
    header = b"# Sphinx inventory version 2\n# Project: x\n# Version: 1\n# The remainder is compressed.\n"
    file.write_bytes(header + zlib.compress(lines.encode()))


def test_a_name_without_an_entry_is_found(check: Any, tmp_path: Path) -> None:
    write_inventory(tmp_path / "objects.inv", ["cliffgym.soft", "cliffgym.softly"])
    names = ["cliffgym.soft", "cliffgym.optimal", "page"]
    assert list(check.undocumented(tmp_path / "objects.inv", names)) == [
        "objects.inv: no entry for cliffgym.optimal",
        "objects.inv: no entry for page",
    ]


def test_an_inventory_of_another_form_is_refused(check: Any, tmp_path: Path) -> None:
    (tmp_path / "objects.inv").write_bytes(b"# Sphinx inventory version 1\n\n\n\n")
    with pytest.raises(ValueError, match="inventory must be of version 2, got '# Sphinx inventory version 1' in "):
        check.inventory(tmp_path / "objects.inv")


def test_the_exit_status_tells(check: Any, public: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert check.main([str(tmp_path)]) == 2
    assert "folder must be a built site" in capsys.readouterr().err
    site(tmp_path)
    assert check.main([str(tmp_path)]) == 1
    assert "objects.inv: no entry for cliffgym.optimal\n" in capsys.readouterr().out
    names = [name for name, _ in public.every_name()]
    write_inventory(tmp_path / "objects.inv", names)
    assert check.main([str(tmp_path)]) == 0
    assert capsys.readouterr().out.startswith("1 pages: ")
    write_inventory(tmp_path / "objects.inv", names[1:])
    assert check.main([str(tmp_path)]) == 1
    assert capsys.readouterr().out == f"objects.inv: no entry for {names[0]}\n"


# The API reference


def test_every_module_that_offers_names_has_its_place_and_only_one(public: Any) -> None:
    offering = set()
    for package, folder in (("cliffgym", ROOT / "cliffgym"), ("cliffgym_agents", ROOT / "agents" / "cliffgym_agents")):
        for path in folder.rglob("*.py"):
            if re.search(r"^__all__ = ", path.read_text(encoding="utf-8"), re.MULTILINE):
                parts = [part for part in path.relative_to(folder).with_suffix("").parts if part != "__init__"]
                offering.add(".".join([package, *parts]))
    assert offering | {"cliffgym.testing"} == set(public.MODULES)
    pages = "".join(path.read_text(encoding="utf-8") for path in (DOCS / "api").glob("*.md"))
    assert sorted(re.findall(r"^\.\. public-module:: (\S+)$", pages, re.MULTILINE)) == sorted(public.MODULES)


def test_every_public_name_is_described_where_it_is_defined(public: Any) -> None:
    pairs = [(module, name) for module in public.MODULES for name in public.public_names(module)]
    assert len(pairs) > 100
    assert [f"{module}.{name}" for module, name in pairs if not public.description(module, name)] == []


def classes_and_functions(public: Any) -> Iterator[tuple[str, Any, dict[str, Any]]]:
    """Each that is public, where it is described: its full name, itself, and if it is a class what it defines."""
    for full in dict.fromkeys(home for _, home in public.every_name()):
        module, name = full.rsplit(".", 1)
        thing = getattr(importlib.import_module(module), name)
        if not public.is_data(thing):
            yield full, thing, dict(vars(thing)) if inspect.isclass(thing) else {}


def test_every_public_class_and_function_is_shown_by_an_example(public: Any) -> None:
    """Examples are doctests; that of a class may be at one of its methods."""
    shown = {
        full: any(">>> " in (inspect.getdoc(each) or "") for each in [thing, *filter(callable, members.values())])
        for full, thing, members in classes_and_functions(public)
    }
    assert len(shown) > 100
    assert [name for name, found in shown.items() if not found] == []


def names_from_elsewhere(docstring: str) -> set[str]:
    """The names that the examples of a docstring load and do not bind themselves."""
    loaded, bound = set(), {"_"}
    for example in doctest.DocTestParser().get_examples(docstring):
        for node in ast.walk(ast.parse(example.source)):
            match node:
                case ast.Name(name, ast.Load()):
                    loaded.add(name)
                case ast.Name(name) | ast.arg(name) | ast.ExceptHandler(name=str(name)):
                    bound.add(name)
                case ast.FunctionDef(name) | ast.ClassDef(name):
                    bound.add(name)
                case ast.alias(name, other):
                    bound.add(other or name.split(".")[0])
    return loaded - bound


def test_names_that_examples_take_from_elsewhere_are_found() -> None:
    docstring = """
    >>> import numpy as np, os.path
    >>> def double(x):
    ...     return 2 * x
    >>> with open(os.devnull) as file:
    ...     [double(y) for y in np.arange(z := 2)], file, z
    >>> gym.make(Path("x"), key=lambda w: w), _
    """
    assert names_from_elsewhere(docstring) - set(dir(builtins)) == {"gym", "Path"}


def test_every_example_runs_where_only_its_module_is_known(public: Any) -> None:
    """A reader who copies it has `from MODULE import *` at most: what else it uses, it imports."""
    missing = {}
    for full, thing, members in classes_and_functions(public):
        known = {*dir(builtins), *public.public_names(full.rsplit(".", 1)[0])}
        methods = {f"{full}.{name}": each for name, each in members.items() if hasattr(each, "__get__")}
        for name, each in {full: thing, **methods}.items():
            if more := names_from_elsewhere(each.__doc__ or "") - known:
                missing[name] = sorted(more)
    assert missing == {}


def test_what_several_modules_offer_is_described_once(public: Any) -> None:
    homes = dict(public.every_name())
    assert homes["cliffgym.optimal"] == homes["cliffgym.solvers.optimal"] == "cliffgym.solvers.optimal"
    assert homes["cliffgym.analysis.bounds.StatementCheck"] == "cliffgym.analysis.StatementCheck"
    assert homes["cliffgym.TabularMDP"] == "cliffgym.TabularMDP"
    assert all(homes[target] == target for target in homes.values())


def test_a_module_without_a_list_offers_what_it_defines(public: Any) -> None:
    names = public.public_names("cliffgym.testing")
    assert {"CYCLES", "random_mdp"} <= set(names)
    assert not {"np", "TabularMDP", "annotations"} & set(names)


@pytest.fixture(scope="module")
def docstrings() -> Any:
    return load("docstrings", DOCS / "_extensions")


def test_bars_are_escaped_outside_of_examples(docstrings: Any) -> None:
    lines = ["P(s'|s, a), |x|", "", ">>> print('a|b')", "a|b", "", r"once \| only"]
    docstrings.escape_bars(lines)
    assert lines == [r"P(s'\|s, a), \|x\|", "", ">>> print('a|b')", "a|b", "", r"once \| only"]


def test_only_what_can_mean_nothing_else_links_to_the_reference() -> None:
    targets = load("public_names", DOCS / "_extensions").link_targets()
    assert targets["TabularMDP"] == "cliffgym.TabularMDP"
    assert targets["SCENARIOS"] == targets["cliffgym.SCENARIOS"] == "cliffgym.scenarios.SCENARIOS"
    assert targets["cliffgym.soft"] == "cliffgym.solvers.soft"
    assert not {"soft", "incomplete_reward", "scenario"} & set(targets)  # a component, a key of info, an argument


# Pages


def test_pages_that_hang_below_others_are_there() -> None:
    sections = load("sections", DOCS / "_extensions")
    for page, below in sections.BELOW.items():
        folder = (DOCS / page).parent
        assert [name for name in below if not (folder / f"{name}.md").is_file()] == []
        text = ["# Title\n"]
        sections.add_tree(None, page, text)
        assert text[0].splitlines()[-1 - len(below) : -1] == list(below)
    text = ["# Title\n"]
    sections.add_tree(None, "index", text)
    assert text == ["# Title\n"]


def test_links_between_pages_also_lead_somewhere_where_the_source_is_read() -> None:
    dead, count = [], 0
    for page in sorted([*DOCS.rglob("*.md"), *DOCS.rglob("*.ipynb")]):
        text = re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
        for target in re.findall(r"\]\(([^)\s#:]+\.\w+)(?:#[^)\s]*)?\)", text):
            count += 1
            dead += [] if (page.parent / target).is_file() else [f"{page.relative_to(DOCS)}: {target}"]
    assert count > 100
    assert dead == []


def test_results_are_kept_for_the_code_that_gave_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept_results = load("kept_results", DOCS / "_extensions")
    (tmp_path / "somepackage").mkdir()
    module = tmp_path / "somepackage" / "__init__.py"
    module.write_text("x = 1\n", encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(kept_results, "PACKAGES", ("somepackage",))
    before = kept_results.code_checksum()
    assert kept_results.code_checksum() == before
    module.write_text("x = 2\n", encoding="utf-8")
    assert kept_results.code_checksum() != before


def contributing() -> str:
    return (DOCS / "contributing.md").read_text(encoding="utf-8")


def test_contributors_are_told_the_order_of_imports_that_the_linter_holds() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    layers = project["tool"]["importlinter"]["contracts"][0]["layers"]
    told = [
        row for row in re.findall(r"^\| (`cliffgym[^|]+) \|", contributing(), re.MULTILINE) if "reproduce" not in row
    ]
    rooms = [sorted(re.findall(r"`(.+?)`", row)) for row in told]
    assert rooms == [sorted(layer.split(" | ")) for layer in reversed(layers)]


def test_contributors_are_told_every_script() -> None:
    scripts = {path.name for path in (ROOT / "scripts").iterdir() if path.is_file() and not path.suffix}
    assert set(re.findall(r"^\| `scripts/(\w+)` \|", contributing(), re.MULTILINE)) == scripts


def test_what_the_site_is_built_and_looked_at_with_is_pinned() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    pins = (ROOT / "constraints.txt").read_text(encoding="utf-8")
    pinned = {line.split("==")[0].lower().replace("_", "-") for line in pins.splitlines()}
    named = {re.split(r"[\[<>=]", text)[0] for text in (*extras["docs"], *extras["test"])} - {"cliffgym"}
    assert {"sphinx", "playwright"} <= named
    assert named - pinned == set()
