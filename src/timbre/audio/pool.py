"""Decoding in processes that can be killed: many files at once, each under a wall-time and a memory limit."""

import logging
import signal
import threading
import time
from collections import deque
from concurrent.futures import CancelledError, Future
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from timbre.audio.arena import SlotArena
from timbre.audio.child import ChildDiedError, ChildStartError, ChildTimeoutError, DecodeChild
from timbre.audio.cores import usable_cores
from timbre.audio.decode import AudioInfo
from timbre.audio.errors import AudioError
from timbre.audio.limits import DECODE_MEMORY_BYTES, DECODE_TIMEOUT_S

log = logging.getLogger(__name__)

START_AGAIN_S = 1.0
"""How long a thread without a child waits for a job before it tries to start one again."""

TRIES = 2
"""How often a job is tried whose child dies under it: it may have been ended from outside, the file being good."""


@dataclass(frozen=True, kw_only=True)
class SlotAudio:
    """What lies in a slot after a job.

    Attributes:
        info: what the file holds.
        samples: how many samples of the row are audio; behind them are zeros up to the end of their window.
        checksum: sha256 of the file's bytes in hex, where it was asked for.
        decode_s: wall time the job took in its process, in seconds.
    """

    info: AudioInfo
    samples: int
    checksum: str | None
    decode_s: float


@dataclass(frozen=True, kw_only=True)
class _Job:
    path: Path
    slot: int
    checksum: bool
    future: "Future[SlotAudio]"


class DecodePool:
    """`workers` decode processes that fill the rows of an arena.

    Each is served by a thread of its own, which also replaces it when it dies or has to be killed. Safe to use from any
    thread; from asyncio through `asyncio.wrap_future`. A process that forks must create its pool after the fork.
    Children end with this process, however it ends.

    Args:
        arena: where the waveforms go; the caller decides which slot is free.
        sample_rate: of the waveforms, in Hz.
        workers: how many processes; as many as there are cores if not given.
        timeout_s: wall time a job may take.
        memory_bytes: memory a child may take for a job beyond what it holds when idle.
        window_samples: a row is zero-padded to a multiple of this; to its end if not given.
    """

    def __init__(
        self,
        *,
        arena: SlotArena,
        sample_rate: int,
        workers: int | None = None,
        timeout_s: float = DECODE_TIMEOUT_S,
        memory_bytes: int = DECODE_MEMORY_BYTES,
        window_samples: int | None = None,
    ) -> None:
        self.arena = arena
        self.workers = workers or usable_cores()
        self._timeout_s = timeout_s
        self._new_child = partial(
            DecodeChild,
            arena_name=arena.name,
            sample_rate=sample_rate,
            window_samples=window_samples or arena.slot_samples,
            memory_bytes=memory_bytes,
        )
        self._jobs: deque[_Job] = deque()
        self._changed = threading.Condition()
        self._closing = False
        self._children: set[DecodeChild] = set()
        self._threads = [
            threading.Thread(target=self._serve, name=f"decode-{n}", daemon=True) for n in range(self.workers)
        ]
        for thread in self._threads:
            thread.start()

    def submit(self, path: Path, slot: int, *, checksum: bool = False) -> "Future[SlotAudio]":
        """Decode the start of a file into a slot.

        The slot belongs to the job until this future is done, awaited or not: until then it may be written.
        The future fails with AudioError for the file's faults, and with ChildStartError if no process can be started.
        """
        job = _Job(path=path, slot=slot, checksum=checksum, future=Future())
        with self._changed:
            if self._closing:
                raise RuntimeError("the decode pool is closed")
            self._jobs.append(job)
            self._changed.notify_all()
        return job.future

    def pids(self) -> list[int]:
        """Process ids of the children that are ready for work."""
        with self._changed:
            return [child.pid for child in self._children if child.ready]

    def _any_ready(self) -> bool:
        return any(child.ready for child in self._children)

    def close(self) -> None:
        """Cancel what waits and what runs, and return when no process or thread of the pool is left."""
        with self._changed:
            self._closing = True
            waiting, self._jobs = self._jobs, deque()
            for child in self._children:
                child.kill()
            self._changed.notify_all()
        for job in waiting:
            job.future.cancel()
        for thread in self._threads:
            thread.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _serve(self) -> None:
        """Life of one thread: its child is started ahead of the first job, and anew whenever it was lost."""
        child: DecodeChild | None = None
        failure: ChildStartError | None = None
        while not self._closing:
            if child is None:
                try:
                    child = self._start()
                    failure = None
                except ChildStartError as error:
                    if not self._closing and str(error) != str(failure):  # once, not with every try
                        log.error("%s", error)
                    failure = error
            job = self._next(ready=child is not None)
            if job is None:
                continue
            if child is None:
                assert failure is not None
                job.future.set_exception(failure)
                continue
            child = self._finish(job, child)
        if child is not None:
            self._stop(child)

    def _finish(self, job: _Job, child: DecodeChild) -> DecodeChild | None:
        """Run a job to its result; returns the child that is left, if one is."""
        for tries_left in reversed(range(TRIES)):
            try:
                reply = child.ask([str(job.path), job.slot, job.checksum], timeout_s=self._timeout_s)
            except ChildTimeoutError:
                self._stop(child)
                job.future.set_exception(AudioError("decode_timeout"))
                return None
            except ChildDiedError as death:
                self._stop(child)
                if self._closing:
                    job.future.set_exception(CancelledError())
                    return None
                log.warning("a decode process ended with status %d on %s", death.returncode, job.path)
                if not tries_left:
                    job.future.set_exception(_blame(death))
                    return None
                try:
                    child = self._start()
                except ChildStartError as error:
                    job.future.set_exception(CancelledError() if self._closing else error)
                    return None
            else:
                if "code" in reply:
                    log.info("%s: %s: %s", job.path, reply["code"], reply["detail"])
                _settle(job.future, reply)
                return child
        raise AssertionError("unreachable")

    def _next(self, *, ready: bool) -> _Job | None:
        """The next job; None when the pool closes, or if it is time to try and start a child again.

        A thread without a child leaves the jobs to the children of others, and fails them only if there is none.
        """
        again = time.monotonic() + START_AGAIN_S
        with self._changed:
            while True:
                while not self._closing and not (self._jobs and (ready or not self._any_ready())):
                    self._changed.wait(None if ready else again - time.monotonic())
                    if not ready and time.monotonic() >= again:
                        return None
                if self._closing:
                    return None
                job = self._jobs.popleft()
                if job.future.set_running_or_notify_cancel():
                    return job

    def _start(self) -> DecodeChild:
        child = self._new_child()
        with self._changed:
            self._children.add(child)
            if self._closing:  # it came too late to be killed with the others
                child.kill()
        try:
            child.wait_until_ready()
        except ChildStartError:
            self._stop(child)
            raise
        return child

    def _stop(self, child: DecodeChild) -> None:
        with self._changed:
            self._children.discard(child)
        child.stop()


def _settle(future: "Future[SlotAudio]", reply: dict[str, Any]) -> None:
    if "code" in reply:
        future.set_exception(AudioError(reply["code"], reply["detail"]))
    else:
        future.set_result(SlotAudio(**reply | {"info": AudioInfo(**reply["info"])}))


def _blame(death: ChildDiedError) -> AudioError:
    """Only a kernel short of memory kills a child from outside twice; everything else is the decoder crashing."""
    code = "decode_memory" if death.returncode == -signal.SIGKILL else "corrupt_audio"
    return AudioError(code, f"the decode process ended with status {death.returncode}")
