"""Schedules begin, peak and end where they should."""

import pytest

from timbre.training.schedules import Constant, WarmupCosine


def test_warmup_cosine_goes_up_to_one_and_down_to_its_end():
    schedule = WarmupCosine(warmup=0.2, final=0.1)
    assert [schedule(done) for done in (0.0, 0.1, 0.2, 0.6, 1.0)] == pytest.approx([0.1, 0.55, 1.0, 0.55, 0.1])


def test_warmup_may_be_none_or_all_of_the_run():
    assert WarmupCosine(warmup=0.0, final=0.1)(0.0) == 1.0
    assert WarmupCosine(warmup=1.0, final=0.1)(1.0) == pytest.approx(1.0)


def test_constant_is_constant():
    assert {Constant()(done) for done in (0.0, 0.5, 1.0)} == {1.0}


def test_a_run_starts_low_peaks_and_ends_low(run):
    _, trainer, _ = run(epochs=2)
    (scheduler,) = (config.scheduler for config in trainer.lr_scheduler_configs)
    assert scheduler.last_epoch == trainer.global_step == 6
    assert scheduler.get_last_lr() == pytest.approx([3e-4])
