"""Samples of what the policy writes, with what was made of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from rationale_rm import _core as core
from rationale_rm.judge import match_results
from rationale_rm.train.batches import Shown
from rationale_rm.train.run import Run
from rationale_rm.train.sample_files import write_samples
from rationale_rm.types import VERDICT_TEXTS, GenrmStatus, RewardBatch

if TYPE_CHECKING:
    from rationale_rm.train.loop import Answer


def write_groups(run: Run, step: int, shown: Sequence[Shown], answers: Sequence[Answer], rewards: RewardBatch) -> None:
    """Writes the first groups that the first process sampled, each with the matches that it was scored by."""
    if not run.processes.is_main:
        return
    wanted = set(range(0, len(shown), run.processes.n)[: run.recipe.output.samples])
    rows = [row for row, answer in enumerate(answers) if answer.group in wanted]
    how = run.recipe.reward
    parsed = core.parse_genrm([answers[row].completion.text for row in rows], format=how.format, policy=how.policy)
    reasons = [tuple(items)[: how.top_k] for items in parsed.reasons]
    records = []
    for place, row in enumerate(rows):
        answer, one = answers[row], shown[answers[row].group]
        verdict = int(rewards.verdict[row])
        prompt = run.prompts.messages(one.pair, one.swapped, run.recipe.prompt.n_reasons)
        records.append(
            {
                "step": step,
                "id": rewards.critique_ids[row],
                "pair_id": one.pair.id,
                "swapped": one.swapped,
                "prompt": "\n\n".join(message["content"] for message in prompt),
                "answer": answer.completion.text,
                "tokens": len(answer.completion.token_ids),
                "truncated": answer.completion.truncated,
                "status": GenrmStatus(int(rewards.status[row])).name.lower(),
                "label": None if one.pair.label is None else VERDICT_TEXTS[one.pair.label],
                "verdict": VERDICT_TEXTS.get(verdict),
                "references": list(one.pair.references),
                "reasons": list(reasons[place]),
                "matches": _matches(run, one, reasons[place]),
                "outcome": float(rewards.outcome[row]),
                "rationale": float(rewards.rationale[row]),
                "rc": float(rewards.rc[row]),
                "reward": float(rewards.reward[row]),
                "advantage": float(rewards.advantage[row]),
                "error": rewards.errors[row],
            }
        )
    write_samples(run.folder, step, records)


def _matches(run: Run, shown: Shown, reasons: Sequence[str]) -> list[dict[str, Any]] | None:
    """The matched pairs, both lists counted from 0; None where no judge answered."""
    result = run.judge.result(shown.pair.references, reasons, shown.swapped)
    if result is None or not result.answered:
        return None
    found = match_results([result], [len(shown.pair.references)], [len(reasons)])
    columns = (found.reference.tolist(), found.reason.tolist(), found.score.tolist())
    return [{"reference": i, "reason": j, "score": score} for i, j, score in zip(*columns, strict=True)]
