"""Options that the subcommands of ``eval`` share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

import typer

from rationale_rm.cli import options, output
from rationale_rm.critique import MAX_TOKENS, N_REASONS, CritiqueSettings, Style

RunFolder = Annotated[
    str,
    typer.Argument(metavar="RUN", help="Folder of the run, made if it is not there; a stopped run in it is continued."),
]
Model = Annotated[
    str | None,
    typer.Option(help="GenRM to ask: openai:NAME@URL (several URLs with commas), openai:NAME, vllm:PATH or hf:PATH."),
]
Recorded = Annotated[
    list[str] | None,
    typer.Option(
        metavar="FILE",
        help="Score recorded outputs instead of asking: upstream's own files, or what critique, match or an earlier "
        "run wrote. May be repeated.",
    ),
]
Data = Annotated[
    list[str] | None,
    typer.Option(
        metavar="PATH",
        help="Files of the benchmark, or hub:OWNER/NAME/FILE. May be repeated; recorded outputs that hold their items "
        "need none.",
    ),
]
Name = Annotated[
    str | None,
    typer.Option(
        help="What to call the model; with recorded answers of several models, which one. Default: its own name."
    ),
]
Resamples = Annotated[int, typer.Option(min=1, max=10_000_000, help="Resamples of the bootstrap.")]
Against = Annotated[
    str | None, typer.Option(metavar="RUN", help="Also compare with this finished run, on the items both have.")
]

_NReasons = Annotated[
    int, typer.Option(min=0, max=100, help="Reasons to ask for; 0 leaves the number to the model, as in training.")
]
_Temperature = Annotated[float, typer.Option(min=0, max=2, help="Temperature of the answers.")]
_TopP = Annotated[float, typer.Option(min=0.000001, max=1, help="Nucleus of the sampling.")]
_MaxTokens = Annotated[int, typer.Option(min=1, help="Tokens that an answer may have.")]
_Constrain = Annotated[
    bool,
    typer.Option(
        "--constrain/--no-constrain", help="Hold answers to the form (vLLM). Off: form is part of what is judged."
    ),
]
_Prompt = Annotated[
    Style, typer.Option("--prompt", help="The whole prompt, or brief: one line, as small models are trained on.")
]


def _critique_settings(
    *,
    n_reasons: _NReasons = N_REASONS,
    temperature: _Temperature = 0.0,
    top_p: _TopP = 1.0,
    max_tokens: _MaxTokens = MAX_TOKENS,
    constrain: _Constrain = False,
    prompt: _Prompt = "full",
    seed: options.Seed = 0,
) -> CritiqueSettings:
    try:
        return CritiqueSettings(
            order="both",
            n_reasons=n_reasons or None,
            temperature=temperature,
            top_p=top_p,
            max_tokens=max_tokens,
            constrain=constrain,
            style=prompt,
            seed=seed,
        )
    except ValueError as error:
        output.fail(str(error), output.USAGE)


def asks_genrm(command: Callable[..., None]) -> Callable[..., None]:
    """Adds the options of how a GenRM is asked, always in both orders, as the argument `settings` of a subcommand."""
    return options.adds(_critique_settings, "settings")(command)
