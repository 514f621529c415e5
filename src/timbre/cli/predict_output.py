"""How results of `timbre predict` are written: a table for people, JSON, JSON lines and CSV for programs."""

import csv
import json
import os
import sys
from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TextIO

from timbre.cli.console import printable
from timbre.contract import MODEL_NAME, ModelContract
from timbre.inference import FileResult, OnnxEngine

TABLE_TOP = 3
_PIPE_WIDTH = 160  # a table that is not on a terminal has nobody's width to keep to


def record(result: FileResult, engine: OnnxEngine, *, top_k: int | None) -> dict[str, Any]:
    """One result in the words of the HTTP answer; `top` is there if it was asked for, `error` if there is no answer."""
    model = {"name": MODEL_NAME, "version": engine.contract.version, "sha256": engine.sha256}
    path = show(result.path)
    if result.prediction is None or result.audio is None or result.processing_time_ms is None:
        assert result.error is not None
        error = {"code": result.error.code, "message": str(result.error)}
        return {"path": path, "status": "failed", "error": error, "model": model}
    prediction, audio = result.prediction, result.audio
    top = prediction.top(top_k) if top_k else []
    return {
        "path": path,
        "status": "completed",
        "genre": prediction.genre,
        "confidence": prediction.confidence,
        "all_probabilities": prediction.all_probabilities,
        **({"top": [{"genre": genre, "confidence": value} for genre, value in top]} if top_k else {}),
        "processing_time_ms": round(result.processing_time_ms, 3),
        "model": model,
        "audio": {
            "duration_ms": round(audio.info.duration_s * 1000),
            "format": audio.info.format,
            "checksum": audio.checksum,
        },
    }


def show(path: Path) -> str:
    """A path as text that any terminal and any reader of UTF-8 takes: other bytes and control characters escaped."""
    return printable(os.fsencode(path).decode("utf-8", "backslashreplace")).replace("\n", "\\n")


class Output(ABC):
    """Somewhere results go, one by one; a context manager, so that what has come is complete even if the run is not."""

    def __init__(self, contract: ModelContract, *, top_k: int | None) -> None:
        self.contract = contract
        self.top_k = top_k
        self.out: TextIO = sys.stdout

    def __enter__(self) -> "Output":
        return self

    @abstractmethod
    def write(self, entry: Mapping[str, Any]) -> None:
        """Take one record."""

    def __exit__(self, *_failure: object) -> None:
        self.out.flush()


class JsonLines(Output):
    """One JSON object per line, written as soon as it is known."""

    def write(self, entry: Mapping[str, Any]) -> None:
        """Write one line."""
        self.out.write(json.dumps(entry) + "\n")
        self.out.flush()


class JsonArray(Output):
    """One JSON array, an element per line; closed even after Ctrl-C."""

    def __enter__(self) -> "Output":
        self.out.write("[")
        self._separator = "\n"
        return self

    def write(self, entry: Mapping[str, Any]) -> None:
        """Write one element."""
        self.out.write(self._separator + json.dumps(entry))
        self._separator = ",\n"

    def __exit__(self, *_failure: object) -> None:
        self.out.write("\n]\n")
        self.out.flush()


class Csv(Output):
    """Comma-separated values with a header; a column `p_GENRE` per genre, or the genres of the top K by rank."""

    def __enter__(self) -> "Output":
        self._writer = csv.writer(self.out, lineterminator="\n")
        ranks = range(2, (self.top_k or 1) + 1)
        genres = (
            [f"{name}_{rank}" for rank in ranks for name in ("genre", "confidence")]
            if self.top_k
            else [f"p_{label}" for label in self.contract.labels]
        )
        facts = [
            "duration_ms",
            "format",
            "checksum",
            "processing_time_ms",
            "model_version",
            "error_code",
            "error_message",
        ]
        self._writer.writerow(["path", "status", "genre", "confidence", *genres, *facts])
        self._genre_columns = len(genres)
        return self

    def write(self, entry: Mapping[str, Any]) -> None:
        """Write one row."""
        audio, error = entry.get("audio", {}), entry.get("error", {})
        if self.top_k:
            genres = [value for place in entry.get("top", [])[1:] for value in (place["genre"], place["confidence"])]
        else:
            genres = list(entry.get("all_probabilities", {}).values())
        genres += [""] * (self._genre_columns - len(genres))
        values = [entry.get(name, "") for name in ("path", "status", "genre", "confidence")]
        facts = [audio.get(name, "") for name in ("duration_ms", "format", "checksum")]
        rest = [
            entry.get("processing_time_ms", ""),
            entry["model"]["version"],
            error.get("code", ""),
            error.get("message", ""),
        ]
        self._writer.writerow([*values, *genres, *facts, *rest])


class Table(Output):
    """A table for people, drawn when all is known; after Ctrl-C, of what was known by then."""

    def __enter__(self) -> "Output":
        self._entries: list[Mapping[str, Any]] = []
        return self

    def write(self, entry: Mapping[str, Any]) -> None:
        """Keep one row."""
        self._entries.append(entry)

    def __exit__(self, *_failure: object) -> None:
        from rich.console import Console
        from rich.table import Table as RichTable
        from rich.text import Text

        table = RichTable("file", "genre", "confidence", "then", "length")
        for entry in self._entries:
            if "error" in entry:
                table.add_row(Text(entry["path"]), "-", "-", Text(entry["error"]["message"], style="red"), "-")
                continue
            ranked = sorted(entry["all_probabilities"].items(), key=lambda item: -item[1])
            others = ", ".join(f"{genre} {value:.0%}" for genre, value in ranked[1 : self.top_k or TABLE_TOP])
            seconds = f"{entry['audio']['duration_ms'] / 1000:.1f} s"
            genre, confidence = Text(entry["genre"], style="bold"), f"{entry['confidence']:.0%}"
            table.add_row(Text(entry["path"]), genre, confidence, Text(others), seconds)
        for column in table.columns:
            column.overflow = "fold"  # a path is of no use with its end cut off
        if self._entries:
            console = Console(file=self.out, width=None if self.out.isatty() else _PIPE_WIDTH)
            with console.capture() as drawn:  # written by us, because rich ends the process if the reader went away
                console.print(table)
            self.out.write(drawn.get())
        self.out.flush()


OUTPUTS: Mapping[str, type[Output]] = {"table": Table, "json": JsonArray, "jsonl": JsonLines, "csv": Csv}
