"""Every setting of the server: one class, each with its meaning, unit and default; read from TIMBRE_* variables."""

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from timbre.audio.limits import DECODE_MEMORY_BYTES
from timbre.contract import DEFAULT_MODEL
from timbre.errors import TimbreError

PREFIX = "TIMBRE_"


class SettingsError(TimbreError):
    """A TIMBRE_* variable or a flag holds a value that cannot be used; the text names it."""


class ServerSettings(BaseSettings):
    """How the server runs. With no setting at all it serves the production model on this machine alone."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, frozen=True, extra="ignore", hide_input_in_errors=True, allow_inf_nan=False
    )

    model: str = Field(DEFAULT_MODEL, description="ONNX file, or registry address models:/NAME@ALIAS")
    host: str = Field("127.0.0.1", description="address to listen on; 0.0.0.0 for every interface")
    port: int = Field(8000, ge=0, le=65535, description="TCP port to listen on; 0 takes a free one")
    workers: int = Field(1, ge=1, le=64, description="inference processes, each with its own ONNX session")
    worker_threads: int = Field(1, ge=1, le=256, description="threads of one ONNX session")
    max_batch: int = Field(4, ge=1, le=256, description="clips at most in one run of the model")
    batch_window_ms: float = Field(
        0.0, ge=0, le=1000, description="milliseconds a batch waits for company after its first clip"
    )
    decoders: int | None = Field(
        None, ge=1, le=256, description="audio decoding processes; if not given, as many as there are cores"
    )
    decode_timeout_seconds: float = Field(10.0, gt=0, description="seconds of wall time to decode one upload")
    decode_memory_mb: int = Field(
        DECODE_MEMORY_BYTES // 2**20, ge=32, description="MiB one decoding process may take for one upload"
    )
    slots: int = Field(12, ge=1, le=4096, description="clips decoded ahead of the model; each holds one clip in memory")
    max_in_flight: int = Field(64, ge=1, description="requests in work at once; beyond it the answer is 503")
    max_body_mb: float = Field(50.0, gt=0, le=2**20, description="MiB of one request body; beyond it the answer is 413")
    upload_timeout_seconds: float = Field(60.0, gt=0, description="seconds to receive one upload; beyond it 408")
    deadline_seconds: float = Field(30.0, gt=0, description="seconds from upload to answer; beyond it 504")
    tries: int = Field(3, ge=1, le=10, description="times a clip is given to the model if workers die or hang")
    stall_seconds: float = Field(
        5.0, gt=0.5, description="seconds of silence before a worker counts as hung; at least 10 full batches"
    )
    grace_seconds: float = Field(20.0, ge=0, description="seconds that requests in work may take after SIGTERM")
    spool_dir: Path = Field(
        default_factory=lambda: Path(tempfile.gettempdir()),
        description="folder for uploads in work; if not given, the system's temporary folder",
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="what is logged on stderr; debug adds one line per request"
    )

    @property
    def max_body_bytes(self) -> int:
        """The body limit in bytes."""
        return int(self.max_body_mb * 2**20)


def read_settings(**flags: Any) -> ServerSettings:
    """Settings from the environment, overridden by flags that are not None.

    Raises:
        SettingsError: naming the variable or flag and what is wrong with it.
    """
    given = {name: value for name, value in flags.items() if value is not None}
    try:
        return ServerSettings(**given)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        field = str(first["loc"][0])
        source = f"--{field.replace('_', '-')}" if field in given else f"{PREFIX}{field.upper()}"
        raise SettingsError(f"{source}: {first['msg']}") from error


def describe_settings() -> Iterator[tuple[str, str]]:
    """Name and description, with the default, of every variable, in the order of the class."""
    for name, field in ServerSettings.model_fields.items():
        default = "" if field.default_factory or field.default is None else f" [{field.default}]"
        yield f"{PREFIX}{name.upper()}", f"{field.description}{default}"
