"""Makes the page from scenarios."""

import inspect
import os
import shutil
from collections.abc import Mapping
from importlib.resources import as_file, files
from typing import Any

import cliffgym
from cliffgym.checks import choice
from cliffgym.explorer.encoding import encode, plain
from cliffgym.explorer.page import assemble
from cliffgym.explorer.views import RETURNS, VIEWS, View, view_of
from cliffgym.files import atomic_write
from cliffgym.scenarios import SCENARIOS, scenario
from cliffgym.trace_scenario import Scenario

FORMAT = "cliffgym.explorer/1"
READY_MADE = "explorer.html"
"""The page of all registered scenarios, beside this module; `scripts/explorer_page` writes it."""
MAX_PAIRS = 50_000
"""State-action pairs up to which a page answers a dragged slider."""
MAX_CYCLIC_STATES = 200
"""Non-terminal states up to which it does if there is a cycle: there it solves dense systems."""
MAX_WEIGHT = 1e6
"""How far ranges may reach; the page takes no larger weights."""


def explorer_page(*subjects: str | Scenario, view: View | None = None) -> str:
    """The page as HTML text, to be written to a file or shown in a notebook's frame.

    Args:
        subjects: Ids of registered scenarios, which come at several sizes, or scenarios as they are. Without any, all
            registered ones.
        view: What is shown first of the first subject, and its sizes; default one of its own.

    Raises:
        ValueError: An id is unknown, a view names what the scenario does not have, or a scenario is too large for a
            page: more than 50,000 state-action pairs or, if there is a cycle, 200 non-terminal states.
        TypeError: A subject is neither an id nor a scenario, or has arguments that are not plain data.

    >>> page = explorer_page("Cliff-TieBreaker-v0")
    >>> page.startswith("<!doctype html>"), len(page) < 1_000_000
    (True, True)
    """
    given = subjects or tuple(SCENARIOS)
    entries = [_entry(subject, view if place == 0 else None) for place, subject in enumerate(given)]
    ids = [entry["id"] for entry in entries]
    if len(set(ids)) < len(ids):
        raise ValueError(f"subjects must have different ids, got {ids}")
    return assemble({"format": FORMAT, "version": cliffgym.__version__, "scenarios": entries})


def save_explorer(path: str | os.PathLike[str], *subjects: str | Scenario, view: View | None = None) -> None:
    """Writes the page to a file, atomically. Without subjects it is the one that comes with the package.

    Raises:
        ValueError, TypeError: As `explorer_page`.
        OSError: The file cannot be written.

    >>> import json, tempfile
    >>> from pathlib import Path
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "slacker.html")
    ...     save_explorer(path, "Cliff-Slacker-v0")
    ...     text = path.read_text()
    >>> (shown,) = json.loads(text.partition('id="data">')[2].partition("</script>")[0])["scenarios"]
    >>> shown["id"], [size["name"] for size in shown["sizes"]], len(shown["variants"])
    ('Cliff-Slacker-v0', ['problems', 'instructions'], 9)
    """
    with atomic_write(path) as file:
        if subjects or view:
            file.write(explorer_page(*subjects, view=view).encode())
            return
        with as_file(files("cliffgym.explorer") / READY_MADE) as ready_made, open(ready_made, "rb") as source:
            shutil.copyfileobj(source, file)


def _entry(subject: str | Scenario, view: View | None) -> dict[str, Any]:
    """All sizes of a scenario, and what is shown of it first."""
    variants, view, summary = _sizes(subject, view)
    _check_view(variants[0], view)
    for variant in variants:
        _check_size(variant)
    return {
        "id": variants[0].id,
        "summary": summary,
        "view": {
            "reward": view.reward,
            "component": view.component,
            "line": list(view.line),
            "measure": view.measure,
            "plane": list(view.plane),
            "x": list(view.x),
            "y": list(view.y),
        },
        "sizes": [{"name": name, "values": plain(list(values))} for name, values in view.sizes.items()],
        "variants": [encode(variant) for variant in variants],
    }


def _sizes(subject: str | Scenario, view: View | None) -> tuple[list[Scenario], View, str]:
    """The scenarios of an entry, its view, and what it is in one line."""
    if isinstance(subject, Scenario):
        view = view or view_of(subject)
        if view.sizes:
            raise ValueError(f"view of a scenario as it is must have no sizes, got {dict(view.sizes)}: give its id")
        return [subject], view, _summary(subject.id)
    if not isinstance(subject, str):
        raise TypeError(f"subject must be the id of a scenario or a Scenario, got {subject!r}")
    id = choice("id", subject.removeprefix("cliffgym:"), SCENARIOS)
    view = view or VIEWS.get(id) or view_of(scenario(id))
    return [scenario(id, **sizes) for sizes in view.variants()], view, _summary(id)


def _summary(id: str) -> str:
    """The first sentences of a registered scenario's page; nothing for others."""
    page = inspect.getdoc(SCENARIOS[id]) if id in SCENARIOS else None
    return " ".join((page or "").partition("\n\n")[0].split())


def _check_view(made: Scenario, view: View) -> None:
    choice("view.reward", view.reward, made.rewards, place=made.id)
    for name in (view.component, *view.plane):
        choice("view's component", name, made.components.names, place=made.id)
    choice("view.measure", view.measure, (*made.components.names, *RETURNS), place=made.id)
    ranges: Mapping[str, tuple[float, float]] = {"line": view.line, "x": view.x, "y": view.y}
    for name, (low, high) in ranges.items():
        if not -MAX_WEIGHT <= low < high <= MAX_WEIGHT:
            raise ValueError(
                f"view.{name} must rise, between {-MAX_WEIGHT:,.0f} and {MAX_WEIGHT:,.0f}, got {(low, high)} for "
                f"{made.id}"
            )


def _check_size(made: Scenario) -> None:
    mdp = made.mdp
    pairs, living = mdp.num_states * mdp.num_actions, int((~mdp.terminal).sum())
    if pairs > MAX_PAIRS:
        raise ValueError(f"a page takes at most {MAX_PAIRS:,} state-action pairs, got {pairs:,} in {made.id}")
    if not mdp.is_acyclic and living > MAX_CYCLIC_STATES:
        raise ValueError(
            f"a page takes at most {MAX_CYCLIC_STATES} non-terminal states of an MDP with cycles, got {living:,} in "
            f"{made.id}"
        )
