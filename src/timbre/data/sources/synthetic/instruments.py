"""Pitched instruments: band-limited wavetables that darken as a note dies away, with envelope, vibrato and unison.

An instrument is a handful of numbers; an artist bends them a little and keeps them.
"""

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from timbre.data.sources.synthetic.theory import frequency

RATE = 22_050
"""Rate of the composed music, in Hz; files may be written at another."""
TABLE = 4096
VIBRATO_HZ = 5.5

Audio = npt.NDArray[np.float32]


@dataclass(frozen=True, kw_only=True)
class Instrument:
    """How a note sounds.

    Attributes:
        slope: harmonic n has amplitude n ** -slope at the attack.
        dark_slope: and this once the attack is over.
        darken_s: time constant of that change.
        even: weight of the even harmonics: 0 is hollow as a clarinet.
        formant: Hz that are favoured, 0 for none.
        attack_s, decay_s, sustain, release_s: the envelope; decay is a time constant, sustain a level.
        unison, detune: number of voices and their spread in cents.
        vibrato: depth in cents, at `VIBRATO_HZ`, growing with the note.
        noise: breath or pick noise at the attack, relative to the tone.
        drive: distortion; 0 is clean. Applied to the whole part, so that its notes mix inside it.
    """

    slope: float
    dark_slope: float
    darken_s: float = 0.3
    even: float = 1.0
    formant: float = 0.0
    attack_s: float = 0.005
    decay_s: float = 0.5
    sustain: float = 0.0
    release_s: float = 0.05
    unison: int = 1
    detune: float = 0.0
    vibrato: float = 0.0
    noise: float = 0.0
    drive: float = 0.0

    def bent(self, generator: np.random.Generator) -> "Instrument":
        """The same instrument in other hands."""

        def about(value: float, spread: float) -> float:
            return value * float(np.exp(generator.normal(0, spread)))

        brighter = float(generator.normal(0, 0.15))
        return replace(
            self,
            slope=max(0.4, self.slope + brighter),
            dark_slope=max(0.6, self.dark_slope + brighter),
            darken_s=about(self.darken_s, 0.3),
            even=float(np.clip(self.even * about(1, 0.2), 0, 1)),
            formant=about(self.formant, 0.2),
            attack_s=about(self.attack_s, 0.3),
            decay_s=about(self.decay_s, 0.3),
            release_s=about(self.release_s, 0.3),
            detune=about(self.detune, 0.3),
            vibrato=about(self.vibrato, 0.4),
            noise=about(self.noise, 0.4),
            drive=about(self.drive, 0.3),
        )


