"""`timbre models` as it is typed: tables and JSON on stdout, people's lines on stderr, the documented exit codes."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.registry.conftest import at_once, make_run, migrated  # noqa: F401 - fixtures
from timbre.cli import main as cli

Models = Callable[..., tuple[int, str, str]]


@pytest.fixture
def models(
    tmp_path: Path,
    migrated: Path,  # noqa: F811 - the fixture imported above
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Models:
    """Runs `timbre models WORDS` in an empty folder with a registry of its own: exit code, stdout, stderr."""
    (tmp_path / "outputs").mkdir()
    shutil.copyfile(migrated, tmp_path / "outputs" / "mlflow.db")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)

    def run(*words: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as stop:
            cli.main(["models", *words])
        said = capsys.readouterr()
        return int(stop.value.code or 0), said.out, said.err

    return run


def test_the_life_of_a_version_as_it_is_typed(models: Models, make_run, tmp_path: Path) -> None:  # noqa: F811
    code, out, err = models("list")
    assert (code, out) == (0, "")
    assert "timbre models register" in err
    assert models("list", "--json") == (0, "[]\n", "")

    first, second = make_run(0), make_run(1, macro_f1=0.61)
    assert models("register", "--run-dir", str(first)) == (0, "registered models:/timbre/1\n", "")
    assert models("register", "--run-dir", str(first))[1].startswith("was registered already")
    code, out, _ = models("register", "--run-dir", str(second), "--json")
    assert json.loads(out)["number"] == 2
    assert json.loads(out)["is_new"] is True

    assert models("promote", "1", "--to", "production") == (0, "version 1 is in production\n", "")
    code, out, _ = models("promote", "2", "--to", "production", "--json")
    assert json.loads(out) == {"version": 2, "stage": "production", "archived": 1}

    code, out, err = models("list")
    assert (code, err) == (0, "")
    for shown in ("Production", "Archived", "0.610 [0.510, 0.710]", "run-1", "aaaaaaaa"):
        assert shown in out
    assert [version["stage"] for version in json.loads(models("list", "--json")[1])] == ["Production", "Archived"]

    code, out, _ = models("show", "production")
    assert code == 0
    for shown in ("models:/timbre/2", "b" * 64, "promoted to production", "0.610 [0.510, 0.710]"):
        assert shown in out
    assert json.loads(models("show", "models:/timbre@production", "--json")[1])["number"] == 2

    assert models("rollback") == (0, "version 1 is in production; version 2 is archived\n", "")
    code, out, err = models("fetch")
    assert (code, err) == (0, "")
    assert Path(out.strip()).read_bytes() == (first / "model.onnx").read_bytes()
    code, out, _ = models("fetch", "models:/timbre/2", "--output", "here", "--json")
    assert json.loads(out)["path"] == "here/model.onnx"
    assert not (tmp_path / "mlruns").exists()


def test_a_gate_that_refuses_is_exit_code_4_and_a_set_floor_counts(models: Models, make_run) -> None:  # noqa: F811
    models("register", "--run-dir", str(make_run(0, macro_f1=0.7)))
    floor = "registry.gates.floors.production=0.75"
    code, out, err = models("promote", "1", "--to", "production", "--set", floor)
    assert (code, out) == (4, "")
    assert err == "timbre: version 1 may not enter production: macro F1 is 0.700, below the floor of 0.750\n"
    assert models("promote", "1", "--to", "production")[0] == 0


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["fetch"], 3, "no version of timbre is registered"),
        (["show", "7"], 3, "no version of timbre is registered"),
        (["rollback"], 3, "no version of timbre is registered"),
        (["register", "--run-dir", "nowhere"], 3, "run timbre export first"),
        (["fetch", "models:/"], 2, "no model address"),
        (["promote", "1"], 2, "--to"),
        (["promote", "1", "--to", "heaven"], 2, "heaven"),
        (["list", "--set", "registry.no_such_knob=1"], 2, "no_such_knob"),
        (["list", "--set", "registry.gates.floors.production=7"], 2, "within 0..1"),
        (["list", "--set", "registry.tracking_uri=mlruns"], 2, "use sqlite"),
    ],
)
def test_every_mistake_is_one_line_and_its_exit_code(models: Models, words: list[str], code: int, said: str) -> None:
    actual, out, err = models(*words)
    assert (actual, out) == (code, "")
    assert said in err
    assert "Traceback" not in err


def test_the_environment_names_the_registry(models: Models, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "sqlite:///elsewhere/mlflow.db")
    code, _, err = models("fetch")
    assert code == 3
    assert "there is no model registry at sqlite:///elsewhere/mlflow.db yet" in err
    assert not Path("elsewhere").exists()


def test_help_is_quick_because_it_imports_nothing_heavy() -> None:
    program = (
        "import sys\nfrom timbre.cli import main\n"
        "try: main.main(['models', '--help'])\n"
        "except SystemExit: pass\n"
        "print(sorted({'mlflow', 'hydra', 'onnx', 'onnxruntime', 'numpy', 'rich'} & set(sys.modules)), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert "rollback" in done.stdout
    assert done.stderr == "[]\n"


def test_a_first_registration_is_silent_about_mlflow(make_run, tmp_path: Path) -> None:  # noqa: F811
    """In a process of its own: a fresh database, migrations, MLflow's imports, and not a word of them."""
    run = make_run(0)
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "PYTHONWARNINGS": "default"}
    command = [sys.executable, "-m", "timbre.cli.main", "models", "register", "--run-dir", str(run)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env=environment, check=False)
    lines = [line for line in done.stderr.splitlines() if "mlflow" in line.lower() or "alembic" in line.lower()]
    assert (done.returncode, done.stdout, lines) == (0, "registered models:/timbre/1\n", [])
    assert not (tmp_path / "mlruns").exists()
