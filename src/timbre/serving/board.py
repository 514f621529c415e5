"""The board: a few numbers in shared memory that the server's processes read of one another without asking.

Every number has one writer at a time and is eight aligned bytes, so a reader sees the old value or the new one. Times
are of the monotonic clock, which is one for all processes of a machine.
"""

import multiprocessing
import os
import time
from typing import Any

IDLE = 0


class Board:
    """Signs of life, tickets of slots and the state of the whole server.

    It travels to a spawned process only while that process is being started, as shared ctypes do. Its memory has no
    name and goes when the last process goes.
    """

    def __init__(self, *, workers: int, slots: int) -> None:
        context = multiprocessing.get_context("spawn")
        # A worker's life: a number unique to each start of it, and when its loop last came round.
        self._life: Any = context.RawArray("q", workers)
        self._beat: Any = context.RawArray("d", workers)
        self._silence: Any = context.RawArray("d", workers)
        # A slot's ticket is new for each clip; its holder is the life that took it from the queue.
        self._ticket: Any = context.RawArray("q", slots)
        self._holder: Any = context.RawArray("q", slots)
        self._draining: Any = context.RawValue("b", 0)
        self._closed: Any = context.RawValue("b", 0)
        self._in_flight: Any = context.RawValue("q", 0)
        self.workers = workers

    # Written by a worker.

    def born(self, worker: int, *, silence_seconds: float) -> None:
        """Begin a new life of a worker, which counts as hung when it gives no sign of life for so many seconds."""
        self._silence[worker] = silence_seconds
        self._beat[worker] = time.monotonic()
        self._life[worker] = time.monotonic_ns() << 8 | os.getpid() & 0xFF

    def beat(self, worker: int) -> None:
        """Say that a worker's loop has come round."""
        self._beat[worker] = time.monotonic()

    def take(self, slot: int, ticket: int, worker: int) -> bool:
        """Note that a worker holds a slot's clip; False if the clip is no longer there and must be left alone."""
        if self._ticket[slot] != ticket:
            return False
        self._holder[slot] = self._life[worker]
        return True

    # Written by the main process.

    def buried(self, worker: int) -> None:
        """End a worker's life, after its process has gone."""
        self._life[worker] = IDLE

    def drain(self) -> None:
        """Let no new request in."""
        self._draining.value = 1

    def close(self) -> None:
        """Say that the requests in work have ended, or their time has."""
        self._closed.value = 1

    # Written by the API process.

    def issue(self, slot: int, ticket: int) -> None:
        """Put a clip under a new ticket into a slot; ticket 0 empties it."""
        self._holder[slot] = IDLE
        self._ticket[slot] = ticket

    def requeued(self, slot: int) -> None:
        """Forget who held a slot's clip, before it is offered again."""
        self._holder[slot] = IDLE

    def count(self, in_flight: int) -> None:
        """Note how many requests are in work."""
        self._in_flight.value = in_flight

    # Read by all.

    def life(self, worker: int) -> int:
        """The present life of a worker; 0 while it has none."""
        return int(self._life[worker])

    def last_beat(self, worker: int) -> float:
        """When a worker's loop last came round, on the monotonic clock, in seconds."""
        return float(self._beat[worker])

    def silence_allowed(self, worker: int) -> float:
        """Seconds without a sign of life after which a worker counts as hung."""
        return float(self._silence[worker])

    @property
    def alive(self) -> int:
        """How many workers are neither dead nor hung."""
        now = time.monotonic()
        return sum(self._life[w] != IDLE and now - self._beat[w] <= self._silence[w] for w in range(self.workers))

    def lost(self, slot: int) -> bool:
        """Whether a slot's clip was taken by a worker that has since died."""
        holder = self._holder[slot]
        return holder != IDLE and all(holder != self._life[worker] for worker in range(self.workers))

    @property
    def closed(self) -> bool:
        """Whether the API may stop."""
        return bool(self._closed.value)

    @property
    def draining(self) -> bool:
        """Whether the server is stopping."""
        return bool(self._draining.value)

    @property
    def in_flight(self) -> int:
        """How many requests are in work."""
        return int(self._in_flight.value)
