"""Probabilities and truths of a split in, every number of the report out."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from timbre.errors import TimbreError
from timbre.evaluation.bootstrap import Estimate, bootstrap, clusters_of
from timbre.evaluation.metrics import HEADLINES, PER_GENRE
from timbre.evaluation.tally import BINS, TallyRows, confidence_bin

SUM_TOLERANCE = 1e-3
"""How far a row of probabilities may be from 1: float32 over many genres, and no more."""

CALIBRATED_BLOCK, CALIBRATED_BLOCKS = 50, 20
"""Simulated perfectly calibrated classifiers behind `ece_if_calibrated`: at once, and how often."""


class MeasureError(TimbreError):
    """The arrays to measure do not fit together."""


@dataclass(frozen=True, kw_only=True)
class GenreScore:
    """One genre's numbers; NaN where the split has no clip of it."""

    clips: int
    precision: Estimate
    recall: Estimate
    f1: Estimate


@dataclass(frozen=True, kw_only=True)
class ConfidenceBin:
    """The clips answered with a confidence in (low, high]; the means are NaN if there are none."""

    low: float
    high: float
    clips: int
    confidence: float
    accuracy: float


@dataclass(frozen=True, kw_only=True)
class Measurement:
    """Every number of a report.

    Attributes:
        labels: genres in the order of the probabilities.
        clips: number of clips measured.
        clusters: number of units resampled; `unit` says of what, artist or clip.
        headlines: the metrics of `timbre.evaluation.metrics.HEADLINES`.
        genres: the per-genre numbers, by label.
        confusion: [G, G] clips by true genre (row) and answered genre (column).
        bins: the reliability diagram's bins.
        ece_if_calibrated: mean and 95th percentile of the calibration error that a perfectly calibrated classifier with
            these very confidences would show on this many clips: below that level the measured one means nothing.
        resamples, seed: of the bootstrap.
    """

    labels: tuple[str, ...]
    clips: int
    clusters: int
    unit: str
    headlines: dict[str, Estimate]
    genres: dict[str, GenreScore]
    confusion: NDArray[np.int64]
    bins: tuple[ConfidenceBin, ...]
    ece_if_calibrated: tuple[float, float]
    resamples: int
    seed: int


def measure(
    *,
    probabilities: ArrayLike,
    targets: ArrayLike,
    labels: Sequence[str],
    artists: Sequence[str | None] | None = None,
    resamples: int = 2000,
    seed: int = 0,
) -> Measurement:
    """Measure a classifier's answers on a split.

    Args:
        probabilities: [N, G], rows summing to 1.
        targets: [N] index of the true genre.
        labels: the G genres.
        artists: [N] artist of each clip where known; clips of one artist are resampled together.
        resamples: bootstrap resamples; the ends of an interval move by about 1 % of its width with 2000.
        seed: of the resampling.

    Raises:
        MeasureError: if shapes disagree, there are fewer than two clips, or rows are no probabilities.
    """
    p = np.asarray(probabilities, dtype=np.float64)
    y = np.asarray(targets, dtype=np.int64)
    _check(p, y, labels, artists, resamples)
    clusters, unit = clusters_of(artists, len(y))
    rows = TallyRows(probabilities=p, targets=y, clusters=clusters)
    heads, genres = bootstrap(rows, headlines=HEADLINES, per_genre=PER_GENRE, resamples=resamples, seed=seed)
    total = rows.total()
    confusion = total.confusion.round().astype(np.int64)
    scores = {
        label: GenreScore(
            clips=int(confusion[index].sum()), **{name: estimates[index] for name, estimates in genres.items()}
        )
        for index, label in enumerate(labels)
    }
    return Measurement(
        labels=tuple(labels),
        clips=len(y),
        clusters=len(rows),
        unit=unit,
        headlines=heads,
        genres=scores,
        confusion=confusion,
        bins=_bins(total.bins),
        ece_if_calibrated=_ece_if_calibrated(p.max(axis=1), seed),
        resamples=resamples,
        seed=seed,
    )


def check_resamples(resamples: int) -> None:
    """Raise MeasureError unless there is at least one bootstrap resample."""
    if resamples < 1:
        raise MeasureError(f"an interval needs at least one resample, not {resamples}")


def _check(
    p: NDArray[np.float64],
    y: NDArray[np.int64],
    labels: Sequence[str],
    artists: Sequence[str | None] | None,
    resamples: int,
) -> None:
    if p.ndim != 2 or p.shape[1] != len(labels) or y.shape != p.shape[:1]:
        raise MeasureError(f"probabilities {p.shape}, targets {y.shape} and {len(labels)} labels do not fit together")
    if artists is not None and len(artists) != len(y):
        raise MeasureError(f"{len(artists)} artists for {len(y)} clips")
    if len(y) < 2:
        raise MeasureError(f"cannot measure on {len(y)} clip(s): at least two are needed")
    check_resamples(resamples)
    if y.min() < 0 or y.max() >= len(labels):
        raise MeasureError(f"targets must be 0..{len(labels) - 1}, not {y.min()}..{y.max()}")
    if not np.isfinite(p).all() or p.min() < 0 or np.abs(p.sum(axis=1) - 1).max() > SUM_TOLERANCE:
        raise MeasureError("some rows are no probabilities: they must be finite, not negative and sum to 1")


def _bins(sums: NDArray[np.float64]) -> tuple[ConfidenceBin, ...]:
    return tuple(
        ConfidenceBin(
            low=index / BINS,
            high=(index + 1) / BINS,
            clips=round(clips),
            confidence=confidence / clips if clips else float("nan"),
            accuracy=right / clips if clips else float("nan"),
        )
        for index, (clips, confidence, right) in enumerate(sums.tolist())
    )


def _ece_if_calibrated(confidence: NDArray[np.float64], seed: int) -> tuple[float, float]:
    """Let each clip be right with just the probability that its confidence claims, many times over."""
    generator = np.random.default_rng(seed)
    in_bin = np.eye(BINS)[confidence_bin(confidence)]
    errors = []
    for _ in range(CALIBRATED_BLOCKS):
        right = generator.random((CALIBRATED_BLOCK, len(confidence))) < confidence
        errors.append(np.abs((right - confidence) @ in_bin).sum(axis=1) / len(confidence))
    return float(np.mean(errors)), float(np.quantile(errors, 0.95))
