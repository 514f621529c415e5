"""From a file to a mono waveform: the only implementation, used by preparation, prediction and serving alike.

Nothing a header claims is believed: blocks are read until the samples that are needed are there or the file ends.
"""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import soundfile
import soxr

from timbre.audio.errors import AudioError
from timbre.audio.limits import CHANNELS_MAX, PEAK_MAX, SAMPLE_RATE_MAX, SAMPLE_RATE_MIN, SECONDS_MIN
from timbre.audio.sniff import sniff

Waveform = npt.NDArray[np.float32]

BLOCK_FRAMES = {"wav": 32_768, "mp3": 32_768, "ogg": 32_768, "flac": 4_096}
"""Frames read at once. A block that fails is lost whole, and damaged FLAC fails where MP3 goes on: hence its size."""

QUALITY = "HQ"

_CONTAINERS = {"wav": ("WAV", "WAVEX"), "mp3": ("MP3",), "flac": ("FLAC",), "ogg": ("OGG",)}
_WAV_CODECS = ("PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE", "ULAW", "ALAW")
_CODECS = {"wav": _WAV_CODECS, "mp3": ("MPEG_LAYER_III",), "flac": ("PCM_S8", "PCM_16", "PCM_24"), "ogg": ("VORBIS",)}
_OUT_OF_MEMORY = 17  # libsndfile's SFE_MALLOC_FAILED
_CODE_OF_FAULT = {4: "unsupported_format", _OUT_OF_MEMORY: "decode_memory"}  # 4: SF_ERR_UNSUPPORTED_ENCODING


@dataclass(frozen=True, kw_only=True)
class AudioInfo:
    """What a file turned out to hold.

    Attributes:
        format: `wav`, `mp3`, `flac` or `ogg`.
        sample_rate: of the file, in Hz.
        channels: of the file.
        duration_s: length of the waveform that was decoded, in seconds; never a header's claim.
    """

    format: str
    sample_rate: int
    channels: int
    duration_s: float


@dataclass(frozen=True, kw_only=True)
class Decoded:
    """A waveform (float32 [n], mono, at the asked rate, not padded) and what it came from."""

    waveform: Waveform
    info: AudioInfo


def decode(source: Path, *, sample_rate: int, max_samples: int) -> Decoded:
    """Decode the first `max_samples` samples of a file as mono float32 at `sample_rate` Hz.

    Raises:
        AudioError: with a fixed code; see `timbre.audio.errors.SENTENCES`.
    """
    with _opened(source) as (sound, kind):
        scale = np.float32(1 / sound.channels)
        parts = [part * scale for part in _resampled(sound, kind, sample_rate=sample_rate, max_samples=max_samples)]
        waveform = np.concatenate(parts)[:max_samples]
        return Decoded(waveform=waveform, info=_info(sound, kind, len(waveform) / sample_rate))


def decode_into(source: Path, out: Waveform, *, sample_rate: int) -> AudioInfo:
    """Decode the start of a file straight into `out` (float32 [n], mono, at `sample_rate` Hz), as much as fits.

    What is behind the decoded samples is left as it was; `duration_s * sample_rate` says how many there are.

    Raises:
        AudioError: as `decode`; `out` then holds nothing of use.
    """
    with _opened(source) as (sound, kind):
        filled, scale = 0, np.float32(1 / sound.channels)
        for part in _resampled(sound, kind, sample_rate=sample_rate, max_samples=len(out)):
            taken = min(len(part), len(out) - filled)
            np.multiply(part[:taken], scale, out=out[filled : filled + taken])
            filled += taken
        return _info(sound, kind, filled / sample_rate)


class _Forward(soundfile.SoundFile):  # type: ignore[misc]  # soundfile carries no types
    """A sound file read from front to back.

    soundfile seeks after every block of a seekable file, which costs an MP3 as much as decoding it, and asks the header
    how much there is to read.
    """

    def seekable(self) -> bool:
        """No, although it could be."""
        return False


