"""The command line: in a real process, and through typer's runner where a process adds nothing."""

import csv
import gzip
import io
import json
import os
import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import rationale_rm
from rationale_rm.cli import output
from rationale_rm.cli.main import app
from records import critiqued, judge_text, matched, pair, result, transcript, write
from typer.testing import CliRunner

HOSTILE = "\x1b[31m[red]bold[/red][link=http://x]\x07\u202e\u2028 \ud800 [/]"


def invoke(*arguments, text=None):
    return CliRunner().invoke(app, [str(argument) for argument in arguments], input=text)


def run(*arguments, stdin=b"", check=None, env=None):
    done = subprocess.run(
        [sys.executable, "-m", "rationale_rm.cli", *map(str, arguments)],
        input=stdin,
        capture_output=True,
        env=os.environ | {"PYTHONWARNINGS": "error"} | (env or {}),
    )
    assert b"Traceback" not in done.stderr, done.stderr.decode()
    if check is not None:
        assert done.returncode == check, done.stderr.decode()
    return done


def judged(number=0, model="m", score=0.75, text=None, **changes):
    record = pair(**{"id": f"p{number}", f"{model}-generated_text": transcript("A>B")} | changes)
    return result(record, judge_text((1, 1, score), (2, 0, 0)) if text is None else text)


@pytest.fixture
def results(tmp_path):
    rows = [judged(number, domain=("code", "stem")[number % 2], score=number / 8) for number in range(8)]
    return write(tmp_path / "results.jsonl", *rows)


def scored(path, *options):
    """The JSON document of a run that ends well."""
    done = invoke("score", path, "--json", "-", *options)
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))


# The program.


def test_version():
    for flag in (["--version"], ["--version", "score"]):
        assert run(*flag, check=0).stdout.decode() == f"rationale-rm {rationale_rm.__version__}\n"


def test_the_package_runs_as_a_module():
    done = subprocess.run([sys.executable, "-m", "rationale_rm", "--version"], capture_output=True, check=True)
    assert done.stdout == run("--version").stdout
    assert (
        b"Usage: python -m rationale_rm"
        in subprocess.run([sys.executable, "-m", "rationale_rm", "--help"], capture_output=True, check=True).stdout
    )


def test_the_console_script_is_installed():
    script = os.path.join(os.path.dirname(sys.executable), "rationale-rm")
    done = subprocess.run([script, "--version"], capture_output=True, text=True, check=True)
    assert rationale_rm.__version__ in done.stdout


@pytest.mark.parametrize("command", [[], ["score"], ["parse"]])
def test_help_shows_options_and_examples(command):
    done = invoke(*command, "--help")
    assert done.exit_code == 0
    for text in ("Examples:", "--json", "--strict") if command else ("score", "parse", "Exit codes"):
        assert text in done.stdout


@pytest.mark.parametrize(
    "arguments",
    [
        ["score"],
        ["parse"],
        ["nonsense"],
        ["score", "gone.jsonl"],
        ["parse", "gone.jsonl"],
        ["score", "RESULTS", "--mode", "other"],
        ["score", "RESULTS", "--threshold", "2"],
        ["score", "RESULTS", "--threshold", "nan"],
        ["score", "RESULTS", "--n-resamples", "0"],
        ["score", "RESULTS", "--n-resamples", "10000001"],
        ["score", "RESULTS", "--seed", str(2**64)],
        ["score", "RESULTS", "--top-k", str(2**31)],
        ["score", "RESULTS", "--model", "nobody"],
        ["score", "RESULTS", "--json", "no/such/folder/out.json"],
        ["score", "RESULTS", "--json", "RESULTS"],
        ["parse", "RESULTS", "--csv", "RESULTS"],
        ["parse", "RESULTS", "--kind", "other"],
    ],
)
def test_misuse_is_exit_2(results, arguments):
    before = results.read_bytes()
    done = invoke(*[str(results) if argument == "RESULTS" else argument for argument in arguments])
    assert done.exit_code == 2
    assert done.stderr
    assert results.read_bytes() == before


@pytest.mark.parametrize("command", ["score", "parse"])
def test_an_output_file_is_no_input_and_written_once(results, tmp_path, command):
    folder = results.parent
    before = results.read_bytes()
    for options, why in (
        ([folder, "--csv", results], "it is an input file"),
        ([results, "--json", tmp_path / "o", "--csv", f"{tmp_path}/./o"], "--json and --csv cannot both write"),
        ([results, "--json", "-", "--csv", "-"], "cannot both write -"),
        ([results, "--json", ""], "--json needs a file name"),
        ([folder / "gone.jsonl", "--json", results], "no such file"),
    ):
        done = invoke(command, *options)
        assert (done.exit_code, why in done.stderr) == (2, True), done.output
    assert results.read_bytes() == before
    assert sorted(folder.iterdir()) == [results]


