"""The link to the newest finished run."""

from timbre.training.run_folder import RunFolder, checkpoint_at


def test_the_link_moves_to_the_newest_run(tmp_path):
    link = tmp_path / "latest"
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        assert RunFolder(tmp_path / name).link_from(link)
        assert link.resolve() == tmp_path / name
    assert sorted(path.name for path in tmp_path.iterdir()) == ["latest", "one", "two"]


def test_the_link_leaves_runs_elsewhere_alone(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    assert not RunFolder(tmp_path / "elsewhere").link_from(tmp_path / "train" / "latest")
    assert not (tmp_path / "train").exists()


def test_a_run_folder_or_a_file_means_a_checkpoint(tmp_path):
    assert checkpoint_at(tmp_path) == tmp_path / "checkpoints" / "last.ckpt"
    assert checkpoint_at(tmp_path / "best.ckpt") == tmp_path / "best.ckpt"
