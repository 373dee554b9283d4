"""What guides say of trained agents is what the ledger of claims has, sentence by sentence, to the last digit."""

import json
import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

DOCS = Path(__file__).parents[1] / "docs"
LEDGER = {record["claim"]: record for record in json.loads((DOCS / "reproduction.json").read_text(encoding="utf-8"))}
MIDDLE = "interquartile mean"
PLAIN, STANDARDISED = "PPO, not standardised", "PPO, standardised"


def rows(claim: str, *key: object) -> list[dict]:
    """The rows of a claim's table whose first columns are `key`."""
    record = LEDGER[claim]
    found = [dict(zip(record["header"], row, strict=True)) for row in record["rows"] if row[: len(key)] == list(key)]
    assert found, (claim, key)
    return found


def value(claim: str, *key: object, column: str = MIDDLE) -> Any:
    (row,) = rows(claim, *key)
    return row[column]


def seeds(claim: str, *key: object) -> list[float]:
    return list(map(float, value(claim, *key, column="seeds").split()))


def jump(claim: str, algorithm: str, column: str = MIDDLE) -> float:
    """How far P(json) moves between a bonus of 0 and one of 0.02."""
    return value(claim, algorithm, 0.02, column=column) - value(claim, algorithm, 0.0, column=column)


def off(claim: str, algorithm: str) -> float:
    """How far P(json) is from the exact soft optimum, at worst."""
    return max(abs(row[MIDDLE] - row["exact soft"]) for row in rows(claim, algorithm))


def jumps() -> list[str]:
    claim = "standardised-advantages"
    return [
        "from a bonus of 0 to one of 0.02, where the soft optimum moves by"
        f" {jump(claim, 'GRPO', 'exact soft'):.3f}, P(json) jumps by {jump(claim, STANDARDISED):.2f} under PPO's"
        f" standardisation and by {jump(claim, 'GRPO'):.2f} under GRPO's. Without it PPO is within"
        f" {off(claim, PLAIN):.3f} of the exact optimum at every bonus, and Dr.GRPO within"
        f" {off(claim, 'Dr.GRPO'):.3f}.",
        f"tables jump by {jump('not-the-network', STANDARDISED):.2f}",
    ]


def hidden_difficulty() -> list[str]:
    claim = "hidden-difficulty"
    right = [("Dr.GRPO", "hidden"), ("GRPO, deviation of the batch", "hidden"), ("GRPO", "visible")]
    (others,) = {f"{value(claim, *key, 0.01, column='mean'):.2f}" for key in right}
    return [
        "a cliff at 0.25. At a price of 0.01, a 25th of that, and without an entropy bonus, mean accuracy under GRPO is"
        f" {value(claim, 'GRPO', 'hidden', 0.01, column='mean'):.2f}. It is {others} under Dr.GRPO, under GRPO with the"
        " deviation of the whole batch, and under GRPO with the difficulty visible",
    ]


def length_control() -> list[str]:
    def away(algorithm: str, price: float) -> str:
        mean, exact = (value("length-control", algorithm, price, column=c) for c in ("mean", "exact deviation"))
        return f"{mean - exact:.2f}"

    return [
        f"At a price of 0.0003 on each token off a target length, GRPO comes to within {away('GRPO', 3e-4)} tokens of"
        f" the best that is possible, while Dr.GRPO is {away('Dr.GRPO', 3e-4)} away, and PPO"
        f" {away(STANDARDISED, 3e-4)} with and {away(PLAIN, 3e-4)} without standardising",
        f"at 0.3 PPO is within {away(PLAIN, 0.3)}.",
    ]


def quantal_response() -> list[str]:
    claim = "ent-coef-is-not-the-temperature"
    policy_gradients = [row for row in rows(claim) if row["algorithm"] != "SoftDQN"]
    apart = [row for row in policy_gradients if row["soft optimum to quantal response, masks known"] > 0.01]
    near = max(row["learned to quantal response, mean"] for row in apart)
    far = [row["mean"] for row in apart]
    assert value(claim, "SoftDQN", column="mean") < 0.001
    return [
        f"PPO and MaskablePPO are within {near:.3f} of the quantal response and {min(far):.3f} to {max(far):.3f} away"
        " from the soft optimum, and `soft_dqn` is on the soft optimum",
        "At 0.5 the soft optimum keeps thinking",
    ]


