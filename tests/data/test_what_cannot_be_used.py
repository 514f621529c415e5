"""Files, folders and splits that cannot be used: each is named, and nothing of the user's is lost."""

import csv
import shutil
from pathlib import Path

import pytest
import soundfile

from tests.data.conftest import FOLDS, Run, in_folds, listed, tone
from timbre.data import ClipStore, DataError, StoreError, read_manifest
from timbre.data.sources.folder import FolderSource
from timbre.data.splits import FoldSplit, PublishedSplit


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
    with pytest.raises(DataError, match=r"give another data\.dir"):
        run(data_dir=music)
    assert (music / "manifest.csv").read_text() == before


@pytest.mark.parametrize("name", ["manifest.csv", "store/thesis.txt"])
def test_a_folder_of_something_else_is_left_alone(run: Run, tmp_path: Path, name: str) -> None:
    file = tmp_path / "data" / name
    file.parent.mkdir(parents=True)
    file.write_text("precious")
    with pytest.raises(DataError, match=r"data holds .* of something else"):
        run()
    assert file.read_text() == "precious"


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