def test_a_report_in_the_folder_of_its_input_is_no_data(results):
    report = results.parent / "report.json"
    for command in ("score", "parse", "score"):
        done = invoke(command, results.parent, "--json", report)
        assert (done.exit_code, done.stderr) == (0, "")
    assert json.loads(report.read_text())["input"]["n_lines"] == 8


# score.


def test_score_prints_tables(results):
    done = run("score", results, check=0)
    out = done.stdout.decode()
    for text in ("Overall", "By domain", "code", "stem", "8/8", "100%", "recorded MetaJudge answers"):
        assert text in out
    assert done.stderr == b""
    assert "\x1b" not in out  # colours are for terminals


def test_score_json(results):
    document = scored(results)
    (model,) = document["models"]
    rc = model["overall"]["rc"]
    assert rc["value"] == pytest.approx(sum(n / 8 for n in range(8)) / 8 / 2)
    assert rc["low"] < rc["value"] < rc["high"]
    assert (rc["n"], rc["n_total"], rc["coverage"]) == (8, 8, 1)
    assert model["overall"]["oa"]["value"] == 1
    assert sorted(model["by_domain"]) == ["code", "stem"]
    assert document["settings"] | {"mode": "paper", "top_k": 5, "seed": 0, "judge": "recorded"} == document["settings"]
    assert document["input"]["n_pairs"] == 8
    assert document["schema_version"] == rationale_rm.SCHEMA_VERSION


def test_score_csv_holds_the_figures_of_the_json(results, tmp_path):
    target = tmp_path / "out.csv"
    document = scored(results, "--csv", target)
    rows = list(csv.DictReader(target.read_text("utf-8").splitlines()))
    overall = {row["metric"]: row for row in rows if row["scope"] == "overall"}
    for name, figure in document["models"][0]["overall"].items():
        assert float(overall[name]["value"]) == figure["value"]
    assert len(rows) == 7 * 3  # seven figures, overall and in two domains


@pytest.mark.parametrize("compress", [bytes, gzip.compress])
def test_score_standard_input(results, compress):
    done = run("score", "-", "--json", "-", stdin=compress(results.read_bytes()), check=0)
    assert json.loads(done.stdout)["input"] == json.loads(run("score", results, "--json", "-").stdout)["input"] | {
        "files": ["-"]
    }


def test_score_repeats_with_its_seed(results):
    assert scored(results, "--seed", 5) == scored(results, "--seed", 5)
    assert scored(results, "--seed", 5)["models"] != scored(results, "--seed", 6)["models"]


def test_score_modes_differ(tmp_path):
    path = write(tmp_path / "x.jsonl", judged(text=judge_text((1, 2, 1), (2, 2, 1))))
    values = [scored(path, "--mode", mode)["models"][0]["overall"]["rc"]["value"] for mode in ("paper", "reference")]
    assert values == [0.5, 1.0]


def test_score_compares_models(tmp_path):
    rows = [judged(n, model, score) for n in range(10) for model, score in (("good", 1), ("poor", n % 2 / 4))]
    path = write(tmp_path / "x.jsonl", *rows)
    document = scored(path)
    (comparison,) = document["comparisons"]
    assert (comparison["a"], comparison["b"]) == ("good", "poor")
    assert comparison["differences"]["rc"]["low"] > 0
    assert comparison["mcnemar"]["p_exact"] == 1
    assert "good minus poor" in invoke("score", path).stdout
    assert scored(path, "--model", "poor")["comparisons"] == []


def test_many_models_are_compared_with_the_best_in_one_table(tmp_path):
    scores = {"a": 0.25, "b": 1, "c": 0.5, "d": 0.75, "e": 0}
    path = write(tmp_path / "x.jsonl", *(judged(n, *item) for n in range(10) for item in scores.items()))
    out = invoke("score", path).stdout
    table = out[out.index("Each model minus b (highest RC)") :].splitlines()
    found = {words[0]: words[5] for words in map(str.split, table) if words and words[0] in scores}
    assert found == {"a": "-0.375", "c": "-0.250", "d": "-0.125", "e": "-0.500"}
    assert "same pairs" not in out.replace("same pairs;", "")
    assert len(scored(path)["comparisons"]) == 10
    assert "Each model minus a (highest OA)" in invoke("score", path, "--judge", "none").stdout


def test_many_domains_are_printed_on_request(tmp_path):
    path = write(tmp_path / "x.jsonl", *(judged(n, domain=f"d{n}") for n in range(13)))
    out = invoke("score", path).stdout
    assert "13 domains: see them with --by-domain" in out
    assert "d12" not in out
    assert "d12" in invoke("score", path, "--by-domain").stdout
    few = write(tmp_path / "y.jsonl", *(judged(n, domain=f"d{n}") for n in range(12)))
    assert "d11" in invoke("score", few).stdout
    assert "d11" not in invoke("score", few, "--no-by-domain").stdout
    assert len(scored(path)["models"][0]["by_domain"]) == 13


