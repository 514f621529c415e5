"""The batch client brings an answer back although workers die, hang or fail."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from timbre.serving.batch_client import BatchClient, BatchFailedError, Order, OrderLostError
from timbre.serving.board import Board
from timbre.serving.problems import Problem


class FakeCarrier:
    """Answers each order with what a function makes of it; an exception is raised, None is silence until lost."""

    def __init__(self, answer: Callable[[Order], Any]) -> None:
        self._answer = answer
        self.orders: list[Order] = []
        self.open: dict[str, asyncio.Future[Any]] = {}

    def send(self, payload: Order) -> str:
        self.orders.append(payload)
        uid = str(len(self.orders))
        self.open[uid] = asyncio.get_running_loop().create_future()
        answer = self._answer(payload)
        if isinstance(answer, Exception):
            self.open[uid].set_exception(answer)
        elif answer is not None:
            self.open[uid].set_result(answer)
        return uid

    async def answer(self, uid: str) -> Any:
        return await self.open[uid]

    def lose(self, uid: str) -> None:
        self.open[uid].set_exception(OrderLostError())

    def forget(self, uid: str) -> None:
        del self.open[uid]


def client(carrier: FakeCarrier, board: Board | None = None, *, try_seconds: float = 5) -> BatchClient:
    return BatchClient(carrier, board or Board(workers=1, slots=4), tries=3, try_seconds=try_seconds)


@pytest.mark.anyio
async def test_an_answer_comes_back() -> None:
    carrier = FakeCarrier(lambda order: [order.slot])
    assert await client(carrier).predict(3, 9) == [3]
    assert carrier.orders == [Order(3, 9, 1)]
    assert not carrier.open


@pytest.mark.anyio
async def test_silence_is_tried_again_and_then_given_up() -> None:
    carrier = FakeCarrier(lambda order: None)
    with pytest.raises(Problem) as refusal:
        await client(carrier, try_seconds=0.01).predict(0, 1)
    assert refusal.value.code == "deadline"
    assert [order.attempt for order in carrier.orders] == [1, 2, 3]
    assert not carrier.open


@pytest.mark.anyio
async def test_a_failed_batch_is_tried_again() -> None:
    carrier = FakeCarrier(lambda order: BatchFailedError() if order.attempt == 1 else [1.0])
    assert await client(carrier).predict(0, 1) == [1.0]


@pytest.mark.anyio
async def test_a_clip_that_always_fails_is_said_to_fail() -> None:
    carrier = FakeCarrier(lambda order: BatchFailedError())
    with pytest.raises(Problem) as refusal:
        await client(carrier).predict(0, 1)
    assert refusal.value.code == "prediction_failed"


@pytest.mark.anyio
async def test_a_dead_worker_ends_the_wait_long_before_the_deadline() -> None:
    board = Board(workers=1, slots=1)
    board.born(0, silence_seconds=1)

    def worker(order: Order) -> Any:
        if order.attempt > 1:
            return [0.5]
        board.take(0, 1, 0)
        board.buried(0)
        return None

    board.issue(0, 1)
    batches = client(FakeCarrier(worker), board, try_seconds=60)
    watch = asyncio.create_task(batches.watch())
    assert await asyncio.wait_for(batches.predict(0, 1), 5) == [0.5]
    watch.cancel()


@pytest.mark.anyio
async def test_a_cancelled_request_leaves_nothing_behind() -> None:
    carrier = FakeCarrier(lambda order: None)
    task = asyncio.create_task(client(carrier).predict(0, 1))
    await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not carrier.open
