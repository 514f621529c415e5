"""A corpus made by physics that a network can learn in seconds, and a way to run `timbre` as a user does."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

RATE = 22050
SECONDS = 3
ARTISTS = 10
CLIPS_PER_ARTIST = 2

Timbre = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="session")
def timbre(tmp_path_factory: pytest.TempPathFactory) -> Timbre:
    """Run `timbre WORDS` in a working folder of its own, with a registry of its own."""
    home = tmp_path_factory.mktemp("home")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("MLFLOW_", "TIMBRE_"))}

    def run(*words: str, code: int = 0) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "timbre.cli.main", *words]
        done = subprocess.run(
            command, cwd=home, env=environment, capture_output=True, text=True, check=False, timeout=300
        )
        assert done.returncode == code, (
            f"timbre {' '.join(words)}: exit code {done.returncode}\n{done.stdout}\n{done.stderr}"
        )
        assert "Traceback" not in done.stderr
        return done

    run.home = home  # type: ignore[attr-defined]
    return run


def tones(low: float, high: float, generator: np.random.Generator) -> np.ndarray:
    """Three steady tones between two frequencies in Hz [T]."""
    time = np.arange(RATE * SECONDS) / RATE
    return sum(np.sin(2 * np.pi * generator.uniform(low, high) * time) for _ in range(3)) / 4


def clicks(generator: np.random.Generator) -> np.ndarray:
    """A click every tenth to half of a second [T]."""
    waveform = np.zeros(RATE * SECONDS)
    waveform[:: int(RATE * generator.uniform(0.1, 0.5))] = 0.9
    return waveform + 1e-3 * generator.standard_normal(waveform.size)


@pytest.fixture(scope="session")
def music(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three genres that sound unlike: low tones, high tones, clicks; WAV and MP3, artists known, one bad file."""
    root = tmp_path_factory.mktemp("music")
    generator = np.random.default_rng(7)
    genres = {
        "clicks": lambda: clicks(generator),
        "high": lambda: tones(2000, 6000, generator),
        "low": lambda: tones(80, 400, generator),
    }
    rows = ["path,genre,artist"]
    for genre, make in genres.items():
        (root / genre).mkdir()
        for artist in range(ARTISTS):
            for clip in range(CLIPS_PER_ARTIST):
                path = root / genre / f"{artist}-{clip}.{'mp3' if clip else 'wav'}"
                soundfile.write(path, make(), RATE)
                rows.append(f"{genre}/{path.name},{genre},{genre} artist {artist}")
    (root / "low" / "notes.mp3").write_text("not music")
    rows.append("low/notes.mp3,low,nobody")
    (root / "manifest.csv").write_text("\n".join(rows) + "\n")
    return root
