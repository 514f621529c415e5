"""`timbre predict` as a user meets it: what it finds, what it writes, how it fails."""

import csv
import io
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import psutil
import pytest
import soundfile
from onnx import TensorProto, helper, numpy_helper

from timbre.cli import main as cli
from timbre.cli.predict_output import show
from timbre.cli.predict_paths import find_audio
from timbre.contract import METADATA_KEY, ModelContract
from timbre.inference.predictor import TRACK_SECONDS

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


# --- what it writes --------------------------------------------------------------------------------------------------


def test_json_lines_are_the_answers_of_the_service(predict: Callable[..., Said], model: Path) -> None:
    code, out, err = predict("album", "--jsonl")
    loud, soft = map(json.loads, out.splitlines())
    assert (code, err) == (0, "")
    assert loud["path"] == "album/b loud.wav"
    assert (loud["status"], loud["genre"], soft["genre"]) == ("completed", "loud", "soft")
    assert loud["confidence"] == loud["all_probabilities"]["loud"] > 0.99
    assert list(loud["all_probabilities"]) == ["loud", "soft", "mute"]
    assert sum(loud["all_probabilities"].values()) == pytest.approx(1)
    assert loud["audio"]["format"] == "wav"
    assert loud["audio"]["duration_ms"] == 1000
    assert len(loud["audio"]["checksum"]) == 64
    assert loud["model"]["name"] == "timbre"
    assert loud["model"]["version"] == "v7"
    assert len(loud["model"]["sha256"]) == 64
    assert loud["processing_time_ms"] > 0
    assert "top" not in loud


def test_json_is_one_array(predict: Callable[..., Said]) -> None:
    code, out, _ = predict("album", "text.mp3", "--json", "--top-k", "2")
    loud, soft, bad = json.loads(out)
    assert code == 1
    assert [place["genre"] for place in soft["top"]] == ["soft", "mute"]
    assert soft["top"][0]["confidence"] == soft["confidence"]
    assert len(loud["all_probabilities"]) == 3
    assert bad["status"] == "failed"
    assert bad["error"] == {
        "code": "unsupported_format",
        "message": "this is not a WAV, MP3, FLAC or OGG Vorbis file",
    }
    assert "genre" not in bad


@pytest.mark.parametrize("top", [[], ["--top-k", "2"], ["--top-k", "9"]])
def test_csv_has_a_row_for_every_file(predict: Callable[..., Said], top: list[str]) -> None:
    code, out, _ = predict("text.mp3", "album", "--csv", *top)
    bad, loud, soft = csv.DictReader(io.StringIO(out))
    assert code == 1
    assert (bad["status"], bad["genre"], bad["error_code"]) == ("failed", "", "unsupported_format")
    assert (loud["path"], loud["genre"], loud["error_code"]) == ("album/b loud.wav", "loud", "")
    assert (loud["format"], loud["duration_ms"], loud["model_version"]) == ("wav", "1000", "v7")
    assert None not in {*bad, *loud, *soft}
    if top:
        assert (soft["genre_2"], soft.get("genre_4")) == ("mute", "" if top[1] == "9" else None)
        assert float(soft["confidence"]) > float(soft["confidence_2"])
    else:
        assert float(soft["p_soft"]) == float(soft["confidence"])


def test_a_table_for_people(predict: Callable[..., Said]) -> None:
    code, out, err = predict("album", "text.mp3")
    assert code == 1
    lines = out.splitlines()
    assert any("b loud.wav" in line and "loud" in line and "100%" in line for line in lines)
    assert any("text.mp3" in line and "not a WAV, MP3, FLAC or OGG Vorbis file" in line for line in lines)
    assert err == "1 of 3 files could not be used\n"


def test_a_table_of_the_best_only(predict: Callable[..., Said]) -> None:
    _, best, _ = predict("album", "--top-k", "1")
    _, three, _ = predict("album", "--top-k", "3")
    assert "mute" not in best
    assert "mute" in three


