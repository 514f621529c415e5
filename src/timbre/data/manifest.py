"""`manifest.csv` and `rejected.csv`: one row per clip that is in the store, one per file that is not."""

import csv
import hashlib
import io
from collections.abc import Iterable, Sequence
from dataclasses import asdict, fields
from pathlib import Path

from timbre.data.clips import SPLITS, Clip, DataError, Rejected

MANIFEST = "manifest.csv"
REJECTED = "rejected.csv"
COLUMNS = tuple(field.name for field in fields(Clip))
REJECTED_COLUMNS = tuple(field.name for field in fields(Rejected))


def clip_id(path: str) -> str:
    """The id of the clip at `path` (relative to the source's root); it does not change when other files come or go."""
    return hashlib.sha256(path.encode()).hexdigest()[:16]


def manifest_text(clips: Iterable[Clip]) -> str:
    """The manifest as CSV text; equal clips give equal text, byte for byte."""
    rows = (asdict(clip) | {"artist": clip.artist or "", "duration_s": f"{clip.duration_s:.6f}"} for clip in clips)
    return _csv_text(COLUMNS, rows)


def rejected_text(rejected: Iterable[Rejected]) -> str:
    """`rejected.csv` as text."""
    return _csv_text(REJECTED_COLUMNS, (asdict(row) for row in rejected))


def read_manifest(data_dir: Path) -> list[Clip]:
    """The clips of a prepared folder; row k of a split's array in the store is the k-th clip of that split here.

    Raises:
        DataError: if there is no manifest, or it is not one.
    """
    clips = []
    for row in _read_rows(Path(data_dir) / MANIFEST, COLUMNS):
        try:
            clips.append(
                Clip(
                    id=row["id"],
                    path=row["path"],
                    sha256=row["sha256"],
                    genre=row["genre"],
                    artist=row["artist"] or None,
                    duration_s=float(row["duration_s"]),
                    sample_rate=int(row["sample_rate"]),
                    channels=int(row["channels"]),
                    split=row["split"],
                )
            )
        except (TypeError, ValueError) as error:
            raise DataError(
                f"{MANIFEST} in {data_dir} has a row that cannot be read ({error}): run `timbre prepare`"
            ) from error
        if row["split"] not in SPLITS:
            raise DataError(f"{MANIFEST} in {data_dir} has a split {row['split']!r}: run `timbre prepare`")
    return clips


def read_rejected(data_dir: Path) -> list[Rejected]:
    """The files that the last `prepare` could not use.

    Raises:
        DataError: if there is no `rejected.csv`, or it is not one.
    """
    rows = _read_rows(Path(data_dir) / REJECTED, REJECTED_COLUMNS)
    return [Rejected(path=row["path"], reason=row["reason"], message=row["message"]) for row in rows]


def manifest_sha256(data_dir: Path) -> str:
    """SHA-256 of `manifest.csv`: the data's version, for a model's lineage. No path of the machine is in it.

    Raises:
        DataError: if there is no manifest.
    """
    return hashlib.sha256(_read_bytes(Path(data_dir) / MANIFEST)).hexdigest()


def _csv_text(columns: Sequence[str], rows: Iterable[dict[str, object]]) -> str:
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, fieldnames=columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def _read_bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except (FileNotFoundError, NotADirectoryError) as error:
        raise DataError(f"there is no {path.name} in {path.parent}: run `timbre prepare` first") from error


def _read_rows(path: Path, columns: Sequence[str]) -> list[dict[str, str]]:
    try:
        text = _read_bytes(path).decode("utf-8")
        reader = csv.DictReader(io.StringIO(text, newline=""), strict=True)
        rows = list(reader)
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path} cannot be read ({error}): run `timbre prepare`") from error
    if tuple(reader.fieldnames or ()) != tuple(columns):
        raise DataError(f"{path} does not have the columns {', '.join(columns)}: run `timbre prepare`")
    return rows
