"""The batch client: gives a decoded clip to the workers and brings back the answer, whatever happens to a worker."""

import asyncio
import logging
from typing import Any, NamedTuple, Protocol

from timbre.serving.board import Board
from timbre.serving.problems import Problem

logger = logging.getLogger(__name__)

_LOOK_SECONDS = 0.1


class Order(NamedTuple):
    """What crosses the queue: which slot, whose clip is meant, and how often it was tried."""

    slot: int
    ticket: int
    attempt: int


class BatchFailedError(Exception):
    """A worker could not run the batch that an order was in."""


class OrderLostError(Exception):
    """The worker that had taken an order has died."""


class Carrier(Protocol):
    """The way to the workers and back; `litserve_bridge.Courier` is the real one."""

    def send(self, payload: Any) -> str:
        """Queue a payload; returns the name of its answer."""

    async def answer(self, uid: str) -> Any:
        """Wait for an answer; raises BatchFailedError, or OrderLostError after `lose`."""

    def lose(self, uid: str) -> None:
        """End the wait for an answer that will not come."""

    def forget(self, uid: str) -> None:
        """Drop an answer, come or not."""


class BatchClient:
    """Asks for predictions by slot. A try ends early when its worker dies or its batch fails."""

    def __init__(self, carrier: Carrier, board: Board, *, tries: int, try_seconds: float) -> None:
        self._carrier = carrier
        self._board = board
        self._tries = tries
        self._try_seconds = try_seconds
        self._waiting: dict[str, int] = {}

    async def predict(self, slot: int, ticket: int) -> Any:
        """The worker's answer for the clip in a slot.

        Raises:
            Problem: `prediction_failed` if the model cannot run on the clip, `deadline` if no try brought an answer.
        """
        verdict = "deadline"
        for attempt in range(1, self._tries + 1):
            try:
                async with asyncio.timeout(self._try_seconds):
                    return await self._ask(Order(slot, ticket, attempt))
            except BatchFailedError:
                verdict = "prediction_failed"
            except (OrderLostError, TimeoutError) as error:
                verdict = "deadline"
                logger.warning("try %d of %d: %s", attempt, self._tries, type(error).__name__)
        raise Problem(verdict)

    async def _ask(self, order: Order) -> Any:
        self._board.requeued(order.slot)
        uid = self._carrier.send(order)
        self._waiting[uid] = order.slot
        try:
            return await self._carrier.answer(uid)
        finally:
            del self._waiting[uid]
            self._carrier.forget(uid)

    async def watch(self) -> None:
        """For ever: end the wait for orders whose worker has died. Runs as a task beside the requests."""
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            for uid, slot in self._waiting.items():
                if self._board.lost(slot):
                    self._carrier.lose(uid)
