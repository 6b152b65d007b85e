"""A million rows scored by Ray with two workers, one of which is killed midway, and by one process.

python -m benches.ray_score [ROWS], in an environment with Ray, writes the rows, runs both and prints the rows a second;
both must write the same.
"""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

ROWS, FEW_ROWS = 1_000_000, 50_000
SHARD = 10_000
PYTHON = Path(".venv-integrations/ray/bin/python")
"""Of the environment that has Ray; ``make bench`` sets it up."""
WORKER = "MapWorker"
RESAMPLES = 100
"""Intervals are drawn by one process in either way: with the default of 2,000 they would take most of the time."""


@dataclass(frozen=True)
class Found:
    rows: int
    size: int
    """Bytes of the Parquet files."""
    ray: float
    """Seconds."""
    alone: float
    parts_at_kill: int
    parts: int
    memory: Sequence[float]
    """Peak memory in GB of the process that gives the figures: Ray's driver, and the single process."""


def write_shards(folder: Path, n_rows: int) -> int:
    """Rows of ``match`` about pairs shown in both orders, in files of `SHARD` rows; returns their size.

    The files differ in the ids alone: what is judged repeats after `SHARD` rows, which nothing makes use of.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    rng = np.random.default_rng(12)
    first = pa.Table.from_pylist([_row(index, rng) for index in range(SHARD)])
    size = 0
    for number in range(n_rows // SHARD):
        pairs = [f"pair-{number * SHARD // 2 + index // 2:07}" for index in range(SHARD)]
        ids = [pair + "#swapped" * (index % 2) for index, pair in enumerate(pairs)]
        changes = {"id": pa.array(ids), "pair_id": pa.array(pairs)}
        place = first.schema.get_field_index("metadata")
        old = first.column(place).combine_chunks()
        fields = [changes.get(field.name, old.field(field.name)) for field in old.type]
        table = first.set_column(place, "metadata", pa.StructArray.from_arrays(fields, fields=list(old.type)))
        table = table.set_column(0, "id", pa.array([f"{one}/m" for one in ids]))
        path = folder / f"part-{number:04}.parquet"
        pq.write_table(table, path, compression="zstd")
        size += path.stat().st_size
    return size


def _row(index: int, rng: np.random.Generator) -> dict[str, Any]:
    words = ["clear", "wrong", "step", "units", "cites", "short", "misses", "proof", "code", "edge", "case", "answer"]

    def text(n_words: int) -> str:
        return " ".join(rng.choice(words, n_words).tolist())

    n_references, n_reasons = rng.integers(1, 6), rng.integers(1, 8)
    cells = [(r, s, rng.choice([0.25, 0.5, 0.75, 1.0]) if s else 0) for r, s in _cells(rng, n_references, n_reasons)]
    lines = "\n".join(f"- R{r}@S{s}: {score}" for r, s, score in cells)
    metadata = {
        "id": "",
        "pair_id": "",
        "swapped": bool(index % 2),
        "sample": 0,
        "domain": ["code", "general", "stem", "multilingual"][index // 2 % 4],
        "context": [{"role": "user", "content": text(40)}],
        "response1": text(60),
        "response2": text(60),
        "human-checklist": [text(9) for _ in range(n_references)],
        "label": ["A>B", "B>>A", "A>>B"][index // 2 % 3],
        "m-checklist": [text(9) for _ in range(n_reasons)],
        "m-label": str(rng.choice(["A>>B", "A>B", "B>A", "B>>A"])),
        "m-status": "ok",
    }
    judged = f"I compare them.\n<RESULT_START>\nScores corresponding to claims:\n{lines}\n<RESULT_END>"
    return {
        "id": "",
        "made_by": {"command": "match"},
        "judge": "openai:judge@http://127.0.0.1/v1",
        "model": "m",
        "samples": [{"generated_text": judged if rng.random() > 0.02 else "I cannot say.", "finish_reason": "stop"}],
        "status": "success",
        "metadata": metadata,
    }


def _cells(rng: np.random.Generator, n_references: int, n_reasons: int) -> list[tuple[int, int]]:
    return [(reference, int(rng.integers(0, n_reasons + 1))) for reference in range(1, n_references + 1)]


def _command(data: Path, out: Path, *options: str) -> list[str]:
    targets = ["--json", f"{out}.json", "--samples", f"{out}.parquet", "--quiet", "--n-resamples", str(RESAMPLES)]
    return [sys.executable, "-m", "rationale_rm.cli", "score", str(data), *targets, *options]


def _wait(process: subprocess.Popen[bytes]) -> float:
    """Waits for the end of a run that must end well; returns its own peak memory in GB."""
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"{process.args} ended with {process.returncode}")
    return usage.ru_maxrss / 1e6


def _kill_a_worker(process: subprocess.Popen[bytes], parts: Path, n_files: int) -> int:
    """Kills a worker with SIGKILL once half of the files are done; returns how many were."""
    import psutil

    while process.poll() is None:
        done = len(list(parts.glob("*.parquet")))
        if done >= n_files // 2:
            found = psutil.Process(process.pid).children(recursive=True)
            worker = next(child for child in found if WORKER in " ".join(child.cmdline()))
            worker.send_signal(signal.SIGKILL)
            return done
        time.sleep(0.05)
    raise RuntimeError("the run ended before half of its files were done")


def _same(a: Path, b: Path) -> bool:
    import pyarrow.parquet as pq

    return Path(f"{a}.json").read_bytes() == Path(f"{b}.json").read_bytes() and (
        pq.read_table(f"{a}.parquet").equals(pq.read_table(f"{b}.parquet"))
    )


def measure(n_rows: int) -> Found:
    with tempfile.TemporaryDirectory(prefix="ray-", dir="/tmp") as name:  # Ray's sockets need a short path
        folder = Path(name)
        data, parts = folder / "in", folder / "parts"
        data.mkdir()
        size = write_shards(data, n_rows)
        environment = os.environ | {"RAY_TMPDIR": name}
        start = time.perf_counter()
        process = subprocess.Popen(_command(data, folder / "alone"), env=environment)
        memory_alone = _wait(process)
        alone = time.perf_counter() - start
        start = time.perf_counter()
        options = ("--engine", "ray", "--workers", "2", "--parts", str(parts))
        process = subprocess.Popen(_command(data, folder / "ray", *options), env=environment)
        at_kill = _kill_a_worker(process, parts, n_rows // SHARD)
        memory_ray = _wait(process)
        ray = time.perf_counter() - start
        if not _same(folder / "alone", folder / "ray"):
            raise RuntimeError("Ray and the single process differ")
        return Found(n_rows, size, ray, alone, at_kill, n_rows // SHARD, (memory_ray, memory_alone))


def measure_apart(n_rows: int) -> Found:
    """`measure` in the environment that has Ray."""
    if not PYTHON.exists():
        raise RuntimeError(f"there is no {PYTHON}: make {PYTHON.parents[1]}/.installed")
    command = [str(PYTHON), "-m", "benches.ray_score", str(n_rows), "--json"]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True)
    return Found(**json.loads(done.stdout))


def main() -> None:
    found = measure(int(sys.argv[1]) if len(sys.argv) > 1 else ROWS)
    if "--json" in sys.argv:
        print(json.dumps(asdict(found)))
        return
    print(
        f"{found.rows:,} rows, {found.size / 1e6:.0f} MB, a worker killed at {found.parts_at_kill}/{found.parts} files"
    )
    for name, seconds, memory in (("ray", found.ray, found.memory[0]), ("alone", found.alone, found.memory[1])):
        print(f"{name}: {found.rows / seconds:,.0f} rows/s ({seconds:.1f} s), {memory:.2f} GB")


if __name__ == "__main__":
    main()
