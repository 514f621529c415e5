"""A model that hears loudness, some music, and `timbre predict` run on it."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
import soundfile
from onnx import TensorProto, helper, numpy_helper

from timbre.cli import main as cli
from timbre.contract import METADATA_KEY, ModelContract

RATE = 8000
Said = tuple[int, str, str]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that calls what is louder than 0.1 on average `loud`, and else `soft` (or, less likely, `mute`)."""
    contract = ModelContract(sample_rate=RATE, clip_seconds=1.0, labels=("loud", "soft", "mute"), version="v7")
    weights = numpy_helper.from_array(np.array([[100, 0, 0]], np.float32), "weights")
    bias = numpy_helper.from_array(np.array([-10, 0, -1], np.float32), "bias")
    axis = numpy_helper.from_array(np.array([1]), "axis")
    nodes = [
        helper.make_node("Abs", ["waveform"], ["size"]),
        helper.make_node("ReduceMean", ["size", "axis"], ["embedding"]),
        helper.make_node("Gemm", ["embedding", "weights", "bias"], ["logits"]),
        helper.make_node("Softmax", ["logits"], ["probabilities"]),
    ]
    ports = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", width])
        for name, width in (("waveform", RATE), ("probabilities", 3), ("embedding", 1))
    ]
    graph = helper.make_graph(nodes, "loudness", ports[:1], ports[1:], [weights, bias, axis])
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    helper.set_model_props(made, {METADATA_KEY: contract.to_json()})
    path = tmp_path_factory.mktemp("model") / "model.onnx"
    onnx.save(made, path)
    return path


@pytest.fixture
def music(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with a loud and a soft file, one below another folder, hidden junk, and a text called .mp3."""
    noise = np.random.default_rng(3).uniform(-1, 1, 2 * RATE)
    (tmp_path / "album" / "disc 1").mkdir(parents=True)
    soundfile.write(tmp_path / "album" / "b loud.wav", 0.9 * noise, RATE)
    soundfile.write(tmp_path / "album" / "disc 1" / "soft.FLAC", 0.05 * noise, RATE, format="FLAC")
    (tmp_path / "album" / "._b loud.wav").write_bytes(b"resource fork")
    (tmp_path / "album" / "cover.jpg").write_bytes(b"not music")
    (tmp_path / "text.mp3").write_text("not music either")
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("TIMBRE_MODEL", raising=False)
    return tmp_path


@pytest.fixture
def predict(music: Path, model: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., Said]:
    """Run `timbre predict WORDS --model ...`: exit code, stdout, stderr."""

    def run(*words: str) -> Said:
        with pytest.raises(SystemExit) as stop:
            cli.main(["predict", *words, "--model", str(model), "--workers", "1"])
        told = capsys.readouterr()
        return int(stop.value.code or 0), told.out, told.err

    return run
