"""Whole GRPO steps on one thread against TRL's `GRPOTrainer`, and what a step spends beside sampling, judge and model.

python -m benches.grpo_step [--quick]      # under the Python of `make setup-models`, or `make setup`

Both trainers start from one model of the sizes of recipe tiny-cpu, see the same prompts in the same order, draw groups
of 8 answers of 64 tokens (no token that the model can write ends an answer), and make one AdamW update a rollout from
one micro-batch. A model from nothing writes no critique, so both reward the one that a seeded annotator writes in the
place of each answer, by the same `RationaleReward` with the oracle: rewards are equal, and no group is without signal.

A step is timed from one rollout's rewards to the next one's, so that everything in between counts: the CPU time of the
process, which on one thread is its wall time where nothing else runs. Each side runs in a process of its own; the sides
take turns.

Of a step's time all counts as overhead that is neither sampling nor judge nor model, and besides what the reward itself
takes (parsing, matching, scores, advantages). That is done while the sampler goes on, so it is timed by itself, on the
same answers and the judge's kept results, after the run.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benches.vllm_server import PYTHON

if TYPE_CHECKING:
    from rationale_rm.judge import Judge
    from rationale_rm.judge.protocol import OnResult
    from rationale_rm.rewards import RationaleReward
    from rationale_rm.train.batches import Shown
    from rationale_rm.train.judging import Remembering
    from rationale_rm.train.recipe import Recipe
    from rationale_rm.types import MatchRequest, MatchResult, RewardBatch

TARGET = 1.3
OVERHEAD_TARGET = 2.0
PROMPTS, SAMPLES, TOKENS = 8, 8, 64
SIDES = ("ours", "trl")
NEVER = "<|never|>"
WARM_UP = 2
_TOLERANCE = 1e-5


@dataclass(frozen=True)
class Sizes:
    """How much is run."""

    turns: int = 3
    """Processes a side."""
    steps: int = 3
    """Timed steps a process."""
    warm_start: int = 150
    """Supervised updates before the steps whose overhead is measured: enough that answers have the form."""
    overhead_steps: int = 15


QUICK = Sizes(turns=1, steps=3, warm_start=40, overhead_steps=4)


@dataclass(frozen=True)
class Side:
    """One process of a side."""

    seconds: list[float]
    """CPU time of each timed step."""
    wall_seconds: list[float]
    """Its wall time."""
    rewards: list[float]
    """Mean reward of each step, by which the sides are compared."""
    prompt_tokens: int
    """Of a step's prompts, each counted once, on average over the steps."""
    tokens: int
    """Of a step's answers."""


@dataclass(frozen=True)
class Steps:
    """Both sides."""

    tokens: int
    prompt_tokens: int
    ours: float
    """Median CPU seconds of a step."""
    trl: float
    n_timed: int
    """Steps of each side."""
    wall: dict[str, float]
    """Median wall seconds of a step by side."""


@dataclass(frozen=True)
class Overhead:
    """Where the seconds of the loop's steps went."""

    percent: float
    """Of the steps' time that is neither sampling nor judge nor model, the time between steps included, and the
    reward's own."""
    reward: float
    """The reward's own part of it, in percent of the steps' time."""
    recorded: float
    """The same by the steps' own records: ``other`` and ``sync`` over ``total``."""
    step: float
    """Mean seconds of a step."""
    answer_tokens: float
    """Mean length of an answer."""
    readable: float
    """Share of answers with the form."""


