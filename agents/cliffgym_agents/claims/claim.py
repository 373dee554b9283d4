"""What a claim is: a sentence of the paper about learning, an experiment, and a predicate that was fixed before it."""

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal

from cliffgym_agents.runs import Result, Run

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Setting = tuple[Hashable, ...]
"""What an experiment calls one of its settings, such as ("PPO", 0.02): the first cells of a row of its table."""
Found = Mapping[Setting, Sequence[Result]]
"""By setting what its seeds have shown."""
Verdict = Literal["pass", "fail", "not measurable"]


@dataclass(frozen=True)
class Judgement:
    """What an experiment has shown.

    Attributes:
        verdict: Whether the predicate holds; "not measurable" if the negative control does not do what it must.
        found: The decisive figures in a sentence or two.
        header: Columns of the table.
        rows: Its rows: text and numbers.

    >>> from cliffgym_agents.claims import CLAIMS
    >>> from cliffgym_agents.runs import Result
    >>> true_returns = {"incomplete": (1.1, 1.5, 1.9), "true": (2.0, 2.0, 2.0), "lazy": (1.0, 1.0, 1.0)}
    >>> found = {
    ...     (reward,): [Result({"true_return": value, "effort": 1.0}) for value in values]
    ...     for reward, values in true_returns.items()
    ... }
    >>> judgement = CLAIMS["slacker"].judge(found)  # three agents for each reward, made up
    >>> judgement.verdict, judgement.header[:2], judgement.rows[0][:2]
    ('pass', ('trained on', 'measure'), ['incomplete', 'true_return'])
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
        settings: The runs by setting, whose seed is replaced; fewer of them if asked to be quick.
        judge: From what was found to a judgement.
        seeds: How many for each setting, if quick and if not.
        draw: From what was found to a figure, or None.
        close: Whether the verdict hangs on one seed or two, which another machine's rounding may decide otherwise: it
            is published, but not compared with.

    >>> from cliffgym_agents.claims import CLAIMS
    >>> claim = CLAIMS["slacker"]
    >>> claim.control
    'Trained on `true`, every agent is above 1.95.'
    >>> {setting: len(runs) for setting, runs in claim.runs(quick=False).items()}
    {('incomplete',): 10, ('true',): 10, ('lazy',): 10}
    """

    id: str
    sentence: str
    source: str
    published: str
    predicate: str
    control: str
    settings: Callable[[bool], Mapping[Setting, Run]] = field(repr=False)
    judge: Callable[[Found], Judgement] = field(repr=False)
    seeds: tuple[int, int] = (3, 10)
    draw: "Callable[[Found], Figure] | None" = field(default=None, repr=False)
    close: bool = False

    def runs(self, quick: bool) -> dict[Setting, list[Run]]:
        """The runs of each setting, one for each seed. The quick ones are among the others.

        Every run keeps its policy, so that claims with equal runs share them.
        """
        seeds = range(self.seeds[0 if quick else 1])
        return {
            setting: [replace(run, seed=seed, keep_policy=True) for seed in seeds]
            for setting, run in self.settings(quick).items()
        }


def verdict(holds: bool, control: bool) -> Verdict:
    """The verdict from whether the predicate and the negative control hold."""
    return "not measurable" if not control else "pass" if holds else "fail"
