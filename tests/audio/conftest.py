"""Sounds made by physics, written as files of every kind; and a pool that decodes them."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile

from timbre.audio import DecodePool, SlotArena

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


RATE = 22050
SLOT = 2 * RATE


def wait_until(condition: Callable[[], bool], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.01)


@pytest.fixture(scope="module")
def arena() -> Iterator[SlotArena]:
    with SlotArena.create(slots=4, slot_samples=SLOT) as arena:
        yield arena


@pytest.fixture(scope="module")
def pool(arena: SlotArena) -> Iterator[DecodePool]:
    """One pool for all tests: whatever they do to its child, it must stay of use to the next."""
    with DecodePool(arena=arena, sample_rate=RATE, workers=1) as pool:
        yield pool


@pytest.fixture
def song(sound: Callable[..., np.ndarray], write: Callable[..., Path]) -> Path:
    return write("song.mp3", sound(1.5))


def the_child(pool: DecodePool) -> int:
    """The process id of the only child, once it is ready."""
    wait_until(lambda: len(pool.pids()) == 1)
    return pool.pids()[0]
