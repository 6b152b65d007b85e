"""The settings of a training run: every key of a recipe, its default, its bounds and what it does.

Sections are frozen pydantic models. What one setting demands of another is in `checks`.
"""

from __future__ import annotations

import math
from typing import Annotated, Any, Final, Literal

from pydantic import BeforeValidator, Field, model_validator
from pydantic_core import PydanticCustomError

from rationale_rm.data import LabelScale
from rationale_rm.rewards import AUDIT, MAX_FAILURE_RATE, Advantage, RationaleTerm, RewardMode
from rationale_rm.train.recipe.setting import Pair, Section, Texts, as_tuple, section, setting
from rationale_rm.world import WorldSettings

Tracker = Literal["aim", "clearml", "comet_ml", "dvclive", "mlflow", "swanlab", "tensorboard", "trackio", "wandb"]
Trackers = Annotated[tuple[Tracker, ...], BeforeValidator(as_tuple)]

CONTRADICTIONS: Final = "contradictions"
"""The pydantic error type of what `checks` finds."""


class Scratch(Section):
    """A model made from nothing, with a tokenizer that is trained on the training texts."""

    hidden_size: int = setting(128, "Width of the residual stream.", ge=8)
    layers: int = setting(5, "Transformer blocks.", ge=1)
    heads: int = setting(4, "Attention heads; hidden_size must be an even multiple.", ge=1)
    intermediate_size: int = setting(384, "Width of the MLP.", ge=8)
    vocabulary: int = setting(1024, "Entries of the tokenizer, at the most.", unit="tokens", ge=300)


class Lora(Section):
    """Low-rank adapters through peft; the weights of the model itself stay as they are."""

    r: int = setting(16, "Rank.", ge=1)
    alpha: float = setting(32.0, "The update is scaled by alpha / r.", gt=0)
    dropout: float = setting(0.0, "Dropout before the adapters.", ge=0, lt=1)
    target_modules: Texts = setting(
        ("all-linear",), "Names of the layers that get one; all-linear: all but the output."
    )


class Model(Section):
    """The GenRM to train: `path` or `scratch`."""

    path: str | None = setting(None, "Folder, or name on the model hub.", min_length=1)
    revision: str | None = setting(None, "Branch, tag or commit on the hub.", min_length=1)
    scratch: Scratch | None = setting(None, "Makes a model from nothing.")
    dtype: Literal["float32", "bfloat16"] = setting(
        "float32",
        "Numbers that the model computes in, and that the sampler and frozen weights are held in. Trained weights, "
        "gradients and optimiser states are float32 in either case.",
    )
    max_model_len: int | None = setting(
        None, "Longest prompt and answer together. null: prompt.max_tokens + rollout.max_tokens.", unit="tokens", ge=2
    )
    gradient_checkpointing: bool = setting(
        False, "Computes activations again in the backward pass instead of keeping them.", may_change=True
    )
    attention: str | None = setting(
        None,
        "Attention implementation of transformers: sdpa, eager, flash_attention_2 … null: its own choice.",
        may_change=True,
    )
    lora: Lora | None = setting(None, "Trains adapters instead of all weights.")
    template_options: dict[str, Any] = Field(
        default_factory=dict,
        description="Variables for the chat template, such as {enable_thinking: false}.",
    )


class World(Section):
    """The synthetic judging world (`rationale_rm.world`): pairs with planted flaws and an exact oracle judge."""

    pairs: int = setting(8000, "Training pairs.", unit="pairs", ge=1, le=1_000_000)
    validation_pairs: int = setting(200, "Validation pairs.", unit="pairs", ge=0)
    test_pairs: int = setting(1000, "Test pairs.", unit="pairs", ge=0)
    difficulty: float = setting(
        0.0, "Share of the constraints that name a value, so that a flaw shows only against the request.", ge=0, le=1
    )
    vocabulary: float = setting(1.0, "Share of the tasks and constraints of each domain that are used.", gt=0, le=1)
    cue_strength: float = setting(
        0.85, "Share of pairs whose surface cue (length, emphasis) agrees with the label.", ge=0, le=1
    )
    constraints: int = setting(4, "Constraints that a request states.", ge=4, le=8)
    seed: int = setting(0, "Seed of the pairs, apart from the run's: runs of several seeds share a world.", ge=0)

    def settings(self) -> WorldSettings:
        """What makes the pairs. Raises `RationaleError` for settings that do not fit together."""
        return WorldSettings(
            seed=self.seed,
            difficulty=self.difficulty,
            vocabulary=self.vocabulary,
            cue_strength=self.cue_strength,
            constraints=self.constraints,
        )


