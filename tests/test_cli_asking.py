"""`rationale-rm match` and `critique` as a user meets them: options, plans, ceilings, summaries, messages."""

import json
import os
import re
import subprocess
import time

import pytest
from judging import (
    COMMAND,
    RecordingServer,
    completion,
    environment,
    expected,
    pairs_file,
    records_of,
    request,
    run,
)
from rationale_rm.cli.asking import SETTLED
from rationale_rm.cli.main import app
from records import pair, write
from servers import ScriptedServer
from typer.testing import CliRunner

GENRM = "<RESULT_START>\nList of reasons:\n1. It sorts.\nFinal assessment result:\n\\boxed{A>B}\n<RESULT_END>"


@pytest.fixture(scope="module")
def server():
    with ScriptedServer() as running:
        yield running


@pytest.fixture(autouse=True)
def plain(server):
    server.configure(faults=0.0, hopeless=0.0, permanent=None, reject_constraints=False, model=None, latency=0.0)
    server.reset()


@pytest.fixture
def pairs(tmp_path):
    return pairs_file(tmp_path / "pairs.jsonl", 12)


def judge(server, model="m"):
    return ["--judge", f"openai:{model}@{server.url}"]


def genrm(server, model="g"):
    return ["--model", f"openai:{model}@{server.url}"]


def both(server):
    return {"match": judge(server), "critique": genrm(server)}


# What is written.


def test_match_writes_the_servers_scores(server, pairs, tmp_path, env):
    out, summary = tmp_path / "out.jsonl", tmp_path / "summary.json"
    done = run("match", pairs, out, *judge(server), "--json", summary, env=env)
    records = records_of(out)
    assert list(records) == sorted(f"q{number}/m" for number in range(12))
    for number in range(12):
        record = records[f"q{number}/m"]
        assert (record["status"], record["judge"], record["model"]) == ("success", f"openai:m@{server.url}", "m")
        assert record["metadata"]["human-checklist"] == list(request(number).references)
        wanted = [(n + 1, s + 1, score) for n, s, score in expected(request(number))]
        found = re.findall(r"- R(\d+)@S(\d+): ([\d.]+)", record["samples"][0]["generated_text"])
        assert [(int(n), int(s), float(score)) for n, s, score in found] == wanted
    assert done.stdout == ""
    assert f"{out}: 12 answers" in done.stderr
    scores = json.loads(run("score", out, "--json", "-", "--n-resamples", "10").stdout)["models"][0]["overall"]
    means = [sum(score for _, _, score in expected(request(n))) / 2 for n in range(12)]
    assert scores["rc"]["n"] == 12
    assert scores["rc"]["value"] <= sum(means) / 12 + 1e-9  # a matching keeps one partner each


def test_critique_then_match_then_score(server, pairs, tmp_path, env):
    critiques, matches = tmp_path / "critiques.jsonl", tmp_path / "matches.jsonl"
    run("critique", pairs, critiques, *genrm(server, "org/genrm"), "--both-orders", "--name", "mine", env=env)
    found = records_of(critiques)
    assert len(found) == 24
    assert {record["swapped"] for record in found.values()} == {True, False}
    assert {record["pair_id"] for record in found.values()} == {f"q{n}" for n in range(12)}
    assert all(record["mine-status"] == "ok" for record in found.values())
    assert all(len(record["mine-checklist"]) == 5 for record in found.values())
    run("match", critiques, matches, *judge(server), "--model", "mine", env=env)
    assert len(records_of(matches)) == 24
    scored = json.loads(run("score", matches, "--json", "-", "--n-resamples", "10").stdout)["models"]
    assert [model["model"] for model in scored] == ["mine"]
    assert scored[0]["overall"]["rc"]["n"] > 0


