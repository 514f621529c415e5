"""The store as Lightning reads it: loaders over memory-mapped int16 clips."""

from pathlib import Path
from typing import Any

import pytorch_lightning as pl
from torch.utils.data import DataLoader

from timbre.data import ClipStore
from timbre.training.batches import ClipBatch, ClipDataset, ShardedOrder
from timbre.training.errors import TrainingError
from timbre.training.seeds import check_seed


class GenreDataModule(pl.LightningDataModule):
    """Batches of the training and validation splits of a prepared folder.

    Args:
        data_dir: what `timbre prepare` wrote.
        sample_rate: that the model expects, in Hz; the store must have it.
        clip_seconds: that the model expects; the store must have it.
        batch_size: clips per step and process.
        num_workers: loader processes; 0 reads in the training process, which is enough where features run on the CPU.
        prefetch_factor: batches that each loader process reads ahead.
        pin_memory: page-locked batches, which a GPU can fetch while it computes.
        seed: of the run; with the epoch it decides the order.

    Raises:
        TrainingError: if there is no such batch, number of processes or seed.
    """

    def __init__(
        self,
        *,
        data_dir: str | Path,
        sample_rate: int,
        clip_seconds: float,
        batch_size: int,
        num_workers: int,
        prefetch_factor: int,
        pin_memory: bool,
        seed: int,
    ) -> None:
        super().__init__()
        check_seed(seed)
        if batch_size < 1 or num_workers < 0:
            raise TrainingError(
                f"batches need a clip and loaders cannot be fewer than none: {batch_size=}, {num_workers=}"
            )
        self.data_dir = Path(data_dir)
        self.sample_rate = sample_rate
        self.clip_samples = round(sample_rate * clip_seconds)
        self.batch_size = batch_size
        self.num_workers = num_workers
        self.prefetch_factor = prefetch_factor
        self.pin_memory = pin_memory
        self.seed = seed
        self.stores: dict[str, ClipStore] = {}

    @property
    def labels(self) -> tuple[str, ...]:
        """Genres in the order of the targets; known after `setup`."""
        return self.stores["train"].labels

    def setup(self, stage: str | None = None) -> None:
        """Open the splits and check that they are what the model expects.

        Raises:
            StoreError: if there is no whole store.
            TrainingError: if it is of another rate or length, a split is empty or there is one genre only.
        """
        if self.stores:
            return
        stores = {split: ClipStore.open(self.data_dir, split) for split in ("train", "val")}
        for split, store in stores.items():
            if (store.sample_rate, store.clip_samples) != (self.sample_rate, self.clip_samples):
                raise TrainingError(
                    f"{self.data_dir} holds clips of {store.clip_samples} samples at {store.sample_rate} Hz, "
                    f"the model hears {self.clip_samples} at {self.sample_rate} Hz: "
                    "run `timbre prepare` with this configuration"
                )
            if not len(store):
                raise TrainingError(
                    f"the {split} split of {self.data_dir} is empty: prepare it with other shares or more clips"
                )
        labels = stores["train"].labels
        if len(labels) < 2:
            raise TrainingError(
                f"{self.data_dir} has {len(labels)} genre ({', '.join(labels)}); a classifier needs at least two"
            )
        self.stores = stores

    def train_dataloader(self) -> DataLoader[ClipBatch]:
        """Every clip once per epoch, in an order of the epoch's own."""
        return self._loader("train", shuffle=True)

    def val_dataloader(self) -> DataLoader[ClipBatch]:
        """Every clip in the order of the store."""
        return self._loader("val", shuffle=False)

    def _loader(self, split: str, *, shuffle: bool) -> DataLoader[ClipBatch]:
        dataset = ClipDataset(self.stores[split])
        order = ShardedOrder(
            rows=len(dataset),
            shuffle=shuffle,
            seed=self.seed,
            rank=self.trainer.global_rank if self.trainer else 0,
            world_size=self.trainer.world_size if self.trainer else 1,
        )
        return DataLoader(
            dataset,
            batch_size=self.batch_size,
            sampler=order,
            collate_fn=_as_read,
            num_workers=self.num_workers,
            prefetch_factor=self.prefetch_factor if self.num_workers else None,
            persistent_workers=self.num_workers > 0,
            pin_memory=self.pin_memory,
        )


def _as_read(batch: Any) -> Any:
    """The dataset collates already."""
    return batch
