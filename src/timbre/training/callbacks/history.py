"""The numbers of every epoch: kept for the summary, told as one line each, carried by checkpoints."""

from collections.abc import Callable
from typing import Any

import pytorch_lightning as pl

TOLD = ("train_loss", "val_loss", "val_accuracy", "val_macro_f1")
"""Metrics in an epoch's line."""


class History(pl.Callback):
    """Collects what was logged in each epoch.

    Args:
        monitor: the metric by which an epoch is the best.
        mode: `min` or `max` of it is best.
    """

    def __init__(self, *, monitor: str, mode: str) -> None:
        self.monitor = monitor
        self.mode = mode
        self.rows: list[dict[str, float]] = []
        self.tell: Callable[[str], None] | None = None

    @property
    def best(self) -> dict[str, float]:
        """The numbers of the best epoch, `epoch` among them, counted from 1; empty before the first one."""
        rows = [row for row in self.rows if self.monitor in row]
        if not rows:
            return {}
        choose = min if self.mode == "min" else max
        return choose(rows, key=lambda row: row[self.monitor])

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