class Data(Section):
    """Pairs to train and evaluate on: files, or the synthetic world.

    Files are JSON Lines or Parquet in the public RationaleRM schema, folders of them, or
    ``hub:OWNER/NAME/FILE`` for a file of a data set on the hub. Paths are relative to the working directory. Lines
    that hold labels alone, such as HelpSteer3's preferences, join the pairs of the same content. Pairs that are also
    in validation or test are left out of training, and counted.
    """

    train: Texts | None = setting(None, "Files of training pairs, and of their labels.", min_length=1)
    validation: Texts | None = setting(None, "Files of the pairs that evaluations during training use.", min_length=1)
    test: Texts | None = setting(
        None, "Files of the pairs that are evaluated before the first and after the last step.", min_length=1
    )
    hold_out: int = setting(
        0, "Training pairs, drawn by the seed, that are kept for validation instead.", unit="pairs", ge=0
    )
    world: World | None = setting(None, "Makes pairs instead of reading them.")
    label_scale: LabelScale | None = setting(
        None, "What a whole number in a label means: helpsteer3 (-3 response 1 … 3 response 2), verdict or index."
    )
    drop_ties: bool = setting(True, "Leaves pairs with a tied label out of training.")
    limit: int | None = setting(None, "Takes the first so many training pairs.", unit="pairs", ge=1)


class Prompt(Section):
    """How a pair is put to the model."""

    style: Literal["full", "brief"] = setting("full", "The paper's prompt (Fig. 13), or a short one for tiny models.")
    n_reasons: int | None = setting(
        None, "Reasons to ask for. null: as many as decide, as the paper trains.", unit="reasons", ge=1, le=100
    )
    order: Literal["random", "given", "swapped"] = setting(
        "random", "Which response is shown first in training: a draw a prompt, or always the same."
    )
    max_tokens: int = setting(8192, "Longest prompt; longer ones are left out and counted.", unit="tokens", ge=1)


class WarmStart(Section):
    """Supervised steps before the first rollout, on demonstrations: the world's, or answers that files hold."""

    steps: int = setting(300, "Updates.", unit="updates", ge=1)
    batch_size: int = setting(32, "Demonstrations an update.", unit="demonstrations", ge=1)
    per_pair: int = setting(
        1, "Different demonstrations of a pair in a row, by the world's annotators.", unit="demonstrations", ge=1
    )
    lr: float = setting(1e-3, "Learning rate.", gt=0, le=1)
    warmup_steps: int = setting(20, "Updates over which lr rises from 0.", unit="updates", ge=0)
    schedule: Literal["constant", "linear", "cosine"] = setting("cosine", "Course of lr after that, to 0.")
    weight_decay: float = setting(0.0, "Decoupled weight decay.", ge=0, le=1)
    max_grad_norm: float | None = setting(1.0, "Longest gradient. null: any.", gt=0)
    data: Texts | None = setting(
        None, "Files of pairs with a model's answers. null: the world's demonstrations.", min_length=1
    )
    careful: float = setting(
        0.5, "Share of the world's demonstrations that name flaws; the others go by the surface cue.", ge=0, le=1
    )
    attention: float = setting(0.6, "Share of the flaws that a careful demonstration names.", ge=0, le=1)
    answers_of: str | None = setting(
        None, "Whose answers, where the files hold several models'. null: the only model there.", min_length=1
    )


class Vllm(Section):
    """vLLM in the processes of the run, a worker in each."""

    gpu_memory_utilization: float = setting(
        0.45, "Share of a device's memory for its weights and cache.", may_change=True, gt=0, le=1
    )
    tensor_parallel_size: int = setting(
        1,
        "Devices that hold one copy of the model: those of so many processes, whose number it must divide.",
        may_change=True,
        ge=1,
    )
    max_num_seqs: int = setting(256, "Answers under way at once.", unit="answers", may_change=True, ge=1)
    enforce_eager: bool | None = setting(
        None, "Captures no graphs: starts sooner, samples more slowly. null: on a CPU alone.", may_change=True
    )
    sleep: bool = setting(False, "Gives its memory back while the policy is updated (GPU only).", may_change=True)
    options: dict[str, Any] = Field(
        default_factory=dict,
        description="More arguments of vllm.LLM, as they are.",
        json_schema_extra={"may_change": True},
    )


