"""The gate: how many requests may be in work, and whether new ones may enter at all."""

from collections.abc import Iterator
from contextlib import contextmanager

from timbre.serving.board import Board
from timbre.serving.problems import Problem


class Gate:
    """Counts the requests in work; refuses at the limit and while the server drains. For use in one event loop."""

    def __init__(self, board: Board, *, max_in_flight: int) -> None:
        self._board = board
        self._max_in_flight = max_in_flight
        self._in_flight = 0

    @contextmanager
    def enter(self) -> Iterator[None]:
        """Be in work for the duration of the block.

        Raises:
            Problem: `draining` or `overloaded`, at once.
        """
        if self._board.draining:
            raise Problem("draining")
        if self._in_flight >= self._max_in_flight:
            raise Problem("overloaded")
        self._change(+1)
        try:
            yield
        finally:
            self._change(-1)

    def _change(self, by: int) -> None:
        self._in_flight += by
        self._board.count(self._in_flight)
