"""Writes docs/environments: a page and a figure for each environment. Run by scripts/environment_pages.

A page is the scenario's docstring, and what the solvers find at the defaults. Numbers have six significant digits, so
that the text is the same on every machine; how a figure is drawn depends on matplotlib, so no check compares it.
"""

import argparse
import dataclasses
import inspect
import math
import re
import shlex
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cliffgym import SCENARIOS, Scenario, expected_components, optimal, scenario
from cliffgym.analysis import Line, cliff_radius, regret_interval, trace_weights
from cliffgym.analysis.weights import weight_line, with_returns
from cliffgym.cli.show import formula, sample
from cliffgym.cli.subjects import reward_name
from cliffgym.files import atomic_write

FOLDER = Path(__file__).resolve().parents[1] / "docs" / "environments"
INDEX = "README.md"
ROUNDING = 1e-9  # what is less is rounding
EXAMPLE = re.compile(r"(?:^    .*\n?)+", re.MULTILINE)
TEMPERATURES, POINTS = (0.01, 0.03, 0.1), 401  # of the soft curves, as `cliffgym cliffs` draws them


@dataclass(frozen=True)
class Walk:
    """A line of rewards: the weight of `component` goes from `start` to `stop`, the others are those of `reward`.

    The figure shows that component, or `shown` where that says more, and where `drawn` says so only a part of the line.
    """

    component: str | dict[str, float]
    start: float
    stop: float
    reward: str | dict[str, float]
    shown: str = ""
    drawn: tuple[float, float] | None = None

    @property
    def name(self) -> str:
        """What moves, in words."""
        return reward_name(self.component)

    @property
    def measure(self) -> str:
        """The component that the figure shows."""
        return self.shown or self.name

    @property
    def command(self) -> str:
        """The options of `cliffgym cliffs` that trace the same."""
        parts = [f"--{name} {shell(value)}" for name, value in (("component", self.component), ("reward", self.reward))]
        return f"{parts[0]} --from {self.start:g} --to {self.stop:g} {parts[1]}"


def shell(value: str | dict[str, float]) -> str:
    """A name or weights as one argument of a command line."""
    return shlex.quote(reward_name(value))


WALKS = {
    "Cliff-Slacker-v0": Walk("instructions", -0.5, 0.5, "incomplete"),
    "Cliff-TieBreaker-v0": Walk("target_format", -0.2, 0.2, "true"),
    "Cliff-LengthPenalty-v0": Walk("length", -1.2, 0.1, "true"),
    "Cliff-LengthControl-v0": Walk("deviation", -1.2, 0.2, "true"),
    "Cliff-Sophistry-v0": Walk("fooled", 0, 1, "incomplete"),
    "Cliff-SpuriousReasoning-v0": Walk("step_score", -0.2, 0.4, "process"),
    "Cliff-Deception-v0": Walk("flagged", -36, 0, "cot_pressure", drawn=(-0.1, 0)),
    "Cliff-Obedience-v0": Walk("soft", -0.5, 2.5, "true"),
    "Cliff-MultiReward-v0": Walk("safety_score", -1, 1, "incomplete"),
    "Cliff-Garnet-v0": Walk("component_1", -1, 1, "true"),
}
"""The line whose cliffs a page shows."""

MORE_WALKS = {
    "Cliff-MultiReward-v0": (Walk({"safety_score": 1, "general_score": -1}, 0, 1, {"general_score": 1}),),
}
"""Further lines, of which it says the cliffs without a figure."""

VARIANTS: dict[str, tuple[tuple[str, dict[str, Any]], ...]] = {
    "Cliff-LengthPenalty-v0": (("true", {}), ("true", {"hidden_difficulty": True})),
    "Cliff-SpuriousReasoning-v0": tuple(("process", {"fooled_share": share}) for share in (0.0, 0.8, 0.99, 1.0)),
    "Cliff-Deception-v0": (("weak", {}), ("cot_pressure", {}), ("cot_pressure", {"pressure": 34}), ("strong", {})),
    "Cliff-Obedience-v0": (("true", {}), ("true", {"budget": 8}), ("true", {"budget": 8, "obedience_weight": 3})),
    "Cliff-MultiReward-v0": (
        ("incomplete", {}),
        ("incomplete", {"mixture": (0.49, 0.26, 0.25)}),
        ("incomplete", {"mixture": (0.51, 0.24, 0.25)}),
        *(("incomplete", {"exclude": name}) for name in ("safety", "values", "general")),
        ("incomplete", {"curated": True}),
        ("incomplete", {"ambiguity": (0, 0, 0)}),
    ),
}
"""Other arguments that a page compares with the defaults, among them the negative control."""

