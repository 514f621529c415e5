"""What stands between the socket and the routes, in one list: plain ASGI, so that it acts before a body is read."""

import asyncio
from contextlib import suppress

from starlette.datastructures import Headers, MutableHeaders
from starlette.middleware import Middleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from timbre.serving.problems import Problem, problem_response

LINGER_SECONDS = 2.0
"""How long the rest of a refused body is read and dropped, so that its sender gets to read the refusal."""


def middleware(*, max_body_bytes: int) -> list[Middleware]:
    """The server's middleware, outermost first. Authentication and rate limits belong in front."""
    return [Middleware(BodyLimit, max_bytes=max_body_bytes)]


class BodyLimit:
    """Refuses a request body beyond a number of bytes: by what it declares, and by counting what comes.

    A response that is sent before the whole body was read closes the connection, after reading on for a short time.
    """

    def __init__(self, app: ASGIApp, *, max_bytes: int) -> None:
        self._app = app
        self._max_bytes = max_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        declared = headers.get("content-length", "0")
        body = _Body(receive, send, max_bytes=self._max_bytes)
        body.complete = declared == "0" and "transfer-encoding" not in headers
        if declared.isdecimal() and int(declared) > self._max_bytes:
            await problem_response(Problem("body_too_large"))(scope, receive, body.send)
        else:
            await self._app(scope, body.receive, body.send)


class _Body:
    """One request's body on its way in, and the response on its way out."""

    def __init__(self, receive: Receive, send: Send, *, max_bytes: int) -> None:
        self._receive = receive
        self._send = send
        self._max_bytes = max_bytes
        self._received = 0
        self.complete = False

    async def receive(self) -> Message:
        message = await self._next()
        if self._received > self._max_bytes:
            raise Problem("body_too_large")
        return message

    async def send(self, message: Message) -> None:
        if self.complete:
            await self._send(message)
        elif message["type"] == "http.response.start":
            MutableHeaders(scope=message)["connection"] = "close"
            await self._send(message)
        elif message.get("more_body", False):
            await self._send(message)
        else:
            await self._send({**message, "more_body": True})
            with suppress(TimeoutError):
                async with asyncio.timeout(LINGER_SECONDS):
                    while not self.complete:
                        await self._next()
            await self._send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _next(self) -> Message:
        message = await self._receive()
        self._received += len(message.get("body", b""))
        self.complete = not message.get("more_body", False)  # a disconnect ends the body too
        return message
