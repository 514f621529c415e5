"""One seed fixes a run bit for bit, and a run that stops and goes on is the run that never stopped."""

import pytest
import pytorch_lightning as pl
import torch
from torch import Tensor

from timbre.training import GenreModule


def weights(module: GenreModule) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in module.classifier.state_dict().items()}


def same(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def test_two_runs_of_one_seed_have_identical_weights(run):
    first, _, _ = run("first")
    torch.rand(7)  # whatever rolled before must not matter
    second, _, _ = run("second")
    assert same(weights(first), weights(second))


def test_another_seed_gives_other_weights(run):
    assert not same(weights(run("first")[0]), weights(run("second", seed=2)[0]))


def test_loader_processes_do_not_change_the_result(run):
    assert same(weights(run("alone")[0]), weights(run("workers", num_workers=2)[0]))


def test_sanity_checking_disturbs_nothing(run):
    without = run("without", num_sanity_val_steps=0)[0]
    assert same(weights(without), weights(run("with", num_sanity_val_steps=2)[0]))


def test_a_run_that_goes_on_equals_the_run_that_never_stopped(run):
    class StopAfterTwo(pl.Callback):
        def on_train_epoch_end(self, trainer, pl_module):
            trainer.should_stop = trainer.current_epoch == 1

    whole, _, whole_result = run("whole", epochs=5)
    _, _, half = run("half", epochs=5, more=(StopAfterTwo(),))
    assert half.epochs == 2
    resumed, _, result = run("resumed", epochs=5, checkpoint=half.last)
    assert same(weights(whole), weights(resumed))
    for name in ("best", "last"):
        one, other = (torch.load(getattr(r, name), weights_only=True) for r in (whole_result, result))
        assert same(one["state_dict"], other["state_dict"])
        assert one["epoch"] == other["epoch"]
    assert [row["val_loss"] for row in _rows(whole_result)] == [row["val_loss"] for row in _rows(result)]
    assert (whole_result.metrics["epoch"], whole_result.epochs) == (result.metrics["epoch"], result.epochs)


def test_a_run_goes_on_from_an_epoch_in_whose_middle_it_was_stopped(run, tmp_path):
    """SIGTERM or a crash in mid-epoch: the last finished epoch is kept and the unfinished one is done again."""

    class Crash(pl.Callback):
        def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
            if (trainer.current_epoch, batch_idx) == (2, 1):
                raise RuntimeError("a power cut")

    whole, _, _ = run("whole", epochs=4)
    with pytest.raises(RuntimeError, match="a power cut"):
        run("half", epochs=4, more=(Crash(),))
    last = tmp_path / "half" / "checkpoints" / "last.ckpt"
    assert torch.load(last, weights_only=True)["epoch"] == 1
    resumed, _, result = run("resumed", epochs=4, checkpoint=last)
    assert same(weights(whole), weights(resumed))
    assert result.epochs == 4


def test_the_last_checkpoint_is_of_the_newest_epoch_though_another_was_better(run):
    class Spoil(pl.Callback):
        def on_validation_start(self, trainer, pl_module):
            pl_module.classifier.head.weight.data.mul_(-50.0)

    _, _, result = run(epochs=3, more=(Spoil(),))
    epochs = {name: torch.load(getattr(result, name), weights_only=True)["epoch"] for name in ("best", "last")}
    assert epochs == {"best": result.metrics["epoch"] - 1, "last": 2}
    assert epochs["best"] < 2


def test_the_best_checkpoint_follows_a_resumed_run_into_its_new_folder(run):
    """Else a worse epoch after the resume would become the best one."""

    class Spoil(pl.Callback):
        def on_validation_start(self, trainer, pl_module):
            pl_module.classifier.head.weight.data.mul_(-50.0)

    _, _, before = run("before", epochs=3)
    _, _, after = run("after", epochs=4, checkpoint=before.last, more=(Spoil(),))
    assert after.metrics["epoch"] <= 3
    assert after.best.parent.parent.name == "after"
    one, other = (torch.load(result.best, weights_only=True)["state_dict"] for result in (before, after))
    assert same(one, other)


def _rows(result) -> list[dict[str, float]]:
    state = torch.load(result.last, weights_only=True)["callbacks"]
    return state["History"]["rows"]
