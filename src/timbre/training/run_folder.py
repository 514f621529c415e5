"""A run's folder: what lies where in it, and the link to the newest finished run."""

import hashlib
import json
import os
from pathlib import Path

from timbre.training.lineage import Lineage


class RunFolder:
    """Paths and files of one run; every file is whole or absent.

    Args:
        path: the folder.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def last(self) -> Path:
        """The checkpoint of the newest finished epoch, if there is one."""
        return self.path / "checkpoints" / "last.ckpt"

    def write(self, *, config_yaml: str, lineage: Lineage) -> list[Path]:
        """Write what says how the run came to be, and return the files."""
        self.path.mkdir(parents=True, exist_ok=True)
        files = {"config.yaml": config_yaml, "lineage.json": json.dumps(lineage.to_dict(), indent=2) + "\n"}
        return [_write(self.path / name, text) for name, text in files.items()]

    def link_from(self, link: Path) -> bool:
        """Point `link` here, if the folder lies beside it; runs kept elsewhere are no business of the link's.

        Returns:
            Whether it points here now.
        """
        if link.parent.resolve() != self.path.parent.resolve():
            return False
        fresh = link.with_name(f".{link.name}.{os.getpid()}")
        fresh.unlink(missing_ok=True)  # of a killed process that had our number
        fresh.symlink_to(self.path.name)
        fresh.replace(link)
        return True


def checkpoint_at(place: Path) -> Path:
    """The checkpoint meant by a run's folder or by its own path."""
    return RunFolder(place).last if place.is_dir() else place


def sha256(text: str) -> str:
    """Of a text file as `RunFolder.write` writes it."""
    return hashlib.sha256(text.encode()).hexdigest()


def _write(path: Path, text: str) -> Path:
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    fresh.write_text(text, encoding="utf-8")
    fresh.replace(path)
    return path
