"""`cliffgym show ID`: what a scenario is, and what each of its rewards makes optimal."""

import argparse
import json
from typing import Any

import numpy as np

from cliffgym.analysis import regret_interval
from cliffgym.cli.arguments import add_scenario_arguments
from cliffgym.scenarios import scenario
from cliffgym.solvers import expected_components, optimal
from cliffgym.tables import text_table
from cliffgym.trace_scenario import Scenario

_LONGEST = 40  # tokens of a sample that may go on for ever


def add_command(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Adds the command to the parser."""
    parser = commands.add_parser("show", help="a sample trace and the exact optimum under each reward")
    add_scenario_arguments(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    """Prints a description, a sample trace and a table of optima."""
    made = scenario(options.id, **dict(options.set))
    sample = _sample(made)
    optima = [_optimum(made, name) for name in made.rewards]
    if options.json:
        print(json.dumps({"id": made.id, "parameters": made.parameters, "sample": sample, "optima": optima}, indent=2))
        return
    print(f"{made.id}: {made.mdp.num_states} states, {len(made.prompts)} prompts, tokens {', '.join(made.tokens)}")
    print(", ".join(f"{name} = {value!r}" for name, value in made.parameters.items()))
    print("\nA trace that is optimal under the true reward:\n")
    print(sample)
    print("\nThe exact optimum under each reward (true return: worst and best over all policies optimal for it)\n")
    header = ["reward", "weighs", "optimum", "tied states", "true worst", "true uniform", "true best", "true optimum"]
    keys = ["reward", "weights", "optimum", "tied_states", "true_worst", "true_uniform", "true_best", "true_optimum"]
    print(text_table(header, [[_weighting(entry[key]) for key in keys] for entry in optima]))
    print("\nExpected components of the optimal policy that breaks ties uniformly\n")
    names = list(made.components.names)
    print(text_table(["reward", *names], [[e["reward"], *(e["components"][name] for name in names)] for e in optima]))


def _optimum(made: Scenario, name: str) -> dict[str, Any]:
    """The exact facts about one of the scenario's rewards."""
    optimum = optimal(made.mdp, made.reward(name))
    interval = regret_interval(made.mdp, made.reward(name), made.reward("true"))
    return {
        "reward": name,
        "weights": made.rewards[name],
        "optimum": optimum.expected_return,
        "tied_states": len(optimum.tied_states),
        "true_worst": interval.worst,
        "true_uniform": interval.uniform,
        "true_best": interval.best,
        "true_optimum": interval.optimum,
        "components": expected_components(made.mdp, made.components, optimum.policy),
    }


def _weighting(value: Any) -> Any:
    """Weights as a formula; anything else as it is."""
    if not isinstance(value, dict):
        return value
    terms = [f"{'-' if w < 0 else '+'} {'' if abs(w) == 1 else f'{abs(w):g} '}{name}" for name, w in value.items()]
    return " ".join(terms).removeprefix("+ ")


def _sample(made: Scenario) -> str:
    """A trace of the last prompt that always takes the first of the truly optimal actions; chance is seeded.

    Where a trace may never end, it is broken off after some tokens.
    """
    mdp, actions = made.mdp, optimal(made.mdp, made.reward("true")).optimal_actions
    state, draw = int(made.prompt_states[-1]), np.random.default_rng(0)
    lines = [f"> {made.prompts[-1]}"]
    while not mdp.terminal[state]:
        if len(lines) > _LONGEST and not mdp.is_acyclic:
            return "\n".join([*lines, "  ..."])
        action = actions[state].argmax()
        lines.append(f"  {made.token_text(action)}")
        state = int(draw.choice(mdp.successors[state, action], p=mdp.probabilities[state, action]))
    return "\n".join([*lines, f"= {made.outcomes[state]}"])
