"""The life of a version: registered, gated, promoted, rolled back, fetched; and what goes wrong on the way."""

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.registry.conftest import RATE, MakeRun, build_registry, write_report
from timbre.errors import GateRefusedError, NoModelError
from timbre.inference import ModelFileError, OnnxEngine
from timbre.registry import Registry, TrackingError
from timbre.registry.address import Address, AddressError
from timbre.registry.artifacts import IntegrityError
from timbre.registry.evidence import EvidenceError
from timbre.registry.lifecycle import LifecycleError


def stages(registry: Registry) -> dict[int, str]:
    return {version.number: version.stage for version in registry.versions()}


def native_stages(registry: Registry) -> dict[int, str]:
    """What MLflow itself says, for those who still read its stages."""
    with registry.tracking.client() as client:
        return {int(raw.version): raw.current_stage for raw in client.search_model_versions("name='timbre'")}


def artifact(registry: Registry, number: int) -> Path:
    """The version's model file in the artifact store."""
    source = registry.version(str(number)).source
    place = source.split("/", 2)[2]
    found = list(registry.tracking.database.parent.glob(f"mlartifacts/*/artifacts/{place}/model.onnx"))
    assert len(found) == 1
    return found[0]


# Registering


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


# Promoting and rolling back


def test_the_whole_life(registry: Registry, make_run: MakeRun) -> None:
    for seed in range(3):
        registry.register(make_run(seed))
    assert stages(registry) == {1: "None", 2: "None", 3: "None"}

    registry.promote("1", "staging")
    assert stages(registry)[1] == "Staging"
    assert registry.promote("staging", "production").archived is None
    assert registry.version("production").number == 1
    assert registry.version("1").aliases == ("production",)  # and no longer staging

    assert registry.promote("2", "production").archived == 1
    assert registry.promote("3", "production").archived == 2
    assert stages(registry) == native_stages(registry) == {1: "Archived", 2: "Archived", 3: "Production"}

    change = registry.roll_back("production")
    assert (change.version, change.archived) == (2, 3)
    change = registry.roll_back("production")
    assert (change.version, change.archived) == (1, 2)
    assert stages(registry) == native_stages(registry) == {1: "Production", 2: "Archived", 3: "Archived"}
    with pytest.raises(NoModelError, match="version 1 is the first there"):
        registry.roll_back("production")

    assert registry.promote("3", "production").archived == 1  # forward again
    assert registry.roll_back("production").version == 1
    told = [event["what"] for event in registry.version("1").events]
    assert told == [
        "registered",
        "promoted to staging",
        "promoted to production",
        "archived: version 2 took its place in production",
        "brought back to production by a rollback",
        "archived: version 3 took its place in production",
        "brought back to production by a rollback",
    ]
    assert all(event["by"] and event["at"].endswith("+00:00") for event in registry.version("1").events)


def test_staging_has_a_past_of_its_own(registry: Registry, make_run: MakeRun) -> None:
    for seed in range(3):
        registry.register(make_run(seed))
    registry.promote("1", "staging")
    registry.promote("2", "staging")
    registry.promote("2", "production")  # leaves staging, and staging's past
    registry.promote("3", "staging")
    assert stages(registry) == {1: "Archived", 2: "Production", 3: "Staging"}
    assert registry.roll_back("staging").version == 1
    assert stages(registry) == {1: "Staging", 2: "Production", 3: "Archived"}


def test_promoting_what_is_there_changes_nothing(registry: Registry, make_run: MakeRun) -> None:
    registry.register(make_run(0))
    registry.promote("1", "production")
    events = registry.version("1").events
    assert registry.promote("1", "production").archived is None
    assert registry.version("1").events == events


def test_production_is_never_emptied_by_staging_its_version(registry: Registry, make_run: MakeRun) -> None:
    registry.register(make_run(0))
    registry.promote("1", "production")
    with pytest.raises(LifecycleError, match="in production"):
        registry.promote("1", "staging")
    assert registry.version("production").number == 1


def test_an_alias_moved_by_others_is_the_truth(registry: Registry, make_run: MakeRun) -> None:
    for seed in range(4):
        registry.register(make_run(seed))
    registry.promote("1", "production")
    registry.promote("2", "production")
    with registry.tracking.client() as client:
        client.set_registered_model_alias("timbre", "production", "3")  # somebody's CI, with MLflow alone
    assert stages(registry) == {1: "Archived", 2: "Archived", 3: "Production", 4: "None"}
    assert registry.promote("4", "production").archived == 3
    assert [registry.roll_back("production").version for _ in range(3)] == [3, 2, 1]
    registry.promote("4", "production")
    with registry.tracking.client() as client:
        client.set_registered_model_alias("timbre", "production", "1")  # somebody's own rollback
    with pytest.raises(NoModelError, match="first there"):
        registry.roll_back("production")


