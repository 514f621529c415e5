"""What a genre allows and what an artist makes of it: an artist is a lasting choice among the genre's possibilities."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from timbre.data.sources.synthetic.drums import KITS, Kit
from timbre.data.sources.synthetic.instruments import INSTRUMENTS, Instrument

STEPS_PER_BEAT = 4
"""Patterns are written in sixteenths."""

T = TypeVar("T")

Bar = tuple[int, ...]
"""Scale degrees of a bar's chords, evenly spread over it."""


def bars(*degrees: int | Bar) -> tuple[Bar, ...]:
    """A progression; a number is a chord that lasts a bar (0 is the tonic's)."""
    return tuple(degree if isinstance(degree, tuple) else (degree,) for degree in degrees)


@dataclass(frozen=True, kw_only=True)
class Part:
    """What one player does.

    Attributes:
        instruments: names to choose from.
        patterns: figures of one bar in sixteenths. x: the chord, X: accented; 1 3 5 7 8: that tone of the chord; w: a
            step on the way to the next chord; m: a tone of the melody; -: hold; .: rest.
        low: lowest pitch of its range (MIDI number).
        presence: probability that an artist has this player.
        level_db: loudness in the mix.
        wet: share that goes to the room.
        echo: probability that an artist puts it through a tape echo.
    """

    instruments: tuple[str, ...]
    patterns: tuple[str, ...]
    low: int
    presence: float = 1.0
    level_db: float = 0.0
    wet: float = 0.3
    echo: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Genre:
    """What holds for everyone who plays this.

    Attributes:
        tempo: range in beats per minute.
        metres: beats per bar to choose from.
        swing: range of the first half's share of `swing_beats`: 0.5 is straight, 0.67 triplets.
        swing_beats: length of what swings: 1 for eighths, 0.5 for sixteenths.
        scales: names to choose from.
        progressions: lists of bars.
        shapes: chord shapes to choose from.
        grooves: drum patterns per drum, in sixteenths (x hit, X accent, o soft); empty for no drums.
        kits: drum sets to choose from.
        drums_db: loudness of the drums in the mix.
        parts: role -> part.
        loose_s: how far players are off the beat, in seconds.
        room_s: range of the room's reverberation time.
        duck: probability that the kick ducks everything else.
        rubato: how much the tempo breathes.
        fills: probability of a drum fill every fourth bar.
    """

    name: str
    tempo: tuple[float, float]
    metres: tuple[int, ...] = (4,)
    swing: tuple[float, float] = (0.5, 0.5)
    swing_beats: float = 1.0
    scales: tuple[str, ...]
    progressions: tuple[tuple[Bar, ...], ...]
    shapes: tuple[str, ...]
    grooves: tuple[Mapping[str, str], ...] = ()
    kits: tuple[str, ...] = ("rock",)
    drums_db: float = 0.0
    parts: Mapping[str, Part]
    loose_s: float = 0.005
    room_s: tuple[float, float] = (0.3, 1.0)
    duck: float = 0.0
    rubato: float = 0.0
    fills: float = 0.5


@dataclass(frozen=True, kw_only=True)
class Player:
    """A part as an artist plays it."""

    part: Part
    instrument: Instrument
    patterns: tuple[str, ...]
    level_db: float
    pan: float
    echo: bool


@dataclass(frozen=True, kw_only=True)
class Production:
    """The sound of an artist's records.

    Attributes:
        tilt_db: treble against bass, in dB per octave.
        bumps: (Hz, dB, octaves) of broad resonances.
        low_cut_hz, high_cut_hz: what is left of the band.
        room_s, room_db: reverberation time and its level.
        drive: saturation of the mix.
        hiss_db, crackle: noise floor against the music, and clicks per second.
        width: stereo width, 0 to 1.
    """

    tilt_db: float
    bumps: tuple[tuple[float, float, float], ...]
    low_cut_hz: float
    high_cut_hz: float
    room_s: float
    room_db: float
    drive: float
    hiss_db: float
    crackle: float
    width: float


@dataclass(frozen=True, kw_only=True)
class Artist:
    """One act: what stays the same from song to song."""

    genre: Genre
    tempo: float
    metre: int
    swing: float
    tonics: tuple[int, ...]
    scale: str
    progressions: tuple[tuple[Bar, ...], ...]
    shapes: tuple[str, ...]
    grooves: tuple[Mapping[str, str], ...]
    kit: Kit
    players: Mapping[str, Player]
    duck: float
    production: Production
    density: float


def some(generator: np.random.Generator, items: tuple[T, ...], count: int) -> tuple[T, ...]:
    """Up to `count` different items, in random order."""
    chosen = generator.permutation(len(items))[: min(count, len(items))]
    return tuple(items[int(number)] for number in chosen)


def meet(genre: Genre, generator: np.random.Generator) -> Artist:
    """An artist of this genre."""
    low, high = genre.tempo
    metre = int(generator.choice(genre.metres))
    bar_steps = metre * STEPS_PER_BEAT
    players = {}
    for role, part in genre.parts.items():
        patterns = tuple(pattern for pattern in part.patterns if len(pattern) == bar_steps)
        if patterns and generator.uniform() < part.presence:
            players[role] = Player(
                part=part,
                instrument=INSTRUMENTS[str(generator.choice(part.instruments))].bent(generator),
                patterns=some(generator, patterns, 2),
                level_db=part.level_db + float(generator.normal(0, 2.5)),
                pan=float(generator.uniform(-0.7, 0.7)),
                echo=bool(generator.uniform() < part.echo),
            )
    fitting = tuple(groove for groove in genre.grooves if all(len(steps) == bar_steps for steps in groove.values()))
    return Artist(
        genre=genre,
        tempo=float(np.exp(generator.uniform(np.log(low), np.log(high)))),
        metre=metre,
        swing=float(generator.uniform(*genre.swing)),
        tonics=some(generator, tuple(range(12)), 4),
        scale=str(generator.choice(genre.scales)),
        progressions=some(generator, genre.progressions, 3),
        shapes=some(generator, genre.shapes, 2),
        grooves=some(generator, fitting, 2),
        kit=KITS[str(generator.choice(genre.kits))].bent(generator),
        players=players,
        duck=float(generator.uniform(0.4, 0.9)) if generator.uniform() < genre.duck else 0.0,
        production=produce(genre, generator),
        density=float(generator.uniform(0.55, 0.95)),
    )


def produce(genre: Genre, generator: np.random.Generator) -> Production:
    """How an artist's records sound. Only the room depends on the genre: the rest is fashion, money and microphones."""
    bumps = tuple(
        (
            float(np.exp(generator.uniform(np.log(80), np.log(8000)))),
            float(generator.normal(0, 2.5)),
            float(generator.uniform(0.4, 1.5)),
        )
        for _ in range(3)
    )
    narrow = generator.uniform() < 0.2  # old, cheap or meant to sound so
    return Production(
        tilt_db=float(generator.normal(0.3, 1.0)),
        bumps=bumps,
        low_cut_hz=float(generator.uniform(60, 180) if narrow else generator.uniform(20, 50)),
        high_cut_hz=float(generator.uniform(3500, 7000) if narrow else generator.uniform(9000, 20000)),
        room_s=float(np.exp(generator.uniform(*np.log(genre.room_s)))),
        room_db=float(generator.uniform(-16, -5)),
        drive=float(np.exp(generator.uniform(np.log(0.2), np.log(2.0)))),
        hiss_db=float(generator.uniform(-75, -42)),
        crackle=float(generator.uniform(2, 15)) if generator.uniform() < 0.15 else 0.0,
        width=float(generator.uniform(0.2, 1.0)),
    )
