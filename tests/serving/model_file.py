"""A small model that keeps the contract and tells waveforms by their mean, and tones to ask it."""

import io
from pathlib import Path

import numpy as np
import onnx
import soundfile
from onnx import TensorProto, helper, numpy_helper

from timbre.contract import METADATA_KEY, ModelContract

RATE = 8000
SECONDS = 2.0
LABELS = ("down", "up", "flat")
BROKEN_BELOW = -0.25
"""A waveform whose mean is below this has NaN as its answer."""


def write_mean_model(path: Path, *, slowness: int = 0) -> Path:
    """A model that tells by its mean whether a waveform lies above, below or around zero.

    Each unit of slowness is one product of a 125 x 128 and a 128 x 128 matrix per clip.
    """
    contract = ModelContract(sample_rate=RATE, clip_seconds=SECONDS, labels=LABELS, version="mean-1", lineage={})
    constants = {
        "axis_1": np.array([1], np.int64),
        "offset": np.array([[-BROKEN_BELOW]], np.float32),
        # The root is 0.5 for silence: more than 0.62 is up, less than 0.35 is down.
        "weights": np.array([[-20.0, 20.0, 0.0]], np.float32),
        "bias": np.array([[7.0, -12.4, 0.0]], np.float32),
        "last_axes": np.array([1, 2], np.int64),
        "square": np.array([-1, 125, 128], np.int64),
        "rotation": np.eye(128, dtype=np.float32),
        "turns": np.array(slowness, np.int64),
        "always": np.array(True),
        "nothing": np.array(0.0, np.float32),
    }
    tensor = helper.make_tensor_value_info
    turn = helper.make_graph(
        [
            helper.make_node("Identity", ["go"], ["go_on"]),
            helper.make_node("MatMul", ["state", "rotation"], ["next"]),
        ],
        "turn",
        [
            tensor("i", TensorProto.INT64, []),
            tensor("go", TensorProto.BOOL, []),
            tensor("state", TensorProto.FLOAT, None),
        ],
        [tensor("go_on", TensorProto.BOOL, []), tensor("next", TensorProto.FLOAT, None)],
    )
    nodes = [
        helper.make_node("ReduceMean", ["waveform", "axis_1"], ["mean"], keepdims=1),
        helper.make_node("Add", ["mean", "offset"], ["shifted"]),
        helper.make_node("Sqrt", ["shifted"], ["root"]),  # NaN below the offset
        helper.make_node("MatMul", ["root", "weights"], ["weighed"]),
        helper.make_node("Add", ["weighed", "bias"], ["logits"]),
        helper.make_node("Softmax", ["logits"], ["quick"], axis=1),
        helper.make_node("Reshape", ["waveform", "square"], ["matrix"]),
        helper.make_node("Loop", ["turns", "always", "matrix"], ["turned"], body=turn),
        helper.make_node("ReduceMax", ["turned", "last_axes"], ["peak"], keepdims=0),
        helper.make_node("Unsqueeze", ["peak", "axis_1"], ["embedding"]),
        helper.make_node("Mul", ["embedding", "nothing"], ["zero"]),
        helper.make_node("Add", ["quick", "zero"], ["probabilities"]),
    ]
    graph = helper.make_graph(
        nodes,
        "mean",
        [tensor("waveform", TensorProto.FLOAT, ["batch", contract.clip_samples])],
        [
            tensor("probabilities", TensorProto.FLOAT, ["batch", len(LABELS)]),
            tensor("embedding", TensorProto.FLOAT, ["batch", 1]),
        ],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    helper.set_model_props(model, {METADATA_KEY: contract.to_json()})
    onnx.checker.check_model(model)
    onnx.save(model, path)
    return path


def sound(*, seconds: float = 2.5, level: float = 0.0, kind: str = "WAV", rate: int = RATE) -> bytes:
    """A soft 440 Hz tone around a level, as a file."""
    time_s = np.arange(round(seconds * rate)) / rate
    wave = (level + 0.2 * np.sin(2 * np.pi * 440 * time_s)).astype(np.float32)
    file = io.BytesIO()
    soundfile.write(file, wave, rate, format=kind)
    return file.getvalue()
