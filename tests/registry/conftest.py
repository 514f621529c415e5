"""A migrated MLflow database, copied for each test, and run folders with a tiny model that keeps the contract."""

import hashlib
import json
import multiprocessing
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.tiny_model import write_tiny_model
from timbre.registry import Gates, Registry
from timbre.registry.mlflow_door import quieten

RATE = 8000
CONFIG = "seed: 7\n"

MakeRun = Callable[..., Path]


def good_lineage() -> dict[str, Any]:
    return {
        "git_sha": "a" * 40,
        "data_manifest_sha256": "b" * 64,
        "config_sha256": hashlib.sha256(CONFIG.encode()).hexdigest(),
        "mlflow_run_id": None,
        "parity": {"max_abs_diff": 3e-6, "tolerance": 1e-4, "clips": 4},
    }


def write_report(run: Path, *, sha256: str, macro_f1: float = 0.8, split: str = "test", **changes: Any) -> None:
    metrics = {"macro_f1": {"value": macro_f1, "low": macro_f1 - 0.1, "high": macro_f1 + 0.1}}
    subject = {"model_sha256": sha256, "data_manifest_sha256": "b" * 64, "split": split}
    report = subject | {"failures": [], "metrics": metrics} | changes
    (run / "report").mkdir(exist_ok=True)
    (run / "report" / "report.json").write_text(json.dumps(report))
    (run / "report" / "report.md").write_text("# a report\n")


@pytest.fixture
def make_run(tmp_path: Path) -> MakeRun:
    """Builds a run folder; `seed` makes another model, `lineage` changes its lineage."""

    def make(
        seed: int = 0, *, lineage: dict[str, Any] | None = None, report: bool = True, macro_f1: float = 0.8
    ) -> Path:
        run = tmp_path / f"run-{seed}"
        run.mkdir()
        facts = good_lineage() | (lineage or {})
        model = write_tiny_model(
            run / "model.onnx", sample_rate=RATE, clip_seconds=1.0, version=f"run-{seed}", lineage=facts
        )
        sha256 = hashlib.sha256(model.read_bytes()).hexdigest()
        (run / "config.yaml").write_text(CONFIG)
        (run / "lineage.json").write_text(json.dumps(facts))
        if report:
            write_report(run, sha256=sha256, macro_f1=macro_f1)
        return run

    return make


def build_registry(home: Path, *, uri: str | None = None, floors: dict[str, float] | None = None) -> Registry:
    return Registry(
        tracking_uri=uri or f"sqlite:///{home / 'mlflow.db'}",
        experiment="timbre",
        name="timbre",
        artifact_root=None,
        cache_dir=str(home / "models"),
        gates=Gates(parity_tolerance=1e-4, floors=floors or {"staging": 0.3, "production": 0.5}),
    )


@pytest.fixture(scope="session")
def at_once() -> Callable[..., list[int]]:
    """Runs a function in several processes at the same time; they are forked where MLflow is already imported."""
    quieten()
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["mlflow", "timbre.registry.registry"])

    def run(function: Callable[..., None], arguments: list[tuple[Any, ...]]) -> list[int]:
        processes = [context.Process(target=function, args=each) for each in arguments]
        for process in processes:
            process.start()
        for process in processes:
            process.join(100)
        return [process.exitcode for process in processes]

    return run


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database after MLflow's migrations, which take seconds; it holds no experiment of ours yet."""
    from timbre.registry.tracking import create_database

    path = tmp_path_factory.mktemp("mlflow") / "mlflow.db"
    create_database(path)
    return path


@pytest.fixture
def registry(tmp_path: Path, migrated: Path) -> Registry:
    home = tmp_path / "outputs"
    home.mkdir()
    shutil.copyfile(migrated, home / "mlflow.db")
    return build_registry(home)


def stages(registry: Registry) -> dict[int, str]:
    return {version.number: version.stage for version in registry.versions()}


def native_stages(registry: Registry) -> dict[int, str]:
    """What MLflow itself says, for those who still read its stages."""
    with registry.tracking.client() as client:
        return {int(raw.version): raw.current_stage for raw in client.search_model_versions("name='timbre'")}


def artifact(registry: Registry, number: int) -> Path:
    """The version's model file in the artifact store."""
    source = registry.version(str(number)).source
    place = source.split("/", 2)[2]
    found = list(registry.tracking.database.parent.glob(f"mlartifacts/*/artifacts/{place}/model.onnx"))
    assert len(found) == 1
    return found[0]
