"""What a model version must show before it may enter a stage."""

import re
from collections.abc import Iterator, Mapping
from typing import Any, TypeGuard

from timbre.errors import TimbreError
from timbre.registry.evidence import Evidence

SHA256 = re.compile("[0-9a-f]{64}")

LINEAGE = {
    "git_sha": ("git commit", re.compile("[0-9a-f]{40}|[0-9a-f]{64}")),
    "data_manifest_sha256": ("sha256 of the data manifest", SHA256),
    "config_sha256": ("sha256 of the configuration", SHA256),
}
"""What a lineage must hold, in words, and what it looks like; `unknown` is none of these."""

REMEDY = {
    "git_sha": "train from a git checkout, with git installed and a commit made",
    "data_manifest_sha256": "train with timbre train on prepared data",
    "config_sha256": "train with timbre train, which records it",
}
"""What to do if it is not there."""

SPLIT = "test"
"""The split that counts: training chose its checkpoint on another."""


class GatesError(TimbreError):
    """The gates are configured in a way that cannot be meant."""


class Gates:
    """The conditions of promotion.

    Args:
        parity_tolerance: largest difference allowed between torch's and ONNX Runtime's probabilities.
        floors: lowest macro F1 on the test split, by stage; every stage must have one. The measured value counts, not
            the lower end of its interval, which would make promotion a matter of the test split's size.

    Raises:
        GatesError: if a floor is missing, is for no stage or is outside 0..1.
    """

    def __init__(self, *, parity_tolerance: float, floors: Mapping[str, float]) -> None:
        if set(floors) != {"staging", "production"}:
            raise GatesError(f"the gates need a floor for staging and one for production, not for {sorted(floors)}")
        if parity_tolerance <= 0 or not all(0 <= floor <= 1 for floor in floors.values()):
            raise GatesError("the gates need floors within 0..1 and a parity tolerance above 0")
        self.parity_tolerance = parity_tolerance
        self.floors = dict(floors)

    def refusals(self, evidence: Evidence, stage: str) -> list[str]:
        """Every reason, in words, why this version may not enter `stage`; none if it may."""
        lineage = evidence.contract.lineage
        return [
            *self._parity(lineage.get("parity")),
            *_lineage(lineage, evidence.config_sha256),
            *self._report(evidence, self.floors[stage]),
        ]

    def _parity(self, parity: object) -> Iterator[str]:
        if not isinstance(parity, Mapping):
            yield "parity is missing: the model file does not say that it was compared with torch (timbre export does)"
            return
        difference = parity.get("max_abs_diff")
        if not _is_number(difference):
            yield "parity is missing: the model file's parity has no max_abs_diff"
        elif not difference <= self.parity_tolerance:
            yield f"parity is {difference:.2g}, above the tolerance of {self.parity_tolerance:.2g}"

    def _report(self, evidence: Evidence, floor: float) -> Iterator[str]:
        report = evidence.report
        if report is None:
            yield "the report is missing: run timbre evaluate, then register again"
            return
        if report.get("model_sha256") != evidence.onnx_sha256:
            other = str(report.get("model_sha256"))[:12]
            yield f"the report is of another model file (sha256 {other}...): evaluate this one, then register again"
        if report.get("split") != SPLIT:
            yield f"the report is of the {report.get('split')} split: evaluate with split={SPLIT}"
        trained_on = evidence.contract.lineage.get("data_manifest_sha256")
        if trained_on and report.get("data_manifest_sha256") != trained_on:
            other = str(report.get("data_manifest_sha256"))[:12]
            yield (
                f"the report is of other data (manifest {other}...) than the model was trained on"
                f" ({str(trained_on)[:12]}...): evaluate on that data, then register again"
            )
        yield from _failures(report.get("failures"))
        try:
            value = report["metrics"]["macro_f1"]["value"]
        except (KeyError, TypeError):
            value = None
        if not _is_number(value):
            yield "the report has no macro F1: evaluate again"
        elif not value >= floor:
            yield f"macro F1 is {value:.3f}, below the floor of {floor:.3f}"


def _lineage(lineage: Mapping[str, Any], config_sha256: str | None) -> Iterator[str]:
    for key, (words, pattern) in LINEAGE.items():
        value = lineage.get(key)
        if not isinstance(value, str) or not pattern.fullmatch(value):
            yield f"lineage is incomplete: the {words} is {value or 'missing'}: {REMEDY[key]}"
    if config_sha256 is None:
        yield "lineage is incomplete: the resolved configuration, config.yaml, is missing"
    elif SHA256.fullmatch(str(lineage.get("config_sha256"))) and lineage["config_sha256"] != config_sha256:
        yield "lineage is contradictory: config.yaml is not the one the model was trained with"


def _failures(failures: object) -> Iterator[str]:
    if not isinstance(failures, list):
        yield "the report does not say which clips could not be answered: evaluate again"
    elif failures:
        clips = "1 clip" if len(failures) == 1 else f"{len(failures)} clips"
        yield f"the report leaves out {clips} that could not be answered: mend these files and evaluate again"


def _is_number(value: object) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool)
