"""The ledger alone: what is stored stays, and what is no ledger of ours is left as it was."""

import contextlib
import itertools
import json
import re
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import astuple, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cliffgym.sweeps import Ledger, Row
from cliffgym.sweeps.ledger import VERSION, Status

ROW = Row(
    "0", "{}", "done", "[1]", None, None, 0.25, "2025-01-01T00:00:00.000+00:00", '{"node": "a"}', '{"numpy": "2"}'
)
FAILED = replace(ROW, status="failed", result=None, error="ValueError: no", traceback="Traceback")


def rows(path: Path) -> list[tuple[Any, ...]]:
    """What is in a ledger, read by nothing but SQLite."""
    with contextlib.closing(sqlite3.connect(path)) as connection:
        return connection.execute("SELECT * FROM rows ORDER BY rowid").fetchall()


def many(count: int, size: int = 0) -> list[Row]:
    return [replace(ROW, id=str(number), result=json.dumps("x" * size)) for number in range(count)]


def python(code: str, *arguments: object, **options: Any) -> "subprocess.CompletedProcess[str]":
    """Runs a program in a process of its own."""
    command = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, **options)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ledger.sqlite"


# Rows


def test_rows_come_back_as_they_were_and_in_their_order(path: Path) -> None:
    stored = [replace(ROW, id="b"), replace(FAILED, id="a"), replace(ROW, id="c", result='"\\ud800é\\u0000"')]
    with Ledger.writing(path) as ledger:
        ledger.add(stored[:1])
        ledger.add(stored[1:])
        ledger.add([])
        assert list(ledger.rows()) == stored
    with Ledger.reading(path) as ledger:
        assert list(ledger.rows()) == stored
        assert list(ledger.rows(["c", "b", "unknown"])) == [stored[0], stored[2]]
        assert list(ledger.rows([])) == []
        assert ledger.statuses() == {"b": "done", "a": "failed", "c": "done"}
    assert rows(path) == [astuple(row) for row in stored]


def test_what_is_done_is_never_replaced_and_what_failed_is(path: Path) -> None:
    ends = st.tuples(st.sampled_from("abc"), st.sampled_from(["done", "failed"]), st.integers(0, 9))
    examples = itertools.count()

    @given(st.lists(st.lists(ends, max_size=4), max_size=6))
    def check(batches: list[list[tuple[str, Status, int]]]) -> None:
        example = next(examples)
        expected: dict[str, tuple[str, int]] = {}
        for batch in batches:
            ends = [(f"{example} {id}", status, number) for id, status, number in batch]
            ledger.add(replace(ROW, id=id, status=status, wall_time=number) for id, status, number in ends)
            for id, status, number in ends:
                if expected.get(id, ("", 0))[0] != "done":
                    expected[id] = (status, number)
        found = [row for row in ledger.rows() if row.id.startswith(f"{example} ")]
        assert {row.id: (row.status, row.wall_time) for row in found} == expected

    with Ledger.writing(path) as ledger:
        ledger._connection.execute("PRAGMA synchronous = OFF")  # which is not at stake here, and takes long
        check()


def test_a_row_that_replaces_another_replaces_all_of_it(path: Path) -> None:
    with Ledger.writing(path) as ledger:
        ledger.add([FAILED])
        ledger.add([ROW])
        ledger.add([FAILED])
    assert rows(path) == [astuple(ROW)]


def test_rows_are_stored_all_or_none(path: Path) -> None:
    def broken() -> Iterator[Row]:
        yield replace(ROW, id="second")
        raise RuntimeError("no more")

    with Ledger.writing(path) as ledger:
        ledger.add([ROW])
        with pytest.raises(RuntimeError, match="no more"):
            ledger.add(broken())
        with pytest.raises(sqlite3.IntegrityError):
            ledger.add([replace(ROW, id="third"), replace(ROW, id="fourth", status="perhaps")])  # type: ignore[arg-type]
        assert rows(path) == [astuple(ROW)]
        ledger.add([replace(ROW, id="fifth")])
    assert [id for id, *_ in rows(path)] == ["0", "fifth"]


