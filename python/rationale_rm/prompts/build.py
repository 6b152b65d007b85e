"""The four prompts: values neutralised, marked and laid out so that what calls share comes first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from rationale_rm._core import RationaleError
from rationale_rm.prompts.conversation import conversation
from rationale_rm.prompts.marks import code
from rationale_rm.prompts.markup import neutralise
from rationale_rm.prompts.regexes import reasoning_lines
from rationale_rm.prompts.render import render, template_id
from rationale_rm.types import Pair


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompt:
    """A rendered prompt."""

    template: str
    """`template_id` of what it was rendered from."""
    messages: tuple[dict[str, str], ...]
    """Chat messages: ``system`` and ``user``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Annotator:
    """What one annotator wrote about a pair."""

    reasoning: str
    """Why the annotator prefers one response: the summary that decides which claims there are."""
    feedback1: str | None = None
    """The full feedback on response 1."""
    feedback2: str | None = None
    """The full feedback on response 2."""
    score: int | None = None
    """HelpSteer3's scale: -3 (response 1 much better) to 3."""


def genrm_brief(pair: Pair, *, swapped: bool = False) -> Prompt:
    """The question of `genrm` in one line, for small models that training has taught what to do.

    One user message; the texts are made harmless, but stand behind plain headings instead of marker codes.
    """
    a, b = (pair.response2, pair.response1) if swapped else (pair.response1, pair.response2)
    text = render("genrm_brief/call.j2", conversation=conversation(pair.context), a=neutralise(a), b=neutralise(b))
    return Prompt(template=template_id("genrm_brief"), messages=({"role": "user", "content": text},))


def genrm(pair: Pair, *, key: bytes, call: str, swapped: bool = False, n_reasons: int | None = 5) -> Prompt:
    """The question to a GenRM: which response do experts prefer, and for which reasons (paper, Fig. 13).

    `n_reasons` asks for exactly so many reasons (evaluation), None for as many as decide (training). `swapped` shows
    response 2 as A and response 1 as B; flip the verdict back. The conversation is shown whole. `key` is secret to
    the run (`new_key`), `call` a string of this call.
    """
    if n_reasons is not None and n_reasons < 1:
        raise RationaleError(f"n_reasons must be at least 1 or None, not {n_reasons}")
    messages = conversation(pair.context)
    shared_code = code(key, "genrm", *(item for message in messages for item in message))
    a, b = (pair.response2, pair.response1) if swapped else (pair.response1, pair.response2)
    return _prompt(
        "genrm",
        _rules("genrm", n_reasons=n_reasons),
        render("_conversation.j2", conversation=messages, code=shared_code),
        render(
            "genrm/call.j2",
            a=neutralise(a),
            b=neutralise(b),
            code=code(key, "genrm call", call, shared_code),
            n_reasons=n_reasons,
        ),
    )


def metajudge(
    references: Sequence[str],
    reasons: Sequence[str],
    *,
    key: bytes,
    call: str,
    swapped: bool = False,
    reasoning_chars: int | None = None,
) -> Prompt:
    """The question to a MetaJudge: which reason fulfils each reference, and how far (paper, §2.2, App. C).

    The rules are equal for all calls and the human list for all with the same `references` and `key`, byte for byte
    up to where the model list begins, so that a server's prefix cache serves the group. `swapped` says that the
    model saw response 2 as A. `reasoning_chars` states the limit of the thinking before the block (0: none), to go
    with `metajudge_regex`. Raises `RationaleError` without references.
    """
    if not references:
        raise RationaleError("references is empty: without human reasons there is nothing to match")
    shared, shared_code = _human_list(key, tuple(references))
    lines, width = (None, None) if reasoning_chars is None else reasoning_lines(reasoning_chars)
    return _prompt(
        "metajudge",
        _rules("metajudge"),
        shared,
        render(
            "metajudge/call.j2",
            texts=[neutralise(reason) for reason in reasons],
            code=code(key, "metajudge call", call, shared_code),
            n=len(reasons),
            n_references=len(references),
            swapped=swapped,
            lines=lines,
            width=width,
        ),
    )


