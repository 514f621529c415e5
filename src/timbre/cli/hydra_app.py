"""Hydra at the edge: composes a verb's configuration, runs its job once or as a sweep, and keeps our exit codes."""

import math
import os
import sys
from collections.abc import Callable
from pathlib import Path
from unittest import mock

import hydra
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException, InstantiationException
from omegaconf import DictConfig, ListConfig, OmegaConf
from omegaconf.errors import MissingMandatoryValue, OmegaConfBaseException

from timbre.errors import TimbreError

Job = Callable[[DictConfig], int]

OF_SEVERAL_KINDS = ("trainer.devices", "trainer.deterministic")
"""Keys that take words as well as the numbers and truth values that stand in `conf/`."""


class ConfigurationError(TimbreError):
    """The configuration does not compose: an unknown key, a wrong value or a missing group."""


def conf_dir() -> Path:
    """The folder of configurations: the working folder's `conf`, else the repository's, else the installed copy.

    Raises:
        ConfigurationError: if there is none.
    """
    package = Path(__file__).parents[1]
    for folder in (Path.cwd() / "conf", package.parents[1] / "conf", package / "conf"):
        if (folder / "registry" / "default.yaml").is_file():  # ours, not another Hydra project's
            return folder
    raise ConfigurationError("no folder of configurations: run timbre in a folder with conf/")


def compose(config_name: str, overrides: list[str]) -> DictConfig:
    """Compose a configuration without running a job, for plain verbs and tests.

    Raises:
        ConfigurationError: if it does not compose.
    """
    GlobalHydra.instance().clear()
    try:
        with hydra.initialize_config_dir(config_dir=str(conf_dir()), version_base="1.3"):
            return hydra.compose(config_name=config_name, overrides=overrides)
    except (HydraException, OmegaConfBaseException) as error:
        raise ConfigurationError(_one_line(error)) from error


def run(verb: str, overrides: tuple[str, ...], job: Job) -> int:
    """Run `timbre VERB OVERRIDES`: one job, or one after the other under `-m`.

    Returns:
        The largest exit code of the jobs.

    Raises:
        ConfigurationError: if the configuration does not compose.
        TimbreError: what a job raised; a sweep stops there, as Hydra's basic sweeper does.
    """
    codes = [0]

    def task(cfg: DictConfig) -> None:
        try:
            check_kinds(cfg, verb)
            codes.append(job(cfg))
        except Exception as error:  # whatever it is: it goes past Hydra's own reporting, to be told apart outside
            raise _JobFailedError from error

    main = hydra.main(version_base="1.3", config_path=str(conf_dir()), config_name=verb)(task)
    # Hydra reads sys.argv and, without HYDRA_FULL_ERROR, prints errors itself and exits with 1.
    argv, environment = [f"timbre {verb}", *overrides], {"HYDRA_FULL_ERROR": "1"}
    with mock.patch.object(sys, "argv", argv), mock.patch.dict(os.environ, environment):
        try:
            main()
        except _JobFailedError as failure:
            raise _user_error(failure.__cause__) from failure.__cause__
        except OSError as error:
            if not isinstance(error, HydraException):
                raise
            raise ConfigurationError(_one_line(error)) from error
        except Exception as error:  # the job's own are past this: Hydra could not compose
            raise ConfigurationError(_one_line(error)) from error
    return max(codes)


def check_kinds(cfg: DictConfig, verb: str) -> None:
    """Compare what was given on the line with what stands in `conf/`: a number stays a number.

    Raises:
        ConfigurationError: naming the first key whose value is of another kind.
    """
    hydra_cfg = HydraConfig.get()
    words = [word.lstrip("+~").partition("=") for word in hydra_cfg.overrides.task]
    groups = [f"{key}={choice}" for key, _, choice in words if key in hydra_cfg.runtime.choices]
    keys = [key for key, _, _ in words if key not in hydra_cfg.runtime.choices and key not in OF_SEVERAL_KINDS]
    if not keys:
        return
    usual = hydra.compose(config_name=verb, overrides=groups)
    for key in keys:
        default, value = (OmegaConf.select(one, key, throw_on_missing=False) for one in (usual, cfg))
        kinds, name = next((kind for kind in _KINDS if isinstance(default, kind[0])), (object, ""))
        fits = isinstance(value, kinds) and isinstance(value, bool) == isinstance(default, bool)  # True is an int too
        if name and value is not None and (not fits or (isinstance(value, float) and not math.isfinite(value))):
            raise ConfigurationError(f"{key}={value} cannot be: it is {name}, such as {default}")


_KINDS: tuple[tuple[type | tuple[type, ...], str], ...] = (
    (bool, "true or false"),
    (int, "a whole number"),
    ((float, int), "a number"),
    (ListConfig, "a list"),
)


class _JobFailedError(BaseException):
    """Carries a job's error through Hydra, which catches every `Exception` and prints it in its own words."""


def _user_error(error: BaseException | None) -> BaseException:
    """The mistake behind an error: Hydra wraps what a configured class raises in its constructor."""
    assert error is not None
    if isinstance(error, InstantiationException) and isinstance(error.__cause__, TimbreError):
        return error.__cause__
    if isinstance(error, HydraException | OmegaConfBaseException):
        return ConfigurationError(_one_line(error))
    return error


def _one_line(error: Exception) -> str:
    """Hydra's message without its layout."""
    if isinstance(error, MissingMandatoryValue):
        return f"{error.full_key} has no default: give it as {error.full_key}=VALUE"
    text = str(error).partition("Config search path:")[0]  # folders of this machine
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return " ".join(lines) or type(error).__name__
