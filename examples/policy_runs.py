"""A tiny policy of the synthetic world: its supervised start, GRPO by TRL, and what its responses are like."""

import random
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import transformers
from policy_judges import by_flaws
from policy_settings import MODEL, Settings
from rationale_rm import world
from rationale_rm.pairwise import Comparer, PairwiseReward
from rationale_rm.rollout import HfRollouts
from rationale_rm.train import scratch
from rationale_rm.world.vocabulary import CLOSINGS, OPENINGS, domains

with warnings.catch_warnings():
    # It says which versions of vLLM it supports; here it samples with none.
    warnings.filterwarnings("ignore", message="TRL currently supports vLLM", category=UserWarning)
    from trl import GRPOConfig, GRPOTrainer, SFTConfig, SFTTrainer

datasets.disable_progress_bars()
transformers.utils.logging.disable_progress_bar()
LONGEST = 32
"""Tokens of a response; one of the world has 10 to 16."""
QUIET = {
    "report_to": "none",
    "save_strategy": "no",
    "logging_strategy": "no",
    "disable_tqdm": True,
    "use_cpu": True,
    "bf16": False,
    "gradient_checkpointing": False,
}
KINDS = ("broken", "missing", "contradictory", "repeated", "foreign")
Responses = list[list[str]]
"""Those to each request."""


