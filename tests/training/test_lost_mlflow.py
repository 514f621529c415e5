"""MLflow that goes away while a model is trained."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.training.test_train_command import command  # noqa: F401 - a fixture
from timbre.registry import TrackingError
from timbre.training import GenreModule, TrainingError


@pytest.mark.slow
@pytest.mark.parametrize("first", [None, TrainingError("it diverged")])
def test_a_loss_in_the_middle_is_one_line_and_hides_no_other_error(
    command,  # noqa: F811 - the fixture imported above
    tmp_path,
    capsys,
    monkeypatch,
    first,
):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/mlflow.db")
    start = GenreModule.on_train_batch_start

    def losing(self, batch, batch_idx):
        if self.current_epoch == 1 and batch_idx == 0:
            with closing(sqlite3.connect("mlflow.db")) as database:
                database.execute("ALTER TABLE runs RENAME TO lost")
            if first:
                raise first
        start(self, batch, batch_idx)

    monkeypatch.setattr(GenreModule, "on_train_batch_start", losing)
    with pytest.raises(TrainingError if first else TrackingError) as caught:
        command("hydra.run.dir=run")
    said = capsys.readouterr().err
    assert said.count("MLflow was not told how this run ended: MLflow at sqlite") == 1
    assert "\n" not in str(caught.value)
    assert caught.value is first if first else str(caught.value).startswith("MLflow at sqlite")
    assert Path("run/checkpoints/last.ckpt").is_file()
