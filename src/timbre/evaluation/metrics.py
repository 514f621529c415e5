"""The metrics, each written once, from sums over clips; a leading axis of resamples passes through."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from timbre.evaluation.tally import Tally

Values = NDArray[np.float64]


def support(tally: Tally) -> Values:
    """[..., G] clips of each true genre."""
    per_genre: Values = tally.confusion.sum(axis=-1)
    return per_genre


def clips(tally: Tally) -> Values:
    """[...] clips in all."""
    total: Values = tally.confusion.sum(axis=(-2, -1))
    return total


def accuracy(tally: Tally) -> Values:
    """[...] share of clips answered right."""
    share: Values = _hits(tally).sum(axis=-1) / clips(tally)
    return share


def precision(tally: Tally) -> Values:
    """[..., G] share of a genre's answers that are right; 0 where it was never answered."""
    return _ratio(_hits(tally), tally.confusion.sum(axis=-2))


def recall(tally: Tally) -> Values:
    """[..., G] share of a genre's clips that were found; 0 where it has none."""
    return _ratio(_hits(tally), support(tally))


def f1(tally: Tally) -> Values:
    """[..., G] harmonic mean of precision and recall; 0 where both are."""
    return _ratio(2 * _hits(tally), support(tally) + tally.confusion.sum(axis=-2))


def macro(per_genre: Callable[[Tally], Values]) -> Callable[[Tally], Values]:
    """The mean over the genres that occur, each weighing the same.

    A genre without a clip says nothing about the classifier: scikit-learn's `labels=unique(targets)`.
    """

    def mean(tally: Tally) -> Values:
        present = support(tally) > 0
        average: Values = (per_genre(tally) * present).sum(axis=-1) / present.sum(axis=-1)
        return average

    return mean


def expected_calibration_error(tally: Tally) -> Values:
    """[...] mean distance between confidence and accuracy over the confidence bins, weighted by their clips."""
    _, confidence, right = np.moveaxis(tally.bins, -1, 0)
    error: Values = np.abs(right - confidence).sum(axis=-1) / clips(tally)
    return error


def negative_log_likelihood(tally: Tally) -> Values:
    """[...] mean -log p(true genre), in nats."""
    return tally.nll / clips(tally)


def brier_score(tally: Tally) -> Values:
    """[...] mean squared distance between the probabilities and the truth, 0..2."""
    return tally.brier / clips(tally)


@dataclass(frozen=True)
class Metric:
    """A metric and the largest value it can take; all start at 0."""

    of: Callable[[Tally], Values]
    largest: float = 1.0


HEADLINES: dict[str, Metric] = {
    "accuracy": Metric(accuracy),
    "macro_f1": Metric(macro(f1)),
    "macro_precision": Metric(macro(precision)),
    "macro_recall": Metric(macro(recall)),
    "ece": Metric(expected_calibration_error),
    "nll": Metric(negative_log_likelihood, largest=np.inf),
    "brier": Metric(brier_score, largest=2.0),
}
"""The numbers at the top of a report, by the name they have in report.json and in MLflow."""

PER_GENRE: dict[str, Metric] = {"precision": Metric(precision), "recall": Metric(recall), "f1": Metric(f1)}
"""The numbers each genre has."""


def _hits(tally: Tally) -> Values:
    return np.diagonal(tally.confusion, axis1=-2, axis2=-1)


def _ratio(part: Values, whole: Values) -> Values:
    return np.divide(part, whole, out=np.zeros_like(part), where=whole > 0)
