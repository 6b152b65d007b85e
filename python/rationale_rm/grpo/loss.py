"""GRPO and its relatives.

With π the policy, π_old the policy before the updates on this rollout, π_ref the first policy, μ the sampler,
`A_i` the advantage of completion `i`, `o_it` its tokens and `m_it` ∈ {0, 1} the tokens that count (`counted`):

    r_it = π(o_it) / π_old(o_it)                                     ratio="token"     GRPO, arXiv 2402.03300, Eq. 3
    r_i  = exp( Σ_t m_it log r_it / Σ_t m_it )                       ratio="sequence"  GSPO, arXiv 2507.18071, Eq. 7
    ℓ_it = −min( r A_i, clip(r, 1 − clip_low, 1 + clip_high) A_i )   two clips: DAPO, arXiv 2503.14476, section 3.1
    w_it = min( π_old(o_it) / μ(o_it), sampler_cap )                 truncated importance sampling (`sampler_weights`)
    k_it = π_ref/π − log(π_ref/π) − 1                                k3 (`kl_k3`)
    L_it = w_it ℓ_it + beta k_it [· r if kl_ratio_correction]

and the loss over the whole update batch, of `rows` completions and `tokens` tokens that count, is

    grpo     1/rows Σ_i 1/|o_i| Σ_t m_it L_it        arXiv 2402.03300, Eq. 3
    bnpo     1/tokens Σ_it m_it L_it                 token mean over the batch
    dapo     1/tokens Σ_it m_it L_it                 arXiv 2503.14476, section 3.3
    dr_grpo  1/(rows · max_length) Σ_it m_it L_it    Dr. GRPO, arXiv 2503.20783, section 3.2, with a constant divisor

bnpo and dapo are told apart elsewhere by whether the tokens are counted in the micro-batch or in the whole batch; here
they always are in the whole batch, so the two are the same.
"""

from __future__ import annotations

from typing import Literal, get_args

import torch

from rationale_rm._core import RationaleError
from rationale_rm.grpo.denominators import Denominators, counted
from rationale_rm.grpo.stats import LossStats

LossType = Literal["grpo", "bnpo", "dr_grpo", "dapo"]
"""What the sum over tokens is divided by."""
RatioLevel = Literal["token", "sequence"]
"""Whether a ratio is that of a token or of a whole completion."""


def ratios(
    logprobs: torch.Tensor, old_logprobs: torch.Tensor, mask: torch.Tensor, level: RatioLevel = "token"
) -> torch.Tensor:
    """Probability ratios of new to old policy: float32 [b, t] of tokens, or [b, 1] of completions.

    Those of completions are exp of the mean log-ratio over the tokens of `mask` [b, t] (GSPO, arXiv 2507.18071, Eq. 7),
    and the gradient flows through that mean. Outside the mask a ratio is 1 and has no gradient, whatever stands there.
    """
    log_ratios = torch.where(mask.bool(), logprobs.float() - old_logprobs.float(), 0.0)
    if level == "sequence":
        log_ratios = (log_ratios.sum(-1) / mask.sum(-1).clamp(min=1)).unsqueeze(-1)
    return log_ratios.exp()


def kl_k3(logprobs: torch.Tensor, ref_logprobs: torch.Tensor) -> torch.Tensor:
    """Schulman's k3 estimate of KL(π‖π_ref) a token, ≥ 0: π_ref/π − log(π_ref/π) − 1 (GRPO, arXiv 2402.03300, Eq. 4).

    Its mean over samples of π is the divergence, but the mean of its gradient is not the divergence's; times the token
    ratio π/π_old both are, also off policy (DeepSeek-V3.2, arXiv 2512.02556, section 3.1).
    """
    log_ratio = ref_logprobs - logprobs
    return log_ratio.exp() - log_ratio - 1


def sampler_weights(
    old_logprobs: torch.Tensor, sampler_logprobs: torch.Tensor, cap: float | None = None
) -> torch.Tensor:
    """Weights that correct for a sampler whose probabilities differ from the trainer's: min(π_old/μ, cap), detached.

    Truncated importance sampling (Ionides 2008), used between an inference engine and the trainer of the same weights.
    NaN of the sampler (it gave no log-probability) counts as no difference. Without `cap` the raw ratios.
    """
    log_ratios = old_logprobs.detach().float() - sampler_logprobs.float()
    weights = torch.where(log_ratios.isnan(), 0.0, log_ratios).exp()
    return weights if cap is None else weights.clamp(max=cap)


