"""What the model hears: a waveform becomes one image of three channels, log-mel, MFCC and chroma.

Shapes: B examples, T samples, F frequency bins, N frames, M bands (mel bands, then P pitch classes), K cepstral
coefficients, C channels, H rows, W columns.
"""

import functools
import math
from collections.abc import Callable

import torch
from torch import Tensor, nn

from timbre.errors import TimbreError
from timbre.features.filters import chroma_filters, dct_matrix, mel_filters, resize_matrix

CHANNELS = 3
"""Log-mel, MFCC and chroma, in this order."""

_TINY = torch.finfo(torch.float32).tiny
_FLAT = 1e-3
"""A channel whose values differ by less, in dB or in shares of the strongest pitch class, carries only rounding."""

_CHUNK = 64
"""Examples that an accelerator takes at once. A CPU takes one: it stays in cache and is three times as fast."""


def _in_float32(method: Callable[["Frontend", Tensor], Tensor]) -> Callable[["Frontend", Tensor], Tensor]:
    """Run a method in float32 whatever autocast says: half precision moves a log-mel by up to 6 log units."""

    @functools.wraps(method)
    def wrapped(self: "Frontend", x: Tensor) -> Tensor:
        with torch.autocast(device_type=x.device.type, enabled=False):
            return method(self, x.float())

    return wrapped