class Server(Section):
    """A vLLM server that samples, with workers of its own that the policy's weights are sent to (docs/rollouts.md says
    how it is started).
    """

    url: str | None = setting(None, "Its address: http://HOST:PORT/v1.", may_change=True, min_length=1)
    model: str | None = setting(
        None, "The name that it serves the model under. null: the only one.", may_change=True, min_length=1
    )
    address: str = setting(
        "127.0.0.1",
        "Address of this machine (of the first process) that the server's workers can reach.",
        may_change=True,
        min_length=1,
    )
    concurrency: int = setting(64, "Groups under way at once, by each process.", unit="groups", may_change=True, ge=1)
    timeout: float = setting(
        1800.0, "Time of a group, and of each part of a transfer of weights.", unit="s", may_change=True, gt=0
    )


class Rollout(Section):
    """Sampling answers from the policy. All tokens can be drawn: there is no top-p and no top-k."""

    engine: Literal["transformers", "vllm", "vllm_server"] = setting(
        "transformers",
        "What samples: the policy's own module, vLLM in the run's processes, or a vLLM server (rollout.server).",
    )
    prompts: int = setting(256, "Prompts a step.", unit="prompts", ge=1)
    samples: int = setting(8, "Answers a prompt, which are one group; one answer has nothing to compare.", ge=2)
    max_tokens: int = setting(12288, "Longest answer; longer ones are cut.", unit="tokens", ge=1)
    temperature: float = setting(1.0, "Of the sampling, and of the log-probabilities that are trained on.", gt=0, le=5)
    batch_size: int = setting(
        64, "Answers that transformers samples at once on a device.", unit="answers", may_change=True, ge=1
    )
    vllm: Vllm = section(Vllm, "Options of vLLM, where it samples.")
    server: Server = section(Server, "The server, where one samples.")


class Reward(Section):
    """From answers to rewards and advantages (`rationale_rm.RationaleReward`, docs/rewards.md)."""

    judge: str = setting(
        "lexical",
        "Who matches reasons with the human ones: openai:NAME@URL (several URLs with commas), openai:NAME, vllm:PATH, "
        "hf:PATH, lexical, embedding[:MODEL], or oracle (the world's). A resumed run may have other URLs.",
    )
    mode: RewardMode = setting("product", "How outcome and rationale become a reward; product is Eq. 4.")
    rationale: RationaleTerm = setting("ap", "The rationale term; ap is Eq. 3.")
    weight: float = setting(0.5, "Share of the rationale in sum and gdpo.", ge=0, le=1)
    threshold: float = setting(0.0, "A reason is a hit when its matched score is above this.", ge=0, le=1)
    top_k: int | None = setting(None, "Cuts the model's list before judging.", unit="reasons", ge=1)
    exact: bool = setting(False, "Verdict and label must agree in all five levels, not in the side alone.")
    format: Literal["auto", "block", "boxed", "bracket", "json", "prose"] = setting("auto", "How answers are read.")
    policy: Literal["last", "unanimous"] = setting("last", "Which verdict of an answer without a block counts.")
    format_penalty: float = setting(0.0, "Taken from the reward of a malformed answer.", ge=0)
    max_length: int | None = setting(None, "Answers beyond it lose 1 (docs/rewards.md).", unit="tokens", ge=1)
    length_buffer: int = setting(0, "Tokens before max_length over which that loss sets in.", unit="tokens", ge=0)
    advantage: Advantage = setting("group_std", "Normalisation of rewards; group_std is Eq. 5.")
    gate: bool = setting(True, "Judges no answer whose reward the verdict settles.")
    audit: float = setting(AUDIT, "Share of those that is judged all the same, for the curves of RC.", ge=0, le=1)
    judge_samples: int = setting(1, "Answers of the judge a request, averaged.", ge=1, le=64)
    judge_temperature: float | None = setting(None, "null: 0 for one sample, 0.7 for several.", ge=0, le=2)
    judge_max_tokens: int = setting(2048, "Longest answer of the judge.", unit="tokens", ge=1)
    constrain: bool = setting(True, "Holds the judge's answers to the form, where its server can (vLLM).")
    reasoning_chars: int | None = setting(
        None, "Bounds the judge's reasoning instead of its lines.", unit="characters", ge=0
    )
    concurrency: int = setting(64, "Judge calls under way at once.", unit="calls", may_change=True, ge=1, le=4096)
    requests_per_minute: float | None = setting(None, "null: no limit.", unit="1/min", may_change=True, gt=0)
    tokens_per_minute: float | None = setting(None, "null: no limit.", unit="1/min", may_change=True, gt=0)
    timeout: float = setting(300.0, "Time of one judge call.", unit="s", may_change=True, gt=0)
    attempts: int = setting(6, "Calls for one answer before it counts as failed.", may_change=True, ge=1)
    retry_for: float = setting(
        3600.0,
        "How long a step whose judge fails too often is judged again before training stops with a checkpoint.",
        unit="s",
        may_change=True,
        ge=0,
    )
    max_failure_rate: float = setting(
        MAX_FAILURE_RATE, "Share of a step's judged answers that may stay without one.", may_change=True, ge=0, le=1
    )
    cache: str | None = setting(
        None,
        "File that keeps the judge's answers. null: judge.sqlite in the output folder.",
        may_change=True,
        min_length=1,
    )
    key_env: str = setting(
        "OPENAI_API_KEY", "Environment variable that holds the server's key.", may_change=True, min_length=1
    )


