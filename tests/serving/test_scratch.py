"""A scratch folder is its server's alone, and the next server clears away those of the dead."""

from pathlib import Path

import pytest

from timbre.serving import scratch
from timbre.serving.scratch import PREFIX, ScratchError, scratch_folder


def test_a_folder_goes_with_its_server(tmp_path: Path) -> None:
    with scratch_folder(tmp_path) as folder:
        (folder / "upload").write_bytes(b"x")
        assert list(tmp_path.iterdir()) == [folder]
    assert not list(tmp_path.iterdir())


def test_servers_leave_one_anothers_folders_alone(tmp_path: Path) -> None:
    with scratch_folder(tmp_path) as first, scratch_folder(tmp_path) as second:
        assert first != second
        assert first.is_dir()


def test_what_a_killed_server_left_is_removed_and_nothing_else(tmp_path: Path) -> None:
    left = tmp_path / f"{PREFIX}left"
    left.mkdir()
    (left / "upload").write_bytes(b"x")
    others = [tmp_path / "other", tmp_path / f"{PREFIX}file", tmp_path / f"{PREFIX}link"]
    others[0].mkdir()
    others[1].write_bytes(b"x")
    others[2].symlink_to(others[0])
    with scratch_folder(tmp_path):
        assert not left.exists()
        assert all(other.exists() for other in others)


def test_a_folder_that_another_server_removed_too_early_is_made_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock, raced = scratch.fcntl.flock, []

    def late_lock(descriptor: int, operation: int) -> None:
        lock(descriptor, operation)
        if not raced:
            (victim,) = tmp_path.iterdir()
            raced.append(victim)
            victim.rmdir()

    monkeypatch.setattr(scratch.fcntl, "flock", late_lock)
    with scratch_folder(tmp_path) as folder:
        assert folder.is_dir()
        assert raced


def test_a_parent_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ScratchError, match="none"), scratch_folder(tmp_path / "none"):
        raise AssertionError