def test_rows_are_read_a_few_at_a_time(path: Path) -> None:
    with Ledger.writing(path) as ledger:
        ledger.add(many(2_500))
        assert [row.id for row in ledger.rows()] == [str(number) for number in range(2_500)]
        assert [row.id for row in ledger.rows(["2499", "7"])] == ["7", "2499"]


# Durability

ENDS_AMID_A_CHANGE = """
import json, os, sys
from dataclasses import replace
from cliffgym.sweeps import Ledger, Row
row = Row(*json.loads(sys.argv[2]))
with Ledger.writing(sys.argv[1]) as ledger:
    for number in range(5):
        ledger.add([replace(row, id=str(number))])
    ledger._connection.execute("PRAGMA cache_size = 5")  # so that what is not committed is in the file, too
    ledger._connection.execute("UPDATE rows SET result = hex(zeroblob(100000))")
    os._exit(9)
"""


def test_what_add_has_returned_for_survives_the_end_of_the_process(path: Path) -> None:
    assert python(ENDS_AMID_A_CHANGE, path, json.dumps(astuple(ROW))).returncode == 9
    assert path.with_name(f"{path.name}-journal").stat().st_size > 0
    with Ledger.writing(path) as ledger:
        assert [row.id for row in ledger.rows()] == ["0", "1", "2", "3", "4"]
        ledger.add([replace(ROW, id="5")])
    assert len(rows(path)) == 6


def test_rows_are_on_the_disk_before_add_returns(path: Path) -> None:
    with Ledger.writing(path) as ledger:
        (level,) = ledger._connection.execute("PRAGMA synchronous").fetchone()
        assert level == 3  # EXTRA: also the end of the journal
        ledger.add([ROW])
        assert rows(path) == [astuple(ROW)]
        assert not ledger._connection.in_transaction


def test_one_file_is_left_and_a_lock(path: Path) -> None:
    with Ledger.writing(path) as ledger:
        ledger.add([ROW])
    assert {file.name for file in path.parent.iterdir()} <= {path.name, f"{path.name}.lock"}  # Windows takes the latter
    copy = path.with_name("copy.sqlite")
    copy.write_bytes(path.read_bytes())
    with Ledger.reading(copy) as ledger:
        assert list(ledger.rows()) == [ROW]


# A full disk


def test_on_a_full_disk_nothing_that_was_stored_is_lost(path: Path) -> None:
    with Ledger.writing(path) as ledger:
        ledger.add(many(10))
        (pages,) = ledger._connection.execute("PRAGMA page_count").fetchone()
        ledger._connection.execute(f"PRAGMA max_page_count = {pages + 5}")
        with pytest.raises(OSError, match=rf"ledger {path} cannot be read or written: database or disk is full"):
            ledger.add(replace(row, id=f"more {row.id}") for row in many(100, size=1000))
        assert len(rows(path)) == len(ledger.statuses()) == 10
        ledger._connection.execute("PRAGMA max_page_count = 1000000")  # there is room again
        ledger.add([replace(ROW, id="last")])
    assert [id for id, *_ in rows(path)] == [*map(str, range(10)), "last"]


FILLS_THE_DISK = """
import json, resource, sys
from dataclasses import replace
from cliffgym.sweeps import Ledger, Row
row = Row(*json.loads(sys.argv[2]))
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, resource.RLIM_INFINITY))
with Ledger.writing(sys.argv[1]) as ledger:
    for number in range(100):
        try:
            ledger.add([replace(row, id=str(number), result="x" * 5000)])
        except OSError as error:
            print(number, error)
            break
    assert len(ledger.statuses()) == number
"""


@pytest.mark.skipif(sys.platform == "win32", reason="needs a limit to the size of files")
def test_where_no_file_may_grow_nothing_that_was_stored_is_lost(path: Path) -> None:
    done = python(FILLS_THE_DISK, path, json.dumps(astuple(ROW)))
    assert done.returncode == 0, done.stderr
    count, _, message = done.stdout.strip().partition(" ")
    assert message.startswith(f"ledger {path} cannot be read or written: ")
    assert [id for id, *_ in rows(path)] == [str(number) for number in range(int(count))]
    assert 5 < int(count) < 20
    with Ledger.writing(path) as ledger:
        ledger.add(many(100))
    assert len(rows(path)) == 100


