"""The process that runs a workload. It reads commands and writes answers, one JSON object a line.

    {"make": "workloads.vector", "settings": {...}}  makes the workload and runs it once: {"facts": {...}}
    {"measure": 0.5}                                 repeats it for so many seconds: {"count": 9, "seconds": 0.5}

Whatever fails is answered by {"error": "..."}, and the next command is read.
"""

import importlib
import json
import os
import sys
import time
from typing import Any, TextIO

from benchmarks.workload import Workload


def measure(workload: Workload, seconds: float) -> dict[str, float]:
    """Repeats the workload's chunk until `seconds` have passed."""
    count, chunk = 0, workload.chunk
    begin = time.perf_counter()
    while (passed := time.perf_counter() - begin) < seconds:
        count += chunk()
    return {"count": count, "seconds": passed}


def make(name: str, settings: dict[str, Any]) -> Workload:
    """Makes a workload, and runs it once, which compiles what is to be compiled."""
    workload: Workload = importlib.import_module(f"benchmarks.{name}").make(**settings)
    workload.chunk()
    return workload


def reason(error: Exception) -> str:
    """What went wrong, in one line and without the folders of this machine."""
    text = str(error)
    if isinstance(error, ImportError):
        text = text.replace(f" ({error.path})", "")  # Python names the file that lacks the name
    return f"{type(error).__name__}: {text}".splitlines()[0]


def serve(commands: TextIO, answers: TextIO) -> None:
    """Answers commands until there are no more."""
    workload: Workload | None = None
    for line in commands:
        command = json.loads(line)
        answer: dict[str, Any]
        try:
            if "make" in command:
                workload = None  # frees the one before
                workload = make(command["make"], command["settings"])
                answer = {"facts": workload.facts}
            elif workload is None:
                answer = {"error": "there is no workload to measure"}
            else:
                answer = measure(workload, command["measure"])
        except Exception as error:  # a peer may raise anything; the driver reports it
            answer = {"error": reason(error)}
        print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    # What libraries print must not mix with answers.
    private = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    serve(sys.stdin, private)
