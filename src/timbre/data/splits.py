"""Which clip is for training, validation or test: by fractions, by fold or as published."""

import unicodedata
from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Protocol

import numpy as np

from timbre.data.balance import balance
from timbre.data.clips import SPLITS, DataError, SourceClip


class Split(Protocol):
    """A rule that gives each clip its split."""

    def assign(self, clips: Sequence[SourceClip]) -> list[str | None]:
        """The split of each clip, or None for a clip that is to be left out.

        Raises:
            DataError: if the rule cannot be kept with these clips.
        """


class FractionSplit:
    """Fractions of every genre, drawn with a seed, no artist in two splits wherever artists are known."""

    def __init__(self, *, train: float, val: float, test: float, seed: int) -> None:
        self.fractions = {"train": train, "val": val, "test": test}
        self.seed = seed
        if min(self.fractions.values()) <= 0 or abs(sum(self.fractions.values()) - 1) > 1e-6:
            raise DataError(f"the fractions of a split are positive and sum to 1, not {train}, {val}, {test}")

    def assign(self, clips: Sequence[SourceClip]) -> list[str | None]:
        """Give every clip a split.

        Raises:
            DataError: if a genre has too few clips or artists for three splits.
        """
        keys = [artist_key(clip.artist) or f"\0{number}" for number, clip in enumerate(clips)]
        _enough_for_each_split(clips, keys)
        genres = sorted({clip.genre for clip in clips})
        group_of = {key: number for number, key in enumerate(dict.fromkeys(keys))}
        groups_KG = np.zeros((len(group_of), len(genres)))
        for clip, key in zip(clips, keys, strict=True):
            groups_KG[group_of[key], genres.index(clip.genre)] += 1
        fractions_S = np.array([self.fractions[split] for split in SPLITS])
        split_K = balance(groups_KG, fractions_S, seed=self.seed)
        return [SPLITS[split_K[group_of[key]]] for key in keys]


class FoldSplit:
    """Whole folds; a clip whose fold is named nowhere is left out."""

    def __init__(self, *, train: Sequence[int], val: Sequence[int], test: Sequence[int]) -> None:
        self.split_of: dict[int, str] = {}
        for split, folds in zip(SPLITS, (train, val, test), strict=True):
            for fold in folds:
                if self.split_of.setdefault(int(fold), split) != split:
                    raise DataError(f"fold {fold} is in two splits: {self.split_of[int(fold)]} and {split}")

    def assign(self, clips: Sequence[SourceClip]) -> list[str | None]:
        """The split of each clip's fold.

        Raises:
            DataError: if a clip has no fold.
        """
        without = [clip.path for clip in clips if clip.fold is None]
        if without:
            raise DataError(f"{len(without)} of {len(clips)} clips have no fold ({named(without)}): split by fractions")
        return [self.split_of.get(clip.fold) for clip in clips if clip.fold is not None]


class PublishedSplit:
    """The split that the source itself publishes; a clip that it leaves out is left out."""

    def assign(self, clips: Sequence[SourceClip]) -> list[str | None]:
        """The published split of each clip.

        Raises:
            DataError: if the source publishes none.
        """
        if not any(clip.split for clip in clips):
            raise DataError("this source has no published split: split by fractions")
        return [clip.split for clip in clips]


def artist_key(artist: str | None) -> str:
    """What two spellings of one artist have in common: letter case, width and spaces do not tell artists apart."""
    return " ".join(unicodedata.normalize("NFKC", artist or "").casefold().split())


def named(names: Sequence[str], *, at_most: int = 3) -> str:
    """The first few of many names, for a message of one line."""
    more = len(names) - at_most
    return ", ".join(names[:at_most]) + (f" and {more} more" if more > 0 else "")


def _enough_for_each_split(clips: Sequence[SourceClip], keys: Sequence[str]) -> None:
    """Every genre needs at least one artist (or one clip of an unknown artist) for each of the splits."""
    count = Counter(clip.genre for clip in clips)
    artists = defaultdict(set)
    for clip, key in zip(clips, keys, strict=True):
        artists[clip.genre].add(key)
    for genre in sorted(count):
        if count[genre] < len(SPLITS):
            raise DataError(
                f"the genre {genre} has {count[genre]} clips; train, val and test need at least one each: "
                "add clips or remove the genre"
            )
        if len(artists[genre]) < len(SPLITS):
            raise DataError(
                f"the genre {genre} has {len(artists[genre])} artists; train, val and test need one each, because no "
                "artist may be in two splits: add artists or remove the genre"
            )
