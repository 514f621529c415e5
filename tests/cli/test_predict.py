"""`timbre predict` as a user meets it: what it finds, what it writes, how it fails."""

import csv
import io
import json
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from tests.cli.conftest import RATE, Said
from timbre.cli import main as cli
from timbre.cli.predict_paths import find_audio
from timbre.inference.predictor import TRACK_SECONDS

# --- what it writes --------------------------------------------------------------------------------------------------


def test_json_lines_are_the_answers_of_the_service(predict: Callable[..., Said], model: Path) -> None:
    code, out, err = predict("album", "--jsonl")
    loud, soft = map(json.loads, out.splitlines())
    assert (code, err) == (0, "")
    assert loud["path"] == "album/b loud.wav"
    assert (loud["status"], loud["genre"], soft["genre"]) == ("completed", "loud", "soft")
    assert loud["confidence"] == loud["all_probabilities"]["loud"] > 0.99
    assert list(loud["all_probabilities"]) == ["loud", "soft", "mute"]
    assert sum(loud["all_probabilities"].values()) == pytest.approx(1)
    assert loud["audio"]["format"] == "wav"
    assert loud["audio"]["duration_ms"] == 1000
    assert len(loud["audio"]["checksum"]) == 64
    assert loud["model"]["name"] == "timbre"
    assert loud["model"]["version"] == "v7"
    assert len(loud["model"]["sha256"]) == 64
    assert loud["processing_time_ms"] > 0
    assert "top" not in loud


def test_json_is_one_array(predict: Callable[..., Said]) -> None:
    code, out, _ = predict("album", "text.mp3", "--json", "--top-k", "2")
    loud, soft, bad = json.loads(out)
    assert code == 1
    assert [place["genre"] for place in soft["top"]] == ["soft", "mute"]
    assert soft["top"][0]["confidence"] == soft["confidence"]
    assert len(loud["all_probabilities"]) == 3
    assert bad["status"] == "failed"
    assert bad["error"] == {
        "code": "unsupported_format",
        "message": "this is not a WAV, MP3, FLAC or OGG Vorbis file",
    }
    assert "genre" not in bad


@pytest.mark.parametrize("top", [[], ["--top-k", "2"], ["--top-k", "9"]])
def test_csv_has_a_row_for_every_file(predict: Callable[..., Said], top: list[str]) -> None:
    code, out, _ = predict("text.mp3", "album", "--csv", *top)
    bad, loud, soft = csv.DictReader(io.StringIO(out))
    assert code == 1
    assert (bad["status"], bad["genre"], bad["error_code"]) == ("failed", "", "unsupported_format")
    assert (loud["path"], loud["genre"], loud["error_code"]) == ("album/b loud.wav", "loud", "")
    assert (loud["format"], loud["duration_ms"], loud["model_version"]) == ("wav", "1000", "v7")
    assert None not in {*bad, *loud, *soft}
    if top:
        assert (soft["genre_2"], soft.get("genre_4")) == ("mute", "" if top[1] == "9" else None)
        assert float(soft["confidence"]) > float(soft["confidence_2"])
    else:
        assert float(soft["p_soft"]) == float(soft["confidence"])


def test_a_table_for_people(predict: Callable[..., Said]) -> None:
    code, out, err = predict("album", "text.mp3")
    assert code == 1
    lines = out.splitlines()
    assert any("b loud.wav" in line and "loud" in line and "100%" in line for line in lines)
    assert any("text.mp3" in line and "not a WAV, MP3, FLAC or OGG Vorbis file" in line for line in lines)
    assert err == "1 of 3 files could not be used\n"


def test_a_table_of_the_best_only(predict: Callable[..., Said]) -> None:
    _, best, _ = predict("album", "--top-k", "1")
    _, three, _ = predict("album", "--top-k", "3")
    assert "mute" not in best
    assert "mute" in three


