"""From labelled audio to a served answer with the commands of the README, on a corpus made by physics."""

import csv
import hashlib
import json
from pathlib import Path

import pytest
import yaml

from tests.end_to_end.conftest import Timbre
from timbre.cli.demo_server import ask, running_server
from timbre.inference import OnnxEngine

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

SHORT = ["contract.clip_seconds=3.0"]
RUN = "outputs/run"
QUICK = [  # so few clips and steps bear neither much dropout nor noise
    "augment=none",
    "datamodule.batch_size=6",
    "model.conv_dropouts=[0.0,0.0,0.0,0.0]",
    "model.dense_dropout=0.1",
    "optimizer.lr=5e-4",
    "trainer.max_epochs=10",
]


@pytest.fixture(scope="module")
def walked(timbre: Timbre, music: Path) -> Path:
    """The working folder after prepare, train, export, evaluate and register."""
    data = ["data=folder", f"data.source.root={music}", *SHORT]
    timbre("prepare", *data, code=1)  # one file is text
    timbre("train", *data, *QUICK, f"hydra.run.dir={RUN}")
    timbre("export", *data, f"run_dir={RUN}")
    timbre("evaluate", *data, f"run_dir={RUN}")
    timbre("models", "register", "--run-dir", RUN)
    return timbre.home


def test_the_bad_file_is_named_and_the_others_are_used(walked: Path) -> None:
    with (walked / "data" / "folder" / "rejected.csv").open() as file:
        assert [Path(row["path"]).name for row in csv.DictReader(file)] == ["notes.mp3"]
    with (walked / "data" / "folder" / "manifest.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 60
    assert {row["split"] for row in rows} == {"train", "val", "test"}


def test_no_artist_is_in_two_splits(walked: Path) -> None:
    with (walked / "data" / "folder" / "manifest.csv").open() as file:
        splits_of: dict[str, set[str]] = {}
        for row in csv.DictReader(file):
            splits_of.setdefault(row["artist"], set()).add(row["split"])
    assert all(len(splits) == 1 for splits in splits_of.values())


def test_the_model_learned_and_its_report_belongs_to_it(walked: Path) -> None:
    run = walked / RUN
    report = json.loads((run / "report" / "report.json").read_text())
    assert report["model_sha256"] == hashlib.sha256((run / "model.onnx").read_bytes()).hexdigest()
    accuracy = report["metrics"]["accuracy"]
    assert accuracy["value"] >= 0.8
    assert accuracy["low"] <= accuracy["value"] <= accuracy["high"]
    assert {path.name for path in (run / "report").glob("*.png")} >= {
        "confusion.png",
        "reliability.png",
        "mistakes.png",
    }


def test_the_run_says_what_made_it(walked: Path) -> None:
    run = walked / RUN
    lineage = json.loads((run / "lineage.json").read_text())
    manifest = (walked / "data" / "folder" / "manifest.csv").read_bytes()
    assert lineage["data_manifest_sha256"] == hashlib.sha256(manifest).hexdigest()
    assert yaml.safe_load((run / "config.yaml").read_text())["contract"]["clip_seconds"] == 3.0


def test_the_model_file_carries_its_contract_and_lineage(walked: Path) -> None:
    contract = OnnxEngine(walked / RUN / "model.onnx").contract
    assert contract.labels == ("clicks", "high", "low")
    assert contract.clip_samples == 3 * 22050
    assert contract.lineage["data_manifest_sha256"]
    assert contract.lineage["parity"]["max_abs_diff"] <= 1e-4


def test_promotion_serving_and_prediction_agree(walked: Path, timbre: Timbre, music: Path) -> None:
    timbre("models", "promote", "1", "--to", "production")
    clip = music / "high" / "0-1.mp3"
    line = timbre("predict", str(clip), "--jsonl").stdout
    predicted = json.loads(line)
    assert predicted["genre"] == "high"
    command = [*timbre("doctor", "--json").args[:3], "serve", "--model", str(walked / RUN / "model.onnx")]
    with running_server(command, None) as url:
        answered = ask(url, clip)
    assert answered["genre"] == "high"
    assert answered["model"]["sha256"] == predicted["model"]["sha256"]
    assert answered["all_probabilities"] == pytest.approx(predicted["all_probabilities"], abs=1e-5)


def test_preparing_again_changes_nothing(walked: Path, timbre: Timbre, music: Path) -> None:
    index = walked / "data" / "folder" / "store" / "index.json"
    before = index.stat().st_mtime_ns
    timbre("prepare", "data=folder", f"data.source.root={music}", *SHORT, code=1)
    assert index.stat().st_mtime_ns == before
