"""What a reader has to know of the machine and the software to make sense of the numbers."""

import importlib.metadata
import os
import platform
import subprocess
from pathlib import Path

from benchmarks.processes import PYTHONS

OURS = ("cliffgym", "gymnasium", "numpy", "numba", "stable_baselines3", "torch")
PEERS = ("gymnasium", "envpool", "gymnax", "jax", "jaxlib", "quantecon", "numpy", "numba", "scipy")


def describe_machine() -> dict[str, str]:
    """Processor, cores, memory, system, Python, and the versions of what is measured in either environment."""
    return {
        "processor": processor(),
        "cores": str(os.cpu_count()),
        "memory": memory(),
        "system": f"{platform.system()} {platform.release()}, {platform.machine()}",
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "commit": commit(),
        "ours": versions("ours", OURS),
        "peers": versions("peers", PEERS),
    }


def commit() -> str:
    """The commit of the checkout, and whether it was changed since."""
    try:
        command = ["git", "-C", os.fspath(Path(__file__).parent), "describe", "--always", "--dirty", "--abbrev=12"]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()  # noqa: S603
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def processor() -> str:
    """The processor's name, as well as the system tells it."""
    info = Path("/proc/cpuinfo")
    if info.exists():
        fields = dict(line.split(":", 1) for line in info.read_text().splitlines() if ":" in line)
        named = {key.strip(): value.strip() for key, value in fields.items()}
        family = f"family {named['cpu family']}, model {named['model']}" if "cpu family" in named else ""
        cache = f"{named['cache size']} cache a core" if "cache size" in named else ""
        return ", ".join(filter(None, [named.get("model name", ""), family, cache])) or platform.machine()
    return platform.processor() or platform.machine()


def memory() -> str:
    """Physical memory."""
    try:
        size = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return "unknown"
    return f"{size / 2**30:.1f} GiB"


def versions(environment: str, names: tuple[str, ...]) -> str:
    """The installed ones of some packages, such as `numpy 2.0.0, numba 0.60.0`."""
    folders = [os.fspath(path) for path in PYTHONS[environment].parents[1].glob("lib/python*/site-packages")]
    found = {
        dist.metadata["Name"].lower().replace("-", "_"): dist.version
        for dist in importlib.metadata.distributions(path=folders)
    }
    return ", ".join(f"{name} {found[name]}" for name in names if name in found) or "none"
