"""What is to be made, decided before any file is decoded: each clip's split and row, and the sum of all inputs."""

import hashlib
import json
import os
from collections.abc import Collection, Iterator
from dataclasses import astuple, dataclass, replace
from pathlib import Path

from timbre.data.checks import check_artists, check_every_split_has_every_genre, check_genres
from timbre.data.clips import SPLITS, Listing, Rejected, SourceClip
from timbre.data.splits import Split
from timbre.data.store import FORMAT


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Clips with their splits; the row of a clip is its position among its split's clips, sorted by path.

    Attributes:
        root: the folder that all paths are relative to.
        genres: all labels, sorted.
        clips: those that belong to a split; each has one.
        left_out: files passed over on purpose by the source or by the split.
        rejected: files that are already known to be unusable.
        layout: what rows of the store look like; rows of equal layout can be taken over.
        fingerprint: SHA-256 of every file's path, size and time of change, label, artist and split, and of the options.
    """

    root: Path
    genres: tuple[str, ...]
    clips: tuple[SourceClip, ...]
    rejected: tuple[Rejected, ...]
    left_out: int
    layout: str
    fingerprint: str

    @classmethod
    def make(
        cls,
        listing: Listing,
        split: Split,
        *,
        sample_rate: int,
        clip_samples: int,
        unusable: Collection[Rejected] = (),
    ) -> "Plan":
        """Give every clip its split, and check what can be checked without decoding.

        Args:
            listing: the files.
            split: gives each its split.
            sample_rate: of the store, in Hz.
            clip_samples: length of a row.
            unusable: clips of the listing that are known not to be usable; they get no split.

        Raises:
            DataError: if there is one genre only, a genre misses in a split, or an artist is in two.
        """
        bad = {row.path for row in unusable}
        usable = [clip for clip in listing.clips if clip.path not in bad]
        genres = check_genres(usable)
        assigned = zip(usable, split.assign(usable), strict=True)
        clips = tuple(replace(clip, split=name) for clip, name in assigned if name is not None)
        check_every_split_has_every_genre(clips, genres=genres)
        check_artists(clips)
        rejected = (*listing.rejected, *unusable)
        layout = f"timbre store {FORMAT}: {clip_samples} samples at {sample_rate} Hz"
        facts = [
            layout,
            [[*astuple(clip), *_size_and_time(listing.root / clip.path)] for clip in clips],
            [astuple(row) for row in rejected],
        ]
        return cls(
            root=listing.root,
            genres=genres,
            clips=clips,
            rejected=rejected,
            layout=layout,
            left_out=listing.left_out + len(usable) - len(clips),
            fingerprint=hashlib.sha256(json.dumps(facts).encode()).hexdigest(),
        )

    @property
    def rows(self) -> dict[str, int]:
        """Split -> number of rows."""
        return {split: sum(clip.split == split for clip in self.clips) for split in SPLITS}

    def root_from(self, data_dir: Path) -> str:
        """The root as the store notes it: relative if inside the data folder, so that this can be moved as a whole."""
        root, home = self.root.resolve(), data_dir.resolve()
        return str(root.relative_to(home) if root.is_relative_to(home) else root)

    def placed(self) -> Iterator[tuple[SourceClip, int]]:
        """Every clip with its row, sorted by path, so that work is spread evenly over the genres' folders."""
        following = dict.fromkeys(SPLITS, 0)
        for clip in self.clips:
            assert clip.split is not None
            yield clip, following[clip.split]
            following[clip.split] += 1


def _size_and_time(path: Path) -> tuple[int, int]:
    """Enough to notice that a file was changed; (-1, -1) if it cannot be looked at, which decoding will tell."""
    try:
        facts = os.stat(path)  # noqa: PTH116  # half the time of Path.stat, and there may be 100 000 files
    except OSError:
        return -1, -1
    return facts.st_size, facts.st_mtime_ns