INSTRUMENTS = {
    # struck and plucked
    "piano": Instrument(slope=1.3, dark_slope=2.4, darken_s=0.25, decay_s=1.1, release_s=0.12, detune=3, unison=2),
    "felt piano": Instrument(
        slope=1.9, dark_slope=3.0, darken_s=0.3, attack_s=0.012, decay_s=1.3, release_s=0.3, noise=0.03
    ),
    "electric piano": Instrument(
        slope=1.8, dark_slope=3.2, darken_s=0.2, even=0.4, decay_s=1.4, release_s=0.15, vibrato=4
    ),
    "harpsichord": Instrument(slope=0.8, dark_slope=1.4, darken_s=0.3, decay_s=0.7, release_s=0.05, noise=0.06),
    "nylon guitar": Instrument(slope=1.5, dark_slope=2.8, darken_s=0.12, decay_s=0.6, release_s=0.1, noise=0.08),
    "steel guitar": Instrument(slope=1.1, dark_slope=2.0, darken_s=0.15, decay_s=0.8, release_s=0.1, noise=0.08),
    "clean guitar": Instrument(slope=1.3, dark_slope=2.1, darken_s=0.2, decay_s=0.7, release_s=0.04, noise=0.03),
    "crunch guitar": Instrument(
        slope=1.0, dark_slope=1.6, decay_s=1.5, sustain=0.3, release_s=0.05, drive=3.0, noise=0.05
    ),
    "heavy guitar": Instrument(
        slope=0.9, dark_slope=1.3, decay_s=1.6, sustain=0.3, release_s=0.03, drive=9.0, noise=0.06
    ),
    "lead guitar": Instrument(
        slope=1.0, dark_slope=1.5, decay_s=2.5, sustain=0.5, release_s=0.12, drive=5.0, vibrato=18, noise=0.03
    ),
    "vibraphone": Instrument(slope=2.2, dark_slope=4.0, darken_s=0.1, even=0.3, decay_s=1.4, release_s=0.5, vibrato=3),
    "bell": Instrument(slope=1.2, dark_slope=2.6, darken_s=0.3, even=0.2, decay_s=1.6, release_s=0.8),
    # bowed, blown and sung
    "strings": Instrument(
        slope=1.1, dark_slope=1.3, attack_s=0.08, decay_s=3, sustain=0.8, release_s=0.2, unison=3, detune=12, vibrato=10
    ),
    "cello": Instrument(
        slope=1.0,
        dark_slope=1.3,
        formant=450,
        attack_s=0.06,
        decay_s=3,
        sustain=0.8,
        release_s=0.15,
        vibrato=14,
        noise=0.05,
    ),
    "violin": Instrument(
        slope=0.9,
        dark_slope=1.2,
        formant=1200,
        attack_s=0.05,
        decay_s=3,
        sustain=0.85,
        release_s=0.12,
        vibrato=20,
        noise=0.05,
    ),
    "flute": Instrument(
        slope=2.4, dark_slope=2.8, attack_s=0.05, decay_s=3, sustain=0.9, release_s=0.1, vibrato=12, noise=0.2
    ),
    "clarinet": Instrument(
        slope=1.3, dark_slope=1.6, even=0.12, attack_s=0.04, decay_s=3, sustain=0.9, release_s=0.08, noise=0.06
    ),
    "saxophone": Instrument(
        slope=0.9,
        dark_slope=1.4,
        formant=900,
        attack_s=0.03,
        decay_s=2,
        sustain=0.8,
        release_s=0.08,
        vibrato=16,
        noise=0.12,
    ),
    "trumpet": Instrument(
        slope=0.7,
        dark_slope=1.2,
        formant=1400,
        attack_s=0.03,
        decay_s=2,
        sustain=0.8,
        release_s=0.06,
        vibrato=10,
        noise=0.05,
    ),
    "choir": Instrument(
        slope=1.4,
        dark_slope=1.6,
        formant=700,
        attack_s=0.25,
        decay_s=4,
        sustain=0.9,
        release_s=0.6,
        unison=3,
        detune=16,
        vibrato=14,
    ),
    # keyed and electronic
    "organ": Instrument(slope=1.2, dark_slope=1.3, attack_s=0.008, decay_s=4, sustain=0.95, release_s=0.04, vibrato=8),
    "warm pad": Instrument(
        slope=1.7, dark_slope=2.2, darken_s=2, attack_s=0.7, decay_s=5, sustain=0.9, release_s=1.2, unison=3, detune=14
    ),
    "glass pad": Instrument(
        slope=1.2,
        dark_slope=2.4,
        darken_s=3,
        even=0.3,
        attack_s=0.5,
        decay_s=5,
        sustain=0.8,
        release_s=1.5,
        unison=2,
        detune=9,
    ),
    "saw lead": Instrument(slope=1.0, dark_slope=1.3, decay_s=1, sustain=0.6, release_s=0.06, unison=3, detune=14),
    "square lead": Instrument(slope=1.0, dark_slope=1.3, even=0.05, decay_s=1, sustain=0.6, release_s=0.05, vibrato=6),
    "saw pluck": Instrument(
        slope=0.8, dark_slope=2.6, darken_s=0.09, decay_s=0.25, release_s=0.05, unison=2, detune=10
    ),
    "stab": Instrument(slope=0.9, dark_slope=1.8, darken_s=0.15, decay_s=0.35, release_s=0.08, unison=3, detune=18),
    # low
    "upright bass": Instrument(slope=1.6, dark_slope=3.0, darken_s=0.1, decay_s=0.6, release_s=0.06, noise=0.06),
    "electric bass": Instrument(
        slope=1.4, dark_slope=2.4, darken_s=0.2, decay_s=0.9, sustain=0.2, release_s=0.04, noise=0.02
    ),
    "driven bass": Instrument(slope=1.1, dark_slope=1.7, decay_s=0.9, sustain=0.3, release_s=0.04, drive=2.5),
    "saw bass": Instrument(
        slope=1.0, dark_slope=2.2, darken_s=0.12, decay_s=0.6, sustain=0.4, release_s=0.03, unison=2, detune=8
    ),
    "acid bass": Instrument(
        slope=0.7, dark_slope=2.8, darken_s=0.08, decay_s=0.4, sustain=0.2, release_s=0.02, drive=1.5
    ),
    "sub bass": Instrument(slope=3.0, dark_slope=4.0, decay_s=1.4, sustain=0.4, release_s=0.08),
    "round bass": Instrument(slope=2.0, dark_slope=3.2, darken_s=0.2, decay_s=0.9, sustain=0.3, release_s=0.06),
}


