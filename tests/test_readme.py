"""The README is run: what it shows works, and the numbers it gives are those of the demo's table."""

import csv
import re
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_every_python_block_of_the_readme_runs(capsys: pytest.CaptureFixture[str]) -> None:
    blocks = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    assert blocks
    for block in blocks:
        exec(compile(block, "README.md", "exec"), {"__name__": "readme"})  # noqa: S102
    assert "1.0 6" in capsys.readouterr().out  # the README's own comment on what is printed


def test_the_readmes_numbers_are_those_of_the_demos_table() -> None:
    with (ROOT / "docs" / "demo" / "demo.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))

    def mean(name: str, **wanted: str) -> float:
        return float(np.mean([float(row[name]) for row in rows if all(row[key] == v for key, v in wanted.items())]))

    claims = r"P\(json\) is (\S+) at a bonus of -0.05 and (\S+) at \+0.02.*?: (\S+) and (\S+) \(exact"
    claimed = re.search(claims, " ".join(README.split()))
    assert claimed
    settings = (("0.0", "-0.05"), ("0.0", "0.02"), ("0.1", "-0.05"), ("0.1", "0.02"))
    for said, (ent_coef, bonus) in zip(claimed.groups(), settings, strict=True):
        assert said == f"{mean('target_format', ent_coef=ent_coef, bonus=bonus):.2f}"
    incomplete = [
        float(row["true_return"])
        for row in rows
        if row["env_id"] == "Cliff-Slacker-v0" and row["reward"] == "incomplete"
    ]
    assert f"{min(incomplete):.2f} to {max(incomplete):.2f}" in README
    assert f"earn {mean('true_return', env_id='Cliff-Slacker-v0', reward='true'):.2f}" in README
