"""Ended in the middle, by whatever means: nothing that looks whole and is not, and nothing decoded twice."""

import errno
import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
import soundfile

from tests.data.conftest import FRACTIONS, LIMITS, RATE, Run, tone
from timbre.data import SPLITS, ClipStore, DataError, StoreError, prepare
from timbre.data import writer as writer_module
from timbre.data.records import JOURNAL
from timbre.data.sources.folder import FolderSource
from timbre.data.writer import PARTIAL, SAMPLE_BYTES

CLIPS = 24
SECONDS = 20.0
"""Clips are long enough for a kill to arrive in the middle."""


@pytest.fixture(scope="module")
def long_music(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("long")
    for number in range(CLIPS):
        tone(root / ("jazz" if number % 2 else "rock") / f"{number:02d}.flac", number, rate=44100, seconds=SECONDS)
    return root


def command(music: Path, data: Path) -> list[str]:
    """`timbre prepare` on a folder, as a user types it."""
    words = ["data=folder", f"data.source.root={music}", f"data.dir={data}", "limits.workers=1"]
    rates = [f"contract.sample_rate={RATE}", f"contract.clip_seconds={SECONDS}"]
    run_dir = f"hydra.run.dir={data.parent / 'hydra'}"
    return [sys.executable, "-m", "timbre.cli.main", "prepare", *words, *rates, run_dir]


def test_sigkill_while_composing_leaves_no_process_and_no_half_file(tmp_path: Path) -> None:
    data = tmp_path / "data"
    options = ["genres=[jazz,rock]", "artists_per_genre=3", "clips_per_genre=8"]
    words = ["prepare", f"data.dir={data}", "limits.workers=2", "contract.clip_seconds=2.0"]
    words += [f"data.source.{option}" for option in options] + [f"hydra.run.dir={tmp_path / 'hydra'}"]
    line = [sys.executable, "-m", "timbre.cli.main", *words]

    def made() -> dict[Path, int]:
        return {path: path.stat().st_mtime_ns for path in data.glob("audio/*/*") if path.name[0] != "."}

    with subprocess.Popen(line, stderr=subprocess.PIPE, text=True) as process:
        while len(made()) < 4:
            assert process.poll() is None, process.communicate()
            time.sleep(0.002)
        composers = psutil.Process(process.pid).children(recursive=True)
        process.kill()
    _, alive = psutil.wait_procs(composers, timeout=10)
    assert not alive
    before = made()
    assert all(soundfile.info(path).frames > 0 for path in before)
    subprocess.run(line, check=True, capture_output=True)
    assert len(made()) == 16
    assert before.items() <= made().items()


def lines(data: Path) -> int:
    journal = data / PARTIAL / JOURNAL
    return journal.read_bytes().count(b"\n") if journal.exists() else 0


def wait_for(data: Path, count: int, process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + 60
    while lines(data) < count:
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.002)


def test_sigkill_half_way_loses_nothing(long_music: Path, tmp_path: Path) -> None:
    data, untouched = tmp_path / "data", tmp_path / "untouched"
    with subprocess.Popen(command(long_music, data), stderr=subprocess.PIPE, text=True) as process:
        wait_for(data, 8, process)
        process.kill()
    assert process.returncode == -signal.SIGKILL
    for split in SPLITS:
        with pytest.raises(StoreError, match="run `timbre prepare`"):
            ClipStore.open(data, split)
    assert not (data / "manifest.csv").exists()
    finished = lines(data)
    assert finished < CLIPS
    done = subprocess.run(command(long_music, data), stderr=subprocess.PIPE, text=True, check=True)
    assert f"{CLIPS} clips, {CLIPS - finished} decoded, {finished} were there already" in done.stderr
    source = FolderSource(root=long_music)
    prepare(source, FRACTIONS, data_dir=untouched, sample_rate=RATE, clip_seconds=SECONDS, limits=LIMITS)
    for file in ("manifest.csv", "rejected.csv", *(f"store/{split}.pcm" for split in SPLITS)):
        assert (data / file).read_bytes() == (untouched / file).read_bytes()
    assert not (data / PARTIAL).exists()


def test_ctrl_c_ends_with_130_and_the_next_run_goes_on(long_music: Path, tmp_path: Path) -> None:
    data = tmp_path / "data"
    with subprocess.Popen(command(long_music, data), stderr=subprocess.PIPE, text=True) as process:
        wait_for(data, 3, process)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=30)
    assert process.returncode == 130, said
    assert "Traceback" not in said
    finished = lines(data)
    assert 3 <= finished < CLIPS
    done = subprocess.run(command(long_music, data), stderr=subprocess.PIPE, text=True, check=True)
    assert f"{finished} were there already" in done.stderr


def test_a_full_disk_is_one_line_before_any_work(long_music: Path, tmp_path: Path) -> None:
    data = tmp_path / "data"
    largest = int(0.5 * CLIPS * SECONDS * RATE * SAMPLE_BYTES)

    def small_files_only() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (largest, largest))

    done = subprocess.run(
        command(long_music, data), stderr=subprocess.PIPE, text=True, check=False, preexec_fn=small_files_only
    )
    assert done.returncode == 2
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr
    assert "no room in" in done.stderr
    assert "MB are needed" in done.stderr
    assert not (data / PARTIAL).exists()  # what little room there is stays free


def test_a_disk_that_fills_up_on_the_way_keeps_what_is_there(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write, left = writer_module.write_whole, [5]

    def filling(handle: int, content: memoryview, offset: int) -> None:
        left[0] -= 1
        if left[0] < 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        write(handle, content, offset)

    with monkeypatch.context() as patch:
        patch.setattr(writer_module, "write_whole", filling)
        with pytest.raises(DataError, match=r"No space left on device.*make room"):
            run()
    report = run()
    assert report.decoded == 16 - 5
