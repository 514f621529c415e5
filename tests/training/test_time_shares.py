"""The clock of an epoch: made-up waits come out as they were made."""

import time

import pytest
import torch

from timbre.training.batches import ClipDataset
from timbre.training.module import GenreModule
from timbre.training.stopwatch import Stopwatch


@pytest.mark.parametrize(("reading", "imaging", "waits", "images"), [(0.6, 0.0, 0.5, 0.0), (0.0, 0.6, 0.0, 0.5)])
def test_time_shares_say_where_the_time_goes(run, monkeypatch, reading, imaging, waits, images):
    read, image = ClipDataset.__getitems__, GenreModule.augmented_image

    def slow_read(self, rows):
        time.sleep(reading)
        return read(self, rows)

    def slow_image(self, batch):
        time.sleep(imaging)
        return image(self, batch)

    monkeypatch.setattr(ClipDataset, "__getitems__", slow_read)
    monkeypatch.setattr(GenreModule, "augmented_image", slow_image)
    _, _, result = run(epochs=1)
    shares = result.metrics
    assert waits <= shares["data_wait_share"] <= 1
    assert images <= shares["features_share"] <= 1
    assert (shares["data_wait_share"] > 0.5) == (waits > 0)
    assert 0 < shares["clips_per_second"] < 4 / 0.6


@pytest.mark.gpu
def test_a_stopwatch_on_a_gpu_measures_its_work_and_not_the_call():
    device = torch.device("cuda")
    watch = Stopwatch(device)
    x = torch.randn(8192, 8192, device=device)
    called = time.perf_counter()
    start = watch.now()
    for _ in range(20):
        x = x @ x / 8192
    end = watch.now()
    called = time.perf_counter() - called
    watch.settle()
    assert watch.seconds(start, end) > called
