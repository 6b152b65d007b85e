"""A plan as text, for people."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from rationale_rm.rewards import GATED
from rationale_rm.train.plan.make import Plan
from rationale_rm.train.plan.memory import GIB
from rationale_rm.train.plan.work import Judging, Range
from rationale_rm.train.recipe.shipped import recipes_folder, shipped_recipes

INDENT: Final = "  "
WIDTH: Final = 24
ROOMY: Final = 0.9
"""Share of a device's memory that may be planned with."""


def plan_lines(plan: Plan) -> Iterator[str]:
    """The plan, line by line."""
    yield from _run(plan)
    yield ""
    yield from _step(plan)
    yield ""
    yield from _whole(plan)
    yield ""
    yield from _memory(plan)
    for remark in plan.remarks:
        yield from ("", f"mind: {remark}")
    yield ""
    yield from _missing(plan)


def _row(name: str, text: str) -> str:
    return f"{INDENT}{name:<{WIDTH}}{text}"


def _run(plan: Plan) -> Iterator[str]:
    recipe, work = plan.recipe, plan.work
    yield f"{recipe.name}: {recipe.about}" if recipe.about else recipe.name
    yield _row("model", _model(plan))
    number = "an unknown number of pairs" if work.pairs.number is None else f"{work.pairs.number:,} pairs"
    yield _row("training data", f"{number} ({work.pairs.source})")
    yield _row("reward", f"{recipe.reward.mode}, judged by {_judge(recipe.reward.judge)}")
    loss = recipe.loss
    clip = f"{loss.clip_low:g}" if loss.clip_low == loss.clip_high else f"{loss.clip_low:g} / {loss.clip_high:g}"
    kl = f", KL weight {loss.beta:g}" if loss.beta else ""
    yield _row("loss", f"{loss.type}, {loss.ratio} ratios, clip {clip}{kl}")
    rate = f"AdamW, lr {recipe.optimiser.lr:g}, {recipe.optimiser.schedule}"
    yield _row(
        "optimiser",
        f"{rate}, {recipe.optimiser.warmup_steps} warm-up updates" if recipe.optimiser.warmup_steps else rate,
    )
    yield _row("output", recipe.folder)
    if recipe.devices.processes > 1:
        yield _row("launch", _launch(plan))


def _launch(plan: Plan) -> str:
    """The command for the devices that are planned for."""
    recipe, devices = plan.recipe, plan.recipe.devices
    try:
        shipped, folder = shipped_recipes(), recipes_folder() / "accelerate"
    except FileNotFoundError:
        shipped, folder = {}, Path("recipes/accelerate")
    config = "" if devices.sharding == "none" else f" --config_file {folder / devices.sharding}.yaml"
    name = recipe.name if recipe.name in shipped else "RECIPE"
    return f"accelerate launch{config} --num_processes {devices.processes} -m rationale_rm train {name}"


def _model(plan: Plan) -> str:
    model, recipe = plan.model, plan.recipe
    if model is None:
        return f"{recipe.model.path}: {plan.model_fault}"
    mixture = f", {_short(model.active_parameters)} of them active" if model.experts else ""
    about = "" if model.exact else "about "
    how = "LoRA" if recipe.model.lora is not None else "all weights"
    return f"{model.name}, {about}{_short(model.parameters)} parameters{mixture} ({model.source}); trains {how}"


def _step(plan: Plan) -> Iterator[str]:
    recipe, work = plan.recipe, plan.work
    yield "one step"
    yield _row("answers", f"{recipe.rollout.prompts:,} prompts × {recipe.rollout.samples} = {work.completions:,}")
    yield _row("prompt tokens", f"at most {_short(work.prompt_tokens)} ({recipe.prompt.max_tokens:,} a prompt)")
    yield _row("sampled tokens", f"at most {_short(work.sampled_tokens)} ({recipe.rollout.max_tokens:,} an answer)")
    passes = f", {recipe.optimiser.epochs} passes" if recipe.optimiser.epochs > 1 else ""
    yield _row("trained tokens", f"at most {_short(work.trained_tokens)}{passes}")
    passes = (
        "one forward and backward pass" if work.passes == 1 else f"up to {work.passes:,} forward and backward passes"
    )
    each = f"{recipe.mini_batch:,} prompts, {passes} on a device"
    yield _row("updates", f"{work.updates}, each of {each}")
    for judge in work.judging:
        if judge.step.high:
            noun = "judge calls" if judge.is_model else "judged answers"
            yield _row(noun, _gated(judge, plan))
            if judge.is_model:
                yield _row("judge tokens", _judge_tokens(judge))


def _gated(judge: Judging, plan: Plan) -> str:
    span = judge.step
    if plan.recipe.reward.mode == "outcome":
        return f"{span.low:,} (the audited {plan.recipe.reward.audit:.0%}; no reward depends on them)"
    if span.low == span.high:
        return f"{span.low:,}"
    reward = plan.recipe.reward
    worst, best = ("wrong", "right") if reward.mode in GATED else ("malformed", "readable")
    return f"{span.low:,} (all answers {worst}: the audited {reward.audit:.0%}) to {span.high:,} (all {best})"


def _judge_tokens(judge: Judging) -> str:
    answer = f"up to {judge.answer_tokens:,} out"
    if judge.prompt_tokens is None:
        return f"{answer} a call"
    return f"about {judge.prompt_tokens:,} in and {answer} a call, with lists of usual length"


