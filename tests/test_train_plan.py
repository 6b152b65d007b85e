"""`rationale-rm train`: plans of recipes, what is missing on a machine, and the command line."""

import contextlib
import json
import math
import os
import random
import subprocess
import sys
import threading
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from rationale_rm import RationaleReward
from rationale_rm.cli.main import app
from rationale_rm.train.plan import Architecture, UnknownModelError, architecture, make_plan, plan_lines
from rationale_rm.train.plan.architecture import from_config, known
from rationale_rm.train.plan.machine import Machine, missing
from rationale_rm.train.plan.memory import GIB, memory
from rationale_rm.train.plan.work import Pairs, judge_calls, work
from rationale_rm.train.recipe import read_recipe, shipped_recipes
from rationale_rm.types import MatchResult, MetaJudgeStatus
from records import pair, transcript
from records import write as write_records
from test_recipe import SMALL, write
from typer.testing import CliRunner

NOWHERE = Machine(0, "", None, 8.0 * GIB, 2)


def invoke(*arguments):
    return CliRunner().invoke(app, ["train", *map(str, arguments)])


@pytest.fixture
def small(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return write(tmp_path, SMALL)


# The model.


@pytest.mark.parametrize(
    ("name", "total", "active", "without_embeddings"),
    [("Qwen/Qwen3-14B", 14.8, 14.8, 13.2), ("Qwen/Qwen3-30B-A3B", 30.5, 3.3, 29.9)],
)
def test_the_published_models_have_their_published_sizes(name, total, active, without_embeddings):
    """Billions of parameters as their model cards give them."""
    model = from_config(known("models")[name], name, "")
    assert model.exact
    assert round(model.parameters / 1e9, 1) == total
    assert abs(model.active_parameters / 1e9 - active) < 0.06
    assert round((model.parameters - 2 * model.vocabulary * model.hidden_size) / 1e9, 1) == without_embeddings


def config(**changes):
    return {
        "model_type": "qwen3",
        "num_hidden_layers": 2,
        "hidden_size": 16,
        "intermediate_size": 32,
        "num_attention_heads": 4,
        "vocab_size": 100,
    } | changes


def folder_of(path, settings, shapes=(), **files):
    """A folder with a model's config, and a safetensors file of these shapes without their data."""
    path.mkdir()
    (path / "config.json").write_text(json.dumps(settings))
    for name, text in files.items():
        (path / name.replace("_json", ".json").replace("_jinja", ".jinja")).write_text(text)
    if shapes:
        header = {
            f"w{number}": {"dtype": "F32", "shape": shape, "data_offsets": [0, 0]}
            for number, shape in enumerate(shapes)
        }
        text = json.dumps({"__metadata__": {"format": "pt"}, **header}).encode()
        (path / "model.safetensors").write_bytes(len(text).to_bytes(8, "little") + text)
    return path


def test_a_family_that_is_not_known_is_counted_in_its_files(tmp_path, small):
    folder = folder_of(tmp_path / "m", config(model_type="newest"), [[100, 16], [7], []])
    model = architecture(read_recipe(small, [f"model.path={folder}"]))
    assert (model.parameters, model.exact) == (1608, True)
    bare = folder_of(tmp_path / "n", config(model_type="newest"))
    assert not architecture(read_recipe(small, [f"model.path={bare}"])).exact


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("{", "is not JSON"),
        ("[]", "is no model's config"),
        ('{"hidden_size": 4}', "does not say num_attention_heads"),
        ('{"hidden_size": true}', "does not say hidden_size"),
        (None, "cannot read"),
    ],
)
def test_a_config_that_says_nothing(tmp_path, small, content, said):
    folder = tmp_path / "m"
    folder.mkdir()
    if content is not None:
        (folder / "config.json").write_text(content)
    recipe = read_recipe(small, [f"model.path={folder}"])
    with pytest.raises(UnknownModelError, match=said):
        architecture(recipe)
    plan = make_plan(recipe)
    assert plan.memory is None
    assert said in "\n".join(plan_lines(plan))


def test_a_safetensors_file_that_is_none(tmp_path, small):
    folder = folder_of(tmp_path / "m", config(model_type="newest"))
    (folder / "model.safetensors").write_bytes(b"\xff" * 100)
    with pytest.raises(UnknownModelError, match="is no safetensors file"):
        architecture(read_recipe(small, [f"model.path={folder}"]))


# What a run does.


