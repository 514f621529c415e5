"""Serving a model: checks first, then shared memory, then processes."""

import errno
import logging
import os
import socket
import tempfile
from pathlib import Path

from timbre.audio import SlotArena
from timbre.errors import TimbreError
from timbre.inference import OnnxEngine
from timbre.serving.app import Stage, furnish
from timbre.serving.board import Board
from timbre.serving.litserve_bridge import BACKLOG, Server
from timbre.serving.log import configure_logging
from timbre.serving.process import StopSignals, die_with_parent
from timbre.serving.scratch import scratch_folder
from timbre.serving.settings import ServerSettings
from timbre.serving.supervisor import Supervisor
from timbre.serving.worker import SlotAPI

logger = logging.getLogger(__name__)


class ListenError(TimbreError):
    """The address to listen on cannot be had."""


def serve(settings: ServerSettings, model: Path) -> int:
    """Serve a model file until SIGINT or SIGTERM.

    Returns:
        The exit code: 0 after an orderly stop, 128 + signal if a second signal cut it short.

    Raises:
        ListenError: if the address is taken or is not this machine's.
        ModelFileError, NoModelError: if the file is not a model.
        ServerFailedError: if the server could not start or go on.
    """
    configure_logging(settings.log_level)
    stop_signals = StopSignals()
    with listen(settings.host, settings.port) as listener, stop_signals.caught():
        engine = OnnxEngine(model, threads=1)  # a wrong file is refused here, before any process is started
        contract, sha256 = engine.contract, engine.sha256
        del engine
        os.register_at_fork(after_in_child=die_with_parent)
        board = Board(workers=settings.workers, slots=settings.slots)
        with (
            scratch_folder(Path(tempfile.gettempdir())) as scratch,
            scratch_folder(settings.spool_dir) as uploads,
            SlotArena.create(slots=settings.slots, slot_samples=contract.clip_samples) as arena,
        ):
            tempfile.tempdir = str(scratch)  # where multiprocessing puts its sockets
            api = SlotAPI(
                model=model,
                arena=arena.name,
                board=board,
                threads=settings.worker_threads,
                max_batch=settings.max_batch,
                batch_window_seconds=settings.batch_window_ms / 1000,
                stall_seconds=settings.stall_seconds,
                log_level=settings.log_level,
            )
            server = Server(api, workers=settings.workers)
            stage = Stage(
                contract=contract, sha256=sha256, arena=arena, board=board, uploads=uploads, settings=settings
            )
            furnish(server, stage)
            logger.info("serving %s, version %s, sha256 %.12s", model.name, contract.version, sha256)
            return Supervisor(server, board, stop_signals, grace_seconds=settings.grace_seconds).run(listener)


def listen(host: str, port: int) -> socket.socket:
    """A listening socket; connections wait in it until the server is up.

    Raises:
        ListenError: with one line that says why not.
    """
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        return socket.create_server(address, family=family, backlog=BACKLOG)
    except socket.gaierror as error:
        raise ListenError(f"cannot listen on {host}: there is no such address") from error
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise ListenError(f"port {port} is in use on {host}: stop what uses it, or give another --port") from error
        raise ListenError(f"cannot listen on {host} port {port}: {error.strerror}") from error
