"""The constant matrices against librosa, SciPy and torch's own resize."""

import librosa
import numpy as np
import pytest
import scipy.fft
import torch
from torch.nn import functional

from timbre.features.filters import chroma_filters, dct_matrix, mel_filters, resize_matrix


@pytest.mark.parametrize(("rate", "n_fft", "n_mels"), [(22050, 2048, 128), (44100, 4096, 96)])
def test_mel_filters_are_librosas(rate: int, n_fft: int, n_mels: int) -> None:
    expected = librosa.filters.mel(sr=rate, n_fft=n_fft, n_mels=n_mels)
    found = mel_filters(sample_rate=rate, n_fft=n_fft, n_mels=n_mels).numpy()
    np.testing.assert_allclose(found, expected, atol=1e-5 * expected.max())


@pytest.mark.parametrize(("rate", "n_fft", "n_chroma"), [(22050, 2048, 12), (44100, 4096, 24), (16000, 1024, 36)])
def test_chroma_filters_are_librosas(rate: int, n_fft: int, n_chroma: int) -> None:
    expected = librosa.filters.chroma(sr=rate, n_fft=n_fft, n_chroma=n_chroma, tuning=0.0)
    found = chroma_filters(sample_rate=rate, n_fft=n_fft, n_chroma=n_chroma).numpy()
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_dct_is_scipys() -> None:
    expected = scipy.fft.dct(np.eye(128), type=2, norm="ortho", axis=0)[:20]
    np.testing.assert_allclose(dct_matrix(n_mfcc=20, n_mels=128).numpy(), expected, atol=1e-6)


@pytest.mark.parametrize(("source", "target"), [(1292, 128), (131, 128), (128, 128), (20, 128), (12, 128), (7, 3)])
def test_resize_is_torchs_antialiased_bilinear(source: int, target: int) -> None:
    signal = torch.rand(1, 1, 1, source)
    expected = functional.interpolate(signal, (1, target), mode="bilinear", antialias=True)
    torch.testing.assert_close(signal @ resize_matrix(source, target).T, expected, atol=1e-5, rtol=0)


def test_resize_keeps_what_is_constant() -> None:
    torch.testing.assert_close(resize_matrix(1292, 128).sum(dim=1), torch.ones(128))
