"""A real server under attack: lying lengths, trickles, bombs, crowds, and clients that go away."""

import io
import socket
import struct
import threading
import time
import zlib

import numpy as np
import pytest
import soundfile

from tests.serving.conftest import IN_FLIGHT, MAX_BODY_BYTES
from tests.serving.model_file import sound
from tests.serving.problem import refused
from tests.serving.server_process import Running

pytestmark = pytest.mark.usefixtures("nothing_is_left_behind")


def form_head(*, length: int | None, boundary: str = "line") -> bytes:
    size = f"Content-Length: {length}" if length is not None else "Transfer-Encoding: chunked"
    return (
        f"POST /api/v1/predict HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/form-data; boundary={boundary}\r\n"
        f"{size}\r\n\r\n"
    ).encode()


PART = b'--line\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\n\r\n'


def answer_on(connection: socket.socket) -> bytes:
    """All that comes until the other side closes."""
    received = b""
    while chunk := connection.recv(65536):
        received += chunk
    return received


def send_for_ever(connection: socket.socket, chunk: bytes) -> None:
    while True:
        connection.sendall(chunk)


def test_a_long_name_full_of_tricks_does_no_harm(server: Running) -> None:
    name = "\u202egpm." + "x" * 3000 + "\u2066\x07../../etc/passwd"
    assert server.post(sound(), name=name).status_code == 200
    assert "\u202e" not in server.log
    assert "\x07" not in server.log


def test_a_declared_length_beyond_the_limit_is_refused_unread(server: Running) -> None:
    with socket.create_connection(("127.0.0.1", server.port)) as connection:
        connection.sendall(form_head(length=10**12))
        assert b" 413 " in connection.recv(65536)


def test_a_body_beyond_the_limit_is_refused_to_a_client_that_sends_it_all(server: Running) -> None:
    refused(server.post(b"x" * (3 * MAX_BODY_BYTES)), 413, "body_too_large")


def test_an_endless_chunked_body_is_cut_off(server: Running) -> None:
    chunk = b"10000\r\n" + b"x" * 65536 + b"\r\n"
    with socket.create_connection(("127.0.0.1", server.port)) as connection:
        connection.sendall(form_head(length=None) + b"%x\r\n" % len(PART) + PART + b"\r\n")
        with pytest.raises((ConnectionResetError, BrokenPipeError)):
            send_for_ever(connection, chunk)
    assert server.get("/api/v1/health").status_code == 200


def test_a_lying_length_gets_a_timeout(server: Running) -> None:
    with socket.create_connection(("127.0.0.1", server.port)) as connection:
        connection.sendall(form_head(length=900_000) + PART + b"only this")
        assert b" 408 " in connection.recv(65536)


def test_a_trickle_gets_a_timeout(server: Running) -> None:
    with socket.create_connection(("127.0.0.1", server.port)) as connection:
        connection.settimeout(10)
        connection.sendall(form_head(length=900_000) + PART)
        answer = b""

        def trickle() -> None:
            while not answer:
                connection.sendall(b"x")
                time.sleep(0.1)

        thread = threading.Thread(target=trickle)
        thread.start()
        answer = connection.recv(65536)
        thread.join()
        while b"upload_timeout" not in answer and (more := connection.recv(65536)):  # head and body may come apart
            answer += more
    assert b" 408 " in answer
    assert b"upload_timeout" in answer


@pytest.mark.parametrize("kind", ["long", "lying"])
def test_a_flac_bomb_costs_nothing(server: Running, kind: str) -> None:
    bomb = half_an_hour_of_silence() if kind == "long" else flac_with_a_lying_total()
    assert len(bomb) < MAX_BODY_BYTES
    began = time.monotonic()
    assert server.post(bomb).json()["audio"]["duration_ms"] == 2000
    assert time.monotonic() - began < 5
    assert all(process.memory_info().rss < 2**28 for process in server.family)


def half_an_hour_of_silence() -> bytes:
    """A small FLAC file that holds 400 MB of float32 samples, more than a decode process may take."""
    file = io.BytesIO()
    with soundfile.SoundFile(file, "w", samplerate=48_000, channels=1, format="FLAC", subtype="PCM_16") as flac:
        for _ in range(100):
            flac.write(np.zeros(10**6, np.int16))
    return file.getvalue()


def flac_with_a_lying_total() -> bytes:
    """A real FLAC file whose header claims 2^36 - 1 samples."""
    flac = bytearray(sound(kind="FLAC"))
    assert flac[:4] == b"fLaC"
    (packed,) = struct.unpack(">Q", flac[18:26])
    flac[18:26] = struct.pack(">Q", packed | (2**36 - 1))
    return bytes(flac)


def test_more_requests_than_the_limit_are_refused_at_once(server: Running) -> None:
    holders: list[socket.socket] = []
    answer = server.get("/ready")
    try:
        while answer.status_code == 200:  # a holder may come before a request of another test has gone, and be refused
            assert len(holders) < 3 * IN_FLIGHT
            for _ in range(IN_FLIGHT):
                holders.append(socket.create_connection(("127.0.0.1", server.port)))
                holders[-1].sendall(form_head(length=900_000) + PART)
            time.sleep(0.2)  # or the request on an open connection overtakes them, and takes the last place again
            began = time.monotonic()
            answer = server.post(sound())
        assert time.monotonic() - began < 1
        refused(answer, 503, "overloaded")
        assert int(answer.headers["retry-after"]) >= 1
        assert server.get("/ready").status_code == 200
    finally:
        for holder in holders:
            holder.close()


def test_clients_that_go_away_in_mid_upload_leave_nothing(server: Running) -> None:
    for _ in range(3 * IN_FLIGHT):
        with socket.create_connection(("127.0.0.1", server.port)) as connection:
            connection.sendall(form_head(length=900_000) + PART + b"x" * 1000)


def test_clients_that_go_away_in_mid_answer_leave_nothing(server: Running) -> None:
    audio = sound(seconds=30)
    body = PART + audio + b"\r\n--line--\r\n"
    for _ in range(5):
        connections = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(IN_FLIGHT - 1)]
        for connection in connections:
            connection.sendall(form_head(length=len(body)) + body)
        for connection in connections:
            connection.close()


def test_what_is_not_http_is_refused(server: Running) -> None:
    with socket.create_connection(("127.0.0.1", server.port)) as connection:
        connection.sendall(b"\x16\x03\x01\x02\x00\x01\x00 hello\r\n\r\n")
        assert b" 400 " in answer_on(connection)


def test_a_compressed_bomb_is_only_bytes(server: Running) -> None:
    answer = server.client.post(
        "/api/v1/predict",
        content=zlib.compress(b"x" * 10**7),
        headers={"content-encoding": "deflate", "content-type": "multipart/form-data; boundary=line"},
    )
    refused(answer, 422, "wrong_form")


def test_the_log_has_no_traceback(server: Running) -> None:
    assert "Traceback" not in server.log
    assert io.StringIO(server.log).readline().count("timbre.serving") == 1
