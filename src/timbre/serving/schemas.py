"""What the API answers, as it is documented at /docs."""

from datetime import datetime
from typing import Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field


class _Answer(BaseModel):
    model_config = ConfigDict(frozen=True)


class ModelFacts(_Answer):
    """Which model answered."""

    name: str = Field(description="registered name of the model", examples=["timbre"])
    version: str = Field(description="the training run the model comes from")
    sha256: str = Field(description="sha256 of the model file")


class AudioFacts(_Answer):
    """What was decoded from the upload."""

    duration_ms: int = Field(
        description="length of the audio that was heard, in milliseconds; what follows is not decoded"
    )
    format: Literal["wav", "mp3", "flac", "ogg"] = Field(
        description="format found in the bytes, whatever the name says"
    )
    checksum: str = Field(description="sha256 of the uploaded bytes")


class PredictionAnswer(_Answer):
    """A genre with its confidence, and where it came from."""

    id: UUID
    status: Literal["completed"]
    genre: str = Field(description="the most probable genre", examples=["jazz"])
    confidence: float = Field(description="calibrated probability of that genre", ge=0, le=1)
    all_probabilities: dict[str, float] = Field(description="probability of every genre; they add up to 1")
    processing_time_ms: int = Field(description="milliseconds from the end of the upload to the answer")
    model: ModelFacts
    audio: AudioFacts
    cached: bool = Field(description="whether the answer was given before for the same bytes and model")
    created_at: datetime


class GenresAnswer(_Answer):
    """What the model can answer."""

    genres: list[str] = Field(description="genres, in the order of the model's probabilities")
    model: ModelFacts


class HealthAnswer(_Answer):
    """Liveness: that the server answers at all. Whether it can predict is what /ready says."""

    status: Literal["ok", "not_ready", "draining"]
    version: str = Field(description="version of timbre")
    model: ModelFacts
    uptime: float = Field(description="seconds since the server came up")


class ReadyAnswer(_Answer):
    """Readiness: that a request sent now can be answered."""

    status: Literal["ready"]


class ProblemDocument(_Answer):
    """An error, after RFC 9457."""

    type: str = Field(examples=["about:blank"])
    title: str = Field(description="phrase of the HTTP status", examples=["Bad Request"])
    status: int = Field(description="the HTTP status", examples=[400])
    detail: str = Field(description="one sentence for people", examples=["the audio is shorter than one second"])
    code: str = Field(description="stable name for programs", examples=["too_short"])
