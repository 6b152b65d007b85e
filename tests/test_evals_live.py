"""`rationale-rm eval` as a user meets it: live against a scripted server, killed, resumed, and misused."""

import json
import os
import random
import signal
import subprocess

import pytest
from evals_helpers import result_of
from judging import COMMAND, KEY, RecordingServer, completion, records_of, run
from rationale_rm.documents import EvalResult, SampleView
from records import transcript
from servers import ScriptedServer
from test_resume import end, start, wait_for

N = 30


@pytest.fixture(scope="module")
def server():
    with ScriptedServer(seed=4, latency=0.01, latency_spread=0.02) as running:
        yield running


@pytest.fixture
def natural(tmp_path):
    """A data set of LLMBar's form."""
    path = tmp_path / "Natural" / "dataset.json"
    path.parent.mkdir()
    records = [
        {"input": f"Do {n}.", "output_1": f"Done {n}.", "output_2": f"No {n}.", "label": 1 + n % 2} for n in range(N)
    ]
    path.write_text(json.dumps(records))
    return path


def live(server, data, *more):
    return ["--data", data, "--model", f"openai:g@{server.url}", "--n-resamples", "50", *more]


def test_both_orders_are_asked_and_written(server, natural, tmp_path, env):
    folder = tmp_path / "runs" / "a"
    done = run("eval", "llmbar", folder, *live(server, natural), env=env)
    answers = records_of(folder / "answers.jsonl")
    assert {(a["pair_id"], a["swapped"]) for a in answers.values()} == {
        (f"Natural/{n}", swapped) for n in range(N) for swapped in (False, True)
    }
    result = EvalResult.from_dict(result_of(folder))
    assert sum(result.statuses.values()) == 2 * N
    manifest = result.manifest
    assert (manifest["answers"], manifest["model"], manifest["n_items"]) == ("live", "g", N)
    assert manifest["sampling"]["order"] == "both"
    assert manifest["sampling"]["template"].startswith("genrm/")
    assert manifest["data"][0]["file"] == "Natural/dataset.json"
    views = [SampleView.from_dict(json.loads(line)) for line in (folder / "samples.jsonl").read_text().splitlines()]
    assert len(views) == len({view.id for view in views}) == 2 * N
    by_id = {view.id: view for view in views}
    for name, recorded in answers.items():
        view = by_id[name]
        assert view.verdict == recorded.get("g-label")
        assert view.reasons == tuple(recorded["g-checklist"])
        assert view.right == (
            view.verdict is not None
            and (view.verdict in ("A>B", "A>>B")) == (view.label == "A>B")
            and view.verdict != "A=B"
        )
    rights = [view.right for view in views]
    average = next(e for e in result.estimates if (e.rule, e.slice, e.metric) == ("text", "overall", "correct_average"))
    assert average.value == pytest.approx(sum(rights) / len(rights))
    assert "malformed" in done.stdout
    assert "correct average" in done.stdout


@pytest.mark.parametrize("seed", [1, 2])
def test_killed_and_resumed_gives_the_same_result(server, natural, tmp_path, env, seed):
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    options = live(server, natural, "--no-cache", "--concurrency", "4")
    run("eval", "llmbar", whole, *options, env=env)
    size = os.path.getsize(whole / "answers.jsonl")
    draw = random.Random(seed)
    command = [*COMMAND, "eval", "llmbar", str(killed), *map(str, options)]
    kills = 0
    for share in (0.2, 0.5, 0.8):
        process = start(command, env)
        wait_for(process, killed / "answers.jsonl", size * share * draw.uniform(0.8, 1))
        if process.poll() is None:
            end(process, signal.SIGKILL)
            kills += 1
        else:
            process.communicate()
    assert kills >= 2
    assert not (killed / "result.json").exists()
    run("eval", "llmbar", killed, *options, env=env)
    assert (killed / "result.json").read_bytes() == (whole / "result.json").read_bytes()
    assert (killed / "samples.jsonl").read_bytes() == (whole / "samples.jsonl").read_bytes()
    assert (killed / "items.jsonl").read_bytes() == (whole / "items.jsonl").read_bytes()


def test_an_answer_that_never_came_is_missing_and_asked_again(natural, tmp_path, env):
    """Below the ceiling a failed call leaves a hole, which coverage shows; the next run fills it."""

    def answer(number, body):
        if number < 3:
            return 400, {}, {"error": {"message": "no"}}
        return completion(transcript("A>B"), model=body["model"])

    folder = tmp_path / "a"
    with RecordingServer(answer) as recording:
        options = live(recording, natural, "--no-cache", "--concurrency", "1", "--max-failure-rate", "0.2")
        run("eval", "llmbar", folder, *options, env=env)
        first = result_of(folder)
        run("eval", "llmbar", folder, *options, env=env)
        second = result_of(folder)
        assert len(recording.times) == 2 * N + 3
    assert (first["statuses"], second["statuses"]) == ({"ok": 2 * N - 3, "not_answered": 3}, {"ok": 2 * N})
    one, two = (next(e for e in r["estimates"] if e["metric"] == "correct_average") for r in (first, second))
    assert (one["n"], one["n_total"], two["n"]) == (N - 2, N, N)
    assert one["value"] == two["value"] == 0.5  # A in both orders: right once of twice
    assert one["pessimistic"] == pytest.approx(0.5 * (N - 2) / N)


