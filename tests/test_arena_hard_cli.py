"""`rationale-rm eval arena_hard` as a user meets it: upstream's files, a live GenRM on a server, resuming, messages."""

import json
import re

import pytest
from arena_files import judgment_line, write_benchmark
from rationale_rm.cli.main import app
from rationale_rm.documents import SampleView
from rationale_rm.evals import read_run
from rationale_rm.evals.arena_hard import BASELINES, make_battles, make_board, read_answers, read_judgments
from records import write
from typer.testing import CliRunner

STRENGTHS = {"alpha": 0.8, "beta": -0.5}
FEW = ("--n-resamples", "50")


@pytest.fixture
def benchmark(tmp_path):
    return write_benchmark(tmp_path / "bench", STRENGTHS)


def invoke(*arguments):
    return CliRunner().invoke(app, ["eval", "arena_hard", *map(str, arguments)])


def given(benchmark):
    return "--data", benchmark / "question.jsonl", "--answers", benchmark / "model_answer"


def recorded(benchmark):
    return "--recorded", benchmark / "model_judgment" / "judge"


def figures(run_folder):
    return {(e.rule, e.slice, e.metric): e for e in read_run(run_folder).result.estimates}


def test_a_leaderboard_of_recorded_judgments(benchmark, tmp_path):
    out = tmp_path / "run"
    done = invoke(out, *given(benchmark), *recorded(benchmark), *FEW)
    assert done.exit_code == 0, done.output
    games = read_judgments([benchmark / "model_judgment"])
    answers = read_answers([benchmark / "model_answer"])
    for category, baseline in BASELINES.items():
        alone = [one for one in games if one.category == category]
        found = make_board(make_battles(alone, category=category, baseline=baseline), answers, n_resamples=50)
        for column, model in enumerate(found.battles.models):
            written = figures(out / model)
            for rule, rates in found.rates.items():
                assert written[rule, category, "win_rate"].value == pytest.approx(rates.value[column])
    assert "hard_prompt: against o3-mini-2025-01-31, judged by judge" in done.output
    assert "creative_writing: against gemini-2.0-flash-001" in done.output
    assert done.output.index("alpha") < done.output.index("beta")  # by win rate
    result = read_run(out / "alpha").result
    assert result.manifest["answers"] == "recorded"
    assert result.manifest["judge"] == "judge"
    assert len(result.manifest["recorded"]) == 2
    assert all(len(file["sha256"]) == 64 for file in result.manifest["data"])
    assert result.statuses == {"ok": 64}


def test_samples_and_items_of_a_run(benchmark, tmp_path):
    out = tmp_path / "run"
    assert invoke(out, *given(benchmark), *recorded(benchmark), "--candidate", "alpha", *FEW).exit_code == 0
    lines = (out / "samples.jsonl").read_text("utf-8").splitlines()
    samples = [SampleView.from_dict(json.loads(line)) for line in lines]
    assert len(samples) == 64
    assert len({sample.id for sample in samples}) == 64
    for sample in samples:
        assert sample.response2.startswith("A fine answer of alpha")
        assert sample.response1.startswith(f"A fair answer of {BASELINES[sample.domain]}")
        assert sample.authors == (BASELINES[sample.domain], "alpha")
        said = re.search(r"\[\[(.*)\]\]", sample.text)[1]
        turned = said.translate(str.maketrans("AB", "BA")) if sample.swapped else said
        assert sample.verdict == turned.replace("B=A", "A=B")
    items = read_run(out).items
    assert {item.slices for item in items} == {("hard_prompt",), ("creative_writing",)}
    done = CliRunner().invoke(app, ["eval", "compare", str(out), str(out), "--json", "-"])
    assert done.exit_code == 0, done.output
    difference = json.loads(done.stdout)["differences"]
    assert {(one["value"], one["low"], one["high"]) for one in difference} == {(0.0, 0.0, 0.0)}


def test_two_models_of_one_leaderboard_are_compared_by_question(benchmark, tmp_path):
    out = tmp_path / "run"
    assert invoke(out, *given(benchmark), *recorded(benchmark), *FEW).exit_code == 0
    done = CliRunner().invoke(app, ["eval", "compare", str(out / "alpha"), str(out / "beta"), "--json", "-"])
    assert done.exit_code == 0, done.output
    (hard,) = [
        one
        for one in json.loads(done.stdout)["differences"]
        if (one["rule"], one["slice"], one["metric"]) == ("per_question", "hard_prompt", "win_rate")
    ]
    values = [figures(out / model)["per_question", "hard_prompt", "win_rate"].value for model in ("alpha", "beta")]
    assert hard["value"] == pytest.approx(values[0] - values[1])
    assert hard["n"] == 20