class Frontend(nn.Module):
    """Waveform [B, T] -> image [B, 3, image_size, image_size] with every value in 0..1.

    One power STFT (Hann, centred, reflected at the ends) feeds three channels, each as librosa defines it by default:
    `power_to_db(melspectrogram)`, `mfcc` and `chroma_stft(tuning=0)`. Each is resized to the image, then stretched to
    fill 0..1 by its own smallest and largest value: the network always sees the whole range, and a single odd frame
    does not set the scale. A channel that says nothing (all values equal) becomes zeros.

    A clip that was too short comes padded with zeros and is heard with that silence: it is the bottom of the log-mel's
    range and sets the low end of the MFCC's, in training as in serving.

    No step looks at another example of the batch, and all of it is float32 even under autocast.

    Args:
        sample_rate: rate of the waveform, in Hz.
        clip_seconds: length of the waveform, in seconds; every waveform has exactly this length.
        n_fft: samples of a frame.
        hop_length: samples from one frame to the next.
        n_mels: mel bands.
        n_mfcc: cepstral coefficients.
        n_chroma: pitch classes of an octave.
        amin: power below which there is silence.
        top_db: the log-mel is cut off so far below the loudest point of the example, in dB.
        image_size: height and width of the image.

    Raises:
        TimbreError: if the clip is too short to be reflected at its ends.
    """

    filters: Tensor
    dct: Tensor
    window: Tensor
    columns: Tensor
    mel_rows: Tensor
    mfcc_rows: Tensor
    chroma_rows: Tensor

    def __init__(
        self,
        *,
        sample_rate: int,
        clip_seconds: float,
        n_fft: int,
        hop_length: int,
        n_mels: int,
        n_mfcc: int,
        n_chroma: int,
        amin: float,
        top_db: float,
        image_size: int,
    ) -> None:
        super().__init__()
        self.sample_rate = sample_rate
        self.clip_samples = round(sample_rate * clip_seconds)
        self.n_fft = n_fft
        self.hop_length = hop_length
        self.n_mels = n_mels
        self.n_chroma = n_chroma
        self.amin = amin
        self.top_db = top_db
        self.image_size = image_size
        if self.clip_samples <= n_fft // 2:
            raise TimbreError(
                f"a clip of {self.clip_samples} samples is too short for frames of {n_fft}; raise contract.clip_seconds"
            )
        # Constants are saved with the weights: a checkpoint goes on hearing as it was trained, whatever changes here.
        mel = mel_filters(sample_rate=sample_rate, n_fft=n_fft, n_mels=n_mels)
        chroma = chroma_filters(sample_rate=sample_rate, n_fft=n_fft, n_chroma=n_chroma)
        self.register_buffer("window", torch.hann_window(n_fft))
        self.register_buffer("filters", torch.cat([mel, chroma]))
        self.register_buffer("dct", dct_matrix(n_mfcc=n_mfcc, n_mels=n_mels))
        frames = 1 + self.clip_samples // hop_length
        self.register_buffer("columns", resize_matrix(frames, image_size).T.contiguous())
        self.register_buffer("mel_rows", resize_matrix(n_mels, image_size))
        self.register_buffer("mfcc_rows", resize_matrix(n_mfcc, image_size))
        self.register_buffer("chroma_rows", resize_matrix(n_chroma, image_size))

    def forward(self, waveform_BT: Tensor) -> Tensor:
        """Waveform [B, T] -> image [B, C, H, W]."""
        chunk = 1 if waveform_BT.device.type == "cpu" else _CHUNK
        return torch.cat([self.image(self.power(part)) for part in torch.split(waveform_BT, chunk)])

    @_in_float32
    def power(self, waveform_BT: Tensor) -> Tensor:
        """Waveform [B, T] -> power spectrum [B, F, N]."""
        if waveform_BT.shape[-1] != self.clip_samples:
            raise ValueError(f"the front end hears clips of {self.clip_samples} samples, not {waveform_BT.shape[-1]}")
        spectrum_BFN = torch.stft(
            waveform_BT,
            self.n_fft,
            self.hop_length,
            window=self.window,
            center=True,
            pad_mode="reflect",
            return_complex=True,
        )
        return spectrum_BFN.real.square().addcmul_(spectrum_BFN.imag, spectrum_BFN.imag)

    @_in_float32
    def image(self, power_BFN: Tensor) -> Tensor:
        """Power spectrum [B, F, N] -> image [B, C, H, W]."""
        return self.picture(self.filters @ power_BFN)

    @_in_float32
    def picture(self, bands_BMN: Tensor) -> Tensor:
        """Power in mel bands and pitch classes [B, M, N] -> image [B, C, H, W]."""
        mel_BMN, chroma_BPN = bands_BMN[:, : self.n_mels], bands_BMN[:, self.n_mels :]
        log_mel_BMW = self.log_mel(mel_BMN) @ self.columns
        mfcc_BKW = self.mfcc(log_mel_BMW)  # the DCT mixes bands and the resize mixes frames, so either may go first
        chroma_BPW = self.chroma(chroma_BPN) @ self.columns
        channels = self.mel_rows @ log_mel_BMW, self.mfcc_rows @ mfcc_BKW, self.chroma_rows @ chroma_BPW
        return _fill_range(torch.stack(channels, dim=1))

    @_in_float32
    def log_mel(self, mel_BMN: Tensor) -> Tensor:
        """Mel power [B, M, N] -> decibels, cut off `top_db` below each example's own loudest point."""
        decibel_BMN = 10.0 * torch.log10(mel_BMN.clamp(min=self.amin))
        return torch.maximum(decibel_BMN, decibel_BMN.amax(dim=(1, 2), keepdim=True) - self.top_db)

    @_in_float32
    def mfcc(self, log_mel_BMN: Tensor) -> Tensor:
        """Log-mel [B, M, N] -> cepstral coefficients [B, K, N]."""
        return self.dct @ log_mel_BMN

    @_in_float32
    def chroma(self, chroma_BPN: Tensor) -> Tensor:
        """Power in pitch classes [B, P, N] -> shares of each frame's strongest class; a silent frame stays as it is."""
        peak_B1N = chroma_BPN.amax(dim=1, keepdim=True)
        return chroma_BPN / peak_B1N.masked_fill(peak_B1N < _TINY, 1.0)


def _fill_range(image_BCHW: Tensor) -> Tensor:
    """Stretch each channel of each example to 0..1; a flat channel becomes zeros."""
    low = image_BCHW.amin(dim=(2, 3), keepdim=True)
    span = image_BCHW.amax(dim=(2, 3), keepdim=True) - low
    return (image_BCHW - low) / span.masked_fill(span < _FLAT, math.inf)
