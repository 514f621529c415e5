"""What each clip adds to the sums that all metrics are made of, so that a resample is a weighted sum of rows."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

BINS = 15
"""Equal-width confidence bins (0, 1/15] ... (14/15, 1], as in Guo et al. 2017: numbers compare with others' numbers."""

SMALLEST = 1e-12
"""Floor of a probability in the log-likelihood: one certain mistake must not make the mean infinite."""


@dataclass(frozen=True, kw_only=True)
class Tally:
    """Sums over clips; every array may have a leading axis of resamples.

    Attributes:
        confusion: [..., G, G] clips by true genre (row) and answered genre (column).
        bins: [..., BINS, 3] by confidence: clips, sum of confidences, right answers.
        nll: [...] sum of negative log-likelihoods, in nats.
        brier: [...] sum of squared distances between the probabilities and the truth.
    """

    confusion: NDArray[np.float64]
    bins: NDArray[np.float64]
    nll: NDArray[np.float64]
    brier: NDArray[np.float64]


class TallyRows:
    """One sparse row of sums per cluster of clips that are drawn together.

    Args:
        probabilities: [N, G].
        targets: [N] index of the true genre.
        clusters: [N] index 0..C-1 of the clip's cluster; each clip its own if nothing binds them.
    """

    def __init__(
        self, *, probabilities: NDArray[np.float64], targets: NDArray[np.int64], clusters: NDArray[np.int64]
    ) -> None:
        clips, genres = probabilities.shape
        self.genres = genres
        answers = probabilities.argmax(axis=1)
        confidence = probabilities.max(axis=1)
        one, right = np.ones(clips), (answers == targets).astype(np.float64)
        nll = -np.log(np.maximum(probabilities[np.arange(clips), targets], SMALLEST))
        brier = ((probabilities - np.eye(genres)[targets]) ** 2).sum(axis=1)
        bin_column = genres * genres + 3 * confidence_bin(confidence)
        last = np.full(clips, genres * genres + 3 * BINS)
        columns = np.stack([targets * genres + answers, bin_column, bin_column + 1, bin_column + 2, last, last + 1])
        values = np.stack([one, one, confidence, right, nll, brier])
        shape = (int(clusters.max()) + 1, genres * genres + 3 * BINS + 2)
        rows = np.broadcast_to(clusters, columns.shape)
        self._rows = sparse.coo_array((values.ravel(), (rows.ravel(), columns.ravel())), shape=shape).tocsr()

    def __len__(self) -> int:
        return int(self._rows.shape[0])

    def total(self) -> Tally:
        """The sums over all clips, each counted once."""
        return self.weighted(np.ones((1, len(self))), squeeze=True)

    def weighted(self, weights: NDArray[np.float64], *, squeeze: bool = False) -> Tally:
        """The sums over clusters counted as often as `weights` [R, C] says; `squeeze` drops the axis R = 1."""
        sums = np.asarray(weights @ self._rows)
        if squeeze:
            sums = sums[0]
        cells, lead = self.genres**2, sums.shape[:-1]
        return Tally(
            confusion=sums[..., :cells].reshape(*lead, self.genres, self.genres),
            bins=sums[..., cells : cells + 3 * BINS].reshape(*lead, BINS, 3),
            nll=sums[..., -2],
            brier=sums[..., -1],
        )


def confidence_bin(confidence: NDArray[np.float64]) -> NDArray[np.int64]:
    """Index of the bin (i/15, (i+1)/15] that holds each confidence."""
    return np.clip(np.ceil(confidence * BINS).astype(np.int64) - 1, 0, BINS - 1)
