"""10,000 requests against a server of which 30% of the requests fail: none lost, doubled, or turned to 0."""

import asyncio
import json
from collections import Counter

import pytest
from judging import expected, pairs_file, records_of, request, run
from rationale_rm.judge import Cache, Caller, Limits, MetaJudge, OpenAIClient
from rationale_rm.judge.stream import match_each
from rationale_rm.types import MetaJudgeStatus
from servers import FAULTS, Script, ScriptedServer

COUNT = 10_000
SETTINGS = {"faults": 0.3, "seed": 1, "hopeless": 0.02, "slow": 30, "retry_after": 0.02}
LIMITS = Limits(concurrency=128, attempts=3, first_wait=0.02, longest_wait=0.1, timeout=4)


def judge_of(server, path, **limits):
    client = OpenAIClient("m", [server.url])
    return MetaJudge(Caller(client, cache=Cache(path), limits=Limits(**{**LIMITS_DICT, **limits})), seed=0)


LIMITS_DICT = {name: getattr(LIMITS, name) for name in LIMITS.__dataclass_fields__}


def requests(count=COUNT):
    return (request(number) for number in range(count))


def judged(judge, asked):
    results = {}

    def on_result(result):
        assert result.request_id not in results  # none doubled
        results[result.request_id] = result

    asyncio.run(match_each(judge, asked, on_result))
    asyncio.run(judge.caller.close())
    return results


@pytest.fixture(scope="module")
def faulty(tmp_path_factory):
    """The server, the results of a first run, its counts, and what the server counted."""
    path = tmp_path_factory.mktemp("faults") / "c.sqlite"
    with ScriptedServer(**SETTINGS) as server:
        judge = judge_of(server, path)
        results = judged(judge, requests())
        yield server, path, results, judge.caller.usage, server.stats()


def check(results):
    """Every request ends as its score or as no answer with a cause."""
    assert sorted(results) == sorted(f"q{number}" for number in range(COUNT))  # none lost
    failed = []
    for number in range(COUNT):
        asked = request(number)
        result = results[asked.id]
        if result.answered:
            assert result.entries == expected(asked)
            assert result.error is None
        else:
            assert result.entries == ()  # no answer is not zero
            cause = result.error.partition(":")[0]
            assert cause in (
                "rate_limited",
                "server_error",
                "timeout",
                "connection",
                "bad_body",
                "empty_answer",
                "wrong_model",
                "malformed",
            )
            assert "(attempt 3 of 3)" in result.error
            assert MetaJudgeStatus.OK not in result.statuses
            failed.append(asked.id)
    return failed


def test_every_request_ends_as_a_score_or_with_a_cause(faulty):
    _, _, results, usage, stats = faulty
    failed = check(results)
    # of the hopeless share all fail, of the others 0.3³; the tokens of the requests say how many of each
    assert COUNT * 0.02 * 0.7 < len(failed) < COUNT * (0.02 + 0.027) * 1.3
    assert set(stats["by_fault"]) == {*FAULTS, "hopeless", "none"}
    assert len({results[name].error.partition(":")[0] for name in failed}) >= 6
    assert usage.questions == COUNT
    assert usage.failed == len(failed)


def test_the_counts_are_those_of_the_server(faulty):
    _, _, results, usage, stats = faulty
    assert usage.calls == stats["requests"]
    assert usage.retries == usage.calls - COUNT
    assert stats["questions"] == COUNT
    assert stats["answered"] == sum(result.answered for result in results.values())
    assert stats["repeated"] == 0  # nothing that was answered well was asked again
    by = Counter(stats["by_fault"])
    assert usage.faults == {
        "rate_limited": by["rate_limit"] + by["rate_limit_date"],
        "server_error": by["error_500"] + by["error_503"] + by["echo_error"],
        "timeout": by["slow"],
        "connection": by["cut_before"] + by["reset"] + by["cut_middle"],
        "bad_body": by["truncated_json"] + by["html"],
        "empty_answer": by["empty_choices"] + by["null_content"],
        "wrong_model": by["wrong_model"],
        "malformed": by["hopeless"] + by["garbage"] + by["malformed_block"] + by["cut_answer"] + by["echo_answer"],
    }
    assert usage.answers == by["none"] + usage.faults["malformed"]
    assert stats["peak"] <= LIMITS.concurrency


def test_a_rerun_asks_for_the_failed_alone(faulty):
    server, path, results, _, _ = faulty
    failed = {name for name, result in results.items() if not result.answered}
    before = server.stats()
    judge = judge_of(server, path)
    again = judged(judge, requests())
    after = server.stats()
    assert after["repeated"] == 0
    asked = Counter(after["asked"]) - Counter(before["asked"])
    assert len(asked) == len(failed)  # each failed question, and no other
    assert sum(asked.values()) == judge.caller.usage.calls
    assert judge.caller.usage.cache_hits == COUNT - len(failed)
    still = set(check(again))
    assert still < failed
    for name in set(results) - failed:
        assert again[name].entries == results[name].entries
        assert again[name].samples == results[name].samples


def test_the_program_does_the_same(tmp_path):
    """By its output alone: no cache, two runs, the second of which asks for the failed."""
    count = 1000
    pairs, out, summary = pairs_file(tmp_path / "pairs.jsonl", count), tmp_path / "out.jsonl", tmp_path / "s.json"
    with ScriptedServer(**SETTINGS | {"slow": 20}) as server:
        command = ["match", pairs, out, "--judge", f"openai:m@{server.url}", "--no-cache", "--attempts", "2"]
        command += ["--timeout", "3", "--concurrency", "64", "--json", summary]
        run(*command, "--max-failure-rate", "1")
        first, stats = records_of(out), server.stats()
        counts = json.loads(summary.read_text())
        assert sorted(first) == sorted(f"q{number}/m" for number in range(count))
        failed = {name for name, record in first.items() if record["status"] != "success"}
        assert failed
        assert counts["answers"]["failed"] == len(failed)
        assert counts["usage"]["calls"] == stats["requests"]
        assert len(out.read_text().splitlines()) == count
        run(*command, "--max-failure-rate", "1")
        second, after = records_of(out), server.stats()
        assert after["repeated"] == 0
        assert len(Counter(after["asked"]) - Counter(stats["asked"])) == len(failed)
        assert len(out.read_text().splitlines()) == count + len(failed)
        assert {name for name in first if second[name] != first[name]} <= failed
    scored = json.loads(run("score", out, "--json", "-", "--n-resamples", "10").stdout)["models"][0]["overall"]["rc"]
    answered = [record for record in second.values() if record["status"] == "success"]
    assert (scored["n"], scored["n_total"]) == (len(answered), count)  # the others are no zeros
    for number in range(count):
        record = second[f"q{number}/m"]
        assert (record["status"] == "success") == ("error_message" not in record)
        if record["status"] != "success":
            assert record["status"] in ("error", "format_error")
            assert "scores" not in record


def test_the_script_is_what_it_is_taken_for():
    """30% in all, over every kind of fault, and hopeless questions besides."""
    script = Script(**SETTINGS)
    assert sum(script.shares.values()) == pytest.approx(0.3)
    assert set(script.shares) == set(FAULTS)
