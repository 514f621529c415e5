"""Drums and cymbals made of sine sweeps and shaped noise."""

from dataclasses import dataclass, replace

import numpy as np

from timbre.data.sources.synthetic.instruments import RATE, Audio


@dataclass(frozen=True, kw_only=True)
class Kit:
    """A drum set; an artist bends it and keeps it.

    Attributes:
        kick_hz, kick_sweep, kick_s: pitch of the kick, how far above it starts (in times), and its decay.
        click: noise at the kick's beginning.
        snare_hz, snare_s, snare_tone: its drumhead, decay, and the head's share against the wires.
        hat_hz, hat_s: where the hi-hat's noise begins, and its decay when closed.
        ride_hz: lowest mode of the ride cymbal.
    """

    kick_hz: float
    kick_sweep: float
    kick_s: float
    click: float
    snare_hz: float
    snare_s: float
    snare_tone: float
    hat_hz: float
    hat_s: float
    ride_hz: float

    def bent(self, generator: np.random.Generator) -> "Kit":
        """The same set, tuned by someone else."""
        return replace(
            self, **{name: value * float(np.exp(generator.normal(0, 0.15))) for name, value in vars(self).items()}
        )


KITS = {
    "rock": Kit(
        kick_hz=62, kick_sweep=2.5, kick_s=0.14, click=0.35, snare_hz=190, snare_s=0.14, snare_tone=0.5,
        hat_hz=5500, hat_s=0.05, ride_hz=420,
    ),
    "tight": Kit(
        kick_hz=70, kick_sweep=3.5, kick_s=0.07, click=0.9, snare_hz=210, snare_s=0.10, snare_tone=0.4,
        hat_hz=6000, hat_s=0.035, ride_hz=480,
    ),
    "jazz": Kit(
        kick_hz=75, kick_sweep=1.6, kick_s=0.12, click=0.1, snare_hz=230, snare_s=0.10, snare_tone=0.35,
        hat_hz=5000, hat_s=0.07, ride_hz=380,
    ),
    "machine": Kit(
        kick_hz=48, kick_sweep=5.0, kick_s=0.22, click=0.15, snare_hz=180, snare_s=0.12, snare_tone=0.35,
        hat_hz=6500, hat_s=0.04, ride_hz=520,
    ),
    "deep": Kit(
        kick_hz=42, kick_sweep=3.5, kick_s=0.35, click=0.1, snare_hz=170, snare_s=0.16, snare_tone=0.45,
        hat_hz=6000, hat_s=0.045, ride_hz=450,
    ),
    "dusty": Kit(
        kick_hz=58, kick_sweep=2.0, kick_s=0.16, click=0.25, snare_hz=185, snare_s=0.16, snare_tone=0.55,
        hat_hz=4200, hat_s=0.05, ride_hz=360,
    ),
}  # fmt: skip


def kick(kit: Kit, generator: np.random.Generator) -> Audio:
    """Bass drum."""
    time = _time(4 * kit.kick_s)
    turns = kit.kick_hz * (time + (kit.kick_sweep - 1) * 0.025 * (1 - np.exp(-time / 0.025)))
    body = np.sin(2 * np.pi * turns) * np.exp(-time / kit.kick_s)
    return _finish(body + kit.click * _noise(len(time), generator, low=1500) * np.exp(-time / 0.004), time)


def snare(kit: Kit, generator: np.random.Generator) -> Audio:
    """Snare drum."""
    time = _time(4 * kit.snare_s)
    head = np.sin(2 * np.pi * kit.snare_hz * (time + 0.008 * (1 - np.exp(-time / 0.01)))) * np.exp(-time / 0.07)
    wires = _noise(len(time), generator, low=900, high=9000) * np.exp(-time / kit.snare_s)
    return _finish(kit.snare_tone * head + (1 - kit.snare_tone) * 1.5 * wires, time)


def brush(kit: Kit, generator: np.random.Generator) -> Audio:
    """Snare drum stroked with a brush."""
    time = _time(0.3)
    stroke = np.minimum(1, time / 0.05) * np.exp(-time / 0.09)
    return _finish(_noise(len(time), generator, low=1800, high=8000) * stroke * (0.8 + 0.2 * kit.snare_tone), time)


