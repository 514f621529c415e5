"""Every mistake of a user ends in one clear line and the right exit code."""

import os
import resource
import socket
import subprocess
import sys
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
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


def noise(path: Path) -> None:
    """Some seconds of quiet noise, different for every path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    generator = np.random.default_rng(zlib.crc32(str(path).encode()))
    soundfile.write(path, generator.uniform(-0.3, 0.3, RATE * SECONDS), RATE)


@contextmanager
def no_file_beyond(size: int) -> Iterator[None]:
    """Processes started in this block cannot write files beyond `size` bytes: the nearest to a full disk there is."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_missing_folder_is_named(timbre: Timbre) -> None:
    assert "nowhere" in said(timbre, "prepare", "data=folder", "data.source.root=nowhere", code=2)


def test_an_empty_folder_is_named(timbre: Timbre, tmp_path: Path) -> None:
    assert str(tmp_path) in said(timbre, "prepare", "data=folder", f"data.source.root={tmp_path}", code=2)


@pytest.mark.parametrize("data", ["folder", "gtzan", "fma"])
def test_a_source_without_its_folder_says_which_key_to_give(timbre: Timbre, data: str) -> None:
    assert "give it as data.source.root=" in said(timbre, "prepare", f"data={data}", code=2)


def test_a_clip_of_a_fifth_of_a_second_is_rejected_and_the_others_are_kept(
    timbre: Timbre, tmp_path: Path, tiny_model: Path
) -> None:
    for genre in ("jazz", "rock"):
        for number in range(8):
            noise(tmp_path / genre / f"{number}.wav")
    short = tmp_path / "rock" / "short.wav"
    soundfile.write(short, [0.1] * (RATE // 5), RATE)
    done = timbre("prepare", "data=folder", f"data.source.root={tmp_path}", "data.dir=short", code=1)
    assert "16 clips, 16 decoded" in done.stderr
    assert "1 file rejected (1 too_short)" in done.stderr
    answer = timbre("predict", str(short), "--jsonl", "--model", str(tiny_model), code=1)
    assert '"too_short"' in answer.stdout


def test_a_full_disk_ends_in_one_line_and_is_gone_on_with(timbre: Timbre, tmp_path: Path) -> None:
    for genre in ("jazz", "rock"):
        for number in range(8):
            noise(tmp_path / genre / f"{number}.wav")
    words = ["prepare", "data=folder", f"data.source.root={tmp_path}", "data.dir=full", "contract.clip_seconds=30"]
    with no_file_beyond(2 * RATE * 30 * 8):  # the store of the training split wants more than 8 clips
        assert "make room and run `timbre prepare` again" in said(timbre, *words, code=2)
    assert not list((timbre.home / "full" / "store").glob("*.json"))
    assert "16 clips" in timbre(*words).stderr


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_full_disk_behind_stdout_is_named(music: Path, tiny_model: Path, unbuffered: str) -> None:
    command = [sys.executable, "-m", "timbre.cli.main", "predict", str(music / "low" / "0-0.wav"), "--jsonl"]
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [*command, "--model", str(tiny_model)],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            env=os.environ | {"PYTHONUNBUFFERED": unbuffered},
        )
    assert (done.returncode, done.stderr) == (2, "timbre: No space left on device\n")


def test_one_genre_only_is_refused(timbre: Timbre, tmp_path: Path) -> None:
    for number in range(8):
        noise(tmp_path / "jazz" / f"{number}.wav")
    assert "jazz" in said(timbre, "prepare", "data=folder", f"data.source.root={tmp_path}", "data.dir=one", code=2)


def test_a_genre_with_two_files_is_named(timbre: Timbre, tmp_path: Path) -> None:
    for number in range(8):
        noise(tmp_path / "jazz" / f"{number}.wav")
    for number in range(2):
        noise(tmp_path / "rock" / f"{number}.wav")
    assert "rock" in said(timbre, "prepare", "data=folder", f"data.source.root={tmp_path}", "data.dir=two", code=2)


def test_training_without_a_store_says_to_prepare(timbre: Timbre) -> None:
    assert "timbre prepare" in said(timbre, "train", "data.dir=nothing", code=2)


@pytest.mark.parametrize("word", ["optimizer.lr=abc", "datamodule.batch_size=1.5", "trainer.max_epochs=[1]"])
def test_a_value_of_another_kind_is_named(timbre: Timbre, word: str) -> None:
    assert word.split("=")[0] in said(timbre, "train", word, "data.dir=nothing", code=2)


def test_an_unknown_group_choice_lists_the_others(timbre: Timbre) -> None:
    assert "fma folder gtzan synthetic" in said(timbre, "prepare", "data=nope", code=2)


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
