"""Runs a fit from start or checkpoint to its end, and says how it ended."""

import pickle
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import pytorch_lightning as pl
import torch

from timbre.training.callbacks import History, RunCheckpoint
from timbre.training.datamodule import GenreDataModule
from timbre.training.errors import TrainingError, TrainingInterruptedError
from timbre.training.module import METRICS, GenreModule

C = TypeVar("C", bound=pl.Callback)
MUST_AGREE = ("classifier", "labels", "contract")
"""Hyper-parameters of a checkpoint that a run going on from it must share: they decide what each weight means."""


@dataclass(frozen=True, kw_only=True)
class FitResult:
    """How a fit ended.

    Attributes:
        best: checkpoint of the best epoch.
        last: checkpoint of the newest epoch; the one gone on from if there was nothing left to train.
        epochs: finished epochs, those before a resume included.
        metrics: of the best epoch.
    """

    best: Path
    last: Path
    epochs: int
    metrics: Mapping[str, float]


def fit(trainer: pl.Trainer, module: GenreModule, datamodule: GenreDataModule, *, checkpoint: Path | None) -> FitResult:
    """Train until the last epoch or early stopping.

    The trainer must have a `RunCheckpoint` and a `History`.

    Args:
        trainer: runs the epochs.
        module: what is trained.
        datamodule: what it is trained on.
        checkpoint: go on from here, or None to start; `read_checkpoint` has checked it.

    Raises:
        TrainingError: if a callback watches a metric that there is not, or training diverged.
        TrainingInterruptedError: on Ctrl-C (at once) and SIGTERM (after the step).
    """
    saved = _only(trainer, RunCheckpoint)
    history = _only(trainer, History)
    _check_monitors(trainer)
    if checkpoint:
        saved.bring_along(checkpoint)
    try:
        trainer.fit(module, datamodule=datamodule, ckpt_path=checkpoint, weights_only=True)
    except SystemExit as stop:  # what Lightning makes of Ctrl-C and SIGTERM
        if not trainer.interrupted:
            raise
        last = _newest(saved, checkpoint)
        raise TrainingInterruptedError(epochs=saved.epochs, last=last) from stop
    except torch.OutOfMemoryError as error:
        raise TrainingError("the device's memory does not hold a step: lower datamodule.batch_size") from error
    if not saved.epochs:
        raise TrainingError("no epoch was finished, so there is no checkpoint: raise trainer.max_epochs")
    last = _newest(saved, checkpoint)
    assert last is not None
    return FitResult(best=saved.best, last=last, epochs=saved.epochs, metrics=history.of(saved.best_epoch))


def read_checkpoint(path: Path, hyper_parameters: Mapping[str, Any]) -> Mapping[str, Any]:
    """The hyper-parameters of a checkpoint, if a run with these ones can go on from it.

    Raises:
        TrainingError: if it is not there, not a checkpoint of this command, or of another model, genres or clip length.
    """
    try:
        found = torch.load(path, map_location="cpu", weights_only=True)["hyper_parameters"]
        differing = [name for name in MUST_AGREE if found[name] != hyper_parameters[name]]
    except FileNotFoundError as error:
        raise TrainingError(f"there is no checkpoint {path} to resume from") from error
    except PermissionError:
        raise
    except (pickle.UnpicklingError, RuntimeError, EOFError, OSError, LookupError, TypeError) as error:
        raise TrainingError(f"{path} is not a checkpoint of `timbre train`") from error
    if differing:
        raise TrainingError(
            f"{path} cannot go on under this configuration, it differs in {' and '.join(differing)}: "
            "give the overrides of the run that wrote it"
        )
    return dict(found)


def _check_monitors(trainer: pl.Trainer) -> None:
    """Refuse before the first epoch what would fail at its end."""
    callbacks: list[pl.Callback] = trainer.callbacks  # type: ignore[attr-defined]  # set by a connector
    for callback in callbacks:
        monitor = getattr(callback, "monitor", None)
        if monitor is not None and monitor not in METRICS:
            raise TrainingError(
                f"{type(callback).__name__} watches {monitor!r}, which is not measured: "
                f"callbacks.checkpoint.monitor, which sets it for all, is one of {', '.join(METRICS)}"
            )


def _only(trainer: pl.Trainer, kind: type[C]) -> C:
    callbacks: list[pl.Callback] = trainer.callbacks  # type: ignore[attr-defined]  # set by a connector
    (found,) = [callback for callback in callbacks if isinstance(callback, kind)]
    return found


def _newest(saved: RunCheckpoint, checkpoint: Path | None) -> Path | None:
    """The checkpoint of the newest epoch: the one gone on from until another epoch is finished."""
    return saved.last if saved.epochs and saved.last.is_file() else checkpoint
