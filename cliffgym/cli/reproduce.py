"""`cliffgym reproduce`: the paper's claims about learning, tried on really trained agents."""

import argparse
from pathlib import Path

from cliffgym.tables import text_table


def add_command(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Adds the command to the parser."""
    parser = commands.add_parser(
        "reproduce", help="try the paper's claims about learning on really trained agents, and write what was found"
    )
    parser.add_argument("--claim", metavar="ID", action="append", default=[], help="one claim; may be repeated")
    parser.add_argument("--quick", action="store_true", help="fewer seeds and settings")
    parser.add_argument("--output", type=Path, default=Path("cliffgym-claims"), help="folder (default cliffgym-claims)")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Runs the claims and prints verdicts; returns 1 unless all pass."""
    from cliffgym_agents.claims.ledger import reproduce

    entries = reproduce(options.output, options.claim, options.quick)
    print(text_table(["claim", "verdict", "agents"], [[e.claim.id, e.judgement.verdict, e.agents] for e in entries]))
    for entry in entries:
        print(f"\n{entry.claim.id}: {entry.judgement.found}")
    print(f"\nWritten: {options.output / 'reproduction.md'}, {options.output / 'reproduction.json'}")
    return int(any(entry.judgement.verdict != "pass" for entry in entries))