def rim(kit: Kit, generator: np.random.Generator) -> Audio:
    """Cross-stick."""
    time = _time(0.09)
    wood = np.sin(2 * np.pi * 8.5 * kit.snare_hz * time) + 0.6 * np.sin(2 * np.pi * 4.1 * kit.snare_hz * time)
    return _finish((wood + 0.4 * _noise(len(time), generator, low=1000)) * np.exp(-time / 0.014), time)


def clap(kit: Kit, generator: np.random.Generator) -> Audio:
    """Hand clap: four bursts."""
    time = _time(0.3)
    bursts = sum(np.exp(-np.abs(time - start) / 0.004) for start in (0.0, 0.011, 0.023))
    tail = np.where(time > 0.03, np.exp(-(time - 0.03) / kit.snare_s), 0)
    return _finish(_noise(len(time), generator, low=900, high=4500) * (bursts + tail), time)


def hat(kit: Kit, generator: np.random.Generator) -> Audio:
    """Closed hi-hat."""
    time = _time(5 * kit.hat_s)
    return _finish(_noise(len(time), generator, low=kit.hat_hz) * np.exp(-time / kit.hat_s), time)


def open_hat(kit: Kit, generator: np.random.Generator) -> Audio:
    """Open hi-hat."""
    time = _time(0.5)
    return _finish(_noise(len(time), generator, low=0.9 * kit.hat_hz) * np.exp(-time / 0.16), time)


def ride(kit: Kit, generator: np.random.Generator) -> Audio:
    """Ride cymbal: many modes and a little noise."""
    time = _time(0.7)
    modes = kit.ride_hz * np.cumprod(generator.uniform(1.18, 1.42, 9))
    ring = sum(np.sin(2 * np.pi * hertz * time + hertz) * np.exp(-time / 0.25) for hertz in modes[modes < 0.45 * RATE])
    return _finish(0.2 * ring + 0.5 * _noise(len(time), generator, low=4000) * np.exp(-time / 0.08), time)


def crash(kit: Kit, generator: np.random.Generator) -> Audio:
    """Crash cymbal."""
    time = _time(1.6)
    return _finish(_noise(len(time), generator, low=0.5 * kit.hat_hz) * np.exp(-time / 0.5), time)


def tom(kit: Kit, generator: np.random.Generator) -> Audio:
    """Tom."""
    time = _time(0.5)
    turns = 1.9 * kit.kick_hz * (time + 0.02 * (1 - np.exp(-time / 0.04)))
    stick = 0.2 * _noise(len(time), generator, low=800) * np.exp(-time / 0.01)
    return _finish(np.sin(2 * np.pi * turns) * np.exp(-time / 0.16) + stick, time)


def shaker(kit: Kit, generator: np.random.Generator) -> Audio:
    """Shaker."""
    time = _time(0.14)
    swish = np.exp(-(((time - 0.04) / 0.025) ** 2))
    return _finish(_noise(len(time), generator, low=0.8 * kit.hat_hz) * swish, time)


DRUMS = {
    "kick": kick,
    "snare": snare,
    "brush": brush,
    "rim": rim,
    "clap": clap,
    "hat": hat,
    "open hat": open_hat,
    "ride": ride,
    "crash": crash,
    "tom": tom,
    "shaker": shaker,
}
LEVELS = {
    "kick": 1.0,
    "snare": 0.9,
    "brush": 0.5,
    "rim": 0.6,
    "clap": 0.7,
    "hat": 0.4,
    "open hat": 0.45,
    "ride": 0.5,
    "crash": 0.6,
    "tom": 0.8,
    "shaker": 0.35,
}


def _time(seconds: float) -> Audio:
    return np.arange(int(seconds * RATE), dtype=np.float32) / np.float32(RATE)


def _noise(length: int, generator: np.random.Generator, *, low: float, high: float = RATE / 2) -> Audio:
    """Noise between two frequencies, peak about 1."""
    spectrum = np.fft.rfft(generator.standard_normal(length))
    hertz = np.fft.rfftfreq(length, 1 / RATE) + 1e-9
    spectrum /= np.sqrt((1 + (low / hertz) ** 6) * (1 + (hertz / high) ** 8))
    noise: Audio = np.fft.irfft(spectrum, length).astype(np.float32)
    noise /= np.abs(noise).max()
    return noise


def _finish(sound: Audio, time: Audio) -> Audio:
    """Peak 1 and no click at the end."""
    end = np.minimum(1, (time[-1] - time) / np.float32(0.01))
    finished: Audio = (sound * end / np.abs(sound).max()).astype(np.float32)
    return finished
