"""A form becomes one file on disk, or a refusal that leaves nothing there."""

import errno
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from timbre.serving import upload as upload_module
from timbre.serving.problems import Problem
from timbre.serving.upload import display_name, receive_upload

FORM = "multipart/form-data; boundary=line"


def part(content: bytes, *, name: str = "file", filename: str | None = "a.wav") -> bytes:
    file = "" if filename is None else f'; filename="{filename}"'
    head = f'--line\r\nContent-Disposition: form-data; name="{name}"{file}\r\n\r\n'
    return head.encode() + content + b"\r\n"


async def pieces(body: bytes, size: int) -> AsyncIterator[bytes]:
    for start in range(0, len(body), size):
        yield body[start : start + size]


async def receive(body: bytes, folder: Path, *, content_type: str = FORM, size: int = 1000) -> bytes:
    upload = await receive_upload(content_type, pieces(body, size), folder)
    assert upload.path.parent == folder
    content = upload.path.read_bytes()
    assert upload.size == len(content)
    upload.delete()
    return content


@pytest.mark.parametrize("size", [1, 7, 100_000])
@pytest.mark.anyio
async def test_the_bytes_arrive_as_they_were(tmp_path: Path, size: int) -> None:
    content = b"\r\n--lin\r\n--" + bytes(range(256)) * 5
    assert await receive(part(content) + b"--line--\r\n", tmp_path, size=size) == content
    assert not list(tmp_path.iterdir())


@pytest.mark.anyio
async def test_an_empty_file_is_a_file(tmp_path: Path) -> None:
    assert await receive(part(b"") + b"--line--", tmp_path) == b""


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b"", FORM),
        (b"--line--\r\n", FORM),
        (part(b"x"), FORM),
        (part(b"x")[:-3], FORM),
        (part(b"x", name="audio") + b"--line--", FORM),
        (part(b"x", filename=None) + b"--line--", FORM),
        (part(b"x") + part(b"y") + b"--line--", FORM),
        (part(b"x") + part(b"y", name="more", filename=None) + b"--line--", FORM),
        (b"--line\r\n\r\nx\r\n--line--", FORM),
        (b"--line\r\n" + b"A: " + b"x" * 100_000 + b"\r\n\r\n\r\n--line--", FORM),
        (b"not a form", FORM),
        (part(b"x") + b"--line--", "multipart/form-data"),
        (part(b"x") + b"--line--", "multipart/form-data; boundary=" + "x" * 1000),
        (part(b"x") + b"--line--", "multipart/mixed; boundary=line"),
        (b"file=x", "application/x-www-form-urlencoded"),
        (b"{}", "application/json"),
        (b"", ""),
    ],
)
@pytest.mark.anyio
async def test_every_other_form_is_refused(tmp_path: Path, body: bytes, content_type: str) -> None:
    with pytest.raises(Problem) as refusal:
        await receive(body, tmp_path, content_type=content_type)
    assert refusal.value.code == "wrong_form"
    assert not list(tmp_path.iterdir())


@pytest.mark.anyio
async def test_a_broken_connection_leaves_no_file(tmp_path: Path) -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield part(b"x" * 1000)
        raise ConnectionError

    with pytest.raises(ConnectionError):
        await receive_upload(FORM, broken(), tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.anyio
async def test_a_full_disk_is_said_to_be_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "no space left on device")

    monkeypatch.setattr(upload_module._OneFileForm, "_data", full)
    with pytest.raises(Problem) as refusal:
        await receive(part(b"x") + b"--line--", tmp_path)
    assert refusal.value.code == "storage_full"
    assert not list(tmp_path.iterdir())


def test_a_name_is_shown_without_its_tricks() -> None:
    assert display_name("b\u202egpm.mp3\x1b[31m\n\u2028\u200b".encode()) == "b\ufffdgpm.mp3\ufffd[31m\ufffd\ufffd\ufffd"
    assert display_name("Für Elise (1810), Übung.mp3".encode()) == "Für Elise (1810), Übung.mp3"
    assert len(display_name(b"a" * 10_000)) == 255


@given(st.binary(max_size=2000))
def test_any_name_can_be_shown(raw: bytes) -> None:
    shown = display_name(raw)
    assert len(shown) <= 255
    assert all(character.isprintable() for character in shown)