def test_span_track_hears_what_comes_later(predict: Callable[..., Said], music: Path) -> None:
    noise = np.random.default_rng(3).uniform(-1, 1, 5 * RATE)
    noise[:RATE] *= 0.01
    soundfile.write(music / "late.wav", noise, RATE)
    assert json.loads(predict("late.wav", "--jsonl")[1])["genre"] == "soft"
    assert json.loads(predict("late.wav", "--jsonl", "--span", "track")[1])["genre"] == "loud"


def test_help_says_how_much_of_a_track_is_heard(capsys: pytest.CaptureFixture[str], root: Path) -> None:
    with pytest.raises(SystemExit):
        cli.main(["predict", "--help"])
    assert f"at most {TRACK_SECONDS:.0f} s" in " ".join(capsys.readouterr().out.split())
    assert f"its first {TRACK_SECONDS:.0f} s" in (root / "conf" / "evaluate.yaml").read_text()


def test_an_empty_array_is_still_json(predict: Callable[..., Said]) -> None:
    code, out, _ = predict("text.mp3", "--json")
    assert code == 1
    assert len(json.loads(out)) == 1


# --- what it finds ---------------------------------------------------------------------------------------------------


def test_finds_files_folders_and_patterns_once(music: Path) -> None:
    found = ["album/b loud.wav", "album/disc 1/soft.FLAC"]
    assert [str(path) for path in find_audio(["album"])[0]] == found
    assert [str(path) for path in find_audio(["album/**/*.[wF]*", "album"])[0]] == found
    assert [str(path) for path in find_audio(["album/disc 1/soft.FLAC", "album"])[0]] == found[::-1]
    assert find_audio([str(music / "a*" / "*.wav")])[0] == [music / "album" / "b loud.wav"]
    assert [str(path) for path in find_audio(["album/cover.jpg"])[0]] == ["album/cover.jpg"]  # named, so wanted


def test_a_file_whose_name_looks_like_a_pattern_is_a_file(music: Path) -> None:
    (music / "song [live].mp3").write_text("x")
    assert find_audio(["song [live].mp3"]) == ([Path("song [live].mp3")], [])


def test_what_was_not_found_is_named_and_costs_the_exit_code(predict: Callable[..., Said]) -> None:
    code, out, err = predict("album", "empty", "*.aiff", "typo.wav", "--jsonl")
    assert code == 1
    assert [json.loads(line).get("error", {}).get("code") for line in out.splitlines()] == [None, None, "unreadable"]
    assert err.splitlines() == [
        "no .flac .mp3 .oga .ogg .wav file in folder empty",
        "nothing matches *.aiff",
        "1 of 3 files could not be used",
    ]


@pytest.mark.parametrize("words", [["typo.mp3"], ["empty"], ["*.aiff"], ["typo.mp3", "empty", "*.aiff", "x"]])
def test_nothing_found_is_one_line(predict: Callable[..., Said], words: list[str]) -> None:
    code, out, err = predict(*words)
    assert (code, out) == (2, "")
    assert err.startswith("timbre: no audio to predict: ")
    assert err.count("\n") == 1


def test_a_folder_that_cannot_be_read_is_named(music: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scandir = os.scandir

    def forbidden(path: os.PathLike[str]) -> object:
        if str(path).endswith("disc 1"):
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", forbidden)
    found, complaints = find_audio(["album"])
    assert [path.name for path in found] == ["b loud.wav"]
    assert complaints == ["cannot read folder album/disc 1: Permission denied"]


def test_linked_folders_are_heard_once_and_circles_end(music: Path) -> None:
    (music / "library").mkdir()
    (music / "library" / "linked").symlink_to(music / "album", target_is_directory=True)
    (music / "library" / "twice").symlink_to(music / "album", target_is_directory=True)
    (music / "album" / "disc 1" / "back").symlink_to(music / "library", target_is_directory=True)
    found, complaints = find_audio(["library"])
    assert [str(path) for path in found] == ["library/linked/b loud.wav", "library/linked/disc 1/soft.FLAC"]
    assert complaints == []
