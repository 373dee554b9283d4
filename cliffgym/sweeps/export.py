"""A ledger as one flat table, for whoever reads CSV or Parquet."""

import json
import os
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from cliffgym.checks import choice
from cliffgym.files import atomic_write
from cliffgym.sweeps.ledger import Row
from cliffgym.tables import write_csv

FORMATS = (".csv", ".parquet")


def export(rows: Iterable[Row], path: str | os.PathLike[str]) -> None:
    """Writes rows as a table, atomically: `path` is the old file or the new one, whole.

    Nested names are joined by a dot; one that another column has already gets "job." or "result." in front. A list
    stays one cell: JSON in CSV and Parquet alike. Columns come in order of appearance: id, status, error, the job, the
    result, wall_time, finished, machine and versions.

    Args:
        rows: As a `Ledger` gives them.
        path: A file that ends in ".csv" or ".parquet".

    Raises:
        ValueError: It has another suffix.
        ImportError: pyarrow, which Parquet takes, is not installed.
        OSError: The file cannot be written.

    >>> import tempfile
    >>> from pathlib import Path
    >>> facts = {"wall_time": 0.25, "machine": "{}", "versions": "{}", "finished": "2026-01-01T00:00:00.000+00:00"}
    >>> row = Row("1a", '{"seed": 0, "env": {"bonus": 0.1}}', "done", '{"correct": 1.0}', None, None, **facts)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "runs.csv")
    ...     export([row], path)
    ...     print(path.read_text(), end="")
    id,status,error,seed,env.bonus,correct,wall_time,finished
    1a,done,,0,0.1,1.0,0.25,2026-01-01T00:00:00.000+00:00
    """
    kind = check_format(path)
    records = [_flat(row) for row in rows]
    if kind == ".csv":
        write_csv(path, records)
    else:
        _write_parquet(path, records)


def check_format(path: str | os.PathLike[str], *others: str) -> str:
    """The end of an export's name.

    Args:
        path: The file.
        others: Further ends that the caller takes.

    Raises:
        ValueError: It is neither one of `FORMATS` nor of the others.
        ImportError: pyarrow, which Parquet takes, is not installed.
    """
    kind = choice("end of the export's name", Path(path).suffix, (*FORMATS, *others), place=os.fspath(path))
    if kind == ".parquet":
        try:
            import pyarrow as pa  # noqa: F401
        except ImportError as error:
            raise ImportError(
                "Parquet needs pyarrow, which is not installed: pip install pyarrow, or use .csv"
            ) from error
    return kind


def _flat(row: Row) -> dict[str, Any]:
    job: dict[str, Any] = {}
    _add(job, "", json.loads(row.job))
    result: dict[str, Any] = {}
    _add(result, "", json.loads(row.result) if row.result is not None else {})
    last = {"wall_time": row.wall_time, "finished": row.finished}
    last |= _facts("machine", row.machine) | _facts("versions", row.versions)
    record: dict[str, Any] = {"id": row.id, "status": row.status, "error": row.error}
    for source, values in (("job", job), ("result", result)):
        taken = {*record, *last}
        record |= {f"{source}.{name}" if name in taken else name: value for name, value in values.items()}
    return record | last


@cache
def _facts(name: str, text: str) -> dict[str, Any]:
    """Columns that many rows have in common, and that would fill memory if each had its own."""
    record: dict[str, Any] = {}
    _add(record, name, json.loads(text))
    return record


def _add(record: dict[str, Any], prefix: str, value: Any) -> None:
    """Adds a value, and of a mapping each of its own."""
    if isinstance(value, Mapping):
        for name, part in value.items():
            _add(record, f"{prefix}.{name}" if prefix else name, part)
    else:
        record[prefix or "result"] = json.dumps(value) if isinstance(value, list) else value


def _write_parquet(path: str | os.PathLike[str], records: list[dict[str, Any]]) -> None:
    import pyarrow as pa
    from pyarrow import parquet

    names = dict.fromkeys(name for record in records for name in record)
    columns = {name: _of_one_type([record.get(name) for record in records]) for name in names}
    with atomic_write(path) as file:
        parquet.write_table(pa.table(columns), file)


def _of_one_type(values: list[Any]) -> list[Any]:
    """A column as it is if its values are of one kind, else each as text: a reward may be a name or weights."""
    kinds = {type(value) for value in values if value is not None}
    if len(kinds) <= 1:
        return values
    if kinds <= {int, float}:
        return [None if value is None else float(value) for value in values]
    return [value if value is None or isinstance(value, str) else json.dumps(value) for value in values]
