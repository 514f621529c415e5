"""The numbers: by hand, against scikit-learn and torchmetrics, and the intervals against repeated truth."""

import numpy as np
import pytest
import torch
from sklearn import metrics as sk
from torchmetrics.functional.classification import multiclass_calibration_error

from timbre.evaluation import MeasureError, measure

LABELS = ("blues", "jazz", "metal", "pop")


def random_answers(clips: int = 300, genres: int = 4, seed: int = 5) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    targets = generator.integers(0, genres, clips)
    logits = generator.normal(size=(clips, genres))
    logits[np.arange(clips), targets] += 1
    weights = np.exp(2 * logits)
    return weights / weights.sum(axis=1, keepdims=True), targets


def test_known_by_hand() -> None:
    probabilities = [[0.9, 0.1], [0.8, 0.2], [0.3, 0.7], [0.4, 0.6]]
    result = measure(probabilities=probabilities, targets=[0, 1, 1, 1], labels=("a", "b"))
    value = {name: estimate.value for name, estimate in result.headlines.items()}
    assert result.confusion.tolist() == [[1, 0], [1, 2]]
    assert value["accuracy"] == pytest.approx(3 / 4)
    assert value["macro_precision"] == pytest.approx((1 / 2 + 1) / 2)
    assert value["macro_recall"] == pytest.approx((1 + 2 / 3) / 2)
    assert value["macro_f1"] == pytest.approx((2 / 3 + 4 / 5) / 2)
    # Every clip is alone in its bin: |1-0.9| + |0-0.8| + |1-0.7| + |1-0.6| over 4.
    assert value["ece"] == pytest.approx((0.1 + 0.8 + 0.3 + 0.4) / 4)
    assert value["nll"] == pytest.approx(-np.log([0.9, 0.2, 0.7, 0.6]).mean())
    assert value["brier"] == pytest.approx(np.mean([2 * 0.01, 2 * 0.64, 2 * 0.09, 2 * 0.16]))
    assert result.genres["b"].clips == 3
    assert result.genres["b"].precision.value == pytest.approx(1)


def test_agrees_with_scikit_learn_and_torchmetrics() -> None:
    probabilities, targets = random_answers()
    answers = probabilities.argmax(axis=1)
    result = measure(probabilities=probabilities, targets=targets, labels=LABELS, resamples=10)
    value = {name: estimate.value for name, estimate in result.headlines.items()}
    precision, recall, f1, clips = sk.precision_recall_fscore_support(targets, answers)
    assert result.confusion.tolist() == sk.confusion_matrix(targets, answers).tolist()
    assert value["accuracy"] == pytest.approx(sk.accuracy_score(targets, answers))
    assert value["macro_f1"] == pytest.approx(sk.f1_score(targets, answers, average="macro"))
    assert value["nll"] == pytest.approx(sk.log_loss(targets, probabilities))
    assert value["ece"] == pytest.approx(
        float(
            multiclass_calibration_error(
                torch.tensor(probabilities), torch.tensor(targets), num_classes=4, n_bins=15, norm="l1"
            )
        ),
        abs=1e-6,
    )
    for index, score in enumerate(result.genres.values()):
        assert score.clips == clips[index]
        assert score.precision.value == pytest.approx(precision[index])
        assert score.recall.value == pytest.approx(recall[index])
        assert score.f1.value == pytest.approx(f1[index])


def test_a_genre_without_clips_counts_in_no_mean_and_has_no_numbers() -> None:
    probabilities, targets = random_answers()
    targets = np.where(targets == 3, 2, targets)
    result = measure(probabilities=probabilities, targets=targets, labels=LABELS)
    expected = sk.f1_score(targets, probabilities.argmax(axis=1), average="macro", labels=[0, 1, 2])
    assert result.headlines["macro_f1"].value == pytest.approx(expected)
    assert np.isnan(result.genres["pop"].f1.value)
    assert result.genres["pop"].f1.to_dict() == {"value": None, "low": None, "high": None}


def test_a_genre_never_answered_has_precision_zero() -> None:
    result = measure(probabilities=[[1, 0], [1, 0]], targets=[0, 1], labels=("a", "b"))
    assert result.genres["b"].precision.value == 0
    assert result.genres["b"].f1.value == 0


def test_perfect_answers() -> None:
    result = measure(probabilities=np.eye(4)[[0, 1, 2, 3, 0]], targets=[0, 1, 2, 3, 0], labels=LABELS)
    heads = result.headlines
    assert heads["accuracy"].to_dict() == heads["macro_f1"].to_dict() == {"value": 1, "low": 1, "high": 1}
    assert heads["ece"].to_dict() == heads["brier"].to_dict() == {"value": 0, "low": 0, "high": 0}


def test_a_certain_mistake_costs_much_but_not_everything() -> None:
    result = measure(probabilities=[[1, 0], [0, 1]], targets=[1, 1], labels=("a", "b"))
    assert 10 < result.headlines["nll"].value < 20


def test_same_seed_same_intervals_and_more_resamples_only_sharpen_them() -> None:
    probabilities, targets = random_answers()
    few, again, other = (
        measure(probabilities=probabilities, targets=targets, labels=LABELS, resamples=1000, seed=seed).headlines
        for seed in (1, 1, 2)
    )
    assert few == again
    assert few != other
    assert few["accuracy"].low == pytest.approx(other["accuracy"].low, abs=0.02)


