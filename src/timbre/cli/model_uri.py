"""Where a model is: a file as it stands, or a registry address turned into a verified local file."""

import subprocess
import sys
from pathlib import Path

from timbre.errors import GateRefusedError, NoModelError, TimbreError

REGISTRY_SCHEME = "models:/"


class FetchError(TimbreError):
    """The registry was asked and did not deliver; the text is its reason."""


def resolve_model(uri: str) -> Path:
    """Turn a path or `models:/NAME@ALIAS` into the path of an ONNX file on this machine.

    The registry is asked in a child process, so that MLflow's hundreds of megabytes never enter ours.

    Raises:
        NoModelError: if there is no such file or no such version.
        GateRefusedError: if the version's file is not what was registered.
        FetchError: if the registry cannot be reached or is not installed.
    """
    if not uri.startswith(REGISTRY_SCHEME):
        path = Path(uri)
        if not path.is_file():
            raise NoModelError(f"no model file {uri}: train and export one, or give a models:/ address")
        return path
    # -P: a click.py in the user's working folder is not ours.
    command = [sys.executable, "-P", "-m", "timbre.cli.main", "models", "fetch", uri]
    answer = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - our own command, no shell
    if answer.returncode == 0:
        return Path(answer.stdout.strip())
    reason = (answer.stderr.strip().splitlines() or ["the registry gave no reason"])[-1].removeprefix("timbre: ")
    for kind in (NoModelError, GateRefusedError):
        if answer.returncode == kind.exit_code:
            raise kind(reason)
    raise FetchError(reason)
