"""Runs claims and writes what was found, as a page and as data."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from cliffgym.checks import choice
from cliffgym.files import atomic_write
from cliffgym.plots import new_figure, save_figure
from cliffgym.tables import markdown_table, write_csv
from cliffgym_agents.claims import CLAIMS, Claim, Judgement
from cliffgym_agents.defaults import default_hyperparameters
from cliffgym_agents.runs import Result, Run, run_all

_CHANGED = "its settings or default hyperparameters have changed"
_CLOSE = "; close: it hangs on one seed or two"
_LONG = 16  # numbers of a hyperparameter that are still written out


@dataclass(frozen=True)
class Entry:
    """A claim, and what its experiment has shown.

    Attributes:
        claim: The claim.
        judgement: What was found.
        agents: How many were trained for it.
        plan: As `plan_of` has it.
    """

    claim: Claim
    judgement: Judgement
    agents: int
    plan: str


def reproduce(
    folder: Path, claims: Sequence[str] = (), quick: bool = False, scheduler: str | None = None
) -> list[Entry]:
    """Runs the experiments of claims and judges them.

    Finished trainings are kept in `folder`/runs.sqlite: a repeated call goes on where an interrupted one stopped.

    Args:
        folder: Where to write `reproduction.md`, `reproduction.json`, `reproduction.csv` and figures.
        claims: Ids; default all.
        quick: Fewer seeds and settings.
        scheduler: Address of a Dask scheduler; default processes of this machine.

    Raises:
        ValueError: There is no such claim, or the ledger of runs is damaged or in use.
        RuntimeError: A training failed, or was lost.
        ImportError: matplotlib is not installed.
        OSError: The ledger cannot be written, or the scheduler cannot be reached.
    """
    new_figure(1, 1)  # if matplotlib is missing, this says so now and not after all the training
    chosen = [CLAIMS[choice("claim", id, CLAIMS)] for id in dict.fromkeys(claims or CLAIMS)]
    runs = {claim.id: claim.runs(quick) for claim in chosen}
    # Claims share runs: each is trained once.
    every = {run.job.id: run for settings in runs.values() for seeds in settings.values() for run in seeds}
    results = dict(
        zip(every, run_all(list(every.values()), folder / "runs.sqlite", "training", scheduler), strict=True)
    )
    entries = []
    for claim in chosen:
        found = {setting: [results[run.job.id] for run in seeds] for setting, seeds in runs[claim.id].items()}
        entries.append(Entry(claim, claim.judge(found), sum(map(len, found.values())), plan_of(claim)))
        if claim.draw:
            save_figure(claim.draw(found), folder / f"reproduction-{claim.id}")
    _write(folder, entries, quick)
    write_csv(folder / "reproduction.csv", [_record(run, results[id]) for id, run in every.items()])
    return entries


def plan_of(claim: Claim) -> str:
    """A hash of predicate, control, and what the full experiment trains, defaults included and versions not."""
    parts = [claim.predicate, claim.control]
    for seeds in claim.runs(quick=False).values():
        parts += [run.job.text for run in seeds]
        parts.append(json.dumps(default_hyperparameters(seeds[0].algorithm, seeds[0].env_id), sort_keys=True))
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


def compared() -> list[str]:
    """The ids of the claims whose verdicts are compared with published ones: those that are not close."""
    return [id for id, claim in CLAIMS.items() if not claim.close]


def differences(entries: Sequence[Entry], file: Path) -> list[str]:
    """In what entries differ from a `reproduction.json`: in verdicts that are not close, or in what is trained.

    What is trained for claims that are close is compared also where they are not among the entries.

    Raises:
        ValueError: The file is no such record.
        OSError: It cannot be read.
    """
    try:
        records = {record["claim"]: record for record in json.loads(file.read_text(encoding="utf-8"))}
        published = {id: (record["verdict"], record["plan"]) for id, record in records.items()}
    except (json.JSONDecodeError, UnicodeDecodeError, KeyError, TypeError) as error:
        raise ValueError(f"record must be a reproduction.json, got {file}: {error!r}") from error
    found = []
    tried = {entry.claim.id for entry in entries}
    for id, claim in CLAIMS.items():
        if claim.close and id not in tried and id in published and plan_of(claim) != published[id][1]:
            found.append(f"{id}: {file} is of another experiment: {_CHANGED}")
    for entry in entries:
        id, own = entry.claim.id, (entry.judgement.verdict, entry.plan)
        if id not in published:
            found.append(f"{id}: {file} does not have it")
        elif own[1] != published[id][1]:
            found.append(f"{id}: {file} is of another experiment: {_CHANGED}")
        elif own[0] != published[id][0] and not entry.claim.close:
            found.append(f"{id}: found {own[0]}, but {file} says {published[id][0]}")
    return found


def _write(folder: Path, entries: Sequence[Entry], quick: bool) -> None:
    with atomic_write(folder / "reproduction.md") as file:
        file.write(page(entries, quick).encode())
    with atomic_write(folder / "reproduction.json") as file:
        records = [{"claim": e.claim.id, "agents": e.agents, "plan": e.plan, **asdict(e.judgement)} for e in entries]
        file.write((json.dumps(records, indent=1, default=float) + "\n").encode())


def _record(run: Run, result: Result) -> dict[str, Any]:
    """A run and its measures as columns."""
    plain = {"id": run.job.id, "env_id": run.env_id, "env_kwargs": json.dumps(dict(run.env_kwargs))}
    plain |= {"reward": json.dumps(run.reward) if isinstance(run.reward, Mapping) else run.reward}
    plain |= {
        "algorithm": run.algorithm,
        "hyperparameters": json.dumps({k: _brief(v) for k, v in run.hyperparameters.items()}),
    }
    return {**plain, "ent_coef": run.ent_coef, "seed": run.seed, **result.measures}


def _brief(value: Any) -> Any:
    """A hyperparameter; of a table what it is, since the id covers its numbers."""
    text = json.dumps(value)
    return value if text.count(",") < _LONG else f"table of {text.count(',') + 1} numbers"


def page(entries: Sequence[Entry], quick: bool) -> str:
    """The ledger as Markdown."""
    overview = [[f"[{e.claim.id}](#{e.claim.id})", e.claim.sentence, f"**{e.judgement.verdict}**"] for e in entries]
    parts = [
        "# Claims, tried",
        "Written by `cliffgym reproduce" + (" --quick" if quick else "") + "`; the data are in "
        "[reproduction.json](reproduction.json) and, run by run, in [reproduction.csv](reproduction.csv). Each claim "
        "of the paper about learning is an experiment on really trained agents, with a predicate and a negative "
        "control that are part of its code. Agents are trained with the default hyperparameters of `cliffgym_agents` "
        "unless the table says otherwise; their whole policies are read out and evaluated exactly. A claim *passes* "
        "if its predicate holds, *fails* if it does not, and is *not measurable* here if the negative control does "
        "not do what it must. Seeds are the unit of replication: tables give interquartile means, stratified bootstrap "
        "intervals at 95 % (which with fewer than ten seeds cover less than they say), means, and all seeds. "
        "Predicates speak of means unless they say otherwise.",
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
                    ("verdict", f"**{judgement.verdict}** ({entry.agents} agents)" + _CLOSE * claim.close),
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
