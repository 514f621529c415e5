"""Notes and hits -> one waveform per part."""

from collections.abc import Sequence

import numpy as np

from timbre.data.sources.synthetic.composer import Hit, Note, Song
from timbre.data.sources.synthetic.drums import DRUMS, LEVELS, Kit
from timbre.data.sources.synthetic.instruments import RATE, Audio, Instrument, note, wavetables

DURATION_STEP_S = 0.04
"""Notes are rendered once per pitch and rounded length, then copied: most notes of a song are repetitions."""
TIGHTNESS = 0.85
"""How much bass is taken away before distortion: the coefficient of a first-order high-pass."""
TAKES = 2
"""Different renderings of each drum, taken in turn."""


def play_notes(instrument: Instrument, notes: Sequence[Note], *, length: int, generator: np.random.Generator) -> Audio:
    """A pitched part, float32 [length]."""
    out = np.zeros(length, np.float32)
    tables: dict[int, tuple[Audio, Audio]] = {}
    rendered: dict[tuple[int, int], Audio] = {}
    for one in notes:
        key = (one.pitch, max(1, round(one.seconds / DURATION_STEP_S)))
        if key not in rendered:
            if one.pitch not in tables:
                tables[one.pitch] = wavetables(instrument, one.pitch, generator)
            rendered[key] = note(instrument, one.pitch, key[1] * DURATION_STEP_S, tables[one.pitch], generator)
        _add(out, rendered[key], one.start_s, one.loudness)
    if instrument.drive > 0:
        out[1:] -= np.float32(TIGHTNESS) * out[:-1]  # as amplifiers do, or the lowest tone would drown the others
        out *= np.float32(instrument.drive / max(1e-6, _loud_level(out)))
        np.tanh(out, out=out)
    return out


def play_drums(kit: Kit, hits: Sequence[Hit], *, length: int, generator: np.random.Generator) -> Audio:
    """The drum part, float32 [length]."""
    out = np.zeros(length, np.float32)
    takes = {drum: [DRUMS[drum](kit, generator) for _ in range(TAKES)] for drum in sorted({hit.drum for hit in hits})}
    for number, hit in enumerate(hits):
        _add(out, takes[hit.drum][number % TAKES], hit.start_s, hit.loudness * LEVELS[hit.drum])
    return out


def ducking(song: Song, *, depth: float, length: int) -> Audio:
    """A gain that dips at every kick and comes back within a beat, float32 [length]."""
    gain = np.ones(length, np.float32)
    span = int(song.beat_s * RATE)
    dip = 1 - np.float32(depth) * np.exp(-np.arange(span, dtype=np.float32) / np.float32(0.3 * span))
    for hit in song.hits:
        start = int(hit.start_s * RATE)
        if hit.drum == "kick" and start < length:
            part = gain[start : start + span]
            np.minimum(part, dip[: len(part)], out=part)
    return gain


def echoed(part: Audio, *, delay_s: float, feedback: float) -> Audio:
    """A part with the repetitions of a tape echo, each `feedback` times as loud as the one before."""
    out = part.copy()
    delay, gain = int(delay_s * RATE), feedback
    for number in range(1, 5):
        if number * delay >= len(part):
            break
        out[number * delay :] += np.float32(gain) * part[: -number * delay]
        gain *= feedback
    return out


def _add(out: Audio, sound: Audio, start_s: float, loudness: float) -> None:
    start = int(start_s * RATE)
    part = out[start : start + len(sound)]
    part += np.float32(loudness) * sound[: len(part)]


def _loud_level(part: Audio) -> float:
    """RMS of the louder half of a part, so that rests do not count."""
    blocks = part[: len(part) // 2048 * 2048].reshape(-1, 2048)
    power = np.sort((blocks**2).mean(axis=1))
    return float(np.sqrt(power[len(power) // 2 :].mean())) if len(power) else 0.0