def _whole(plan: Plan) -> Iterator[str]:
    recipe, work = plan.recipe, plan.work
    yield "the whole run"
    if work.warm_start:
        warm = recipe.warm_start
        assert warm is not None
        yield _row("warm start", f"{work.warm_start:,} supervised updates of {warm.batch_size}")
    if work.steps is None:
        yield _row("steps", "unknown: the number of training pairs is")
    else:
        passes = "" if work.epochs is None else f", {work.epochs:.2f} passes over the pairs"
        yield _row("steps", f"{work.steps:,}{passes}; {work.steps * work.updates:,} updates")
        yield _row("sampled tokens", f"at most {_short(work.steps * work.sampled_tokens)}")
        yield _row("trained tokens", f"at most {_short(work.steps * work.trained_tokens)}")
    if work.evaluations:
        answers = "all validation pairs" if work.evaluated is None else f"{work.evaluated:,} answers each"
        yield _row("evaluations", f"{work.evaluations}, {answers}{_orders(plan)}")
    if work.tested:
        yield _row("test", f"{work.tested:,} answers{_both_ends(plan)}{_orders(plan)}")
    for judge in work.judging:
        if judge.total is None:
            continue
        noun = "judge calls" if judge.is_model else "judged answers"
        what = "rewards and evaluations" if len(work.judging) == 1 else "rewards" if judge.step.high else "evaluations"
        yield _row(noun, f"{_range(judge.total)} for {what}, by {_judge(judge.name)}")
        if judge.cost is not None:
            low, high = judge.cost
            yield _row("judge cost", f"${low:,.2f} to ${high:,.2f} at list prices, answers at their longest")
    if plan.disk is not None:
        kept = recipe.output.keep_last + 1
        assert plan.checkpoint is not None
        free = "" if plan.disk_free is None else f"; {_size(plan.disk_free)} free"
        yield _row("disk", f"{_size(plan.checkpoint)} a checkpoint, {kept} kept and one being written{free}")


def _judge(text: str) -> str:
    """A judge without the forms of its name: ``NAME at http://…``."""
    kind, _, name = text.partition(":")
    return name.replace("@http", " at http", 1) if kind == "openai" else text


def _both_ends(plan: Plan) -> str:
    return ", before and after together" if plan.recipe.evaluation.start else ""


def _orders(plan: Plan) -> str:
    return " (both orders)" if plan.recipe.evaluation.both_orders else ""


def _range(span: Range) -> str:
    return f"{span.low:,}" if span.low == span.high else f"{span.low:,} to {span.high:,}"


def _memory(plan: Plan) -> Iterator[str]:
    found, devices = plan.memory, plan.recipe.devices
    if found is None:
        yield f"memory: unknown, for {plan.model_fault}"
        return
    spread = "" if devices.sharding == "none" else f", {devices.sharding}"
    several = "one device" if devices.processes == 1 else f"each of {devices.processes} devices{spread}"
    yield f"memory of {several}, GiB{'':<12}sampling  updating"
    for part in found.parts:
        if part.sampling or part.updating:
            yield f"{INDENT}{part.name:<30}{_gib(part.sampling)}{_gib(part.updating)}  {part.how}"
    yield f"{INDENT}{'together':<30}{_gib(found.sampling)}{_gib(found.updating)}  {_verdict(plan)}"
    if found.cache is not None:
        yield (
            f"{INDENT}vLLM's cache holds {found.cache.tokens:,} tokens: {found.cache.answers:,} of the longest answers "
            "at once, more of shorter ones"
        )


def _verdict(plan: Plan) -> str:
    found = plan.memory
    assert found is not None
    if found.device is None:
        return "of an unknown device"
    has = f"{_size(found.device)} ({found.device_source})"
    if found.fits:
        tight = "" if found.peak <= ROOMY * found.device else " barely: kernels and fragments want a tenth more"
        return f"of {has}: fits{tight}"
    if found.peak <= found.device:
        return f"of {has}: no room for one whole answer in the sampler's cache"
    return f"of {has}: does NOT fit; {_advice(plan)}"


def _advice(plan: Plan) -> str:
    recipe = plan.recipe
    found = plan.memory
    assert found is not None
    options = []
    if recipe.devices.sharding == "none" and (plan.model is not None and plan.model.parameters > 10**9):
        options.append("devices.sharding: fsdp2 over several")
    if not recipe.model.gradient_checkpointing:
        options.append("model.gradient_checkpointing: true")
    if recipe.optimiser.micro_batch_tokens > recipe.context:
        options.append("a smaller optimiser.micro_batch_tokens")
    if recipe.rollout.engine == "vllm" and not recipe.rollout.vllm.sleep:
        options.append("rollout.vllm.sleep: true")
    if recipe.model.lora is None:
        options.append("model.lora")
    if recipe.devices.sharding != "none":
        options.append("more devices.processes")
    return "try " + ", ".join(options[:3])


def _missing(plan: Plan) -> Iterator[str]:
    if not plan.missing:
        yield "missing on this machine: nothing"
        return
    yield "missing on this machine"
    by_remedy: dict[str, list[str]] = {}
    for one in plan.missing:
        by_remedy.setdefault(one.remedy, []).append(one.what)
    for remedy, whats in by_remedy.items():
        yield f"{INDENT}{', '.join(whats)}"
        yield f"{INDENT * 3}{remedy}"


def _gib(size: float) -> str:
    if not size:
        return f"{'':>10}"
    return f"{size / GIB:>10.3f}" if size < GIB else f"{size / GIB:>10.1f}"


def _size(size: float) -> str:
    for unit, scale in (("TiB", 1 << 40), ("GiB", GIB), ("MiB", 1 << 20)):
        if size >= scale:
            return f"{size / scale:,.1f} {unit}"
    return f"{size / 1024:,.0f} KiB"


def _short(number: float) -> str:
    """``14.8B``, ``25.2M``."""
    for unit, size in (("T", 10**12), ("B", 10**9), ("M", 10**6), ("k", 10**3)):
        if number >= size:
            return f"{number / size:.1f}{unit}"
    return f"{number:,.0f}"