def test_bad_lines_are_reported_and_counted(tmp_path):
    path = write(tmp_path / "x.jsonl", judged(0), "{", judged(1), *["no"] * 7)
    done = run("score", path, "--json", tmp_path / "o.json", check=0)
    err = done.stderr.decode()
    assert "8 of 10 lines were left out" in err
    assert f"{path}:2: not JSON" in err
    assert "… and 3 more" in err
    assert "8 of 10 lines were left out" in done.stdout.decode()
    found = json.loads((tmp_path / "o.json").read_text())["input"]
    assert found["n_bad_lines"] == len(found["bad_lines"]) == 8
    assert found["bad_lines"][0]["line"] == 2


@pytest.mark.parametrize("command", ["score", "parse"])
def test_strict_is_exit_1_at_the_first_bad_line(tmp_path, command):
    path = write(tmp_path / "x.jsonl", judged(0), "{", "}")
    done = run(command, path, "--strict", "--json", tmp_path / "o.json", check=1)
    assert f"{path}:2: not JSON" in done.stderr.decode()
    assert (done.stdout, (tmp_path / "o.json").exists()) == (b"", False)


@pytest.mark.parametrize("rows", [[], ["{"], [{"label": "A>B", "id": "1"}]])
def test_nothing_usable_is_exit_1(tmp_path, rows):
    path = write(tmp_path / "x.jsonl", *rows)
    done = run("score", path, check=1)
    assert "nothing to score" in done.stderr.decode()


def test_no_judge_scores_is_exit_1_and_says_what_to_do(tmp_path):
    path = write(tmp_path / "x.jsonl", pair(**{"m-checklist": ["It sorts."], "m-label": "A>B"}))
    done = run("score", path, check=1)
    for text in ("no judge scores for m", "--judge lexical", "--judge none", "samples"):
        assert text in done.stderr.decode()


def test_no_model_is_exit_1(tmp_path):
    done = run("score", write(tmp_path / "x.jsonl", pair()), check=1)
    assert "M-checklist" in done.stderr.decode()


def test_lexical_says_that_it_is_a_stand_in_everywhere(tmp_path):
    rows = [
        pair(id=str(n), **{"m-checklist": ["Response 2 sorts and never reverses."], "m-label": "A>B"}) for n in range(3)
    ]
    path = write(tmp_path / "x.jsonl", *rows)
    done = invoke("score", path, "--judge", "lexical", "--csv", tmp_path / "o.csv")
    assert "rough stand-in" in done.stdout
    document = scored(path, "--judge", "lexical")
    assert document["models"][0]["overall"]["rc"]["value"] > 0.2
    assert any("rough stand-in" in note for note in document["notes"])
    assert document["settings"]["scorer"] == "token_set"
    assert all("rough stand-in" in row for row in (tmp_path / "o.csv").read_text().splitlines()[1:])


# What critique and match write.


def run_of(path, judge="openai:j@http://127.0.0.1/v1", *, model="m", score=0.5, swaps=(False, True), **changes):
    """Lines of a critique and a match run over four pairs, in one file."""
    rows = []
    for number in range(4):
        for swapped in swaps:
            verdict = "A>B" if number or not swapped else "B>A"  # the first pair is judged by place
            record = critiqued(pair(id=f"p{number}"), verdict, swapped=swapped, model=model)
            answer = judge_text((1, 1, score), (2, 0, 0))
            rows.append(
                matched(record, *([] if "scores" in changes else [answer]), judge=judge, model=model, **changes)
            )
    return write(path, *rows)


@pytest.mark.parametrize("judge", [(), ("--judge", "lexical"), ("--mode", "reference")])
def test_the_order_of_lines_changes_nothing(tmp_path, judge):
    """A run that asks many questions at a time writes its answers in any order."""
    lines = []
    for number in range(12):
        plain = pair(id=f"p{number}", domain="ab"[number % 2], label=None if number == 5 else "A>B")
        for model in ("m", "another"):
            for swapped, sample in ((False, 0), (True, 0), (False, 1)):
                verdict = "A>B" if (number + swapped + len(model)) % 3 else "B>A"
                record = critiqued(plain, verdict, model=model, swapped=swapped, sample=sample)
                answer = judge_text((1, 1, round((number * 7 + sample + swapped) % 11 / 11, 3)), (2, 0, 0))
                failed = {"error": "timed out"} if number == 7 and swapped else {}
                by = {"judge": f"openai:j{number % 2}@http://127.0.0.1/v1"}
                texts = () if failed else (answer,)
                if number != 3:
                    lines.append(matched(record, *texts, model=model, **by, **failed))
                elif model == "m":  # not judged yet
                    lines.append(record)
    path = tmp_path / "x.jsonl"

    def found():
        options = (*judge, "--n-resamples", 50)
        return scored(write(path, *lines), *options), invoke("score", path, *options, "--samples", "-").stdout

    want = found()
    assert want[0]["models"][0]["overall"]["oa"]["low"] < want[0]["models"][0]["overall"]["oa"]["high"]
    rng = random.Random(7)
    for _ in range(4):
        rng.shuffle(lines)
        assert found() == want


