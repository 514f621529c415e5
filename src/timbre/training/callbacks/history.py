"""The numbers of every epoch: kept for the summary, told as one line each, carried by checkpoints."""

from collections.abc import Callable
from typing import Any

import pytorch_lightning as pl

TOLD = ("train_loss", "val_loss", "val_accuracy", "val_macro_f1")
"""Metrics in an epoch's line."""


class History(pl.Callback):
    """Collects what was logged in each epoch."""

    def __init__(self) -> None:
        self.rows: list[dict[str, float]] = []
        self.tell: Callable[[str], None] | None = None

    def of(self, epoch: int) -> dict[str, float]:
        """The numbers of an epoch, counted from 1, `epoch` among them; empty if it is not known."""
        return next((row for row in self.rows if row["epoch"] == epoch), {})

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Take down the epoch and tell it."""
        row = {name: float(value) for name, value in trainer.callback_metrics.items()}
        self.rows.append({"epoch": trainer.current_epoch + 1} | row)
        if self.tell and trainer.is_global_zero:
            numbers = "  ".join(f"{name} {row[name]:.4f}" for name in TOLD if name in row)
            self.tell(f"epoch {trainer.current_epoch + 1}/{trainer.max_epochs}  {numbers}")

    def state_dict(self) -> dict[str, Any]:
        """For the checkpoint."""
        return {"rows": self.rows}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """From a checkpoint."""
        self.rows = [dict(row) for row in state_dict["rows"]]
