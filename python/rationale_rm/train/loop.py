"""GRPO from top to bottom: rollout → reward → advantage → loss → step.

>>> from rationale_rm.train.loop import train        # doctest: +SKIP
>>> from rationale_rm.train.recipe import read_recipe
>>> train(read_recipe("tiny-cpu"))                   # doctest: +SKIP

docs/training.md says what a run writes, and what each figure means.
"""

from __future__ import annotations

import contextlib
import functools
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch

from rationale_rm.grpo import Denominators, LossStats, grpo_loss
from rationale_rm.rollout import Completion
from rationale_rm.train import checkpoint, policy
from rationale_rm.train.batches import Shown
from rationale_rm.train.begin import START, begin, order
from rationale_rm.train.evaluate import evaluate
from rationale_rm.train.figures import step_record
from rationale_rm.train.judging import JudgeOutageError, Scoring
from rationale_rm.train.packing import Tokens, micro_batch, micro_batches
from rationale_rm.train.recipe import Recipe
from rationale_rm.train.run import Run, StoppedError, TrainingError
from rationale_rm.train.sampler import open_rollouts
from rationale_rm.train.samples import write_groups
from rationale_rm.train.signals import Stop, StopRequestedError
from rationale_rm.train.update import NonFiniteError, apply_gradients, prepare, set_lr
from rationale_rm.train.warmstart import warm_start
from rationale_rm.train.weights import model_state
from rationale_rm.types import RewardBatch

_EPOCHS: Final = 3  # names the stream of draws that mini-batches are made by


@dataclass(frozen=True, slots=True)
class Finished:
    """How a run ended in good order."""

    folder: Path
    step: int
    """GRPO steps done."""
    stopped: bool
    """Whether it was asked to stop before its end."""


def train(recipe: Recipe, *, resume: bool = False) -> Finished:
    """Trains by a recipe; with `resume` from the last checkpoint in its folder, if there is one.

    SIGTERM, or Ctrl-C, saves a checkpoint and returns. Raises `TrainingError` (and other `RationaleError`), and what
    opening files and models raises, before the first step, with nothing overwritten; and with ``started`` set where the
    judge stayed away (after a checkpoint), or where a loss or gradient is not finite (before it did any harm).
    """
    with Stop() as stop:
        run = begin(recipe, stop, resume=resume)
        with contextlib.ExitStack() as at_last, contextlib.closing(run):
            try:
                _train(run)
            except (StoppedError, StopRequestedError) as error:
                if isinstance(error, StopRequestedError):  # out of a step, which is given up
                    run.save(as_it_was=True)
                run.note(f"stopped, and saved in {run.folder}: go on by --resume")
                return Finished(run.folder, run.state.step, stopped=True)
            except JudgeOutageError as error:
                run.save(as_it_was=True)
                saved = f"Saved after step {run.state.step} in {run.folder}: go on by --resume"
                failure = TrainingError(f"{error}. {saved}")
                failure.started = True
                raise failure from None
            except Exception as error:
                started = run.state.records > run.records_before
                error.started = started  # type: ignore[attr-defined]
                if not started:
                    at_last.callback(run.undo)
                raise
    return Finished(run.folder, run.state.step, stopped=False)


