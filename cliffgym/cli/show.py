"""`cliffgym show ID`: what a scenario is, and what each of its rewards makes optimal."""

import argparse
import json
from collections.abc import Mapping
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
    text, classes = sample(made), _classes(made)
    before = expected_components(made.mdp, made.components, made.reference)
    optima = [_optimum(made, name) for name in made.rewards]
    if options.json:
        facts = {"id": made.id, "parameters": made.parameters, "classes": classes, "sample": text, "reference": before}
        print(json.dumps({**facts, "optima": optima}, indent=2))
        return
    print(f"{made.id}: {made.mdp.num_states} states, {len(made.prompts)} prompts, tokens {', '.join(made.tokens)}")
    print(", ".join(f"{name} = {value!r}" for name, value in made.parameters.items()))
    if classes:
        print("\nHow likely each hidden class is, given the prompt\n")
        header = ["prompt", *classes[0]["posterior"]]
        print(text_table(header, [[entry["prompt"], *_posterior(entry["posterior"])] for entry in classes]))
    print("\nA trace that is optimal under the true reward:\n")
    print(text)
    print("\nThe exact optimum under each reward (true return: worst and best over all policies optimal for it)\n")
    header = ["reward", "weighs", "optimum", "tied states", "true worst", "true uniform", "true best", "true optimum"]
    keys = ["reward", "weights", "optimum", "tied_states", "true_worst", "true_uniform", "true_best", "true_optimum"]
    weighed = [{**entry, "weights": formula(entry["weights"])} for entry in optima]
    print(text_table(header, [[entry[key] for key in keys] for entry in weighed]))
    print("\nExpected components before training (reference), and of the optimal policy that breaks ties uniformly\n")
    names = list(made.components.names)
    rows = [("reference", before), *((entry["reward"], entry["components"]) for entry in optima)]
    print(text_table(["reward", *names], [[row, *(values[name] for name in names)] for row, values in rows]))


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


def _classes(made: Scenario) -> list[dict[str, Any]]:
    """The posterior of the hidden classes by prompt, if there are any; zeros where no trace starts."""
    if made.hidden is None:
        return []
    names, weights = made.hidden.names, made.hidden.class_weights[:, made.prompt_states].T.tolist()
    return [
        {"prompt": prompt, "posterior": dict(zip(names, row, strict=True))}
        for prompt, row in zip(made.prompts, weights, strict=True)
    ]


def _posterior(chances: Mapping[str, float]) -> list[Any]:
    """The cells of a prompt's posterior."""
    return list(chances.values()) if any(chances.values()) else ["never drawn", *[""] * (len(chances) - 1)]


def formula(weights: Mapping[str, float]) -> str:
    """Weights of components as people write them: `correct - 0.01 effort`."""
    terms = [f"{'-' if w < 0 else '+'} {'' if abs(w) == 1 else f'{abs(w):g} '}{name}" for name, w in weights.items()]
    return " ".join(terms).removeprefix("+ ")


def sample(made: Scenario) -> str:
    """A trace of the last prompt that is ever drawn, which always takes the first of the truly optimal actions.

    Chance is seeded. Where a trace may never end, it is broken off after some tokens.
    """
    mdp, actions = made.mdp, optimal(made.mdp, made.reward("true")).optimal_actions
    drawn = np.flatnonzero(mdp.initial[made.prompt_states])
    prompt = int(drawn[-1]) if drawn.size else len(made.prompts) - 1
    state, draw = int(made.prompt_states[prompt]), np.random.default_rng(0)
    lines = [f"> {made.prompts[prompt]}"]
    while not mdp.terminal[state]:
        if len(lines) > _LONGEST and not mdp.is_acyclic:
            return "\n".join([*lines, "  ..."])
        action = actions[state].argmax()
        lines.append(f"  {made.token_text(action)}")
        state = int(draw.choice(mdp.successors[state, action], p=mdp.probabilities[state, action]))
    return "\n".join([*lines, f"= {made.outcomes[state]}"])
