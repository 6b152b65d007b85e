"""What the examples share: runs as processes, what they leave, and the arithmetic of the experiment."""

import json
import math
import shutil

import degeneration
import pytest
import train_demo
import training_jobs
from rationale_rm.train.recipe import read_recipe
from training_jobs import Job, run_all, value


def wrote(folder, *records, unfinished=""):
    folder.mkdir(parents=True, exist_ok=True)
    text = "".join(json.dumps(record) + "\n" for record in records)
    (folder / "metrics.jsonl").write_text(text + unfinished, "utf-8")
    return folder


def evaluation(step, split="test", **figures):
    named = {key: {"value": number, "low": number, "high": number} for key, number in figures.items()}
    return {"phase": "evaluation", "split": split, "step": step, "n_pairs": 1000, **named}


def test_a_job_reads_what_its_run_left(tmp_path):
    job = Job("tiny-cpu", tmp_path / "run")
    assert (job.name, job.records(), job.finished(), job.seconds()) == ("run", [], False, 0)
    wrote(job.folder, evaluation(0), {"phase": "grpo", "step": 1}, evaluation(1, "validation"))
    assert not job.finished()
    assert [one["step"] for one in job.evaluations()] == [0]
    assert [one["step"] for one in job.evaluations("validation")] == [1]
    wrote(job.folder, evaluation(0), evaluation(1))
    assert job.finished()
    job.folder.with_suffix(".seconds").write_text("4.0\n1.5\n", "utf-8")
    assert job.seconds() == 5.5


def test_a_record_that_is_being_written_is_left_out(tmp_path):
    """Also where what is there of it ends like a whole one."""
    job = Job(
        "tiny-cpu", wrote(tmp_path / "run", evaluation(0), unfinished='{"phase": "evaluation", "oa": {"value": 1}')
    )
    assert [one["step"] for one in job.records()] == [0]


def test_a_finished_run_is_not_done_again(tmp_path):
    job = Job("no-such-recipe.yaml", wrote(tmp_path / "run", evaluation(0), evaluation(3)))
    run_all([job], 1)
    assert not job.folder.with_suffix(".log").exists()


@pytest.fixture
def quick(monkeypatch):
    monkeypatch.setattr(training_jobs, "_POLL", 0.05)
    monkeypatch.setattr(training_jobs.signal, "signal", lambda *_: None)  # pytest's own stays


@pytest.mark.usefixtures("quick")
def test_a_run_that_fails_ends_all_and_says_why(tmp_path):
    """The one that waits for what the other would have left does not wait for ever."""
    fails = Job("no-such-recipe.yaml", tmp_path / "fails")
    waits = Job("no-such-recipe.yaml", tmp_path / "waits", after=fails.folder / "start")
    with pytest.raises(SystemExit, match=r"fails failed \([12]\), see .*fails\.log:\n.*no-such-recipe"):
        run_all([fails, waits], 2)
    assert not waits.folder.with_suffix(".log").exists()


@pytest.mark.usefixtures("quick")
def test_what_runs_beside_a_failure_is_told_to_stop(tmp_path, monkeypatch):
    stub = tmp_path / "python"
    slow = 'trap "echo stopped; exit 0" TERM; touch "$6.begun"; while :; do sleep 0.1; done'
    failing = 'until [ -e "${6%fails}slow.begun" ]; do sleep 0.1; done; echo broken; exit 3'
    stub.write_text(f'#!/bin/sh\ncase "$6" in *slow) {slow};; *) {failing};; esac\n', "utf-8")
    stub.chmod(0o755)
    monkeypatch.setattr(training_jobs.sys, "executable", str(stub))
    jobs = [Job("recipe", tmp_path / "fails"), Job("recipe", tmp_path / "slow")]
    with pytest.raises(SystemExit, match=r"fails failed \(3\), see .*:\nbroken"):
        run_all(jobs, 2)
    assert (tmp_path / "slow.log").read_text("utf-8") == "stopped\n"


@pytest.mark.usefixtures("quick")
def test_a_run_that_ends_before_its_last_step_has_failed(tmp_path, monkeypatch):
    monkeypatch.setattr(training_jobs.sys, "executable", shutil.which("true"))
    with pytest.raises(SystemExit, match=r"run failed \(0\)"):
        run_all([Job("recipe", tmp_path / "run")], 1)