def counted(recipe, n_pairs=1000, validation=50, test=80):
    return work(recipe, Pairs(n_pairs, ""), validation, test)


@pytest.mark.parametrize("seed", range(20))
def test_steps_and_evaluations_are_those_of_a_run_walked_through(small, seed):
    """The loop, step by step, with `evaluate_if_due` as docs/training.md has it."""
    draw = random.Random(seed)
    prompts, n_pairs, steps, every = (draw.randint(1, high) for high in (40, 300, 30, 12))
    start, both, epochs = draw.random() < 0.5, draw.random() < 0.5, draw.choice((0.5, 1, 2.5))
    recipe = read_recipe(
        small,
        [
            f"rollout.prompts={prompts}",
            f"train={{steps: {steps}, epochs: {epochs}}}",
            f"evaluation={{every: {every}, start: {start}, both_orders: {both}, pairs: 20}}".lower(),
        ],
    )
    shown, done, evaluations, tests = 0, 0, int(start), int(start)
    while done < steps and shown < epochs * n_pairs:
        done += 1
        shown += prompts
        last = done == steps or shown >= epochs * n_pairs
        evaluations += last or done % every == 0
        tests += last
    found = counted(recipe, n_pairs)
    assert (found.steps, found.evaluations) == (done, evaluations)
    assert found.epochs == pytest.approx(shown / n_pairs)
    assert (found.evaluated, found.tested) == (20 * (1 + both), tests * 80 * (1 + both))


class CountingJudge:
    """Finds nothing, and counts what it is asked."""

    name = "counting"
    stand_in = None

    def __init__(self):
        self.asked = 0

    async def match(self, requests, *, on_result=None):
        self.asked += len(requests)
        return [
            MatchResult(id=one.id, request_id=one.id, judge=self.name, statuses=(MetaJudgeStatus.OK,))
            for one in requests
        ]


def asked(recipe, verdicts):
    """Judge requests of a step whose answers have these verdicts, all with other reasons."""
    how, judge = recipe.reward, CountingJudge()
    reward = RationaleReward(judge, mode=how.mode, gate=how.gate, audit=how.audit)
    texts = [
        transcript(verdict, (f"Reason number {number}.",)) if verdict else f"no block {number}"
        for number, verdict in enumerate(verdicts)
    ]
    reward(texts, references=[["Human."]] * len(texts), labels=[1] * len(texts))
    return judge.asked


@pytest.mark.parametrize("mode", ["product", "papo", "sum", "rationale", "gdpo", "outcome"])
@pytest.mark.parametrize("gate", ["true", "false"])
@pytest.mark.parametrize("audit", [0, 1])
def test_judge_calls_are_within_the_range_and_reach_its_ends(small, mode, gate, audit):
    n = 24
    settings = [f"reward={{mode: {mode}, gate: {gate}, audit: {audit}}}", "rollout={prompts: 3, samples: 8}"]
    recipe = read_recipe(small, settings)
    span = judge_calls(recipe)
    draw = random.Random(0)
    batches = [["B>A"] * n, ["A>B"] * n, *([draw.choice(("A>B", "B>A")) for _ in range(n)] for _ in range(5))]
    found = [asked(recipe, verdicts) for verdicts in batches]
    assert max(found) == span.high
    assert all(span.low <= count <= span.high for count in found)
    if mode in ("product", "papo"):
        assert min(found) == span.low


def test_the_papers_step_in_numbers():
    found = counted(read_recipe("qwen3-14b"), 22_116)
    assert found.completions == 2048
    assert found.sampled_tokens == 2048 * 12_288
    assert found.trained_tokens == 2048 * 20_480
    assert (found.updates, found.steps) == (2, math.ceil(2 * 22_116 / 256))
    (judging,) = found.judging
    assert (judging.step.low, judging.step.high) == (103, 2048)  # 5% of 2,048 are 102.4
    assert judging.total.high == 2048 * found.steps + found.evaluations * 100 + 2 * 160
    assert 500 < judging.prompt_tokens < 5000


def test_several_samples_and_a_price(small):
    settings = ["reward={judge: 'openai:gpt-4.1-mini', judge_samples: 3, judge_max_tokens: 1000, audit: 0}"]
    settings += ["rollout={prompts: 2, samples: 5}", "evaluation={every: null, start: false}"]
    (judging,) = counted(read_recipe(small, settings), test=0).judging
    assert (judging.step.low, judging.step.high) == (0, 30)
    assert judging.cost[0] == 0
    tokens_in, tokens_out = 150 * judging.prompt_tokens, 150 * 1000  # 5 steps
    assert judging.cost[1] == pytest.approx((tokens_in * 0.4 + tokens_out * 1.6) / 1e6)


