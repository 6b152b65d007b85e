"""GRPO losses: worked by hand, on any cut of the batch, in one process and in two."""

import contextlib
import itertools
import math

import numpy as np
import pytest
import rationale_rm as rr
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from rationale_rm import RationaleError
from rationale_rm.grpo import (
    Denominators,
    LossStats,
    counted,
    grpo_loss,
    kl_k3,
    ratios,
    sampler_weights,
    token_logprobs,
)

LOSSES = ("grpo", "bnpo", "dr_grpo", "dapo")
LEVELS = ("token", "sequence")
NAN = float("nan")
LENGTH = 9
HEAVY = dict(
    clip_low=0.1, clip_high=0.3, beta=0.05, kl_ratio_correction=True, sampler_cap=1.1, max_length=LENGTH
)  # all terms at once


def batch(b=11, t=LENGTH, *, seed=0):
    """Columns of an update batch, with rows that leave and garbage wherever nothing may look."""
    generator = torch.Generator().manual_seed(seed)

    def noise(scale):
        return scale * torch.randn(b, t, generator=generator)

    logprobs = -2 * torch.rand(b, t, generator=generator)
    columns = {
        "logprobs": logprobs,
        "old_logprobs": logprobs + noise(0.2),
        "ref_logprobs": logprobs + noise(0.2),
        "sampler_logprobs": logprobs + noise(0.2),
        "entropies": torch.rand(b, t, generator=generator),
        "advantages": torch.randn(b, generator=generator),
        "mask": torch.arange(t) < torch.randint(0, t + 1, (b, 1), generator=generator),
        "truncated": torch.rand(b, generator=generator) < 0.2,
    }
    columns["mask"][0] = True
    columns["truncated"][0] = False
    columns["advantages"][1:3] = NAN
    for name in ("logprobs", "old_logprobs", "ref_logprobs", "sampler_logprobs", "entropies"):
        garbage = torch.tensor([NAN, math.inf, -math.inf, 1e30])[torch.randint(0, 4, (b, t), generator=generator)]
        columns[name] = torch.where(columns["mask"], columns[name], garbage)
    return columns


def call(columns, denominators=None, **options):
    """Loss share, gradient of the log-probabilities and figures."""
    columns = {**columns, "logprobs": columns["logprobs"].detach().requires_grad_()}
    if denominators is None:
        denominators = Denominators.of(counted(columns["mask"], columns["advantages"], columns.get("truncated")))
    named = dict(columns)
    places = [named.pop(name) for name in ("logprobs", "old_logprobs", "advantages", "mask")]
    loss, stats = grpo_loss(*places, denominators=denominators, **named, **options)
    loss.backward()
    return loss.detach(), columns["logprobs"].grad, stats


def rows(columns, index):
    return {name: value[index] for name, value in columns.items()}