def test_a_deleted_version_takes_its_alias_with_it_and_rollback_still_works(
    registry: Registry, make_run: MakeRun
) -> None:
    for seed in range(3):
        registry.register(make_run(seed))
        registry.promote(str(seed + 1), "production")
    with registry.tracking.client() as client:
        client.delete_model_version("timbre", "3")
        client.delete_model_version("timbre", "1")
    with pytest.raises(NoModelError, match="no version of timbre is in production"):
        registry.version("production")
    change = registry.roll_back("production")
    assert (change.version, change.archived) == (2, None)
    with pytest.raises(NoModelError):
        registry.roll_back("production")


def test_a_promotion_killed_half_way_is_mended_by_the_next(
    registry: Registry, make_run: MakeRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    for seed in range(3):
        registry.register(make_run(seed))
    registry.promote("1", "production")

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("timbre.registry.lifecycle.Lifecycle._record", killed)
        with pytest.raises(KeyboardInterrupt):
            registry.promote("2", "production")
    assert stages(registry) == {1: "Archived", 2: "Production", 3: "None"}  # the alias had moved
    registry.promote("2", "production")
    assert native_stages(registry) == {1: "Archived", 2: "Production", 3: "None"}
    registry.promote("3", "production")
    assert [registry.roll_back("production").version for _ in range(2)] == [2, 1]


def promote_in_process(home: str, number: int) -> None:
    build_registry(Path(home)).promote(str(number), "production")


def test_promotions_at_once_queue_and_none_is_lost(
    registry: Registry, make_run: MakeRun, at_once: Callable[..., list[int]]
) -> None:
    for seed in range(4):
        registry.register(make_run(seed))
    home = str(registry.tracking.database.parent)
    assert at_once(promote_in_process, [(home, number) for number in range(1, 5)]) == [0, 0, 0, 0]
    assert sorted(stages(registry).values()) == ["Archived", "Archived", "Archived", "Production"]
    seen = [registry.version("production").number, *(registry.roll_back("production").version for _ in range(3))]
    assert sorted(seen) == [1, 2, 3, 4]


# The gates at the door


def test_a_refusal_lists_every_reason_and_changes_nothing(registry: Registry, make_run: MakeRun) -> None:
    registry.register(make_run(0, lineage={"parity": None, "git_sha": "unknown"}, macro_f1=0.2))
    with pytest.raises(GateRefusedError) as caught:
        registry.promote("1", "production")
    assert caught.value.exit_code == 4
    for reason in ("parity is missing", "git commit is unknown", "macro F1 is 0.200, below the floor of 0.500"):
        assert reason in str(caught.value)
    assert "\n" not in str(caught.value)
    assert stages(registry) == {1: "None"}


def test_without_a_report_there_is_no_promotion(registry: Registry, make_run: MakeRun) -> None:
    registry.register(make_run(0, report=False))
    with pytest.raises(GateRefusedError, match="the report is missing"):
        registry.promote("1", "staging")


def test_metrics_of_another_file_are_not_shown_as_ours(registry: Registry, make_run: MakeRun) -> None:
    run = make_run(0)
    write_report(run, sha256="f" * 64)
    version, _ = registry.register(run)
    assert version.metrics == {}
    with pytest.raises(GateRefusedError, match="another model file"):
        registry.promote("1", "staging")


def test_changed_bytes_are_refused_everywhere(registry: Registry, make_run: MakeRun) -> None:
    registry.register(make_run(0))
    registry.register(make_run(1))
    registry.promote("1", "production")
    registry.promote("2", "production")
    file = artifact(registry, 1)
    file.write_bytes(file.read_bytes() + b"\0")
    for attempt in (
        lambda: registry.promote("1", "staging"),
        lambda: registry.roll_back("production"),
        lambda: registry.fetch("models:/timbre/1"),
    ):
        with pytest.raises(GateRefusedError, match="has changed since it was registered"):
            attempt()
    assert stages(registry) == {1: "Archived", 2: "Production"}
    assert not list(registry.cache_dir.rglob("*.onnx"))


def test_a_changed_lost_or_added_report_is_refused(registry: Registry, make_run: MakeRun) -> None:
    weak, bare = make_run(0, macro_f1=0.2), make_run(1, report=False)
    registry.register(weak)
    registry.register(bare)
    report = artifact(registry, 1).parent / "report" / "report.json"
    better = report.read_text().replace("0.2,", "0.9,")
    assert better != report.read_text()
    report.write_text(better)
    added = artifact(registry, 2).parent / "report" / "report.json"
    added.parent.mkdir()
    shutil.copyfile(report, added)
    for number in ("1", "2"):
        with pytest.raises(GateRefusedError, match=f"the report of version {number} is not the one"):
            registry.promote(number, "staging")
    report.unlink()
    with pytest.raises(GateRefusedError, match="the report of version 1 is not the one"):
        registry.promote("1", "staging")
    assert stages(registry) == {1: "None", 2: "None"}


def test_lost_artifacts_are_one_line(registry: Registry, make_run: MakeRun) -> None:
    registry.register(make_run(0))
    shutil.rmtree(artifact(registry, 1).parent)
    with pytest.raises(TrackingError, match="register its run again"):
        registry.promote("1", "production")
    with pytest.raises(TrackingError, match="register its run again"):
        registry.fetch("1")


def test_a_version_of_someone_elses_making_has_no_sha256_and_is_refused(registry: Registry) -> None:
    registry.prepare_tracking()
    run = registry.tracking.create_run(name="x", tags={})
    with registry.tracking.client() as client:
        client.create_registered_model("timbre")
        client.create_model_version("timbre", f"runs:/{run}/model", run_id=run)
    assert stages(registry) == {1: "None"}
    for attempt in (lambda: registry.promote("1", "staging"), lambda: registry.fetch("1")):
        with pytest.raises(GateRefusedError, match="timbre models register"):
            attempt()


# Fetching


def test_fetch_verifies_caches_and_copies_once(registry: Registry, make_run: MakeRun) -> None:
    run = make_run(0)
    version, _ = registry.register(run)
    registry.promote("1", "production")
    addresses = ("models:/timbre@production", "models:/timbre/1", "models:/timbre/Production", "models:/timbre/latest")
    paths = [registry.fetch(address) for address in addresses]
    assert len(set(paths)) == 1
    assert paths[0].read_bytes() == (run / "model.onnx").read_bytes()
    assert version.onnx_sha256 in paths[0].parts
    artifact(registry, 1).unlink()  # nothing is copied any more, so nothing is missed
    before = paths[0].stat().st_mtime_ns
    assert registry.fetch(addresses[0]) == paths[0]
    assert paths[0].stat().st_mtime_ns == before


def test_fetch_into_a_folder_replaces_other_bytes(registry: Registry, make_run: MakeRun, tmp_path: Path) -> None:
    run = make_run(0)
    registry.register(run)
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "model.onnx").write_bytes(b"an older model")
    path = registry.fetch("1", output=tmp_path / "out")
    assert path == tmp_path / "out" / "model.onnx"
    assert path.read_bytes() == (run / "model.onnx").read_bytes()
    assert [item.name for item in (tmp_path / "out").iterdir()] == ["model.onnx"]