def test_a_judge_of_its_own_for_the_evaluations_is_counted_apart(small):
    settings = ["data={world: {}}", "evaluation={judge: oracle, every: 2}", "reward.judge=lexical"]
    first, second = counted(read_recipe(small, settings)).judging
    assert (first.name, second.name) == ("lexical", "oracle")
    assert first.evaluation == 0
    assert second.step.high == 0
    assert second.total.high == 4 * 100 + 2 * 160  # 50 validation and 80 test pairs, both orders; 5 steps


def test_without_the_data_there_is_a_plan_all_the_same(small):
    recipe = read_recipe(small, ["train={steps: null, epochs: 2}"])
    plan = make_plan(recipe)
    assert plan.work.steps is None
    text = "\n".join(plan_lines(plan))
    assert "an unknown number of pairs" in text
    assert "pairs.jsonl" in "\n".join(one.what for one in plan.missing)


def test_pairs_are_counted_as_training_takes_them(tmp_path, small):
    records = [pair(id=f"p{number}", response1=f"Answer {number}.") for number in range(30)]
    records += [pair(id=f"t{number}", response1=f"Tie {number}.", label="A=B") for number in range(4)]
    records += [pair(id=f"u{number}", response1=f"None {number}.", label=None) for number in range(3)]
    write_records(tmp_path / "pairs.jsonl", *records)
    write_records(tmp_path / "test.jsonl", *records[:5])
    settings = ["data.test=test.jsonl", "rollout.prompts=4", "train={steps: null, epochs: 1}"]
    plan = make_plan(read_recipe(small, settings))
    assert plan.work.pairs.number == 30 - 5 - 10  # in the test, held out
    assert plan.work.steps == 4
    assert "4 training pairs have a tied label" in plan.work.pairs.source
    kept = make_plan(read_recipe(small, [*settings, "data.drop_ties=false", "data.limit=17"]))
    assert kept.work.pairs.number == 17


def test_data_that_cannot_be_trained_on_are_missing(tmp_path, small):
    write_records(tmp_path / "pairs.jsonl", pair(label=None))
    (one,) = [one for one in make_plan(read_recipe(small)).missing if one.what == "data to train on"]
    assert "no training pair has a label" in one.remedy


# Memory. The parts are held against real tensors in tests/models/test_plan_memory.py.


def part(found, name):
    return next(one for one in found.parts if one.name == name)


def planned(name, *settings, device=80.0):
    recipe = read_recipe(name, settings)
    return memory(recipe, architecture(recipe), device * GIB, "test")


def test_sharding_shares_what_it_can_and_nothing_else():
    alone = planned("qwen3-14b", "devices={sharding: none, processes: 1}")
    eight = planned("qwen3-14b")
    for name in ("weights", "gradients", "optimiser states"):
        assert part(eight, name).updating == pytest.approx(part(alone, name).updating / 8)
    for name in ("vLLM's weights", "activations"):
        assert part(eight, name) == part(alone, name)
    assert eight.fits
    assert not alone.fits


def test_transformers_samples_from_weights_made_whole():
    found = planned("qwen3-14b", "rollout.engine=transformers")
    assert part(found, "weights made whole").sampling == 2 * 14_768_307_200
    assert "weights made whole" not in [one.name for one in planned("qwen3-14b").parts]


def test_zero3_gathers_weights_in_float32():
    found = planned("qwen3-14b", "rollout.engine=transformers", "devices.sharding=zero3")
    assert part(found, "weights made whole").sampling == 4 * 14_768_307_200
    assert part(found, "gathered layers").updating == 6_000_000_000


def test_float32_weights_gradients_and_moments_are_sixteen_bytes_a_parameter():
    for sharding in ("none", "fsdp2", "zero3"):
        found = planned("qwen3-14b", f"devices={{sharding: {sharding}, processes: 4}}")
        share = 4 if sharding != "none" else 1
        total = sum(part(found, name).updating for name in ("weights", "gradients", "optimiser states"))
        assert total * share == pytest.approx(16 * 14_768_307_200)