def test_a_batch_worked_by_hand():
    # Two groups of two: rewards 1, 0 and 0.2, 0.8; mean 0.5, sample deviation sqrt(0.5) and 0.3 sqrt(2).
    advantages = rr.group_advantages(np.array([1.0, 0.0, 0.2, 0.8]), np.array([0, 0, 1, 1]))
    first, second = 0.5 / (math.sqrt(0.5) + 1e-4), 0.3 / (0.3 * math.sqrt(2) + 1e-4)
    np.testing.assert_allclose(advantages, [first, -first, -second, second], rtol=1e-12)
    mask = torch.tensor([[1, 1], [1, 0], [1, 1], [1, 0]])
    wanted = torch.tensor([[1.5, 1.0], [0.5, 1.0], [1.1, 0.9], [1.2, 1.0]])
    old = torch.full((4, 2), -1.0)
    columns = {
        "logprobs": old + wanted.log(),
        "old_logprobs": old,
        "advantages": torch.tensor(advantages),
        "mask": mask,
    }
    clip = {"clip_low": 0.2, "clip_high": 0.28}
    # The first token gains no more than 1.28; the third row's loss is not clipped: r = 0.5 < 0.8 and the advantage < 0.
    per_token = [[-1.28 * first, -first], [0.8 * first], [1.1 * second, 0.9 * second], [-1.2 * second]]
    total = sum(map(sum, per_token))
    expected = {
        "grpo": sum(sum(row) / len(row) for row in per_token) / 4,
        "bnpo": total / 6,
        "dapo": total / 6,
        "dr_grpo": total / (4 * 10),
    }
    for name, value in expected.items():
        loss, gradient, stats = call(columns, loss=name, max_length=10, **clip)
        assert loss.item() == pytest.approx(value, rel=1e-6)
        # Where the clip stops, there is no gradient; elsewhere −r A over the divisor.
        assert gradient[0, 0] == gradient[1, 0] == 0
        assert gradient[0, 1].item() != 0
        assert not gradient[mask == 0].any()
        assert stats.means()["clip_high"] == pytest.approx(1 / 6)
        assert stats.means()["clip_low"] == pytest.approx(1 / 6)
        assert stats.means()["ratio_max"] == pytest.approx(1.5)
    assert call(columns, loss="dapo", **clip)[1][3, 0].item() == pytest.approx(-1.2 * second / 6, rel=1e-6)

    # Sequence ratios: geometric means sqrt(1.5), 0.5, sqrt(0.99), 1.2.
    means = [math.sqrt(1.5), 0.5, math.sqrt(0.99), 1.2]
    loss, gradient, stats = call(columns, loss="grpo", ratio="sequence", **clip)
    terms = [-means[0] * first, 0.8 * first, means[2] * second, -1.2 * second]
    assert loss.item() == pytest.approx(sum(terms) / 4, rel=1e-6)
    # d r / d log π_t = r / |o|.
    assert gradient[0].tolist() == pytest.approx([-means[0] * first / 8] * 2, rel=1e-6)
    assert gradient[1].tolist() == [0, 0]
    assert stats.means()["clip_low"] == pytest.approx(1 / 4)


def test_kl_and_sampler_terms_worked_by_hand():
    columns = {
        "logprobs": torch.tensor([[-1.0, -2.0]]),
        "old_logprobs": torch.tensor([[-1.0 - math.log(1.5), -2.0]]),
        "ref_logprobs": torch.tensor([[-1.0 + math.log(2), -2.0 - math.log(4)]]),
        "sampler_logprobs": torch.tensor([[-1.0 - math.log(1.5) - math.log(3), NAN]]),
        "advantages": torch.tensor([-2.0]),
        "mask": torch.ones(1, 2),
    }
    k3 = [2 - math.log(2) - 1, 0.25 + math.log(4) - 1]
    torch.testing.assert_close(kl_k3(columns["logprobs"], columns["ref_logprobs"]), torch.tensor([k3]))
    # A negative advantage is not clipped from above: 1.5 · 2 stays, times the sampler's weight, 3 cut at 2; NaN is 1.
    policy = (1.5 * 2 * 2 + 1.0 * 2 * 1) / 2
    for corrected, kl in ((False, sum(k3) / 2), (True, (1.5 * k3[0] + k3[1]) / 2)):
        loss, _, stats = call(columns, beta=0.1, kl_ratio_correction=corrected, sampler_cap=2.0)
        assert loss.item() == pytest.approx(policy + 0.1 * kl, rel=1e-6)
        found = stats.means()
        assert found["policy_loss"] == pytest.approx(policy, rel=1e-6)
        assert found["kl_loss"] == pytest.approx(0.1 * kl, rel=1e-6)
        assert found["kl"] == pytest.approx(sum(k3) / 2, rel=1e-6)
        # Raw ratios: what the cap has cut is seen.
        assert found["sampler_ratio_max"] == pytest.approx(3, rel=1e-6)
        assert found["sampler_ratio"] == pytest.approx(3, rel=1e-6)
        assert found["sampler_gap"] == found["sampler_gap_max"] == pytest.approx(math.log(3), rel=1e-6)
        assert (found["sampler_capped"], found["sampler_missing"]) == (1, 0.5)
    # Without a cap the sampler's figures are the same and the loss does not know them.
    uncapped, _, stats = call(columns)
    assert uncapped.item() == pytest.approx((3 + 2) / 2, rel=1e-6)
    assert stats.means()["sampler_ratio_max"] == pytest.approx(3, rel=1e-6)


