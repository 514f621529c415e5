"""What comes out of `decode` is the music, whatever it went in as: librosa and one-shot soxr are the oracles."""

from collections.abc import Callable
from pathlib import Path

import librosa
import numpy as np
import pytest
import soundfile
import soxr

from timbre.audio import AudioError, decode
from timbre.audio.decode import decode_into

RATE = 22050


@pytest.mark.parametrize(
    ("rate", "channels"),
    [(8000, 1), (11025, 2), (22050, 1), (22050, 3), (44100, 2), (48000, 8), (96000, 2), (192000, 1)],
)
def test_equals_a_one_shot_resampling_of_the_mean(
    sound: Callable[..., np.ndarray], write: Callable[..., Path], rate: int, channels: int
) -> None:
    samples = sound(1.3, rate, channels)
    decoded = decode(write("a.wav", samples, rate, subtype="FLOAT"), sample_rate=RATE, max_samples=10 * RATE)
    expected = soxr.resample(samples.mean(axis=1), rate, RATE, quality="HQ")
    assert decoded.waveform.dtype == np.float32
    assert decoded.waveform.shape == expected.shape
    np.testing.assert_allclose(decoded.waveform, expected, atol=1e-5)
    assert decoded.info.sample_rate == rate
    assert decoded.info.channels == channels
    assert decoded.info.duration_s == pytest.approx(1.3, abs=1e-3)


def by_librosa(path: Path) -> np.ndarray:
    """The whole file as `librosa.load(path, sr=RATE, res_type="soxr_hq")` makes it."""
    samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
    return librosa.resample(librosa.to_mono(samples.T), orig_sr=rate, target_sr=RATE, res_type="soxr_hq")


def by_soxr(path: Path) -> np.ndarray:
    """The whole file, its channels averaged, resampled at once."""
    samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
    return soxr.resample(samples.mean(axis=1), rate, RATE, quality="HQ")


def test_equals_librosa_on_real_music(emotify: Path) -> None:
    for path in sorted((emotify / "rock").glob("*.mp3"))[:3]:
        ours = decode(path, sample_rate=RATE, max_samples=30 * RATE).waveform
        np.testing.assert_allclose(ours, by_librosa(path)[: 30 * RATE], atol=1e-4)


@pytest.mark.parametrize(
    ("kind", "how"),
    [
        ("wav", {"format": "WAV", "subtype": "PCM_U8"}),
        ("wav", {"format": "WAV", "subtype": "PCM_16"}),
        ("wav", {"format": "WAV", "subtype": "PCM_24"}),
        ("wav", {"format": "WAV", "subtype": "PCM_32"}),
        ("wav", {"format": "WAV", "subtype": "DOUBLE"}),
        ("wav", {"format": "WAV", "subtype": "ULAW"}),
        ("wav", {"format": "WAVEX", "subtype": "PCM_24"}),
        ("flac", {"format": "FLAC", "subtype": "PCM_16"}),
        ("flac", {"format": "FLAC", "subtype": "PCM_24"}),
        ("ogg", {"format": "OGG", "subtype": "VORBIS"}),
        ("mp3", {"format": "MP3", "subtype": "MPEG_LAYER_III"}),
    ],
)
def test_takes_every_allowed_kind(
    sound: Callable[..., np.ndarray], write: Callable[..., Path], kind: str, how: dict[str, str]
) -> None:
    path = write("whatever.bin", sound(3), **how)
    decoded = decode(path, sample_rate=RATE, max_samples=2 * RATE)
    assert decoded.info.format == kind
    assert decoded.info.duration_s == 2.0
    np.testing.assert_allclose(decoded.waveform, by_soxr(path)[: 2 * RATE], atol=1e-5)


@pytest.mark.parametrize("rate", [8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000])
def test_takes_mp3s_of_every_version(sound: Callable[..., np.ndarray], write: Callable[..., Path], rate: int) -> None:
    for channels, mode in ((1, "CONSTANT"), (2, "CONSTANT"), (2, "VARIABLE")):
        path = write("a.mp3", sound(1.2, rate, channels), rate, bitrate_mode=mode)
        info = decode(path, sample_rate=RATE, max_samples=30 * RATE).info
        assert (info.format, info.sample_rate, info.channels) == ("mp3", rate, channels)


