"""What is known of each decoded clip, kept line by line while a store is being made so that a killed run can go on."""

import errno
import json
import os
import threading
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from types import TracebackType

from timbre.data.disk import write_atomically

JOURNAL = "journal.jsonl"
RECORDS = "records.jsonl"
PLAN = "plan.txt"
"""Two lines beside every store, finished or not: its layout and the fingerprint of its inputs."""


@dataclass(frozen=True, kw_only=True)
class Record:
    """One decoded clip and the row that holds it.

    Attributes:
        path: as in the listing.
        split: train, val or test.
        row: its row in the split's array.
        crc: CRC-32 of the row's bytes: a row is believed only if it still has this sum.
        scale: waveform = int16 * scale; exactly a float32.
        sha256: of the file's bytes.
        duration_s: seconds of audio decoded.
        sample_rate: of the file, in Hz.
        channels: of the file.
    """

    path: str
    split: str
    row: int
    crc: int
    scale: float
    sha256: str
    duration_s: float
    sample_rate: int
    channels: int


def lines(records: Iterable[Record]) -> str:
    """Records as JSON lines."""
    return "".join(json.dumps(asdict(record), ensure_ascii=True) + "\n" for record in records)


def read_records(path: Path) -> list[Record]:
    """The records in a file of JSON lines; none if there is no file. Reading stops at a line torn by a crash."""
    names = {field.name for field in fields(Record)}
    records = []
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return []
    for line in text.splitlines():
        try:
            raw = json.loads(line)
        except json.JSONDecodeError:
            break
        if not isinstance(raw, dict) or raw.keys() != names:
            break
        records.append(Record(**raw))
    return records


def read_plan(folder: Path) -> tuple[str, str]:
    """Layout and fingerprint of the store in `folder`; two empty strings if there is none."""
    try:
        layout, fingerprint = (folder / PLAN).read_text(encoding="utf-8").splitlines()
    except (FileNotFoundError, UnicodeDecodeError, ValueError):
        return "", ""
    return layout, fingerprint


class Journal:
    """Appends one line per finished clip; what `append` returned from outlives the death of the process."""

    def __init__(self, path: Path, *, keep: Iterable[Record]) -> None:
        write_atomically(path, lines(keep))  # also drops a torn last line
        self._handle = os.open(path, os.O_WRONLY | os.O_APPEND)
        self._lock = threading.Lock()

    def append(self, record: Record) -> None:
        """Note that the row of this clip is in the array; called after the row was written."""
        line = lines([record]).encode()
        with self._lock:
            count = os.write(self._handle, line)
        if count < len(line):  # the disk filled up in this very line; the next run drops the torn end
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def __enter__(self) -> "Journal":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self._handle)
