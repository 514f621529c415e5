"""The engine runs what keeps the contract and says in one line what is wrong with everything else."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from timbre.contract import ModelContract
from timbre.errors import NoModelError
from timbre.inference import ModelFileError, OnnxEngine


def test_tells_what_the_file_is(engine: OnnxEngine, model_file: Path, contract: ModelContract) -> None:
    assert engine.contract == contract
    assert engine.path == model_file
    assert engine.sha256 == hashlib.sha256(model_file.read_bytes()).hexdigest()


def test_answers_known_tones(engine: OnnxEngine, tone: Callable[..., np.ndarray]) -> None:
    output = engine.run(np.stack([tone(100, 2), tone(3000, 2), np.zeros(16000, np.float32)]))
    assert output.probabilities.dtype == np.float32
    assert output.probabilities.argmax(axis=1).tolist() == [0, 1, 2]
    np.testing.assert_allclose(output.probabilities.sum(axis=1), 1, atol=1e-6)
    # Mean of |0.5 sin| is 1/pi.
    np.testing.assert_allclose(output.embedding[[0, 2], 0], [1 / np.pi, 0], atol=1e-3)


def test_alone_is_as_in_company(engine: OnnxEngine) -> None:
    batch = np.random.default_rng(0).normal(0, 0.1, (5, 16000)).astype(np.float32)
    together = engine.run(batch).probabilities
    alone = np.concatenate([engine.run(batch[n : n + 1]).probabilities for n in range(5)])
    np.testing.assert_allclose(together, alone, atol=1e-6)


@pytest.mark.parametrize("shape", [(16000,), (1, 15999), (1, 1, 16000)])
def test_refuses_a_wrong_shape(engine: OnnxEngine, shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="the model takes float32"):
        engine.run(np.zeros(shape, np.float32))


def test_refuses_a_wrong_type(engine: OnnxEngine) -> None:
    with pytest.raises(ValueError, match="float64"):
        engine.run(np.zeros((1, 16000)))


def test_a_missing_file_is_no_model(tmp_path: Path) -> None:
    with pytest.raises(NoModelError, match="there is no model file"):
        OnnxEngine(tmp_path / "nothing.onnx")


@pytest.mark.parametrize("content", [b"", b"hello", b"\x08\x07" + b"a" * 50, bytes(range(256)) * 40])
def test_refuses_what_is_not_onnx(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(content)
    with pytest.raises(ModelFileError, match="is not an ONNX file"):
        OnnxEngine(path)


def test_refuses_a_folder(tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match="cannot be read: Is a directory"):
        OnnxEngine(tmp_path)


def test_refuses_onnx_without_a_contract(other_model: Callable[..., Path]) -> None:
    with pytest.raises(ModelFileError, match="carries no contract"):
        OnnxEngine(other_model(metadata=None))


def without_labels(contract: ModelContract) -> str:
    return json.dumps({key: value for key, value in json.loads(contract.to_json()).items() if key != "labels"})


@pytest.mark.parametrize("metadata", ["", "{", "[]", "null", '{"format": 99}', "labels"])
def test_refuses_a_contract_that_cannot_be_read(
    other_model: Callable[..., Path], contract: ModelContract, metadata: str
) -> None:
    text = without_labels(contract) if metadata == "labels" else metadata
    with pytest.raises(ModelFileError, match="contract"):
        OnnxEngine(other_model(metadata=text))


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"input_name": "audio"}, "it has no waveform, only audio"),
        ({"clip_samples": 16001}, r"waveform is tensor\(float\) \['batch', 16001\]"),
        ({"genres": 4}, r"probabilities is tensor\(float\) \['batch', 4\]"),
        ({"batch": 1}, "the contract says float"),
    ],
)
def test_refuses_a_graph_that_breaks_its_contract(
    other_model: Callable[..., Path], contract: ModelContract, arguments: dict[str, object], said: str
) -> None:
    with pytest.raises(ModelFileError, match=said):
        OnnxEngine(other_model(metadata=contract.to_json(), **arguments))


def test_errors_are_one_line(other_model: Callable[..., Path]) -> None:
    with pytest.raises(ModelFileError) as caught:
        OnnxEngine(other_model(metadata="{"))
    assert "\n" not in str(caught.value)