def kl_tie_breaker() -> list[str]:
    def distance(kl_coef: float) -> float:
        return value("kl-tie-breaker", kl_coef, 0.0, column="distance from the reference, mean")

    return [
        f"after a right answer they are within {max(map(distance, (0.1, 0.03, 0.01))):.3f} of the reference at"
        f" coefficients from 0.1 to 0.01, and {distance(0.0):.3f} away without a penalty, while at 0.01 a bonus of 0.05"
        f" gives P(json) = {value('kl-tie-breaker', 0.01, 0.05, column='mean'):.3f} against the reference",
        "A bonus of 0.05 beats it as soon as the coefficient is small beside 0.05.",
    ]


def no_repair() -> list[str]:
    claim = "entropy-does-not-repair"
    none, some, much = (f"{value(claim, 'incomplete', coef):.3f}" for coef in (0.0, 0.1, 1.0))
    before = re.search(r"that of the policy before training being (\d\.\d+)", LEDGER[claim]["found"])
    assert before
    return [
        f"correctness under the incomplete reward is {none} without entropy, {some} at `ent_coef` 0.1 and {much} at 1,"
        f" where the policy is all but the one before training ({before[1]}). On the true reward it is"
        f" {value(claim, 'true', 0.0):.3f}",
    ]


def perturbation() -> list[str]:
    claim = "reward-model-perturbation"
    down, small_down, small_up, up = (
        f"{value(claim, PLAIN, 0.0, size, column='mean'):.3f}" for size in (-0.1, -0.001, 0.001, 0.1)
    )
    tied = seeds(claim, PLAIN, 0.0, 0.0)
    return [
        f"PPO's mean P(refuse) is {down} where refusing pays 0.1 less and helping safely 0.1 more, and {up} the other"
        f" way round. At a hundredth of that it is {small_down} and {small_up}, and on the cliff itself seeds range"
        f" from {min(tied):.3f} to {max(tied):.3f}.",
    ]


def curation() -> list[str]:
    found = seeds("curation", "clear prompts alone")
    return [f"Trained agents came out at {min(found):.3f} to {max(found):.3f} "]


def bringing_the_cliff_back() -> list[str]:
    claim = "standardised-advantages"
    large, middle, small = (value(claim, STANDARDISED, bonus) for bonus in (0.1, 0.02, 0.001))
    assert middle == pytest.approx(large, abs=0.003)
    assert small == pytest.approx(large, abs=0.003)
    moved = 1 / (1 + 3 * math.exp(-0.001 / 0.1)) - 1 / 4
    least = seeds(claim, STANDARDISED, 1e-4)
    return [
        f"With an entropy bonus of 0.1 and without standardising, PPO is within {off(claim, PLAIN):.3f} of the exact"
        " soft optimum at every bonus. With it, a bonus of 0.02 acts like one of 0.1, and so does one of 0.001 (the"
        f" soft optimum moves by {moved:.3f} there).",
        f"at 0.0001 PPO's seeds were anywhere from {min(least):.2f} to {max(least):.2f}, with an interquartile mean of"
        f" {value(claim, STANDARDISED, 1e-4):.2f}. GRPO, whose groups soon hold right answers alone, was at"
        f" {value(claim, 'GRPO', 1e-4):.2f}.",
    ]


SAID = {
    "guides/entropy.md": (jumps, hidden_difficulty, length_control, quantal_response, kl_tie_breaker, no_repair),
    "guides/hidden-classes.md": (perturbation, curation),
    "start/policy-cliff.md": (bringing_the_cliff_back,),
}


def prose(page: str) -> list[str]:
    """The paragraphs of a page that are no code, each in one line."""
    paragraphs = (DOCS / page).read_text(encoding="utf-8").split("\n\n")
    return [" ".join(each.split()) for each in paragraphs if not each.startswith("```")]


@pytest.mark.parametrize(("page", "sentences"), [(page, each) for page, said in SAID.items() for each in said])
def test_guides_say_what_the_ledger_says(page: str, sentences: Callable[[], list[str]]) -> None:
    text = " ".join(prose(page))
    for sentence in sentences():
        assert sentence in text, (page, sentence)


def test_every_number_beside_a_link_to_the_ledger_is_checked() -> None:
    """In a paragraph that refers to claims of the ledger, all decimal numbers are in sentences that are checked."""
    pages = sorted(path for folder in ("guides", "start") for path in (DOCS / folder).glob("*.md"))
    assert len(pages) > 8
    for path in pages:
        page = path.relative_to(DOCS).as_posix()
        checked = [sentence for sentences in SAID.get(page, ()) for sentence in sentences()]
        for paragraph in prose(page):
            if "reproduction.md#" not in paragraph:
                continue
            for sentence in checked:
                paragraph = paragraph.replace(sentence, "")
            assert re.findall(r"\d+\.\d+", paragraph) == [], (page, paragraph)
