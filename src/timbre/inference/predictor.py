"""From audio to an answer: one waveform, or many files."""

from collections.abc import Generator, Iterable, Sequence
from pathlib import Path
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

from timbre.audio import Waveform, windows
from timbre.errors import TimbreError
from timbre.inference.engine import OnnxEngine
from timbre.inference.files import FileResult, classify_files
from timbre.inference.prediction import Prediction, pool, window_weights

Span = Literal["clip", "track"]
MAX_WORKERS = 256
"""More is a slip of the keyboard: each is a process."""
TRACK_SECONDS = 1200.0
"""How much of a file `span="track"` listens to at most, if nothing else is asked."""


class AskError(TimbreError):
    """A predictor is asked about a span it does not know, or to work with no or too many workers."""


class Predictor:
    """A model and how much of a file it is asked about.

    Args:
        engine: the model. For many files, one with a single thread does best: several runs go on at once.
        batch_size: clips the model is given at once.
        track_seconds: how much of a file `span="track"` listens to at most.
    """

    def __init__(self, engine: OnnxEngine, *, batch_size: int = 4, track_seconds: float = TRACK_SECONDS) -> None:
        self.engine = engine
        self.batch_size = batch_size
        self._track_windows = max(1, int(track_seconds // engine.contract.clip_seconds))

    def predict(self, waveform: Waveform, *, span: Span = "clip") -> Prediction:
        """Classify one waveform, float32 [n] mono at the contract's rate: its first clip, or all its windows pooled.

        Raises:
            AskError: if there is no such span.
        """
        clip_samples = self.engine.contract.clip_samples
        heard = waveform[: clip_samples * self._windows(span)]
        weights = self.weights(len(heard))
        return self.answers(windows(heard, clip_samples)[: len(weights)], [weights])[0]

    def predict_files(
        self, paths: Iterable[Path], *, span: Span = "clip", workers: int | None = None
    ) -> Generator[FileResult, None, None]:
        """Classify files, in the order given, with memory that does not grow with their number.

        Closing the iterator, as Ctrl-C does, ends all that was started. A file that cannot be used gives a result with
        an error; nothing is raised for it.

        Args:
            paths: the files; taken from the iterable as they are needed.
            span: `clip` listens to the first clip; `track` to every window of the first `track_seconds`, pooled as
                `window_weights` says.
            workers: processes that decode and threads that run the model; as many as there are cores if not given.

        Raises:
            AskError: at once, if there is no such span or number of workers.
        """
        if workers is not None and (not isinstance(workers, int) or not 1 <= workers <= MAX_WORKERS):
            raise AskError(f"workers={workers} cannot work: give a whole number from 1 to {MAX_WORKERS}")
        return classify_files(self, paths, row_windows=self._windows(span), workers=workers)

    def weights(self, samples: int) -> npt.NDArray[np.float64]:
        """Which windows of a waveform of `samples` samples are asked about, and how much each counts: float64 [W]."""
        contract = self.engine.contract
        return window_weights(samples, clip_samples=contract.clip_samples, sample_rate=contract.sample_rate)

    def answers(self, clips: Waveform, weights: Sequence[npt.NDArray[np.float64]]) -> list[Prediction]:
        """Classify waveforms of which `clips` [W, clip_samples] holds the windows one after the other.

        Args:
            clips: the windows of all waveforms.
            weights: for each waveform, what its own windows count; as many in all as there are clips.
        """
        if not weights:
            return []
        runs = [self.engine.run(clips[at : at + self.batch_size]) for at in range(0, len(clips), self.batch_size)]
        ends = np.cumsum([len(own) for own in weights])[:-1]
        by_waveform = np.split(np.concatenate([run.probabilities for run in runs]), ends)
        labels = self.engine.contract.labels
        return [
            Prediction.from_probabilities(labels, pool(probabilities, own))
            for probabilities, own in zip(by_waveform, weights, strict=True)
        ]

    def _windows(self, span: Span) -> int:
        if span not in get_args(Span):
            raise AskError(f"there is no span {span!r}: it is one of {', '.join(get_args(Span))}")
        return self._track_windows if span == "track" else 1
