# ruff: noqa: E402 - Ray reads the environment as it is imported
"""Ray itself, a local cluster of two workers: rows and figures are those of one process, whatever is killed."""

import contextlib
import gc
import json
import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import warnings

# A socket's path may have 107 characters, which pytest's folders leave too few of.
_FOLDER = tempfile.TemporaryDirectory(prefix="ray-")
os.environ["RAY_TMPDIR"] = _FOLDER.name
os.environ["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] = "0"  # everything listens on the loopback address
os.environ["RAY_USAGE_STATS_ENABLED"] = "0"

import psutil
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import ray
import ray.data
from rationale_rm import data, metrics
from rationale_rm.integrations.ray import COLUMNS, BatchScorer
from rationale_rm.integrations.ray_engine import TRIES, EngineError, score_files
from rationale_rm.integrations.ray_lines import Scoring
from records import critiqued, judge_text, matched, pair, write

pytestmark = [
    pytest.mark.filterwarnings("default"),  # Ray and its workers are not quiet under Python's warnings
    pytest.mark.filterwarnings(r"ignore::DeprecationWarning:ray\.data\."),  # Ray Data's of its own settings
]

SHARDS, ROWS = 20, 1200
WORKER = "MapWorker"
OUTPUTS = ("scores.json", "scores.csv", "samples.csv", "samples.parquet")


def shard(number, rng):
    """Rows of pairs that were shown in both orders, as ``match`` writes them."""
    rows = []
    for index in range(number * ROWS // 2, (number + 1) * ROWS // 2):
        record = pair(id=f"p{index:06}", domain=("code", "math", "chat")[index % 3], label=rng.choice(["A>B", "B>>A"]))
        for swapped in (False, True):
            line = critiqued(record, rng.choice(["A>B", "B>A", "B>>A"]), swapped=swapped)
            cells = rng.choice([((1, 1, 0.75), (2, 0, 0)), ((1, 2, 0.5), (2, 1, 1)), ((1, 0, 0), (2, 2, 0.25))])
            row = matched(line, judge_text(*cells) if rng.random() < 0.9 else "no block")
            for sample in row["samples"]:
                del sample["usage"]  # an empty object, for which Parquet has no type
            rows.append(row)
    return rows


@pytest.fixture(scope="module")
def shards(tmp_path_factory):
    folder = tmp_path_factory.mktemp("shards") / "in"
    folder.mkdir()
    rng = random.Random(11)
    for number in range(SHARDS):
        pq.write_table(pa.Table.from_pylist(shard(number, rng)), folder / f"part-{number:03}.parquet")
    write(folder / "rest.jsonl", "{ not JSON", pair(**{"id": "x", "human-checklist": []}), critiqued(pair(id="last")))
    return folder


def command(shards, out, *options):
    out.mkdir(exist_ok=True)
    names = zip(("--json", "--csv", "--samples"), OUTPUTS, strict=False)
    targets = [text for option, name in names for text in (option, str(out / name))]
    return [sys.executable, "-m", "rationale_rm.cli", "score", str(shards), *targets, *map(str, options)]


@pytest.fixture(scope="module")
def alone(shards, tmp_path_factory):
    """What one process writes, and prints."""
    out = tmp_path_factory.mktemp("alone")
    done = subprocess.run(command(shards, out), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert json.loads((out / "scores.json").read_text())["input"]["n_bad_lines"] == 2
    return out, done.stdout, done.stderr


def assert_identical(out, done, alone):
    expected, stdout, stderr = alone
    for name in OUTPUTS[:3]:
        assert (out / name).read_bytes() == (expected / name).read_bytes(), name
    assert done.stdout == stdout
    assert said(done.stderr) == said(stderr)


def said(stderr):
    """What is told beside progress and what Ray says of itself."""
    passing = ("scored ", "scoring ", "reading: ", "[")
    return [line for line in stderr.splitlines() if "(raylet)" not in line and not line.startswith(passing)]


def workers_of(process):
    """The workers below a process; of others that end meanwhile nothing is asked."""
    found = []
    with contextlib.suppress(psutil.NoSuchProcess):
        for child in psutil.Process(process.pid).children(recursive=True):
            with contextlib.suppress(psutil.NoSuchProcess):
                if WORKER in " ".join(child.cmdline()):
                    found.append(child)
    return found


def finished(parts):
    return sorted(path for path in parts.glob("*.parquet")) if parts.exists() else []


def end(process, children):
    """Ends a run and what it started: of a killed run Ray's own processes take minutes to notice."""
    process.kill()
    for child in children:
        with contextlib.suppress(psutil.NoSuchProcess):
            child.kill()
    psutil.wait_procs(children, timeout=60)
    process.communicate()


def until(condition, process, seconds=240):
    """Waits for something that happens while the process runs."""
    end = time.monotonic() + seconds
    while not (found := condition()):
        assert process.poll() is None, f"it ended before: {process.communicate()}"
        assert time.monotonic() < end
        time.sleep(0.02)
    return found


def test_a_killed_worker_and_a_killed_run_change_nothing(shards, alone, tmp_path):
    """One worker is killed, then the whole run; what is done by then is not done again, and nothing is lost."""
    out, parts = tmp_path / "out", tmp_path / "parts"
    run = command(shards, out, "--engine", "ray", "--workers", 2, "--parts", parts)
    first = subprocess.Popen(run, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    everything = []
    try:
        until(lambda: finished(parts), first)
        everything = psutil.Process(first.pid).children(recursive=True)
        listening = {
            connection.laddr.ip
            for process in everything
            for connection in process.net_connections("inet")
            if connection.status == psutil.CONN_LISTEN
        }
        assert listening
        assert all(ip.removeprefix("::ffff:").startswith("127.") for ip in listening), listening
        workers_of(first)[0].send_signal(signal.SIGKILL)
        at_kill = len(finished(parts))
        until(lambda: len(finished(parts)) > at_kill + 4, first)
        first.send_signal(signal.SIGKILL)
    finally:
        end(first, everything)
    done_before = {path: path.stat().st_mtime_ns for path in finished(parts)}
    assert 0 < len(done_before) < SHARDS
    assert all(pq.read_table(path).num_rows for path in done_before)

    second = subprocess.Popen(run, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        until(lambda: len(finished(parts)) > len(done_before), second)
        everything = psutil.Process(second.pid).children(recursive=True)
        workers_of(second)[0].send_signal(signal.SIGKILL)
        assert len(finished(parts)) < SHARDS + 1, "the worker was killed too late to tell"
        stdout, stderr = second.communicate(timeout=300)
        assert not psutil.wait_procs(everything, timeout=60)[1], "a run that ends leaves nothing behind"
    finally:
        end(second, everything)
    done = subprocess.CompletedProcess(run, second.returncode, stdout, stderr)
    assert done.returncode == 0, stderr
    assert_identical(out, done, alone)
    assert {path: path.stat().st_mtime_ns for path in done_before} == done_before
    assert len(finished(parts)) == SHARDS + 1

    # All is done: no cluster is needed any more.
    again = subprocess.run(run, capture_output=True, text=True)
    assert_identical(out, again, alone)


@contextlib.contextmanager
def rays_own_warnings():
    """Ray leaves the files that its processes write to open, and does not wait for its monitor process."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        warnings.simplefilter("ignore", FutureWarning)
        yield
        gc.collect()


@pytest.fixture(scope="module")
def cluster():
    # Two for workers, one for reading: Ray Data waits for ever where its actors take all.
    with rays_own_warnings():
        ray.init(num_cpus=3, include_dashboard=False, log_to_driver=False, object_store_memory=256 << 20)
    yield
    with rays_own_warnings():
        ray.shutdown()


def test_a_killed_worker_without_parts(cluster, shards):
    """Rows come back through Ray's object store; the worker dies as the first file is done."""
    files = data.expand([shards])
    killed = []

    def kill(n_done):
        if n_done == 1 and not killed:
            worker = workers_of(psutil.Process())[0]
            worker.send_signal(signal.SIGKILL)
            killed.append(worker.pid)

    found = score_files(files, Scoring(), workers=2, on_file=kill)
    loaded = data.read_pairs(files)
    assert killed
    assert (found.bad, found.n_lines, found.n_records) == (loaded.bad, loaded.n_lines, len(loaded.pairs))
    expected, scores = metrics.evaluate(loaded.pairs, "m"), found.evaluate("m")
    assert scores.to_dict() == expected.to_dict()
    assert list(scores.samples()) == list(expected.samples())


def test_a_file_whose_worker_always_dies_ends_the_run(cluster, tmp_path):
    """A pipe says when a worker reads: it is killed each time."""
    pipe = tmp_path / "a.jsonl"
    os.mkfifo(pipe)
    deaths, stop = [], threading.Event()

    def kill_readers():
        while not stop.is_set():
            writing = os.open(pipe, os.O_WRONLY)  # waits for a reader
            readers = []
            while not readers and not stop.wait(0.05):
                readers = workers_of(psutil.Process())
            for worker in readers:
                worker.kill()
            psutil.wait_procs(readers)
            deaths.append(len(readers))
            os.close(writing)

    killer = threading.Thread(target=kill_readers, daemon=True)
    killer.start()
    try:
        with pytest.raises(EngineError, match=r"gave up after 0 of 1 files"):
            score_files([str(pipe)], Scoring(), workers=1)
        assert deaths == [1] * (TRIES + 1)
    finally:
        stop.set()
        with contextlib.closing(open(os.open(pipe, os.O_RDONLY | os.O_NONBLOCK), "rb")):
            killer.join(timeout=60)


def test_a_file_that_workers_cannot_read_ends_the_run(cluster, shards, tmp_path):
    path = write(tmp_path / "a.jsonl", critiqued(pair()))
    path.chmod(0)
    if os.access(path, os.R_OK):  # root reads everything
        path.unlink()
        path.symlink_to("/proc/self/mem")
    with pytest.raises(EngineError, match=r"could not score .*a\.jsonl: (OS|Permission)Error"):
        score_files([str(path)], Scoring(), workers=1)


def test_a_damaged_part_is_scored_again(cluster, tmp_path):
    paths = [str(write(tmp_path / f"{name}.jsonl", critiqued(pair(id=name)))) for name in "ab"]
    parts, told = tmp_path / "new" / "parts", []
    score_files(paths, Scoring(), workers=1, parts=parts, on_damaged=told.append)
    damaged, other = finished(parts)
    before = other.stat().st_mtime_ns, pq.read_table(damaged)
    damaged.write_bytes(damaged.read_bytes()[:100])
    score_files(paths, Scoring(), workers=1, parts=parts, on_damaged=told.append)
    assert len(told) == 1
    assert told[0].startswith(f"{damaged} cannot be read")
    assert (other.stat().st_mtime_ns, pq.read_table(damaged)) == before
    assert finished(parts) == [damaged, other]


def test_a_folder_of_parts_that_cannot_be_made_is_told(cluster, tmp_path):
    path = write(tmp_path / "a.jsonl", critiqued(pair()))
    with pytest.raises(EngineError, match=r"cannot write to .*a\.jsonl/parts: Not a directory"):
        score_files([str(path)], Scoring(), workers=1, parts=path / "parts")


def test_a_cluster_that_is_not_there_is_told_of(tmp_path):
    """Ray itself would try for minutes. A port that is bound and not listened at refuses."""
    path, parts = write(tmp_path / "a.jsonl", critiqued(pair())), tmp_path / "parts"
    with socket.socket() as held:
        held.bind(("", 0))
        for address in (f"127.0.0.1:{held.getsockname()[1]}", "no address"):
            run = [
                sys.executable,
                "-m",
                "rationale_rm.cli",
                "score",
                str(path),
                "--engine",
                "ray",
                "--parts",
                str(parts),
            ]
            done = subprocess.run(
                run, capture_output=True, text=True, timeout=240, env={**os.environ, "RAY_ADDRESS": address}
            )
            assert (done.returncode, done.stdout) == (1, "")
            (line,) = done.stderr.splitlines()
            assert line.startswith(f"error: cannot join the Ray cluster at {address} ($RAY_ADDRESS): ")
    assert not parts.exists()


@pytest.mark.parametrize("form", ["pyarrow", "numpy"])
def test_map_batches_gives_the_samples_of_one_process(cluster, shards, form):
    files = [file for file in data.expand([shards]) if file.endswith(".parquet")][:3]
    scored = ray.data.read_parquet(files).map_batches(
        BatchScorer,
        fn_constructor_kwargs={"settings": {"top_k": 1}},
        batch_size=500,
        batch_format=form,
        compute=ray.data.ActorPoolStrategy(size=2),
    )
    found = sorted(scored.take_all(), key=lambda row: row["id"])
    expected = metrics.evaluate(data.read_pairs(files).pairs, "m", metrics.Settings(top_k=1))
    rows = sorted(expected.samples(), key=lambda row: row["id"])
    assert len(found) == len(rows) == 3 * ROWS
    for ours, theirs in zip(found, rows, strict=True):
        ours = {name: None if value != value else value for name, value in ours.items()}
        assert {name: ours[name] for name in theirs} == theirs


def test_datasets_map_gives_the_same_rows_in_its_processes(shards, tmp_path):
    import datasets

    files = [file for file in data.expand([shards]) if file.endswith(".parquet")][:2]
    rows = datasets.load_dataset("parquet", data_files=files, split="train", cache_dir=str(tmp_path))
    scored = rows.map(BatchScorer(), batched=True, batch_size=500, num_proc=2, remove_columns=rows.column_names)
    assert set(scored.column_names) == set(COLUMNS)
    expected = {row["id"]: row for row in metrics.evaluate(data.read_pairs(files).pairs, "m").samples()}
    assert len(scored) == len(expected) == 2 * ROWS
    for row in scored:
        assert {name: row[name] for name in expected[row["id"]]} == expected[row["id"]]
