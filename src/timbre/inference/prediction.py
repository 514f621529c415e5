"""What a model says about a piece of audio, and how the windows of a whole track become one answer."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from timbre.errors import TimbreError


class PredictionFailedError(TimbreError):
    """The model answered with something else than probabilities.

    Attributes:
        code: as `timbre.audio.AudioError` has one; stable, for programs.
    """

    code = "prediction_failed"

    def __init__(self) -> None:
        super().__init__("the model gave no finite probabilities for this audio")


@dataclass(frozen=True, kw_only=True)
class Prediction:
    """One answer.

    Attributes:
        genre: the most probable label.
        confidence: its calibrated probability.
        all_probabilities: label -> probability, in the order of the contract; they add up to 1.
    """

    genre: str
    confidence: float
    all_probabilities: dict[str, float]

    @classmethod
    def from_probabilities(cls, labels: Sequence[str], probabilities: npt.NDArray[np.floating]) -> "Prediction":
        """Name the probabilities [G] of one clip or of pooled windows.

        Raises:
            PredictionFailedError: if they are not finite.
        """
        if not np.isfinite(probabilities).all():
            raise PredictionFailedError
        by_label = dict(zip(labels, map(float, probabilities), strict=True))
        genre = max(by_label, key=by_label.__getitem__)
        return cls(genre=genre, confidence=by_label[genre], all_probabilities=by_label)

    def top(self, k: int) -> list[tuple[str, float]]:
        """The `k` most probable labels with their probabilities, best first."""
        return sorted(self.all_probabilities.items(), key=lambda item: -item[1])[:k]


def window_weights(samples: int, *, clip_samples: int, sample_rate: int) -> npt.NDArray[np.float64]:
    """Which windows of a track count, and how much: each by the audio it holds, so every second counts the same.

    The last window is mostly padding when a track is little longer than a multiple of the clip. It counts by the audio
    in it, and if that is less than a second it is left out, as a file of that length would be refused.

    Args:
        samples: length of the track's waveform.
        clip_samples: length of a window.
        sample_rate: of both, in Hz.

    Returns:
        float64 [W], W >= 1, adding up to 1.
    """
    full, rest = divmod(samples, clip_samples)
    weights = [clip_samples] * full + [rest] * (rest >= sample_rate or full == 0)
    return np.asarray(weights, np.float64) / sum(weights)


def pool(probabilities: npt.NDArray[np.float32], weights: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Weighted mean of the windows' probabilities: [W, G], [W] -> [G]."""
    return np.asarray(weights @ probabilities, np.float64)
