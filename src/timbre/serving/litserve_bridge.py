"""LitServe 0.2.19 as this server uses it: the only module that touches its private names.

What is private there is listed in `PRIVATE_NAMES`, and a contract test fails when one of them moves. Three things
differ from a plain `LitServer.run()`, each for a reason that was measured:

- Workers block on their queue until a clip comes, instead of asking for one every millisecond: an idle server costs no
  core, and a lone clip waits for no window.
- Starting and stopping are our own, and so is the watch over workers (`supervisor`): the listening socket is bound
  before any process starts, a worker that dies or hangs at any time is noticed, and no process is left behind.
- Requests in the queue carry the number of a slot in shared memory, and are awaited with `Courier`.
"""

import asyncio
import multiprocessing
import os
import socket
import time
import uuid
from multiprocessing import resource_tracker
from multiprocessing.managers import SyncManager
from multiprocessing.process import BaseProcess
from queue import Empty
from typing import Any, Protocol
from unittest import mock

import litserve
from litserve.loops.base import _StopLoopError
from litserve.loops.simple_loops import BatchedLoop
from litserve.server import LitServer
from litserve.utils import LitAPIStatus, ResponseBufferItem
from starlette.formparsers import MultiPartParser

from timbre.serving.batch_client import BatchFailedError, OrderLostError
from timbre.serving.connection import BoundedHead
from timbre.serving.process import stop_signals_blocked

PRIVATE_NAMES = {
    LitServer: (
        "_get_request_queue",
        "_init_manager",
        "_start_server",
        "launch_inference_worker",
        "launch_single_inference_worker",
    ),
    BatchedLoop: ("get_batch_requests", "run_batched_loop"),
}
"""What we call or override; beside these, a server's `response_buffer` and `uvicorn_graceful_timeout`."""

SPOOL_BYTES = 2**20
BACKLOG = 1024
"""Connections that may wait to be accepted."""
CLOSE_SECONDS = 5
"""How long responses may still be written when the server stops."""
IDLE_SECONDS = 0.5
"""How long a worker waits for a clip before it gives a sign of life and waits again."""
API_PATH = "/litserve"
"""Name of LitServe's own route and of its queue; the route is removed."""
_KILLED_WITHIN_SECONDS = 5.0
_KEPT_ROUTES = frozenset({"/openapi.json"})

# Importing LitServe sets Starlette's spool to unlimited, so that uploads would stay in memory.
MultiPartParser.spool_max_size = SPOOL_BYTES
MultiPartParser.max_file_size = SPOOL_BYTES  # type: ignore[attr-defined]


class BatchAPI(Protocol):
    """What the loop asks of the API it runs in a worker, beyond LitServe's own hooks."""

    max_batch_size: int
    batch_timeout: float

    def beat(self) -> None:
        """Give a sign of life."""

    def accept(self, payload: Any) -> bool:
        """Whether a payload is still wanted; if so, it counts as taken by this worker."""

    def alone(self, payload: Any) -> bool:
        """Whether a payload must not share its batch."""


class BatchLoop(BatchedLoop):  # type: ignore[misc]
    """Takes what has queued up, at most a batch; waits for the first item without polling."""

    def __init__(self) -> None:
        super().__init__()
        self._held: Any = None

    def get_batch_requests(self, lit_api: BatchAPI, request_queue: Any, transport: Any) -> tuple[list[Any], list[Any]]:
        """The next batch as (consumer, uid, payload); none timed out, as deadlines are kept by the API process."""
        del transport
        lit_api.beat()
        try:
            batch = self._collect(lit_api, request_queue)
        except (EOFError, OSError) as error:  # the queues' process has gone, and the server with it
            raise _StopLoopError from error
        wanted = [(consumer, uid, payload) for consumer, uid, _time, payload in batch if lit_api.accept(payload)]
        return wanted, []

    def _collect(self, lit_api: BatchAPI, queue: Any) -> list[Any]:
        batch = [] if self._held is None else [self._held]
        self._held = None
        try:
            if not batch:
                batch.append(queue.get(timeout=IDLE_SECONDS))
            if lit_api.alone(batch[0][3]):
                return batch
            closes = time.monotonic() + lit_api.batch_timeout
            while len(batch) < lit_api.max_batch_size:
                wait = closes - time.monotonic()
                item = queue.get(timeout=wait) if wait > 0 else queue.get_nowait()
                if lit_api.alone(item[3]):
                    self._held = item
                    break
                batch.append(item)
        except Empty:
            pass
        return batch


