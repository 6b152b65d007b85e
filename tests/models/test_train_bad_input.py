"""What cannot be trained on is said before the first step, and nothing is left or overwritten."""

import errno
import json
import os
import shutil
import signal
from pathlib import Path

import pytest
import transformers
from rationale_rm import RationaleError
from rationale_rm.engine import EngineError
from rationale_rm.rollout import HfRollouts
from rationale_rm.train import checkpoint
from rationale_rm.train.loop import TrainingError, train
from rationale_rm.train.tracking import read_metrics
from training import one_thread, recipe, recipe_from

THREE = {"rollout": {"prompts": 3}, "optimiser": {"mini_batch": 3}}


@pytest.fixture(autouse=True)
def _one_thread():
    with one_thread():
        yield


def line(number, **changes):
    return {
        "id": f"p{number}",
        "domain": "general",
        "context": [{"role": "user", "content": f"Plan trip {number}."}],
        "response1": f"It is short, day {number}.",
        "response2": "It is long.",
        "human-checklist": ["Response 2 ignores the days."],
        "label": "A>B",
        **changes,
    }


def write(path, lines):
    path.write_text("".join(json.dumps(one) + "\n" for one in lines), "utf-8")
    return str(path)


def on_files(started, tmp_path, lines, **sections):
    """A recipe that trains on these lines."""
    data = {"world": None, "train": [write(tmp_path / "train.jsonl", lines)]}
    sections = {"reward": {"judge": "lexical"}, **sections}
    sections["data"] = {**data, **sections.get("data", {})}
    return recipe_from(started, tmp_path / "run", train={"steps": 1}, **sections)


def refused(settings, *said):
    """Training ends with a message that holds all of `said`, and leaves no folder."""
    with pytest.raises((RationaleError, OSError)) as raised:
        train(settings)
    for text in said:
        assert text in str(raised.value)
    assert not getattr(raised.value, "started", False)
    assert not Path(settings.output.folder).exists()
    return str(raised.value)


def test_a_model_without_a_chat_template(started, tmp_path):
    model = tmp_path / "model"
    shutil.copytree(started, model)
    (model / "chat_template.jinja").unlink()
    refused(recipe_from(model, tmp_path / "run"), "has no chat template", "chat_template.jinja")


def test_a_model_that_is_not_there(tmp_path):
    message = refused(recipe_from(tmp_path / "nothing", tmp_path / "run"))
    assert str(tmp_path / "nothing") in message


def test_a_model_that_is_too_short(started, tmp_path):
    settings = recipe_from(started, tmp_path / "run", rollout={"max_tokens": 4000})
    refused(settings, "4320 tokens together", "was made for 368")


def test_logits_that_are_no_projection(started, tmp_path):
    """Gemma 2 caps its logits: log-probabilities computed from the projection would be wrong."""
    tokenizer = transformers.AutoTokenizer.from_pretrained(started)
    config = transformers.Gemma2Config(
        vocab_size=len(tokenizer),
        hidden_size=32,
        intermediate_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        num_key_value_heads=2,
        head_dim=16,
        max_position_embeddings=400,
    )
    model = transformers.Gemma2ForCausalLM(config)
    model.save_pretrained(tmp_path / "model")
    tokenizer.save_pretrained(tmp_path / "model")
    refused(recipe_from(tmp_path / "model", tmp_path / "run"), "Gemma2ForCausalLM", "capped")


def test_data_that_are_not_there(started, tmp_path):
    refused(on_files(started, tmp_path, [], data={"train": [str(tmp_path / "no.jsonl")]}), "no.jsonl")


def test_data_without_labels(started, tmp_path):
    lines = [{key: value for key, value in line(n).items() if key != "label"} for n in range(3)]
    refused(on_files(started, tmp_path, lines), "no training pair has a label", "data.train")


def test_data_without_human_reasons(started, tmp_path):
    lines = [line(n, **{"human-checklist": []}) for n in range(3)]
    refused(on_files(started, tmp_path, lines), "data.train", "3 of 3 lines", "train.jsonl:1", "human-checklist")


def test_data_with_ties_alone(started, tmp_path):
    lines = [line(n, label="A=B") for n in range(3)]
    refused(on_files(started, tmp_path, lines), "no training pair is left", "3 training pairs have a tied label")


def test_prompts_that_are_all_too_long(started, tmp_path):
    lines = [line(n, response1="It is long. " * 200) for n in range(3)]
    refused(on_files(started, tmp_path, lines), "no train pair is left", "p2", "prompt.max_tokens is 320")


def test_a_judge_that_cannot_be_had(started, tmp_path):
    settings = on_files(started, tmp_path, [line(0)], reward={"judge": f"embedding:{tmp_path / 'no-model'}"})
    message = refused(settings)
    assert "no-model" in message


