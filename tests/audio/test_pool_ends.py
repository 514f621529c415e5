"""How decode processes end: with their pool, with their parent, and never by themselves."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import CancelledError
from pathlib import Path

import numpy as np
import psutil
import pytest

from tests.audio.conftest import RATE, the_child, wait_until
from timbre.audio import DecodePool, SlotArena


def test_closing_leaves_no_process_thread_or_descriptor(arena: SlotArena, song: Path) -> None:
    me = psutil.Process()
    before = me.num_fds(), me.num_threads(), me.children()
    for _ in range(3):
        with DecodePool(arena=arena, sample_rate=RATE, workers=2, timeout_s=5) as pool:
            wait_until(lambda: len(pool.pids()) == 2)
            os.kill(pool.pids()[0], signal.SIGKILL)
            assert pool.submit(song, 0).result().samples > 0
    wait_until(lambda: (me.num_fds(), me.num_threads(), me.children()) == before)  # the kernel is a moment behind join


def test_closing_cancels_what_waits_and_what_runs(arena: SlotArena, song: Path) -> None:
    pool = DecodePool(arena=arena, sample_rate=RATE, workers=1)
    os.kill(the_child(pool), signal.SIGSTOP)
    jobs = [pool.submit(song, slot) for slot in range(4)]
    wait_until(jobs[0].running)
    started = time.monotonic()
    pool.close()
    assert time.monotonic() - started < 5
    for job in jobs:
        with pytest.raises(CancelledError):
            job.result()
    with pytest.raises(RuntimeError, match="closed"):
        pool.submit(song, 0)
    pool.close()


def test_closing_does_not_wait_for_a_child_that_hangs_while_it_starts(
    arena: SlotArena, song: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    hangs = tmp_path / "python"
    hangs.write_text("#!/bin/sh\nexec sleep 60\n")
    hangs.chmod(0o700)
    monkeypatch.setattr(sys, "executable", str(hangs))
    pool = DecodePool(arena=arena, sample_rate=RATE, workers=1)
    job = pool.submit(song, 0)
    wait_until(lambda: len(psutil.Process().children()) > 0)
    started = time.monotonic()
    pool.close()
    assert time.monotonic() - started < 5
    assert job.cancelled()
    assert caplog.messages == []


def test_a_cancelled_job_is_not_done(pool: DecodePool, arena: SlotArena, song: Path) -> None:
    arena.rows[:] = 9
    child = the_child(pool)
    os.kill(child, signal.SIGSTOP)
    first, second = pool.submit(song, 0), pool.submit(song, 1)
    wait_until(first.running)
    assert second.cancel()
    os.kill(child, signal.SIGCONT)
    first.result()
    pool.submit(song, 2).result()
    assert (arena.row(1) == 9).all()


PARENT = """
import os, sys, threading, time
from pathlib import Path
from timbre.audio import DecodePool, SlotArena

arena = SlotArena.create(slots=2, slot_samples=20 * 60 * 22050)
pool = DecodePool(arena=arena, sample_rate=22050, workers=2)
while len(pool.pids()) < 2:
    time.sleep(0.01)
if "holder" in sys.argv:  # somebody else who holds our ends of the pipes
    holder = os.fork()
    if holder == 0:
        os.setsid()
        time.sleep(60)
    print("holder", holder, flush=True)
for round in range(1000):
    jobs = [pool.submit(Path(sys.argv[1]), slot) for slot in range(2)]
    if round == 0:
        print(*pool.pids(), flush=True)
    for job in jobs:
        job.result()
"""


@pytest.mark.parametrize("holder", [[], ["holder"]])
def test_children_end_with_a_parent_that_is_killed_in_the_middle_of_a_decode(
    tmp_path: Path, write: Callable[..., Path], holder: list[str]
) -> None:
    long = write("long.flac", np.zeros((5 * 60 * 44100, 1), np.float32))
    words = [sys.executable, "-c", PARENT, str(long), *holder]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        holder_pid = int(parent.stdout.readline().split()[1]) if holder else None
        children = [psutil.Process(int(pid)) for pid in parent.stdout.readline().split()]
        assert len(children) == 2
        time.sleep(0.05)
        parent.kill()
        try:
            _, alive = psutil.wait_procs(children, timeout=10)
        finally:
            if holder_pid:
                os.kill(holder_pid, signal.SIGKILL)
        assert alive == []


def test_ctrl_c_is_the_parents_alone(write: Callable[..., Path]) -> None:
    long = write("long.flac", np.zeros((5 * 60 * 44100, 1), np.float32))
    words = [sys.executable, "-c", PARENT, str(long)]
    with subprocess.Popen(
        words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as parent:
        assert parent.stdout is not None
        children = [psutil.Process(int(pid)) for pid in parent.stdout.readline().split()]
        os.killpg(parent.pid, signal.SIGINT)  # as a terminal does it: to the whole group
        for child in children:  # and as a supervisor may do it: to each
            with contextlib.suppress(psutil.NoSuchProcess):
                child.send_signal(signal.SIGINT)
        _, said = parent.communicate(timeout=30)
        assert said.count("Traceback") == 1
        assert said.rstrip().endswith("KeyboardInterrupt")
        assert psutil.wait_procs(children, timeout=10)[1] == []


def test_works_in_a_fork_of_a_process_with_threads(song: Path) -> None:
    code = """
import os, sys, threading, warnings
from pathlib import Path
from timbre.audio import DecodePool, SlotArena
warnings.simplefilter("ignore")
threading.Thread(target=threading.Event().wait, daemon=True).start()
arena = SlotArena.create(slots=2, slot_samples=44100)  # made before the fork, used after it
child = os.fork()
if child == 0:
    with DecodePool(arena=arena, sample_rate=22050, workers=2) as pool:
        print(pool.submit(Path(sys.argv[1]), 1).result().samples, flush=True)
    os._exit(0)
os.waitpid(child, 0)
print(bool(arena.row(1).any()), flush=True)
"""
    words = [sys.executable, "-c", code, str(song)]
    done = subprocess.run(words, capture_output=True, text=True, check=True, timeout=60)
    samples, shared = done.stdout.split()
    assert int(samples) > RATE
    assert shared == "True"
    assert done.stderr == ""


def test_a_numpy_in_the_users_folder_is_not_ours(arena: SlotArena, song: Path, monkeypatch, tmp_path: Path) -> None:
    (tmp_path / "numpy.py").write_text("raise SystemExit(3)")
    monkeypatch.chdir(tmp_path)
    with DecodePool(arena=arena, sample_rate=RATE, workers=1) as pool:
        assert pool.submit(song, 0).result().samples > 0


def test_a_child_imports_little(pool: DecodePool) -> None:
    child = psutil.Process(the_child(pool))
    assert child.memory_info().rss < 90 * 2**20
    assert child.num_threads() == 1
    maps = {Path(region.path).name for region in child.memory_maps()}
    assert not any("onnxruntime" in name or "torch" in name for name in maps)
