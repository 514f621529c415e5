"""From files to a store: what training hears is what serving hears, and what cannot be used is named."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import soundfile

from tests.data.conftest import FRACTIONS, LIMITS, RATE, SECONDS, Run, tone
from timbre.audio import decode, fit
from timbre.data import SPLITS, ClipStore, DataError, Limits, audio_path, prepare, read_manifest
from timbre.data import making as module
from timbre.data.sources.folder import FolderSource


def stored(data_dir: Path) -> dict[str, np.ndarray]:
    return {
        clip_id: store.waveform(row)
        for split in SPLITS
        for store in [ClipStore.open(data_dir, split)]
        for row, clip_id in enumerate(store.ids)
    }


def test_the_store_holds_what_the_decoder_hears(run: Run, music: Path, tmp_path: Path) -> None:
    tone(music / "rock" / "stereo.wav", 200, rate=44100, channels=2)
    tone(music / "rock" / "short.flac", 201, seconds=1.2)
    tone(music / "jazz" / "long.mp3", 202, rate=22050, seconds=5.0)
    loud = np.linspace(-1.7, 1.7, RATE * 2, dtype=np.float32)
    soundfile.write(music / "jazz" / "loud.wav", loud, RATE, subtype="FLOAT")
    report = run()
    data = tmp_path / "data"
    waveforms = stored(data)
    clips = read_manifest(data)
    assert len(clips) == len(waveforms) == 20 == report.decoded
    for clip in clips:
        heard = decode(audio_path(data, clip), sample_rate=RATE, max_samples=int(RATE * SECONDS))
        whole = fit(heard.waveform, int(RATE * SECONDS))
        step = np.abs(whole).max() / 32767
        assert np.abs(waveforms[clip.id] - whole).max() <= 0.51 * step
        assert (clip.sample_rate, clip.channels) == (heard.info.sample_rate, heard.info.channels)
        assert clip.duration_s == pytest.approx(heard.info.duration_s, abs=1e-6)
    assert max(np.abs(waveform).max() for waveform in waveforms.values()) == pytest.approx(1.7, rel=1e-4)


def test_real_mp3s_above_full_scale_are_not_clipped(emotify: Path, tmp_path: Path) -> None:
    for name in ("electronic/80", "electronic/93", "electronic/98", "pop/62", "pop/87", "pop/12"):  # peaks above 1.0
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / f"{name}.mp3").symlink_to(emotify / f"{name}.mp3")
    data = tmp_path / "data"
    source = FolderSource(root=tmp_path)
    prepare(source, FRACTIONS, data_dir=data, sample_rate=22050, clip_seconds=30.0, limits=LIMITS)
    waveforms = stored(data)
    for clip in read_manifest(data):
        heard = fit(decode(audio_path(data, clip), sample_rate=22050, max_samples=661500).waveform, 661500)
        peak = np.abs(heard).max()
        assert peak > 1.0
        assert np.abs(waveforms[clip.id] - heard).max() <= 0.51 * peak / 32767


def test_manifest_rows_say_everything_and_no_path_of_this_machine(run: Run, tmp_path: Path) -> None:
    run()
    text = (tmp_path / "data" / "manifest.csv").read_text()
    assert text.splitlines()[0] == "id,path,sha256,genre,artist,duration_s,sample_rate,channels,split"
    assert str(tmp_path) not in text
    clips = read_manifest(tmp_path / "data")
    assert len({clip.id for clip in clips}) == 16
    assert Counter((clip.genre, clip.split) for clip in clips) == {
        (genre, split): count for genre in ("jazz", "rock") for split, count in (("train", 6), ("val", 1), ("test", 1))
    }
    labels = {ClipStore.open(tmp_path / "data", split).labels for split in SPLITS}
    assert labels == {("jazz", "rock")}


def test_the_number_of_workers_changes_nothing(run: Run, tmp_path: Path) -> None:
    run(data_dir=tmp_path / "one", limits=Limits(workers=1, timeout_s=30, memory_bytes=2**28))
    run(data_dir=tmp_path / "three", limits=Limits(workers=3, timeout_s=30, memory_bytes=2**28))
    for file in ("manifest.csv", "store/train.pcm", "store/val.pcm", "store/test.pcm", "store/index.json"):
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "three" / file).read_bytes()


def test_a_second_run_does_nothing(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = run()
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "data").rglob("*") if path.is_file()}
    monkeypatch.setattr(module, "StoreWriter", None)  # whoever writes now fails
    second = run()
    assert first.fresh
    assert not second.fresh
    assert (second.clips, second.decoded) == (first.clips, 0)
    assert before == {path: path.stat().st_mtime_ns for path in (tmp_path / "data").rglob("*") if path.is_file()}


def test_a_new_file_costs_one_decoding(run: Run, music: Path, tmp_path: Path) -> None:
    run()
    old = stored(tmp_path / "data")
    tone(music / "rock" / "new.wav", 300)
    (music / "jazz" / "0.wav").rename(music / "jazz" / "renamed.wav")
    assert run().decoded == 1
    new = stored(tmp_path / "data")
    assert len(new) == 17
    for clip_id in old.keys() & new.keys():
        np.testing.assert_array_equal(old[clip_id], new[clip_id])


def test_other_options_make_another_store(run: Run, tmp_path: Path) -> None:
    run()
    assert run(clip_seconds=1.0).decoded == 16
    assert ClipStore.open(tmp_path / "data", "train").clip_samples == RATE


def test_a_moved_source_is_found_again(run: Run, music: Path, tmp_path: Path) -> None:
    run()
    moved = music.rename(tmp_path / "elsewhere")
    clip = read_manifest(tmp_path / "data")[0]
    with pytest.raises(DataError, match="is not at"):
        audio_path(tmp_path / "data", clip)
    assert not run(source=FolderSource(root=moved)).fresh
    assert audio_path(tmp_path / "data", clip).is_file()
