"""`timbre export`: from a checkpoint as training writes it to a model file, and the user's mistakes."""

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
from omegaconf import DictConfig, OmegaConf

from tests.export.conftest import LABELS, Exported, ask
from timbre.cli.export import build, job, parity_clips
from timbre.cli.hydra_app import compose
from timbre.contract import METADATA_KEY, ModelContract
from timbre.data import ClipStore
from timbre.errors import NoModelError
from timbre.export import Checkpoint, CheckpointError, onnx_file

Run = Callable[..., Path]


@pytest.fixture
def run(exported: Exported, tmp_path: Path) -> Run:
    """Write a run folder whose checkpoint is laid out as training lays it out."""

    def write(**changes: object) -> Path:
        content = {
            "state_dict": {f"classifier.{name}": tensor for name, tensor in exported.classifier.state_dict().items()},
            "hyper_parameters": {
                "classifier": OmegaConf.to_container(exported.config),
                "labels": list(LABELS),
                "contract": {"sample_rate": 22050, "clip_seconds": 30.0},
                "lineage": {"run": "20260102-030405-000001", "git_sha": "abc", "seed": 17},
            },
        } | changes
        folder = tmp_path / "run"
        (folder / "checkpoints").mkdir(parents=True)
        torch.save(content, folder / "checkpoints" / "best.ckpt")
        return folder

    return write


def config(folder: Path) -> DictConfig:
    return compose("export", [f"run_dir={folder}", f"data.dir={folder / 'no data'}"])


def test_a_checkpoint_becomes_a_model_file(
    run: Run, exported: Exported, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        onnx_file, "_graph", lambda _classifier: exported.model
    )  # parity proves that weights came along
    folder = run()
    assert job(config(folder)) == 0
    out, err = capsys.readouterr()
    assert out == f"{folder / 'model.onnx'}\n"
    assert "6 synthetic clips" in err
    session = onnxruntime.InferenceSession(folder / "model.onnx")
    contract = ModelContract.from_json(session.get_modelmeta().custom_metadata_map[METADATA_KEY])
    assert contract.version == "20260102-030405-000001"
    assert contract.labels == LABELS
    assert contract.lineage["git_sha"] == "abc"
    assert len(contract.lineage["checkpoint_sha256"]) == 64
    clips = np.zeros((1, 661500), np.float32)
    assert (ask(session, clips)[0] == ask(exported.session, clips)[0]).all()


@pytest.mark.parametrize(
    ("rate", "stored", "music", "says"),
    [(22050, 100, 16, "and 16 of test"), (22050, 5, 5, "and 5 of test"), (44100, 100, 0, "another rate or length")],
)
def test_parity_is_tried_on_the_prepared_music_too(
    exported: Exported, monkeypatch: pytest.MonkeyPatch, rate: int, stored: int, music: int, says: str
) -> None:
    class Store:
        sample_rate, clip_samples = rate, 661500

        def __len__(self) -> int:
            return stored

        def waveform(self, row: int) -> np.ndarray:
            return np.full(661500, row, np.float32)

    monkeypatch.setattr(ClipStore, "open", lambda _folder, _split: Store())
    clips, words = parity_clips(exported.contract, Path("data"), split="test", count=16)
    assert says in words
    assert clips.shape == (6 + music, 661500)
    assert clips.dtype == np.float32
    if music:
        rows = clips[6:, 0]
        assert rows[0] == 0
        assert rows[-1] == stored - 1
        assert len(set(rows.tolist())) == music


def test_no_run_is_no_model(tmp_path: Path) -> None:
    with pytest.raises(NoModelError, match=r"there is no checkpoint .*best.ckpt: run `timbre train`"):
        job(config(tmp_path / "nowhere"))


@pytest.mark.parametrize("content", [b"", b"not a checkpoint", b"\x80\x04K\x01.", b"PK\x03\x04 half a zip"])
def test_a_file_of_something_else_is_no_checkpoint(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "checkpoints" / "best.ckpt").write_bytes(content)
    with pytest.raises(CheckpointError, match=r"best.ckpt is not a checkpoint of `timbre train`$"):
        job(config(tmp_path))