@pytest.mark.usefixtures("quick")
def test_overrides_come_out_of_the_command_as_they_went_in(tmp_path, monkeypatch):
    """Whatever YAML would make of them by itself."""
    odd = tmp_path / "a folder: with 1e3 #words, 'quotes' and more of them than fit into a line of eighty characters"
    overrides = {"model.scratch": None, "warm_start": None, "model.path": str(odd), "optimiser.lr": 1e-6, "seed": 3}
    overrides |= {"name": "null", "loss.clip_high": 0.3, "output.progress": False, "optimiser.betas": [0.9, 0.99]}
    stub = tmp_path / "python"
    stub.write_text('#!/bin/sh\nfor each in "$@"; do printf "%s\\0" "$each"; done\n')
    stub.chmod(0o755)
    monkeypatch.setattr(training_jobs.sys, "executable", str(stub))
    job = Job("tiny-cpu", odd / "run", overrides)
    with pytest.raises(SystemExit):  # it trains nothing
        run_all([job], 1)
    said = job.folder.with_suffix(".log").read_text("utf-8").split("\0")[:-1]
    assert said[:7] == ["-m", "rationale_rm", "train", "tiny-cpu", "--output", str(job.folder), "--resume"]
    settings = said[8::2]
    assert said[7::2] == ["--set"] * len(overrides)
    recipe = read_recipe("tiny-cpu", settings)
    found = {"model.scratch": recipe.model.scratch, "warm_start": recipe.warm_start, "model.path": recipe.model.path}
    found |= {"optimiser.lr": recipe.optimiser.lr, "seed": recipe.seed, "name": recipe.name}
    found |= {"loss.clip_high": recipe.loss.clip_high, "output.progress": recipe.output.progress}
    found["optimiser.betas"] = list(recipe.optimiser.betas)
    assert found == overrides


@pytest.mark.parametrize(
    ("figure", "number"), [({"value": 0.5}, 0.5), (0.25, 0.25), (1, 1.0), ({"value": None}, math.nan)]
)
def test_the_value_of_a_figure(figure, number):
    assert value(figure) == pytest.approx(number, nan_ok=True)
    assert math.isnan(value(None))


# The experiment.


def experiment(folder, seeds):
    """Runs whose figures tell where they are from: seed + the place of the mode / 10, + 1/100 after the last step."""
    found = {seed: degeneration.jobs_of(seed, folder) for seed in seeds}
    for seed, jobs in found.items():
        for place, job in enumerate(jobs.values()):
            figures = dict.fromkeys(degeneration.FIGURES.values(), seed + place / 10)
            last = dict.fromkeys(degeneration.FIGURES.values(), seed + place / 10 + 0.01)
            wrote(job.folder, evaluation(0, **figures), evaluation(40, "validation"), evaluation(160, **last))
            job.folder.with_suffix(".seconds").write_text(f"{place + 0.6}\n", "utf-8")
    return found


def test_the_runs_of_a_seed_are_recipes_and_share_a_start(tmp_path):
    jobs = degeneration.jobs_of(4, tmp_path)
    assert list(jobs) == ["start", "hybrid", "outcome_only", "rationale_only", "sum"]
    modes = []
    for name, job in jobs.items():
        assert job.name == f"{name}-4"
        settings = [f"{key}={json.dumps(one)}" for key, one in job.overrides.items()]
        recipe = read_recipe(job.recipe, settings)
        modes.append(recipe.reward.mode)
        assert (recipe.seed, recipe.data.world.seed) == (4, 4)
        if name == "start":
            assert (recipe.warm_start.steps, recipe.train.steps) == (700, 1)
        else:
            assert job.after == tmp_path / "start-4" / "start"
            assert (recipe.model.path, recipe.model.scratch, recipe.warm_start) == (str(job.after), None, None)
            assert (recipe.train.steps, recipe.evaluation.pairs, recipe.evaluation.test_pairs) == (160, 200, None)
    assert modes == ["product", "product", "outcome", "rationale", "sum"]


def test_the_table_is_the_first_and_last_test_figures_of_each_seed(tmp_path):
    found = degeneration.table(experiment(tmp_path, [1, 2]))
    assert list(found) == ["start", "hybrid", "outcome_only", "rationale_only", "sum"]
    assert all(list(figures) == list(degeneration.FIGURES) for figures in found.values())
    # The start is what the hybrid run had before its first step.
    assert {figure: found["start"][figure] for figure in ("oa", "rc")} == {"oa": [1.1, 2.1], "rc": [1.1, 2.1]}
    assert found["hybrid"]["rc_judge"] == [1.11, 2.11]
    assert found["sum"]["oa"] == [1.41, 2.41]