class Loss(Section):
    """The GRPO objective (`rationale_rm.grpo`)."""

    type: Literal["grpo", "bnpo", "dr_grpo", "dapo"] = setting("dapo", "What the sum over tokens is divided by.")
    ratio: Literal["token", "sequence"] = setting("token", "Ratios a token, or of whole answers (GSPO; Eq. 5).")
    clip_low: float = setting(0.2, "Ratios below 1 - clip_low gain nothing more.", gt=0, le=1)
    clip_high: float = setting(0.2, "Ratios above 1 + clip_high gain nothing more.", gt=0, le=10)
    beta: float = setting(0.0, "Weight of the KL divergence from the first policy; above 0 that is kept.", ge=0)
    kl_ratio_correction: bool = setting(False, "Weighs the KL term by the ratio, which makes its gradient unbiased.")
    sampler_cap: float | None = setting(
        None, "Truncated importance sampling: the trainer's over the sampler's probability, up to this.", ge=1
    )
    mask_truncated: bool = setting(True, "Answers that were cut at rollout.max_tokens are not trained on.")


class Optimiser(Section):
    """AdamW, and how a rollout is cut into updates."""

    lr: float = setting(2e-6, "Learning rate.", gt=0, le=1)
    betas: Pair = setting((0.9, 0.999), "Decay of the two moments; each from 0 to under 1.")
    eps: float = setting(1e-8, "Added to the root of the second moment.", gt=0)
    weight_decay: float = setting(0.0, "Decoupled weight decay.", ge=0, le=1)
    warmup_steps: int = setting(0, "Updates over which lr rises from 0.", unit="updates", ge=0)
    schedule: Literal["constant", "linear", "cosine"] = setting("constant", "Course of lr after that, to 0.")
    max_grad_norm: float | None = setting(1.0, "Longest gradient. null: any.", gt=0)
    mini_batch: int | None = setting(
        None, "Prompts an update; must divide rollout.prompts. null: all of a rollout.", unit="prompts", ge=1
    )
    epochs: int = setting(1, "Passes over each rollout.", ge=1, le=100)
    micro_batch_tokens: int = setting(
        16384,
        "Tokens of one forward and backward pass on a device, padding included; an answer longer than that goes "
        "alone. Bounds memory and changes nothing else.",
        unit="tokens",
        may_change=True,
        ge=1,
    )


class Train(Section):
    """How long: `steps`, `epochs`, or whichever ends first."""

    steps: int | None = setting(None, "Rollouts.", unit="steps", may_change=True, ge=1)
    epochs: float | None = setting(None, "Passes over the training pairs.", may_change=True, gt=0)


class Evaluation(Section):
    """Held-out pairs, through `rationale_rm.metrics`; all well-formed answers are judged."""

    every: int | None = setting(10, "Steps between evaluations. null: none.", unit="steps", may_change=True, ge=1)
    start: bool = setting(True, "Evaluates before the first step too.", may_change=True)
    pairs: int | None = setting(200, "The first so many validation pairs. null: all.", unit="pairs", ge=1)
    test_pairs: int | None = setting(None, "The first so many test pairs. null: all.", unit="pairs", ge=1)
    judge: str | None = setting(None, "A judge as in reward.judge. null: that one.")
    both_orders: bool = setting(True, "Shows every pair in both orders, and reports order consistency.")
    k: int | None = setting(
        None, "Asks for so many reasons and cuts the list to them. null: as in training.", unit="reasons", ge=1, le=100
    )
    temperature: float = setting(0.0, "Of the sampling; 0 takes the likeliest token.", ge=0, le=2)
    max_tokens: int | None = setting(None, "Longest answer. null: rollout.max_tokens.", unit="tokens", ge=1)


