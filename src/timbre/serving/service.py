"""The service: from an uploaded file to a prediction, knowing nothing of HTTP."""

import asyncio
import logging
import math
import time
from dataclasses import dataclass
from pathlib import Path

from timbre.audio import AudioError, DecodePool, SlotAudio
from timbre.audio.child import ChildStartError
from timbre.contract import ModelContract
from timbre.serving.batch_client import BatchClient
from timbre.serving.problems import AudioProblem, Problem
from timbre.serving.slots import SlotPool

logger = logging.getLogger(__name__)

_OURS = frozenset({"unreadable"})
"""Audio codes that are the server's fault, not the upload's: the file is one that we wrote."""


@dataclass(frozen=True, kw_only=True)
class Classified:
    """What the service found out.

    Attributes:
        probabilities: one per genre, in the order of the contract's labels.
        audio: what was decoded.
        seconds: time it took.
    """

    probabilities: list[float]
    audio: SlotAudio
    seconds: float


class Classification:
    """Decodes an upload into a slot and has the workers classify it, all within one deadline."""

    def __init__(
        self,
        *,
        contract: ModelContract,
        pool: DecodePool,
        slots: SlotPool,
        batches: BatchClient,
        deadline_seconds: float,
    ) -> None:
        self.contract = contract
        self._pool = pool
        self._slots = slots
        self._batches = batches
        self._deadline_seconds = deadline_seconds

    async def classify(self, path: Path) -> Classified:
        """Classify the file at a path of our own.

        Raises:
            AudioProblem: if it is not audio that can be used.
            Problem: `deadline`, or `prediction_failed` if the model's answer is not a distribution.
        """
        begun = time.perf_counter()
        try:
            async with asyncio.timeout(self._deadline_seconds):
                audio, probabilities = await self._classify(path)
        except TimeoutError as error:
            raise Problem("deadline") from error
        if not probabilities or not all(map(math.isfinite, probabilities)):
            logger.error("the model gave no finite probabilities")
            raise Problem("prediction_failed")
        return Classified(probabilities=probabilities, audio=audio, seconds=time.perf_counter() - begun)

    async def _classify(self, path: Path) -> tuple[SlotAudio, list[float]]:
        lease = await self._slots.lease()
        try:
            job = self._pool.submit(path, lease.slot, checksum=True)
            lease.written_by(job)
            try:
                decoded = asyncio.wrap_future(job)
                decoded.add_done_callback(_note)
                audio = await asyncio.shield(decoded)
            except ChildStartError as error:
                raise Problem("not_ready") from error
            except AudioError as error:
                logger.info("audio refused: %s", error.code)
                logger.debug("the decoder said: %r", error.detail)
                if error.code in _OURS:
                    raise Problem("internal") from error
                raise AudioProblem(error.code, str(error)) from error
            return audio, await self._batches.predict(lease.slot, lease.ticket)
        finally:
            lease.release()


def _note(decoded: "asyncio.Future[SlotAudio]") -> None:
    """Look at a failure that nobody waits for any more, because the client has gone: asyncio would complain."""
    if not decoded.cancelled():
        decoded.exception()
