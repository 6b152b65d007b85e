"""The answers of a model, as its records hold them or as its transcripts read."""

from __future__ import annotations

from collections.abc import Sequence

from rationale_rm import _core as core
from rationale_rm.metrics.results import Format, Policy
from rationale_rm.types import Critique, GenrmStatus, Pair


def critiques(pairs: Sequence[Pair], model: str, *, format: Format = "auto", policy: Policy = "last") -> list[Critique]:
    """The answers of `model`, one for each record that has one, in the order of `pairs`; `Critique.pair_id` is the
    id of the record.

    ``M-checklist`` and ``M-label`` stand as they are; what they leave open is parsed from
    ``M-generated_text``; without that, reasons are None. A verdict of a text that saw the responses swapped is
    flipped back; a recorded ``M-label`` speaks of responses 1 and 2 already.
    """
    held = [(pair, pair.models[model]) for pair in pairs if model in pair.models]
    texts = [answer.text or "" for _, answer in held]
    parsed = core.parse_genrm(texts, format=format, policy=policy)
    statuses, verdicts, parsed_reasons = parsed.status.tolist(), parsed.verdict.tolist(), parsed.reasons
    result = []
    for index, (pair, answer) in enumerate(held):
        verdict: int | None = None
        status: GenrmStatus | None = None
        if answer.verdict is not None:
            verdict, status = answer.verdict, GenrmStatus.OK
        elif answer.bad_label is not None:
            status = GenrmStatus.BAD_VERDICT
        elif answer.text is not None:
            status = GenrmStatus(statuses[index])
            if status is GenrmStatus.OK:
                verdict = -verdicts[index] if answer.swapped else verdicts[index]
        reasons = answer.reasons
        if reasons is None:
            reasons = tuple(parsed_reasons[index]) if answer.text is not None else None
        elif not _is_unicode(reasons):
            verdict, status, reasons = None, GenrmStatus.INVALID_UNICODE, ()
        result.append(
            Critique(
                id=f"{answer.id}/{answer.sample}",
                pair_id=pair.id,
                model=model,
                reasons=reasons,
                verdict=verdict,
                status=status,
                text=answer.text,
                swapped=answer.swapped,
                sample=answer.sample,
            )
        )
    return result


def _is_unicode(texts: Sequence[str]) -> bool:
    try:
        "".join(texts).encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True
