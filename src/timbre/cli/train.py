"""`timbre train`: builds a run from its configuration, trains, and says where the results are."""

import os
import re
import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from unittest import mock

import pytorch_lightning as pl
import torch
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from hydra.utils import instantiate
from lightning_fabric.utilities.exceptions import MisconfigurationException
from omegaconf import DictConfig, OmegaConf
from pytorch_lightning.callbacks import Callback, RichProgressBar
from pytorch_lightning.loggers import Logger, MLFlowLogger

import timbre.cli.main
from timbre.cli.console import say
from timbre.cli.train_logger import build_logger, describe_run, true_status
from timbre.data import manifest_sha256
from timbre.training import (
    FitResult,
    GenreDataModule,
    GenreModule,
    TrainingError,
    TrainingInterruptedError,
    fit,
    read_checkpoint,
)
from timbre.training.callbacks import History
from timbre.training.lineage import Lineage, environment, git_state
from timbre.training.quiet import quiet_lightning
from timbre.training.run_folder import RunFolder, checkpoint_at, sha256

PASSWORD_IN_URL = re.compile(r"(?<=://)[^/@\s]+(?=@)")


def job(cfg: DictConfig) -> int:
    """Train once.

    Raises:
        TimbreError: if the data, the configuration or a checkpoint does not allow it, or training diverged.
        KeyboardInterrupt: on Ctrl-C and SIGTERM, after saying how to go on.
    """
    quiet_lightning()
    folder = RunFolder(Path(HydraConfig.get().runtime.output_dir))
    config_yaml = shareable_yaml(cfg)
    cfg.run_dir = _relative(folder.path)

    datamodule: GenreDataModule = instantiate(cfg.datamodule)
    datamodule.setup()
    hyper_parameters = {
        "classifier": OmegaConf.to_container(cfg.classifier, resolve=True),
        "labels": list(datamodule.labels),
        "contract": OmegaConf.to_container(cfg.contract, resolve=True),
    }
    checkpoint = _checkpoint(cfg.resume, folder)
    before = read_checkpoint(checkpoint, hyper_parameters)["lineage"] if checkpoint else {}
    goes_on = before.get("mlflow_run_id") if checkpoint == folder.last else None

    started = datetime.now(UTC)
    name = f"{started:%Y%m%d-%H%M%S-%f}"
    logger = build_logger(cfg, run=name, goes_on=goes_on)
    with true_status(cfg, logger):
        trainer = _trainer(cfg, logger)
        sha, dirty = git_state()
        lineage = Lineage(
            run=name,
            created_at=started.isoformat(timespec="seconds"),
            git_sha=sha,
            git_dirty=dirty,
            data_manifest_sha256=manifest_sha256(datamodule.data_dir),
            config_sha256=sha256(config_yaml),
            seed=cfg.seed,
            mlflow_run_id=logger.run_id if isinstance(logger, MLFlowLogger) else None,
            resumed_from=before.get("run"),
            environment=environment(trainer.strategy.root_device),
        )
        if trainer.is_global_zero:
            files = folder.write(config_yaml=config_yaml, lineage=lineage)
            parameters = {"config": OmegaConf.to_container(OmegaConf.create(config_yaml)), "lineage": lineage.to_dict()}
            describe_run(cfg, logger, parameters=parameters, files=files, goes_on=goes_on)
            _announce(cfg, datamodule, trainer, checkpoint)
        torch.manual_seed(cfg.seed)
        module: GenreModule = instantiate(cfg.module, _partial_=True, _convert_="all")(
            classifier=instantiate(cfg.classifier, labels=list(datamodule.labels), _convert_="all"),
            hyper_parameters=hyper_parameters | {"lineage": lineage.to_dict()},
        )
        try:
            with _command_of_other_ranks():
                result = fit(trainer, module, datamodule, checkpoint=checkpoint)
        except TrainingInterruptedError as interruption:
            if trainer.is_global_zero:
                say(_how_to_go_on(interruption, cfg.run_dir))
            raise
    if trainer.is_global_zero:
        _summarise(cfg, result, folder)
    return 0


