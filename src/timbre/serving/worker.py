"""What runs in an inference worker: batches of slots go through one ONNX session, and a sign of life goes out."""

import logging
import os
import time
from pathlib import Path

import litserve
import numpy as np

from timbre.audio import SlotArena
from timbre.inference import OnnxEngine
from timbre.serving.batch_client import Order
from timbre.serving.board import Board
from timbre.serving.litserve_bridge import API_PATH, BatchLoop, worker_number
from timbre.serving.log import configure_logging
from timbre.serving.process import die_with_parent

logger = logging.getLogger(__name__)

BATCHES_OF_SILENCE = 10
"""A slow model on a slow machine is not taken for hung before it had the time for so many full batches."""


class SlotAPI(litserve.LitAPI):  # type: ignore[misc]
    """LitServe's view of the model.

    Args:
        model: the ONNX file.
        arena: name of the waveforms' shared memory.
        board: where signs of life are given and slots are taken.
        threads: of the ONNX session.
        max_batch: clips in one run at most.
        batch_window_seconds: how long a batch waits for company.
        stall_seconds: silence after which a worker counts as hung, unless a full batch takes a good part of it.
        log_level: as in the settings.
    """

    def __init__(
        self,
        *,
        model: Path,
        arena: str,
        board: Board,
        threads: int,
        max_batch: int,
        batch_window_seconds: float,
        stall_seconds: float,
        log_level: str,
    ) -> None:
        super().__init__(
            max_batch_size=max_batch, batch_timeout=batch_window_seconds, api_path=API_PATH, loop=BatchLoop()
        )
        self._model = model
        self._arena_name = arena
        self._board = board
        self._threads = threads
        self._stall_seconds = stall_seconds
        self._log_level = log_level

    # Called by LitServe, in the worker.

    def setup(self, device: str) -> None:
        """Load the model, run it once at full size, and be born."""
        del device
        configure_logging(self._log_level)
        die_with_parent()
        self._worker = worker_number()
        self._arena = SlotArena.attach(self._arena_name)
        self._engine = OnnxEngine(self._model, threads=self._threads)
        self._batch = np.zeros((self.max_batch_size, self._engine.contract.clip_samples), np.float32)
        began = time.monotonic()
        self._engine.run(self._batch)
        full_batch_seconds = time.monotonic() - began
        self._board.born(
            self._worker, silence_seconds=max(self._stall_seconds, BATCHES_OF_SILENCE * full_batch_seconds)
        )
        logger.info("worker %d is ready, pid %d", self._worker, os.getpid())

    def decode_request(self, request: Order) -> Order:
        """Nothing to decode: the waveform is in the slot."""
        return request

    def batch(self, inputs: list[Order]) -> list[Order]:
        """The orders as they came."""
        return inputs

    def predict(self, x: list[Order]) -> list[list[float]]:
        """Probabilities per order, in the order of the contract's labels.

        If the run fails, LitServe tells so for every order of the batch, and each is tried again by itself.
        """
        if len(x) == 1:
            batch = self._arena.rows[x[0].slot : x[0].slot + 1]  # no copy: a row is a batch of one
        else:
            batch = np.take(self._arena.rows, [order.slot for order in x], axis=0, out=self._batch[: len(x)])
        answers: list[list[float]] = self._engine.run(batch).probabilities.tolist()
        return answers

    def unbatch(self, output: list[list[float]]) -> list[list[float]]:
        """One answer per order already."""
        return output

    def encode_response(self, output: list[float]) -> list[float]:
        """Plain numbers cross the queue as they are."""
        return output

    # Called by our loop, in the worker.

    def beat(self) -> None:
        """Give a sign of life."""
        self._board.beat(self._worker)

    def accept(self, payload: Order) -> bool:
        """Take an order, unless its clip is gone."""
        return self._board.take(payload.slot, payload.ticket, self._worker)

    def alone(self, payload: Order) -> bool:
        """An order that is tried again shares no batch: it may be what fails the others or kills the worker."""
        return payload.attempt > 1
