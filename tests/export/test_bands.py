"""The dense transform against torch's FFT, for every way to factor a frame."""

import pytest
import torch

from timbre.export.bands import FactoredBands, row_count
from timbre.features import Frontend


def make(n_fft: int, hop_length: int, samples: int = 16000) -> Frontend:
    return Frontend(
        sample_rate=16000,
        clip_seconds=samples / 16000,
        n_fft=n_fft,
        hop_length=hop_length,
        n_mels=24,
        n_mfcc=13,
        n_chroma=12,
        amin=1e-10,
        top_db=80.0,
        image_size=32,
    )


@pytest.mark.parametrize(
    ("n_fft", "hop_length", "rows"),
    [(2048, 512, 32), (1024, 256, 32), (1024, 160, 32), (400, 160, 20), (512, 125, 1), (2048, 1024, 32), (256, 64, 16)],
)
def test_bands_are_those_of_the_fft(n_fft: int, hop_length: int, rows: int) -> None:
    assert row_count(n_fft, hop_length) == rows
    frontend = make(n_fft, hop_length)
    clips = torch.randn(2, 16000, generator=torch.Generator().manual_seed(0))
    expected = frontend.filters @ frontend.power(clips)
    found = FactoredBands(frontend)(clips)
    assert found.shape == expected.shape
    torch.testing.assert_close(found / expected.amax(), expected / expected.amax(), atol=1e-6, rtol=0)


@pytest.mark.parametrize("samples", [16000, 15999, 16001, 24571, 99 * 256, 96 * 256, 1025])
def test_no_frame_is_lost_at_the_end(samples: int) -> None:
    frontend = make(1024, 256, samples)
    clips = torch.randn(1, samples, generator=torch.Generator().manual_seed(1))
    expected = frontend.filters @ frontend.power(clips)
    torch.testing.assert_close(FactoredBands(frontend)(clips), expected, atol=1e-6 * float(expected.max()), rtol=1e-3)


def test_the_shortest_clip_that_can_be_reflected() -> None:
    frontend = make(2048, 512, 1025)
    clips = torch.randn(1, 1025, generator=torch.Generator().manual_seed(1))
    expected = frontend.filters @ frontend.power(clips)
    torch.testing.assert_close(FactoredBands(frontend)(clips), expected, atol=1e-6 * float(expected.max()), rtol=1e-3)


def test_a_loud_moment_does_not_leak_into_silence() -> None:
    """Rounding of a loud frame stays 100 dB below it and never reaches frames it does not touch."""
    frontend = make(2048, 512)
    clip = torch.zeros(1, 16000)
    clip[0, 4000:6000] = torch.sin(torch.arange(2000) * 0.3)
    bands = FactoredBands(frontend)(clip)[0]
    assert bands[:, :5].count_nonzero() == 0
    assert bands[:, 15:].count_nonzero() == 0
