"""Files become predictions: in order, bad ones as records, whole tracks pooled, nothing left running."""

import hashlib
from collections.abc import Callable
from itertools import islice, repeat
from pathlib import Path

import numpy as np
import psutil
import pytest

from timbre.errors import TimbreError
from timbre.inference import EngineOutput, OnnxEngine, Predictor
from timbre.inference.prediction import PredictionFailedError, window_weights


def children() -> list[psutil.Process]:
    return psutil.Process().children()


def test_predicts_a_waveform(engine: OnnxEngine, tone: Callable[..., np.ndarray]) -> None:
    prediction = Predictor(engine).predict(tone(100, 1.5))
    assert prediction.genre == "low"
    assert prediction.confidence == prediction.all_probabilities["low"] == max(prediction.all_probabilities.values())
    assert list(prediction.all_probabilities) == ["low", "high", "silent"]
    assert sum(prediction.all_probabilities.values()) == pytest.approx(1)
    assert [genre for genre, _ in prediction.top(2)] == ["low", "silent"]


def test_keeps_the_order_and_records_bad_files(
    engine: OnnxEngine, tone: Callable[..., np.ndarray], wav: Callable[..., Path], tmp_path: Path
) -> None:
    text = tmp_path / "text.mp3"
    text.write_text("not audio at all")
    low, high, silent = wav("low.wav", tone(100, 3)), wav("high.wav", tone(3000, 3)), wav("nil.wav", np.zeros(9000))
    paths = [low, text, high, silent, tmp_path / "missing.wav", low] * 3
    results = list(Predictor(engine, batch_size=4).predict_files(paths, workers=2))

    assert [result.path for result in results] == paths
    said = [result.prediction.genre if result.prediction else result.error.code for result in results if result]
    assert said == ["low", "unsupported_format", "high", "silent", "unreadable", "low"] * 3
    first = results[0]
    assert first.audio.checksum == hashlib.sha256(low.read_bytes()).hexdigest()
    assert first.audio.info.duration_s == pytest.approx(2.0)  # as much as was heard
    assert first.processing_time_ms > 0
    assert results[1].prediction is None
    assert results[1].processing_time_ms is None


