"""Where runs are kept: prepares an MLflow database or server once, and files things under a run."""

import fcntl
import hashlib
import http.client
import os
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from timbre.registry.mlflow_door import TrackingError, is_missing, one_line_errors, open_client, quieten, shown

if TYPE_CHECKING:
    from mlflow import MlflowClient

SQLITE = "sqlite:///"
REACH_SECONDS = 5.0
"""How long a tracking server may take to answer its first request."""


class Tracking:
    """One MLflow address: a sqlite file, which is ours to create, or a server, which only has to answer.

    Args:
        uri: `sqlite:///FILE`, `http(s)://...` or another database URL that MLflow accepts.
        experiment: name of the experiment that holds the runs.
        artifact_root: folder of the artifacts when `uri` is a sqlite file, `mlartifacts` beside that file if None; a
            server decides for itself.

    Raises:
        TrackingError: if the address is empty or of a kind that MLflow no longer keeps a registry in.
    """

    def __init__(self, *, uri: str, experiment: str, artifact_root: Path | None) -> None:
        if "://" not in uri and not uri.startswith(SQLITE):
            raise TrackingError(f"tracking address {uri!r} is no URL: use sqlite:///FILE or http://HOST:PORT")
        if uri.startswith("file:"):
            raise TrackingError(
                f"MLflow keeps no registry in plain files ({uri}): use sqlite:///FILE or http://HOST:PORT"
            )
        self.uri = uri
        self.experiment = experiment
        self._artifact_root = artifact_root
        self._client: MlflowClient | None = None

    @property
    def absolute_uri(self) -> str:
        """The address for MLflow, which remembers connections by it: the same for every working folder."""
        if self.database is None or self.database.is_absolute():
            return self.uri
        return self.uri.replace(SQLITE, f"{SQLITE}{Path.cwd().as_posix()}/", 1)

    @property
    def database(self) -> Path | None:
        """The sqlite file, or None for anything else."""
        if not self.uri.startswith(SQLITE):
            return None
        return Path(self.uri.removeprefix(SQLITE).split("?")[0])

    @property
    def exists(self) -> bool:
        """Whether there is anything to read: only a sqlite file may be absent."""
        return self.database is None or self.database.is_file()

    @contextmanager
    def client(self) -> Iterator["MlflowClient"]:
        """The client, with its errors in one line.

        Raises:
            TrackingError: if the server does not answer, or whatever MLflow raises in the block.
        """
        if self._client is None:
            self._reach()
            self._client = open_client(self.absolute_uri)
        with one_line_errors(self.uri):
            yield self._client

    def prepare(self) -> None:
        """Create the database and the experiment if they are not there; any number of processes may call this at once.

        A fresh database is migrated under another name and moved into place, so that a process that finds the file
        finds it whole, even if its maker was killed.
        """
        quieten()
        import mlflow  # noqa: F401 - seconds long, so not while others wait for the lock

        database = self.database
        if database is not None and not database.is_file():
            with self.lock("prepare"):
                if not database.is_file():
                    create_database(database)
        with self.client() as client:
            if client.get_experiment_by_name(self.experiment) is None:
                with self.lock("prepare"):
                    if client.get_experiment_by_name(self.experiment) is None:
                        client.create_experiment(self.experiment, artifact_location=self._artifact_location())

    def has_run(self, run_id: str | None) -> bool:
        """Whether this address knows the run and has not deleted it."""
        if not run_id or not self.exists:
            return False
        from mlflow.exceptions import MlflowException

        with self.client() as client:
            try:
                return bool(client.get_run(run_id).info.lifecycle_stage == "active")
            except MlflowException as error:
                if is_missing(error) or error.error_code == "INVALID_PARAMETER_VALUE":
                    return False
                raise

    def create_run(self, *, name: str, tags: Mapping[str, str]) -> str:
        """A finished run to file things under, for a model that was trained elsewhere."""
        with self.client() as client:
            experiment = client.get_experiment_by_name(self.experiment)
            run_id = str(client.create_run(experiment.experiment_id, run_name=name, tags=dict(tags)).info.run_id)
            client.set_terminated(run_id)
            return run_id

    def log_files(self, run_id: str, folder: Path, *, under: str | None = None) -> None:
        """File a folder's contents as artifacts of a run, under a folder of that name if one is given."""
        with self.client() as client:
            client.log_artifacts(run_id, str(folder), artifact_path=under)

    def log_metrics(self, run_id: str, metrics: Mapping[str, float]) -> None:
        """Log one value per name, in one request."""
        from mlflow.entities import Metric

        now = int(time.time() * 1000)
        with self.client() as client:
            client.log_batch(run_id, metrics=[Metric(name, value, now, 0) for name, value in metrics.items()])

    @contextmanager
    def lock(self, purpose: str) -> Iterator[None]:
        """Hold a file lock of this address: beside a sqlite file, else in this machine's folder for temporary files.

        For a server it orders the processes of this machine only; MLflow has no lock of its own to offer.
        """
        database = self.database
        if database is not None:
            database.parent.mkdir(parents=True, exist_ok=True)
            path = database.with_name(f"{database.name}.{purpose}.lock")
        else:
            digest = hashlib.sha256(self.uri.encode()).hexdigest()[:16]
            path = Path(tempfile.gettempdir()) / f"timbre-{os.getuid()}-{digest}.{purpose}.lock"
        with path.open("a") as handle:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield

    def _artifact_location(self) -> str | None:
        if self.database is None:
            return None
        return (self._artifact_root or self.database.with_name("mlartifacts")).absolute().as_uri()

    def _reach(self) -> None:
        """Ask a server for its health before MLflow, whose own retries are long and whose import costs seconds."""
        if not self.uri.startswith(("http://", "https://")):
            return
        try:
            with urllib.request.urlopen(f"{self.uri.rstrip('/')}/health", timeout=REACH_SECONDS):  # noqa: S310 - http(s) only
                return
        except urllib.error.HTTPError:
            return  # it answered; whether it lets us in is MLflow's to say
        except (OSError, http.client.HTTPException, ValueError) as error:
            reason = getattr(error, "reason", error)
            raise TrackingError(
                f"no tracking server answers at {shown(self.uri)} ({reason}): start it or set MLFLOW_TRACKING_URI"
            ) from error


def create_database(database: Path) -> None:
    """Migrate an empty database beside its place, then move it there."""
    partial = database.with_name(f"{database.name}.partial")
    partial.unlink(missing_ok=True)  # of a process that was killed; the caller holds the lock
    try:
        uri = f"{SQLITE}{partial}"
        client = open_client(uri)
        with one_line_errors(uri):
            client.search_experiments(max_results=1)
        partial.replace(database)
    finally:
        with suppress(FileNotFoundError):
            partial.unlink()
