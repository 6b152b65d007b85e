"""Regular expressions that hold a server to the answer format: free, bounded reasoning, then the exact block.

They use only what Python's `re` and the grammar compilers of inference servers take alike: character classes, groups,
alternatives and bounded repeats. The whole answer must match.

How they are written is measured on xgrammar 0.2.8 with Qwen's vocabulary of 151,643 tokens (docs/prompts.md). It
expands every repeat of a class, at about 30 ms a step and thread, and vLLM gives up after 5 s; and from somewhere
above 128 steps on it lets through tokens with a `<` in their middle, which it then refuses, so that the request dies.
Hence reasoning is bounded as lines of a bounded width, where the group is repeated and not the class.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from rationale_rm._core import RationaleError

FREE_LINES: Final = 24
"""Lines, of any length, that reasoning without a bound in characters may have: enough for three a reference of the
longest lists that are usual, and compiled in 20 ms, where a bound in characters takes seconds."""
LINE_WIDTH: Final = 80
"""The longest line of bounded reasoning, its line feed included."""
_MOST_STEPS: Final = 100
_FLAWS: Final = "none|" + "|".join(
    f"F{first}" + "".join(f"(, F{flaw})?" for flaw in range(first + 1, 8)) for first in range(1, 8)
)
_SCORES: Final = r"(0\.25|0\.5|0\.75|1)"
# Printable ASCII but for "<", then all else but control characters and the halves of surrogate pairs: with a negated
# class xgrammar would write the latter, which are no UTF-8. The characters stand for themselves, since not every
# dialect of regular expressions knows \u.
_ABOVE_ASCII: Final = "\u00a0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff"
_IN_LINES: Final = rf"[\t -;=-~{_ABOVE_ASCII}]"
_IN_REASONS: Final = rf"[ -;=-Z\\-z|}}~{_ABOVE_ASCII}]"


def reasoning_lines(reasoning_chars: int) -> tuple[int, int]:
    """How many lines, and how many characters a line with its line feed, `reasoning_chars` are at most."""
    lines = -(-reasoning_chars // LINE_WIDTH)
    return lines, reasoning_chars // lines if lines else 0


@lru_cache(maxsize=1024)
def metajudge_regex(n_references: int, n_reasons: int, *, reasoning_chars: int | None) -> str:
    """What a MetaJudge may answer: every R in order, each with ``S0: 0`` or an existing S and one of 0.25 to 1.

    Before the block up to `reasoning_chars` characters in lines of at most 80 (`reasoning_lines`), none of them
    ``<``, so that no tag of any kind can stand there; with None up to 24 lines (`FREE_LINES`) whose length only the
    token limit bounds, which servers compile in a moment. What matches is read as ``ok`` by `parse_metajudge`.
    Raises `RationaleError` for more than 8,000 characters.
    """
    _check(n_references=(n_references, 1), n_reasons=(n_reasons, 0))
    choice = f"(0: 0|({_up_to(n_reasons)}): {_SCORES})" if n_reasons else "0: 0"
    lines = "".join(rf"- R{number}@S{choice}\n" for number in range(1, n_references + 1))
    return rf"{_reasoning(reasoning_chars)}<RESULT_START>\n{lines}<RESULT_END>"


@lru_cache(maxsize=1024)
def genrm_regex(n_reasons: int, *, reasoning_chars: int | None = None, reason_chars: int | None = None) -> str:
    """What a GenRM may answer: exactly `n_reasons` numbered reasons and one boxed verdict.

    Reasoning before the block as in `metajudge_regex`. A reason is one line that ends in a full stop and holds no
    ``<``, ``[`` or ``{``, so that it can be neither a heading nor markup; of at most `reason_chars` characters (3 to
    100), or, with None, of any length that the token limit allows. What matches is read as ``ok`` with `n_reasons`
    reasons by `parse_genrm`.
    """
    _check(n_reasons=(n_reasons, 1))
    repeat = "*"
    if reason_chars is not None:
        _check(reason_chars=(reason_chars, 3))
        if reason_chars > _MOST_STEPS:
            raise RationaleError(f"reason_chars must be at most {_MOST_STEPS} or None, not {reason_chars}")
        repeat = f"{{1,{reason_chars - 2}}}"
    lines = "".join(rf"{number}\. [A-Za-z0-9]{_IN_REASONS}{repeat}\.\n" for number in range(1, n_reasons + 1))
    verdict = r"\\boxed\{(A>>B|A>B|A=B|B>A|B>>A)\}"
    return (
        rf"{_reasoning(reasoning_chars)}<RESULT_START>\nList of reasons:\n{lines}Final assessment result:\n{verdict}\n"
        r"<RESULT_END>"
    )


@lru_cache(maxsize=256)
def taxonomy_regex(n_reasons: int, *, reasoning_chars: int | None = None) -> str:
    """What a labeller of reasons may answer: each of `n_reasons` reasons in order, with one class and flaws in rising
    order or ``none``.

    Reasoning before the block as in `metajudge_regex`. What matches is read as ``ok`` by
    `rationale_rm.analysis.taxonomy.parse`.
    """
    _check(n_reasons=(n_reasons, 1))
    lines = "".join(rf"- S{number}: (EG|CG|GS) \| ({_FLAWS})\n" for number in range(1, n_reasons + 1))
    return rf"{_reasoning(reasoning_chars)}<RESULT_START>\n{lines}<RESULT_END>"


def _reasoning(chars: int | None) -> str:
    if chars is None:
        return rf"({_IN_LINES}*\n){{0,{FREE_LINES}}}"
    _check(reasoning_chars=(chars, 0))
    lines, width = reasoning_lines(chars)
    if lines > _MOST_STEPS:
        raise RationaleError(f"reasoning_chars must be at most {_MOST_STEPS * LINE_WIDTH}, not {chars}")
    return rf"({_IN_LINES}{{0,{width - 1}}}\n){{0,{lines}}}" if chars else ""


def _up_to(n: int) -> str:
    """The numbers 1 to n; classes of digits keep long lists small."""
    if n <= 9:
        return f"[1-{n}]" if n > 1 else "1"
    if n > 99:
        return "|".join(str(number) for number in range(1, n + 1))
    tens, ones = divmod(n, 10)
    full = f"[1-{tens - 1}][0-9]" if tens > 2 else "1[0-9]"
    return "|".join(["[1-9]", *([full] if tens > 1 else []), f"{tens}[0-{ones}]" if ones else f"{tens}0"])


def _check(**limits: tuple[int, int]) -> None:
    for name, (value, least) in limits.items():
        if value < least:
            raise RationaleError(f"{name} must be at least {least}, not {value}")
