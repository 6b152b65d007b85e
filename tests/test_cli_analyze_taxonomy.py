"""`rationale-rm analyze taxonomy`: labels by rules and by a scripted model, its faults, a kill, and the rates."""

import contextlib
import json
import os
import random
import signal
import subprocess
import time

import pytest
from judging import COMMAND, RecordingServer, completion, environment, pairs_file, records_of, run
from rationale_rm.analysis import read_labels
from rationale_rm.documents import Analysis, SampleView
from records import pair, write
from servers import ScriptedServer

COUNT = 40
GOOD = "<RESULT_START>\n- S1: EG | none\n- S2: GS | F1, F4\n- S3: CG | none\n<RESULT_END>"
HOSTILE = "\x1b[31m[red]x[/red]</script>\u202e"


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


@pytest.fixture
def env(tmp_path):
    return environment(XDG_CACHE_HOME=str(tmp_path / "cache"), HOME=str(tmp_path))


def model(server, *more):
    return ["--labeller", f"openai:m@{server.url}", "--no-cache", "--n-resamples", "20", *more]


def taxonomy(pairs, out, *more, **options):
    return run("analyze", "taxonomy", pairs, "-o", out, *more, **options)


def analysis(path):
    return Analysis.from_dict(json.loads(path.read_text("utf-8")))


def figure(document, metric, slice="m"):
    (found,) = (one for one in document.estimates if (one.slice, one.metric) == (slice, metric))
    return found


def test_rules_write_labels_and_rates(tmp_path):
    lines = [
        pair(
            id="p1", **{"m-checklist": ["Response A says reversed(items), B sorts.", "A is clearer."], "m-label": "A>B"}
        ),
        pair(id="p2", domain="stem", **{"m-checklist": ["A is more accurate than B."], "m-label": "A>B"}),
        pair(id="p3", **{"human-checklist": None, "m-checklist": ["B is nicer than A."], "m-label": "B>A"}),
        pair(id="p4", **{"m-checklist": [], "m-label": "B>A"}),
    ]
    out, summary = tmp_path / "labels.jsonl", tmp_path / "out.json"
    done = taxonomy(write(tmp_path / "pairs.jsonl", *lines), out, "--json", summary)
    records = records_of(out)
    assert list(records) == ["p1/m", "p2/m", "p3/m"]
    assert records["p1/m"]["classes"] == ["EG", "GS"]
    assert records["p1/m"]["flaws"][0] == []
    assert records["p2/m"]["flaws"] == [["F2"]]
    assert records["p2/m"]["made_by"] == {"command": "analyze taxonomy", "labeller": "rules", "rules": 2}
    found = analysis(summary)
    assert (found.analysis, found.subject) == ("taxonomy", ("m",))
    assert (figure(found, "EG").value, figure(found, "EG").n_total) == (0.25, 4)
    assert figure(found, "F2", "m/stem").value == 1
    assert found.manifest["made_by"] == records["p1/m"]["made_by"]
    assert "95% interval" in done.stdout


def test_rules_read_a_swapped_answer_as_it_was_shown(tmp_path):
    answer = {"m-checklist": ['A says "Sort it", B doesn\'t.'], "m-label": "B>A", "m-swapped": True}
    path = write(tmp_path / "pairs.jsonl", pair(swapped=True, **answer))
    taxonomy(path, tmp_path / "labels.jsonl")
    (record,) = records_of(tmp_path / "labels.jsonl").values()
    assert (record["classes"], record["flaws"]) == (["EG"], [[]])


def test_samples_of_an_evaluation(tmp_path):
    fields = {"pair_id": "p", "domain": "d", "context": "Q", "response1": "one", "response2": "two", "status": "ok"}
    views = [
        SampleView(id="p", model=name, verdict="A>B", reasons=("A is clear.", "x"), **fields).to_dict() for name in "ab"
    ]
    write(tmp_path / "samples.jsonl", *views)
    out, summary = tmp_path / "labels.jsonl", tmp_path / "out.json"
    taxonomy(tmp_path, out, "--json", summary)
    assert len(records_of(out)) == 2  # one id, two models
    assert analysis(summary).subject == ("a", "b")
    assert {(one.model, one.id) for one in read_labels([out])} == {("a", "p"), ("b", "p")}


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
    assert (figure(found, "EG").n, figure(found, "EG").n_total) == (3 * COUNT, 3 * COUNT)
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
    assert (figure(found, "F1").n, figure(found, "F1").n_total) == (3 * len(good), 3 * COUNT)
    share = sum("F1" in flaws for record in good for flaws in record["flaws"]) / (3 * len(good))
    assert figure(found, "F1").value == pytest.approx(share)
    server.configure(hopeless=0.0)
    server.reset()
    taxonomy(pairs, out, *more, "--json", summary, env=env)
    assert server.stats()["requests"] == len(bad)  # the others were there
    assert figure(analysis(summary), "F1").n == 3 * COUNT


def test_too_many_failures_end_with_1_and_say_what_is_known(server, pairs, tmp_path, env):
    server.configure(hopeless=0.4)
    summary = tmp_path / "out.json"
    done = taxonomy(
        pairs, tmp_path / "labels.jsonl", *model(server, "--attempts", "1"), "--json", summary, env=env, code=1
    )
    assert "--max-failure-rate 0.05" in done.stderr
    assert 0 < figure(analysis(summary), "F1").n < 3 * COUNT


