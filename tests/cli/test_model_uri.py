"""A registry address that cannot be had keeps the reason and the exit code of the registry's own process."""

import sys
from pathlib import Path

import pytest

from timbre.cli.model_uri import FetchError, resolve_model
from timbre.errors import GateRefusedError, NoModelError, TimbreError


@pytest.mark.parametrize(
    ("code", "kind"), [(2, FetchError), (3, NoModelError), (4, GateRefusedError), (70, FetchError)]
)
def test_the_exit_code_of_fetch_is_kept(
    code: int, kind: type[TimbreError], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fetch = tmp_path / "fetch"
    fetch.write_text(f"#!/bin/sh\necho 'timbre: the reason' >&2\nexit {code}\n")
    fetch.chmod(0o700)
    monkeypatch.setattr(sys, "executable", str(fetch))
    with pytest.raises(kind, match=r"^the reason$") as caught:
        resolve_model("models:/timbre@production")
    assert type(caught.value) is kind
