"""Where the time of an epoch goes: waiting for data, making images, and the rest."""

from typing import Any

import pytorch_lightning as pl

from timbre.training.batches import ClipBatch
from timbre.training.module import GenreModule
from timbre.training.stopwatch import Stopwatch


class TimeShares(pl.Callback):
    """Logs, per epoch of training (validation apart):

    - `data_wait_share`: the share between one step's end and the next one's start, when the device has nothing to do
      but wait for a batch (reading, the copy to the device and the trainer's own bookkeeping: a bound from above);
    - `features_share`: the share of the steps spent on waveforms, features and augmentation;
    - `clips_per_second`: over all processes.

    Args:
        skip_steps: steps at the start of a run that are not counted: they warm up libraries and caches.
    """

    def __init__(self, *, skip_steps: int) -> None:
        self.skip_steps = skip_steps
        self._watch: Stopwatch | None = None
        self._ends: list[Any] = []
        self._starts: list[Any] = []
        self._features: list[tuple[Any, Any]] = []
        self._clips: list[int] = []

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Start the clock of the epoch."""
        assert isinstance(pl_module, GenreModule)
        self._watch = pl_module.stopwatch = Stopwatch(pl_module.device)
        self._ends, self._starts, self._features, self._clips = [self._watch.now()], [], [], []

    def on_train_batch_start(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: ClipBatch, batch_idx: int
    ) -> None:
        """The batch is on the device."""
        assert self._watch is not None
        self._starts.append(self._watch.now())

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: object, batch: ClipBatch, batch_idx: int
    ) -> None:
        """The step is done, on a GPU: queued."""
        assert self._watch is not None
        assert isinstance(pl_module, GenreModule)
        assert pl_module.features_span is not None
        self._ends.append(self._watch.now())
        self._features.append(pl_module.features_span)
        self._clips.append(len(batch.target))

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Add up and log, unless the run is too young to count."""
        assert self._watch is not None
        first = max(0, self.skip_steps - (trainer.global_step - len(self._starts)))
        if len(self._starts) <= first:
            return
        self._watch.settle()
        seconds = self._watch.seconds
        wait = sum(seconds(end, start) for end, start in zip(self._ends[first:], self._starts[first:], strict=False))
        whole = seconds(self._ends[first], self._ends[-1])
        features = sum(seconds(*span) for span in self._features[first:])
        pl_module.log("data_wait_share", wait / whole)
        pl_module.log("features_share", features / (whole - wait))
        pl_module.log("clips_per_second", sum(self._clips[first:]) * trainer.world_size / whole)
