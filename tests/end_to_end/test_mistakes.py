"""Every mistake of a user ends in one clear line and the right exit code."""

import socket
import zlib
from pathlib import Path

import onnx
import pytest
import soundfile
from onnx import TensorProto, helper

from tests.end_to_end.conftest import RATE, SECONDS, Timbre


def said(timbre: Timbre, *words: str, code: int) -> str:
    """The last line on stderr of a command that must fail."""
    done = timbre(*words, code=code)
    assert done.stdout == ""
    return done.stderr.strip().splitlines()[-1]


def tone(path: Path) -> None:
    """A second of quiet audio, different for every path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(
        path,
        [((i * (len(str(path)) + zlib.crc32(path.name.encode()) % 97)) % 200) / 400 for i in range(RATE * SECONDS)],
        RATE,
    )


def test_a_missing_folder_is_named(timbre: Timbre) -> None:
    assert "nowhere" in said(timbre, "prepare", "data=folder", "data.source.root=nowhere", code=2)


def test_an_empty_folder_is_named(timbre: Timbre, tmp_path: Path) -> None:
    assert str(tmp_path) in said(timbre, "prepare", "data=folder", f"data.source.root={tmp_path}", code=2)


def test_one_genre_only_is_refused(timbre: Timbre, tmp_path: Path) -> None:
    for number in range(8):
        tone(tmp_path / "jazz" / f"{number}.wav")
    assert "jazz" in said(timbre, "prepare", "data=folder", f"data.source.root={tmp_path}", "data.dir=one", code=2)


def test_a_genre_with_two_files_is_named(timbre: Timbre, tmp_path: Path) -> None:
    for number in range(8):
        tone(tmp_path / "jazz" / f"{number}.wav")
    for number in range(2):
        tone(tmp_path / "rock" / f"{number}.wav")
    assert "rock" in said(timbre, "prepare", "data=folder", f"data.source.root={tmp_path}", "data.dir=two", code=2)


def test_training_without_a_store_says_to_prepare(timbre: Timbre) -> None:
    assert "timbre prepare" in said(timbre, "train", "data.dir=nothing", code=2)


def test_an_unknown_override_is_named(timbre: Timbre) -> None:
    assert "no_such_knob" in said(timbre, "train", "no_such_knob=1", code=2)


def test_a_checkpoint_of_something_else_is_refused(timbre: Timbre, tmp_path: Path) -> None:
    wrong = tmp_path / "other.ckpt"
    wrong.write_bytes(b"PK\x03\x04 not a checkpoint")
    assert "other.ckpt" in said(timbre, "export", f"checkpoint={wrong}", code=2)


def test_an_onnx_file_of_something_else_is_refused(timbre: Timbre, tmp_path: Path, music: Path) -> None:
    ports = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1]) for name in ("x", "y")]
    graph = helper.make_graph([helper.make_node("Identity", ["x"], ["y"])], "other", ports[:1], ports[1:])
    other = tmp_path / "other.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10), other)
    for verb in (["predict", str(music / "low" / "0-0.wav")], ["serve"]):
        assert "other.onnx" in said(timbre, *verb, "--model", str(other), code=2)


def test_no_model_in_the_registry_is_exit_code_3(timbre: Timbre, music: Path) -> None:
    missing = "models:/no_such_model@production"
    for verb in (["predict", str(music / "low" / "0-0.wav")], ["serve"]):
        assert "no model registry" in said(timbre, *verb, "--model", missing, code=3)


def test_a_port_in_use_is_named(timbre: Timbre, tiny_model: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert str(port) in said(timbre, "serve", "--model", str(tiny_model), "--port", str(port), code=2)


@pytest.mark.parametrize("content", [b"", b"just text, whatever its name says\n" * 50])
def test_a_file_that_is_no_music_is_one_record_and_exit_code_1(
    content, timbre: Timbre, tmp_path: Path, tiny_model: Path
) -> None:
    bad = tmp_path / "song.mp3"
    bad.write_bytes(content)
    done = timbre("predict", str(bad), "--jsonl", "--model", str(tiny_model), code=1)
    assert len(done.stdout.splitlines()) == 1
    assert '"code"' in done.stdout
