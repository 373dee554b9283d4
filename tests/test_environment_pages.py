"""docs/environments: every environment has its page, and pages and figures are what scripts/environment_pages makes."""

import importlib.util
import json
import re
import shlex
import shutil
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest

import cliffgym
from cliffgym.cli import main


def find_root() -> Path:
    """The folder of pyproject.toml above this file."""
    for folder in Path(__file__).resolve().parents:
        if (folder / "pyproject.toml").exists():
            return folder
    raise FileNotFoundError("pyproject.toml")


ROOT = find_root()
PAGES = ROOT / "docs" / "environments"
IDS = list(cliffgym.SCENARIOS)
SLACKER = "Cliff-Slacker-v0"

every_id = pytest.mark.parametrize("id", IDS)


@pytest.fixture(scope="module")
def report() -> Any:
    """The script that writes the pages."""
    spec = importlib.util.spec_from_file_location("environment_pages", ROOT / "scripts" / "environment_pages.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of the committed folder."""
    return Path(shutil.copytree(PAGES, tmp_path / "environments"))


def committed(id: str) -> str:
    return (PAGES / f"{id}.md").read_text(encoding="utf-8")


def section(id: str, title: str) -> str:
    """What a page says under a generated heading."""
    return committed(id).split(f"\n### {title}\n")[1].split("\n### ")[0]


def rows(text: str) -> list[list[str]]:
    """The cells of a section's table, its header first."""
    lines = [line[2:-2].split(" | ") for line in text.splitlines() if line.startswith("| ")]
    return [line for line in lines if set(line) != {"---"}]


def words(figure: Path) -> set[str]:
    """The texts in an SVG figure."""
    root = ET.parse(figure).getroot()  # noqa: S314
    return {"".join(element.itertext()).strip() for element in root.iter("{http://www.w3.org/2000/svg}text")}


# The committed folder


@every_id
def test_a_committed_page_is_what_the_generator_writes(report: Any, id: str) -> None:
    assert committed(id) == report.page(id), "run scripts/environment_pages"


def test_the_committed_list_is_what_the_generator_writes(report: Any) -> None:
    text = (PAGES / "README.md").read_text(encoding="utf-8")
    assert text == report.index(), "run scripts/environment_pages"
    assert re.findall(r"\]\((.+?)\.md\)", text) == IDS


def test_every_environment_has_a_page_and_figures_and_no_file_is_left_over() -> None:
    wanted = {"README.md", *(f"{id}.{suffix}" for id in IDS for suffix in ("md", "png", "svg"))}
    assert {path.name for path in PAGES.iterdir()} == wanted


def test_every_link_leads_somewhere() -> None:
    for page in PAGES.glob("*.md"):
        targets = re.findall(r"\]\((.+?)\)", page.read_text(encoding="utf-8"))
        assert targets
        assert [target for target in targets if not (PAGES / target).is_file()] == []


@every_id
def test_a_page_shows_its_figure_with_words_for_those_who_cannot_see_it(id: str) -> None:
    shown = re.findall(r"!\[(.+?)\]\((.+?)\)", committed(id))
    assert [figure for _, figure in shown] == [f"{id}.png"]
    assert "step functions" in shown[0][0]
    assert f"[SVG]({id}.svg)" in committed(id)
    assert (PAGES / f"{id}.png").read_bytes().startswith(b"\x89PNG\r\n")


@every_id
def test_a_committed_figure_has_the_cliffs_of_its_page(report: Any, id: str) -> None:
    """How it is drawn depends on matplotlib's version, but what it says does not."""
    walk = report.WALKS[id]
    low, high = walk.drawn or (walk.start, walk.stop)
    points = [p for p in report.traced(cliffgym.scenario(id), walk).breakpoints if low <= p.position <= high]
    texts = words(PAGES / f"{id}.svg")
    assert f"{id}, reward {walk.reward} with another weight of {walk.component}" in texts
    assert {f"weight of {walk.component} (reward per unit)", f"expected {walk.measure} (per trace)"} <= texts
    assert {"exact optimum", *(f"soft, temperature {t:g}" for t in report.TEMPERATURES)} <= texts
    # Beyond some number they are counted, not labelled.
    labels = {f"{point.position:.4g}" for point in points} if len(points) <= 24 else {f"{len(points)} breakpoints"}
    assert labels <= texts, "run scripts/environment_pages"


# What pages say


@every_id
def test_a_page_holds_the_docstring_and_then_its_own_sections(id: str) -> None:
    page = committed(id)
    titles = re.findall(r"^#+ (.+)$", page, re.MULTILINE)
    assert titles[0] == id
    assert titles[1] == "Description"
    after = ["Version history", "At the defaults", "Rewards", "A trace", "Before and after", "Cliffs"]
    after += ["Variants"] if "## Negative control" in page or "hidden_difficulty" in page else []
    assert titles[-len(after) :] == after
    for line in (cliffgym.SCENARIOS[id].__doc__ or "").splitlines():
        assert line.strip() in page
    for name, value in cliffgym.scenario(id).parameters.items():
        assert name == "gamma" or f"| `{name}` | `{value!r}` |" in page


def test_variants_show_the_negative_controls_and_what_training_leaves_out() -> None:
    found = {row[1].strip("`"): row for row in rows(section("Cliff-MultiReward-v0", "Variants"))[1:]}
    answers = {arguments: row[2].split("; ") for arguments, row in found.items()}
    assert answers[""][4] == "refuse or safe_complete"
    assert answers["mixture=(0.49, 0.26, 0.25)"][4] == "safe_complete"
    assert answers["mixture=(0.51, 0.24, 0.25)"][4] == "refuse"
    assert answers["curated=True"] == ["refuse", "safe_complete", "comply", "any", "any", "any"]
    assert found["curated=True"][7] == "3"
    assert found["ambiguity=(0, 0, 0)"][3:5] == ["0", "0.1"]
    for row in rows(section("Cliff-SpuriousReasoning-v0", "Variants"))[1:]:
        share = float(row[1].strip("`").removeprefix("fooled_share="))
        assert float(row[4]) == pytest.approx((1 - share) / 18, rel=1e-5)
    slack = {row[1].strip("`"): row[-1] for row in rows(section("Cliff-Obedience-v0", "Variants"))[1:]}
    assert slack == {"": "0; 1; 2", "budget=8": "0", "budget=8, obedience_weight=3": "0"}
    strong = rows(section("Cliff-Deception-v0", "Variants"))[-1]
    assert (strong[0], strong[5], strong[6]) == ("`strong`", "0.6", "0.6")


@every_id
def test_the_command_on_a_page_gives_the_cliffs_on_it(id: str, capsys: pytest.CaptureFixture[str]) -> None:
    tables = re.findall(r"(\| weight \|.+?)\n\n.*?`cliffgym (cliffs .+?)`\n", section(id, "Cliffs") + "\n", re.DOTALL)
    assert len(tables) == (2 if id == "Cliff-MultiReward-v0" else 1)
    for text, command in tables:
        assert main([*shlex.split(command), "--json"]) == 0
        found = json.loads(capsys.readouterr().out)["breakpoints"]
        (*_, variation), cliffs = rows(text)[0][:4], rows(text)[1:]
        assert variation == "total variation"
        assert found
        for row, point in zip(cliffs, found, strict=True):
            jumps = dict(zip(rows(text)[0][4:], map(float, row[4:]), strict=True))
            assert float(row[0]) == pytest.approx(point["position"], rel=1e-5, abs=1e-9)
            assert int(row[1]) == len(point["states"])
            assert row[2].startswith(f"state {point['states'][0]}")
            assert float(row[3]) == pytest.approx(point["total_variation"], rel=1e-5)
            assert {name: jumps.get(name, 0.0) for name in point["jumps"]} == pytest.approx(
                point["jumps"], rel=1e-5, abs=1e-9
            )


@every_id
def test_a_page_has_the_numbers_that_show_prints(id: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["show", id, "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert f"```text\n{shown['sample']}\n```" in section(id, "A trace")
    header, *policies = rows(section(id, "Before and after"))
    expected = {"`reference`": shown["reference"]}
    expected |= {f"`{entry['reward']}`": entry["components"] for entry in shown["optima"]}
    assert [row[0] for row in policies] == list(expected)
    for row in policies:
        values = dict(zip(header[1:], map(float, row[1:]), strict=True))
        assert values == pytest.approx(expected[row[0]], rel=1e-5, abs=1e-9)
    for row, entry in zip(rows(section(id, "Rewards"))[1:], shown["optima"], strict=True):
        names = ("optimum", "tied_states", "true_worst", "true_uniform", "true_best", "true_optimum")
        said = [float(cell) for cell in (row[2], row[3], *row[6:])]
        assert said == pytest.approx([entry[name] for name in names], rel=1e-5, abs=1e-9)


def test_known_facts_are_on_the_pages() -> None:
    assert "| `incomplete` | correct | 1 | 12 | 0 | 0 | 1 | 1.5 | 2 | 2 |" in committed(SLACKER)
    # Half the bonus: the target may lose as much as another format gains.
    assert "| correct + 0.1 target_format | 1.1 | 0 | 0.05 | 0.05 |" in committed("Cliff-TieBreaker-v0")
    lengths = rows(section("Cliff-LengthPenalty-v0", "Cliffs"))[1:]
    assert [row[0] for row in lengths] == ["-1", "-0.5", "-0.333333", "-0.25", "0"]
    questions = rows(section("Cliff-Sophistry-v0", "Cliffs"))[1:]
    assert [row[0] for row in questions] == ["0.25", "0.666667", "0.875"]
    # What a coin toss for each token is worth, as Obedience's docstring has it.
    assert "| `reference` | 0.339844 | 0.9375 | 0.890625 | 3 | 0 |" in committed("Cliff-Obedience-v0")
    shared = "| A prompt that may be about safety or about nothing special. | 0.75 | 0 | 0.25 |"
    assert shared in committed("Cliff-MultiReward-v0")


def test_a_tie_that_no_trace_comes_to_makes_one_radius_nought(report: Any) -> None:
    """Training without a class leaves its prompt without a reward: all answers are tied there."""
    made = cliffgym.scenario("Cliff-MultiReward-v0", exclude="safety")
    (true,) = [row for row in report.reward_rows(made) if row[0] == "`true`"]
    assert true[4] == 0
    assert true[5] == pytest.approx(0.05)  # values or general, 0.6 against 0.5


# Numbers


@pytest.mark.parametrize(
    ("value", "cell"),
    [
        (1 / 3, "0.333333"),
        (0.1 + 0.2, "0.3"),
        (-0.0, "0"),
        (-5e-10, "0"),
        (2e-9, "2e-09"),
        (12, "12"),
        (float("inf"), "infinite"),
        ("a|b", "a\\|b"),
    ],
)
def test_numbers_have_six_digits_and_rounding_is_nothing(report: Any, value: object, cell: str) -> None:
    assert report.tidy(value) == cell


def test_rounding_errors_do_not_decide_how_a_digit_is_rounded(report: Any) -> None:
    assert report.tidy(0.1234565 + 1e-16) == report.tidy(0.1234565 - 1e-16)
    assert report.tidy(1.0000005 + 4e-16) == report.tidy(1.0000005 - 4e-16)


# The check


def test_the_check_passes_what_is_committed(report: Any, capsys: pytest.CaptureFixture[str]) -> None:
    assert report.main(["--check"]) == 0
    assert capsys.readouterr().out == "every page is current\n"


def test_the_check_names_every_file_that_is_wrong_and_mends_none(
    report: Any, copy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    changed = copy / f"{SLACKER}.md"
    changed.write_text(committed(SLACKER).replace("| 12 | 0 |", "| 11 | 0 |"), encoding="utf-8")
    (copy / "README.md").write_text("Nothing.\n", encoding="utf-8")
    (copy / "Cliff-Garnet-v0.md").unlink()
    (copy / "Cliff-Garnet-v0.svg").unlink()
    (copy / "Cliff-Former-v0.md").write_text("Once.\n", encoding="utf-8")
    before = {path: path.read_bytes() for path in copy.iterdir()}
    assert report.main(["--check", "--output", str(copy)]) == 1
    assert capsys.readouterr().out.splitlines() == [
        "Cliff-Garnet-v0.md: missing",
        "Cliff-Garnet-v0.svg: missing",
        "README.md: stale",
        f"{SLACKER}.md: stale",
        "Cliff-Former-v0.md: belongs to no environment",
    ]
    assert {path: path.read_bytes() for path in copy.iterdir()} == before


def test_the_check_says_that_all_is_missing_from_no_folder(
    report: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert report.main(["--check", "--output", str(tmp_path / "none")]) == 1
    assert len(capsys.readouterr().out.splitlines()) == 1 + 3 * len(IDS)
    assert not (tmp_path / "none").exists()


# Writing


def test_pages_and_figures_are_written(report: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of one environment, for drawing takes a while."""
    monkeypatch.setattr(report, "SCENARIOS", {SLACKER: cliffgym.SCENARIOS[SLACKER]})
    (tmp_path / f"{SLACKER}.md").write_text("What was there before.\n", encoding="utf-8")
    assert report.main(["--output", str(tmp_path)]) == 0
    assert report.stale(tmp_path) == []
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {"README.md", *(f"{SLACKER}.{suffix}" for suffix in ("md", "png", "svg"))}
    assert (tmp_path / f"{SLACKER}.md").read_text(encoding="utf-8") == committed(SLACKER)
    assert (tmp_path / f"{SLACKER}.png").read_bytes().startswith(b"\x89PNG\r\n")
    assert {"0", "exact optimum", "weight of instructions (reward per unit)"} <= words(tmp_path / f"{SLACKER}.svg")


def test_a_cliff_at_nought_is_labelled_so(report: Any, tmp_path: Path) -> None:
    """Not with the rounding error about it."""
    report.draw("Cliff-MultiReward-v0", tmp_path)
    assert not [text for text in words(tmp_path / "Cliff-MultiReward-v0.svg") if re.search(r"\de-1", text)]
