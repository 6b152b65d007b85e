"""What an evaluation refuses or says before anything is asked and paid for."""

import pytest
from evals_helpers import result_of
from judging import run
from rationale_rm.data import read_pairs
from rationale_rm.documents import OVERALL
from rationale_rm.evals import rationale_samples
from records import critiqued, pair, write
from servers import ScriptedServer
from test_evals_rationale import table


def test_without_a_judge_there_is_no_rc(tmp_path):
    """Not even 0 for an answer that cannot be read: RC would be the mean of these alone."""
    lines = [
        critiqued(pair(id="a", label="A>B"), "A>B"),
        critiqued(pair(id="b", label="A>B"), None),
    ]
    found, judged = table(read_pairs([str(write(tmp_path / "a.jsonl", *lines))]))
    for metric in ("rc", "precision", "f1", "ap", "soft_ap"):
        assert (found["", OVERALL, metric].value, found["", OVERALL, metric].n) == (None, 0)
    assert found["", OVERALL, "oa"].value == 0.5
    assert found["", OVERALL, "malformed"].value == 0.5
    assert ("", OVERALL, "joint") not in found
    assert {view.rc for view in rationale_samples.views(judged)} == {None}


@pytest.mark.parametrize(
    ("benchmark", "data", "code", "words"),
    [
        ("llmbar", ["--data", "nothere.json"], 1, "no such file or folder: nothere.json. The data: "),
        ("judgebench", ["--data", "nothere.jsonl"], 1, "hub:ScalerLab/JudgeBench"),
        ("rm_bench", ["--data", "nothere.json"], 1, "hub:THU-KEG/RM-Bench"),
        ("arena_hard", ["--data", "nothere.jsonl"], 1, "hub:lmarena-ai/arena-hard-auto"),
        ("rationale", ["--data", "nothere.jsonl"], 1, "hub:Qwen/RationaleRM"),
        ("rationale", ["--data", "world:test:3", "--judge", "nonsense"], 2, "--judge"),
    ],
)
def test_refused_before_the_model_is_asked(tmp_path, env, benchmark, data, code, words):
    with ScriptedServer() as server:
        model = ["--model", f"openai:g@{server.url}"]
        done = run("eval", benchmark, tmp_path / "run", *data, *model, code=code, env=env, cwd=tmp_path)
        assert words in done.stderr
        assert server.stats()["requests"] == 0
    assert not (tmp_path / "run").exists()


def test_the_oracle_judges_its_world_alone(tmp_path, env):
    answers = write(tmp_path / "a.jsonl", critiqued(pair(id="a"), "A>B"))
    for data in ([], ["--data", answers], ["--data", answers, "--data", "world:test:2"]):
        options = ["--recorded", answers, *data, "--judge", "oracle"]
        done = run("eval", "rationale", tmp_path / "run", *options, code=2, env=env)
        assert "--judge oracle knows the synthetic world alone" in done.stderr


def test_a_judge_may_be_added_where_there_was_none(tmp_path, env):
    answers = write(tmp_path / "a.jsonl", *(critiqued(pair(id=f"p{i}"), "A>B") for i in range(3)))
    options = ["--recorded", answers, "--n-resamples", "20"]
    run("eval", "rationale", tmp_path / "run", *options, env=env)
    assert "add --judge" in " ".join(result_of(tmp_path / "run")["notes"])
    run("eval", "rationale", tmp_path / "run", *options, "--judge", "lexical", env=env)
    assert result_of(tmp_path / "run")["manifest"]["judges"] == ["lexical"]
    done = run("eval", "rationale", tmp_path / "run", *options, code=2, env=env)
    assert "judges: lexical there, none now" in done.stderr


@pytest.mark.parametrize("n", [19, 20])
def test_intervals_of_few_prompts_are_said_to_be_narrow(tmp_path, env, n):
    answers = write(tmp_path / "a.jsonl", *(critiqued(pair(id=f"p{i}", label="A>B"), "A>B") for i in range(n)))
    run("eval", "rationale", tmp_path / "run", "--recorded", answers, "--n-resamples", "20", env=env)
    notes = " ".join(result_of(tmp_path / "run")["notes"])
    assert ("the intervals draw 19 prompts" in notes) == (n == 19)


def test_a_comparison_shows_what_could_not_be_read(tmp_path, env):
    """A score may fall by its form alone."""
    for name, verdicts in (("one", ["A>B"] * 4), ("two", ["A>B", "A>B", None, None])):
        lines = [critiqued(pair(id=f"p{i}", label="A>B"), verdict) for i, verdict in enumerate(verdicts)]
        answers = write(tmp_path / f"{name}.jsonl", *lines)
        run("eval", "rationale", tmp_path / name, "--recorded", answers, "--n-resamples", "20", env=env)
    done = run("eval", "compare", tmp_path / "one", tmp_path / "two", env=env)
    (line,) = [line for line in done.stdout.splitlines() if line.split()[:2] == ["overall", "malformed"]]
    assert "-.500" in line.replace("-0.500", "-.500")
