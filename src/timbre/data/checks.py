"""What must hold of a split before anybody trusts a number measured on it."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from timbre.data.clips import SPLITS, DataError, Rejected, SourceClip
from timbre.data.splits import artist_key, named


class EmptySplitError(DataError):
    """A genre has no clip in one of the splits."""


def check_genres(clips: Sequence[SourceClip]) -> tuple[str, ...]:
    """The genres, sorted; raises DataError unless there are at least two."""
    genres = tuple(sorted({clip.genre for clip in clips}))
    if len(genres) < 2:
        raise DataError(f"there is one genre only ({', '.join(genres)}): a classifier needs at least two")
    return genres


def check_artists(clips: Iterable[SourceClip]) -> None:
    """Raise DataError naming the artists that are in two splits: a model would know them from training."""
    splits: dict[str, set[str]] = defaultdict(set)
    name: dict[str, str] = {}
    for clip in clips:
        key = artist_key(clip.artist)
        if key and clip.artist and clip.split:
            splits[key].add(clip.split)
            name.setdefault(key, clip.artist)
    torn = [f"{name[key]} ({_in_order(splits[key])})" for key in sorted(splits) if len(splits[key]) > 1]
    if torn:
        raise DataError(
            f"{len(torn)} artists are in two splits: {named(torn)}; mend the folds or lists, or split by fractions"
        )


def check_every_split_has_every_genre(
    clips: Sequence[SourceClip], *, genres: Iterable[str], rejected: Sequence[Rejected] = ()
) -> None:
    """Raise EmptySplitError naming the first genre and split without a clip, and what was rejected."""
    count = Counter((clip.genre, clip.split) for clip in clips)
    for genre in genres:
        for split in SPLITS:
            if not count[genre, split]:
                bad = [f"{row.path}: {row.reason}" for row in rejected]
                why = f" (rejected: {named(bad)})" if bad else ""
                raise EmptySplitError(
                    f"the genre {genre} has no clip in the {split} split{why}: add clips or change the split"
                )


@dataclass(frozen=True, kw_only=True)
class Twins:
    """Groups of clips with the same sound, sorted by path.

    Duplicates of one genre in one split are harmless but would count twice: the first by path stays, the others are
    rejected. Anything else makes the labels or the measurements false and only the user knows the remedy.
    """

    groups: Sequence[Sequence[SourceClip]]

    def check(self) -> None:
        """Raise DataError naming the duplicates that are in two splits or in two genres."""
        torn = [group for group in self.groups if len({(clip.genre, clip.split) for clip in group}) > 1]
        if torn:
            pairs = [" = ".join(f"{clip.path} ({clip.split})" for clip in group) for group in torn]
            raise DataError(
                f"the same audio is in two splits or under two genres: {named(pairs)}; "
                "keep one file of each and run `timbre prepare` again"
            )

    def rejected(self) -> list[Rejected]:
        """The clips that only repeat another of the same genre and split."""
        return [
            Rejected(path=clip.path, reason="duplicate", message=f"The same audio as {group[0].path}.")
            for group in self.groups
            for clip in group[1:]
        ]


def _in_order(splits: set[str]) -> str:
    return " and ".join(split for split in SPLITS if split in splits)
