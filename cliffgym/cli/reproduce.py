"""`cliffgym reproduce`: the paper's claims about learning, tried on really trained agents."""

import argparse
import sys
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
    parser.add_argument("--scheduler", metavar="ADDRESS", help="a Dask scheduler, such as tcp://127.0.0.1:8786")
    parser.add_argument(
        "--against",
        type=Path,
        metavar="FILE",
        help="a reproduction.json: exit status 1 if verdicts differ from it, or if it is of other experiments; without "
        "--claim only those claims are tried whose verdict does not hang on one seed or two",
    )
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Runs the claims and prints verdicts; returns 1 unless all pass, or are as in the record to compare with."""
    from cliffgym_agents.claims.ledger import compared, differences, reproduce

    claims = options.claim
    if options.against is not None:
        differences([], options.against)  # what cannot be read is said before the training
        claims = claims or compared()
    entries = reproduce(options.output, claims, options.quick, options.scheduler)
    print(text_table(["claim", "verdict", "agents"], [[e.claim.id, e.judgement.verdict, e.agents] for e in entries]))
    for entry in entries:
        print(f"\n{entry.claim.id}: {entry.judgement.found}")
    names = ("reproduction.md", "reproduction.json", "reproduction.csv")
    print(f"\nWritten: {', '.join(str(options.output / name) for name in names)}")
    if options.against is None:
        return int(any(entry.judgement.verdict != "pass" for entry in entries))
    found = differences(entries, options.against)
    for line in found:
        print(f"cliffgym reproduce: {line}", file=sys.stderr)
    print("Verdicts are not as published." if found else f"Verdicts are as in {options.against}.")
    return int(bool(found))