def test_kl_gradient_with_ratio_correction_is_that_of_the_divergence():
    """Over all tokens of a small vocabulary: E_π_old[r k3] = KL(π‖π_ref), in value and gradient, off policy too."""
    generator = torch.Generator().manual_seed(1)
    theta, old, ref = (torch.randn(6, generator=generator, dtype=torch.float64) for _ in range(3))
    theta.requires_grad_()
    log_p, log_old, log_ref = theta.log_softmax(0), old.log_softmax(0), ref.log_softmax(0)
    exact = (log_p.exp() * (log_p - log_ref)).sum()
    (of_exact,) = torch.autograd.grad(exact, theta, retain_graph=True)
    estimate = (log_old.exp() * (log_p - log_old).exp() * kl_k3(log_p, log_ref)).sum()
    (of_estimate,) = torch.autograd.grad(estimate, theta)
    torch.testing.assert_close(estimate, exact)
    torch.testing.assert_close(of_estimate, of_exact)


@pytest.mark.parametrize("level", LEVELS)
def test_ratios_outside_the_mask_are_one_and_have_no_gradient(level):
    new = torch.tensor([[0.5, NAN], [math.inf, -math.inf]], requires_grad=True)
    found = ratios(new, torch.zeros(2, 2), torch.tensor([[1, 0], [0, 0]]), level)
    assert found[0, 0].item() == pytest.approx(math.exp(0.5))
    assert (found.flatten()[1:] == 1).all()
    found.sum().backward()
    assert new.grad.tolist() == [[pytest.approx(math.exp(0.5)), 0], [0, 0]]


def test_the_sampler_weight_is_a_constant():
    old = torch.tensor([-1.0], requires_grad=True)
    assert not sampler_weights(old, torch.tensor([-2.0]), 2.0).requires_grad


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("loss", LOSSES)
def test_rows_without_advantage_or_cut_leave_numerator_and_denominator(loss, level):
    columns = batch()
    kept = ~torch.isnan(columns["advantages"]) & ~columns["truncated"] & columns["mask"].any(-1)
    assert 2 < kept.sum() < len(kept) - 2
    value, gradient, stats = call(columns, loss=loss, ratio=level, **HEAVY)
    alone, of_kept, fewer = call(rows(columns, kept), loss=loss, ratio=level, **HEAVY)
    assert torch.isfinite(value)
    assert value == pytest.approx(alone.item(), rel=1e-6)
    torch.testing.assert_close(gradient[kept], of_kept)
    assert not gradient[~kept].any()
    found, expected = stats.means(), fewer.means()
    assert (found.pop("rows_without_advantage"), expected.pop("rows_without_advantage")) == (2, 0)
    assert (found.pop("rows_truncated") > 0, expected.pop("rows_truncated")) == (True, 0)
    assert found == pytest.approx(expected)
    # Kept in, they would have counted: the test can see a difference.
    kept_in, _, _ = call({name: column for name, column in columns.items() if name != "truncated"}, loss=loss, **HEAVY)
    assert kept_in.item() != pytest.approx(value.item(), rel=1e-3)


