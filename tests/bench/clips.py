"""The files that are measured: real music where it is at hand, composed music otherwise; 30 s MP3 in stereo."""

from pathlib import Path

import numpy as np
import soundfile

REAL = Path("../shared/data/emotify")
RATE, SECONDS = 44100, 30
DIFFERENT = 40
"""How many are made; the others repeat them."""


def thirty_second_mp3s(folder: Path, count: int) -> list[Path]:
    """`count` files of 30 s, 44.1 kHz, stereo MP3: the first of every genre's real clips in turn, or made ones."""
    real = sorted(REAL.glob("*/*.mp3"), key=lambda path: (path.stem, path.parent.name))[:count]
    if len(real) == count:
        return [path.resolve() for path in real]
    generator = np.random.default_rng(0)
    for number in range(DIFFERENT):
        soundfile.write(folder / f"{number}.mp3", chord(generator), RATE)
    for number in range(DIFFERENT, count):
        (folder / f"{number}.mp3").hardlink_to(folder / f"{number % DIFFERENT}.mp3")
    return [folder / f"{number}.mp3" for number in range(count)]


def chord(generator: np.random.Generator) -> np.ndarray:
    """A chord of decaying partials over noise, different in each channel: as hard for a decoder as music [T, 2]."""
    time = np.arange(RATE * SECONDS) / RATE
    tones = sum(
        np.sin(2 * np.pi * generator.uniform(80, 4000) * time) * np.exp(-(time % generator.uniform(0.2, 1.0)) * 4)
        for _ in range(8)
    )
    noise = generator.standard_normal((time.size, 2)) * 0.05
    return np.asarray(np.clip(noise + 0.08 * np.asarray(tones)[:, None], -1, 1), dtype=np.float32)
