"""`cliffgym list`: the environments."""

import argparse
import json

from cliffgym.scenarios import SCENARIOS, scenario
from cliffgym.tables import text_table


def add_command(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Adds the command to the parser."""
    parser = commands.add_parser("list", help="environments, their rewards and sizes")
    parser.add_argument("--json", action="store_true", help="print JSON for programs to read")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    """Prints one line for each environment."""
    entries = []
    for id, build in SCENARIOS.items():
        made = scenario(id)
        entries.append(
            {
                "id": id,
                "about": (build.__doc__ or "").splitlines()[0],
                "prompts": len(made.prompts),
                "tokens": made.mdp.num_actions,
                "states": made.mdp.num_states,
                "rewards": list(made.rewards),
                "components": list(made.components.names),
            }
        )
    if options.json:
        print(json.dumps(entries, indent=2))
        return
    rows = [[e["id"], e["prompts"], e["tokens"], e["states"], ", ".join(e["rewards"])] for e in entries]
    print(text_table(["id", "prompts", "tokens", "states", "rewards"], rows))
    print()
    for entry in entries:
        print(f"{entry['id']}: {entry['about']}")
