"""Whether bytes begin a real MPEG Layer III stream: a chain of frames that hold together, not just a sync word.

Layout and limits: ISO/IEC 11172-3 (MPEG-1) and 13818-3 (MPEG-2, 2.5), frame header and Layer III side information.
"""

from dataclasses import dataclass

FRAMES = 4
"""Frames in a row that must hold together. A file shorter than that may end in the middle of the last."""

BIG_VALUES_MAX = 288
BITRATES_MPEG1 = (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320)
BITRATES_MPEG2 = (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160)
SAMPLE_RATES_MPEG1 = (44100, 48000, 32000)
RATE_DIVISOR = {3: 1, 2: 2, 0: 4}  # by the header's version bits: MPEG-1, MPEG-2, MPEG-2.5


@dataclass(frozen=True, kw_only=True)
class _Frame:
    size: int
    family: tuple[int, int]
    """What may not change from frame to frame: version and sample rate."""


def starts_stream(head: bytes) -> bool:
    """Whether `head` begins with Layer III frames that follow one another and whose side information is possible.

    A decoder takes a run of bare sync words for a stream; here it fails, because read as side information they are
    impossible.
    """
    at, family = 0, None
    for seen in range(FRAMES):
        if seen and at >= len(head):
            return True
        frame = _frame(head, at)
        if frame is None or (family is not None and frame.family != family):
            return False
        at, family = at + frame.size, frame.family
    return True


def _frame(head: bytes, at: int) -> _Frame | None:
    if len(head) < at + 4 or head[at] != 0xFF or head[at + 1] & 0xE0 != 0xE0:
        return None
    version, layer, has_crc = head[at + 1] >> 3 & 3, head[at + 1] >> 1 & 3, not head[at + 1] & 1
    bitrate_index, rate_index, padding = head[at + 2] >> 4, head[at + 2] >> 2 & 3, head[at + 2] >> 1 & 1
    if version not in RATE_DIVISOR or layer != 1 or bitrate_index in (0, 15) or rate_index == 3:
        return None
    mpeg1, mono = version == 3, head[at + 3] >> 6 == 3
    sample_rate = SAMPLE_RATES_MPEG1[rate_index] // RATE_DIVISOR[version]
    bitrate = (BITRATES_MPEG1 if mpeg1 else BITRATES_MPEG2)[bitrate_index] * 1000
    body = at + 4 + 2 * has_crc
    if head[at : at + 4] == head[at + 4 : at + 8] or not _side_info_is_possible(head[body:], mpeg1=mpeg1, mono=mono):
        return None
    return _Frame(size=(144 if mpeg1 else 72) * bitrate // sample_rate + padding, family=(version, rate_index))


def _side_info_is_possible(body: bytes, *, mpeg1: bool, mono: bool) -> bool:
    """Check every granule's `big_values` and block type; both are what a decoder itself gives up on."""
    channels = 1 if mono else 2
    granules = 2 if mpeg1 else 1
    if mpeg1:
        first, stride = (18 if mono else 20), 59
    else:
        first, stride = (9 if mono else 10), 63
    bits = int.from_bytes(body[:32].ljust(32, b"\0"), "big")
    for granule in range(granules * channels):
        start = first + granule * stride
        big_values = bits >> (256 - start - 21) & 0x1FF
        switching = first + granule * stride + 21 + 8 + (4 if mpeg1 else 9)
        window, block_type = bits >> (255 - switching) & 1, bits >> (253 - switching) & 3
        if big_values > BIG_VALUES_MAX or (window and block_type == 0):
            return False
    return True
