"""What the gates refuse at the door, and what is fetched through it."""

import json
import shutil
from pathlib import Path

import pytest

from tests.registry.conftest import MakeRun, artifact, build_registry, stages, write_report
from timbre.errors import GateRefusedError, NoModelError
from timbre.registry import Registry, TrackingError
from timbre.registry.address import Address, AddressError

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
