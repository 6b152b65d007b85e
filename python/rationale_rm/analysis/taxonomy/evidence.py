"""What of a reason can be found in the conversation and the responses, and what of it is not there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from rationale_rm.analysis.taxonomy.reading import Quotation, Reading
from rationale_rm.analysis.taxonomy.sources import CONTEXT, Sources
from rationale_rm.analysis.taxonomy.vocabulary import vocabulary

RESPONSES: Final = frozenset({1, 2})


@dataclass(frozen=True, slots=True)
class Evidence:
    """Counts for one reason."""

    quoted: int
    """Quotations that are in one of the texts, and asides in parentheses that are."""
    quoted_from: frozenset[int]
    """The responses that a quotation is from, and from no other text."""
    misquoted: int
    """Quotations of several words, or of code, that are in none, and quotations put into the wrong response's mouth."""
    numbers: int
    """Numbers that are in a response, and counts of what can be counted there (three sentences), the prompt's own
    numbers excepted."""
    marks: int
    """Names in code, formulas, abbreviations and symbols that are in one of the texts."""
    own: int
    """Words that point to something: of no kind that fits any pair."""
    in_responses: int
    """Of these, those that a response holds."""
    in_one: int
    """Those that just one response holds; a table or a list that it speaks of is no place in it."""
    in_context: int
    """Those that only the conversation holds."""
    nowhere: int
    """Those that no text holds."""
    denied_there: frozenset[int]
    """The responses of which the reason says that something is missing which they hold."""
    surface_asked: int
    """Words for wording, tone, format or length that the conversation uses too."""


def evidence(reading: Reading, sources: Sources) -> Evidence:
    """Looks everything up; linear in the reason and, for quotations, in the texts."""
    quoted = 0
    misquoted = 0
    quoted_from: set[int] = set()
    for quotation in reading.quotations:
        places = frozenset.intersection(*(sources.quoted(piece) for piece in quotation.pieces))
        quoted += bool(places)
        quoted_from |= places if len(places) == 1 and CONTEXT not in places else frozenset()
        misquoted += _misquoted(quotation, places)
    quoted += sum(bool(sources.quoted(aside)) for aside in reading.asides)
    counts = dict.fromkeys(("own", "in_responses", "in_one", "in_context", "nowhere"), 0)
    denied_there: set[int] = set()
    surface_asked = 0
    seen: set[str] = set()
    for token in reading.tokens:
        for key in token.keys:
            places = sources.places(key, "stems")
            responses = places & RESPONSES
            if "style" in token.kinds and CONTEXT in places and token.quotation < 0:
                surface_asked += 1
            if token.kinds or key in seen or token.quotation >= 0:
                continue
            seen.add(key)
            counts["in_responses"] += bool(responses)
            counts["in_one"] += len(responses) == 1 and token.lower not in vocabulary().lists["layout"]
            if not token.is_owned:
                counts["own"] += 1
                counts["in_context"] += places == {CONTEXT}
                counts["nowhere"] += not places
            if token.named and token.omitted and token.side in responses:
                denied_there.add(token.side)
    return Evidence(
        quoted=quoted,
        quoted_from=frozenset(quoted_from),
        misquoted=misquoted,
        numbers=_numbers(reading, sources) if quoted or not misquoted else 0,
        marks=sum(bool(sources.places(mark, "marks")) for mark in reading.marks) if quoted or not misquoted else 0,
        denied_there=frozenset(denied_there),
        surface_asked=surface_asked,
        **counts,
    )


def _misquoted(quotation: Quotation, places: frozenset[int]) -> bool:
    if not places:
        return quotation.n_words > 2 or quotation.is_code
    return bool(quotation.side) and not quotation.denied and places == {3 - quotation.side}


def _numbers(reading: Reading, sources: Sources) -> int:
    found = sum(bool(sources.places(number, "numbers") & RESPONSES) for number in reading.numbers)
    counted = [number for number in reading.counts if CONTEXT not in sources.places(number, "numbers")]
    return found + len(counted)
