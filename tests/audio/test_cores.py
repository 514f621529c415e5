"""A container with a quota of two cores on a machine of 64 gets two decode processes."""

import os
from pathlib import Path

import pytest

from timbre.audio import usable_cores


@pytest.mark.parametrize(
    ("quota", "expected"),
    [("max 100000", 8), ("200000 100000", 2), ("250000 100000", 2), ("50000 100000", 1), ("6400000 100000", 8)],
)
def test_the_quota_bounds_the_cores(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, quota: str, expected: int) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _pid: set(range(8)))
    (tmp_path / "cpu.max").write_text(quota + "\n")
    assert usable_cores(tmp_path / "cpu.max") == expected
    assert usable_cores(tmp_path / "nothing") == 8
