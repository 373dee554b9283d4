"""The results for people: a table for the terminal, and the page docs/benchmarks/README.md."""

from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any

from benchmarks.quantities import verdict
from benchmarks.results import Results
from cliffgym.tables import markdown_table, text_table

HEADER = ["row", "ours", "peer", "ratio", "spread", "target", "verdict"]
_PREFIXES = ((1e9, "G"), (1e6, "M"), (1e3, "k"), (1, ""))


def quantity(value: float) -> str:
    """Three digits and a prefix, such as `12.3 M`."""
    for size, prefix in _PREFIXES:
        if abs(value) >= size:
            return f"{value / size:#.3g}".rstrip(".") + (f" {prefix}" if prefix else "")
    return f"{value:#.3g}"


def factor(value: float) -> str:
    """A ratio with three digits."""
    return f"{value:#.3g}".rstrip(".")


def target(row: Mapping[str, Any]) -> str:
    """What the ratio is meant to be."""
    if row["target"] is None:
        return "-"
    return f"{'<=' if row['at_most'] else '>='} {row['target']:g}"


def cells(row: Mapping[str, Any]) -> list[str]:
    """A row of `HEADER`."""
    if "reason" in row:
        return [row["name"], "-", "-", "-", "-", target(row), verdict(row)]
    ratio = row["ratio"]
    spread = f"{factor(ratio['lowest'])} .. {factor(ratio['highest'])}"
    rates = ["-", "-"]
    if "rates" in row:
        rates = [f"{quantity(median(row['rates'][row[side]]))} {row['unit']}/s" for side in ("ours", "peer")]
    return [row["name"], *rates, factor(ratio["median"]), spread, target(row), verdict(row)]


def terminal_table(rows: Sequence[Mapping[str, Any]]) -> str:
    """The table in columns."""
    return text_table(HEADER, [cells(row) for row in rows])


def markdown_rows(rows: Sequence[Mapping[str, Any]]) -> list[list[str]]:
    """The rows of the page's table."""
    lines = []
    for row in rows:
        _, ours, peer, ratio, spread, aim, found = cells(row)
        sides = [f"{side} ({row[key]})" if key in row else side for side, key in ((ours, "ours"), (peer, "peer"))]
        emphasis = f"**{found}**" if row["target"] is not None else found
        lines.append([row["what"], row["against"], aim, ratio, spread, emphasis, *sides])
    return lines


def notes(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """What is counted in each row, and what a reader should know of its sides."""
    lines = []
    for row in rows:
        remarks = [row["counted"]]
        for label, found in row.get("facts", {}).items():
            if "method" in found:
                remarks.append(f"{label} by {found['method']}")
            if "largest_difference" in found:
                remarks.append(f"optimal values agree within {found['largest_difference']:.1e}")
            if "first_call_seconds" in found:
                remarks.append(f"first call of a fresh MDP {1e3 * found['first_call_seconds']:.3g} ms")
        remarks += [f"{label} not measured: {reason}" for label, reason in row.get("failures", {}).items()]
        others = {k: v for k, v in row.get("rates", {}).items() if k not in (row["ours"], row["peer"])}
        remarks += [f"{label}: {quantity(median(found))} {row['unit']}/s" for label, found in others.items()]
        lines.append(f"- `{row['name']}`: {'; '.join(remarks)}.")
    return lines


def bandwidth_note(results: Results) -> str:
    """Memory bandwidth, and what share of it stepping takes."""
    if not results.bandwidth:
        return "Memory bandwidth was not measured."
    speed = median(results.bandwidth)
    text = f"Memory bandwidth, a large copy by NumPy: {speed / 1e9:.3g} GB/s (reading and writing counted)."
    for name in ("floor", "floor-oracle"):
        row = results.rows.get(name, {})
        if "rates" in row:
            size = row["facts"][row["ours"]]["bytes_per_call"]
            share = size * median(row["rates"][row["ours"]]) / speed
            text += f" `{name}`: {size:.3g} bytes go in or out for each environment and step, {share:.0%} of it."
    return text


def page(results: Results, command: str, figures: Sequence[str]) -> str:
    """docs/benchmarks/README.md."""
    rows = list(results.rows.values())
    header = ["what", "against", "target", "ratio", "spread", "verdict", "ours", "peer"]
    plan, machine = results.run["plan"], results.run["machine"]
    parts = [
        "# Benchmarks",
        f"Written by `{command}` on {results.when}. A ratio is that of the medians of our rate and the peer's over "
        f"{plan['repeats']} rounds, in each of which all sides take their turn; the spread is that of the rounds' own "
        "ratios. Of several sides of ours the slowest counts, of several peers the fastest. What keeps a row from its "
        "target is told in [limits.md](limits.md).",
        markdown_table(header, markdown_rows(rows)),
        "## What is counted",
        "\n".join(notes(rows)),
        "Every side is a process of its own, pinned to one and the same core, with one thread. What compiles has "
        f"compiled before. One measurement takes {plan['seconds']:g} s at least.",
        bandwidth_note(results),
        "## Growth",
        *(f"![{name}]({name}.svg)" for name in figures),
        "## The machine",
        markdown_table(["", ""], [[key, value] for key, value in machine.items()]),
        "All numbers, round by round, are in [results.json](results.json).",
    ]
    return "\n\n".join(parts) + "\n"
