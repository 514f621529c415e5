"""Model versions as facts: what MLflow knows of each, with the stage told by the aliases."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from timbre.errors import NoModelError
from timbre.registry.mlflow_door import is_missing

if TYPE_CHECKING:
    from mlflow import MlflowClient

STAGES = {"staging": "Staging", "production": "Production"}
"""The stages a version can be promoted to: alias, and the word that people and MLflow's stages use."""

NO_STAGE, ARCHIVED = "None", "Archived"

PAGE = 200
"""Versions asked for at once."""

METRIC = "metric."
"""Tags of metrics start so; their value is JSON with value, low and high."""


@dataclass(frozen=True, kw_only=True)
class Version:
    """One version of the registered model.

    Attributes:
        name, number: as in `models:/NAME/NUMBER`.
        stage: None, Staging, Production or Archived.
        aliases: every alias that points here, sorted.
        created_at: UTC, ISO 8601.
        run_id: the MLflow run that holds the artifacts.
        source: where the artifacts are.
        tags: as MLflow has them.
    """

    name: str
    number: int
    stage: str
    aliases: tuple[str, ...]
    created_at: str
    run_id: str
    source: str
    tags: Mapping[str, str]

    @property
    def onnx_sha256(self) -> str | None:
        """SHA-256 of the model file as registered; None for a version that timbre did not register."""
        return self.tags.get("onnx_sha256")

    @property
    def metrics(self) -> dict[str, dict[str, float]]:
        """Headline metrics of the version's report: value, low and high by name."""
        return {
            key.removeprefix(METRIC): json.loads(value) for key, value in self.tags.items() if key.startswith(METRIC)
        }

    @property
    def events(self) -> list[dict[str, str]]:
        """What happened to this version: at, by and what, oldest first."""
        events: list[dict[str, str]] = json.loads(self.tags.get("events", "[]"))
        return events

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        facts = {key: value for key, value in self.tags.items() if not key.startswith(METRIC) and key != "events"}
        raw = asdict(self) | {"aliases": list(self.aliases)}
        return raw | {"tags": facts, "metrics": self.metrics, "events": self.events}


def read_versions(client: "MlflowClient", name: str) -> list[Version]:
    """Every version, newest first; none if nothing was ever registered.

    The aliases come from the registered model: MLflow's search leaves them out of the versions.
    """
    aliases = read_aliases(client, name)
    found, token = [], None
    while True:
        page = client.search_model_versions(f"name='{name}'", max_results=PAGE, page_token=token)
        found += [_version(raw, aliases) for raw in page]
        token = page.token
        if not token:
            return sorted(found, key=lambda version: -version.number)


def read_aliases(client: "MlflowClient", name: str) -> dict[str, int]:
    """The version each alias points to."""
    from mlflow.exceptions import MlflowException

    try:
        model = client.get_registered_model(name)
    except MlflowException as error:
        if is_missing(error):
            return {}
        raise
    return {alias: int(number) for alias, number in model.aliases.items()}


def choose(versions: list[Version], name: str, which: str) -> Version:
    """The version that a word names: a number, `latest`, an alias, or a stage, which is its alias in another case.

    Raises:
        NoModelError: if there is none; the text says what there is.
    """
    word = which.lower()
    for version in versions:  # newest first
        if word in {"latest", str(version.number), *(alias.lower() for alias in version.aliases)}:
            return version
    if not versions:
        raise NoModelError(
            f"no version of {name} is registered: train, export and evaluate, then timbre models register"
        )
    if word in STAGES:
        raise NoModelError(f"no version of {name} is in {word}: timbre models promote VERSION --to {word}")
    raise NoModelError(f"{name} has no version {which}: it has {', '.join(str(v.number) for v in versions[:10])}")


def _version(raw: Any, aliases: Mapping[str, int]) -> Version:
    number, tags = int(raw.version), dict(raw.tags)
    mine = tuple(sorted(alias for alias, pointed in aliases.items() if pointed == number))
    return Version(
        name=raw.name,
        number=number,
        stage=_stage(mine, tags),
        aliases=mine,
        created_at=datetime.fromtimestamp(raw.creation_timestamp / 1000, UTC).isoformat(timespec="seconds"),
        run_id=raw.run_id or "",
        source=raw.source or "",
        tags=tags,
    )


def _stage(aliases: tuple[str, ...], tags: Mapping[str, str]) -> str:
    """An alias is the truth; a tag that claims a stage without it was left behind when someone moved the alias."""
    for alias in ("production", "staging"):
        if alias in aliases:
            return STAGES[alias]
    return NO_STAGE if tags.get("stage", NO_STAGE) == NO_STAGE else ARCHIVED
