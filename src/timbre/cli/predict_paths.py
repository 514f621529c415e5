"""Which audio files the words of a command line mean: files, folders with all they hold, and patterns."""

import glob
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from timbre.errors import TimbreError

SUFFIXES = frozenset({".wav", ".mp3", ".flac", ".ogg", ".oga"})
"""Names taken from folders. A file that is named itself is taken whatever it is called: its bytes decide."""


def find_audio(words: Sequence[str]) -> tuple[list[Path], list[str]]:
    """Resolve each word in turn; a file that was met twice is taken once.

    A word that names a missing file among others stays in the list, to become an error record like any bad file.

    Returns:
        The files, and a line for each folder or pattern that holds no audio and each folder that cannot be read.

    Raises:
        TimbreError: if there is no file at all.
    """
    found: dict[Path, None] = {}
    complaints: list[str] = []
    for word in words:
        matches = list(_matches(word, complaints))
        found.update(dict.fromkeys(matches))
        if not matches:
            complaints.append(_reason(word))
    if not any(path.exists() for path in found):
        reasons = [*complaints, *(_reason(str(path)) for path in found)]
        raise TimbreError(f"no audio to predict: {'; '.join(reasons[:3])}{'; ...' if len(reasons) > 3 else ''}")
    return list(found), complaints


def _matches(word: str, complaints: list[str]) -> Iterator[Path]:
    path = Path(word)
    if path.is_dir():
        yield from _walk(path, complaints)
    elif path.exists() or not glob.has_magic(word):
        yield path
    else:
        matches = map(Path, sorted(glob.glob(word, recursive=True)))  # noqa: PTH207 (Path.glob takes no absolute pattern)
        yield from (match for match in matches if not match.is_dir())


def _walk(folder: Path, complaints: list[str]) -> Iterator[Path]:
    """Audio files below a folder, sorted; hidden ones (such as macOS's `._song.mp3`) are not music.

    Links to folders are followed, but no folder is entered twice, so that a link in a circle comes to an end.
    """
    seen: set[tuple[int, int]] = set()

    def complain(error: OSError) -> None:
        complaints.append(f"cannot read folder {error.filename}: {error.strerror}")

    for where, folders, names in os.walk(folder, onerror=complain, followlinks=True):
        facts = Path(where).stat()
        if (facts.st_dev, facts.st_ino) in seen:
            folders.clear()
            continue
        seen.add((facts.st_dev, facts.st_ino))
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            if Path(name).suffix.lower() in SUFFIXES and not name.startswith("."):
                yield Path(where, name)


def _reason(word: str) -> str:
    if Path(word).is_dir():
        return f"no {' '.join(sorted(SUFFIXES))} file in folder {word}"
    return f"nothing matches {word}" if glob.has_magic(word) else f"no such file or folder {word}"
