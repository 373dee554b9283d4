"""What a claim is: a sentence of the paper about learning, an experiment, and a predicate that was fixed before it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from cliffgym_agents.runs import Run

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Measures = Sequence[Mapping[str, float]]
Verdict = Literal["pass", "fail", "not measurable"]


@dataclass(frozen=True)
class Judgement:
    """What an experiment has shown.

    Attributes:
        verdict: Whether the predicate holds; "not measurable" if the negative control does not do what it must.
        found: The decisive figures in a sentence or two.
        header: Columns of the table.
        rows: Its rows: text and numbers.
    """

    verdict: Verdict
    found: str
    header: tuple[str, ...]
    rows: Sequence[Sequence[object]]


@dataclass(frozen=True)
class Claim:
    """A claim and its experiment.

    Attributes:
        id: A short name, as the command line takes it.
        sentence: What is claimed.
        source: The statement or section that it is from.
        published: The figure that was published, or why there is none.
        predicate: What has to be found, as fixed before running.
        control: What must not be found where the claim's cause is taken away.
        runs: The trainings, fewer of them if asked to be quick.
        judge: From those runs and their measures to a judgement.
        draw: From the same to a figure, or None.
    """

    id: str
    sentence: str
    source: str
    published: str
    predicate: str
    control: str
    runs: Callable[[bool], list[Run]] = field(repr=False)
    judge: Callable[[Sequence[Run], Measures], Judgement] = field(repr=False)
    draw: "Callable[[Sequence[Run], Measures], Figure] | None" = field(default=None, repr=False)


def verdict(holds: bool, control: bool) -> Verdict:
    """The verdict from whether the predicate and the negative control hold."""
    return "not measurable" if not control else "pass" if holds else "fail"
