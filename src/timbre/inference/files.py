"""Many files to many answers: some are decoded while others are classified, in order, in bounded memory."""

from collections import deque
from collections.abc import Generator, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from time import perf_counter
from typing import Protocol

import numpy as np
import numpy.typing as npt

from timbre.audio import AudioError, DecodePool, SlotArena, SlotAudio, Waveform, usable_cores
from timbre.inference.engine import OnnxEngine
from timbre.inference.prediction import Prediction, PredictionFailedError

SPARE_LANES = 2
"""Groups of files under way beyond those the model may be busy with, so that the decoders never wait for it."""


@dataclass(frozen=True, kw_only=True)
class FileResult:
    """What came of one file: a prediction with what was heard, or an error.

    Attributes:
        path: as it was given.
        prediction: the answer, if there is one.
        error: why there is none.
        audio: what the file holds and its sha256, if it could be decoded.
        processing_time_ms: work done for the answer: decoding the file and its share of the model's runs.
    """

    path: Path
    prediction: Prediction | None = None
    error: AudioError | PredictionFailedError | None = None
    audio: SlotAudio | None = None
    processing_time_ms: float | None = None


class Classifies(Protocol):
    """What `classify_files` needs of a predictor."""

    engine: OnnxEngine
    batch_size: int

    def weights(self, samples: int) -> npt.NDArray[np.float64]:
        """What each window of a waveform counts."""

    def answers(self, clips: Waveform, weights: Sequence[npt.NDArray[np.float64]]) -> list[Prediction]:
        """Classify waveforms given by their windows."""


def classify_files(
    predictor: Classifies, paths: Iterable[Path], *, row_windows: int, workers: int | None
) -> Generator[FileResult, None, None]:
    """Decode files in processes and classify them in threads; see `Predictor.predict_files`.

    There are as many processes as threads as cores, so that a core always has one or the other to do. Files go in
    groups of one batch into neighbouring rows of an arena, so that a batch is a view of it.

    Args:
        predictor: the model and its batch size.
        paths: the files.
        row_windows: windows of a file that are decoded at most.
        workers: processes and threads; as many as there are cores if not given.
    """
    workers = workers or usable_cores()
    upcoming = iter(paths)
    first = list(islice(upcoming, workers))
    if not first:
        return
    upcoming = chain(first, upcoming)
    contract = predictor.engine.contract
    group_size = predictor.batch_size if row_windows == 1 else 1
    slots = group_size * (workers + SPARE_LANES)
    free, under_way = deque(range(0, slots, group_size)), deque[tuple[int, Future[list[FileResult]]]]()
    with (
        SlotArena.create(slots=slots, slot_samples=row_windows * contract.clip_samples) as arena,
        ThreadPoolExecutor(workers, thread_name_prefix="classify") as runs,
        DecodePool(
            arena=arena,
            sample_rate=contract.sample_rate,
            workers=min(workers, len(first)),
            window_samples=contract.clip_samples,
        ) as decoders,
    ):

        def send() -> None:
            while free and (group := list(islice(upcoming, group_size))):
                slot = free.popleft()
                decoded = [decoders.submit(path, slot + n, checksum=True) for n, path in enumerate(group)]
                under_way.append((slot, runs.submit(_classify, predictor, group, decoded, arena, slot)))

        send()
        while under_way:
            slot, run = under_way.popleft()
            results = run.result()
            free.append(slot)
            send()  # before anything is handed out: the caller may take its time
            yield from results


def _classify(
    predictor: Classifies, paths: list[Path], decoded: "list[Future[SlotAudio]]", arena: SlotArena, first_slot: int
) -> list[FileResult]:
    """Wait for a group of files to be decoded and classify those that could be."""
    heard: dict[int, SlotAudio] = {}
    failed: dict[int, AudioError] = {}
    for position, future in enumerate(decoded):
        try:
            heard[position] = future.result()
        except AudioError as error:
            failed[position] = error
    started = perf_counter()
    weights = [predictor.weights(audio.samples) for audio in heard.values()]
    grid = arena.rows.reshape(-1, predictor.engine.contract.clip_samples)
    row_windows = len(grid) // arena.slots
    starts = [(first_slot + position) * row_windows for position in heard]
    chosen = [start + window for start, own in zip(starts, weights, strict=True) for window in range(len(own))]
    outcomes = iter(_outcomes(predictor, _rows(grid, chosen), weights))
    model_ms = (perf_counter() - started) * 1e3 / max(1, len(heard))
    results = []
    for position, path in enumerate(paths):
        outcome = failed.get(position) or next(outcomes)
        if isinstance(outcome, Prediction):
            audio = heard[position]
            time_ms = audio.decode_s * 1e3 + model_ms
            results.append(FileResult(path=path, prediction=outcome, audio=audio, processing_time_ms=time_ms))
        else:
            results.append(FileResult(path=path, error=outcome))
    return results


def _outcomes(
    predictor: Classifies, clips: Waveform, weights: Sequence[npt.NDArray[np.float64]]
) -> "list[Prediction | PredictionFailedError]":
    """What came of each waveform; if one fails, each is asked about by itself, or it would cost the others theirs."""
    try:
        return [*predictor.answers(clips, weights)]
    except PredictionFailedError as error:
        if len(weights) == 1:
            return [error]
    ends = np.cumsum([len(own) for own in weights])
    alone = [_outcomes(predictor, clips[end - len(own) : end], [own]) for end, own in zip(ends, weights, strict=True)]
    return [outcome for outcomes in alone for outcome in outcomes]


def _rows(grid: Waveform, chosen: list[int]) -> Waveform:
    """The chosen rows: a view where they are neighbours, which they are unless a file failed, else a copy."""
    if chosen and chosen[-1] - chosen[0] + 1 == len(chosen):
        return grid[chosen[0] : chosen[-1] + 1]
    return grid[chosen]
