"""What the serving tests share: a small model, quick or slow, and real servers."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from tests.serving.model_file import sound, write_mean_model
from tests.serving.server_process import Running, eventually, running_server

MAX_BODY_BYTES = 2**20
IN_FLIGHT = 6

StartServer = Callable[..., AbstractContextManager[Running]]


@pytest.fixture(scope="session")
def mean_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that answers at once."""
    return write_mean_model(tmp_path_factory.mktemp("model") / "model.onnx")


@pytest.fixture(scope="session")
def slow_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that takes about half a second of one core for a clip."""
    return write_mean_model(tmp_path_factory.mktemp("model") / "slow.onnx", slowness=5_000)


@pytest.fixture(scope="session")
def start_server(tmp_path_factory: pytest.TempPathFactory) -> StartServer:
    """Start a server: `with start_server(model, max_in_flight=2) as server: ...`."""
    return lambda model, **settings: running_server(model, tmp_path_factory.mktemp("server"), **settings)


@pytest.fixture
def anyio_backend() -> str:
    """Asynchronous tests run on asyncio, as the server does."""
    return "asyncio"


@pytest.fixture(scope="session")
def server(mean_model: Path, start_server: StartServer) -> Iterator[Running]:
    """A server with narrow limits, which all tests of the interface share."""
    limits = {"max_body_mb": 1, "upload_timeout_seconds": 1.5, "max_in_flight": IN_FLIGHT, "slots": 3}
    with start_server(mean_model, **limits, log_level="debug") as running:
        yield running


@pytest.fixture
def nothing_is_left_behind(server: Running) -> Iterator[None]:
    """After every test the server is ready, no upload lies about and no request is in work."""
    yield
    assert server.get("/ready").status_code == 200
    assert eventually(lambda: not list(server.spool.glob("*/*")), within=5)
    assert eventually(lambda: server.post(sound()).status_code == 200, within=5)
