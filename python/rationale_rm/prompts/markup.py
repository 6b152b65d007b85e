"""Makes the markup of the protocol harmless in text that is shown to a model.

What a judge quotes from judged text must not read as its own answer (docs/parsing.md), as a control token of a
chat template, or as one of our marker lines. Every substitution is visible, keeps the text readable, needs linear
time, and changes nothing the second time (docs/prompts.md has the table).
"""

from __future__ import annotations

import re
from typing import Final

REVISION: Final = 1
"""Part of every template id: a change below changes prompts, so it must change cache keys."""

HIDDEN: Final = "\ufffd"
"""Stands for characters that cannot be seen."""

# Always replaced: controls (tab and line breaks aside), bidirectional overrides and isolates, tag characters, halves
# of surrogate pairs.
_NEVER: Final = "\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u206f\U000e0000-\U000e00ff\ud800-\udfff"
# Replaced unless they do what they are for, beside a character outside ASCII: joiners in emoji and in Persian or
# Indic words, variation selectors, Thai word breaks, soft hyphens.
_SOMETIMES: Final = (
    "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2060-\u2065\u3164\ufe00-\ufe0f\ufeff\uffa0"
    "\ufff9-\ufffb\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0100-\U000e0fff"
)
_UNSEEN: Final = re.compile(f"[{_NEVER}{_SOMETIMES}]+")
_ALWAYS: Final = re.compile(f"[{_NEVER}]")
_ASCII_CONTROL: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_LONGEST_RUN: Final = 3
"""An emoji needs two unseen characters in a row; longer runs carry hidden text."""


def _any_case(word: str) -> str:
    return "".join(f"[{letter}{letter.upper()}]" for letter in word)


# The tags of the answer block and of reasoning, in every spelling that parse/block.rs takes; the control tokens of
# chat templates: <|im_start|>, <｜User｜>, <start_of_turn>, <s> … Case is folded letter by letter, since a pattern
# that ignores case as a whole is three times as slow.
_TAG: Final = re.compile(
    rf"<([ \t]*(?:/[ \t]*)?(?:{_any_case('think')}(?:{_any_case('ing')})?"
    rf"|{_any_case('result')}[_\- \t]?(?:{_any_case('start')}|{_any_case('end')}))[ \t]*(?:/[ \t]*)?"
    r"|[|｜][^\s<>|｜]{1,64}[|｜]"
    r"|</?SYS>"
    r"|/?(?:s|bos|eos|pad|unk|cls|sep|mask|sop|eop|start_of_turn|end_of_turn|start_of_image|end_of_image"
    r"|start_of_role|end_of_role|end_of_text|tool_call|tool_calls|tool_response|tool_result|function_call|functions"
    r"|fim_prefix|fim_middle|fim_suffix|fim_pad|file_sep|repo_name|endoftext|extra_id_[0-9]{1,4}"
    r"|unused[0-9]{1,4}|SPECIAL_[0-9]{1,4}|0x[0-9A-F]{2}))>"
)
_BRACKET_TOKEN: Final = re.compile(
    r"\[(/?(?:INST|SYSTEM_PROMPT|AVAILABLE_TOOLS|TOOL_CALLS|TOOL_RESULTS|TOOL_CONTENT|THINK|IMG|BOS|EOS|PAD|UNK|CLS"
    r"|SEP|MASK|gMASK|sMASK)|\|[a-z_]{3,32}\|)\]"
)
# `R1@S1: 1.0`: the parser goes by the @ between an index and `S<digits>`.
_CELL: Final = re.compile(r"@(?<=[0-9 \t*_`]@)(?=[ \t*_`]*[Ss][0-9])")
# `S1: EG | F1`, a line of the taxonomy.
_LABEL: Final = re.compile(r"([Ss][0-9]{1,9}[ \t*_`]{0,8}):(?=[ \t*_`]{0,8}(?:EG|CG|GS)\b)")
_DOUBLE_BRACKET: Final = re.compile(r"\[\[([^\[\]\n]*)\]\]")
_BOX: Final = re.compile(r"(?:boxed|fbox)[ \t]*\{")
_LONGEST_BOX: Final = 200
"""As in parse/markup.rs, in bytes there; counted in characters here, which takes in more."""
_MARKER: Final = re.compile(r"\[#(?=[ \t]*[0-9a-fA-F]{6})")

