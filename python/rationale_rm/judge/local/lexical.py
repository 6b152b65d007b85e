"""A judge by shared words: no model, no network."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from rationale_rm import _core as core
from rationale_rm.judge.local.alignment import ALIGNMENT, Floats, Texts, align
from rationale_rm.judge.local.claims import Claim
from rationale_rm.judge.local.judge import LocalJudge, read_cached
from rationale_rm.judge.local.model import Coefficients, shipped
from rationale_rm.judge.local.words import MAX_CHARACTERS
from rationale_rm.types import MatchRequest

Scorer = Literal["ratio", "token_sort", "token_set"]

ALIKE: Final = 0.7
"""Below this ratio of letters two stems have nothing to do with each other."""
SYNONYM: Final = 0.8
"""Similarity of two words of one concept."""
GENERIC: Final = 0.5
"""What a shared word that could stand in any reason (clear, answer, better) is worth of one that could not."""


class LexicalJudge(LocalJudge):
    """Scores by words: RapidFuzz's ratios (Rust), which words find a counterpart, and where claims conflict.

    Word counts know nothing of meaning: a distant paraphrase is missed. `scorer` is the whole-text ratio. Raises
    `RationaleError` for an unknown scorer.
    """

    measures = ("whole", *ALIGNMENT)

    def __init__(self, scorer: Scorer = "token_set", coefficients: Coefficients | None = None):
        core.similarity([], [], scorer=scorer)  # names the scorer that is unknown
        super().__init__(coefficients or shipped(f"lexical:{scorer}"))
        self.scorer = scorer
        self.name = "lexical" if scorer == "token_set" else f"lexical:{scorer}"
        self.stand_in = (
            "lexical scores are a rough stand-in for a MetaJudge: they compare words, miss paraphrases, and cannot "
            "tell whether a reason is true or complete"
        )

    def scaled(self, requests: Sequence[MatchRequest]) -> Iterator[Floats]:
        """On a scale that grows slowly: unrelated texts share so few words that any shared word is far from chance."""
        for table in super().scaled(requests):
            yield np.arcsinh(table)

    def leading(self, table: Floats) -> Floats:
        """Rivals are compared by all measures together."""
        return self.likeness(table)

    def measure(self, requests: Sequence[MatchRequest]) -> Iterator[Floats]:
        """The whole-text ratio and the alignment of words."""
        for request in requests:
            references = [read_cached(text) for text in request.references]
            reasons = [read_cached(text) for text in request.reasons]
            yield self._table(request, references, reasons)

    def _table(self, request: MatchRequest, references: Sequence[Claim], reasons: Sequence[Claim]) -> Floats:
        table = np.zeros((len(references), len(reasons), len(self.measures)))
        if not references or not reasons:
            return table
        table[..., 0] = core.similarity(
            [[_plain(text) for text in request.references]],
            [[_plain(text) for text in request.reasons]],
            scorer=self.scorer,
        ).scores[0]
        ours, theirs = _vocabulary(references), _vocabulary(reasons)
        if ours and theirs:
            similarity, shared = _word_table(list(ours), list(theirs))
            terms = [_counting(reason) for reason in reasons]
            texts = Texts([len(held) for held in terms])
            columns = [theirs[entry] for held in terms for entry in held]
            similarity, shared = similarity[:, columns], shared[:, columns]
            everything = np.ones(len(columns), dtype=bool)
            for at, reference in enumerate(references):
                rows = [ours[entry] for entry in _counting(reference)]
                table[at, :, 1:] = align(
                    similarity[rows], shared[rows], np.ones(len(rows), dtype=bool), everything, texts
                )
        return table


_Entry = tuple[str, str, bool]


def _vocabulary(claims: Sequence[Claim]) -> dict[_Entry, int]:
    """The distinct content words of some texts, numbered."""
    found: dict[_Entry, int] = {}
    for claim in claims:
        for entry in _counting(claim):
            found.setdefault(entry, len(found))
    return found


def _counting(claim: Claim) -> list[_Entry]:
    return [(term.key, term.stem, term.generic) for term in claim.terms if term.counts]


def _word_table(ours: Sequence[_Entry], theirs: Sequence[_Entry]) -> tuple[Floats, NDArray[np.bool_]]:
    """(similarity, sameness) of words with words: 1 for one stem, `SYNONYM` for one concept, else their letters."""
    ratio = core.similarity([[stem for _, stem, _ in ours]], [[stem for _, stem, _ in theirs]], scorer="ratio")
    similarity = np.where(ratio.scores[0] >= ALIKE, ratio.scores[0], 0.0)
    keys, other_keys = np.array([key for key, *_ in ours]), np.array([key for key, *_ in theirs])
    same = keys[:, None] == other_keys[None, :]
    similarity = np.where(same, np.maximum(similarity, SYNONYM), similarity)
    generic = np.array([entry[2] for entry in ours])
    similarity[generic] *= GENERIC
    return similarity, same


def _plain(text: str) -> str:
    """What the ratios compare: lower case, without the marks at the ends of words."""
    return " ".join(piece.strip(".,;:!?()\"'`") for piece in text[:MAX_CHARACTERS].lower().split())
