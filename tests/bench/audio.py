"""How fast files become waveforms, and what share of that `timbre predict` keeps."""

import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import soundfile

from tests.bench.figures import Figure
from tests.bench.machine import ALL_CORES, pinned
from timbre.audio import decode

RATE = 22050
CLIP_SAMPLES = 661_500


def decode_one(path: Path) -> None:
    """What the whole path needs of a file: mono at the contract's rate, at most one clip."""
    decode(path, sample_rate=RATE, max_samples=CLIP_SAMPLES)


def read_one(path: Path) -> None:
    """What libsndfile alone needs: every sample at its own rate."""
    soundfile.read(path, dtype="float32")


def per_second(work: Callable[[Path], None], files: list[Path], cores: list[int]) -> float:
    """Files a second, one process on each core."""
    with pinned(cores), ProcessPoolExecutor(len(cores), mp_context=get_context("spawn")) as pool:
        list(pool.map(work, files[: 4 * len(cores)]))  # processes up, libraries loaded, files in the page cache
        started = time.perf_counter()
        list(pool.map(work, files, chunksize=4))
        return len(files) / (time.perf_counter() - started)


decode_rate = partial(per_second, decode_one)


def predict_rate(files: list[Path], model: Path, cores: list[int]) -> float:
    """Files a second of the whole command `timbre predict`, its start included."""
    command = [sys.executable, "-m", "timbre.cli.main", "predict", *map(str, files), "--model", str(model), "--jsonl"]
    with pinned(cores):
        started = time.perf_counter()
        lines = subprocess.run(command, check=True, capture_output=True).stdout.splitlines()
        seconds = time.perf_counter() - started
    if len(lines) != len(files):
        raise RuntimeError(f"timbre predict answered {len(lines)} of {len(files)} files")
    return len(files) / seconds


def figures(files: list[Path], model: Path) -> list[Figure]:
    """Decoding beside libsndfile alone, prediction beside decoding; on one core and on all."""
    rows = []
    half = len(files) // 2
    for cores in ([ALL_CORES[0]], ALL_CORES):
        read = per_second(read_one, files[:half], cores)
        before = decode_rate(files[:half], cores)
        predicted = predict_rate(files, model, cores)
        after = decode_rate(files[half:], cores)
        decoded = (before + after) / 2  # a machine that others use too drifts
        on = str(len(cores))
        rows += [
            Figure(name="decode", cores=on, value=decoded, unit="clips/s", reference_name="libsndfile", reference=read),
            Figure(
                name="timbre predict",
                cores=on,
                value=predicted,
                unit="clips/s",
                reference_name="decode",
                reference=decoded,
                at_least=0.6,
            ),
        ]
    return rows