def measure(sizes: Sizes | None = None) -> Steps:
    """Times both sides in turns, in fresh processes. Raises `SystemExit` where they did not do the same."""
    sizes = sizes or Sizes()
    found: dict[str, list[Side]] = {side: [] for side in SIDES}
    with tempfile.TemporaryDirectory() as folder:
        _child("model", folder)
        for turn in range(sizes.turns):
            for side in SIDES:
                found[side].append(Side(**_child(side, folder, str(turn), str(sizes.steps))))
    first = found["ours"][0]
    for one in (*found["ours"], *found["trl"]):
        same = all(abs(a - b) < _TOLERANCE for a, b in zip(one.rewards, first.rewards, strict=True))
        if not same or (one.tokens, one.prompt_tokens) != (first.tokens, first.prompt_tokens):
            raise SystemExit("grpo_step: the sides differ in rewards, prompts or lengths")

    def median(side: str, clock: str) -> float:
        return statistics.median(value for one in found[side] for value in getattr(one, clock))

    return Steps(
        tokens=first.tokens,
        prompt_tokens=first.prompt_tokens,
        ours=median("ours", "seconds"),
        trl=median("trl", "seconds"),
        n_timed=sum(len(one.seconds) for one in found["ours"]),
        wall={side: median(side, "wall_seconds") for side in SIDES},
    )


def overhead(sizes: Sizes | None = None) -> Overhead:
    """Runs recipe tiny-cpu on torch's own number of threads, with a shorter warm start and few steps."""
    sizes = sizes or Sizes()
    with tempfile.TemporaryDirectory() as folder:
        return Overhead(**_child("overhead", folder, str(sizes.warm_start), str(sizes.overhead_steps), threads=None))


def _child(*arguments: str, threads: int | None = 1) -> dict[str, Any]:
    environment = {**os.environ, "TOKENIZERS_PARALLELISM": "false", "HF_HUB_OFFLINE": "1"}
    if threads is not None:
        environment.update(dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "RAYON_NUM_THREADS"), str(threads)))
    command = [str(PYTHON), "-m", "benches.grpo_step", "--child", *arguments]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"grpo_step {arguments[0]} failed:\n{done.stderr[-4000:]}")
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


class Watched:
    """A reward that the loop takes for its `RationaleReward`: it notes when each step's rewards are there, and scores
    `Written` critiques in the place of answers where it is given some.
    """

    def __init__(self, reward: RationaleReward, written: Written | None = None):
        self._reward = reward
        self._written = written
        self.asked: list[dict[str, Any]] = []
        self.times: list[float] = []
        self.cpu_times: list[float] = []
        self.batches: list[RewardBatch] = []

    async def score(self, texts: Sequence[str], *, ids: Sequence[str], **columns: Any) -> RewardBatch:
        """As `RationaleReward.score`."""
        scored = texts if self._written is None else [self._written.critique(one) for one in ids]
        self.asked.append({"texts": scored, "ids": ids, **columns})
        return await self._reward.score(scored, ids=ids, **columns)

    def join(self, parts: Sequence[RewardBatch]) -> RewardBatch:
        """As `RationaleReward.join`."""
        whole = self._reward.join(parts)
        self.note(whole)
        return whole

    def note(self, batch: RewardBatch) -> None:
        """The rewards of a step are there."""
        self.times.append(time.perf_counter())
        self.cpu_times.append(time.process_time())
        self.batches.append(batch)


class Recalled:
    """A judge that says at once what another one has said of the same lists."""

    def __init__(self, memory: Remembering):
        self._memory = memory
        self.name, self.stand_in = memory.name, memory.stand_in

    async def match(self, requests: Sequence[MatchRequest], *, on_result: OnResult | None = None) -> list[MatchResult]:
        """As `Judge.match`."""
        return [self._result(one) for one in requests]

    def _result(self, request: MatchRequest) -> MatchResult:
        known = self._memory.result(request.references, request.reasons, request.swapped)
        assert known is not None, "the judge was not asked this"
        return replace(known, request_id=request.id)


class Written:
    """The critique that a seeded annotator writes in the place of an answer."""

    def __init__(self, steps: Sequence[Sequence[Shown]]):
        from rationale_rm import world

        self._steps = steps
        self._settings = world.AnnotatorSettings()

    def critique(self, name: str) -> str:
        """Of the answer ``step/prompt/sample``, the step counted from 1."""
        from rationale_rm import world

        step, number, sample = map(int, name.split("/"))
        shown = self._steps[step - 1][number]
        rng = random.Random(f"{shown.seed}/{sample}")
        return world.demonstrate(shown.pair, self._settings, rng, swapped=shown.swapped)


