"""`rationale-rm eval arena_hard` with a live GenRM on a server: what is asked, resumed, planned and refused."""

import json
import re

import pytest
from arena_files import QUALITY, write_benchmark
from judging import RecordingServer, completion, run
from rationale_rm.documents import EvalResult
from rationale_rm.evals import read_run
from rationale_rm.evals.arena_hard import BASELINES
from records import transcript
from test_arena_hard_cli import FEW, STRENGTHS, figures, given, invoke, recorded


@pytest.fixture
def benchmark(tmp_path):
    return write_benchmark(tmp_path / "bench", STRENGTHS)


def upright(number, body):
    """Prefers the better answer, wherever it stands."""
    text = "\n".join(message["content"] for message in body["messages"])
    first, second = (QUALITY.index(word) for word in re.findall(rf"A ({'|'.join(QUALITY)}) answer of", text))
    return completion(transcript("A>>B" if first > second else "B>>A"), model=body["model"])


def test_a_live_genrm_judges_and_the_run_can_be_scored_again(benchmark, tmp_path, env):
    out = tmp_path / "run"
    with RecordingServer(upright) as server:
        judge = ("--model", f"openai:genrm@{server.url}")
        run("eval", "arena_hard", out, *given(benchmark), *judge, *FEW, env=env)
        assert len(server.bodies) == 2 * 2 * 32
        written = (out / "alpha" / "result.json").read_bytes()
        again = run("eval", "arena_hard", out, *given(benchmark), *judge, *FEW, env=env)
        assert len(server.bodies) == 2 * 2 * 32  # nothing is asked twice
        assert (out / "alpha" / "result.json").read_bytes() == written
    for model, rate in (("alpha", 1.0), ("beta", 0.0)):
        found = figures(out / model)
        for category in BASELINES:
            assert found["plain", category, "win_rate"].value == rate
            assert found["", category, "order_consistency"].value == 1.0
            assert found["", category, "position_bias"].value == 0.0
    manifest = read_run(out / "alpha").result.manifest
    assert (manifest["answers"], manifest["judge"]) == ("live", "genrm")
    assert manifest["sampling"]["template"].startswith("genrm")
    assert "hard_prompt" in again.stdout
    rescored = invoke(tmp_path / "again", *given(benchmark), "--recorded", out / "answers.jsonl", *FEW)
    assert rescored.exit_code == 0, rescored.output
    one, other = (figures(folder / "alpha") for folder in (out, tmp_path / "again"))
    assert one == other


def test_a_live_judge_is_not_asked_about_its_own_answers(benchmark, tmp_path, env):
    out = tmp_path / "run"
    with RecordingServer(upright) as server:
        judge = ("--model", f"openai:alpha@{server.url}", *FEW)
        run("eval", "arena_hard", out, *given(benchmark), *judge, env=env)
        assert len(server.bodies) == 2 * 32  # beta alone
        result = read_run(out).result
        assert (result.model, result.manifest["left_out"]) == ("beta", ["alpha"])
        rescored = invoke(tmp_path / "again", *given(benchmark), "--recorded", out / "answers.jsonl", *FEW)
        assert rescored.exit_code == 0, rescored.output
        assert figures(tmp_path / "again") == figures(out)
        assert read_run(tmp_path / "again").result.manifest["left_out"] == ["alpha"]
        one = ("--candidate", "alpha", "--limit", "1")
        run("eval", "arena_hard", tmp_path / "own", *given(benchmark), *judge, *one, env=env)
        assert read_run(tmp_path / "own").result.model == "alpha"


def test_a_stopped_run_asks_for_the_rest_alone(benchmark, tmp_path, env):
    out = tmp_path / "run"
    options = (*given(benchmark), "--candidate", "alpha", "--attempts", "1", "--no-cache", *FEW)
    half = [True]

    def answer(number, body):
        return (500, {}, b"down") if half[0] and number % 2 else upright(number, body)

    with RecordingServer(answer) as server:
        judge = ("--model", f"openai:genrm@{server.url}")
        done = run("eval", "arena_hard", out, *options, *judge, code=1, env=env)
        assert "failed, more than --max-failure-rate" in done.stderr
        assert not (out / "result.json").exists()  # half a judge's answers are no score
        asked = len(server.bodies)
        half[0] = False
        run("eval", "arena_hard", out, *options, *judge, env=env)
        assert 64 <= len(server.bodies) < asked + 64
    result = EvalResult.from_dict(json.loads((out / "result.json").read_text("utf-8")))
    assert result.statuses == {"ok": 64}


def test_a_plan_asks_nothing(benchmark, tmp_path, env):
    with RecordingServer(upright) as server:
        judge = ("--model", f"openai:genrm@{server.url}")
        done = run(
            "eval", "arena_hard", tmp_path / "run", *given(benchmark), *judge, "--dry-run", "--limit", "3", env=env
        )
        assert server.bodies == []
    assert re.search(r"\b24\b", done.stdout + done.stderr)  # two models, three questions of two categories, both orders
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("left_out", "message"),
    [("--data", "give --data, the questions"), ("--answers", "give --answers, those of the candidates")],
)
def test_what_a_live_judge_needs_is_named(benchmark, tmp_path, left_out, message):
    options = list(given(benchmark))
    at = options.index(left_out)
    del options[at : at + 2]
    done = invoke(tmp_path / "run", *options, "--model", "openai:m@http://127.0.0.1:9/v1")
    assert done.exit_code == 2
    assert message in " ".join(done.output.split())


def test_a_live_run_is_refused_before_it_asks(benchmark, tmp_path, env):
    out = tmp_path / "run"
    assert invoke(out, *given(benchmark), *recorded(benchmark), *FEW).exit_code == 0
    with RecordingServer(upright) as server:
        judge = ("--model", f"openai:genrm@{server.url}")
        run("eval", "arena_hard", out, *given(benchmark), "--candidate", "alpha", *judge, *FEW, env=env, code=1)
        assert server.bodies == []
