"""What a run takes for done: only a whole answer to what is asked now; and ids that stay apart."""

import json

import pytest
from judging import KEY, RecordingServer, completion, environment, pairs_file, records_of, run
from records import write
from servers.process import ScriptedServer

ENV = environment(OPENAI_API_KEY=KEY)


def calls(server):
    return server.stats()["requests"]


@pytest.fixture
def server():
    with ScriptedServer() as running:
        yield running


def changed(path, **fields):
    """The same lines with other fields."""
    rows = [json.loads(line) | fields for line in path.read_text("utf-8").splitlines()]
    return write(path, *rows)


def test_match_asks_again_where_the_lists_have_changed(tmp_path, server):
    pairs, out = pairs_file(tmp_path / "pairs.jsonl", 4), tmp_path / "out.jsonl"
    command = ("match", pairs, out, "--judge", f"openai:j@{server.url}", "--no-cache")
    run(*command, env=ENV)
    before = records_of(out)
    assert calls(server) == 4
    rows = [json.loads(line) for line in pairs.read_text("utf-8").splitlines()]
    rows[2]["human-checklist"] = ["Another point.", "And one more."]
    write(pairs, *rows)
    assert "answers there already: 3" in run(*command, "--dry-run", env=ENV).stdout
    assert "1 answer in" in run(*command, env=ENV).stderr
    assert calls(server) == 5
    after = records_of(out)
    assert [name for name in after if after[name] != before[name]] == [f"{rows[2]['id']}/m"]
    assert after[f"{rows[2]['id']}/m"]["metadata"]["human-checklist"] == ["Another point.", "And one more."]
    assert "1 answer" not in run(*command, env=ENV).stderr


def test_critique_asks_again_where_a_response_has_changed(tmp_path, server):
    pairs, out = pairs_file(tmp_path / "pairs.jsonl", 3), tmp_path / "out.jsonl"
    command = ("critique", pairs, out, "--model", f"openai:g@{server.url}", "--no-cache")
    run(*command, env=ENV)
    changed(pairs, response2="Quite another response.")
    run(*command, env=ENV)
    assert calls(server) == 6
    assert {record["response2"] for record in records_of(out).values()} == {"Quite another response."}


def test_a_record_that_lacks_samples_is_scored_and_asked_again(tmp_path):
    refuses = True

    def answer(number, body):
        if refuses and body["seed"] == 1:
            return 400, {}, {"error": {"message": "no such seed"}}
        return completion("<RESULT_START>\n- R1@S1: 0.5\n- R2@S0: 0\n<RESULT_END>")

    with RecordingServer(answer) as server:
        pairs, out = pairs_file(tmp_path / "pairs.jsonl", 2), tmp_path / "out.jsonl"
        command = ("match", pairs, out, "--judge", f"openai:m@{server.url}", "--samples", "3", "--no-cache")
        summary = tmp_path / "summary.json"
        done = run(*command, "--json", summary, env=ENV)
        assert "with a part of their samples: 2" in done.stderr
        assert json.loads(summary.read_text())["answers"]["partial"] == 2
        assert all(len(record["samples"]) == 2 for record in records_of(out).values())
        assert "100%" in run("score", out, env=ENV).stdout
        refuses = False
        again = run(*command, env=ENV)
        assert "2 answers in" in again.stderr
        assert "part of their samples" not in again.stderr
        assert all(len(record["samples"]) == 3 for record in records_of(out).values())


def test_critiques_of_an_earlier_run_are_pairs_once(tmp_path, server):
    pairs = pairs_file(tmp_path / "pairs.jsonl", 3)
    first, second = tmp_path / "first.jsonl", tmp_path / "second.jsonl"
    run("critique", pairs, first, "--model", f"openai:g@{server.url}", "--both-orders", "--no-cache", env=ENV)
    run("critique", first, second, "--model", f"openai:h@{server.url}", "--both-orders", "--no-cache", env=ENV)
    assert calls(server) == 12
    records = records_of(second)
    assert set(records) == set(records_of(first))
    assert {record["pair_id"] for record in records.values()} == {"q0", "q1", "q2"}
    assert not any("g-checklist" in record for record in records.values())


def test_ids_that_would_be_one_are_refused_before_anything_is_asked(tmp_path, server):
    rows = [json.loads(line) for line in pairs_file(tmp_path / "pairs.jsonl", 2).read_text("utf-8").splitlines()]
    rows[1]["id"] = f"{rows[0]['id']}#swapped"
    pairs, out = write(tmp_path / "pairs.jsonl", *rows), tmp_path / "out.jsonl"
    model = ("--model", f"openai:g@{server.url}", "--both-orders", "--no-cache")
    done = run("critique", pairs, out, *model, code=1, env=ENV)
    assert "would both write q0#swapped" in done.stderr
    assert calls(server) == 0
    assert not out.exists()


def test_slashes_in_ids_and_models_keep_records_apart(tmp_path, server):
    one = json.loads(pairs_file(tmp_path / "a.jsonl", 1).read_text("utf-8"))
    other = json.loads(pairs_file(tmp_path / "b.jsonl", 1, first=1).read_text("utf-8"))
    one |= {"id": "x", "a/y-checklist": one.pop("m-checklist"), "a/y-label": one.pop("m-label")}
    other |= {"id": "x/a", "y-checklist": other.pop("m-checklist"), "y-label": other.pop("m-label")}
    pairs, out = write(tmp_path / "pairs.jsonl", one, other), tmp_path / "out.jsonl"
    run("match", pairs, out, "--judge", f"openai:j@{server.url}", "--no-cache", env=ENV)
    assert set(records_of(out)) == {"x/a%2Fy", "x/a/y"}


def test_lists_that_were_kept_apart_are_not_asked_about(tmp_path, server):
    rows = [json.loads(line) for line in pairs_file(tmp_path / "pairs.jsonl", 2).read_text("utf-8").splitlines()]
    del rows[1]["human-checklist"]
    rows[1] |= {"kept": False, "apart_reason": "1 item, fewer than 3"}
    pairs, out = write(tmp_path / "pairs.jsonl", *rows), tmp_path / "out.jsonl"
    done = run("critique", pairs, out, "--model", f"openai:g@{server.url}", "--no-cache", env=ENV)
    assert "1 pair that atomize kept apart" in done.stderr
    assert set(records_of(out)) == {"q0"}


def test_another_checkpoint_in_the_same_folder_is_another_model(tmp_path):
    pairs = pairs_file(tmp_path / "pairs.jsonl", 1)
    folder = tmp_path / "checkpoint"
    folder.mkdir()
    (folder / "weights").write_text("one")
    command = ("critique", pairs, tmp_path / "out.jsonl", "--model", f"vllm:{folder}", "--dry-run")
    first = run(*command, env=ENV).stdout
    (folder / "weights").write_text("another")
    assert run(*command, env=ENV).stdout.splitlines()[0] != first.splitlines()[0]


def test_orders_that_exclude_each_other(tmp_path):
    pairs = pairs_file(tmp_path / "pairs.jsonl", 1)
    options = ("--model", "openai:g@http://127.0.0.1:9/v1", "--order", "swapped", "--both-orders")
    done = run("critique", pairs, tmp_path / "out.jsonl", *options, code=2, env=ENV)
    assert "--both-orders and --order swapped exclude each other" in done.stderr
