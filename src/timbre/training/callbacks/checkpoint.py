"""Two checkpoints of a run: `last.ckpt` of the newest finished epoch and `best.ckpt` of the best one by a metric."""

import os
import shutil
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.callbacks import Checkpoint


class RunCheckpoint(Checkpoint):
    """Saves every epoch once; the best epoch's file is a second name of the same bytes.

    Lightning's ModelCheckpoint renews `last.ckpt` only in epochs that are the best so far, so an interruption would
    cost all epochs since; and it forgets the best score when a run goes on in another folder.

    Args:
        dirpath: folder of both.
        monitor: the metric by which an epoch is the best.
        mode: `min` or `max` of it is best.

    Attributes:
        epochs: finished epochs that `last` holds; those before a resume count.
        best_epoch: the epoch that `best` holds, counted from 1; 0 before the first.
    """

    def __init__(self, *, dirpath: str | Path, monitor: str, mode: str) -> None:
        assert mode in ("min", "max")
        self.monitor = monitor
        self.sign = 1.0 if mode == "min" else -1.0
        self.last = Path(dirpath) / "last.ckpt"
        self.best = Path(dirpath) / "best.ckpt"
        self.best_score: float | None = None
        self.best_epoch = 0
        self.epochs = 0

    def bring_along(self, checkpoint: Path) -> None:
        """Going on from a checkpoint elsewhere: copy the best one of its run, which lies beside it, if it is there."""
        before = checkpoint.with_name(self.best.name)
        if before.is_file() and before.resolve() != self.best.resolve():
            self.best.parent.mkdir(parents=True, exist_ok=True)
            _replace(self.best, before)

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """A score whose checkpoint is gone counts for nothing."""
        if not self.best.is_file():
            self.best_score = None

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Save the epoch, once everything else has taken note of it."""
        score = trainer.callback_metrics[self.monitor].item()
        before, self.epochs = self.epochs, trainer.current_epoch + 1  # the checkpoint holds this too
        is_best = self.best_score is None or self.sign * score < self.sign * self.best_score
        if is_best:
            self.best_score, self.best_epoch = score, self.epochs
        try:
            self._save(trainer, is_best=is_best)
        except BaseException:
            self.epochs = before
            raise

    def _save(self, trainer: pl.Trainer, *, is_best: bool) -> None:
        partial = self.last.with_name(f".{self.last.name}.partial")
        trainer.save_checkpoint(partial, weights_only=False)
        if trainer.is_global_zero:
            if is_best:
                _replace(self.best, partial)
            partial.replace(self.last)

    def state_dict(self) -> dict[str, Any]:
        """For the checkpoint."""
        return {"best_score": self.best_score, "best_epoch": self.best_epoch, "epochs": self.epochs}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """From a checkpoint."""
        self.best_score = state_dict["best_score"]
        self.best_epoch = state_dict["best_epoch"]
        self.epochs = state_dict["epochs"]


def _replace(target: Path, source: Path) -> None:
    """Make `target` a second name of `source`, or a copy where a file has one name only; whole at every moment."""
    fresh = target.with_name(f".{target.name}.partial")
    fresh.unlink(missing_ok=True)
    try:
        os.link(source, fresh)
    except OSError:  # another disk, or a file system without links
        shutil.copyfile(source, fresh)
    fresh.replace(target)
