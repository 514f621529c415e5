"""`timbre serve` as a command: its help, its mistakes, and what it does not load."""

import subprocess
import sys
from pathlib import Path

import pytest

from timbre.cli.main import main
from timbre.serving.settings import ServerSettings

NEVER = ("torch", "torchaudio", "pytorch_lightning", "lightning", "hydra", "omegaconf", "mlflow", "onnx", "sklearn")


def exit_code(*words: str) -> int:
    """What `timbre serve` ends with when it never comes to serving."""
    with pytest.raises(SystemExit) as end:
        main(["serve", *words])
    assert isinstance(end.value.code, int)
    return end.value.code


def test_help_shows_every_variable(capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_code("--help") == 0
    shown = capsys.readouterr().out
    for name in ServerSettings.model_fields:
        assert f"TIMBRE_{name.upper()}" in shown
    for flag in ("--model", "--host", "--port", "--workers"):
        assert flag in shown


@pytest.mark.parametrize(
    "words", [("--port", "eighty"), ("--port", "99999"), ("--workers", "0"), ("--no-such-flag",), ("stray",)]
)
def test_a_wrong_flag_is_exit_2(words: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_code(*words) == 2
    assert "Traceback" not in capsys.readouterr().err


def test_a_missing_model_is_exit_3(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_code("--model", str(tmp_path / "model.onnx")) == 3
    assert len(capsys.readouterr().err.strip().splitlines()) == 1


@pytest.mark.parametrize(
    "module", ["timbre.serving", "timbre.serving.run", "timbre.serving.worker", "timbre.cli.serve"]
)
def test_nothing_that_trains_is_loaded(module: str) -> None:
    code = f"import {module}, sys; print([name for name in {NEVER} if name in sys.modules])"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert answer.stdout.strip() == "[]"


def test_help_does_not_load_the_server() -> None:
    code = "import timbre.cli.serve, sys; print('litserve' in sys.modules, 'onnxruntime' in sys.modules)"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert answer.stdout.strip() == "False False"
