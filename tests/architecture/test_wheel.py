"""The built wheel, installed with [serve] only, predicts: production needs nothing that trains."""

import json
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
import soundfile

pytestmark = pytest.mark.slow

RATE = 22050


def run(*command: str | Path, cwd: Path) -> str:
    done = subprocess.run([str(word) for word in command], cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory, root: Path) -> Path:
    """The wheel built from this checkout."""
    folder = tmp_path_factory.mktemp("wheel")
    build = ("pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--wheel-dir", folder)
    run(sys.executable, "-m", *build, root, cwd=folder)
    return next(folder.glob("timbre-*.whl"))


def test_the_wheel_holds_the_package_and_its_configuration(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    assert {"timbre/cli/main.py", "timbre/py.typed", "timbre/conf/train.yaml"} <= set(names)
    assert not [name for name in names if name.startswith(("tests/", "serving/", "outputs/", "data/"))]


def test_with_serve_alone_it_predicts_and_can_serve(wheel: Path, root: Path, tiny_model: Path, tmp_path: Path) -> None:
    run(sys.executable, "-m", "venv", "venv", cwd=tmp_path)
    python = tmp_path / "venv" / "bin" / "python"
    pip = (python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check")
    run(*pip, "--require-hashes", "--requirement", root / "requirements-serve.lock", cwd=tmp_path)
    run(*pip, "--no-deps", wheel, cwd=tmp_path)
    soundfile.write(tmp_path / "loud.wav", np.full(3 * RATE, 0.5, np.float32), RATE)

    answer = json.loads(
        run(python.with_name("timbre"), "predict", "loud.wav", "--model", tiny_model, "--jsonl", cwd=tmp_path)
    )
    assert answer["genre"] == "loud"
    assert "--model" in run(python.with_name("timbre"), "serve", "--help", cwd=tmp_path)
    absent = "import importlib.util as u; print([n for n in ('torch', 'mlflow', 'hydra', 'onnx') if u.find_spec(n)])"
    assert run(python, "-c", absent, cwd=tmp_path).strip() == "[]"
