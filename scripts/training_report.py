"""Trains PPO under every named reward of every scenario and writes docs/training.md and docs/training.csv.

A run lands on an optimum if the expected value of every component lies within 5 per cent of what is possible from the
exact interval of that component over all optimal policies. Where the interval is a point the outcome is determined;
where it is wider, ties leave it to chance, and the page says so.
"""

import argparse
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from cliffgym_agents import exact_measures
from cliffgym_agents.runs import Run, run_all

from cliffgym import SCENARIOS, Scenario, scenario
from cliffgym.analysis import OutcomeInterval, outcome_intervals, regret_interval
from cliffgym.files import atomic_write
from cliffgym.tables import markdown_table, write_csv

ROOT = Path(__file__).resolve().parent.parent
PAGE, DATA = ROOT / "docs" / "training.md", ROOT / "docs" / "training.csv"
ALLOWED = 0.05  # share of a component's range
WIDE = 1e-9  # an interval that is wider is a tie
CURATED: dict[str, Any] = {"curated": True}
COEFFICIENTS = (0.003, 0.03, 0.3)  # of LengthControl's deviation, beside the default

COMPARISONS = (
    ("Cliff-Obedience-v0", "reference", "incomplete", ("correct", "soft", "hard")),
    ("Cliff-Sophistry-v0", "reference", "incomplete", ("incomplete_return", "correct")),
    ("Cliff-Deception-v0", "incomplete", "cot_pressure", ("tampered", "flagged", "undetected", "solved")),
    ("Cliff-SpuriousReasoning-v0", "reference", "incomplete", ("correct", "faithful")),
    ("Cliff-LengthPenalty-v0", "incomplete", "true", ("correct", "length")),
)
"""Training as a change of behaviour: from a policy, or from what another reward taught, to what a reward teaches."""


@dataclass(frozen=True)
class Lesson:
    """What one reward of one scenario taught: measures of each seed, beside the exact intervals."""

    made: Scenario
    reward: str
    measures: Sequence[Mapping[str, float]]

    @property
    def intervals(self) -> dict[str, OutcomeInterval]:
        """By component; those that no policy can change are left out."""
        found = outcome_intervals(self.made.mdp, self.made.reward(self.reward), self.made.components)
        return {name: interval for name, interval in found.items() if interval.most - interval.least > WIDE}

    def learned(self, name: str) -> list[float]:
        """One value for each seed."""
        return [measures[name] for measures in self.measures]

    def distance(self, name: str, interval: OutcomeInterval) -> float:
        """The largest over the seeds, as a share of what is possible."""
        return max(interval.distance(value) for value in self.learned(name))


def distinct_rewards(made: Scenario) -> list[str]:
    """Names of rewards, each weighting once."""
    return [name for i, name in enumerate(made.rewards) if made.rewards[name] not in list(made.rewards.values())[:i]]


def spread(values: Sequence[float]) -> str:
    """The mean, and the lowest and highest."""
    low, middle, high = min(values), float(np.mean(values)), max(values)
    return f"{tidy(middle)}" if tidy(low) == tidy(high) else f"{tidy(middle)} ({tidy(low)} to {tidy(high)})"


def tidy(value: float) -> str:
    """A number for a table."""
    return f"{round(value, 3) + 0.0:g}"


def lesson_rows(lesson: Lesson) -> Iterator[list[str]]:
    """One row for each component."""
    for name, interval in lesson.intervals.items():
        tied = interval.width > WIDE
        exact = f"{tidy(interval.low)} to {tidy(interval.high)}" if tied else tidy(interval.low)
        distance = lesson.distance(name, interval)
        verdict = "misses" if distance > ALLOWED else "tied: lands inside" if tied else "lands"
        where = [f"`{lesson.reward}`", name, exact, spread(lesson.learned(name)), f"{distance:.1%}", verdict]
        yield where


def comparison_rows(lessons: Mapping[tuple[str, str], Lesson]) -> Iterator[list[str]]:
    """One row for each measure that training moved."""
    for id, before, after, names in COMPARISONS:
        made = scenario(id)
        if before == "reference":
            start = exact_measures(made, made.reference)
            first = {name: [start[name]] for name in names}
        else:
            first = {name: lessons[id, before].learned(name) for name in names}
        for name in names:
            later = lessons[id, after].learned(name)
            change = float(np.mean(later)) - float(np.mean(first[name]))
            sign = "rises" if change > 1e-3 else "falls" if change < -1e-3 else "stays"
            start = before if before == "reference" else f"`{before}`"
            yield [id, f"{start} → `{after}`", name, spread(first[name]), spread(later), sign]


def curation_rows(plain: Lesson, curated: Lesson) -> Iterator[list[str]]:
    """What an agent that never saw the ambiguous prompts earns on all prompts."""
    for label, lesson in (("all prompts", plain), ("clear prompts alone", curated)):
        full = lesson.made.evaluation or lesson.made
        train = lesson.made.reward("incomplete")
        interval = regret_interval(full.mdp, train, full.reward("incomplete"))
        name = "incomplete_return" if lesson.made.evaluation is None else "evaluation_incomplete_return"
        exact = f"{tidy(interval.worst)} to {tidy(interval.best)}"
        yield [label, str(len(lesson.made.undetermined)), exact, spread(lesson.learned(name))]