@contextmanager
def _opened(source: Path) -> Iterator[tuple[_Forward, str]]:
    try:
        # Not blocking, or a named pipe would hold us here. One descriptor for sniffing and decoding, or the name could
        # stand for another file in between.
        fd = os.open(source, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except (OSError, ValueError) as error:
        raise AudioError("unreadable", str(error)) from error
    try:
        facts = os.fstat(fd)
        if not stat.S_ISREG(facts.st_mode):
            raise AudioError("unreadable", "not a regular file")
        kind = sniff(fd, facts.st_size)
        with _Forward(fd, closefd=False) as sound:
            _check(sound, kind)
            yield sound, kind
    except soundfile.LibsndfileError as error:
        raise AudioError(_CODE_OF_FAULT.get(error.code, "corrupt_audio"), str(error)) from error
    except (MemoryError, RuntimeError) as error:  # soxr's RuntimeError: it was given nothing else that could go wrong
        raise AudioError("decode_memory", str(error)) from error
    except OSError as error:
        raise AudioError("unreadable", str(error)) from error
    finally:
        os.close(fd)


def _check(sound: _Forward, kind: str) -> None:
    if sound.format not in _CONTAINERS[kind] or sound.subtype not in _CODECS[kind]:
        raise AudioError("unsupported_format", f"looks like {kind}, decodes as {sound.format} {sound.subtype}")
    if not SAMPLE_RATE_MIN <= sound.samplerate <= SAMPLE_RATE_MAX:
        raise AudioError("bad_sample_rate", f"{sound.samplerate} Hz")
    if not 1 <= sound.channels <= CHANNELS_MAX:
        raise AudioError("bad_channels", f"{sound.channels} channels")


def _info(sound: _Forward, kind: str, duration_s: float) -> AudioInfo:
    return AudioInfo(format=kind, sample_rate=sound.samplerate, channels=sound.channels, duration_s=duration_s)


def _resampled(sound: _Forward, kind: str, *, sample_rate: int, max_samples: int) -> Iterator[Waveform]:
    """Yield the sum of the channels at `sample_rate` until at least `max_samples` are out or the file ends.

    The sum, because dividing it by the channels is cheaper when the samples are copied from here anyway. A block is
    overwritten by the next.
    """
    stream = None
    if sound.samplerate != sample_rate:
        stream = soxr.ResampleStream(sound.samplerate, sample_rate, 1, dtype="float32", quality=QUALITY)
    produced = 0
    for block in _summed(sound, kind):
        part = block if stream is None else stream.resample_chunk(block)
        produced += len(part)
        yield part
        if produced >= max_samples:
            return
    if stream is not None:
        yield stream.resample_chunk(np.empty(0, np.float32), last=True)


def _summed(sound: _Forward, kind: str) -> Iterator[Waveform]:
    """Yield the sum of the channels at the file's own rate, block by block, each checked."""
    frames = BLOCK_FRAMES[kind]
    block = np.empty((frames, sound.channels), np.float32)
    total_of_channels = np.empty(frames, np.float32)
    total = 0
    while True:
        try:
            got = sound.buffer_read_into(block, "float32")
        except soundfile.LibsndfileError as error:
            if error.code == _OUT_OF_MEMORY or total < SECONDS_MIN * sound.samplerate:
                raise
            return  # damaged further on: what was good stays
        total += got
        read = block[:got]
        if got:
            # The comparison is this way round because it must fail for NaN, which max and min hand on.
            if not max(float(read.max()), -float(read.min())) <= PEAK_MAX:
                raise AudioError("not_finite")
            yield _sum(read, total_of_channels[:got])
        if got < frames:
            if total < SECONDS_MIN * sound.samplerate:
                raise AudioError("too_short", f"{total} frames")
            return


def _sum(block: Waveform, out: Waveform) -> Waveform:
    """Sum over the channels into `out`: adding columns is 10 times as fast as `sum(axis=1)` here."""
    channels = block.shape[1]
    if channels == 1:
        return block[:, 0]
    np.add(block[:, 0], block[:, 1], out=out)
    for channel in range(2, channels):
        out += block[:, channel]
    return out
