"""Options that the subcommands which ask a model share."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Annotated, Any, get_args, get_origin, get_type_hints

import typer

from rationale_rm.cli import output
from rationale_rm.data import STDIN
from rationale_rm.judge import Limits
from rationale_rm.judge.openai_client import DEFAULT_KEY_VARIABLE

Concurrency = Annotated[int, typer.Option(min=1, max=4096, help="Calls under way at once.")]
Rpm = Annotated[
    float | None,
    typer.Option("--requests-per-minute", min=0.001, help="Calls a minute at the most. Default: no limit."),
]
Tpm = Annotated[
    float | None,
    typer.Option(
        "--tokens-per-minute",
        min=1,
        help="Tokens a minute at the most, prompts and answers (estimated). Default: no limit.",
    ),
]
Timeout = Annotated[float, typer.Option(min=0.001, help="Seconds that one call may take.")]
Attempts = Annotated[int, typer.Option(min=1, max=1000, help="Calls for one answer before it counts as failed.")]
Budget = Annotated[
    float | None,
    typer.Option(
        "--time-budget",
        min=0.001,
        help="Seconds for the whole run; what is not answered by then ends as failed, and a later run asks it again.",
    ),
]
CachePath = Annotated[
    str | None,
    typer.Option(
        "--cache",
        metavar="FILE",
        help="Where answers are kept for later runs. Default: answers.sqlite in the user's cache folder.",
    ),
]
NoCache = Annotated[bool, typer.Option("--no-cache", help="Keep no answers beside the output.")]
KeyVariable = Annotated[
    str, typer.Option("--key-env", metavar="NAME", help="Environment variable that holds the server's key.")
]
Prices = Annotated[
    str | None,
    typer.Option(
        metavar="FILE",
        help='JSON table of prices, US dollars a million tokens: {"as_of": DAY, "models": {NAME: {"input": 2.0, '
        '"output": 8.0, "cached_input": 0.5}}}.',
    ),
]
Resume = Annotated[
    bool,
    typer.Option(
        "--resume/--no-resume",
        help="Go on from what OUT holds, asking only for what is missing or failed; --no-resume wants a new file.",
    ),
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Print calls, tokens and cost to come, and ask nothing.")]
Limit = Annotated[int | None, typer.Option(min=1, help="Take the first so many records of the input only.")]
Seed = Annotated[int, typer.Option(min=0, max=2**31 - 1, help="Seed of sampling and of random orders.")]
MaxFailureRate = Annotated[
    float,
    typer.Option(min=0, max=1, help="Stop when a larger share of the answers asked for has failed for good."),
]
Summary = Annotated[
    str | None,
    typer.Option(
        "--json", metavar="FILE", help="Write counts, tokens, cost and bad lines as JSON; - for standard output."
    ),
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print errors and the number of bad lines only.")]
Inputs = Annotated[
    list[str],
    typer.Argument(
        metavar="IN…", help="JSON Lines (plain, .gz, .zst), Parquet, folders of them, or - for standard input."
    ),
]
Out = Annotated[
    str, typer.Argument(metavar="OUT", help="Output, JSON Lines; a file that a stopped run left is continued.")
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Asking:
    """How a run asks: the values of the options above."""

    limits: Limits
    cache: str | None
    no_cache: bool
    key_variable: str
    prices: str | None
    resume: bool
    dry_run: bool
    limit: int | None
    max_failure_rate: float
    summary: str | None
    quiet: bool


def _asking(
    *,
    concurrency: Concurrency = 64,
    requests_per_minute: Rpm = None,
    tokens_per_minute: Tpm = None,
    timeout: Timeout = 300.0,
    attempts: Attempts = 6,
    time_budget: Budget = None,
    cache: CachePath = None,
    no_cache: NoCache = False,
    key_env: KeyVariable = DEFAULT_KEY_VARIABLE,
    prices: Prices = None,
    resume: Resume = True,
    dry_run: DryRun = False,
    limit: Limit = None,
    max_failure_rate: MaxFailureRate = 0.05,
    json_path: Summary = None,
    quiet: Quiet = False,
) -> Asking:
    limits = Limits(
        concurrency=concurrency,
        requests_per_minute=requests_per_minute,
        tokens_per_minute=tokens_per_minute,
        attempts=attempts,
        timeout=timeout,
        batch_budget=time_budget,
    )
    return Asking(
        limits=limits,
        cache=cache,
        no_cache=no_cache,
        key_variable=key_env,
        prices=prices,
        resume=resume,
        dry_run=dry_run,
        limit=limit,
        max_failure_rate=max_failure_rate,
        summary=json_path,
        quiet=quiet,
    )


def asks(command: Callable[..., None]) -> Callable[..., None]:
    """Adds the options of `_asking` to a subcommand, which is given their values as its argument `how`."""
    asking = adds(_asking, "how")(command)

    @wraps(asking)
    def run(**values: Any) -> None:
        for name, value in values.items():
            if isinstance(value, float) and not math.isfinite(value):  # which every minimum and maximum lets pass
                output.fail(f"--{name.replace('_', '-')} is {value}: expected a number", output.USAGE)
        if values.get("out") == STDIN:
            output.fail("OUT must be a file, which a later run goes on from: standard output is none", output.USAGE)
        asking(**values)

    return run


def adds(maker: Callable[..., Any], argument: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """A decorator that adds the parameters of `maker` to a subcommand as options; what `maker` makes of their values
    is the subcommand's `argument`.
    """
    shared = _parameters(maker)

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        own = {name: parameter for name, parameter in _parameters(command).items() if name != argument}

        @wraps(command)
        def run(**values: Any) -> None:
            made = maker(**{name: values.pop(name) for name in shared})
            command(**values, **{argument: made})

        everything = {**own, **shared}
        run.__signature__ = inspect.Signature(list(everything.values()))  # type: ignore[attr-defined]
        run.__annotations__ = {name: parameter.annotation for name, parameter in everything.items()}
        return run

    return decorate


def _parameters(function: Callable[..., Any]) -> dict[str, inspect.Parameter]:
    """The parameters of a function by name, keyword-only, with their annotations read."""
    hints = get_type_hints(function, include_extras=True)
    return {
        name: parameter.replace(annotation=_bare(hints[name]), kind=inspect.Parameter.KEYWORD_ONLY)
        for name, parameter in inspect.signature(function).parameters.items()
    }


def _bare(hint: Any) -> Any:
    """Python 3.10 puts what has None as its default into an Optional, where typer does not see the option's name."""
    return next((part for part in get_args(hint) if get_origin(part) is Annotated), hint)
