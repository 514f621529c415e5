"""What all rooms' tests share: where the repository is and where real music is."""

from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="session")
def root() -> Path:
    """The repository's root folder."""
    return ROOT


@pytest.fixture(scope="session")
def emotify() -> Path:
    """Real music beside the checkout: 320 MP3 files with genres, artists and folds in manifest.csv."""
    folder = ROOT.parent / "shared" / "data" / "emotify"
    if not (folder / "manifest.csv").is_file():
        pytest.skip("real music is not at hand: ../shared/data/emotify has no manifest.csv")
    return folder


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model file that knows loud from quiet; see tests/tiny_model.py."""
    from tests.tiny_model import write_tiny_model

    return write_tiny_model(tmp_path_factory.mktemp("model") / "model.onnx")