def test_the_numbers_are_those_of_the_server(pairs, tmp_path, env):
    """Calls, retries and tokens by the server's own count, with answers that cannot be read among them."""
    texts = [None, "garbage", "", *["<RESULT_START>\n- R1@S1: 0.5\n- R2@S0: 0\n<RESULT_END>"] * 40]
    with RecordingServer(lambda number, body: completion(texts[number], usage=(100 + number, number))) as recording:
        out, summary = tmp_path / "out.jsonl", tmp_path / "summary.json"
        prices = tmp_path / "prices.json"
        prices.write_text('{"as_of": "2026-01-02", "models": {"m": {"input": 3.0, "output": 7.0}}}')
        done = run("match", pairs, out, *judge(recording), "--json", summary, "--prices", prices, env=env)
        n_calls, spent = len(recording.times), recording.spent
    counts = json.loads(summary.read_text())
    usage = counts["usage"]
    assert usage["calls"] == n_calls == 15
    assert (usage["retries"], usage["questions"], usage["failed"]) == (3, 12, 0)
    assert usage["prompt_tokens"] == sum(used["prompt_tokens"] for used in spent)
    assert usage["completion_tokens"] == sum(used["completion_tokens"] for used in spent)
    assert usage["faults"] == {"empty_answer": 2, "malformed": 1}
    dollars = (usage["prompt_tokens"] * 3 + usage["completion_tokens"] * 7) / 1e6
    assert usage["cost_usd"] == pytest.approx(dollars)
    assert f"${dollars:,.4f} at prices of 2026-01-02" in done.stderr
    assert "15 calls, 3 of them retries" in done.stderr
    assert f"tokens in {usage['prompt_tokens']:,}" in done.stderr
    assert counts["answers"] == {"this_run": 12, "failed": 0, "partial": 0, "in_output": 12, "causes": {}}
    assert counts["made_by"]["command"] == counts["command"] == "match"
    assert counts["input"]["n_lines"] == 12


def test_bad_lines_are_counted_and_the_rest_is_judged(server, tmp_path, env):
    path = write(tmp_path / "pairs.jsonl", "no json", pair(**{"m-checklist": ["x"]}), pair(id="p2", context=None))
    out, summary = tmp_path / "out.jsonl", tmp_path / "s.json"
    done = run("match", path, out, *judge(server), "--json", summary, "-q", env=env)
    assert "2 of 3 lines were left out" in done.stderr
    assert len(records_of(out)) == 1
    assert json.loads(summary.read_text())["input"]["n_bad_lines"] == 2


def test_quiet_says_nothing(server, pairs, tmp_path, env):
    done = run("match", pairs, tmp_path / "out.jsonl", *judge(server), "-q", env=env)
    assert (done.stdout, done.stderr) == ("", "")


def test_the_summary_on_standard_output(server, pairs, tmp_path, env):
    done = run("critique", pairs, tmp_path / "out.jsonl", *genrm(server), "--json", "-", env=env)
    assert json.loads(done.stdout)["answers"]["this_run"] == 12


def test_standard_input(server, pairs, tmp_path, env):
    done = run("match", "-", tmp_path / "out.jsonl", *judge(server), env=env, input=pairs.read_text())
    assert "12 answers" in done.stderr


def test_progress_where_there_is_no_terminal(server, tmp_path, env):
    """After two seconds a line says how far it is: count, rate, time left, tokens, spend."""
    server.configure(latency=0.25)
    prices = tmp_path / "prices.json"
    prices.write_text('{"models": {"m": {"input": 3.0, "output": 7.0}}}')
    many = pairs_file(tmp_path / "many.jsonl", 48)
    arguments = ("--concurrency", "4", "--prices", prices)
    done = run("match", many, tmp_path / "out.jsonl", *judge(server), *arguments, env=env)
    found = re.search(r"^(\d+) of 48, [\d.]+/s, [\d.]+ s left, [\d,k]+ \+ [\d,k]+ tokens, \$\d", done.stderr, re.M)
    assert found, done.stderr
    assert "\r" not in done.stderr
    assert "\x1b" not in done.stderr


# Options.


