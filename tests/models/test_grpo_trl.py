"""Losses and gradients against TRL's own code: its trainer, its fused head and its `_compute_loss`, on a tiny model.

TRL is given what its trainer would have made of a rollout: prompts padded on the left, completions on the right, and
log-probabilities of the old policy, the reference and the sampler.
"""

import itertools
import warnings

import pytest
import torch
import transformers
from rationale_rm.grpo import Denominators, counted, grpo_loss, token_logprobs

with warnings.catch_warnings():
    # It says which versions of vLLM it supports; here it samples with none.
    warnings.filterwarnings("ignore", message="TRL currently supports vLLM", category=UserWarning)
    from datasets import Dataset
    from trl import GRPOConfig, GRPOTrainer

LOSSES = ("grpo", "bnpo", "dr_grpo", "dapo")
LEVELS = ("token", "sequence")
ROWS, PROMPT, LENGTH, LIMIT = 8, 5, 12, 16
TOLERANCE = 1e-5


@pytest.fixture(scope="module")
def trainer(tiny_model_path, tmp_path_factory):
    """TRL's trainer with a model of 0.4M parameters; it computes losses here and takes no step."""
    model = transformers.AutoModelForCausalLM.from_pretrained(tiny_model_path, dtype=torch.float32)
    made = GRPOTrainer(
        model=model,
        reward_funcs=lambda completions, **columns: [0.0] * len(completions),
        args=GRPOConfig(
            output_dir=str(tmp_path_factory.mktemp("trl")),
            per_device_train_batch_size=ROWS,
            num_generations=ROWS,
            max_completion_length=LIMIT,
            use_cpu=True,
            bf16=False,
            gradient_checkpointing=False,
            report_to="none",
        ),
        train_dataset=Dataset.from_dict({"prompt": ["a"] * ROWS}),
        processing_class=transformers.AutoTokenizer.from_pretrained(tiny_model_path),
    )
    made.model.train()
    return made


@pytest.fixture(scope="module")
def rollout(trainer):
    """A full batch with completions of 1 to 12 tokens, none cut, and other policies not far from this one."""
    generator = torch.Generator().manual_seed(0)
    vocabulary = trainer.model.config.vocab_size

    def ids(width):
        return torch.randint(3, vocabulary, (ROWS, width), generator=generator)

    lengths = torch.tensor([12, 1, 5, 9, 12, 3, 7, 2])
    made = {
        "prompt_ids": ids(PROMPT),
        "prompt_mask": (torch.arange(PROMPT) >= torch.randint(0, PROMPT - 1, (ROWS, 1), generator=generator)).long(),
        "completion_ids": ids(LENGTH),
        "completion_mask": (torch.arange(LENGTH) < lengths[:, None]).long(),
        "advantages": torch.randn(ROWS, generator=generator),
    }
    with torch.no_grad():
        now, _ = scored(trainer.model, made)
    for name in ("old_per_token_logps", "ref_per_token_logps", "sampling_per_token_logps"):
        made[name] = now + 0.3 * torch.randn(ROWS, LENGTH, generator=generator)
    # Every other completion has moved as its advantage wants, so far that whole sequences meet the clip.
    made["old_per_token_logps"][::2] -= 0.4 * made["advantages"][::2].sign()[:, None]
    return made


def scored(model, rollout):
    """Log-probabilities and entropies of the completions, [b, t], by our own head."""
    ids = torch.cat([rollout["prompt_ids"], rollout["completion_ids"]], 1)
    mask = torch.cat([rollout["prompt_mask"], rollout["completion_mask"]], 1)
    hidden = model.model(input_ids=ids, attention_mask=mask).last_hidden_state[:, PROMPT - 1 : -1]
    targets = rollout["completion_ids"]
    found = token_logprobs(hidden.flatten(0, 1), model.lm_head.weight, targets.flatten(), chunk=500)
    return tuple(column.view(targets.shape) for column in found)


def backward(model, loss):
    model.zero_grad()
    loss.backward()
    return loss.detach(), {name: weight.grad.clone() for name, weight in model.named_parameters()}


