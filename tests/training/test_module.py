"""What is trained learns, answers with calibrated probabilities, and survives in its checkpoint."""

import math

import pytest
import pytorch_lightning as pl
import torch

from timbre.data import ClipStore, StoreError
from timbre.evaluation import fit_temperature
from timbre.training import TrainingError, read_checkpoint
from timbre.training.module import METRICS

from .conftest import RATE, build_classifier, build_data, write_store


def test_tones_are_told_apart_after_a_few_epochs(run):
    _, _, result = run(epochs=12, lr=1e-2)
    assert result.metrics["val_accuracy"] == 1.0
    assert result.metrics["val_macro_f1"] == 1.0
    assert result.metrics["val_loss"] < 0.5 * math.log(3)


def test_a_checkpoint_is_calibrated_and_describes_itself_in_plain_values(run, tones):
    _, _, result = run(epochs=3)
    assert result.metrics["val_loss"] < result.metrics["val_loss_uncalibrated"]
    checkpoint = torch.load(result.best, weights_only=True)
    assert checkpoint["hyper_parameters"]["labels"] == ["high", "low", "middle"]

    classifier = build_classifier(("high", "low", "middle"), seed=9)
    prefix = "classifier."
    weights = {name[len(prefix) :]: x for name, x in checkpoint["state_dict"].items() if name.startswith(prefix)}
    classifier.load_state_dict(weights)
    classifier.eval()
    store = ClipStore.open(tones, "val")
    waveforms = torch.stack([torch.from_numpy(store.waveform(row)) for row in range(len(store))])
    with torch.no_grad():
        logits = classifier.logits(classifier.frontend(waveforms))
        probabilities, _ = classifier(waveforms)
    temperature = fit_temperature(logits.numpy(), store.target)
    assert classifier.temperature.item() == pytest.approx(temperature, rel=1e-4)
    assert classifier.temperature.item() != 1.0
    torch.testing.assert_close(probabilities, torch.softmax(logits / classifier.temperature, 1))


def test_validation_measures_every_clip_once_whatever_the_batch(run):
    metrics = [run(f"by {size}", epochs=1, batch_size=10, limit_train_batches=1)[2].metrics for size in (1, 2)]
    assert metrics[0]["val_loss"] == metrics[1]["val_loss"]


def test_fewer_clips_than_a_batch_are_a_batch(run):
    assert run(epochs=1, batch_size=64)[2].epochs == 1


def test_mixed_precision_leaves_the_images_in_float32(run):
    seen = set()

    class Watch(pl.Callback):
        def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
            with torch.autocast("cpu", torch.bfloat16):
                seen.add(pl_module.augmented_image(batch).dtype)

    run(epochs=1, precision="bf16-mixed", more=(Watch(),))
    assert seen == {torch.float32}


def test_a_loss_that_is_no_number_stops_the_run_and_keeps_the_last_good_checkpoint(run, tmp_path):
    class Poison(pl.Callback):
        def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
            if trainer.current_epoch == 2:
                pl_module.classifier.head.weight.data[0, 0] = torch.nan

    with pytest.raises(TrainingError, match=r"diverged in epoch 3.*optimizer\.lr"):
        run(epochs=4, more=(Poison(),))
    last = torch.load(tmp_path / "run" / "checkpoints" / "last.ckpt", weights_only=True)
    assert last["epoch"] == 1
    assert all(value.isfinite().all() for value in last["state_dict"].values())


def test_answers_that_are_no_numbers_stop_the_run(run):
    class Poison(pl.Callback):
        def on_validation_start(self, trainer, pl_module):
            pl_module.classifier.head.bias.data[0] = torch.inf

    with pytest.raises(TrainingError, match="diverged in epoch 1"):
        run(epochs=1, more=(Poison(),), num_sanity_val_steps=0)


def test_an_impossible_learning_rate_is_one_clear_line(run):
    with pytest.raises(TrainingError, match=r"optimizer cannot be had: Invalid learning rate: -1"):
        run(lr=-1.0)


def test_no_store_says_what_to_do(tmp_path):
    with pytest.raises(StoreError, match="run `timbre prepare`"):
        build_data(tmp_path / "nothing").setup()


def test_an_empty_split_is_named(tmp_path):
    data = build_data(write_store(tmp_path / "data", sizes={"train": 4, "val": 0, "test": 0}))
    with pytest.raises(TrainingError, match=r"the val split .* is empty"):
        data.setup()


def test_one_genre_is_not_enough(tmp_path):
    data = build_data(write_store(tmp_path / "data", sizes={"train": 4, "val": 2, "test": 0}, pitches={"low": 220.0}))
    with pytest.raises(TrainingError, match=r"has 1 genre \(low\)"):
        data.setup()


def test_a_store_of_another_rate_is_refused(tones):
    data = build_data(tones)
    data.sample_rate = 2 * RATE
    with pytest.raises(TrainingError, match="8000 samples at 8000 Hz, the model hears 8000 at 16000 Hz"):
        data.setup()


def test_what_may_be_monitored_is_measured(run):
    _, trainer, _ = run(epochs=1)
    assert set(METRICS) <= trainer.callback_metrics.keys()


def test_a_checkpoint_of_something_else_is_refused(run, tmp_path):
    mine = {"classifier": {"_target_": "x"}, "labels": ["high", "low", "middle"], "contract": {"sample_rate": RATE}}
    path = run(epochs=1)[2].last
    assert read_checkpoint(path, mine)["labels"] == mine["labels"]
    with pytest.raises(TrainingError, match="differs in labels"):
        read_checkpoint(path, mine | {"labels": ["a", "b"]})
    with pytest.raises(TrainingError, match="there is no checkpoint"):
        read_checkpoint(tmp_path / "absent.ckpt", mine)
    (tmp_path / "text.ckpt").write_text("not a checkpoint")
    torch.save({"state_dict": {}}, tmp_path / "other.ckpt")
    torch.save([1, 2], tmp_path / "list.ckpt")
    (tmp_path / "cut.ckpt").write_bytes(path.read_bytes()[:5000])
    (tmp_path / "empty.ckpt").touch()
    for name in ("text", "other", "list", "cut", "empty"):
        with pytest.raises(TrainingError, match="is not a checkpoint of `timbre train`"):
            read_checkpoint(tmp_path / f"{name}.ckpt", mine)
