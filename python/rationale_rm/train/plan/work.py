"""How much a run does: steps, tokens, updates and judge calls, a step and in all, as ranges."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from rationale_rm.judge.limits import CHARACTERS_A_TOKEN
from rationale_rm.judge.prices import Price, find_price
from rationale_rm.judge.spec import Spec, parse_spec

if TYPE_CHECKING:
    from rationale_rm.train.recipe import Recipe

TYPICAL_REASONS: Final = 5
TYPICAL_REASON: Final = (
    "Response A states in its second paragraph that the limit is 30 days, where the request says 60."
)
"""A reason of usual length: the length of a judge's prompt is reckoned with lists of these."""


@dataclass(frozen=True, slots=True)
class Range:
    """From at least to at the most."""

    low: int
    high: int

    def times(self, number: int) -> Range:
        """As often as `number`."""
        return Range(self.low * number, self.high * number)

    def plus(self, other: Range) -> Range:
        """Both together."""
        return Range(self.low + other.low, self.high + other.high)


@dataclass(frozen=True, slots=True)
class Pairs:
    """Pairs to train on."""

    number: int | None
    """None where the data are not at hand."""
    source: str


@dataclass(frozen=True, slots=True)
class Judging:
    """What a judge is asked."""

    name: str
    is_model: bool
    """Whether it is asked over calls that cost tokens: no local judge, no oracle."""
    step: Range
    """Calls a step, retries and equal questions apart."""
    evaluation: int
    """Calls an evaluation of the validation pairs, at the most."""
    total: Range | None
    """In the whole run; None where its length is not known."""
    prompt_tokens: int | None
    """Tokens of one question with lists of usual length; None where prompts cannot be rendered here."""
    answer_tokens: int
    """Tokens of one answer, at the most."""
    cost: tuple[float, float] | None
    """US dollars for the whole run, answers at their longest at the upper end; None without a price."""


@dataclass(frozen=True, slots=True)
class Work:
    """What a run does."""

    pairs: Pairs
    steps: int | None
    epochs: float | None
    """Passes over the training pairs that the steps come to."""
    completions: int
    """Answers a step."""
    updates: int
    """Updates a step."""
    passes: int
    """Forward and backward passes of one update on a device, at the most."""
    prompt_tokens: int
    """Prompt tokens a step at the most; a group's prompt is counted once."""
    sampled_tokens: int
    """Completion tokens a step, at the most."""
    trained_tokens: int
    """Tokens through forward and backward a step, at the most: prompts and completions, each pass."""
    evaluations: int | None
    """Evaluations of the validation pairs in the run."""
    evaluated: int | None
    """Answers an evaluation; None where the number of pairs is not known."""
    tested: int | None
    """Answers about the test pairs, those before the first and those after the last step."""
    warm_start: int
    """Supervised updates."""
    judging: tuple[Judging, ...]
    """The judge of the reward, and that of the evaluations where it is another one."""


def work(recipe: Recipe, pairs: Pairs, validation: int | None, test: int | None) -> Work:
    """Counts; `validation` and `test` are the pairs there, None where that is not known."""
    steps = None if pairs.number is None else recipe.steps(pairs.number)
    if steps is None and recipe.train.epochs is None:
        steps = recipe.train.steps
    known = pairs.number is not None and steps is not None
    completions = recipe.completions
    prompt, answer = recipe.prompt.max_tokens, recipe.rollout.max_tokens
    evaluations = None if steps is None else _evaluations(recipe, steps)
    orders = 2 if recipe.evaluation.both_orders else 1
    evaluated = _fewer(recipe.evaluation.pairs, validation) if recipe.evaluation.every is not None else 0
    tested = _fewer(recipe.evaluation.test_pairs, test)
    tests = 2 if recipe.evaluation.start else 1
    return Work(
        pairs=pairs,
        steps=steps,
        epochs=steps * recipe.rollout.prompts / pairs.number if known and steps and pairs.number else None,
        completions=completions,
        updates=recipe.updates,
        passes=_passes(recipe),
        prompt_tokens=recipe.rollout.prompts * prompt,
        sampled_tokens=completions * answer,
        trained_tokens=completions * min(prompt + answer, recipe.context) * recipe.optimiser.epochs,
        evaluations=evaluations,
        evaluated=None if evaluated is None else evaluated * orders,
        tested=None if tested is None else tests * tested * orders,
        warm_start=0 if recipe.warm_start is None else recipe.warm_start.steps,
        judging=_judging(recipe, steps, evaluations, evaluated, tested, orders, tests),
    )