def test_span_track_hears_what_comes_later(predict: Callable[..., Said], music: Path) -> None:
    noise = np.random.default_rng(3).uniform(-1, 1, 5 * RATE)
    noise[:RATE] *= 0.01
    soundfile.write(music / "late.wav", noise, RATE)
    assert json.loads(predict("late.wav", "--jsonl")[1])["genre"] == "soft"
    assert json.loads(predict("late.wav", "--jsonl", "--span", "track")[1])["genre"] == "loud"


def test_help_says_how_much_of_a_track_is_heard(capsys: pytest.CaptureFixture[str], root: Path) -> None:
    with pytest.raises(SystemExit):
        cli.main(["predict", "--help"])
    assert f"at most {TRACK_SECONDS:.0f} s" in " ".join(capsys.readouterr().out.split())
    assert f"its first {TRACK_SECONDS:.0f} s" in (root / "conf" / "evaluate.yaml").read_text()


def test_an_empty_array_is_still_json(predict: Callable[..., Said]) -> None:
    code, out, _ = predict("text.mp3", "--json")
    assert code == 1
    assert len(json.loads(out)) == 1


# --- what it finds ---------------------------------------------------------------------------------------------------


def test_finds_files_folders_and_patterns_once(music: Path) -> None:
    found = ["album/b loud.wav", "album/disc 1/soft.FLAC"]
    assert [str(path) for path in find_audio(["album"])[0]] == found
    assert [str(path) for path in find_audio(["album/**/*.[wF]*", "album"])[0]] == found
    assert [str(path) for path in find_audio(["album/disc 1/soft.FLAC", "album"])[0]] == found[::-1]
    assert find_audio([str(music / "a*" / "*.wav")])[0] == [music / "album" / "b loud.wav"]
    assert [str(path) for path in find_audio(["album/cover.jpg"])[0]] == ["album/cover.jpg"]  # named, so wanted


def test_a_file_whose_name_looks_like_a_pattern_is_a_file(music: Path) -> None:
    (music / "song [live].mp3").write_text("x")
    assert find_audio(["song [live].mp3"]) == ([Path("song [live].mp3")], [])


def test_what_was_not_found_is_named_and_costs_the_exit_code(predict: Callable[..., Said]) -> None:
    code, out, err = predict("album", "empty", "*.aiff", "typo.wav", "--jsonl")
    assert code == 1
    assert [json.loads(line).get("error", {}).get("code") for line in out.splitlines()] == [None, None, "unreadable"]
    assert err.splitlines() == [
        "no .flac .mp3 .oga .ogg .wav file in folder empty",
        "nothing matches *.aiff",
        "1 of 3 files could not be used",
    ]


@pytest.mark.parametrize("words", [["typo.mp3"], ["empty"], ["*.aiff"], ["typo.mp3", "empty", "*.aiff", "x"]])
def test_nothing_found_is_one_line(predict: Callable[..., Said], words: list[str]) -> None:
    code, out, err = predict(*words)
    assert (code, out) == (2, "")
    assert err.startswith("timbre: no audio to predict: ")
    assert err.count("\n") == 1


