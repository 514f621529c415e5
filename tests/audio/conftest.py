"""Sounds made by physics, written as files of every kind."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

Samples = np.ndarray


@pytest.fixture(scope="session")
def sound() -> Callable[..., Samples]:
    """`sound(seconds, rate=44100, channels=2)`: tones and noise, another in each channel; float32 [n, channels]."""

    def make(seconds: float, rate: int = 44100, channels: int = 2) -> Samples:
        generator = np.random.default_rng(5)
        time = np.arange(round(seconds * rate))[:, None] / rate
        hertz = 220.0 * (1 + np.arange(channels))
        wave = 0.3 * np.sin(2 * np.pi * hertz * time) + 0.1 * generator.standard_normal((len(time), channels))
        return wave.astype(np.float32)

    return make


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    """`write(name, samples, rate=44100, **soundfile's)`: write a sound file, whatever its name says."""

    def put(name: str, samples: Samples, rate: int = 44100, **how: str) -> Path:
        path = tmp_path / name
        with path.open("wb") as file:
            soundfile.write(file, samples, rate, **({"format": path.suffix[1:]} | how))
        return path

    return put


@pytest.fixture
def put(tmp_path: Path) -> Callable[[str, bytes], Path]:
    """`put(name, content)`: write bytes."""

    def write_bytes(name: str, content: bytes) -> Path:
        path = tmp_path / name
        path.write_bytes(content)
        return path

    return write_bytes
