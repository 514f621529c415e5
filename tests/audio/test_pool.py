"""Decode processes: the same audio as `decode`, each bounded, replaced when lost, and never left behind."""

import asyncio
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import psutil
import pytest

from tests.audio.conftest import RATE, SLOT, the_child, wait_until
from timbre.audio import AudioError, DecodePool, SlotArena, decode, fit
from timbre.audio import pool as pool_module
from timbre.audio.child import ChildStartError, DecodeChild

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


def test_a_thread_without_a_child_leaves_the_jobs_to_those_with_one(
    arena: SlotArena, song: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    starts: list[bool] = []

    def only_once(**settings: object) -> DecodeChild:
        starts.append(True)
        if len(starts) > 1:
            raise ChildStartError("no memory for a decode process")
        return DecodeChild(**settings)

    monkeypatch.setattr(pool_module, "DecodeChild", only_once)
    with DecodePool(arena=arena, sample_rate=RATE, workers=2) as pool:
        the_child(pool)
        for _ in range(20):
            assert pool.submit(song, 0).result().samples > 0


def test_a_child_says_why_it_did_not_start(arena: SlotArena, song: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arena, "name", "/proc/self/nothing")
    with (
        DecodePool(arena=arena, sample_rate=RATE, workers=1) as pool,
        pytest.raises(ChildStartError, match="ArenaError: there is no audio arena"),
    ):
        pool.submit(song, 0).result()
