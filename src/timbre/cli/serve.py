"""`timbre serve`: answer genre requests over HTTP."""

import click

from timbre.serving.settings import describe_settings, read_settings


def _help() -> str:
    return (
        "Answer genre requests over HTTP.\n\n"
        "SIGTERM or Ctrl-C lets the requests in work finish (exit code 0); a second one ends them (143 or 130)."
    )


class _WithVariables(click.Command):
    """A command whose help also lists every TIMBRE_* variable of the server."""

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The variables, from the settings class itself."""
        del ctx
        with formatter.section("Environment"):
            formatter.write_dl(list(describe_settings()))


@click.command(name="serve", cls=_WithVariables, help=_help())
@click.option("--model", help="ONNX file, or a registry address such as models:/timbre@production.")
@click.option("--host", help="Address to listen on.")
@click.option("--port", type=int, help="TCP port to listen on; 0 takes a free one.")
@click.option("--workers", type=int, help="Inference processes.")
def command(model: str | None, host: str | None, port: int | None, workers: int | None) -> int:
    """Read the settings, find the model, serve."""
    settings = read_settings(model=model, host=host, port=port, workers=workers)
    from timbre.cli.model_uri import resolve_model
    from timbre.serving.run import serve

    return serve(settings, resolve_model(settings.model))
