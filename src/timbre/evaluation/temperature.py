"""Temperature scaling: the one number that makes a classifier's confidence mean what it says."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from timbre.errors import TimbreError

LOWEST, HIGHEST = 0.05, 20.0
"""Bounds of a temperature. Neither logits that separate every clip nor logits that know nothing have a finite optimum;
beyond these bounds probabilities no longer change in any digit a person reads."""

STEPS = 60
"""Halvings of the bracket: its width falls below float64's resolution."""


class CalibrationError(TimbreError):
    """The logits cannot be calibrated."""


def fit_temperature(logits: ArrayLike, targets: ArrayLike) -> float:
    """Find the temperature T that minimises the negative log-likelihood of ``softmax(logits / T)``.

    The likelihood is convex in 1/T, so its slope has one zero, which bisection finds whatever the logits are.
    Guo et al., "On Calibration of Modern Neural Networks", ICML 2017.

    Args:
        logits: [N, G] before softmax, uncalibrated (a temperature already applied would be counted twice).
        targets: [N] index of the true genre.

    Returns:
        T in 0.05..20; above 1 softens an overconfident classifier.

    Raises:
        CalibrationError: if there is no clip, the shapes disagree or a logit is not finite.
    """
    z = np.asarray(logits, dtype=np.float64)
    y = np.asarray(targets, dtype=np.int64)
    if z.ndim != 2 or y.shape != z.shape[:1] or not len(y):
        raise CalibrationError(
            f"temperature needs logits [N, G] and targets [N] with N > 0, not {z.shape} and {y.shape}"
        )
    if not np.isfinite(z).all():
        raise CalibrationError("temperature cannot be fitted: some logits are not finite; has training diverged?")
    z -= z.max(axis=1, keepdims=True)  # softmax does not notice, exp no longer overflows
    true = z[np.arange(len(y)), y]
    low, high = np.log(1 / HIGHEST), np.log(1 / LOWEST)
    for _ in range(STEPS):
        middle = (low + high) / 2
        if _slope(z, true, np.exp(middle)) > 0:
            high = middle
        else:
            low = middle
    return float(np.exp(-(low + high) / 2))


def _slope(z: NDArray[np.float64], true: NDArray[np.float64], inverse: float) -> float:
    """Derivative of the negative log-likelihood by 1/T: the mean expected logit less the mean true logit."""
    weights = np.exp(inverse * z)
    expected = (weights * z).sum(axis=1) / weights.sum(axis=1)
    return float((expected - true).mean())
