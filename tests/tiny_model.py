"""A model file small enough to write in a test, whose right answer is known by physics; it follows the contract."""

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from timbre.contract import METADATA_KEY, ModelContract

LABELS = ("loud", "quiet")
SLOPE = 50.0
THRESHOLD = 0.1


def write_tiny_model(
    path: Path,
    *,
    clip_seconds: float = 3.0,
    sample_rate: int = 22050,
    version: str = "tiny",
    lineage: dict | None = None,
) -> Path:
    """Write a model that calls a clip loud if its mean |x| is above 0.1, else quiet.

    probabilities = softmax([+SLOPE, -SLOPE] * (mean|x| - THRESHOLD)); embedding = [mean|x|, mean|x|^2] as [B, 2].
    """
    contract = ModelContract(
        sample_rate=sample_rate, clip_seconds=clip_seconds, labels=LABELS, version=version, lineage=lineage or {}
    )
    weights = {
        "threshold": np.array([[THRESHOLD]], np.float32),
        "slope": np.array([[SLOPE, -SLOPE]], np.float32),
        "axes": np.array([1], np.int64),
    }
    nodes = [
        helper.make_node("Abs", ["waveform"], ["size"]),
        helper.make_node("ReduceMean", ["size", "axes"], ["level"], keepdims=1),
        helper.make_node("Sub", ["level", "threshold"], ["above"]),
        helper.make_node("MatMul", ["above", "slope"], ["logits"]),
        helper.make_node("Softmax", ["logits"], ["probabilities"], axis=1),
        helper.make_node("Mul", ["level", "level"], ["square"]),
        helper.make_node("Concat", ["level", "square"], ["embedding"], axis=1),
    ]
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info("waveform", TensorProto.FLOAT, ["batch", contract.clip_samples])],
        [
            helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["batch", len(LABELS)]),
            helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["batch", 2]),
        ],
        [numpy_helper.from_array(array, name) for name, array in weights.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    helper.set_model_props(model, {METADATA_KEY: contract.to_json()})
    onnx.save(model, path)
    return path