def test_adapters_leave_the_weights_frozen():
    found = planned("qwen3-14b", "model.lora={r: 16}", "devices={sharding: none, processes: 1}")
    assert part(found, "frozen weights").updating == 2 * 14_768_307_200
    assert part(found, "optimiser states").updating == 2 * part(found, "gradients").updating < GIB
    assert "weights as computed with" not in [one.name for one in found.parts]


def test_the_reference_policy_is_held_where_there_is_a_kl_term():
    assert "reference policy" not in [one.name for one in planned("qwen3-14b").parts]
    assert part(planned("qwen3-14b", "loss.beta=0.1"), "reference policy").updating == 4 * 14_768_307_200


def test_checkpointing_and_smaller_micro_batches_take_less():
    names = ["model.gradient_checkpointing=false", "model.gradient_checkpointing=true"]
    whole, kept = (part(planned("qwen3-14b", name), "activations").updating for name in names)
    assert kept < whole / 5
    long = planned("qwen3-14b", "optimiser.micro_batch_tokens=40960")
    assert part(long, "activations").updating == 2 * kept


def test_a_sleeping_sampler_holds_nothing_while_the_policy_is_updated():
    asleep, awake = (planned("qwen3-14b", f"rollout.vllm.sleep={value}") for value in ("true", "false"))
    assert part(asleep, "vLLM's cache").updating == part(asleep, "vLLM's weights").updating == 0
    assert awake.updating - asleep.updating == round(0.6 * 80 * GIB)
    assert awake.sampling == asleep.sampling


def test_a_server_samples_in_memory_of_its_own():
    found = planned("qwen3-14b", "rollout={engine: vllm_server, server: {url: 'http://127.0.0.1:1/v1'}}")
    assert not [one.name for one in found.parts if one.name.startswith("vLLM")]
    assert part(found, "a tensor on its way to vLLM").updating == 0
    assert found.cache is None


def test_processes_share_the_weights_of_a_tensor_parallel_sampler():
    """As the shipped recipe for the larger model has it."""
    shared, whole = (planned("qwen3-30b-a3b", f"rollout.vllm.tensor_parallel_size={size}") for size in (2, 1))
    assert part(shared, "vLLM's weights").sampling * 2 == part(whole, "vLLM's weights").sampling


def test_a_cache_without_room_for_one_answer_does_not_fit():
    found = planned("qwen3-14b", "rollout.vllm.gpu_memory_utilization=0.37")
    assert found.peak < found.device
    assert found.cache.answers == 0
    assert found.fits is False


def test_eager_attention_keeps_its_scores(small):
    scratch = "model={scratch: {layers: 3, heads: 2}}"
    settings = [scratch, "rollout={prompts: 2, samples: 2, max_tokens: 300}", "prompt.max_tokens=100"]
    usual, eager = (
        part(planned(small, *settings, *more), "activations").updating for more in ([], ["model.attention=eager"])
    )
    tokens, layers, heads, context = 2 * 2 * 400, 3, 2, 400
    assert eager - usual == tokens * layers * heads * context * 4


# What is missing.


def lacking(recipe, machine=NOWHERE, parameters=10**6, **how):
    return {one.what: one.remedy for one in missing(recipe, machine, parameters, **how)}


def test_accelerators_are_missed_where_the_model_is_large():
    large = read_recipe("qwen3-14b")
    assert "8 accelerators (none here)" in lacking(large, parameters=14 * 10**9)
    assert "8 accelerators (2 here)" in lacking(large, replace(NOWHERE, accelerators=2), 14 * 10**9)
    assert not [what for what in lacking(large, replace(NOWHERE, accelerators=8), 14 * 10**9) if "accelerator" in what]
    assert not [what for what in lacking(read_recipe("tiny-cpu")) if "accelerator" in what]


def test_tensor_parallel_samplers_need_processes_that_they_divide(small):
    for size, processes in ((2, 1), (2, 3), (4, 2)):
        settings = [
            f"rollout={{engine: vllm, vllm: {{tensor_parallel_size: {size}}}}}",
            f"devices.processes={processes}",
        ]
        (what,) = [what for what in lacking(read_recipe(small, settings)) if "tensor_parallel_size" in what]
        assert f"tensor_parallel_size {size} does not divide the number of processes, {processes}" in what
    assert not [what for what in lacking(read_recipe("qwen3-30b-a3b")) if "tensor_parallel_size" in what]


