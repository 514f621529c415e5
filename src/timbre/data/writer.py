"""Makes a PCM store: rows in any order, by several threads, stoppable at any moment, whole only at the very end."""

import io
import os
import shutil
import zlib
from collections.abc import Collection
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from types import TracebackType

import numpy as np
import numpy.typing as npt

from timbre.data.clips import SPLITS
from timbre.data.disk import allocate, sync_folder, write_atomically, write_whole
from timbre.data.manifest import MANIFEST, REJECTED
from timbre.data.plan import Plan
from timbre.data.records import JOURNAL, PLAN, RECORDS, Journal, Record, lines, read_plan, read_records
from timbre.data.store import INDEX, STORE, Index, StoreError, pcm_path, scale_path

PARTIAL = "store.partial"
"""Where a store is made; renamed to `store` when it is whole."""
OUTDATED = "store.outdated"
"""An earlier store that only serves to take rows from, until the new one is there."""
SAMPLE_BYTES = 2


class StoreWriter:
    """The store in the making, in `store.partial/`.

    A row counts as finished once its line is in the journal. A later run with the same plan believes such a row only
    if its bytes still have the journal's sum, so neither SIGKILL nor a power cut can smuggle in half a row.

    Attributes:
        finished: records of the rows that were already there, by path.
    """

    def __init__(self, *, data_dir: Path, plan: Plan, row_bytes: int) -> None:
        """Open the store of this plan, or begin it: all its room on the disk is taken at once.

        Args:
            data_dir: folder of the prepared data; an unfinished store of another plan in it becomes `store.outdated`.
            plan: says how many rows there are.
            row_bytes: bytes of a row.

        Raises:
            OSError: if the disk is full, among others.
        """
        self.folder = data_dir / PARTIAL
        self._row_bytes = row_bytes
        if read_plan(self.folder)[1] != plan.fingerprint:
            if self.folder.exists():
                shutil.rmtree(data_dir / OUTDATED, ignore_errors=True)
                self.folder.rename(data_dir / OUTDATED)
            try:
                self._begin(plan)
            except OSError:
                if not (data_dir / OUTDATED).exists():
                    raise
                shutil.rmtree(data_dir / OUTDATED)  # room for the new store is worth more than rows to take over
                self._begin(plan)
        with ExitStack() as opened:
            self._arrays: dict[str, int] = {}
            for split in SPLITS:
                self._arrays[split] = os.open(pcm_path(self.folder, split), os.O_RDWR)
                opened.callback(os.close, self._arrays[split])
            self.finished = {
                record.path: record for record in read_records(self.folder / JOURNAL) if self._still_there(record)
            }
            self._journal = opened.enter_context(Journal(self.folder / JOURNAL, keep=self.finished.values()))
            self._opened = opened.pop_all()

    def put(self, record: Record, pcm: npt.NDArray[np.int16]) -> None:
        """Write one row, then note it. Safe from several threads, for different rows."""
        write_whole(self._arrays[record.split], pcm.data.cast("B"), record.row * self._row_bytes)
        self._journal.append(record)

    def row(self, record: Record) -> bytes:
        """The bytes of a finished row."""
        return os.pread(self._arrays[record.split], self._row_bytes, record.row * self._row_bytes)

    def close_gaps(self, records: Collection[Record]) -> list[Record]:
        """Move last rows into the places of rows that nobody fills, so that each split is 0..N-1.

        Sources stay where they are and no place is both source and target: after a crash it can simply be done again.

        Args:
            records: all rows that stay.

        Returns:
            The same records with their final rows, sorted by split and row.
        """
        final = []
        for split in SPLITS:
            stay = sorted((record for record in records if record.split == split), key=lambda record: record.row)
            count = len(stay)
            gaps = sorted(set(range(count)) - {record.row for record in stay})
            for record in stay:
                if record.row < count:
                    final.append(record)
                    continue
                moved = replace(record, row=gaps.pop(0))
                write_whole(self._arrays[split], memoryview(self.row(record)), moved.row * self._row_bytes)
                final.append(moved)
        return sorted(final, key=lambda record: (SPLITS.index(record.split), record.row))

    def finish(self, records: list[Record], *, manifest: str, rejected: str, index: Index) -> None:
        """Make the store whole: everything is forced to the disk before the index says so.

        Args:
            records: what `close_gaps` returned.
            manifest: text of `manifest.csv`.
            rejected: text of `rejected.csv`.
            index: written last.
        """
        for handle in self._arrays.values():
            os.fsync(handle)
        for split in SPLITS:
            scales = io.BytesIO()
            np.save(scales, np.array([record.scale for record in records if record.split == split], dtype=np.float32))
            write_atomically(scale_path(self.folder, split), scales.getvalue())
        write_atomically(self.folder / RECORDS, lines(records))
        write_atomically(self.folder / MANIFEST, manifest)
        write_atomically(self.folder / REJECTED, rejected)
        write_atomically(self.folder / INDEX, index.to_json())

    def __enter__(self) -> "StoreWriter":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._opened.close()

    def _begin(self, plan: Plan) -> None:
        self.folder.mkdir(parents=True)
        try:
            for split, rows in plan.rows.items():
                allocate(pcm_path(self.folder, split), rows * self._row_bytes)
            write_atomically(self.folder / PLAN, f"{plan.layout}\n{plan.fingerprint}\n")
        except OSError:
            shutil.rmtree(self.folder)  # nothing is in it yet: do not keep what little room there was
            raise

    def _still_there(self, record: Record) -> bool:
        return zlib.crc32(self.row(record)) == record.crc


def publish(data_dir: Path) -> None:
    """Put a finished `store.partial` in the place of `store`, with its manifest; do nothing if there is none.

    Every step may be repeated, so a run killed in here is completed by the next one. In between, the manifest and the
    old store do not match and `ClipStore` refuses them.
    """
    partial, store, outdated = data_dir / PARTIAL, data_dir / STORE, data_dir / OUTDATED
    index = whole_index(partial)
    if index is None:
        return
    for split in SPLITS:  # rows after the last are those of rejected clips
        os.truncate(pcm_path(partial, split), index.clips[split] * index.clip_samples * SAMPLE_BYTES)
    (partial / JOURNAL).unlink(missing_ok=True)
    for name in (MANIFEST, REJECTED):
        if (partial / name).is_file():
            (partial / name).replace(data_dir / name)
    shutil.rmtree(outdated, ignore_errors=True)
    if store.exists():
        store.rename(outdated)
    partial.rename(store)
    sync_folder(data_dir)
    shutil.rmtree(outdated, ignore_errors=True)


def whole_index(folder: Path) -> Index | None:
    """The index of the store in `folder` if that is whole and of this format, else None."""
    try:
        return Index.read(folder)
    except StoreError:
        return None
