"""The ledger of a sweep: one SQLite file with a row for each job that has ended, written by the driver alone.

A row that `add` has returned for is on the disk: neither the end of the process nor that of the machine's power loses
it. Whoever writes holds a lock beside the file, which the system takes back when the process ends, however it ends.
"""

import contextlib
import os
import sqlite3
from collections.abc import Iterable, Iterator
from dataclasses import astuple, dataclass, fields
from pathlib import Path
from typing import Literal, get_args

from filelock import FileLock, Timeout

VERSION = 1
_APPLICATION = 0x43_6C_66_47  # "ClfG", which tells our files from other SQLite databases
_TABLE = """
CREATE TABLE rows (
    id TEXT PRIMARY KEY,
    job TEXT NOT NULL,
    status TEXT NOT NULL CHECK (status IN ('done', 'failed')),
    result TEXT,
    error TEXT,
    traceback TEXT,
    wall_time REAL NOT NULL,
    finished TEXT NOT NULL,
    machine TEXT NOT NULL,
    versions TEXT NOT NULL
)"""

Status = Literal["done", "failed"]


@dataclass(frozen=True)
class Row:
    """How a job ended.

    Attributes:
        id: The job's.
        job: Its content, JSON.
        status: "done" or "failed".
        result: What the work function returned, JSON; None if it failed.
        error: Type and message of what it raised; None if it is done.
        traceback: Where that was; None if it is done, or if the process ended.
        wall_time: Seconds it took; 0 if the process ended.
        finished: When it ended, UTC, in ISO 8601.
        machine: The worker's, JSON.
        versions: Of the worker's packages, JSON.

    >>> import json
    >>> facts = {"machine": "{}", "versions": "{}", "finished": "2026-01-01T00:00:00.000+00:00"}
    >>> row = Row("1a", '{"seed": 0}', "done", '{"correct": 1.0}', None, None, wall_time=0.25, **facts)
    >>> json.loads(row.job)["seed"], json.loads(row.result)["correct"]
    (0, 1.0)
    """

    id: str
    job: str
    status: Status
    result: str | None
    error: str | None
    traceback: str | None
    wall_time: float
    finished: str
    machine: str
    versions: str


_COLUMNS = ", ".join(field.name for field in fields(Row))
_PAGE = 500  # rows read at once: whoever reads holds up the writer, and may take its time between two rows


