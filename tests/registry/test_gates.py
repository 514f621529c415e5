"""The gates: what opens them, and every reason they give."""

from dataclasses import replace

import pytest

from timbre.contract import ModelContract
from timbre.registry.evidence import Evidence
from timbre.registry.gates import Gates, GatesError

GATES = Gates(parity_tolerance=1e-4, floors={"staging": 0.3, "production": 0.5})
LINEAGE = {
    "git_sha": "a" * 40,
    "data_manifest_sha256": "b" * 64,
    "config_sha256": "c" * 64,
    "parity": {"max_abs_diff": 2e-6, "tolerance": 1e-4},
}
REPORT = {
    "model_sha256": "d" * 64,
    "data_manifest_sha256": "b" * 64,
    "split": "test",
    "failures": [],
    "metrics": {"macro_f1": {"value": 0.5, "low": 0.4, "high": 0.6}},
}


def evidence(*, lineage: dict | None = None, report: dict | None = REPORT, config_sha256: str | None = "c" * 64):
    contract = ModelContract(
        sample_rate=8000, clip_seconds=1, labels=("a", "b"), version="run", lineage=LINEAGE | (lineage or {})
    )
    return Evidence(onnx_sha256="d" * 64, contract=contract, report=report, config_sha256=config_sha256)


@pytest.mark.parametrize("stage", ["staging", "production"])
def test_a_complete_version_passes_and_the_floor_itself_is_enough(stage: str) -> None:
    assert GATES.refusals(evidence(), stage) == []


@pytest.mark.parametrize(
    ("shown", "reason"),
    [
        (evidence(lineage={"parity": None}), "parity is missing"),
        (evidence(lineage={"parity": {}}), "parity is missing"),
        (evidence(lineage={"parity": {"max_abs_diff": 2e-4}}), "parity is 0.0002, above the tolerance of 0.0001"),
        (evidence(lineage={"parity": {"max_abs_diff": float("nan")}}), "parity is nan"),
        (evidence(lineage={"git_sha": "unknown"}), "the git commit is unknown: train from a git checkout"),
        (evidence(lineage={"git_sha": None}), "the git commit is missing"),
        (
            evidence(lineage={"data_manifest_sha256": "b" * 63}, report=REPORT | {"data_manifest_sha256": "b" * 63}),
            "the sha256 of the data manifest is bbb",
        ),
        (evidence(lineage={"config_sha256": ""}), "the sha256 of the configuration is missing"),
        (evidence(config_sha256=None), "config.yaml, is missing"),
        (evidence(config_sha256="e" * 64), "config.yaml is not the one"),
        (evidence(report=None), "the report is missing"),
        (evidence(report=REPORT | {"model_sha256": "f" * 64}), "another model file (sha256 ffffffffffff...)"),
        (evidence(report=REPORT | {"split": "val"}), "the report is of the val split"),
        (evidence(report=REPORT | {"data_manifest_sha256": "e" * 64}), "other data (manifest eeeeeeeeeeee...)"),
        (evidence(report=REPORT | {"data_manifest_sha256": None}), "other data (manifest None...)"),
        (evidence(report=REPORT | {"failures": [{"path": "a.mp3", "reason": "empty"}]}), "leaves out 1 clip that"),
        (evidence(report=REPORT | {"failures": None}), "does not say which clips could not be answered"),
        (evidence(report=REPORT | {"metrics": {}}), "no macro F1"),
        (evidence(report=REPORT | {"metrics": {"macro_f1": {"value": None}}}), "no macro F1"),
        (evidence(report=REPORT | {"metrics": {"macro_f1": {"value": 0.4996}}}), "below the floor of 0.500"),
        (evidence(report=REPORT | {"metrics": {"macro_f1": {"value": float("nan")}}}), "macro F1 is nan"),
    ],
)
def test_each_fault_is_one_reason(shown: Evidence, reason: str) -> None:
    refusals = GATES.refusals(shown, "production")
    assert len(refusals) == 1, refusals
    assert reason in refusals[0]


def test_every_reason_is_listed() -> None:
    nothing = replace(evidence(report=None, config_sha256=None), contract=replace(evidence().contract, lineage={}))
    refusals = GATES.refusals(nothing, "staging")
    assert len(refusals) == 6  # parity, three of lineage, the configuration, the report


def test_each_stage_has_its_own_floor() -> None:
    weak = evidence(report=REPORT | {"metrics": {"macro_f1": {"value": 0.4}}})
    assert GATES.refusals(weak, "staging") == []
    assert len(GATES.refusals(weak, "production")) == 1


@pytest.mark.parametrize(
    ("floors", "tolerance"),
    [
        ({"staging": 0.3}, 1e-4),
        ({"staging": 0.3, "production": 0.5, "prod": 0.9}, 1e-4),
        ({"staging": 0.3, "production": 50}, 1e-4),
        ({"staging": 0.3, "production": 0.5}, 0),
    ],
)
def test_gates_that_cannot_be_meant_are_refused(floors: dict[str, float], tolerance: float) -> None:
    with pytest.raises(GatesError):
        Gates(parity_tolerance=tolerance, floors=floors)
