"""Decode processes: the same audio as `decode`, each bounded, replaced when lost, and never left behind."""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError
from pathlib import Path

import numpy as np
import psutil
import pytest

from timbre.audio import AudioError, DecodePool, SlotArena, decode, fit
from timbre.audio import pool as pool_module
from timbre.audio.child import ChildStartError, DecodeChild

RATE = 22050
SLOT = 2 * RATE


def wait_until(condition: Callable[[], bool], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.01)


@pytest.fixture(scope="module")
def arena() -> Iterator[SlotArena]:
    with SlotArena.create(slots=4, slot_samples=SLOT) as arena:
        yield arena


@pytest.fixture(scope="module")
def pool(arena: SlotArena) -> Iterator[DecodePool]:
    """One pool for all tests: whatever they do to its child, it must stay of use to the next."""
    with DecodePool(arena=arena, sample_rate=RATE, workers=1) as pool:
        yield pool


@pytest.fixture
def song(sound: Callable[..., np.ndarray], write: Callable[..., Path]) -> Path:
    return write("song.mp3", sound(1.5))


def the_child(pool: DecodePool) -> int:
    """The process id of the only child, once it is ready."""
    wait_until(lambda: len(pool.pids()) == 1)
    return pool.pids()[0]


# --- decoding --------------------------------------------------------------------------------------------------------


def test_a_row_holds_what_decode_gives_and_then_silence(pool: DecodePool, arena: SlotArena, song: Path) -> None:
    arena.rows[:] = 9
    audio = pool.submit(song, 2).result()
    expected = decode(song, sample_rate=RATE, max_samples=SLOT)
    assert audio.info == expected.info
    assert audio.samples == len(expected.waveform)
    assert audio.checksum is None
    assert audio.decode_s > 0
    np.testing.assert_array_equal(arena.row(2), fit(expected.waveform, SLOT))
    assert (arena.rows[[0, 1, 3]] == 9).all()


def test_silence_goes_to_the_end_of_a_window(arena: SlotArena, song: Path) -> None:
    arena.rows[:] = 9
    with DecodePool(arena=arena, sample_rate=RATE, workers=1, window_samples=20_000) as pool:
        samples = pool.submit(song, 0).result().samples
    assert 20_000 < samples < 40_000
    assert not arena.row(0)[samples:40_000].any()
    assert (arena.row(0)[40_000:] == 9).all()


def test_names_of_any_bytes(pool: DecodePool, song: Path, tmp_path: Path) -> None:
    for name in ("neue\nzeile.mp3", "größe 🎵.mp3", os.fsdecode(b"latin-\xe9\xff.mp3"), "n" * 251 + ".mp3"):
        path = tmp_path / name
        path.write_bytes(song.read_bytes())
        assert pool.submit(path, 0).result().info.format == "mp3"


def test_faults_of_a_file_are_audio_errors(pool: DecodePool, put: Callable[..., Path], song: Path) -> None:
    text = put("text.mp3", b"hello")
    with pytest.raises(AudioError) as caught:
        pool.submit(text, 0).result()
    assert caught.value.code == "unsupported_format"
    assert caught.value.detail
    assert pool.submit(song, 0).result().samples > 0


def test_many_jobs_from_many_threads_of_asyncio(arena: SlotArena, song: Path) -> None:
    async def all_of(pool: DecodePool) -> list[int]:
        jobs = [asyncio.wrap_future(pool.submit(song, slot % 4)) for slot in range(20)]
        return [audio.samples for audio in await asyncio.gather(*jobs)]

    with DecodePool(arena=arena, sample_rate=RATE, workers=3) as pool:
        samples = asyncio.run(all_of(pool))
    assert len(set(samples)) == 1


def test_damage_is_survived(arena: SlotArena, sound: Callable[..., np.ndarray], write: Callable[..., Path]) -> None:
    """Files with bytes changed at random: every one is decoded or refused with a code, and nothing is left hanging."""
    generator = np.random.default_rng(11)
    jobs = []
    with DecodePool(arena=arena, sample_rate=RATE, workers=2, timeout_s=10) as pool:
        for kind in ("wav", "mp3", "flac", "ogg"):
            content = np.frombuffer(write(f"a.{kind}", sound(1.5)).read_bytes(), np.uint8)
            for number in range(15):
                bad = content.copy()
                where = generator.integers(0, len(bad) if number % 2 else 200, size=1 + 4 * (number % 5))
                bad[where] = generator.integers(0, 256, size=len(where))
                path = write(f"a.{kind}", sound(0.01)).with_name(f"{kind}{number}")
                path.write_bytes(bad.tobytes())
                jobs.append(pool.submit(path, number % 4))
        faults = [job.exception() for job in jobs]
    assert all(fault is None or isinstance(fault, AudioError) for fault in faults)
    assert not {fault.code for fault in faults if fault} & {"decode_timeout", "decode_memory"}
    assert None in faults