def test_from_critique_over_match_to_score(tmp_path):
    """Authored lines of both layouts, with a failure that a later line makes good and one that stays."""
    critiques = [
        critiqued(pair(id="p1"), error="timed out"),
        critiqued(pair(id="p2"), "A>B"),
        critiqued(pair(id="p2"), "B>A", swapped=True),
        critiqued(pair(id="p1"), "A>>B"),
        critiqued(pair(id="p1"), error="timed out", swapped=True),
    ]
    first = write(tmp_path / "critiques.jsonl", *critiques)
    document = scored(first, "--judge", "none")
    (model,) = document["models"]
    assert (document["input"]["n_lines"], document["input"]["n_pairs"], document["input"]["n_records"]) == (5, 2, 4)
    assert (model["n_pairs"], model["n_answers"], model["n_missing"]) == (2, 3, 1)
    assert model["overall"]["oa"]["value"] == pytest.approx(2 / 3)
    assert "m: no answer in the data for 1 of 4 pairs, orders and samples." in document["notes"]

    done = [critiques[number] for number in (1, 2, 3)]
    lines = [matched(done[0], error="server_error: 500")]
    lines += [matched(record, judge_text((1, 1, 1), (2, 2, 0.5))) for record in done]
    second = write(tmp_path / "matches.jsonl", *lines, matched(done[1], "cut <RESULT_START>", status="format_error"))
    document = scored(second)
    (model,) = document["models"]
    assert (model["n_pairs"], model["n_answers"], model["judge_statuses"]) == (2, 3, {"ok": 2, "unclosed_block": 1})
    assert model["overall"]["rc"]["value"] == 0.75
    assert model["judges"] == [{"name": "openai:j@http://127.0.0.1/v1", "stand_in": None}]
    assert model["orders"]["order_consistency"] | {"value": 0, "n": 1} == model["orders"]["order_consistency"]
    out = invoke("score", second).stdout
    assert out.startswith("2 pairs in 3 records, 1 model, mode paper, judge: openai:j@http://127.0.0.1/v1\n")
    together = scored(second, first)
    assert together["models"][0]["overall"] == model["overall"]
    assert together["models"][0]["n_missing"] == 1


def test_order_consistency_and_position_bias_are_told(tmp_path):
    path = run_of(tmp_path / "x.jsonl")
    document = scored(path)
    orders = document["models"][0]["orders"]
    assert (orders["order_consistency"]["value"], orders["position_bias"]["value"]) == (0.75, 0.25)
    note = next(note for note in document["notes"] if "both orders" in note)
    assert note.startswith("m: of 4 pairs shown in both orders 4 have two verdicts: order consistency 0.750 [")
    assert "position bias +0.250 [" in note
    assert "order consistency 0.750" in " ".join(invoke("score", path).stdout.split())
    one = run_of(tmp_path / "y.jsonl", swaps=(False,))
    assert scored(one)["models"][0]["orders"] == {}
    assert "both orders" not in invoke("score", one).stdout


def test_a_shorter_list_that_was_judged_is_told(tmp_path):
    answer = judge_text((1, 1, 1), (2, 0, 0))
    rows = [
        matched(critiqued(pair(id=f"p{number}")), answer, top_k=top_k) for number, top_k in enumerate((1, 1, 5, None))
    ]
    document = scored(write(tmp_path / "x.jsonl", *rows))
    note = "m: lists that were cut before they were judged (match --top-k) and are scored at that length: 2 cut to 1."
    assert note in document["notes"]
    assert document["models"][0]["overall"]["precision"]["value"] == 0.75
    assert note not in scored(write(tmp_path / "x.jsonl", *rows[2:]))["notes"]


