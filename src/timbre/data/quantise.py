"""float32 waveform -> int16 row and its scale."""

import numpy as np
import numpy.typing as npt

from timbre.data.store import FULL_SCALE

SILENCE = float(np.finfo(np.float32).tiny) * FULL_SCALE
"""Peaks below this are silence: their scale would not be a normal float32."""


def quantise(waveform: npt.NDArray[np.float32], *, out: npt.NDArray[np.int16], work: npt.NDArray[np.float32]) -> float:
    """Use the whole int16 range for one clip.

    Args:
        waveform: float32 [T], finite, of any peak: MP3 goes above 1.0.
        out: int16 [T], written.
        work: float32 [T], overwritten; given from outside because fresh pages would cost as much as the sums.

    Returns:
        scale, exactly a float32, such that |out * scale - waveform| <= scale / 2 (and 1 for silence).
    """
    peak = max(float(waveform.max()), -float(waveform.min()))
    if peak < SILENCE:
        out.fill(0)
        return 1.0
    scale = np.float32(peak / FULL_SCALE)
    np.multiply(waveform, np.float32(1) / scale, out=work)
    np.rint(work, out=work)
    np.copyto(out, work, casting="unsafe")
    return float(scale)
