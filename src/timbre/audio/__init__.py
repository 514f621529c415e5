"""From bytes or a path to a mono float32 waveform, bounded in time, memory and trust."""

from timbre.audio.arena import ArenaError, SlotArena
from timbre.audio.cores import usable_cores
from timbre.audio.decode import AudioInfo, Decoded, Waveform, decode
from timbre.audio.errors import AudioError
from timbre.audio.pool import DecodePool, SlotAudio
from timbre.audio.shape import fit, windows

__all__ = [
    "ArenaError",
    "AudioError",
    "AudioInfo",
    "DecodePool",
    "Decoded",
    "SlotArena",
    "SlotAudio",
    "Waveform",
    "decode",
    "fit",
    "usable_cores",
    "windows",
]