def test_a_folder_without_what_a_model_needs(tmp_path, small):
    def of(folder):
        return [what for what in lacking(read_recipe(small, [f"model.path={folder}"])) if str(folder) in what]

    bare = folder_of(tmp_path / "a", config())
    (bare / "config.json").unlink()
    assert of(bare) == [f"{what} in {bare}" for what in ("config.json", "weights", "a tokenizer")]
    shapes = [[2, 2]]
    mute = folder_of(tmp_path / "b", config(), shapes, tokenizer_json="{}", tokenizer_config_json="{}")
    assert of(mute) == [f"a chat template in {mute}"]
    whole = folder_of(tmp_path / "c", config(), shapes, tokenizer_config_json='{"chat_template": "x"}')
    assert of(whole) == []
    apart = folder_of(tmp_path / "d", config(), shapes, tokenizer_json="{}", chat_template_jinja="x")
    assert of(apart) == []


def test_an_output_folder_in_use(tmp_path, small):
    recipe = read_recipe(small, ["output.folder=there"])
    assert not [what for what in lacking(recipe) if "there" in what]
    (tmp_path / "there").mkdir()
    assert not [what for what in lacking(recipe) if "there" in what]
    (tmp_path / "there" / "metrics.jsonl").touch()
    assert [what for what in lacking(recipe) if "there holds something" in what]
    assert not [what for what in lacking(recipe, resume=True) if "there" in what]


def test_keys_of_judges(small, monkeypatch):
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    monkeypatch.delenv("MINE", raising=False)
    recipe = read_recipe(small, ["reward={judge: 'openai:gpt-4.1', key_env: MINE}"])
    assert lacking(recipe)["the key of the judge gpt-4.1"] == "set the environment variable MINE"
    monkeypatch.setenv("MINE", "secret")
    assert "the key of the judge gpt-4.1" not in lacking(recipe)


