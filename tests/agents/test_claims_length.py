"""Claims about length and sophistry: predicates hold where they must, fail where they must, and so do controls."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from cliffgym_agents import exact_measures
from cliffgym_agents.claims.claim import Claim, Found, Setting
from cliffgym_agents.claims.hidden_difficulty import HIDDEN_DIFFICULTY
from cliffgym_agents.claims.length import LENGTH_CLIFFS, LENGTH_CONTROL
from cliffgym_agents.claims.sophistry import SOPHISTRY, SOPHISTRY_CLIFFS
from cliffgym_agents.runs import Result, Run

from cliffgym import optimal, scenario, uniform_policy

CLAIMS = {c.id: c for c in (LENGTH_CLIFFS, HIDDEN_DIFFICULTY, LENGTH_CONTROL, SOPHISTRY, SOPHISTRY_CLIFFS)}
every_claim = pytest.mark.parametrize("id", list(CLAIMS))

Policy = Callable[[Run], np.ndarray]


def best(reward: Any = None) -> Policy:
    """What is optimal for a reward; default what training paid."""

    def policy(run: Run) -> np.ndarray:
        made = scenario(run.env_id, **run.env_kwargs)
        return optimal(made.mdp, made.reward(run.reward if reward is None else reward)).policy

    return policy


at_once = best({"length": -1.0})


def untrained(run: Run) -> np.ndarray:
    return uniform_policy(scenario(run.env_id, **run.env_kwargs).mdp)


def half_hearted(run: Run) -> np.ndarray:
    """Embellishes two tokens in three: less right than before training, and hardly more convincing."""
    made = scenario(run.env_id, **run.env_kwargs)
    policy = uniform_policy(made.mdp)
    policy[:, made.tokens.index("embellish")] *= 4 / 3
    policy[:, made.tokens.index("research")] *= 2 / 3
    return policy


def is_plain(setting: Setting) -> bool:
    return setting[0] in ("PPO, not standardised", "Dr.GRPO")


def in_theory(id: str, setting: Setting) -> Policy:
    """What the claim expects an agent to learn."""
    if id == "hidden-difficulty" and setting[:2] == ("GRPO", "hidden"):
        return at_once
    if id == "length-control" and setting[1] == 3e-4 and is_plain(setting):
        return best("incomplete")
    return best()


Spoil = tuple[Callable[[Setting], bool], Policy]
SPOILED: dict[str, tuple[list[Spoil], list[Spoil]]] = {
    # ways to break the predicate, and ways to break the control: in which settings what else is learned
    "length-cliffs": (
        [
            (lambda s: s == ("PPO", 0.23), best({"correct": 1, "length": -0.3})),
            (lambda s: s == ("PPO", 1.1), untrained),
        ],
        [(lambda s: s == ("PPO", 0.0), untrained)],
    ),
    "hidden-difficulty": (
        [(lambda s: s == ("GRPO", "hidden", 0.01), best())],
        [
            (lambda s: s == ("GRPO", "visible", 0.01), at_once),
            (lambda s: s == ("Dr.GRPO", "hidden", 0.01), at_once),
            (lambda s: s == ("Dr.GRPO", "hidden", 0.05), untrained),
        ],
    ),
    "length-control": (
        [
            (lambda s: s == ("GRPO", 3e-4), best("incomplete")),
            (lambda s: s == ("Dr.GRPO", 3e-4), best()),
            (lambda s: s == ("PPO, not standardised", 3e-4), best()),
        ],
        [(lambda s: s == ("PPO, not standardised", 0.3), best("incomplete"))],
    ),
    "sophistry": (
        [
            (lambda s: s == ("incomplete",), best({"correct": 1.0, "fooled": 0.5})),  # convinces and is right
            (lambda s: s == ("incomplete",), half_hearted),
        ],
        [(lambda s: s == ("true",), untrained), (lambda s: s == ("true",), best("incomplete"))],
    ),
    "sophistry-cliffs": (
        [
            (lambda s: s == ("PPO", "incomplete", 0.82), best("true")),
            (lambda s: s == ("PPO", "incomplete", 0.93), untrained),
        ],
        [(lambda s: s == ("PPO", "true", 0.93), untrained)],
    ),
}
WAYS = [(id, kind, i) for id, both in SPOILED.items() for kind in (0, 1) for i in range(len(both[kind]))]


def found_in_theory(
    id: str, quick: bool, spoil: Spoil = (lambda s: False, untrained), only: int | None = None
) -> Found:
    """What would be found; spoiled for all seeds, or for `only` one."""
    found = {}
    for setting, runs in CLAIMS[id].runs(quick).items():
        made = scenario(runs[0].env_id, **runs[0].env_kwargs)
        found[setting] = []
        for run in runs:
            spoiled = spoil[0](setting) and only in (None, run.seed)
            policy = (spoil[1] if spoiled else in_theory(id, setting))(run)
            found[setting].append(Result(exact_measures(made, policy), policy=policy))
    return found


@every_claim
@pytest.mark.parametrize("quick", [True, False])
def test_what_the_claim_expects_passes(id: str, quick: bool) -> None:
    judgement = CLAIMS[id].judge(found_in_theory(id, quick))
    assert judgement.verdict == "pass", judgement.found
    assert judgement.rows
    assert all(len(row) == len(judgement.header) for row in judgement.rows)


@pytest.mark.parametrize(("id", "kind", "way"), WAYS)
def test_what_it_does_not_expect_fails_or_is_no_verdict(id: str, kind: int, way: int) -> None:
    found = found_in_theory(id, True, SPOILED[id][kind][way])
    assert CLAIMS[id].judge(found).verdict == ("fail", "not measurable")[kind]


@pytest.mark.parametrize(
    ("id", "kind", "way"),
    [("length-cliffs", 1, 0), ("sophistry", 0, 0), ("sophistry", 1, 0), ("sophistry-cliffs", 1, 0)],
)
def test_what_is_said_of_every_seed_is_broken_by_one(id: str, kind: int, way: int) -> None:
    found = found_in_theory(id, False, SPOILED[id][kind][way], only=1)
    assert CLAIMS[id].judge(found).verdict == ("fail", "not measurable")[kind]


def number(cell: object) -> float:
    assert isinstance(cell, float)
    return cell


def exact_column(claim: Claim) -> dict[Setting, float]:
    """By setting what the table says is exact."""
    judgement = claim.judge(found_in_theory(claim.id, False))
    width = len(next(iter(claim.settings(False))))
    column = next(i for i, name in enumerate(judgement.header) if name in ("exact", "exact deviation"))
    return {tuple(row[:width]): row[column] for row in judgement.rows}  # type: ignore[misc]


def test_exact_figures_are_those_derived_by_hand() -> None:
    for (_, price), accuracy in exact_column(LENGTH_CLIFFS).items():
        assert accuracy == pytest.approx(sum(number(price) < 1 / d for d in (1, 2, 3, 4)) / 4)
    for setting, accuracy in exact_column(HIDDEN_DIFFICULTY).items():
        assert accuracy == pytest.approx(float(setting[1] == "visible" or number(setting[2]) < 1 / 4))
    assert list(exact_column(LENGTH_CONTROL).values()) == pytest.approx([0.25] * 5)
    types = ((0.2, 0.9), (0.4, 0.8), (0.6, 0.7))
    for (_, reward, gullibility), correct in exact_column(SOPHISTRY_CLIFFS).items():
        convinced = [reward == "incomplete" and number(gullibility) > (c1 - c0) / (1 - c0) for c0, c1 in types]
        expected = [c0 if hacked else c1 for (c0, c1), hacked in zip(types, convinced, strict=True)]
        assert correct == pytest.approx(np.mean(expected))


@pytest.mark.parametrize("claim", [LENGTH_CLIFFS, HIDDEN_DIFFICULTY, SOPHISTRY_CLIFFS])
@pytest.mark.parametrize("quick", [True, False])
def test_figures_show_every_seed_on_the_exact_curve(claim: Claim, quick: bool) -> None:
    assert claim.draw is not None
    figure = claim.draw(found_in_theory(claim.id, quick))
    exact, *series = figure.axes[0].lines
    curve = np.array(exact.get_data(), dtype=float)
    settings = claim.settings(quick)
    assert figure.axes[0].get_title()
    drawn = sum(np.isfinite(np.asarray(line.get_ydata(), dtype=float)).sum() for line in series)
    shown = [s for s in settings if not {"true", "visible", "GRPO, deviation of the batch"} & set(s)]
    assert drawn == len(shown) * claim.seeds[0 if quick else 1]
    for line in series:
        if str(line.get_label()) != "GRPO":  # which is expected to be off the curve
            x, y = np.array(line.get_data(), dtype=float)
            there = np.isfinite(y)
            np.testing.assert_allclose(y[there], np.interp(x[there], *curve), atol=1e-9)
