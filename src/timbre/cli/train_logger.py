"""The logger of a training run: made ready, told what the run is, and left with a true status."""

import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

from hydra.utils import instantiate
from lightning_utilities.core.rank_zero import rank_zero_only
from omegaconf import DictConfig
from pytorch_lightning.loggers import Logger, MLFlowLogger, WandbLogger

from timbre.cli.console import say
from timbre.registry import Registry, TrackingError, tracking_errors

RUN_NAME_KEYS = ("run_name", "name", "version")
"""What the loggers call the name of a run; a configuration leaves its own one null."""


def build_logger(cfg: DictConfig, *, run: str, goes_on: str | None) -> Logger | None:
    """The configured logger, or None with `logger=null`.

    Args:
        cfg: of the command.
        run: name of the run.
        goes_on: MLflow run that is taken up again, if it is still there.

    Raises:
        TimbreError: if MLflow's database or server cannot be used.
    """
    if cfg.get("logger") is None:
        return None
    unnamed = {key: run for key in RUN_NAME_KEYS if key in cfg.logger and cfg.logger[key] is None}
    if not cfg.logger._target_.endswith(f".{MLFlowLogger.__name__}"):
        other: Logger = instantiate(cfg.logger, **unnamed)
        return other
    registry: Registry = instantiate(cfg.registry)
    rank_zero_only(registry.prepare_tracking)()
    run_id = goes_on if registry.tracking.has_run(goes_on) else None
    logger: MLFlowLogger = instantiate(cfg.logger, **unnamed, run_id=run_id)
    return logger


def describe_run(
    cfg: DictConfig, logger: Logger | None, *, parameters: Mapping[str, Any], files: list[Path], goes_on: str | None
) -> None:
    """Log the configuration as parameters and file what says how the run came to be.

    A run that goes on keeps its parameters, which MLflow would not let anybody change.
    """
    if logger is None:
        return
    if not isinstance(logger, MLFlowLogger):
        logger.log_hyperparams(dict(parameters))
        return
    run_id = logger.run_id
    assert run_id is not None
    if run_id == goes_on:
        logger.experiment.update_run(run_id, status="RUNNING")
    else:
        logger.log_hyperparams(dict(parameters))
    with tempfile.TemporaryDirectory() as folder:
        for file in files:
            shutil.copy(file, folder)
        registry: Registry = instantiate(cfg.registry)
        registry.log_run_files(run_id, Path(folder))


@contextmanager
def true_status(cfg: DictConfig, logger: Logger | None) -> Iterator[None]:
    """Leave the run finished, failed or killed, as the block ends.

    Raises:
        TrackingError: if MLflow fails in the block. That it cannot be told the end is only said: what ended it counts.
    """
    if isinstance(logger, MLFlowLogger):
        block = _mlflow_status(logger, cfg.registry.tracking_uri)
    else:
        block = _other_status(logger)
    with block:
        yield


@contextmanager
def _mlflow_status(logger: MLFlowLogger, uri: str) -> Iterator[None]:
    ending = _Ending(logger, uri)
    try:
        # Lightning finalizes too, while it handles an error, which must not be hidden by another.
        with mock.patch.object(logger, "finalize", ending.finalize), tracking_errors(uri):
            yield
    except KeyboardInterrupt:
        ending.kill()
        raise
    except BaseException:
        ending.finalize("failed")
        raise


class _Ending:
    """Tells MLflow how the run ended; if it will not hear, says so once and does not ask again."""

    def __init__(self, logger: MLFlowLogger, uri: str) -> None:
        self._logger = logger
        self._finalize = logger.finalize
        self._uri = uri
        self._deaf = False

    def finalize(self, status: str = "success") -> None:
        with self._once():
            if not self._deaf:
                self._finalize(status)

    def kill(self) -> None:
        with self._once():
            if not self._deaf and self._logger.run_id:
                self._logger.experiment.set_terminated(self._logger.run_id, "KILLED")

    @contextmanager
    def _once(self) -> Iterator[None]:
        try:
            with tracking_errors(self._uri):
                yield
        except TrackingError as error:
            self._deaf = True
            say(f"MLflow was not told how this run ended: {error}")


@contextmanager
def _other_status(logger: Logger | None) -> Iterator[None]:
    exit_code = 1
    try:
        yield
        exit_code = 0
    except KeyboardInterrupt:
        raise
    except BaseException:
        if logger is not None:
            logger.finalize("failed")
        raise
    finally:
        if isinstance(logger, WandbLogger):
            logger.experiment.finish(exit_code)  # or the next job of a sweep would log into this run