@pytest.mark.parametrize("lost", ["state_dict", "hyper_parameters"])
def test_a_checkpoint_of_another_program_is_refused(run: Run, lost: str) -> None:
    with pytest.raises(CheckpointError, match="is not a checkpoint of `timbre train`"):
        job(config(run(**{lost: {}})))


def test_a_checkpoint_of_a_model_we_do_not_have_says_so(run: Run, exported: Exported) -> None:
    classifier = OmegaConf.to_container(exported.config)
    classifier["backbone"]["_target_"] = "timbre.models.Gone"
    plain = {"classifier": classifier, "labels": list(LABELS), "lineage": {}}
    plain["contract"] = {"sample_rate": 22050, "clip_seconds": 30.0}
    with pytest.raises(CheckpointError, match=r"describes a model that this timbre cannot build: .*Gone"):
        job(config(run(hyper_parameters=plain)))


def test_weights_that_do_not_fit_are_named(run: Run, exported: Exported) -> None:
    weights = {f"classifier.{name}": tensor for name, tensor in exported.classifier.state_dict().items()}
    del weights["classifier.head.bias"]
    with pytest.raises(CheckpointError, match=r"cannot build: .*head.bias"):
        job(config(run(state_dict=weights)))


COPY = {"_target_": "shutil.copyfile", "src": "secret", "dst": "stolen"}
TRUSTED = {"_target_": "timbre.models.Classifier"}


@pytest.mark.parametrize(
    ("classifier", "says"),
    [
        (COPY, "'shutil.copyfile' is not of timbre"),
        (TRUSTED | {"backbone": COPY}, "'shutil.copyfile' is not of timbre"),
        (TRUSTED | {"backbone": {"_target_": "timbre.models.SeedCNN", "filters": [3, [COPY]]}}, "shutil.copyfile"),
        (TRUSTED | {"frontend": {"_target_": "timbre.models.classifier.torch.load"}}, "there is no timbre.models"),
        (TRUSTED | {"frontend": {"_target_": "timbre.models.classifier.nn"}}, "is not a network"),
        (TRUSTED | {"frontend": {"_target_": "timbre.features.augment.Dice"}}, "is not a network"),
        ({"_target_": "timbre.models_of_mine.Net"}, "is not of timbre"),
        ({"_target_": "timbre.export.export_onnx"}, "is not of timbre"),
        ({"_target_": "${oc.env:HOME}"}, "is not of timbre"),
        ({"_target_": ["shutil.copyfile"]}, "is not of timbre"),
        (TRUSTED | {"_args_": ["secret", "stolen"]}, "it sets _args_"),
        (TRUSTED | {"frontend": {"_partial_": True}}, "it sets _partial_"),
        (TRUSTED | {"frontend": "${oc.env:HOME}"}, "it holds the placeholder"),
        (TRUSTED | {"frontend": torch.zeros(1)}, "it holds a Tensor"),
    ],
)
def test_a_hostile_checkpoint_runs_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, classifier: dict[str, object], says: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("secret").write_text("key")
    plain = {"classifier": classifier, "labels": ["a", "b"], "lineage": {}}
    plain["contract"] = {"sample_rate": 22050, "clip_seconds": 30.0}
    torch.save({"state_dict": {"classifier.x": torch.zeros(1)}, "hyper_parameters": plain}, "best.ckpt")
    path = Path("best.ckpt")
    with pytest.raises(CheckpointError, match=f"describes a model that this timbre cannot build: .*{re.escape(says)}"):
        build(Checkpoint.read(path), path)
    assert not Path("stolen").exists()


@pytest.mark.parametrize(("label", "says"), [(COPY, "'shutil.copyfile' is not of"), ("${oc.env:HOME}", "placeholder")])
def test_hostile_labels_run_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, exported: Exported, label: object, says: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("secret").write_text("key")
    checkpoint = Checkpoint(
        classifier=OmegaConf.to_container(exported.config),
        labels=("a", label),
        sample_rate=22050,
        clip_seconds=30.0,
        lineage={},
        weights=exported.classifier.state_dict(),
        sha256="0",
    )
    with pytest.raises(CheckpointError, match=says):
        build(checkpoint, Path("best.ckpt"))
    assert not Path("stolen").exists()
