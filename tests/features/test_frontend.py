"""What the model hears: librosa is the oracle; nothing depends on neighbours; nothing hostile breaks it."""

from collections.abc import Callable
from pathlib import Path

import librosa
import numpy as np
import pytest
import torch
from hydra.errors import InstantiationException

from timbre.audio import decode, fit
from timbre.errors import TimbreError
from timbre.features import Frontend

RATE = 22050
MEL, MFCC, CHROMA = range(3)


def channels(frontend: Frontend, waveform: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Log-mel, MFCC and chroma of one clip, before resize and scale."""
    bands = frontend.filters @ frontend.power(torch.from_numpy(waveform[None]))
    log_mel = frontend.log_mel(bands[:, : frontend.n_mels])
    chroma = frontend.chroma(bands[:, frontend.n_mels :])
    return log_mel[0].numpy(), frontend.mfcc(log_mel)[0].numpy(), chroma[0].numpy()


def oracle(waveform: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The same by librosa's defaults, but for `pad_mode`: ours reflects the ends, its default puts silence there."""
    mel = librosa.feature.melspectrogram(y=waveform, sr=RATE, pad_mode="reflect")
    mfcc = librosa.feature.mfcc(y=waveform, sr=RATE, pad_mode="reflect")
    chroma = librosa.feature.chroma_stft(y=waveform, sr=RATE, tuning=0.0, pad_mode="reflect")
    return librosa.power_to_db(mel), mfcc, chroma


def assert_as_librosa(frontend: Frontend, waveform: np.ndarray) -> None:
    """Within 1e-2 dB, 1e-2 in a cepstral coefficient (they reach hundreds) and 1e-4 of the strongest pitch class.

    All is float32: points far below a loud neighbour in the spectrum carry its rounding, most others agree to 1e-5.
    """
    for found, expected, tolerance in zip(
        channels(frontend, waveform), oracle(waveform), (1e-2, 1e-2, 1e-4), strict=True
    ):
        assert found.shape == expected.shape
        np.testing.assert_allclose(found, expected, atol=tolerance, rtol=0)


def test_noise_and_tones_as_librosa(frontend: Frontend) -> None:
    time = np.arange(frontend.clip_samples) / RATE
    chirp = 0.3 * np.sin(2 * np.pi * (100 + 900 * time) * time)
    noise = np.random.default_rng(0).standard_normal(frontend.clip_samples)
    assert_as_librosa(frontend, (chirp + 0.01 * noise).astype(np.float32))


@pytest.mark.parametrize("genre", ["classical", "electronic", "pop", "rock"])
def test_music_as_librosa(make_frontend: Callable[..., Frontend], emotify: Path, genre: str) -> None:
    frontend = make_frontend(30.0)
    file = sorted((emotify / genre).glob("*.mp3"))[0]
    music = decode(file, sample_rate=RATE, max_samples=frontend.clip_samples).waveform
    assert_as_librosa(frontend, fit(music, frontend.clip_samples))


def test_the_image_is_the_three_channels_resized_and_stretched(frontend: Frontend) -> None:
    noise = np.random.default_rng(1).standard_normal(frontend.clip_samples).astype(np.float32)
    image = frontend(torch.from_numpy(noise[None]))[0]
    assert image.shape == (3, 128, 128)
    assert image.dtype == torch.float32
    for found, channel in zip(image, channels(frontend, noise), strict=True):
        whole = torch.from_numpy(channel)[None, None]
        resized = torch.nn.functional.interpolate(whole, (128, 128), mode="bilinear", antialias=True)[0, 0]
        expected = (resized - resized.min()) / (resized.max() - resized.min())
        torch.testing.assert_close(found, expected, atol=2e-5, rtol=0)


def test_a_note_lights_its_pitch_class(frontend: Frontend) -> None:
    time = np.arange(frontend.clip_samples) / RATE
    for hertz, pitch_class in ((261.63, 0), (440.0, 9), (880.0, 9), (493.88, 11)):
        tone = (0.5 * np.sin(2 * np.pi * hertz * time)).astype(np.float32)
        chroma = channels(frontend, tone)[CHROMA][:, 2:-2]  # reflecting a tone breaks it
        assert (chroma.argmax(axis=0) == pitch_class).all()


def test_every_strange_clip_gives_an_image(frontend: Frontend, strange: dict[str, np.ndarray]) -> None:
    for name, clip in strange.items():
        image = frontend(torch.from_numpy(clip[None]))
        assert torch.isfinite(image).all(), name
        assert image.min() >= 0, name
        assert image.max() <= 1, name


@pytest.mark.parametrize("name", ["silence", "noise of 1e-30", "denormal noise"])
def test_silence_has_no_mel_and_no_chroma(frontend: Frontend, strange: dict[str, np.ndarray], name: str) -> None:
    image = frontend(torch.from_numpy(strange[name][None]))[0]
    assert image[MEL].count_nonzero() == 0
    assert image[CHROMA].count_nonzero() == 0


def test_what_is_not_silent_fills_the_range(frontend: Frontend, strange: dict[str, np.ndarray]) -> None:
    for name in ("click", "full-scale noise", "square wave", "offset and tone", "half a second of noise"):
        image = frontend(torch.from_numpy(strange[name][None]))
        assert (image.amin(dim=(2, 3)) == 0).all(), name
        assert (image.amax(dim=(2, 3)) == 1).all(), name


def test_padding_is_heard_as_silence(frontend: Frontend, strange: dict[str, np.ndarray]) -> None:
    image = frontend(torch.from_numpy(strange["half a second of noise"][None]))[0]
    padded = image[:, :, 32:]  # of 3 s, half a second is 22 columns
    assert padded[MEL].max() < 1e-6
    assert padded[CHROMA].count_nonzero() == 0


def test_the_log_mel_does_not_hear_loudness(frontend: Frontend) -> None:
    noise = torch.randn(1, frontend.clip_samples, generator=torch.Generator().manual_seed(3))
    loud, quiet = frontend(noise)[0], frontend(noise * 0.05)[0]
    torch.testing.assert_close(loud[[MEL, CHROMA]], quiet[[MEL, CHROMA]], atol=1e-4, rtol=0)


def test_alone_as_in_company(frontend: Frontend, strange: dict[str, np.ndarray]) -> None:
    clips = torch.from_numpy(np.stack(list(strange.values())))
    together = frontend(clips)
    for clip, image in zip(clips, together, strict=True):
        assert torch.equal(frontend(clip[None])[0], image)


def test_the_stages_keep_clips_apart_too(frontend: Frontend, strange: dict[str, np.ndarray]) -> None:
    """`power` and `image` take whole batches, as an accelerator does; sums may then round in another order."""
    clips = torch.from_numpy(np.stack(list(strange.values())))
    torch.testing.assert_close(frontend.image(frontend.power(clips)), frontend(clips), atol=1e-5, rtol=0)


def test_a_broken_clip_spoils_nobody_else(frontend: Frontend, strange: dict[str, np.ndarray]) -> None:
    clips = torch.from_numpy(np.stack([strange["click"], strange["square wave"], strange["click"]]))
    whole = frontend.image(frontend.power(clips))
    clips[1, 1000] = torch.nan
    broken = frontend.image(frontend.power(clips))
    assert torch.equal(broken[[0, 2]], whole[[0, 2]])
    assert broken[1].isnan().any()


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_autocast_changes_nothing(frontend: Frontend, strange: dict[str, np.ndarray], dtype: torch.dtype) -> None:
    clips = torch.from_numpy(np.stack([strange["square wave"], strange["full-scale noise"]]))
    expected = frontend(clips)
    with torch.autocast("cpu", dtype=dtype):
        assert torch.equal(frontend(clips), expected)
        assert torch.equal(frontend.image(frontend.power(clips)), frontend.image(frontend.power(clips).float()))


def test_a_clip_of_another_length_is_refused(frontend: Frontend) -> None:
    with pytest.raises(ValueError, match="clips of 66150 samples, not 1000"):
        frontend(torch.zeros(1, 1000))


def test_a_contract_shorter_than_a_frame_is_the_users_mistake(make_frontend: Callable[..., Frontend]) -> None:
    with pytest.raises(InstantiationException, match="too short for frames of 2048") as caught:
        make_frontend(0.04)
    assert isinstance(caught.value.__cause__, TimbreError)


@pytest.mark.gpu
def test_a_gpu_hears_the_same(frontend: Frontend, strange: dict[str, np.ndarray]) -> None:
    names = ["silence", "click", "full-scale noise", "square wave", "offset and tone", "half a second of noise"]
    clips = torch.from_numpy(np.stack([strange[name] for name in names]))
    expected = frontend(clips)
    try:
        with torch.autocast("cuda", dtype=torch.bfloat16):
            found = frontend.to("cuda")(clips.to("cuda")).cpu()
    finally:
        frontend.to("cpu")
    torch.testing.assert_close(found, expected, atol=1e-3, rtol=0)
