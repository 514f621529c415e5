"""The demonstration's client side: a service of its own to ask, the clips to post, and the post."""

import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import soundfile

from timbre.audio import decode
from timbre.data import audio_path, read_manifest
from timbre.errors import TimbreError

READY_WITHIN_S = 60.0
STOPPED_WITHIN_S = 30.0
ANSWER_WITHIN_S = 60.0
COPY_RATE, COPY_SECONDS = 44100, 30


@contextmanager
def running_server(command: Sequence[str], environment: dict[str, str]) -> Iterator[str]:
    """Run a service on a free port while the block runs; yield its address once it is ready.

    Raises:
        TimbreError: if it ends or is not ready in time, or does not stop cleanly.
    """
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    server = subprocess.Popen([*command, "--port", str(port)], env=environment)  # noqa: S603 - our own command, no shell
    try:
        _wait_until_ready(server, url)
        yield url
    finally:
        server.send_signal(signal.SIGTERM)
        try:
            code = server.wait(STOPPED_WITHIN_S)
        except subprocess.TimeoutExpired:
            server.kill()
            raise TimbreError(f"the service did not stop within {STOPPED_WITHIN_S:.0f} s of SIGTERM") from None
    if code != 0:
        raise TimbreError(f"the service stopped with exit code {code}")


def _wait_until_ready(server: subprocess.Popen[bytes], url: str) -> None:
    deadline = time.monotonic() + READY_WITHIN_S
    while time.monotonic() < deadline:
        if server.poll() is not None:
            raise TimbreError(f"the service ended with exit code {server.returncode} before it was ready")
        with suppress(httpx.TransportError):
            if httpx.get(f"{url}/ready", timeout=1).status_code == httpx.codes.OK:
                return
        time.sleep(0.1)
    raise TimbreError(f"the service was not ready within {READY_WITHIN_S:.0f} s")


def ask(url: str, clip: Path) -> dict[str, Any]:
    """Post one file to a running service and return its answer.

    Raises:
        TimbreError: if the service refuses the file; the text is its reason.
    """
    with clip.open("rb") as file:
        answer = httpx.post(f"{url}/api/v1/predict", files={"file": file}, timeout=ANSWER_WITHIN_S)
    if answer.status_code != httpx.codes.OK:
        raise TimbreError(f"the service answered {answer.status_code} for {clip}: {answer.text}")
    result: dict[str, Any] = answer.json()
    return result


def two_clips(data_dir: Path, folder: Path) -> list[Path]:
    """One MP3 and one WAV of the test split; what it lacks is made of its first clip and written to `folder`."""
    files = [audio_path(data_dir, clip) for clip in read_manifest(data_dir) if clip.split == "test"]
    by_suffix = {path.suffix.lower(): path for path in reversed(files)}
    return [by_suffix.get(suffix) or _copy_as(suffix, files[0], folder) for suffix in (".mp3", ".wav")]


def _copy_as(suffix: str, file: Path, folder: Path) -> Path:
    heard = decode(file, sample_rate=COPY_RATE, max_samples=COPY_RATE * COPY_SECONDS)
    copy = folder / f"{file.stem}{suffix}"
    soundfile.write(copy, heard.waveform, COPY_RATE)
    return copy
