"""The same life against a real `mlflow server`: another address, other artifacts, the same promises."""

import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.registry.conftest import MakeRun, build_registry
from timbre.errors import GateRefusedError, NoModelError
from timbre.registry import TrackingError
from timbre.registry.mlflow_door import ENVIRONMENT


@pytest.fixture
def server(tmp_path: Path, migrated: Path) -> Iterator[str]:
    """A tracking server on loopback that keeps artifacts itself."""
    home = tmp_path / "server"
    home.mkdir()
    (home / "mlflow.db").write_bytes(migrated.read_bytes())
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    command += [
        "--backend-store-uri",
        f"sqlite:///{home / 'mlflow.db'}",
        "--artifacts-destination",
        str(home / "files"),
    ]
    with (home / "log").open("w") as log:
        process = subprocess.Popen(
            command, cwd=home, env=os.environ | ENVIRONMENT, stdout=log, stderr=log, start_new_session=True
        )
    try:
        url = f"http://127.0.0.1:{port}"
        wait_until_healthy(url, process)
        yield url
    finally:
        os.killpg(process.pid, 15)
        process.wait(30)


def wait_until_healthy(url: str, process: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + 90
    while time.monotonic() < until:
        assert process.poll() is None
        try:
            with urllib.request.urlopen(f"{url}/health", timeout=2):
                return
        except OSError:
            time.sleep(0.3)
    raise AssertionError("the server did not come up")


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_the_whole_life_on_a_server(server: str, make_run: MakeRun, tmp_path: Path) -> None:
    home = tmp_path / "client"
    registry = build_registry(home, uri=server)
    assert registry.versions() == []
    with pytest.raises(NoModelError):
        registry.fetch("models:/timbre@production")

    first, second = make_run(0), make_run(1)
    weak = make_run(2, macro_f1=0.1)
    for run in (first, second, weak):
        registry.register(run)
    assert registry.register(first)[1] is False
    registry.promote("1", "production")
    registry.promote("2", "staging")
    registry.promote("staging", "production")
    with pytest.raises(GateRefusedError, match="below the floor"):
        registry.promote("3", "production")

    path = registry.fetch("models:/timbre/Production")
    assert path.read_bytes() == (second / "model.onnx").read_bytes()
    assert registry.roll_back("production").version == 1
    path = registry.fetch("models:/timbre@production")
    assert path.read_bytes() == (first / "model.onnx").read_bytes()
    assert {version.number: version.stage for version in registry.versions()} == {
        1: "Production",
        2: "Archived",
        3: "None",
    }
    kept = next((tmp_path / "server" / "files").rglob("model.onnx"))
    kept.write_bytes(kept.read_bytes() + b"\0")
    changed = version_of(kept, registry)
    with pytest.raises(GateRefusedError, match="has changed since"):
        build_registry(tmp_path / "other", uri=server).fetch(changed)
    with pytest.raises(TrackingError, match="not found"):
        registry.log_run_files("0" * 32, first)


def version_of(kept: Path, registry) -> str:
    """Which version's file this is, told by the folder it lies in."""
    return next(str(version.number) for version in registry.versions() if version.source.endswith(kept.parent.name))