@pytest.mark.parametrize("kind", ["wav", "flac", "ogg", "mp3"])
def test_a_start_is_the_start_of_the_whole(
    sound: Callable[..., np.ndarray], write: Callable[..., Path], kind: str
) -> None:
    path = write(f"a.{kind}", sound(6))
    whole = decode(path, sample_rate=RATE, max_samples=60 * RATE).waveform
    start = decode(path, sample_rate=RATE, max_samples=50_001).waveform
    assert len(start) == 50_001
    np.testing.assert_array_equal(start, whole[:50_001])


def test_decoding_into_a_row_is_decoding(sound: Callable[..., np.ndarray], write: Callable[..., Path]) -> None:
    path = write("a.mp3", sound(3))
    for length in (2 * RATE, 5 * RATE):
        row = np.full(length, 9.0, np.float32)
        info = decode_into(path, row, sample_rate=RATE)
        decoded = decode(path, sample_rate=RATE, max_samples=length)
        assert info == decoded.info
        samples = round(info.duration_s * RATE)
        np.testing.assert_array_equal(row[:samples], decoded.waveform)
        assert (row[samples:] == 9.0).all()


def test_peaks_above_one_are_music(write: Callable[..., Path]) -> None:
    """A lossy codec overshoots at the edges of a full-scale square wave; what it says is kept."""
    square = np.sign(np.sin(2 * np.pi * 441 * np.arange(3 * RATE) / RATE)).astype(np.float32)
    path = write("a.mp3", square, RATE)
    assert np.abs(soundfile.read(path)[0]).max() > 1.05
    decoded = decode(path, sample_rate=RATE, max_samples=3 * RATE).waveform
    np.testing.assert_allclose(decoded, soundfile.read(path, dtype="float32")[0][: 3 * RATE], atol=1e-6)


def test_integers_unscaled_in_a_float_file_are_music(
    sound: Callable[..., np.ndarray], write: Callable[..., Path]
) -> None:
    samples = np.float32(32767) * sound(2) / np.abs(sound(2)).max()
    decoded = decode(write("a.wav", samples, subtype="FLOAT"), sample_rate=44100, max_samples=88200)
    np.testing.assert_allclose(decoded.waveform, samples.mean(axis=1), rtol=1e-6, atol=1e-2)


def test_silence_is_silence(write: Callable[..., Path]) -> None:
    for kind in ("wav", "mp3", "flac", "ogg"):
        path = write(f"nothing.{kind}", np.zeros((2 * 44100, 2), np.float32))
        assert not decode(path, sample_rate=RATE, max_samples=RATE).waveform.any()


def test_exactly_one_second_is_enough(sound: Callable[..., np.ndarray], write: Callable[..., Path]) -> None:
    assert len(decode(write("a.wav", sound(1)), sample_rate=RATE, max_samples=30 * RATE).waveform) == RATE
    with pytest.raises(AudioError) as caught:
        decode(write("b.wav", sound(1)[:-1]), sample_rate=RATE, max_samples=30 * RATE)
    assert caught.value.code == "too_short"


def test_a_tagged_file_is_what_is_behind_the_tag(
    sound: Callable[..., np.ndarray], write: Callable[..., Path], put: Callable[..., Path]
) -> None:
    plain = write("plain.mp3", sound(2))
    picture = np.random.default_rng(0).bytes(200_000)
    size = bytes(len(picture) >> shift & 0x7F for shift in (21, 14, 7, 0))
    tagged = put("tagged.mp3", b"ID3\x04\x00\x00" + size + picture + plain.read_bytes())
    expected = decode(plain, sample_rate=RATE, max_samples=9 * RATE)
    found = decode(tagged, sample_rate=RATE, max_samples=9 * RATE)
    assert found.info == expected.info
    np.testing.assert_array_equal(found.waveform, expected.waveform)
