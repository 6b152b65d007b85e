"""Reading pairs for a subcommand, with progress and clear errors."""

from __future__ import annotations

from collections.abc import Sequence

from rationale_rm.cli import output
from rationale_rm.data import DataError, LabelScale, Loaded, read_pairs
from rationale_rm.extras import MissingExtraError


def load_pairs(
    files: Sequence[str],
    *,
    progress: output.Progress,
    what: str,
    strict: bool = False,
    label_scale: LabelScale | None = None,
    model: str | None = None,
    need_references: bool = True,
) -> Loaded:
    """`read_pairs`; leaves the program where nothing can be read. `what` is to be done, in words."""

    def on_line(count: int) -> None:
        if count % 256 == 0:
            progress.update(f"reading: {count:,} lines")

    try:
        loaded = read_pairs(
            files,
            strict=strict,
            label_scale=label_scale,
            model=model,
            on_line=on_line,
            need_references=need_references,
        )
    except DataError as error:
        progress.done()
        output.fail(f"{error} (--strict stops at the first bad line)")
    except MissingExtraError as error:
        output.fail(str(error))
    except OSError as error:
        output.fail(f"cannot read {error.filename or 'the input'}: {error.strerror}")
    if not loaded.pairs:
        progress.done()
        output.report_bad_lines(loaded.bad, loaded.n_lines)
        kind = "a pair with human reasons" if need_references else "a pair"
        why = f"none of {output.count(loaded.n_lines, 'line')} is {kind}" if loaded.n_lines else "the input is empty"
        output.fail(f"nothing to {what}: {why}")
    return loaded
