"""Clips come out as they went in, in an order that seed and epoch decide."""

import pickle

import numpy as np
import pytest
import torch

from timbre.data import ClipStore
from timbre.training.batches import ClipDataset, ShardedOrder
from timbre.training.module import waveform


def order(epoch: int = 0, *, rows: int = 11, shuffle: bool = True, seed: int = 1, rank: int = 0, world_size: int = 1):
    sampler = ShardedOrder(rows=rows, shuffle=shuffle, seed=seed, rank=rank, world_size=world_size)
    sampler.set_epoch(epoch)
    assert len(list(sampler)) == len(sampler)
    return list(sampler)


def test_a_batch_has_the_rows_asked_for_in_the_order_asked_for(tones):
    store = ClipStore.open(tones, "train")
    batch = ClipDataset(store).__getitems__([7, 2, 9])
    assert batch.row.tolist() == [7, 2, 9]
    assert batch.target.tolist() == store.target[[7, 2, 9]].tolist()
    assert batch.pcm.dtype == torch.int16
    np.testing.assert_array_equal(waveform(batch)[1].numpy(), store.waveform(2))


def test_a_dataset_travels_to_loader_processes_as_a_path(tones):
    dataset = ClipDataset(ClipStore.open(tones, "train"))
    assert len(pickle.dumps(dataset)) < 1000
    assert pickle.loads(pickle.dumps(dataset)).__getitems__([3]).row.tolist() == [3]


def test_each_epoch_has_every_clip_in_an_order_of_its_own():
    first, second = order(0), order(1)
    assert sorted(first) == sorted(second) == list(range(11))
    assert first != second
    assert order(1) == second
    assert order(1, seed=2) != second
    assert order(shuffle=False) == list(range(11))


@pytest.mark.parametrize("rows", [11, 1, 4])
def test_processes_share_an_epoch_in_equal_parts(rows):
    shards = [order(3, rows=rows, rank=rank, world_size=4) for rank in range(4)]
    assert len({len(shard) for shard in shards}) == 1
    assert {row for shard in shards for row in shard} == set(range(rows))
