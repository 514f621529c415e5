"""One clip of the corpus: which artist plays, how long, and in what kind of file it comes."""

import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
import soxr

from timbre.data.sources.synthetic.composer import compose
from timbre.data.sources.synthetic.genres import GENRES
from timbre.data.sources.synthetic.instruments import RATE
from timbre.data.sources.synthetic.player import ducking, echoed, play_drums, play_notes
from timbre.data.sources.synthetic.production import Stereo, Track, master, mix
from timbre.data.sources.synthetic.style import Artist, meet


@dataclass(frozen=True, kw_only=True)
class Carrier:
    """A kind of file, and how often it comes. The kinds have nothing to do with the genres."""

    suffix: str
    rate: int
    channels: int
    share: float


CARRIERS = (  # LAME takes 0.3 s for a mono clip at 22 kHz and five times that for stereo at 44 kHz: hence the shares
    Carrier(suffix="mp3", rate=22_050, channels=1, share=0.28),
    Carrier(suffix="mp3", rate=32_000, channels=1, share=0.06),
    Carrier(suffix="mp3", rate=44_100, channels=1, share=0.06),
    Carrier(suffix="mp3", rate=44_100, channels=2, share=0.06),
    Carrier(suffix="wav", rate=22_050, channels=1, share=0.18),
    Carrier(suffix="wav", rate=22_050, channels=2, share=0.12),
    Carrier(suffix="wav", rate=32_000, channels=1, share=0.08),
    Carrier(suffix="wav", rate=44_100, channels=2, share=0.08),
    Carrier(suffix="wav", rate=48_000, channels=1, share=0.08),
)
LEVEL_DB = (-30.0, -12.0)
SHORT_SHARE, SHORTEST = 0.3, 0.4
"""Share of clips that are shorter than asked, and the length of the shortest in parts of the whole."""


@dataclass(frozen=True, kw_only=True)
class Order:
    """A clip to be made: everything that decides its bytes."""

    genre: str
    artist: int
    number: int
    seed: int
    clip_seconds: float

    @property
    def carrier(self) -> Carrier:
        """The kind of file it comes in; known before anything is composed."""
        shares = np.array([carrier.share for carrier in CARRIERS])
        return CARRIERS[int(self._dice("carrier").choice(len(CARRIERS), p=shares / shares.sum()))]

    @property
    def path(self) -> str:
        """Where it goes, relative to the corpus."""
        return f"{self.genre}/{self.artist:02d}-{self.number:03d}.{self.carrier.suffix}"

    def record(self) -> tuple[Stereo, int]:
        """Compose, play and mix it: float32 [T, channels] and the rate."""
        artist = meet(GENRES[self.genre], self._dice("artist", of_artist=True))
        generator = self._dice("song")
        seconds = self.clip_seconds
        if generator.uniform() < SHORT_SHARE:
            seconds *= float(generator.uniform(SHORTEST, 1.0))
        record = _perform(artist, seconds=seconds, channels=self.carrier.channels, generator=generator)
        record = master(record, level_db=float(generator.uniform(*LEVEL_DB)))
        samples: Stereo = soxr.resample(record.T, RATE, self.carrier.rate, quality="HQ")
        return samples, self.carrier.rate

    def write(self, root: Path) -> None:
        """Write the file, whole or not at all."""
        samples, rate = self.record()
        content = io.BytesIO()  # not straight to the disk: libsndfile hides why that failed
        if self.carrier.suffix == "mp3":
            quality = float(self._dice("quality").uniform(0.2, 0.9))
            soundfile.write(content, samples, rate, format="MP3", bitrate_mode="VARIABLE", compression_level=quality)
        else:
            soundfile.write(content, samples, rate, format="WAV", subtype="PCM_16")
        path = root / self.path
        unfinished = path.with_name(f".{path.name}.new")
        unfinished.write_bytes(content.getbuffer())
        unfinished.replace(path)

    def _dice(self, purpose: str, *, of_artist: bool = False) -> np.random.Generator:
        """Random numbers for one purpose, the same on every machine and in any order of work."""
        words = [purpose, self.genre, str(self.artist)] + ([] if of_artist else [str(self.number)])
        return np.random.default_rng([self.seed, *"/".join(words).encode()])


def _perform(artist: Artist, *, seconds: float, channels: int, generator: np.random.Generator) -> Stereo:
    song = compose(artist, seconds=seconds, generator=generator)
    length = int(seconds * RATE)
    duck = ducking(song, depth=artist.duck, length=length) if artist.duck else None
    tracks = {}
    for role, player in artist.players.items():
        samples = play_notes(player.instrument, song.notes[role], length=length, generator=generator)
        if player.echo:
            samples = echoed(samples, delay_s=0.75 * song.beat_s, feedback=0.45)
        if duck is not None:
            samples *= duck
        tracks[role] = Track(samples=samples, level_db=player.level_db, pan=player.pan, wet=player.part.wet)
    if song.hits:
        drums = play_drums(artist.kit, song.hits, length=length, generator=generator)
        tracks["drums"] = Track(samples=drums, level_db=artist.genre.drums_db, pan=0.0, wet=0.15)
    return mix(tracks, artist.production, channels=channels, generator=generator)
