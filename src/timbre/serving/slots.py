"""Which slot of the arena belongs to which request, and when it may be given to the next one."""

import asyncio
from collections import deque
from concurrent.futures import Future
from itertools import count
from typing import Any

from timbre.serving.board import Board


class Lease:
    """A slot on loan to one request.

    Attributes:
        slot: row of the arena.
        ticket: names this loan on the board; a queued clip whose ticket is no longer there is left alone.
    """

    def __init__(self, pool: "SlotPool", slot: int, ticket: int) -> None:
        self._pool = pool
        self._writer: Future[Any] | None = None
        self.slot = slot
        self.ticket = ticket

    def written_by(self, job: "Future[Any]") -> None:
        """Note the decode job that writes into the slot: the slot is not free before the job is done."""
        self._writer = job

    def release(self) -> None:
        """End the loan; to be called once, whatever became of the request.

        A decode job that has not begun is cancelled; one that runs keeps the slot until it is over or killed. A worker
        that still reads the slot does no harm: it reads under a ticket and a name for which nobody waits any more.
        """
        loop = asyncio.get_running_loop()
        self._pool.withdraw(self.slot)
        if self._writer is None or self._writer.cancel() or self._writer.done():
            self._pool.give_back(self.slot)
        else:
            self._writer.add_done_callback(lambda _job: _call_in(loop, self._pool.give_back, self.slot))


def _call_in(loop: asyncio.AbstractEventLoop, function: Any, *arguments: Any) -> None:
    if not loop.is_closed():  # a job that ends after the server has stopped has nobody to tell
        loop.call_soon_threadsafe(function, *arguments)


class SlotPool:
    """Lends the arena's slots, first come first served. For use in one event loop."""

    def __init__(self, board: Board, *, slots: int) -> None:
        self._board = board
        self._free = deque(range(slots))
        self._waiting: deque[asyncio.Future[int]] = deque()
        self._tickets = count(1)

    @property
    def free(self) -> int:
        """How many slots nobody has."""
        return len(self._free)

    async def lease(self) -> Lease:
        """Wait for a slot."""
        slot = self._free.popleft() if self._free else await self._turn()
        ticket = next(self._tickets)
        self._board.issue(slot, ticket)
        return Lease(self, slot, ticket)

    async def _turn(self) -> int:
        turn: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            return await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self.give_back(turn.result())  # the slot came together with the end of the request: pass it on
            raise

    def withdraw(self, slot: int) -> None:
        """Make queued mentions of a slot's clip worthless."""
        self._board.issue(slot, 0)

    def give_back(self, slot: int) -> None:
        """Take a slot back that nobody writes to any more, for the next who waits."""
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(slot)
                return
        self._free.append(slot)