def test_a_folder_with_other_files(started, tmp_path):
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / "thesis.txt").write_text("dear")
    with pytest.raises(TrainingError, match="holds files that are no run"):
        train(recipe_from(started, folder))
    assert [path.name for path in folder.iterdir()] == ["thesis.txt"]


def test_what_is_left_out_is_said_and_the_rest_is_trained_on(started, tmp_path, capsys):
    lines = [line(n) for n in range(4)]
    lines += [line(4, response1="It is long. " * 200), line(5, label="A=B"), line(6, **{"human-checklist": []})]
    held = write(tmp_path / "held.jsonl", [line(0)])
    settings = on_files(started, tmp_path, lines, data={"validation": [held]}, output={"progress": True}, **THREE)
    train(settings)
    said = capsys.readouterr().err
    assert "1 of 7 lines cannot be used" in said
    assert "train.jsonl:7" in said
    assert "1 training pairs are validated or tested on" in said
    assert "1 training pairs have a tied label" in said
    assert "train: 1 of 4 pairs are left out: p4: the prompt has" in said
    (record,) = read_metrics(tmp_path / "run", "grpo")
    assert record["answers"]["all"] == 3 * 4
    assert record["epoch"] == 1.0


def test_a_start_that_failed_does_not_stand_in_the_way(started, tmp_path):
    settings = on_files(started, tmp_path, [line(0)])
    broken = on_files(started, tmp_path, [line(0)], prompt={"max_tokens": 5})
    with pytest.raises(RationaleError):
        train(broken)
    train(settings)
    assert len(read_metrics(tmp_path / "run", "grpo")) == 1


def test_an_empty_folder_stays_empty_where_a_run_cannot_begin(started, tmp_path):
    (tmp_path / "run").mkdir()
    with pytest.raises(RationaleError, match=r"prompt\.max_tokens is 5"):
        train(on_files(started, tmp_path, [line(0)], prompt={"max_tokens": 5}))
    assert list((tmp_path / "run").iterdir()) == []


def test_a_recipe_that_lies_in_the_folder_of_its_run_is_not_written_over(started, tmp_path):
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / "recipe.yaml").write_text("# my notes\nextends: tiny-cpu\n", "utf-8")
    with pytest.raises(TrainingError, match="holds files that are no run"):
        train(recipe_from(started, folder))
    assert (folder / "recipe.yaml").read_text("utf-8").startswith("# my notes")


@pytest.mark.parametrize("there", ["nothing", "above", "folder"])
def test_what_fails_before_the_first_step_leaves_nothing(started, tmp_path, monkeypatch, there):
    """Also after the folder was made; the next try is a first one."""

    def sample(self, *_, **options):
        raise EngineError("no sampler")

    folder = tmp_path / "runs" / "run"
    for path in {"nothing": (), "above": (folder.parent,), "folder": (folder.parent, folder)}[there]:
        path.mkdir()
    before = list(tmp_path.rglob("*"))
    settings = recipe_from(started, folder, train={"steps": 1}, output={"save_every": 1})
    with monkeypatch.context() as patched:
        patched.setattr(HfRollouts, "sample", sample)
        with pytest.raises(EngineError, match="no sampler") as raised:
            train(settings)
    assert not raised.value.started
    assert list(tmp_path.rglob("*")) == before
    train(settings)


def test_a_disk_that_is_full_is_said_to_be_and_the_last_checkpoint_stays(started, tmp_path, monkeypatch):
    real, folder = checkpoint._save_tensors, tmp_path / "run"

    def save(path, tensors):
        if "step-000002" in str(path):
            path.write_bytes(b"half of it")
            raise OSError(errno.ENOSPC, "No space left on device")
        real(path, tensors)

    monkeypatch.setattr(checkpoint, "_save_tensors", save)
    with pytest.raises(RationaleError, match=r"step-000002 cannot be written: .*No space left on device") as raised:
        train(recipe_from(started, folder, output={"save_every": 1}))
    assert raised.value.started
    assert {path.name for path in (folder / "checkpoints").iterdir()} >= {"last", "step-000001"}
    assert not any("000002" in path.name for path in (folder / "checkpoints").iterdir())


def test_weights_that_are_damaged(started, tmp_path):
    model = tmp_path / "model"
    shutil.copytree(started, model)
    (model / "model.safetensors").write_bytes(b"junk")
    refused(recipe_from(model, tmp_path / "run"), f"cannot read the model {model}")


