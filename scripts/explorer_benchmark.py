"""How quick the explorer's page is, in a real Chromium. Run by scripts/explorer_benchmark.

*Ready* is the time from the start of navigation to the end of the first full draw, each time in a new context without
any cache. A *move* sets a slider to another place and lasts from the event to the first frame after the page has drawn,
waiting for that frame included: a frame comes every 17 ms. What is slow follows in later frames, and has a time of its
own. Every slider of a weight takes its turn.
"""

import argparse
import datetime as dt
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.machine import memory, processor
from playwright.sync_api import Browser, Page, sync_playwright
from tqdm import tqdm

from cliffgym import SCENARIOS
from cliffgym.explorer import explorer_page
from cliffgym.files import atomic_write
from cliffgym.tables import markdown_table, text_table

FOLDER = Path(__file__).resolve().parents[1] / "docs" / "benchmarks"
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
FLAGS = [
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync"),
]
MODES = ("hard", "entropy")
READY_TARGET, MOVE_TARGET = 500.0, 50.0  # milliseconds, of medians
HEADER = [
    "scenario",
    "policy",
    "ready, median (most), ms",
    "move, median (95 %, most), ms",
    "computing, median (most), ms",
    "all there, median (most), ms",
]

MOVES = """
async ([moves, seed]) => {
  let drawn = seed;
  const random = () => (drawn = (drawn * 16807) % 2147483647) / 2147483647;
  const sliders = [...document.querySelectorAll("#weights input[type=range]")];
  const frame = () => new Promise((done) => requestAnimationFrame(done));
  const task = () => new Promise((done) => {
    const channel = new MessageChannel();
    channel.port1.onmessage = done;
    channel.port2.postMessage(null);
  });
  const times = [], computing = [], settled = [];
  for (let n = 0; n < moves; n++) {
    const slider = sliders[n % sliders.length], low = Number(slider.min), high = Number(slider.max);
    const start = performance.now();
    slider.value = String(low + (high - low) * random());
    slider.dispatchEvent(new Event("input", { bubbles: true }));
    await frame();
    await task(); // after the frame in which it was drawn
    times.push(performance.now() - start);
    computing.push(globalThis.cliffgym.lastRedraw);
    while (globalThis.cliffgym.busy) await frame();
    settled.push(performance.now() - start);
    await frame();
  }
  return { times, computing, settled };
}
"""


def measure(browser: Browser, path: Path, id: str, mode: str, rounds: int, moves: int) -> dict[str, Any]:
    """One row: times in milliseconds."""
    ready, found = list[float](), {name: list[float]() for name in ("times", "computing", "settled")}
    for number in range(rounds):
        context = browser.new_context(viewport={"width": 1280, "height": 900})
        page = context.new_page()
        page.goto(f"{path.as_uri()}#id={id}&mode={mode}&temperature=0.1")
        while not page.evaluate("globalThis.cliffgym?.ready && !globalThis.cliffgym.busy"):
            page.wait_for_timeout(10)
        ready.append(page.evaluate("performance.getEntriesByName('cliffgym-ready')[0].startTime"))
        for name, times in timed(page, moves, number + 1).items():
            found[name] += times
        context.close()
    return {"id": id, "mode": mode, "ready": ready, **found}


def timed(page: Page, moves: int, seed: int) -> dict[str, list[float]]:
    """Moves of sliders to places that the seed says."""
    return page.evaluate(MOVES, [moves, seed])


def cells(row: dict[str, Any]) -> list[str]:
    """A row of the table."""
    late = sorted(row["times"])[int(0.95 * (len(row["times"]) - 1))]
    return [
        row["id"],
        row["mode"],
        f"{median(row['ready']):.0f} ({max(row['ready']):.0f})",
        f"{median(row['times']):.1f} ({late:.1f}, {max(row['times']):.1f})",
        f"{median(row['computing']):.1f} ({max(row['computing']):.1f})",
        f"{median(row['settled']):.0f} ({max(row['settled']):.0f})",
    ]


def write(folder: Path, rows: Sequence[dict[str, Any]], browser: str, size: int, options: argparse.Namespace) -> None:
    """The page and the data behind it."""
    slowest = {name: max(median(row[name]) for row in rows) for name in ("ready", "times")}
    verdicts = [
        f"ready in {slowest['ready']:.0f} ms where it takes longest, target {READY_TARGET:.0f} ms: "
        f"**{'pass' if slowest['ready'] < READY_TARGET else 'missed'}**",
        f"a move in {slowest['times']:.1f} ms where it takes longest, target {MOVE_TARGET:.0f} ms: "
        f"**{'pass' if slowest['times'] < MOVE_TARGET else 'missed'}**",
    ]
    text = (
        f"# The explorer's page\n\nWritten by `scripts/explorer_benchmark` on {dt.date.today().isoformat()}, in "
        f"Chromium {browser}, without a GPU, on {processor()}, {os.cpu_count()} cores, {memory()}. The page of all "
        f"scenarios has {size / 1000:,.0f} kB. Medians of {options.rounds} loads and "
        f"{options.rounds * options.moves} moves of a slider: {'; '.join(verdicts)}.\n\n"
        "*Ready* is from the start of navigation to the end of the first full draw. A *move* is from the event of a "
        "slider to the first frame after the pictures were drawn; frames come every 17 ms. *Computing* is what the "
        "page itself needs of that. *All there* is when cliffs and cells that are not known yet, which are computed in "
        "slices, have followed in later frames (in Cliff-Garnet-v0, whose MDP has cycles, that takes a while), and the "
        "tree of traces, which is out of sight in a window of 1280 by 900 pixels and drawn when the page is calm.\n\n"
        + markdown_table(HEADER, [cells(row) for row in rows])
        + "\n"
    )
    with atomic_write(folder / "explorer.md") as file:
        file.write(text.encode())
    record = {"format": "cliffgym.explorer-benchmark/1", "browser": browser, "bytes": size, "rows": list(rows)}
    with atomic_write(folder / "explorer.json") as file:
        file.write((json.dumps(record, indent=1) + "\n").encode())


def main(arguments: Sequence[str] | None = None) -> int:
    """Measures and writes."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n\n")[0])
    parser.add_argument("--output", type=Path, default=FOLDER, help="folder (default docs/benchmarks)")
    parser.add_argument("--rounds", type=int, default=7, help="loads of the page for each row (default 7)")
    parser.add_argument("--moves", type=int, default=30, help="moves of sliders for each load (default 30)")
    options = parser.parse_args(arguments)
    program = os.environ.get("CLIFFGYM_CHROMIUM") or next(filter(None, map(shutil.which, BROWSERS)), None)
    if program is None:
        print("explorer_benchmark: no Chromium: install it, or set CLIFFGYM_CHROMIUM to the program", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        path = Path(folder).resolve() / "explorer.html"
        path.write_text(explorer_page(), encoding="utf-8")
        browser = playwright.chromium.launch(executable_path=program, args=FLAGS)
        plan = [(id, mode) for id in SCENARIOS for mode in MODES]
        rows = [measure(browser, path, id, mode, options.rounds, options.moves) for id, mode in tqdm(plan)]
        write(options.output, rows, browser.version, path.stat().st_size, options)
    print(text_table(HEADER, [cells(row) for row in rows]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
