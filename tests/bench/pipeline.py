"""Preparation beside decoding alone, and where the time of a training epoch goes."""

import csv
import shutil
import subprocess
import sys
import time
from pathlib import Path

import torch
from hydra.utils import instantiate

from tests.bench.audio import decode_rate
from tests.bench.figures import Figure
from tests.bench.machine import ALL_CORES, pinned
from timbre.cli.hydra_app import compose
from timbre.data import prepare

GENRES = 4
WARM_EPOCHS = 1


def tree_of(files: list[Path], root: Path) -> Path:
    """The files as a folder of genres; which genre does not matter here, only that there are some."""
    for number, file in enumerate(files):
        folder = root / f"genre {number % GENRES}"
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copy(file, folder / f"{number}{file.suffix}")
    return root


def prepare_rate(root: Path, data_dir: Path, count: int, cores: list[int]) -> float:
    """Clips a second of a whole preparation, from listing the folder to the finished store."""
    cfg = compose("prepare", ["data=folder", f"data.source.root='{root}'", f"limits.workers={len(cores)}"])
    with pinned(cores):
        started = time.perf_counter()
        report = prepare(
            instantiate(cfg.data.source),
            instantiate(cfg.data.split),
            data_dir=data_dir,
            sample_rate=cfg.contract.sample_rate,
            clip_seconds=cfg.contract.clip_seconds,
            limits=instantiate(cfg.limits),
        )
        seconds = time.perf_counter() - started
    if report.decoded != count:
        raise RuntimeError(f"prepare decoded {report.decoded} of {count} clips")
    return count / seconds


def training(data_dir: Path, folder: Path, trainer: str, epochs: int) -> dict[str, float]:
    """What the last epochs of a run logged of their time, on average over the epochs after the first."""
    words = ["data=folder", f"data.dir='{data_dir}'", "data.source.root=unused", f"trainer={trainer}", "logger=csv"]
    run = folder / f"run-{trainer}"
    more = [f"trainer.max_epochs={epochs}", f"hydra.run.dir='{run}'", "latest=null"]
    subprocess.run(
        [sys.executable, "-m", "timbre.cli.main", "train", *words, *more], check=True, stderr=subprocess.PIPE
    )
    (metrics,) = (run / "csv").glob("*/metrics.csv")
    with metrics.open() as file:
        rows = [row for row in csv.DictReader(file) if row.get("data_wait_share")][WARM_EPOCHS:]
    names = ("data_wait_share", "features_share", "clips_per_second")
    return {name: sum(float(row[name]) for row in rows) / len(rows) for name in names}


def figures(files: list[Path], folder: Path) -> list[Figure]:
    """Preparation on one core and on all; an epoch's shares on the CPU, and on a GPU where there is one."""
    root = tree_of(files, folder / "tree")
    rows = []
    for cores in (ALL_CORES[:1], ALL_CORES):
        decoded = decode_rate(files, cores)
        on = str(len(cores))
        rate = prepare_rate(root, folder / f"data-{on}", len(files), cores)
        row = {"unit": "clips/s", "reference_name": "decode", "reference": decoded, "at_least": 0.8}
        rows.append(Figure(name="timbre prepare", cores=on, value=rate, **row))
    trainers = {"cpu": str(len(ALL_CORES))} | ({"gpu": "GPU"} if torch.cuda.is_available() else {})
    for trainer, on in trainers.items():
        shares = training(folder / f"data-{len(ALL_CORES)}", folder, trainer, epochs=3 if trainer == "cpu" else 12)
        rows += [
            Figure(
                name="training, share waiting for data", cores=on, value=shares["data_wait_share"], unit="", at_most=0.1
            ),
            Figure(name="training, share of a step in features", cores=on, value=shares["features_share"], unit=""),
            Figure(name="training", cores=on, value=shares["clips_per_second"], unit="clips/s"),
        ]
    return rows