def test_a_run_does_not_go_on_with_other_pairs(started, tmp_path):
    """In which the place that it had reached is another one."""
    folder = tmp_path / "run"
    train(on_files(started, tmp_path, [line(0), line(1)], output={"save_every": 1}))
    kept = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    for changed in ([line(0)], [line(1), line(0)], [line(0), line(1, label="B>A")]):
        with pytest.raises(TrainingError, match=r"made with other pairs than the recipe names now.*model\.path="):
            train(on_files(started, tmp_path, changed, output={"save_every": 1}), resume=True)
    assert kept == {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    train(on_files(started, tmp_path, [line(0), line(1)], output={"save_every": 1}), resume=True)


def test_a_tokenizer_whose_answers_never_end(started, tmp_path):
    model = tmp_path / "model"
    shutil.copytree(started, model)
    settings = json.loads((model / "tokenizer_config.json").read_text("utf-8"))
    (model / "tokenizer_config.json").write_text(json.dumps({**settings, "eos_token": None}), "utf-8")
    refused(recipe_from(model, tmp_path / "run"), "names no token that ends an answer")


def test_a_tracker_that_is_not_installed(started, tmp_path):
    refused(recipe_from(started, tmp_path / "run", output={"trackers": ["wandb"]}), "pip install wandb")


def test_a_launch_that_would_scale_the_gradients(started, tmp_path, monkeypatch):
    monkeypatch.setenv("ACCELERATE_GRADIENT_ACCUMULATION_STEPS", "4")
    refused(recipe_from(started, tmp_path / "run"), "4 gradient_accumulation_steps: set it to 1")


def test_what_fails_in_the_middle_says_that_steps_were_done(started, tmp_path, monkeypatch):
    real, calls = HfRollouts.sync, []

    def sync(self, model):
        calls.append(1)
        if len(calls) == 3:
            raise EngineError("the sampler is gone")
        return real(self, model)

    monkeypatch.setattr(HfRollouts, "sync", sync)
    with pytest.raises(EngineError) as raised:
        train(recipe_from(started, tmp_path / "run"))
    assert raised.value.started
    assert [one["step"] for one in read_metrics(tmp_path / "run", "grpo")] == [1, 2]


def test_two_runs_in_one_folder(started, tmp_path, trainings):
    """A second process is refused while the first one trains, with --resume too."""
    folder = tmp_path / "run"
    trainings.start(recipe_from(started, folder, train={"steps": 400}))
    while not (folder / "metrics.jsonl").exists() or not read_metrics(folder):
        pass
    with pytest.raises(TrainingError, match="another process trains in"):
        train(recipe_from(started, folder, train={"steps": 400}), resume=True)
    (pid,) = [json.loads((folder / "run.json").read_text())["pid"]]
    os.kill(pid, signal.SIGTERM)
    assert trainings.wait() == 0, trainings.log()


def test_a_warm_start_from_files_learns_the_answers_of_one_model(tmp_path, started):
    """Transcripts are learnt as they are, and the reasons and verdict of a record in the form of an answer."""
    reasons = ["Response B ignores the days."]
    lines = [
        line(n, **{"critic-checklist": reasons, "critic-label": "A>B", "other-checklist": ["x"], "other-label": "B>A"})
        for n in range(4)
    ]
    answers = write(tmp_path / "answers.jsonl", lines)
    warm = {"steps": 60, "batch_size": 4, "lr": 0.02, "data": [answers]}
    sections = {
        "data": {"world": None, "train": [answers]},
        "reward": {"judge": "lexical", "mode": "product"},
        "prompt": {"order": "given"},
        "train": {"steps": 1},
        "evaluation": {"every": None},
        "rollout": {"temperature": 0.5},
    }
    with pytest.raises(RationaleError, match=r"answers of critic, other: name one in warm_start\.answers_of"):
        train(recipe(tmp_path / "unnamed", warm_start=warm, **sections))
    assert not (tmp_path / "unnamed").exists()
    train(recipe(tmp_path / "run", warm_start={**warm, "answers_of": "critic"}, **sections))
    (record,) = read_metrics(tmp_path / "run", "grpo")
    assert record["format_errors"] < 0.3
    assert record["outcome"] > 0.6


def test_a_warm_start_keeps_away_from_what_is_held_out_and_from_what_is_too_long(started, tmp_path, capsys):
    said = {"critic-checklist": ["Response B ignores the days."], "critic-label": "A>B"}
    lines = [line(n, **said) for n in range(4)]
    answers = write(tmp_path / "answers.jsonl", [*lines, line(4, response1="It is long. " * 200, **said)])
    held = write(tmp_path / "held.jsonl", [line(0)])
    settings = recipe(
        tmp_path / "run",
        data={"world": None, "train": [write(tmp_path / "train.jsonl", lines)], "validation": [held]},
        warm_start={"steps": 2, "batch_size": 4, "warmup_steps": 0, "data": [answers]},
        reward={"judge": "lexical"},
        train={"steps": 1},
        evaluation={"every": None},
        output={"progress": True},
        **THREE,
    )
    train(settings)
    shown = capsys.readouterr().err
    assert "1 demonstrations are of pairs that are validated or tested on" in shown
    assert "demonstrations: 1 of 4 are left out: p4: the prompt has" in shown
