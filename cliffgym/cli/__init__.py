"""The command line: `cliffgym list`, `show`, `train`, `demo`.

Errors are one line on standard error and exit status 2. Commands that need an extra import it when they run, and say
which one is missing.
"""

import argparse
import sys
from collections.abc import Sequence
from typing import NoReturn

import cliffgym
from cliffgym.cli import demo, listing, show, train

_COMMANDS = (listing, show, train, demo)


class _Parser(argparse.ArgumentParser):
    """argparse with errors of one line."""

    def error(self, message: str) -> NoReturn:
        print(f"{self.prog}: error: {message} (see {self.prog} --help)", file=sys.stderr)
        sys.exit(2)


def make_parser() -> argparse.ArgumentParser:
    """The parser of all commands."""
    parser = _Parser(prog="cliffgym", description="Toy reasoning MDPs whose optimal policies fall off cliffs.")
    parser.add_argument("--version", action="version", version=f"cliffgym {cliffgym.__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND", parser_class=_Parser)
    for module in _COMMANDS:
        module.add_command(commands)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs a command line.

    Args:
        arguments: What follows the program's name; default `sys.argv`.

    Returns:
        The exit status: 0, 2 for bad input or a missing extra, 130 if interrupted.
    """
    options = make_parser().parse_args(arguments)
    try:
        options.run(options)
    except (ValueError, TypeError, OSError, ImportError) as error:
        print(f"cliffgym: error: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("cliffgym: interrupted", file=sys.stderr)
        return 130
    return 0
