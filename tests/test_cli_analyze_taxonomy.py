"""`rationale-rm analyze taxonomy` by a scripted model: its labels, its faults, a kill, and the rates."""

import contextlib
import os
import random
import signal
import subprocess
import time

import pytest
from analysis_cases import figure
from judging import COMMAND, RecordingServer, completion, pairs_file, records_of
from servers import ScriptedServer
from taxonomy_cases import HOSTILE, analysis, taxonomy

COUNT = 40
GOOD = "<RESULT_START>\n- S1: EG | none\n- S2: GS | F1, F4\n- S3: CG | none\n<RESULT_END>"


@pytest.fixture(scope="module")
def server():
    with ScriptedServer(seed=2, latency=0.005) as running:
        yield running


@pytest.fixture(autouse=True)
def plain(server):
    server.configure(faults=0.0, hopeless=0.0, permanent=None, reject_constraints=False, latency=0.005)
    server.reset()


@pytest.fixture
def pairs(tmp_path):
    return pairs_file(tmp_path / "pairs.jsonl", COUNT)


def model(server, *more):
    return ["--labeller", f"openai:m@{server.url}", "--no-cache", "--n-resamples", "20", *more]


def test_a_model_labels_and_the_labels_are_its_own(server, pairs, tmp_path, env):
    out, summary = tmp_path / "labels.jsonl", tmp_path / "out.json"
    done = taxonomy(pairs, out, *model(server), "--json", summary, env=env)
    records = records_of(out)
    assert len(records) == COUNT
    for record in records.values():
        lines = [line for line in record["generated_text"].split("\n") if line.startswith("- S")]
        assert record["classes"] == [line.split(": ")[1][:2] for line in lines]
        flaws = [line.split(" | ")[1] for line in lines]
        assert record["flaws"] == [[] if one == "none" else one.split(", ") for one in flaws]
    found = analysis(summary)
    assert (figure(found, "m", "EG").n, figure(found, "m", "EG").n_total) == (3 * COUNT, 3 * COUNT)
    assert found.manifest["labeller"] == "openai:m"
    assert f"{COUNT} answers" in done.stderr
    assert server.stats()["constrained"] == COUNT
    taxonomy(pairs, out, *model(server), env=env)
    assert server.stats()["requests"] == COUNT  # nothing is asked twice


def test_a_server_that_takes_no_constraint_is_asked_without(server, pairs, tmp_path, env):
    server.configure(reject_constraints=True)
    taxonomy(pairs, tmp_path / "labels.jsonl", *model(server), env=env)
    assert all(record["status"] == "success" for record in records_of(tmp_path / "labels.jsonl").values())


def test_what_cannot_be_read_is_no_label_and_no_missing_flaw(server, pairs, tmp_path, env):
    server.configure(hopeless=0.4)
    out, summary = tmp_path / "labels.jsonl", tmp_path / "out.json"
    more = model(server, "--attempts", "2", "--max-failure-rate", "1")
    taxonomy(pairs, out, *more, "--json", summary, env=env)
    records = records_of(out)
    bad = [record for record in records.values() if record["status"] != "success"]
    assert 5 < len(bad) < COUNT - 5
    for record in bad:
        assert record["status"] == "format_error"
        assert record["classes"] == record["flaws"] == [None] * 3
        assert record["error_message"].startswith("malformed: no_block")
    found = analysis(summary)
    good = [record for record in records.values() if record["status"] == "success"]
    assert (figure(found, "m", "F1").n, figure(found, "m", "F1").n_total) == (3 * len(good), 3 * COUNT)
    share = sum("F1" in flaws for record in good for flaws in record["flaws"]) / (3 * len(good))
    assert figure(found, "m", "F1").value == pytest.approx(share)
    server.configure(hopeless=0.0)
    server.reset()
    taxonomy(pairs, out, *more, "--json", summary, env=env)
    assert server.stats()["requests"] == len(bad)  # the others were there
    assert figure(analysis(summary), "m", "F1").n == 3 * COUNT


