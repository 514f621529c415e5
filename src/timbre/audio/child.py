"""The parent's handle on one decode process: start it, ask it, and end it when it hangs."""

import contextlib
import json
import os
import select
import subprocess
import sys
import time
from typing import Any

from timbre.errors import TimbreError

START_TIMEOUT_S = 60.0
"""How long a child may take to import what it needs; generous, for machines that are busy or have cold disks."""

# One thread each: children are the parallelism, and idle BLAS threads would eat the address space that is limited.
_ENVIRONMENT = dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1")


class ChildStartError(TimbreError):
    """A decode process could not be started."""


class ChildDiedError(Exception):
    """A decode process ended in the middle of a job."""

    def __init__(self, returncode: int) -> None:
        super().__init__(returncode)
        self.returncode = returncode


class ChildTimeoutError(Exception):
    """A decode process did not answer in time."""


class DecodeChild:
    """One running `timbre.audio.worker`, started with exec: a fork of a process with threads may deadlock.

    It lives in a session of its own, so that Ctrl-C reaches the parent alone.
    """

    def __init__(self, *, arena_name: str, sample_rate: int, window_samples: int, memory_bytes: int) -> None:
        numbers = [str(number) for number in (sample_rate, window_samples, memory_bytes)]
        # -P: a numpy.py in the user's working folder is not ours.
        command = [sys.executable, "-P", "-m", "timbre.audio.worker", str(os.getpid()), arena_name, *numbers]
        try:
            with contextlib.ExitStack() as opened:
                self._last_words = opened.enter_context(os.fdopen(os.memfd_create("timbre-last-words"), "w+b"))
                self._process = subprocess.Popen(  # noqa: S603 (our own interpreter and module)
                    command,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=self._last_words,
                    bufsize=0,
                    env=os.environ | _ENVIRONMENT,
                    start_new_session=True,
                )
                opened.pop_all()
        except OSError as error:
            raise ChildStartError(f"a decode process cannot be started: {error.strerror}") from error
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._requests = self._process.stdin.fileno()
        self._replies = self._process.stdout.fileno()
        self._poll = select.poll()
        self._poll.register(self._replies, select.POLLIN)
        self.ready = False

    def wait_until_ready(self) -> None:
        """Wait until it can be asked; apart from the constructor, so that it can be killed meanwhile.

        Raises:
            ChildStartError: with its last words; the child must be stopped.
        """
        with self._last_words:
            try:
                self._receive(START_TIMEOUT_S)
            except (ChildDiedError, ChildTimeoutError) as error:
                self._last_words.seek(0)
                said = self._last_words.read().decode(errors="replace").split("\n")
                reason = next((line for line in reversed(said) if line.strip()), repr(error))
                raise ChildStartError(f"a decode process did not start: {reason}") from error
        self.ready = True

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    def ask(self, request: list[Any], *, timeout_s: float) -> dict[str, Any]:
        """Send one job and wait for its reply.

        Raises:
            ChildTimeoutError: if the reply is not there in time; the child still runs and must be stopped.
            ChildDiedError: if the child is gone.
        """
        try:
            os.write(self._requests, json.dumps(request).encode() + b"\n")
        except BrokenPipeError:
            raise ChildDiedError(self._process.wait()) from None
        reply: dict[str, Any] = json.loads(self._receive(timeout_s))
        return reply

    def kill(self) -> None:
        """End the process at once, whatever it does; from any thread. `stop` must still be called."""
        self._process.kill()

    def stop(self) -> None:
        """End the process at once and leave nothing of it behind."""
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe is not None
            with contextlib.suppress(BrokenPipeError):
                pipe.close()

    def _receive(self, timeout_s: float) -> bytes:
        deadline = time.monotonic() + timeout_s
        line = b""
        while not line.endswith(b"\n"):
            left = deadline - time.monotonic()
            if left <= 0 or not self._poll.poll(left * 1000):
                raise ChildTimeoutError
            read = os.read(self._replies, 65536)
            if not read:
                raise ChildDiedError(self._process.wait())
            line += read
        return line
