"""What hostile and broken files do to `decode`: a fixed code, or the good part of the music, bounded in every way."""

import io
import os
import resource
import struct
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import soundfile

from timbre.audio import AudioError, decode
from timbre.audio.errors import SENTENCES

RATE = 22050
CLIP = 30 * RATE
Write = Callable[..., Path]
Put = Callable[[str, bytes], Path]
Sound = Callable[..., np.ndarray]


def refused(path: Path) -> str:
    """The code `decode` refuses a file with; what people see of it is fixed and holds no path."""
    with pytest.raises(AudioError) as caught:
        decode(path, sample_rate=RATE, max_samples=CLIP)
    assert str(caught.value) == SENTENCES[caught.value.code]
    assert str(path.parent) not in str(caught.value)
    return caught.value.code


@contextmanager
def little_memory(room: int = 64 * 2**20) -> Iterator[None]:
    """Let this process take `room` bytes of address space more and no byte beyond."""
    in_use = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    limits = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (in_use + room, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, limits)


def wav(
    samples: bytes, *, tag: int = 1, channels: int = 1, rate: int = 44100, bits: int = 16, claim: int | None = None
) -> bytes:
    """A WAV file made by hand, whose data chunk may claim another length than it has."""
    width = channels * bits // 8
    form = struct.pack("<HHIIHH", tag, channels, rate, min(rate * width, 2**32 - 1), width & 0xFFFF, bits)
    size = len(samples) if claim is None else claim
    body = b"WAVEfmt " + struct.pack("<I", len(form)) + form + b"data" + struct.pack("<I", size) + samples
    return b"RIFF" + struct.pack("<I", min(len(body) if claim is None else claim + 36, 2**32 - 1)) + body


def ogg_crc(page: bytes) -> int:
    """OGG's checksum: polynomial 0x04c11db7, from zero, not reflected (RFC 3533)."""
    crc = 0
    for byte in page:
        crc ^= byte << 24
        for _ in range(8):
            crc = (crc << 1 ^ (0x04C11DB7 if crc & 0x80000000 else 0)) & 0xFFFFFFFF
    return crc


# --- totals that lie -------------------------------------------------------------------------------------------------


def test_flac_of_hours_of_silence_costs_a_clip(tmp_path: Path) -> None:
    path = tmp_path / "silence.flac"
    with soundfile.SoundFile(path, "w", samplerate=44100, channels=2, format="FLAC") as file:
        for _ in range(60):
            file.write(np.zeros((10 * 44100, 2), np.int16))
    with little_memory():
        decoded = decode(path, sample_rate=RATE, max_samples=CLIP)
    assert decoded.info.duration_s == 30.0


def test_flac_that_claims_days(sound: Sound, write: Write, put: Put) -> None:
    content = bytearray(write("a.flac", np.zeros((66150, 1), np.float32)).read_bytes())
    assert len(content) < 1024 * 10
    content[21] |= 0x0F  # STREAMINFO: 36 bits of total samples, from the low half of byte 21 on
    content[22:26] = b"\xff\xff\xff\xff"
    assert soundfile.info(io.BytesIO(content)).frames == 2**36 - 1
    with little_memory():
        decoded = decode(put("lie.flac", bytes(content)), sample_rate=RATE, max_samples=CLIP)
    assert decoded.info.duration_s == pytest.approx(1.5)


def test_mp3_whose_xing_header_claims_months(write: Write, put: Put, sound: Sound) -> None:
    content = bytearray(write("a.mp3", sound(1.5), bitrate_mode="VARIABLE").read_bytes())
    at = max(content.find(b"Xing"), content.find(b"Info"))
    assert content[at + 7] & 1
    content[at + 8 : at + 12] = b"\x7f\xff\xff\xff"
    assert soundfile.info(io.BytesIO(content)).frames > 10**11
    with little_memory():
        decoded = decode(put("lie.mp3", bytes(content)), sample_rate=RATE, max_samples=CLIP)
    assert 1.4 < decoded.info.duration_s < 1.7


def test_ogg_whose_granule_claims_years(write: Write, put: Put, sound: Sound) -> None:
    content = write("a.ogg", sound(1.5)).read_bytes()
    at = content.rfind(b"OggS")
    page = bytearray(content[at:])
    page[6:14] = struct.pack("<Q", 2**40)
    page[22:26] = bytes(4)
    page[22:26] = struct.pack("<I", ogg_crc(bytes(page)))
    lie = content[:at] + bytes(page)
    assert soundfile.info(io.BytesIO(lie)).frames == 2**40
    with little_memory():
        decoded = decode(put("lie.ogg", lie), sample_rate=RATE, max_samples=CLIP)
    assert 1.4 < decoded.info.duration_s < 1.7


