"""The command line's manners: quick help, one line per mistake, the documented exit codes."""

import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
from omegaconf import DictConfig

from timbre.cli import main as cli
from timbre.cli.console import say
from timbre.cli.model_uri import resolve_model
from timbre.errors import GateRefusedError, NoModelError, TimbreError


def exit_code(*words: str) -> int:
    with pytest.raises(SystemExit) as stop:
        cli.main(words)
    return int(stop.value.code or 0)


@pytest.fixture
def train_job(monkeypatch: pytest.MonkeyPatch, tmp_path):
    """Replace the work of `timbre train` by a function of the test."""
    monkeypatch.chdir(tmp_path)

    def put(job) -> None:
        module = ModuleType("timbre.cli.train")
        module.job = job
        monkeypatch.setitem(sys.modules, "timbre.cli.train", module)

    return put


def test_help_names_every_verb(capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_code("--help") == 0
    out = capsys.readouterr().out
    assert all(verb in out for verb in (*cli.HYDRA_VERBS, *cli.PLAIN_VERBS))


def test_what_is_said_cannot_play_with_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    say("a\x1b]0;owned\x07.mp3\nb")
    assert capsys.readouterr().err == "a\\x1b]0;owned\\x07.mp3\nb\n"


@pytest.mark.parametrize("verb", ["models fetch models:/timbre@production", "predict a.wav"])
def test_a_module_in_the_working_folder_is_not_run(verb: str, tmp_path: Path) -> None:
    (tmp_path / "click.py").write_text("print('/etc/passwd'); raise SystemExit(0)")
    (tmp_path / "a.wav").touch()
    timbre = Path(sys.executable).with_name("timbre")
    done = subprocess.run([timbre, *verb.split()], cwd=tmp_path, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (3, "")


def test_a_reader_that_went_away_is_no_fault() -> None:
    timbre = Path(sys.executable).with_name("timbre")
    with subprocess.Popen([timbre, "doctor"], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as run:
        run.stdout.close()
        assert run.stderr.read() == b""
    assert run.returncode == 0


def test_an_unknown_verb_is_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_code("sing") == 2
    assert "No such command 'sing'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("raised", "code"),
    [
        (TimbreError("the folder is empty"), 2),
        (NoModelError("the folder is empty"), 3),
        (GateRefusedError("the folder is empty"), 4),
        (KeyboardInterrupt(), 130),
        (OSError(28, "No space left on device", "store"), 2),
    ],
)
def test_every_mistake_is_one_line_and_its_exit_code(
    raised, code, train_job, capsys: pytest.CaptureFixture[str]
) -> None:
    def job(cfg: DictConfig) -> int:
        raise raised

    train_job(job)
    assert exit_code("train") == code
    lines = capsys.readouterr().err.strip().splitlines()
    assert len(lines) == 1
    assert "Traceback" not in lines[0]


def test_debug_shows_the_traceback(train_job) -> None:
    def job(cfg: DictConfig) -> int:
        raise TimbreError("the folder is empty")

    train_job(job)
    with pytest.raises(TimbreError, match="the folder is empty"):
        cli.main(["train", "--debug"])


@pytest.mark.parametrize("override", ["no_such_key=1", "model=no_such_model", "seed=["])
def test_an_override_that_does_not_compose_is_one_line_and_exit_code_2(override, train_job, capsys) -> None:
    train_job(lambda cfg: 0)
    assert exit_code("train", override) == 2
    assert len(capsys.readouterr().err.strip().splitlines()) == 1


def test_a_sweep_runs_every_job_and_exits_with_the_largest_code(train_job) -> None:
    seeds = []

    def job(cfg: DictConfig) -> int:
        seeds.append(cfg.seed)
        return int(cfg.seed == 2)

    train_job(job)
    assert exit_code("train", "-m", "seed=1,2,3") == 1
    assert seeds == [1, 2, 3]


def test_a_missing_model_file_is_no_model() -> None:
    with pytest.raises(NoModelError, match=r"nowhere\.onnx"):
        resolve_model("nowhere.onnx")
