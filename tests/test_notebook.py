"""docs/notebooks: notebooks are kept without outputs, install what is missing first, and run."""

import json
from pathlib import Path
from typing import Any

import pytest

FOLDER = Path(__file__).parents[1] / "docs" / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))

every_notebook = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


def read(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text(encoding="utf-8"))


def code_cells(path: Path) -> list[str]:
    return ["".join(cell["source"]) for cell in read(path)["cells"] if cell["cell_type"] == "code"]


def test_there_is_a_notebook_to_begin_with() -> None:
    assert FOLDER / "first_cliff.ipynb" in NOTEBOOKS


@every_notebook
def test_a_notebook_holds_no_outputs_and_has_the_form_that_others_can_read(path: Path) -> None:
    notebook = read(path)
    assert (notebook["nbformat"], notebook["nbformat_minor"]) == (4, 5)
    assert notebook["metadata"]["kernelspec"]["name"] == "python3"
    ids = [cell["id"] for cell in notebook["cells"]]
    assert len(set(ids)) == len(ids)
    code = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    assert all(cell["outputs"] == [] and cell["execution_count"] is None for cell in code)
    assert notebook["cells"][0]["source"][0].startswith("# ")


@every_notebook
def test_the_first_cell_alone_installs_and_only_what_is_missing(path: Path) -> None:
    first, *others = code_cells(path)
    assert "find_spec" in first
    assert "    %pip install" in first  # within the condition
    assert 'source = "cliffgym[agents,plots]"' in first
    assert not any("pip" in cell for cell in others)


@every_notebook
def test_a_notebook_runs_and_shows_what_its_text_says(
    path: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    # Neither a kernel nor IPython is needed to run it: what a cell shows last is left alone.
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {"__name__": path.stem, "HTML": str}
    for number, cell in enumerate(code_cells(path)[1:], start=1):
        lines = (line for line in cell.splitlines() if not line.startswith(("%", "from IPython")))
        exec(compile("\n".join(lines), f"{path.name}, code cell {number}", "exec"), names)  # noqa: S102
    assert list(tmp_path.iterdir()) == []
    if path.stem != "first_cliff":
        return
    shown = capsys.readouterr().out
    assert "right answer in latex" in shown
    assert "['plain', 'markdown', 'json', 'latex']" in shown
    assert "cliffs at [0.0]" in shown
    assert "true return of optimal policies: 1 to 2" in shown
    (below, _, above), soft = names["learned"].values()
    assert max(below) < 0.1
    assert min(above) > 0.9
    exact = [1 / (1 + 3 * 2.718281828 ** (-bonus / 0.1)) for bonus in names["bonuses"]]
    assert all(abs(value - p) < 0.06 for row, p in zip(soft, exact, strict=True) for value in row)
    plain, standardised = (
        [float(share) for share in line.split()[2:]]
        for line in shown.splitlines()
        if line.startswith("standardised ") and ("True" in line or "False" in line)
    )
    assert max(plain) < 0.35
    assert min(standardised) > 0.5
    assert "<!doctype html>" in names["html"].unescape(names["page"])[:200].lower()
