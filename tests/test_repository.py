"""What is published: the packaging, the wheel, the hyperparameter files, the citation, and no traces of a machine."""

import re
import subprocess
import sys
import tomllib
import zipfile
from importlib import resources
from pathlib import Path
from typing import Any

import pytest
import yaml
from cliffgym_agents import ALGORITHMS, training

import cliffgym


def find_root() -> Path:
    """The folder of pyproject.toml above this file."""
    for folder in Path(__file__).resolve().parents:
        if (folder / "pyproject.toml").exists():
            return folder
    raise FileNotFoundError("pyproject.toml")


ROOT = find_root()


@pytest.fixture(scope="module")
def project() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


# Packaging


def names(requirements: list[str]) -> set[str]:
    return {re.split(r"[\[<>=!~; ]", requirement)[0] for requirement in requirements}


def test_the_core_requires_gymnasium_and_numpy_alone(project: dict[str, Any]) -> None:
    assert names(project["dependencies"]) == {"gymnasium", "numpy"}


def test_torch_is_left_to_sb3(project: dict[str, Any]) -> None:
    extras = project["optional-dependencies"]
    assert "torch" not in names([requirement for extra in extras.values() for requirement in extra])


def test_every_extra_that_a_message_names_exists(project: dict[str, Any]) -> None:
    told = set()
    for folder in ("cliffgym", "agents"):
        for path in (ROOT / folder).rglob("*.py"):
            told |= set(re.findall(r"cliffgym\[(\w+)\]", path.read_text(encoding="utf-8")))
    assert {"agents", "plots"} <= told
    assert told <= set(project["optional-dependencies"])


@pytest.fixture(scope="module")
def wheel_files(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    (wheel,) = folder.glob(f"cliffgym-{cliffgym.__version__}-py3-none-any.whl")
    with zipfile.ZipFile(wheel) as archive:
        return archive.namelist()


def test_the_wheel_has_every_module_and_data_file(wheel_files: list[str]) -> None:
    for package, folder in (("cliffgym", ROOT / "cliffgym"), ("cliffgym_agents", ROOT / "agents" / "cliffgym_agents")):
        for path in folder.rglob("*"):
            if path.is_file() and "__pycache__" not in path.parts:  # numba keeps its machine code there too
                assert f"{package}/{path.relative_to(folder).as_posix()}" in wheel_files
    expected = {"cliffgym/py.typed", "cliffgym_agents/py.typed"}
    expected |= {f"cliffgym_agents/hyperparameters/{algorithm}.yml" for algorithm in ALGORITHMS}
    assert expected <= set(wheel_files)


def test_the_wheel_has_nothing_else(wheel_files: list[str]) -> None:
    metadata = f"cliffgym-{cliffgym.__version__}.dist-info"
    assert {name.split("/")[0] for name in wheel_files} == {"cliffgym", "cliffgym_agents", metadata}
    assert [name for name in wheel_files if "test_" in name or name.endswith(".pyc")] == []


# Hyperparameter files


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_hyperparameter_file_lists_every_id_and_known_keys(algorithm: str) -> None:
    file = resources.files("cliffgym_agents") / "hyperparameters" / f"{algorithm}.yml"
    entries = yaml.safe_load(file.read_text(encoding="utf-8"))
    assert set(entries) == {"default", *cliffgym.SCENARIOS}
    known = {"n_envs", "n_timesteps", *training._parameters(training._CLASSES[algorithm])}
    known -= {"env", "gamma", "seed", "tensorboard_log", "_init_setup_model"}  # given by `train`
    for entry in entries.values():
        assert set(entry) >= {"policy", "n_envs", "n_timesteps"}
        assert set(entry) <= known


@pytest.mark.parametrize("algorithm", ["ppo", "a2c"])
def test_advantages_are_standardised_nowhere(algorithm: str) -> None:
    file = resources.files("cliffgym_agents") / "hyperparameters" / f"{algorithm}.yml"
    entries = yaml.safe_load(file.read_text(encoding="utf-8"))
    assert [entry["normalize_advantage"] for entry in entries.values()] == [False] * len(entries)


# Version and citation


def test_the_citation_has_the_packages_version_and_licence(project: dict[str, Any]) -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert citation["version"] == cliffgym.__version__
    assert citation["license"] == project["license"]
    assert "2507.20150" in citation["references"][0]["url"]


def test_the_changelog_has_a_section_on_this_version() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    headings = re.findall(r"^## (.+)$", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert headings[:2] == ["[Unreleased]", f"[{cliffgym.__version__}] - {citation['date-released']}"]


# Traces of a machine


def published_files() -> list[Path]:
    """The files that git holds or would add."""
    if not (ROOT / ".git").exists():
        pytest.skip("not a git checkout")
    command = ["git", "-c", f"safe.directory={ROOT}", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    done = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    return [ROOT / name for name in done.stdout.split("\0") if name and (ROOT / name).is_file()]


def test_no_file_names_a_folder_of_the_machine_it_was_written_on() -> None:
    folders = "|".join(["work", "root", r"home/\w+", r"Users/\w+"])
    traces = re.compile(rf"(?<![\w.~-])/({folders})/")
    found = []
    for path in published_files():
        if b"\0" in (content := path.read_bytes()):
            continue  # a picture
        for number, line in enumerate(content.decode("utf-8").splitlines(), start=1):
            if traces.search(line):
                found.append(f"{path.relative_to(ROOT)}:{number}: {line.strip()}")
    assert found == []
