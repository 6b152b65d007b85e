"""`kill -9` at any moment, then resume: the output equals an uninterrupted run's, and little is asked twice."""

import contextlib
import json
import os
import random
import signal
import subprocess
import time

import pytest
from judging import COMMAND, environment, pairs_file, records_of, request, run
from servers import ScriptedServer

COUNT = 240
CONCURRENCY = 8


def command_of(name, pairs, out, server, *more):
    model = ["--judge", f"openai:m@{server.url}"] if name == "match" else ["--model", f"openai:g@{server.url}"]
    common = ["--concurrency", str(CONCURRENCY), "--max-failure-rate", "1"]
    return [*COMMAND, name, str(pairs), str(out), *model, *common, *map(str, more)]


def start(command, env=None):
    """The program in a process group of its own."""
    return subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=env or environment(),
        start_new_session=True,
    )


def size_of(path):
    return os.path.getsize(path) if os.path.exists(path) else 0


def wait_for(process, out, size):
    """Until the output has grown to `size`, or the process has ended."""
    deadline = time.monotonic() + 120
    while process.poll() is None and size_of(out) < size:
        assert time.monotonic() < deadline, "the run makes no progress"
        time.sleep(0.002)


def end(process, number):
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, number)
    return process.communicate(timeout=60)


@pytest.fixture(scope="module")
def server():
    """Slow enough that a run lasts, with faults that go away when asked again, and questions that never do."""
    settings = {"seed": 4, "latency": 0.01, "latency_spread": 0.03, "hopeless": 0.05, "retry_after": 0.01}
    with ScriptedServer(**settings) as running:
        yield running


@pytest.fixture(scope="module")
def pairs(tmp_path_factory):
    return pairs_file(tmp_path_factory.mktemp("pairs") / "pairs.jsonl", COUNT)


WAYS = {
    "match": ("match", ["--no-cache", "--attempts", "2"]),
    "match with a cache": ("match", ["--attempts", "2"]),
    "match with samples": ("match", ["--no-cache", "--attempts", "2", "--samples", "2"]),
    "critique": ("critique", ["--no-cache", "--attempts", "2", "--both-orders"]),
}


KILLS = [("match", 20), ("match with a cache", 5), ("match with samples", 3), ("critique", 5)]


@pytest.mark.parametrize(("way", "kills"), KILLS)
def test_killed_and_resumed_equals_uninterrupted(server, pairs, tmp_path, way, kills):
    name, more = WAYS[way]
    env = environment(XDG_CACHE_HOME=str(tmp_path / "cache"))
    whole, out = tmp_path / "whole.jsonl", tmp_path / "out.jsonl"
    plain = [argument for argument in more if argument != "--no-cache"]
    run(*command_of(name, pairs, whole, server, *plain, "--no-cache")[3:], env=env)
    want = records_of(whole)
    server.reset()

    draw = random.Random(way)
    per_run = size_of(whole) / kills
    command, killed = command_of(name, pairs, out, server, *more), 0
    while killed < kills:
        process = start(command, env)
        if draw.random() < 0.2:  # at any moment, also while it starts
            time.sleep(draw.uniform(0, 0.8))
        else:  # after some more of the output
            wait_for(process, out, size_of(out) + draw.uniform(0, per_run))
            time.sleep(draw.uniform(0, 0.02))
        if process.poll() is not None:
            break
        end(process, signal.SIGKILL)
        killed += 1
        if killed % 5 == 0:  # a tail that is torn: what a power cut or another file system leaves
            with open(out, "ab") as stream:
                stream.write(b'{"id": "q1/m", "made_by": {"comm')
    assert killed >= kills * 0.75, "the runs were over too soon"
    done = run(*command[3:], env=env)
    found = records_of(out)
    assert list(found) == list(want)
    assert found == want
    assert any(record["status"] != "success" for record in found.values()) == (name == "match")

    # What was there was not asked for again: only calls under way at a kill are, and what failed.
    stats = server.stats()
    samples = 2 if "samples" in way else 1
    assert stats["repeated"] <= killed * CONCURRENCY * samples
    assert "answer" in done.stderr or "request" in done.stderr
    assert size_of(out) > 0
    lines = out.read_text().splitlines()
    assert len(lines) <= len(want) + (killed + 1) * sum(record["status"] != "success" for record in want.values())
    # and the result is read by what comes next
    if name == "match":
        run("score", out, "--n-resamples", "10")


def test_a_finished_run_asks_for_the_failed_alone(server, pairs, tmp_path):
    out = tmp_path / "out.jsonl"
    command = command_of("match", pairs, out, server, "--no-cache", "--attempts", "1")[3:]
    run(*command)
    failed = [record for record in records_of(out).values() if record["status"] != "success"]
    assert failed
    server.reset()
    before = out.read_bytes()
    run(*command)
    assert server.stats()["requests"] == len(failed)
    assert out.read_bytes().startswith(before)  # records are added, never changed


