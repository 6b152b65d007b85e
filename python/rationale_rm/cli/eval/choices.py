"""Options that the subcommands of ``eval`` share."""

from __future__ import annotations

from typing import Annotated

import typer

from rationale_rm.critique import Style

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
NReasons = Annotated[
    int, typer.Option(min=0, max=100, help="Reasons to ask for; 0 leaves the number to the model, as in training.")
]
Temperature = Annotated[float, typer.Option(min=0, max=2, help="Temperature of the answers.")]
TopP = Annotated[float, typer.Option(min=0.000001, max=1, help="Nucleus of the sampling.")]
MaxTokens = Annotated[int, typer.Option(min=1, help="Tokens that an answer may have.")]
Constrain = Annotated[
    bool,
    typer.Option(
        "--constrain/--no-constrain", help="Hold answers to the form (vLLM). Off: form is part of what is judged."
    ),
]
Prompt = Annotated[
    Style, typer.Option("--prompt", help="The whole prompt, or brief: one line, as small models are trained on.")
]
Resamples = Annotated[int, typer.Option(min=1, max=10_000_000, help="Resamples of the bootstrap.")]
Against = Annotated[
    str | None, typer.Option(metavar="RUN", help="Also compare with this finished run, on the items both have.")
]
