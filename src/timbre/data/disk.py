"""Writing so that a crash, a second run or a full disk never leaves something that looks whole and is not."""

import errno
import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from timbre.data.clips import DataError

LOCK = ".prepare.lock"
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def write_atomically(path: Path, content: str | bytes) -> None:
    """Write a whole file or none: to a neighbour first, forced to the disk, then renamed over `path`."""
    neighbour = path.with_name(f".{path.name}.new")
    with neighbour.open("wb") as file:
        file.write(content.encode() if isinstance(content, str) else content)
        file.flush()
        os.fsync(file.fileno())
    neighbour.replace(path)
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Force a folder's entries (renames, new files) to the disk."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def write_whole(handle: int, content: memoryview, offset: int) -> None:
    """`os.pwrite` until everything is written: it may take less at a time."""
    while content:
        count = os.pwrite(handle, content, offset)
        content, offset = content[count:], offset + count


def allocate(path: Path, size: int) -> None:
    """Make a file of `size` bytes whose place on the disk is certain, so that a full disk shows before the work.

    Raises:
        OSError: if there is no room; the file may be left behind.
    """
    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        if size and hasattr(os, "posix_fallocate"):
            os.posix_fallocate(handle, 0, size)
        os.ftruncate(handle, size)
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def full_disk_is_said(folder: Path, needed: int) -> Iterator[None]:
    """Turn a full disk (or quota, or file size limit) inside the block into one line that says what to do.

    Args:
        folder: where the block writes.
        needed: bytes that all its files take in the end.

    Raises:
        DataError: in place of the system's error; other errors pass.
    """
    try:
        yield
    except OSError as error:
        if error.errno not in _FULL:
            raise
        free = shutil.disk_usage(folder).free
        raise DataError(
            f"no room in {folder} ({error.strerror}): {needed / 1e6:.0f} MB are needed and "
            f"{free / 1e6:.0f} MB are free; make room and run `timbre prepare` again, what is finished is kept"
        ) from error


@contextmanager
def only_one(folder: Path) -> Iterator[None]:
    """Hold the folder's lock; it goes when the process goes, however it goes.

    Raises:
        DataError: if another process holds it.
    """
    handle = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError as error:
        raise DataError(f"another `timbre prepare` is at work in {folder}: wait for it") from error
    finally:
        os.close(handle)
