"""Files scored by the workers of a Ray cluster, one file a task.

A task reads its file, scores it and hands over figures; texts never leave the worker. Its result depends on its file
alone, so Ray may run it again wherever a worker is lost, and a result stands for its file once however often it ran.
"""

from __future__ import annotations

import contextlib
import logging
import os
import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from rationale_rm._core import RationaleError
from rationale_rm.data import STDIN
from rationale_rm.extras import needs
from rationale_rm.integrations.ray_cluster import EngineError, cause_of, cluster
from rationale_rm.integrations.ray_lines import Scoring, score_file
from rationale_rm.integrations.ray_merge import ScoredData
from rationale_rm.integrations.ray_parts import PartError, part_name, read_part, write_whole

TRIES: Final = 5
"""How often a file is begun again when its worker dies: one that kills every worker must not go round for ever."""


def score_files(
    files: Sequence[str],
    scoring: Scoring,
    *,
    workers: int | None = None,
    parts: str | os.PathLike[str] | None = None,
    on_file: Callable[[int], None] | None = None,
    on_damaged: Callable[[str], None] | None = None,
) -> ScoredData:
    """Scores `files` on a Ray cluster; the figures are those of a single process over the same files.

    The cluster is the one that this process is connected to, else the one that ``RAY_ADDRESS`` names, else a local one
    that lives as long as the call. `workers` (default: one for each CPU of the cluster) processes take a file at a
    time, which all of them must be able to read under the same path. With `parts`, a folder that they all can write,
    the scored rows of each file become a Parquet file there, and a later call with the same settings scores only the
    files that are new or changed, or whose part cannot be read, of which `on_damaged` is told. `on_file` is called with
    the number of files done.

    Raises `JoinError` where lines would have to be joined, `EngineError` when Ray gives up, `MissingExtraError`.
    """
    with needs("ray", "pyarrow"):
        import pyarrow  # noqa: F401 - told of before anything is read

    if STDIN in files:
        raise EngineError("--engine ray reads files, not standard input: its workers are other processes")
    # Workers have another folder of their own.
    paths = [os.path.abspath(file) for file in files]
    folder = None if parts is None else Path(parts).absolute()
    names = [part_name(path, scoring) for path in paths]
    tables = {} if folder is None else _read_parts(folder, names, on_damaged)
    todo = [at for at in range(len(paths)) if at not in tables]
    if on_file is not None:
        on_file(len(tables))
    if todo:
        with cluster(workers) as n_workers:
            if folder is not None:
                _make(folder)
            for at, table in _scored(todo, paths, names, scoring, folder, min(n_workers, len(todo))):
                tables[at] = table
                if on_file is not None:
                    on_file(len(tables))
    return ScoredData([tables[at] for at in range(len(paths))], files, scoring.settings)


def _read_parts(folder: Path, names: Sequence[str], on_damaged: Callable[[str], None] | None) -> dict[int, Any]:
    """The tables of the parts that are there, by number; one that cannot be read counts as not there."""
    tables = {}
    for at, name in enumerate(names):
        if (folder / name).exists():
            try:
                tables[at] = read_part(folder / name)
            except PartError as error:
                if on_damaged is not None:
                    on_damaged(f"{error}; its file is scored again")
    return tables


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise EngineError(f"cannot write to {folder}: {error.strerror}") from None


class FileScorer:
    """The worker: a batch of one file's number in, its scored rows out. Ray makes one an actor."""

    def __init__(self, paths: Sequence[str], names: Sequence[str], scoring: Scoring, folder: Path | None):
        os.environ.setdefault("RAYON_NUM_THREADS", "1")  # Ray counts on one CPU for each worker
        self.paths, self.names, self.scoring, self.folder = paths, names, scoring, folder

    def __call__(self, batch: dict[str, Any]) -> dict[str, list[Any]]:
        """``{"file": [number]}`` → that, ``"rows"``: the table in Arrow's stream format, empty when it lies in the
        folder of parts, and ``"error"``: why there is none, empty where there is.
        """
        found: dict[str, list[Any]] = {"file": batch["file"].tolist(), "rows": [], "error": []}
        for at in found["file"]:
            rows, error = b"", ""
            try:
                rows = self._score(at)
            except (OSError, RationaleError) as fault:  # as text: Ray keeps little of an exception
                error = f"{type(fault).__name__}: {fault}"
            found["rows"].append(rows)
            found["error"].append(error)
        return found

    def _score(self, at: int) -> bytes:
        import pyarrow as pa

        table = score_file(self.paths[at], self.scoring)
        if self.folder is not None:
            write_whole(table, self.folder / self.names[at])
            return b""
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, table.schema) as stream:
            stream.write_table(table)
        return bytes(sink.getvalue().to_pybytes())


def _scored(
    todo: Sequence[int],
    paths: Sequence[str],
    names: Sequence[str],
    scoring: Scoring,
    folder: Path | None,
    workers: int,
) -> Iterator[tuple[int, Any]]:
    """Number and table of each file of `todo`, as they are done."""
    import pyarrow as pa
    import ray
    from ray.data import ActorPoolStrategy
    from ray.exceptions import RayError

    done: set[int] = set()
    with _quiet():
        items = ray.data.from_items([{"file": at} for at in todo], override_num_blocks=len(todo))
        scored = items.map_batches(
            FileScorer,
            fn_constructor_args=(paths, names, scoring, folder),
            batch_size=1,
            batch_format="numpy",
            compute=ActorPoolStrategy(size=workers),
            num_cpus=1,
            max_restarts=-1,
            max_task_retries=TRIES,
        )
        try:
            for row in scored.iter_rows():
                at = int(row["file"])
                if row["error"]:
                    raise EngineError(f"a worker could not score {paths[at]}: {row['error']}")
                if at in done:
                    raise EngineError(f"Ray gave {paths[at]} twice")
                done.add(at)
                yield at, read_part(folder / names[at]) if folder else pa.ipc.open_stream(row["rows"]).read_all()
        except RayError as error:
            raise EngineError(f"Ray gave up after {len(done)} of {len(todo)} files: {cause_of(error)}") from error
    if done != {*todo}:
        raise EngineError(f"Ray lost {len(todo) - len(done)} of {len(todo)} files")


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """No progress bars, plans and deprecations of Ray Data on the terminal meanwhile."""
    from ray.data import DataContext

    context, logger = DataContext.get_current(), logging.getLogger("ray.data")
    kept = context.enable_progress_bars, context.print_on_execution_start, logger.level
    context.enable_progress_bars = context.print_on_execution_start = False
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            # The retries have no other place yet; the extra ends before the version that drops this one.
            warnings.filterwarnings("ignore", message=".*ray_remote_args")
            yield
    finally:
        context.enable_progress_bars, context.print_on_execution_start = kept[:2]
        logger.setLevel(kept[2])
