"""Rows of an earlier store, taken over when the same file is wanted again: adding one file decodes one file."""

import hashlib
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from timbre.data.clips import SourceClip
from timbre.data.records import JOURNAL, RECORDS, Record, read_plan, read_records
from timbre.data.store import pcm_path


@dataclass(frozen=True, kw_only=True)
class _Place:
    folder: Path
    record: Record


class Reuse:
    """Finds rows by the content of their files, whatever those are called now.

    A row is taken only if its bytes still have their sum, so an earlier store may be unfinished or damaged.

    Attributes:
        taken: paths of the clips that were found.
    """

    def __init__(self, folders: Sequence[Path], *, layout: str, row_bytes: int) -> None:
        """Look into earlier stores; those of another layout, or that are not there, have nothing to give."""
        self.taken: list[str] = []
        self._row_bytes = row_bytes
        self._places = {
            record.sha256: _Place(folder=folder, record=record)
            for folder in folders
            if read_plan(folder)[0] == layout
            for record in (*read_records(folder / JOURNAL), *read_records(folder / RECORDS))
        }

    def take(self, root: Path, clip: SourceClip, row: int) -> tuple[Record, npt.NDArray[np.int16]] | None:
        """The row of a clip's file and its record for the new place, or None if it must be decoded."""
        if not self._places:
            return None
        try:
            with (root / clip.path).open("rb") as file:
                place = self._places.get(hashlib.file_digest(file, "sha256").hexdigest())
            if place is None:
                return None
            with pcm_path(place.folder, place.record.split).open("rb") as file:
                file.seek(place.record.row * self._row_bytes)
                content = file.read(self._row_bytes)
        except OSError:
            return None  # the decoder will say what is wrong with the file, if it is the file
        if zlib.crc32(content) != place.record.crc:
            return None
        assert clip.split is not None
        self.taken.append(clip.path)
        record = replace(place.record, path=clip.path, split=clip.split, row=row)
        return record, np.frombuffer(content, np.int16)
