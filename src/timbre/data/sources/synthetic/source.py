"""The synthetic source: composes what is not there yet, in parallel, and lists it."""

import ctypes
import json
import shutil
import signal
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing import get_context
from pathlib import Path

from timbre.data.clips import Bar, DataError, Listing, SourceClip
from timbre.data.disk import full_disk_is_said, write_atomically
from timbre.data.sources.synthetic.genres import GENRES
from timbre.data.sources.synthetic.recording import Order

VERSION = 1
"""Raised when the composer changes what it writes for the same options."""
AUDIO = "audio"
RECIPE = "recipe.json"
BYTES_PER_CLIP = 1_500_000
"""About what a file takes, for the message about a full disk."""
_PR_SET_PDEATHSIG = 1


class SyntheticSource:
    """A corpus made by a seed: files in `data_dir/audio/genre/artist-number.mp3|wav`.

    The same options give the same bytes (with the same versions of numpy, scipy, soxr and libsndfile). A file is there
    whole or not at all, so an interrupted run goes on where it stopped; other options begin anew.
    """

    def __init__(
        self, *, genres: Sequence[str], artists_per_genre: int, clips_per_genre: int, clip_seconds: float, seed: int
    ) -> None:
        unknown = [genre for genre in genres if genre not in GENRES]
        if unknown:
            raise DataError(f"the composer does not know {', '.join(unknown)}; it knows {', '.join(GENRES)}")
        if min(artists_per_genre, clips_per_genre, seed + 1) < 1 or clip_seconds < 1:
            raise DataError("the composer needs at least one artist, one clip of one second each, and a seed from 0 on")
        self.genres = tuple(dict.fromkeys(genres))
        self.artists_per_genre = artists_per_genre
        self.clips_per_genre = clips_per_genre
        self.clip_seconds = clip_seconds
        self.seed = seed

    def listing(self, *, data_dir: Path, workers: int, bar: Bar) -> Listing:
        """Make what is missing and list everything.

        Raises:
            DataError: if there is no room on the disk, or a composing process was killed.
        """
        root = data_dir / AUDIO
        self._begin(root)
        orders = list(self._orders())
        missing = [order for order in orders if not (root / order.path).is_file()]
        if missing:
            needed = len(missing) * BYTES_PER_CLIP
            with full_disk_is_said(root, needed), bar("composing", len(orders)) as advance:
                advance(len(orders) - len(missing))
                for _ in _made(missing, root, workers):
                    advance(1)
        clips = [
            SourceClip(path=order.path, genre=order.genre, artist=f"{order.genre} {order.artist:02d}")
            for order in orders
        ]
        return Listing(root=root, clips=tuple(sorted(clips, key=lambda clip: clip.path)))

    def _begin(self, root: Path) -> None:
        """Keep the files only if they were made with these options."""
        recipe = json.dumps({"version": VERSION, "seed": self.seed, "clip_seconds": self.clip_seconds})
        note = root / RECIPE
        if note.is_file() and note.read_text(encoding="utf-8") == recipe:
            return
        shutil.rmtree(root, ignore_errors=True)
        root.mkdir(parents=True)
        write_atomically(note, recipe)

    def _orders(self) -> Iterator[Order]:
        for genre in self.genres:
            for number in range(self.clips_per_genre):
                yield Order(
                    genre=genre,
                    artist=number % self.artists_per_genre,
                    number=number,
                    seed=self.seed,
                    clip_seconds=self.clip_seconds,
                )


def _made(orders: Sequence[Order], root: Path, workers: int) -> Iterator[Order]:
    """Write the files of the orders; yields each order when its file is there."""
    for genre in {order.genre for order in orders}:
        (root / genre).mkdir(exist_ok=True)
    if min(workers, len(orders)) == 1:
        for order in orders:
            order.write(root)
            yield order
        return
    context = get_context("spawn")
    executor = ProcessPoolExecutor(min(workers, len(orders)), mp_context=context, initializer=_end_with_parent)
    try:
        with _ctrl_c_is_ours():  # a blocked signal stays blocked in the processes that start here
            futures = {executor.submit(order.write, root): order for order in orders}
        for future in as_completed(futures):
            future.result()
            yield futures[future]
    except BrokenProcessPool as error:
        raise DataError("a composing process was ended from outside, perhaps for want of memory: run again") from error
    finally:
        executor.shutdown(cancel_futures=True)


@contextmanager
def _ctrl_c_is_ours() -> Iterator[None]:
    """Keep Ctrl-C from processes that are started in the block, from their very first moment."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _end_with_parent() -> None:
    """In a composing process: go when the parent goes, even by SIGKILL."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
