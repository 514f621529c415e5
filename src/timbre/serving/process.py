"""How the server's processes hold together: none outlives its parent, none is stopped by a signal meant for another."""

import ctypes
import multiprocessing
import os
import signal
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

STOP_SIGNALS = frozenset({signal.SIGINT, signal.SIGTERM})
_PR_SET_PDEATHSIG = 1


def die_with_parent() -> None:
    """Have the kernel kill this process when the thread that started it ends; start children from threads that stay."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    parent = multiprocessing.parent_process()
    if parent is not None and not parent.is_alive():  # it ended before we had asked
        os._exit(0)


@contextmanager
def stop_signals_blocked() -> Iterator[None]:
    """Block SIGINT and SIGTERM in this thread, and in every process and thread started inside the block.

    Ctrl-C and some service managers signal the whole group. Only the main process may act on it: it lets the requests
    in work finish, and for that the others must live until it stops them. A blocked mask is inherited across exec.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def accept_sigterm() -> None:
    """Let SIGTERM through to this thread again, one that came meanwhile at once."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})


class StopSignals:
    """SIGINT and SIGTERM as something to wait for, instead of an exception at any point of the program."""

    def __init__(self) -> None:
        self._came: deque[signal.Signals] = deque()

    def wait(self, seconds: float) -> signal.Signals | None:
        """The next signal, at once if it is there already; None if none came in so many seconds."""
        if not self._came:
            time.sleep(seconds)
        return self._came.popleft() if self._came else None

    @contextmanager
    def caught(self) -> Iterator[None]:
        """Catch the signals during the block."""
        before = {number: signal.signal(number, self._note) for number in STOP_SIGNALS}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _note(self, number: int, _frame: FrameType | None) -> None:
        self._came.append(signal.Signals(number))
