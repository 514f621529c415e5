"""The report folder: what is in it, that it is whole or not there, and that no name of a clip can break it."""

import csv
import json
import struct
from pathlib import Path

import numpy as np
import pytest

from timbre.evaluation import measure, report
from timbre.evaluation.mistakes import most_confident_mistakes
from timbre.evaluation.report import Answers, Failure, ReportError, Subject, check_report_dir, write_report

LABELS = ("blues", "jazz | *soul*", "metal $x^2$", "ポップ")
PICTURES = ("confusion.png", "reliability.png", "mistakes.png")

SUBJECT = Subject(
    model_version="run-1",
    model_sha256="c" * 64,
    lineage={"git_sha": "a" * 40, "data_manifest_sha256": "b" * 64, "parity": {"max_abs_diff": 1e-6, "clips": 22}},
    data_dir="data/x",
    data_manifest_sha256="b" * 64,
    split="test",
    span="clip",
    created_at="2026-01-01T00:00:00+00:00",
)


def random_answers(clips: int = 60, labels=LABELS) -> Answers:
    generator = np.random.default_rng(1)
    return Answers(
        paths=[f"a folder/[{index}] <b>$_{{|`{index}.mp3" for index in range(clips)],
        artists=[None if index % 7 == 0 else f"artist {index // 3}" for index in range(clips)],
        targets=generator.integers(0, len(labels), clips),
        probabilities=generator.dirichlet(np.ones(len(labels)), clips),
    )


def write(folder: Path, answers: Answers, labels=LABELS, failures=()) -> dict:
    measurement = measure(
        probabilities=answers.probabilities,
        targets=answers.targets,
        labels=labels,
        artists=answers.artists,
        resamples=100,
    )
    return write_report(folder, subject=SUBJECT, measurement=measurement, answers=answers, failures=failures)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("run") / "report"
    write(path, random_answers(), failures=[Failure(path="bad.mp3", reason="the file is empty")])
    return path


def test_report_json_has_what_the_gates_and_people_look_for(folder: Path) -> None:
    content = json.loads((folder / "report.json").read_text())
    assert content["model_sha256"] == "c" * 64
    assert content["data_manifest_sha256"] == "b" * 64
    assert content["split"] == "test"
    assert content["same_data"] is True
    assert set(content["metrics"]["macro_f1"]) == {"value", "low", "high"}
    assert set(content["metrics"]) == {"accuracy", "macro_f1", "macro_precision", "macro_recall", "ece", "nll", "brier"}
    assert sum(sum(row) for row in content["confusion"]["counts"]) == content["clips"] == 60
    assert sum(bin_["clips"] for bin_ in content["calibration"]["bins"]) == 60
    assert content["failures"] == [{"path": "bad.mp3", "reason": "the file is empty"}]
    assert content["interval"]["unit"] == "artist"


def test_report_md_names_model_data_and_failures_and_links_the_pictures(folder: Path) -> None:
    page = (folder / "report.md").read_text()
    for needed in (
        "c" * 64,
        "b" * 64,
        "a" * 40,
        "bad.mp3: the file is empty",
        "1.0e-06 at most on 22 clips",
        *PICTURES,
    ):
        assert needed in page


def test_tables_of_the_page_are_rectangular_whatever_files_are_called(folder: Path) -> None:
    tables = [line for line in (folder / "report.md").read_text().splitlines() if line.startswith("|")]
    cells = [line.replace("\\|", "").count("|") for line in tables]
    rules = [number for number, line in enumerate(tables) if set(line) == set("|- ")]
    assert len(rules) == 4
    for start, end in zip(rules, [*(rule - 1 for rule in rules[1:]), len(tables)], strict=True):
        assert set(cells[start - 1 : end]) == {cells[start]}
    mistakes = [line for line in tables if "mp3" in line]
    assert mistakes
    assert not any("<b>" in line for line in mistakes)


def test_pictures_are_png_of_a_readable_size(folder: Path) -> None:
    for name in PICTURES:
        head = (folder / name).read_bytes()[:24]
        assert head.startswith(b"\x89PNG")
        width, height = struct.unpack(">II", head[16:24])
        assert 400 <= width <= 4000
        assert 200 <= height <= 4000


def test_every_answer_is_in_the_csv(folder: Path) -> None:
    with (folder / "answers.csv").open(newline="") as handle:
        rows = list(csv.DictReader(handle))
    expected = random_answers()
    assert [row["path"] for row in rows] == list(expected.paths)
    probabilities = np.array([[float(row[f"p({label})"]) for label in LABELS] for row in rows])
    assert np.abs(probabilities - expected.probabilities).max() < 1e-6
    assert [row["answer"] for row in rows] == [LABELS[index] for index in expected.probabilities.argmax(axis=1)]


def test_many_genres_and_no_mistakes_are_drawn_too(tmp_path: Path) -> None:
    labels = [f"genre number {number}" for number in range(40)]
    targets = np.arange(40)
    answers = Answers(paths=[str(n) for n in targets], artists=[None] * 40, targets=targets, probabilities=np.eye(40))
    content = write(tmp_path / "report", answers, labels)
    assert content["mistakes"] == []
    assert "every clip was answered right" in (tmp_path / "report" / "report.md").read_text()


def test_a_new_report_replaces_the_old_one_whole(tmp_path: Path) -> None:
    target = tmp_path / "report"
    target.mkdir()
    (target / "stale.txt").write_text("of an older report")
    write(target, random_answers())
    assert {path.name for path in target.iterdir()} == {"report.json", "report.md", "answers.csv", *PICTURES}
    assert [path.name for path in tmp_path.iterdir()] == ["report"]


def test_a_folder_of_something_else_is_not_replaced(tmp_path: Path) -> None:
    check_report_dir(tmp_path / "new")
    check_report_dir(tmp_path)
    (tmp_path / "thesis.txt").touch()
    with pytest.raises(ReportError, match="holds something that is not a report"):
        check_report_dir(tmp_path)
    (tmp_path / "report.json").touch()
    check_report_dir(tmp_path)


def test_a_report_that_fails_leaves_the_old_one_and_no_litter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "report"
    target.mkdir()
    (target / "report.json").write_text("old")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(report, "draw_mistakes", full)
    with pytest.raises(OSError, match="No space"):
        write(target, random_answers())
    assert (target / "report.json").read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["report"]


def test_mistakes_are_the_wrong_answers_surest_first() -> None:
    probabilities = [[0.9, 0.1], [0.6, 0.4], [0.2, 0.8], [0.3, 0.7]]
    found = most_confident_mistakes(
        probabilities=probabilities, targets=[1, 1, 1, 0], labels=("a", "b"), paths=list("wxyz"), count=2
    )
    assert [(item.path, item.truth, item.answer, item.confidence) for item in found] == [
        ("w", "b", "a", 0.9),
        ("z", "a", "b", 0.7),
    ]