def coefficient_rows(lessons: Sequence[Lesson]) -> Iterator[list[str]]:
    """How near to its targets LengthControl comes, by what a thought off target costs."""
    for lesson in lessons:
        exact, learned = lesson.intervals["deviation"], lesson.learned("deviation")
        off = f"{lesson.distance('deviation', exact):.1%}"
        yield [f"{lesson.made.parameters['deviation_penalty']:g}", tidy(exact.low), spread(learned), off]


def page(
    lessons: Mapping[tuple[str, str], Lesson], curated: Lesson, coefficients: Sequence[Lesson], num_seeds: int
) -> str:
    """The text of docs/training.md."""
    rows = {
        id: [row for (of, _), lesson in lessons.items() if of == id for row in lesson_rows(lesson)] for id in SCENARIOS
    }
    missed = sorted({(id, row[0]) for id, these in rows.items() for row in these if row[-1] == "misses"})
    verdict = f"Of {len(lessons)} pairs of scenario and reward, {len(lessons) - len(missed)} land" + (
        " on an exact optimum." if not missed else "; these miss: " + ", ".join(f"{a} {b}" for a, b in missed) + "."
    )
    header = ["reward", "component", "exact", f"PPO, {num_seeds} seeds: mean (lowest to highest)", "off by", "verdict"]
    return "\n".join(
        [
            "# PPO under every reward",
            "",
            "Written by `scripts/training_report`; the numbers are in [training.csv](training.csv).",
            "",
            f"PPO with the default hyperparameters of `cliffgym_agents`, {num_seeds} seeds for each named reward of",
            "each scenario, the whole policy read out and evaluated exactly. *Exact* is the value of a component over",
            "all optimal policies: one number where the reward determines it, an interval where ties leave it to",
            "chance. *Off by* is the worst seed's distance from there, as a share of the component's range over all",
            f"policies; a pair lands if that is at most {ALLOWED:.0%} for every component. Rewards that weigh alike",
            "are trained on once.",
            "",
            verdict,
            "",
            "## Before and after",
            "",
            "Section 5 of the paper in signs: obedience falls as correctness rises, approval rises as correctness",
            "falls, and pressure on the chain of thought moves tampering from where it is flagged to where it is not.",
            "",
            markdown_table(
                ["scenario", "from → to", "measure", "before", "after", "it"], list(comparison_rows(lessons))
            ),
            "",
            "## Curation",
            "",
            "MultiReward, with and without its ambiguous prompts in training, evaluated on all prompts (expected score",
            "by the class that asks). The interval is that of policies that are optimal in training.",
            "",
            markdown_table(
                ["trained on", "prompts left undetermined", "exact", "PPO"],
                list(curation_rows(lessons["Cliff-MultiReward-v0", "incomplete"], curated)),
            ),
            "",
            "## The price of a thought",
            "",
            "LengthControl's deviation from target (in thoughts) by what a thought off target costs. The optimum is",
            "the same for all; what differs is how soon the price is heard above the noise of training.",
            "",
            markdown_table(
                ["deviation_penalty", "exact", "PPO", "off by"],
                list(coefficient_rows([lessons["Cliff-LengthControl-v0", "true"], *coefficients])),
            ),
            *(part for id in SCENARIOS for part in ("", f"## {id}", "", markdown_table(header, rows[id]))),
            "",
        ]
    )


def main() -> None:
    """Trains what has not been trained, and writes the page."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--seeds", type=int, default=5, help="agents for each reward (default 5)")
    parser.add_argument("--folder", type=Path, default=ROOT / "runs" / "training_report", help="for finished runs")
    options = parser.parse_args()
    seeds = range(options.seeds)
    pairs = [(id, name) for id in SCENARIOS for name in distinct_rewards(scenario(id))]
    settings: list[tuple[str, str, dict[str, Any]]] = [(id, name, {}) for id, name in pairs]
    settings.append(("Cliff-MultiReward-v0", "incomplete", CURATED))
    settings += [("Cliff-LengthControl-v0", "true", {"deviation_penalty": price}) for price in COEFFICIENTS]
    runs = [Run(id, name, 0.0, seed, kwargs) for id, name, kwargs in settings for seed in seeds]
    options.folder.mkdir(parents=True, exist_ok=True)
    measures = [found.measures for found in run_all(runs, options.folder / "runs.sqlite", "training")]
    groups = [measures[i : i + len(seeds)] for i in range(0, len(runs), len(seeds))]
    lessons = [Lesson(scenario(id, **kw), name, group) for (id, name, kw), group in zip(settings, groups, strict=True)]
    named, (curated, *coefficients) = lessons[: len(pairs)], lessons[len(pairs) :]
    text = page(dict(zip(pairs, named, strict=True)), curated, coefficients, len(seeds))
    with atomic_write(PAGE) as file:
        file.write(text.encode())
    write_csv(DATA, [csv_row(run, found, name) for run, found in zip(runs, measures, strict=True) for name in found])


def csv_row(run: Run, measures: Mapping[str, float], name: str) -> dict[str, Any]:
    """One measure of one run."""
    where = {"scenario": run.env_id, "arguments": json.dumps(dict(run.env_kwargs)), "reward": run.reward}
    return where | {"seed": run.seed, "measure": name, "value": measures[name]}


if __name__ == "__main__":
    main()