# What is no ledger


def database(path: Path, *commands: str) -> None:
    with contextlib.closing(sqlite3.connect(path)) as connection:
        for command in commands:
            connection.execute(command)
        connection.commit()


def test_a_ledger_of_another_version_is_refused(path: Path) -> None:
    with Ledger.writing(path) as ledger:
        ledger.add([ROW])
    for version in (VERSION - 1, VERSION + 1):
        database(path, f"PRAGMA user_version = {version}")
        before = path.read_bytes()
        message = rf"ledger must have version {VERSION}, got {version} in {path}, which another version of CliffGym has"
        with pytest.raises(ValueError, match=message), Ledger.writing(path):
            pass
        with pytest.raises(ValueError, match=message), Ledger.reading(path):
            pass
        assert path.read_bytes() == before


@pytest.mark.parametrize(
    "commands",
    [["CREATE TABLE rows (id TEXT)"], ["PRAGMA application_id = 7"], ["PRAGMA user_version = 1"]],
    ids=["table", "application", "version"],
)
def test_databases_of_others_are_refused(path: Path, commands: list[str]) -> None:
    database(path, *commands)
    before = path.read_bytes()
    message = f"ledger must be one that a sweep has written, got another kind of database in {path}"
    for opening in (Ledger.writing, Ledger.reading):
        with pytest.raises(ValueError, match=message), opening(path):
            pass
    assert path.read_bytes() == before


