"""A worker that dies or hangs costs a retry and not an answer."""

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.serving.conftest import StartServer
from tests.serving.model_file import sound
from tests.serving.server_process import eventually


def test_a_worker_killed_in_mid_request_costs_no_answer(slow_model: Path, start_server: StartServer) -> None:
    with start_server(slow_model, max_batch=2) as server, ThreadPoolExecutor(4) as pool:
        worker = server.worker
        due = [pool.submit(server.post, sound()) for _ in range(4)]
        time.sleep(0.4)
        worker.kill()
        assert eventually(lambda: server.get("/ready").status_code == 503, within=5)
        assert server.get("/api/v1/health").json()["status"] == "not_ready"
        assert [answer.result().status_code for answer in due] == [200] * 4
        assert server.worker.pid != worker.pid
        assert eventually(lambda: server.get("/ready").status_code == 200)


def test_a_stopped_worker_is_replaced_and_its_requests_answered(mean_model: Path, start_server: StartServer) -> None:
    with start_server(mean_model, stall_seconds=1.5) as server:
        worker = server.worker
        worker.suspend()
        began = time.monotonic()
        assert server.post(sound()).status_code == 200
        assert time.monotonic() - began < 20
        assert server.worker.pid != worker.pid
        assert "no sign of life" in server.log


def test_a_decode_process_that_is_killed_is_replaced(mean_model: Path, start_server: StartServer) -> None:
    with start_server(mean_model) as server:
        (decoder,) = [p for p in server.family if "timbre.audio.worker" in p.cmdline()]
        decoder.kill()
        assert server.post(sound()).status_code == 200


@pytest.mark.parametrize("part", ["api", "queues"])
def test_a_process_that_cannot_be_replaced_ends_the_server(
    mean_model: Path, start_server: StartServer, part: str
) -> None:
    with start_server(mean_model) as server:
        forks = [p for p in server.family[0].children() if p.cmdline() == server.family[0].cmdline()]
        api = next(p for p in forks if p.children())
        victim = api if part == "api" else next(p for p in forks if p.pid != api.pid)
        family = server.family
        victim.kill()
        assert server.process.wait(30) == 70
        assert eventually(lambda: not any(p.is_running() and p.status() != "zombie" for p in family), within=5)
        assert server.log.strip().splitlines()[-1].startswith("timbre: ")


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_two_workers_share_the_load_and_two_deaths_cost_no_answer(slow_model: Path, start_server: StartServer) -> None:
    with start_server(slow_model, workers=2, max_batch=2, max_in_flight=16, deadline_seconds=90) as server:
        with ThreadPoolExecutor(8) as pool:
            answers = [pool.submit(server.post, sound()) for _ in range(24)]
            for _ in range(2):  # a clip has three tries, so it survives being with both
                time.sleep(2)
                server.workers[0].kill()
        assert [answer.result().status_code for answer in answers] == [200] * 24
        assert eventually(lambda: len(server.workers) == 2)  # the last answer may come before the last worker
