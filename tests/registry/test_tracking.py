"""Preparing MLflow: once, quietly, by any number of processes; and addresses that do not work."""

import os
import socket
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from timbre.registry import Registry, TrackingError
from timbre.registry.mlflow_door import shown
from timbre.registry.tracking import Tracking


def first_use(home: str, name: str) -> None:
    """What a training run does: prepare, a run, files, a number."""
    os.chdir(home)
    tracking = Tracking(uri="sqlite:///outputs/mlflow.db", experiment="timbre", artifact_root=None)
    tracking.prepare()
    run = tracking.create_run(name=name, tags={})
    Path(name).mkdir()
    Path(name, "note.txt").write_text(name)
    tracking.log_files(run, Path(name))
    tracking.log_metrics(run, {"test/accuracy": 0.5})


def test_four_processes_at_once_on_a_fresh_database(tmp_path: Path, at_once: Callable[..., list[int]]) -> None:
    (tmp_path / "outputs").mkdir()
    (tmp_path / "outputs" / "mlflow.db.partial").write_bytes(b"what a killed migration left")
    assert at_once(first_use, [(str(tmp_path), f"p{number}") for number in range(4)]) == [0, 0, 0, 0]
    with closing(sqlite3.connect(tmp_path / "outputs" / "mlflow.db")) as database:
        assert database.execute("select count(*) from experiments where name = 'timbre'").fetchone() == (1,)
        assert database.execute("select count(*) from runs").fetchone() == (4,)
    notes = sorted(path.read_text() for path in (tmp_path / "outputs" / "mlartifacts").rglob("note.txt"))
    assert notes == ["p0", "p1", "p2", "p3"]
    assert not (tmp_path / "mlruns").exists()
    assert not list((tmp_path / "outputs").glob("*.partial*"))


def test_files_go_under_the_run_and_runs_are_told_apart(registry: Registry, tmp_path: Path) -> None:
    registry.prepare_tracking()
    registry.prepare_tracking()  # again: nothing to do
    run = registry.tracking.create_run(name="elsewhere", tags={"a": "b"})
    (tmp_path / "files").mkdir()
    (tmp_path / "files" / "lineage.json").write_text("{}")
    registry.log_run_files(run, tmp_path / "files")
    with registry.tracking.client() as client:
        assert [item.path for item in client.list_artifacts(run)] == ["lineage.json"]
    assert registry.tracking.has_run(run)
    assert not registry.tracking.has_run("0" * 32)
    assert not registry.tracking.has_run("no run id/..")
    assert not registry.tracking.has_run(None)
    with pytest.raises(TrackingError, match="not found"):
        registry.log_run_files("0" * 32, tmp_path / "files")


def test_an_evaluation_goes_to_the_run_that_is_known(registry: Registry, tmp_path: Path) -> None:
    (tmp_path / "report").mkdir()
    (tmp_path / "report" / "report.md").write_text("# x")
    logged = {"metrics": {"macro_f1": 0.7}, "folder": tmp_path / "report", "split": "test"}
    registry.prepare_tracking()
    run = registry.tracking.create_run(name="a", tags={})
    assert registry.log_evaluation(run, **logged)
    assert not registry.log_evaluation("0" * 32, **logged)
    assert not registry.log_evaluation(None, **logged)
    with registry.tracking.client() as client:
        assert client.get_run(run).data.metrics == {"test/macro_f1": 0.7}
        assert [item.path for item in client.list_artifacts(run, "report-test")] == ["report-test/report.md"]


def test_reading_makes_no_database(tmp_path: Path) -> None:
    tracking = Tracking(uri=f"sqlite:///{tmp_path / 'deep' / 'mlflow.db'}", experiment="timbre", artifact_root=None)
    assert not tracking.exists
    assert not tracking.has_run("0" * 32)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("uri", ["", "mlruns", "./mlruns", "outputs/mlflow.db", "file:///tmp/mlruns"])
def test_addresses_that_keep_no_registry_are_refused(uri: str) -> None:
    with pytest.raises(TrackingError, match="use sqlite"):
        Tracking(uri=uri, experiment="timbre", artifact_root=None)


def test_a_server_that_refuses_is_named_at_once() -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    started = time.monotonic()
    tracking = Tracking(uri=f"http://me:secret@127.0.0.1:{port}", experiment="timbre", artifact_root=None)
    with pytest.raises(TrackingError, match="no tracking server answers") as caught:
        tracking.prepare()
    assert time.monotonic() - started < 20
    assert "secret" not in str(caught.value)


def test_a_server_that_stays_silent_is_given_up_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("timbre.registry.tracking.REACH_SECONDS", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        uri = f"http://127.0.0.1:{silent.getsockname()[1]}"
        tracking = Tracking(uri=uri, experiment="timbre", artifact_root=None)
        with pytest.raises(TrackingError, match="no tracking server answers"):
            tracking.has_run("0" * 32)


def test_a_file_that_is_no_database_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "mlflow.db").write_text("a diary, not a database\n" * 100)
    tracking = Tracking(uri=f"sqlite:///{tmp_path / 'mlflow.db'}", experiment="timbre", artifact_root=None)
    with pytest.raises(TrackingError) as caught:
        tracking.prepare()
    assert "\n" not in str(caught.value)


def test_passwords_are_not_shown() -> None:
    assert shown("cannot reach postgresql://me:pass@host/db now") == "cannot reach postgresql://***@host/db now"
