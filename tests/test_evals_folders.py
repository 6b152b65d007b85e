"""The folder of a run belongs to one run, and what stands in it belongs together."""

import json

import pytest
from evals_helpers import result_of
from judging import RecordingServer, completion, run
from rationale_rm.cli import options
from rationale_rm.cli.eval import outcome as outcomes
from rationale_rm.cli.eval.folder import Outcome
from rationale_rm.documents import EvalResult
from rationale_rm.judge import Limits
from records import critiqued, judge_text, matched, pair, transcript, write
from test_evals_joined import bar_records
from test_evals_rationale import FULL
from test_evals_rules import judge_line


def bar_file(folder, n=3):
    path = folder / f"set{n}" / "result.json"
    path.parent.mkdir()
    path.write_text(json.dumps(bar_records(n)))
    return path


def judged_bench(folder):
    path = folder / "j.jsonl"
    path.write_text(json.dumps(judge_line()) + "\n")
    return path


def test_a_finished_run_is_not_overwritten_by_another(tmp_path, env):
    first, second, folder = bar_file(tmp_path), bar_file(tmp_path, 2), tmp_path / "run"
    options = ["--n-resamples", "10"]
    run("eval", "llmbar", folder, "--recorded", first, *options, env=env)
    kept = {path.name: path.read_bytes() for path in folder.iterdir()}
    for arguments, message in (
        (["llmbar", folder, "--recorded", second], "recorded outputs: set3/result.json ("),
        (["llmbar", folder, "--recorded", first, "--name", "x"], "(model: recorded there, x now)"),
        (["judgebench", folder, "--recorded", judged_bench(tmp_path)], "(eval: llmbar there, judgebench now)"),
        (
            ["llmbar", folder, "--data", first, "--model", "openai:g@http://127.0.0.1:1/v1"],
            "answers: recorded there, live now",
        ),
    ):
        done = run("eval", *arguments, *options, code=2, env=env)
        assert message in done.stderr
        assert {path.name: path.read_bytes() for path in folder.iterdir()} == kept
    run("eval", "llmbar", folder, "--recorded", first, *options, env=env)  # the same again
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == kept


def data_file(folder, name, n):
    """The pairs of `bar_file` without answers, in a folder of another name."""
    path = folder / name / "set" / "dataset.json"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps([{k: v for k, v in one.items() if k != "results"} for one in bar_records(n)]))
    return path


def test_a_run_is_bound_to_its_data(tmp_path, env):
    """Recorded outputs scored again over other data would replace the figures of the first without a word."""
    recorded = tmp_path / "set" / "result.json"
    recorded.parent.mkdir()
    recorded.write_text(json.dumps(bar_records(3)))
    first, second, folder = data_file(tmp_path, "one", 3), data_file(tmp_path, "two", 2), tmp_path / "run"
    options = ["--recorded", recorded, "--n-resamples", "10"]
    run("eval", "llmbar", folder, *options, "--data", first, env=env)
    kept = {path.name: path.read_bytes() for path in folder.iterdir()}
    for more, now in (
        (["--data", second], "set/dataset.json ("),
        (["--data", first, "--data", second], "set/dataset.json ("),
        ([], "none"),
    ):
        done = run("eval", "llmbar", folder, *options, *more, code=2, env=env)
        assert "(data: set/dataset.json (" in done.stderr
        assert f" there, {now}" in done.stderr
        assert "choose another folder, or remove this one" in done.stderr
        assert {path.name: path.read_bytes() for path in folder.iterdir()} == kept
    done = run("eval", "llmbar", folder, *options, "--data", first, "--limit", "1", code=2, env=env)
    assert "(pairs: 3 there, 1 now)" in done.stderr
    moved = first.rename(first.with_name("renamed.json"))  # the same content
    run("eval", "llmbar", folder, *options, "--data", moved, env=env)


def test_a_live_run_is_bound_to_its_data(tmp_path, env):
    """Before anything is asked, and before it is finished as well: its answers are about these pairs."""
    first, second, folder = data_file(tmp_path, "one", 3), data_file(tmp_path, "two", 2), tmp_path / "run"
    down = [True]

    def answer(number, body):
        return (400, {}, {"error": {"message": "no"}}) if down[0] and number else verdict(body)

    def verdict(body):
        return completion(transcript("A>B"), model=body["model"])

    with RecordingServer(answer) as server:
        model = ["--model", f"openai:g@{server.url}", "--no-cache", "--n-resamples", "10"]
        run("eval", "llmbar", folder, *model, "--data", first, code=1, env=env)
        asked = len(server.bodies)
        done = run("eval", "llmbar", folder, *model, "--data", second, code=1, env=env)
        assert "was made under other settings (data" in done.stderr
        down[0] = False
        run("eval", "llmbar", folder, *model, "--data", first, env=env)
        assert len(server.bodies) == asked + 5
        done = run("eval", "llmbar", folder, *model, "--data", second, code=2, env=env)
        assert "(data: set/dataset.json (" in done.stderr
        assert len(server.bodies) == asked + 5
        grown = tmp_path / "grown"
        for more, n in ((["--limit", "1"], 1), ([], 3)):  # a first look, and on from there
            run("eval", "llmbar", grown, *model, "--data", first, *more, env=env)
            assert result_of(grown)["manifest"]["n_pairs"] == n
        assert len(server.bodies) == asked + 5 + 6


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("--top-k", "1", "(--top-k: 5 there, 1 now)"),
        ("--threshold", "0.5", "(--threshold: 0.0 there, 0.5 now)"),
        ("--spurious-below", "0.5", "(--spurious-below: 0.25 there, 0.5 now)"),
    ],
)
def test_a_run_is_bound_to_how_its_reasons_are_matched(tmp_path, env, option, value, message):
    recorded = write(tmp_path / "m.jsonl", matched(critiqued(pair()), judge_text(*FULL)))
    common = ["eval", "rationale", tmp_path / "a", "--recorded", recorded, "--n-resamples", "10"]
    run(*common, env=env)
    kept = (tmp_path / "a" / "result.json").read_bytes()
    done = run(*common, option, value, code=2, env=env)
    assert message in done.stderr
    assert (tmp_path / "a" / "result.json").read_bytes() == kept
    run(*common, "--n-resamples", "20", env=env)  # other intervals are the same run