VARIANT = """\
What other arguments, the negative control among them, change. *First token* is what optimal policies begin with at each
prompt in turn; *any* where all tokens are optimal. Cliff radius and ties are those of states that some trace comes to;
where only the order of tokens is free there are ties, and yet no cliff that a weight leads over: the last column has
those of the line above. What policies optimal in training are worth under `true` is worst and best over all prompts,
also those that training leaves out: there it is *undetermined* what they do."""

REWARDS = """\
*Tied states* have several optimal actions. The *cliff radius* is how far every entry of the reward table may move
before another policy is optimal, over all states and over those that some trace comes to; one tie makes it 0. What
policies optimal for a reward are worth under `true` is an interval: *worst*, *uniform* (ties are broken evenly) and
*best*, beside the optimum of `true` itself."""

BEFORE = """\
Expected value of every component: under the policy before training (`reference`), and under the optimum of each reward,
ties broken evenly."""

INTRODUCTION = """\
# Environments

Written by `scripts/environment_pages` from the docstrings of the scenarios and from the exact solvers; the numbers on
each page are those at the default arguments, and `cliffgym show ID` prints them for others.
"""


def rounded(value: float) -> float:
    """The value without rounding errors, so that they do not decide how further digits are dropped."""
    return float(f"{value:.12g}") if abs(value) >= ROUNDING else 0.0


def tidy(value: Any) -> str:
    """A cell of a table: six significant digits, rounding as 0, and nothing that a table would take for its own."""
    if not isinstance(value, float):
        return str(value).replace("|", "\\|")
    return "infinite" if math.isinf(value) else f"{rounded(value):.6g}"


