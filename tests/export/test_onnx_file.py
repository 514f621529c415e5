"""The model file: it answers what torch answers, alone and in company, and carries its contract."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch

from tests.export.conftest import LABELS, Exported, ask, build
from timbre.audio import decode, fit
from timbre.contract import METADATA_KEY, ModelContract
from timbre.export import ExportError, ParityError, export_onnx, onnx_file, physics_clips

SAMPLES, RATE = 661500, 22050


def noise(count: int) -> np.ndarray:
    dice = np.random.default_rng(count)
    return (dice.standard_normal((count, SAMPLES)) * np.linspace(0.01, 0.5, count)[:, None]).astype(np.float32)


def test_the_signature_is_the_contracts(exported: Exported) -> None:
    (waveform,), (probabilities, embedding) = exported.session.get_inputs(), exported.session.get_outputs()
    assert (waveform.name, waveform.type, waveform.shape) == ("waveform", "tensor(float)", ["batch", SAMPLES])
    assert (probabilities.name, probabilities.type, probabilities.shape) == (
        "probabilities",
        "tensor(float)",
        ["batch", 4],
    )
    assert (embedding.name, embedding.type, embedding.shape) == ("embedding", "tensor(float)", ["batch", 256])


def test_the_contract_is_in_the_metadata_with_the_parity(exported: Exported) -> None:
    text = exported.session.get_modelmeta().custom_metadata_map[METADATA_KEY]
    contract = ModelContract.from_json(text)
    assert contract == exported.report.contract
    assert replace(contract, lineage={"git_sha": "abc"}) == exported.contract
    parity = contract.lineage["parity"]
    assert parity["max_abs_diff"] <= parity["tolerance"] == 1e-4
    assert parity["clips"] == 6
    assert parity["onnxruntime"]


def test_everything_is_in_one_file(exported: Exported) -> None:
    assert [path.name for path in exported.report.path.parent.iterdir()] == ["model.onnx"]
    assert not any(tensor.external_data for tensor in exported.model.graph.initializer)
    assert exported.report.size_bytes == exported.report.path.stat().st_size


def test_only_standard_operators_and_no_dropout(exported: Exported) -> None:
    assert [(opset.domain, opset.version) for opset in exported.model.opset_import] == [("", 20)]
    assert not exported.model.functions
    scan = next(node for node in exported.model.graph.node if node.op_type == "Scan")
    kinds = {node.op_type for node in [*exported.model.graph.node, *scan.attribute[0].g.node]}
    assert not kinds & {"Dropout", "STFT", "DFT", "RandomNormal", "RandomUniform", "GatherND"}


def test_the_file_names_no_folder_of_this_machine(exported: Exported, root: Path) -> None:
    data = exported.report.path.read_bytes()
    assert str(root).encode() not in data
    assert b"onnx_file.py" not in data


def test_weights_are_there_once(exported: Exported) -> None:
    weights = sum(p.numel() for p in exported.classifier.parameters())
    assert 4 * weights < exported.report.size_bytes < 4 * weights + 3_000_000


@pytest.mark.parametrize("batch", [1, 2, 8])
def test_any_batch_answers_as_torch(exported: Exported, batch: int) -> None:
    clips = noise(batch)
    probabilities, embedding = ask(exported.session, clips)
    with torch.inference_mode():
        expected, expected_embedding = exported.classifier.eval()(torch.from_numpy(clips))
    np.testing.assert_allclose(probabilities, expected, atol=1e-5)
    np.testing.assert_allclose(embedding, expected_embedding, atol=1e-4 * float(expected_embedding.max()))


def test_alone_as_in_company(exported: Exported) -> None:
    clips = np.concatenate([physics_clips(samples=SAMPLES, sample_rate=RATE), noise(2)])
    together, _ = ask(exported.session, clips)
    for clip, expected in zip(clips, together, strict=True):
        np.testing.assert_allclose(ask(exported.session, clip[None])[0][0], expected, atol=1e-5)


def test_music_answers_as_torch(exported: Exported, emotify: Path) -> None:
    files = [sorted((emotify / genre).glob("*.mp3"))[0] for genre in LABELS]
    clips = np.stack([fit(decode(file, sample_rate=RATE, max_samples=SAMPLES).waveform, SAMPLES) for file in files])
    probabilities, _ = ask(exported.session, clips)
    with torch.inference_mode():
        expected, _ = exported.classifier.eval()(torch.from_numpy(clips))
    np.testing.assert_allclose(probabilities, expected, atol=1e-4)
    assert np.ptp(probabilities, axis=0).max() > 0.01  # or the comparison would say nothing


@pytest.mark.parametrize("poison", [np.nan, np.inf, -np.inf, 3e38])
def test_a_broken_clip_gives_nan_for_itself_alone(exported: Exported, poison: float) -> None:
    clips = noise(3)
    whole, _ = ask(exported.session, clips)
    clips[1, 12345] = poison
    broken, _ = ask(exported.session, clips)
    assert np.isnan(broken[1]).all()
    np.testing.assert_allclose(broken[[0, 2]], whole[[0, 2]], atol=1e-5)


def test_a_graph_of_other_weights_is_refused_and_leaves_nothing(
    exported: Exported, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = build(exported.config)
    with torch.no_grad():
        other.head.weight *= -1
    monkeypatch.setattr(onnx_file, "_graph", lambda _classifier: exported.model)
    with pytest.raises(ParityError, match=r"differ by 0\.\d+ in a probability on 3 clips"):
        export_onnx(other, exported.contract, tmp_path / "model.onnx", noise(3))
    assert list(tmp_path.iterdir()) == []


def test_nan_never_passes_for_parity(exported: Exported, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(onnx_file, "_graph", lambda _classifier: exported.model)
    clips = noise(2)
    clips[0, 0] = np.nan
    with pytest.raises(ParityError, match="differ by nan"):
        export_onnx(exported.classifier, exported.contract, tmp_path / "model.onnx", clips)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"sample_rate": 44100}, "at 44100 Hz"),
        ({"clip_seconds": 10.0}, "220500 samples"),
        ({"labels": ("a", "b")}, "labels"),
    ],
)
def test_a_contract_of_another_model_is_refused(exported: Exported, tmp_path: Path, change: dict, says: str) -> None:
    with pytest.raises(ExportError, match=says):
        export_onnx(exported.classifier, replace(exported.contract, **change), tmp_path / "model.onnx", noise(1))


def test_an_old_file_stays_when_writing_fails(
    exported: Exported, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "model.onnx"
    out.write_text("the old model")
    monkeypatch.setattr(onnx_file, "_graph", lambda _classifier: exported.model)

    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(onnx_file.os, "fsync", full)
    with pytest.raises(ExportError, match="No space left on device"):
        export_onnx(exported.classifier, exported.contract, out, noise(1))
    assert out.read_text() == "the old model"
    assert [path.name for path in tmp_path.iterdir()] == ["model.onnx"]


def test_the_classifier_is_left_as_it_was(exported: Exported, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(onnx_file, "_graph", lambda _classifier: onnx.load(exported.report.path))
    classifier = build(exported.config).train()
    before = {name: tensor.clone() for name, tensor in classifier.state_dict().items()}
    export_onnx(classifier, exported.contract, tmp_path / "model.onnx", noise(1))
    assert classifier.training
    assert all(torch.equal(tensor, before[name]) for name, tensor in classifier.state_dict().items())
