"""LitServe's private parts are where the bridge believes them to be, and its loop collects batches as it should."""

import inspect
import queue
import re
from importlib.metadata import version
from typing import Any

import litserve
import pytest
from litserve.loops.base import _StopLoopError
from litserve.loops.loops import inference_worker
from litserve.loops.simple_loops import BatchedLoop
from litserve.server import LitServer, response_queue_to_buffer
from litserve.transport.process_transport import MPQueueTransport
from litserve.utils import LitAPIStatus, ResponseBufferItem
from starlette.formparsers import MultiPartParser

from timbre.serving import litserve_bridge
from timbre.serving.litserve_bridge import PRIVATE_NAMES, BatchLoop, Server


def parameters(function: Any) -> list[str]:
    return list(inspect.signature(function).parameters)


def test_the_version_is_the_one_that_was_read() -> None:
    assert version("litserve") == "0.2.19"


@pytest.mark.parametrize(("owner", "name"), [(owner, name) for owner, names in PRIVATE_NAMES.items() for name in names])
def test_a_private_name_is_still_there(owner: type, name: str) -> None:
    assert callable(getattr(owner, name))


def test_private_methods_take_what_we_give() -> None:
    assert parameters(LitServer._init_manager) == ["self", "num_api_servers"]
    assert parameters(LitServer._get_request_queue) == ["self", "api_path"]
    assert parameters(LitServer.launch_inference_worker) == ["self", "lit_api"]
    assert parameters(LitServer.launch_single_inference_worker) == ["self", "lit_api", "worker_id"]
    assert parameters(LitServer._start_server)[:6] == [
        "self",
        "port",
        "num_uvicorn_servers",
        "log_level",
        "sockets",
        "uvicorn_worker_type",
    ]
    assert parameters(BatchedLoop.get_batch_requests) == ["self", "lit_api", "request_queue", "transport"]
    assert parameters(ResponseBufferItem)[0] == "event"
    assert LitAPIStatus.OK == "OK"


def test_the_worker_runs_our_loop_on_tuples_of_four() -> None:
    source = inspect.getsource(BatchedLoop.run_batched_loop)
    assert "self.get_batch_requests(" in source
    assert "response_queue_ids, uids, inputs = zip(*batches)" in source
    assert "request_queue.put((response_queue_id, uid, time.monotonic(), payload))" in inspect.getsource(
        litserve.server.BaseRequestHandler._submit_request
    )
    assert 'os.environ["LITSERVE_WORKER_ID"] = str(worker_id)' in inspect.getsource(inference_worker)


def test_answers_come_to_the_buffer_as_a_pair() -> None:
    source = inspect.getsource(response_queue_to_buffer)
    assert "response_item.response = response" in source
    assert "uid, (*response, response_type, worker_id) = result" in source
    assert "to_thread" in inspect.getsource(MPQueueTransport.areceive)


def test_private_attributes_of_a_server_are_there() -> None:
    server = Server(litserve.test_examples.SimpleBatchedAPI(max_batch_size=2), workers=1)
    assert server.response_buffer == {}
    assert server.app.response_queue_id is None
    assert server.uvicorn_graceful_timeout == litserve_bridge.CLOSE_SECONDS
    assert "self.uvicorn_graceful_timeout" in inspect.getsource(LitServer._start_server)


def test_none_of_litserves_routes_or_middleware_is_left() -> None:
    server = Server(litserve.test_examples.SimpleBatchedAPI(max_batch_size=2), workers=1)
    assert {route.path for route in server.app.routes} == {"/openapi.json"}
    assert server.app.user_middleware == []


def test_the_spool_is_back_at_its_size() -> None:
    assert MultiPartParser.spool_max_size == 2**20


def test_only_the_bridge_and_the_worker_know_litserve(root: Any) -> None:
    knowing = {
        path.name
        for path in (root / "src" / "timbre").rglob("*.py")
        if re.search(r"^\s*(from|import) litserve", path.read_text(), re.M)
    }
    assert knowing == {"litserve_bridge.py", "worker.py"}


class FakeAPI:
    """What the loop asks of the API; a payload is (wanted, alone)."""

    max_batch_size = 3
    batch_timeout = 0.0

    def __init__(self) -> None:
        self.beats = 0

    def beat(self) -> None:
        self.beats += 1

    def accept(self, payload: tuple[bool, bool]) -> bool:
        return payload[0]

    def alone(self, payload: tuple[bool, bool]) -> bool:
        return payload[1]


def batches(loop: BatchLoop, api: Any, *payloads: tuple[bool, bool]) -> list[list[str]]:
    """The names of what the loop hands out, batch by batch, until it has waited in vain."""
    waiting: queue.Queue[Any] = queue.Queue()
    for number, payload in enumerate(payloads):
        waiting.put((0, str(number), 0.0, payload))
    handed_out = []
    while loop._held is not None or not waiting.empty():
        batch, timed_out = loop.get_batch_requests(api, waiting, None)
        assert timed_out == []
        handed_out.append([uid for _consumer, uid, _payload in batch])
    return handed_out


WANTED, STALE, AGAIN = (True, False), (False, False), (True, True)


def test_a_batch_is_what_has_queued_up() -> None:
    assert batches(BatchLoop(), FakeAPI(), *[WANTED] * 5) == [["0", "1", "2"], ["3", "4"]]


def test_what_is_no_longer_wanted_is_dropped() -> None:
    assert batches(BatchLoop(), FakeAPI(), STALE, WANTED, STALE, STALE) == [["1"], []]


def test_what_is_tried_again_runs_by_itself() -> None:
    assert batches(BatchLoop(), FakeAPI(), WANTED, AGAIN, AGAIN, WANTED) == [["0"], ["1"], ["2"], ["3"]]


def test_a_batch_waits_for_company_if_told_to() -> None:
    api = FakeAPI()
    api.batch_timeout = 0.05
    assert batches(BatchLoop(), api, WANTED) == [["0"]]


def test_an_idle_loop_gives_a_sign_of_life(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(litserve_bridge, "IDLE_SECONDS", 0.01)
    api = FakeAPI()
    assert BatchLoop().get_batch_requests(api, queue.Queue(), None) == ([], [])
    assert api.beats == 1


def test_a_loop_ends_with_its_queue() -> None:
    class Gone:
        def get(self, timeout: float) -> None:
            raise EOFError

    with pytest.raises(_StopLoopError):
        BatchLoop().get_batch_requests(FakeAPI(), Gone(), None)