def test_a_brief_prompt_is_one_line_for_trained_models(natural, tmp_path, env):
    with RecordingServer(lambda number, body: completion(transcript("A>B"), model=body["model"])) as recording:
        run("eval", "llmbar", tmp_path / "a", *live(recording, natural, "--prompt", "brief", "--limit", "1"), env=env)
        (first, second) = [body["messages"] for body in recording.bodies]
    assert [message["role"] for message in first] == ["user"]
    shown = sorted(messages[0]["content"] for messages in (first, second))
    assert shown[0] != shown[1]
    assert all("Done 0." in text and "No 0." in text for text in shown)
    assert result_of(tmp_path / "a")["manifest"]["sampling"]["template"].startswith("genrm_brief/")


def test_too_many_failures_leave_no_result(natural, tmp_path, env):
    with RecordingServer(lambda number, body: (400, {}, {"error": {"message": "no"}})) as recording:
        done = run("eval", "llmbar", tmp_path / "a", *live(recording, natural, "--no-cache"), code=1, env=env)
    assert "--max-failure-rate" in done.stderr
    assert not (tmp_path / "a" / "result.json").exists()
    compared = run("eval", "compare", tmp_path / "a", tmp_path / "a", code=1, env=env)
    assert "not finished" in compared.stderr


def test_no_secret_is_written(server, natural, tmp_path, env):
    folder = tmp_path / "a"
    url = server.url.replace("http://", "http://user:hunter2@")
    model = ["--data", natural, "--model", f"openai:g@{url}", "--limit", "2"]
    run("eval", "llmbar", folder, *model, env=env | {"OPENAI_API_KEY": KEY})
    written = "".join(path.read_text() for path in folder.iterdir())
    assert KEY not in written
    assert "hunter2" not in written
    assert str(natural) not in (folder / "result.json").read_text()


def test_a_live_run_is_also_recorded_output(server, natural, tmp_path, env):
    live_run, again = tmp_path / "live", tmp_path / "again"
    run("eval", "llmbar", live_run, *live(server, natural), env=env)
    run("eval", "llmbar", again, "--recorded", live_run / "answers.jsonl", "--n-resamples", "50", env=env)
    first, second = result_of(live_run), result_of(again)
    assert first["estimates"] == second["estimates"]
    assert first["manifest"]["items_sha256"] == second["manifest"]["items_sha256"]
    done = run("eval", "compare", live_run, again, "--json", tmp_path / "d.json", "--n-resamples", "50", env=env)
    differences = json.loads((tmp_path / "d.json").read_text())
    assert {one["value"] for one in differences["differences"]} == {0.0}
    assert differences["n_both"] == N
    assert "answers" in done.stdout  # what the manifests differ in


def test_rm_bench_asks_nine_pairs_in_both_orders(server, tmp_path, env):
    path = tmp_path / "chat_filtered.json"
    prompts = [
        {
            "id": n,
            "prompt": f"Q{n}",
            "chosen": [f"c{n}{i}" for i in range(3)],
            "rejected": [f"r{n}{i}" for i in range(3)],
        }
        for n in range(2)
    ]
    path.write_text(json.dumps(prompts))
    run("eval", "rm_bench", tmp_path / "a", *live(server, path), env=env)
    result = result_of(tmp_path / "a")
    assert (result["manifest"]["n_items"], result["manifest"]["n_pairs"]) == (2, 18)
    assert sum(result["statuses"].values()) == 36
    rules = {(e["rule"], e["metric"]) for e in result["estimates"]}
    assert {(rule, level) for rule in ("average", "both_orders") for level in ("easy", "normal", "hard")} <= rules


def test_a_plan_asks_and_writes_nothing(server, natural, tmp_path, env):
    server.reset()
    done = run("eval", "llmbar", tmp_path / "a", *live(server, natural, "--dry-run"), env=env)
    assert f"answers to come: {2 * N}" in done.stdout
    assert not (tmp_path / "a").exists()
    assert server.stats()["requests"] == 0


