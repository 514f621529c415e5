"""Where a run comes from is told truly, or as unknown."""

import subprocess
from pathlib import Path

import torch

from timbre.training.lineage import environment, git_state


def git(folder: Path, *words: str) -> str:
    identity = ["-c", "user.name=nobody", "-c", "user.email=nobody@example.org"]
    return subprocess.run(
        ["git", "-C", folder, *identity, *words], check=True, capture_output=True, text=True
    ).stdout.strip()


def package_in_repository(folder: Path) -> Path:
    package = folder / "src" / "package"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("")
    git(folder, "init", "-q")
    return package


def test_a_tracked_package_has_a_commit_and_a_clean_or_dirty_tree(tmp_path):
    package = package_in_repository(tmp_path)
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-q", "-m", "one")
    assert git_state(package) == (git(tmp_path, "rev-parse", "HEAD"), False)
    (package / "__init__.py").write_text("changed = True")
    assert git_state(package) == (git(tmp_path, "rev-parse", "HEAD"), True)


def test_a_package_installed_inside_somebodys_repository_is_not_of_it(tmp_path):
    package = package_in_repository(tmp_path)
    (tmp_path / "README").write_text("")
    git(tmp_path, "add", "README")
    git(tmp_path, "commit", "-q", "-m", "one")
    assert git_state(package) == ("unknown", None)


def test_without_a_repository_or_without_git_the_commit_is_unknown(tmp_path, monkeypatch):
    assert git_state(tmp_path) == ("unknown", None)
    monkeypatch.setenv("PATH", "")
    assert git_state() == ("unknown", None)


def test_the_environment_names_versions_and_no_machine():
    found = environment(torch.device("cpu"))
    assert found["packages"]["torch"].startswith("2.")
    assert found["packages"]["timbre"]
    assert found["device"] == "cpu"
    assert str(Path.home()) not in str(found)
