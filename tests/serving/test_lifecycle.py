"""From start to stop: what a server says when it cannot start, how it drains, and that nothing of it is left."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import psutil
import pytest

from tests.serving.conftest import StartServer
from tests.serving.model_file import sound
from tests.serving.server_process import Running, eventually
from timbre.serving.run import ListenError, listen
from timbre.serving.scratch import scratch_folder

STOPPED_WITHIN_SECONDS = 30


def run_serve(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """`timbre serve` that is expected to end by itself."""
    return subprocess.run(
        [sys.executable, "-m", "timbre.cli.main", "serve", *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        env=os.environ | environment,
        check=False,
    )


def refused(answer: subprocess.CompletedProcess[str], code: int, *words: str) -> None:
    """The command ended with this code and one line that has these words."""
    assert answer.returncode == code, answer.stderr
    assert answer.stdout == ""
    (line,) = answer.stderr.strip().splitlines()
    for word in words:
        assert word in line


def all_gone(family: list[psutil.Process]) -> bool:
    return not any(process.is_running() and process.status() != psutil.STATUS_ZOMBIE for process in family)


def stop_under_load(server: Running, stop: Callable[[], None], *, requests: int = 6) -> list[httpx.Response]:
    """Post, stop the server while the answers are due, and return the answers."""
    with ThreadPoolExecutor(requests) as pool:
        due = [pool.submit(server.post, sound()) for _ in range(requests)]
        assert eventually(lambda: len(list(server.spool.glob("*/*"))) + sum(one.done() for one in due) == requests)
        stop()
        return [answer.result() for answer in due]


def test_sigterm_under_load_answers_all_and_leaves_nothing(slow_model: Path, start_server: StartServer) -> None:
    with start_server(slow_model, max_batch=2) as server:
        family = server.family
        assert len(family) >= 5
        held = socket.create_connection(("127.0.0.1", server.port))  # an idle client must not hold the server up

        def stop() -> None:
            server.process.send_signal(signal.SIGTERM)
            assert eventually(lambda: server.get("/ready").status_code == 503, within=5)
            late = server.post(sound())
            assert (late.status_code, late.json()["code"]) == (503, "draining")
            assert late.headers["retry-after"]

        answers = stop_under_load(server, stop)
        assert [answer.status_code for answer in answers] == [200] * len(answers)
        assert server.process.wait(STOPPED_WITHIN_SECONDS) == 0
        held.close()
        assert eventually(lambda: all_gone(family), within=5)
        assert not list(server.spool.iterdir())
        assert [entry.name for entry in server.spool.parent.iterdir() if entry.is_dir()] == ["spool"]
        assert "Traceback" not in server.log
        assert " ERROR " not in server.log


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])  # a terminal sends the one to all, systemd the other
def test_a_signal_to_every_process_still_answers_all(
    slow_model: Path, start_server: StartServer, sent: signal.Signals
) -> None:
    with start_server(slow_model, max_batch=2) as server:
        family = server.family
        answers = stop_under_load(server, lambda: os.killpg(server.process.pid, sent))
        assert [answer.status_code for answer in answers] == [200] * len(answers)
        assert server.process.wait(STOPPED_WITHIN_SECONDS) == 0
        assert eventually(lambda: all_gone(family), within=5)
        assert "Traceback" not in server.log


def test_a_second_signal_cuts_the_drain_short(slow_model: Path, start_server: StartServer) -> None:
    with start_server(slow_model, max_batch=1) as server, ThreadPoolExecutor(8) as pool:
        family = server.family
        due = [pool.submit(server.post, sound()) for _ in range(8)]
        time.sleep(0.5)
        server.process.send_signal(signal.SIGINT)
        assert eventually(lambda: "draining" in server.log)
        server.process.send_signal(signal.SIGINT)
        assert server.process.wait(STOPPED_WITHIN_SECONDS) == 128 + signal.SIGINT
        assert eventually(lambda: all_gone(family), within=5)
        for answer in due:
            assert answer.exception() is not None or answer.result().status_code in (200, 500, 503)


def test_nothing_outlives_a_killed_main_process(mean_model: Path, start_server: StartServer) -> None:
    with start_server(mean_model) as server:
        family = server.family
        (left,) = server.spool.iterdir()
        os.kill(server.process.pid, signal.SIGKILL)
        server.process.wait()
        assert eventually(lambda: all_gone(family), within=10)
        assert left.exists()
        with scratch_folder(server.spool) as next_servers:
            assert list(server.spool.iterdir()) == [next_servers]


def test_a_port_in_use_is_said_in_one_line(mean_model: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        refused(run_serve("--model", str(mean_model), "--port", port), 2, port, "in use", "--port")


@pytest.mark.parametrize("host", ["192.0.2.1", "256.256.256.256"])
def test_an_address_that_is_not_ours_is_named(host: str) -> None:
    with pytest.raises(ListenError, match=host):
        listen(host, 0)


def test_a_wrong_model_is_said_in_one_line(tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.onnx"
    wrong.write_bytes(b"not a model")
    refused(run_serve("--model", str(wrong), "--port", "0"), 2, "wrong.onnx")


def test_a_spool_folder_that_is_not_there_is_said_in_one_line(mean_model: Path, tmp_path: Path) -> None:
    answer = run_serve("--model", str(mean_model), "--port", "0", TIMBRE_SPOOL_DIR=str(tmp_path / "none"))
    refused(answer, 2, "none")