def test_a_local_judge_is_named_wherever_its_scores_appear(tmp_path):
    text = "Sentence embeddings stand in for a judge."
    path = run_of(tmp_path / "x.jsonl", "embedding:a/path", scores=[[1, 1, 0.5]], stand_in=text)
    done = invoke("score", path, "--csv", tmp_path / "o.csv", "--samples", tmp_path / "s.csv")
    assert done.exit_code == 0, done.output
    head, table, _ = done.stdout.partition("Overall")
    assert "judge: embedding:a/path (a stand-in)" in head
    assert (f"embedding:a/path: {text}" in head, done.stdout.count(text), table) == (True, 1, "Overall")
    document = scored(path)
    assert f"embedding:a/path: {text}" in document["notes"]
    assert document["models"][0]["judges"] == [{"name": "embedding:a/path", "stand_in": text}]
    assert document["models"][0]["overall"]["rc"]["value"] == 0.25
    for name, column in (("o.csv", "judge"), ("s.csv", "scored_by")):
        rows = list(csv.DictReader((tmp_path / name).read_text("utf-8").splitlines()))
        assert {row[column] for row in rows} == {"embedding:a/path (a stand-in)"}
    # scores that are not shown are not spoken of
    assert text not in invoke("score", path, "--judge", "none").stdout


def test_models_of_different_judges_are_not_compared_in_silence(tmp_path):
    paths = [
        run_of(tmp_path / "m.jsonl", "openai:j@http://127.0.0.1/v1"),
        run_of(tmp_path / "n.jsonl", "lexical", model="n", scores=[[1, 1, 1]], stand_in="Words alone."),
    ]
    done = invoke("score", *paths, "--json", tmp_path / "o.json", "--csv", tmp_path / "o.csv")
    assert "judge: openai:j@http://127.0.0.1/v1, lexical (a stand-in)" in done.stdout
    note = (
        "The models were scored by different judges, so their scores do not compare: "
        "m by openai:j@http://127.0.0.1/v1; n by lexical."
    )
    assert note in json.loads((tmp_path / "o.json").read_text())["notes"]
    judges = {row["model"]: row["judge"] for row in csv.DictReader((tmp_path / "o.csv").read_text().splitlines())}
    assert judges == {
        "m": "openai:j@http://127.0.0.1/v1",
        "n": "lexical (a stand-in)",
        "m minus n": "openai:j@http://127.0.0.1/v1, lexical (a stand-in)",
    }
    assert "different judges" not in invoke("score", paths[0]).stdout


def test_several_judges_of_one_model_are_told(tmp_path):
    rows = [matched(critiqued(pair(id=name)), judge_text((1, 1, 1), (2, 0, 0)), judge=name) for name in "ab"]
    notes = scored(write(tmp_path / "x.jsonl", *rows))["notes"]
    assert "m was scored by 2 judges: a, b." in notes


def test_samples_tell_the_orders_apart(tmp_path):
    done = invoke("score", run_of(tmp_path / "x.jsonl"), "--samples", "-")
    rows = list(csv.DictReader(io.StringIO(done.stdout)))
    assert [(row["id"], row["pair_id"], row["swapped"]) for row in rows[:2]] == [
        ("p0", "p0", "False"),
        ("p0#swapped", "p0", "True"),
    ]


def test_judge_none_gives_outcomes_alone(results):
    overall = scored(results, "--judge", "none")["models"][0]["overall"]
    assert overall["oa"]["value"] == 1
    assert (overall["rc"]["value"], overall["rc"]["unavailable"]) == (None, "no judge was asked for")


def test_without_labels_the_output_says_so(tmp_path):
    path = write(tmp_path / "x.jsonl", judged(label=None))
    out = " ".join(invoke("score", path).stdout.split())
    assert "outcome accuracy is unavailable" in out
    assert "overall_preference" in out
    figure = scored(path)["models"][0]["overall"]["oa"]
    assert (figure["value"], figure["unavailable"]) == (None, "no row has a human label")


def test_label_scale(tmp_path):
    path = write(tmp_path / "x.jsonl", judged(label=-2))
    refused = run("score", path, check=1)
    assert "--label-scale (in recipes data.label_scale" in refused.stderr.decode()
    assert scored(path, "--label-scale", "helpsteer3")["models"][0]["overall"]["oa"]["value"] == 1
    assert scored(path, "--label-scale", "verdict")["models"][0]["overall"]["oa"]["value"] == 0


def test_exact_threshold_and_top_k_reach_the_figures(tmp_path):
    path = write(tmp_path / "x.jsonl", judged(label="A>>B", score=0.25))
    default = scored(path)["models"][0]["overall"]
    assert (default["oa"]["value"], default["ap"]["value"]) == (1, 0.5)
    changed = scored(path, "--exact", "--threshold", 0.3)["models"][0]["overall"]
    assert (changed["oa"]["value"], changed["ap"]["value"]) == (0, 0)
    path = write(tmp_path / "y.jsonl", judged(text=judge_text((1, 2, 1), (2, 0, 0))))
    assert scored(path, "--top-k", 1)["models"][0]["overall"]["rc"]["value"] == 0
    assert scored(path, "--top-k", 0)["models"][0]["overall"]["rc"]["value"] == 0.5


