"""The command `timbre`: finds the verb, runs it, and turns every user's mistake into one line and an exit code."""

import importlib
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from typing import Any

import click

from timbre.cli.console import say
from timbre.errors import TimbreError

HYDRA_VERBS = {
    "prepare": "Turn labelled audio into a manifest, artist-disjoint splits and a PCM store.",
    "train": "Train a classifier on a prepared store.",
    "export": "Write the best checkpoint as one ONNX file, waveform in, probabilities out.",
    "evaluate": "Measure an ONNX file on a split and write the report.",
}
PLAIN_VERBS = {
    "predict": "Name the genre of audio files.",
    "serve": "Answer genre requests over HTTP.",
    "models": "Register, promote, roll back and fetch model versions.",
    "demo": "Go the whole way from audio to a served answer.",
    "doctor": "Say what this installation can do.",
}
INTERRUPTED = 130
EXTRA_OF_VERB = {
    **dict.fromkeys(HYDRA_VERBS, "train"),
    "models": "train",
    "demo": "train,serve",
    "serve": "serve",
}


class Verbs(click.Group):
    """A group that imports a verb's module only when that verb is called, so that `timbre --help` is quick."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the verb; if the reader of its output goes away, as `| head` does, it has what it wanted."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            return 0

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The verbs in the order in which a model comes to be."""
        return [*HYDRA_VERBS, *PLAIN_VERBS]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the verb, or None if there is none of this name."""
        if cmd_name in HYDRA_VERBS:
            return _hydra_command(cmd_name)
        if cmd_name in PLAIN_VERBS:
            command: click.Command = _import_verb(cmd_name).command
            return command
        return None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the verbs from what this module knows of them, importing none."""
        for title, verbs in (
            ("From audio to a model (Hydra: takes key=value and -m)", HYDRA_VERBS),
            ("Everyday", PLAIN_VERBS),
        ):
            with formatter.section(title):
                formatter.write_dl(list(verbs.items()))


def _import_verb(verb: str):  # type: ignore[no-untyped-def]  # a module; its attributes differ by verb
    try:
        return importlib.import_module(f"timbre.cli.{verb}")
    except ModuleNotFoundError as error:
        if error.name is None or error.name.split(".")[0] == "timbre":
            raise
        extra = EXTRA_OF_VERB.get(verb, "train")
        raise TimbreError(f"`timbre {verb}` needs the package {error.name}: pip install 'timbre[{extra}]'") from error


def _hydra_command(verb: str) -> click.Command:
    """A verb whose words all go to Hydra: overrides, `-m`, `--cfg job`, `--help`."""

    @click.command(
        name=verb,
        help=HYDRA_VERBS[verb],
        context_settings={"ignore_unknown_options": True, "allow_extra_args": True, "help_option_names": []},
    )
    @click.argument("overrides", nargs=-1, type=click.UNPROCESSED)
    def command(overrides: tuple[str, ...]) -> None:
        job = _import_verb(verb).job
        from timbre.cli import hydra_app

        sys.exit(hydra_app.run(verb, overrides, job))

    return command


@click.group(cls=Verbs, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="timbre")
@click.option("--debug", is_flag=True, help="Show the traceback of an error (anywhere on the line).")
def timbre(debug: bool) -> None:
    """Music genres, from labelled audio to a served answer."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit with DESIGN's codes: 0, 1, 2, 3, 4 or 130."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in words
    words = [word for word in words if word != "--debug"]
    try:
        with sigterm_interrupts() if words[:1] != ["serve"] else nullcontext():  # a server drains instead
            code = timbre.main(words, prog_name="timbre", standalone_mode=False)
    except click.exceptions.Exit as stop:
        code = stop.exit_code
    except click.ClickException as error:
        error.show()
        code = error.exit_code
    except (KeyboardInterrupt, click.Abort):
        say("interrupted")
        code = INTERRUPTED
    except SystemExit as stop:
        code = stop.code
        if isinstance(code, str):  # as Python does it
            say(code)
            code = 1
    except (TimbreError, OSError) as error:
        if debug:
            raise
        say(f"timbre: {describe(error)}")
        code = error.exit_code if isinstance(error, TimbreError) else TimbreError.exit_code
    except Exception as error:  # the last line of defence: a fault of ours, said in one line
        if debug:
            raise
        say(f"timbre: unexpected {type(error).__name__}: {describe(error)} (run again with --debug for the traceback)")
        code = 70  # EX_SOFTWARE of sysexits.h: ours to mend, not the user's
    sys.exit(_flush_stdout(code if isinstance(code, int) else 0))


def _flush_stdout(code: int) -> int:
    """Bring out what is still buffered, or say why not if nothing was said yet; returns the exit code after that."""
    try:
        sys.stdout.flush()
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or Python tries and complains once more
        if code == 0 and not isinstance(error, BrokenPipeError):  # a reader that has gone has what it wanted
            say(f"timbre: {describe(error)}")
            return TimbreError.exit_code
    return code


@contextmanager
def sigterm_interrupts() -> Iterator[None]:
    """Take SIGTERM, by which service managers and CI end a process, as Ctrl-C is taken."""

    def interrupt(_number: int, _frame: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def describe(error: Exception) -> str:
    """One clear line for an error of the user's making or of the system's."""
    if isinstance(error, OSError) and not isinstance(error, TimbreError):
        name = error.filename2 or error.filename  # of two files the one that was written
        where = f": {name}" if name else ""
        return f"{error.strerror or error}{where}"
    return " ".join(str(error).split())


if __name__ == "__main__":
    main()
