"""``rationale-rm train``: trains a GenRM by a recipe, or says what that would take."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Annotated, Final, NoReturn

import typer

from rationale_rm._core import RationaleError
from rationale_rm.cli import output
from rationale_rm.data import STDIN
from rationale_rm.extras import MissingExtraError

if TYPE_CHECKING:
    from rationale_rm.train.recipe import Recipe

DEFAULT: Final = "tiny-cpu"
LIBRARIES: Final = ("torch", "transformers", "accelerate", "safetensors")
"""What the loop imports when it is loaded."""
KEPT: Final = ("best", "last")
"""Checkpoints that a run leaves, by the names that stay."""
EPILOG: Final = """\
Examples:

\b
  rationale-rm train
      tiny-cpu: a model of 1.5 million parameters, from nothing, on the CPU, in minutes
  rationale-rm train qwen3-14b --dry-run
      the paper's run: steps, tokens, judge calls, memory of each device, and what is missing here
  rationale-rm train my.yaml --set reward.mode=outcome --set train.steps=50 --output runs/outcome
      a recipe of one's own with other settings; begin it with "extends: qwen3-14b" to write down the differences alone
  rationale-rm train my.yaml --resume
      goes on from the last checkpoint of its output folder
  accelerate launch --num_processes 8 -m rationale_rm train qwen3-14b
      several devices; launch configurations for FSDP2 and DeepSpeed are in recipes/accelerate

Ctrl-C and SIGTERM save a checkpoint first. Errors before the first step leave with 2 and write nothing. The settings
of a recipe: --explain, and docs/recipes.md.
"""


def train(
    recipe: Annotated[
        str, typer.Argument(metavar="[RECIPE]", help="A YAML file, or the name of a shipped recipe (--list).")
    ] = DEFAULT,
    overrides: Annotated[
        list[str] | None,
        typer.Option(
            "--set", metavar="KEY=VALUE", help="Another value of a setting, such as optimiser.lr=1e-5; may be repeated."
        ),
    ] = None,
    folder: Annotated[
        str | None,
        typer.Option("--output", "-o", metavar="FOLDER", help="Where the run writes. Default: runs/ and its name."),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on from the last checkpoint of the output folder.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print what the run takes and what is missing here; train nothing.")
    ] = False,
    json_path: Annotated[
        str | None,
        typer.Option("--json", metavar="FILE", help="Write the plan of a dry run as JSON; - for standard output."),
    ] = None,
    explain: Annotated[
        bool, typer.Option("--explain", help="Print every setting with its values, default and meaning.")
    ] = False,
    show: Annotated[
        bool, typer.Option("--show", help="Print the recipe as it would run, every setting filled in, as YAML.")
    ] = False,
    listed: Annotated[bool, typer.Option("--list", help="Print the shipped recipes.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print errors alone.")] = False,
) -> None:
    """Train a GenRM by GRPO with rationale and outcome rewards, as a recipe says."""
    if json_path is not None and not dry_run:
        output.fail("--json belongs to --dry-run: a run keeps its figures in metrics.jsonl", output.USAGE)
    if listed:
        _list()
        return
    if explain:
        _explain()
        return
    settings = [*(overrides or ()), *([] if folder is None else [f"output.folder={_quoted(folder)}"])]
    if quiet:
        settings.append("output.progress=false")
    found = _read(recipe, settings)
    if show:
        from rationale_rm.train.recipe import recipe_text

        output.emit(recipe_text(found))
    elif dry_run:
        _plan(found, resume, json_path)
    else:
        _run(found, resume, quiet)


def _quoted(text: str) -> str:
    """A text that YAML reads as it stands."""
    return "'" + text.replace("'", "''") + "'"


def _read(source: str, overrides: list[str]) -> Recipe:
    """The recipe; leaves the program with what is wrong with it."""
    try:
        from rationale_rm.train.recipe import read_recipe

        return read_recipe(source, overrides)
    except (RationaleError, OSError) as error:
        _refuse(error)


def _refuse(error: Exception) -> NoReturn:
    """Says what is wrong before anything was done, a line a fault."""
    lines = str(error).splitlines() or [type(error).__name__]
    for line in lines[:-1]:
        output.note(f"error: {line}")
    output.fail(lines[-1], output.USAGE)


def _list() -> None:
    try:
        from rationale_rm.train.recipe import read_recipe, shipped_recipes

        shipped = shipped_recipes()
    except (RationaleError, OSError) as error:
        _refuse(error)
    width = max(map(len, shipped))
    for name, path in shipped.items():
        output.emit(f"{name:<{width}}  {output.safe(read_recipe(path).about)}\n")


def _explain() -> None:
    try:
        from rationale_rm.train.recipe.explain import as_text
    except RationaleError as error:
        _refuse(error)
    output.emit("\n".join(as_text()) + "\n")


def _plan(recipe: Recipe, resume: bool, json_path: str | None) -> None:
    from rationale_rm.train.plan import make_plan, plan_lines

    plan = make_plan(recipe, resume=resume)
    if json_path != STDIN:
        output.emit("\n".join(map(output.safe, plan_lines(plan))) + "\n")
    if json_path is not None:
        output.write_json(json_path, plan.to_dict())


def _run(recipe: Recipe, resume: bool, quiet: bool) -> None:
    from rationale_rm.train.recipe import remarks

    speaks = not quiet and os.environ.get("RANK", "0") == "0"  # the first of several processes speaks for all
    if speaks:
        for remark in remarks(recipe):
            output.note(f"mind: {remark}")
    try:
        from rationale_rm.train.loop import train as run

        found = run(recipe, resume=resume)
    except ModuleNotFoundError as error:
        if error.name not in LIBRARIES:
            raise
        _refuse(MissingExtraError(error.name, "train"))
    except (RationaleError, ImportError, OSError) as error:
        if getattr(error, "started", False):  # steps were done, and saved
            output.fail(str(error))
        _refuse(error)
    if speaks and not found.stopped:
        models = [path for path in (found.folder / "checkpoints" / name / "model" for name in KEPT) if path.exists()]
        output.note(f"{found.folder}: {output.count(found.step, 'step')} done; {' and '.join(map(str, models))}")
