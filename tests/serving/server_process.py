"""A real server in a process of its own, of which nothing is left when its block ends."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil

READY_WITHIN_SECONDS = 60.0


@dataclass(frozen=True)
class Running:
    """A server in a process of its own."""

    process: subprocess.Popen[bytes]
    url: str
    client: httpx.Client
    log_file: Path
    spool: Path

    def post(self, audio: bytes, *, name: str = "clip.wav") -> httpx.Response:
        return self.client.post("/api/v1/predict", files={"file": (name, audio)})

    def get(self, path: str) -> httpx.Response:
        return self.client.get(path)

    @property
    def log(self) -> str:
        return self.log_file.read_text()

    @property
    def family(self) -> list[psutil.Process]:
        """The main process and all that descend from it."""
        main = psutil.Process(self.process.pid)
        return [main, *main.children(recursive=True)]

    @property
    def workers(self) -> list[psutil.Process]:
        """The inference workers that live."""
        found = []
        for child in psutil.Process(self.process.pid).children():
            with contextlib.suppress(psutil.ZombieProcess):
                if "from multiprocessing.spawn" in " ".join(child.cmdline()):
                    found.append(child)
        return found

    @property
    def worker(self) -> psutil.Process:
        """The inference worker, where there is one."""
        (worker,) = self.workers
        return worker

    @property
    def port(self) -> int:
        return int(self.url.rsplit(":", 1)[1])


@contextmanager
def running_server(model: Path, folder: Path, **settings: object) -> Iterator[Running]:
    """A ready server; every process of it is killed at the end, whatever happened."""
    spool = folder / "spool"
    spool.mkdir(parents=True, exist_ok=True)
    log_file = folder / "log.txt"
    variables = {f"TIMBRE_{name.upper()}": str(value) for name, value in settings.items()}
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("TIMBRE_")},
        "TIMBRE_DECODERS": "1",
        "TIMBRE_SPOOL_DIR": str(spool),
        "TMPDIR": str(folder),
        **variables,
    }
    command = [sys.executable, "-m", "timbre.cli.main", "serve", "--model", str(model), "--port", "0"]
    with log_file.open("wb") as log:
        process = subprocess.Popen(command, stderr=log, stdout=log, env=environment, start_new_session=True)
    family: list[psutil.Process] = []
    try:
        url = _wait_until_ready(process, log_file)
        with httpx.Client(base_url=url, timeout=60, verify=False, trust_env=False) as client:
            running = Running(process, url, client, log_file, spool)
            family = running.family
            yield running
    finally:
        with contextlib.suppress(psutil.NoSuchProcess):
            family += psutil.Process(process.pid).children(recursive=True)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        for left in family:
            with contextlib.suppress(psutil.NoSuchProcess):
                left.kill()


def _wait_until_ready(process: subprocess.Popen[bytes], log_file: Path) -> str:
    deadline = time.monotonic() + READY_WITHIN_SECONDS
    while time.monotonic() < deadline:
        assert process.poll() is None, f"the server ended:\n{log_file.read_text()}"
        lines = [line for line in log_file.read_text().splitlines() if "listening on " in line]
        if lines:
            url = lines[0].rsplit(" ", 1)[1]
            if httpx.get(f"{url}/ready", timeout=60).status_code == httpx.codes.OK:
                return url
        time.sleep(0.05)
    raise AssertionError(f"the server was not ready:\n{log_file.read_text()}")


def eventually(condition: Callable[[], bool], *, within: float = 20.0) -> bool:
    """Whether a condition comes true in time."""
    deadline = time.monotonic() + within
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True
