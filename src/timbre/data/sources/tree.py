"""Files below a folder, each with a path that a manifest can hold."""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath

from timbre.data.clips import DataError, Listing, Rejected, SourceClip

_PICTURES = (".avif", ".bmp", ".gif", ".jpeg", ".jpg", ".pdf", ".png", ".svg", ".webp")
_TEXTS = (
    ".csv",
    ".html",
    ".json",
    ".log",
    ".md",
    ".nfo",
    ".py",
    ".rst",
    ".rtf",
    ".tsv",
    ".txt",
    ".xml",
    ".yaml",
    ".yml",
)
_LISTS = (".cue", ".db", ".ini", ".m3u", ".m3u8", ".pls", ".sfv", ".url")
COMPANIONS = frozenset(_PICTURES + _TEXTS + _LISTS)
"""Endings of what commonly lies beside music. Everything else is taken for audio and, if it is none, rejected aloud."""


def check_root(root: Path, *, key: str) -> Path:
    """The folder, if it is one.

    Raises:
        DataError: if not; the text names the configuration key to set.
    """
    if not root.is_dir():
        state = "is not a folder" if root.exists() else "does not exist"
        raise DataError(f"{root} {state}: give the folder of the audio with {key}=PATH")
    return root


def walk(root: Path) -> Iterator[str]:
    """Paths of all files below `root`, relative to it, sorted; nothing hidden.

    Links to files and folders are followed, but no folder is entered twice.
    """
    seen: set[tuple[int, int]] = set()
    for folder, below, files in os.walk(root, followlinks=True):
        facts = Path(folder).stat()
        if (facts.st_dev, facts.st_ino) in seen:
            below.clear()
            continue
        seen.add((facts.st_dev, facts.st_ino))
        below[:] = sorted(name for name in below if not name.startswith("."))
        for name in sorted(files):
            if not name.startswith("."):
                yield PurePosixPath(folder, name).relative_to(root).as_posix()


def is_companion(path: str) -> bool:
    """Whether a file is one that lies beside music and is none."""
    return PurePosixPath(path).suffix.lower() in COMPANIONS


def unfit_name(path: str) -> Rejected | None:
    """A rejection if the path is not text (bytes of another encoding), else None."""
    try:
        path.encode()
    except UnicodeEncodeError:
        shown = os.fsencode(path).decode(errors="backslashreplace")
        return Rejected(path=shown, reason="bad_name", message="The name is not valid UTF-8: rename the file.")
    return None


def genre_tree(root: Path, paths: Iterable[str]) -> Listing:
    """The files of a tree `genre/file`, at any depth below the genre.

    Raises:
        DataError: if there is no file in a genre's folder.
    """
    clips, rejected, left_out = [], [], 0
    for path in paths:
        genre, *below = PurePosixPath(path).parts
        if is_companion(path):
            left_out += 1
        elif unfit := unfit_name(path):
            rejected.append(unfit)
        elif not below:
            rejected.append(Rejected(path=path, reason="no_genre", message="It lies in no genre's folder."))
        else:
            clips.append(SourceClip(path=path, genre=genre))
    if not clips:
        raise DataError(f"there is no audio in {root}: it should hold one folder per genre, with files in it")
    return Listing(root=root, clips=tuple(sorted(clips, key=by_path)), rejected=tuple(rejected), left_out=left_out)


def by_path(clip: SourceClip) -> str:
    """The order of clips everywhere."""
    return clip.path
