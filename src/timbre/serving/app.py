"""The application: our routes, errors and middleware on LitServe's own app, and what the API process holds."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request
from starlette.requests import ClientDisconnect
from starlette.responses import Response

from timbre.audio import DecodePool, SlotArena
from timbre.contract import MODEL_NAME, ModelContract
from timbre.serving.batch_client import BatchClient
from timbre.serving.board import Board
from timbre.serving.docs_page import install_docs_page
from timbre.serving.gate import Gate
from timbre.serving.litserve_bridge import Courier, Server
from timbre.serving.middleware import middleware
from timbre.serving.problems import install_problem_handlers
from timbre.serving.process import accept_sigterm
from timbre.serving.routes import Backstage, api, probes
from timbre.serving.schemas import ModelFacts
from timbre.serving.service import Classification
from timbre.serving.settings import ServerSettings
from timbre.serving.slots import SlotPool

_LOOK_SECONDS = 0.05
_CLIENT_CLOSED_REQUEST = 499  # nginx's number; nobody is there to read it


@dataclass(frozen=True, kw_only=True)
class Stage:
    """What the main process prepares for the API process.

    Attributes:
        contract: of the model.
        sha256: of the model file.
        arena: waveforms in shared memory.
        board: numbers in shared memory.
        uploads: folder for uploads in work.
        settings: of the server.
    """

    contract: ModelContract
    sha256: str
    arena: SlotArena
    board: Board
    uploads: Path
    settings: ServerSettings


def furnish(server: Server, stage: Stage) -> None:
    """Put the service on LitServe's app; what needs an event loop or threads comes up with the API process."""
    app = server.app
    app.title = "timbre"
    app.description = "Music genres from audio. Errors are RFC 9457 problem documents with a stable `code`."
    app.version = version("timbre")
    app.router.redirect_slashes = False
    app.include_router(api)
    app.include_router(probes)
    app.user_middleware.extend(middleware(max_body_bytes=stage.settings.max_body_bytes))
    install_docs_page(app)
    install_problem_handlers(app)
    app.add_exception_handler(ClientDisconnect, _client_gone)
    litserves = app.router.lifespan_context

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[Any]:
        async with litserves(app) as state, _backstage(app, server, stage):
            yield state

    app.router.lifespan_context = lifespan


@asynccontextmanager
async def _backstage(app: FastAPI, server: Server, stage: Stage) -> AsyncIterator[None]:
    settings = stage.settings
    pool = DecodePool(
        arena=stage.arena,
        sample_rate=stage.contract.sample_rate,
        workers=settings.decoders,
        timeout_s=settings.decode_timeout_seconds,
        memory_bytes=settings.decode_memory_mb * 2**20,
    )
    with pool:
        batches = BatchClient(
            Courier(server),
            stage.board,
            tries=settings.tries,
            try_seconds=settings.deadline_seconds / settings.tries,
        )
        app.state.backstage = Backstage(
            service=Classification(
                contract=stage.contract,
                pool=pool,
                slots=SlotPool(stage.board, slots=settings.slots),
                batches=batches,
                deadline_seconds=settings.deadline_seconds,
            ),
            pool=pool,
            board=stage.board,
            gate=Gate(stage.board, max_in_flight=settings.max_in_flight),
            model=ModelFacts(name=MODEL_NAME, version=stage.contract.version, sha256=stage.sha256),
            version=app.version,
            uploads=stage.uploads,
            upload_timeout_seconds=settings.upload_timeout_seconds,
            started=time.monotonic(),
        )
        tasks = [asyncio.create_task(batches.watch()), asyncio.create_task(_stop_when_closed(stage.board))]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()


async def _stop_when_closed(board: Board) -> None:
    """Take SIGTERM only when the main process says so: service managers send it to all processes at once."""
    while not board.closed:
        await asyncio.sleep(_LOOK_SECONDS)
    accept_sigterm()


async def _client_gone(_request: Request, _error: Exception) -> Response:
    return Response(status_code=_CLIENT_CLOSED_REQUEST)
