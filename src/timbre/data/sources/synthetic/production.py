"""Parts -> a record: levels, panorama, room, equaliser, saturation, noise, and a loudness that tells no genre."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import fft

from timbre.data.sources.synthetic.instruments import RATE, Audio
from timbre.data.sources.synthetic.style import Production

Stereo = npt.NDArray[np.float32]
Spectrum = npt.NDArray[np.complex64]

BLOCK = 2048
"""Samples over which a level is measured."""
TAPS = 2048
"""Length of the equaliser's impulse response."""
FFT = 131_072
"""Length of the blocks that rooms and equalisers are applied in: they stay in the processor's cache."""
HOP = FFT // 2


@dataclass(frozen=True, kw_only=True)
class Track:
    """One part in the mix: mono samples, its level, its place (-1 left, 1 right) and its share to the room."""

    samples: Audio
    level_db: float
    pan: float
    wet: float


def mix(
    tracks: Mapping[str, Track], production: Production, *, channels: int, generator: np.random.Generator
) -> Stereo:
    """One record, float32 [channels, T], at no particular loudness."""
    length = len(next(iter(tracks.values())).samples)
    dry, wet = np.zeros((channels, length), np.float32), np.zeros((1, length), np.float32)
    for track in tracks.values():
        level = active_level(track.samples)
        if level < 1e-7:
            continue
        gain = 10 ** (track.level_db / 20) / level
        for channel, side in enumerate(_sides(track.pan * production.width, channels)):
            dry[channel] += np.float32(gain * side) * track.samples
        wet[0] += np.float32(gain * track.wet) * track.samples
    equaliser = fft.rfft(_equaliser(production), FFT)
    rooms = equaliser * fft.rfft(_rooms(production, channels, generator), FFT)
    return _worn(_filtered(dry, wet, equaliser, rooms), production, generator)


def master(record: Stereo, *, level_db: float) -> Stereo:
    """Bring a record to a level (RMS of its active part, dB below full scale); what would clip is rounded off."""
    record = record * np.float32(10 ** (level_db / 20) / max(active_level(record), 1e-7))
    loud = np.abs(record) > 0.7
    record[loud] = np.sign(record[loud]) * (0.7 + 0.29 * np.tanh((np.abs(record[loud]) - 0.7) / 0.29))
    fade = np.minimum(1, np.arange(record.shape[1], dtype=np.float32) / (0.02 * RATE))
    faded: Stereo = record * fade * fade[::-1]
    return faded


def active_level(samples: Stereo) -> float:
    """RMS of the blocks that are not rests (within 30 dB of the loudest)."""
    mono = samples.reshape(-1, samples.shape[-1])
    blocks = mono[:, : mono.shape[1] // BLOCK * BLOCK].reshape(len(mono), -1, BLOCK)
    power = (blocks**2).mean(axis=(0, 2))
    return float(np.sqrt(power[power >= power.max() * 1e-3].mean())) if power.size else 0.0


def _sides(pan: float, channels: int) -> tuple[float, ...]:
    if channels == 1:
        return (1.0,)
    angle = (pan + 1) * np.pi / 4
    return (float(np.cos(angle)) * 1.414, float(np.sin(angle)) * 1.414)


def _filtered(dry: Stereo, wet: Stereo, equaliser: Spectrum, rooms: Spectrum) -> Stereo:
    """`dry` through the equaliser plus `wet` (one channel) through each channel's room, by overlap and add."""
    length = dry.shape[1]
    count = -(-length // HOP)
    spectrum = _blocks(dry, count) * equaliser + _blocks(wet, count) * rooms[:, None, :]
    blocks = fft.irfft(spectrum, FFT)
    out = np.zeros((len(dry), (count + 1) * HOP), np.float32)
    for number in range(count):
        out[:, number * HOP : number * HOP + FFT] += blocks[:, number]
    return out[:, TAPS // 2 : TAPS // 2 + length]


def _blocks(samples: Stereo, count: int) -> Spectrum:
    """Spectra of successive blocks [channels, count, FFT / 2 + 1]."""
    padded = np.zeros((len(samples), count * HOP), np.float32)
    padded[:, : samples.shape[1]] = samples
    spectra: Spectrum = fft.rfft(padded.reshape(len(samples), count, HOP), FFT)
    return spectra


def _rooms(production: Production, channels: int, generator: np.random.Generator) -> Stereo:
    """Impulse responses of a room [channels, n]: noise that dies away, its level `room_db`."""
    count = min(int(1.2 * production.room_s * RATE), HOP - TAPS)
    time = np.arange(count, dtype=np.float32) / np.float32(RATE)
    shape = np.exp(-6.9 * time / np.float32(production.room_s)) * np.minimum(1, time / np.float32(0.01))
    shape *= np.minimum(1, (count / RATE - time) / np.float32(0.1))  # ends softly even if cut
    response = generator.standard_normal((channels, count), dtype=np.float32) * shape
    level = 10 ** (production.room_db / 20)
    rooms: Stereo = response * np.float32(level) / np.sqrt((response**2).sum(axis=1, keepdims=True))
    return rooms


def _equaliser(production: Production) -> Audio:
    """A linear-phase filter of `TAPS` taps, delayed by half of them."""
    hertz = np.maximum(np.fft.rfftfreq(TAPS, 1 / RATE), 1.0)
    octaves = np.log2(hertz / 1000)
    decibels = production.tilt_db * np.maximum(octaves, -6)
    for centre, height, width in production.bumps:
        decibels += height * np.exp(-0.5 * ((octaves - np.log2(centre / 1000)) / width) ** 2)
    decibels -= 10 * np.log10(1 + (production.low_cut_hz / hertz) ** 6)
    decibels -= 10 * np.log10(1 + (hertz / production.high_cut_hz) ** 6)
    taps = np.roll(np.fft.irfft(10 ** (decibels / 20)), TAPS // 2) * np.hanning(TAPS)
    return taps.astype(np.float32)


def _worn(record: Stereo, production: Production, generator: np.random.Generator) -> Stereo:
    """Saturation, hiss and crackle."""
    level = max(active_level(record), 1e-7)
    record = np.tanh(record * np.float32(0.4 * production.drive / level))
    level = max(active_level(record), 1e-7)
    record += np.float32(level * 10 ** (production.hiss_db / 20)) * generator.standard_normal(
        record.shape, dtype=np.float32
    )
    seconds = record.shape[1] / RATE
    for place in generator.integers(0, record.shape[1] - 8, int(production.crackle * seconds)):
        record[:, place : place + int(generator.integers(1, 6))] += np.float32(level * generator.normal(0, 1.5))
    return record
