"""The one door to MLflow: runs, model versions and their way to production."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from timbre.errors import GateRefusedError, NoModelError
from timbre.registry.address import Address, AddressError
from timbre.registry.artifacts import IntegrityError, downloaded, require_report
from timbre.registry.cache import fetch_once
from timbre.registry.evidence import read_evidence
from timbre.registry.gates import Gates
from timbre.registry.lifecycle import Lifecycle
from timbre.registry.mlflow_door import quieten, shown
from timbre.registry.publish import publish
from timbre.registry.tracking import Tracking
from timbre.registry.versions import Version, choose, read_versions


@dataclass(frozen=True, kw_only=True)
class Change:
    """What a promotion or a rollback did.

    Attributes:
        version: now in the stage.
        stage: staging or production.
        archived: the version that held the stage before, if another did.
    """

    version: int
    stage: str
    archived: int | None


class Registry:
    """Everything timbre asks of MLflow, which is imported when a method needs it and not before.

    Every method raises TrackingError if the database or server cannot be used.

    Args:
        tracking_uri: address of the tracking database or server.
        experiment: name of the experiment that holds the runs.
        name: name of the registered model.
        artifact_root: folder of artifacts for a sqlite database; `mlartifacts` beside it if None.
        cache_dir: folder of fetched model files.
        gates: what a version must show before it may enter a stage.
    """

    def __init__(
        self, *, tracking_uri: str, experiment: str, name: str, artifact_root: str | None, cache_dir: str, gates: Gates
    ) -> None:
        self.name = name
        self.gates = gates
        self.cache_dir = Path(cache_dir)
        root = None if artifact_root is None else Path(artifact_root)
        quieten()  # before a logger of the caller's imports mlflow
        self.tracking = Tracking(uri=tracking_uri, experiment=experiment, artifact_root=root)

    def prepare_tracking(self) -> None:
        """Make the address ready for runs: call it once before a logger does; safe from many processes at once."""
        self.tracking.prepare()

    def log_run_files(self, run_id: str, folder: Path) -> None:
        """File a folder's contents as artifacts of a run."""
        self.tracking.log_files(run_id, folder)

    def log_evaluation(self, run_id: str | None, *, metrics: Mapping[str, float], folder: Path, split: str) -> bool:
        """Log a report's numbers, as `SPLIT/NAME`, and its folder, as `report-SPLIT`, to the model's run.

        Returns:
            False if this address does not know the run; then nothing is logged.
        """
        if run_id is None or not self.tracking.has_run(run_id):
            return False
        self.tracking.log_metrics(run_id, {f"{split}/{name}": value for name, value in metrics.items()})
        self.tracking.log_files(run_id, folder, under=f"report-{split}")
        return True

    def register(self, run_dir: Path) -> tuple[Version, bool]:
        """Make a run's model a version, with its report and lineage; the same model and report are registered once.

        Returns:
            The version, and whether it is new.

        Raises:
            NoModelError: if the run has no model.onnx.
            ModelFileError: if that is no timbre model.
            IntegrityError: if the artifact store did not keep the file as it was.
        """
        return publish(self.tracking, self.name, run_dir)

    def versions(self) -> list[Version]:
        """Every version, newest first; none if nothing was registered."""
        if not self.tracking.exists:
            return []
        with self.tracking.client() as client:
            return read_versions(client, self.name)

    def version(self, which: str) -> Version:
        """The version that a number, an alias, a stage, `latest` or a `models:/` address names.

        Raises:
            NoModelError: if there is none.
            AddressError: if the text names nothing.
        """
        return self._find(Address.parse(which, name=self.name))

    def promote(self, which: str, stage: str) -> Change:
        """Move a version into staging or production, if the gates let it.

        Raises:
            GateRefusedError: with every reason.
            NoModelError: if there is no such version.
            LifecycleError: if the change makes no sense now.
        """
        address = Address.parse(which, name=self.name)
        if address.name != self.name:
            raise AddressError(f"this registry promotes versions of {self.name}, not of {address.name}")
        self._find(address)  # nothing there is said before a lock is made
        with self.tracking.lock("promotion"), self.tracking.client() as client:
            version = self._find(address)  # an alias may have moved while we waited
            self._require_gates(version, stage)
            archived = Lifecycle(client=client, name=self.name).promote(version.number, stage)
        return Change(version=version.number, stage=stage, archived=archived)

    def roll_back(self, stage: str) -> Change:
        """Bring back the version that held the stage before, if its file is still what was registered.

        The gates are not asked again: the version passed them once, and a rollback must not fail on a floor that was
        raised since.

        Raises:
            NoModelError: if nothing held the stage before.
            IntegrityError: if the earlier version's file has changed.
        """
        self._find(Address(self.name, "latest"))
        with self.tracking.lock("promotion"), self.tracking.client() as client:
            lifecycle = Lifecycle(client=client, name=self.name)
            with downloaded(self.tracking, lifecycle.before(stage)):
                number, archived = lifecycle.roll_back(stage)
        return Change(version=number, stage=stage, archived=archived)

    def fetch(self, address: str, *, output: Path | None = None) -> Path:
        """A verified copy of a version's model file on this machine; a second fetch copies nothing.

        Args:
            address: `models:/NAME@ALIAS`, `models:/NAME/NUMBER`, `models:/NAME/STAGE`, or what `version` takes.
            output: folder for the file, instead of the cache.

        Raises:
            NoModelError: if there is no such version.
            IntegrityError: if its file is not what was registered.
        """
        version = self.version(address)
        folder = output or self.cache_dir / version.name / str(version.onnx_sha256)
        return fetch_once(self.tracking, version, folder)

    def _find(self, address: Address) -> Version:
        if not self.tracking.exists:
            raise NoModelError(
                f"there is no model registry at {shown(self.tracking.uri)} yet:"
                " run timbre models register, or set MLFLOW_TRACKING_URI"
            )
        with self.tracking.client() as client:
            return choose(read_versions(client, address.name), address.name, address.which)

    def _require_gates(self, version: Version, stage: str) -> None:
        try:
            with downloaded(self.tracking, version) as files:
                require_report(files, version)
                refusals = self.gates.refusals(read_evidence(files), stage)
        except IntegrityError as error:
            refusals = [str(error)]  # a file that changed cannot vouch for anything else
        if refusals:
            raise GateRefusedError(f"version {version.number} may not enter {stage}: {'; '.join(refusals)}")
