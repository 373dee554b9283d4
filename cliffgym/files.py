"""Files that are either the old one or the new one, whole, whatever interrupts the writing."""

import contextlib
import io
import os
import secrets
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def atomic_write(path: str | os.PathLike[str]) -> Iterator[io.BufferedWriter]:
    """Opens a temporary neighbour of `path` for writing and renames it to `path` when the block succeeds.

    Args:
        path: The file to create or replace. Missing folders are created.

    Yields:
        A binary file. If the block raises, `path` stays as it was and the temporary file is removed.

    Raises:
        OSError: The file cannot be written.
    """
    target = Path(path).resolve()  # through links, which stay links
    if target.is_dir():
        raise IsADirectoryError(f"path must be a file to write, got the folder {path}")
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f".{secrets.token_hex(8)}.part")
    # Created by the system's own rules for new files, so that it is as open as any other.
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
    descriptor = os.open(temporary, flags, 0o666)
    try:
        with os.fdopen(descriptor, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