@contextlib.contextmanager
def server(status, body, seen):
    """A server on a free port of this machine that answers every GET so."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            seen.append((self.path, self.headers.get("Authorization")))
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *arguments):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as served:
        thread = threading.Thread(target=served.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{served.server_address[1]}/v1"
        finally:
            served.shutdown()
            thread.join()


@pytest.mark.parametrize(
    ("status", "body", "said"),
    [
        (200, {"data": [{"id": "other"}, {"id": "Org/Judge"}]}, None),
        (200, {"data": [{"id": "other"}]}, "it serves other"),
        (200, {"data": []}, "it serves no model"),
        (200, [1], "it does not speak OpenAI's protocol"),
        (401, {}, "it refuses the key (401)"),
        (404, {}, None),  # a gateway without a list of models
        (503, {}, "it answers 503"),
    ],
)
def test_a_judges_server_is_asked_for_its_models(small, monkeypatch, status, body, said):
    monkeypatch.setenv("OPENAI_API_KEY", "secret")
    seen = []
    with server(status, json.dumps(body).encode(), seen) as url:
        found = lacking(read_recipe(small, [f"reward.judge=openai:judge@{url}"]))
    remedies = [remedy for what, remedy in found.items() if url in what]
    assert seen == [("/v1/models", "Bearer secret")]
    assert [remedy.startswith(said or "?") for remedy in remedies] == ([] if said is None else [True])
    assert "secret" not in json.dumps(found)


@pytest.mark.parametrize(
    ("names", "model", "said"),
    [
        (["any"], None, None),
        (["a", "b"], None, "it serves a, b: name one"),
        (["a", "b"], "b", None),
        (["a"], "b", "it serves a"),
    ],
)
def test_a_sampler_s_server_is_asked_for_its_models(small, names, model, said):
    seen = []
    with server(200, json.dumps({"data": [{"id": name} for name in names]}).encode(), seen) as url:
        how = f"url: '{url}'" + ("" if model is None else f", model: {model}")
        found = lacking(read_recipe(small, [f"rollout={{engine: vllm_server, server: {{{how}}}}}"]))
    assert [remedy for what, remedy in found.items() if url in what] == ([] if said is None else [said])
    assert seen == [("/v1/models", None)]
    gone = lacking(read_recipe(small, [f"rollout={{engine: vllm_server, server: {{{how}}}}}"]))
    assert "does not answer" in gone[f"the sampler's server {url}"]


def test_a_judges_server_that_is_not_there(small):
    with server(200, b"", []) as url:
        pass
    found = lacking(read_recipe(small, [f"reward.judge=openai:judge@http://me:word@{url.removeprefix('http://')}"]))
    (what,) = [what for what in found if "server" in what]
    assert what == f"the judge's server {url}"
    assert "does not answer" in found[what]
    assert "word" not in json.dumps(found)


# The command line.


@pytest.mark.parametrize("name", shipped_recipes())
def test_every_shipped_recipe_has_a_plan(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = invoke(name, "--dry-run")
    assert done.exit_code == 0, done.output
    for heading in ("one step", "the whole run", "memory of ", "missing on this machine"):
        assert f"\n{heading}" in done.stdout
    assert max(map(len, done.stdout.splitlines())) < 280
    assert list(tmp_path.iterdir()) == []


def test_a_plan_for_several_devices_says_how_to_launch_it():
    lines = list(plan_lines(make_plan(read_recipe("qwen3-30b-a3b"), look=False)))
    (launch,) = [line for line in lines if line.startswith("  launch")]
    words = launch.split()
    assert words[-3:] == ["rationale_rm", "train", "qwen3-30b-a3b"]
    assert words[words.index("--num_processes") + 1] == "16"
    assert os.path.isfile(words[words.index("--config_file") + 1])
    alone = plan_lines(make_plan(read_recipe("tiny-cpu"), look=False))
    assert not [line for line in alone if line.startswith("  launch")]


def test_a_plan_as_json(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = invoke("qwen3-30b-a3b", "--dry-run", "--json", "-")
    found = json.loads(done.stdout)
    assert found["model"]["parameters"] == 30_532_122_624
    assert found["work"]["judging"][0]["step"] == {"low": 103, "high": 2048}
    assert found["memory"]["updating"] == sum(one["updating"] for one in found["memory"]["parts"])
    assert found["recipe"]["name"] == "qwen3-30b-a3b"
    assert any("huggingface_hub" in one["what"] or "Qwen" in one["what"] for one in found["missing"])
    assert invoke("tiny-cpu", "--dry-run", "--json", "plan.json").exit_code == 0
    assert json.loads((tmp_path / "plan.json").read_text())["recipe"]["name"] == "tiny-cpu"


def test_a_recipe_that_is_wrong_leaves_with_two_and_writes_nothing(tmp_path, small):
    before = sorted(tmp_path.rglob("*"))
    done = invoke(small, "--set", "reward.mod=sum", "--set", "seed=x")
    assert done.exit_code == 2
    assert done.stderr.splitlines() == [
        "error: --set seed=x: seed: expected a whole number, not the text 'x'",
        "error: --set reward.mod=sum: reward.mod: unknown key; did you mean reward.mode?",
    ]
    assert invoke("no-such-recipe").exit_code == 2
    assert invoke(small, "--json", "x.json").exit_code == 2
    assert sorted(tmp_path.rglob("*")) == before


def test_the_output_folder_may_have_any_name(small):
    done = invoke(small, "--output", "it's: #1", "--show")
    assert read_recipe(write(small.parent, done.stdout, "shown.yaml")).folder == "it's: #1"


def test_what_is_shown_can_be_run(tmp_path, small):
    done = invoke(small, "--set", "train.steps=3", "--show")
    assert done.exit_code == 0
    assert read_recipe(write(tmp_path, done.stdout, "shown.yaml")) == read_recipe(small, ["train.steps=3"])


def test_lists_and_explanations():
    listed = invoke("--list")
    assert [line.split()[0] for line in listed.stdout.splitlines()] == list(shipped_recipes())
    assert "loss.clip_low: number > 0" in invoke("--explain").stdout


def test_a_library_that_training_needs_is_named(tmp_path, small):
    """In a process where torch cannot be imported."""
    write_records(tmp_path / "pairs.jsonl", *(pair(id=f"p{number}", response1=f"{number}.") for number in range(20)))
    code = "import sys; sys.modules['torch'] = None; from rationale_rm.cli.main import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", code, "train", str(small)], capture_output=True, text=True, cwd=tmp_path, env=os.environ
    )
    assert done.returncode == 2, done.stderr
    assert 'error: this needs torch: pip install "rationale-rm[train]"' in done.stderr
    assert not (tmp_path / "runs").exists()


def test_architectures_are_read_with_their_defaults():
    model = from_config(config(), "m", "")
    assert isinstance(model, Architecture)
    assert (model.kv_heads, model.head_dim, model.tied, model.experts) == (4, 4, False, 0)