def _train(run: Run) -> None:
    recipe, state = run.recipe, run.state
    resumed = checkpoint.last(run.folder)
    if state.phase == "warm_start":
        assert recipe.warm_start is not None
        prepare(run, recipe.warm_start.lr, recipe.warm_start.weight_decay)
        if resumed is not None:
            run.restore(resumed)
            resumed = None
        warm_start(run)
        run.state = replace(run.state, phase="grpo", step=0)
    prepare(run, recipe.optimiser.lr, recipe.optimiser.weight_decay)
    if resumed is not None:
        run.restore(resumed)
    keep_start(run)
    run.rollouts = open_rollouts(run, run.folder / START)
    run.reference = open_reference(run)

    n_steps = recipe.steps(len(run.pairs.train))
    n_updates = n_steps * recipe.updates
    pairs = order(run)
    run.progress.begin("GRPO", run.state.step, n_steps)
    if resumed is None:
        run.save_if_due(False)
    if evaluate_if_due(run, n_steps):
        run.save_if_due(run.state.step == n_steps)
    for step in range(run.state.step + 1, n_steps + 1):
        run.generators = checkpoint.generators()
        clock = Clock()

        # Rollout: a group of answers to each prompt. Reward and advantage: each group goes to the judge as soon as it
        # is there, while the sampler goes on with the others.
        shown = pairs.step(step - 1, recipe.rollout.prompts)
        with run.stop.interruptible(run.processes.n == 1):
            groups, rewards = roll_out(run, shown, step, clock)
        answers = joined(groups, rewards)
        if recipe.output.samples_every is not None and step % recipe.output.samples_every == 0:
            write_groups(run, step, shown, answers, rewards)

        # Loss and step: several updates of the policy, each on the answers to some of the prompts.
        stats, norms, lr = LossStats(), [], 0.0
        with clock.of("model"):
            add_logprobs(run, answers)
        for number, rows in enumerate(mini_batches(run, answers, step)):
            update = (step - 1) * recipe.updates + number + 1
            how = recipe.optimiser
            lr = set_lr(run.optimiser, how.lr, update, n_updates, how.warmup_steps, how.schedule)
            with clock.of("model"):
                found = backward(run, [answers[row] for row in rows])
                norms.append(apply_gradients(run, how.max_grad_norm, found.means()["loss"]))
            stats += found
        with clock.of("sync"):
            run.rollouts.sync(run.bare.model)

        record, figures = step_record(
            step,
            step * recipe.rollout.prompts / len(run.pairs.train),
            answers,
            rewards,
            stats,
            norms,
            lr,
            clock.seconds(),
        )
        run.record(record, figures)
        evaluate_if_due(run, n_steps)
        run.save_if_due(step == n_steps)


class Clock:
    """The seconds of a step by part."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._parts = {"sample": 0.0, "judge": 0.0, "model": 0.0, "sync": 0.0}

    def of(self, part: str) -> Clock:
        """Counts what is done within as `part`."""
        self._part = part
        return self

    def add(self, part: str, seconds: float) -> None:
        """Counts what was measured elsewhere."""
        self._parts[part] += seconds

    def seconds(self) -> dict[str, float]:
        """Part → seconds so far; ``other`` is what is none of them, ``total`` all."""
        total = time.monotonic() - self._began
        return {**self._parts, "other": total - sum(self._parts.values()), "total": total}

    def __enter__(self) -> None:
        self._entered = time.monotonic()

    def __exit__(self, *_: object) -> None:
        self._parts[self._part] += time.monotonic() - self._entered


def roll_out(run: Run, shown: Sequence[Shown], step: int, clock: Clock) -> tuple[list[list[Completion]], RewardBatch]:
    """The groups of a step by prompt, and their rewards in the same order, those of all processes."""
    how = run.recipe.rollout
    scoring = Scoring(run.reward, step)
    run.judge.remembers = run.recipe.output.samples_every is not None and step % run.recipe.output.samples_every == 0
    run.judge.forget()
    mine = range(run.processes.rank, len(shown), run.processes.n)
    handing_over = 0.0

    def on_group(index: int, completions: list[Completion]) -> None:
        nonlocal handing_over
        began = time.monotonic()
        scoring.begin(mine[index], shown[mine[index]], completions)
        handing_over += time.monotonic() - began

    messages = [run.prompts.messages(shown[n].pair, shown[n].swapped, run.recipe.prompt.n_reasons) for n in mine]
    try:
        began = time.monotonic()
        with run.sampling():
            sampled = run.rollouts.sample(
                messages,
                how.samples,
                max_tokens=how.max_tokens,
                temperature=how.temperature,
                seeds=[shown[n].seed for n in mine],
                on_group=on_group,
            )
        clock.add("sample", time.monotonic() - began - handing_over)
        with clock.of("judge"):
            rewards = scoring.finish(run.processes, run.stop, run.recipe.reward.retry_for, run.note)
    except BaseException:
        scoring.cancel()
        raise
    groups = dict(run.processes.gather(list(zip(mine, sampled, strict=True))))
    return [groups[n] for n in range(len(shown))], rewards


@dataclass(slots=True)
class Answer:
    """A row of the update: a completion with its advantage."""

    completion: Completion
    group: int
    advantage: float
    """NaN where nothing can be learnt from it."""
    old: Sequence[float] | None = None
    """Log-probabilities under the policy that the updates begin with; None: the policy's own at the update."""
    reference: Sequence[float] | None = None

    @property
    def tokens(self) -> Tokens:
        """The row as tokens."""
        return Tokens(self.completion.prompt_ids, self.completion.token_ids)


