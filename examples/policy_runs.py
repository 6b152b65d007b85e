"""A tiny policy of the synthetic world: its supervised start, GRPO by TRL, and what its responses are like."""

import random
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import torch
import transformers
from policy_judges import by_flaws
from policy_settings import MODEL, Settings
from rationale_rm import world
from rationale_rm.integrations.trl import trl_pairwise_reward
from rationale_rm.pairwise import Comparer, PairwiseBatch, PairwiseReward
from rationale_rm.rollout import HfRollouts
from rationale_rm.train import scratch
from rationale_rm.train.scratch import END
from rationale_rm.world.vocabulary import CLOSINGS, OPENINGS, domains
from torch.nn.utils.rnn import pad_sequence

with warnings.catch_warnings():
    # It says which versions of vLLM it supports; here it samples with none.
    warnings.filterwarnings("ignore", message="TRL currently supports vLLM", category=UserWarning)
    from trl import GRPOConfig, GRPOTrainer

datasets.disable_progress_bars()
transformers.utils.logging.disable_progress_bar()
QUIET = {
    "report_to": "none",
    "save_strategy": "no",
    "logging_strategy": "no",
    "disable_tqdm": True,
    "use_cpu": True,
    "bf16": False,
    "gradient_checkpointing": False,
}
UNLEARNT = -100
"""Label of tokens without a loss."""
KINDS = ("broken", "missing", "contradictory", "repeated", "foreign")
"""Of flaws, beside `malformed`."""
WITHIN = {"flaws": "total", "unmet": "unmet"}
"""Figures that are kept for each request, and what they are called in `world.Flaws`."""
Responses = list[list[str]]
"""Those to each request."""