def test_other_settings_are_refused(server, natural, tmp_path, env):
    run("eval", "llmbar", tmp_path / "a", *live(server, natural, "--limit", "2"), env=env)
    done = run("eval", "llmbar", tmp_path / "a", *live(server, natural, "--seed", "1"), code=1, env=env)
    assert "made under other settings (seed: 0 there, 1 now" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["llmbar", "a"], 2, "give either --model"),
        (["llmbar", "a", "--model", "openai:g@http://127.0.0.1:1/v1", "--recorded", "x"], 2, "give either --model"),
        (["llmbar", "a", "--model", "openai:g@http://127.0.0.1:1/v1"], 2, "princeton-nlp/LLMBar"),
        (["judgebench", "a", "--model", "openai:g@http://127.0.0.1:1/v1"], 2, "hub:ScalerLab/JudgeBench/data/gpt-"),
        (["rm_bench", "a", "--model", "openai:g@http://127.0.0.1:1/v1"], 2, "hub:THU-KEG/RM-Bench/total_dataset.json"),
        (["rationale", "a", "--model", "openai:g@http://127.0.0.1:1/v1"], 2, "hub:Qwen/RationaleRM/"),
        (["llmbar", "a", "--recorded", "nowhere.json"], 1, "no such file or folder: nowhere.json"),
        (["llmbar", "a", "--recorded", "bad.json"], 1, "bad.json:2: not JSON"),
        (["llmbar", "a", "--recorded", "mixed.jsonl"], 1, "mixed.jsonl:2: other records"),
        (["llmbar", "a", "--recorded", "rm.json"], 1, "rm.json:1: no recorded output of LLMBar: expected evaluators/"),
        (["judgebench", "a", "--recorded", "rm.json"], 1, "expected outputs of JudgeBench's run_judge.py (pair_id"),
        (["rm_bench", "a", "--recorded", "rm.json"], 1, "expected RM-Bench scores (id, score_chosen"),
        (["rationale", "a", "--recorded", "rm.jsonl"], 1, "expected records with human-checklist"),
        (["judgebench", "a", "--data", "hub:ScalerLab", "--recorded", "bad.json"], 1, "names no file of a data set"),
        (
            ["judgebench", "a", "--data", "gone.jsonl", "--recorded", "bad.json"],
            1,
            "no such file or folder: gone.jsonl",
        ),
        (["llmbar", "a", "--recorded", "bad.json", "--limit", "3"], 2, "--limit takes the first records of --data"),
        (["llmbar", "file", "--recorded", "bad.json"], 2, "a run is a folder"),
        (["rationale", "a", "--data", "world:moon:3", "--model", "hf:x"], 2, "world:SPLIT:N"),
        (["compare", "a", "b"], 1, "no run of eval"),
    ],
)
def test_misuse_says_what_to_do(tmp_path, env, arguments, code, message):
    (tmp_path / "bad.json").write_text("[{},\n")
    (tmp_path / "file").touch()
    good = {"input": "i", "output_1": "a", "output_2": "b", "label": 1, "results": []}
    prompt = {"id": 1, "prompt": "Q?", "chosen": ["a", "b", "c"], "rejected": ["d", "e", "f"]}
    (tmp_path / "rm.json").write_text(json.dumps([prompt]))
    (tmp_path / "rm.jsonl").write_text(json.dumps(prompt) + "\n")
    (tmp_path / "mixed.jsonl").write_text(f"{json.dumps(good)}\n{{}}\n")
    done = run("eval", *arguments, code=code, env=env, cwd=tmp_path)
    assert message in done.stderr
    assert not (tmp_path / "a").exists()


def test_recorded_outputs_do_not_overwrite_a_live_run(server, natural, tmp_path, env):
    run("eval", "llmbar", tmp_path / "a", *live(server, natural, "--limit", "1"), env=env)
    done = run("eval", "llmbar", tmp_path / "a", "--recorded", natural, code=2, env=env)
    assert "holds the answers of a live run" in done.stderr


def test_hostile_text_reaches_the_terminal_escaped(tmp_path, env):
    """A model's name and a slice are text of strangers too."""
    folder = tmp_path / "evil\x1b[31m"
    folder.mkdir()
    last = {
        name: {"completion": ["Output (a) is better.", "stop"], "winner": "1"}
        for name in ("swap = False", "swap = True")
    }
    (folder / "result.json").write_text(
        json.dumps([{"input": "i", "output_1": "a", "output_2": "b", "label": 1, "results": [last]}])
    )
    done = run("eval", "llmbar", tmp_path / "a", "--recorded", folder / "result.json", env=env)
    assert "\x1b" not in done.stdout
    assert "\\x1b[31m" in done.stdout


def test_help_names_data_and_rules():
    for name in ("llmbar", "judgebench", "rm_bench", "rationale"):
        done = subprocess.run([*COMMAND, "eval", name, "--help"], capture_output=True, text=True, check=True)
        for option in ("--recorded", "--data", "--model", "--against", "--dry-run"):
            assert option in done.stdout