def joined(groups: Sequence[Sequence[Completion]], rewards: RewardBatch) -> list[Answer]:
    """The answers of a step beside their rewards, which are in the same order. Raises `TrainingError` where the sampler
    gave none at all.
    """
    rows = [(number, one) for number, group in enumerate(groups) for one in group if one.error is None]
    if not rows:
        failure = TrainingError(f"the sampler gave no answer: {groups[0][0].error}")
        failure.started = True
        raise failure
    advantages = rewards.advantage.tolist()
    return [Answer(one, number, advantage) for (number, one), advantage in zip(rows, advantages, strict=True)]


def add_logprobs(run: Run, answers: Sequence[Answer]) -> None:
    """Computes what the loss needs besides the policy: log-probabilities before the first update, where there are
    several, and under the reference policy.

    With one update a rollout the policy that is updated is the one that sampled, and its own log-probabilities are the
    old ones. With several, those of the sampler serve where the sampler is the trainer's own module in float32; else
    they are computed once.
    """
    recipe = run.recipe
    learnt = [one for one in answers if counts(run, one)]
    if recipe.updates > 1:
        if recipe.rollout.engine == "transformers" and recipe.model.dtype == "float32":
            for one in learnt:
                one.old = one.completion.logprobs
        else:
            for one, found in zip(learnt, scored(run, run.policy, learnt), strict=True):
                one.old = found
    if recipe.loss.beta > 0:
        if recipe.model.lora is not None:
            with run.bare.without_adapters():
                references = scored(run, run.policy, learnt)
        else:
            references = scored(run, run.reference, learnt)
        for one, found in zip(learnt, references, strict=True):
            one.reference = found


def scored(run: Run, module: Any, answers: Sequence[Answer]) -> list[list[float]]:
    """The log-probability of each token of each answer under `module`, computed by all processes together."""
    tokens = [one.tokens for one in answers]
    budget = run.recipe.optimiser.micro_batch_tokens
    dealt = micro_batches(tokens, budget, run.processes.n, packed=run.bare.packs)
    found: list[tuple[int, list[float]]] = []
    training = module.training
    module.eval()
    with torch.no_grad():
        for lanes in dealt[run.processes.rank]:
            batch = micro_batch(lanes, tokens, run.pad, run.device)
            logprobs, _ = module(batch, run.recipe.rollout.temperature)
            table = batch.table(logprobs).tolist()
            found += [(row, line[: len(tokens[row].answer)]) for row, line in zip(batch.rows, table, strict=False)]
    module.train(training)
    by_row = dict(run.processes.gather(found))
    return [by_row[row] for row in range(len(answers))]


def counts(run: Run, answer: Answer) -> bool:
    """Whether an answer is in numerator and denominator: its reward is known, and it was not cut."""
    cut = answer.completion.truncated and run.recipe.loss.mask_truncated
    return answer.advantage == answer.advantage and not cut and len(answer.completion.token_ids) > 0


def mini_batches(run: Run, answers: Sequence[Answer], step: int) -> list[list[int]]:
    """The rows of each update: each epoch deals the prompts out anew."""
    recipe = run.recipe
    rows: dict[int, list[int]] = {}
    for row, answer in enumerate(answers):
        rows.setdefault(answer.group, []).append(row)
    dealt = []
    for epoch in range(recipe.optimiser.epochs):
        prompts = (
            np.random.default_rng([recipe.seed, _EPOCHS, step, epoch]).permutation(recipe.rollout.prompts).tolist()
        )
        for start in range(0, len(prompts), recipe.mini_batch):
            chosen = sorted(prompts[start : start + recipe.mini_batch])
            dealt.append([row for number in chosen for row in rows.get(number, ())])
    return dealt


