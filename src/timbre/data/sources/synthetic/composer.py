"""An artist and some dice -> a song's excerpt as notes and hits in seconds."""

from dataclasses import dataclass

import numpy as np

from timbre.data.sources.synthetic.style import STEPS_PER_BEAT, Artist, Player, T
from timbre.data.sources.synthetic.theory import OCTAVE, SCALES, chord, chord_tone, into, pitch, voiced

BARS_PER_SECTION = 4
TONIC_LOW = 36
LOUDNESS = {"X": 1.0, "x": 0.75, "o": 0.35}
TONES = "13578"
FORMS = ("AABA", "ABAB", "AAAB", "ABBA", "AAAA")


@dataclass(frozen=True, kw_only=True)
class Note:
    """A pitch (MIDI number) that sounds for some seconds from a moment on."""

    start_s: float
    seconds: float
    pitch: int
    loudness: float


@dataclass(frozen=True, kw_only=True)
class Hit:
    """A stroke on a drum."""

    start_s: float
    drum: str
    loudness: float


@dataclass(frozen=True, kw_only=True)
class Song:
    """An excerpt: role -> notes, and hits."""

    notes: dict[str, list[Note]]
    hits: list[Hit]
    beat_s: float


class Clock:
    """Beats to seconds: swing, a tempo that breathes, and hands that are not machines."""

    def __init__(self, artist: Artist, *, tempo: float, beats: int, generator: np.random.Generator) -> None:
        self._artist, self._generator = artist, generator
        self.beat_s = 60 / tempo
        breath = np.cumsum(generator.normal(0, artist.genre.rubato, beats + 1))
        breath -= np.linspace(0, breath[-1], beats + 1)  # ends as fast as it began
        self._seconds = np.concatenate([[0.0], np.cumsum(self.beat_s * np.exp(np.clip(breath, -0.3, 0.3)))])

    def exact(self, beat: float) -> float:
        """The moment of a beat if everyone were exact."""
        unit, swing = self._artist.genre.swing_beats, self._artist.swing
        whole, part = divmod(beat, unit)
        share = part / unit
        share = 2 * swing * share if share < 0.5 else swing + (share - 0.5) * 2 * (1 - swing)
        return float(np.interp((whole + share) * unit, np.arange(len(self._seconds)), self._seconds))

    def played(self, beat: float) -> float:
        """The moment at which a player plays it."""
        return max(0.0, self.exact(beat) + float(self._generator.normal(0, self._artist.genre.loose_s)))


