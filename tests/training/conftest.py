"""A store of tones whose genre is their pitch, and a network small enough to train in a blink."""

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import pytorch_lightning as pl
import torch

from timbre.data.clips import Clip
from timbre.data.manifest import MANIFEST, clip_id, manifest_sha256, manifest_text
from timbre.data.store import STORE, Index, pcm_path, scale_path
from timbre.features import Augment, Frontend
from timbre.models import Classifier, SeedCNN
from timbre.training import FitResult, GenreDataModule, GenreModule, fit
from timbre.training.callbacks import FiniteLoss, History, RunCheckpoint, TimeShares
from timbre.training.quiet import quiet_lightning
from timbre.training.schedules import WarmupCosine


@pytest.fixture(autouse=True)
def _lightning_is_quiet() -> None:
    """As the command makes it; every other warning is an error."""
    quiet_lightning()


@pytest.fixture(autouse=True, scope="session")
def _one_thread() -> Iterator[None]:
    """Steps this small only wait for a second thread."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


RATE, SECONDS = 8000, 1.0
PITCHES = {"low": 220.0, "middle": 880.0, "high": 2200.0}


def write_store(data_dir: Path, *, sizes: dict[str, int], pitches: dict[str, float] = PITCHES) -> Path:
    """A prepared folder with `sizes[split]` tones in turn from each genre."""
    labels = tuple(sorted(pitches))
    folder = data_dir / STORE
    folder.mkdir(parents=True)
    dice = np.random.default_rng(5)
    time = np.arange(round(RATE * SECONDS)) / RATE
    clips = []
    for split, size in sizes.items():
        genres = [labels[number % len(labels)] for number in range(size)]
        tones = [
            np.sin(2 * np.pi * pitches[genre] * dice.uniform(0.97, 1.03) * time) + dice.normal(0, 0.1, len(time))
            for genre in genres
        ]
        peaks = np.array([np.abs(tone).max() for tone in tones], dtype=np.float32)
        pcm = [np.round(tone / peak * 32767).astype("<i2") for tone, peak in zip(tones, peaks, strict=True)]
        pcm_path(folder, split).write_bytes(b"".join(row.tobytes() for row in pcm))
        np.save(scale_path(folder, split), peaks / np.float32(32767))
        for number, genre in enumerate(genres):
            path = f"{split}/{number}.wav"
            facts = {"artist": None, "duration_s": SECONDS, "sample_rate": RATE, "channels": 1, "split": split}
            clips.append(Clip(id=clip_id(path), path=path, sha256="0" * 64, genre=genre, **facts))
    (data_dir / MANIFEST).write_text(manifest_text(clips), encoding="utf-8")
    index = Index(
        labels=labels,
        sample_rate=RATE,
        clip_samples=len(time),
        clips=sizes,
        manifest_sha256=manifest_sha256(data_dir),
        fingerprint="tones",
        root=".",
    )
    (folder / "index.json").write_text(index.to_json(), encoding="utf-8")
    return data_dir


@pytest.fixture(scope="session")
def tones(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten tones to train on, so that batches of four do not come out even; five to validate on."""
    return write_store(tmp_path_factory.mktemp("tones"), sizes={"train": 10, "val": 5, "test": 3})


def build_classifier(labels: tuple[str, ...], *, seed: int = 1) -> Classifier:
    torch.manual_seed(seed)
    frontend = Frontend(
        sample_rate=RATE,
        clip_seconds=SECONDS,
        n_fft=256,
        hop_length=128,
        n_mels=16,
        n_mfcc=8,
        n_chroma=12,
        amin=1e-10,
        top_db=80.0,
        image_size=16,
    )
    backbone = SeedCNN(image_size=16, filters=[4, 8], conv_dropouts=[0.1, 0.1], hidden_units=[16], dense_dropout=0.2)
    return Classifier(frontend, backbone, labels=labels)


def build_data(data_dir: Path, *, batch_size: int = 4, num_workers: int = 0, seed: int = 1) -> GenreDataModule:
    return GenreDataModule(
        data_dir=data_dir,
        sample_rate=RATE,
        clip_seconds=SECONDS,
        batch_size=batch_size,
        num_workers=num_workers,
        prefetch_factor=2,
        pin_memory=False,
        seed=seed,
    )


def build_module(labels: tuple[str, ...], *, seed: int = 1, lr: float = 3e-3) -> GenreModule:
    augment = Augment(
        gain_db=[-6, 6], snr_db=[10, 40], row_masks=1, row_mask_share=0.1, column_masks=1, column_mask_share=0.1
    )
    return GenreModule(
        classifier=build_classifier(labels, seed=seed),
        augment=augment,
        optimizer=partial(torch.optim.Adam, lr=lr),
        schedule=WarmupCosine(warmup=0.2, final=0.1),
        label_smoothing=0.0,
        seed=seed,
        hyper_parameters={"classifier": {"_target_": "x"}, "labels": list(labels), "contract": {"sample_rate": RATE}},
    )


def build_trainer(folder: Path, *, epochs: int, more: tuple[pl.Callback, ...] = (), **changes: object) -> pl.Trainer:
    settings: dict[str, object] = {
        "accelerator": "cpu",
        "devices": 1,
        "max_epochs": epochs,
        "deterministic": True,
        "logger": False,
        "enable_progress_bar": False,
        "enable_model_summary": False,
        "num_sanity_val_steps": 1,
        "use_distributed_sampler": False,
        "default_root_dir": folder,
    }
    callbacks = [
        RunCheckpoint(dirpath=folder / "checkpoints", monitor="val_loss", mode="min"),
        FiniteLoss(every_n_steps=2),
        TimeShares(skip_steps=1),
        History(),
        *more,
    ]
    return pl.Trainer(**settings | changes, callbacks=callbacks)


Run = Callable[..., tuple[GenreModule, pl.Trainer, FitResult]]


@pytest.fixture
def run(tones: Path, tmp_path: Path) -> Run:
    """Trains on the tones into a folder of the given name."""

    def train(
        name: str = "run",
        *,
        epochs: int = 2,
        seed: int = 1,
        data_dir: Path = tones,
        batch_size: int = 4,
        num_workers: int = 0,
        checkpoint: Path | None = None,
        lr: float = 3e-3,
        **trainer_settings: object,
    ) -> tuple[GenreModule, pl.Trainer, FitResult]:
        data = build_data(data_dir, batch_size=batch_size, num_workers=num_workers, seed=seed)
        data.setup()
        module = build_module(data.labels, seed=seed, lr=lr)
        trainer = build_trainer(tmp_path / name, epochs=epochs, **trainer_settings)
        return module, trainer, fit(trainer, module, data, checkpoint=checkpoint)

    return train
