"""One HTTP connection: uvicorn's protocol, with limits on the head of a request, which uvicorn has not."""

import asyncio
from http import HTTPStatus

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from timbre.serving.problems import Problem, problem_response

HEAD_SECONDS = 10.0
"""How long a client may take from connecting, or from a request's first byte, to the end of its head."""

HEAD_BYTES = 65_536
"""How long a request's head may be."""


class BoundedHead(HttpToolsProtocol):
    """Closes a connection whose request does not begin in time or never ends its head.

    Clients that dawdle would use up all descriptors, and an endless head all memory and time. What is not HTTP gets a
    problem document too.

    Between requests uvicorn's own keep-alive limit holds; in a request, the limits of the upload and the deadline.
    """

    _timer: asyncio.TimerHandle | None = None
    _head_bytes = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        """A client connects."""
        super().connection_made(transport)
        self._expect_head()

    def data_received(self, data: bytes) -> None:
        """Bytes come in; between requests they are the beginning of a head."""
        super().data_received(data)
        if self._timer is None and (self.cycle is None or self.cycle.response_complete):
            self._expect_head()
        if self._timer is not None:
            self._head_bytes += len(data)
            if self._head_bytes > HEAD_BYTES:
                self._refuse("head_too_large")

    def on_headers_complete(self) -> None:
        """A head is complete."""
        self._head_is_here()
        super().on_headers_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is gone."""
        self._head_is_here()
        super().connection_lost(exc)

    def send_400_response(self, msg: str) -> None:
        """What came is not HTTP."""
        self._refuse("bad_request")

    def _refuse(self, code: str) -> None:
        if self.transport.is_closing():
            return
        response = problem_response(Problem(code))
        status = HTTPStatus(response.status_code)
        lines = [f"HTTP/1.1 {status.value} {status.phrase}", "connection: close"]
        lines += [f"{name}: {value}" for name, value in response.headers.items()]
        self.transport.write("\r\n".join([*lines, "", ""]).encode() + bytes(response.body))
        self.transport.close()

    def _expect_head(self) -> None:
        self._timer = self.loop.call_later(HEAD_SECONDS, self.transport.close)

    def _head_is_here(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._head_bytes = 0
