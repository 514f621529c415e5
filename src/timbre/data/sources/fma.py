"""FMA (Defferrard et al. 2017): its tree `000/000002.mp3` and its tracks.csv with three header lines."""

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TextIO

from timbre.data.clips import Bar, DataError, Listing, Rejected, SourceClip
from timbre.data.sources.tree import by_path, check_root, walk

SUBSETS = ("small", "medium", "large")
"""Each holds those before it."""
SPLITS = {"training": "train", "validation": "val", "test": "test"}
COLUMNS = {
    "split": ("set", "split"),
    "subset": ("set", "subset"),
    "genre": ("track", "genre_top"),
    "artist": ("artist", "name"),
    "artist_id": ("artist", "id"),
}
LONGEST_FIELD = 2**24
"""Biographies in tracks.csv are longer than what the csv module takes by default."""


class FmaSource:
    """The folder of the MP3 files, tracks.csv of the metadata, and which subset to use.

    Tracks of other subsets and tracks without a top genre are left out.
    """

    def __init__(self, *, root: str | Path, tracks: str | Path, subset: str) -> None:
        if subset not in SUBSETS:
            raise DataError(f"FMA has no subset {subset!r}: it is one of {', '.join(SUBSETS)}")
        self.root = Path(root).expanduser()
        self.tracks = Path(tracks).expanduser()
        self.subset = subset

    def listing(self, *, data_dir: Path, workers: int, bar: Bar) -> Listing:
        """Find the files.

        Raises:
            DataError: if the folder or tracks.csv cannot be used.
        """
        check_root(self.root, key="data.source.root")
        tracks = _read(self.tracks)
        subsets = SUBSETS[: SUBSETS.index(self.subset) + 1]
        clips, rejected, left_out = [], [], 0
        expected = {number for number, track in tracks.items() if track.subset in subsets and track.genre}
        for path in walk(self.root):
            number = _number(path)
            if number is None and not path.endswith(".mp3"):  # README.txt and checksums come with the set
                left_out += 1
            elif number is None or number not in tracks:
                rejected.append(Rejected(path=path, reason="no_genre", message="tracks.csv does not know this track."))
            elif number not in expected:
                left_out += 1
            else:
                expected.discard(number)
                track = tracks[number]
                clips.append(SourceClip(path=path, genre=track.genre, artist=track.artist, split=track.split))
        if not clips:
            raise DataError(f"no track of FMA's {self.subset} subset is in {self.root}: it should hold 000/000002.mp3")
        missing = "tracks.csv lists it, but there is no such file."
        rejected += [
            Rejected(path=f"{number // 1000:03d}/{number:06d}.mp3", reason="missing_file", message=missing)
            for number in sorted(expected)
        ]
        clips.sort(key=by_path)
        return Listing(root=self.root, clips=tuple(clips), rejected=tuple(rejected), left_out=left_out)


@dataclass(frozen=True, kw_only=True)
class _Track:
    genre: str
    artist: str | None
    subset: str
    split: str | None


def _number(path: str) -> int | None:
    """Number of the track in a file of this path."""
    stem = PurePosixPath(path).stem
    return int(stem) if stem.isascii() and stem.isdigit() and path.endswith(".mp3") else None


def _read(path: Path) -> dict[int, _Track]:
    """Track number -> what tracks.csv says of it."""
    default = csv.field_size_limit(LONGEST_FIELD)
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            return dict(_tracks(file, path))
    except OSError as error:
        raise DataError(
            f"{path} cannot be read ({error.strerror}): give tracks.csv with data.source.tracks=PATH"
        ) from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path} is not FMA's tracks.csv: {error}") from error
    finally:
        csv.field_size_limit(default)


def _tracks(file: TextIO, path: Path) -> Iterator[tuple[int, _Track]]:
    reader = csv.reader(file, strict=True)
    head: list[list[str]] = [next(reader, []) for _ in range(3)]
    names = list(zip(head[0], head[1], strict=False))
    missing = [" ".join(column) for column in COLUMNS.values() if column not in names]
    if missing or head[2][:1] != ["track_id"]:
        raise DataError(
            f"{path} is not FMA's tracks.csv: its three header lines lack {', '.join(missing) or 'track_id'}"
        )
    column = {name: names.index(title) for name, title in COLUMNS.items()}
    seen = set()
    for row in filter(None, reader):
        if len(row) != len(names) or not row[0].isdigit():
            raise DataError(f"{path} line {reader.line_num}: this is no track ({len(row)} of {len(names)} fields)")
        number = int(row[0])
        if number in seen:
            raise DataError(f"{path} line {reader.line_num}: track {number} is listed twice")
        seen.add(number)
        cell = {name: row[place].strip() for name, place in column.items()}
        known = [part for part in (cell["artist"], f"#{cell['artist_id']}" if cell["artist_id"] else "") if part]
        yield (
            number,
            _Track(
                genre=cell["genre"],
                artist=" ".join(known) or None,
                subset=cell["subset"],
                split=SPLITS.get(cell["split"]),
            ),
        )
