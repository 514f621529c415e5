"""Stops a run whose loss is no longer a number, before it replaces the last good checkpoint."""

from typing import Any

import pytorch_lightning as pl
from torch import Tensor

from timbre.training.batches import ClipBatch
from timbre.training.errors import TrainingError
from timbre.training.module import diverged


class FiniteLoss(pl.Callback):
    """Adds up the losses on the device and looks at the sum now and then: one NaN stays in it.

    Args:
        every_n_steps: steps from look to look; each makes a GPU wait. The last step of an epoch is always looked at.
    """

    def __init__(self, *, every_n_steps: int) -> None:
        self.every_n_steps = every_n_steps
        self._total: Tensor | None = None

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Start the sum."""
        self._total = None

    def on_train_batch_end(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        outputs: Any,
        batch: ClipBatch,
        batch_idx: int,
    ) -> None:
        """Add a loss, and look.

        Raises:
            TrainingError: if some loss was not finite.
        """
        loss = outputs["loss"].detach()
        self._total = loss if self._total is None else self._total + loss
        looks = (batch_idx + 1) % self.every_n_steps == 0 or trainer.is_last_batch
        if looks and not self._total.isfinite():
            raise TrainingError(diverged(trainer.current_epoch))
