"""Starts workers in the right environment, on one core with one thread, and talks to them."""

import contextlib
import json
import os
import selectors
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Self

SCRIPTS = Path(__file__).resolve().parents[1]
PYTHONS = {"ours": Path(sys.executable), "peers": SCRIPTS.parent / ".venv-peers" / "bin" / "python"}
ONE_THREAD = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "NUMBA_NUM_THREADS": "1",
    "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1",
    "JAX_PLATFORMS": "cpu",
}
_STARTED_WITHIN, _EXITED_WITHIN = 300.0, 5.0


class WorkerError(Exception):
    """A worker could not do what it was asked to; the message says why."""


def one_core() -> int | None:
    """The core that everything is pinned to, or None where the system cannot pin."""
    if not hasattr(os, "sched_getaffinity"):
        return None
    return max(os.sched_getaffinity(0))  # the first core is the one that others use most


class Worker:
    """A process that holds one workload at a time; see `benchmarks.worker` for what it is told.

    Args:
        environment: "ours" or "peers".

    Raises:
        WorkerError: The environment has no Python.
    """

    def __init__(self, environment: str) -> None:
        python = PYTHONS[environment]
        if not python.exists():
            raise WorkerError(f"there is no environment for {environment}")
        self._buffer = b""
        self._process = subprocess.Popen(  # noqa: S603  (our own file, by a Python we made)
            [os.fspath(python), "-P", "-m", "benchmarks.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=os.environ | ONE_THREAD | {"PYTHONPATH": os.fspath(SCRIPTS)},
            start_new_session=True,  # an interrupt is for the driver, which ends its workers
        )
        core = one_core()
        if core is not None:
            os.sched_setaffinity(self._process.pid, {core})

    def make(self, workload: str, settings: dict[str, Any], timeout: float = _STARTED_WITHIN) -> dict[str, Any]:
        """Makes a workload in place of the one before, and returns its facts.

        Raises:
            WorkerError: It cannot be made, or not within `timeout` seconds.
        """
        return self._ask({"make": workload, "settings": settings}, timeout)["facts"]

    def rate(self, seconds: float, timeout: float = _STARTED_WITHIN) -> float:
        """Repeats the workload for some seconds and returns its count a second.

        Raises:
            WorkerError: It failed, or took `timeout` seconds.
        """
        answer = self._ask({"measure": seconds}, timeout)
        return answer["count"] / answer["seconds"]

    def close(self) -> None:
        """Ends the process."""
        for stream in (self._process.stdin, self._process.stdout):
            with contextlib.suppress(BrokenPipeError):
                stream.close()  # type: ignore[union-attr]  # both are pipes
        try:
            self._process.wait(_EXITED_WITHIN)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _ask(self, command: dict[str, Any], timeout: float) -> dict[str, Any]:
        """Sends a command and returns the answer."""
        try:
            self._process.stdin.write(json.dumps(command).encode() + b"\n")  # type: ignore[union-attr]
            self._process.stdin.flush()  # type: ignore[union-attr]
        except BrokenPipeError:
            raise WorkerError(f"the worker has ended with status {self._process.wait()}") from None
        answer = json.loads(self._line(timeout))
        if "error" in answer:
            raise WorkerError(answer["error"])
        return answer

    def _line(self, timeout: float) -> bytes:
        """The next line of the worker; one that is late is killed."""
        output = self._process.stdout
        deadline = time.monotonic() + timeout
        with selectors.DefaultSelector() as selector:
            selector.register(output, selectors.EVENT_READ)  # type: ignore[arg-type]
            while b"\n" not in self._buffer:
                if not selector.select(deadline - time.monotonic()):
                    self._process.kill()
                    raise WorkerError(f"it took longer than {timeout:g} s")
                received = os.read(output.fileno(), 1 << 16)  # type: ignore[union-attr]
                if not received:
                    raise WorkerError(f"the worker ended with status {self._process.wait()}")
                self._buffer += received
        line, self._buffer = self._buffer.split(b"\n", 1)
        return line
