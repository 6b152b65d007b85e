"""The program: its subcommands, its version, and what holds for all of them."""

from __future__ import annotations

import io
import signal
import sys
from typing import Annotated, Final

import typer

from rationale_rm import __version__
from rationale_rm.cli import analyze, atomize, critique, export, match, output, parse, score, serve, train

_INTERRUPTED: Final = 130
app = typer.Typer(
    name="rationale-rm",
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # help texts are plain, so that brackets in them need no escaping
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
app.command(name="atomize", epilog=atomize.EPILOG)(atomize.atomize)
app.command(name="critique", epilog=critique.EPILOG)(critique.critique)
app.command(name="match", epilog=match.EPILOG)(match.match)
app.command(name="score", epilog=score.EPILOG)(score.score)
app.command(name="parse", epilog=parse.EPILOG)(parse.parse)
app.command(name="train", epilog=train.EPILOG)(train.train)
app.add_typer(analyze.app, name="analyze")
app.command(name="export", epilog=export.EPILOG)(export.export)
app.command(name="serve", epilog=serve.EPILOG)(serve.serve)


def _version(shown: bool) -> None:
    if shown:
        output.emit(f"rationale-rm {__version__}\n")
        raise typer.Exit


@app.callback()
def _program(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and leave.")
    ] = False,
) -> None:
    """Rationale Consistency for generative reward models.

    `atomize` turns annotators' free text into atomic human reasons. `critique` runs a GenRM over pairs. `match` asks a
    judge which model reasons are the human ones. `score` says how far a model's reasons agree with the human ones,
    beside how often its verdict does. `analyze` looks behind the figures of models, judges and training runs. `parse`
    says how transcripts were read, and which could not be. `train` trains a GenRM with rewards for its reasons and its
    verdict. `export` writes pairs as the data set of another trainer, and `serve` gives the rewards to other trainers
    over HTTP.

    Exit codes: 0 done, 1 bad input or an output that cannot be written, 2 usage, 130 interrupted.
    """


def main() -> None:
    """Runs the program and leaves the interpreter with its exit code."""
    output.open_streams()
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _interrupt)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a terminal that knows no "≫" shows an escape, not a traceback
            stream.reconfigure(errors="backslashreplace")
    try:
        app()
    except OSError as error:  # such as help for a full disk
        output.flush_streams()
        output.note(f"error: {error.strerror or error}")
        sys.exit(output.BAD_INPUT)
    except _InterruptError:
        output.note("interrupted")
        sys.exit(_INTERRUPTED)


class _InterruptError(BaseException):
    """Ctrl-C; `KeyboardInterrupt` would be caught by typer, which says nothing or exits with 1."""


def _interrupt(*_: object) -> None:
    raise _InterruptError


if __name__ == "__main__":
    main()