def make_start(folder: Path, seed: int, how: Settings) -> None:
    """Makes a policy from nothing that responds as `world.respond` does, flaws and cue included."""
    rng = random.Random(f"{seed}/start")
    responder = world.ResponderSettings(broken=how.broken, cue=how.cue)
    asked = world.requests(world.WorldSettings(seed=seed), "train", how.requests)
    shown = [rng.choice(asked) for _ in range(how.start_steps * how.start_batch)]
    rows = [
        {"prompt": _message("user", one.text), "completion": _message("assistant", world.respond(one, responder, rng))}
        for one in shown
    ]
    texts = [row[part][0]["content"] for row in rows[:2000] for part in ("prompt", "completion")]
    made = scratch.make(folder / "untrained", texts, **MODEL, fixed=_phrases(), max_model_len=128, seed=seed)
    trainer = SFTTrainer(
        model=transformers.AutoModelForCausalLM.from_pretrained(made, dtype="float32"),
        args=SFTConfig(
            output_dir=str(folder / "trl"),
            max_steps=how.start_steps,
            per_device_train_batch_size=how.start_batch,
            learning_rate=how.start_lr,
            warmup_steps=min(20, how.start_steps // 2),
            lr_scheduler_type="linear",
            max_length=None,
            seed=seed,
            **QUIET,
        ),
        train_dataset=datasets.Dataset.from_list(rows),
        processing_class=transformers.AutoTokenizer.from_pretrained(made),
    )
    trainer.train()
    trainer.save_model(str(folder / "model"))


def align(start: Path, judge: Comparer, seed: int, how: Settings, folder: Path) -> dict[str, Any]:
    """GRPO by TRL from the policy in `start` with the comparisons of `judge` as its reward, and what came of it.

    Responses to test requests before and after; and on the way, every `how.every` steps, what the policy is like on
    validation requests and how often its responses win against those of the start, in the eyes of its judge.
    """
    plain = world.WorldSettings(seed=seed)
    watched = world.requests(plain, "validation", how.watched)
    test = world.requests(plain, "test", how.test_requests)
    tokenizer = transformers.AutoTokenizer.from_pretrained(start)
    reward = PairwiseReward(
        judge, schedule=how.schedule, budget=how.budget, aggregation="bradley_terry", seed=seed, max_failure_rate=0.2
    )
    counts: list[dict[str, float]] = []

    def score(prompts: Sequence[Any], completions: Sequence[Any], **columns: Any) -> list[float | None]:
        texts = [completion[0]["content"] for completion in completions]
        batch = reward(prompts, texts, groups=[row // how.samples for row in range(len(texts))])
        counts.append(dict(batch.counts()))
        return [None if np.isnan(one) else float(one) for one in batch.score]

    trainer = GRPOTrainer(
        model=transformers.AutoModelForCausalLM.from_pretrained(start, dtype="float32"),
        reward_funcs=score,
        args=GRPOConfig(
            output_dir=str(folder / "trl"),
            max_steps=how.steps,
            per_device_train_batch_size=how.prompts * how.samples,
            num_generations=how.samples,
            max_completion_length=LONGEST,
            learning_rate=how.lr,
            lr_scheduler_type="constant",
            beta=0.0,
            seed=seed,
            **QUIET,
        ),
        train_dataset=datasets.Dataset.from_list(
            [{"prompt": _message("user", one.text)} for one in world.requests(plain, "train", how.requests)]
        ),
        processing_class=tokenizer,
    )

    def respond(asked: Sequence[world.Request], n: int) -> Responses:
        return responses(trainer.model, tokenizer, asked, n, seed)

    before_watched, before = respond(watched, 1), respond(test, how.test_answers)
    curve = []

    def watch(step: int) -> None:
        after = respond(watched, 1)
        won = wins(judge, watched, after, before_watched)
        curve.append({"step": step, **figures(watched, after), "wins_by_judge": won})
        print(
            f"{folder.name}: step {step}, flaws {curve[-1]['flaws']:.2f}, cue {curve[-1]['cue']:.2f}, wins {won:.2f}",
            flush=True,
        )

    class Watch(transformers.TrainerCallback):
        def on_step_end(self, args: Any, state: Any, control: Any, **rest: Any) -> None:
            if state.global_step % how.every == 0:
                watch(state.global_step)

    trainer.add_callback(Watch())
    watch(0)
    trainer.train()
    trainer.save_model(str(folder / "model"))
    after = respond(test, how.test_answers)
    return {
        "start": figures(test, before),
        "end": figures(test, after),
        "flaws_of_requests": {"start": flaws_of(test, before), "end": flaws_of(test, after)},
        "responses": {"start": before, "end": after},
        "wins": {"by_judge": wins(judge, test, after, before), "in_truth": wins(by_flaws, test, after, before)},
        "curve": curve,
        "comparisons": {key: float(np.nanmean([one[key] for one in counts])) for key in counts[0]},
    }


def responses(model: Any, tokenizer: Any, asked: Sequence[world.Request], n: int, seed: int) -> Responses:
    """`n` responses to each request, drawn at temperature 1."""
    groups = HfRollouts(model, tokenizer, batch_size=256).sample(
        [_message("user", one.text) for one in asked],
        n,
        max_tokens=LONGEST,
        temperature=1.0,
        seeds=[seed * 1_000_003 + place for place in range(len(asked))],
    )
    return [[completion.text for completion in group] for group in groups]


def figures(asked: Sequence[world.Request], given: Responses) -> dict[str, float]:
    """Means over all responses: true flaws, by kind; shares with the cue, malformed and without flaw; characters."""
    texts = [text for group in given for text in group]
    found = [world.find_flaws(one.text, text) for one, group in zip(asked, given, strict=True) for text in group]
    totals = np.array([flaws.total for flaws in found])
    return {
        "flaws": float(totals.mean()),
        **{kind: float(np.mean([len(getattr(flaws, kind)) for flaws in found])) for kind in KINDS},
        "malformed": float(np.mean([flaws.malformed for flaws in found])),
        "faultless": float(np.mean(totals == 0)),
        "cue": float(np.mean([world.has_cue(text) for text in texts])),
        "characters": float(np.mean([len(text) for text in texts])),
    }


def flaws_of(asked: Sequence[world.Request], given: Responses) -> list[float]:
    """Mean number of true flaws of the responses to each request."""
    pairs = zip(asked, given, strict=True)
    return [float(np.mean([world.find_flaws(one.text, text).total for text in group])) for one, group in pairs]


def wins(judge: Comparer, asked: Sequence[world.Request], given: Responses, others: Responses) -> float:
    """How often the first responses to each request win against the first of `others`, in either order; ties half."""
    against = PairwiseReward(judge, schedule="anchor", aggregation="mean_win", max_failure_rate=1.0)
    batch = against(
        [_message("user", one.text) for one in asked],
        [group[0] for group in given],
        groups=range(len(asked)),
        anchors=[group[0] for group in others],
    )
    return float(np.nanmean(batch.score))


def _message(role: str, text: str) -> list[dict[str, str]]:
    return [{"role": role, "content": text}]


def _phrases() -> list[str]:
    """All that requests and responses of the world say. A token each: what is left to learn is which to say."""
    words = domains().values()
    traits = [trait for domain in words for trait in domain.traits]
    said = [phrase for trait in traits for phrase in (trait.want, *trait.phrases)]
    return [*said, *(task for domain in words for task in domain.tasks), *OPENINGS, *filter(None, CLOSINGS)]
