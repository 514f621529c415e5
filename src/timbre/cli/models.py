"""`timbre models`: register, list, show, promote, roll back and fetch model versions."""

import importlib.util
import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from timbre.cli.console import say
from timbre.contract import DEFAULT_MODEL
from timbre.errors import TimbreError

if TYPE_CHECKING:
    from timbre.registry import Change, Registry, Version

NEEDED = ("hydra", "mlflow", "onnx")
HEADLINES = ("macro_f1", "accuracy", "ece")
PIPE_WIDTH = 160
"""Columns of a table that goes to no terminal, whose reader would otherwise get it cut at 80."""

Command = Callable[..., Any]


@click.group()
def command() -> None:
    """Register, promote, roll back and fetch model versions.

    A VERSION is a number, an alias (production, staging), `latest`, or an address such as models:/timbre@production.
    MLFLOW_TRACKING_URI says where the registry is; a database under outputs/ if it is not set.
    """


def options(verb: Command) -> Command:
    """What every verb here takes."""
    change = click.option(
        "--set",
        "changes",
        multiple=True,
        metavar="KEY=VALUE",
        help="Change the configuration, as in registry.gates.floors.production=0.6.",
    )
    as_json = click.option("--json", "as_json", is_flag=True, help="Write JSON.")
    return change(as_json(verb))


@command.command()
@click.option(
    "--run-dir",
    type=click.Path(path_type=Path),
    default=Path("outputs/train/latest"),
    show_default=True,
    help="Folder of the run: model.onnx, report/, config.yaml, lineage.json.",
)
@options
def register(run_dir: Path, as_json: bool, changes: tuple[str, ...]) -> None:
    """Make a run's model a new version, with its report and lineage."""
    version, is_new = build_registry(changes).register(run_dir)
    if as_json:
        write_json(version.to_dict() | {"is_new": is_new})
    else:
        verb = "registered" if is_new else "was registered already, as it is:"
        click.echo(f"{verb} models:/{version.name}/{version.number}")


@command.command("list")
@options
def list_(as_json: bool, changes: tuple[str, ...]) -> None:
    """List the versions, newest first."""
    versions = build_registry(changes).versions()
    if as_json:
        write_json([version.to_dict() for version in versions])
    elif not versions:
        say("no version is registered yet: train, export and evaluate, then timbre models register")
    else:
        heads = ("version", "stage", *(f"{name} [95 %]" for name in HEADLINES), "trained as", "git", "registered")
        print_table(heads, [summary(version) for version in versions])


@command.command()
@click.argument("version")
@options
def show(version: str, as_json: bool, changes: tuple[str, ...]) -> None:
    """Show all that is known of a version."""
    found = build_registry(changes).version(version)
    if as_json:
        write_json(found.to_dict())
        return
    facts = {
        "address": f"models:/{found.name}/{found.number}",
        "stage": found.stage,
        "aliases": ", ".join(found.aliases) or "none",
        **{key: value for key, value in sorted(found.tags.items()) if key in FACTS},
        **{name: shown(found.metrics, name) for name in sorted(found.metrics)},
        "artifacts": found.source,
    }
    print_table(("", ""), [(key, str(value)) for key, value in facts.items()])
    print_table(("when", "who", "what"), [(event["at"], event["by"], event["what"]) for event in found.events])


@command.command()
@click.argument("version")
@click.option("--to", "stage", type=click.Choice(["staging", "production"]), required=True, help="The stage.")
@options
def promote(version: str, stage: str, as_json: bool, changes: tuple[str, ...]) -> None:
    """Move a version into a stage, if the gates let it; exit code 4 and every reason if not."""
    tell(build_registry(changes).promote(version, stage), as_json)


@command.command()
@click.option(
    "--stage", type=click.Choice(["staging", "production"]), default="production", show_default=True, help="The stage."
)
@options
def rollback(stage: str, as_json: bool, changes: tuple[str, ...]) -> None:
    """Bring back the version that held a stage before; again, the one before that."""
    tell(build_registry(changes).roll_back(stage), as_json)


@command.command()
@click.argument("version", default=DEFAULT_MODEL)
@click.option("--output", type=click.Path(path_type=Path), help="Folder for the file, instead of the cache.")
@options
def fetch(version: str, output: Path | None, as_json: bool, changes: tuple[str, ...]) -> None:
    """Bring a version's model file here, verified, and write its path."""
    path = build_registry(changes).fetch(version, output=output)
    if as_json:
        write_json({"path": str(path), "address": version})
    else:
        click.echo(path)


FACTS = frozenset(
    {
        "config_sha256",
        "data_manifest_sha256",
        "git_dirty",
        "git_sha",
        "labels",
        "onnx_sha256",
        "report_sha256",
        "report_split",
        "trained_as",
    }
)


def build_registry(changes: tuple[str, ...]) -> "Registry":
    """The registry of conf/registry/default.yaml with the user's changes.

    Raises:
        TimbreError: if the configuration does not compose, or what it needs is not installed.
    """
    missing = [name for name in NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        raise TimbreError(f"`timbre models` needs {', '.join(missing)}: pip install 'timbre[train]'")
    from hydra.errors import InstantiationException
    from hydra.utils import instantiate

    from timbre.cli.hydra_app import compose

    cfg = compose("registry/default", list(changes))
    try:
        registry: Registry = instantiate(cfg.registry)
    except InstantiationException as error:
        if isinstance(error.__cause__, TimbreError):
            raise error.__cause__ from error
        raise TimbreError(f"the registry cannot be built: {error}") from error
    return registry


def summary(version: "Version") -> tuple[str, ...]:
    """A version as a row of the list."""
    return (
        str(version.number),
        version.stage,
        *(shown(version.metrics, name) for name in HEADLINES),
        version.tags.get("trained_as", "-"),
        version.tags.get("git_sha", "-")[:8],
        version.created_at[:16].replace("T", " "),
    )


def shown(metrics: Mapping[str, Mapping[str, float | None]], name: str) -> str:
    """A metric with its interval."""
    metric = metrics.get(name, {})
    value, low, high = (metric.get(key) for key in ("value", "low", "high"))
    return "-" if value is None else f"{value:.3f} [{low or 0:.3f}, {high or 0:.3f}]"


def tell(change: "Change", as_json: bool) -> None:
    """What a promotion or a rollback did."""
    if as_json:
        write_json({"version": change.version, "stage": change.stage, "archived": change.archived})
        return
    archived = f"; version {change.archived} is archived" if change.archived else ""
    click.echo(f"version {change.version} is in {change.stage}{archived}")


def write_json(value: object) -> None:
    """Data for programs, on stdout."""
    click.echo(json.dumps(value, indent=2))


def print_table(heads: tuple[str, ...], rows: list[tuple[str, ...]]) -> None:
    """A table on stdout, as wide as the terminal, or wide enough for a file."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(*heads, show_header=any(heads))
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    Console(width=None if sys.stdout.isatty() else PIPE_WIDTH).print(table)