def test_a_folder_that_cannot_be_read_is_named(music: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scandir = os.scandir

    def forbidden(path: os.PathLike[str]) -> object:
        if str(path).endswith("disc 1"):
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", forbidden)
    found, complaints = find_audio(["album"])
    assert [path.name for path in found] == ["b loud.wav"]
    assert complaints == ["cannot read folder album/disc 1: Permission denied"]


def test_linked_folders_are_heard_once_and_circles_end(music: Path) -> None:
    (music / "library").mkdir()
    (music / "library" / "linked").symlink_to(music / "album", target_is_directory=True)
    (music / "library" / "twice").symlink_to(music / "album", target_is_directory=True)
    (music / "album" / "disc 1" / "back").symlink_to(music / "library", target_is_directory=True)
    found, complaints = find_audio(["library"])
    assert [str(path) for path in found] == ["library/linked/b loud.wav", "library/linked/disc 1/soft.FLAC"]
    assert complaints == []


# --- how it fails ----------------------------------------------------------------------------------------------------


def test_no_model_is_exit_code_3(music: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        cli.main(["predict", "album", "--model", "nothing.onnx"])
    assert stop.value.code == 3
    assert capsys.readouterr().err.startswith("timbre: no model file nothing.onnx")


def test_a_model_of_something_else_is_exit_code_2(music: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        cli.main(["predict", "album", "--model", "text.mp3"])
    assert stop.value.code == 2
    assert capsys.readouterr().err == "timbre: text.mp3 is not an ONNX file that ONNX Runtime can load\n"


@pytest.mark.parametrize(
    "words", [[], ["album", "--span", "all"], ["album", "--top-k", "0"], ["album", "--workers", "0"]]
)
def test_wrong_usage_is_exit_code_2(music: Path, words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        cli.main(["predict", *words])
    assert stop.value.code == 2
    assert "Usage: timbre predict" in capsys.readouterr().err


def test_the_model_may_come_from_the_environment(
    music: Path, model: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TIMBRE_MODEL", str(model))
    with pytest.raises(SystemExit) as stop:
        cli.main(["predict", "album/b loud.wav", "--jsonl"])
    assert not stop.value.code
    assert json.loads(capsys.readouterr().out)["genre"] == "loud"


def test_names_are_shown_without_tricks() -> None:
    assert show(Path("größe 🎵.mp3")) == "größe 🎵.mp3"
    assert show(Path("a\x1b[31m\n\u202e.mp3")) == r"a\x1b[31m\n\u202e.mp3"
    assert show(Path(os.fsdecode(b"a\xff.mp3"))) == r"a\xff.mp3"


@pytest.mark.parametrize("form", ["--json", "--jsonl", "--csv", "--table"])
def test_ctrl_c_keeps_what_is_done_and_leaves_nothing_running(music: Path, model: Path, form: str) -> None:
    """A run is held up by a child that stops, and interrupted as a terminal does it."""
    for number in range(5000):  # so many that it cannot be done before it is held up
        os.link(music / "album" / "b loud.wav", music / f"{number:04}.wav")
    words = [sys.executable, "-m", "timbre.cli.main", "predict", "*.wav", form, "--workers", "1", "--model", str(model)]
    with subprocess.Popen(
        words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as run:
        me = psutil.Process(run.pid)
        while not me.children():
            time.sleep(0.01)
        child = me.children()[0]
        # Between fork and exec it still is the parent, which would be stopped with it.
        while "timbre.audio.worker" not in child.cmdline():
            time.sleep(0.002)
        while "memfd:timbre-arena" not in Path(f"/proc/{child.pid}/maps").read_text():
            time.sleep(0.002)
        child.suspend()
        time.sleep(0.3)
        os.killpg(run.pid, signal.SIGINT)
        try:
            out, err = run.communicate(timeout=30)
        finally:
            run.kill()
    assert run.returncode == 130
    assert err.strip() == "interrupted"
    assert not child.is_running()
    if form == "--json":
        assert all(entry["genre"] == "loud" for entry in json.loads(out))
    if form == "--jsonl":
        assert all(json.loads(line)["genre"] == "loud" for line in out.splitlines())


@pytest.mark.parametrize("form", ["--json", "--jsonl", "--csv", "--table"])
def test_a_reader_that_goes_away_is_no_fault(music: Path, model: Path, form: str) -> None:
    words = [sys.executable, "-m", "timbre.cli.main", "predict", "album", form, "--model", str(model)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as run:
        assert run.stdout is not None
        assert run.stderr is not None
        run.stdout.close()
        assert run.stderr.read() == ""
    assert run.returncode == 0


def test_works_without_anything_that_trains(music: Path, model: Path) -> None:
    code = """
import sys
from timbre.cli import main
try:
    main.main(sys.argv[1:])
finally:
    heavy = {"torch", "torchaudio", "pytorch_lightning", "hydra", "omegaconf", "mlflow", "onnx", "scipy", "litserve"}
    assert not heavy & set(sys.modules), heavy & set(sys.modules)
"""
    words = [sys.executable, "-c", code, "predict", "album", "--jsonl", "--model", str(model)]
    done = subprocess.run(words, capture_output=True, text=True, check=True, timeout=60)
    assert len(done.stdout.splitlines()) == 2
    assert done.stderr == ""
