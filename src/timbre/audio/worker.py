"""What runs in a decode process: one job after the other, from a pipe, into shared memory, under a memory limit.

Started as `python -m timbre.audio.worker` by `timbre.audio.child`; a job is a line of JSON, and so is its reply.
"""

import ctypes
import hashlib
import json
import os
import resource
import signal
import sys
import time
from pathlib import Path
from typing import Any

from timbre.audio.arena import SlotArena
from timbre.audio.decode import decode_into
from timbre.audio.errors import AudioError
from timbre.audio.shape import window_count

_PR_SET_PDEATHSIG = 1


def main() -> None:
    """Serve jobs until the parent closes the pipe or ends."""
    parent, arena_name, sample_rate, window_samples, memory_bytes = sys.argv[1], sys.argv[2], *map(int, sys.argv[3:6])
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _end_with(int(parent))
    arena = SlotArena.attach(arena_name)
    replies = _keep_stdout_to_ourselves()
    _limit_memory(memory_bytes)
    os.write(replies, b"ready\n")
    for line in sys.stdin.buffer:
        path, slot, checksum = json.loads(line)
        reply = _run(Path(path), arena, slot, sample_rate=sample_rate, window_samples=window_samples, checksum=checksum)
        os.write(replies, json.dumps(reply).encode() + b"\n")


def _run(
    path: Path, arena: SlotArena, slot: int, *, sample_rate: int, window_samples: int, checksum: bool
) -> dict[str, Any]:
    started = time.perf_counter()
    row = arena.row(slot)
    try:
        info = decode_into(path, row, sample_rate=sample_rate)
        samples = round(info.duration_s * sample_rate)
        row[samples : window_count(samples, window_samples) * window_samples] = 0.0
        digest = _sha256(path) if checksum else None
        decode_s = time.perf_counter() - started
        return {"info": vars(info), "samples": samples, "checksum": digest, "decode_s": decode_s}
    except AudioError as error:
        return {"code": error.code, "detail": error.detail}


def _sha256(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:  # gone or failing since it was decoded
        raise AudioError("unreadable", str(error)) from error


def _end_with(parent: int) -> None:
    """Have the kernel end this process with the parent's thread that started it, even in the middle of a decode."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        sys.exit(0)  # it ended before we had asked


def _keep_stdout_to_ourselves() -> int:
    """Move the reply pipe away from descriptor 1 and silence 1 and 2: libraries write there on every damaged frame."""
    replies = os.dup(1)
    silence = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silence, 1)
    os.dup2(silence, 2)
    os.close(silence)
    return replies


def _limit_memory(memory_bytes: int) -> None:
    """Limit the address space to what is in use now, the arena included, and `memory_bytes` more; no core dumps."""
    in_use = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (in_use + memory_bytes, in_use + memory_bytes))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


if __name__ == "__main__":
    main()