def test_a_server_that_is_down(pairs, tmp_path, env):
    out, summary = tmp_path / "labels.jsonl", tmp_path / "out.json"
    down = ["--labeller", "openai:m@http://127.0.0.1:9/v1", "--attempts", "1", "--no-cache"]
    done = taxonomy(pairs, out, *down, "--json", summary, env=env, code=1)
    assert "connection" in done.stderr
    assert {record["status"] for record in records_of(out).values()} == {"error"}
    found = figure(analysis(summary), "EG")
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


def test_changed_reasons_are_labelled_again(tmp_path):
    out = tmp_path / "labels.jsonl"
    for reason, group in (("A is clear.", "GS"), ('A says "reversed(items)".', "EG")):
        path = write(tmp_path / "pairs.jsonl", pair(**{"m-checklist": [reason], "m-label": "A>B"}))
        taxonomy(path, out)
        assert records_of(out)["p1/m"]["classes"] == [group]
    assert [one.classes for one in read_labels([out])] == [("EG",)]  # the last line counts


def test_a_dry_run_asks_nothing(server, pairs, tmp_path, env):
    done = taxonomy(pairs, tmp_path / "labels.jsonl", *model(server, "--dry-run"), env=env)
    assert f"answers to come: {COUNT}" in done.stdout
    assert "calls: 0" in taxonomy(pairs, tmp_path / "labels.jsonl", "--dry-run", env=env).stdout
    assert server.stats()["requests"] == 0
    assert not (tmp_path / "labels.jsonl").exists()


@pytest.mark.parametrize("labeller", ["rule", "openai:", "lexical", f"openai:{HOSTILE}@x"])
def test_a_labeller_that_there_is_not(labeller, pairs, tmp_path):
    done = taxonomy(pairs, tmp_path / "labels.jsonl", "--labeller", labeller, code=2)
    assert ("names no server" if "@" in labeller else "expected rules, openai:NAME@URL") in done.stderr
    assert "\x1b" not in done.stderr


def test_a_password_in_an_address_is_shown_and_kept_nowhere(pairs, tmp_path, env):
    out = tmp_path / "labels.jsonl"
    more = ["--no-cache", "--attempts", "1", "--max-failure-rate", "1"]
    done = taxonomy(pairs, out, "--labeller", "openai:n@http://user:SECRET@127.0.0.1:9/v1", *more, env=env)
    refused = taxonomy(pairs, tmp_path / "x.jsonl", "--labeller", "bogus:http://user:SECRET@host", code=2)
    assert records_of(out)
    for text in (out.read_text(), done.stdout, done.stderr, refused.stderr):
        assert "SECRET" not in text


def test_output_in_a_folder_of_the_input_is_not_read(tmp_path):
    folder = tmp_path / "answers"
    folder.mkdir()
    pairs_file(folder / "pairs.jsonl", 3)
    write(folder / "pairs.jsonl", *(pair(id=f"p{n}", **{"m-checklist": ["A is clearer."]}) for n in range(3)))
    for _ in range(2):
        done = taxonomy(folder, folder / "labels.jsonl")
        assert "left out" not in done.stderr
    assert len(records_of(folder / "labels.jsonl")) == 3


def test_labels_of_other_texts_do_not_count(tmp_path):
    """The reasons change, and the run that would label them anew ends at once."""
    out = tmp_path / "labels.jsonl"
    taxonomy(write(tmp_path / "a.jsonl", pair(id="p", **{"m-checklist": ["A is clearer."], "m-label": "A>B"})), out)
    changed = write(tmp_path / "b.jsonl", pair(id="p", **{"m-checklist": ["B sorts the list."], "m-label": "A>B"}))
    held = out.read_text()
    taxonomy(changed, out)
    assert out.read_text() != held, "asked anew"


@pytest.mark.parametrize("fault", [{"context": 5}, {"context": [1]}, {"verdict": ["A>B"]}, {"swapped": "no"}])
def test_samples_that_analyses_could_not_bear_are_bad_lines(fault, tmp_path):
    good = SampleView(
        id="1", pair_id="1", model="m", domain="d", context="q", response1="a", response2="b", status="ok",
        verdict="A>B", reasons=("A is clearer \ud800.",),
    )  # fmt: skip
    lines = [json.dumps(good.to_dict()), json.dumps({**good.to_dict(), "id": "2", **fault})]
    (tmp_path / "samples.jsonl").write_text("\n".join(lines) + "\n")
    done = taxonomy(tmp_path / "samples.jsonl", tmp_path / "labels.jsonl")
    assert f"samples.jsonl:2: {next(iter(fault))} must be" in done.stderr
    assert len(records_of(tmp_path / "labels.jsonl")) == 1
    templates = run("analyze", "templates", tmp_path / "samples.jsonl")
    assert "Traceback" not in templates.stderr


def test_nothing_to_label(tmp_path):
    path = write(tmp_path / "pairs.jsonl", pair(**{"m-checklist": [], "m-label": "A>B"}))
    assert "no answer in the input holds a reason" in taxonomy(path, tmp_path / "labels.jsonl", code=1).stderr
