"""`cliffgym explore [ID ...]`: a page on which a weight is dragged and the optimal policy snaps, or glides."""

import argparse
import webbrowser
from pathlib import Path

from cliffgym.cli.arguments import add_settings
from cliffgym.cli.subjects import add_own_mdp, load_table, read_subject
from cliffgym.scenarios import scenario
from cliffgym.trace_scenario import Scenario

_OUTPUT = "cliffgym-explorer.html"


def add_command(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Adds the command to the parser."""
    parser = commands.add_parser(
        "explore",
        help="write a page on which weights are dragged and cliffs are seen",
        description="Writes one self-contained HTML file, which needs no server and no network. Without ID, --mdp and "
        "--gym it is about all registered scenarios, at several sizes.",
    )
    parser.add_argument("ids", metavar="ID", nargs="*", help="environments' ids, as `cliffgym list` shows them")
    add_own_mdp(parser)
    parser.add_argument("--reward", metavar="FILE.npy", help="with --mdp: the reward table (S, A) that training pays")
    parser.add_argument(
        "--component",
        metavar="NAME=FILE.npy",
        action="append",
        default=[],
        help="with --mdp or --gym: a further table that can be given a weight; may be repeated",
    )
    add_settings(parser, "the one scenario or environment that is given", machine_readable=False)
    parser.add_argument("-o", "--output", metavar="FILE.html", default=_OUTPUT, help=f"default {_OUTPUT}")
    parser.add_argument("--open", action="store_true", help="open the page in the browser")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    """Writes the page and says where it is."""
    from cliffgym.explorer import save_explorer

    subjects = _subjects(options)
    path = Path(options.output)
    save_explorer(path, *subjects)
    print(f"Wrote {path} ({path.stat().st_size / 1000:,.0f} kB)")
    if options.open and not webbrowser.open(path.resolve().as_uri()):
        print("No browser could be opened: open the file yourself.")


def _subjects(options: argparse.Namespace) -> list[str | Scenario]:
    """What the page is about; nothing for all registered scenarios."""
    if options.mdp or options.gym:
        if options.ids:
            raise ValueError(f"ID must not be given with --mdp or --gym, got {', '.join(options.ids)}")
        return [_own(options)]
    for name in ("reward", "true", "component", "gamma"):
        if getattr(options, name) not in (None, []):
            raise ValueError(f"--{name} goes with --mdp or --gym, got {getattr(options, name)} without")
    if not options.set:
        return list(options.ids)
    if len(options.ids) != 1:
        raise ValueError(f"--set needs exactly one ID, got {', '.join(options.ids) or 'none'}")
    return [scenario(options.ids[0], **dict(options.set))]


def _own(options: argparse.Namespace) -> Scenario:
    """The user's own tables."""
    from cliffgym.explorer import scenario_of_tables

    subject = read_subject(argparse.Namespace(**vars(options) | {"id": None}))
    tables = {}
    for given in options.component:
        name, separator, path = given.partition("=")
        if not (name and separator and path):
            raise ValueError(f"--component must have the form NAME=FILE.npy, got {given!r}")
        if name in tables:
            raise ValueError(f"--component must name each component once, got {name!r} twice")
        tables[name] = load_table(subject.mdp, path, f"--component {name}")
    name = Path(subject.name).stem if options.mdp else subject.name
    return scenario_of_tables(name, subject.mdp, subject.reward, subject.true, tables)