def test_a_limit_takes_the_first_pairs(server, pairs, tmp_path, env):
    out = tmp_path / "out.jsonl"
    run("match", pairs, out, *judge(server), "--limit", "3", env=env)
    assert list(records_of(out)) == ["q0/m", "q1/m", "q2/m"]
    assert server.stats()["requests"] == 3


def test_top_k_cuts_before_judging(server, pairs, tmp_path, env):
    out = tmp_path / "out.jsonl"
    run("match", pairs, out, *judge(server), "--top-k", "1", env=env)
    for number in range(12):
        cut = request(number, reasons=request(number).reasons[:1])
        found = re.findall(r"@S(\d+)", records_of(out)[f"q{number}/m"]["samples"][0]["generated_text"])
        assert [int(s) - 1 for s in found] == [s for _, s, _ in expected(cut)]


def test_options_of_sampling_reach_the_server(pairs, tmp_path, env):
    sampling = ["--temperature", "0.5", "--top-p", "0.9", "--seed", "7", "--max-tokens", "99", "--samples", "2"]
    with RecordingServer(lambda number, body: completion(GENRM, model="g")) as recording:
        more = ["--order", "random", "--n-reasons", "1", "--constrain", "--limit", "2"]
        run("critique", pairs, tmp_path / "out.jsonl", *genrm(recording), *sampling, *more, env=env)
    assert len(recording.bodies) == 4
    assert {(body["temperature"], body["top_p"], body["max_tokens"]) for body in recording.bodies} == {(0.5, 0.9, 99)}
    assert sorted(body["seed"] for body in recording.bodies) == [7, 7, 8, 8]
    assert all("structured_outputs" in body for body in recording.bodies)
    assert all("exactly 1 reason" in json.dumps(body["messages"]) for body in recording.bodies)


def test_samples_are_averaged(pairs, tmp_path, env):
    texts = {0: "- R1@S1: 1\n- R2@S0: 0", 1: "- R1@S1: 0.5\n- R2@S2: 0.5"}

    def answer(number, body):
        return completion(f"<RESULT_START>\n{texts[body['seed']]}\n<RESULT_END>")

    with RecordingServer(answer) as recording:
        run("match", pairs, tmp_path / "out.jsonl", *judge(recording), "--samples", "2", "--limit", "1", env=env)
    (record,) = records_of(tmp_path / "out.jsonl").values()
    assert len(record["samples"]) == 2
    scored = json.loads(run("score", tmp_path / "out.jsonl", "--json", "-", "--n-resamples", "10").stdout)
    assert scored["models"][0]["overall"]["rc"]["value"] == pytest.approx((0.75 + 0.25) / 2)


def test_concurrency_and_pace(server, tmp_path, env):
    server.configure(latency=0.02)
    many = pairs_file(tmp_path / "many.jsonl", 60)
    run("match", many, tmp_path / "out.jsonl", *judge(server), "--concurrency", "3", env=env)
    assert server.stats()["peak"] == 3
    began = time.monotonic()
    pace = ["--requests-per-minute", "1200", "--tokens-per-minute", "10000000"]
    run("match", many, tmp_path / "paced.jsonl", *judge(server), *pace, "--no-cache", env=env)
    assert time.monotonic() - began >= 1.9  # 20 at once, then 20 a second


def test_a_time_budget_ends_the_run_and_a_later_one_goes_on(server, tmp_path, env):
    server.configure(latency=0.2)
    many, out = pairs_file(tmp_path / "many.jsonl", 40), tmp_path / "out.jsonl"
    command = ["match", many, out, *judge(server), "--concurrency", "2", "--no-cache"]
    done = run(*command, "--time-budget", "1.5", code=1, env=env)
    assert "budget" in done.stderr
    first = records_of(out)
    answered = {name for name, record in first.items() if record["status"] == "success"}
    assert 0 < len(answered) < 40
    for name in set(first) - answered:
        assert first[name]["error_message"].startswith("budget: ")
    server.configure(latency=0.0)
    run(*command, env=env)
    assert all(record["status"] == "success" for record in records_of(out).values())
    assert len(records_of(out)) == 40