@pytest.mark.parametrize("content", [b"a,b\n1,2\n" * 200, b"{}", b"SQLite format 3\0" + bytes(range(256)) * 4])
def test_files_that_are_no_database_are_refused(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    for opening in (Ledger.writing, Ledger.reading):
        with pytest.raises(ValueError, match=f"ledger must be a SQLite file, got {path}: "), opening(path):
            pass
    assert path.read_bytes() == content


def test_a_damaged_ledger_is_an_error_and_no_crash(path: Path) -> None:
    with Ledger.writing(path) as ledger:
        ledger.add(many(200, size=200))
    content = bytearray(path.read_bytes())
    content[4096:] = b"\xff" * (len(content) - 4096)  # all but the first page, which says what the file is
    path.write_bytes(content)
    with Ledger.writing(path) as ledger:
        message = f"ledger {path} cannot be read or written: database disk image is malformed"
        with pytest.raises(OSError, match=message):
            ledger.statuses()
        with pytest.raises(OSError, match=message):
            list(ledger.rows())
        with pytest.raises(OSError, match=message):
            ledger.add([ROW])


def test_an_empty_file_becomes_a_ledger(path: Path) -> None:
    path.touch()
    with pytest.raises(ValueError, match="got another kind of database"), Ledger.reading(path):
        pass
    with Ledger.writing(path) as ledger:
        ledger.add([ROW])
    assert rows(path) == [astuple(ROW)]


def test_there_is_nothing_to_read_where_there_is_no_file(path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=f"ledger must be a file, got none at {path}"), Ledger.reading(path):
        pass
    with pytest.raises(FileNotFoundError), Ledger.reading(path.parent):
        pass
    assert list(path.parent.iterdir()) == []


def test_folders_are_made(tmp_path: Path) -> None:
    with Ledger.writing(tmp_path / "a" / "b" / "ledger.sqlite") as ledger:
        ledger.add([ROW])
    assert rows(tmp_path / "a" / "b" / "ledger.sqlite") == [astuple(ROW)]


def test_what_cannot_be_opened_is_an_error_of_the_system(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for path in (tmp_path / "file" / "ledger.sqlite", tmp_path):
        with pytest.raises(OSError, match=str(path.parent)), Ledger.writing(path):
            pass


# Permissions

OPENS_WITHOUT_RIGHTS = """
import encodings.idna, json, os, sys
from cliffgym.sweeps import Ledger
if os.geteuid() == 0:  # who may do anything
    os.setgroups([]); os.setegid(65534); os.seteuid(65534)
for opening, path in json.loads(sys.argv[1]):
    try:
        with getattr(Ledger, opening)(path) as ledger:
            print(len(list(ledger.rows())), len(ledger.statuses()))
    except OSError as error:
        print(type(error).__name__, error)
"""
READ_ONLY = [  # modes of the folder and of the file, what is tried, and how it ends
    (0o555, 0o444, "reading", r"3 3"),
    (0o555, 0o444, "writing", r"PermissionError .*ledger\.sqlite\.lock.*"),
    (0o777, 0o444, "writing", r"OSError ledger .* cannot be read or written: attempt to write a readonly database"),
    (0o000, 0o444, "reading", r"PermissionError .*ledger\.sqlite.*"),
    (0o555, 0o000, "reading", r"OSError ledger .*ledger\.sqlite cannot be .*: unable to open database file"),
]


@pytest.mark.skipif(sys.platform == "win32", reason="needs permissions as POSIX has them")
def test_a_ledger_can_be_read_where_nothing_can_be_written() -> None:
    with tempfile.TemporaryDirectory() as name:  # everybody may look into it, unlike into those of pytest
        Path(name).chmod(0o755)
        paths = [Path(name) / str(number) / "ledger.sqlite" for number in range(len(READ_ONLY))]
        for path, (folder_mode, file_mode, _, _) in zip(paths, READ_ONLY, strict=True):
            with Ledger.writing(path) as ledger:
                ledger.add(many(3))
            Path(f"{path}.lock").unlink()
            path.chmod(file_mode)
            path.parent.chmod(folder_mode)
        tries = [(opening, str(path)) for path, (_, _, opening, _) in zip(paths, READ_ONLY, strict=True)]
        done = python(OPENS_WITHOUT_RIGHTS, json.dumps(tries))
        for path in paths:
            path.parent.chmod(0o755)
    assert done.returncode == 0, done.stderr
    for line, (_, _, _, outcome) in zip(done.stdout.splitlines(), READ_ONLY, strict=True):
        assert re.fullmatch(outcome, line)


# Others at the same ledger

SECOND = """
import sys; from cliffgym.sweeps import Ledger
try:
    with Ledger.writing(sys.argv[1]): print("opened")
except ValueError as error: print(error)
"""


def test_a_second_writer_is_refused_in_this_process_and_in_others(path: Path) -> None:
    refusal = f"ledger must be written by one sweep at a time, got another that writes {path}"
    link = path.with_name("link.sqlite")
    with Ledger.writing(path) as ledger:
        ledger.add([ROW])
        with pytest.raises(ValueError, match=refusal), Ledger.writing(path):
            pass
        assert python(SECOND, path.name, cwd=path.parent).stdout.strip() == refusal
        if sys.platform != "win32":
            link.symlink_to(path)
            assert python(SECOND, link).stdout.strip() == refusal
        ledger.add([replace(ROW, id="1")])  # the first one goes on
    with Ledger.writing(path) as ledger:
        assert len(list(ledger.rows())) == 2


def test_the_lock_is_free_after_an_error(path: Path) -> None:
    with pytest.raises(RuntimeError, match="ours"), Ledger.writing(path):
        raise RuntimeError("ours")
    database(path, "PRAGMA user_version = 99")
    with pytest.raises(ValueError, match="version"), Ledger.writing(path):
        pass
    database(path, f"PRAGMA user_version = {VERSION}")
    with Ledger.writing(path):
        pass


def test_the_lock_of_a_process_that_has_died_is_free(path: Path) -> None:
    code = "import os, sys; from cliffgym.sweeps import Ledger\nwith Ledger.writing(sys.argv[1]): os._exit(9)"
    assert python(code, path).returncode == 9
    with Ledger.writing(path) as ledger:
        ledger.add([ROW])


def test_a_ledger_is_read_while_it_is_written(path: Path) -> None:
    with Ledger.writing(path) as writer:
        writer.add(many(600))
        with Ledger.reading(path) as reader:
            found = reader.rows()
            first = next(found)
            writer.add([replace(ROW, id="new")])  # a reader that takes its time holds up nobody
            assert reader.statuses()["new"] == "done"
            assert [row.id for row in (first, *found)] == [*map(str, range(600)), "new"]
            with pytest.raises(ValueError, match="one sweep at a time"), Ledger.writing(path):
                pass
