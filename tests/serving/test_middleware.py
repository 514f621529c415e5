"""The body limit counts what comes, and a refusal is heard by a client that is still sending."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from starlette.types import Message, Receive, Scope, Send

from timbre.serving import middleware
from timbre.serving.middleware import BodyLimit
from timbre.serving.problems import Problem

pytestmark = pytest.mark.anyio

App = Callable[[Scope, Receive, Send], Awaitable[None]]


async def reads_all(scope: Scope, receive: Receive, send: Send) -> None:
    size = 0
    while True:
        message = await receive()
        size += len(message.get("body", b""))
        if not message.get("more_body", False):
            break
    await answers(str(size).encode(), send)


async def reads_nothing(scope: Scope, receive: Receive, send: Send) -> None:
    await answers(b"no", send)


async def answers(body: bytes, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(body))]})
    await send({"type": "http.response.body", "body": body})


class Exchange:
    """One request with its body in chunks, and what was sent back. After the chunks comes silence."""

    def __init__(self, *chunks: bytes, headers: dict[str, str], ends: bool = True) -> None:
        self.left = list(chunks)
        self.ends = ends
        self.headers = headers
        self.sent: list[Message] = []

    async def receive(self) -> Message:
        if not self.left:
            import asyncio

            await asyncio.sleep(60)
        body = self.left.pop(0)
        return {"type": "http.request", "body": body, "more_body": bool(self.left) or not self.ends}

    async def send(self, message: Message) -> None:
        self.sent.append(message)

    async def run(self, app: App, *, limit: int = 10) -> None:
        raw = [(name.encode(), value.encode()) for name, value in self.headers.items()]
        scope: dict[str, Any] = {"type": "http", "method": "POST", "path": "/", "headers": raw}
        await BodyLimit(app, max_bytes=limit)(scope, self.receive, self.send)

    @property
    def closes(self) -> bool:
        return (b"connection", b"close") in self.sent[0]["headers"]

    @property
    def body(self) -> bytes:
        return b"".join(message.get("body", b"") for message in self.sent[1:])


async def test_a_body_at_the_limit_passes() -> None:
    exchange = Exchange(b"12345", b"67890", headers={"content-length": "10"})
    await exchange.run(reads_all)
    assert (exchange.body, exchange.closes) == (b"10", False)


@pytest.mark.parametrize("headers", [{"transfer-encoding": "chunked"}, {"content-length": "3"}])
async def test_one_byte_more_is_refused_whatever_was_declared(headers: dict[str, str]) -> None:
    with pytest.raises(Problem) as refusal:
        await Exchange(b"12345", b"678901", headers=headers).run(reads_all)
    assert refusal.value.code == "body_too_large"


async def test_a_declared_length_beyond_the_limit_is_refused_and_the_rest_is_read() -> None:
    exchange = Exchange(*[b"x" * 6] * 4, headers={"content-length": "24"})
    await exchange.run(reads_all)
    assert exchange.sent[0]["status"] == 413
    assert exchange.closes
    assert exchange.left == []


async def test_an_early_answer_closes_after_reading_on() -> None:
    exchange = Exchange(b"12", b"34", headers={"content-length": "4"})
    await exchange.run(reads_nothing)
    assert (exchange.body, exchange.closes, exchange.left) == (b"no", True, [])
    assert exchange.sent[-1] == {"type": "http.response.body", "body": b"", "more_body": False}


async def test_a_silent_client_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(middleware, "LINGER_SECONDS", 0.01)
    exchange = Exchange(b"12", headers={"content-length": "4"}, ends=False)
    await exchange.run(reads_nothing)
    assert exchange.body == b"no"


async def test_a_request_without_a_body_keeps_its_connection() -> None:
    exchange = Exchange(headers={})
    await exchange.run(reads_nothing)
    assert not exchange.closes


async def test_what_is_not_http_passes() -> None:
    seen = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(scope["type"])

    exchange = Exchange(headers={})
    await BodyLimit(app, max_bytes=1)({"type": "lifespan"}, exchange.receive, exchange.send)
    assert seen == ["lifespan"]
