"""The contract survives JSON, and a text that is no contract says so."""

import pytest

from timbre.contract import ContractError, ModelContract

CONTRACT = ModelContract(
    sample_rate=22050,
    clip_seconds=30.0,
    labels=("jazz", "rock"),
    version="2026-01-31_12-00-00",
    lineage={"git_sha": "abc"},
)


def test_clip_samples_follow_from_rate_and_length() -> None:
    assert CONTRACT.clip_samples == 661_500


def test_json_and_back_is_the_same_contract() -> None:
    assert ModelContract.from_json(CONTRACT.to_json()) == CONTRACT


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", "null", '{"format": 2}', CONTRACT.to_json().replace('"labels"', '"names"')]
)
def test_a_text_that_is_no_contract_is_refused(text: str) -> None:
    with pytest.raises(ContractError):
        ModelContract.from_json(text)


@pytest.mark.parametrize(
    "change", [{"labels": ("jazz",)}, {"labels": ("jazz", "jazz")}, {"sample_rate": 0}, {"clip_seconds": -1.0}]
)
def test_impossible_contracts_are_refused(change: dict) -> None:
    facts = {"sample_rate": 22050, "clip_seconds": 30.0, "labels": ("jazz", "rock"), "version": "v"} | change
    with pytest.raises(ContractError):
        ModelContract(**facts)
