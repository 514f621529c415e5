"""Waveforms cut and padded to the length a model hears."""

import numpy as np

from timbre.audio.decode import Waveform


def fit(waveform: Waveform, samples: int) -> Waveform:
    """The first `samples` samples, zero-padded at the end where there are fewer: float32 [n] -> float32 [samples]."""
    if len(waveform) >= samples:
        return waveform[:samples]
    return np.pad(waveform, (0, samples - len(waveform)))


def window_count(length: int, samples: int) -> int:
    """How many windows of `samples` samples `windows` cuts a waveform of `length` samples into."""
    return max(1, -(-length // samples))


def windows(waveform: Waveform, samples: int) -> Waveform:
    """All of a waveform as consecutive windows, the last zero-padded: float32 [n] -> float32 [W, samples], W >= 1."""
    return fit(waveform, window_count(len(waveform), samples) * samples).reshape(-1, samples)