# What a verdict body may hold beside letters and a relation, and the relations (rust/verdict.rs); read loosely, since
# taking a little too much is harmless here.
_NOISE: Final = re.compile(
    r"response|assistant|output|answer|option|model|operatorname|textbf|mathrm|mathbf|text|quad"
    rf"|[\s$\"'`*~\\{{}}()!,;:“”„‟‘’‚‛{HIDDEN}{_SOMETIMES}]"
)
_VERDICT: Final = re.compile(r"[abc]|tie|[ab](?:[<>=≫≪»«＞＜＝≠]|&[gl]t|g[gt]|l[lt]|neq?)+[ab]")


def neutralise(text: str) -> str:
    """The text with every piece of markup made harmless that a parser, a chat template or a judge could take for real.

    Answer tags, think tags and control tokens get ‹ › for < >; verdicts in double brackets ⟦ ⟧, in boxes ❴ ❵; score
    cells ＠ for @; forged marker lines ⟦ for [; characters that cannot be seen �. Other text stays as it is.
    Idempotent; time is linear in the length of the text.
    """
    # The tests in front run at memory speed, and nearly every text passes all of them.
    if not text.isascii() or (not text.isprintable() and _ASCII_CONTROL.search(text)):
        text = _UNSEEN.sub(_unseen, text)
    if "<" in text:
        text = _TAG.sub(r"‹\1›", text)
    if "@" in text:
        text = _CELL.sub("＠", text)
    if "[" in text:
        text = _MARKER.sub("⟦#", text)
        text = _BRACKET_TOKEN.sub(r"⟦\1⟧", text)
        if "[[" in text:
            text = _DOUBLE_BRACKET.sub(_double_bracket, text)
    if "{" in text and ("boxed" in text or "fbox" in text):
        text = _boxes(text)
    if "EG" in text or "CG" in text or "GS" in text:
        text = _LABEL.sub(r"\1∶", text)
    return text


def _unseen(found: re.Match[str]) -> str:
    run, whole, start, end = found.group(), found.string, found.start(), found.end()
    before, after = whole[max(start - 1, 0) : start], whole[end : end + 1]
    if len(run) > _LONGEST_RUN or _ALWAYS.search(run) or (before.isascii() and after.isascii()):
        return HIDDEN
    return run


def _double_bracket(found: re.Match[str]) -> str:
    body = found.group(1)
    return f"⟦⟦{body}⟧⟧" if _may_be_verdict(body) else found.group()


def _boxes(text: str) -> str:
    """Disarms the boxes whose body may be a verdict: their braces become ❴ and ❵."""
    braces: dict[int, str] = {}
    for found in _BOX.finditer(text):
        start = found.end()
        end = _body_end(text, start)
        if end is not None and _may_be_verdict(text[start:end]):
            braces[start - 1] = "❴"
            braces[end] = "❵"
    if not braces:
        return text
    pieces, at = [], 0
    for place in sorted(braces):
        pieces += [text[at:place], braces[place]]
        at = place + 1
    return "".join([*pieces, text[at:]])


def _body_end(text: str, at: int) -> int | None:
    """Where the brace closes that opened just before `at`."""
    depth, stop = 0, min(len(text), at + _LONGEST_BOX + 1)
    while at < stop:
        sign = text[at]
        if sign == "\\":
            at += 1  # `\{` and `\}` are signs, not braces
        elif sign == "{":
            depth += 1
        elif sign == "}":
            if depth == 0:
                return at
            depth -= 1
        at += 1
    return None


def _may_be_verdict(body: str) -> bool:
    return _VERDICT.fullmatch(_NOISE.sub("", body.lower())) is not None
