"""The file of results: written after every row, so that an interrupted run loses nothing that was finished."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from cliffgym.files import atomic_write

_FORMAT = "cliffgym.benchmarks/1"


@dataclass
class Results:
    """Everything that was measured, as JSON values.

    Attributes:
        run: Under what conditions: `machine`, `plan`.
        when: The day it began.
        rows: The rows of the table by name.
        curves: The growth curves by the name of their figure, each a list of points.
        bandwidth: Bytes a second of a large copy in every round; empty if it was not measured.
    """

    run: dict[str, Any]
    when: str
    rows: dict[str, dict[str, Any]] = field(default_factory=dict)
    curves: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    bandwidth: list[float] = field(default_factory=list)

    def save(self, path: Path) -> None:
        """Writes the file, atomically."""
        with atomic_write(path) as file:
            file.write(json.dumps({"format": _FORMAT} | vars(self), indent=1).encode() + b"\n")

    @classmethod
    def resume(cls, path: Path, run: dict[str, Any]) -> Self:
        """Reads the results of an interrupted run; rows that could not be measured are dropped, to be tried again.

        Raises:
            OSError: The file cannot be read.
            ValueError: It holds something else, or results of another run.
        """
        try:
            values = json.loads(path.read_bytes())
            kind = values.pop("format")
            if kind != _FORMAT:
                raise ValueError(f"format {kind!r}")
            found = cls(**values)
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise ValueError(f"path must be a results file of scripts/benchmark, got {path}: {error}") from error
        for key in run:
            if found.run.get(key) != run[key]:
                raise ValueError(
                    f"a run goes on only under the conditions it began with, got another {key} than in {path}: "
                    f"{run[key]}, not {found.run.get(key)}"
                )
        found.rows = {name: row for name, row in found.rows.items() if "reason" not in row}
        return found
