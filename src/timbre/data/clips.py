"""The facts of the data room: what a source says of a clip, and what is known of it once it is decoded."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from timbre.errors import TimbreError

SPLITS = ("train", "val", "test")
"""Names of the splits, in the order in which they are listed everywhere."""


class DataError(TimbreError):
    """The labelled audio, or what is said about it, cannot be used as it is."""


@dataclass(frozen=True, kw_only=True)
class SourceClip:
    """One labelled file as its source describes it.

    Attributes:
        path: where it is, relative to the listing's root, with forward slashes.
        genre: its label.
        artist: who made it, or None where nobody knows.
        fold: number of its cross-validation fold, where the source has folds.
        split: train, val or test, where the source publishes a split.
    """

    path: str
    genre: str
    artist: str | None = None
    fold: int | None = None
    split: str | None = None


@dataclass(frozen=True, kw_only=True)
class Rejected:
    """One file that cannot be used: where it is, a fixed reason code, and a sentence."""

    path: str
    reason: str
    message: str


@dataclass(frozen=True, kw_only=True)
class Listing:
    """Everything a source found.

    Attributes:
        root: the folder that all paths are relative to.
        clips: the labelled files, sorted by path.
        rejected: files the source already knows to be unusable.
        left_out: how many files it passed over on purpose (covers, texts, songs of no published list).
    """

    root: Path
    clips: tuple[SourceClip, ...]
    rejected: tuple[Rejected, ...] = ()
    left_out: int = 0


@dataclass(frozen=True, kw_only=True)
class Clip:
    """One row of `manifest.csv`: a decoded clip that is in the store.

    Attributes:
        id: stable and unique: the first 16 hex digits of the SHA-256 of `path`.
        path: relative to the source's root, with forward slashes.
        sha256: of the file's bytes.
        genre: its label.
        artist: who made it, or None where nobody knows.
        duration_s: seconds of audio decoded, at most the clip length; never a header's claim.
        sample_rate: of the file, in Hz.
        channels: of the file.
        split: train, val or test.
    """

    id: str
    path: str
    sha256: str
    genre: str
    artist: str | None
    duration_s: float
    sample_rate: int
    channels: int
    split: str


@dataclass(frozen=True, kw_only=True)
class PrepareReport:
    """What `prepare` did.

    Attributes:
        clips: genre -> split -> number of clips in the store.
        rejected: files that could not be used; `rejected.csv` says why.
        left_out: files passed over on purpose.
        decoded: clips decoded by this run; the others were there already.
        fresh: False if there was nothing to do.
    """

    clips: dict[str, dict[str, int]]
    rejected: tuple[Rejected, ...] = field(default=())
    left_out: int = 0
    decoded: int = 0
    fresh: bool = True


class Bar(Protocol):
    """Opens a progress bar: `with bar(description, total) as advance: advance(1)`."""

    def __call__(self, description: str, total: int | None) -> AbstractContextManager[Callable[[int], None]]:
        """A context in which the yielded function counts what is done."""


def no_bar(description: str, total: int | None) -> AbstractContextManager[Callable[[int], None]]:  # noqa: ARG001 (a bar's arguments)
    """A bar that shows nothing."""
    return nullcontext(lambda _count: None)


class Source(Protocol):
    """Where labelled audio comes from."""

    def listing(self, *, data_dir: Path, workers: int, bar: Bar) -> Listing:
        """Find (or make) the files.

        Args:
            data_dir: folder of the prepared data, for a source that makes its files.
            workers: processes such a source may use.
            bar: shows its progress.

        Raises:
            DataError: if there is nothing to be used.
        """
