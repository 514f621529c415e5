"""The house's rules about who may import whom, and what serving must never load."""

import subprocess
import sys
from pathlib import Path

import pytest

TRAINS = (
    "torch",
    "torchaudio",
    "pytorch_lightning",
    "hydra",
    "omegaconf",
    "mlflow",
    "onnx",
    "sklearn",
    "matplotlib",
    "wandb",
)


def loaded_after(statement: str) -> set[str]:
    """Top-level names of the modules that a fresh interpreter holds after a statement."""
    code = f"import sys; {statement}; print('\\n'.join({{name.split('.')[0] for name in sys.modules}}))"
    return set(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split())


def test_imports_point_down(root: Path) -> None:
    answer = subprocess.run(
        [Path(sys.executable).with_name("lint-imports")], cwd=root, capture_output=True, text=True, check=False
    )
    assert answer.returncode == 0, answer.stdout


@pytest.mark.parametrize("room", ["timbre.contract", "timbre.audio", "timbre.inference", "timbre.serving"])
def test_what_serves_never_loads_what_trains(room: str) -> None:
    assert loaded_after(f"import {room}").isdisjoint(TRAINS)


@pytest.mark.parametrize("verb", ["serve", "predict"])
def test_verbs_of_production_never_load_what_trains(verb: str) -> None:
    assert loaded_after(f"import timbre.cli.{verb}").isdisjoint(TRAINS)


def test_help_loads_no_heavy_library() -> None:
    heavy = {*TRAINS, "numpy", "litserve", "onnxruntime"}
    assert loaded_after(
        "import timbre.cli.main as m, contextlib, io\ntry: m.main(['--help'])\nexcept SystemExit: pass"
    ).isdisjoint(heavy)


def test_no_file_is_longer_than_300_lines(root: Path) -> None:
    long = {
        str(path.relative_to(root)): n
        for path in (root / "src").rglob("*.py")
        if (n := len(path.read_text().splitlines())) > 300
    }
    assert not long


def test_every_module_says_first_what_it_is_for(root: Path) -> None:
    silent = [
        str(path.relative_to(root)) for path in (root / "src").rglob("*.py") if not path.read_text().startswith('"""')
    ]
    assert not silent
