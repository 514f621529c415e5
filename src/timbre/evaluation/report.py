"""The report folder: report.json for machines, report.md for people, pictures, and every answer."""

import csv
import json
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from timbre.errors import TimbreError
from timbre.evaluation.bootstrap import LEVEL
from timbre.evaluation.markdown import render
from timbre.evaluation.measure import ConfidenceBin, Measurement
from timbre.evaluation.mistakes import most_confident_mistakes
from timbre.evaluation.pictures import draw_confusion, draw_mistakes, draw_reliability

FORMAT = 1
"""Version of report.json's layout; raised when a reader of the old layout would misread the new one."""

REPORT_JSON = "report.json"


@dataclass(frozen=True, kw_only=True)
class Subject:
    """What was measured, on what.

    Attributes:
        model_version: name of the training run the model comes from.
        model_sha256: of the model file.
        lineage: as the model carries it.
        data_dir: folder of the prepared data, as the user named it.
        data_manifest_sha256: of that folder's manifest.
        split: train, val or test.
        span: clip, the first clip of each file, or track, all of it up to 1200 s.
        created_at: UTC, ISO 8601.
    """

    model_version: str
    model_sha256: str
    lineage: Mapping[str, Any]
    data_dir: str
    data_manifest_sha256: str
    split: str
    span: str
    created_at: str

    @property
    def same_data(self) -> bool:
        """Whether the model was trained on the very data it was measured on (on other splits of it, one hopes)."""
        return bool(self.lineage.get("data_manifest_sha256") == self.data_manifest_sha256)


@dataclass(frozen=True, kw_only=True)
class Answers:
    """Every clip answered, in the order of the split: its path, artist, truth and [N, G] probabilities."""

    paths: Sequence[str]
    artists: Sequence[str | None]
    targets: NDArray[np.int64]
    probabilities: NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Failure:
    """A clip of the split that could not be answered, and why."""

    path: str
    reason: str


def write_report(
    folder: Path, *, subject: Subject, measurement: Measurement, answers: Answers, failures: Sequence[Failure] = ()
) -> dict[str, Any]:
    """Write a report folder whole, in place of the one before it.

    A process killed on the way leaves the old report or none, never a part of the new one under this name.

    Returns:
        What is in report.json.

    Raises:
        OSError: if the folder cannot be written.
    """
    mistakes = most_confident_mistakes(
        probabilities=answers.probabilities, targets=answers.targets, labels=measurement.labels, paths=answers.paths
    )
    report = {
        "format": FORMAT,
        **asdict(subject),
        "same_data": subject.same_data,
        "clips": measurement.clips,
        "failures": [asdict(failure) for failure in failures],
        "metrics": {name: estimate.to_dict() for name, estimate in measurement.headlines.items()},
        "interval": {
            "level": LEVEL,
            "resamples": measurement.resamples,
            "seed": measurement.seed,
            "unit": measurement.unit,
            "units": measurement.clusters,
        },
        "genres": {
            label: {
                "clips": score.clips,
                "precision": score.precision.to_dict(),
                "recall": score.recall.to_dict(),
                "f1": score.f1.to_dict(),
            }
            for label, score in measurement.genres.items()
        },
        "confusion": {"labels": list(measurement.labels), "counts": measurement.confusion.tolist()},
        "calibration": {
            "bins": [_bin(bin_) for bin_ in measurement.bins],
            "ece_if_calibrated": dict(zip(("mean", "high"), measurement.ece_if_calibrated, strict=True)),
        },
        "mistakes": [asdict(mistake) for mistake in mistakes],
    }
    with _in_place_of(folder) as new:
        draw_confusion(measurement, new / "confusion.png")
        draw_reliability(measurement, new / "reliability.png")
        draw_mistakes(mistakes, new / "mistakes.png")
        _write_answers(new / "answers.csv", answers, measurement.labels)
        (new / "report.md").write_text(render(report), encoding="utf-8")
        (new / REPORT_JSON).write_text(json.dumps(report, indent=2, allow_nan=False) + "\n", encoding="utf-8")
    return report


def _bin(bin_: ConfidenceBin) -> dict[str, Any]:
    raw = asdict(bin_)
    return raw if bin_.clips else raw | {"confidence": None, "accuracy": None}


def _write_answers(path: Path, answers: Answers, labels: Sequence[str]) -> None:
    with path.open("w", encoding="utf-8", newline="") as handle:
        writer = csv.writer(handle, lineterminator="\n")
        writer.writerow(["path", "artist", "truth", "answer", "confidence", *(f"p({label})" for label in labels)])
        for clip, artist, target, row in zip(
            answers.paths, answers.artists, answers.targets, answers.probabilities, strict=True
        ):
            best = int(row.argmax())
            numbers = [f"{value:.6f}" for value in (row[best], *row)]
            writer.writerow([clip, artist or "", labels[target], labels[best], *numbers])


class ReportError(TimbreError):
    """A report cannot be written where it is wanted."""


def check_report_dir(folder: Path) -> None:
    """Raise ReportError if a report in `folder` would replace something that is not a report."""
    if folder.is_file() or (folder.is_dir() and any(folder.iterdir()) and not (folder / REPORT_JSON).is_file()):
        raise ReportError(f"{folder} holds something that is not a report, and a new report would replace it")


@contextmanager
def _in_place_of(folder: Path) -> Iterator[Path]:
    """A new folder beside `folder` that takes its name when the block is done, and goes away if it fails."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    new = folder.with_name(f".{folder.name}.{os.getpid()}.new")
    old = folder.with_name(f".{folder.name}.{os.getpid()}.old")
    new.mkdir()
    try:
        yield new
        if folder.exists():
            folder.rename(old)
        new.rename(folder)
    finally:
        shutil.rmtree(new, ignore_errors=True)
        shutil.rmtree(old, ignore_errors=True)
