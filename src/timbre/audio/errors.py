"""Why a file could not become a waveform: fixed codes, each with one fixed sentence."""

from types import MappingProxyType

from timbre.audio.limits import CHANNELS_MAX, SAMPLE_RATE_MAX, SAMPLE_RATE_MIN, SECONDS_MIN
from timbre.errors import TimbreError

SENTENCES = MappingProxyType(
    {
        "unsupported_format": "this is not a WAV, MP3, FLAC or OGG Vorbis file",
        "corrupt_audio": "the audio is damaged and cannot be decoded",
        "too_short": f"the audio is shorter than {SECONDS_MIN:g} s",
        "bad_sample_rate": f"the sample rate is outside {SAMPLE_RATE_MIN} to {SAMPLE_RATE_MAX} Hz",
        "bad_channels": f"the audio has more than {CHANNELS_MAX} channels",
        "not_finite": "the audio holds samples that are not finite or absurdly large",
        "decode_timeout": "decoding took longer than is allowed",
        "decode_memory": "decoding needed more memory than is allowed",
        "empty_file": "the file is empty",
        "unreadable": "the file cannot be opened and read",
    }
)
"""Every code with the sentence people see. Neither ever holds a path or a library's words."""


class AudioError(TimbreError):
    """A file that cannot become a waveform.

    The text is the code's sentence, so it may be shown to anyone.

    Attributes:
        code: one of `SENTENCES`; stable, for programs.
        detail: what the decoding library said, for logs only: it may hold anything.
    """

    def __init__(self, code: str, detail: str = "") -> None:
        assert code in SENTENCES, code
        super().__init__(code, detail)
        self.code = code
        self.detail = detail

    def __str__(self) -> str:
        return SENTENCES[self.code]