class Ledger:
    """An open ledger. Made by `writing` or `reading`.

    Args:
        connection: To the database.
        path: Its file.

    >>> import tempfile
    >>> from pathlib import Path
    >>> facts = {"wall_time": 0.25, "machine": "{}", "versions": "{}", "finished": "2026-01-01T00:00:00.000+00:00"}
    >>> failed = Row("1a", '{"seed": 0}', "failed", None, "ValueError: bad seed", None, **facts)
    >>> done = Row("1a", '{"seed": 0}', "done", "1.5", None, None, **facts)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "ledger.sqlite")
    ...     with Ledger.writing(path) as ledger:
    ...         ledger.add([failed])
    ...         ledger.add([done])  # tried again
    ...         ledger.add([failed])  # what is done stays
    ...     with Ledger.reading(path) as ledger:
    ...         print(ledger.statuses(), [row.result for row in ledger.rows()])
    {'1a': 'done'} ['1.5']
    """

    def __init__(self, connection: sqlite3.Connection, path: Path) -> None:
        self._connection, self.path = connection, path

    @classmethod
    @contextlib.contextmanager
    def writing(cls, path: str | os.PathLike[str]) -> "Iterator[Ledger]":
        """Opens a ledger, or begins one, and keeps other writers out meanwhile.

        Raises:
            ValueError: Another sweep is writing it, or the file is no ledger of this version.
            OSError: It cannot be opened or written.
        """
        path = Path(path).resolve()  # one lock, by whatever name
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(f"{path}.lock")
        try:
            lock.acquire(timeout=0)
        except Timeout:
            raise ValueError(f"ledger must be written by one sweep at a time, got another that writes {path}") from None
        try:
            with contextlib.closing(_open(path)) as connection:
                ledger = cls(connection, path)
                ledger._check(may_begin=True)
                ledger._try_to_write()
                yield ledger
        finally:
            lock.release()

    @classmethod
    @contextlib.contextmanager
    def reading(cls, path: str | os.PathLike[str]) -> "Iterator[Ledger]":
        """Opens a ledger to look at it, also while a sweep writes.

        Raises:
            ValueError: The file is no ledger of this version.
            OSError: There is no such file, or it cannot be read.
        """
        path = Path(path)
        if not path.is_file():
            raise FileNotFoundError(f"ledger must be a file, got none at {path}")
        with contextlib.closing(_open(path)) as connection:
            ledger = cls(connection, path)
            ledger._check(may_begin=False)
            yield ledger

    def add(self, rows: Iterable[Row]) -> None:
        """Stores rows, all or none. A row that is done is never replaced; one that failed is.

        Raises:
            OSError: They cannot be written, as on a full disk. What was stored before is not affected.
        """
        marks = ", ".join("?" for _ in fields(Row))
        updates = ", ".join(f"{field.name} = excluded.{field.name}" for field in fields(Row)[1:])
        command = (
            f"INSERT INTO rows ({_COLUMNS}) VALUES ({marks}) "  # noqa: S608  # names of our own
            f"ON CONFLICT (id) DO UPDATE SET {updates} WHERE rows.status = 'failed'"
        )
        with _as_os_errors(self.path), self._connection:
            self._connection.executemany(command, [astuple(row) for row in rows])

    def rows(self, ids: Iterable[str] | None = None) -> Iterator[Row]:
        """The rows in the order in which they were stored; only those of `ids`, if given."""
        wanted = None if ids is None else set(ids)
        command = f"SELECT rowid, {_COLUMNS} FROM rows WHERE rowid > ? ORDER BY rowid LIMIT {_PAGE}"  # noqa: S608
        last = 0
        while True:
            with _as_os_errors(self.path):
                page = self._connection.execute(command, (last,)).fetchall()
            if not page:
                return
            last = page[-1][0]
            for _, *values in page:
                if wanted is None or values[0] in wanted:
                    yield Row(*values)

    def statuses(self) -> dict[str, Status]:
        """By id how each job ended."""
        with _as_os_errors(self.path):
            return dict(self._connection.execute("SELECT id, status FROM rows"))

    def _check(self, may_begin: bool) -> None:
        """Refuses what is no ledger of this version; begins one in a new file if that may be."""
        try:
            # A row counts only once it is on the disk, and so is the end of the journal that would take it back: FULL
            # does not wait for that. One file and no companions when nobody writes, so that it can be copied.
            self._connection.execute("PRAGMA synchronous = EXTRA")
            (application,) = self._connection.execute("PRAGMA application_id").fetchone()
            (version,) = self._connection.execute("PRAGMA user_version").fetchone()
            (tables,) = self._connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
        except sqlite3.DatabaseError as error:
            if isinstance(error, sqlite3.OperationalError):
                raise OSError(f"ledger {self.path} cannot be read: {error}") from error
            raise ValueError(f"ledger must be a SQLite file, got {self.path}: {error}") from error
        if (application, version, tables) == (0, 0, 0) and may_begin:
            with _as_os_errors(self.path):
                self._connection.executescript(
                    f"BEGIN EXCLUSIVE; {_TABLE}; PRAGMA application_id = {_APPLICATION}; "
                    f"PRAGMA user_version = {VERSION}; COMMIT"
                )
        elif application != _APPLICATION:
            raise ValueError(
                f"ledger must be one that a sweep has written, got another kind of database in {self.path}"
            )
        elif version != VERSION:
            raise ValueError(
                f"ledger must have version {VERSION}, got {version} in {self.path}, which another version of CliffGym "
                "has written: name another file, or export this one with that version"
            )

    def _try_to_write(self) -> None:
        """Fails now, and not after the first hours of work, if the file or its folder cannot be written."""
        with _as_os_errors(self.path):
            self._connection.execute("BEGIN IMMEDIATE")
            self._connection.execute(f"PRAGMA user_version = {VERSION}")
            self._connection.rollback()


def _open(path: Path) -> sqlite3.Connection:
    try:
        return sqlite3.connect(path, timeout=60)
    except sqlite3.OperationalError as error:
        raise OSError(f"ledger {path} cannot be opened: {error}") from error


@contextlib.contextmanager
def _as_os_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except (sqlite3.IntegrityError, sqlite3.ProgrammingError):  # ours, not the disk's
        raise
    except sqlite3.DatabaseError as error:
        raise OSError(f"ledger {path} cannot be read or written: {error}") from error


STATUSES: tuple[Status, ...] = get_args(Status)