def test_the_cache_is_used_and_can_be_left_out(server, pairs, tmp_path, env):
    run("match", pairs, tmp_path / "1.jsonl", *judge(server), env=env)
    done = run("match", pairs, tmp_path / "2.jsonl", *judge(server), env=env)
    assert server.stats()["requests"] == 12
    assert "0 calls" in done.stderr
    assert "12 answers from the cache" in done.stderr
    assert records_of(tmp_path / "1.jsonl") == records_of(tmp_path / "2.jsonl")
    run("match", pairs, tmp_path / "3.jsonl", *judge(server), "--no-cache", env=env)
    run("match", pairs, tmp_path / "4.jsonl", *judge(server), "--cache", tmp_path / "own.sqlite", env=env)
    assert server.stats()["requests"] == 36
    assert (tmp_path / "own.sqlite").exists()


def test_the_key_variable(pairs, tmp_path):
    with RecordingServer(lambda number, body: completion(GENRM, model="g")) as recording:
        env = environment(XDG_CACHE_HOME=str(tmp_path), MY_KEY="sk-mine-0123456789")
        run("critique", pairs, tmp_path / "o.jsonl", *genrm(recording), "--key-env", "MY_KEY", "--limit", "1", env=env)
        assert recording.headers[0]["authorization"] == "Bearer sk-mine-0123456789"
        done = run("critique", pairs, tmp_path / "p.jsonl", *genrm(recording), "--key-env", "NO_KEY", code=1, env=env)
        assert "NO_KEY" in done.stderr
        assert len(recording.times) == 1


# Plans.