def _recipe(folder: Path, model: Path, steps: int) -> Recipe:
    from rationale_rm.train.recipe import read_recipe

    return read_recipe(
        "tiny-cpu",
        [
            "model.scratch=null",
            f"model.path={model}",
            "data.world={pairs: 400, validation_pairs: 0, test_pairs: 0}",
            "warm_start=null",
            f"rollout={{prompts: {PROMPTS}, samples: {SAMPLES}, max_tokens: {TOKENS}}}",
            "reward={judge: oracle, mode: sum}",
            "optimiser.warmup_steps=0",
            "optimiser.schedule=constant",
            f"train.steps={steps}",
            "evaluation.every=null",
            f"output={{folder: {folder}, save_every: null, samples_every: null, progress: false}}",
        ],
    )


def _make_model(folder: Path) -> dict[str, Any]:
    """Model and tokenizer of recipe tiny-cpu, with an end of answers that is beyond the model's vocabulary."""
    import transformers
    from rationale_rm import prompts, world
    from rationale_rm.train import scratch
    from rationale_rm.train.recipe import read_recipe

    section = read_recipe("tiny-cpu").model.scratch
    assert section is not None
    pairs = world.pairs(world.WorldSettings(), "train", 1000)
    rng = random.Random(0)
    texts = [message["content"] for pair in pairs for message in prompts.genrm_brief(pair).messages]
    texts += [world.demonstrate(pair, world.AnnotatorSettings(), rng) for pair in pairs]
    scratch.make(folder, texts, **section.model_dump(), max_model_len=256 + TOKENS)
    model: Any = transformers.AutoModelForCausalLM.from_pretrained(folder)
    tokenizer: Any = transformers.AutoTokenizer.from_pretrained(folder)
    tokenizer.add_special_tokens({"eos_token": NEVER})
    never = tokenizer.eos_token_id
    assert never >= model.config.vocab_size, "the model could write the end token"
    model.config.eos_token_id = model.generation_config.eos_token_id = never
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return {"parameters": model.num_parameters()}


def _shown(recipe: Recipe, steps: int) -> list[list[Shown]]:
    """What the loop shows in each step."""
    from rationale_rm.train import pairs
    from rationale_rm.train.batches import Order

    order = Order(pairs.load(recipe).train, recipe.seed, recipe.prompt.order)
    return [order.step(step, PROMPTS) for step in range(steps)]


def _side(watched: Watched, prompt_tokens: Sequence[int], tokens: Sequence[int]) -> Side:
    assert len(set(tokens)) == 1, "the steps differ in length"
    for batch in watched.batches:
        groups = batch.reward.reshape(PROMPTS, SAMPLES)
        assert (groups.std(1) > 0).all(), "a group is without signal"
    return Side(
        seconds=_between(watched.cpu_times),
        wall_seconds=_between(watched.times),
        rewards=[float(batch.reward.mean()) for batch in watched.batches],
        prompt_tokens=sum(prompt_tokens) // len(prompt_tokens),
        tokens=tokens[0],
    )


def _between(times: Sequence[float]) -> list[float]:
    return [after - before for before, after in itertools.pairwise(times[WARM_UP - 1 :])]


def _train(
    recipe: Recipe, written: Written | None, judge_of: Callable[[Judge], Judge] = lambda judge: judge
) -> tuple[Watched, list[dict[str, Any]]]:
    """The loop as it is, with its reward watched, and its judge within what `judge_of` makes of it."""
    from rationale_rm.train import begin
    from rationale_rm.train.judging import open_reward
    from rationale_rm.train.loop import train
    from rationale_rm.train.tracking import read_metrics

    opened: list[Watched] = []

    def watched(recipe: Recipe, judge: Judge) -> Any:
        opened.append(Watched(open_reward(recipe, judge_of(judge)), written))
        return opened[-1]

    vars(begin)["open_reward"] = watched
    finished = train(recipe)
    return opened[0], read_metrics(finished.folder, "grpo")


