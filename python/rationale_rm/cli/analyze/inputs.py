"""The inputs of analyses, what is said of them, and the end of a run."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any, Final

from rationale_rm import RationaleError
from rationale_rm.analysis import Answers, read_answers
from rationale_rm.analysis.answers import cut
from rationale_rm.analysis.files import files_of, place_of
from rationale_rm.cli import output
from rationale_rm.cli.analyze.options import Drawing, Reading
from rationale_rm.cli.analyze.tables import named, tables
from rationale_rm.data import BadLine, DataError
from rationale_rm.documents import Analysis
from rationale_rm.extras import MissingExtraError
from rationale_rm.metrics import Settings

BAD_LINES: Final = 1000
"""More are counted and not listed."""
_REASON: Final = 500


@contextlib.contextmanager
def failing(progress: output.Progress | None = None) -> Iterator[None]:
    """Leaves the program, with what is wrong, where an input cannot be used."""

    def fail(message: str, code: int = output.BAD_INPUT) -> None:
        if progress is not None:
            progress.done()
        output.fail(message, code)

    try:
        yield
    except (DataError, MissingExtraError, RationaleError) as error:
        fail(str(error))
    except OSError as error:
        if error.errno is None:  # ours, and says it all
            fail(str(error), output.USAGE)
        fail(f"cannot read {error.filename or 'the input'}: {error.strerror}")
    finally:
        if progress is not None:
            progress.done()


def files_once(paths: Sequence[str], targets: Mapping[str, str | None]) -> list[str]:
    """The files of `paths`, each once, after a check of the output files (`output.inputs_and_targets`); says which
    were named before.
    """
    output.inputs_and_targets(paths, targets)
    with failing():
        found: dict[Any, tuple[str, str]] = {}
        for path in paths:
            files = files_of([path])
            again = [file for file in files if place_of(file) in found]
            if again:
                before = found[place_of(again[0])][1]
                more = f" and {len(again) - 1} more" if len(again) > 1 else ""
                output.note(f"warning: {path}: {again[0]}{more} was named before, by {before}, and is read once")
            for file in files:
                found.setdefault(place_of(file), (file, path))
        return [file for file, _ in found.values()]


def in_common(first: Sequence[str], second: Sequence[str]) -> str | None:
    """A file that is in both, whatever it is called there."""
    places = set(map(place_of, first))
    return next((file for file in second if place_of(file) in places), None)


def answers_of(
    paths: Sequence[str], how: Reading, *, top_k: int, need_references: bool = True, own_output: str | None = None
) -> Answers:
    """The answers in `paths` of the models asked for; leaves the program where there are none. What an earlier run left
    in `own_output` is not read, though it lies in one of the folders.
    """
    progress = output.Progress(how.quiet)

    def on_line(count: int) -> None:
        if count % 256 == 0:
            progress.update(f"reading: {count:,} lines")

    with failing(progress):
        answers = read_answers(
            paths,
            settings=Settings(top_k=top_k or None),
            label_scale=how.label_scale,
            strict=how.strict,
            need_references=need_references,
            leave_out=own_output,
            on_line=on_line,
        )
    some = len(answers.bad) <= BAD_LINES
    listed = "--json lists them all" if some else f"--json lists the first {BAD_LINES:,}"
    output.report_bad_lines(answers.bad, answers.n_lines, how.quiet, listed)
    if not answers.views:
        output.fail(
            f"nothing to analyse: none of {output.count(answers.n_lines, 'line')} in {', '.join(paths)} holds a "
            "model's answer; give a folder of an `eval` run, or the output of `critique` or `match`"
        )
    for name in how.models or ():
        if name not in answers.models:
            output.fail(f"--model {output.safe(name, 60)}: the data hold {named(answers.models)}", output.USAGE)
    return answers if how.models is None else cut(answers, how.models)


def named_runs(given: Sequence[str]) -> list[tuple[str | None, str]]:
    """``NAME=FOLDER`` or ``FOLDER`` as name and folder; leaves the program for a folder that is not there or was named
    before.
    """
    runs: list[tuple[str | None, str]] = []
    places: dict[str, str] = {}
    for one in given:
        name, sign, path = one.partition("=")
        runs.append((name, path) if sign and not os.path.exists(one) else (None, one))
        path = runs[-1][1]
        if not os.path.isdir(path):
            output.fail(f"no run folder {path!r}: give FOLDER or NAME=FOLDER", output.USAGE)
        place = os.path.realpath(path)
        if place in places:
            output.fail(f"{places[place]} and {one} are one run: give each once", output.USAGE)
        places[place] = one
    return runs


def finish(analysis: Analysis, how: Drawing, bad: Sequence[BadLine] = (), n_lines: int = 0) -> None:
    """Writes and prints an analysis; `bad` are the lines of the input, of `n_lines`, that could not be read."""
    if bad:
        listed = [asdict(replace(line, reason=output.safe(line.reason, _REASON))) for line in bad[:BAD_LINES]]
        analysis = replace(
            analysis,
            notes=(*analysis.notes, f"{output.left_out(bad, n_lines)} as bad."),
            manifest={**analysis.manifest, "n_lines": n_lines, "n_bad_lines": len(bad), "bad_lines": listed},
        )
    if how.json_path is not None:
        output.write_json(how.json_path, analysis.to_dict())
    if not how.quiet and how.json_path != "-":
        output.emit(tables(analysis))