def note(
    instrument: Instrument, value: float, seconds: float, tables: tuple[Audio, Audio], generator: np.random.Generator
) -> Audio:
    """One note of a pitch, mono, peak about 1, followed by its release; `tables` are the pitch's `wavetables`."""
    length = int((seconds + instrument.release_s) * RATE)
    time = np.arange(length, dtype=np.float32) / np.float32(RATE)
    bright, dark = tables
    mix = np.exp(-time / np.float32(instrument.darken_s))
    sound = np.zeros(length, np.float32)
    bend: Audio | np.float32 = np.float32(0)  # how far the phase is ahead, in seconds
    if instrument.vibrato > 0:
        width = np.log(2) / 1200 * instrument.vibrato / (2 * np.pi * VIBRATO_HZ)
        bend = np.float32(width) * np.sin(np.float32(2 * np.pi * VIBRATO_HZ) * time) * np.minimum(1, time / 0.4)
    for voice in range(instrument.unison):
        spread = 2 * voice / (instrument.unison - 1) - 1 if instrument.unison > 1 else 0.0
        hertz = frequency(value + spread * instrument.detune / 200)
        turns = np.float32(hertz * TABLE) * (time + bend) + np.float32(generator.uniform(0, TABLE))
        place = turns.astype(np.int32) & (TABLE - 1)
        table = dark[place]
        sound += table + mix * (bright[place] - table)
    if instrument.noise > 0:
        breath = generator.standard_normal(length, dtype=np.float32)
        breath *= np.exp(-time / np.float32(0.03)) + np.float32(0.15 * instrument.sustain)
        sound += instrument.noise * breath
    return sound * _envelope(instrument, time, seconds) / np.float32(np.sqrt(instrument.unison))


def _envelope(instrument: Instrument, time: Audio, seconds: float) -> Audio:
    rise = np.minimum(1, time / np.float32(max(instrument.attack_s, 1e-3)))
    fall = instrument.sustain + (1 - instrument.sustain) * np.exp(-time / np.float32(instrument.decay_s))
    end = np.clip((np.float32(seconds + instrument.release_s) - time) / np.float32(instrument.release_s), 0, 1)
    envelope: Audio = (rise * fall * end).astype(np.float32)
    return envelope


def wavetables(instrument: Instrument, value: float, generator: np.random.Generator) -> tuple[Audio, Audio]:
    """One period at the attack and one at rest, with no harmonic above what the rate can carry."""
    hertz = frequency(value)
    number = np.arange(1, max(2, min(TABLE // 4, int(0.45 * RATE / hertz))))
    weight = np.where(number % 2 == 0, instrument.even, 1.0)
    if instrument.formant > 0:
        weight = weight * (0.35 + np.exp(-((np.log2(number * hertz / instrument.formant)) ** 2)))
    phase = np.exp(2j * np.pi * generator.uniform(size=len(number)))
    tables = []
    for slope in (instrument.slope, instrument.dark_slope):
        spectrum = np.zeros(TABLE // 2 + 1, np.complex128)
        spectrum[number] = weight * number**-slope * phase
        table = np.fft.irfft(spectrum)
        tables.append((table / np.abs(table).max()).astype(np.float32))
    return tables[0], tables[1]
