"""Files are the old one or the new one, whole; tables line up."""

import csv
import os
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import pytest

from cliffgym.files import atomic_write
from cliffgym.tables import text_table, write_csv

# Files


def test_a_file_and_its_folders_are_created(tmp_path: Path) -> None:
    with atomic_write(tmp_path / "a" / "b" / "file.bin") as file:
        file.write(b"content")
    assert (tmp_path / "a" / "b" / "file.bin").read_bytes() == b"content"


def test_the_old_file_is_there_until_the_new_one_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "file.txt"
    path.write_text("old")
    with atomic_write(os.fspath(path)) as file:
        file.write(b"half")
        file.flush()
        assert path.read_text() == "old"
        file.write(b" and half")
    assert path.read_text() == "half and half"
    assert [found.name for found in tmp_path.iterdir()] == ["file.txt"]


def _write_and_raise(file: IO[bytes], error: type[BaseException]) -> None:
    file.write(b"new")
    raise error


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
@pytest.mark.parametrize("existed", [True, False])
def test_a_failure_leaves_no_trace(error: type[BaseException], existed: bool, tmp_path: Path) -> None:
    path = tmp_path / "file.txt"
    if existed:
        path.write_text("old")
    with pytest.raises(error), atomic_write(path) as file:
        _write_and_raise(file, error)
    assert {found.name: found.read_text() for found in tmp_path.iterdir()} == ({"file.txt": "old"} if existed else {})


def test_a_target_that_cannot_be_replaced_leaves_no_trace(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    message = "path must be a file to write, got the folder"
    with pytest.raises(IsADirectoryError, match=message), atomic_write(tmp_path / "folder") as file:
        file.write(b"new")
    assert [found.name for found in tmp_path.iterdir()] == ["folder"]


def test_a_target_that_becomes_a_folder_meanwhile_leaves_no_trace(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="folder"), atomic_write(tmp_path / "folder"):
        (tmp_path / "folder").mkdir()
    assert [found.name for found in tmp_path.iterdir()] == ["folder"]


@pytest.fixture
def umask(request: pytest.FixtureRequest) -> Iterator[int]:
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


@pytest.mark.skipif(os.name == "nt", reason="Windows has no file mode mask")
@pytest.mark.parametrize("umask", [0o022, 0o077, 0o002], ids=oct, indirect=True)
def test_permissions_are_those_of_any_new_file(umask: int, tmp_path: Path) -> None:
    (tmp_path / "plain").write_text("")
    with atomic_write(tmp_path / "atomic"):
        pass
    assert (tmp_path / "atomic").stat().st_mode == (tmp_path / "plain").stat().st_mode
    assert os.umask(umask) == umask  # asking for the mask did not change it


# Tables


def test_numbers_stand_to_the_right_and_text_to_the_left() -> None:
    assert text_table(["name", "count", "value"], [["a", 5, 0.25], ["longer", 123456, -1.0]]) == "\n".join(
        [
            "name     count  value",
            "------  ------  -----",
            "a            5   0.25",
            "longer  123456     -1",
        ]
    )


def test_a_column_with_a_text_among_numbers_is_text() -> None:
    assert text_table(["x"], [[1], ["none"]]).splitlines() == ["x", "----", "1", "none"]


def test_numbers_are_rounded_to_four_digits() -> None:
    assert text_table(["x"], [[1 / 3], [12345.678], [1e-9]]).splitlines()[2:] == ["   0.3333", "1.235e+04", "    1e-09"]


def test_lines_have_no_trailing_blanks() -> None:
    assert all(line == line.rstrip() for line in text_table(["a", "b"], [["x", "long"], ["y", ""]]).splitlines())


def test_a_header_may_stand_alone() -> None:
    assert text_table(["one", "two"], []).splitlines() == ["one  two", "---  ---"]


def test_a_csv_file_has_all_columns_in_order_of_appearance(tmp_path: Path) -> None:
    write_csv(tmp_path / "rows.csv", [{"a": 1, "b": 0.1 + 0.2}, {"b": 2.0, "c": 'say "x, y"'}])
    assert (tmp_path / "rows.csv").read_bytes() == b'a,b,c\n1,0.30000000000000004,\n,2.0,"say ""x, y"""\n'
    with (tmp_path / "rows.csv").open(newline="") as file:
        assert list(csv.DictReader(file))[1] == {"a": "", "b": "2.0", "c": 'say "x, y"'}


def test_a_csv_file_replaces_the_one_before(tmp_path: Path) -> None:
    write_csv(tmp_path / "rows.csv", [{"a": 1}, {"a": 2}])
    write_csv(tmp_path / "rows.csv", [{"b": 3}])
    assert (tmp_path / "rows.csv").read_text() == "b\n3\n"


def test_a_csv_file_is_utf8(tmp_path: Path) -> None:
    write_csv(tmp_path / "rows.csv", [{"é": "·"}])
    assert (tmp_path / "rows.csv").read_text(encoding="utf-8") == "é\n·\n"
