"""The supervised warm start: the model learns the form, and what a judgement looks like, from demonstrations."""

from __future__ import annotations

import itertools
import random
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

from rationale_rm._core import RationaleError
from rationale_rm.train.batches import Order, Shown
from rationale_rm.train.packing import Tokens, micro_batch, micro_batches
from rationale_rm.train.pairs import Pairs
from rationale_rm.train.recipe import Recipe
from rationale_rm.train.update import apply_gradients, set_lr
from rationale_rm.types import VERDICT_TEXTS, ModelAnswer, Pair

if TYPE_CHECKING:
    from rationale_rm.train.run import Run


def demonstrations(recipe: Recipe, held: Pairs) -> Iterator[tuple[Shown, str]]:
    """Pairs with an answer to each, without end: the answers that files hold, or the world's, drawn anew each time.

    The n-th one depends on the recipe's seed and n alone. Raises `RationaleError` where there are none.
    """
    warm = recipe.warm_start
    assert warm is not None
    if warm.data is None:
        from rationale_rm import world

        settings = world.AnnotatorSettings(careful=warm.careful, attention=warm.attention)
        order = Order(held.train, recipe.seed, recipe.prompt.order, purpose="warm_start")
        for number in itertools.count():
            place, which = divmod(number, warm.per_pair)
            (shown,) = order.step(place, 1)
            rng = random.Random(f"{shown.seed}/{which}")
            yield shown, world.demonstrate(shown.pair, settings, rng, swapped=shown.swapped)
    answered = _answered(recipe, held)
    order = Order([pair for pair, _ in answered], recipe.seed, "given", purpose="warm_start")
    answer_of = {id(pair): answer for pair, answer in answered}
    for number in itertools.count():
        (shown,) = order.step(number, 1)
        answer = answer_of[id(shown.pair)]
        yield Shown(shown.pair, answer.swapped, shown.seed), _text(answer)


def texts_to_learn(recipe: Recipe, held: Pairs, n: int) -> list[str]:
    """Answers that a tokenizer is made for: the first `n` demonstrations, or else nothing."""
    if recipe.warm_start is None:
        return []
    return [text for _, text in itertools.islice(demonstrations(recipe, held), n)]


def _answered(recipe: Recipe, held: Pairs) -> list[tuple[Pair, ModelAnswer]]:
    """The pairs of ``warm_start.data`` with the answer that is learnt from."""
    warm = recipe.warm_start
    assert warm is not None
    if not held.demonstrations:
        raise RationaleError("no demonstration of warm_start.data is left")
    models = sorted({name for pair in held.demonstrations for name in pair.models})
    name = warm.answers_of
    if name is None:
        if len(models) != 1:
            raise RationaleError(
                f"warm_start.data holds answers of {', '.join(models) or 'no model'}: name one in warm_start.answers_of"
            )
        name = models[0]
    answered = [
        (pair, pair.models[name]) for pair in held.demonstrations if name in pair.models and _usable(pair.models[name])
    ]
    if not answered:
        raise RationaleError(f"warm_start.data holds no whole answer of {name}")
    return answered


def _usable(answer: ModelAnswer) -> bool:
    return bool(answer.text) or (bool(answer.reasons) and answer.verdict is not None)


def _text(answer: ModelAnswer) -> str:
    """The transcript, or the block that reasons and verdict make."""
    if answer.text:
        return answer.text
    verdict = answer.verdict or 0
    lines = "".join(f"{number}. {' '.join(reason.split())}\n" for number, reason in enumerate(answer.reasons or (), 1))
    shown = VERDICT_TEXTS[-verdict if answer.swapped else verdict]
    return f"<RESULT_START>\nList of reasons:\n{lines}Final assessment result:\n\\boxed{{{shown}}}\n<RESULT_END>"


def warm_start(run: Run) -> None:
    """The steps of the warm start that are not done yet.

    The loss is the mean over all answer tokens of an update, whatever the micro-batches and processes.
    """
    recipe = run.recipe
    warm = recipe.warm_start
    assert warm is not None
    run.progress.begin("warm start", run.state.step, warm.steps)
    stream = demonstrations(recipe, run.pairs)
    stream = itertools.islice(stream, run.state.step * warm.batch_size, None)
    limit = recipe.context
    for step in range(run.state.step + 1, warm.steps + 1):
        began = time.monotonic()
        tokens = []
        for shown, text in itertools.islice(stream, warm.batch_size):
            prompt = run.prompts.ids(run.prompts.messages(shown.pair, shown.swapped, recipe.prompt.n_reasons))
            answer = run.tokenizer(text, add_special_tokens=False)["input_ids"] + [run.tokenizer.eos_token_id]
            tokens.append(Tokens(prompt, answer[: max(limit - len(prompt), 0)]))
        lr = set_lr(run.optimiser, warm.lr, step, warm.steps, warm.warmup_steps, warm.schedule)
        n_tokens = sum(len(row.answer) for row in tokens)
        budget = recipe.optimiser.micro_batch_tokens
        dealt = micro_batches(tokens, budget, run.processes.n, packed=run.bare.packs)
        mine = dealt[run.processes.rank]
        shares = [0.0, 0.0]
        loaded = time.monotonic()
        for number, lanes in enumerate(mine):
            batch = micro_batch(lanes, tokens, run.pad, run.device)
            with run.gathering(number + 1 == len(mine)):
                logprobs, entropy = run.policy(batch)
                loss = -(logprobs.sum() if lanes else 0.0 * logprobs.sum()) / n_tokens
                run.accelerator.backward(loss * run.processes.n)
            if lanes:
                shares[0] += loss.item()
                shares[1] += entropy.detach().sum().item() / n_tokens
        loss_value, entropy_value = run.processes.total(shares)
        grad_norm = apply_gradients(run, warm.max_grad_norm, loss_value)
        run.record(
            {
                "phase": "warm_start",
                "step": step,
                "loss": loss_value,
                "entropy": entropy_value,
                "grad_norm": grad_norm,
                "lr": lr,
                "tokens": n_tokens,
                "seconds": {
                    "model": time.monotonic() - loaded,
                    "other": loaded - began,
                    "total": time.monotonic() - began,
                },
            },
            f"loss {loss_value:.3f}",
        )
        run.save_if_due(step == warm.steps)