def _ours(folder: Path, model: Path, steps: int) -> Side:
    recipe = _recipe(folder, model, steps)
    watched, records = _train(recipe, Written(_shown(recipe, steps)))
    return _side(
        watched,
        [record["tokens"]["prompt"] for record in records],
        [record["tokens"]["answer"] for record in records],
    )


def _trl(folder: Path, model: Path, steps: int) -> Side:
    """TRL with whatever makes it faster here: no checkpointing of activations, no logs, no KL term, one micro-batch."""
    import warnings

    warnings.simplefilter("ignore")
    import datasets
    import transformers
    from rationale_rm import prompts, world
    from rationale_rm.train.judging import open_reward
    from trl import GRPOConfig, GRPOTrainer

    datasets.disable_progress_bars()
    recipe = _recipe(folder, model, steps)
    shown = _shown(recipe, steps)
    watched = Watched(open_reward(recipe, world.OracleJudge()))
    written = Written(shown)
    tokenizer: Any = transformers.AutoTokenizer.from_pretrained(model)
    policy: Any = transformers.AutoModelForCausalLM.from_pretrained(model, dtype="float32")
    rows = [
        {
            "prompt": [dict(message) for message in prompts.genrm_brief(one.pair, swapped=one.swapped).messages],
            "number": number,
            "step": step,
        }
        for step, group in enumerate(shown, 1)
        for number, one in enumerate(group)
    ]
    prompt_tokens: list[int] = []
    tokens: list[int] = []

    def reward(
        completion_ids: Sequence[Sequence[int]], step: Sequence[int], number: Sequence[int], **columns: Any
    ) -> list[float]:
        of_rows = [shown[of_step - 1][of_prompt] for of_step, of_prompt in zip(step, number, strict=True)]
        names = [f"{step[row]}/{number[row]}/{row % SAMPLES}" for row in range(len(step))]
        batch = watched._reward(
            [written.critique(name) for name in names],
            references=[one.pair.references for one in of_rows],
            labels=[one.pair.label for one in of_rows],
            groups=number,
            swapped=[one.swapped for one in of_rows],
            lengths=[len(ids) for ids in completion_ids],
            ids=names,
        )
        watched.note(batch)
        tokens.append(sum(map(len, completion_ids)))
        return batch.reward.tolist()  # type: ignore[no-any-return]

    for group in shown:
        chats = [list(prompts.genrm_brief(one.pair, swapped=one.swapped).messages) for one in group]
        read = tokenizer.apply_chat_template(chats, add_generation_prompt=True)["input_ids"]
        prompt_tokens.append(sum(map(len, read)))
    how = recipe.optimiser
    trainer: Any = GRPOTrainer(
        policy,
        reward,
        args=GRPOConfig(
            output_dir=str(folder),
            max_steps=steps,
            per_device_train_batch_size=PROMPTS * SAMPLES,
            gradient_accumulation_steps=1,
            num_generations=SAMPLES,
            max_completion_length=TOKENS,
            shuffle_dataset=False,
            pad_to_multiple_of=None,
            temperature=recipe.rollout.temperature,
            beta=0.0,
            loss_type="dapo",
            epsilon=recipe.loss.clip_low,
            learning_rate=how.lr,
            lr_scheduler_type="constant",
            adam_beta1=how.betas[0],
            adam_beta2=how.betas[1],
            weight_decay=how.weight_decay,
            max_grad_norm=how.max_grad_norm,
            gradient_checkpointing=False,
            bf16=False,
            use_cpu=True,
            dataloader_pin_memory=False,
            logging_strategy="no",
            save_strategy="no",
            report_to="none",
            disable_tqdm=True,
        ),
        train_dataset=datasets.Dataset.from_list(rows),
        processing_class=tokenizer,
    )
    trainer.train()
    return _side(watched, prompt_tokens, tokens)