def shareable_yaml(cfg: DictConfig) -> str:
    """The resolved configuration without the run's place and without passwords in addresses: equal runs, equal text."""
    plain: Any = OmegaConf.to_container(OmegaConf.merge(cfg, {"run_dir": "."}), resolve=True)
    del plain["run_dir"]
    return PASSWORD_IN_URL.sub("***", OmegaConf.to_yaml(plain))


def _relative(path: Path) -> str:
    """A path below the working folder as seen from there, so that no file of the run names the machine's folders."""
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)


def _checkpoint(resume: bool | str | None, folder: RunFolder) -> Path | None:
    """What `resume` means; with `true`, a run that has no checkpoint yet starts from the beginning."""
    if resume is None or resume is False:
        return None
    if resume is True:
        return folder.last if folder.last.is_file() else None
    return checkpoint_at(Path(resume))


def _trainer(cfg: DictConfig, logger: Logger | None) -> pl.Trainer:
    """The trainer with its callbacks; a bar on terminals only.

    Raises:
        TrainingError: if there is no such trainer on this machine.
    """
    callbacks: list[Callback] = [instantiate(node) for node in cfg.callbacks.values() if node is not None]
    for callback in callbacks:
        if isinstance(callback, History):
            callback.tell = say
    bar = sys.stderr.isatty()
    if bar:
        callbacks.append(_Bar(console_kwargs={"stderr": True}))
    make = instantiate(cfg.trainer, _partial_=True, _convert_="all")
    try:
        trainer: pl.Trainer = make(callbacks=callbacks, logger=logger or False, enable_progress_bar=bar)
    except (MisconfigurationException, TypeError, ValueError) as error:
        raise TrainingError(f"this trainer cannot be had: {error}") from error
    return trainer


class _Bar(RichProgressBar):
    """Lightning's bar without the number of the logger's version."""

    def get_metrics(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> dict[str, Any]:
        """Nothing beside the bar: each epoch has its line."""
        return {}


def _announce(cfg: DictConfig, datamodule: GenreDataModule, trainer: pl.Trainer, checkpoint: Path | None) -> None:
    sizes = ", ".join(f"{len(store)} {split}" for split, store in datamodule.stores.items())
    where = trainer.strategy.root_device.type
    say(f"training on {sizes} clips of {len(datamodule.labels)} genres, on {where}; run: {cfg.run_dir}")
    if checkpoint:
        say(f"going on from {_relative(checkpoint.resolve())}")
    if where == "cpu" and torch.cuda.is_available():
        say("a GPU stands idle: trainer=gpu trains on it")


def _how_to_go_on(interruption: TrainingInterruptedError, run_dir: str) -> str:
    words = [word for word in HydraConfig.get().overrides.task if not word.startswith(("resume=", "+resume="))]
    command = shlex.join(["timbre", "train", *words, *([f"resume={run_dir}"] if interruption.last else [])])
    if not interruption.last:
        return f"no epoch was finished, so nothing is kept; start again with: {command}"
    return f"{interruption.epochs} finished epochs are kept in {run_dir}; go on with: {command}"


@contextmanager
def _command_of_other_ranks() -> Iterator[None]:
    """Under DDP Lightning starts the other processes with this process's words, which Hydra's edge has replaced."""
    words = [timbre.cli.main.__file__, "train", *HydraConfig.get().overrides.task]
    with mock.patch.object(sys, "argv", words):
        yield


def _summarise(cfg: DictConfig, result: FitResult, folder: RunFolder) -> None:
    best = result.metrics
    numbers = "  ".join(
        f"{name} {best[name]:.4f}" for name in ("val_loss", "val_accuracy", "val_macro_f1") if name in best
    )
    say(f"best epoch {best['epoch']:.0f} of {result.epochs}: {numbers}")
    say(f"checkpoint: {os.path.relpath(result.best)}")
    if cfg.latest and HydraConfig.get().mode == RunMode.RUN and folder.link_from(Path(cfg.latest)):
        say(f"{cfg.latest} points to this run; next: timbre export")
