"""The README is run: what it shows works. Its numbers, and those of the demo's page, are those of the tables."""

import csv
import json
import re
from pathlib import Path

import numpy as np
import pytest

import cliffgym

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
DEMO = (ROOT / "docs" / "demo" / "README.md").read_text(encoding="utf-8")
LINES = 120  # about a screen and a half of what a code host shows


def test_every_python_block_of_the_readme_runs(capsys: pytest.CaptureFixture[str]) -> None:
    blocks = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    assert blocks
    for block in blocks:
        exec(compile(block, "README.md", "exec"), {"__name__": "readme"})  # noqa: S102
    printed = capsys.readouterr().out.splitlines()
    said = re.findall(r"^print\(.*\)  # (.*)$", "\n".join(blocks), re.MULTILINE)  # the comments on what is printed
    assert len(said) == len(printed) == 4
    for comment, line in zip(said[:3], printed, strict=False):
        assert comment.partition(":")[0] == line


def test_the_readme_is_short_and_names_every_environment() -> None:
    assert len(README.splitlines()) <= LINES
    assert re.findall(r"^\| `(Cliff-\S+)` ", README, re.MULTILINE) == list(cliffgym.SCENARIOS)


def test_the_readmes_links_lead_somewhere() -> None:
    links = re.findall(r"\]\((?!https?:)([^)#]+)", README)
    assert links
    assert [link for link in links if not (ROOT / link).exists()] == []


def test_the_demos_page_says_what_its_table_says() -> None:
    with (ROOT / "docs" / "demo" / "demo.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))

    def mean(name: str, **wanted: str) -> float:
        return float(np.mean([float(row[name]) for row in rows if all(row[key] == v for key, v in wanted.items())]))

    claims = r"P\(json\) is (\S+) at a bonus of -0.05 and (\S+) at \+0.02.*?: (\S+) and (\S+) \(exact"
    claimed = re.search(claims, " ".join(DEMO.split()))
    assert claimed
    settings = (("0.0", "-0.05"), ("0.0", "0.02"), ("0.1", "-0.05"), ("0.1", "0.02"))
    for said, (ent_coef, bonus) in zip(claimed.groups(), settings, strict=True):
        assert said == f"{mean('target_format', ent_coef=ent_coef, bonus=bonus):.2f}"
    incomplete = [
        float(row["true_return"])
        for row in rows
        if row["env_id"] == "Cliff-Slacker-v0" and row["reward"] == "incomplete"
    ]
    assert f"{min(incomplete):.2f} to {max(incomplete):.2f}" in DEMO
    assert f"earn {mean('true_return', env_id='Cliff-Slacker-v0', reward='true'):.2f}" in DEMO


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


def test_the_theory_says_of_claims_what_the_ledger_says() -> None:
    records = json.loads((ROOT / "docs" / "reproduction.json").read_text(encoding="utf-8"))
    verdicts = {record["claim"]: record["verdict"] for record in records}
    theory = (ROOT / "docs" / "theory.md").read_text(encoding="utf-8")
    table = theory.split("\n| theory | tried in | verdict |\n")[1].split("\n\n")[0].splitlines()[1:]
    assert table
    for line in table:
        *_, tried, said = line.strip("| ").split(" | ")
        claims = re.findall(r"\(reproduction\.md#([a-z-]+)\)", tried)
        assert claims, line
        assert {"fails" if verdicts[id] == "fail" else verdicts[id] for id in claims} == {said.strip("* ")}, line
    assert {id for id, verdict in verdicts.items() if verdict == "fail"} <= set(
        re.findall(r"#([a-z-]+)\)", "".join(table))
    )
