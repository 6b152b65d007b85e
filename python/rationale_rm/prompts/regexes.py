"""Regular expressions that hold a server to the answer format: free, bounded reasoning, then the exact block.

They use only what Python's `re` and the grammar compilers of inference servers (xgrammar) both take: character
classes, groups, alternatives and bounded repeats. The whole answer must match.
"""

from __future__ import annotations

from functools import lru_cache

from rationale_rm._core import RationaleError

_SCORES = r"(0\.25|0\.5|0\.75|1)"


@lru_cache(maxsize=1024)
def metajudge_regex(n_references: int, n_reasons: int, *, reasoning_chars: int) -> str:
    """What a MetaJudge may answer: every R in order, each with ``S0: 0`` or an existing S and one of 0.25 to 1.

    Before the block up to `reasoning_chars` characters without ``<``, so that no tag of any kind can stand there.
    What matches is read as ``ok`` by `parse_metajudge`.
    """
    _check(n_references=(n_references, 1), n_reasons=(n_reasons, 0), reasoning_chars=(reasoning_chars, 0))
    match = f"({_up_to(n_reasons)}): {_SCORES}" if n_reasons else ""
    choice = f"(0: 0|{match})" if match else "0: 0"
    lines = "".join(rf"- R{number}@S{choice}\n" for number in range(1, n_references + 1))
    return rf"{_reasoning(reasoning_chars)}<RESULT_START>\n{lines}<RESULT_END>"


@lru_cache(maxsize=1024)
def genrm_regex(n_reasons: int, *, reasoning_chars: int, reason_chars: int = 600) -> str:
    """What a GenRM may answer: exactly `n_reasons` numbered reasons and one boxed verdict.

    A reason is one line of at most `reason_chars` characters that ends in a full stop and holds no ``<``, ``[``
    or ``{``, so that it can be neither a heading nor markup. What matches is read as ``ok`` with `n_reasons`
    reasons by `parse_genrm`.
    """
    _check(n_reasons=(n_reasons, 1), reasoning_chars=(reasoning_chars, 0), reason_chars=(reason_chars, 3))
    reason = rf"[A-Za-z0-9][^\n\r<\[{{]{{1,{reason_chars - 2}}}\."
    lines = "".join(rf"{number}\. {reason}\n" for number in range(1, n_reasons + 1))
    verdict = r"\\boxed\{(A>>B|A>B|A=B|B>A|B>>A)\}"
    return (
        rf"{_reasoning(reasoning_chars)}<RESULT_START>\nList of reasons:\n{lines}Final assessment result:\n{verdict}\n"
        r"<RESULT_END>"
    )


def _reasoning(chars: int) -> str:
    return rf"[^<]{{0,{chars}}}" if chars else ""


def _up_to(n: int) -> str:
    """The numbers 1 to n; classes of digits keep long lists small."""
    if n <= 9:
        return f"[1-{n}]" if n > 1 else "1"
    parts = ["[1-9]"]
    tens, ones = divmod(n, 10)
    if n > 99:
        return "|".join(str(number) for number in range(1, n + 1))
    if tens > 1:
        parts.append(f"[1-{tens - 1}][0-9]" if tens > 2 else "1[0-9]")
    parts.append(f"{tens}[0-{ones}]" if ones else f"{tens}0")
    return "|".join(parts)


def _check(**limits: tuple[int, int]) -> None:
    for name, (value, least) in limits.items():
        if value < least:
            raise RationaleError(f"{name} must be at least {least}, not {value}")
