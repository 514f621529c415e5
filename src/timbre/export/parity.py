"""Parity: a model file must answer what the trained module answers, on clips that try both."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime
import torch

from timbre.errors import TimbreError
from timbre.models import Classifier

Waveforms = npt.NDArray[np.float32]

TOLERANCE = 1e-4
"""The largest difference of any probability that an export may have."""

_COMPANY = 3
"""Clips of a batch when they are not alone."""


class ParityError(TimbreError):
    """The exported graph answers something else than the module it was made from."""


@dataclass(frozen=True, kw_only=True)
class Parity:
    """How far apart torch and ONNX Runtime were.

    Attributes:
        max_abs_diff: largest difference of a probability over all clips and genres.
        max_rel_diff_embedding: largest difference of a number of any embedding, as a share of the largest number.
        tolerance: what was allowed for `max_abs_diff`.
        clips: clips compared.
        onnxruntime: version of the runtime.
        torch: version of torch.
    """

    max_abs_diff: float
    max_rel_diff_embedding: float
    tolerance: float
    clips: int
    onnxruntime: str
    torch: str

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for the contract's lineage."""
        return asdict(self)


def physics_clips(*, samples: int, sample_rate: int) -> Waveforms:
    """Clips [6, samples] unlike music: silence, a click, a tone, full-scale noise, an offset, a short square wave."""
    time = np.arange(samples) / sample_rate
    click = np.zeros(samples)
    click[samples // 2] = 1.0
    tone = 0.5 * np.sin(2 * np.pi * 440.0 * time)
    noise = np.random.default_rng(0).uniform(-1.0, 1.0, samples)
    square = np.where(time < time[-1] / 4, np.sign(np.sin(2 * np.pi * 110.0 * time)), 0.0)
    clips = np.stack([np.zeros(samples), click, tone, noise, np.full(samples, 0.5), square])
    return clips.astype(np.float32)


def compare(classifier: Classifier, session: onnxruntime.InferenceSession, clips: Waveforms) -> Parity:
    """Ask both about every clip; the runtime twice, with the clip alone and in company.

    Raises:
        ParityError: if a probability differs by more than `TOLERANCE`, or one of the two gives something not finite.
    """
    with torch.inference_mode():
        wanted = [tensor.numpy() for tensor in classifier(torch.from_numpy(clips))]
    differences, relative = [], []
    for size in (1, _COMPANY):
        batches = [clips[start : start + size] for start in range(0, len(clips), size)]
        answers = [session.run(["probabilities", "embedding"], {"waveform": batch}) for batch in batches]
        found = [np.concatenate(parts) for parts in zip(*answers, strict=True)]
        differences.append(np.abs(found[0] - wanted[0]).max())
        relative.append(np.abs(found[1] - wanted[1]).max() / max(np.abs(wanted[1]).max(), np.finfo(np.float32).tiny))
    # np.max, unlike max, lets no NaN slip by.
    parity = Parity(
        max_abs_diff=float(np.max(differences)),
        max_rel_diff_embedding=float(np.max(relative)),
        tolerance=TOLERANCE,
        clips=len(clips),
        onnxruntime=onnxruntime.__version__,
        torch=str(torch.__version__),
    )
    if not parity.max_abs_diff <= TOLERANCE:
        raise ParityError(
            f"the exported model and torch differ by {parity.max_abs_diff:.2g} in a probability on {len(clips)} clips, "
            f"more than {TOLERANCE:g}; nothing was written"
        )
    return parity