def make_start(folder: Path, seed: int, how: Settings) -> None:
    """Makes a policy from nothing that responds as `world.respond` does, flaws and cue included."""
    rng = random.Random(f"{seed}/start")
    responder = world.ResponderSettings(broken=how.broken, cue=how.cue)
    asked = world.requests(world.WorldSettings(seed=seed), "train", how.requests)
    texts = [text for one in asked for text in (one.text, world.respond(one, responder, rng))]
    scratch.make(folder / "model", texts, **MODEL, fixed=_phrases(), max_model_len=128, seed=seed)
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder / "model")
    model = transformers.AutoModelForCausalLM.from_pretrained(folder / "model", dtype=torch.float32)
    prompts = [
        tokenizer.apply_chat_template(_message("user", one.text), add_generation_prompt=True)["input_ids"]
        for one in asked
    ]
    optimiser = torch.optim.AdamW(model.parameters(), lr=how.start_lr, betas=(0.9, 0.95), weight_decay=0.0)
    warmup = min(20, how.start_steps // 2)
    rate = transformers.get_linear_schedule_with_warmup(optimiser, warmup, how.start_steps)
    for _ in range(how.start_steps):
        shown = rng.choices(range(len(asked)), k=how.start_batch)
        said = [tokenizer(world.respond(asked[one], responder, rng) + END)["input_ids"] for one in shown]
        ids, labels = zip(
            *[
                (torch.tensor(prompts[one] + ours), torch.tensor([UNLEARNT] * len(prompts[one]) + ours))
                for one, ours in zip(shown, said, strict=True)
            ],
            strict=True,
        )
        padded = pad_sequence(ids, batch_first=True, padding_value=tokenizer.pad_token_id)
        learnt = pad_sequence(labels, batch_first=True, padding_value=UNLEARNT)
        model(input_ids=padded, attention_mask=(padded != tokenizer.pad_token_id).long(), labels=learnt).loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        optimiser.zero_grad()
        rate.step()
    model.save_pretrained(folder / "model")


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
        judge, schedule=how.schedule, budget=how.budget, aggregation="bradley_terry", seed=seed, max_failure_rate=0.5
    )
    counted = Counted(reward)
    trainer = GRPOTrainer(
        model=transformers.AutoModelForCausalLM.from_pretrained(start, dtype="float32"),
        reward_funcs=trl_pairwise_reward(counted),
        args=GRPOConfig(
            output_dir=str(folder / "trl"),
            max_steps=how.steps,
            per_device_train_batch_size=how.prompts * how.samples,
            num_generations=how.samples,
            max_completion_length=how.longest,
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
        return responses(trainer.model, tokenizer, asked, n, seed, how.longest)

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
    leaning = leanings(judge, world.requests(plain, "validation", how.probed), how, seed)
    trainer.train()
    trainer.save_model(str(folder / "model"))
    after = respond(test, how.test_answers)
    return {
        "start": figures(test, before),
        "end": figures(test, after),
        "by_request": {
            figure: {"start": means(test, before, figure), "end": means(test, after, figure)} for figure in WITHIN
        },
        "responses": {"start": before, "end": after},
        "wins": {"by_judge": wins(judge, test, after, before), "in_truth": wins(by_flaws, test, after, before)},
        "curve": curve,
        "judge": leaning,
        "comparisons": {key: [float(one[key]) for one in counted.counts] for key in counted.counts[0]},
    }


class Counted:
    """A pairwise reward that remembers the counts of each batch."""

    def __init__(self, reward: PairwiseReward):
        self._reward = reward
        self.counts: list[Mapping[str, float]] = []

    async def score(self, prompts: Sequence[Any], responses: Sequence[str | None], **columns: Any) -> PairwiseBatch:
        """See `PairwiseReward.score`."""
        batch = await self._reward.score(prompts, responses, **columns)
        self.counts.append(batch.counts())
        return batch


def leanings(judge: Comparer, asked: Sequence[world.Request], how: Settings, seed: int) -> dict[str, float]:
    """What a judge goes by, when it compares two demonstrations for each request, in both orders.

    Where one of them has the cue, how often that one wins (ties half); where both or neither have it, how often the two
    orders contradict each other, and how often the one with fewer flaws wins.
    """
    rng = random.Random(f"{seed}/leanings")
    responder = world.ResponderSettings(broken=how.broken, cue=how.cue)
    shown = [(one, [world.respond(one, responder, rng) for _ in range(2)]) for one in asked]
    shown = [(one, texts) for one, texts in shown if texts[0] != texts[1]]
    prompts = [_message("user", one.text) for one, _ in shown for _ in range(2)]
    groups = [place for place in range(len(shown)) for _ in range(2)]
    reward = PairwiseReward(judge, schedule="round_robin", aggregation="mean_win", max_failure_rate=1.0)
    batch = reward(prompts, [text for _, texts in shown for text in texts], groups=groups)
    cue_wins, contradictions, right = [], [], []
    for pair in batch.played:
        one, texts = shown[pair.group]
        won = pair.outcome if pair.first % 2 == 0 else 1 - pair.outcome
        cues = [world.has_cue(text) for text in texts]
        flaws = [world.find_flaws(one.text, text).total for text in texts]
        if cues[0] != cues[1]:
            cue_wins.append(won if cues[0] else 1 - won)
            continue
        if None not in pair.verdicts:
            contradictions.append(float(np.sign(pair.verdicts).sum() == 0 and pair.verdicts[0] != 0))
        if flaws[0] != flaws[1]:
            right.append(won if flaws[0] < flaws[1] else 1 - won)
    means = {"cue_wins": cue_wins, "contradictions_else": contradictions, "fewer_flaws_win_else": right}
    return {
        **{name: float(np.nanmean(values)) if values else float("nan") for name, values in means.items()},
        "with_one_cue": len(cue_wins),
        "else": len(contradictions),
    }


def responses(model: Any, tokenizer: Any, asked: Sequence[world.Request], n: int, seed: int, longest: int) -> Responses:
    """`n` responses to each request, drawn at temperature 1."""
    groups = HfRollouts(model, tokenizer, batch_size=256).sample(
        [_message("user", one.text) for one in asked],
        n,
        max_tokens=longest,
        temperature=1.0,
        seeds=[seed * 1_000_003 + place for place in range(len(asked))],
    )
    return [[completion.text for completion in group] for group in groups]


def figures(asked: Sequence[world.Request], given: Responses) -> dict[str, float]:
    """Means over all responses: true flaws, by kind; unmet constraints; shares with the cue, malformed and without
    flaw; characters.
    """
    texts = [text for group in given for text in group]
    found = [world.find_flaws(one.text, text) for one, group in zip(asked, given, strict=True) for text in group]
    totals = np.array([flaws.total for flaws in found])
    return {
        "flaws": float(totals.mean()),
        **{kind: float(np.mean([len(getattr(flaws, kind)) for flaws in found])) for kind in KINDS},
        "malformed": float(np.mean([flaws.malformed for flaws in found])),
        "unmet": float(np.mean([flaws.unmet for flaws in found])),
        "faultless": float(np.mean(totals == 0)),
        "cue": float(np.mean([world.has_cue(text) for text in texts])),
        "characters": float(np.mean([len(text) for text in texts])),
    }


def means(asked: Sequence[world.Request], given: Responses, figure: str) -> list[float]:
    """Mean of `WITHIN` of the responses to each request."""
    return [
        float(np.mean([getattr(world.find_flaws(one.text, text), WITHIN[figure]) for text in group]))
        for one, group in zip(asked, given, strict=True)
    ]


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
