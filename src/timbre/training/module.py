"""The training step, int16 clips -> augmented waveform -> image -> loss, and a calibrated classifier every epoch.

Shapes: B examples, T samples, C channels, H rows, W columns, G genres, N clips of the validation split.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Protocol

import pytorch_lightning as pl
import torch
from pytorch_lightning.utilities.types import OptimizerLRSchedulerConfig
from torch import Tensor, nn
from torch.nn import functional
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR
from torchmetrics.classification import MulticlassAccuracy
from torchmetrics.functional.classification import multiclass_accuracy, multiclass_f1_score

from timbre.evaluation import fit_temperature
from timbre.features import Dice
from timbre.models import Classifier
from timbre.training.batches import ClipBatch
from timbre.training.errors import TrainingError
from timbre.training.seeds import Stream, check_seed, derive
from timbre.training.stopwatch import Stopwatch

METRICS = (
    "train_loss",
    "train_accuracy",
    "val_loss",
    "val_loss_uncalibrated",
    "val_accuracy",
    "val_macro_f1",
    "temperature",
)
"""What every epoch is measured by, under the names given to the logger."""


class Augmentation(Protocol):
    """Dice and their effect, as `timbre.features.Augment` has them."""

    def draw(self, batch_size: int, generator: torch.Generator) -> Dice:
        """Roll for a batch."""
        ...

    def waveform(self, waveform_BT: Tensor, dice: Dice) -> Tensor:
        """What was rolled, done to waveforms."""
        ...

    def image(self, image_BCHW: Tensor, dice: Dice) -> Tensor:
        """What was rolled, done to images."""
        ...


class GenreModule(pl.LightningModule):
    """Trains a classifier; Lightning is one client of it, the export another.

    Args:
        classifier: what is trained.
        augment: applied to training batches, here and nowhere else.
        optimizer: makes an optimiser of parameters.
        schedule: share of the run done -> share of the learning rate.
        label_smoothing: share of certainty spread over all genres in the training loss.
        seed: of the run; all dice derive from it.
        hyper_parameters: plain values that every checkpoint carries, from which the classifier can be rebuilt.

    Raises:
        TrainingError: if the smoothing is no share or there is no such seed.
    """

    def __init__(
        self,
        *,
        classifier: Classifier,
        augment: Augmentation,
        optimizer: Callable[[Iterable[nn.Parameter]], Optimizer],
        schedule: Callable[[float], float],
        label_smoothing: float,
        seed: int,
        hyper_parameters: Mapping[str, Any],
    ) -> None:
        super().__init__()
        check_seed(seed)
        if not isinstance(label_smoothing, int | float) or not 0.0 <= label_smoothing <= 1.0:
            raise TrainingError(f"module.label_smoothing={label_smoothing} is no share: give a number from 0 to 1")
        self.save_hyperparameters(dict(hyper_parameters), logger=False)
        self.classifier = classifier
        self.augment = augment
        self.optimizer = optimizer
        self.schedule = schedule
        self.label_smoothing = label_smoothing
        self.seed = seed
        self.train_accuracy = MulticlassAccuracy(num_classes=len(classifier.labels), average="micro")
        self.stopwatch: Stopwatch | None = None
        self.features_span: tuple[Any, Any] | None = None
        self._dice = torch.Generator()
        self._validated: list[tuple[Tensor, Tensor, Tensor]] = []

    def configure_optimizers(self) -> OptimizerLRSchedulerConfig:
        """The optimiser and its schedule, which moves every step: an epoch schedule would move after the checkpoint."""
        try:
            optimizer = self.optimizer(self.classifier.parameters())
        except (TypeError, ValueError) as error:  # a rate below zero, or one that is no number, and the like
            raise TrainingError(f"the optimizer cannot be had: {error}") from error
        steps = self.trainer.estimated_stepping_batches
        scheduler = LambdaLR(optimizer, lambda step: self.schedule(min(1.0, step / steps)))
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "interval": "step"}}

    def on_train_batch_start(self, batch: ClipBatch, batch_idx: int) -> None:
        """Start the dice of this step afresh, so that no step depends on what rolled before it."""
        position = (self.current_epoch, batch_idx, self.global_rank)
        self._dice.manual_seed(derive(self.seed, Stream.AUGMENT, *position))
        torch.manual_seed(derive(self.seed, Stream.DROPOUT, *position))

    def training_step(self, batch: ClipBatch, batch_idx: int) -> Tensor:
        """Cross entropy of one batch."""
        if self.stopwatch:
            start = self.stopwatch.now()
            image_BCHW = self.augmented_image(batch)
            self.features_span = (start, self.stopwatch.now())
        else:
            image_BCHW = self.augmented_image(batch)
        logits_BG = self.classifier.logits(image_BCHW)
        loss = functional.cross_entropy(logits_BG.float(), batch.target, label_smoothing=self.label_smoothing)
        self.train_accuracy.update(logits_BG, batch.target)
        size = len(batch.target)
        self.log("train_loss", loss.detach(), on_step=False, on_epoch=True, batch_size=size, sync_dist=True)
        self.log("train_accuracy", self.train_accuracy, on_step=False, on_epoch=True, batch_size=size)
        return loss

    @torch.no_grad()
    def augmented_image(self, batch: ClipBatch) -> Tensor:
        """Clips as stored -> augmented images [B, C, H, W], in float32 whatever the precision of the run."""
        with torch.autocast(self.device.type, enabled=False):
            dice = self.augment.draw(len(batch.target), self._dice)
            waveform_BT = self.augment.waveform(waveform(batch), dice)
            return self.augment.image(self.classifier.frontend(waveform_BT), dice)

    def on_validation_epoch_start(self) -> None:
        """Forget what an interrupted validation left."""
        self._validated.clear()

    def validation_step(self, batch: ClipBatch, batch_idx: int) -> None:
        """Keep the logits; all numbers are taken from the whole split at once."""
        with torch.autocast(self.device.type, enabled=False):
            image_BCHW = self.classifier.frontend(waveform(batch))
        self._validated.append((batch.row, self.classifier.logits(image_BCHW).float(), batch.target))

    def on_validation_epoch_end(self) -> None:
        """Measure the split and fit the temperature to it.

        Raises:
            TrainingError: if the model answers with numbers that are not finite.
        """
        if self.trainer.sanity_checking:
            return
        logits_NG, target_N = self._gathered()
        if not torch.isfinite(logits_NG).all():
            raise TrainingError(diverged(self.current_epoch))
        genres = logits_NG.shape[1]
        temperature = fit_temperature(logits_NG.numpy(force=True), target_N.numpy(force=True))
        self.classifier.temperature.fill_(temperature)
        # What is shipped is the calibrated answer, so that is what the best epoch is chosen by.
        self.log("val_loss", functional.cross_entropy(logits_NG / temperature, target_N))
        self.log("val_loss_uncalibrated", functional.cross_entropy(logits_NG, target_N))
        self.log("val_accuracy", multiclass_accuracy(logits_NG, target_N, num_classes=genres, average="micro"))
        self.log("val_macro_f1", multiclass_f1_score(logits_NG, target_N, num_classes=genres, average="macro"))
        self.log("temperature", temperature)

    def _gathered(self) -> tuple[Tensor, Tensor]:
        """Logits and targets of the whole split, each clip once, from all processes."""
        parts = [torch.cat(tensors) for tensors in zip(*self._validated, strict=True)]
        if self.trainer.world_size > 1:
            parts = [part.flatten(0, 1) for part in self.all_gather(parts)]
        row_N, logits_NG, target_N = parts
        row_N, place_N = torch.sort(row_N, stable=True)
        first_N = torch.ones_like(row_N, dtype=torch.bool)
        first_N[1:] = row_N[1:] != row_N[:-1]
        return logits_NG[place_N[first_N]], target_N[place_N[first_N]]


def waveform(batch: ClipBatch) -> Tensor:
    """Clips as stored -> float32 waveforms [B, T], on the device where the batch is."""
    return batch.pcm.float().mul_(batch.scale[:, None])


def diverged(epoch: int) -> str:
    """What to say when a loss or an answer is no longer a number."""
    return (
        f"training diverged in epoch {epoch + 1}: the loss is not a finite number; "
        "lower optimizer.lr or set trainer.gradient_clip_val (the last good checkpoint is kept)"
    )