def test_every_interval_holds_its_value() -> None:
    for seed in range(20):
        probabilities, targets = random_answers(clips=40, seed=seed)
        artists = [f"artist {index // 5}" for index in range(40)]
        result = measure(probabilities=probabilities, targets=targets, labels=LABELS, artists=artists, resamples=200)
        for estimate in result.headlines.values():
            assert 0 <= estimate.low <= estimate.value <= estimate.high


def test_copies_of_a_clip_under_one_artist_add_no_certainty() -> None:
    """Ten clips of an artist that are all alike are one observation: the interval must not shrink."""
    probabilities, targets = random_answers(clips=60)
    artists = [f"artist {index}" for index in range(60)]
    once = measure(probabilities=probabilities, targets=targets, labels=LABELS, artists=artists)
    copied = {
        "probabilities": np.repeat(probabilities, 10, axis=0),
        "targets": np.repeat(targets, 10),
        "labels": LABELS,
    }
    together = measure(**copied, artists=np.repeat(artists, 10).tolist())
    alone = measure(**copied)

    def width(result) -> float:
        estimate = result.headlines["accuracy"]
        return estimate.high - estimate.low

    assert together.clusters == 60
    assert together.unit == "artist"
    assert alone.unit == "clip"
    assert width(together) == pytest.approx(width(once), rel=0.1)
    assert width(alone) == pytest.approx(width(once) / np.sqrt(10), rel=0.15)


def test_clips_of_unknown_artists_are_clusters_of_their_own() -> None:
    probabilities, targets = random_answers(clips=5)
    artists = ["a", "a", None, None, "b"]
    assert measure(probabilities=probabilities, targets=targets, labels=LABELS, artists=artists).clusters == 4


@pytest.mark.parametrize("artists", [None, [None] * 5, ["one"] * 5])
def test_without_two_artists_clips_are_resampled(artists) -> None:
    probabilities, targets = random_answers(clips=5)
    result = measure(probabilities=probabilities, targets=targets, labels=LABELS, artists=artists)
    assert (result.clusters, result.unit) == (5, "clip")


def test_intervals_cover_the_truth_about_as_often_as_they_say() -> None:
    """Many test sets of clustered clips from a world whose true numbers are known."""
    generator = np.random.default_rng(11)
    genres, clips_each = 3, 4

    def draw(artists: int) -> tuple[np.ndarray, np.ndarray, list[str]]:
        owner = np.repeat(np.arange(artists), clips_each)
        targets = generator.integers(0, genres, artists)[owner]
        logits = generator.normal(size=(artists, genres))[owner] + generator.normal(size=(len(owner), genres))
        logits[np.arange(len(owner)), targets] += 1.5
        weights = np.exp(2 * logits)
        return weights / weights.sum(axis=1, keepdims=True), targets, [str(number) for number in owner]

    def measured(artists: int, resamples: int):
        probabilities, targets, names = draw(artists)
        return measure(
            probabilities=probabilities, targets=targets, labels=LABELS[:genres], artists=names, resamples=resamples
        ).headlines

    truth = measured(50_000, 1)
    held = dict.fromkeys(("accuracy", "macro_f1", "ece", "nll", "brier"), 0)
    repeats = 150
    for _ in range(repeats):
        heads = measured(50, 400)
        for name in held:
            held[name] += heads[name].low <= truth[name].value <= heads[name].high
    # Nominal 95 %; 150 repeats have a standard error of 1.8 %, and 50 artists undercover a little.
    for name, count in held.items():
        assert 0.88 <= count / repeats <= 1, (name, count / repeats)


def test_the_reference_calibration_error_is_that_of_a_calibrated_classifier() -> None:
    generator = np.random.default_rng(2)
    confidence = generator.uniform(0.5, 1, size=400)
    probabilities = np.stack([confidence, 1 - confidence], axis=1)
    errors = []
    for _ in range(200):
        targets = (generator.random(400) >= confidence).astype(int)
        result = measure(probabilities=probabilities, targets=targets, labels=("a", "b"), resamples=1)
        errors.append(result.headlines["ece"].value)
    mean, high = result.ece_if_calibrated
    assert np.mean(errors) == pytest.approx(mean, rel=0.05)
    assert np.mean(np.array(errors) < high) == pytest.approx(0.95, abs=0.05)


def test_many_genres_and_clips_are_quick_enough_to_resample() -> None:
    probabilities, targets = random_answers(clips=3000, genres=20)
    result = measure(probabilities=probabilities, targets=targets, labels=[f"genre {n}" for n in range(20)])
    assert result.resamples == 2000
    assert result.confusion.sum() == 3000


@pytest.mark.parametrize(
    "change",
    [
        {"targets": [0, 1]},
        {"targets": [0, 1, 4]},
        {"targets": [0, -1, 1]},
        {"labels": ("a", "b")},
        {"artists": ["a"]},
        {"resamples": 0},
        {"probabilities": np.full((3, 4), 0.5)},
        {"probabilities": np.array([[2, -1, 0, 0]] * 3)},
        {"probabilities": np.full((3, 4), np.nan)},
        {"probabilities": np.full((1, 4), 0.25), "targets": [0]},
    ],
)
def test_arrays_that_do_not_fit_are_refused(change) -> None:
    fitting = {"probabilities": np.full((3, 4), 0.25), "targets": [0, 1, 2], "labels": LABELS}
    with pytest.raises(MeasureError):
        measure(**(fitting | change))
