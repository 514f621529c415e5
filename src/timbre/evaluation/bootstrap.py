"""Bootstrap intervals: how far a number could have moved with another draw of artists."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from timbre.evaluation.metrics import Metric, support
from timbre.evaluation.tally import Tally, TallyRows

LEVEL = 0.95
"""Share of repeated test sets whose interval should hold the truth."""

BLOCK = 256
"""Resamples computed at once; bounds memory at BLOCK x G^2 numbers."""


@dataclass(frozen=True)
class Estimate:
    """A measured value and its interval; all three are NaN where there was nothing to measure."""

    value: float
    low: float
    high: float

    def to_dict(self) -> dict[str, float | None]:
        """As JSON knows numbers: NaN is null."""
        raw = {"value": self.value, "low": self.low, "high": self.high}
        return {key: None if np.isnan(number) else number for key, number in raw.items()}


def clusters_of(artists: Sequence[str | None] | None, clips: int) -> tuple[NDArray[np.int64], str]:
    """Which clips are drawn together, and the unit's name.

    Clips of one artist resemble each other, so resampling clips one by one would claim too much. A clip whose artist is
    unknown is its own cluster. With one artist only there is nothing to resample but clips.
    """
    if artists is None or not any(artists):
        return np.arange(clips), "clip"
    keys = [artist if artist else (index,) for index, artist in enumerate(artists)]
    index_of: dict[Any, int] = {key: index for index, key in enumerate(dict.fromkeys(keys))}
    if len(index_of) < 2:
        return np.arange(clips), "clip"
    return np.array([index_of[key] for key in keys], dtype=np.int64), "artist"


def bootstrap(
    rows: TallyRows, *, headlines: dict[str, Metric], per_genre: dict[str, Metric], resamples: int, seed: int
) -> tuple[dict[str, Estimate], dict[str, list[Estimate]]]:
    """Measure each metric and its 95 % interval over resampled clusters.

    The interval holds the middle 95 % of the resamples, moved so that their mean falls on the measured value, then cut
    to the metric's range. The move is the bootstrap's estimate of bias: next to nothing for most numbers, but a
    calibration error grows with every resampling and would else lie outside its own interval. Efron and Tibshirani,
    "An Introduction to the Bootstrap", 1993, chapters 10 and 13. A per-genre interval leaves out the resamples without
    a clip of that genre. The mix of genres varies with the artists drawn, which errs on the side of wide intervals
    where a split is stratified by genre. A number that no resample can change, such as an accuracy of 1, gets an
    interval of no width.

    Returns:
        Estimates by headline name, and by per-genre name in the order of the genres.
    """
    generator = np.random.default_rng(seed)
    count = len(rows)
    drawn: dict[str, list[NDArray[np.float64]]] = {name: [] for name in (*headlines, *per_genre)}
    for start in range(0, resamples, BLOCK):
        size = min(BLOCK, resamples - start)
        weights = generator.multinomial(count, np.full(count, 1 / count), size=size).astype(np.float64)
        tally = rows.weighted(weights)
        absent = support(tally) == 0
        for name, metric in headlines.items():
            drawn[name].append(metric.of(tally))
        for name, metric in per_genre.items():
            drawn[name].append(np.where(absent, np.nan, metric.of(tally)))
    total = rows.total()
    heads = {
        name: _interval(float(metric.of(total)), np.concatenate(drawn[name]), metric.largest)
        for name, metric in headlines.items()
    }
    genres = {name: _per_genre(metric, total, np.concatenate(drawn[name])) for name, metric in per_genre.items()}
    return heads, genres


def _per_genre(metric: Metric, total: Tally, drawn: NDArray[np.float64]) -> list[Estimate]:
    nothing = Estimate(np.nan, np.nan, np.nan)
    return [
        _interval(float(value), column[~np.isnan(column)], metric.largest) if clips else nothing
        for value, column, clips in zip(metric.of(total), drawn.T, support(total), strict=True)
    ]


def _interval(value: float, drawn: NDArray[np.float64], largest: float) -> Estimate:
    tail = (1 - LEVEL) / 2
    low, high = np.quantile(drawn, [tail, 1 - tail]) - drawn.mean() + value
    return Estimate(value, float(np.clip(low, 0, value)), float(np.clip(high, value, largest)))
