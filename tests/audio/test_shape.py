"""Padding adds silence at the end, trimming keeps the start, windows lose nothing."""

import numpy as np
import pytest

from timbre.audio import fit, windows


@pytest.mark.parametrize("length", [0, 1, 99, 100, 101, 250])
def test_fit(length: int) -> None:
    waveform = np.arange(1, length + 1, dtype=np.float32)
    fitted = fit(waveform, 100)
    assert fitted.shape == (100,)
    assert fitted.dtype == np.float32
    np.testing.assert_array_equal(fitted[: min(length, 100)], waveform[:100])
    assert not fitted[length:].any()


@pytest.mark.parametrize(("length", "count"), [(0, 1), (1, 1), (100, 1), (101, 2), (250, 3), (300, 3)])
def test_windows(length: int, count: int) -> None:
    waveform = np.arange(1, length + 1, dtype=np.float32)
    cut = windows(waveform, 100)
    assert cut.shape == (count, 100)
    np.testing.assert_array_equal(cut.ravel()[:length], waveform)
    assert not cut.ravel()[length:].any()
