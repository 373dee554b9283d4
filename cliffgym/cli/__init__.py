"""The command line: `cliffgym list`, `show`, `analyze`, `cliffs`, `explore`, `verify`, `train`, `demo`,
`reproduce`, `sweep`.

Errors are one line on standard error and exit status 2. Commands that need an extra import it when they run, and say
which one is missing.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from typing import NoReturn

import cliffgym
from cliffgym.cli import analyze, cliffs, demo, explore, listing, reproduce, show, sweep, train, verify

_COMMANDS = (listing, show, analyze, cliffs, explore, verify, train, demo, reproduce, sweep)


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
        The exit status: 0, or what the command returns (1 if `verify` finds a violation, or a claim does not pass); 2
        for bad input or a missing extra, 130 if interrupted.
    """
    options = make_parser().parse_args(arguments)
    try:
        status = options.run(options) or 0
        sys.stdout.flush()
        return status
    except BrokenPipeError:
        # Whoever reads our output (`| head`) has had enough. What is left of it goes nowhere, at exit too.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except (ValueError, TypeError, OSError, ImportError, ArithmeticError, MemoryError, RuntimeError) as error:
        print(f"cliffgym: error: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("cliffgym: interrupted", file=sys.stderr)
        return 130
