"""Where a run comes from: code, data, configuration, seed and environment, as plain values for `lineage.json`."""

import platform
import subprocess
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import torch

PACKAGES = (
    "timbre",
    "torch",
    "torchaudio",
    "pytorch-lightning",
    "torchmetrics",
    "numpy",
    "onnx",
    "onnxruntime",
    "soundfile",
    "soxr",
)
"""Packages whose versions can change a model's numbers."""
UNKNOWN = "unknown"


@dataclass(frozen=True, kw_only=True)
class Lineage:
    """What must be known to make a model again.

    Attributes:
        run: name of the run, unique and sortable by time.
        created_at: start of the run, UTC, ISO 8601.
        git_sha: commit of the code, or `unknown` for an installed package, whose version `environment` tells.
        git_dirty: whether the working tree differed from that commit; None if unknown.
        data_manifest_sha256: of the manifest of the prepared data.
        config_sha256: of the run's `config.yaml`.
        seed: the one seed.
        mlflow_run_id: or None without MLflow.
        resumed_from: name of the run that this one goes on from, or None.
        environment: python, platform, device and versions of packages.
    """

    run: str
    created_at: str
    git_sha: str
    git_dirty: bool | None
    data_manifest_sha256: str
    config_sha256: str
    seed: int
    mlflow_run_id: str | None
    resumed_from: str | None
    environment: dict[str, Any]

    def to_dict(self) -> dict[str, Any]:
        """Plain values, as checkpoints and JSON carry them."""
        return asdict(self)


def git_state(package: Path = Path(__file__).parents[1]) -> tuple[str, bool | None]:
    """Commit of this package's code and whether the tree is dirty; (`unknown`, None) where git does not track it.

    A package installed inside somebody's repository is in that tree and yet not of it, hence git is asked first
    whether it tracks the package.
    """
    try:
        _git(package, "ls-files", "--error-unmatch", "__init__.py")
        return _git(package, "rev-parse", "HEAD"), bool(_git(package, "status", "--porcelain"))
    except (OSError, subprocess.CalledProcessError):
        return UNKNOWN, None


def environment(device: torch.device) -> dict[str, Any]:
    """What a run ran on, without names of machines or folders."""
    return {
        "python": platform.python_version(),
        "platform": f"{platform.system()} {platform.machine()}",
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else device.type,
        "cuda": torch.version.cuda if device.type == "cuda" else None,
        "threads": torch.get_num_threads(),
        "packages": {name: metadata.version(name) for name in PACKAGES},
    }


def _git(folder: Path, *words: str) -> str:
    command = ["git", "-C", str(folder), *words]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()  # noqa: S603 - fixed words