def _overhead(folder: Path, warm_start: int, steps: int) -> Overhead:
    from rationale_rm.train.judging import Remembering, open_reward
    from rationale_rm.train.recipe import read_recipe

    recipe = read_recipe(
        "tiny-cpu",
        [
            "data.world.pairs=2000",
            "data.world.validation_pairs=0",
            "data.world.test_pairs=0",
            f"warm_start.steps={warm_start}",
            f"train.steps={steps}",
            "optimiser.warmup_steps=2",
            "evaluation.every=null",
            f"output={{folder: {folder}, save_every: null, samples_every: null}}",
        ],
    )
    memories: list[Remembering] = []

    def remembering(judge: Judge) -> Judge:
        memories.append(Remembering(judge))
        memories[0].remembers = True
        return memories[0]

    watched, records = _train(recipe, None, remembering)
    reward = _reward_seconds(watched.asked, open_reward(recipe, Recalled(memories[0])))
    # Between the rewards of the first and the last timed step lie the updates of all but the last, and the rollouts of
    # all but the first.
    timed = [record["seconds"] for record in records[WARM_UP - 1 :]]
    whole = watched.times[-1] - watched.times[WARM_UP - 1]
    known = sum(one["model"] for one in timed[:-1]) + sum(one["sample"] + one["judge"] for one in timed[1:])
    last = records[WARM_UP:]
    return Overhead(
        percent=100 * (1 - (known - reward) / whole),
        reward=100 * reward / whole,
        recorded=100 * sum(one["other"] + one["sync"] for one in timed) / sum(one["total"] for one in timed),
        step=whole / (len(timed) - 1),
        answer_tokens=statistics.fmean(record["tokens"]["mean"] for record in last),
        readable=1 - statistics.fmean(record["format_errors"] for record in last),
    )


def _reward_seconds(asked: Sequence[dict[str, Any]], reward: RationaleReward) -> float:
    """What `reward` takes for what was asked of it in all timed steps, with a judge that answers at once."""
    from rationale_rm.judge import loop

    def step(columns: dict[str, Any]) -> int:
        return int(columns["ids"][0].split("/")[0])

    total = 0.0
    for number, of_step in itertools.groupby(sorted(asked, key=step), key=step):
        groups = list(of_step)
        began = time.perf_counter()
        reward.join([loop.run(reward.score(**group)) for group in groups])
        total += time.perf_counter() - began if number > WARM_UP else 0.0
    return total


def _run_child(what: str, folder: str, numbers: Sequence[int]) -> dict[str, Any]:
    import torch

    model = Path(folder, "model")
    if what == "overhead":
        return asdict(_overhead(Path(folder, "run"), *numbers))
    torch.set_num_threads(1)
    if what == "model":
        return _make_model(model)
    turn, steps = numbers
    run = {"ours": _ours, "trl": _trl}[what]
    return asdict(run(Path(folder, f"{what}-{turn}"), model, WARM_UP + steps))


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benches.grpo_step", description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help=f"{QUICK}")
    parser.add_argument("--child", nargs="+", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        what, folder, *numbers = options.child
        print(json.dumps(_run_child(what, folder, list(map(int, numbers)))))
        sys.stdout.flush()
        return
    sizes = QUICK if options.quick else Sizes()
    steps = measure(sizes)
    print(steps)
    print(f"tokens per CPU second: ours {steps.tokens / steps.ours:.0f}, TRL {steps.tokens / steps.trl:.0f}")
    print(f"ratio {steps.trl / steps.ours:.2f}")
    print(overhead(sizes))


if __name__ == "__main__":
    main()
