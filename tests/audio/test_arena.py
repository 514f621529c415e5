"""Shared rows: the same memory for everyone who knows the name, gone with the last who maps it."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from timbre.audio import ArenaError, SlotArena


def run(code: str, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True, check=False, timeout=60)


def descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def test_rows_are_zero_and_neighbours() -> None:
    with SlotArena.create(slots=4, slot_samples=1000) as arena:
        assert arena.rows.shape == (4, 1000)
        assert arena.rows.dtype == np.float32
        assert not arena.rows.any()
        assert arena.rows[1:3].flags.c_contiguous
        arena.row(2)[:] = 7
        assert arena.rows.sum() == 7000


def test_a_stranger_maps_the_same_memory() -> None:
    code = """
import sys
from timbre.audio import SlotArena
with SlotArena.attach(sys.argv[1]) as arena:
    assert arena.slots, arena.slot_samples == (3, 500)
    print(arena.row(1).sum())
    arena.row(2)[:] = 2
"""
    with SlotArena.create(slots=3, slot_samples=500) as arena:
        arena.row(1)[:] = 1
        done = run(code, arena.name)
        assert (done.stdout, done.stderr, done.returncode) == ("500.0\n", "", 0)
        assert arena.row(2).sum() == 1000


def test_closing_gives_everything_back() -> None:
    before = descriptors()
    arena = SlotArena.create(slots=2, slot_samples=1000)
    attached = SlotArena.attach(arena.name)
    row = arena.row(0)
    row[:] = 3
    arena.close()
    arena.close()
    assert row.sum() == 3000  # a view that is still held stays valid
    assert attached.row(0).sum() == 3000
    del row
    attached.close()
    assert descriptors() == before


def test_nothing_is_left_when_the_creator_is_killed() -> None:
    shared = set(Path("/dev/shm").iterdir())
    code = """
import os, signal
from timbre.audio import SlotArena
arena = SlotArena.create(slots=2, slot_samples=1000)
arena.row(0)[:] = 1
print(arena.name, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""
    done = run(code)
    assert done.returncode == -9
    assert done.stderr == ""
    assert set(Path("/dev/shm").iterdir()) <= shared
    with pytest.raises(ArenaError, match="there is no audio arena"):
        SlotArena.attach(done.stdout.strip())


def test_no_arena_under_a_name(tmp_path: Path) -> None:
    with pytest.raises(ArenaError, match="there is no audio arena"):
        SlotArena.attach(str(tmp_path / "nothing"))
    (tmp_path / "short").write_bytes(b"ab")
    (tmp_path / "long").write_bytes(bytes(9999))
    for name in ("short", "long"):
        with pytest.raises(ArenaError, match="is not an audio arena"):
            SlotArena.attach(str(tmp_path / name))


def test_more_than_the_machine_has_is_one_clear_error() -> None:
    before = descriptors()
    with pytest.raises(ArenaError, match=r"cannot reserve \d+ MB of shared memory for 10000000 waveforms.*fewer slots"):
        SlotArena.create(slots=10_000_000, slot_samples=661_500)
    assert descriptors() == before


def test_no_address_space_is_one_clear_error() -> None:
    code = """
import os, resource
from timbre.audio import ArenaError, SlotArena
resource.setrlimit(resource.RLIMIT_AS, (600 * 2**20,) * 2)
before = len(os.listdir("/proc/self/fd"))
try:
    SlotArena.create(slots=1000, slot_samples=661_500)
except ArenaError as error:
    print(error)
assert len(os.listdir("/proc/self/fd")) == before
"""
    done = run(code)
    assert done.stdout == (
        "cannot reserve 2646 MB of shared memory for 1000 waveforms: Cannot allocate memory; use fewer slots\n"
    )
    assert done.stderr == ""


def test_nobody_can_take_the_memory_away() -> None:
    with SlotArena.create(slots=1, slot_samples=1000) as arena, pytest.raises(PermissionError):
        os.truncate(arena.name, 0)