def test_failed_judge_answers_are_counted(tmp_path):
    path = write(tmp_path / "x.jsonl", judged(0), judged(1, text="nothing"), judged(2))
    done = invoke("score", path)
    assert "no usable judge answer: no_block 1" in done.stdout
    assert "2/3" in done.stdout


def test_quiet_prints_the_number_of_bad_lines_alone(results, tmp_path):
    with results.open("a") as stream:
        stream.write("{\n")
    done = run("score", results, "-q", "--json", tmp_path / "o.json", check=0)
    assert (done.stdout, done.stderr) == (b"", b"warning: 1 of 9 lines was left out\n")
    assert (tmp_path / "o.json").exists()
    done = run("parse", results, "-q", check=0)
    assert (done.stdout, done.stderr) == (b"", b"warning: 1 of 9 lines was left out\n")
    assert run("score", write(results, judged()), "-q", check=0).stderr == b""


def test_one_is_no_plural(tmp_path):
    path = write(tmp_path / "x.jsonl", judged())
    assert invoke("score", path).stdout.startswith("1 pair, 1 model, mode")
    write(path, judged(0), judged(1), judged(1, model="n"))
    assert invoke("score", path).stdout.startswith("2 pairs, 2 models, mode")
    assert "none of 1 line is a pair" in invoke("score", write(path, "{")).stderr


def test_a_missing_library_is_exit_1_and_names_the_extra(tmp_path):
    path = tmp_path / "x.parquet"
    path.write_bytes(b"PAR1 and so on")
    block = "import sys; sys.modules['pyarrow'] = None; from rationale_rm.cli.main import main; main()"
    done = subprocess.run([sys.executable, "-c", block, "score", str(path)], capture_output=True, text=True)
    assert done.returncode == 1
    assert 'pip install "rationale-rm[io]"' in done.stderr


# parse.


def test_parse_counts_statuses_with_examples(tmp_path):
    rows = [
        pair(id="1", **{"m-generated_text": transcript("A>B"), "n-generated_text": "<think>on and on"}),
        pair(id="2", **{"m-generated_text": "é <RESULT_START> half"}),
        judged(3),
        judged(4, text=judge_text((1, 9, 1), (2, 0, 0))),
        "{",
    ]
    path = write(tmp_path / "x.jsonl", *rows)
    done = run("parse", path, "--json", tmp_path / "o.json", "--csv", tmp_path / "o.csv", check=0)
    out = done.stdout.decode()
    assert f"unclosed_reasoning: {path}:1 n-generated_text\n    <think>on and on\n" in out
    assert f"unclosed_block: {path}:2 m-generated_text byte 3" in out
    assert f"reason_out_of_range: {path}:4 samples.0.generated_text" in out
    assert "1 of 5 lines was left out" in done.stderr.decode()
    document = json.loads((tmp_path / "o.json").read_text())
    assert document["kinds"]["genrm"]["statuses"] == {"ok": 1, "unclosed_block": 1, "unclosed_reasoning": 1}
    assert document["kinds"]["metajudge"]["statuses"] == {"ok": 1, "reason_out_of_range": 1}
    read = [row for row in document["rows"] if row["status"] == "ok"]
    assert (read[0]["verdict"], read[0]["reasons"]) == (1, ["It sorts.", "It is short."])
    assert read[1]["scores"][0] == {"reference": 1, "reason": 1, "score": 0.75}
    table = list(csv.DictReader((tmp_path / "o.csv").read_text().splitlines()))
    assert [row["status"] for row in table] == [row["status"] for row in document["rows"]]
    assert [row["n_items"] for row in table if row["status"] == "ok"] == ["2", "2"]


def test_parse_a_field_below_lists(tmp_path):
    games = [{"judgment": {"response": "[[A>B]] no, [[B>A]]"}}, {"judgment": {"response": "[[A>>B]]"}}]
    path = write(tmp_path / "x.jsonl", {"pair_id": "1", "judgments": games})
    options = ("--field", "judgments.*.judgment.response")
    document = json.loads(invoke("parse", path, *options, "--json", "-").stdout)
    assert [row["verdict"] for row in document["rows"]] == [-1, 2]
    assert [row["field"] for row in document["rows"]] == [f"judgments.{n}.judgment.response" for n in (0, 1)]
    document = json.loads(invoke("parse", path, *options, "--policy", "unanimous", "--json", "-").stdout)
    assert [row["status"] for row in document["rows"]] == ["conflict", "ok"]