# --- limits and losses -----------------------------------------------------------------------------------------------


def test_a_job_that_hangs_is_ended_and_its_child_replaced(arena: SlotArena, song: Path) -> None:
    with DecodePool(arena=arena, sample_rate=RATE, workers=1, timeout_s=0.3) as pool:
        child = the_child(pool)
        os.kill(child, signal.SIGSTOP)
        with pytest.raises(AudioError) as caught:
            pool.submit(song, 0).result()
        assert caught.value.code == "decode_timeout"
        wait_until(lambda: pool.pids() not in ([], [child]))
        assert not psutil.pid_exists(child)
        assert pool.submit(song, 0).result().samples > 0


def test_a_child_that_dies_costs_a_retry_and_not_an_answer(pool: DecodePool, song: Path) -> None:
    child = the_child(pool)
    os.kill(child, signal.SIGSTOP)
    job = pool.submit(song, 0)
    time.sleep(0.1)
    os.kill(child, signal.SIGKILL)
    assert job.result().samples > 0
    assert the_child(pool) != child


def test_a_child_that_died_idle_is_replaced(pool: DecodePool, song: Path) -> None:
    os.kill(the_child(pool), signal.SIGKILL)
    assert pool.submit(song, 0).result().samples > 0


@pytest.mark.parametrize(("how", "code"), [(signal.SIGKILL, "decode_memory"), (signal.SIGSEGV, "corrupt_audio")])
def test_a_file_that_kills_every_child_is_refused(
    pool: DecodePool, song: Path, monkeypatch: pytest.MonkeyPatch, how: signal.Signals, code: str
) -> None:
    monkeypatch.setattr(pool_module, "TRIES", 1)
    child = the_child(pool)
    os.kill(child, signal.SIGSTOP)
    job = pool.submit(song, 0)
    time.sleep(0.1)
    os.kill(child, how)
    os.kill(child, signal.SIGCONT)
    with pytest.raises(AudioError) as caught:
        job.result()
    assert caught.value.code == code
    assert pool.submit(song, 0).result().samples > 0


def test_memory_is_limited(arena: SlotArena, song: Path) -> None:
    with DecodePool(arena=arena, sample_rate=RATE, workers=1, memory_bytes=2**25) as pool:
        pool.submit(song, 0).result()
        child = psutil.Process(the_child(pool))
        soft, _ = child.rlimit(psutil.RLIMIT_AS)
        assert child.memory_info().vms <= soft < child.memory_info().vms + 2**25 + 2**21
        assert child.rlimit(psutil.RLIMIT_CORE) == (0, 0)


def test_children_that_cannot_start_are_one_clear_error(
    arena: SlotArena, song: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for interpreter, said in (("/bin/false", "did not start"), ("/no/such/python", "No such file or directory")):
        monkeypatch.setattr(sys, "executable", interpreter)
        with DecodePool(arena=arena, sample_rate=RATE, workers=1) as pool, pytest.raises(ChildStartError, match=said):
            pool.submit(song, 0).result()


def test_a_child_that_did_not_start_is_tried_again_without_a_job(
    arena: SlotArena, song: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(pool_module, "START_AGAIN_S", 0.05)
    starts: list[bool] = []

    def start(**settings: object) -> DecodeChild:
        starts.append(True)
        if len(starts) < 4:
            raise ChildStartError("no memory for a decode process")
        return DecodeChild(**settings)

    monkeypatch.setattr(pool_module, "DecodeChild", start)
    with DecodePool(arena=arena, sample_rate=RATE, workers=1) as pool:
        the_child(pool)
        assert pool.submit(song, 0).result().samples > 0
    assert len(starts) == 4
    assert caplog.messages == ["no memory for a decode process"]


def test_a_child_says_why_it_did_not_start(arena: SlotArena, song: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arena, "name", "/proc/self/nothing")
    with (
        DecodePool(arena=arena, sample_rate=RATE, workers=1) as pool,
        pytest.raises(ChildStartError, match="ArenaError: there is no audio arena"),
    ):
        pool.submit(song, 0).result()


# --- ends ------------------------------------------------------------------------------------------------------------


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
