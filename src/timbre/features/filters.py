"""The constant matrices of the front end: mel and chroma filter banks, the DCT, the resize.

Shapes: F frequency bins of a one-sided spectrum, M mel bands, P pitch classes, K cepstral coefficients.
All are float32, computed in float64 where they are written here.
"""

import torch
import torchaudio.functional
from torch import Tensor

_C_HZ = 440.0 / 16 * 2 ** (3 / 12)
"""The C above the A four octaves below A440: pitches are counted from it."""

_CENTRE_OCTAVE = 5.0 - 3 / 12
_OCTAVE_WIDTH = 2.0
"""A Gaussian over octaves, five above that A and two wide, so that rumble and hiss hardly vote on the pitch class."""


def mel_filters(*, sample_rate: int, n_fft: int, n_mels: int) -> Tensor:
    """Triangular filters [M, F] from 0 Hz to half the rate, evenly spaced on Slaney's mel scale, each of unit area."""
    filters_FM = torchaudio.functional.melscale_fbanks(
        n_freqs=n_fft // 2 + 1,
        f_min=0.0,
        f_max=sample_rate / 2,
        n_mels=n_mels,
        sample_rate=sample_rate,
        norm="slaney",
        mel_scale="slaney",
    )
    return torch.as_tensor(filters_FM).T.contiguous()


def chroma_filters(*, sample_rate: int, n_fft: int, n_chroma: int) -> Tensor:
    """Filters [P, F] that share each bin among the pitch classes, class 0 being C, for A4 = 440 Hz.

    A bin at pitch p (in classes above a C) gives class c the weight exp(-2 (d / w)^2), where d is the way from p to c
    round the circle and w the width of the bin in classes, at least one. A bin's weights have unit length and are then
    scaled by a Gaussian over octaves. The bin at 0 Hz has no pitch; it counts as 1.5 octaves below the first bin.
    Source: D. Ellis, "Chroma feature analysis and synthesis", 2007.
    """
    bins = torch.arange(1, n_fft, dtype=torch.float64)
    pitch = n_chroma * torch.log2(bins * (sample_rate / n_fft) / _C_HZ)
    pitch_F = torch.cat([pitch[:1] - 1.5 * n_chroma, pitch])
    width_F = torch.cat([pitch_F.diff().clamp(min=1.0), torch.ones(1, dtype=torch.float64)])
    pitch_F, width_F = pitch_F[: n_fft // 2 + 1], width_F[: n_fft // 2 + 1]

    half = round(n_chroma / 2)
    classes_P1 = torch.arange(n_chroma, dtype=torch.float64)[:, None]
    distance_PF = torch.remainder(pitch_F - classes_P1 + half, n_chroma) - half
    weight_PF = torch.exp(-2.0 * (distance_PF / width_F) ** 2)
    weight_PF /= weight_PF.norm(dim=0, keepdim=True)
    octave_F = pitch_F / n_chroma
    return (weight_PF * torch.exp(-0.5 * ((octave_F - _CENTRE_OCTAVE) / _OCTAVE_WIDTH) ** 2)).float()


def dct_matrix(*, n_mfcc: int, n_mels: int) -> Tensor:
    """The first rows [K, M] of the orthonormal DCT-II."""
    return torch.as_tensor(torchaudio.functional.create_dct(n_mfcc, n_mels, norm="ortho")).T.contiguous()


def resize_matrix(source: int, target: int) -> Tensor:
    """Bilinear resampling of an axis as a matrix [target, source], antialiased when it shrinks.

    Each target point is the mean of the source points under a triangle as wide as the coarser of the two grids;
    rows sum to 1, so a resized picture never leaves the range of the original.
    """
    scale = source / target
    centre = (torch.arange(target, dtype=torch.float64)[:, None] + 0.5) * scale
    points = torch.arange(source, dtype=torch.float64)[None, :] + 0.5
    weight = (1.0 - (points - centre).abs() / max(scale, 1.0)).clamp(min=0.0)
    return (weight / weight.sum(dim=1, keepdim=True)).float()