def theirs(trainer, rollout, *, loss, ratio="token", clip=(0.2, 0.2), beta=0.0, correction=False, cap=None, tokens=None,
           accumulation=1, generation=None):  # fmt: skip
    """TRL's loss of these rows; its trainer's settings are what its own constructor would have put there."""
    trainer.loss_type, trainer.importance_sampling_level, trainer.beta = loss, ratio, beta
    trainer.epsilon_low, trainer.epsilon_high = clip
    trainer.args.use_bias_correction_kl = correction
    trainer.use_vllm = cap is not None
    trainer.current_gradient_accumulation_steps = accumulation
    trainer.args.steps_per_generation = generation or accumulation
    inputs = dict(rollout)
    inputs["num_items_in_batch"] = rollout["completion_mask"].sum() if tokens is None else tokens
    if cap is not None:
        gaps = rollout["old_per_token_logps"] - rollout["sampling_per_token_logps"]
        inputs["importance_sampling_ratio"] = torch.clamp((gaps * rollout["completion_mask"]).exp(), max=cap)
    return trainer._compute_loss(trainer.model, inputs)


def ours(model, rollout, *, loss, ratio="token", clip=(0.2, 0.2), beta=0.0, correction=False, cap=None,
         denominators=None):  # fmt: skip
    logprobs, entropies = scored(model, rollout)
    mask = rollout["completion_mask"]
    return grpo_loss(
        logprobs,
        rollout["old_per_token_logps"],
        rollout["advantages"],
        mask,
        denominators=denominators or Denominators.of(counted(mask, rollout["advantages"])),
        loss=loss,
        ratio=ratio,
        clip_low=clip[0],
        clip_high=clip[1],
        beta=beta,
        ref_logprobs=rollout["ref_per_token_logps"] if beta else None,
        kl_ratio_correction=correction,
        sampler_logprobs=rollout["sampling_per_token_logps"] if cap is not None else None,
        sampler_cap=cap,
        max_length=LIMIT,
        entropies=entropies,
    )


def furthest(left, right):
    """Largest difference of two gradients, relative to the largest entry."""
    largest = max(gradient.abs().max() for gradient in right.values())
    return max((left[name] - right[name]).abs().max() / largest for name in right).item()


SETTINGS = {
    "plain": {},
    "asymmetric clips": {"clip": (0.1, 0.28)},
    "narrow clips": {"clip": (2e-4, 4e-4)},
    "kl": {"beta": 0.1},
    "kl with ratio correction": {"beta": 0.1, "correction": True},
    "truncated importance sampling": {"cap": 1.2},
    "all": {"clip": (0.1, 0.28), "beta": 0.1, "correction": True, "cap": 1.2},
}


@pytest.mark.parametrize("setting", SETTINGS)
@pytest.mark.parametrize("ratio", LEVELS)
@pytest.mark.parametrize("loss", LOSSES)
def test_loss_and_gradients_are_those_of_trl(trainer, rollout, loss, ratio, setting):
    options = {"loss": loss, "ratio": ratio, **SETTINGS[setting]}
    expected, of_expected = backward(trainer.model, theirs(trainer, rollout, **options))
    value, figures = ours(trainer.model, rollout, **options)
    value, gradient = backward(trainer.model, value)
    assert value.item() == pytest.approx(expected.item(), rel=TOLERANCE, abs=TOLERANCE)
    assert max(part.abs().max() for part in of_expected.values()) > 1e-3
    assert furthest(gradient, of_expected) < TOLERANCE
    for name, part in of_expected.items():
        torch.testing.assert_close(gradient[name], part, rtol=TOLERANCE, atol=TOLERANCE, msg=name)
    means = figures.means()
    # The clip is at work in both directions, or the test would not see it.
    assert means["clip_low"] > 0
    assert means["clip_high"] > 0


def test_figures_are_those_of_trl(trainer, rollout):
    options = {"loss": "dapo", "beta": 0.1, **SETTINGS["asymmetric clips"]}
    trainer._metrics["train"].clear()
    theirs(trainer, rollout, **options)
    logged = {name: values[-1] for name, values in trainer._metrics["train"].items()}
    figures = ours(trainer.model, rollout, **options)[1].means()
    for name, same in {
        "entropy": "entropy",
        "kl": "kl",
        "clip_ratio/low_mean": "clip_low",
        "clip_ratio/high_mean": "clip_high",
    }.items():
        assert figures[same] == pytest.approx(logged[name], rel=1e-5)