@pytest.mark.parametrize("claim", [0xFFFFFFFF, 0x7FFFFFFF])
def test_wav_that_claims_more_than_it_holds(put: Put, claim: int) -> None:
    lie = wav(np.full(66150, 1000, np.int16).tobytes(), claim=claim)
    with little_memory():
        assert decode(put("lie.wav", lie), sample_rate=RATE, max_samples=CLIP).info.duration_s == 1.5


# --- not what it seems -----------------------------------------------------------------------------------------------


def test_opus_is_refused(write: Write, sound: Sound) -> None:
    assert refused(write("a.ogg", sound(2, 48000), 48000, format="OGG", subtype="OPUS")) == "unsupported_format"


@pytest.mark.parametrize("word", ["ffe31800", "ffe318c0", "fff31000", "fffb9000", "fffb9064", "fffbe400", "fffbe4c0"])
def test_bare_sync_words_are_no_mp3(put: Put, word: str) -> None:
    assert refused(put("sync.mp3", bytes.fromhex(word) * 500_000)) == "unsupported_format"


@pytest.mark.parametrize("kind", ["AU", "CAF", "W64", "MAT5", "AIFF", "RF64", "VOC", "AVR"])
def test_other_containers_called_wav_are_refused(write: Write, sound: Sound, kind: str) -> None:
    assert refused(write("a.wav", sound(2), format=kind, subtype="PCM_16")) == "unsupported_format"


@pytest.mark.parametrize("codec", ["IMA_ADPCM", "MS_ADPCM", "GSM610", "G721_32"])
def test_rare_codecs_inside_wav_are_refused(write: Write, sound: Sound, codec: str) -> None:
    assert refused(write("a.wav", sound(2, 8000, 1), 8000, subtype=codec)) == "unsupported_format"


def test_mp3_inside_wav_is_refused(write: Write, put: Put, sound: Sound) -> None:
    mp3 = write("a.mp3", sound(2)).read_bytes()
    form = struct.pack("<HHIIHHHHIHHH", 0x55, 2, 44100, 16000, 1, 0, 12, 1, 2, 417, 1, 0)  # MPEGLAYER3WAVEFORMAT
    chunks = ((b"fmt ", form), (b"fact", struct.pack("<I", 88200)), (b"data", mp3))
    body = b"WAVE" + b"".join(name + struct.pack("<I", len(data)) + data for name, data in chunks)
    path = put("inside.wav", b"RIFF" + struct.pack("<I", len(body)) + body)
    assert (soundfile.info(path).format, soundfile.info(path).subtype) == ("WAV", "MPEG_LAYER_III")
    assert refused(path) == "unsupported_format"


def test_mp3_behind_a_gif_is_refused(write: Write, put: Put, sound: Sound) -> None:
    mp3 = write("a.mp3", sound(2)).read_bytes()
    assert refused(put("both.mp3", b"GIF89a" + bytes(60) + mp3)) == "unsupported_format"


@pytest.mark.parametrize("kind", ["wav", "mp3", "flac", "ogg"])
@pytest.mark.parametrize("comment", [b"", b"PK\x05\x06" * 5])
def test_audio_that_is_a_zip_as_well_is_refused(write: Write, sound: Sound, kind: str, comment: bytes) -> None:
    path = write(f"both.{kind}", sound(2))
    assert decode(path, sample_rate=RATE, max_samples=CLIP).info.format == kind
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("evil.html", "<script>")
        archive.comment = comment
    assert refused(path) == "unsupported_format"


def test_the_mark_of_a_zip_in_the_music_is_no_zip(put: Put) -> None:
    samples = (b"PK\x05\x06" + bytes(18)) * 6000 + bytes(2)
    assert decode(put("a.wav", wav(samples)), sample_rate=RATE, max_samples=CLIP).info.format == "wav"


@pytest.mark.parametrize(
    "content",
    [
        b"this is a text\n" * 1000,
        b"\x89PNG\r\n\x1a\n" + bytes(5000),
        bytes(5000),
        b"\xff\xfb\x90\x64",
        b"RIFF",
        b"OggS",
        b"fLaC",
    ],
)
def test_no_audio_is_refused(put: Put, content: bytes) -> None:
    assert refused(put("song.mp3", content)) in ("unsupported_format", "corrupt_audio")


