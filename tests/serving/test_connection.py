"""A connection whose request does not begin in time is closed; one that does is not."""

import asyncio
from collections.abc import AsyncIterator

import pytest
import uvicorn
from starlette.responses import PlainTextResponse

from timbre.serving import connection
from timbre.serving.connection import BoundedHead

pytestmark = pytest.mark.anyio
GET = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"


@pytest.fixture
async def port(monkeypatch: pytest.MonkeyPatch, anyio_backend: str) -> AsyncIterator[int]:
    monkeypatch.setattr(connection, "HEAD_SECONDS", 1.0)
    config = uvicorn.Config(
        PlainTextResponse("here"), port=0, http=BoundedHead, ws="none", lifespan="off", log_config=None
    )
    server = uvicorn.Server(config)
    running = asyncio.create_task(server._serve())
    while not server.started:
        await asyncio.sleep(0.01)
    yield server.servers[0].sockets[0].getsockname()[1]
    server.should_exit = True
    await running


async def closed_after(reader: asyncio.StreamReader) -> bool:
    return await asyncio.wait_for(reader.read(), 10) == b""


@pytest.mark.parametrize("beginning", [b"", b"GET / HT", GET[:-2]])
async def test_a_head_that_does_not_end_is_not_waited_for(port: int, beginning: bytes) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(beginning)
    assert await closed_after(reader)
    writer.close()


async def test_an_endless_head_is_refused(port: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write((GET[:-2] + b"X: ").ljust(connection.HEAD_BYTES + 1, b"a"))
    answer = await asyncio.wait_for(reader.read(), 10)
    assert answer.startswith(b"HTTP/1.1 431 ")
    assert b'"code": "head_too_large"' in answer
    writer.close()


async def test_a_long_body_is_not_part_of_the_head(port: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    body = b"a" * 3 * connection.HEAD_BYTES
    writer.write(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
    assert (await reader.readuntil(b"here")).startswith(b"HTTP/1.1 200")
    writer.close()


async def test_what_is_not_http_gets_a_problem(port: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"\x16\x03\x01 hello\r\n\r\n")
    answer = await asyncio.wait_for(reader.read(), 10)
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b"application/problem+json" in answer
    writer.close()


async def test_a_second_head_that_does_not_end_is_not_waited_for(port: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(GET)
    assert (await reader.readuntil(b"here")).startswith(b"HTTP/1.1 200")
    writer.write(b"GET /")
    assert await closed_after(reader)
    writer.close()


async def test_requests_in_time_are_answered_on_one_connection(port: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for _ in range(4):
        writer.write(GET[:10])
        await asyncio.sleep(0.1)
        writer.write(GET[10:])
        assert (await reader.readuntil(b"here")).startswith(b"HTTP/1.1 200")
        await asyncio.sleep(0.1)
    writer.close()