def test_parse_claims(tmp_path):
    lines = ("Claim count: 1", "C1: It never closes the file.", "Ignored statements:", "- nice | reason: vague")
    text = "\n".join(("<RESULT_START>", *lines, "<RESULT_END>"))
    path = write(tmp_path / "x.jsonl", {"output": text}, {"output": text.replace("count: 1", "count: 2")})
    document = json.loads(invoke("parse", path, "--kind", "claims", "--json", "-").stdout)
    assert document["kinds"]["claims"]["statuses"] == {"ok": 1, "count_mismatch": 1}
    assert document["rows"][0]["claims"] == ["It never closes the file."]
    assert document["rows"][0]["ignored"] == [["nice", "vague"]]


def test_parse_a_text_file(tmp_path):
    path = tmp_path / "transcript.txt"
    path.write_text(transcript("B>>A"), "utf-8")
    document = json.loads(invoke("parse", path, "--json", "-").stdout)
    assert [row["verdict"] for row in document["rows"]] == [-2]


def test_parse_takes_no_human_text_for_a_transcript(tmp_path):
    path = write(tmp_path / "x.jsonl", pair(**{"m-generated_text": transcript(), "human-generated_text": "B, I say."}))
    document = json.loads(invoke("parse", path, "--json", "-").stdout)
    assert [row["field"] for row in document["rows"]] == ["m-generated_text"]


def test_parse_says_where_it_looked(tmp_path):
    path = write(tmp_path / "x.jsonl", {"body": "x", "n": 1})
    done = invoke("parse", path)
    assert done.exit_code == 1
    assert "say where with --field (the record holds body, n)" in done.stderr
    assert "no text at there" in invoke("parse", path, "--field", "there").stderr


def test_parse_agrees_with_score_about_failures(tmp_path):
    path = write(tmp_path / "x.jsonl", judged(0), judged(1, text="nothing"), judged(2, text=judge_text((1, 1, 2))))
    statuses = json.loads(invoke("parse", path, "--json", "-").stdout)["kinds"]["metajudge"]["statuses"]
    assert statuses == scored(path)["models"][0]["judge_statuses"]


# Hostile text.


def hostile_rows():
    model = f"m{HOSTILE}"
    record = pair(
        **{
            "id": "x",
            "domain": "d\x1b[2J[bold]",
            f"{model}-generated_text": f"{HOSTILE} <RESULT_START>",
        }
    )
    other = pair(**{"id": "y", "domain": "code", f"{model}-generated_text": transcript("A>B", [HOSTILE])})
    return [result(record, HOSTILE), result(other, judge_text((1, 1, 1), (2, 0, 0))), {HOSTILE: 1}]


@pytest.mark.parametrize("command", [["score"], ["score", "--judge", "lexical"], ["parse"]])
def test_text_from_the_data_cannot_drive_the_terminal(tmp_path, command):
    path = write(tmp_path / "x.jsonl", *hostile_rows())
    done = run(*command, path, "--csv", tmp_path / "o.csv", check=0)
    for shown in (done.stdout, done.stderr, (tmp_path / "o.csv").read_bytes()):
        text = shown.decode("utf-8")
        assert not [c for c in text if c != "\n" and not output._visible(c)]
    everything = done.stdout.decode() + done.stderr.decode()
    assert "[red]" in everything.replace("\n", "")  # markup is shown, not obeyed


def test_safe_text():
    assert output.safe("a\x1b[31m\u202eb\n\ud800 é ≫ 好") == "a\\x1b[31m\\u202eb\\n\\ud800 é ≫ 好"
    assert output.safe("x" * 50, 10) == "x" * 9 + "…"


def test_no_csv_cell_is_a_formula(tmp_path):
    rows = [judged(n, model="=1+2") | {} for n in range(2)]
    assert invoke("score", write(tmp_path / "x.jsonl", *rows), "--csv", tmp_path / "o.csv").exit_code == 0
    models = {row["model"] for row in csv.DictReader((tmp_path / "o.csv").read_text().splitlines())}
    assert models == {"'=1+2"}


def test_a_terminal_without_unicode(results):
    with results.open("a") as stream:
        stream.write(json.dumps(judged(9, model="≫ 好")) + "\n")
    done = run("score", results, check=0, env={"PYTHONIOENCODING": "ascii", "LC_ALL": "C"})
    assert b"\\u226b" in done.stdout


# Files and pipes.


