"""DeepSpeed ZeRO-3: what it is refused for, and the check before an update. Its steps: test_train_processes.py."""

import copy
import sys

import pytest
from accelerate import DeepSpeedPlugin
from rationale_rm.extras import MissingExtraError
from rationale_rm.train.loop import TrainingError, train
from rationale_rm.train.tracking import read_metrics
from safetensors.torch import load_file
from training import recipe_from


@pytest.mark.parametrize("fault", ["loss", "gradient"])
def test_what_is_not_finite_stops_all_processes_before_the_update(started, trainings, tmp_path, fault):
    folder = tmp_path / "run"
    output = {"save_every": 1, "samples_every": None}
    settings = recipe_from(started, folder, train={"steps": 3}, output=output, loss={"beta": 0.01})
    trainings.start_several(settings, 2, sharded="zero3", fault=fault)
    assert trainings.wait() == 1, trainings.log()
    assert f"the {fault} is nan: stopped before the update" in trainings.log()
    assert [record["step"] for record in read_metrics(folder)] == [1]
    last = folder / "checkpoints" / "last"
    assert last.resolve().name == "step-000001"
    assert all(weight.isfinite().all() for weight in load_file(last / "model" / "model.safetensors").values())


def test_deepspeed_that_is_not_installed_is_named_with_its_remedy(started, tmp_path, monkeypatch):
    monkeypatch.setenv("ACCELERATE_USE_DEEPSPEED", "true")
    monkeypatch.setitem(sys.modules, "deepspeed", None)
    monkeypatch.delitem(sys.modules, "rationale_rm.train.zero", raising=False)
    with pytest.raises(MissingExtraError, match=r"this needs deepspeed: pip install .rationale-rm\[deepspeed\]"):
        train(recipe_from(started, tmp_path / "run"))
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"zero_optimization": {"stage": 2}}, "zero_stage is 2: of DeepSpeed only ZeRO stage 3 is supported"),
        ({"bf16": {"enabled": True}}, r"compute in bf16: set mixed_precision to .no. .* model\.dtype of the recipe"),
        (
            {"zero_optimization": {"stage": 3, "offload_optimizer": {"device": "cpu"}}},
            "offload_optimizer_device must be none",
        ),
    ],
)
def test_settings_of_deepspeed_that_no_run_can_be_made_with(change, message):
    from rationale_rm.train.zero import check_settings

    config = copy.deepcopy(DeepSpeedPlugin(zero_stage=3).deepspeed_config)
    check_settings(config)
    with pytest.raises(TrainingError, match=message):
        check_settings(config | change)
