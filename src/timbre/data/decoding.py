"""Files -> rows of the store, in parallel, through the one decoder that serving uses as well."""

import queue
import zlib
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from timbre.audio import AudioError, DecodePool, SlotArena, Waveform, usable_cores
from timbre.data.clips import DataError, Rejected, SourceClip
from timbre.data.quantise import quantise
from timbre.data.records import Record
from timbre.data.reuse import Reuse
from timbre.data.writer import StoreWriter


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What decoding may take.

    Attributes:
        workers: decode processes; None means one per core.
        timeout_s: wall time of one file, in seconds.
        memory_bytes: memory of one decode process beyond its idle state.
    """

    workers: int | None
    timeout_s: float
    memory_bytes: int

    def __post_init__(self) -> None:
        if not isinstance(self.workers, int | None):
            raise DataError(f"limits.workers is a whole number, not {self.workers!r}")
        if (self.workers is not None and self.workers < 1) or self.timeout_s <= 0 or self.memory_bytes <= 0:
            raise DataError(f"limits are positive, not {self}")

    @property
    def processes(self) -> int:
        """How many decode processes there are."""
        return self.workers or usable_cores()


@dataclass(frozen=True, kw_only=True)
class _Desk:
    """What one thread needs to work on one clip: a slot to decode into and pages that are already warm."""

    slot: int
    waveform: Waveform
    pcm: npt.NDArray[np.int16]
    work: Waveform


class _Worker:
    """Brings one clip at a time into the store; called by several threads, each at its own desk."""

    def __init__(self, *, root: Path, pool: DecodePool, writer: StoreWriter, reuse: Reuse) -> None:
        self._root, self._pool, self._writer, self._reuse = root, pool, writer, reuse
        self._desks: queue.SimpleQueue[_Desk] = queue.SimpleQueue()
        for slot in range(pool.arena.slots):
            waveform = pool.arena.row(slot)
            pcm, work = np.empty(len(waveform), np.int16), np.empty_like(waveform)
            self._desks.put(_Desk(slot=slot, waveform=waveform, pcm=pcm, work=work))

    def run(self, clip: SourceClip, row: int) -> Record | Rejected:
        reused = self._reuse.take(self._root, clip, row)
        if reused is not None:
            self._writer.put(*reused)
            return reused[0]
        desk = self._desks.get()
        try:
            return self._decode(clip, row, desk)
        except AudioError as error:
            return Rejected(path=clip.path, reason=error.code, message=str(error))
        finally:
            self._desks.put(desk)

    def _decode(self, clip: SourceClip, row: int, desk: _Desk) -> Record:
        audio = self._pool.submit(self._root / clip.path, desk.slot, checksum=True).result()
        scale = quantise(desk.waveform, out=desk.pcm, work=desk.work)
        assert clip.split is not None
        assert audio.checksum is not None
        record = Record(
            path=clip.path,
            split=clip.split,
            row=row,
            crc=zlib.crc32(desk.pcm.data),
            scale=scale,
            sha256=audio.checksum,
            duration_s=audio.info.duration_s,
            sample_rate=audio.info.sample_rate,
            channels=audio.info.channels,
        )
        self._writer.put(record, desk.pcm)
        return record


def decode_clips(
    clips: Sequence[tuple[SourceClip, int]],
    *,
    root: Path,
    sample_rate: int,
    clip_samples: int,
    limits: Limits,
    writer: StoreWriter,
    reuse: Reuse,
    advance: Callable[[int], None],
) -> tuple[list[Record], list[Rejected]]:
    """Decode the first `clip_samples` samples of every clip into its row.

    While one clip is decoded in a child, others are quantised, summed and written in threads here, so the children
    never wait. A file that cannot be decoded is rejected; nothing else is caught.

    Returns:
        The finished clips and the rejected ones, in the order of `clips`.
    """
    if not clips:
        return [], []
    threads = min(2 * limits.processes, len(clips))
    with (
        SlotArena.create(slots=threads, slot_samples=clip_samples) as arena,
        ThreadPoolExecutor(threads, thread_name_prefix="prepare") as executor,
        DecodePool(
            arena=arena,
            sample_rate=sample_rate,
            workers=min(limits.processes, len(clips)),
            timeout_s=limits.timeout_s,
            memory_bytes=limits.memory_bytes,
        ) as pool,
    ):
        worker = _Worker(root=root, pool=pool, writer=writer, reuse=reuse)
        futures = [executor.submit(worker.run, clip, row) for clip, row in clips]
        try:
            for future in as_completed(futures):
                future.result()
                advance(1)
        finally:
            executor.shutdown(wait=False, cancel_futures=True)
        results = [future.result() for future in futures]
    records = [result for result in results if isinstance(result, Record)]
    return records, [result for result in results if isinstance(result, Rejected)]
