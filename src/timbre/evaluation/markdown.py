"""report.md: the numbers of report.json as a page a person reads."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

UNIT = {"artist": "artists", "clip": "clips"}

MEANINGS = {
    "accuracy": ("Accuracy", "share of clips answered right"),
    "macro_f1": ("Macro F1", "mean over genres of the harmonic mean of precision and recall"),
    "macro_precision": ("Macro precision", "mean over genres of the share of right answers"),
    "macro_recall": ("Macro recall", "mean over genres of the share of clips found"),
    "ece": ("Calibration error", "ECE: mean distance of confidence and accuracy over 15 equal bins; 0 is best"),
    "nll": ("Negative log-likelihood", "mean -ln p(true genre); 0 is best"),
    "brier": ("Brier score", "mean squared distance to the truth, 0..2; 0 is best"),
}
"""Title and definition of each headline metric."""

LINEAGE = ("git_sha", "git_dirty", "config_sha256", "mlflow_run_id", "seed", "created_at")
"""What the page tells of a model's lineage; report.json has all of it."""


def render(report: Mapping[str, Any]) -> str:
    """The page for what is in report.json; pictures are linked by name, beside it."""
    return "\n".join(
        [
            f"# Evaluation of {_cell(report['model_version'])} on the {report['split']} split",
            "",
            *_subject(report),
            "",
            *_headlines(report),
            "",
            "## Genres",
            "",
            *_genres(report),
            "",
            "![Confusion matrix](confusion.png)",
            "",
            "## Calibration",
            "",
            *_calibration(report),
            "",
            "![Reliability diagram](reliability.png)",
            "",
            "## The most confident mistakes",
            "",
            *_mistakes(report),
            "",
            "Every answer is in [answers.csv](answers.csv), every number in [report.json](report.json).",
            "",
        ]
    )


def _subject(report: Mapping[str, Any]) -> list[str]:
    lineage = report["lineage"]
    same = "the data it was trained on" if report["same_data"] else "**not the data it was trained on**"
    rows = [
        ("model sha256", f"`{report['model_sha256']}`"),
        ("data", f"{_cell(report['data_dir'])}, manifest sha256 `{report['data_manifest_sha256']}`: {same}"),
        ("measured", report["created_at"]),
        *((name.replace("_", " "), f"`{_cell(lineage[name])}`") for name in LINEAGE if lineage.get(name) is not None),
        ("parity with torch", _parity(lineage.get("parity"))),
    ]
    lines = _table(("", ""), rows)
    failures = report["failures"]
    if failures:
        lines += ["", f"**{len(failures)} file(s) of the split could not be answered and are in no number:**", ""]
        lines += [f"- {_cell(failure['path'])}: {_cell(failure['reason'])}" for failure in failures]
    return lines


def _parity(parity: object) -> str:
    if not isinstance(parity, Mapping) or "max_abs_diff" not in parity:
        return "**missing**"
    return (
        f"probabilities differ by {parity['max_abs_diff']:.1e} at most"
        f" on {parity.get('clips')} clips ({parity.get('tolerance')} is allowed)"
    )


def _headlines(report: Mapping[str, Any]) -> list[str]:
    interval = report["interval"]
    rows = [
        (title, _number(report["metrics"][name]), _range(report["metrics"][name]), meaning)
        for name, (title, meaning) in MEANINGS.items()
    ]
    return [
        *_table(("Metric", "Value", f"{interval['level']:.0%} interval", "Meaning"), rows),
        "",
        f"{report['clips']} clips. Intervals: bootstrap over {interval['units']} {UNIT[interval['unit']]},"
        f" {interval['resamples']} resamples, seed {interval['seed']}."
        + (" Clips of one artist are drawn together, for they are not independent." * (interval["unit"] == "artist")),
    ]


def _genres(report: Mapping[str, Any]) -> list[str]:
    rows = [
        (_cell(label), score["clips"], *(_with_range(score[name]) for name in ("precision", "recall", "f1")))
        for label, score in report["genres"].items()
    ]
    return _table(("Genre", "Clips", "Precision", "Recall", "F1"), rows)


def _calibration(report: Mapping[str, Any]) -> list[str]:
    reference = report["calibration"]["ece_if_calibrated"]
    return [
        f"The calibration error is {_with_range(report['metrics']['ece'])}. On this many clips, with these very"
        f" confidences, a perfectly calibrated classifier would show {reference['mean']:.3f} on average"
        f" and stay below {reference['high']:.3f} in 95 of 100 cases."
    ]


def _mistakes(report: Mapping[str, Any]) -> list[str]:
    if not report["mistakes"]:
        return ["None: every clip was answered right."]
    rows = [
        (_cell(item["path"]), _cell(item["truth"]), _cell(item["answer"]), f"{item['confidence']:.3f}")
        for item in report["mistakes"]
    ]
    return [
        "![The most confident mistakes](mistakes.png)",
        "",
        *_table(("Clip", "Truth", "Answer", "Confidence"), rows),
    ]


def _table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> list[str]:
    lines = [head, ["---"] * len(head), *rows]
    return ["| " + " | ".join(str(cell) for cell in line) + " |" for line in lines]


def _cell(value: object) -> str:
    """Text that cannot break out of its cell or turn into a link, whatever a file is called."""
    text = " ".join(str(value).split())
    for character in "\\|`<>[]*":
        text = text.replace(character, f"\\{character}")
    return text


def _number(estimate: Mapping[str, float | None]) -> str:
    return "-" if estimate["value"] is None else f"{estimate['value']:.3f}"


def _range(estimate: Mapping[str, float | None]) -> str:
    return "-" if estimate["low"] is None else f"{estimate['low']:.3f} .. {estimate['high']:.3f}"


def _with_range(estimate: Mapping[str, float | None]) -> str:
    return "-" if estimate["value"] is None else f"{_number(estimate)} ({_range(estimate)})"
