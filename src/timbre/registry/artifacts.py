"""A version's files in the artifact store: brought here, and held against the sha256 that was registered."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from timbre.errors import GateRefusedError
from timbre.registry.evidence import MODEL_FILE, REPORT_FILE, file_sha256
from timbre.registry.mlflow_door import TrackingError, is_missing
from timbre.registry.tracking import Tracking
from timbre.registry.versions import Version


class IntegrityError(GateRefusedError):
    """A file of a version is not what was registered."""


def registered_sha256(version: Version) -> str:
    """The sha256 that every use of a version's file is held against.

    Raises:
        IntegrityError: if there is none: the version was not registered by timbre.
    """
    if not version.onnx_sha256:
        raise IntegrityError(
            f"version {version.number} of {version.name} has no recorded sha256, so it was not registered by timbre:"
            " register it with timbre models register"
        )
    return version.onnx_sha256


def require_bytes(path: Path, version: Version) -> None:
    """Hold a file against its version's sha256.

    Raises:
        IntegrityError: if they differ.
    """
    expected, actual = registered_sha256(version), file_sha256(path)
    if actual != expected:
        raise IntegrityError(
            f"the model file of version {version.number} has changed since it was registered: its sha256 is"
            f" {actual[:12]}..., not {expected[:12]}...; do not use it, register its run again"
        )


def require_report(files: Path, version: Version) -> None:
    """Hold the report among a version's files against the sha256 that was registered; no report must be none now.

    Raises:
        IntegrityError: if they differ.
    """
    path = files / REPORT_FILE
    if (file_sha256(path) if path.is_file() else None) != version.tags.get("report_sha256"):
        raise IntegrityError(
            f"the report of version {version.number} is not the one that was registered: do not trust it,"
            " evaluate and register its run again"
        )


def download_model(tracking: Tracking, version: Version, into: Path) -> Path:
    """Bring a version's model file, unchecked, into a folder and return its path.

    Raises:
        TrackingError: if the artifact store does not have it.
    """
    return _download(tracking, version, f"{_place(tracking, version)}/{MODEL_FILE}", into)


@contextmanager
def downloaded(tracking: Tracking, version: Version) -> Iterator[Path]:
    """All files of a version in a temporary folder, for the length of the block.

    Raises:
        TrackingError: if the artifact store does not have them.
        IntegrityError: if the model file is not the one registered.
    """
    registered_sha256(version)  # before anything is brought here for nothing
    with tempfile.TemporaryDirectory(prefix="timbre-") as folder:
        files = _download(tracking, version, _place(tracking, version), Path(folder))
        require_bytes(files / MODEL_FILE, version)
        yield files


def _place(tracking: Tracking, version: Version) -> str:
    with tracking.client() as client:
        return str(client.get_model_version_download_uri(version.name, str(version.number))).rstrip("/")


def _download(tracking: Tracking, version: Version, uri: str, into: Path) -> Path:
    with tracking.client():
        from mlflow.artifacts import download_artifacts
        from mlflow.exceptions import MlflowException

        try:
            path = Path(
                download_artifacts(
                    artifact_uri=uri,
                    dst_path=str(into),
                    tracking_uri=tracking.absolute_uri,
                    registry_uri=tracking.absolute_uri,
                )
            )
        except OSError as error:
            raise _gone(version) from error
        except MlflowException as error:
            if is_missing(error):
                raise _gone(version) from error
            raise
    if not (path if path.is_file() else path / MODEL_FILE).is_file():
        raise _gone(version)
    return path


def _gone(version: Version) -> TrackingError:
    return TrackingError(
        f"the artifact store has no model file for version {version.number} of {version.name}: register its run again"
    )
