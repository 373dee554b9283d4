"""`cliffgym cliffs ID`: every cliff that one component's weight leads over, exactly."""

import argparse
import json
from typing import Any

import numpy as np

from cliffgym.analysis.line import Line
from cliffgym.analysis.weights import trace_weights, weight_line, with_returns
from cliffgym.cli.arguments import add_scenario_arguments, reward_argument
from cliffgym.cli.subjects import reward_name
from cliffgym.scenarios import scenario
from cliffgym.tables import text_table
from cliffgym.trace_scenario import Scenario

_RETURNS = ("incomplete_return", "true_return")
_TEMPERATURES = (0.01, 0.03, 0.1)  # of the soft curves, in reward per nat
_POINTS = 401  # of a soft curve
_ROUNDING = 1e-9  # a smaller jump of an expected component is rounding


def add_command(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Adds the command to the parser."""
    parser = commands.add_parser(
        "cliffs",
        help="every breakpoint of the optimal policy as one component's weight moves",
        description="Finds every weight of one component at which the optimal policy changes, exactly, and what jumps "
        "there. Write a negative number in powers of ten as --from=-1e-3.",
    )
    add_scenario_arguments(parser)
    parser.add_argument(
        "--component",
        type=reward_argument,
        required=True,
        help="the component whose weight moves, or JSON rates of several that move together",
    )
    parser.add_argument("--from", dest="start", type=float, required=True, metavar="WEIGHT", help="its first weight")
    parser.add_argument("--to", dest="stop", type=float, required=True, metavar="WEIGHT", help="its last weight")
    parser.add_argument(
        "--reward",
        type=reward_argument,
        default="true",
        help="the other weights: a reward's name (default true) or JSON",
    )
    parser.add_argument("--all-states", action="store_true", help="count states that optimal policies never come to")
    parser.add_argument("--plot", metavar="STEM", help="draw STEM.png and STEM.svg: hard steps and soft curves")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    """Prints the breakpoints and what holds between them, and draws them if asked to."""
    made = scenario(options.id, **dict(options.set))
    line = trace_weights(
        made, options.component, options.start, options.stop, options.reward, reachable_only=not options.all_states
    )
    # Drawn first: where that fails, nothing else has been printed.
    drawn = _plot(made, line, options) if options.plot else []
    if options.json:
        print(json.dumps({**_facts(made, line, options), "plots": drawn}, indent=2, allow_nan=False))
    else:
        print(_text(line, options))
        if drawn:
            print(f"\nWrote {' and '.join(drawn)}")


def _facts(made: Scenario, line: Line, options: argparse.Namespace) -> dict[str, Any]:
    """Everything about the line, for programs."""
    return {
        "id": made.id,
        "component": options.component,
        "reward": options.reward,
        "from": options.start,
        "to": options.stop,
        "all_states": options.all_states,
        "breakpoints": [
            {
                "position": point.position,
                "states": point.states.tolist(),
                "total_variation": point.total_variation,
                "jumps": point.jumps,
            }
            for point in line.breakpoints
        ],
        "segments": [
            {
                "from": segment.start,
                "to": segment.stop,
                "optimal_return": {"intercept": segment.intercept, "slope": segment.slope},
                "components": segment.components,
            }
            for segment in line.segments
        ],
    }


def _text(line: Line, options: argparse.Namespace) -> str:
    """The line for people: breakpoints with their jumps, and the values between them."""
    names = [
        name
        for name in line.segments[0].components
        if name in (*_moving(options.component), *_RETURNS)
        or any(abs(point.jumps[name]) > _ROUNDING for point in line.breakpoints)
    ]
    reward = reward_name(options.reward)
    where = (
        f"the weight of {reward_name(options.component)} from {options.start:g} to {options.stop:g}, reward {reward}"
    )
    values = [
        [f"{segment.start:.10g}", f"{segment.stop:.10g}", *(_rounded(segment.components[name]) for name in names)]
        for segment in line.segments
    ]
    between = "Expected values between them, ties broken uniformly\n\n" + text_table(["from", "to", *names], values)
    count = len(line.breakpoints)
    counted = f"{count} breakpoint{'' if count == 1 else 's'} on {where}"
    if not count:
        return f"{options.id}: {counted}\n\n{between}"
    jumps = [
        [
            f"{point.position:.10g}",
            len(point.states),
            point.total_variation,
            *(_rounded(point.jumps[name]) for name in names),
        ]
        for point in line.breakpoints
    ]
    table = text_table(["position", "states that flip", "total variation", *names], jumps)
    return f"{options.id}: {counted}\n\nJumps, after minus before\n\n{table}\n\n{between}"


def _moving(component: str | dict[str, float]) -> tuple[str, ...]:
    """The names of what moves."""
    return (component,) if isinstance(component, str) else tuple(component)


def _rounded(value: float) -> float:
    """The value, or 0 for what rounding has left of it."""
    return value if abs(value) > _ROUNDING else 0.0


def _plot(made: Scenario, line: Line, options: argparse.Namespace) -> list[str]:
    """Draws the component and the true return along the line; returns the files' names."""
    from cliffgym.plots import line_figure, save_figure, soft_curves

    base, direction = weight_line(made, options.component, options.reward)
    moving = reward_name(options.component)
    positions = np.linspace(options.start, options.stop, _POINTS)
    curves = soft_curves(made.mdp, base, direction, positions, _TEMPERATURES, with_returns(made))
    figure = line_figure(
        line,
        (*_moving(options.component), "true_return"),
        position_label=f"weight of {moving} (reward per unit)",
        curves=curves,
        title=f"{made.id}, reward {reward_name(options.reward)} with another weight of {moving}",
    )
    return [str(path) for path in save_figure(figure, options.plot)]