@pytest.mark.parametrize("texts", [True, False])
def test_games_against_different_baselines_are_not_compared(benchmark, tmp_path, texts):
    for path in (benchmark / "model_judgment" / "judge").iterdir():
        other = path.read_text("utf-8").replace(BASELINES["hard_prompt"], "alpha")
        (benchmark / "other").mkdir(exist_ok=True)
        write(benchmark / "other" / path.name, *map(json.loads, other.splitlines()))
    options = (*(given(benchmark) if texts else ()), "--candidate", "beta", "--category", "hard_prompt", *FEW)
    for name, judgments in (("one", recorded(benchmark)), ("two", ("--recorded", benchmark / "other"))):
        done = invoke(tmp_path / name, *options, *judgments)
        assert done.exit_code == 0, done.output
    done = CliRunner().invoke(app, ["eval", "compare", str(tmp_path / "one"), str(tmp_path / "two")])
    assert done.exit_code != 0
    assert "have no item in common; their manifests differ in boards" in " ".join(done.output.split())


def test_without_answers_there_is_the_plain_rule_alone(benchmark, tmp_path):
    out = tmp_path / "run"
    done = invoke(out, *recorded(benchmark), "--candidate", "beta", "--category", "creative_writing", *FEW)
    assert done.exit_code == 0, done.output
    found = figures(out)
    assert {rule for rule, _, metric in found if metric == "win_rate"} == {"plain", "per_question"}
    assert {category for _, category, _ in found} == {"creative_writing"}


def test_questions_that_nobody_judged_are_missing_and_not_lost(benchmark, tmp_path):
    file = benchmark / "model_judgment" / "judge" / "0.jsonl"
    lines = file.read_text("utf-8").splitlines(keepends=True)
    file.write_text("".join(lines[5:]), "utf-8")
    out = tmp_path / "run"
    assert invoke(out, *given(benchmark), *recorded(benchmark), "--candidate", "alpha", *FEW).exit_code == 0
    rate = figures(out)["plain", "hard_prompt", "win_rate"]
    assert (rate.n, rate.n_total) == (15, 20)
    assert rate.pessimistic < rate.value
    assert read_run(out).result.statuses == {"not_answered": 10, "ok": 54}


def test_a_models_name_leads_nowhere(tmp_path):
    bench = write_benchmark(tmp_path / "bench", {"../../up": 0.3, "a/b": 0.1, "a_b": -0.1, "..": 0.0})
    out = tmp_path / "runs" / "deep" / "run"
    done = invoke(out, *given(bench), *recorded(bench), *FEW)
    assert done.exit_code == 0, done.output
    folders = sorted(path.name for path in out.iterdir())
    assert folders == ["_", "_.._up", "a_b", "a_b_"]
    assert {read_run(out / name).result.model for name in folders} == {"../../up", "a/b", "a_b", ".."}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bench", "runs"]


def test_names_of_a_runs_own_files_are_no_folders(tmp_path):
    names = ("result.json", "samples.jsonl", "items.jsonl", "answers.jsonl")
    bench = write_benchmark(tmp_path / "bench", dict.fromkeys(names, 0.0))
    for _ in range(2):  # a second time, over the first
        done = invoke(tmp_path / "run", *given(bench), *recorded(bench), *FEW)
        assert done.exit_code == 0, done.output
    assert sorted(path.name for path in (tmp_path / "run").iterdir()) == sorted(f"{name}_" for name in names)


@pytest.mark.parametrize(
    ("before", "after", "left"),
    [
        ((), ("--candidate", "alpha"), "alpha/result.json"),
        (("--candidate", "alpha"), (), "run/result.json"),
    ],
)
def test_results_of_other_models_do_not_stay_beside_new_ones(benchmark, tmp_path, before, after, left):
    out = tmp_path / "run"
    options = (*given(benchmark), *recorded(benchmark), *FEW)
    assert invoke(out, *options, *before).exit_code == 0
    held = {path: path.read_bytes() for path in out.rglob("*.json*")}
    done = invoke(out, *options, *after)
    assert done.exit_code == 1
    said = done.output.replace("\n", "")
    assert left in said
    assert "other models" in said
    assert {path: path.read_bytes() for path in out.rglob("*.json*")} == held


