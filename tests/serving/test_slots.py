"""A slot is never lent twice while anything can still write to it, and never lost."""

import asyncio
from concurrent.futures import Future

import pytest

from timbre.serving.board import Board
from timbre.serving.slots import SlotPool


@pytest.fixture
def board() -> Board:
    return Board(workers=1, slots=2)


@pytest.mark.anyio
async def test_a_slot_comes_back(board: Board) -> None:
    pool = SlotPool(board, slots=1)
    first = await pool.lease()
    assert pool.free == 0
    first.release()
    second = await pool.lease()
    assert (second.slot, second.ticket != first.ticket) == (first.slot, True)


@pytest.mark.anyio
async def test_waiters_are_served_in_order(board: Board) -> None:
    pool = SlotPool(board, slots=1)
    held = await pool.lease()
    waiting = [asyncio.create_task(pool.lease()) for _ in range(2)]
    await asyncio.sleep(0)
    held.release()
    await asyncio.wait({waiting[0]}, timeout=1)
    assert waiting[0].done()
    assert not waiting[1].done()
    waiting[0].result().release()
    await asyncio.wait_for(waiting[1], 1)


@pytest.mark.anyio
async def test_a_cancelled_waiter_passes_its_turn_on(board: Board) -> None:
    pool = SlotPool(board, slots=1)
    held = await pool.lease()
    first, second = (asyncio.create_task(pool.lease()) for _ in range(2))
    await asyncio.sleep(0)
    held.release()  # wakes the first ...
    first.cancel()  # ... which is gone before it runs
    assert (await asyncio.wait_for(second, 1)).slot == held.slot


@pytest.mark.anyio
async def test_a_running_decode_keeps_its_slot_until_it_is_over(board: Board) -> None:
    pool = SlotPool(board, slots=1)
    lease = await pool.lease()
    job: Future[None] = Future()
    job.set_running_or_notify_cancel()
    lease.written_by(job)
    lease.release()
    await asyncio.sleep(0)
    assert pool.free == 0
    job.set_exception(TimeoutError())
    await asyncio.sleep(0.01)
    assert pool.free == 1


@pytest.mark.anyio
async def test_a_decode_that_has_not_begun_is_cancelled(board: Board) -> None:
    pool = SlotPool(board, slots=1)
    lease = await pool.lease()
    job: Future[None] = Future()
    lease.written_by(job)
    lease.release()
    assert job.cancelled()
    assert pool.free == 1


@pytest.mark.anyio
async def test_a_returned_slots_ticket_is_worthless(board: Board) -> None:
    board.born(0, silence_seconds=1)
    lease = await SlotPool(board, slots=1).lease()
    assert board.take(lease.slot, lease.ticket, 0)
    lease.release()
    assert not board.take(lease.slot, lease.ticket, 0)