def _passes(recipe: Recipe) -> int:
    """Micro-batches of an update on one device where every answer is as long as it may be."""
    answers = math.ceil(recipe.mini_batch * recipe.rollout.samples / recipe.devices.processes)
    return math.ceil(answers / max(1, recipe.optimiser.micro_batch_tokens // recipe.context))


def _fewer(asked: int | None, there: int | None) -> int | None:
    """How many pairs are evaluated of those there."""
    if there is None:
        return asked
    return there if asked is None else min(asked, there)


def _evaluations(recipe: Recipe, steps: int) -> int:
    """Before the first step, every so many, and after the last."""
    every = recipe.evaluation.every
    if every is None:
        return 0
    return int(recipe.evaluation.start) + math.ceil(steps / every)


def judge_calls(recipe: Recipe) -> Range:
    """Calls that the rewards of one step take. At the least all answers are wrong behind a gate, or malformed, and
    the audited share alone is judged; at the most all are judged.
    """
    reward, n = recipe.reward, recipe.completions
    audited = math.ceil(n * reward.audit)
    low, high = (audited, audited) if reward.mode == "outcome" else (audited if reward.gate else n, n)
    return Range(low, high).times(reward.judge_samples)


def _judging(
    recipe: Recipe,
    steps: int | None,
    evaluations: int | None,
    evaluated: int | None,
    tested: int | None,
    orders: int,
    tests: int,
) -> tuple[Judging, ...]:
    samples = recipe.reward.judge_samples
    one = (evaluated or 0) * orders * samples
    held = None if evaluations is None else Range(0, evaluations * one + tests * (tested or 0) * orders * samples)
    step = judge_calls(recipe)
    rewards = None if steps is None else step.times(steps)
    if recipe.evaluation_judge == recipe.reward.judge:
        both = None if rewards is None or held is None else rewards.plus(held)
        return (_judge(recipe, recipe.reward.judge, step, one, both),)
    return (
        _judge(recipe, recipe.reward.judge, step, 0, rewards),
        _judge(recipe, recipe.evaluation_judge, Range(0, 0), one, held),
    )


def _judge(recipe: Recipe, text: str, step: Range, evaluation: int, total: Range | None) -> Judging:
    spec = _spec(text)
    is_model = spec is not None and not spec.is_local_judge
    prompt = _prompt_tokens() if is_model else None
    answer = recipe.reward.judge_max_tokens if is_model else 0
    price = find_price(spec.name) if spec is not None and spec.kind == "openai" and not spec.urls else None
    return Judging(text, is_model, step, evaluation, total, prompt, answer, _cost(price, total, prompt, answer))


def _spec(text: str) -> Spec | None:
    try:
        return parse_spec(text, judge=True)
    except ValueError:  # the oracle
        return None


def _cost(price: Price | None, total: Range | None, prompt: int | None, answer: int) -> tuple[float, float] | None:
    if price is None or total is None or prompt is None:
        return None
    return price.cost(total.low * prompt, 0, 0), price.cost(total.high * prompt, 0, total.high * answer)


def _prompt_tokens() -> int | None:
    from rationale_rm import prompts

    reasons = [TYPICAL_REASON] * TYPICAL_REASONS
    try:
        rendered = prompts.metajudge(reasons, reasons, key=bytes(32), call="")
    except ImportError:
        return None
    return round(sum(len(message["content"]) for message in rendered.messages) / CHARACTERS_A_TOKEN)
