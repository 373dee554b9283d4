"""`cliffgym demo`: a policy cliff, and how entropy smooths it, on really trained agents."""

import argparse
from pathlib import Path


def add_command(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Adds the command to the parser."""
    parser = commands.add_parser("demo", help="see a cliff on trained agents: a figure and a table in under 3 minutes")
    parser.add_argument("--output", type=Path, default=Path("cliffgym-demo"), help="folder (default cliffgym-demo)")
    parser.add_argument("--seeds", type=int, default=5, help="agents for each setting (default 5)")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    """Runs the demo."""
    from cliffgym_agents.demo import run_demo

    run_demo(options.output, options.seeds)