def compose(artist: Artist, *, seconds: float, generator: np.random.Generator) -> Song:
    """An excerpt of one of the artist's songs."""
    tempo = artist.tempo * float(np.exp(generator.normal(0, 0.03)))
    bar_beats = artist.metre
    count = int(np.ceil(seconds * tempo / 60 / bar_beats)) + 2
    clock = Clock(artist, tempo=tempo, beats=count * bar_beats + 1, generator=generator)
    writer = _Writer(artist, clock, generator)
    form = str(generator.choice(FORMS))
    offset = int(generator.integers(BARS_PER_SECTION * len(form)))  # an excerpt begins anywhere
    for bar in range(count):
        place = bar + offset
        writer.bar(bar, place % BARS_PER_SECTION, form[place // BARS_PER_SECTION % len(form)])
    return Song(notes=writer.notes, hits=writer.hits, beat_s=clock.beat_s)


class _Writer:
    """Writes one bar after the other."""

    def __init__(self, artist: Artist, clock: Clock, generator: np.random.Generator) -> None:
        self.artist, self.clock, self.generator = artist, clock, generator
        self.notes: dict[str, list[Note]] = {role: [] for role in artist.players}
        self.hits: list[Hit] = []
        self.tonic = TONIC_LOW + int(generator.choice(artist.tonics))
        self.scale = SCALES[artist.scale]
        self.shape = artist.shapes[int(generator.integers(len(artist.shapes)))]
        self.progression = {part: self._any(artist.progressions) for part in "AB"}
        self.groove = {part: self._any(artist.grooves) if artist.grooves else {} for part in "AB"}
        self.figure = {
            (role, part): self._any(player.patterns) for role, player in artist.players.items() for part in "AB"
        }
        # Not everyone plays all the time; whoever rests does so for a whole section.
        self.rests = {
            (role, part): generator.uniform() > 0.6 + 0.5 * artist.density for role in artist.players for part in "AB"
        }
        self.melody = {role: Melody(generator) for role in artist.players}

    def _any(self, items: tuple[T, ...]) -> T:
        return items[int(self.generator.integers(len(items)))]

    def bar(self, bar: int, place: int, part: str) -> None:
        degrees = self.progression[part][place % len(self.progression[part])]
        following = self.progression[part][(place + 1) % len(self.progression[part])][0]
        start = bar * self.artist.metre
        self._drums(
            start, part, fill=place == BARS_PER_SECTION - 1 and self.generator.uniform() < self.artist.genre.fills
        )
        for role, player in self.artist.players.items():
            if not self.rests[role, part]:
                self._figure(role, player, self.figure[role, part], start, degrees, following)

    def _drums(self, start: int, part: str, *, fill: bool) -> None:
        steps = self.artist.metre * STEPS_PER_BEAT
        for drum, pattern in self.groove[part].items():
            for step, symbol in enumerate(pattern):
                if symbol in LOUDNESS and not (fill and step >= steps - STEPS_PER_BEAT and drum != "kick"):
                    self._hit(start + step / STEPS_PER_BEAT, drum, LOUDNESS[symbol])
        if fill and self.groove[part]:
            drum = "tom" if self.generator.uniform() < 0.5 else "snare"
            for step in range(steps - STEPS_PER_BEAT, steps):
                self._hit(start + step / STEPS_PER_BEAT, drum, float(self.generator.uniform(0.4, 0.9)))

    def _hit(self, beat: float, drum: str, loudness: float) -> None:
        loudness *= float(self.generator.uniform(0.85, 1.0))
        self.hits.append(Hit(start_s=self.clock.played(beat), drum=drum, loudness=loudness))

    def _figure(
        self, role: str, player: Player, pattern: str, start: int, degrees: tuple[int, ...], following: int
    ) -> None:
        previous: int | None = None
        for step, symbol in enumerate(pattern):
            if symbol in "-.":
                continue
            degree = degrees[step * len(degrees) // len(pattern)]
            length = 1
            while step + length < len(pattern) and pattern[step + length] == "-":
                length += 1
            pitches = self._pitches(role, player, symbol, degree, following, previous)
            previous = pitches[0] if pitches else previous
            moment = self.clock.played(start + step / STEPS_PER_BEAT)
            seconds = self.clock.exact(start + (step + length) / STEPS_PER_BEAT) - moment
            loudness = (1.0 if symbol == "X" else 0.8) * float(self.generator.uniform(0.8, 1.0))
            for value in pitches:
                self.notes[role].append(
                    Note(start_s=moment, seconds=max(0.05, 0.95 * seconds), pitch=value, loudness=loudness)
                )

    def _pitches(
        self, role: str, player: Player, symbol: str, degree: int, following: int, previous: int | None
    ) -> list[int]:
        low = player.part.low
        if symbol in "xX":
            tones = chord(self.tonic, self.scale, degree, self.shape)
            if self.shape == "power":
                return [into(tones[0], low) + tone - tones[0] for tone in tones]
            return voiced(tones, low)
        if symbol in TONES:
            root = into(pitch(self.tonic, self.scale, degree), low)
            tone = chord_tone(self.tonic, self.scale, degree, int(symbol))
            return [root + (tone - pitch(self.tonic, self.scale, degree))]
        if symbol == "w":
            goal = into(pitch(self.tonic, self.scale, following), low)
            if previous is None:
                return [goal]
            step = int(np.sign(goal - previous)) or int(self.generator.choice([-1, 1]))
            return [previous + step * int(self.generator.integers(1, 3))]
        if self.generator.uniform() > self.artist.density:
            return []
        return [self.melody[role].tone(self.tonic, self.scale, degree, low)]


class Melody:
    """A line that moves by steps, leaps now and then, turns at its limits, and comes back to its motif."""

    def __init__(self, generator: np.random.Generator) -> None:
        self._generator = generator
        self._motif = [
            int(step) for step in generator.choice([-2, -1, -1, 1, 1, 2, 0, 3, -3], int(generator.integers(4, 9)))
        ]
        self._count = 0
        self._degree = int(generator.integers(0, 7))

    def tone(self, tonic: int, scale: tuple[int, ...], chord_degree: int, low: int) -> int:
        """The next tone, on the chord at every fourth."""
        self._degree += self._motif[self._count % len(self._motif)]
        if self._generator.uniform() < 0.15:
            self._degree += int(self._generator.integers(-2, 3))
        if not -1 <= self._degree <= 10:
            self._degree = int(np.clip(self._degree, 0, 9))
        if self._count % 4 == 0:
            tones = [chord_degree % 7 + above for above in (-7, -5, -3, 0, 2, 4, 7, 9)]
            self._degree = min(tones, key=lambda tone: abs(tone - self._degree))
        self._count += 1
        base = low + (tonic - low) % OCTAVE
        return pitch(base, scale, self._degree)
