"""`timbre train` from overrides to files, links, lines and exit codes."""

import hashlib
import json
import os
import re
import signal
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch
import yaml

from timbre.cli import hydra_app, train
from timbre.errors import TimbreError
from timbre.training import GenreModule

SMALL = (
    "data=folder",
    "contract.sample_rate=8000",
    "contract.clip_seconds=1.0",
    "features.n_fft=256",
    "features.hop_length=128",
    "features.n_mels=16",
    "features.n_mfcc=8",
    "features.image_size=16",
    "model.filters=[4,8]",
    "model.conv_dropouts=[0.1,0.1]",
    "model.hidden_units=[16]",
    "datamodule.batch_size=4",
    "trainer.max_epochs=2",
)


@pytest.fixture
def command(tones: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """`timbre train` on the tones, in an empty working folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)

    def call(*overrides: str, sweep: bool = False) -> int:
        return hydra_app.run("train", ("-m",) * sweep + (*SMALL, f"data.dir={tones}", *overrides), train.job)

    return call


@contextmanager
def stopping_in_epoch_two(error: BaseException):
    """Makes training end in its second epoch with the given error."""
    start = GenreModule.on_train_batch_start

    def broken(self, batch, batch_idx):
        if self.current_epoch == 1:
            raise error
        start(self, batch, batch_idx)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(GenreModule, "on_train_batch_start", broken)
        with pytest.raises(type(error)):
            yield


def test_a_run_leaves_what_it_promises(command, tmp_path, capsys):
    assert command("logger=csv") == 0
    latest = Path("outputs/train/latest")
    assert latest.is_symlink()
    assert not Path(latest.readlink()).is_absolute()
    names = {str(path.relative_to(latest)) for path in latest.rglob("*")}
    assert {"config.yaml", "lineage.json", "checkpoints/best.ckpt", "checkpoints/last.ckpt"} <= names

    text = (latest / "config.yaml").read_text()
    assert "${" not in text
    assert str(tmp_path) not in text.replace(yaml.safe_load(text)["data"]["dir"], "")
    lineage = json.loads((latest / "lineage.json").read_text())
    assert lineage["config_sha256"] == hashlib.sha256(text.encode()).hexdigest()
    assert lineage["seed"] == 17
    assert lineage["mlflow_run_id"] is None

    hyper_parameters = torch.load(latest / "checkpoints" / "best.ckpt", weights_only=True)["hyper_parameters"]
    assert hyper_parameters["lineage"] == lineage
    assert hyper_parameters["classifier"]["backbone"]["filters"] == [4, 8]
    assert hyper_parameters["contract"] == {"sample_rate": 8000, "clip_seconds": 1.0}

    screen = capsys.readouterr()
    assert screen.out == ""
    lines = screen.err.splitlines()
    assert [line.split("  ")[0] for line in lines[1:3]] == ["epoch 1/2", "epoch 2/2"]
    assert lines[0].startswith("training on 10 train, 5 val clips of 3 genres, on cpu; run: outputs/train/")
    assert lines[3].startswith("best epoch")
    assert len(lines) == 6


@pytest.mark.slow
def test_equal_configurations_have_equal_sums_and_weights(command):
    for name in ("one", "two"):
        command("logger=csv", f"hydra.run.dir=runs/{name}")
    one, two = (Path("runs") / name for name in ("one", "two"))
    assert (one / "config.yaml").read_bytes() == (two / "config.yaml").read_bytes()
    weights = [torch.load(run / "checkpoints/last.ckpt", weights_only=True)["state_dict"] for run in (one, two)]
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])
    assert not Path("outputs/train/latest").exists()


def test_a_sweep_runs_every_job_and_leaves_the_link_alone(command):
    assert command("logger=csv", "seed=1,2", "hydra.sweep.dir=sweep", "trainer.max_epochs=1", sweep=True) == 0
    seeds = [json.loads((Path("sweep") / job / "lineage.json").read_text())["seed"] for job in ("0", "1")]
    assert seeds == [1, 2]
    assert not Path("outputs/train/latest").exists()


def test_ctrl_c_keeps_the_last_checkpoint_and_says_how_to_go_on(command, capsys):
    with stopping_in_epoch_two(KeyboardInterrupt()):
        command("logger=csv", "hydra.run.dir=runs/one", "optimizer.lr=0.002")
    line = capsys.readouterr().err.splitlines()[-1]
    assert line.startswith("1 finished epochs are kept in runs/one; go on with: timbre train data=folder")
    assert line.endswith("optimizer.lr=0.002 resume=runs/one")
    assert torch.load("runs/one/checkpoints/last.ckpt", weights_only=True)["epoch"] == 0
    assert not Path("outputs/train/latest").exists()
    assert command("logger=csv", "hydra.run.dir=runs/two", "optimizer.lr=0.002", "resume=runs/one") == 0
    assert "going on from runs/one/checkpoints/last.ckpt" in capsys.readouterr().err
    assert torch.load("runs/two/checkpoints/last.ckpt", weights_only=True)["epoch"] == 1


@pytest.mark.slow
def test_a_run_goes_on_from_a_folder_or_in_its_own(command, capsys):
    command("logger=csv", "hydra.run.dir=runs/half", "resume=true")  # nothing there yet: from the beginning
    command("logger=csv", "hydra.run.dir=runs/new", "resume=runs/half", "trainer.max_epochs=3")
    command("logger=csv", "hydra.run.dir=runs/half", "resume=true", "trainer.max_epochs=3")
    assert "going on from runs/half/checkpoints/last.ckpt" in capsys.readouterr().err
    new, half = (torch.load(f"runs/{name}/checkpoints/last.ckpt", weights_only=True) for name in ("new", "half"))
    assert new["epoch"] == half["epoch"] == 2
    assert all(torch.equal(new["state_dict"][name], x) for name, x in half["state_dict"].items())
    lineages = [run["hyper_parameters"]["lineage"] for run in (new, half)]
    assert len({lineage["resumed_from"] for lineage in lineages} - {None}) == 1
    assert len(list(Path("runs/half/csv").glob("*/metrics.csv"))) == 2


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("trainer.accelerator=magic",), "magic"),
        (("resume=absent.ckpt",), "there is no checkpoint absent.ckpt"),
        (("optimizer.lr=-1",), "Invalid learning rate"),
        (("datamodule.batch_size=0",), "batch_size=0"),
        (("optimizer.lr=abc",), "optimizer.lr=abc cannot be: it is a number"),
        (("seed=-1",), "seed=-1 is no seed"),
        (("seed=abc",), "seed=abc cannot be: it is a whole number"),
        (("module.label_smoothing=2",), "label_smoothing=2 is no share"),
        (("module.label_smoothing=much",), "label_smoothing=much cannot be: it is a number"),
        (("augment.row_masks=-1",), "augment.row_masks=-1 is no number of masks"),
        (("augment.column_masks=some",), "augment.column_masks=some cannot be: it is a whole number"),
        (("augment.row_mask_share=1.5",), "augment.row_mask_share=1.5 is no share"),
        (("augment.gain_db=[6,-12]",), "augment.gain_db=.* is no range"),
        (("augment.snr_db=loud",), "augment.snr_db=loud cannot be: it is a list"),
        (("callbacks.checkpoint.monitor=typo",), "watches 'typo', which is not measured: callbacks.checkpoint.monitor"),
        (("callbacks.early_stopping.monitor=typo",), "EarlyStopping watches 'typo'"),
    ],
)
def test_a_mistake_is_one_clear_line(command, words, message, capsys):
    with pytest.raises(TimbreError, match=message) as mistake:
        command("logger=csv", *words)
    assert mistake.value.exit_code == 2
    assert "\nepoch" not in capsys.readouterr().err  # nobody waits for an epoch to hear of it


def test_passwords_in_addresses_stay_out_of_the_files(monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "https://me:secret@tracking.example.org/x")
    text = train.shareable_yaml(hydra_app.compose("train", [*SMALL, "data.dir=x"]))
    assert "secret" not in text
    assert "https://***@tracking.example.org/x" in text


@pytest.mark.slow
def test_wandb_works_offline(command, monkeypatch):
    monkeypatch.setenv("WANDB_SILENT", "true")
    assert command("logger=wandb", "trainer.max_epochs=1", "hydra.run.dir=run") == 0
    assert list(Path("run/wandb").glob("offline-run-*"))


def mlflow_runs():
    from mlflow import MlflowClient

    client = MlflowClient("sqlite:///outputs/mlflow.db")

    def run_of(name: str):
        lineage = json.loads((Path("runs") / name / "lineage.json").read_text())
        return client.get_run(lineage["mlflow_run_id"])

    return client, run_of


def test_mlflow_holds_the_run_its_files_and_its_true_end(command, capsys):
    assert command("hydra.run.dir=runs/good", "trainer.max_epochs=1") == 0
    client, run_of = mlflow_runs()

    good = run_of("good")
    assert good.info.status == "FINISHED"
    assert {file.path for file in client.list_artifacts(good.info.run_id)} == {"config.yaml", "lineage.json"}
    assert good.data.params["config/optimizer/lr"] == "0.001"
    assert len(good.data.params["lineage/data_manifest_sha256"]) == 64
    assert {"val_loss", "val_macro_f1", "train_loss", "data_wait_share", "features_share"} <= good.data.metrics.keys()

    for error, name, status in (
        (RuntimeError("broken"), "failed", "FAILED"),
        (KeyboardInterrupt(), "killed", "KILLED"),
    ):
        with stopping_in_epoch_two(error):
            command(f"hydra.run.dir=runs/{name}")
        assert run_of(name).info.status == status
    assert "Experiment with name" not in capsys.readouterr().err


@pytest.mark.slow
def test_a_run_that_goes_on_in_its_folder_is_the_same_run_to_mlflow(command):
    with stopping_in_epoch_two(KeyboardInterrupt()):
        command("hydra.run.dir=runs/one")
    _, run_of = mlflow_runs()
    stopped = run_of("one")
    assert command("hydra.run.dir=runs/one", "resume=true", "trainer.max_epochs=3") == 0
    finished = run_of("one")
    assert finished.info.run_id == stopped.info.run_id
    assert (stopped.info.status, finished.info.status) == ("KILLED", "FINISHED")


@pytest.mark.slow
@pytest.mark.parametrize("signal_number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_training_with_code_130_and_a_checkpoint(tones, tmp_path, signal_number):
    words = [*SMALL, f"data.dir={tones}", "logger=csv", "hydra.run.dir=run", "trainer.max_epochs=100000"]
    words.append("callbacks.early_stopping=null")
    command = [sys.executable, "-m", "timbre.cli.main", "train", *words]
    with subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True) as process:
        for line in process.stderr:
            if line.startswith("epoch 3/"):
                process.send_signal(signal_number)
                break
        rest = process.stderr.read()
    assert process.returncode == 130, rest
    kept = re.search(r"^(\d+) finished epochs are kept in run; go on with: timbre train", rest, re.MULTILINE)
    assert "Traceback" not in rest
    assert torch.load(tmp_path / "run/checkpoints/last.ckpt", weights_only=True)["epoch"] == int(kept[1]) - 1 > 0


@pytest.mark.slow
def test_two_processes_train_one_model(tones, tmp_path):
    words = [*SMALL, f"data.dir={tones}", "logger=csv", "hydra.run.dir=run", "trainer.max_epochs=2"]
    words += ["trainer.strategy=ddp", "trainer.devices=2"]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-m", "timbre.cli.main", "train", *words],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert [line for line in done.stderr.splitlines() if line.startswith("epoch 2/2")], done.stderr
    assert done.stderr.count("best epoch") == 1
    metrics = next((tmp_path / "run" / "csv").glob("*/metrics.csv"))
    assert (tmp_path / "run" / "checkpoints" / "best.ckpt").is_file()
    assert "val_loss" in metrics.read_text()
