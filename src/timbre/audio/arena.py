"""Rows of shared memory that waveforms are decoded into, so that between processes only a row's number travels."""

import fcntl
import mmap
import os
import struct
from types import TracebackType
from typing import Self

import numpy as np

from timbre.audio.decode import Waveform
from timbre.errors import TimbreError

_HEADER = struct.Struct("<8sQQ")
_MAGIC = b"timbre\x00\x01"
_HEADER_BYTES = mmap.PAGESIZE
_SEALS = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL
_SAMPLE_BYTES = 4


class ArenaError(TimbreError):
    """Shared memory cannot be had, or there is none under a name."""


class SlotArena:
    """`slots` rows of `slot_samples` float32 samples in memory that other processes can map by name.

    The memory has no file (it is a Linux memfd): it is not bounded by the size of /dev/shm, and it is given back when
    the last process that maps it ends, however that ends. Its name works as long as the process that created it lives.
    A page costs memory from its first use on.
    """

    def __init__(self, fd: int, *, name: str, slots: int, slot_samples: int) -> None:
        self.name = name
        self.slots = slots
        self.slot_samples = slot_samples
        self._fd = fd
        try:
            memory = mmap.mmap(fd, _HEADER_BYTES + slots * slot_samples * _SAMPLE_BYTES)
        except OSError as error:
            raise _no_memory(slots, slot_samples, error.strerror) from error
        self._memory = memory
        self.rows: Waveform = np.frombuffer(memory, np.float32, offset=_HEADER_BYTES).reshape(slots, slot_samples)
        """All rows, float32 [slots, slot_samples]; consecutive rows are one contiguous batch."""

    @classmethod
    def create(cls, *, slots: int, slot_samples: int) -> Self:
        """Reserve an arena; its rows hold zeros.

        Raises:
            ArenaError: if the machine has not that much memory.
        """
        assert slots > 0, slots
        assert slot_samples > 0, slot_samples
        size = _HEADER_BYTES + slots * slot_samples * _SAMPLE_BYTES
        if size > os.sysconf("SC_PHYS_PAGES") * mmap.PAGESIZE:
            raise _no_memory(slots, slot_samples, "the machine has less memory than that")
        fd = -1
        try:
            fd = os.memfd_create("timbre-arena", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
            os.ftruncate(fd, size)
            # Nobody who maps it can shrink it under the others, which would end them with SIGBUS.
            fcntl.fcntl(fd, fcntl.F_ADD_SEALS, _SEALS)
            os.pwrite(fd, _HEADER.pack(_MAGIC, slots, slot_samples), 0)
            return cls(fd, name=f"/proc/{os.getpid()}/fd/{fd}", slots=slots, slot_samples=slot_samples)
        except (OSError, ArenaError) as error:
            if fd >= 0:
                os.close(fd)
            if isinstance(error, ArenaError):
                raise
            raise _no_memory(slots, slot_samples, error.strerror) from error

    @classmethod
    def attach(cls, name: str) -> Self:
        """Map the arena another process of the same user created; the same memory, not a copy.

        Raises:
            ArenaError: if there is no such arena (any more).
        """
        try:
            fd = os.open(name, os.O_RDWR | os.O_CLOEXEC)
        except OSError as error:
            raise ArenaError(f"there is no audio arena {name}: {error.strerror}; its creator may have ended") from error
        try:
            header = os.pread(fd, _HEADER.size, 0)
            if len(header) < _HEADER.size or header[:8] != _MAGIC:
                raise ArenaError(f"{name} is not an audio arena")
            _, slots, slot_samples = _HEADER.unpack(header)
            return cls(fd, name=name, slots=slots, slot_samples=slot_samples)
        except BaseException:
            os.close(fd)
            raise

    def row(self, slot: int) -> Waveform:
        """The row of a slot: a view, float32 [slot_samples]."""
        row: Waveform = self.rows[slot]
        return row

    def close(self) -> None:
        """Let go of the memory; nothing is left to unlink. Views handed out stay valid until they are dropped."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
            self.rows = np.empty((0, self.slot_samples), np.float32)
            del self._memory

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _no_memory(slots: int, slot_samples: int, why: str | None) -> ArenaError:
    megabytes = slots * slot_samples * _SAMPLE_BYTES / 1e6
    return ArenaError(
        f"cannot reserve {megabytes:.0f} MB of shared memory for {slots} waveforms: {why}; use fewer slots"
    )
