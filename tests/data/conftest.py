"""Small corpora of tones, each file different from every other, and a quick way to prepare them."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from timbre.data import Limits, PrepareReport, prepare
from timbre.data.sources.folder import FolderSource
from timbre.data.splits import FoldSplit, FractionSplit

RATE = 8000
SECONDS = 2.0
LIMITS = Limits(workers=2, timeout_s=30.0, memory_bytes=2**28)
FRACTIONS = FractionSplit(train=0.7, val=0.15, test=0.15, seed=0)
FOLDS = FoldSplit(train=[0, 1], val=[2], test=[3])

Run = Callable[..., PrepareReport]


def tone(path: Path, number: int, *, rate: int = RATE, seconds: float = SECONDS, channels: int = 1) -> None:
    """A tone that no other number has, quiet noise beneath."""
    path.parent.mkdir(parents=True, exist_ok=True)
    time = np.arange(int(rate * seconds)) / rate
    generator = np.random.default_rng(number)
    wave = 0.5 * np.sin(2 * np.pi * (200 + 7 * number) * time) + 0.01 * generator.standard_normal(time.size)
    soundfile.write(path, np.stack([wave] * channels, axis=1), rate)


@pytest.fixture
def music(tmp_path: Path) -> Path:
    """Two genres of eight WAV clips."""
    root = tmp_path / "music"
    for genre, first in (("jazz", 0), ("rock", 100)):
        for number in range(8):
            tone(root / genre / f"{number}.wav", first + number)
    return root


@pytest.fixture
def run(music: Path, tmp_path: Path) -> Run:
    """Prepare `music` into `tmp_path/data`; keywords replace what is given."""

    def prepare_music(**changes: object) -> PrepareReport:
        arguments = {
            "source": FolderSource(root=music),
            "split": FRACTIONS,
            "data_dir": tmp_path / "data",
            "sample_rate": RATE,
            "clip_seconds": SECONDS,
            "limits": LIMITS,
        }
        arguments |= changes
        return prepare(arguments.pop("source"), arguments.pop("split"), **arguments)

    return prepare_music


def listed(root: Path, rows: list[tuple[str, ...]], columns: str = "path,genre,artist,fold") -> None:
    (root / "manifest.csv").write_text("\n".join([columns, *(",".join(row) for row in rows)]) + "\n")


def in_folds(root: Path) -> list[tuple[str, ...]]:
    """Rows for every file, two per fold and genre, an artist per file."""
    paths = sorted(path.relative_to(root).as_posix() for path in root.glob("*/*"))
    return [(path, path.split("/")[0], f"by {path}", str(number // 2 % 4)) for number, path in enumerate(paths)]
