"""`timbre predict` when something is wrong: no model, wrong words, a reader that goes away, Ctrl-C."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from timbre.cli import main as cli
from timbre.cli.predict_output import show


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


@pytest.mark.parametrize(
    ("form", "sent"),
    [*((form, signal.SIGINT) for form in ("--json", "--jsonl", "--csv", "--table")), ("--jsonl", signal.SIGTERM)],
)
def test_ctrl_c_keeps_what_is_done_and_leaves_nothing_running(
    music: Path, model: Path, form: str, sent: signal.Signals
) -> None:
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
        os.killpg(run.pid, sent)
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