def test_a_line_that_is_no_judgment_is_named(benchmark, tmp_path):
    file = benchmark / "model_judgment" / "judge" / "0.jsonl"
    lines = file.read_text("utf-8").splitlines()
    lines[4] = json.dumps({"uid": "x"})
    write(file, *map(json.loads, lines))
    done = invoke(tmp_path / "run", *recorded(benchmark))
    assert done.exit_code == 1
    assert "0.jsonl:5: games must be a list of two" in " ".join(done.output.split())
    write(file, {"uid": "x"})
    done = invoke(tmp_path / "run", "--recorded", file)
    assert "no line has games, so these are not upstream's judgments" in " ".join(done.output.split())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("--strong", "2"), "--strong: 3 there, 2 now"),
        (("--style-control", "none"), "--style-control: both there, none now"),
        (
            ("--category", "hard_prompt"),
            "creative_writing=gemini-2.0-flash-001 there, hard_prompt=o3-mini-2025-01-31 now",
        ),
        (("--answers", "more"), "0.jsonl ("),
    ],
)
def test_a_leaderboard_is_bound_to_its_data_and_rules(benchmark, tmp_path, change, message):
    out, more = tmp_path / "run", tmp_path / "more"
    more.mkdir()
    line = {"uid": "x", "model": "idle", "messages": [{"role": "assistant", "content": "…"}]}
    write(more / "idle.jsonl", line)
    options = (*given(benchmark), *recorded(benchmark), *FEW)
    assert invoke(out, *options).exit_code == 0
    held = {path: path.read_bytes() for path in out.rglob("*.json*")}
    done = invoke(out, *options, *(more if one == "more" else one for one in change))
    assert done.exit_code == 2
    assert message.replace(" ", "") in "".join(done.output.split())
    assert {path: path.read_bytes() for path in out.rglob("*.json*")} == held


def test_a_judges_own_answers_are_left_out(benchmark, tmp_path):
    """As upstream's load_judgments has it: they would move what style control takes out of the others' scores."""
    own = [judgment_line(f"hard_prompt/q{n}", "hard_prompt", "alpha", 2, 2, judge="alpha") for n in range(20)] + [
        judgment_line(f"hard_prompt/q{n}", "hard_prompt", "beta", (-1) ** n, 1, judge="alpha") for n in range(20)
    ]
    write(tmp_path / "own.jsonl", *own)
    options = (*given(benchmark), "--recorded", tmp_path / "own.jsonl", *FEW)
    done = invoke(tmp_path / "run", *options)
    assert done.exit_code == 0, done.output
    result = read_run(tmp_path / "run").result  # beta alone, so that its files stand in the run's own folder
    assert (result.model, result.manifest["left_out"]) == ("beta", ["alpha"])
    assert result.manifest["boards"][0]["models"] == ["beta"]
    assert any("alpha judged, and its own answers are left out" in note for note in result.notes)
    done = invoke(tmp_path / "named", *options, "--candidate", "alpha", "--candidate", "beta")
    assert done.exit_code == 0, done.output
    result = read_run(tmp_path / "named" / "alpha").result
    assert (result.manifest["left_out"], result.manifest["boards"][0]["models"]) == ([], ["alpha", "beta"])
    assert any("alpha judged its own answers, too" in note for note in result.notes)
    write(tmp_path / "alone.jsonl", *own[:20])
    done = invoke(tmp_path / "alone", "--recorded", tmp_path / "alone.jsonl")
    assert "must be chosen with --candidate" in " ".join(done.output.split())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--baseline", "cooking=x"), "expected hard_prompt=NAME or creative_writing=NAME"),
        (("--baseline", "hard_prompt=other"), "was judged against o3-mini-2025-01-31"),
        (("--candidate", "nobody"), "none of the judgments is about a chosen category, model and question"),
        (("--name", "gpt-9"), "no judgments of gpt-9: there are those of judge"),
    ],
)
def test_choices_that_fit_nothing_are_explained(benchmark, tmp_path, options, message):
    done = invoke(tmp_path / "run", *given(benchmark), *recorded(benchmark), *options)
    assert done.exit_code != 0
    assert message in " ".join(done.output.split())
    assert not (tmp_path / "run").exists()


def test_judgments_of_several_judges_are_not_pooled(benchmark, tmp_path):
    line = judgment_line("hard_prompt/q0", "hard_prompt", "alpha", 1, 1, judge="another")
    write(benchmark / "model_judgment" / "judge" / "another.jsonl", line)
    done = invoke(tmp_path / "run", *recorded(benchmark))
    assert "several judges, another, judge: choose one with --name" in " ".join(done.output.split())
    assert invoke(tmp_path / "run", *recorded(benchmark), "--name", "judge", *FEW).exit_code == 0
    assert read_run(tmp_path / "run" / "alpha").result.statuses == {"ok": 64}
    assert len((tmp_path / "run" / "alpha" / "samples.jsonl").read_text("utf-8").splitlines()) == 64