def test_a_reader_that_goes_away(results):
    """As in `rationale-rm parse … | head -1`, with more output than a pipe holds."""
    many = write(results.parent / "many.jsonl", *(judged(n) for n in range(3000)))
    process = subprocess.Popen(
        [sys.executable, "-m", "rationale_rm.cli", "parse", str(many), "--json", "-"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    process.stdout.readline()
    process.stdout.close()
    err = process.stderr.read()
    process.stderr.close()
    assert (process.wait(timeout=60), err) == (0, b"")


@pytest.mark.parametrize(
    ("command", "redirect", "code", "error"),
    [
        ("score RESULTS", ">&-", 1, "cannot write to standard output"),
        ("parse RESULTS --json -", ">/dev/full", 1, "cannot write to standard output: No space left"),
        ("score RESULTS --json /dev/full", "", 1, "cannot write /dev/full: No space left"),
        ("score RESULTS --csv OUT -q", ">&-", 0, ""),
        ("--version", ">/dev/full", 1, "No space left"),
        ("score --help", ">/dev/full", 1, "No space left"),
        ("score --help", ">&-", 1, "error: "),
        ("score -", "<&-", 1, "error: cannot read "),
        ("parse -", "<&-", 1, "error: cannot read "),
        ("score RESULTS", "2>&-", 0, ""),
        ("score BAD", "2>&-", 0, ""),
        ("score BAD", "2>/dev/full", 0, ""),
        ("score gone", "2>&-", 2, ""),
        ("score gone", "<&- >&- 2>&-", 2, ""),
        ("score BAD --json OUT", "<&- >&- 2>&-", 1, ""),
    ],
)
def test_streams_that_are_closed_or_full(results, tmp_path, command, redirect, code, error):
    bad, out = tmp_path / "bad.jsonl", tmp_path / "out"
    bad.write_text(results.read_text() + "{\n")
    for name, path in (("RESULTS", results), ("BAD", bad), ("OUT", out)):
        command = command.replace(name, str(path))
    line = f"exec {sys.executable} -X dev -m rationale_rm.cli {command} {redirect}"
    done = subprocess.run(["sh", "-c", line], capture_output=True, text=True)
    assert done.returncode == code
    assert len(done.stderr.splitlines()) == bool(error), done.stderr
    assert error in done.stderr
    assert not out.exists() or out.read_text().strip()


def test_ctrl_c_is_exit_130():
    process = subprocess.Popen(
        [sys.executable, "-m", "rationale_rm.cli", "score", "-"],
        stdin=subprocess.PIPE,
        stderr=subprocess.PIPE,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    process.stdin.write(b"\n" * (1 << 20))  # more than a pipe holds, so that it has begun to read
    process.stdin.flush()
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (130, b"interrupted\n")


def test_files_are_replaced_in_one_step(results, tmp_path, monkeypatch):
    target = tmp_path / "o.json"
    target.write_text("old")

    def fail(source, destination):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", fail)
    done = invoke("score", results, "--json", target)
    assert done.exit_code == 1
    assert "No space left" in done.stderr
    assert target.read_text() == "old"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["o.json", "results.jsonl"]


def test_a_device_is_written_and_not_replaced(results):
    run("score", results, "-q", "--json", "/dev/null", check=0)
    assert not os.path.isfile("/dev/null")


def test_a_link_is_kept(results, tmp_path):
    (tmp_path / "real.json").write_text("{}")
    (tmp_path / "link.json").symlink_to(tmp_path / "real.json")
    assert invoke("score", results, "--json", tmp_path / "link.json").exit_code == 0
    assert (tmp_path / "link.json").is_symlink()
    assert json.loads((tmp_path / "real.json").read_text())["command"] == "score"


def test_progress_waits_two_seconds_off_a_terminal(monkeypatch):
    clock = iter([100.0, 101.9, 102.1, 103.0, 107.2])
    monkeypatch.setattr(output.time, "monotonic", lambda: next(clock))
    monkeypatch.setattr(sys, "stderr", shown := io.StringIO())
    progress = output.Progress(quiet=False)
    for number in range(4):
        progress.update(f"line {number}")
    assert shown.getvalue() == "line 1\nline 3\n"


def test_progress_is_quiet_when_asked(monkeypatch):
    clock = iter([100.0, 500.0])
    monkeypatch.setattr(output.time, "monotonic", lambda: next(clock))
    monkeypatch.setattr(sys, "stderr", shown := io.StringIO())
    output.Progress(quiet=True).update("line")
    assert shown.getvalue() == ""


def test_samples_hold_every_row_and_their_means_are_the_figures():
    demo = Path(__file__).parents[1] / "examples" / "demo"
    files = [demo / f"metajudge-{model}.jsonl" for model in ("careful", "shallow")]
    done = invoke("score", *files, "--samples", "-")
    assert done.exit_code == 0, done.output
    rows = list(csv.DictReader(io.StringIO(done.stdout)))
    assert len(rows) == 60
    document = json.loads(invoke("score", *files, "--json", "-").stdout)
    for model in document["models"]:
        mine = [row for row in rows if row["model"] == model["model"]]
        assert sum(row["judge_status"] != "ok" for row in mine) == 30 - model["overall"]["rc"]["n"]
        for metric, figure in model["overall"].items():
            values = [float(row[metric]) for row in mine if row[metric]]
            assert len(values) == figure["n"]
            assert sum(values) / len(values) == pytest.approx(figure["value"])