def test_a_run_is_bound_to_its_judge(tmp_path, env):
    recorded = write(tmp_path / "c.jsonl", critiqued(pair()))
    common = ["eval", "rationale", tmp_path / "a", "--recorded", recorded, "--n-resamples", "10"]
    run(*common, "--judge", "lexical", env=env)
    done = run(*common, code=2, env=env)
    assert "(judges: lexical there, none now)" in done.stderr


def test_an_old_result_goes_before_what_it_is_not_of_is_written(tmp_path):
    """Stopped while samples are written, the folder holds no result."""
    manifest = {"answers": "recorded", "data": [], "n_pairs": 1}
    result = EvalResult(eval="llmbar", model="m", manifest=manifest, estimates=(), statuses={})
    (tmp_path / "result.json").write_text(json.dumps(result.to_dict()))

    def samples():
        raise KeyboardInterrupt
        yield

    outcome = Outcome(result=result, items=(), samples=samples())
    how = options.Asking(
        limits=Limits(),
        cache=None,
        no_cache=True,
        key_variable="KEY",
        prices=None,
        resume=True,
        dry_run=False,
        limit=None,
        max_failure_rate=0.0,
        summary=None,
        quiet=True,
    )
    with pytest.raises(KeyboardInterrupt):
        outcomes.finish(str(tmp_path), outcome, how, None, live=False)
    assert not (tmp_path / "result.json").exists()


def test_against_is_looked_at_before_anything_is_asked(tmp_path, env):
    data, folder = bar_file(tmp_path), tmp_path / "other"
    model = ["--data", data, "--model", "openai:g@http://127.0.0.1:1/v1", "--attempts", "1"]
    done = run("eval", "llmbar", tmp_path / "a", *model, "--against", tmp_path / "gone", code=1, env=env)
    assert "no run of eval" in done.stderr
    run("eval", "judgebench", folder, "--recorded", judged_bench(tmp_path), "--n-resamples", "10", env=env)
    done = run("eval", "llmbar", tmp_path / "a", *model, "--against", folder, code=2, env=env)
    assert "a run of judgebench, not of llmbar" in done.stderr
    assert not (tmp_path / "a").exists()


def test_a_summary_on_standard_output_is_json_alone(tmp_path, env):
    data, folder = bar_file(tmp_path), tmp_path / "a"
    recorded = ["--recorded", data, "--n-resamples", "10"]
    run("eval", "llmbar", folder, *recorded, env=env)
    done = run("eval", "llmbar", tmp_path / "b", *recorded, "--against", folder, "--json", "-", env=env)
    assert json.loads(done.stdout) == result_of(tmp_path / "b")
    done = run("eval", "llmbar", tmp_path / "b", *recorded, "--against", folder, "--quiet", env=env)
    assert done.stdout == ""
    done = run("eval", "llmbar", tmp_path / "b", *recorded, "--against", folder, env=env)
    assert "minus" in done.stdout


def test_lines_of_rationale_data_that_cannot_be_read(tmp_path, env):
    """Data with a hole is refused; recorded answers with one say so where the figures stand."""
    good = matched(critiqued(pair()), judge_text(*FULL))
    recorded = write(tmp_path / "m.jsonl", good, "{broken")
    run("eval", "rationale", tmp_path / "a", "--recorded", recorded, "--n-resamples", "10", env=env)
    result = result_of(tmp_path / "a")
    assert result["manifest"]["n_lines_left_out"] == 1
    assert "1 lines of the recorded answers were left out" in result["notes"][0]
    data = write(tmp_path / "d.jsonl", pair(), "{broken")
    done = run("eval", "rationale", tmp_path / "b", "--recorded", recorded, "--data", data, code=1, env=env)
    assert "d.jsonl:2" in done.stderr
    assert "another benchmark" in done.stderr
    assert not (tmp_path / "b").exists()
