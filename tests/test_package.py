"""The package as a whole: what importing it costs, what it offers, and that every scenario has its page."""

import inspect
import json
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import gymnasium as gym
import pytest

import cliffgym

IDS = list(cliffgym.SCENARIOS)
every_id = pytest.mark.parametrize("id", IDS)

EXTRAS = [
    *["torch", "stable_baselines3", "sb3_contrib", "matplotlib", "scipy", "PIL", "pandas", "tensorboard", "tqdm"],
    *["distributed", "dask", "filelock", "pyarrow", "sqlite3"],
]
SECTIONS = [
    "Description",
    "Action space",
    "Observation space",
    "Starting state",
    "Rewards",
    "Episode end",
    "Information",
    "Arguments",
    "Diagnoses",
    "Version history",
]


def sections(id: str) -> dict[str, str]:
    """The sections of a scenario's page by title, in order."""
    parts = re.split(r"^## (.+)$", inspect.getdoc(cliffgym.SCENARIOS[id]) or "", flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def run(program: str, place: Path) -> dict[str, object]:
    """What a program prints as JSON in a fresh interpreter, away from the source tree."""
    result = subprocess.run(
        [sys.executable, "-W", "error", "-c", program], cwd=place, check=True, capture_output=True, text=True
    )
    return json.loads(result.stdout)


# Imports


def test_import_loads_none_of_the_extras(tmp_path: Path) -> None:
    program = "\n".join(
        [
            "import gymnasium, json, sys, time",
            "start = time.perf_counter()",
            "import cliffgym",
            "seconds = time.perf_counter() - start",
            "gymnasium.make('Cliff-Slacker-v0', render_mode='ansi').reset(seed=0)",
            "print(json.dumps({'seconds': seconds, 'modules': sorted(sys.modules)}))",
        ]
    )
    report = run(program, tmp_path)
    print(f"import cliffgym, once gymnasium is there: {report['seconds']:.3f} s")
    assert isinstance(report["modules"], list)
    assert [name for name in EXTRAS if name in report["modules"]] == []
    assert "cliffgym_agents" not in report["modules"]


def test_import_registers_every_id(tmp_path: Path) -> None:
    program = "import gymnasium, json, cliffgym; print(json.dumps({'ids': list(gymnasium.registry)}))"
    ids = run(program, tmp_path)["ids"]
    assert isinstance(ids, list)
    assert [id for id in ids if id.startswith("Cliff-")] == IDS


def test_an_id_with_the_module_in_front_needs_no_import(tmp_path: Path) -> None:
    program = (
        "import gymnasium, json; env = gymnasium.make('cliffgym:Cliff-Slacker-v0'); "
        "print(json.dumps({'id': env.spec.id}))"
    )
    assert run(program, tmp_path) == {"id": "Cliff-Slacker-v0"}


# Names


def public_names() -> set[str]:
    return {
        name for name, value in vars(cliffgym).items() if not name.startswith("_") and not isinstance(value, ModuleType)
    }


def test_all_is_complete() -> None:
    assert set(cliffgym.__all__) == public_names()
    assert len(set(cliffgym.__all__)) == len(cliffgym.__all__)


@pytest.mark.parametrize("name", [name for name in cliffgym.__all__ if callable(getattr(cliffgym, name))])
def test_every_public_name_is_documented(name: str) -> None:
    thing = getattr(cliffgym, name)
    text = thing.__doc__ or ""
    assert len(text.split()) >= 4
    assert not text.startswith(f"{name}(")  # what a dataclass writes for itself
    if inspect.isclass(thing):
        for part, value in vars(thing).items():
            if not part.startswith("_") and (inspect.isfunction(value) or isinstance(value, property)):
                assert value.__doc__, f"{name}.{part}"


def test_version_is_a_version() -> None:
    assert re.fullmatch(r"\d+\.\d+\.\d+", cliffgym.__version__)


def test_package_is_typed() -> None:
    assert (Path(inspect.getfile(cliffgym)).parent / "py.typed").is_file()


# Registration


def test_ids_are_registered_and_no_others() -> None:
    assert [id for id in gym.registry if id.startswith("Cliff-")] == IDS
    assert all(re.fullmatch(r"Cliff-[A-Z][A-Za-z]+-v\d+", id) for id in IDS)


def test_registering_again_is_quiet_and_changes_nothing() -> None:
    before = {id: gym.registry[id] for id in IDS}
    cliffgym.register_envs()
    assert all(gym.registry[id] is before[id] for id in IDS)


@every_id
def test_a_scenario_bears_the_id_it_is_registered_under(id: str) -> None:
    assert cliffgym.scenario(id).id == id
    assert cliffgym.scenario(f"cliffgym:{id}").id == id


# Pages


@every_id
def test_page_has_every_section_in_gymnasiums_order(id: str) -> None:
    page = sections(id)
    assert [name for name in page if name != "Negative control"] == SECTIONS
    assert "Negative control" not in page or list(page)[-2] == "Negative control"
    assert all(text.strip() for text in page.values())
    assert "\n\n## Description" in (inspect.getdoc(cliffgym.SCENARIOS[id]) or "")  # a summary comes first


@every_id
def test_page_names_every_keyword_argument(id: str) -> None:
    arguments = sections(id)["Arguments"]
    assert [name for name in cliffgym.scenario(id).parameters if f"`{name}`" not in arguments] == []


@every_id
def test_page_names_every_component_and_reward(id: str) -> None:
    scenario, rewards = cliffgym.scenario(id), sections(id)["Rewards"]
    assert [name for name in scenario.components.names if f"`{name}`" not in rewards] == []
    assert [name for name in scenario.rewards if f"`{name}`" not in rewards] == []


@every_id
def test_page_names_every_kind_of_token(id: str) -> None:
    scenario, tokens = cliffgym.scenario(id), sections(id)["Action space"]
    sequences = [value for value in scenario.parameters.values() if isinstance(value, tuple)]
    for name in set(scenario.tokens).difference(*sequences):  # some tokens are named by an argument
        family = re.sub(r"_\d+$", "_0", name)
        assert f"`{family}`" in tokens


@every_id
def test_page_gives_what_info_carries(id: str) -> None:
    env = gym.make(id)
    _, info = env.reset(seed=0)
    names, terminated = set(info), False
    while not terminated:
        *_, terminated, _, info = env.step(0)
        names |= set(info)
    assert all(f"`{name}`" in sections(id)["Information"] for name in names)
