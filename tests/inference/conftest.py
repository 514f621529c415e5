"""A tiny model that keeps the contract and whose answers are known, and audio files it can be asked about."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
import soundfile
from onnx import TensorProto, helper, numpy_helper

from timbre.contract import METADATA_KEY, ModelContract
from timbre.inference import OnnxEngine

CONTRACT = ModelContract(
    sample_rate=8000, clip_seconds=2.0, labels=("low", "high", "silent"), version="tiny", lineage={"made": "by hand"}
)


def tiny_graph(
    *,
    clip_samples: int = CONTRACT.clip_samples,
    genres: int = 3,
    input_name: str = "waveform",
    batch: str | int = "batch",
) -> onnx.GraphProto:
    """Loudness e and roughness d (mean absolute difference of neighbours) tell a low tone from a high one and silence.

    embedding = (e, d); probabilities = softmax(40 (e/2 - d), 40 (d - e/2), 1).
    """
    weights = np.zeros((2, genres), np.float32)
    weights[:, 0], weights[:, 1] = (20, -40), (-20, 40)
    bias = np.zeros(genres, np.float32)
    bias[-1] = 1.0
    constants = {"from0": [0], "from1": [1], "to_last": [-1], "to_end": [2**31], "axis": [1]}
    initializers = [numpy_helper.from_array(np.array(value, np.int64), name) for name, value in constants.items()]
    initializers += [numpy_helper.from_array(weights, "weights"), numpy_helper.from_array(bias, "bias")]
    nodes = [
        helper.make_node("Abs", [input_name], ["size"]),
        helper.make_node("ReduceMean", ["size", "axis"], ["e"], keepdims=1),
        helper.make_node("Slice", [input_name, "from0", "to_last", "axis"], ["before"]),
        helper.make_node("Slice", [input_name, "from1", "to_end", "axis"], ["after"]),
        helper.make_node("Sub", ["after", "before"], ["step"]),
        helper.make_node("Abs", ["step"], ["step_size"]),
        helper.make_node("ReduceMean", ["step_size", "axis"], ["d"], keepdims=1),
        helper.make_node("Concat", ["e", "d"], ["embedding"], axis=1),
        helper.make_node("Gemm", ["embedding", "weights", "bias"], ["logits"]),
        helper.make_node("Softmax", ["logits"], ["probabilities"], axis=1),
    ]
    return helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info(input_name, TensorProto.FLOAT, [batch, clip_samples])],
        [
            helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, [batch, genres]),
            helper.make_tensor_value_info("embedding", TensorProto.FLOAT, [batch, 2]),
        ],
        initializers,
    )


def save(graph: onnx.GraphProto, path: Path, metadata: str | None) -> Path:
    """Write a graph as an ONNX file, with `metadata` under the contract's key."""
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    if metadata is not None:
        helper.set_model_props(model, {METADATA_KEY: metadata})
    onnx.save(model, path)
    return path


@pytest.fixture(scope="session")
def contract() -> ModelContract:
    return CONTRACT


@pytest.fixture(scope="session")
def model_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save(tiny_graph(), tmp_path_factory.mktemp("model") / "model.onnx", CONTRACT.to_json())


@pytest.fixture
def other_model(tmp_path: Path) -> Callable[..., Path]:
    """Write a model that differs from the contract's: `other_model(metadata=..., **graph arguments)`."""

    def write(*, metadata: str | None = None, **arguments: object) -> Path:
        return save(tiny_graph(**arguments), tmp_path / "other.onnx", metadata)

    return write


@pytest.fixture(scope="session")
def engine(model_file: Path) -> OnnxEngine:
    return OnnxEngine(model_file, threads=1)


@pytest.fixture(scope="session")
def tone() -> Callable[..., np.ndarray]:
    """`tone(hertz, seconds, rate=8000)`: a sine of amplitude 0.5, float32."""

    def make(hertz: float, seconds: float, rate: int = 8000) -> np.ndarray:
        return (0.5 * np.sin(2 * np.pi * hertz * np.arange(round(seconds * rate)) / rate)).astype(np.float32)

    return make


@pytest.fixture
def wav(tmp_path: Path) -> Callable[..., Path]:
    """`wav(name, samples, rate=8000)`: write a 16-bit WAV file and give its path."""

    def write(name: str, samples: np.ndarray, rate: int = 8000) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, samples, rate, subtype="PCM_16")
        return path

    return write
