"""The HTTP interface: what each address takes and answers. What is behind it is `service`."""

import asyncio
import logging
import time
from collections.abc import Coroutine
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal
from uuid import uuid4

import numpy as np
from fastapi import APIRouter, Request
from starlette.requests import ClientDisconnect
from starlette.responses import Response

from timbre.audio import DecodePool
from timbre.inference import Prediction
from timbre.serving.board import Board
from timbre.serving.gate import Gate
from timbre.serving.problems import MEDIA_TYPE, Problem
from timbre.serving.schemas import (
    AudioFacts,
    GenresAnswer,
    HealthAnswer,
    ModelFacts,
    PredictionAnswer,
    ProblemDocument,
    ReadyAnswer,
)
from timbre.serving.service import Classification, Classified
from timbre.serving.upload import FIELD, Upload, receive_upload

logger = logging.getLogger(__name__)

PREFIX = "/api/v1"
Readiness = Literal["ready", "not_ready", "draining"]
_JSON = "application/json"
_FORM = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": [FIELD],
                    "properties": {
                        FIELD: {
                            "type": "string",
                            "format": "binary",
                            "description": "a WAV, MP3, FLAC or OGG Vorbis file of at least one second",
                        }
                    },
                }
            }
        },
    }
}


@dataclass(frozen=True, kw_only=True)
class Backstage:
    """What the routes need, made in the API process when it comes up."""

    service: Classification
    pool: DecodePool
    board: Board
    gate: Gate
    model: ModelFacts
    version: str
    uploads: Path
    upload_timeout_seconds: float
    started: float

    def readiness(self) -> Readiness:
        """One of `ready`, `not_ready`, `draining`: whether a request that came now could be answered."""
        if self.board.draining:
            return "draining"
        return "ready" if self.pool.pids() and self.board.alive else "not_ready"


def _problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    return {status: {"content": {MEDIA_TYPE: {"schema": ProblemDocument.model_json_schema()}}} for status in statuses}


api = APIRouter(prefix=PREFIX)
probes = APIRouter()


@api.post(
    "/predict",
    summary="Name the genre of an audio file",
    response_model=PredictionAnswer,
    responses=_problems(400, 408, 413, 422, 500, 503, 504),
    openapi_extra=_FORM,
)
async def predict(request: Request) -> Response:
    """Post the audio as a multipart form whose only field is the file `file`. The model hears its first seconds."""
    backstage: Backstage = request.app.state.backstage
    with backstage.gate.enter():
        upload = await _receive(request, backstage)
        try:
            classified = await _while_connected(request, backstage.service.classify(upload.path))
        finally:
            upload.delete()
    answer = _answer(classified, backstage)
    logger.debug("predicted %s: %s from %d bytes named %r", answer.id, answer.genre, upload.size, upload.display_name)
    return Response(answer.model_dump_json(), media_type=_JSON)


@api.get("/genres", summary="What the model can answer", responses=_problems(500))
async def genres(request: Request) -> GenresAnswer:
    """The genres in the order of the model's probabilities."""
    backstage: Backstage = request.app.state.backstage
    return GenresAnswer(genres=list(backstage.service.contract.labels), model=backstage.model)


@api.get("/health", summary="Liveness", responses=_problems(500))
async def health(request: Request) -> HealthAnswer:
    """Always 200 while the server can answer at all. To know whether it can predict, ask /ready."""
    backstage: Backstage = request.app.state.backstage
    readiness = backstage.readiness()
    return HealthAnswer(
        status="ok" if readiness == "ready" else readiness,
        version=backstage.version,
        model=backstage.model,
        uptime=round(time.monotonic() - backstage.started, 3),
    )


@probes.get("/ready", summary="Readiness", responses=_problems(503))
async def ready(request: Request) -> ReadyAnswer:
    """200 while a prediction can be had: a worker lives, audio can be decoded, the server is not stopping."""
    readiness = request.app.state.backstage.readiness()
    if readiness != "ready":
        raise Problem(readiness)
    return ReadyAnswer(status="ready")


for path, route in (("/ready", ready), (f"{PREFIX}/health", health)):
    probes.add_api_route(path, route, methods=["HEAD"], include_in_schema=False)  # what load balancers ask


async def _receive(request: Request, backstage: Backstage) -> Upload:
    try:
        async with asyncio.timeout(backstage.upload_timeout_seconds):
            return await receive_upload(request.headers.get("content-type", ""), request.stream(), backstage.uploads)
    except TimeoutError as error:
        raise Problem("upload_timeout") from error


async def _while_connected(request: Request, work: Coroutine[Any, Any, Classified]) -> Classified:
    """The result of the work, which is cancelled when the client goes away."""
    task = asyncio.create_task(work)
    gone = asyncio.create_task(_disconnected(request))
    try:
        await asyncio.wait({task, gone}, return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            raise ClientDisconnect
        return task.result()
    finally:
        gone.cancel()
        if task.cancel():
            await asyncio.wait({task})


async def _disconnected(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


def _answer(classified: Classified, backstage: Backstage) -> PredictionAnswer:
    prediction = Prediction.from_probabilities(
        backstage.service.contract.labels, np.asarray(classified.probabilities, np.float32)
    )
    audio = classified.audio
    assert audio.checksum is not None
    return PredictionAnswer(
        id=uuid4(),
        status="completed",
        genre=prediction.genre,
        confidence=prediction.confidence,
        all_probabilities=prediction.all_probabilities,
        processing_time_ms=round(classified.seconds * 1000),
        model=backstage.model,
        audio=AudioFacts(
            duration_ms=round(audio.info.duration_s * 1000),
            format=audio.info.format,  # type: ignore[arg-type]  # pydantic checks that it is one of the four
            checksum=audio.checksum,
        ),
        cached=False,
        created_at=datetime.now(UTC),
    )
