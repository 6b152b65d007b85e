"""What one setting demands of another: contradictions, which make a recipe invalid, and remarks, which do not."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from rationale_rm._core import RationaleError
from rationale_rm.judge.address import read_address
from rationale_rm.judge.spec import parse_spec
from rationale_rm.rewards import ORACLE
from rationale_rm.train.recipe.faults import Path

if TYPE_CHECKING:
    from rationale_rm.train.recipe.schema import Recipe

NARROW: Final = 1e-2
"""A clip below this is meant for ratios of whole answers, which move by thousandths (GSPO, arXiv 2507.18071)."""
_SET_BY_US: Final = frozenset(
    ("dtype", "enforce_eager", "logprobs_mode", "max_model_len", "model", "path", "seed", "template_options")
)
"""Arguments of ``vllm.LLM`` that are not options."""
Found = Iterator[tuple[Path, str]]


def contradictions(recipe: Recipe) -> list[tuple[Path, str]]:
    """The settings that cannot hold together: the key to change, and why."""
    checks = (_model, _data, _judges, _sizes, _sampler, _reward, _schedules, _evaluation)
    return list(itertools.chain.from_iterable(check(recipe) for check in checks))


def _model(recipe: Recipe) -> Found:
    model = recipe.model
    if model.path is None and model.scratch is None:
        yield ("model",), "needs path (a folder or hub name) or scratch (a model from nothing)"
    if model.path is not None and model.scratch is not None:
        yield ("model", "scratch"), "a model is read from path or made from scratch: set the other to null"
    if model.lora is not None and recipe.loss.beta > 0 and recipe.warm_start is not None:
        yield (
            ("loss", "beta"),
            "with adapters the reference policy is the model without them, which a warm start changes: warm start in a "
            "run of its own, and name its model in model.path",
        )
    if model.scratch is None:
        return
    if model.lora is not None:
        yield ("model", "lora"), "adapters need a model that has learnt something: not with scratch"
    scratch = model.scratch
    if scratch.hidden_size % (2 * scratch.heads):
        yield ("model", "scratch", "heads"), f"hidden_size {scratch.hidden_size} is no even multiple of {scratch.heads}"
    if model.revision is not None:
        yield ("model", "revision"), "belongs to path"


def _data(recipe: Recipe) -> Found:
    data = recipe.data
    if data.train is None and data.world is None:
        yield ("data",), "needs train (files of pairs) or world (the synthetic world)"
    if data.world is not None:
        for name in ("train", "validation", "test"):
            if getattr(data, name) is not None:
                yield ("data", name), "the world makes its own pairs: set data.world to null to read files"
        try:
            data.world.settings()
        except RationaleError as error:
            yield ("data", "world"), str(error)
        if data.hold_out:
            yield ("data", "hold_out"), "the world makes validation pairs of its own: set data.world.validation_pairs"
    if data.hold_out and data.validation is not None:
        yield ("data", "hold_out"), "data.validation names the validation pairs: set one of the two"
    warm = recipe.warm_start
    if warm is not None and warm.data is None and data.world is None:
        yield ("warm_start", "data"), "needs files of pairs with answers: only the world has demonstrations of its own"
    if warm is not None and warm.answers_of is not None and warm.data is None:
        yield ("warm_start", "answers_of"), "belongs to warm_start.data"


def _judges(recipe: Recipe) -> Found:
    for path, text in ((("reward", "judge"), recipe.reward.judge), (("evaluation", "judge"), recipe.evaluation.judge)):
        if text is None:
            continue
        if text == ORACLE:
            if recipe.data.world is None:
                yield path, "the oracle knows the synthetic world alone: set data.world, or another judge"
            continue
        try:
            parse_spec(text, judge=True)
        except ValueError as error:
            yield path, f"{error}, or {ORACLE}"
    reward = recipe.reward
    if reward.judge_samples > 1 and reward.judge_temperature == 0:
        yield ("reward", "judge_temperature"), f"{reward.judge_samples} samples at temperature 0 are all the same"


def _sizes(recipe: Recipe) -> Found:
    prompts, mini_batch = recipe.rollout.prompts, recipe.optimiser.mini_batch
    if mini_batch is not None and mini_batch > prompts:
        yield ("optimiser", "mini_batch"), f"{mini_batch} prompts an update, but rollout.prompts is {prompts}"
    elif mini_batch is not None and prompts % mini_batch:
        yield ("optimiser", "mini_batch"), f"{mini_batch} does not divide rollout.prompts, {prompts}"
    wanted = recipe.prompt.max_tokens + recipe.rollout.max_tokens
    if recipe.model.max_model_len is not None and recipe.model.max_model_len < wanted:
        yield (
            ("model", "max_model_len"),
            f"{recipe.model.max_model_len} tokens, but prompt.max_tokens + rollout.max_tokens are {wanted}",
        )


def _sampler(recipe: Recipe) -> Found:
    judges = (recipe.reward.judge, recipe.evaluation_judge)
    shared = recipe.rollout.engine == "vllm" and recipe.rollout.vllm.tensor_parallel_size > 1
    if shared and any(judge.startswith("vllm:") for judge in judges):
        yield (
            ("rollout", "vllm", "tensor_parallel_size"),
            "a judge in vLLM in the same processes would need other groups of them: ask a judge on a server",
        )
    fixed = sorted(_SET_BY_US & recipe.rollout.vllm.options.keys())
    if fixed:
        yield ("rollout", "vllm", "options"), f"{', '.join(fixed)}: set by other settings of the recipe"
    url = recipe.rollout.server.url
    if url is None:
        if recipe.rollout.engine == "vllm_server":
            yield ("rollout", "server", "url"), "needs the server's address, for rollout.engine is vllm_server"
        return
    try:
        address = read_address(url)
    except ValueError as error:
        yield ("rollout", "server", "url"), str(error)
        return
    if address.secrets:
        yield ("rollout", "server", "url"), "vLLM's routes for weights know no password: expected http://HOST:PORT/v1"


def parallel_fault(recipe: Recipe, processes: int) -> str | None:
    """Why `processes` cannot hold the sampler; None where they can."""
    shares = recipe.rollout.vllm.tensor_parallel_size
    if recipe.rollout.engine != "vllm" or processes % shares == 0:
        return None
    return f"rollout.vllm.tensor_parallel_size {shares} does not divide the number of processes, {processes}"


def _reward(recipe: Recipe) -> Found:
    reward = recipe.reward
    if reward.max_length is not None and reward.length_buffer > reward.max_length:
        yield ("reward", "length_buffer"), f"longer than reward.max_length, {reward.max_length}"
    if reward.max_length is None and reward.length_buffer:
        yield ("reward", "length_buffer"), "belongs to reward.max_length, which is not set"
    if reward.max_length is not None and reward.max_length > recipe.rollout.max_tokens:
        yield ("reward", "max_length"), f"no answer is longer than rollout.max_tokens, {recipe.rollout.max_tokens}"
    for name, beta in zip(("first", "second"), recipe.optimiser.betas, strict=True):
        if not 0 <= beta < 1:
            yield ("optimiser", "betas"), f"the {name} is {beta:g}: expected 0 to under 1"


def _schedules(recipe: Recipe) -> Found:
    if recipe.train.steps is None and recipe.train.epochs is None:
        yield ("train",), "needs steps (rollouts) or epochs (passes over the training pairs)"
    if recipe.train.steps is not None and recipe.optimiser.warmup_steps >= recipe.train.steps * recipe.updates > 0:
        updates = recipe.train.steps * recipe.updates
        yield ("optimiser", "warmup_steps"), f"the run has {updates} updates: lr would never be reached"
    warm = recipe.warm_start
    if warm is not None and warm.warmup_steps >= warm.steps:
        yield ("warm_start", "warmup_steps"), f"warm_start has {warm.steps} updates: lr would never be reached"


def _evaluation(recipe: Recipe) -> Found:
    data, evaluation = recipe.data, recipe.evaluation
    if evaluation.every is not None:
        held = data.hold_out if data.world is None else data.world.validation_pairs
        if data.validation is None and not held:
            where = "data.world.validation_pairs" if data.world is not None else "data.validation or data.hold_out"
            yield ("evaluation", "every"), f"there are no validation pairs: set {where}, or null to evaluate none"
        if data.world is not None and evaluation.pairs is not None and 0 < held < evaluation.pairs:
            yield ("evaluation", "pairs"), f"{evaluation.pairs} pairs, but data.world.validation_pairs is {held}"
    if data.world is not None and (evaluation.test_pairs or 0) > data.world.test_pairs:
        yield (
            ("evaluation", "test_pairs"),
            f"{evaluation.test_pairs} pairs, but data.world.test_pairs is {data.world.test_pairs}",
        )


def remarks(recipe: Recipe) -> list[str]:
    """What is allowed and probably not meant, each with its key in front."""
    return [f"{key}: {text}" for key, text in _remarks(recipe)]


def _remarks(recipe: Recipe) -> Iterator[tuple[str, str]]:
    loss, reward = recipe.loss, recipe.reward
    narrow = max(loss.clip_low, loss.clip_high) < NARROW
    if narrow and loss.ratio == "token":
        yield (
            "loss.clip_high",
            f"{loss.clip_high:g} suits sequence ratios; the ratio of a single token moves further than that in one "
            "update, so that most tokens would be clipped (loss.ratio: sequence)",
        )
    if recipe.updates == 1:
        yield (
            "optimiser.mini_batch",
            "one update a rollout: all ratios are 1 then, and nothing is clipped",
        )
    if loss.kl_ratio_correction and loss.beta == 0:
        yield "loss.kl_ratio_correction", "there is no KL term: loss.beta is 0"
    if loss.sampler_cap is not None and recipe.rollout.engine == "transformers":
        yield (
            "loss.sampler_cap",
            "transformers samples from the trainer's own weights: their probabilities differ by rounding alone",
        )
    if "weight" in reward.model_fields_set and reward.mode not in ("sum", "gdpo", "gdpo_batch"):
        yield "reward.weight", f"not read where reward.mode is {reward.mode}"
    if reward.judge == "lexical" or reward.judge.startswith("embedding"):
        yield "reward.judge", f"{reward.judge} is a stand-in for a MetaJudge: it compares words, not reasons"
    if reward.judge.startswith(("vllm:", "hf:")):
        yield "reward.judge", "a judge in this process shares the policy's devices, once a process; a server does not"
    if recipe.rollout.vllm.model_fields_set and recipe.rollout.engine != "vllm":
        yield "rollout.vllm", f"not read: rollout.engine is {recipe.rollout.engine}"
    if recipe.rollout.server.model_fields_set and recipe.rollout.engine != "vllm_server":
        yield "rollout.server", f"not read: rollout.engine is {recipe.rollout.engine}"
    if recipe.prompt.style == "brief" and recipe.prompt.n_reasons is not None:
        yield "prompt.n_reasons", "not read: the brief prompt does not say how many reasons to give"
    if recipe.data.label_scale is not None and recipe.data.train is None:
        yield "data.label_scale", "not read: the world's labels are verdicts"
    every, steps = recipe.evaluation.every, recipe.train.steps
    if every is not None and steps is not None and every > steps:
        when = "at its start and end" if recipe.evaluation.start else "at its end"
        yield "evaluation.every", f"the run ends after {steps} steps: evaluated {when} alone"
