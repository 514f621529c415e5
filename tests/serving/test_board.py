"""What the processes read of one another."""

import multiprocessing
import time

from timbre.serving.board import Board


def test_a_clip_is_lost_when_its_worker_died() -> None:
    board = Board(workers=2, slots=1)
    board.born(0, silence_seconds=1)
    board.born(1, silence_seconds=1)
    board.issue(0, 7)
    assert not board.lost(0)
    assert board.take(0, 7, 1)
    assert not board.lost(0)
    board.buried(1)
    assert board.lost(0)


def test_a_clip_is_lost_when_its_worker_was_replaced() -> None:
    board = Board(workers=1, slots=1)
    board.born(0, silence_seconds=1)
    board.issue(0, 7)
    board.take(0, 7, 0)
    board.born(0, silence_seconds=1)
    assert board.lost(0)
    board.requeued(0)
    assert not board.lost(0)


def test_alive_counts_fresh_beats_of_the_living() -> None:
    board = Board(workers=2, slots=1)
    assert board.alive == 0
    board.born(0, silence_seconds=0.5)
    board.born(1, silence_seconds=60)
    assert board.alive == 2
    time.sleep(0.6)
    assert board.alive == 1
    board.beat(0)
    assert board.alive == 2
    board.buried(1)
    assert board.alive == 1


def _write(board: Board) -> None:
    board.born(0, silence_seconds=1)
    board.drain()


def test_a_spawned_process_writes_on_the_same_board() -> None:
    board = Board(workers=1, slots=1)
    process = multiprocessing.get_context("spawn").Process(target=_write, args=(board,))
    process.start()
    process.join()
    assert board.draining
    assert board.life(0) != 0
