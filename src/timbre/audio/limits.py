"""What a file may be like to be taken for music; the limits that hold before anything is allocated for it."""

SAMPLE_RATE_MIN, SAMPLE_RATE_MAX = 8_000, 192_000
CHANNELS_MAX = 8
SECONDS_MIN = 1.0

DECODE_TIMEOUT_S = 60.0
"""Wall time that decoding one file may take, where nothing else is asked."""
DECODE_MEMORY_BYTES = 256 * 2**20
"""Memory that a decode process may take for one file beyond what it holds when idle, where nothing else is asked."""

PEAK_MAX = 65_536.0
"""Largest |sample| taken for audio. Decoded MP3s pass 1.0 now and then, and a float file may hold 16-bit integers
unscaled; both are heard as they are. What is larger is not audio, and would overflow float32 in a power spectrum."""