def test_a_tag_before_a_wav_or_another_tag_is_refused(write: Write, put: Put, sound: Sound) -> None:
    tag = b"ID3\x04\x00\x00\x00\x00\x00\x0a" + bytes(10)
    plain, song = write("a.wav", sound(2)).read_bytes(), write("a.mp3", sound(2)).read_bytes()
    assert refused(put("b.wav", tag + plain)) == "unsupported_format"
    assert refused(put("b.mp3", tag + tag + song)) == "unsupported_format"
    assert refused(put("c.mp3", b"ID3\x04\x00\x00\x7f\x7f\x7f\x7f" + song)) == "unsupported_format"


# --- impossible formats and samples ----------------------------------------------------------------------------------


@pytest.mark.parametrize("rate", [1, 7999, 192001, 655350, 2**31 - 1])
def test_rates_out_of_bounds_are_refused(put: Put, rate: int) -> None:
    assert refused(put("a.wav", wav(bytes(400_000), rate=rate))) == "bad_sample_rate"


def test_eight_channels_at_655_khz_are_refused(write: Write, sound: Sound) -> None:
    assert refused(write("a.flac", sound(0.5, 655350, 8), 655350)) == "bad_sample_rate"


@pytest.mark.parametrize("channels", [9, 64, 1024])
def test_too_many_channels_are_refused(put: Put, channels: int) -> None:
    assert refused(put("a.wav", wav(bytes(2 * channels * 1000), channels=channels, rate=8000))) == "bad_channels"


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 3e38, -3e38, 1e6])
@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("at", [0, 70_000])
def test_samples_that_are_no_sound_are_refused(write: Write, value: float, channels: int, at: int) -> None:
    samples = np.zeros((88200, channels), np.float32)
    samples[at] = value
    samples[at, 1:] *= -1  # in the mean they would cancel
    assert refused(write("a.wav", samples, subtype="FLOAT")) == "not_finite"


@pytest.mark.parametrize(
    ("kind", "frames"),
    [("wav", 0), ("wav", 1), ("wav", 220), ("wav", 44099), ("flac", 1), ("flac", 220), ("flac", 44099)],
)
def test_less_than_a_second_is_refused(write: Write, kind: str, frames: int) -> None:
    assert refused(write(f"a.{kind}", np.zeros((frames, 2), np.float32))) == "too_short"


@pytest.mark.parametrize("kind", ["mp3", "ogg"])
def test_short_lossy_files_are_refused(write: Write, sound: Sound, kind: str) -> None:
    assert refused(write(f"a.{kind}", sound(0.5))) == "too_short"


# --- damage ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("damage", ["truncated", "garbled"])
def test_damaged_flac_keeps_what_is_good(write: Write, put: Put, sound: Sound, damage: str) -> None:
    whole = write("a.flac", sound(8))
    content = whole.read_bytes()
    half = len(content) // 2
    rest = b"" if damage == "truncated" else np.random.default_rng(0).bytes(half)
    good = decode(put("bad.flac", content[:half] + rest), sample_rate=44100, max_samples=20 * 44100)
    assert 3.5 < good.info.duration_s < 4.2
    expected = decode(whole, sample_rate=44100, max_samples=20 * 44100).waveform
    kept = len(good.waveform) - 4096  # a garbled block may still decode, to noise
    np.testing.assert_array_equal(good.waveform[:kept], expected[:kept])


def test_flac_damaged_in_its_first_second_is_corrupt(write: Write, put: Put, sound: Sound) -> None:
    content = write("a.flac", sound(8)).read_bytes()
    assert refused(put("bad.flac", content[: len(content) // 20])) == "corrupt_audio"


@pytest.mark.parametrize("kind", ["mp3", "ogg"])
def test_truncated_mp3_and_ogg_keep_what_is_there(write: Write, put: Put, sound: Sound, kind: str) -> None:
    whole = write(f"a.{kind}", sound(8))
    content = whole.read_bytes()
    good = decode(put(f"bad.{kind}", content[: len(content) // 2]), sample_rate=RATE, max_samples=CLIP)
    assert 3 < good.info.duration_s < 5
    expected = decode(whole, sample_rate=RATE, max_samples=CLIP).waveform
    kept = int(0.9 * len(good.waveform))
    np.testing.assert_allclose(good.waveform[:kept], expected[:kept], atol=1e-5)


# --- not to be read --------------------------------------------------------------------------------------------------


def test_an_empty_file_is_refused(put: Put) -> None:
    assert refused(put("a.mp3", b"")) == "empty_file"


def test_what_is_no_file_is_unreadable(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.wav")
    started = time.monotonic()
    for name in ("missing.wav", "pipe.wav", "."):
        assert refused(tmp_path / name) == "unreadable"
    assert refused(Path("/dev/zero")) == "unreadable"
    assert refused(Path("a\0b")) == "unreadable"
    assert time.monotonic() - started < 5
