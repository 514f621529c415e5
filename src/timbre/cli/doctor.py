"""`timbre doctor`: says what this installation can do, and what is missing for the rest."""

import importlib.metadata
import importlib.util
import json
import platform
import re
import shutil
import sys
from pathlib import Path
from typing import Any

import click

from timbre.audio import usable_cores

EXTRAS = ("base", "serve", "train")
MEGABYTE = 2**20
SHARED_MEMORY = Path("/dev/shm")  # noqa: S108 (looked at, not written to)


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print the findings as JSON.")
def command(as_json: bool) -> None:
    """Say what this installation can do. Exits with 1 if even prediction cannot work."""
    findings: dict[str, Any] = {
        "timbre": importlib.metadata.version("timbre"),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "cores": usable_cores(),
        "free_disk_mb": shutil.disk_usage(".").free // MEGABYTE,
        "shared_memory_mb": shutil.disk_usage(SHARED_MEMORY).free // MEGABYTE if SHARED_MEMORY.is_dir() else None,
        "gpu": gpu(),
        "extras": {extra: {name: version(name) for name in packages(extra)} for extra in EXTRAS},
    }
    if as_json:
        click.echo(json.dumps(findings, indent=2))
    else:
        click.echo(as_text(findings))
    sys.exit(0 if all(findings["extras"]["base"].values()) else 1)


def packages(extra: str) -> list[str]:
    """Names of the packages that an extra of this installation asks for; `base`: those that every one does."""
    condition = "" if extra == "base" else f"extra == '{extra}'"
    asked = [text.partition(";") for text in importlib.metadata.requires("timbre") or []]
    return [re.split(r"[^\w.-]", what, maxsplit=1)[0] for what, _, when in asked if when.strip() == condition]


def version(package: str) -> str | None:
    """The installed version of a package, or None if it is not there."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def gpu() -> str | None:
    """The name of the first CUDA device, or None without one or without torch."""
    if importlib.util.find_spec("torch") is None:
        return None
    import torch

    return torch.cuda.get_device_name(0) if torch.cuda.is_available() else None


def as_text(findings: dict[str, Any]) -> str:
    """The findings for people: one line each, then what every extra has and lacks."""
    lines = [f"{key:18} {value}" for key, value in findings.items() if key != "extras"]
    for extra, packages in findings["extras"].items():
        missing = [name for name, found in packages.items() if found is None]
        state = f"missing {', '.join(missing)}: pip install 'timbre[{extra}]'" if missing else "complete"
        lines.append(f"{extra:18} {state}")
    return "\n".join(lines)
