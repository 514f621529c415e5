"""One uploaded file: from the chunks of a multipart body to a file on disk under a name of our own."""

import errno
import os
import tempfile
import unicodedata
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from timbre.serving.problems import Problem

if TYPE_CHECKING:
    from python_multipart.multipart import MultipartCallbacks

FIELD = "file"
DISPLAY_NAME_MAX = 255
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT)


@dataclass(frozen=True, kw_only=True)
class Upload:
    """A received file.

    Attributes:
        path: where it lies; the name is ours.
        size: in bytes.
        display_name: what the client called it, made safe to show; never used as a path.
    """

    path: Path
    size: int
    display_name: str

    def delete(self) -> None:
        """Remove the file."""
        self.path.unlink(missing_ok=True)


def display_name(raw: bytes) -> str:
    """A client's file name as text that can be shown: printable, of one direction, at most 255 characters."""
    text = raw.decode("utf-8", errors="replace")
    # Category C holds control, bidirectional and other format characters, surrogates and what is unassigned; of the
    # separators (Z) only the blank is kept.
    shown = "".join(
        c if c == " " or unicodedata.category(c)[0] not in "CZ" else "\N{REPLACEMENT CHARACTER}" for c in text
    )
    return shown[:DISPLAY_NAME_MAX]


async def receive_upload(content_type: str, chunks: AsyncIterator[bytes], folder: Path) -> Upload:
    """Write the one file of a form to disk while it comes in; on any failure nothing is left there.

    Raises:
        Problem: `wrong_form`, if the body is not a multipart form with exactly one part, a file in field `file`.
    """
    kind, options = parse_options_header(content_type)
    boundary = options.get(b"boundary")
    if kind != b"multipart/form-data" or not boundary:
        raise Problem("wrong_form", "send a multipart/form-data body with the audio in field `file`")
    descriptor, name = tempfile.mkstemp(dir=folder)
    path = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            form = _OneFileForm(file)
            try:
                parser = MultipartParser(boundary, form.callbacks())
                async for chunk in chunks:
                    parser.write(chunk)
                parser.finalize()
            except FormParserError as error:
                raise Problem("wrong_form", "the multipart body is damaged or incomplete") from error
        return form.finished(path)
    except BaseException as error:
        path.unlink(missing_ok=True)
        if isinstance(error, OSError) and error.errno in _NO_ROOM:
            raise Problem("storage_full") from error
        raise


class _OneFileForm:
    """What the parser reports of the form; refuses everything but one file in the one field as soon as it is seen."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._parts = 0
        self._size = 0
        self._ended = False
        self._header_name = b""
        self._header_value = b""
        self._disposition = b""
        self._filename = b""

    def callbacks(self) -> "MultipartCallbacks":
        """In the parser's own words."""
        return {
            "on_part_begin": self._part_begins,
            "on_header_field": self._header_field,
            "on_header_value": self._header_text,
            "on_header_end": self._header_ends,
            "on_headers_finished": self._headers_end,
            "on_part_data": self._data,
            "on_end": self._form_ends,
        }

    def finished(self, path: Path) -> Upload:
        """The upload, once the body has ended.

        Raises:
            Problem: `wrong_form`, if the form had no file or broke off.
        """
        if not self._ended:
            raise Problem("wrong_form", "the multipart body is damaged or incomplete")
        if not self._parts:
            raise Problem("wrong_form", "the form has no field `file`")
        return Upload(path=path, size=self._size, display_name=display_name(self._filename))

    def _part_begins(self) -> None:
        self._parts += 1
        if self._parts > 1:
            raise Problem("wrong_form", "the form must have the one field `file` and nothing else")

    def _header_field(self, data: bytes, start: int, end: int) -> None:
        self._header_name += data[start:end]

    def _header_text(self, data: bytes, start: int, end: int) -> None:
        self._header_value += data[start:end]

    def _header_ends(self) -> None:
        if self._header_name.lower() == b"content-disposition":
            self._disposition = self._header_value
        self._header_name = self._header_value = b""

    def _headers_end(self) -> None:
        _, options = parse_options_header(self._disposition)
        if options.get(b"name") != FIELD.encode() or b"filename" not in options:
            raise Problem("wrong_form", "the audio must come as a file in the form field `file`")
        self._filename = options[b"filename"]

    def _data(self, data: bytes, start: int, end: int) -> None:
        self._file.write(memoryview(data)[start:end])
        self._size += end - start

    def _form_ends(self) -> None:
        self._ended = True
