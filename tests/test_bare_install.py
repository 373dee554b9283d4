"""The core installs and works with Gymnasium and NumPy alone."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def bare_python(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A fresh environment with nothing but the package and what it requires."""
    folder = tmp_path_factory.mktemp("bare")
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    python = str(folder / ("Scripts" if sys.platform == "win32" else "bin") / "python")
    install = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*install, "-c", str(ROOT / "constraints.txt"), str(ROOT)], check=True)
    return python


def test_core_needs_gymnasium_and_numpy_alone(bare_python: str, tmp_path: Path) -> None:
    code = (
        "import importlib.metadata as m, gymnasium as gym, cliffgym\n"
        "env = gym.make('Cliff-Slacker-v0', reward='true', render_mode='ansi')\n"
        "env.reset(seed=0); env.step(0); print(env.render())\n"
        "s = cliffgym.scenario('Cliff-Slacker-v0')\n"
        "assert cliffgym.optimal(s.mdp, s.reward('true')).expected_return == 2\n"
        "print(sorted({d.name.lower() for d in m.distributions()}))\n"
    )
    done = subprocess.run([bare_python, "-W", "error", "-c", code], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    for absent in ("torch", "stable-baselines3", "matplotlib", "scipy", "pillow", "pyyaml", "distributed"):
        assert f"'{absent}'" not in done.stdout


@pytest.mark.parametrize(
    ("arguments", "extra"),
    [
        (["train", "Cliff-Slacker-v0"], "cliffgym[agents]"),
        (["demo"], "cliffgym[agents]"),
        (["sweep", "plan.yaml"], "cliffgym[agents]"),
    ],
)
def test_commands_that_need_an_extra_name_it(
    bare_python: str, tmp_path: Path, arguments: list[str], extra: str
) -> None:
    command = [bare_python, "-m", "cliffgym", *arguments]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    assert extra in done.stderr


def test_sweeps_of_your_own_name_the_extra_they_need(bare_python: str, tmp_path: Path) -> None:
    code = "try:\n    import cliffgym.sweeps\nexcept ImportError as error:\n    print(error)\n"
    done = subprocess.run([bare_python, "-c", code], cwd=tmp_path, capture_output=True, text=True)
    assert "pip install 'cliffgym[sweep]'" in done.stdout


def test_listing_and_showing_need_no_extra(bare_python: str, tmp_path: Path) -> None:
    for arguments in (["list"], ["show", "Cliff-Sophistry-v0"]):
        done = subprocess.run([bare_python, "-m", "cliffgym", *arguments], cwd=tmp_path, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr


def test_pictures_name_the_extra_they_need(bare_python: str, tmp_path: Path) -> None:
    code = (
        "import gymnasium as gym, cliffgym\n"
        "env = gym.make('Cliff-Slacker-v0', render_mode='rgb_array'); env.reset(seed=0)\n"
        "try:\n    env.render()\nexcept ImportError as error:\n    print(error)\n"
    )
    done = subprocess.run([bare_python, "-c", code], cwd=tmp_path, capture_output=True, text=True)
    assert "cliffgym[plots]" in done.stdout
