"""GTZAN: its tree `genre/genre.00000.wav`, and the published fault-filtered lists.

Kereliuk, Sturm and Larsen (2015) listed what is left of GTZAN without repetitions, distortions and mislabelled clips,
with no artist in two lists. In the distributed set jazz.00054.wav is damaged; it ends in rejected.csv.
"""

from pathlib import Path, PurePosixPath

from timbre.data.clips import Bar, DataError, Listing, Rejected, SourceClip
from timbre.data.sources.tree import by_path, check_root, genre_tree, walk

LISTS = {"train": "train_filtered.txt", "val": "valid_filtered.txt", "test": "test_filtered.txt"}


class GtzanSource:
    """The folder that holds GTZAN's genres; with `lists`, the folder of the published lists, only what they name."""

    def __init__(self, *, root: str | Path, lists: str | Path | None) -> None:
        self.root = Path(root).expanduser()
        self.lists = None if lists is None else Path(lists).expanduser()

    def listing(self, *, data_dir: Path, workers: int, bar: Bar) -> Listing:
        """Find the files.

        Raises:
            DataError: if the folder or the lists cannot be used.
        """
        check_root(self.root, key="data.source.root")
        tree = genre_tree(self.root, walk(self.root))
        if self.lists is None:
            return tree
        check_root(self.lists, key="data.source.lists")
        published = _published(self.lists)
        present = {_without_suffix(clip.path): clip for clip in tree.clips}
        clips = [
            SourceClip(path=present[name].path, genre=present[name].genre, split=split)
            for name, split in published.items()
            if name in present
        ]
        if not clips:
            raise DataError(f"none of the {len(published)} clips that {self.lists} lists is in {self.root}")
        missing = [
            Rejected(path=name, reason="missing_file", message="A list names it, but there is no such file.")
            for name in published
            if name not in present
        ]
        return Listing(
            root=self.root,
            clips=tuple(sorted(clips, key=by_path)),
            rejected=(*tree.rejected, *missing),
            left_out=tree.left_out + len(tree.clips) - len(clips),
        )


def _published(folder: Path) -> dict[str, str]:
    """Name without ending -> split."""
    split_of: dict[str, str] = {}
    for split, file in LISTS.items():
        try:
            lines = (folder / file).read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise DataError(f"the list {folder / file} cannot be read: {error}") from error
        for line in filter(None, map(str.strip, lines)):
            name = _without_suffix(line)
            if split_of.setdefault(name, split) != split:
                raise DataError(f"{line} is in two lists of {folder}: {split_of[name]} and {split}")
    return split_of


def _without_suffix(path: str) -> str:
    """The lists say .wav; the files may have been converted."""
    return PurePosixPath(path).with_suffix("").as_posix()