def test_a_killed_group_that_shares_a_cache(server, tmp_path):
    """Two runs over overlapping pairs share a cache, and SIGKILL takes both at once, several times."""
    env = environment(XDG_CACHE_HOME=str(tmp_path / "cache"))
    files = [pairs_file(tmp_path / f"pairs{n}.jsonl", 120, first=n * 60) for n in range(2)]
    outs = [tmp_path / f"out{n}.jsonl" for n in range(2)]
    server.reset()
    commands = [
        command_of("match", file, out, server, "--attempts", "1") for file, out in zip(files, outs, strict=True)
    ]
    for _ in range(3):
        processes = [start(command, env) for command in commands]
        wait_for(processes[0], outs[0], size_of(outs[0]) + 20_000)
        for process in processes:
            end(process, signal.SIGKILL)
    for command in commands:
        run(*command[3:], env=env)
    wholes = []
    for n, file in enumerate(files):
        wholes.append(tmp_path / f"whole{n}.jsonl")
        run(*command_of("match", file, wholes[n], server, "--attempts", "1", "--no-cache")[3:], env=env)
    for out, whole in zip(outs, wholes, strict=True):
        assert records_of(out) == records_of(whole)


@pytest.mark.parametrize("name", ["match", "critique"])
def test_an_interrupt_leaves_a_file_that_is_gone_on_with(server, pairs, tmp_path, name):
    out = tmp_path / "out.jsonl"
    command = command_of(name, pairs, out, server, "--no-cache", "--attempts", "1")
    for _ in range(3):
        process = start(command)
        wait_for(process, out, size_of(out) + 20_000)
        _, said = end(process, signal.SIGINT)
        assert process.returncode == 130
        assert "Traceback" not in said
        assert "interrupted" in said
        assert str(out) in said  # what is there, and how to go on
        content = out.read_bytes()
        assert content.endswith(b"\n")
        for line in content.splitlines():
            json.loads(line)
    run(*command[3:])
    whole = tmp_path / "whole.jsonl"
    run(*command_of(name, pairs, whole, server, "--no-cache", "--attempts", "1")[3:])
    assert records_of(out) == records_of(whole)


def test_two_interrupts_end_it_too(server, pairs, tmp_path):
    process = start(command_of("match", pairs, tmp_path / "out.jsonl", server, "--no-cache"))
    wait_for(process, tmp_path / "out.jsonl", 10_000)
    os.killpg(process.pid, signal.SIGINT)
    _, said = end(process, signal.SIGINT)
    assert process.returncode == 130
    assert "Traceback" not in said


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_termination_leaves_whole_records(server, pairs, tmp_path, number):
    out = tmp_path / "out.jsonl"
    command = command_of("match", pairs, out, server, "--no-cache", "--attempts", "1")
    process = start(command)
    wait_for(process, out, 20_000)
    _, said = end(process, number)
    assert process.returncode == -number
    assert "Traceback" not in said
    assert out.read_bytes().endswith(b"\n")
    run(*command[3:])
    assert len(records_of(out)) == COUNT


def test_an_interrupt_while_every_answer_comes_from_the_cache(server, pairs, tmp_path):
    """Nothing waits for a server then, and the run must hear of the interrupt all the same."""
    env = environment(XDG_CACHE_HOME=str(tmp_path / "cache"))
    many = pairs_file(tmp_path / "many.jsonl", 1500)
    with ScriptedServer() as quick:
        run(*command_of("match", many, tmp_path / "first.jsonl", quick)[3:], env=env)
        out = tmp_path / "out.jsonl"
        process = start(command_of("match", many, out, quick), env)
        wait_for(process, out, 50_000)
        _, said = end(process, signal.SIGINT)
        assert process.returncode in (0, 130)  # 0: it was over already
        assert "Traceback" not in said
        run(*command_of("match", many, out, quick)[3:], env=env)
        assert records_of(out) == records_of(tmp_path / "first.jsonl")


def test_a_second_run_on_the_same_output_is_refused(server, pairs, tmp_path):
    out = tmp_path / "out.jsonl"
    command = command_of("match", pairs, out, server, "--no-cache")
    process = start(command)
    wait_for(process, out, 10_000)
    done = run(*command[3:], code=1)
    assert "another process" in done.stderr
    end(process, signal.SIGKILL)


def test_resumed_over_more_pairs(server, pairs, tmp_path):
    """--limit first, then all: what is there is kept."""
    out = tmp_path / "out.jsonl"
    command = command_of("match", pairs, out, server, "--no-cache", "--attempts", "1")[3:]
    run(*command, "--limit", "30")
    first = records_of(out)
    assert len(first) == 30
    run(*command)
    found = records_of(out)
    assert len(found) == COUNT
    assert {name: found[name] for name in first} == first


def test_killed_while_it_is_resumed_on_a_torn_file(server, pairs, tmp_path):
    """The first record is torn, and so is each later one in turn."""
    out, whole = tmp_path / "out.jsonl", tmp_path / "whole.jsonl"
    few = pairs_file(tmp_path / "few.jsonl", 4)
    command = command_of("match", few, out, server, "--no-cache", "--attempts", "1", "--concurrency", "1")[3:]
    run(*command_of("match", few, whole, server, "--no-cache", "--attempts", "1", "--concurrency", "1")[3:])
    content = whole.read_bytes()
    draw = random.Random(1)
    for cut in sorted({1, 12, 40, *(draw.randrange(len(content)) for _ in range(2))}):
        out.write_bytes(content[:cut])
        run(*command)
        assert records_of(out) == records_of(whole), cut
    assert request(0).id + "/m" in records_of(out)
