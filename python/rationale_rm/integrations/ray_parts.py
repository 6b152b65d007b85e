"""The folder of parts: the scored rows of each file, as one Parquet file that is whole or counts as not there."""

from __future__ import annotations

import hashlib
import os
import uuid
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from rationale_rm._core import RationaleError, __version__
from rationale_rm.integrations.ray_lines import Scoring, schema

PARTS_VERSION: Final = 1
"""Of the tables of `ray_lines`: parts of another version are not taken for done."""


class PartError(RationaleError):
    """A file of the folder is not a part that `write_whole` wrote."""


def part_name(path: str, scoring: Scoring) -> str:
    """Name of the part of a file: it changes with the file and with whatever its rows depend on."""
    stat = os.stat(path)
    rows_depend_on = {k: v for k, v in asdict(scoring).items() if k != "settings"}
    rows_depend_on |= {
        name: value
        for name, value in asdict(scoring.settings).items()
        if name not in ("seed", "n_resamples", "level")  # of the intervals
    }
    key = (PARTS_VERSION, __version__, path, stat.st_size, stat.st_mtime_ns, sorted(rows_depend_on.items()))
    digest = hashlib.sha256(repr(key).encode("utf-8", "surrogateescape")).hexdigest()[:24]
    stem = "".join(c if c.isalnum() or c in "-_" else "_" for c in Path(path).name.split(".")[0])[:60]
    return f"{stem}-{digest}.parquet"


def write_whole(table: Any, path: Path) -> None:
    """Writes a Parquet file under another name and renames it: whatever is killed, a part is whole or not there."""
    import pyarrow.parquet as pq

    draft = path.with_name(f".{path.name}.{uuid.uuid4().hex}.tmp")
    try:
        with draft.open("xb") as stream:
            pq.write_table(table, stream, compression="zstd", write_page_checksum=True)
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(draft, path)
    finally:
        draft.unlink(missing_ok=True)


def read_part(path: Path) -> Any:
    """The table that `write_whole` wrote. Raises `PartError` for what is anything else, or was damaged since."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with path.open("rb") as stream:
            table = pq.ParquetFile(stream, page_checksum_verification=True).read()
        table.validate(full=True)  # headers of pages are under no checksum
    except (OSError, ValueError, pa.ArrowException) as error:  # ValueError: a column's name that is not UTF-8
        raise PartError(f"{path} cannot be read: {str(error).partition(chr(10))[0]}") from error
    if not table.schema.equals(schema()):
        raise PartError(f"{path} does not hold the columns of scored rows")
    if not (table.schema.metadata or {}).get(b"n_lines", b"").isdigit():
        raise PartError(f"{path} does not say how many lines were read")
    return table