def worker_number() -> int:
    """Which worker this process is, counted from 0; only in a worker."""
    return int(os.environ["LITSERVE_WORKER_ID"])


class Server(LitServer):  # type: ignore[misc]
    """LitServe's server, started and stopped in our own way, with none of its own routes."""

    def __init__(self, lit_api: litserve.LitAPI, *, workers: int) -> None:
        super().__init__(
            lit_api,
            accelerator="cpu",  # explicit, or LitServe looks for a GPU
            devices=1,
            workers_per_device=workers,
            timeout=False,
        )
        self.uvicorn_graceful_timeout = CLOSE_SECONDS
        self.manager: SyncManager | None = None
        self.api_server: BaseProcess | None = None
        self.inference_workers: list[BaseProcess] = []
        self.app.user_middleware.clear()
        self.app.router.routes[:] = [route for route in self.app.routes if getattr(route, "path", "") in _KEPT_ROUTES]

    def start_workers(self, listener: socket.socket) -> None:
        """Start the process that holds the queues, then the inference workers; none of them keeps the socket open."""

        def queues_process() -> SyncManager:
            manager = SyncManager(ctx=multiprocessing.get_context("fork"))
            manager.start(listener.close)  # or clients could connect when the API does not listen any more
            return manager

        resource_tracker.ensure_running()  # now, as its start unblocks the signals that we block below
        with stop_signals_blocked(), mock.patch.object(multiprocessing, "Manager", queues_process):
            self.manager = self._init_manager(1)
            self.inference_workers = self.launch_inference_worker(self.lit_api)

    def restart_worker(self, worker: int) -> None:
        """Start a new process in the place of a worker that has ended."""
        with stop_signals_blocked():
            self.inference_workers[worker] = self.launch_single_inference_worker(self.lit_api, worker)

    def start_api(self, listener: socket.socket) -> None:
        """Start the process that answers HTTP on a socket that already listens."""
        port = listener.getsockname()[1]
        options = {
            "http": BoundedHead,
            "ws": "none",
            "access_log": False,
            "log_config": None,
            "server_header": False,
            "backlog": BACKLOG,
        }
        with stop_signals_blocked():
            self.api_server = self._start_server(port, 1, "error", [listener], "process", **options)[0]

    def stop(self) -> None:
        """End every process: the API may finish what it is sending, the others have nothing to finish."""
        if self.api_server is not None:
            self.api_server.terminate()
            self.api_server.join(2 * CLOSE_SECONDS)
            _end(self.api_server)
        for worker in self.inference_workers:
            _end(worker)
        if self.manager is not None:
            queues = self.manager._process  # type: ignore[attr-defined]
            self.manager.shutdown()
            _end(queues)

    @property
    def queues_alive(self) -> bool:
        """Whether the process that holds the queues lives."""
        return self.manager is not None and self.manager._process.is_alive()  # type: ignore[attr-defined]


def _end(process: BaseProcess) -> None:
    process.kill()
    process.join(_KILLED_WITHIN_SECONDS)


class Courier:
    """Carries payloads from the API process to the workers' queue, and their answers back."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._queue = server._get_request_queue(API_PATH)

    def send(self, payload: Any) -> str:
        """Queue a payload for the next free worker.

        Returns:
            The name under which its answer is awaited and, always, forgotten.
        """
        uid = uuid.uuid4().hex
        self._server.response_buffer[uid] = ResponseBufferItem(asyncio.Event())
        self._queue.put((self._server.app.response_queue_id, uid, time.monotonic(), payload))
        return uid

    async def answer(self, uid: str) -> Any:
        """Wait for the answer to a payload.

        Raises:
            BatchFailedError: if the run of its batch failed in the worker.
            OrderLostError: if `lose` was called.
        """
        item = self._server.response_buffer[uid]
        await item.event.wait()
        if item.response is None:
            raise OrderLostError
        response, status = item.response
        if status != LitAPIStatus.OK:
            raise BatchFailedError
        return response

    def lose(self, uid: str) -> None:
        """End the wait for an answer that will not come."""
        self._server.response_buffer[uid].event.set()

    def forget(self, uid: str) -> None:
        """Drop an answer, come or not; one that comes later goes nowhere."""
        self._server.response_buffer.pop(uid, None)
