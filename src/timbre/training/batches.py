"""How clips leave the store: whole batches in one read, in an order that only seed and epoch decide."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset, Sampler

from timbre.data import ClipStore
from timbre.training.seeds import Stream, derive


class ClipBatch(NamedTuple):
    """B clips as they lie in the store: half the bytes of float32 on the way to the device.

    Attributes:
        pcm: int16 [B, T].
        scale: float32 [B]; the waveform is `pcm * scale`.
        target: int64 [B], index of the genre.
        row: int64 [B], where each clip lies in the store.
    """

    pcm: Tensor
    scale: Tensor
    target: Tensor
    row: Tensor


class ClipDataset(Dataset[ClipBatch]):
    """A split of the store whose items are batches: the loader hands over all indices of a batch at once."""

    def __init__(self, store: ClipStore) -> None:
        self.store = store

    def __len__(self) -> int:
        return len(self.store)

    def __getitems__(self, rows: Sequence[int]) -> ClipBatch:
        """Read clips in the order in which they lie on disk, into one array in the order asked for."""
        index = np.asarray(rows, dtype=np.int64)
        pcm = torch.empty((len(index), self.store.clip_samples), dtype=torch.int16)
        into = pcm.numpy()
        for place in np.argsort(index, kind="stable"):
            into[place] = self.store.pcm[index[place]]
        return ClipBatch(
            pcm=pcm,
            scale=torch.from_numpy(self.store.scale[index]),
            target=torch.from_numpy(self.store.target[index]),
            row=torch.from_numpy(index),
        )


class ShardedOrder(Sampler[int]):
    """The rows one process reads in one epoch.

    All processes get equally many, as their collective operations demand: the order wraps around at its end, and
    whoever gathers results drops the repeated rows.

    Args:
        rows: clips in the split.
        shuffle: a new order each epoch, else the store's own.
        seed: of the run.
        rank: this process.
        world_size: number of processes.
    """

    def __init__(self, *, rows: int, shuffle: bool, seed: int, rank: int, world_size: int) -> None:
        self.rows = rows
        self.shuffle = shuffle
        self.seed = seed
        self.rank = rank
        self.world_size = world_size
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Lightning tells the epoch here, after a resume too."""
        self.epoch = epoch

    def __len__(self) -> int:
        return -(-self.rows // self.world_size)

    def __iter__(self) -> Iterator[int]:
        order = np.arange(self.rows)
        if self.shuffle:
            np.random.default_rng(derive(self.seed, Stream.SHUFFLE, self.epoch)).shuffle(order)
        whole = np.resize(order, len(self) * self.world_size)
        return iter(whole[self.rank :: self.world_size].tolist())
