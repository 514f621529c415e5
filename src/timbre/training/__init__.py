"""From a prepared store to a calibrated checkpoint, with Lightning."""

from timbre.training.datamodule import GenreDataModule
from timbre.training.errors import TrainingError, TrainingInterruptedError
from timbre.training.fit import FitResult, fit, read_checkpoint
from timbre.training.module import GenreModule

__all__ = [
    "FitResult",
    "GenreDataModule",
    "GenreModule",
    "TrainingError",
    "TrainingInterruptedError",
    "fit",
    "read_checkpoint",
]