def test_a_difference_is_a_t_interval_over_seeds():
    gap = degeneration.difference([0.5, 0.7, 0.9], [0.4, 0.4, 0.4])
    # By hand: gaps .1, .3, .5; deviation .2; t(.975, 2) = 4.302653.
    half = 4.302653 * 0.2 / math.sqrt(3)
    assert gap == pytest.approx({"mean": 0.3, "low": 0.3 - half, "high": 0.3 + half}, abs=1e-6)
    one = degeneration.difference([0.5], [0.2])
    assert one["mean"] == pytest.approx(0.3)
    assert math.isnan(one["low"])
    assert math.isnan(one["high"])


@pytest.mark.parametrize("seeds", [["1"], ["1", "2"]])
def test_the_experiment_writes_what_finished_runs_say(tmp_path, monkeypatch, seeds, capsys):
    experiment(tmp_path / "runs", map(int, seeds))
    output = tmp_path / "found" / "degeneration.json"
    arguments = ["degeneration", "--seeds", *seeds, "--folder", str(tmp_path / "runs"), "--output", str(output)]
    monkeypatch.setattr("sys.argv", arguments)
    monkeypatch.setattr(training_jobs.signal, "signal", lambda *_: None)
    degeneration.main()
    record = json.loads(output.read_text("utf-8"), parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))
    gap = record["differences"]["rc: hybrid - outcome_only"]
    assert gap["mean"] == pytest.approx(-0.1)
    assert (gap["low"] is None) == (len(seeds) == 1)
    assert record["settings"]["seeds"] == [int(seed) for seed in seeds]
    assert record["settings"]["test_pairs"] == [1000] * len(seeds)
    assert record["settings"]["recipe"]["train"]["steps"] == 160
    assert record["seconds"]["sum-1"] == 5
    assert record["expected"]["OA, hybrid, is at most 0.03 below outcome-only"] is False
    assert record["expected"]["RC does not rise under the outcome reward"] is False
    said = capsys.readouterr().out
    assert "rc: hybrid - outcome_only    -0.100" in said
    assert "FAILS: OA, hybrid, is at most 0.03 below outcome-only" in said


def test_what_was_to_be_shown_is_held_against_what_came_out():
    """At each bound, and just past it."""
    names = {
        "rc: hybrid - outcome_only": 0.15,
        "rc: hybrid - start": 0.15,
        "rc: outcome_only - start": 0.0,
        "oa: hybrid - outcome_only": -0.03,
        "oa: hybrid - start": 0.0,
    }
    gaps = {name: {"mean": mean, "low": 0.01, "high": 1.0} for name, mean in names.items()}
    assert all(degeneration.expected(gaps).values())
    gaps["rc: hybrid - outcome_only"]["low"] = 0.0
    for name, mean in names.items():
        gaps[name]["mean"] = mean + (0.001 if name == "rc: outcome_only - start" else -0.001)
    assert not any(degeneration.expected(gaps).values())
    assert (
        degeneration.expected({**gaps, "rc: hybrid - outcome_only": {"mean": 0.2, "low": math.nan, "high": math.nan}})[
            "its 95% interval is above 0"
        ]
        is False
    )


# The demo.


def test_the_curves_of_a_run(tmp_path):
    steps = [
        {
            "phase": "grpo",
            "step": step,
            "outcome": step / 10,
            "tokens": {"mean": 10.0 * step},
            "seconds": {"total": 1.0},
        }
        for step in (1, 2, 3)
    ]
    figures = {"oa": 0.5, "rc": None, "rc_by_reward_judge": 0.25}
    held_out = [evaluation(step, "validation", **figures) for step in (0, 3)]
    folder = wrote(tmp_path / "run", {"phase": "warm_start", "step": 1}, evaluation(0, **figures), *held_out, *steps)
    curves = train_demo._curves(Job("tiny-cpu", folder))
    assert curves["evaluated"] == [0, 3]
    assert curves["oa"] == [0.5, 0.5]
    assert all(map(math.isnan, curves["rc"]))
    assert (curves["step"], curves["outcome"]) == ([1, 2, 3], [0.1, 0.2, 0.3])
    assert curves["answer_tokens"] == [10.0, 20.0, 30.0]


def test_a_point_of_a_curve_is_the_mean_of_the_steps_up_to_it(monkeypatch):
    monkeypatch.setattr(train_demo, "SMOOTHED", 3)
    assert train_demo._smooth([3.0, 6.0, 9.0, 0.0, 0.0]) == [3.0, 4.5, 6.0, 5.0, 3.0]
    assert train_demo._smooth([]) == []