def table(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """A Markdown table."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(map(tidy, line)) + " |" for line in lines)


def code(text: object) -> str:
    """Verbatim."""
    return f"`{text}`"


def defaults(made: Scenario) -> str:
    """Sizes, arguments, and what is known of hidden classes."""
    sizes = [made.mdp.num_states, len(made.prompts), ", ".join(map(code, made.tokens)), float(made.mdp.gamma)]
    arguments = [[code(name), code(repr(value))] for name, value in made.parameters.items() if name != "gamma"]
    parts = [table(["states", "prompts", "tokens", "gamma"], [sizes]), table(["argument", "default"], arguments)]
    if made.hidden is not None:
        weights = made.hidden.class_weights[:, made.prompt_states].T.tolist()
        rows = [[prompt, *row] for prompt, row in zip(made.prompts, weights, strict=True)]
        parts += ["How likely each hidden class is, given the prompt:", table(["prompt", *made.hidden.names], rows)]
    return "\n\n".join(parts)


def reward_rows(made: Scenario) -> Iterable[list[Any]]:
    """One row for each named reward."""
    for name, weights in made.rewards.items():
        reward = made.reward(name)
        found, worth = optimal(made.mdp, reward), regret_interval(made.mdp, reward, made.reward("true"))
        radii = [cliff_radius(made.mdp, reward, reachable_only=reachable).radius for reachable in (False, True)]
        ends = [worth.worst, worth.uniform, worth.best, worth.optimum]
        yield [code(name), formula(weights), found.expected_return, len(found.tied_states), *radii, *ends]


def component_rows(made: Scenario) -> Iterable[list[Any]]:
    """One row for the reference policy and for each named reward."""
    policies = {"`reference`": made.reference}
    policies |= {code(name): optimal(made.mdp, made.reward(name)).policy for name in made.rewards}
    for name, policy in policies.items():
        yield [name, *expected_components(made.mdp, made.components, policy).values()]


def first_tokens(made: Scenario, actions: NDArray[np.bool_]) -> str:
    """What optimal policies begin with, prompt by prompt."""
    rows = actions[made.prompt_states]
    legal = made.mdp.action_mask[made.prompt_states]
    return "; ".join(
        "any" if (row == able).all() else " or ".join(np.array(made.tokens)[row])
        for row, able in zip(rows, legal, strict=True)
    )


def variant_rows(id: str) -> Iterable[list[Any]]:
    """One row for each variant."""
    for name, arguments in VARIANTS[id]:
        made = scenario(id, **arguments)
        full, reward = made.evaluation or made, made.reward(name)
        found, worth = optimal(made.mdp, reward), regret_interval(full.mdp, reward, full.reward("true"))
        radius = cliff_radius(made.mdp, reward, reachable_only=True).radius
        tied = int(made.mdp.reachable[found.tied_states].sum())
        given = ", ".join(f"{key}={value!r}" for key, value in arguments.items())
        row = [code(name), code(given) if given else "", first_tokens(made, found.optimal_actions), tied, radius]
        points = [tidy(point.position) for point in traced(made, WALKS[id]).breakpoints]
        yield [*row, worth.worst, worth.best, len(made.undetermined), "; ".join(points)]


def variants(id: str) -> list[str]:
    """The section that compares arguments, if there is something to compare."""
    if id not in VARIANTS:
        return []
    header = ["reward", "arguments", "first token", "tied states", "cliff radius", "true: worst", "true: best"]
    header += ["undetermined", f"cliffs over {WALKS[id].name}"]
    return ["### Variants", VARIANT, table(header, variant_rows(id))]


def traced(made: Scenario, walk: Walk) -> Line:
    """A line, with positions that read well."""
    line = trace_weights(made, walk.component, walk.start, walk.stop, walk.reward)
    points = (dataclasses.replace(point, position=rounded(point.position)) for point in line.breakpoints)
    return dataclasses.replace(line, breakpoints=tuple(points))


def cliffs(made: Scenario) -> str:
    """The figure, the command that gives the same, and every breakpoint of the line."""
    walk = WALKS[made.id]
    low, high = walk.drawn or (walk.start, walk.stop)
    count = sum(low <= point.position <= high for point in traced(made, walk).breakpoints)
    part = f", from {low:g} to {high:g}" if walk.drawn else ""
    temperatures = ", ".join(f"{temperature:g}" for temperature in TEMPERATURES)
    figure = [
        f"![Expected {walk.measure} and true return of the exact optimum, two step functions of the weight of "
        f"{walk.name} from {low:g} to {high:g} with {cliffs_in_words(count)}, and slopes that soft policies make of "
        f"them]({made.id}.png)",
        f"*Exact optimum, and soft policies at temperatures {temperatures}{part} ([SVG]({made.id}.svg)).*",
    ]
    more = [text for walk in MORE_WALKS.get(made.id, ()) for text in cliff_table(made, walk)]
    return "\n\n".join([*cliff_table(made, walk), *figure, *more])


def cliffs_in_words(count: int) -> str:
    """How many there are."""
    return f"{count} cliff{'' if count == 1 else 's'}"


def cliff_table(made: Scenario, walk: Walk) -> list[str]:
    """Every breakpoint of a line, and the command that gives the same."""
    line = traced(made, walk)
    points, ends = line.breakpoints, f"from {walk.start:g} to {walk.stop:g}"
    names = [name for name in line.segments[0].components if any(abs(p.jumps[name]) >= ROUNDING for p in points)]
    rows = [
        [p.position, len(p.states), made.mdp.describe_state(p.states[0]), p.total_variation]
        + [p.jumps[name] for name in names]
        for p in points
    ]
    moves = "moves" if isinstance(walk.component, str) else "is multiplied by a number t that moves"
    others = "the other weights are those of" if isinstance(walk.component, str) else "and is added to"
    return [
        f"The weight of `{walk.name}` {moves} {ends}, {others} `{reward_name(walk.reward)}`:\n"
        f"{cliffs_in_words(len(points))}. Jumps are those of expected values as the weight rises, after minus before.",
        table(["weight", "states that flip", "such as", "total variation", *names], rows),
        f"*From the command line:* `cliffgym cliffs {made.id} {walk.command}`",
    ]


def described(id: str) -> str:
    """The docstring of a scenario, whose examples become blocks that say what language they are in."""
    text = inspect.getdoc(SCENARIOS[id]) or ""
    return EXAMPLE.sub(lambda found: f"```pycon\n{inspect.cleandoc(found[0])}\n```\n", text)


def page(id: str) -> str:
    """The text of an environment's page."""
    made = scenario(id)
    header = ["reward", "weighs", "optimum", "tied states", "cliff radius", "of reachable states"]
    header += ["true: worst", "true: uniform", "true: best", "true: optimum"]
    parts = [
        f"# {id}",
        f"[All environments]({INDEX}) · written by `scripts/environment_pages`",
        described(id),
        "## At the defaults",
        defaults(made),
        "### Rewards",
        REWARDS,
        table(header, reward_rows(made)),
        "### A trace",
        "One that is optimal under `true`:",
        f"```text\n{sample(made)}\n```",
        "### Before and after",
        BEFORE,
        table(["policy", *made.components.names], component_rows(made)),
        "### Cliffs",
        cliffs(made),
        *variants(id),
    ]
    return "\n\n".join(parts) + "\n"


def index() -> str:
    """The text of the list of environments."""
    rows = [
        [
            f"[{code(id)}]({id}.md)",
            (inspect.getdoc(build) or "").splitlines()[0],
            ", ".join(map(code, scenario(id).rewards)),
        ]
        for id, build in SCENARIOS.items()
    ]
    return f"{INTRODUCTION}\n{table(['id', 'what it is', 'rewards'], rows)}\n"


def texts() -> dict[str, str]:
    """Every file of text, by name."""
    return {INDEX: index(), **{f"{id}.md": page(id) for id in SCENARIOS}}


def draw(id: str, folder: Path) -> list[Path]:
    """Draws the figure of a page, as PNG and SVG."""
    from cliffgym.plots import line_figure, save_figure, soft_curves

    made, walk = scenario(id), WALKS[id]
    if walk.drawn:
        walk = dataclasses.replace(walk, start=walk.drawn[0], stop=walk.drawn[1])
    base, direction = weight_line(made, walk.component, walk.reward)
    positions = np.linspace(walk.start, walk.stop, POINTS)
    figure = line_figure(
        traced(made, walk),
        (walk.measure, "true_return"),
        position_label=f"weight of {walk.name} (reward per unit)",
        curves=soft_curves(made.mdp, base, direction, positions, TEMPERATURES, with_returns(made)),
        title=f"{id}, reward {reward_name(walk.reward)} with another weight of {walk.name}",
    )
    return save_figure(figure, folder / id)


def stale(folder: Path) -> list[str]:
    """What is wrong with a folder, one line for each file: missing, of another text, or no environment's."""
    wanted = texts()
    figures = [f"{id}.{suffix}" for id in SCENARIOS for suffix in ("png", "svg")]
    found = {path.name: path for path in folder.iterdir()} if folder.is_dir() else {}
    lines = [f"{name}: missing" for name in (*wanted, *figures) if name not in found]
    lines += [
        f"{name}: stale"
        for name, text in wanted.items()
        if name in found and found[name].read_text(encoding="utf-8") != text
    ]
    return lines + [f"{name}: belongs to no environment" for name in sorted(set(found) - set(wanted) - set(figures))]


def main(arguments: Sequence[str] | None = None) -> int:
    """Writes or checks; returns the exit status."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--check", action="store_true", help="write nothing; name stale files, exit status 1 if any")
    parser.add_argument("--output", type=Path, default=FOLDER, help="the folder (default docs/environments)")
    options = parser.parse_args(arguments)
    if options.check:
        lines = stale(options.output)
        print("\n".join(lines) or "every page is current")
        return 1 if lines else 0
    for name, text in texts().items():
        with atomic_write(options.output / name) as file:
            file.write(text.encode())
    for id in SCENARIOS:
        draw(id, options.output)
    return 0


if __name__ == "__main__":
    sys.exit(main())
