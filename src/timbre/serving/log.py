"""Logs: one line per event on stderr, from every process of the server in one form."""

import logging
import sys
import time


class _OneLine(logging.Formatter):
    """Time in UTC, level, process, logger, text; a line break inside the text becomes a blank in all but tracebacks."""

    converter = staticmethod(time.gmtime)

    def __init__(self) -> None:
        super().__init__(
            "%(asctime)s.%(msecs)03dZ %(levelname)s %(processName)s[%(process)d] %(name)s: %(message)s",
            "%Y-%m-%dT%H:%M:%S",
        )

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - the base class's name
        return super().formatMessage(record).replace("\r", " ").replace("\n", " ")


def configure_logging(level: str) -> None:
    """Send this process's logs to stderr; take over what LitServe and uvicorn set up for themselves."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_OneLine())
    logging.basicConfig(handlers=[handler], level=level.upper(), force=True)
    for name in ("litserve", "uvicorn", "uvicorn.error", "uvicorn.access", "python_multipart"):
        library = logging.getLogger(name)
        library.handlers.clear()
        library.propagate = True
        library.setLevel(logging.ERROR)  # below that is what clients did wrong, in their words and at their rate
