"""Arguments that several commands share."""

import argparse
import json
from typing import Any


def assignment(text: str) -> tuple[str, Any]:
    """`name=value` as a pair; the value is read as JSON, or as plain text if it is not JSON."""
    name, separator, value = text.partition("=")
    if not separator or not name:
        raise argparse.ArgumentTypeError(f"must have the form name=value, got {text!r}")
    try:
        return name, json.loads(value)
    except json.JSONDecodeError:
        return name, value


def reward_argument(text: str) -> Any:
    """A reward's name, or weights as a JSON object."""
    if not text.lstrip().startswith("{"):
        return text
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise argparse.ArgumentTypeError(f"must be a name or a JSON object of weights, got {text!r}: {error}") from None


def add_scenario_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds ID, --set and --json."""
    parser.add_argument("id", metavar="ID", help="an environment's id, as `cliffgym list` shows them")
    add_settings(parser)


def add_settings(parser: argparse.ArgumentParser, of: str = "the scenario", *, machine_readable: bool = True) -> None:
    """Adds --set, for arguments `of` something, and unless the command has nothing to print for programs, --json."""
    parser.add_argument(
        "--set",
        metavar="NAME=VALUE",
        type=assignment,
        action="append",
        default=[],
        help=f"an argument of {of}, such as problems=8; may be repeated",
    )
    if machine_readable:
        parser.add_argument("--json", action="store_true", help="print JSON for programs to read")