def test_a_damaged_cache_is_fetched_anew(registry: Registry, make_run: MakeRun) -> None:
    run = make_run(0)
    registry.register(run)
    path = registry.fetch("1")
    path.write_bytes(b"half a fi")
    assert registry.fetch("1").read_bytes() == (run / "model.onnx").read_bytes()


def test_no_model_is_exit_code_3_with_what_to_do(registry: Registry, make_run: MakeRun, tmp_path: Path) -> None:
    with pytest.raises(NoModelError, match="no version of timbre is registered"):
        registry.fetch("models:/timbre@production")
    registry.register(make_run(0))
    with pytest.raises(NoModelError, match="promote VERSION --to production"):
        registry.fetch("models:/timbre@production")
    with pytest.raises(NoModelError, match="has no version 7: it has 1"):
        registry.fetch("models:/timbre/7")
    with pytest.raises(NoModelError, match="no version of other is registered"):
        registry.fetch("models:/other/7")
    with pytest.raises(NoModelError, match="there is no model registry"):
        build_registry(tmp_path / "nowhere").fetch("models:/timbre@production")


@pytest.mark.parametrize(
    "text", ["models:/", "models:/timbre", "models:timbre", "models:/a/b/c", "models:/a@", "a b", ""]
)
def test_what_is_no_address_is_said(text: str) -> None:
    with pytest.raises(AddressError, match="models:/timbre/3"):
        Address.parse(text, name="timbre")


def test_only_our_own_model_is_promoted(registry: Registry, make_run: MakeRun) -> None:
    registry.register(make_run(0))
    with pytest.raises(AddressError, match="not of other"):
        registry.promote("models:/other/1", "staging")


def test_listing_reads_every_page_and_is_newest_first(
    registry: Registry, make_run: MakeRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry.register(make_run(0))
    with registry.tracking.client() as client:
        for _ in range(4):
            client.create_model_version("timbre", "runs:/x/y", tags={"onnx_sha256": "0" * 64})
    monkeypatch.setattr("timbre.registry.versions.PAGE", 2)
    versions = registry.versions()
    assert [version.number for version in versions] == [5, 4, 3, 2, 1]
    json.dumps([version.to_dict() for version in versions])