def test_too_many_failures_end_with_1_and_say_what_is_known(server, pairs, tmp_path, env):
    server.configure(hopeless=0.4)
    summary = tmp_path / "out.json"
    done = taxonomy(
        pairs, tmp_path / "labels.jsonl", *model(server, "--attempts", "1"), "--json", summary, env=env, code=1
    )
    assert "--max-failure-rate 0.05" in done.stderr
    assert 0 < figure(analysis(summary), "m", "F1").n < 3 * COUNT


def test_a_server_that_is_down(pairs, tmp_path, env):
    out, summary = tmp_path / "labels.jsonl", tmp_path / "out.json"
    down = ["--labeller", "openai:m@http://127.0.0.1:9/v1", "--attempts", "1", "--no-cache"]
    done = taxonomy(pairs, out, *down, "--json", summary, env=env, code=1)
    assert "connection" in done.stderr
    assert {record["status"] for record in records_of(out).values()} == {"error"}
    found = figure(analysis(summary), "m", "EG")
    assert (found.value, found.n, found.n_total) == (None, 0, 3 * COUNT)
    assert found.unavailable


@pytest.mark.parametrize(
    ("text", "classes"),
    [
        (GOOD, ["EG", "GS", "CG"]),
        (f"{HOSTILE}\n{GOOD}", ["EG", "GS", "CG"]),
        (GOOD.replace("EG", HOSTILE), [None] * 3),
        ("\ud800" + GOOD, [None] * 3),
        (GOOD * 20_000, ["EG", "GS", "CG"]),
        ("<" * 1_000_000, [None] * 3),
    ],
    ids=["good", "escapes", "no class", "no unicode", "1.6 MB", "tags"],
)
def test_hostile_answers(text, classes, tmp_path, env):
    pairs = pairs_file(tmp_path / "pairs.jsonl", 1)
    out = tmp_path / "labels.jsonl"
    with RecordingServer(lambda number, body: completion(text)) as recording:
        options = ["--attempts", "1", "--max-failure-rate", "1"]
        done = taxonomy(pairs, out, *model(recording, *options), env=env)
    (record,) = records_of(out).values()
    assert record["classes"] == classes
    assert "\x1b" not in done.stdout + done.stderr


def test_a_dry_run_asks_nothing(server, pairs, tmp_path, env):
    done = taxonomy(pairs, tmp_path / "labels.jsonl", *model(server, "--dry-run"), env=env)
    assert f"answers to come: {COUNT}" in done.stdout
    assert "calls: 0" in taxonomy(pairs, tmp_path / "labels.jsonl", "--dry-run", env=env).stdout
    assert server.stats()["requests"] == 0
    assert not (tmp_path / "labels.jsonl").exists()


def test_killed_and_resumed_equals_uninterrupted(server, pairs, tmp_path, env):
    whole, out = tmp_path / "whole.jsonl", tmp_path / "out.jsonl"
    more = model(server, "--concurrency", "4")
    taxonomy(pairs, whole, *more, env=env)
    want = records_of(whole)
    server.configure(latency=0.03)
    server.reset()
    draw = random.Random(0)
    command, kills = [*COMMAND, "analyze", "taxonomy", str(pairs), "-o", str(out), *more], 0
    while kills < 4:
        before = os.path.getsize(out) if out.exists() else 0
        with subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=env, start_new_session=True
        ) as process:
            size = before + draw.randrange(500, 3000)
            while process.poll() is None and (not out.exists() or os.path.getsize(out) < size):
                time.sleep(0.002)
            assert process.poll() is None, "the run ended before it was killed"
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
        kills += 1
    with open(out, "a", encoding="utf-8") as stream:
        stream.write('{"id": "q1/m", "made_')  # a torn end
    taxonomy(pairs, out, *more, env=env)
    assert records_of(out) == want
    assert server.stats()["requests"] <= COUNT + kills * 4  # what was under way when it was killed


def test_other_settings_and_other_labellers_want_another_file(server, pairs, tmp_path, env):
    out = tmp_path / "labels.jsonl"
    taxonomy(pairs, out, env=env)
    done = taxonomy(pairs, out, *model(server), env=env, code=1)
    assert "choose another output file" in done.stderr