@settings(deadline=None, max_examples=60)
@given(
    seed=st.integers(0, 2**31),
    loss=st.sampled_from(LOSSES),
    level=st.sampled_from(LEVELS),
    cuts=st.lists(st.integers(0, 11), max_size=5),
    width=st.integers(0, 4),
)
def test_any_cut_into_micro_batches_gives_the_same(seed, loss, level, cuts, width):
    columns = batch(seed=seed)
    order = torch.randperm(11, generator=torch.Generator().manual_seed(seed))
    denominators = Denominators.of(counted(columns["mask"], columns["advantages"], columns["truncated"]))
    value, gradient, stats = call(columns, loss=loss, ratio=level, **HEAVY)
    total, parts, figures = torch.zeros(()), torch.zeros_like(gradient), LossStats()
    ends = sorted({0, 11, *cuts})
    for start, end in itertools.pairwise(ends):
        part = rows(columns, order[start:end])
        # Another padding: columns that nobody uses are added on the left.
        part = {
            name: torch.nn.functional.pad(column, (width, 0), value=0 if name == "mask" else 7)
            if column.dim() == 2
            else column
            for name, column in part.items()
        }
        share, of_part, found = call(part, denominators, loss=loss, ratio=level, **HEAVY)
        total, figures = total + share, figures + found
        parts[order[start:end]] = of_part[:, width:]
    torch.testing.assert_close(total, value, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(parts, gradient, rtol=1e-5, atol=1e-6)
    assert figures.means() == pytest.approx(stats.means(), rel=1e-5, abs=1e-6, nan_ok=True)


def test_where_nothing_counts_the_loss_is_zero_and_still_has_a_graph():
    columns = batch()
    columns["advantages"][:] = NAN
    for loss in LOSSES:
        value, gradient, stats = call(columns, loss=loss, **HEAVY)
        assert value == 0
        assert gradient.shape == (11, LENGTH)
        assert not gradient.any()
        found = stats.means()
        assert found["tokens"] == found["rows"] == found["loss"] == 0
        assert math.isnan(found["ratio"])
        assert math.isnan(found["ratio_max"])


def test_old_logprobs_may_be_left_out_before_the_first_update():
    columns = batch()
    first, gradient, _ = call({**columns, "old_logprobs": None}, **{**HEAVY, "sampler_cap": None, "beta": 0.0})
    same, of_same, _ = call(
        {**columns, "old_logprobs": columns["logprobs"]}, **{**HEAVY, "sampler_cap": None, "beta": 0.0}
    )
    assert first == same
    torch.testing.assert_close(gradient, of_same)


@pytest.mark.parametrize(
    ("change", "options", "message"),
    [
        ({"mask": torch.ones(11, LENGTH + 1)}, {}, "mask is"),
        ({"advantages": torch.ones(11, 1)}, {}, "advantages is"),
        ({"advantages": torch.ones(1)}, {}, "advantages is"),
        ({"old_logprobs": torch.ones(1, LENGTH)}, {}, "old_logprobs is"),
        ({"truncated": torch.zeros(1, dtype=torch.bool)}, {}, "truncated is"),
        ({}, {"loss": "ppo"}, "unknown loss 'ppo'"),
        ({}, {"ratio": "word"}, "unknown ratio 'word'"),
        ({}, {"loss": "dr_grpo", "max_length": None}, "give max_length"),
        ({}, {"denominators": Denominators(1, 2)}, "whole update batch"),
        ({"ref_logprobs": None}, {}, "ref_logprobs are needed"),
        ({"sampler_logprobs": None}, {}, "sampler_logprobs are needed"),
    ],
)
def test_what_makes_no_sense_is_refused(change, options, message):
    columns = {**batch(), **change}
    named = {"denominators": Denominators(100, 1000), **HEAVY, **options}
    places = [columns.pop(name) for name in ("logprobs", "old_logprobs", "advantages", "mask")]
    with pytest.raises(RationaleError, match=message):
        grpo_loss(*places, **columns, **named)


class Small(torch.nn.Module):
    """Tied embeddings around a layer: next-token log-probabilities of `ids` [b, t] given the token before each."""

    def __init__(self, accumulate):
        super().__init__()
        torch.manual_seed(3)
        self.embed = torch.nn.Embedding(50, 8)
        self.layer = torch.nn.Linear(8, 8)
        self.accumulate = accumulate

    def forward(self, ids):
        hidden = torch.tanh(self.layer(self.embed(ids.roll(1, dims=1)))).flatten(0, 1)
        found = token_logprobs(hidden, self.embed.weight, ids.flatten(), chunk=16, accumulate=self.accumulate)
        return tuple(column.view(ids.shape) for column in found)


def updated(model, columns, ids, denominators, cuts, *, loss, world, synchronised):
    """Gradients and figures of one update in micro-batches; `synchronised` says which one ends the accumulation."""
    figures = LossStats()
    ends = [0, *cuts, len(ids)]
    for number, (start, end) in enumerate(itertools.pairwise(ends)):
        last = number == len(ends) - 2
        with synchronised(last):
            part = rows(columns, slice(start, end))
            logprobs, part["entropies"] = model(ids[start:end])
            places = [logprobs, *(part.pop(name) for name in ("old_logprobs", "advantages", "mask"))]
            share, found = grpo_loss(*places, denominators=denominators, loss=loss, **part, **HEAVY)
            (share * world).backward()
        figures += found
    return {name: weight.grad.clone() for name, weight in model.named_parameters()}, figures


def whole(loss):
    """The columns of the batch, and its gradients and figures in one process and one micro-batch."""
    columns = batch()
    del columns["logprobs"], columns["entropies"]
    ids = torch.randint(0, 50, (11, LENGTH), generator=torch.Generator().manual_seed(4))
    denominators = Denominators.of(counted(columns["mask"], columns["advantages"], columns["truncated"]))
    model = Small(accumulate=False)
    found = updated(
        model, columns, ids, denominators, [], loss=loss, world=1, synchronised=lambda last: contextlib.nullcontext()
    )
    return columns, ids, denominators, found


def in_process(rank, world, file, folder):
    torch.set_num_threads(1)
    torch.distributed.init_process_group("gloo", init_method=f"file://{file}", rank=rank, world_size=world)
    try:
        # Unequal rows and unequal numbers of micro-batches a process.
        mine, cuts = ((slice(0, 7), [1, 4]), (slice(7, 11), []))[rank]
        found = {}
        for loss in LOSSES:
            columns, ids, _, _ = whole(loss)
            part, part_ids = rows(columns, mine), ids[mine]
            local = Denominators.of(counted(part["mask"], part["advantages"], part["truncated"]))
            denominators = local.all_reduce()
            for accumulate in (False, True):
                model = torch.nn.parallel.DistributedDataParallel(Small(accumulate))

                def synchronised(last, model=model):
                    return contextlib.nullcontext() if last else model.no_sync()

                gradients, figures = updated(
                    model, part, part_ids, denominators, cuts, loss=loss, world=world, synchronised=synchronised
                )
                found[loss, accumulate] = denominators, gradients, figures.all_reduce().means()
        torch.save(found, f"{folder}/{rank}.pt")
    finally:
        torch.distributed.destroy_process_group()


def test_two_processes_give_what_one_does(tmp_path):
    torch.multiprocessing.spawn(in_process, (2, tmp_path / "rendezvous", tmp_path), nprocs=2)
    for rank in range(2):
        found = torch.load(tmp_path / f"{rank}.pt", weights_only=False)
        for loss in LOSSES:
            _, _, denominators, (gradients, figures) = whole(loss)
            for accumulate in (False, True):
                theirs, of_weights, means = found[loss, accumulate]
                assert theirs == denominators
                assert means == pytest.approx(figures.means(), rel=1e-5)
                for name, gradient in gradients.items():
                    torch.testing.assert_close(of_weights[f"module.{name}"], gradient, rtol=1e-5, atol=1e-6)


def test_denominators_and_figures_need_no_process_group():
    some = Denominators(2, 30)
    assert some.all_reduce() == some
    assert some + Denominators(1, 4) == Denominators(3, 34)
    assert LossStats().all_reduce().means() == {}
