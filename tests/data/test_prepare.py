"""From files to a store: what training hears is what serving hears, and what cannot be used is named."""

import csv
import shutil
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import soundfile

from tests.data.conftest import FRACTIONS, LIMITS, RATE, SECONDS, Run, tone
from timbre.audio import decode, fit
from timbre.data import SPLITS, ClipStore, DataError, Limits, StoreError, audio_path, prepare, read_manifest
from timbre.data import making as module
from timbre.data.sources.folder import FolderSource
from timbre.data.splits import FoldSplit, PublishedSplit

FOLDS = FoldSplit(train=[0, 1], val=[2], test=[3])


def listed(root: Path, rows: list[tuple[str, ...]], columns: str = "path,genre,artist,fold") -> None:
    (root / "manifest.csv").write_text("\n".join([columns, *(",".join(row) for row in rows)]) + "\n")


def in_folds(root: Path) -> list[tuple[str, ...]]:
    """Rows for every file, two per fold and genre, an artist per file."""
    paths = sorted(path.relative_to(root).as_posix() for path in root.glob("*/*"))
    return [(path, path.split("/")[0], f"by {path}", str(number // 2 % 4)) for number, path in enumerate(paths)]


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


def test_files_that_cannot_be_used_are_named_with_a_reason(run: Run, music: Path, tmp_path: Path) -> None:
    (music / "rock" / "text.mp3").write_text("this is not music\n" * 50)
    (music / "rock" / "empty.wav").touch()
    tone(music / "jazz" / "blink.wav", 400, seconds=0.2)
    (music / "jazz" / "cover.jpg").write_bytes(b"\xff\xd8")
    (music / "loose.wav").write_bytes(b"RIFF")
    broken = (music / "jazz" / "1.wav").read_bytes()
    (music / "jazz" / "broken, really.flac").write_bytes(b"fLaC" + broken[:500])
    report = run()
    with (tmp_path / "data" / "rejected.csv").open() as file:
        reasons = {row["path"]: row["reason"] for row in csv.DictReader(file)}
    assert reasons == {
        "jazz/blink.wav": "too_short",
        "jazz/broken, really.flac": reasons["jazz/broken, really.flac"],
        "loose.wav": "no_genre",
        "rock/empty.wav": "empty_file",
        "rock/text.mp3": "unsupported_format",
    }
    assert reasons["jazz/broken, really.flac"] in ("corrupt_audio", "unsupported_format")
    assert [row.path for row in report.rejected] == sorted(reasons)
    assert report.left_out == 1
    assert len(read_manifest(tmp_path / "data")) == 16
    assert [row.path for row in run().rejected] == sorted(reasons)  # said again, although nothing is done


def test_bad_files_that_leave_a_split_empty_move_others_into_it(run: Run, music: Path, tmp_path: Path) -> None:
    run()
    for clip in read_manifest(tmp_path / "data"):
        if clip.split == "test":
            (music / clip.path).write_text("no music")
    report = run()
    assert len(report.rejected) == 2
    assert all(counts["test"] == 1 for counts in report.clips.values())
    assert report.decoded == 0  # the rows of the others were there
    again = run()
    assert (again.fresh, again.rejected, again.clips) == (False, report.rejected, report.clips)


def test_bad_files_do_not_move_folds(run: Run, music: Path) -> None:
    rows = in_folds(music)
    listed(music, rows)
    for path, *_, fold in rows:
        if fold == "3":
            (music / path).write_text("no music")
    with pytest.raises(DataError, match=r"no clip in the test split \(rejected: "):
        run(split=FOLDS)


def test_a_file_that_failed_for_want_of_time_is_tried_again(run: Run, music: Path, tmp_path: Path) -> None:
    (music / "rock" / "text.mp3").write_text("no music")
    run()
    rejected = tmp_path / "data" / "rejected.csv"
    rejected.write_text(rejected.read_text().replace("unsupported_format", "decode_timeout"))
    again = run()
    assert again.fresh
    assert [row.reason for row in again.rejected] == ["unsupported_format"]
    assert again.decoded == 0


def test_the_music_is_not_prepared_into_its_own_folder(run: Run, music: Path) -> None:
    listed(music, in_folds(music))
    before = (music / "manifest.csv").read_text()
    with pytest.raises(DataError, match=r"holds the music itself: give another data\.dir"):
        run(data_dir=music)
    assert (music / "manifest.csv").read_text() == before


def test_a_genre_of_bad_files_stops_and_names_them(run: Run, music: Path) -> None:
    for number in range(8):
        (music / "rock" / f"{number}.wav").write_text("no music")
    with pytest.raises(DataError, match=r"no clip in the train split \(rejected: rock/0.wav: unsupported_format"):
        run()


def test_missing_and_empty_folders_are_named(run: Run, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"nowhere does not exist: .*data\.source\.root"):
        run(source=FolderSource(root=tmp_path / "nowhere"))
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match=r"no audio in .*empty"):
        run(source=FolderSource(root=tmp_path / "empty"))


def test_one_genre_only_is_refused(run: Run, music: Path) -> None:
    shutil.rmtree(music / "rock")
    with pytest.raises(DataError, match=r"one genre only \(jazz\)"):
        run()


def test_a_genre_with_two_clips_is_named(run: Run, music: Path) -> None:
    for number in range(2):
        tone(music / "polka" / f"{number}.wav", 500 + number)
    with pytest.raises(DataError, match="the genre polka has 2 clips"):
        run()


def test_a_genre_with_two_artists_is_named(run: Run, music: Path) -> None:
    listed(
        music, [(path, genre, f"{genre} {number % 2}", "0") for number, (path, genre, *_) in enumerate(in_folds(music))]
    )
    with pytest.raises(DataError, match="the genre jazz has 2 artists"):
        run()


@pytest.mark.parametrize("suffix", [".wav", ".flac"])
def test_the_same_audio_in_two_splits_stops_and_is_named(suffix: str, run: Run, music: Path, tmp_path: Path) -> None:
    samples, rate = soundfile.read(music / "rock" / "0.wav")
    soundfile.write(music / "rock" / f"zz{suffix}", samples, rate)  # equal bytes, or other bytes of equal sound
    listed(music, [*in_folds(music)[:-1], (f"rock/zz{suffix}", "rock", "somebody", "3")])
    with pytest.raises(DataError, match=rf"rock/0.wav \(train\) = rock/zz{suffix} \(test\)"):
        run(split=FOLDS)
    with pytest.raises(StoreError):
        ClipStore.open(tmp_path / "data", "train")
    (music / "rock" / f"zz{suffix}").unlink()
    listed(music, in_folds(music))
    assert run(split=FOLDS).decoded == 0  # nothing that was decoded is lost


def test_the_same_audio_twice_in_one_split_counts_once(run: Run, music: Path, tmp_path: Path) -> None:
    shutil.copy(music / "rock" / "0.wav", music / "rock" / "again.wav")
    listed(music, [*in_folds(music)[:-1], ("rock/again.wav", "rock", "somebody", "0")])
    report = run(split=FOLDS)
    assert [(row.path, row.reason) for row in report.rejected] == [("rock/again.wav", "duplicate")]
    assert "rock/0.wav" in report.rejected[0].message
    assert "rock/again.wav" not in {clip.path for clip in read_manifest(tmp_path / "data")}


def test_the_same_audio_under_two_genres_stops(run: Run, music: Path) -> None:
    shutil.copy(music / "rock" / "0.wav", music / "jazz" / "copy.wav")
    rows = [row for row in in_folds(music) if row[0] != "jazz/copy.wav"]
    listed(music, [*rows, ("jazz/copy.wav", "jazz", "somebody", "0")])
    with pytest.raises(DataError, match=r"jazz/copy.wav .* = rock/0.wav"):
        run(split=FOLDS)


def test_an_artist_in_two_splits_stops_and_is_named(run: Run, music: Path) -> None:
    rows = in_folds(music)
    rows[0] = (rows[0][0], "jazz", "The  Néw Band", "0")
    rows[7] = (rows[7][0], "jazz", "the néw band", "3")
    listed(music, rows)
    with pytest.raises(DataError, match=r"The  ?Néw Band \(train and test\)"):
        run(split=FOLDS)


def test_folds_left_out_are_counted(run: Run, music: Path) -> None:
    listed(music, in_folds(music))
    report = run(split=FoldSplit(train=[0], val=[2], test=[3]))
    assert report.left_out == 4
    assert sum(sum(count.values()) for count in report.clips.values()) == 12


def test_a_source_without_folds_or_lists_says_so(run: Run) -> None:
    with pytest.raises(DataError, match="16 of 16 clips have no fold"):
        run(split=FOLDS)
    with pytest.raises(DataError, match="no published split"):
        run(split=PublishedSplit())


def test_two_at_once_are_kept_apart(run: Run, tmp_path: Path) -> None:
    from timbre.data.disk import only_one

    (tmp_path / "data").mkdir()
    with only_one(tmp_path / "data"), pytest.raises(DataError, match="another `timbre prepare`"):
        run()
    assert run().fresh


def test_progress_reaches_its_total(run: Run) -> None:
    from contextlib import contextmanager

    counted: dict[str, list[int]] = {}

    @contextmanager
    def bar(description, total):
        counted[description] = [total, 0]
        yield lambda count: counted[description].__setitem__(1, counted[description][1] + count)

    run(bar=bar)
    assert counted == {"decoding": [16, 16]}
