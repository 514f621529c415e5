"""Makes MLflow a quiet guest: no telemetry, no progress bars, no minutes of retries, and its errors in one line."""

import logging
import os
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from timbre.errors import TimbreError

if TYPE_CHECKING:
    from mlflow import MlflowClient

ENVIRONMENT = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "MLFLOW_LOGGING_LEVEL": "CRITICAL",  # its errors reach us, and are said once
    # Seconds per request and tries after the first; MLflow's own 120 and 7 keep a user waiting for minutes.
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "30",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
    "MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR": "1",
    "GIT_PYTHON_REFRESH": "quiet",
}
"""What MLflow reads when it is imported; a value the user has set stays."""


class TrackingError(TimbreError):
    """The tracking server or database cannot be used; the text says which and why."""


def quieten() -> None:
    """Set MLflow's environment and loggers. Call it before anything imports mlflow."""
    for key, value in ENVIRONMENT.items():
        os.environ.setdefault(key, value)
    for name in ("mlflow", "alembic"):
        logging.getLogger(name).setLevel(logging.CRITICAL)


def open_client(uri: str) -> "MlflowClient":
    """A client of the tracking server and model registry at one address, and of nothing global."""
    quieten()
    from mlflow import MlflowClient

    with one_line_errors(uri):
        return MlflowClient(tracking_uri=uri, registry_uri=uri)


@contextmanager
def one_line_errors(uri: str) -> Iterator[None]:
    """Turn what MLflow, its database or its transport raises in the block into a `TrackingError` of one line.

    MLflow's warnings to its own authors, and its FutureWarnings about stages, which we use knowingly, stay off the
    user's screen.
    """
    with warnings.catch_warnings(), tracking_errors(uri):
        warnings.filterwarnings("ignore", module="mlflow")
        warnings.filterwarnings("ignore", category=FutureWarning, module=__name__.split(".")[0])
        yield


@contextmanager
def tracking_errors(uri: str) -> Iterator[None]:
    """The same for a block whose warnings are not all MLflow's, such as a training."""
    from mlflow.exceptions import MlflowException
    from requests.exceptions import RequestException
    from sqlalchemy.exc import SQLAlchemyError

    try:
        yield
    except (MlflowException, RequestException, SQLAlchemyError, ModuleNotFoundError) as error:  # the last: a driver
        raise TrackingError(f"MLflow at {shown(uri)}: {_one_line(str(error))}") from error


def is_missing(error: Exception) -> bool:
    """Whether an MLflow error says that the thing asked for is not there."""
    return getattr(error, "error_code", "") == "RESOURCE_DOES_NOT_EXIST"


def already_exists(error: Exception) -> bool:
    """Whether an MLflow error says that the thing to create is there."""
    return getattr(error, "error_code", "") == "RESOURCE_ALREADY_EXISTS"


def shown(text: str) -> str:
    """Text without the passwords that addresses in it may hold."""
    return re.sub(r"//[^/@\s]*@", "//***@", text)


def _one_line(text: str) -> str:
    line = shown(" ".join(text.split()))
    return line if len(line) <= 240 else line[:240] + "..."