def tree(folder):
    return {str(path): (path.read_bytes(), path.stat().st_mtime_ns) for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("name", ["match", "critique"])
def test_a_dry_run_asks_nothing_and_writes_nothing(server, pairs, tmp_path, env, name):
    before = tree(tmp_path)
    done = run(name, pairs, tmp_path / "out.jsonl", *both(server)[name], "--dry-run", env=env)
    assert tree(tmp_path) == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["pairs.jsonl"]  # no folder either
    assert server.stats()["requests"] == 0
    assert "calls, retries apart: 12" in done.stdout
    assert "answers there already: 0" in done.stdout
    assert "cost: unknown" in done.stdout
    assert done.stderr == ""


@pytest.mark.parametrize(
    ("name", "torn"), [("match", b""), ("match", b'{"id": "q11'), ("match", b"no newline"), ("critique", b"")]
)
def test_a_dry_run_before_a_resume_counts_what_is_left(server, pairs, tmp_path, env, name, torn):
    out = tmp_path / "out.jsonl"
    command = [name, pairs, out, *both(server)[name], "--no-cache"]
    run(*command, "--limit", "5", env=env)
    content = out.read_bytes()
    if torn == b"no newline":
        out.write_bytes(content[:-1])
    else:
        out.write_bytes(content + torn)
    before = tree(tmp_path)
    done = run(*command, "--dry-run", env=env)
    assert tree(tmp_path) == before
    assert "answers there already: 5" in done.stdout
    assert "calls, retries apart: 7" in done.stdout
    run(*command, env=env)
    assert len(records_of(out)) == 12


def test_a_dry_run_while_the_run_goes_on(server, tmp_path, env):
    server.configure(latency=0.1)
    many, out = pairs_file(tmp_path / "many.jsonl", 100), tmp_path / "out.jsonl"
    command = ["match", many, out, *judge(server), "--no-cache", "--concurrency", "2"]
    process = subprocess.Popen([*COMMAND, *map(str, command)], stderr=subprocess.DEVNULL, env=env)
    try:
        while process.poll() is None and not (out.exists() and out.stat().st_size):
            time.sleep(0.01)
        done = run(*command, "--dry-run", env=env)
        assert int(re.search(r"already: (\d+)", done.stdout)[1]) >= 1
    finally:
        process.kill()
        process.wait()


def test_a_dry_run_knows_cache_and_prices(server, pairs, tmp_path, env):
    run("match", pairs, tmp_path / "first.jsonl", *judge(server), "--limit", "4", env=env)
    prices = tmp_path / "prices.json"
    prices.write_text('{"as_of": "2026-01-02", "models": {"m": {"input": 1000, "output": 1000}}}')
    more = ["--dry-run", "--prices", prices, "--max-tokens", "2048"]
    done = run("match", pairs, tmp_path / "second.jsonl", *judge(server), *more, env=env)
    assert "answers to come: 12, of them 4 from the cache" in done.stdout
    assert "calls, retries apart: 8" in done.stdout
    estimate = int(re.search(r"tokens in.*: ([\d,]+)", done.stdout)[1].replace(",", ""))
    assert f"${estimate / 1000:,.4f} for the prompts" in done.stdout
    assert "prices of 2026-01-02" in done.stdout
    assert not (tmp_path / "second.jsonl").exists()


def test_the_plan_comes_true(server, pairs, tmp_path, env):
    plan = run("critique", pairs, tmp_path / "o.jsonl", *genrm(server), "--both-orders", "--dry-run", env=env).stdout
    run("critique", pairs, tmp_path / "o.jsonl", *genrm(server), "--both-orders", env=env)
    assert int(re.search(r"retries apart: (\d+)", plan)[1]) == server.stats()["requests"] == 24


# Resuming.


def test_other_settings_are_refused_with_what_differs(server, pairs, tmp_path, env):
    out = tmp_path / "out.jsonl"
    run("match", pairs, out, *judge(server), env=env)
    before = out.read_bytes()
    for change in (["--seed", "1"], ["--top-k", "3"], ["--samples", "2"]):
        for more in ([], ["--dry-run"]):
            said = f"{change[0][2:].replace('-', '_')}: .*choose another output file"
            refused("match", pairs, out, *judge(server), *change, *more, code=1, env=env, said=said)
    said = "openai:m.*openai:other"
    refused("match", pairs, out, *judge(server, "other"), code=1, env=env, said=said)
    refused(
        "critique", pairs, out, *genrm(server), code=1, env=env, said="output of `rationale-rm match`: choose another"
    )
    assert out.read_bytes() == before


def test_no_resume_wants_a_new_file(server, pairs, tmp_path, env):
    out = tmp_path / "out.jsonl"
    run("match", pairs, out, *judge(server), "--no-resume", env=env)
    before = out.read_bytes()
    done = run("match", pairs, out, *judge(server), "--no-resume", code=1, env=env)
    assert "is not empty" in done.stderr
    assert out.read_bytes() == before


def test_a_finished_run_has_nothing_to_do(server, pairs, tmp_path, env):
    out = tmp_path / "out.jsonl"
    run("match", pairs, out, *judge(server), "--no-cache", env=env)
    before = out.read_bytes()
    done = run("match", pairs, out, *judge(server), "--no-cache", env=env)
    assert out.read_bytes() == before
    assert server.stats()["requests"] == 12
    assert "0 answers" in done.stderr
    assert "12 were there" in done.stderr


def test_a_file_of_the_users_is_no_output(server, pairs, tmp_path, env):
    mine = tmp_path / "mine.txt"
    mine.write_text("my notes\nof today\n")
    done = run("match", pairs, mine, *judge(server), code=1, env=env)
    assert "nothing was changed" in done.stderr
    assert mine.read_text() == "my notes\nof today\n"


# Failures.


def test_too_many_failures_stop_the_run_early(server, tmp_path, env):
    many, out, summary = pairs_file(tmp_path / "many.jsonl", 400), tmp_path / "out.jsonl", tmp_path / "s.json"
    server.configure(permanent=401)
    command = ["match", many, out, *judge(server), "--concurrency", "4", "--json", summary]
    done = run(*command, code=1, env=env)
    last = done.stderr.splitlines()[-1]
    assert last.startswith("error: ")
    assert "50 of 50 requests failed" in last
    assert "--max-failure-rate 0.05" in last
    assert "answered 401" in last  # the cause
    assert "OPENAI_API_KEY" in last  # and the remedy
    assert str(out) in last
    assert server.stats()["requests"] <= SETTLED + 4
    counts = json.loads(summary.read_text())
    assert counts["answers"]["causes"] == {"refused": SETTLED}
    assert len(records_of(out)) == SETTLED
    server.configure(permanent=None)
    run(*command, env=env)
    assert all(record["status"] == "success" for record in records_of(out).values())
    assert len(records_of(out)) == 400


def test_a_few_failures_do_not_stop_it_but_are_told(server, tmp_path, env):
    server.configure(hopeless=0.03, seed=8)
    many, out = pairs_file(tmp_path / "many.jsonl", 150), tmp_path / "out.jsonl"
    command = ["match", many, out, *judge(server), "--attempts", "2", "--no-cache"]
    done = run(*command, "--max-failure-rate", "0.3", env=env)
    failed = [record for record in records_of(out).values() if record["status"] != "success"]
    assert 0 < len(failed) < 30
    assert f"without an answer: {len(failed)} (malformed {len(failed)})" in done.stderr
    for record in failed:
        assert record["status"] == "format_error"
        assert record["error_message"].startswith("malformed: no_block")
        assert record["samples"]  # the raw text
    done = run(*command, "--max-failure-rate", "0", code=1, env=env)
    assert "more than --max-failure-rate 0" in done.stderr


def test_a_small_run_that_fails_ends_with_1_too(server, pairs, tmp_path, env):
    server.configure(model="another")
    done = run("match", pairs, tmp_path / "out.jsonl", *judge(server), code=1, env=env)
    assert "12 of 12 requests failed" in done.stderr
    assert "does not exist" in done.stderr
    assert server.stats()["requests"] == 12  # a model that is not there is not asked for again


def test_a_critique_that_breaks_the_form_is_no_failure(server, pairs, tmp_path, env):
    server.configure(faults={"garbage": 1.0})
    done = run("critique", pairs, tmp_path / "out.jsonl", *genrm(server), env=env)
    records = records_of(tmp_path / "out.jsonl").values()
    assert {record["g-status"] for record in records} == {"no_verdict"} or all(
        record["g-status"] != "ok" for record in records
    )
    assert server.stats()["requests"] == 12
    assert "12 answers" in done.stderr


def test_a_server_without_constraints(server, pairs, tmp_path, env):
    server.configure(reject_constraints=True)
    done = run("match", pairs, tmp_path / "out.jsonl", *judge(server), "--concurrency", "2", env=env)
    assert done.stderr.count("refuses constrained output") == 1
    assert all(record["status"] == "success" for record in records_of(tmp_path / "out.jsonl").values())


# Usage.


def refused(*arguments, env, code=2, said=""):
    """The program in this process, which is quicker: it ends before it asks anything."""
    done = CliRunner().invoke(app, [*map(str, arguments)], env=env)
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    assert done.exit_code == code, done.stderr
    assert re.search(said, re.sub(r"[\s│]+", " ", done.stderr)), done.stderr


NUMBERS = [
    ("--concurrency", "0"),
    ("--concurrency", "9999999"),
    ("--requests-per-minute", "0"),
    ("--requests-per-minute", "nan"),
    ("--tokens-per-minute", "inf"),
    ("--timeout", "nan"),
    ("--timeout", "0"),
    ("--attempts", "0"),
    ("--time-budget", "-1"),
    ("--time-budget", "nan"),
    ("--max-failure-rate", "2"),
    ("--max-failure-rate", "nan"),
    ("--temperature", "nan"),
    ("--temperature", "3"),
    ("--limit", "0"),
    ("--seed", "-1"),
    ("--seed", "99999999999"),
    ("--samples", "0"),
    ("--max-tokens", "0"),
]


@pytest.mark.parametrize(("option", "value"), NUMBERS)
def test_numbers_out_of_range(server, pairs, tmp_path, env, option, value):
    for name, model in both(server).items():
        refused(name, pairs, tmp_path / "out.jsonl", *model, option, value, env=env, said=option)
    assert not (tmp_path / "out.jsonl").exists()
    assert server.stats()["requests"] == 0


def test_files_that_cannot_be(server, pairs, tmp_path, env):
    model, out = judge(server), tmp_path / "out.jsonl"
    (tmp_path / "empty.jsonl").write_text("")
    (tmp_path / "folder").mkdir()
    refused("match", pairs, pairs, *model, env=env, said="it is an input file")
    os.link(pairs, tmp_path / "same.jsonl")
    refused("match", pairs, tmp_path / "same.jsonl", *model, env=env, said="it is an input file")
    refused("match", pairs, "-", *model, env=env, said="OUT must be a file")
    refused("match", pairs, "", *model, env=env, said="file name")
    refused("match", pairs, tmp_path / "folder", *model, env=env, said="it is a folder")
    refused("match", pairs, tmp_path / "no" / "out.jsonl", *model, env=env, said="there is no folder")
    refused("match", pairs, "/dev/null", *model, env=env, code=1, said="no regular file")
    refused("match", pairs, out, *model, "--json", out, env=env, said="cannot both write")
    refused("match", tmp_path / "none.jsonl", out, *model, env=env, said="none.jsonl")
    refused("match", tmp_path / "empty.jsonl", out, *model, env=env, code=1, said="the input is empty")
    refused("critique", tmp_path / "empty.jsonl", out, *genrm(server), env=env, code=1, said="the input is empty")
    refused("match", pairs, out, *model, "--cache", pairs, env=env, code=1, said="not a database.*--no-cache")
    refused("match", pairs, out, *model, "--cache", "c", "--no-cache", env=env, said="exclude each other")
    assert not out.exists()
    assert not (tmp_path / "c").exists()
    assert not (tmp_path / "-").exists()


@pytest.mark.parametrize("command", ["atomize", "critique", "match"])
def test_an_output_in_the_folder_of_its_input_is_gone_on_with(server, tmp_path, env, command):
    folder = tmp_path / "data"
    folder.mkdir()
    if command == "atomize":
        rows = [
            {"id": f"p{n}", "context": "x", "individual_preference": [{"reasoning": f"Response {n} is wrong."}]}
            for n in range(3)
        ]
        write(folder / "in.jsonl", *rows)
    else:
        pairs_file(folder / "in.jsonl", 3)
    out = folder / "out.jsonl"
    asked = [*(judge(server) if command == "match" else genrm(server)), "--max-failure-rate", 1]
    run(command, folder, out, *asked, env=env)
    first = out.read_bytes()
    assert first.count(b"\n") == 3
    again = json.loads(run(command, folder, out, *asked, "--json", "-", "--quiet", env=env).stdout)
    assert again["input"]["n_lines"] == 3  # its own output is no input
    assert out.read_bytes().startswith(first)
    assert len(records_of(out)) == 3
    refused(command, folder, out, out, *asked, env=env, said="it is an input file")
    # what another run or a hand made is not taken for an output
    mine = write(folder / "mine.jsonl", {"id": "p1"})
    refused(command, folder, mine, *asked, env=env, code=1, said="no output that can be resumed")
    for path in (mine, folder / "in.jsonl"):
        path.unlink()
    refused(command, folder, out, *asked, env=env, said="no file but .*out.jsonl, which is the output")


def test_nothing_to_match(server, tmp_path, env):
    path = write(tmp_path / "pairs.jsonl", pair())
    refused("match", path, tmp_path / "out.jsonl", *judge(server), env=env, code=1, said="run rationale-rm critique")
    path = pairs_file(tmp_path / "more.jsonl", 2)
    refused("match", path, tmp_path / "o.jsonl", *judge(server), "--model", "x", env=env, said="the data hold m")


def test_models_and_judges(server, pairs, tmp_path, env):
    out = tmp_path / "out.jsonl"
    refused("match", pairs, out, env=env, said="--judge")
    refused("critique", pairs, out, env=env, said="--model")
    refused("match", pairs, out, "--judge", "gpt-4", env=env, said="openai:NAME@URL")
    refused("match", pairs, out, "--judge", "openai:m@127.0.0.1:80", env=env, said="@http://")
    refused("critique", pairs, out, "--model", "lexical", env=env, said="openai:NAME@URL")
    refused("match", pairs, out, "--judge", "openai:gpt-4.1", env=env, code=1, said="set OPENAI_API_KEY")
    refused("critique", pairs, out, *genrm(server), "--samples", "2", env=env, said="set a temperature")
    refused("critique", pairs, out, *genrm(server), "--name", "human", env=env, said="human")
    refused("critique", pairs, out, *genrm(server), "--constrain", "--n-reasons", "0", env=env, said="n_reasons")
    refused("match", pairs, out, *judge(server), "--samples", "2", "--temperature", "0", env=env, said="temperature")
    assert server.stats()["requests"] == 0
    assert not out.exists()


def test_prices_that_are_no_prices(server, pairs, tmp_path, env):
    bad = tmp_path / "bad.json"
    bad.write_text('{"models": {"m": {"input": "cheap"}}}')
    for more in ([], ["--dry-run"]):
        command = ["match", pairs, tmp_path / "out.jsonl", *judge(server), *more]
        refused(*command, "--prices", bad, env=env, said="input of m")
        refused(*command, "--prices", tmp_path / "none.json", env=env, said="cannot read")
        bad.write_bytes(b"\xff\xfe")
        refused(*command, "--prices", bad, env=env, said="bad.json is not JSON")
        bad.write_text('{"models": {"m": {"input": "cheap"}}}')
    assert server.stats()["requests"] == 0


@pytest.mark.parametrize("library", ["openai", "tenacity", "aiolimiter", "jinja2", "aiohttp"])
def test_a_library_that_is_not_there_is_named_with_its_extra(server, pairs, tmp_path, env, library):
    blocked = tmp_path / "blocked"
    blocked.mkdir()
    (blocked / f"{library}.py").write_text(f"raise ImportError('No module named {library}')")
    command = ["match", pairs, tmp_path / "out.jsonl", *judge(server), "--requests-per-minute", "6000", "--no-cache"]
    done = run(
        *command, code=1, env=env | {"PYTHONPATH": os.pathsep.join([str(blocked), os.environ.get("PYTHONPATH", "")])}
    )
    assert f"{'openai' if library == 'aiohttp' else library}" in done.stderr or "aiohttp" in done.stderr
    assert 'pip install "rationale-rm[judge]"' in done.stderr
    assert server.stats()["requests"] == 0


def test_a_full_disk(server, tmp_path, env):
    """The output cannot grow: the run stops, says so, and what was written is whole."""
    many, out = pairs_file(tmp_path / "many.jsonl", 60), tmp_path / "out.jsonl"
    command = [*COMMAND, "match", str(many), str(out), *judge(server), "--no-cache", "--concurrency", "2"]
    limited = f"ulimit -f 40; trap '' XFSZ; exec {' '.join(command)}"
    done = subprocess.run(["bash", "-c", limited], capture_output=True, text=True, env=env, timeout=120)
    assert done.returncode == 1, done.stderr
    assert "Traceback" not in done.stderr
    assert "cannot write" in done.stderr
    records = records_of(out)  # every line is a record
    assert 0 < len(records) < 60
    run(*command[3:], env=env)
    assert len(records_of(out)) == 60


def test_help_names_every_option():
    for name in ("match", "critique"):
        text = run(name, "--help").stdout
        for option in (
            *("--concurrency", "--requests-per-minute", "--tokens-per-minute", "--timeout", "--attempts"),
            *("--time-budget", "--cache", "--no-cache", "--key-env", "--prices", "--resume", "--dry-run", "--limit"),
            *("--seed", "--max-failure-rate", "--json", "--quiet", "--samples", "--temperature", "--max-tokens"),
        ):
            assert option in text, option
