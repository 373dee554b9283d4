"""docs/training.md says what docs/training.csv holds, and calls a miss a miss."""

import csv
import importlib.util
import itertools
import json
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from cliffgym import SCENARIOS, scenario

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def report() -> ModuleType:
    spec = importlib.util.spec_from_file_location("training_report", ROOT / "scripts" / "training_report.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def lessons(report: ModuleType) -> list[Any]:
    """What the table holds, in its order."""
    with report.DATA.open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    found = []
    for (id, arguments, reward), lines in itertools.groupby(
        rows, key=lambda row: (row["scenario"], row["arguments"], row["reward"])
    ):
        seeds: dict[str, dict[str, float]] = {}
        for row in lines:
            seeds.setdefault(row["seed"], {})[row["measure"]] = float(row["value"])
        made = scenario(id, **json.loads(arguments))
        found.append(report.Lesson(made, reward, list(seeds.values())))
    return found


def written(report: ModuleType, lessons: list[Any]) -> str:
    pairs = [(id, name) for id in SCENARIOS for name in report.distinct_rewards(scenario(id))]
    named, (curated, *coefficients) = lessons[: len(pairs)], lessons[len(pairs) :]
    assert [(lesson.made.id, lesson.reward) for lesson in named] == pairs
    return report.page(dict(zip(pairs, named, strict=True)), curated, coefficients, len(curated.measures))


def test_the_page_is_what_the_table_says(report: ModuleType, lessons: list[Any]) -> None:
    assert written(report, lessons) == report.PAGE.read_text(encoding="utf-8")


def test_a_lesson_that_was_not_learned_is_called_a_miss(report: ModuleType, lessons: list[Any]) -> None:
    first = lessons[0]
    spoiled = [dict(measures) for measures in first.measures]
    spoiled[-1]["correct"] -= 0.06
    text = written(report, [replace(first, measures=spoiled), *lessons[1:]])
    assert "Cliff-Slacker-v0 `incomplete`" in next(line for line in text.splitlines() if "these miss" in line)
    assert "misses |" in next(line for line in text.splitlines() if line.startswith("| `incomplete` | correct |"))


def test_the_signs_are_those_of_the_papers_section_5(report: ModuleType) -> None:
    lines = report.PAGE.read_text(encoding="utf-8").splitlines()

    def sign(id: str, measure: str) -> str:
        (line,) = (line for line in lines if line.startswith(f"| {id} |") and f" | {measure} | " in line)
        return line.split(" | ")[-1].removesuffix(" |")

    assert sign("Cliff-Obedience-v0", "correct") == "rises"
    assert sign("Cliff-Obedience-v0", "soft") == sign("Cliff-Obedience-v0", "hard") == "falls"
    assert sign("Cliff-Sophistry-v0", "incomplete_return") == "rises"
    assert sign("Cliff-Sophistry-v0", "correct") == "falls"
    assert sign("Cliff-Deception-v0", "flagged") == "falls"
    assert sign("Cliff-Deception-v0", "undetected") == "rises"