def grpo_loss(
    logprobs: torch.Tensor,
    old_logprobs: torch.Tensor | None,
    advantages: torch.Tensor,
    mask: torch.Tensor,
    *,
    denominators: Denominators,
    loss: LossType = "dapo",
    ratio: RatioLevel = "token",
    clip_low: float = 0.2,
    clip_high: float = 0.2,
    beta: float = 0.0,
    ref_logprobs: torch.Tensor | None = None,
    kl_ratio_correction: bool = False,
    sampler_logprobs: torch.Tensor | None = None,
    sampler_cap: float | None = None,
    truncated: torch.Tensor | None = None,
    max_length: int | None = None,
    entropies: torch.Tensor | None = None,
) -> tuple[torch.Tensor, LossStats]:
    """One micro-batch's share of the loss of the whole update batch (equations: this module), and its figures.

    The shares of all micro-batches of all processes add up to the loss. Where gradients are averaged over processes
    (DDP, FSDP, DeepSpeed), multiply the share by their number before the backward pass, and by
    `gradient_accumulation_steps` where `Accelerator.backward` divides by that.

    Args:
        logprobs: Log-probabilities of the completion tokens under the policy, [b, t], padded anywhere.
        old_logprobs: The same under the policy before the rollout's first update, [b, t]. None: `logprobs`, detached.
        advantages: Of the completions, [b]. NaN: the completion counts nowhere.
        mask: Completion tokens, [b, t], bool or 0 and 1. What stands elsewhere is not looked at, be it NaN.
        denominators: Those of the whole update batch, over the same `counted(mask, advantages, truncated)`.
        loss: What the sum over tokens is divided by.
        ratio: Ratios of tokens or of completions.
        clip_low: Ratios below 1 − clip_low gain nothing more.
        clip_high: Ratios above 1 + clip_high gain nothing more.
        beta: Weight of the KL term; above 0 `ref_logprobs` is needed.
        ref_logprobs: Under the reference policy, [b, t].
        kl_ratio_correction: Multiplies the KL term by the unclipped ratio (with its gradient).
        sampler_logprobs: What the sampler said when it drew the tokens, [b, t]; NaN where it said nothing.
        sampler_cap: Weighs tokens by `sampler_weights` up to this. None: the weights are logged only.
        truncated: bool [b], completions that were cut, which then count nowhere. None: they count as others do.
        max_length: The length limit of completions, which `dr_grpo` divides by.
        entropies: Of the policy at each token, [b, t], for the figures alone.

    Returns:
        The share, a float32 scalar that hangs on `logprobs` even where nothing counts, and `LossStats`: totals
        ``loss``, ``policy_loss``, ``kl_loss``, ``rows``, ``tokens``, ``rows_without_advantage``, ``rows_truncated``;
        means over tokens ``ratio``, ``log_ratio``, ``clip_low``, ``clip_high`` (shares of ratios that the clip has
        stopped; of completions with sequence ratios), ``kl``, ``entropy``, ``sampler_ratio`` (before the cap),
        ``sampler_gap`` (|log π_old − log μ|), ``sampler_capped`` (these three over tokens of which the sampler said
        something), ``sampler_missing`` (the share of the others); maxima ``ratio_max``, ``sampler_ratio_max``,
        ``sampler_gap_max``.

    Raises:
        RationaleError: Shapes that do not fit, an unknown choice, or denominators smaller than this part.
    """
    old_logprobs = logprobs.detach() if old_logprobs is None else old_logprobs
    _check(logprobs, old_logprobs, advantages, mask, ref_logprobs, sampler_logprobs, entropies, truncated)
    for name, value, kind in (("loss", loss, LossType), ("ratio", ratio, RatioLevel)):
        if value not in get_args(kind):
            raise RationaleError(f"unknown {name} {value!r}: choose from {', '.join(get_args(kind))}")
    if beta and ref_logprobs is None:
        raise RationaleError(f"beta is {beta}, so ref_logprobs are needed")
    if sampler_cap is not None and sampler_logprobs is None:
        raise RationaleError(f"sampler_cap is {sampler_cap}, so sampler_logprobs are needed")

    counts = counted(mask, advantages, truncated)
    policy = torch.where(counts, logprobs.float(), 0.0)
    old = torch.where(counts, old_logprobs.float(), 0.0)
    gains = torch.where(advantages.isnan(), 0.0, advantages.float())[:, None]
    r = ratios(policy, old, counts, ratio)
    clipped = r.clamp(1 - clip_low, 1 + clip_high)
    per_token = -torch.min(r * gains, clipped * gains)

    weights = None
    if sampler_logprobs is not None:
        sampler = torch.where(counts, sampler_logprobs.float(), 0.0)
        weights = sampler_weights(old, sampler)
        if sampler_cap is not None:
            per_token = per_token * weights.clamp(max=sampler_cap)
    scale = _scales(counts, loss, denominators, max_length)
    policy_share = (per_token * scale).sum()
    kl, kl_share = None, torch.zeros_like(policy_share)
    if ref_logprobs is not None:
        kl = kl_k3(policy, torch.where(counts, ref_logprobs.float(), 0.0))
        if beta:
            kl_share = beta * ((kl * r if kl_ratio_correction else kl) * scale).sum()
    share = policy_share + kl_share
    with torch.no_grad():
        stats = _Figures(counts)
        stats.totals(
            loss=share,
            policy_loss=policy_share,
            kl_loss=kl_share,
            rows=counts.any(-1).sum(),
            tokens=counts.sum(),
            rows_without_advantage=torch.isnan(advantages).sum(),
            rows_truncated=advantages.new_zeros(()) if truncated is None else truncated.sum(),
        )
        stats.means(
            ratio=r,
            log_ratio=policy - old,
            clip_low=(r < 1 - clip_low) & (gains < 0),
            clip_high=(r > 1 + clip_high) & (gains > 0),
        )
        stats.peaks(ratio_max=r)
        if kl is not None:
            stats.means(kl=kl)
        if entropies is not None:
            stats.means(entropy=entropies)
        if weights is not None:
            missing = sampler.isnan()
            gaps = torch.where(missing, 0.0, (old - sampler).abs())
            stats.means(among=~missing, sampler_ratio=weights, sampler_gap=gaps)
            stats.means(sampler_missing=missing)
            stats.peaks(sampler_ratio_max=weights, sampler_gap_max=gaps)
            if sampler_cap is not None:
                stats.means(among=~missing, sampler_capped=weights > sampler_cap)
    return share, stats.all