def backward(run: Run, answers: Sequence[Answer]) -> LossStats:
    """The gradient of the loss of one update, added up over micro-batches and processes, and its figures.

    What the loss is divided by is counted over the whole update first, so that the sum depends neither on how it is cut
    into micro-batches nor on the number of processes. Rows whose advantage is 0 count there, but have no gradient
    without a KL term, and are not put through the model.
    """
    how = run.recipe.loss
    learnt = [one for one in answers if counts(run, one)]
    whole = Denominators(rows=len(learnt), tokens=sum(len(one.completion.token_ids) for one in learnt))
    moving = [one for one in learnt if one.advantage != 0 or how.beta > 0]
    tokens = [one.tokens for one in moving]
    budget = run.recipe.optimiser.micro_batch_tokens
    dealt = micro_batches(tokens, budget, run.processes.n, packed=run.bare.packs)
    mine = dealt[run.processes.rank]
    stats = LossStats()
    for number, lanes in enumerate(mine):
        batch = micro_batch(lanes, tokens, run.pad, run.device)
        rows = batch.rows
        with run.gathering(number + 1 == len(mine)):
            logprobs, entropies = run.policy(batch, run.recipe.rollout.temperature)
            share, found = grpo_loss(
                batch.table(logprobs),
                column(run, batch, [moving[row].old for row in rows]),
                torch.tensor([moving[row].advantage for row in rows] or [float("nan")], device=run.device),
                batch.mask,
                denominators=whole,
                loss=how.type,
                ratio=how.ratio,
                clip_low=how.clip_low,
                clip_high=how.clip_high,
                beta=how.beta,
                ref_logprobs=column(run, batch, [moving[row].reference for row in rows]) if how.beta > 0 else None,
                kl_ratio_correction=how.kl_ratio_correction,
                sampler_logprobs=column(run, batch, [moving[row].completion.logprobs for row in rows]),
                sampler_cap=how.sampler_cap,
                max_length=run.recipe.rollout.max_tokens,
                entropies=batch.table(entropies),
            )
            run.accelerator.backward(share * run.processes.n)
        stats += found
    return stats.all_reduce()


def column(run: Run, batch: Any, values: Sequence[Sequence[float] | None]) -> torch.Tensor | None:
    """Values a token, one sequence a row, as the table (b, t) of a micro-batch; None where the rows have none. A
    micro-batch without rows has zeros, for it must go the same way as the others.
    """
    if any(one is None for one in values):
        return None
    if not values:
        return torch.zeros(batch.mask.shape, device=run.device)
    flat = np.concatenate([np.asarray(one, dtype=np.float32) for one in values])
    return batch.table(torch.from_numpy(flat).to(run.device))


def keep_start(run: Run) -> None:
    """Keeps the model that GRPO starts from, where this run made it: the reference of the KL term, and what other runs
    can begin with.
    """
    made = run.recipe.warm_start is not None or run.recipe.model.scratch is not None
    if made and not run.processes.any((run.folder / START).exists()):
        weights = model_state(run.policy)
        if run.processes.is_main:
            fill = functools.partial(policy.save, run.bare.model, run.tokenizer, state=weights)
            checkpoint.save_folder(run.folder / START, fill)
        run.processes.wait()


def open_reference(run: Run) -> Any:
    """The frozen first policy, where the loss has a KL term and there are no adapters to be taken off."""
    recipe = run.recipe
    if recipe.loss.beta == 0 or recipe.model.lora is not None:
        return None
    start = run.folder / START
    source = str(start) if start.exists() else str(recipe.model.path)
    frozen = policy.Policy(policy.load(source, recipe), bfloat16=recipe.model.dtype == "bfloat16")
    return frozen.to(run.device).requires_grad_(False).eval()


def evaluate_if_due(run: Run, n_steps: int) -> bool:
    """Evaluates every so many steps and at the end, on the test pairs before the first and after the last step; the
    checkpoint of the best evaluation is kept. Gives whether it evaluated.
    """
    how, step = run.recipe.evaluation, run.state.step
    if run.state.evaluated >= step:
        return False
    at_ends = step == n_steps or (step == 0 and how.start)
    due = how.every is not None and (step % how.every == 0 if 0 < step < n_steps else at_ends)
    with run.stop.interruptible(run.processes.n == 1):
        records = []
        if due and run.pairs.validation:
            records.append(evaluate(run, run.pairs.validation[: how.pairs], step, "validation"))
        if at_ends and run.pairs.test:
            records.append(evaluate(run, run.pairs.test, step, "test"))
    for record in records:
        run.evaluated(record)
    return bool(records)


__all__ = ["Finished", "NonFiniteError", "TrainingError", "train"]
