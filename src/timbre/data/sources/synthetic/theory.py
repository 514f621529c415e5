"""Scales, chords and voices: pitches are MIDI numbers (69 is A4, 440 Hz)."""

import math
from collections.abc import Sequence

SCALES = {
    "major": (0, 2, 4, 5, 7, 9, 11),
    "minor": (0, 2, 3, 5, 7, 8, 10),
    "harmonic minor": (0, 2, 3, 5, 7, 8, 11),
    "dorian": (0, 2, 3, 5, 7, 9, 10),
    "phrygian": (0, 1, 3, 5, 7, 8, 10),
    "lydian": (0, 2, 4, 6, 7, 9, 11),
    "mixolydian": (0, 2, 4, 5, 7, 9, 10),
    "locrian": (0, 1, 3, 5, 6, 8, 10),
}
SHAPES = {
    "power": (0, 4, 7),  # root, fifth, octave: scale degrees counted from the root
    "triad": (0, 2, 4),
    "sus": (0, 3, 4),
    "sixth": (0, 2, 4, 5),
    "seventh": (0, 2, 4, 6),
    "ninth": (0, 2, 6, 8),
    "open": (0, 4, 8),
}
OCTAVE = 12


def pitch(tonic: int, scale: Sequence[int], degree: int) -> int:
    """The pitch of a scale degree; degree 0 is the tonic and 7 the tonic an octave up."""
    octave, step = divmod(degree, len(scale))
    return tonic + OCTAVE * octave + scale[step]


def chord(tonic: int, scale: Sequence[int], degree: int, shape: str) -> list[int]:
    """The pitches of a chord that stands on a scale degree, from its root up."""
    return [pitch(tonic, scale, degree + above) for above in SHAPES[shape]]


def chord_tone(tonic: int, scale: Sequence[int], degree: int, number: int) -> int:
    """A tone of the chord on a degree, named as musicians do: 1 its root, 3 its third, 5, 7, 8 its octave."""
    return pitch(tonic, scale, degree + number - 1)


def into(value: int, low: int) -> int:
    """The same pitch class in the octave that starts at `low`."""
    return low + (value - low) % OCTAVE


def voiced(pitches: Sequence[int], low: int) -> list[int]:
    """A chord folded into the octave and a half above `low`, so that successive chords move little, as hands do."""
    root, *others = pitches
    return sorted({into(root, low), *(into(other, low + 3) for other in others)})


def frequency(value: float) -> float:
    """Hz of a pitch."""
    return 440.0 * math.exp2((value - 69.0) / 12.0)
