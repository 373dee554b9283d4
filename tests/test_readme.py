"""The README is run: what it shows works, and the numbers it gives are those of the demo's table."""

import csv
import json
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


def test_the_headline_says_what_the_ledger_of_claims_says() -> None:
    records = json.loads((ROOT / "docs" / "reproduction.json").read_text(encoding="utf-8"))
    by_claim = {record["claim"]: record for record in records}
    passed = sum(record["verdict"] == "pass" for record in records)
    text = " ".join(README.split())
    assert f"ledger of {len(records)} claims, {passed} that pass and {len(records) - passed} that fail" in text
    rows = {
        tuple(row[:2]): dict(zip(record["header"], row, strict=True))
        for record in [by_claim["standardised-advantages"]]
        for row in record["rows"]
    }
    middle = {key: row["interquartile mean"] for key, row in rows.items()}
    plain = "PPO, not standardised"
    off = max(abs(middle[key] - row["exact soft"]) for key, row in rows.items() if key[0] == plain)
    assert f"PPO within {off:.3f} of the exact soft optimum at every bonus; 10 seeds each" in text
    assert len(rows[plain, 0.0]["seeds"].split()) == 10
    for label, bonus in (("PPO, standardised", 0.001), ("GRPO", 0.0001)):
        assert abs(middle[label, bonus] - middle[label, 0.1]) < 0.005  # it acts like a bonus of 0.1
    hidden = {tuple(row[:3]): row for row in by_claim["hidden-difficulty"]["rows"]}
    mean = by_claim["hidden-difficulty"]["header"].index("mean")
    assert f"to {hidden['GRPO', 'hidden', 0.01][mean]:.2f} at a 25th of the length penalty" in text
    assert hidden["Dr.GRPO", "hidden", 0.01][mean] > 0.995
