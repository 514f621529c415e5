"""`timbre demo`: the whole way from audio to a served answer, each step a command you can type yourself."""

import csv
import os
import shlex
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

import click

from timbre.cli.console import say
from timbre.cli.demo_server import ask, running_server, two_clips
from timbre.contract import DEFAULT_MODEL
from timbre.errors import GateRefusedError, TimbreError

HOME = Path("outputs/demo")
RUN = HOME / "run"
COMPOSED_SECONDS = 10.0
"""Length of the composed clips: short, so that two cores compose and train within minutes."""
FLOOR = 0.3
"""Macro F1 that the demonstration asks of a version: far above chance among six genres, and within reach of a few
epochs. The real floors are in conf/registry/default.yaml."""


class StepFailedError(TimbreError):
    """A step of the demonstration ended badly; its own line above says why."""


@dataclass
class Walk:
    """Runs the steps one after the other in an MLflow registry of the demonstration's own."""

    step: int = 0
    started: float = field(default_factory=time.monotonic)
    tracking_uri: str = f"sqlite:///{HOME}/mlflow.db"

    @property
    def environment(self) -> dict[str, str]:
        """This process's environment with the demonstration's registry, so that no real one is touched."""
        return {**os.environ, "MLFLOW_TRACKING_URI": self.tracking_uri}

    def announce(self, what: str, *words: str) -> None:
        """Say what comes now and the command that does it."""
        self.step += 1
        say(f"\n[{self.step}] {what} ({time.monotonic() - self.started:.0f} s so far)")
        say(f"    $ timbre {shlex.join(words)}")

    def run(self, what: str, *words: str, allowed: tuple[int, ...] = (0,)) -> int:
        """Run `timbre WORDS` in a process of its own and return its exit code.

        Raises:
            StepFailedError: if the exit code is not an allowed one.
        """
        self.announce(what, *words)
        code = subprocess.run([*TIMBRE, *words], env=self.environment, check=False).returncode  # noqa: S603 - our own command
        if code == 130:
            raise KeyboardInterrupt
        if code not in allowed:
            raise StepFailedError(f"the demonstration stops at step {self.step} (timbre {words[0]}, exit code {code})")
        return code


TIMBRE = (sys.executable, "-P", "-m", "timbre.cli.main")  # -P: a click.py in the working folder is not ours


@click.command()
@click.option(
    "--data", "folder", type=click.Path(path_type=Path), help="Real music: genre/file, or with a manifest.csv."
)
@click.option("--epochs", type=click.IntRange(1), help="Train this many epochs instead of the experiment's.")
def command(folder: Path | None, epochs: int | None) -> None:
    """Go the whole way from audio to a served answer: on composed music, or on yours with --data."""
    walk = Walk()
    data = data_overrides(folder)
    HOME.mkdir(parents=True, exist_ok=True)
    say("timbre demo: audio becomes a model, and the model an endpoint. Every line after $ is a command you can type.")
    say(f"The demonstration has a registry of its own: export MLFLOW_TRACKING_URI={walk.tracking_uri}")

    walk.run("Prepare: decode every clip once, split by artist", "prepare", *data, allowed=(0, 1))
    training = ["experiment=demo", *data, f"hydra.run.dir={RUN}", *([f"trainer.max_epochs={epochs}"] if epochs else [])]
    walk.run("Train the CNN for a few short epochs", "train", *training)
    walk.run("Export the best checkpoint to one ONNX file and compare it with torch", "export", f"run_dir={RUN}", *data)
    walk.run(
        "Evaluate that file on music the model has never heard", "evaluate", f"run_dir={RUN}", *data, allowed=(0, 1)
    )
    walk.run("Register the model with its lineage and report", "models", "register", "--run-dir", str(RUN))
    refused = walk.run(
        "Promote it to production, if the gates let it through",
        *("models", "promote", "latest", "--to", "production"),
        *("--set", f"registry.gates.floors.production={FLOOR}"),
        allowed=(0, GateRefusedError.exit_code),
    )
    model = str(RUN / "model.onnx") if refused else DEFAULT_MODEL
    if refused:
        say("    Not good enough for production, so the file itself is served.")
    serve_and_ask(walk, model, two_clips(data_dir(folder), HOME))
    say(f"\nDone in {time.monotonic() - walk.started:.0f} s.")
    say(f"  Report:    {RUN / 'report' / 'report.md'}")
    say(f"  MLflow UI: mlflow ui --backend-store-uri {walk.tracking_uri}   then open http://127.0.0.1:5000")
    say(f"  Serve it:  MLFLOW_TRACKING_URI={walk.tracking_uri} timbre serve --model {model}")


def data_overrides(folder: Path | None) -> list[str]:
    """The Hydra words that choose the data: the composed corpus, or real music, by its folds if it has them."""
    if folder is None:
        return ["data=demo", f"contract.clip_seconds={COMPOSED_SECONDS}"]
    if not folder.is_dir():
        raise TimbreError(f"no folder {folder}: give --data a folder with one folder of audio files per genre")
    words = ["data=folder", f"data.source.root={folder.resolve()}", f"data.dir={data_dir(folder)}"]
    manifest = folder / "manifest.csv"
    if manifest.is_file():
        with manifest.open(encoding="utf-8-sig", errors="replace", newline="") as file:
            if "fold" in next(csv.reader(file), []):
                words.append("data/split=folds")
    return words


def data_dir(folder: Path | None) -> Path:
    """Where the prepared data of the demonstration lies."""
    return Path("data/demo") if folder is None else HOME / "data" / folder.resolve().name


def serve_and_ask(walk: Walk, model: str, clips: list[Path]) -> None:
    """Start the service, post the clips as a client would, print the answers, and stop it cleanly."""
    walk.announce("Serve it over HTTP with batching", "serve", "--model", model)
    with running_server([*TIMBRE, "serve", "--model", model], walk.environment) as url:
        say(f"    ready at {url}")
        for clip in clips:
            say(f"\n    $ curl -F file=@{shlex.quote(str(clip))} {url}/api/v1/predict")
            answer = ask(url, clip)
            ranked = sorted(answer["all_probabilities"].items(), key=lambda item: -item[1])
            say(f"    {answer['genre']}, confidence {answer['confidence']:.2f}, in {answer['processing_time_ms']} ms")
            say("    " + "   ".join(f"{genre} {probability:.2f}" for genre, probability in ranked))
    say("    stopped: the service drained and left no process behind")
