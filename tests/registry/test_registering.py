"""What a version carries once it is registered, and what cannot be registered."""

import hashlib
from pathlib import Path

import numpy as np
import pytest

from tests.registry.conftest import RATE, MakeRun, artifact, write_report
from timbre.errors import NoModelError
from timbre.inference import ModelFileError, OnnxEngine
from timbre.registry import Registry
from timbre.registry.artifacts import IntegrityError
from timbre.registry.evidence import EvidenceError


def test_a_version_carries_its_facts_and_our_bytes(registry: Registry, make_run: MakeRun) -> None:
    run = make_run(0)
    version, is_new = registry.register(run)
    assert is_new
    assert (version.number, version.stage, version.aliases) == (1, "None", ())
    sha256 = hashlib.sha256((run / "model.onnx").read_bytes()).hexdigest()
    assert version.onnx_sha256 == sha256
    assert version.tags["git_sha"] == "a" * 40
    assert version.tags["data_manifest_sha256"] == "b" * 64
    assert version.tags["config_sha256"] == hashlib.sha256((run / "config.yaml").read_bytes()).hexdigest()
    assert version.metrics["macro_f1"] == {"value": 0.8, "low": pytest.approx(0.7), "high": pytest.approx(0.9)}
    kept = artifact(registry, 1)
    assert kept.read_bytes() == (run / "model.onnx").read_bytes()
    for name in ("report/report.json", "report/report.md", "config.yaml", "lineage.json", "MLmodel"):
        assert (kept.parent / name).is_file()


def test_mlflow_itself_can_load_it_by_alias_and_by_stage(
    registry: Registry, make_run: MakeRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry.register(make_run(0))
    registry.promote("1", "production")
    import mlflow

    before = mlflow.get_tracking_uri()
    mlflow.set_tracking_uri(registry.tracking.uri)
    try:
        with registry.tracking.client():  # quiet about MLflow's own warnings
            waveform = np.random.default_rng(0).normal(size=(2, RATE)).astype(np.float32)
            graph = mlflow.onnx.load_model("models:/timbre@production")
            assert [node.name for node in graph.graph.input] == ["waveform"]
            for uri in ("models:/timbre@production", "models:/timbre/Production", "models:/timbre/1"):
                answer = mlflow.pyfunc.load_model(uri).predict(waveform)
            with pytest.raises(mlflow.exceptions.MlflowException):
                mlflow.pyfunc.load_model("models:/timbre/1").predict(waveform[:, :100])
    finally:
        mlflow.set_tracking_uri(before)
    expected = OnnxEngine(artifact(registry, 1)).run(waveform)
    assert np.array_equal(answer["probabilities"], expected.probabilities)


def test_the_same_model_and_report_are_registered_once(registry: Registry, make_run: MakeRun) -> None:
    run = make_run(0)
    registry.register(run)
    version, is_new = registry.register(run)
    assert (version.number, is_new) == (1, False)
    write_report(run, sha256=version.onnx_sha256, macro_f1=0.9)  # measured again
    version, is_new = registry.register(run)
    assert (version.number, is_new) == (2, True)
    assert version.metrics["macro_f1"]["value"] == 0.9
    assert registry.version("1").metrics["macro_f1"]["value"] == 0.8


def test_artifacts_go_to_the_run_that_trained_it_if_it_is_here(registry: Registry, make_run: MakeRun) -> None:
    registry.prepare_tracking()
    trained = registry.tracking.create_run(name="training", tags={})
    here, _ = registry.register(make_run(0, lineage={"mlflow_run_id": trained}))
    elsewhere, _ = registry.register(make_run(1, lineage={"mlflow_run_id": "0" * 32}))
    assert here.run_id == trained
    assert elsewhere.run_id not in {trained, "0" * 32}
    assert registry.tracking.has_run(elsewhere.run_id)


def test_what_cannot_be_registered_is_said_and_leaves_nothing(registry: Registry, tmp_path: Path) -> None:
    with pytest.raises(NoModelError, match="run timbre export first"):
        registry.register(tmp_path)
    (tmp_path / "model.onnx").write_bytes(b"not a model")
    with pytest.raises(ModelFileError):
        registry.register(tmp_path)
    assert registry.versions() == []


def test_a_report_that_is_no_json_is_said(registry: Registry, make_run: MakeRun) -> None:
    run = make_run(0)
    (run / "report" / "report.json").write_text("half a rep")
    with pytest.raises(EvidenceError, match="run `timbre evaluate` again"):
        registry.register(run)


def test_a_store_that_changes_the_bytes_registers_nothing(
    registry: Registry, make_run: MakeRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    log_files = registry.tracking.log_files

    def corrupt(run_id: str, folder: Path, *, under: str | None = None) -> None:
        (folder / "model.onnx").write_bytes(b"bit rot")
        log_files(run_id, folder, under=under)

    monkeypatch.setattr(registry.tracking, "log_files", corrupt)
    with pytest.raises(IntegrityError, match="nothing registered"):
        registry.register(make_run(0))
    assert registry.versions() == []