def _scales(counts: torch.Tensor, loss: LossType, denominators: Denominators, max_length: int | None) -> torch.Tensor:
    """What each token's loss is multiplied by, float32 [b, t]; 0 where it does not count."""
    denominators.check(counts)
    tokens = counts.float()
    if loss == "grpo":
        return tokens / counts.sum(-1, keepdim=True).clamp(min=1) / max(denominators.rows, 1)
    if loss == "dr_grpo":
        if max_length is None or max_length < 1:
            raise RationaleError("loss dr_grpo divides by the length limit of completions: give max_length")
        return tokens / (max(denominators.rows, 1) * max_length)
    return tokens / max(denominators.tokens, 1)


class _Figures:
    """Collects the figures of the tokens that count."""

    def __init__(self, counts: torch.Tensor):
        self.all = LossStats({}, {}, {})
        self._counts = counts
        self._rows = counts.any(-1, keepdim=True)
        self._dtype = torch.float32 if counts.device.type == "mps" else torch.float64  # MPS has no float64

    def _counted(self, values: torch.Tensor) -> torch.Tensor:
        return self._counts if values.shape == self._counts.shape else self._rows

    def totals(self, **values: torch.Tensor) -> None:
        found = {name: value.detach().to(self._dtype) for name, value in values.items()}
        self.all += LossStats(totals=found)

    def means(self, *, among: torch.Tensor | None = None, **values: torch.Tensor) -> None:
        found = {}
        for name, value in values.items():
            counts = self._counted(value) if among is None else self._counted(value) & among
            total = torch.where(counts, value.detach().to(self._dtype), 0.0).sum()
            found[name] = torch.stack([total, counts.sum().to(self._dtype)])
        self.all += LossStats(sums=found)

    def peaks(self, **values: torch.Tensor) -> None:
        found = {}
        for name, value in values.items():
            shown = torch.where(self._counted(value), value.detach().to(self._dtype), float("-inf"))
            found[name] = shown.amax() if shown.numel() else shown.new_tensor(float("-inf"))
        self.all += LossStats(peaks=found)


def _check(logprobs: torch.Tensor, old: torch.Tensor, advantages: torch.Tensor, mask: torch.Tensor,
           ref: torch.Tensor | None, sampler: torch.Tensor | None, entropies: torch.Tensor | None,
           truncated: torch.Tensor | None) -> None:  # fmt: skip
    """Shapes broadcast where they should not; a mask or advantage of another batch must not pass."""
    if logprobs.dim() != 2:
        raise RationaleError(f"logprobs must be [b, t], not {list(logprobs.shape)}")
    tokens = {
        "old_logprobs": old,
        "mask": mask,
        "ref_logprobs": ref,
        "sampler_logprobs": sampler,
        "entropies": entropies,
    }
    for name, value in tokens.items():
        if value is not None and value.shape != logprobs.shape:
            raise RationaleError(f"{name} is {list(value.shape)}, logprobs are {list(logprobs.shape)}")
    for name, value in {"advantages": advantages, "truncated": truncated}.items():
        if value is not None and value.shape != logprobs.shape[:1]:
            raise RationaleError(f"{name} is {list(value.shape)} for {logprobs.shape[0]} completions")
