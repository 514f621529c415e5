"""`timbre predict PATH...`: name the genre of audio files, folders and patterns; works with the base install alone."""

from contextlib import closing

import click

from timbre.cli.console import progress, say
from timbre.cli.model_uri import resolve_model
from timbre.cli.predict_output import OUTPUTS, record
from timbre.cli.predict_paths import find_audio
from timbre.contract import DEFAULT_MODEL
from timbre.inference import OnnxEngine, Predictor, Span
from timbre.inference.predictor import TRACK_SECONDS


@click.command()
@click.argument("paths", nargs=-1, required=True, metavar="PATH...")
@click.option(
    "--model",
    "model_uri",
    envvar="TIMBRE_MODEL",
    default=DEFAULT_MODEL,
    show_default=True,
    show_envvar=True,
    metavar="FILE|models:/NAME@ALIAS",
    help="The model.",
)
@click.option(
    "--span",
    type=click.Choice(["clip", "track"]),
    default="clip",
    show_default=True,
    help=f"Listen to the first clip of each file, or to all of it (at most {TRACK_SECONDS:.0f} s), windows pooled.",
)
@click.option("--top-k", type=click.IntRange(1), help="How many genres to show for each file, best first.")
@click.option("--workers", type=click.IntRange(1, 256), help="Processes that decode.  [default: one per core]")
@click.option("--json", "output", flag_value="json", help="Write one JSON array.")
@click.option("--jsonl", "output", flag_value="jsonl", help="Write a JSON object per line, as soon as it is known.")
@click.option("--csv", "output", flag_value="csv", help="Write comma-separated values with a header.")
@click.option("--table", "output", flag_value="table", default=True, help="Write a table for people (the default).")
@click.pass_context
def command(
    ctx: click.Context,
    paths: tuple[str, ...],
    model_uri: str,
    span: Span,
    top_k: int | None,
    workers: int | None,
    output: str,
) -> None:
    """Name the genre of audio files.

    PATH is a WAV, MP3, FLAC or OGG Vorbis file, a folder (all audio below it), or a quoted pattern such as
    'music/**/*.mp3'. A file that cannot be used becomes an error record, and the exit code is 1.
    """
    files, complaints = find_audio(paths)
    for complaint in complaints:
        say(complaint)
    engine = OnnxEngine(resolve_model(model_uri), threads=1)
    failed = 0
    with (
        OUTPUTS[output](engine.contract, top_k=top_k) as out,
        progress("predicting", len(files)) as advance,
        closing(Predictor(engine).predict_files(files, span=span, workers=workers)) as results,
    ):
        for result in results:
            failed += result.error is not None
            out.write(record(result, engine, top_k=top_k))
            advance(1)
    if failed:
        say(f"{failed} of {len(files)} files could not be used")
    if failed or complaints:
        ctx.exit(1)