def decomposition(
    context: Any,
    response1: str | None,
    response2: str | None,
    annotators: Sequence[Annotator],
    *,
    key: bytes,
    call: str,
    strengths: bool = False,
) -> Prompt:
    """Asks to turn annotators' free text into atomic claims (paper, §2.1, App. A).

    `context` is of any chat-message shape; a missing response is said to be missing. `strengths` keeps strengths as
    well as faults, as for creative writing. Raises `RationaleError` without annotators.
    """
    if not annotators:
        raise RationaleError("annotators is empty: there is nothing to decompose")
    messages = conversation(context)
    responses = [neutralise(text) if text else "(not given)" for text in (response1, response2)]
    shared_code = code(key, "decomposition", *(item for message in messages for item in message), *responses)
    return _prompt(
        "decomposition",
        _rules("decomposition", strengths=strengths),
        render("_conversation.j2", conversation=messages, code=shared_code),
        render(
            "decomposition/shared.j2",
            response1=responses[0],
            response2=responses[1],
            code=shared_code,
        ),
        render(
            "decomposition/call.j2",
            annotators=[
                Annotator(
                    reasoning=neutralise(one.reasoning),
                    feedback1=neutralise(one.feedback1 or ""),
                    feedback2=neutralise(one.feedback2 or ""),
                    score=one.score,
                )
                for one in annotators
            ],
            code=code(key, "decomposition call", call, shared_code),
        ),
    )


def taxonomy(
    context: Any,
    response1: str,
    response2: str,
    reasons: Sequence[str],
    *,
    key: bytes,
    call: str,
    verdict: int | None = None,
    swapped: bool = False,
) -> Prompt:
    """Asks for the class of each reason (EG, CG, GS) and its flaws F1 to F7 (paper, Fig. 4 and 5).

    The answer block has one line a reason, ``- S1: EG | none`` or ``- S2: GS | F1, F4``. `verdict` (of `Verdict`, about
    response 1 and 2) is what the reasons were given for: without it nobody can say which of them speak against it.
    `swapped` says that the model saw response 2 as A; the responses are shown as the model saw them. Raises
    `RationaleError` without reasons.
    """
    if not reasons:
        raise RationaleError("reasons is empty: there is nothing to label")
    messages = conversation(context)
    a, b = (neutralise(text) for text in ((response2, response1) if swapped else (response1, response2)))
    shared_code = code(key, "taxonomy", *(item for message in messages for item in message), a, b)
    return _prompt(
        "taxonomy",
        _rules("taxonomy"),
        render("_conversation.j2", conversation=messages, code=shared_code),
        render("taxonomy/shared.j2", a=a, b=b, code=shared_code),
        render(
            "taxonomy/call.j2",
            reasons=[neutralise(reason) for reason in reasons],
            said="" if verdict is None else _said(verdict, swapped),
            code=code(key, "taxonomy call", call, shared_code),
        ),
    )


def _said(verdict: int, swapped: bool) -> str:
    """A sentence that says which response the model preferred, as it called them."""
    if verdict == 0:
        return " The model preferred neither."
    return f" The model preferred Response {'A' if (verdict > 0) != swapped else 'B'}."


@lru_cache(maxsize=64)
def _rules(name: str, **values: Any) -> str:
    return render(f"{name}/rules.j2", **values)


@lru_cache(maxsize=1024)
def _human_list(key: bytes, references: tuple[str, ...]) -> tuple[str, str]:
    """The shared text of a group and its marker code; calls of a group follow each other closely."""
    shared_code = code(key, "metajudge", *references)
    texts = [neutralise(text) for text in references]
    return render("metajudge/shared.j2", texts=texts, n=len(texts), code=shared_code), shared_code


def _prompt(name: str, rules: str, *sections: str) -> Prompt:
    messages = ({"role": "system", "content": rules}, {"role": "user", "content": "\n\n".join(sections)})
    return Prompt(template=template_id(name), messages=messages)
