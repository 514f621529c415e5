"""`timbre evaluate`: the split's original files through the code that serves, and a report on the answers."""

from collections.abc import Sequence
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from hydra.utils import instantiate
from omegaconf import DictConfig
from rich.console import Console
from rich.table import Table

from timbre.cli.console import progress, say
from timbre.contract import ModelContract
from timbre.data import SPLITS, Clip, DataError, audio_path, manifest_sha256, read_manifest
from timbre.errors import NoModelError, TimbreError
from timbre.evaluation import Measurement, check_resamples, measure
from timbre.evaluation.markdown import MEANINGS
from timbre.evaluation.report import Answers, Failure, Subject, check_report_dir, write_report
from timbre.inference import OnnxEngine, Predictor
from timbre.registry import Registry, TrackingError


class EvaluateError(TimbreError):
    """The model and the data do not fit, or nothing could be measured."""


def job(cfg: DictConfig) -> int:
    """Measure one model file on one split.

    Returns:
        0, or 1 if some files could not be answered: each is named, and the report is of the others.

    Raises:
        TimbreError: if there is no model, no data, they do not fit, or no file could be answered.
    """
    model, data_dir = Path(cfg.model_file), Path(cfg.data.dir)
    report_dir = Path(cfg.report_dir or model.with_name("report"))
    if cfg.split != "test":
        report_dir = report_dir.with_name(f"{report_dir.name}-{cfg.split}")
    if not model.is_file():
        raise NoModelError(f"there is no model file {model}: run timbre export first, or give model_file=FILE")
    engine = OnnxEngine(model, threads=1)
    clips = read_split(data_dir, cfg.split, engine.contract)
    check_report_dir(report_dir)
    check_resamples(cfg.interval.resamples)
    registry: Registry = instantiate(cfg.registry)  # before the work: its mistakes are the user's too
    predictor = Predictor(engine)
    answers, failures = answer(predictor, data_dir, clips, span=cfg.span, workers=cfg.workers)
    for failure in failures:
        say(f"{failure.path}: {failure.reason}")
    if len(answers.paths) < 2:
        raise EvaluateError(f"only {len(answers.paths)} of {len(clips)} files could be answered: nothing to measure")
    measurement = measure(
        probabilities=answers.probabilities,
        targets=answers.targets,
        labels=engine.contract.labels,
        artists=answers.artists,
        resamples=cfg.interval.resamples,
        seed=cfg.interval.seed,
    )
    subject = Subject(
        model_version=engine.contract.version,
        model_sha256=engine.sha256,
        lineage=engine.contract.lineage,
        data_dir=str(data_dir),
        data_manifest_sha256=manifest_sha256(data_dir),
        split=cfg.split,
        span=cfg.span,
        created_at=datetime.now(UTC).isoformat(timespec="seconds"),
    )
    write_report(report_dir, subject=subject, measurement=measurement, answers=answers, failures=failures)
    show(measurement)
    if not subject.same_data:
        say("note: the model was trained on other data than this; are its clips unheard?")
    log(registry, engine.contract, measurement, report_dir, cfg.split)
    say(f"report: {report_dir / 'report.md'}")
    if failures:
        say(f"{len(failures)} of {len(clips)} files could not be answered, named above and in the report")
    return 1 if failures else 0


def read_split(data_dir: Path, split: str, contract: ModelContract) -> list[Clip]:
    """The clips of a split, whose genres must be the model's.

    Raises:
        EvaluateError: if the split is unknown or empty, or the genres differ.
    """
    if split not in SPLITS:
        raise EvaluateError(f"there is no split {split!r}: it is one of {', '.join(SPLITS)}")
    manifest = read_manifest(data_dir)
    clips = [clip for clip in manifest if clip.split == split]
    genres = {clip.genre for clip in manifest}
    strange, unheard = sorted(genres - set(contract.labels)), sorted(set(contract.labels) - genres)
    if strange or unheard:
        differences = [f"the data has {', '.join(strange)}"] * bool(strange)
        differences += [f"the model has {', '.join(unheard)}"] * bool(unheard)
        raise EvaluateError(f"the genres of {data_dir} are not the model's: only {' and only '.join(differences)}")
    if not clips:
        raise EvaluateError(f"the {split} split of {data_dir} is empty")
    return clips


def answer(
    predictor: Predictor, data_dir: Path, clips: Sequence[Clip], *, span: Any, workers: int | None
) -> tuple[Answers, list[Failure]]:
    """Predict the original file of every clip, with a bar; what cannot be answered is a failure with its reason."""
    failures: list[Failure] = []
    there: list[tuple[Clip, Path]] = []
    for clip in clips:
        try:
            there.append((clip, audio_path(data_dir, clip)))
        except DataError as error:
            failures.append(Failure(path=clip.path, reason=str(error)))
    labels = predictor.engine.contract.labels
    answered: list[Clip] = []
    rows: list[list[float]] = []
    paths = [path for _, path in there]
    with (
        progress("evaluating", len(paths)) as advance,
        closing(predictor.predict_files(paths, span=span, workers=workers)) as results,
    ):
        for (clip, _), result in zip(there, results, strict=True):
            if result.prediction is None:
                failures.append(Failure(path=clip.path, reason=str(result.error)))
            else:
                answered.append(clip)
                rows.append([result.prediction.all_probabilities[label] for label in labels])
            advance(1)
    answers = Answers(
        paths=[clip.path for clip in answered],
        artists=[clip.artist for clip in answered],
        targets=np.array([labels.index(clip.genre) for clip in answered], dtype=np.int64),
        probabilities=np.array(rows, dtype=np.float64).reshape(-1, len(labels)),
    )
    return answers, failures


def show(measurement: Measurement) -> None:
    """The headline numbers as a table on stdout."""
    table = Table("metric", "value", "95 % interval")
    for name, (title, _) in MEANINGS.items():
        estimate = measurement.headlines[name]
        table.add_row(title, f"{estimate.value:.3f}", f"{estimate.low:.3f} .. {estimate.high:.3f}")
    Console().print(table)


def log(registry: Registry, contract: ModelContract, measurement: Measurement, report_dir: Path, split: str) -> None:
    """Put the numbers and the report into the model's MLflow run, or say in one line why they are not there."""
    run_id = contract.lineage.get("mlflow_run_id")
    numbers = {name: estimate.value for name, estimate in measurement.headlines.items()}
    try:
        logged = registry.log_evaluation(run_id, metrics=numbers, folder=report_dir, split=split)
    except TrackingError as error:
        say(f"the report is written but not in MLflow: {error}")
        return
    if not logged:
        say("the report is not in MLflow: the tracking address does not know the run that trained this model")
