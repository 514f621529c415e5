"""What kind of audio a file is, judged by its bytes alone: never by its name, never by what a client said."""

import os

from timbre.audio.errors import AudioError
from timbre.audio.mpeg import starts_stream

ZIP_END = b"PK\x05\x06"
ZIP_END_SIZE = 22
ZIP_COMMENT_MAX = 0xFFFF
ID3_HEADER_SIZE = 10
HEAD_SIZE = 16384  # holds the MP3 frames that are looked at, and an OGG page's header and first packet


def sniff(fd: int, size: int) -> str:
    """Tell the format of an open file from its first bytes (behind one ID3v2 block) and its last.

    Args:
        fd: the open file; its position is left alone.
        size: the file's length in bytes.

    Returns:
        `wav`, `mp3`, `flac` or `ogg` (Vorbis only).

    Raises:
        AudioError: `empty_file`, or `unsupported_format` for all else, audio that is also a ZIP archive included.
    """
    if size == 0:
        raise AudioError("empty_file")
    head = os.pread(fd, HEAD_SIZE, 0)
    tagged = id3_size(head)
    if tagged:
        head = os.pread(fd, HEAD_SIZE, tagged)
    kind = _kind(head)
    if kind is None or (tagged and kind not in ("mp3", "flac")):
        raise AudioError("unsupported_format", "no known signature at the start")
    if _is_zip(fd, size):
        raise AudioError("unsupported_format", "a ZIP archive as well")
    return kind


def id3_size(head: bytes) -> int:
    """Length in bytes of the ID3v2 block at the start of `head`, 0 if there is none."""
    if len(head) < ID3_HEADER_SIZE or head[:3] != b"ID3" or max(head[6:10]) > 0x7F:
        return 0
    has_footer = bool(head[5] & 0x10)
    body = head[6] << 21 | head[7] << 14 | head[8] << 7 | head[9]
    return ID3_HEADER_SIZE + body + ID3_HEADER_SIZE * has_footer


def _kind(head: bytes) -> str | None:
    if head[:4] == b"RIFF" and head[8:12] == b"WAVE":
        return "wav"
    if head[:4] == b"fLaC":
        return "flac"
    if head[:4] == b"OggS" and _first_packet(head).startswith(b"\x01vorbis"):
        return "ogg"
    return "mp3" if starts_stream(head) else None


def _first_packet(page: bytes) -> bytes:
    """The start of the first packet of an OGG page: behind the 27 fixed bytes and one byte per segment."""
    segments = page[26] if len(page) > 26 else 0
    return page[27 + segments :]


def _is_zip(fd: int, size: int) -> bool:
    """Whether any ZIP reader would open the file: an end record whose comment ends where the file ends."""
    tail = os.pread(fd, ZIP_END_SIZE + ZIP_COMMENT_MAX, max(0, size - ZIP_END_SIZE - ZIP_COMMENT_MAX))
    at = tail.rfind(ZIP_END)
    while at >= 0:
        comment = int.from_bytes(tail[at + 20 : at + 22], "little")
        if at + ZIP_END_SIZE + comment == len(tail):
            return True
        at = tail.rfind(ZIP_END, 0, at)
    return False
