"""Runs claims and writes what was found, as a page and as data."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from cliffgym.checks import choice
from cliffgym.files import atomic_write
from cliffgym.plots import new_figure, save_figure
from cliffgym.tables import markdown_table
from cliffgym_agents.claims import CLAIMS, Claim, Judgement
from cliffgym_agents.runs import train_all


@dataclass(frozen=True)
class Entry:
    """A claim, and what its experiment has shown."""

    claim: Claim
    judgement: Judgement
    agents: int


def reproduce(folder: Path, claims: Sequence[str] = (), quick: bool = False) -> list[Entry]:
    """Runs the experiments of claims and judges them.

    Finished trainings are kept in `folder`/runs.json: a repeated call goes on where an interrupted one stopped.

    Args:
        folder: Where to write `reproduction.md`, `reproduction.json` and figures.
        claims: Ids; default all.
        quick: Fewer seeds and settings.

    Raises:
        ValueError: There is no such claim, or the ledger of runs is damaged.
        ImportError: matplotlib is not installed.
    """
    new_figure(1, 1)  # if matplotlib is missing, this says so now and not after all the training
    chosen = [CLAIMS[choice("claim", id, CLAIMS)] for id in claims or CLAIMS]
    runs = {claim.id: claim.runs(quick) for claim in chosen}
    # Claims share runs: each is trained once.
    every = list({run.key: run for group in runs.values() for run in group}.values())
    folder.mkdir(parents=True, exist_ok=True)
    found = dict(zip((run.key for run in every), train_all(every, folder / "runs.json", "training"), strict=True))
    entries = []
    for claim in chosen:
        measures = [found[run.key] for run in runs[claim.id]]
        entries.append(Entry(claim, claim.judge(runs[claim.id], measures), len(measures)))
        if claim.draw:
            save_figure(claim.draw(runs[claim.id], measures), folder / f"reproduction-{claim.id}")
    with atomic_write(folder / "reproduction.md") as file:
        file.write(page(entries, quick).encode())
    with atomic_write(folder / "reproduction.json") as file:
        records = [{"claim": e.claim.id, "agents": e.agents, **asdict(e.judgement)} for e in entries]
        file.write((json.dumps(records, indent=1, default=float) + "\n").encode())
    return entries


def page(entries: Sequence[Entry], quick: bool) -> str:
    """The ledger as Markdown."""
    overview = [[f"[{e.claim.id}](#{e.claim.id})", e.claim.sentence, f"**{e.judgement.verdict}**"] for e in entries]
    parts = [
        "# Claims, tried",
        "Written by `cliffgym reproduce" + (" --quick" if quick else "") + "`; the data are in "
        "[reproduction.json](reproduction.json). Each claim of the paper about learning is an experiment on really "
        "trained agents, with a predicate and a negative control that are part of its code. Agents are trained with "
        "the default hyperparameters of `cliffgym_agents` unless the table says otherwise; their whole policies are "
        "read out and evaluated exactly. A claim *passes* if its predicate holds, *fails* if it does not, and is *not "
        "measurable* here if the negative control does not do what it must. Seeds are the unit of replication.",
        table(("claim", "what is claimed", "verdict"), overview),
    ]
    for entry in entries:
        claim, judgement = entry.claim, entry.judgement
        parts += [
            f"## {claim.id}",
            claim.sentence,
            table(
                ("", ""),
                [
                    ("source", claim.source),
                    ("published", claim.published),
                    ("predicate", claim.predicate),
                    ("negative control", claim.control),
                    ("verdict", f"**{judgement.verdict}** ({entry.agents} agents)"),
                ],
            ),
            judgement.found,
            *([f"![{claim.sentence}](reproduction-{claim.id}.png)"] if claim.draw else []),
            table(judgement.header, judgement.rows),
        ]
    return "\n\n".join(parts) + "\n"


def table(header: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """A Markdown table; numbers with four decimals at most."""
    return markdown_table(header, [[_cell(value) for value in row] for row in rows])


def _cell(value: object) -> str:
    return f"{round(value, 4) + 0.0:g}" if isinstance(value, float) else str(value)
