"""Reading pairs for a subcommand, with progress and clear errors."""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterator, Sequence

from rationale_rm.cli import output
from rationale_rm.data import BadLine, DataError, LabelScale, Loaded, read_pairs
from rationale_rm.extras import MissingExtraError


@contextlib.contextmanager
def reading(progress: output.Progress) -> Iterator[None]:
    """Leaves the program where a file cannot be read."""
    try:
        yield
    except DataError as error:
        progress.done()
        output.fail(f"{error} (--strict stops at the first bad line)")
    except MissingExtraError as error:
        progress.done()
        output.fail(str(error))
    except OSError as error:
        progress.done()
        output.fail(f"cannot read {error.filename or 'the input'}: {error.strerror}")


def require(found: Collection[object], what: str, kind: str, bad: Sequence[BadLine], n_lines: int) -> None:
    """Leaves the program where the input holds nothing of `kind`, to do `what` with."""
    if not found:
        output.report_bad_lines(bad, n_lines)
        why = f"none of {output.count(n_lines, 'line')} is {kind}" if n_lines else "the input is empty"
        output.fail(f"nothing to {what}: {why}")


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

    with reading(progress):
        loaded = read_pairs(
            files,
            strict=strict,
            label_scale=label_scale,
            model=model,
            on_line=on_line,
            need_references=need_references,
        )
    progress.done()
    require(
        loaded.pairs, what, "a pair with human reasons" if need_references else "a pair", loaded.bad, loaded.n_lines
    )
    return loaded
