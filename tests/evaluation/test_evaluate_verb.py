"""`timbre evaluate` on files whose right answers are known: the report, the exit codes, what goes to MLflow."""

import csv
import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from tests.registry.conftest import migrated  # noqa: F401 - a fixture
from tests.tiny_model import write_tiny_model
from timbre.cli import evaluate, prepare
from timbre.cli.evaluate import EvaluateError
from timbre.cli.hydra_app import compose
from timbre.data import manifest_sha256
from timbre.errors import NoModelError, TimbreError

RATE = 8000
MISTAKEN = "loud/a3-1.wav"
"""A loud file that is as quiet as the quiet ones: the model's one mistake."""

Evaluate = Callable[..., int]


def write_music(root: Path) -> None:
    """Four artists a genre, two files each; artists 0 and 1 train, 2 validates, 3 tests."""
    rows = []
    time = np.arange(RATE * 2) / RATE
    for genre, level in (("loud", 0.5), ("quiet", 0.02)):
        (root / genre).mkdir(parents=True)
        for artist in range(4):
            for number in range(2):
                name = f"{genre}/a{artist}-{number}.wav"
                actual = 0.02 if name == MISTAKEN else level
                pitch = 200 + 37 * len(rows)
                soundfile.write(root / name, actual * np.sin(2 * np.pi * pitch * time), RATE)
                rows.append({"path": name, "genre": genre, "artist": f"{genre} {artist}", "fold": artist})
    with (root / "manifest.csv").open("w", newline="") as handle:
        writer = csv.DictWriter(handle, ["path", "genre", "artist", "fold"])
        writer.writeheader()
        writer.writerows(rows)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with prepared data and a run that holds a model."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    write_music(tmp_path / "music")
    overrides = [
        "data=folder",
        "data.source.root=music",
        "data.dir=data",
        "data/split=folds",
        "contract.sample_rate=8000",
    ]
    assert prepare.job(compose("prepare", [*overrides, "contract.clip_seconds=1", "limits.workers=1"])) == 0
    (tmp_path / "run").mkdir()
    write_tiny_model(tmp_path / "run" / "model.onnx", clip_seconds=1, sample_rate=RATE)
    return tmp_path


def run(*overrides: str) -> int:
    fixed = [
        "data=folder",
        "data.source.root=music",
        "data.dir=data",
        "run_dir=run",
        "workers=1",
        "interval.resamples=50",
    ]
    return evaluate.job(compose("evaluate", [*fixed, *overrides]))


def test_the_report_tells_what_is_known(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run() == 0
    report = json.loads((home / "run" / "report" / "report.json").read_text())
    assert report["model_sha256"] == hashlib.sha256((home / "run" / "model.onnx").read_bytes()).hexdigest()
    assert report["data_manifest_sha256"] == manifest_sha256(home / "data")
    assert report["split"] == "test"
    assert report["clips"] == 4
    assert report["confusion"] == {"labels": ["loud", "quiet"], "counts": [[1, 1], [0, 2]]}
    assert report["metrics"]["accuracy"]["value"] == 0.75
    assert [item["path"] for item in report["mistakes"]] == [MISTAKEN]
    assert report["interval"]["unit"] == "artist"
    said = capsys.readouterr()
    assert "0.750" in said.out
    assert "not in MLflow" in said.err
    assert not (home / "outputs").exists()  # and no database was made for it


def test_another_split_by_name(home: Path) -> None:
    assert run("split=train", "report_dir=elsewhere/report") == 0
    report = json.loads((home / "elsewhere" / "report-train" / "report.json").read_text())
    assert (report["split"], report["clips"]) == ("train", 8)
    assert report["metrics"]["accuracy"] == {"value": 1, "low": 1, "high": 1}


def test_files_that_fail_are_named_and_the_exit_code_is_1(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (home / "music" / "loud" / "a3-0.wav").write_bytes(b"no music any more")
    (home / "music" / "quiet" / "a3-1.wav").unlink()
    assert run() == 1
    err = capsys.readouterr().err
    assert "loud/a3-0.wav: " in err
    assert "quiet/a3-1.wav: " in err
    assert "2 of 4 files could not be answered" in err
    report = json.loads((home / "run" / "report" / "report.json").read_text())
    assert report["clips"] == 2
    assert {failure["path"] for failure in report["failures"]} == {"loud/a3-0.wav", "quiet/a3-1.wav"}


def test_when_nothing_can_be_answered_there_is_no_report(home: Path) -> None:
    for path in (home / "music").rglob("a3-*.wav"):
        path.unlink()
    with pytest.raises(EvaluateError, match="only 0 of 4 files"):
        run()
    assert not (home / "run" / "report").exists()


def test_genres_that_are_not_the_models_are_named(home: Path) -> None:
    manifest = home / "data" / "manifest.csv"
    manifest.write_text(manifest.read_text().replace(",quiet,", ",silent,"))
    with pytest.raises(EvaluateError, match="only the data has silent and only the model has quiet"):
        run()


def test_what_is_not_there_is_said(home: Path) -> None:
    with pytest.raises(NoModelError, match="run timbre export first"):
        run("model_file=nowhere.onnx")
    with pytest.raises(EvaluateError, match="one of train, val, test"):
        run("split=exam")
    with pytest.raises(TimbreError, match="there is no span 'tracks'"):
        run("span=tracks")
    with pytest.raises(TimbreError, match="workers=-1 cannot work"):
        run("workers=-1")
    assert not (home / "run" / "report").exists()


def test_the_report_goes_to_the_run_that_trained_the_model(
    home: Path,
    migrated: Path,  # noqa: F811 - the fixture imported above
    capsys: pytest.CaptureFixture[str],
) -> None:
    from hydra.utils import instantiate

    (home / "outputs").mkdir()
    (home / "outputs" / "mlflow.db").write_bytes(migrated.read_bytes())
    registry = instantiate(compose("registry/default", []).registry)
    registry.prepare_tracking()
    run_id = registry.tracking.create_run(name="training", tags={})
    write_tiny_model(home / "run" / "model.onnx", clip_seconds=1, sample_rate=RATE, lineage={"mlflow_run_id": run_id})
    assert run() == 0
    assert "not in MLflow" not in capsys.readouterr().err
    with registry.tracking.client() as client:
        assert client.get_run(run_id).data.metrics["test/accuracy"] == 0.75
        assert "report-test/report.md" in [item.path for item in client.list_artifacts(run_id, "report-test")]
    assert not (home / "mlruns").exists()


def test_a_tracking_server_that_is_away_costs_a_line_and_not_the_report(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_tiny_model(home / "run" / "model.onnx", clip_seconds=1, sample_rate=RATE, lineage={"mlflow_run_id": "0" * 32})
    assert run("registry.tracking_uri=http://127.0.0.1:9") == 0
    assert "the report is written but not in MLflow: no tracking server answers" in capsys.readouterr().err
    assert (home / "run" / "report" / "report.json").is_file()
