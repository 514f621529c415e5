"""Labelled audio as people keep it: one folder per genre, or any folder with a `manifest.csv`."""

import csv
import io
from pathlib import Path, PurePosixPath

from timbre.data.clips import SPLITS, Bar, DataError, Listing, Rejected, SourceClip
from timbre.data.sources.tree import check_root, genre_tree, walk

MANIFEST = "manifest.csv"
REQUIRED = ("path", "genre")


class FolderSource:
    """`root/genre/file`, at any depth below the genre; or what `root/manifest.csv` lists, if there is one.

    The manifest's columns are path (relative to root) and genre, and optionally artist, fold (a whole number) and
    split (train, val or test). Files it does not list are left out.
    """

    def __init__(self, *, root: str | Path) -> None:
        self.root = Path(root).expanduser()

    def listing(self, *, data_dir: Path, workers: int, bar: Bar) -> Listing:
        """Find the files.

        Raises:
            DataError: if the folder or its manifest cannot be used.
        """
        check_root(self.root, key="data.source.root")
        paths = [path for path in walk(self.root) if path != MANIFEST]
        if (self.root / MANIFEST).is_file():
            return self._listed(paths)
        return genre_tree(self.root, paths)

    def _listed(self, paths: list[str]) -> Listing:
        present, clips, rejected = set(paths), {}, []
        for line, row in _rows(self.root / MANIFEST):
            path = PurePosixPath(row["path"].strip()).as_posix()
            clip = SourceClip(
                path=path,
                genre=row["genre"].strip(),
                artist=(row.get("artist") or "").strip() or None,
                fold=_fold(row.get("fold"), line),
                split=_split(row.get("split"), line),
            )
            if path in clips:
                raise DataError(f"{MANIFEST} line {line}: {path} is listed twice in {self.root}")
            clips[path] = clip
            if path not in present:
                present_elsewhere = "It is outside the folder." if _escapes(path) else "There is no such file."
                rejected.append(Rejected(path=path, reason="missing_file", message=present_elsewhere))
            elif not clip.genre:
                rejected.append(Rejected(path=path, reason="no_genre", message="The manifest gives it no genre."))
        unusable = {row.path for row in rejected}
        usable = tuple(clips[path] for path in sorted(clips) if path not in unusable)
        if not usable:
            raise DataError(f"{self.root / MANIFEST} lists no file that is there")
        left_out = sum(path not in clips for path in paths)
        return Listing(root=self.root, clips=usable, rejected=tuple(rejected), left_out=left_out)


def _rows(path: Path) -> list[tuple[int, dict[str, str]]]:
    """Rows with their line numbers."""
    try:
        reader = csv.DictReader(io.StringIO(path.read_text(encoding="utf-8-sig"), newline=""), strict=True)
        missing = [name for name in REQUIRED if name not in (reader.fieldnames or ())]
        if missing:
            raise DataError(f"{path} has no column {' and no column '.join(missing)}: its first line names the columns")
        rows = []
        for row in reader:
            if None in row or None in row.values():
                raise DataError(
                    f"{path} line {reader.line_num}: the row does not have as many fields as the first line"
                )
            rows.append((reader.line_num, row))
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is not UTF-8 text: save it as UTF-8 ({error.reason})") from error
    except csv.Error as error:
        raise DataError(f"{path} is not a CSV file: {error}") from error
    return rows


def _fold(text: str | None, line: int) -> int | None:
    if not (text or "").strip():
        return None
    try:
        return int(text or "")
    except ValueError as error:
        raise DataError(f"{MANIFEST} line {line}: the fold {text!r} is not a whole number") from error


def _split(text: str | None, line: int) -> str | None:
    split = (text or "").strip()
    if split and split not in SPLITS:
        raise DataError(f"{MANIFEST} line {line}: the split {split!r} is not one of {', '.join(SPLITS)}")
    return split or None


def _escapes(path: str) -> bool:
    return path.startswith("/") or ".." in PurePosixPath(path).parts
