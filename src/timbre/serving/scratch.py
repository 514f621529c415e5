"""Folders that live as long as the server: gone at its end, or at the next start if it was killed."""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from timbre.errors import TimbreError

PREFIX = "timbre-serve-"


class ScratchError(TimbreError):
    """A folder for work in progress cannot be made."""


@contextmanager
def scratch_folder(parent: Path) -> Iterator[Path]:
    """A folder of our own below `parent`, after removing those of servers that are no more.

    A lock on the folder, held by the server's processes, tells the living from the dead. It also keeps
    systemd-tmpfiles from clearing the folder away.

    Raises:
        ScratchError: if `parent` does not allow it.
    """
    try:
        _remove_abandoned(parent)
        folder, descriptor = _make_locked(parent)
    except OSError as error:
        raise ScratchError(f"cannot make a folder for uploads in {parent}: {error.strerror}") from error
    try:
        yield folder
    finally:
        os.close(descriptor)
        shutil.rmtree(folder, ignore_errors=True)


def _make_locked(parent: Path) -> tuple[Path, int]:
    """A new folder with its lock. Before it is locked another server may take it for abandoned: then we try again."""
    while True:
        folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=parent))
        descriptor = -1
        try:
            descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
            fcntl.flock(descriptor, fcntl.LOCK_SH)
            folder.stat()  # with the lock held, it is there or gone for good
            return folder, descriptor
        except FileNotFoundError:
            if descriptor >= 0:
                os.close(descriptor)


def _remove_abandoned(parent: Path) -> None:
    for folder in parent.glob(f"{PREFIX}*"):
        try:
            if folder.stat(follow_symlinks=False).st_uid != os.getuid():
                continue
            descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        except (FileNotFoundError, NotADirectoryError):
            continue  # another server was quicker, or it is no folder
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            continue  # its server lives
        else:
            shutil.rmtree(folder, ignore_errors=True)
        finally:
            os.close(descriptor)