def test_an_answer_that_is_not_finite_is_an_error_and_costs_the_others_nothing(
    engine: OnnxEngine, tone: Callable[..., np.ndarray], wav: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    run = engine.run

    def silence_breaks_it(waveforms: np.ndarray) -> EngineOutput:
        output = run(waveforms)
        output.probabilities[np.abs(waveforms).max(axis=1) == 0] = np.nan
        return output

    monkeypatch.setattr(engine, "run", silence_breaks_it)
    paths = [wav("low.wav", tone(100, 3)), wav("nil.wav", np.zeros(9000)), wav("high.wav", tone(3000, 3))]
    low, nil, high = Predictor(engine).predict_files(paths)
    assert (low.prediction.genre, nil.prediction, high.prediction.genre) == ("low", None, "high")
    assert nil.error.code == "prediction_failed"
    with pytest.raises(PredictionFailedError):
        Predictor(engine).predict(np.zeros(16000, np.float32))


def test_a_file_says_what_its_waveform_says(
    engine: OnnxEngine, tone: Callable[..., np.ndarray], wav: Callable[..., Path]
) -> None:
    samples = np.round(tone(440, 1.3) * 32767) / 32768  # what a 16-bit file holds
    predictor = Predictor(engine)
    (result,) = predictor.predict_files([wav("a.wav", samples)])
    expected = predictor.predict(samples.astype(np.float32))
    assert result.prediction.all_probabilities == pytest.approx(expected.all_probabilities, abs=1e-4)


def test_a_slot_that_is_used_again_forgets(
    engine: OnnxEngine, tone: Callable[..., np.ndarray], wav: Callable[..., Path]
) -> None:
    long, short = wav("long.wav", tone(3000, 2)), wav("short.wav", tone(100, 1.0))
    predictor = Predictor(engine, batch_size=1)
    alone = next(iter(predictor.predict_files([short])))
    after = list(predictor.predict_files([long] * 6 + [short] * 6, workers=1))[-1]
    assert after.prediction == alone.prediction


def test_span_track_hears_the_whole_file(
    engine: OnnxEngine, tone: Callable[..., np.ndarray], wav: Callable[..., Path]
) -> None:
    path = wav("turn.wav", np.concatenate([tone(100, 2), tone(3000, 6)]))
    predictor = Predictor(engine)
    (clip,) = predictor.predict_files([path], span="clip")
    (track,) = predictor.predict_files([path], span="track")
    assert (clip.prediction.genre, track.prediction.genre) == ("low", "high")
    assert track.audio.info.duration_s == 8.0
    # One window in four is low: the mean of probabilities says so.
    assert track.prediction.all_probabilities["low"] == pytest.approx(0.25, abs=0.01)


def test_span_track_stops_at_its_limit(
    engine: OnnxEngine, tone: Callable[..., np.ndarray], wav: Callable[..., Path]
) -> None:
    path = wav("turn.wav", np.concatenate([tone(100, 2), tone(3000, 6)]))
    (result,) = Predictor(engine, track_seconds=2).predict_files([path], span="track")
    assert result.prediction.genre == "low"
    assert result.audio.info.duration_s == 2.0


def test_tracks_of_many_lengths_in_one_run(
    engine: OnnxEngine, tone: Callable[..., np.ndarray], wav: Callable[..., Path]
) -> None:
    paths = [wav(f"{n}.wav", tone(100 if n % 2 else 3000, 1 + 3.7 * n)) for n in range(6)]
    predictor = Predictor(engine, batch_size=2)
    results = list(predictor.predict_files(paths, span="track", workers=2))
    assert [result.prediction.genre for result in results] == ["high", "low"] * 3


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (0.5, [1]),
        (2.0, [1]),
        (2.9, [1]),  # under a second remains: left out
        (3.0, [2 / 3, 1 / 3]),
        (5.0, [2 / 5, 2 / 5, 1 / 5]),
    ],
)
def test_windows_count_by_the_audio_in_them(seconds: float, expected: list[float]) -> None:
    weights = window_weights(round(seconds * 100), clip_samples=200, sample_rate=100)
    np.testing.assert_allclose(weights, expected)


def test_nothing_to_do_is_nothing(engine: OnnxEngine) -> None:
    assert list(Predictor(engine).predict_files([])) == []


def test_paths_are_taken_as_needed_and_closing_leaves_nothing(
    engine: OnnxEngine, tone: Callable[..., np.ndarray], wav: Callable[..., Path]
) -> None:
    taken = 0

    def endless() -> object:
        nonlocal taken
        for path in repeat(wav("low.wav", tone(100, 2))):
            taken += 1
            yield path

    before = len(children())
    results = Predictor(engine, batch_size=2).predict_files(endless(), workers=2)
    assert len(list(islice(results, 10))) == 10
    assert taken <= 10 + 8
    assert len(children()) == before + 2
    results.close()
    assert len(children()) == before


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ({"span": "tracks"}, "there is no span 'tracks': it is one of clip, track"),
        ({"workers": -1}, "workers=-1 cannot work: give a whole number from 1 to 256"),
        ({"workers": 0}, "workers=0 cannot work"),
        ({"workers": "two"}, "workers=two cannot work"),
    ],
)
def test_what_cannot_be_asked_is_refused_before_any_work(
    engine: OnnxEngine, asked: dict[str, object], says: str
) -> None:
    with pytest.raises(TimbreError, match=says):
        Predictor(engine).predict_files(iter(()), **asked)
    if "span" in asked:
        with pytest.raises(TimbreError, match=says):
            Predictor(engine).predict(np.zeros(8000, np.float32), **asked)
