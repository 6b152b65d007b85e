"""The files of an analysis: which they are, each read once, and what its manifest says of them."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Hashable, Sequence
from pathlib import Path
from typing import Any, BinaryIO

from rationale_rm import _core as core
from rationale_rm.analysis.figures import Sampling
from rationale_rm.analysis.train_samples import sample_files
from rationale_rm.data import STDIN, BadLine, DataError, expand
from rationale_rm.documents import SAMPLES_FILE


def files_of(paths: Sequence[str | os.PathLike[str]]) -> list[str]:
    """The files of `paths` that hold answers: of run folders the samples, of other folders all that hold records.

    Raises `FileNotFoundError` for a path that is not there, and for a folder that holds none; `DataError` for what is
    no file.
    """
    files: list[str] = []
    for path in [os.fspath(path) for path in paths]:
        runs = sorted(map(str, Path(path).rglob(SAMPLES_FILE))) if path != STDIN and os.path.isdir(path) else []
        files += runs or sample_files(path) or expand([path])
    return each_once(files)


def each_once(files: Sequence[str]) -> list[str]:
    """The files in their order, each under its first name. Raises `DataError` for what is no file: inputs are read more
    than once, and of a pipe there would be nothing left.
    """
    for file in files:
        if file != STDIN and not os.path.isfile(file):
            why = "no file, and inputs are read more than once: save it, or give it to standard input, as -"
            raise DataError(BadLine(file, 0, why))
    found: dict[Any, str] = {}
    for file in files:
        found.setdefault(place_of(file), file)
    return list(found.values())


def place_of(file: str) -> Hashable:
    """What is the same for all names of a file: its device and number."""
    if file == STDIN:
        return STDIN
    about = os.stat(file)
    return about.st_dev, about.st_ino


def rewound_stdin() -> BinaryIO:
    """Standard input from its beginning, for it is read more than once; a pipe is copied to a file first."""
    if not sys.stdin.seekable():
        copy = tempfile.TemporaryFile()  # noqa: SIM115 - open as long as the program runs, as standard input is
        shutil.copyfileobj(sys.stdin.buffer, copy)
        sys.stdin = io.TextIOWrapper(copy)
    sys.stdin.buffer.seek(0)
    return sys.stdin.buffer


def manifest(files: Sequence[str], how: Sampling, **more: Any) -> dict[str, Any]:
    """What an analysis depends on: its files with their SHA-256, the resampling, and `more`."""
    return {
        "version": core.__version__,
        "files": [{"file": os.path.basename(file), "sha256": _sha256(file)} for file in files],
        "seed": how.seed,
        "n_resamples": how.n_resamples,
        **more,
    }


def _sha256(file: str) -> str:
    digest = hashlib.sha256()
    with contextlib.nullcontext(rewound_stdin()) if file == STDIN else open(file, "rb") as stream:
        while chunk := stream.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()


def read_json(path: str | os.PathLike[str]) -> dict[str, Any]:
    """The JSON object in a file. Raises `DataError`."""
    file = os.fspath(path)
    try:
        value = json.loads(Path(file).read_text("utf-8"))
    except (ValueError, RecursionError) as error:
        line = getattr(error, "lineno", 0)
        raise DataError(
            BadLine(file, line, f"not JSON ({error}): a result of `rationale-rm eval` is expected")
        ) from None
    if not isinstance(value, dict):
        raise DataError(BadLine(file, 1, "a JSON object is expected: a result of `rationale-rm eval`"))
    return value
