"""`cliffgym analyze`: the ties of a reward, how far its nearest cliff is, and what it leaves to chance."""

import argparse
import json
import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cliffgym.analysis.intervals import regret_interval
from cliffgym.analysis.radius import cliff_radius
from cliffgym.analysis.ties import ties
from cliffgym.cli.arguments import add_settings, reward_argument
from cliffgym.cli.subjects import Subject, add_own_mdp, read_subject
from cliffgym.mdp import TabularMDP
from cliffgym.rewards import RewardComponents
from cliffgym.tables import text_table

_WRITTEN_OUT = 15  # digits up to which a number of policies is written out


def add_command(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Adds the command to the parser."""
    parser = commands.add_parser(
        "analyze",
        help="ties, the distance to the nearest cliff, and the regret interval",
        description="Analyses a scenario (ID), an MDP of your own (--mdp and --reward) or a toy-text environment "
        "(--gym). With --json, null stands for what is infinite or does not exist.",
    )
    parser.add_argument("id", metavar="ID", nargs="?", help="an environment's id, as `cliffgym list` shows them")
    add_own_mdp(parser)
    parser.add_argument(
        "--reward",
        type=reward_argument,
        metavar="REWARD",
        help="what training pays. With ID: a reward's name (default incomplete) or JSON weights of components; with "
        "--mdp: an .npy file, a table (S, A)",
    )
    parser.add_argument("--exact", action="store_true", help="certify the ties in rational arithmetic (small MDPs)")
    add_settings(parser, of="the scenario or Gymnasium environment")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    """Prints the analysis."""
    subject = read_subject(options)
    facts = {
        "subject": subject.name,
        "reward": subject.reward_name,
        "states": subject.mdp.num_states,
        "actions": subject.mdp.num_actions,
        "gamma": subject.mdp.gamma,
        "ties": _tie_facts(subject, options.exact),
        "cliff_radius": _radius_facts(subject),
        "regret_interval": _regret_facts(subject),
        "evaluation": _evaluation_facts(subject),
    }
    print(json.dumps(facts, indent=2, allow_nan=False) if options.json else _text(facts))


def _tie_facts(subject: Subject, exact: bool) -> dict[str, Any]:
    """What `ties` finds."""
    found = ties(subject.mdp, subject.reward, exact=exact)
    digits = found.log10_optimal_policies
    return {
        "states": found.states.tolist(),
        "reachable_states": found.reachable_states.tolist(),
        # Longer numbers are no use to a reader, and Python refuses to print the longest.
        "optimal_policies": found.num_optimal_policies if digits < _WRITTEN_OUT else None,
        "log10_optimal_policies": digits,
        "smallest_gap": _finite(found.smallest_gap),
        "smallest_gap_at": None if found.smallest_gap_at is None else _pair(subject.mdp, *found.smallest_gap_at),
        "certified": found.certified,
        "warning": found.warning,
    }


def _radius_facts(subject: Subject) -> list[dict[str, Any]]:
    """What `cliff_radius` finds over tables and weights; over reachable states too if there are others."""
    spaces: list[tuple[str, str | RewardComponents]] = [("reward table", "table")]
    if subject.components is not None:
        spaces.append(("component weights", subject.components))
    facts = []
    for name, over in spaces:
        for only in (False,) if subject.mdp.reachable.all() else (False, True):
            found = cliff_radius(subject.mdp, subject.reward, over, reachable_only=only)
            entry: dict[str, Any] = {
                "over": name,
                "states": "reachable" if only else "all",
                "radius": _finite(found.radius),
                "at": None,
                "tied_with": None,
                "witness_weights": None,
            }
            if found.state is not None and found.action is not None and found.witness is not None:
                entry["at"] = _pair(subject.mdp, found.state, found.action)
                if found.tied_with is not None:
                    entry["tied_with"] = subject.mdp.describe_action(found.tied_with)
                if isinstance(over, RewardComponents):
                    entry["witness_weights"] = dict(zip(over.names, found.witness.tolist(), strict=True))
            facts.append(entry)
    return facts


def _regret_facts(subject: Subject) -> dict[str, float] | None:
    """The regret interval in units of true return, or None if nobody said what was meant."""
    if subject.true is None:
        return None
    return _interval(subject.mdp, subject.reward, subject.true)


def _interval(mdp: TabularMDP, train: NDArray[np.float64], meant: NDArray[np.float64]) -> dict[str, float]:
    interval = regret_interval(mdp, train, meant)
    names = ("worst", "uniform", "best", "optimum", "left_to_chance", "misspecified")
    return {name: getattr(interval, name) for name in names}


def _evaluation_facts(subject: Subject) -> dict[str, Any] | None:
    """What policies that are optimal in training are worth over all prompts, if training leaves some out."""
    made = subject.scenario
    if made is None or made.evaluation is None:
        return None
    full = made.evaluation
    return {
        "undetermined": [made.mdp.describe_state(state) for state in made.undetermined],
        **{f"{name}_return": _interval(full.mdp, subject.reward, full.reward(name)) for name in ("incomplete", "true")},
    }


def _text(facts: dict[str, Any]) -> str:
    """The same facts for people to read."""
    tied, gap, at = facts["ties"], facts["ties"]["smallest_gap"], facts["ties"]["smallest_gap_at"]
    policies = tied["optimal_policies"]
    rows = [
        ["tied states", str(len(tied["states"]))],
        ["of them reachable by optimal policies", str(len(tied["reachable_states"]))],
        [
            "optimal deterministic policies",
            f"10^{tied['log10_optimal_policies']:.6g}" if policies is None else policies,
        ],
        ["smallest gap that is no tie", "none" if gap is None else f"{gap:.6g} at {at['words']}"],
    ]
    if tied["certified"] is not None:
        rows.append(["confirmed by exact arithmetic", "yes" if tied["certified"] else "no"])
    parts = [
        f"{facts['subject']}, reward {facts['reward']}: {facts['states']} states, {facts['actions']} actions, "
        f"gamma {facts['gamma']:g}",
        text_table(["ties", "value"], rows),
    ]
    if tied["warning"]:
        parts.append(f"warning: {tied['warning']}")
    header = ["cliff radius over", "states", "radius", "there becomes optimal", "when weights change by"]
    parts.append(text_table(header, [_radius_row(entry) for entry in facts["cliff_radius"]]))
    if facts["regret_interval"]:
        title = "true return of policies optimal for this reward"
        rows = [[name.replace("_", " "), f"{value + 0.0:.6g}"] for name, value in facts["regret_interval"].items()]
        parts.append(text_table([title, "reward"], rows))
    if evaluation := facts["evaluation"]:
        parts.append("Training leaves the policy undetermined at " + ", ".join(evaluation["undetermined"]))
        title = "return over all prompts of policies optimal in training"
        names, kinds = list(evaluation["true_return"]), ("incomplete", "true")
        rows = [
            [name.replace("_", " "), *(f"{evaluation[f'{kind}_return'][name] + 0.0:.6g}" for kind in kinds)]
            for name in names
        ]
        parts.append(text_table([title, *kinds], rows))
    return "\n\n".join(parts)


def _radius_row(entry: dict[str, Any]) -> list[str]:
    """One radius as cells."""
    cells = [entry["over"], entry["states"], "infinite" if entry["radius"] is None else f"{entry['radius']:.6g}"]
    cells.append(entry["at"]["words"] if entry["at"] else "nothing")
    if entry["tied_with"]:
        cells[-1] += f", tied with {entry['tied_with']}"
    weights = entry["witness_weights"] or {}
    change = ", ".join(f"{name} {weight:+.6g}" for name, weight in weights.items() if weight)
    # At a tie the witness is a direction: any step along it will do.
    return [*cells, f"any step along {change}" if change and entry["tied_with"] else change]


def _pair(mdp: TabularMDP, state: int, action: int) -> dict[str, Any]:
    """A state and an action as numbers and in words."""
    words = f"{mdp.describe_state(state)}, {mdp.describe_action(action)}"
    return {"state": state, "action": action, "words": words}


def _finite(value: float) -> float | None:
    """The number, or None if it is infinite: JSON has no infinity."""
    return value if math.isfinite(value) else None