CUTS = {"equal": [4], "unequal": [1, 3]}


def parts(rollout, cuts):
    for start, end in itertools.pairwise([0, *cuts, ROWS]):
        yield {name: column[start:end] for name, column in rollout.items()}


def accumulated(model, losses):
    model.zero_grad()
    for loss in losses:
        loss.backward()
    return {name: weight.grad.clone() for name, weight in model.named_parameters()}


@pytest.mark.parametrize("cuts", CUTS)
@pytest.mark.parametrize("ratio", LEVELS)
@pytest.mark.parametrize("loss", LOSSES)
def test_ours_do_not_depend_on_micro_batches(trainer, rollout, loss, ratio, cuts):
    options = {"loss": loss, "ratio": ratio, **SETTINGS["all"]}
    _, once = backward(trainer.model, ours(trainer.model, rollout, **options)[0])
    denominators = Denominators.of(rollout["completion_mask"])
    pieces = (ours(trainer.model, part, denominators=denominators, **options)[0] for part in parts(rollout, CUTS[cuts]))
    assert furthest(accumulated(trainer.model, pieces), once) < TOLERANCE


# How far TRL's accumulated gradient is from that of the whole batch: docs/grpo.md has this table.
INVARIANT = {
    ("grpo", "equal"): True,
    ("bnpo", "equal"): False,
    ("dr_grpo", "equal"): True,
    ("dapo", "equal"): True,
    ("grpo", "unequal"): False,
    ("bnpo", "unequal"): False,
    ("dr_grpo", "unequal"): False,
    ("dapo", "unequal"): True,
}


@pytest.mark.parametrize(("loss", "cuts"), INVARIANT)
def test_which_of_trls_depend_on_micro_batches(trainer, rollout, loss, cuts):
    """TRL's trainer cuts equally; its losses depend on the cut all the same where completions differ in length."""
    _, once = backward(trainer.model, theirs(trainer, rollout, loss=loss))
    tokens = rollout["completion_mask"].sum()
    pieces = list(parts(rollout, CUTS[cuts]))
    losses = (theirs(trainer, part, loss=loss, tokens=tokens, accumulation=len(pieces)) for part in pieces)
    difference = furthest(accumulated(trainer.model, losses), once)
    print(f"{loss} in {cuts} micro-batches: {difference:.1e} of the largest entry")
    assert (difference < TOLERANCE) == INVARIANT[loss, cuts]


def test_trls_dapo_divides_updates_of_a_rollout_by_their_mean(trainer, rollout):
    """Two updates of one rollout: TRL divides each by half of the rollout's tokens, not by its own."""
    tokens = rollout["completion_mask"].sum()
    first, second = parts(rollout, [4])
    assert first["completion_mask"].sum() != second["completion_mask"].sum()
    for part in (first, second):
        expected = theirs(trainer, part, loss="dapo", tokens=tokens, accumulation=1, generation=2).item()
        value = ours(trainer.model, part, loss="dapo")[0].item()
        own = part["completion_mask"].sum() / (tokens / 2)
        assert value * own == pytest.approx(expected, rel=TOLERANCE)
        assert value != pytest.approx(expected, rel=1e-2)


@pytest.mark.parametrize("loss", LOSSES)
def test_trl_counts_masked_rows_in_the_denominator(trainer, rollout, loss):
    """A truncated row that is masked: gone from ours; in TRL a row of zeros that grpo and dr_grpo still divide by."""
    masked = {**rollout, "completion_mask": rollout["completion_mask"].clone()}
    masked["completion_mask"][3] = 0
    expected = theirs(trainer, masked, loss=loss).item()
    value = ours(trainer.model, masked, loss=loss)[0].item()
    counts_rows = loss in ("grpo", "dr_grpo")
    assert value * ((ROWS - 1) / ROWS if counts_rows else 1) == pytest.approx(expected, rel=TOLERANCE)
