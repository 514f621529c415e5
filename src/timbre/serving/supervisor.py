"""The main process's watch: workers that die or hang are replaced, a stop signal drains, and nothing is left behind."""

import logging
import socket
import time
from dataclasses import dataclass

from timbre.errors import TimbreError
from timbre.serving.board import IDLE, Board
from timbre.serving.litserve_bridge import Server
from timbre.serving.process import StopSignals

logger = logging.getLogger(__name__)

TICK_SECONDS = 0.2
START_SECONDS = 60.0
"""How long a worker may take from its start to its first sign of life."""
REFUSE_SECONDS = 0.5
"""How long a stopping server answers at least that it is stopping: who has just connected gets a word."""
RESTART_PAUSE_MAX_SECONDS = 10.0
_SIGNALLED = 128


class ServerFailedError(TimbreError):
    """The server cannot go on, through no fault of the user's."""

    exit_code = 70


class _StoppedError(Exception):
    """A stop signal came before the server was up."""


@dataclass
class _Watched:
    """What the supervisor remembers of a worker."""

    beat: float = 0.0
    still_ticks: int = 0  # ticks of ours without a beat: a clock would also count time in which nobody could run
    failures: int = 0
    restart_at: float = 0.0


class Supervisor:
    """Starts the server's processes, keeps them alive, and ends them."""

    def __init__(self, server: Server, board: Board, stop_signals: StopSignals, *, grace_seconds: float) -> None:
        self._server = server
        self._board = board
        self._stop_signals = stop_signals
        self._grace_seconds = grace_seconds
        self._watched = [_Watched() for _ in range(board.workers)]

    def run(self, listener: socket.socket) -> int:
        """Serve until SIGINT or SIGTERM.

        Returns:
            0 after an orderly stop; 128 + signal if a second signal cut it short.

        Raises:
            ServerFailedError: if the server could not start or lost a process it cannot replace.
        """
        try:
            self._start(listener)
            while self._stop_signals.wait(TICK_SECONDS) is None:
                self._look()
            return self._drain()
        except _StoppedError:
            return 0
        finally:
            listener.close()
            self._board.close()
            self._server.stop()
            logger.info("stopped")

    def _start(self, listener: socket.socket) -> None:
        host, port = listener.getsockname()[:2]
        self._server.start_workers(listener)
        self._server.start_api(listener)  # it comes up beside them, and says that it is not ready
        listener.close()  # the API process has its own: when that stops listening, nobody does
        began = time.monotonic()
        while not self._board.alive:
            if self._stop_signals.wait(TICK_SECONDS / 10) is not None:
                raise _StoppedError
            dead = not all(worker.is_alive() for worker in self._server.inference_workers)
            if dead or time.monotonic() - began > START_SECONDS:
                raise ServerFailedError("an inference worker did not start; the log above says why")
        logger.info("listening on http://%s:%d", f"[{host}]" if ":" in host else host, port)

    def _look(self) -> None:
        api = self._server.api_server
        if api is None or not api.is_alive() or not self._server.queues_alive:
            raise ServerFailedError("a process of the server ended unexpectedly; the log above says why")
        for number, watched in enumerate(self._watched):
            if self._server.inference_workers[number].is_alive():
                self._look_at(number, watched)
            else:
                self._replace(number, watched)

    def _look_at(self, number: int, watched: _Watched) -> None:
        beat = self._board.last_beat(number)
        starting = self._board.life(number) == IDLE
        if beat != watched.beat:
            watched.beat, watched.still_ticks = beat, 0
            if not starting:
                watched.failures = 0
            return
        watched.still_ticks += 1
        if watched.still_ticks * TICK_SECONDS > (START_SECONDS if starting else self._board.silence_allowed(number)):
            logger.error("worker %d gave no sign of life: it is killed", number)
            self._server.inference_workers[number].kill()

    def _replace(self, number: int, watched: _Watched) -> None:
        now = time.monotonic()
        if not watched.restart_at:
            code = self._server.inference_workers[number].exitcode
            self._board.buried(number)
            pause = min(RESTART_PAUSE_MAX_SECONDS, TICK_SECONDS * 2**watched.failures) if watched.failures else 0.0
            logger.error("worker %d ended with status %s; a new one starts in %.1f s", number, code, pause)
            watched.failures += 1
            watched.restart_at = now + pause
        if now >= watched.restart_at:
            watched.restart_at, watched.still_ticks = 0.0, 0
            self._server.restart_worker(number)

    def _drain(self) -> int:
        self._board.drain()
        logger.info("draining: %d requests in work", self._board.in_flight)
        began = time.monotonic()
        deadline, earliest = began + self._grace_seconds, began + min(REFUSE_SECONDS, self._grace_seconds)
        while (self._board.in_flight and time.monotonic() < deadline) or time.monotonic() < earliest:
            second = self._stop_signals.wait(TICK_SECONDS)
            if second is not None:
                return _SIGNALLED + second
            self._look()
        return 0