class Output(Section):
    """What a run leaves."""

    folder: str | None = setting(None, "null: runs/NAME, by the recipe's name.", may_change=True, min_length=1)
    save_every: int | None = setting(
        10, "Steps between checkpoints. null: one at the end.", unit="steps", may_change=True, ge=1
    )
    keep_last: int = setting(1, "Checkpoints to keep beside the best.", may_change=True, ge=1)
    best_by: Literal["reward", "oa", "rc", "ap"] = setting(
        "reward", "Which figure of the evaluations makes a checkpoint the best.", may_change=True
    )
    samples_every: int | None = setting(
        10, "Steps between samples of answers with their matches. null: none.", unit="steps", may_change=True, ge=1
    )
    samples: int = setting(8, "Groups in such a sample.", unit="groups", may_change=True, ge=1)
    trackers: Trackers = setting((), "Accelerate's trackers, beside metrics.jsonl.", may_change=True)
    progress: bool = setting(True, "Shows progress on standard error.", may_change=True)


class Devices(Section):
    """What `--dry-run` reckons with. The run itself takes what `accelerate launch` gives it."""

    processes: int = setting(1, "Processes, a device each.", may_change=True, ge=1)
    sharding: Literal["none", "fsdp2", "zero3"] = setting(
        "none", "Whether weights, gradients and optimiser states are spread over them.", may_change=True
    )
    memory: float | None = setting(
        None, "Memory of a device. null: of this machine's.", unit="GiB", may_change=True, gt=0
    )


class Recipe(Section):
    """A training run. `read_recipe` makes one of YAML, `Recipe.model_validate` of a dict."""

    name: str = setting(
        "run", "What the run is called. Default: the file's name.", may_change=True, pattern=r"^\w[\w.-]*$"
    )
    about: str = setting("", "One line on what it is for.", may_change=True)
    seed: int = setting(0, "Seed of everything that is drawn.", ge=0, le=2**31 - 1)
    model: Model = section(Model, "The GenRM to train.")
    data: Data = section(Data, "Pairs.")
    prompt: Prompt = section(Prompt, "How a pair is put to the model.")
    warm_start: WarmStart | None = setting(None, "Supervised steps before the first rollout. null: none.")
    rollout: Rollout = section(Rollout, "Sampling.")
    reward: Reward = section(Reward, "From answers to rewards and advantages.")
    loss: Loss = section(Loss, "The GRPO objective.")
    optimiser: Optimiser = section(Optimiser, "AdamW, and how a rollout is cut into updates.")
    train: Train = section(Train, "How long.")
    evaluation: Evaluation = section(Evaluation, "Held-out pairs.")
    output: Output = section(Output, "What a run leaves.")
    devices: Devices = section(Devices, "What a dry run reckons with.")

    @model_validator(mode="after")
    def _agrees_with_itself(self) -> Recipe:
        from rationale_rm.train.recipe.checks import contradictions

        found = contradictions(self)
        if found:
            lines = "\n".join(f"{'.'.join(path)}: {text}" for path, text in found)
            raise PydanticCustomError(CONTRADICTIONS, "{lines}", {"lines": lines, "found": found})
        return self

    @property
    def context(self) -> int:
        """Tokens that prompt and answer may have together."""
        return self.model.max_model_len or self.prompt.max_tokens + self.rollout.max_tokens

    @property
    def completions(self) -> int:
        """Answers a step."""
        return self.rollout.prompts * self.rollout.samples

    @property
    def mini_batch(self) -> int:
        """Prompts an update."""
        return self.optimiser.mini_batch or self.rollout.prompts

    @property
    def updates(self) -> int:
        """Updates of the policy a step."""
        return self.rollout.prompts // self.mini_batch * self.optimiser.epochs

    @property
    def folder(self) -> str:
        """Where the run writes."""
        return self.output.folder or f"runs/{self.name}"

    @property
    def evaluation_judge(self) -> str:
        """The judge of the evaluations."""
        return self.evaluation.judge or self.reward.judge

    def steps(self, n_pairs: int) -> int:
        """Steps of the run over `n_pairs` training pairs; at least 1."""
        by_epochs = (
            math.inf if self.train.epochs is None else math.ceil(self.train.epochs * n_pairs / self.rollout.prompts)
        )
        by_steps = math.inf if self.train.steps is None else self.train.steps
        return max(1, int(min(by_epochs, by_steps)))
